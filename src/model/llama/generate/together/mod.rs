//! What clients ask, answered side by side: a step evaluates a token of every answer, and reads the weights once for all.
//!
//! A question that comes while others are answered joins them at the next step. Its prompt is evaluated in parts,
//! between the tokens of the others, so that none waits for long. Where the window has no room for all,
//! the one that came last is set aside, and evaluated again when another one has ended.
//!
//! A request of another kind waits until the answers that are begun have ended; no client's question that came after it
//! is taken in before it. Models whose state cannot be cut answer clients one by one: see
//! [`Engine::answers_together`].

mod member;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use super::super::cache::{ClientPlan, Part};
use super::super::log;
use super::super::memory::BRANCHES;
use super::super::native::{DecodeError, Decoded};
use super::super::queue::Queue;
use super::read::RESERVE;
use super::{Engine, count};
use crate::model::Command;
use crate::protocol::{Finish, Lane, ModelFailure, ModelRequest, ToolChoice};

pub(in crate::model::llama) use member::Asked;
use member::{Member, Outlet};

/// The part of a batch that is evaluated of a prompt while other answers are being written: their next tokens wait.
const SHARE_OF_PROMPTS: usize = 4;

/// How much more of a prompt another one has to evaluate just now, in bytes, for it to be worth waiting for.
const WORTH_WAITING: usize = 200;

/// Answers that are written side by side.
pub(in crate::model::llama) struct Together<'e, 'w> {
    engine: &'e mut Engine<'w>,
    /// Those that are evaluated, in the order that they were begun in.
    live: Vec<Member>,
    /// Those that wait for a sequence or for room, in the order that they are begun in.
    waiting: VecDeque<Member>,
    /// There may be room for one that waits.
    may_begin: bool,
    /// Where the last events of ended answers are not all taken.
    ended: Vec<Outlet>,
}

impl Engine<'_> {
    /// Tells whether a request is one of those that are answered side by side: a client's, and in words.
    pub(in crate::model::llama) fn answers_together(&self, request: &ModelRequest) -> bool {
        request.lane == Lane::Client
            && request.doubts.is_none()
            && (request.tools.is_empty() || request.choice == ToolChoice::None)
            && self.cache.cuts_anywhere()
    }

    /// Answers a client, and with it all that ask meanwhile.
    pub(in crate::model::llama) fn answer_together(&mut self, first: Asked, queue: &mut Queue) {
        let mut together = Together::new(self);
        together.take(first);
        loop {
            together.take_from(queue);
            if queue.is_abandoned() {
                together.cancel();
            }
            if !together.step() {
                break;
            }
        }
        together.finish();
    }
}

impl<'e, 'w> Together<'e, 'w> {
    /// Begins with no questions.
    pub(in crate::model::llama) fn new(engine: &'e mut Engine<'w>) -> Self {
        log::forget_trouble();
        engine.cache.context().wake();
        engine.cache.begin_clients();
        Self {
            engine,
            live: Vec::new(),
            waiting: VecDeque::new(),
            may_begin: true,
            ended: Vec::new(),
        }
    }

    /// Takes a question in.
    pub(in crate::model::llama) fn take(&mut self, asked: Asked) {
        match Member::new(self.engine, asked) {
            Ok(member) => self.waiting.push_back(member),
            Err((mut outlet, failure)) => {
                outlet.fail(failure);
                self.ended.push(outlet);
            }
        }
    }

    /// Takes in those that wait in a queue and come next, as many as have a sequence.
    fn take_from(&mut self, queue: &mut Queue) {
        while self.live.len() + self.waiting.len() < BRANCHES {
            let next = queue.next_if(|request| self.engine.answers_together(request));
            let Some(Command::Generate {
                request,
                events,
                cancel,
            }) = next
            else {
                return;
            };
            self.take(Asked {
                request,
                events,
                cancel,
            });
        }
    }

    fn cancel(&self) {
        let all = self.live.iter().chain(&self.waiting);
        all.for_each(Member::cancel);
    }

