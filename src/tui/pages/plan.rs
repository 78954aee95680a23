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
    rows.push(Row::default());
    let keys = Row::new("Enter", Role::Key)
        .with(" do it  ", Role::Text)
        .with("c", Role::Key)
        .with(" change this step  ", Role::Text)
        .with("Del", Role::Key)
        .with(" leave it out  ", Role::Text)
        .with("e", Role::Key)
        .with(" all in your editor", Role::Text);
    rows.push(keys.cut(wide));
    rows
}
