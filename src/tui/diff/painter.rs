//! The rows of a difference, laid out one line at a time as they come into sight.

use std::{cell::RefCell, collections::HashMap, ops::Range, sync::Arc};

use crate::protocol::{FileChange, LineKind};

use super::index::{Index, Layout, Place, Slot};
use super::words::{Ranges, compare};
use crate::tui::highlight::{Highlighter, Runs};
use crate::tui::role::{Ink, Role};
use crate::tui::text::{Row, clean_code, fold};

/// From this width on both sides' numbers are shown.
const BOTH_NUMBERS: usize = 100;
/// Below this width no numbers are shown.
const NO_NUMBERS: usize = 30;
/// Lines that are highlighted together, and lines before them that are read to know where they stand.
const CHUNK: usize = 128;
const WARM_UP: usize = 64;
/// Rows and chunks that are kept; then all are dropped, and those in sight made anew.
const MOST_ROWS: usize = 4_096;
const MOST_CHUNKS: usize = 64;

/// What a person decided about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Mark {
    None,
    /// It is not to be changed like this.
    LeftOut,
    /// The person wrote it.
    Edited,
}

/// What is laid out, and how.
#[derive(Clone, Copy)]
pub(in crate::tui) struct Source<'a> {
    pub change: &'a FileChange,
    pub index: &'a Index,
    pub highlighter: &'a Highlighter,
    pub limit: usize,
    pub layout: Layout,
    /// Columns at the left for marks.
    pub margin: usize,
    /// The mark of a line of a hunk.
    pub mark: &'a dyn Fn(usize, usize) -> Mark,
    /// What stands above a hunk.
    pub head: &'a dyn Fn(usize) -> Row,
}

/// One row; side by side it has two halves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tui) struct Laid {
    pub left: Row,
    pub right: Option<Row>,
}

/// The rows laid out so far, for as long as nothing that they depend on changes.
#[derive(Debug, Default)]
pub(in crate::tui) struct Painter {
    kept: RefCell<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    generation: u64,
    shape: (usize, Layout, u64),
    rows: HashMap<usize, Arc<Vec<Laid>>>,
    runs: HashMap<(usize, usize), Arc<Vec<Option<Runs>>>>,
    #[cfg(test)]
    laid: usize,
}

impl Painter {
    /// Returns the rows of a place, folded to the width. `version` counts the changes of the marks.
    pub(in crate::tui) fn rows(
        &self,
        source: Source<'_>,
        version: u64,
        at: usize,
    ) -> Arc<Vec<Laid>> {
        let mut kept = self.kept.borrow_mut();
        let generation = source.highlighter.generation();
        if kept.generation != generation {
            kept.generation = generation;
            kept.runs.clear();
            kept.rows.clear();
        }
        let shape = (source.limit, source.layout, version);
        if kept.shape != shape || kept.rows.len() > MOST_ROWS {
            kept.shape = shape;
            kept.rows.clear();
        }
        if kept.runs.len() > MOST_CHUNKS {
            kept.runs.clear();
        }
        if let Some(rows) = kept.rows.get(&at) {
            return Arc::clone(rows);
        }
        let rows = Arc::new(match source.index.slot(source.layout, at) {
            Some(slot) => kept.lay_out(source, slot),
            None => Vec::new(),
        });
        #[cfg(test)]
        {
            kept.laid += 1;
        }
        kept.rows.insert(at, Arc::clone(&rows));
        rows
    }

    /// Forgets everything: another change is shown.
    pub(in crate::tui) fn forget(&self) {
        *self.kept.borrow_mut() = Kept::default();
    }

    /// Counts the places laid out so far.
    #[cfg(test)]
    pub(in crate::tui) fn laid(&self) -> usize {
        self.kept.borrow().laid
    }
}

