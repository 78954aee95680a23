//! What an agent is made with: what bounds its turns, and what a journal kept of it.

use crate::protocol::{FileChange, Guidance, KeptRule, Mechanism, Message, Mode, Plan, Sampling};

/// What bounds a turn, and how tokens are drawn.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The repository's name, for the system text.
    pub repository: String,
    pub mode: Mode,
    /// The most generations in a turn.
    pub max_steps: u32,
    /// The most tokens in a turn, prompt tokens that had to be evaluated and generated ones together.
    pub max_tokens: u32,
    pub sampling: Sampling,
    /// The words of the project's check; none where it has none.
    pub check: Vec<String>,
    /// The user named the check, so it may be run in every mode that changes files.
    pub check_is_named: bool,
    /// Somebody is there to be asked whether the check may run.
    pub asks_check: bool,
    /// The most edits that are tried in a turn before one passes the check, and for how long, in seconds. Whoever has
    /// a clock says when that is over.
    pub tries: u32,
    pub search_seconds: u32,
    /// The object schema of the answer, where it is to have a form.
    pub answer: Option<serde_json::Value>,
    /// What the user and a trusted repository tell the model.
    pub guidance: Guidance,
    /// The rules that the user keeps.
    pub rules: Vec<KeptRule>,
    /// Decisions of earlier sessions are recalled when the session begins.
    pub recalls: bool,
    /// What is left out, to measure what it is worth.
    pub without: Vec<Mechanism>,
    /// What confines each server, as a question says it.
    pub confined: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            repository: "project".to_owned(),
            mode: Mode::Ask,
            max_steps: 16,
            max_tokens: 60_000,
            sampling: Sampling::default(),
            check: Vec::new(),
            check_is_named: false,
            asks_check: false,
            tries: 200,
            search_seconds: 240,
            answer: None,
            guidance: Guidance::default(),
            rules: Vec::new(),
            recalls: false,
            without: Vec::new(),
            confined: Vec::new(),
        }
    }
}

/// What a journal keeps of an agent: enough to go on where a session stopped.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    pub messages: Vec<Message>,
    pub turns: u32,
    pub calls: u64,
    /// The changes that stand, with the turns that made them.
    pub changes: Vec<(u32, FileChange)>,
    /// The files that the model has read or changed, each once, the latest at the end.
    pub seen: Vec<String>,
    /// What in the conversation the user did not write.
    pub taints: Vec<String>,
    pub plan: Option<Plan>,
}

impl Memory {
    /// Takes note that the model knows a file's text.
    pub fn see(&mut self, path: &str) {
        self.overlook(path);
        self.seen.push(path.to_owned());
    }

    /// Takes note that what the model knows of a file is not its text any more.
    pub fn overlook(&mut self, path: &str) {
        self.seen.retain(|seen| seen != path);
    }
}
