//! What is asked, laid out in rows: the call, why it asks, and its change or its arguments.

use std::sync::Arc;

use ratatui::layout::Rect;

use super::super::highlight::Highlighter;
use super::super::markdown::code_rows;
use super::super::review::Place;
use super::super::role::Role;
use super::super::text::{Row, clean, clean_line, fold, wrap};
use super::super::{approval_ask, diff};
use super::{Approval, Question};
use crate::protocol::{Ask, FileChange, Risk, ToolCall, command_of};

/// Rows of the arguments that are laid out at most.
const MOST_ROWS: usize = 5_000;

/// What is asked, as rows of a width.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) head: Vec<Row>,
    pub(super) body: Vec<Row>,
    width: u16,
}

/// What was laid out last, and with which colours of the code.
#[derive(Debug)]
pub(super) struct Kept {
    generation: u64,
    parts: Arc<Parts>,
}

impl Approval {
    pub(super) fn parts(
        &self,
        question: Question<'_>,
        highlighter: &Highlighter,
        width: u16,
    ) -> Arc<Parts> {
        let generation = highlighter.generation();
        let mut kept = self.kept.borrow_mut();
        if let Some(kept) = kept
            .as_ref()
            .filter(|kept| kept.generation == generation && kept.parts.width == width)
        {
            return Arc::clone(&kept.parts);
        }
        let parts = Arc::new(lay_out(question, highlighter, width));
        *kept = Some(Kept {
            generation,
            parts: Arc::clone(&parts),
        });
        parts
    }
}

/// Returns the place in which a change is gone through.
pub(super) fn place<'a>(
    change: &'a FileChange,
    highlighter: &'a Highlighter,
    area: Rect,
) -> Place<'a> {
    Place {
        change,
        highlighter,
        wide: area.width.into(),
        high: area.height.into(),
    }
}

fn lay_out(question: Question<'_>, highlighter: &Highlighter, width: u16) -> Parts {
    let wide = usize::from(width).max(1);
    let (mark, role) = match question.risk {
        Risk::Read | Risk::Edit => ("○ ", Role::RiskLow),
        _ => ("▲ ", Role::RiskHigh),
    };
    let call = question.call;
    let mut what = Row::new(mark, role);
    what.push(format!("{}.", clean_line(&call.server)), Role::TextDim);
    what.push(clean_line(&call.tool), Role::Call);
    let told = question.ask.and_then(|ask| told_check(call, ask));
    if let Some(of) = told {
        what.push(format!(" · {}", clean_line(of)), Role::TextDim);
    }
    if let Some(change) = question.change {
        what.push(" · ", Role::TextDim);
        what.append(diff::heading(change));
    }
    let mut head = wrap(&what, wide, &Row::new("  ", Role::Text));
    match question.ask {
        Some(ask) => head.extend(approval_ask::rows(ask, wide)),
        None => {
            let why = Row::new("  asks because ", Role::TextDim)
                .with(clean_line(question.reason), Role::Text);
            head.extend(wrap(&why, wide, &Row::new("  ", Role::Text)));
        }
    }
    let body = match question.change {
        // What has lines is gone through by a review.
        Some(change) => diff::ends(change, wide),
        None if told.is_some() => Vec::new(),
        None => arguments(call, wide, highlighter),
    };
    Parts { head, body, width }
}

/// Returns what a check is of, where that and its words are all that its call holds: the question shows both, and nothing
/// is left for the body.
fn told_check<'a>(call: &'a ToolCall, ask: &Ask) -> Option<&'a str> {
    let names: Vec<&str> = call.arguments.keys().map(String::as_str).collect();
    let shows_words = command_of(call).is_some_and(|words| words == ask.command);
    let is_all = ask.is_once_for_all() && shows_words && names.len() == 2;
    call.argument("name")
        .filter(|_| is_all && names.contains(&"argv"))
}

fn arguments(call: &ToolCall, wide: usize, highlighter: &Highlighter) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, value) in &call.arguments {
        let name = clean_line(name);
        let text = match value.as_str() {
            Some(text) => clean(text),
            None => clean(&value.to_string()),
        };
        let mut row = Row::new(format!("  {name}: "), Role::TextDim);
        if text.contains('\n') {
            rows.push(row.cut(wide));
            let language = match name.as_str() {
                "command" | "script" => "sh",
                _ => call.argument("path").unwrap_or(""),
            };
            let lines: Vec<String> = text
                .trim_end_matches('\n')
                .split('\n')
                .map(str::to_owned)
                .collect();
            rows.extend(
                code_rows(language, &lines, wide.saturating_sub(2).max(1), highlighter)
                    .into_iter()
                    .map(|line| {
                        let mut out = Row::new("  ", Role::Text);
                        out.append(line);
                        out.cut(wide)
                    }),
            );
        } else {
            row.push(text, Role::TextStrong);
            rows.extend(fold(&row, wide, &Row::new("    ", Role::Text)));
        }
    }
    if rows.is_empty() {
        rows.push(Row::new("  no arguments", Role::TextDim).cut(wide));
    }
    if rows.len() > MOST_ROWS {
        let missing = rows.len() - MOST_ROWS;
        rows.truncate(MOST_ROWS);
        let text = format!("… {missing} more lines are too many to show");
        rows.push(Row::new(text, Role::NoticeWarning).cut(wide));
    }
    rows
}
