//! The call that is being written: its constraint, what the constraint forces, and its end.

use std::time::{Duration, Instant};

use toktrie::SimpleVob;

use super::super::native::Token;
use super::{Answer, text_of};
use crate::model::constraint::{self, Allowed, Constraint};
use crate::protocol::{CallForm, Finish};

/// Forced text shorter than this is left to the model: evaluating a batch costs more than its tokens one by one.
const FORCED_BYTES: usize = 12;

/// Whether a call is being written, and under what constraint.
pub(super) enum Draft {
    None,
    Constrained(Box<Constraint>),
    /// No constraint could be made for the call that is open.
    Free,
}

/// Where an answer is that may make several calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    /// Before the first call, or inside one.
    No,
    /// After a call: the next one may follow, and nothing else.
    Calls,
    /// After a call, and something else follows.
    Strayed,
}

/// A token of a call, and how many bytes stood before it.
pub(super) struct Step {
    pub(super) before: usize,
    pub(super) token: Token,
}

impl Answer<'_, '_> {
    /// Returns the tokens that the constraint allows, if there is one.
    pub(super) fn mask(&mut self) -> Option<SimpleVob> {
        let Draft::Constrained(constraint) = &mut self.draft else {
            return None;
        };
        let started = Instant::now();
        let mask = constraint.mask();
        self.engine.tally.masks.push(started.elapsed());
        match mask {
            Ok(mut mask) => {
                if let Some(token) = self.banned.take() {
                    let token = token.cast_unsigned();
                    mask.disallow_token(token);
                    if mask.is_zero() {
                        mask.allow_token(token);
                    }
                }
                Some(mask)
            }
            Err(error) => {
                self.release(&error);
                None
            }
        }
    }

    /// Tells the constraint what was written.
    pub(super) fn accept(&mut self, tokens: &[Token]) {
        let Draft::Constrained(constraint) = &mut self.draft else {
            return;
        };
        let ids: Vec<u32> = tokens.iter().map(|token| token.cast_unsigned()).collect();
        match constraint.accept(&ids) {
            Ok(()) => {
                let weights = self.engine.cache.weights();
                let mut before = self.raw.len();
                for token in tokens {
                    self.steps.push(Step {
                        before,
                        token: *token,
                    });
                    before += weights.piece(*token).len();
                }
            }
            Err(error) => self.release(&error),
        }
    }

    pub(super) fn release(&mut self, error: &constraint::ConstraintError) {
        tracing::warn!("a call goes on unconstrained: {error}");
        self.draft = Draft::Free;
    }

    /// Returns the tokens of text that must come next, so that they are evaluated together.
    pub(super) fn forced(&mut self) -> Vec<Token> {
        let Draft::Constrained(constraint) = &mut self.draft else {
            return Vec::new();
        };
        let bytes = constraint.forced();
        let Some(text) = std::str::from_utf8(&bytes)
            .ok()
            .filter(|text| text.len() >= FORCED_BYTES)
        else {
            return Vec::new();
        };
        let weights = self.engine.cache.weights();
        if weights.prefixes_space() {
            return Vec::new();
        }
        let mut tokens = weights.tokenize(text);
        // The last one might have been joined with what the model writes next.
        tokens.pop();
        tokens.truncate(self.engine.cache.context().batch() - 1);
        if tokens.len() < 2 {
            return Vec::new();
        }
        self.accept(&tokens);
        match self.draft {
            Draft::Constrained(_) => tokens,
            Draft::None | Draft::Free => Vec::new(),
        }
    }

