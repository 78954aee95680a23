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
/// How much faster the line is taken to be after each write that did not wait.
const HOPE: f64 = 1.03;
/// From this rate on, in bytes a second, a line is no limit.
const ENOUGH: f64 = 500_000.0;

/// The time between frames, as the writes before them went.
#[derive(Debug)]
pub(super) struct Pace {
    /// The least time between two frames.
    least: Duration,
    /// What the line carries in a second; `None` where nothing had to wait yet.
    rate: Option<f64>,
    interval: Duration,
}

impl Pace {
    /// Starts with a line that carries everything.
    pub(super) fn new(least: Duration) -> Self {
        Self {
            least,
            rate: None,
            interval: least,
        }
    }

    /// Returns how long after the last frame the next one may come.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Takes in how long it took to write a frame.
    pub(super) fn wrote(&mut self, bytes: usize, took: Duration) {
        // A screen has far fewer bytes than a float holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        let bytes = bytes as f64;
        let queued = if took > WAITED {
            // So much room became free while it waited. The first part of the frame may have found room at once, so that
            // the line is slower than this, rather than faster.
            let seen = (bytes / took.as_secs_f64()).max(SLOWEST);
            self.rate = Some(self.rate.map_or(seen, |rate| rate.min(seen)));
            QUEUE
        } else {
            self.rate = self
                .rate
                .map(|rate| rate * HOPE)
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

    /// Draws frames of so many bytes for some seconds over a line behind a queue of 8 KiB, and returns the most that
    /// stood in the queue before a frame in the second half, and how many frames there were.
    fn draw(bytes: f64, rate: f64, seconds: f64) -> (f64, usize) {
        let mut pace = Pace::new(FRAME);
        let (mut now, mut queue, mut most, mut frames) = (0.0, 0.0_f64, 0.0_f64, 0);
        while now < seconds {
            if now > seconds / 2.0 {
                most = most.max(queue);
            }
            let waits = ((queue + bytes - QUEUE) / rate).max(0.0);
            queue = (queue + bytes - waits * rate).max(0.0);
            pace.wrote(bytes as usize, Duration::from_secs_f64(waits));
            frames += 1;
            let next = pace.interval().as_secs_f64();
            queue = (queue - next * rate).max(0.0);
            now += waits + next;
        }
        (most, frames)
    }

    #[test]
    fn a_line_that_carries_everything_is_no_limit() {
        let (queue, frames) = draw(3000.0, 10e6, 10.0);
        assert_eq!(queue, 0.0);
        assert!((290..=310).contains(&frames), "{frames}");
    }

    #[test]
    fn a_thin_line_is_used_and_its_queue_stays_short() {
        for (bytes, rate) in [
            (3000.0, 10_000.0),
            (600.0, 10_000.0),
            (9000.0, 10_000.0),
            (3000.0, 40_000.0),
        ] {
            let (queue, frames) = draw(bytes, rate, 30.0);
            // Less than half a second of the line stands before a key's echo, or one frame.
            assert!(
                queue <= f64::max(rate / 2.0, bytes),
                "{bytes} {rate}: {queue}"
            );
            let carried = bytes * frames as f64 / 30.0;
            assert!(carried > rate * 0.4, "{bytes} {rate}: {carried} a second");
        }
    }

    #[test]
    fn a_terminal_that_was_stopped_for_a_while_is_fast_again() {
        let mut pace = Pace::new(FRAME);
        pace.wrote(2000, Duration::from_secs(60));
        assert!(pace.interval() <= LONGEST);
        let mut waited = Duration::ZERO;
        while pace.interval() > FRAME {
            pace.wrote(200, Duration::ZERO);
            waited += pace.interval();
        }
        assert!(waited < Duration::from_secs(5), "{waited:?}");
    }

    #[test]
    fn a_pause_that_the_machine_made_costs_next_to_nothing() {
        let mut pace = Pace::new(FRAME);
        // A busy processor, not a slow line: the next frames say so.
        pace.wrote(3000, Duration::from_millis(12));
        let first = pace.interval();
        assert!(first < Duration::from_millis(60), "{first:?}");
    }
}
