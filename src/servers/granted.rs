//! Which folders a call may touch: the server's own, or those that the client names.

#![expect(
    deprecated,
    reason = "roots are marked for removal from the protocol, and are what today's clients have"
)]

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, InputRequest, InputRequiredResult, ListRootsRequest,
    ListRootsResult, ProtocolVersion, Root,
};
use rmcp::service::{Peer, RequestContext, RoleServer};
use tokio::sync::OnceCell;

use crate::workspace::Roots;

/// How long a client may take to name its roots.
const PATIENCE: Duration = Duration::from_secs(10);

/// The name of the question for roots in a call's own exchange.
const QUESTION: &str = "roots";

/// What the roots of a client mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientRoots {
    /// Nothing: the server's hold.
    Ignore,
    /// They take the place of the server's: the client started this process, and may do as much itself.
    Replace,
    /// Those that lie in the server's take their place: the client is somewhere else.
    Narrow,
}

/// What a call may touch, or what must be asked first.
pub(super) enum Granted {
    Roots(Roots),
    Asked(InputRequiredResult),
}

/// The roots of a server and of its client.
#[derive(Debug, Clone)]
pub(super) struct Grants {
    own: Roots,
    client: ClientRoots,
    /// What the client answered, once for each time that it says its roots changed. A fresh cell for each time: a
    /// call that is under way keeps what it began with.
    answer: Arc<Mutex<Arc<OnceCell<Roots>>>>,
}

impl Grants {
    /// The server's own roots, and what those of the client mean.
    pub(super) fn new(own: Roots, client: ClientRoots) -> Self {
        Self {
            own,
            client,
            answer: Arc::default(),
        }
    }

    /// Returns the same for another client, of which nothing is known yet.
    pub(super) fn afresh(&self) -> Self {
        Self::new(self.own.clone(), self.client)
    }

    /// Returns the server's own roots.
    pub(super) fn own(&self) -> &Roots {
        &self.own
    }

    /// Forgets what the client answered.
    pub(super) fn forget(&self) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }

    /// Finds what a call may touch.
    pub(super) async fn for_call(
        &self,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<Granted, ErrorData> {
        if self.client == ClientRoots::Ignore {
            return Ok(Granted::Roots(self.own.clone()));
        }
        let modern = context
            .protocol_version()
            .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
        if !modern {
            return Ok(Granted::Roots(self.ask(&context.peer).await));
        }
        // Without a session nothing can be remembered, and asking costs a round trip in every call: so only where
        // there is no other word on what may be touched.
        let has_roots = |capabilities: ClientCapabilities| capabilities.roots.is_some();
        if self.own.primary().is_some() || !context.client_capabilities().is_some_and(has_roots) {
            return Ok(Granted::Roots(self.own.clone()));
        }
        let answer = request
            .input_responses
            .as_ref()
            .and_then(|answers| answers.get(QUESTION));
        match answer {
            None => {
                let question = InputRequest::ListRoots(ListRootsRequest::default());
                Ok(Granted::Asked(InputRequiredResult::from_input_requests(
                    [(QUESTION.to_owned(), question)].into(),
                )))
            }
            Some(answer) => {
                let listed: ListRootsResult =
                    serde_json::from_value(answer.clone()).map_err(|error| {
                        let message = format!("the answer to `roots/list` is not one: {error}");
                        ErrorData::invalid_params(message, None)
                    })?;
                Ok(Granted::Roots(self.named(listed.roots).await))
            }
        }
    }

    /// Asks a client with a session for its roots, unless it has answered. Without an answer the server's own hold:
    /// whoever started it named them.
    pub(super) async fn ask(&self, peer: &Peer<RoleServer>) -> Roots {
        if self.client == ClientRoots::Ignore {
            return self.own.clone();
        }
        let has_roots = peer
            .peer_info()
            .is_some_and(|info| info.capabilities.roots.is_some());
        if !has_roots {
            return self.own.clone();
        }
        let cell = Arc::clone(&self.answer.lock().unwrap_or_else(PoisonError::into_inner));
        let roots = cell.get_or_init(|| async {
            match tokio::time::timeout(PATIENCE, peer.list_roots()).await {
                Ok(Ok(listed)) => {
                    let roots = self.named(listed.roots).await;
                    tracing::info!("the client's roots are {}", shown(&roots));
                    roots
                }
                Ok(Err(error)) => {
                    tracing::warn!("the client does not tell its roots: {error}");
                    self.own.clone()
                }
                Err(_) => {
                    tracing::warn!("the client does not tell its roots");
                    self.own.clone()
                }
            }
        });
        roots.await.clone()
    }

    /// Opens what the client named. What cannot be opened is left out; nothing left means no access.
    async fn named(&self, named: Vec<Root>) -> Roots {
        let (own, client) = (self.own.clone(), self.client);
        let opened = tokio::task::spawn_blocking(move || open(&own, &named, client));
        opened.await.unwrap_or_default()
    }
}

fn open(own: &Roots, named: &[Root], client: ClientRoots) -> Roots {
    let mut dirs: Vec<PathBuf> = Vec::new();
    for root in named {
        match folder_of(&root.uri) {
            Some(dir) => dirs.push(dir),
            None => tracing::warn!("the root `{}` is left out: it is no folder", root.uri),
        }
    }
    match client {
        ClientRoots::Ignore => own.clone(),
        ClientRoots::Replace => {
            dirs.retain(|dir| match Roots::open(std::slice::from_ref(dir)) {
                Ok(_) => true,
                Err(error) => {
                    tracing::warn!("the root `{}` is left out: {error}", dir.display());
                    false
                }
            });
            Roots::open(&dirs).unwrap_or_default()
        }
        ClientRoots::Narrow => {
            let (roots, refused) = own.narrowed(&dirs);
            for dir in refused {
                tracing::warn!(
                    "the root `{}` is left out: it is no folder in this server's",
                    dir.display()
                );
            }
            roots
        }
    }
}

fn shown(roots: &Roots) -> String {
    let dirs: Vec<String> = roots
        .dirs()
        .iter()
        .map(|dir| format!("`{}`", dir.display()))
        .collect();
    match dirs.is_empty() {
        true => "none: nothing may be touched; --ignore-client-roots keeps the folders of the command line"
            .to_owned(),
        false => dirs.join(", "),
    }
}

/// Reads a root as a folder of this machine: `file:///a%20b`, `file://localhost/a`, or a plain absolute path.
fn folder_of(uri: &str) -> Option<PathBuf> {
    let path = match uri.strip_prefix("file://") {
        Some(rest) => rest.strip_prefix("localhost").unwrap_or(rest),
        None if uri.starts_with('/') => return Some(PathBuf::from(uri)),
        None => return None,
    };
    if !path.starts_with('/') {
        return None;
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            b'?' | b'#' => return None,
            byte => byte,
        });
    }
    let path = String::from_utf8(bytes).ok()?;
    (!path.contains('\0')).then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_a_folder_of_this_machine() {
        let cases = [
            ("file:///a/b", Some("/a/b")),
            ("file:///a%20b/%C3%A9", Some("/a b/é")),
            ("file://localhost/a", Some("/a")),
            ("/a/b", Some("/a/b")),
            ("file://elsewhere/a", None),
            ("file://localhosting/a", None),
            ("https://a.example/b", None),
            ("file:///a%2", None),
            ("file:///a%00", None),
            ("a/b", None),
            ("", None),
        ];
        for (uri, folder) in cases {
            assert_eq!(folder_of(uri), folder.map(PathBuf::from), "{uri}");
        }
    }
}
