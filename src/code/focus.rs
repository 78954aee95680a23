//! The functions that a request is about, the likeliest first, as far as its words and what fails tell.

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

/// The most functions that are told.
const MOST: usize = 4;

/// What of a file is to be written anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aims {
    /// The function that is meant, where that is clear.
    pub first: Option<Focus>,
    /// Other functions that it may be about, the likeliest first.
    pub others: Vec<Focus>,
    /// How many functions are yet to be written, and how many there are.
    pub unwritten: usize,
    pub functions: usize,
}

/// Finds the function that is to be written anew: the one that the request names; else the innermost one that a failing
/// check came to in this file; else the only one that is yet to be written. The others are those that the check came
/// to, that the request speaks of, and that have to do with the first.
pub fn aims(path: &str, text: &str, request: &str, failing: &str) -> Option<Aims> {
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
    let passed_through = reached(&functions, path, failing);
    let unwritten: Vec<&Definition<'_>> = functions
        .iter()
        .filter(|function| is_unwritten(function, text))
        .copied()
        .collect();
    let only_unwritten = match unwritten.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    let first = named(&functions, text, request)
        .or_else(|| passed_through.first().copied())
        .or(only_unwritten);
    let mut others: Vec<(u32, &Definition<'_>)> = functions
        .iter()
        .filter(|function| first.is_none_or(|first| first.node != function.node))
        .map(|function| {
            let rank = kinship(function, first, &passed_through, text, request);
            (rank, *function)
        })
        .collect();
    // Of the same rank the first in the file comes first.
    others.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
    let of = |found: &Definition<'_>| told(found, text);
    Some(Aims {
        first: first.and_then(of),
        others: others
            .into_iter()
            .filter_map(|(_, found)| of(found))
            .take(MOST - 1)
            .collect(),
        unwritten: unwritten.len(),
        functions: functions.len(),
    })
}

/// Tells how likely it is that a function is meant which is not the first that was thought of: the failing check came
/// to it, the first one calls it or is called by it, the request speaks of it.
fn kinship(
    function: &Definition<'_>,
    first: Option<&Definition<'_>>,
    passed_through: &[&Definition<'_>],
    text: &str,
    request: &str,
) -> u32 {
    let name = &text[function.name.byte_range()];
    let body = &text[function.node.byte_range()];
    let came = passed_through
        .iter()
        .any(|passed| passed.node == function.node);
    let related = first.is_some_and(|first| {
        let first_name = &text[first.name.byte_range()];
        has_word(&text[first.node.byte_range()], name) || has_word(body, first_name)
    });
    4 * u32::from(came) + 2 * u32::from(related) + u32::from(has_word(request, name))
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .any(|found| found == word)
}

/// Tells a function, unless it is too long to be asked for alone.
fn told(found: &Definition<'_>, text: &str) -> Option<Focus> {
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

/// Finds the functions of the file that the output of a check leads to, the innermost first.
fn reached<'a, 'tree>(
    functions: &[&'a Definition<'tree>],
    path: &str,
    failing: &str,
) -> Vec<&'a Definition<'tree>> {
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
    let mut found: Vec<&Definition<'tree>> = Vec::new();
    for line in failing.lines().rev().filter_map(place) {
        let holds = |function: &&&'a Definition<'tree>| {
            let (from, to) = (
                function.node.start_position().row + 1,
                function.node.end_position().row + 1,
            );
            (from..=to).contains(&line)
        };
        let innermost = functions
            .iter()
            .filter(holds)
            .min_by_key(|function| function.node.end_byte() - function.node.start_byte());
        if let Some(function) = innermost
            && !found.iter().any(|known| known.node == function.node)
        {
            found.push(function);
        }
    }
    found
}

/// Tells whether a function is yet to be written.
fn is_unwritten(function: &Definition<'_>, text: &str) -> bool {
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

    fn focus(path: &str, text: &str, request: &str, failing: &str) -> Option<Focus> {
        aims(path, text, request, failing)?.first
    }

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
    fn what_the_check_came_to_or_has_to_do_with_the_first_comes_before_the_rest() {
        let text = "def far(a):\n    return a\n\n\ndef called(a):\n    return a\n\n\ndef meant(a):\n    return called(a)\n\n\ndef failing(a):\n    return a\n";
        let found = aims("a.py", text, "Fix `meant`", "a.py:14: AssertionError").expect("parsed");
        assert_eq!(
            found.first.map(|first| first.name).as_deref(),
            Some("meant")
        );
        let names: Vec<&str> = found.others.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["failing", "called", "far"]);
        assert_eq!((found.functions, found.unwritten), (4, 0));
    }

    #[test]
    fn functions_that_are_yet_to_be_written_are_counted() {
        let text = "class A:\n    def f(self):\n        pass\n\n    def g(self):\n        raise NotImplementedError\n\n\ndef h():\n    return 1\n";
        let found = aims("a.py", text, "Write it", "").expect("parsed");
        assert_eq!(
            (found.functions, found.unwritten, found.first),
            (3, 2, None)
        );
    }

    #[test]
    fn nothing_is_found_where_the_file_does_not_parse() {
        assert_eq!(focus("a.py", "def f(:\n    pass\n", "`f`", ""), None);
        assert_eq!(focus("a.txt", "f", "`f`", ""), None);
    }
}
