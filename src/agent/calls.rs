//! The call table: ids, and how far each open call got.

use super::asking::Result;
use crate::protocol::{CallId, FileChange, Risk, Subject, Target, ToolCall};

/// Mints call ids and holds the calls that are not settled. An id settles once; what comes later finds nothing.
#[derive(Debug, Default)]
pub(super) struct CallTable {
    minted: u64,
    open: Vec<OpenCall>,
}

/// A call that is not settled.
#[derive(Debug)]
pub(super) struct OpenCall {
    pub(super) call: ToolCall,
    pub(super) risk: Risk,
    pub(super) stage: Stage,
    /// What it is about, as far as anybody has looked.
    pub(super) targets: Vec<Target>,
    /// The user allowed the model to see a secret by this call.
    pub(super) cleared: bool,
}

impl OpenCall {
    /// Returns the call as rules see it.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            call: &self.call,
            risk: self.risk,
            targets: &self.targets,
        }
    }
}

/// How far a call got.
#[derive(Debug, PartialEq)]
pub(super) enum Stage {
    Previewing,
    /// Part of a search: nobody is shown it, and the model is told nothing of it.
    Trying,
    Asking(Option<Box<FileChange>>),
    Running,
    /// It ran; whether the model may have the result is asked.
    Holding(Box<Result>),
}

impl CallTable {
    /// Starts a table whose ids come after `minted`.
    pub(super) fn after(minted: u64) -> Self {
        Self {
            minted,
            open: Vec::new(),
        }
    }

    pub(super) fn mint(&mut self) -> CallId {
        self.minted += 1;
        CallId(self.minted)
    }

    pub(super) fn open(&mut self, call: ToolCall, risk: Risk, stage: Stage) {
        let targets = Target::of(&call);
        self.open.push(OpenCall {
            call,
            risk,
            stage,
            targets,
            cleared: false,
        });
    }

    pub(super) fn get(&self, id: CallId) -> Option<&OpenCall> {
        self.open.iter().find(|open| open.call.id == id)
    }

    pub(super) fn get_mut(&mut self, id: CallId) -> Option<&mut OpenCall> {
        self.open.iter_mut().find(|open| open.call.id == id)
    }

    /// Takes a call out of the table. `None` when it was settled already.
    pub(super) fn settle(&mut self, id: CallId) -> Option<OpenCall> {
        let at = self.open.iter().position(|open| open.call.id == id)?;
        Some(self.open.remove(at))
    }

    /// Takes all open calls out.
    pub(super) fn settle_all(&mut self) -> Vec<OpenCall> {
        std::mem::take(&mut self.open)
    }

    /// Counts the ids minted so far.
    #[cfg(test)]
    pub(super) fn minted(&self) -> u64 {
        self.minted
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}
