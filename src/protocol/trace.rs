//! What was asked of the model, and what each request took.

use serde::{Deserialize, Serialize};

use super::{Message, Usage};

/// The requests that a session remembers: the newest.
pub(super) const MOST_STEPS: usize = 400;

/// One request to the model, as it went.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Traced {
    /// The turn that it was part of.
    pub turn: u32,
    pub usage: Usage,
    /// The calls that the model wrote in it, as they are titled; none where it only wrote text.
    pub calls: Vec<String>,
    /// A call of it has ended: what is proposed next is not its own.
    #[serde(default)]
    pub settled: bool,
    /// The place in the transcript of the search that it was part of.
    #[serde(default)]
    pub search: Option<usize>,
}

/// A request's conversation, as it was given to the model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sent {
    pub messages: Vec<Message>,
    /// The names of the tools that a call could name.
    pub tools: Vec<String>,
}
