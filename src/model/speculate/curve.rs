//! What evaluating several tokens at once costs on this machine.

use std::time::Duration;

/// The batches that are told apart, and what they cost relative to one token until they were measured: a 1.5B model
/// on two processor cores with wide vectors. A graphics card does better, and a baseline build worse; the first
/// batches show it.
const SIZES: [(usize, f32); 10] = [
    (1, 1.0),
    (2, 1.6),
    (3, 2.0),
    (4, 2.4),
    (8, 4.3),
    (16, 5.4),
    (24, 8.5),
    (32, 11.0),
    (48, 13.8),
    (64, 16.3),
];

/// How many of the last measures count.
const RECENT: usize = 5;

/// A measure is forgotten after so many single tokens: what a busy moment showed must not stand for ever.
const AGE: u32 = 32;

/// Measures of batches.
#[derive(Debug, Clone, Default)]
pub struct Curve {
    measures: [Vec<f32>; SIZES.len()],
    singles: u32,
}

impl Curve {
    /// Takes in how long a batch took.
    pub fn note(&mut self, tokens: usize, took: Duration) {
        let Some(index) = SIZES.iter().position(|(size, _)| *size == tokens) else {
            return;
        };
        let measures = &mut self.measures[index];
        if measures.len() == RECENT {
            measures.remove(0);
        }
        measures.push(took.as_secs_f32());
        if index == 0 {
            self.singles += 1;
            if self.singles.is_multiple_of(AGE) {
                for measures in &mut self.measures[1..] {
                    if !measures.is_empty() {
                        measures.remove(0);
                    }
                }
            }
        }
    }

    /// Returns what a batch costs, relative to one token: what the next known size does.
    pub fn cost(&self, tokens: usize) -> f32 {
        let index = SIZES
            .iter()
            .position(|(size, _)| *size >= tokens)
            .unwrap_or(SIZES.len() - 1);
        let (size, assumed) = SIZES[index];
        let beyond = tokens as f32 / size as f32;
        self.measured(index).unwrap_or(assumed) * beyond.max(1.0)
    }

    /// Returns how many seconds one token takes now, where that was measured.
    pub fn single(&self) -> Option<f32> {
        let mut singles = self.measures[0].clone();
        singles.sort_unstable_by(f32::total_cmp);
        let single = *singles.get(singles.len() / 2)?;
        (single > 0.0).then_some(single)
    }

    /// Returns the sizes with their costs, and whether they were measured here.
    pub fn costs(&self) -> Vec<(usize, f32, bool)> {
        let sizes = SIZES.iter().enumerate();
        sizes
            .map(|(index, (size, _))| (*size, self.cost(*size), self.measured(index).is_some()))
            .collect()
    }

    /// Other programs only ever make it slower: the least of a batch's measures is what it costs. One token is
    /// measured all the time, and its middle one is what it costs now.
    fn measured(&self, index: usize) -> Option<f32> {
        let single = self.single()?;
        if index == 0 {
            return Some(1.0);
        }
        let least = self.measures[index]
            .iter()
            .copied()
            .min_by(f32::total_cmp)?;
        Some(least / single)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn measures_replace_what_was_assumed() {
        let mut curve = Curve::default();
        assert!((curve.cost(16) - 5.4).abs() < 0.01);
        assert!((curve.cost(2) - 1.6).abs() < 0.01 && curve.cost(1) < 1.01);
        curve.note(16, MILLI * 90);
        // Nothing to compare it with yet.
        assert!((curve.cost(16) - 5.4).abs() < 0.01);
        curve.note(1, MILLI * 30);
        assert!((curve.cost(16) - 3.0).abs() < 0.01);
        // A busy moment raises neither.
        curve.note(16, MILLI * 900);
        curve.note(1, MILLI * 31);
        curve.note(1, MILLI * 400);
        assert!((curve.cost(16) - 3.0).abs() < 0.2);
    }

    #[test]
    fn an_old_measure_is_forgotten() {
        let mut curve = Curve::default();
        curve.note(16, MILLI * 900);
        for _ in 0..AGE {
            assert!(curve.cost(16) > 5.5 || curve.measures[0].is_empty());
            curve.note(1, MILLI * 30);
        }
        assert!((curve.cost(16) - 5.4).abs() < 0.01);
    }

    #[test]
    fn a_batch_beyond_the_known_sizes_costs_more() {
        let curve = Curve::default();
        assert!(curve.cost(128) > 1.9 * curve.cost(64));
        assert!((curve.cost(12) - curve.cost(16)).abs() < 0.01);
    }
}
