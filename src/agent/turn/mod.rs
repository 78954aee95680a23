//! A turn: from the user's message until the agent rests.
//!
//! What a turn holds and what it does next are here; how it begins is in `starting`, what a generation gives in `hearing`,
//! calls are in `calling`, and its end is in `ending`.

mod agreeing;
mod answering;
mod calling;
mod checking;
mod correcting;
mod departing;
mod drawing;
mod ending;
mod hearing;
mod keeping;
mod outcomes;
mod placing;
mod planning;
mod rewriting;
mod samples;
mod sampling;
mod searching;
mod spoken;
mod starting;
mod together;
mod tracks;
mod weaving;
mod wording;

use std::collections::VecDeque;

use serde_json::{Map, Value};

use self::answering::Answering;
use self::calling::Next;
use self::checking::Checking;
pub(super) use self::checking::Leave;
use self::planning::Planning;
use self::rewriting::{Focused, Reading, Rewriting};
use self::searching::Search;
use super::compaction::Compacting;
use super::input::Effect;
use super::intent::Intent;
use super::repeats::Repeats;
use super::review::Review;
use super::{Agent, intent, notice};
use crate::protocol::{
    Effort, EndReason, GenerationId, Message, Outcome, Risk, ToolCall, ToolChoice, Usage,
};

/// The temperature of a generation that follows a failure: a greedy second try repeats the first one word for word.
const RETRY_TEMPERATURE: f32 = 0.6;

/// The state of the running turn.
#[derive(Debug, Default)]
pub(super) struct Turn {
    number: u32,
    pub(super) request: String,
    intent: Intent,
    wants_change: bool,
    /// The tools of others that the request is about.
    meant: Vec<String>,
    changed: Vec<String>,
    run: u32,
    denied: u32,
    usage: Usage,
    effort: Effort,
    /// Generations so far, and the one that is running.
    steps: u32,
    generation: Option<GenerationId>,
    nudges: u32,
    /// Calls that the host makes before the model is asked: reads of the files that the request names.
    opening: VecDeque<(String, Map<String, Value>)>,
    /// Calls of the last generation that were not begun.
    pub(super) pending: VecDeque<(String, Map<String, Value>)>,
    /// Calls were begun while others were open: each result says which call it is of.
    together: bool,
    /// What was wrong with something that looked like a call, and how many there were.
    pub(super) bad_call: Option<String>,
    bad_calls: u32,
    /// The last step failed: the next one is drawn more freely.
    retrying: bool,
    /// Lines that this turn added, with their files: a change that takes them out again is asked about once.
    added: Vec<(String, String)>,
    warned: bool,
    /// Files that were read as a whole, and stand in the conversation as they are.
    whole: Vec<String>,
    /// Files an edit of which was sent back for breaking their syntax.
    sent_back: Vec<String>,
    /// Calls that the user refused in this turn: nobody is asked the same thing twice.
    refused: Vec<ToolCall>,
    /// How the next generation may go on, where the host decides it.
    next: Option<ToolChoice>,
    /// What the running generation wrote so far, as shown.
    pub(super) written: String,
    repeats: Repeats,
    checking: Checking,
    search: Option<Search>,
    /// It was told of a search that goes on.
    is_search_told: bool,
    /// The time for searching is up.
    time_is_up: bool,
    /// What is made is a version that was chosen among several: another would be no better.
    compared: bool,
    /// The running generation is a draw beside the conversation.
    rewriting: Option<Rewriting>,
    /// What is being asked about code, and what was told of the file that is written, and of what it would be.
    reading: Option<Reading>,
    focused: Vec<Focused>,
    /// The file that the model's first edit was of.
    aimed_at: Option<String>,
    /// The files that the request names, and whether one of them was asked for beside the conversation.
    named: Vec<String>,
    began_beside: bool,
    /// The project's check told something in this turn.
    has_check: bool,
    /// Edits drawn in searches that ended, and in which draw one passed.
    drawn: u32,
    verified: Option<u32>,
    /// What the check said of the tree as it was.
    checked_first: Option<String>,
    /// What the check says of the edit that a search settled for.
    still_failing: Option<String>,
    /// The conversation is being begun anew; how often it was, and at which generation the last time.
    pub(super) compacting: Option<Compacting>,
    pub(super) compactions: u32,
    pub(super) compacted_at: u32,
    /// The turn is a review.
    pub(super) review: Option<Review>,
    /// The answer that is being asked for in a form.
    answering: Option<Answering>,
    /// What the user said to remember.
    pub(super) decision: Option<String>,
    /// Whether the turn comes to a plan.
    planning: Planning,
    /// The conversation was shrunk once in this turn.
    pub(super) shrunk: bool,
}

