//! What is left of a planned change after a person went through it.

use super::edit::{EditError, Ending, Plan};
use super::encoding::{to_utf16, utf16};
use super::{change_of, text_of};
use crate::protocol::{AllowedPart, Instead, Passage};

/// Why a part of a change cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NarrowError {
    #[error(
        "the allowed part does not fit the change of `{path}`: line {line} is not in it; show the diff anew"
    )]
    Misfit { path: String, line: usize },
    #[error("`{path}` is a binary file: it can be changed as planned or not at all")]
    Binary { path: String },
    #[error("nothing is left of the change of `{path}`")]
    Nothing { path: String },
    #[error(transparent)]
    Edit(#[from] EditError),
}

impl Plan {
    /// Makes the plan of a part of this one, on the same base.
    ///
    /// Lines that are kept or put back are so byte for byte. Lines that the user wrote get the line ending that the
    /// file's other lines have, and the file's encoding.
    ///
    /// # Errors
    ///
    /// When the part does not fit the change, or nothing is left of it.
    pub fn narrow(&self, part: &AllowedPart) -> Result<Self, NarrowError> {
        let path = || self.change.path.clone();
        let (before, after) = (self.before(), self.after());
        if text_of(before).is_none() || text_of(after).is_none() {
            return Err(NarrowError::Binary { path: path() });
        }
        let wide = utf16(after);
        let bytes = match &wide {
            Some((order, after)) => {
                let before = utf16(before).map(|(_, text)| text).unwrap_or_default();
                let text = splice(before.as_bytes(), after.as_bytes(), part, &path)?;
                to_utf16(&String::from_utf8_lossy(&text), *order)
            }
            None => {
                let ascii = |passage: &Passage| match &passage.instead {
                    Instead::Old { .. } => true,
                    Instead::Written(lines) => lines.iter().all(|line| line.is_ascii()),
                };
                if std::str::from_utf8(after).is_err() && !part.passages.iter().all(ascii) {
                    return Err(EditError::NotUtf8 { path: path() }.into());
                }
                splice(before, after, part, &path)?
            }
        };
        if self.change.base.is_some() && bytes == before {
            return Err(NarrowError::Nothing { path: path() });
        }
        let base = self.change.base.as_ref().map(|_| before);
        let mut change = change_of(&self.change.path, base, Some(&bytes));
        // What the first plan found out about the file still holds; what it said of the bytes is said anew.
        for note in &self.change.notes {
            let of_bytes = ["binary", "UTF-16", "no newline", "line endings", "only the"];
            let stale = of_bytes.iter().any(|start| note.starts_with(start));
            if !stale && !change.notes.contains(note) {
                change.notes.push(note.clone());
            }
        }
        Ok(self.with(change, bytes))
    }
}

/// Puts passages in place of lines of `after`.
fn splice(
    before: &[u8],
    after: &[u8],
    part: &AllowedPart,
    path: &impl Fn() -> String,
) -> Result<Vec<u8>, NarrowError> {
    let old: Vec<&[u8]> = before.split_inclusive(|byte| *byte == b'\n').collect();
    let new: Vec<&[u8]> = after.split_inclusive(|byte| *byte == b'\n').collect();
    let misfit = |line: usize| NarrowError::Misfit {
        path: path(),
        line: line.saturating_add(1),
    };
    let ending = Ending::most(after)
        .or_else(|| Ending::most(before))
        .unwrap_or(Ending::Lf);
    let mut out: Vec<u8> = Vec::with_capacity(after.len());
    let mut at = 0;
    for passage in &part.passages {
        let end = passage
            .at
            .checked_add(passage.lines)
            .filter(|end| passage.at >= at && *end <= new.len())
            .ok_or_else(|| misfit(passage.at))?;
        for line in &new[at..passage.at] {
            put(&mut out, line, ending);
        }
        at = end;
        match &passage.instead {
            Instead::Old { at, lines } => {
                let range = *at..at.saturating_add(*lines);
                for line in old.get(range).ok_or_else(|| misfit(*at))? {
                    put(&mut out, line, ending);
                }
            }
            Instead::Written(lines) => {
                // At the end of a file without a final line ending there is none afterwards either.
                let last = end == new.len() && !after.ends_with(b"\n") && !after.is_empty();
                for (number, line) in lines.iter().enumerate() {
                    let mut line = line.replace(['\r', '\n'], "");
                    if !(last && number + 1 == lines.len()) {
                        line.push('\n');
                    }
                    put(&mut out, ending.give(&line).as_bytes(), ending);
                }
            }
        }
    }
    for line in &new[at..] {
        put(&mut out, line, ending);
    }
    // Without its last lines a text ends as the line before them does.
    Ok(out)
}

