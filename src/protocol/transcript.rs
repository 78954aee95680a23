//! The one reducer of events: what a session looks like, for every front end, for replay and for tests.

use serde::{Deserialize, Serialize};

use super::CallId;
use super::trace::MOST_STEPS;
use super::{
    Ask, Decision, Event, FileChange, Finding, Job, KeptRule, Level, Mode, ModelFailure, ModelInfo,
    Outcome, Plan, Question, ReviewNews, Risk, Search, SearchEnd, SearchNews, Sent, ServerReport,
    ServerState, ToolCall, Traced, TurnSummary, Undone, Usage,
};

/// The most tasks that are remembered.
const MOST_JOBS: usize = 50;

/// A session as it can be shown. Built from events only.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Transcript {
    pub items: Vec<Item>,
    pub turn: TurnState,
    pub mode: Mode,
    pub root: String,
    pub model: Option<ModelInfo>,
    /// The share of the weights that is loaded while the model loads.
    pub loading: Option<f32>,
    pub model_failure: Option<ModelFailure>,
    pub servers: Vec<(String, ServerState)>,
    /// What is to be known of those that are not part of walden.
    pub reports: Vec<ServerReport>,
    /// Calls that servers took on as tasks, oldest first.
    pub jobs: Vec<Job>,
    /// What servers ask and nobody has answered, oldest first.
    pub questions: Vec<Question>,
    /// Messages that wait for the turn to end.
    pub queued: Vec<String>,
    /// The last generation's cost.
    pub last_usage: Option<Usage>,
    /// All generations' costs together.
    pub total_usage: Usage,
    /// The last requests to the model, oldest first.
    pub steps: Vec<Traced>,
    /// The turn that runs, or ran last.
    pub turns: u32,
    /// The last request as it was given to the model, once it was asked for.
    pub sent: Option<Box<Sent>>,
    /// What the open questions about calls show.
    pub asks: Vec<(CallId, Box<Ask>)>,
    /// What in the conversation the user did not write.
    pub taints: Vec<String>,
    /// The plan, while there is one.
    pub plan: Option<Plan>,
    /// The user's rules.
    pub rules: Vec<KeptRule>,
    /// The place of the search that goes on.
    pub searching: Option<usize>,
    /// Counts the events applied; a view that caches by it knows when to redraw.
    pub version: u64,
}

/// What the session is doing.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum TurnState {
    #[default]
    Idle,
    /// The prompt is being evaluated: done, total and cached tokens.
    Reading { done: u32, total: u32, cached: u32 },
    /// The model is writing text.
    Writing,
    /// The model is writing a call.
    Drafting { name: Option<String>, bytes: u32 },
    /// A call is running or waits for its preview.
    Calling,
    /// A call waits for a decision.
    Asking(CallId),
}

/// A transcript entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "item")]
pub enum Item {
    User {
        turn: u32,
        text: String,
    },
    Assistant {
        text: String,
    },
    Reasoning {
        text: String,
    },
    Call {
        call: ToolCall,
        risk: Risk,
        state: CallState,
        change: Option<Box<FileChange>>,
    },
    Notice {
        level: Level,
        text: String,
    },
    Undone {
        turn: u32,
        undone: Vec<Undone>,
    },
    /// The plan, as it is now.
    Plan {
        plan: Box<Plan>,
    },
    /// Edits that were tried, until one was made or none.
    Search {
        search: Box<Search>,
    },
    /// Something that a review found.
    Finding {
        finding: Box<Finding>,
    },
    End {
        turn: u32,
        summary: TurnSummary,
    },
}

/// How far a call got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum CallState {
    Proposed,
    /// Waits for a decision, for this reason.
    Asking {
        reason: String,
    },
    Running {
        progress: Option<String>,
    },
    Finished {
        outcome: Outcome,
    },
}

