//! A difference, cut into pieces that a small model can look at: each part of one file, numbered as the file is now.

use crate::protocol::secret_file;

/// Files whose changes are made by programs, or are no code.
const GENERATED: &[&str] = &[
    "Cargo.lock",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "uv.lock",
    "go.sum",
    "Gemfile.lock",
    "composer.lock",
];

/// Endings of files that hold no code.
const NOT_CODE: &[&str] = &[
    ".min.js", ".min.css", ".map", ".svg", ".snap", ".csv", ".tsv", ".lock", ".ipynb", ".pdf",
    ".txt",
];

/// A part of a difference that is looked at in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) path: String,
    /// What encloses it, where the difference says so.
    pub(super) within: String,
    pub(super) lines: Vec<DiffLine>,
}

/// A line of a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DiffLine {
    pub(super) kind: Kind,
    /// Its number in the file as it is now; for a line that is gone, the number of the line that stands there now.
    pub(super) number: u32,
    pub(super) text: String,
}

/// What a difference does to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Same,
    Added,
    Gone,
}

/// A difference, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) pieces: Vec<Piece>,
    pub(super) files: u32,
    /// Files that are not looked at, and why.
    pub(super) left_out: Vec<(String, String)>,
}

impl Piece {
    /// Returns the numbers that a finding may name: those of new lines, and of the lines beside a gap.
    pub(super) fn numbers(&self) -> Vec<u32> {
        let last = self
            .lines
            .iter()
            .filter(|line| line.kind != Kind::Gone)
            .map(|line| line.number)
            .max()
            .unwrap_or(1);
        let mut numbers: Vec<u32> = self
            .lines
            .iter()
            .filter(|line| line.kind != Kind::Same)
            .map(|line| line.number.min(last))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Writes the piece with the numbers of its lines.
    pub(super) fn shown(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            let (number, mark) = match line.kind {
                Kind::Same => (format!("{:>4}", line.number), ' '),
                Kind::Added => (format!("{:>4}", line.number), '+'),
                Kind::Gone => ("    ".to_owned(), '-'),
            };
            text.push_str(&format!("{number} {mark} {}\n", line.text));
        }
        text
    }

    fn bytes(&self) -> usize {
        self.lines.iter().map(|line| line.text.len() + 8).sum()
    }
}

/// Cuts a difference in the form of `git diff` into pieces of at most `limit` bytes, where one line is not longer.
pub(super) fn cut(diff: &str, limit: usize) -> Cut {
    let mut cut = Cut::default();
    let mut file: Option<File> = None;
    for line in diff.split('\n') {
        if line.starts_with("diff --git ") {
            close(file.take(), limit, &mut cut);
            file = Some(File::default());
            continue;
        }
        if let Some(file) = &mut file {
            file.take(line);
        }
    }
    close(file, limit, &mut cut);
    cut
}

#[derive(Debug, Default)]
struct File {
    path: Option<String>,
    deleted: bool,
    binary: bool,
    /// The hunks: their headings and lines.
    hunks: Vec<Piece>,
    /// The number of the next line in the new file, and how many lines of the hunk are left on both sides.
    next: u32,
    old_left: u32,
    new_left: u32,
    old_path: Option<String>,
}

impl File {
    fn take(&mut self, line: &str) {
        if self.old_left > 0 || self.new_left > 0 {
            return self.take_hunk_line(line);
        }
        if let Some(rest) = line.strip_prefix("@@ -") {
            self.open_hunk(rest);
        } else if let Some(path) = line.strip_prefix("+++ ") {
            self.path = name_of(path);
        } else if let Some(path) = line.strip_prefix("--- ") {
            self.old_path = name_of(path);
        } else if line.starts_with("deleted file") {
            self.deleted = true;
        } else if line.starts_with("Binary files ") || line.starts_with("GIT binary patch") {
            self.binary = true;
            let named = line
                .split(" and ")
                .nth(1)
                .and_then(|rest| rest.strip_suffix(" differ"));
            self.path = self.path.take().or_else(|| named.and_then(name_of));
        }
    }