    /// Goes on with all answers by a token, and with one prompt by a part. Says no when there is none left.
    pub(in crate::model::llama) fn step(&mut self) -> bool {
        self.ended.retain_mut(Outlet::flush);
        for member in self.live.iter_mut().chain(&mut self.waiting) {
            member.outlet.flush();
        }
        self.end_stopped();
        self.begin_waiting();
        self.evaluate();
        !(self.live.is_empty() && self.waiting.is_empty())
    }

    /// Ends when all answers have: what is not taken of their events is waited for.
    pub(in crate::model::llama) fn finish(self) {
        self.engine.cache.context().rest();
        if let Some(drafter) = &mut self.engine.drafter {
            drafter.rest();
        }
        for outlet in self.ended {
            outlet.deliver();
        }
    }

    fn end_stopped(&mut self) {
        let stopped = |members: &[Member]| members.iter().position(Member::is_stopped);
        while let Some(index) = stopped(&self.live) {
            self.end(index, Finish::Cancelled);
        }
        while let Some(index) = stopped(self.waiting.make_contiguous()) {
            let member = self.waiting.remove(index);
            self.ended
                .extend(member.map(|member| member.end(Finish::Cancelled)));
        }
    }

    /// Ends a live answer. What is evaluated of it stays, for one that begins like it.
    fn end(&mut self, index: usize, finish: Finish) {
        let member = self.leave(index);
        self.ended.push(member.end(finish));
    }

    fn fail(&mut self, index: usize, failure: ModelFailure) {
        let mut member = self.leave(index);
        member.outlet.fail(failure);
        self.ended.push(member.outlet);
    }

    fn leave(&mut self, index: usize) -> Member {
        let member = self.live.remove(index);
        if let Some(sequence) = member.sequence {
            self.engine.cache.end_client(sequence);
        }
        self.may_begin = true;
        member
    }

    /// Gives those that wait a sequence, in order, as far as there is room.
    fn begin_waiting(&mut self) {
        while self.may_begin && self.live.len() < BRANCHES {
            let Some(next) = self.waiting.front() else {
                return;
            };
            if !next.has_begun() && self.is_being_read(next) {
                return;
            }
            let plan = match next.has_begun() {
                true => self.engine.cache.plan_again(&next.pending),
                false => self.engine.cache.plan_client(&next.prompt),
            };
            let total = plan.total();
            if !next.has_begun() && total + RESERVE > self.engine.cache.client_limit() {
                let failure = self.too_long(total);
                if let Some(mut member) = self.waiting.pop_front() {
                    member.outlet.fail(failure);
                    self.ended.push(member.outlet);
                }
                continue;
            }
            if !self.has_room_for(&plan) {
                self.may_begin = false;
                return;
            }
            let Some((sequence, pending)) = self.engine.cache.begin_client(plan) else {
                return;
            };
            if let Some(mut member) = self.waiting.pop_front() {
                member.begin(sequence, total, pending);
                self.live.push(member);
            }
        }
    }

    fn too_long(&mut self, total: usize) -> ModelFailure {
        let window = self.engine.cache.context().window();
        let taken = window - self.engine.cache.client_limit();
        ModelFailure::ContextFull {
            needed: count(taken + total + RESERVE),
            context: count(window),
        }
    }

    /// Tells whether a question fits beside the others, with some room for what each still writes. Alone it may try.
    fn has_room_for(&self, plan: &ClientPlan) -> bool {
        let spare = RESERVE * (self.live.len() + 1);
        self.live.is_empty() || self.engine.cache.has_room_for(plan, spare)
    }

    /// Tells whether the beginning of a question is just being evaluated for another one, so that a step later it need
    /// not be evaluated again.
    fn is_being_read(&self, next: &Member) -> bool {
        let cache = &self.engine.cache;
        let known = cache.known_to_clients(&next.prompt);
        self.live.iter().any(|member| {
            let ours = next.prompt.text.as_bytes();
            let common = ours
                .iter()
                .zip(member.prompt.text.as_bytes())
                .take_while(|(one, other)| one == other)
                .count();
            let read = member.sequence.map_or(0, |it| cache.client_bytes(it));
            !member.is_writing() && common > known + WORTH_WAITING && common > read
        })
    }

