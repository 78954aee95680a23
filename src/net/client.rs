//! The HTTP client: requests over connections that are kept for a moment, answers of bounded size.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;

use super::{Address, AddressError, Connect, Origin};

/// How long a connection may lie unused before another one is opened: servers end theirs after five seconds.
const IDLE: Duration = Duration::from_secs(3);

/// The most unused connections to one server.
const SPARE: usize = 4;

/// How often an answer may point elsewhere on the same server.
const REDIRECTS: usize = 3;

/// How long a server may be silent in the middle of an answer that is no stream of events.
const SILENCE: Duration = Duration::from_secs(60);

/// The size of an answer's head, in bytes.
const HEAD: usize = 64 * 1024;

/// What went wrong between a server and this program.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("cannot connect to `{origin}`: {source}")]
    Connect { origin: Origin, source: io::Error },
    #[error("the connection to `{origin}` broke: {problem}")]
    Broken { origin: Origin, problem: String },
    #[error("`{origin}` was silent for {seconds} s")]
    Silent { origin: Origin, seconds: u64 },
    #[error("the answer of `{origin}` is larger than {limit} bytes")]
    TooLarge { origin: Origin, limit: usize },
    #[error(
        "`{origin}` points to another server, `{to}`, which is not followed; name that one if it is meant"
    )]
    Elsewhere { origin: Origin, to: String },
    #[error("`{origin}` points from one address to the next without end")]
    Circle { origin: Origin },
    #[error("`{url}` cannot be used: {source}")]
    Address { url: String, source: AddressError },
    #[error("the request to `{origin}` cannot be made: {problem}")]
    Request { origin: Origin, problem: String },
}

/// Makes requests. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    connect: Arc<dyn Connect>,
    spare: Mutex<HashMap<Origin, Vec<Wire>>>,
}

/// A connection, which ends when this is dropped.
struct Wire {
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<()>,
    unused_since: Instant,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// Creates a client whose connections come from `connect`.
    pub fn new(connect: Arc<dyn Connect>) -> Self {
        Self {
            shared: Arc::new(Shared {
                connect,
                spare: Mutex::default(),
            }),
        }
    }

    /// Makes a request, and returns the answer's head with what reads its body. A redirect that keeps the method is
    /// followed on the same server. Dropping the future or the body ends the request, and its connection.
    ///
    /// # Errors
    /// When there is no answer, or it points to another server.
    pub async fn send(
        &self,
        address: &Address,
        request: Request<Bytes>,
    ) -> Result<Response<Body>, HttpError> {
        let (head, body) = request.into_parts();
        let mut address = address.clone();
        for _ in 0..=REDIRECTS {
            let mut request = Request::new(body.clone());
            *request.method_mut() = head.method.clone();
            *request.headers_mut() = head.headers.clone();
            let answer = self.once(&address, request).await?;
            let kept = match answer.status() {
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
                StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => {
                    head.method == Method::GET
                }
                _ => false,
            };
            let location = answer
                .headers()
                .get(header::LOCATION)
                .and_then(|value| value.to_str().ok());
            let (true, Some(location)) = (kept, location) else {
                return Ok(answer);
            };
            let next = address
                .join(location)
                .map_err(|source| HttpError::Address {
                    url: location.to_owned(),
                    source,
                })?;
            if next.origin() != address.origin() {
                return Err(HttpError::Elsewhere {
                    origin: address.origin().clone(),
                    to: next.origin().to_string(),
                });
            }
            address = next;
        }
        Err(HttpError::Circle {
            origin: address.origin().clone(),
        })
    }

