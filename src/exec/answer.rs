//! The form that an answer is to have: any JSON Schema, as `--output-schema` gives it.

use serde_json::{Map, Value, json};

use crate::error::UserError;
use crate::model::constraint;

/// The key of an answer that is no object: a call's arguments are one.
const KEY: &str = "answer";

/// The form of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerForm {
    /// The schema as an object schema.
    schema: Value,
    /// The answer is not the object itself, but what stands in it.
    wrapped: bool,
}

impl AnswerForm {
    /// Reads a schema.
    ///
    /// # Errors
    /// When the text is no JSON, or neither an object nor `true`.
    pub fn read(text: &str) -> Result<Self, UserError> {
        let schema: Value = serde_json::from_str(text)
            .map_err(|error| UserError::usage(format!("the output schema is no JSON: {error}")))?;
        match schema {
            Value::Object(map) => Ok(Self::of(map)),
            Value::Bool(true) => Ok(Self::of(Map::new())),
            _ => Err(
                UserError::usage("the output schema is no schema that anything fits")
                    .hint("a JSON Schema is an object, such as {\"type\": \"object\", …}"),
            ),
        }
    }

    fn of(map: Map<String, Value>) -> Self {
        let is_object = match map.get("type") {
            Some(kind) => kind == "object",
            None => map.contains_key("properties"),
        };
        let schema = Value::Object(map);
        if is_object {
            return Self {
                schema,
                wrapped: false,
            };
        }
        Self {
            schema: json!({
                "type": "object",
                "properties": {KEY: moved(schema)},
                "required": [KEY],
                "additionalProperties": false,
            }),
            wrapped: true,
        }
    }

    /// Returns the schema of an object that holds the answer.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Takes the answer out of the object that holds it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take(&self, given: &Value) -> Result<Value, String> {
        let Value::Object(map) = given else {
            return Err("it is no object".to_owned());
        };
        constraint::check(&self.schema, map)?;
        Ok(match self.wrapped {
            true => map.get(KEY).cloned().unwrap_or(Value::Null),
            false => given.clone(),
        })
    }
}

/// Rewrites the references of a schema that is moved into another one. A schema with an address of its own is left
/// alone: its references start from there.
fn moved(mut schema: Value) -> Value {
    if schema.get("$id").is_none() {
        refer(&mut schema);
    }
    schema
}

fn refer(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(refer),
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(target) if key == "$ref" => {
                        let inner = target.strip_prefix('#');
                        if let Some(inner) = inner
                            .filter(|inner| inner.is_empty() || inner.starts_with('/'))
                            .map(str::to_owned)
                        {
                            *target = format!("#/properties/{KEY}{inner}");
                        }
                    }
                    // Values, not schemas.
                    _ if matches!(key.as_str(), "enum" | "const" | "default" | "examples") => {}
                    value => refer(value),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_the_answer_itself() {
        let form = AnswerForm::read(r#"{"type": "object", "required": ["a"]}"#).unwrap();
        assert_eq!(form.take(&json!({"a": 1})), Ok(json!({"a": 1})));
        assert!(form.take(&json!({"b": 1})).is_err());
    }

    #[test]
    fn anything_else_is_taken_out_of_the_object_that_carries_it() {
        let list = r##"{"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}}}"##;
        let form = AnswerForm::read(list).unwrap();
        assert_eq!(form.take(&json!({"answer": [1, 2]})), Ok(json!([1, 2])));
        assert!(
            form.take(&json!({"answer": ["x"]})).is_err(),
            "the reference holds"
        );
        assert!(form.take(&json!({})).is_err());
        let tree = r##"{"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#"}}]}"##;
        let form = AnswerForm::read(tree).unwrap();
        assert_eq!(
            form.take(&json!({"answer": [null, [null]]})),
            Ok(json!([null, [null]]))
        );
        assert!(form.take(&json!({"answer": [[1]]})).is_err());
    }

    #[test]
    fn what_is_no_schema_is_a_mistake_of_the_command_line() {
        for text in ["", "3", "false", "[1]", "{"] {
            assert!(AnswerForm::read(text).is_err(), "{text}");
        }
        assert!(AnswerForm::read("true").is_ok());
    }
}
