//! The door to a terminal: what is written through it acts on nothing, whoever wrote it.

mod prove;

use std::io::{self, Write};

pub use prove::{Thrown, throw};

use crate::protocol::sanitize_after;

/// Joins two characters into one picture: whether it stands in its place, the next piece tells.
const JOINER: char = '\u{200D}';

/// A way to a terminal on which everything is made harmless, as [`sanitize`](crate::protocol::sanitize) does it.
///
/// It is the last door and not the only one: a text that is cut or put on one line has passed `sanitize` before, which
/// changes nothing that it has changed already. Bytes that are no text come out as `�`.
#[derive(Debug)]
pub struct Harmless<W: Write> {
    inner: W,
    /// The beginning of a character whose end has not come yet.
    begun: Vec<u8>,
    /// The last character before that.
    before: Option<char>,
    /// How many bytes were looked at.
    #[cfg(test)]
    looked: usize,
}

impl<W: Write> Harmless<W> {
    /// Puts the door before a way out.
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            begun: Vec::new(),
            before: None,
            #[cfg(test)]
            looked: 0,
        }
    }

    /// Takes out of what has come all that is whole, in one pass: what is no text may be megabytes of it.
    fn whole(&mut self) -> String {
        let mut text = String::with_capacity(self.begun.len());
        let mut taken = 0;
        for chunk in self.begun.utf8_chunks() {
            let (valid, wrong) = (chunk.valid(), chunk.invalid());
            text.push_str(valid);
            taken += valid.len();
            #[cfg(test)]
            {
                self.looked += valid.len() + wrong.len();
            }
            let is_last = taken + wrong.len() == self.begun.len();
            let may_go_on =
                std::str::from_utf8(wrong).is_err_and(|error| error.error_len().is_none());
            if wrong.is_empty() || (is_last && may_go_on) {
                break;
            }
            text.push(char::REPLACEMENT_CHARACTER);
            taken += wrong.len();
        }
        // What is left is a part of one character.
        self.begun.drain(..taken);
        text
    }
}

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(bytes);
        let mut text = self.whole();
        if text.ends_with(JOINER) {
            // What it joins comes next.
            text.pop();
            self.begun = [JOINER.to_string().as_bytes(), &self.begun].concat();
        }
        let harmless = sanitize_after(self.before, &text);
        self.before = text.chars().next_back().or(self.before);
        self.inner.write_all(harmless.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> Drop for Harmless<W> {
    fn drop(&mut self) {
        if !self.begun.is_empty() {
            // Half a character is none; nobody is left to hear that the terminal is gone.
            let rest = String::from_utf8_lossy(&self.begun).into_owned();
            let harmless = sanitize_after(self.before, &format!("{rest} "));
            let _ = self.inner.write_all(harmless.trim_end().as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::hostile;

    proptest! {
        #[test]
        fn whatever_is_written_in_whatever_pieces_acts_on_nothing(
            text in hostile::bytes(), cut in 1usize..9,
        ) {
            let mut out = Vec::new();
            let mut door = Harmless::new(&mut out);
            for piece in text.chunks(cut) {
                door.write_all(piece).expect("a vector takes all");
            }
            drop(door);
            let out = String::from_utf8(out).expect("text");
            prop_assert_eq!(hostile::acting(&out), None);
        }
    }

    #[test]
    fn megabytes_that_are_no_text_are_looked_at_once() {
        // Whole, half and wrong characters, and the beginning of one at each part's end.
        let noise: Vec<u8> = [0xff, 0xc3, 0xe2, 0x80, b'a', 0x80, 0xf0, 0x9f, 0x1b]
            .into_iter()
            .cycle()
            .take(1 << 20)
            .collect();
        for cut in [1, 7, 4096, noise.len()] {
            let mut door = Harmless::new(std::io::sink());
            for part in noise.chunks(cut) {
                door.write_all(part).expect("it takes all");
            }
            // Of each part at most the beginning of one character is looked at again.
            let most = noise.len() + noise.chunks(cut).len() * 3;
            assert!(
                door.looked <= most,
                "{} of {most}, in parts of {cut}",
                door.looked
            );
        }
    }

    proptest! {
        #[test]
        fn bytes_come_out_as_they_do_in_one_piece(
            bytes in proptest::collection::vec(any::<u8>(), 0..60), cut in 1usize..9,
        ) {
            let mut out = Vec::new();
            let mut door = Harmless::new(&mut out);
            for part in bytes.chunks(cut) {
                door.write_all(part).expect("a vector takes all");
            }
            drop(door);
            // What is no text is replaced as the standard library does it, before what acts is shown.
            let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
            let out = String::from_utf8(out).expect("text");
            let lossy = String::from_utf8_lossy(&bytes);
            prop_assert_eq!(
                out.matches(char::REPLACEMENT_CHARACTER).count(),
                lossy.matches(char::REPLACEMENT_CHARACTER).count()
            );
            prop_assert!(plain(&out).len() >= plain(&lossy).len());
        }
    }

    #[test]
    fn a_character_in_two_pieces_is_one() {
        let mut out = Vec::new();
        let mut door = Harmless::new(&mut out);
        for byte in "é\u{9b}世".bytes() {
            door.write_all(&[byte]).expect("a vector takes all");
        }
        drop(door);
        assert_eq!(String::from_utf8_lossy(&out), "é⟨U+009B⟩世");
    }
}
