//! The stream parser: what a model wrote, taken apart as it comes.
//!
//! Bytes go in, split anywhere; text, thinking and calls come out. The model is expected to write calls in one form
//! and may write them in any other: small models do not keep to their own template. What could still become a call
//! is held back, and nothing else. Knows no model and does no IO.
//!
//! Special tokens have to come in as their text (`<tool_call>`, `[TOOL_CALLS]`, `<think>`); those that end a turn
//! must not come in at all.

mod after;
mod braces;
mod call;
mod characters;
mod decode;
mod harmony;
mod header;
mod json;
mod opening;
mod python;
mod text;
mod thinking;

use serde_json::{Map, Value};

use crate::protocol::CallForm;

use call::{Call, Container, Ended, Progress};
use characters::Characters;
use thinking::Tags;

pub use decode::coerce;
pub use thinking::closing as closing_of_thinking;

/// A part of what a model wrote.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Text of the answer.
    Text(String),
    /// Text of a thinking block, without its tags.
    Reasoning(String),
    /// A call is being written: its tool once known, and how many bytes of its body there are.
    Drafted { name: Option<String>, bytes: u32 },
    /// A complete call of a tool that there is.
    Call {
        name: String,
        arguments: Map<String, Value>,
    },
    /// Something that opened as a call and is none; `problem` tells the model what to do about it.
    BadCall { raw: String, problem: String },
}

/// A call that has opened for certain and is not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenCall<'a> {
    pub form: CallForm,
    /// What was written of it after [`CallForm::mark`], white space in front left out. In the further calls of a
    /// list or a fence, from the call itself on.
    pub body: &'a str,
    /// It is one of the further calls of a list or a fence.
    pub further: bool,
}

impl OpenCall<'_> {
    /// Returns the body as the first call of its list or fence has it: with the bracket that opened the list, where
    /// the form has one.
    pub fn as_first(&self) -> String {
        let list = match self.form.begun().starts_with('[') && self.further {
            true => "[",
            false => "",
        };
        format!("{list}{}", self.body)
    }
}

/// Takes an answer apart while it is written.
///
/// The arguments of the XML form ([`CallForm::FunctionTag`]) come out as strings; [`coerce`] turns them into what
/// a tool's schema asks for.
#[derive(Debug)]
pub struct StreamParser {
    form: CallForm,
    tools: Vec<String>,
    characters: Characters,
    /// Text that is not decided on.
    held: String,
    state: State,
    out: Vec<Piece>,
    /// Nothing but white space came since the answer, or what follows a call or a thinking block, began.
    start: bool,
    /// White space is dropped, not shown: it separates the text from a call or a thinking block.
    drop_space: bool,
    /// Nothing but white space was shown on this line.
    line_start: bool,
    /// A code fence is open in the text.
    in_fence: bool,
    /// The last character shown was one of four or more backticks.
    after_tick: bool,
    wrapper: Wrapper,
}

/// Whether the answer stands in `<response>`, as Granite's do after its thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrapper {
    None,
    /// A thinking block has just ended.
    Possible,
    Open,
}

#[derive(Debug)]
enum State {
    Text,
    Thinking {
        tags: &'static Tags,
        depth: u32,
        /// Nothing was thought yet. A tag that repeats the one the template opened does not nest.
        opened_by_template: bool,
    },
    Call(Box<Call>),
    /// After a call, where its wrapper is closed or the next call of a list begins.
    After {
        form: CallForm,
        container: Container,
    },
    /// All that follows belongs to a call that was cut.
    Discard,
}

/// What a step did with the text that is held.
enum Step {
    /// Something was decided; look at the rest.
    Again,
    /// More text is needed.
    Wait,
}

impl StreamParser {
    /// Creates a parser of one answer. `form` is what the model is expected to write; `tools` are the names that a
    /// call may have. Without tools, calls are not looked for.
    pub fn new(form: CallForm, tools: Vec<String>) -> Self {
        Self {
            form,
            tools,
            characters: Characters::default(),
            held: String::new(),
            state: State::Text,
            out: Vec::new(),
            start: true,
            drop_space: false,
            line_start: true,
            in_fence: false,
            after_tick: false,
            wrapper: Wrapper::None,
        }
    }

    /// Begins where a prompt ends: inside a thinking block, if the template has opened one.
    pub fn after_prompt(mut self, prompt: &str) -> Self {
        if let Some(tags) = thinking::opened_by(prompt) {
            self.state = State::Thinking {
                tags,
                depth: 1,
                opened_by_template: true,
            };
            self.drop_space = true;
        }
        self
    }

    /// Takes the next bytes in and returns what they decided. Invalid UTF-8 becomes U+FFFD.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.characters.push(bytes, &mut self.held);
        self.run(false);
        if let State::Call(call) = &self.state
            && !bytes.is_empty()
        {
            self.out.push(Piece::Drafted {
                name: call.name.clone(),
                bytes: u32::try_from(call.body().len()).unwrap_or(u32::MAX),
            });
        }
        std::mem::take(&mut self.out)
    }

    /// Ends the answer: what was held back comes out as text, an incomplete call as a bad one.
    pub fn finish(&mut self) -> Vec<Piece> {
        self.characters.finish(&mut self.held);
        self.run(true);
        if let State::Call(call) = std::mem::replace(&mut self.state, State::Discard) {
            let ended = call.finish();
            self.end_call(ended, self.form, Container::default());
        }
        self.state = State::Discard;
        std::mem::take(&mut self.out)
    }

    /// Returns the call that is open, from the moment it is certain until it is complete.
    pub fn open_call(&self) -> Option<OpenCall<'_>> {
        match &self.state {
            State::Call(call) => Some(OpenCall {
                form: call.form,
                body: call.body(),
                further: call.further,
            }),
            _ => None,
        }
    }

    fn run(&mut self, last: bool) {
        let held = std::mem::take(&mut self.held);
        let mut at = 0;
        loop {
            let rest = &held[at..];
            let (length, step) = match &self.state {
                State::Text => self.text_step(rest, last),
                State::Thinking { .. } => self.thinking_step(rest, last),
                State::Call(_) => self.call_step(rest),
                State::After { form, container } => self.after_step(rest, *form, *container, last),
                State::Discard => (rest.len(), Step::Wait),
            };
            at += length;
            if matches!(step, Step::Wait) {
                break;
            }
        }
        self.held = held;
        self.held.drain(..at);
    }

    fn call_step(&mut self, rest: &str) -> (usize, Step) {
        let State::Call(call) = &mut self.state else {
            return (0, Step::Again);
        };
        match call.take(rest, &self.tools) {
            (taken, Progress::Open) => (taken, Step::Wait),
            (taken, Progress::Ended(ended)) => {
                let (form, container) = (call.form, call.container);
                self.end_call(ended, form, container);
                (taken, Step::Again)
            }
        }
    }

    fn end_call(&mut self, ended: Ended, form: CallForm, container: Container) {
        self.state = State::After { form, container };
        self.start = true;
        self.drop_space = true;
        match ended {
            Ended::Call { name, arguments } => self.out.push(Piece::Call { name, arguments }),
            Ended::Bad {
                raw,
                problem,
                overflow,
            } => {
                if overflow {
                    self.state = State::Discard;
                }
                self.out.push(Piece::BadCall { raw, problem });
            }
            Ended::Example { raw } => {
                self.state = State::Text;
                self.in_fence = container.fence;
                self.show(&raw);
            }
        }
    }
}

#[cfg(test)]
mod tests;
