//! The built-in filesystem server: the tools with which a model reads and changes the files beneath the roots.
//!
//! One implementation over [`crate::workspace`], with two faces. [`Filesystem::new`] has seven tools in few words, for
//! walden's own model: besides the protocol it speaks keys of `_meta`: a tool's `walden/risk` and
//! `walden/preview`, and a call's `walden/preview` (plan, change nothing) `walden/expect` (change only what was
//! shown) and `walden/part` (of that change, only what the user allowed). Its results are plain text; the structured content of a change is the
//! [`FileChange`](crate::protocol::FileChange). [`Filesystem::full`] has the 14 tools of the reference filesystem
//! server, with its names, arguments, texts and errors, so that it can take that server's place in any host, and one
//! more to search contents.
//!
//! # Where the full face differs from the reference server (2026.8.31), and why
//!
#![doc = include_str!("differences.md")]

mod compact;
mod full;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rmcp::ErrorData;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer};

pub use super::granted::ClientRoots;
use super::granted::{Granted, Grants};
use crate::workspace::Roots;

/// The filesystem server, bounded by its roots. A clone serves the same client.
#[derive(Debug, Clone)]
pub struct Filesystem {
    face: Face,
    grants: Grants,
}

/// Which tools a client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Face {
    Compact,
    Full(Permits),
}

/// What the full face may write besides ordinary files. By default: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permits {
    /// Files that other programs run or obey, such as build scripts.
    pub executable_data: bool,
    /// Files that are marked read-only.
    pub read_only: bool,
}

/// A tool of either face.
#[derive(Debug, Clone, Copy)]
enum AnyTool {
    Compact(compact::ToolName),
    Full(full::ToolName, Permits),
}

/// What a tool has to say: a text that the model can use, or one that it can act on.
type Answer = Result<Said, String>;

/// The result of a tool that did what was asked.
#[derive(Debug)]
struct Said {
    blocks: Vec<ContentBlock>,
    structured: Option<serde_json::Value>,
}

impl From<String> for Said {
    fn from(text: String) -> Self {
        Self::from(ContentBlock::text(text))
    }
}

impl From<ContentBlock> for Said {
    fn from(block: ContentBlock) -> Self {
        Self {
            blocks: vec![block],
            structured: None,
        }
    }
}

impl Said {
    fn structured(mut self, structured: serde_json::Value) -> Self {
        self.structured = Some(structured);
        self
    }
}

impl Filesystem {
    /// Makes the compact face for these roots, whatever roots the client has.
    pub fn new(roots: Roots) -> Self {
        Self {
            face: Face::Compact,
            grants: Grants::new(roots, ClientRoots::Ignore),
        }
    }

    /// Makes the full face for these roots and for those of the client, if it has any.
    pub fn full(roots: Roots, permits: Permits, client_roots: ClientRoots) -> Self {
        Self {
            face: Face::Full(permits),
            grants: Grants::new(roots, client_roots),
        }
    }

    /// Makes a change, as a call of the tool `name` would, and returns the path that it changed.
    ///
    /// # Errors
    /// What the model would be told.
    pub(super) fn change(&self, name: &str, mut arguments: JsonObject) -> Result<String, String> {
        let tool = self
            .tool(name)
            .ok_or_else(|| format!("unknown tool `{name}`"))?;
        arguments.retain(|_, value| !value.is_null());
        let (meta, cancel) = (JsonObject::new(), AtomicBool::new(false));
        let said = tool.call(self.grants.own(), arguments, &meta, &cancel)?;
        let path = said
            .structured
            .as_ref()
            .and_then(|change| change["path"].as_str());
        path.map(str::to_owned)
            .ok_or_else(|| format!("`{name}` changes nothing"))
    }

    fn tool(&self, name: &str) -> Option<AnyTool> {
        match self.face {
            Face::Compact => compact::ToolName::named(name).map(AnyTool::Compact),
            Face::Full(permits) => {
                full::ToolName::named(name).map(|tool| AnyTool::Full(tool, permits))
            }
        }
    }
}

impl AnyTool {
    fn describe(self) -> Tool {
        match self {
            Self::Compact(tool) => tool.describe(),
            Self::Full(tool, _) => tool.describe(),
        }
    }

    /// Runs one call to its end, on a thread that may block.
    fn call(
        self,
        roots: &Roots,
        arguments: JsonObject,
        meta: &JsonObject,
        cancel: &AtomicBool,
    ) -> Answer {
        match self {
            Self::Compact(tool) => compact::call(tool, roots, arguments, meta, cancel),
            Self::Full(tool, permits) => full::call(tool, roots, permits, arguments, cancel),
        }
    }
}

impl ServerHandler for Filesystem {
    fn get_info(&self) -> ServerConfig {
        // Named here: the default would introduce the server as the library it is made with.
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build()).with_server_info(
            Implementation::new("walden-filesystem", env!("CARGO_PKG_VERSION")),
        )
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        // Early, so that the first call need not wait. What it comes to is asked again by each call.
        self.grants.ask(&context.peer).await;
    }

    async fn on_roots_list_changed(&self, context: NotificationContext<RoleServer>) {
        self.grants.forget();
        self.grants.ask(&context.peer).await;
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(match self.face {
            Face::Compact => compact::tools(),
            Face::Full(_) => full::tools(),
        }))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tool(name).map(AnyTool::describe)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = self.tool(&request.name) else {
            let message = format!("unknown tool `{}`", request.name);
            return Err(ErrorData::invalid_params(message, None));
        };
        let roots = match self.grants.for_call(&request, &context).await? {
            Granted::Roots(roots) => roots,
            Granted::Asked(question) => return Ok(question.into()),
        };
        let cancel = Arc::new(AtomicBool::new(false));
        // Also when this future is dropped: the blocking work must not go on for nobody.
        let _stop = SetOnDrop(cancel.clone());
        let mut work = tokio::task::spawn_blocking({
            let cancel = cancel.clone();
            move || {
                let arguments = request.arguments.unwrap_or_default();
                tool.call(&roots, arguments, &context.meta, &cancel)
            }
        });
        let finished = tokio::select! {
            finished = &mut work => finished,
            () = context.ct.cancelled() => {
                cancel.store(true, Ordering::Relaxed);
                // What was begun is ended: a write is never left half reported.
                work.await
            }
        };
        let answer = finished
            .map_err(|error| ErrorData::internal_error(format!("the tool broke: {error}"), None))?;
        let result = match answer {
            Ok(said) => {
                let mut result = CallToolResult::success(said.blocks);
                result.structured_content = said.structured;
                result
            }
            Err(text) => CallToolResult::error(vec![ContentBlock::text(text)]),
        };
        Ok(result.into())
    }
}

fn stopped(cancel: &AtomicBool) -> Result<(), String> {
    match cancel.load(Ordering::Relaxed) {
        true => Err("cancelled".to_owned()),
        false => Ok(()),
    }
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
