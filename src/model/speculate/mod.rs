//! Guessing what a model writes next, so that several tokens are evaluated at once.
//!
//! A model that edits or quotes copies most of what it writes. [`Lookup`] follows the copy, over the places where it
//! departs from the original too; [`Gate`] decides from how often that was right lately, and from what batches cost on
//! this machine ([`Curve`]), how many tokens are worth evaluating ahead: none, in new text. A guess is never taken
//! because it was guessed: the model's own logits choose each token, and what does not match them is dropped. Where there
//! is nothing to copy a smaller model of the same vocabulary may draft; [`Pace`] decides how far that pays.

mod curve;
mod gate;
mod lookup;
mod pace;
#[cfg(test)]
mod tests;

pub use curve::Curve;
pub use gate::Gate;
pub use lookup::{Kind, Lookup, Outcome};
pub use pace::Pace;

/// A token of a vocabulary.
pub type Token = i32;

/// The most tokens that are guessed at once.
pub const MOST: usize = 63;

/// Whether tokens are guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Speculation {
    Off,
    /// Where it pays, as far as it pays.
    #[default]
    Adaptive,
    /// Always so many, wherever something is being copied: for measuring, and for tests.
    Fixed(usize),
    /// Always so many from the draft model, and none that are copied: for measuring, and for tests.
    Drafted(usize),
}

/// Guesses the tokens of one answer.
#[derive(Debug)]
pub struct Speculator {
    mode: Speculation,
    lookup: Lookup,
    gate: Gate,
}

impl Speculator {
    /// Begins after a prompt.
    pub fn new(mode: Speculation, prompt: Vec<Token>) -> Self {
        Self {
            mode,
            lookup: Lookup::new(prompt),
            gate: Gate::default(),
        }
    }

    /// Adds a text that the answer may copy from, as it would be written.
    pub fn add_source(&mut self, tokens: Vec<Token>) {
        if self.mode != Speculation::Off {
            self.lookup.add_source(tokens);
        }
    }

    /// Takes in a token of the answer.
    pub fn observe(&mut self, token: Token) {
        if self.mode == Speculation::Off {
            return;
        }
        if let Some(outcome) = self.lookup.observe(token) {
            self.gate.learn(outcome);
        }
    }

    /// Forgets the last tokens of the answer.
    pub fn take_back(&mut self, tokens: usize) {
        self.lookup.take_back(tokens);
    }

    /// Takes in how many tokens of a guess were right.
    pub fn settle(&mut self, certain: usize, guessed: usize, right: usize, curve: &Curve) {
        self.gate.settle(certain, guessed, right, curve);
    }

    /// Guesses at most `room` tokens that follow `certain` ones which are evaluated anyway. `fits` returns how many of
    /// the first tokens of a guess could be written at all.
    pub fn guess(
        &self,
        certain: usize,
        room: usize,
        curve: &Curve,
        fits: impl FnOnce(&[Token]) -> usize,
    ) -> Vec<Token> {
        let room = room.min(MOST);
        let (most, matched) = match (self.mode, self.lookup.matched()) {
            (Speculation::Off | Speculation::Drafted(_), _) | (_, None) => return Vec::new(),
            (Speculation::Fixed(most), Some(matched)) => (most.min(room), matched),
            (Speculation::Adaptive, Some(matched)) => {
                (self.gate.length(matched, certain, room, curve), matched)
            }
        };
        if most == 0 {
            return Vec::new();
        }
        let mut guess = self.lookup.continuation(most);
        let fitting = fits(&guess);
        guess.truncate(fitting);
        if self.mode == Speculation::Adaptive && guess.len() < most {
            // Less is there than would pay.
            let most = self.gate.length(matched, certain, guess.len(), curve);
            guess.truncate(most);
        }
        guess
    }
}
