//! The one function that a request is about, as far as its words and what fails tell.

use std::sync::atomic::AtomicBool;

use tree_sitter::Node;

use super::Language;
use super::grammar::SymbolKind;
use super::parse::{parse, walk};
use super::symbols::{Definition, definitions};

/// The largest function that is asked for alone, in bytes.
const LARGEST: usize = 6 * 1024;

/// A function to be written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Focus {
    /// Its name, with its type's where it has one: `Cart.total`.
    pub name: String,
    /// Its first and its last line, counted from 1.
    pub from: usize,
    pub to: usize,
    /// The lines of its body that do something, counted from 1.
    pub lines: Vec<usize>,
}

/// Finds the function that is to be written anew: the one that the request names; else the innermost one that a failing
/// check came to in this file; else the only one that is yet to be written.
pub fn focus(path: &str, text: &str, request: &str, failing: &str) -> Option<Focus> {
    let language = Language::of(path)?;
    let parsed = parse(language, text.as_bytes(), &AtomicBool::new(false))?;
    if parsed.root().has_error() {
        return None;
    }
    let all = definitions(language, &parsed, text);
    let functions: Vec<&Definition<'_>> = all
        .iter()
        .filter(|found| {
            !found.is_local && matches!(found.kind, SymbolKind::Function | SymbolKind::Method)
        })
        .collect();
    let found = named(&functions, text, request)
        .or_else(|| reached(&functions, path, failing))
        .or_else(|| unwritten(&functions, text))?;
    let node = found.node;
    if node.end_byte() - node.start_byte() > LARGEST {
        return None;
    }
    let name = &text[found.name.byte_range()];
    Some(Focus {
        name: match &found.container {
            Some(container) => format!("{}.{name}", container.name),
            None => name.to_owned(),
        },
        from: node.start_position().row + 1,
        to: node.end_position().row + 1,
        lines: working_lines(node, text),
    })
}

/// Finds the only function whose name stands in the request.
fn named<'a, 'tree>(
    functions: &[&'a Definition<'tree>],
    text: &str,
    request: &str,
) -> Option<&'a Definition<'tree>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let words: Vec<&str> = request.split(|c: char| !is_word(c)).collect();
    let quoted: Vec<&str> = request
        .split('`')
        .skip(1)
        .step_by(2)
        .flat_map(|quoted| quoted.split(|c: char| !is_word(c)))
        .collect();
    let only = |among: &[&str]| {
        let mut found = functions.iter().filter(|function| {
            let name = &text[function.name.byte_range()];
            let container = function.container.as_ref().map(|of| of.name.as_str());
            among.contains(&name)
                // A common word is a name where its type stands beside it, or it looks like one.
                && (among.len() < words.len()
                    || name.contains('_')
                    || name.chars().skip(1).any(char::is_uppercase)
                    || container.is_some_and(|container| among.contains(&container)))
        });
        let first = found.next().copied();
        first.filter(|_| found.next().is_none())
    };
    match quoted.is_empty() {
        false => only(&quoted).or_else(|| only(&words)),
        true => only(&words),
    }
}

/// Finds the innermost function of the file that the output of a check leads to.
fn reached<'a, 'tree>(
    functions: &[&'a Definition<'tree>],
    path: &str,
    failing: &str,
) -> Option<&'a Definition<'tree>> {
    let place = |line: &str| -> Option<usize> {
        let at = line.find(path)?;
        // Not the end of a longer name.
        if line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-')) {
            return None;
        }
        let rest = &line[at + path.len()..];
        let rest = rest
            .strip_prefix("\", line ")
            .or_else(|| rest.strip_prefix(':'))?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    let lines = failing.lines().rev().filter_map(place);
    lines
        .filter_map(|line| {
            functions
                .iter()
                .filter(|function| {
                    let (from, to) = (
                        function.node.start_position().row + 1,
                        function.node.end_position().row + 1,
                    );
                    (from..=to).contains(&line)
                })
                .min_by_key(|function| function.node.end_byte() - function.node.start_byte())
        })
        .copied()
        .next()
}

