//! Loop detection: the same call again, with nothing changed in between.

use crate::protocol::{Outcome, ToolCall};

/// How often the same call may be made with the same result before the turn ends.
const LIMIT: u32 = 3;

/// The calls of a turn since its last change.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    seen: Vec<Seen>,
}

#[derive(Debug)]
struct Seen {
    key: String,
    text: String,
    times: u32,
}

/// What a call's repetition means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Repetition {
    First,
    /// The same call gave the same result before.
    Again,
    /// It did so too often.
    Loop,
}

impl Repeats {
    /// Takes note of a call and its outcome.
    pub(super) fn note(&mut self, call: &ToolCall, outcome: &Outcome) -> Repetition {
        let key = format!(
            "{} {}",
            call.tool,
            serde_json::Value::Object(call.arguments.clone())
        );
        let text = outcome.for_model();
        match self
            .seen
            .iter_mut()
            .find(|seen| seen.key == key && seen.text == text)
        {
            None => {
                self.seen.push(Seen {
                    key,
                    text: text.to_owned(),
                    times: 1,
                });
                Repetition::First
            }
            Some(seen) => {
                seen.times += 1;
                if seen.times >= LIMIT {
                    Repetition::Loop
                } else {
                    Repetition::Again
                }
            }
        }
    }

    /// Forgets all: a file changed, so the same call can give something else.
    pub(super) fn clear(&mut self) {
        self.seen.clear();
    }
}