impl Transcript {
    /// Takes one event in.
    pub fn apply(&mut self, event: &Event) {
        self.version += 1;
        match event {
            Event::SessionStarted { root, mode, .. } => {
                self.root.clone_from(root);
                self.mode = *mode;
            }
            Event::ModelLoading { share, .. } => self.loading = Some(*share),
            Event::ModelLoaded { info } => {
                self.loading = None;
                self.model_failure = None;
                self.model = Some(info.clone());
            }
            Event::ModelFailed { failure } => {
                self.loading = None;
                self.model_failure = Some(failure.clone());
            }
            Event::ServerChanged { server, state } => {
                match self.servers.iter_mut().find(|(name, _)| name == server) {
                    Some((_, old)) => *old = state.clone(),
                    None => self.servers.push((server.clone(), state.clone())),
                }
            }
            // For the audit log, and for who follows a session's hops.
            Event::ServerLaunched { .. }
            | Event::Trusted { .. }
            | Event::Traced { .. }
            | Event::RequestReceived { .. }
            | Event::RequestEnded { .. }
            | Event::Sampled { .. } => {}
            Event::ServersReported { servers } => {
                // One that was removed is not there any more.
                let is = |name: &str, all: &[ServerReport]| all.iter().any(|one| one.name == name);
                self.servers
                    .retain(|(name, _)| !is(name, &self.reports) || is(name, servers));
                self.reports.clone_from(servers);
            }
            Event::JobChanged { job } => {
                let same = |one: &&mut Job| one.server == job.server && one.id == job.id;
                match self.jobs.iter_mut().find(same) {
                    Some(old) => old.clone_from(job),
                    None => self.jobs.push(job.clone()),
                }
                if self.jobs.len() > MOST_JOBS {
                    self.jobs.remove(0);
                }
            }
            Event::Completed { .. } => {}
            Event::ModeChanged { mode } => self.mode = *mode,
            Event::Queued { text } => self.queued.push(text.clone()),
            Event::Unqueued { text } => {
                if let Some(at) = self.queued.iter().position(|queued| queued == text) {
                    self.queued.remove(at);
                }
            }
            Event::TurnStarted { turn, text } => {
                self.turns = *turn;
                if self.queued.first() == Some(text) {
                    self.queued.remove(0);
                }
                self.turn = TurnState::Reading {
                    done: 0,
                    total: 0,
                    cached: 0,
                };
                self.items.push(Item::User {
                    turn: *turn,
                    text: text.clone(),
                });
            }
            Event::PromptProgressed {
                done,
                total,
                cached,
            } => {
                self.turn = TurnState::Reading {
                    done: *done,
                    total: *total,
                    cached: *cached,
                };
            }
            Event::Text { text } => {
                self.turn = TurnState::Writing;
                match self.items.last_mut() {
                    Some(Item::Assistant { text: written }) => written.push_str(text),
                    _ => self.items.push(Item::Assistant { text: text.clone() }),
                }
            }
            Event::Reasoning { text } => {
                self.turn = TurnState::Writing;
                match self.items.last_mut() {
                    Some(Item::Reasoning { text: written }) => written.push_str(text),
                    _ => self.items.push(Item::Reasoning { text: text.clone() }),
                }
            }
            Event::CallDrafted { name, bytes } => {
                self.turn = TurnState::Drafting {
                    name: name.clone(),
                    bytes: *bytes,
                };
            }
            Event::CallProposed { call, risk } => {
                self.turn = TurnState::Calling;
                let turn = self.turns;
                if let Some(step) = self.steps.last_mut()
                    && step.turn == turn
                    && !step.settled
                {
                    step.calls.push(call.title());
                }
                let is_trial = self.search().is_some_and(|search| search.take(call, *risk));
                if !is_trial {
                    self.items.push(Item::Call {
                        call: call.clone(),
                        risk: *risk,
                        state: CallState::Proposed,
                        change: None,
                    });
                }
                self.ask_first();
            }
            Event::ApprovalRequested {
                call,
                reason,
                change,
                ask,
            } => {
                self.asks.retain(|(asked, _)| asked != call);
                self.asks.extend(ask.clone().map(|ask| (*call, ask)));
                self.turn = TurnState::Asking(*call);
                self.with_call(*call, |state, shown| {
                    *state = CallState::Asking {
                        reason: reason.clone(),
                    };
                    *shown = change.clone().map(Box::new);
                });
                self.ask_first();
            }
            Event::Tainted { content } => self.taints.push(content.clone()),
            Event::RulesChanged { rules } => self.rules.clone_from(rules),
            Event::Decided { call, decision } => {
                self.turn = TurnState::Calling;
                self.with_call(*call, |state, _| match decision {
                    Decision::Allow { .. } | Decision::AllowPart { .. } => {
                        *state = CallState::Running { progress: None }
                    }
                    Decision::Deny { .. } => *state = CallState::Proposed,
                });
                self.ask_first();
            }
            Event::CallStarted { call } => {
                self.turn = TurnState::Calling;
                self.with_call(*call, |state, _| {
                    *state = CallState::Running { progress: None }
                });
                self.ask_first();
            }
            Event::CallProgressed { call, text } => {
                self.with_call(*call, |state, _| {
                    *state = CallState::Running {
                        progress: Some(text.clone()),
                    }
                });
            }
            Event::CallFinished { call, outcome } => {
                self.asks.retain(|(asked, _)| asked != call);
                if let Some(step) = self.steps.last_mut() {
                    step.settled = true;
                }
                self.with_call(*call, |state, _| {
                    *state = CallState::Finished {
                        outcome: outcome.clone(),
                    }
                });
                self.ask_first();
            }
            Event::ChangeApplied { call, change } => {
                self.with_call(*call, |_, shown| match shown {
                    Some(set) => set.take(change.clone()),
                    None => *shown = Some(Box::new(change.clone())),
                })
            }
            Event::Asked { question } => self.questions.push(question.clone()),
            Event::Answered { question, .. } => self.questions.retain(|open| open.id != *question),
            Event::ChangesUndone { turn, undone } => {
                self.items.push(Item::Undone {
                    turn: *turn,
                    undone: undone.clone(),
                });
            }
            Event::Generated { usage } => {
                self.last_usage = Some(*usage);
                self.total_usage.add(usage);
                if self.steps.len() >= MOST_STEPS {
                    self.steps.remove(0);
                }
                self.steps.push(Traced {
                    turn: self.turns,
                    usage: *usage,
                    search: self.searching,
                    ..Traced::default()
                });
            }
            Event::PromptTold { sent } => self.sent.clone_from(sent),
            Event::Notice { level, text } => self.items.push(Item::Notice {
                level: *level,
                text: text.clone(),
            }),
            Event::PlanChanged { plan } => self.planned(plan.as_ref()),
            Event::Reviewed { news } => self.reviewed(news),
            Event::Searched { news } => self.searched(news),
            Event::TurnMeasured { .. } | Event::AnswerGiven { .. } => {}
            Event::TurnEnded { turn, summary } => {
                self.stop_search();
                self.turn = TurnState::Idle;
                self.items.push(Item::End {
                    turn: *turn,
                    summary: summary.clone(),
                });
            }
            Event::SessionEnded => {
                self.stop_search();
                self.turn = TurnState::Idle;
                self.questions.clear();
            }
        }
    }

