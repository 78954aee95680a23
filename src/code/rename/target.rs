//! What is renamed: all definitions that are one thing.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Language;
use super::super::grammar::{SymbolKind, base_name};
use super::super::parse::walk;
use super::super::symbols::{Definition, definitions};
use super::heirs::Heirs;
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
    /// The types that have another member of the name, in a language that links with the target's.
    pub(super) strangers: BTreeSet<String>,
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

/// What the name means as a member of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Target,
    /// Another member of the same name.
    Other,
    /// The type is made from something that the project does not have, which may have such a member.
    Unknown,
    /// The type has no such member.
    Nothing,
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

/// What can be told from another member of the name by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Method,
    Field,
    Type,
}

/// What tells two definitions of a name apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// A member of a type, in languages that link. A field, a method and a type can have one name.
    Member(Language, String, Sort),
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
        adopt_heirs(&mut all, project);
        if all.is_empty() {
            return Err(RenameError::NoDefinition {
                name: name.to_owned(),
            });
        }
        let is_in = |candidate: &Candidate<'_>, owner: &str| {
            let container = candidate.definition.container.as_ref();
            container.is_some_and(|container| {
                container.name == owner || container.through.as_deref() == Some(owner)
            })
        };
        // What stands before the name is a type if there is one that has it, and a file otherwise.
        let is_type = owner.is_some_and(|owner| all.iter().any(|one| is_in(one, owner)));
        let fits = |candidate: &Candidate<'_>| {
            let by_owner = owner.is_none_or(|owner| match is_type {
                true => is_in(candidate, owner),
                false => {
                    let mut parts = candidate.home.file.split(['/', '.']);
                    parts.any(|part| part == owner)
                }
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
        let narrow: [fn(&Key) -> bool; 3] = [
            |key| !matches!(key, Key::Member(..)),
            |key| !matches!(key, Key::Member(.., Sort::Field)),
            |key| matches!(key, Key::Member(.., Sort::Method)),
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
        let language = first.source.language;
        let heirs = project.heirs(language);
        let outside = outside.or_else(|| overridden(&mine, heirs));
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
        let owner = |candidate: &Candidate<'_>| {
            let container = candidate.definition.container.as_ref();
            container.map(|container| container.name.clone())
        };
        let family: BTreeSet<String> = mine
            .iter()
            .filter(|candidate| is_member(candidate))
            .filter_map(owner)
            .collect();
        let near = |candidate: &&Candidate<'_>| candidate.source.language.links_with(language);
        let sort = sort_of(&first.definition);
        let strangers: BTreeSet<String> = rest
            .iter()
            .filter(near)
            .filter(|candidate| is_member(candidate) && sort_of(&candidate.definition) == sort)
            .filter_map(owner)
            .collect();
        let family = with_heirs(family, &strangers, heirs, language);
        Ok(Self {
            strangers,
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

    /// Says what the name means as a member of a type.
    pub(super) fn seen_in(&self, name: &str, heirs: &Heirs) -> Seen {
        if self.family.contains(name) {
            return Seen::Target;
        }
        let above = heirs.ancestors(name);
        let has_other = |name: &&str| self.strangers.contains(*name);
        if has_other(&name) {
            return Seen::Other;
        }
        // One of two that it is made from may come first.
        if above.iter().any(|parent| self.family.contains(*parent)) {
            return Seen::Unknown;
        }
        if above.iter().any(has_other) {
            return Seen::Other;
        }
        match above.iter().all(|parent| heirs.knows(parent)) {
            true => Seen::Nothing,
            false => Seen::Unknown,
        }
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
        Some(container) if container.is_type => Key::Member(
            source.language.kin(),
            container.name.clone(),
            sort_of(&definition),
        ),
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

fn sort_of(definition: &Definition<'_>) -> Sort {
    match definition.kind {
        SymbolKind::Field => Sort::Field,
        SymbolKind::Type => Sort::Type,
        _ => Sort::Method,
    }
}

impl Candidate<'_> {
    /// Tells whether its words say that it defines anew what another has.
    fn says_override(&self) -> bool {
        let mut says = false;
        walk(self.definition.node, |node| {
            says |= match node.kind() {
                "marker_annotation" => self.source.text[node.byte_range()].ends_with("Override"),
                "virtual_specifier" => &self.source.text[node.byte_range()] == "override",
                "override_modifier" => true,
                _ => false,
            };
            let is_body = matches!(
                node.kind(),
                "block" | "compound_statement" | "statement_block"
            );
            !says && !is_body
        });
        says
    }

    /// Tells whether it is in a class without a name.
    fn is_in_nameless(&self) -> bool {
        let body = self.definition.node.parent();
        let made = body.and_then(|body| body.parent());
        made.is_some_and(|made| made.kind() == "object_creation_expression")
    }

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
            let kin = candidate.source.language.kin();
            candidate.key = Key::Member(kin, name, sort_of(&candidate.definition));
        }
    }
}

/// Makes the members of a class, and those that its heirs define anew, one.
fn adopt_heirs(all: &mut [Candidate<'_>], project: &Project) {
    let is_virtual = |candidate: &Candidate<'_>| match sort_of(&candidate.definition) {
        Sort::Method => true,
        // In the other languages two fields of a name are two.
        Sort::Field => matches!(
            candidate.source.language.kin(),
            Language::Python | Language::JavaScript
        ),
        Sort::Type => false,
    };
    // What the members of each type are one with by now.
    let mut keys: BTreeMap<Key, Key> = BTreeMap::new();
    for candidate in all.iter().filter(|candidate| is_virtual(candidate)) {
        keys.insert(candidate.key.clone(), candidate.key.clone());
    }
    let members: Vec<Key> = keys.keys().cloned().collect();
    for member in &members {
        let Key::Member(language, owner, sort) = member else {
            continue;
        };
        for parent in project.heirs(*language).ancestors(owner) {
            let parent = Key::Member(*language, parent.to_owned(), *sort);
            let known = keys.get(&parent).cloned();
            let own = keys.get(member).cloned();
            if let (Some(known), Some(own)) = (known, own) {
                for key in keys.values_mut().filter(|key| **key == own) {
                    *key = known.clone();
                }
            }
        }
    }
    for candidate in all.iter_mut() {
        if is_virtual(candidate)
            && let Some(key) = keys.get(&candidate.key)
        {
            candidate.key = key.clone();
        }
    }
}

/// Adds the types that have the member from one of these, and from nowhere else.
fn with_heirs(
    mut family: BTreeSet<String>,
    strangers: &BTreeSet<String>,
    heirs: &Heirs,
    language: Language,
) -> BTreeSet<String> {
    // In Java a class is made from one other, and what else it is made from comes after that.
    let is_single = language == Language::Java;
    let brings_nothing = |name: &str| {
        let above = heirs.ancestors(name);
        let mut all = above.into_iter().chain([name]);
        all.all(|name| !strangers.contains(name) && (is_single || heirs.knows(name)))
    };
    let below: Vec<String> = heirs.of(&family).map(str::to_owned).collect();
    loop {
        let has_it = |name: &&String| {
            let mut parents = heirs.parents(name);
            !family.contains(*name)
                && !strangers.contains(*name)
                && heirs.parents(name).any(|parent| family.contains(parent))
                && parents.all(|parent| family.contains(parent) || brings_nothing(parent))
        };
        let new: Vec<String> = below.iter().filter(has_it).cloned().collect();
        if new.is_empty() {
            return family;
        }
        family.extend(new);
    }
}

/// Names what a member is said to define anew, where that is not in this project.
fn overridden(mine: &[Candidate<'_>], heirs: &Heirs) -> Option<String> {
    mine.iter().find_map(|candidate| {
        let container = candidate.definition.container.as_ref()?;
        let is_type = candidate.definition.kind == SymbolKind::Type;
        if !container.is_type || is_type || !candidate.says_override() {
            return None;
        }
        let is_java = candidate.source.language == Language::Java;
        let mut above = heirs.ancestors(&container.name);
        if candidate.is_in_nameless() {
            above.insert(0, &container.name);
        }
        let is_ours = mine.iter().any(|other| {
            let owner = other.definition.container.as_ref();
            owner.is_some_and(|owner| above.contains(&owner.name.as_str()))
                && !other.is_in_nameless()
        });
        // In Java all classes are made from this one.
        let root = is_java.then_some("Object");
        let mut outside = above.into_iter().filter(|name| !heirs.knows(name));
        let outside = outside.next().or(root).map(str::to_owned);
        outside.filter(|_| !is_ours)
    })
}

fn is_static(source: &Source, definition: &Definition<'_>) -> bool {
    let before = &source.text[definition.node.start_byte()..definition.name.start_byte()];
    before.split_whitespace().any(|word| word == "static") && definition.container.is_none()
}
