//! The tasks that go on: written down while they do, so that a walden that ended in the middle of one does not lose it.
//!
//! In the stateless era a task is known by its name alone, and no server lists its tasks. Each process that begins tasks
//! has a file of its own in one folder, held locked while it lives: a file that can be locked is of a process that ended,
//! and what is open in it is taken over. The files are added to and never rewritten; a line that was torn is no task.

#![expect(
    clippy::disallowed_methods,
    reason = "the files that tasks are noted in: state, and not the user's"
)]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// How long a task is remembered of which its server does not say how long it keeps it, and at most.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// The most tasks that are remembered, and bytes of a file that are read.
const TASKS: usize = 100;
const BYTES: u64 = 1 << 20;

/// The tasks that go on.
#[derive(Debug)]
pub struct TaskBook {
    /// `None` keeps them in memory only.
    folder: Option<PathBuf>,
    pages: Mutex<Pages>,
    /// How many tasks were left so far: who follows a server's tasks may have met it before one was.
    left: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Pages {
    own: Option<File>,
    tasks: Vec<Noted>,
}

/// A task that goes on, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Noted {
    server: String,
    pub(super) id: String,
    pub(super) tool: String,
    /// Until when it is remembered, in seconds since 1970.
    until: u64,
    /// Somebody follows it already.
    followed: bool,
}

/// A line of a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
enum Line {
    Begun {
        server: String,
        id: String,
        tool: String,
        until: u64,
    },
    Over {
        server: String,
        id: String,
    },
}

impl TaskBook {
    /// Notes tasks in files of this folder.
    pub fn open(folder: PathBuf) -> Self {
        Self {
            folder: Some(folder),
            pages: Mutex::default(),
            left: watch::channel(0).0,
        }
    }

    /// Notes tasks in memory only: they are taken up again when their server is, and not by another walden.
    pub fn in_memory() -> Self {
        Self {
            folder: None,
            pages: Mutex::default(),
            left: watch::channel(0).0,
        }
    }

    /// Notes that a task was begun which a call follows.
    pub(super) fn begun(&self, server: &str, id: &str, tool: &str, ttl: Option<Duration>) {
        let until = now() + ttl.unwrap_or(KEPT).min(KEPT).as_secs();
        let mut pages = self.lock();
        if pages.tasks.len() < TASKS {
            pages.note(self.folder.as_deref(), server, id, tool, until, true);
        }
    }

    /// Notes that a task is over, or of no interest any more.
    pub(super) fn over(&self, server: &str, id: &str) {
        let mut pages = self.lock();
        let before = pages.tasks.len();
        pages
            .tasks
            .retain(|task| !(task.server == server && task.id == id));
        if pages.tasks.len() < before {
            pages.write(
                self.folder.as_deref(),
                &Line::Over {
                    server: server.to_owned(),
                    id: id.to_owned(),
                },
            );
        }
    }

    /// Notes that nobody follows a task any more which may go on: its server was lost.
    pub(super) fn left(&self, server: &str, id: &str) {
        let mut pages = self.lock();
        let left = pages
            .tasks
            .iter_mut()
            .find(|task| task.server == server && task.id == id);
        if let Some(task) = left {
            task.followed = false;
            self.left.send_modify(|left| *left += 1);
        }
    }

    /// Tells of each task that is left from now on.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.left.subscribe()
    }

    /// Gives a server's tasks that nobody follows, for the caller to follow: those that were left, and those of a walden
    /// that ended before they did.
    pub(super) fn take_up(&self, server: &str) -> Vec<Noted> {
        let mut pages = self.lock();
        if let Some(folder) = self.folder.as_deref() {
            for line in abandoned(folder) {
                if let Line::Begun {
                    server,
                    id,
                    tool,
                    until,
                } = line
                    && until > now()
                    && pages.tasks.len() < TASKS
                {
                    pages.note(Some(folder), &server, &id, &tool, until, false);
                }
            }
        }
        let mut taken = Vec::new();
        for task in &mut pages.tasks {
            if task.server == server && !task.followed {
                task.followed = true;
                taken.push(task.clone());
            }
        }
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        // Nothing panics while it is held.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TaskBook {
    fn drop(&mut self) {
        let pages = self.lock();
        if pages.tasks.is_empty()
            && let (Some(folder), Some(own)) = (&self.folder, &pages.own)
        {
            remove(folder, own);
        }
    }
}

impl Pages {
    fn note(
        &mut self,
        folder: Option<&Path>,
        server: &str,
        id: &str,
        tool: &str,
        until: u64,
        followed: bool,
    ) {
        let (server, id, tool) = (server.to_owned(), id.to_owned(), tool.to_owned());
        self.write(
            folder,
            &Line::Begun {
                server: server.clone(),
                id: id.clone(),
                tool: tool.clone(),
                until,
            },
        );
        self.tasks.push(Noted {
            server,
            id,
            tool,
            until,
            followed,
        });
    }

