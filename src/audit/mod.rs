//! The audit log: what a session was asked for, what was decided, what it did and where it connected to, and what the
//! clients of a server that walden serves called; for somebody who was not there.
//!
//! A file for each session, each of its brokers and each server over HTTP, in the state folder: a [chain], so that a record
//! that was changed, moved or taken out is found. It says what was done and not what was read: outcomes are told by
//! their length and hash, arguments pass a redaction. Whoever can write the state folder can write a whole file anew:
//! note the head that `walden audit verify` prints where that matters.

#![expect(
    clippy::disallowed_methods,
    reason = "the audit log is walden's own folder"
)]

mod entry;
mod show;

use std::borrow::Cow;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

pub use entry::{Connection, Entry};
pub use show::{export, table, verification};

use crate::chain::{self, Chain, ChainError, Check};
use crate::protocol::{CallId, Event, ToolCall};

/// Takes secrets out of a text before it is written.
pub type Redact = fn(&str) -> Cow<'_, str>;

/// An audit log open for writing.
#[derive(Debug)]
pub struct Audit {
    chain: Chain,
    redact: Redact,
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Milliseconds since 1970.
    pub at: u64,
    #[serde(flatten)]
    pub entry: Entry,
}

impl Audit {
    /// Opens a log, or makes it, in the audit folder of a state folder.
    ///
    /// # Errors
    /// When it cannot be made, or another process writes it.
    pub fn open(state: &Path, name: &str, redact: Redact) -> Result<Self, ChainError> {
        let folder = folder(state);
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|source| ChainError::Write {
                path: folder.clone(),
                source,
            })?;
        let path = folder.join(format!("{name}.jsonl"));
        let (chain, _) = Chain::open::<serde_json::Value>(&path, Check::Whole)?;
        Ok(Self { chain, redact })
    }

    /// Returns the numbers of what it holds open, for a process that closes everything else.
    pub fn descriptors(&self) -> [i32; 1] {
        [self.chain.descriptor()]
    }

    /// Writes an entry, and waits until it is on the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, entry: Entry) -> Result<(), ChainError> {
        let at = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64);
        self.chain.append(&Line { at, entry })?;
        self.chain.sync()
    }

    /// Writes what an event of a session tells, if it is of what was done or decided.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn event(&mut self, event: &Event) -> Result<(), ChainError> {
        match Entry::of(event, self.redact) {
            Some(entry) => self.write(entry),
            None => Ok(()),
        }
    }

    /// Writes that a call is about to run, with exactly its arguments.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn about_to_run(&mut self, call: &ToolCall) -> Result<(), ChainError> {
        self.write(Entry::about_to_run(call, self.redact))
    }
}

/// The log of a server that is served to others.
#[derive(Debug)]
pub struct ServedLog {
    audit: Audit,
    server: String,
    calls: u64,
}

impl ServedLog {
    /// Writes into this log what is asked of a server by these clients, which are told with what they may use.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(mut audit: Audit, server: &str, clients: Vec<String>) -> Result<Self, ChainError> {
        let server = server.to_owned();
        audit.write(Entry::Serving {
            server: server.clone(),
            clients,
        })?;
        Ok(Self {
            audit,
            server,
            calls: 0,
        })
    }

    /// Writes that a client calls a tool, and whether it may. Returns the number of the call.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn called(
        &mut self,
        client: &str,
        tool: &str,
        arguments: serde_json::Map<String, serde_json::Value>,
        allowed: bool,
    ) -> Result<u64, ChainError> {
        self.calls += 1;
        let call = ToolCall {
            id: CallId(self.calls),
            server: self.server.clone(),
            tool: tool.to_owned(),
            arguments,
        };
        self.audit.write(Entry::Served {
            call: self.calls,
            client: client.to_owned(),
            arguments: entry::arguments(&call, self.audit.redact),
            server: call.server,
            tool: call.tool,
            allowed,
        })?;
        Ok(self.calls)
    }

    /// Writes that a client calls more often than it may, so many times a minute.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn over_rate(&mut self, client: &str, rate: u32) -> Result<(), ChainError> {
        self.audit.write(Entry::OverRate {
            client: client.to_owned(),
            server: self.server.clone(),
            rate,
        })
    }

    /// Writes how a call ended.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn ended(&mut self, call: u64, outcome: &str, answer: &str) -> Result<(), ChainError> {
        self.audit.write(Entry::ended(call, outcome, answer))
    }
}

/// Returns the folder of the logs.
pub fn folder(state: &Path) -> PathBuf {
    state.join("audit")
}

/// Lists the logs, the oldest first.
pub fn list(state: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder(state))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .collect();
    files.sort_unstable();
    files
}

/// Reads the lines of a log.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> Result<Vec<Line>, ChainError> {
    chain::read(path)
}
