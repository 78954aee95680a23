//! Going through a change before it is made: a cursor, what is left out and edited, and what is in sight.
//!
//! A place is a row of the [`Index`] and, where a long line is folded, a row of it: nothing but what is in sight is laid
//! out, so that a change of 400,000 lines opens and scrolls as one of ten does.

mod draw;
mod marks;
mod ranges;
pub(super) mod set;

use std::{cell::RefCell, ops::Range, sync::Arc};

use crate::protocol::{Decision, FileChange, Scope};

use self::marks::{Left, Marks, Tally};
use super::diff::{self, Heads, Index, Laid, Layout, Painter, Slot, Source};
use super::highlight::Highlighter;
use super::keymap::{Review as Key, Scroll};
use super::role::Role;
use super::text::{Row, clean_line, count};

/// From this width on the sides stand side by side, unless the user wants it otherwise.
const WIDE: usize = 150;
/// Below this width there is no room for two sides.
const LEAST_SPLIT: usize = 50;
/// What the model reads where nothing of a change was allowed.
const NOTHING_LEFT: &str = "none of this change is wanted";

/// A change that is being gone through.
#[derive(Debug, Default)]
pub(super) struct Review {
    marks: Marks,
    /// The layout that the user chose.
    layout: Option<Layout>,
    at: At,
    painter: Painter,
    found: RefCell<Found>,
    /// The files of a change of several, with the first hunk of each. It is made whole or not at all.
    files: Vec<(usize, String)>,
}

/// Where in the rows of a layout things are.
#[derive(Debug, Clone, Copy, Default)]
struct At {
    layout: Layout,
    /// The row of the index that the next key is about.
    cursor: usize,
    /// Where a choice of lines began.
    anchor: Option<usize>,
    /// What stands at the top, as far as the cursor allows: a row of the index, and a row of it.
    top: (usize, usize),
}

impl At {
    /// Finds the same places in another layout.
    fn into(self, index: &Index, layout: Layout) -> Self {
        // A hunk that was edited, or is again as it was planned, has another number of lines.
        let last = index.total(self.layout).saturating_sub(1);
        let cursor = self.cursor.min(last);
        let top = if self.top.0 > last {
            (last, 0)
        } else {
            self.top
        };
        if self.layout == layout {
            return Self {
                cursor,
                top,
                ..self
            };
        }
        let there = |at| {
            index
                .slot(self.layout, at)
                .map_or(0, |slot| row_in(index, layout, slot))
        };
        Self {
            layout,
            cursor: there(cursor),
            anchor: self.anchor.map(there),
            top: (there(top.0), 0),
        }
    }

    fn chosen(&self) -> Range<usize> {
        match self.anchor {
            Some(anchor) => anchor.min(self.cursor)..anchor.max(self.cursor) + 1,
            None => 0..0,
        }
    }
}

/// What was found out about the change as it is shown now.
#[derive(Debug, Default)]
struct Found {
    version: Option<u64>,
    index: Arc<Index>,
    /// The change with its edited hunks.
    shown: Option<Arc<FileChange>>,
    ends: Arc<Vec<Row>>,
}

/// Where a change is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub change: &'a FileChange,
    pub highlighter: &'a Highlighter,
    pub wide: usize,
    pub high: usize,
}

/// What a key comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Done {
    /// It is on the screen.
    Shown,
    /// This is to be edited; it comes back by [`Review::edited`] with the hunk.
    Edit { hunk: usize, text: String },
    /// It cannot be, for this reason.
    Refused(&'static str),
}

impl Review {
    /// Begins to go through a change, at its first changed line.
    pub(super) fn new(change: &FileChange, wide: usize) -> Self {
        let review = Self::default();
        let layout = review.layout(wide);
        let (index, ..) = review.found(change);
        let at = At {
            layout,
            cursor: index.first_change(layout, 0),
            ..At::default()
        };
        Self { at, ..review }
    }

    /// Says that the hunks are of several files.
    #[must_use]
    pub(super) fn of_files(mut self, files: Vec<(usize, String)>) -> Self {
        self.files = files;
        self
    }

    /// Tells what is decided when the change is allowed now.
    pub(super) fn decision(&self, change: &FileChange) -> Decision {
        match self.marks.left(change) {
            Left::Whole => Decision::Allow { scope: Scope::Once },
            Left::Part(part) => Decision::AllowPart { part },
            Left::Nothing => Decision::Deny {
                reason: Some(NOTHING_LEFT.to_owned()),
            },
        }
    }

