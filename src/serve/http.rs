//! Serving over streamable HTTP: many clients, each of which must know the token.
//!
//! Both eras of the protocol: sessions for the older one, none for the newer one. A web page that a browser was led to
//! reaches nothing: a request must name an allowed host (CVE-2026-42559, DNS rebinding), come from no origin that was
//! not allowed, and carry the token. What a stranger can cost is bounded: connections, the time and size of a request,
//! sessions; and who only holds a connection gives way to who uses one (the `room` module).

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{
    ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::handler::server::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::gauges::{Gauges, HEALTH, METRICS, Now};
use super::message::Message;
use super::rate::Rate;
use super::room::{Desk, Guest, Room, Work};
use super::watched::{Make, Watched};
use super::{Client, Clients, ServeError, Served, ServedCall, Witness};

/// The header that names a session.
const SESSION: &str = "mcp-session-id";

/// Where the protocol is spoken.
const PATH: &str = "/mcp";

/// The most connections at once. A client holds two or three.
const CONNECTIONS: usize = 128;

/// The most requests of one session at once, its open stream among them; of all that have no session, as many.
const UNDER_WAY: usize = 32;

/// The most sessions of the older era at once.
const SESSIONS: usize = 64;

/// How long a session may be silent: a person may think, or be at lunch.
const SESSION_IDLE: Duration = Duration::from_secs(3_600);

/// The methods that a client's rate counts.
const CALLS: [&str; 4] = [
    "tools/call",
    "resources/read",
    "prompts/get",
    "completion/complete",
];

/// How long a client may take for a request's head, and for its body.
const HEAD_TIME: Duration = Duration::from_secs(15);
const BODY_TIME: Duration = Duration::from_secs(60);

/// How long answers under way may take when the server ends.
const END_TIME: Duration = Duration::from_secs(5);

/// Where to listen, and to whom.
#[derive(Clone)]
pub struct HttpOptions {
    pub address: SocketAddr,
    /// Other machines may connect.
    pub reach: Reach,
    pub clients: Clients,
    /// The largest request, in bytes.
    pub largest: usize,
    /// Names besides its own by which a client may call this machine.
    pub hosts: Vec<String>,
    /// Web pages that may call, as `https://host:port`.
    pub origins: Vec<String>,
    /// Writes down every call.
    pub witness: Witness,
}

impl std::fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut options = f.debug_struct("HttpOptions");
        options.field("address", &self.address);
        options.field("reach", &self.reach);
        options.field("clients", &self.clients);
        options.finish_non_exhaustive()
    }
}

/// Who can connect at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Programs of this machine.
    Loopback,
    /// Whoever reaches the address.
    Any,
}

/// A server that listens and does not answer yet.
#[derive(Debug)]
pub struct Http {
    listener: TcpListener,
    address: SocketAddr,
    options: HttpOptions,
}

impl Http {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the address cannot be had, or is open to other machines without that being asked for.
    pub async fn bind(options: HttpOptions) -> Result<Self, ServeError> {
        let address = options.address;
        if options.reach == Reach::Loopback && !address.ip().is_loopback() {
            return Err(ServeError::NotLoopback(address));
        }
        let failed = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        Ok(Self {
            address: listener.local_addr().map_err(failed)?,
            listener,
            options,
        })
    }

    /// Returns where clients connect to.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// Serves clients until it is told to stop. Each session gets a server of its own; so does, in the newer era, each
    /// request. `make` is asked for the server of a client by its name where the client has folders of its own, and
    /// without a name for all others.
    pub async fn serve<S: ServerHandler>(
        self,
        make: impl Fn(Option<&str>) -> S + Send + Sync + 'static,
        stop: impl Future<Output = ()>,
    ) {
        let ending = CancellationToken::new();
        let gate = Arc::new(self.gate(make, ending.clone()));
        let room = Room::new(CONNECTIONS, UNDER_WAY);
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok((stream, _)) => {
                    // A place is sought for one that is there: for nobody, no one is sent away.
                    let guest = tokio::select! {
                        () = &mut stop => break,
                        guest = room.enter() => guest,
                    };
                    let (gate, ending) = (gate.clone(), ending.clone());
                    connections.spawn(gate.connection(stream, guest, ending));
                }
                Err(error) => {
                    // Out of descriptors, most likely: others have to end first.
                    tracing::warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self.listener);
        ending.cancel();
        let ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(END_TIME, ended).await.is_err() {
            connections.shutdown().await;
        }
    }

