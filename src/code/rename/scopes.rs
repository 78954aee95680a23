//! Where a name is bound locally: parameters, variables, patterns.

use std::ops::Range;

use tree_sitter::Node;

use super::super::grammar::is_name;
use super::super::parse::walk;
use super::super::{Language, Parsed};

/// The places of one file where a name means something local.
#[derive(Debug, Default)]
pub(super) struct Locals {
    bindings: Vec<Binding>,
    /// Functions that say that the name in them is not their own.
    global: Vec<Range<usize>>,
}

#[derive(Debug)]
struct Binding {
    at: usize,
    scope: Range<usize>,
    /// From where on in the scope it holds.
    from: usize,
}

impl Locals {
    /// Finds where `name` is bound.
    pub(super) fn of(language: Language, parsed: &Parsed, text: &str, name: &str) -> Self {
        let mut locals = Self::default();
        walk(parsed.root(), |node| {
            if node.child_count() > 0 {
                return true;
            }
            if !is_name(node.kind()) || text.get(node.byte_range()) != Some(name) {
                return false;
            }
            if let Some(binding) = binding(language, node, text) {
                locals.bindings.push(binding);
            }
            if let Some(parent) = node.parent()
                && parent.kind() == "global_statement"
                && let Some(function) = enclosing(parent, &["function_definition"])
            {
                locals.global.push(function.byte_range());
            }
            false
        });
        locals
    }

    /// Tells whether the name at a place is a local one, or binds one.
    pub(super) fn holds(&self, at: usize) -> bool {
        let inside = |binding: &Binding| {
            binding.at == at || (binding.scope.contains(&at) && at >= binding.from)
        };
        self.bindings.iter().any(inside) && !self.global.iter().any(|range| range.contains(&at))
    }
}

/// Returns the field under which a node stands in its parent.
pub(super) fn field_of<'tree>(node: Node<'tree>) -> Option<&'tree str> {
    let mut cursor = node.parent()?.walk();
    if !cursor.goto_first_child() {
        return None;
    }
    loop {
        if cursor.node() == node {
            return cursor.field_name();
        }
        if !cursor.goto_next_sibling() {
            return None;
        }
    }
}

/// Returns the nearest node around one that is of one of these kinds.
pub(super) fn enclosing<'tree>(node: Node<'tree>, kinds: &[&str]) -> Option<Node<'tree>> {
    let mut node = node.parent()?;
    while !kinds.contains(&node.kind()) {
        node = node.parent()?;
    }
    Some(node)
}

fn binding(language: Language, leaf: Node<'_>, text: &str) -> Option<Binding> {
    let binder = binder(language, leaf, text)?;
    let at = leaf.start_byte();
    let from_outside = matches!(
        binder.kind(),
        "function_item"
            | "function_definition"
            | "class_definition"
            | "function_declaration"
            | "class_declaration"
            | "generator_function_declaration"
    );
    let start = if from_outside {
        binder.parent()?
    } else {
        binder
    };
    let kinds = match binder.kind() {
        // A `var` holds in the whole function.
        "variable_declarator"
            if binder
                .parent()
                .is_some_and(|parent| parent.kind() == "variable_declaration") =>
        {
            FUNCTIONS
        }
        _ => scopes(language),
    };
    let mut scope = Some(start);
    while let Some(node) = scope
        && !kinds.contains(&node.kind())
    {
        if language == Language::Python && node.kind() == "class_definition" {
            return None;
        }
        scope = node.parent();
    }
    let is_parameter = binder.kind().contains("parameter");
    let scope = match scope {
        Some(scope) => scope.byte_range(),
        // The parameter of something without a body.
        None if is_parameter => binder.byte_range(),
        None => return None,
    };
    let from = match binder.kind() {
        "let_declaration" | "short_var_declaration" | "declaration" | "var_spec" | "const_spec" => {
            binder.end_byte()
        }
        "variable_declarator" if language == Language::Java => binder.end_byte(),
        _ => scope.start,
    };
    Some(Binding { at, scope, from })
}

const FUNCTIONS: &[&str] = &[
    "function_declaration",
    "generator_function_declaration",
    "function_expression",
    "generator_function",
    "arrow_function",
    "method_definition",
];

