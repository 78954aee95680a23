//! A planned change as a unified diff: numbers, signs, syntax, and the words that differ.

use std::ops::Range;

use similar::{Algorithm, DiffTag, capture_diff_slices};
use unicode_segmentation::UnicodeSegmentation as _;

use crate::protocol::{ChangeKind, FileChange, Hunk, LineKind};

use super::highlight::{Highlighter, Runs};
use super::role::{Ink, Role};
use super::text::{Row, clean_code, clean_line, fold};

/// Lines longer than this are not compared word by word.
const LONGEST_COMPARED: usize = 600;
/// Below this share of equal words two lines have nothing in common worth showing.
const LEAST_ALIKE: f32 = 0.4;
/// From this width on both sides' numbers are shown.
const BOTH_NUMBERS: usize = 100;

/// Says what a change does, on one row: `src/a.rs +3 −1`.
pub(super) fn heading(change: &FileChange) -> Row {
    let verb = match change.kind {
        ChangeKind::Create => "create ",
        ChangeKind::Modify => "",
        ChangeKind::Delete => "delete ",
    };
    let mut row = Row::new(verb, Role::Text).with(clean_line(&change.path), Role::DiffPath);
    row.push(format!(" +{}", change.added), Role::DiffAddedSign);
    row.push(format!(" −{}", change.removed), Role::DiffRemovedSign);
    for note in &change.notes {
        row.push(format!(" · {}", clean_line(note)), Role::TextDim);
    }
    row
}

