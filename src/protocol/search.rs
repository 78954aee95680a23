//! A search for an edit as it is shown: many calls that come to one thing.
//!
//! Each trial is a call like any other, with its own events. What is told here is which calls belong together, and what
//! came of them all.

use serde::{Deserialize, Serialize};

use super::{CallId, CallState, CheckResult, Risk, ToolCall};

/// What is told of a search for an edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "news")]
pub enum SearchNews {
    /// Edits of a file are tried from here on.
    Began {
        path: String,
        /// The command that chooses between them; none where what they give does.
        command: Option<String>,
        /// What the command says of the file as it is.
        base: Option<CheckResult>,
    },
    /// The call that is proposed next is a part of it.
    Trying { call: CallId, trial: TrialOf },
    /// A trial came to its end, with this.
    Tried { call: CallId, result: CheckResult },
    /// It is over. `wall_ms` is filled in by the driver: the agent has no clock.
    Ended {
        end: SearchEnd,
        #[serde(default)]
        wall_ms: u64,
    },
}

/// What a trial is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialOf {
    /// An edit that was drawn.
    Edit,
    /// The edit before it, mended as a compiler said.
    Mended,
    /// The file as it is.
    Standing,
}

/// What came of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "end")]
pub enum SearchEnd {
    /// The last edit passes, and is made.
    Passes,
    /// None passes; the one that came the furthest is made.
    Furthest,
    /// The command says the same of them all: the first is made.
    Undecided,
    /// So many of so many versions give the same; one of those is made.
    Agreed { alike: u32, of: u32 },
    /// The likeliest of those that give something else is made.
    Likeliest,
    /// None runs as it should, and one is made all the same.
    Faulty,
    /// Nothing is made.
    Nothing,
    /// The turn ended first.
    Stopped,
}

/// A search for an edit, with the calls that it took.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Search {
    pub path: String,
    pub command: Option<String>,
    pub base: Option<CheckResult>,
    pub trials: Vec<Trial>,
    pub end: Option<SearchEnd>,
    pub wall_ms: u64,
    /// The call that is proposed next is this one.
    #[serde(skip)]
    next: Option<(CallId, TrialOf)>,
}

/// One call of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    pub call: ToolCall,
    pub risk: Risk,
    pub of: TrialOf,
    pub state: CallState,
    pub result: Option<CheckResult>,
}

impl Search {
    /// Counts the edits that were tried.
    pub fn tried(&self) -> usize {
        let edits = self.trials.iter().filter(|trial| trial.of == TrialOf::Edit);
        edits.count()
    }

    /// Returns the trial that runs now.
    pub fn running(&self) -> Option<&Trial> {
        let is_running = |trial: &&Trial| !matches!(trial.state, CallState::Finished { .. });
        self.trials.iter().rev().find(is_running)
    }

    /// Returns what the edit that came the furthest gave.
    fn best(&self) -> Option<&CheckResult> {
        let of_edits = self
            .trials
            .iter()
            .filter(|trial| trial.of != TrialOf::Standing);
        let results = of_edits.filter_map(|trial| trial.result.as_ref());
        // The first of those that are alike.
        let rank = |result: &CheckResult| (result.reached, std::cmp::Reverse(result.failed));
        results.rev().max_by_key(|result| rank(result))
    }

    /// Tells whether the project's check chooses between the edits. Where it passes on the file as it is, nothing names
    /// its command.
    fn is_checked(&self) -> bool {
        self.command.is_some() || self.base.is_some()
    }

    /// Says what is tried, of what, and against what, in a few words.
    pub fn title(&self) -> String {
        let tried = self.tried();
        let noun = match self.is_checked() {
            true => "edit",
            false => "version",
        };
        let verb = match (&self.end, tried) {
            (None, 0) => format!("Trying {noun}s"),
            (None, _) => format!("Trying {noun} {tried}"),
            (Some(_), 1) => format!("Tried 1 {noun}"),
            (Some(_), _) => format!("Tried {tried} {noun}s"),
        };
        let against = match &self.command {
            Some(command) => format!(" against `{command}`"),
            None if self.is_checked() => " against the check".to_owned(),
            None => " on sample calls".to_owned(),
        };
        format!("{verb} of `{}`{against}", self.path)
    }

