//! The archive of a bundle: looked at whole, and unpacked only when nothing in it could lead elsewhere.
//!
//! It is read into memory once, so that what was looked at and hashed is what is unpacked, whoever writes to the file
//! meanwhile. Files are made in a folder that is new and private, from names that were checked, so that no link can
//! stand in their way; they are read-only, and the folder is named for the archive's hash.

#![expect(
    clippy::disallowed_methods,
    reason = "a file that the user names, and walden's own state"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::Digest as _;
use zip::ZipArchive;

use super::super::text::short;
use super::{BundleError, FILES, PACKED, UNPACKED};

/// The file that says what a bundle is, and the most bytes that it may have.
const MANIFEST: &str = "manifest.json";
const MANIFEST_SIZE: u64 = 1 << 20;
/// The most bytes of a name in the archive, of one part of it, and the most parts.
const NAME: usize = 1024;
const PART: usize = 255;
const PARTS: usize = 48;
/// What the end of a signed bundle begins with.
const SIGNATURE: &[u8] = b"MCPB_SIG_V1";

/// An archive in which every name is harmless.
#[derive(Debug)]
pub struct Archive {
    zip: ZipArchive<Cursor<Vec<u8>>>,
    /// The hash of the whole file, in hexadecimal.
    pub sha256: String,
    /// The bytes of the file, and of all that is in it.
    pub packed: u64,
    pub unpacked: u64,
    /// The names of its files, with the place of each in the archive.
    files: BTreeMap<String, usize>,
    folders: BTreeSet<String>,
    /// Whether a signature follows it. It is not checked: there is nobody whose signature walden would believe.
    pub is_signed: bool,
}

impl Archive {
    /// Reads a bundle and looks at everything that is in it.
    ///
    /// # Errors
    /// When the file cannot be read, is no archive, is too large, or holds a name that could do harm.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let unread = |problem: String| BundleError::Read {
            file: path.display().to_string(),
            problem,
        };
        let file = std::fs::File::open(path).map_err(|error| unread(error.to_string()))?;
        let about = file.metadata().map_err(|error| unread(error.to_string()))?;
        // A pipe or a device would never end.
        if !about.is_file() {
            return Err(unread("it is no file".to_owned()));
        }
        let mut bytes = Vec::new();
        file.take(PACKED + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| unread(error.to_string()))?;
        if bytes.len() as u64 > PACKED {
            let most = PACKED >> 20;
            return Err(BundleError::Hostile(format!(
                "it is larger than {most} MiB"
            )));
        }
        Self::of(bytes)
    }

    /// Looks at everything that is in an archive.
    pub(super) fn of(bytes: Vec<u8>) -> Result<Self, BundleError> {
        let sha256 = hex(&sha2::Sha256::digest(&bytes));
        let packed = bytes.len() as u64;
        let is_signed = bytes
            .windows(SIGNATURE.len())
            .rev()
            .take(64 << 10)
            .any(|window| window == SIGNATURE);
        let bad = |error: zip::result::ZipError| BundleError::Archive(error.to_string());
        let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(bad)?;
        if zip.len() > FILES {
            return Err(BundleError::Hostile(format!(
                "it holds more than {FILES} files"
            )));
        }
        // The library keeps one of two entries with one name, and another program may keep the other.
        if zip.has_duplicate_names() {
            return Err(BundleError::Hostile("a name stands in it twice".to_owned()));
        }
        if zip.has_overlapping_files().map_err(bad)? {
            return Err(BundleError::Hostile(
                "its files lie over each other".to_owned(),
            ));
        }
        let mut names = Names::default();
        let mut unpacked = 0u64;
        for at in 0..zip.len() {
            let entry = zip.by_index_raw(at).map_err(bad)?;
            let name = std::str::from_utf8(entry.name_raw())
                .map_err(|_| BundleError::Hostile("a name in it is no UTF-8".to_owned()))?;
            let refused = |why: &str| BundleError::Hostile(format!("`{}` {why}", short(name, 120)));
            if entry.encrypted() {
                return Err(refused("is encrypted"));
            }
            // The kind of a file, as Unix writes it; 0 where the archive was made elsewhere.
            let kind = entry.unix_mode().unwrap_or(0) & 0o170_000;
            let is_folder = name.ends_with('/');
            match (entry.is_symlink(), kind) {
                (false, 0 | 0o100_000) => {}
                (false, 0o040_000) if is_folder => {}
                (true, _) => return Err(refused("is a link")),
                _ => return Err(refused("is neither a file nor a folder")),
            }
            unpacked = unpacked.saturating_add(entry.size());
            if unpacked > UNPACKED {
                return Err(BundleError::Hostile(format!(
                    "it holds more than {} MiB",
                    UNPACKED >> 20
                )));
            }
            names.take(name, at).map_err(|why| refused(&why))?;
        }
        Ok(Self {
            zip,
            sha256,
            packed,
            unpacked,
            files: names.files,
            folders: names.folders,
            is_signed,
        })
    }

    /// Returns how many files there are.
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// Tells whether there is a file of this name.
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Returns the text of the manifest.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn manifest(&mut self) -> Result<String, BundleError> {
        let missing = || BundleError::Manifest(format!("there is no `{MANIFEST}` in the bundle"));
        let at = *self.files.get(MANIFEST).ok_or_else(missing)?;
        let bytes = self.bytes(at, MANIFEST_SIZE)?;
        String::from_utf8(bytes).map_err(|_| BundleError::Manifest("it is no UTF-8".to_owned()))
    }

    fn bytes(&mut self, at: usize, most: u64) -> Result<Vec<u8>, BundleError> {
        let bad = |error: String| BundleError::Archive(error);
        let mut entry = self
            .zip
            .by_index(at)
            .map_err(|error| bad(error.to_string()))?;
        // What an entry says of its size is a stranger's word; so many bytes were counted for it, and no more are read.
        let said = entry.size();
        if said > most {
            return Err(BundleError::Hostile(format!(
                "a file in it has {said} bytes, and at most {most} are read"
            )));
        }
        let mut bytes = Vec::new();
        (&mut entry)
            .take(said + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| bad(error.to_string()))?;
        if bytes.len() as u64 != said {
            return Err(BundleError::Hostile(
                "a file in it has another size than it says".to_owned(),
            ));
        }
        Ok(bytes)
    }

    /// Unpacks the archive into a folder of its own, which is there whole or not at all. Files in `programs` can be
    /// started, as can those that the archive says it of.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn unpack(&mut self, within: &Path, programs: &[String]) -> Result<PathBuf, BundleError> {
        let target = within.join(folder_name(&self.sha256));
        let beside = within.join(format!(
            ".{}-{}",
            folder_name(&self.sha256),
            std::process::id()
        ));
        let failed = |error: std::io::Error| BundleError::Unpack {
            folder: target.display().to_string(),
            problem: error.to_string(),
        };
        private(within).map_err(failed)?;
        if beside.symlink_metadata().is_ok() {
            std::fs::remove_dir_all(&beside).map_err(failed)?;
        }
        private(&beside).map_err(failed)?;
        let written = self.write(&beside, programs);
        let placed = written.and_then(|()| {
            // What lies there may have been changed since; what was looked at takes its place.
            if target.symlink_metadata().is_ok() {
                std::fs::remove_dir_all(&target).map_err(failed)?;
            }
            std::fs::rename(&beside, &target).map_err(failed)
        });
        if placed.is_err() {
            let _ = std::fs::remove_dir_all(&beside);
        }
        placed.map(|()| target)
    }

    fn write(&mut self, folder: &Path, programs: &[String]) -> Result<(), BundleError> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let failed = |error: std::io::Error| BundleError::Unpack {
            folder: folder.display().to_string(),
            problem: error.to_string(),
        };
        for name in &self.folders {
            private(&folder.join(name)).map_err(failed)?;
        }
        for (name, at) in self.files.clone() {
            let bytes = self.bytes(at, UNPACKED)?;
            let entry = self
                .zip
                .by_index_raw(at)
                .map_err(|error| BundleError::Archive(error.to_string()))?;
            let starts =
                entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0) || programs.contains(&name);
            drop(entry);
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(if starts { 0o500 } else { 0o400 })
                .open(folder.join(&name))
                .map_err(failed)?;
            file.write_all(&bytes).map_err(failed)?;
        }
        Ok(())
    }
}

