//! Streams of answers: one that breaks off goes on where it did, and the standing one hears what is said unasked.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};
use tokio::sync::oneshot;

use super::super::session::modern;
use super::super::speaker::{EVENTS, Events, Lost, accepts, is, message_of, status_error};
use super::super::{Received, RemoteError};
use super::{Asked, Shared, answers};
use crate::net::Body;

const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
/// What a stream may still hold after its answer: reading it lets the connection serve another request.
const REST: Duration = Duration::from_millis(20);
/// How long a broken stream is waited for where the server does not say, and at most, and how often in a row.
const RESUME: Duration = Duration::from_secs(1);
const RESUME_MOST: Duration = Duration::from_secs(60);
const RESUME_TIMES: u32 = 8;

impl Shared {
    /// Reads a request's stream to its answer; where it breaks off, and can go on, it does.
    pub(super) async fn follow(
        &self,
        asked: Asked<'_>,
        mut events: Events,
    ) -> Result<(), RemoteError> {
        let mut place = Place::default();
        loop {
            let problem = match events.next().await {
                Ok(Some(event)) => {
                    place.note(&event);
                    let Some(message) = message_of(&event) else {
                        continue;
                    };
                    let done = answers(&message, &asked.message["id"]);
                    self.deliver(asked, message).await;
                    if done {
                        let rest = async { while let Ok(Some(_)) = events.next().await {} };
                        let _ = tokio::time::timeout(REST, rest).await;
                        return Ok(());
                    }
                    continue;
                }
                Ok(None) => "its stream ended before the answer".to_owned(),
                Err(Lost::Broken(problem)) => problem,
                Err(Lost::TooLarge(problem)) => return Err(self.speaker.protocol_error(problem)),
            };
            if modern(asked.message).is_some() || place.last.is_none() {
                return Err(self.speaker.protocol_error(problem));
            }
            events = self.resume(&mut place).await?;
        }
    }

    /// Asks for a stream from where it broke off.
    async fn resume(&self, place: &mut Place) -> Result<Events, RemoteError> {
        loop {
            tokio::time::sleep(place.wait()).await;
            place.failures += 1;
            let result = match self.get(place.last.as_deref()).await {
                Ok(answer) if answer.status().is_success() && is(&answer, EVENTS) => {
                    return Ok(Events::of(answer));
                }
                Ok(answer) if answer.status().is_server_error() => {
                    status_error(self.speaker.address(), answer.status(), b"")
                }
                Ok(answer) => {
                    let status = answer.status();
                    return Err(status_error(self.speaker.address(), status, b""));
                }
                Err(error @ RemoteError::Http(_)) => error,
                Err(error) => return Err(error),
            };
            if place.failures >= RESUME_TIMES {
                return Err(result);
            }
        }
    }

    async fn get(&self, last: Option<&str>) -> Result<Response<Body>, RemoteError> {
        let (mut headers, _) = self.session.plain_headers();
        headers.extend(accepts(EVENTS));
        if let Some(last) = last
            && let Ok(last) = HeaderValue::from_str(last)
        {
            headers.insert(LAST_EVENT, last);
        }
        self.speaker
            .send(self.speaker.address(), Method::GET, &headers, Bytes::new())
            .await
    }

    /// Hears what the server says unasked, as long as it says anything. Many have no such stream.
    pub(super) async fn listen(&self, opened: oneshot::Sender<()>) {
        let mut place = Place::default();
        let mut opened = Some(opened);
        while place.failures < RESUME_TIMES {
            let generation = self.session.generation();
            let answer = self.get(place.last.as_deref()).await;
            // Nobody waits for a second opening.
            let _ = opened.take().map(|opened| opened.send(()));
            match answer {
                Ok(answer) if answer.status().is_success() && is(&answer, EVENTS) => {
                    let mut events = Events::of(answer);
                    while let Ok(Some(event)) = events.next().await {
                        place.note(&event);
                        if let Some(message) = message_of(&event) {
                            self.say(Received::Message(message)).await;
                        }
                    }
                }
                Ok(answer)
                    if answer.status() == StatusCode::NOT_FOUND && self.session.is_open() =>
                {
                    drop(answer);
                    if self.renew(generation).await.is_err() {
                        return;
                    }
                    place = Place::default();
                }
                Ok(answer) if !answer.status().is_server_error() => return,
                Err(RemoteError::Http(_)) | Ok(_) => {}
                Err(_) => return,
            }
            tokio::time::sleep(place.wait()).await;
            place.failures += 1;
        }
    }
}

/// Where in a stream one is, and how patiently it is asked for again.
#[derive(Default)]
struct Place {
    last: Option<String>,
    retry: Option<Duration>,
    failures: u32,
}

impl Place {
    fn note(&mut self, event: &crate::net::events::Event) {
        if let Some(id) = &event.id {
            self.last = Some(id.clone()).filter(|id| !id.is_empty());
        }
        if let Some(retry) = event.retry {
            self.retry = Some(Duration::from_millis(retry).min(RESUME_MOST));
        }
        self.failures = 0;
    }

    /// What the server asks for; longer after each failure.
    fn wait(&self) -> Duration {
        let first = self.retry.unwrap_or(RESUME);
        first
            .saturating_mul(1 << self.failures.min(6))
            .clamp(first, RESUME_MOST.max(first))
    }
}