/// Finds the only function that is yet to be written.
fn unwritten<'a, 'tree>(
    functions: &[&'a Definition<'tree>],
    text: &str,
) -> Option<&'a Definition<'tree>> {
    let mut found = functions.iter().filter(|function| {
        let Some(body) = function.node.child_by_field_name("body") else {
            return false;
        };
        let body = &text[body.byte_range()];
        let bare: String = body.split_whitespace().collect();
        let bare = bare.trim_matches(['{', '}', ';']);
        let is_mark = |mark: &str| bare.starts_with(mark) || bare.ends_with(mark);
        matches!(bare, "" | "pass" | "...")
            || bare.ends_with("\"\"\"pass")
            || (body.lines().count() < 12
                && (is_mark("todo!()")
                    || is_mark("unimplemented!()")
                    || bare.contains("raiseNotImplementedError")
                    || bare.contains("thrownewError(\"notimplemented")))
    });
    let first = found.next().copied();
    first.filter(|_| found.next().is_none())
}

/// Returns the lines of a function's body that do something: not its comments, and not what is only brackets and
/// keywords.
fn working_lines(function: Node<'_>, text: &str) -> Vec<usize> {
    let body = function.child_by_field_name("body").unwrap_or(function);
    let mut silent: Vec<(usize, usize)> = Vec::new();
    walk(body, |node| {
        let documents = node.kind() == "expression_statement"
            && node
                .named_child(0)
                .is_some_and(|inner| inner.kind() == "string");
        let (first, last) = (node.start_position().row, node.end_position().row);
        // A comment of one line may stand behind what does something.
        if documents || (node.kind().ends_with("comment") && first != last) {
            silent.push((first, last));
        }
        !documents
    });
    let lines = text.lines().enumerate();
    let (from, to) = (body.start_position().row, body.end_position().row);
    // The line with its opening brace is the function's head.
    let from = from + usize::from(text[body.byte_range()].starts_with('{'));
    lines
        .skip(from)
        .take((to + 1).saturating_sub(from))
        .filter(|(row, line)| {
            let says = line.split("//").next().unwrap_or(line);
            let words = says.trim().trim_matches(|c: char| !c.is_alphanumeric());
            let begins = says.trim().starts_with('#');
            let in_comment = silent
                .iter()
                .any(|(first, last)| (first..=last).contains(&row));
            !words.is_empty()
                && !begins
                && !in_comment
                && !matches!(words, "else" | "try" | "finally" | "pass" | "do" | "loop")
        })
        .map(|(row, _)| row + 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CART: &str = "def total(items):\n    \"\"\"Adds up.\"\"\"\n    sum = 0\n    # each\n    for item in items:\n        sum += item\n    else:\n        sum += 0\n    return sum\n\n\nclass Cart:\n    def total(self):\n        return total(self.items)\n\n    def add_item(self, item):\n        pass\n";

    fn check(request: &str, failing: &str, expected: Option<&str>) {
        let found = focus("a/cart.py", CART, request, failing);
        assert_eq!(
            found.map(|found| found.name).as_deref(),
            expected,
            "{request} / {failing}"
        );
    }

    #[test]
    fn the_function_that_is_named_or_fails_or_is_missing_is_found() {
        check("Fix `add_item`", "", Some("Cart.add_item"));
        check("Cart.add_item does nothing", "", Some("Cart.add_item"));
        // Two of that name: where the check came to decides.
        let failing =
            "File \"a/cart.py\", line 14, in total\n  File \"a/cart.py\", line 6, in total";
        check("Fix `total`", failing, Some("total"));
        check(
            "It fails",
            "a/cart.py:14: AssertionError",
            Some("Cart.total"),
        );
        check("It fails", "aa/cart.py:1:1", Some("Cart.add_item"));
        check("Write what is missing", "", Some("Cart.add_item"));
    }

    #[test]
    fn a_common_word_names_no_function() {
        let text = "def add(a):\n    return a\n\n\ndef sub(a):\n    return a\n";
        let found = |request| focus("a.py", text, request, "").map(|found| found.name);
        assert_eq!(found("Please add a test for it"), None);
        assert_eq!(found("Fix `add`"), Some("add".to_owned()));
    }

    #[test]
    fn only_lines_that_do_something_are_told() {
        let found = focus("a/cart.py", CART, "", "a/cart.py:3").expect("found");
        assert_eq!(found.lines, [3, 5, 6, 8, 9]);
        let rust = "pub fn f(x: u8) -> u8 {\n    // Why.\n    if x > 1 {\n        x\n    } else {\n        2\n    }\n}\n";
        let found = focus("a.rs", rust, "`f`", "").expect("found");
        assert_eq!(found.lines, [3, 4, 6]);
    }

    #[test]
    fn nothing_is_found_where_the_file_does_not_parse() {
        assert_eq!(focus("a.py", "def f(:\n    pass\n", "`f`", ""), None);
        assert_eq!(focus("a.txt", "f", "`f`", ""), None);
    }
}
