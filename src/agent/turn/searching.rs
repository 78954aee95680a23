//! The search for an edit that passes the project's check.
//!
//! A small model's first edit is often wrong and its third one right, and it cannot tell which. So where a check
//! exists, several edits are drawn from the same point of the conversation (the cache holds the prompt, so a draw
//! costs its own tokens only), each is made in a copy and checked there, and the first that passes is the one that the
//! user sees. An edit that only gets the check further is made as well, and the search goes on from there. What the
//! model wrote in vain never enters the conversation: a model that sees what it did wrong does it again.

use super::super::calls::Stage;
use super::super::input::Effect;
use super::calling::{Fit, unparsable};
use super::checking::Checking;
use super::rewriting::Rewriting;
use super::wording::{Manner, said};
use super::{Agent, Next, RETRY_TEMPERATURE, intent};
use crate::protocol::{
    CallId, CheckResult, Event, FileChange, Hash, Mechanism, Message, Outcome, Risk, Sampling,
    ToolCall, ToolChoice,
};

/// How many edits are drawn before it is looked which of them came the furthest.
const ROUND: usize = 4;

/// How many edits are drawn before one that only gets the check further is made. A wrong edit can make a test pass, too:
/// what passes as a whole is looked for first.
const PATIENCE: u32 = 8;

/// How many edits are drawn beside the conversation where nothing checks them, until one changes something.
const UNCHECKED: u32 = 3;

/// How many of the edits that were tried in vain a draw is told of.
const MOST_TOLD: usize = 4;

/// The edits drawn so far.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// Edits drawn in this turn.
    drawn: u32,
    round: Vec<Tried>,
    /// What edits that were tried would have left.
    seen: Vec<Hash>,
    /// What edits that break a file's syntax would have left. One that is drawn again is tried all the same.
    broken: Vec<Hash>,
    current: Option<Candidate>,
    /// Edits are drawn in the conversation only.
    inside: bool,
    /// What was tried in vain, the latest last: small changes, as they would be said.
    vain: Vec<String>,
}

impl Search {
    /// Returns how many edits were drawn.
    pub(super) fn drawn(&self) -> u32 {
        self.drawn
    }

    /// Tells whether a check is of the edit that is being tried.
    pub(super) fn awaits(&self, check: CallId) -> bool {
        let candidate = self.current.as_ref();
        candidate.is_some_and(|candidate| candidate.check == Some(check))
    }

    /// Goes on with another edit.
    pub(super) fn take_up(&mut self, candidate: Candidate) {
        self.current = Some(candidate);
    }

    /// Returns what was tried in vain, the latest few.
    pub(super) fn tried(&self) -> &[String] {
        &self.vain[self.vain.len().saturating_sub(MOST_TOLD)..]
    }
}

/// An edit that the model wrote and nobody has seen.
#[derive(Debug)]
pub(super) struct Candidate {
    raw: String,
    call: ToolCall,
    pub(super) change: Option<Box<FileChange>>,
    check: Option<CallId>,
    /// How often it was mended as a compiler said.
    pub(super) corrected: u32,
}

impl Candidate {
    /// An edit that was mended so often.
    pub(super) fn corrected(raw: String, call: ToolCall, corrected: u32) -> Self {
        Self {
            raw,
            call,
            change: None,
            check: None,
            corrected,
        }
    }
}

/// An edit that did not pass.
#[derive(Debug)]
struct Tried {
    candidate: Candidate,
    text: String,
    result: Option<CheckResult>,
}

impl Agent {
    /// Returns how many edits may be tried.
    fn tries(&self) -> u32 {
        match self.helps(Mechanism::Search) {
            true => self.settings.tries,
            false => 1,
        }
    }

    /// Tells whether what the model has just written is an edit to be tried before it is shown.
    pub(super) fn is_candidate(&self) -> bool {
        let Some(turn) = &self.turn else { return false };
        let searching = turn.search.is_some();
        let one_edit = turn.pending.len() == 1
            && turn.pending.iter().all(|(name, _)| {
                self.tools
                    .iter()
                    .any(|tool| tool.name == *name && tool.risk == Risk::Edit && tool.previews)
            });
        let can_start = one_edit && self.may_check() && matches!(turn.checking, Checking::Known(_));
        searching || can_start
    }

    /// Takes what the model wrote beside the conversation or in it.
    pub(super) fn try_edit(&mut self, raw: String, out: &mut Vec<Effect>) {
        let beside = self.turn.as_mut().and_then(|turn| turn.rewriting.take());
        let Some(beside) = beside else {
            return self.try_call(raw, out);
        };
        if let Some(placed) = self.place(beside, &raw, out) {
            self.try_written(&placed.rewriting, placed.after.as_deref(), out);
        }
    }

