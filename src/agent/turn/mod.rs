//! A turn: from the user's message until the agent rests. Generations are here, calls in `calling`.

mod agreeing;
mod answering;
mod calling;
mod checking;
mod correcting;
mod departing;
mod keeping;
mod placing;
mod planning;
mod rewriting;
mod searching;
mod spoken;
mod together;
mod tracks;
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
use self::wording::Part;
use super::compaction::Compacting;
use super::input::Effect;
use super::intent::Intent;
use super::repeats::Repeats;
use super::review::Review;
use super::{Agent, Located, deciding, intent, notice};
use crate::protocol::{
    CheckEnd, Effort, EndReason, Event, Finish, GenerationId, Level, Mechanism, Message, Mode,
    ModelEvent, Outcome, Risk, SearchEnd, ToolCall, ToolChoice, ToolSpec, TurnSummary, Usage,
};

/// How often a turn that was asked for a change and made none is asked again.
const NUDGES: u32 = 2;

/// How many unreadable calls a turn may hold before it ends.
const BAD_CALLS: u32 = 3;

/// How much of an unreadable call is kept for the model to see, in bytes.
const BAD_CALL_KEPT: usize = 200;

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
    pub(super) fn start_turn(
        &mut self,
        text: String,
        mut files: Vec<String>,
        out: &mut Vec<Effect>,
    ) {
        self.turns += 1;
        self.place_arrived();
        if self.messages.is_empty() {
            self.remember(self.system(), out);
        }
        out.push(Effect::Emit(Event::TurnStarted {
            turn: self.turns,
            text: text.clone(),
        }));
        let tool = self.tool_named(&text);
        let mut asked = self.asked(&text);
        self.aside.clear();
        let intent = intent::intent(&text);
        let located = self.take_located(&text);
        let located = located.map(|located| Located {
            file: located.file.filter(|_| self.helps(Mechanism::Locating)),
            ..located
        });
        let helps = |located: &Located| located.file.is_some() || self.helps(Mechanism::Map);
        let located = located.filter(|located| files.is_empty() && helps(located));
        if let Some(located) = &located {
            asked = located.after(&asked);
            files.extend(located.file.clone());
        }
        let meant = match tool.is_none() && files.is_empty() && located.is_none() {
            true => self.tools_meant(&text),
            false => None,
        };
        if let Some(meant) = &meant {
            asked = format!("{asked}\n\n{}", meant.text);
        }
        self.remember(Message::User { text: asked }, out);
        let decision = self.decision_in(&text, out);
        let is_step = self.begin_step(&text);
        let plans =
            self.policy.mode() == Mode::Plan && intent != Intent::Question && decision.is_none();
        let wants_change = match (intent, self.policy.mode()) {
            // A step that asks for no change in so many words is done without one.
            (Intent::Unclear, _) if is_step => false,
            // What is to be made is made elsewhere.
            _ if meant.is_some() => false,
            _ if decision.is_some() && deciding::only_remembers(&text) => false,
            (_, Mode::Plan) | (Intent::Question, _) | (Intent::Unclear, Mode::Ask) => false,
            // Where edits need no question, somebody expects them.
            (Intent::Change, _) | (Intent::Unclear, Mode::Edit | Mode::Auto) => true,
        };
        self.asked_for.push(text.clone());
        let named = files.clone();
        self.named.extend(files.iter().cloned());
        let mut opening: VecDeque<_> = files
            .into_iter()
            .map(|path| {
                let range = intent::range_of(&text, &path);
                let mut arguments = with("path", path);
                if let Some((from, lines)) = range {
                    arguments.insert("from".to_owned(), from.into());
                    arguments.insert("lines".to_owned(), lines.into());
                }
                ("read".to_owned(), arguments)
            })
            .collect();
        let skills = self.mentioned_skills(&text).into_iter();
        opening.extend(skills.map(|name| (super::guidance::SKILL.to_owned(), with("name", name))));
        // Shown a tool, a small model calls it, whatever it was asked: a question that says nothing of the project is
        // asked without any.
        let just_answer = !wants_change
            && self.helps(Mechanism::JustAnswer)
            && !plans
            && opening.is_empty()
            && tool.is_none()
            && meant.is_none()
            && self.leads()
            && self.is_small()
            && !intent::is_of_project(&text);
        if opening.is_empty() && (wants_change || plans) && self.turns == 1 && located.is_none() {
            opening.push_back(("list".to_owned(), Map::new()));
        }
        opening.retain(|(name, _)| {
            self.tools
                .iter()
                .any(|tool| tool.name == *name && tool.risk == Risk::Read)
        });
        if let Some(recall) = self.recalling(&text).filter(|_| decision.is_none()) {
            opening.push_front(recall);
        }
        if let Some(decision) = &decision {
            opening.push_front(Self::keeping(decision));
        }
        if let Some(whole) = self.whole_request(&text, &named).filter(|_| wants_change) {
            opening = VecDeque::from([whole]);
        }
        let checking = match wants_change {
            true => self.first_checking(&text),
            false => Checking::Off,
        };
        self.turn = Some(Turn {
            number: self.turns,
            checking,
            named,
            request: text,
            intent,
            meant: meant.map_or_else(Vec::new, |meant| meant.tools),
            wants_change,
            opening,
            planning: Planning::wanted(plans),
            decision,
            next: match tool {
                // A small model talks of a tool that it is told to call.
                Some(named) if named.is_order => Some(ToolChoice::Required {
                    names: vec![named.tool],
                }),
                _ => just_answer.then_some(ToolChoice::None),
            },
            ..Turn::default()
        });
        self.advance(out);
    }

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

    /// Takes an event of the running generation. Those of an older one are dropped.
    pub(super) fn hear(
        &mut self,
        generation: GenerationId,
        event: ModelEvent,
        out: &mut Vec<Effect>,
    ) {
        let Some(turn) = &mut self.turn else { return };
        if turn.generation != Some(generation) {
            return;
        }
        match event {
            ModelEvent::PromptProgress { .. } | ModelEvent::Reasoning { .. }
                if turn.rewriting.is_some() => {}
            ModelEvent::PromptProgress {
                done,
                total,
                cached,
            } => {
                out.push(Effect::Emit(Event::PromptProgressed {
                    done,
                    total,
                    cached,
                }));
            }
            // What is shown of them is what was found, or the answer.
            ModelEvent::Text { .. } | ModelEvent::Reasoning { .. }
                if turn.answering.is_some()
                    || turn.planning.is_asking()
                    || turn.review.is_some()
                    || turn.compacting.is_some() => {}
            ModelEvent::CallDrafted { bytes, .. } if turn.review.is_some() => {
                let name = turn.review.as_ref().map(Review::place);
                out.push(Effect::Emit(Event::CallDrafted { name, bytes }));
            }
            // Only what comes of it is shown.
            ModelEvent::Text { text } if turn.rewriting.is_some() => {
                turn.written.push_str(&text);
                out.push(Effect::Emit(Event::CallDrafted {
                    name: Some(turn.drafted()),
                    bytes: u32::try_from(turn.written.len()).unwrap_or(u32::MAX),
                }));
            }
            ModelEvent::Text { text } => {
                turn.written.push_str(&text);
                out.push(Effect::Emit(Event::Text { text }));
            }
            ModelEvent::Reasoning { text } => out.push(Effect::Emit(Event::Reasoning { text })),
            ModelEvent::CallDrafted { name, bytes } => {
                out.push(Effect::Emit(Event::CallDrafted { name, bytes }))
            }
            ModelEvent::Call { name, arguments } => {
                turn.effort.calls += 1;
                turn.pending.push_back((name, arguments));
            }
            ModelEvent::BadCall { raw, problem } => {
                turn.effort.calls += 1;
                turn.effort.invalid += 1;
                turn.written.push_str(&raw);
                turn.bad_call = Some(problem);
            }
            ModelEvent::Departed { departure } => {
                if let Some(search) = &mut turn.search {
                    search.departures.hear(departure);
                }
            }
            ModelEvent::Done { raw, finish, usage } => {
                turn.generation = None;
                turn.usage.add(&usage);
                let is_main =
                    turn.rewriting.is_none() && turn.compacting.is_none() && turn.review.is_none();
                out.push(Effect::Emit(Event::Generated { usage }));
                if turn.compacting.is_some() {
                    if finish == Finish::Cancelled {
                        return self.end_turn(EndReason::Interrupted, out);
                    }
                    return self.compacted(Some(&raw), out);
                }
                if is_main {
                    // Counted before the answer is remembered: it is part of what was told.
                    self.note_fill(usage.prompt + usage.generated);
                }
                let Some(turn) = &mut self.turn else { return };
                if turn.review.is_some() {
                    turn.bad_call = None;
                    turn.written.clear();
                    let given = turn.pending.drain(..).next().map(|(_, given)| given);
                    return self.reviewed(given, finish, out);
                }
                if turn.answering.is_some() {
                    return self.answered(raw, finish, out);
                }
                if turn.planning.is_asking() {
                    return self.planned(raw, finish, out);
                }
                if finish != Finish::Cancelled && self.is_candidate() {
                    return self.try_edit(raw, out);
                }
                let Some(turn) = &mut self.turn else { return };
                // A call that ran away is not worth its tokens, and a model that sees it writes it again.
                let unreadable = turn.bad_call.is_some() && turn.pending.is_empty();
                let raw = if unreadable {
                    beginning(&raw, BAD_CALL_KEPT)
                } else {
                    raw
                };
                self.remember(Message::Assistant { raw }, out);
                self.generated(finish, out);
            }
            ModelEvent::Failed { failure } => {
                turn.generation = None;
                if turn.review.is_some() {
                    return self.review_failed(&failure, out);
                }
                if self.answer_beside(&failure, out) {
                    return;
                }
                let Some(turn) = &mut self.turn else { return };
                let full = matches!(failure, crate::protocol::ModelFailure::ContextFull { .. })
                    && turn.answering.is_none();
                match turn.rewriting.take() {
                    // There is no room for the code once more: edits are drawn without.
                    Some(beside) if full && beside.part() == Part::Departures => {
                        return self.take_departures(&beside, out);
                    }
                    Some(_) if full => return self.draw_inside(out),
                    _ => {}
                }
                if full && self.make_room(&failure, out) {
                    return;
                }
                self.end_turn(
                    EndReason::Failed {
                        message: super::compaction::told(&failure),
                    },
                    out,
                );
            }
            // These are told by the model's state, not by a generation.
            ModelEvent::Loading { .. } | ModelEvent::Notice { .. } | ModelEvent::Loaded { .. } => {}
        }
    }

    /// Goes on after a generation: calls, a correction, a nudge, or the end of the turn.
    fn generated(&mut self, finish: Finish, out: &mut Vec<Effect>) {
        let (leads, nudges) = (self.leads(), self.helps(Mechanism::Nudges));
        let searches = self.helps(Mechanism::Search) && self.helps(Mechanism::Check);
        let Some(turn) = &mut self.turn else { return };
        if finish == Finish::Cancelled {
            return self.end_turn(EndReason::Interrupted, out);
        }
        if !turn.pending.is_empty() {
            turn.bad_call = None;
            return self.advance(out);
        }
        if let Some(problem) = turn.bad_call.take() {
            turn.bad_calls += 1;
            turn.effort.wasted += 1;
            turn.retrying = true;
            if turn.bad_calls >= BAD_CALLS {
                let what = "the model kept writing calls that cannot be read".to_owned();
                return self.end_turn(EndReason::Loop { what }, out);
            }
            let text = format!("That call could not be read: {problem}. Write the call again.");
            notice(
                Level::Warning,
                &format!("The model wrote a call that could not be read: {problem}."),
                out,
            );
            self.remember(
                Message::Tool {
                    name: "error".to_owned(),
                    text,
                },
                out,
            );
            return self.advance(out);
        }
        if !turn.wants_change && turn.changed.is_empty() && intent::claims_change(&turn.written) {
            notice(
                Level::Warning,
                "The answer speaks of a change, but this turn changed no file.",
                out,
            );
        }
        if finish == Finish::Length {
            notice(
                Level::Warning,
                "The answer was cut off at its token limit.",
                out,
            );
        }
        if unmoved(turn) {
            turn.effort.wasted += 1;
        }
        if searches
            && unmoved(turn)
            && turn.is_failing()
            && turn.search.is_none()
            && turn.drawn == 0
        {
            // It said what is wrong instead of mending it.
            turn.search = Some(Search::default());
            return self.draw(out);
        }
        let nudges = match (nudges, leads) {
            (false, _) => 0,
            (true, true) => NUDGES,
            (true, false) => 1,
        };
        if turn.nudges < nudges && self.asks_for_the_call(out) {
            return;
        }
        let Some(turn) = &mut self.turn else { return };
        if unmoved(turn) && turn.nudges < nudges {
            turn.nudges += 1;
            turn.retrying = turn.nudges > 1;
            let names = self.changing_tools();
            if !names.is_empty() {
                let text = "No file was changed: only a call changes one. Make the change now.";
                notice(
                    Level::Info,
                    "No file was changed yet; the model is asked to make its change.",
                    out,
                );
                self.remember(
                    Message::User {
                        text: text.to_owned(),
                    },
                    out,
                );
                return self.generate(ToolChoice::Required { names }, out);
            }
        }
        self.end_turn(EndReason::Answered, out);
    }

    /// Names the tools that change a file: those that quote one where one was read, since a small model writes a short
    /// passage better than a whole file.
    pub(super) fn changing_tools(&self) -> Vec<String> {
        let quotes = |tool: &ToolSpec| tool.schema["properties"]["old"].is_object();
        let mut chosen: Vec<&ToolSpec> = self
            .tools
            .iter()
            .filter(|tool| tool.risk == Risk::Edit)
            .collect();
        if !self.passages.is_empty() && chosen.iter().any(|tool| quotes(tool)) {
            chosen.retain(|tool| quotes(tool));
        }
        chosen.into_iter().map(|tool| tool.name.clone()).collect()
    }

    /// Ends the turn: whatever is still open is cancelled, and the summary says what is true.
    pub(super) fn end_turn(&mut self, reason: EndReason, out: &mut Vec<Effect>) {
        if self.begin_plan(&reason, out) || self.begin_answer(&reason, out) {
            return;
        }
        self.tell_search_ended(SearchEnd::Stopped, out);
        let Some(turn) = self.turn.take() else { return };
        if turn.generation.is_some() {
            out.push(Effect::CancelModel);
            // What was drawn beside the conversation is no part of it.
            if !turn.written.is_empty()
                && turn.rewriting.is_none()
                && !turn.planning.is_asking()
                && turn.review.is_none()
                && turn.compacting.is_none()
            {
                self.remember(Message::Assistant { raw: turn.written }, out);
            }
        }
        let open = self.calls.settle_all();
        if !open.is_empty() {
            out.push(Effect::CancelCalls(
                open.iter().map(|open| open.call.id).collect(),
            ));
            for open in open {
                if open.stage == super::calls::Stage::Trying {
                    continue;
                }
                let checks = open.call.server == super::CHECKING_SERVER
                    && open.call.tool != super::guidance::SCRIPT;
                self.late.push((open.call.id, turn.number));
                out.push(Effect::Emit(Event::CallFinished {
                    call: open.call.id,
                    outcome: Outcome::Cancelled,
                }));
                if checks {
                    continue;
                }
                let text = Outcome::Cancelled.for_model().to_owned();
                self.remember(
                    Message::Tool {
                        name: open.call.tool,
                        text,
                    },
                    out,
                );
            }
        }
        let drawn =
            turn.drawn + turn.search.as_ref().map_or(0, Search::tried) + turn.verified.unwrap_or(0);
        let check = (drawn > 0 && turn.has_check).then(|| CheckEnd {
            tried: turn.verified.map_or(drawn, |last| turn.drawn + last),
            passed: turn.verified.is_some(),
        });
        let effort = &turn.effort;
        if turn.review.is_none() && effort.calls > 0 {
            let is_clean = effort.invalid + effort.unfit + effort.wasted == 0;
            self.clean_turns = if is_clean { self.clean_turns + 1 } else { 0 };
        }
        out.push(Effect::Emit(Event::TurnMeasured {
            turn: turn.number,
            wall_ms: 0,
            evaluated: turn.usage.prompt.saturating_sub(turn.usage.cached),
            cached: turn.usage.cached,
            generated: turn.usage.generated,
            effort: turn.effort,
        }));
        let summary = TurnSummary {
            reason,
            wanted_change: turn.wants_change,
            changed: turn.changed,
            calls: turn.run,
            denied: turn.denied,
            usage: turn.usage,
            check,
        };
        let step = self.step_ends(&turn.request, &summary);
        out.push(Effect::Emit(Event::TurnEnded {
            turn: turn.number,
            summary,
        }));
        if let Some(end) = step {
            self.step_ended(end, out);
        }
        self.start_queued(out);
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

/// Tells whether a turn was to change something and neither did nor was kept from it.
fn unmoved(turn: &Turn) -> bool {
    turn.wants_change && turn.changed.is_empty() && turn.denied == 0
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
