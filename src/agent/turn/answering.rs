//! An answer in a form that was asked for: after the turn's work the model is asked once more, for a call whose
//! arguments are the answer. So whatever constrains calls constrains the answer.

use serde_json::{Value, json};

use super::super::input::Effect;
use super::{Agent, RETRY_TEMPERATURE};
use crate::protocol::{
    EndReason, Event, Finish, Lane, Level, Message, ModelFailure, Risk, ToolChoice, ToolSpec,
};

/// The tool that the answer is a call of. Nobody runs it.
const ANSWER: &str = "answer";

/// How often the model is asked for its answer.
const TRIES: u32 = 4;

/// The longest schema that the model is shown, in bytes. A longer one is only enforced.
const SHOWN_SCHEMA: usize = 3_000;

/// How much of what the model said last is told where there is no room for the conversation, in bytes.
const SAID: usize = 1_500;

/// What bounds texts and lists that the schema leaves open, once the model did not find an end.
const LONGEST_TEXT: u64 = 400;
const MOST_ITEMS: u64 = 8;

/// An answer that is being asked for.
#[derive(Debug)]
pub(super) struct Answering {
    /// How the turn would have ended.
    reason: EndReason,
    tries: u32,
    /// The conversation has no room for it: it is asked for beside it.
    beside: bool,
    given: Option<Value>,
}

impl Agent {
    /// Asks for the answer in its form, where one is wanted and was not asked for yet. Returns `false` when the turn can
    /// end.
    pub(super) fn begin_answer(&mut self, reason: &EndReason, out: &mut Vec<Effect>) -> bool {
        let Some(turn) = &mut self.turn else {
            return false;
        };
        let can_answer = match reason {
            EndReason::Answered | EndReason::Budget { .. } | EndReason::Loop { .. } => true,
            EndReason::Interrupted | EndReason::Failed { .. } => false,
        };
        let Some(schema) = self.settings.answer.as_ref().filter(|_| can_answer) else {
            return false;
        };
        if turn.answering.is_some() || turn.review.is_some() {
            return false;
        }
        turn.answering = Some(Answering {
            reason: reason.clone(),
            tries: 0,
            beside: false,
            given: None,
        });
        let text = question(schema);
        self.remember(Message::User { text }, out);
        self.ask_for_answer(out);
        true
    }

    fn ask_for_answer(&mut self, out: &mut Vec<Effect>) {
        self.generations += 1;
        let names = vec![ANSWER.to_owned()];
        let mut request = self.request(ToolChoice::Required { names });
        let Some(schema) = self.settings.answer.clone() else {
            return;
        };
        let Some(turn) = &mut self.turn else { return };
        let Some(answering) = &mut turn.answering else {
            return;
        };
        let schema = match answering.tries {
            0 => schema,
            _ => bounded(schema),
        };
        if answering.tries > 0 {
            request.sampling.temperature = request.sampling.temperature.max(RETRY_TEMPERATURE);
            request.sampling.top_p = 0.95;
            request.sampling.seed = answering.tries;
        }
        answering.tries += 1;
        if answering.beside {
            request.lane = Lane::Side;
            let said = request
                .messages
                .iter()
                .rev()
                .find_map(|message| match message {
                    Message::Assistant { raw } => Some(super::beginning(raw, SAID)),
                    _ => None,
                });
            let parts = [
                turn.request.clone(),
                said.unwrap_or_default(),
                question(&schema),
            ];
            request.messages = vec![Message::User {
                text: parts.join("\n\n"),
            }];
            request.tools.clear();
        }
        request.passages.clear();
        request.tools.push(ToolSpec {
            server: "walden".to_owned(),
            name: ANSWER.to_owned(),
            tool: ANSWER.to_owned(),
            description: "Gives the answer.".to_owned(),
            schema,
            risk: Risk::Read,
            previews: false,
        });
        turn.effort.generations += 1;
        turn.written.clear();
        turn.generation = Some(request.id);
        out.push(Effect::Generate(request));
    }

