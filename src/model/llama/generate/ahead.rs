//! Evaluating ahead: tokens that are guessed to come next, in one batch with those that were written.
//!
//! Each token is still drawn from the logits that the model computed for its place, and under its mask. A guess only
//! saves a batch where it is what was drawn, and is forgotten where it is not.

use std::collections::VecDeque;
use std::time::Instant;

use super::super::native::Token;
use super::calls::Draft;
use super::{Answer, Halt};
use crate::model::speculate::{Speculation, Speculator};
use crate::protocol::CallForm;

/// What is evaluated, but not written yet.
#[derive(Debug)]
pub(super) struct Ahead {
    guessed: VecDeque<Token>,
    /// How many tokens of the last batch were certain, guessed, and guessed right.
    last: (usize, usize, usize),
    /// `None` until the answer begins, and where nothing can be taken back.
    speculator: Option<Speculator>,
    /// The draft model wrote what is evaluated ahead.
    is_drafted: bool,
    /// The passages are among the texts that may be copied.
    knows_passages: bool,
}

impl Ahead {
    /// Begins with nothing.
    pub(super) fn new() -> Self {
        Self {
            guessed: VecDeque::new(),
            last: (0, 0, 0),
            speculator: None,
            is_drafted: false,
            knows_passages: false,
        }
    }

    /// Takes written tokens back.
    pub(super) fn take_back(&mut self, tokens: usize) {
        if let Some(speculator) = &mut self.speculator {
            speculator.take_back(tokens);
        }
    }

    /// Returns how many tokens are evaluated beyond what is written.
    pub(super) fn len(&self) -> usize {
        self.guessed.len()
    }
}

impl Answer<'_, '_> {
    /// Begins to guess, where a wrong guess can be taken back.
    pub(super) fn look_ahead(&mut self) {
        let cache = &self.engine.cache;
        if cache.cuts_anywhere() {
            let speculator = Speculator::new(self.engine.speculation, cache.tokens());
            self.ahead.speculator = Some(speculator);
        }
    }

    /// Lets a call copy from the passages, in the form that its arguments are written in.
    pub(super) fn offer_passages(&mut self, form: CallForm) {
        let weights = self.engine.cache.weights();
        let Some(speculator) = &mut self.ahead.speculator else {
            return;
        };
        // The prompt has them as they are.
        let is_plain = matches!(
            form,
            CallForm::FunctionTag | CallForm::SeedTag | CallForm::ArgKeys | CallForm::Braces
        );
        if is_plain || self.ahead.knows_passages {
            return;
        }
        self.ahead.knows_passages = true;
        for passages in &self.request.passages {
            let quoted = serde_json::Value::from(&*passages.text).to_string();
            speculator.add_source(weights.tokenize(&quoted));
        }
    }

    /// Evaluates tokens that were written, as far as that was not done ahead, and what is guessed to follow them.
    pub(super) fn advance(
        &mut self,
        tokens: &[Token],
        stop: &dyn Fn() -> bool,
    ) -> Result<(), Halt> {
        if let Some(speculator) = &mut self.ahead.speculator {
            tokens.iter().for_each(|token| speculator.observe(*token));
        }
        let right = tokens
            .iter()
            .zip(&self.ahead.guessed)
            .take_while(|(token, guessed)| token == guessed)
            .count();
        self.ahead.guessed.drain(..right);
        self.ahead.last.2 += right;
        self.usage.guessed_right += super::count(right);
        let rest = &tokens[right..];
        if rest.is_empty() {
            return Ok(());
        }
        self.settle();
        self.judge_guess();
        let guessed = self.guess(rest, stop);
        let started = Instant::now();
        self.engine.cache.push(rest, &guessed, stop)?;
        self.engine.tally.batches += 1;
        let batch = rest.len() + guessed.len();
        self.engine.curve.note(batch, started.elapsed());
        self.usage.guessed += super::count(guessed.len());
        self.ahead.last = (rest.len(), guessed.len(), 0);
        self.ahead.guessed = guessed.into();
        Ok(())
    }

    /// Tells who guessed last how much of it was right.
    fn judge_guess(&mut self) {
        let (certain, guessed @ 1.., right) = self.ahead.last else {
            return;
        };
        self.ahead.last = (0, 0, 0);
        match (&mut self.engine.drafter, &mut self.ahead.speculator) {
            (Some(drafter), _) if self.ahead.is_drafted => drafter.learn(guessed, right),
            (_, Some(speculator)) => {
                speculator.settle(certain, guessed, right, &self.engine.curve);
            }
            _ => {}
        }
    }

    /// Forgets what was evaluated ahead.
    pub(super) fn settle(&mut self) {
        if !self.ahead.guessed.is_empty() {
            self.engine.cache.drop_last(self.ahead.guessed.len());
            self.ahead.guessed.clear();
        }
    }

    /// Guesses what follows written tokens that are about to be evaluated: by what was written before, or else by the
    /// draft model.
    fn guess(&mut self, written: &[Token], stop: &dyn Fn() -> bool) -> Vec<Token> {
        self.ahead.is_drafted = false;
        let Some(speculator) = &self.ahead.speculator else {
            return Vec::new();
        };
        let engine = &mut *self.engine;
        let left = self
            .request
            .sampling
            .max_tokens
            .saturating_sub(self.usage.generated);
        let room = (engine.cache.room().min(engine.cache.context().batch()))
            .saturating_sub(written.len() + 1)
            .min(left.saturating_sub(1) as usize);
        let weights = engine.cache.weights();
        let draft = &mut self.draft;
        let mut fits = |guess: &[Token]| {
            let text = guess
                .iter()
                .take_while(|token| {
                    !weights.is_control(**token) && !weights.ends_generation(**token)
                })
                .count();
            match draft {
                Draft::Constrained(constraint) => {
                    let ids: Vec<u32> = guess[..text].iter().map(|t| t.cast_unsigned()).collect();
                    constraint.fitting(&ids)
                }
                Draft::None | Draft::Free => text,
            }
        };
        let copied = speculator.guess(written.len(), room, &engine.curve, &mut fits);
        let Some(drafter) = engine.drafter.as_mut().filter(|_| copied.is_empty()) else {
            return copied;
        };
        let most = match engine.speculation {
            Speculation::Adaptive => drafter.length(written.len(), room, &engine.curve),
            Speculation::Drafted(most) => most.min(room),
            Speculation::Off | Speculation::Fixed(_) => 0,
        };
        if most == 0 {
            return Vec::new();
        }
        let mut known = engine.cache.tokens();
        known.extend(written);
        let mut drafted = drafter.draft(&known, most, &engine.curve, stop);
        drafted.truncate(fits(&drafted));
        self.ahead.is_drafted = true;
        drafted
    }
}
