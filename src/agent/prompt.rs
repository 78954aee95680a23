//! The system text: what the model is told, in as few tokens as it takes.

use serde_json::Value;

use crate::protocol::{CallForm, ToolList, ToolSpec};

/// Writes the system text for a repository and its tools. The same input gives the same bytes.
///
/// A model that is told of its tools by its own template is not told twice.
pub fn system_text(
    repository: &str,
    tools: &[ToolSpec],
    form: CallForm,
    listed: ToolList,
) -> String {
    let mut text = format!(
        "You are walden, a coding agent in the repository `{repository}`. You see and change its files only through \
         tools.\n\n"
    );
    match listed {
        ToolList::Text => {
            text.push_str("Tools:\n");
            for tool in tools.iter().filter(|tool| super::finding::is_listed(tool)) {
                text.push_str(&signature(tool));
                text.push('\n');
            }
            text.push_str(&format!(
                "\nTo use a tool, write one call and nothing after it:\n{}\n\nThe result comes back as a tool \
                 response. Rules:\n",
                form.write("read", r#"{"path": "src/main.py"}"#)
            ));
        }
        ToolList::Template => text.push_str("Call one tool at a time. Rules:\n"),
    }
    text.push_str(
        "- Read a file before you change it.\n\
         - To change part of a file call `edit`: `old` is copied exactly from the file, a few whole lines, `new` is \
         what stands there instead.\n\
         - Showing code in an answer changes nothing: only a call does.\n\
         - When the work is done, or no tool is needed, answer in a few words without a call.",
    );
    text
}

/// The longest description of a third-party tool on its line, in characters.
const SHORT: usize = 90;

/// Writes a third-party tool on one line, with the beginning of what its server says about it.
pub(super) fn short_signature(tool: &ToolSpec) -> String {
    let line = tool
        .description
        .lines()
        .find(|line| !line.trim().is_empty());
    let line = line.unwrap_or_default().trim();
    let sentence = line.find(". ").map_or(line, |end| &line[..=end]);
    let mut description: String = sentence.chars().take(SHORT).collect();
    if description.len() < sentence.len() {
        description.push('…');
    }
    format!("- {}: {description}", call(tool))
}

/// Writes a third-party tool as the model is told of it.
pub fn told_as(tool: &ToolSpec) -> String {
    short_signature(tool)
}

/// Writes a third-party tool with all that its server says about it and its arguments.
pub(super) fn long_signature(tool: &ToolSpec) -> String {
    let mut text = format!("- {}: {}", call(tool), tool.description.trim());
    for (name, schema) in tool.schema["properties"].as_object().into_iter().flatten() {
        let description = schema["description"].as_str().unwrap_or_default();
        let choices = match &schema["enum"] {
            Value::Array(choices) => format!(" one of {}", Value::from(choices.clone())),
            _ => String::new(),
        };
        if !(description.is_empty() && choices.is_empty()) {
            let description: String = description.chars().take(200).collect();
            text.push_str(&format!("\n  {name}:{choices} {description}"));
        }
    }
    text
}

/// Writes a tool as a one-line signature: `- read(path, from?: integer): Reads a file.`
fn signature(tool: &ToolSpec) -> String {
    format!("- {}: {}", call(tool), tool.description)
}

/// Writes how a tool is called: `read(path, from?: integer)`.
fn call(tool: &ToolSpec) -> String {
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
    format!("{}({})", tool.name, arguments.join(", "))
}
