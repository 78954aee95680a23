//! Calls that a model writes as words.

use super::super::input::Effect;
use super::super::intent::Intent;
use super::{Agent, notice};
use crate::protocol::{Level, Message, ToolChoice};

impl Agent {
    /// Asks for a call of a third-party tool that the answer has as words. Returns `false` where it has none, or where
    /// words are what was asked for.
    pub(super) fn asks_for_the_call(&mut self, out: &mut Vec<Effect>) -> bool {
        let Some(turn) = &self.turn else { return false };
        if turn.intent == Intent::Question || turn.planning.is_wanted() {
            return false;
        }
        let Some(name) = self.called_in_words(&turn.written) else {
            return false;
        };
        if let Some(turn) = &mut self.turn {
            turn.nudges += 1;
        }
        notice(
            Level::Info,
            "The model wrote a call as words; it is asked to make it.",
            out,
        );
        let text = "Nothing was called: those were words. Make the call now.".to_owned();
        self.remember(Message::User { text }, out);
        let names = vec![name];
        self.generate(ToolChoice::Required { names }, out);
        true
    }
}
