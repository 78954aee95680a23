//! Drawing a token from logits.

use toktrie::SimpleVob;

use super::native::Token;
use crate::protocol::Sampling;

/// Draws tokens: greedily, or by chance from a seed.
#[derive(Debug)]
pub(super) struct Sampler {
    temperature: f32,
    top_k: usize,
    top_p: f32,
    random: Random,
}

impl Sampler {
    /// Makes a sampler; the same seed draws the same tokens.
    pub(super) fn new(sampling: &Sampling) -> Self {
        Self {
            temperature: sampling.temperature,
            top_k: sampling.top_k as usize,
            top_p: sampling.top_p,
            random: Random(u64::from(sampling.seed)),
        }
    }

    /// Draws a token among those that the mask allows, or `None` if there is none with usable logits.
    pub(super) fn draw(&mut self, logits: &[f32], mask: Option<&SimpleVob>) -> Option<Token> {
        let index = if self.temperature > 0.0 {
            self.draw_by_chance(logits, mask)
        } else {
            greatest(logits, &greatest_of_blocks(logits), mask).map(|(index, _)| index)
        }?;
        Token::try_from(index).ok()
    }

    fn draw_by_chance(&mut self, logits: &[f32], mask: Option<&SimpleVob>) -> Option<usize> {
        let blocks = greatest_of_blocks(logits);
        let (_, greatest) = greatest(logits, &blocks, mask)?;
        // What is less likely than this weighs nothing in the sum of all, even taken together.
        let least = greatest - NEGLIGIBLE * self.temperature;
        let mut candidates: Vec<(usize, f32)> = Vec::new();
        for (number, block) in blocks.iter().enumerate() {
            if *block >= least {
                each_allowed(logits, number, mask, |index, logit| {
                    if logit >= least {
                        candidates.push((index, logit));
                    }
                });
            }
        }
        let descending = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1);
        if self.top_k > 0 && self.top_k < candidates.len() {
            candidates.select_nth_unstable_by(self.top_k - 1, descending);
            candidates.truncate(self.top_k);
        }
        candidates.sort_unstable_by(descending);
        for (_, weight) in &mut candidates {
            *weight = ((*weight - greatest) / self.temperature).exp();
        }
        let total: f32 = candidates.iter().map(|(_, weight)| weight).sum();
        // Top-p keeps the most likely tokens until their share is reached, the first one always.
        let mut kept = 0.0;
        let mut count = 0;
        for (_, weight) in &candidates {
            kept += weight;
            count += 1;
            if kept >= self.top_p * total {
                break;
            }
        }
        let mut point = self.random.share() * kept;
        for (index, weight) in &candidates[..count] {
            point -= weight;
            if point <= 0.0 {
                return Some(*index);
            }
        }
        candidates.first().map(|(index, _)| *index)
    }
}

/// How many logits are looked at as one, before any of them is. A multiple of a mask's word.
const BLOCK: usize = 256;

/// How many tokens a word of a mask is for.
const WORD: usize = u32::BITS as usize;

/// So many times the temperature below the greatest logit, all 150,000 tokens of a vocabulary together weigh less than
/// the rounding of the sum: e^-30 is 9e-14.
const NEGLIGIBLE: f32 = 30.0;

/// Returns the greatest finite logit of each block, negative infinity where there is none. This is the only pass over
/// the whole vocabulary, a few megabytes a second of answer, and compiles to vector instructions.
fn greatest_of_blocks(logits: &[f32]) -> Vec<f32> {
    const LANES: usize = 16;
    let of_block = |block: &[f32]| {
        let mut lanes = [f32::NEG_INFINITY; LANES];
        let (wide, rest) = block.as_chunks::<LANES>();
        for numbers in wide {
            for (lane, number) in lanes.iter_mut().zip(numbers) {
                *lane = greater(*lane, *number);
            }
        }
        let lanes = lanes.into_iter().chain(rest.iter().copied());
        lanes.fold(f32::NEG_INFINITY, greater)
    };
    logits.chunks(BLOCK).map(of_block).collect()
}

/// The greater one, where the new one is a number: a comparison with NaN is false.
fn greater(known: f32, new: f32) -> f32 {
    if new > known && new < f32::INFINITY {
        new
    } else {
        known
    }
}

/// Calls `look` with each finite logit of a block that the mask allows.
fn each_allowed(
    logits: &[f32],
    block: usize,
    mask: Option<&SimpleVob>,
    mut look: impl FnMut(usize, f32),
) {
    let start = block * BLOCK;
    let Some(numbers) = logits.get(start..logits.len().min(start + BLOCK)) else {
        return;
    };
    let mut look_at = |offset: usize| {
        if let Some(logit) = numbers.get(offset).filter(|logit| logit.is_finite()) {
            look(start + offset, *logit);
        }
    };
    let Some(mask) = mask else {
        (0..numbers.len()).for_each(look_at);
        return;
    };
    let known = mask.len().saturating_sub(start);
    let words = mask.as_slice().chunks(BLOCK / WORD).nth(block);
    for (number, word) in words.unwrap_or_default().iter().enumerate() {
        let mut allowed = *word;
        while allowed != 0 {
            let offset = number * WORD + allowed.trailing_zeros() as usize;
            if offset < known {
                look_at(offset);
            }
            allowed &= allowed - 1;
        }
    }
}

