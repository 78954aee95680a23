//! What an argument looks like: the one table behind a tool's schemas and behind the check of a call.

use serde_json::{Value, json};

/// The form of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Text,
    Flag,
    /// A whole number from 0.
    Count,
    List(&'static Shape),
    Object(&'static [Field]),
}

/// A named value of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) description: Option<&'static str>,
    pub(super) required: bool,
    /// What it names, so that a model is held to what is there.
    pub(super) known: Option<&'static str>,
}

/// Makes a field that must be there.
pub(super) const fn field(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        shape,
        description: None,
        required: true,
        known: None,
    }
}

impl Field {
    /// Says what it is for.
    pub(super) const fn saying(self, description: &'static str) -> Self {
        Self {
            description: Some(description),
            ..self
        }
    }

    /// Says that it names something there is.
    pub(super) const fn naming(self, known: &'static str) -> Self {
        Self {
            known: Some(known),
            ..self
        }
    }

    /// Lets it be left out.
    pub(super) const fn optional(self) -> Self {
        Self {
            required: false,
            ..self
        }
    }
}

/// Whether an object may hold more than its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    Ignored,
    Forbidden,
}

impl Shape {
    /// Writes it as a JSON Schema.
    pub(super) fn schema(self, extra: Extra) -> Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Count => json!({ "type": "integer", "minimum": 0 }),
            Self::List(item) => json!({ "type": "array", "items": item.schema(extra) }),
            Self::Object(fields) => object_schema(fields, extra),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Flag => "boolean",
            Self::Count => "number",
            Self::List(_) => "array",
            Self::Object(_) => "object",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Flag => value.is_boolean(),
            Self::Count => value.is_u64(),
            Self::List(_) => value.is_array(),
            Self::Object(_) => value.is_object(),
        }
    }

    /// Says what is wrong with a value, in the words of the reference server.
    pub(super) fn check(self, value: Option<&Value>, path: &str, problems: &mut Vec<String>) {
        let Some(value) = value.filter(|value| self.fits(value)) else {
            problems.push(format!(
                "Invalid input: expected {}, received {} at {path}",
                self.name(),
                kind_of(value)
            ));
            return;
        };
        match self {
            Self::Text | Self::Flag | Self::Count => {}
            Self::List(item) => {
                for (at, value) in value.as_array().into_iter().flatten().enumerate() {
                    item.check(Some(value), &format!("{path}[{at}]"), problems);
                }
            }
            Self::Object(fields) => {
                for field in fields {
                    let value = value.get(field.name);
                    let path = match path {
                        "" => field.name.to_owned(),
                        path => format!("{path}.{}", field.name),
                    };
                    if field.required || value.is_some_and(|value| !value.is_null()) {
                        field.shape.check(value, &path, problems);
                    }
                }
            }
        }
    }
}

fn object_schema(fields: &[Field], extra: Extra) -> Value {
    let mut properties = serde_json::Map::new();
    for field in fields {
        let mut schema = field.shape.schema(extra);
        if let Some(description) = field.description {
            schema["description"] = description.into();
        }
        if let Some(known) = field.known {
            schema[crate::protocol::KNOWN_KEYWORD] = known.into();
        }
        properties.insert(field.name.to_owned(), schema);
    }
    let required: Vec<&str> = fields
        .iter()
        .filter(|field| field.required)
        .map(|field| field.name)
        .collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if extra == Extra::Forbidden {
        schema["additionalProperties"] = false.into();
    }
    schema
}

fn kind_of(value: Option<&Value>) -> &'static str {
    match value {
        None => "undefined",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Number(_)) => "number",
        Some(Value::String(_)) => "string",
        Some(Value::Array(_)) => "array",
        Some(Value::Object(_)) => "object",
    }
}
