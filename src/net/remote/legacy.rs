//! HTTP+SSE of 2024-11-05, as a client: one stream that carries all answers, and an address that it names for requests.

use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::speaker::{BOTH, EVENTS, Events, Lost, Speaker, accepts, is, message_of, refusal};
use super::{Host, Received, RemoteError};
use crate::net::Address;

/// How long a server may take to name the address for requests.
const NAMED: Duration = Duration::from_secs(30);

/// How long a message that others wait behind may take.
const TELL: Duration = Duration::from_secs(30);

/// Opens the stream.
pub(super) async fn connect(speaker: &Speaker) -> Result<Events, RemoteError> {
    let address = speaker.address();
    let answer = speaker
        .send(address, Method::GET, &accepts(EVENTS), Bytes::new())
        .await?;
    if !answer.status().is_success() {
        return Err(refusal(address, answer).await);
    }
    if !is(&answer, EVENTS) {
        return Err(speaker.protocol_error("it answered with no event stream"));
    }
    Ok(Events::of(answer))
}

/// Carries messages until the host lets go of its end, or the stream ends: the answers to come would have no way.
pub(super) async fn run(speaker: Speaker, mut host: Host, opened: Option<(Events, Value)>) {
    let reason = match carry(&speaker, &mut host, opened).await {
        Ok(()) => "the connection is closed".to_owned(),
        Err(error) => error.to_string(),
    };
    let _ = host.received.send(Received::Ended(reason)).await;
}

async fn carry(
    speaker: &Speaker,
    host: &mut Host,
    opened: Option<(Events, Value)>,
) -> Result<(), RemoteError> {
    let (mut events, first) = match opened {
        Some((events, first)) => (events, Some(first)),
        None => (connect(speaker).await?, None),
    };
    let target = tokio::time::timeout(NAMED, named(speaker, &mut events))
        .await
        .map_err(|_| speaker.protocol_error("it named no address for requests"))??;
    let received = host.received.clone();
    let mut tasks = JoinSet::new();
    if let Some(first) = first {
        tasks.spawn(post(
            speaker.clone(),
            target.clone(),
            first,
            received.clone(),
        ));
    }
    loop {
        tokio::select! {
            message = host.next() => {
                let Some(message) = message else { return Ok(()) };
                let barrier = message["method"] == "notifications/initialized";
                let posting = post(speaker.clone(), target.clone(), message, received.clone());
                match barrier {
                    // What comes after it counts on it having arrived.
                    true => drop(tokio::time::timeout(TELL, posting).await),
                    false => drop(tasks.spawn(posting)),
                }
            }
            event = events.next() => match event {
                Ok(Some(event)) => {
                    if let Some(message) = message_of(&event)
                        && received.send(Received::Message(message)).await.is_err()
                    {
                        return Ok(());
                    }
                }
                Ok(None) => return Err(speaker.protocol_error("its stream ended")),
                Err(Lost::Broken(problem) | Lost::TooLarge(problem)) => {
                    return Err(speaker.protocol_error(problem));
                }
            },
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
}

/// Waits for the address for requests, which the stream names first.
async fn named(speaker: &Speaker, events: &mut Events) -> Result<Address, RemoteError> {
    loop {
        let event = match events.next().await {
            Ok(Some(event)) => event,
            Ok(None) => {
                return Err(speaker.protocol_error("its stream ended before it named an address"));
            }
            Err(Lost::Broken(problem) | Lost::TooLarge(problem)) => {
                return Err(speaker.protocol_error(problem));
            }
        };
        if event.event.as_deref() != Some("endpoint") {
            continue;
        }
        let target = speaker
            .address()
            .join(event.data.as_deref().unwrap_or_default())
            .map_err(|error| {
                speaker.protocol_error(format!("it named no address for requests: {error}"))
            })?;
        // The headers and the token are this server's alone.
        if target.origin() != speaker.address().origin() {
            return Err(speaker.protocol_error(format!(
                "it named an address of another server for requests, `{}`",
                target.origin()
            )));
        }
        return Ok(target);
    }
}

async fn post(speaker: Speaker, target: Address, message: Value, received: mpsc::Sender<Received>) {
    let body = Bytes::from(message.to_string());
    let answer = speaker
        .send(&target, Method::POST, &accepts(BOTH), body)
        .await;
    let error = match answer {
        Ok(answer) if answer.status().is_success() => return,
        Ok(answer) => refusal(&target, answer).await,
        Err(error) => error,
    };
    let id = message
        .get("id")
        .filter(|_| message.get("method").is_some())
        .cloned();
    let _ = received.send(Received::Failed { id, error }).await;
}