/// Lays out a change's hunks in rows of at most `limit` columns.
pub(super) fn render(change: &FileChange, limit: usize, highlighter: &Highlighter) -> Vec<Row> {
    let last = change
        .hunks
        .iter()
        .map(|hunk| (hunk.old_start + hunk.old_lines).max(hunk.new_start + hunk.new_lines))
        .max()
        .unwrap_or(0);
    let digits = last.to_string().len().max(2);
    let mut rows = Vec::new();
    for (at, hunk) in change.hunks.iter().enumerate() {
        if at > 0 {
            rows.push(Row::new(format!("{:>digits$} ⋮", ""), Role::DiffHunk));
        }
        hunk_rows(&mut rows, &change.path, hunk, digits, limit, highlighter);
    }
    if change.hunks.is_empty() {
        let why = if change.notes.iter().any(|note| note == "binary") {
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

fn hunk_rows(
    rows: &mut Vec<Row>,
    path: &str,
    hunk: &Hunk,
    digits: usize,
    limit: usize,
    highlighter: &Highlighter,
) {
    let texts: Vec<String> = hunk
        .lines
        .iter()
        .map(|line| clean_code(&line.text))
        .collect();
    let syntax = syntax(path, hunk, &texts, highlighter);
    let words = words(hunk, &texts);
    let (mut old, mut new) = (hunk.old_start, hunk.new_start);
    for (at, line) in hunk.lines.iter().enumerate() {
        let (sign, base, sign_role) = match line.kind {
            LineKind::Context => (' ', None, Role::DiffGutter),
            LineKind::Added => ('+', Some(Role::DiffAdded), Role::DiffAddedSign),
            LineKind::Removed => ('-', Some(Role::DiffRemoved), Role::DiffRemovedSign),
        };
        let (left, right) = match line.kind {
            LineKind::Context => (Some(old), Some(new)),
            LineKind::Added => (None, Some(new)),
            LineKind::Removed => (Some(old), None),
        };
        old += usize::from(left.is_some());
        new += usize::from(right.is_some());
        let gutter = gutter(left, right, digits, limit);
        let mut head = Row::new(gutter, Role::DiffGutter);
        head.push(format!("{sign} "), sign_role);
        head.fill = base;
        let mut body = paint(&texts[at], syntax[at].as_ref(), base, &words[at]);
        body.fill = base;
        let inner = limit.saturating_sub(head.width()).max(1);
        let hang = Row::new(" ".repeat(head.width()), Role::DiffGutter);
        for (part, text) in fold(&body, inner, &Row::default()).into_iter().enumerate() {
            let mut row = if part == 0 {
                head.clone()
            } else {
                hang.clone()
            };
            row.fill = base;
            row.append(text);
            rows.push(row.cut(limit));
        }
    }
}

fn gutter(left: Option<usize>, right: Option<usize>, digits: usize, limit: usize) -> String {
    let number = |number: Option<usize>| match number {
        Some(number) => format!("{number:>digits$} "),
        None => " ".repeat(digits + 1),
    };
    if limit >= BOTH_NUMBERS {
        number(left) + &number(right)
    } else if limit >= 30 {
        number(right.or(left))
    } else {
        String::new()
    }
}

/// Highlights both sides of a hunk, each as a text of its own.
fn syntax(
    path: &str,
    hunk: &Hunk,
    texts: &[String],
    highlighter: &Highlighter,
) -> Vec<Option<Runs>> {
    let mut out = vec![None; texts.len()];
    for side in [LineKind::Removed, LineKind::Added] {
        let places: Vec<usize> = (0..texts.len())
            .filter(|at| {
                let kind = hunk.lines[*at].kind;
                kind == side || kind == LineKind::Context
            })
            .collect();
        let lines: Vec<String> = places.iter().map(|at| texts[*at].clone()).collect();
        let Some(runs) = highlighter.highlight(path, &lines) else {
            continue;
        };
        for (at, runs) in places.iter().zip(runs.iter()) {
            out[*at] = Some(runs.clone());
        }
    }
    out
}

/// Finds the parts of changed lines that differ from the line they replace.
fn words(hunk: &Hunk, texts: &[String]) -> Vec<Vec<Range<usize>>> {
    let mut out = vec![Vec::new(); texts.len()];
    let mut at = 0;
    while at < hunk.lines.len() {
        let run = |from: usize, kind: LineKind| {
            hunk.lines[from..]
                .iter()
                .take_while(|line| line.kind == kind)
                .count()
        };
        let removed = run(at, LineKind::Removed);
        if removed == 0 {
            at += 1;
            continue;
        }
        let added = run(at + removed, LineKind::Added);
        for pair in 0..removed.min(added) {
            let (old, new) = (at + pair, at + removed + pair);
            if let Some((left, right)) = compare(&texts[old], &texts[new]) {
                out[old] = left;
                out[new] = right;
            }
        }
        at += removed + added;
    }
    out
}

type Ranges = Vec<Range<usize>>;

fn compare(old: &str, new: &str) -> Option<(Ranges, Ranges)> {
    if old.len().max(new.len()) > LONGEST_COMPARED {
        return None;
    }
    let left: Vec<(usize, &str)> = old.split_word_bound_indices().collect();
    let right: Vec<(usize, &str)> = new.split_word_bound_indices().collect();
    let words = |side: &[(usize, &str)]| side.iter().map(|(_, word)| word.to_string()).collect();
    let (a, b): (Vec<String>, Vec<String>) = (words(&left), words(&right));
    let ops = capture_diff_slices(Algorithm::Myers, &a, &b);
    let same: usize = ops
        .iter()
        .filter(|op| op.tag() == DiffTag::Equal)
        .flat_map(|op| &a[op.old_range()])
        .map(|word| word.trim().len())
        .sum();
    let longest = old.trim().len().max(new.trim().len()).max(1);
    if (same as f32) < longest as f32 * LEAST_ALIKE {
        return None;
    }
    let mut out = (Vec::new(), Vec::new());
    for op in ops.iter().filter(|op| op.tag() != DiffTag::Equal) {
        push(&mut out.0, &left, op.old_range());
        push(&mut out.1, &right, op.new_range());
    }
    Some(out)
}

fn push(ranges: &mut Ranges, words: &[(usize, &str)], range: Range<usize>) {
    let Some(((start, _), (last, word))) = words
        .get(range.clone())
        .and_then(|words| Some((words.first()?, words.last()?)))
    else {
        return;
    };
    ranges.push(*start..last + word.len());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Hash, Line};

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
        }
    }

    fn shown(change: &FileChange, limit: usize) -> String {
        render(change, limit, &Highlighter::default())
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
        let rows = render(&change, 60, &Highlighter::default());
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
    fn lines_with_nothing_in_common_are_not_compared() {
        assert_eq!(compare("let a = 1;", "return Err(Problem::Other)"), None);
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
            for row in render(&change, limit, &Highlighter::default()) {
                assert!(row.width() <= limit, "{limit}: {:?}", row.plain());
            }
        }
    }
}
