//! The one conversion between rmcp's types and the vocabulary.

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ContentBlock, JsonObject, RequestMetaObject, Tool,
};
use serde_json::{Value, json};

use super::config::Definition;
use super::host::{Purpose, Reply, Trust};
use super::log::Log;
use super::{META_EXPECT, META_PART, META_PREVIEW, META_RISK, META_TRIAL};
use crate::protocol::{
    AllowedPart, FileChange, Hash, KNOWN_KEYWORD, Outcome, Risk, ToolCall, ToolSpec, clip,
};

/// The most text of one result that is kept, in bytes.
const RESULT_LIMIT: usize = 64 * 1024;

/// Converts a listed tool. Only a built-in server's own rating of its tools is believed.
pub(super) fn tool(server: &str, trust: Trust, tool: &Tool) -> ToolSpec {
    let meta = |key: &str| match trust {
        Trust::BuiltIn => tool.meta.as_ref().and_then(|meta| meta.0.get(key)),
    };
    let risk = meta(META_RISK)
        .and_then(|risk| serde_json::from_value(risk.clone()).ok())
        .unwrap_or(Risk::Foreign);
    let mut schema = Value::Object((*tool.input_schema).clone());
    if trust != Trust::BuiltIn {
        unmark(&mut schema);
    }
    ToolSpec {
        server: server.to_owned(),
        name: tool.name.to_string(),
        tool: tool.name.to_string(),
        description: clip(tool.description.as_deref().unwrap_or_default(), 1_000),
        schema,
        risk,
        previews: meta(META_PREVIEW).and_then(Value::as_bool).unwrap_or(false),
    }
}

/// The longest name that a model is given for a tool.
const NAME: usize = 64;

/// Converts the listed tools of a third-party server: those that its configuration takes, each under a name that
/// begins with the user's name for the server, so that none can pass for another's.
pub(super) fn foreign(definition: &Definition, tools: &[Value], log: &Log) -> Vec<ToolSpec> {
    let mut specs: Vec<ToolSpec> = Vec::new();
    for tool in tools {
        let Some(own) = tool["name"].as_str() else {
            continue;
        };
        if !definition.toolset.takes(own) {
            continue;
        }
        let name: String = format!("{}__{own}", definition.name)
            .chars()
            .map(|c| match c {
                c if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') => c,
                _ => '_',
            })
            .collect();
        let likeness = super::config::skeleton(&name);
        let twin = specs
            .iter()
            .find(|known| super::config::skeleton(&known.name) == likeness);
        if let Some(twin) = twin {
            log.note(&format!(
                "left out: the tool `{own}`, whose name could be taken for `{}`",
                twin.tool
            ));
            continue;
        }
        if name.len() > NAME {
            log.note(&format!(
                "left out: the tool `{own}`: its name is too long beside the server's"
            ));
            continue;
        }
        let mut schema = tool["inputSchema"].clone();
        unmark(&mut schema);
        let described = tool["description"]
            .as_str()
            .or_else(|| tool["title"].as_str());
        specs.push(ToolSpec {
            server: definition.name.clone(),
            name,
            tool: own.to_owned(),
            // The model reads it with nothing hidden in it: what the user saw is what it sees.
            description: clip(
                &crate::protocol::sanitize(described.unwrap_or_default()),
                1_000,
            ),
            schema,
            risk: Risk::Foreign,
            previews: false,
        });
    }
    specs
}

/// Converts a third-party server's result: the text for the model, and what is no text by its name. Structured content
/// that only repeats the text is not given twice.
pub(super) fn foreign_reply(result: &Value) -> Outcome {
    let mut texts: Vec<String> = Vec::new();
    for block in result["content"].as_array().into_iter().flatten() {
        texts.push(content(block));
    }
    if texts.is_empty() && !result["structuredContent"].is_null() {
        texts.push(result["structuredContent"].to_string());
    }
    if texts.is_empty() {
        texts.push("(the tool returned nothing)".to_owned());
    }
    let text = clip(&texts.join("\n"), RESULT_LIMIT);
    match result["isError"].as_bool() {
        Some(true) => Outcome::Failed { text },
        _ => Outcome::Done { text },
    }
}

/// Writes one block of content as a text.
pub(super) fn content(block: &Value) -> String {
    let word = |key: &str| super::text::short(block[key].as_str().unwrap_or("?"), 300);
    let size = |data: &Value| data.as_str().unwrap_or_default().len() * 3 / 4 / 1024;
    match block["type"].as_str() {
        Some("text") => block["text"].as_str().unwrap_or_default().to_owned(),
        Some(kind @ ("image" | "audio")) => format!(
            "[{kind}, {}, {} KiB, not shown to the model]",
            word("mimeType"),
            size(&block["data"])
        ),
        Some("resource_link") => format!("[resource {}: {}]", word("uri"), word("name")),
        Some("resource") => resource(&block["resource"]),
        _ => "[content of an unknown kind]".to_owned(),
    }
}

