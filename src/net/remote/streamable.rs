//! Streamable HTTP of both eras: each message is a request of its own, and an answer is one message or a stream of
//! them.
//!
//! The older era has sessions, which end and are begun again, a standing stream for what the server says unasked, and
//! streams that go on where they broke off. The newer one has none of these: closing a request's stream calls it off.

mod streams;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::HeaderMap;
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};

use super::session::{Session, modern};
use super::speaker::{
    BOTH, EVENTS, Events, JSON, Speaker, accepts, is, message_of, refused_with, status_error,
};
use super::{Host, MESSAGE, Received, RemoteError, legacy};
use crate::net::Body;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// How long a message that is no request may take, and the end of a session.
const TELL: Duration = Duration::from_secs(30);
const END: Duration = Duration::from_secs(5);

/// How long the standing stream may take to open before the first request goes out.
const LISTEN: Duration = Duration::from_secs(1);

/// Carries messages until the host lets go of its end, or the server is gone.
pub(super) async fn run(speaker: Speaker, mut host: Host) {
    let shared = Arc::new(Shared {
        speaker,
        session: Session::default(),
        received: host.received.clone(),
        renewing: tokio::sync::Mutex::new(()),
    });
    let mut tasks = JoinSet::new();
    let mut open: HashMap<String, AbortHandle> = HashMap::new();
    loop {
        let message = tokio::select! {
            message = host.next() => message,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {
                open.retain(|_, task| !task.is_finished());
                continue;
            }
        };
        let Some(message) = message else { break };
        let shared = shared.clone();
        match (message["method"].as_str(), message.get("id").is_some()) {
            (Some("initialize"), true) => {
                let began = tokio::select! {
                    began = shared.begin(&message) => began,
                    () = host.stop.cancelled() => break,
                    () = shared.received.closed() => break,
                };
                if let Began::Older(events) = began {
                    return legacy::run(shared.speaker.clone(), host, Some((*events, message)))
                        .await;
                }
            }
            (Some(_), true) => {
                let id = message["id"].to_string();
                let task = tasks.spawn(async move { shared.ask(message).await });
                open.insert(id, task);
            }
            // What comes after it counts on it having arrived.
            (Some("notifications/initialized"), false) => {
                shared.tell(message).await;
                let (opened, open) = oneshot::channel();
                tasks.spawn(async move { shared.listen(opened).await });
                // What the server asks while it answers the first request may come by this stream, and would be lost
                // without it. One that says nothing before it has something to say is not waited for long.
                let _ = tokio::time::timeout(LISTEN, open).await;
            }
            (Some("notifications/cancelled"), false) => {
                let id = message["params"]["requestId"].to_string();
                let task = open.remove(&id);
                tasks.spawn(async move {
                    // In the older era a closed stream is no word; the stream stays until the word arrived.
                    if shared.session.generation() > 0 {
                        shared.tell(message).await;
                    }
                    if let Some(task) = task {
                        task.abort();
                    }
                });
            }
            _ => {
                tasks.spawn(async move { shared.tell(message).await });
            }
        }
    }
    tasks.shutdown().await;
    if shared.session.is_open() {
        // A server may not know how to, and its sessions end by themselves.
        let _ = tokio::time::timeout(END, shared.end()).await;
    }
    let _ = shared
        .received
        .send(Received::Ended("the connection is closed".to_owned()))
        .await;
}

struct Shared {
    speaker: Speaker,
    session: Session,
    received: mpsc::Sender<Received>,
    /// One renewal of the session at a time.
    renewing: tokio::sync::Mutex<()>,
}

/// What a beginning came to.
enum Began {
    /// What there was to say about it was said.
    Done,
    /// The server speaks HTTP+SSE; this is its stream.
    Older(Box<Events>),
}

/// A request, and what its answer said besides.
#[derive(Clone, Copy)]
struct Asked<'a> {
    message: &'a Value,
    session: Option<&'a HeaderValue>,
}

impl Shared {
    async fn post(
        &self,
        message: &Value,
        mut headers: HeaderMap,
    ) -> Result<Response<Body>, RemoteError> {
        headers.extend(accepts(BOTH));
        let body = Bytes::from(message.to_string());
        self.speaker
            .send(self.speaker.address(), Method::POST, &headers, body)
            .await
    }

