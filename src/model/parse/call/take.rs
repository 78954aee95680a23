//! What each kind of body takes in, up to its end.

use super::super::decode;
use super::super::json::{self, Step};
use super::super::opening;
use super::super::{braces, header, python};
use super::{Call, Next, Stage, floor_boundary};
use crate::protocol::CallForm;

impl Call {
    pub(super) fn take_lead(&mut self, text: &str) -> (usize, Next) {
        let space = text.len() - text.trim_ascii_start().len();
        self.raw.push_str(&text[..space]);
        if self.body().len() == space {
            // White space in front is not part of the body, so that a constraint begins with what matters.
            self.body = self.raw.len();
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
                match self.form {
                    CallForm::ToolCallsToken | CallForm::ToolCallToken | CallForm::Pythonic => {}
                    CallForm::ToolCallsArgs => self.form = CallForm::ToolCallsToken,
                    _ => self.body = self.raw.len(),
                }
                return (space + 1, Next::Again);
            }
            Some(b'<') if self.container.tag && !self.container.array => {
                if self.form != CallForm::SeedTag {
                    self.form = CallForm::FunctionTag;
                }
                self.stage = Stage::Function;
                Next::Again
            }
            Some(byte) if opening::name_byte(*byte) && self.begin_named() => Next::Again,
            Some(_) => self.break_with("what follows the opening of the call is not a JSON object"),
        };
        (space, next)
    }

    pub(super) fn take_header(&mut self, text: &str) -> (usize, Next) {
        let one_line = self.form == CallForm::ToolCallsArgs;
        let end = text.find(|c| c == '{' || one_line && c == '\n');
        let length = end.unwrap_or(text.len());
        let room = header::HEADER.saturating_sub(self.body().len());
        let length = floor_boundary(text, length.min(room));
        self.raw.push_str(&text[..length]);
        let is_object = text.as_bytes().get(length) == Some(&b'{');
        if end.is_none() && length == text.len() {
            return (length, Next::More);
        }
        let header = self.body();
        let next = match header::name(self.form, header).map(str::to_owned) {
            Some(name) if is_object && end == Some(length) => {
                if header.trim_end().ends_with("```json") {
                    self.container.fence = true;
                }
                self.begin_object();
                self.name = Some(name);
                Next::Again
            }
            _ => self.break_with(header::problem(self.form)),
        };
        (length, next)
    }

    pub(super) fn take_json(&mut self, text: &str, tools: &[String]) -> (usize, Next) {
        let Stage::Json {
            object,
            scanner,
            headed,
        } = &mut self.stage
        else {
            return (0, Next::Again);
        };
        let (object, headed) = (*object, *headed);
        let (length, end) = scan(text, |byte| scanner.step(byte));
        self.raw.push_str(&text[..length]);
        if let Some(Some(problem)) = end {
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
        let decoded = match &self.name {
            Some(name) if headed => decode::arguments_of(name, text, tools),
            _ => decode::object(text, tools, self.is_marked()),
        };
        (length, self.ended(decoded))
    }

    /// Tells whether a tag or token says that only a call can stand here.
    fn is_marked(&self) -> bool {
        self.container.tag
            || matches!(
                self.form,
                CallForm::ToolCallsToken | CallForm::ToolCallToken | CallForm::Harmony
            )
    }

    pub(super) fn take_python(&mut self, text: &str, tools: &[String]) -> (usize, Next) {
        let Stage::Python { begin, scanner } = &mut self.stage else {
            return (0, Next::Again);
        };
        let begin = *begin;
        let (length, ended) = scan(text, |byte| scanner.step(byte));
        self.raw.push_str(&text[..length]);
        let next = match ended {
            None => {
                if self.name.is_none() && self.raw.len() - begin < 2 * opening::NAME + length {
                    let name = self.raw[begin..].split_once('(');
                    self.name = name.map(|(name, _)| name.to_owned());
                }
                Next::More
            }
            Some(Some(problem)) => self.break_with(problem),
            Some(None) => {
                let decoded = decode::parts(python::call(&self.raw[begin..]), tools);
                self.ended(decoded)
            }
        };
        (length, next)
    }

    pub(super) fn take_braces(&mut self, text: &str, tools: &[String]) -> (usize, Next) {
        let Stage::Braces { scanner } = &mut self.stage else {
            return (0, Next::Again);
        };
        let (length, ended) = scan(text, |byte| scanner.step(byte));
        self.raw.push_str(&text[..length]);
        let next = match ended {
            None => {
                if self.name.is_none() && self.body().len() < 2 * opening::NAME + length {
                    let name = self.body().split_once('{');
                    self.name = name.map(|(name, _)| name.to_owned());
                }
                Next::More
            }
            Some(Some(problem)) => self.break_with(problem),
            Some(None) => {
                let decoded = decode::parts(braces::call(self.body()), tools);
                self.ended(decoded)
            }
        };
        (length, next)
    }

    pub(super) fn take_pairs(&mut self, text: &str, tools: &[String]) -> (usize, Next) {
        const END: &str = "</tool_call>";
        let mut taken = 0;
        while let Some(length) = text[taken..].find('>') {
            self.raw.push_str(&text[taken..=taken + length]);
            taken += length + 1;
            if self.name.is_none() {
                let name = self.body().split(['<', '\n']).next().unwrap_or_default();
                self.name = Some(name.trim().to_owned());
            }
            let Some(before) = self.body().strip_suffix(END) else {
                continue;
            };
            if before.trim_end().ends_with("</arg_value>") || !has_pairs(before) {
                let decoded = decode::parts(decode::pairs(before), tools);
                // The tag that closes the call was part of it.
                self.container.tag = false;
                return (taken, self.ended(decoded));
            }
        }
        self.raw.push_str(&text[taken..]);
        (text.len(), Next::More)
    }

    pub(super) fn take_function(&mut self, text: &str, tools: &[String]) -> (usize, Next) {
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
                let decoded = decode::function(self.form, self.body(), tools);
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

    pub(super) fn take_broken(&mut self, text: &str) -> (usize, Next) {
        let mut taken = 0;
        while let Some(at) = text[taken..].find(['>', '`']) {
            self.raw.push_str(&text[taken..=taken + at]);
            taken += at + 1;
            // Without a wrapper nothing says where it ends: the rest of the answer belongs to it.
            let tag = self.container.tag
                && opening::CLOSERS
                    .iter()
                    .any(|tag| tag.ends_with('>') && self.raw.ends_with(tag));
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

/// Reads up to the byte that ends a call, which belongs to it, or to the one that cannot stand in it; then says
/// what is wrong.
fn scan(text: &str, mut step: impl FnMut(u8) -> Step) -> (usize, Option<Option<&'static str>>) {
    let end = text
        .bytes()
        .enumerate()
        .find_map(|(at, byte)| match step(byte) {
            Step::Within => None,
            Step::Complete => Some((at + 1, Some(None))),
            Step::Malformed(problem) => Some((at, Some(Some(problem)))),
        });
    end.unwrap_or((text.len(), None))
}

/// Tells whether a call has pairs of keys and values: the first stands right after its name.
fn has_pairs(body: &str) -> bool {
    body[..floor_boundary(body, header::HEADER)].contains("<arg_key>")
}
