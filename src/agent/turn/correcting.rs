//! Corrections that a compiler writes out: an edit that it refuses is mended as it says, and tried again.
//!
//! A small model often has the right idea and one wrong sign in it: a missing `*`, a missing import, a name that is
//! nearly right. rustc writes the line as it should be below its error, and Python and the C and TypeScript compilers ask
//! whether another name was meant. To follow that costs no token; whether it is right, the check tells.

use super::super::calls::Stage;
use super::super::input::Effect;
use super::Agent;
use super::rewriting::Rewriting;
use super::searching::Candidate;
use crate::protocol::{FileChange, LineKind, Mechanism, Risk};

/// How often one edit is corrected. A compiler tells of the first fault and, when that is mended, of the next.
const MOST: u32 = 6;

/// Returns a file's text as what was told about it would have it, or `None` where nothing was said that fits the text.
pub(super) fn corrected(text: &str, path: &str, told: &str) -> Option<String> {
    written_out(text, path, told).or_else(|| meant(text, told))
}

/// Follows the first suggestion of rustc's about this file that fits its lines.
fn written_out(text: &str, path: &str, told: &str) -> Option<String> {
    let lines: Vec<&str> = told.lines().collect();
    // Where the error is, which is where the suggestion is unless that says otherwise.
    let mut place: Option<&str> = None;
    let mut is_header = false;
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at].trim_start();
        at += 1;
        if line.starts_with("error") || line.starts_with("warning") {
            (place, is_header) = (None, true);
        } else if let (true, Some(here)) = (is_header, line.strip_prefix("--> ")) {
            (place, is_header) = (file_of(here), false);
        } else if line.starts_with("help: ") {
            let own = lines
                .get(at)
                .and_then(|line| line.trim_start().strip_prefix("--> "));
            let named = own.map_or(place, file_of);
            let end = lines[at..].iter().position(|line| !is_drawn(line));
            let block = &lines[at..end.map_or(lines.len(), |end| at + end)];
            at += block.len();
            if named == Some(path)
                && let Some(followed) = follow(text, block)
            {
                return Some(followed);
            }
        }
    }
    None
}

/// Returns the file of `FILE:LINE:COLUMN`.
fn file_of(place: &str) -> Option<&str> {
    place.trim().rsplitn(3, ':').nth(2)
}

/// Tells whether a line belongs to a drawing of code: it has a gutter, or says where the code stands.
fn is_drawn(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("--> ") || line.starts_with('|') || gutter(line).is_some()
}

/// Takes a line of a drawing apart: its number, its sign, and the code.
fn gutter(line: &str) -> Option<(usize, char, &str)> {
    let line = line.trim_start();
    let (number, rest) = line.split_once(' ')?;
    let number = number.parse().ok()?;
    let rest = rest.trim_start();
    let sign = rest.chars().next().filter(|sign| "|-+~".contains(*sign))?;
    let code = &rest[1..];
    Some((number, sign, code.strip_prefix(' ').unwrap_or(code)))
}

/// Does what a drawing shows: a line with what is added marked below it, a line for a line, or a line that is new.
fn follow(text: &str, block: &[&str]) -> Option<String> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let mut is_changed = false;
    // Lines that were put in so far: the numbers are those of the file as it is.
    let mut more = 0;
    let mut removed: Option<(usize, &str)> = None;
    for (index, line) in block.iter().enumerate() {
        let Some((number, sign, code)) = gutter(line) else {
            continue;
        };
        let at = number.checked_add(more)?.checked_sub(1)?;
        match sign {
            '-' => removed = Some((number, code)),
            '+' => match removed.take() {
                Some((old, was)) if old == number => {
                    replace(lines.get_mut(at)?, was, code)?;
                    is_changed = true;
                }
                Some(_) => return None,
                None => {
                    let above = at.checked_sub(1).map(|above| lines.get(above));
                    if above.is_some_and(|above| above.is_none_or(|line| !line.ends_with('\n'))) {
                        return None;
                    }
                    lines.insert(at, format!("{code}\n"));
                    more += 1;
                    is_changed = true;
                }
            },
            '|' => {
                let marks = block.get(index + 1).and_then(|line| marked(line));
                if let Some(marks) = marks {
                    let was: String = code
                        .chars()
                        .enumerate()
                        .filter(|(column, _)| !marks.contains(column))
                        .map(|(_, letter)| letter)
                        .collect();
                    replace(lines.get_mut(at)?, &was, code)?;
                    is_changed = true;
                }
            }
            // Several lines for several: how many is not said.
            _ => return None,
        }
    }
    (is_changed && removed.is_none()).then(|| lines.concat())
}

