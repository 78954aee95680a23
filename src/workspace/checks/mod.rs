//! Finding the command that tells whether a project works.

use super::{Index, Roots};

/// Tries the examples that stand in the strings of Python files, documented functions' or not. Its first line says what
/// it is.
const EXAMPLES: &str = include_str!("examples.py");

/// The most Python files that are searched for examples, and the most that may hold some: a check is to be short.
const MOST_SEARCHED: usize = 400;
const MOST_WITH_EXAMPLES: usize = 40;

/// Finds the command that a project is checked with, by the files that it has: `cargo test`, `pytest`, `npm test`,
/// `go test`, `make test`, a script of tests, or, where a Python project has no tests, the examples in its strings.
/// `None` where nothing says so.
///
/// `index` gives the project's files, and is asked only where the files at its top do not tell. `has` tells whether a
/// program is there; a module of Python's is asked for as `python3 -m NAME`.
pub fn detect<'a>(
    roots: &Roots,
    index: &dyn Fn() -> &'a Index,
    has: &dyn Fn(&str) -> bool,
) -> Option<Vec<String>> {
    let command = |words: &str| Some(words.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let there = |path: &str| {
        roots
            .read(path)
            .ok()
            .map(|file| String::from_utf8_lossy(&file.bytes).into_owned())
    };
    if there("Cargo.toml").is_some() && has("cargo") {
        return command("cargo test --offline --quiet");
    }
    if there("go.mod").is_some() && has("go") {
        return command("go test ./...");
    }
    if there("package.json").is_some_and(|text| has_test_script(&text)) && has("npm") {
        return command("npm test --silent");
    }
    if let Some(found) = python(roots, index(), has) {
        return Some(found);
    }
    let makefile = there("Makefile").or_else(|| there("makefile"))?;
    let has_target = makefile.lines().any(|line| line.starts_with("test:"));
    (has_target && has("make")).then(|| command("make test"))?
}

/// Tells whether a check that was found tries the examples in the strings of Python files.
pub fn reads_examples(command: &[String]) -> bool {
    command.iter().any(|word| word == EXAMPLES)
}

fn has_test_script(package: &str) -> bool {
    let script = package.split("\"test\"").nth(1).unwrap_or_default();
    let script = script.split('"').nth(1).unwrap_or_default();
    // What `npm init` writes is no test.
    !script.is_empty() && !script.contains("no test specified")
}

fn python(roots: &Roots, index: &Index, has: &dyn Fn(&str) -> bool) -> Option<Vec<String>> {
    let is_test = |path: &&String| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.ends_with(".py") && (name.starts_with("test_") || name.ends_with("_test.py"))
    };
    let tests: Vec<&String> = index.files().iter().filter(is_test).collect();
    let text = |path: &str| {
        let file = roots.read(path).ok()?;
        Some(String::from_utf8_lossy(&file.bytes).into_owned())
    };
    let python = ["python3", "python"].into_iter().find(|name| has(name))?;
    let words = |words: &[&str]| -> Option<Vec<String>> {
        Some(words.iter().map(|word| (*word).to_owned()).collect())
    };
    if tests.is_empty() {
        let files = with_examples(index, &text)?;
        let mut command: Vec<String> = words(&[python, "-c", EXAMPLES])?;
        command.extend(files);
        return Some(command);
    }
    let mut kinds = tests
        .iter()
        .filter_map(|path| text(path))
        .map(|text| kind_of(&text));
    let first = kinds.next()?;
    let all_unittest = first == Kind::Unittest && kinds.all(|kind| kind == Kind::Unittest);
    match first {
        Kind::Script if tests.len() == 1 => words(&[python, tests[0]]),
        _ if has(&format!("{python} -m pytest")) => {
            words(&[python, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"])
        }
        _ if all_unittest => words(&[python, "-m", "unittest", "-q"]),
        _ => None,
    }
}

/// Names the Python files with examples, as `PATH:EXAMPLES`, where there are some and not too many.
fn with_examples(index: &Index, text: &dyn Fn(&str) -> Option<String>) -> Option<Vec<String>> {
    let is_python = |path: &&String| path.ends_with(".py");
    let files: Vec<&String> = index.files().iter().filter(is_python).collect();
    if files.len() > MOST_SEARCHED {
        return None;
    }
    let named = |path: &&String| {
        let text = text(path)?;
        let begins = |line: &&str| line.trim_start().starts_with(">>> ");
        let examples = text.lines().filter(begins).count();
        (examples > 0).then(|| format!("{path}:{examples}"))
    };
    let found: Vec<String> = files.iter().filter_map(named).collect();
    (1..=MOST_WITH_EXAMPLES)
        .contains(&found.len())
        .then_some(found)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pytest,
    Unittest,
    /// Assertions that run as the file is read.
    Script,
}

fn kind_of(text: &str) -> Kind {
    if text.contains("unittest") && text.contains("TestCase") {
        Kind::Unittest
    } else if text
        .lines()
        .any(|line| line.trim_start().starts_with("def test"))
    {
        let calls = text.contains("__main__");
        if calls && !text.contains("pytest") {
            Kind::Script
        } else {
            Kind::Pytest
        }
    } else {
        Kind::Script
    }
}
