//! Which files may differ from the index, told by what the file system knows of them alone.

#![expect(
    clippy::disallowed_methods,
    reason = "what is looked at is the tracked files' own entries, which are never opened"
)]

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use git2::{IndexEntry, IndexTime};

use super::{GitError, Repo};

/// More than these are not named one by one: looking at everything is as fast.
const MANY: usize = 1_000;

/// The bits of an index entry's flags that say that git itself takes it on trust.
const ASSUME_UNCHANGED: u16 = 1 << 15;

impl Repo {
    /// Returns the tracked files that may differ from the index: all that do, and some that do not. `None` where it is
    /// no use to name them.
    ///
    /// Walking the whole tree, as libgit2 does, takes several times as long as this.
    pub(super) fn touched(&self) -> Result<Option<Vec<String>>, GitError> {
        let workdir = self.workdir()?;
        let index = self.git.index()?;
        // Written together with the index, or after it: it may have changed again within the clock's grain.
        let Some(written) = written(self.git.path()) else {
            return Ok(None);
        };
        let mut folders = HashMap::new();
        let mut touched = Vec::new();
        for entry in index.iter() {
            if entry.flags & ASSUME_UNCHANGED != 0
                || is_same(workdir, &entry, written, &mut folders)
            {
                continue;
            }
            let Ok(path) = String::from_utf8(entry.path) else {
                return Ok(None);
            };
            // An unmerged file has several entries.
            if touched.last() != Some(&path) {
                touched.push(path);
            }
            if touched.len() > MANY {
                return Ok(None);
            }
        }
        Ok(Some(touched))
    }
}

/// Returns when the index was written.
fn written(gitdir: &Path) -> Option<(i64, i64)> {
    let kind = fs::symlink_metadata(gitdir.join("index")).ok()?;
    Some((kind.mtime(), kind.mtime_nsec()))
}

/// Tells whether a file is, for sure, as it was when it was put into the index.
fn is_same(
    workdir: &Path,
    entry: &IndexEntry,
    written: (i64, i64),
    folders: &mut HashMap<Vec<u8>, bool>,
) -> bool {
    let stage = (entry.flags >> 12) & 3;
    let full = workdir.join(std::ffi::OsStr::from_bytes(&entry.path));
    let Ok(now) = fs::symlink_metadata(&full) else {
        return false;
    };
    let time = |known: IndexTime, seconds: i64, nanoseconds: i64| {
        i64::from(known.seconds()) == seconds && i64::from(known.nanoseconds()) == nanoseconds
    };
    stage == 0
        && same_kind(entry.mode, now.mode())
        && now.len() == u64::from(entry.file_size)
        && entry.file_size > 0
        && now.ino() as u32 == entry.ino
        && time(entry.mtime, now.mtime(), now.mtime_nsec())
        && time(entry.ctime, now.ctime(), now.ctime_nsec())
        && (now.mtime(), now.mtime_nsec()) < written
        && folders_are_real(workdir, &entry.path, folders)
}

/// Tells whether the mode of a file is the one that the index has for it; of a file's permissions git keeps one bit.
fn same_kind(known: u32, now: u32) -> bool {
    const KIND: u32 = 0o170_000;
    const LINK: u32 = 0o120_000;
    const EXECUTABLE: u32 = 0o100;
    known & KIND == now & KIND && (known & KIND == LINK || known & EXECUTABLE == now & EXECUTABLE)
}

/// Tells whether every folder above a file is one: behind a link that took its place, the file is another's.
fn folders_are_real(workdir: &Path, path: &[u8], known: &mut HashMap<Vec<u8>, bool>) -> bool {
    let Some(at) = path.iter().rposition(|byte| *byte == b'/') else {
        return true;
    };
    let folder = &path[..at];
    if let Some(real) = known.get(folder) {
        return *real;
    }
    let full = workdir.join(std::ffi::OsStr::from_bytes(folder));
    let real = fs::symlink_metadata(full).is_ok_and(|kind| kind.is_dir())
        && folders_are_real(workdir, folder, known);
    known.insert(folder.to_owned(), real);
    real
}
