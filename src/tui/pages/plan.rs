//! The page of the plan: its steps, to be looked at and changed before the work starts and while it goes on.

use crate::protocol::Transcript;

use super::super::planning::step_rows;
use super::super::role::Role;
use super::super::text::Row;
use super::note;

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
pub(super) fn keys(transcript: &Transcript) -> Option<Row> {
    let keys = Row::new("Enter", Role::Key)
        .with(" do it  ", Role::TextDim)
        .with("c", Role::Key)
        .with(" change  ", Role::TextDim)
        .with("Del", Role::Key)
        .with(" leave out  ", Role::TextDim)
        .with("e", Role::Key)
        .with(" edit all", Role::TextDim);
    transcript.plan.is_some().then_some(keys)
}
