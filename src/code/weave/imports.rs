//! The imports that a block brings and the file lacks.

use std::collections::HashSet;
use std::ops::Range;

use tree_sitter::Node;

use super::super::Language;
use super::super::grammar;
use super::super::parse::walk;
use super::pieces::{Kind, Piece};
use super::text::{bare, end_of_line};

/// Returns where what is to be imported as well goes, and how it reads there.
pub(super) fn missing(
    language: Language,
    path: &str,
    (before, root, has): (&str, Node<'_>, &[Piece<'_>]),
    (block, gets): (&str, &[Piece<'_>]),
) -> Option<(Range<usize>, String)> {
    let is_import = |piece: &&Piece<'_>| piece.kind == Kind::Import;
    let there: Vec<&Piece<'_>> = has.iter().filter(is_import).collect();
    let known: HashSet<String> = there
        .iter()
        .map(|piece| bare(&before[piece.node.byte_range()]))
        .collect();
    let names: HashSet<&str> = there
        .iter()
        .flat_map(|piece| names(piece.node, before))
        .collect();
    let mut wanted: Vec<&str> = Vec::new();
    for piece in gets.iter().filter(is_import) {
        let text = block[piece.node.byte_range()].trim_end();
        let has_names = || {
            let brings = names_brought(language, piece.node, block);
            !brings.is_empty() && brings.iter().all(|name| names.contains(name))
        };
        // Rust and Go take a name that is imported twice for an error, and a file does not import itself.
        let twice = matches!(language, Language::Rust | Language::Go) && has_names();
        if !known.contains(&bare(text))
            && !twice
            && !is_of_itself(language, path, piece.node, block)
            && !wanted.contains(&text)
        {
            wanted.push(text);
        }
    }
    if wanted.is_empty() {
        return None;
    }
    let added = wanted.join("\n");
    if let Some(last) = there.last() {
        let end = end_of_line(before, last.node.end_byte());
        return Some((end..end, format!("\n{added}")));
    }
    let at = beginning(root, before);
    let rest = before[at..].trim_start_matches('\n');
    let gap = match (rest.is_empty(), language) {
        (true, _) => "\n",
        (false, Language::Python) => "\n\n\n",
        (false, _) => "\n\n",
    };
    // The blank lines that were there are the gap.
    let from = at;
    let until = before.len() - rest.len();
    let before_it = if at > 0 && !before[..at].ends_with("\n\n") {
        "\n"
    } else {
        ""
    };
    Some((from..until, format!("{before_it}{added}{gap}")))
}

/// Returns the place of the first import: below what has to stand first, such as the text that documents a module.
fn beginning(root: Node<'_>, before: &str) -> usize {
    let mut at = 0;
    let mut cursor = root.walk();
    for node in root.named_children(&mut cursor) {
        let documents = node.kind() == "expression_statement"
            && node
                .named_child(0)
                .is_some_and(|inner| inner.kind() == "string");
        let stands_first = documents
            || matches!(
                node.kind(),
                "inner_attribute_item"
                    | "package_clause"
                    | "package_declaration"
                    | "hash_bang_line"
                    | "shebang"
            );
        // Comments at the head of a file, where a blank line follows them.
        let end = end_of_line(before, node.end_byte());
        let is_head = matches!(node.kind(), "comment" | "line_comment" | "block_comment")
            && (before[end..].starts_with("\n\n") || before[node.byte_range()].starts_with("#!"));
        if stands_first || is_head {
            at = (end + 1).min(before.len());
        } else if !matches!(node.kind(), "comment" | "line_comment" | "block_comment") {
            break;
        }
    }
    at
}

/// Returns all names in an import.
fn names<'text>(node: Node<'_>, text: &'text str) -> Vec<&'text str> {
    let mut found = Vec::new();
    walk(node, |node| {
        let is_path = matches!(
            node.kind(),
            "interpreted_string_literal" | "raw_string_literal"
        );
        if is_path || (node.child_count() == 0 && grammar::is_name(node.kind())) {
            found.extend(text.get(node.byte_range()));
        }
        !is_path
    });
    found
}

/// Returns the names that an import makes known: the last of each of its paths.
fn names_brought<'text>(language: Language, node: Node<'_>, text: &'text str) -> Vec<&'text str> {
    if language == Language::Go {
        return names(node, text);
    }
    let mut found = Vec::new();
    walk(node, |node| {
        if node.child_count() > 0 || !grammar::is_name(node.kind()) {
            return true;
        }
        // What is followed by `::` leads to a name and is none.
        let rest = text.get(node.end_byte()..).unwrap_or_default();
        if !rest.trim_start().starts_with("::") {
            found.extend(text.get(node.byte_range()));
        }
        true
    });
    found
}

/// Tells whether a Python import is of the very file that it would go into.
fn is_of_itself(language: Language, path: &str, node: Node<'_>, block: &str) -> bool {
    let stem = path.rsplit('/').next().unwrap_or(path);
    let stem = stem.strip_suffix(".py").unwrap_or(stem);
    let module = node
        .child_by_field_name("module_name")
        .or_else(|| node.child_by_field_name("name"));
    language == Language::Python
        && module.is_some_and(|module| block[module.byte_range()].rsplit('.').next() == Some(stem))
}
