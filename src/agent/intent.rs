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

/// Tells whether a request asks for files to be changed.
///
/// Judged by the first word of each clause, so that "explain how to add a test" is a question and "The sum is wrong.
/// Fix it." is not. It only decides whether a turn that changed nothing is asked once more; a wrong guess costs one
/// generation.
pub(super) fn wants_change(request: &str) -> bool {
    request
        .split(['.', '!', '\n', ';', ':', ','])
        .any(|clause| {
            clause
                .split_whitespace()
                .map(|word| {
                    word.trim_matches(|c: char| !c.is_alphanumeric())
                        .to_lowercase()
                })
                .find(|word| !word.is_empty() && !POLITE.contains(&word.as_str()))
                .is_some_and(|word| CHANGING.contains(&word.as_str()))
        })
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
        if found.len() < limit && looks_like_path(word) && !found.iter().any(|known| known == word)
        {
            found.push(word.to_owned());
        }
    }
    found
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
        ] {
            assert!(wants_change(request), "{request}");
        }
        for request in [
            "What does main.rs do?",
            "Explain how to add a test",
            "review this file",
            "hello",
        ] {
            assert!(!wants_change(request), "{request}");
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
