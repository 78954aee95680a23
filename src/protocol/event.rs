//! What a session reports, in the past tense.

use serde::{Deserialize, Serialize};

use super::{
    Answer, Ask, CallId, CompletionOf, Decision, Effort, FileChange, Job, KeptRule, Mode,
    ModelFailure, ModelInfo, Outcome, Plan, Question, QuestionId, RequestEnd, RequestId,
    ReviewNews, Risk, SearchNews, Sent, ServerReport, ToolCall, Usage,
};

/// What a session reports. Unbounded and in order; [`super::Transcript`] is rebuilt from these alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    SessionStarted {
        id: String,
        root: String,
        mode: Mode,
        resumed: bool,
    },
    /// The share of the model's weights that is loaded, 0 to 1.
    ModelLoading {
        name: String,
        share: f32,
    },
    ModelLoaded {
        info: ModelInfo,
    },
    ModelFailed {
        failure: ModelFailure,
    },
    ServerChanged {
        server: String,
        state: ServerState,
    },
    /// A server is started or reached: how, and what it is confined to.
    ServerLaunched {
        server: String,
        how: serde_json::Value,
    },
    /// A request to or of a third-party server is part of this trace, by which the server's own records are found.
    Traced {
        /// The call that it is made for, where it is for one.
        call: Option<CallId>,
        server: String,
        method: String,
        trace: String,
        /// The number in the trace that what it brings about hangs on; older journals have none.
        #[serde(default)]
        span: Option<String>,
        /// The server's request, where it is one.
        #[serde(default)]
        request: Option<RequestId>,
    },
    /// A server asks something of the user or of the model, mostly on the way of a call.
    RequestReceived {
        request: RequestId,
        server: String,
        method: String,
        bytes: usize,
    },
    /// A server's request is over.
    RequestEnded {
        request: RequestId,
        end: RequestEnd,
    },
    /// The model wrote for a server. Nothing is used where it failed.
    Sampled {
        request: RequestId,
        usage: Usage,
        wall_ms: u64,
    },
    /// The user trusts these files of the repository to instruct the model.
    Trusted {
        files: Vec<String>,
    },
    /// Everything that is to be known of the third-party servers, as it is now.
    ServersReported {
        servers: Vec<ServerReport>,
    },
    /// A call that a server took on as a task is in another state.
    JobChanged {
        job: Job,
    },
    /// How what is being written could go on, as its server says.
    Completed {
        server: String,
        of: CompletionOf,
        begun: String,
        values: Vec<String>,
    },
    ModeChanged {
        mode: Mode,
    },
    /// A message waits for the running turn to end.
    Queued {
        text: String,
    },
    /// A waiting message was taken back.
    Unqueued {
        text: String,
    },
    TurnStarted {
        turn: u32,
        text: String,
    },
    /// Prompt tokens evaluated so far; `cached` of them were there already.
    PromptProgressed {
        done: u32,
        total: u32,
        cached: u32,
    },
    /// A piece of the answer.
    Text {
        text: String,
    },
    /// A piece of the model's thinking.
    Reasoning {
        text: String,
    },
    /// A call is being written by the model.
    CallDrafted {
        name: Option<String>,
        bytes: u32,
    },
    CallProposed {
        call: ToolCall,
        risk: Risk,
    },
    /// The call waits for a decision; `reason` says why it asks.
    ApprovalRequested {
        call: CallId,
        reason: String,
        change: Option<FileChange>,
        /// Everything that the question shows; older journals have none.
        #[serde(default)]
        ask: Option<Box<Ask>>,
    },
    /// Content that the user did not write is in the conversation from here on. `content` names it: a third-party
    /// tool's answer, notes of earlier sessions, or a file in the repository's folder that git does not track and that
    /// the user did not name.
    Tainted {
        content: String,
    },
    /// The user's rules, as they are now.
    RulesChanged {
        rules: Vec<KeptRule>,
    },
    Decided {
        call: CallId,
        decision: Decision,
    },
    CallStarted {
        call: CallId,
    },
    CallProgressed {
        call: CallId,
        text: String,
    },
    CallFinished {
        call: CallId,
        outcome: Outcome,
    },
    ChangeApplied {
        call: CallId,
        change: FileChange,
    },
    /// A server asks the user something.
    Asked {
        question: Question,
    },
    /// A server's question is no longer open.
    Answered {
        question: QuestionId,
        answer: Answer,
    },
    /// Files were put back to what they were before a turn.
    ChangesUndone {
        turn: u32,
        undone: Vec<Undone>,
    },
    /// A generation ended.
    Generated {
        usage: Usage,
    },
    /// The last request as it was given to the model; none where nothing was asked of it yet.
    PromptTold {
        sent: Option<Box<Sent>>,
    },
    Notice {
        level: Level,
        text: String,
    },
    /// Something happened in a review.
    Reviewed {
        news: ReviewNews,
    },
    /// Something happened in a search for an edit.
    Searched {
        news: SearchNews,
    },
    /// The plan was made, edited or taken back, or is further than it was.
    PlanChanged {
        plan: Option<Plan>,
    },
    /// The answer in the form that was asked for.
    AnswerGiven {
        answer: serde_json::Value,
    },
    /// What the turn took, just before it ends. `wall_ms` is filled in by the driver: the agent has no clock.
    TurnMeasured {
        turn: u32,
        wall_ms: u64,
        /// Prompt tokens that were evaluated and those that the cache gave, and tokens that were generated.
        #[serde(default)]
        evaluated: u32,
        #[serde(default)]
        cached: u32,
        #[serde(default)]
        generated: u32,
        effort: Effort,
    },
    TurnEnded {
        turn: u32,
        summary: TurnSummary,
    },
    SessionEnded,
}

