//! Running `walden sandbox …`.

#![expect(
    clippy::disallowed_methods,
    reason = "makes and removes a folder for the length of a command"
)]

use std::path::PathBuf;

use crate::cli::SandboxCommand;
use crate::error::{ExitCode, UserError};
use crate::protocol::harmless_json;
use crate::sandbox::{self, Launcher, Limits, Metadata, Profile, Proof};
use crate::session::SessionFiles;

/// Runs `walden sandbox …` and returns what to print.
///
/// # Errors
/// When the sandbox cannot be made, or a command cannot be started in it.
pub fn sandbox(command: &SandboxCommand) -> Result<(String, ExitCode), UserError> {
    let launcher = Launcher::of_this_program().map_err(UserError::from_error)?;
    if let SandboxCommand::Probe { sealed, ground } = command {
        let answers = match sealed {
            true => sandbox::probe_sealed(&launcher, ground),
            false => sandbox::probe(ground),
        };
        return Ok((answers.map_err(UserError::from_error)?, ExitCode::Success));
    }
    let scratch = TempFolder::new()?;
    match command {
        SandboxCommand::Probe { .. } => Ok((String::new(), ExitCode::Success)),
        SandboxCommand::Prove { json } => {
            let proofs = sandbox::prove(&launcher, &scratch.0).map_err(UserError::from_error)?;
            let broken = proofs
                .iter()
                .any(|proof| proof.verdict == sandbox::Verdict::Broken);
            let text = if *json {
                harmless_json(&serde_json::to_string_pretty(&proofs).unwrap_or_default()) + "\n"
            } else {
                proof_table(&proofs)
            };
            let code = if broken {
                ExitCode::Failure
            } else {
                ExitCode::Success
            };
            Ok((text, code))
        }
        SandboxCommand::Run { write, command } => {
            let here = std::env::current_dir()
                .map_err(|error| UserError::failure(format!("cannot work here: {error}")))?;
            let profile = Profile {
                read: vec![here.clone()],
                write: write.clone(),
                scratch: scratch.0.clone(),
                lacking: crate::sandbox::Lacking::default(),
                metadata: Metadata::Free,
                limits: Limits::default(),
            };
            let mut confined = launcher
                .command(command, &here, &profile)
                .map_err(UserError::from_error)?;
            let status = confined.status().map_err(|error| {
                UserError::failure(format!("cannot start `{}`: {error}", command.join(" ")))
            })?;
            if status.success() {
                return Ok((String::new(), ExitCode::Success));
            }
            Err(UserError::failure(format!(
                "`{}` ended with {status}",
                command.join(" ")
            )))
        }
    }
}

fn proof_table(proofs: &[Proof]) -> String {
    let row = |cells: [&str; 5], verdict: &str| {
        let [attempt, free, sealed, nested, confined] = cells;
        format!("{attempt:<42} {free:<13} {sealed:<13} {nested:<13} {confined:<13} {verdict}\n")
    };
    let head = ["attempt", "free", "sealed", "its program", "a program"];
    let mut text = row(head, "verdict");
    for proof in proofs {
        let Proof {
            attempt,
            free,
            sealed,
            nested,
            confined,
            ..
        } = proof;
        text.push_str(&row(
            [attempt, free, sealed, nested, confined],
            proof.verdict.word(),
        ));
    }
    text
}

/// A folder that is there for the length of a command.
struct TempFolder(PathBuf);

impl TempFolder {
    fn new() -> Result<Self, UserError> {
        let files = SessionFiles::open().map_err(UserError::from_error)?;
        let path = files.scratch();
        std::fs::create_dir_all(&path).map_err(|error| {
            UserError::failure(format!(
                "cannot make the folder `{}`: {error}",
                path.display()
            ))
        })?;
        Ok(Self(path))
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
