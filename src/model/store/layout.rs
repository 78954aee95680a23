//! The files of the store: private, written whole or not at all, locked while two processes want the same one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use sha2::{Digest, Sha256};

use super::error::{StoreError, storage};

/// Where the parts of a store lie.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// Lays out a store in a directory, which is made private to the user if it is new.
    pub(crate) fn create(dir: PathBuf) -> Result<Self, StoreError> {
        let layout = Self { dir };
        for part in ["blobs", "names", "partial", "locks"] {
            private_dir(&layout.dir.join(part))?;
        }
        Ok(layout)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn blob(&self, sha256: &str) -> PathBuf {
        self.dir.join("blobs").join(format!("sha256-{sha256}"))
    }

    pub(crate) fn names(&self) -> PathBuf {
        self.dir.join("names")
    }

    /// The directory of what is fetched but not whole yet, under a key of the file that is wanted.
    pub(crate) fn partial(&self, key: &str) -> PathBuf {
        self.dir.join("partial").join(key)
    }

    /// Waits for the lock of a key and takes it; it is given back when the guard is dropped or the process ends.
    pub(crate) fn lock(&self, key: &str) -> Result<Lock, StoreError> {
        let path = self.dir.join("locks").join(format!("{key}.lock"));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(storage("open the lock", &path, 0))?;
        loop {
            match rustix::fs::flock(&file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(storage("take the lock", &path, 0)(error.into())),
            }
        }
    }
}

/// A lock that is held until it is dropped. The file stays: removing it would let two processes hold "the" lock.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Makes a directory and its parents, readable by the user alone.
pub(crate) fn private_dir(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(storage("create", path, 0))
}

/// Opens a new or existing file for appending, readable by the user alone.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

/// Writes a small file whole: beside its place, synced, then renamed over it.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let temporary = beside(path);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        });
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(storage("write", path, content.len() as u64)(error));
    }
    rename(&temporary, path)
}

/// Gives a finished file its name, so that the name lasts over a power cut.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(storage("rename", to, 0))?;
    match to.parent() {
        Some(dir) => sync_dir(dir),
        None => Ok(()),
    }
}

/// Makes what was renamed or removed in a directory last over a power cut.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|file| file.sync_all())
        .map_err(storage("sync", dir, 0))
}

/// A temporary name beside a path, of this process alone.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    PathBuf::from(name)
}

/// How many bytes may still be written in a directory.
pub(crate) fn free_space(dir: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

/// Refuses early when a file cannot fit: an hour of downloading should not end in a full disk.
pub(crate) fn require_space(dir: &Path, needed: u64) -> Result<(), StoreError> {
    match free_space(dir) {
        Some(free) if free < needed => Err(StoreError::NoSpace {
            dir: dir.to_owned(),
            needed,
            free: Some(free),
        }),
        _ => Ok(()),
    }
}

/// Reads the rest of a file into a hash, and tells how far it is after each piece.
pub(crate) fn hash_rest(
    from: &mut dyn Read,
    hash: &mut Sha256,
    on_read: &mut dyn FnMut(u64),
) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(done),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&buffer[..count]);
        done += count as u64;
        on_read(done);
    }
}

/// Writes a hash as lower-case hexadecimal.
pub(crate) fn hex(hash: Sha256) -> String {
    use std::fmt::Write as _;
    hash.finalize()
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