    /// Says what came of it, or how far the best one came until now. What is made where nothing checks the project is
    /// said to be unchecked.
    pub fn outcome(&self) -> Option<String> {
        let Some(end) = self.end else {
            return self.best().and_then(|best| self.progress(best));
        };
        let made = match self.is_checked() {
            true => "made",
            false => "made unchecked",
        };
        Some(match end {
            SearchEnd::Passes if self.tried() > 1 => "the last one passes".to_owned(),
            SearchEnd::Passes => "it passes".to_owned(),
            SearchEnd::Furthest => {
                let best = self.best().and_then(|best| self.progress(best));
                let best = best.unwrap_or_else(|| "the best gets no further".to_owned());
                format!("none passes, {best}")
            }
            SearchEnd::Undecided if self.is_checked() => {
                format!("the check says the same of all, the first is {made}")
            }
            SearchEnd::Undecided => format!("nothing tells them apart, one is {made}"),
            SearchEnd::Agreed { of: 1, .. } => format!("it runs, and is {made}"),
            SearchEnd::Agreed { alike, of } => {
                format!("{alike} of {of} give the same, one of those is {made}")
            }
            SearchEnd::Likeliest => format!("the likeliest is {made}"),
            SearchEnd::Faulty => format!("none runs as it should, the best is {made}"),
            SearchEnd::Nothing if self.is_checked() => "none passes, nothing is changed".to_owned(),
            SearchEnd::Nothing => "none is made".to_owned(),
            SearchEnd::Stopped => "stopped".to_owned(),
        })
    }

    /// Says how far an edit came, where that is further than the file as it is.
    fn progress(&self, best: &CheckResult) -> Option<String> {
        let base = self.base.unwrap_or_default();
        let rank = |result: &CheckResult| (result.reached, std::cmp::Reverse(result.failed));
        if best.passed || best.reached == 0 || rank(best) <= rank(&base) {
            return None;
        }
        // Without failures that were counted, what was reached is no number of tests.
        Some(match best.failed {
            0 => "the best gets further".to_owned(),
            failed => format!(
                "the best passes {} of {} tests ({} before)",
                best.reached,
                best.reached.saturating_add(failed),
                base.reached
            ),
        })
    }

    /// Says all of it in one line.
    pub fn sentence(&self) -> String {
        let mut text = self.title();
        if let Some(time) = self.time() {
            text.push_str(&format!(" · {time}"));
        }
        if let Some(outcome) = self.outcome() {
            text.push_str(&format!(" · {outcome}"));
        }
        text
    }

    /// Says how long it took, once it is over.
    pub fn time(&self) -> Option<String> {
        match self.wall_ms {
            0 => None,
            1..10_000 => Some(format!("{:.1} s", self.wall_ms as f64 / 1000.0)),
            _ => Some(format!("{} s", (self.wall_ms + 500) / 1000)),
        }
    }

    /// Takes in what is told of it after its beginning.
    pub(super) fn hear(&mut self, news: &SearchNews) {
        match news {
            SearchNews::Began { .. } => {}
            SearchNews::Trying { call, trial } => self.next = Some((*call, *trial)),
            SearchNews::Tried { call, result } => {
                let mut trials = self.trials.iter_mut().rev();
                if let Some(trial) = trials.find(|trial| trial.call.id == *call) {
                    trial.result = Some(*result);
                }
            }
            SearchNews::Ended { end, wall_ms } => {
                self.end = Some(*end);
                self.wall_ms = *wall_ms;
            }
        }
    }

    /// Takes a call in that was said to be a part of it. Returns `false` for any other.
    pub(super) fn take(&mut self, call: &ToolCall, risk: Risk) -> bool {
        let Some((_, of)) = self.next.take_if(|(next, _)| *next == call.id) else {
            return false;
        };
        self.trials.push(Trial {
            call: call.clone(),
            risk,
            of,
            state: CallState::Proposed,
            result: None,
        });
        true
    }

    /// Tells whether a call is a part of it, or is to be.
    pub fn has(&self, call: CallId) -> bool {
        let is_next = self.next.is_some_and(|(next, _)| next == call);
        is_next || self.trials.iter().any(|trial| trial.call.id == call)
    }
}

