//! The choice between versions of a file that is written from nothing, where the project has no check.
//!
//! Each version is at least run: it keeps the file's names, leaves nothing unwritten, and does what the examples in the
//! request say. While none does, they are searched for as edits are that pass a check: versions that come further are
//! gone on from ([`super::tracks`]). Of those that do, the one is made that most of the others agree with: the model
//! writes a few sample calls, and what they give is compared. A mistake is rarely made twice in the same way; what is
//! right is the same every time.
//!
//! A fault that is to be mended is chosen for in the same way: what the code gives as it stands is wrong for some of the
//! calls, and right for most. So of the edits that change what is given the one is made that the model holds likeliest,
//! together with those that give the same, that changes least of it, and whose results it expects ([`super::outcomes`]).
//! Where the code does not do what an example in the request says, edits are searched for after which it does, and it is
//! chosen from the first few of those.

use serde_json::{Map, Value};

use super::super::calls::Stage;
use super::super::input::Effect;
use super::checking::Checking;
use super::outcomes::{Gave, Outcomes, gave, told};
use super::searching::Candidate;
use super::{Agent, intent, notice};
use crate::protocol::{
    CallId, CheckResult, Event, Level, Mechanism, Risk, SearchEnd, ToolCall, ToolChoice, TrialOf,
};

/// How many versions are drawn, how many where what the request says is searched for, how many more when it is found, and
/// how many that agree in everything are enough.
const MOST: u32 = 6;
const MOST_SEARCHED: u32 = 100;
const MORE: u32 = 3;
const ENOUGH: usize = 3;

/// How many edits are drawn for themselves where a fault is to be mended.
const MOST_MENDS: u32 = 2;

/// The longest request that is searched for examples, in bytes.
const REQUEST: usize = 24 * 1024;

/// The versions that were drawn.
#[derive(Debug, Default)]
pub(super) struct Versions {
    /// Sample calls; `None` until they were asked for.
    pub(super) calls: Option<Vec<String>>,
    probed: Vec<Probed>,
    /// What the code gives as it stands, where a fault in it is to be mended, and the call that finds it out.
    stands: Option<Stands>,
    looks: Option<CallId>,
    /// What the model expects the calls to give, where edits differ in it.
    pub(super) outcomes: Outcomes,
    /// What was wrong with the last one that is not right.
    pub(super) fails: Option<String>,
    /// What the request says may be searched for, and how many were drawn when it was found.
    may_search: bool,
    found_at: u32,
}

/// A version that was run.
#[derive(Debug)]
struct Probed {
    candidate: Candidate,
    result: CheckResult,
    gave: Gave,
}

/// What the sample calls give as the code stands.
#[derive(Debug)]
struct Stands {
    given: [u8; 8],
    gave: Gave,
    /// It does not do what an example in the request says, so that an edit that does is known to mend it.
    fails: bool,
}

impl Stands {
    /// Tells whether an edit mends it: a sample call gives something else, and none gives less.
    fn is_mended(&self, by: &Probed) -> bool {
        let tells = |given: &[u8; 8]| given.iter().filter(|given| **given != 0).count();
        let given = &by.result.given;
        by.result.passed && *given != self.given && tells(given) >= tells(&self.given)
    }
}

impl Versions {
    /// Tells whether no version was run yet.
    pub(super) fn is_empty(&self) -> bool {
        self.probed.is_empty()
    }

    /// Tells whether this call finds out what the code gives as it stands.
    pub(super) fn awaits(&self, call: CallId) -> bool {
        self.looks == Some(call)
    }

    /// Returns what the sample calls give as the code stands.
    pub(super) fn stand_gave(&self) -> Option<&Gave> {
        self.stands.as_ref().map(|stands| &stands.gave)
    }

    /// Returns what they give after each edit that mends a fault, the likeliest first.
    pub(super) fn mends_gave(&self) -> Vec<&Gave> {
        let Some(stands) = &self.stands else {
            return Vec::new();
        };
        let mends = self.probed.iter().filter(|probed| stands.is_mended(probed));
        let mut mends: Vec<&Probed> = mends.collect();
        mends.sort_by(|one, other| {
            let likelihood = |of: &Probed| of.candidate.likelihood;
            likelihood(other).total_cmp(&likelihood(one))
        });
        mends.into_iter().map(|probed| &probed.gave).collect()
    }

