//! The host: its servers, their tools, and calls.

use rmcp::ServerHandler;
use rmcp::service::{Peer, RoleClient};

use super::connection::{self, Connection};
use super::convert;
use super::knowledge::Knowledge;
use crate::protocol::{CheckResult, FileChange, Outcome, ToolCall, ToolSpec};

/// The host of all servers of a session.
#[derive(Default)]
pub struct Host {
    servers: Vec<(String, Trust, Connection)>,
    knowledge: Knowledge,
}

/// Whether a server's word about its own tools is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Part of walden.
    BuiltIn,
}

/// What a call is made for.
#[derive(Debug, Clone, PartialEq)]
pub enum Purpose {
    /// To learn what it would change. Nothing is changed.
    Preview,
    Run,
    /// To make exactly the change that was shown, or none.
    RunAsShown(Box<FileChange>),
    /// To see what comes of another call's edit, made in a copy.
    Try(Box<ToolCall>),
}

/// What a call gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub outcome: Outcome,
    /// The change that was made (or, for a preview, would be), where the server told.
    pub change: Option<FileChange>,
    /// What a check told.
    pub check: Option<CheckResult>,
}

/// A server that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("the server `{server}` did not start: {problem}")]
    Start { server: String, problem: String },
    #[error("the server `{server}` did not list its tools: {problem}")]
    List { server: String, problem: String },
}

/// A way to call the servers that can be moved into a task.
#[derive(Clone)]
pub struct Caller {
    peers: Vec<(String, Peer<RoleClient>)>,
}

impl Host {
    /// Creates a host without servers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a built-in server in this process, connected like any other: by MCP over a pipe.
    ///
    /// # Errors
    /// When the server does not answer the handshake.
    pub async fn attach<S: ServerHandler>(
        &mut self,
        name: &str,
        server: S,
    ) -> Result<(), HostError> {
        let connection = Connection::in_process(name, server).await?;
        self.servers
            .push((name.to_owned(), Trust::BuiltIn, connection));
        Ok(())
    }

    /// Lists the tools of all servers, in the order of the servers and of their lists.
    ///
    /// # Errors
    /// When a server does not answer.
    pub async fn tools(&self) -> Result<Vec<ToolSpec>, HostError> {
        let mut tools: Vec<ToolSpec> = Vec::new();
        for (name, trust, connection) in &self.servers {
            for tool in connection.tools(name).await? {
                let mut spec = convert::tool(name, *trust, &tool);
                if tools.iter().any(|known| known.name == spec.name) {
                    spec.name = format!("{name}__{}", spec.name);
                }
                tools.push(spec);
            }
        }
        Ok(tools)
    }

    /// Returns the servers' names and how many tools of `tools` each has.
    pub fn servers<'a>(&'a self, tools: &'a [ToolSpec]) -> impl Iterator<Item = (&'a str, usize)> {
        self.servers.iter().map(|(name, _, _)| {
            (
                name.as_str(),
                tools.iter().filter(|tool| tool.server == *name).count(),
            )
        })
    }

    /// Returns what the built-in servers know besides their tools.
    pub fn knowledge(&self) -> &Knowledge {
        &self.knowledge
    }

    /// Returns what the built-in servers know besides their tools, to be added to.
    pub fn knowledge_mut(&mut self) -> &mut Knowledge {
        &mut self.knowledge
    }

    /// Returns a way to call the servers from tasks.
    pub fn caller(&self) -> Caller {
        Caller {
            peers: self
                .servers
                .iter()
                .map(|(name, _, connection)| (name.clone(), connection.peer()))
                .collect(),
        }
    }

    /// Closes all connections.
    pub async fn close(self) {
        for (_, _, connection) in self.servers {
            connection.close().await;
        }
    }
}

impl Caller {
    /// Makes a call. Whatever goes wrong is an outcome; dropping the future cancels the call at its server.
    pub async fn call(&self, call: &ToolCall, purpose: &Purpose) -> Reply {
        let Some((_, peer)) = self.peers.iter().find(|(name, _)| *name == call.server) else {
            let text = format!("there is no server `{}`", call.server);
            return Reply {
                outcome: Outcome::Invalid { text },
                change: None,
                check: None,
            };
        };
        match connection::call(peer, convert::request(call, purpose)).await {
            Ok(result) => convert::reply(&result),
            Err(problem) => {
                let text = format!(
                    "`{}` of the server `{}` failed: {problem}",
                    call.tool, call.server
                );
                Reply {
                    outcome: Outcome::Failed { text },
                    change: None,
                    check: None,
                }
            }
        }
    }
}
