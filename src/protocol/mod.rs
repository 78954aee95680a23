//! The vocabulary: plain data that every layer speaks, and the one reducer of it.
//!
//! [`Op`] goes into a session, [`Event`] comes out, [`Transcript::apply`] turns events into what is shown. The
//! types of the model boundary ([`ModelRequest`], [`ModelEvent`]) are here too, serialisable, so that inference can
//! move into a process of its own. This module knows std and serde alone: it opens nothing, draws nothing, and
//! reads no clock.

pub(crate) mod acting;
mod ask;
mod call;
mod change;
mod command;
mod effort;
mod event;
mod folded;
mod form;
mod glob;
mod guidance;

#[cfg(test)]
pub(crate) mod hostile;
mod json;
mod mechanism;
mod mode;
mod model;
mod op;
mod part;
mod plan;
mod question;
mod quoted;
mod review;
mod risk;
mod rule;
mod search;
mod secret;
mod server;
mod text;
mod trace;
mod transcript;

pub use ask::{Ask, Target, Why};
pub use call::{CallId, CheckResult, Outcome, ToolCall, ToolSpec};
pub use change::{
    BREAKS_SYNTAX, ChangeKind, EXECUTABLE_DATA, FileChange, Hash, Hunk, Line, LineKind, MOVED_TO,
    Modes,
};
pub use command::command_of;
pub use effort::Effort;
pub use event::{CheckEnd, EndReason, Event, Level, ServerState, TurnSummary, Undone};
pub use folded::folded;
pub use form::{CallForm, ToolList};
pub use guidance::{Guidance, Instructions, Skill};
pub use json::harmless_json;
pub use mechanism::Mechanism;
pub use mode::Mode;
pub use model::{
    Departure, Doubts, Finish, GenerationId, KNOWN_KEYWORD, Known, KnownKind, KvType, Lane,
    Message, ModelEvent, ModelFailure, ModelInfo, ModelMemory, ModelRequest, Passages, Rival,
    Sampling, ToolChoice, Usage, WeightLayout,
};
pub use op::{Decision, Op, Scope};
pub use part::{AllowedPart, Instead, Passage};
pub use plan::{Plan, Step, StepState};
pub use question::{
    Answer, Choice, Field, FieldKind, Question, QuestionId, QuestionKind, RequestEnd, RequestId,
    TextFormat,
};
pub use quoted::{quoted_secret, redact_quoted};
pub use review::{Finding, ReviewNews, ReviewTarget, Severity};
pub use risk::Risk;
pub use rule::{Example, KeptRule, Rule, Ruling, Subject};
pub use search::{Search, SearchEnd, SearchNews, Trial, TrialOf};
pub use secret::{find_secret, redact, secret_file};
pub use server::{
    CompletionOf, Job, JobState, ReportedArgument, ReportedPrompt, ReportedTool, ServerAction,
    ServerReport,
};
pub use text::{clip, looks_like_another, sanitize, sanitize_after, sanitize_line, thousands};
pub use trace::{Sent, Traced};
pub use transcript::{CallState, Item, Transcript, TurnState};
