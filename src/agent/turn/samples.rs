//! Sample calls of what a file defines, which the model writes: what they give tells versions of the file apart.
//!
//! Asked in words, a small model often writes lines of the code anew. So it answers in a call of its own, each of whose
//! texts begins with one of the names that the file defines.

use serde_json::{Map, Value, json};

use super::super::input::Effect;
use super::Agent;
use super::rewriting::Rewriting;
use super::searching::Search;
use super::weaving::last_block;
use super::wording::Part;
use crate::protocol::{Risk, ToolChoice, ToolSpec};

/// How many sample calls are asked for at least and taken at most, the tokens that they may take, and the longest of
/// them in characters.
const LEAST: usize = 5;
const CALLS: usize = 8;
const TOKENS: u32 = 360;
const LONGEST: usize = 120;

/// The longest escape in JSON: two halves of a character, `\ud83d\ude00`.
const LONGEST_ESCAPE: usize = 12;

/// How many names are called at most.
const NAMES: usize = 8;

/// The name of the call that they are written in.
const TRY: &str = "try_calls";

impl Agent {
    /// Asks for sample calls.
    pub(super) fn ask_for_calls(&mut self, out: &mut Vec<Effect>) {
        let Some((path, text)) = self.file_to_write() else {
            return;
        };
        let Some(turn) = &mut self.turn else { return };
        let search = turn.search.as_ref();
        let written = search
            .and_then(Search::written)
            .unwrap_or_else(|| text.clone());
        let names = callable(&text, &written);
        let what = match &names[..] {
            [name] => name.clone(),
            _ => path.clone(),
        };
        let form = match names.is_empty() {
            true => "one expression a line, without results, in one code block, and nothing else",
            false => "expressions with all their arguments, without results",
        };
        let prompt = format!(
            "{}\n\n{path}:\n```python\n{written}```\n\nWrite {CALLS} short calls of `{what}`, to try it with ordinary and with \
             unusual arguments: {form}.",
            turn.request
        );
        let mut request = self.request_beside(prompt);
        request.sampling.max_tokens = request.sampling.max_tokens.min(TOKENS);
        if !names.is_empty() {
            request.choice = ToolChoice::Required {
                names: vec![TRY.to_owned()],
            };
            request.tools = vec![spec(&names)];
        }
        let id = request.id;
        if let Some(turn) = &mut self.turn {
            turn.asking_beside(id);
            turn.rewriting = Some(Rewriting::aside(path, text, Part::Calls));
        }
        out.push(Effect::Generate(request));
    }

    /// Takes the sample calls that the model wrote.
    pub(super) fn take_calls(&mut self, raw: &str, out: &mut Vec<Effect>) {
        if let Some(turn) = &mut self.turn {
            let given = turn.pending.drain(..).next();
            let calls = match &given {
                Some((_, arguments)) => listed(arguments),
                None => Some(cut_off(raw))
                    .filter(|calls| !calls.is_empty())
                    .unwrap_or_else(|| in_lines(raw)),
            };
            turn.bad_call = None;
            if let Some(search) = &mut turn.search {
                search.versions.calls = Some(calls);
            }
        }
        self.probe_current(out);
    }
}

/// Describes the call that they are written in.
fn spec(names: &[String]) -> ToolSpec {
    let schema = json!({
        "type": "object",
        "properties": {
            "calls": {
                "type": "array",
                "minItems": LEAST,
                "maxItems": CALLS,
                "items": {
                    "type": "string",
                    "maxLength": LONGEST,
                    "pattern": format!(r"^({})\(.*\)$", names.join("|")),
                },
            },
        },
        "required": ["calls"],
        "additionalProperties": false,
    });
    ToolSpec {
        server: String::new(),
        name: TRY.to_owned(),
        tool: TRY.to_owned(),
        description: "Tries calls of what the file defines.".to_owned(),
        schema,
        risk: Risk::Read,
        previews: false,
    }
}

/// Returns the names that a file defines for others: of functions and classes at its margin. Where some were there
/// before, those.
fn callable(before: &str, now: &str) -> Vec<String> {
    let names = |text: &str| -> Vec<String> {
        let defined = text.lines().filter_map(|line| {
            let words = ["def ", "async def ", "class "];
            let rest = words.iter().find_map(|word| line.strip_prefix(word))?;
            let name = rest
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()?;
            (!name.is_empty() && !name.starts_with('_')).then(|| name.to_owned())
        });
        let mut names: Vec<String> = defined.collect();
        names.dedup();
        names.truncate(NAMES);
        names
    };
    let before = names(before);
    if before.is_empty() {
        names(now)
    } else {
        before
    }
}

