//! Definitions as they are shown to the user, in full and harmless to a terminal.

use serde_json::Value;

use crate::protocol::{clip, sanitize, sanitize_line};

/// The most of an offer that is shown, in bytes. Its size is said where it is cut.
const OFFER: usize = 96 * 1024;

/// Writes how a server is started, as the user is asked about it.
pub fn launch_text(launch: &Value) -> String {
    let mut text = String::new();
    for (key, value) in launch.as_object().into_iter().flatten() {
        let words = match value {
            Value::String(text) => sanitize_line(text),
            Value::Array(list) if list.is_empty() => continue,
            Value::Array(list) => list
                .iter()
                .map(|one| match one {
                    Value::String(text) => quoted(text),
                    other => sanitize_line(&other.to_string()),
                })
                .collect::<Vec<_>>()
                .join(" "),
            Value::Object(map) if map.is_empty() => continue,
            Value::Object(map) => {
                for (name, value) in map {
                    let value = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned);
                    let (name, value) = (sanitize_line(name), sanitize_line(&value));
                    text.push_str(&format!("{key:<12} {name} = {value}\n"));
                }
                continue;
            }
            other => other.to_string(),
        };
        text.push_str(&format!("{key:<12} {words}\n"));
    }
    text
}

/// Puts an argument into quotes where it could be taken for two.
fn quoted(argument: &str) -> String {
    let shown = sanitize_line(argument);
    match shown.is_empty() || shown.contains([' ', '"', '\'', '⟨']) {
        true => format!("{shown:?}"),
        false => shown,
    }
}

/// Writes what a server offers, with every word that the model could read of it.
pub fn offer_text(offer: &Value) -> String {
    let mut text = String::new();
    let hidden = hidden_in(offer);
    if hidden > 0 {
        text.push_str(&format!(
            "! {hidden} hidden characters stand in these texts; they are shown as ⟨U+…⟩\n\n"
        ));
    }
    if let Some(words) = offer["instructions"]
        .as_str()
        .filter(|text| !text.is_empty())
    {
        text.push_str(&format!("instructions: {}\n\n", sanitize(words)));
    }
    for (kind, label) in [
        ("tools", "tool"),
        ("prompts", "prompt"),
        ("templates", "template"),
    ] {
        for (name, item) in offer[kind].as_object().into_iter().flatten() {
            text.push_str(&format!("{label} {}\n", sanitize_line(name)));
            for (field, value) in item.as_object().into_iter().flatten() {
                let words = match value {
                    Value::String(words) => sanitize(words).replace('\n', "\n    "),
                    other => sanitize(&other.to_string()),
                };
                text.push_str(&format!("  {field}: {words}\n"));
            }
        }
    }
    clip(&text, OFFER)
}

/// Counts the characters that cannot be seen.
fn hidden_in(value: &Value) -> usize {
    match value {
        Value::String(text) => text
            .chars()
            .filter(|c| {
                !matches!(c, '\n' | '\t' | '\r') && sanitize(&c.to_string()) != c.to_string()
            })
            .count(),
        Value::Array(list) => list.iter().map(hidden_in).sum(),
        Value::Object(map) => map.values().map(hidden_in).sum(),
        _ => 0,
    }
}
