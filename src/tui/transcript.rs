//! The transcript pane: which rows are in sight, kept so that a frame costs what it shows and not what there is.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use ratatui::{buffer::Buffer, layout::Rect};

use crate::protocol::{CallState, Item, Transcript};

use super::finding;
use super::highlight::Highlighter;
use super::items::{self, Look};
use super::keymap::Scroll;
use super::markdown;
use super::role::Role;
use super::text::{Row, count};
use super::theme::Theme;

/// Rows below the pane are counted up to here; what is further away is "more".
const MOST_COUNTED: usize = 999;

/// Where the transcript is scrolled to, and the rows laid out so far.
#[derive(Debug, Default)]
pub(super) struct TranscriptPane {
    /// The item and the row of it at the top; `None` while the end is followed.
    top: Option<(usize, usize)>,
    details: bool,
    /// Calls that are shown whole, by their place.
    expanded: BTreeSet<usize>,
    kept: RefCell<Kept>,
    /// How often the rows of an item were asked for.
    #[cfg(test)]
    asked: std::cell::Cell<usize>,
}

#[derive(Debug, Default)]
struct Kept {
    limit: usize,
    details: bool,
    generation: u64,
    entries: Vec<Option<Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    print: u64,
    rows: Arc<Vec<Row>>,
    /// The start of an answer that will not change any more: its bytes and rows.
    settled: (usize, Arc<Vec<Row>>),
}

/// What the pane needs to lay out items.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub transcript: &'a Transcript,
    pub highlighter: &'a Highlighter,
    pub limit: usize,
}

impl TranscriptPane {
    /// Shows or hides thinking, output and whole diffs.
    pub(super) fn toggle_details(&mut self) {
        self.details = !self.details;
        // The row at the top has no counterpart in the other view; its item has.
        if let Some((_, row)) = &mut self.top {
            *row = 0;
        }
    }

    /// Shows the row of an item that has a text; one that is folded away is unfolded.
    pub(super) fn show(&mut self, item: usize, needle: &str, source: Source<'_>, height: usize) {
        let row_of = |pane: &Self| {
            let rows = pane.rows(source, item);
            rows.iter().position(|row| finding::has_row(row, needle))
        };
        let mut row = row_of(self);
        if row.is_none() && self.expanded.insert(item) {
            row = row_of(self);
        }
        self.top = Some((item, row.unwrap_or(0)));
        // What led there is in sight, too.
        self.up(source, height, height / 3);
        self.rest(source, height);
    }

    /// Goes to the start of the turn after or before.
    pub(super) fn turn(&mut self, later: bool, source: Source<'_>, height: usize) {
        let (item, row) = self
            .top
            .unwrap_or_else(|| self.start_of_end(source, height));
        let items = &source.transcript.items;
        let is_start = |at: &usize| matches!(items[*at], Item::User { .. });
        let found = if later {
            (item + 1..items.len()).find(is_start)
        } else {
            // From within a turn, its own start is the one before.
            let end = if row > 0 { item + 1 } else { item };
            (0..end.min(items.len())).rev().find(is_start)
        };
        match found {
            Some(start) => {
                self.top = Some((start, 0));
                self.rest(source, height);
            }
            None if later => self.top = None,
            None => {}
        }
    }

    /// Shows the last call in sight of which there is more to be seen, or as before; tells whether there is one.
    pub(super) fn expand(&mut self, source: Source<'_>, height: usize) -> bool {
        let (first, mut skip) = self
            .top
            .unwrap_or_else(|| self.start_of_end(source, height));
        let (mut rows, mut call) = (0, None);
        for item in first..source.transcript.items.len() {
            if rows >= height {
                break;
            }
            if unfolds(&source.transcript.items[item], source) {
                call = Some(item);
            }
            rows += self.rows(source, item).len().saturating_sub(skip);
            skip = 0;
        }
        let Some(call) = call else {
            return false;
        };
        if !self.expanded.remove(&call) {
            self.expanded.insert(call);
        }
        true
    }

    /// Follows the end where the top has come to it.
    fn rest(&mut self, source: Source<'_>, height: usize) {
        self.top = self
            .top
            .filter(|top| *top < self.start_of_end(source, height));
    }

    /// Goes to the end and follows it.
    pub(super) fn follow(&mut self) {
        self.top = None;
    }