impl Kept {
    fn lay_out(&mut self, source: Source<'_>, slot: Slot) -> Vec<Laid> {
        let one = |left: Row| Laid { left, right: None };
        match slot {
            Slot::Head { hunk } => {
                let mut row = Row::new(" ".repeat(source.margin), Role::DiffHunk);
                row.append((source.head)(hunk));
                vec![one(row.cut(source.limit))]
            }
            Slot::Line {
                hunk,
                line,
                old,
                new,
                partner,
            } => {
                let gutter = numbers(old, new, source.index.digits, source.limit);
                let half = Half {
                    hunk,
                    line,
                    gutter,
                    partner,
                    limit: source.limit,
                    margin: source.margin,
                };
                self.half(source, half).into_iter().map(one).collect()
            }
            Slot::Pair {
                hunk,
                left,
                right,
                same,
            } => {
                let (near, far) = halves(source.limit, source.margin);
                let partner = |place: Option<Place>| place.filter(|_| !same).map(|p| p.line);
                let mut side = |place: Option<Place>, other: Option<Place>, limit, margin| {
                    let Some(place) = place else {
                        return Vec::new();
                    };
                    let digits = source.index.digits;
                    let gutter = if limit < NO_NUMBERS {
                        String::new()
                    } else {
                        format!("{:>digits$} ", place.number)
                    };
                    let half = Half {
                        hunk,
                        line: place.line,
                        gutter,
                        partner: partner(other),
                        limit,
                        margin,
                    };
                    self.half(source, half)
                };
                let mut lefts = side(left, right, near, source.margin);
                let mut rights = side(right, left, far, 0);
                let high = lefts.len().max(rights.len());
                lefts.resize(high, Row::default());
                rights.resize(high, Row::default());
                let rights = rights.into_iter().map(Some);
                lefts
                    .into_iter()
                    .zip(rights)
                    .map(|(left, right)| Laid { left, right })
                    .collect()
            }
        }
    }

    fn half(&mut self, source: Source<'_>, half: Half) -> Vec<Row> {
        let Some(line) = line_of(source.change, half.hunk, half.line) else {
            return Vec::new();
        };
        let mark = (source.mark)(half.hunk, half.line);
        let (sign, base, sign_role) = match line.kind {
            LineKind::Context => (' ', None, Role::DiffGutter),
            LineKind::Added => ('+', Some(Role::DiffAdded), Role::DiffAddedSign),
            LineKind::Removed => ('-', Some(Role::DiffRemoved), Role::DiffRemovedSign),
        };
        let left_out = mark == Mark::LeftOut && base.is_some();
        let base = base.filter(|_| !left_out);
        let symbol = match (mark, half.margin) {
            (_, 0) => String::new(),
            (Mark::LeftOut, margin) if line.kind != LineKind::Context => {
                format!("{:>margin$}", '✗')
            }
            (Mark::Edited, margin) if line.kind == LineKind::Added => format!("{:>margin$}", '✎'),
            (_, margin) => " ".repeat(margin),
        };
        let mut head = Row::new(symbol, Role::CallDenied);
        head.push(half.gutter, Role::DiffGutter);
        head.push(
            format!("{sign} "),
            if left_out { Role::TextDim } else { sign_role },
        );
        head.fill = base;
        let text = clean_code(&line.text);
        let mut body = if left_out {
            Row::new(text, Role::TextDim)
        } else {
            let partner = half
                .partner
                .and_then(|partner| line_of(source.change, half.hunk, partner))
                .map(|partner| clean_code(&partner.text));
            let words: Ranges = partner
                .and_then(|partner| match line.kind {
                    LineKind::Removed => compare(&text, &partner).map(|(left, _)| left),
                    _ => compare(&partner, &text).map(|(_, right)| right),
                })
                .unwrap_or_default();
            let runs = self.runs(source, half.hunk, half.line);
            paint(&text, runs.as_ref(), base, &words)
        };
        body.fill = base;
        let inner = half.limit.saturating_sub(head.width()).max(1);
        let hang = Row::new(" ".repeat(head.width()), Role::DiffGutter);
        let mut rows = Vec::new();
        for (part, text) in fold(&body, inner, &Row::default()).into_iter().enumerate() {
            let mut row = if part == 0 {
                head.clone()
            } else {
                hang.clone()
            };
            row.fill = base;
            row.append(text);
            rows.push(row.cut(half.limit));
        }
        rows
    }

