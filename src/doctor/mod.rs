//! `walden doctor`: what is there, what is not, and what to do about it. Opens no connection and changes nothing.

mod checks;

pub use checks::{Subject, examine};

use serde::Serialize;

use crate::error::ExitCode;

/// All that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub state: State,
    /// What was found.
    pub text: String,
    /// What would make it better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// How it stands with a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    /// It works, and could be better.
    Warn,
    /// Something does not work.
    Fail,
}

impl State {
    fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl Report {
    /// Tells how the program ends: well, unless something does not work.
    pub fn exit_code(&self) -> ExitCode {
        if self.checks.iter().any(|check| check.state == State::Fail) {
            ExitCode::Failure
        } else {
            ExitCode::Success
        }
    }

    /// Writes a line for each thing, with what would help below it.
    pub fn text(&self) -> String {
        let width = |check: &Check| check.name.chars().count();
        let width = self.checks.iter().map(width).max().unwrap_or(0);
        let mut text = String::new();
        for check in &self.checks {
            let label = check.state.label();
            let (name, found) = (check.name, crate::protocol::sanitize_line(&check.text));
            text.push_str(&format!("{label:<4}  {name:<width$}  {found}\n"));
            if let Some(hint) = &check.hint {
                let hint = crate::protocol::sanitize_line(hint);
                text.push_str(&format!("      {:<width$}  hint: {hint}\n", ""));
            }
        }
        text
    }

    /// Writes the same as JSON, in one object.
    pub fn json(&self) -> String {
        // Plain data with text keys always serialises.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text = crate::protocol::harmless_json(&text);
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(state: State) -> Report {
        Report {
            checks: vec![
                Check {
                    name: "version",
                    state: State::Ok,
                    text: "1".to_owned(),
                    hint: None,
                },
                Check {
                    name: "model",
                    state,
                    text: "none \u{1b}[31m".to_owned(),
                    hint: Some("`walden model pull`".to_owned()),
                },
            ],
        }
    }

    #[test]
    fn only_what_fails_fails() {
        assert_eq!(report(State::Ok).exit_code(), ExitCode::Success);
        assert_eq!(report(State::Warn).exit_code(), ExitCode::Success);
        assert_eq!(report(State::Fail).exit_code(), ExitCode::Failure);
    }

    #[test]
    fn each_thing_has_a_line_and_its_hint_another() {
        let text = report(State::Warn).text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "ok    version  1");
        assert!(lines[1].starts_with("warn  model    none"), "{text}");
        assert!(!text.contains('\u{1b}'));
        assert_eq!(lines[2], "               hint: `walden model pull`");
        let json: serde_json::Value =
            serde_json::from_str(&report(State::Fail).json()).expect("JSON");
        assert_eq!(json["checks"][1]["state"], "fail");
        assert_eq!(json["checks"][0].get("hint"), None);
    }
}
