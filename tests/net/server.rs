//! A server of the tests' own on a port of this machine: what it answers is told by each test, and what it was asked is
//! kept.

#![allow(dead_code, reason = "not every test asks a server everything")]

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What a server was asked.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// The message that it carries.
    pub(crate) fn message(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// What method of the protocol it carries.
    pub(crate) fn says(&self) -> String {
        self.message()["method"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// A field of its form.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let query = match self.target.split_once('?') {
            Some((_, query)) => query,
            None => &self.text,
        };
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then(|| unescape(value))
        })
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

pub(crate) fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = std::str::from_utf8(&rest[..2]).expect("two digits");
                bytes.push(u8::from_str_radix(digits, 16).expect("digits"));
                rest = &rest[2..];
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).expect("text")
}

/// An answer: a head, and pieces of a body that can come one after the other.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: mpsc::UnboundedReceiver<Bytes>,
}

impl Answer {
    pub(crate) fn new(status: u16, headers: &[(&str, &str)], text: &str) -> Self {
        let (tx, body) = mpsc::unbounded_channel();
        tx.send(Bytes::copy_from_slice(text.as_bytes()))
            .expect("open");
        Self {
            status,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body,
        }
    }

    pub(crate) fn json(value: &Value) -> Self {
        Self::new(
            200,
            &[("content-type", "application/json")],
            &value.to_string(),
        )
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self::new(status, &[], "")
    }

    /// A stream of events that the test writes; it ends when the sender is dropped.
    pub(crate) fn events() -> (Self, mpsc::UnboundedSender<Bytes>) {
        let (tx, body) = mpsc::unbounded_channel();
        let headers = vec![("content-type".to_owned(), "text/event-stream".to_owned())];
        let answer = Self {
            status: 200,
            headers,
            body,
        };
        (answer, tx)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: JoinSet<()>,
}

type Behaviour = Arc<dyn Fn(&Seen) -> Answer + Send + Sync>;

impl Server {
    pub(crate) async fn start(behaviour: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self::on(listener, behaviour)
    }

    /// Serves on a port that was taken before, so that what it answers can name it.
    pub(crate) fn on(
        listener: TcpListener,
        behaviour: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let behaviour: Behaviour = Arc::new(behaviour);
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let seen = seen.clone();
            async move {
                let mut connections = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let (seen, behaviour) = (seen.clone(), behaviour.clone());
                    connections.spawn(async move {
                        let service = service_fn(move |request| {
                            answer(request, seen.clone(), behaviour.clone())
                        });
                        let _ = http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
            }
        });
        Self {
            url,
            seen,
            _tasks: tasks,
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("not poisoned").clone()
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<Seen>>>,
    behaviour: Behaviour,
) -> Result<Response<Pieces>, Infallible> {
    let (head, body) = request.into_parts();
    let text = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let asked = Seen {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned()))
            .collect(),
        text: String::from_utf8_lossy(&text).into_owned(),
    };
    seen.lock().expect("not poisoned").push(asked.clone());
    let Answer {
        status,
        headers,
        body,
    } = behaviour(&asked);
    let mut response = Response::new(Pieces(body));
    *response.status_mut() = status.try_into().expect("a status");
    for (name, value) in headers {
        let name: hyper::header::HeaderName = name.parse().expect("a name");
        response
            .headers_mut()
            .append(name, value.parse().expect("a value"));
    }
    Ok(response)
}

struct Pieces(mpsc::UnboundedReceiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(cx)
            .map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}
