//! What a question about a call shows: everything that a person needs to answer it, harmless to the terminal.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Risk, ToolCall, clip, sanitize_line};

/// The most bytes of one name, path or word that a question shows.
const LONGEST: usize = 400;

/// The most paths and words of a command that a question shows.
const MOST: usize = 200;

/// A file or folder that a call is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// As the call names it.
    pub given: String,
    /// What that leads to, relative to the primary root, symlinks followed.
    pub path: String,
}

impl Target {
    /// Takes a path as it is named, before anybody has looked.
    pub fn unseen(given: &str) -> Self {
        let parts = given
            .split('/')
            .filter(|part| !(part.is_empty() || *part == "."));
        let mut path = parts.collect::<Vec<_>>().join("/");
        if given.starts_with('/') {
            path.insert(0, '/');
        }
        Self {
            given: given.to_owned(),
            path,
        }
    }

    /// Takes the paths that a call names, before anybody has looked.
    pub fn of(call: &ToolCall) -> Vec<Self> {
        const NAMES: &[&str] = &[
            "path",
            "paths",
            "file",
            "files",
            "file_path",
            "filename",
            "source",
            "destination",
            "old_path",
            "new_path",
            "directory",
            "folder",
        ];
        let mut targets: Vec<Self> = Vec::new();
        let mut add = |value: &Value| {
            if let Some(path) = value.as_str().filter(|path| !path.is_empty()) {
                targets.push(Self::unseen(path));
            }
        };
        for name in NAMES {
            match call.arguments.get(*name) {
                Some(Value::Array(values)) => values.iter().take(MOST).for_each(&mut add),
                Some(value) => add(value),
                None => {}
            }
        }
        // `HEAD:src/main.rs` is that file, as it was.
        if let Some((_, path)) = call
            .argument("revision")
            .and_then(|text| text.split_once(':'))
        {
            targets.push(Self::unseen(path));
        }
        targets
    }

    /// Tells whether the name leads somewhere else than it says.
    pub fn is_redirected(&self) -> bool {
        Self::unseen(&self.given).path != self.path
    }
}

/// Why a call is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Why {
    /// What the call can do is asked about in this mode.
    Class { risk: Risk },
    /// It is the project's check, which is asked about once.
    Check,
    /// It runs a file on sample calls, which is asked about once.
    Samples,
    /// A rule of the user says so.
    Rule { rule: String },
    /// Content that the user did not write was read before, and may have led to this call.
    Tainted { content: String },
    /// The file's name or the text that would be shown looks like a secret.
    Secret { what: String },
    /// What the call is about leads somewhere else than when it was allowed.
    Moved { given: String, path: String },
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Class { risk } => f.write_str(risk.because()),
            Self::Check => {
                f.write_str("it is the project's check; your answer holds for the session")
            }
            Self::Samples => f.write_str(
                "nothing else checks them: what the calls give chooses between edits; your answer holds for the session",
            ),
            Self::Rule { rule } => write!(f, "your rule says so: {rule}"),
            Self::Tainted { content } => {
                write!(f, "{content} was read before, and may have led to this")
            }
            Self::Secret { what } => write!(f, "it shows the model {what}"),
            Self::Moved { given, path } => {
                write!(f, "`{given}` leads to `{path}` now")
            }
        }
    }
}

/// A question about a call. All texts are harmless to a terminal and of limited length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    pub server: String,
    pub tool: String,
    pub risk: Risk,
    /// What the call is about, by what it really leads to.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// The exact words of a command.
    #[serde(default)]
    pub command: Vec<String>,
    /// What the server, or the command, is confined to.
    #[serde(default)]
    pub confined: Option<String>,
    pub why: Vec<Why>,
    /// The content that came before the call and was not the user's.
    #[serde(default)]
    pub trigger: Option<String>,
}