/// Returns the columns that are marked as added, where a line below code holds nothing but such marks.
fn marked(line: &str) -> Option<Vec<usize>> {
    let marks = line.trim_start().strip_prefix('|')?;
    let marks = marks.strip_prefix(' ').unwrap_or(marks);
    let only = marks.chars().all(|sign| matches!(sign, ' ' | '+'));
    let columns = marks.chars().enumerate().filter(|(_, sign)| *sign == '+');
    let columns: Vec<usize> = columns.map(|(column, _)| column).collect();
    (only && !columns.is_empty()).then_some(columns)
}

/// Puts one line's code in another's place, if that is what stands there. A tab is drawn as spaces: the indentation
/// stays.
fn replace(line: &mut String, was: &str, code: &str) -> Option<()> {
    if line.trim() != was.trim() {
        return None;
    }
    let indentation = &line[..line.len() - line.trim_start().len()];
    let ending = &line[line.trim_end().len()..];
    *line = format!("{indentation}{}{ending}", code.trim());
    Some(())
}

/// Takes the name that was meant, where one is asked about that stands once in the file.
fn meant(text: &str, told: &str) -> Option<String> {
    told.lines().find_map(|line| {
        let asked = line.to_lowercase().find("did you mean")?;
        let (before, after) = (line.get(..asked)?, line.get(asked..)?);
        let wrong = quoted(before).next_back()?;
        let right = quoted(after).next()?;
        let is_name = |name: &str| {
            !name.is_empty()
                && name
                    .chars()
                    .all(|letter| letter.is_alphanumeric() || letter == '_')
        };
        if !is_name(wrong) || !is_name(right) || wrong == right {
            return None;
        }
        let mut found = text.match_indices(wrong).filter(|(at, _)| {
            let is_part = |letter: Option<char>| {
                letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
            };
            !is_part(text[..*at].chars().next_back())
                && !is_part(text[at + wrong.len()..].chars().next())
        });
        let (at, _) = found.next()?;
        if found.next().is_some() {
            return None;
        }
        Some(format!(
            "{}{right}{}",
            &text[..at],
            &text[at + wrong.len()..]
        ))
    })
}

/// Finds what stands in quotation marks.
fn quoted(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    let parts: Vec<&str> = text
        .split(['\'', '`', '"', '\u{2018}', '\u{2019}'])
        .collect();
    let inner = parts.len().saturating_sub(1);
    (1..inner).step_by(2).map(move |index| parts[index])
}

/// Returns a file's text with a change in it, or `None` where it is not a change of this text.
pub(super) fn applied(text: &str, change: &FileChange) -> Option<String> {
    if !change.others.is_empty() {
        return None;
    }
    let old: Vec<&str> = text.split_inclusive('\n').collect();
    let mut after = String::new();
    let (mut at, mut added, mut removed) = (0, 0, 0);
    for hunk in &change.hunks {
        let start = match hunk.old_lines {
            0 => hunk.old_start,
            _ => hunk.old_start.checked_sub(1)?,
        };
        after.extend(old.get(at..start)?.iter().copied());
        at = start;
        for line in &hunk.lines {
            match line.kind {
                LineKind::Added => {
                    after.push_str(&line.text);
                    after.push('\n');
                    added += 1;
                }
                kind => {
                    let here = old.get(at)?;
                    if here.trim_end_matches(['\n', '\r']) != line.text {
                        return None;
                    }
                    at += 1;
                    match kind {
                        LineKind::Context => after.push_str(here),
                        _ => removed += 1,
                    }
                }
            }
        }
    }
    after.extend(old.get(at..)?.iter().copied());
    if !text.ends_with('\n') && after.ends_with('\n') {
        after.pop();
    }
    ((added, removed) == (change.added, change.removed)).then_some(after)
}