    /// Returns the call that waits for a decision, with its reason and its change: the first of them.
    pub fn asking(&self) -> Option<(&ToolCall, Risk, &str, Option<&FileChange>)> {
        let TurnState::Asking(id) = self.turn else {
            return None;
        };
        self.waiting().find(|(call, ..)| call.id == id)
    }

    /// Returns all calls, those that were tried among them.
    pub fn calls(&self) -> impl Iterator<Item = (&ToolCall, &CallState)> {
        self.items.iter().flat_map(|item| {
            let (one, trials) = match item {
                Item::Call { call, state, .. } => (Some((call, state)), None),
                Item::Search { search } => (None, Some(search.trials.iter())),
                _ => (None, None),
            };
            let trials = trials.into_iter().flatten();
            one.into_iter()
                .chain(trials.map(|trial| (&trial.call, &trial.state)))
        })
    }

    /// Returns all calls that wait for a decision, the latest first. It looks no further back than the turn's start.
    pub fn waiting(&self) -> impl Iterator<Item = (&ToolCall, Risk, &str, Option<&FileChange>)> {
        let asks = !matches!(self.turn, TurnState::Idle);
        self.items
            .iter()
            .rev()
            .take_while(move |item| asks && !matches!(item, Item::User { .. }))
            .filter_map(|item| match item {
                Item::Call {
                    call,
                    risk,
                    state: CallState::Asking { reason },
                    change,
                } => Some((call, *risk, reason.as_str(), change.as_deref())),
                _ => None,
            })
    }

    /// While a call waits for a decision, that is what the session is doing, whatever else goes on.
    fn ask_first(&mut self) {
        let first = self.waiting().last().map(|(call, ..)| call.id);
        if let Some(first) = first {
            self.turn = TurnState::Asking(first);
        }
    }

