//! The agent: a pure state machine that turns a request into generations and calls.
//!
//! [`Agent::handle`] takes one [`Input`] and returns the [`Effect`]s to perform, in order. The agent owns the
//! conversation as the model sees it (append-only), the call table, the policy, and the budgets of a turn. It reads no
//! clock, no file and no random number, and knows neither llama.cpp nor MCP nor the screen: everything comes in as an
//! input, everything goes out as an effect.

mod asking;
mod calls;
mod compaction;
mod deciding;
mod finding;
mod guidance;
mod input;
mod intent;
mod locating;
mod meaning;
mod narrowing;
mod planning;
mod policy;
mod prepare;
mod prompt;
mod repeats;
mod review;
mod turn;

#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod check_tests;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod search_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod without_tests;

use std::collections::VecDeque;

pub use deciding::DECISIONS;
pub use input::{Aim, Aims, CodeAnswer, CodeQuestion, Effect, Focus, Input, Located, Preview};
pub use policy::{Facts, Policy, Verdict};
pub use prompt::{system_text, told_as};

use crate::protocol::{
    CallForm, CallId, Decision, EndReason, Event, FileChange, GenerationId, KeptRule, Lane, Level,
    Mechanism, Message, Mode, ModelInfo, Op, Outcome, Passages, Plan, Risk, Sampling, ToolCall,
    ToolList, ToolSpec, Undone, find_secret,
};
use calls::{CallTable, Stage};
use turn::Turn;

/// The longest file whose text constrains the edits of it, in bytes.
const PASSAGE_LIMIT: usize = 1 << 20;

/// The least parameters of a model that may make several calls in one answer, and how many. Smaller ones go on with a
/// call that they would not make if they saw what the first one gave.
const LARGE_MODEL: u64 = 4_000_000_000;
const CALLS_AT_ONCE: u32 = 8;

/// Finds the words of a request that look like paths of files, in order.
pub fn mentioned_paths(request: &str) -> Vec<String> {
    intent::mentioned_paths(request, 4)
}

/// The built-in server that runs programs. Its tools the host calls and the model does not, but for the scripts of skills.
pub const CHECKING_SERVER: &str = "run";

/// The tools that the host calls where a request asks for nothing else, and the model does not: they move an item, move a
/// file, and mark a file as a program.
const HOST_TOOLS: [&str; 3] = [MOVING_TOOL, MOVING_FILES, MARKING_TOOL];
const MOVING_TOOL: &str = "move_item";
const MOVING_FILES: &str = "move_file";
const MARKING_TOOL: &str = "set_executable";

/// What bounds a turn, and how tokens are drawn.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The repository's name, for the system text.
    pub repository: String,
    pub mode: Mode,
    /// The most generations in a turn.
    pub max_steps: u32,
    /// The most tokens in a turn, prompt tokens that had to be evaluated and generated ones together.
    pub max_tokens: u32,
    pub sampling: Sampling,
    /// The words of the project's check; none where it has none.
    pub check: Vec<String>,
    /// The user named the check, so it may be run in every mode that changes files.
    pub check_is_named: bool,
    /// Somebody is there to be asked whether the check may run.
    pub asks_check: bool,
    /// The most edits that are tried in a turn before one passes the check, and for how long, in seconds. Whoever has
    /// a clock says when that is over.
    pub tries: u32,
    pub search_seconds: u32,
    /// The object schema of the answer, where it is to have a form.
    pub answer: Option<serde_json::Value>,
    /// What the user and a trusted repository tell the model.
    pub guidance: crate::protocol::Guidance,
    /// The rules that the user keeps.
    pub rules: Vec<KeptRule>,
    /// Decisions of earlier sessions are recalled when the session begins.
    pub recalls: bool,
    /// What is left out, to measure what it is worth.
    pub without: Vec<Mechanism>,
    /// What confines each server, as a question says it.
    pub confined: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            repository: "project".to_owned(),
            mode: Mode::Ask,
            max_steps: 16,
            max_tokens: 60_000,
            sampling: Sampling::default(),
            check: Vec::new(),
            check_is_named: false,
            asks_check: false,
            tries: 200,
            search_seconds: 240,
            answer: None,
            guidance: crate::protocol::Guidance::default(),
            rules: Vec::new(),
            recalls: false,
            without: Vec::new(),
            confined: Vec::new(),
        }
    }
}

