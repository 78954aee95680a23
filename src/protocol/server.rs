//! Third-party servers as they are shown, and what the user does about them.

use serde::{Deserialize, Serialize};

use super::CallId;

/// A call that a server has taken on as a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub server: String,
    /// The server's name for it.
    pub id: String,
    pub tool: String,
    pub call: CallId,
    pub state: JobState,
    /// What the server last said about it.
    pub message: String,
}

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    Working,
    /// It waits for the user's answer to a question.
    Asks,
    Done,
    Failed,
    Cancelled,
}

impl JobState {
    /// Tells whether it has ended.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// What is to be known of a third-party server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ServerReport {
    pub name: String,
    /// Whose configuration it is in.
    pub source: String,
    pub disabled: bool,
    /// What it calls itself.
    pub title: String,
    /// The protocol's era and revision.
    pub era: String,
    pub capabilities: Vec<String>,
    /// What the sandbox lets it have.
    pub sandbox: Vec<String>,
    /// What was agreed to of it.
    pub pinned: String,
    pub last_error: Option<String>,
    /// It is down until the user has logged in to it.
    #[serde(default)]
    pub needs_login: bool,
    /// The last lines that it said beside the protocol.
    pub log: Vec<String>,
    pub tools: Vec<ReportedTool>,
    pub prompts: Vec<ReportedPrompt>,
    /// Addresses with descriptions, of resources and of templates.
    pub resources: Vec<(String, String)>,
    pub templates: Vec<(String, String)>,
    pub left_out: Vec<String>,
}

/// A tool of a server's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedTool {
    /// The name that the model knows it by, which rules name it by, too.
    pub name: String,
    /// The server's own name for it.
    pub tool: String,
    /// Its first sentence.
    pub about: String,
    /// What its line and its whole schema cost the model, in tokens; about.
    pub line_tokens: usize,
    pub schema_tokens: usize,
    /// The configuration keeps it from being used.
    pub denied: bool,
}

/// A prompt of a server's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedPrompt {
    pub name: String,
    pub about: String,
    pub arguments: Vec<ReportedArgument>,
}

/// An argument of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedArgument {
    pub name: String,
    pub about: String,
    pub required: bool,
}

/// What the user wants done about a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum ServerAction {
    Restart,
    /// Lets the user authorize walden at it, where it is reached over HTTP.
    LogIn,
    /// Stops it, and leaves it out from now on.
    Disable,
    Enable,
    /// Stops it, takes it out of the user's configuration, and forgets what was agreed to.
    Remove,
    /// Uses a tool of it, or does not.
    Tool {
        tool: String,
        used: bool,
    },
}

/// What a completion is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "of")]
pub enum CompletionOf {
    /// An argument of a prompt.
    Prompt { prompt: String, argument: String },
    /// A variable of a resource's address.
    Template { uri: String, argument: String },
}