    /// Returns what the open question about a call shows.
    pub fn ask_of(&self, call: CallId) -> Option<&Ask> {
        let mut asks = self.asks.iter();
        asks.find(|(asked, _)| *asked == call)
            .map(|(_, ask)| &**ask)
    }

    /// Tells whether a turn is running.
    pub fn is_busy(&self) -> bool {
        self.turn != TurnState::Idle
    }

    /// Shows the plan where it was shown first, for as long as it is for the same request.
    fn planned(&mut self, plan: Option<&Plan>) {
        self.plan = plan.cloned();
        let Some(plan) = plan else { return };
        let shown = self.items.iter_mut().rev().find_map(|item| match item {
            Item::Plan { plan } => Some(plan),
            _ => None,
        });
        match shown {
            Some(shown) if shown.goal == plan.goal => **shown = plan.clone(),
            _ => self.items.push(Item::Plan {
                plan: Box::new(plan.clone()),
            }),
        }
    }

    fn searched(&mut self, news: &SearchNews) {
        if matches!(news, SearchNews::Began { .. }) {
            self.stop_search();
            self.searching = Some(self.items.len());
            // What is tried first was written before it was said that edits are tried.
            let turn = self.turns;
            if let Some(first) = self.steps.last_mut().filter(|step| step.turn == turn) {
                first.search = self.searching;
            }
            let search = Box::new(Search::from(news));
            return self.items.push(Item::Search { search });
        }
        if let Some(search) = self.search() {
            search.hear(news);
        }
        if matches!(news, SearchNews::Ended { .. }) {
            self.searching = None;
        }
    }

    /// Returns the search that goes on.
    fn search(&mut self) -> Option<&mut Search> {
        match self.items.get_mut(self.searching?) {
            Some(Item::Search { search }) => Some(search),
            _ => None,
        }
    }

    /// Ends a search whose turn is over.
    fn stop_search(&mut self) {
        if let Some(search) = self.search() {
            search.end = Some(SearchEnd::Stopped);
        }
        self.searching = None;
    }

    /// Returns the search that a call is a part of.
    pub fn search_of(&self, id: CallId) -> Option<&Search> {
        self.items
            .iter()
            .rev()
            .take_while(|item| !matches!(item, Item::User { .. }))
            .find_map(|item| match item {
                Item::Search { search } if search.has(id) => Some(search.as_ref()),
                _ => None,
            })
    }

    fn reviewed(&mut self, news: &ReviewNews) {
        match news {
            ReviewNews::Read {
                files,
                pieces,
                left_out,
                ..
            } => {
                let count = |number: u32, what: &str| match number {
                    1 => format!("1 {what}"),
                    number => format!("{number} {what}s"),
                };
                let mut text = match (*pieces, left_out.is_empty()) {
                    (0, true) => "There is no change to look at.".to_owned(),
                    (0, false) => "Nothing of the change is looked at.".to_owned(),
                    (pieces, _) => format!(
                        "The change has {} to look at, in {}.",
                        count(pieces, "piece"),
                        count(*files, "file")
                    ),
                };
                let names: Vec<&str> = left_out.iter().map(|(path, _)| path.as_str()).collect();
                if !names.is_empty() {
                    text.push_str(&format!(" Left out: {}.", names.join(", ")));
                }
                self.items.push(Item::Notice {
                    level: Level::Info,
                    text,
                });
            }
            ReviewNews::Looking { .. } => {}
            ReviewNews::Found { finding } => self.items.push(Item::Finding {
                finding: Box::new(finding.clone()),
            }),
            ReviewNews::Missed { path, reason } => self.items.push(Item::Notice {
                level: Level::Warning,
                text: format!("`{path}` was not looked at: {reason}."),
            }),
        }
    }

    fn with_call(
        &mut self,
        id: CallId,
        change: impl FnOnce(&mut CallState, &mut Option<Box<FileChange>>),
    ) {
        // What is tried is shown with what it says; what it would change, when it is made.
        let mut none = None;
        let found = self.items.iter_mut().rev().find_map(|item| match item {
            Item::Call {
                call,
                state,
                change,
                ..
            } if call.id == id => Some((state, Some(change))),
            Item::Search { search } => {
                let mut trials = search.trials.iter_mut().rev();
                let trial = trials.find(|trial| trial.call.id == id)?;
                Some((&mut trial.state, None))
            }
            _ => None,
        });
        if let Some((state, shown)) = found {
            change(state, shown.unwrap_or(&mut none));
        }
    }
}
