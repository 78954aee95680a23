//! The tables: which nodes of which grammar define something, and which are names.

use tree_sitter::Node;

use super::Language;

/// What a definition defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SymbolKind {
    Function,
    Method,
    /// A class, struct, enum, union, interface, trait or alias.
    Type,
    Constant,
    Field,
    Module,
    Macro,
}

/// A node that defines something: its name, and what it is.
pub(super) struct Defines<'tree> {
    pub(super) name: Node<'tree>,
    pub(super) kind: SymbolKind,
}

/// Returns what a node defines, as far as the node itself tells.
pub(super) fn defines(language: Language, node: Node<'_>) -> Option<Defines<'_>> {
    use SymbolKind as K;
    let field = |kind: SymbolKind| {
        let name = node.child_by_field_name("name")?;
        Some(Defines { name, kind })
    };
    match language {
        Language::Rust => match node.kind() {
            "function_item" | "function_signature_item" => field(K::Function),
            "struct_item" | "enum_item" | "union_item" | "trait_item" | "type_item"
            | "associated_type" => field(K::Type),
            "const_item" | "static_item" | "enum_variant" => field(K::Constant),
            "mod_item" => field(K::Module),
            "macro_definition" => field(K::Macro),
            "field_declaration" => field(K::Field),
            _ => None,
        },
        Language::Python => match node.kind() {
            "function_definition" => field(K::Function),
            "class_definition" => field(K::Type),
            "assignment" => {
                let name = node.child_by_field_name("left")?;
                (name.kind() == "identifier").then_some(Defines {
                    name,
                    kind: K::Constant,
                })
            }
            _ => None,
        },
        Language::JavaScript | Language::TypeScript | Language::Tsx => match node.kind() {
            "function_declaration" | "generator_function_declaration" | "function_signature" => {
                field(K::Function)
            }
            "class_declaration"
            | "abstract_class_declaration"
            | "interface_declaration"
            | "type_alias_declaration"
            | "enum_declaration" => field(K::Type),
            "internal_module" => field(K::Module),
            "method_definition" | "method_signature" | "abstract_method_signature" => {
                field(K::Method)
            }
            "public_field_definition" | "property_signature" => field(K::Field),
            "field_definition" => Some(Defines {
                name: node.child_by_field_name("property")?,
                kind: K::Field,
            }),
            "variable_declarator" => {
                let name = node.child_by_field_name("name")?;
                let value = node.child_by_field_name("value");
                let is_function = value.is_some_and(|value| {
                    matches!(value.kind(), "arrow_function" | "function_expression")
                });
                let kind = if is_function {
                    K::Function
                } else {
                    K::Constant
                };
                (name.kind() == "identifier").then_some(Defines { name, kind })
            }
            _ => None,
        },
        Language::Go => match node.kind() {
            "function_declaration" => field(K::Function),
            "method_declaration" | "method_elem" => field(K::Method),
            "type_spec" | "type_alias" => field(K::Type),
            "const_spec" | "var_spec" => field(K::Constant),
            "field_declaration" => field(K::Field),
            _ => None,
        },
        Language::Java => match node.kind() {
            "class_declaration"
            | "interface_declaration"
            | "enum_declaration"
            | "record_declaration"
            | "annotation_type_declaration" => field(K::Type),
            "method_declaration" => field(K::Method),
            "enum_constant" => field(K::Constant),
            "variable_declarator"
                if node
                    .parent()
                    .is_some_and(|parent| parent.kind() == "field_declaration") =>
            {
                field(K::Field)
            }
            _ => None,
        },
        Language::C | Language::Cpp => match node.kind() {
            "function_definition" => declared(node, K::Function),
            "struct_specifier" | "class_specifier" | "union_specifier" | "enum_specifier"
                if node.child_by_field_name("body").is_some() =>
            {
                field(K::Type)
            }
            "type_definition" => declared(node, K::Type),
            "alias_declaration" => field(K::Type),
            "enumerator" => field(K::Constant),
            "preproc_def" | "preproc_function_def" => field(K::Macro),
            "namespace_definition" => field(K::Module),
            "field_declaration" => declared(node, K::Field),
            "declaration" => declared(node, K::Constant),
            _ => None,
        },
    }
}

/// Finds the name within a C declarator: `*(*name)(int)`.
fn declared(node: Node<'_>, kind: SymbolKind) -> Option<Defines<'_>> {
    let mut inner = node.child_by_field_name("declarator")?;
    let mut kind = kind;
    for _ in 0..32 {
        match inner.kind() {
            "identifier" | "type_identifier" | "field_identifier" => {
                return Some(Defines { name: inner, kind });
            }
            "qualified_identifier" => {
                kind = if kind == SymbolKind::Function {
                    SymbolKind::Method
                } else {
                    kind
                };
                inner = inner.child_by_field_name("name")?;
            }
            "function_declarator" => {
                kind = match kind {
                    SymbolKind::Constant => SymbolKind::Function,
                    SymbolKind::Field => SymbolKind::Method,
                    kind => kind,
                };
                inner = inner.child_by_field_name("declarator")?;
            }
            _ => {
                inner = match inner.child_by_field_name("declarator") {
                    Some(declarator) => declarator,
                    None => inner.named_child(0)?,
                }
            }
        }
    }
    None
}

/// Tells whether what is defined inside a node are members, and of what.
pub(super) fn owner(language: Language, node: Node<'_>) -> Option<Owner<'_>> {
    let by = |field: &str| {
        node.child_by_field_name(field).map(|name| Owner {
            name,
            is_type: true,
            through: None,
        })
    };
    match (language, node.kind()) {
        (Language::Rust, "impl_item") => Some(Owner {
            name: base_name(node.child_by_field_name("type")?),
            is_type: true,
            through: node.child_by_field_name("trait").map(base_name),
        }),
        (Language::Rust, "trait_item" | "struct_item" | "enum_item" | "union_item") => by("name"),
        (Language::Rust, "mod_item")
        | (Language::Cpp, "namespace_definition")
        | (Language::TypeScript | Language::Tsx, "internal_module") => {
            node.child_by_field_name("name").map(|name| Owner {
                name,
                is_type: false,
                through: None,
            })
        }
        (Language::Python, "class_definition")
        | (
            Language::JavaScript | Language::TypeScript | Language::Tsx,
            "class_declaration"
            | "abstract_class_declaration"
            | "interface_declaration"
            | "enum_declaration"
            | "class",
        )
        | (
            Language::Java,
            "class_declaration"
            | "interface_declaration"
            | "enum_declaration"
            | "record_declaration",
        )
        | (
            Language::C | Language::Cpp,
            "struct_specifier" | "class_specifier" | "union_specifier" | "enum_specifier",
        )
        | (Language::Go, "type_spec") => by("name"),
        // What a class without a name defines, it defines as an heir of the one that it is made from.
        (Language::Java, "class_body") => {
            let made = node.parent()?;
            let kind = made.child_by_field_name("type")?;
            (made.kind() == "object_creation_expression").then(|| Owner {
                name: base_name(kind),
                is_type: true,
                through: None,
            })
        }
        _ => None,
    }
}

/// Something whose inside holds its members.
pub(super) struct Owner<'tree> {
    pub(super) name: Node<'tree>,
    /// A type, and not a module.
    pub(super) is_type: bool,
    /// The trait whose members an `impl` gives.
    pub(super) through: Option<Node<'tree>>,
}

/// Returns the last name of a path, without its arguments: `Vec` of `std::vec::Vec<T>` and of `&mut Vec<T>`.
pub(super) fn base_name(node: Node<'_>) -> Node<'_> {
    let mut node = node;
    for _ in 0..32 {
        let inner = match node.kind() {
            "generic_type"
            | "reference_type"
            | "pointer_type"
            | "parenthesized_type"
            | "template_type"
            | "generic_type_with_turbofish"
            | "type"
            | "nullable_type"
            | "type_annotation"
            | "object_creation_expression" => node
                .child_by_field_name("type")
                .or_else(|| node.child_by_field_name("name"))
                .or_else(|| {
                    let last = u32::try_from(node.named_child_count())
                        .ok()?
                        .checked_sub(1)?;
                    match node.kind() {
                        "generic_type" => node.named_child(0),
                        _ => node.named_child(last),
                    }
                }),
            "scoped_type_identifier"
            | "scoped_identifier"
            | "qualified_type"
            | "qualified_identifier" => node.child_by_field_name("name"),
            _ => None,
        };
        match inner {
            Some(inner) => node = inner,
            None => break,
        }
    }
    node
}

/// Tells whether a node's inside is a function's: what it defines is seen there alone.
pub(super) fn is_function(language: Language, kind: &str) -> bool {
    match language {
        Language::Rust => matches!(kind, "function_item" | "closure_expression"),
        Language::Python => matches!(kind, "function_definition" | "lambda"),
        Language::JavaScript | Language::TypeScript | Language::Tsx => matches!(
            kind,
            "function_declaration"
                | "generator_function_declaration"
                | "function_expression"
                | "generator_function"
                | "arrow_function"
                | "method_definition"
        ),
        Language::Go => matches!(
            kind,
            "function_declaration" | "method_declaration" | "func_literal"
        ),
        Language::Java => matches!(
            kind,
            "method_declaration"
                | "constructor_declaration"
                | "compact_constructor_declaration"
                | "lambda_expression"
        ),
        Language::C | Language::Cpp => {
            matches!(kind, "function_definition" | "lambda_expression")
        }
    }
}

/// Tells whether a leaf is a name.
pub(super) fn is_name(kind: &str) -> bool {
    matches!(
        kind,
        "identifier"
            | "type_identifier"
            | "field_identifier"
            | "property_identifier"
            | "shorthand_field_identifier"
            | "shorthand_property_identifier"
            | "shorthand_property_identifier_pattern"
            | "private_property_identifier"
            | "namespace_identifier"
            | "package_identifier"
            | "statement_identifier"
    )
}
