//! Changes that the model would not have expected: lines in the place of others that it finds far likelier there.
//!
//! A small model that is asked whether a change is wrong mostly says what it is told to say. What it would have written
//! itself it knows better: the lines that came and the lines that went are weighed against each other, each after the
//! lines that stand above them. Measured with a 1.5B model: of 22 faults of one word put into code that it cannot have
//! seen, 9 are told (asked, it tells of none), of 35 faults of public collections 18 (asked, of 2); of 19 changes that
//! mended such faults, none.

use std::collections::HashSet;
use std::ops::Range;

use super::pieces::{Kind, Piece};
use crate::protocol::{Doubts, Finding, Rival, Severity};

/// How much likelier the old lines have to be, as a logarithm.
const LIKELIER: f32 = 4.5;

/// The longest line that is quoted, in characters.
const QUOTED: usize = 80;

/// Words that take each other's place in faults, and are no new names wherever they come.
const COMMON: &[&str] = &[
    "add",
    "all",
    "and",
    "any",
    "ceil",
    "end",
    "endswith",
    "false",
    "False",
    "first",
    "floor",
    "if",
    "in",
    "is",
    "is_none",
    "is_some",
    "last",
    "left",
    "len",
    "lower",
    "max",
    "min",
    "nil",
    "none",
    "None",
    "not",
    "null",
    "or",
    "pop",
    "push",
    "range",
    "right",
    "round",
    "saturating_add",
    "saturating_sub",
    "start",
    "startswith",
    "sub",
    "true",
    "True",
    "unless",
    "until",
    "upper",
    "while",
];

/// Lines in the place of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replaced {
    from: u32,
    to: u32,
    old: Vec<String>,
    new: Vec<String>,
}

/// Returns what is to be weighed of a piece: the places where lines took the place of as many others and brought no name
/// with them. A new name is unlikely wherever it comes, and a fault seldom needs one.
pub(super) fn doubts(piece: &Piece) -> Option<(Doubts, Vec<Replaced>)> {
    let mut text = String::new();
    let mut found: Vec<(Replaced, Range<usize>)> = Vec::new();
    let mut lines = piece.lines.iter().peekable();
    while let Some(line) = lines.next() {
        if line.kind != Kind::Gone {
            text.push_str(&line.text);
            text.push('\n');
            continue;
        }
        let mut replaced = Replaced {
            from: line.number,
            to: line.number,
            old: vec![line.text.clone()],
            new: Vec::new(),
        };
        while let Some(line) = lines.next_if(|line| line.kind == Kind::Gone) {
            replaced.old.push(line.text.clone());
        }
        let start = text.len();
        while let Some(line) = lines.next_if(|line| line.kind == Kind::Added) {
            replaced.to = line.number;
            text.push_str(&line.text);
            text.push('\n');
            replaced.new.push(line.text.clone());
        }
        found.push((replaced, start..text.len()));
    }
    let known: HashSet<&str> = piece
        .lines
        .iter()
        .filter(|line| line.kind != Kind::Added)
        .flat_map(|line| names(&line.text))
        .collect();
    found.retain(|(replaced, _)| is_comparable(replaced, &known));
    if found.is_empty() {
        return None;
    }
    let rivals = found
        .iter()
        .map(|(replaced, at)| Rival {
            at: at.clone(),
            other: replaced
                .old
                .iter()
                .map(|line| format!("{line}\n"))
                .collect(),
        })
        .collect();
    let doubts = Doubts {
        lead: "```\n".to_owned(),
        text: text.into(),
        within: Vec::new(),
        skip: 0,
        most: 0,
        rivals,
    };
    Some((
        doubts,
        found.into_iter().map(|(replaced, _)| replaced).collect(),
    ))
}

/// Makes a finding of a place where the old lines are so much likelier; nothing where that is little.
pub(super) fn finding(piece: &Piece, replaced: &Replaced, likelier: f32) -> Option<Finding> {
    if likelier.is_nan() || likelier < LIKELIER {
        return None;
    }
    let (old, new) = replaced.differing().next()?;
    let last = piece.numbers().last().copied().unwrap_or(replaced.to);
    Some(Finding {
        path: piece.path.clone(),
        from: replaced.from.min(last),
        to: replaced.to.min(last),
        severity: Severity::Warning,
        title: format!("not expected here: `{}`", quoted(new)),
        explanation: format!(
            "`{}` stood here: after the lines above, that is {} times likelier to the model.",
            quoted(old),
            times(likelier)
        ),
        suggestion: "Put it back if the change is not meant.".to_owned(),
        votes: 1,
        passes: 1,
    })
}

