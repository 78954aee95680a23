//! What a person decided about the lines of a change, and the part of it that this comes to.

use std::{collections::BTreeMap, ops::Range};

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::protocol::{AllowedPart, FileChange, Hunk, Instead, Line, LineKind, Passage};

use super::ranges::Ranges;
use crate::tui::diff::{Heads, Index, Kind, Mark};

/// A line as long as this may have been cut for showing: what is written in its place would lose its end.
const CUT_FROM: usize = 1_000;

/// The decisions about one change.
#[derive(Debug, Default)]
pub(super) struct Marks {
    left_out: BTreeMap<usize, Ranges>,
    edited: BTreeMap<usize, Vec<String>>,
    /// Counts the changes of the marks.
    pub(super) version: u64,
}

/// What is left of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Left {
    Whole,
    Part(AllowedPart),
    Nothing,
}

/// How many hunks are as they were planned, and how many are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub hunks: usize,
    pub left_out: usize,
    pub in_part: usize,
    pub edited: usize,
}

impl Marks {
    pub(super) fn is_empty(&self) -> bool {
        self.left_out.is_empty() && self.edited.is_empty()
    }

    /// Tells what was decided about a line.
    pub(super) fn mark(&self, hunk: usize, line: usize) -> Mark {
        if self.edited.contains_key(&hunk) {
            return Mark::Edited;
        }
        let out = self.left_out.get(&hunk);
        match out.is_some_and(|lines| lines.contains(line)) {
            true => Mark::LeftOut,
            false => Mark::None,
        }
    }

    /// Leaves lines of a hunk out, or takes them in again where all changed ones among them are out.
    pub(super) fn toggle(&mut self, index: &Index, hunk: usize, lines: Range<usize>) {
        self.version += 1;
        // To have another opinion about a hunk that was edited begins with what was planned.
        if self.edited.remove(&hunk).is_some() {
            return;
        }
        let changed: Vec<Range<usize>> = index
            .of_hunk(hunk)
            .iter()
            .filter_map(|segment| match segment.kind {
                Kind::Changed { removed, added } => {
                    Some(segment.line..segment.line + removed + added)
                }
                _ => None,
            })
            .map(|run| run.start.max(lines.start)..run.end.min(lines.end))
            .filter(|run| !run.is_empty())
            .collect();
        let out = self.left_out.entry(hunk).or_default();
        let all = changed.iter().all(|run| out.covers(run.clone()));
        for run in changed {
            if all {
                out.remove(run);
            } else {
                out.insert(run);
            }
        }
        self.left_out.retain(|_, lines| !lines.is_empty());
    }

    /// Returns what a hunk would leave, to be edited; `None` where it cannot be edited without loss.
    pub(super) fn editable(&self, change: &FileChange, hunk: usize) -> Option<String> {
        if let Some(lines) = self.edited.get(&hunk) {
            return Some(lines.iter().map(|line| format!("{line}\n")).collect());
        }
        let lines = &change.hunks.get(hunk)?.lines;
        let whole = lines.iter().all(|line| line.text.len() < CUT_FROM);
        let new = lines.iter().enumerate();
        let new = new.filter(|(at, line)| match self.mark(hunk, *at) {
            Mark::LeftOut => line.kind != LineKind::Added,
            _ => line.kind != LineKind::Removed,
        });
        whole.then(|| new.map(|(_, line)| format!("{}\n", line.text)).collect())
    }

    /// Takes in what a person made of a hunk.
    pub(super) fn edit(&mut self, change: &FileChange, hunk: usize, text: &str) {
        let Some(planned) = change.hunks.get(hunk) else {
            return;
        };
        let lines: Vec<String> = match text {
            "" => Vec::new(),
            text => text
                .strip_suffix('\n')
                .unwrap_or(text)
                .split('\n')
                .map(|line| line.trim_end_matches('\r').to_owned())
                .collect(),
        };
        self.version += 1;
        self.left_out.remove(&hunk);
        if side(planned, LineKind::Removed).eq(lines.iter()) {
            self.edited.remove(&hunk);
        } else {
            self.edited.insert(hunk, lines);
        }
    }

