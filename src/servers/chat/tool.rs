//! The tool as a client sees it.

use std::sync::Arc;

use rmcp::model::{JsonObject, MetaObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use super::ChatOptions;

/// Describes the tool.
pub(super) fn describe(options: &ChatOptions) -> Tool {
    let text = format!(
        "Send a message to local LLM (model: {}) and return the response",
        options.model
    );
    let annotations = ToolAnnotations::new()
        .read_only(true)
        .destructive(false)
        .open_world(false);
    let mut meta = MetaObject::new();
    meta.insert("walden/risk".to_owned(), "read".into());
    Tool::new(options.tool.clone(), text, input())
        .with_title("Ask the local model")
        .with_raw_output_schema(Arc::new(output()))
        .with_annotations(annotations)
        .with_meta(meta)
}

fn input() -> JsonObject {
    object(json!({
        "type": "object",
        "properties": {
            "text": {
                "type": "string",
                "description": "Text message to send (single user message)",
            },
            "messages": {
                "type": "array",
                "description": "Array of {role, content} messages for multi-turn conversation",
                "items": {
                    "type": "object",
                    "properties": {
                        "role": {"type": "string", "enum": ["system", "user", "assistant"]},
                        "content": {"type": "string"},
                    },
                },
            },
            "temperature": {
                "type": "number",
                "minimum": 0,
                "description": "Sampling temperature (0.0 = greedy)",
            },
            "max_tokens": {
                "type": "integer",
                "minimum": 1,
                "description": "Maximum tokens to generate",
            },
            "top_p": {
                "type": "number",
                "description": "Top-p (nucleus) sampling threshold",
            },
            "top_k": {
                "type": "integer",
                "description": "Top-k sampling (number of candidates)",
            },
            "prompt_suffix": {
                "type": "string",
                "description": "Suffix appended to the system prompt (e.g. \"/think\" for Qwen3)",
            },
        },
    }))
}

fn output() -> JsonObject {
    let count = |about: &str| json!({"type": "integer", "minimum": 0, "description": about});
    object(json!({
        "type": "object",
        "properties": {
            "answer": {"type": "string", "description": "What the model answered, without its thinking"},
            "thinking": {"type": "string", "description": "What it thought before, where it did"},
            "finish": {
                "type": "string",
                "enum": ["stop", "length"],
                "description": "Whether the model ended its answer, or ran out of tokens",
            },
            "usage": {
                "type": "object",
                "properties": {
                    "evaluated": count("Tokens of the prompt that were evaluated"),
                    "reused": count("Tokens of the prompt that were known from earlier calls"),
                    "generated": count("Tokens that were written"),
                },
                "required": ["evaluated", "reused", "generated"],
            },
        },
        "required": ["answer", "finish", "usage"],
    }))
}

fn object(schema: Value) -> JsonObject {
    match schema {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    }
}
