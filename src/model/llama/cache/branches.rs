//! Going on from several places of a sequence at once: each branch shares what stands before its place, and a step of
//! all of them is one evaluation. What they wrote is nobody's afterwards.

use super::super::memory::{BRANCHES, Sequence};
use super::super::native::{DecodeError, Decoded, Place, Token};
use super::Cache;

/// A token that is evaluated on a branch, at a position of its sequence.
#[derive(Debug, Clone, Copy)]
pub(in crate::model::llama) struct Step {
    pub(in crate::model::llama) branch: usize,
    pub(in crate::model::llama) position: usize,
    pub(in crate::model::llama) token: Token,
}

impl Cache<'_> {
    /// Returns how many branches of so many tokens there is room for.
    pub(in crate::model::llama) fn branches(&self, tokens: usize) -> usize {
        let room = self.room() / tokens.max(1);
        room.min(BRANCHES).min(self.context.batch())
    }

    /// Begins a branch anew after the first tokens of the request's sequence. What a client left there is forgotten.
    pub(in crate::model::llama) fn begin_branch(&mut self, branch: usize, kept: usize) {
        let sequence = Sequence::branch(branch);
        self.truncate(sequence, 0);
        self.context.fork(self.active, sequence, kept);
    }

    /// Evaluates a token on each of some branches. There are logits for each, the last branch's last.
    pub(in crate::model::llama) fn step(
        &mut self,
        steps: &[Step],
        stop: &dyn Fn() -> bool,
    ) -> Result<(), DecodeError> {
        if stop() {
            return Err(DecodeError::Stopped);
        }
        let places: Vec<Place> = steps
            .iter()
            .map(|step| Place {
                sequence: Sequence::branch(step.branch),
                position: step.position,
                token: step.token,
                wanted: true,
            })
            .collect();
        loop {
            match self.context.decode_at(&places, stop) {
                Ok(Decoded::Done) => return Ok(()),
                Ok(Decoded::NoRoom) if self.give_up_a_side() => {}
                Ok(Decoded::NoRoom) => {
                    let message = "the context window has no room left".to_owned();
                    return Err(DecodeError::Failed(message));
                }
                Err(error @ DecodeError::Stopped) => return Err(error),
                Err(error @ DecodeError::Failed(_)) => {
                    self.clear_all();
                    return Err(error);
                }
            }
        }
    }

    /// Forgets all branches. They are to be ended whatever happened to them. What clients left stays: a sequence that
    /// holds something was no branch.
    pub(in crate::model::llama) fn end_branches(&mut self) {
        for sequence in Sequence::clients() {
            if self.length(sequence) == 0 {
                self.context.forget(sequence);
            }
        }
    }
}
