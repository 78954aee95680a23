//! How often a frame may be drawn that no key asked for: no more often than it is worth, and no more often than the line
//! to the terminal carries.
//!
//! What a program writes to a terminal stands in a queue (the pseudoterminal's, and a connection's behind it). A program
//! that writes more than the line carries is stopped by the full queue, and then every key's echo waits behind all that
//! stands in it: 8 KiB are most of a second at 10 kB a second. So a write that had to wait tells how fast the line is, and
//! from then on frames come as far apart as the line needs to carry them.

use std::time::Duration;

/// A write that takes longer than this had to wait for room.
const WAITED: Duration = Duration::from_millis(8);
/// What may stand in the queue when it is full.
const QUEUE: f64 = 8192.0;
/// A line is never taken to be slower than this, in bytes a second: a terminal that was stopped by hand (Ctrl-S) is no
/// slow line.
const SLOWEST: f64 = 4_000.0;
/// No frame waits longer than this.
const LONGEST: Duration = Duration::from_secs(1);
/// The share of the line that frames may take which nobody asked for; keys have the rest.
const SHARE: f64 = 0.7;
/// How much faster the line is taken to be after each write that did not wait, and how much faster than it was measured
/// to be at most: with the share, a little less than what it carries.
const HOPE: f64 = 1.03;
const MOST_HOPE: f64 = 1.3;
/// Two waits within this time tell exactly what the line carries, as the queue was full at both.
const TOGETHER: Duration = Duration::from_secs(15);
/// What was measured holds for this long without another wait.
const HOLDS: Duration = Duration::from_secs(30);
/// From this rate on, in bytes a second, a line is no limit.
const ENOUGH: f64 = 500_000.0;

/// The time between frames, as the writes before them went.
#[derive(Debug)]
pub(super) struct Pace {
    /// The least time between two frames.
    least: Duration,
    /// What the line carries in a second; `None` where nothing had to wait yet.
    rate: Option<f64>,
    /// What it is taken to carry at most.
    most: f64,
    /// When a write waited last, and how much was written since.
    waited: Option<(Duration, f64)>,
    interval: Duration,
}

impl Pace {
    /// Starts with a line that carries everything.
    pub(super) fn new(least: Duration) -> Self {
        Self {
            least,
            rate: None,
            most: f64::INFINITY,
            waited: None,
            interval: least,
        }
    }

    /// Returns how long after the last frame the next one may come.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Takes in that a frame of so many bytes was written, which took so long and ended at `at`.
    pub(super) fn wrote(&mut self, bytes: usize, took: Duration, at: Duration) {
        // A screen has far fewer bytes than a float holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        let bytes = bytes as f64;
        if let Some((_, since)) = &mut self.waited {
            *since += bytes;
        }
        let queued = if took > WAITED {
            let measured = self.waited.and_then(|(last, since)| {
                let between = at.saturating_sub(last);
                (between < TOGETHER).then(|| since / between.as_secs_f64().max(0.001))
            });
            // Otherwise as much room became free as was missing, which is all of the frame at most.
            let seen = measured.unwrap_or(bytes / took.as_secs_f64()).max(SLOWEST);
            self.most = measured.map_or(f64::INFINITY, |_| seen * MOST_HOPE);
            self.rate = Some(match (measured, self.rate) {
                (None, Some(rate)) => rate.min(seen),
                _ => seen,
            });
            self.waited = Some((at, 0.0));
            QUEUE
        } else {
            if self
                .waited
                .is_some_and(|(last, _)| at.saturating_sub(last) > HOLDS)
            {
                self.most = f64::INFINITY;
            }
            self.rate = self
                .rate
                .map(|rate| (rate * HOPE).min(self.most))
                .filter(|rate| *rate < ENOUGH);
            bytes
        };
        let needed = self.rate.map_or(Duration::ZERO, |rate| {
            Duration::from_secs_f64(queued / (rate * SHARE))
        });
        self.interval = needed.clamp(self.least, LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(33);

    /// Draws frames of so many bytes for some seconds over a line behind a queue of 8 KiB, and returns how much stood in
    /// the queue before a frame in the second half, on average, and how many frames there were.
    fn draw(bytes: usize, rate: f64, seconds: f64) -> (f64, usize) {
        let size = bytes as f64;
        let mut pace = Pace::new(FRAME);
        let (mut now, mut queue, mut frames) = (0.0_f64, 0.0_f64, 0);
        let mut stood = Vec::new();
        while now < seconds {
            if now > seconds / 2.0 {
                stood.push(queue);
            }
            let waits = ((queue + size - QUEUE) / rate).max(0.0);
            queue = (queue + size - waits * rate).max(0.0);
            now += waits;
            let (took, at) = (Duration::from_secs_f64(waits), Duration::from_secs_f64(now));
            pace.wrote(bytes, took, at);
            frames += 1;
            let next = pace.interval().as_secs_f64();
            queue = (queue - next * rate).max(0.0);
            now += next;
        }
        (stood.iter().sum::<f64>() / stood.len() as f64, frames)
    }

    #[test]
    fn a_line_that_carries_everything_is_no_limit() {
        let (queue, frames) = draw(3000, 10e6, 10.0);
        assert_eq!(queue, 0.0);
        assert!((290..=310).contains(&frames), "{frames}");
    }

    #[test]
    fn a_thin_line_is_used_and_its_queue_stays_short() {
        for (bytes, rate) in [
            (600, 10_000.0),
            (1500, 10_000.0),
            (3000, 10_000.0),
            (9000, 10_000.0),
            (3000, 40_000.0),
        ] {
            for seconds in [30.0, 120.0] {
                let (queue, frames) = draw(bytes, rate, seconds);
                // A tenth of a second of the line stands before a key's echo.
                assert!(queue <= rate / 10.0, "{bytes} {rate}: {queue}");
                let carried = bytes as f64 * frames as f64 / seconds;
                assert!(carried > rate * 0.6, "{bytes} {rate}: {carried} a second");
            }
        }
    }

    #[test]
    fn a_terminal_that_was_stopped_for_a_while_is_fast_again() {
        let mut pace = Pace::new(FRAME);
        let mut now = Duration::from_secs(61);
        pace.wrote(2000, Duration::from_secs(60), now);
        assert!(pace.interval() <= LONGEST);
        let again = now;
        while pace.interval() > FRAME {
            now += pace.interval();
            pace.wrote(200, Duration::ZERO, now);
        }
        assert!(now - again < Duration::from_secs(5), "{now:?}");
    }

    #[test]
    fn a_pause_that_the_machine_made_costs_next_to_nothing() {
        let mut pace = Pace::new(FRAME);
        // A busy processor, not a slow line.
        pace.wrote(3000, Duration::from_millis(12), Duration::from_secs(1));
        let first = pace.interval();
        assert!(first < Duration::from_millis(60), "{first:?}");
    }
}
