//! What goes to the clipboard: the last answer, a block of its code, or the whole turn.

use pulldown_cmark::{Event as Mark, Parser, Tag, TagEnd};

use crate::protocol::{Item, Level, Transcript};

use super::app::{App, Cmd};

/// What is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The last answer.
    Answer,
    /// The last block of code in it.
    Code,
    /// The last message and all that was answered to it.
    Turn,
}

impl What {
    /// Reads what follows `/copy`.
    pub(super) fn parse(argument: &str) -> Option<Self> {
        match argument {
            "" => Some(Self::Answer),
            "code" => Some(Self::Code),
            "turn" => Some(Self::Turn),
            _ => None,
        }
    }

    fn of(self, transcript: &Transcript) -> Option<String> {
        match self {
            Self::Answer => answers(transcript).next().map(str::to_owned),
            Self::Code => answers(transcript).find_map(last_block),
            Self::Turn => turn(transcript),
        }
    }
}

impl App {
    /// Copies something, and says so.
    pub(super) fn copy(&mut self, what: What) -> Vec<Cmd> {
        let (copied, nothing) = match what {
            What::Answer => (
                "the last answer is in the clipboard",
                "there is no answer to copy yet",
            ),
            What::Code => (
                "the last block of code is in the clipboard",
                "no answer has a block of code",
            ),
            What::Turn => (
                "the last turn is in the clipboard",
                "there is no turn to copy yet",
            ),
        };
        match what.of(&self.transcript) {
            Some(text) => {
                self.flash(Level::Info, copied);
                vec![Cmd::CopyText(text)]
            }
            None => {
                self.flash(Level::Warning, nothing);
                Vec::new()
            }
        }
    }
}

/// Returns the answers, the last first.
fn answers(transcript: &Transcript) -> impl Iterator<Item = &str> {
    let items = transcript.items.iter().rev();
    items
        .filter_map(|item| match item {
            Item::Assistant { text } => Some(text.trim()),
            _ => None,
        })
        .filter(|text| !text.is_empty())
}

/// Returns the last block of code of a text, without its fence.
fn last_block(text: &str) -> Option<String> {
    let (mut last, mut open) = (None, None::<String>);
    for mark in Parser::new(text) {
        match (mark, &mut open) {
            (Mark::Start(Tag::CodeBlock(_)), _) => open = Some(String::new()),
            (Mark::Text(code), Some(block)) => block.push_str(&code),
            (Mark::End(TagEnd::CodeBlock), _) => last = open.take().or(last),
            _ => {}
        }
    }
    last
}

/// Writes the last turn down: the message, the answers, and what was called in between.
fn turn(transcript: &Transcript) -> Option<String> {
    let items = &transcript.items;
    let begin = items
        .iter()
        .rposition(|item| matches!(item, Item::User { .. }))?;
    let mut parts = Vec::new();
    for item in &items[begin..] {
        match item {
            Item::User { text, .. } => parts.push(format!("> {}", text.replace('\n', "\n> "))),
            Item::Assistant { text } => parts.push(text.trim().to_owned()),
            Item::Call { call, .. } => parts.push(format!("[{}]", call.title())),
            Item::Search { search } => parts.push(format!("[{}]", search.sentence())),
            Item::Reasoning { .. }
            | Item::Notice { .. }
            | Item::Undone { .. }
            | Item::End { .. }
            | Item::Plan { .. }
            | Item::Finding { .. } => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    Some(parts.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_its_last_code_and_the_whole_turn_can_be_copied() {
        let text = |text: &str| Item::Assistant {
            text: text.to_owned(),
        };
        let transcript = Transcript {
            items: vec![
                text("of before\n"),
                Item::User {
                    turn: 2,
                    text: "how?\nand why?".to_owned(),
                },
                text("So:\n\n```rust\nlet a = 1;\n```\n\n```\nb\n  c\n```\n"),
                text("Done.\n"),
            ],
            ..Transcript::default()
        };
        let copied = |what: What| what.of(&transcript);
        assert_eq!(copied(What::Answer).as_deref(), Some("Done."));
        assert_eq!(copied(What::Code).as_deref(), Some("b\n  c\n"));
        let turn = copied(What::Turn).expect("a turn");
        assert!(turn.starts_with("> how?\n> and why?\n\nSo:\n"), "{turn}");
        assert!(turn.ends_with("\n\nDone."), "{turn}");
        assert_eq!(What::Code.of(&Transcript::default()), None);
    }
}