    /// Takes the answer that a generation gave, or asks again.
    pub(super) fn answered(&mut self, raw: String, finish: Finish, out: &mut Vec<Effect>) {
        if finish == Finish::Cancelled {
            return self.end_turn(EndReason::Interrupted, out);
        }
        let Some(turn) = &mut self.turn else { return };
        let problem = turn.bad_call.take();
        let given = turn.pending.drain(..).next();
        let Some(answering) = &mut turn.answering else {
            return;
        };
        answering.given = given.map(|(_, arguments)| Value::Object(arguments));
        let reason = answering.reason.clone();
        if let Some(answer) = answering.given.clone() {
            if !answering.beside {
                self.remember(Message::Assistant { raw }, out);
            }
            out.push(Effect::Emit(Event::AnswerGiven { answer }));
            return self.end_turn(reason, out);
        }
        turn.effort.wasted += 1;
        if answering.tries < TRIES {
            return self.ask_for_answer(out);
        }
        let why = problem.unwrap_or_else(|| "it came to no end".to_owned());
        super::notice(
            Level::Error,
            &format!("The model gave no answer in the form that was asked for: {why}."),
            out,
        );
        self.end_turn(reason, out);
    }

    /// Goes on beside the conversation when there is no room in it. Returns `false` when that was tried already.
    pub(super) fn answer_beside(&mut self, failure: &ModelFailure, out: &mut Vec<Effect>) -> bool {
        let full = matches!(failure, ModelFailure::ContextFull { .. });
        let answering = self.turn.as_mut().and_then(|turn| turn.answering.as_mut());
        match answering {
            Some(answering) if full && !answering.beside => {
                answering.beside = true;
                self.ask_for_answer(out);
                true
            }
            _ => false,
        }
    }
}

fn question(schema: &Value) -> String {
    let schema = schema.to_string();
    let form = match schema.len() {
        ..=SHOWN_SCHEMA => format!(" Its arguments have this JSON Schema:\n{schema}"),
        _ => String::new(),
    };
    format!("Now give the answer to what was asked, as a call of `{ANSWER}`.{form}")
}

/// Bounds the texts and lists of a schema that have no bound: what fits the result fits the schema.
fn bounded(mut schema: Value) -> Value {
    bound(&mut schema);
    schema
}

fn bound(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(bound),
        Value::Object(map) => {
            // What `enum` and `const` hold are values, not schemas.
            for (key, value) in map.iter_mut() {
                if !matches!(key.as_str(), "enum" | "const" | "default" | "examples") {
                    bound(value);
                }
            }
            let is = |kind: &str| map.get("type").and_then(Value::as_str) == Some(kind);
            let has = |key: &str| map.contains_key(key);
            let least = |key: &str| map.get(key).and_then(Value::as_u64).unwrap_or(0);
            let open_text = is("string")
                && !["enum", "const", "pattern", "format", "maxLength"]
                    .iter()
                    .any(|key| has(key));
            let open_list = is("array") && !has("maxItems");
            let (longest, most) = (
                LONGEST_TEXT.max(least("minLength")),
                MOST_ITEMS.max(least("minItems")),
            );
            if open_text {
                map.insert("maxLength".to_owned(), json!(longest));
            }
            if open_list {
                map.insert("maxItems".to_owned(), json!(most));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_open_is_bounded() {
        let schema = json!({
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "kind": {"type": "string", "enum": ["a", "b"]},
                "short": {"type": "string", "maxLength": 3},
                "type": {"type": "array", "minItems": 20, "items": {"type": "string"}},
            },
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "text": {"type": "string", "maxLength": 400},
                "kind": {"type": "string", "enum": ["a", "b"]},
                "short": {"type": "string", "maxLength": 3},
                "type": {
                    "type": "array", "minItems": 20, "items": {"type": "string", "maxLength": 400}, "maxItems": 20
                },
            },
        });
        assert_eq!(bounded(schema), expected);
    }
}
