//! Which names a piece of a file uses, and which stand in the rest of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use tree_sitter::Node;

use super::super::super::grammar::is_name;
use super::super::super::parse::walk;
use super::super::super::symbols::definitions;
use super::super::super::{Language, Parsed};
use super::super::scopes::Locals;
use super::{MoveError, Scene};

/// A text with its tree.
#[derive(Clone, Copy)]
pub(super) struct Code<'a> {
    pub(super) language: Language,
    pub(super) parsed: &'a Parsed,
    pub(super) text: &'a str,
}

impl Scene<'_> {
    /// Returns the text that an item is moved out of, and the one that it is moved to.
    pub(super) fn codes(&self) -> (Code<'_>, Code<'_>) {
        let code = |parsed, text| Code {
            language: self.from.language,
            parsed,
            text,
        };
        (
            code(&self.from.parsed, self.from.text.as_str()),
            code(&self.to.parsed, self.to.text.as_str()),
        )
    }

    /// Says why it is not certain that everything would mean what it meant.
    pub(super) fn not_certain(&self, why: String) -> MoveError {
        MoveError::NotCertain {
            name: self.target.name.clone(),
            why,
        }
    }

    /// Says that the other file has a name already.
    pub(super) fn taken(&self, name: &str) -> MoveError {
        MoveError::Taken {
            name: name.to_owned(),
            path: self.to.path.clone(),
        }
    }
}

impl<'a> Code<'a> {
    /// Returns what stands at a node.
    pub(super) fn at(&self, node: Node<'_>) -> &'a str {
        &self.text[node.byte_range()]
    }

    /// Returns what stands at the top of the file.
    pub(super) fn top(&self) -> Vec<Node<'a>> {
        let root = self.parsed.root();
        let mut cursor = root.walk();
        root.named_children(&mut cursor).collect()
    }

    /// Returns the names that leaves have which `takes` keeps and that no function binds, with their places.
    pub(super) fn free_names(
        &self,
        takes: impl Fn(Node<'a>) -> bool,
    ) -> BTreeMap<&'a str, Vec<usize>> {
        let mut names: BTreeMap<&'a str, Vec<usize>> = BTreeMap::new();
        walk(self.parsed.root(), |node| {
            if node.child_count() == 0 && is_name(node.kind()) && takes(node) {
                names
                    .entry(self.at(node))
                    .or_default()
                    .push(node.start_byte());
            }
            true
        });
        names.retain(|name, places| {
            let locals = Locals::of(self.language, self.parsed, self.text, name);
            places.retain(|at| !locals.holds(*at));
            !places.is_empty()
        });
        names
    }

    /// Returns the names that are defined at the top of the file, outside of a piece.
    pub(super) fn defined(&self, without: Option<&Range<usize>>) -> BTreeSet<&'a str> {
        definitions(self.language, self.parsed, self.text)
            .into_iter()
            .filter(|one| !one.is_local && one.container.is_none())
            .filter(|one| without.is_none_or(|piece| !piece.contains(&one.name.start_byte())))
            .map(|one| self.at(one.name))
            .collect()
    }
}

/// Returns a file's folder; empty for the top.
pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Returns the last name of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Puts an item at the end of a text, a blank line before it.
pub(super) fn at_end(text: &str, item: &str) -> String {
    let gap = match text {
        text if text.trim().is_empty() => "",
        text if text.ends_with("\n\n") => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    format!("{gap}{}\n", item.trim_end())
}
