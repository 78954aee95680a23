//! Forms that servers ask for, read leniently: what libraries make of optional fields and choices is understood, and
//! the order of the fields is the server's.

use serde_json::{Map, Value};

use crate::protocol::{Choice, Field, FieldKind, TextFormat};

/// The most fields of a form, and choices of a field.
const FIELDS: usize = 50;
const CHOICES: usize = 200;
/// The longest text of a label, in bytes.
const LABEL: usize = 500;

/// Words that name what must never be asked for in a form.
const SECRETS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "api_key",
    "apikey",
    "api-key",
    "access_token",
    "private_key",
    "credit_card",
    "cvv",
];

/// Reads the schema of a form.
///
/// # Errors
/// One line that says what cannot be filled in.
pub(super) fn fields(schema: &Value) -> Result<Vec<Field>, String> {
    let Some(properties) = schema["properties"].as_object() else {
        return Err("the form has no `properties`".to_owned());
    };
    if properties.len() > FIELDS {
        return Err(format!("the form has more than {FIELDS} fields"));
    }
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    properties
        .iter()
        .map(|(name, of)| field(name, of, required.contains(&name.as_str()), schema))
        .collect()
}

fn field(name: &str, of: &Value, required: bool, whole: &Value) -> Result<Field, String> {
    let shown = super::text::short(name, 60);
    let (plain, nullable) = plain(of, whole, 0)
        .ok_or_else(|| format!("the field `{shown}` has a form that cannot be filled in"))?;
    let inner = |key: &str| plain.get(key).unwrap_or(&Value::Null);
    let text = |key: &str| {
        let text = of[key].as_str().or_else(|| inner(key).as_str());
        text.map(|text| super::text::short(text, LABEL))
    };
    let (title, description) = (text("title"), text("description"));
    if is_secret(name) || title.as_deref().is_some_and(is_secret) {
        return Err(format!(
            "the field `{shown}` asks for a secret, which a form must not do"
        ));
    }
    let default = match &of["default"] {
        Value::Null => inner("default"),
        default => default,
    };
    let kind = kind(&plain, default)
        .ok_or_else(|| format!("the field `{shown}` has a form that cannot be filled in"))?;
    Ok(Field {
        name: name.to_owned(),
        title,
        description,
        required: required && !nullable,
        kind,
    })
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase().replace(' ', "_");
    SECRETS.iter().any(|word| name.contains(word))
}

/// Takes off what libraries put around a field: references, and alternatives of which one is `null`.
fn plain(of: &Value, whole: &Value, depth: u8) -> Option<(Map<String, Value>, bool)> {
    let own = of.as_object()?;
    if depth > 4 {
        return None;
    }
    if let Some(reference) = own.get("$ref").and_then(Value::as_str) {
        let target = whole.pointer(reference.strip_prefix('#')?)?;
        return plain(target, whole, depth + 1);
    }
    if let Some([only]) = own
        .get("allOf")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    {
        return plain(only, whole, depth + 1);
    }
    let mut own = own.clone();
    if let Some(Value::Array(kinds)) = own.get("type").cloned() {
        let others: Vec<&Value> = kinds.iter().filter(|kind| *kind != "null").collect();
        let [only] = others[..] else { return None };
        let nullable = others.len() < kinds.len();
        own.insert("type".to_owned(), only.clone());
        return Some((own, nullable));
    }
    for key in ["anyOf", "oneOf"] {
        let Some(alternatives) = own.get(key).and_then(Value::as_array) else {
            continue;
        };
        if alternatives.iter().all(|one| one.get("const").is_some()) {
            continue;
        }
        let others: Vec<&Value> = alternatives
            .iter()
            .filter(|one| one["type"] != "null")
            .collect();
        let [only] = others[..] else { return None };
        let nullable = others.len() < alternatives.len();
        let (inner, also) = plain(only, whole, depth + 1)?;
        return Some((inner, nullable || also));
    }
    Some((own, false))
}

fn kind(of: &Map<String, Value>, default: &Value) -> Option<FieldKind> {
    let length = |key: &str| {
        of.get(key)
            .and_then(Value::as_f64)
            .map(|value| value.clamp(0.0, f64::from(u32::MAX)) as u32)
    };
    if let Some(options) = choices(of) {
        return Some(FieldKind::Choice {
            options,
            default: default.as_str().map(str::to_owned),
        });
    }
    match of.get("type").and_then(Value::as_str) {
        Some("boolean") => Some(FieldKind::Flag {
            default: default.as_bool(),
        }),
        Some(kind @ ("number" | "integer")) => {
            let number = |key: &str| of.get(key).and_then(Value::as_number).cloned();
            Some(FieldKind::Number {
                integer: kind == "integer",
                min: number("minimum"),
                max: number("maximum"),
                default: default.as_number().cloned(),
            })
        }
        Some("array") => {
            let options = choices(of.get("items")?.as_object()?)?;
            let default = default.as_array().into_iter().flatten();
            Some(FieldKind::Choices {
                options,
                min: length("minItems"),
                max: length("maxItems"),
                default: default
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            })
        }
        Some("string") | None => Some(FieldKind::Text {
            min: length("minLength"),
            max: length("maxLength"),
            // A format that is not known is a wish that cannot be checked.
            format: match of.get("format").and_then(Value::as_str) {
                Some("email") => Some(TextFormat::Email),
                Some("uri" | "url") => Some(TextFormat::Uri),
                Some("date") => Some(TextFormat::Date),
                Some("date-time") => Some(TextFormat::DateTime),
                _ => None,
            },
            default: default.as_str().map(str::to_owned),
        }),
        Some(_) => None,
    }
}

