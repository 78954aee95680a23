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
            greatest(logits, mask)
        }?;
        Token::try_from(index).ok()
    }

    fn draw_by_chance(&mut self, logits: &[f32], mask: Option<&SimpleVob>) -> Option<usize> {
        let mut candidates: Vec<(usize, f32)> = Vec::new();
        let mut add = |index: usize| {
            if let Some(logit) = logits.get(index).filter(|logit| logit.is_finite()) {
                candidates.push((index, *logit));
            }
        };
        match mask {
            Some(mask) => mask.iter_set_entries(&mut add),
            None => (0..logits.len()).for_each(&mut add),
        }
        let descending = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1);
        if self.top_k > 0 && self.top_k < candidates.len() {
            candidates.select_nth_unstable_by(self.top_k - 1, descending);
            candidates.truncate(self.top_k);
        }
        candidates.sort_unstable_by(descending);
        let greatest = candidates.first()?.1;
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

/// Returns the first of the greatest logits.
fn greatest(logits: &[f32], mask: Option<&SimpleVob>) -> Option<usize> {
    let mut best = None;
    let mut best_logit = f32::NEG_INFINITY;
    let mut look = |index: usize| {
        if let Some(logit) = logits.get(index)
            && logit.is_finite()
            && *logit > best_logit
        {
            best = Some(index);
            best_logit = *logit;
        }
    };
    match mask {
        Some(mask) => mask.iter_set_entries(&mut look),
        None => (0..logits.len()).for_each(&mut look),
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
