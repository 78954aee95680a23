//! Where everything of a difference stands, found in one pass: a frame then costs what it shows, whatever the length.

use crate::protocol::{FileChange, LineKind};

/// How the two sides are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::tui) enum Layout {
    /// One below the other, as `diff -u` does.
    #[default]
    Unified,
    SideBySide,
}

/// Whether each hunk has a row above it that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Heads {
    /// Each hunk of several.
    Named,
    /// Only what lies between two hunks is marked.
    Between,
}

/// A run of rows of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) struct Segment {
    pub hunk: usize,
    /// The first of its lines in the hunk.
    pub line: usize,
    pub kind: Kind,
    /// The line numbers of both sides at its start, counted from 0.
    pub old: usize,
    pub new: usize,
    /// Where it begins, in rows of each layout.
    unified: usize,
    split: usize,
}

/// What a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Kind {
    Head,
    Same(usize),
    /// Lines taken out, and lines put in their place.
    Changed {
        removed: usize,
        added: usize,
    },
}

/// A line of one side, with its number counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) struct Place {
    pub line: usize,
    pub number: usize,
}

/// What one row of a difference shows, before it is folded to a width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Slot {
    Head {
        hunk: usize,
    },
    /// A line of either side or of both.
    Line {
        hunk: usize,
        line: usize,
        old: Option<usize>,
        new: Option<usize>,
        /// The line that stands in its place on the other side.
        partner: Option<usize>,
    },
    /// Both sides of a row; of a line that did not change, twice the same.
    Pair {
        hunk: usize,
        left: Option<Place>,
        right: Option<Place>,
        same: bool,
    },
}

/// The index of a difference.
#[derive(Debug, Clone, Default)]
pub(in crate::tui) struct Index {
    segments: Vec<Segment>,
    /// The first segment of each hunk.
    hunks: Vec<usize>,
    /// The columns of the largest line number.
    pub digits: usize,
    unified: usize,
    split: usize,
}

impl Index {
    /// Goes through a change once.
    pub(in crate::tui) fn new(change: &FileChange, heads: Heads) -> Self {
        let mut index = Self::default();
        let mut last = 0;
        for (number, hunk) in change.hunks.iter().enumerate() {
            let mut old = hunk.old_start - usize::from(hunk.old_lines > 0 && hunk.old_start > 0);
            let mut new = hunk.new_start - usize::from(hunk.new_lines > 0 && hunk.new_start > 0);
            index.hunks.push(index.segments.len());
            let head = match heads {
                Heads::Named => change.hunks.len() > 1,
                Heads::Between => number > 0,
            };
            if head {
                index.push(number, 0, Kind::Head, (old, new));
            }
            let mut at = 0;
            while at < hunk.lines.len() {
                let run = |from: usize, kind: LineKind| {
                    let lines = hunk.lines[from..].iter();
                    lines.take_while(|line| line.kind == kind).count()
                };
                let same = run(at, LineKind::Context);
                let kind = if same > 0 {
                    Kind::Same(same)
                } else {
                    let removed = run(at, LineKind::Removed);
                    let added = run(at + removed, LineKind::Added);
                    Kind::Changed { removed, added }
                };
                index.push(number, at, kind, (old, new));
                let (removed, added) = kind.sides();
                old += removed;
                new += added;
                at += kind.lines();
            }
            last = last.max(old).max(new);
        }
        index.digits = last.to_string().len().max(2);
        index
    }

    fn push(&mut self, hunk: usize, line: usize, kind: Kind, (old, new): (usize, usize)) {
        self.segments.push(Segment {
            hunk,
            line,
            kind,
            old,
            new,
            unified: self.unified,
            split: self.split,
        });
        self.unified += kind.rows(Layout::Unified);
        self.split += kind.rows(Layout::SideBySide);
    }

    /// Returns how many rows there are before folding.
    pub(in crate::tui) fn total(&self, layout: Layout) -> usize {
        match layout {
            Layout::Unified => self.unified,
            Layout::SideBySide => self.split,
        }
    }

    /// Returns how many hunks there are.
    pub(in crate::tui) fn hunks(&self) -> usize {
        self.hunks.len()
    }

    /// Returns the segments of a hunk.
    pub(in crate::tui) fn of_hunk(&self, hunk: usize) -> &[Segment] {
        let Some(start) = self.hunks.get(hunk) else {
            return &[];
        };
        let end = self.hunks.get(hunk + 1).copied();
        &self.segments[*start..end.unwrap_or(self.segments.len())]
    }

