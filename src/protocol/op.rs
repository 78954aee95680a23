//! What a front end asks of a session.

use serde::{Deserialize, Serialize};

use super::{
    AllowedPart, Answer, CallId, CompletionOf, Mode, QuestionId, ReviewTarget, Rule, ServerAction,
};

/// What a front end asks of a session. Sent through a bounded queue; answered by events, never by a return value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op")]
pub enum Op {
    /// Starts a turn with the user's message. While a turn runs the message waits for it to end.
    Submit {
        text: String,
    },
    /// Tells what the user's next message looks like so far, so that the model can read it ahead. It starts nothing.
    Drafted {
        text: String,
    },
    /// Answers an approval. A decision counts once; one for a call that is not waiting is dropped.
    Decide {
        call: CallId,
        decision: Decision,
    },
    /// Answers a server's question. An answer counts once; one to a question that is not waiting is dropped.
    Answer {
        question: QuestionId,
        answer: Answer,
    },
    /// Stops the running turn: generation, calls and questions.
    Interrupt,
    /// Takes back the first waiting message with this text.
    Unqueue {
        text: String,
    },
    SetMode {
        mode: Mode,
    },
    /// Adds a rule of the user.
    AddRule {
        scope: Scope,
        rule: Rule,
    },
    /// Has the rules listed as notices.
    ListRules,
    /// Takes back a rule, by its number in the list, counted from 1.
    RemoveRule {
        number: usize,
    },
    /// Puts back the files that the last turn with changes changed.
    Undo,
    /// Replaces the steps of the plan; none take it back.
    SetPlan {
        steps: Vec<String>,
    },
    /// Does the plan, from its first step that is not done. In the mode `plan` nothing can be done: the mode becomes
    /// the one that is named, or `ask`.
    StartPlan {
        mode: Option<Mode>,
    },
    /// Trusts what the repository tells the model, as it is now.
    Trust,
    /// Has a change of the repository reviewed, as a turn of its own.
    Review {
        target: ReviewTarget,
    },
    /// Asks for the last request as it was given to the model; [`super::Event::PromptTold`] brings it.
    TellPrompt,
    /// Has the third-party servers reported.
    ReportServers,
    /// Does something about a third-party server.
    Server {
        server: String,
        action: ServerAction,
    },
    /// Cancels a call that a server took on as a task.
    CancelJob {
        server: String,
        job: String,
    },
    /// Asks a server how what is being written could go on.
    Complete {
        server: String,
        of: CompletionOf,
        begun: String,
        /// The other arguments that are written already, by their names: what fits may depend on them.
        #[serde(default)]
        given: Vec<(String, String)>,
    },
    /// Ends the session after the journal is on disk.
    Shutdown,
}

/// A person's (or a front end's standing) answer to an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "decision")]
pub enum Decision {
    Allow {
        scope: Scope,
    },
    /// Allowed this once, with parts of the change left out or written otherwise.
    AllowPart {
        part: AllowedPart,
    },
    /// Refused, with what the user wants the model to know instead.
    Deny {
        reason: Option<String>,
    },
}

/// How far an allowance reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// This call only.
    Once,
    /// This tool, for the rest of the session.
    Session,
    /// This tool, in this project from now on.
    Project,
    /// This tool, in every project from now on.
    Forever,
}