    /// Evaluates a part of a prompt, and then the next token of each answer that is being written.
    ///
    /// The two are never one evaluation, although that would spare one: with many tokens llama.cpp computes attention in
    /// another order, and what an answer says at a near-tie would depend on who else asks.
    fn evaluate(&mut self) {
        let reading = self.live.iter().position(|it| !it.is_at_a_token());
        if let Some(index) = reading {
            let batch = self.engine.cache.context().batch();
            let most = match self.live.iter().any(Member::is_at_a_token) {
                true => (batch / SHARE_OF_PROMPTS).max(1),
                false => batch,
            };
            let size = self.live[index].pending.len().min(most);
            self.run(&[(index, size)]);
        }
        let all = self.live.iter().enumerate();
        let writing: Vec<(usize, usize)> = all
            .filter(|(_, member)| member.is_at_a_token())
            .map(|(index, _)| (index, 1))
            .collect();
        self.run(&writing);
    }

    /// Evaluates so many tokens of some of the answers, and draws the next one of those that have none left.
    fn run(&mut self, chosen: &[(usize, usize)]) {
        let parts: Vec<Part<'_>> = chosen
            .iter()
            .filter_map(|(index, size)| {
                let member = &self.live[*index];
                Some(Part {
                    sequence: member.sequence?,
                    entries: &member.pending[..*size],
                    wanted: *size == member.pending.len(),
                })
            })
            .collect();
        if parts.is_empty() {
            return;
        }
        let live = &self.live;
        // One that is stopped among others ends after this evaluation.
        let stop = || chosen.iter().all(|(index, _)| live[*index].is_stopped());
        match self.engine.cache.evaluate_clients(&parts, &stop) {
            Ok(Decoded::Done) => self.draw(chosen),
            Ok(Decoded::NoRoom) => self.make_room(),
            // The next step finds that they were stopped.
            Err(DecodeError::Stopped) => {}
            Err(DecodeError::Failed(message)) => {
                // Nothing is left in the context; those that wait begin anew.
                while !self.live.is_empty() {
                    let message = message.clone();
                    self.fail(0, ModelFailure::Engine { message });
                }
            }
        }
    }

    /// Draws the next token of each answer that was evaluated to its end by so many tokens.
    fn draw(&mut self, evaluated: &[(usize, usize)]) {
        let limit = self.engine.cache.client_limit();
        let weights = self.engine.cache.weights();
        let mut drawn = Vec::new();
        for (index, size) in evaluated {
            let member = &mut self.live[*index];
            member.evaluated(*size);
            if member.pending.is_empty() {
                drawn.push(*index);
            }
        }
        let mut ends = Vec::new();
        for (number, index) in drawn.iter().enumerate() {
            let member = &mut self.live[*index];
            let held = member
                .sequence
                .map_or(0, |it| self.engine.cache.held_by(it));
            let logits = (self.engine.cache.context()).logits(drawn.len() - 1 - number);
            match member.draw(logits, weights, limit.saturating_sub(held)) {
                Ok(None) => {}
                Ok(Some(finish)) => ends.push((*index, Ok(finish))),
                Err(failure) => ends.push((*index, Err(failure))),
            }
        }
        for (index, end) in ends.into_iter().rev() {
            match end {
                Ok(finish) => self.end(index, finish),
                Err(failure) => self.fail(index, failure),
            }
        }
    }

    /// Sets the answer aside that was begun last. One that is alone has come to its end.
    fn make_room(&mut self) {
        let last = self.live.len() - 1;
        if last == 0 {
            match self.live[0].is_writing() {
                true => self.end(0, Finish::Length),
                false => {
                    let failure = self.too_long(self.live[0].usage.prompt as usize);
                    self.fail(0, failure);
                }
            }
            return;
        }
        let mut member = self.live.remove(last);
        if let Some(sequence) = member.sequence.take() {
            let mut entries = self.engine.cache.set_client_aside(sequence);
            entries.append(&mut member.pending);
            member.pending = entries;
        }
        tracing::debug!("an answer is set aside until there is room for it");
        self.waiting.push_front(member);
        self.may_begin = false;
    }
}
