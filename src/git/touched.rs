//! Which files may differ from the index, and which are not in it, told by what the file system knows of them alone.
//!
//! libgit2 goes through the whole tree by full names, one after the other. Here each folder is opened once and looked
//! at by whichever thread is free. What comes out is not yet an answer: libgit2 is asked about the few files that are
//! left, so that its rules (ignored, filtered, the same after all) stay the ones that count.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use git2::IndexEntry;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, open, openat2, statat};

use super::indexed::Tracked;
use super::{GitError, Repo};

/// More than these are not named one by one: looking at everything is as fast.
const MANY: usize = 1_000;
const MANY_FOLDERS: usize = 24;

/// How many folders a thread takes at a time, and how many threads there are at most.
const FOLDERS: usize = 8;
const MAX_THREADS: usize = 8;

/// The bits of an index entry's flags that say that git itself takes it on trust, and that its file may be absent.
const ASSUME_UNCHANGED: u16 = 1 << 15;
const SKIP_WORKTREE: u16 = 1 << 14;

const GITLINK: u32 = 0o160_000;

/// Whether what is not in the index is looked for, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strangers {
    Named,
    LeftOut,
}

/// What may differ.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Tracked files, and others.
    pub(super) files: Vec<String>,
    /// Folders in which nothing is tracked.
    pub(super) folders: Vec<String>,
}

/// The files of one folder that are in the index, and the names of the folders in it.
#[derive(Default)]
struct Folder<'a> {
    files: Vec<(&'a [u8], Tracked<'a>)>,
    folders: HashSet<&'a [u8]>,
}

/// Paths of files, and of folders.
type Found = [Vec<Vec<u8>>; 2];

/// What is looked at, and what was found so far.
struct Look<'a> {
    top: OwnedFd,
    /// When the index was written.
    written: (i64, i64),
    strangers: Strangers,
    found: Mutex<Found>,
    /// It is no use to go on: everything has to be looked at by libgit2.
    given_up: AtomicBool,
    folders: Vec<(&'a [u8], Folder<'a>)>,
}

impl Repo {
    /// Returns the tracked files that may differ from the index (all that do, and some that do not), and those that are
    /// not tracked, ignored or not. `None` where it is no use to name them.
    pub(super) fn touched(&self, strangers: Strangers) -> Result<Option<Touched>, GitError> {
        // Before the index is read: should another be written now, its files are looked at once more.
        let written = written(self.git.path());
        if let Some(index) = self.indexed() {
            return self.touched_of(&index.entries(), written, strangers);
        }
        let index = self.git.index()?;
        let entries: Vec<IndexEntry> = index.iter().collect();
        let entries: Vec<Tracked<'_>> = entries.iter().map(Tracked::of).collect();
        self.touched_of(&entries, written, strangers)
    }

    /// Does the same of an index that was written at a time.
    pub(super) fn touched_of(
        &self,
        entries: &[Tracked<'_>],
        written: Option<(i64, i64)>,
        strangers: Strangers,
    ) -> Result<Option<Touched>, GitError> {
        let workdir = self.workdir()?;
        // A file that is as young as the index may have changed again within the clock's grain.
        let Some(written) = written else {
            return Ok(None);
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(top) = open(workdir, flags, Mode::empty()) else {
            return Ok(None);
        };
        if self.settings.is_on("core.ignorecase") == Some(true) {
            return Ok(None);
        }
        let look = Look {
            top,
            written,
            strangers,
            found: Mutex::default(),
            given_up: AtomicBool::new(false),
            folders: folders_of(entries),
        };
        look.run();
        if look.given_up.into_inner() {
            return Ok(None);
        }
        let mut found = look
            .found
            .into_inner()
            .unwrap_or_else(|poison| poison.into_inner());
        for paths in &mut found {
            paths.sort_unstable();
            // An unmerged file has several entries.
            paths.dedup();
        }
        let texts = found.map(|paths| -> Option<Vec<String>> {
            let texts = paths.into_iter().map(String::from_utf8);
            texts.collect::<Result<_, _>>().ok()
        });
        let [Some(files), Some(folders)] = texts else {
            return Ok(None);
        };
        let few = files.len() <= MANY && folders.len() <= MANY_FOLDERS;
        Ok(few.then_some(Touched { files, folders }))
    }
}

/// Sorts the entries of an index by their folders.
fn folders_of<'a>(entries: &[Tracked<'a>]) -> Vec<(&'a [u8], Folder<'a>)> {
    let mut folders: HashMap<&'a [u8], Folder<'a>> = HashMap::new();
    folders.entry(b"").or_default();
    let mut last: &'a [u8] = b"";
    for entry in entries {
        let (folder, name) = apart(entry.path);
        if folder != last {
            // Those above it, as far up as they are not known.
            let mut below = folder;
            while !below.is_empty() {
                let (above, name) = apart(below);
                if !folders.entry(above).or_default().folders.insert(name) {
                    break;
                }
                below = above;
            }
            last = folder;
        }
        folders
            .entry(folder)
            .or_default()
            .files
            .push((name, *entry));
    }
    folders.into_iter().collect()
}

