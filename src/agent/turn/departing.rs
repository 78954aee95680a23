//! Edits that the model has in mind already: where it would depart from the code as it stands.
//!
//! A small model that is to write faulty code anew mostly copies it, the fault with it. But at the faulty place it
//! doubts: what belongs there is often the second or third thing that it thinks of. So the code is evaluated as if the
//! model had just written it, and the likeliest departures from it are tried, each of them one changed line. That costs
//! a dozen tokens for an edit, and no two of them are the same. Measured with a 1.5B model on seven functions of one
//! fault each, without saying what fails: a mend of six was among the forty likeliest departures, of three among the
//! first six.

use std::collections::VecDeque;
use std::ops::Range;

use super::super::input::{Effect, Focus};
use super::rewriting::Rewriting;
use super::tracks::{Ask, form};
use super::wording::language;
use super::{Agent, Checking};
use crate::protocol::{Departure, Doubts, Mechanism};

/// How many departures are asked for at once, and how many where each is only run and not checked.
pub(super) const MOST: usize = 12;
pub(super) const MOST_RUN: usize = 24;

/// How many edits are drawn before the first departures are asked for, and between one time and the next.
const BEFORE: u32 = 2;
const BETWEEN: u32 = 6;

/// Departures that were told, and those that are yet to be tried.
#[derive(Debug, Default)]
pub(super) struct Departures {
    heard: Vec<Departure>,
    /// Where the text that was doubted begins in the text that edits are drawn of, in bytes.
    offset: usize,
    queue: VecDeque<(Rewriting, String, f32)>,
    /// What is tried next was not drawn for itself, and is so likely.
    pub(super) next: Option<f32>,
}

impl Departures {
    /// Takes in one that was told.
    pub(super) fn hear(&mut self, departure: Departure) {
        self.heard.push(departure);
    }

    /// Begins to wait for those of a text that begins there.
    pub(super) fn begin(&mut self, offset: usize) {
        self.offset = offset;
        self.heard.clear();
    }
}

/// Tells whether departures are to be asked for before the next edit is drawn.
pub(super) fn is_due(ask: &Ask) -> bool {
    let so_far = ask.doubted.saturating_mul(BETWEEN);
    ask.drawn >= BEFORE.saturating_add(so_far)
}

/// Tells whether they are to be asked for where only sample calls choose: once, after the likeliest edit.
pub(super) fn is_due_at_once(ask: &Ask) -> bool {
    ask.drawn >= 1 && ask.doubted == 0
}

/// Makes the question for departures from a text, or from a function in it, and says where that begins. What fails is
/// told every other time: for some faults that helps, for others it leads astray.
pub(super) fn doubts(
    path: &str,
    text: &str,
    focus: Option<&Focus>,
    doubted: u32,
    most: usize,
) -> (Doubts, usize) {
    let mut lines: Vec<(usize, Range<usize>)> = Vec::new();
    let mut at = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        lines.push((number, at..at + line.len()));
        at += line.len();
    }
    let part = match focus {
        Some(focus) => {
            let of_line = |number: usize| lines.get(number.saturating_sub(1));
            let start = of_line(focus.from).map_or(0, |line| line.1.start);
            let end = of_line(focus.to).map_or(text.len(), |line| line.1.end);
            start..end.max(start)
        }
        None => 0..text.len(),
    };
    let is_code = |number: usize, line: &str| match focus {
        Some(focus) => focus.lines.contains(&number),
        None => {
            let bare = line.trim_start();
            !bare.is_empty() && !bare.starts_with("//") && !bare.starts_with('#')
        }
    };
    let within = lines.iter().filter_map(|(number, line)| {
        let inside = line.start >= part.start && line.end <= part.end;
        // A line that is missing before this one begins with the end of the one before it.
        let start = line.start.saturating_sub(part.start + 1);
        (inside && is_code(*number, &text[line.clone()])).then(|| start..line.end - part.start)
    });
    let doubts = Doubts {
        lead: format!("```{}\n", language(path)),
        text: text[part.clone()].into(),
        within: within.collect(),
        skip: (doubted / 2) as usize * most,
        most,
        rivals: Vec::new(),
    };
    (doubts, part.start)
}

/// Returns what a text becomes by a departure from it: the line in which it begins is another one, or there is one more,
/// or one less, by what the model would have gone on with.
fn departed(text: &str, at: usize, written: &str) -> Vec<String> {
    if at > text.len() || !text.is_char_boundary(at) {
        return Vec::new();
    }
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let head = &text[..start];
    let written = format!("{}{written}", &text[start..at]);
    let mut new = written.split('\n');
    let (line, next) = (new.next().unwrap_or(""), new.next().unwrap_or(""));
    let old: Vec<&str> = text[start..].split('\n').collect();
    let is_old = |line: &str, index: usize| {
        let old = old.get(index);
        !line.trim().is_empty() && old.is_some_and(|old| old.trim_end() == line.trim_end())
    };
    let from = |index: usize| old.get(index..).unwrap_or_default().join("\n");
    if is_old(line, 0) {
        return Vec::new();
    }
    if is_old(line, 1) {
        return vec![format!("{head}{}", from(1))];
    }
    if is_old(next, 0) {
        return vec![format!("{head}{line}\n{}", from(0))];
    }
    if is_old(next, 2) && !is_old(next, 1) {
        return vec![format!("{head}{line}\n{}", from(2))];
    }
    let mut found = vec![format!("{head}{line}\n{}", from(1))];
    if !next.trim().is_empty() && !is_old(next, 1) && old.len() > 2 {
        found.push(format!("{head}{line}\n{next}\n{}", from(2)));
    }
    found
}

