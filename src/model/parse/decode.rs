//! From the text of a call to its name and arguments.

use serde_json::{Map, Value};

use super::json;
use crate::protocol::CallForm;

/// What the text of a call turned out to be.
#[derive(Debug, PartialEq)]
pub(super) enum Decoded {
    Call {
        name: String,
        arguments: Map<String, Value>,
    },
    Bad(String),
    /// A JSON example that only looked like a call.
    Example,
}

const ARGUMENTS: [&str; 3] = ["arguments", "parameters", "args"];

/// Decodes `{"name": …, "arguments": …}`.
///
/// `marked` says that only a call can stand there (a tag or a token says so). In a fence, an object that names no
/// tool and has no arguments is an example, such as a `package.json`.
pub(super) fn object(text: &str, tools: &[String], marked: bool) -> Decoded {
    let mut object = match json::object(text) {
        Ok(object) => object,
        Err(problem) => return Decoded::Bad(problem),
    };
    if let Some(Value::Object(inner)) = object.get_mut("function") {
        object = std::mem::take(inner);
    }
    let Some(Value::String(name)) = object.get("name") else {
        return match marked {
            true => Decoded::Bad(format!("the call has no `name`; {}", known(tools))),
            false => Decoded::Example,
        };
    };
    let name = name.trim().to_owned();
    let arguments = ARGUMENTS.iter().find_map(|key| object.remove(*key));
    if arguments.is_none() && !marked && !tools.contains(&name) {
        return Decoded::Example;
    }
    if arguments.is_none() && object.keys().any(|key| !is_envelope(key)) {
        return Decoded::Bad(
            "the call's arguments are not inside an `arguments` object".to_owned(),
        );
    }
    named(name, arguments, tools)
}

/// Decodes the arguments of a call whose name stands before them.
pub(super) fn arguments_of(name: &str, text: &str, tools: &[String]) -> Decoded {
    match json::object(text) {
        Ok(arguments) => named(name.to_owned(), Some(Value::Object(arguments)), tools),
        Err(problem) => Decoded::Bad(problem),
    }
}

/// Decodes `<function=name><parameter=key>value</parameter></function>`. All values come out as strings.
pub(super) fn function(form: CallForm, text: &str, tools: &[String]) -> Decoded {
    parts(function_parts(form, text), tools)
}

/// Makes a call of what was read of one.
pub(super) fn parts(
    read: Result<(String, Map<String, Value>), String>,
    tools: &[String],
) -> Decoded {
    match read {
        Ok((name, arguments)) => named(name, Some(Value::Object(arguments)), tools),
        Err(problem) => Decoded::Bad(problem),
    }
}

/// Reads `name<arg_key>key</arg_key><arg_value>value</arg_value>`. All values come out as strings.
pub(super) fn pairs(text: &str) -> Result<(String, Map<String, Value>), String> {
    let end = text.find("<arg_key>").unwrap_or(text.len());
    let name = text[..end].trim().to_owned();
    let mut rest = &text[end..];
    let mut arguments = Map::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok((name, arguments));
        }
        let Some((key, after)) = rest
            .strip_prefix("<arg_key>")
            .and_then(|rest| rest.split_once("</arg_key>"))
        else {
            return Err(
                "between the call's arguments stands something else than `<arg_key>`".into(),
            );
        };
        let key = key.trim();
        let Some(after) = after.trim_start().strip_prefix("<arg_value>") else {
            return Err(format!("the call's argument `{key}` has no `<arg_value>`"));
        };
        let Some(length) = value_length(after, "</arg_value>", &["<arg_key>"]) else {
            return Err(format!(
                "the call's argument `{key}` lacks an `</arg_value>`"
            ));
        };
        arguments.insert(key.to_owned(), Value::String(after[..length].to_owned()));
        rest = &after[length + "</arg_value>".len()..];
    }
}

/// Keys that may stand beside the name of a call without arguments.
fn is_envelope(key: &str) -> bool {
    matches!(key, "name" | "type" | "id")
}

