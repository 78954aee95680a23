//! How long a turn may try edits. The time in which the user is asked something does not count: nothing is tried then.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::protocol::{CallId, Event};

/// The time that a turn has for trying edits.
#[derive(Debug)]
pub(super) struct SearchClock {
    time: Duration,
    /// When it is up, as far as is known. `None` where no turn runs that was not told.
    ends: Option<Instant>,
    /// The calls that the user is asked about, and since when there are any.
    asked: HashSet<CallId>,
    asked_since: Option<Instant>,
}

impl SearchClock {
    pub(super) fn new(time: Duration) -> Self {
        Self {
            time,
            ends: None,
            asked: HashSet::new(),
            asked_since: None,
        }
    }

    /// Takes note of an event of the session.
    pub(super) fn hear(&mut self, event: &Event, now: Instant) {
        match event {
            Event::TurnStarted { .. } => {
                *self = Self {
                    ends: Some(now + self.time),
                    ..Self::new(self.time)
                };
            }
            Event::TurnMeasured { .. } => self.stop(),
            Event::ApprovalRequested { call, .. } => {
                self.asked.insert(*call);
                self.asked_since.get_or_insert(now);
            }
            Event::CallStarted { call } | Event::CallFinished { call, .. } => {
                if self.asked.remove(call)
                    && self.asked.is_empty()
                    && let Some(since) = self.asked_since.take()
                {
                    self.ends = self.ends.map(|ends| ends + (now - since));
                }
            }
            _ => {}
        }
    }

    /// Returns when the turn is to be told that its time is up. `None` while the user is asked, and where it is not.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.ends.filter(|_| self.asked.is_empty())
    }

    /// Tells nothing more until the next turn.
    pub(super) fn stop(&mut self) {
        self.ends = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Outcome;

    #[test]
    fn the_time_in_which_the_user_is_asked_does_not_count() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let asked = |id| Event::ApprovalRequested {
            call: CallId(id),
            reason: String::new(),
            change: None,
            ask: None,
        };
        let started = |id| Event::CallStarted { call: CallId(id) };
        let denied = |id| Event::CallFinished {
            call: CallId(id),
            outcome: Outcome::Denied {
                reason: String::new(),
            },
        };
        let mut clock = SearchClock::new(Duration::from_secs(240));
        assert_eq!(clock.deadline(), None);
        let turn = Event::TurnStarted {
            turn: 1,
            text: String::new(),
        };
        for (second, event, ends) in [
            (0, turn.clone(), Some(240)),
            // A call that nobody was asked about.
            (5, started(1), Some(240)),
            (10, asked(2), None),
            (310, started(2), Some(540)),
            (320, denied(2), Some(540)),
            // Two at once, which are answered one after the other.
            (330, asked(3), None),
            (340, asked(4), None),
            (350, denied(4), None),
            (430, started(3), Some(640)),
        ] {
            clock.hear(&event, at(second));
            assert_eq!(clock.deadline(), ends.map(at), "{event:?}");
        }
        clock.stop();
        assert_eq!(clock.deadline(), None, "it is told once");
        clock.hear(&asked(5), at(700));
        clock.hear(&turn, at(1_000));
        assert_eq!(clock.deadline(), Some(at(1_240)), "each turn has its own");
    }
}
