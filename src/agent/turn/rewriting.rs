//! Draws beside the conversation: a function, a line or a short file is asked for, with nothing else before the model.
//!
//! In a conversation with tools a small model repeats what it said before, and writes code worse inside of a call than
//! in a code block, which is what it was trained on. So most draws of a search are made with a prompt of their own: the
//! request, the file, what fails. The host puts what comes back where it belongs and makes the call. Measured with a
//! 1.5B model on ten broken functions: six draws inside the conversation mended none of four, six draws beside it four
//! of ten.

use std::sync::Arc;

use super::super::input::{Aim, Aims, CodeAnswer, Effect, Focus};
use super::checking::Checking;
use super::keeping::with_prose;
use super::wording::Part;
use super::{Agent, Search};
use crate::protocol::{Mechanism, Risk, ToolChoice, ToolSpec};

/// The models, by their parameters, that write a file better than a call. Of those that say nothing of themselves
/// nothing is assumed.
const SMALL_MODEL: std::ops::Range<u64> = 1_000_000..4_000_000_000;

/// Models from this on find their way by themselves, and so does any that made no mistake in so many turns with calls.
const LARGE_MODEL: u64 = 14_000_000_000;
const CLEAN_TURNS: u32 = 3;

/// What a draw beside the conversation is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rewriting {
    pub(super) path: String,
    /// What it was asked of: the file, or the file with an edit that got the check further.
    pub(super) text: Arc<str>,
    /// The file as it was when it was asked for.
    pub(super) file: Arc<str>,
    pub(super) part: Part,
}

/// What is known of a file's code, or of what it would be.
#[derive(Debug)]
pub(super) struct Focused {
    path: String,
    text: Arc<str>,
    pub(super) aims: Aims,
}

impl super::Turn {
    /// Names what is being written beside the conversation. Where the search is told of, that counts the edits.
    pub(super) fn drafted(&self) -> String {
        let part = self.rewriting.as_ref().map(Rewriting::part);
        let drawn = self.search.as_ref().map_or(0, super::Search::drawn);
        match part {
            Some(Part::Calls | Part::Outcomes) => "sample calls".to_owned(),
            _ if self.is_search_told => "another edit".to_owned(),
            _ => format!("edit {}", drawn + 1),
        }
    }

    /// Returns what is known of a text.
    pub(super) fn aims(&self, path: &str, text: &str) -> Option<&Aims> {
        let mut known = self.focused.iter();
        let found = known.find(|known| known.path == path && *known.text == *text)?;
        Some(&found.aims)
    }
}

/// Returns the function that a target is.
pub(super) fn function(target: &Aim) -> Option<&Focus> {
    match target {
        Aim::File => None,
        Aim::Function(focus) => Some(focus),
    }
}

/// A question about code that is waited for.
#[derive(Debug)]
pub(super) enum Reading {
    /// Before a draw: what is to be written anew.
    Aims {
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
            Self::Aims { question, .. } | Self::Weave { question, .. } => *question,
        }
    }
}

impl Agent {
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
            turn.search = Some(Search::default());
        }
        let begun = self.draw_beside(out);
        if let (Some(turn), false) = (&mut self.turn, begun) {
            turn.search = None;
        }
        begun
    }

    /// Chooses the file to write: the one that the model would have changed, or the only one that it has read.
    pub(super) fn file_to_write(&self) -> Option<(String, Arc<str>)> {
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
    pub(super) fn writing_tool(&self) -> Option<String> {
        let writes = |tool: &&ToolSpec| {
            tool.risk == Risk::Edit
                && tool.previews
                && tool.schema["properties"]["content"].is_object()
        };
        self.tools.iter().find(writes).map(|tool| tool.name.clone())
    }

    /// Draws the next edit beside the conversation, or in it where there is nothing to ask for.
    pub(super) fn draw_what_is_known(&mut self, out: &mut Vec<Effect>) {
        let searches = self.turn.as_ref().is_some_and(|turn| turn.search.is_some());
        if searches && self.draw_beside(out) {
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
            (Reading::Aims { path, text, .. }, CodeAnswer::Aims(aims)) => {
                turn.focused.push(Focused { path, text, aims });
                self.draw_what_is_known(out);
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
                    (_, Part::Calls | Part::Departures | Part::Outcomes) => None,
                    (_, Part::File) => Some(with_prose(&rewriting.text, &block, &request)),
                    (woven, _) => woven,
                };
                self.try_written(&rewriting, after.as_deref(), out);
            }
            // An answer to something else than what was asked.
            (Reading::Aims { .. }, CodeAnswer::Woven(_)) | (Reading::Weave { .. }, _) => {}
        }
    }
}

impl Rewriting {
    /// What is to be written is the file, as it was when this text was read.
    pub(super) fn of_file(path: &str, text: Arc<str>) -> Self {
        Self::aside(path.to_owned(), text, Part::File)
    }

    /// Makes what is asked about a file that is not written by it.
    pub(super) fn aside(path: String, text: Arc<str>, part: Part) -> Self {
        let file = Arc::clone(&text);
        Self {
            path,
            text,
            file,
            part,
        }
    }

    /// Returns the text that was asked about.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns what is asked for.
    pub(super) fn part(&self) -> Part {
        self.part
    }

    /// Tells whether a text is the file as it was, or what was asked to be changed.
    pub(super) fn is_unchanged(&self, after: &str) -> bool {
        *self.text == *after || *self.file == *after
    }
}
