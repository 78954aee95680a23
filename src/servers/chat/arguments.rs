//! What a call asks: its messages, and how they are to be answered.

use rmcp::model::JsonObject;
use serde_json::Value;

use super::ChatOptions;
use crate::protocol::{Message, Sampling};

/// A question to the model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    pub(super) messages: Vec<Message>,
    pub(super) sampling: Sampling,
}

/// Reads a call's arguments. What it does not say is as the server was started.
///
/// # Errors
/// When something is missing or wrong, in words for the caller.
pub(super) fn read(
    arguments: Option<&JsonObject>,
    options: &ChatOptions,
) -> Result<Question, String> {
    let arguments = arguments.ok_or("Missing or invalid arguments")?;
    let given = |name: &str| arguments.get(name).filter(|value| !value.is_null());
    let mut messages = match (given("messages"), given("text")) {
        // The messages come first, as they do in the server that this one stands in for.
        (Some(messages), _) => conversation(messages)?,
        (None, Some(Value::String(text))) => vec![Message::User { text: text.clone() }],
        (None, Some(_)) => return Err("text must be a string".to_owned()),
        (None, None) => return Err("missing required argument: text or messages".to_owned()),
    };
    let suffix = match given("prompt_suffix") {
        Some(Value::String(suffix)) => Some(suffix),
        Some(_) => return Err("prompt_suffix must be a string".to_owned()),
        None => options.prompt_suffix.as_ref(),
    };
    if let Some(suffix) = suffix.filter(|suffix| !suffix.is_empty()) {
        add_suffix(&mut messages, suffix);
    }
    let mut sampling = options.sampling.clone();
    if let Some(value) = given("temperature") {
        sampling.temperature = number(value, |number| number >= 0.0)
            .ok_or("temperature must be a number that is 0 or more")?;
    }
    if let Some(value) = given("top_p") {
        sampling.top_p = number(value, |number| number > 0.0 && number <= 1.0)
            .ok_or("top_p must be a number above 0 and up to 1")?;
    }
    if let Some(value) = given("top_k") {
        sampling.top_k = count(value).ok_or("top_k must be a whole number; 0 takes all")?;
    }
    if let Some(value) = given("max_tokens") {
        sampling.max_tokens = count(value)
            .filter(|count| *count > 0)
            .ok_or("max_tokens must be a whole number that is 1 or more")?;
    }
    Ok(Question { messages, sampling })
}

fn conversation(messages: &Value) -> Result<Vec<Message>, String> {
    let messages = messages.as_array().ok_or("messages must be an array")?;
    if messages.is_empty() {
        return Err("messages array must not be empty".to_owned());
    }
    let read = messages.iter().enumerate().map(|(at, message)| {
        let wrong = |problem: &str| format!("messages[{at}]{problem}");
        let message = message
            .as_object()
            .ok_or_else(|| wrong(" must be an object with role and content"))?;
        let Some(Value::String(text)) = message.get("content") else {
            return Err(wrong(".content must be a string"));
        };
        let text = text.clone();
        match message.get("role") {
            None => Ok(Message::User { text }),
            Some(role) => match role.as_str() {
                Some("user") => Ok(Message::User { text }),
                Some("system") => Ok(Message::System { text }),
                Some("assistant") => Ok(Message::Assistant { raw: text }),
                _ => Err(wrong(".role must be system, user or assistant")),
            },
        }
    });
    read.collect()
}

/// Adds to the first system message, or begins with one.
fn add_suffix(messages: &mut Vec<Message>, suffix: &str) {
    let first = messages.iter_mut().find_map(|message| match message {
        Message::System { text } => Some(text),
        Message::User { .. } | Message::Assistant { .. } | Message::Tool { .. } => None,
    });
    match first {
        Some(text) => {
            text.push(' ');
            text.push_str(suffix);
        }
        None => messages.insert(
            0,
            Message::System {
                text: suffix.to_owned(),
            },
        ),
    }
}

fn number(value: &Value, fits: impl Fn(f64) -> bool) -> Option<f32> {
    let number = value.as_f64().filter(|number| fits(*number))? as f32;
    number.is_finite().then_some(number)
}

/// Reads a whole number; one below 0 is as good as none, and one that is too large as the largest.
fn count(value: &Value) -> Option<u32> {
    match (value.as_u64(), value.as_i64()) {
        (Some(count), _) => Some(u32::try_from(count).unwrap_or(u32::MAX)),
        (None, Some(_)) => Some(0),
        (None, None) => None,
    }
}