    /// Scrolls in a pane of `height` rows.
    pub(super) fn scroll(&mut self, by: Scroll, source: Source<'_>, height: usize) {
        let page = height.saturating_sub(2).max(1);
        match by {
            Scroll::PageUp => self.up(source, height, page),
            Scroll::LineUp => self.up(source, height, 1),
            Scroll::PageDown => self.down(source, height, page),
            Scroll::LineDown => self.down(source, height, 1),
            Scroll::Top => self.top = (!self.fits(source, height)).then_some((0, 0)),
            Scroll::Bottom => self.top = None,
        }
    }

    fn fits(&self, source: Source<'_>, height: usize) -> bool {
        self.start_of_end(source, height) == (0, 0)
    }

    fn up(&mut self, source: Source<'_>, height: usize, mut rows: usize) {
        let (mut item, mut row) = self
            .top
            .unwrap_or_else(|| self.start_of_end(source, height));
        if self.top.is_none() && (item, row) == (0, 0) {
            return;
        }
        while rows > row {
            if item == 0 {
                row = 0;
                rows = 0;
                break;
            }
            rows -= row;
            item -= 1;
            row = self.rows(source, item).len();
        }
        self.top = Some((item, row - rows));
    }

    fn down(&mut self, source: Source<'_>, height: usize, mut rows: usize) {
        let Some((mut item, mut row)) = self.top else {
            return;
        };
        while item < source.transcript.items.len() {
            let left = self.rows(source, item).len() - row.min(self.rows(source, item).len());
            if rows < left {
                row += rows;
                break;
            }
            rows -= left;
            item += 1;
            row = 0;
        }
        self.top = ((item, row) < self.start_of_end(source, height)).then_some((item, row));
    }

    /// Returns what stands at the top when the end is in sight.
    fn start_of_end(&self, source: Source<'_>, height: usize) -> (usize, usize) {
        let mut left = height;
        for item in (0..source.transcript.items.len()).rev() {
            let rows = self.rows(source, item).len();
            if rows >= left {
                return (item, rows - left);
            }
            left -= rows;
        }
        (0, 0)
    }

    /// Draws the rows in sight, and a marker where there are more below.
    /// What is looked for is marked.
    pub(super) fn draw(
        &self,
        source: Source<'_>,
        needle: Option<&str>,
        buffer: &mut Buffer,
        area: Rect,
        theme: &Theme,
    ) {
        let height = usize::from(area.height);
        let end = self.start_of_end(source, height);
        // What was scrolled to may be beyond the end since, after a resize.
        let top = self.top.filter(|top| *top < end);
        let (mut item, mut skip) = top.unwrap_or(end);
        let mut y = area.y;
        while y < area.bottom() && item < source.transcript.items.len() {
            let rows = self.rows(source, item);
            for row in rows.iter().skip(skip) {
                if y >= area.bottom() {
                    break;
                }
                let line = Rect {
                    y,
                    height: 1,
                    ..area
                };
                row.draw(buffer, line, theme);
                if let Some(needle) = needle {
                    finding::mark(row, needle, buffer, line, theme);
                }
                y += 1;
            }
            skip = 0;
            item += 1;
        }
        if let Some(top) = top {
            let below = self.below(source, top, height);
            let text = if below > MOST_COUNTED {
                format!(" ↓ more than {MOST_COUNTED} lines below · Ctrl-End ")
            } else {
                format!(" ↓ {} below · Ctrl-End ", count(below, "line"))
            };
            let row = Row::new(text, Role::Marker).cut(usize::from(area.width));
            let wide = row.width() as u16;
            let line = Rect {
                x: area.x + area.width.saturating_sub(wide) / 2,
                y: area.bottom().saturating_sub(1),
                width: wide.min(area.width),
                height: 1,
            };
            row.draw(buffer, line, theme);
        }
    }

    /// Counts the rows below the pane, as far as that is worth laying them out.
    fn below(&self, source: Source<'_>, top: (usize, usize), height: usize) -> usize {
        let mut rows = 0;
        let mut skip = top.1;
        for item in top.0..source.transcript.items.len() {
            rows += self.rows(source, item).len().saturating_sub(skip);
            skip = 0;
            if rows > height + MOST_COUNTED {
                break;
            }
        }
        rows.saturating_sub(height)
    }

    /// Counts how often the rows of an item were asked for: what a frame costs grows with nothing else.
    #[cfg(test)]
    pub(super) fn asked(&self) -> usize {
        self.asked.get()
    }