/// What a journal keeps of an agent: enough to go on where a session stopped.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    pub messages: Vec<Message>,
    pub turns: u32,
    pub calls: u64,
    /// The changes that stand, with the turns that made them.
    pub changes: Vec<(u32, FileChange)>,
    /// The files that the model has read or changed, each once, the latest at the end.
    pub seen: Vec<String>,
    /// What in the conversation the user did not write.
    pub taints: Vec<String>,
    pub plan: Option<Plan>,
}

impl Memory {
    /// Takes note that the model knows a file's text.
    pub fn see(&mut self, path: &str) {
        self.overlook(path);
        self.seen.push(path.to_owned());
    }

    /// Takes note that what the model knows of a file is not its text any more.
    pub fn overlook(&mut self, path: &str) {
        self.seen.retain(|seen| seen != path);
    }
}

/// The state machine. See the module's documentation.
#[derive(Debug)]
pub struct Agent {
    settings: Settings,
    policy: Policy,
    messages: Vec<Message>,
    tools: Vec<ToolSpec>,
    /// Third-party tools that came while a turn was running.
    arriving: Vec<ToolSpec>,
    /// Third-party tools that the model has to look for.
    deferred: Vec<ToolSpec>,
    /// The tools that move an item or a file. The host alone calls them.
    host_tools: Vec<ToolSpec>,
    /// The tool that runs the project's check. The host alone calls it.
    checker: Option<ToolSpec>,
    /// Whether it may run where it is asked about, and the rule because of which the user was told that it does not.
    check_leave: turn::Leave,
    unchecked_by: Option<String>,
    /// Tries a file that is written from nothing.
    prober: Option<ToolSpec>,
    model: Option<ModelInfo>,
    calls: CallTable,
    turn: Option<Turn>,
    turns: u32,
    generations: u64,
    /// Questions about code so far.
    reads: u64,
    queued: VecDeque<(String, Vec<String>)>,
    /// Where messages that come next may be about.
    located: Vec<(String, Located)>,
    queued_reviews: VecDeque<crate::protocol::ReviewTarget>,
    /// The changes that stand, with the turns that made them, oldest first.
    changes: Vec<(u32, FileChange)>,
    passages: Vec<Passages>,
    /// Calls that were running when their turn was interrupted, with that turn: a change that lands late is its.
    late: Vec<(CallId, u32)>,
    /// How full the conversation is, and what was asked for in it.
    fill: compaction::Fill,
    asked_for: Vec<String>,
    /// Folders whose instructions were told, and skills that were.
    told_folders: Vec<String>,
    told_skills: Vec<String>,
    /// Turns in a row whose calls and edits were all right.
    clean_turns: u32,
    /// What the next message to the model begins with: things that happened between turns.
    aside: Vec<String>,
    /// What in the conversation the user did not write, and files that the user named.
    taints: Vec<String>,
    named: Vec<String>,
    /// Earlier sessions kept decisions, and how often a rule was said in this one.
    has_decisions: bool,
    rules_said: std::collections::BTreeMap<String, u32>,
    plan: Option<Plan>,
    /// The step of the plan that is being done.
    stepping: Option<planning::Stepping>,
}

impl Agent {
    /// Creates an agent for a new session.
    pub fn new(settings: Settings) -> Self {
        Self::restore(settings, Memory::default())
    }