    async fn say(&self, received: Received) {
        // Nobody listens when the host ended the connection.
        let _ = self.received.send(received).await;
    }

    /// Sends the request that begins a conversation.
    async fn begin(&self, message: &Value) -> Began {
        let answer = match self.post(message, self.session.headers(message).0).await {
            Ok(answer) => answer,
            Err(error) => {
                self.failed(message, error).await;
                return Began::Done;
            }
        };
        let status = answer.status();
        let older = [
            StatusCode::BAD_REQUEST,
            StatusCode::NOT_FOUND,
            StatusCode::METHOD_NOT_ALLOWED,
            StatusCode::NOT_ACCEPTABLE,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ];
        if !older.contains(&status) {
            if let Err(error) = self.answered(message, answer).await {
                self.failed(message, error).await;
            }
            return Began::Done;
        }
        let text = refused_with(answer).await;
        match error_of(&text) {
            Some(error) => self.deliver_error(message, error).await,
            None => match legacy::connect(&self.speaker).await {
                Ok(events) => return Began::Older(Box::new(events)),
                Err(_) => {
                    let error = status_error(self.speaker.address(), status, &text);
                    self.failed(message, error).await;
                }
            },
        }
        Began::Done
    }

    /// Makes a request, and says what comes of it.
    async fn ask(&self, message: Value) {
        if let Err(error) = self.asked(&message).await {
            self.failed(&message, error).await;
        }
    }

    async fn failed(&self, message: &Value, error: RemoteError) {
        let id = message.get("id").cloned();
        self.say(Received::Failed { id, error }).await;
    }

    async fn asked(&self, message: &Value) -> Result<(), RemoteError> {
        let (headers, generation) = self.session.headers(message);
        let in_session = headers.contains_key(SESSION);
        let mut answer = self.post(message, headers).await?;
        if answer.status() == StatusCode::NOT_FOUND && in_session {
            drop(answer);
            self.renew(generation).await?;
            answer = self.post(message, self.session.headers(message).0).await?;
        }
        self.answered(message, answer).await
    }

    async fn answered(&self, message: &Value, answer: Response<Body>) -> Result<(), RemoteError> {
        let status = answer.status();
        let session = answer.headers().get(SESSION).cloned();
        let asked = Asked {
            message,
            session: session.as_ref(),
        };
        if matches!(status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
            return Err(self
                .speaker
                .protocol_error("it took a request and gave no answer"));
        }
        if !status.is_success() {
            return self.refused(message, answer).await;
        }
        if is(&answer, EVENTS) {
            return self.follow(asked, Events::of(answer)).await;
        }
        if !is(&answer, JSON) {
            return Err(self
                .speaker
                .protocol_error("its answer is neither JSON nor an event stream"));
        }
        let text = answer.into_body().all(MESSAGE).await?;
        let answer: Value = serde_json::from_slice(&text)
            .map_err(|error| self.speaker.protocol_error(format!("no JSON: {error}")))?;
        let messages = match answer {
            Value::Array(batch) => batch,
            message => vec![message],
        };
        if !messages.iter().any(|one| answers(one, &message["id"])) {
            return Err(self
                .speaker
                .protocol_error("its answer is one to another request"));
        }
        for message in messages {
            self.deliver(asked, message).await;
        }
        Ok(())
    }

    /// Makes of a refusal what it means: the server's own error, where it sent one.
    async fn refused(&self, message: &Value, answer: Response<Body>) -> Result<(), RemoteError> {
        let status = answer.status();
        let text = refused_with(answer).await;
        let error = error_of(&text);
        let denied = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        // A server of the older era, or what stands before it, refuses in many ways what it does not know, and often
        // without this request's id. Whatever the words: it does not know the newer era.
        let unknown = message["method"] == "server/discover" && status.is_client_error() && !denied;
        match error {
            Some(error) if !denied => self.deliver_error(message, error).await,
            _ if unknown => {
                let error = json!({"code": -32601, "message": format!("HTTP {}", status.as_u16())});
                self.deliver_error(message, error).await;
            }
            _ => return Err(status_error(self.speaker.address(), status, &text)),
        }
        Ok(())
    }

