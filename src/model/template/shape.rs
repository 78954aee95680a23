//! What a template can take, found by rendering small conversations with it.

use super::turn::{Turn, assistant, system, tool, user};
use super::{Engine, Generation, TemplateError};

/// What a template can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// It shows a leading system message, and only there.
    pub(super) system: bool,
    /// It shows a system message in the middle.
    pub(super) late_system: bool,
    /// It knows the role `tool`, rather than printing whatever role there is.
    pub(super) tool: bool,
    /// It needs users and assistants to alternate.
    pub(super) alternates: bool,
    /// It wants a message's content as a list of parts.
    pub(super) parts: bool,
    /// It never rewrites what it rendered before.
    pub(super) stable: bool,
    /// The generation prompt opens a thinking block.
    pub(super) opens_thinking: bool,
}

// Words that no template has of its own.
const S: &str = "Qsystemq";
const U: &str = "Qaskedq";
const V: &str = "Qagainq";
const A: &str = "Qansweredq";
const T: &str = "Qreturnedq";
const W: &str = "Qotherq";
/// A role that no template knows.
const MADE_UP: &str = "Qroleq";

/// A conversation in which everything that begins or ends a turn comes out.
pub(super) fn conversation(with_system: bool) -> Vec<Turn> {
    let all = [system(S), user(U), assistant(A), user(V)];
    all[usize::from(!with_system)..].to_vec()
}

impl Shape {
    /// Finds out what a template can take. Fails when it cannot even render a question.
    pub(super) fn probe(engine: &Engine) -> Result<Self, TemplateError> {
        let plain = engine.render(&[user(U)], false, Generation::Opened);
        let parts = !plain.as_ref().is_ok_and(|text| holds_once(text, U));
        if parts {
            let text = engine.render(&[user(U)], true, Generation::Opened)?;
            if !holds_once(&text, U) {
                return Err(match plain {
                    Err(error) => error,
                    Ok(_) => TemplateError::Render {
                        message: "a question does not come out in the prompt".to_owned(),
                    },
                });
            }
        }
        let render = |turns: &[Turn]| engine.render(turns, parts, Generation::Closed).ok();
        // Whether all the words come out, in this order and once each.
        let shows = |turns: &[Turn], words: &[&str]| {
            render(turns).is_some_and(|text| {
                let found: Vec<_> = words.iter().map(|word| text.find(word)).collect();
                words.iter().all(|word| holds_once(&text, word)) && found.is_sorted()
            })
        };
        let extends = |first: &[Turn], all: &[Turn]| matches!((render(first), render(all)), (Some(first), Some(all)) if all.starts_with(&first));

        let all = conversation(true);
        // Some move the system message to the last question: that rewrites all the rest at each turn.
        let system = shows(&all, &[S, U, A, V]) && extends(&all[..2], &all);
        let stable = extends(&all[1..2], &all[1..]);
        let late_system = system
            && shows(
                &[user(U), assistant(A), self::system(S), user(V)],
                &[U, A, S, V],
            );
        let called = |role: &'static str| {
            let returned = |word| Turn {
                role,
                ..tool(word, "read")
            };
            [user(U), assistant(A), returned(T), returned(W)]
        };
        let tool = shows(&called("tool"), &[U, A, T, W])
            && render(&called(MADE_UP)).map(|text| text.replace(MADE_UP, "tool"))
                != render(&called("tool"));
        let alternates = !shows(&[user(U), user(V)], &[U, V]);
        let prompt = |generation| {
            engine
                .render(&all[1..], parts, generation)
                .unwrap_or_default()
        };
        let (without, with) = (prompt(Generation::Closed), prompt(Generation::Opened));
        let opening = with
            .strip_prefix(without.as_str())
            .unwrap_or_default()
            .trim_end();
        Ok(Self {
            system,
            late_system,
            tool,
            alternates,
            parts,
            stable,
            opens_thinking: opening.ends_with("<think>") || opening.ends_with("<thinking>"),
        })
    }
}

fn holds_once(text: &str, word: &str) -> bool {
    text.matches(word).count() == 1
}
