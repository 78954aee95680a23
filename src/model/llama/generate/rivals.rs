//! Rivals: lines that could stand in each other's place, and which of them the model would sooner have written.
//!
//! A language model that reads code gives likely code a high probability, and code with a fault mostly a lower one than
//! the same without it (Ray et al., "On the naturalness of buggy code", 2016). Nothing is generated: each rival costs the
//! evaluation of its lines.

use std::ops::Range;

use super::super::native::Token;
use super::{Answer, Halt, count, failed};
use crate::protocol::{Doubts, Finish, ModelEvent};

/// How many tokens are evaluated at once: each leaves a number for every token of the vocabulary.
const CHUNK: usize = 64;

/// The longest lines that are weighed, in tokens.
pub(super) const LONGEST: usize = 256;

/// How much of the line that comes after counts, in bytes.
const AFTER: usize = 200;

impl Answer<'_, '_> {
    /// Tells of each rival by how much it is likelier than what stands there, both with the line after them. Those that
    /// are too long are passed over, and where a vocabulary does not give texts again.
    pub(super) fn compare(
        &mut self,
        lead: &[Token],
        doubts: &Doubts,
        stop: &dyn Fn() -> bool,
    ) -> Result<Finish, Halt> {
        let weights = self.engine.cache.weights();
        let Some((last, lead)) = lead.split_last() else {
            return Ok(Finish::Stop);
        };
        self.engine.cache.feed(lead, stop)?;
        let (mut last, mut at) = (*last, 0);
        for (number, rival) in doubts.rivals.iter().enumerate() {
            let text = &doubts.text;
            let (Some(before), Some(own)) = (
                text.get(at..rival.at.start),
                text.get(rival.at.start..rival.at.end),
            ) else {
                continue;
            };
            // The last token before the lines is evaluated with each of them: its logits are about their first one.
            let mut known = vec![last];
            known.extend(weights.tokenize(before));
            last = known.pop().unwrap_or(last);
            self.engine.cache.feed(&known, stop)?;
            at = rival.at.start;
            let after = &text[after(text, rival.at.end)];
            let of = |lines: &str| {
                let text = format!("{lines}{after}");
                let tokens = weights.tokenize(&text);
                let pieces: Vec<u8> = tokens.iter().flat_map(|it| weights.piece(*it)).collect();
                (pieces == text.as_bytes() && tokens.len() <= LONGEST).then_some(tokens)
            };
            let (Some(own), Some(other)) = (of(own), of(&rival.other)) else {
                continue;
            };
            let likelier =
                self.likelihood(last, &other, stop)? - self.likelihood(last, &own, stop)?;
            let event = ModelEvent::Weighed {
                rival: number,
                likelier,
            };
            // A receiver that is gone stops the answer by itself.
            let _ = self.events.blocking_send(event);
        }
        Ok(Finish::Stop)
    }

    /// Returns the logarithm of how likely tokens are after what is evaluated and one token more, and forgets all of
    /// them again.
    fn likelihood(
        &mut self,
        before: Token,
        tokens: &[Token],
        stop: &dyn Fn() -> bool,
    ) -> Result<f32, Halt> {
        let (mut before, mut sum, mut evaluated) = (before, 0.0, 0);
        for chunk in tokens.chunks(CHUNK) {
            let Some((last, rest)) = chunk.split_last() else {
                break;
            };
            self.engine.cache.push(&[before], rest, stop)?;
            evaluated += chunk.len();
            for (index, token) in chunk.iter().enumerate() {
                let logits = self.engine.cache.context().logits(chunk.len() - 1 - index);
                let logits =
                    logits.ok_or_else(|| failed("it computed no usable numbers".to_owned()))?;
                sum += likelihood(logits, *token)
                    .ok_or_else(|| failed("it computed no usable numbers".to_owned()))?;
            }
            before = *last;
        }
        self.engine.cache.drop_last(evaluated);
        self.usage.prompt += count(evaluated);
        Ok(sum)
    }
}

/// Returns the part of a text that begins there and ends with its line, as far as it counts.
fn after(text: &str, from: usize) -> Range<usize> {
    let rest = &text[from..];
    let line = rest.find('\n').map_or(rest.len(), |newline| newline + 1);
    let end = (0..=line.min(AFTER))
        .rev()
        .find(|end| rest.is_char_boundary(*end))
        .unwrap_or(0);
    from..from + end
}

/// Returns the logarithm of a token's probability.
fn likelihood(logits: &[f32], token: Token) -> Option<f32> {
    let own = *logits.get(usize::try_from(token).ok()?)?;
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - most).exp()).sum();
    let likelihood = own - most - sum.ln();
    likelihood.is_finite().then_some(likelihood)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likelihoods_are_logarithms_of_probabilities() {
        let logits = [0.0, 2.0, -3.0];
        let sum: f32 = (0..3)
            .filter_map(|token| likelihood(&logits, token))
            .map(f32::exp)
            .sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        assert_eq!(likelihood(&logits, 3), None);
        assert_eq!(likelihood(&logits, -1), None);
        assert_eq!(likelihood(&[f32::NAN; 2], 0), None);
    }

    #[test]
    fn what_comes_after_ends_with_its_line() {
        let text = "a\nbc\nd";
        assert_eq!(&text[after(text, 2)], "bc\n");
        assert_eq!(&text[after(text, 5)], "d");
        assert_eq!(&text[after(text, 6)], "");
        let wide = "ä".repeat(150);
        assert_eq!(after(&wide, 0), 0..AFTER);
    }
}
