//! What was measured, as data and as a table.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::model::llama::measure::Answered;

/// Everything that `walden bench` measures; what was not asked for is empty. Speeds are medians.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub model: String,
    pub parameters: u64,
    pub threads: usize,
    /// How many tokens of a prompt are evaluated at once.
    pub batch: u32,
    pub on_gpu: bool,
    pub loading_ms: f64,
    pub prefill: Speed,
    pub decode: Speed,
    /// Batch sizes, and what each costs relative to one token.
    pub batch_costs: Vec<(usize, f64)>,
    pub calls: Option<Call>,
    /// One client, and several at once.
    pub clients: Vec<Clients>,
    pub session: Option<Session>,
    /// `None` where no states are kept.
    pub first_token: Option<FirstToken>,
    pub ahead: Vec<Ahead>,
    /// Files that are written out with a name changed.
    pub renames: Vec<Ahead>,
}

/// A speed, and that of `llama-bench` in the same run.
#[derive(Debug, Default, Serialize)]
pub struct Speed {
    pub tokens: usize,
    /// Tokens a second, of each round.
    pub rounds: Vec<f64>,
    pub peer_rounds: Vec<f64>,
}

/// Constrained calls.
#[derive(Debug, Default, Serialize)]
pub struct Call {
    pub calls: u32,
    /// Calls that came to their end.
    pub complete: u32,
    pub masks: usize,
    pub mask_median_us: f64,
    pub mask_p99_us: f64,
}

/// Clients whose questions are answered at once.
#[derive(Debug, Serialize)]
pub struct Clients {
    pub clients: usize,
    /// Of all their answers together.
    pub tokens_per_second: f64,
    /// How much more that is than for one client.
    pub ratio: f64,
    #[serde(skip)]
    rates: Vec<f64>,
    #[serde(skip)]
    ratios: Vec<f64>,
}

/// A session after its first turn.
#[derive(Debug, Default, Serialize)]
pub struct Session {
    pub turns: u32,
    pub prompt_tokens: u32,
    /// Tokens that were evaluated although they were before.
    pub evaluated_again: u32,
}

/// From a request to its first token.
#[derive(Debug, Serialize)]
pub struct FirstToken {
    pub prompt_tokens: u32,
    pub cold_ms: f64,
    /// From the state that an earlier run kept.
    pub warm_ms: f64,
}

/// An answer that was evaluated ahead.
#[derive(Debug, Serialize)]
pub struct Ahead {
    pub workload: String,
    /// `adaptive`, or how many tokens each batch has.
    pub batch: String,
    pub tokens: u32,
    pub tokens_per_second: f64,
    pub plain_tokens_per_second: f64,
    /// How much faster than one token at a time.
    pub gain: f64,
    pub batches: u32,
    pub guessed: u32,
    pub guessed_right: u32,
    /// The plain answer is the same; at near-ties a batch may round another way.
    pub same_text: bool,
    #[serde(skip)]
    rates: Vec<f64>,
}

impl Speed {
    /// Begins with no rounds of so many tokens.
    pub fn new(tokens: usize) -> Self {
        Self {
            tokens,
            ..Self::default()
        }
    }

    /// Adds a round.
    pub fn add(&mut self, took: Duration) {
        self.rounds.push(self.tokens as f64 / took.as_secs_f64());
    }

    /// Adds a round of `llama-bench`, in tokens a second.
    pub fn add_peer(&mut self, rate: f64) {
        self.peer_rounds.push(rate);
    }

    /// Returns the median in tokens a second.
    pub fn median(&self) -> f64 {
        median(&mut self.rounds.clone())
    }

    /// Returns the speed relative to `llama-bench`: the medians, and the best rounds, which other programs disturbed
    /// least.
    pub fn ratio(&self) -> Option<(f64, f64)> {
        let best = |rounds: &[f64]| rounds.iter().copied().fold(0.0, f64::max);
        (!self.peer_rounds.is_empty()).then(|| {
            (
                self.median() / median(&mut self.peer_rounds.clone()),
                best(&self.rounds) / best(&self.peer_rounds),
            )
        })
    }
}

impl Call {
    /// Sums up the masks of calls, in microseconds.
    pub fn new(calls: u32, complete: u32, mut masks: Vec<u128>) -> Self {
        masks.sort_unstable();
        let at = |share: f64| {
            let index = (masks.len() as f64 * share) as usize;
            masks
                .get(index.min(masks.len().saturating_sub(1)))
                .map_or(0.0, |mask| *mask as f64)
        };
        Self {
            calls,
            complete,
            masks: masks.len(),
            mask_median_us: at(0.5),
            mask_p99_us: at(0.99),
        }
    }
}

