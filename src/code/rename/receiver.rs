//! What type a name has, where its own function says so: `x: T`, `let x = T::new()`, `x = T(…)`, `T x`, `x := &T{…}`.

use tree_sitter::Node;

use super::super::Language;
use super::super::grammar::{base_name, is_function};
use super::super::parse::walk;
use super::scopes::field_of;
use super::source::Source;

/// Says which type a local name has at a place, if its function tells.
pub(super) fn type_of(source: &Source, leaf: Node<'_>, name: &str) -> Option<String> {
    let mut function = leaf.parent()?;
    loop {
        if is_function(source.language, function.kind()) {
            let found = type_in(source, function, name, leaf.start_byte());
            if found.is_some() {
                return found;
            }
        }
        match function.parent() {
            Some(parent) => function = parent,
            // What stands on the file's own level is seen everywhere in it.
            None => return None,
        }
    }
}

fn type_in(source: &Source, function: Node<'_>, name: &str, before: usize) -> Option<String> {
    let mut found: Vec<Option<String>> = Vec::new();
    walk(function, |node| {
        if node.start_byte() >= before {
            return false;
        }
        if node.child_count() == 0
            && node.kind() == "identifier"
            && source.text.get(node.byte_range()) == Some(name)
            && let Some(kind) = declared(source, node)
        {
            found.push(kind);
        }
        true
    });
    // Two declarations that do not agree tell nothing.
    let first = found.first()?.clone()?;
    found
        .iter()
        .all(|kind| kind.as_ref() == Some(&first))
        .then_some(first)
}

/// Reads what a declaration says of the type of its name; `Some(None)` where it declares without saying.
fn declared(source: &Source, leaf: Node<'_>) -> Option<Option<String>> {
    let text = |node: Node<'_>| source.text[base_name(node).byte_range()].to_owned();
    let mut node = leaf;
    // `mut x`, `*x`.
    while let Some(parent) = node.parent()
        && matches!(
            parent.kind(),
            "mut_pattern"
                | "pointer_declarator"
                | "reference_declarator"
                | "init_declarator"
                | "expression_list"
        )
        && (parent.kind() != "init_declarator" || field_of(node) == Some("declarator"))
    {
        node = parent;
    }
    let parent = node.parent()?;
    let field = field_of(node);
    let declares = matches!(
        (parent.kind(), field),
        ("let_declaration" | "parameter", Some("pattern"))
            | ("required_parameter" | "optional_parameter", Some("pattern"))
            | ("assignment" | "short_var_declaration", Some("left"))
            | ("typed_parameter", None)
            | (
                "typed_default_parameter"
                    | "variable_declarator"
                    | "formal_parameter"
                    | "parameter_declaration"
                    | "var_spec",
                Some("name")
            )
            | ("parameter_declaration" | "declaration", Some("declarator"))
    );
    if !declares {
        return None;
    }
    let kind = parent.child_by_field_name("type").or_else(|| {
        let outer = parent.parent()?;
        // The type of a Java variable stands before all of its declarators.
        (outer.kind() == "local_variable_declaration")
            .then(|| outer.child_by_field_name("type"))
            .flatten()
    });
    if let Some(kind) = kind
        && !matches!(text(kind).as_str(), "var" | "auto")
    {
        return Some(Some(text(kind)));
    }
    let value = ["value", "right"]
        .into_iter()
        .find_map(|field| parent.child_by_field_name(field));
    Some(value.and_then(|value| made(source, value)))
}

/// Says which type an expression makes, if it names one.
fn made(source: &Source, value: Node<'_>) -> Option<String> {
    let mut value = value;
    for _ in 0..4 {
        value = match value.kind() {
            "expression_list" | "reference_expression" | "unary_expression" | "await" => {
                let last = u32::try_from(value.named_child_count())
                    .ok()?
                    .checked_sub(1)?;
                value.named_child(last)?
            }
            _ => break,
        };
    }
    let named = |node: Node<'_>| source.text[base_name(node).byte_range()].to_owned();
    let is_type = |name: &String| name.starts_with(char::is_uppercase);
    match (source.language, value.kind()) {
        (Language::Rust, "struct_expression") => value.child_by_field_name("name").map(named),
        // `T::new(…)`: what a constructor is called says that it makes one.
        (Language::Rust, "call_expression") => {
            let function = value.child_by_field_name("function")?;
            let path = function.child_by_field_name("path")?;
            let name = &source.text[function.child_by_field_name("name")?.byte_range()];
            let makes = matches!(name, "new" | "default" | "open") || name.starts_with("with_");
            Some(named(path)).filter(|name| makes && is_type(name))
        }
        (Language::Python, "call") => {
            let function = value.child_by_field_name("function")?;
            (function.kind() == "identifier")
                .then(|| named(function))
                .filter(is_type)
        }
        (Language::JavaScript | Language::TypeScript | Language::Tsx, "new_expression") => {
            value.child_by_field_name("constructor").map(named)
        }
        (Language::Java, "object_creation_expression") | (Language::Go, "composite_literal") => {
            value.child_by_field_name("type").map(named)
        }
        (Language::Cpp, "new_expression") => value.child_by_field_name("type").map(named),
        _ => None,
    }
}