fn named(name: String, arguments: Option<Value>, tools: &[String]) -> Decoded {
    if !tools.contains(&name) {
        return Decoded::Bad(format!("there is no tool `{name}`; {}", known(tools)));
    }
    match arguments {
        Some(Value::Object(arguments)) => Decoded::Call { name, arguments },
        None | Some(Value::Null) => Decoded::Call {
            name,
            arguments: Map::new(),
        },
        Some(Value::String(text)) => match json::object(&text) {
            Ok(arguments) => Decoded::Call { name, arguments },
            Err(_) => {
                Decoded::Bad("the call's `arguments` are a string, not a JSON object".to_owned())
            }
        },
        Some(_) => Decoded::Bad("the call's `arguments` are not a JSON object".to_owned()),
    }
}

fn known(tools: &[String]) -> String {
    /// More names than these do not help a small model.
    const SHOWN: usize = 40;
    let shown: Vec<&str> = tools.iter().take(SHOWN).map(String::as_str).collect();
    let more = match tools.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("the tools are: {}{more}", shown.join(", "))
}

fn function_parts(form: CallForm, text: &str) -> Result<(String, Map<String, Value>), String> {
    let Some((name, mut rest)) = text
        .strip_prefix("<function=")
        .and_then(|rest| rest.split_once('>'))
    else {
        return Err("the call does not begin with `<function=NAME>`".to_owned());
    };
    let mut arguments = Map::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() || rest.starts_with("</function>") {
            return Ok((name.trim().to_owned(), arguments));
        }
        let Some((key, after)) = rest
            .strip_prefix("<parameter=")
            .and_then(|rest| rest.split_once('>'))
        else {
            return Err(
                "between the call's parameters stands something else than `<parameter=KEY>`".into(),
            );
        };
        let key = key.trim();
        let Some(length) = value_length(after, "</parameter>", &["<parameter=", "</function>"])
        else {
            return Err(format!(
                "the call's parameter `{key}` lacks a `</parameter>`"
            ));
        };
        let value = &after[..length];
        let value = match form {
            // The value stands on its tags' line; a model that puts it on lines of its own does so on both sides.
            CallForm::SeedTag => value
                .strip_prefix('\n')
                .and_then(|value| value.strip_suffix('\n'))
                .unwrap_or(value),
            // The value stands on lines of its own: one line break on each side belongs to the tags.
            _ => {
                let value = value.strip_prefix('\n').unwrap_or(value);
                value.strip_suffix('\n').unwrap_or(value)
            }
        };
        arguments.insert(key.to_owned(), Value::String(value.to_owned()));
        rest = &after[length + "</parameter>".len()..];
    }
}

/// Finds the tag that ends a value. One inside the value is not followed by another tag of the call.
fn value_length(text: &str, close: &str, next: &[&str]) -> Option<usize> {
    text.match_indices(close).find_map(|(at, close)| {
        let after = text[at + close.len()..].trim_start();
        let ends = after.is_empty() || next.iter().any(|tag| after.starts_with(tag));
        ends.then_some(at)
    })
}

/// Turns string arguments into what the tool's schema asks for: `"10"` into `10` where it wants an integer.
///
/// The XML form has only strings, and small models quote numbers in the others. A value is changed only when the
/// schema does not accept a string and does accept what the string says as JSON.
pub fn coerce(arguments: &mut Map<String, Value>, schema: &Value) {
    for (key, value) in arguments {
        let (Value::String(text), Some(kinds)) = (&*value, schema["properties"][key].get("type"))
        else {
            continue;
        };
        let accepts = |kind: &str| match kinds {
            Value::String(only) => only == kind,
            Value::Array(any) => any.iter().any(|one| one == kind),
            _ => false,
        };
        if accepts("string") {
            continue;
        }
        let text = text.trim();
        // Python's spellings come from models that were trained on its code.
        let parsed = match text {
            "True" => Ok(Value::Bool(true)),
            "False" => Ok(Value::Bool(false)),
            "None" => Ok(Value::Null),
            _ => serde_json::from_str::<Value>(text),
        };
        let Ok(parsed) = parsed else { continue };
        let fits = match &parsed {
            Value::Null => accepts("null"),
            Value::Bool(_) => accepts("boolean"),
            Value::Number(number) => accepts("number") || (accepts("integer") && !number.is_f64()),
            Value::Array(_) => accepts("array"),
            Value::Object(_) => accepts("object"),
            Value::String(_) => false,
        };
        if fits {
            *value = parsed;
        }
    }
}
