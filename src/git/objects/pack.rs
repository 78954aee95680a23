//! The packs of a store, and the reader that unpacks from them.

#![expect(
    clippy::disallowed_methods,
    reason = "the repository's own store, which was found to lie inside the roots when it was opened"
)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::{Decompress, FlushDecompress, Status};
use git2::{ObjectType, Oid};

use super::Stored;
use super::delta;
use super::index::Index;
use super::kept::Kept;

/// The largest object that is unpacked here.
const MAX_OBJECT: usize = 256 * 1024 * 1024;

/// The most changes that build on each other, and the most bytes that they have together.
const MAX_CHAIN: usize = 10_000;

/// A pack is read in blocks, of which the last ones are kept.
const BLOCK: u64 = 16 * 1024;
const BLOCKS: usize = 256;

/// The packs of a store that can be read here.
pub(super) struct Packs(Vec<Pack>);

struct Pack {
    file: File,
    index: Index,
}

impl Packs {
    /// Opens the packs in a folder of objects. One that cannot be read is left to libgit2.
    pub(super) fn open(objects: &Path) -> Self {
        let mut packs = Vec::new();
        let entries = fs::read_dir(objects.join("pack"));
        for entry in entries.into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "idx") {
                continue;
            }
            let opened = File::open(&path).ok().and_then(Index::open);
            let file = File::open(path.with_extension("pack")).ok();
            if let (Some(index), Some(file)) = (opened, file) {
                packs.push(Pack { file, index });
            }
        }
        Self(packs)
    }
}

/// Unpacks objects; one for each thread.
pub(super) struct Reader {
    packs: Arc<Packs>,
    objects: PathBuf,
    kept: Kept,
    blocks: Vec<Option<Block>>,
    inflate: Decompress,
    /// The pack in which the last object was found.
    last: usize,
}

struct Block {
    pack: usize,
    number: u64,
    bytes: Vec<u8>,
}

/// What stands before an object in a pack.
struct Head {
    kind: u8,
    size: usize,
    /// Where what follows begins.
    body: u64,
}

impl Reader {
    pub(super) fn new(packs: Arc<Packs>, objects: &Path) -> Self {
        Self {
            packs,
            objects: objects.to_owned(),
            kept: Kept::default(),
            blocks: (0..BLOCKS).map(|_| None).collect(),
            inflate: Decompress::new(true),
            last: 0,
        }
    }

    /// Reads an object, if it is there in a form that is known here.
    pub(super) fn read(&mut self, id: Oid) -> Option<Arc<Stored>> {
        let count = self.packs.0.len();
        for turn in 0..count {
            let pack = (self.last + turn) % count;
            if let Some(offset) = self.packs.0[pack].index.find(id) {
                self.last = pack;
                return self.unpack(pack, offset);
            }
        }
        self.loose(id)
    }

    fn unpack(&mut self, pack: usize, offset: u64) -> Option<Arc<Stored>> {
        let mut changes = Vec::new();
        let mut bytes = 0;
        let mut at = offset;
        let mut object = loop {
            if let Some(known) = self.kept.get((pack, at)) {
                break known;
            }
            let head = self.head(pack, at)?;
            let mut body = head.body;
            let base = match head.kind {
                1..=4 => {
                    let object = Arc::new(Stored {
                        kind: kind_of(head.kind)?,
                        bytes: self.inflated(pack, body, head.size)?,
                    });
                    self.kept.put((pack, at), &object);
                    break object;
                }
                // So far before this one; each byte but the last adds one, so that no distance has two forms.
                6 => {
                    let mut byte = self.byte(pack, &mut body)?;
                    let mut distance = u64::from(byte & 0x7f);
                    while byte & 0x80 != 0 {
                        byte = self.byte(pack, &mut body)?;
                        distance = (distance + 1).checked_mul(128)? | u64::from(byte & 0x7f);
                    }
                    at.checked_sub(distance).filter(|base| *base < at)?
                }
                7 => {
                    let mut id = [0; 20];
                    for byte in &mut id {
                        *byte = self.byte(pack, &mut body)?;
                    }
                    self.packs.0[pack].index.find(Oid::from_bytes(&id).ok()?)?
                }
                _ => return None,
            };
            bytes += head.size;
            if changes.len() >= MAX_CHAIN || bytes > MAX_OBJECT {
                return None;
            }
            changes.push((at, self.inflated(pack, body, head.size)?));
            at = base;
        };
        for (at, change) in changes.into_iter().rev() {
            object = Arc::new(Stored {
                kind: object.kind,
                bytes: delta::apply(&object.bytes, &change, MAX_OBJECT)?,
            });
            self.kept.put((pack, at), &object);
        }
        Some(object)
    }

