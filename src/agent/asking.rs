//! Judging a call: what it is about, what taints it, whether its result may be shown, and the question to the user.

use super::calls::Stage;
use super::input::Effect;
use super::policy::{Facts, Verdict, risk_of};
use super::{Agent, notice};
use crate::protocol::{
    Ask, CallId, Decision, Event, FileChange, KeptRule, Level, Outcome, Risk, Rule, Scope, Subject,
    Target, Why, find_secret, quoted_secret, redact, redact_quoted,
};

/// What a call gave, while the user is asked whether the model may have it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Result {
    pub(super) outcome: Outcome,
    pub(super) passage: Option<(String, String)>,
}

/// The most contents of others that are remembered by name. Rules count them, so that whoever could reach this number
/// would not be asked about any more: it takes more calls than a session has.
const MOST_TAINTS: usize = 10_000;

impl Agent {
    /// Judges an open call by the rules, with the change that it would make.
    pub(super) fn verdict(&mut self, id: CallId, change: Option<&FileChange>) -> Option<Verdict> {
        let open = self.calls.get_mut(id)?;
        open.risk = risk_of(open.risk, change, &open.targets);
        let changed = change.map(|change| change.path.clone());
        let open = self.calls.get(id)?;
        let is_expected = {
            let paths: Vec<&String> = match &changed {
                Some(path) => vec![path],
                None => open.targets.iter().map(|target| &target.path).collect(),
            };
            !paths.is_empty() && paths.iter().all(|path| self.is_the_users(path))
        };
        Some(self.policy.judge(Facts {
            subject: open.subject(),
            taints: &self.taints,
            is_expected,
        }))
    }

    /// Tells whether the user named a file, or approved a change of it.
    fn is_the_users(&self, path: &str) -> bool {
        self.named.iter().any(|named| named == path)
            || self.changes.iter().any(|(_, change)| change.path == path)
    }

    /// Puts a call before the user.
    pub(super) fn ask(
        &mut self,
        id: CallId,
        why: Vec<Why>,
        change: Option<Box<FileChange>>,
        out: &mut Vec<Effect>,
    ) {
        let Some(open) = self.calls.get_mut(id) else {
            return;
        };
        let shown = change.as_deref().cloned();
        open.stage = Stage::Asking(change);
        let mut ask = Ask::about(&open.call, open.risk, &open.targets, why);
        let confined = self.settings.confined.iter();
        ask.confined = confined
            .filter(|(server, _)| *server == open.call.server)
            .map(|(_, profile)| profile.clone())
            .next();
        out.push(Effect::Emit(Event::ApprovalRequested {
            call: id,
            reason: ask.reason(),
            change: shown,
            ask: Some(Box::new(ask)),
        }));
    }

    /// Takes in what the paths of a call lead to, where that is not what they say, and judges it again.
    pub(super) fn resolved(
        &mut self,
        id: CallId,
        targets: Vec<Target>,
        change: Option<Box<FileChange>>,
        out: &mut Vec<Effect>,
    ) {
        let Some(open) = self.calls.get_mut(id) else {
            return;
        };
        open.targets = targets;
        match &mut open.stage {
            // It is judged when the preview is there.
            Stage::Previewing | Stage::Trying => {}
            Stage::Holding(result) => {
                let result = (**result).clone();
                self.take_result(id, result, out);
            }
            Stage::Asking(shown) => {
                let shown = shown.take();
                self.judge(id, shown, out);
            }
            Stage::Narrowing { change, .. } => {
                let shown = Some(change.clone());
                self.judge(id, shown, out);
            }
            // Nothing has run yet: the driver waits for this.
            Stage::Running => self.judge(id, change, out),
        }
    }

    /// Takes note of content that the user did not write, unless it is a file that the user named or that a change was
    /// approved of.
    pub(super) fn taint(&mut self, content: &str, path: Option<&str>, out: &mut Vec<Effect>) {
        if path.is_some_and(|path| self.is_the_users(path))
            || self.taints.iter().any(|known| known == content)
            || self.taints.len() >= MOST_TAINTS
        {
            return;
        }
        let content = content.to_owned();
        self.taints.push(content.clone());
        out.push(Effect::Emit(Event::Tainted { content }));
    }

    /// Takes note of the first of some contents that is not the user's after all. One stands for the others: each would
    /// make another question of what follows.
    pub(super) fn taint_by_one(
        &mut self,
        contents: &[(String, Option<String>)],
        out: &mut Vec<Effect>,
    ) {
        let is_known =
            |path: &Option<String>| path.as_deref().is_some_and(|path| self.is_the_users(path));
        let foreign = contents.iter().find(|(_, path)| !is_known(path));
        if let Some((content, _)) = foreign.cloned() {
            self.taint(&content, None, out);
        }
    }

    /// Gives a result to the model, unless it holds a secret that the user has to be asked about.
    pub(super) fn take_result(&mut self, id: CallId, result: Result, out: &mut Vec<Effect>) {
        let Some(result) = self.hold_back(id, result, out) else {
            return;
        };
        if let Some((path, text)) = result.passage {
            self.learn(path, text);
        }
        self.settle(id, result.outcome, out);
    }