    /// Adds a line to this process's file. What cannot be written is not taken up again: no call fails by that.
    fn write(&mut self, folder: Option<&Path>, line: &Line) {
        let Some(folder) = folder else { return };
        if self.own.is_none() {
            match create(folder) {
                Ok(file) => self.own = Some(file),
                Err(error) => {
                    tracing::warn!(%error, "cannot note a server's task");
                    return;
                }
            }
        }
        if let (Some(file), Ok(mut text)) = (&mut self.own, serde_json::to_string(line)) {
            text.push('\n');
            if let Err(error) = file.write_all(text.as_bytes()) {
                tracing::warn!(%error, "cannot note a server's task");
            }
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// Makes a file for this process, and locks it.
fn create(folder: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)?;
    let mut number = 0;
    loop {
        // Another process may have the same number, in a container of its own.
        let path = folder.join(format!("{}-{number}.jsonl", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        match options
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
        {
            Ok(file) => {
                file.lock()?;
                // Another process may have cleared it away before it was locked.
                if file.metadata()?.nlink() > 0 {
                    return Ok(file);
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && number < 1_000 => {
                number += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Reads what is open in the files of processes that ended, and removes them.
fn abandoned(folder: &Path) -> Vec<Line> {
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || path.extension().is_none_or(|ending| ending != "jsonl") {
            continue;
        }
        let mut options = std::fs::OpenOptions::new();
        let opened = options
            .read(true)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(&path);
        let Ok(file) = opened else { continue };
        if file.try_lock().is_err() {
            continue;
        }
        // Another process took it over between the opening and the lock.
        if file.metadata().is_ok_and(|file| file.nlink() == 0) {
            continue;
        }
        let mut bytes = Vec::new();
        let _ = (&file).take(BYTES).read_to_end(&mut bytes);
        found.extend(still_open(&String::from_utf8_lossy(&bytes)));
        let _ = std::fs::remove_file(&path);
    }
    found
}

/// Returns the beginnings in a file that have no end in it.
fn still_open(text: &str) -> Vec<Line> {
    let mut open: Vec<Line> = Vec::new();
    for line in text.lines() {
        match serde_json::from_str(line) {
            Ok(begun @ Line::Begun { .. }) => open.push(begun),
            Ok(Line::Over { server, id }) => open.retain(|line| match line {
                Line::Begun {
                    server: of,
                    id: begun,
                    ..
                } => *of != server || *begun != id,
                Line::Over { .. } => false,
            }),
            Err(_) => {}
        }
    }
    open
}

/// Removes the file that is open as this one.
fn remove(folder: &Path, own: &File) {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(own) = own.metadata() else { return };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_it = entry
            .metadata()
            .is_ok_and(|entry| (entry.dev(), entry.ino()) == (own.dev(), own.ino()));
        if is_it {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(taken: &[Noted]) -> Vec<(&str, &str)> {
        taken
            .iter()
            .map(|task| (task.id.as_str(), task.tool.as_str()))
            .collect()
    }

    #[test]
    fn a_task_is_taken_up_by_the_next_walden_once_and_not_while_its_own_lives() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = TaskBook::open(folder.path().join("tasks"));
        for (server, id) in [("a", "1"), ("a", "2"), ("b", "1")] {
            first.begun(server, id, "build", None);
        }
        first.over("a", "1");
        let second = TaskBook::open(folder.path().join("tasks"));
        assert_eq!(second.take_up("a"), []);
        assert_eq!(first.take_up("a"), [], "the call follows it");
        drop(first);
        assert_eq!(names(&second.take_up("a")), [("2", "build")]);
        assert_eq!(second.take_up("a"), []);
        assert_eq!(names(&second.take_up("b")), [("1", "build")]);
        // Where it ends in turn, what it took over is not lost.
        second.over("a", "2");
        drop(second);
        let third = TaskBook::open(folder.path().join("tasks"));
        assert_eq!(third.take_up("a"), []);
        assert_eq!(names(&third.take_up("b")), [("1", "build")]);
        third.over("b", "1");
        drop(third);
        let left = std::fs::read_dir(folder.path().join("tasks")).expect("the folder");
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn what_its_server_has_forgotten_by_now_is_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = TaskBook::open(folder.path().to_owned());
        first.begun("a", "short", "build", Some(Duration::ZERO));
        first.begun("a", "long", "build", Some(Duration::from_secs(60)));
        drop(first);
        let second = TaskBook::open(folder.path().to_owned());
        assert_eq!(names(&second.take_up("a")), [("long", "build")]);
    }

    #[test]
    fn a_task_that_is_left_is_told_of_and_taken_up_once_more() {
        let book = TaskBook::in_memory();
        book.begun("a", "1", "build", None);
        let told = book.watch();
        assert_eq!(book.take_up("a"), []);
        book.left("a", "2");
        assert!(!told.has_changed().expect("the book is there"));
        book.left("a", "1");
        assert!(told.has_changed().expect("the book is there"));
        assert_eq!(names(&book.take_up("a")), [("1", "build")]);
        assert_eq!(book.take_up("a"), []);
    }

    #[test]
    fn a_torn_line_costs_itself_and_no_other() {
        let begun = r#"{"what": "begun", "server": "a", "id": "1", "tool": "t", "until": 9}"#;
        let text = format!("{begun}\n{{\"what\": \"over\", \"server\": \"a\", \"i");
        assert_eq!(still_open(&text).len(), 1);
        let text = format!("{}\n{begun}\n", &begun[..20]);
        assert_eq!(still_open(&text).len(), 1);
    }
}
