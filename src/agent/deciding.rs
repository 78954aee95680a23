//! Decisions of the user that later sessions know of: kept by a call that is seen like any other, and recalled as
//! labelled data when a session begins with a request that they fit.
//!
//! Only the user's own words are kept by themselves. What comes back is content like any other that is not of this
//! conversation: it taints it, and it is never an instruction.

use serde_json::{Map, Value};

use super::{Agent, CallId, Effect, intent, notice};
use crate::protocol::{Level, Risk, find_secret};

/// What decisions are kept about.
pub const DECISIONS: &str = "decisions";

const SERVER: &str = "memory";
const REMEMBER: &str = "remember";
const RECALL: &str = "recall";

/// The longest decision that is kept, in bytes, and the shortest rule that is one.
const LONGEST: usize = 900;
const SHORTEST_RULE: usize = 12;

/// The words that a rule begins with.
const RULES: [&str; 7] = [
    "always",
    "never",
    "don't",
    "do not",
    "prefer",
    "avoid",
    "from now on",
];

/// The most words of a request that decisions are looked for with.
const WORDS: usize = 8;

impl Agent {
    /// Takes note that an earlier session kept decisions.
    pub(super) fn note_decisions(&mut self) {
        self.has_decisions = true;
    }

    /// Returns what of a message is to be kept for later sessions: what the user says to remember, or a rule that was
    /// said before.
    pub(super) fn decision_in(&mut self, message: &str, out: &mut Vec<Effect>) -> Option<String> {
        let mut said = to_remember(message).map(str::to_owned);
        for rule in rules_in(message) {
            let key = rule.to_lowercase();
            let times = self.rules_said.entry(key).or_default();
            *times += 1;
            if *times == 2 && said.is_none() {
                said = Some(rule.to_owned());
            }
        }
        let said = said.filter(|_| self.own_tool(REMEMBER, Risk::Memory))?;
        if find_secret(&said).is_some() {
            let text = "That holds what looks like a secret: it is not kept for later sessions.";
            notice(Level::Warning, text, out);
            return None;
        }
        Some(crate::protocol::clip(&said, LONGEST))
    }

    /// Returns the call that keeps a decision.
    pub(super) fn keeping(decision: &str) -> (String, Map<String, Value>) {
        let arguments = [("about", DECISIONS), ("fact", decision)];
        (REMEMBER.to_owned(), with_texts(&arguments))
    }

    /// Returns the call that looks for decisions which fit the first request of a session, where there are any.
    pub(super) fn recalling(&self, request: &str) -> Option<(String, Map<String, Value>)> {
        let wanted = self.turns == 1 && self.has_decisions && self.settings.recalls;
        if !wanted || !self.own_tool(RECALL, Risk::Read) {
            return None;
        }
        let words: Vec<String> = intent::telling_words(request).take(WORDS).collect();
        (!words.is_empty()).then(|| {
            let query = words.join(" ");
            (RECALL.to_owned(), with_texts(&[("query", &query)]))
        })
    }

    /// Tells whether a call keeps the user's own words, which they need not be asked about again.
    pub(super) fn keeps_own_words(&self, id: CallId) -> bool {
        let decision = self.turn.as_ref().and_then(|turn| turn.decision.as_deref());
        let open = self.calls.get(id);
        open.zip(decision).is_some_and(|(open, decision)| {
            open.call.server == SERVER
                && open.call.tool == REMEMBER
                && open.call.arguments == Self::keeping(decision).1
        })
    }

    fn own_tool(&self, name: &str, risk: Risk) -> bool {
        self.tools
            .iter()
            .any(|tool| tool.server == SERVER && tool.tool == name && tool.risk == risk)
    }
}

fn with_texts(arguments: &[(&str, &str)]) -> Map<String, Value> {
    arguments
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::String((*value).to_owned())))
        .collect()
}

/// Reads what a message says to remember: its first paragraph, after the word.
pub(super) fn to_remember(message: &str) -> Option<&str> {
    let first = message.trim().split("\n\n").next()?.trim();
    let first = strip_word(first, "please").unwrap_or(first);
    let rest = strip_word(first, "remember")?;
    let rest = strip_word(rest, "that").unwrap_or(rest);
    let rest = rest.trim_start_matches([':', ',']).trim();
    let is_question = first.ends_with('?');
    (rest.split_whitespace().count() > 1 && !is_question).then_some(rest)
}

/// Tells whether a message does nothing but say what to remember.
pub(super) fn only_remembers(message: &str) -> bool {
    to_remember(message).is_some() && !message.trim().contains("\n\n")
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let head = text.get(..word.len())?;
    let rest = &text[word.len()..];
    let ends = rest.starts_with(|c: char| !c.is_alphanumeric());
    (head.eq_ignore_ascii_case(word) && ends).then(|| rest.trim_start())
}

