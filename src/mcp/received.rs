//! What servers ask of the user and of the model: each request is numbered, and told with its end, so that what it takes
//! can be found with the call that it is part of.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use super::answering::Answered;
use super::event::HostEvent;
use super::text::short;
use super::trace;
use crate::protocol::{RequestEnd, RequestId};

/// Numbers the requests of all servers.
#[derive(Debug, Default)]
pub(super) struct Received {
    last: AtomicU64,
}

/// A request that is being answered. One that is dropped before its end was taken back.
#[derive(Debug)]
pub(super) struct Underway<'a> {
    id: RequestId,
    end: RequestEnd,
    events: &'a UnboundedSender<HostEvent>,
}

impl Received {
    /// Takes a request in, and tells of it.
    pub(super) fn take<'a>(
        &self,
        events: &'a UnboundedSender<HostEvent>,
        server: &str,
        method: &str,
        params: &Value,
    ) -> Underway<'a> {
        let id = RequestId(self.last.fetch_add(1, Ordering::Relaxed) + 1);
        let _ = events.send(HostEvent::RequestReceived {
            request: id,
            server: server.to_owned(),
            method: short(method, 60),
            bytes: params.to_string().len(),
        });
        if let Some((trace, span)) = trace::of(params) {
            // As it says; a server can name any trace.
            let _ = events.send(HostEvent::Traced {
                call: None,
                server: server.to_owned(),
                method: short(method, 60),
                trace: trace.to_owned(),
                span: span.to_owned(),
                request: Some(id),
            });
        }
        Underway {
            id,
            end: RequestEnd::TakenBack,
            events,
        }
    }
}

impl Underway<'_> {
    /// Returns the request's number.
    pub(super) fn id(&self) -> RequestId {
        self.id
    }

    /// Tells that the request has its answer.
    pub(super) fn end(mut self, answered: &Answered) {
        self.end = match answered {
            Ok(answer) => RequestEnd::Answered {
                bytes: answer.to_string().len(),
            },
            Err((code, _)) => RequestEnd::Refused { code: *code },
        };
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        let (request, end) = (self.id, self.end);
        let _ = self.events.send(HostEvent::RequestEnded { request, end });
    }
}