    /// Returns the place of the edit to be made of those that mend a fault.
    fn choose_mend(&self, stands: &Stands) -> Option<usize> {
        let worth = |one: &Probed| {
            let given = &one.result.given;
            let alike = self.probed.iter().filter(|it| it.result.given == *given);
            let likelihood: f32 = alike.map(|it| it.candidate.likelihood).sum();
            likelihood
                * (1 + same(given, &stands.given)) as f32
                * self.outcomes.worth(&one.gave).exp()
        };
        let places = (0..self.probed.len()).rev();
        places
            .filter(|place| stands.is_mended(&self.probed[*place]))
            .max_by(|one, other| worth(&self.probed[*one]).total_cmp(&worth(&self.probed[*other])))
    }

    /// Returns the place of the version to be made: one that runs, that most examples hold for, that most others agree
    /// with. The first of them was drawn with the least chance in it.
    fn choose(&self) -> Option<usize> {
        if let Some(stands) = &self.stands {
            let any = || self.probed.iter().position(|it| it.result.passed);
            return self.choose_mend(stands).or_else(any);
        }
        let places = (0..self.probed.len()).rev();
        places.max_by_key(|place| {
            let result = &self.probed[*place].result;
            // One that cannot even be read fails in one thing only.
            let failed = std::cmp::Reverse(result.failed);
            (result.passed, result.reached, failed, self.agree(*place))
        })
    }

    /// Counts what other versions give as well.
    fn agree(&self, place: usize) -> usize {
        let given = &self.probed[place].result.given;
        let others = self.probed.iter().enumerate();
        others
            .filter(|(other, it)| *other != place && it.result.passed)
            .map(|(_, it)| same(given, &it.result.given))
            .sum()
    }

    /// Tells whether any version is right.
    fn any_right(&self) -> bool {
        self.probed.iter().any(|probed| probed.result.passed)
    }

    /// Returns how many versions, or edits that mend, are drawn at most.
    fn most(&self) -> u32 {
        match &self.stands {
            _ if self.searches() => MOST_SEARCHED,
            Some(stands) if !stands.fails => MOST_MENDS,
            Some(_) => self.found_at + MORE,
            None => MOST.max(self.found_at + MORE),
        }
    }

    /// Tells whether a version is searched for that does what the request says: nothing does so far.
    pub(super) fn searches(&self) -> bool {
        let fails = match &self.stands {
            Some(stands) => stands.fails,
            None => self.probed.iter().any(|it| falls_short(it.result)),
        };
        self.may_search && fails && !self.any_right()
    }

    /// Tells whether enough versions agree in everything, or enough edits do what the request says.
    fn is_enough(&self) -> bool {
        let right: Vec<&CheckResult> = self
            .probed
            .iter()
            .map(|probed| &probed.result)
            .filter(|result| result.passed)
            .collect();
        if let Some(stands) = &self.stands {
            return stands.fails && right.len() >= ENOUGH;
        }
        right.iter().any(|one| {
            let tells = one.given.iter().any(|given| *given != 0);
            let alike = right.iter().filter(|other| other.given == one.given);
            tells && alike.count() >= ENOUGH
        })
    }
}

/// Tells whether a file runs and does not do what it is to do. One that does not even run may lack what is not there.
fn falls_short(result: CheckResult) -> bool {
    result.reached > 0 && result.failed > 0
}

fn same(a: &[u8; 8], b: &[u8; 8]) -> usize {
    let both = a.iter().zip(b);
    both.filter(|(a, b)| a == b && **a != 0).count()
}

impl Agent {
    /// Tells whether versions of a file are compared: nothing checks the project, the file is yet to be written or a fault
    /// in it is to be mended, and what the model writes may be run.
    pub(super) fn compares(&self) -> bool {
        let compared = self.compared();
        compared.is_some_and(|(path, _)| self.may_sample(&path))
    }

