//! What the user agrees to, is shown again, and forgets.

use std::io::{BufRead as _, IsTerminal as _};
use std::time::Duration;

use super::super::{Treatment, host, pins};
use super::{PATIENCE, Place, down, print};
use crate::error::{ExitCode, UserError};
use crate::mcp::config::Definition;
use crate::mcp::pins::{launch_text, offer_text};
use crate::mcp::{Attended, HostEvent};
use crate::protocol::{Answer, Question, QuestionKind, ServerState, sanitize, sanitize_line};

/// How long a server that is up is looked at for more.
const LINGERING: Duration = Duration::from_millis(700);

impl Place<'_> {
    pub(super) fn trust(&self, name: &str, yes: bool) -> Result<ExitCode, UserError> {
        let definitions = self.find(Some(name))?;
        let terminal = std::io::stdin().is_terminal();
        if !yes && !terminal {
            return Err(
                UserError::usage("agreeing needs a terminal, where you can answer")
                    .hint("`--yes` agrees to what is shown"),
            );
        }
        let treatment = Treatment {
            attended: Attended::Yes,
            trusted: &[],
        };
        crate::compose::runtime()?.block_on(async {
            let mut host = host(definitions, self.root, self.files, &treatment)?;
            let mut up = None;
            let ended = loop {
                // Some servers offer more a moment after they came up.
                let patience = up.map_or(PATIENCE, |_| LINGERING);
                let event = tokio::select! {
                    event = host.event() => event,
                    () = tokio::time::sleep(patience) => None,
                };
                match event {
                    Some(HostEvent::Asked(question)) => {
                        let answer = match &question.kind {
                            QuestionKind::Definition { title, text } => {
                                print(&format!("{}\n\n{}\n", sanitize_line(title), sanitize(text)));
                                agree(yes)
                            }
                            // It is only looked at: nothing of its own is answered.
                            _ => Answer::Cancel,
                        };
                        if let Answer::Accept { .. } = answer {
                            crate::compose::auditing::note("server agreed to", &about(&question))?;
                        }
                        host.answer(question.id, answer);
                    }
                    Some(HostEvent::Server {
                        state: ServerState::Up { tools },
                        ..
                    }) => up = Some(tools),
                    Some(HostEvent::Server {
                        state: ServerState::Down { reason },
                        ..
                    }) => break Err(reason),
                    None => break up.ok_or("it did not come up in time".to_owned()),
                    Some(_) => {}
                }
            };
            host.close().await;
            match ended {
                Ok(tools) => {
                    print(&format!(
                        "`{name}` is up and agreed to, with {tools} tools\n"
                    ));
                    Ok(ExitCode::Success)
                }
                Err(reason) => Err(down(name, &reason)),
            }
        })
    }

    pub(super) fn pins(&self, name: Option<&str>, forget: bool) -> Result<ExitCode, UserError> {
        let pins = pins(self.files, &[])?;
        let Some(name) = name else {
            for (key, tools) in pins.list() {
                print(&format!("{}  {} tools\n", sanitize_line(&key), tools.len()));
            }
            return Ok(ExitCode::Success);
        };
        let key = self
            .find(Some(name))
            .ok()
            .and_then(|found| found.first().map(Definition::key))
            .unwrap_or_else(|| name.to_owned());
        let unknown = || {
            UserError::usage(format!(
                "nothing was agreed to of `{}`",
                sanitize_line(name)
            ))
            .hint("`walden mcp pins` lists what was")
        };
        if forget {
            crate::compose::auditing::note("server forgotten", &key)?;
            return match pins.forget(&key).map_err(UserError::from_error)? {
                true => {
                    print(&format!(
                        "forgotten; `{name}` is not used until you agree again\n"
                    ));
                    Ok(ExitCode::Success)
                }
                false => Err(unknown()),
            };
        }
        let pin = pins.get(&key).ok_or_else(unknown)?;
        print(&format!(
            "{}\n{}",
            launch_text(&pin["launch"]),
            offer_text(&pin["offer"])
        ));
        Ok(ExitCode::Success)
    }
}

/// Asks whether the user agrees. Only a yes is one.
fn agree(yes: bool) -> Answer {
    if yes {
        return Answer::Accept {
            values: serde_json::Map::new(),
            text: None,
        };
    }
    print("agree? [y/N] ");
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    match (read, line.trim()) {
        (Ok(1..), "y" | "Y" | "yes") => agree(true),
        _ => Answer::Decline,
    }
}

/// Says what a question about a server is, for the log.
fn about(question: &Question) -> String {
    let text = match &question.kind {
        QuestionKind::Definition { title, text } => format!("{title}\n{text}"),
        _ => String::new(),
    };
    format!("{}: {text}", question.server)
}
