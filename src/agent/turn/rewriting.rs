//! Draws beside the conversation: a function, a line or a short file is asked for, with nothing else before the model.
//!
//! In a conversation with tools a small model repeats what it said before, and writes code worse inside of a call than
//! in a code block, which is what it was trained on. So most draws of a search are made with a prompt of their own: the
//! request, the file, what fails. The host puts what comes back where it belongs and makes the call. Measured with a
//! 1.5B model on ten broken functions: six draws inside the conversation mended none of four, six draws beside it four
//! of ten.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::input::{CodeAnswer, CodeQuestion, Effect, Focus};
use super::Agent;
use super::checking::Checking;
use super::keeping::with_prose;
use super::placing::{passage, replace_line};
use super::wording::{Manner, Part, Subject, prompt};
use crate::protocol::{Lane, Mechanism, Message, Risk, ToolChoice};

/// The longest file that is asked for as a whole, or shown as a whole, in bytes.
const WHOLE_FILE: usize = 6 * 1024;

/// The models, by their parameters, that write a file better than a call. Of those that say nothing of themselves
/// nothing is assumed.
const SMALL_MODEL: std::ops::Range<u64> = 1_000_000..4_000_000_000;

/// Models from this on find their way by themselves, and so does any that made no mistake in so many turns with calls.
const LARGE_MODEL: u64 = 14_000_000_000;
const CLEAN_TURNS: u32 = 3;

/// What a draw beside the conversation is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rewriting {
    path: String,
    /// The file as it was when it was asked for.
    text: Arc<str>,
    part: Part,
}

/// What is known of a file's code.
#[derive(Debug)]
pub(super) struct Focused {
    path: String,
    text: Arc<str>,
    focus: Option<Focus>,
}

impl super::Turn {
    /// Returns the function that the turn is about, where it is known.
    pub(super) fn focus(&self) -> Option<&Focus> {
        self.focused.as_ref()?.focus.as_ref()
    }
}

/// A question about code that is waited for.
#[derive(Debug)]
pub(super) enum Reading {
    /// Before a draw: what is to be written anew.
    Focus {
        question: u64,
        path: String,
        text: Arc<str>,
    },
    /// After it: where that goes.
    Weave {
        question: u64,
        rewriting: Rewriting,
        block: String,
    },
}

impl Reading {
    fn question(&self) -> u64 {
        match self {
            Self::Focus { question, .. } | Self::Weave { question, .. } => *question,
        }
    }
}

impl Agent {
    /// Asks for a part of a file beside the conversation. Returns `false` when there is none to ask for.
    pub(super) fn draw_beside(&mut self, drawn: u32, out: &mut Vec<Effect>) -> bool {
        let Some((path, text)) = self.file_to_write() else {
            return false;
        };
        let is_small = text.len() <= WHOLE_FILE;
        let Some(turn) = &mut self.turn else {
            return false;
        };
        let known = turn
            .focused
            .as_ref()
            .filter(|known| known.path == path && known.text == text);
        let focus = match known {
            Some(known) => known.focus.clone(),
            None if self.settings.without.contains(&Mechanism::Parts) => None,
            None => {
                let failing = turn.checked_first.clone().unwrap_or_default();
                let request = turn.request.clone();
                self.reads += 1;
                let question = self.reads;
                turn.reading = Some(Reading::Focus {
                    question,
                    path: path.clone(),
                    text: Arc::clone(&text),
                });
                out.push(Effect::ReadCode {
                    question,
                    about: CodeQuestion::Focus {
                        path,
                        text,
                        request,
                        failing,
                    },
                });
                return true;
            }
        };
        if focus.is_none() && !is_small {
            return false;
        }
        let is_checked = matches!(turn.checking, Checking::Known(_));
        let manner = Manner::of(drawn, focus.as_ref(), is_checked);
        let tried = turn
            .search
            .as_ref()
            .map_or(&[][..], |search| search.tried());
        let prompt = prompt(
            &manner,
            &Subject {
                request: &turn.request,
                path: &path,
                text: &text,
                focus: focus.as_ref(),
                fails: turn.checked_first.as_deref(),
                tried,
            },
        );
        self.generations += 1;
        let mut request = self.request(ToolChoice::Auto);
        request.messages = vec![
            Message::System {
                text: "You are a careful programmer.".to_owned(),
            },
            Message::User { text: prompt },
        ];
        request.tools.clear();
        request.unlisted = 0;
        request.passages.clear();
        request.lane = Lane::Side;
        if manner.temperature > 0.0 {
            request.sampling.temperature = manner.temperature.max(request.sampling.temperature);
            request.sampling.top_p = 0.95;
        }
        if let Some(most) = manner.most() {
            request.sampling.max_tokens = request.sampling.max_tokens.min(most);
        }
        request.sampling.seed = drawn;
        if let Some(turn) = &mut self.turn {
            turn.written.clear();
            turn.effort.generations += 1;
            turn.rewriting = Some(Rewriting {
                path,
                text,
                part: manner.part,
            });
            turn.generation = Some(request.id);
        }
        out.push(Effect::Generate(request));
        true
    }

