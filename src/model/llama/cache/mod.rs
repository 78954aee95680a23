//! What is evaluated already: the sequences of the context with the exact bytes of their tokens, and how much of a new
//! prompt they cover.
//!
//! The conversation has the main sequence. A side request works in another one, which begins as a fork of what it has
//! in common with the conversation; it never takes a cell from it. A client's question has a sequence of its own, which
//! begins as what an earlier one left.

mod back;
mod branches;
mod checkpoints;
mod clients;
mod keep;

use std::time::Instant;

use super::memory::Sequence;
use super::native::{Context, DecodeError, Decoded, Logits, Token, Weights};
use super::prompt::Prompt;
use super::snapshots::Snapshots;
use super::tokens::{Cutting, Entry, Tokens};
use crate::protocol::Lane;

pub(super) use branches::Step;
use checkpoints::Checkpoints;
pub(super) use clients::{ClientPlan, Part};

/// How far a prompt is evaluated, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) done: usize,
    pub(super) total: usize,
    pub(super) cached: usize,
}

/// What a sequence holds.
#[derive(Debug, Default)]
struct Held {
    tokens: Tokens,
    /// How many of the first tokens have their cells in common with the main sequence; of a client's, with another
    /// client's that was being answered when this one began.
    shared: usize,
    checkpoints: Checkpoints,
    /// When it was last used, in requests.
    used: u64,
    /// How many tokens the client's question had that was asked here last.
    asked: usize,
    /// That question is still being answered.
    is_busy: bool,
}

/// A context together with what is in it. The two are in step after every call, failed ones too.
pub(super) struct Cache<'w> {
    context: Context<'w>,
    held: Vec<Held>,
    /// The sequence of the request that is being answered.
    active: Sequence,
    requests: u64,
    snapshots: Option<Snapshots>,
    /// How many of the main sequence's first tokens are in a file.
    saved: usize,
    /// How many tokens the file had that the main sequence came from.
    loaded: usize,
    /// The main sequence holds only what every session of its kind begins with.
    is_base: bool,
}

/// A prompt that is tokenised as far as it has to be evaluated.
#[derive(Debug)]
pub(super) struct Plan {
    /// Where the beginning of the prompt is, and where the prompt is to be.
    source: Sequence,
    target: Sequence,
    cached: usize,
    place: usize,
    rest: Tokens,
    needed: usize,
}

impl Plan {
    /// Returns how many tokens the prompt has.
    pub(super) fn total(&self) -> usize {
        self.cached + self.rest.0.len()
    }

    /// Returns how many of them are in the cache.
    pub(super) fn cached(&self) -> usize {
        self.cached
    }

    /// Returns how much of the window is taken once the prompt is evaluated.
    pub(super) fn needed(&self) -> usize {
        self.needed
    }
}

impl<'w> Cache<'w> {
    /// Takes a fresh context, and where its states are kept between runs.
    pub(super) fn new(context: Context<'w>, snapshots: Option<Snapshots>) -> Self {
        let others = Sequence::sides().chain(Sequence::clients()).count();
        Self {
            context,
            held: (0..=others).map(|_| Held::default()).collect(),
            active: Sequence::MAIN,
            requests: 0,
            snapshots,
            saved: 0,
            loaded: 0,
            is_base: false,
        }
    }

