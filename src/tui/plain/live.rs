//! What a call that runs says, read out line by line: each line once, and not too many of them.

use crate::protocol::{CallId, sanitize_line};

/// Lines of one call that are read out while it runs.
const MOST: usize = 20;

/// What was read out of the call that runs.
#[derive(Debug, Default)]
pub(super) struct Live {
    call: Option<CallId>,
    last: Vec<String>,
    said: usize,
}

impl Live {
    /// Reads out what is new in a report. Reports are the last lines of what there is, so they overlap.
    pub(super) fn read(&mut self, call: CallId, report: &str, out: &mut Vec<String>) {
        if self.call != Some(call) {
            *self = Self {
                call: Some(call),
                ..Self::default()
            };
        }
        let lines: Vec<String> = report.lines().map(sanitize_line).collect();
        let known = (0..=lines.len().min(self.last.len()))
            .rev()
            .find(|known| self.last.ends_with(&lines[..*known]))
            .unwrap_or(0);
        for line in &lines[known..] {
            self.said += 1;
            match self.said {
                0..=MOST => out.push(format!("says: {line}")),
                said if said == MOST + 1 => {
                    out.push("it says more, which is not read out".to_owned());
                }
                _ => {}
            }
        }
        self.last = lines;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_read_out_once() {
        let mut live = Live::default();
        let mut heard = |report: &str| {
            let mut out = Vec::new();
            live.read(CallId(1), report, &mut out);
            out
        };
        assert_eq!(heard("a\nb"), ["says: a", "says: b"]);
        assert_eq!(heard("a\nb\nx\x1b[2J"), ["says: x⟨U+001B⟩[2J"]);
        assert_eq!(heard("x\x1b[2J\nc\nd"), ["says: c", "says: d"]);
        assert!(heard("x\x1b[2J\nc\nd").is_empty());
        let many: Vec<String> = (0..90).map(|n| n.to_string()).collect();
        let out = heard(&many.join("\n"));
        assert_eq!(
            out.last().map(String::as_str),
            Some("it says more, which is not read out")
        );
        assert!(out.len() <= MOST + 1, "{}", out.len());
    }
}