    /// Creates an agent that goes on with an earlier session's conversation.
    pub fn restore(settings: Settings, memory: Memory) -> Self {
        Self {
            policy: Policy::new(settings.mode, settings.rules.clone()),
            settings,
            messages: memory.messages,
            tools: Vec::new(),
            arriving: Vec::new(),
            deferred: Vec::new(),
            host_tools: Vec::new(),
            checker: None,
            check_leave: turn::Leave::default(),
            unchecked_by: None,
            prober: None,
            model: None,
            calls: CallTable::after(memory.calls),
            turn: None,
            turns: memory.turns,
            generations: 0,
            reads: 0,
            queued: VecDeque::new(),
            located: Vec::new(),
            queued_reviews: VecDeque::new(),
            changes: memory.changes,
            passages: Vec::new(),
            late: Vec::new(),
            fill: compaction::Fill::default(),
            asked_for: Vec::new(),
            told_folders: Vec::new(),
            told_skills: Vec::new(),
            clean_turns: 0,
            aside: Vec::new(),
            taints: memory.taints,
            named: Vec::new(),
            has_decisions: false,
            rules_said: std::collections::BTreeMap::new(),
            plan: memory.plan,
            stepping: None,
        }
    }

    /// Takes one input in and returns what is to be done.
    pub fn handle(&mut self, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        match input {
            Input::Op(op) => self.operate(op, &mut out),
            Input::Submitted { text, files } => self.submit(text, files, &mut out),
            Input::Located { text, located } => self.note_located(text, located),
            Input::HasDecisions => self.note_decisions(),
            Input::ModelReady(info) => {
                self.model = Some(info);
                self.start_queued(&mut out);
                self.prepare("", &mut out);
            }
            Input::Tools(tools) => {
                self.take_tools(tools);
                self.start_queued(&mut out);
                self.prepare("", &mut out);
            }
            Input::Attached { content, text } => {
                self.aside.push(text);
                self.taint(&content, None, &mut out);
            }
            Input::Model { generation, event } => self.hear(generation, event, &mut out),
            Input::Previewed { call, preview } => self.previewed(call, preview, &mut out),
            Input::Resolved {
                call,
                targets,
                change,
            } => self.resolved(call, targets, change, &mut out),
            Input::Foreign { contents, then } => {
                self.taint_by_one(&contents, &mut out);
                out.extend(self.handle(*then));
            }
            Input::CallProgressed { call, text } => {
                if self.calls.get_mut(call).is_some() {
                    out.push(Effect::Emit(Event::CallProgressed { call, text }));
                }
            }
            Input::CallDone {
                call,
                outcome,
                change,
                passage,
            } => {
                self.call_done(call, outcome, change, passage, &mut out);
            }
            Input::Checked {
                call,
                outcome,
                result,
            } => self.checked(call, outcome, result, &mut out),
            Input::CodeTold { question, answer } => self.code_told(question, answer, &mut out),
            Input::Guided(guidance) => self.guided(guidance, &mut out),
            Input::Brought(text) => self.attach(&text),
            Input::ChangeRead(change) => self.read_change(change, &mut out),
            Input::TimeIsUp => self.time_is_up(&mut out),
            Input::Undone { turn, undone } => self.undone(turn, undone, &mut out),
            Input::Recalled(files) => {
                for (path, text) in files {
                    // What a call has told by now is newer.
                    let told = self.passages.iter().any(|known| known.path == path);
                    // Whether the model saw a secret is not known any more: then it quotes nothing of it.
                    if !told && find_secret(&text).is_none() {
                        self.learn(path, text);
                    }
                }
            }
        }
        out
    }

    fn operate(&mut self, op: Op, out: &mut Vec<Effect>) {
        match op {
            Op::Submit { text } => self.submit(text, Vec::new(), out),
            Op::Drafted { text } => self.prepare(&text, out),
            Op::Decide { call, decision } => self.decide(call, decision, out),
            // The servers' questions are between them and the user.
            Op::Answer { .. }
            | Op::ReportServers
            | Op::Server { .. }
            | Op::CancelJob { .. }
            | Op::Complete { .. } => {}
            Op::Unqueue { text } => self.unqueue(&text, out),
            Op::Interrupt => {
                if self.turn.is_some() {
                    self.end_turn(EndReason::Interrupted, out);
                }
            }
            Op::SetMode { mode } => {
                self.policy.set_mode(mode);
                out.push(Effect::Emit(Event::ModeChanged { mode }));
            }
            Op::AddRule { scope, rule } => match rule.check() {
                Ok(()) => self.add_rule(scope, rule, out),
                Err(problem) => {
                    notice(
                        Level::Warning,
                        &format!("The rule was not added: {problem}."),
                        out,
                    );
                }
            },
            Op::ListRules => self.list_rules(out),
            Op::RemoveRule { number } => self.remove_rule(number, out),
            Op::Undo => self.undo(out),
            Op::SetPlan { steps } => self.set_plan(steps, out),
            Op::StartPlan { mode } => self.start_plan(mode, out),
            Op::Review { target } => self.review(target, out),
            // The driver reads what is to be trusted, and answers with what it tells.
            Op::Trust => {}
            // The driver has what was sent.
            Op::TellPrompt => {}
            Op::Shutdown => {
                self.queued.clear();
                self.queued_reviews.clear();
                if self.turn.is_some() {
                    self.end_turn(EndReason::Interrupted, out);
                }
                out.push(Effect::Emit(Event::SessionEnded));
                out.push(Effect::Stop);
            }
        }
    }

