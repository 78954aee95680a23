//! Whether a place means the target where that is a member of a type.

use tree_sitter::Node;

use super::super::super::Language;
use super::super::super::grammar::SymbolKind;
use super::super::receiver;
use super::super::role::{Role, enclosing_type, enclosing_types};
use super::super::scopes::enclosing;
use super::super::target::Seen;
use super::{Decider, Means, sees_outward};

impl Decider<'_> {
    /// Decides on a place where the target is a member.
    pub(super) fn member(&self, leaf: Node<'_>, role: &Role) -> Means {
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

    /// Tells whether nothing that the project does not have can make a member of the type around a place and the target
    /// one.
    pub(super) fn is_apart(&self, leaf: Node<'_>) -> bool {
        let heirs = self.project.heirs(self.source.language);
        enclosing_type(self.source, leaf).is_some_and(|own| {
            let above = heirs.ancestors(&own);
            heirs.knows(&own) && above.iter().all(|parent| heirs.knows(parent))
        })
    }
}
