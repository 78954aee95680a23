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

/// What bounds an answer, once the model did not find an end.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// The longest text, and the most items of a list, where the schema leaves that open.
    text: u64,
    items: u64,
    /// What need not be there is left out: an answer of so little has an end.
    is_least: bool,
}

/// The bounds of each try after the first.
const BOUNDS: [Bounds; TRIES as usize - 1] = [
    Bounds {
        text: 400,
        items: 8,
        is_least: false,
    },
    Bounds {
        text: 120,
        items: 4,
        is_least: false,
    },
    Bounds {
        text: 48,
        items: 2,
        is_least: true,
    },
];

/// What the budget of a turn keeps for its answer: of its tokens, and at most.
const RESERVED_SHARE: u32 = 4;
const RESERVED: u32 = 2_048;

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
        let tries = answering.tries as usize;
        let schema = match tries.checked_sub(1).and_then(|again| BOUNDS.get(again)) {
            None => schema,
            Some(bounds) => bounded(schema, *bounds),
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
fn bounded(mut schema: Value, bounds: Bounds) -> Value {
    bound(&mut schema, bounds);
    schema
}

fn bound(schema: &mut Value, bounds: Bounds) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| bound(item, bounds)),
        Value::Object(map) => {
            if bounds.is_least {
                leave_out(map);
            }
            // What `enum` and `const` hold are values, not schemas.
            for (key, value) in map.iter_mut() {
                if !matches!(key.as_str(), "enum" | "const" | "default" | "examples") {
                    bound(value, bounds);
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
                bounds.text.max(least("minLength")),
                bounds.items.max(least("minItems")),
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

/// Leaves out the properties of an object that need not be there, and closes it. One whose rules say more than which
/// properties it has is left as it is.
fn leave_out(map: &mut serde_json::Map<String, Value>) {
    const MORE: [&str; 12] = [
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "$ref",
        "minProperties",
        "patternProperties",
        "propertyNames",
        "dependentRequired",
        "dependentSchemas",
        "unevaluatedProperties",
    ];
    let is_object = map.get("type").and_then(Value::as_str) == Some("object");
    if !is_object || MORE.iter().any(|key| map.contains_key(*key)) {
        return;
    }
    let required: Vec<String> = map
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    let empty = serde_json::Map::new();
    let there = map.get("properties").and_then(Value::as_object);
    // Where nothing has to be there, nothing would be said at all.
    if required.is_empty()
        || !required
            .iter()
            .all(|name| there.unwrap_or(&empty).contains_key(name))
    {
        return;
    }
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        properties.retain(|name, _| required.contains(name));
    }
    map.insert("additionalProperties".to_owned(), json!(false));
}

impl Agent {
    /// Returns how many tokens the work of a turn may take: an answer in a form has its part kept for it.
    pub(super) fn most_tokens(&self) -> u32 {
        let most = self.settings.max_tokens;
        match self.settings.answer {
            Some(_) => most - (most / RESERVED_SHARE).min(RESERVED),
            None => most,
        }
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
        assert_eq!(bounded(schema, BOUNDS[0]), expected);
    }

    #[test]
    fn the_last_answer_is_the_least_that_fits() {
        let schema = json!({
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "more": {"type": "string"},
                "parts": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "integer"}}}},
            },
            "required": ["text", "parts"],
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "text": {"type": "string", "maxLength": 48},
                // Nothing of it has to be there: it stays as it is.
                "parts": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"a": {"type": "integer"}}},
                    "maxItems": 2
                },
            },
            "required": ["text", "parts"],
            "additionalProperties": false,
        });
        assert_eq!(bounded(schema, BOUNDS[2]), expected);
        let open = json!({"type": "object", "required": ["a"]});
        assert_eq!(bounded(open.clone(), BOUNDS[2]), open);
    }
}
