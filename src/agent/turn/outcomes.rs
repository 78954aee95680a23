//! What sample calls are to give, as the model expects it.
//!
//! Of edits that mend a fault which nothing checks, each gives something else for some call, and most of them give
//! something wrong. A small model that reads code sees no fault in it; but it has read what functions of that name and
//! description give, and finds a right result likelier than a wrong one. So the results are weighed against each other,
//! each below its call, as in a Python session. Nothing is generated: a result costs the evaluation of its tokens.

use super::super::input::Effect;
use super::Agent;
use super::rewriting::Rewriting;
use super::wording::Part;
use crate::protocol::{Doubts, Rival};

/// The longest result that is weighed, in bytes.
const LONGEST: usize = 160;

/// How many calls are weighed, those with the shortest results; how many results of each; and how many of the calls that
/// always give the same stand before them.
const MOST: usize = 3;
const RESULTS: usize = 8;
const SHOWN: usize = 3;

/// How much a result counts against another one at most, as a logarithm: one call alone decides nothing.
const CAP: f32 = 4.0;

/// What each sample call gave; `None` for what is not to be weighed.
pub(super) type Gave = Vec<(String, Option<String>)>;

/// What was weighed of the results.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    is_asked: bool,
    rivals: Vec<Other>,
    /// Results, with how much likelier they are than what the code gives as it stands.
    weighed: Vec<(Other, f32)>,
}

/// A call, and what it gives after an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Other {
    call: String,
    result: String,
}

impl Outcomes {
    /// Takes in how much likelier a result is than what the code gives as it stands.
    pub(super) fn hear(&mut self, rival: usize, likelier: f32) {
        if let (Some(other), true) = (self.rivals.get(rival), likelier.is_finite()) {
            self.weighed.push((other.clone(), likelier));
        }
    }

    /// Waits for what is said of these.
    fn begin(&mut self, rivals: Vec<Other>, stands: Vec<Other>) {
        self.rivals = rivals;
        self.weighed = stands.into_iter().map(|other| (other, 0.0)).collect();
    }

    /// Returns how likely it is that the calls are to give that, as a logarithm: 0 where each gives what is likeliest.
    pub(super) fn worth(&self, gave: &Gave) -> f32 {
        let of = |(call, result): &(String, Option<String>)| {
            let result = result.as_ref()?;
            let known = || self.weighed.iter().filter(|(other, _)| other.call == *call);
            // Beside what the code gives as it stands, something must have been weighed.
            known().nth(1)?;
            let most = known().map(|(_, likelier)| *likelier).reduce(f32::max)?;
            let own = known().find(|(other, _)| other.result == *result);
            // What was not weighed is what the unlikeliest edits give.
            let own = own.map_or(f32::NEG_INFINITY, |(_, likelier)| *likelier);
            Some((own - most).max(-CAP))
        };
        gave.iter().filter_map(of).sum()
    }
}

/// Reads what the calls gave from what was told of a run: each call with its result, where that is short.
pub(super) fn gave(told: &str) -> Gave {
    let of = |line: &str| {
        let (call, result) = line.split_once(" gives ")?;
        let is_short = result.len() <= LONGEST && result != "…";
        Some((call.to_owned(), is_short.then(|| result.to_owned())))
    };
    told.lines().skip(1).filter_map(of).collect()
}

/// Says what an edit changed of what the calls give, by the shortest example.
pub(super) fn told(stands: &Gave, after: &Gave) -> Option<String> {
    let differ = stands.iter().filter_map(|(call, old)| {
        let (_, new) = after.iter().find(|(of, _)| of == call)?;
        let (old, new) = (old.as_ref()?, new.as_ref()?);
        (old != new).then_some((call, old, new))
    });
    let (call, old, new) =
        differ.min_by_key(|(call, old, new)| call.len() + old.len() + new.len())?;
    Some(format!(
        "`{call}` gave `{old}`, and gives `{new}` after this edit. Nothing else checks it."
    ))
}

/// What is asked, and which results it is about.
struct Question {
    doubts: Doubts,
    rivals: Vec<Other>,
    stands: Vec<Other>,
}

/// Writes the calls as a session, with what they give as the code stands, and lists what else edits make of it, the
/// likeliest of them first.
fn question(stands: &Gave, edits: &[&Gave]) -> Option<Question> {
    let others = |call: &str, stands: &str| -> Vec<String> {
        let mut found = Vec::new();
        for (of, result) in edits.iter().copied().flatten() {
            if let Some(result) = result.as_ref().filter(|it| of == call && *it != stands)
                && !found.contains(result)
                && found.len() < RESULTS
            {
                found.push(result.clone());
            }
        }
        found
    };
    let known = stands.iter().filter_map(|(call, result)| {
        let result = result.as_deref()?;
        Some((call.as_str(), result, others(call, result)))
    });
    let (same, mut differ): (Vec<_>, Vec<_>) = known.partition(|(.., others)| others.is_empty());
    differ.sort_by_key(|(_, result, _)| result.len());
    let (mut text, mut rivals) = (String::new(), Vec::new());
    let (mut found, mut standing) = (Vec::new(), Vec::new());
    let of = |call: &str, result: &str| Other {
        call: call.to_owned(),
        result: result.to_owned(),
    };
    for (call, result, others) in same.iter().take(SHOWN).chain(differ.iter().take(MOST)) {
        text.push_str(&format!(">>> {call}\n"));
        let from = text.len();
        text.push_str(&format!("{result}\n"));
        if !others.is_empty() {
            standing.push(of(call, result));
        }
        for other in others {
            rivals.push(Rival {
                at: from..text.len(),
                other: format!("{other}\n"),
            });
            found.push(of(call, other));
        }
    }
    text.push_str("```");
    let doubts = Doubts {
        lead: "```python\n".to_owned(),
        text: text.into(),
        within: Vec::new(),
        skip: 0,
        most: 0,
        rivals,
    };
    (!found.is_empty()).then_some(Question {
        doubts,
        rivals: found,
        stands: standing,
    })
}

