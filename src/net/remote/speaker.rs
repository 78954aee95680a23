//! Requests to one server, with its headers and its authorization.

use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::http::HeaderMap;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::Value;

use super::{Endpoint, MESSAGE, RemoteError};
use crate::net::events::{Event, EventReader};
use crate::net::{Address, Body, Client};

pub(super) const JSON: &str = "application/json";
pub(super) const EVENTS: &str = "text/event-stream";
pub(super) const BOTH: &str = "application/json, text/event-stream";

/// How often one request may be answered by asking for (more) authorization.
const CHALLENGES: usize = 3;

/// The most of a refusal that is read, in bytes, and the most of it that is shown, in characters.
const REFUSAL: usize = 64 * 1024;
const SHOWN: usize = 300;

/// Makes requests to one server.
#[derive(Debug, Clone)]
pub(super) struct Speaker {
    client: Client,
    endpoint: Endpoint,
}

impl Speaker {
    pub(super) fn new(client: Client, endpoint: Endpoint) -> Self {
        Self { client, endpoint }
    }

    pub(super) fn address(&self) -> &Address {
        &self.endpoint.address
    }

    /// Makes a request to the server, or to another address of it. What it says about authorization is answered here.
    pub(super) async fn send(
        &self,
        address: &Address,
        method: Method,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Body>, RemoteError> {
        debug_assert_eq!(address.origin(), self.endpoint.address.origin());
        let authorizer = self.endpoint.authorizer.as_ref();
        let mut challenges = 0;
        loop {
            let mut request = Request::new(body.clone());
            *request.method_mut() = method.clone();
            let sent = request.headers_mut();
            sent.extend(self.endpoint.headers.iter().cloned());
            sent.extend(headers.clone());
            if !body.is_empty() {
                sent.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
            }
            let token = match authorizer {
                Some(authorizer) => authorizer.token().await?,
                None => None,
            };
            if let Some(token) = &token {
                sent.insert(AUTHORIZATION, token.header()?);
            }
            let answer = self.client.send(address, request).await?;
            let status = answer.status();
            let Some(authorizer) = authorizer else {
                return match status {
                    StatusCode::UNAUTHORIZED => Err(RemoteError::Unauthorized(address.clone())),
                    _ => Ok(answer),
                };
            };
            if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                if token.is_some() {
                    authorizer.accepted().await;
                }
                return Ok(answer);
            }
            let challenge = challenge(&answer);
            // What it says besides is for the person, and its connection should not wait for one.
            let refused = refusal(address, answer).await;
            challenges += 1;
            let again = challenges <= CHALLENGES
                && authorizer
                    .challenged(status, challenge.as_deref(), token.as_ref())
                    .await?;
            if !again {
                return Err(refused);
            }
        }
    }

    pub(super) fn protocol_error(&self, problem: impl Into<String>) -> RemoteError {
        RemoteError::Protocol {
            address: self.endpoint.address.clone(),
            problem: problem.into(),
        }
    }
}

/// Joins the challenges of an answer: several headers mean the same as one with commas.
fn challenge(answer: &Response<Body>) -> Option<String> {
    let all: Vec<&str> = answer
        .headers()
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// Says what a server refused with.
pub(super) async fn refusal(address: &Address, answer: Response<Body>) -> RemoteError {
    let status = answer.status();
    let text = refused_with(answer).await;
    status_error(address, status, &text)
}

/// Reads what a server refused with, as far as it is of use.
pub(super) async fn refused_with(answer: Response<Body>) -> Vec<u8> {
    answer.into_body().all(REFUSAL).await.unwrap_or_default()
}

pub(super) fn status_error(address: &Address, status: StatusCode, text: &[u8]) -> RemoteError {
    let text = String::from_utf8_lossy(text);
    // Of a page nothing is worth showing.
    let text = match text.trim_start().starts_with('<') {
        true => String::new(),
        false => crate::protocol::sanitize_line(text.trim()),
    };
    let shown: String = text.chars().take(SHOWN).collect();
    RemoteError::Status {
        address: address.clone(),
        status: status.as_u16(),
        detail: match shown.is_empty() {
            true => String::new(),
            false => format!(": {shown}"),
        },
    }
}

/// Returns whether an answer's body is of a media type.
pub(super) fn is(answer: &Response<Body>, media: &str) -> bool {
    answer
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|value| value.trim().eq_ignore_ascii_case(media))
}

/// The header that says which answers are understood.
pub(super) fn accepts(media: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(media))])
}

/// The events of one answer.
pub(super) struct Events {
    body: Body,
    reader: EventReader,
    ready: std::vec::IntoIter<Event>,
}

impl Events {
    pub(super) fn of(answer: Response<Body>) -> Self {
        Self {
            body: answer.into_body(),
            reader: EventReader::new(MESSAGE),
            ready: Vec::new().into_iter(),
        }
    }

    /// Returns the next event, and none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, Lost> {
        loop {
            if let Some(event) = self.ready.next() {
                return Ok(Some(event));
            }
            let Some(chunk) = self
                .body
                .chunk()
                .await
                .map_err(|error| Lost::Broken(error.to_string()))?
            else {
                return Ok(None);
            };
            self.ready = self
                .reader
                .push(&chunk)
                .map_err(|error| Lost::TooLarge(error.to_string()))?
                .into_iter();
        }
    }
}

/// Why a stream of events ended early.
pub(super) enum Lost {
    /// It can be asked for again.
    Broken(String),
    /// It would be too large again.
    TooLarge(String),
}

/// Reads the message of an event. Others keep the connection open, or are of another kind.
pub(super) fn message_of(event: &Event) -> Option<Value> {
    if !matches!(event.event.as_deref(), None | Some("" | "message")) {
        return None;
    }
    let data = event
        .data
        .as_deref()
        .filter(|data| !data.trim().is_empty())?;
    match serde_json::from_str(data) {
        Ok(message) => Some(message),
        Err(error) => {
            tracing::warn!("an event is no message of the protocol: {error}");
            None
        }
    }
}
