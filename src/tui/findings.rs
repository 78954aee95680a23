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
    let head = Row::new(mark, role)
        .with(clean_line(&place), Role::DiffPath)
        .with(format!(" {}", finding.severity.name()), role)
        .with(format!(" {}", clean_line(&finding.title)), Role::TextStrong);
    let mut rows = wrap(&head, limit, &indent);
    let mut add = |text: &str, mark: &str, role: Role| {
        let text = clean_line(text);
        if !text.trim().is_empty() {
            let row = indent.clone().with(format!("{mark}{text}"), role);
            rows.extend(wrap(&row, limit, &indent));
        }
    };
    add(&finding.explanation, "", Role::Text);
    add(&finding.suggestion, "→ ", Role::TextDim);
    rows
}