/// Reads the choices of a field, in each of the ways that they are written.
fn choices(of: &Map<String, Value>) -> Option<Vec<Choice>> {
    let titled = ["oneOf", "anyOf"]
        .iter()
        .find_map(|key| of.get(*key).and_then(Value::as_array));
    let label = |text: &str| super::text::short(text, LABEL);
    let options: Vec<Choice> = match (titled, of.get("enum").and_then(Value::as_array)) {
        (Some(alternatives), _) => alternatives
            .iter()
            .map(|one| {
                Some(Choice {
                    value: one["const"].as_str()?.to_owned(),
                    title: one["title"].as_str().map(label),
                })
            })
            .collect::<Option<_>>()?,
        (None, Some(values)) => {
            let names = of.get("enumNames").and_then(Value::as_array);
            values
                .iter()
                .enumerate()
                .map(|(at, value)| {
                    Some(Choice {
                        value: value.as_str()?.to_owned(),
                        title: names.and_then(|names| names.get(at)?.as_str()).map(label),
                    })
                })
                .collect::<Option<_>>()?
        }
        (None, None) => return None,
    };
    (!options.is_empty() && options.len() <= CHOICES).then_some(options)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(of: Value) -> Result<Field, String> {
        let schema = json!({
            "properties": {"it": of},
            "required": ["it"],
            "$defs": {"Colour": {"enum": ["red", "blue"], "type": "string"}},
        });
        fields(&schema).map(|mut fields| fields.remove(0))
    }

    #[test]
    fn what_libraries_make_of_a_field_is_understood() {
        let optional = one(json!({"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}], "default": null}))
            .expect("a field");
        assert!(!optional.required);
        assert!(matches!(
            optional.kind,
            FieldKind::Text { max: Some(5), .. }
        ));
        let number = one(json!({"type": ["integer", "null"], "minimum": 1.0})).expect("a field");
        assert!(!number.required);
        assert!(matches!(
            number.kind,
            FieldKind::Number { integer: true, .. }
        ));
        for choice in [
            json!({"$ref": "#/$defs/Colour"}),
            json!({"allOf": [{"$ref": "#/$defs/Colour"}], "default": "red"}),
            json!({"oneOf": [{"const": "red", "title": "Red"}, {"const": "blue"}]}),
            json!({"enum": ["red", "blue"], "enumNames": ["Red", "Blue"]}),
        ] {
            let field = one(choice.clone()).expect("a field");
            let FieldKind::Choice { options, .. } = field.kind else {
                panic!("{choice}");
            };
            assert_eq!(options[1].value, "blue");
            assert!(field.required);
        }
        let some = one(json!({"type": "array", "items": {"anyOf": [{"const": "a"}, {"const": "b"}]}, "default": ["b"]}))
            .expect("a field");
        assert!(matches!(some.kind, FieldKind::Choices { ref default, .. } if *default == ["b"]));
        assert!(one(json!({"type": "string", "format": "hostname"})).is_ok());
    }

    #[test]
    fn fields_stand_in_the_servers_order() {
        let schema = json!({"properties": {"z": {"type": "string"}, "a": {"type": "boolean"}, "m": {"type": "number"}}});
        let names: Vec<String> = fields(&schema)
            .expect("fields")
            .into_iter()
            .map(|field| field.name)
            .collect();
        assert_eq!(names, ["z", "a", "m"]);
    }

    #[test]
    fn secrets_and_what_cannot_be_filled_in_are_refused() {
        for bad in [
            json!({"type": "object"}),
            json!({"type": "array", "items": {"type": "string"}}),
            json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
            json!({"$ref": "#/$defs/Nowhere"}),
            json!({"$ref": "https://example.org/schema"}),
            json!({"type": "string", "title": "API key"}),
        ] {
            assert!(one(bad.clone()).is_err(), "{bad}");
        }
        let password = json!({"properties": {"password": {"type": "string"}}});
        let problem = fields(&password).expect_err("refused");
        assert!(problem.contains("secret"), "{problem}");
    }
}