    /// Asks whether the model may have a result that holds a secret. Returns it where there is nothing to ask.
    fn hold_back(&mut self, id: CallId, result: Result, out: &mut Vec<Effect>) -> Option<Result> {
        let Some(open) = self.calls.get_mut(id) else {
            return Some(result);
        };
        let text = result.outcome.for_model();
        let found = find_secret(text)
            .map(|(what, line)| (what.to_owned(), line))
            .or_else(|| quoted_secret(text));
        let Some((what, line)) = found else {
            return Some(result);
        };
        if open.cleared {
            return Some(result);
        }
        let subject = Subject {
            risk: Risk::SensitiveRead,
            ..open.subject()
        };
        let verdict = self.policy.judge(Facts {
            subject,
            taints: &[],
            is_expected: false,
        });
        match verdict {
            Verdict::Allow => return Some(result),
            Verdict::Deny(_) => return Some(without_secrets(result)),
            Verdict::Ask(_) => {}
        }
        let what =
            format!("{what} (line {line} of the result); without your leave it is blacked out");
        let ask = Ask::about(
            &open.call,
            Risk::SensitiveRead,
            &open.targets,
            vec![Why::Secret { what }],
        );
        open.stage = Stage::Holding(Box::new(result));
        out.push(Effect::Emit(Event::ApprovalRequested {
            call: id,
            reason: ask.reason(),
            change: None,
            ask: Some(Box::new(ask)),
        }));
        None
    }

    /// Goes on with a result that was held back.
    pub(super) fn release(
        &mut self,
        id: CallId,
        result: Result,
        decision: &Decision,
        out: &mut Vec<Effect>,
    ) {
        let result = match decision {
            Decision::Allow { .. } => result,
            // There is no part of a result to allow.
            Decision::AllowPart { .. } | Decision::Deny { .. } => without_secrets(result),
        };
        if let Some((path, text)) = result.passage {
            self.learn(path, text);
        }
        self.settle(id, result.outcome, out);
    }

    /// Keeps the rule that an answer makes, for as long as it is to hold.
    pub(super) fn keep_rule(&mut self, id: CallId, scope: Scope, out: &mut Vec<Effect>) {
        let Some(open) = self.calls.get(id) else {
            return;
        };
        let risk = match open.stage {
            Stage::Holding(_) => Risk::SensitiveRead,
            _ => open.risk,
        };
        let rule = Rule::allowing(Subject {
            risk,
            ..open.subject()
        });
        self.add_rule(scope, rule, out);
    }

    /// Adds a rule of the user.
    pub(super) fn add_rule(&mut self, scope: Scope, rule: Rule, out: &mut Vec<Effect>) {
        if scope == Scope::Once {
            return;
        }
        let kept = self.policy.add(scope, rule, self.taints.len());
        self.ask_for_check_again(&kept.rule);
        self.ask_for_samples_again(&kept.rule);
        if scope != Scope::Session {
            out.push(Effect::KeepRule(kept));
        }
        self.tell_rules(out);
    }

    /// Takes back a rule by its number.
    pub(super) fn remove_rule(&mut self, number: usize, out: &mut Vec<Effect>) {
        let Some(kept) = self.policy.remove(number) else {
            let text = format!("There is no rule {number}; `/rules` lists them.");
            return notice(Level::Warning, &text, out);
        };
        let KeptRule { scope, rule } = &kept;
        notice(Level::Info, &format!("The rule `{rule}` is gone."), out);
        if *scope != Scope::Session {
            out.push(Effect::ForgetRule(kept));
        }
        self.tell_rules(out);
    }

    /// Lists the rules, with the numbers by which they are taken back.
    pub(super) fn list_rules(&self, out: &mut Vec<Effect>) {
        let rules = self.policy.rules();
        if rules.is_empty() {
            let text = "No rule is kept: what is asked about is the mode's to say.";
            notice(Level::Info, text, out);
        }
        for (at, KeptRule { scope, rule }) in rules.iter().enumerate() {
            let how_long = match scope {
                Scope::Once => "this call",
                Scope::Session => "this session",
                Scope::Project => "this project",
                Scope::Forever => "every project",
            };
            let text = format!("Rule {}, for {how_long}: `{rule}`.", at + 1);
            notice(Level::Info, &text, out);
        }
        if let Some(last) = self.taints.last() {
            let text = format!(
                "Asked about all the same, because you did not write what was read: {last}{}.",
                match self.taints.len() {
                    1 => String::new(),
                    count => format!(" and {} more", count - 1),
                }
            );
            notice(Level::Info, &text, out);
        }
    }

    fn tell_rules(&self, out: &mut Vec<Effect>) {
        let rules = self.policy.rules();
        out.push(Effect::Emit(Event::RulesChanged { rules }));
    }
}

/// Blacks out what looks like a secret. The text is no passage to quote any more.
fn without_secrets(result: Result) -> Result {
    let black = |text: String| redact_quoted(&redact(&text)).into_owned();
    let outcome = match result.outcome {
        Outcome::Done { text } => Outcome::Done { text: black(text) },
        Outcome::Failed { text } => Outcome::Failed { text: black(text) },
        Outcome::Invalid { text } => Outcome::Invalid { text: black(text) },
        outcome @ (Outcome::Denied { .. } | Outcome::Cancelled) => outcome,
    };
    Result {
        outcome,
        passage: None,
    }
}