/// Returns the name of the folder of a bundle with this hash.
pub fn folder_name(sha256: &str) -> String {
    sha256.chars().take(32).collect()
}

/// Makes a folder for the user alone.
fn private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The names of an archive, each of which was looked at beside the others.
#[derive(Default)]
struct Names {
    files: BTreeMap<String, usize>,
    folders: BTreeSet<String>,
    /// Every file and folder as it is called where the size of letters does not count, with how it is written.
    folded: BTreeMap<String, String>,
}

impl Names {
    fn take(&mut self, name: &str, at: usize) -> Result<(), String> {
        let (path, is_folder) = match name.strip_suffix('/') {
            Some(path) => (path, true),
            None => (name, false),
        };
        harmless(path)?;
        for (end, _) in path.match_indices('/') {
            self.folder(&path[..end])?;
        }
        if is_folder {
            return self.folder(path);
        }
        if self.folders.contains(path) {
            return Err("is a file and a folder".to_owned());
        }
        self.alone(path)?;
        match self.files.insert(path.to_owned(), at) {
            None => Ok(()),
            Some(_) => Err("stands in it twice".to_owned()),
        }
    }

    fn folder(&mut self, path: &str) -> Result<(), String> {
        if self.files.contains_key(path) {
            return Err("is a file and a folder".to_owned());
        }
        self.alone(path)?;
        self.folders.insert(path.to_owned());
        Ok(())
    }

    /// Refuses what would be one file on some disks and two on others.
    fn alone(&mut self, path: &str) -> Result<(), String> {
        let written = self
            .folded
            .entry(path.to_lowercase())
            .or_insert_with(|| path.to_owned());
        match written == path {
            true => Ok(()),
            false => Err(format!(
                "and `{}` differ in the size of letters alone",
                short(written, 120)
            )),
        }
    }
}

/// Refuses a path that could lead elsewhere, here or on another system.
fn harmless(path: &str) -> Result<(), String> {
    let parts: Vec<&str> = path.split('/').collect();
    let odd = |c: char| c.is_control() || matches!(c, '\\' | ':');
    let why = match () {
        () if path.len() > NAME || parts.len() > PARTS => "is too long",
        () if path.starts_with('/') => "begins at the root of the disk",
        () if path.contains(odd) => "has a letter in it that no name may have",
        () if parts.contains(&"..") => "leads out of the folder",
        () if parts.iter().any(|part| part.is_empty() || *part == ".") => "has an empty part",
        () if parts.iter().any(|part| part.len() > PART) => "is too long",
        () => return Ok(()),
    };
    Err(why.to_owned())
}

#[cfg(test)]
#[path = "../tests/bundle_archive.rs"]
mod tests;
