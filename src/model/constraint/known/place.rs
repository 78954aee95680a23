//! Where in a call one is: byte by byte, which tool, which argument, and what its string is held to.

use std::rc::Rc;

use super::Held;
use super::guard::{Guarding, Inside, Source, Step};
use super::marks::{ALL, Mark, Quoting};
use super::syntax::{Border, End, SPECIAL, Syntax, Writing};

/// A string that is being written, and what it is held to.
#[derive(Clone)]
pub(super) struct Guarded {
    pub(super) source: Rc<Source>,
    pub(super) at: Inside,
    pub(super) guarding: Guarding,
}

/// A place in a call. Bytes move it on; a byte that a guarded string must not have is refused.
#[derive(Clone)]
pub(super) struct Place {
    held: Rc<Held>,
    syntax: Syntax,
    levels: Vec<Level>,
    state: State,
    /// The string, name or mark that is being written, as it is written.
    text: Vec<u8>,
}

/// An object or list that is open.
#[derive(Clone, Default)]
struct Level {
    is_list: bool,
    /// What holds the name of the tool and its arguments.
    is_call: bool,
    /// Its keys are no strings.
    is_bare: bool,
    mark: Option<Rc<Mark>>,
    /// The key whose value comes next.
    key: Option<String>,
    /// The tool that is called.
    tool: Option<Rc<Mark>>,
    /// The `path` that was written, and whether all places were asked for.
    path: Option<String>,
    all: bool,
}

#[derive(Clone)]
enum State {
    /// Between strings.
    Between,
    Key {
        escaped: bool,
    },
    Text {
        escaped: bool,
    },
    Guarded(Guarded),
    /// Before the arguments: the name of the tool, and what parts it from them.
    Head,
    /// Between arguments that have marks of their own, or in the marks that open one.
    Marks,
    /// The line break before a value.
    Opened,
    /// A string that is written as it is.
    Value,
}

impl Place {
    pub(super) fn new(held: Rc<Held>, syntax: Syntax) -> Self {
        let state = match syntax {
            Syntax::Json => State::Between,
            _ => State::Head,
        };
        Self {
            held,
            syntax,
            levels: Vec::new(),
            state,
            text: Vec::new(),
        }
    }

    /// Returns the guarded string that is being written.
    pub(super) fn guarded(&self) -> Option<&Guarded> {
        match &self.state {
            State::Guarded(guarded) => Some(guarded),
            _ => None,
        }
    }

    /// Returns what every way from here into a guarded string goes over, and how often a token must have it before
    /// its last byte to reach into one.
    pub(super) fn borders_to_a_guarded_string(&self) -> (Border, usize) {
        let is_value = matches!(self.state, State::Value);
        match self.syntax {
            Syntax::Braces(_) => (Border::Angle, if is_value { 2 } else { 1 }),
            Syntax::Tags(End::Line) if !self.is_in_json() => {
                (Border::LineBreak, if is_value { 3 } else { 1 })
            }
            Syntax::Tags(_) if !self.is_in_json() => (Border::Angle, if is_value { 2 } else { 1 }),
            Syntax::Pairs(_) if !self.is_in_json() => (Border::Angle, if is_value { 4 } else { 1 }),
            Syntax::Python => {
                let is_text = matches!(self.state, State::Text { .. });
                (Border::Quote, if is_text { 2 } else { 1 })
            }
            _ => (Border::Quote, self.quotes_to_a_guarded_string()),
        }
    }

    fn quotes_to_a_guarded_string(&self) -> usize {
        let level = self.levels.last();
        match &self.state {
            State::Text { .. } => 4,
            State::Key { .. } => 2,
            State::Head => 3,
            State::Between if level.is_none_or(|level| !level.is_list && level.key.is_none()) => 3,
            _ => 1,
        }
    }

    /// Tells whether what is being written is JSON inside of an argument with marks of its own.
    fn is_in_json(&self) -> bool {
        self.levels.len() > 1 || matches!(self.state, State::Between)
    }

    /// Tells whether these bytes may come next.
    pub(super) fn allows(&self, bytes: &[u8]) -> bool {
        self.clone().feed(bytes)
    }

