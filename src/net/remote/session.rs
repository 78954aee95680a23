//! What a connection remembers between its requests: the older era's session, the revision that is spoken, and the
//! tools' marks.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::header::{HeaderName, HeaderValue};
use hyper::http::HeaderMap;
use serde_json::Value;

use super::headers::{self, Marked};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The longest id of a session, in bytes.
const LONGEST: usize = 1_024;

/// The most tools whose marks are remembered.
const TOOLS: usize = 2_000;

/// The field of a request in which the newer era says its revision.
const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

#[derive(Debug, Default)]
pub(super) struct Session {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    id: Option<HeaderValue>,
    version: Option<HeaderValue>,
    /// The request that began the session, and would begin another.
    beginning: Option<Value>,
    /// Counts the sessions.
    generation: u64,
    marks: HashMap<String, Vec<Marked>>,
}

impl Session {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the headers of a message, and which session it goes out in.
    pub(super) fn headers(&self, message: &Value) -> (HeaderMap, u64) {
        let state = self.lock();
        let mut headers = HeaderMap::new();
        if let Some(version) = modern(message) {
            let tool = message["params"]["name"].as_str();
            let marks = tool
                .filter(|_| message["method"] == "tools/call")
                .and_then(|tool| state.marks.get(tool));
            headers = headers::headers(message, marks.map_or(&[], Vec::as_slice));
            if let Ok(version) = HeaderValue::from_str(version) {
                headers.insert(VERSION, version);
            }
        } else if message["method"] != "initialize" {
            headers = self.session_headers(&state);
        }
        (headers, state.generation)
    }

    /// Returns the headers of a request that carries no message.
    pub(super) fn plain_headers(&self) -> (HeaderMap, u64) {
        let state = self.lock();
        (self.session_headers(&state), state.generation)
    }

    fn session_headers(&self, state: &State) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.extend(state.id.clone().map(|id| (SESSION, id)));
        headers.extend(state.version.clone().map(|version| (VERSION, version)));
        headers
    }

    /// Returns whether there is a session to end.
    pub(super) fn is_open(&self) -> bool {
        self.lock().id.is_some()
    }

    /// Notes what `initialize` came to.
    pub(super) fn begin(&self, request: &Value, answer: &Value, id: Option<&HeaderValue>) {
        let Some(version) = answer["result"]["protocolVersion"].as_str() else {
            return;
        };
        let mut state = self.lock();
        state.id = id
            .filter(|id| id.len() <= LONGEST && id.as_bytes().iter().all(u8::is_ascii_graphic))
            .cloned();
        state.version = HeaderValue::from_str(version).ok();
        state.beginning = Some(request.clone());
        state.generation += 1;
    }

    /// Returns the request that would begin another session, if the one of `generation` is still the current one.
    pub(super) fn beginning(&self, generation: u64) -> Option<Value> {
        let state = self.lock();
        state
            .beginning
            .clone()
            .filter(|_| state.generation == generation)
    }

    pub(super) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Remembers the marks of listed tools, and takes out those whose marks are not allowed.
    pub(super) fn tools(&self, answer: &mut Value) {
        let Some(tools) = answer
            .pointer_mut("/result/tools")
            .and_then(Value::as_array_mut)
        else {
            return;
        };
        let mut state = self.lock();
        tools.retain(|tool| {
            let Some(name) = tool["name"].as_str() else {
                return true;
            };
            match headers::marks(&tool["inputSchema"]) {
                Ok(marks) if marks.is_empty() => {
                    state.marks.remove(name);
                    true
                }
                Ok(marks) => {
                    if state.marks.len() < TOOLS {
                        state.marks.insert(name.to_owned(), marks);
                    }
                    true
                }
                Err(problem) => {
                    let name = crate::protocol::sanitize_line(name);
                    tracing::warn!("the tool `{name}` is left out: {problem}");
                    false
                }
            }
        });
    }
}

/// Returns the revision that a message of the newer era names.
pub(super) fn modern(message: &Value) -> Option<&str> {
    message["params"]["_meta"][META_VERSION]
        .as_str()
        .filter(|version| *version >= headers::SINCE)
}
