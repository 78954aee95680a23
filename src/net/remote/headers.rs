//! The headers that tell, since 2026-07-28, what a request is without reading its body: `Mcp-Method`, `Mcp-Name`, and
//! one for each argument that a tool's schema marks with `x-mcp-header`.

use base64::Engine as _;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::HeaderMap;
use serde_json::{Map, Value};

/// The keyword that marks an argument.
const MARK: &str = "x-mcp-header";

/// The first revision that has these headers.
pub(super) const SINCE: &str = "2026-07-28";

/// The most arguments that become headers, and the longest value, in bytes: servers limit a request's head.
const MOST: usize = 64;
const LONGEST: usize = 4_096;

/// An argument that becomes a header: where it is, and the header's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marked {
    path: Vec<String>,
    header: HeaderName,
}

/// Finds the marked arguments of a tool.
///
/// # Errors
/// When a mark is none that the protocol allows: such a tool must not be used.
pub(super) fn marks(schema: &Value) -> Result<Vec<Marked>, String> {
    let mut marks = Vec::new();
    let Some(schema) = schema.as_object() else {
        return Ok(marks);
    };
    if schema.contains_key(MARK) {
        return Err("it marks no argument but all of them".to_owned());
    }
    walk(schema, &mut Vec::new(), &mut marks)?;
    let mut names: Vec<&str> = marks.iter().map(|mark| mark.header.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("it gives two arguments one header".to_owned());
    }
    if marks.len() > MOST {
        return Err(format!("it marks more than {MOST} arguments"));
    }
    Ok(marks)
}