impl Agent {
    /// Asks which results the model expects, once. Returns `false` where there is nothing to ask.
    pub(super) fn weigh_outcomes(&mut self, out: &mut Vec<Effect>) -> bool {
        let Some((path, text)) = self.file_to_write() else {
            return false;
        };
        let Some(turn) = &mut self.turn else {
            return false;
        };
        if turn.time_is_up {
            return false;
        }
        let request = turn.request.clone();
        let Some(search) = &mut turn.search else {
            return false;
        };
        let versions = &mut search.versions;
        if std::mem::replace(&mut versions.outcomes.is_asked, true) {
            return false;
        }
        let stands = versions.stand_gave();
        let Some(question) = stands.and_then(|stands| question(stands, &versions.mends_gave()))
        else {
            return false;
        };
        versions.outcomes.begin(question.rivals, question.stands);
        let prompt = format!(
            "{request}\n\n{path}:\n```python\n{text}```\n\nOnce it does what it is meant to do, what do calls of it give? Write \
             them as a Python session."
        );
        let mut request = self.request_beside(prompt);
        request.doubts = Some(question.doubts);
        let id = request.id;
        if let Some(turn) = &mut self.turn {
            turn.asking_beside(id);
            turn.rewriting = Some(Rewriting::aside(path, text, Part::Outcomes));
        }
        out.push(Effect::Generate(request));
        true
    }

    /// Takes note that the results are weighed, and makes the edit that is chosen.
    pub(super) fn take_outcomes(&mut self, out: &mut Vec<Effect>) {
        if let Some(turn) = &mut self.turn {
            turn.pending.clear();
        }
        self.choose_version(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(results: [&str; 3]) -> Gave {
        let calls = ["f(1)", "f(2)", "f(3)"].map(str::to_owned);
        let results = results.map(|it| Some(it.to_owned()));
        calls.into_iter().zip(results).collect()
    }

    fn other(call: &str, result: &str) -> Other {
        Other {
            call: call.to_owned(),
            result: result.to_owned(),
        }
    }

    #[test]
    fn what_calls_gave_is_read_line_by_line() {
        let long = "9".repeat(LONGEST + 1);
        let told = format!("`a.py` gives\nf(1) gives [1, 2]\nf(2) gives …\nf(3) gives {long}");
        let read = [("f(1)", Some("[1, 2]")), ("f(2)", None), ("f(3)", None)];
        let read = read.map(|(call, result)| (call.to_owned(), result.map(str::to_owned)));
        assert_eq!(gave(&told), read);
    }

    #[test]
    fn what_an_edit_changes_is_told_by_the_shortest_example() {
        let stands = some(["[1, 2, 3, 4]", "5", "3"]);
        let after = some(["[4, 3, 2, 1]", "6", "3"]);
        let said = "`f(2)` gave `5`, and gives `6` after this edit. Nothing else checks it.";
        assert_eq!(told(&stands, &after).as_deref(), Some(said));
        assert_eq!(told(&stands, &stands), None);
    }

    #[test]
    fn results_that_differ_are_weighed_below_those_that_do_not() {
        let stands = some(["1", "5", "3"]);
        let (one, two) = (some(["2", "5", "3"]), some(["4", "5", "3"]));
        let asked = question(&stands, &[&one, &two, &one]).expect("they differ");
        assert_eq!(
            &*asked.doubts.text,
            ">>> f(2)\n5\n>>> f(3)\n3\n>>> f(1)\n1\n```"
        );
        assert_eq!(asked.stands, [other("f(1)", "1")]);
        assert_eq!(asked.rivals, [other("f(1)", "2"), other("f(1)", "4")]);
        for rival in &asked.doubts.rivals {
            assert_eq!(&asked.doubts.text[rival.at.clone()], "1\n");
        }
        assert!(question(&stands, &[&stands]).is_none());
    }

    #[test]
    fn a_likelier_result_is_worth_more_and_no_call_decides_alone() {
        let mut outcomes = Outcomes::default();
        outcomes.begin(
            vec![other("f(1)", "2"), other("f(1)", "4"), other("f(2)", "6")],
            vec![other("f(1)", "1"), other("f(2)", "5")],
        );
        assert_eq!(outcomes.worth(&some(["2", "6", "3"])), 0.0, "not weighed");
        for (rival, likelier) in [(0, 3.0), (1, -20.0), (2, -1.0), (7, 9.0), (2, f32::NAN)] {
            outcomes.hear(rival, likelier);
        }
        assert_eq!(outcomes.worth(&some(["2", "5", "3"])), 0.0);
        assert_eq!(outcomes.worth(&some(["1", "5", "3"])), -3.0, "as it stands");
        assert_eq!(outcomes.worth(&some(["4", "6", "3"])), -CAP - 1.0);
        assert_eq!(outcomes.worth(&some(["9", "5", "3"])), -CAP, "unheard of");
        assert_eq!(outcomes.worth(&Vec::new()), 0.0);
    }
}