    /// Tells whether edits that mend a fault are compared by what they give.
    pub(super) fn mends(&self) -> bool {
        let compared = self.compared();
        compared.is_some_and(|(path, is_stub)| !is_stub && self.may_sample(&path))
    }

    /// Returns the file between whose versions the results of sample calls choose, if they may be made, and whether it is
    /// yet to be written.
    pub(super) fn compared(&self) -> Option<(String, bool)> {
        let turn = self.turn.as_ref()?;
        let (path, text) = self.file_to_write()?;
        let is_stub = turn.aims(&path, &text)?.is_stub;
        let suits =
            is_stub || self.helps(Mechanism::Doubts) && intent::asks_for_a_mend(&turn.request);
        let compares = suits
            && path.ends_with(".py")
            && self.prober.is_some()
            && !matches!(turn.checking, Checking::Known(_))
            && self.helps(Mechanism::Versions)
            && self.is_small();
        compares.then_some((path, is_stub))
    }

    /// Looks what the version that was just drawn does: first sample calls are asked for.
    pub(super) fn probe_current(&mut self, out: &mut Vec<Effect>) {
        let Some(turn) = &self.turn else { return };
        let search = turn.search.as_ref();
        let has_calls = search.is_some_and(|search| search.versions.calls.is_some());
        let stands = search.is_some_and(|search| search.versions.stands.is_some());
        match has_calls || turn.time_is_up {
            true if self.mends() && !stands => self.look_at_what_stands(out),
            true => self.probe(out),
            false => self.ask_for_calls(out),
        }
    }

    /// Runs the code as it stands on the sample calls.
    fn look_at_what_stands(&mut self, out: &mut Vec<Effect>) {
        let Some(call) = self.probing("what stands there", TrialOf::Standing, out) else {
            return self.adopt_current(SearchEnd::Undecided, out);
        };
        if let Some(search) = self.search() {
            search.versions.looks = Some(call.id);
        }
        out.push(Effect::Check { call, trial: None });
    }

    fn probe(&mut self, out: &mut Vec<Effect>) {
        let number = self
            .search()
            .map_or(0, |search| search.versions.probed.len() + 1);
        let Some(call) = self.probing(&format!("version {number}"), TrialOf::Edit, out) else {
            return self.adopt_current(SearchEnd::Undecided, out);
        };
        let trial = self.search().and_then(|search| search.await_check(call.id));
        if trial.is_some() {
            out.push(Effect::Check { call, trial });
        }
    }

    /// Opens a call that runs a file on the sample calls.
    fn probing(&mut self, what: &str, trial: TrialOf, out: &mut Vec<Effect>) -> Option<ToolCall> {
        let (spec, (path, before)) = self.prober.clone().zip(self.file_to_write())?;
        let id = self.calls.mint();
        let turn = self.turn.as_ref()?;
        let calls = turn.search.as_ref()?.versions.calls.clone();
        let calls = calls.unwrap_or_default();
        let what = format!("{what} of `{path}`");
        let request = super::beginning(&turn.request, REQUEST);
        let arguments: [(&str, Value); 5] = [
            ("name", what.into()),
            ("path", path.into()),
            ("before", (*before).into()),
            ("request", request.into()),
            ("calls", calls.into()),
        ];
        let call = ToolCall {
            id,
            server: spec.server,
            tool: spec.tool,
            arguments: Map::from_iter(arguments.map(|(name, value)| (name.to_owned(), value))),
        };
        self.tell_trial(id, trial, out);
        // What is handed over is no news to anybody.
        let mut shown = call.clone();
        shown.arguments.retain(|name, _| name == "name");
        out.push(Effect::Emit(Event::CallProposed {
            call: shown,
            risk: Risk::Command,
        }));
        out.push(Effect::Emit(Event::CallStarted { call: id }));
        self.calls.open(call.clone(), Risk::Command, Stage::Running);
        Some(call)
    }

