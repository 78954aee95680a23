//! A server that is not part of walden, and the task that looks after it: consent, start, handshake, lists, changes,
//! failure, another start, and the end.

mod contained;
mod hearing;
mod kept;
mod launch;
mod reads;
mod session;

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::answering::Answering;
use super::catalog::Catalog;
use super::config::{Definition, Remote};
use super::container::StartContainer;
use super::era::{Era, Hello};
use super::eras::Eras;
use super::event::HostEvent;
use super::link::Link;
use super::log::Log;
use super::login::{self, AskPerson, LoggingIn};
use super::pins::Pins;
use super::task_book::TaskBook;
use super::wire::Wire;
use crate::protocol::{Level, ServerState, ToolSpec};
use crate::sandbox::Launcher;

pub use contained::{Contained, container_argv, container_runtime};
pub use reads::{program_reads, repository_reads};

/// How often a server that ends is started again before it is left alone, and how long it must live to count as well.
const STARTS: u32 = 5;
const WELL: Duration = Duration::from_secs(60);
/// How long the first of those starts waits; each other one waits twice as long.
const BACK_OFF: Duration = Duration::from_millis(500);

/// A connection that is being opened.
pub type Opening = std::pin::Pin<Box<dyn Future<Output = Result<Wire, String>> + Send>>;

/// Opens connections to servers that are reached over HTTP.
pub trait OpenRemote: Send + Sync {
    /// Begins to connect. The error is one line that says what failed and what to do.
    fn open(&self, remote: &Remote) -> Opening;

    /// Lets the person authorize walden at a server, who is asked by `ask`.
    fn log_in(&self, remote: &Remote, ask: AskPerson) -> LoggingIn;
}

/// What all third-party servers have in common.
pub(super) struct Ground {
    pub(super) launcher: Launcher,
    pub(super) roots: Vec<PathBuf>,
    /// The folder in which each server gets a folder of its own.
    pub(super) scratch: PathBuf,
    pub(super) pins: Pins,
    pub(super) answering: Arc<Answering>,
    pub(super) events: mpsc::UnboundedSender<HostEvent>,
    pub(super) remote: Option<Arc<dyn OpenRemote>>,
    pub(super) containers: Option<Arc<dyn StartContainer>>,
    pub(super) tasks: Arc<TaskBook>,
    pub(super) eras: Eras,
}

/// A third-party server, held by the host.
pub(super) struct Foreign {
    pub(super) shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    task: JoinHandle<()>,
}

/// What is known of a third-party server from anywhere.
pub(super) struct Shared {
    pub(super) definition: Definition,
    pub(super) stage: watch::Sender<Stage>,
    pub(super) log: Arc<Log>,
    /// Its tools that the user leaves out.
    pub(super) left_out: watch::Sender<BTreeSet<String>>,
    pub(super) tasks: Arc<TaskBook>,
    last_error: Mutex<Option<String>>,
}

/// What a third-party server is doing.
#[derive(Clone)]
pub(super) enum Stage {
    Starting,
    Up(Arc<Live>),
    Down(String),
}

/// A server that can be used.
pub(super) struct Live {
    pub(super) link: Link,
    pub(super) hello: Hello,
    pub(super) catalog: Catalog,
    pub(super) tools: Vec<ToolSpec>,
    /// What was pinned of it.
    pub(super) offer: Value,
    /// Pages that the server says were visited.
    pub(super) visited: watch::Receiver<HashSet<String>>,
    /// Resources whose changes the server was asked to tell.
    pub(super) subscribed: Arc<Subscribed>,
}

/// Resources that were named in this life of a server.
pub(super) type Subscribed = Mutex<HashSet<String>>;

/// The most resources of a server whose changes are asked for.
const SUBSCRIPTIONS: usize = 50;

impl Live {
    /// Asks the server to cancel a task. What becomes of it, the task's own call learns.
    pub(super) fn cancel_task(&self, task: &str) {
        self.link.fire("tasks/cancel", json!({"taskId": task}));
    }

    /// Asks to be told when a resource changes, once.
    pub(super) fn subscribe(&self, uri: &str) {
        let mut subscribed = self
            .subscribed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !self.hello.can("/resources/subscribe")
            || subscribed.len() >= SUBSCRIPTIONS
            || !subscribed.insert(uri.to_owned())
        {
            return;
        }
        let link = &self.link;
        match self.hello.era {
            // It answers when it ends, which nobody waits for.
            Era::Modern => link.fire(
                "subscriptions/listen",
                json!({"notifications": {"resourceSubscriptions": [uri]}}),
            ),
            _ => link.fire("resources/subscribe", json!({"uri": uri})),
        }
    }
}

/// What the host asks of a server's task.
#[derive(Debug)]
pub(super) enum Command {
    Restart,
    Stop,
    RootsChanged,
}