    /// Returns the change with its edited hunks as they were written; `None` where there is no such hunk.
    pub(super) fn shown(&self, change: &FileChange) -> Option<FileChange> {
        if self.edited.is_empty() {
            return None;
        }
        let mut shown = change.clone();
        let mut shift = 0_isize;
        for (number, hunk) in shown.hunks.iter_mut().enumerate() {
            hunk.new_start = hunk.new_start.saturating_add_signed(shift);
            let Some(lines) = self.edited.get(&number) else {
                continue;
            };
            shift += lines.len() as isize - hunk.new_lines as isize;
            let old: Vec<String> = side(hunk, LineKind::Added).cloned().collect();
            hunk.lines = between(&old, lines);
            hunk.new_lines = lines.len();
        }
        let count = |kind| {
            let lines = shown.hunks.iter().flat_map(|hunk| &hunk.lines);
            lines.filter(|line| line.kind == kind).count()
        };
        (shown.added, shown.removed) = (count(LineKind::Added), count(LineKind::Removed));
        Some(shown)
    }

    /// Counts what was decided.
    pub(super) fn tally(&self, index: &Index) -> Tally {
        let mut tally = Tally {
            hunks: index.hunks(),
            edited: self.edited.len(),
            ..Tally::default()
        };
        for (hunk, lines) in &self.left_out {
            let out = index
                .of_hunk(*hunk)
                .iter()
                .all(|segment| match segment.kind {
                    Kind::Changed { removed, added } => {
                        lines.covers(segment.line..segment.line + removed + added)
                    }
                    _ => true,
                });
            if out {
                tally.left_out += 1;
            } else {
                tally.in_part += 1;
            }
        }
        tally
    }

    /// Returns the part of the change that is left.
    pub(super) fn left(&self, change: &FileChange) -> Left {
        if self.is_empty() {
            return Left::Whole;
        }
        // Of the change as it was planned, whatever is shown of it by now.
        let index = Index::new(change, Heads::Between);
        let tally = self.tally(&index);
        let shown = change.hunks.iter().map(|hunk| {
            let changed = |line: &&Line| line.kind != LineKind::Context;
            hunk.lines.iter().filter(changed).count()
        });
        let all_shown = shown.sum::<usize>() == change.added + change.removed;
        if tally.left_out == tally.hunks && all_shown {
            return Left::Nothing;
        }
        let mut passages = Vec::new();
        for hunk in 0..index.hunks() {
            if let Some(lines) = self.edited.get(&hunk) {
                written(&mut passages, &change.hunks[hunk], lines);
            } else if let Some(out) = self.left_out.get(&hunk) {
                left_out(&mut passages, &index, hunk, out);
            }
        }
        match passages.is_empty() {
            true => Left::Whole,
            false => Left::Part(AllowedPart { passages }),
        }
    }
}

/// Returns the lines of a hunk that are on the side without these.
fn side(hunk: &Hunk, without: LineKind) -> impl Iterator<Item = &String> {
    let lines = hunk.lines.iter();
    lines
        .filter(move |line| line.kind != without)
        .map(|line| &line.text)
}

/// Finds the lines between two texts, as a hunk has them.
fn between(old: &[String], new: &[String]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut push = |kind, texts: &[String]| {
        lines.extend(texts.iter().map(|text| Line {
            kind,
            text: text.clone(),
        }));
    };
    for op in capture_diff_slices(Algorithm::Myers, old, new) {
        if matches!(op, DiffOp::Equal { .. }) {
            push(LineKind::Context, &old[op.old_range()]);
        } else {
            push(LineKind::Removed, &old[op.old_range()]);
            push(LineKind::Added, &new[op.new_range()]);
        }
    }
    lines
}

/// Adds what was written in place of a hunk's lines. Lines that were left as they were planned are not told of: they
/// keep their bytes.
fn written(passages: &mut Vec<Passage>, hunk: &Hunk, lines: &[String]) {
    let planned: Vec<String> = side(hunk, LineKind::Removed).cloned().collect();
    let start = hunk.new_start - usize::from(hunk.new_lines > 0 && hunk.new_start > 0);
    for op in capture_diff_slices(Algorithm::Myers, &planned, lines) {
        if !matches!(op, DiffOp::Equal { .. }) {
            passages.push(Passage {
                at: start + op.old_range().start,
                lines: op.old_range().len(),
                instead: Instead::Written(lines[op.new_range()].to_vec()),
            });
        }
    }
}

