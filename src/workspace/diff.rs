//! From bytes to a [`FileChange`]: hunks, counts and what a reader should know.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline, group_diff_ops};

use super::encoding::{is_binary, text_of, utf16};
use crate::protocol::{ChangeKind, FileChange, Hash, Hunk, Line, LineKind, clip, folded};

/// The most lines of a difference that are shown; the counts are of all of them.
const MAX_LINES: usize = 5_000;

/// The most bytes of one line that are shown.
const MAX_LINE: usize = 1_000;

/// After this, a difference is no longer made as small as it could be.
const PATIENCE: Duration = Duration::from_millis(800);

/// The note of a file that other programs run or obey.
pub(super) const EXECUTABLE_DATA: &str = "executable data";

/// Returns the SHA-256 of the bytes.
pub fn hash_of(bytes: &[u8]) -> Hash {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    Hash(text)
}

/// Describes the change of a file from one content to another; `None` where no file stands.
pub fn change_of(path: &str, base: Option<&[u8]>, after: Option<&[u8]>) -> FileChange {
    let (old, new) = (base.unwrap_or_default(), after.unwrap_or_default());
    let mut change = FileChange {
        path: path.to_owned(),
        kind: match (base, after) {
            (None, _) => ChangeKind::Create,
            (Some(_), Some(_)) => ChangeKind::Modify,
            (Some(_), None) => ChangeKind::Delete,
        },
        base: base.map(hash_of),
        after: after.map(hash_of),
        hunks: Vec::new(),
        added: 0,
        removed: 0,
        notes: Vec::new(),
        others: Vec::new(),
        from: None,
        modes: None,
    };
    if is_executable_data(path) {
        change.notes.push(EXECUTABLE_DATA.to_owned());
    }
    if is_binary(old) || is_binary(new) {
        change.notes.push("binary".to_owned());
        return change;
    }
    let (old_wide, new_wide) = (utf16(old), utf16(new));
    if old_wide.is_some() || new_wide.is_some() {
        change.notes.push("UTF-16".to_owned());
    }
    let old = old_wide.as_ref().map_or(old, |(_, text)| text.as_bytes());
    let new = new_wide.as_ref().map_or(new, |(_, text)| text.as_bytes());
    if !new.is_empty() && !new.ends_with(b"\n") {
        change.notes.push("no newline at end of file".to_owned());
    }
    if base.is_some() && after.is_some() && has_crlf(old) != has_crlf(new) {
        change.notes.push("line endings change".to_owned());
    }
    add_hunks(&mut change, old, new);
    change
}

fn has_crlf(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair == b"\r\n")
}

fn add_hunks(change: &mut FileChange, old: &[u8], new: &[u8]) {
    let old: Vec<&[u8]> = old.split_inclusive(|byte| *byte == b'\n').collect();
    let new: Vec<&[u8]> = new.split_inclusive(|byte| *byte == b'\n').collect();
    let deadline = Instant::now() + PATIENCE;
    let ops = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(deadline));
    for op in &ops {
        if !matches!(op, DiffOp::Equal { .. }) {
            change.removed += op.old_range().len();
            change.added += op.new_range().len();
        }
    }
    let mut shown = 0;
    for group in group_diff_ops(ops, 3) {
        let mut lines = Vec::new();
        let mut cut = false;
        for op in &group {
            let sides: &[(LineKind, &[&[u8]])] = match op {
                DiffOp::Equal { .. } => &[(LineKind::Context, &old[op.old_range()])],
                _ => &[
                    (LineKind::Removed, &old[op.old_range()]),
                    (LineKind::Added, &new[op.new_range()]),
                ],
            };
            for (kind, side) in sides {
                let room = MAX_LINES - shown;
                cut |= side.len() > room;
                shown += side.len().min(room);
                lines.extend(side.iter().take(room).map(|line| Line {
                    kind: *kind,
                    text: line_shown(line),
                }));
            }
        }
        let (Some(first), false) = (group.first(), lines.is_empty()) else {
            break;
        };
        let count = |side| {
            lines
                .iter()
                .filter(|line| line.kind == side || line.kind == LineKind::Context)
                .count()
        };
        let (old_lines, new_lines) = (count(LineKind::Removed), count(LineKind::Added));
        // As in a unified diff: an empty side names the line before it.
        change.hunks.push(Hunk {
            old_start: first.old_range().start + usize::from(old_lines > 0),
            old_lines,
            new_start: first.new_range().start + usize::from(new_lines > 0),
            new_lines,
            lines,
        });
        if cut {
            break;
        }
    }
    if shown >= MAX_LINES {
        change
            .notes
            .push(format!("only the first {MAX_LINES} lines are shown"));
    }
}

