//! What a log says.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Redact;
use crate::protocol::{Answer, Event, Outcome, QuestionKind, Target, ToolCall, secret_file};

/// The most bytes of one text in a log.
const LONGEST: usize = 4_096;

/// One thing that was asked, decided or done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Entry {
    /// A session began, or went on, on a root.
    Began {
        session: String,
        root: String,
        mode: Value,
        resumed: bool,
        version: String,
    },
    /// What the kernel enforces on the process, and what is weaker than promised.
    Sealed {
        enforced: String,
        weaker: Vec<String>,
    },
    ModeChanged {
        mode: Value,
    },
    Server {
        server: String,
        state: Value,
    },
    /// A server is started or reached: how, and what it is confined to.
    Launched {
        server: String,
        how: Value,
    },
    /// A request to or of a server is part of this trace (W3C trace context), by which a server's own records of it are
    /// found.
    Traced {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        call: Option<u64>,
        server: String,
        method: String,
        trace: String,
    },
    /// A server asks something, or walden asks about a server.
    Question {
        question: u64,
        server: String,
        kind: String,
        about: String,
    },
    /// The user's answer. What was filled in is the server's to know.
    Answer {
        question: u64,
        answer: String,
    },
    /// The user trusts these files of the repository to instruct the model.
    Trusted {
        files: Vec<String>,
    },
    /// The user changes a setting of safety by a command, outside a session.
    Setting {
        setting: String,
        change: String,
    },
    Turn {
        turn: u32,
    },
    /// The model wants a call. `risk` is how the host rates it.
    Proposed {
        call: u64,
        server: String,
        tool: String,
        arguments: Value,
        risk: Value,
    },
    /// The user is asked, and why.
    Asked {
        call: u64,
        reason: String,
    },
    Decided {
        call: u64,
        decision: Value,
    },
    /// Content that the user did not write came into the conversation.
    Tainted {
        content: String,
    },
    /// The user's rules, as they are from here on.
    Rules {
        rules: Vec<String>,
    },
    /// A call is about to run with these arguments: with no decision before it, the mode or a rule allowed it.
    Runs {
        call: u64,
        server: String,
        tool: String,
        arguments: Value,
    },
    /// A file was changed, from these bytes to those.
    Changed {
        call: u64,
        path: String,
        before: Value,
        after: Value,
    },
    /// A call ended. What it answered is told by its length and hash.
    Ended {
        call: u64,
        outcome: String,
        bytes: usize,
        sha256: String,
    },
    /// A server is served to these clients, each with what it may use.
    Serving {
        server: String,
        clients: Vec<String>,
    },
    /// A client of a server that walden serves calls a tool of it, or may not.
    Served {
        call: u64,
        client: String,
        server: String,
        tool: String,
        arguments: Value,
        allowed: bool,
    },
    /// A client of a server that walden serves calls more often than it may, so many times a minute. Told when it comes to
    /// that, and not of each call until it may call again.
    OverRate {
        client: String,
        server: String,
        rate: u32,
    },
    Undone {
        turn: u32,
        paths: Vec<String>,
    },
    Closed,
    /// The broker was started, and may connect to these.
    Network {
        allowed: String,
    },
    Connection(Connection),
}

/// What became of a request to connect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    pub host: String,
    pub port: u16,
    pub encrypted: bool,
    /// `opened`, `refused` or `ended`.
    pub result: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub received: Option<u64>,
}