    /// Returns where a page redirects to, and goes there not.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn redirect_of(&self, address: &Address) -> Result<Option<String>, HttpError> {
        let answer = self.once(address, Request::new(Bytes::new())).await?;
        let location = answer.headers().get(header::LOCATION);
        Ok(location
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned))
    }

    async fn once(
        &self,
        address: &Address,
        request: Request<Bytes>,
    ) -> Result<Response<Body>, HttpError> {
        let origin = address.origin();
        let mut request = self.complete(address, request)?;
        while let Some(mut wire) = self.spare(origin) {
            if wire.sender.ready().await.is_err() {
                continue;
            }
            match wire.sender.try_send_request(request).await {
                Ok(answer) => return Ok(self.answer(origin, wire, answer)),
                // The server ended the connection before it took the request: another one is no repetition.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(broken(origin, error.error())),
                },
            }
        }
        let mut wire = self.open(origin).await?;
        match wire.sender.send_request(request).await {
            Ok(answer) => Ok(self.answer(origin, wire, answer)),
            Err(error) => Err(broken(origin, &error)),
        }
    }

    fn complete(
        &self,
        address: &Address,
        request: Request<Bytes>,
    ) -> Result<Request<Full<Bytes>>, HttpError> {
        let origin = address.origin();
        let failed = |problem: String| HttpError::Request {
            origin: origin.clone(),
            problem,
        };
        let mut request = request.map(Full::new);
        *request.uri_mut() = address
            .target()
            .parse()
            .map_err(|error: hyper::http::uri::InvalidUri| failed(error.to_string()))?;
        let host = HeaderValue::from_str(&origin.authority())
            .map_err(|error| failed(error.to_string()))?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, host);
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("walden/", env!("CARGO_PKG_VERSION"))),
        );
        Ok(request)
    }

    /// Takes the connection that was used last and can still be.
    fn spare(&self, origin: &Origin) -> Option<Wire> {
        let mut spare = self
            .shared
            .spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let wires = spare.get_mut(origin)?;
        wires.retain(|wire| wire.unused_since.elapsed() < IDLE && !wire.sender.is_closed());
        wires.pop()
    }

    async fn open(&self, origin: &Origin) -> Result<Wire, HttpError> {
        let stream = self
            .shared
            .connect
            .connect(origin)
            .await
            .map_err(|source| HttpError::Connect {
                origin: origin.clone(),
                source,
            })?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(origin, &error))?;
        // The task ends with the wire that holds it.
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("a connection broke: {error}");
            }
        });
        Ok(Wire {
            sender,
            task,
            unused_since: Instant::now(),
        })
    }

    fn answer(&self, origin: &Origin, wire: Wire, answer: Response<Incoming>) -> Response<Body> {
        answer.map(|incoming| Body {
            origin: origin.clone(),
            incoming,
            wire: Some(wire),
            client: self.clone(),
        })
    }

    fn keep(&self, origin: &Origin, mut wire: Wire) {
        wire.unused_since = Instant::now();
        let mut spare = self
            .shared
            .spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let wires = spare.entry(origin.clone()).or_default();
        if wires.len() < SPARE && !wire.sender.is_closed() {
            wires.push(wire);
        }
    }
}

fn broken(origin: &Origin, error: &hyper::Error) -> HttpError {
    let mut problem = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(deeper) = source {
        problem = format!("{problem}: {deeper}");
        source = deeper.source();
    }
    HttpError::Broken {
        origin: origin.clone(),
        problem,
    }
}

/// Reads an answer's body. Dropping it before its end ends the connection: that is how an answer is called off.
pub struct Body {
    origin: Origin,
    incoming: Incoming,
    wire: Option<Wire>,
    client: Client,
}

impl Body {
    /// Returns the next bytes, and none at the end. It waits as long as the server does.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        loop {
            match self.incoming.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
                Some(Err(error)) => {
                    self.wire = None;
                    return Err(broken(&self.origin, &error));
                }
                None => {
                    self.give_back();
                    return Ok(None);
                }
            }
        }
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// When it is larger than `limit`, the server falls silent, or the connection breaks.
    pub async fn all(mut self, limit: usize) -> Result<Vec<u8>, HttpError> {
        let mut bytes = Vec::new();
        loop {
            let chunk = tokio::time::timeout(SILENCE, self.chunk())
                .await
                .map_err(|_| HttpError::Silent {
                    origin: self.origin.clone(),
                    seconds: SILENCE.as_secs(),
                })??;
            let Some(chunk) = chunk else {
                return Ok(bytes);
            };
            if bytes.len() + chunk.len() > limit {
                return Err(HttpError::TooLarge {
                    origin: self.origin.clone(),
                    limit,
                });
            }
            bytes.extend_from_slice(&chunk);
        }
    }

    fn give_back(&mut self) {
        if let Some(wire) = self.wire.take() {
            self.client.keep(&self.origin, wire);
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        // An answer without a body is often not read at all.
        if self.incoming.is_end_stream() {
            self.give_back();
        }
    }
}
