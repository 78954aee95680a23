//! What a request asks for, as far as its words tell.

/// Verbs that ask for a change of files when a sentence begins with them.
const CHANGING: &[&str] = &[
    "add",
    "adapt",
    "adjust",
    "apply",
    "change",
    "clean",
    "complete",
    "convert",
    "correct",
    "create",
    "delete",
    "document",
    "drop",
    "edit",
    "extract",
    "fill",
    "fix",
    "implement",
    "improve",
    "inline",
    "insert",
    "make",
    "migrate",
    "modify",
    "move",
    "optimise",
    "optimize",
    "port",
    "put",
    "refactor",
    "remove",
    "rename",
    "repair",
    "replace",
    "reverse",
    "rewrite",
    "set",
    "simplify",
    "solve",
    "sort",
    "split",
    "swap",
    "turn",
    "update",
    "write",
];

/// Words that may stand before the verb.
const POLITE: &[&str] = &[
    "please", "can", "could", "you", "now", "then", "also", "and", "just", "kindly", "would",
];

/// Words that a question or a request for words begins with.
const ASKING: &[&str] = &[
    "are",
    "compare",
    "describe",
    "did",
    "do",
    "does",
    "explain",
    "find",
    "give",
    "has",
    "have",
    "hello",
    "hi",
    "how",
    "is",
    "list",
    "print",
    "review",
    "should",
    "show",
    "summarise",
    "summarize",
    "tell",
    "was",
    "were",
    "what",
    "when",
    "where",
    "which",
    "who",
    "whose",
    "why",
];

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Intent {
    /// Files are to be changed: a turn that changes none is asked once more.
    Change,
    /// Words are wanted: nothing that changes a file is offered to the model.
    Question,
    #[default]
    Unclear,
}

/// Returns the words of a request that tell what it is about, in lower case.
pub(super) fn telling_words(request: &str) -> impl Iterator<Item = String> {
    request
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .map(str::to_lowercase)
        .filter(|word| word.len() > 3)
        .filter(|word| {
            let word = word.as_str();
            [CHANGING, POLITE, ASKING, OF_PROJECT]
                .iter()
                .all(|words| !words.contains(&word))
                && !FILLERS.contains(&word)
        })
}

/// Words that tell nothing.
const FILLERS: &[&str] = &[
    "about", "after", "again", "before", "from", "into", "more", "need", "only", "over", "some",
    "than", "their", "them", "there", "they", "want", "will", "with", "when", "where", "your",
];

/// Judges a request by the first word of each clause, so that "explain how to add a test" is a question and "The sum is
/// wrong. Fix it." is none.
pub(super) fn intent(request: &str) -> Intent {
    let firsts: Vec<String> = request
        .split(['.', '!', '\n', ';', ':', ','])
        .filter_map(|clause| {
            clause
                .split_whitespace()
                .map(|word| {
                    word.trim_matches(|c: char| !c.is_alphanumeric())
                        .to_lowercase()
                })
                .find(|word| !word.is_empty() && !POLITE.contains(&word.as_str()))
        })
        .collect();
    let begins_with = |words: &[&str]| {
        firsts
            .first()
            .is_some_and(|first| words.contains(&first.as_str()))
    };
    if firsts
        .iter()
        .any(|first| CHANGING.contains(&first.as_str()))
    {
        Intent::Change
    } else if begins_with(ASKING) || request.trim_end().ends_with('?') {
        Intent::Question
    } else if shows_what_was_meant(request) {
        Intent::Change
    } else {
        Intent::Unclear
    }
}

/// Tells whether a request says that code which is there does something wrong, and asks for nothing else: where its
/// looks are to change, or something is to be added, what it gives is to stay.
pub(super) fn asks_for_a_mend(request: &str) -> bool {
    let words = words(request);
    let has = |some: &[&str]| words.iter().any(|word| some.contains(&word.as_str()));
    let shows = shows_what_was_meant(request);
    let mends = has(WRONG) || shows || has(MENDING) && !has(LOOKS);
    mends && !has(BUILDING)
}

fn words(request: &str) -> Vec<String> {
    let words = request.split(|c: char| !c.is_alphanumeric());
    words.map(str::to_lowercase).collect()
}

/// Tells whether a request holds a call, what it gives, and what was meant: that is told so that it is mended.
fn shows_what_was_meant(request: &str) -> bool {
    let words = words(request);
    let has = |some: &[&str]| words.iter().any(|word| some.contains(&word.as_str()));
    request.contains('(') && has(&["gives", "returns"]) && has(&["expected", "instead", "should"])
}

