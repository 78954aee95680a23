//! A turn: from the user's message until the agent rests.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use super::calls::Stage;
use super::input::{Effect, Preview};
use super::intent::Intent;
use super::policy::{Verdict, risk_of};
use super::repeats::{Repeats, Repetition};
use super::{Agent, intent, notice, prompt};
use crate::protocol::{
    CallId, EndReason, Event, FileChange, Finish, GenerationId, Level, LineKind, Message, Mode,
    ModelEvent, Outcome, Passages, Risk, ToolCall, ToolChoice, ToolSpec, TurnSummary, Usage,
};

/// How often a turn that was asked for a change and made none is asked again.
const NUDGES: u32 = 2;

/// How many unreadable calls a turn may hold before it ends.
const BAD_CALLS: u32 = 3;

/// How much of an unreadable call is kept for the model to see, in bytes.
const BAD_CALL_KEPT: usize = 200;

/// The temperature of a generation that follows a failure: a greedy second try repeats the first one word for word.
const RETRY_TEMPERATURE: f32 = 0.6;

/// The longest file whose text constrains the edits of it, in bytes.
const PASSAGE_LIMIT: usize = 256 * 1024;

/// The state of the running turn.
#[derive(Debug, Default)]
pub(super) struct Turn {
    number: u32,
    pub(super) request: String,
    intent: Intent,
    wants_change: bool,
    changed: Vec<String>,
    run: u32,
    denied: u32,
    usage: Usage,
    /// Generations so far, and the one that is running.
    steps: u32,
    generation: Option<GenerationId>,
    nudges: u32,
    /// Calls that the host makes before the model is asked: reads of the files that the request names.
    opening: VecDeque<(String, Map<String, Value>)>,
    /// Calls of the last generation that were not begun.
    pending: VecDeque<(String, Map<String, Value>)>,
    /// What was wrong with something that looked like a call, and how many there were.
    bad_call: Option<String>,
    bad_calls: u32,
    /// The last step failed: the next one is drawn more freely.
    retrying: bool,
    /// Lines that this turn added, with their files: a change that takes them out again is asked about once.
    added: Vec<(String, String)>,
    warned: bool,
    /// Calls that the user refused in this turn: nobody is asked the same thing twice.
    refused: Vec<ToolCall>,
    /// How the next generation may go on, where the host decides it.
    next: Option<ToolChoice>,
    /// What the running generation wrote so far, as shown.
    written: String,
    repeats: Repeats,
    /// The conversation was shrunk once in this turn.
    pub(super) shrunk: bool,
}

impl Agent {
    pub(super) fn start_turn(&mut self, text: String, files: Vec<String>, out: &mut Vec<Effect>) {
        self.turns += 1;
        if self.messages.is_empty() {
            let system = prompt::system_text(&self.settings.repository, &self.tools, self.form());
            self.remember(Message::System { text: system }, out);
        }
        out.push(Effect::Emit(Event::TurnStarted {
            turn: self.turns,
            text: text.clone(),
        }));
        let mut asked = self.aside.drain(..).collect::<Vec<_>>();
        asked.push(text.clone());
        self.remember(
            Message::User {
                text: asked.join("\n\n"),
            },
            out,
        );
        let intent = intent::intent(&text);
        let wants_change = match (intent, self.policy.mode()) {
            (_, Mode::Plan) | (Intent::Question, _) | (Intent::Unclear, Mode::Ask) => false,
            // Where edits need no question, somebody expects them.
            (Intent::Change, _) | (Intent::Unclear, Mode::Edit | Mode::Auto) => true,
        };
        let mut opening: VecDeque<_> = files
            .into_iter()
            .map(|path| ("read".to_owned(), with("path", path)))
            .collect();
        if opening.is_empty() && wants_change && self.turns == 1 {
            opening.push_back(("list".to_owned(), Map::new()));
        }
        opening.retain(|(name, _)| {
            self.tools
                .iter()
                .any(|tool| tool.name == *name && tool.risk == Risk::Read)
        });
        self.turn = Some(Turn {
            number: self.turns,
            request: text,
            intent,
            wants_change,
            opening,
            ..Turn::default()
        });
        self.advance(out);
    }

