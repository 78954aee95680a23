//! Whether a place where the name stands means the target.

mod members;
mod plain;

use tree_sitter::Node;

use super::super::Language;
use super::super::grammar::SymbolKind;
use super::imports::{self, Import, import_of};
use super::modules::{Leads, leads};
use super::packages;
use super::role::{Role, enclosing_types, role};
use super::scopes::{Locals, field_of};
use super::source::{Project, Source};
use super::target::{Seen, Target};
use plain::InFile;

/// What a place means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    Target,
    /// The target, by a name that stands for a key as well.
    TargetAndKey,
    /// The key of the target, by a name that stands for a value as well.
    KeyAndValue,
    Other,
    Unsure(&'static str),
}

/// One file, looked at for one target.
pub(super) struct Decider<'a> {
    project: &'a Project,
    target: &'a Target,
    source: &'a Source,
    locals: Locals,
    plain: InFile,
    modules: Vec<imports::Known>,
    imports_member: bool,
}

/// Macros whose arguments are expressions. What others make of a name is theirs to know.
const EXPRESSION_MACROS: &[&str] = &[
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "print",
    "println",
    "eprint",
    "eprintln",
    "format",
    "format_args",
    "write",
    "writeln",
    "vec",
    "panic",
    "todo",
    "unimplemented",
    "unreachable",
    "dbg",
    "matches",
    "bail",
    "anyhow",
    "ensure",
    "try_join",
    "join",
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "prop_assert",
    "prop_assert_eq",
    "prop_assert_ne",
    "thread_local",
    "assert_matches",
];

impl<'a> Decider<'a> {
    pub(super) fn new(project: &'a Project, target: &'a Target, source: &'a Source) -> Self {
        let name = &target.name;
        let mut decider = Self {
            project,
            target,
            source,
            locals: Locals::of(source.language, &source.parsed, &source.text, name),
            plain: InFile::Other,
            modules: imports::modules(source),
            imports_member: false,
        };
        if source.language == Language::Go {
            packages::name_as_declared(&mut decider.modules, project, &target.homes);
        }
        decider.plain = decider.in_file();
        decider
    }

    /// Says what a place means.
    pub(super) fn decide(&self, leaf: Node<'_>) -> Means {
        let (target, source) = (self.target, self.source);
        let at = leaf.start_byte();
        let place = (source.path.clone(), at);
        if target.places.contains(&place) {
            return Means::Target;
        }
        if target.other_places.contains(&place) {
            // A class that is made from another, or an interface, may have the same member.
            let inherits = !matches!(source.language, Language::Rust | Language::C);
            let is_near = source.language.links_with(target.language);
            let is_apart = source.language == Language::Java && self.is_apart(leaf);
            return match target.is_member() && inherits && is_near && !is_apart {
                true => Means::Unsure("the same member of another type, which may be inherited"),
                false => Means::Other,
            };
        }
        if !source.language.links_with(target.language) {
            return Means::Other;
        }
        if target.is_private && !target.homes.iter().any(|home| home.file == source.path) {
            return Means::Other;
        }
        if source.language == Language::Java
            && let Some(means) = self.in_java(leaf)
        {
            return means;
        }
        if source.language == Language::Rust
            && let Some(unsure) = in_unknown_macro(source, leaf)
        {
            return unsure;
        }
        if let Some(import) = import_of(source, leaf) {
            return self.imported(leaf, &import);
        }
        let role = role(source, leaf);
        match target.is_member() {
            true => self.member(leaf, &role),
            false => self.free(leaf, &role),
        }
    }

    /// Says what a place means that Java's syntax alone decides on: methods, types and values have names of their own
    /// (Java Language Specification, section 6.5).
    fn in_java(&self, leaf: Node<'_>) -> Option<Means> {
        let parent = leaf.parent()?;
        if matches!(
            parent.kind(),
            "constructor_declaration" | "compact_constructor_declaration"
        ) && field_of(leaf) == Some("name")
        {
            let class = parent.parent()?.parent()?;
            let named = class.child_by_field_name("name");
            let place = |name: Node<'_>| (self.source.path.clone(), name.start_byte());
            let is_own = named.is_some_and(|name| self.target.places.contains(&place(name)));
            return Some(if is_own { Means::Target } else { Means::Other });
        }
        if import_of(self.source, leaf).is_some() || leaf.kind() == "comment" {
            return None;
        }
        let is_method = match parent.kind() {
            "method_invocation" | "method_declaration" => field_of(leaf) == Some("name"),
            "method_reference" => leaf.prev_sibling().is_some_and(|dots| dots.kind() == "::"),
            _ => false,
        };
        let is_type = leaf.kind() == "type_identifier";
        let fits = match self.target.kind {
            SymbolKind::Method | SymbolKind::Function => is_method,
            SymbolKind::Type => !is_method,
            SymbolKind::Field | SymbolKind::Constant => !is_method && !is_type,
            _ => true,
        };
        (!fits).then_some(Means::Other)
    }

    fn leads(&self, leaf: Node<'_>, path: &str) -> Leads {
        let target = self.target;
        leads(
            self.project,
            self.source,
            leaf,
            path,
            &target.homes,
            &target.others,
        )
    }

    fn imported(&self, leaf: Node<'_>, import: &Import) -> Means {
        if import.is_alias {
            return Means::Other;
        }
        if self.target.is_member() {
            let last = import.from.rsplit("::").next().unwrap_or_default();
            return match self.target.family.contains(last) {
                true => Means::Target,
                false => Means::Other,
            };
        }
        match self.leads(leaf, &import.from) {
            Leads::ToTarget => Means::Target,
            Leads::Elsewhere => Means::Other,
            Leads::Unsure => Means::Unsure("imported from where several things may have this name"),
        }
    }