impl Agent {
    /// Tries an edit once more as the compiler that refused it would have it. Returns `false` when it said nothing.
    pub(super) fn try_corrected(
        &mut self,
        failed: &Candidate,
        told: &str,
        out: &mut Vec<Effect>,
    ) -> bool {
        if failed.corrected >= MOST || !self.helps(Mechanism::Corrections) {
            return false;
        }
        let Some(change) = failed.change.as_deref() else {
            return false;
        };
        let base = self
            .passages
            .iter()
            .find(|passage| passage.path == change.path);
        let Some(base) = base else { return false };
        let after =
            applied(&base.text, change).and_then(|after| corrected(&after, &change.path, told));
        let Some(after) = after else { return false };
        let rewriting = Rewriting::of_file(&change.path, base.text.clone());
        let Some(written) = self.written(&rewriting, &after) else {
            return false;
        };
        let (call, _) = self.mint(&written.name, written.arguments);
        self.calls.open(call.clone(), Risk::Edit, Stage::Trying);
        let corrected = failed.corrected + 1;
        if let Some(search) = self.search() {
            search.take_up(Candidate::corrected(written.raw, call.clone(), corrected));
        }
        out.push(Effect::Preview(call));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ChangeKind, Hunk, Line};

    const TEXT: &str =
        "fn one(m: &Map) -> i64 {\n\tif let Some(v) = m.get(0) { v } else { 0 }\n}\n";

    #[test]
    fn what_is_to_be_added_to_a_line_is_added() {
        let told = "error[E0308]: mismatched types\n --> src/a.rs:2:30\n  |\n2 |     if let Some(v) = m.get(0) { v } else { 0 }\n  |                                 ^ expected `i64`, found `&i64`\n  |\nhelp: consider dereferencing the borrow\n  |\n2 |     if let Some(v) = m.get(0) { *v } else { 0 }\n  |                                 +\n";
        let after = corrected(TEXT, "src/a.rs", told);
        assert_eq!(after, Some(TEXT.replace("{ v }", "{ *v }")));
        assert_eq!(corrected(TEXT, "src/b.rs", told), None, "of another file");
        let moved = format!("\n{TEXT}");
        assert_eq!(
            corrected(&moved, "src/a.rs", told),
            None,
            "another line stands there"
        );
    }

    #[test]
    fn a_line_takes_the_place_of_another_and_a_new_one_goes_before() {
        let told = "error[E0599]: no method named `lenn` found\n  --> a.rs:1:35\n   |\nhelp: there is a method `len` with a similar name\n   |\n 1 - fn f(s: &str) -> usize { s.lenn() }\n 1 + fn f(s: &str) -> usize { s.len() }\n   |\n";
        let text = "fn f(s: &str) -> usize { s.lenn() }\n";
        assert_eq!(
            corrected(text, "a.rs", told).as_deref(),
            Some("fn f(s: &str) -> usize { s.len() }\n")
        );
        let told = "error[E0433]: cannot find type `HashMap` in this scope\n --> a.rs:2:14\n  |\n2 |     HashMap::new();\n  |     ^^^^^^^ use of undeclared type `HashMap`\n  |\nhelp: consider importing this struct\n  |\n1 + use std::collections::HashMap;\n  |\n";
        let text = "fn f() {\n    HashMap::new();\n}\n";
        let after = corrected(text, "a.rs", told).expect("a suggestion");
        assert_eq!(after, format!("use std::collections::HashMap;\n{text}"));
    }

