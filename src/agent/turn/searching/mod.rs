//! The search for an edit that passes the project's check.
//!
//! A small model's first edit is often wrong and its third one right, and it cannot tell which. So where a check
//! exists, several edits are drawn from the same point of the conversation (the cache holds the prompt, so a draw
//! costs its own tokens only), each is made in a copy and checked there, and the first that passes is the one that the
//! user sees. An edit that only gets the check further is made as well, and the search goes on from there. What the
//! model wrote in vain never enters the conversation: a model that sees what it did wrong does it again.
//!
//! The search goes on for as long as its time lasts, and asks for something else each time ([`super::tracks`]).

mod ending;
mod telling;
mod trying;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::calls::Stage;
use super::super::input::Effect;
use super::agreeing::Versions;
use super::checking::Checking;
use super::departing::Departures;
use super::tracks::{Tracks, further, worse};
use super::wording::said;
use super::{Agent, RETRY_TEMPERATURE};
use crate::protocol::{
    CallId, CheckResult, Event, FileChange, Hash, Mechanism, Message, Risk, Sampling, SearchEnd,
    ToolCall, ToolChoice,
};

/// How many edits are tried before a check that says the same of all of them is said to choose nothing.
const ROUND: u32 = 4;

/// How many edits are drawn in the conversation before one that only gets the check further is made. A wrong edit can
/// make a test pass, too: what passes as a whole is looked for first. Beside the conversation nothing has to be made
/// to go on from it.
const PATIENCE: u32 = 8;

/// How many draws there may be for one that is tried: most of those of a model that has nothing more to say are the
/// same.
const DRAWS_A_TRY: u32 = 4;

/// How many edits are drawn beside the conversation where nothing checks them, until one changes something.
const UNCHECKED: u32 = 3;

/// How likely an edit is held that was drawn as a whole, beside those that are departures: its own likelihood is a
/// product of many.
const DRAWN: f32 = 0.1;

/// How many of the edits that were tried in vain a draw is told of.
const MOST_TOLD: usize = 4;

/// The edits drawn so far.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// What was asked of the model, and how much of it was an edit that was tried.
    drawn: u32,
    tried: u32,
    pub(super) tracks: Tracks,
    /// The edit that came the furthest: the first of them, which was drawn with the least chance in it.
    best: Option<Tried>,
    /// Edits of which the check said what it says of the project as it is.
    unmoved: u32,
    /// What edits that were tried would have left, and their forms.
    seen: Vec<Hash>,
    forms: BTreeSet<u64>,
    /// What edits that break a file's syntax would have left. One that is drawn again is tried all the same.
    broken: Vec<Hash>,
    current: Option<Candidate>,
    /// What the edit that is being written would make of its file.
    after: Option<Arc<str>>,
    /// Edits are drawn in the conversation only.
    inside: bool,
    /// What was tried in vain, the latest last: small changes, as they would be said.
    vain: Vec<String>,
    /// Versions of a file that is written from nothing.
    pub(super) versions: Versions,
    pub(super) departures: Departures,
}

impl Search {
    /// Returns how many edits were drawn.
    pub(super) fn drawn(&self) -> u32 {
        self.drawn
    }

    /// Returns how many edits were tried.
    pub(super) fn tried(&self) -> u32 {
        self.tried
    }

    /// Tells whether an edit of this form was tried.
    pub(super) fn knows(&self, form: u64) -> bool {
        self.forms.contains(&form)
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

    /// Returns what the edit that is being tried would make of its file.
    pub(super) fn written(&self) -> Option<Arc<str>> {
        self.current.as_ref()?.after.clone()
    }

    /// Waits for a check of the edit that is being tried, and returns that edit.
    pub(super) fn await_check(&mut self, check: CallId) -> Option<ToolCall> {
        let candidate = self.current.as_mut()?;
        candidate.check = Some(check);
        Some(candidate.call.clone())
    }

    /// Takes the edit that is being tried.
    pub(super) fn take_current(&mut self) -> Option<Candidate> {
        self.current.take()
    }

    /// Returns what was tried in vain, the latest few.
    pub(super) fn vain(&self) -> &[String] {
        &self.vain[self.vain.len().saturating_sub(MOST_TOLD)..]
    }

    /// Takes note of an edit that did not pass.
    fn note_tried(&mut self, tried: Tried, base: Option<&CheckResult>, first: Option<&str>) {
        let Some(result) = &tried.result else { return };
        let says_the_same = result.reached == 0 && result.failed == 0;
        self.unmoved += u32::from(says_the_same && first == Some(tried.text.as_str()));
        if let Some(text) = &tried.candidate.after {
            self.tracks.tried(text, &tried.text, *result);
        }
        let is_better = match &self.best {
            None => true,
            Some(best) => {
                let best = best.result.as_ref();
                let spoils =
                    |result: Option<&CheckResult>| result.is_some_and(|it| worse(it, base));
                further(result, best) || (spoils(best) && !spoils(Some(result)))
            }
        };
        if is_better {
            self.best = Some(tried);
        }
    }
}

/// An edit that the model wrote and nobody has seen.
#[derive(Debug)]
pub(super) struct Candidate {
    raw: String,
    pub(super) call: ToolCall,
    pub(super) change: Option<Box<FileChange>>,
    check: Option<CallId>,
    /// What it would make of its file, where that is known.
    after: Option<Arc<str>>,
    /// How often it was mended as a compiler said.
    pub(super) corrected: u32,
    /// How likely the model held it, 0 to 1, where that is known.
    pub(super) likelihood: f32,
}

impl Candidate {
    /// An edit that was mended so often.
    pub(super) fn corrected(raw: String, call: ToolCall, corrected: u32) -> Self {
        Self {
            raw,
            call,
            change: None,
            check: None,
            after: None,
            corrected,
            likelihood: DRAWN,
        }
    }

