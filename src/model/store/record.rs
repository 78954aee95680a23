//! What the store remembers of a model under its name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{StoreError, storage};
use super::layout;

/// A model in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    /// The SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
    /// The size of the file in bytes.
    pub size: u64,
    /// Where it came from.
    pub source: String,
    /// The licence of the weights, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// What the hash was checked against.
    pub trust: Trust,
    /// When it was added, in seconds since 1970.
    pub added: u64,
}

/// What vouches for the hash of a stored file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// The catalog that walden was built with.
    Catalog,
    /// The hub, which said the hash before the file was fetched.
    Hub,
    /// Nothing but the first fetch or import: the hash is remembered from then on.
    FirstUse,
}

impl Trust {
    /// Says it for a person.
    pub fn label(self) -> &'static str {
        match self {
            Self::Catalog => "checked against the catalog",
            Self::Hub => "checked against the hub's hash",
            Self::FirstUse => "hash recorded when it was first seen",
        }
    }
}

/// Tells whether a text can name a model: it becomes a file name, so it stays within plain characters.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 100
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Tells whether a text is a SHA-256 as the store writes it.
pub(crate) fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Makes a name out of a file's: lower case, without its ending.
pub(crate) fn name_of(file: &str) -> String {
    let stem = file.rsplit('/').next().unwrap_or(file).to_lowercase();
    let stem = stem.strip_suffix(".gguf").unwrap_or(&stem);
    stem.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect::<String>()
        .trim_start_matches(['.', '_', '-'])
        .chars()
        .take(100)
        .collect()
}

fn path(names: &Path, name: &str) -> PathBuf {
    names.join(format!("{name}.json"))
}

/// Reads the record of a name; `None` when there is none.
pub(crate) fn read(names: &Path, name: &str) -> Result<Option<Entry>, StoreError> {
    if !is_name(name) {
        return Ok(None);
    }
    let path = path(names, name);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(storage("read", &path, 0)(error)),
    };
    let entry: Entry = serde_json::from_slice(&text)
        .map_err(|error| storage("understand", &path, 0)(error.into()))?;
    // The hash becomes a path; a record that was edited by hand must not lead out of the store.
    if entry.name != name || !is_hash(&entry.sha256) {
        let error = io::Error::new(io::ErrorKind::InvalidData, "its name or hash is malformed");
        return Err(storage("understand", &path, 0)(error));
    }
    Ok(Some(entry))
}

/// Writes a record under its name.
pub(crate) fn write(names: &Path, entry: &Entry) -> Result<(), StoreError> {
    let path = path(names, &entry.name);
    let mut text = serde_json::to_vec_pretty(entry)
        .map_err(|error| storage("write", &path, 0)(error.into()))?;
    text.push(b'\n');
    layout::write_whole(&path, &text)
}

/// Forgets a name.
pub(crate) fn remove(names: &Path, name: &str) -> Result<(), StoreError> {
    let path = path(names, name);
    fs::remove_file(&path).map_err(storage("remove", &path, 0))?;
    layout::sync_dir(names)
}

/// All records, by name.
pub(crate) fn all(names: &Path) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    for file in fs::read_dir(names).map_err(storage("list", names, 0))? {
        let file = file.map_err(storage("list", names, 0))?.file_name();
        if let Some(name) = file.to_str().and_then(|file| file.strip_suffix(".json"))
            && let Some(entry) = read(names, name)?
        {
            entries.push(entry);
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_its_directory() {
        for bad in ["", ".", "..", "../x", "a/b", "-x", "a b", "é", "a\0"] {
            assert!(!is_name(bad), "{bad:?}");
        }
        assert!(is_name("qwen2.5-coder-1.5b"));
    }

    #[test]
    fn a_file_gives_a_usable_name() {
        assert_eq!(name_of("Qwen3-4B-Q4_K_M.gguf"), "qwen3-4b-q4_k_m");
        assert_eq!(name_of("sub/dir/My Model (1).GGUF"), "my-model--1-");
        assert_eq!(name_of(".hidden.gguf"), "hidden");
    }
}
