//! Calls that a model writes as words.

use super::super::input::Effect;
use super::super::intent::Intent;
use super::{Agent, notice};
use crate::protocol::{Level, Message, ToolChoice};

impl Agent {
    /// Asks for a call of a third-party tool that the answer has as words, or that the request is about. Returns `false`
    /// where there is none, or where words are what was asked for.
    pub(super) fn asks_for_the_call(&mut self, out: &mut Vec<Effect>) -> bool {
        let Some(turn) = &self.turn else { return false };
        if turn.intent == Intent::Question || turn.planning.is_wanted() {
            return false;
        }
        // One that is shown a tool and says that it is done has called nothing either.
        let meant = match turn.run {
            0 => turn.meant.clone(),
            _ => Vec::new(),
        };
        let names = match self.called_in_words(&turn.written) {
            Some(name) => vec![name],
            None => meant,
        };
        if names.is_empty() {
            return false;
        }
        if let Some(turn) = &mut self.turn {
            turn.nudges += 1;
        }
        notice(
            Level::Info,
            "The model called nothing; it is asked to make its call.",
            out,
        );
        let text = "Nothing was called: those were words. Make the call now.".to_owned();
        self.remember(Message::User { text }, out);
        self.generate(ToolChoice::Required { names }, out);
        true
    }
}