    fn rows(&self, source: Source<'_>, index: usize) -> Arc<Vec<Row>> {
        #[cfg(test)]
        self.asked.set(self.asked.get() + 1);
        let item = &source.transcript.items[index];
        let streaming = index + 1 == source.transcript.items.len() && source.transcript.is_busy();
        let mut kept = self.kept.borrow_mut();
        let generation = source.highlighter.generation();
        if (kept.limit, kept.details, kept.generation) != (source.limit, self.details, generation) {
            *kept = Kept {
                limit: source.limit,
                details: self.details,
                generation,
                entries: Vec::new(),
            };
        }
        if kept.entries.len() < source.transcript.items.len() {
            kept.entries.resize(source.transcript.items.len(), None);
        }
        let details = self.details || self.expanded.contains(&index);
        let print = print(item, streaming) ^ u64::from(details);
        let old = kept.entries[index].take();
        if let Some(old) = old.as_ref().filter(|old| old.print == print) {
            let rows = Arc::clone(&old.rows);
            kept.entries[index] = Some(old.clone());
            return rows;
        }
        let look = Look {
            limit: source.limit,
            details,
            streaming,
            highlighter: source.highlighter,
        };
        let gap = index
            .checked_sub(1)
            .is_some_and(|before| items::apart(&source.transcript.items[before], item));
        let mut rows = Vec::new();
        if gap {
            rows.push(Row::default());
        }
        let mut settled = (0, Arc::new(Vec::new()));
        match item {
            Item::Assistant { text } => {
                settled = old.map_or(settled, |old| old.settled);
                settle(text, &mut settled, look);
                rows.extend(settled.1.iter().cloned());
                let tail =
                    markdown::render(&text[settled.0..], look.limit, look.highlighter, streaming);
                if !tail.is_empty() && !settled.1.is_empty() {
                    rows.push(Row::default());
                }
                rows.extend(tail);
            }
            _ => rows.extend(items::rows(item, look)),
        }
        let rows = Arc::new(rows);
        kept.entries[index] = Some(Entry {
            print,
            rows: Arc::clone(&rows),
            settled,
        });
        rows
    }
}

/// Tells whether there is more of a call than is shown of it by itself.
fn unfolds(item: &Item, source: Source<'_>) -> bool {
    let rows = |details| {
        let look = Look {
            limit: source.limit,
            details,
            streaming: false,
            highlighter: source.highlighter,
        };
        items::rows(item, look)
    };
    matches!(item, Item::Call { .. } | Item::Search { .. }) && rows(true) != rows(false)
}

/// Lays out what has become final of an answer since the last time.
fn settle(text: &str, settled: &mut (usize, Arc<Vec<Row>>), look: Look<'_>) {
    let to = markdown::settled(text, settled.0);
    if to <= settled.0 {
        return;
    }
    let new = markdown::render(&text[settled.0..to], look.limit, look.highlighter, false);
    let rows = Arc::make_mut(&mut settled.1);
    if !rows.is_empty() && !new.is_empty() {
        rows.push(Row::default());
    }
    rows.extend(new);
    settled.0 = to;
}

/// Tells versions of an item apart without reading all of it: texts only ever grow.
fn print(item: &Item, streaming: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    (streaming, std::mem::discriminant(item)).hash(&mut hasher);
    match item {
        Item::User { text, .. }
        | Item::Assistant { text }
        | Item::Reasoning { text }
        | Item::Notice { text, .. } => text.len().hash(&mut hasher),
        Item::Call { state, change, .. } => {
            std::mem::discriminant(state).hash(&mut hasher);
            match state {
                CallState::Running { progress } => progress.hash(&mut hasher),
                CallState::Finished { outcome } => {
                    std::mem::discriminant(outcome).hash(&mut hasher);
                    outcome.for_model().len().hash(&mut hasher);
                }
                CallState::Proposed | CallState::Asking { .. } => {}
            }
            change
                .as_ref()
                .map(|change| (&change.after, change.hunks.len(), change.added))
                .hash(&mut hasher);
        }
        Item::Search { search } => {
            (search.trials.len(), search.tried(), search.wall_ms).hash(&mut hasher);
            std::mem::discriminant(&search.end).hash(&mut hasher);
            if let Some(trial) = search.trials.last() {
                std::mem::discriminant(&trial.state).hash(&mut hasher);
                trial.result.is_some().hash(&mut hasher);
                if let CallState::Running { progress } = &trial.state {
                    progress.hash(&mut hasher);
                }
            }
        }
        Item::Undone { undone, .. } => undone.len().hash(&mut hasher),
        Item::Plan { plan } => {
            for step in &plan.steps {
                (&step.text, step.state).hash(&mut hasher);
            }
        }
        Item::Finding { .. } | Item::End { .. } => {}
    }
    hasher.finish()
}
