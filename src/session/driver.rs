//! The driver: one task that hears everybody and performs what the agent wants done.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::clock::SearchClock;
use super::effects::{Done, Tasks};
use super::journal::{Entry, Journal, VERSION};
use super::known::Catalog;
use super::locating::Locator;
use super::rules::{RuleFiles, RulesError};
use super::serving::{Fetched, Sampled};
use super::sweep::Sweep;
use super::targets::Targets;
use super::{Recovered, SessionId, files};
use crate::agent::{Agent, DECISIONS, Effect, Input, Settings};
use crate::mcp::{Host, Purpose};
use crate::model::{Generation, Model};
use crate::protocol::{
    CallId, Event, FileChange, GenerationId, Guidance, KnownKind, Level, ModelEvent, ModelFailure,
    Op, ReviewNews, ReviewTarget, SearchNews, Sent, ToolCall, ToolSpec, redact,
};
use crate::workspace::{Checkpoints, Index, Roots};

/// How many ops may wait. Events are unbounded: two bounded queues that face each other can deadlock.
const PENDING_OPS: usize = 64;

/// Trusts what the repository tells the model, and returns it; or says why it cannot.
pub type Truster = Arc<dyn Fn() -> Result<Guidance, String> + Send + Sync>;

/// Reads a change of the repository as a difference, or says why it cannot.
pub type ChangeReader = Arc<dyn Fn(&ReviewTarget) -> Result<String, String> + Send + Sync>;

/// Everything a session is made of. The composition root builds it.
pub struct Setup {
    pub id: SessionId,
    pub settings: Settings,
    pub roots: Roots,
    pub host: Host,
    pub tools: Vec<ToolSpec>,
    pub model: Model,
    /// The name shown while the model loads.
    pub model_name: String,
    pub model_state: mpsc::UnboundedReceiver<ModelEvent>,
    pub journal: Journal,
    /// Where pre-images are kept.
    pub checkpoints: Checkpoints,
    /// Trusts what the repository tells the model, and returns it.
    pub trust: Option<Truster>,
    /// What the user is to be told when the session begins.
    pub notices: Vec<String>,
    /// Reads a change of the repository, where the root is one.
    pub changes: Option<ChangeReader>,
    /// What an earlier run of this session left.
    pub recovered: Option<Recovered>,
    /// Where the user's rules are kept.
    pub rules: RuleFiles,
}

/// A running session, held by its front end.
pub struct Handle {
    /// Dropping it ends the session.
    pub ops: mpsc::Sender<Op>,
    /// Ends after [`Event::SessionEnded`].
    pub events: mpsc::UnboundedReceiver<Event>,
    /// Ends when the journal is on the disk and the servers are closed.
    pub task: JoinHandle<()>,
}

/// Starts a session.
pub fn start(setup: Setup) -> Handle {
    let (ops, ops_rx) = mpsc::channel(PENDING_OPS);
    let (events_tx, events) = mpsc::unbounded_channel();
    let task = tokio::spawn(async move { Driver::new(setup, events_tx).run(ops_rx).await });
    Handle { ops, events, task }
}

pub(super) struct Driver {
    agent: Agent,
    journal: Journal,
    /// The journal failed; it was said once.
    journal_failed: bool,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) model: Model,
    model_name: String,
    model_state: mpsc::UnboundedReceiver<ModelEvent>,
    pub(super) generation: Option<(GenerationId, Generation)>,
    /// The last request of the conversation, for who wants to see it.
    pub(super) sent: Option<Box<Sent>>,
    changes: Option<ChangeReader>,
    trust: Option<Truster>,
    pub(super) host: Host,
    tools: Vec<ToolSpec>,
    pub(super) roots: Roots,
    tasks: Tasks,
    catalog: Catalog,
    locator: Locator,
    targets: Targets,
    rules: RuleFiles,
    /// Calls that may make files which nobody tells of.
    unsure: HashSet<CallId>,
    pub(super) running: JoinSet<Done>,
    /// What the model writes for servers.
    pub(super) samples: JoinSet<Option<Sampled>>,
    pub(super) sampled: u64,
    /// Messages whose attachments are being fetched.
    pub(super) fetching: JoinSet<Result<Fetched, String>>,
    /// Kept for as long as the session runs.
    _sweep: Sweep,
    opening: Vec<Event>,
    /// Messages that the agent brings by itself: the steps of a plan.
    steps: (mpsc::UnboundedSender<Op>, mpsc::UnboundedReceiver<Op>),
    /// When the running turn began and its search, and how long it may try edits.
    turn_began: Instant,
    search_began: Instant,
    clock: SearchClock,
    stopped: bool,
}