/// Returns the first of the greatest logits that the mask allows. Blocks that hold none greater than the best so far
/// are passed over.
fn greatest(logits: &[f32], blocks: &[f32], mask: Option<&SimpleVob>) -> Option<(usize, f32)> {
    let mut best = None;
    let mut best_logit = f32::NEG_INFINITY;
    for (number, block) in blocks.iter().enumerate() {
        if *block > best_logit {
            each_allowed(logits, number, mask, |index, logit| {
                if logit > best_logit {
                    best = Some((index, logit));
                    best_logit = logit;
                }
            });
        }
    }
    best
}

/// SplitMix64: small, seedable, and good enough to draw a token.
#[derive(Debug)]
struct Random(u64);

impl Random {
    /// Returns a number in [0, 1).
    fn share(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        // The 24 bits that an f32 holds exactly.
        (mixed >> 40) as f32 / (1u64 << 24) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(temperature: f32, top_k: u32, top_p: f32, seed: u32) -> Sampler {
        Sampler::new(&Sampling {
            temperature,
            top_k,
            top_p,
            seed,
            max_tokens: 1,
            max_calls: 1,
        })
    }

    #[test]
    fn greedy_takes_the_greatest_allowed_logit() {
        let logits = [0.5, 3.0, f32::NAN, 2.0];
        assert_eq!(sampler(0.0, 0, 1.0, 0).draw(&logits, None), Some(1));
        let mask = SimpleVob::from_slice(&[true, false, true, true]);
        assert_eq!(sampler(0.0, 0, 1.0, 0).draw(&logits, Some(&mask)), Some(3));
        assert_eq!(sampler(0.0, 0, 1.0, 0).draw(&[f32::NAN], None), None);
    }

    #[test]
    fn block_by_block_the_same_token_is_drawn_as_one_by_one() {
        let mut random = Random(5);
        for length in [1, 15, 16, 255, 256, 257, 1000, 4096] {
            for allowed in [0.0, 0.01, 0.5, 1.0] {
                let logits: Vec<f32> = (0..length)
                    .map(|_| match random.share() {
                        rare if rare < 0.02 => f32::NAN,
                        rare if rare < 0.04 => f32::INFINITY,
                        share => (share * 40.0).round(),
                    })
                    .collect();
                let bits: Vec<bool> = (0..length).map(|_| random.share() < allowed).collect();
                let mask = SimpleVob::from_slice(&bits);
                for mask in [None, Some(&mask)] {
                    let mut first: Option<(usize, f32)> = None;
                    for (index, logit) in logits.iter().enumerate() {
                        if logit.is_finite()
                            && mask.is_none_or(|_| bits[index])
                            && first.is_none_or(|(_, best)| *logit > best)
                        {
                            first = Some((index, *logit));
                        }
                    }
                    let first = first.and_then(|(index, _)| Token::try_from(index).ok());
                    assert_eq!(sampler(0.0, 0, 1.0, 0).draw(&logits, mask), first);
                    let drawn = sampler(0.7, 0, 1.0, 3).draw(&logits, mask);
                    assert_eq!(drawn.is_some(), first.is_some());
                    let drawn = drawn.and_then(|token| usize::try_from(token).ok());
                    assert!(drawn.is_none_or(|index| mask.is_none_or(|_| bits[index])));
                }
            }
        }
    }

    #[test]
    fn no_numbers_and_no_settings_make_a_draw_go_wrong() {
        let numbers = [
            0.0,
            -1.0,
            1e30,
            -1e30,
            1e-45,
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            f32::MIN,
        ];
        for temperature in numbers {
            for top_p in numbers {
                for top_k in [0, 1, 5, u32::MAX] {
                    let mut sampler = sampler(temperature, top_k, top_p, 1);
                    let drawn = sampler.draw(&numbers, None).expect("five can be drawn");
                    let index = usize::try_from(drawn).expect("an index");
                    assert!(
                        numbers[index].is_finite(),
                        "{temperature} {top_p} {top_k}: {drawn}"
                    );
                    assert_eq!(sampler.draw(&[f32::NAN; 3], None), None);
                    assert_eq!(sampler.draw(&[f32::INFINITY; 3], None), None);
                    assert_eq!(sampler.draw(&[], None), None);
                    // A mask may be longer than the logits, and may allow nothing.
                    let mask = SimpleVob::from_slice(&[false; 40]);
                    assert_eq!(sampler.draw(&numbers, Some(&mask)), None);
                }
            }
        }
    }

    #[test]
    fn chance_follows_the_weights_the_limits_and_the_seed() {
        let logits = [0.0, (3.0f32).ln(), f32::NEG_INFINITY, -20.0];
        let draws = |top_k, top_p, seed| -> Vec<Token> {
            let mut sampler = sampler(1.0, top_k, top_p, seed);
            (0..4000)
                .filter_map(|_| sampler.draw(&logits, None))
                .collect()
        };
        let all = draws(0, 1.0, 7);
        assert_eq!(all.len(), 4000);
        let share = all.iter().filter(|token| **token == 1).count() as f32 / 4000.0;
        assert!((share - 0.75).abs() < 0.03, "{share}");
        assert!(draws(1, 1.0, 7).iter().all(|token| *token == 1));
        assert!(draws(0, 0.5, 7).iter().all(|token| *token == 1));
        assert_eq!(draws(0, 1.0, 7), all);
        assert_ne!(draws(0, 1.0, 8), all);
    }
}
