//! What a slash command does, with what follows it.

use crate::protocol::{Level, Mode, Op, ReviewTarget};

use super::app::{App, Cmd, Switch};
use super::commands::{self, Command};
use super::copying::What;
use super::overlay::Overlay;
use super::pages::Subject as About;
use super::picker::Kind;
use super::theme::Theme;

impl App {
    /// Runs a line such as `/mode plan`.
    pub(super) fn command_line(&mut self, line: &str) -> Vec<Cmd> {
        let Some((word, argument)) = commands::parse(line) else {
            return Vec::new();
        };
        if commands::find(word).is_none()
            && let Some(prompt) = self.prompts.iter().find(|prompt| prompt.name == word)
        {
            let text = prompt.message(argument);
            self.composer.clear();
            self.edited();
            self.pane.follow();
            return vec![
                Cmd::Remember(line.to_owned()),
                Cmd::Send(Op::Submit { text }),
            ];
        }
        let Some(entry) = commands::find(word) else {
            let nearest = commands::nearest(word)
                .map_or_else(String::new, |name| format!("; nearest: `/{name}`"));
            self.flash(
                Level::Warning,
                format!("no command `/{word}`{nearest}. Begin with a space to send it as text."),
            );
            return Vec::new();
        };
        let cmds = match entry.command {
            Command::Help => {
                self.overlay = Some(Overlay::Help { scroll: 0 });
                Vec::new()
            }
            Command::Mode => match Mode::ALL.into_iter().find(|mode| mode.name() == argument) {
                Some(mode) => vec![Cmd::Send(Op::SetMode { mode })],
                None => {
                    let names = Mode::ALL.map(Mode::name).join(", ");
                    self.flash(
                        Level::Warning,
                        format!("no mode `{argument}`; there are {names}"),
                    );
                    return Vec::new();
                }
            },
            Command::Rules => {
                let number = argument.strip_prefix("remove").map(str::trim);
                match number.map(str::parse) {
                    None if argument.is_empty() => vec![Cmd::Send(Op::ListRules)],
                    Some(Ok(number)) => vec![Cmd::Send(Op::RemoveRule { number })],
                    None | Some(Err(_)) => {
                        self.flash(
                            Level::Warning,
                            "`/rules` lists them, `/rules remove 2` takes the second one back",
                        );
                        return Vec::new();
                    }
                }
            }
            Command::Undo => vec![Cmd::Send(Op::Undo)],
            Command::Plan => return self.plan_command(argument),
            Command::Rename => match argument.split_whitespace().collect::<Vec<_>>()[..] {
                [old, new] => {
                    // A message like any other, so that it is in the conversation: the agent needs no model for it.
                    let text = format!("Rename `{old}` to `{new}`.");
                    vec![Cmd::Send(Op::Submit { text })]
                }
                _ => {
                    self.flash(
                        Level::Warning,
                        "`/rename` takes the old name and the new one",
                    );
                    Vec::new()
                }
            },
            Command::Move => match argument.split_whitespace().collect::<Vec<_>>()[..] {
                [name, file] => {
                    let text = format!("Move `{name}` to `{file}`.");
                    vec![Cmd::Send(Op::Submit { text })]
                }
                _ => {
                    self.flash(
                        Level::Warning,
                        "`/move` takes a name and the file to move it to, or a file and its new path",
                    );
                    Vec::new()
                }
            },
            Command::Trust => vec![Cmd::Send(Op::Trust)],
            Command::Review => match ReviewTarget::parse(argument) {
                Some(target) => vec![Cmd::Send(Op::Review { target })],
                None => {
                    let text = "a review is of `staged`, `base REV` or `commit REV`, or of what is not committed";
                    self.flash(Level::Error, text);
                    return Vec::new();
                }
            },
            Command::Copy => match What::parse(argument) {
                Some(what) => self.copy(what),
                None => {
                    self.flash(
                        Level::Warning,
                        "`/copy` copies the last answer, `/copy code` its last block of code, `/copy turn` the whole turn",
                    );
                    return Vec::new();
                }
            },
            Command::Details => {
                self.pane.toggle_details();
                Vec::new()
            }
            Command::Theme if argument.is_empty() => {
                let names: Vec<&str> = Theme::built_in().collect();
                self.flash(
                    Level::Info,
                    format!(
                        "the theme is {}; there are {}",
                        self.theme.name,
                        names.join(", ")
                    ),
                );
                return Vec::new();
            }
            Command::Theme => vec![Cmd::SetTheme(argument.to_owned())],
            Command::Files => {
                self.pick(Kind::Files);
                Vec::new()
            }
            Command::Symbols => {
                self.pick(Kind::Symbols);
                Vec::new()
            }
            Command::Sessions => {
                self.pick(Kind::Sessions);
                Vec::new()
            }
            Command::Models => {
                self.pick(Kind::Models);
                Vec::new()
            }
            Command::Queue => {
                self.open_page(About::Queue);
                Vec::new()
            }
            Command::Context => {
                self.open_page(About::Context);
                Vec::new()
            }
            Command::Trace => {
                self.open_page(About::Trace);
                Vec::new()
            }
            Command::Model => {
                self.open_page(About::Model);
                Vec::new()
            }
            Command::Servers => {
                self.open_page(About::Servers);
                // The end of its log is asked for as it is now.
                vec![Cmd::Send(Op::ReportServers)]
            }
            Command::New => self.switch(Switch::New),
            Command::Quit => self.quit(),
        };
        self.composer.clear();
        self.edited();
        cmds
    }
}
