//! What git says of a file in another way than libgit2: of one that became a link, or the other way round, that it went
//! and another came; of one that is not read because an attribute says that it is no text, what it is now.

#![expect(
    clippy::disallowed_methods,
    reason = "the one link or file of the work tree that libgit2 just compared, by the name that it used"
)]

use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use git2::{AttrCheckFlags, AttrValue, Delta, DiffDelta, DiffFile, ObjectType, Oid};

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
    /// Prints both halves; `None` where one cannot be read any more.
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
        let digits = self.digits();
        let id = |bytes: &[u8]| Oid::hash_object(ObjectType::Blob, bytes);
        let (old_id, new_id) = (id(&before)?, id(&after)?);
        let modes = [old.mode(), new.mode()].map(u32::from);
        let is_text = |bytes: &[u8], mode: u32| -> Result<bool, GitError> {
            let attribute = self
                .git
                .get_attr(name.as_ref(), "diff", AttrCheckFlags::default())?;
            // A link is its target, whatever is said of the file.
            let unset = matches!(AttrValue::from_string(attribute), AttrValue::False);
            Ok(memchr::memchr(0, bytes).is_none() && (mode & KIND == LINK || !unset))
        };
        let part = |change: Change, before: &[u8], after: &[u8], is_text: bool| {
            if is_text {
                let lines = passages(before, after, context)?;
                return Ok::<_, GitError>(change.with_lines(&lines, digits));
            }
            let [before, after] = change.names();
            let title = change.title(digits);
            Ok(format!("{title}Binary files {before} and {after} differ\n").into_bytes())
        };
        let old_is_text = is_text(&before, modes[0])?;
        let new_is_text = is_text(&after, modes[1])?;
        if modes[0] & KIND == modes[1] & KIND {
            // It was something else only in between.
            if modes[0] != modes[1] {
                return Ok(None);
            }
            if old_id == new_id {
                return Ok(Some(Vec::new()));
            }
            let change = Change::of_ids(name, [Some(old_id), Some(new_id)], modes);
            let both = old_is_text && new_is_text;
            return Ok(Some(part(change, &before, &after, both)?));
        }
        let went = Change::of_ids(name, [Some(old_id), None], [modes[0], 0]);
        let came = Change::of_ids(name, [None, Some(new_id)], [0, modes[1]]);
        let mut text = part(went, &before, b"", old_is_text)?;
        text.extend(part(came, b"", &after, new_is_text)?);
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
