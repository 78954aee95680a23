//! The project's check: run on the tree as it is, and on each edit that is tried.

use serde_json::Map;

use super::super::CHECKING_SERVER;
use super::super::calls::Stage;
use super::super::input::Effect;
use super::super::policy::Verdict;
use super::searching::Search;
use super::{Agent, intent, notice};
use crate::protocol::{
    CallId, CheckResult, Decision, Event, Level, Mechanism, Message, Mode, Outcome, Risk, Rule,
    Ruling, SearchEnd, Subject, ToolCall, TrialOf, Why,
};

/// The tool of the check.
const CHECK: &str = "check";

/// What it is called where nothing was changed yet.
const AS_IT_IS: &str = "the project as it is";

/// Whether the check may run where that is asked about: nobody named it and every change is asked about, or a rule of the
/// user has it asked about. It is asked once a session.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::agent) enum Leave {
    #[default]
    NotAsked,
    /// The user said no, or has not answered.
    Refused,
    Given,
}

/// How a turn stands with the project's check.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checking {
    /// There is no check, or nothing to be checked.
    #[default]
    Off,
    /// The user is to be asked whether it may run, before the model is asked.
    Unasked,
    /// It is to be run before the model is asked, so that the model reads what fails.
    Wanted,
    Running(CallId),
    /// What the tree as it is gives; `None` when the check could not be run to its end.
    Known(Option<CheckResult>),
}

impl Agent {
    /// Tells whether the check may be run: no rule of the user is against it, and the user named it, lets edits be made
    /// without a question, or was asked about it and said yes. It changes nothing but a copy and reaches no network.
    pub(super) fn may_check(&self) -> bool {
        let is_let = match self.policy.mode() {
            Mode::Plan => false,
            _ if self.settings.check_is_named => true,
            Mode::Ask => self.check_leave == Leave::Given,
            Mode::Edit | Mode::Auto => self.check_leave != Leave::Refused,
        };
        is_let && self.has_check() && self.rules_let_check()
    }

    /// Says how a turn that is to change something begins. What fails is told first where that is to be mended, if need be
    /// after a question; what is to be built is checked once it is there.
    pub(super) fn first_checking(&self, request: &str) -> Checking {
        match self.may_check() {
            true => Checking::Wanted,
            false if self.check_is_asked_about() && intent::asks_to_mend_a_failure(request) => {
                Checking::Unasked
            }
            false => Checking::Off,
        }
    }

    /// Tells whether there is a check, and it is of use.
    fn has_check(&self) -> bool {
        self.checker.is_some() && self.helps(Mechanism::Check)
    }

    /// Tells whether no rule of the user is against the check, whatever the mode lets be done without a question.
    pub(super) fn rules_let_check(&self) -> bool {
        match self.check_rule().map(|rule| rule.ruling) {
            Some(Ruling::Deny) => false,
            Some(Ruling::Ask) => self.check_leave == Leave::Given,
            Some(Ruling::Allow) | None => true,
        }
    }

    /// Returns the rule of the user that counts for the check.
    fn check_rule(&self) -> Option<&Rule> {
        let words = Some(self.settings.check.clone());
        let call = self.check_call(CallId(0), "the project", words)?;
        self.policy.rule_for(Subject {
            call: &call,
            risk: Risk::Command,
            targets: &[],
        })
    }

    /// Takes note of a new rule of the user: one that has the check asked about is newer than the answer.
    pub(in crate::agent) fn ask_for_check_again(&mut self, rule: &Rule) {
        let asks = rule.ruling == Ruling::Ask && self.check_rule() == Some(rule);
        if asks && self.check_leave == Leave::Given {
            self.check_leave = Leave::NotAsked;
        }
    }

    /// Says once for each rule that the project is not checked because of it, in a turn that is to change something or
    /// has.
    pub(super) fn tell_unchecked(&mut self, out: &mut Vec<Effect>) {
        let changes = |turn: &super::Turn| turn.wants_change || !turn.changed.is_empty();
        if !self.turn.as_ref().is_some_and(changes)
            || self.policy.mode() == Mode::Plan
            || !self.has_check()
        {
            return;
        }
        let Some(rule) = self.check_rule() else {
            return;
        };
        let why = match rule.ruling {
            Ruling::Deny => "refuses it",
            Ruling::Ask if !self.settings.asks_check => {
                "has it asked about, and nobody is there to be asked"
            }
            Ruling::Ask | Ruling::Allow => return,
        };
        let rule = rule.to_string();
        if self.unchecked_by.as_ref() == Some(&rule) {
            return;
        }
        let text = format!("The project is not checked: the rule `{rule}` {why}.");
        notice(Level::Warning, &text, out);
        self.unchecked_by = Some(rule);
    }

