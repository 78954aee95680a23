//! What the built-in servers know besides their tools: names that are there, and whose a file is.

use std::sync::Arc;

use crate::protocol::KnownKind;

/// Lists names, in any order. It may read files, so it is called where it may block.
pub type Names = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// Returns those of some files that the user does not keep, by their paths in the primary root. It may read files.
pub type Unkept = Arc<dyn Fn(&[String]) -> Vec<String> + Send + Sync>;

/// Names the user, as commits name their author. It may read files.
pub type Author = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// What the built-in servers know besides their tools. The composition root fills it in.
#[derive(Clone, Default)]
pub struct Knowledge {
    names: Vec<(KnownKind, Names)>,
    unkept: Option<Unkept>,
    author: Option<Author>,
}

impl Knowledge {
    /// Adds a list of names.
    pub fn add_names(&mut self, kind: KnownKind, names: Names) {
        self.names.push((kind, names));
    }

    /// Says how to tell the user's files from those that came from elsewhere. Without this, all files are the user's.
    pub fn tell_unkept(&mut self, unkept: Unkept) {
        self.unkept = Some(unkept);
    }

    /// Says how the user is named in commits. Without this, all commits are somebody else's.
    pub fn tell_author(&mut self, author: Author) {
        self.author = Some(author);
    }

    /// Lists the names of each kind.
    pub fn names(&self) -> Vec<(KnownKind, Vec<String>)> {
        let each = self.names.iter();
        each.map(|(kind, names)| (*kind, names())).collect()
    }

    /// Returns those of some files that the user does not keep.
    pub fn unkept(&self, paths: &[String]) -> Vec<String> {
        let unkept = self.unkept.as_ref();
        unkept.map_or_else(Vec::new, |unkept| unkept(paths))
    }

    /// Names the user, as commits name their author.
    pub fn author(&self) -> Option<String> {
        self.author.as_ref().and_then(|author| author())
    }
}

impl std::fmt::Debug for Knowledge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds: Vec<KnownKind> = self.names.iter().map(|(kind, _)| *kind).collect();
        f.debug_struct("Knowledge").field("names", &kinds).finish()
    }
}
