//! Doubts: a text is evaluated as if the model had written it, and where it would have written something else, that is
//! begun and written on.
//!
//! One evaluation tells of every token of the text what else was likely there. The likeliest of those are taken from
//! the end of the text to its beginning: what is evaluated of the text before a departure stays, and only what is
//! written after it costs tokens.

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
        let needed = lead.len() + text.len() + LONGEST;
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
        self.engine.cache.feed(&lead, &stop)?;
        let begin = self.engine.cache.len();
        let pieces: Vec<Vec<u8>> = text.iter().map(|token| weights.piece(*token)).collect();
        let Some(places) = places(&pieces, &doubts.text) else {
            return Ok(Finish::Stop);
        };
        let mut found = self.weigh(&text, &places, doubts, &stop)?;
        found.sort_by(|one, other| other.likelihood.total_cmp(&one.likelihood));
        let mut chosen: Vec<(usize, Doubt)> = found
            .into_iter()
            .skip(doubts.skip)
            .take(doubts.most)
            .enumerate()
            .collect();
        chosen.sort_by_key(|(rank, doubt)| (std::cmp::Reverse(doubt.place), *rank));
        let mut told: Vec<(usize, Departure)> = Vec::with_capacity(chosen.len());
        for (rank, doubt) in chosen {
            if self.is_stopped() {
                return Err(Halt::Cancelled);
            }
            let beyond = self.engine.cache.len() - (begin + doubt.place);
            self.engine.cache.drop_last(beyond);
            let written = self.write_on(doubt.token, &stop)?;
            let departure = Departure {
                at: places[doubt.place],
                likelihood: doubt.likelihood.exp(),
                written,
            };
            told.push((rank, departure));
        }
        told.sort_by_key(|(rank, _)| *rank);
        for (_, departure) in told {
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

    /// Writes on after a departure, the likeliest token each time.
    fn write_on(&mut self, first: Token, stop: &dyn Fn() -> bool) -> Result<String, Halt> {
        let weights = self.engine.cache.weights();
        let mut written = weights.piece(first);
        let mut token = first;
        let ended = |written: &[u8]| {
            let lines = written.iter().filter(|byte| **byte == b'\n');
            lines.count() >= LINES
        };
        for _ in 0..LONGEST {
            if ended(&written) {
                break;
            }
            self.engine.cache.push(&[token], &[], stop)?;
            self.usage.generated += 1;
            let logits = self.engine.cache.context().logits(0);
            let next = logits.and_then(likeliest_of_all);
            token = next.ok_or_else(|| failed("it computed no usable numbers".to_owned()))?;
            let piece = weights.piece(token);
            let closes = piece.starts_with(b"```") && written.ends_with(b"\n");
            if weights.ends_generation(token) || weights.is_control(token) || closes {
                break;
            }
            written.extend(piece);
        }
        Ok(String::from_utf8_lossy(&written).into_owned())
    }
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