/// Writes all hunks between two contents, with this many lines of context.
pub(super) fn patch(old: &[u8], new: &[u8], context: usize) -> String {
    let text = |bytes: &[u8]| -> String {
        let text = text_of(bytes).map(|text| text.text.replace("\r\n", "\n"));
        text.unwrap_or_default()
    };
    let (old, new) = (text(old), text(new));
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let deadline = Instant::now() + PATIENCE;
    let ops = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(deadline));
    let mut out = String::new();
    for group in group_diff_ops(ops, context) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        let side = |start: usize, end: usize| {
            // An empty side names the line before it.
            format!("{},{}", start + usize::from(end > start), end - start)
        };
        let _ = writeln!(
            out,
            "@@ -{} +{} @@",
            side(first.old_range().start, last.old_range().end),
            side(first.new_range().start, last.new_range().end)
        );
        for op in &group {
            let (removed, added) = (&old[op.old_range()], &new[op.new_range()]);
            let sides: &[(char, &[&str])] = match op {
                DiffOp::Equal { .. } => &[(' ', removed)],
                _ => &[('-', removed), ('+', added)],
            };
            for (mark, lines) in sides {
                for line in *lines {
                    out.push(*mark);
                    out.push_str(line);
                    if !line.ends_with('\n') {
                        out.push_str("\n\\ No newline at end of file\n");
                    }
                }
            }
        }
    }
    out
}

/// Returns a line as it is shown: without its ending, cut where it is very long.
fn line_shown(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    clip(&String::from_utf8_lossy(line), MAX_LINE).replace('\n', " ")
}

