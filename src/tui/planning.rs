//! The plan on the screen: how it looks, and what the user does to it.

use crate::protocol::{Level, Mode, Op, Plan, StepState, sanitize_line};

use super::app::{App, Cmd};
use super::keymap::{Action, Edit};
use super::pages::Subject as About;
use super::role::Role;
use super::text::{Row, clean_line, wrap};

/// What a line after `/plan` means.
#[derive(Debug, PartialEq)]
pub(super) enum Meant {
    Op(Op),
    /// Nothing follows: the plan is shown.
    Show,
    /// The plan is to be opened in the user's editor.
    Edit,
}

/// Reads what follows `/plan`.
pub(super) fn parse(plan: &Plan, argument: &str) -> Result<Meant, String> {
    let (word, rest) = argument.split_once(' ').unwrap_or((argument, ""));
    match (word, rest.trim()) {
        ("", _) => Ok(Meant::Show),
        ("edit", "") => Ok(Meant::Edit),
        ("drop", "") => Ok(Meant::Op(Op::SetPlan { steps: Vec::new() })),
        ("go", "") => Ok(Meant::Op(Op::StartPlan { mode: None })),
        ("go", name) => Mode::ALL
            .into_iter()
            .find(|mode| mode.name() == name && *mode != Mode::Plan)
            .map(|mode| Meant::Op(Op::StartPlan { mode: Some(mode) }))
            .ok_or_else(|| "a plan is done in the mode ask, edit or auto".to_owned()),
        _ => plan
            .edited(argument)
            .map(|steps| Meant::Op(Op::SetPlan { steps })),
    }
}

/// Reads the plan out, a line for each step.
pub(super) fn told(plan: &Plan) -> Vec<String> {
    let mut out = vec![format!(
        "plan, {} of {} steps done",
        plan.done(),
        plan.steps.len()
    )];
    out.extend(plan.steps.iter().enumerate().map(|(at, step)| {
        let state = match step.state {
            StepState::Open => "open",
            StepState::Doing => "now",
            StepState::Done => "done",
        };
        format!("{}, {state}: {}", at + 1, sanitize_line(&step.text))
    }));
    if plan.is_new() {
        out.push("/plan go starts it; /plan 2 TEXT changes a step".to_owned());
    }
    out
}

/// Lays out the plan in the transcript.
pub(super) fn rows(plan: &Plan, limit: usize) -> Vec<Row> {
    let mut rows = vec![Row::new("Plan ", Role::TextStrong).with(
        format!("{} of {} done", plan.done(), plan.steps.len()),
        Role::TextDim,
    )];
    for at in 0..plan.steps.len() {
        rows.extend(step_rows(plan, at, "  ", limit));
    }
    if plan.is_new() {
        let keys = Row::new("  /plan go", Role::Key)
            .with(" starts it · ", Role::TextDim)
            .with("/plan", Role::Key)
            .with(" to change it first", Role::TextDim);
        rows.extend(wrap(&keys, limit, &Row::new("  ", Role::Text)));
    }
    rows
}

/// Lays out a step, with something before it.
pub(super) fn step_rows(plan: &Plan, at: usize, before: &str, limit: usize) -> Vec<Row> {
    let Some(step) = plan.steps.get(at) else {
        return Vec::new();
    };
    let (mark, role) = match step.state {
        StepState::Open => (Role::TextDim, Role::Text),
        StepState::Doing => (Role::Accent, Role::TextStrong),
        StepState::Done => (Role::CallDone, Role::TextDim),
    };
    let row = Row::new(before, Role::Accent)
        .with(format!("{} ", step.state.mark()), mark)
        .with(format!("{:>2}  ", at + 1), Role::TextDim)
        .with(clean_line(&step.text), role);
    wrap(&row, limit, &Row::new("        ", Role::Text))
}

impl App {
    /// Does what a line that begins with `/plan` says.
    pub(super) fn plan_command(&mut self, argument: &str) -> Vec<Cmd> {
        let Some(plan) = &self.transcript.plan else {
            self.flash(
                Level::Info,
                "there is no plan; in the mode plan (Shift-Tab) say what is to be done",
            );
            return Vec::new();
        };
        let cmds = match parse(plan, argument) {
            Ok(Meant::Op(op)) => vec![Cmd::Send(op)],
            Ok(Meant::Show) => {
                self.open_page(About::Plan);
                Vec::new()
            }
            Ok(Meant::Edit) => self.edit_plan(),
            Err(problem) => {
                self.flash(Level::Warning, problem);
                return Vec::new();
            }
        };
        self.composer.clear();
        self.edited();
        cmds
    }

    /// Does what a key means on the plan's page; `None` for one that means the same on every page.
    pub(super) fn plan_key(
        &mut self,
        action: Option<Action>,
        typed: Option<char>,
        at: usize,
    ) -> Option<Vec<Cmd>> {
        let plan = self.transcript.plan.as_ref()?;
        match (typed, action) {
            (None, Some(Action::Submit)) => {
                self.overlay = None;
                Some(vec![Cmd::Send(Op::StartPlan { mode: None })])
            }
            (None, Some(Action::Edit(Edit::Delete | Edit::Backspace))) => {
                let steps = plan.edited(&format!("remove {}", at + 1)).ok()?;
                Some(vec![Cmd::Send(Op::SetPlan { steps })])
            }
            (Some('e'), _) => {
                self.overlay = None;
                Some(self.edit_plan())
            }
            (Some('c'), _) => {
                let step = plan.steps.get(at)?;
                let line = format!("/plan {} {}", at + 1, step.text);
                self.overlay = None;
                self.composer.set(&line);
                self.edited();
                Some(Vec::new())
            }
            _ => None,
        }
    }

    fn edit_plan(&mut self) -> Vec<Cmd> {
        let Some(plan) = &self.transcript.plan else {
            return Vec::new();
        };
        self.editing_plan = true;
        let text = plan.to_text();
        vec![Cmd::WriteText { text }]
    }

    /// Takes in the plan as it came back from the editor.
    pub(super) fn plan_written(&mut self, text: Option<String>) -> Vec<Cmd> {
        text.map_or_else(Vec::new, |text| {
            let steps = Plan::steps_in(&text);
            vec![Cmd::Send(Op::SetPlan { steps })]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_plan_is_started_edited_or_taken_back() {
        let plan = Plan::new("g", vec!["one".into(), "two".into()]);
        let op = |line: &str| parse(&plan, line);
        assert_eq!(op(""), Ok(Meant::Show));
        assert_eq!(op("edit"), Ok(Meant::Edit));
        assert_eq!(op("go"), Ok(Meant::Op(Op::StartPlan { mode: None })));
        let mode = Some(Mode::Edit);
        assert_eq!(op("go edit"), Ok(Meant::Op(Op::StartPlan { mode })));
        let steps = vec!["one".to_owned(), "other thing".to_owned()];
        assert_eq!(op("2 other thing"), Ok(Meant::Op(Op::SetPlan { steps })));
        for line in ["go plan", "what", "9 x"] {
            assert!(op(line).is_err(), "{line}");
        }
    }
}
