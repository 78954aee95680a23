//! Checkpoints: the bytes that files had before they were changed, and putting them back.

#![expect(
    clippy::disallowed_methods,
    reason = "the store is walden's own folder"
)]

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::roots::{Roots, RootsError};
use super::write::{self, Guarded, WriteError};
use super::{MAX_FILE_BYTES, hash_of, moving, temp};
use crate::protocol::{FileChange, Hash, Modes, Undone};

/// A private store of file contents, named by their hash. Never the user's repository, refs or index.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    dir: PathBuf,
}

/// Why a content could not be kept or found again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    #[error("cannot {doing} the checkpoint `{path}`: {source}")]
    Io {
        doing: &'static str,
        path: String,
        source: std::io::Error,
    },
    #[error("`{path}` changed since the change was planned, so its old content cannot be kept")]
    BaseChanged { path: String },
    #[error("the old content of `{path}` is not in the checkpoints")]
    Missing { path: String },
    #[error("the kept content of `{path}` is damaged")]
    Damaged { path: String },
    #[error(transparent)]
    Roots(#[from] RootsError),
}

impl Checkpoints {
    /// Opens the store in a directory, which is created if need be, for the user alone.
    ///
    /// # Errors
    ///
    /// When the directory cannot be created.
    pub fn open(dir: &Path) -> Result<Self, CheckpointError> {
        private_dir(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    /// Keeps the bytes that a file has, before the change is applied.
    ///
    /// # Errors
    ///
    /// When the file is no longer what the change was planned on, or the bytes cannot be stored: the change must
    /// not be applied then.
    pub fn keep(&self, roots: &Roots, change: &FileChange) -> Result<(), CheckpointError> {
        let Some(base) = &change.base else {
            return Ok(());
        };
        let file = roots.read(&change.path)?;
        if file.hash != *base {
            return Err(CheckpointError::BaseChanged {
                path: change.path.clone(),
            });
        }
        self.store(base, &file.bytes)
    }

    /// Tells whether a content is kept.
    pub fn has(&self, hash: &Hash) -> bool {
        self.load(hash, "").is_ok()
    }

    /// Puts files back to what they were before the changes, given in the order in which they were made.
    ///
    /// A file is touched only where it still is what the changes left; otherwise it is refused with the reason.
    /// Directories that were created stay. The result has one entry for each path.
    pub fn undo(&self, roots: &Roots, changes: &[FileChange]) -> Vec<Undone> {
        let mut undone: Vec<Undone> = Vec::new();
        for (at, change) in changes.iter().enumerate().rev() {
            if undone.iter().any(|other| other.path == change.path) {
                continue;
            }
            let earlier = changes[..=at]
                .iter()
                .rev()
                .filter(|other| other.path == change.path);
            undone.push(Undone {
                path: change.path.clone(),
                refused: self.undo_file(roots, earlier).err(),
            });
        }
        undone
    }

    /// Undoes the changes of one file, the last one first.
    fn undo_file<'a>(
        &self,
        roots: &Roots,
        changes: impl Iterator<Item = &'a FileChange>,
    ) -> Result<(), String> {
        let mut changes = changes.peekable();
        let Some(last) = changes.next() else {
            return Ok(());
        };
        // Changes that follow on one another are undone in one step: the states between them need not be kept.
        let mut first = last;
        let mut broken = false;
        let mut modes = last.modes;
        for change in changes {
            if change.after != first.base {
                broken = true;
                break;
            }
            first = change;
            if let Some(earlier) = change.modes {
                let after = modes.map_or(earlier.after, |later| later.after);
                modes = Some(Modes { after, ..earlier });
            }
        }
        let bytes = match &first.base {
            None => None,
            Some(base) => Some(self.load(base, &first.path).map_err(|e| e.to_string())?),
        };
        if first.base == last.after {
            // There and back again: what matters is that nobody else changed it.
            return match roots.read(&last.path).map(|file| file.hash).ok() == last.after {
                true => put_mode_back(roots, last, modes),
                false => Err("it was changed since".to_owned()),
            };
        }
        let mode = first.notes.iter().find_map(|note| {
            let digits = note.strip_prefix("mode ")?;
            u32::from_str_radix(digits, 8).ok()
        });
        match write::put(
            roots,
            &last.path,
            last.after.as_ref(),
            bytes.as_deref(),
            mode,
            Guarded::ReadOnly,
        ) {
            Ok(()) if broken => Err(
                "only the last of its changes were undone: something else changed it in between"
                    .to_owned(),
            ),
            // A file that is gone again has no mode.
            Ok(()) if first.base.is_none() => Ok(()),
            Ok(()) => put_mode_back(roots, first, modes),
            Err(WriteError::BaseChanged { .. }) => Err("it was changed since".to_owned()),
            Err(other) => Err(other.to_string()),
        }
    }

    /// Returns kept bytes, verified.
    fn load(&self, hash: &Hash, path: &str) -> Result<Vec<u8>, CheckpointError> {
        let missing = || CheckpointError::Missing {
            path: path.to_owned(),
        };
        let blob = self.blob(hash).ok_or_else(missing)?;
        let file = match File::open(&blob) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing()),
            other => other.map_err(|source| failed("read", &blob, source))?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| failed("read", &blob, source))?;
        match hash_of(&bytes) == *hash {
            true => Ok(bytes),
            false => Err(CheckpointError::Damaged {
                path: path.to_owned(),
            }),
        }
    }

    /// Stores bytes under their hash, on the disk before this returns.
    fn store(&self, hash: &Hash, bytes: &[u8]) -> Result<(), CheckpointError> {
        let Some(blob) = self.blob(hash) else {
            return Ok(());
        };
        if self.load(hash, "").is_ok() {
            return Ok(());
        }
        let folder = blob.parent().unwrap_or(&self.dir);
        private_dir(folder)?;
        let name = temp::fresh_name().map_err(|errno| failed("write", &blob, errno.into()))?;
        let aside = folder.join(name);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&aside)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            })
            .and_then(|()| std::fs::rename(&aside, &blob))
            .and_then(|()| File::open(folder)?.sync_all());
        written.map_err(|source| {
            let _ = std::fs::remove_file(&aside);
            failed("write", &blob, source)
        })
    }

    /// Returns where the bytes of a hash are kept; `None` for what is not a hash.
    fn blob(&self, hash: &Hash) -> Option<PathBuf> {
        let digits = hash.0.as_str();
        let is_hash = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| self.dir.join(&digits[..2]).join(&digits[2..]))
    }
}

/// Gives a file the permissions that it had, if it has those that it was given.
fn put_mode_back(roots: &Roots, change: &FileChange, modes: Option<Modes>) -> Result<(), String> {
    let Some(Modes { before, after }) = modes else {
        return Ok(());
    };
    let back = Modes {
        before: after,
        after: before,
    };
    moving::set_mode(roots, &change.path, None, back).map_err(|error| match error {
        WriteError::BaseChanged { .. } => "its mode was changed since".to_owned(),
        other => other.to_string(),
    })
}

fn private_dir(dir: &Path) -> Result<(), CheckpointError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| failed("create", dir, source))
}

fn failed(doing: &'static str, path: &Path, source: std::io::Error) -> CheckpointError {
    CheckpointError::Io {
        doing,
        path: path.display().to_string(),
        source,
    }
}