impl Clients {
    /// Begins with no rounds of so many clients.
    pub fn new(clients: usize) -> Self {
        Self {
            clients,
            tokens_per_second: 0.0,
            ratio: 0.0,
            rates: Vec::new(),
            ratios: Vec::new(),
        }
    }

    /// Adds a round: tokens a second of all, and of one client in the same round.
    pub fn add(&mut self, all: f64, one: f64) {
        self.rates.push(all);
        self.ratios.push(all / one);
    }

    /// Takes the middle one of the rounds.
    #[must_use]
    pub fn summed_up(mut self) -> Self {
        self.tokens_per_second = median(&mut self.rates);
        self.ratio = median(&mut self.ratios);
        self
    }
}

impl Session {
    /// Returns the share of the prompts that was evaluated again.
    pub fn share_again(&self) -> f64 {
        f64::from(self.evaluated_again) / f64::from(self.prompt_tokens.max(1))
    }
}

impl Ahead {
    /// Begins with no rounds.
    pub fn new(workload: &str, batch: &str) -> Self {
        Self {
            workload: workload.to_owned(),
            batch: batch.to_owned(),
            tokens: 0,
            tokens_per_second: 0.0,
            plain_tokens_per_second: 0.0,
            gain: 0.0,
            batches: 0,
            guessed: 0,
            guessed_right: 0,
            same_text: true,
            rates: Vec::new(),
        }
    }

    /// Adds a round.
    pub fn add(&mut self, rate: f64, answered: &Answered) {
        self.rates.push(rate);
        self.tokens = answered.usage.generated;
        self.batches = answered.batches;
        self.guessed = answered.usage.guessed;
        self.guessed_right = answered.usage.guessed_right;
    }

    /// Compares the rounds with the plain speed.
    #[must_use]
    pub fn against(mut self, plain: f64) -> Self {
        self.tokens_per_second = median(&mut self.rates);
        self.plain_tokens_per_second = plain;
        self.gain = self.tokens_per_second / plain;
        self
    }
}

impl Report {
    /// Writes the report as a table.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let mut row = |name: &str, value: String| {
            let _ = writeln!(out, "{name:<30} {value}");
        };
        row(
            "model",
            format!(
                "{} ({:.1}B parameters)",
                self.model,
                self.parameters as f64 / 1e9
            ),
        );
        let place = if self.on_gpu {
            "a graphics card"
        } else {
            "processors"
        };
        row(
            "computed on",
            format!(
                "{place}, {} threads, {} prompt tokens at once",
                self.threads, self.batch
            ),
        );
        row("loading", format!("{:.0} ms", self.loading_ms));
        for (name, speed) in [("prefill", &self.prefill), ("decoding", &self.decode)] {
            if speed.rounds.is_empty() {
                continue;
            }
            let ratio = speed.ratio().map_or_else(String::new, |(median, best)| {
                format!(
                    "  {median:.2} of llama-bench ({best:.2} of the best {})",
                    speed.rounds.len()
                )
            });
            row(
                &format!("{name}, {} tokens", speed.tokens),
                format!("{:.1} tokens/s{ratio}", speed.median()),
            );
        }
        if !self.batch_costs.is_empty() {
            let costs = self.batch_costs.iter();
            let costs: Vec<String> = costs
                .map(|(size, cost)| format!("{size}: {cost:.1}"))
                .collect();
            row("cost of a batch, of one token", costs.join("  "));
        }
        if let Some(calls) = &self.calls {
            row(
                "masks of constrained calls",
                format!(
                    "median {:.0} us, p99 {:.0} us ({} masks; {} of {} calls complete)",
                    calls.mask_median_us,
                    calls.mask_p99_us,
                    calls.masks,
                    calls.complete,
                    calls.calls
                ),
            );
        }
        if let [one, more @ ..] = &self.clients[..] {
            let more = more.iter();
            let more: Vec<String> = more
                .map(|it| format!("{}: {:.2}", it.clients, it.ratio))
                .collect();
            row(
                "clients at once, of one",
                format!(
                    "{} ({:.1} tokens/s for one)",
                    more.join("  "),
                    one.tokens_per_second
                ),
            );
        }
        if let Some(session) = &self.session {
            row(
                "prompt evaluated again",
                format!(
                    "{:.2} % of {} tokens in {} turns",
                    session.share_again() * 100.0,
                    session.prompt_tokens,
                    session.turns
                ),
            );
        }
        if let Some(first) = &self.first_token {
            row(
                "first token",
                format!(
                    "cold {:.0} ms, from a kept state {:.0} ms: {:.0} times ({} prompt tokens)",
                    first.cold_ms,
                    first.warm_ms,
                    first.cold_ms / first.warm_ms.max(0.001),
                    first.prompt_tokens
                ),
            );
        }
        for ahead in self.ahead.iter().chain(&self.renames) {
            row(
                &format!("ahead: {}, {}", ahead.workload, ahead.batch),
                format!(
                    "{:.2} times plain ({:.1} to {:.1} tokens/s; {} tokens in {} batches, {} of {} guesses right{})",
                    ahead.gain,
                    ahead.plain_tokens_per_second,
                    ahead.tokens_per_second,
                    ahead.tokens,
                    ahead.batches,
                    ahead.guessed_right,
                    ahead.guessed,
                    if ahead.same_text { "" } else { "; other text" }
                ),
            );
        }
        if let Some(gain) = self.gain_of_renames() {
            row(
                "ahead: the middle rename",
                format!("{gain:.2} times plain ({} renames)", self.renames.len()),
            );
        }
        out
    }

    /// Returns how much faster the middle one of the renames is written.
    pub fn gain_of_renames(&self) -> Option<f64> {
        let mut gains: Vec<f64> = self.renames.iter().map(|ahead| ahead.gain).collect();
        (!gains.is_empty()).then(|| median(&mut gains))
    }
}

