//! How many tokens are worth guessing.

use super::{Curve, Kind, MOST, Outcome};

/// A guess must win so much to be made: the costs are known no better.
const MARGIN: f32 = 1.15;

/// How much more a guess must win for each token's time that guesses lost, and how many tokens are tried until they won
/// something: what new text can lose is bounded by that.
const STRICTER: f32 = 0.15;
const TRIAL: usize = 3;

/// What predictions that nobody acted on make good of a loss, or add to it.
const REDEEMED: f32 = 0.1;

/// What is won is not saved up without end: an answer that begins with a copy may go on with new text.
const SAVINGS: f32 = 8.0;

/// No prediction is surer: where a copy ends is not known before, and long guesses lose much there. At this one the
/// longest guesses gain most; with 0.97 none of more than fifteen tokens ever did, however surely a copy went on.
const SUREST: f32 = 0.995;

/// How fast what was learnt fades, and how much of it stands at the beginning. A hundred tokens are remembered: how long
/// a guess may be is told by how seldom a copy breaks.
const FADING: f32 = 0.99;
const BELIEF: f32 = 4.0;

/// Tokens that were copied right before a prediction, and how often it is taken to be right until that was seen.
const CLASSES: [(usize, f32); 10] = [
    (0, 0.4),
    (1, 0.5),
    (2, 0.5),
    (3, 0.6),
    (4, 0.7),
    (6, 0.78),
    (9, 0.85),
    (13, 0.9),
    (20, 0.93),
    (32, 0.96),
];

/// A copy that goes on where it was left is taken to be as sure as one found elsewhere that is longer by so many classes.
const RESUMED: usize = 2;

/// Learns from every token how often predictions come true, also where none is acted on: so a copy opens it without
/// having cost anything, and new text never does.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Predictions that were right, and all, each fading.
    seen: [[(f32, f32); CLASSES.len()]; 3],
    /// What guesses won, in the time that one token takes.
    balance: f32,
}

impl Default for Gate {
    fn default() -> Self {
        let found = CLASSES.map(|(_, share)| (share * BELIEF, BELIEF));
        let mut resumed = found;
        resumed.rotate_left(RESUMED);
        resumed[CLASSES.len() - RESUMED..].fill(found[CLASSES.len() - 1]);
        Self {
            seen: [found, found, resumed],
            balance: 0.0,
        }
    }
}

impl Gate {
    /// Takes in what became of a prediction.
    pub fn learn(&mut self, outcome: Outcome) {
        let (right, all) = &mut self.seen[lane(outcome.kind)][class(outcome.matched)];
        *right = *right * FADING + f32::from(u8::from(outcome.is_right));
        *all = *all * FADING + 1.0;
        if self.balance < 0.0 {
            let redeemed = if outcome.is_right {
                REDEEMED
            } else {
                -REDEEMED / 2.0
            };
            self.balance = (self.balance + redeemed).min(0.0);
        }
    }

    /// Takes in what became of a guess: how many of its tokens were right, and what it cost beside the `certain` tokens.
    pub fn settle(&mut self, certain: usize, guessed: usize, right: usize, curve: &Curve) {
        let price = curve.cost(certain + guessed) - curve.cost(certain);
        self.balance = (self.balance + right as f32 - price).min(SAVINGS);
    }

    /// Returns how likely the next token is predicted right.
    fn chance(&self, matched: usize, kind: Kind) -> f32 {
        let (right, all) = self.seen[lane(kind)][class(matched)];
        (right / all).min(SUREST)
    }

    /// Returns how many tokens of a copy are worth evaluating after `certain` ones, at most `room`: as many as gain
    /// most over writing them one by one, and none where nothing gains.
    pub fn length(
        &self,
        (matched, kind): (usize, Kind),
        certain: usize,
        room: usize,
        curve: &Curve,
    ) -> usize {
        let plain = curve.cost(certain);
        let margin = MARGIN - STRICTER * self.balance.min(0.0);
        let room = if self.balance > 0.0 {
            room.min(MOST)
        } else {
            room.min(TRIAL)
        };
        let (mut best, mut best_gain) = (0, margin);
        let (mut chance, mut expected) = (1.0, 0.0);
        for guessed in 1..=room {
            chance *= self.chance(matched + guessed - 1, kind);
            expected += chance;
            let gain = (plain + expected) / curve.cost(certain + guessed);
            if gain > best_gain {
                (best, best_gain) = (guessed, gain);
            }
        }
        best
    }
}

fn lane(kind: Kind) -> usize {
    match kind {
        Kind::Found => 0,
        Kind::Aside => 1,
        Kind::Resumed => 2,
    }
}

fn class(matched: usize) -> usize {
    CLASSES
        .iter()
        .rposition(|(least, _)| *least <= matched)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(gate: &mut Gate, from: usize, rights: &[bool]) {
        for (index, is_right) in rights.iter().enumerate() {
            gate.learn(Outcome {
                matched: from + index,
                kind: Kind::Found,
                is_right: *is_right,
            });
        }
    }

    /// A gate whose first guess was right.
    fn winning() -> Gate {
        let mut gate = Gate::default();
        gate.settle(1, TRIAL, TRIAL, &Curve::default());
        gate
    }

    #[test]
    fn a_short_match_opens_nothing_and_a_long_copy_does() {
        let (gate, curve) = (Gate::default(), Curve::default());
        assert_eq!(gate.length((2, Kind::Found), 1, MOST, &curve), 0);
        assert_eq!(gate.length((40, Kind::Found), 1, MOST, &curve), TRIAL);
        assert_eq!(gate.length((40, Kind::Found), 1, 0, &curve), 0);
        assert_eq!(winning().length((40, Kind::Found), 1, MOST, &curve), 15);
    }

    #[test]
    fn copies_that_hold_open_it_earlier_and_ones_that_break_close_it() {
        let curve = Curve::default();
        let mut gate = winning();
        for _ in 0..6 {
            learn(&mut gate, 2, &[true; 40]);
        }
        // So sure a copy is worth the longest guesses.
        assert_eq!(gate.length((4, Kind::Found), 1, MOST, &curve), MOST);
        for _ in 0..20 {
            learn(&mut gate, 4, &[true, false]);
        }
        assert_eq!(gate.length((4, Kind::Found), 1, MOST, &curve), 0);
        assert_eq!(gate.length((4, Kind::Resumed), 1, MOST, &curve), 15);
    }

    #[test]
    fn what_wrong_guesses_lose_is_bounded_and_can_be_made_good() {
        let curve = Curve::default();
        let mut gate = Gate::default();
        let mut lost = 0.0;
        while let guessed @ 1.. = gate.length((40, Kind::Found), 1, MOST, &curve) {
            gate.settle(1, guessed, 0, &curve);
            lost += curve.cost(1 + guessed) - curve.cost(1);
            assert!(lost < 10.0);
        }
        learn(&mut gate, 40, &[true; 90]);
        assert!(gate.length((40, Kind::Found), 1, MOST, &curve) > 0);
    }

    #[test]
    fn where_batches_cost_too_much_nothing_is_guessed() {
        let mut curve = Curve::default();
        let milli = std::time::Duration::from_millis(1);
        for tokens in 1..=64 {
            curve.note(tokens, milli * u32::try_from(tokens * 10).unwrap_or(0));
        }
        assert_eq!(winning().length((40, Kind::Found), 1, MOST, &curve), 0);
    }
}
