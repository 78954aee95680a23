//! Small files of state that the host keeps: written whole or not at all, for the user alone.

#![expect(
    clippy::disallowed_methods,
    reason = "the files that pins and choices are kept in: state, and not the user's"
)]

use std::io::{ErrorKind, Write as _};
use std::path::Path;

use serde_json::{Map, Value};

/// Reads a file; one that is not there is empty.
pub(super) fn read(path: &Path) -> Result<Map<String, Value>, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| error.to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Map::new()),
        Err(error) => Err(error.to_string()),
    }
}

/// Writes a file.
pub(super) fn write(path: &Path, kept: &Map<String, Value>) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    if let Some(folder) = path.parent() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(folder)?;
    }
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(serde_json::to_string_pretty(kept)?.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}
