//! MCP over the network: messages to and from one server, as JSON, whatever of HTTP carries them.
//!
//! Messages are not parsed into types here: what a newer server says besides what this program knows reaches the host
//! as it is.

mod headers;
mod legacy;
mod session;
mod speaker;
mod streamable;

use std::sync::Arc;

use hyper::header::{HeaderName, HeaderValue};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::oauth::{Authorizer, OAuthError};
use super::{Address, Client, HttpError};

/// The largest message that a server may send, in bytes.
const MESSAGE: usize = 64 * 1024 * 1024;

/// How many messages may wait on either side.
const WAITING: usize = 64;

/// A server on the network.
#[derive(Debug, Clone)]
pub struct Endpoint {
    address: Address,
    headers: Arc<Vec<(HeaderName, HeaderValue)>>,
    authorizer: Option<Arc<Authorizer>>,
}

/// The way a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Streamable HTTP: one address, requests and answers. A server that turns out to speak the older way is spoken to
    /// in that.
    Streamable,
    /// HTTP+SSE of 2024-11-05: one stream for all answers, another address for requests.
    Sse,
}

/// What came from a server.
#[derive(Debug)]
pub enum Received {
    Message(Value),
    /// A request (by its id) or another message got no answer, and will get none.
    Failed {
        id: Option<Value>,
        error: RemoteError,
    },
    /// Nothing more will come, for this reason.
    Ended(String),
}

/// Messages to and from one server. Dropping it ends what carries them; letting go of `outgoing` alone ends it in
/// order, and `incoming` says when that is done.
#[derive(Debug)]
pub struct Pipe {
    pub outgoing: mpsc::Sender<Value>,
    pub incoming: mpsc::Receiver<Received>,
    /// What moves the messages.
    pub tasks: JoinSet<()>,
    /// Ends it in order, while others still hold `outgoing`.
    pub stop: CancellationToken,
}

/// The other ends of a pipe.
struct Host {
    to_send: mpsc::Receiver<Value>,
    received: mpsc::Sender<Received>,
    stop: CancellationToken,
}

impl Host {
    /// Returns the next message to send, and none when there will be no other.
    async fn next(&mut self) -> Option<Value> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            () = self.received.closed() => None,
            message = self.to_send.recv() => message,
        }
    }
}

/// Why an endpoint cannot be made, or a message has no answer.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    #[error("the header `{0}` cannot be set: it is the protocol's own")]
    ReservedHeader(String),
    #[error(
        "the header `{0}` cannot be sent: its name or value has characters that HTTP does not allow"
    )]
    Header(String),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("`{address}` answered with HTTP {status}{detail}")]
    Status {
        address: Address,
        status: u16,
        detail: String,
    },
    #[error("`{0}` asks for authorization, and the headers set for it do not satisfy it")]
    Unauthorized(Address),
    #[error("`{address}` answered with something else than the protocol says: {problem}")]
    Protocol { address: Address, problem: String },
    #[error(transparent)]
    Authorization(#[from] OAuthError),
}

/// Headers that are the protocol's or the connection's own.
const RESERVED: &[&str] = &[
    "accept",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Endpoint {
    /// Describes a server at `address`, to which `headers` go with each request.
    ///
    /// # Errors
    /// When a header cannot be sent, or is the protocol's own.
    pub fn new<'a>(
        address: Address,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, RemoteError> {
        let mut sent = Vec::new();
        for (name, value) in headers {
            let bad = || RemoteError::Header(crate::protocol::sanitize_line(name));
            let header: HeaderName = name.parse().map_err(|_| bad())?;
            if RESERVED.contains(&header.as_str()) || header.as_str().starts_with("mcp-param-") {
                return Err(RemoteError::ReservedHeader(name.to_owned()));
            }
            let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
            // Whatever a person puts there may be a secret: it is not shown when the request is.
            value.set_sensitive(true);
            sent.push((header, value));
        }
        Ok(Self {
            address,
            headers: Arc::new(sent),
            authorizer: None,
        })
    }

    /// Lets `authorizer` answer when the server asks for authorization. It does not where a header of the person's own
    /// authorizes already.
    #[must_use]
    pub fn authorized_by(mut self, authorizer: Arc<Authorizer>) -> Self {
        let own = self
            .headers
            .iter()
            .any(|(name, _)| name == hyper::header::AUTHORIZATION);
        if !own {
            self.authorizer = Some(authorizer);
        }
        self
    }

    /// Returns where the server is.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

/// Opens a way to a server. The first message connects. It must be called within a runtime.
pub fn open(client: Client, endpoint: Endpoint, kind: Kind) -> Pipe {
    let (outgoing, to_send) = mpsc::channel(WAITING);
    let (received, incoming) = mpsc::channel(WAITING);
    let speaker = speaker::Speaker::new(client, endpoint);
    let stop = CancellationToken::new();
    let host = Host {
        to_send,
        received,
        stop: stop.clone(),
    };
    let mut tasks = JoinSet::new();
    match kind {
        Kind::Streamable => tasks.spawn(streamable::run(speaker, host)),
        Kind::Sse => tasks.spawn(legacy::run(speaker, host, None)),
    };
    Pipe {
        outgoing,
        incoming,
        tasks,
        stop,
    }
}