    #[test]
    fn notes_about_other_places_do_not_move_a_suggestion() {
        let told = "error[E0308]: mismatched types\n  --> a.rs:1:21\n   |\n1  | fn f(m: &mut M) { m.entry(name) }\n   |                           ^^^^ expected `String`\nnote: method defined here\n  --> /rustc/5/library/map.rs:975:11\nhelp: try using a conversion method\n   |\n1  | fn f(m: &mut M) { m.entry(name.to_string()) }\n   |                               ++++++++++++\n";
        let text = "fn f(m: &mut M) { m.entry(name) }\n";
        let after = corrected(text, "a.rs", told).expect("a suggestion");
        assert!(after.contains("name.to_string()"), "{after}");
    }

    #[test]
    fn a_name_that_is_asked_about_is_taken_where_it_stands_once() {
        let text = "def f(x):\n    length = 1\n    return lenght + x\n";
        for told in [
            "NameError: name 'lenght' is not defined. Did you mean: 'length'?",
            "a.ts(3,12): error TS2552: Cannot find name 'lenght'. Did you mean 'length'?",
            "a.c:3:12: error: \u{2018}lenght\u{2019} undeclared; did you mean \u{2018}length\u{2019}?",
        ] {
            let after = corrected(text, "a.py", told).expect(told);
            assert_eq!(after, text.replace("lenght", "length"));
        }
        let twice = format!("{text}lenght\n");
        let told = "NameError: name 'lenght' is not defined. Did you mean: 'length'?";
        assert_eq!(corrected(&twice, "a.py", told), None);
        assert_eq!(corrected("lenghts\n", "a.py", told), None);
        assert_eq!(corrected(text, "a.py", "did you mean it?"), None);
    }

    #[test]
    fn words_that_only_look_like_a_suggestion_change_nothing() {
        for told in [
            "",
            "help: ",
            "error\n --> a.rs:1:1\nhelp: x\n99999 + x",
            "error\n --> a.rs:1:1\nhelp: x\n0 + x",
            "error\n --> a.rs:1:1\nhelp: x\n1 ~ x",
            "error\n --> a.rs:1:1\nhelp: x\n1 + x\n18446744073709551615 + x",
            "error\n --> a.rs:1:1\nhelp: x\n1 - fn\n2 + fn",
            "error\n --> a.rs:1:1\nhelp: x\n1 | \u{e9}\n  | +++++",
        ] {
            assert_eq!(corrected("fn f() {}\n", "a.rs", told), None, "{told}");
        }
    }

    #[test]
    fn a_change_is_applied_to_the_text_it_is_of_and_to_no_other() {
        let line = |kind, text: &str| Line {
            kind,
            text: text.to_owned(),
        };
        let change = FileChange {
            path: "a".to_owned(),
            kind: ChangeKind::Modify,
            base: None,
            after: None,
            hunks: vec![Hunk {
                old_start: 1,
                old_lines: 2,
                new_start: 1,
                new_lines: 3,
                lines: vec![
                    line(LineKind::Context, "a"),
                    line(LineKind::Removed, "b"),
                    line(LineKind::Added, "B"),
                    line(LineKind::Added, "C"),
                ],
            }],
            added: 2,
            removed: 1,
            notes: Vec::new(),
            others: Vec::new(),
        };
        assert_eq!(
            applied("a\nb\nd\n", &change).as_deref(),
            Some("a\nB\nC\nd\n")
        );
        assert_eq!(applied("a\nx\nd\n", &change), None);
        assert_eq!(applied("a\n", &change), None);
        let cut = FileChange { added: 9, ..change };
        assert_eq!(
            applied("a\nb\nd\n", &cut),
            None,
            "a part was left out for size"
        );
    }
}
