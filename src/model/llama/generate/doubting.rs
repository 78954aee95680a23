//! Doubts: a text is evaluated as if the model had written it, and where it would have written something else, that is
//! begun and written on.
//!
//! One evaluation tells of every token of the text what else was likely there. The likeliest of those are written on side
//! by side, each on a branch that shares what stands before it: only what is written after it costs tokens, and a token
//! of all branches costs little more than one alone.

use std::collections::VecDeque;

use super::super::cache::Step;
use super::super::native::Token;
use super::{Answer, Halt, count, failed};
use crate::protocol::{Departure, Doubts, Finish, ModelEvent, ModelFailure};

/// How many tokens of the text are evaluated at once: each leaves a number for every token of the vocabulary.
const CHUNK: usize = 64;

/// How unlikely a departure may be, as the logarithm of its probability, and how many there may be at one token.
const UNLIKELIEST: f32 = -9.0;
const AT_ONE_TOKEN: usize = 8;

/// How many tokens are written after a departure, and how many lines are ended.
const LONGEST: usize = 48;
const LINES: usize = 2;

/// Something else that was likely at a token of the text.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Doubt {
    /// The logarithm of its probability.
    likelihood: f32,
    place: usize,
    token: Token,
}

impl Answer<'_, '_> {
    /// Evaluates the text, and tells the likeliest departures from it. A model whose state cannot be taken back has
    /// none, and one whose tokens do not give the text again.
    pub(super) fn doubt(&mut self, doubts: &Doubts) -> Result<Finish, Halt> {
        if !self.engine.cache.cuts_anywhere() {
            return Ok(Finish::Stop);
        }
        let weights = self.engine.cache.weights();
        let lead = weights.tokenize(&doubts.lead);
        let text = weights.tokenize(&doubts.text);
        let longest = match doubts.rivals.is_empty() {
            true => LONGEST,
            false => super::rivals::LONGEST,
        };
        let needed = lead.len() + text.len() + longest;
        if needed > self.engine.cache.room() {
            let window = self.engine.cache.context().window();
            return Err(Halt::Failed(ModelFailure::ContextFull {
                needed: count(window - self.engine.cache.room() + needed),
                context: count(window),
            }));
        }
        self.usage.prompt += count(lead.len() + text.len());
        let (cancel, events) = (self.cancel, self.events);
        let stop = || cancel.is_cancelled() || events.is_closed();
        if !doubts.rivals.is_empty() {
            return self.compare(&lead, doubts, &stop);
        }
        self.engine.cache.feed(&lead, &stop)?;
        let begin = self.engine.cache.len();
        let pieces: Vec<Vec<u8>> = text.iter().map(|token| weights.piece(*token)).collect();
        let Some(places) = places(&pieces, &doubts.text) else {
            return Ok(Finish::Stop);
        };
        let mut found = self.weigh(&text, &places, doubts, &stop)?;
        found.sort_by(|one, other| other.likelihood.total_cmp(&one.likelihood));
        let chosen = found.into_iter().skip(doubts.skip).take(doubts.most);
        let chosen: Vec<Doubt> = chosen.collect();
        let written = self.write_on(&chosen, begin, &stop);
        self.engine.cache.end_branches();
        for (doubt, written) in chosen.iter().zip(written?) {
            let departure = Departure {
                at: places[doubt.place],
                likelihood: doubt.likelihood.exp(),
                written: String::from_utf8_lossy(&written).into_owned(),
            };
            // A receiver that is gone stops the answer by itself.
            let _ = self
                .events
                .blocking_send(ModelEvent::Departed { departure });
        }
        Ok(Finish::Stop)
    }

