//! Which files differ between two trees, found in the trees' own bytes.
//!
//! Folders of which both sides have the same id are not looked into. Where anything but ordinary files differs, or
//! files may have been moved, the answer is libgit2's.

use std::cmp::Ordering;

use git2::{ObjectType, Oid};

use super::objects::{Entry, Objects, Stored, entries};
use super::plain::Plain;
use super::printed::Change;
use super::{GitError, Repo};

/// How deep folders may lie.
const MAX_DEPTH: usize = 200;

impl Repo {
    /// Returns what differs between two trees, or between nothing and a tree, in the order of the paths; `None` where
    /// it is not a plain matter.
    pub(super) fn plain_changes(
        &self,
        old: Option<Oid>,
        new: Oid,
    ) -> Result<Option<Vec<Change>>, GitError> {
        let mut walk = Walk {
            repo: self,
            objects: self.objects(),
            plain: self.plain(),
            changes: Vec::new(),
        };
        if walk.folder("", [old, Some(new)], 0)?.is_none() {
            return Ok(None);
        }
        let changes = walk.changes;
        let added = changes.iter().any(|change| change.modes()[0] == 0);
        let deleted = changes.iter().any(|change| change.modes()[1] == 0);
        let moved = match self.renames() {
            Renames::Ignored => false,
            Renames::Found => added && deleted,
            Renames::AndCopies => added,
        };
        Ok((!moved).then_some(changes))
    }

    /// Returns what is made of a file that was added where another was deleted.
    pub(super) fn renames(&self) -> Renames {
        match self.settings.get("diff.renames").unwrap_or("true") {
            "false" | "no" | "off" | "0" => Renames::Ignored,
            "copies" | "copy" => Renames::AndCopies,
            _ => Renames::Found,
        }
    }
}

/// What is made of files that may have been moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Renames {
    Ignored,
    Found,
    AndCopies,
}

struct Walk<'a> {
    repo: &'a Repo,
    objects: Objects,
    plain: Plain,
    changes: Vec<Change>,
}

impl Walk<'_> {
    /// Compares two folders, of which one may not be there.
    fn folder(
        &mut self,
        path: &str,
        sides: [Option<Oid>; 2],
        depth: usize,
    ) -> Result<Option<()>, GitError> {
        self.repo.go_on()?;
        if depth > MAX_DEPTH {
            return Ok(None);
        }
        let mut read = |id: Option<Oid>| match id {
            Some(id) => self.objects.read_as(ObjectType::Tree, id),
            None => Ok(Stored::empty()),
        };
        let [old, new] = [read(sides[0])?, read(sides[1])?];
        let (mut olds, mut news) = (entries(&old.bytes), entries(&new.bytes));
        let (mut before, mut after) = (olds.next(), news.next());
        loop {
            let order = match (&before, &after) {
                (None, None) => return Ok(Some(())),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(before), Some(after)) => in_order(before, after),
            };
            let one = before.filter(|_| order != Ordering::Greater);
            let other = after.filter(|_| order != Ordering::Less);
            if one.is_some() {
                before = olds.next();
            }
            if other.is_some() {
                after = news.next();
            }
            if let (Some(one), Some(other)) = (one, other)
                && (one.id, one.mode) == (other.id, other.mode)
            {
                continue;
            }
            if self.entry(path, [one, other], depth)?.is_none() {
                return Ok(None);
            }
        }
    }

    fn entry(
        &mut self,
        folder: &str,
        [old, new]: [Option<Entry<'_>>; 2],
        depth: usize,
    ) -> Result<Option<()>, GitError> {
        let name = old.or(new).map(|entry| std::str::from_utf8(entry.name));
        let Some(Ok(name)) = name else {
            return Ok(None);
        };
        let path = match folder {
            "" => name.to_owned(),
            folder => format!("{folder}/{name}"),
        };
        let sides = [old, new];
        let ids = sides.map(|side| side.map(|entry| entry.id));
        let trees = sides.into_iter().flatten().filter(Entry::is_tree).count();
        if trees > 0 {
            // They stand in different places of the two trees if only one of them is a folder.
            return match trees == sides.into_iter().flatten().count() {
                true => self.folder(&path, ids, depth + 1),
                false => Ok(None),
            };
        }
        let modes = sides.map(|side| side.map_or(0, |entry| entry.mode));
        let at = self.changes.len();
        let change = Change::plain(at, &path, ids, modes, &mut self.plain);
        Ok(change.map(|change| self.changes.push(change)))
    }
}

/// Compares as git sorts a tree: a folder as if its name ended with `/`.
fn in_order(a: &Entry<'_>, b: &Entry<'_>) -> Ordering {
    let shared = a.name.len().min(b.name.len());
    let next = |entry: &Entry<'_>| match entry.name.get(shared) {
        Some(byte) => *byte,
        None if entry.is_tree() => b'/',
        None => 0,
    };
    a.name[..shared]
        .cmp(&b.name[..shared])
        .then_with(|| next(a).cmp(&next(b)))
}
