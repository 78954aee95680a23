//! Git repositories, read and changed through libgit2 within the roots.
//!
//! [`Repo::open`] is the one door: it finds a repository beneath the roots, proves that nothing of it leads out of
//! them, and gives libgit2 a configuration in which only harmless keys are left. Everything else is a method of
//! [`Repo`]. No program is ever started: hooks, filters, fsmonitor, textconv, external diffs, merge drivers,
//! credential helpers and signing programs that a repository names are text. All calls block. Knows nothing of MCP.
//!
//! What libgit2 does by path cannot be one operation with the check before it, so the checks hold against what a
//! repository contains, not against a program that changes `.git` at the same moment; the process seal is for that.

mod attributes;
mod blame;
mod branch;
mod cached;
mod changes;
mod checkout;
mod commit;
mod conflicts;
mod date;
mod diff;
mod edited;
mod error;
mod halves;
mod history;
mod indexed;
mod known;
mod log;
mod names;
mod numbers;
mod objects;
mod open;
mod pathspec;
mod plain;
mod printed;
mod progress;
mod refs;
mod settings;
mod show;
mod stage;
mod start;
mod stash;
mod status;
mod touched;
mod trees;
mod unmerged;

#[cfg(test)]
mod tests;

pub use branch::{BranchKind, Unmerged};
pub use changes::ChangeOf;
pub use checkout::ResetMode;
pub use conflicts::Resolution;
pub use date::{Edge, now, parse as parse_date};
pub use diff::{DiffForm, DiffOf};
pub use error::GitError;
pub use log::{LogEntry, LogQuery};
pub use open::Repo;
pub use start::start;
pub use stash::{Include, Keep};
