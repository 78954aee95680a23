//! Running `walden audit …`, and opening a session's audit log.

use std::path::{Path, PathBuf};

use crate::audit::{self, Audit, Entry};
use crate::cli::AuditCommand;
use crate::error::{ExitCode, UserError};
use crate::protocol::redact;
use crate::sandbox;

use super::sealing::state_folder;

/// Runs `walden audit …` and returns what to print.
///
/// # Errors
/// When a log is not there, or cannot be read.
pub fn audit(command: &AuditCommand) -> Result<(String, ExitCode), UserError> {
    let state = state_folder()?;
    let chosen = |log: &Option<String>| choose(&state, log.as_deref());
    match command {
        AuditCommand::Verify { log } => {
            let (text, all_hold) = audit::verification(&chosen(log)?);
            let code = match all_hold {
                true => ExitCode::Success,
                false => ExitCode::Failure,
            };
            Ok((text, code))
        }
        AuditCommand::Show { log } => {
            let files = chosen(log)?;
            let Some(last) = files.last() else {
                return Ok(("no audit log is kept yet\n".to_owned(), ExitCode::Success));
            };
            let text = audit::table(last).map_err(UserError::from_error)?;
            Ok((text, ExitCode::Success))
        }
        AuditCommand::Export { log } => {
            let text = audit::export(&chosen(log)?).map_err(UserError::from_error)?;
            Ok((text, ExitCode::Success))
        }
    }
}

/// Finds the logs that are meant: all, one by the beginning of its name, or a file.
fn choose(state: &Path, log: Option<&str>) -> Result<Vec<PathBuf>, UserError> {
    let all = audit::list(state);
    let Some(log) = log else { return Ok(all) };
    if Path::new(log).is_file() {
        return Ok(vec![PathBuf::from(log)]);
    }
    let is_meant = |file: &PathBuf| {
        file.file_stem()
            .is_some_and(|name| name.to_string_lossy().starts_with(log))
    };
    let found: Vec<PathBuf> = all.into_iter().filter(is_meant).collect();
    if found.is_empty() {
        return Err(UserError::usage(format!("there is no audit log `{log}`"))
            .hint("`walden audit verify` lists them all"));
    }
    Ok(found)
}

/// The log of what commands change. It stands before the sessions', whose names begin with their day.
const SETTINGS: &str = "0-settings";

/// Notes that the user is changing a setting of safety by a command. To be called before it is changed: what cannot be
/// noted is not done.
pub(super) fn note(setting: &str, change: &str) -> Result<(), UserError> {
    let mut audit =
        Audit::open(&state_folder()?, SETTINGS, redact).map_err(UserError::from_error)?;
    let entry = Entry::Setting {
        setting: setting.to_owned(),
        change: redact(change).into_owned(),
    };
    audit.write(entry).map_err(UserError::from_error)
}

/// Opens the audit log of a server that is served to others.
#[cfg(feature = "net")]
pub(super) fn of_server(name: &str, clients: Vec<String>) -> Result<audit::ServedLog, UserError> {
    let log = format!("serve-{name}-{}", std::process::id());
    let audit = Audit::open(&state_folder()?, &log, redact).map_err(UserError::from_error)?;
    audit::ServedLog::new(audit, name, clients).map_err(UserError::from_error)
}

/// Opens the audit log of a session, and notes what the kernel enforces.
pub(super) fn open(state: &Path, session: &str) -> Result<Audit, UserError> {
    let sealed = Entry::Sealed {
        enforced: sandbox::enforced(),
        weaker: sandbox::sealed()
            .map(sandbox::Sealed::weaker)
            .unwrap_or_default(),
    };
    let mut audit = Audit::open(state, session, redact).map_err(UserError::from_error)?;
    audit.write(sealed).map_err(UserError::from_error)?;
    Ok(audit)
}