    /// Tells whether the change is allowed as it was planned.
    pub(super) fn is_whole(&self) -> bool {
        self.marks.is_empty()
    }

    /// Says in a few words what was left out and edited; empty where nothing was.
    pub(super) fn summary(&self, change: &FileChange) -> String {
        let (index, ..) = self.found(change);
        let Tally {
            hunks,
            left_out,
            in_part,
            edited,
        } = self.marks.tally(&index);
        let mut parts = Vec::new();
        if left_out > 0 {
            parts.push(format!("{left_out} of {} left out", count(hunks, "hunk")));
        }
        if in_part > 0 {
            parts.push(format!("{} in part", count(in_part, "hunk")));
        }
        if edited > 0 {
            parts.push(format!("{} edited", count(edited, "hunk")));
        }
        parts.join(", ")
    }

    /// Says where the cursor is: `hunk 2 of 5`.
    pub(super) fn position(&self, place: Place<'_>) -> String {
        let (index, ..) = self.found(place.change);
        let (hunk, hunks) = (self.hunk(&index, place.wide) + 1, index.hunks());
        match hunks {
            0 | 1 => String::new(),
            _ => format!("hunk {hunk} of {hunks}"),
        }
    }

    /// Returns how far the rows in sight are into all of them, both counted in lines of the difference.
    pub(super) fn extent(&self, place: Place<'_>) -> (Range<usize>, usize) {
        let (index, shown, ends) = self.found(place.change);
        let change = shown.as_deref().unwrap_or(place.change);
        let layout = self.layout(place.wide);
        let total = index.total(layout);
        self.with_source(change, &index, place, |source| {
            let top = self.visible_top(source, &ends, place.high);
            let (mut at, mut rows) = (top.0, 0);
            let mut skip = top.1;
            while at < total && rows < place.high {
                rows += self.rows(source, at).len().saturating_sub(skip);
                skip = 0;
                at += 1;
            }
            (top.0..at, total)
        })
    }

    /// Counts the rows that the change would like to have, up to `most`.
    pub(super) fn wanted(&self, place: Place<'_>, most: usize) -> usize {
        let (index, shown, ends) = self.found(place.change);
        let change = shown.as_deref().unwrap_or(place.change);
        self.with_source(change, &index, place, |source| {
            let total = index.total(source.layout);
            let (mut at, mut rows) = (0, ends.len());
            while at < total && rows < most {
                rows += self.rows(source, at).len();
                at += 1;
            }
            rows.min(most)
        })
    }

    /// Moves the cursor.
    pub(super) fn scroll(&mut self, by: Scroll, place: Place<'_>) {
        let (index, ..) = self.found(place.change);
        self.at = self.at.into(&index, self.layout(place.wide));
        let total = index.total(self.at.layout);
        let page = place.high.saturating_sub(2).max(1);
        if matches!(by, Scroll::LineUp | Scroll::LineDown) && self.scroll_within(by, place) {
            return;
        }
        let (from, last) = (self.at.cursor, total.saturating_sub(1));
        self.at.cursor = match by {
            Scroll::PageUp => from.saturating_sub(page),
            Scroll::PageDown => from + page,
            Scroll::LineUp => from.saturating_sub(1),
            Scroll::LineDown => from + 1,
            Scroll::Top => 0,
            Scroll::Bottom => last,
        }
        .min(last);
        // A page moves what is in sight, too, where there is more of it.
        let moved = self.at.cursor.abs_diff(from);
        match by {
            Scroll::PageDown => self.at.top = (self.at.top.0 + moved, 0),
            Scroll::PageUp => self.at.top = (self.at.top.0.saturating_sub(moved), 0),
            _ => {}
        }
        self.settle(place);
    }

    /// Scrolls by a row within a line that is folded into more rows than there is room for; tells whether it did.
    fn scroll_within(&mut self, by: Scroll, place: Place<'_>) -> bool {
        self.settle(place);
        let (index, shown, _) = self.found(place.change);
        let change = shown.as_deref().unwrap_or(place.change);
        let cursor = self.at.cursor;
        let height = self.with_source(change, &index, place, |source| {
            self.rows(source, cursor).len()
        });
        let (top, row) = self.at.top;
        let hidden = height.saturating_sub(place.high);
        let to = match by {
            _ if top != cursor => return false,
            Scroll::LineUp if row > 0 => row - 1,
            Scroll::LineDown if row < hidden => row + 1,
            _ => return false,
        };
        self.at.top = (cursor, to);
        true
    }

