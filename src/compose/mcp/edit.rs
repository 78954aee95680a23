//! The user's file of servers, changed by command.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::error::UserError;

/// The user's file of servers.
pub(super) struct File {
    path: PathBuf,
    whole: Value,
}

impl File {
    /// Reads the file; one that is not there holds no servers.
    pub(super) fn open() -> Result<Self, UserError> {
        let path = super::user_file().ok_or_else(|| {
            UserError::failure("there is no configuration folder")
                .hint("set HOME or XDG_CONFIG_HOME")
        })?;
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "{}".to_owned(),
            Err(error) => return Err(failed("read", &path, &error)),
        };
        let whole: Value =
            serde_json::from_str(&text).map_err(|error| failed("understand", &path, &error))?;
        if !whole.is_object() {
            let problem = "it holds no object";
            return Err(failed("understand", &path, &problem));
        }
        Ok(Self { path, whole })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the servers.
    pub(super) fn servers(&mut self) -> &mut Map<String, Value> {
        let servers = &mut self.whole["mcpServers"];
        if !servers.is_object() {
            *servers = json!({});
        }
        servers
            .as_object_mut()
            .expect("made an object two lines above")
    }

    /// Writes the file whole or not at all; only the user can read it, as it may hold secrets.
    pub(super) fn write(&self) -> Result<(), UserError> {
        use std::io::Write as _;
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        let attempt = || -> std::io::Result<()> {
            if let Some(folder) = self.path.parent() {
                let mut builder = std::fs::DirBuilder::new();
                builder.recursive(true).mode(0o700).create(folder)?;
            }
            let beside = self
                .path
                .with_extension(format!("{}.tmp", std::process::id()));
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(serde_json::to_string_pretty(&self.whole)?.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            std::fs::rename(&beside, &self.path)
        };
        attempt().map_err(|error| failed("write", &self.path, &error))
    }
}

fn failed(what: &str, path: &Path, problem: &dyn std::fmt::Display) -> UserError {
    UserError::failure(format!("cannot {what} `{}`: {problem}", path.display()))
}