    /// Returns the syntax of a line: its chunk is highlighted, each side as a text of its own.
    fn runs(&mut self, source: Source<'_>, hunk: usize, line: usize) -> Option<Runs> {
        let chunk = line / CHUNK;
        let found = self.runs.entry((hunk, chunk)).or_insert_with(|| {
            let lines = &source.change.hunks[hunk].lines;
            let start = (chunk * CHUNK).saturating_sub(WARM_UP);
            let end = ((chunk + 1) * CHUNK).min(lines.len());
            let texts: Vec<String> = lines[start..end]
                .iter()
                .map(|line| clean_code(&line.text))
                .collect();
            let mut out = vec![None; texts.len()];
            for side in [LineKind::Removed, LineKind::Added] {
                let places: Vec<usize> = (0..texts.len())
                    .filter(|at| {
                        let kind = lines[start + at].kind;
                        kind == side || kind == LineKind::Context
                    })
                    .collect();
                let lines: Vec<String> = places.iter().map(|at| texts[*at].clone()).collect();
                let path = &source.change.path;
                let Some(runs) = source.highlighter.highlight(path, &lines) else {
                    continue;
                };
                for (at, runs) in places.iter().zip(runs.iter()) {
                    out[*at] = Some(runs.clone());
                }
            }
            Arc::new(out.split_off(chunk * CHUNK - start))
        });
        found.get(line - chunk * CHUNK).cloned().flatten()
    }
}

/// Divides a width between the two sides; a column between them is left.
pub(in crate::tui) fn halves(limit: usize, margin: usize) -> (usize, usize) {
    let inner = limit.saturating_sub(margin + 1);
    (inner / 2 + margin, inner - inner / 2)
}

/// A line of one side, as wide as that side is.
struct Half {
    hunk: usize,
    line: usize,
    gutter: String,
    partner: Option<usize>,
    limit: usize,
    margin: usize,
}

fn line_of(change: &FileChange, hunk: usize, line: usize) -> Option<&crate::protocol::Line> {
    change.hunks.get(hunk)?.lines.get(line)
}

fn numbers(left: Option<usize>, right: Option<usize>, digits: usize, limit: usize) -> String {
    let number = |number: Option<usize>| match number {
        Some(number) => format!("{number:>digits$} "),
        None => " ".repeat(digits + 1),
    };
    if limit >= BOTH_NUMBERS {
        number(left) + &number(right)
    } else if limit >= NO_NUMBERS {
        number(right.or(left))
    } else {
        String::new()
    }
}

/// Puts a line's inks together: its syntax lowest, then its side, then the words that differ. So a theme whose sides
/// have only a background keeps the syntax, and one whose sides have a foreground shows them in that alone.
fn paint(text: &str, syntax: Option<&Runs>, base: Option<Role>, words: &[Range<usize>]) -> Row {
    let mut row = Row::default();
    let word = base.map(|base| match base {
        Role::DiffAdded => Role::DiffAddedWord,
        _ => Role::DiffRemovedWord,
    });
    let mut put = |range: Range<usize>, role: Role| {
        let mut from = range.start;
        while from < range.end {
            let inside = words.iter().find(|word| word.contains(&from));
            let to = match inside {
                Some(word) => word.end,
                None => words
                    .iter()
                    .map(|word| word.start)
                    .filter(|start| *start > from)
                    .min()
                    .unwrap_or(range.end),
            }
            .min(range.end);
            let Some(piece) = text.get(from..to) else {
                return;
            };
            let mut ink = Ink::from(role);
            if let Some(base) = base {
                ink = ink.over(base);
            }
            if let (Some(word), Some(_)) = (word, inside) {
                ink = ink.over(word);
            }
            row.push(piece, ink);
            from = to;
        }
    };
    let mut from = 0;
    for (length, role) in syntax.into_iter().flatten() {
        put(from..(from + length).min(text.len()), *role);
        from += length;
    }
    if from < text.len() {
        put(from..text.len(), Role::CodeBlock);
    }
    row
}
