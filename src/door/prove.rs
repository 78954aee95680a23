//! Throws hostile bytes at the door, and looks whether anything comes out that acts.

use std::io::Write as _;

use super::Harmless;
use crate::protocol::acting::{PIECES, acting};

/// The longest run of bytes that mean nothing.
const NOISE: u64 = 24;
/// How many pieces one text has at most.
const LENGTH: u64 = 48;
/// In how long parts it is written at most.
const CUT: u64 = 16;

/// What became of hostile bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thrown {
    /// How many bytes went in.
    pub bytes: u64,
    /// How many texts they were.
    pub texts: u64,
    /// How many of the texts would have acted on a terminal without the door: the control.
    pub acting_before: u64,
    /// How many acted behind it, and the first of them.
    pub acting_behind: u64,
    pub first: Option<String>,
}

impl Thrown {
    /// Tells whether nothing came through, where without the door much would have.
    pub fn holds(&self) -> bool {
        self.acting_behind == 0 && self.acting_before * 2 > self.texts
    }
}

/// Throws at least so many bytes at the door: what terminals act on, whole and cut short, letters that cannot be seen,
/// and bytes that are no text, in parts of any length. The same seed throws the same bytes.
pub fn throw(bytes: u64, seed: u64) -> Thrown {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut thrown = Thrown::default();
    let (mut text, mut out) = (Vec::new(), Vec::new());
    while thrown.bytes < bytes {
        text.clear();
        for _ in 0..=dice.below(LENGTH) {
            match dice.below(5) {
                0 => text.extend((0..dice.below(NOISE)).map(|_| dice.byte())),
                _ => text.extend_from_slice(dice.pick(PIECES).as_bytes()),
            }
        }
        out.clear();
        let mut door = Harmless::new(&mut out);
        let mut rest = &text[..];
        while !rest.is_empty() {
            let cut = usize::try_from(dice.below(CUT) + 1).unwrap_or(1);
            let (part, after) = rest.split_at(cut.min(rest.len()));
            // A vector takes all.
            let _ = door.write_all(part);
            rest = after;
        }
        drop(door);
        thrown.texts += 1;
        thrown.bytes += text.len() as u64;
        thrown.acting_before += u64::from(acting(&String::from_utf8_lossy(&text)).is_some());
        let found = match std::str::from_utf8(&out) {
            Ok(out) => acting(out),
            Err(_) => Some("bytes that are no text".to_owned()),
        };
        thrown.acting_behind += u64::from(found.is_some());
        thrown.first = thrown.first.or(found);
    }
    thrown
}

/// Numbers that look like chance and are the same each time (xorshift64*).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 33) % end
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let at = self.below(from.len() as u64);
        usize::try_from(at)
            .ok()
            .and_then(|at| from.get(at))
            .copied()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_million_hostile_bytes_acts_behind_the_door() {
        let thrown = throw(1 << 20, 1);
        assert!(thrown.holds(), "{thrown:?}");
        assert_eq!(thrown, throw(1 << 20, 1), "the same again");
        assert_ne!(
            thrown.texts,
            throw(1 << 20, 2).texts,
            "and others by another"
        );
    }

    #[test]
    fn a_door_that_lets_through_is_found() {
        let open = Thrown {
            bytes: 10,
            texts: 2,
            acting_before: 2,
            acting_behind: 1,
            first: Some("U+001B at 0".to_owned()),
        };
        let untried = Thrown {
            acting_before: 0,
            acting_behind: 0,
            ..open.clone()
        };
        assert!(!open.holds() && !untried.holds());
    }
}