    /// Returns what a row shows.
    pub(in crate::tui) fn slot(&self, layout: Layout, at: usize) -> Option<Slot> {
        let place = |segment: &Segment| segment.start(layout);
        let segment = self
            .segments
            .partition_point(|segment| place(segment) <= at);
        let segment = self.segments.get(segment.checked_sub(1)?)?;
        let offset = at - place(segment);
        if offset >= segment.kind.rows(layout) {
            return None;
        }
        Some(segment.slot(layout, offset))
    }

    /// Returns the row of a line of a hunk.
    pub(in crate::tui) fn row_of(&self, layout: Layout, hunk: usize, line: usize) -> usize {
        let segments = self.of_hunk(hunk);
        let at = segments.partition_point(|segment| segment.line <= line);
        let Some(segment) = at.checked_sub(1).and_then(|at| segments.get(at)) else {
            return 0;
        };
        let offset = line - segment.line;
        let offset = match (layout, segment.kind) {
            (_, Kind::Head) => 0,
            (Layout::SideBySide, Kind::Changed { removed, .. }) if offset >= removed => {
                offset - removed
            }
            _ => offset,
        };
        segment.start(layout) + offset
    }

    /// Returns the row at which a hunk's first change stands.
    pub(in crate::tui) fn first_change(&self, layout: Layout, hunk: usize) -> usize {
        let changed = |segment: &&Segment| matches!(segment.kind, Kind::Changed { .. });
        self.of_hunk(hunk)
            .iter()
            .find(changed)
            .map_or(0, |segment| segment.start(layout))
    }

    /// Returns the last row of the change that a row is part of; the row itself where nothing is changed.
    pub(in crate::tui) fn change_end(&self, layout: Layout, row: usize) -> usize {
        let after = |segment: &Segment| segment.start(layout) <= row;
        let last = self.segments.partition_point(after).checked_sub(1);
        match last.map(|last| &self.segments[last]) {
            Some(segment) if matches!(segment.kind, Kind::Changed { .. }) => {
                (segment.start(layout) + segment.kind.rows(layout)).saturating_sub(1)
            }
            _ => row,
        }
        .max(row)
    }

    /// Returns the row at which a hunk begins.
    pub(in crate::tui) fn start(&self, layout: Layout, hunk: usize) -> usize {
        let first = self.of_hunk(hunk).first();
        first.map_or(0, |segment| segment.start(layout))
    }
}

impl Kind {
    /// Returns how many lines of the hunk it has.
    fn lines(self) -> usize {
        match self {
            Self::Head => 0,
            Self::Same(lines) => lines,
            Self::Changed { removed, added } => removed + added,
        }
    }

    /// Returns how many lines it has on each side.
    fn sides(self) -> (usize, usize) {
        match self {
            Self::Head => (0, 0),
            Self::Same(lines) => (lines, lines),
            Self::Changed { removed, added } => (removed, added),
        }
    }

    fn rows(self, layout: Layout) -> usize {
        match (self, layout) {
            (Self::Head, _) => 1,
            (Self::Changed { removed, added }, Layout::SideBySide) => removed.max(added),
            (kind, _) => kind.lines(),
        }
    }
}

impl Segment {
    fn start(&self, layout: Layout) -> usize {
        match layout {
            Layout::Unified => self.unified,
            Layout::SideBySide => self.split,
        }
    }

