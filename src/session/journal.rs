//! The journal: append-only JSONL, one record a line, each bound to the one before.
//!
//! A record is `{"seq": n, "check": c, "entry": …}` with `c` the first 16 hexadecimal digits of
//! SHA-256(previous check + entry). A line that was torn by a crash, and whatever follows it, does not count; the file
//! is cut back to the last whole record before it is written again. Intents are fsynced before their effect; streamed
//! text is not, so that a crash loses at most the token that was being written.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

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

/// A journal open for writing, by one process at a time.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    seq: u64,
    check: String,
    /// Where the last whole record ends.
    end: u64,
}

#[derive(Serialize)]
struct Written<'a> {
    seq: u64,
    check: &'a str,
    entry: &'a RawValue,
}

#[derive(Deserialize)]
struct Record<'a> {
    seq: u64,
    check: String,
    #[serde(borrow)]
    entry: &'a RawValue,
}

impl Journal {
    /// Opens a journal, creates it where there is none, and cuts off a torn end. Returns what it holds, too.
    ///
    /// # Errors
    /// When the file cannot be opened, or another process has it open for writing.
    pub fn open(path: &Path) -> Result<(Self, Vec<Entry>), JournalError> {
        let failed = |source| JournalError::Write {
            path: path.to_owned(),
            source,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).map_err(
            |_| JournalError::Busy {
                path: path.to_owned(),
            },
        )?;
        let held = scan(&file).map_err(|source| JournalError::Read {
            path: path.to_owned(),
            source,
        })?;
        file.set_len(held.end).map_err(failed)?;
        let journal = Self {
            path: path.to_owned(),
            file,
            seq: held.seq,
            check: held.check,
            end: held.end,
        };
        Ok((journal, held.entries))
    }

    /// Appends an entry. It is in the system's hands when this returns, and on the disk after [`Journal::sync`].
    ///
    /// # Errors
    /// When it cannot be written; the journal then still ends with the last whole record.
    pub fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let failed = |source| JournalError::Write {
            path: self.path.clone(),
            source,
        };
        let entry = serde_json::value::to_raw_value(entry).map_err(|error| failed(error.into()))?;
        let check = chain(&self.check, entry.get());
        let record = Written {
            seq: self.seq + 1,
            check: &check,
            entry: &entry,
        };
        let mut line = serde_json::to_vec(&record).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        let written = self
            .file
            .seek(SeekFrom::Start(self.end))
            .and_then(|_| self.file.write_all(&line));
        if let Err(source) = written {
            // A full disk may have taken half a line: it must not stand before the next record.
            let _ = self.file.set_len(self.end);
            return Err(failed(source));
        }
        self.end += line.len() as u64;
        self.seq += 1;
        self.check = check;
        Ok(())
    }

    /// Waits until all that was appended is on the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(|source| JournalError::Write {
            path: self.path.clone(),
            source,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads the whole records of a journal, without locking or changing it.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Entry>, JournalError> {
    let failed = |source| JournalError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    Ok(scan(&file).map_err(failed)?.entries)
}

/// What a scan found up to the first line that is not a whole record.
struct Held {
    entries: Vec<Entry>,
    seq: u64,
    check: String,
    end: u64,
}

fn scan(file: &File) -> std::io::Result<Held> {
    let mut held = Held {
        entries: Vec::new(),
        seq: 0,
        check: String::new(),
        end: 0,
    };
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        let Some(entry) = line
            .strip_suffix(b"\n")
            .and_then(|line| whole(line, &mut held))
        else {
            return Ok(held);
        };
        held.entries.push(entry);
        held.end += length as u64;
    }
}

/// Takes a line for a record if it is whole and follows the one before.
fn whole(line: &[u8], held: &mut Held) -> Option<Entry> {
    let record: Record<'_> = serde_json::from_slice(line).ok()?;
    let check = chain(&held.check, record.entry.get());
    if record.seq != held.seq + 1 || record.check != check {
        return None;
    }
    let entry = serde_json::from_str(record.entry.get()).ok()?;
    held.seq = record.seq;
    held.check = check;
    Some(entry)
}

fn chain(before: &str, entry: &str) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::new()
        .chain_update(before)
        .chain_update(entry)
        .finalize();
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
