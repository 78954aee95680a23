//! What was written beside the conversation: the code block, where it goes, and the call that it makes.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::input::{CodeQuestion, Effect};
use super::placing::{passage, replace_line};
use super::rewriting::{Reading, Rewriting};
use super::wording::Part;
use super::{Agent, spaced};
use crate::protocol::{Risk, ToolSpec};

/// What was written beside the conversation, in its place.
pub(super) struct Placed {
    pub(super) rewriting: Rewriting,
    /// The file with it; `None` where it has no place.
    pub(super) after: Option<String>,
}

/// A call as the model would have written it in the conversation.
pub(super) struct Written {
    pub(super) raw: String,
    pub(super) name: String,
    pub(super) arguments: Map<String, Value>,
}

impl Agent {
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
        let replaces = |tool: &&ToolSpec| {
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
        let raw = self.form().write(&name, &spaced(&arguments));
        Some(Written {
            raw,
            name,
            arguments,
        })
    }
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
