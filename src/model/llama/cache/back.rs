//! Going back: what a sequence holds is cut, or a checkpoint is put back in where it cannot be.

use super::super::memory::{Extent, Sequence};
use super::Cache;

impl Cache<'_> {
    /// Goes back to what is known to be whole after an evaluation was stopped: some of it may be there, some not.
    pub(super) fn fall_back(&mut self, sequence: Sequence, known: usize) {
        // What was stopped counts as one token more, so that going back is never taken for staying.
        let can = known == 0 || self.context.can_cut(sequence, known + 1, known);
        if can && self.context.forget_from(sequence, known) {
            return;
        }
        let last = self.held(sequence).checkpoints.last_within(known);
        let start = last.unwrap_or(0);
        let state = self.held(sequence).checkpoints.state(start);
        if !self.put_back(sequence, start, state.as_deref()) {
            self.clear(sequence);
        }
    }

    /// Keeps the first tokens of a sequence only. Returns `false` when that was not possible and all are forgotten.
    pub(super) fn cut(&mut self, sequence: Sequence, kept: usize) -> bool {
        let length = self.length(sequence);
        if kept == length {
            return true;
        }
        if self.context.can_cut(sequence, length, kept) && self.context.forget_from(sequence, kept)
        {
            self.truncate(sequence, kept);
            return true;
        }
        let state = self.held(sequence).checkpoints.state(kept);
        if self.put_back(sequence, kept, state.as_deref()) {
            return true;
        }
        self.clear(sequence);
        kept == 0
    }

    /// Puts the state of a checkpoint back in.
    pub(super) fn put_back(
        &mut self,
        sequence: Sequence,
        kept: usize,
        state: Option<&[u8]>,
    ) -> bool {
        let Some(state) = state else { return false };
        let restored = self.context.restore(sequence, state, Extent::Uncuttable)
            && self.context.forget_from(sequence, kept)
            && self.context.reached(sequence) == kept;
        if restored {
            self.truncate(sequence, kept);
        } else {
            tracing::warn!(kept, "a checkpoint could not be put back in");
        }
        restored
    }

    pub(super) fn keep_checkpoint(&mut self) {
        let (sequence, tokens) = (self.active, self.len());
        if let Some(state) = self.context.state(sequence, Extent::Uncuttable) {
            self.held_mut(sequence).checkpoints.keep(tokens, state);
        }
    }

    pub(super) fn truncate(&mut self, sequence: Sequence, kept: usize) {
        let held = self.held_mut(sequence);
        held.tokens.0.truncate(kept);
        held.checkpoints.truncate(kept);
        held.shared = held.shared.min(kept);
        if sequence == Sequence::MAIN {
            self.saved = self.saved.min(kept);
            // The cells that the others have beyond it are theirs alone now.
            for side in Sequence::sides() {
                let held = self.held_mut(side);
                held.shared = held.shared.min(kept);
            }
        }
    }

    pub(super) fn clear(&mut self, sequence: Sequence) {
        self.context.forget(sequence);
        self.truncate(sequence, 0);
    }

    /// Forgets everything.
    pub(in crate::model::llama) fn clear_all(&mut self) {
        self.context.forget_all();
        self.truncate(Sequence::MAIN, 0);
        for other in Sequence::sides().chain(Sequence::clients()) {
            self.truncate(other, 0);
        }
    }
}
