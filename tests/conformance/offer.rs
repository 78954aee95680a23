//! What the server has: the tools, prompts and resources that the suite's scenarios name.

use serde_json::{Value, json};

/// A picture of one red point.
pub(crate) const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// A sound without a sample.
pub(crate) const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";

/// Tools that take nothing, by name and description.
const PLAIN: &[(&str, &str)] = &[
    ("test_simple_text", "Returns a text."),
    ("test_image_content", "Returns an image."),
    ("test_audio_content", "Returns a sound."),
    ("test_embedded_resource", "Returns a resource."),
    (
        "test_multiple_content_types",
        "Returns a text, an image and a resource.",
    ),
    ("test_error_handling", "Fails."),
    ("test_tool_with_logging", "Logs three messages."),
    (
        "test_logging_tool",
        "Logs a message where the request asks for messages.",
    ),
    (
        "test_tool_with_progress",
        "Tells three times how far it is.",
    ),
    (
        "test_elicitation_sep1034_defaults",
        "Asks with a form that has defaults.",
    ),
    (
        "test_elicitation_sep1330_enums",
        "Asks with a form of choices.",
    ),
    (
        "test_missing_capability",
        "Needs a client that lends its model.",
    ),
    ("test_streaming_elicitation", "Asks in a stream."),
    ("test_trigger_tool_change", "Tells that the tools changed."),
    (
        "test_trigger_prompt_change",
        "Tells that the prompts changed.",
    ),
    (
        "test_input_required_result_elicitation",
        "Asks for a name and greets.",
    ),
    (
        "test_input_required_result_sampling",
        "Asks the client's model.",
    ),
    (
        "test_input_required_result_list_roots",
        "Asks for the roots.",
    ),
    (
        "test_input_required_result_request_state",
        "Asks, and keeps a state with the client.",
    ),
    (
        "test_input_required_result_multiple_inputs",
        "Asks three things at once.",
    ),
    (
        "test_input_required_result_multi_round",
        "Asks twice, one after the other.",
    ),
    (
        "test_input_required_result_tampered_state",
        "Keeps a state with the client that nobody may change.",
    ),
    (
        "test_input_required_result_capabilities",
        "Asks what the client can be asked.",
    ),
];

/// All tools, as they are listed.
pub(crate) fn tools() -> Value {
    let mut tools: Vec<Value> = PLAIN
        .iter()
        .map(|(name, description)| {
            let schema = json!({"type": "object", "properties": {}});
            json!({"name": name, "description": description, "inputSchema": schema})
        })
        .collect();
    for (name, description, argument) in [
        ("test_sampling", "Asks the client's model.", "prompt"),
        ("test_elicitation", "Asks the user.", "message"),
    ] {
        let schema = json!({
            "type": "object",
            "properties": {argument: {"type": "string"}},
            "required": [argument],
        });
        tools.push(json!({"name": name, "description": description, "inputSchema": schema}));
    }
    tools.push(json!({
        "name": "json_schema_2020_12_tool",
        "description": "Tool with JSON Schema 2020-12 features",
        "inputSchema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "$defs": {"address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            }},
            "properties": {
                "name": {"type": "string"},
                "address": {"$ref": "#/$defs/address"},
                "contactMethod": {"type": "string", "enum": ["phone", "email"]},
                "phone": {"type": "string"},
                "email": {"type": "string"},
            },
            "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
            "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
            "then": {"required": ["phone"]},
            "else": {"required": ["email"]},
            "additionalProperties": false,
        },
    }));
    json!({"tools": tools})
}

/// The form with a default in each field.
pub(crate) fn form_with_defaults() -> Value {
    json!({"type": "object", "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": true},
    }, "required": []})
}

/// The form with each kind of choice.
pub(crate) fn form_of_choices() -> Value {
    let titled = |words: [&str; 3]| -> Vec<Value> {
        let named = words.iter().enumerate();
        named
            .map(|(at, title)| json!({"const": format!("value{}", at + 1), "title": title}))
            .collect()
    };
    let plain = json!(["option1", "option2", "option3"]);
    json!({"type": "object", "properties": {
        "untitledSingle": {"type": "string", "enum": plain},
        "titledSingle": {"type": "string", "oneOf": titled(["First Option", "Second Option", "Third Option"])},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled(["First Choice", "Second Choice", "Third Choice"])}},
    }, "required": []})
}

/// All prompts, as they are listed.
pub(crate) fn prompts() -> Value {
    let argument =
        |name: &str| json!({"name": name, "description": "An argument", "required": true});
    json!({"prompts": [
        {"name": "test_simple_prompt", "description": "A text."},
        {
            "name": "test_prompt_with_arguments",
            "description": "A text with two arguments.",
            "arguments": [argument("arg1"), argument("arg2")],
        },
        {
            "name": "test_prompt_with_embedded_resource",
            "description": "A resource.",
            "arguments": [argument("resourceUri")],
        },
        {"name": "test_prompt_with_image", "description": "An image."},
        {"name": "test_input_required_result_prompt", "description": "Asks before it is written."},
    ]})
}

/// A prompt's messages, each of the user's.
pub(crate) fn messages(contents: &[Value]) -> Value {
    let message = |content: &Value| json!({"role": "user", "content": content});
    json!({"messages": contents.iter().map(message).collect::<Vec<_>>()})
}

/// All resources, as they are listed.
pub(crate) fn resources() -> Value {
    json!({"resources": [
        {"uri": "test://static-text", "name": "text", "description": "A text.", "mimeType": "text/plain"},
        {"uri": "test://static-binary", "name": "picture", "description": "A picture.", "mimeType": "image/png"},
        {"uri": "test://watched-resource", "name": "watched", "description": "A text.", "mimeType": "text/plain"},
    ]})
}

/// All templates of resources, as they are listed.
pub(crate) fn templates() -> Value {
    json!({"resourceTemplates": [{
        "uriTemplate": "test://template/{id}/data",
        "name": "data",
        "description": "Data of an id.",
        "mimeType": "application/json",
    }]})
}

/// What a resource holds, where there is one.
pub(crate) fn resource(uri: &str) -> Option<Value> {
    let id = uri
        .strip_prefix("test://template/")
        .and_then(|rest| rest.strip_suffix("/data"));
    let contents = match (uri, id) {
        ("test://static-text" | "test://watched-resource", _) => {
            let text = "This is the content of the static text resource.";
            json!({"uri": uri, "mimeType": "text/plain", "text": text})
        }
        ("test://static-binary", _) => json!({"uri": uri, "mimeType": "image/png", "blob": PNG}),
        (_, Some(id)) => {
            let data =
                json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            json!({"uri": uri, "mimeType": "application/json", "text": data.to_string()})
        }
        _ => return None,
    };
    Some(json!({"contents": [contents]}))
}
