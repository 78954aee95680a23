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
}

impl Log {
    /// Takes a piece of standard error.
    pub(super) fn take(&self, bytes: &[u8]) {
        let mut kept = self.lock();
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut kept.open);
                    kept.push(&String::from_utf8_lossy(&line));
                }
                // What is over the length of a line is not kept.
                byte if kept.open.len() < LINE => kept.open.push(*byte),
                _ => {}
            }
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
}
