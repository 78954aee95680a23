//! Finding the passage of a file that a text means: exactly, or as a small model copies it.

use std::collections::HashSet;
use std::ops::Range;

/// Where a passage was found, and what had to be overlooked to find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Located {
    /// Byte ranges, in order; they may overlap.
    pub(super) ranges: Vec<Range<usize>>,
    pub(super) how: How,
}

/// What had to be overlooked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum How {
    /// Nothing, or the kind of line ending.
    Exact,
    TrailingSpace,
    Indentation(Reindent),
}

/// How the file's indentation differs from that of the text, the same on every line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reindent {
    Add(String),
    Remove(String),
    /// The file has a tab where the text has this many spaces.
    Tabs(usize),
    /// The file has this many spaces where the text has a tab.
    Spaces(usize),
}

/// A passage that resembles what was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Its first line, counted from 1.
    pub line: usize,
    pub text: String,
}

/// Finds the text byte for byte, or with the other kind of line ending.
pub(super) fn exactly(file: &[u8], old: &str) -> Option<Located> {
    let unix = old.replace("\r\n", "\n");
    let windows = unix.replace('\n', "\r\n");
    // In a file that mixes them, the same passage with either ending is the same passage to the model.
    let mut ranges: Vec<Range<usize>> = [old, &windows, &unix]
        .into_iter()
        .flat_map(|old| occurrences(file, old.as_bytes()))
        .filter(|range| !splits_ending(file, range.start) && !splits_ending(file, range.end))
        .collect();
    ranges.sort_by_key(|range| (range.start, range.end));
    ranges.dedup();
    (!ranges.is_empty()).then_some(Located {
        ranges,
        how: How::Exact,
    })
}

/// Tells whether a position lies within a CRLF.
fn splits_ending(file: &[u8], at: usize) -> bool {
    at > 0 && file[at - 1] == b'\r' && file.get(at) == Some(&b'\n')
}

/// Finds whole lines that are the text's but for space at their ends or the same shift of indentation on each.
pub(super) fn loosely(file: &str, old: &str) -> Option<Located> {
    let ended = old.ends_with('\n');
    let old = old.strip_suffix('\n').unwrap_or(old);
    let wanted: Vec<&str> = old.split('\n').map(str::trim_end).collect();
    let lines = lines_of(file);
    if wanted.iter().all(|line| line.is_empty()) || wanted.len() > lines.len() {
        return None;
    }
    let mut found: Vec<(Range<usize>, Reindent)> = Vec::new();
    for window in lines.windows(wanted.len()) {
        let texts = window.iter().map(|line| file[line.text.clone()].trim_end());
        let Some(shift) = shift(texts.zip(wanted.iter().copied())) else {
            continue;
        };
        let (first, last) = (&window[0], &window[window.len() - 1]);
        let end = if ended { last.end } else { last.text.end };
        found.push((first.text.start..end, shift));
    }
    let unshifted = Reindent::Add(String::new());
    if found.iter().any(|(_, shift)| *shift == unshifted) {
        found.retain(|(_, shift)| *shift == unshifted);
    }
    let (_, shift) = found.first()?.clone();
    // Passages that differ in their shift cannot all be replaced by one text; they stay ambiguous all the same.
    Some(Located {
        ranges: found.into_iter().map(|(range, _)| range).collect(),
        how: match shift == unshifted {
            true => How::TrailingSpace,
            false => How::Indentation(shift),
        },
    })
}

/// Finds the passage most like the text; `None` when nothing resembles it.
pub(super) fn closest(file: &str, old: &str) -> Option<Passage> {
    const MOST_LINES: usize = 20_000;
    const MOST_WANTED: usize = 30;
    const LIKENESS: f32 = 0.4;
    let wanted: Vec<(&str, HashSet<&str>)> = old
        .trim_matches('\n')
        .lines()
        .take(MOST_WANTED)
        .map(|line| (line.trim(), words(line)))
        .collect();
    let lines: Vec<&str> = file.lines().take(MOST_LINES).collect();
    let known: Vec<(&str, HashSet<&str>)> = lines
        .iter()
        .map(|line| (line.trim(), words(line)))
        .collect();
    let size = wanted.len().min(known.len());
    if size == 0 {
        return None;
    }
    let weight: f32 = wanted.iter().map(|(line, _)| weight(line)).sum();
    let (at, score) = known
        .windows(size)
        .map(|window| {
            let sum: f32 = window
                .iter()
                .zip(&wanted)
                .map(|(have, want)| likeness(have, want) * self::weight(want.0))
                .sum();
            sum / weight.max(f32::EPSILON)
        })
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
    (score >= LIKENESS).then(|| Passage {
        line: at + 1,
        text: lines[at..at + size].join("\n"),
    })
}

/// Returns the number of the line that a byte stands on, counted from 1.
pub(super) fn line_of(file: &[u8], at: usize) -> usize {
    1 + file[..at].iter().filter(|byte| **byte == b'\n').count()
}