    /// Returns the context.
    pub(super) fn context(&mut self) -> &mut Context<'w> {
        &mut self.context
    }

    /// Returns the weights.
    pub(super) fn weights(&self) -> &'w Weights {
        self.context.weights()
    }

    /// Returns how many tokens of the request's sequence are evaluated.
    pub(super) fn len(&self) -> usize {
        self.length(self.active)
    }

    /// Returns how many tokens of the conversation are evaluated.
    pub(super) fn conversation(&self) -> usize {
        self.length(Sequence::MAIN)
    }

    /// Returns how many more tokens the request's sequence has room for.
    pub(super) fn room(&self) -> usize {
        let taken = if self.active == Sequence::MAIN {
            self.len()
        } else {
            self.length(Sequence::MAIN) + self.own_cells(self.active)
        };
        self.context.window().saturating_sub(taken)
    }

    fn length(&self, sequence: Sequence) -> usize {
        self.held(sequence).tokens.0.len()
    }

    fn held(&self, sequence: Sequence) -> &Held {
        &self.held[sequence.index()]
    }

    fn held_mut(&mut self, sequence: Sequence) -> &mut Held {
        &mut self.held[sequence.index()]
    }

    /// Returns how many cells a side sequence has for itself.
    fn own_cells(&self, side: Sequence) -> usize {
        self.length(side) - self.held(side).shared
    }

    /// Finds what has to be evaluated for a prompt.
    pub(super) fn plan(&mut self, prompt: &Prompt, lane: Lane) -> Plan {
        let cutting = Cutting::of(self.weights());
        let mut source = Sequence::MAIN;
        let (mut cached, mut place) = self.start(source, prompt, cutting);
        match lane {
            Lane::Main => {
                if self.load(prompt, cutting, cached) {
                    (cached, place) = self.start(source, prompt, cutting);
                }
            }
            Lane::Side | Lane::Client => {
                for side in Sequence::sides() {
                    let found = self.start(side, prompt, cutting);
                    // Working in it takes away what else it holds, so that it has to be worth more than a fork.
                    if found.0 > cached {
                        (source, (cached, place)) = (side, found);
                    }
                }
            }
        }
        let rest = Tokens::tokenize(prompt, place, self.weights());
        let total = cached + rest.0.len();
        let (target, needed) = match lane {
            Lane::Main => (Sequence::MAIN, total),
            Lane::Side | Lane::Client if source == Sequence::MAIN => {
                let oldest = Sequence::sides().min_by_key(|side| self.held(*side).used);
                let target = oldest.unwrap_or(Sequence::MAIN);
                (target, self.length(Sequence::MAIN) + total - cached)
            }
            Lane::Side | Lane::Client => {
                let shared = self.held(source).shared.min(cached);
                (source, self.length(Sequence::MAIN) + total - shared)
            }
        };
        Plan {
            source,
            target,
            cached,
            place,
            rest,
            needed,
        }
    }

    /// Returns how many tokens of a sequence a prompt can go on from, and the bytes that they stand for.
    fn start(&self, sequence: Sequence, prompt: &Prompt, cutting: Cutting) -> (usize, usize) {
        let held = self.held(sequence);
        let (kept, place) = held.tokens.covering(prompt, cutting);
        if self.context.can_cut(sequence, held.tokens.0.len(), kept) {
            return (kept, place);
        }
        let kept = held.checkpoints.last_within(kept).unwrap_or(0);
        (kept, held.tokens.place(kept))
    }

    /// Evaluates what a plan says, and returns how many tokens came from the cache.
    pub(super) fn evaluate(
        &mut self,
        prompt: &Prompt,
        plan: Plan,
        stop: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<usize, DecodeError> {
        let batch = self.context.batch();
        self.evaluate_in(batch, prompt, plan, stop, progress)
    }

    /// Evaluates what a plan says in batches of a size.
    pub(super) fn evaluate_in(
        &mut self,
        batch: usize,
        prompt: &Prompt,
        mut plan: Plan,
        stop: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<usize, DecodeError> {
        if !self.begin(&plan) {
            plan.cached = 0;
            plan.place = 0;
            plan.rest = Tokens::tokenize(prompt, 0, self.weights());
        }
        let (cached, total) = (plan.cached, plan.total());
        let mut report = |done| {
            progress(Progress {
                done,
                total,
                cached,
            });
        };
        report(cached);
        let mut partings = if self.context.cuts_anywhere() {
            Vec::new()
        } else {
            let cutting = Cutting::of(self.weights());
            plan.rest.partings(plan.place, prompt, cutting)
        };
        partings.reverse();
        let mut rest = plan.rest.0;
        while !rest.is_empty() {
            let done = self.len() - cached;
            let next = partings.last().map_or(rest.len(), |parting| parting - done);
            let later = rest.split_off(rest.len().min(batch.max(1)).min(next));
            let logits = if later.is_empty() {
                Logits::OfLast(1)
            } else {
                Logits::None
            };
            self.append(rest, logits, stop)?;
            if partings.last() == Some(&(self.len() - cached)) {
                partings.pop();
                self.keep_checkpoint();
            }
            report(self.len());
            rest = later;
        }
        Ok(cached)
    }

    /// Makes the plan's sequence hold what is kept for it, and nothing else. Says no when it had to be emptied.
    fn begin(&mut self, plan: &Plan) -> bool {
        self.active = plan.target;
        self.requests += 1;
        let used = self.requests;
        self.held_mut(plan.target).used = used;
        if plan.target == Sequence::MAIN {
            self.is_base = false;
        }
        if plan.source == plan.target || plan.cached == 0 {
            return self.cut(plan.target, plan.cached);
        }
        let cached = plan.cached;
        let started = Instant::now();
        self.context.fork(plan.source, plan.target, cached);
        let took_us = started.elapsed().as_micros();
        tracing::debug!(tokens = cached, took_us, "forked a sequence");
        let source = self.held(plan.source);
        let whole = self
            .context
            .can_cut(plan.source, source.tokens.0.len(), cached);
        let state = source.checkpoints.state(cached);
        let mut checkpoints = source.checkpoints.clone();
        checkpoints.truncate(cached);
        let forked = Held {
            tokens: Tokens(source.tokens.0[..cached].to_vec()),
            shared: cached,
            checkpoints,
            used,
            ..Held::default()
        };
        *self.held_mut(plan.target) = forked;
        // What cannot be cut came over as it is at the main sequence's end.
        if whole || self.put_back(plan.target, cached, state.as_deref()) {
            return true;
        }
        self.clear(plan.target);
        cached == 0
    }

    /// Forgets the last tokens, and evaluates the one before them again for its logits. Says no, with everything as it
    /// was, where this kind of model cannot go back so far.
    pub(super) fn take_back(
        &mut self,
        tokens: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<bool, DecodeError> {
        let kept = self.len().saturating_sub(tokens + 1);
        let held = self.held(self.active);
        let start = if self.context.can_cut(self.active, self.len(), kept) {
            kept
        } else {
            match held.checkpoints.last_within(kept) {
                Some(start) => start,
                None => return Ok(false),
            }
        };
        let mut again: Vec<Entry> = held.tokens.0.iter().take(kept + 1).cloned().collect();
        self.cut(self.active, start);
        // Less is left than was asked for where a checkpoint could not be put back in.
        again.drain(..self.len());
        let batch = self.context.batch();
        while !again.is_empty() {
            let later = again.split_off(again.len().min(batch));
            self.append(again, Logits::OfLast(1), stop)?;
            again = later;
        }
        Ok(true)
    }

    /// Evaluates generated tokens, and guessed ones after them: not more than a batch of them. There are logits for
    /// the last generated token and for each guessed one.
    pub(super) fn push(
        &mut self,
        tokens: &[Token],
        guessed: &[Token],
        stop: &dyn Fn() -> bool,
    ) -> Result<(), DecodeError> {
        let weights = self.weights();
        let entries = tokens
            .iter()
            .chain(guessed)
            .map(|token| Entry::of(*token, weights))
            .collect();
        self.append(entries, Logits::OfLast(guessed.len() + 1), stop)
    }

    /// Evaluates tokens of any text, in as many batches as they take, with the logits of the last one.
    pub(super) fn feed(
        &mut self,
        tokens: &[Token],
        stop: &dyn Fn() -> bool,
    ) -> Result<(), DecodeError> {
        let weights = self.weights();
        let mut batches = tokens.chunks(self.context.batch().max(1)).peekable();
        while let Some(batch) = batches.next() {
            let entries = batch.iter().map(|token| Entry::of(*token, weights));
            let logits = if batches.peek().is_none() {
                Logits::OfLast(1)
            } else {
                Logits::None
            };
            self.append(entries.collect(), logits, stop)?;
        }
        Ok(())
    }

    /// Forgets the last tokens of the request's sequence: ones that were guessed wrongly.
    pub(super) fn drop_last(&mut self, tokens: usize) {
        let kept = self.len().saturating_sub(tokens);
        if !self.cut(self.active, kept) {
            tracing::warn!("what was guessed wrongly took everything with it");
        }
    }

    /// Tells whether tokens can be taken back at any place.
    pub(super) fn cuts_anywhere(&self) -> bool {
        self.context.cuts_anywhere()
    }

    /// Returns the evaluated tokens of the request's sequence.
    pub(super) fn tokens(&self) -> Vec<Token> {
        let tokens = &self.held(self.active).tokens.0;
        tokens.iter().map(|entry| entry.token).collect()
    }

    fn append(
        &mut self,
        entries: Vec<Entry>,
        logits: Logits,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), DecodeError> {
        if stop() {
            return Err(DecodeError::Stopped);
        }
        let tokens: Vec<Token> = entries.iter().map(|entry| entry.token).collect();
        let (sequence, known) = (self.active, self.len());
        while self.taken() + tokens.len() > self.context.window() && self.give_up_a_side() {}
        loop {
            match self.context.decode(sequence, &tokens, known, logits, stop) {
                Ok(Decoded::Done) => {
                    self.held_mut(sequence).tokens.0.extend(entries);
                    return Ok(());
                }
                Ok(Decoded::NoRoom) if self.give_up_a_side() => {}
                Ok(Decoded::NoRoom) => {
                    let message = "the context window has no room left".to_owned();
                    return Err(DecodeError::Failed(message));
                }
                Err(error @ DecodeError::Stopped) => {
                    self.fall_back(sequence, known);
                    return Err(error);
                }
                Err(error @ DecodeError::Failed(_)) => {
                    self.clear_all();
                    return Err(error);
                }
            }
        }
    }

    /// Returns how many cells are in use at most: what clients have in common with one another counts for each.
    fn taken(&self) -> usize {
        let sides = Sequence::sides().map(|side| self.own_cells(side));
        let clients = Sequence::clients().map(|client| self.length(client));
        self.length(Sequence::MAIN) + sides.chain(clients).sum::<usize>()
    }

    /// Forgets the sequence beside the conversation that was not used for the longest time. Says no when there is none
    /// to forget.
    fn give_up_a_side(&mut self) -> bool {
        let idle = Sequence::sides()
            .chain(Sequence::clients())
            .filter(|side| *side != self.active && !self.held(*side).is_busy)
            .filter(|side| self.length(*side) > 0);
        let oldest = idle.min_by_key(|side| self.held(*side).used);
        oldest.is_some_and(|side| {
            self.clear(side);
            true
        })
    }
}
