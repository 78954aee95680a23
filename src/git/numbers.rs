//! How many lines changed in each file, in the form that libgit2 and `git diff --stat` print.

use git2::{Delta, Diff, DiffStatsFormat, Patch};

use super::objects::Objects;
use super::printed::{Change, passages};
use super::{GitError, Repo};

/// How wide the whole is made, and how wide the strokes are at least.
const WIDTH: usize = 80;
const LEAST: usize = 7;

const ARROW: &str = " => ";

/// What changed in one file.
struct Numbers {
    old: String,
    new: String,
    modes: [u32; 2],
    lines: Lines,
}

/// How many lines came, and how many went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lines {
    added: usize,
    removed: usize,
}

impl Repo {
    /// Counts the lines of a difference.
    pub(super) fn numbers(&self, diff: &Diff<'_>) -> Result<String, GitError> {
        let counted = self.each_change(diff, counts);
        match numbers_of(diff, counted)? {
            Some(files) => Ok(shown(&files)),
            // What is no text has no lines.
            None => {
                let format = DiffStatsFormat::FULL | DiffStatsFormat::INCLUDE_SUMMARY;
                let text = diff.stats()?.to_buf(format, WIDTH)?;
                Ok(String::from_utf8_lossy(&text).into_owned())
            }
        }
    }

    /// Counts the lines of plain changes; `None` where one of them turns out not to be plain.
    pub(super) fn numbers_plainly(&self, changes: &[Change]) -> Option<String> {
        let counted = self.each_of(changes.len(), changes, counts);
        let files: Option<Vec<Numbers>> = changes
            .iter()
            .zip(counted)
            .map(|(change, lines)| {
                Some(Numbers {
                    old: change.path().to_owned(),
                    new: change.path().to_owned(),
                    modes: change.modes(),
                    lines: lines?,
                })
            })
            .collect();
        Some(shown(&files?))
    }
}

fn numbers_of(
    diff: &Diff<'_>,
    counted: Vec<Option<Lines>>,
) -> Result<Option<Vec<Numbers>>, GitError> {
    let mut files = Vec::new();
    for (at, lines) in counted.into_iter().enumerate() {
        let Some(delta) = diff.get_delta(at) else {
            return Ok(None);
        };
        let (old, new) = (delta.old_file(), delta.new_file());
        let name = |file: &git2::DiffFile<'_>| Some(file.path()?.to_str()?.to_owned());
        let (Some(old_name), Some(new_name)) = (name(&old), name(&new)) else {
            return Ok(None);
        };
        let modes = [old.mode(), new.mode()].map(u32::from);
        let lines = match lines {
            Some(lines) => lines,
            None if delta.status() == Delta::Conflicted => return Ok(None),
            None => {
                let Some(patch) = Patch::from_diff(diff, at)? else {
                    return Ok(None);
                };
                if patch.delta().flags().is_binary() {
                    return Ok(None);
                }
                let (_, added, removed) = patch.line_stats()?;
                Lines { added, removed }
            }
        };
        files.push(Numbers {
            old: old_name,
            new: new_name,
            modes,
            lines,
        });
    }
    Ok(Some(files))
}

/// Counts the lines of one change.
fn counts(objects: &mut Objects, change: &Change) -> Option<Lines> {
    let [old, new] = change.sides(objects).ok().flatten()?;
    let (old, new) = (old.bytes.as_slice(), new.bytes.as_slice());
    if let Some(lines) = counted_at_once(old, new) {
        return Some(lines);
    }
    let text = passages(old, new, 0).ok()?;
    let mut lines = Lines {
        added: 0,
        removed: 0,
    };
    // A header of a passage begins with `@`, what is said of a missing line break at the end with `\`.
    let mut rest = text.as_slice();
    while let Some(first) = rest.first() {
        lines.added += usize::from(*first == b'+');
        lines.removed += usize::from(*first == b'-');
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        rest = &rest[end..];
    }
    Some(lines)
}

/// Counts where it needs no comparison line by line: between what both begin and end with, no line is in both.
fn counted_at_once(old: &[u8], new: &[u8]) -> Option<Lines> {
    const FEW: usize = 16;
    let differs = old.iter().zip(new).position(|(a, b)| a != b);
    let shared = differs.unwrap_or(old.len().min(new.len()));
    let begin = memchr::memrchr(b'\n', &old[..shared]).map_or(0, |at| at + 1);
    let (old, new) = (&old[begin..], &new[begin..]);
    let backwards = old.iter().rev().zip(new.iter().rev());
    let shared = backwards.take_while(|(a, b)| a == b).count();
    // From the first line that is whole in what both end with.
    let tail = &old[old.len() - shared..];
    let whole = |text: &[u8]| {
        let at = text.len() - shared;
        at == 0 || text[at - 1] == b'\n'
    };
    let skipped = match whole(old) && whole(new) {
        true => 0,
        false => memchr::memchr(b'\n', tail).map_or(shared, |at| at + 1),
    };
    let end = shared - skipped;
    let (old, new) = (&old[..old.len() - end], &new[..new.len() - end]);
    let lines = Lines {
        added: lines_of(new).count(),
        removed: lines_of(old).count(),
    };
    let few = lines.added <= FEW && lines.removed <= FEW;
    let disjoint = lines.added == 0
        || lines.removed == 0
        || few && !lines_of(old).any(|line| lines_of(new).any(|other| line == other));
    disjoint.then_some(lines)
}

