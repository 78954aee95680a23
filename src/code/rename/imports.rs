//! What a file imports, and where that comes from.

use tree_sitter::Node;

use super::super::Language;
use super::super::parse::walk;
use super::packages;
use super::scopes::{enclosing, field_of};
use super::source::Source;

/// A name in an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    /// Where it is imported from, as the file writes it: `crate::a`, `.a.b`, `./a`.
    pub(super) from: String,
    /// It is the name that the file gives to what it imports under another.
    pub(super) is_alias: bool,
    /// The file knows it by another name.
    pub(super) is_aliased: bool,
}

/// A module that a file imports as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// The name that it has in the file.
    pub(super) name: String,
    pub(super) path: String,
    /// The name is guessed from the path: the module's own files have another, maybe.
    pub(super) is_guessed: bool,
}

/// The nodes that import.
const IMPORTS: &[&str] = &[
    "use_declaration",
    "import_from_statement",
    "import_statement",
    "import_declaration",
    "export_statement",
];

/// Reads a name's part in an import; `None` where it stands in none.
pub(super) fn import_of(source: &Source, leaf: Node<'_>) -> Option<Import> {
    let statement = enclosing(leaf, IMPORTS)?;
    let text = |node: Node<'_>| source.text[node.byte_range()].to_owned();
    match (source.language, statement.kind()) {
        (Language::Rust, "use_declaration") => {
            let mut from: Vec<String> = Vec::new();
            let (mut is_alias, mut is_aliased) = (false, false);
            let mut node = leaf;
            while node != statement {
                let parent = node.parent()?;
                let field = field_of(node);
                match (parent.kind(), field) {
                    ("scoped_identifier", Some("name")) => {
                        from.extend(parent.child_by_field_name("path").map(text));
                    }
                    ("scoped_use_list", Some("list")) => {
                        from.extend(parent.child_by_field_name("path").map(text));
                    }
                    ("use_as_clause", Some("alias")) => is_alias = true,
                    ("use_as_clause", Some("path")) => is_aliased = true,
                    _ => {}
                }
                node = parent;
            }
            from.reverse();
            Some(Import {
                from: from.join("::"),
                is_alias,
                is_aliased,
            })
        }
        (Language::Python, "import_from_statement") => {
            let module = statement.child_by_field_name("module_name")?;
            if module.byte_range().contains(&leaf.start_byte()) {
                return None;
            }
            let alias = enclosing(leaf, &["aliased_import"]);
            let is_alias = alias.is_some() && field_of(leaf) == Some("alias");
            Some(Import {
                from: text(module),
                is_alias,
                is_aliased: alias.is_some() && !is_alias,
            })
        }
        (
            Language::JavaScript | Language::TypeScript | Language::Tsx,
            "import_statement" | "export_statement",
        ) => {
            let from = statement.child_by_field_name("source").map(text);
            let from = from.map(|from| from.trim_matches(['"', '\'', '`']).to_owned());
            let specifier = leaf.parent()?;
            match specifier.kind() {
                "import_specifier" => {
                    let is_alias = field_of(leaf) == Some("alias");
                    Some(Import {
                        from: from?,
                        is_alias,
                        is_aliased: !is_alias && specifier.child_by_field_name("alias").is_some(),
                    })
                }
                // A default import has the name that the file gives it.
                "import_clause" | "namespace_import" => Some(Import {
                    from: from?,
                    is_alias: true,
                    is_aliased: false,
                }),
                "export_specifier" => {
                    let is_alias = field_of(leaf) == Some("alias");
                    let from = match (from, is_alias) {
                        (Some(from), _) => from,
                        (None, true) => String::new(),
                        (None, false) => return None,
                    };
                    Some(Import {
                        from,
                        is_alias,
                        // The name is not known in this file at all.
                        is_aliased: !is_alias,
                    })
                }
                _ => None,
            }
        }
        (Language::Java, "import_declaration") => {
            let parent = leaf.parent()?;
            let from = parent.child_by_field_name("scope").map(text);
            (field_of(leaf) == Some("name")).then(|| Import {
                from: from.unwrap_or_default(),
                is_alias: false,
                is_aliased: false,
            })
        }
        _ => None,
    }
}

/// Finds where a file imports everything from.
pub(super) fn wildcards(source: &Source) -> Vec<String> {
    let text = |node: Node<'_>| source.text[node.byte_range()].to_owned();
    let mut found = Vec::new();
    walk(source.parsed.root(), |node| {
        match node.kind() {
            "use_wildcard" => {
                let mut path = node.named_child(0).map(text).unwrap_or_default();
                let mut outer = node;
                while let Some(list) = enclosing(outer, &["scoped_use_list"]) {
                    if let Some(before) = list.child_by_field_name("path") {
                        path = match path.is_empty() {
                            true => text(before),
                            false => format!("{}::{path}", text(before)),
                        };
                    }
                    outer = list;
                }
                found.push(path);
            }
            "wildcard_import" => {
                let module = node
                    .parent()
                    .and_then(|statement| statement.child_by_field_name("module_name"));
                found.extend(module.map(text));
            }
            "import_spec"
                if node
                    .child_by_field_name("name")
                    .is_some_and(|it| it.kind() == "dot") =>
            {
                let path = node.child_by_field_name("path").map(text);
                found.extend(path.map(|path| path.trim_matches(['"', '`']).to_owned()));
            }
            "asterisk" if source.language == Language::Java => {
                let package = node.prev_named_sibling();
                found.extend(package.map(text));
            }
            _ => {}
        }
        true
    });
    found
}

/// Finds the modules that a file imports, each with the name that it has in the file.
pub(super) fn modules(source: &Source) -> Vec<Known> {
    let text = |node: Node<'_>| source.text[node.byte_range()].to_owned();
    let mut found = Vec::new();
    let known = |name: String, path: String| Known {
        name,
        path,
        is_guessed: false,
    };
    walk(source.parsed.root(), |node| {
        match (source.language, node.kind()) {
            (Language::Python, "import_statement" | "import_from_statement") => {
                let module = node.child_by_field_name("module_name");
                let from = module.map(text).map(|from| match from.ends_with('.') {
                    true => from,
                    false => from + ".",
                });
                let from = from.unwrap_or_default();
                let mut cursor = node.walk();
                for name in node.children_by_field_name("name", &mut cursor) {
                    let (path, alias) = match name.kind() {
                        "aliased_import" => (
                            name.child_by_field_name("name").map(text),
                            name.child_by_field_name("alias").map(text),
                        ),
                        _ => (Some(text(name)), None),
                    };
                    let Some(path) = path else { continue };
                    let alias = alias.unwrap_or_else(|| path.clone());
                    found.push(known(alias, format!("{from}{path}")));
                }
                false
            }
            (Language::JavaScript | Language::TypeScript | Language::Tsx, "namespace_import") => {
                let from = enclosing(node, &["import_statement"])
                    .and_then(|statement| statement.child_by_field_name("source"));
                if let (Some(name), Some(from)) = (node.named_child(0), from) {
                    let from = text(from).trim_matches(['"', '\'']).to_owned();
                    found.push(known(text(name), from));
                }
                false
            }
            (Language::Go, "import_spec") => {
                if let Some(path) = node.child_by_field_name("path") {
                    let path = text(path).trim_matches(['"', '`']).to_owned();
                    let given = node.child_by_field_name("name").map(text);
                    found.push(Known {
                        is_guessed: given.is_none(),
                        name: given.unwrap_or_else(|| packages::guessed_name(&path).to_owned()),
                        path,
                    });
                }
                false
            }
            _ => true,
        }
    });
    found
}
