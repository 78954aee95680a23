//! A call while it is being written.

mod take;

use serde_json::{Map, Value};

use crate::protocol::CallForm;

use super::decode::Decoded;
use super::json::Scanner;
use super::opening::Opening;
use super::{braces, python};

/// The most bytes that a call's body may have.
pub(in crate::model::parse) const BODY: usize = 1024 * 1024;

/// What is wrapped around a call's object, and has to be passed over after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::model::parse) struct Container {
    /// A code fence.
    pub(in crate::model::parse) fence: bool,
    /// A tag or token that another one closes, such as `<tool_call>`.
    pub(in crate::model::parse) tag: bool,
    /// An array of calls.
    pub(in crate::model::parse) array: bool,
}

/// A call that has opened.
#[derive(Debug)]
pub(in crate::model::parse) struct Call {
    pub(in crate::model::parse) form: CallForm,
    pub(in crate::model::parse) container: Container,
    /// All of it, the opening included.
    raw: String,
    /// Where the body begins in `raw`.
    body: usize,
    /// It follows another one in the same container.
    pub(in crate::model::parse) further: bool,
    stage: Stage,
    /// The tool, once it is known.
    pub(in crate::model::parse) name: Option<String>,
}

#[derive(Debug)]
enum Stage {
    /// Nothing but white space came after the tag or token.
    Empty,
    /// A name and what parts it from its arguments.
    Header,
    /// A JSON object, which begins at `object` in `raw`. With a header it holds the arguments alone.
    Json {
        object: usize,
        scanner: Scanner,
        headed: bool,
    },
    /// `<function=…`.
    Function,
    /// `name<arg_key>…`.
    Pairs,
    /// `name(key=value)`.
    Python {
        begin: usize,
        scanner: python::Scanner,
    },
    /// `name{key:value}`.
    Braces { scanner: braces::Scanner },
    /// Not a call; the rest is read up to what closes it.
    Broken { problem: String },
}

/// What came of the text that a call took in.
#[derive(Debug, PartialEq)]
pub(in crate::model::parse) enum Progress {
    /// More text is needed.
    Open,
    /// It ended, with this.
    Ended(Ended),
}

#[derive(Debug, PartialEq)]
pub(in crate::model::parse) enum Ended {
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
    pub(in crate::model::parse) fn new(opening: &Opening, raw: &str) -> Self {
        let mut call = Self {
            form: opening.form,
            container: opening.container,
            raw: raw[..opening.body].to_owned(),
            body: opening.body,
            further: false,
            stage: Stage::Empty,
            name: None,
        };
        if raw.as_bytes().get(opening.body) == Some(&b'{') {
            call.begin_object();
        }
        call
    }

    /// Begins the next object of a container.
    pub(in crate::model::parse) fn next(form: CallForm, container: Container) -> Self {
        let mut call = Self {
            form,
            container,
            raw: String::new(),
            body: 0,
            further: true,
            stage: Stage::Empty,
            name: None,
        };
        match form {
            CallForm::Pythonic => call.begin_python(),
            _ => call.begin_object(),
        }
        call
    }

    pub(in crate::model::parse) fn body(&self) -> &str {
        &self.raw[self.body..]
    }

    /// Takes in what belongs to the call from the beginning of `text` and returns how many bytes that was.
    pub(in crate::model::parse) fn take(
        &mut self,
        text: &str,
        tools: &[String],
    ) -> (usize, Progress) {
        let mut taken = 0;
        loop {
            let room = BODY - self.body().len();
            let rest = &text[taken..];
            let rest = &rest[..floor_boundary(rest, room)];
            let full = rest.len() < text.len() - taken;
            let (length, step) = match &mut self.stage {
                Stage::Empty => self.take_lead(rest),
                Stage::Header => self.take_header(rest),
                Stage::Json { .. } => self.take_json(rest, tools),
                Stage::Function => self.take_function(rest, tools),
                Stage::Pairs => self.take_pairs(rest, tools),
                Stage::Python { .. } => self.take_python(rest, tools),
                Stage::Braces { .. } => self.take_braces(rest, tools),
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
    pub(in crate::model::parse) fn finish(mut self) -> Ended {
        let problem = match &self.stage {
            Stage::Empty => "the call was opened, and nothing follows".to_owned(),
            Stage::Header => "the call ends before its arguments".to_owned(),
            Stage::Json { scanner, .. } => scanner.missing(),
            Stage::Python { scanner, .. } => scanner.missing(),
            Stage::Braces { scanner } => scanner.missing(),
            Stage::Function => "the call ends before its `</function>`".to_owned(),
            Stage::Pairs => "the call ends before its `</tool_call>`".to_owned(),
            Stage::Broken { problem } => problem.clone(),
        };
        self.bad(problem, false)
    }

    fn begin_object(&mut self) {
        let headed = matches!(self.stage, Stage::Header);
        // A model that writes JSON where its form has something else.
        match self.form {
            CallForm::FunctionTag | CallForm::SeedTag | CallForm::ArgKeys => {
                self.form = CallForm::ToolCallTag;
            }
            CallForm::Pythonic | CallForm::Braces => self.form = CallForm::ToolCallToken,
            _ => {}
        }
        self.stage = Stage::Json {
            object: self.raw.len(),
            scanner: Scanner::default(),
            headed,
        };
    }

    fn begin_python(&mut self) {
        self.form = CallForm::Pythonic;
        self.stage = Stage::Python {
            begin: self.raw.len(),
            scanner: python::Scanner::default(),
        };
    }

    /// Begins what the name of a tool begins in this form, if a name can stand here at all.
    fn begin_named(&mut self) -> bool {
        match self.form {
            CallForm::ToolCallsToken | CallForm::ToolCallsArgs if !self.container.array => {
                self.form = CallForm::ToolCallsArgs;
                self.stage = Stage::Header;
            }
            CallForm::Harmony | CallForm::DeepSeek | CallForm::DeepSeekFence => {
                self.stage = Stage::Header;
            }
            CallForm::Pythonic => self.begin_python(),
            CallForm::Braces => {
                self.stage = Stage::Braces {
                    scanner: braces::Scanner::default(),
                };
            }
            CallForm::ToolCallTag | CallForm::FunctionTag | CallForm::ArgKeys
                if self.container.tag && !self.container.array =>
            {
                self.form = CallForm::ArgKeys;
                self.stage = Stage::Pairs;
            }
            _ => return false,
        }
        true
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
