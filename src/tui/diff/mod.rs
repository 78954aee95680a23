//! A planned change as a difference: numbers, signs, syntax, and the words that differ.
//!
//! [`index`] finds in one pass where everything stands, [`painter`] lays out what comes into sight.

mod index;
mod painter;
mod told;
mod words;

use crate::protocol::{ChangeKind, FileChange, LineKind, Modes};

pub(super) use self::index::{Heads, Index, Kind, Layout, Slot};
pub(super) use self::painter::{Laid, Mark, Painter, Source, halves};
pub(super) use self::told::{is_told, told};
use super::highlight::Highlighter;
use super::role::Role;
use super::text::{Row, clean_line, count};

/// Says what a change does, on one row: `src/a.rs +3 −1`.
pub(super) fn heading(change: &FileChange) -> Row {
    let verb = match change.kind {
        ChangeKind::Create => "create ",
        ChangeKind::Modify => "",
        ChangeKind::Delete => "delete ",
    };
    let mut row = match &change.from {
        Some(from) => Row::new(moving(from, &change.path), Role::Text)
            .with(clean_line(from), Role::DiffPath)
            .with(" → ", Role::Text),
        None => Row::new(verb, Role::Text),
    };
    row.push(clean_line(&change.path), Role::DiffPath);
    let (added, removed) = counts(change);
    let others = change.shown().count() - 1;
    if others > 0 {
        row.push(format!(" and {}", count(others, "other file")), Role::Text);
    }
    row.append(about(change, tally(added, removed, 0)));
    for note in &change.notes {
        row.push(format!(" · {}", clean_line(note)), Role::TextDim);
    }
    row
}

/// Says what a move does to the name: `rename ` where the file stays in its folder.
fn moving(from: &str, to: &str) -> &'static str {
    let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    match folder(from) == folder(to) {
        true => "rename ",
        false => "move ",
    }
}

/// Says what changes of a file beside its lines, and how many of those do where any can.
pub(super) fn about(change: &FileChange, tally: Row) -> Row {
    let mut row = Row::default();
    if let Some(modes) = change.modes {
        row.push(format!(" mode {modes}"), Role::NoticeWarning);
    }
    match change.keeps_content() {
        true => row.push(" · content unchanged", Role::TextDim),
        false => row.append(tally),
    }
    row
}

/// Writes the lines that are added and removed, each in at least so many columns, so that they stand below each other.
pub(super) fn tally(added: usize, removed: usize, columns: usize) -> Row {
    let (added, removed) = (format!("+{added}"), format!("−{removed}"));
    let mut row = Row::default();
    for (text, role) in [
        (added, Role::DiffAddedSign),
        (removed, Role::DiffRemovedSign),
    ] {
        let lead = columns.saturating_sub(text.chars().count()) + 1;
        row.push(" ".repeat(lead), Role::Text);
        row.push(text, role);
    }
    row
}

/// Counts the lines that a change adds and removes, in all its files.
pub(super) fn counts(change: &FileChange) -> (usize, usize) {
    change
        .others
        .iter()
        .fold((change.added, change.removed), |(added, removed), other| {
            (added + other.added, removed + other.removed)
        })
}

/// Puts the files of a change after one another. Returns the first hunk of each file, too, with its path.
pub(super) fn join(change: &FileChange) -> (FileChange, Vec<(usize, String)>) {
    let mut joined = FileChange {
        others: Vec::new(),
        ..change.clone()
    };
    let mut files = vec![(0, change.path.clone())];
    for other in change.shown().skip(1) {
        files.push((joined.hunks.len(), other.path.clone()));
        joined.hunks.extend(other.hunks.iter().cloned());
        joined.added += other.added;
        joined.removed += other.removed;
    }
    (joined, files)
}

/// Lays out a change's hunks in rows of at most `limit` columns: the first `most` of them, and what there is to say
/// about the rest. Returns how many lines were not laid out, too.
pub(super) fn render(
    change: &FileChange,
    limit: usize,
    most: usize,
    highlighter: &Highlighter,
) -> (Vec<Row>, usize) {
    let index = Index::new(change, Heads::Between);
    let digits = index.digits;
    let painter = Painter::default();
    let source = Source {
        change,
        index: &index,
        highlighter,
        limit,
        layout: Layout::Unified,
        margin: 0,
        mark: &|_, _| Mark::None,
        head: &|_| Row::new(format!("{:>digits$} ⋮", ""), Role::DiffHunk),
    };
    let total = index.total(Layout::Unified);
    let mut rows = Vec::new();
    let mut at = 0;
    while at < total && rows.len() < most {
        let laid = painter.rows(source, 0, at);
        rows.extend(laid.iter().map(|laid| laid.left.clone()));
        at += 1;
    }
    if at == total {
        rows.extend(ends(change, limit));
    }
    (rows, total - at)
}

