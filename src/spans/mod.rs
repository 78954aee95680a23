//! What a session did, hop by hop: a turn, each request to the model, the user's decisions, the calls of tools and what
//! their servers asked on the way, as spans of a trace.
//!
//! It is told from the journal, after the fact: nothing is recorded for it that the session does not need or that a
//! person could not read there. Contents are not told, only their sizes; what a call is titled stands in [`tree()`] alone,
//! which is for the user's own eyes.
//!
//! A turn is a trace. A call of a third-party server is another, the one that the server was told of (`traceparent`):
//! servers cannot tell from their numbers that it is one person who calls them. The two are linked, and what the server
//! asked on the way (its questions to the user, what the model wrote for it) is part of the server's.

mod builder;
mod hops;
mod ids;
mod otlp;
mod tree;

pub use builder::{Told, turns};
pub use otlp::otlp;
pub use tree::tree;

/// A turn, with what was done in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub number: u32,
    /// The turn's own is the first; a span stands after the one that it is part of.
    pub spans: Vec<Span>,
}

/// One hop.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    pub place: Place,
    /// The place of the span that it is part of, in the turn.
    pub within: Option<usize>,
    /// The span's parent in its own trace: none for the first of a trace.
    pub parent: Option<String>,
    pub kind: Kind,
    pub name: String,
    /// What it is about, in the words of a call's title.
    pub title: Option<String>,
    /// Milliseconds since 1970.
    pub began: u64,
    pub ended: u64,
    pub attributes: Vec<(&'static str, Value)>,
    pub links: Vec<Place>,
    /// Why it is an error, where it is one.
    pub failed: Option<String>,
}

/// Where a span is: its trace and its number there, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    pub trace: String,
    pub span: String,
}

/// Whose part of a hop it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// walden's own doing.
    Internal,
    /// walden answers a server's request.
    Server,
    /// walden asks a server.
    Client,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Count(u64),
    Is(bool),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Value {
    fn from(count: u32) -> Self {
        Self::Count(count.into())
    }
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<usize> for Value {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

impl From<bool> for Value {
    fn from(is: bool) -> Self {
        Self::Is(is)
    }
}

impl Span {
    /// Returns an attribute.
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        let mut all = self.attributes.iter();
        all.find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Returns an attribute that is a text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.attribute(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns an attribute that is a count.
    pub fn count(&self, key: &str) -> Option<u64> {
        match self.attribute(key) {
            Some(Value::Count(count)) => Some(*count),
            _ => None,
        }
    }

    fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        let value = value.into();
        match self.attributes.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((key, value)),
        }
    }
}

/// The names of attributes: those of OpenTelemetry's conventions for generative AI and MCP where there is one.
mod key {
    pub(super) const OPERATION: &str = "gen_ai.operation.name";
    pub(super) const PROVIDER: &str = "gen_ai.provider.name";
    pub(super) const AGENT: &str = "gen_ai.agent.name";
    pub(super) const CONVERSATION: &str = "gen_ai.conversation.id";
    pub(super) const MODEL: &str = "gen_ai.request.model";
    pub(super) const INPUT: &str = "gen_ai.usage.input_tokens";
    pub(super) const CACHE_READ: &str = "gen_ai.usage.cache_read.input_tokens";
    pub(super) const OUTPUT: &str = "gen_ai.usage.output_tokens";
    pub(super) const TOOL: &str = "gen_ai.tool.name";
    pub(super) const CALL: &str = "gen_ai.tool.call.id";
    pub(super) const METHOD: &str = "mcp.method.name";
    pub(super) const SERVER: &str = "mcp.server";
    pub(super) const ERROR: &str = "error.type";
    pub(super) const TURN: &str = "walden.turn";
    pub(super) const CACHED: &str = "walden.tokens.cached";
    pub(super) const PROMPT_MS: &str = "walden.prompt.ms";
    pub(super) const GENERATE_MS: &str = "walden.generate.ms";
    pub(super) const MESSAGE_BYTES: &str = "walden.message.bytes";
    pub(super) const ARGUMENT_BYTES: &str = "walden.arguments.bytes";
    pub(super) const REQUEST_BYTES: &str = "walden.request.bytes";
    pub(super) const RESULT_BYTES: &str = "walden.result.bytes";
    pub(super) const OUTCOME: &str = "walden.outcome";
    pub(super) const RISK: &str = "walden.risk";
    pub(super) const SANDBOX: &str = "walden.sandbox.profile";
    pub(super) const SEAL: &str = "walden.sandbox.seal";
    pub(super) const ABOUT: &str = "walden.approval.about";
    pub(super) const DECISION: &str = "walden.approval.decision";
    pub(super) const PASSED: &str = "walden.check.passed";
    pub(super) const TRIED: &str = "walden.search.tried";
    pub(super) const END: &str = "walden.end";
    pub(super) const CHANGED: &str = "walden.files.changed";
    pub(super) const CALLS: &str = "walden.calls";
    pub(super) const DENIED: &str = "walden.calls.denied";
    /// The hop was not over when its turn was.
    pub(super) const OPEN: &str = "walden.unfinished";
}