impl Driver {
    fn new(setup: Setup, events: mpsc::UnboundedSender<Event>) -> Self {
        let mut recovered = setup.recovered.unwrap_or_default();
        let seen = std::mem::take(&mut recovered.memory.seen);
        let resumed = recovered.memory.turns > 0;
        let root = setup
            .roots
            .primary()
            .map_or_else(PathBuf::new, PathBuf::from)
            .display()
            .to_string();
        let started = Event::SessionStarted {
            id: setup.id.0.clone(),
            root: root.clone(),
            mode: setup.settings.mode,
            resumed,
        };
        let search_time = Duration::from_secs(setup.settings.search_seconds.into());
        let confined = setup.settings.confined.clone();
        let sweep = Sweep::start(
            setup.roots.clone(),
            setup.checkpoints.clone(),
            recovered.begun,
            events.clone(),
        );
        let mut opening = vec![started];
        opening.extend(setup.notices.into_iter().map(|text| Event::Notice {
            level: Level::Info,
            text,
        }));
        opening.extend(confined.into_iter().map(|(server, to)| {
            let how = serde_json::json!({"from": "walden", "confined": to});
            Event::ServerLaunched { server, how }
        }));
        if resumed || !setup.settings.rules.is_empty() {
            let rules = setup.settings.rules.clone();
            opening.push(Event::RulesChanged { rules });
        }
        let mut driver = Self {
            agent: Agent::restore(setup.settings, recovered.memory),
            journal: setup.journal,
            journal_failed: false,
            events,
            model: setup.model,
            model_name: setup.model_name,
            model_state: setup.model_state,
            generation: None,
            sent: None,
            changes: setup.changes,
            trust: setup.trust,
            tasks: Tasks::new(
                setup.host.caller(),
                setup.host.knowledge().clone(),
                setup.roots.clone(),
                setup.checkpoints,
            ),
            catalog: Catalog::new(setup.roots.clone(), setup.host.knowledge().clone()),
            targets: Targets::default(),
            rules: setup.rules,
            locator: Locator::new(setup.roots.clone()),
            unsure: HashSet::new(),
            host: setup.host,
            tools: setup.tools,
            roots: setup.roots,
            running: JoinSet::new(),
            samples: JoinSet::new(),
            sampled: 0,
            fetching: JoinSet::new(),
            _sweep: sweep,
            opening,
            steps: mpsc::unbounded_channel(),
            turn_began: Instant::now(),
            search_began: Instant::now(),
            clock: SearchClock::new(search_time),
            stopped: false,
        };
        if !resumed {
            driver.note(&Entry::Opened {
                version: VERSION,
                root,
                began: files::seconds_now(),
            });
        }
        for entry in &recovered.settling {
            driver.note(entry);
        }
        if !seen.is_empty() {
            driver.tasks.recall(&mut driver.running, seen);
        }
        driver
    }

