//! The agent's boundary: what goes in, what comes out.

use std::sync::Arc;

use crate::protocol::{
    AllowedPart, CallId, CheckResult, Event, FileChange, GenerationId, Guidance, Hash, KeptRule,
    Message, ModelEvent, ModelInfo, ModelRequest, Op, Outcome, ReviewTarget, Target, ToolCall,
    ToolSpec, Undone,
};

/// What the driver tells the agent.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Op(Op),
    /// The user's message, with the files of the workspace that it names.
    Submitted {
        text: String,
        files: Vec<String>,
    },
    /// Where a message may be about that names no file. It comes before the message.
    Located {
        text: String,
        located: Located,
    },
    /// Something of a server's that the user wants the model to see with the next message, labelled as data.
    Attached {
        /// What it is, such as a resource of a server.
        content: String,
        text: String,
    },
    /// Decisions that earlier sessions kept can be recalled.
    HasDecisions,
    /// The model is loaded and can be asked.
    ModelReady(ModelInfo),
    Model {
        generation: GenerationId,
        event: ModelEvent,
    },
    /// The tools that the host offers now. Known ones keep their place, new ones come at the end.
    Tools(Vec<ToolSpec>),
    /// What a call would change, or why it cannot be made.
    Previewed {
        call: CallId,
        preview: Preview,
    },
    /// What the paths of a call lead to, where that is not what they say. The call did not run, and waits to be judged
    /// by it.
    Resolved {
        call: CallId,
        targets: Vec<Target>,
        change: Option<Box<FileChange>>,
    },
    /// What an input brings was not written by the user.
    Foreign {
        /// What it is, for the user, and the file that it is or names, if it is about one.
        contents: Vec<(String, Option<String>)>,
        then: Box<Input>,
    },
    CallProgressed {
        call: CallId,
        text: String,
    },
    CallDone {
        call: CallId,
        outcome: Outcome,
        /// The change that was made, where the server told.
        change: Option<FileChange>,
        /// The text of the file as it is now, for a file that the model has read or changed.
        passage: Option<(String, String)>,
    },
    /// What the project's check told; `result` is `None` when it could not be run.
    Checked {
        call: CallId,
        outcome: Outcome,
        result: Option<CheckResult>,
    },
    /// What was asked about code. An answer to a question that nobody waits for any more is dropped.
    CodeTold {
        question: u64,
        answer: CodeAnswer,
    },
    /// What the repository tells the model, which the user has come to trust.
    Guided(Guidance),
    /// Something that the next message brings along.
    Brought(String),
    /// The change that is to be reviewed, as a difference, or why there is none.
    ChangeRead(Result<String, String>),
    Undone {
        turn: u32,
        undone: Vec<Undone>,
    },
    /// The running turn has had the time that edits may be tried for.
    TimeIsUp,
    /// The texts, as they are now, of the files that the model knew when the session stopped.
    Recalled(Vec<(String, String)>),
}

/// The places that a message may be about, as the files' words and symbols tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The file that stands out from all others, if one does.
    pub file: Option<String>,
    /// The likeliest files and symbols, a line each.
    pub map: String,
}

/// What is asked about code, whose syntax the agent does not read. Answered by [`Input::CodeTold`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeQuestion {
    /// What of a file a request is about.
    Aims {
        path: String,
        text: Arc<str>,
        request: String,
        /// What a check said.
        failing: String,
    },
    /// A file with the definitions of a block in it.
    Weave {
        path: String,
        text: Arc<str>,
        block: String,
        /// The block was asked for as the whole file.
        is_file: bool,
    },
}

/// The answer to a [`CodeQuestion`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeAnswer {
    Aims(Aims),
    /// `None` where the block has no certain place.
    Woven(Option<String>),
}

/// What of a file may be written anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aims {
    /// The likeliest first. None where the file is too long and no function is meant.
    pub targets: Vec<Aim>,
    /// The file holds functions that are yet to be written.
    pub is_stub: bool,
}

/// A part of a file that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aim {
    File,
    Function(Focus),
}

/// A function to be written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Focus {
    pub name: String,
    /// Its first and its last line, counted from 1.
    pub from: usize,
    pub to: usize,
    /// The lines of its body that do something, counted from 1.
    pub lines: Vec<usize>,
    /// What is shown instead of the file, where that is too long.
    pub around: Option<String>,
}

/// What a call would do.
#[derive(Debug, Clone, PartialEq)]
pub enum Preview {
    Change(Box<FileChange>),
    /// The call cannot be made as it stands; the model gets this.
    Refused(Outcome),
}

/// What the agent wants done. The driver performs effects in order and reports back by [`Input`].
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Generate(Box<ModelRequest>),
    CancelModel,
    /// Evaluates the prompt of a request that may come, while there is nothing else to do.
    Prepare(Box<ModelRequest>),
    Preview(ToolCall),
    /// Runs a call. With `change`, only if it leaves exactly what was shown.
    RunCall {
        call: ToolCall,
        change: Option<Box<FileChange>>,
    },
    /// Asks what the allowed part of a change comes to. Answered by [`Input::Previewed`].
    PreviewPart {
        call: ToolCall,
        /// The hash that the whole change would have left.
        shown: Option<Hash>,
        part: AllowedPart,
    },
    /// Runs a call, and makes only the allowed part of its change: exactly `change`, which that part comes to.
    RunPart {
        call: ToolCall,
        shown: Option<Hash>,
        part: AllowedPart,
        change: Box<FileChange>,
    },
    /// Runs the project's check in a copy, with the edit of `trial` made there first.
    Check {
        call: ToolCall,
        trial: Option<ToolCall>,
    },
    /// Asks something about code.
    ReadCode {
        question: u64,
        about: CodeQuestion,
    },
    /// Reads the change that is to be reviewed.
    ReadChange(ReviewTarget),
    /// Brings the message of the plan's next step, as if the user had sent it.
    Submit(String),
    CancelCalls(Vec<CallId>),
    /// Keeps a rule beyond the session.
    KeepRule(KeptRule),
    ForgetRule(KeptRule),
    Emit(Event),
    /// Adds a message to the journal: the conversation as the model knows it.
    Remember(Message),
    /// Forgets the conversation before this point in the journal: what follows replaces it.
    Forget,
    /// Puts back the files of a turn.
    Undo {
        turn: u32,
        changes: Vec<FileChange>,
    },
    Stop,
}
