//! The door to a terminal: what is written through it acts on nothing, whoever wrote it.

use std::io::{self, Write};

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
}

impl<W: Write> Harmless<W> {
    /// Puts the door before a way out.
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            begun: Vec::new(),
            before: None,
        }
    }

    /// Takes out of what has come all that is whole.
    fn whole(&mut self) -> String {
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.begun) {
                Ok(valid) => {
                    text.push_str(valid);
                    self.begun.clear();
                    return text;
                }
                Err(error) => {
                    let valid = error.valid_up_to();
                    text.push_str(&String::from_utf8_lossy(&self.begun[..valid]));
                    let wrong = error.error_len();
                    self.begun.drain(..valid + wrong.unwrap_or(0));
                    if wrong.is_none() {
                        return text;
                    }
                    text.push(char::REPLACEMENT_CHARACTER);
                }
            }
        }
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