    async fn run(mut self, mut ops: mpsc::Receiver<Op>) {
        for event in std::mem::take(&mut self.opening) {
            self.emit(event);
        }
        for (server, state) in self.host.servers(&self.tools) {
            self.emit(Event::ServerChanged { server, state });
        }
        // What a resumed session knew of files is there before anything is asked of it.
        if let Some(Ok(Done(input))) = self.running.join_next().await {
            self.feed(input);
        }
        let tools = std::mem::take(&mut self.tools);
        self.feed(Input::Tools(tools));
        let mut model_is_there = true;
        while !self.stopped {
            let generating = async {
                match &mut self.generation {
                    Some((id, generation)) => (*id, generation.events.recv().await),
                    None => std::future::pending().await,
                }
            };
            let deadline = self.clock.deadline();
            let time_is_up = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = time_is_up => {
                    self.clock.stop();
                    self.feed(Input::TimeIsUp);
                }
                op = ops.recv() => {
                    let op = op.unwrap_or(Op::Shutdown);
                    let Some(op) = self.serve(op) else { continue };
                    self.take_op(op).await;
                }
                Some(op) = self.steps.1.recv() => self.take_op(op).await,
                state = self.model_state.recv(), if model_is_there => match state {
                    Some(event) => self.model_changed(event),
                    None => model_is_there = false,
                },
                (id, event) = generating => self.model_spoke(id, event),
                Some(event) = self.host.event() => self.host_told(event),
                Some(sampled) = self.samples.join_next(), if !self.samples.is_empty() => {
                    if let Ok(Some(sampled)) = sampled {
                        self.sampled(sampled);
                    }
                }
                Some(done) = self.running.join_next(), if !self.running.is_empty() => {
                    // What a call brought about comes before its end.
                    while let Some(event) = self.host.brought() {
                        self.host_told(event);
                    }
                    // A task that was aborted on purpose has nothing to report; the agent settled its call.
                    if let Ok(Done(input)) = done {
                        self.feed(input);
                    }
                }
                Some(Ok(fetched)) = self.fetching.join_next(), if !self.fetching.is_empty() => match fetched {
                    Ok(Fetched { text, files, attached }) => {
                        for (content, text) in attached {
                            self.feed(Input::Attached { content, text });
                        }
                        self.attach(&text).await;
                        self.catalog.begin_turn(&files).await;
                        self.feed(Input::Submitted { text, files });
                    }
                    Err(problem) => self.complain(problem),
                },
            }
        }
        // Changes that were under way are finished, so that the journal tells what is on the disk.
        while let Some(done) = self.running.join_next().await {
            if let Ok(Done(input)) = done {
                self.feed(input);
            }
        }
        self.sync();
        self.host.close().await;
        self.model.close().await;
    }

    async fn take_op(&mut self, op: Op) {
        let input = match op {
            Op::Trust => self.take_guidance(),
            op => self.input_of(op),
        };
        if let Input::Submitted { text, files } = &input {
            self.attach(text).await;
            self.catalog.begin_turn(files).await;
            if self.catalog.knows(KnownKind::Entity, DECISIONS) {
                self.feed(Input::HasDecisions);
            }
            if files.is_empty()
                && let Some(located) = self.locator.locate(text).await
            {
                let text = text.clone();
                self.feed(Input::Located { text, located });
            }
        }
        self.feed(input);
    }

    /// Turns an op into the agent's input: a message is accompanied by the files that it names.
    pub(super) fn input_of(&self, op: Op) -> Input {
        match op {
            Op::Submit { text } => {
                let files = crate::agent::mentioned_paths(&text);
                let mut found: Vec<String> = Vec::new();
                for path in files.iter().filter_map(|path| locate(&self.roots, path)) {
                    if !found.contains(&path) {
                        found.push(path);
                    }
                }
                let files = found;
                Input::Submitted { text, files }
            }
            op => Input::Op(op),
        }
    }

    /// Brings the change that is not committed along with a message that mentions it.
    async fn attach(&mut self, text: &str) {
        let mentions = text
            .split_whitespace()
            .any(|word| word.trim_end_matches(['.', ',', ':', ';', '?', '!']) == "@diff");
        let Some(read) = self.changes.clone().filter(|_| mentions) else {
            return;
        };
        let diff = tokio::task::spawn_blocking(move || read(&ReviewTarget::Uncommitted)).await;
        let text = match diff {
            Ok(Ok(diff)) if diff.trim().is_empty() => "[Nothing is uncommitted.]".to_owned(),
            Ok(Ok(diff)) => format!("The change that is not committed:\n```diff\n{diff}\n```"),
            Ok(Err(problem)) => format!("[The change cannot be read: {problem}]"),
            Err(_) => return,
        };
        self.feed(Input::Brought(text));
    }

    /// Trusts what the repository tells, and tells the agent.
    fn take_guidance(&mut self) -> Input {
        match self.trust.as_ref().map(|trust| trust()) {
            Some(Ok(guidance)) => {
                self.trust = None;
                let files = guidance
                    .instructions
                    .iter()
                    .map(|one| one.path.clone())
                    .chain(guidance.skills.iter().map(|one| one.path.clone()))
                    .collect();
                self.emit(Event::Trusted { files });
                Input::Guided(guidance)
            }
            Some(Err(text)) => {
                let level = Level::Error;
                self.emit(Event::Notice { level, text });
                Input::Op(Op::Trust)
            }
            None => {
                let text =
                    "There is nothing here to be trusted that is not trusted already.".to_owned();
                let level = Level::Info;
                self.emit(Event::Notice { level, text });
                Input::Op(Op::Trust)
            }
        }
    }

    fn model_changed(&mut self, event: ModelEvent) {
        match event {
            ModelEvent::Loading { share } => {
                let name = self.model_name.clone();
                // Not journaled: it says nothing about the session.
                let _ = self.events.send(Event::ModelLoading { name, share });
            }
            ModelEvent::Notice { text } => {
                let level = Level::Warning;
                self.emit(Event::Notice { level, text });
            }
            ModelEvent::Loaded { info } => {
                self.emit(Event::ModelLoaded { info: info.clone() });
                self.feed(Input::ModelReady(info));
            }
            ModelEvent::Failed { failure } => self.emit(Event::ModelFailed { failure }),
            _ => {}
        }
    }

    fn model_spoke(&mut self, id: GenerationId, event: Option<ModelEvent>) {
        let event = event.unwrap_or_else(|| {
            let message = "its thread ended; restart walden and resume the session".to_owned();
            ModelEvent::Failed {
                failure: ModelFailure::Engine { message },
            }
        });
        if let ModelEvent::Call { name, arguments } = &event {
            tracing::debug!(name, arguments = %redact(&serde_json::Value::Object(arguments.clone()).to_string()), "the model calls");
        }
        if matches!(event, ModelEvent::Done { .. } | ModelEvent::Failed { .. }) {
            self.generation = None;
        }
        self.feed(Input::Model {
            generation: id,
            event,
        });
    }

    pub(super) fn feed(&mut self, input: Input) {
        for effect in self.agent.handle(input) {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Emit(Event::ApprovalRequested { call, .. })
                if let Some(targets) = self.targets.look(&self.roots, call) =>
            {
                // Asked again in a moment, with what is true.
                let change = None;
                self.feed(Input::Resolved {
                    call,
                    targets,
                    change,
                });
            }
            Effect::Emit(event) => self.emit(event),
            Effect::Remember(message) => self.note(&Entry::Message(message)),
            Effect::Forget => self.note(&Entry::Forget),
            Effect::Generate(mut request) => {
                // llama.cpp may abort the process: what is known is on the disk before it is asked.
                self.note(&Entry::Generate);
                self.sync();
                self.sent = Some(Box::new(Sent {
                    messages: request.messages.clone(),
                    tools: request.tools.iter().map(|tool| tool.name.clone()).collect(),
                }));
                self.catalog.fill(&mut request);
                let id = request.id;
                self.generation = Some((id, self.model.generate(*request)));
            }
            // Nobody waits for it.
            Effect::Prepare(request) => drop(self.model.prepare(*request)),
            Effect::CancelModel => {
                if let Some((_, generation)) = self.generation.take() {
                    generation.cancel.cancel();
                }
            }
            Effect::RunCall { call, change }
                if let Some(targets) = self.targets.look(&self.roots, call.id) =>
            {
                let call = call.id;
                self.feed(Input::Resolved {
                    call,
                    targets,
                    change,
                });
            }
            Effect::KeepRule(kept) => self.kept(self.rules.add(&kept)),
            Effect::ForgetRule(kept) => self.kept(self.rules.remove(&kept)),
            Effect::Preview(call) => {
                self.tasks
                    .preview(&mut self.running, call, Purpose::Preview);
            }
            Effect::PreviewPart { call, .. } | Effect::RunPart { call, .. }
                if let Some(targets) = self.targets.look(&self.roots, call.id) =>
            {
                // What was allowed was of another file: the call is judged again, and asked about anew.
                let call = call.id;
                self.feed(Input::Resolved {
                    call,
                    targets,
                    change: None,
                });
            }
            Effect::PreviewPart { call, shown, part } => {
                let purpose = Purpose::PreviewPart { shown, part };
                self.tasks.preview(&mut self.running, call, purpose);
            }
            Effect::RunCall { call, change: None } => self.run_call(call, Purpose::Run, None),
            Effect::RunCall {
                call,
                change: Some(change),
            } => {
                let intent = (*change).clone();
                self.run_call(call, Purpose::RunAsShown(change), Some(intent));
            }
            Effect::RunPart {
                call,
                shown,
                part,
                change,
            } => {
                let intent = (*change).clone();
                let purpose = Purpose::RunPart {
                    shown,
                    part,
                    change,
                };
                self.run_call(call, purpose, Some(intent));
            }
            Effect::Check { call, trial } => {
                // Nothing of the user's is changed, but a program runs: that is on the disk first.
                self.note(&Entry::Intent {
                    call: call.clone(),
                    change: None,
                });
                self.sync();
                self.tasks.check(&mut self.running, call, trial);
            }
            Effect::ReadCode { question, about } => {
                self.running.spawn_blocking(move || {
                    let answer = super::coding::answer(&about);
                    Done(Input::CodeTold { question, answer })
                });
            }
            Effect::ReadChange(target) => {
                let reader = self.changes.clone();
                self.running.spawn_blocking(move || {
                    let change = match reader {
                        Some(read) => read(&target),
                        None => Err("the folder is no git repository".to_owned()),
                    };
                    Done(Input::ChangeRead(change))
                });
            }
            Effect::Submit(text) => {
                // Its other end is the driver's own.
                let _ = self.steps.0.send(Op::Submit { text });
            }
            Effect::CancelCalls(calls) => self.tasks.cancel(&calls),
            Effect::Undo { .. } if self.journal_failed => {
                let text = "Nothing was undone: the session's journal cannot be written. Make room, start walden \
                            again and resume the session.";
                let _ = self.events.send(Event::Notice {
                    level: Level::Error,
                    text: text.to_owned(),
                });
            }
            Effect::Undo { turn, changes } => self.tasks.undo(&mut self.running, turn, changes),
            Effect::Stop => self.stopped = true,
        }
    }

    /// Says what went wrong with a rule's file. The rule holds for the session all the same.
    fn kept(&mut self, result: Result<(), RulesError>) {
        if let Err(error) = result {
            let text = format!("{error}. It holds for this session.");
            let level = Level::Warning;
            self.emit(Event::Notice { level, text });
        }
    }

    /// Runs a call, once it is on the disk that it is about to run and what it would change.
    fn run_call(&mut self, call: ToolCall, purpose: Purpose, change: Option<FileChange>) {
        let changes = change.is_some();
        self.note(&Entry::Intent {
            call: call.clone(),
            change,
        });
        self.sync();
        if self.journal_failed && changes {
            self.tasks.refuse(
                &mut self.running,
                call.id,
                "nothing is changed while the session's journal cannot be written",
            );
        } else {
            self.tasks.run(&mut self.running, call, purpose);
        }
    }

    pub(super) fn emit(&mut self, mut event: Event) {
        self.clock.hear(&event, Instant::now());
        match &mut event {
            Event::TurnStarted { .. } => self.turn_began = Instant::now(),
            Event::TurnMeasured { wall_ms, .. } => {
                *wall_ms = u64::try_from(self.turn_began.elapsed().as_millis()).unwrap_or(u64::MAX);
            }
            Event::Searched { news } => match news {
                SearchNews::Began { .. } => self.search_began = Instant::now(),
                SearchNews::Ended { wall_ms, .. } => {
                    let took = self.search_began.elapsed().as_millis();
                    *wall_ms = u64::try_from(took).unwrap_or(u64::MAX);
                }
                SearchNews::Trying { .. } | SearchNews::Tried { .. } => {}
            },
            _ => {}
        }
        match &event {
            Event::CallProposed { call, .. } => self.targets.propose(call),
            Event::CallFinished { call, .. } => self.targets.forget(*call),
            _ => {}
        }
        match &event {
            Event::CallProposed { call, risk } if risk.changes_unseen() => {
                self.unsure.insert(call.id);
            }
            Event::ChangeApplied { call, change } => {
                // This one is told of.
                self.unsure.remove(call);
                self.catalog.changed(change);
            }
            Event::CallFinished { call, .. } if self.unsure.remove(call) => self.catalog.unsure(),
            Event::ChangesUndone { .. } => self.catalog.unsure(),
            _ => {}
        }
        if !is_passing(&event) {
            self.note(&Entry::Event(event.clone()));
        }
        // A front end that is gone does not stop the session: its ops queue's end does.
        let _ = self.events.send(event);
    }

    fn note(&mut self, entry: &Entry) {
        if let Err(error) = self.journal.append(entry) {
            self.journal_broke(&error.to_string());
        }
    }

    fn sync(&mut self) {
        if let Err(error) = self.journal.sync() {
            self.journal_broke(&error.to_string());
        }
    }

    fn journal_broke(&mut self, problem: &str) {
        if !std::mem::replace(&mut self.journal_failed, true) {
            let text = format!(
                "{problem}. Nothing more is changed in this session: make room and start walden again."
            );
            let _ = self.events.send(Event::Notice {
                level: Level::Error,
                text,
            });
        }
    }
}

/// Finds the file that a word of a message names: a path, or a file name that is the only one of its kind.
fn locate(roots: &Roots, word: &str) -> Option<String> {
    if roots.read(word).is_ok() {
        return roots.name(word).ok();
    }
    let index = Index::of(roots);
    let suffix = format!("/{word}");
    let mut matching = index
        .files()
        .iter()
        .filter(|file| *file == word || file.ends_with(&suffix));
    let only = matching.next()?;
    matching.next().is_none().then(|| only.clone())
}

/// Tells whether an event is only of the moment and not worth a record.
fn is_passing(event: &Event) -> bool {
    matches!(
        event,
        Event::PromptProgressed { .. }
            | Event::CallDrafted { .. }
            | Event::CallProgressed { .. }
            | Event::ModelLoading { .. }
            | Event::PromptTold { .. }
            | Event::Reviewed {
                news: ReviewNews::Looking { .. }
            }
    )
}