    async fn deliver_error(&self, message: &Value, error: Value) {
        let answer = json!({"jsonrpc": "2.0", "id": message["id"], "error": error});
        self.say(Received::Message(answer)).await;
    }

    async fn deliver(&self, asked: Asked<'_>, mut message: Value) {
        if answers(&message, &asked.message["id"]) {
            match asked.message["method"].as_str() {
                Some("initialize") => self.session.begin(asked.message, &message, asked.session),
                Some("tools/list") if modern(asked.message).is_some() => {
                    self.session.tools(&mut message);
                }
                _ => {}
            }
        }
        self.say(Received::Message(message)).await;
    }

    /// Sends what is no request.
    async fn tell(&self, message: Value) {
        let (headers, _) = self.session.headers(&message);
        let told = tokio::time::timeout(TELL, self.post(&message, headers)).await;
        let problem = match told {
            Ok(Ok(answer)) if answer.status().is_success() => return,
            Ok(Ok(answer)) => format!("HTTP {}", answer.status().as_u16()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        let method = message["method"].as_str().unwrap_or("an answer");
        tracing::warn!(server = %self.speaker.address().origin(), "`{method}` did not arrive: {problem}");
    }

    /// Begins another session in the place of one that the server does not know any more, once for all requests that
    /// find out.
    async fn renew(&self, generation: u64) -> Result<(), RemoteError> {
        let _alone = self.renewing.lock().await;
        let Some(beginning) = self.session.beginning(generation) else {
            return Ok(());
        };
        let renewed = async {
            let mut request = beginning.clone();
            // The host has no request of this id, and the session takes no message of the host's.
            request["id"] = json!("renewal");
            let answer = self.post(&request, HeaderMap::new()).await?;
            let status = answer.status();
            if !status.is_success() {
                return Err(status_error(self.speaker.address(), status, b""));
            }
            let session = answer.headers().get(SESSION).cloned();
            let message = self.only_answer(answer).await?;
            if !message["result"]["protocolVersion"].is_string() {
                return Err(self
                    .speaker
                    .protocol_error("its session ended, and it began no other one"));
            }
            self.session.begin(&beginning, &message, session.as_ref());
            self.tell(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
                .await;
            Ok(())
        };
        tokio::time::timeout(TELL, renewed)
            .await
            .unwrap_or_else(|_| {
                Err(self
                    .speaker
                    .protocol_error("its session ended, and it is silent"))
            })
    }

    async fn only_answer(&self, answer: Response<Body>) -> Result<Value, RemoteError> {
        if is(&answer, EVENTS) {
            let mut events = Events::of(answer);
            while let Ok(Some(event)) = events.next().await {
                if let Some(message) = message_of(&event).filter(|one| one.get("method").is_none())
                {
                    return Ok(message);
                }
            }
            return Err(self
                .speaker
                .protocol_error("its stream ended before the answer"));
        }
        let text = answer.into_body().all(MESSAGE).await?;
        serde_json::from_slice(&text)
            .map_err(|error| self.speaker.protocol_error(format!("no JSON: {error}")))
    }

    async fn end(&self) -> Result<(), RemoteError> {
        let (headers, _) = self.session.plain_headers();
        self.speaker
            .send(
                self.speaker.address(),
                Method::DELETE,
                &headers,
                Bytes::new(),
            )
            .await?;
        Ok(())
    }
}

/// Returns whether a message is the answer to the request of an id.
fn answers(message: &Value, id: &Value) -> bool {
    if message.get("method").is_some() {
        return false;
    }
    let of = &message["id"];
    // Some servers make a text of a number.
    of == id || (of.is_string() && of.as_str() == Some(id.to_string().as_str()))
}

/// Reads the error of a refusal.
fn error_of(text: &[u8]) -> Option<Value> {
    let mut message: Value = serde_json::from_slice(text).ok()?;
    let error = message.get_mut("error")?.take();
    // An error of OAuth is a text, and none of the protocol.
    error["code"].is_i64().then_some(error)
}
