//! Tool calls and what becomes of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Risk;

/// Identifies a tool call within a session.
///
/// Minted by the agent, never taken from the model: a late result of an interrupted call cannot settle another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub u64);

impl std::fmt::Display for CallId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A call of one tool of one server, with its arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: CallId,
    /// The server's name in the configuration, such as `fs`.
    pub server: String,
    /// The tool's name as the server knows it.
    pub tool: String,
    pub arguments: Map<String, Value>,
}

impl ToolCall {
    /// Returns a string argument, if there is one of that name.
    pub fn argument(&self, name: &str) -> Option<&str> {
        self.arguments.get(name).and_then(Value::as_str)
    }

    /// Names the call on one line: the tool and its most telling argument, such as `read src/main.rs`.
    pub fn title(&self) -> String {
        let telling = ["symbol", "path", "pattern", "query", "command", "name"]
            .iter()
            .find_map(|name| self.argument(name));
        match telling {
            Some(argument) => format!("{} {}", self.tool, super::sanitize_line(argument)),
            None => self.tool.clone(),
        }
    }
}

/// A tool as the agent knows it: found by the host in a server's list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    pub server: String,
    /// The name that the model uses; unique over all servers.
    pub name: String,
    /// The tool's name as its server knows it.
    pub tool: String,
    /// What it does, one sentence.
    pub description: String,
    /// The arguments' JSON Schema (2020-12), an object schema.
    pub schema: Value,
    pub risk: Risk,
    /// The server can say what a call would change without changing it (built-in servers only).
    pub previews: bool,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Outcome {
    /// The tool did what was asked; `text` is what the model gets to read.
    Done { text: String },
    /// The tool ran and reported an error that the model can act on.
    Failed { text: String },
    /// The arguments did not fit the tool's schema, or there is no such tool.
    Invalid { text: String },
    /// The user, or the policy, said no.
    Denied { reason: String },
    /// The turn was interrupted before the call ended.
    Cancelled,
}

impl Outcome {
    /// Returns what the model reads about this outcome.
    pub fn for_model(&self) -> &str {
        match self {
            Self::Done { text } | Self::Failed { text } | Self::Invalid { text } => text,
            Self::Denied { reason } => reason,
            Self::Cancelled => "cancelled by the user",
        }
    }

    /// Tells whether the tool did what was asked.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. })
    }
}

/// What running a project's check told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CheckResult {
    pub passed: bool,
    /// How far it came: tests that passed, or the line of a script. It orders runs of one command and says no more.
    pub reached: u32,
    /// Tests that failed, where they were counted.
    pub failed: u32,
    /// How long it took, in milliseconds.
    pub millis: u32,
    /// What sample calls gave, where some were made: a number for each, and 0 for what tells nothing.
    #[serde(default)]
    pub given: [u8; 8],
}
