//! How many tokens a draft model is asked for.

use std::time::Duration;

use super::Curve;

/// Drafting must win so much to be done: the costs are known no better.
const MARGIN: f32 = 1.1;

/// How often a drafted token is taken to be right until that was seen, how much that belief counts, and how fast what
/// was seen fades.
const BELIEF: (f32, f32) = (0.75, 8.0);
const FADING: f32 = 0.97;

/// After so many tokens that were written without drafting, a part of the belief comes back: a passage that could not
/// be guessed ends.
const PATIENCE: u32 = 32;

/// The most tokens that are drafted at once.
const MOST: usize = 16;

/// Decides from what drafts cost on this machine, and from how often they were right, how long they are.
#[derive(Debug, Clone)]
pub struct Pace {
    right: f32,
    all: f32,
    /// What drafting a token costs, relative to a token of the model: assumed until it is measured.
    assumed: f32,
    measured: Option<f32>,
    idle: u32,
}

impl Pace {
    /// Begins with a draft model that has `share` of the model's parameters.
    pub fn new(share: f32) -> Self {
        let (chance, weight) = BELIEF;
        Self {
            right: chance * weight,
            all: weight,
            assumed: share,
            measured: None,
            idle: 0,
        }
    }

    /// Returns how many tokens are worth drafting after `certain` ones, at most `room`.
    pub fn length(&self, certain: usize, room: usize, curve: &Curve) -> usize {
        let plain = curve.cost(certain);
        let chance = self.right / self.all;
        let each = self.measured.unwrap_or(self.assumed);
        let (mut best, mut best_gain) = (0, MARGIN);
        let (mut reached, mut expected) = (1.0, 0.0);
        for drafted in 1..=room.min(MOST) {
            reached *= chance;
            expected += reached;
            let cost = curve.cost(certain + drafted) + each * drafted as f32;
            let gain = (plain + expected) / cost;
            if gain > best_gain {
                (best, best_gain) = (drafted, gain);
            }
        }
        best
    }

    /// Takes in how long drafting so many tokens took.
    pub fn note(&mut self, tokens: usize, took: Duration, curve: &Curve) {
        let Some(single) = curve.single().filter(|_| tokens > 0) else {
            return;
        };
        let each = took.as_secs_f32() / tokens as f32 / single;
        self.measured = Some(match self.measured {
            Some(before) => before * 0.8 + each * 0.2,
            None => each,
        });
    }

    /// Takes in how many tokens of a draft were right.
    pub fn learn(&mut self, drafted: usize, right: usize) {
        self.idle = 0;
        // After the first wrong token nothing is known of the others.
        let seen = drafted.min(right + 1);
        for index in 0..seen {
            self.right = self.right * FADING + f32::from(u8::from(index < right));
            self.all = self.all * FADING + 1.0;
        }
    }

    /// Takes in that so many tokens were written without a draft.
    pub fn pass(&mut self, tokens: usize) {
        self.idle += u32::try_from(tokens).unwrap_or(u32::MAX);
        if self.idle >= PATIENCE {
            self.idle = 0;
            let (chance, weight) = BELIEF;
            self.right = (self.right + chance * weight) / 2.0;
            self.all = (self.all + weight) / 2.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// A machine on which eight tokens at once cost hardly more than one.
    fn graphics_card() -> Curve {
        let mut curve = Curve::default();
        for size in [1, 2, 3, 4, 8, 16, 24, 32] {
            curve.note(size, MILLI * (20 + u32::try_from(size / 4).unwrap_or(0)));
        }
        curve
    }

    #[test]
    fn a_small_draft_model_pays_where_batches_are_cheap() {
        assert!(Pace::new(0.1).length(1, 63, &graphics_card()) >= 4);
        assert_eq!(Pace::new(0.1).length(1, 0, &graphics_card()), 0);
    }

    #[test]
    fn on_two_cores_a_third_of_the_model_does_not_pay() {
        assert_eq!(Pace::new(0.33).length(1, 63, &Curve::default()), 0);
    }

    #[test]
    fn wrong_drafts_close_it_and_time_opens_it_again() {
        let curve = graphics_card();
        let mut pace = Pace::new(0.3);
        assert!(pace.length(1, 63, &curve) > 0);
        for _ in 0..40 {
            pace.learn(4, 0);
        }
        assert_eq!(pace.length(1, 63, &curve), 0);
        for _ in 0..8 {
            pace.pass(PATIENCE as usize);
        }
        assert!(pace.length(1, 63, &curve) > 0);
    }

    #[test]
    fn what_a_draft_costs_is_measured() {
        let curve = graphics_card();
        let mut pace = Pace::new(0.1);
        for _ in 0..30 {
            pace.note(4, MILLI * 80, &curve);
        }
        assert_eq!(pace.length(1, 63, &curve), 0);
    }
}