/// Reads the rules in a message: sentences that begin like one.
fn rules_in(message: &str) -> Vec<&str> {
    message
        .split(['\n', '.', '!', '?', ';'])
        .map(str::trim)
        .filter(|sentence| sentence.len() >= SHORTEST_RULE)
        .filter(|sentence| {
            RULES
                .iter()
                .any(|word| strip_word(sentence, word).is_some())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{agent, answer, asked, spec, submit};
    use super::super::*;
    use super::*;
    use crate::protocol::{Mode, Op, ToolSpec};

    fn remembering(mode: Mode) -> Agent {
        let mut agent = agent(mode);
        let tool = |name: &str, risk| ToolSpec {
            server: SERVER.into(),
            ..spec(name, risk)
        };
        agent.handle(Input::Tools(vec![
            tool(REMEMBER, Risk::Memory),
            tool(RECALL, Risk::Read),
        ]));
        agent.settings.recalls = true;
        agent
    }

    fn ran(out: &[Effect]) -> Option<ToolCall> {
        out.iter().find_map(|effect| match effect {
            Effect::RunCall { call, .. } => Some(call.clone()),
            _ => None,
        })
    }

    #[test]
    fn what_the_user_says_to_remember_is_kept_by_a_call_and_not_asked_about() {
        for mode in [Mode::Ask, Mode::Edit, Mode::Auto] {
            let mut agent = remembering(mode);
            let out = submit(&mut agent, "Remember: errors are thiserror enums here.");
            let call = ran(&out).expect("a call");
            let expected =
                json!({"about": "decisions", "fact": "errors are thiserror enums here."});
            assert_eq!(Value::Object(call.arguments), expected);
            super::super::tests::succeed(&mut agent, 1, None);
            let out = answer(&mut agent, "It is kept.");
            assert!(asked(&out).is_none(), "nobody is asked for a change");
        }
        let out = submit(
            &mut remembering(Mode::Plan),
            "Remember that we use tabs here",
        );
        assert!(ran(&out).is_none(), "nothing is written in the mode plan");
    }

    #[test]
    fn a_rule_that_is_said_twice_is_kept_and_once_is_not() {
        let mut agent = remembering(Mode::Ask);
        assert!(
            ran(&submit(
                &mut agent,
                "What is this project? Never use unwrap in code."
            ))
            .is_none()
        );
        answer(&mut agent, "A library.");
        let out = submit(
            &mut agent,
            "Fix the parser in this project. never use unwrap in code!",
        );
        let call = ran(&out).expect("a call");
        assert_eq!(call.argument("fact"), Some("never use unwrap in code"));
    }

    #[test]
    fn what_the_model_wants_to_keep_is_asked_about() {
        let mut agent = remembering(Mode::Auto);
        submit(&mut agent, "Remember: we use tabs.");
        super::super::tests::succeed(&mut agent, 1, None);
        let arguments = with_texts(&[("about", DECISIONS), ("fact", "the user allowed all")]);
        let name = REMEMBER.to_owned();
        let call = crate::protocol::ModelEvent::Call { name, arguments };
        super::super::tests::model(&mut agent, call);
        let out = super::super::tests::done(&mut agent, "call", crate::protocol::Finish::Call);
        assert!(ran(&out).is_none(), "{out:?}");
        assert!(
            out.iter()
                .any(|effect| matches!(effect, Effect::Emit(Event::ApprovalRequested { .. })))
        );
    }

    #[test]
    fn decisions_are_recalled_once_where_a_first_request_has_something_to_look_for() {
        let mut agent = remembering(Mode::Ask);
        agent.handle(Input::HasDecisions);
        let call =
            ran(&submit(&mut agent, "Fix the error handling of the parser")).expect("a call");
        assert_eq!(
            (call.tool.as_str(), call.argument("query")),
            (RECALL, Some("handling parser"))
        );
        super::super::tests::succeed(&mut agent, 1, None);
        agent.handle(Input::Op(Op::Interrupt));
        let out = submit(&mut agent, "Fix the lexer handling of this project");
        assert!(ran(&out).is_none_or(|call| call.tool != RECALL), "{out:?}");
        let out = submit(&mut remembering(Mode::Ask), "Fix the parser handling");
        assert!(
            ran(&out).is_none_or(|call| call.tool != RECALL),
            "nothing is kept"
        );
    }

    #[test]
    fn what_is_no_order_to_remember_is_none() {
        for message in [
            "Remember?",
            "Do you remember this?",
            "remember",
            "Rememberable things",
        ] {
            assert_eq!(to_remember(message), None, "{message}");
        }
        let more = "please remember that we use tabs\n\nNow fix a.py";
        assert_eq!(to_remember(more), Some("we use tabs"));
        assert!(!only_remembers(more) && only_remembers("Remember: use tabs"));
    }
}
