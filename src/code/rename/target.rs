//! What is renamed: all definitions that are one thing.

use std::collections::BTreeSet;

use super::super::Language;
use super::super::grammar::{SymbolKind, base_name};
use super::super::parse::walk;
use super::super::symbols::{Definition, definitions};
use super::modules::{Home, inner_modules};
use super::source::{Project, Source};
use super::{RenameError, Request, Sight};

/// One thing, with all the places that define it.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) kind: SymbolKind,
    pub(super) language: Language,
    /// The types whose member it is; empty for what is none.
    pub(super) family: BTreeSet<String>,
    pub(super) homes: Vec<Home>,
    /// File and byte of each definition.
    pub(super) places: BTreeSet<(String, usize)>,
    /// The same of what else has the name.
    pub(super) other_places: BTreeSet<(String, usize)>,
    /// Where else the same name is defined.
    pub(super) others: Vec<Home>,
    pub(super) has_other_members: bool,
    /// A struct of Go has it as a field without a name, which has the type's name then.
    pub(super) is_embedded: bool,
    /// It can be seen in its own file alone.
    pub(super) is_private: bool,
}

/// A definition of the name.
struct Candidate<'a> {
    source: &'a Source,
    definition: Definition<'a>,
    home: Home,
    line: usize,
    /// It and those with the same key are one thing.
    key: Key,
}

/// Whether a member is a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum IsField {
    No,
    Yes,
}

/// What tells two definitions of a name apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// A member of a type. A field and a method can have one name.
    Member(String, IsField),
    /// In a module of a file.
    Free(String, Vec<String>),
    /// Of the whole program, as in C.
    Program,
}

impl Target {
    /// Chooses what is meant.
    pub(super) fn choose(project: &Project, request: &Request<'_>) -> Result<Self, RenameError> {
        let (owner, name) = request.parts();
        let mut all: Vec<Candidate<'_>> = Vec::new();
        for source in &project.sources {
            for definition in definitions(source.language, &source.parsed, &source.text) {
                let is_named = source.text[definition.name.byte_range()] == *name;
                if is_named && !definition.is_local {
                    all.push(candidate(source, definition));
                }
            }
        }
        adopt_traits(&mut all);
        if all.is_empty() {
            return Err(RenameError::NoDefinition {
                name: name.to_owned(),
            });
        }
        let fits = |candidate: &Candidate<'_>| {
            let by_owner = owner.is_none_or(|owner| {
                let container = candidate.definition.container.as_ref();
                container.is_some_and(|container| {
                    container.name == owner || container.through.as_deref() == Some(owner)
                }) || candidate
                    .home
                    .file
                    .split(['/', '.'])
                    .any(|part| part == owner)
            });
            let by_path = request
                .path
                .is_none_or(|path| candidate.source.path == path);
            by_owner && by_path
        };
        let mut keys: Vec<Key> = all
            .iter()
            .filter(|candidate| fits(candidate))
            .map(|candidate| candidate.key.clone())
            .collect();
        keys.sort();
        keys.dedup();
        // A bare name means what is no member, and a member's name the method: that can be asked for in no other way.
        let narrow: [fn(&Key) -> bool; 2] = [
            |key| !matches!(key, Key::Member(..)),
            |key| matches!(key, Key::Member(_, IsField::No)),
        ];
        for keep in narrow {
            if keys.len() > 1 && keys.iter().filter(|key| keep(key)).count() == 1 {
                keys.retain(keep);
            }
        }
        let [key] = keys.as_slice() else {
            let sights = all
                .iter()
                .filter(|candidate| keys.is_empty() || fits(candidate))
                .map(Candidate::sight);
            return Err(RenameError::Ambiguous {
                name: request.old.to_owned(),
                places: sights.collect(),
            });
        };
        let (mine, rest): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|candidate| candidate.key == *key);
        let Some(first) = mine.first() else {
            return Err(RenameError::NoDefinition {
                name: name.to_owned(),
            });
        };
        if first.definition.kind == SymbolKind::Module {
            return Err(RenameError::Module {
                name: name.to_owned(),
            });
        }
        let outside = mine.iter().find_map(|candidate| {
            let through = candidate.definition.container.as_ref()?.through.as_ref()?;
            let has_trait = mine.iter().any(|other| {
                other
                    .definition
                    .container
                    .as_ref()
                    .is_some_and(|container| container.name == *through)
            });
            (!has_trait).then(|| through.clone())
        });
        if let Some(outside) = outside {
            return Err(RenameError::Foreign {
                name: name.to_owned(),
                of: outside,
            });
        }
        let is_member = |candidate: &Candidate<'_>| {
            candidate
                .definition
                .container
                .as_ref()
                .is_some_and(|container| container.is_type)
        };
        let family = mine
            .iter()
            .filter(|candidate| is_member(candidate))
            .filter_map(|candidate| Some(candidate.definition.container.as_ref()?.name.clone()))
            .collect();
        let language = first.source.language;
        let near = |candidate: &&Candidate<'_>| candidate.source.language.links_with(language);
        Ok(Self {
            name: name.to_owned(),
            kind: first.definition.kind,
            language,
            family,
            homes: mine
                .iter()
                .map(|candidate| candidate.home.clone())
                .collect(),
            places: mine.iter().map(Candidate::place).collect(),
            other_places: rest.iter().map(Candidate::place).collect(),
            others: rest
                .iter()
                .filter(near)
                .filter(|candidate| !is_member(candidate))
                .map(|candidate| candidate.home.clone())
                .collect(),
            has_other_members: rest.iter().filter(near).any(is_member),
            is_embedded: language == Language::Go
                && first.definition.kind == SymbolKind::Type
                && project.sources.iter().any(|source| embeds(source, name)),
            is_private: matches!(key, Key::Free(..))
                && matches!(language, Language::C | Language::Cpp),
        })
    }

    /// Tells whether it is a member of a type.
    pub(super) fn is_member(&self) -> bool {
        !self.family.is_empty()
    }
}

