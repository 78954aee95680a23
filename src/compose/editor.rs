//! Writing a text in the user's own editor.

#![expect(
    clippy::disallowed_methods,
    reason = "starts the editor that the user names, on a file of its own"
)]

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::session::SessionFiles;

/// The most that is read back.
const MOST: u64 = 4 << 20;

/// Lets a text be written in `$VISUAL`, `$EDITOR` or `vi`, and returns it where it was changed.
///
/// # Errors
/// When there is no place for the text, or the editor does not start or fails: what to say about it.
pub(super) fn write(text: &str) -> Result<Option<String>, String> {
    let words = command(|name| std::env::var(name).ok())?;
    let path = place()?;
    let written = edit(&words, &path, text);
    // Whatever came of it: what was written may be nobody else's business.
    let _ = std::fs::remove_file(&path);
    written
}

fn command(variable: impl Fn(&str) -> Option<String>) -> Result<Vec<String>, String> {
    let named = ["VISUAL", "EDITOR"].into_iter().find_map(|name| {
        variable(name)
            .filter(|value| !value.trim().is_empty())
            .map(|value| (name, value))
    });
    let Some((name, value)) = named else {
        return Ok(vec!["vi".to_owned()]);
    };
    shlex::split(&value)
        .filter(|words| !words.is_empty())
        .ok_or_else(|| format!("{name} is `{value}`, which is no command"))
}

/// Returns the path of a file in the state folder, which is nobody else's to read.
fn place() -> Result<PathBuf, String> {
    let files = SessionFiles::open().map_err(|error| error.to_string())?;
    let name = format!("writing-{}.md", std::process::id());
    Ok(files.log().with_file_name(name))
}

fn edit(words: &[String], path: &Path, text: &str) -> Result<Option<String>, String> {
    let cannot = |error: std::io::Error| format!("cannot write `{}`: {error}", path.display());
    let mut file = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(cannot)?;
    file.write_all(text.as_bytes()).map_err(cannot)?;
    drop(file);
    let (program, arguments) = words.split_first().ok_or("no editor is named")?;
    let status = Command::new(program)
        .args(arguments)
        .arg(path)
        .status()
        .map_err(|error| {
            format!("cannot start the editor `{program}`: {error}; set EDITOR to one that is there")
        })?;
    if !status.success() {
        return Err(format!(
            "the editor `{program}` failed; nothing was taken from it"
        ));
    }
    let length = std::fs::metadata(path).map_err(cannot)?.len();
    if length > MOST {
        return Err(format!(
            "what was written is longer than {} MiB",
            MOST >> 20
        ));
    }
    let written = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read what was written: {error}"))?;
    // Editors end the last line; a text that is one line did not have that.
    let written = match text.ends_with('\n') {
        true => written.as_str(),
        false => written.strip_suffix('\n').unwrap_or(&written),
    };
    Ok((written != text).then(|| written.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &str) -> Vec<String> {
        shlex::split(command).expect("a command")
    }

    #[test]
    fn what_the_editor_leaves_is_the_text() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("text");
        let append = words("sh -c 'echo more >> \"$0\"'");
        assert_eq!(
            edit(&append, &path, "some\n"),
            Ok(Some("some\nmore\n".to_owned()))
        );
        assert_eq!(edit(&words("true"), &path, "some"), Ok(None));
        assert!(edit(&words("false"), &path, "some").is_err());
        let missing = edit(&words("no-such-editor"), &path, "some").expect_err("refused");
        assert!(missing.contains("set EDITOR"), "{missing}");
    }

    #[test]
    fn visual_goes_before_editor_and_may_have_arguments() {
        let named = command(|name| match name {
            "VISUAL" => Some("code --wait".to_owned()),
            _ => Some("nano".to_owned()),
        });
        assert_eq!(named, Ok(words("code --wait")));
        assert_eq!(command(|_| None), Ok(words("vi")));
        assert!(command(|_| Some("'".to_owned())).is_err());
    }
}