    /// Tells whether a turn begins beside the conversation: a small model is to change the one short file that the
    /// request names.
    pub(super) fn begins_beside(&self) -> bool {
        let Some(turn) = &self.turn else { return false };
        let is_small = self.is_small();
        let mut named = turn.named.iter().filter(|path| !self.keeps(path));
        turn.wants_change
            && self.helps(Mechanism::Beside)
            && !turn.began_beside
            && turn.steps == 0
            && turn.next.is_none()
            && is_small
            && named.next().is_some()
            && named.next().is_none()
    }

    /// Tells whether the model is one that has to be led.
    pub(in crate::agent) fn is_small(&self) -> bool {
        self.model
            .as_ref()
            .is_some_and(|model| SMALL_MODEL.contains(&model.parameters))
    }

    /// Tells whether the host leads. It steps back where the model is large, or has made no mistake for some turns.
    pub(in crate::agent) fn leads(&self) -> bool {
        let is_large = self
            .model
            .as_ref()
            .is_some_and(|model| model.parameters >= LARGE_MODEL);
        !is_large && self.clean_turns < CLEAN_TURNS
    }

    /// Begins a turn beside the conversation. Returns `false` when there is no short file to ask for.
    pub(super) fn begin_beside(&mut self, out: &mut Vec<Effect>) -> bool {
        let path = self.turn.as_ref().and_then(|turn| {
            let mut named = turn.named.iter().filter(|path| !self.keeps(path));
            named.next().cloned()
        });
        if let Some(turn) = &mut self.turn {
            turn.began_beside = true;
            turn.aimed_at = path;
        }
        if !self.draw_beside(0, out) {
            return false;
        }
        if let Some(turn) = &mut self.turn {
            turn.search = Some(super::Search::default());
        }
        true
    }

    /// Chooses the file to write: the one that the model would have changed, or the only one that it has read.
    fn file_to_write(&self) -> Option<(String, Arc<str>)> {
        let turn = self.turn.as_ref()?;
        self.writing_tool()?;
        let mut files = self
            .passages
            .iter()
            .filter(|passage| !self.keeps(&passage.path));
        let file = match &turn.aimed_at {
            Some(path) => files.find(|file| file.path == *path)?,
            None => files.next()?,
        };
        let is_empty = file.text.trim().is_empty();
        (!is_empty).then(|| (file.path.clone(), Arc::clone(&file.text)))
    }

    /// Returns the name of the tool that writes a whole file.
    fn writing_tool(&self) -> Option<String> {
        let writes = |tool: &&crate::protocol::ToolSpec| {
            tool.risk == Risk::Edit
                && tool.previews
                && tool.schema["properties"]["content"].is_object()
        };
        self.tools.iter().find(writes).map(|tool| tool.name.clone())
    }

    /// Takes what was told about code.
    pub(in crate::agent) fn code_told(
        &mut self,
        question: u64,
        answer: CodeAnswer,
        out: &mut Vec<Effect>,
    ) {
        let Some(turn) = &mut self.turn else { return };
        let waits = |reading: &mut Reading| reading.question() == question;
        let Some(reading) = turn.reading.take_if(waits) else {
            return;
        };
        match (reading, answer) {
            (Reading::Focus { path, text, .. }, CodeAnswer::Focus(focus)) => {
                turn.focused = Some(Focused { path, text, focus });
                let drawn = turn.search.as_ref().map_or(0, super::Search::drawn);
                if self.draw_beside(drawn, out) {
                    return;
                }
                match self.turn.as_mut() {
                    Some(turn) if !matches!(turn.checking, Checking::Known(_)) => {
                        turn.search = None;
                        self.generate(ToolChoice::Auto, out);
                    }
                    _ => self.draw_inside(out),
                }
            }
            (
                Reading::Weave {
                    rewriting, block, ..
                },
                CodeAnswer::Woven(woven),
            ) => {
                let request = turn.request.clone();
                let after = match (woven, rewriting.part) {
                    // As it was written, or where nobody knows how the language is read.
                    (Some(text), Part::File) if text != block => Some(text),
                    (_, Part::File) => Some(with_prose(&rewriting.text, &block, &request)),
                    (woven, _) => woven,
                };
                self.try_written(&rewriting, after.as_deref(), out);
            }
            // An answer to something else than what was asked.
            (Reading::Focus { .. }, CodeAnswer::Woven(_)) | (Reading::Weave { .. }, _) => {}
        }
    }