    fn submit(&mut self, text: String, files: Vec<String>, out: &mut Vec<Effect>) {
        if self.turn.is_some() || !self.is_ready() {
            out.push(Effect::Emit(Event::Queued { text: text.clone() }));
            self.queued.push_back((text, files));
            return;
        }
        self.start_turn(text, files, out);
    }

    fn unqueue(&mut self, text: &str, out: &mut Vec<Effect>) {
        if let Some(at) = self.queued.iter().position(|(queued, _)| queued == text) {
            self.queued.remove(at);
            self.step_taken_back(text, out);
            let text = text.to_owned();
            out.push(Effect::Emit(Event::Unqueued { text }));
        }
    }

    /// A turn can start: the model is loaded and its tools are known.
    fn is_ready(&self) -> bool {
        self.model.is_some() && !self.tools.is_empty()
    }

    fn start_queued(&mut self, out: &mut Vec<Effect>) {
        if self.turn.is_none()
            && self.is_ready()
            && let Some((text, files)) = self.queued.pop_front()
        {
            self.start_turn(text, files, out);
        } else if self.turn.is_none()
            && self.is_ready()
            && let Some(target) = self.queued_reviews.pop_front()
        {
            self.review(target, out);
        }
    }

    /// Keeps the order of known tools, so that the prompt's prefix stays what it was.
    fn merge_tools(&mut self, tools: Vec<ToolSpec>) {
        for tool in tools {
            if tool.server == CHECKING_SERVER && tool.tool != guidance::SCRIPT {
                match tool.tool.as_str() {
                    "check" => self.checker = Some(tool),
                    "probe" => self.prober = Some(tool),
                    _ => {}
                }
                continue;
            }
            let of_host = HOST_TOOLS.contains(&tool.tool.as_str()) && !tool.risk.is_foreign();
            let known = match of_host {
                true => &mut self.host_tools,
                false => &mut self.tools,
            };
            match known.iter_mut().find(|known| known.name == tool.name) {
                Some(known) => *known = tool,
                None => known.push(tool),
            }
        }
        self.offer_skills();
    }

    fn remember(&mut self, message: Message, out: &mut Vec<Effect>) {
        self.messages.push(message.clone());
        out.push(Effect::Remember(message));
    }

    fn form(&self) -> CallForm {
        self.model
            .as_ref()
            .map_or(CallForm::JsonFence, |model| model.form)
    }

    /// Tells whether the host helps so: it does, unless a measurement leaves it out.
    fn helps(&self, mechanism: Mechanism) -> bool {
        !self.settings.without.contains(&mechanism)
    }

    fn tool_list(&self) -> ToolList {
        self.model
            .as_ref()
            .map_or(ToolList::Text, |model| model.tools)
    }

