//! The session: the imperative shell around the agent.
//!
//! Owns the [`Agent`](crate::agent::Agent), performs its effects (model, MCP host, workspace), fans its events out to
//! the front end, and writes the journal before every effect. One task, one `select!`. Knows no terminal.

#![expect(
    clippy::disallowed_methods,
    reason = "the journal and the state folder are walden's own files"
)]

mod attach;
mod clock;
mod coding;
mod driver;
mod effects;
mod elsewhere;
mod files;
mod journal;
mod known;
mod locating;
mod recover;
mod rules;
mod serving;
mod sweep;
mod targets;
mod trust;

#[cfg(test)]
mod tests;

pub use driver::{ChangeReader, Handle, Setup, Truster, start};
pub use files::{SessionFiles, SessionId, SessionInfo, StateError};
pub use journal::{Entry, Journal, JournalError, Timed, read, read_timed};
pub use recover::{Recovered, recover};
pub use rules::{RuleFiles, RulesError};
pub use trust::{Trust, Trusted};