/// Returns the middle one of some values, or 0.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_compares_medians_and_best_rounds() {
        let mut speed = Speed::new(100);
        assert_eq!(speed.ratio(), None);
        for (millis, peer) in [(1000, 200.0), (2000, 100.0), (500, 125.0)] {
            speed.add(Duration::from_millis(millis));
            speed.add_peer(peer);
        }
        assert!((speed.median() - 100.0).abs() < 0.01);
        let (median, best) = speed.ratio().unwrap_or_default();
        assert!((median - 0.8).abs() < 0.01 && (best - 1.0).abs() < 0.01);
    }

    #[test]
    fn the_slowest_masks_are_told_from_the_usual_ones() {
        let mut masks = vec![10; 98];
        masks.extend([500, 900]);
        let call = Call::new(3, 2, masks);
        assert!((call.mask_median_us - 10.0).abs() < 0.1);
        assert!((call.mask_p99_us - 900.0).abs() < 0.1);
        assert!(Call::new(0, 0, Vec::new()).mask_p99_us < 0.1);
    }

    #[test]
    fn clients_are_compared_with_one_of_the_same_round() {
        let mut two = Clients::new(2);
        for (all, one) in [(20.0, 10.0), (30.0, 10.0), (6.0, 4.0)] {
            two.add(all, one);
        }
        let mut one = Clients::new(1);
        one.add(10.0, 10.0);
        let mut report = Report::default();
        assert!(!report.table().contains("clients"));
        report.clients = vec![one.summed_up(), two.summed_up()];
        let table = report.table();
        assert!(table.contains("2: 2.00 (10.0 tokens/s for one)"), "{table}");
    }

    #[test]
    fn the_middle_rename_is_told_beside_each() {
        let mut report = Report::default();
        assert_eq!(report.gain_of_renames(), None);
        for gain in [3.0, 1.5, 2.5] {
            let ahead = Ahead::new("a rename", "adaptive");
            report.renames.push(Ahead { gain, ..ahead });
        }
        let table = report.table();
        assert!(table.contains("2.50 times plain (3 renames)"), "{table}");
        assert_eq!(table.matches("ahead: a rename, adaptive").count(), 3);
    }

    #[test]
    fn the_table_has_what_was_measured_and_no_peer_where_there_is_none() {
        let mut report = Report {
            model: "m".to_owned(),
            ..Report::default()
        };
        report.prefill = Speed::new(10);
        report.prefill.add(Duration::from_secs(1));
        let table = report.table();
        assert!(table.contains("10.0 tokens/s") && !table.contains("llama-bench"));
        report.prefill.add_peer(20.0);
        assert!(report.table().contains("0.50 of llama-bench"));
    }
}
