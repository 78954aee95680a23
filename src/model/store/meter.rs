//! Shows progress: a bar on a terminal, a line every tenth elsewhere.

use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

use super::{Phase, Progress, bytes};

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// One line that is written over, for a terminal of this many columns.
    Bar { columns: u16 },
    /// A line of its own for every tenth, for a file or a pipe.
    Lines,
}

/// Writes progress for a person.
pub struct Meter<'a> {
    out: &'a mut dyn Write,
    look: Look,
    started: Option<(u64, Instant)>,
    phase: Option<&'static str>,
    tenth: u64,
    drawn: Option<Instant>,
}

impl fmt::Debug for Meter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter")
            .field("look", &self.look)
            .finish_non_exhaustive()
    }
}

/// A bar is drawn at most this often: a slow line should not carry a flicker.
const FRAME: Duration = Duration::from_millis(100);

/// What the shortest bar takes with its frame.
const BAR: usize = 12;

impl<'a> Meter<'a> {
    /// A meter that writes to `out`, which is standard error in the program.
    pub fn new(out: &'a mut dyn Write, look: Look) -> Self {
        Self {
            out,
            look,
            started: None,
            phase: None,
            tenth: 0,
            drawn: None,
        }
    }

    /// Shows how far it is. Failures to write are ignored: nobody looks.
    pub fn show(&mut self, progress: Progress) {
        let word = word(progress.phase);
        let now = Instant::now();
        let same_phase = self.phase == Some(word);
        if !same_phase {
            self.phase = Some(word);
            self.tenth = 0;
            self.started = Some((progress.done, now));
        }
        match self.look {
            Look::Bar { columns } => {
                let whole = progress.done >= progress.total;
                let due = self.drawn.is_none_or(|drawn| now - drawn >= FRAME);
                if !due && same_phase && !whole {
                    return;
                }
                self.drawn = Some(now);
                let line = bar(progress, self.rate(progress, now), usize::from(columns));
                // The rest of a longer line before is cleared after the text, so that nothing blinks.
                let _ = write!(self.out, "\r{line}\x1b[K");
            }
            Look::Lines => {
                let tenth = (progress.done * 10)
                    .checked_div(progress.total)
                    .unwrap_or(0);
                if same_phase && tenth <= self.tenth {
                    return;
                }
                self.tenth = tenth;
                let _ = writeln!(
                    self.out,
                    "{word} {:>3} %  {} of {}",
                    tenth * 10,
                    bytes(progress.done),
                    bytes(progress.total)
                );
            }
        }
        let _ = self.out.flush();
    }

    /// Leaves the line of the bar, so that what follows stands below it.
    pub fn finish(&mut self) {
        if self.drawn.take().is_some() {
            let _ = writeln!(self.out);
            let _ = self.out.flush();
        }
    }

    /// Bytes in a second, once there is enough to tell.
    fn rate(&self, progress: Progress, now: Instant) -> Option<u64> {
        let (from, since) = self.started?;
        let millis = u64::try_from((now - since).as_millis()).ok()?;
        (millis >= 500)
            .then(|| progress.done.saturating_sub(from).saturating_mul(1_000) / millis)
            .filter(|rate| *rate > 0)
    }
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Fetching { .. } => "fetching",
        Phase::Assembling => "assembling",
        Phase::Verifying => "verifying",
    }
}

/// One line: bar, share, sizes, and what fits of parts, speed and time left.
fn bar(progress: Progress, rate: Option<u64>, columns: usize) -> String {
    let done = progress.done.min(progress.total);
    let percent = (done * 100).checked_div(progress.total).unwrap_or(0);
    let mut line = format!(
        "{:<10} {percent:>3} %  {} of {}",
        word(progress.phase),
        bytes(done),
        bytes(progress.total)
    );
    // The bar keeps its place when the texts grow and shrink.
    let mut add = |text: String| {
        if line.len() + text.len() + BAR < columns {
            line.push_str(&text);
        }
    };
    if let Phase::Fetching { part, parts } = progress.phase
        && parts > 1
    {
        add(format!("  part {part}/{parts}"));
    }
    if let Some(rate) = rate {
        let left = (progress.total - done) / rate;
        add(format!("  {}/s", bytes(rate)));
        add(format!("  {}:{:02} left", left / 60, left % 60));
    }
    let room = columns.saturating_sub(line.len() + 4).min(30);
    if room + 4 >= BAR {
        let filled = usize::try_from(percent).unwrap_or(100) * room / 100;
        line = format!(
            "[{}{}] {line}",
            "#".repeat(filled),
            "-".repeat(room - filled)
        );
    }
    line.chars().take(columns.saturating_sub(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(done: u64) -> Progress {
        Progress {
            phase: Phase::Fetching { part: 1, parts: 4 },
            done,
            total: 1_000_000,
        }
    }

    #[test]
    fn a_pipe_gets_a_line_for_each_tenth_and_no_escapes() {
        let mut out = Vec::new();
        let mut meter = Meter::new(&mut out, Look::Lines);
        for done in (0..=1_000_000).step_by(1_000) {
            meter.show(at(done));
        }
        meter.finish();
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text.lines().count(), 11, "{text}");
        assert!(
            text.starts_with("fetching   0 %  0 B of 1.0 MB\n"),
            "{text}"
        );
        assert!(
            text.ends_with("fetching 100 %  1.0 MB of 1.0 MB\n"),
            "{text}"
        );
        assert!(!text.contains(['\r', '\x1b']));
    }

    #[test]
    fn a_bar_stays_on_one_line_of_any_terminal() {
        for columns in [1, 10, 40, 80, 200] {
            let line = bar(at(250_000), Some(50_000), columns);
            assert!(line.len() < columns.max(1), "{columns}: {line}");
        }
        assert_eq!(
            bar(at(250_000), Some(50_000), 90),
            "[####--------------] fetching    25 %  250.0 kB of 1.0 MB  part 1/4  50.0 kB/s  0:15 left"
        );
        assert_eq!(
            bar(at(250_000), Some(50_000), 60),
            "[##--------] fetching    25 %  250.0 kB of 1.0 MB  part 1/4"
        );
    }
}