impl Ask {
    /// Makes the question about a call.
    pub fn about(call: &ToolCall, risk: Risk, targets: &[Target], why: Vec<Why>) -> Self {
        let command = super::command_of(call);
        let trigger = why.iter().find_map(|why| match why {
            Why::Tainted { content } => Some(shown(content)),
            _ => None,
        });
        let targets = targets.iter().take(MOST).map(|target| Target {
            given: shown(&target.given),
            path: shown(&target.path),
        });
        Self {
            server: shown(&call.server),
            tool: shown(&call.tool),
            risk,
            targets: targets.collect(),
            command: command
                .into_iter()
                .flatten()
                .take(MOST)
                .map(|word| shown(&word))
                .collect(),
            confined: None,
            why: why.into_iter().map(Why::harmless).collect(),
            trigger,
        }
    }

    /// Tells whether one answer holds for the session, whichever it is.
    pub fn is_once_for_all(&self) -> bool {
        self.why.contains(&Why::Check) || self.is_about_samples()
    }

    /// Tells whether it asks if a file may be run on sample calls.
    pub fn is_about_samples(&self) -> bool {
        self.why.contains(&Why::Samples)
    }

    /// Says which flag or rule allows it where nobody can be asked.
    pub fn allowed_by(&self) -> String {
        if self.trigger.is_some() {
            let file = "name the file in the request, or have git track it, if it is yours";
            return format!("nothing allows it after content that is not yours: {file}");
        }
        if self.why.iter().any(|why| matches!(why, Why::Rule { .. })) {
            return "nothing allows it while that rule stands".to_owned();
        }
        let class = self.risk;
        let rule = format!(
            "`walden rules add allow {}.{} --class {class}` allows it",
            self.server, self.tool
        );
        match class {
            Risk::Edit => format!("`--auto edit` allows it, or {rule}"),
            Risk::Delete | Risk::GitLocal | Risk::Command => {
                format!("`--auto all` allows it, or {rule}")
            }
            _ => rule,
        }
    }

    /// Says in one line why it asks.
    pub fn reason(&self) -> String {
        let reasons: Vec<String> = self.why.iter().map(Why::to_string).collect();
        reasons.join(", and ")
    }
}

impl Why {
    fn harmless(self) -> Self {
        match self {
            Self::Class { risk } => Self::Class { risk },
            Self::Check => Self::Check,
            Self::Samples => Self::Samples,
            Self::Rule { rule } => Self::Rule { rule: shown(&rule) },
            Self::Tainted { content } => Self::Tainted {
                content: shown(&content),
            },
            Self::Secret { what } => Self::Secret { what: shown(&what) },
            Self::Moved { given, path } => Self::Moved {
                given: shown(&given),
                path: shown(&path),
            },
        }
    }
}

fn shown(text: &str) -> String {
    sanitize_line(&clip(text, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::CallId;
    use serde_json::json;

    #[test]
    fn a_question_shows_no_control_characters_whatever_the_call_holds() {
        let evil = "a\u{1b}[2Jb\u{202e}c\nd";
        let call = ToolCall {
            id: CallId(1),
            server: evil.into(),
            tool: evil.into(),
            arguments: json!({"argv": ["echo", evil]})
                .as_object()
                .cloned()
                .unwrap_or_default(),
        };
        let target = Target {
            given: evil.into(),
            path: evil.into(),
        };
        let why = vec![
            Why::Tainted {
                content: evil.into(),
            },
            Why::Rule { rule: evil.into() },
        ];
        let ask = Ask::about(&call, Risk::Command, &[target], why);
        let text = serde_json::to_string(&ask).expect("JSON") + &ask.reason();
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\n']), "{text}");
        assert!(ask.command[1].contains("⟨U+001B⟩"), "{ask:?}");
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_told_from_one_that_is_only_written_otherwise() {
        let target = |given: &str, path: &str| Target {
            given: given.into(),
            path: path.into(),
        };
        assert!(!target("./src//a.rs", "src/a.rs").is_redirected());
        assert!(target("docs/x", ".mcp.json").is_redirected());
    }
}
