//! How many calls a client may make in a minute.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most that can be asked for: each call of the last minute is remembered.
pub(super) const MOST: u32 = 100_000;

const MINUTE: Duration = Duration::from_secs(60);

/// A client's calls of the last minute, of which there may be so many.
#[derive(Debug)]
pub(super) struct Rate {
    calls: u32,
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    /// When each call was made, the oldest first.
    made: VecDeque<Instant>,
    /// A call was refused since the last that was made.
    is_over: bool,
}

/// A call that is one too many.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Beyond {
    /// How long until the next one may be made.
    wait: Duration,
    /// None was refused since the last that was made.
    pub(super) is_first: bool,
}

impl Rate {
    /// Allows so many calls in any minute.
    pub(super) fn new(calls: u32) -> Self {
        Self {
            calls,
            last: Mutex::default(),
        }
    }

    /// Returns how many calls are allowed.
    pub(super) fn calls(&self) -> u32 {
        self.calls
    }

    /// Counts a call.
    ///
    /// # Errors
    /// When it is one too many. It does not count then.
    pub(super) fn call(&self, now: Instant) -> Result<(), Beyond> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(oldest) = last.made.front()
            && now.saturating_duration_since(*oldest) >= MINUTE
        {
            last.made.pop_front();
        }
        match last.made.front() {
            Some(oldest) if last.made.len() >= self.calls as usize => {
                let wait = MINUTE.saturating_sub(now.saturating_duration_since(*oldest));
                let is_first = !std::mem::replace(&mut last.is_over, true);
                Err(Beyond { wait, is_first })
            }
            _ => {
                last.made.push_back(now);
                last.is_over = false;
                Ok(())
            }
        }
    }
}

impl Beyond {
    /// Returns how long to wait in whole seconds, after which a call is made for certain.
    pub(super) fn seconds(&self) -> u64 {
        self.wait.as_secs() + u64::from(self.wait.subsec_nanos() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_no_minute_are_there_more_calls_than_allowed() {
        let rate = Rate::new(60);
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        for second in 0..60 {
            assert_eq!(rate.call(at(second / 2)), Ok(()), "{second}");
        }
        let beyond = rate.call(at(30)).expect_err("the 61st");
        assert!(beyond.is_first);
        assert_eq!(beyond.seconds(), 30);
        let beyond = rate.call(at(59)).expect_err("still full");
        assert!(!beyond.is_first, "told once");
        assert_eq!(beyond.seconds(), 1);
        // Two were made in the first second.
        assert_eq!(rate.call(at(60)), Ok(()));
        assert_eq!(rate.call(at(60)), Ok(()));
        assert!(rate.call(at(60)).expect_err("two have gone").is_first);
    }

    #[test]
    fn a_wait_is_never_told_too_short() {
        let rate = Rate::new(1);
        let began = Instant::now();
        assert_eq!(rate.call(began), Ok(()));
        let beyond = rate
            .call(began + Duration::from_millis(1))
            .expect_err("full");
        assert_eq!(beyond.seconds(), 60);
    }
}