/// Adds to such a finding what the model says goes wrong there.
pub(super) fn explain(finding: &mut Finding, why: &str) {
    if !why.is_empty() {
        finding.explanation = format!("{why} {}", finding.explanation);
    }
}

/// Writes how many times something is likelier, in round numbers.
fn times(likelier: f32) -> String {
    let times = likelier.exp();
    if times >= 1_000.0 {
        "more than 1,000".to_owned()
    } else {
        format!("some {}", (times / 10.0).floor() * 10.0)
    }
}

fn quoted(line: &str) -> String {
    let line = line.trim().replace('`', "'");
    match line.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

impl Replaced {
    /// Returns the lines that differ in more than blanks, old and new.
    fn differing(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.old.iter().zip(&self.new);
        pairs
            .map(|(old, new)| (old.as_str(), new.as_str()))
            .filter(|(old, new)| old.trim() != new.trim())
    }
}

fn is_comparable(replaced: &Replaced, known: &HashSet<&str>) -> bool {
    let is_code = |line: &str| {
        let bare = line.trim_start();
        !["//", "#", "*", "/*", "--", "\"\"\""]
            .iter()
            .any(|sign| bare.starts_with(sign))
    };
    let is_known = |name: &str| known.contains(name) || COMMON.contains(&name);
    replaced.old.len() == replaced.new.len()
        && replaced.differing().next().is_some()
        && replaced
            .differing()
            .all(|(old, new)| is_code(old) && is_code(new) && names(new).all(is_known))
}

/// Returns the names in a line: what begins with a letter.
fn names(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::super::pieces::cut;
    use super::*;

    /// Makes the piece of a difference of one hunk.
    fn piece(lines: &str) -> Piece {
        let count = |signs: [char; 2]| lines.lines().filter(|line| line.starts_with(signs)).count();
        let (old, new) = (count([' ', '-']), count([' ', '+']));
        let diff = format!(
            "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,{old} +1,{new} @@\n{lines}"
        );
        cut(&diff, 4_000).pieces.remove(0)
    }

    #[test]
    fn lines_in_the_place_of_others_are_weighed_against_them() {
        let piece =
            piece(" def f(a, b):\n-    c = a - b\n+    c = a + b\n-    return c\n+    return a\n");
        let (doubts, places) = doubts(&piece).expect("two places");
        assert_eq!(&*doubts.text, "def f(a, b):\n    c = a + b\n    return a\n");
        let rivals: Vec<(&str, &str)> = doubts
            .rivals
            .iter()
            .map(|rival| (&doubts.text[rival.at.clone()], rival.other.as_str()))
            .collect();
        assert_eq!(
            rivals,
            [
                ("    c = a + b\n", "    c = a - b\n"),
                ("    return a\n", "    return c\n")
            ]
        );
        assert_eq!((places[0].from, places[1].from), (2, 3));
    }

    #[test]
    fn what_brings_names_or_says_nothing_to_a_machine_is_not_weighed() {
        for lines in [
            // A new name, more lines than before, fewer, none, blanks, a comment.
            " a = 1\n-b = a\n+b = other\n",
            "-b = 1\n+b = 1\n+b = 2\n",
            "-b = 1\n-b = 2\n+b = 1\n",
            "-b = 1\n a = 1\n",
            "-b = 1\n+  b = 1\n",
            "-# one of a\n+# a of one\n",
        ] {
            assert!(doubts(&piece(lines)).is_none(), "{lines}");
        }
        assert!(doubts(&piece("-a = True\n+a = False\n")).is_some());
    }

    #[test]
    fn only_what_is_much_likelier_is_told_with_both_lines() {
        let piece = piece(" def f(a, b):\n-    return a - b\n+    return a + b\n");
        let (_, places) = doubts(&piece).expect("a place");
        assert!(finding(&piece, &places[0], LIKELIER - 0.1).is_none());
        assert!(finding(&piece, &places[0], f32::NAN).is_none());
        let mut found = finding(&piece, &places[0], 5.0).expect("a finding");
        assert_eq!((found.from, found.to), (2, 2));
        assert_eq!(found.title, "not expected here: `return a + b`");
        assert!(found.explanation.contains("some 140 times"), "{found:?}");
        explain(&mut found, "It adds.");
        assert!(
            found
                .explanation
                .starts_with("It adds. `return a - b` stood here"),
            "{found:?}"
        );
        assert_eq!(times(12.0), "more than 1,000");
    }
}