    /// Returns what it would make of its file, where that is known.
    pub(super) fn after(&self) -> Option<Arc<str>> {
        self.after.clone()
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

    /// Makes the edit that is being tried the one that the model made: it is judged, shown and written like any other.
    pub(super) fn adopt_current(&mut self, end: SearchEnd, out: &mut Vec<Effect>) {
        let Some(candidate) = self.search().and_then(|search| search.current.take()) else {
            return;
        };
        self.adopt(candidate, end, out);
    }

    pub(super) fn adopt(&mut self, candidate: Candidate, end: SearchEnd, out: &mut Vec<Effect>) {
        self.tell_search_ended(end, out);
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
        let Some(turn) = &mut self.turn else { return };
        if let Some(search) = &mut turn.search {
            if result.is_some()
                && !is_corrected
                && let Some(change) = &candidate.change
                && let Some(said) = said(change, &text)
            {
                search.vain.push(said);
            }
            let tried = Tried {
                candidate,
                text,
                result,
            };
            let base = match &turn.checking {
                Checking::Known(base) => base.as_ref(),
                _ => None,
            };
            search.note_tried(tried, base, turn.checked_first.as_deref());
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

    /// Draws another edit, or ends the search.
    pub(super) fn draw_again(&mut self, out: &mut Vec<Effect>) {
        let Some(turn) = &mut self.turn else { return };
        if !matches!(turn.checking, Checking::Known(_)) {
            if self.compares() {
                return self.next_version(out);
            }
            let Some(turn) = &mut self.turn else { return };
            let drawn = turn.search.as_ref().map_or(0, Search::drawn);
            if drawn < UNCHECKED && self.draw_beside(out) {
                return;
            }
            let Some(turn) = &mut self.turn else { return };
            // The conversation goes on where it would have begun.
            turn.search = None;
            return self.generate(ToolChoice::Auto, out);
        }
        if self.is_search_spent() {
            return self.end_search(out);
        }
        let beside = self.file_to_write().is_some();
        let Some(turn) = &mut self.turn else { return };
        let base = match turn.checking {
            Checking::Known(result) => result,
            _ => None,
        };
        let Some(search) = &mut turn.search else {
            return;
        };
        // A check that says the same whatever is edited (no such test, no such program) cannot choose.
        let looked = base.is_some_and(|base| base.reached > 0);
        let is_blind = !looked && search.tried >= ROUND && search.unmoved >= search.tried;
        if is_blind && !turn.changed.is_empty() {
            return self.give_up_search(out);
        }
        if is_blind && let Some(first) = search.best.take() {
            turn.checking = Checking::Off;
            return self.adopt(first.candidate, SearchEnd::Undecided, out);
        }
        let inside = search.inside || !beside;
        let waited = search.drawn >= PATIENCE && search.drawn.is_multiple_of(ROUND);
        let is_further = |tried: &mut Tried| {
            let result = tried.result.as_ref();
            result.is_some_and(|result| further(result, base.as_ref()))
        };
        if inside
            && waited
            && let Some(best) = search.best.take_if(is_further)
        {
            return self.adopt_failing(best, out);
        }
        self.draw(out);
    }

    /// Asks the model for an edit, of something else each time and more freely.
    pub(super) fn draw(&mut self, out: &mut Vec<Effect>) {
        if self.is_search_spent() {
            return self.end_search(out);
        }
        if self.try_departure(out) {
            return;
        }
        let search = self.turn.as_ref().and_then(|turn| turn.search.as_ref());
        let beside = search.is_none_or(|search| !search.inside);
        if beside && !self.is_to_draw_inside() && self.draw_beside(out) {
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

    pub(super) fn search(&mut self) -> Option<&mut Search> {
        self.turn.as_mut()?.search.as_mut()
    }
}
