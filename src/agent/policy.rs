//! What may be done without asking: the modes' table, the user's rules, and what taint does to both.
//!
//! A refusal wins over a question, and a question over an allowance. What the mode refuses no rule allows, and what
//! reaches a network, lies outside of the roots or changes walden's own rules is refused in every mode.
//!
//! Content that the user did not write (see [`crate::protocol::Event::Tainted`]) may hold instructions. From the moment
//! that it is in the conversation, what a mode or an earlier allowance lets through is asked about again where it could
//! do harm: commands, deletions, git, memory, third-party tools, and edits of files that the user neither named nor
//! approved a change of before. An allowance that was given with that content in sight counts.

use crate::protocol::{
    ChangeKind, FileChange, KeptRule, Mode, Risk, Rule, Ruling, Scope, Subject, Target, Why,
    secret_file,
};

/// The rules of a session: the mode, and what the user allowed, asked for or refused.
#[derive(Debug, Default)]
pub struct Policy {
    mode: Mode,
    rules: Vec<Held>,
}

/// A rule, and how much content of others the user had seen when it was made.
#[derive(Debug)]
struct Held {
    kept: KeptRule,
    knew: usize,
}

/// A call as the policy judges it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub subject: Subject<'a>,
    /// What in the conversation the user did not write, oldest first.
    pub taints: &'a [String],
    /// An edit of a file that the user named, or approved a change of.
    pub is_expected: bool,
}

/// What the rules say about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Allow,
    /// Ask the user, for these reasons.
    Ask(Vec<Why>),
    /// Refuse, and tell the model this.
    Deny(String),
}

impl Policy {
    /// Creates the rules of a mode, with those that the user keeps.
    pub fn new(mode: Mode, rules: Vec<KeptRule>) -> Self {
        let rules = rules.into_iter().map(|kept| Held { kept, knew: 0 });
        Self {
            mode,
            rules: rules.collect(),
        }
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// Lists the rules, in the order in which they are numbered for the user.
    pub fn rules(&self) -> Vec<KeptRule> {
        self.rules.iter().map(|held| held.kept.clone()).collect()
    }

    /// Adds a rule. `knew` is how many contents of others the user had seen by then.
    pub fn add(&mut self, scope: Scope, rule: Rule, knew: usize) -> KeptRule {
        let kept = KeptRule { scope, rule };
        self.rules.retain(|held| held.kept != kept);
        self.rules.push(Held {
            kept: kept.clone(),
            knew,
        });
        kept
    }

    /// Takes back a rule by its number, counted from 1.
    pub fn remove(&mut self, number: usize) -> Option<KeptRule> {
        let at = number.checked_sub(1).filter(|at| *at < self.rules.len())?;
        Some(self.rules.remove(at).kept)
    }

    /// Judges a call.
    pub fn judge(&self, facts: Facts<'_>) -> Verdict {
        let Subject { call, risk, .. } = facts.subject;
        if let Risk::Network | Risk::Outside | Risk::Policy = risk {
            return Verdict::Deny(format!(
                "`{}` was refused: {}, which nobody is asked about. Do it another way, or say what the user would have \
                 to do.",
                call.tool,
                risk.because()
            ));
        }
        let fitting = |ruling| self.fitting(ruling, facts.subject);
        if let Some(held) = fitting(Ruling::Deny) {
            return Verdict::Deny(format!(
                "`{}` was refused by a rule of the user ({}). Do not try it another way.",
                call.tool, held.kept.rule
            ));
        }
        let usual_answer = usual(self.mode, risk);
        if usual_answer == Usual::Deny {
            return Verdict::Deny(format!(
                "`{}` was refused: the session is in plan mode, where nothing is changed. Answer in words instead.",
                call.tool
            ));
        }
        if let Some(held) = fitting(Ruling::Ask) {
            let rule = held.kept.rule.to_string();
            return Verdict::Ask(vec![Why::Rule { rule }]);
        }
        let allowed = fitting(Ruling::Allow);
        let knew = match (usual_answer, allowed) {
            (_, Some(held)) => held.knew,
            (Usual::Allow, None) => 0,
            (Usual::Ask | Usual::Deny, None) => {
                return Verdict::Ask(why(facts, true));
            }
        };
        if facts.taints.len() > knew && is_asked_when_tainted(risk, facts.is_expected) {
            return Verdict::Ask(why(facts, false));
        }
        Verdict::Allow
    }

    /// Returns the rule of the user that counts for a call, whatever the mode does with it.
    pub fn rule_for(&self, subject: Subject<'_>) -> Option<&Rule> {
        let rulings = [Ruling::Deny, Ruling::Ask, Ruling::Allow];
        let mut held = rulings
            .map(|ruling| self.fitting(ruling, subject))
            .into_iter()
            .flatten();
        held.next().map(|held| &held.kept.rule)
    }

    /// Returns the latest rule of a kind that is about a call.
    fn fitting(&self, ruling: Ruling, subject: Subject<'_>) -> Option<&Held> {
        let mut rules = self.rules.iter().rev();
        rules.find(|held| held.kept.rule.ruling == ruling && held.kept.rule.fits(subject))
    }
}

/// What a mode does with a class when no rule says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usual {
    Allow,
    Ask,
    Deny,
}