    fn gate<S: ServerHandler>(
        &self,
        make: impl Fn(Option<&str>) -> S + Send + Sync + 'static,
        ending: CancellationToken,
    ) -> Gate<S> {
        let mut hosts = vec![
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
        ];
        if !self.address.ip().is_unspecified() {
            hosts.push(match self.address.ip() {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => ip.to_string(),
            });
        }
        hosts.extend(self.options.hosts.iter().cloned());
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(hosts)
            .with_allowed_origins(self.options.origins.iter().cloned())
            .enforce_origin_validation()
            .with_max_request_body_bytes(self.options.largest)
            .with_cancellation_token(ending);
        let mut sessions = LocalSessionManager::default();
        sessions.session_config.keep_alive = Some(SESSION_IDLE);
        let sessions = Arc::new(sessions);
        Gate {
            clients: self.options.clients.clone(),
            largest: self.options.largest,
            owners: Mutex::default(),
            gauges: Gauges::new(),
            witness: Arc::clone(&self.options.witness),
            service: StreamableHttpService::new(
                {
                    let witness = Arc::clone(&self.options.witness);
                    let make: Make<S> = Arc::new(make);
                    move || Ok(Watched::new(Arc::clone(&make), Arc::clone(&witness)))
                },
                sessions.clone(),
                config,
            ),
            sessions,
        }
    }
}

/// What stands between a connection and the server.
struct Gate<S> {
    clients: Clients,
    largest: usize,
    /// Which client began which session: nobody else goes on with it.
    owners: Mutex<HashMap<Vec<u8>, String>>,
    gauges: Gauges,
    witness: Witness,
    sessions: Arc<LocalSessionManager>,
    service: StreamableHttpService<Watched<S>, LocalSessionManager>,
}

impl<S: ServerHandler> Gate<S> {
    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        guest: Guest,
        ending: CancellationToken,
    ) {
        let (desk, dismissal) = (guest.desk(), guest.dismissal());
        let service = hyper::service::service_fn(move |request| {
            let answer = self.clone().answer(request, desk.clone());
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = dismissal.cancelled() => return,
            () = ending.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!("a connection broke: {error}");
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        desk: Desk,
    ) -> Response<Content<impl Body<Data = Bytes, Error = Infallible> + Unpin>> {
        // Whoever looks whether it is there, such as what starts it again, has no token.
        if request.method() == Method::GET && request.uri().path() == HEALTH {
            return plain(StatusCode::OK, Bytes::from_static(b"ok\n"));
        }
        let gate = Arc::clone(&self);
        let answer = self.admitted(request, desk).await;
        gate.gauges.answered(answer.status().as_u16());
        answer
    }

    async fn admitted(
        self: Arc<Self>,
        request: Request<Incoming>,
        desk: Desk,
    ) -> Response<Content<impl Body<Data = Bytes, Error = Infallible> + Unpin>> {
        let (mut head, body) = request.into_parts();
        let authorization = head.headers.get(AUTHORIZATION);
        let Some(client) = self
            .clients
            .who(authorization.map(|value| value.as_bytes()))
        else {
            let asked = (WWW_AUTHENTICATE, "Bearer");
            return refusal(
                StatusCode::UNAUTHORIZED,
                Some(asked),
                "the token is missing or wrong",
            );
        };
        desk.admit();
        if head.method == Method::GET && head.uri.path() == METRICS {
            let (connections, under_way) = desk.counts();
            let text = self.gauges.text(Now {
                connections,
                under_way,
                sessions: self.sessions.sessions.read().await.len(),
            });
            return plain(StatusCode::OK, text.into());
        }
        if head.uri.path() != PATH {
            return refusal(
                StatusCode::NOT_FOUND,
                None,
                "there is nothing but /mcp, /healthz and /metrics here",
            );
        }
        if ![Method::GET, Method::POST, Method::DELETE].contains(&head.method) {
            let allowed = (ALLOW, "GET, POST, DELETE");
            return refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                Some(allowed),
                "no such method here",
            );
        }
        let body = match tokio::time::timeout(BODY_TIME, read(body, self.largest)).await {
            Ok(Ok(body)) => body,
            Ok(Err(TooLarge)) => {
                let text = format!("the request is larger than {} MiB", self.largest >> 20);
                return plain(StatusCode::PAYLOAD_TOO_LARGE, text.into());
            }
            Err(_) => {
                return refusal(
                    StatusCode::REQUEST_TIMEOUT,
                    None,
                    "the request took too long",
                );
            }
        };
        let message = match brings_json(&head).then(|| Message::read(&body)) {
            Some(Err(answer)) => {
                let mut answer = plain(StatusCode::BAD_REQUEST, answer.into());
                let json = HeaderValue::from_static("application/json");
                answer.headers_mut().insert(CONTENT_TYPE, json);
                return answer;
            }
            Some(Ok(message)) => Some(message),
            None => None,
        };
        let begins = message.as_ref().is_some_and(begins_a_session);
        if begins && self.sessions.sessions.read().await.len() >= SESSIONS {
            let later = (RETRY_AFTER, "60");
            return refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                Some(later),
                "too many sessions are open",
            );
        }
        if message.as_ref().is_some_and(is_call)
            && let Some(rate) = &client.rate
            && let Err(beyond) = rate.call(Instant::now())
        {
            self.over_rate(&client, rate, beyond.is_first).await;
            let text = format!(
                "`{}` has made its {} calls of this minute",
                client.name,
                rate.calls()
            );
            let mut answer = plain(StatusCode::TOO_MANY_REQUESTS, text.into());
            answer
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(beyond.seconds()));
            return answer;
        }
        // Not before all of it is there: one that sends slowly does nothing yet.
        let session = head.headers.get(SESSION).map(|id| id.as_bytes());
        let Some(work) = desk.begin(session.unwrap_or_default()) else {
            return refusal(
                StatusCode::TOO_MANY_REQUESTS,
                Some((RETRY_AFTER, "1")),
                "too many requests are under way",
            );
        };
        let session = session.map(<[u8]>::to_vec);
        let is_gone = head.method == Method::DELETE && !self.is_open(session.as_deref()).await;
        if is_gone || session.is_some_and(|id| self.is_of_another(&id, &client.name)) {
            return refusal(StatusCode::NOT_FOUND, None, "there is no such session");
        }
        let name = client.name.clone();
        head.extensions.insert(client);
        let request = Request::from_parts(head, Content::<Nothing>::Text(body));
        let answer = self.service.handle(request).await;
        if let Some(id) = answer.headers().get(SESSION) {
            self.owned(id.as_bytes(), name).await;
        }
        answer.map(|body| Content::Stream(body, Some(work)))
    }
}

