//! Running `walden sandbox …`.

#![expect(
    clippy::disallowed_methods,
    reason = "makes and removes a folder for the length of a command"
)]

use std::path::PathBuf;

use serde_json::json;

use crate::cli::SandboxCommand;
use crate::door::{self, Thrown};
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
        SandboxCommand::Prove { json, text, seed } => {
            let proofs = sandbox::prove(&launcher, &scratch.0).map_err(UserError::from_error)?;
            let thrown = door::throw(*text, *seed);
            let broken = proofs
                .iter()
                .any(|proof| proof.verdict == sandbox::Verdict::Broken);
            let text = match json {
                true => {
                    let all = json!({"attempts": proofs, "text": {
                        "bytes": thrown.bytes,
                        "texts": thrown.texts,
                        "seed": seed,
                        "acting_before": thrown.acting_before,
                        "acting_behind": thrown.acting_behind,
                        "first": thrown.first,
                        "verdict": if thrown.holds() { "holds" } else { "broken" },
                    }});
                    harmless_json(&serde_json::to_string_pretty(&all).unwrap_or_default()) + "\n"
                }
                false => proof_table(&proofs) + &thrown_line(&thrown),
            };
            let code = match broken || !thrown.holds() {
                true => ExitCode::Failure,
                false => ExitCode::Success,
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

/// Says what became of the hostile text.
fn thrown_line(thrown: &Thrown) -> String {
    let verdict = match thrown.holds() {
        true => "holds",
        false => "BROKEN",
    };
    let first = thrown
        .first
        .as_ref()
        .map_or_else(String::new, |first| format!("; the first: {first}"));
    format!(
        "\nhostile text: {} bytes in {} texts, of which {} act on a terminal as they are, and {} behind the door{first}: \
         {verdict}\n",
        thrown.bytes, thrown.texts, thrown.acting_before, thrown.acting_behind
    )
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