    /// Tells whether the user is to be asked now if the check may run: that was not asked in this session, and the turn
    /// begins with it or has made a change.
    pub(super) fn is_to_ask_for_check(&self) -> bool {
        let is_due = |turn: &super::Turn| match turn.checking {
            Checking::Unasked => true,
            Checking::Off => !turn.changed.is_empty(),
            Checking::Wanted | Checking::Running(_) | Checking::Known(_) => false,
        };
        let turn = self.turn.as_ref();
        turn.is_some_and(|turn| turn.search.is_none() && is_due(turn))
            && self.check_is_asked_about()
    }

    /// Tells whether the check runs only once the user is asked, and was not asked in this session: every change is
    /// asked about, or the check is.
    pub(super) fn check_is_asked_about(&self) -> bool {
        let ruling = self.check_rule().map(|rule| rule.ruling);
        let is_of_mode = match (self.policy.mode(), ruling) {
            (Mode::Plan, _) | (_, Some(Ruling::Deny)) => false,
            (_, Some(Ruling::Ask)) => true,
            (Mode::Ask, Some(Ruling::Allow) | None) => !self.settings.check_is_named,
            (Mode::Edit | Mode::Auto, Some(Ruling::Allow) | None) => false,
        };
        is_of_mode
            && self.check_leave == Leave::NotAsked
            && self.settings.asks_check
            && self.has_check()
    }

    /// Asks whether the check may run, as for any other program; the answer holds for the session.
    pub(super) fn ask_for_check(&mut self, out: &mut Vec<Effect>) {
        self.check_leave = Leave::Refused;
        let words = self.settings.check.clone();
        let id = self.calls.mint();
        let Some(turn) = &mut self.turn else { return };
        turn.checking = Checking::Off;
        let what = match turn.changed.is_empty() {
            true => AS_IT_IS,
            false => "the project, after this change",
        };
        let Some(call) = self.check_call(id, what, Some(words)) else {
            return self.advance(out);
        };
        self.calls
            .open(call.clone(), Risk::Command, Stage::Previewing);
        let proposed = Effect::Emit(Event::CallProposed {
            call,
            risk: Risk::Command,
        });
        match self.verdict(id, None) {
            Some(Verdict::Allow) => {
                out.push(proposed);
                self.check_now(id, out);
            }
            Some(Verdict::Ask(why)) => {
                out.push(proposed);
                self.ask_once_for_all(id, Why::Check, why, out);
            }
            Some(Verdict::Deny(_)) | None => {
                self.calls.settle(id);
                self.advance(out);
            }
        }
    }

    /// Asks what is answered for the session, for a reason before any that the policy has. That the call is one that is
    /// always asked about is not one.
    pub(super) fn ask_once_for_all(
        &mut self,
        id: CallId,
        first: Why,
        others: Vec<Why>,
        out: &mut Vec<Effect>,
    ) {
        let others = others
            .into_iter()
            .filter(|why| !matches!(why, Why::Class { .. }));
        let why = std::iter::once(first).chain(others).collect();
        self.ask(id, why, None, out);
    }

    /// Tells whether an open call asks if the check may run.
    pub(in crate::agent) fn asks_for_check(&self, id: CallId) -> bool {
        let open = self.calls.get(id);
        open.is_some_and(|open| {
            matches!(open.stage, Stage::Asking(_))
                && open.call.server == CHECKING_SERVER
                && open.call.tool == CHECK
        })
    }

