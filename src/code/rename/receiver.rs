//! What type a name has, where its own function says so: `x: T`, `let x = T::new()`, `x = T(…)`, `T x`, `x := &T{…}`.

use tree_sitter::Node;

use super::super::Language;
use super::super::grammar::{base_name, is_function};
use super::super::parse::walk;
use super::role::{enclosing_type, enclosing_types};
use super::scopes::field_of;
use super::source::{Project, Source};

/// How many calls that hang on one another are gone through.
const LONGEST_CHAIN: usize = 200;

/// Says which type a name has that stands before a dot, if its function tells, or in Java the class around it.
pub(super) fn type_of(source: &Source, leaf: Node<'_>, receiver: &str) -> Option<String> {
    let is_java = source.language == Language::Java;
    let own = receiver.strip_prefix("this.").filter(|_| is_java);
    let name = own.unwrap_or(receiver);
    let mut around = std::iter::successors(leaf.parent(), |node| node.parent());
    // What stands on the file's own level is seen everywhere in it.
    around.find_map(|node| match node.kind() {
        "class_body" if is_java => field_in(source, node, name).map(Some),
        "lambda_expression" if is_java && own.is_none() => type_in(source, node, name, leaf),
        kind if is_function(source.language, kind) && own.is_none() => {
            type_in(source, node, name, leaf)
        }
        _ => None,
    })?
}

/// Says which type a field of a class of Java has.
fn field_in(source: &Source, body: Node<'_>, name: &str) -> Option<String> {
    let mut cursor = body.walk();
    let mut members = body.named_children(&mut cursor);
    let field = members.find(|field| {
        let mut cursor = field.walk();
        field.kind() == "field_declaration"
            && field
                .children_by_field_name("declarator", &mut cursor)
                .filter_map(|one| one.child_by_field_name("name"))
                .any(|one| source.text.get(one.byte_range()) == Some(name))
    })?;
    let kind = base_name(field.child_by_field_name("type")?);
    Some(source.text[kind.byte_range()].to_owned())
}

/// Says which type an expression is of that stands before a dot, if it tells: `((T) x).f`, `new T().f`, `T().f`; in Java
/// also `x.method().f`.
pub(super) fn type_before(project: &Project, source: &Source, leaf: Node<'_>) -> Option<String> {
    let parent = leaf.parent()?;
    let fields = ["object", "operand", "value", "argument"];
    let mut before = fields
        .into_iter()
        .find_map(|field| parent.child_by_field_name(field))
        .or_else(|| {
            let is_reference = parent.kind() == "method_reference";
            is_reference.then(|| parent.named_child(0)).flatten()
        })?;
    if source.language == Language::Java {
        return of_java(project, source, before, LONGEST_CHAIN);
    }
    while before.kind() == "parenthesized_expression" {
        before = before.named_child(0)?;
    }
    made(source, before)
}

/// Says which type an expression of Java is of, as far as the project's own classes tell.
fn of_java(project: &Project, source: &Source, node: Node<'_>, left: usize) -> Option<String> {
    let left = left.checked_sub(1)?;
    let text = |node: Node<'_>| source.text[node.byte_range()].to_owned();
    let named = |node: Node<'_>| text(base_name(node));
    match node.kind() {
        "parenthesized_expression" => of_java(project, source, node.named_child(0)?, left),
        "cast_expression" | "object_creation_expression" => {
            node.child_by_field_name("type").map(named)
        }
        "generic_type" | "type_identifier" => Some(named(node)),
        "this" => enclosing_type(source, node),
        // A name that is no variable is a class.
        "identifier" | "field_access" => type_of(source, node, &text(node)).or_else(|| {
            let last = node.child_by_field_name("field").unwrap_or(node);
            let is_class = project.heirs(Language::Java).knows(&text(last));
            is_class.then(|| text(last))
        }),
        "method_invocation" => {
            let name = text(node.child_by_field_name("name")?);
            match node.child_by_field_name("object") {
                Some(object) => {
                    let owner = of_java(project, source, object, left)?;
                    project.result_of(&owner, &name)
                }
                None => {
                    enclosing_types(source, node).find_map(|owner| project.result_of(&owner, &name))
                }
            }
        }
        _ => None,
    }
}

/// Says which type a function declares a name with before a place; `Some(None)` where it declares it without saying.
fn type_in(
    source: &Source,
    function: Node<'_>,
    name: &str,
    before: Node<'_>,
) -> Option<Option<String>> {
    let mut found: Vec<Option<String>> = Vec::new();
    walk(function, |node| {
        // What a lambda names is not seen behind it.
        let is_past = node.kind() == "lambda_expression" && node.end_byte() <= before.start_byte();
        if is_past || node.start_byte() >= before.start_byte() {
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
    let first = found.first()?.clone();
    let agree = found.iter().all(|kind| *kind == first);
    Some(first.filter(|_| agree))
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
                    | "enhanced_for_statement"
                    | "resource"
                    | "catch_formal_parameter"
                    | "instanceof_expression"
                    | "formal_parameter"
                    | "parameter_declaration"
                    | "var_spec",
                Some("name")
            )
            | ("parameter_declaration" | "declaration", Some("declarator"))
            | ("lambda_expression", Some("parameters"))
            | ("inferred_parameters", None)
    );
    if !declares {
        return None;
    }
    let kind = match parent.kind() {
        "instanceof_expression" => parent.child_by_field_name("right"),
        _ => parent.child_by_field_name("type"),
    };
    let kind = kind.or_else(|| {
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