    /// Moves on, and tells whether all of the bytes may stand where they do.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> bool {
        bytes.iter().all(|byte| self.take(*byte))
    }

    fn take(&mut self, byte: u8) -> bool {
        match &mut self.state {
            State::Guarded(guarded) => {
                match guarded.source.step(guarded.at, guarded.guarding, byte) {
                    Some(Step::Inside(at)) => guarded.at = at,
                    Some(Step::Out) => return self.end_text(),
                    None => return false,
                }
                self.text.push(byte);
                return true;
            }
            // A mark that is a token of its own is read like one that is not.
            _ if byte == SPECIAL => {}
            State::Key { escaped } | State::Text { escaped } => {
                if byte == b'"' && !*escaped {
                    return self.end_text();
                }
                *escaped = byte == b'\\' && !*escaped;
                self.text.push(byte);
            }
            State::Between => self.between(byte),
            State::Head | State::Marks | State::Opened | State::Value => self.in_marks(byte),
        }
        true
    }

    fn between(&mut self, byte: u8) {
        if self.is_in_a_word(byte) {
            return;
        }
        match byte {
            b'{' | b'[' => {
                let is_list = byte == b'[';
                let mark = self.value_mark();
                let is_outer = self
                    .levels
                    .iter()
                    .all(|level| level.is_list && level.mark.is_none() && !level.is_call)
                    && self.levels.len() < 2;
                self.levels.push(Level {
                    is_list,
                    is_call: is_outer && !is_list && self.syntax == Syntax::Json,
                    is_bare: !is_list && matches!(self.syntax, Syntax::Braces(_)),
                    mark,
                    ..Level::default()
                });
                self.text.clear();
            }
            b'}' | b']' | b')' => {
                self.levels.pop();
                self.text.clear();
                self.state = self.after_a_value();
            }
            b',' => {
                self.text.clear();
                if let Some(level) = self.levels.last_mut() {
                    level.key = None;
                }
            }
            b'"' => {
                self.text.clear();
                let is_key = self
                    .levels
                    .last()
                    .is_some_and(|level| !level.is_list && level.key.is_none());
                self.state = match is_key {
                    true => State::Key { escaped: false },
                    false => self.value(),
                };
            }
            b't' | b'T' => {
                if let Some(level) = self.levels.last_mut() {
                    level.all |= level.key.as_deref().is_some_and(|key| ALL.contains(&key));
                }
            }
            _ => {}
        }
    }

    /// Takes a byte of a key that is no string, or of a mark that a string begins with. Says no where it is neither.
    fn is_in_a_word(&mut self, byte: u8) -> bool {
        let colon = match self.syntax {
            Syntax::Python => b'=',
            Syntax::Braces(_) => b':',
            _ => return false,
        };
        let Some(level) = self.levels.last_mut() else {
            return false;
        };
        if level.is_bare && level.key.is_none() {
            match byte {
                _ if byte == colon => {
                    let key = String::from_utf8_lossy(&self.text);
                    level.key = Some(key.trim().to_owned());
                    self.text.clear();
                }
                b',' | b')' | b'}' => return false,
                _ => self.text.push(byte),
            }
            return true;
        }
        let Syntax::Braces(end) = self.syntax else {
            return false;
        };
        self.text.push(byte);
        if self.text.ends_with(end.text().as_bytes()) {
            self.text.clear();
            self.state = self.value();
            return true;
        }
        // The quotation mark is part of a mark.
        byte == b'"'
    }

    /// Returns where one is after a value.
    fn after_a_value(&self) -> State {
        match self.syntax.is_marked() && self.levels.len() == 1 {
            true => State::Marks,
            false => State::Between,
        }
    }

    /// Returns how a string is written that is a value here.
    fn writing(&self) -> Writing {
        match self.syntax {
            Syntax::Tags(end) | Syntax::Pairs(end) if self.levels.len() == 1 => Writing::Plain(end),
            Syntax::Braces(end) => Writing::Plain(end),
            _ => Writing::Json,
        }
    }

    /// Returns what is said about the value that comes next.
    fn value_mark(&self) -> Option<Rc<Mark>> {
        let level = self.levels.last()?;
        if level.is_list {
            return level.mark.as_ref()?.items.clone();
        }
        let key = level.key.as_deref()?;
        if level.is_call {
            return match key {
                "arguments" | "parameters" => level.tool.clone(),
                _ => None,
            };
        }
        level.mark.as_ref()?.fields.get(key).cloned()
    }

    /// Begins a string that is a value, or what stands between the marks of an argument.
    fn value(&self) -> State {
        let writing = self.writing();
        let Some((source, all)) = self.source() else {
            let is_json = self.syntax.is_marked()
                && self.levels.len() == 1
                && self.value_mark().is_some_and(|mark| mark.kind.is_none());
            return match writing {
                Writing::Plain(_) if is_json => State::Between,
                Writing::Plain(_) => State::Value,
                Writing::Json => State::Text { escaped: false },
            };
        };
        State::Guarded(Guarded {
            at: source.begin(),
            source,
            guarding: Guarding { writing, all },
        })
    }

    /// Returns what the string that begins here is held to.
    fn source(&self) -> Option<(Rc<Source>, bool)> {
        let level = self.levels.last()?;
        let quoting = level.mark.as_ref().and_then(|mark| mark.quotes);
        if let Some(quoting) = quoting
            && self.held.has_passages()
        {
            match level.key.as_deref() {
                Some("path") => return Some((self.held.passage_paths()?, false)),
                Some("old") => {
                    let quotes = self.held.quotes(level.path.as_deref()?)?;
                    return Some((quotes, level.all || quoting == Quoting::Anywhere));
                }
                _ => {}
            }
        }
        let kind = self.value_mark()?.kind?;
        Some((self.held.names(kind)?, false))
    }

    /// Ends a string of JSON, or a guarded one.
    fn end_text(&mut self) -> bool {
        let was_key = matches!(self.state, State::Key { .. });
        let writing = match &self.state {
            State::Guarded(guarded) => guarded.guarding.writing,
            _ => Writing::Json,
        };
        self.state = self.after_a_value();
        let text = std::mem::take(&mut self.text);
        let text = match writing {
            Writing::Json => unescaped(&text),
            // All of the end but its last byte was taken for text.
            Writing::Plain(end) => {
                let end = &end.bytes()[..end.bytes().len() - 1];
                String::from_utf8_lossy(text.strip_suffix(end).unwrap_or(&text)).into_owned()
            }
        };
        let held = Rc::clone(&self.held);
        let Some(level) = self.levels.last_mut() else {
            return true;
        };
        if was_key {
            level.key = Some(text);
        } else if level.is_call && level.key.as_deref() == Some("name") {
            level.tool = held.tool(&text);
        } else if level.key.as_deref() == Some("path") {
            level.path = Some(text);
        }
        true
    }

    /// Takes a byte of the head, of the marks around an argument, or of a string that is written as it is.
    fn in_marks(&mut self, byte: u8) {
        self.text.push(byte);
        match self.state {
            State::Head => {
                let text = String::from_utf8_lossy(&self.text);
                if let Some(name) = self.syntax.name(&text) {
                    self.levels.push(Level {
                        mark: self.held.tool(name),
                        is_bare: matches!(self.syntax, Syntax::Python | Syntax::Braces(_)),
                        ..Level::default()
                    });
                    self.text.clear();
                    self.state = self.after_a_value();
                }
            }
            State::Marks if byte == b'>' => {
                let text = String::from_utf8_lossy(&self.text);
                let key = self.syntax.key(&text).map(str::to_owned);
                if let Some(key) = key
                    && let Some(level) = self.levels.last_mut()
                {
                    level.key = Some(key);
                    self.text.clear();
                    self.state = match self.syntax {
                        Syntax::Tags(End::Line) => State::Opened,
                        _ => self.value(),
                    };
                }
            }
            State::Opened => {
                self.text.clear();
                self.state = self.value();
            }
            State::Value => self.in_a_value(),
            _ => {}
        }
    }

    /// Ends a string that is written as it is, where it has ended.
    fn in_a_value(&mut self) {
        let Writing::Plain(end) = self.writing() else {
            return;
        };
        let Some(written) = self.text.strip_suffix(end.text().as_bytes()) else {
            return;
        };
        let value = String::from_utf8_lossy(written).into_owned();
        if let Some(level) = self.levels.last_mut() {
            let key = level.key.as_deref().unwrap_or_default();
            level.all |= ALL.contains(&key) && value == "true";
            if key == "path" {
                level.path = Some(value);
            }
        }
        self.text.clear();
        self.state = self.after_a_value();
    }
}

/// Reads the inside of a JSON string.
fn unescaped(text: &[u8]) -> String {
    let quoted = [b"\"", text, b"\""].concat();
    serde_json::from_slice(&quoted).unwrap_or_else(|_| String::from_utf8_lossy(text).into_owned())
}
