//! Running `walden review`, and reading the change that a review looks at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::mcp::Treatment;
use super::{build, configure, find_root, locate_model, runtime};
use crate::cli::{FailOn, Options, ReviewArguments};
use crate::door::Harmless;
use crate::error::{ExitCode, UserError};
use crate::git::{ChangeOf, Repo};
use crate::mcp::Attended;
use crate::protocol::{Mode, ReviewTarget};
use crate::review::{self, Form};
use crate::session::{ChangeReader, SessionFiles};
use crate::workspace::Roots;

/// Runs `walden review`.
///
/// # Errors
/// When the folder is no repository, the change cannot be read, or there is no model.
pub fn review(options: &Options, asked: &ReviewArguments) -> Result<ExitCode, UserError> {
    let config = configure(options)?;
    let root = find_root(options)?;
    if !root.join(".git").exists() {
        return Err(UserError::usage(format!(
            "cannot review a change: `{}` is no git repository",
            root.display()
        )));
    }
    let files = SessionFiles::open().map_err(UserError::from_error)?;
    locate_model(&config)?;
    let request = review::Request {
        target: target(asked),
        form: match (asked.json, asked.sarif) {
            (true, _) => Form::Json,
            (_, true) => Form::Sarif,
            _ => Form::Text,
        },
        fail_on: match asked.fail_on {
            FailOn::Never => None,
            FailOn::Severity(severity) => Some(severity),
        },
    };
    // A review may be long: it ends with its change, or where the user set a budget.
    let config = crate::config::Config {
        budget: config.budget.or(Some(u32::MAX)),
        check: Some("off".to_owned()),
        ..config
    };
    let treatment = Treatment {
        attended: Attended::No,
        trusted: &options.trust_server,
    };
    super::sealing::tell_weaker();
    runtime()?.block_on(async {
        let (handle, _) = build(&config, &root, &files, None, Mode::Plan, &treatment, None).await?;
        review::run(
            handle,
            request,
            &mut Harmless::new(std::io::stdout().lock()),
            &mut Harmless::new(std::io::stderr().lock()),
        )
        .await
    })
}

fn target(asked: &ReviewArguments) -> ReviewTarget {
    if let Some(rev) = &asked.base {
        ReviewTarget::Base { rev: rev.clone() }
    } else if let Some(rev) = &asked.commit {
        ReviewTarget::Commit { rev: rev.clone() }
    } else if asked.staged {
        ReviewTarget::Staged
    } else {
        ReviewTarget::Uncommitted
    }
}

/// Makes what reads changes of the repository at a root; nothing where the root is none.
pub(super) fn change_reader(roots: &Roots, root: &Path) -> Option<ChangeReader> {
    if !root.join(".git").exists() {
        return None;
    }
    let (roots, root): (Roots, PathBuf) = (roots.clone(), root.to_owned());
    Some(Arc::new(move |target: &ReviewTarget| {
        let of = match target {
            ReviewTarget::Uncommitted => ChangeOf::Uncommitted,
            ReviewTarget::Staged => ChangeOf::Staged,
            ReviewTarget::Base { rev } => ChangeOf::Since(rev.clone()),
            ReviewTarget::Commit { rev } => ChangeOf::Commit(rev.clone()),
        };
        Repo::open(&roots, &root.to_string_lossy())
            .and_then(|repo| repo.change(&of))
            .map_err(|error| error.to_string())
    }))
}