    /// Takes `1,2 +3,4 @@ heading`.
    fn open_hunk(&mut self, rest: &str) {
        let Some((ranges, within)) = rest.split_once(" @@") else {
            return;
        };
        let Some((old, new)) = ranges.split_once(" +") else {
            return;
        };
        let count = |range: &str| -> (u32, u32) {
            let (start, count) = range.split_once(',').unwrap_or((range, "1"));
            (start.parse().unwrap_or(1), count.parse().unwrap_or(0))
        };
        let ((_, old_left), (start, new_left)) = (count(old), count(new));
        (self.next, self.old_left, self.new_left) = (start.max(1), old_left, new_left);
        self.hunks.push(Piece {
            path: String::new(),
            within: within.trim().to_owned(),
            lines: Vec::new(),
        });
    }

    fn take_hunk_line(&mut self, line: &str) {
        let (kind, text) = match line.as_bytes().first() {
            Some(b'+') => (Kind::Added, &line[1..]),
            Some(b'-') => (Kind::Gone, &line[1..]),
            Some(b' ') => (Kind::Same, &line[1..]),
            // A blank line whose only blank a program cut off.
            None => (Kind::Same, line),
            // `\ No newline at end of file`.
            _ => return,
        };
        let number = self.next;
        if kind != Kind::Gone {
            self.next += 1;
            self.new_left = self.new_left.saturating_sub(1);
        }
        if kind != Kind::Added {
            self.old_left = self.old_left.saturating_sub(1);
        }
        if let Some(hunk) = self.hunks.last_mut() {
            hunk.lines.push(DiffLine {
                kind,
                number,
                text: text.trim_end_matches('\r').to_owned(),
            });
        }
    }
}

fn close(file: Option<File>, limit: usize, cut: &mut Cut) {
    let Some(file) = file else { return };
    let Some(path) = file.path.or(file.old_path) else {
        // Only its mode or its name changed.
        return;
    };
    cut.files += 1;
    let name = path.rsplit('/').next().unwrap_or(&path);
    let reason = if file.binary {
        Some("it is binary")
    } else if secret_file(&path).is_some() {
        Some("it usually holds secrets")
    } else if file.deleted {
        Some("it was deleted")
    } else if GENERATED.contains(&name) || NOT_CODE.iter().any(|ending| name.ends_with(ending)) {
        Some("it is no code")
    } else if file.hunks.is_empty() {
        Some("no line of it changed")
    } else {
        None
    };
    if let Some(reason) = reason {
        cut.left_out.push((path, reason.to_owned()));
        return;
    }
    let mut open: Option<Piece> = None;
    for hunk in file.hunks {
        for part in parts(hunk, limit) {
            match &mut open {
                // Neighbours that fit together are looked at together.
                Some(before) if before.bytes() + part.bytes() <= limit => {
                    before.lines.extend(part.lines);
                }
                _ => {
                    let part = Piece {
                        path: path.clone(),
                        ..part
                    };
                    cut.pieces.extend(open.replace(part));
                }
            }
        }
    }
    cut.pieces.extend(open);
    cut.pieces.retain(|piece| {
        piece
            .lines
            .iter()
            .any(|line| line.kind != Kind::Same && !line.text.trim().is_empty())
    });
}

/// Cuts a hunk that is too long, where possible before a line that is not indented.
fn parts(hunk: Piece, limit: usize) -> Vec<Piece> {
    let mut parts = Vec::new();
    let mut lines: Vec<DiffLine> = Vec::new();
    let mut bytes = 0;
    for line in hunk.lines {
        let size = line.text.len() + 8;
        if bytes + size > limit && !lines.is_empty() {
            let floor = lines.len() / 2;
            let at = (floor.max(1)..lines.len())
                .rev()
                .find(|at| {
                    let text = &lines[*at].text;
                    !text.is_empty() && !text.starts_with([' ', '\t', '}', ')', ']'])
                })
                .unwrap_or(lines.len());
            let rest = lines.split_off(at);
            bytes = rest.iter().map(|line| line.text.len() + 8).sum();
            parts.push(Piece {
                path: String::new(),
                within: hunk.within.clone(),
                lines: std::mem::replace(&mut lines, rest),
            });
        }
        bytes += size;
        lines.push(line);
    }
    if !lines.is_empty() {
        parts.push(Piece {
            path: String::new(),
            within: hunk.within,
            lines,
        });
    }
    parts
}

