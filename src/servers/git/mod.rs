//! The built-in git server: a repository's history and state, read and changed without starting a program.
//!
//! An ordinary MCP server over [`crate::git`], bounded by its roots. It has two faces. [`Git::full`] is for any host: it
//! takes the place of the reference server `mcp-server-git` (2026.10.19), with its twelve tools, their arguments,
//! defaults and texts, and has more tools besides. [`Git::new`] is for a small model in one repository: four
//! tools that read, without `repo_path`, and with short answers.
//!
//! # Where it differs from the reference
//!
//! | what | reference | here | why |
//! | --- | --- | --- | --- |
//! | which repositories | any on the host without `--repository` | those inside the roots; the current folder without `--repository` | a call must not reach what was not opened |
//! | parts of a repository elsewhere (gitdir file, worktree, alternates, includes, symlinks in `.git`) | followed | refused with the name of the part | they read and write other repositories |
//! | fsmonitor, hooks, filters, textconv, external diff | run | never run | a repository's contents must not run |
//! | `git_add` of a file with a configured filter, such as LFS | runs it | refused, with the way out | its bytes as they are would be the wrong ones |
//! | `git_add` of `:/` and other pathspec magic | taken as a path | refused | it reaches farther than it reads |
//! | `git_commit` with `commit.gpgsign` on | ignores it | refused | an unsigned commit is not what was configured |
//! | `git_commit` with unmerged files, an empty message | a raw error; commits | refused with the way out | as git itself does |
//! | `git_diff` of `A..B`, `A...B` | an error | the difference | everybody writes ranges |
//! | `git_create_branch` from a commit or tag | an error for a commit | taken | any revision is a base |
//! | `git_reset` in a merge | leaves the merge in progress | ends it, as `git reset` does | the next commit would record a false merge |
//! | dates without a time | that day at the present time of day | the start of the day for `start_timestamp`, its end for `end_timestamp` | what was meant |
//! | a date that is none | an empty history, or a wrong one | an error with examples | silence misleads |
//! | errors of git | the command line and exit status of git | the reason alone | no command is run |
//! | errors of arguments | several lines of the validator | one line that names the argument | to be acted on |
//! | a folder inside a repository as `repo_path` | an error that is the path | the error names the repository | to be acted on |
//! | length | unbounded | cut at a mebibyte, and said | it is put before a model |
//! | status during a rebase | names the steps | names the rebase and how to go on | the steps are the terminal's business |

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
use rmcp::service::{RequestContext, RoleServer};

use self::arguments::Arguments;
use self::tools::Description;
use crate::workspace::Roots;

/// The git server, bounded by its roots.
#[derive(Debug, Clone)]
pub struct Git {
    roots: Roots,
    face: Face,
    /// One call at a time: git work is a check followed by a change, and the index is shared.
    turn: Arc<Mutex<()>>,
}

/// Which tools are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Face {
    Full,
    Compact,
}

impl Git {
    /// Makes a server for any host: the reference server's tools and more.
    pub fn full(roots: Roots) -> Self {
        Self::with_face(roots, Face::Full)
    }

    /// Makes a server for a small model that works in the repository of the first root.
    pub fn new(roots: Roots) -> Self {
        Self::with_face(roots, Face::Compact)
    }

    fn with_face(roots: Roots, face: Face) -> Self {
        Self {
            roots,
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
        tool: &Description,
        arguments: JsonObject,
        stop: &Arc<AtomicBool>,
    ) -> Result<String, String> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match self.face {
            Face::Full => Arguments::of(tool, arguments)
                .and_then(|arguments| full::call(&self.roots, tool.name, &arguments, stop))
                .map_err(|text| format!("Error executing tool {}: {text}", tool.name)),
            Face::Compact => Arguments::of(tool, arguments)
                .and_then(|arguments| compact::call(&self.roots, tool.name, &arguments, stop)),
        }
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
        let server = self.clone();
        let stop = Stop::default();
        let heard = Arc::clone(&stop.0);
        let mut work = tokio::task::spawn_blocking(move || {
            server.call(tool, request.arguments.unwrap_or_default(), &heard)
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
