//! The stream parser: what a model wrote, taken apart as it comes.
//!
//! Bytes go in, split anywhere; text, thinking and calls come out. The model is expected to write calls in one form
//! and may write them in any other: small models do not keep to their own template. What could still become a call
//! is held back, and nothing else. Knows no model and does no IO.
//!
//! Special tokens have to come in as their text (`<tool_call>`, `[TOOL_CALLS]`, `<think>`); those that end a turn
//! must not come in at all.

mod call;
mod characters;
mod decode;
mod json;
mod opening;

use serde_json::{Map, Value};

use crate::protocol::CallForm;

use call::{Call, Container, Ended, Progress};
use characters::Characters;
use opening::{Match, Surroundings};

pub use decode::coerce;

/// The most white space before an answer's beginning. What follows more than that is not its beginning.
const LEAD: usize = 256;

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
    /// What was written of it: from the `{` on, from `<function=` on, or all that follows `[TOOL_CALLS]`; white
    /// space in front left out. In the further calls of a list or a fence, from the `{` on.
    pub body: &'a str,
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
}

#[derive(Debug)]
enum State {
    Text,
    Thinking {
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
        }
    }

    /// Begins inside a thinking block, which the template has opened.
    pub fn in_thinking(mut self) -> Self {
        self.state = State::Thinking {
            depth: 1,
            opened_by_template: true,
        };
        self.drop_space = true;
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

    fn text_step(&mut self, rest: &str, last: bool) -> (usize, Step) {
        if self.after_tick {
            self.after_tick = false;
            let ticks = rest.bytes().take_while(|byte| *byte == b'`').count();
            self.show(&rest[..ticks]);
            self.after_tick = ticks == rest.len();
            return (
                ticks,
                if self.after_tick {
                    Step::Wait
                } else {
                    Step::Again
                },
            );
        }
        let mut lead = 0;
        if self.start {
            lead = rest.len() - rest.trim_ascii_start().len();
            if self.drop_space && lead > 0 {
                return (lead, Step::Again);
            }
            if lead > LEAD {
                self.start = false;
                return (0, Step::Again);
            }
            if lead == rest.len() {
                if last {
                    self.show(rest);
                    return (lead, Step::Wait);
                }
                return (0, Step::Wait);
            }
        }
        let opening = &rest[lead..];
        if self.start {
            match opening::one_of(opening, &["<think>", "<thinking>"]) {
                Match::Yes(tag) => {
                    self.drop_space = true;
                    self.line_start = true;
                    self.state = State::Thinking {
                        depth: 1,
                        opened_by_template: false,
                    };
                    return (lead + tag.len(), Step::Again);
                }
                Match::Maybe if !last => return (0, Step::Wait),
                Match::Maybe | Match::No => {}
            }
        }
        let begins = |byte: u8| matches!(byte, b'`' | b'<' | b'[') || self.start && byte == b'{';
        if self.tools.is_empty() || !opening.bytes().next().is_some_and(begins) {
            // Up to the next place where something could begin.
            let end = match self.tools.is_empty() {
                true => rest.len(),
                false => opening
                    .find(['`', '<', '['])
                    .map_or(rest.len(), |at| lead + at),
            };
            self.show(&rest[..end]);
            return (
                end,
                if end == rest.len() {
                    Step::Wait
                } else {
                    Step::Again
                },
            );
        }
        let around = Surroundings {
            expected: self.form,
            start: self.start,
            line_start: self.line_start,
            in_fence: self.in_fence,
        };
        match opening::call(opening, around) {
            Match::Yes(found) => {
                self.state = State::Call(Box::new(Call::new(&found, opening)));
                (lead + found.body, Step::Again)
            }
            Match::Maybe if !last => (0, Step::Wait),
            Match::Maybe | Match::No => (self.show_no_opening(rest, lead), Step::Again),
        }
    }

    /// Shows the first character of what did not open a call, or all backticks of a run.
    fn show_no_opening(&mut self, rest: &str, lead: usize) -> usize {
        let ticks = rest[lead..]
            .bytes()
            .take_while(|byte| *byte == b'`')
            .count();
        let end = lead + ticks.max(1);
        if ticks == 3 && self.line_start {
            let bare = matches!(rest.as_bytes().get(end), None | Some(b'\n' | b'\r' | b' '));
            self.in_fence = !(self.in_fence && bare);
        }
        self.show(&rest[..end]);
        self.after_tick = ticks > 3 && end == rest.len();
        end
    }

    fn show(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.note_line(text);
        if !text.trim_ascii_start().is_empty() {
            self.start = false;
            self.drop_space = false;
        }
        match self.out.last_mut() {
            Some(Piece::Text(shown)) => shown.push_str(text),
            _ => self.out.push(Piece::Text(text.to_owned())),
        }
    }

    fn note_line(&mut self, text: &str) {
        let line = match text.rfind('\n') {
            Some(at) => {
                self.line_start = true;
                &text[at..]
            }
            None => text,
        };
        self.line_start &= line.trim_ascii_start().is_empty();
    }

    fn thinking_step(&mut self, rest: &str, last: bool) -> (usize, Step) {
        let State::Thinking {
            depth,
            opened_by_template,
        } = &mut self.state
        else {
            return (0, Step::Again);
        };
        let lead = match self.drop_space {
            true => rest.len() - rest.trim_ascii_start().len(),
            false => 0,
        };
        if lead > 0 || rest.is_empty() {
            return (
                lead,
                if lead == rest.len() {
                    Step::Wait
                } else {
                    Step::Again
                },
            );
        }
        if rest.starts_with('<') {
            // A tag that is mentioned within a line does not nest: an answer must not be lost to it.
            let tags: &[&'static str] = match self.line_start {
                true => &["</think>", "</thinking>", "<think>", "<thinking>"],
                false => &["</think>", "</thinking>"],
            };
            match opening::one_of(rest, tags) {
                Match::Yes(tag) => {
                    if tag.starts_with("</") {
                        *depth -= 1;
                    } else if !std::mem::take(opened_by_template) {
                        *depth += 1;
                    }
                    if *depth == 0 {
                        self.state = State::Text;
                        self.start = true;
                        self.drop_space = true;
                        self.line_start = true;
                    }
                    return (tag.len(), Step::Again);
                }
                Match::Maybe if !last => return (0, Step::Wait),
                Match::Maybe | Match::No => {}
            }
        }
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let end = rest[first..].find('<').map_or(rest.len(), |at| first + at);
        *opened_by_template = false;
        let text = &rest[..end];
        self.drop_space = false;
        self.note_line(text);
        match self.out.last_mut() {
            Some(Piece::Reasoning(thought)) => thought.push_str(text),
            _ => self.out.push(Piece::Reasoning(text.to_owned())),
        }
        (
            end,
            if end == rest.len() {
                Step::Wait
            } else {
                Step::Again
            },
        )
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

    /// Passes over what closes a call, and finds the next call inside the same wrapper.
    fn after_step(
        &mut self,
        rest: &str,
        form: CallForm,
        container: Container,
        last: bool,
    ) -> (usize, Step) {
        let wrapped = container.fence || container.tag || container.array;
        let passed = rest
            .bytes()
            // A bracket too many is a fault that changes nothing: the call was balanced.
            .take_while(|byte| match byte {
                b',' | b';' => wrapped || form == CallForm::BareJson,
                b']' | b'}' => wrapped,
                byte => byte.is_ascii_whitespace(),
            })
            .count();
        let rest = &rest[passed..];
        let decided = match rest.bytes().next() {
            None => return (passed, Step::Wait),
            Some(b'<') if container.tag => opening::one_of(rest, &["</tool_call>", "</tools>"]),
            // A fence with a label opens the next one: the model did not close this one.
            Some(b'`') if container.fence => match rest.as_bytes().get(3) {
                Some(byte) if byte.is_ascii_alphanumeric() => Match::No,
                None if !last => Match::Maybe,
                _ => opening::one_of(rest, &["```"]),
            },
            Some(b'{') => match opening::object(rest) {
                Match::Yes(()) => {
                    self.state = State::Call(Box::new(Call::next(form, container)));
                    return (passed, Step::Again);
                }
                Match::Maybe => Match::Maybe,
                Match::No => Match::No,
            },
            Some(_) => Match::No,
        };
        match decided {
            Match::Yes(closer) => {
                let container = match closer {
                    "```" => Container::default(),
                    _ => Container {
                        fence: container.fence,
                        ..Container::default()
                    },
                };
                self.state = State::After { form, container };
                (passed + closer.len(), Step::Again)
            }
            Match::Maybe if !last => (passed, Step::Wait),
            Match::Maybe | Match::No => {
                self.state = State::Text;
                self.start = true;
                self.drop_space = true;
                self.line_start = true;
                (passed, Step::Again)
            }
        }
    }
}

#[cfg(test)]
mod tests;