    fn head(&mut self, pack: usize, at: u64) -> Option<Head> {
        let mut body = at;
        let mut byte = self.byte(pack, &mut body)?;
        let kind = (byte >> 4) & 7;
        let mut size = usize::from(byte & 15);
        let mut shift = 4;
        while byte & 0x80 != 0 {
            byte = self.byte(pack, &mut body)?;
            size |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if shift > 40 {
                return None;
            }
        }
        (size <= MAX_OBJECT).then_some(Head { kind, size, body })
    }

    fn byte(&mut self, pack: usize, at: &mut u64) -> Option<u8> {
        let block = block(&mut self.blocks, &self.packs, pack, *at / BLOCK)?;
        let byte = block.get((*at % BLOCK) as usize).copied();
        *at += 1;
        byte
    }

    fn inflated(&mut self, pack: usize, mut at: u64, size: usize) -> Option<Vec<u8>> {
        self.inflate.reset(true);
        // One more, so that the end of the stream is seen.
        let mut out = Vec::with_capacity(size + 1);
        loop {
            let block = block(&mut self.blocks, &self.packs, pack, at / BLOCK)?;
            let input = block.get((at % BLOCK) as usize..)?;
            if input.is_empty() {
                return None;
            }
            let before = self.inflate.total_in();
            let status = self
                .inflate
                .decompress_vec(input, &mut out, FlushDecompress::None)
                .ok()?;
            let taken = self.inflate.total_in() - before;
            at += taken;
            match status {
                Status::StreamEnd => return (out.len() == size).then_some(out),
                _ if out.len() > size || taken == 0 => return None,
                Status::Ok | Status::BufError => {}
            }
        }
    }

    /// Reads an object that has a file of its own.
    fn loose(&mut self, id: Oid) -> Option<Arc<Stored>> {
        const MAX_HEAD: usize = 32;
        let name = id.to_string();
        let path = self.objects.join(&name[..2]).join(&name[2..]);
        let file = fs::metadata(&path).ok()?;
        if !file.is_file() || file.len() > MAX_OBJECT as u64 {
            return None;
        }
        let packed = fs::read(path).ok()?;
        self.inflate.reset(true);
        let mut head = Vec::with_capacity(MAX_HEAD);
        let mut status = self
            .inflate
            .decompress_vec(&packed, &mut head, FlushDecompress::None)
            .ok()?;
        let end = head.iter().position(|byte| *byte == 0)?;
        let (kind, size) = std::str::from_utf8(&head[..end]).ok()?.split_once(' ')?;
        let size: usize = size.parse().ok().filter(|size| *size <= MAX_OBJECT)?;
        let mut bytes = Vec::with_capacity(size + MAX_HEAD);
        bytes.extend_from_slice(&head[end + 1..]);
        while status != Status::StreamEnd {
            let (taken, made) = (self.inflate.total_in(), bytes.len());
            let rest = packed.get(usize::try_from(taken).ok()?..)?;
            status = self
                .inflate
                .decompress_vec(rest, &mut bytes, FlushDecompress::None)
                .ok()?;
            // Nothing more comes, or more than was said.
            let stands = (taken, made) == (self.inflate.total_in(), bytes.len());
            if status != Status::StreamEnd && (stands || bytes.len() > size) {
                return None;
            }
        }
        let kind = ObjectType::from_str(kind)?;
        (bytes.len() == size).then(|| Arc::new(Stored { kind, bytes }))
    }
}

fn kind_of(kind: u8) -> Option<ObjectType> {
    match kind {
        1 => Some(ObjectType::Commit),
        2 => Some(ObjectType::Tree),
        3 => Some(ObjectType::Blob),
        4 => Some(ObjectType::Tag),
        _ => None,
    }
}

/// Returns a block of a pack; the last one of it is shorter, and what is behind it is empty.
fn block<'a>(
    blocks: &'a mut [Option<Block>],
    packs: &Packs,
    pack: usize,
    number: u64,
) -> Option<&'a [u8]> {
    let slot = &mut blocks[(number as usize).wrapping_add(pack.wrapping_mul(97)) % BLOCKS];
    let there = slot
        .as_ref()
        .is_some_and(|block| block.pack == pack && block.number == number);
    if !there {
        let mut bytes = slot.take().map(|block| block.bytes).unwrap_or_default();
        bytes.resize(BLOCK as usize, 0);
        let mut read = 0;
        while read < bytes.len() {
            let at = number.checked_mul(BLOCK)? + read as u64;
            match packs.0[pack].file.read_at(&mut bytes[read..], at) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        bytes.truncate(read);
        *slot = Some(Block {
            pack,
            number,
            bytes,
        });
    }
    slot.as_ref().map(|block| block.bytes.as_slice())
}
