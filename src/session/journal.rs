//! The journal: a [chain] of what a session did. Intents are fsynced before their effect; streamed text
//! is not, so that a crash loses at most the token that was being written. Each entry is kept with its time; those of
//! older journals have none.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files;
use crate::audit::Audit;
use crate::chain::{self, Chain, ChainError, Check};
use crate::protocol::{Event, FileChange, Message, ToolCall};

/// What a journal keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The first record: the format's version, the root, and when the session began (seconds since 1970).
    Opened {
        version: u32,
        root: String,
        began: u64,
    },
    Event(Event),
    /// A message of the conversation as the model knows it.
    Message(Message),
    /// The messages before this point are forgotten.
    Forget,
    /// A call is about to run, and would make this change.
    Intent {
        call: ToolCall,
        change: Option<FileChange>,
    },
    /// A generation is about to start.
    Generate,
}

/// An entry, and when it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Timed {
    /// Milliseconds since 1970; none in older journals.
    pub at: Option<u64>,
    pub entry: Entry,
}

#[derive(Serialize)]
struct Written<'a> {
    at: u64,
    entry: &'a Entry,
}

/// A record as it may stand in a journal.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    Timed { at: u64, entry: Entry },
    Plain(Entry),
}

impl Kept {
    fn entry(self) -> Entry {
        match self {
            Self::Timed { entry, .. } | Self::Plain(entry) => entry,
        }
    }
}

/// The format's version.
pub(super) const VERSION: u32 = 1;

/// A journal that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("cannot write the session's journal `{path}`: {source}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot read the session's journal `{path}`: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the session `{path}` is open in another walden")]
    Busy { path: PathBuf },
}

impl From<ChainError> for JournalError {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Write { path, source } => Self::Write { path, source },
            ChainError::Read { path, source } => Self::Read { path, source },
            ChainError::Busy { path } => Self::Busy { path },
        }
    }
}

/// A journal open for writing, by one process at a time.
#[derive(Debug)]
pub struct Journal {
    chain: Chain,
    /// What is kept for somebody who was not there.
    audit: Option<Audit>,
}

impl Journal {
    /// Opens a journal, creates it where there is none, and cuts off a torn end. Returns what it holds, too.
    ///
    /// # Errors
    /// When the file cannot be opened, or another process has it open for writing.
    pub fn open(path: &Path) -> Result<(Self, Vec<Entry>), JournalError> {
        let (chain, kept) = Chain::open(path, Check::Short)?;
        let entries = kept.into_iter().map(Kept::entry).collect();
        Ok((Self { chain, audit: None }, entries))
    }

    /// Has the audit log told, too, of what is appended from now on.
    #[must_use]
    pub fn audited(mut self, audit: Audit) -> Self {
        self.audit = Some(audit);
        self
    }

    /// Appends an entry. It is in the system's hands when this returns, and on the disk after [`Journal::sync`].
    ///
    /// # Errors
    /// When it cannot be written; the journal then still ends with the last whole record.
    pub fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let at = files::milliseconds_now();
        self.chain.append(&Written { at, entry })?;
        let Some(audit) = &mut self.audit else {
            return Ok(());
        };
        match entry {
            Entry::Event(event) => audit.event(event)?,
            Entry::Intent { call, .. } => audit.about_to_run(call)?,
            Entry::Opened { .. } | Entry::Message(_) | Entry::Forget | Entry::Generate => {}
        }
        Ok(())
    }

    /// Waits until all that was appended is on the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        Ok(self.chain.sync()?)
    }

    /// Returns the place of the file.
    pub fn path(&self) -> &Path {
        self.chain.path()
    }
}

/// Reads the whole records of a journal, without locking or changing it.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Entry>, JournalError> {
    let kept: Vec<Kept> = chain::read(path)?;
    Ok(kept.into_iter().map(Kept::entry).collect())
}

/// Reads the whole records of a journal with their times, without locking or changing it.
///
/// # Errors
/// When the file cannot be read.
pub fn read_timed(path: &Path) -> Result<Vec<Timed>, JournalError> {
    let kept: Vec<Kept> = chain::read(path)?;
    let timed = kept.into_iter().map(|kept| match kept {
        Kept::Timed { at, entry } => Timed {
            at: Some(at),
            entry,
        },
        Kept::Plain(entry) => Timed { at: None, entry },
    });
    Ok(timed.collect())
}