    /// Finds where what was written beside the conversation goes. Returns `None` when that is asked, and is told later.
    pub(super) fn place(
        &mut self,
        rewriting: Rewriting,
        raw: &str,
        out: &mut Vec<Effect>,
    ) -> Option<Placed> {
        let Some(block) = last_block(raw) else {
            return Some(Placed {
                rewriting,
                after: None,
            });
        };
        if let Part::Line(line) = rewriting.part {
            let after = replace_line(&rewriting.text, line, &block);
            return Some(Placed { rewriting, after });
        }
        let ended = rewriting.text.ends_with('\n');
        let block = match ended {
            true => format!("{}\n", block.trim_end_matches('\n')),
            false => block.trim_end_matches('\n').to_owned(),
        };
        self.reads += 1;
        let question = self.reads;
        out.push(Effect::ReadCode {
            question,
            about: CodeQuestion::Weave {
                path: rewriting.path.clone(),
                text: Arc::clone(&rewriting.text),
                block: block.clone(),
                is_file: rewriting.part == Part::File,
            },
        });
        if let Some(turn) = &mut self.turn {
            turn.reading = Some(Reading::Weave {
                question,
                rewriting,
                block,
            });
        }
        None
    }

    /// Makes a call of a file's new text: of the passage that is another, where a tool replaces one.
    pub(super) fn written(&self, rewriting: &Rewriting, after: &str) -> Option<Written> {
        let path = ("path".to_owned(), Value::from(rewriting.path.clone()));
        let replaces = |tool: &&crate::protocol::ToolSpec| {
            tool.risk == Risk::Edit
                && tool.previews
                && ["old", "new"]
                    .iter()
                    .all(|name| tool.schema["properties"][name].is_object())
        };
        let quoting = self
            .tools
            .iter()
            .find(replaces)
            .zip(passage(&rewriting.text, after));
        let (name, arguments) = match quoting {
            Some((tool, (old, new))) => {
                let texts = [("old", old), ("new", new)]
                    .map(|(name, text)| (name.to_owned(), Value::from(text)));
                let arguments = Map::from_iter([path].into_iter().chain(texts));
                (tool.name.clone(), arguments)
            }
            None => {
                let content = ("content".to_owned(), Value::from(after));
                (self.writing_tool()?, Map::from_iter([path, content]))
            }
        };
        let raw = self.form().write(&name, &super::spaced(&arguments));
        Some(Written {
            raw,
            name,
            arguments,
        })
    }
}

/// What was written beside the conversation, in its place.
pub(super) struct Placed {
    pub(super) rewriting: Rewriting,
    /// The file with it; `None` where it has no place.
    pub(super) after: Option<String>,
}

impl Rewriting {
    /// What is to be written is the file, as it was when this text was read.
    pub(super) fn of_file(path: &str, text: Arc<str>) -> Self {
        Self {
            path: path.to_owned(),
            text,
            part: Part::File,
        }
    }

    /// Tells whether a text is the file as it was.
    pub(super) fn is_unchanged(&self, after: &str) -> bool {
        *self.text == *after
    }
}

/// A call as the model would have written it in the conversation.
pub(super) struct Written {
    pub(super) raw: String,
    pub(super) name: String,
    pub(super) arguments: Map<String, Value>,
}

/// Finds the last code block that was written to its end.
fn last_block(text: &str) -> Option<String> {
    let mut last = None;
    let mut open: Option<String> = None;
    for line in text.split_inclusive('\n') {
        match &mut open {
            None if line.trim_start().starts_with("```") => open = Some(String::new()),
            None => {}
            Some(_) if line.trim() == "```" => last = open.take(),
            Some(block) => block.push_str(line),
        }
    }
    last.filter(|block| !block.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_block_is_taken() {
        let text = "First:\n```python\na\n```\nNow:\n```python\ndef f():\n    return 1\n```\nDone.";
        assert_eq!(
            last_block(text).as_deref(),
            Some("def f():\n    return 1\n")
        );
        assert_eq!(last_block("```python\nunfinished"), None);
        assert_eq!(last_block("no code"), None);
    }
}
