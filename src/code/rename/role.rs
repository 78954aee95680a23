//! What a name is at one place, as the text around it tells: it works inside macros, too, where there is no tree.

use tree_sitter::Node;

use super::super::Language;
use super::super::grammar::{self, base_name};
use super::scopes::{enclosing, field_of};
use super::source::Source;

/// What a name is at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// After a dot, with what is before the dot if that is a plain name or path.
    Member(Option<String>),
    /// After `::`, with what is before it.
    Qualified(String),
    /// The name of an argument or of a field that is given a value; with the type, where that stands there.
    Key(Option<String>),
    /// A name that stands for a key and for a value at once.
    Shorthand(Option<String>),
    Plain,
}

/// Says what a name is at its place.
pub(super) fn role(source: &Source, leaf: Node<'_>) -> Role {
    let before = code_before(&source.text, leaf);
    let rust_or_cpp = matches!(source.language, Language::Rust | Language::Cpp);
    if rust_or_cpp && let Some(path) = before.strip_suffix("::") {
        return Role::Qualified(path_before(path));
    }
    // `A.<T>method()` has more than a dot before the name.
    if let (Language::Java, Some(call)) = (source.language, leaf.parent())
        && call.kind() == "method_invocation"
        && field_of(leaf) == Some("name")
        && let Some(object) = call.child_by_field_name("object")
    {
        return Role::Member(receiver_before(&source.text[..object.end_byte()]));
    }
    let dotted = match source.language {
        Language::JavaScript | Language::TypeScript | Language::Tsx => before
            .strip_suffix("?.")
            .or_else(|| {
                before
                    .strip_suffix('.')
                    .filter(|rest| !rest.ends_with(".."))
            })
            .or_else(|| before.strip_suffix(".#")),
        Language::C | Language::Cpp => before
            .strip_suffix("->")
            .or_else(|| before.strip_suffix('.').filter(|rest| !rest.ends_with('.'))),
        // `Type::method` is one that is not called yet.
        Language::Java => before
            .strip_suffix("::")
            .or_else(|| before.strip_suffix('.').filter(|rest| !rest.ends_with('.'))),
        _ => before.strip_suffix('.').filter(|rest| !rest.ends_with('.')),
    };
    if let Some(receiver) = dotted
        && !is_import(leaf)
    {
        return Role::Member(receiver_before(receiver));
    }
    let Some(parent) = leaf.parent() else {
        return Role::Plain;
    };
    let type_of = |node: Option<Node<'_>>, field: &str| {
        let named = base_name(node?.child_by_field_name(field)?);
        Some(source.text[named.byte_range()].to_owned())
    };
    match (parent.kind(), field_of(leaf)) {
        ("keyword_argument", Some("name")) | ("pair", Some("key")) => Role::Key(None),
        ("field_initializer", Some("field" | "name")) => {
            Role::Key(type_of(enclosing(leaf, &["struct_expression"]), "name"))
        }
        ("shorthand_field_initializer", _) => {
            Role::Shorthand(type_of(enclosing(leaf, &["struct_expression"]), "name"))
        }
        ("field_pattern", Some("name")) => {
            let of = type_of(enclosing(leaf, &["struct_pattern"]), "type");
            match leaf.kind() {
                "shorthand_field_identifier" => Role::Shorthand(of),
                _ => Role::Key(of),
            }
        }
        ("field_designator", _) => Role::Key(None),
        ("literal_element", _)
            if parent
                .parent()
                .is_some_and(|element| element.kind() == "keyed_element")
                && field_of(parent) == Some("key") =>
        {
            Role::Key(type_of(enclosing(leaf, &["composite_literal"]), "type"))
        }
        ("object", _) if leaf.kind() == "shorthand_property_identifier" => Role::Shorthand(None),
        ("object_pattern", _) | ("object_assignment_pattern", Some("left"))
            if leaf.kind() == "shorthand_property_identifier_pattern" =>
        {
            Role::Shorthand(None)
        }
        (
            "labeled_statement" | "label" | "break_statement" | "continue_statement" | "lifetime",
            _,
        ) => Role::Key(None),
        _ => Role::Plain,
    }
}

/// Returns the text up to a place, without the comments that it would end with: they often end with a full stop.
pub(super) fn code_before<'a>(text: &'a str, leaf: Node<'_>) -> &'a str {
    let mut node = leaf;
    while let Some(before) = leaf_before(node) {
        if !before.kind().contains("comment") {
            return text[..before.end_byte()].trim_end();
        }
        node = before;
    }
    ""
}

