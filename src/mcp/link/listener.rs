//! What comes over the wire: answers go to the requests that wait for them, and everything else to whoever listens.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::{Heard, Inner, LinkError, Progress, Waiting};
use crate::mcp::wire::Received;

/// How many messages that nobody asked for a server may send in a second before it is slowed down.
const UNASKED_A_SECOND: u32 = 10_000;
/// How much of a line of noise is kept.
const NOISE: usize = 300;

/// Hears what comes over the wire.
pub(super) struct Listener {
    pub(super) inner: std::sync::Weak<Inner>,
    pub(super) say: mpsc::Sender<Heard>,
    /// Messages that nobody asked for, since then.
    pub(super) unasked: u32,
    pub(super) since: Instant,
}

impl Listener {
    pub(super) async fn run(
        mut self,
        mut incoming: mpsc::Receiver<Received>,
        end: watch::Sender<Option<String>>,
    ) {
        let mut reason = "the connection ended".to_owned();
        while let Some(received) = incoming.recv().await {
            match received {
                Received::Message(Value::Array(batch)) => {
                    for message in batch {
                        self.message(message).await;
                    }
                }
                Received::Message(message) => self.message(message).await,
                Received::Unreadable { id, problem } => self.unreadable(id, problem).await,
                Received::Noise(line) => self.odd(format!("stdout: {line}")).await,
                Received::Ended(why) => {
                    reason = why;
                    break;
                }
            }
        }
        end.send_replace(Some(reason));
    }

    async fn message(&mut self, mut message: Value) {
        let method = message.get("method").and_then(Value::as_str);
        match (method.map(str::to_owned), message.get("id").cloned()) {
            (Some(method), Some(id)) => {
                let params = message["params"].take();
                self.slow_down().await;
                // Requests are never dropped: the server waits for the answer.
                let _ = self.say.send(Heard::Request { id, method, params }).await;
            }
            (Some(method), None) => {
                let params = message["params"].take();
                self.notification(method, params).await;
            }
            (None, Some(id)) => self.answered(&id, message).await,
            (None, None) => self.odd("a message without method and id".to_owned()).await,
        }
    }

    async fn notification(&mut self, method: String, params: Value) {
        match method.as_str() {
            "notifications/progress" => {
                if let Some(id) = number(&params["progressToken"])
                    && let Some(inner) = self.inner.upgrade()
                {
                    let requests = inner.lock();
                    let waiting = requests.waiting.get(&id).map(|one| &one.progress);
                    if let Some(progress) = waiting.or_else(|| requests.followed.get(&id)) {
                        progress.send_replace(Progress {
                            done: params["progress"].as_f64().unwrap_or_default(),
                            total: params["total"].as_f64(),
                            message: params["message"].as_str().map(str::to_owned),
                        });
                    }
                }
                self.slow_down().await;
            }
            "notifications/cancelled" => {
                let id = params["requestId"].clone();
                self.slow_down().await;
                let _ = self.say.send(Heard::Withdrawn(id)).await;
            }
            _ => {
                self.slow_down().await;
                let _ = self.say.send(Heard::Notification { method, params }).await;
            }
        }
    }

    async fn answered(&mut self, id: &Value, mut message: Value) {
        let waiting = number(id).and_then(|id| self.take(id));
        let Some(waiting) = waiting else {
            if number(id).is_some_and(|id| self.is_unheard(id)) {
                return;
            }
            return self
                .odd(format!("an answer to no request of ours (id {id})"))
                .await;
        };
        let result = match message.get_mut("error") {
            Some(error) if !error.is_null() => Err(LinkError::Refused {
                code: error["code"].as_i64().unwrap_or_default(),
                message: crate::mcp::text::short(
                    error["message"].as_str().unwrap_or("no message"),
                    500,
                ),
                data: error.get("data").cloned(),
            }),
            _ => match message.get_mut("result") {
                Some(result) => Ok(result.take()),
                None => Err(LinkError::Unreadable(
                    "the answer holds neither a result nor an error".to_owned(),
                )),
            },
        };
        let _ = waiting.answer.send(result);
    }

    async fn unreadable(&mut self, id: Option<u64>, problem: String) {
        let waiting = match id {
            Some(id) => self.take(id),
            // With one request open there is no doubt which one it answers.
            None => self.only_open().and_then(|id| self.take(id)),
        };
        match waiting {
            Some(waiting) => {
                let _ = waiting.answer.send(Err(LinkError::Unreadable(problem)));
            }
            None => self.odd(problem).await,
        }
    }

    fn is_unheard(&self, id: u64) -> bool {
        self.inner
            .upgrade()
            .is_some_and(|inner| inner.lock().unheard.remove(&id))
    }

    fn take(&self, id: u64) -> Option<Waiting> {
        self.inner.upgrade()?.lock().waiting.remove(&id)
    }

    fn only_open(&self) -> Option<u64> {
        let inner = self.inner.upgrade()?;
        let requests = inner.lock();
        let mut open = requests.waiting.keys();
        let only = open.next().copied();
        only.filter(|_| open.next().is_none())
    }

    async fn odd(&mut self, what: String) {
        self.slow_down().await;
        let what = crate::mcp::text::short(&what, NOISE);
        // What is only told is dropped when nobody has time for it.
        let _ = self.say.try_send(Heard::Odd(what));
    }

    /// Lets a server that floods wait: its messages then wait in its own pipe.
    async fn slow_down(&mut self) {
        if self.since.elapsed() > Duration::from_secs(1) {
            self.since = Instant::now();
            self.unasked = 0;
        }
        self.unasked += 1;
        if self.unasked > UNASKED_A_SECOND {
            tokio::time::sleep_until(self.since + Duration::from_secs(1)).await;
        }
    }
}

/// Reads an id that should be a number; some servers make a text of it.
fn number(id: &Value) -> Option<u64> {
    id.as_u64()
        .or_else(|| id.as_str()?.parse().ok())
        .or_else(|| {
            let id = id.as_f64()?;
            (id.fract() == 0.0 && (0.0..9e15).contains(&id)).then_some(id as u64)
        })
}
