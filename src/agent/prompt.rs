//! The system text: what the model is told, in as few tokens as it takes.

use serde_json::Value;

use crate::protocol::{CallForm, ToolSpec};

/// Writes the system text for a repository and its tools. The same input gives the same bytes.
pub fn system_text(repository: &str, tools: &[ToolSpec], form: CallForm) -> String {
    let mut text = format!(
        "You are walden, a coding agent in the repository `{repository}`. You see and change its files only through \
         tools.\n\nTools:\n"
    );
    for tool in tools {
        text.push_str(&signature(tool));
        text.push('\n');
    }
    text.push_str(&format!(
        "\nTo use a tool, write one call and nothing after it:\n{}\n\nThe result comes back as a tool response. Rules:\n\
         - Read a file before you change it.\n\
         - To change part of a file call `edit`: `old` is copied exactly from the file, a few whole lines, `new` is \
         what stands there instead.\n\
         - Showing code in an answer changes nothing: only a call does.\n\
         - When the work is done, or no tool is needed, answer in a few words without a call.",
        example(form)
    ));
    text
}

/// Writes a tool as a one-line signature: `- read(path, from?: integer): Reads a file.`
fn signature(tool: &ToolSpec) -> String {
    let required: Vec<&str> = tool.schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = tool.schema["properties"].as_object();
    let arguments: Vec<String> = properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| {
            let optional = if required.contains(&name.as_str()) {
                ""
            } else {
                "?"
            };
            match schema["type"].as_str() {
                None | Some("string") => format!("{name}{optional}"),
                Some(kind) => format!("{name}{optional}: {kind}"),
            }
        })
        .collect();
    format!(
        "- {}({}): {}",
        tool.name,
        arguments.join(", "),
        tool.description
    )
}

/// Writes an example call in the model's own form.
fn example(form: CallForm) -> String {
    written_call(form, "read", r#"{"path": "src/main.py"}"#)
}

/// Writes a call the way a model of this form writes it.
pub(super) fn written_call(form: CallForm, name: &str, arguments: &str) -> String {
    match form {
        CallForm::JsonFence => {
            format!("```json\n{{\"name\": \"{name}\", \"arguments\": {arguments}}}\n```")
        }
        CallForm::ToolCallTag => {
            format!(
                "<tool_call>\n{{\"name\": \"{name}\", \"arguments\": {arguments}}}\n</tool_call>"
            )
        }
        CallForm::FunctionTag => {
            let arguments: serde_json::Map<String, Value> =
                serde_json::from_str(arguments).unwrap_or_default();
            let mut text = format!("<tool_call>\n<function={name}>\n");
            for (key, value) in &arguments {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                text.push_str(&format!("<parameter={key}>\n{value}\n</parameter>\n"));
            }
            text.push_str("</function>\n</tool_call>");
            text
        }
        CallForm::ToolCallsToken => {
            format!("[TOOL_CALLS][{{\"name\": \"{name}\", \"arguments\": {arguments}}}]")
        }
        CallForm::BareJson => format!("{{\"name\": \"{name}\", \"parameters\": {arguments}}}"),
    }
}
