//! Whether what the model writes may be run on sample calls where that is asked about: every change is, or a rule of the
//! user says so. It is asked once a session, before anything is written, and only where it would choose something.

use serde_json::Map;

use super::super::CHECKING_SERVER;
use super::super::calls::Stage;
use super::super::input::Effect;
use super::super::policy::Verdict;
use super::Agent;
use super::checking::{Leave, refused};
use crate::protocol::{
    CallId, Decision, Event, Mode, Outcome, Risk, Rule, Ruling, Subject, Target, ToolCall, Why,
};

/// The tool that runs a file on sample calls.
const PROBE: &str = "probe";

impl Agent {
    /// Tells whether a file may be run on sample calls: no rule of the user is against it, and edits are made without a
    /// question, a rule lets it, or the user was asked about it and said yes. It changes nothing but a copy and reaches no
    /// network.
    pub(super) fn may_sample(&self, path: &str) -> bool {
        match (self.policy.mode(), self.sampling_rule(path)) {
            (Mode::Plan, _) | (_, Some(Ruling::Deny)) => false,
            (_, Some(Ruling::Allow)) | (Mode::Edit | Mode::Auto, None) => true,
            (_, Some(Ruling::Ask)) | (Mode::Ask, None) => self.samples_leave == Leave::Given,
        }
    }

    /// Returns the file that it is to be asked about now: it would be of use, and was not asked in this session. Where
    /// there is a check to be asked about, that is the better question.
    fn to_ask_about(&self) -> Option<String> {
        let (path, _) = self.compared()?;
        let is_asked_about = match (self.policy.mode(), self.sampling_rule(&path)) {
            (Mode::Plan, _) | (_, Some(Ruling::Deny | Ruling::Allow)) => false,
            (_, Some(Ruling::Ask)) | (Mode::Ask, None) => true,
            (Mode::Edit | Mode::Auto, None) => false,
        };
        let is_free = !self.check_is_asked_about() && self.check_leave != Leave::Refused;
        let asks = is_asked_about && is_free && self.settings.asks_check;
        (asks && self.samples_leave == Leave::NotAsked).then_some(path)
    }

    /// Returns what the rule of the user says that counts for it.
    fn sampling_rule(&self, path: &str) -> Option<Ruling> {
        let call = self.sampled(path)?;
        let rule = self.policy.rule_for(Subject {
            call: &call,
            risk: Risk::Command,
            targets: &Target::of(&call),
        });
        rule.map(|rule| rule.ruling)
    }

    /// Makes a call of the tool as rules see it: by the file that it runs.
    fn sampled(&self, path: &str) -> Option<ToolCall> {
        let spec = self.prober.as_ref()?;
        Some(ToolCall {
            id: CallId(0),
            server: spec.server.clone(),
            tool: spec.tool.clone(),
            arguments: super::with("path", path.to_owned()),
        })
    }

    /// Makes the call that the question is about.
    fn sampling(&self, id: CallId, path: &str) -> Option<ToolCall> {
        let spec = self.prober.as_ref()?;
        let name = format!("edits of `{path}`, on sample calls");
        let words = vec!["python3".to_owned(), path.to_owned()];
        Some(ToolCall {
            id,
            server: spec.server.clone(),
            tool: spec.tool.clone(),
            arguments: Map::from_iter([
                ("name".to_owned(), name.into()),
                ("argv".to_owned(), words.into()),
            ]),
        })
    }

    /// Asks whether it may be done; the answer holds for the session. Returns `false` where there is nothing to ask.
    pub(super) fn ask_for_samples(&mut self, out: &mut Vec<Effect>) -> bool {
        let Some(path) = self.to_ask_about() else {
            return false;
        };
        self.samples_leave = Leave::Refused;
        let id = self.calls.mint();
        let Some(call) = self.sampling(id, &path) else {
            return false;
        };
        let risk = Risk::Command;
        self.calls.open(call.clone(), risk, Stage::Previewing);
        match self.verdict(id, None) {
            Some(Verdict::Ask(why)) => {
                out.push(Effect::Emit(Event::CallProposed { call, risk }));
                self.ask_once_for_all(id, Why::Samples, why, out);
                true
            }
            verdict => {
                self.calls.settle(id);
                if matches!(verdict, Some(Verdict::Allow)) {
                    self.samples_leave = Leave::Given;
                }
                false
            }
        }
    }

    /// Takes note of a new rule of the user: one that has it asked about, for whichever files, is newer than the answer.
    pub(in crate::agent) fn ask_for_samples_again(&mut self, rule: &Rule) {
        let Some(call) = self.sampled("") else { return };
        let of_any_file = Rule {
            path: Vec::new(),
            ..rule.clone()
        };
        let is_meant = of_any_file.fits(Subject {
            call: &call,
            risk: Risk::Command,
            targets: &[],
        });
        if is_meant && rule.ruling == Ruling::Ask && self.samples_leave == Leave::Given {
            self.samples_leave = Leave::NotAsked;
        }
    }

    /// Tells whether an open call asks if it may be done.
    pub(in crate::agent) fn asks_for_samples(&self, id: CallId) -> bool {
        let open = self.calls.get(id);
        open.is_some_and(|open| {
            matches!(open.stage, Stage::Asking(_))
                && open.call.server == CHECKING_SERVER
                && open.call.tool == PROBE
        })
    }

    /// Takes the user's answer, and lets the model write. It is told nothing of a no: that has nothing to do with its work.
    pub(in crate::agent) fn decide_samples(
        &mut self,
        id: CallId,
        decision: Decision,
        out: &mut Vec<Effect>,
    ) {
        let outcome = match refused(decision) {
            None => {
                self.samples_leave = Leave::Given;
                let text = "allowed in this session".to_owned();
                Outcome::Done { text }
            }
            Some(reason) => Outcome::Denied { reason },
        };
        if self.calls.settle(id).is_some() {
            let finished = Event::CallFinished { call: id, outcome };
            out.push(Effect::Emit(finished));
        }
        self.draw_what_is_known(out);
    }
}
