//! Lines and their indentation.

use std::ops::Range;

use tree_sitter::Node;

/// Returns the blanks before a place on its line; nothing where something else stands there.
pub(super) fn indent_at(text: &str, at: usize) -> &str {
    let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let before = &text[line..at];
    match before.trim().is_empty() {
        true => before,
        false => "",
    }
}

/// Returns the end of the line of a place.
pub(super) fn end_of_line(text: &str, at: usize) -> usize {
    // Some nodes hold the end of their line.
    if text[..at].ends_with('\n') {
        return at - 1;
    }
    text[at..].find('\n').map_or(text.len(), |end| at + end)
}

/// Leaves out all blanks.
pub(super) fn bare(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Writes a part of a block as it is to stand at a place of another text.
pub(super) fn placed(before: &str, at: usize, block: &str, part: Range<usize>) -> String {
    indented(block, part, indent_at(before, at))
}

/// Writes a part of a block with another indentation of its lines after the first.
pub(super) fn indented(block: &str, part: Range<usize>, indent: &str) -> String {
    let was = indent_at(block, part.start);
    let part = block[part].trim_end();
    if was == indent {
        return part.to_owned();
    }
    let mut text = String::with_capacity(part.len());
    for (number, line) in part.split('\n').enumerate() {
        if number > 0 {
            text.push('\n');
        }
        match (number, line.strip_prefix(was)) {
            (0, _) => text.push_str(line),
            _ if line.trim().is_empty() => {}
            (_, Some(rest)) => {
                text.push_str(indent);
                text.push_str(rest);
            }
            // Less indented than its beginning: the inside of a text.
            (_, None) => text.push_str(line),
        }
    }
    text
}

/// Keeps the text that documents a Python function or class, where the new one has none.
pub(super) fn with_docstring(
    before: &str,
    old: Node<'_>,
    placed: &str,
    block: &str,
    new: Node<'_>,
) -> Option<String> {
    let kept = docstring(old)?;
    if docstring(new).is_some() {
        return None;
    }
    let body = new.child_by_field_name("body").or_else(|| {
        new.child_by_field_name("definition")?
            .child_by_field_name("body")
    })?;
    // The body begins on a line of its own.
    let head = &block[new.start_byte()..body.start_byte()];
    let lines = head.matches('\n').count();
    if lines == 0 {
        return None;
    }
    let at = placed
        .match_indices('\n')
        .nth(lines - 1)
        .map(|(at, _)| at + 1)?;
    let indent = placed[at..].len() - placed[at..].trim_start_matches([' ', '\t']).len();
    let indent = &placed[at..at + indent];
    Some(format!(
        "{}{indent}{}\n{}",
        &placed[..at],
        &before[kept.byte_range()],
        &placed[at..]
    ))
}

fn docstring(node: Node<'_>) -> Option<Node<'_>> {
    let node = node.child_by_field_name("definition").unwrap_or(node);
    let first = node.child_by_field_name("body")?.named_child(0)?;
    let inner = first.named_child(0)?;
    (first.kind() == "expression_statement" && inner.kind() == "string").then_some(first)
}

/// Keeps the visibility of a Rust item, where the new one has none: who uses it was not asked about.
pub(super) fn with_visibility(before: &str, old: Node<'_>, new: String) -> String {
    let visibility = old
        .named_child(0)
        .filter(|child| child.kind() == "visibility_modifier");
    match visibility {
        Some(visibility) if !new.starts_with("pub") => {
            format!("{} {new}", &before[visibility.byte_range()])
        }
        _ => new,
    }
}