    /// Evaluates the text, and finds what else was likely at its tokens.
    fn weigh(
        &mut self,
        text: &[Token],
        places: &[usize],
        doubts: &Doubts,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<Doubt>, Halt> {
        let mut found = Vec::new();
        for (number, chunk) in text.chunks(CHUNK).enumerate() {
            let first = number * CHUNK;
            self.doubt_token(first, 0, text, places, doubts, &mut found)?;
            let (token, rest) = (&chunk[..1], &chunk[1..]);
            self.engine.cache.push(token, rest, stop)?;
            for index in 1..chunk.len() {
                let later = chunk.len() - index;
                self.doubt_token(first + index, later, text, places, doubts, &mut found)?;
            }
        }
        Ok(found)
    }

    /// Finds what else was likely at a token, by the logits of the one before it: those that so many others came after.
    fn doubt_token(
        &mut self,
        place: usize,
        before_last: usize,
        text: &[Token],
        places: &[usize],
        doubts: &Doubts,
        found: &mut Vec<Doubt>,
    ) -> Result<(), Halt> {
        let at = places[place];
        if !doubts.within.iter().any(|range| range.contains(&at)) {
            return Ok(());
        }
        let weights = self.engine.cache.weights();
        let logits = self.engine.cache.context().logits(before_last);
        let logits = logits.ok_or_else(|| failed("it computed no usable numbers".to_owned()))?;
        let others = likeliest(logits, text[place])
            .into_iter()
            .filter(|(_, token)| !weights.is_control(*token) && !weights.ends_generation(*token));
        found.extend(others.map(|(likelihood, token)| Doubt {
            likelihood,
            place,
            token,
        }));
        Ok(())
    }

    /// Writes on after departures, the likeliest token each time. Returns what was written of each.
    fn write_on(
        &mut self,
        chosen: &[Doubt],
        begin: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<Vec<u8>>, Halt> {
        let weights = self.engine.cache.weights();
        let mut written: Vec<Vec<u8>> = chosen.iter().map(|it| weights.piece(it.token)).collect();
        let mut waiting: VecDeque<usize> = (0..chosen.len())
            .filter(|number| !is_ended(&written[*number]))
            .collect();
        let mut going: Vec<(Step, usize)> = Vec::new();
        let mut free: Vec<usize> = (0..self.engine.cache.branches(LONGEST)).rev().collect();
        loop {
            while let Some(branch) = free.pop() {
                let Some(number) = waiting.pop_front() else {
                    free.push(branch);
                    break;
                };
                let position = begin + chosen[number].place;
                self.engine.cache.begin_branch(branch, position);
                let token = chosen[number].token;
                going.push((
                    Step {
                        branch,
                        position,
                        token,
                    },
                    number,
                ));
            }
            if going.is_empty() {
                return Ok(written);
            }
            let steps: Vec<Step> = going.iter().map(|(step, _)| *step).collect();
            self.engine.cache.step(&steps, stop)?;
            self.usage.generated += count(steps.len());
            let mut next = Vec::with_capacity(going.len());
            for (index, (mut step, number)) in going.into_iter().enumerate() {
                let logits = self.engine.cache.context().logits(steps.len() - 1 - index);
                let token = logits
                    .and_then(likeliest_of_all)
                    .ok_or_else(|| failed("it computed no usable numbers".to_owned()))?;
                let (piece, text) = (weights.piece(token), &mut written[number]);
                let closes = piece.starts_with(b"```") && text.ends_with(b"\n");
                let ends = weights.ends_generation(token) || weights.is_control(token) || closes;
                if !ends {
                    text.extend(piece);
                }
                step.position += 1;
                step.token = token;
                let length = step.position - (begin + chosen[number].place);
                match ends || is_ended(text) || length >= LONGEST {
                    true => free.push(step.branch),
                    false => next.push((step, number)),
                }
            }
            going = next;
        }
    }
}

/// Tells whether enough was written after a departure.
fn is_ended(written: &[u8]) -> bool {
    written.iter().filter(|byte| **byte == b'\n').count() >= LINES
}

/// Returns where in a text its tokens begin, in bytes. Some vocabularies put a space before any text (SentencePiece's
/// `add_dummy_prefix`); the first token then begins before it.
fn places(pieces: &[Vec<u8>], text: &str) -> Option<Vec<usize>> {
    let whole = pieces.concat();
    let added = match whole.strip_suffix(text.as_bytes())? {
        [] => 0,
        [b' '] => 1,
        _ => return None,
    };
    let mut at = 0;
    let begins = pieces.iter().map(|piece| {
        let begin = at;
        at += piece.len();
        usize::saturating_sub(begin, added)
    });
    Some(begins.collect())
}

/// Returns the likeliest tokens but for one, with the logarithms of their probabilities.
fn likeliest(logits: &[f32], own: Token) -> Vec<(f32, Token)> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !most.is_finite() {
        return Vec::new();
    }
    let sum: f32 = logits.iter().map(|logit| (logit - most).exp()).sum();
    let all = most + sum.ln();
    let mut found: Vec<(f32, Token)> = Vec::new();
    for (token, logit) in logits.iter().enumerate() {
        let likelihood = logit - all;
        let Ok(token) = Token::try_from(token) else {
            break;
        };
        if likelihood >= UNLIKELIEST && token != own {
            found.push((likelihood, token));
        }
    }
    found.sort_by(|one, other| other.0.total_cmp(&one.0));
    found.truncate(AT_ONE_TOKEN);
    found
}

fn likeliest_of_all(logits: &[f32]) -> Option<Token> {
    let found = logits
        .iter()
        .enumerate()
        .filter(|(_, logit)| !logit.is_nan())
        .max_by(|one, other| one.1.total_cmp(other.1))?;
    Token::try_from(found.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_else_is_likely_comes_in_its_order_and_the_unlikely_not_at_all() {
        let logits = [0.0, 5.0, 4.0, -20.0, 3.0];
        let tokens: Vec<Token> = likeliest(&logits, 1).iter().map(|it| it.1).collect();
        assert_eq!(tokens, [2, 4, 0]);
        let sum: f32 = likeliest(&logits, 3).iter().map(|it| it.0.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-3, "they are probabilities: {sum}");
        assert!(likeliest(&[f32::NAN; 3], 0).is_empty());
        assert_eq!(likeliest_of_all(&logits), Some(1));
        assert_eq!(likeliest_of_all(&[f32::NAN]), None);
    }

    #[test]
    fn a_space_that_a_vocabulary_puts_before_a_text_is_no_part_of_it() {
        let found = |texts: &[&str], text| {
            let pieces: Vec<Vec<u8>> = texts.iter().map(|it| it.as_bytes().to_vec()).collect();
            places(&pieces, text)
        };
        assert_eq!(found(&["def", " f", "()"], "def f()"), Some(vec![0, 3, 5]));
        assert_eq!(found(&[" def", " f", "()"], "def f()"), Some(vec![0, 3, 5]));
        assert_eq!(found(&[" ", "def", " f"], "def f"), Some(vec![0, 0, 3]));
        assert_eq!(found(&[" def"], " def"), Some(vec![0]));
        assert_eq!(found(&["x", "def"], "def"), None);
        assert_eq!(found(&["def"], "defer"), None);
        assert_eq!(found(&[], ""), Some(vec![]));
    }
}
