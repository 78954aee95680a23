//! What servers ask of the host, in either era: roots, forms and pages for the user, and the model.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};

use super::desk::Desk;
use super::event::{HostEvent, Sample, Speaker};
use super::link::METHOD_NOT_FOUND;
use super::received::Received;
use super::text::short;
use crate::protocol::{Answer, QuestionKind, RequestId, clip};

const INVALID: i64 = -32602;
/// The user said no, as the specification numbers it for sampling.
const REJECTED: i64 = -1;

/// The most that a server may ask the model: tokens of an answer, bytes of a question, and questions in a session.
const MOST_TOKENS: u32 = 1_024;
const MOST_BYTES: usize = 32 * 1024;
const MOST_SAMPLES: u32 = 20;
/// The longest message of a question, in bytes.
const MESSAGE: usize = 4_000;

/// Answers servers. One for all of them.
pub(super) struct Answering {
    pub(super) desk: Desk,
    pub(super) events: mpsc::UnboundedSender<HostEvent>,
    roots: Mutex<Vec<PathBuf>>,
    /// How often each server has asked the model.
    samples: Mutex<Vec<(String, u32)>>,
    received: Received,
}

/// An answer, or an error's code and message.
pub(super) type Answered = Result<Value, (i64, String)>;

impl Answering {
    pub(super) fn new(
        desk: Desk,
        events: mpsc::UnboundedSender<HostEvent>,
        roots: Vec<PathBuf>,
    ) -> Arc<Self> {
        Arc::new(Self {
            desk,
            events,
            roots: Mutex::new(roots),
            samples: Mutex::default(),
            received: Received::default(),
        })
    }

    /// What a server is told that it may ask: what works, and nothing else.
    pub(super) fn capabilities(&self) -> Value {
        let mut capabilities = json!({"roots": {"listChanged": true}});
        if self.desk.is_attended() {
            capabilities["elicitation"] = json!({"form": {}, "url": {}});
            capabilities["sampling"] = json!({});
        }
        capabilities
    }

    /// Replaces the roots.
    pub(super) fn set_roots(&self, roots: Vec<PathBuf>) {
        *self.roots.lock().unwrap_or_else(PoisonError::into_inner) = roots;
    }

    /// Answers one request of a server. Dropping the future takes back what was asked of the user.
    pub(super) async fn answer(&self, server: &str, method: &str, params: &Value) -> Answered {
        match method {
            "ping" => Ok(json!({})),
            "roots/list" => Ok(self.roots()),
            "elicitation/create" | "sampling/createMessage" if self.desk.is_attended() => {
                let received = self.received.take(&self.events, server, method, params);
                let request = received.id();
                let answered = match method {
                    "elicitation/create" => self.elicit(server, params, Some(request)).await,
                    _ => self.sample(server, params, request).await,
                };
                received.end(&answered);
                answered
            }
            _ => Err((
                METHOD_NOT_FOUND,
                format!("walden does not answer `{}`", short(method, 60)),
            )),
        }
    }

    fn roots(&self) -> Value {
        let roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        let list: Vec<Value> = roots
            .iter()
            .map(|root| {
                let name = root.file_name().unwrap_or(root.as_os_str());
                json!({"uri": file_uri(root), "name": name.to_string_lossy()})
            })
            .collect();
        json!({"roots": list})
    }

    async fn elicit(&self, server: &str, params: &Value, request: Option<RequestId>) -> Answered {
        let message = clip(params["message"].as_str().unwrap_or_default(), MESSAGE);
        let kind = match params["mode"].as_str() {
            Some("url") => {
                let url = params["url"].as_str().unwrap_or_default();
                if !is_web_address(url) {
                    return Err((
                        INVALID,
                        "only http and https addresses are shown".to_owned(),
                    ));
                }
                QuestionKind::Page {
                    message,
                    url: url.to_owned(),
                }
            }
            None | Some("form") => {
                let fields = super::form::fields(&params["requestedSchema"])
                    .map_err(|problem| (INVALID, problem))?;
                QuestionKind::Form { message, fields }
            }
            Some(other) => {
                let other = short(other, 40);
                return Err((INVALID, format!("there is no mode `{other}` here")));
            }
        };
        let is_form = matches!(kind, QuestionKind::Form { .. });
        Ok(match self.desk.ask_for(request, server, kind).await {
            Answer::Accept { values, .. } if is_form => {
                json!({"action": "accept", "content": values})
            }
            Answer::Accept { .. } => json!({"action": "accept"}),
            Answer::Decline => json!({"action": "decline"}),
            Answer::Cancel => json!({"action": "cancel"}),
        })
    }

