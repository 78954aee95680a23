//! A cheap look at a model file before llama.cpp gets it: most mistakes are plain from the first bytes.

#![expect(
    clippy::disallowed_methods,
    reason = "a model file is no file of the user's repository"
)]

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The fixed part of a GGUF header: magic, version, and two counts.
const HEADER: usize = 24;

/// Why a file cannot be a model.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum FileError {
    #[error("there is no file `{0}`; `walden model list` shows what is there")]
    Missing(String),
    #[error("cannot read `{path}`: {reason}")]
    Unreadable { path: String, reason: String },
    #[error("`{0}` is a folder, not a model file")]
    Folder(String),
    #[error("`{path}` is no GGUF file: {looks}; get the model again")]
    NotGguf { path: String, looks: &'static str },
    #[error("`{path}` ends after {bytes} bytes; get the model again")]
    Truncated { path: String, bytes: u64 },
    #[error(
        "`{path}` is a GGUF file of version {version}, and versions 2 and 3 can be read; convert it again"
    )]
    Version { path: String, version: u32 },
}

/// Checks that a file can be a GGUF model.
pub(super) fn check(path: &Path) -> Result<(), FileError> {
    let shown = path.display().to_string();
    let unreadable = |error: &std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => FileError::Missing(shown.clone()),
        _ => FileError::Unreadable {
            path: shown.clone(),
            reason: error.to_string(),
        },
    };
    let mut file = File::open(path).map_err(|error| unreadable(&error))?;
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if metadata.is_dir() {
        return Err(FileError::Folder(shown));
    }
    let mut header = Vec::with_capacity(HEADER);
    file.by_ref()
        .take(HEADER as u64)
        .read_to_end(&mut header)
        .map_err(|error| unreadable(&error))?;
    if !header.is_empty() && !header.starts_with(b"GGUF") {
        return Err(FileError::NotGguf {
            path: shown,
            looks: describe(&header),
        });
    }
    let Some(version) = header
        .get(4..8)
        .and_then(|bytes| <[u8; 4]>::try_from(bytes).ok())
        .map(u32::from_le_bytes)
        .filter(|_| header.len() == HEADER)
    else {
        return Err(FileError::Truncated {
            path: shown,
            bytes: metadata.len(),
        });
    };
    if !matches!(version, 2 | 3) {
        return Err(FileError::Version {
            path: shown,
            version,
        });
    }
    Ok(())
}

/// Says what a file that is no GGUF looks like, as far as its first bytes tell.
fn describe(header: &[u8]) -> &'static str {
    let starts =
        |mark: &[u8]| header.len() >= mark.len() && header[..mark.len()].eq_ignore_ascii_case(mark);
    if starts(b"version https://git-lfs") || starts(b"version https") {
        "it is a Git LFS pointer, not the file itself"
    } else if starts(b"<!doctype") || starts(b"<html") {
        "it is a web page, so the download gave an error page"
    } else if starts(b"PK\x03\x04") {
        "it is a zip archive; a wheel has to be unpacked first"
    } else if header.get(8) == Some(&b'{') {
        "it looks like a safetensors file, which has to be converted"
    } else {
        "it does not begin with `GGUF`"
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn check_bytes(bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        std::fs::write(&path, bytes).unwrap();
        match check(&path) {
            Ok(()) => "fine".to_owned(),
            Err(error) => error
                .to_string()
                .replace(&path.display().to_string(), "FILE"),
        }
    }

    #[test]
    fn each_wrong_file_is_named_for_what_it_is() {
        assert_eq!(
            check_bytes(b"<!DOCTYPE html><html><body>404"),
            "`FILE` is no GGUF file: it is a web page, so the download gave an error page; get the model again"
        );
        assert_eq!(
            check_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
            "`FILE` is no GGUF file: it is a Git LFS pointer, not the file itself; get the model again"
        );
        assert_eq!(
            check_bytes(b"GGUF\x03\0\0"),
            "`FILE` ends after 7 bytes; get the model again"
        );
        assert_eq!(
            check_bytes(b""),
            "`FILE` ends after 0 bytes; get the model again"
        );
        assert_eq!(
            check_bytes(b"GGUF\x01\0\0\0aaaaaaaabbbbbbbb"),
            "`FILE` is a GGUF file of version 1, and versions 2 and 3 can be read; convert it again"
        );
        assert_eq!(check_bytes(b"GGUF\x03\0\0\0aaaaaaaabbbbbbbb"), "fine");
    }

    #[test]
    fn a_missing_file_and_a_folder_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            check(&folder.path().join("none")),
            Err(FileError::Missing(_))
        ));
        assert!(matches!(check(folder.path()), Err(FileError::Folder(_))));
    }
}
