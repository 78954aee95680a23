//! Findings as a SARIF 2.1.0 log (OASIS "Static Analysis Results Interchange Format").

use serde_json::{Value, json};

use crate::protocol::{Finding, Severity};

/// Makes a log of one run.
pub(super) fn log(findings: &[Finding], is_whole: bool) -> Value {
    let results: Vec<Value> = findings.iter().map(result).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "walden",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": [{
                    "id": "review",
                    "shortDescription": {"text": "What a local model found in a change"},
                }],
            }},
            "invocations": [{"executionSuccessful": is_whole}],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(finding: &Finding) -> Value {
    let mut text = format!("{}: {}", finding.title, finding.explanation);
    if !finding.suggestion.is_empty() {
        text.push_str(&format!("\nSuggestion: {}", finding.suggestion));
    }
    json!({
        "ruleId": "review",
        "level": match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        },
        "message": {"text": text},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(&finding.path)},
            "region": {"startLine": finding.from, "endLine": finding.to},
        }}],
        "properties": {"votes": finding.votes, "passes": finding.passes},
    })
}

/// Writes a path as a relative reference: what means something in one is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(byte));
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_reference() {
        assert_eq!(uri("src/a b#ä.rs"), "src/a%20b%23%C3%A4.rs");
    }
}
