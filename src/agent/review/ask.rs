//! What a review asks the model, and what its answers mean.

use serde_json::{Map, Value, json};

use super::pieces::Piece;
use crate::protocol::{Finding, Message, Risk, Severity, ToolSpec};

/// The tools that answers are calls of. Nobody runs them.
const REPORT: &str = "report";
const JUDGE: &str = "judge";

/// The most findings of a piece in one pass.
const MOST: u64 = 3;

const SYSTEM: &str =
    "You review changes of code. You look for what goes wrong when the code runs, not for style.";

/// Asks for what is wrong with a piece.
pub(super) fn look(piece: &Piece) -> (Vec<Message>, ToolSpec) {
    let text = format!(
        "{}\nDoes the new code do something wrong? Think of wrong operators and conditions, bounds, swapped or missing \
         arguments, forgotten cases and updates, empty or missing values, lost errors, unchecked input. Call `{REPORT}` \
         with what really goes wrong when the code runs, each with the number of its line. If the change is right, \
         `findings` is empty.",
        shown(piece)
    );
    let schema = json!({
        "type": "object",
        "properties": {
            "findings": {
                "type": "array",
                "maxItems": MOST,
                "items": {
                    "type": "object",
                    "properties": {
                        "line": {"type": "integer", "enum": piece.numbers()},
                        "problem": {"type": "string", "minLength": 10, "maxLength": 300},
                        "title": {"type": "string", "minLength": 3, "maxLength": 80},
                        "severity": {"type": "string", "enum": ["error", "warning", "note"]},
                        "suggestion": {"type": "string", "maxLength": 200},
                    },
                    "required": ["line", "problem", "title", "severity", "suggestion"],
                    "additionalProperties": false,
                },
            },
        },
        "required": ["findings"],
        "additionalProperties": false,
    });
    (messages(text), tool(REPORT, schema))
}

/// Asks for the lines of a piece as they are, to see what is expected of them.
pub(super) fn part_of(piece: &Piece) -> String {
    let within = match piece.within.as_str() {
        "" => String::new(),
        within => format!(", from `{within}` on"),
    };
    format!("Write a part of `{}`{within}.", piece.path)
}

/// Asks whether a finding is right.
pub(super) fn question(piece: &Piece, finding: &Finding) -> (Vec<Message>, ToolSpec) {
    let text = format!(
        "{}\nA reviewer says of line {}: {} {}\n\nIs that so? Go through the code with an example. Call `{JUDGE}`: \
         `why` says what the code really does there, `wrong_code` is true only if the code gives a wrong result.",
        shown(piece),
        finding.from,
        finding.title,
        finding.explanation
    );
    let schema = json!({
        "type": "object",
        "properties": {
            "why": {"type": "string", "minLength": 10, "maxLength": 300},
            "wrong_code": {"type": "boolean"},
        },
        "required": ["why", "wrong_code"],
        "additionalProperties": false,
    });
    (messages(text), tool(JUDGE, schema))
}

/// Reads what was found in a piece.
pub(super) fn findings(piece: &Piece, given: &Map<String, Value>) -> Vec<Finding> {
    let numbers = piece.numbers();
    let listed = given.get("findings").and_then(Value::as_array);
    let mut findings: Vec<Finding> = Vec::new();
    for one in listed.into_iter().flatten() {
        let text = |key: &str| one[key].as_str().unwrap_or_default().trim().to_owned();
        let Some(line) = one["line"]
            .as_u64()
            .and_then(|line| u32::try_from(line).ok())
        else {
            continue;
        };
        // A model that is not held to the schema may name any line.
        let is_known = numbers.contains(&line) && !findings.iter().any(|known| known.from == line);
        let severity = Severity::ALL
            .into_iter()
            .find(|severity| one["severity"] == severity.name());
        if let Some(severity) = severity.filter(|_| is_known) {
            findings.push(Finding {
                path: piece.path.clone(),
                from: line,
                to: line,
                severity,
                title: text("title"),
                explanation: text("problem"),
                suggestion: text("suggestion"),
                votes: 1,
                passes: 1,
            });
        }
    }
    findings
}

/// Tells whether a finding that was questioned stands.
pub(super) fn stands(given: &Map<String, Value>) -> bool {
    given.get("wrong_code").and_then(Value::as_bool) == Some(true)
}

/// Returns what was said of a finding that was questioned.
pub(super) fn why(given: &Map<String, Value>) -> &str {
    let why = given.get("why").and_then(Value::as_str);
    why.unwrap_or_default().trim()
}

/// Writes a finding on one line.
pub(super) fn line(finding: &Finding) -> String {
    format!(
        "{}:{}: {}: {}. {}",
        finding.path,
        finding.from,
        finding.severity.name(),
        finding.title.trim_end_matches('.'),
        finding.explanation
    )
}

fn shown(piece: &Piece) -> String {
    let within = match piece.within.as_str() {
        "" => String::new(),
        within => format!(", in `{within}`"),
    };
    format!(
        "A change of `{}`{within}. Lines with + are new, lines with - are gone, the others were there before. The \
         numbers are those of the lines as they are now.\n\n```\n{}```\n",
        piece.path,
        piece.shown()
    )
}

fn messages(text: String) -> Vec<Message> {
    vec![
        Message::System {
            text: SYSTEM.to_owned(),
        },
        Message::User { text },
    ]
}

fn tool(name: &str, schema: Value) -> ToolSpec {
    ToolSpec {
        server: "walden".to_owned(),
        name: name.to_owned(),
        tool: name.to_owned(),
        description: "Gives the answer.".to_owned(),
        schema,
        risk: Risk::Read,
        previews: false,
    }
}