impl From<&SearchNews> for Search {
    fn from(news: &SearchNews) -> Self {
        match news {
            SearchNews::Began {
                path,
                command,
                base,
            } => Self {
                path: path.clone(),
                command: command.clone(),
                base: *base,
                ..Self::default()
            },
            _ => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Event, Item, Outcome, Transcript};

    fn call(id: u64) -> ToolCall {
        ToolCall {
            id: CallId(id),
            server: "run".to_owned(),
            tool: "check".to_owned(),
            arguments: std::iter::once(("name".to_owned(), format!("edit {id}").into())).collect(),
        }
    }

    fn result(reached: u32, failed: u32) -> CheckResult {
        CheckResult {
            passed: failed == 0,
            reached,
            failed,
            ..CheckResult::default()
        }
    }

    /// A search of so many edits, each of which came so far of seven.
    fn searched(reached: &[u32], end: Option<SearchEnd>) -> Transcript {
        let mut transcript = Transcript::default();
        let told = |news| Event::Searched { news };
        let began = SearchNews::Began {
            path: "a.py".to_owned(),
            command: Some("pytest".to_owned()),
            base: Some(result(3, 4)),
        };
        transcript.apply(&told(began));
        for (id, reached) in (1..).zip(reached) {
            let trying = SearchNews::Trying {
                call: CallId(id),
                trial: TrialOf::Edit,
            };
            transcript.apply(&told(trying));
            transcript.apply(&Event::CallProposed {
                call: call(id),
                risk: Risk::Command,
            });
            transcript.apply(&Event::CallStarted { call: CallId(id) });
            transcript.apply(&Event::CallFinished {
                call: CallId(id),
                outcome: Outcome::Failed {
                    text: format!("{reached} of 7"),
                },
            });
            let result = result(*reached, 7 - reached);
            transcript.apply(&told(SearchNews::Tried {
                call: CallId(id),
                result,
            }));
        }
        if let Some(end) = end {
            let wall_ms = 12_345;
            transcript.apply(&told(SearchNews::Ended { end, wall_ms }));
        }
        transcript
    }

    fn sentence(transcript: &Transcript) -> String {
        let Some(Item::Search { search }) = transcript.items.last() else {
            panic!("{:?}", transcript.items);
        };
        search.sentence()
    }

    #[test]
    fn many_trials_are_one_item_that_says_what_came_of_them() {
        for (reached, end, expected) in [
            (&[][..], None, "Trying edits of `a.py` against `pytest`"),
            (
                &[2, 5],
                None,
                "Trying edit 2 of `a.py` against `pytest` · the best passes 5 of 7 tests (3 before)",
            ),
            (
                &[2, 5, 4],
                Some(SearchEnd::Furthest),
                "Tried 3 edits of `a.py` against `pytest` · 12 s · none passes, the best passes 5 of 7 tests (3 before)",
            ),
            (
                &[2, 7],
                Some(SearchEnd::Passes),
                "Tried 2 edits of `a.py` against `pytest` · 12 s · the last one passes",
            ),
            (
                &[3],
                Some(SearchEnd::Nothing),
                "Tried 1 edit of `a.py` against `pytest` · 12 s · none passes, nothing is changed",
            ),
        ] {
            let transcript = searched(reached, end);
            assert_eq!(transcript.items.len(), 1, "{:?}", transcript.items);
            assert_eq!(sentence(&transcript), expected);
        }
    }

    #[test]
    fn what_is_made_where_nothing_checks_the_project_is_said_to_be_unchecked() {
        let said = |command: Option<&str>, base, end| {
            let mut search = Search {
                path: "a.py".to_owned(),
                command: command.map(str::to_owned),
                base,
                ..Search::default()
            };
            search.hear(&SearchNews::Ended { end, wall_ms: 0 });
            (search.title(), search.outcome().unwrap_or_default())
        };
        let agreed = |alike, of| SearchEnd::Agreed { alike, of };
        for (end, expected) in [
            (SearchEnd::Likeliest, "the likeliest is made unchecked"),
            (agreed(1, 1), "it runs, and is made unchecked"),
            (
                agreed(3, 4),
                "3 of 4 give the same, one of those is made unchecked",
            ),
            (
                SearchEnd::Undecided,
                "nothing tells them apart, one is made unchecked",
            ),
            (
                SearchEnd::Faulty,
                "none runs as it should, the best is made unchecked",
            ),
            (SearchEnd::Nothing, "none is made"),
        ] {
            let (title, outcome) = said(None, None, end);
            assert_eq!(title, "Tried 0 versions of `a.py` on sample calls");
            assert_eq!(outcome, expected);
        }
        for (command, base) in [(Some("pytest"), None), (None, Some(result(3, 0)))] {
            let (title, outcome) = said(command, base, SearchEnd::Undecided);
            assert!(
                title.starts_with("Tried 0 edits of `a.py` against "),
                "{title}"
            );
            assert_eq!(outcome, "the check says the same of all, the first is made");
        }
    }

    #[test]
    fn a_call_that_is_no_part_of_the_search_stands_for_itself() {
        let mut transcript = searched(&[2], None);
        transcript.apply(&Event::CallProposed {
            call: call(9),
            risk: Risk::Command,
        });
        assert!(
            matches!(
                transcript.items[..],
                [Item::Search { .. }, Item::Call { .. }]
            ),
            "{:?}",
            transcript.items
        );
    }

    #[test]
    fn what_a_trial_says_is_kept_with_it_and_a_turn_s_end_ends_the_search() {
        let mut transcript = searched(&[2, 4], None);
        transcript.apply(&Event::SessionEnded);
        let Some(Item::Search { search }) = transcript.items.first() else {
            panic!("{:?}", transcript.items);
        };
        assert_eq!(search.end, Some(SearchEnd::Stopped));
        let said: Vec<&CallState> = search.trials.iter().map(|trial| &trial.state).collect();
        let failed = |text: &str| CallState::Finished {
            outcome: Outcome::Failed {
                text: text.to_owned(),
            },
        };
        assert_eq!(said, [&failed("2 of 7"), &failed("4 of 7")]);
    }
}