impl<S> Gate<S> {
    /// Notes that a client calls more often than it may: in the audit log when it comes to that, as each call of a client
    /// that goes on would only fill it.
    async fn over_rate(&self, client: &Client, rate: &Rate, is_first: bool) {
        self.gauges.over_rate();
        if !is_first {
            return;
        }
        let witness = Arc::clone(&self.witness);
        let call = ServedCall {
            client: client.name.clone(),
            tool: String::new(),
            arguments: serde_json::Map::new(),
            served: Served::OverRate { rate: rate.calls() },
        };
        let noted = tokio::task::spawn_blocking(move || witness(None, call)).await;
        if let Err(problem) = noted.unwrap_or_else(|error| Err(error.to_string())) {
            tracing::error!("a client's rate cannot be written down: {problem}");
        }
    }

    /// Tells whether a session is there; one that is not named is for others to miss.
    async fn is_open(&self, session: Option<&[u8]>) -> bool {
        let Some(session) = session else { return true };
        let open = self.sessions.sessions.read().await;
        open.keys().any(|id| id.as_bytes() == session)
    }

    /// Tells whether a session is not this client's.
    fn is_of_another(&self, session: &[u8], client: &str) -> bool {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.get(session).is_some_and(|owner| owner != client)
    }

    /// Notes whose a session is; those that ended are forgotten now and then.
    async fn owned(&self, session: &[u8], client: String) {
        let open = self.sessions.sessions.read().await;
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if owners.len() > 2 * SESSIONS {
            owners.retain(|id, _| open.keys().any(|one| one.as_bytes() == id.as_slice()));
        }
        owners.entry(session.to_vec()).or_insert(client);
    }
}

fn begins_a_session(message: &Message) -> bool {
    message.method() == Some("initialize")
}

/// Tells whether a message counts as a call: it has work done, and is no part of beginning or of looking around.
fn is_call(message: &Message) -> bool {
    message
        .method()
        .is_some_and(|method| CALLS.contains(&method))
}

/// Tells whether a request says that it brings JSON; one that brings something else is refused for that.
fn brings_json(head: &Parts) -> bool {
    let kind = head.headers.get(CONTENT_TYPE);
    head.method == Method::POST
        && kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

fn refusal<B>(
    status: StatusCode,
    header: Option<(HeaderName, &'static str)>,
    text: &'static str,
) -> Response<Content<B>> {
    let mut response = plain(status, Bytes::from_static(text.as_bytes()));
    response
        .headers_mut()
        .extend(header.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

fn plain<B>(status: StatusCode, text: Bytes) -> Response<Content<B>> {
    let mut response = Response::new(Content::Text(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

struct TooLarge;

/// Reads a request's body to its end. One that breaks off is as good as ended: it will be no message.
async fn read(mut body: Incoming, largest: usize) -> Result<Bytes, TooLarge> {
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await
    {
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > largest {
                return Err(TooLarge);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.into())
}

/// A body: a text, or what the server streams.
enum Content<B> {
    Text(Bytes),
    /// What is under way until it ends.
    Stream(B, Option<Work>),
}

impl<B: Body<Data = Bytes, Error = Infallible> + Unpin> Body for Content<B> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Text(text) if text.is_empty() => Poll::Ready(None),
            Self::Text(text) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
            Self::Stream(body, work) => {
                let frame = Pin::new(body).poll_frame(cx);
                if matches!(frame, Poll::Ready(None)) {
                    *work = None;
                }
                frame
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Stream(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => SizeHint::with_exact(text.len() as u64),
            Self::Stream(body, _) => body.size_hint(),
        }
    }
}

/// A stream that there is none of.
enum Nothing {}

impl Body for Nothing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match *self {}
    }
}