fn scopes(language: Language) -> &'static [&'static str] {
    match language {
        Language::Rust => &[
            "block",
            "match_arm",
            "closure_expression",
            "function_item",
            "function_signature_item",
            "for_expression",
            "if_expression",
            "while_expression",
            "impl_item",
            "struct_item",
            "enum_item",
            "trait_item",
            "type_item",
        ],
        Language::Python => &[
            "function_definition",
            "lambda",
            "list_comprehension",
            "set_comprehension",
            "dictionary_comprehension",
            "generator_expression",
        ],
        Language::JavaScript | Language::TypeScript | Language::Tsx => &[
            "statement_block",
            "function_declaration",
            "generator_function_declaration",
            "function_expression",
            "generator_function",
            "arrow_function",
            "method_definition",
            "for_statement",
            "for_in_statement",
            "catch_clause",
            "class_declaration",
            "interface_declaration",
            "type_alias_declaration",
        ],
        Language::Go => &[
            "block",
            "function_declaration",
            "method_declaration",
            "func_literal",
            "for_statement",
            "if_statement",
            "expression_switch_statement",
            "type_switch_statement",
            "expression_case",
            "type_case",
            "default_case",
            "communication_case",
        ],
        Language::Java => &[
            "block",
            "method_declaration",
            "constructor_declaration",
            "constructor_body",
            "lambda_expression",
            "for_statement",
            "enhanced_for_statement",
            "catch_clause",
            "try_with_resources_statement",
            "switch_block_statement_group",
        ],
        Language::C | Language::Cpp => &[
            "compound_statement",
            "function_definition",
            "for_statement",
            "for_range_loop",
            "lambda_expression",
            "catch_clause",
            "if_statement",
            "while_statement",
        ],
    }
}

