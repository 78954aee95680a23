//! What the built-in servers know besides their tools: names that are there, and whose a file is.

use std::sync::Arc;

use crate::protocol::KnownKind;

/// Lists names, in any order. It may read files, so it is called where it may block.
pub type Names = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// Tells whether the user keeps a file, by its path in the primary root. It may read files.
pub type Keeps = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What the built-in servers know besides their tools. The composition root fills it in.
#[derive(Clone, Default)]
pub struct Knowledge {
    names: Vec<(KnownKind, Names)>,
    keeps: Option<Keeps>,
}

impl Knowledge {
    /// Adds a list of names.
    pub fn add_names(&mut self, kind: KnownKind, names: Names) {
        self.names.push((kind, names));
    }

    /// Says how to tell the user's files from those that came from elsewhere. Without this, all files are the user's.
    pub fn tell_kept(&mut self, keeps: Keeps) {
        self.keeps = Some(keeps);
    }

    /// Lists the names of each kind.
    pub fn names(&self) -> Vec<(KnownKind, Vec<String>)> {
        let each = self.names.iter();
        each.map(|(kind, names)| (*kind, names())).collect()
    }

    /// Tells whether the user keeps a file.
    pub fn keeps(&self, path: &str) -> bool {
        self.keeps.as_ref().is_none_or(|keeps| keeps(path))
    }
}

impl std::fmt::Debug for Knowledge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds: Vec<KnownKind> = self.names.iter().map(|(kind, _)| *kind).collect();
        f.debug_struct("Knowledge").field("names", &kinds).finish()
    }
}