    /// Constrains a call that has opened in what the model wrote.
    pub(super) fn watch_for_a_call(&mut self) {
        let Some(open) = self.parser.open_call() else {
            // A constrained call is held to its end, also where the parser wants to see more of it first.
            if matches!(self.draft, Draft::Free) {
                self.draft = Draft::None;
            }
            return;
        };
        // A character of which only a part is written is not in the body yet: the constraint would miss it.
        let is_whole = self.raw.ends_with(open.body.as_bytes());
        if matches!(self.draft, Draft::None) && is_whole {
            self.between = Between::No;
            let (form, further, written) = (open.form, open.further, open.body.len());
            let body = open.as_first();
            self.begin_call(written);
            if !further {
                self.wrapped_at = self.body_start;
            }
            self.constrain_as(form, body.as_bytes());
        }
    }

    pub(super) fn constrain(&mut self, body: &[u8]) {
        self.begin_call(body.len());
        self.wrapped_at = self.body_start;
        self.constrain_as(self.engine.form, body);
    }

    /// Takes note of where a call begins of whose body so many bytes are written.
    fn begin_call(&mut self, written: usize) {
        self.body_start = self.raw.len() - written;
        self.steps.clear();
    }

    fn constrain_as(&mut self, form: CallForm, body: &[u8]) {
        let request = self.request;
        let (passages, known) = match self.engine.real_arguments {
            true => (&request.passages[..], &request.known[..]),
            false => (&[][..], &[][..]),
        };
        let allowed = Allowed {
            form,
            tools: &self.tools,
            passages,
            known,
        };
        self.draft = Draft::Free;
        let Some(constraints) = &mut self.engine.constraints else {
            return;
        };
        let started = Instant::now();
        let constraint = constraints.rest_of_call(allowed, body);
        let took = started.elapsed().as_micros();
        tracing::debug!(took_us = took, "built the constraint of a call");
        match constraint {
            Ok(constraint) => {
                self.draft = Draft::Constrained(Box::new(constraint));
                self.offer_passages(form);
            }
            Err(error) => self.release(&error),
        }
    }

    pub(super) fn is_call_complete(&self) -> bool {
        self.called
            || matches!(&self.draft, Draft::Constrained(constraint) if constraint.is_complete())
    }

    /// Lets an answer go on after a call, where it may make more of them.
    pub(super) fn goes_on_after_call(&mut self) -> bool {
        // A call that the parser wants to see more of is ended, which decides it.
        if !self.called || self.calls + 1 >= self.request.sampling.max_calls {
            return false;
        }
        self.calls += 1;
        self.called = false;
        self.draft = Draft::None;
        self.between = Between::Calls;
        self.ends_at = self.raw.len();
        true
    }

    /// Ends an answer after its last call: what the model went on with is no part of it.
    pub(super) fn end_calls(&mut self) -> Finish {
        if self.between == Between::Strayed {
            self.raw.truncate(self.ends_at);
        }
        self.between = Between::Calls;
        self.called = true;
        self.end_call()
    }

    /// Ends the answer after a call, with its closing mark, so that `raw` is what the next prompt shows.
    pub(super) fn end_call(&mut self) -> Finish {
        let raw = text_of(&self.raw);
        let (before, body) = raw.split_at_checked(self.wrapped_at).unwrap_or((&raw, ""));
        let closing = constraint::closing(before, body);
        if !closing.is_empty() {
            self.hear(closing.as_bytes());
        }
        if !self.called {
            for piece in self.parser.finish() {
                self.tell_piece(piece);
            }
        }
        if self.called {
            Finish::Call
        } else {
            // Constrained text that the parser does not take for a call: it was told as a bad call above.
            Finish::Stop
        }
    }

    pub(super) fn note_mask_times(&mut self) {
        let masks = &mut self.engine.tally.masks;
        let all: Duration = masks.iter().sum();
        self.usage.mask_us = u32::try_from(all.as_micros()).unwrap_or(u32::MAX);
        masks.sort_unstable();
        if let Some(median) = masks.get(masks.len() / 2) {
            tracing::debug!(
                masks = masks.len(),
                median_us = median.as_micros(),
                max_us = masks.last().map(Duration::as_micros),
                "constrained a call"
            );
        }
    }
}
