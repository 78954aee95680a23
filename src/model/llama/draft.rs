//! A second, smaller model that writes ahead what the model is then asked about.

use std::time::Instant;

use super::memory::Sequence;
use super::native::{Context, ContextOptions, DecodeError, Decoded, Logits, Token, Weights};
use crate::model::speculate::{Curve, Pace};

/// How many tokens of both vocabularies may differ in number: files of one family pad them differently.
const PADDING: usize = 256;

/// A draft model with what it has evaluated.
pub(super) struct Drafter<'w> {
    context: Context<'w>,
    /// What its sequence holds.
    tokens: Vec<Token>,
    /// The tokens that both models have.
    common: usize,
    pace: Pace,
    /// Something failed: it drafts no more.
    is_broken: bool,
}

/// Tells why a model cannot draft for another one: their tokens must be the same.
pub(super) fn mismatch(weights: &Weights, draft: &Weights) -> Option<String> {
    let (all, drafted) = (weights.vocabulary(), draft.vocabulary());
    if all.abs_diff(drafted) > PADDING {
        return Some(format!(
            "it has {drafted} tokens, and the model has {all}: only a smaller model of the same family can draft"
        ));
    }
    let differs = (0..all.min(drafted)).find(|token| {
        let token = Token::try_from(*token).unwrap_or(0);
        weights.piece(token) != draft.piece(token)
            || weights.ends_generation(token) != draft.ends_generation(token)
    });
    differs.map(|token| {
        format!("its token {token} is not the model's: only a smaller model of the same family can draft")
    })
}

impl<'w> Drafter<'w> {
    /// Makes a context for a draft model that fits the model.
    pub(super) fn new(
        model: &Weights,
        draft: &'w Weights,
        options: ContextOptions,
    ) -> Result<Self, String> {
        if let Some(reason) = mismatch(model, draft) {
            return Err(reason);
        }
        let share = draft.parameters() as f32 / model.parameters().max(1) as f32;
        Ok(Self {
            context: Context::new(draft, options)?,
            tokens: Vec::new(),
            common: model.vocabulary().min(draft.vocabulary()),
            pace: Pace::new(share),
            is_broken: false,
        })
    }

    /// Returns how many tokens are worth drafting after `certain` ones.
    pub(super) fn length(&mut self, certain: usize, room: usize, curve: &Curve) -> usize {
        if self.is_broken {
            return 0;
        }
        let length = self.pace.length(certain, room, curve);
        if length == 0 {
            self.pace.pass(certain);
        }
        length
    }

    /// Drafts what follows `known` tokens, which always are the whole of the conversation: the likeliest, one by one.
    pub(super) fn draft(
        &mut self,
        known: &[Token],
        most: usize,
        curve: &Curve,
        stop: &dyn Fn() -> bool,
    ) -> Vec<Token> {
        if self.is_broken || most == 0 || known.len() + most > self.context.window() {
            return Vec::new();
        }
        self.context.wake();
        let drafted = self.write(known, most, curve, stop);
        match drafted {
            Ok(drafted) => drafted,
            Err(DecodeError::Stopped) => Vec::new(),
            Err(DecodeError::Failed(reason)) => {
                tracing::warn!("the draft model drafts no more: {reason}");
                self.is_broken = true;
                Vec::new()
            }
        }
    }

    /// Takes in how many tokens of a draft were right.
    pub(super) fn learn(&mut self, drafted: usize, right: usize) {
        self.pace.learn(drafted, right);
    }

    /// Lets its workers sleep.
    pub(super) fn rest(&mut self) {
        self.context.rest();
    }

    fn write(
        &mut self,
        known: &[Token],
        most: usize,
        curve: &Curve,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<Token>, DecodeError> {
        let same = known
            .iter()
            .zip(&self.tokens)
            .take_while(|(known, held)| known == held)
            .count();
        // The last token is evaluated again for its logits.
        self.keep(same.min(known.len() - 1));
        for batch in known[self.tokens.len()..].chunks(self.context.batch()) {
            self.evaluate(batch, stop)?;
        }
        let started = Instant::now();
        let mut drafted = Vec::new();
        while drafted.len() < most {
            let Some(token) = self.likeliest() else {
                break;
            };
            drafted.push(token);
            if self.context.weights().ends_generation(token) {
                break;
            }
            if drafted.len() < most {
                self.evaluate(&[token], stop)?;
            }
        }
        // The last one was not evaluated; the catching up with the first was not counted.
        self.pace
            .note(drafted.len().saturating_sub(1), started.elapsed(), curve);
        Ok(drafted)
    }

    fn evaluate(&mut self, tokens: &[Token], stop: &dyn Fn() -> bool) -> Result<(), DecodeError> {
        if stop() {
            return Err(DecodeError::Stopped);
        }
        let at = self.tokens.len();
        let done = self
            .context
            .decode(Sequence::MAIN, tokens, at, Logits::OfLast(1), stop);
        match done {
            Ok(Decoded::Done) => {
                self.tokens.extend(tokens);
                Ok(())
            }
            Ok(Decoded::NoRoom) => {
                self.keep(0);
                Err(DecodeError::Failed("its window is full".to_owned()))
            }
            Err(error) => {
                self.keep(at);
                Err(error)
            }
        }
    }

    /// Keeps the first tokens alone, or none where it cannot forget a part.
    fn keep(&mut self, tokens: usize) {
        let can_cut = self
            .context
            .can_cut(Sequence::MAIN, self.tokens.len(), tokens);
        if can_cut && self.context.forget_from(Sequence::MAIN, tokens) {
            self.tokens.truncate(tokens);
        } else {
            self.context.forget(Sequence::MAIN);
            self.tokens.clear();
        }
    }

    fn likeliest(&self) -> Option<Token> {
        let logits = self.context.logits(0)?;
        let (token, _) = logits
            .iter()
            .take(self.common)
            .enumerate()
            .max_by(|(_, one), (_, other)| one.total_cmp(other))?;
        Token::try_from(token).ok()
    }
}