impl Agent {
    /// Tells whether departures may be tried: a check chooses between them, or what they give.
    pub(super) fn doubts(&self) -> bool {
        let checked = |turn: &super::Turn| matches!(turn.checking, Checking::Known(_));
        let searches = |turn: &super::Turn| {
            let search = turn.search.as_ref();
            search.is_some_and(|search| search.versions.searches())
        };
        let turn = self.turn.as_ref();
        let chosen = turn.is_some_and(|turn| checked(turn) || searches(turn)) || self.mends();
        chosen && self.helps(Mechanism::Doubts)
    }

    /// Takes the departures that were told, and goes on with the first of them.
    pub(super) fn take_departures(&mut self, beside: &Rewriting, out: &mut Vec<Effect>) {
        let Some(turn) = &mut self.turn else { return };
        turn.pending.clear();
        let Some(search) = &mut turn.search else {
            return;
        };
        let departures = &mut search.departures;
        let heard = std::mem::take(&mut departures.heard);
        turn.effort.wasted += u32::from(heard.is_empty());
        search.tracks.note_doubts(!heard.is_empty());
        let offset = departures.offset;
        let made = heard.iter().flat_map(|departure| {
            let at = offset.saturating_add(departure.at);
            let made = departed(beside.text(), at, &departure.written);
            made.into_iter().map(|after| (after, departure.likelihood))
        });
        let made: Vec<_> = made
            .map(|(after, likelihood)| (beside.clone(), after, likelihood))
            .collect();
        departures.queue.extend(made);
        self.draw_again(out);
    }

    /// Tries the next departure that is none of what was tried before. Returns `false` where there is none.
    pub(super) fn try_departure(&mut self, out: &mut Vec<Effect>) -> bool {
        let Some(search) = self.search() else {
            return false;
        };
        while let Some((rewriting, after, likelihood)) = search.departures.queue.pop_front() {
            if rewriting.is_unchanged(&after) || search.knows(form(&after)) {
                continue;
            }
            search.departures.next = Some(likelihood);
            self.try_written(&rewriting, Some(&after), out);
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "def f(x):\n    y = x\n    return y - 1\n";

    fn at(what: &str) -> usize {
        TEXT.find(what).expect("it is there")
    }

    #[test]
    fn a_departure_is_another_line_or_one_more_or_one_less() {
        let another = departed(TEXT, at("- 1"), "+ 1\n");
        assert_eq!(another, ["def f(x):\n    y = x\n    return y + 1\n"]);
        let more = departed(TEXT, at("return"), "y += 2\n    return y - 1\n");
        assert_eq!(
            more,
            ["def f(x):\n    y = x\n    y += 2\n    return y - 1\n"]
        );
        let less = departed(TEXT, at("y = x"), "return y - 1\n");
        assert_eq!(less, ["def f(x):\n    return y - 1\n"]);
        let same = departed(TEXT, at("y = x"), "y = x  \n    return y - 1\n");
        assert!(same.is_empty(), "{same:?}");
        let two = departed(TEXT, at("y = x"), "z = x\n    w = z\n");
        assert_eq!(
            two,
            [
                "def f(x):\n    z = x\n    return y - 1\n",
                "def f(x):\n    z = x\n    w = z\n"
            ]
        );
    }

    #[test]
    fn a_departure_at_no_place_is_none() {
        assert!(departed(TEXT, TEXT.len() + 1, "x").is_empty());
        assert!(departed("ä", 1, "x").is_empty());
        assert_eq!(departed("", 0, "x\n"), ["x\n"]);
    }

    #[test]
    fn only_what_a_function_does_is_doubted() {
        let focus = Focus {
            name: "f".to_owned(),
            from: 2,
            to: 4,
            lines: vec![4],
            around: None,
        };
        let text = "import os\ndef f():\n    \"\"\"Says.\"\"\"\n    return 1\nf()\n";
        let (doubts, offset) = doubts("a.py", text, Some(&focus), 2, MOST);
        assert_eq!(offset, "import os\n".len());
        assert!(doubts.text.starts_with("def f()") && doubts.text.ends_with("return 1\n"));
        let ranges: Vec<&str> = doubts
            .within
            .iter()
            .map(|range| &doubts.text[range.clone()])
            .collect();
        assert_eq!(ranges, ["\n    return 1\n"]);
        assert_eq!((doubts.skip, doubts.most), (MOST, MOST));
        assert_eq!(doubts.lead, "```python\n");
    }
}