/// Tells whether other programs run or obey the file: an edit of it can act outside the editor.
pub fn is_executable_data(path: &str) -> bool {
    const FILES: &[&str] = &[
        "makefile",
        "gnumakefile",
        "justfile",
        "build.rs",
        "cargo.toml",
        "package.json",
        "setup.py",
        "setup.cfg",
        "pyproject.toml",
        "conftest.py",
        "sitecustomize.py",
        "dockerfile",
        "containerfile",
        "cmakelists.txt",
        "rakefile",
        "gemfile",
        "jenkinsfile",
        "build.gradle",
        "build.gradle.kts",
        "settings.gradle",
        "rust-toolchain",
        "rust-toolchain.toml",
        ".envrc",
        ".npmrc",
        ".mcp.json",
        ".gitattributes",
        ".gitmodules",
        "agents.md",
        "claude.md",
        "gemini.md",
        ".bashrc",
        ".bash_profile",
        ".profile",
        ".zshrc",
        ".gitconfig",
        "docker-compose.yml",
        "compose.yml",
        "compose.yaml",
        "tox.ini",
        "noxfile.py",
        "pom.xml",
        "meson.build",
        "build",
        "build.bazel",
        "workspace",
        "workspace.bazel",
        "module.bazel",
        "vagrantfile",
        "procfile",
        "gulpfile.js",
        "taskfile.yml",
        "taskfile.yaml",
        "composer.json",
        "deno.json",
        "deno.jsonc",
        "mise.toml",
        ".mise.toml",
        ".tool-versions",
        ".travis.yml",
        ".eslintrc.js",
        ".eslintrc.cjs",
        "azure-pipelines.yml",
        "bitbucket-pipelines.yml",
        "lefthook.yml",
        "lefthook.yaml",
    ];
    const FOLDERS: &[&str] = &[
        ".git",
        ".github",
        ".gitlab",
        ".cargo",
        ".ci",
        ".circleci",
        ".vscode",
        ".idea",
        ".husky",
        ".devcontainer",
        ".walden",
        ".claude",
        ".codex",
        ".cursor",
        ".gemini",
        ".zed",
    ];
    const ENDINGS: &[&str] = &[
        ".sh",
        ".bash",
        ".zsh",
        ".fish",
        ".ps1",
        ".bat",
        ".cmd",
        ".mk",
        ".pth",
        ".nix",
        ".gradle",
        ".gradle.kts",
        ".config.js",
        ".config.cjs",
        ".config.mjs",
        ".config.ts",
        ".config.mts",
        ".bzl",
    ];
    let path = folded(path);
    let mut parts = path.split('/').rev();
    let name = parts.next().unwrap_or_default();
    FILES.contains(&name)
        || parts.any(|part| FOLDERS.contains(&part))
        // walden's own settings, where somebody's home is the root.
        || path.contains(".config/walden/")
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
        || name.starts_with(".gitlab-ci")
        || name.starts_with(".pre-commit")
        || name.starts_with("dockerfile.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unified(old: &str, new: &str) -> String {
        change_of("a", Some(old.as_bytes()), Some(new.as_bytes())).to_unified()
    }

    #[test]
    fn a_change_shows_three_lines_of_context() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        assert_eq!(
            unified(old, &old.replace("5\n", "five\n")),
            "--- a/a\n+++ b/a\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
        );
    }

    #[test]
    fn a_new_file_starts_at_line_zero_of_nothing() {
        let change = change_of("a", None, Some(b"x\ny"));
        assert_eq!(
            change.to_unified(),
            "--- /dev/null\n+++ b/a\n@@ -0,0 +1,2 @@\n+x\n+y\n"
        );
        assert_eq!(change.notes, ["no newline at end of file"]);
        assert_eq!((change.added, change.removed), (2, 0));
        assert_eq!(change.kind, ChangeKind::Create);
    }

    #[test]
    fn a_very_long_change_is_cut_but_counted() {
        let change = change_of("a", None, Some("x\n".repeat(20_000).as_bytes()));
        assert_eq!(change.hunks[0].lines.len(), MAX_LINES);
        assert_eq!(change.added, 20_000);
        assert_eq!(change.notes, ["only the first 5000 lines are shown"]);
    }

    #[test]
    fn a_binary_file_has_no_hunks() {
        let change = change_of("a.png", Some(b"\0\x01"), Some(b"\0\x02"));
        assert!(change.hunks.is_empty());
        assert_eq!(change.notes, ["binary"]);
    }

    #[test]
    fn files_that_programs_obey_are_noted() {
        for path in [
            "Makefile",
            "x/build.rs",
            ".github/workflows/ci.yml",
            "tools/run.sh",
            "/other/.cargo/config.toml",
            "AGENTS.md",
            ".gitlab-ci.yml",
            "MAKEFILE",
            "make\u{fb01}le",
            "Cargo.toml. ",
            ".HU\u{17f}KY/pre-commit",
            "vite.config.ts",
            "app/pom.xml",
            "flake.nix",
        ] {
            assert!(is_executable_data(path), "{path}");
        }
        for path in ["src/main.rs", "README.md", "docs/github.md", "cargo.rs"] {
            assert!(!is_executable_data(path), "{path}");
        }
    }

    /// Applies hunks as `patch` would, and checks what they say about the old text.
    fn patched(old: &[String], change: &FileChange) -> Vec<String> {
        let mut out = Vec::new();
        let mut at = 0;
        for hunk in &change.hunks {
            let start = hunk.old_start - usize::from(hunk.old_lines > 0);
            out.extend_from_slice(&old[at..start]);
            at = start;
            assert_eq!(out.len() + usize::from(hunk.new_lines > 0), hunk.new_start);
            for line in &hunk.lines {
                if line.kind != LineKind::Added {
                    assert_eq!(line.text, old[at]);
                    at += 1;
                }
                if line.kind != LineKind::Removed {
                    out.push(line.text.clone());
                }
            }
        }
        out.extend_from_slice(&old[at..]);
        out
    }

    proptest::proptest! {
        #[test]
        fn the_hunks_turn_the_old_text_into_the_new(
            old in proptest::collection::vec("[abc]{0,2}", 0..40),
            new in proptest::collection::vec("[abc]{0,2}", 0..40),
        ) {
            let text = |lines: &[String]| -> String {
                lines.iter().map(|line| format!("{line}\n")).collect()
            };
            let (before, after) = (text(&old), text(&new));
            let change = change_of("a", Some(before.as_bytes()), Some(after.as_bytes()));
            proptest::prop_assert_eq!(patched(&old, &change), new);
            let added: usize = change
                .hunks
                .iter()
                .flat_map(|hunk| &hunk.lines)
                .filter(|line| line.kind == LineKind::Added)
                .count();
            proptest::prop_assert_eq!(added, change.added);
        }
    }
}
