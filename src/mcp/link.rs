//! A link: requests and their answers over a wire.
//!
//! Messages are kept as JSON here and are looked at leniently: one odd item of an answer costs that item and not the
//! answer. Whatever a server does, a request ends: with its answer, with an error, at its time limit, or when the wire
//! ends. Dropping a request's future cancels it at the server.

mod listener;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::wire::{WAITING, Wire};
use listener::Listener;

/// The error codes of the protocol that mean something here.
pub(super) const METHOD_NOT_FOUND: i64 = -32601;
pub(super) const UNSUPPORTED_VERSION: i64 = -32022;
pub(super) const PAGE_REQUIRED: i64 = -32042;

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum LinkError {
    #[error("{0}")]
    Ended(String),
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
    #[error("{0}")]
    Unreadable(String),
    #[error("{message} (error {code})")]
    Refused {
        code: i64,
        message: String,
        data: Option<Value>,
    },
}

/// How long a request may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Without an answer or progress.
    pub(super) idle: Duration,
    /// In all, however much progress there is.
    pub(super) total: Duration,
}

impl Patience {
    /// One limit for both.
    pub(super) fn of(limit: Duration) -> Self {
        Self {
            idle: limit,
            total: limit,
        }
    }
}

/// How far a server says that it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Progress {
    pub(super) done: f64,
    pub(super) total: Option<f64>,
    pub(super) message: Option<String>,
}

/// What a server says unasked.
#[derive(Debug)]
pub(super) enum Heard {
    /// A request of the server's own, to be answered with [`Link::answer`].
    Request {
        id: Value,
        method: String,
        params: Value,
    },
    /// The server does not want the answer to its request any more.
    Withdrawn(Value),
    Notification {
        method: String,
        params: Value,
    },
    /// A line that is no message, or an answer to nothing.
    Odd(String),
}

/// One side of a conversation with a server. Cloning gives another handle of the same link.
#[derive(Clone)]
pub(super) struct Link(Arc<Inner>);

struct Inner {
    outgoing: mpsc::Sender<Value>,
    requests: Mutex<Requests>,
    ended: watch::Receiver<Option<String>>,
    /// What every request carries in its `_meta` (servers of the stateless era).
    meta: OnceLock<Map<String, Value>>,
}

#[derive(Default)]
struct Requests {
    last: u64,
    waiting: HashMap<u64, Waiting>,
    /// Progress of what goes on after its request was answered, by its token.
    followed: HashMap<u64, watch::Sender<Progress>>,
    /// Requests whose answers nobody waits for.
    unheard: HashSet<u64>,
}

struct Waiting {
    answer: oneshot::Sender<Result<Value, LinkError>>,
    progress: watch::Sender<Progress>,
}

impl Link {
    /// Starts to listen. The receiver gives what the server says unasked; the tasks belong to the caller.
    pub(super) fn start(wire: Wire) -> (Self, mpsc::Receiver<Heard>, JoinSet<()>) {
        let Wire {
            outgoing,
            incoming,
            mut tasks,
            stop: _,
        } = wire;
        let (say, heard) = mpsc::channel(WAITING);
        let (end, ended) = watch::channel(None);
        let link = Self(Arc::new(Inner {
            outgoing,
            requests: Mutex::default(),
            ended,
            meta: OnceLock::new(),
        }));
        let listener = Listener {
            // A strong handle would keep the writer, and by it the server, alive for ever.
            inner: Arc::downgrade(&link.0),
            say,
            unasked: 0,
            since: Instant::now(),
        };
        tasks.spawn(listener.run(incoming, end));
        (link, heard, tasks)
    }

    /// Says what every request carries from now on. It can be said once.
    pub(super) fn carry(&self, meta: Map<String, Value>) {
        let _ = self.0.meta.set(meta);
    }

    /// Makes a request and waits for its answer.
    pub(super) async fn request(
        &self,
        method: &str,
        params: Value,
        patience: Patience,
    ) -> Result<Value, LinkError> {
        self.request_with(method, params, patience, |_| {}).await
    }