/// Adds a line; one that was the last of its side and has no ending gets one when another follows it.
fn put(out: &mut Vec<u8>, line: &[u8], ending: Ending) {
    if !out.is_empty() && !out.ends_with(b"\n") && !line.is_empty() {
        out.extend_from_slice(ending.give("\n").as_bytes());
    }
    out.extend_from_slice(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrowed(before: &str, after: &str, passages: Vec<Passage>) -> Result<String, NarrowError> {
        let plan = Plan::planned_for_tests("a.txt", before.as_bytes(), after.as_bytes());
        let narrow = plan.narrow(&AllowedPart { passages })?;
        assert_eq!(narrow.change.base, plan.change.base);
        assert_eq!(
            narrow.change.after,
            Some(super::super::hash_of(narrow.after()))
        );
        Ok(String::from_utf8_lossy(narrow.after()).into_owned())
    }

    fn old(at: usize, lines: usize, old_at: usize, old_lines: usize) -> Passage {
        Passage {
            at,
            lines,
            instead: Instead::Old {
                at: old_at,
                lines: old_lines,
            },
        }
    }

    #[test]
    fn a_hunk_that_is_left_out_keeps_the_old_bytes() {
        let (before, after) = ("a\r\nb\r\nc\r\nd\r\n", "A\r\nb\r\nC\r\nd\r\n");
        let text = narrowed(before, after, vec![old(0, 1, 0, 1)]).expect("a plan");
        assert_eq!(text, "a\r\nb\r\nC\r\nd\r\n");
        let nothing = narrowed(before, after, vec![old(0, 1, 0, 1), old(2, 1, 2, 1)]);
        assert!(matches!(nothing, Err(NarrowError::Nothing { .. })));
    }

    #[test]
    fn written_lines_get_the_files_line_ending_and_no_final_one_where_there_is_none() {
        let written = |at, lines, text: &[&str]| Passage {
            at,
            lines,
            instead: Instead::Written(text.iter().map(|line| (*line).to_owned()).collect()),
        };
        let text = narrowed("a\r\nb\r\n", "a\r\nB\r\n", vec![written(1, 1, &["x", "y"])]);
        assert_eq!(text.expect("a plan"), "a\r\nx\r\ny\r\n");
        let text = narrowed("a\nb", "a\nB", vec![written(1, 1, &["x", "y"])]);
        assert_eq!(text.expect("a plan"), "a\nx\ny");
        // A line feed within a line would make two of it.
        let text = narrowed("a\nb\n", "a\nB\n", vec![written(1, 1, &["x\ny"])]);
        assert_eq!(text.expect("a plan"), "a\nxy\n");
    }

    #[test]
    fn an_old_last_line_without_an_ending_gets_one_when_others_follow() {
        let text = narrowed("a\nb", "a\nB\nc\n", vec![old(1, 1, 1, 1)]);
        assert_eq!(text.expect("a plan"), "a\nb\nc\n");
    }

    #[test]
    fn a_part_of_another_change_is_refused() {
        for passages in [
            vec![old(7, 1, 0, 1)],
            vec![old(0, 1, 9, 1)],
            vec![old(1, 1, 0, 1), old(0, 1, 0, 1)],
            vec![old(usize::MAX, 2, 0, 1)],
        ] {
            let refused = narrowed("a\nb\n", "A\nB\n", passages);
            assert!(matches!(refused, Err(NarrowError::Misfit { .. })));
        }
    }

    #[test]
    fn a_file_of_another_encoding_keeps_it() {
        let order = super::super::encoding::Order::Little;
        let (before, after) = (to_utf16("a\nb\n", order), to_utf16("é\nB\n", order));
        let plan = Plan::planned_for_tests("a.txt", &before, &after);
        let passages = vec![old(1, 1, 1, 1)];
        let narrow = plan.narrow(&AllowedPart { passages }).expect("a plan");
        assert_eq!(narrow.after(), to_utf16("é\nb\n", order));
        assert_eq!(narrow.change.notes, ["UTF-16"]);
    }

    proptest::proptest! {
        /// Leaving out a hunk of a difference gives what the other hunks alone would have given.
        #[test]
        fn leaving_out_everything_is_nothing_and_leaving_out_nothing_is_everything(
            before in "[ab\n]{0,30}",
            after in "[ab\n]{0,30}",
        ) {
            proptest::prop_assume!(before != after);
            let whole = narrowed(&before, &after, Vec::new()).expect("a plan");
            proptest::prop_assert_eq!(&whole, &after);
            let lines = |text: &str| text.split_inclusive('\n').count();
            let all = vec![old(0, lines(&after), 0, lines(&before))];
            let nothing = narrowed(&before, &after, all);
            let refused = matches!(nothing, Err(NarrowError::Nothing { .. }));
            proptest::prop_assert!(refused);
        }
    }
}