/// Tells whether a request asks for something that goes wrong to be mended, so that a check of the project as it is would
/// likely say what that is. It asks for nothing else.
pub(super) fn asks_to_mend_a_failure(request: &str) -> bool {
    let words = words(request);
    let has = |some: &[&str]| words.iter().any(|word| some.contains(&word.as_str()));
    let wants_passing = has(&["test", "tests"]) && has(&["pass"]);
    (has(WRONG) || has(FAILING) || wants_passing) && !has(BUILDING)
}

/// Words for what goes wrong, and for mending it.
const FAILING: &[&str] = &[
    "correct",
    "crash",
    "crashed",
    "crashes",
    "crashing",
    "debug",
    "error",
    "errors",
    "exception",
    "fail",
    "failed",
    "failing",
    "fails",
    "failure",
    "failures",
    "fix",
    "fixes",
    "hang",
    "hangs",
    "mend",
    "panic",
    "panics",
    "regression",
    "repair",
    "solve",
    "traceback",
];

/// Words for code that does something wrong.
const WRONG: &[&str] = &[
    "broken",
    "bug",
    "bugs",
    "buggy",
    "defect",
    "fault",
    "faulty",
    "incorrect",
    "incorrectly",
    "wrong",
    "wrongly",
];

/// Words for mending what code does.
const MENDING: &[&str] = &[
    "crash", "crashed", "crashes", "debug", "fix", "fixes", "hang", "hangs", "mend", "repair",
];

/// Words for what is mended and does nothing.
const LOOKS: &[&str] = &[
    "formatting",
    "header",
    "import",
    "imports",
    "indentation",
    "layout",
    "license",
    "lint",
    "lints",
    "name",
    "names",
    "naming",
    "style",
    "type",
    "types",
    "warning",
    "warnings",
    "whitespace",
];

/// Words for more than a mend.
const BUILDING: &[&str] = &[
    "add",
    "comment",
    "comments",
    "create",
    "docstring",
    "docstrings",
    "document",
    "extract",
    "format",
    "handle",
    "implement",
    "log",
    "logging",
    "message",
    "messages",
    "move",
    "print",
    "raise",
    "refactor",
    "reject",
    "rename",
    "spelling",
    "support",
    "typo",
    "typos",
    "validate",
    "warn",
    "write",
];

/// Tells whether a request asks for tests to be changed, and not only for code that passes them.
pub(super) fn asks_for_tests(request: &str) -> bool {
    request.split(['.', '!', '\n', ';', ',']).any(|clause| {
        let words: Vec<String> = clause
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
        has(CHANGING)
            && has(&["test", "tests"])
            && !has(&["pass", "passes", "not", "never", "without"])
    })
}

/// Tells whether a file holds tests, by its name or folder.
pub(super) fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split('.').next().unwrap_or(name);
    stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem.ends_with("_spec")
        || matches!(stem, "conftest" | "test" | "tests")
        || name.contains(".test.")
        || name.contains(".spec.")
        || stem.ends_with("Test")
        || path
            .split('/')
            .any(|folder| matches!(folder, "tests" | "__tests__"))
}

/// Finds the words of a request that look like paths of files, at most `limit`, in order.
pub(super) fn mentioned_paths(request: &str, limit: usize) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in request
        .split(|c: char| c.is_whitespace() || matches!(c, '`' | '"' | '\'' | '(' | ')' | ',' | ';'))
    {
        let word = word
            .trim_end_matches(['.', ':', '?', '!'])
            .trim_start_matches('@');
        let word = split_range(word).map_or(word, |(path, _)| path);
        if found.len() < limit && looks_like_path(word) && !found.iter().any(|known| known == word)
        {
            found.push(word.to_owned());
        }
    }
    found
}

/// Takes `src/a.rs:10-40` or `src/a.rs:10` apart: the path, the first line, and how many there are.
fn split_range(word: &str) -> Option<(&str, (u64, u64))> {
    let (path, range) = word.rsplit_once(':')?;
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
    (looks_like_path(path) && from > 0 && to >= from).then(|| (path, (from, to - from + 1)))
}

/// Finds the lines of a file that a request names: the first one, and how many.
pub(super) fn range_of(request: &str, path: &str) -> Option<(u64, u64)> {
    let words = request.split(|c: char| c.is_whitespace() || "`\"'(),;".contains(c));
    words
        .map(|word| {
            word.trim_end_matches(['.', ':', '?', '!'])
                .trim_start_matches('@')
        })
        .filter_map(split_range)
        .find(|(named, _)| path == *named || path.ends_with(&format!("/{named}")))
        .map(|(_, range)| range)
}