fn lines_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

/// Lays the numbers out.
fn shown(files: &[Numbers]) -> String {
    let names: Vec<String> = files.iter().map(Numbers::name).collect();
    let widest = names.iter().map(String::len).max().unwrap_or(0);
    let most = files.iter().map(|file| file.lines.sum()).max().unwrap_or(0);
    let digits = (most + 1).to_string().len();
    let beside = widest + digits + 5;
    let room = match WIDTH > beside {
        true => WIDTH - beside,
        false => WIDTH,
    };
    let room = room.max(LEAST);
    let mut text = String::new();
    for (file, name) in files.iter().zip(&names) {
        // So many bytes, as libgit2 and git count them.
        let padding = " ".repeat(widest - name.len());
        text += &format!(" {name}{padding} | {:>digits$}", file.lines.sum());
        if file.lines.sum() > 0 {
            let (plus, minus) = file.lines.strokes(room, most);
            text += &format!(" {}{}", "+".repeat(plus), "-".repeat(minus));
        }
        text.push('\n');
    }
    let added: usize = files.iter().map(|file| file.lines.added).sum();
    let removed: usize = files.iter().map(|file| file.lines.removed).sum();
    let several = |count| if count == 1 { "" } else { "s" };
    text += &format!(" {} file{} changed", files.len(), several(files.len()));
    if added > 0 || removed == 0 {
        text += &format!(", {added} insertion{}(+)", several(added));
    }
    if removed > 0 || added == 0 {
        text += &format!(", {removed} deletion{}(-)", several(removed));
    }
    text.push('\n');
    for file in files {
        text += &match file.modes {
            [old, new] if old == new => continue,
            [0, new] => format!(" create mode {new:06o} {}\n", file.new),
            [old, 0] => format!(" delete mode {old:06o} {}\n", file.old),
            [old, new] => format!(" mode change {old:06o} => {new:06o} {}\n", file.new),
        };
    }
    text
}

impl Lines {
    fn sum(self) -> usize {
        self.added + self.removed
    }

    /// Returns how many strokes there are of each kind, where `most` lines fill the room or less of it.
    fn strokes(self, room: usize, most: usize) -> (usize, usize) {
        if room > most {
            return (self.added, self.removed);
        }
        let full = (self.sum() * room + most / 2) / most;
        let plus = full * self.added / self.sum();
        (plus.max(1), (full - plus).max(1))
    }
}

impl Numbers {
    /// Returns the path, of a file that was moved both, with what they share said once.
    fn name(&self) -> String {
        let (old, new) = (&self.old, &self.new);
        if old == new {
            return new.clone();
        }
        let pairs = old.bytes().zip(new.bytes());
        let shared = pairs.take_while(|(a, b)| a == b).count();
        match old[..shared].rfind('/') {
            Some(at) => {
                let (folder, old) = old.split_at(at + 1);
                format!("{folder}{{{old}{ARROW}{}}}", &new[at + 1..])
            }
            None => format!("{old}{ARROW}{new}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_at_once_only_where_none_is_in_both() {
        let check = |old: &str, new: &str, expected: Option<(usize, usize)>| {
            let lines = expected.map(|(added, removed)| Lines { added, removed });
            assert_eq!(
                counted_at_once(old.as_bytes(), new.as_bytes()),
                lines,
                "{old:?} {new:?}"
            );
        };
        check("a\nb\nc\n", "a\nx\nc\n", Some((1, 1)));
        check("a\nb\nc\n", "a\nc\n", Some((0, 1)));
        check("a\n", "a\na\n", Some((1, 0)));
        check("", "a\nb", Some((2, 0)));
        check("a\nb", "a\nb\n", Some((1, 1)));
        check("ab\n", "b\n", Some((1, 1)));
        check("x\nab\n", "ab\n", Some((0, 1)));
        check("b\nc\n", "ab\nc\n", Some((1, 1)));
        check("a\nb\nc\nd\n", "x\nb\ny\nd\n", None);
    }

    proptest::proptest! {
        #[test]
        fn what_is_counted_at_once_is_what_a_comparison_counts(
            old in "([ab]{0,2}\n){0,8}[ab]{0,2}",
            new in "([ab]{0,2}\n){0,8}[ab]{0,2}",
        ) {
            if let Some(lines) = counted_at_once(old.as_bytes(), new.as_bytes()) {
                let patch = Patch::from_buffers(old.as_bytes(), None, new.as_bytes(), None, None).unwrap();
                let (_, added, removed) = patch.line_stats().unwrap();
                proptest::prop_assert_eq!((lines.added, lines.removed), (added, removed));
            }
        }
    }
}
