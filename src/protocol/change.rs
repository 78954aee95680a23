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
    /// The path that the file had, where it is moved or renamed. The lines are then those that differ from what stood
    /// there, and one of the set's changes deletes that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The permissions, where the change sets them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modes: Option<Modes>,
}

/// The permissions of a file, as its change finds and leaves them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modes {
    pub before: u32,
    pub after: u32,
}

impl std::fmt::Display for Modes {
    /// Writes both as git does: `100644 → 100755`.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { before, after } = self;
        write!(out, "100{before:03o} → 100{after:03o}")
    }
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

/// What the note of a [`FileChange`] begins with that deletes a file which is moved: `moved to src/b.rs`.
pub const MOVED_TO: &str = "moved to ";

impl FileChange {
    /// Tells whether other programs run or obey the file.
    pub fn is_executable_data(&self) -> bool {
        self.notes.iter().any(|note| note == EXECUTABLE_DATA)
    }

    /// Returns the changes of all files of the set, this one's first.
    pub fn files(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }

    /// Returns the changes that are shown: a file that is moved is shown where it goes, and not once more where it was.
    pub fn shown(&self) -> impl Iterator<Item = &Self> {
        self.files().filter(|file| !file.is_moved_away())
    }

    /// Tells whether this is the half of a move that takes the file from where it was.
    pub fn is_moved_away(&self) -> bool {
        self.kind == ChangeKind::Delete && self.notes.iter().any(|note| note.starts_with(MOVED_TO))
    }

    /// Takes in that a file was changed, as a part of this set or as one more of its files.
    pub fn take(&mut self, made: Self) {
        if self.path == made.path {
            let others = std::mem::take(&mut self.others);
            *self = Self { others, ..made };
            return;
        }
        let known = self.others.iter_mut().find(|other| other.path == made.path);
        match known {
            Some(known) => *known = made,
            None => self.others.push(made),
        }
    }

    /// Tells whether the file goes to another path, or gets other permissions, with all its bytes as they are.
    pub fn keeps_content(&self) -> bool {
        (self.from.is_some() || self.modes.is_some()) && self.added + self.removed == 0
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
        self.shown().map(Self::file_to_unified).collect()
    }

    fn file_to_unified(&self) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        if self.is_moved_away() {
            return out;
        }
        if self.from.is_some() || self.modes.is_some() {
            let from = self.from.as_ref().unwrap_or(&self.path);
            let _ = writeln!(out, "diff --git a/{from} b/{}", self.path);
        }
        if let Some(modes) = self.modes {
            let Modes { before, after } = modes;
            let _ = writeln!(out, "old mode 100{before:03o}\nnew mode 100{after:03o}");
        }
        if let Some(from) = &self.from {
            if self.keeps_content() {
                out.push_str("similarity index 100%\n");
            }
            let _ = writeln!(out, "rename from {from}\nrename to {}", self.path);
        }
        if self.keeps_content() {
            return out;
        }
        let (old, new) = match (self.kind, &self.from) {
            (_, Some(from)) => (format!("a/{from}"), format!("b/{}", self.path)),
            (ChangeKind::Create, None) => ("/dev/null".to_owned(), format!("b/{}", self.path)),
            (ChangeKind::Modify, None) => (format!("a/{}", self.path), format!("b/{}", self.path)),
            (ChangeKind::Delete, None) => (format!("a/{}", self.path), "/dev/null".to_owned()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn bare(path: &str, kind: ChangeKind) -> FileChange {
        let hash = || Some(Hash("1".to_owned()));
        FileChange {
            path: path.to_owned(),
            kind,
            base: hash().filter(|_| kind != ChangeKind::Create),
            after: hash().filter(|_| kind != ChangeKind::Delete),
            hunks: Vec::new(),
            added: 0,
            removed: 0,
            notes: Vec::new(),
            others: Vec::new(),
            from: None,
            modes: None,
        }
    }

    #[test]
    fn a_move_is_one_file_that_is_shown_and_two_that_change() {
        let change = FileChange {
            from: Some("a.py".to_owned()),
            others: vec![
                FileChange {
                    notes: vec![format!("{MOVED_TO}lib/b.py")],
                    ..bare("a.py", ChangeKind::Delete)
                },
                bare("c", ChangeKind::Delete),
            ],
            ..bare("lib/b.py", ChangeKind::Create)
        };
        let paths = |files: &mut dyn Iterator<Item = &FileChange>| -> Vec<String> {
            files.map(|file| file.path.clone()).collect()
        };
        assert_eq!(paths(&mut change.files()), ["lib/b.py", "a.py", "c"]);
        assert_eq!(paths(&mut change.shown()), ["lib/b.py", "c"]);
        assert_eq!(
            change.to_unified(),
            "diff --git a/a.py b/lib/b.py\nsimilarity index 100%\nrename from a.py\nrename to lib/b.py\n\
             --- a/c\n+++ /dev/null\n"
        );
    }

    #[test]
    fn a_mode_alone_is_written_as_git_writes_it() {
        let modes = Modes {
            before: 0o644,
            after: 0o755,
        };
        let change = FileChange {
            modes: Some(modes),
            ..bare("run.sh", ChangeKind::Modify)
        };
        assert_eq!(
            change.to_unified(),
            "diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n"
        );
        assert_eq!(modes.to_string(), "100644 → 100755");
    }

    #[test]
    fn a_change_of_an_older_journal_is_read() {
        let old = r#"{"path":"a","kind":"modify","base":"1","after":"2","hunks":[],"added":0,"removed":0,"notes":[]}"#;
        let change: FileChange = serde_json::from_str(old).expect("it is read");
        assert_eq!((change.from.as_deref(), change.modes), (None, None));
        assert_eq!(serde_json::to_string(&change).expect("written"), old);
    }
}
