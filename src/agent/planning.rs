//! The plan of the session: edited by the user, and done step by step, each a turn of its own.
//!
//! A turn for each step gives a small model one thing to do at a time, its own budget and its own way back. What the
//! user sends meanwhile goes before the next step, and what stops a step stops the plan where it is.

use super::{Agent, Effect, notice};
use crate::protocol::{EndReason, Event, Level, Mode, Plan, StepState, TurnSummary};

/// The step that is being done.
#[derive(Debug)]
pub(super) struct Stepping {
    /// Its place in the plan.
    at: usize,
    /// The message that asks for it.
    text: String,
    /// Its turn has begun.
    begun: bool,
}

/// How a step's turn ended.
#[derive(Debug)]
pub(super) enum StepEnd {
    Done,
    /// What its turn says about itself.
    Stopped(String),
}

impl Agent {
    /// Takes the steps that the user wants.
    pub(super) fn set_plan(&mut self, steps: Vec<String>, out: &mut Vec<Effect>) {
        let Some(plan) = &mut self.plan else {
            let text = "There is no plan to change: in the mode `plan`, say what is to be done.";
            return notice(Level::Info, text, out);
        };
        let mut new = plan.clone();
        new.set_steps(steps);
        if let Some(stepping) = &mut self.stepping {
            let doing = StepState::Doing;
            match new.steps.iter().position(|step| step.state == doing) {
                Some(at) => stepping.at = at,
                None => {
                    let text = "The step that is being done stays in the plan: interrupt it first.";
                    return notice(Level::Warning, text, out);
                }
            }
        }
        if new.steps.is_empty() {
            self.plan = None;
            notice(Level::Info, "The plan was taken back.", out);
        } else {
            self.plan = Some(new);
        }
        self.tell_plan(out);
    }

    /// Begins with the first step that is not done.
    pub(super) fn start_plan(&mut self, mode: Option<Mode>, out: &mut Vec<Effect>) {
        if self.stepping.is_some() {
            return notice(Level::Info, "The plan is being done already.", out);
        }
        if self.plan.as_ref().and_then(Plan::next).is_none() {
            let text = "There is no plan with anything left to do. In the mode `plan`, say what is to be done.";
            return notice(Level::Info, text, out);
        }
        let mode = mode.or((self.policy.mode() == Mode::Plan).then_some(Mode::Ask));
        if let Some(mode) = mode {
            self.policy.set_mode(mode);
            out.push(Effect::Emit(Event::ModeChanged { mode }));
        }
        self.next_step(out);
    }

    fn next_step(&mut self, out: &mut Vec<Effect>) {
        let Some(plan) = &mut self.plan else { return };
        let Some(at) = plan.next() else {
            let text = format!("The plan is done: all {} steps.", plan.steps.len());
            return notice(Level::Info, &text, out);
        };
        plan.steps[at].state = StepState::Doing;
        let text = format!(
            "Step {} of {} of the plan: {}",
            at + 1,
            plan.steps.len(),
            plan.steps[at].text
        );
        self.stepping = Some(Stepping {
            at,
            text: text.clone(),
            begun: false,
        });
        self.tell_plan(out);
        out.push(Effect::Submit(text));
    }

    /// Tells whether a turn that begins does a step.
    pub(super) fn begin_step(&mut self, text: &str) -> bool {
        match &mut self.stepping {
            Some(stepping) if stepping.text == text && !stepping.begun => {
                stepping.begun = true;
                true
            }
            _ => false,
        }
    }

    /// Tells how the turn of a step ended, if it was one.
    pub(super) fn step_ends(&mut self, request: &str, summary: &TurnSummary) -> Option<StepEnd> {
        let is_step = |stepping: &&Stepping| stepping.begun && stepping.text == request;
        self.stepping.as_ref().filter(is_step)?;
        let answered = summary.reason == EndReason::Answered;
        let idle = summary.changed.is_empty() && (summary.wanted_change || summary.denied > 0);
        Some(match answered && !idle {
            true => StepEnd::Done,
            false => StepEnd::Stopped(summary.sentence()),
        })
    }

    /// Ticks a step off and goes on, or stops the plan where it is.
    pub(super) fn step_ended(&mut self, end: StepEnd, out: &mut Vec<Effect>) {
        let (Some(stepping), Some(plan)) = (self.stepping.take(), &mut self.plan) else {
            return;
        };
        match end {
            StepEnd::Done => {
                if let Some(step) = plan.steps.get_mut(stepping.at) {
                    step.state = StepState::Done;
                }
                if plan.next().is_none() {
                    self.tell_plan(out);
                }
                self.next_step(out);
            }
            StepEnd::Stopped(why) => self.stop_plan(&why, out),
        }
    }

    /// Stops the plan where the message of its next step was taken back.
    pub(super) fn step_taken_back(&mut self, text: &str, out: &mut Vec<Effect>) {
        let waits = |stepping: &Stepping| !stepping.begun && stepping.text == text;
        if self.stepping.as_ref().is_some_and(waits) {
            self.stepping = None;
            self.stop_plan("Its message was taken back.", out);
        }
    }

    fn stop_plan(&mut self, why: &str, out: &mut Vec<Effect>) {
        let Some(plan) = &mut self.plan else { return };
        plan.rest();
        let at = plan.next().map_or(0, |at| at + 1);
        self.tell_plan(out);
        let text = format!(
            "The plan stops at step {at}. {why} `/plan go` goes on with it, `/plan` changes it first."
        );
        notice(Level::Warning, &text, out);
    }

    pub(super) fn tell_plan(&self, out: &mut Vec<Effect>) {
        let plan = self.plan.clone();
        out.push(Effect::Emit(Event::PlanChanged { plan }));
    }
}
