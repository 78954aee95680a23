//! Planned and applied changes of files.

use serde::{Deserialize, Serialize};

/// The SHA-256 of a file's bytes, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash(pub String);

impl Hash {
    /// Returns the first eight digits, enough for a person.
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

/// What happens to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    Create,
    Modify,
    Delete,
}

/// A planned change of one file: what was shown to the user, and bound to the bytes it was planned on.
///
/// It is applied only while the file's hash is still `base`, and leaves exactly the bytes whose hash is `after`: what
/// was approved is what is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileChange {
    /// The path, relative to its root, with `/`.
    pub path: String,
    pub kind: ChangeKind,
    /// The hash of the bytes the change was planned on; `None` where no file stood.
    pub base: Option<Hash>,
    /// The hash of the bytes it leaves; `None` where no file stands afterwards.
    pub after: Option<Hash>,
    /// The difference, with three lines of context, in file order. Empty for a binary file.
    pub hunks: Vec<Hunk>,
    /// Lines added and removed, in all hunks together, also in those that were left out for size.
    pub added: usize,
    pub removed: usize,
    /// What a reader should know: `binary`, `no newline at end of file`, `mode 755`, `executable data`.
    pub notes: Vec<String>,
    /// The changes of other files that belong to this one: they are shown, decided and made together, or none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<FileChange>,
}

/// A run of changed lines with its context.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hunk {
    /// The first line in the old file, counted from 1 (0 where the old side is empty), and the number of lines.
    pub old_start: usize,
    pub old_lines: usize,
    /// The same for the new file.
    pub new_start: usize,
    pub new_lines: usize,
    pub lines: Vec<Line>,
}

/// One line of a hunk, without its line ending.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub kind: LineKind,
    pub text: String,
}

/// Which side of the difference a line stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    Context,
    Removed,
    Added,
}

/// The note of a [`FileChange`] whose file other programs run or obey, such as a `Makefile` or a CI workflow.
pub const EXECUTABLE_DATA: &str = "executable data";

/// What the note of a [`FileChange`] begins with that newly breaks its file's syntax: ``breaks the syntax at line 3: …``.
pub const BREAKS_SYNTAX: &str = "breaks the syntax at ";

impl FileChange {
    /// Tells whether other programs run or obey the file.
    pub fn is_executable_data(&self) -> bool {
        self.notes.iter().any(|note| note == EXECUTABLE_DATA)
    }

    /// Returns the changes of all files of the set, this one's first.
    pub fn files(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }

    /// Takes the set apart: one change for each file.
    pub fn into_files(mut self) -> Vec<Self> {
        let others = std::mem::take(&mut self.others);
        std::iter::once(self).chain(others).collect()
    }

    /// Says where the change newly breaks the file's syntax, if it does: `line 3: …`.
    pub fn breaks_syntax(&self) -> Option<&str> {
        let mut notes = self.notes.iter();
        notes.find_map(|note| note.strip_prefix(BREAKS_SYNTAX))
    }

    /// Renders the change as a unified diff (as `diff -u` and git print it), without terminal escapes.
    pub fn to_unified(&self) -> String {
        let mut out = self.file_to_unified();
        for other in &self.others {
            out.push_str(&other.file_to_unified());
        }
        out
    }

    fn file_to_unified(&self) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        let (old, new) = match self.kind {
            ChangeKind::Create => ("/dev/null".to_owned(), format!("b/{}", self.path)),
            ChangeKind::Modify => (format!("a/{}", self.path), format!("b/{}", self.path)),
            ChangeKind::Delete => (format!("a/{}", self.path), "/dev/null".to_owned()),
        };
        let _ = writeln!(out, "--- {old}\n+++ {new}");
        for hunk in &self.hunks {
            let _ = writeln!(
                out,
                "@@ -{},{} +{},{} @@",
                hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines
            );
            for line in &hunk.lines {
                let mark = match line.kind {
                    LineKind::Context => ' ',
                    LineKind::Removed => '-',
                    LineKind::Added => '+',
                };
                let _ = writeln!(out, "{mark}{}", line.text);
            }
        }
        out
    }
}
