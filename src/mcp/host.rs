//! The host: its servers, their tools, and calls.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rmcp::ServerHandler;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::acting::Reload;
use super::answering::Answering;
use super::calling;
use super::choices::Choices;
use super::config::Definition;
use super::connection::{self, Connection, Line, Listener};
use super::container::StartContainer;
use super::convert;
use super::desk::{Attended, Desk};
use super::eras::Eras;
use super::event::HostEvent;
use super::foreign::{Command, Foreign, Ground, OpenRemote, Shared, Stage};
use super::knowledge::Knowledge;
use super::pins::Pins;
use super::registry::Registry;
use super::task_book::TaskBook;
use crate::protocol::{
    AllowedPart, Answer, CheckResult, FileChange, Hash, Level, Outcome, QuestionId, ServerState,
    ToolCall, ToolSpec,
};
use crate::sandbox::Launcher;

/// The host of all servers of a session.
pub struct Host {
    servers: Vec<(String, Trust, Connection)>,
    knowledge: Knowledge,
    pub(super) foreign: Vec<Foreign>,
    /// Those that are left out.
    pub(super) idle: Vec<Definition>,
    pub(super) registry: Registry,
    pub(super) ground: Option<Arc<Ground>>,
    pub(super) choices: Choices,
    pub(super) reload: Option<Reload>,
    /// Servers that are being ended.
    pub(super) closing: JoinSet<()>,
    /// Logins that go on; they end with the host.
    pub(super) logins: JoinSet<()>,
    pub(super) answering: Arc<Answering>,
    events: mpsc::UnboundedReceiver<HostEvent>,
}

/// What a host needs to start servers that are not part of walden.
pub struct Options {
    pub attended: Attended,
    /// The folders that servers are told of, and may read.
    pub roots: Vec<PathBuf>,
    pub launcher: Launcher,
    /// The folder in which each server gets a folder of its own.
    pub scratch: PathBuf,
    pub pins: Pins,
    /// How servers are reached over HTTP, where that is possible.
    pub remote: Option<Arc<dyn OpenRemote>>,
    /// Who starts containers, where that is possible.
    pub containers: Option<Arc<dyn StartContainer>>,
    /// What the user chose about servers in sessions.
    pub choices: Choices,
    /// Where it is noted which tasks of servers go on.
    pub tasks: TaskBook,
    /// What is known of the eras that servers speak.
    pub eras: Eras,
    /// Reads the configuration again, where it can change.
    pub reload: Option<Reload>,
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
    /// To learn what a part of the change that was shown comes to. Nothing is changed.
    PreviewPart {
        shown: Option<Hash>,
        part: AllowedPart,
    },
    /// To make exactly that part: `change` is what its preview told, `shown` the hash that the whole would have left.
    RunPart {
        shown: Option<Hash>,
        part: AllowedPart,
        change: Box<FileChange>,
    },
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
    lines: Vec<(String, Line)>,
    pub(super) registry: Registry,
    pub(super) answering: Arc<Answering>,
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// Creates a host without servers.
    pub fn new() -> Self {
        let (events, told) = mpsc::unbounded_channel();
        let desk = Desk::new(Attended::No, events.clone());
        Self {
            servers: Vec::new(),
            knowledge: Knowledge::default(),
            foreign: Vec::new(),
            idle: Vec::new(),
            registry: Registry::default(),
            ground: None,
            choices: Choices::in_memory(),
            reload: None,
            closing: JoinSet::new(),
            logins: JoinSet::new(),
            answering: Answering::new(desk, events, Vec::new()),
            events: told,
        }
    }

    /// Creates a host that looks after these servers, and begins to start them. It does not wait for them: they tell
    /// of themselves by events.
    pub fn with(definitions: Vec<Definition>, options: Options) -> Self {
        let (events, told) = mpsc::unbounded_channel();
        let desk = Desk::new(options.attended, events.clone());
        let answering = Answering::new(desk, events.clone(), options.roots.clone());
        let ground = Arc::new(Ground {
            launcher: options.launcher,
            roots: options.roots,
            scratch: options.scratch,
            pins: options.pins,
            answering: Arc::clone(&answering),
            events,
            remote: options.remote,
            containers: options.containers,
            tasks: Arc::new(options.tasks),
            eras: options.eras,
        });
        let mut host = Self {
            servers: Vec::new(),
            knowledge: Knowledge::default(),
            foreign: Vec::new(),
            idle: Vec::new(),
            registry: Registry::default(),
            ground: Some(Arc::clone(&ground)),
            choices: options.choices,
            reload: options.reload,
            closing: JoinSet::new(),
            logins: JoinSet::new(),
            answering,
            events: told,
        };
        for definition in definitions {
            match definition.disabled {
                true => host.idle.push(definition),
                false => host.begin(definition, &ground),
            }
        }
        host
    }

    /// Tells whether somebody is there to be asked and shown things.
    pub fn is_attended(&self) -> bool {
        self.answering.desk.is_attended()
    }