    /// Takes what a file would be by what was written beside the conversation.
    pub(super) fn try_written(
        &mut self,
        rewriting: &Rewriting,
        after: Option<&str>,
        out: &mut Vec<Effect>,
    ) {
        let written = after
            .filter(|after| !rewriting.is_unchanged(after))
            .and_then(|after| self.written(rewriting, after));
        let Some(turn) = &mut self.turn else { return };
        turn.pending.clear();
        match written {
            Some(written) => {
                turn.pending.push_back((written.name, written.arguments));
                self.try_call(written.raw, out);
            }
            None => {
                turn.effort.edits += u32::from(after.is_some());
                turn.effort.same += u32::from(after.is_some());
                self.try_call(String::new(), out);
            }
        }
    }

    /// Takes an edit that the model wrote, and learns what it would change.
    fn try_call(&mut self, raw: String, out: &mut Vec<Effect>) {
        let Some(turn) = &mut self.turn else { return };
        let search = turn.search.get_or_insert_default();
        search.drawn += 1;
        turn.bad_call = None;
        let written = turn.pending.pop_front();
        turn.pending.clear();
        let Some((name, arguments)) = written else {
            // Words, or something unreadable: a draw in vain.
            turn.effort.wasted += 1;
            return self.draw_again(out);
        };
        let (call, spec) = self.mint(&name, arguments);
        let kept = call.argument("path").is_some_and(|path| self.keeps(path));
        let edits = spec.is_some_and(|spec| spec.risk == Risk::Edit && spec.previews);
        if !edits {
            return self.draw_again(out);
        }
        self.calls.open(call.clone(), Risk::Edit, Stage::Trying);
        if let Some(search) = self.turn.as_mut().and_then(|turn| turn.search.as_mut()) {
            search.current = Some(Candidate::corrected(raw, call.clone(), 0));
        }
        if kept {
            self.note_edit(Fit::Unfit);
            let text = format!(
                "`{}` holds tests, which are to stay as they are; change the code that they test",
                call.argument("path").unwrap_or_default()
            );
            return self.failed_candidate(text, None, out);
        }
        if let Some(turn) = &mut self.turn {
            turn.aimed_at = call.argument("path").map(str::to_owned);
        }
        out.push(Effect::Preview(call));
    }

    /// Tells whether a file is not to be changed by an edit that a check chooses: the tests that it runs, unless the
    /// request asks for tests. The shortest way to a check that passes is one that checks nothing.
    pub(super) fn keeps(&self, path: &str) -> bool {
        self.turn
            .as_ref()
            .is_some_and(|turn| intent::is_test(path) && !intent::asks_for_tests(&turn.request))
    }

    /// Takes what an edit would change, and has it checked in the copy.
    pub(super) fn tried_preview(
        &mut self,
        change: Result<Box<FileChange>, Outcome>,
        out: &mut Vec<Effect>,
    ) {
        let search = self.turn.as_ref().and_then(|turn| turn.search.as_ref());
        let candidate = search.and_then(|search| search.current.as_ref());
        let unchanged = candidate.is_some_and(|candidate| self.changes_nothing(&candidate.call));
        self.note_edit(match (&change, unchanged) {
            (Ok(_), _) => Fit::Made,
            (Err(_), true) => Fit::Unchanged,
            (Err(_), false) => Fit::Unfit,
        });
        let change = match change {
            Ok(change) => change,
            Err(outcome) => {
                let text = outcome.for_model().to_owned();
                return self.failed_candidate(text, None, out);
            }
        };
        if !matches!(
            self.turn.as_ref().map(|turn| turn.checking),
            Some(Checking::Known(_))
        ) {
            // Nothing chooses between edits here: the first one it is that can be read.
            let breaks = change.files().find(|file| file.breaks_syntax().is_some());
            if let (Some(file), true) = (breaks, self.helps(Mechanism::Syntax))
                && self.search().is_some_and(|search| search.drawn < UNCHECKED)
            {
                let text = unparsable(file);
                return self.failed_candidate(text, None, out);
            }
            if let Some(search) = self.search()
                && let Some(candidate) = &mut search.current
            {
                candidate.change = Some(change);
            }
            if let Some(turn) = &mut self.turn {
                turn.drawn += turn.search.as_ref().map_or(0, Search::drawn);
            }
            return self.adopt_current(out);
        }
        let syntax = self.helps(Mechanism::Syntax);
        let Some(search) = self.search() else { return };
        let after = change.after.clone();
        let known = after
            .as_ref()
            .is_some_and(|after| search.seen.contains(after));
        if known {
            self.drop_candidate();
            if let Some(turn) = &mut self.turn {
                turn.effort.wasted += 1;
            }
            return self.draw_again(out);
        }
        let breaks = change.files().find(|file| file.breaks_syntax().is_some());
        if let (Some(file), Some(after), true) = (breaks, &after, syntax)
            && !search.broken.contains(after)
        {
            search.broken.push(after.clone());
            let text = unparsable(file);
            return self.failed_candidate(text, None, out);
        }
        search.seen.extend(after);
        let is_corrected = search.current.as_ref().is_some_and(|it| it.corrected > 0);
        let what = match is_corrected {
            true => format!(
                "edit {} of `{}`, corrected as the compiler says",
                search.drawn, change.path
            ),
            false => format!("edit {} of `{}`", search.drawn, change.path),
        };
        if let Some(candidate) = &mut search.current {
            candidate.change = Some(change);
        }
        let Some(id) = self.open_check(&what, out) else {
            return;
        };
        let call = self.calls.get_mut(id).map(|open| open.call.clone());
        let Some(search) = self.search() else { return };
        let Some(candidate) = &mut search.current else {
            return;
        };
        candidate.check = Some(id);
        let trial = Some(candidate.call.clone());
        if let Some(call) = call {
            out.push(Effect::Check { call, trial });
        }
    }

