//! `walden export`: a kept session as a document.

use crate::cli::{Export, Options};
use crate::error::UserError;
use crate::export::{Format, export};
use crate::protocol::{Event, Transcript};
use crate::session::{self, Entry, SessionFiles};

/// Returns a kept session as a document: by its id, or the last one of this repository.
///
/// # Errors
/// When there is no such session, or its journal cannot be read.
pub fn export_session(options: &Options, asked: &Export) -> Result<String, UserError> {
    let files = SessionFiles::open().map_err(UserError::from_error)?;
    let root = super::find_root(options)?;
    let id = super::pick(&files, &root, asked.id.as_deref())?;
    let entries = session::read(&files.journal(&id)).map_err(UserError::from_error)?;
    let mut transcript = Transcript::default();
    for entry in entries {
        if let Entry::Event(event) = entry {
            // A session that ended in the middle of a turn is shown as far as it came.
            if event != Event::SessionEnded {
                transcript.apply(&event);
            }
        }
    }
    let format = Format::named(&asked.format).unwrap_or(Format::Markdown);
    Ok(export(
        &transcript,
        &format!("walden session {}", id.0),
        format,
    ))
}
