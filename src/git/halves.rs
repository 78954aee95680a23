//! What git says of a file in another way than libgit2: of one that became a link, or the other way round, that it went
//! and another came; of one that is not read because an attribute says that it is no text, what it is now.

#![expect(
    clippy::disallowed_methods,
    reason = "the one link or file of the work tree that libgit2 just compared, by the name that it used"
)]

use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use git2::{Delta, DiffDelta, DiffFile, ObjectType, Oid};

use super::printed::{Change, passages};
use super::{GitError, Repo};

/// The largest file of the work tree that is shown so.
const MAX_FILE: u64 = 16 * 1024 * 1024;

const KIND: u32 = 0o170_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// Tells whether a file became a link, or the other way round, and maybe a file again.
pub(super) fn is_another_kind(delta: &DiffDelta<'_>) -> bool {
    let kinds = [delta.old_file(), delta.new_file()].map(|file| u32::from(file.mode()) & KIND);
    matches!(kinds, [FILE, LINK] | [LINK, FILE]) || delta.status() == Delta::Typechange
}

impl Repo {
    /// Prints both halves; `None` where one is no text, or cannot be read any more.
    pub(super) fn halves(
        &self,
        delta: &DiffDelta<'_>,
        context: u32,
    ) -> Result<Option<Vec<u8>>, GitError> {
        let (old, new) = (delta.old_file(), delta.new_file());
        let Some(name) = new.path().and_then(|path| path.to_str()) else {
            return Ok(None);
        };
        let (Some(before), Some(after)) = (self.bytes_of(&old), self.bytes_of(&new)) else {
            return Ok(None);
        };
        let is_text = |bytes: &[u8]| memchr::memchr(0, bytes).is_none();
        if !is_text(&before) || !is_text(&after) {
            return Ok(None);
        }
        let digits = self.digits();
        let id = |bytes: &[u8]| Oid::hash_object(ObjectType::Blob, bytes);
        let (old_id, new_id) = (id(&before)?, id(&after)?);
        let modes = [old.mode(), new.mode()].map(u32::from);
        if modes[0] & KIND == modes[1] & KIND {
            // It was something else only in between.
            if modes[0] != modes[1] {
                return Ok(None);
            }
            if old_id == new_id {
                return Ok(Some(Vec::new()));
            }
            let change = Change::of_ids(name, [Some(old_id), Some(new_id)], modes);
            let mut text = change.header(digits).into_bytes();
            text.extend_from_slice(&passages(&before, &after, context)?);
            return Ok(Some(text));
        }
        let went = [Some(old_id), None];
        let came = [None, Some(new_id)];
        let mut text = Change::of_ids(name, went, [modes[0], 0])
            .header(digits)
            .into_bytes();
        text.extend_from_slice(&passages(&before, b"", 0)?);
        let header = Change::of_ids(name, came, [0, modes[1]]).header(digits);
        text.extend_from_slice(header.as_bytes());
        text.extend_from_slice(&passages(b"", &after, 0)?);
        Ok(Some(text))
    }

    /// Says of a file that an attribute makes no text that it changed; `None` of any other.
    pub(super) fn unread(&self, delta: &DiffDelta<'_>) -> Result<Option<String>, GitError> {
        let (old, new) = (delta.old_file(), delta.new_file());
        let modes = [old.mode(), new.mode()].map(u32::from);
        let unread = delta.flags().is_binary()
            && delta.status() == Delta::Modified
            && new.id().is_zero()
            && modes[0] == modes[1]
            && modes[0] & KIND == FILE;
        let name = new.path().and_then(|path| path.to_str());
        let (true, Some(name), Some(bytes)) = (unread, name, self.bytes_of(&new)) else {
            return Ok(None);
        };
        let id = Oid::hash_object(ObjectType::Blob, &bytes)?;
        let change = Change::of_ids(name, [Some(old.id()), Some(id)], modes);
        let [before, after] = change.names();
        let title = change.title(self.digits());
        Ok(Some(match id == old.id() {
            true => String::new(),
            false => format!("{title}Binary files {before} and {after} differ\n"),
        }))
    }

    /// Reads what one side of a difference stands for: from the store, or from the work tree.
    fn bytes_of(&self, file: &DiffFile<'_>) -> Option<Vec<u8>> {
        // An ordinary file of the work tree has no id as long as nobody read it.
        if !file.id().is_zero()
            && let Ok(blob) = self.git.find_blob(file.id())
        {
            return Some(blob.content().to_vec());
        }
        let path = self.workdir().ok()?.join(file.path()?);
        let kind = fs::symlink_metadata(&path).ok()?;
        match u32::from(file.mode()) & KIND {
            LINK if kind.is_symlink() => {
                Some(fs::read_link(path).ok()?.as_os_str().as_bytes().to_vec())
            }
            FILE if kind.is_file() && kind.len() <= MAX_FILE => fs::read(path).ok(),
            _ => None,
        }
    }
}