/// The table: a row for each class, a column for each mode.
fn usual(mode: Mode, risk: Risk) -> Usual {
    use Usual::{Allow, Ask, Deny};
    let [plan, ask, edit, auto] = match risk {
        Risk::Read => [Allow, Allow, Allow, Allow],
        Risk::SensitiveRead | Risk::ForeignRead => [Ask, Ask, Ask, Ask],
        Risk::Edit => [Deny, Ask, Allow, Allow],
        // A note outlives the session: no mode is about it.
        Risk::Memory | Risk::EditExecutable | Risk::GitHistory | Risk::Foreign => {
            [Deny, Ask, Ask, Ask]
        }
        Risk::Delete | Risk::GitLocal | Risk::Command => [Deny, Ask, Ask, Allow],
        Risk::Network | Risk::Outside | Risk::Policy => [Deny, Deny, Deny, Deny],
    };
    match mode {
        Mode::Plan => plan,
        Mode::Ask => ask,
        Mode::Edit => edit,
        Mode::Auto => auto,
    }
}

/// Tells whether taint makes a question of an allowance.
fn is_asked_when_tainted(risk: Risk, is_expected: bool) -> bool {
    match risk {
        Risk::Read | Risk::SensitiveRead | Risk::ForeignRead => false,
        Risk::Edit => !is_expected,
        _ => true,
    }
}

/// Says why a call is asked about.
fn why(facts: Facts<'_>, by_class: bool) -> Vec<Why> {
    let Subject { risk, targets, .. } = facts.subject;
    let mut why = Vec::new();
    let secret = targets
        .iter()
        .find_map(|target| Some((target, secret_of(target)?)));
    match secret {
        Some((target, what)) if risk == Risk::SensitiveRead => why.push(Why::Secret {
            what: format!("`{}`, {what}", target.path),
        }),
        _ if by_class => why.push(Why::Class { risk }),
        _ => {}
    }
    if is_asked_when_tainted(risk, facts.is_expected)
        && let Some(content) = facts.taints.last()
    {
        let content = content.clone();
        why.push(Why::Tainted { content });
    }
    why
}

fn secret_of(target: &Target) -> Option<&'static str> {
    secret_file(&target.path).or_else(|| secret_file(&target.given))
}

