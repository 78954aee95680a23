//! What a server says beside the protocol, bounded: the last of it is kept.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// How many lines are kept, and how much of each, in bytes.
const LINES: usize = 200;
const LINE: usize = 400;

/// The last lines that a server wrote to its standard error, and what was odd about it.
#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    /// What came since the last line's end.
    open: Vec<u8>,
    /// The last line of the server's own, of its life that goes on or was the last.
    last_words: Option<String>,
}

impl Log {
    /// Takes a piece of standard error.
    pub(super) fn take(&self, bytes: &[u8]) {
        let mut kept = self.lock();
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut kept.open);
                    kept.said(&String::from_utf8_lossy(&line));
                }
                // What is over the length of a line is not kept.
                byte if kept.open.len() < LINE => kept.open.push(*byte),
                _ => {}
            }
        }
    }

    /// Takes a line that the server said, but not to standard error.
    pub(super) fn said(&self, line: &str) {
        self.lock().said(line);
    }

    /// Begins another life of the server.
    pub(super) fn begin(&self) {
        let mut kept = self.lock();
        kept.last_words = None;
        // What it did not end in its last life belongs to that one.
        let open = std::mem::take(&mut kept.open);
        kept.push(&String::from_utf8_lossy(&open));
    }

    /// Returns the last line that the server said in its life, harmless to a terminal.
    pub(super) fn last_words(&self) -> Option<String> {
        let kept = self.lock();
        let open = String::from_utf8_lossy(&kept.open);
        match open.trim().is_empty() {
            true => kept.last_words.clone(),
            false => Some(super::text::short(&open, LINE)),
        }
    }

    /// Takes a line of the host's own.
    pub(super) fn note(&self, line: &str) {
        self.lock().push(line);
    }

    /// Returns the last lines, oldest first, harmless to a terminal.
    pub(super) fn tail(&self, most: usize) -> Vec<String> {
        let kept = self.lock();
        let open = String::from_utf8_lossy(&kept.open);
        let open = (!open.trim().is_empty()).then(|| super::text::short(&open, LINE));
        let lines: Vec<String> = kept.lines.iter().cloned().chain(open).collect();
        lines[lines.len().saturating_sub(most)..].to_vec()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn said(&mut self, line: &str) {
        self.push(line);
        if !line.trim().is_empty() {
            self.last_words = self.lines.back().cloned();
        }
    }

    fn push(&mut self, line: &str) {
        let line = line.trim_end();
        if line.is_empty() {
            return;
        }
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(super::text::short(line, LINE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept_and_they_are_harmless() {
        let log = Log::default();
        for number in 0..500 {
            log.take(format!("line {number}\n").as_bytes());
        }
        log.take(b"\x1b[31mred");
        log.take(&[b'x'; 10_000]);
        let tail = log.tail(2);
        assert_eq!(tail[0], "line 499");
        assert!(tail[1].starts_with("⟨U+001B⟩[31mredxxx"), "{}", tail[1]);
        assert!(tail[1].len() < LINE + 20);
        assert_eq!(log.tail(usize::MAX).len(), LINES + 1);
    }

    #[test]
    fn the_last_words_are_the_servers_own_and_of_its_last_life() {
        let log = Log::default();
        log.take(b"no key\n");
        log.note("The server is down.");
        assert_eq!(log.last_words().as_deref(), Some("no key"));
        log.begin();
        assert_eq!(log.last_words(), None);
        log.said("error: again");
        log.take(b"half a li");
        assert_eq!(log.last_words().as_deref(), Some("half a li"));
        log.begin();
        assert_eq!(log.tail(2), ["error: again", "half a li"]);
    }
}