    fn decide(&mut self, id: CallId, decision: Decision, out: &mut Vec<Effect>) {
        let asks_for_check = self.asks_for_check(id);
        let Some(open) = self.calls.get_mut(id) else {
            return;
        };
        let waiting = match &mut open.stage {
            Stage::Asking(change) => Ok(change.take()),
            Stage::Holding(result) => Err((**result).clone()),
            _ => return,
        };
        out.push(Effect::Emit(Event::Decided {
            call: id,
            decision: decision.clone(),
        }));
        if let Decision::Allow { scope } = decision {
            open.cleared = open.risk == Risk::SensitiveRead;
            self.keep_rule(id, scope, out);
        }
        let change = match waiting {
            Ok(change) => change,
            Err(result) => return self.release(id, result, &decision, out),
        };
        match decision {
            decision if asks_for_check => self.decide_check(id, decision, out),
            Decision::Allow { .. } => {
                self.run_call(id, change, out);
            }
            Decision::AllowPart { part } => self.narrow(id, change, part, out),
            Decision::Deny { reason } => {
                let reason = match reason {
                    Some(reason) => format!("The user refused this call and says: {reason}"),
                    None => {
                        "The user refused this call. Do not make it again; ask what to do instead."
                            .to_owned()
                    }
                };
                self.settle(id, Outcome::Denied { reason }, out);
            }
        }
    }

    fn undo(&mut self, out: &mut Vec<Effect>) {
        if self.turn.is_some() {
            notice(
                Level::Warning,
                "A turn is running: interrupt it first, then undo.",
                out,
            );
            return;
        }
        let Some(turn) = self.changes.last().map(|(turn, _)| *turn) else {
            notice(
                Level::Info,
                "There is nothing to undo: no change of this session stands.",
                out,
            );
            return;
        };
        let changes = self
            .changes
            .iter()
            .filter(|(of, _)| *of == turn)
            .map(|(_, change)| change.clone())
            .collect();
        out.push(Effect::Undo { turn, changes });
    }

    fn undone(&mut self, turn: u32, undone: Vec<Undone>, out: &mut Vec<Effect>) {
        let restored: Vec<&str> = undone
            .iter()
            .filter(|file| file.refused.is_none())
            .map(|file| file.path.as_str())
            .collect();
        if !restored.is_empty() {
            self.aside.push(format!(
                "[The user undid your changes of: {}]",
                restored.join(", ")
            ));
        }
        for path in &restored {
            self.passages.retain(|passage| passage.path != *path);
        }
        self.changes.retain(|(of, change)| {
            *of != turn
                || undone
                    .iter()
                    .any(|file| file.path == change.path && file.refused.is_some())
        });
        out.push(Effect::Emit(Event::ChangesUndone { turn, undone }));
    }

    /// Makes a request of everything said so far.
    fn request(&self, choice: crate::protocol::ToolChoice) -> Box<crate::protocol::ModelRequest> {
        let is_large = self
            .model
            .as_ref()
            .is_some_and(|model| model.parameters >= LARGE_MODEL);
        let sampling = Sampling {
            max_calls: if is_large { CALLS_AT_ONCE } else { 1 },
            ..self.settings.sampling.clone()
        };
        Box::new(crate::protocol::ModelRequest {
            id: GenerationId(self.generations),
            messages: self.messages.clone(),
            tools: self.tools.clone(),
            choice,
            sampling,
            passages: self.passages.clone(),
            // What is known of the workspace is added where the workspace is seen.
            known: Vec::new(),
            lane: Lane::Main,
            unlisted: Self::unlisted(&self.tools),
            doubts: None,
        })
    }

    /// Takes in the text of a file that the model may quote.
    fn learn(&mut self, path: String, text: String) {
        self.passages.retain(|known| known.path != path);
        if text.len() <= PASSAGE_LIMIT {
            let text = text.into();
            self.passages.push(Passages { path, text });
        }
    }

    fn mint(
        &mut self,
        name: &str,
        arguments: serde_json::Map<String, serde_json::Value>,
    ) -> (ToolCall, Option<ToolSpec>) {
        let mut known = self.tools.iter().chain(&self.host_tools);
        let spec = known.find(|tool| tool.name == name).cloned();
        let call = ToolCall {
            id: self.calls.mint(),
            server: spec
                .as_ref()
                .map_or_else(|| "?".to_owned(), |spec| spec.server.clone()),
            tool: spec
                .as_ref()
                .map_or_else(|| name.to_owned(), |spec| spec.tool.clone()),
            arguments,
        };
        (call, spec)
    }
}

fn notice(level: Level, text: &str, out: &mut Vec<Effect>) {
    out.push(Effect::Emit(Event::Notice {
        level,
        text: text.to_owned(),
    }));
}
