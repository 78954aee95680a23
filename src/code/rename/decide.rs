//! Whether a place where the name stands means the target.

use tree_sitter::Node;

use super::super::Language;
use super::super::grammar::SymbolKind;
use super::super::parse::walk;
use super::imports::{self, Import, import_of};
use super::modules::{Leads, leads};
use super::packages;
use super::receiver;
use super::role::{Role, enclosing_type, enclosing_types, role};
use super::scopes::{Locals, enclosing, field_of};
use super::source::{Project, Source};
use super::target::{Seen, Target};

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

/// What the name means in a file where nothing stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InFile {
    Target,
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

    /// Tells whether nothing that the project does not have can make a member of the type around a place and the target
    /// one.
    fn is_apart(&self, leaf: Node<'_>) -> bool {
        let heirs = self.project.heirs(self.source.language);
        enclosing_type(self.source, leaf).is_some_and(|own| {
            let above = heirs.ancestors(&own);
            heirs.knows(&own) && above.iter().all(|parent| heirs.knows(parent))
        })
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

    fn member(&self, leaf: Node<'_>, role: &Role) -> Means {
        let family = &self.target.family;
        let of = |name: &str| match family.contains(name) {
            true => Means::Target,
            false => Means::Other,
        };
        let own = || enclosing_type(self.source, leaf);
        let is_field = self.target.kind == SymbolKind::Field;
        if self.source.language == Language::Rust && matches!(role, Role::Member(_)) {
            // Without parentheses it is a field, with them a method.
            let after = self.source.text[leaf.end_byte()..].trim_start();
            let is_call = after.starts_with('(') || after.starts_with("::");
            if is_call == is_field {
                return Means::Other;
            }
        }
        match role {
            Role::Member(None) => {
                let known = receiver::type_before(self.project, self.source, leaf);
                self.of_type(leaf, known.as_deref())
            }
            Role::Member(Some(receiver)) => match receiver.as_str() {
                "self" | "this" | "cls" => match own() {
                    Some(own) => self.of_self(leaf, &own).unwrap_or(Means::Other),
                    None => Means::Other,
                },
                "super" if self.source.language == Language::Java => self.of_super(leaf),
                name if family.contains(name) => Means::Target,
                name => {
                    let known = receiver::type_of(self.source, leaf, name);
                    self.of_type(leaf, known.as_deref())
                }
            },
            Role::Qualified(path) => match path.rsplit("::").next().unwrap_or_default() {
                "" => Means::Unsure("a member of something unknown"),
                "Self" => own().map_or(Means::Other, |own| of(&own)),
                last => of(last),
            },
            Role::Key(Some(name)) | Role::Shorthand(Some(name)) if is_field => {
                let name = match name.as_str() {
                    "Self" => own().unwrap_or_default(),
                    name => name.to_owned(),
                };
                match (family.contains(&name), role) {
                    (false, _) => Means::Other,
                    (true, Role::Key(_)) => Means::Target,
                    (true, _) => Means::KeyAndValue,
                }
            }
            Role::Key(None) if is_field => Means::Unsure("the name of an argument or key"),
            Role::Key(_) | Role::Shorthand(_) => Means::Other,
            Role::Plain if self.locals.holds(leaf.start_byte()) => Means::Other,
            Role::Plain => {
                let implicit = sees_outward(self.source.language)
                    || (self.source.language == Language::Python
                        && enclosing(leaf, &["class_definition", "function_definition"])
                            .is_some_and(|node| node.kind() == "class_definition"));
                let around = enclosing_types(self.source, leaf).take(match implicit {
                    true if sees_outward(self.source.language) => usize::MAX,
                    true => 1,
                    false => 0,
                });
                let mut meant = around.filter_map(|own| self.of_self(leaf, &own));
                match meant.next() {
                    Some(means) => means,
                    None if self.imports_member => Means::Target,
                    None => Means::Other,
                }
            }
        }
    }

    /// Decides on a member of a type around a place; `None` where that type has no such member.
    fn of_self(&self, leaf: Node<'_>, own: &str) -> Option<Means> {
        let heirs = self.project.heirs(self.source.language);
        let is_java = self.source.language == Language::Java;
        match self.target.seen_in(own, heirs) {
            Seen::Target => Some(Means::Target),
            Seen::Other => Some(Means::Other),
            // All classes of Java are known by their text; one that is not is another's.
            Seen::Nothing if heirs.knows(own) => None,
            Seen::Nothing if !is_java && !self.may_inherit(leaf) => None,
            Seen::Nothing | Seen::Unknown => Some(Means::Unsure("a member that may be inherited")),
        }
    }

    /// Decides on `super.name`: it is the member of a class that the one around it is made from.
    fn of_super(&self, leaf: Node<'_>) -> Means {
        let heirs = self.project.heirs(self.source.language);
        let own = enclosing_type(self.source, leaf);
        let above = own.as_deref().map(|own| heirs.ancestors(own));
        let above = above.unwrap_or_default();
        let seen = |seen: Seen| {
            above
                .iter()
                .any(|name| self.target.seen_in(name, heirs) == seen)
        };
        let is_known = above.iter().all(|name| heirs.knows(name));
        match (seen(Seen::Target), seen(Seen::Other)) {
            (true, false) => Means::Target,
            (false, true) => Means::Other,
            (false, false) if is_known => Means::Other,
            _ => Means::Unsure("a member that may be inherited"),
        }
    }

    /// Decides on a member of something of a type, if that is known.
    fn of_type(&self, leaf: Node<'_>, known: Option<&str>) -> Means {
        let unsure = Means::Unsure("a member of something unknown");
        let known = match known {
            Some("Self") => match enclosing_type(self.source, leaf) {
                Some(own) if self.target.family.contains(&own) => return Means::Target,
                _ => return Means::Other,
            },
            Some(known) => known,
            None => return unsure,
        };
        match self
            .target
            .seen_in(known, self.project.heirs(self.source.language))
        {
            Seen::Target => Means::Target,
            // What is declared in Java is what is called.
            Seen::Other if self.source.language == Language::Java => Means::Other,
            // It may be a subclass, or a type that derefs to it.
            _ => unsure,
        }
    }

    /// Tells whether the class around a place has others that it is made from.
    fn may_inherit(&self, leaf: Node<'_>) -> bool {
        let kinds = [
            "class_definition",
            "class_declaration",
            "class_specifier",
            "class",
        ];
        enclosing(leaf, &kinds).is_some_and(|class| {
            let mut cursor = class.walk();
            class.children(&mut cursor).any(|child| {
                matches!(
                    child.kind(),
                    "argument_list"
                        | "class_heritage"
                        | "superclass"
                        | "super_interfaces"
                        | "base_class_clause"
                )
            })
        })
    }

    fn plain_at(&self, leaf: Node<'_>) -> InFile {
        // A file can hold several modules that each have one.
        if self.source.language == Language::Rust && !self.target.others.is_empty() {
            let inner = super::modules::inner_modules(self.source, leaf);
            let homes = |homes: &[super::modules::Home]| {
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
    fn in_file(&mut self) -> InFile {
        let (target, source) = (self.target, self.source);
        let mut imports: Vec<(Import, Means)> = Vec::new();
        walk(source.parsed.root(), |node| {
            if node.child_count() == 0
                && source.text.get(node.byte_range()) == Some(target.name.as_str())
                && super::super::grammar::is_name(node.kind())
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