    /// Lets the session tell the user something.
    pub fn tell(&self, text: String) {
        let level = Level::Warning;
        let _ = self
            .answering
            .events
            .send(HostEvent::Notice { level, text });
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

    /// Waits until every third-party server is up or down, but not longer than that.
    pub async fn settle(&self, longest: Duration) {
        let all = async {
            for server in &self.foreign {
                server.settled().await;
            }
        };
        let _ = tokio::time::timeout(longest, all).await;
    }

    /// Lists the tools of all servers that are there, in the order of the servers and of their lists.
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
        for server in &self.foreign {
            if let Stage::Up(live) = &*server.shared.stage.borrow() {
                tools.extend(live.tools.iter().cloned());
            }
        }
        Ok(tools)
    }

    /// Returns the servers' names and states; `tools` are all that were listed.
    pub fn servers(&self, tools: &[ToolSpec]) -> Vec<(String, ServerState)> {
        let own = self.servers.iter().map(|(name, _, _)| {
            let tools = tools.iter().filter(|tool| tool.server == *name).count();
            (name.clone(), ServerState::Up { tools })
        });
        let others = self.foreign.iter().map(|server| {
            let state = match &*server.shared.stage.borrow() {
                Stage::Starting => ServerState::Starting,
                Stage::Up(live) => ServerState::Up {
                    tools: live.tools.len(),
                },
                Stage::Down(reason) => ServerState::Down {
                    reason: reason.clone(),
                },
            };
            (server.shared.definition.name.clone(), state)
        });
        own.chain(others).collect()
    }

    /// Returns the next thing that a third-party server brings about.
    pub async fn event(&mut self) -> Option<HostEvent> {
        self.events.recv().await
    }

    /// Returns what third-party servers brought about that was not taken yet, if anything.
    pub fn brought(&mut self) -> Option<HostEvent> {
        self.events.try_recv().ok()
    }

    /// Takes the user's answer to a question. It counts once.
    pub fn answer(&self, question: QuestionId, answer: Answer) {
        self.answering.desk.answer(question, answer);
    }

    /// Starts a third-party server again. Tells whether there is one of that name.
    pub fn restart(&self, server: &str) -> bool {
        let found = self
            .foreign
            .iter()
            .find(|one| one.shared.definition.name == server);
        if let Some(found) = found {
            found.command(Command::Restart);
        }
        found.is_some()
    }

    /// Cancels a call that a server took on as a task. Tells whether it could be asked to.
    pub fn cancel_job(&self, server: &str, job: &str) -> bool {
        let found = self
            .foreign
            .iter()
            .find(|one| one.shared.definition.name == server);
        match found.map(|one| one.shared.stage.borrow().clone()) {
            Some(Stage::Up(live)) => {
                live.cancel_task(job);
                true
            }
            _ => false,
        }
    }

    /// Replaces the folders that servers are told of.
    pub fn set_roots(&self, roots: Vec<PathBuf>) {
        self.answering.set_roots(roots);
        for server in &self.foreign {
            server.command(Command::RootsChanged);
        }
    }

    /// Returns the last lines that a server wrote beside the protocol.
    pub fn log(&self, server: &str, lines: usize) -> Vec<String> {
        self.foreign
            .iter()
            .find(|one| one.shared.definition.name == server)
            .map(|one| one.shared.log.tail(lines))
            .unwrap_or_default()
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
            lines: self
                .servers
                .iter()
                .map(|(name, _, connection)| (name.clone(), connection.line()))
                .collect(),
            registry: self.registry.clone(),
            answering: Arc::clone(&self.answering),
        }
    }

    /// Closes all connections, at the same time.
    pub async fn close(self) {
        let mut closing = self.closing;
        for server in self.foreign {
            closing.spawn(server.close());
        }
        for (_, _, connection) in self.servers {
            connection.close().await;
        }
        while closing.join_next().await.is_some() {}
    }
}

impl Caller {
    /// Makes a call. Whatever goes wrong is an outcome; dropping the future cancels the call at its server.
    pub async fn call(&self, call: &ToolCall, purpose: &Purpose) -> Reply {
        let bare = |outcome: Outcome| Reply {
            outcome,
            change: None,
            check: None,
        };
        if let Some(server) = self.server(&call.server) {
            return bare(calling::call(&server, &self.answering, call).await);
        }
        let Some((_, line)) = self.lines.iter().find(|(name, _)| *name == call.server) else {
            let text = format!("there is no server `{}`", call.server);
            return bare(Outcome::Invalid { text });
        };
        let listener = Listener {
            call: call.id,
            events: self.answering.events.clone(),
        };
        match connection::call(line, convert::request(call, purpose), listener).await {
            Ok(result) => convert::reply(&result),
            Err(problem) => {
                let text = format!(
                    "`{}` of the server `{}` failed: {problem}",
                    call.tool, call.server
                );
                bare(Outcome::Failed { text })
            }
        }
    }

    /// Finds a third-party server.
    pub(super) fn server(&self, name: &str) -> Option<Arc<Shared>> {
        self.registry.find(name)
    }
}
