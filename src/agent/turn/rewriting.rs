//! Draws beside the conversation: a short file is asked for as a whole, with nothing else before the model.
//!
//! In a conversation with tools a small model repeats what it said before, and writes code worse inside of a call than
//! in a code block, which is what it was trained on. So most draws of a search are made with a prompt of their own: the
//! request, the file, what fails. The host makes the call from the block that comes back. Measured with a 1.5B model on
//! ten broken functions: six draws inside the conversation mended none of four, six draws beside it four of ten.

use serde_json::{Map, Value};

use super::super::input::Effect;
use super::Agent;
use super::keeping::with_prose;
use crate::protocol::{Lane, Mechanism, Message, Risk, ToolChoice};

/// The longest file that is asked for as a whole, in bytes.
const WHOLE_FILE: usize = 6 * 1024;

/// How freely a draw is made. Less gives the same file again and again.
const TEMPERATURE: f32 = 0.8;

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
    /// The tool that writes a whole file.
    tool: String,
}

impl Agent {
    /// Asks for a whole file beside the conversation. Returns `false` when there is no short file to ask for.
    pub(super) fn draw_beside(&mut self, drawn: u32, out: &mut Vec<Effect>) -> bool {
        let Some((rewriting, prompt)) = self.rewriting(drawn) else {
            return false;
        };
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
        // The first one is the likeliest.
        if drawn > 0 {
            request.sampling.temperature = TEMPERATURE.max(request.sampling.temperature);
            request.sampling.top_p = 0.95;
        }
        request.sampling.seed = drawn;
        if let Some(turn) = &mut self.turn {
            turn.written.clear();
            turn.effort.generations += 1;
            turn.rewriting = Some(rewriting);
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

    /// Chooses the file to ask for, and writes the prompt.
    fn rewriting(&self, drawn: u32) -> Option<(Rewriting, String)> {
        let turn = self.turn.as_ref()?;
        let writes = |tool: &&crate::protocol::ToolSpec| {
            tool.risk == Risk::Edit
                && tool.previews
                && tool.schema["properties"]["content"].is_object()
        };
        let tool = self.tools.iter().find(writes)?;
        let files = self
            .passages
            .iter()
            .filter(|passage| !self.keeps(&passage.path));
        // The file that the model would have changed, or the only one that it has read.
        let file = match &turn.aimed_at {
            Some(path) => files.into_iter().find(|file| file.path == *path)?,
            None => files.into_iter().next()?,
        };
        if file.text.len() > WHOLE_FILE || file.text.trim().is_empty() {
            return None;
        }
        let (path, text) = (&file.path, &file.text);
        let language = path
            .rsplit_once('.')
            .map_or("", |(_, ending)| match ending {
                "py" => "python",
                "rs" => "rust",
                "js" => "javascript",
                "ts" => "typescript",
                other => other,
            });
        let end = if text.ends_with('\n') { "" } else { "\n" };
        let mut prompt = format!(
            "{}\n\n{path}:\n```{language}\n{text}{end}```\n\n",
            turn.request
        );
        // Every other draw is told what fails: for some faults it helps, for others it only leads astray.
        if drawn % 2 == 1
            && let Some(fails) = &turn.checked_first
        {
            prompt.push_str(&format!("{fails}\n\n"));
        }
        prompt.push_str(&format!(
            "Write the corrected {path} as a whole, in one code block."
        ));
        let rewriting = Rewriting {
            path: path.clone(),
            tool: tool.name.clone(),
        };
        Some((rewriting, prompt))
    }

    /// Makes a call of what was written beside the conversation. `None` when there is no whole code block in it.
    pub(super) fn rewritten(&self, rewriting: &Rewriting, raw: &str) -> Option<Written> {
        let content = last_block(raw)?;
        let before = self
            .passages
            .iter()
            .find(|passage| passage.path == rewriting.path);
        let ended = before.is_none_or(|before| before.text.ends_with('\n'));
        let content = match ended {
            true => format!("{}\n", content.trim_end_matches('\n')),
            false => content.trim_end_matches('\n').to_owned(),
        };
        let request = self.turn.as_ref().map_or("", |turn| turn.request.as_str());
        let content = match before {
            Some(before) => with_prose(&before.text, &content, request),
            None => content,
        };
        let arguments = Map::from_iter([
            ("path".to_owned(), Value::from(rewriting.path.clone())),
            ("content".to_owned(), Value::from(content)),
        ]);
        let raw = self
            .form()
            .write(&rewriting.tool, &super::spaced(&arguments));
        Some(Written {
            raw,
            name: rewriting.tool.clone(),
            arguments,
        })
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
            None if line.starts_with("```") => open = Some(String::new()),
            None => {}
            Some(_) if line.trim_end() == "```" => last = open.take(),
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
