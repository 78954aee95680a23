//! A call while it is being written.

use serde_json::{Map, Value};

use crate::protocol::CallForm;

use super::decode::{self, Decoded};
use super::json::{self, Scanner, Step};
use super::opening::{self, Opening};

/// The most bytes that a call's body may have.
pub(super) const BODY: usize = 1024 * 1024;

/// What is wrapped around a call's object, and has to be passed over after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Container {
    /// A code fence.
    pub(super) fence: bool,
    /// `<tool_call>`, `<tools>` or `<function=…>`.
    pub(super) tag: bool,
    /// A JSON array.
    pub(super) array: bool,
}

/// A call that has opened.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) form: CallForm,
    pub(super) container: Container,
    /// All of it, the opening included.
    raw: String,
    /// Where the body begins in `raw`.
    body: usize,
    stage: Stage,
    /// The tool, once it is known.
    pub(super) name: Option<String>,
}

#[derive(Debug)]
enum Stage {
    /// Nothing but white space came after the tag or token.
    Empty,
    /// `[TOOL_CALLS]name` before its object.
    Named,
    /// A JSON object, which begins at `object` in `raw`.
    Json { object: usize, scanner: Scanner },
    /// `<function=…`.
    Function,
    /// Not a call; the rest is read up to what closes it.
    Broken { problem: String },
}

/// What came of the text that a call took in.
#[derive(Debug, PartialEq)]
pub(super) enum Progress {
    /// More text is needed.
    Open,
    /// It ended, with this.
    Ended(Ended),
}

#[derive(Debug, PartialEq)]
pub(super) enum Ended {
    Call {
        name: String,
        arguments: Map<String, Value>,
    },
    Bad {
        raw: String,
        problem: String,
        /// The body was cut at its limit, and what follows belongs to it.
        overflow: bool,
    },
    /// It only looked like a call.
    Example { raw: String },
}

impl Call {
    /// Begins a call with the text of its opening.
    pub(super) fn new(opening: &Opening, raw: &str) -> Self {
        let mut call = Self {
            form: opening.form,
            container: opening.container,
            raw: raw[..opening.body].to_owned(),
            body: opening.body,
            stage: Stage::Empty,
            name: None,
        };
        if raw.as_bytes().get(opening.body) == Some(&b'{') {
            call.begin_object();
        }
        call
    }

    /// Begins the next object of a container.
    pub(super) fn next(form: CallForm, container: Container) -> Self {
        let mut call = Self {
            form,
            container,
            raw: String::new(),
            body: 0,
            stage: Stage::Empty,
            name: None,
        };
        call.begin_object();
        call
    }

    pub(super) fn body(&self) -> &str {
        &self.raw[self.body..]
    }

    /// Takes in what belongs to the call from the beginning of `text` and returns how many bytes that was.
    pub(super) fn take(&mut self, text: &str, tools: &[String]) -> (usize, Progress) {
        let mut taken = 0;
        loop {
            let room = BODY - self.body().len();
            let rest = &text[taken..];
            let rest = &rest[..floor_boundary(rest, room)];
            let full = rest.len() < text.len() - taken;
            let (length, step) = match &mut self.stage {
                Stage::Empty => self.take_lead(rest),
                Stage::Named => self.take_name(rest),
                Stage::Json { .. } => self.take_json(rest, tools),
                Stage::Function => self.take_function(rest, tools),
                Stage::Broken { .. } => self.take_broken(rest),
            };
            taken += length;
            match step {
                Next::Again => {}
                Next::Ended(ended) => return (taken, Progress::Ended(ended)),
                Next::More if full && length > 0 => {}
                Next::More if full => {
                    let problem = "the call is larger than 1 MiB; do it in several smaller calls";
                    let ended = self.bad(problem.to_owned(), true);
                    return (taken, Progress::Ended(ended));
                }
                Next::More => return (taken, Progress::Open),
            }
        }
    }

    /// Ends the call at the end of the text.
    pub(super) fn finish(mut self) -> Ended {
        let problem = match &self.stage {
            Stage::Empty => "the call was opened, and nothing follows".to_owned(),
            Stage::Named => "the call ends before its arguments".to_owned(),
            Stage::Json { scanner, .. } => scanner.missing(),
            Stage::Function => "the call ends before its `</function>`".to_owned(),
            Stage::Broken { problem } => problem.clone(),
        };
        self.bad(problem, false)
    }

    fn begin_object(&mut self) {
        // A model of the XML form that writes JSON all the same.
        if self.form == CallForm::FunctionTag {
            self.form = CallForm::ToolCallTag;
        }
        self.stage = Stage::Json {
            object: self.raw.len(),
            scanner: Scanner::default(),
        };
    }

    fn break_with(&mut self, problem: &str) -> Next {
        self.stage = Stage::Broken {
            problem: problem.to_owned(),
        };
        Next::Again
    }

    fn bad(&mut self, problem: String, overflow: bool) -> Ended {
        Ended::Bad {
            raw: std::mem::take(&mut self.raw),
            problem,
            overflow,
        }
    }

    fn ended(&mut self, decoded: Decoded) -> Next {
        Next::Ended(match decoded {
            Decoded::Call { name, arguments } => Ended::Call { name, arguments },
            Decoded::Bad(problem) => self.bad(problem, false),
            Decoded::Example => Ended::Example {
                raw: std::mem::take(&mut self.raw),
            },
        })
    }