    /// Makes the edit that is being tried the one that the model made: it is judged, shown and written like any other.
    pub(super) fn adopt_current(&mut self, out: &mut Vec<Effect>) {
        let Some(candidate) = self.search().and_then(|search| search.current.take()) else {
            return;
        };
        self.adopt(candidate, out);
    }

    fn adopt(&mut self, candidate: Candidate, out: &mut Vec<Effect>) {
        if let Some(turn) = &mut self.turn {
            turn.search = None;
        }
        self.remember(Message::Assistant { raw: candidate.raw }, out);
        let id = candidate.call.id;
        out.push(Effect::Emit(Event::CallProposed {
            call: candidate.call.clone(),
            risk: Risk::Edit,
        }));
        if self.calls.get_mut(id).is_none() {
            self.calls
                .open(candidate.call, Risk::Edit, Stage::Previewing);
        } else if let Some(open) = self.calls.get_mut(id) {
            open.stage = Stage::Previewing;
        }
        self.judge(id, candidate.change, out);
    }

    pub(super) fn failed_candidate(
        &mut self,
        text: String,
        result: Option<CheckResult>,
        out: &mut Vec<Effect>,
    ) {
        if let Some(id) = self.drop_candidate_call() {
            self.calls.settle(id);
        }
        let failed = self.search().and_then(|search| search.current.take());
        let Some(candidate) = failed else {
            return self.draw_again(out);
        };
        let is_corrected = result.is_some() && self.try_corrected(&candidate, &text, out);
        if let Some(search) = self.search() {
            if result.is_some()
                && !is_corrected
                && let Some(change) = &candidate.change
                && let Some(said) = said(change, &text)
            {
                search.vain.push(said);
            }
            search.round.push(Tried {
                candidate,
                text,
                result,
            });
        }
        if is_corrected {
            return;
        }
        self.draw_again(out);
    }

    fn drop_candidate_call(&mut self) -> Option<CallId> {
        let search = self.search()?;
        search.current.as_ref().map(|candidate| candidate.call.id)
    }

    fn drop_candidate(&mut self) {
        if let Some(id) = self.drop_candidate_call() {
            self.calls.settle(id);
        }
        if let Some(search) = self.search() {
            search.current = None;
        }
    }

