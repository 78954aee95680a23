//! What the user has done: messages and the queue of them, decisions, modes and rules.

use super::calls::Stage;
use super::{Agent, Effect, notice};
use crate::protocol::{CallId, Decision, EndReason, Event, Level, Op, Outcome, Risk};

impl Agent {
    pub(super) fn operate(&mut self, op: Op, out: &mut Vec<Effect>) {
        match op {
            Op::Submit { text } => self.submit(text, Vec::new(), out),
            Op::Drafted { text } => self.prepare(&text, out),
            Op::Decide { call, decision } => self.decide(call, decision, out),
            // The servers' questions are between them and the user.
            Op::Answer { .. }
            | Op::ReportServers
            | Op::Server { .. }
            | Op::CancelJob { .. }
            | Op::Complete { .. } => {}
            Op::Unqueue { text } => self.unqueue(&text, out),
            Op::Interrupt => {
                if self.turn.is_some() {
                    self.end_turn(EndReason::Interrupted, out);
                }
            }
            Op::SetMode { mode } => {
                self.policy.set_mode(mode);
                out.push(Effect::Emit(Event::ModeChanged { mode }));
            }
            Op::AddRule { scope, rule } => match rule.check() {
                Ok(()) => self.add_rule(scope, rule, out),
                Err(problem) => {
                    notice(
                        Level::Warning,
                        &format!("The rule was not added: {problem}."),
                        out,
                    );
                }
            },
            Op::ListRules => self.list_rules(out),
            Op::RemoveRule { number } => self.remove_rule(number, out),
            Op::Undo => self.undo(out),
            Op::SetPlan { steps } => self.set_plan(steps, out),
            Op::StartPlan { mode } => self.start_plan(mode, out),
            Op::Review { target } => self.review(target, out),
            // The driver reads what is to be trusted, and answers with what it tells.
            Op::Trust => {}
            // The driver has what was sent.
            Op::TellPrompt => {}
            Op::Shutdown => {
                self.queued.clear();
                self.queued_reviews.clear();
                if self.turn.is_some() {
                    self.end_turn(EndReason::Interrupted, out);
                }
                out.push(Effect::Emit(Event::SessionEnded));
                out.push(Effect::Stop);
            }
        }
    }

    pub(super) fn submit(&mut self, text: String, files: Vec<String>, out: &mut Vec<Effect>) {
        if self.turn.is_some() || !self.is_ready() {
            out.push(Effect::Emit(Event::Queued { text: text.clone() }));
            self.queued.push_back((text, files));
            return;
        }
        self.start_turn(text, files, out);
    }

    pub(super) fn unqueue(&mut self, text: &str, out: &mut Vec<Effect>) {
        if let Some(at) = self.queued.iter().position(|(queued, _)| queued == text) {
            self.queued.remove(at);
            self.step_taken_back(text, out);
            let text = text.to_owned();
            out.push(Effect::Emit(Event::Unqueued { text }));
        }
    }

    /// A turn can start: the model is loaded and its tools are known.
    pub(super) fn is_ready(&self) -> bool {
        self.model.is_some() && !self.tools.is_empty()
    }

    pub(super) fn start_queued(&mut self, out: &mut Vec<Effect>) {
        if self.turn.is_none()
            && self.is_ready()
            && let Some((text, files)) = self.queued.pop_front()
        {
            self.start_turn(text, files, out);
        } else if self.turn.is_none()
            && self.is_ready()
            && let Some(target) = self.queued_reviews.pop_front()
        {
            self.review(target, out);
        }
    }

    pub(super) fn decide(&mut self, id: CallId, decision: Decision, out: &mut Vec<Effect>) {
        let asks_for_check = self.asks_for_check(id);
        let asks_for_samples = self.asks_for_samples(id);
        let Some(open) = self.calls.get_mut(id) else {
            return;
        };
        let waiting = match &mut open.stage {
            Stage::Asking(change) => Ok(change.take()),
            Stage::Holding(result) => Err((**result).clone()),
            _ => return,
        };
        out.push(Effect::Emit(Event::Decided {
            call: id,
            decision: decision.clone(),
        }));
        if let Decision::Allow { scope } = decision {
            open.cleared = open.risk == Risk::SensitiveRead;
            self.keep_rule(id, scope, out);
        }
        let change = match waiting {
            Ok(change) => change,
            Err(result) => return self.release(id, result, &decision, out),
        };
        match decision {
            decision if asks_for_check => self.decide_check(id, decision, out),
            decision if asks_for_samples => self.decide_samples(id, decision, out),
            Decision::Allow { .. } => {
                self.run_call(id, change, out);
            }
            Decision::AllowPart { part } => self.narrow(id, change, part, out),
            Decision::Deny { reason } => {
                let reason = match reason {
                    Some(reason) => format!("The user refused this call and says: {reason}"),
                    None => {
                        "The user refused this call. Do not make it again; ask what to do instead."
                            .to_owned()
                    }
                };
                self.settle(id, Outcome::Denied { reason }, out);
            }
        }
    }
}
