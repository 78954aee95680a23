//! What a name means that stands for itself, with nothing before it.

use tree_sitter::Node;

use super::super::super::Language;
use super::super::super::grammar::{SymbolKind, is_name};
use super::super::super::parse::walk;
use super::super::imports::{self, Import, import_of};
use super::super::modules::{Home, Leads, inner_modules};
use super::{Decider, Means};

/// What the name means in a file where nothing stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InFile {
    Target,
    Other,
    Unsure(&'static str),
}

impl Decider<'_> {
    pub(super) fn plain_at(&self, leaf: Node<'_>) -> InFile {
        // A file can hold several modules that each have one.
        if self.source.language == Language::Rust && !self.target.others.is_empty() {
            let inner = inner_modules(self.source, leaf);
            let homes = |homes: &[Home]| {
                homes
                    .iter()
                    .any(|home| home.file == self.source.path && home.inner == inner)
            };
            if homes(&self.target.homes) {
                return InFile::Target;
            }
            if homes(&self.target.others) {
                return InFile::Other;
            }
        }
        self.plain
    }

    /// Says what the plain name means in this file, outside of functions that have their own.
    pub(super) fn in_file(&mut self) -> InFile {
        let (target, source) = (self.target, self.source);
        let mut imports: Vec<(Import, Means)> = Vec::new();
        walk(source.parsed.root(), |node| {
            if node.child_count() == 0
                && source.text.get(node.byte_range()) == Some(target.name.as_str())
                && is_name(node.kind())
                && !self.locals.holds(node.start_byte())
                && let Some(import) = import_of(source, node)
            {
                let means = self.imported(node, &import);
                imports.push((import, means));
            }
            true
        });
        if target.is_member() {
            self.imports_member = imports
                .iter()
                .any(|(import, means)| !import.is_aliased && *means == Means::Target);
            return InFile::Other;
        }
        let known = imports
            .iter()
            .filter(|(import, _)| !import.is_aliased && !import.is_alias)
            .map(|(_, means)| *means);
        // The target's own import wins over another's in a function of the same file.
        let mut known: Vec<Means> = known.collect();
        known.sort_by_key(|means| *means != Means::Target);
        if target.homes.iter().any(|home| home.file == source.path) {
            return InFile::Target;
        }
        if imports.iter().any(|(import, _)| import.is_alias) {
            return InFile::Other;
        }
        match known.first() {
            Some(Means::Target) => return InFile::Target,
            Some(Means::Unsure(why)) => return InFile::Unsure(why),
            Some(_) => return InFile::Other,
            None => {}
        }
        if target.others.iter().any(|home| home.file == source.path) {
            return InFile::Other;
        }
        let folder = |path: &str| {
            path.rsplit_once('/')
                .map_or("", |(folder, _)| folder)
                .to_owned()
        };
        let together = target
            .homes
            .iter()
            .any(|home| folder(&home.file) == folder(&source.path));
        match source.language {
            Language::C | Language::Cpp => return InFile::Target,
            Language::Go if together => return InFile::Target,
            Language::Java if together => return InFile::Target,
            Language::Rust if target.kind == SymbolKind::Macro => {
                return match target.others.is_empty() {
                    true => InFile::Target,
                    false => InFile::Unsure("a macro of several"),
                };
            }
            _ => {}
        }
        let root = source.parsed.root();
        let mut found = InFile::Other;
        for path in imports::wildcards(source) {
            match self.leads(root, &path) {
                Leads::ToTarget => return InFile::Target,
                Leads::Unsure => found = InFile::Unsure("all of several modules is imported here"),
                Leads::Elsewhere => {}
            }
        }
        found
    }
}