    fn free(&self, leaf: Node<'_>, role: &Role) -> Means {
        let is_local = || self.locals.holds(leaf.start_byte());
        match role {
            Role::Plain | Role::Shorthand(_) if is_local() => Means::Other,
            Role::Plain if self.is_nested(leaf) => Means::Other,
            Role::Plain => match self.plain_at(leaf) {
                InFile::Target => Means::Target,
                InFile::Other => Means::Other,
                InFile::Unsure(why) => Means::Unsure(why),
            },
            Role::Shorthand(_) => match self.plain_at(leaf) {
                InFile::Target => Means::TargetAndKey,
                InFile::Other => Means::Other,
                InFile::Unsure(why) => Means::Unsure(why),
            },
            Role::Key(_) if self.target.is_embedded => self.embedded(),
            Role::Key(_) => Means::Other,
            Role::Qualified(path) if self.source.language == Language::Rust => {
                let last = path.rsplit("::").next().unwrap_or_default();
                if path.is_empty() || last.starts_with(char::is_uppercase) {
                    return Means::Other;
                }
                match self.leads(leaf, path) {
                    Leads::ToTarget => Means::Target,
                    Leads::Elsewhere => Means::Other,
                    Leads::Unsure => Means::Unsure("a path that may lead to several things"),
                }
            }
            Role::Qualified(path) => {
                let last = path.rsplit("::").next().unwrap_or_default();
                let mut inner = self.target.homes.iter().flat_map(|home| &home.inner);
                match last {
                    "" => Means::Target,
                    last if inner.any(|name| name == last) => Means::Target,
                    last if self.project.modules.contains(last) => {
                        Means::Unsure("a namespace that may be another")
                    }
                    _ => Means::Other,
                }
            }
            Role::Member(receiver) => self.free_member(leaf, receiver.as_deref()),
        }
    }

    /// Tells whether a type around a place has a type of its own by that name.
    fn is_nested(&self, leaf: Node<'_>) -> bool {
        let (target, heirs) = (self.target, self.project.heirs(self.source.language));
        sees_outward(self.source.language)
            && target.kind == SymbolKind::Type
            && enclosing_types(self.source, leaf)
                .any(|own| target.seen_in(&own, heirs) == Seen::Other)
    }

    /// Decides on `a.name` where the target is no member: `a` may be the module.
    fn free_member(&self, leaf: Node<'_>, receiver: Option<&str>) -> Means {
        let dynamic = matches!(
            self.source.language,
            Language::Python | Language::JavaScript | Language::TypeScript | Language::Tsx
        );
        let Some(receiver) = receiver else {
            if self.target.is_embedded {
                return self.embedded();
            }
            return match dynamic && !self.target.has_other_members {
                true => Means::Unsure("an attribute of something unknown"),
                false => Means::Other,
            };
        };
        // A class of Java by its package: the folder that it is in.
        let is_package = |home: &super::modules::Home| {
            let folder = home.file.rsplit_once('/').map_or("", |(folder, _)| folder);
            folder
                .replace('/', ".")
                .strip_suffix(receiver)
                .is_some_and(|above| above.is_empty() || above.ends_with('.'))
        };
        if self.source.language == Language::Java && self.target.homes.iter().any(is_package) {
            return Means::Target;
        }
        let module = self.modules.iter().find(|known| known.name == receiver);
        if let Some(module) = module {
            return match self.leads(leaf, &module.path) {
                Leads::ToTarget => Means::Target,
                Leads::Elsewhere => Means::Other,
                Leads::Unsure => Means::Unsure("an attribute of a module that may be another"),
            };
        }
        match receiver {
            _ if self.target.is_embedded => self.embedded(),
            "self" | "cls" | "this" | "super" => Means::Other,
            _ if dynamic && !self.target.has_other_members => {
                Means::Unsure("an attribute of something unknown")
            }
            _ => Means::Other,
        }
    }

    /// Decides on a field whose name is its type's.
    fn embedded(&self) -> Means {
        match self.target.has_other_members || !self.target.others.is_empty() {
            true => Means::Unsure("a field that may be another"),
            false => Means::Target,
        }
    }
}

/// Tells whether what stands in a type sees the members of the types around it by their plain names.
fn sees_outward(language: Language) -> bool {
    matches!(language, Language::Java | Language::Cpp)
}

/// Says that a place is not sure where a macro makes of it what it likes.
fn in_unknown_macro(source: &Source, leaf: Node<'_>) -> Option<Means> {
    let mut node = leaf;
    while let Some(parent) = node.parent() {
        match parent.kind() {
            "macro_definition" if parent.child_by_field_name("name") != Some(leaf) => {
                return Some(Means::Unsure("inside of a macro's definition"));
            }
            "attribute" => return Some(Means::Unsure("in an attribute")),
            "macro_invocation" => {
                let name = parent.child_by_field_name("macro")?;
                if name.byte_range().contains(&leaf.start_byte()) {
                    return None;
                }
                let name = source.text[name.byte_range()].rsplit("::").next()?;
                if !EXPRESSION_MACROS.contains(&name) {
                    return Some(Means::Unsure("in the arguments of a macro"));
                }
            }
            _ => {}
        }
        node = parent;
    }
    None
}