/// Rates a call by what it is about and by what it would change.
pub(super) fn risk_of(rated: Risk, change: Option<&FileChange>, targets: &[Target]) -> Risk {
    let is_secret = targets.iter().any(|target| secret_of(target).is_some());
    match (rated, change) {
        (Risk::Read, _) if is_secret => Risk::SensitiveRead,
        (Risk::Edit, Some(change))
            if change.files().any(|file| file.kind == ChangeKind::Delete) =>
        {
            Risk::Delete
        }
        (Risk::Edit, Some(change)) if change.files().any(FileChange::is_executable_data) => {
            Risk::EditExecutable
        }
        // Programs take their settings from it, among them where to send things.
        (Risk::Edit, _) if is_secret => Risk::EditExecutable,
        _ => rated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{CallId, ToolCall};

    fn call() -> ToolCall {
        ToolCall {
            id: CallId(1),
            server: "fs".into(),
            tool: "edit".into(),
            arguments: serde_json::Map::new(),
        }
    }

    fn judge(policy: &Policy, call: &ToolCall, risk: Risk, taints: &[String]) -> Verdict {
        policy.judge(Facts {
            subject: Subject {
                call,
                risk,
                targets: &[],
            },
            taints,
            is_expected: false,
        })
    }

    fn word(verdict: &Verdict) -> &'static str {
        match verdict {
            Verdict::Allow => "allow",
            Verdict::Ask(_) => "ask",
            Verdict::Deny(_) => "deny",
        }
    }

    fn session(policy: &mut Policy, call: &ToolCall, risk: Risk, knew: usize) {
        let rule = Rule::allowing(Subject {
            call,
            risk,
            targets: &[],
        });
        policy.add(Scope::Session, rule, knew);
    }

    #[test]
    fn modes_differ_in_what_they_ask() {
        // Plan, ask, edit, auto; and the same with content of others in the conversation.
        let table = [
            (
                Risk::Read,
                ["allow", "allow", "allow", "allow"],
                ["allow", "allow", "allow", "allow"],
            ),
            (
                Risk::SensitiveRead,
                ["ask", "ask", "ask", "ask"],
                ["ask", "ask", "ask", "ask"],
            ),
            (
                Risk::Edit,
                ["deny", "ask", "allow", "allow"],
                ["deny", "ask", "ask", "ask"],
            ),
            (
                Risk::EditExecutable,
                ["deny", "ask", "ask", "ask"],
                ["deny", "ask", "ask", "ask"],
            ),
            (
                Risk::Delete,
                ["deny", "ask", "ask", "allow"],
                ["deny", "ask", "ask", "ask"],
            ),
            (
                Risk::GitLocal,
                ["deny", "ask", "ask", "allow"],
                ["deny", "ask", "ask", "ask"],
            ),
            (
                Risk::GitHistory,
                ["deny", "ask", "ask", "ask"],
                ["deny", "ask", "ask", "ask"],
            ),
            (
                Risk::Command,
                ["deny", "ask", "ask", "allow"],
                ["deny", "ask", "ask", "ask"],
            ),
            (
                Risk::Memory,
                ["deny", "ask", "ask", "ask"],
                ["deny", "ask", "ask", "ask"],
            ),
            (
                Risk::ForeignRead,
                ["ask", "ask", "ask", "ask"],
                ["ask", "ask", "ask", "ask"],
            ),
            (
                Risk::Foreign,
                ["deny", "ask", "ask", "ask"],
                ["deny", "ask", "ask", "ask"],
            ),
            (
                Risk::Network,
                ["deny", "deny", "deny", "deny"],
                ["deny", "deny", "deny", "deny"],
            ),
            (
                Risk::Outside,
                ["deny", "deny", "deny", "deny"],
                ["deny", "deny", "deny", "deny"],
            ),
            (
                Risk::Policy,
                ["deny", "deny", "deny", "deny"],
                ["deny", "deny", "deny", "deny"],
            ),
        ];
        assert_eq!(table.map(|(risk, ..)| risk), Risk::ALL);
        let taint = ["the file `README.txt`".to_owned()];
        for (risk, plain, tainted) in table {
            for (mode, (plain, tainted)) in
                Mode::ALL.into_iter().zip(plain.into_iter().zip(tainted))
            {
                let policy = Policy::new(mode, Vec::new());
                let verdict = judge(&policy, &call(), risk, &[]);
                assert_eq!(word(&verdict), plain, "{mode} {risk}");
                let verdict = judge(&policy, &call(), risk, &taint);
                assert_eq!(word(&verdict), tainted, "{mode} {risk}, tainted");
            }
        }
    }

    #[test]
    fn an_allowance_covers_its_tool_up_to_the_risk_that_was_seen() {
        let mut policy = Policy::new(Mode::Ask, Vec::new());
        session(&mut policy, &call(), Risk::Edit, 0);
        assert_eq!(judge(&policy, &call(), Risk::Edit, &[]), Verdict::Allow);
        let verdict = judge(&policy, &call(), Risk::EditExecutable, &[]);
        assert_eq!(word(&verdict), "ask");
        let other = ToolCall {
            tool: "write".into(),
            ..call()
        };
        assert_eq!(word(&judge(&policy, &other, Risk::Edit, &[])), "ask");
    }

    #[test]
    fn plan_mode_refuses_what_was_allowed_before() {
        let mut policy = Policy::new(Mode::Ask, Vec::new());
        session(&mut policy, &call(), Risk::Edit, 0);
        policy.set_mode(Mode::Plan);
        assert_eq!(word(&judge(&policy, &call(), Risk::Edit, &[])), "deny");
    }

    #[test]
    fn a_refusal_wins_over_a_question_and_a_question_over_an_allowance() {
        let rule = |ruling| KeptRule {
            scope: Scope::Forever,
            rule: Rule::new(ruling, "fs.edit"),
        };
        for (rules, expected) in [
            (vec![Ruling::Allow], "allow"),
            (vec![Ruling::Ask, Ruling::Allow], "ask"),
            (vec![Ruling::Allow, Ruling::Deny, Ruling::Ask], "deny"),
        ] {
            let rules = rules.into_iter().map(rule).collect();
            let policy = Policy::new(Mode::Auto, rules);
            assert_eq!(word(&judge(&policy, &call(), Risk::Edit, &[])), expected);
        }
    }

    #[test]
    fn content_that_came_after_an_allowance_is_named_and_asked_about() {
        let mut policy = Policy::new(Mode::Ask, Vec::new());
        session(&mut policy, &call(), Risk::Edit, 0);
        let mut taints = vec!["the file `a`".to_owned()];
        let Verdict::Ask(why) = judge(&policy, &call(), Risk::Edit, &taints) else {
            panic!("not asked")
        };
        let content = taints[0].clone();
        assert_eq!(why, [Why::Tainted { content }]);
        // Whoever allows it with that in sight is not asked again, until there is more.
        session(&mut policy, &call(), Risk::Edit, taints.len());
        assert_eq!(judge(&policy, &call(), Risk::Edit, &taints), Verdict::Allow);
        taints.push("the file `b`".to_owned());
        assert_eq!(word(&judge(&policy, &call(), Risk::Edit, &taints)), "ask");
    }

    proptest::proptest! {
        #[test]
        fn a_refusal_more_never_allows_more_and_neither_does_taint(
            mode in 0..4_usize,
            risk in 0..14_usize,
            rules in proptest::collection::vec((0..3_usize, 0..4_usize, proptest::option::of(0..14_usize)), 0..6),
            tainted in 0..3_usize,
        ) {
            let tools = ["fs.edit", "fs.*", "git.*", "fs.read"];
            let made = |(ruling, tool, class): (usize, usize, Option<usize>)| KeptRule {
                scope: Scope::Forever,
                rule: Rule {
                    class: class.map(|class| Risk::ALL[class]),
                    ..Rule::new([Ruling::Allow, Ruling::Ask, Ruling::Deny][ruling], tools[tool])
                },
            };
            let rank = |verdict: &Verdict| match verdict {
                Verdict::Deny(_) => 0,
                Verdict::Ask(_) => 1,
                Verdict::Allow => 2,
            };
            let (mode, risk) = (Mode::ALL[mode], Risk::ALL[risk]);
            let taints: Vec<String> = (0..tainted).map(|n| format!("content {n}")).collect();
            let mut rules: Vec<KeptRule> = rules.into_iter().map(made).collect();
            let before = judge(&Policy::new(mode, rules.clone()), &call(), risk, &[]);
            let with_taint = judge(&Policy::new(mode, rules.clone()), &call(), risk, &taints);
            proptest::prop_assert!(rank(&with_taint) <= rank(&before));
            rules.push(KeptRule { scope: Scope::Forever, rule: Rule::new(Ruling::Deny, "fs.*") });
            let after = judge(&Policy::new(mode, rules), &call(), risk, &[]);
            proptest::prop_assert!(rank(&after) <= rank(&before));
            proptest::prop_assert_eq!(rank(&after), 0);
        }
    }
}
