//! Where a message may be about that names no file: looked for by the host, so that a small model is shown the likeliest
//! place at once and need not go and search.

use serde_json::{Map, Value};

use super::{Agent, Located};
use crate::protocol::Risk;

/// How many messages with their places are kept until their turns begin.
const MOST_KEPT: usize = 16;

impl Agent {
    /// Takes note of where a message that comes next may be about.
    pub(super) fn note_located(&mut self, text: String, located: Located) {
        self.located.push((text, located));
        if self.located.len() > MOST_KEPT {
            self.located.remove(0);
        }
    }

    /// Returns where the message of the turn that begins may be about.
    pub(super) fn take_located(&mut self, text: &str) -> Option<Located> {
        let at = self.located.iter().position(|(of, _)| of == text)?;
        Some(self.located.remove(at).1)
    }

    /// Returns the call that does all that a request asks for, where that is nothing but a rename or a move.
    pub(super) fn whole_request(&self, request: &str) -> Option<(String, Map<String, Value>)> {
        let (tool, symbol, to) = match (rename_in(request), move_in(request)) {
            (Some((symbol, to)), _) => {
                let mut tools = self.tools.iter();
                let tool = tools.find(|tool| tool.tool == "rename" && tool.risk == Risk::Edit)?;
                (tool, symbol, to)
            }
            (None, Some((symbol, to))) => (self.mover.as_ref()?, symbol, to),
            (None, None) => return None,
        };
        let arguments = [("symbol", symbol), ("to", to)]
            .map(|(name, value)| (name.to_owned(), Value::String(value.to_owned())));
        Some((tool.name.clone(), Map::from_iter(arguments)))
    }
}

/// Reads a request that is one sentence and asks for a rename: "rename the function `a` to `b`".
fn rename_in(request: &str) -> Option<(&str, &str)> {
    let (symbol, to) = asked_in(request, "rename")?;
    Some((name_in(symbol)?, name_in(to)?))
}

/// Reads a request that is one sentence and asks for an item to be moved: "move the function `a` to `src/b.rs`".
fn move_in(request: &str) -> Option<(&str, &str)> {
    let (symbol, to) = asked_in(request, "move")?;
    let symbol = name_in(symbol).filter(|name| !name.contains('.'))?;
    let to = to.trim_matches(['`', '"', '\'']);
    let is_file = to.ends_with(".rs") || to.ends_with(".py");
    is_file.then_some((symbol, to))
}

/// Reads a request that is one sentence: a verb, what it is about, and what that is to become.
fn asked_in<'a>(request: &'a str, verb: &str) -> Option<(&'a str, &'a str)> {
    const POLITE: [&str; 5] = ["please", "can", "could", "you", "now"];
    const KINDS: [&str; 15] = [
        "the",
        "function",
        "method",
        "class",
        "struct",
        "enum",
        "trait",
        "type",
        "interface",
        "constant",
        "variable",
        "field",
        "symbol",
        "macro",
        "from",
    ];
    const EVERYWHERE: [&str; 7] = [
        "everywhere",
        "in",
        "all",
        "files",
        "the",
        "whole",
        "project",
    ];
    let request = request.trim().trim_end_matches(['.', '!', '?']);
    if request.contains('\n') {
        return None;
    }
    let is_one_of = |words: &[&str], word: &str| words.contains(&word.to_lowercase().as_str());
    let mut words = request.split_whitespace().peekable();
    while words.peek().is_some_and(|word| is_one_of(&POLITE, word)) {
        words.next();
    }
    if !words.next()?.eq_ignore_ascii_case(verb) {
        return None;
    }
    while words.peek().is_some_and(|word| is_one_of(&KINDS, word)) {
        words.next();
    }
    let symbol = words.next()?;
    if !is_one_of(&["to", "into", "as"], words.next()?) {
        return None;
    }
    let to = words.next()?;
    // Whatever comes after it is more than a rename.
    words
        .all(|word| is_one_of(&EVERYWHERE, word))
        .then_some((symbol, to))
}

/// Reads a word as a name of code, with its marks taken off.
fn name_in(word: &str) -> Option<&str> {
    let name = word.trim_matches(['`', '"', '\'']).trim_end_matches("()");
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '$');
    let begins = name.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '$'));
    (begins && name.chars().all(is_part)).then_some(name)
}

impl Located {
    /// Writes a message with the places after it. One that stands out is read instead, and needs no map.
    pub(super) fn after(&self, message: &str) -> String {
        match self.file {
            Some(_) => message.to_owned(),
            None => format!(
                "{message}\n\nPlaces in the code with words of this:\n{}",
                self.map
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_moves_an_item_is_told_from_one_that_moves_a_file() {
        for request in [
            "Move `a_b` to `src/c.rs`.",
            "please move the function a_b to src/c.rs",
        ] {
            assert_eq!(move_in(request), Some(("a_b", "src/c.rs")), "{request}");
        }
        for request in [
            "Move a.rs to src/c.rs",
            "Move `a` to the folder b",
            "Move `a` to src/c.rs and fix its callers",
            "Move `a` up",
        ] {
            assert_eq!(move_in(request), None, "{request}");
        }
    }

    #[test]
    fn a_request_that_is_a_rename_is_told_from_one_that_is_more() {
        for request in [
            "Rename `a_b` to `c`.",
            "please rename the function a_b to c",
            "rename a_b() to c everywhere",
            "Rename a_b to c in the whole project",
        ] {
            assert_eq!(rename_in(request), Some(("a_b", "c")), "{request}");
        }
        assert_eq!(rename_in("rename A::b to c"), Some(("A::b", "c")));
        for request in [
            "Rename `a` to `b` and add a test",
            "Rename `a` to something better, please",
            "What would it take to rename `a` to `b`?",
            "Rename a.txt to b.txt, then commit",
            "rename a",
        ] {
            assert_eq!(rename_in(request), None, "{request}");
        }
    }
}