    /// Takes what the code gives as it stands, and goes on with the edit that waits.
    pub(super) fn looked(
        &mut self,
        text: &str,
        result: Option<CheckResult>,
        out: &mut Vec<Effect>,
    ) {
        if let Some(search) = self.search() {
            let versions = &mut search.versions;
            versions.looks = None;
            versions.stands = Some(Stands {
                given: result.map_or([0; 8], |result| result.given),
                gave: gave(text),
                fails: result.is_some_and(falls_short),
            });
        }
        self.probe(out);
    }

    /// Takes what a version did.
    pub(super) fn probed(
        &mut self,
        text: &str,
        result: Option<CheckResult>,
        out: &mut Vec<Effect>,
    ) {
        let may_search = self.helps(Mechanism::Search);
        let Some(turn) = &mut self.turn else { return };
        let Some(search) = &mut turn.search else {
            return;
        };
        let Some(candidate) = search.take_current() else {
            return;
        };
        let id = candidate.call.id;
        match result {
            Some(result) => {
                let (after, drawn) = (candidate.after(), search.drawn());
                let versions = &mut search.versions;
                versions.may_search = may_search;
                let is_found = result.passed && versions.searches();
                if is_found {
                    versions.found_at = drawn;
                }
                versions.fails = (!result.passed).then(|| text.to_owned());
                versions.probed.push(Probed {
                    candidate,
                    result,
                    gave: gave(text),
                });
                match after {
                    // What is written from now on is to agree with it.
                    _ if is_found => search.tracks.keep_file(),
                    Some(after) if versions.searches() => search.tracks.tried(&after, text, result),
                    _ => {}
                }
                self.calls.settle(id);
                self.next_version(out);
            }
            // It could not be looked at: then nothing chooses.
            None => self.adopt(candidate, SearchEnd::Undecided, out),
        }
    }

    /// Draws another version, or makes the one that is chosen.
    pub(super) fn next_version(&mut self, out: &mut Vec<Effect>) {
        let most = self.most_tokens();
        let Some(turn) = &self.turn else { return };
        let Some(search) = &turn.search else { return };
        let mends = self.mends();
        let drawn = search.drawn() >= search.versions.most();
        let is_over = turn.time_is_up || turn.spent() >= most;
        let enough = search.versions.is_enough();
        if !is_over && !enough && (self.try_departure(out) || !drawn && self.draw_beside(out)) {
            return;
        }
        if mends && self.weigh_outcomes(out) {
            return;
        }
        self.choose_version(out);
    }