/// Adds the lines that stay as they are.
fn left_out(passages: &mut Vec<Passage>, index: &Index, hunk: usize, out: &Ranges) {
    for segment in index.of_hunk(hunk) {
        let Kind::Changed { removed, added } = segment.kind else {
            continue;
        };
        let mut put = |at, lines, old, old_lines| {
            passages.push(Passage {
                at,
                lines,
                instead: Instead::Old {
                    at: old,
                    lines: old_lines,
                },
            });
        };
        let (start, middle) = (segment.line, segment.line + removed);
        let end = middle + added;
        if out.covers(start..end) {
            put(segment.new, added, segment.old, removed);
            continue;
        }
        for run in out.within(start..middle) {
            put(segment.new, 0, segment.old + run.start - start, run.len());
        }
        for run in out.within(middle..end) {
            let new = segment.new + run.start - middle;
            put(new, run.len(), segment.old, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ChangeKind;

    /// Makes the change between two texts, in one hunk with all lines.
    fn change(old: &[String], new: &[String]) -> FileChange {
        let lines = between(old, new);
        let count = |kind| lines.iter().filter(|line| line.kind == kind).count();
        let (added, removed) = (count(LineKind::Added), count(LineKind::Removed));
        FileChange {
            path: "a".to_owned(),
            kind: ChangeKind::Modify,
            base: None,
            after: None,
            hunks: vec![Hunk {
                old_start: usize::from(!old.is_empty()),
                old_lines: old.len(),
                new_start: usize::from(!new.is_empty()),
                new_lines: new.len(),
                lines,
            }],
            added,
            removed,
            notes: Vec::new(),
            others: Vec::new(),
            from: None,
            modes: None,
        }
    }

    /// Applies a part to lines, as the workspace does to bytes.
    fn applied(old: &[String], new: &[String], part: &AllowedPart) -> Vec<String> {
        let (mut out, mut at) = (Vec::new(), 0);
        for passage in &part.passages {
            out.extend_from_slice(&new[at..passage.at]);
            at = passage.at + passage.lines;
            match &passage.instead {
                Instead::Old { at, lines } => out.extend_from_slice(&old[*at..at + lines]),
                Instead::Written(lines) => out.extend_from_slice(lines),
            }
        }
        out.extend_from_slice(&new[at..]);
        out
    }

    fn texts() -> impl proptest::strategy::Strategy<Value = Vec<String>> {
        proptest::collection::vec("[abc]{0,2}", 0..12)
    }

    proptest::proptest! {
        /// What is written is what the lines say: a line that is left out stays as it was, the others are as planned.
        #[test]
        fn what_is_left_is_what_the_lines_say(
            old in texts(),
            new in texts(),
            toggles in proptest::collection::vec((0_usize..24, 0_usize..6), 0..4),
        ) {
            proptest::prop_assume!(old != new);
            let change = change(&old, &new);
            let index = Index::new(&change, Heads::Named);
            let mut marks = Marks::default();
            for (start, length) in toggles {
                marks.toggle(&index, 0, start..start + length);
            }
            let mut expected = Vec::new();
            for (at, line) in change.hunks[0].lines.iter().enumerate() {
                let out = marks.mark(0, at) == Mark::LeftOut;
                let stays = match line.kind {
                    LineKind::Context => true,
                    LineKind::Removed => out,
                    LineKind::Added => !out,
                };
                if stays {
                    expected.push(line.text.clone());
                }
            }
            let left = match marks.left(&change) {
                Left::Whole => new,
                Left::Nothing => old,
                Left::Part(part) => applied(&old, &new, &part),
            };
            proptest::prop_assert_eq!(left, expected);
        }

        #[test]
        fn an_edited_hunk_is_written_as_it_was_edited(old in texts(), new in texts(), mine in texts()) {
            proptest::prop_assume!(old != new);
            let change = change(&old, &new);
            let mut marks = Marks::default();
            let text: String = mine.iter().map(|line| format!("{line}\n")).collect();
            marks.edit(&change, 0, &text);
            let left = match marks.left(&change) {
                Left::Part(part) => applied(&old, &new, &part),
                _ => new.clone(),
            };
            proptest::prop_assert_eq!(&left, &mine);
            if let Some(shown) = marks.shown(&change) {
                let shown: Vec<String> = side(&shown.hunks[0], LineKind::Removed).cloned().collect();
                proptest::prop_assert_eq!(shown, mine);
            }
        }
    }

    #[test]
    fn a_second_toggle_takes_the_lines_in_again() {
        let text = |lines: &[&str]| -> Vec<String> {
            lines.iter().map(|line| (*line).to_owned()).collect()
        };
        let change = change(&text(&["a", "b"]), &text(&["A", "b"]));
        let index = Index::new(&change, Heads::Named);
        let mut marks = Marks::default();
        marks.toggle(&index, 0, 0..9);
        assert_eq!(marks.left(&change), Left::Nothing);
        marks.toggle(&index, 0, 0..9);
        assert_eq!(marks.left(&change), Left::Whole);
        marks.edit(&change, 0, "x\ny\n");
        assert_eq!(marks.tally(&index).edited, 1);
        marks.toggle(&index, 0, 0..9);
        assert!(marks.is_empty());
    }
}