    /// Takes the user's answer to whether the check may run. The model is told nothing of a no: it has nothing to do
    /// with its work.
    pub(in crate::agent) fn decide_check(
        &mut self,
        id: CallId,
        decision: Decision,
        out: &mut Vec<Effect>,
    ) {
        let Some(reason) = refused(decision) else {
            return self.check_now(id, out);
        };
        if self.calls.settle(id).is_some() {
            out.push(Effect::Emit(Event::CallFinished {
                call: id,
                outcome: Outcome::Denied { reason },
            }));
        }
        self.advance(out);
    }

    /// Runs the check that was let, on the tree as the turn left it so far.
    fn check_now(&mut self, id: CallId, out: &mut Vec<Effect>) {
        self.check_leave = Leave::Given;
        let Some(open) = self.calls.get_mut(id) else {
            return;
        };
        open.stage = Stage::Running;
        let call = open.call.clone();
        if let Some(turn) = &mut self.turn {
            turn.checking = Checking::Running(id);
        }
        out.push(Effect::Emit(Event::CallStarted { call: id }));
        out.push(Effect::Check { call, trial: None });
    }

    /// Goes on after a check of the tree as the turn left it.
    fn checked_after(&mut self, text: &str, result: Option<CheckResult>, out: &mut Vec<Effect>) {
        let searches = self.helps(Mechanism::Search) && self.leads();
        let Some(turn) = &mut self.turn else { return };
        if let Some(result) = result {
            turn.drawn += 1;
            turn.verified = result.passed.then_some(0);
            // What passes is said to the user alone: a small model that is told so looks for more to do.
            if result.passed {
                return self.advance(out);
            }
            turn.checked_first = Some(text.to_owned());
            turn.next = None;
            let text = format!("The project's check was run, and does not pass. {text}");
            if searches {
                // Asked whether that has to do with its change, a model that has to be led says that it is done. An edit
                // is made only if the check gets further with it.
                turn.search = Some(Search::default());
                let text = format!("{text}\nMake the next change now.");
                self.remember(Message::User { text }, out);
                return self.draw(out);
            }
            // Whether it passed before is not known: what fails may have nothing to do with the change.
            let text = format!(
                "{text}\nIf that has to do with what was asked for, make the next change now; otherwise say so in one \
                 sentence without a call."
            );
            self.remember(Message::User { text }, out);
        }
        self.advance(out);
    }

    /// Runs the check on the tree as it is.
    pub(super) fn check_first(&mut self, out: &mut Vec<Effect>) {
        let Some(id) = self.open_check(AS_IT_IS, None, out) else {
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
        let id = self.calls.mint();
        let call = self.check_call(id, what, None)?;
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

    /// Makes a call of the check that says what it is for, and to whom it matters in which words it runs.
    fn check_call(&self, id: CallId, what: &str, words: Option<Vec<String>>) -> Option<ToolCall> {
        let spec = self.checker.as_ref()?;
        let mut arguments = Map::from_iter([("name".to_owned(), what.into())]);
        arguments.extend(words.map(|words| ("argv".to_owned(), words.into())));
        Some(ToolCall {
            id,
            server: spec.server.clone(),
            tool: spec.tool.clone(),
            arguments,
        })
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
            if !turn.changed.is_empty() {
                return self.checked_after(&text, result, out);
            }
            if result.is_some_and(|result| !result.passed) {
                turn.checked_first = Some(text.clone());
                let text = format!("{text}\n\nMake the change now.");
                self.remember(Message::User { text }, out);
            }
            return self.advance(out);
        }
        let search = turn.search.as_ref();
        if search.is_some_and(|search| search.versions.awaits(id)) {
            return self.looked(&text, result, out);
        }
        let is_current = search.is_some_and(|search| search.awaits(id));
        if !is_current {
            return;
        }
        if !matches!(turn.checking, Checking::Known(_)) {
            return self.probed(&text, result, out);
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

/// Returns why what is answered for the session is refused; `None` where it is allowed.
pub(super) fn refused(decision: Decision) -> Option<String> {
    match decision {
        Decision::Allow { .. } => None,
        Decision::AllowPart { .. } | Decision::Deny { reason: None } => {
            Some("not in this session".to_owned())
        }
        Decision::Deny { reason } => reason,
    }
}

impl super::Turn {
    /// Tells whether the project's check fails as things stand.
    pub(super) fn is_failing(&self) -> bool {
        matches!(self.checking, Checking::Known(Some(result)) if !result.passed)
    }
}