    /// Makes the version that is chosen. Where there is none, the conversation goes on where it would have begun.
    pub(super) fn choose_version(&mut self, out: &mut Vec<Effect>) {
        let mends = self.mends();
        let Some(turn) = &mut self.turn else { return };
        let Some(search) = &mut turn.search else {
            return;
        };
        let versions = &mut search.versions;
        let Some(place) = versions.choose() else {
            turn.search = None;
            self.tell_search_ended(SearchEnd::Nothing, out);
            return self.generate(ToolChoice::Auto, out);
        };
        let count = versions.probed.len();
        let agree = versions
            .probed
            .iter()
            .filter(|it| it.result.given == versions.probed[place].result.given)
            .count();
        let Probed {
            candidate,
            result,
            gave,
        } = versions.probed.remove(place);
        let stands = versions.stands.as_ref();
        if let Some(text) = stands.and_then(|stands| told(&stands.gave, &gave)) {
            notice(Level::Info, &text, out);
        }
        // What was chosen, the search's end tells; that nothing was right is more than that.
        if !result.passed {
            let text =
                "Nothing checks this project, and no version that was written runs as it should.";
            notice(Level::Warning, text, out);
        }
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let end = match result.passed {
            true if mends => SearchEnd::Likeliest,
            true => SearchEnd::Agreed {
                alike: number(agree),
                of: number(count),
            },
            false => SearchEnd::Faulty,
        };
        if let Some(turn) = &mut self.turn {
            turn.compared = true;
        }
        self.adopt(candidate, end, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(passed: bool, failed: u32, given: [u8; 8]) -> Probed {
        let call = ToolCall {
            id: CallId(1),
            server: "fs".into(),
            tool: "write".into(),
            arguments: Map::new(),
        };
        let result = CheckResult {
            passed,
            reached: 5 - failed,
            failed,
            millis: 1,
            given,
        };
        Probed {
            candidate: Candidate::corrected(String::new(), call, 0),
            result,
            gave: Vec::new(),
        }
    }

    fn standing(given: [u8; 8]) -> Option<Stands> {
        let gave = Vec::new();
        Some(Stands {
            given,
            gave,
            fails: false,
        })
    }

    fn versions(probed: Vec<Probed>) -> Versions {
        Versions {
            probed,
            ..Versions::default()
        }
    }

    #[test]
    fn the_version_that_most_agree_with_is_made() {
        let given = |first: u8| [first, 9, 0, 0, 0, 0, 0, 0];
        let found = versions(vec![
            version(true, 0, given(1)),
            version(true, 0, given(2)),
            version(true, 0, given(2)),
        ]);
        assert_eq!(found.choose(), Some(1));
        assert!(!found.is_enough());
        let alike = versions((0..3).map(|_| version(true, 0, given(3))).collect());
        assert!(alike.is_enough());
        assert_eq!(alike.choose(), Some(0), "the likeliest of those");
    }

    #[test]
    fn of_edits_that_mend_the_likeliest_kind_is_made_that_changes_least() {
        let likely = |likelihood: f32, given: [u8; 8]| {
            let mut probed = version(true, 0, given);
            probed.candidate.likelihood = likelihood;
            probed
        };
        let stands = [1, 2, 3, 0, 0, 0, 0, 0];
        let mends = [1, 2, 9, 0, 0, 0, 0, 0];
        let mut found = versions(vec![
            likely(0.8, stands),
            likely(0.3, [7, 8, 9, 0, 0, 0, 0, 0]),
            likely(0.1, mends),
            likely(0.08, mends),
            likely(0.9, [1, 0, 0, 0, 0, 0, 0, 0]),
        ]);
        found.stands = standing(stands);
        assert_eq!(
            found.choose(),
            Some(2),
            "one alone is less likely than two that agree"
        );
        let mut same = versions(vec![likely(0.8, stands)]);
        same.stands = standing(stands);
        assert_eq!(same.choose(), Some(0), "there is nothing else");
        let mut ends = versions(vec![likely(0.1, stands), likely(0.01, mends)]);
        ends.stands = standing([0; 8]);
        assert_eq!(
            ends.choose(),
            Some(0),
            "where it gave nothing, anything is more"
        );
    }

    #[test]
    fn what_cannot_run_is_not_searched_for() {
        let mut found = versions(vec![version(false, 5, [0; 8])]);
        found.may_search = true;
        assert_eq!(
            (found.searches(), found.most()),
            (false, MOST),
            "a module lacks"
        );
        found.probed.push(version(false, 1, [0; 8]));
        assert_eq!((found.searches(), found.most()), (true, MOST_SEARCHED));
        found.may_search = false;
        assert_eq!(found.most(), MOST, "it is left out");
    }

    #[test]
    fn a_version_that_fails_is_made_only_where_there_is_no_other() {
        let agreed = [1; 8];
        let found = versions(vec![
            version(false, 2, agreed),
            version(false, 1, agreed),
            version(true, 0, [0; 8]),
        ]);
        assert_eq!(found.choose(), Some(2));
        let failing = versions(vec![version(false, 2, agreed), version(false, 1, agreed)]);
        assert_eq!(failing.choose(), Some(1));
        let mut unreadable = version(false, 1, [0; 8]);
        unreadable.result.reached = 0;
        let found = versions(vec![unreadable, version(false, 3, agreed)]);
        assert_eq!(found.choose(), Some(1), "it does something");
        let mute = versions((0..3).map(|_| version(true, 0, [0; 8])).collect());
        assert!(
            !mute.is_enough(),
            "calls that tell nothing agree in nothing"
        );
    }
}