    /// Does the next thing: an opening call, a pending call, or a generation.
    fn advance(&mut self, out: &mut Vec<Effect>) {
        let Some(turn) = &mut self.turn else { return };
        if !self.calls.is_empty() || turn.generation.is_some() {
            return;
        }
        if let Some((name, arguments)) = turn.opening.pop_front() {
            let written = prompt::written_call(self.form(), &name, &spaced(&arguments));
            self.remember(Message::Assistant { raw: written }, out);
            self.begin_call(&name, arguments, out);
        } else if let Some((name, arguments)) = turn.pending.pop_front() {
            self.begin_call(&name, arguments, out);
        } else {
            let choice = turn.next.take().unwrap_or(ToolChoice::Auto);
            self.generate(choice, out);
        }
    }

    fn generate(&mut self, choice: ToolChoice, out: &mut Vec<Effect>) {
        let (max_steps, max_tokens) = (self.settings.max_steps, self.settings.max_tokens);
        let Some(turn) = &mut self.turn else { return };
        let spent = turn.usage.prompt.saturating_sub(turn.usage.cached) + turn.usage.generated;
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
        turn.steps += 1;
        turn.written.clear();
        let question = turn.intent == Intent::Question;
        let retry = std::mem::take(&mut turn.retrying).then_some(turn.steps);
        let mut request = self.request(choice);
        if question {
            request.tools.retain(|tool| tool.risk == Risk::Read);
        }
        if let Some(step) = retry {
            request.sampling.temperature = request.sampling.temperature.max(RETRY_TEMPERATURE);
            request.sampling.top_p = 0.95;
            request.sampling.seed = step;
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
            ModelEvent::Text { text } => {
                turn.written.push_str(&text);
                out.push(Effect::Emit(Event::Text { text }));
            }
            ModelEvent::Reasoning { text } => out.push(Effect::Emit(Event::Reasoning { text })),
            ModelEvent::CallDrafted { name, bytes } => {
                out.push(Effect::Emit(Event::CallDrafted { name, bytes }))
            }
            ModelEvent::Call { name, arguments } => turn.pending.push_back((name, arguments)),
            ModelEvent::BadCall { raw, problem } => {
                turn.written.push_str(&raw);
                turn.bad_call = Some(problem);
            }
            ModelEvent::Done { raw, finish, usage } => {
                turn.generation = None;
                turn.usage.add(&usage);
                out.push(Effect::Emit(Event::Generated { usage }));
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
                let full = matches!(failure, crate::protocol::ModelFailure::ContextFull { .. });
                if full && self.shrink(&failure, out) {
                    return self.advance(out);
                }
                self.end_turn(
                    EndReason::Failed {
                        message: failure.to_string(),
                    },
                    out,
                );
            }
            // These are told by the model's state, not by a generation.
            ModelEvent::Loading { .. } | ModelEvent::Loaded { .. } => {}
        }
    }

