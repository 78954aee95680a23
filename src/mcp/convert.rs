//! The one conversion between rmcp's types and the vocabulary.

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ContentBlock, JsonObject, RequestMetaObject, Tool,
};
use serde_json::{Value, json};

use super::host::{Purpose, Reply, Trust};
use super::{META_EXPECT, META_PREVIEW, META_RISK, META_TRIAL};
use crate::protocol::{FileChange, KNOWN_KEYWORD, Outcome, Risk, ToolCall, ToolSpec, clip};

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
    let meta: Option<(&str, Value)> = match purpose {
        Purpose::Preview => Some((META_PREVIEW, json!(true))),
        Purpose::Run => None,
        Purpose::Try(edit) => Some((
            META_TRIAL,
            json!({"tool": edit.tool, "arguments": edit.arguments}),
        )),
        Purpose::RunAsShown(change) => Some((META_EXPECT, expected(change))),
    };
    if let Some((key, value)) = meta {
        let mut object = RequestMetaObject::new();
        object.0.0 = JsonObject::from_iter([(key.to_owned(), value)]);
        params.meta = Some(object);
    }
    params
}

/// Says what was shown: of the file, and of the others that are changed with it.
fn expected(change: &FileChange) -> Value {
    let mut shown = json!({"base": change.base, "after": change.after});
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
