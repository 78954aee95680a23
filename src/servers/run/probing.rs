//! What a file that is written from nothing is held to where the project has no check: that it runs, keeps its names,
//! leaves nothing unwritten, and does what the request's own examples say. It also makes a few calls and tells what
//! they give, so that several versions can be compared.

use rmcp::model::JsonObject;
use serde_json::{Value, json};

use super::report::Verdict;
use crate::protocol::sanitize_line;

/// Its first line says what it does.
const PROBE: &str = include_str!("probe.py");

/// The most of a text that is handed over, in bytes.
const LONGEST: usize = 32 * 1024;

/// How many calls are told of, and the longest of those lines, in bytes.
const CALLS: usize = 8;
const LONGEST_LINE: usize = 480;

/// What is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) path: String,
    given: Value,
}

impl Probe {
    /// Reads the arguments of a call.
    pub(super) fn of(arguments: Option<&JsonObject>) -> Result<Self, String> {
        let text = |name: &str| {
            let value = arguments.and_then(|arguments| arguments.get(name)?.as_str());
            value
                .filter(|text| text.len() <= LONGEST)
                .ok_or_else(|| format!("`{name}` must be a text of at most {LONGEST} bytes"))
        };
        let path = text("path")?;
        let is_inside = !path.starts_with(['/', '-']) && path.split('/').all(|part| part != "..");
        if !is_inside || !path.ends_with(".py") {
            return Err(format!("`{path}` is no Python file of the project"));
        }
        let calls = arguments.and_then(|arguments| arguments.get("calls"));
        Ok(Self {
            path: path.to_owned(),
            given: json!({
                "before": text("before")?,
                "request": text("request")?,
                "calls": calls.unwrap_or(&Value::Array(Vec::new())),
            }),
        })
    }

    /// Returns the command that looks, and how it is told of.
    pub(super) fn command(&self, python: &str) -> (Vec<String>, Vec<String>) {
        let spoken = vec![python.to_owned(), self.path.clone()];
        let argv = vec![
            python.to_owned(),
            "-c".to_owned(),
            PROBE.to_owned(),
            self.path.clone(),
            self.given.to_string(),
        ];
        (argv, spoken)
    }

    /// Describes its arguments.
    pub(super) fn schema() -> JsonObject {
        let text = json!({"type": "string"});
        let schema = json!({
            "type": "object",
            "properties": {
                "path": text, "before": text, "request": text,
                "calls": {"type": "array", "items": text},
            },
            "required": ["path", "before", "request"],
        });
        match schema {
            Value::Object(schema) => schema,
            _ => JsonObject::new(),
        }
    }
}

/// Takes what the calls gave into the verdict: numbers, and the words after them.
pub(super) fn with_given(mut verdict: Verdict, output: &str) -> Verdict {
    let Some((_, given)) = output.rsplit_once("\ngiven: ") else {
        return verdict;
    };
    let (numbers, words) = given.split_once('\n').unwrap_or((given, ""));
    let numbers = numbers.split(' ');
    let fits = |line: &&str| !line.is_empty() && line.len() <= LONGEST_LINE;
    for line in words.lines().filter(fits).take(CALLS) {
        verdict.text.push('\n');
        verdict.text.push_str(&sanitize_line(line));
    }
    for (slot, number) in verdict.result.given.iter_mut().zip(numbers) {
        *slot = number.parse().unwrap_or(0);
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(path: &str) -> JsonObject {
        let value = json!({"path": path, "before": "def f(): pass\n", "request": "Write f"});
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn only_a_python_file_of_the_project_is_looked_at() {
        assert!(Probe::of(Some(&arguments("a/b.py"))).is_ok());
        for path in ["/a.py", "../a.py", "a/../../b.py", "a.sh", "-c.py"] {
            assert!(Probe::of(Some(&arguments(path))).is_err(), "{path}");
        }
        assert!(Probe::of(None).is_err());
    }
}
