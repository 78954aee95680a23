//! The bodies of calls in the forms that name their tool outside of JSON, or have no JSON at all.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::grammar::{Writer, is_required, literal, object, with_definitions};
use super::known::quotes_a_file;
use crate::protocol::{CallForm, ToolSpec};

/// Marks inside of calls that are tokens of their own in some vocabularies and text in others.
pub(super) const MARKS: [&str; 12] = [
    "[ARGS]",
    "[CALL_ID]",
    "<|constrain|>",
    "<|message|>",
    "<|channel|>",
    "<｜tool▁sep｜>",
    "<arg_key>",
    "</arg_key>",
    "<arg_value>",
    "</arg_value>",
    "</tool_call>",
    "<|\"|>",
];

/// A part of a call that is the same each time.
#[derive(Clone, Copy)]
enum Part<'a> {
    Text(&'a str),
    /// One of [`MARKS`].
    Mark(&'static str),
}

use Part::{Mark, Text};

impl Writer<'_> {
    /// The rest of a call, from its tool's name on, in a form that is not JSON from there. `None` for one that is.
    pub(super) fn named(
        &mut self,
        form: CallForm,
        tool: &ToolSpec,
        schema: &Value,
    ) -> Option<String> {
        let name = tool.name.as_str();
        Some(match form {
            CallForm::ToolCallsArgs => {
                let alone = self.parts(&[Text(name), Mark("[ARGS]")]);
                let arguments = self.arguments(schema);
                // Some vocabularies of this form have no token for an id: their models write none.
                if self.special("[ARGS]").is_some() && self.special("[CALL_ID]").is_none() {
                    return Some(format!("{alone} {arguments}"));
                }
                let id = self.parts(&[Text(name), Mark("[CALL_ID]")]);
                let marks = self.parts(&[Mark("[ARGS]")]);
                format!("({alone} | {id} /[0-9a-zA-Z_-]{{1,40}}/ {marks}) {arguments}")
            }
            CallForm::Harmony => {
                let channel = ["commentary", "analysis"]
                    .map(|channel| self.parts(&[Mark("<|channel|>"), Text(channel)]));
                let kind = [
                    self.parts(&[Text(" "), Mark("<|constrain|>"), Text("json")]),
                    self.parts(&[Mark("<|constrain|>"), Text("json")]),
                    literal(" json"),
                ];
                let message = self.parts(&[Mark("<|message|>")]);
                let arguments = self.arguments(schema);
                format!(
                    "{} ({})? ({})? {message} {arguments}",
                    literal(name),
                    channel.join(" | "),
                    kind.join(" | ")
                )
            }
            CallForm::DeepSeek => {
                let head = self.parts(&[Text(name), Mark("<｜tool▁sep｜>")]);
                format!("{head} {}", self.arguments(schema))
            }
            CallForm::DeepSeekFence => {
                let begin = format!("{name}\n```json\n");
                let head = self.parts(&[Text("function"), Mark("<｜tool▁sep｜>"), Text(&begin)]);
                format!("{head} {} \"\\n```\"", self.arguments(schema))
            }
            CallForm::ArgKeys => self.pairs(name, schema),
            CallForm::Pythonic => {
                let fields = self.fields(schema, ", ", |writer, key, property| {
                    let value = writer.python(property, schema);
                    format!("{} {value}", literal(&format!("{key}=")))
                });
                format!("{} {fields} \")\"", literal(&format!("{name}(")))
            }
            CallForm::Braces => {
                let mut sorted = schema.clone();
                if let Some(Value::Object(properties)) = sorted.get_mut("properties")
                    && !quotes_a_file(&tool.schema)
                {
                    // The order that these models were trained on. Only where a file is quoted does another one
                    // matter more: which file it is has to be known first.
                    properties.sort_keys();
                }
                let fields = self.fields(&sorted, ",", |writer, key, property| {
                    let value = writer.braces(property, schema);
                    format!("{} {value}", literal(&format!("{key}:")))
                });
                format!("{} {fields} \"}}\"", literal(&format!("{name}{{")))
            }
            CallForm::JsonFence
            | CallForm::ToolCallTag
            | CallForm::FunctionTag
            | CallForm::SeedTag
            | CallForm::ToolCallsToken
            | CallForm::ToolCallToken
            | CallForm::BareJson => return None,
        })
    }

    /// Literals and tokens in a row. What is text on both sides of a border is one literal.
    fn parts(&self, parts: &[Part<'_>]) -> String {
        let mut out = String::new();
        let mut text = String::new();
        for part in parts {
            match part {
                Text(more) => text.push_str(more),
                Mark(mark) => match self.special(mark) {
                    Some(token) => {
                        if !text.is_empty() {
                            let _ = write!(out, "{} ", literal(&std::mem::take(&mut text)));
                        }
                        let _ = write!(out, "<[{token}]> ");
                    }
                    None => text.push_str(mark),
                },
            }
        }
        if !text.is_empty() {
            out.push_str(&literal(&text));
        }
        out.trim_end().to_owned()
    }

    /// Any text up to a mark, and the mark.
    fn text_until(&mut self, mark: &'static str) -> String {
        if let Some(token) = self.special(mark) {
            return format!("/(?s:.*)/ <[{token}]>");
        }
        let rule = self.rule("text");
        let _ = writeln!(self.rules, "{rule}[suffix={}]: /(?s:.*)/", literal(mark));
        rule
    }

    fn pairs(&mut self, name: &str, schema: &Value) -> String {
        let mut text = literal(&format!("{name}\n"));
        let none = Map::new();
        for (key, property) in object(schema, "properties").unwrap_or(&none) {
            let open = self.parts(&[
                Mark("<arg_key>"),
                Text(key),
                Mark("</arg_key>"),
                Text("\n"),
                Mark("<arg_value>"),
            ]);
            let value = if is_text(property) {
                self.text_until("</arg_value>")
            } else {
                let value = self.nest(with_definitions(property, schema));
                format!("{value} {}", self.parts(&[Mark("</arg_value>")]))
            };
            let item = format!("{open} {value} \"\\n\"");
            if is_required(schema, key) {
                let _ = write!(text, " {item}");
            } else {
                let _ = write!(text, " ({item})?");
            }
        }
        format!("{text} {}", self.parts(&[Mark("</tool_call>")]))
    }

    /// The arguments in the order of the schema, parted by commas; those that are not required may be left out.
    fn fields(
        &mut self,
        schema: &Value,
        comma: &str,
        mut field: impl FnMut(&mut Self, &str, &Value) -> String,
    ) -> String {
        let none = Map::new();
        let properties = object(schema, "properties").unwrap_or(&none);
        // What may follow the fields up to here: when there was none yet, and when there was one.
        let (mut first, mut next) = ("\"\"".to_owned(), "\"\"".to_owned());
        for (key, property) in properties.iter().rev() {
            let field = field(self, key, property);
            let comma = literal(comma);
            let (alone, following) = (self.rule("first"), self.rule("next"));
            let (skip_first, skip_next) = match is_required(schema, key) {
                true => (String::new(), String::new()),
                false => (format!(" | {first}"), format!(" | {next}")),
            };
            let _ = writeln!(self.rules, "{alone}: {field} {next}{skip_first}");
            let _ = writeln!(self.rules, "{following}: {comma} {field} {next}{skip_next}");
            (first, next) = (alone, following);
        }
        first
    }

    fn python(&mut self, property: &Value, schema: &Value) -> String {
        match property.get("type").and_then(Value::as_str) {
            Some("boolean") => "(\"True\" | \"False\")".to_owned(),
            _ => self.nest(with_definitions(property, schema)),
        }
    }

    fn braces(&mut self, property: &Value, schema: &Value) -> String {
        let kind = property.get("type").and_then(Value::as_str);
        if is_text(property) {
            return self.quoted_text();
        }
        match (kind, property.get("enum").and_then(Value::as_array)) {
            (Some("string"), Some(values)) => {
                let values: Vec<String> = values
                    .iter()
                    .filter_map(Value::as_str)
                    .map(|value| self.parts(&[Mark("<|\"|>"), Text(value), Mark("<|\"|>")]))
                    .collect();
                format!("({})", values.join(" | "))
            }
            (Some("number" | "integer" | "boolean" | "null"), _) => {
                self.nest(with_definitions(property, schema))
            }
            _ => self.any_braces(),
        }
    }

    fn quoted_text(&mut self) -> String {
        let open = self.parts(&[Mark("<|\"|>")]);
        format!("{open} {}", self.text_until("<|\"|>"))
    }

    fn any_braces(&mut self) -> String {
        let rule = self.rule("value");
        let text = self.quoted_text();
        let _ = writeln!(
            self.rules,
            "{rule}: {text} | /-?[0-9]{{1,20}}(\\.[0-9]{{1,20}})?/ | \"true\" | \"false\" | \"null\"\
             | \"[\" ({rule} (\",\" {rule})*)? \"]\"\
             | \"{{\" (/[A-Za-z0-9_-]{{1,64}}:/ {rule} (\",\" /[A-Za-z0-9_-]{{1,64}}:/ {rule})*)? \"}}\""
        );
        rule
    }
}

fn is_text(property: &Value) -> bool {
    property.get("type").and_then(Value::as_str) == Some("string") && property.get("enum").is_none()
}
