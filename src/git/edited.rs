//! The difference of the files from the index, where only ordinary files were edited or removed.
//!
//! That is most of what is asked for, and it needs neither libgit2's index nor its comparison. Where anything else was
//! done, or an attribute or a setting bears on it, the answer is libgit2's.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;

use git2::{ObjectType, Oid};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use rustix::io::Errno;

use super::indexed::Tracked;
use super::printed::{Change, MAX_TEXT, passages};
use super::touched::{Strangers, written};
use super::{GitError, Repo};

/// The largest file that is compared here.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// An entry that stands for a file which is to be added later.
const INTENT_TO_ADD: u16 = 1 << 13;

/// Settings with which a file is not stored as it is, or its mode is not what it seems.
const NOT_AS_IT_IS: [&str; 1] = ["core.autocrlf"];
const NOT_AS_IT_SEEMS: [&str; 2] = ["core.filemode", "core.symlinks"];

impl Repo {
    /// Returns the difference; `None` where it is not a plain matter.
    pub(super) fn plain_edits(&self, context: u32) -> Result<Option<String>, GitError> {
        let set = |name: &&str| self.settings.is_on(name) != Some(false);
        let odd = NOT_AS_IT_IS
            .iter()
            .any(|name| self.settings.get(name).is_some() && set(name))
            || !NOT_AS_IT_SEEMS.iter().all(set);
        if odd {
            return Ok(None);
        }
        let written = written(self.git.path());
        let Some(index) = self.indexed() else {
            return Ok(None);
        };
        let entries = index.entries();
        let find = |path: &[u8]| entries.binary_search_by(|entry| entry.path.cmp(path));
        if find(b".gitmodules").is_ok() {
            return Ok(None);
        }
        let Some(touched) = self.touched_of(&entries, written, Strangers::LeftOut)? else {
            return Ok(None);
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(top) = open(self.workdir()?, flags, Mode::empty()) else {
            return Ok(None);
        };
        let mut objects = self.objects();
        let mut plain = self.plain_when_stored();
        let digits = self.digits();
        let mut text: Vec<u8> = Vec::new();
        for path in &touched.files {
            self.go_on()?;
            let Ok(at) = find(path.as_bytes()) else {
                return Ok(None);
            };
            let entry = &entries[at];
            let Some(now) = now(&top, path, entry) else {
                return Ok(None);
            };
            let id = match &now {
                Now::Gone => None,
                Now::Bytes(bytes) => Some(Oid::hash_object(ObjectType::Blob, bytes)?),
            };
            if id == Some(entry.id) {
                continue;
            }
            let mode = if id.is_some() { entry.mode } else { 0 };
            let ids = [Some(entry.id), id];
            let Some(change) = Change::plain(0, path, ids, [entry.mode, mode], &mut plain) else {
                return Ok(None);
            };
            let old = objects.read_as(ObjectType::Blob, entry.id)?;
            let new = match &now {
                Now::Gone => &[][..],
                Now::Bytes(bytes) => bytes,
            };
            let is_text = |bytes: &[u8]| memchr::memchr(0, bytes).is_none();
            if !is_text(&old.bytes) || !is_text(new) || text.len() > MAX_TEXT {
                return Ok(None);
            }
            let lines = passages(&old.bytes, new, context)?;
            text.extend_from_slice(&change.with_lines(&lines, digits));
        }
        Ok(match text.len() <= MAX_TEXT {
            true => Some(
                String::from_utf8(text)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
            ),
            false => None,
        })
    }
}

/// What is at the place of a tracked file.
enum Now {
    Gone,
    Bytes(Vec<u8>),
}

/// Looks at a file; `None` where it, or its entry, is not an ordinary one.
fn now(top: &OwnedFd, path: &str, entry: &Tracked<'_>) -> Option<Now> {
    let ordinary = matches!(entry.mode, 0o100_644 | 0o100_755)
        && entry.stage() == 0
        && entry.extended & INTENT_TO_ADD == 0;
    if !ordinary {
        return None;
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let file = match openat2(top, path, flags, Mode::empty(), beneath) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Some(Now::Gone),
        Err(_) => return None,
    };
    let kind = fstat(&file).ok()?;
    let executable = kind.st_mode & 0o100 != 0;
    if FileType::from_raw_mode(kind.st_mode) != FileType::RegularFile
        || executable != (entry.mode == 0o100_755)
        || kind.st_size as u64 > MAX_FILE
    {
        return None;
    }
    let mut bytes = Vec::with_capacity(kind.st_size as usize + 1);
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= MAX_FILE).then_some(Now::Bytes(bytes))
}
