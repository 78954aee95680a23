//! One connection: a client of one server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientCapabilities, ClientConfig, ClientRequest,
    Implementation, PaginatedRequestParams, ProgressNotificationParam, ProgressToken,
    ProtocolVersion, ServerResult, Tool,
};
use rmcp::service::{NotificationContext, Peer, PeerRequestOptions, RoleClient, RunningService};
use rmcp::{ClientHandler, ServerHandler, ServiceExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::event::HostEvent;
use super::host::HostError;
use crate::protocol::{CallId, clip};

/// The in-process pipe's buffer, in bytes, each way.
const PIPE: usize = 256 * 1024;

/// How long a server may take to say hello.
const START: Duration = Duration::from_secs(20);

/// How long a call may go without an answer, and how long at most when progress keeps coming.
const CALL_IDLE: Duration = Duration::from_secs(120);
const CALL_TOTAL: Duration = Duration::from_secs(1800);

/// The most bytes of one report of a call's progress.
const PROGRESS: usize = 4 * 1024;

/// The most pages and tools that a server may list.
const PAGES: usize = 50;
const TOOLS: usize = 1_000;

/// A running client of one server.
pub(super) struct Connection {
    service: RunningService<RoleClient, Client>,
    /// The server's own task, when it runs in this process.
    _server: JoinSet<()>,
}

/// What walden tells a server about itself, and how it answers a server's requests.
#[derive(Debug, Clone, Default)]
struct Client {
    listeners: Listeners,
}

/// Who is told how far a request is.
#[derive(Debug, Clone, Default)]
struct Listeners(Arc<Mutex<HashMap<ProgressToken, Listener>>>);

/// The call that a request is made for, and where its progress goes.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    pub(super) call: CallId,
    pub(super) events: mpsc::UnboundedSender<HostEvent>,
}

impl Listeners {
    fn lock(&self) -> MutexGuard<'_, HashMap<ProgressToken, Listener>> {
        // Each change of it is one insertion or removal.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a listener when its request ends, however it does.
struct Heard<'a>(&'a Listeners, ProgressToken);

impl Drop for Heard<'_> {
    fn drop(&mut self) {
        self.0.lock().remove(&self.1);
    }
}

impl ClientHandler for Client {
    async fn on_progress(
        &self,
        progress: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        let listener = self.listeners.lock().get(&progress.progress_token).cloned();
        if let (Some(Listener { call, events }), Some(text)) = (listener, progress.message) {
            let text = clip(&text, PROGRESS);
            let _ = events.send(HostEvent::Progressed { call, text });
        }
    }

    fn get_info(&self) -> ClientConfig {
        // Only the capabilities that are really served are declared; the version is named because the default of the
        // SDK offers a version whose handshake is another.
        ClientConfig::new(
            ClientCapabilities::default(),
            Implementation::new("walden", env!("CARGO_PKG_VERSION")),
        )
        .with_protocol_version(ProtocolVersion::V_2025_11_25)
    }
}

impl Connection {
    /// Starts a server in this process and connects to it over a pipe.
    pub(super) async fn in_process<S: ServerHandler>(
        name: &str,
        server: S,
    ) -> Result<Self, HostError> {
        let (near, far) = tokio::io::duplex(PIPE);
        let mut tasks = JoinSet::new();
        let label = name.to_owned();
        tasks.spawn(async move {
            // `serve` waits for the client's first message, so it runs beside the client's own start.
            match server.serve(far).await {
                Ok(service) => {
                    if let Err(error) = service.waiting().await {
                        tracing::warn!(server = label, %error, "server ended badly");
                    }
                }
                Err(error) => tracing::warn!(server = label, %error, "server did not start"),
            }
        });
        let failed = |problem: String| HostError::Start {
            server: name.to_owned(),
            problem,
        };
        let service = tokio::time::timeout(START, Client::default().serve(near))
            .await
            .map_err(|_| failed(format!("no answer within {} s", START.as_secs())))?
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            service,
            _server: tasks,
        })
    }

    pub(super) fn line(&self) -> Line {
        Line {
            peer: self.service.peer().clone(),
            listeners: self.service.service().listeners.clone(),
        }
    }

    /// Lists the server's tools, page by page, within bounds: a server that repeats its cursor cannot hang the host.
    pub(super) async fn tools(&self, name: &str) -> Result<Vec<Tool>, HostError> {
        let mut tools = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES {
            let params = PaginatedRequestParams::default().with_cursor(cursor.clone());
            let page = tokio::time::timeout(START, self.service.peer().list_tools(Some(params)))
                .await
                .map_err(|_| HostError::List {
                    server: name.to_owned(),
                    problem: "no answer in time".to_owned(),
                })?
                .map_err(|error| HostError::List {
                    server: name.to_owned(),
                    problem: error.to_string(),
                })?;
            tools.extend(page.tools);
            if tools.len() >= TOOLS || page.next_cursor.is_none() || page.next_cursor == cursor {
                break;
            }
            cursor = page.next_cursor;
        }
        tools.truncate(TOOLS);
        Ok(tools)
    }

    /// Closes the connection and waits for the server's task.
    pub(super) async fn close(self) {
        let _ = self.service.cancel().await;
    }
}

/// A way to call a server from tasks.
#[derive(Debug, Clone)]
pub(super) struct Line {
    peer: Peer<RoleClient>,
    listeners: Listeners,
}

/// Calls a tool, and lets somebody listen to how it goes. Dropping the future cancels the call at the server.
pub(super) async fn call(
    line: &Line,
    params: CallToolRequestParams,
    listener: Listener,
) -> Result<rmcp::model::CallToolResult, String> {
    let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
    let mut options = PeerRequestOptions::no_options();
    options.timeout = Some(CALL_IDLE);
    options.reset_timeout_on_progress = true;
    options.max_total_timeout = Some(CALL_TOTAL);
    match line.peer.send_request_with_option(request, options).await {
        Ok(handle) => {
            let token = handle.progress_token.clone();
            line.listeners.lock().insert(token.clone(), listener);
            let _heard = Heard(&line.listeners, token);
            match handle.await_response().await {
                Ok(ServerResult::CallToolResult(result)) => Ok(result),
                Ok(_) => {
                    Err("the server answered with something else than a tool result".to_owned())
                }
                Err(error) => Err(error.to_string()),
            }
        }
        Err(error) => Err(error.to_string()),
    }
}
