//! The user's own editor, for a text that walden asks for.

#![expect(
    clippy::disallowed_methods,
    reason = "it starts the program that the user named for this, on a file of walden's own"
)]

use std::fs::{DirBuilder, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::Command;

/// What is opened where neither `VISUAL` nor `EDITOR` names an editor.
const COMMON: &str = "vi";
/// The most that is read back.
const MOST_BYTES: u64 = 16 << 20;

/// Opens a text in the user's editor, as a file of this name, and returns what was saved.
///
/// # Errors
/// When the editor cannot be started or ends with an error. The text is the user's to keep then.
pub(super) fn edit(name: &str, text: &str) -> Result<String, String> {
    let named = |variable| {
        std::env::var(variable)
            .ok()
            .filter(|text| !text.trim().is_empty())
    };
    let editor = named("VISUAL").or_else(|| named("EDITOR"));
    edit_with(
        editor.as_deref().unwrap_or(COMMON),
        &std::env::temp_dir(),
        name,
        text,
    )
}

fn edit_with(editor: &str, folder: &Path, name: &str, text: &str) -> Result<String, String> {
    let words = shlex::split(editor).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else {
        return Err(format!("`EDITOR` cannot be read as a command: `{editor}`"));
    };
    let folder = folder.join(format!("walden-{}", std::process::id()));
    let failed = |doing: &str, error: std::io::Error| {
        format!(
            "cannot {doing} the file for the editor in `{}`: {error}",
            folder.display()
        )
    };
    // For the user alone, and nobody's leftover: a folder that is there already is not used.
    DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .map_err(|error| failed("make", error))?;
    let _remove = Remove(&folder);
    // A name from a repository is no path.
    let name: String = name
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || ".-_".contains(c) {
                c
            } else {
                '_'
            }
        })
        .take(80)
        .collect();
    let path = folder.join(format!("hunk-{}", name.trim_start_matches('.')));
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| failed("write", error))?;
    let ended = Command::new(program)
        .args(arguments)
        .arg(&path)
        .status()
        .map_err(|error| {
            format!(
                "cannot start the editor `{program}`: {error}. Set `EDITOR` to one that is here"
            )
        })?;
    if !ended.success() {
        return Err(format!(
            "the editor `{program}` ended with {ended}: nothing was taken over"
        ));
    }
    // Opened anew: most editors put another file in its place.
    let mut bytes = Vec::new();
    OpenOptions::new()
        .read(true)
        .open(&path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| failed("read", error))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err("that is too long to be taken over".to_owned());
    }
    String::from_utf8(bytes)
        .map_err(|_| "what was saved is not UTF-8: nothing was taken over".to_owned())
}

/// Removes a folder and what an editor left in it.
struct Remove<'a>(&'a Path);

impl Drop for Remove<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_comes_back_and_no_file_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let edited = edit_with("sed -i s/one/two/", folder.path(), "../a.rs", "one\n");
        assert_eq!(edited.as_deref(), Ok("two\n"));
        let left = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(left, 0);
    }

    #[test]
    fn an_editor_that_fails_changes_nothing_and_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        for (editor, said) in [
            ("false", "ended with"),
            ("no-such-editor-here", "Set `EDITOR`"),
            ("'", "cannot be read"),
        ] {
            let problem = edit_with(editor, folder.path(), "a", "x").expect_err("a problem");
            assert!(problem.contains(said), "{problem}");
        }
    }
}
