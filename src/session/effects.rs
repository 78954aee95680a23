//! The effects that take time: previews, calls and undo, each a task that the driver owns.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::{AbortHandle, JoinSet};

use super::elsewhere::elsewhere;
use super::known::shown_text;
use crate::agent::{Input, Preview};
use crate::mcp::{Caller, Knowledge, Purpose, Reply};
use crate::protocol::{CallId, FileChange, Outcome, ToolCall, redact};
use crate::workspace::{Checkpoints, Roots};

/// How many of the files that a session knew are read again when it is resumed, the latest ones.
const MOST_RECALLED: usize = 32;

/// What a task reports to the agent.
pub(super) struct Done(pub(super) Input);

/// Starts tasks, and stops those that may be stopped.
pub(super) struct Tasks {
    caller: Caller,
    knowledge: Knowledge,
    roots: Roots,
    checkpoints: Arc<Checkpoints>,
    stoppable: HashMap<CallId, AbortHandle>,
}

impl Tasks {
    pub(super) fn new(
        caller: Caller,
        knowledge: Knowledge,
        roots: Roots,
        checkpoints: Checkpoints,
    ) -> Self {
        Self {
            caller,
            knowledge,
            roots,
            checkpoints: Arc::new(checkpoints),
            stoppable: HashMap::new(),
        }
    }

    /// Asks a call's server what the call, or the allowed part of its change, would change.
    pub(super) fn preview(
        &mut self,
        running: &mut JoinSet<Done>,
        call: ToolCall,
        purpose: Purpose,
    ) {
        let caller = self.caller.clone();
        let id = call.id;
        let task = running.spawn(async move {
            let preview = match caller.call(&call, &purpose).await {
                Reply {
                    outcome: Outcome::Done { .. },
                    change: Some(change),
                    ..
                } => Preview::Change(Box::new(change)),
                Reply {
                    outcome: Outcome::Done { text },
                    change: None,
                    ..
                } => Preview::Refused(Outcome::Failed { text }),
                Reply { outcome, .. } => Preview::Refused(outcome),
            };
            Done(Input::Previewed {
                call: call.id,
                preview,
            })
        });
        self.stoppable.insert(id, task);
    }

    /// Runs a call. One that makes a change first keeps the pre-image, and is not stopped half-way.
    pub(super) fn run(&mut self, running: &mut JoinSet<Done>, call: ToolCall, purpose: Purpose) {
        let change = match &purpose {
            Purpose::RunAsShown(change) | Purpose::RunPart { change, .. } => Some(change.clone()),
            _ => None,
        };
        let (caller, roots, checkpoints) = (
            self.caller.clone(),
            self.roots.clone(),
            Arc::clone(&self.checkpoints),
        );
        let knowledge = self.knowledge.clone();
        let id = call.id;
        let stoppable = change.is_none();
        let task = running.spawn(async move {
            if let Some(change) = change {
                let roots = roots.clone();
                let kept = tokio::task::spawn_blocking(move || {
                    change
                        .files()
                        .try_for_each(|change| checkpoints.keep(&roots, change))
                        .map_err(|error| error.to_string())
                });
                if let Err(problem) = kept.await.unwrap_or_else(|error| Err(error.to_string())) {
                    let text = format!("nothing was changed: {problem}");
                    return done(call.id, Outcome::Failed { text }, None, None);
                }
            }
            let reply = caller.call(&call, &purpose).await;
            let path = match &reply {
                Reply {
                    outcome: Outcome::Done { .. },
                    change: Some(change),
                    ..
                } => Some(change.path.clone()),
                Reply {
                    outcome: Outcome::Done { .. },
                    change: None,
                    ..
                } if call.tool == "read" => call.argument("path").map(str::to_owned),
                _ => None,
            };
            let passage = match path {
                Some(path) => {
                    let roots = roots.clone();
                    tokio::task::spawn_blocking(move || shown_text(&roots, &path))
                        .await
                        .ok()
                        .flatten()
                }
                None => None,
            };
            let is_read = reply.change.is_none();
            let Done(input) = done(call.id, reply.outcome, reply.change, passage);
            if !is_read {
                return Done(input);
            }
            let foreign = tokio::task::spawn_blocking(move || {
                let Input::CallDone { outcome, .. } = &input else {
                    return input;
                };
                let contents = elsewhere(&call, outcome, &roots, &knowledge);
                match contents.is_empty() {
                    false => Input::Foreign {
                        contents,
                        then: Box::new(input),
                    },
                    true => input,
                }
            });
            match foreign.await {
                Ok(input) => Done(input),
                Err(error) => {
                    let text = error.to_string();
                    done(id, Outcome::Failed { text }, None, None)
                }
            }
        });
        if stoppable {
            self.stoppable.insert(id, task);
        }
    }

    /// Runs the project's check, on the tree as it is or with an edit made in the copy.
    pub(super) fn check(
        &mut self,
        running: &mut JoinSet<Done>,
        call: ToolCall,
        trial: Option<ToolCall>,
    ) {
        let caller = self.caller.clone();
        let id = call.id;
        // What the check is for is said to people; the server does not take it.
        let mut bare = call;
        bare.arguments.remove("name");
        bare.arguments.remove("argv");
        let task = running.spawn(async move {
            let purpose = trial.map_or(Purpose::Run, |edit| Purpose::Try(Box::new(edit)));
            let reply = caller.call(&bare, &purpose).await;
            Done(Input::Checked {
                call: id,
                outcome: redacted(reply.outcome),
                result: reply.check,
            })
        });
        self.stoppable.insert(id, task);
    }

    /// Answers a call without running it.
    pub(super) fn refuse(&mut self, running: &mut JoinSet<Done>, call: CallId, text: &str) {
        let outcome = Outcome::Failed {
            text: text.to_owned(),
        };
        running.spawn(async move { done(call, outcome, None, None) });
    }

    /// Stops calls. Those that are making a change end by themselves, and report the change.
    pub(super) fn cancel(&mut self, calls: &[CallId]) {
        for call in calls {
            if let Some(task) = self.stoppable.remove(call) {
                task.abort();
            }
        }
    }

    /// Reads the files that the model knew when the session stopped.
    pub(super) fn recall(&self, running: &mut JoinSet<Done>, mut seen: Vec<String>) {
        let roots = self.roots.clone();
        seen.drain(..seen.len().saturating_sub(MOST_RECALLED));
        running.spawn_blocking(move || {
            let files = seen.iter().filter_map(|path| shown_text(&roots, path));
            Done(Input::Recalled(files.collect()))
        });
    }

    /// Puts back the files of a turn.
    pub(super) fn undo(
        &mut self,
        running: &mut JoinSet<Done>,
        turn: u32,
        changes: Vec<FileChange>,
    ) {
        let (roots, checkpoints) = (self.roots.clone(), Arc::clone(&self.checkpoints));
        running.spawn_blocking(move || {
            let undone = checkpoints.undo(&roots, &changes);
            Done(Input::Undone { turn, undone })
        });
    }
}

/// Takes the secrets out of what a program printed: nobody is asked about it.
fn redacted(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Done { text } => Outcome::Done {
            text: redact(&text).into_owned(),
        },
        Outcome::Failed { text } => Outcome::Failed {
            text: redact(&text).into_owned(),
        },
        outcome => outcome,
    }
}

fn done(
    call: CallId,
    outcome: Outcome,
    change: Option<FileChange>,
    passage: Option<(String, String)>,
) -> Done {
    Done(Input::CallDone {
        call,
        outcome,
        change,
        passage,
    })
}