impl Reindent {
    /// Gives the lines of a text the indentation of the file.
    pub(super) fn apply(&self, text: &str) -> String {
        text.split('\n')
            .map(|line| match line.trim().is_empty() {
                true => line.to_owned(),
                false => self.apply_to(line),
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn apply_to(&self, line: &str) -> String {
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        let indent = match self {
            Self::Add(prefix) => format!("{prefix}{indent}"),
            Self::Remove(prefix) => match indent.strip_prefix(prefix.as_str()) {
                Some(left) => left.to_owned(),
                None => String::new(),
            },
            Self::Tabs(width) => indent.replace(&" ".repeat(*width), "\t"),
            Self::Spaces(width) => indent.replace('\t', &" ".repeat(*width)),
        };
        indent + rest
    }
}

struct FileLine {
    /// Without the line ending.
    text: Range<usize>,
    /// Past the line ending.
    end: usize,
}

fn lines_of(file: &str) -> Vec<FileLine> {
    let mut at = 0;
    file.split_inclusive('\n')
        .map(|line| {
            let start = at;
            at += line.len();
            let bare = line.strip_suffix('\n').unwrap_or(line);
            let bare = bare.strip_suffix('\r').unwrap_or(bare);
            FileLine {
                text: start..start + bare.len(),
                end: at,
            }
        })
        .collect()
}

/// Returns the one shift that turns the second of each pair into the first.
fn shift<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Reindent> {
    let mut indents: Vec<(&str, &str)> = Vec::new();
    for (have, want) in pairs {
        let (have_text, want_text) = (have.trim_start(), want.trim_start());
        if have_text != want_text {
            return None;
        }
        if !have_text.is_empty() {
            indents.push((
                &have[..have.len() - have_text.len()],
                &want[..want.len() - want_text.len()],
            ));
        }
    }
    let (have, want) = *indents.first()?;
    let all = |test: &dyn Fn(&str, &str) -> bool| indents.iter().all(|(h, w)| test(h, w));
    if let Some(prefix) = have.strip_suffix(want)
        && all(&|h, w| h.strip_prefix(prefix) == Some(w))
    {
        return Some(Reindent::Add(prefix.to_owned()));
    }
    if let Some(prefix) = want.strip_suffix(have)
        && all(&|h, w| w.strip_prefix(prefix) == Some(h))
    {
        return Some(Reindent::Remove(prefix.to_owned()));
    }
    [4, 2, 8, 3].into_iter().find_map(|width| {
        let spaces = " ".repeat(width);
        if all(&|h, w| w.replace(&spaces, "\t") == h) {
            Some(Reindent::Tabs(width))
        } else if all(&|h, w| w.replace('\t', &spaces) == h) {
            Some(Reindent::Spaces(width))
        } else {
            None
        }
    })
}

/// Returns all places of a text, overlapping ones too.
fn occurrences(file: &[u8], text: &[u8]) -> Vec<Range<usize>> {
    let Some(first) = text.first() else {
        return Vec::new();
    };
    let last_start = (file.len() + 1).saturating_sub(text.len());
    file[..last_start]
        .iter()
        .enumerate()
        .filter(|(at, byte)| *byte == first && file[*at..].starts_with(text))
        .map(|(at, _)| at..at + text.len())
        .collect()
}

fn words(line: &str) -> HashSet<&str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect()
}

/// A brace alone on its line says little about where it stands.
fn weight(line: &str) -> f32 {
    if line.chars().any(char::is_alphanumeric) {
        1.0
    } else {
        0.1
    }
}

fn likeness(have: &(&str, HashSet<&str>), want: &(&str, HashSet<&str>)) -> f32 {
    if have.0 == want.0 {
        return 1.0;
    }
    let total = have.1.len() + want.1.len();
    if total == 0 {
        return 0.0;
    }
    let shared = have.1.intersection(&want.1).count();
    2.0 * shared as f32 / total as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_space_is_overlooked() {
        let located = loosely("a\n  b  \n  c\n", "  b\n  c").expect("found");
        assert_eq!(located.how, How::TrailingSpace);
        assert_eq!(located.ranges, vec![2..11]);
    }

    #[test]
    fn a_uniform_shift_is_overlooked_and_an_uneven_one_is_not() {
        let file = "fn f() {\n        one();\n            two();\n}\n";
        let located = loosely(file, "    one();\n        two();").expect("found");
        assert_eq!(located.how, How::Indentation(Reindent::Add("    ".into())));
        assert_eq!(loosely(file, "    one();\n    two();"), None);
    }

    #[test]
    fn tabs_and_spaces_are_exchanged() {
        let located = loosely("\tone\n\t\ttwo\n", "    one\n        two\n").expect("found");
        assert_eq!(located.how, How::Indentation(Reindent::Tabs(4)));
        assert_eq!(Reindent::Tabs(4).apply("    x\n\n      y"), "\tx\n\n\t  y");
    }

    #[test]
    fn the_closest_passage_is_named_with_its_line() {
        let file = "use a;\n\nfn add(a: i32, b: i32) -> i32 {\n    a + b\n}\n";
        assert_eq!(
            closest(file, "fn add(a: u32, b: u32) -> u32 {\n    a + b\n}"),
            Some(Passage {
                line: 3,
                text: "fn add(a: i32, b: i32) -> i32 {\n    a + b\n}".to_owned()
            })
        );
        assert_eq!(closest(file, "completely different words"), None);
    }

    #[test]
    fn overlapping_places_are_all_seen() {
        assert_eq!(occurrences(b"aaa", b"aa"), [0..2, 1..3]);
        assert!(occurrences(b"a", b"aa").is_empty());
    }
}