    /// Draws another edit from the same point, or ends the round.
    fn draw_again(&mut self, out: &mut Vec<Effect>) {
        let most = self.tries();
        let Some(turn) = &mut self.turn else { return };
        if !matches!(turn.checking, Checking::Known(_)) {
            let drawn = turn.search.as_ref().map_or(0, Search::drawn);
            if drawn < UNCHECKED && self.draw_beside(drawn, out) {
                return;
            }
            let Some(turn) = &mut self.turn else { return };
            // The conversation goes on where it would have begun.
            turn.search = None;
            return self.generate(ToolChoice::Auto, out);
        }
        let most = most.saturating_sub(turn.drawn);
        let base = match turn.checking {
            Checking::Known(Some(result)) => result.reached,
            _ => 0,
        };
        let Some(search) = &mut turn.search else {
            return;
        };
        let spent = search.drawn >= most;
        if !spent && search.round.len() < ROUND && !search.drawn.is_multiple_of(ROUND as u32) {
            return self.draw(out);
        }
        let round = std::mem::take(&mut search.round);
        let reached = |tried: &Tried| tried.result.map_or(0, |result| result.reached);
        // A check that says the same whatever is edited (no such test, no such program) cannot choose.
        let first = turn.checked_first.as_deref();
        // One that counts what fails did look.
        let failed = |tried: &Tried| tried.result.map_or(0, |result| result.failed);
        let is_blind = base == 0
            && !round.is_empty()
            && round.iter().all(|tried| {
                reached(tried) == 0 && failed(tried) == 0 && first == Some(tried.text.as_str())
            });
        // The first of the best: it was drawn with the least chance in it.
        let mut made = round
            .into_iter()
            .filter(|tried| tried.candidate.change.is_some());
        if is_blind && let Some(first) = made.next() {
            turn.checking = Checking::Off;
            return self.adopt(first.candidate, out);
        }
        let best = made.rev().max_by_key(reached);
        let Some(best) = best else {
            if spent {
                return self.give_up_search(out);
            }
            return self.draw(out);
        };
        let drawn = turn.drawn + search.drawn;
        let further = drawn >= PATIENCE && reached(&best) > base && best.result.is_some();
        if further || (spent && turn.changed.is_empty()) {
            turn.still_failing = Some(best.text);
            if let Some(result) = best.result {
                turn.checking = Checking::Known(Some(result));
            }
            turn.drawn += search.drawn;
            return self.adopt(best.candidate, out);
        }
        if spent {
            return self.give_up_search(out);
        }
        self.draw(out);
    }

    /// Asks the model for an edit, more freely each time.
    pub(super) fn draw(&mut self, out: &mut Vec<Effect>) {
        let most = self.most_tokens();
        if self.turn.as_ref().is_some_and(|turn| turn.spent() >= most) {
            return self.give_up_search(out);
        }
        let search = self.turn.as_ref().and_then(|turn| turn.search.as_ref());
        let (drawn, beside) = search.map_or((0, false), |search| (search.drawn, !search.inside));
        let focus = self.turn.as_ref().and_then(super::Turn::focus);
        let inside = Manner::is_inside(drawn, focus);
        if beside && !inside && self.draw_beside(drawn, out) {
            return;
        }
        let names = self.changing_tools();
        self.generate(ToolChoice::Required { names }, out);
    }

    /// Goes on inside the conversation: there is no room beside it.
    pub(super) fn draw_inside(&mut self, out: &mut Vec<Effect>) {
        if let Some(search) = self.search() {
            search.inside = true;
        }
        self.draw(out);
    }

    /// Sets how the next edit of a search is drawn.
    pub(super) fn loosen(&self, sampling: &mut Sampling) {
        let Some(search) = self.turn.as_ref().and_then(|turn| turn.search.as_ref()) else {
            return;
        };
        if search.drawn == 0 {
            return;
        }
        sampling.temperature = sampling
            .temperature
            .max(RETRY_TEMPERATURE + 0.1 * (search.drawn % 4) as f32);
        sampling.top_p = 0.95;
        sampling.seed = search.drawn;
    }

    /// Ends the search with nothing to show for it.
    fn give_up_search(&mut self, out: &mut Vec<Effect>) {
        if let Some(turn) = &mut self.turn {
            turn.drawn += turn.search.take().map_or(0, |search| search.drawn);
            turn.checking = Checking::Off;
            turn.next = Some(ToolChoice::None);
        }
        let text = "No edit that was tried passes the check. Say in one sentence what you found.";
        self.remember(
            Message::User {
                text: text.to_owned(),
            },
            out,
        );
        self.advance(out);
    }

    pub(super) fn search(&mut self) -> Option<&mut Search> {
        self.turn.as_mut()?.search.as_mut()
    }

    /// Says how a turn goes on after an edit that the search chose was made.
    pub(super) fn after_searched(&mut self, done: &str) -> Option<(String, Next)> {
        let turn = self.turn.as_mut()?;
        if turn.verified.is_some() {
            let text = format!(
                "{done}\nThe check passes now. Say in one short sentence what you changed."
            );
            return Some((text, Next::Words));
        }
        let failing = turn.still_failing.take()?;
        let text =
            format!("{done}\nThe check does not pass yet. {failing}\nMake the next change now.");
        let most = self.tries();
        let Some(turn) = &mut self.turn else {
            return None;
        };
        let spent = turn.drawn >= most;
        if spent {
            turn.checking = Checking::Off;
            return Some((
                format!(
                    "{done}\nThe check does not pass. {failing}\nSay in one short sentence what you changed and what still fails."
                ),
                Next::Words,
            ));
        }
        Some((text, Next::Change))
    }
}
