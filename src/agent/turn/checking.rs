//! The project's check: run on the tree as it is, and on each edit that is tried.

use serde_json::Map;

use super::super::calls::Stage;
use super::super::input::Effect;
use super::Agent;
use super::searching::Search;
use crate::protocol::{
    CallId, CheckResult, Event, Mechanism, Message, Mode, Outcome, Risk, SearchEnd, ToolCall,
    TrialOf,
};

/// How a turn stands with the project's check.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checking {
    /// There is no check, or nothing to be checked.
    #[default]
    Off,
    /// It is to be run before the model is asked, so that the model reads what fails.
    Wanted,
    Running(CallId),
    /// What the tree as it is gives; `None` when the check could not be run to its end.
    Known(Option<CheckResult>),
}

impl Agent {
    /// Tells whether the check may be run: the user named it, or lets edits be made without a question. It changes
    /// nothing but a copy and reaches no network.
    pub(super) fn may_check(&self) -> bool {
        self.checker.is_some()
            && self.helps(Mechanism::Check)
            && (self.settings.check_is_named
                || matches!(self.policy.mode(), Mode::Edit | Mode::Auto))
            && self.policy.mode() != Mode::Plan
    }

    /// Runs the check on the tree as it is.
    pub(super) fn check_first(&mut self, out: &mut Vec<Effect>) {
        let Some(id) = self.open_check("the project as it is", None, out) else {
            return self.advance(out);
        };
        if let Some(turn) = &mut self.turn {
            turn.checking = Checking::Running(id);
        }
        if let Some(open) = self.calls.get_mut(id) {
            out.push(Effect::Check {
                call: open.call.clone(),
                trial: None,
            });
        }
    }

    /// Opens a call of the check that is shown with what it is for.
    pub(super) fn open_check(
        &mut self,
        what: &str,
        trial: Option<TrialOf>,
        out: &mut Vec<Effect>,
    ) -> Option<CallId> {
        let spec = self.checker.clone()?;
        let call = ToolCall {
            id: self.calls.mint(),
            server: spec.server,
            tool: spec.tool,
            arguments: Map::from_iter([("name".to_owned(), what.into())]),
        };
        let id = call.id;
        if let Some(trial) = trial {
            self.tell_trial(id, trial, out);
        }
        out.push(Effect::Emit(Event::CallProposed {
            call: call.clone(),
            risk: Risk::Command,
        }));
        out.push(Effect::Emit(Event::CallStarted { call: id }));
        self.calls.open(call, Risk::Command, Stage::Running);
        Some(id)
    }

    /// Takes what a check told.
    pub(in crate::agent) fn checked(
        &mut self,
        id: CallId,
        outcome: Outcome,
        result: Option<CheckResult>,
        out: &mut Vec<Effect>,
    ) {
        if self.calls.settle(id).is_none() {
            return;
        }
        let text = outcome.for_model().to_owned();
        let passed = result.is_some_and(|result| result.passed);
        let shown = match outcome {
            Outcome::Done { text } if !passed => Outcome::Failed { text },
            outcome => outcome,
        };
        out.push(Effect::Emit(Event::CallFinished {
            call: id,
            outcome: shown,
        }));
        self.tell_tried(id, result, out);
        let Some(turn) = &mut self.turn else { return };
        if turn.checking == Checking::Running(id) {
            turn.checking = match result {
                None => Checking::Off,
                known => Checking::Known(known),
            };
            turn.has_check = result.is_some();
            if result.is_some_and(|result| !result.passed) {
                turn.checked_first = Some(text.clone());
                let text = format!("{text}\n\nMake the change now.");
                self.remember(Message::User { text }, out);
            }
            return self.advance(out);
        }
        let search = turn.search.as_ref();
        if search.is_some_and(|search| search.versions.awaits(id)) {
            return self.looked(result, out);
        }
        let is_current = search.is_some_and(|search| search.awaits(id));
        if !is_current {
            return;
        }
        if !matches!(turn.checking, Checking::Known(_)) {
            return self.probed(text, result, out);
        }
        if passed {
            turn.checking = Checking::Known(result);
            turn.verified = turn.search.as_ref().map(Search::tried);
            self.adopt_current(SearchEnd::Passes, out);
        } else {
            self.failed_candidate(text, result, out);
        }
    }
}

impl super::Turn {
    /// Tells whether the project's check fails as things stand.
    pub(super) fn is_failing(&self) -> bool {
        matches!(self.checking, Checking::Known(Some(result)) if !result.passed)
    }
}