    /// Does what a key says.
    pub(super) fn key(&mut self, key: Key, place: Place<'_>) -> Done {
        let (index, ..) = self.found(place.change);
        let layout = self.layout(place.wide);
        self.at = self.at.into(&index, layout);
        let hunk = self.hunk(&index, place.wide);
        match key {
            Key::NextHunk | Key::PreviousHunk if index.hunks() == 0 => {}
            Key::NextHunk => self.go(&index, layout, (hunk + 1).min(index.hunks() - 1)),
            Key::PreviousHunk => {
                let within = self.at.cursor > index.first_change(layout, hunk);
                let to = if within { hunk } else { hunk.saturating_sub(1) };
                self.go(&index, layout, to);
            }
            Key::LeaveOut | Key::Choose | Key::Edit if !self.files.is_empty() => {
                return Done::Refused(
                    "this change of several files is made whole or not at all: allow it or deny it",
                );
            }
            Key::LeaveOut => {
                if index.hunks() == 0 {
                    return Done::Refused("this change has no lines: allow it or deny it");
                }
                let chosen = self.at.anchor.take();
                self.leave_out(&index, layout, hunk, chosen);
                // With the next thing to decide in sight, a hunk costs one key.
                if chosen.is_none() && hunk + 1 < index.hunks() {
                    self.go(&index, layout, hunk + 1);
                }
            }
            Key::Choose => {
                self.at.anchor = match self.at.anchor {
                    Some(_) => None,
                    None => Some(self.at.cursor),
                };
            }
            Key::Edit => {
                return match self.marks.editable(place.change, hunk) {
                    Some(text) => Done::Edit { hunk, text },
                    None => Done::Refused(
                        "this hunk has lines that are too long to be edited here, or none at all",
                    ),
                };
            }
            Key::Sides => {
                if place.wide < LEAST_SPLIT {
                    return Done::Refused("there is no room for two sides");
                }
                let other = match layout {
                    Layout::Unified => Layout::SideBySide,
                    Layout::SideBySide => Layout::Unified,
                };
                self.layout = Some(other);
                self.at = self.at.into(&index, other);
            }
            // These are about the pane or the call, not about the change.
            Key::NextCall | Key::PreviousCall | Key::Whole => {}
        }
        self.settle(place);
        Done::Shown
    }

    /// Takes back a choice of lines that was begun, if one was.
    pub(super) fn unchoose(&mut self) -> bool {
        self.at.anchor.take().is_some()
    }

    /// Takes in what a person made of a hunk.
    pub(super) fn edited(&mut self, change: &FileChange, hunk: usize, text: &str, wide: usize) {
        self.marks.edit(change, hunk, text);
        let layout = self.layout(wide);
        let (index, ..) = self.found(change);
        self.go(&index, layout, hunk);
    }

    /// Counts the rows of the index that were laid out so far.
    #[cfg(test)]
    pub(super) fn laid(&self) -> usize {
        self.painter.laid()
    }

    fn layout(&self, wide: usize) -> Layout {
        match self.layout {
            _ if wide < LEAST_SPLIT => Layout::Unified,
            Some(layout) => layout,
            None if wide >= WIDE => Layout::SideBySide,
            None => Layout::Unified,
        }
    }

    fn hunk(&self, index: &Index, wide: usize) -> usize {
        let here = self.at.into(index, self.layout(wide));
        match index.slot(here.layout, here.cursor) {
            Some(Slot::Head { hunk } | Slot::Line { hunk, .. } | Slot::Pair { hunk, .. }) => hunk,
            None => index.hunks().saturating_sub(1),
        }
    }

    fn go(&mut self, index: &Index, layout: Layout, hunk: usize) {
        self.at = At {
            layout,
            cursor: index.first_change(layout, hunk),
            anchor: None,
            top: (index.start(layout, hunk), 0),
        };
    }