/// Writes the contents of a resource as a text.
pub(super) fn resource(resource: &Value) -> String {
    let uri = super::text::short(resource["uri"].as_str().unwrap_or("?"), 300);
    match (resource["text"].as_str(), resource["blob"].as_str()) {
        (Some(text), _) => format!("[resource {uri}]\n{text}"),
        (None, Some(blob)) => format!(
            "[resource {uri}, {}, {} KiB, not shown to the model]",
            super::text::short(resource["mimeType"].as_str().unwrap_or("no type"), 60),
            blob.len() * 3 / 4 / 1024
        ),
        (None, None) => format!("[resource {uri}, empty]"),
    }
}

/// Takes out the keyword with which a built-in tool says what an argument names: what it means is this program's, and
/// no other server's, to say.
fn unmark(schema: &mut Value) {
    match schema {
        Value::Object(schema) => {
            schema.remove(KNOWN_KEYWORD);
            schema.values_mut().for_each(unmark);
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(unmark),
        _ => {}
    }
}

/// Converts a call.
pub(super) fn request(call: &ToolCall, purpose: &Purpose) -> CallToolRequestParams {
    let mut params =
        CallToolRequestParams::new(call.tool.clone()).with_arguments(call.arguments.clone());
    let expect = |change: &FileChange| (META_EXPECT, expected(change));
    let allowed = |shown: &Option<Hash>, part: &AllowedPart| {
        let allowed = json!({"planned": shown, "passages": part});
        (META_PART, allowed)
    };
    let meta: Vec<(&str, Value)> = match purpose {
        Purpose::Preview => vec![(META_PREVIEW, json!(true))],
        Purpose::Run => Vec::new(),
        Purpose::Try(edit) => vec![(
            META_TRIAL,
            json!({"tool": edit.tool, "arguments": edit.arguments}),
        )],
        Purpose::RunAsShown(change) => vec![expect(change)],
        Purpose::PreviewPart { shown, part } => {
            vec![(META_PREVIEW, json!(true)), allowed(shown, part)]
        }
        Purpose::RunPart {
            shown,
            part,
            change,
        } => vec![expect(change), allowed(shown, part)],
    };
    if !meta.is_empty() {
        let mut object = RequestMetaObject::new();
        let meta = meta.into_iter().map(|(key, value)| (key.to_owned(), value));
        object.0.0 = JsonObject::from_iter(meta);
        params.meta = Some(object);
    }
    params
}

/// Says what was shown: of the file, and of the others that are changed with it.
fn expected(change: &FileChange) -> Value {
    let mut shown = json!({"base": change.base, "after": change.after});
    if let Some(modes) = change.modes {
        shown["modes"] = json!(modes);
    }
    if !change.others.is_empty() {
        let others = change
            .others
            .iter()
            .map(|other| json!({"path": other.path, "base": other.base, "after": other.after}));
        shown["others"] = others.collect();
    }
    shown
}

/// Converts a result. The text goes to the model; what is no text is named, so that nothing vanishes silently.
pub(super) fn reply(result: &CallToolResult) -> Reply {
    let mut texts: Vec<String> = Vec::new();
    for block in &result.content {
        texts.push(match block {
            ContentBlock::Text(text) => text.text.clone(),
            ContentBlock::Image(image) => {
                format!("[image, {}, not shown to the model]", image.mime_type)
            }
            ContentBlock::Audio(audio) => {
                format!("[audio, {}, not shown to the model]", audio.mime_type)
            }
            ContentBlock::Resource(_) => "[embedded resource, not shown to the model]".to_owned(),
            ContentBlock::ResourceLink(link) => format!("[resource {}]", link.uri),
            _ => "[content of an unknown kind]".to_owned(),
        });
    }
    let change: Option<FileChange> = result
        .structured_content
        .as_ref()
        .and_then(|value| serde_json::from_value(value.clone()).ok());
    let check = result
        .structured_content
        .as_ref()
        .and_then(|value| serde_json::from_value(value.get("check")?.clone()).ok());
    if texts.is_empty() {
        texts.extend(result.structured_content.as_ref().map(Value::to_string));
    }
    let text = clip(&texts.join("\n"), RESULT_LIMIT);
    match result.is_error {
        Some(true) => Reply {
            outcome: Outcome::Failed { text },
            change: None,
            check: None,
        },
        _ => Reply {
            outcome: Outcome::Done { text },
            change,
            check,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_own_marks_are_taken_out_at_any_depth() {
        let mut schema = json!({
            "properties": {"path": {"type": "string", "x-walden-known": "file"}},
            "anyOf": [{"items": {"x-walden-known": "ref"}}],
        });
        unmark(&mut schema);
        assert_eq!(
            schema,
            json!({"properties": {"path": {"type": "string"}}, "anyOf": [{"items": {}}]})
        );
    }
}
