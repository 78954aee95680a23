//! Models: each on a thread of its own, all behind [`Model`].
//!
//! Owns inference (llama.cpp), prompt templates, the stream parser, decoding constraints and the model store. Knows
//! nothing of the agent, of MCP or of the screen.

pub mod constraint;
pub mod family;
pub mod llama;
pub mod parse;
pub mod scripted;
pub mod speculate;
pub mod store;
pub mod template;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::protocol::{ModelEvent, ModelFailure, ModelRequest};

/// How many events of a generation may wait for the session: back-pressure stays between model and session.
const PENDING_EVENTS: usize = 256;

/// How long a closing model may take to put things away.
const CLOSING: Duration = Duration::from_secs(10);

/// A model on its own thread. Dropping it ends the thread after the running generation, which is cancelled.
#[derive(Debug)]
pub struct Model {
    commands: std::sync::mpsc::Sender<Command>,
    /// Stops the preparation that was asked for last: whatever comes next is wanted more.
    preparing: Mutex<Cancel>,
    /// Tells whether the thread has something that it keeps between runs.
    keeps: Option<watch::Receiver<bool>>,
}

/// What the thread of a model is asked to do. The thread ends when the sender is gone.
#[derive(Debug)]
pub enum Command {
    Generate {
        request: Box<ModelRequest>,
        events: mpsc::Sender<ModelEvent>,
        cancel: Cancel,
    },
    /// Evaluates the prompt of a request that may come, while there is nothing else to do. If its last message is the
    /// user's, that one is taken to be still in the writing. Nobody is told.
    Prepare {
        request: Box<ModelRequest>,
        cancel: Cancel,
        /// Dropped when it is done or given up.
        ended: oneshot::Sender<()>,
    },
}

/// A running generation: its events, and the way to stop it. Both are fresh for each generation.
#[derive(Debug)]
pub struct Generation {
    /// Ends (`None`) after `Done` or `Failed`.
    pub events: mpsc::Receiver<ModelEvent>,
    pub cancel: Cancel,
}

/// Stops a generation: within one decode step, or within one ubatch of prefill.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the generation to stop. It answers with `Done { finish: Cancelled, .. }`.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Tells whether the generation was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Model {
    /// Wraps a command queue whose other end a model's thread reads.
    pub fn new(commands: std::sync::mpsc::Sender<Command>) -> Self {
        Self {
            commands,
            preparing: Mutex::new(Cancel::default()),
            keeps: None,
        }
    }

    /// Makes [`Model::close`] wait while the other end of `keeps` says that there is something to be put away. A model
    /// that is still being loaded has nothing yet, and is not waited for.
    #[must_use]
    pub fn waiting_for(mut self, keeps: watch::Receiver<bool>) -> Self {
        self.keeps = Some(keeps);
        self
    }

    /// Ends the thread, and waits for a moment until it has put away what it keeps between runs.
    pub async fn close(self) {
        let Self {
            commands,
            preparing,
            keeps,
        } = self;
        preparing.into_inner().unwrap_or_default().cancel();
        drop(commands);
        if let Some(mut keeps) = keeps {
            // Whether it came to its end or not: what it keeps can be done without.
            let _ = tokio::time::timeout(CLOSING, keeps.wait_for(|keeps| !keeps)).await;
        }
    }

    /// Creates a model that is not there: it says so, and answers nothing.
    pub fn missing(message: String, state: &mpsc::UnboundedSender<ModelEvent>) -> Self {
        let _ = state.send(ModelEvent::Failed {
            failure: ModelFailure::Load { message },
        });
        Self::new(std::sync::mpsc::channel().0)
    }

    /// Starts a generation. A model that is still loading answers when it is ready; one whose thread is gone
    /// closes the events at once.
    pub fn generate(&self, request: ModelRequest) -> Generation {
        let (sender, events) = mpsc::channel(PENDING_EVENTS);
        let cancel = Cancel::default();
        let command = Command::Generate {
            request: Box::new(request),
            events: sender,
            cancel: cancel.clone(),
        };
        self.stop_preparing(Cancel::default());
        // A send fails only when the thread is gone; the receiver then ends at once, which the session reports.
        let _ = self.commands.send(command);
        Generation { events, cancel }
    }

    /// Evaluates the prompt of a request that may come, as [`Command::Prepare`] says. The next generation or
    /// preparation stops it; what it has evaluated by then is kept. The receiver ends when it is done or given up.
    pub fn prepare(&self, request: ModelRequest) -> oneshot::Receiver<()> {
        let cancel = Cancel::default();
        let (ended, end) = oneshot::channel();
        self.stop_preparing(cancel.clone());
        // A model whose thread is gone has nothing to prepare.
        let _ = self.commands.send(Command::Prepare {
            request: Box::new(request),
            cancel,
            ended,
        });
        end
    }

    fn stop_preparing(&self, next: Cancel) {
        if let Ok(mut preparing) = self.preparing.lock() {
            std::mem::replace(&mut *preparing, next).cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_model_that_keeps_nothing_yet_is_not_waited_for() {
        let (keeping, keeps) = watch::channel(false);
        let model = || Model::new(std::sync::mpsc::channel().0).waiting_for(keeps.clone());
        // The other end lives on, as it does while a model is loaded.
        model().close().await;
        keeping.send_replace(true);
        let closing = tokio::spawn(model().close());
        tokio::task::yield_now().await;
        assert!(!closing.is_finished(), "something is being put away");
        drop(keeping);
        closing.await.expect("it ends");
    }
}