/// Finds what binds a name, where the name stands in a pattern: a `let`, a parameter, a loop.
fn binder<'tree>(language: Language, leaf: Node<'tree>, text: &str) -> Option<Node<'tree>> {
    let mut node = leaf;
    loop {
        let parent = node.parent()?;
        let field = field_of(node);
        let binds = match (parent.kind(), field) {
            // Patterns: what is inside one is bound by what is around it.
            (
                "tuple_pattern"
                | "ref_pattern"
                | "mut_pattern"
                | "reference_pattern"
                | "captured_pattern"
                | "or_pattern"
                | "slice_pattern"
                | "pattern_list"
                | "list_pattern"
                | "list_splat_pattern"
                | "dictionary_splat_pattern"
                | "as_pattern_target"
                | "object_pattern"
                | "array_pattern"
                | "rest_pattern"
                | "parenthesized_declarator"
                | "reference_declarator"
                | "structured_binding_declarator"
                | "inferred_parameters",
                _,
            )
            | ("match_pattern" | "typed_parameter", None)
            | ("default_parameter" | "typed_default_parameter" | "field_pattern", Some("name"))
            | ("assignment_pattern" | "object_assignment_pattern", Some("left"))
            | ("pair_pattern", Some("value"))
            | ("required_parameter" | "optional_parameter" | "field_pattern", Some("pattern"))
            | ("pointer_declarator" | "array_declarator" | "init_declarator", Some("declarator")) =>
            {
                // The name of a field is one only where nothing else is bound to it.
                if parent.kind() == "field_pattern"
                    && field == Some("name")
                    && node.kind() != "shorthand_field_identifier"
                {
                    return None;
                }
                if matches!(parent.kind(), "inferred_parameters") {
                    return Some(parent);
                }
                false
            }
            ("expression_list", _) => false,
            ("tuple_struct_pattern" | "struct_pattern", field) => {
                if field == Some("type") {
                    return None;
                }
                false
            }
            (
                "let_declaration" | "let_condition" | "parameter" | "for_expression",
                Some("pattern"),
            )
            | (
                "closure_parameters" | "parameters" | "lambda_parameters" | "formal_parameters",
                _,
            )
            | (
                "assignment" | "augmented_assignment" | "for_statement" | "for_in_clause",
                Some("left"),
            )
            | (
                "short_var_declaration" | "range_clause" | "receive_statement" | "for_in_statement",
                Some("left"),
            )
            | ("named_expression" | "function_expression", Some("name"))
            | ("as_pattern" | "aliased_import", Some("alias"))
            | ("arrow_function" | "catch_clause", Some("parameter"))
            | ("lambda_expression", Some("parameters"))
            | ("type_switch_statement", Some("alias"))
            | (
                "parameter_declaration"
                | "optional_parameter_declaration"
                | "declaration"
                | "for_range_loop",
                Some("declarator"),
            )
            | (
                "parameter_declaration"
                | "variadic_parameter_declaration"
                | "variable_declarator"
                | "var_spec"
                | "const_spec"
                | "formal_parameter"
                | "catch_formal_parameter"
                | "enhanced_for_statement"
                | "resource"
                | "type_parameter"
                | "const_parameter",
                Some("name"),
            )
            | ("type_parameters" | "type_pattern", _) => true,
            // A name that a match only compares with looks the same as one that it binds, but for its case.
            ("match_arm", Some("pattern")) => {
                let name = &text[leaf.byte_range()];
                if name.starts_with(char::is_uppercase) {
                    return None;
                }
                true
            }
            (
                "function_item"
                | "function_definition"
                | "class_definition"
                | "function_declaration"
                | "class_declaration"
                | "generator_function_declaration",
                Some("name"),
            ) => node == leaf,
            ("dotted_name", _) => {
                let import = parent.parent()?;
                if import.kind() != "import_from_statement" || field_of(parent) != Some("name") {
                    return None;
                }
                return Some(import);
            }
            _ => return None,
        };
        if binds {
            // A Java field is a declarator as well, and seen in the whole class.
            let is_field = language == Language::Java
                && parent
                    .parent()
                    .is_some_and(|outer| outer.kind() == "field_declaration");
            return (!is_field).then_some(parent);
        }
        node = parent;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::super::super::parse::parse;
    use super::*;

    /// Marks the local ones of all `x` in a text with a `!`.
    fn check(path: &str, text: &str, expected: &str) {
        let language = Language::of(path).expect("known");
        let parsed = parse(language, text.as_bytes(), &AtomicBool::new(false)).expect("parsed");
        let locals = Locals::of(language, &parsed, text, "x");
        let mut marked = String::new();
        for (at, c) in text.char_indices() {
            if c == 'x' && locals.holds(at) {
                marked.push('!');
            }
            marked.push(c);
        }
        assert_eq!(marked, expected, "{}", parsed.root().to_sexp());
    }

    #[test]
    fn local_names_are_told_from_those_of_the_file() {
        check(
            "a.rs",
            "fn f(x: u8) { x; } fn g() { x(); let x = x(1); x; } fn h() { |x| x; x; } fn i() { if let Some(x) = y { x; } x; }",
            "fn f(!x: u8) { !x; } fn g() { x(); let !x = x(1); !x; } fn h() { |!x| !x; x; } fn i() { if let Some(!x) = y { !x; } x; }",
        );
        check(
            "a.rs",
            "fn f() { for (a, x) in b { x; } match y { S { x, .. } => x, A { k: x } => x, _ => x } }",
            "fn f() { for (a, !x) in b { !x; } match y { S { !x, .. } => !x, A { k: !x } => !x, _ => x } }",
        );
        check(
            "a.py",
            "x = 1\ndef f(x, y=x):\n    return x\ndef g():\n    print(x)\n    x = 2\ndef h():\n    global x\n    x = 3\ndef i():\n    return [x for x in y], x\nclass A:\n    x = 1\n",
            "x = 1\ndef f(!x, y=!x):\n    return !x\ndef g():\n    print(!x)\n    !x = 2\ndef h():\n    global x\n    x = 3\ndef i():\n    return [!x for !x in y], x\nclass A:\n    x = 1\n",
        );
        check(
            "a.ts",
            "const x = 1; function f(x: number) { return x; } const g = ({ x }) => x; function h() { const x = 2; x; } x;",
            "const x = 1; function f(!x: number) { return !x; } const g = ({ !x }) => !x; function h() { const !x = 2; !x; } x;",
        );
        check(
            "a.go",
            "package a\nfunc f(x int) { x++ }\nfunc g() { x(); x := x(); x++ }\nfunc h() { for _, x := range y { x() }; x() }\n",
            "package a\nfunc f(!x int) { !x++ }\nfunc g() { x(); !x := x(); !x++ }\nfunc h() { for _, !x := range y { !x() }; x() }\n",
        );
        check(
            "A.java",
            "class A { int x; int f(int x) { return x; } int g() { int x = 1; return x; } int h() { return x; } }",
            "class A { int x; int f(int !x) { return !x; } int g() { int !x = 1; return !x; } int h() { return x; } }",
        );
        check(
            "a.c",
            "int x(int y); int f(int *x) { return *x; } int g(void) { int x = 1; return x; } int h(int x);",
            "int x(int y); int f(int *!x) { return *!x; } int g(void) { int !x = 1; return !x; } int h(int !x);",
        );
    }
}
