//! What may be done without asking.

use crate::protocol::{FileChange, Mode, Risk, ToolCall};

/// The rules of a session: the mode, and what the user allowed for its length.
#[derive(Debug, Default)]
pub struct Policy {
    mode: Mode,
    /// Server and tool pairs that the user allowed for this session, with the risk that was shown then.
    granted: Vec<(String, String, Risk)>,
}

/// What the rules say about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Allow,
    /// Ask the user, for this reason.
    Ask(String),
    /// Refuse, and tell the model this.
    Deny(String),
}

impl Policy {
    /// Creates the rules of a mode, with nothing granted.
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            granted: Vec::new(),
        }
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// Allows a tool for the rest of the session, up to the risk that the user saw.
    pub fn grant(&mut self, call: &ToolCall, risk: Risk) {
        self.granted
            .push((call.server.clone(), call.tool.clone(), risk));
    }

    /// Judges a call. A refusal wins over a grant, and a grant over a question.
    pub fn judge(&self, call: &ToolCall, risk: Risk) -> Verdict {
        use {Mode as M, Risk as R, Verdict as V};
        let verdict = match (self.mode, risk) {
            (_, R::Read) => V::Allow,
            (M::Plan, _) => V::Deny(format!(
                "`{}` was refused: the session is in plan mode, where nothing is changed. Answer in words instead.",
                call.tool
            )),
            (M::Edit | M::Auto, R::Edit) | (M::Auto, R::Delete | R::Command) => V::Allow,
            (M::Auto, R::EditExecutable) | (M::Edit, R::EditExecutable) => {
                V::Ask("other programs run or obey this file".to_owned())
            }
            (_, R::Edit) => V::Ask("it changes a file".to_owned()),
            (_, R::EditExecutable) => {
                V::Ask("it changes a file that other programs run or obey".to_owned())
            }
            (_, R::Delete) => V::Ask("it deletes or moves a file".to_owned()),
            (_, R::Command) => V::Ask("it runs a command".to_owned()),
            (_, R::Foreign) => V::Ask(format!("`{}` is not part of walden", call.server)),
        };
        let granted = || {
            self.granted.iter().any(|(server, tool, seen)| {
                *server == call.server && *tool == call.tool && risk <= *seen
            })
        };
        match verdict {
            V::Ask(_) if granted() => V::Allow,
            verdict => verdict,
        }
    }
}

/// Rates a call by what it would change.
pub(super) fn risk_of(rated: Risk, change: Option<&FileChange>) -> Risk {
    match change {
        Some(change)
            if rated == Risk::Edit && change.files().any(FileChange::is_executable_data) =>
        {
            Risk::EditExecutable
        }
        _ => rated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::CallId;

    fn call() -> ToolCall {
        ToolCall {
            id: CallId(1),
            server: "fs".into(),
            tool: "edit".into(),
            arguments: serde_json::Map::new(),
        }
    }

    #[test]
    fn modes_differ_in_what_they_ask() {
        let table = [
            (Mode::Plan, Risk::Read, "allow"),
            (Mode::Plan, Risk::Edit, "deny"),
            (Mode::Ask, Risk::Read, "allow"),
            (Mode::Ask, Risk::Edit, "ask"),
            (Mode::Ask, Risk::Foreign, "ask"),
            (Mode::Edit, Risk::Edit, "allow"),
            (Mode::Edit, Risk::EditExecutable, "ask"),
            (Mode::Edit, Risk::Delete, "ask"),
            (Mode::Edit, Risk::Command, "ask"),
            (Mode::Auto, Risk::EditExecutable, "ask"),
            (Mode::Auto, Risk::Delete, "allow"),
            (Mode::Auto, Risk::Command, "allow"),
            (Mode::Auto, Risk::Foreign, "ask"),
        ];
        for (mode, risk, expected) in table {
            let verdict = match Policy::new(mode).judge(&call(), risk) {
                Verdict::Allow => "allow",
                Verdict::Ask(_) => "ask",
                Verdict::Deny(_) => "deny",
            };
            assert_eq!(verdict, expected, "{mode} {risk:?}");
        }
    }

    #[test]
    fn a_grant_covers_its_tool_up_to_the_risk_that_was_seen() {
        let mut policy = Policy::new(Mode::Ask);
        policy.grant(&call(), Risk::Edit);
        assert_eq!(policy.judge(&call(), Risk::Edit), Verdict::Allow);
        assert!(matches!(
            policy.judge(&call(), Risk::EditExecutable),
            Verdict::Ask(_)
        ));
        let other = ToolCall {
            tool: "write".into(),
            ..call()
        };
        assert!(matches!(policy.judge(&other, Risk::Edit), Verdict::Ask(_)));
    }

    #[test]
    fn plan_mode_refuses_what_was_granted_before() {
        let mut policy = Policy::new(Mode::Ask);
        policy.grant(&call(), Risk::Edit);
        policy.set_mode(Mode::Plan);
        assert!(matches!(
            policy.judge(&call(), Risk::Edit),
            Verdict::Deny(_)
        ));
    }
}
