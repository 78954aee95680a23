//! Draws beside the conversation: a function, a line or a short file is asked for, with nothing else before the model.
//!
//! In a conversation with tools a small model repeats what it said before, and writes code worse inside of a call than
//! in a code block, which is what it was trained on. So most draws of a search are made with a prompt of their own: the
//! request, the file, what fails. The host puts what comes back where it belongs and makes the call. Measured with a
//! 1.5B model on ten broken functions: six draws inside the conversation mended none of four, six draws beside it four
//! of ten.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::input::{Aim, Aims, CodeAnswer, CodeQuestion, Effect, Focus};
use super::Agent;
use super::checking::Checking;
use super::departing;
use super::keeping::with_prose;
use super::placing::{passage, replace_line};
use super::wording::{Judge, Manner, Part, Subject, prompt};
use crate::protocol::{Lane, Mechanism, Message, ModelRequest, Risk, ToolChoice};

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
    /// What it was asked of: the file, or the file with an edit that got the check further.
    text: Arc<str>,
    /// The file as it was when it was asked for.
    file: Arc<str>,
    part: Part,
}

/// What is known of a file's code, or of what it would be.
#[derive(Debug)]
pub(super) struct Focused {
    path: String,
    text: Arc<str>,
    pub(super) aims: Aims,
}