    fn take_lead(&mut self, text: &str) -> (usize, Next) {
        let token = self.form == CallForm::ToolCallsToken;
        let space = text.len() - text.trim_ascii_start().len();
        if self.body().is_empty() {
            // White space in front is not part of the body, so that a constraint begins with what matters.
            self.raw.push_str(&text[..space]);
            self.body = self.raw.len();
        } else {
            self.raw.push_str(&text[..space]);
        }
        let next = match text.as_bytes().get(space) {
            None => return (space, Next::More),
            Some(b'{') => {
                self.begin_object();
                Next::Again
            }
            Some(b'[') if !self.container.array => {
                self.container.array = true;
                self.raw.push('[');
                if !token {
                    self.body = self.raw.len();
                }
                return (space + 1, Next::Again);
            }
            Some(b'<') if self.container.tag && !self.container.array => {
                self.form = CallForm::FunctionTag;
                self.stage = Stage::Function;
                Next::Again
            }
            Some(byte) if token && !self.container.array && opening::name_byte(*byte) => {
                self.stage = Stage::Named;
                Next::Again
            }
            Some(_) => self.break_with("what follows the opening of the call is not a JSON object"),
        };
        (space, next)
    }

    fn take_name(&mut self, text: &str) -> (usize, Next) {
        let length = text.find(['{', '\n']).unwrap_or(text.len());
        self.raw.push_str(&text[..length]);
        let named = self.body().split('[').next().unwrap_or_default().trim();
        let valid = named.len() <= opening::NAME && named.bytes().all(opening::name_byte);
        if !valid || text.as_bytes().get(length) == Some(&b'\n') {
            let next =
                self.break_with("`[TOOL_CALLS]` is not followed by a tool's name and `[ARGS]`");
            return (length, next);
        }
        if length == text.len() {
            return (length, Next::More);
        }
        self.name = Some(named.to_owned());
        self.begin_object();
        (length, Next::Again)
    }

    fn take_json(&mut self, text: &str, tools: &[String]) -> (usize, Next) {
        let Stage::Json { object, scanner } = &mut self.stage else {
            return (0, Next::Again);
        };
        let object = *object;
        let end = text
            .bytes()
            .enumerate()
            .find_map(|(at, byte)| match scanner.step(byte) {
                Step::Within => None,
                Step::Complete => Some((at + 1, None)),
                Step::Malformed(problem) => Some((at, Some(problem))),
            });
        let (length, problem) = end.unwrap_or((text.len(), None));
        self.raw.push_str(&text[..length]);
        if let Some(problem) = problem {
            let next = self.break_with(problem);
            return (length, next);
        }
        if end.is_none() {
            if self.name.is_none() && self.body().len() < 2 * opening::NAME + length {
                self.name = json::first_name(&self.raw[object..]);
            }
            return (length, Next::More);
        }
        let text = &self.raw[object..];
        let decoded = match (&self.name, self.form) {
            (Some(name), CallForm::ToolCallsToken)
                if !self.container.array && object > self.body =>
            {
                decode::arguments_of(name, text, tools)
            }
            (_, form) => {
                let marked = self.container.tag || form == CallForm::ToolCallsToken;
                decode::object(text, tools, marked)
            }
        };
        (length, self.ended(decoded))
    }

    fn take_function(&mut self, text: &str, tools: &[String]) -> (usize, Next) {
        const BEGIN: &str = "<function=";
        let mut taken = 0;
        if self.body().len() < BEGIN.len() {
            let wanted = &BEGIN[self.body().len()..];
            let length = wanted
                .bytes()
                .zip(text.bytes())
                .take_while(|(a, b)| a == b)
                .count();
            if length < wanted.len() && length < text.len() {
                self.raw.push_str(&text[..length]);
                let next = self
                    .break_with("the call's tag is followed by neither JSON nor `<function=NAME>`");
                return (length, next);
            }
            self.raw.push_str(&text[..length]);
            taken = length;
        }
        while let Some(length) = text[taken..].find('>') {
            self.raw.push_str(&text[taken..=taken + length]);
            taken += length + 1;
            if self.name.is_none() {
                let name = self.body()[BEGIN.len()..].trim_end_matches('>').trim();
                self.name = Some(name.to_owned());
            }
            if self.function_ends() {
                let decoded = decode::function(self.body(), tools);
                return (taken, self.ended(decoded));
            }
        }
        self.raw.push_str(&text[taken..]);
        (text.len(), Next::More)
    }

    /// Tells whether the `>` just taken ends the call. A `</function>` inside a parameter's value does not.
    fn function_ends(&self) -> bool {
        let body = self.body();
        if let Some(before) = body.strip_suffix("</function>") {
            let before = before.trim_end();
            let header = before.find('>').is_some_and(|at| at + 1 == before.len());
            return before.ends_with("</parameter>") || header;
        }
        body.strip_suffix("</tool_call>")
            .is_some_and(|before| before.trim_end().ends_with("</function>"))
    }

    fn take_broken(&mut self, text: &str) -> (usize, Next) {
        let mut taken = 0;
        while let Some(at) = text[taken..].find(['>', '`']) {
            self.raw.push_str(&text[taken..=taken + at]);
            taken += at + 1;
            // Without a wrapper nothing says where it ends: the rest of the answer belongs to it.
            let tag = self.container.tag
                && ["</tool_call>", "</tools>"]
                    .iter()
                    .any(|tag| self.raw.ends_with(tag));
            let closed = tag || self.container.fence && self.raw.ends_with("```");
            if let (true, Stage::Broken { problem }) = (closed, &mut self.stage) {
                let problem = std::mem::take(problem);
                return (taken, Next::Ended(self.bad(problem, false)));
            }
        }
        self.raw.push_str(&text[taken..]);
        (text.len(), Next::More)
    }
}

enum Next {
    /// The stage changed; look at the rest again.
    Again,
    /// All of the text was taken.
    More,
    Ended(Ended),
}

fn floor_boundary(text: &str, limit: usize) -> usize {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}