    fn slot(&self, layout: Layout, offset: usize) -> Slot {
        let (hunk, line) = (self.hunk, self.line + offset);
        let (old, new) = (self.old + offset + 1, self.new + offset + 1);
        match (self.kind, layout) {
            (Kind::Head, _) => Slot::Head { hunk },
            (Kind::Same(_), Layout::Unified) => Slot::Line {
                hunk,
                line,
                old: Some(old),
                new: Some(new),
                partner: None,
            },
            (Kind::Same(_), Layout::SideBySide) => Slot::Pair {
                hunk,
                left: Some(Place { line, number: old }),
                right: Some(Place { line, number: new }),
                same: true,
            },
            (Kind::Changed { removed, added }, Layout::Unified) if offset < removed => Slot::Line {
                hunk,
                line,
                old: Some(old),
                new: None,
                partner: (offset < added).then_some(line + removed),
            },
            (Kind::Changed { removed, .. }, Layout::Unified) => Slot::Line {
                hunk,
                line,
                old: None,
                new: Some(new - removed),
                partner: (offset < removed * 2).then(|| line - removed),
            },
            (Kind::Changed { removed, added }, Layout::SideBySide) => Slot::Pair {
                hunk,
                left: (offset < removed).then_some(Place { line, number: old }),
                right: (offset < added).then_some(Place {
                    line: line + removed,
                    number: new,
                }),
                same: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ChangeKind, Hunk, Line};

    fn change(kinds: &[&str]) -> FileChange {
        let hunks = kinds
            .iter()
            .enumerate()
            .map(|(number, kinds)| {
                let lines: Vec<Line> = kinds
                    .chars()
                    .map(|kind| Line {
                        kind: match kind {
                            '-' => LineKind::Removed,
                            '+' => LineKind::Added,
                            _ => LineKind::Context,
                        },
                        text: String::new(),
                    })
                    .collect();
                let count = |not| lines.iter().filter(|line| line.kind != not).count();
                Hunk {
                    old_start: number * 100 + 1,
                    old_lines: count(LineKind::Added),
                    new_start: number * 100 + 1,
                    new_lines: count(LineKind::Removed),
                    lines,
                }
            })
            .collect();
        FileChange {
            path: "a".to_owned(),
            kind: ChangeKind::Modify,
            base: None,
            after: None,
            hunks,
            added: 0,
            removed: 0,
            notes: Vec::new(),
            others: Vec::new(),
            from: None,
            modes: None,
        }
    }

    #[test]
    fn side_by_side_a_removed_line_stands_beside_the_one_in_its_place() {
        let index = Index::new(&change(&[" --+ "]), Heads::Named);
        assert_eq!(index.total(Layout::Unified), 5);
        assert_eq!(index.total(Layout::SideBySide), 4);
        let pair = |left: Option<(usize, usize)>, right: Option<(usize, usize)>, same| {
            let place = |(line, number)| Place { line, number };
            Some(Slot::Pair {
                hunk: 0,
                left: left.map(place),
                right: right.map(place),
                same,
            })
        };
        let slot = |at| index.slot(Layout::SideBySide, at);
        assert_eq!(slot(0), pair(Some((0, 1)), Some((0, 1)), true));
        assert_eq!(slot(1), pair(Some((1, 2)), Some((3, 2)), false));
        assert_eq!(slot(2), pair(Some((2, 3)), None, false));
        assert_eq!(slot(3), pair(Some((4, 4)), Some((4, 3)), true));
        assert_eq!(slot(4), None);
    }

    proptest::proptest! {
        /// Every line is found in both layouts, with the numbers that counting gives.
        #[test]
        fn each_line_has_its_row(kinds in proptest::collection::vec("[ +-]{1,12}", 1..4)) {
            let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
            let change = change(&kinds);
            let index = Index::new(&change, Heads::Named);
            for (number, hunk) in change.hunks.iter().enumerate() {
                let (mut old, mut new) = (hunk.old_start, hunk.new_start);
                old += usize::from(hunk.old_lines == 0);
                new += usize::from(hunk.new_lines == 0);
                for (at, line) in hunk.lines.iter().enumerate() {
                    let (left, right) = (line.kind != LineKind::Added, line.kind != LineKind::Removed);
                    let row = index.row_of(Layout::Unified, number, at);
                    let slot = index.slot(Layout::Unified, row);
                    let Some(Slot::Line { hunk: in_hunk, line: found, old: o, new: n, .. }) = slot else {
                        panic!("{slot:?}");
                    };
                    proptest::prop_assert_eq!((in_hunk, found), (number, at));
                    proptest::prop_assert_eq!((o, n), (left.then_some(old), right.then_some(new)));
                    let row = index.row_of(Layout::SideBySide, number, at);
                    let slot = index.slot(Layout::SideBySide, row);
                    let Some(Slot::Pair { left: l, right: r, .. }) = slot else {
                        panic!("{slot:?}");
                    };
                    if left {
                        proptest::prop_assert_eq!(l, Some(Place { line: at, number: old }));
                    }
                    if right {
                        proptest::prop_assert_eq!(r, Some(Place { line: at, number: new }));
                    }
                    old += usize::from(left);
                    new += usize::from(right);
                }
            }
        }
    }
}