/// What a server is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ServerState {
    Starting,
    Up { tools: usize },
    Down { reason: String },
}

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Info,
    Warning,
    Error,
}

/// What became of one file of an undone turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    pub path: String,
    /// `None` when the file was put back; otherwise why it was left alone.
    pub refused: Option<String>,
}

/// How a turn ended, in facts that the host knows rather than in the model's words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnSummary {
    pub reason: EndReason,
    /// The request asked for files to be changed.
    pub wanted_change: bool,
    /// The paths that the turn changed, in the order of their first change.
    pub changed: Vec<String>,
    /// Calls run, and calls that the user or the policy refused.
    pub calls: u32,
    pub denied: u32,
    pub usage: Usage,
    /// What the project's check said in the end, where edits were tried against it.
    #[serde(default)]
    pub check: Option<CheckEnd>,
}

/// How a search for an edit that passes the project's check ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckEnd {
    /// The edits that were tried.
    pub tried: u32,
    pub passed: bool,
}

/// Why a turn ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum EndReason {
    /// The model ended its answer.
    Answered,
    Interrupted,
    /// A budget was used up; `what` names it (`steps`, `tokens`).
    Budget {
        what: String,
    },
    /// The same step came again and again without effect.
    Loop {
        what: String,
    },
    /// The model or the session failed.
    Failed {
        message: String,
    },
}

impl TurnSummary {
    /// Says how the turn ended, in one honest sentence.
    pub fn sentence(&self) -> String {
        let files = match self.changed.len() {
            0 => "No file was changed".to_owned(),
            1 => format!("Changed `{}`", self.changed[0]),
            n => format!("Changed {n} files"),
        };
        let denied = match self.denied {
            0 => String::new(),
            1 => "; 1 call was denied".to_owned(),
            n => format!("; {n} calls were denied"),
        };
        let end = match &self.reason {
            EndReason::Answered => String::new(),
            EndReason::Interrupted => "; interrupted".to_owned(),
            EndReason::Budget { what } => format!("; the {what} budget is used up"),
            EndReason::Loop { what } => format!("; stopped because {what}"),
            EndReason::Failed { message } => format!("; {message}"),
        };
        let check = match &self.check {
            None => String::new(),
            Some(CheckEnd {
                tried: 1,
                passed: true,
            }) => "; the check passes".to_owned(),
            Some(CheckEnd {
                tried,
                passed: true,
            }) => {
                format!("; the check passes (edit {tried} of {tried} tried)")
            }
            Some(CheckEnd {
                tried,
                passed: false,
            }) if self.changed.is_empty() => match tried {
                1 => "; the edit that was tried does not pass the check".to_owned(),
                _ => format!("; none of the {tried} edits tried passes the check"),
            },
            Some(CheckEnd {
                tried,
                passed: false,
            }) => {
                let edits = if *tried == 1 { "edit" } else { "edits" };
                format!("; the check does not pass ({tried} {edits} tried)")
            }
        };
        format!("{files}{check}{denied}{end}.")
    }
}