impl Agent {
    /// Does the next thing: an opening call, a pending call, or a generation.
    pub(super) fn advance(&mut self, out: &mut Vec<Effect>) {
        let Some(turn) = &mut self.turn else { return };
        if !self.calls.is_empty() || turn.generation.is_some() || turn.reading.is_some() {
            return;
        }
        self.tell_unchecked(out);
        let Some(turn) = &mut self.turn else { return };
        if let Some((name, arguments)) = turn.opening.pop_front() {
            let written = self.form().write(&name, &spaced(&arguments));
            self.remember(Message::Assistant { raw: written }, out);
            self.begin_call(&name, arguments, out);
        } else if turn.checking == Checking::Wanted {
            self.check_first(out);
        } else if let Some((name, arguments)) = turn.pending.pop_front() {
            self.begin_call(&name, arguments, out);
        } else if self.is_to_ask_for_check() {
            self.ask_for_check(out);
        } else if self.plans_now() {
            self.ask_for_plan(out);
        } else if !(self.begins_beside() && self.begin_beside(out)) {
            let Some(turn) = &mut self.turn else { return };
            let choice = turn.next.take().unwrap_or(ToolChoice::Auto);
            self.generate(choice, out);
        }
    }

    pub(super) fn generate(&mut self, choice: ToolChoice, out: &mut Vec<Effect>) {
        let (max_steps, max_tokens) = (self.settings.max_steps, self.most_tokens());
        let Some(turn) = &mut self.turn else { return };
        let spent = turn.spent();
        if turn.steps >= max_steps {
            return self.end_turn(
                EndReason::Budget {
                    what: "step".to_owned(),
                },
                out,
            );
        }
        if spent >= max_tokens {
            return self.end_turn(
                EndReason::Budget {
                    what: "token".to_owned(),
                },
                out,
            );
        }
        if turn.search.is_none() && self.compact_first(&choice, out) {
            return;
        }
        let Some(turn) = &mut self.turn else { return };
        if turn.search.is_none() {
            turn.steps += 1;
        }
        turn.effort.generations += 1;
        turn.written.clear();
        let question = turn.intent == Intent::Question || turn.planning.is_wanted();
        let searching = turn.search.is_some();
        let retry = std::mem::take(&mut turn.retrying).then_some(turn.steps);
        self.generations += 1;
        let mut request = self.request(choice);
        if question {
            // What a third-party tool does is not known; the user is asked about each call.
            request
                .tools
                .retain(|tool| tool.risk == Risk::Read || tool.risk.is_foreign());
            request.unlisted = Self::unlisted(&request.tools);
        }
        if let Some(step) = retry {
            request.sampling.temperature = request.sampling.temperature.max(RETRY_TEMPERATURE);
            request.sampling.top_p = 0.95;
            request.sampling.seed = step;
        }
        if searching {
            self.loosen(&mut request.sampling);
            request
                .passages
                .retain(|passage| !self.keeps(&passage.path));
        }
        if let Some(turn) = &mut self.turn {
            turn.generation = Some(request.id);
        }
        out.push(Effect::Generate(request));
    }
}

impl Turn {
    /// Tells whether a call reads what stands in the conversation as a whole, and takes note of what now does.
    fn stands_whole(&mut self, call: &ToolCall, outcome: &Outcome) -> bool {
        let (Some(path), true) = (call.argument("path"), call.tool == "read") else {
            return false;
        };
        if self.whole.iter().any(|whole| whole == path) {
            return true;
        }
        let from_top = call.arguments.get("from").is_none_or(|from| from == 1);
        if from_top && outcome.is_done() && !outcome.for_model().contains("; go on with from=") {
            self.whole.push(path.to_owned());
        }
        false
    }

    /// Makes a turn that is a review.
    pub(super) fn reviewing(number: u32, review: Review) -> Self {
        Self {
            number,
            review: Some(review),
            ..Self::default()
        }
    }

    /// Returns what the turn took so far.
    pub(super) fn effort(&self) -> &Effort {
        &self.effort
    }

    /// Returns what the check said last, where it fails.
    pub(super) fn failing(&self) -> Option<&str> {
        self.still_failing
            .as_deref()
            .or_else(|| self.checked_first.as_deref().filter(|_| self.is_failing()))
    }

    /// Takes note of a generation beside the conversation.
    pub(super) fn asking_beside(&mut self, generation: GenerationId) {
        self.effort.generations += 1;
        self.written.clear();
        self.generation = Some(generation);
    }

    /// Returns the tokens that were evaluated and generated.
    pub(super) fn spent(&self) -> u32 {
        self.usage.prompt.saturating_sub(self.usage.cached) + self.usage.generated
    }
}

/// Returns the beginning of a text, cut on a character boundary.
fn beginning(text: &str, limit: usize) -> String {
    let end = (0..=limit.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    if end == text.len() {
        text.to_owned()
    } else {
        format!("{} …", &text[..end])
    }
}

fn with(name: &str, value: String) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), Value::String(value))])
}

/// Writes arguments the way models write JSON: a space after each colon and comma.
fn spaced(arguments: &Map<String, Value>) -> String {
    let pairs: Vec<String> = arguments
        .iter()
        .map(|(name, value)| format!("{}: {value}", Value::String(name.clone())))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}