/// Writes permissions as `ls` does: `rwxr-xr-x`.
fn rights(mode: u32) -> String {
    let letter = |at: u32| match mode >> (8 - at) & 1 {
        1 => ['r', 'w', 'x'][at as usize % 3],
        _ => '-',
    };
    (0..9).map(letter).collect()
}

/// Says what the hunks do not show.
pub(super) fn ends(change: &FileChange, limit: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    if change.hunks.is_empty() {
        let why = if let (Some(from), true) = (&change.from, change.keeps_content()) {
            let (from, to) = (clean_line(from), clean_line(&change.path));
            rows.extend([
                Row::new(format!("from  {from}"), Role::DiffRemoved).cut(limit),
                Row::new(format!("to    {to}"), Role::DiffAdded).cut(limit),
            ]);
            "its content stays as it is, byte for byte"
        } else if let (Some(Modes { before, after }), true) = (change.modes, change.keeps_content())
        {
            rows.extend([
                Row::new(
                    format!("old mode  100{before:03o}  {}", rights(before)),
                    Role::DiffRemoved,
                )
                .cut(limit),
                Row::new(
                    format!("new mode  100{after:03o}  {}", rights(after)),
                    Role::DiffAdded,
                )
                .cut(limit),
            ]);
            "its content stays as it is, byte for byte"
        } else if change.notes.iter().any(|note| note == "binary") {
            "a binary file: its bytes are not shown"
        } else if change.kind == ChangeKind::Create {
            "an empty file"
        } else {
            "no line differs"
        };
        rows.push(Row::new(why, Role::TextDim).cut(limit));
    }
    let shown: usize = change
        .hunks
        .iter()
        .flat_map(|hunk| &hunk.lines)
        .filter(|line| line.kind != LineKind::Context)
        .count();
    let missing = (change.added + change.removed).saturating_sub(shown);
    if missing > 0 && shown > 0 {
        let text = format!("… {missing} more changed lines are too many to show");
        rows.push(Row::new(text, Role::NoticeWarning).cut(limit));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Hash, Hunk, Line};

    fn change(lines: &[(LineKind, &str)]) -> FileChange {
        let count = |kind| lines.iter().filter(|(line, _)| *line == kind).count();
        let (added, removed) = (count(LineKind::Added), count(LineKind::Removed));
        FileChange {
            path: "src/a.rs".to_owned(),
            kind: ChangeKind::Modify,
            base: Some(Hash("0".to_owned())),
            after: Some(Hash("1".to_owned())),
            hunks: vec![Hunk {
                old_start: 9,
                old_lines: lines.len() - added,
                new_start: 9,
                new_lines: lines.len() - removed,
                lines: lines
                    .iter()
                    .map(|(kind, text)| Line {
                        kind: *kind,
                        text: (*text).to_owned(),
                    })
                    .collect(),
            }],
            added,
            removed,
            notes: Vec::new(),
            others: Vec::new(),
            from: None,
            modes: None,
        }
    }

    fn shown(change: &FileChange, limit: usize) -> String {
        render(change, limit, usize::MAX, &Highlighter::default())
            .0
            .iter()
            .map(|row| row.plain().trim_end().to_owned())
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn lines_carry_numbers_and_signs_and_tabs_are_four_wide() {
        let change = change(&[
            (LineKind::Context, "fn a() {"),
            (LineKind::Removed, "\tlet x = 1;"),
            (LineKind::Added, "\tlet x = 2;"),
            (LineKind::Added, "\tlet y = \"世界\u{202e}\x1b[31m\";"),
            (LineKind::Context, "}"),
        ]);
        insta::assert_snapshot!(shown(&change, 40), @r#"
         9   fn a() {
        10 -     let x = 1;
        10 +     let x = 2;
        11 +     let y = "世界⟨U+202E⟩⟨U+001B⟩[3
             1m";
        12   }
        "#);
    }

    #[test]
    fn the_words_that_differ_stand_out() {
        let change = change(&[
            (LineKind::Removed, "let retries = 3;"),
            (LineKind::Added, "let retries = 5;"),
        ]);
        let (rows, _) = render(&change, 60, usize::MAX, &Highlighter::default());
        let marked = |row: &Row| -> String {
            row.spans
                .iter()
                .filter(|span| {
                    span.ink
                        .roles()
                        .any(|role| matches!(role, Role::DiffAddedWord | Role::DiffRemovedWord))
                })
                .map(|span| span.text.as_str())
                .collect()
        };
        assert_eq!(rows.iter().map(marked).collect::<Vec<_>>(), ["3", "5"]);
    }

    #[test]
    fn no_row_is_wider_than_the_pane() {
        let change = change(&[
            (
                LineKind::Removed,
                "let x = 世界世界世界世界 + 👩\u{200d}💻;",
            ),
            (
                LineKind::Added,
                "\t\tlet x = something_long_enough_to_fold();",
            ),
        ]);
        for limit in 1..130 {
            for row in render(&change, limit, usize::MAX, &Highlighter::default()).0 {
                assert!(row.width() <= limit, "{limit}: {:?}", row.plain());
            }
        }
    }
    #[test]
    fn what_no_line_shows_is_said() {
        let bare = |kind, notes: &[&str]| FileChange {
            kind,
            hunks: Vec::new(),
            added: 0,
            removed: 0,
            notes: notes.iter().map(|note| (*note).to_owned()).collect(),
            ..change(&[])
        };
        let binary = bare(ChangeKind::Modify, &["binary"]);
        assert_eq!(shown(&binary, 60), "a binary file: its bytes are not shown");
        assert_eq!(shown(&bare(ChangeKind::Create, &[]), 60), "an empty file");
        let endings = bare(ChangeKind::Modify, &["line endings change"]);
        assert_eq!(shown(&endings, 60), "no line differs");
        // More lines changed than are kept to be shown.
        let mut long = change(&[(LineKind::Added, "one")]);
        long.added = 400_000;
        assert!(shown(&long, 60).contains("399999 more changed lines"));
    }

    #[test]
    fn a_move_says_from_where_to_where_and_that_nothing_else_changes() {
        let bare = FileChange {
            hunks: Vec::new(),
            added: 0,
            removed: 0,
            ..change(&[])
        };
        let moved = FileChange {
            path: "lib/b.rs".to_owned(),
            kind: ChangeKind::Create,
            base: None,
            from: Some("src/a.rs".to_owned()),
            others: vec![FileChange {
                kind: ChangeKind::Delete,
                after: None,
                notes: vec![format!("{}lib/b.rs", crate::protocol::MOVED_TO)],
                ..bare.clone()
            }],
            ..bare.clone()
        };
        assert_eq!(
            heading(&moved).plain(),
            "move src/a.rs → lib/b.rs · content unchanged"
        );
        insta::assert_snapshot!(shown(&moved, 60), @r"
        from  src/a.rs
        to    lib/b.rs
        its content stays as it is, byte for byte
        ");
        let mut edited = change(&[(LineKind::Removed, "a"), (LineKind::Added, "b")]);
        edited.from = Some("src/old.rs".to_owned());
        assert_eq!(
            heading(&edited).plain(),
            "rename src/old.rs → src/a.rs +1 −1"
        );
        assert!(shown(&edited, 60).contains("9 + b"), "its lines are shown");
    }

    #[test]
    fn a_mode_alone_says_both_modes() {
        let marked = FileChange {
            hunks: Vec::new(),
            added: 0,
            removed: 0,
            modes: Some(Modes {
                before: 0o644,
                after: 0o755,
            }),
            ..change(&[])
        };
        assert_eq!(
            heading(&marked).plain(),
            "src/a.rs mode 100644 → 100755 · content unchanged"
        );
        insta::assert_snapshot!(shown(&marked, 60), @r"
        old mode  100644  rw-r--r--
        new mode  100755  rwxr-xr-x
        its content stays as it is, byte for byte
        ");
    }

    #[test]
    fn a_line_ending_that_changes_stays_one_row() {
        let change = change(&[
            (LineKind::Removed, "let a = 1;\r"),
            (LineKind::Added, "let a = 1;"),
        ]);
        let text = shown(&change, 60);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(!text.contains('\r'), "{text:?}");
    }
}
