//! The index of a pack: where in it an object lies.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use git2::Oid;

/// An index up to this size is held in memory once it was asked so often; till then, and of a larger one always, only
/// what is asked for is read.
const MAX_HELD: u64 = 8 * 1024 * 1024;
const OFTEN: usize = 64;

const MAGIC: [u8; 8] = [0xff, b't', b'O', b'c', 0, 0, 0, 2];
const HEAD: u64 = 8 + 256 * 4;
const ID: u64 = 20;

/// An index of version 2, the only one that is written since 2008.
pub(super) struct Index {
    file: File,
    held: OnceLock<Option<Vec<u8>>>,
    asked: AtomicUsize,
    /// How many objects have a first byte up to this one.
    upto: Vec<u32>,
    len: u64,
}

impl Index {
    /// Opens an index; `None` where it has another form.
    pub(super) fn open(file: File) -> Option<Self> {
        let len = file.metadata().ok()?.len();
        let mut head = vec![0; HEAD as usize];
        file.read_exact_at(&mut head, 0).ok()?;
        if head[..8] != MAGIC {
            return None;
        }
        let upto: Vec<u32> = head[8..]
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| u32::from_be_bytes(*bytes))
            .collect();
        if !upto.is_sorted() {
            return None;
        }
        let index = Self {
            file,
            held: OnceLock::new(),
            asked: AtomicUsize::new(0),
            upto,
            len,
        };
        // Ids, checksums, offsets, and two checksums of the whole.
        let least = HEAD + index.count() * (ID + 4 + 4) + 2 * ID;
        (len >= least).then_some(index)
    }

    fn count(&self) -> u64 {
        u64::from(self.upto.last().copied().unwrap_or(0))
    }

    /// Returns all of it, if it is held.
    fn held(&self) -> Option<&Vec<u8>> {
        if self.len > MAX_HELD || self.asked.load(Ordering::Relaxed) < OFTEN {
            return None;
        }
        let read = || {
            let mut bytes = vec![0; self.len as usize];
            self.file.read_exact_at(&mut bytes, 0).ok()?;
            Some(bytes)
        };
        self.held.get_or_init(read).as_ref()
    }

    fn read<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        match self.held() {
            Some(held) => {
                let at = usize::try_from(at).ok()?;
                bytes.copy_from_slice(held.get(at..at.checked_add(N)?)?);
            }
            None => self.file.read_exact_at(&mut bytes, at).ok()?,
        }
        Some(bytes)
    }

    /// Finds the offset of an object in the pack.
    pub(super) fn find(&self, id: Oid) -> Option<u64> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let wanted: &[u8; 20] = id.as_bytes().try_into().ok()?;
        let first = usize::from(wanted[0]);
        let mut low = match first {
            0 => 0,
            first => u64::from(self.upto[first - 1]),
        };
        let mut high = u64::from(self.upto[first]);
        while low < high {
            let middle = low.midpoint(high);
            let here: [u8; 20] = self.read(HEAD + middle * ID)?;
            match here.cmp(wanted) {
                std::cmp::Ordering::Equal => return self.offset(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    fn offset(&self, number: u64) -> Option<u64> {
        const FAR: u32 = 1 << 31;
        let offsets = HEAD + self.count() * (ID + 4);
        let near = u32::from_be_bytes(self.read(offsets + number * 4)?);
        if near & FAR == 0 {
            return Some(u64::from(near));
        }
        let at = offsets + self.count() * 4 + u64::from(near & !FAR) * 8;
        match at + 8 <= self.len {
            true => Some(u64::from_be_bytes(self.read(at)?)),
            false => None,
        }
    }
}