impl super::Turn {
    /// Names what is being written beside the conversation.
    pub(super) fn drafted(&self) -> String {
        let part = self.rewriting.as_ref().map(Rewriting::part);
        let drawn = self.search.as_ref().map_or(0, super::Search::drawn);
        match part {
            Some(Part::Calls) => "sample calls".to_owned(),
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

/// Returns what is asked for of a text. Where no parts are asked for, that is the file.
fn targets(aims: &Aims, parts: bool) -> Vec<Aim> {
    let of_kind = |target: &&Aim| parts || matches!(target, Aim::File);
    let mut chosen: Vec<Aim> = aims.targets.iter().filter(of_kind).cloned().collect();
    let is_short = aims.targets.iter().any(|target| match target {
        Aim::File => true,
        Aim::Function(focus) => focus.around.is_none(),
    });
    if !parts && chosen.is_empty() && is_short {
        chosen.push(Aim::File);
    }
    chosen
}

/// Returns how many draws a pass over each target takes.
fn passes(aims: &Aims, parts: bool) -> Vec<u32> {
    let targets = targets(aims, parts);
    let of = |target: &Aim| Manner::pass(function(target));
    targets.iter().map(of).collect()
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
    /// Takes the file that is to be written as what edits are drawn of. Returns it, where there is one.
    fn begin_tracks(&mut self) -> Option<(String, Arc<str>)> {
        let (path, file) = self.file_to_write()?;
        let turn = self.turn.as_mut()?;
        let result = match turn.checking {
            Checking::Known(result) => result,
            _ => None,
        };
        let fails = turn.checked_first.as_deref();
        let search = turn.search.as_mut()?;
        search.tracks.begin(&file, fails, result);
        Some((path, file))
    }

    /// Tells whether the next draw is to be made in the conversation: what is not found as a whole may be found as a
    /// passage.
    pub(super) fn is_to_draw_inside(&mut self) -> bool {
        let Some((path, file)) = self.begin_tracks() else {
            return true;
        };
        let Some(turn) = &mut self.turn else {
            return true;
        };
        let Some(search) = &mut turn.search else {
            return true;
        };
        if search.tracks.unknown().is_some() {
            return false;
        }
        let Some(ask) = search.tracks.next() else {
            return true;
        };
        let targets = turn
            .aims(&path, &file)
            .map_or(&[][..], |aims| &aims.targets);
        let focus = targets.first().and_then(function);
        let is_inside = ask.is_file && ask.target == 0 && Manner::is_inside(ask.drawn, focus);
        let doubts = departing::is_due(&ask);
        is_inside && !(doubts && self.doubts())
    }

    /// Asks what of a text may be meant, where that is not known. Returns `false` where it is.
    fn ask_for_aims(&mut self, out: &mut Vec<Effect>) -> bool {
        let Some((path, _)) = self.file_to_write() else {
            return false;
        };
        let parts = !self.settings.without.contains(&Mechanism::Parts);
        let Some(turn) = &mut self.turn else {
            return false;
        };
        let unknown = turn
            .search
            .as_ref()
            .and_then(|search| search.tracks.unknown());
        let Some((text, failing)) = unknown else {
            return false;
        };
        if let Some(aims) = turn.aims(&path, &text) {
            let passes = passes(aims, parts);
            if let Some(search) = &mut turn.search {
                search.tracks.learn(&text, &passes);
            }
            return false;
        }
        let request = turn.request.clone();
        self.reads += 1;
        let question = self.reads;
        turn.reading = Some(Reading::Aims {
            question,
            path: path.clone(),
            text: Arc::clone(&text),
        });
        out.push(Effect::ReadCode {
            question,
            about: CodeQuestion::Aims {
                path,
                text,
                request,
                failing: failing.unwrap_or_default(),
            },
        });
        true
    }

    /// Asks for a part of a file beside the conversation. Returns `false` when there is none to ask for.
    pub(super) fn draw_beside(&mut self, out: &mut Vec<Effect>) -> bool {
        let Some((path, file)) = self.begin_tracks() else {
            return false;
        };
        if self.ask_for_aims(out) {
            return true;
        }
        let parts = !self.settings.without.contains(&Mechanism::Parts);
        let compares = self.compares();
        let may_doubt = self.doubts();
        let Some(turn) = &mut self.turn else {
            return false;
        };
        let next = |search: &mut super::Search| search.tracks.next();
        let Some(ask) = turn.search.as_mut().and_then(next) else {
            return false;
        };
        let Some(aims) = turn.aims(&path, &ask.text).cloned() else {
            return false;
        };
        let targets = targets(&aims, parts);
        let Some(target) = targets.get(ask.target) else {
            return false;
        };
        let focus = function(target);
        let judge = match turn.checking {
            Checking::Known(_) => Judge::Check,
            _ if compares => Judge::Versions,
            _ => Judge::Nobody,
        };
        let search = turn.search.as_ref();
        let total = search.map_or(0, super::Search::drawn);
        let drawn = match judge {
            Judge::Check => ask.drawn,
            Judge::Versions | Judge::Nobody => total,
        };
        let (due, most) = match judge {
            Judge::Versions => (departing::is_due_at_once(&ask), departing::MOST_RUN),
            Judge::Check | Judge::Nobody => (departing::is_due(&ask), departing::MOST),
        };
        let doubts = may_doubt && due && !aims.is_stub;
        let manner = match doubts {
            true => Manner::doubting(ask.doubted, focus),
            false => Manner::of(drawn, focus, judge),
        };
        let last = search.and_then(|search| search.versions.fails.as_deref());
        let prompt = prompt(
            &manner,
            &Subject {
                request: &turn.request,
                path: &path,
                text: &ask.text,
                focus,
                fails: ask.fails.as_deref().or(last),
                tried: search.map_or(&[][..], |search| search.vain()),
                is_stub: aims.is_stub,
            },
        );
        let mut request = self.request_beside(prompt);
        if manner.temperature > 0.0 {
            request.sampling.temperature = manner.temperature.max(request.sampling.temperature);
            request.sampling.top_p = 0.95;
        }
        if let Some(most) = manner.most() {
            request.sampling.max_tokens = request.sampling.max_tokens.min(most);
        }
        request.sampling.seed = total;
        let mut part = manner.part;
        if doubts {
            part = Part::Departures;
            let (doubts, offset) = departing::doubts(&path, &ask.text, focus, ask.doubted, most);
            request.doubts = Some(doubts);
            if let Some(search) = self.search() {
                search.departures.begin(offset);
            }
        }
        if let Some(turn) = &mut self.turn {
            turn.asking_beside(request.id);
            turn.rewriting = Some(Rewriting {
                path,
                text: ask.text,
                file,
                part,
            });
        }
        out.push(Effect::Generate(request));
        true
    }

    /// Makes a request beside the conversation: for code, with this prompt alone before the model.
    pub(super) fn request_beside(&mut self, prompt: String) -> Box<ModelRequest> {
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
        request
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
            turn.search = Some(super::Search::default());
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
            (Reading::Aims { path, text, .. }, CodeAnswer::Aims(aims)) => {
                turn.focused.push(Focused { path, text, aims });
                if turn.search.is_some() && self.draw_beside(out) {
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
                    (_, Part::Calls | Part::Departures) => None,
                    (_, Part::File) => Some(with_prose(&rewriting.text, &block, &request)),
                    (woven, _) => woven,
                };
                self.try_written(&rewriting, after.as_deref(), out);
            }
            // An answer to something else than what was asked.
            (Reading::Aims { .. }, CodeAnswer::Woven(_)) | (Reading::Weave { .. }, _) => {}
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
            .zip(passage(&rewriting.file, after));
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

/// A call as the model would have written it in the conversation.
pub(super) struct Written {
    pub(super) raw: String,
    pub(super) name: String,
    pub(super) arguments: Map<String, Value>,
}

/// Finds the last code block that was written to its end.
pub(super) fn last_block(text: &str) -> Option<String> {
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