/// Looks at a schema whose properties are reached from the root by properties alone.
fn walk(
    schema: &Map<String, Value>,
    path: &mut Vec<String>,
    marks: &mut Vec<Marked>,
) -> Result<(), String> {
    for (key, value) in schema {
        match key.as_str() {
            "properties" => {
                for (name, property) in value.as_object().into_iter().flatten() {
                    path.push(name.clone());
                    if let Some(mark) = property.get(MARK) {
                        marks.push(Marked {
                            path: path.clone(),
                            header: header_of(name, property, mark)?,
                        });
                    }
                    if let Some(property) = property.as_object() {
                        walk(property, path, marks)?;
                    }
                    path.pop();
                }
            }
            MARK | "default" | "const" | "enum" | "examples" => {}
            _ if is_marked(value) => {
                return Err(format!("it marks an argument below `{key}`"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn header_of(name: &str, property: &Value, mark: &Value) -> Result<HeaderName, String> {
    let text = mark
        .as_str()
        .filter(|text| !text.is_empty())
        .ok_or_else(|| format!("the mark of `{name}` is no text"))?;
    match property.get("type").and_then(Value::as_str) {
        Some("string" | "integer" | "boolean") => {}
        _ => {
            return Err(format!(
                "the marked argument `{name}` is no string, integer or boolean"
            ));
        }
    }
    HeaderName::from_bytes(format!("mcp-param-{text}").as_bytes())
        .map_err(|_| format!("the mark of `{name}` is no name of a header"))
}

/// Returns whether there is a mark anywhere in a schema. Data is no schema.
fn is_marked(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| {
            key == MARK
                || (!matches!(key.as_str(), "default" | "const" | "enum" | "examples")
                    && is_marked(value))
        }),
        Value::Array(items) => items.iter().any(is_marked),
        _ => false,
    }
}

/// Returns the headers of a message.
pub(super) fn headers(message: &Value, marks: &[Marked]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(method) = message["method"].as_str() else {
        return headers;
    };
    let mut put = |name: HeaderName, text: &str| {
        if text.len() <= LONGEST
            && let Ok(value) = HeaderValue::from_str(&encode(text))
        {
            headers.insert(name, value);
        }
    };
    put(HeaderName::from_static("mcp-method"), method);
    let params = &message["params"];
    let named = match method {
        "tools/call" | "prompts/get" => params["name"].as_str(),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
            params["uri"].as_str()
        }
        "tasks/get" | "tasks/update" | "tasks/cancel" => params["taskId"].as_str(),
        _ => None,
    };
    if let Some(named) = named {
        put(HeaderName::from_static("mcp-name"), named);
    }
    for mark in marks {
        let value = mark
            .path
            .iter()
            .try_fold(&params["arguments"], |value, key| value.get(key));
        match value {
            Some(Value::String(text)) => put(mark.header.clone(), text),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => {
                put(mark.header.clone(), &value.to_string());
            }
            _ => {}
        }
    }
    headers
}

/// Encodes what is no plain header value.
fn encode(text: &str) -> String {
    let outer_space = text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
    let plain = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    let looks_encoded = text.starts_with("=?base64?") && text.ends_with("?=");
    match plain && !outer_space && !looks_encoded {
        true => text.to_owned(),
        false => {
            let encoded = base64::engine::general_purpose::STANDARD.encode(text);
            format!("=?base64?{encoded}?=")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(message: &Value, schema: &Value) -> Vec<String> {
        let marks = marks(schema).expect("allowed marks");
        headers(message, &marks)
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
            .collect()
    }

    #[test]
    fn a_request_says_in_its_head_what_it_is() {
        let schema = json!({"properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"properties": {"count": {"type": "integer", "x-mcp-header": "Count"}}},
            "other": {"type": "string"},
        }});
        let call = |arguments: Value| json!({"method": "tools/call", "params": {"name": "t", "arguments": arguments}});
        assert_eq!(
            shown(
                &call(json!({"region": "eu", "deep": {"count": 3}, "other": "x"})),
                &schema
            ),
            [
                "mcp-method: tools/call",
                "mcp-name: t",
                "mcp-param-region: eu",
                "mcp-param-count: 3"
            ]
        );
        assert_eq!(
            shown(
                &call(json!({"region": "Zürich", "deep": {"count": null}})),
                &schema
            )[2..],
            ["mcp-param-region: =?base64?WsO8cmljaA==?="]
        );
        assert_eq!(
            shown(&call(json!({"region": " x"})), &schema)[2..],
            ["mcp-param-region: =?base64?IHg=?="]
        );
        assert_eq!(
            shown(&call(json!({"region": "a\r\nevil: b"})), &schema)[2..],
            ["mcp-param-region: =?base64?YQ0KZXZpbDogYg==?="],
            "an argument makes no header of its own"
        );
        assert_eq!(
            shown(
                &json!({"method": "resources/read", "params": {"uri": "a:b"}}),
                &json!({})
            ),
            ["mcp-method: resources/read", "mcp-name: a:b"]
        );
    }

    #[test]
    fn a_tool_with_marks_that_are_not_allowed_is_told() {
        let one = |property: Value| marks(&json!({"properties": {"a": property}}));
        assert!(one(json!({"type": "string", "x-mcp-header": "A"})).is_ok());
        for bad in [
            json!({"type": "string", "x-mcp-header": ""}),
            json!({"type": "string", "x-mcp-header": 3}),
            json!({"type": "string", "x-mcp-header": "a b"}),
            json!({"type": "string", "x-mcp-header": "a:b"}),
            json!({"type": "string", "x-mcp-header": "Région"}),
            json!({"type": "string", "x-mcp-header": "a\tb"}),
            json!({"type": "object", "x-mcp-header": "A"}),
            json!({"type": "array", "items": {}, "x-mcp-header": "A"}),
            json!({"type": "number", "x-mcp-header": "A"}),
            json!({"x-mcp-header": "A"}),
            json!({"type": "array", "items": {"type": "string", "x-mcp-header": "A"}}),
        ] {
            assert!(one(bad.clone()).is_err(), "{bad} is allowed");
        }
        assert!(
            marks(&json!({"properties": {
                "a": {"type": "string", "x-mcp-header": "Name"},
                "b": {"type": "string", "x-mcp-header": "name"},
            }}))
            .is_err()
        );
        assert!(marks(&json!({"x-mcp-header": "A"})).is_err());
        assert!(one(json!({"type": "object", "default": {"x-mcp-header": 1}})).is_ok());
    }
}
