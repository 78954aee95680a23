//! What a server says unasked: requests are answered, changes are noted, the rest goes to its log.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use serde_json::Value;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::Subscribed;
use crate::mcp::answering::Answering;
use crate::mcp::event::HostEvent;
use crate::mcp::link::{Heard, Link};
use crate::mcp::log::Log;
use crate::mcp::text::short;
use crate::protocol::Level;

/// The most requests of a server that are answered at once.
const AT_ONCE: usize = 8;
/// How many visited pages are remembered.
const PAGES: usize = 64;

/// What listens to one server.
#[derive(Clone)]
pub(super) struct Ears {
    pub(super) server: String,
    pub(super) answering: Arc<Answering>,
    pub(super) log: Arc<Log>,
    /// Told when a list of the server's has changed.
    pub(super) changed: Arc<Notify>,
    pub(super) visit: Arc<watch::Sender<HashSet<String>>>,
    /// Resources that the user named; each change is told once until it is named again.
    pub(super) subscribed: Arc<Subscribed>,
    pub(super) events: mpsc::UnboundedSender<HostEvent>,
}

/// Listens until the server has nothing more to say.
pub(super) async fn hear(ears: Ears, link: Link, mut heard: mpsc::Receiver<Heard>) {
    let mut answers = JoinSet::new();
    let mut running: Vec<(Value, AbortHandle)> = Vec::new();
    loop {
        let heard = tokio::select! {
            heard = heard.recv() => heard,
            Some(_) = answers.join_next(), if !answers.is_empty() => {
                running.retain(|(_, task)| !task.is_finished());
                continue;
            }
        };
        match heard {
            None => return,
            Some(Heard::Request { id, method, params }) => {
                if answers.len() >= AT_ONCE {
                    let busy = (-32000, "walden is busy with earlier requests".to_owned());
                    // Not waited for: a server that does not read its answers must not stop the listening.
                    let link = link.clone();
                    answers.spawn(async move { link.answer(id, Err(busy)).await });
                    if answers.len() > 4 * AT_ONCE {
                        answers.join_next().await;
                    }
                    continue;
                }
                let (link, answering) = (link.clone(), Arc::clone(&ears.answering));
                let (server, key) = (ears.server.clone(), id.clone());
                let log = Arc::clone(&ears.log);
                let task = answers.spawn(async move {
                    let answer = answering.answer(&server, &method, &params).await;
                    if let Err((_, problem)) = &answer {
                        log.note(&format!("`{}` was refused: {problem}", short(&method, 60)));
                    }
                    link.answer(id, answer).await;
                });
                running.push((key, task));
            }
            Some(Heard::Withdrawn(id)) => {
                running.retain(|(running, task)| {
                    let is_it = *running == id;
                    if is_it {
                        task.abort();
                    }
                    !is_it
                });
            }
            Some(Heard::Notification { method, params }) => ears.notification(&method, &params),
            Some(Heard::Odd(what)) => ears.log.said(&what),
        }
    }
}

impl Ears {
    /// Tells that a resource changed which is in the conversation as it was.
    fn updated(&self, uri: Option<&str>) {
        let Some(uri) = uri else { return };
        let mut subscribed = self
            .subscribed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if subscribed.remove(uri) {
            let (server, uri) = (&self.server, short(uri, 200));
            let _ = self.events.send(HostEvent::Notice {
                level: Level::Info,
                text: format!(
                    "`{uri}` of the server `{server}` changed since you named it; `@{server}:{uri}` reads it again."
                ),
            });
        }
    }

    fn notification(&self, method: &str, params: &Value) {
        match method {
            "notifications/tools/list_changed"
            | "notifications/prompts/list_changed"
            | "notifications/resources/list_changed" => self.changed.notify_one(),
            "notifications/resources/updated" => self.updated(params["uri"].as_str()),
            "notifications/message" => {
                let level = params["level"].as_str().unwrap_or("info");
                let data = match &params["data"] {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                self.log.said(&format!("{}: {data}", short(level, 20)));
            }
            "notifications/elicitation/complete" => {
                if let Some(id) = params["elicitationId"].as_str() {
                    self.visit.send_modify(|visited| {
                        if visited.len() < PAGES {
                            visited.insert(id.to_owned());
                        }
                    });
                }
            }
            _ => {}
        }
    }
}