/// Takes a path apart into its folder and its name.
fn apart(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

impl Look<'_> {
    fn run(&self) {
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let from = next.fetch_add(FOLDERS, Ordering::Relaxed);
                let some = self.folders.iter().skip(from).take(FOLDERS);
                if from >= self.folders.len() || self.given_up.load(Ordering::Relaxed) {
                    return;
                }
                let mut found = Found::default();
                for (path, folder) in some {
                    if self.folder(path, folder, &mut found).is_none() {
                        self.given_up.store(true, Ordering::Relaxed);
                    }
                }
                let mut all = self
                    .found
                    .lock()
                    .unwrap_or_else(|poison| poison.into_inner());
                for (all, found) in all.iter_mut().zip(&mut found) {
                    all.append(found);
                }
                if all[0].len() > 2 * MANY || all[1].len() > MANY_FOLDERS {
                    self.given_up.store(true, Ordering::Relaxed);
                }
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = cores
            .min(MAX_THREADS)
            .min(self.folders.len() / (2 * FOLDERS) + 1);
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
    }

    /// Looks at one folder; `None` where it is not one that can be looked at so.
    fn folder(&self, path: &[u8], folder: &Folder<'_>, found: &mut Found) -> Option<()> {
        let mode = match self.strangers {
            Strangers::Named => OFlags::RDONLY,
            Strangers::LeftOut => OFlags::PATH,
        };
        let flags = mode | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // Behind a link that took its place, the files are another's.
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let name = if path.is_empty() { b"." } else { path };
        let Ok(dir) = openat2(&self.top, name, flags, Mode::empty(), beneath) else {
            // It is not there, or no folder: none of its files is as it was.
            let files = folder
                .files
                .iter()
                .filter(|(_, entry)| !may_be_absent(entry));
            found[0].extend(files.map(|(_, entry)| entry.path.to_vec()));
            return Some(());
        };
        for (name, entry) in &folder.files {
            if entry.flags & ASSUME_UNCHANGED != 0 || entry.mode == GITLINK {
                continue;
            }
            let same = match statat(&dir, *name, AtFlags::SYMLINK_NOFOLLOW) {
                // A folder took its place: what is in it has to be looked at, too.
                Ok(now) if FileType::from_raw_mode(now.st_mode) == FileType::Directory => {
                    return None;
                }
                Ok(now) => is_same(entry, &now, self.written),
                Err(_) => may_be_absent(entry),
            };
            if !same {
                found[0].push(entry.path.to_vec());
            }
        }
        if self.strangers == Strangers::LeftOut {
            return Some(());
        }
        let known: HashSet<&[u8]> = folder.files.iter().map(|(name, _)| *name).collect();
        for entry in Dir::new(dir).ok()? {
            let entry = entry.ok()?;
            let name = entry.file_name().to_bytes();
            let is_folder = match entry.file_type() {
                FileType::Unknown => return None,
                kind => kind == FileType::Directory,
            };
            match name {
                b"." | b".." => {}
                b".git" if path.is_empty() => {}
                // A repository of its own, of which files are tracked by this one.
                b".git" => return None,
                _ if known.contains(name) || (is_folder && folder.folders.contains(name)) => {}
                _ => found[usize::from(is_folder)].push(match path {
                    b"" => name.to_owned(),
                    path => [path, b"/", name].concat(),
                }),
            }
        }
        Some(())
    }
}

/// Returns when the index was written.
pub(super) fn written(gitdir: &Path) -> Option<(i64, i64)> {
    let kind = gitdir.join("index").symlink_metadata().ok()?;
    Some((kind.mtime(), kind.mtime_nsec()))
}

/// Tells whether a file is absent because the checkout is sparse, should it be absent.
fn may_be_absent(entry: &Tracked<'_>) -> bool {
    entry.extended & SKIP_WORKTREE != 0
}

/// Tells whether a file is, for sure, as it was when it was put into the index.
fn is_same(entry: &Tracked<'_>, now: &Stat, written: (i64, i64)) -> bool {
    let time = |(seconds, nanoseconds): (u32, u32), (now, now_nanoseconds): (i64, i64)| {
        i64::from(seconds) == now && i64::from(nanoseconds) == now_nanoseconds
    };
    let changed = (now.st_mtime, now.st_mtime_nsec as i64);
    entry.stage() == 0
        && same_kind(entry.mode, now.st_mode)
        && now.st_size as u64 == u64::from(entry.size)
        && entry.size > 0
        && now.st_ino as u32 == entry.inode
        && time(entry.modified, changed)
        && time(entry.changed, (now.st_ctime, now.st_ctime_nsec as i64))
        && changed < written
}

/// Tells whether the mode of a file is the one that the index has for it; of a file's permissions git keeps one bit.
fn same_kind(known: u32, now: u32) -> bool {
    const KIND: u32 = 0o170_000;
    const LINK: u32 = 0o120_000;
    const EXECUTABLE: u32 = 0o100;
    known & KIND == now & KIND && (known & KIND == LINK || known & EXECUTABLE == now & EXECUTABLE)
}
