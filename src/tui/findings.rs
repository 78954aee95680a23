//! What a review's finding looks like in the transcript.

use crate::protocol::{Finding, Severity};

use super::role::Role;
use super::text::{Row, clean_line, wrap};

/// Lays out a finding: its place and title, when it goes wrong, and what to do instead.
pub(super) fn rows(finding: &Finding, limit: usize) -> Vec<Row> {
    let (mark, role) = match finding.severity {
        Severity::Error => ("✗ ", Role::NoticeError),
        Severity::Warning => ("! ", Role::NoticeWarning),
        Severity::Note => ("i ", Role::NoticeInfo),
    };
    let place = match finding.from == finding.to {
        true => format!("{}:{}", finding.path, finding.from),
        false => format!("{}:{}-{}", finding.path, finding.from, finding.to),
    };
    let indent = Row::new("  ", Role::Text);
    let mut head = Row::new(mark, role)
        .with(clean_line(&place), Role::DiffPath)
        .with(format!(" {} ", finding.severity.name()), role);
    head.append(told(&clean_line(&finding.title), Role::TextStrong));
    let mut rows = wrap(&head, limit, &indent);
    let mut add = |text: &str, mark: &str, role: Role| {
        let text = clean_line(text);
        if !text.trim().is_empty() {
            let mut row = indent.clone().with(mark, role);
            row.append(told(&text, role));
            rows.extend(wrap(&row, limit, &indent));
        }
    };
    add(&finding.explanation, "", Role::Text);
    add(&finding.suggestion, "→ ", Role::TextDim);
    rows
}

/// Sets what stands between backticks as code, as answers have it.
fn told(text: &str, role: Role) -> Row {
    if !text.matches('`').count().is_multiple_of(2) {
        return Row::new(text, role);
    }
    let mut row = Row::default();
    for (at, part) in text.split('`').enumerate() {
        row.push(part, if at % 2 == 0 { role } else { Role::Code });
    }
    row
}
