//! Whether what a tool returned fits what it says that it returns.
//!
//! Only what can be told for certain is: a keyword that is not looked at here forbids nothing, and nothing is fetched.

use serde_json::Value;

/// How deep a value is looked at.
const DEPTH: usize = 32;

/// Finds the first place where a value does not fit its schema, and says what is wrong there.
pub(super) fn misfit(schema: &Value, value: &Value) -> Option<String> {
    at("", schema, value, DEPTH)
}

fn at(place: &str, schema: &Value, value: &Value, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let named = || match place {
        "" => "it".to_owned(),
        place => format!("`{}`", super::text::short(place, 100)),
    };
    if *schema == Value::Bool(false) {
        return Some(format!("{} is not to be there", named()));
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is(kind, value)) {
        return Some(format!(
            "{} is not of the type {}",
            named(),
            kinds.join(" or ")
        ));
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        return Some(format!("{} is none of the values that it can be", named()));
    }
    if let Some(object) = value.as_object() {
        let required = schema["required"].as_array().into_iter().flatten();
        if let Some(name) = required
            .filter_map(Value::as_str)
            .find(|name| !object.contains_key(*name))
        {
            let name = super::text::short(&format!("{place}/{name}"), 100);
            return Some(format!("`{name}` is missing"));
        }
        return object.iter().find_map(|(name, value)| {
            let schema = schema["properties"].get(name)?;
            at(&format!("{place}/{name}"), schema, value, depth)
        });
    }
    let items = schema.get("items").filter(|items| items.is_object())?;
    // The first ones tell as much as all of a long list.
    let values = value.as_array()?.iter().take(1_000).enumerate();
    values
        .filter_map(|(number, value)| at(&format!("{place}/{number}"), items, value, depth))
        .next()
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
        }
        // A type of a later revision forbids nothing.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_place_that_does_not_fit_is_named() {
        let schema = json!({
            "type": "object",
            "properties": {
                "degrees": {"type": ["number", "null"]},
                "sky": {"enum": ["clear", "grey"]},
                "days": {"type": "array", "items": {"type": "object", "required": ["name"]}},
                "count": {"type": "integer"},
                "later": {"type": "novel", "pattern": "x"},
            },
            "required": ["degrees"],
        });
        for good in [
            json!({"degrees": 3.5}),
            json!({"degrees": null, "sky": "grey", "more": 1, "later": 2}),
            json!({"degrees": 1, "days": [{"name": 1}], "count": 2.0}),
        ] {
            assert_eq!(misfit(&schema, &good), None, "{good}");
        }
        for (bad, words) in [
            (json!([]), "it is not of the type object"),
            (json!({}), "`/degrees` is missing"),
            (
                json!({"degrees": "3"}),
                "`/degrees` is not of the type number or null",
            ),
            (
                json!({"degrees": 3, "sky": "red"}),
                "`/sky` is none of the values",
            ),
            (
                json!({"degrees": 3, "days": [{"name": 1}, {}]}),
                "`/days/1/name` is missing",
            ),
            (
                json!({"degrees": 3, "count": 2.5}),
                "`/count` is not of the type integer",
            ),
        ] {
            let said = misfit(&schema, &bad).unwrap_or_default();
            assert!(said.contains(words), "{bad}: {said}");
        }
    }
}