    /// Goes on after a generation: calls, a correction, a nudge, or the end of the turn.
    fn generated(&mut self, finish: Finish, out: &mut Vec<Effect>) {
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
        if finish == Finish::Length {
            notice(
                Level::Warning,
                "The answer was cut off at its token limit.",
                out,
            );
        }
        if unmoved(turn) && turn.nudges < NUDGES {
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
    fn changing_tools(&self) -> Vec<String> {
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

    fn begin_call(&mut self, name: &str, arguments: Map<String, Value>, out: &mut Vec<Effect>) {
        let (call, spec) = self.mint(name, arguments);
        let id = call.id;
        let risk = spec.as_ref().map_or(Risk::Read, |spec| spec.risk);
        out.push(Effect::Emit(Event::CallProposed {
            call: call.clone(),
            risk,
        }));
        let Some(spec) = spec else {
            let names: Vec<&str> = self.tools.iter().map(|tool| tool.name.as_str()).collect();
            let text = format!(
                "there is no tool `{name}`; the tools are {}",
                names.join(", ")
            );
            self.calls.open(call, risk, Stage::Running);
            return self.settle(id, Outcome::Invalid { text }, out);
        };
        if spec.previews {
            self.calls.open(call.clone(), risk, Stage::Previewing);
            out.push(Effect::Preview(call));
        } else {
            self.calls.open(call, risk, Stage::Previewing);
            self.judge(id, None, out);
        }
    }

    pub(super) fn previewed(&mut self, id: CallId, preview: Preview, out: &mut Vec<Effect>) {
        match self.calls.get_mut(id) {
            Some(open) if open.stage == Stage::Previewing => {}
            _ => return,
        }
        match preview {
            Preview::Refused(outcome) => self.settle(id, outcome, out),
            Preview::Change(change) if self.takes_back(&change) => {
                let text = "This takes out lines that you wrote a moment ago in this turn; nothing was done. If the \
                            work is finished, answer in one sentence. If those lines are wrong, make the call again.";
                self.settle(
                    id,
                    Outcome::Failed {
                        text: text.to_owned(),
                    },
                    out,
                );
            }
            Preview::Change(change) => self.judge(id, Some(change), out),
        }
    }

    /// Tells, once a turn, that a change takes out lines which the turn itself added.
    fn takes_back(&mut self, change: &FileChange) -> bool {
        let Some(turn) = &mut self.turn else {
            return false;
        };
        let takes = lines(change, LineKind::Removed).any(|line| {
            turn.added
                .iter()
                .any(|(path, added)| *path == change.path && *added == line)
        });
        takes && !std::mem::replace(&mut turn.warned, true)
    }

    /// Asks the policy, and then runs the call, asks the user, or refuses.
    fn judge(&mut self, id: CallId, change: Option<Box<FileChange>>, out: &mut Vec<Effect>) {
        let Some(open) = self.calls.get_mut(id) else {
            return;
        };
        let refused = self.turn.as_ref().is_some_and(|turn| {
            let same = |call: &ToolCall| {
                call.tool == open.call.tool && call.arguments == open.call.arguments
            };
            turn.refused.iter().any(same)
        });
        if refused {
            let reason = "The user refused this very call already. Do something else, or answer in one sentence.";
            return self.settle(
                id,
                Outcome::Denied {
                    reason: reason.to_owned(),
                },
                out,
            );
        }
        open.risk = risk_of(open.risk, change.as_deref());
        match self.policy.judge(&open.call, open.risk) {
            Verdict::Allow => self.run_call(id, change, out),
            Verdict::Deny(reason) => self.settle(id, Outcome::Denied { reason }, out),
            Verdict::Ask(reason) => {
                let shown = change.as_deref().cloned();
                open.stage = Stage::Asking(change);
                out.push(Effect::Emit(Event::ApprovalRequested {
                    call: id,
                    reason,
                    change: shown,
                }));
            }
        }
    }

    pub(super) fn run_call(
        &mut self,
        id: CallId,
        change: Option<Box<FileChange>>,
        out: &mut Vec<Effect>,
    ) {
        let Some(open) = self.calls.get_mut(id) else {
            return;
        };
        open.stage = Stage::Running;
        let call = open.call.clone();
        out.push(Effect::Emit(Event::CallStarted { call: id }));
        out.push(Effect::RunCall { call, change });
    }

    pub(super) fn call_done(
        &mut self,
        id: CallId,
        outcome: Outcome,
        change: Option<FileChange>,
        passage: Option<(String, String)>,
        out: &mut Vec<Effect>,
    ) {
        if self.calls.get_mut(id).is_none() {
            // The turn was interrupted while the call ran: a change that was made all the same is still recorded, so
            // that it can be undone.
            if let Some(change) = change {
                self.record_change(id, change, out);
            }
            return;
        }
        if let Some((path, text)) = passage {
            self.passages.retain(|known| known.path != path);
            if text.len() <= PASSAGE_LIMIT {
                self.passages.push(Passages { path, text });
            }
        }
        if let Some(change) = change {
            self.record_change(id, change, out);
        }
        self.settle(id, outcome, out);
    }

    fn record_change(&mut self, id: CallId, change: FileChange, out: &mut Vec<Effect>) {
        let late = self
            .late
            .iter()
            .position(|(call, _)| *call == id)
            .map(|at| self.late.remove(at).1);
        let number = late.unwrap_or(self.turns);
        if let Some(turn) = self.turn.as_mut().filter(|turn| turn.number == number) {
            turn.repeats.clear();
            turn.added.extend(
                lines(&change, LineKind::Added).map(|line| (change.path.clone(), line.to_owned())),
            );
            if !turn.changed.contains(&change.path) {
                turn.changed.push(change.path.clone());
            }
        }
        self.changes.push((number, change.clone()));
        out.push(Effect::Emit(Event::ChangeApplied { call: id, change }));
    }

    /// Ends a call: tells the front ends and the model, watches for loops, and goes on.
    pub(super) fn settle(&mut self, id: CallId, outcome: Outcome, out: &mut Vec<Effect>) {
        let Some(open) = self.calls.settle(id) else {
            return;
        };
        let finished = |outcome| Effect::Emit(Event::CallFinished { call: id, outcome });
        let Some(turn) = &mut self.turn else {
            out.push(finished(outcome));
            return;
        };
        match outcome {
            Outcome::Denied { .. } => {
                turn.denied += 1;
                turn.refused.push(open.call.clone());
            }
            _ => turn.run += 1,
        }
        turn.retrying = matches!(outcome, Outcome::Failed { .. } | Outcome::Invalid { .. });
        let repetition = turn.repeats.note(&open.call, &outcome);
        let (text, next) = match repetition {
            Repetition::Again | Repetition::Loop if unmoved(turn) => {
                let text =
                    "You made this very call before; its result stands above. Make the change now.";
                (text.to_owned(), Next::Change)
            }
            Repetition::Again | Repetition::Loop => {
                let text = "You made this very call before; its result stands above. Answer now, in words only.";
                (text.to_owned(), Next::Words)
            }
            Repetition::First if outcome.is_done() && open.risk != Risk::Read => {
                let done = outcome.for_model();
                let text = format!(
                    "{done}\nIf that was all that was asked for, say so in one sentence without a call."
                );
                (text, Next::Free)
            }
            // A second refusal: the model has nothing else to offer than words.
            Repetition::First if turn.denied > 1 => (
                format!("{} Answer in words only.", outcome.for_model()),
                Next::Words,
            ),
            Repetition::First => (outcome.for_model().to_owned(), Next::Free),
        };
        let next = match next {
            Next::Free => None,
            Next::Words => Some(ToolChoice::None),
            Next::Change => {
                let names = self.changing_tools();
                (!names.is_empty()).then_some(ToolChoice::Required { names })
            }
        };
        if let Some(turn) = &mut self.turn {
            turn.next = next;
        }
        out.push(finished(outcome));
        self.remember(
            Message::Tool {
                name: open.call.tool.clone(),
                text,
            },
            out,
        );
        if repetition == Repetition::Loop {
            let what = format!(
                "`{}` was called again and again with the same result",
                open.call.title()
            );
            return self.end_turn(EndReason::Loop { what }, out);
        }
        self.advance(out);
    }

    /// Ends the turn: whatever is still open is cancelled, and the summary says what is true.
    pub(super) fn end_turn(&mut self, reason: EndReason, out: &mut Vec<Effect>) {
        let Some(turn) = self.turn.take() else { return };
        if turn.generation.is_some() {
            out.push(Effect::CancelModel);
            if !turn.written.is_empty() {
                self.remember(Message::Assistant { raw: turn.written }, out);
            }
        }
        let open = self.calls.settle_all();
        if !open.is_empty() {
            out.push(Effect::CancelCalls(
                open.iter().map(|open| open.call.id).collect(),
            ));
            for open in open {
                self.late.push((open.call.id, turn.number));
                out.push(Effect::Emit(Event::CallFinished {
                    call: open.call.id,
                    outcome: Outcome::Cancelled,
                }));
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
        let summary = TurnSummary {
            reason,
            wanted_change: turn.wants_change,
            changed: turn.changed,
            calls: turn.run,
            denied: turn.denied,
            usage: turn.usage,
        };
        out.push(Effect::Emit(Event::TurnEnded {
            turn: turn.number,
            summary,
        }));
        self.start_queued(out);
    }
}

/// How the host lets the model go on after a call.
enum Next {
    Free,
    /// With a call that changes a file.
    Change,
    /// Without a call.
    Words,
}

/// Tells whether a turn was to change something and neither did nor was kept from it.
fn unmoved(turn: &Turn) -> bool {
    turn.wants_change && turn.changed.is_empty() && turn.denied == 0
}

/// Returns the changed lines of one side that say something: a brace or a blank line proves nothing.
fn lines(change: &FileChange, kind: LineKind) -> impl Iterator<Item = &str> {
    let lines = change.hunks.iter().flat_map(|hunk| &hunk.lines);
    lines
        .filter(move |line| line.kind == kind && line.text.trim().len() > 3)
        .map(|line| line.text.as_str())
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
