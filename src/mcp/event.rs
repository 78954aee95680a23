//! What the host tells a session.

use tokio::sync::oneshot;

use crate::protocol::{
    Answer, CallId, Job, Level, Question, QuestionId, RequestEnd, RequestId, ServerState, ToolSpec,
};

/// What the host tells a session.
#[derive(Debug)]
pub enum HostEvent {
    /// A server is in another state.
    Server { server: String, state: ServerState },
    /// A server is about to be started or reached, in this way and confined to this.
    Launched {
        server: String,
        how: serde_json::Value,
    },
    /// These tools can be called now; some of them may be known already.
    Tools(Vec<ToolSpec>),
    /// How far a call is.
    Progressed { call: CallId, text: String },
    /// A request to or of a server is part of this trace.
    Traced {
        /// The call that it is made for, where it is for one.
        call: Option<CallId>,
        server: String,
        method: String,
        trace: String,
        /// The number in the trace that what it brings about hangs on.
        span: String,
        /// The server's request, where it is one.
        request: Option<RequestId>,
    },
    /// A server asks something of the user or of the model.
    RequestReceived {
        request: RequestId,
        server: String,
        method: String,
        bytes: usize,
    },
    /// A server's request is over.
    RequestEnded { request: RequestId, end: RequestEnd },
    /// A task of a server's is in another state.
    Job(Job),
    /// A server asks the user something.
    Asked(Question),
    /// A question is not open any more.
    Answered {
        question: QuestionId,
        answer: Answer,
    },
    /// Something that the user has to know.
    Notice { level: Level, text: String },
    /// A server asks the model something, and the user has allowed it.
    Sample(Sample),
}

/// A question of a server to the model.
#[derive(Debug)]
pub struct Sample {
    /// The server's request that it is part of.
    pub request: RequestId,
    pub system: Option<String>,
    /// The messages: whether the model said it, and what.
    pub messages: Vec<(Speaker, String)>,
    pub max_tokens: u32,
    pub temperature: Option<f32>,
    /// Where the answer goes: what the model wrote, or why it wrote nothing.
    pub reply: oneshot::Sender<Result<String, String>>,
}

/// Who says something to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    User,
    Assistant,
}