/// Words that say that a question is about what is in front of the user.
const OF_PROJECT: &[&str] = &[
    "app",
    "branch",
    "bug",
    "class",
    "code",
    "codebase",
    "commit",
    "config",
    "configuration",
    "crate",
    "defined",
    "dependencies",
    "diff",
    "directory",
    "docs",
    "error",
    "file",
    "files",
    "folder",
    "folders",
    "function",
    "functions",
    "here",
    "implementation",
    "implemented",
    "library",
    "line",
    "lines",
    "main",
    "method",
    "methods",
    "module",
    "modules",
    "our",
    "package",
    "program",
    "project",
    "readme",
    "repo",
    "repository",
    "script",
    "source",
    "struct",
    "test",
    "tests",
    "that",
    "these",
    "this",
    "those",
    "todo",
    "tool",
    "type",
    "version",
    "we",
];

/// Tells whether a request has to do with the project, as far as its words tell: it names a file or something of code,
/// or points at what is there.
pub(super) fn is_of_project(request: &str) -> bool {
    request.contains('`')
        || request.contains('@')
        || request.contains('\n')
        || request.split_whitespace().any(|word| {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            let inner_capital = bare.chars().skip(1).any(char::is_uppercase)
                && bare.chars().any(char::is_lowercase);
            OF_PROJECT.contains(&bare.to_lowercase().as_str())
                || word.contains("::")
                || word.contains('_')
                || word.contains("()")
                || (word.contains('/') && word.len() > 2)
                || inner_capital
                || looks_like_path(bare)
        })
}

/// Tells whether a request begins by saying that something is to be called.
pub(super) fn orders_a_call(request: &str) -> bool {
    let mut words = request
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .skip_while(|word| POLITE.contains(&word.as_str()));
    let first = words.next();
    matches!(
        first.as_deref(),
        Some("call" | "invoke" | "run" | "trigger" | "use")
    )
}

/// Tells whether an answer says that something was changed.
pub(super) fn claims_change(answer: &str) -> bool {
    let text = answer.to_lowercase().replace('\u{2019}', "'");
    let says = |subject: &str| {
        [
            "fixed", "updated", "changed", "added", "removed", "renamed", "modified", "edited",
            "created", "replaced",
        ]
        .iter()
        .any(|verb| text.contains(&format!("{subject} {verb}")))
    };
    [
        "i have",
        "i've",
        "i just",
        "i have now",
        "i",
        "file has been",
        "file was",
        "bug has been",
        "code has been",
    ]
    .iter()
    .any(|subject| match *subject {
        "i" => text.starts_with("i ") && says("i"),
        subject => says(subject),
    })
}

