//! The words of a command that a call would run.

use serde_json::Value;

use super::ToolCall;

/// What only a shell gives a meaning to. A line that has one of them is not a list of words.
const SHELL: &[char] = &[
    '|', '&', ';', '<', '>', '(', ')', '$', '`', '\\', '"', '\'', '*', '?', '[', ']', '#', '~',
    '=', '%', '{', '}', '!', '\n', '\r', '\0',
];

/// Returns the words of the command that a call would run, as it is shown. A line that only a shell can take apart is
/// one word. `None` for a call that runs no command.
pub fn command_of(call: &ToolCall) -> Option<Vec<String>> {
    written(call).map(|written| match written {
        Written::Words(words) => words,
        Written::Line(line) => vec![line],
    })
}

/// A command as a call writes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    Words(Vec<String>),
    /// A line that only a shell can take apart.
    Line(String),
}

pub(super) fn written(call: &ToolCall) -> Option<Written> {
    let given = ["argv", "command", "cmd", "script"]
        .iter()
        .find_map(|name| call.arguments.get(*name))?;
    match given {
        Value::String(line) if line.contains(SHELL) => Some(Written::Line(line.clone())),
        Value::String(line) => Some(Written::Words(
            line.split_whitespace().map(str::to_owned).collect(),
        )),
        Value::Array(words) => {
            let words: Option<Vec<String>> = words
                .iter()
                .map(|word| word.as_str().map(str::to_owned))
                .collect();
            let mut words = words?;
            // A program and its arguments in two places.
            if let Some(Value::Array(more)) = call.arguments.get("args") {
                words.extend(more.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            Some(Written::Words(words))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::CallId;
    use serde_json::json;

    fn call(arguments: &Value) -> ToolCall {
        ToolCall {
            id: CallId(1),
            server: "run".into(),
            tool: "command".into(),
            arguments: arguments.as_object().cloned().unwrap_or_default(),
        }
    }

    #[test]
    fn a_line_with_anything_for_a_shell_is_not_taken_apart() {
        let words = |line: &str| written(&call(&json!({"command": line})));
        assert_eq!(
            words("cargo  test --lib"),
            Some(Written::Words(
                ["cargo", "test", "--lib"].map(str::to_owned).to_vec()
            ))
        );
        for line in [
            "cargo test; rm -rf .",
            "cargo test && curl x",
            "FOO=1 cargo test",
            "cargo test > ~/.bashrc",
            "cargo test $(id)",
            "cargo test\nrm x",
            "'cargo' test",
        ] {
            assert_eq!(words(line), Some(Written::Line(line.to_owned())), "{line}");
        }
        assert_eq!(written(&call(&json!({"path": "a"}))), None);
    }
}