/// Finds the last node without children that ends before a node.
fn leaf_before(mut node: Node<'_>) -> Option<Node<'_>> {
    let mut before = loop {
        match node.prev_sibling() {
            Some(before) => break before,
            None => node = node.parent()?,
        }
    };
    while !before.kind().contains("comment")
        && let Some(last) = before.child_count().checked_sub(1)
    {
        before = before.child(last)?;
    }
    Some(before)
}

fn is_import(leaf: Node<'_>) -> bool {
    enclosing(
        leaf,
        &[
            "import_declaration",
            "import_from_statement",
            "import_statement",
        ],
    )
    .is_some()
}

/// Reads the path that ends here: `a::b` of `x + a::b`, and nothing of `<T as A>`.
fn path_before(text: &str) -> String {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let mut path: Vec<&str> = Vec::new();
    let mut rest = text.trim_end();
    loop {
        // The arguments of `Vec::<u8>::new` are no part of the name.
        if rest.ends_with('>')
            && let Some(open) = rest.rfind('<')
            && rest[..open].ends_with("::")
        {
            rest = rest[..open].trim_end_matches("::");
        }
        let start = rest
            .char_indices()
            .rev()
            .take_while(|(_, c)| part(*c))
            .last()
            .map_or(rest.len(), |(at, _)| at);
        if start == rest.len() {
            break;
        }
        path.push(&rest[start..]);
        match rest[..start].trim_end().strip_suffix("::") {
            Some(before) => rest = before.trim_end(),
            None => break,
        }
    }
    path.reverse();
    path.join("::")
}

/// Reads the plain name or dotted path that ends here; `None` for a call or another expression.
fn receiver_before(text: &str) -> Option<String> {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.');
    let text = text.trim_end();
    let start = text
        .char_indices()
        .rev()
        .take_while(|(_, c)| part(*c))
        .last()
        .map(|(at, _)| at)?;
    let receiver = text[start..].trim_matches('.');
    // What is before it goes on with it: `f(x).y.z`, `a[1].b`.
    let rest = text[..start].trim_end();
    let goes_on = text[start..].starts_with('.') || rest.ends_with("::") || rest.ends_with("->");
    let is_number = receiver.starts_with(|c: char| c.is_ascii_digit());
    (!receiver.is_empty() && !goes_on && !is_number).then(|| receiver.to_owned())
}

/// Returns the type that a place is inside of, and the type of its `self`.
pub(super) fn enclosing_type(source: &Source, leaf: Node<'_>) -> Option<String> {
    enclosing_types(source, leaf).next()
}

/// Returns the types that a place is inside of, from the innermost.
pub(super) fn enclosing_types<'a>(
    source: &'a Source,
    leaf: Node<'a>,
) -> impl Iterator<Item = String> + 'a {
    let around = std::iter::successors(leaf.parent(), |node| node.parent());
    around.filter_map(move |node| type_at(source, node, leaf))
}

/// Returns the type that a node is, or is a member of by its own words.
fn type_at(source: &Source, node: Node<'_>, leaf: Node<'_>) -> Option<String> {
    let named = |node: Node<'_>| Some(source.text[base_name(node).byte_range()].to_owned());
    if source.language == Language::Go
        && node.kind() == "method_declaration"
        && let Some(list) = node.child_by_field_name("receiver")
        && let Some(kind) = list
            .named_child(0)
            .and_then(|receiver| receiver.child_by_field_name("type"))
    {
        return named(kind);
    }
    if matches!(source.language, Language::Cpp)
        && node.kind() == "function_definition"
        && let Some(path) = qualified_declarator(node)
    {
        return named(path);
    }
    let owner = grammar::owner(source.language, node)?;
    // What stands in its head is outside of it.
    let is_head = matches!(source.language, Language::Java | Language::Cpp)
        && node
            .child_by_field_name("body")
            .is_some_and(|body| !body.byte_range().contains(&leaf.start_byte()));
    let is_within = owner.is_type && owner.name != leaf && !is_head;
    is_within.then(|| source.text[owner.name.byte_range()].to_owned())
}

fn qualified_declarator(function: Node<'_>) -> Option<Node<'_>> {
    let mut node = function.child_by_field_name("declarator")?;
    for _ in 0..8 {
        if node.kind() == "qualified_identifier" {
            return node.child_by_field_name("scope");
        }
        node = node.child_by_field_name("declarator")?;
    }
    None
}
