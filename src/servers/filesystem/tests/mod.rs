//! The server as a client meets it, over a pipe.

#![expect(clippy::disallowed_methods, reason = "a test lays its own files")]

mod client_roots;
mod compact;
mod full;
mod recorded;

use std::fs;
use std::path::Path;

use rmcp::model::{CallToolResponse, CallToolResult, ProtocolVersion, RequestMetaObject};
use rmcp::service::{ClientLifecycleMode, RunningService};
use rmcp::{ClientHandler, ClientServiceExt as _, RoleClient, ServiceError, ServiceExt as _};
use serde_json::{Value, json};

use super::*;
use crate::protocol::FileChange;
use crate::workspace::hash_of;

struct Session<C: ClientHandler = ()> {
    folder: tempfile::TempDir,
    client: RunningService<RoleClient, C>,
    server: tokio::task::JoinHandle<()>,
}

/// The protocol without sessions.
fn modern() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
    }
}

/// Lays files in a new folder.
fn lay(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, text).expect("a file");
    }
    folder
}

impl Session {
    async fn new(files: &[(&str, &str)], server: impl FnOnce(Roots) -> Filesystem) -> Self {
        let folder = lay(files);
        let roots = Roots::open(&[folder.path().to_owned()]).expect("roots");
        Self::over(folder, server(roots), modern(), ()).await
    }
}

impl<C: ClientHandler> Session<C> {
    async fn over(
        folder: tempfile::TempDir,
        server: Filesystem,
        mode: ClientLifecycleMode,
        client: C,
    ) -> Self {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let server = tokio::spawn(async move {
            let running = server.serve(far).await.expect("serving");
            let _ = running.waiting().await;
        });
        let client = client
            .serve_with_lifecycle(near, mode)
            .await
            .expect("connected");
        Self {
            folder,
            client,
            server,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).expect("a text")
    }

    async fn call_with(
        &self,
        tool: &'static str,
        arguments: Value,
        meta: Value,
    ) -> Result<CallToolResult, ServiceError> {
        let Value::Object(arguments) = arguments else {
            panic!("arguments are an object");
        };
        let mut request = CallToolRequestParams::new(tool).with_arguments(arguments);
        if let Value::Object(meta) = meta {
            request.meta = Some(RequestMetaObject::from(meta));
        }
        match self.client.call_tool_once(request).await? {
            CallToolResponse::Complete(result) => Ok(result),
            other => panic!("not a result: {other:?}"),
        }
    }

    /// Calls a tool and returns its text; an error is marked.
    async fn call(&self, tool: &'static str, arguments: Value) -> String {
        said(
            &self
                .call_with(tool, arguments, Value::Null)
                .await
                .expect("an answer"),
        )
    }

    async fn end(self) {
        self.client.cancel().await.expect("closed");
        self.server.await.expect("ended");
    }
}

fn said(result: &CallToolResult) -> String {
    let text: Vec<&str> = result
        .content
        .iter()
        .filter_map(|block| Some(block.as_text()?.text.as_str()))
        .collect();
    match result.is_error {
        Some(true) => format!("error: {}", text.join("\n")),
        _ => text.join("\n"),
    }
}

fn change(result: &CallToolResult) -> FileChange {
    let structured = result.structured_content.clone().expect("a change");
    serde_json::from_value(structured).expect("a change")
}
