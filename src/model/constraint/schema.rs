//! JSON Schemas as they can be enforced: a server's own, or else ever simpler ones.

use serde_json::{Map, Value, json};

use super::grammar::Spacing;

/// What makes a schema hard to compile; without it the schema allows more, never less.
const HARD: &[&str] = &[
    "pattern",
    "format",
    "minLength",
    "maxLength",
    "multipleOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
    "uniqueItems",
    "contains",
    "minContains",
    "maxContains",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "unevaluatedProperties",
    "unevaluatedItems",
    "not",
    "if",
    "then",
    "else",
];

/// What puts the properties of an object in more than one place, so that closing one of them would be wrong.
const COMBINING: &[&str] = &[
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "$ref",
    "$dynamicRef",
    "dependentSchemas",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "minProperties",
];

/// Returns the schema that every object fits.
pub(super) fn any_object() -> Value {
    json!({"type": "object"})
}

/// Returns forms of a tool's schema to try in order, each simpler than the one before.
pub(super) fn candidates(given: &Value) -> Vec<Value> {
    let Value::Object(given) = given else {
        return vec![any_object()];
    };
    let mut full = given.clone();
    // Options for the compiler are not for servers to give.
    full.remove("x-guidance");
    if !full.contains_key("$ref") {
        full.insert("type".to_owned(), json!("object"));
    }
    let mut full = Value::Object(full);
    close(&mut full);
    let mut soft = full.clone();
    soften(&mut soft);
    let flat = flatten(&soft);
    vec![full, soft, flat, any_object()]
}

/// Adds the options that the compiler reads from a schema.
pub(super) fn with_options(mut schema: Value, spacing: Spacing) -> Value {
    if let Value::Object(schema) = &mut schema {
        let (item, key, flexible) = match spacing {
            Spacing::Tight => (", ?", ": ?", false),
            Spacing::Free => (",", ":", true),
        };
        schema.insert(
            "x-guidance".to_owned(),
            json!({
                "item_separator": item,
                "key_separator": key,
                "whitespace_flexible": flexible,
                "whitespace_pattern": flexible.then_some(r"[ \t\r\n]{1,40}"),
                "coerce_one_of": true,
                "lenient": true,
            }),
        );
    }
    schema
}

/// Forbids properties that are not listed, where a schema leaves that open: a small model that may invent
/// arguments does.
fn close(schema: &mut Value) {
    let Value::Object(schema) = schema else {
        return;
    };
    if COMBINING.iter().any(|key| schema.contains_key(*key)) {
        return;
    }
    let required = schema.get("required").cloned();
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for property in properties.values_mut() {
            close(property);
        }
        // A required name that is not listed may have any value.
        let is_listed = |name: &Value| {
            name.as_str()
                .is_some_and(|name| properties.contains_key(name))
        };
        let are_listed = match &required {
            Some(Value::Array(names)) => names.iter().all(is_listed),
            _ => true,
        };
        if are_listed {
            schema.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
    }
    if let Some(items) = schema.get_mut("items") {
        close(items);
    }
}

/// Drops what is hard to compile, at every depth.
fn soften(schema: &mut Value) {
    match schema {
        Value::Object(schema) => {
            schema.retain(|key, _| !HARD.contains(&key.as_str()));
            for (key, inner) in schema {
                match (key.as_str(), inner) {
                    // The keys below are names that somebody chose, not keywords.
                    ("properties" | "$defs" | "definitions", Value::Object(named)) => {
                        named.values_mut().for_each(soften);
                    }
                    ("enum" | "const" | "default" | "examples" | "required", _) => {}
                    (_, inner) => soften(inner),
                }
            }
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(soften),
        _ => {}
    }
}

/// Keeps the names of the properties, which of them are required, and their plain types.
fn flatten(schema: &Value) -> Value {
    let mut properties = Map::new();
    if let Some(Value::Object(given)) = schema.get("properties") {
        for (name, property) in given {
            let kind = property.get("type").and_then(Value::as_str);
            let kind = kind.filter(|kind| {
                matches!(
                    *kind,
                    "string" | "number" | "integer" | "boolean" | "array" | "object" | "null"
                )
            });
            let property = kind.map_or_else(|| json!({}), |kind| json!({"type": kind}));
            properties.insert(name.clone(), property);
        }
    }
    let required: Vec<Value> = match schema.get("required") {
        Some(Value::Array(names)) => names
            .iter()
            .filter(|name| name.as_str().is_some_and(|n| properties.contains_key(n)))
            .cloned()
            .collect(),
        _ => Vec::new(),
    };
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}
