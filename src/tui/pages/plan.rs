//! The page of the plan: its steps, to be looked at and changed before the work starts and while it goes on.

use crate::protocol::Transcript;

use super::super::planning::step_rows;
use super::super::text::Row;
use super::{key, note};

pub(super) fn rows(transcript: &Transcript, at: usize, wide: usize) -> Vec<Row> {
    let Some(plan) = &transcript.plan else {
        return note(
            "There is no plan. In the mode plan, say what is to be done: the steps of it are shown here.",
            wide,
        );
    };
    let mut rows = note(plan.goal.lines().next().unwrap_or_default(), wide);
    rows.push(Row::default());
    for step in 0..plan.steps.len() {
        let before = if step == at { "▸ " } else { "  " };
        rows.extend(step_rows(plan, step, before, wide));
    }
    rows
}

/// Says what the keys do with the chosen step.
pub(super) fn keys(transcript: &Transcript) -> Vec<Row> {
    if transcript.plan.is_none() {
        return Vec::new();
    }
    vec![
        key("Enter", "do it"),
        key("c", "change"),
        key("Del", "leave out"),
        key("e", "edit all"),
    ]
}
