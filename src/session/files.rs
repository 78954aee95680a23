//! Where sessions are kept: one folder each, in the state folder, private to the user.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::journal::{self, Entry};
use crate::protocol::Event;

/// The name of a session: `20261121-093012-4f2a`, sortable by its start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId(pub String);

/// The state folder of all sessions.
#[derive(Debug, Clone)]
pub struct SessionFiles {
    sessions: PathBuf,
}

/// What is known of a kept session.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionInfo {
    pub id: SessionId,
    pub root: String,
    /// Seconds since 1970.
    pub began: u64,
    pub turns: u32,
    /// The first message.
    pub title: String,
}

/// A state folder that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("cannot use the state folder `{path}`: {source}")]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("there is no state folder: neither XDG_STATE_HOME nor HOME is set")]
    NoHome,
    #[error("there is no session `{id}`")]
    Unknown { id: String },
}

impl SessionFiles {
    /// Opens the folder: `$WALDEN_STATE`, else `$XDG_STATE_HOME/walden`, else `~/.local/state/walden`.
    ///
    /// # Errors
    /// When it cannot be found or made.
    pub fn open() -> Result<Self, StateError> {
        let set = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let state = set("WALDEN_STATE")
            .or_else(|| set("XDG_STATE_HOME").map(|dir| dir.join("walden")))
            .or_else(|| set("HOME").map(|dir| dir.join(".local/state/walden")))
            .ok_or(StateError::NoHome)?;
        Self::at(&state)
    }

    /// Opens the folder at a place.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn at(state: &Path) -> Result<Self, StateError> {
        let sessions = state.join("sessions");
        make_private(&sessions)?;
        Ok(Self { sessions })
    }

    /// Makes the folder of a new session.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(&self) -> Result<(SessionId, PathBuf), StateError> {
        let now = seconds_now();
        let mut salt = [0_u8; 2];
        let _ = rustix::rand::getrandom(&mut salt, rustix::rand::GetRandomFlags::empty());
        let id = SessionId(format!("{}-{:02x}{:02x}", stamp(now), salt[0], salt[1]));
        let dir = self.dir(&id);
        make_private(&dir)?;
        Ok((id, dir))
    }

    /// Returns a session's folder.
    pub fn dir(&self, id: &SessionId) -> PathBuf {
        self.sessions.join(&id.0)
    }

    /// Returns a session's journal.
    pub fn journal(&self, id: &SessionId) -> PathBuf {
        self.dir(id).join("journal.jsonl")
    }

    /// Returns the place of the log.
    pub fn log(&self) -> PathBuf {
        self.sessions.with_file_name("walden.log")
    }

    /// Returns a folder for this process's passing needs of a kind, which it has to make and to remove. Those of
    /// processes that were killed before they could remove theirs are removed here.
    pub fn passing(&self, kind: &str) -> PathBuf {
        let own = self
            .sessions
            .with_file_name(format!("{kind}-{}", std::process::id()));
        let beside = self
            .sessions
            .parent()
            .and_then(|dir| fs::read_dir(dir).ok());
        for entry in beside.into_iter().flatten().flatten() {
            let name = entry.file_name();
            let process = name
                .to_str()
                .and_then(|name| {
                    name.strip_prefix(kind)?
                        .strip_prefix('-')?
                        .parse::<i32>()
                        .ok()
                })
                .and_then(rustix::process::Pid::from_raw);
            let is_gone = process.is_some_and(|process| {
                rustix::process::test_kill_process(process) == Err(rustix::io::Errno::SRCH)
            });
            if is_gone {
                // What cannot be removed now is tried again the next time.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        own
    }

    /// Returns a folder for this process's passing needs.
    pub fn scratch(&self) -> PathBuf {
        self.passing("scratch")
    }

    /// Returns the place of what is remembered across sessions, unless the user named another.
    pub fn memory(&self) -> PathBuf {
        self.sessions.with_file_name("memory.jsonl")
    }

    /// Returns the place of what the user trusts.
    pub fn trust(&self) -> PathBuf {
        self.sessions.with_file_name("trust.jsonl")
    }

    /// Returns the place of what is remembered about one repository, by a name for it.
    pub fn memory_of(&self, repository: &str) -> PathBuf {
        let folder = self.sessions.with_file_name("memory");
        folder.join(format!("{repository}.jsonl"))
    }

    /// Returns the place of the rules that are kept for one repository, by a name for it.
    pub fn rules_of(&self, repository: &str) -> PathBuf {
        let folder = self.sessions.with_file_name("projects");
        folder.join(repository).join("rules.toml")
    }

    /// Returns the place of the composer's history.
    pub fn history(&self) -> PathBuf {
        self.sessions.with_file_name("history")
    }

    /// Returns the folder of the model's states that are kept between runs.
    pub fn snapshots(&self) -> PathBuf {
        self.sessions.with_file_name("snapshots")
    }

    /// Lists the kept sessions, the newest first; those without a message are left out.
    pub fn list(&self) -> Vec<SessionInfo> {
        let entries = fs::read_dir(&self.sessions).into_iter().flatten().flatten();
        let mut ids: Vec<SessionId> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .map(SessionId)
            .collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.into_iter().filter_map(|id| self.info(id)).collect()
    }

    /// Finds a session by its id or the beginning of it.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, id: &str) -> Result<SessionInfo, StateError> {
        let found = self
            .list()
            .into_iter()
            .find(|info| info.id.0.starts_with(id));
        found.ok_or_else(|| StateError::Unknown { id: id.to_owned() })
    }

    fn info(&self, id: SessionId) -> Option<SessionInfo> {
        let entries = journal::read(&self.journal(&id)).ok()?;
        let (mut root, mut began, mut turns, mut title) = (String::new(), 0, 0, None);
        for entry in entries {
            match entry {
                Entry::Opened {
                    root: opened,
                    began: at,
                    ..
                } => (root, began) = (opened, at),
                Entry::Event(Event::TurnStarted { turn, text }) => {
                    turns = turn;
                    title.get_or_insert(text);
                }
                _ => {}
            }
        }
        Some(SessionInfo {
            id,
            root,
            began,
            turns,
            title: title?,
        })
    }
}

fn make_private(dir: &Path) -> Result<(), StateError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| StateError::Folder {
            path: dir.to_owned(),
            source,
        })
}

pub(super) fn seconds_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

pub(super) fn milliseconds_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

/// Writes a time as `20261121-093012`, in UTC (days to a civil date after Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms").
fn stamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let z = days + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}{month:02}{day:02}-{:02}{:02}{:02}",
        rest / 3_600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_a_living_one_has_is_not() {
        let state = tempfile::tempdir().unwrap();
        let files = SessionFiles::at(state.path()).unwrap();
        // No process has the highest number that there can be.
        let dead = state.path().join(format!("bench-{}", i32::MAX));
        let alive = state.path().join("bench-1");
        let other = state.path().join("bench-notes");
        for dir in [&dead, &alive, &other] {
            fs::create_dir(dir).unwrap();
        }
        let own = files.passing("bench");
        assert_eq!(
            own,
            state.path().join(format!("bench-{}", std::process::id()))
        );
        assert!(!dead.exists() && alive.exists() && other.exists());
    }

    #[test]
    fn a_time_is_written_as_a_civil_date() {
        assert_eq!(stamp(0), "19700101-000000");
        assert_eq!(stamp(1_795_253_412), "20261121-093012");
        assert_eq!(stamp(951_827_696), "20000229-123456");
    }
}
