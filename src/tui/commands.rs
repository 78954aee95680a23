//! The one table of slash commands, for the completion, the palette and the help.

use crate::protocol::Mode;

use super::theme::Theme;

/// What a slash command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Help,
    Mode,
    Rules,
    Undo,
    Plan,
    Rename,
    Move,
    Review,
    Trust,
    Copy,
    Details,
    Theme,
    Files,
    Symbols,
    Queue,
    Context,
    Trace,
    Model,
    Models,
    Servers,
    Sessions,
    New,
    Quit,
}

/// One slash command.
#[derive(Debug)]
pub struct Entry {
    pub command: Command,
    /// Its name, without the slash.
    pub name: &'static str,
    /// What may follow it.
    pub argument: &'static str,
    pub help: &'static str,
}

/// All slash commands, in the order in which they are shown.
pub const COMMANDS: &[Entry] = &[
    Entry {
        command: Command::Help,
        name: "help",
        argument: "",
        help: "keys and commands",
    },
    Entry {
        command: Command::Mode,
        name: "mode",
        argument: "plan|ask|edit|auto",
        help: "how much is done without asking",
    },
    Entry {
        command: Command::Rules,
        name: "rules",
        argument: "remove N",
        help: "list what is always allowed, asked or refused; take one back",
    },
    Entry {
        command: Command::Undo,
        name: "undo",
        argument: "",
        help: "put back the files that the last turn changed",
    },
    Entry {
        command: Command::Plan,
        name: "plan",
        argument: "go|edit|drop",
        help: "the plan that the mode `plan` makes: look at it, start it, change it (`/plan 2 TEXT`), take it back",
    },
    Entry {
        command: Command::Rename,
        name: "rename",
        argument: "OLD NEW",
        help: "rename a symbol in all files",
    },
    Entry {
        command: Command::Move,
        name: "move",
        argument: "NAME|FILE FILE",
        help: "move a function, type or constant, or a file",
    },
    Entry {
        command: Command::Review,
        name: "review",
        argument: "[staged|base REV|commit REV]",
        help: "have a change reviewed; what is not committed, if nothing else is named",
    },
    Entry {
        command: Command::Trust,
        name: "trust",
        argument: "",
        help: "let the model be told this repository's AGENTS.md and skills, as they are now",
    },
    Entry {
        command: Command::Copy,
        name: "copy",
        argument: "code|turn",
        help: "copy the last answer, its last block of code or the whole turn",
    },
    Entry {
        command: Command::Details,
        name: "details",
        argument: "",
        help: "show or hide thinking, output and whole diffs",
    },
    Entry {
        command: Command::Theme,
        name: "theme",
        argument: "NAME",
        help: "change the colours",
    },
    Entry {
        command: Command::Files,
        name: "files",
        argument: "",
        help: "find a file by a few letters, and name it in the message",
    },
    Entry {
        command: Command::Symbols,
        name: "symbols",
        argument: "",
        help: "find a function or a type by a few letters, and name it in the message",
    },
    Entry {
        command: Command::Queue,
        name: "queue",
        argument: "",
        help: "messages that wait for the turn to end: change or leave out",
    },
    Entry {
        command: Command::Context,
        name: "context",
        argument: "",
        help: "what fills the model's window",
    },
    Entry {
        command: Command::Trace,
        name: "trace",
        argument: "",
        help: "the last requests to the model: tokens, time, the prompt as it was sent",
    },
    Entry {
        command: Command::Model,
        name: "model",
        argument: "",
        help: "the model: where it lies, its memory, its speed here",
    },
    Entry {
        command: Command::Models,
        name: "models",
        argument: "",
        help: "go on with another model",
    },
    Entry {
        command: Command::Servers,
        name: "servers",
        argument: "",
        help: "the servers, and what was asked of them",
    },
    Entry {
        command: Command::Sessions,
        name: "sessions",
        argument: "",
        help: "go on with an earlier session",
    },
    Entry {
        command: Command::New,
        name: "new",
        argument: "",
        help: "begin a new session",
    },
    Entry {
        command: Command::Quit,
        name: "quit",
        argument: "",
        help: "end the session; `walden resume` goes on with it",
    },
];

