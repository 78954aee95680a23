//! `walden trace`: what a kept session did, hop by hop.

use crate::audit::{self, Entry};
use crate::cli::{Options, Trace};
use crate::error::UserError;
use crate::session::{self, SessionFiles};
use crate::spans;

use super::sealing::state_folder;

/// Returns what a kept session did: one by its id, or the last one of this repository.
///
/// # Errors
/// When there is no such session, its journal cannot be read, or it was kept without times.
pub fn trace_session(options: &Options, asked: &Trace) -> Result<String, UserError> {
    let files = SessionFiles::open().map_err(UserError::from_error)?;
    let root = super::find_root(options)?;
    let id = super::pick(&files, &root, asked.id.as_deref())?;
    let entries = session::read_timed(&files.journal(&id)).map_err(UserError::from_error)?;
    let told = spans::turns(&entries, &id.0, &seals(&id.0)?);
    if told.turns.is_empty() && !told.untimed.is_empty() {
        let problem = format!(
            "cannot trace the session `{}`: it was kept without times",
            id.0
        );
        return Err(UserError::failure(problem).hint(
            "an older walden kept it; what is done from now on has times, `walden export` shows the rest",
        ));
    }
    if asked.otlp {
        return Ok(spans::otlp(&told.turns));
    }
    let mut text = spans::tree(&told.turns);
    if !told.untimed.is_empty() {
        let count = told.untimed.len();
        text.push_str(&format!(
            "\n{count} of its turns were kept without times, by an older walden: they are not shown\n"
        ));
    }
    Ok(text)
}

/// Returns what the kernel enforced on walden, and since when: the audit log alone knows.
fn seals(session: &str) -> Result<Vec<(u64, String)>, UserError> {
    let log = audit::folder(&state_folder()?).join(format!("{session}.jsonl"));
    if !log.is_file() {
        return Ok(Vec::new());
    }
    let lines = audit::read(&log).map_err(UserError::from_error)?;
    let seals = lines.into_iter().filter_map(|line| match line.entry {
        Entry::Sealed { enforced, .. } => Some((line.at, enforced)),
        _ => None,
    });
    Ok(seals.collect())
}