fn candidate<'a>(source: &'a Source, definition: Definition<'a>) -> Candidate<'a> {
    let home = Home {
        file: source.path.clone(),
        inner: inner_modules(source, definition.name),
    };
    let is_c = matches!(source.language, Language::C | Language::Cpp);
    let key = match &definition.container {
        Some(container) if container.is_type => {
            Key::Member(container.name.clone(), is_field(&definition))
        }
        _ if is_c && !is_static(source, &definition) => Key::Program,
        // A package of Go is a folder.
        _ if source.language == Language::Go => {
            let folder = source
                .path
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            Key::Free(folder.to_owned(), Vec::new())
        }
        _ => Key::Free(source.path.clone(), home.inner.clone()),
    };
    Candidate {
        line: definition.name.start_position().row + 1,
        source,
        home,
        key,
        definition,
    }
}

/// Tells whether a struct has a field that is called by its type alone (Go specification, "Struct types").
fn embeds(source: &Source, name: &str) -> bool {
    let mut found = false;
    walk(source.parsed.root(), |node| {
        let is_embedded =
            node.kind() == "field_declaration" && node.child_by_field_name("name").is_none();
        let kind = node.child_by_field_name("type").filter(|_| is_embedded);
        found |= kind.is_some_and(|kind| source.text[base_name(kind).byte_range()] == *name);
        !found
    });
    found
}

fn is_field(definition: &Definition<'_>) -> IsField {
    match definition.kind {
        SymbolKind::Field => IsField::Yes,
        _ => IsField::No,
    }
}

impl Candidate<'_> {
    fn place(&self) -> (String, usize) {
        (self.source.path.clone(), self.definition.name.start_byte())
    }

    fn sight(&self) -> Sight {
        let line = self.source.text.lines().nth(self.line - 1);
        Sight {
            path: self.source.path.clone(),
            line: self.line,
            text: line.unwrap_or_default().trim().to_owned(),
            why: "defined here",
        }
    }
}

/// Makes the members of a trait, and those of all that implement it, one.
fn adopt_traits(all: &mut [Candidate<'_>]) {
    let through = |candidate: &Candidate<'_>| {
        let container = candidate.definition.container.as_ref()?;
        container.through.clone()
    };
    for candidate in all.iter_mut() {
        if let Some(name) = through(candidate) {
            candidate.key = Key::Member(name, is_field(&candidate.definition));
        }
    }
}

fn is_static(source: &Source, definition: &Definition<'_>) -> bool {
    let before = &source.text[definition.node.start_byte()..definition.name.start_byte()];
    before.split_whitespace().any(|word| word == "static") && definition.container.is_none()
}
