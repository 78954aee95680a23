//! What a monitor is told of a server: that it is there, and how much it does.
//!
//! Nothing of it is about what clients ask for: counts of answers, of clients and of work.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Where a monitor asks whether the server is there. It needs no token, and learns nothing else.
pub(super) const HEALTH: &str = "/healthz";
/// Where a monitor that has the token reads counts, in the text form of Prometheus.
pub(super) const METRICS: &str = "/metrics";

/// Counts since the server began.
#[derive(Debug)]
pub(super) struct Gauges {
    began: Instant,
    /// Answers by their status.
    answers: Mutex<BTreeMap<u16, u64>>,
    /// Calls that were refused because their client had made as many as it may.
    over_rate: AtomicU64,
}

/// What goes on at the moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) connections: usize,
    pub(super) under_way: usize,
    pub(super) sessions: usize,
}

impl Gauges {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            answers: Mutex::default(),
            over_rate: AtomicU64::new(0),
        }
    }

    /// Counts a call that a client made beyond its rate.
    pub(super) fn over_rate(&self) {
        self.over_rate.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an answer.
    pub(super) fn answered(&self, status: u16) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry(status).or_default() += 1;
    }

    /// Writes all of it, in the text form of Prometheus.
    pub(super) fn text(&self, now: Now) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let seconds = self.began.elapsed().as_secs();
        let mut text = String::new();
        let mut gauge = |name: &str, kind: &str, about: &str, labels: &str, value: u64| {
            let _ = writeln!(
                text,
                "# HELP walden_{name} {about}\n# TYPE walden_{name} {kind}\nwalden_{name}{labels} {value}"
            );
        };
        let labels = format!("{{version=\"{version}\"}}");
        gauge("info", "gauge", "Which walden this is.", &labels, 1);
        gauge(
            "uptime_seconds",
            "gauge",
            "How long it has served.",
            "",
            seconds,
        );
        for (name, about, value) in [
            ("connections", "Open connections.", now.connections),
            ("requests_under_way", "Requests under way.", now.under_way),
            ("sessions", "Sessions of the older era.", now.sessions),
        ] {
            gauge(name, "gauge", about, "", value as u64);
        }
        gauge(
            "calls_over_rate_total",
            "counter",
            "Calls that were refused beyond a client's rate.",
            "",
            self.over_rate.load(Ordering::Relaxed),
        );
        text.push_str("# HELP walden_answers_total Answers, by their status.\n");
        text.push_str("# TYPE walden_answers_total counter\n");
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        for (status, count) in answers.iter() {
            let _ = writeln!(text, "walden_answers_total{{status=\"{status}\"}} {count}");
        }
        text
    }
}