    async fn sample(&self, server: &str, params: &Value, request: RequestId) -> Answered {
        if !params["tools"].is_null() {
            return Err((INVALID, "walden lends its model without tools".to_owned()));
        }
        let messages = messages(&params["messages"])?;
        let system = params["systemPrompt"].as_str().map(str::to_owned);
        let bytes: usize = messages.iter().map(|(_, text)| text.len()).sum::<usize>()
            + system.as_ref().map_or(0, String::len);
        if bytes > MOST_BYTES {
            let limit = MOST_BYTES >> 10;
            return Err((INVALID, format!("the question has more than {limit} KiB")));
        }
        if self.count(server) > MOST_SAMPLES {
            let problem = format!("a server may ask the model {MOST_SAMPLES} times in a session");
            return Err((REJECTED, problem));
        }
        let asked = params["maxTokens"]
            .as_u64()
            .unwrap_or(u64::from(MOST_TOKENS));
        let max_tokens = asked.clamp(1, u64::from(MOST_TOKENS)) as u32;
        let kind = QuestionKind::Prompt {
            system: system.clone(),
            messages: messages
                .iter()
                .map(|(speaker, text)| (role(*speaker).to_owned(), text.clone()))
                .collect(),
            max_tokens,
        };
        let rejected = || (REJECTED, "the user rejected the request".to_owned());
        let mut messages = messages;
        match self.desk.ask_for(Some(request), server, kind).await {
            Answer::Accept {
                text: Some(changed),
                ..
            } => {
                // The user put the last message in other words.
                if let Some((_, last)) = messages.last_mut() {
                    *last = changed;
                }
            }
            Answer::Accept { .. } => {}
            Answer::Decline | Answer::Cancel => return Err(rejected()),
        }
        let (reply, written) = oneshot::channel();
        let _ = self.events.send(HostEvent::Sample(Sample {
            request,
            system,
            messages,
            max_tokens,
            temperature: params["temperature"].as_f64().map(|value| value as f32),
            reply,
        }));
        let mut text = match written.await {
            Ok(Ok(text)) => text,
            Ok(Err(problem)) => return Err((-32603, problem)),
            Err(_) => return Err((-32603, "there is no model".to_owned())),
        };
        let mut reason = "endTurn";
        let stops = params["stopSequences"].as_array().into_iter().flatten();
        let first = stops
            .filter_map(Value::as_str)
            .filter(|stop| !stop.is_empty())
            .filter_map(|stop| text.find(stop))
            .min();
        if let Some(at) = first {
            text.truncate(at);
            reason = "stopSequence";
        }
        let kind = QuestionKind::Completion { text: text.clone() };
        let text = match self.desk.ask_for(Some(request), server, kind).await {
            Answer::Accept { text: changed, .. } => changed.unwrap_or(text),
            Answer::Decline | Answer::Cancel => return Err(rejected()),
        };
        Ok(json!({
            "role": "assistant",
            "content": {"type": "text", "text": text},
            "model": "walden-local",
            "stopReason": reason,
        }))
    }

    fn count(&self, server: &str) -> u32 {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        match samples.iter_mut().find(|(name, _)| name == server) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                samples.push((server.to_owned(), 1));
                1
            }
        }
    }

    /// Asks the user for each of the pages that a call needs visited first. Returns whether all were agreed to.
    pub(super) async fn pages(&self, server: &str, pages: &Value) -> bool {
        let pages = pages.as_array().map(Vec::as_slice).unwrap_or_default();
        for page in pages.iter().take(3) {
            let mut params = Map::new();
            params.insert("mode".to_owned(), json!("url"));
            params.insert("message".to_owned(), page["message"].clone());
            params.insert("url".to_owned(), page["url"].clone());
            let answer = self.elicit(server, &Value::Object(params), None).await;
            if !matches!(answer, Ok(answer) if answer["action"] == "accept") {
                return false;
            }
        }
        !pages.is_empty()
    }
}

fn role(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
    }
}

/// Reads the messages of a question to the model: texts, alone or in a list.
fn messages(list: &Value) -> Result<Vec<(Speaker, String)>, (i64, String)> {
    let list = list.as_array().filter(|list| !list.is_empty());
    let Some(list) = list else {
        return Err((INVALID, "there are no messages".to_owned()));
    };
    list.iter()
        .map(|message| {
            let speaker = match message["role"].as_str() {
                Some("user") => Speaker::User,
                Some("assistant") => Speaker::Assistant,
                _ => {
                    let problem = "a message is from neither `user` nor `assistant`";
                    return Err((INVALID, problem.to_owned()));
                }
            };
            let blocks = match &message["content"] {
                Value::Array(blocks) => blocks.iter().collect(),
                block => vec![block],
            };
            let texts: Option<Vec<&str>> = blocks
                .into_iter()
                .map(|block| block["text"].as_str().filter(|_| block["type"] == "text"))
                .collect();
            match texts {
                Some(texts) => Ok((speaker, texts.join("\n"))),
                None => Err((INVALID, "walden's model reads text only".to_owned())),
            }
        })
        .collect()
}

/// Tells whether an address is one that a browser opens from the web, with nothing in it that hides another.
fn is_web_address(url: &str) -> bool {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && url.len() <= 4_096
            && !url.contains(|c: char| c.is_whitespace() || c.is_control())
    })
}

/// Writes a path as a `file` address.
pub(super) fn file_uri(path: &std::path::Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let mut uri = "file://".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(*byte));
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
#[path = "tests/answering.rs"]
mod tests;
