//! The built-in git server: a repository's history and state, read and changed without starting a program.
//!
//! An ordinary MCP server over [`crate::git`], bounded by its roots. It has two faces. [`Git::full`] is for any host: it
//! takes the place of the reference server `mcp-server-git` (2026.10.19), with its twelve tools, their arguments,
//! defaults and texts, and has more tools besides. [`Git::new`] is for a small model in one repository: four
//! tools that read, without `repo_path`, and with short answers.
//!
//! # Where it differs from the reference
//!
#![doc = include_str!("differences.md")]

mod arguments;
mod catalog;
mod compact;
mod full;
mod tools;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::ErrorData;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer};

use self::arguments::Arguments;
use self::tools::Description;
pub use super::granted::ClientRoots;
use super::granted::{Granted, Grants};
use crate::git::Repo;
use crate::workspace::Roots;

/// The git server, bounded by its roots.
#[derive(Debug, Clone)]
pub struct Git {
    grants: Grants,
    face: Face,
    /// One call at a time: git work is a check followed by a change, and the index is shared.
    turn: Arc<Mutex<Warm>>,
}

/// The repository of the last call, open for as long as the next one takes to come. It is not used again: each call
/// opens and checks its own. But libgit2 shares a pack, and what it unpacked of it, between all that have it open.
#[derive(Debug, Default)]
struct Warm(Option<Repo>);

/// Which tools are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Face {
    Full,
    Compact,
}

impl Git {
    /// Makes a server for any host: the reference server's tools and more, for these roots or those of the client.
    pub fn full(roots: Roots, client_roots: ClientRoots) -> Self {
        Self::with_face(Grants::new(roots, client_roots), Face::Full)
    }

    /// Returns the same server for another client, with roots of its own. Their calls take turns.
    #[must_use]
    pub fn for_another_client(&self) -> Self {
        Self {
            grants: self.grants.afresh(),
            ..self.clone()
        }
    }

    /// Returns the same server for other roots. Their calls take turns with those of this one.
    #[must_use]
    pub fn bounded(&self, roots: Roots, client_roots: ClientRoots) -> Self {
        Self {
            grants: Grants::new(roots, client_roots),
            ..self.clone()
        }
    }

    /// Makes a server for a small model that works in the repository of the first root.
    pub fn new(roots: Roots) -> Self {
        Self::with_face(Grants::new(roots, ClientRoots::Ignore), Face::Compact)
    }

    fn with_face(grants: Grants, face: Face) -> Self {
        Self {
            grants,
            face,
            turn: Arc::default(),
        }
    }

    fn tools(&self) -> &'static [Description] {
        match self.face {
            Face::Full => catalog::FULL,
            Face::Compact => catalog::COMPACT,
        }
    }

    fn find(&self, name: &str) -> Option<&'static Description> {
        self.tools().iter().find(|tool| tool.name == name)
    }

    /// Runs one call to its end, on a thread that may block.
    fn call(
        &self,
        roots: &Roots,
        tool: &Description,
        arguments: JsonObject,
        stop: &Arc<AtomicBool>,
    ) -> Result<String, String> {
        let mut warm = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let arguments = Arguments::of(tool, arguments);
        let answer = arguments.and_then(|arguments| {
            let repo = match self.face {
                Face::Full => Repo::open(roots, arguments.text("repo_path")),
                Face::Compact => Repo::discover(roots, "."),
            };
            let mut repo = repo.map_err(|error| error.to_string())?.until(stop);
            let answer = match self.face {
                Face::Full => full::call(&mut repo, tool.name, &arguments),
                Face::Compact => compact::call(&repo, tool.name, &arguments),
            };
            // Not sooner: what the last one had open is taken over when this one needs it.
            warm.0 = Some(repo);
            answer
        });
        answer.map_err(|text| match self.face {
            Face::Full => format!("Error executing tool {}: {text}", tool.name),
            Face::Compact => text,
        })
    }
}

/// Tells work that nobody waits for it, also when the call is dropped.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl ServerHandler for Git {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("walden-git", env!("CARGO_PKG_VERSION")))
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
        let tools = self.tools().iter().map(Description::to_tool).collect();
        Ok(ListToolsResult::with_all_items(tools))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.find(name).map(Description::to_tool)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = self.find(&request.name) else {
            let message = format!("Unknown tool: {}", request.name);
            return Err(ErrorData::invalid_params(message, None));
        };
        let roots = match self.grants.for_call(&request, &context).await? {
            Granted::Roots(roots) => roots,
            Granted::Asked(question) => return Ok(question.into()),
        };
        let server = self.clone();
        let stop = Stop::default();
        let heard = Arc::clone(&stop.0);
        let mut work = tokio::task::spawn_blocking(move || {
            server.call(&roots, tool, request.arguments.unwrap_or_default(), &heard)
        });
        let answer = tokio::select! {
            answer = &mut work => answer,
            () = context.ct.cancelled() => {
                // Reading ends where it is; a change that was begun is ended, so that the index is never left locked.
                stop.0.store(true, Ordering::Relaxed);
                work.await
            }
        };
        let answer = answer.map_err(|error| {
            ErrorData::internal_error(format!("the tool `{}` broke: {error}", tool.name), None)
        })?;
        let result = match answer {
            Ok(text) => CallToolResult::success(vec![ContentBlock::text(text)]),
            Err(text) => CallToolResult::error(vec![ContentBlock::text(text)]),
        };
        Ok(result.into())
    }
}