/// Reads the calls from the arguments of the call that they were written in.
fn listed(arguments: &Map<String, Value>) -> Vec<String> {
    let given = arguments.get("calls").and_then(Value::as_array);
    let mut calls = Vec::new();
    for call in given.into_iter().flatten().filter_map(Value::as_str) {
        let call = call.trim().to_owned();
        if !call.contains(['\n', '\r']) && !calls.contains(&call) && calls.len() < CALLS {
            calls.push(call);
        }
    }
    calls
}

/// Reads the calls in a call that was cut off: texts in double quotes. The last of them may end anywhere: what is whole
/// of it is made.
fn cut_off(raw: &str) -> Vec<String> {
    let mut calls: Vec<String> = Vec::new();
    let mut rest = raw;
    while let Some(at) = rest.find('"') {
        let mut texts = serde_json::Deserializer::from_str(&rest[at..]).into_iter::<String>();
        let (text, is_whole) = match texts.next() {
            Some(Ok(text)) => (text, true),
            _ => (torn_text(&rest[at..]), false),
        };
        rest = match is_whole {
            true => &rest[at + texts.byte_offset()..],
            false => "",
        };
        let begins = text.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let ends = !is_whole || text.ends_with(')');
        let is_call = begins && text.contains('(') && ends && !text.contains('\n');
        if is_call && !calls.contains(&text) && calls.len() < CALLS {
            calls.push(text);
        }
    }
    calls
}

/// Reads the text that JSON ends in the middle of, without an escape that is not whole.
fn torn_text(json: &str) -> String {
    let ends = json.char_indices().rev().map(|(at, _)| at);
    let mut parts = [json.len()].into_iter().chain(ends.take(LONGEST_ESCAPE));
    parts
        .find_map(|end| serde_json::from_str(&format!("{}\"", &json[..end])).ok())
        .unwrap_or_default()
}

/// Reads calls that were written in words: an expression a line.
fn in_lines(raw: &str) -> Vec<String> {
    let block = last_block(raw).unwrap_or_else(|| raw.to_owned());
    let is_call = |line: &&str| {
        let begins = line.starts_with(|c: char| c.is_alphabetic() || c == '_');
        begins && line.contains('(') && line.ends_with(')') && line.len() <= LONGEST * 2
    };
    let bare = |line: &str| -> String {
        let line = line.split("  #").next().unwrap_or(line).trim();
        let printed = line
            .strip_prefix("print(")
            .and_then(|line| line.strip_suffix(')'));
        printed.unwrap_or(line).to_owned()
    };
    let mut calls: Vec<String> = Vec::new();
    for call in block.lines().map(bare) {
        let says_more = ["import ", "from ", "def ", "class ", "for ", "if "]
            .iter()
            .any(|word| call.starts_with(word));
        if is_call(&call.as_str()) && !says_more && !calls.contains(&call) && calls.len() < CALLS {
            calls.push(call);
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_in_words_are_expressions_one_a_line() {
        let raw = "Sure:\n```python\nfrom a import f\nf(1)\nprint(f([2, 3]))\nf(1)\nA(3).g()  # first\nfor x in y: f(x)\n```";
        assert_eq!(in_lines(raw), ["f(1)", "f([2, 3])", "A(3).g()"]);
    }

    #[test]
    fn of_a_call_that_was_cut_off_what_is_whole_is_taken() {
        let raw = r#"```json
{"name": "try_calls", "arguments": {"calls": ["f(1)", "f(\"a)\", [2])", "f(1)", "f([3, 4"#;
        assert_eq!(cut_off(raw), ["f(1)", "f(\"a)\", [2])", "f([3, 4"]);
        assert_eq!(cut_off(r#"{"calls": ["f(\"é\", \u00"#), ["f(\"é\", "]);
        assert!(cut_off(r#"{"calls": ["f"#).is_empty());
        assert!(cut_off("```python\nf(1)\nf(\"a\")\n```").is_empty());
    }

    #[test]
    fn what_a_file_offers_is_called() {
        let text = "import os\ndef f(a):\n    def g(): pass\nclass Tree(list):\n    def add(self): pass\nasync def h(): pass\ndef _own(): pass\n";
        assert_eq!(callable(text, ""), ["f", "Tree", "h"]);
        assert_eq!(callable("", text), ["f", "Tree", "h"]);
        assert_eq!(callable("def f(): pass", text), ["f"]);
        let pattern = &spec(&callable(text, "")).schema["properties"]["calls"]["items"]["pattern"];
        assert_eq!(pattern, r"^(f|Tree|h)\(.*\)$");
    }

    #[test]
    fn calls_in_arguments_are_taken_once_and_only_on_one_line() {
        let arguments = json!({"calls": ["f(1)", " f(1) ", "f(\n2)", 3, "f('x')"]});
        let arguments = arguments.as_object().expect("an object");
        assert_eq!(listed(arguments), ["f(1)", "f('x')"]);
        assert!(listed(&Map::new()).is_empty());
    }
}