impl Entry {
    /// Tells an event; `None` for one that is of the conversation or of the moment only.
    pub(super) fn of(event: &Event, redact: Redact) -> Option<Self> {
        Some(match event {
            Event::SessionStarted {
                id,
                root,
                mode,
                resumed,
            } => Self::Began {
                session: id.clone(),
                root: root.clone(),
                mode: value(mode),
                resumed: *resumed,
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            Event::ModeChanged { mode } => Self::ModeChanged { mode: value(mode) },
            Event::ServerChanged { server, state } => Self::Server {
                server: server.clone(),
                state: value(state),
            },
            Event::ServerLaunched { server, how } => Self::Launched {
                server: server.clone(),
                how: redacted(how.clone(), redact),
            },
            Event::Traced {
                call,
                server,
                method,
                trace,
                ..
            } => Self::Traced {
                call: call.map(|call| call.0),
                server: server.clone(),
                method: method.clone(),
                trace: trace.clone(),
            },
            Event::Trusted { files } => Self::Trusted {
                files: files.clone(),
            },
            Event::Asked { question } => {
                let (kind, about) = about(&question.kind);
                Self::Question {
                    question: question.id.0,
                    server: question.server.clone(),
                    kind: kind.to_owned(),
                    about: short(&redact(about)),
                }
            }
            Event::Answered { question, answer } => Self::Answer {
                question: question.0,
                answer: match answer {
                    Answer::Accept { .. } => "accepted",
                    Answer::Decline => "declined",
                    Answer::Cancel => "left open",
                }
                .to_owned(),
            },
            Event::TurnStarted { turn, .. } => Self::Turn { turn: *turn },
            Event::CallProposed { call, risk } => Self::Proposed {
                call: call.id.0,
                server: call.server.clone(),
                tool: call.tool.clone(),
                arguments: arguments(call, redact),
                risk: value(risk),
            },
            Event::ApprovalRequested { call, reason, .. } => Self::Asked {
                call: call.0,
                reason: short(&redact(reason)),
            },
            Event::Tainted { content } => Self::Tainted {
                content: short(&redact(content)),
            },
            Event::RulesChanged { rules } => Self::Rules {
                rules: rules
                    .iter()
                    .map(|kept| short(&redact(&kept.rule.to_string())))
                    .collect(),
            },
            Event::Decided { call, decision } => Self::Decided {
                call: call.0,
                decision: redacted(value(decision), redact),
            },
            Event::ChangeApplied { call, change } => Self::Changed {
                call: call.0,
                path: change.path.clone(),
                before: value(&change.base),
                after: value(&change.after),
            },
            Event::CallFinished { call, outcome } => {
                Self::ended(call.0, name_of(outcome), outcome.for_model())
            }
            Event::ChangesUndone { turn, undone } => Self::Undone {
                turn: *turn,
                paths: undone
                    .iter()
                    .filter(|undone| undone.refused.is_none())
                    .map(|undone| undone.path.clone())
                    .collect(),
            },
            Event::SessionEnded => Self::Closed,
            // What was said, and what passes.
            _ => return None,
        })
    }

    /// Tells that a call ended with an answer.
    pub(super) fn ended(call: u64, outcome: &str, answer: &str) -> Self {
        Self::Ended {
            call,
            outcome: outcome.to_owned(),
            bytes: answer.len(),
            sha256: hash(answer),
        }
    }

    pub(super) fn about_to_run(call: &ToolCall, redact: Redact) -> Self {
        Self::Runs {
            call: call.id.0,
            server: call.server.clone(),
            tool: call.tool.clone(),
            arguments: arguments(call, redact),
        }
    }
}

/// Says what a question is of, and what it says.
fn about(kind: &QuestionKind) -> (&'static str, &str) {
    match kind {
        QuestionKind::Form { message, .. } => ("form", message),
        QuestionKind::Page { url, .. } => ("page", url),
        QuestionKind::Prompt { messages, .. } => (
            "prompt",
            messages.last().map_or("", |(_, text)| text.as_str()),
        ),
        QuestionKind::Completion { text } => ("completion", text),
        QuestionKind::Definition { title, .. } => ("definition", title),
    }
}

fn value<T: Serialize>(of: &T) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}

pub(super) fn arguments(call: &ToolCall, redact: Redact) -> Value {
    let targets = Target::of(call);
    let secret = targets.iter().find_map(|target| secret_file(&target.given));
    let Some(what) = secret else {
        return redacted(Value::Object(call.arguments.clone()), redact);
    };
    // What is written into a file of secrets is one, whatever its form; which file it is, is not.
    let is_told = |value: &Value| match value {
        Value::String(text) => targets.iter().any(|target| target.given == *text),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::Array(_) | Value::Object(_) => false,
    };
    let told = call.arguments.iter().map(|(name, value)| {
        let value = match is_told(value) {
            true => value.clone(),
            false => format!("[redacted: {what}]").into(),
        };
        (name.clone(), value)
    });
    Value::Object(told.collect())
}

/// Takes secrets out of every text of a value, and cuts what is long: its hash stands for the rest.
fn redacted(value: Value, redact: Redact) -> Value {
    match value {
        Value::String(text) => short(&redact(&text)).into(),
        Value::Array(items) => items
            .into_iter()
            .map(|item| redacted(item, redact))
            .collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, field)| (name, redacted(field, redact)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other,
    }
}

fn short(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let mut end = LONGEST;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!(
        "{} … ({} bytes, sha256 {})",
        &text[..end],
        text.len(),
        hash(text)
    )
}

fn hash(text: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(text)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

fn name_of(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done { .. } => "done",
        Outcome::Failed { .. } => "failed",
        Outcome::Invalid { .. } => "invalid",
        Outcome::Denied { .. } => "denied",
        Outcome::Cancelled => "cancelled",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::{CallId, redact};

    #[test]
    fn what_is_written_into_a_file_of_secrets_is_not_kept() {
        let check = |path: &str, kept: &Value| {
            let content = "PASSWORD=hunter2";
            let arguments = json!({"path": path, "content": content, "line": 3, "more": [content]});
            let call = ToolCall {
                id: CallId(1),
                server: "fs".to_owned(),
                tool: "write".to_owned(),
                arguments: arguments.as_object().cloned().unwrap_or_default(),
            };
            assert_eq!(&super::arguments(&call, redact), kept);
        };
        let black = "[redacted: an environment file]";
        check(
            "a/.env",
            &json!({"path": "a/.env", "content": black, "line": 3, "more": black}),
        );
        let content = "PASSWORD=hunter2";
        check(
            "a.rs",
            &json!({"path": "a.rs", "content": content, "line": 3, "more": [content]}),
        );
    }
}
