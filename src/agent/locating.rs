//! Where a message may be about that names no file: looked for by the host, so that a small model is shown the likeliest
//! place at once and need not go and search.

use serde_json::{Map, Value};

use super::{Agent, Located, MARKING_TOOL, MOVING_FILES, MOVING_TOOL};
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

    /// Returns the call that does all that a request asks for, where that is nothing but a rename or a move. `files` are
    /// those that it names and that are there.
    pub(super) fn whole_request(
        &self,
        request: &str,
        files: &[String],
    ) -> Option<(String, Map<String, Value>)> {
        let of_host = |name: &str| {
            let mut tools = self.host_tools.iter();
            tools.find(|tool| tool.tool == name)
        };
        let (tool, arguments) = if let Some((from, to)) = file_in(request, files) {
            (of_host(MOVING_FILES)?, [("path", from), ("new_path", to)])
        } else if let Some((path, mode)) = mark_in(request, files) {
            let arguments = [("path", path), ("mode", mode.to_owned())];
            (of_host(MARKING_TOOL)?, arguments)
        } else if let Some((symbol, to)) = rename_in(request) {
            let mut tools = self.tools.iter();
            let tool = tools.find(|tool| tool.tool == "rename" && tool.risk == Risk::Edit)?;
            let arguments = [("symbol", symbol.to_owned()), ("to", to.to_owned())];
            (tool, arguments)
        } else {
            let (symbol, to) = move_in(request)?;
            let arguments = [("symbol", symbol.to_owned()), ("to", to.to_owned())];
            (of_host(MOVING_TOOL)?, arguments)
        };
        let arguments = arguments.map(|(name, value)| (name.to_owned(), Value::String(value)));
        Some((tool.name.clone(), Map::from_iter(arguments)))
    }
}

/// Finds the file that a word means, among those that are there.
fn file_of(word: &str, files: &[String]) -> Option<String> {
    let word = unmarked(word);
    let below = format!("/{word}");
    let mut files = files.iter();
    let file = files.find(|file| *file == word || file.ends_with(&below));
    file.cloned()
}

fn unmarked(word: &str) -> &str {
    word.trim_matches(['`', '"', '\'']).trim_start_matches('@')
}

/// Reads a request that is one sentence and asks for a file to be moved: "move `a.py` to `lib/a.py`". Returns both paths.
fn file_in(request: &str, files: &[String]) -> Option<(String, String)> {
    let renamed = asked_in(request, "rename");
    let (from, to) = renamed.or_else(|| asked_in(request, "move"))?;
    let from = file_of(from, files)?;
    let to = unmarked(to);
    let (folder, name) = from.rsplit_once('/').unwrap_or(("", &from));
    let to = match to.rsplit_once('/') {
        // Into a folder, by its own name.
        Some((into, "")) => format!("{into}/{name}"),
        Some(_) => to.to_owned(),
        // A file gets another name where it stands; a word without an ending may be anything.
        None if !to.contains('.') => return None,
        None if renamed.is_some() && !folder.is_empty() => format!("{folder}/{to}"),
        None => to.to_owned(),
    };
    (to != from).then_some((from, to))
}

/// Reads a request that is one sentence and asks for a file to be a program, or not any more: "make `run.sh` executable".
fn mark_in(request: &str, files: &[String]) -> Option<(String, &'static str)> {
    let request = request.trim().trim_end_matches(['.', '!', '?']);
    let mut words = request.split_whitespace().filter(|word| {
        let word = word.to_lowercase();
        !["please", "the", "file", "script"].contains(&word.as_str())
    });
    let (verb, file) = (words.next()?, words.next()?);
    let rest: Vec<String> = words.map(str::to_lowercase).collect();
    let mode = match rest.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["executable"] => "+x",
        ["not", "executable"] | ["non-executable"] => "-x",
        _ => return None,
    };
    let makes = verb.eq_ignore_ascii_case("make") || verb.eq_ignore_ascii_case("mark");
    Some((file_of(file, files).filter(|_| makes)?, mode))
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
    const KINDS: [&str; 16] = [
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
        "file",
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
    fn a_request_that_moves_a_file_names_one_that_is_there() {
        let files = ["src/a.py".to_owned(), "run.sh".to_owned()];
        for (request, to) in [
            ("Move `src/a.py` to `lib/b.py`.", "lib/b.py"),
            ("please move the file src/a.py to lib/", "lib/a.py"),
            ("rename a.py to b.py", "src/b.py"),
            ("Rename src/a.py to src/b.py.", "src/b.py"),
            ("move @src/a.py to b.py", "b.py"),
        ] {
            let found = file_in(request, &files);
            assert_eq!(found, Some(("src/a.py".into(), to.into())), "{request}");
        }
        for request in [
            "Rename `a_b` to `c`.",
            "Rename other.py to b.py",
            "Move src/a.py to lib",
            "Move src/a.py to lib/a.py and fix the imports",
            "Move src/a.py to src/a.py",
        ] {
            assert_eq!(file_in(request, &files), None, "{request}");
        }
        let mark = |request| mark_in(request, &files).map(|(_, mode)| mode);
        assert_eq!(mark("Make `run.sh` executable."), Some("+x"));
        assert_eq!(mark("make the script run.sh not executable"), Some("-x"));
        assert_eq!(mark("make run.sh executable and run it"), None);
        assert_eq!(mark("make b.sh executable"), None);
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
