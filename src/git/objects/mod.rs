//! Objects, read from the packs of a repository and from its loose files.
//!
//! libgit2 takes a lock, allocates and parses for each object that it hands out, which is most of the time of a walk
//! through a history. Here an object is its bytes: unpacked once, kept for those that build on it, and looked into
//! where they lie. What is not found here (a store that is borrowed from, a form of pack that is not known, an object
//! that came a moment ago) is read by libgit2. Each thread has a reader of its own; they share the open files.

mod delta;
mod index;
mod kept;
mod pack;
mod parts;

use std::path::PathBuf;
use std::sync::Arc;

use git2::{ObjectType, Odb, Oid};

use self::pack::{Packs, Reader};
pub(super) use self::parts::{Entry, Node, Parts, entries, entry_in};
use super::{GitError, Repo};

/// An object as it is stored.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) kind: ObjectType,
    pub(super) bytes: Vec<u8>,
}

impl Stored {
    /// Returns a file of nothing.
    pub(super) fn empty() -> Arc<Self> {
        Arc::new(Self {
            kind: ObjectType::Blob,
            bytes: Vec::new(),
        })
    }
}

/// Reads objects. It is as good for a store of which nothing is packed, or of which nothing can be read here.
pub(super) struct Objects {
    reader: Reader,
    folder: PathBuf,
    /// Opened when something is missing.
    others: Option<Odb<'static>>,
}

/// What a thread makes its reader from.
#[derive(Clone)]
pub(super) struct Store {
    packs: Arc<Packs>,
    folder: PathBuf,
}

impl Repo {
    /// Opens the store of objects for reading by several threads.
    pub(super) fn store(&self) -> Store {
        let open = || {
            let folder = self.git.commondir().join("objects");
            Store {
                packs: Arc::new(Packs::open(&folder)),
                folder,
            }
        };
        self.objects.get_or_init(open).clone()
    }

    /// Opens the store of objects for reading.
    pub(super) fn objects(&self) -> Objects {
        self.store().objects()
    }
}

impl Store {
    /// Makes a reader for one thread.
    pub(super) fn objects(&self) -> Objects {
        Objects {
            reader: Reader::new(Arc::clone(&self.packs), &self.folder),
            folder: self.folder.clone(),
            others: None,
        }
    }
}

impl Objects {
    /// Reads an object.
    ///
    /// # Errors
    ///
    /// When there is none, or it is broken.
    pub(super) fn read(&mut self, id: Oid) -> Result<Arc<Stored>, GitError> {
        if let Some(found) = self.reader.read(id) {
            return Ok(found);
        }
        let others = match self.others.take() {
            Some(others) => others,
            None => {
                let others = Odb::new()?;
                others.add_disk_alternate(&self.folder.to_string_lossy())?;
                others
            }
        };
        let object = self.others.insert(others).read(id)?;
        Ok(Arc::new(Stored {
            kind: object.kind(),
            bytes: object.data().to_vec(),
        }))
    }

    /// Reads an object that has to be of a kind.
    ///
    /// # Errors
    ///
    /// When it is another, or cannot be read.
    pub(super) fn read_as(&mut self, kind: ObjectType, id: Oid) -> Result<Arc<Stored>, GitError> {
        let found = self.read(id)?;
        match found.kind == kind {
            true => Ok(found),
            false => Err(GitError::Failed {
                doing: format!("read the {kind} {id}"),
                problem: format!("it is a {}", found.kind),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