    fn leave_out(&mut self, index: &Index, layout: Layout, hunk: usize, chosen: Option<usize>) {
        let Some(anchor) = chosen else {
            return self.marks.toggle(index, hunk, 0..usize::MAX);
        };
        let (from, to) = (anchor.min(self.at.cursor), anchor.max(self.at.cursor));
        // The lines of each hunk that the choice goes through.
        let mut runs: Vec<(usize, Range<usize>)> = Vec::new();
        let mut add = |hunk: usize, line: usize| match runs.last_mut() {
            Some((last, run)) if *last == hunk && line == run.end => run.end += 1,
            _ => runs.push((hunk, line..line + 1)),
        };
        for at in from..=to {
            match index.slot(layout, at) {
                Some(Slot::Line { hunk, line, .. }) => add(hunk, line),
                Some(Slot::Pair {
                    hunk, left, right, ..
                }) => {
                    for place in left.into_iter().chain(right) {
                        add(hunk, place.line);
                    }
                }
                Some(Slot::Head { .. }) | None => {}
            }
        }
        for (hunk, lines) in runs {
            self.marks.toggle(index, hunk, lines);
        }
    }

    /// Fixes the top where it is shown, so that the next move begins there.
    fn settle(&mut self, place: Place<'_>) {
        let (index, shown, ends) = self.found(place.change);
        let change = shown.as_deref().unwrap_or(place.change);
        let top = self.with_source(change, &index, place, |source| {
            self.visible_top(source, &ends, place.high)
        });
        self.at = self.at.into(&index, self.layout(place.wide));
        self.at.top = top;
    }

    fn rows(&self, source: Source<'_>, at: usize) -> Arc<Vec<Laid>> {
        self.painter.rows(source, self.marks.version, at)
    }

    fn with_source<T>(
        &self,
        change: &FileChange,
        index: &Index,
        place: Place<'_>,
        then: impl FnOnce(Source<'_>) -> T,
    ) -> T {
        let digits = index.digits;
        let mark = |hunk: usize, line: usize| self.marks.mark(hunk, line);
        let head = |hunk: usize| {
            let from = change.hunks.get(hunk).map_or(0, |hunk| hunk.new_start);
            let mut row = Row::new(format!("{:>digits$} ⋮ ", ""), Role::DiffHunk);
            let file = self.files.partition_point(|(first, _)| *first <= hunk);
            if let Some((_, path)) = file.checked_sub(1).and_then(|at| self.files.get(at)) {
                row.push(format!("{} ", clean_line(path)), Role::DiffPath);
            }
            row.with(
                format!("hunk {} of {} · line {from}", hunk + 1, index.hunks()),
                Role::DiffHunk,
            )
        };
        then(Source {
            change,
            index,
            highlighter: place.highlighter,
            limit: place.wide.max(1),
            layout: self.layout(place.wide),
            margin: margin(place.wide),
            mark: &mark,
            head: &head,
        })
    }

    /// Returns the index of the change as it is shown now, and what to say below it.
    fn found(&self, change: &FileChange) -> (Arc<Index>, Option<Arc<FileChange>>, Arc<Vec<Row>>) {
        let mut found = self.found.borrow_mut();
        if found.version != Some(self.marks.version) {
            let shown = self.marks.shown(change).map(Arc::new);
            if found.version.is_none() || shown.is_some() || found.shown.is_some() {
                let now = shown.as_deref().unwrap_or(change);
                found.index = Arc::new(Index::new(now, Heads::Named));
                found.ends = Arc::new(diff::ends(now, usize::MAX));
                self.painter.forget();
            }
            found.shown = shown;
            found.version = Some(self.marks.version);
        }
        (
            Arc::clone(&found.index),
            found.shown.clone(),
            Arc::clone(&found.ends),
        )
    }
}

/// Returns the columns for the cursor and the marks.
fn margin(wide: usize) -> usize {
    if wide >= 20 { 2 } else { 1 }
}

fn row_in(index: &Index, layout: Layout, slot: Slot) -> usize {
    let (hunk, line) = match slot {
        Slot::Head { hunk } => return index.start(layout, hunk),
        Slot::Line { hunk, line, .. } => (hunk, line),
        Slot::Pair {
            hunk, left, right, ..
        } => (hunk, left.or(right).map_or(0, |place| place.line)),
    };
    index.row_of(layout, hunk, line)
}

#[cfg(test)]
mod tests;
