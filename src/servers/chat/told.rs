//! How far an answer is, told to a client that wants to know.

use std::convert::Infallible;
use std::time::Duration;

use rmcp::model::ProgressNotificationParam;
use rmcp::service::{RequestContext, RoleServer};
use tokio::sync::watch;

/// How often it is told at most.
const INTERVAL: Duration = Duration::from_millis(200);

/// How far an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Tokens of the prompt that are evaluated, all of them, and those that needed not be.
    read: u32,
    prompt: u32,
    reused: u32,
    /// Pieces of the answer: a token each, or some.
    pieces: u32,
    characters: usize,
    /// The most tokens of the answer.
    most: u32,
}

impl Step {
    /// Nothing is done yet of an answer that may have so many tokens.
    pub(super) fn new(most: u32) -> Self {
        Self {
            read: 0,
            prompt: 0,
            reused: 0,
            pieces: 0,
            characters: 0,
            most,
        }
    }

    /// Notes how much of the prompt is evaluated.
    pub(super) fn read(&mut self, done: u32, total: u32, reused: u32) {
        (self.read, self.prompt, self.reused) = (done, total, reused);
    }

    /// Notes a piece of the answer.
    pub(super) fn wrote(&mut self, text: &str) {
        self.pieces += 1;
        self.characters += text.chars().count();
    }

    fn progress(&self) -> u32 {
        self.read.saturating_add(self.pieces)
    }

    fn message(&self) -> String {
        match self.characters {
            0 => format!(
                "reading: {} of {} tokens, {} of them known already",
                self.read, self.prompt, self.reused
            ),
            1 => "writing: 1 character".to_owned(),
            characters => format!("writing: {characters} characters"),
        }
    }
}

/// Tells a client how far its answer is, for as long as this is waited for. A client that does not take it up holds
/// nothing up: it is told where the answer is by then.
pub(super) async fn tell(
    mut steps: watch::Receiver<Step>,
    context: &RequestContext<RoleServer>,
) -> Infallible {
    let Some(token) = context.meta.get_progress_token() else {
        return std::future::pending().await;
    };
    let mut told = 0;
    while steps.changed().await.is_ok() {
        let step = *steps.borrow_and_update();
        // It must grow each time.
        if step.progress() <= told {
            continue;
        }
        told = step.progress();
        let total = step.prompt.saturating_add(step.most);
        let progress = ProgressNotificationParam::new(token.clone(), told.into())
            .with_total(total.into())
            .with_message(step.message());
        // A client that is gone takes its call with it.
        let _ = context.peer.notify_progress(progress).await;
        tokio::time::sleep(INTERVAL).await;
    }
    std::future::pending().await
}