/// Reads the name of a file in a difference: `b/src/a.rs`, `"b/\303\244.rs"`, or `/dev/null`.
fn name_of(path: &str) -> Option<String> {
    let path = path.trim_end_matches(['\t', '\r']);
    let path = match path
        .strip_prefix('"')
        .and_then(|path| path.strip_suffix('"'))
    {
        Some(quoted) => unquoted(quoted),
        None => path.to_owned(),
    };
    let inner = path.strip_prefix("a/").or_else(|| path.strip_prefix("b/"));
    inner.map(str::to_owned)
}

fn unquoted(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => bytes.push(b'\n'),
            Some(b't') => bytes.push(b'\t'),
            Some(digit @ b'0'..=b'3') => {
                let mut value = digit - b'0';
                for _ in 0..2 {
                    if let Some(next @ b'0'..=b'7') = rest.peek().copied() {
                        value = value.wrapping_mul(8).wrapping_add(next - b'0');
                        rest.next();
                    }
                }
                bytes.push(value);
            }
            Some(other) => bytes.push(other),
            None => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "diff --git a/src/a.py b/src/a.py\nindex 1..2 100644\n--- a/src/a.py\n+++ b/src/a.py\n@@ -1,4 +1,4 @@ def f():\n a = 1\n-b = 2\n+b = 3\n+--- c\n-d\n e = 4\n\\ No newline at end of file\ndiff --git a/Cargo.lock b/Cargo.lock\n--- a/Cargo.lock\n+++ b/Cargo.lock\n@@ -1 +1 @@\n-x\n+y\ndiff --git a/old.rs b/old.rs\ndeleted file mode 100644\n--- a/old.rs\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\ndiff --git a/p.png b/p.png\nindex 1..2\nBinary files a/p.png and b/p.png differ\n";

    #[test]
    fn a_difference_is_taken_apart_with_the_numbers_of_the_new_file() {
        let cut = cut(DIFF, 4_000);
        assert_eq!(cut.files, 4);
        let names: Vec<&str> = cut.left_out.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(names, ["Cargo.lock", "old.rs", "p.png"]);
        let [piece] = &cut.pieces[..] else {
            panic!("{:?}", cut.pieces)
        };
        assert_eq!(
            (piece.path.as_str(), piece.within.as_str()),
            ("src/a.py", "def f():")
        );
        assert_eq!(
            piece.shown(),
            "   1   a = 1\n     - b = 2\n   2 + b = 3\n   3 + --- c\n     - d\n   4   e = 4\n"
        );
        assert_eq!(piece.numbers(), [2, 3, 4]);
    }

    #[test]
    fn a_long_hunk_is_cut_and_no_line_is_lost() {
        let lines: String = (1..=200)
            .map(|n| format!("+{}line {n}\n", if n % 10 == 0 { "" } else { "    " }))
            .collect();
        let diff = format!(
            "diff --git a/n.rs b/n.rs\n--- /dev/null\n+++ b/n.rs\n@@ -0,0 +1,200 @@\n{lines}"
        );
        let cut = cut(&diff, 600);
        assert!(cut.pieces.len() > 3);
        let numbers: Vec<u32> = cut.pieces.iter().flat_map(Piece::numbers).collect();
        assert_eq!(numbers, (1..=200).collect::<Vec<u32>>());
        for piece in &cut.pieces {
            assert!(piece.bytes() <= 620, "{}", piece.bytes());
        }
    }

    #[test]
    fn a_quoted_name_is_read() {
        assert_eq!(name_of("\"b/\\303\\244 x.rs\""), Some("ä x.rs".to_owned()));
        assert_eq!(name_of("b/a b.rs\t"), Some("a b.rs".to_owned()));
        assert_eq!(name_of("/dev/null"), None);
    }
}
