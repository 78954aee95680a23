//! The commits that a walk comes by: who their parents are, and what stands at a path in each.

#![expect(
    clippy::disallowed_methods,
    reason = "the repository's own lists of commits whose parents are others than they say"
)]

use std::collections::HashMap;
use std::fs;

use git2::{ObjectType, Oid};

use super::objects::{Node, Objects, Parts, entry_in};
use super::{GitError, Repo};

/// Reads commits and trees for one walk.
pub(super) struct History {
    pub(super) objects: Objects,
    /// Commits with other parents than they say: where a shallow copy ends, and what was grafted.
    grafted: HashMap<Oid, Vec<Oid>>,
    nodes: HashMap<Oid, Node>,
    places: Places,
}

/// What stands at a path in trees that were looked at already. Most commits leave most trees as they are, so most
/// paths are known after one step down.
type Places = HashMap<String, HashMap<Oid, Option<Oid>>>;

impl Repo {
    /// Prepares a walk through the history.
    pub(super) fn history(&self) -> History {
        History {
            objects: self.objects(),
            grafted: self.grafted(),
            nodes: HashMap::new(),
            places: Places::new(),
        }
    }

    fn grafted(&self) -> HashMap<Oid, Vec<Oid>> {
        let mut grafted = HashMap::new();
        for file in ["info/grafts", "shallow"] {
            let text = fs::read_to_string(self.git.commondir().join(file)).unwrap_or_default();
            for line in text.lines() {
                let ids = line.split_ascii_whitespace().map(Oid::from_str);
                let Ok(ids) = ids.collect::<Result<Vec<Oid>, _>>() else {
                    continue;
                };
                if let [id, parents @ ..] = ids.as_slice() {
                    grafted.insert(*id, parents.to_vec());
                }
            }
        }
        grafted
    }

    /// Reads a commit as libgit2 does, for one that is not written as usual.
    fn node_of(&self, id: Oid) -> Result<Node, GitError> {
        let commit = self.git.find_commit(id)?;
        Ok(Node {
            tree: commit.tree_id(),
            parents: commit.parent_ids().collect(),
            time: commit.time().seconds(),
        })
    }
}

impl History {
    /// Returns what a walk needs of a commit.
    pub(super) fn node(&mut self, repo: &Repo, id: Oid) -> Result<Node, GitError> {
        if let Some(known) = self.nodes.get(&id) {
            return Ok(known.clone());
        }
        let stored = self.objects.read_as(ObjectType::Commit, id)?;
        let mut node = match Parts::of(&stored.bytes).node() {
            Some(node) => node,
            None => repo.node_of(id)?,
        };
        if let Some(parents) = self.grafted.get(&id) {
            node.parents.clone_from(parents);
        }
        self.nodes.insert(id, node.clone());
        Ok(node)
    }

    /// Returns the object at a path of a commit.
    pub(super) fn at(
        &mut self,
        repo: &Repo,
        commit: Oid,
        path: &str,
    ) -> Result<Option<Oid>, GitError> {
        let tree = self.node(repo, commit)?.tree;
        self.beneath(tree, path)
    }

    fn beneath(&mut self, tree: Oid, path: &str) -> Result<Option<Oid>, GitError> {
        if let Some(known) = self.places.get(path).and_then(|known| known.get(&tree)) {
            return Ok(*known);
        }
        let (name, rest) = path.split_once('/').unwrap_or((path, ""));
        let stored = self.objects.read_as(ObjectType::Tree, tree)?;
        let found = match entry_in(&stored.bytes, name.as_bytes()) {
            None => None,
            Some(entry) if rest.is_empty() => Some(entry.id),
            Some(entry) if entry.is_tree() => self.beneath(entry.id, rest)?,
            Some(_) => None,
        };
        match self.places.get_mut(path) {
            Some(known) => known.insert(tree, found),
            None => self
                .places
                .entry(path.to_owned())
                .or_default()
                .insert(tree, found),
        };
        Ok(found)
    }
}
