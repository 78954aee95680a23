//! What the model wrote, told as events.

use super::Answer;
use super::calls::Between;
use crate::model::constraint;
use crate::model::parse::{Piece, coerce};
use crate::protocol::ModelEvent;

impl Answer<'_, '_> {
    /// Takes written bytes in and tells what they say.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        for piece in self.parser.feed(bytes) {
            self.tell_piece(piece);
        }
    }

    /// Returns what was written since the call's body began.
    fn written_call(&self) -> String {
        text_of(self.raw.get(self.body_start..).unwrap_or_default())
    }

    pub(super) fn tell_piece(&mut self, piece: Piece) {
        let event = match piece {
            Piece::Text(text) if text.is_empty() => return,
            // Small models go on with what they think that the call gives.
            Piece::Text(text) | Piece::Reasoning(text) if self.between != Between::No => {
                if !text.trim().is_empty() {
                    self.between = Between::Strayed;
                }
                return;
            }
            Piece::Drafted { .. } | Piece::Call { .. } | Piece::BadCall { .. }
                if self.words_only() =>
            {
                return;
            }
            Piece::Text(text) => ModelEvent::Text { text },
            Piece::Reasoning(text) => ModelEvent::Reasoning { text },
            Piece::Drafted { name, bytes } => ModelEvent::CallDrafted { name, bytes },
            // What follows the first call in the same token is not for this answer.
            Piece::Call { .. } if self.called => return,
            Piece::Call {
                name,
                mut arguments,
            } => {
                self.called = true;
                let tool = self.tools.iter().find(|tool| tool.name == name);
                if let Some(tool) = tool {
                    coerce(&mut arguments, &tool.schema);
                }
                // A schema may ask for more than can be enforced while the call is written.
                match tool.map(|tool| constraint::check(&tool.schema, &arguments)) {
                    Some(Err(problem)) => ModelEvent::BadCall {
                        raw: self.written_call(),
                        problem: format!(
                            "the arguments of `{name}` are not what it takes: {problem}"
                        ),
                    },
                    Some(Ok(())) | None => ModelEvent::Call { name, arguments },
                }
            }
            Piece::BadCall { raw, problem } => ModelEvent::BadCall { raw, problem },
        };
        // A receiver that is gone stops the answer at its next token.
        let _ = self.events.blocking_send(event);
    }
}

/// Returns written bytes as text. A character that was cut off at the end is dropped.
pub(super) fn text_of(bytes: &[u8]) -> String {
    let end = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    };
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
