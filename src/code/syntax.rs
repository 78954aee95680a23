//! Whether an edit breaks a file's syntax.

use std::sync::atomic::AtomicBool;

use tree_sitter::Node;

use super::parse::{parse, walk};
use super::{Language, Parsed};

/// Where a text stops being what its language allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, such as ``expected `)` `` or the line itself.
    pub what: String,
}

/// The most of a line that is quoted.
const MAX_QUOTE: usize = 80;

/// Finds where an edit newly breaks a file's syntax.
///
/// `None` where it does not, and wherever that cannot be told: the language is unknown, the file was broken before (or
/// has a syntax that its grammar does not know), or it is too large. An empty `before` stands for a new file.
pub fn newly_broken(path: &str, before: &str, after: &str) -> Option<Broken> {
    let language = Language::of(path)?;
    if after.trim().is_empty() {
        return None;
    }
    let never = AtomicBool::new(false);
    let now = parse(language, after.as_bytes(), &never)?;
    if !now.root().has_error() {
        return None;
    }
    let was = parse(language, before.as_bytes(), &never)?;
    if was.root().has_error() {
        return None;
    }
    Some(describe(&now, after))
}

fn describe(parsed: &Parsed, text: &str) -> Broken {
    let mut found: Option<Node<'_>> = None;
    walk(parsed.root(), |node| {
        if found.is_some_and(|found| found.is_missing()) || !node.has_error() {
            return false;
        }
        // The innermost of the first: a whole file can be one error, with the place of it inside.
        if node.is_missing() || node.is_error() {
            let inside =
                found.is_none_or(|outer| outer.is_error() && node.end_byte() <= outer.end_byte());
            if inside {
                found = Some(node);
            }
        }
        true
    });
    let line = found.map_or(1, |node| node.start_position().row + 1);
    let what = match found {
        Some(node) if node.is_missing() && !node.is_named() => {
            format!("`{}` is missing", node.kind())
        }
        Some(node) if node.is_missing() => format!("{} is missing", node.kind().replace('_', " ")),
        _ => {
            let quoted = text.lines().nth(line - 1).unwrap_or_default().trim();
            format!("`{}`", crate::protocol::clip(quoted, MAX_QUOTE))
        }
    };
    Broken { line, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, before: &str, after: &str, expected: Option<usize>) {
        let found = newly_broken(path, before, after);
        assert_eq!(
            found.as_ref().map(|broken| broken.line),
            expected,
            "{path}: {after:?}: {found:?}"
        );
    }

    #[test]
    fn an_edit_that_breaks_the_syntax_is_found_with_its_line() {
        let rust = "fn a() -> u32 {\n    1\n}\n";
        check("a.rs", rust, "fn a() -> u32 {\n    (1\n}\n", Some(2));
        check("a.rs", rust, "fn a() -> u32 {\n    2\n}\n", None);
        check(
            "a.py",
            "def a():\n    return 1\n",
            "def a():\n    return (1\n",
            Some(2),
        );
        check("a.js", "let a = 1;\n", "let a = = 1;\n", Some(1));
        check(
            "a.ts",
            "let a: number = 1;\n",
            "let a: = number 1;\n",
            Some(1),
        );
        check("a.go", "package a\n", "package a\n\nfunc f() {\n", Some(3));
        check(
            "A.java",
            "class A { }\n",
            "class A {\n  int f( { return 1; }\n}\n",
            Some(2),
        );
        check("a.c", "int a;\n", "int a(void) { return 1 }\n", Some(1));
        check("a.cpp", "int a;\n", "class A { int b }\n", Some(1));
    }

    #[test]
    fn nothing_is_said_where_nothing_is_known() {
        check("a.txt", "(", "((", None);
        check("a.rs", "fn a( {", "fn a( { {", None);
        check("a.py", "x = 1\n", "", None);
        check("a.py", "", "x = 1\n", None);
    }

    #[test]
    fn a_new_file_is_to_parse() {
        check("a.py", "", "def f(:\n    pass\n", Some(1));
    }

    #[test]
    fn a_deeply_nested_text_is_no_trouble() {
        let deep = "(".repeat(50_000);
        check(
            "a.rs",
            "fn a() {}",
            &format!("fn a() {{ {deep} }}"),
            Some(1),
        );
    }
}
