//! What is moved, as its declaration tells.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::super::super::super::parse::walk;
use super::super::MoveError;
use super::super::names::Code;

/// A declaration at the top of a module.
pub(super) struct Item<'a> {
    /// Its whole statement.
    pub(super) node: Node<'a>,
    pub(super) is_exported: bool,
    /// Nothing of it is there when the program runs.
    pub(super) is_type: bool,
    /// It computes something when its module is loaded.
    pub(super) runs: bool,
}

impl<'a> Item<'a> {
    /// Finds the declaration around a place.
    ///
    /// # Errors
    ///
    /// When there is none at the top, or it is none that an import can name as it stands.
    pub(super) fn at(code: Code<'a>, at: usize, name: &str) -> Result<Self, MoveError> {
        let not_certain = |why: &str| MoveError::NotCertain {
            name: name.to_owned(),
            why: why.to_owned(),
        };
        let not_at_top = || MoveError::NotAtTop {
            name: name.to_owned(),
        };
        let around = |node: &Node<'_>| node.byte_range().contains(&at);
        let node = code.top().into_iter().find(around).ok_or_else(not_at_top)?;
        let is_exported = node.kind() == "export_statement";
        if is_exported && has_child(node, "default") {
            return Err(not_certain(
                "it is a default export, which every file names as it likes; export it by its name first",
            ));
        }
        let declaration = match is_exported {
            true => node.child_by_field_name("declaration"),
            false => Some(node),
        };
        let declaration = declaration.ok_or_else(not_at_top)?;
        let mut runs = false;
        match declaration.kind() {
            "function_declaration"
            | "generator_function_declaration"
            | "class_declaration"
            | "abstract_class_declaration"
            | "interface_declaration"
            | "type_alias_declaration"
            | "enum_declaration" => {}
            "lexical_declaration" => {
                let kind = declaration.child_by_field_name("kind");
                if kind.map(|kind| code.at(kind)) != Some("const") {
                    return Err(not_certain(
                        "it is a variable, which an import cannot assign to; make it a `const` first",
                    ));
                }
                if declaration.named_child_count() != 1 {
                    return Err(not_certain(
                        "one declaration makes several names; give it a declaration of its own first",
                    ));
                }
                let value = declaration
                    .named_child(0)
                    .and_then(|one| one.child_by_field_name("value"));
                runs = value.is_some_and(|value| {
                    let kinds = ["call_expression", "new_expression", "await_expression"];
                    kinds.contains(&value.kind())
                });
            }
            _ => return Err(not_at_top()),
        }
        if is_listed(code, name) {
            return Err(not_certain(
                "it is exported apart from its declaration; write `export` before that instead first",
            ));
        }
        Ok(Self {
            node,
            is_exported,
            is_type: is_type_declaration(declaration),
            runs,
        })
    }
}

fn is_type_declaration(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "interface_declaration" | "type_alias_declaration"
    )
}

/// Tells whether a node has a child of a kind.
pub(super) fn has_child(node: Node<'_>, kind: &str) -> bool {
    let mut cursor = node.walk();
    node.children(&mut cursor).any(|child| child.kind() == kind)
}

/// Tells whether a file exports a name apart from its declaration: in a list, or as the default.
fn is_listed(code: Code<'_>, name: &str) -> bool {
    let mut found = false;
    walk(code.parsed.root(), |node| {
        let field = match node.kind() {
            "export_specifier" => "name",
            "export_statement" => "value",
            _ => return node.parent().is_none() || node.kind() == "export_clause",
        };
        let of = node.child_by_field_name(field);
        let has_source = node.child_by_field_name("source").is_some();
        found |= !has_source && of.is_some_and(|of| code.at(of) == name);
        !has_source
    });
    found
}

/// Returns the declarations at the top of a file that it exports.
fn exports<'a>(code: Code<'a>) -> impl Iterator<Item = Node<'a>> {
    let statements = code.top().into_iter();
    statements
        .filter(|node| node.kind() == "export_statement" && !has_child(*node, "default"))
        .filter_map(|node| node.child_by_field_name("declaration"))
}

/// Returns the names that a file exports where it declares them.
pub(super) fn exported<'a>(code: Code<'a>) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for node in exports(code) {
        names.extend(node.child_by_field_name("name").map(|name| code.at(name)));
        let mut cursor = node.walk();
        for one in node.named_children(&mut cursor) {
            if one.kind() == "variable_declarator" {
                names.extend(one.child_by_field_name("name").map(|name| code.at(name)));
            }
        }
    }
    names
}

/// Tells whether a name that a file exports is of a type alone.
pub(super) fn is_type(code: Code<'_>, name: &str) -> bool {
    exports(code).any(|node| {
        let of = node.child_by_field_name("name");
        is_type_declaration(node) && of.is_some_and(|of| code.at(of) == name)
    })
}
