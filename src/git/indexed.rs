//! The entries of the index, read from its own bytes.
//!
//! libgit2 hashes the whole file and makes three copies of each name, which for a large index takes longer than looking
//! at the files. An index in a form that is not known here (names cut short, split, sparse) is left to libgit2.

#![expect(
    clippy::disallowed_methods,
    reason = "the repository's index, which was found to lie inside the roots when it was opened"
)]

use std::fs;

use git2::{IndexEntry, Oid};

use super::Repo;

/// The largest index that is read here.
const MAX_INDEX: u64 = 256 * 1024 * 1024;

const MARK: &[u8] = b"DIRC";
const HEAD: usize = 12;
/// What stands before the name of an entry.
const FIXED: usize = 62;
/// The checksum at the end.
const SUM: usize = 20;

/// An entry has two bytes of flags more.
const EXTENDED: u16 = 1 << 14;

/// The bytes of an index, and where its entries begin.
pub(super) struct Indexed {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

/// A file that is in the index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tracked<'a> {
    pub(super) path: &'a [u8],
    pub(super) id: Oid,
    pub(super) mode: u32,
    pub(super) size: u32,
    pub(super) inode: u32,
    pub(super) modified: (u32, u32),
    pub(super) changed: (u32, u32),
    pub(super) flags: u16,
    pub(super) extended: u16,
}

impl Repo {
    /// Reads the index; `None` where there is none, or not in a form that is known here.
    pub(super) fn indexed(&self) -> Option<Indexed> {
        let path = self.git.path().join("index");
        let kind = fs::symlink_metadata(&path).ok()?;
        match kind.is_file() && kind.len() <= MAX_INDEX {
            true => Indexed::of(fs::read(path).ok()?),
            false => None,
        }
    }
}

impl Indexed {
    fn of(bytes: Vec<u8>) -> Option<Self> {
        let version = number(&bytes, 4)?;
        if !bytes.starts_with(MARK) || !matches!(version, 2 | 3) {
            return None;
        }
        let count = number(&bytes, 8)? as usize;
        let end = bytes.len().checked_sub(SUM)?;
        if count > end / FIXED {
            return None;
        }
        let mut starts = Vec::with_capacity(count);
        let mut at = HEAD;
        for _ in 0..count {
            starts.push(at);
            let name = at + name_at(&bytes, at)?;
            let length = memchr::memchr(0, bytes.get(name..end)?)?;
            // Filled up to a multiple of eight, with one null at least.
            at += (name + length - at + 8) & !7;
        }
        // What follows may be left unread, unless it says that the entries are not all.
        while at < end {
            let name = bytes.get(at..at + 4)?;
            if !name.first()?.is_ascii_uppercase() {
                return None;
            }
            at = at
                .checked_add(8)?
                .checked_add(number(&bytes, at + 4)? as usize)?;
        }
        (at == end).then_some(Self { bytes, starts })
    }

    /// Returns the entries, in the order of their paths.
    pub(super) fn entries(&self) -> Vec<Tracked<'_>> {
        let entries = self.starts.iter().map(|at| self.entry(*at));
        entries.collect::<Option<Vec<_>>>().unwrap_or_default()
    }

    fn entry(&self, at: usize) -> Option<Tracked<'_>> {
        let bytes = &self.bytes;
        let number = |from: usize| number(bytes, at + from);
        let name = at + name_at(bytes, at)?;
        let length = memchr::memchr(0, bytes.get(name..)?)?;
        let flags = short(bytes, at + 60)?;
        Some(Tracked {
            changed: (number(0)?, number(4)?),
            modified: (number(8)?, number(12)?),
            inode: number(20)?,
            mode: number(24)?,
            size: number(36)?,
            id: Oid::from_bytes(bytes.get(at + 40..at + 60)?).ok()?,
            flags,
            extended: match flags & EXTENDED {
                0 => 0,
                _ => short(bytes, at + FIXED)?,
            },
            path: &bytes[name..name + length],
        })
    }
}

impl<'a> Tracked<'a> {
    /// Takes over what libgit2 read.
    pub(super) fn of(entry: &'a IndexEntry) -> Self {
        let time = |time: git2::IndexTime| (time.seconds() as u32, time.nanoseconds());
        Self {
            path: &entry.path,
            id: entry.id,
            mode: entry.mode,
            size: entry.file_size,
            inode: entry.ino,
            modified: time(entry.mtime),
            changed: time(entry.ctime),
            flags: entry.flags,
            extended: entry.flags_extended,
        }
    }

    /// Returns which side of an unmerged file it is; 0 for a file that is not.
    pub(super) fn stage(&self) -> u16 {
        (self.flags >> 12) & 3
    }
}

fn name_at(bytes: &[u8], entry: usize) -> Option<usize> {
    match short(bytes, entry + 60)? & EXTENDED {
        0 => Some(FIXED),
        _ => Some(FIXED + 2),
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(paths: &[&str]) -> Vec<u8> {
        let mut bytes = b"DIRC\0\0\0\x02\0\0\0".to_vec();
        bytes.push(paths.len() as u8);
        for path in paths {
            let start = bytes.len();
            bytes.extend_from_slice(&[1; 40]);
            bytes.extend_from_slice(&[7; 20]);
            bytes.extend_from_slice(&(path.len() as u16).to_be_bytes());
            bytes.extend_from_slice(path.as_bytes());
            bytes.push(0);
            while !(bytes.len() - start).is_multiple_of(8) {
                bytes.push(0);
            }
        }
        bytes.extend_from_slice(b"TREE\0\0\0\x02ab");
        bytes.extend_from_slice(&[9; 20]);
        bytes
    }

    #[test]
    fn the_entries_of_an_index_are_read_and_an_unknown_form_is_not() {
        let whole = index(&["a", "a/longer/name", "b.rs"]);
        let read = Indexed::of(whole.clone()).unwrap();
        let paths: Vec<&[u8]> = read.entries().iter().map(|entry| entry.path).collect();
        assert_eq!(paths, [&b"a"[..], b"a/longer/name", b"b.rs"]);
        assert_eq!(read.entries()[0].id, Oid::from_bytes(&[7; 20]).unwrap());
        // Without the last part it is as good: a part may always be left out.
        let at = memchr::memmem::find(&whole, b"TREE").unwrap();
        let without = whole.len() - 10;
        assert_eq!(whole.len() - at, 10 + SUM);
        for cut in (0..whole.len()).filter(|cut| *cut != without) {
            assert!(Indexed::of(whole[..cut].to_vec()).is_none(), "{cut}");
        }
        // Names cut short, and entries that stand elsewhere.
        let mut shortened = whole.clone();
        shortened[7] = 4;
        assert!(Indexed::of(shortened).is_none());
        let mut split = whole;
        split[at..at + 4].copy_from_slice(b"link");
        assert!(Indexed::of(split).is_none());
    }

    proptest::proptest! {
        #[test]
        fn a_broken_index_is_no_panic(at in 0..300_usize, value: u8) {
            let mut bytes = index(&["a", "b/c", "d"]);
            let at = at % bytes.len();
            bytes[at] = value;
            if let Some(read) = Indexed::of(bytes) {
                let _ = read.entries();
            }
        }
    }
}