/// A line that can be completed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The whole line, such as `/mode plan`.
    pub line: String,
    pub help: String,
    /// Where the typed characters are in the line, by character.
    pub matches: Vec<usize>,
}

/// Reads a message as a command: its word without the slash, and what follows. `None` for a message to the model.
pub(super) fn parse(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix('/')?;
    if rest.contains('\n') {
        return None;
    }
    let (word, argument) = rest.split_once(' ').unwrap_or((rest, ""));
    // `/usr/bin is missing` is a message, and so is `/server:prompt`, which a server's prompt stands for.
    word.chars()
        .all(|c| c.is_ascii_lowercase() || c == '-')
        .then_some((word, argument.trim()))
}

/// Finds a command by its word.
pub(super) fn find(word: &str) -> Option<&'static Entry> {
    COMMANDS.iter().find(|entry| entry.name == word)
}

/// Lists what a line that begins with `/` can become, best first.
pub(super) fn complete(text: &str) -> Vec<Candidate> {
    if text.contains('\n') || !text.starts_with('/') {
        return Vec::new();
    }
    let all = if text.contains(' ') {
        arguments()
    } else {
        names()
    };
    let mut found: Vec<(usize, Candidate)> = all
        .into_iter()
        .filter(|candidate| candidate.line.starts_with(text))
        .map(|mut candidate| {
            candidate.matches = (0..text.chars().count()).collect();
            (0, candidate)
        })
        .collect();
    found.retain(|(_, candidate)| candidate.line != text || !text.contains(' '));
    found.into_iter().map(|(_, candidate)| candidate).collect()
}

/// Lists everything that the palette offers.
pub(super) fn all() -> Vec<Candidate> {
    names()
        .into_iter()
        .chain(arguments())
        .filter(|candidate| candidate.line != "/mode" && candidate.line != "/theme")
        .collect()
}

/// Returns the command nearest to a mistyped one.
pub(super) fn nearest(word: &str) -> Option<&'static str> {
    COMMANDS
        .iter()
        .map(|entry| entry.name)
        .find(|name| word.chars().next() == name.chars().next())
}

fn names() -> Vec<Candidate> {
    COMMANDS
        .iter()
        .map(|entry| Candidate {
            line: format!("/{}", entry.name),
            help: entry.help.to_owned(),
            matches: Vec::new(),
        })
        .collect()
}

fn arguments() -> Vec<Candidate> {
    let modes = Mode::ALL.into_iter().map(|mode| Candidate {
        line: format!("/mode {mode}"),
        help: mode.meaning().to_owned(),
        matches: Vec::new(),
    });
    let themes = Theme::built_in().map(|name| Candidate {
        line: format!("/theme {name}"),
        help: format!("the {name} colours"),
        matches: Vec::new(),
    });
    let plans = [
        ("go", "do the plan, step by step"),
        (
            "go edit",
            "do the plan; edits of ordinary files are not asked about",
        ),
        ("edit", "change the plan in your editor"),
        ("drop", "take the plan back"),
    ];
    let plans = plans.map(|(word, help)| Candidate {
        line: format!("/plan {word}"),
        help: help.to_owned(),
        matches: Vec::new(),
    });
    modes.chain(themes).chain(plans).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(candidates: &[Candidate]) -> Vec<&str> {
        candidates.iter().map(|found| found.line.as_str()).collect()
    }

    #[test]
    fn a_path_is_a_message_and_a_word_is_a_command() {
        assert_eq!(parse("/mode plan"), Some(("mode", "plan")));
        assert_eq!(parse("/usr/bin is missing"), None);
        assert_eq!(parse(" /undo"), None);
        assert_eq!(parse("/two\nlines"), None);
    }

    #[test]
    fn completion_offers_commands_and_then_their_arguments() {
        assert_eq!(lines(&complete("/u")), ["/undo"]);
        assert_eq!(lines(&complete("/mode p")), ["/mode plan"]);
        assert_eq!(complete("/").len(), COMMANDS.len());
        assert!(complete("no").is_empty());
    }
}