/// Tells whether a word has the shape of a file's path: a name with an extension, not a number or an address.
fn looks_like_path(word: &str) -> bool {
    if word.contains("://")
        || word.len() > 200
        || matches!(word, "e.g" | "i.e")
        || word.starts_with('-')
    {
        return false;
    }
    let name = word.rsplit('/').next().unwrap_or(word);
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return false;
    };
    let known_shape = (1..=6).contains(&extension.len())
        && extension.starts_with(|c: char| c.is_ascii_alphabetic())
        && extension.chars().all(|c| c.is_ascii_alphanumeric());
    known_shape
        && !stem.ends_with('.')
        && word
            .chars()
            .all(|c| c.is_alphanumeric() || "._-/+@".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_for_a_change_is_told_from_a_question() {
        for request in [
            "Fix the off-by-one in src/a.py",
            "The sum is wrong. Please fix it.",
            "could you rename `x` to `y`?",
            "In util.rs, add a test",
            "Complete the functions in a.py",
            "f(3) in a.py gives 9 instead of 6",
        ] {
            assert_eq!(intent(request), Intent::Change, "{request}");
        }
        for request in [
            "What does main.rs do?",
            "Explain how to add a test",
            "review this file",
            "hello",
            "src/a.rs is what?",
            "Why is it that f(3) gives 9 and should it?",
        ] {
            assert_eq!(intent(request), Intent::Question, "{request}");
        }
        for request in [
            "The tests of a.py fail",
            "A look for bugs in a.py",
            "a.py must raise on a negative size",
        ] {
            assert_eq!(intent(request), Intent::Unclear, "{request}");
        }
    }

    #[test]
    fn a_request_for_a_mend_says_that_something_is_wrong() {
        for request in [
            "Fix the bug in `f`",
            "a.py has a bug on a single line",
            "The sum is wrong.",
            "quicksort drops equal values, mend it",
            "f crashes on an empty list",
            "f(3) returns 9, but should return 6",
            "`f(3)` gives 9 instead of 6",
            "Fix f so that it keeps the last page",
        ] {
            assert!(asks_for_a_mend(request), "{request}");
        }
        for request in [
            "Add a flag",
            "Rename f to g",
            "Use a prefix in a.py",
            "Fix the formatting",
            "Fix the type annotations of f",
            "Make f return a list instead of a tuple",
            "Fix the wrong comment above f",
            "Raise an error where the size is wrong",
        ] {
            assert!(!asks_for_a_mend(request), "{request}");
        }
    }

    #[test]
    fn a_request_to_mend_a_failure_is_told_from_one_that_builds() {
        for (request, expected) in [
            ("The last page is missing. Fix pages.py.", true),
            ("Fix it", true),
            ("The sum is wrong. Change it.", true),
            ("Make the failing test pass", true),
            ("Make the tests pass", true),
            ("Repair `parse`", true),
            ("Change f so that it does not crash on an empty list", true),
            ("Add a flag", false),
            ("Add a test for the failure", false),
            ("Fix the crash and add a test", false),
            ("Rename f to g", false),
            ("Implement what fails", false),
            ("Pass the limit to f", false),
            ("Fix the typo", false),
            ("Use a prefix in a.py", false),
        ] {
            assert_eq!(asks_to_mend_a_failure(request), expected, "{request}");
        }
    }

    #[test]
    fn tests_are_changed_only_where_that_is_asked_for() {
        for request in ["Add a test for `f`", "Fix a.py, then update the tests"] {
            assert!(asks_for_tests(request), "{request}");
        }
        for request in [
            "Fix `f` in a.py. test_a.py holds the tests that must pass; do not change it.",
            "Make the tests pass",
            "Fix a.py without changing its tests",
        ] {
            assert!(!asks_for_tests(request), "{request}");
        }
        for path in ["test_a.py", "tests/it.rs", "a/b_test.go", "x.test.ts"] {
            assert!(is_test(path), "{path}");
        }
        for path in ["latest.py", "src/contest.rs", "testing/a.py"] {
            assert!(!is_test(path), "{path}");
        }
    }

    #[test]
    fn a_range_of_lines_is_read_with_its_file() {
        let request = "Explain @src/a.rs:10-40, and b.py:7.";
        assert_eq!(mentioned_paths(request, 4), ["src/a.rs", "b.py"]);
        assert_eq!(range_of(request, "src/a.rs"), Some((10, 31)));
        assert_eq!(range_of(request, "deep/b.py"), Some((7, 1)));
        assert_eq!(range_of("a.rs:0-3 c.rs:9-3 d.rs", "a.rs"), None);
    }

    #[test]
    fn a_question_about_the_world_is_told_from_one_about_the_project() {
        for request in [
            "hello",
            "What is the capital of France?",
            "Explain what a mutex is",
            "Thanks, how are you?",
            "What is 17 * 23?",
        ] {
            assert!(!is_of_project(request), "{request}");
        }
        for request in [
            "What does this do?",
            "Where is parse_line defined?",
            "How does the Scheduler class work?",
            "What is in src/?",
            "Explain `x`",
            "Which tests are there?",
            "What does readFile return?",
        ] {
            assert!(is_of_project(request), "{request}");
        }
    }

    #[test]
    fn a_claim_of_a_change_is_heard() {
        for answer in [
            "I've updated the function.",
            "I fixed it.",
            "The file has been changed.",
        ] {
            assert!(claims_change(answer), "{answer}");
        }
        for answer in [
            "It adds two numbers.",
            "You could change it.",
            "A value is added to the list.",
        ] {
            assert!(!claims_change(answer), "{answer}");
        }
    }

    #[test]
    fn paths_are_found_in_a_request() {
        assert_eq!(
            mentioned_paths(
                "Fix `sqrt` in python_programs/sqrt.py. See @a-b.rs and 3.14, e.g. http://x.y/z.html",
                5
            ),
            ["python_programs/sqrt.py", "a-b.rs"]
        );
        assert_eq!(mentioned_paths("a.py b.py c.py", 2), ["a.py", "b.py"]);
    }
}
