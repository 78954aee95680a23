//! The messages of earlier sessions, one a line in a file of the user's own.

#![expect(
    clippy::disallowed_methods,
    reason = "the history is walden's own file"
)]

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// Messages that are kept in reach, and the bytes of the file's end that are read for them.
const MOST: usize = 1_000;
const MOST_BYTES: usize = 1 << 20;

/// Reads the messages, the oldest first. A file that cannot be read is an empty history.
pub(super) fn load(path: &Path) -> Vec<String> {
    let mut bytes = Vec::new();
    if File::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .is_err()
    {
        return Vec::new();
    }
    let from = bytes.len().saturating_sub(MOST_BYTES);
    let text = String::from_utf8_lossy(&bytes[from..]);
    let mut lines: Vec<&str> = text.lines().collect();
    if from > 0 && !lines.is_empty() {
        lines.remove(0);
    }
    let skip = lines.len().saturating_sub(MOST);
    lines.into_iter().skip(skip).map(decode).collect()
}

/// Adds a message. The file is readable by its owner alone: it is about the user's code.
pub(super) fn remember(path: &Path, message: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(format!("{}\n", encode(message)).as_bytes())
}

fn encode(message: &str) -> String {
    message
        .replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
}

fn decode(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some(other) => out.push(other),
                None => {}
            },
            (c, false) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_several_lines_comes_back_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history");
        assert_eq!(load(&path), Vec::<String>::new());
        let messages = ["one", "two\nlines \\n with \\", "世界"];
        for message in messages {
            remember(&path, message).expect("to write");
        }
        assert_eq!(load(&path), messages);
        use std::os::unix::fs::PermissionsExt as _;
        let mode = path.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
