//! Where a message may be about that names no file: looked for by the host, so that a small model is shown the likeliest
//! place at once and need not go and search.

use super::{Agent, Located};

/// How many messages with their places are kept until their turns begin.
const MOST_KEPT: usize = 16;

impl Agent {
    /// Takes note of where a message that comes next may be about.
    pub(super) fn note_located(&mut self, text: String, located: Located) {
        self.located.push((text, located));
        if self.located.len() > MOST_KEPT {
            self.located.remove(0);
        }
    }

    /// Returns where the message of the turn that begins may be about.
    pub(super) fn take_located(&mut self, text: &str) -> Option<Located> {
        let at = self.located.iter().position(|(of, _)| of == text)?;
        Some(self.located.remove(at).1)
    }
}

impl Located {
    /// Writes a message with the places after it. One that stands out is read instead, and needs no map.
    pub(super) fn after(&self, message: &str) -> String {
        match self.file {
            Some(_) => message.to_owned(),
            None => format!(
                "{message}\n\nPlaces in the code with words of this:\n{}",
                self.map
            ),
        }
    }
}