/// Why a server's session ended.
pub(super) enum End {
    /// It was told to.
    Stopped,
    Restarted,
    /// It cannot be started as it is: trying again does not help.
    Useless(String),
    Failed {
        reason: String,
        lived: Duration,
    },
}

impl Foreign {
    /// Begins to look after a server.
    pub(super) fn start(
        definition: Definition,
        left_out: BTreeSet<String>,
        ground: Arc<Ground>,
    ) -> Self {
        let (commands, asked) = mpsc::channel(8);
        let shared = Arc::new(Shared {
            definition,
            stage: watch::channel(Stage::Starting).0,
            log: Arc::default(),
            left_out: watch::channel(left_out).0,
            tasks: Arc::clone(&ground.tasks),
            last_error: Mutex::default(),
        });
        let task = tokio::spawn(look_after(Arc::clone(&shared), ground, asked));
        Self {
            shared,
            commands,
            task,
        }
    }

    /// Returns a way to ask something of the server's task from elsewhere.
    pub(super) fn commands(&self) -> mpsc::Sender<Command> {
        self.commands.clone()
    }

    /// Asks something of the server's task.
    pub(super) fn command(&self, command: Command) {
        // A task that has that much to do will see the change anyway.
        let _ = self.commands.try_send(command);
    }

    /// Ends the server, by force where it must be.
    pub(super) async fn close(self) {
        let _ = self.commands.send(Command::Stop).await;
        let mut task = self.task;
        if tokio::time::timeout(Duration::from_secs(8), &mut task)
            .await
            .is_err()
        {
            task.abort();
        }
    }

    /// Waits until the server is up, or down.
    pub(super) async fn settled(&self) {
        let mut stage = self.shared.stage.subscribe();
        let _ = stage
            .wait_for(|stage| !matches!(stage, Stage::Starting))
            .await;
    }
}

async fn look_after(
    shared: Arc<Shared>,
    ground: Arc<Ground>,
    mut commands: mpsc::Receiver<Command>,
) {
    let mut failures = 0;
    loop {
        shared.log.begin();
        shared.now(&ground, Stage::Starting);
        let end = session::run(&shared, &ground, &mut commands).await;
        let wait = match end {
            End::Stopped => {
                shared.stage.send_replace(Stage::Down("stopped".to_owned()));
                return;
            }
            End::Restarted => {
                failures = 0;
                continue;
            }
            End::Useless(reason) => {
                shared.down(&ground, reason);
                None
            }
            // Nothing is another way the next time, until the user has logged in.
            End::Failed { reason, .. } if login::wants(&reason) => {
                shared.down(&ground, reason);
                None
            }
            End::Failed { reason, lived } => {
                failures = if lived > WELL { 1 } else { failures + 1 };
                let again = failures < STARTS;
                let last = shared.log.last_words();
                let said = last.map_or_else(String::new, |line| format!("; it said: {line}"));
                let next = match again {
                    true => "",
                    false => "; it is not started again by itself",
                };
                shared.down(&ground, format!("{reason}{said}{next}"));
                again.then(|| BACK_OFF * 2u32.pow(failures - 1))
            }
        };
        // A server that is down can be told to start again, and to stop.
        let deadline = wait.map(|wait| tokio::time::Instant::now() + wait);
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    None | Some(Command::Stop) => return,
                    Some(Command::Restart) => {
                        failures = 0;
                        break;
                    }
                    Some(Command::RootsChanged) => {}
                },
                () = tokio::time::sleep_until(deadline.unwrap_or_else(tokio::time::Instant::now)), if deadline.is_some() => break,
            }
        }
    }
}

impl Shared {
    /// Returns why it was last down.
    pub(super) fn last_error(&self) -> Option<String> {
        let kept = self.last_error.lock();
        kept.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn now(&self, ground: &Ground, stage: Stage) {
        let state = match &stage {
            Stage::Starting => ServerState::Starting,
            Stage::Up(live) => ServerState::Up {
                tools: live.tools.len(),
            },
            Stage::Down(reason) => ServerState::Down {
                reason: reason.clone(),
            },
        };
        self.stage.send_replace(stage);
        let _ = ground.events.send(HostEvent::Server {
            server: self.definition.name.clone(),
            state,
        });
    }

    fn down(&self, ground: &Ground, reason: String) {
        let text = format!("The server `{}` is down: {reason}.", self.definition.name);
        self.log.note(&text);
        let mut last = self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_news = last.as_ref() != Some(&reason);
        *last = Some(reason.clone());
        drop(last);
        self.now(ground, Stage::Down(reason));
        // Each start that fails in the same way is not told again: the state is there to be seen.
        if is_news {
            let _ = ground.events.send(HostEvent::Notice {
                level: Level::Warning,
                text,
            });
        }
    }
}