    /// Makes a request and waits for its answer; tells how far it is.
    pub(super) async fn request_with(
        &self,
        method: &str,
        mut params: Value,
        patience: Patience,
        tell: impl Fn(&Progress),
    ) -> Result<Value, LinkError> {
        let (answer, mut answered) = oneshot::channel();
        let (progress, mut progressed) = watch::channel(Progress::default());
        let id = {
            let mut requests = self.0.lock();
            requests.last += 1;
            let id = requests.last;
            requests.waiting.insert(id, Waiting { answer, progress });
            id
        };
        let mut open = Open {
            inner: &self.0,
            id,
            cancels: method != "initialize",
        };
        self.fill(&mut params, id);
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let start = Instant::now();
        let end = start + patience.total;
        let mut idle = start + patience.idle;
        let mut ended = self.0.ended.clone();
        let sending = self.0.outgoing.send(message);
        tokio::pin!(sending);
        let mut is_sent = false;
        let mut progresses = true;
        let result = loop {
            tokio::select! {
                biased;
                answer = &mut answered => {
                    break answer.unwrap_or_else(|_| Err(LinkError::Ended("the connection ended".to_owned())));
                }
                reason = ended.wait_for(Option::is_some) => {
                    let reason = reason.ok().and_then(|reason| reason.clone());
                    break Err(LinkError::Ended(reason.unwrap_or_else(|| "the connection ended".to_owned())));
                }
                sent = &mut sending, if !is_sent => {
                    is_sent = true;
                    if sent.is_err() {
                        break Err(LinkError::Ended("the connection is closed".to_owned()));
                    }
                }
                changed = progressed.changed(), if progresses => {
                    progresses = changed.is_ok();
                    if progresses {
                        idle = Instant::now() + patience.idle;
                        tell(&progressed.borrow_and_update());
                    }
                }
                () = tokio::time::sleep_until(idle.min(end)) => {
                    break Err(LinkError::Silent(if idle < end { patience.idle } else { patience.total }));
                }
            }
        };
        open.cancels &= matches!(result, Err(LinkError::Silent(_)));
        result
    }

    /// Adds what every request carries: a token for its progress, and what the era wants.
    fn fill(&self, params: &mut Value, id: u64) {
        if !params.is_object() {
            *params = json!({});
        }
        let meta = &mut params["_meta"];
        if !meta.is_object() {
            *meta = json!({});
        }
        if meta["progressToken"].is_null() {
            meta["progressToken"] = json!(id);
        }
        for (key, value) in self.0.meta.get().into_iter().flatten() {
            meta[key] = value.clone();
        }
    }

    /// Gives a token for the progress of something that outlives the request which begins it. It is to be put in that
    /// request's `_meta.progressToken`.
    pub(super) fn token(&self) -> Token {
        let (progress, told) = watch::channel(Progress::default());
        let mut requests = self.0.lock();
        requests.last += 1;
        let number = requests.last;
        requests.followed.insert(number, progress);
        Token {
            link: self.clone(),
            number,
            told,
        }
    }

    /// Makes a request whose answer is of no interest, unless the server does not read any more.
    pub(super) fn fire(&self, method: &str, mut params: Value) {
        let id = {
            let mut requests = self.0.lock();
            requests.last += 1;
            let id = requests.last;
            requests.unheard.insert(id);
            id
        };
        self.fill(&mut params, id);
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let _ = self.0.outgoing.try_send(message);
    }

    /// Sends a notification, unless the server does not read any more.
    pub(super) fn notify(&self, method: &str, params: &Value) {
        let _ = self
            .0
            .outgoing
            .try_send(json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Answers a request of the server's.
    pub(super) async fn answer(&self, id: Value, answer: Result<Value, (i64, String)>) {
        let message = match answer {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err((code, message)) => {
                json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
            }
        };
        let _ = self.0.outgoing.send(message).await;
    }

    /// Tells whether the wire has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.0.ended.borrow().is_some()
    }

    /// Waits until the wire has ended, and says why.
    pub(super) async fn ended(&self) -> String {
        let mut ended = self.0.ended.clone();
        let reason = ended.wait_for(Option::is_some).await;
        reason
            .ok()
            .and_then(|reason| reason.clone())
            .unwrap_or_else(|| "the connection ended".to_owned())
    }
}

/// A token for progress, for as long as it is held.
pub(super) struct Token {
    link: Link,
    pub(super) number: u64,
    pub(super) told: watch::Receiver<Progress>,
}

impl Drop for Token {
    fn drop(&mut self) {
        self.link.0.lock().followed.remove(&self.number);
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, Requests> {
        // Nothing panics while it is held.
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits. Dropping it forgets the request, and cancels it at the server where that is wanted.
struct Open<'a> {
    inner: &'a Inner,
    id: u64,
    cancels: bool,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let was_open = self.inner.lock().waiting.remove(&self.id).is_some();
        if was_open && self.cancels {
            let _ = self.inner.outgoing.try_send(json!({
                "jsonrpc": "2.0",
                "method": "notifications/cancelled",
                "params": {"requestId": self.id, "reason": "not wanted any more"},
            }));
        }
    }
}

#[cfg(test)]
#[path = "tests/link.rs"]
mod tests;
