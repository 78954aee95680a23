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
mod operating;
mod planning;
mod policy;
mod prepare;
mod prompt;
mod repeats;
mod review;
mod settings;
mod turn;
mod undoing;

#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod check_tests;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod played;
#[cfg(test)]
mod search_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod versions_tests;
#[cfg(test)]
mod without_tests;

use std::collections::VecDeque;

pub use deciding::DECISIONS;
pub use input::{Aim, Aims, CodeAnswer, CodeQuestion, Effect, Focus, Input, Located, Preview};
pub use policy::{Facts, Policy, Verdict};
pub use prompt::{system_text, told_as};
pub use settings::{Memory, Settings};

use crate::protocol::{
    CallForm, CallId, Event, FileChange, GenerationId, Lane, Level, Mechanism, Message, ModelInfo,
    Outcome, Passages, Plan, Sampling, ToolCall, ToolList, ToolSpec, find_secret,
};
use calls::CallTable;
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
    samples_leave: turn::Leave,
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
            samples_leave: turn::Leave::default(),
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
