//! The difference of two definitions, one line for each field.

use serde_json::Value;

use crate::mcp::text::short;

/// The most lines of a difference, and the most of one value in it, in bytes.
const LINES: usize = 100;
const VALUE: usize = 400;

/// Lists what differs, with the field's path, the old value and the new one.
pub(in crate::mcp) fn differences(then: &Value, now: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare(String::new(), then, now, &mut lines);
    if lines.len() > LINES {
        let more = lines.len() - LINES;
        lines.truncate(LINES);
        lines.push(format!("and {more} more differences"));
    }
    lines
}

fn compare(path: String, then: &Value, now: &Value, lines: &mut Vec<String>) {
    match (then, now) {
        (Value::Object(old), Value::Object(new)) => {
            let inside = |key: &str| match path.is_empty() {
                true => short(key, 120),
                false => format!("{path}.{}", short(key, 120)),
            };
            for (key, value) in old {
                match new.get(key) {
                    Some(other) => compare(inside(key), value, other, lines),
                    None => lines.push(format!("- {} was {}", inside(key), shown(value))),
                }
            }
            for (key, value) in new {
                if !old.contains_key(key) {
                    lines.push(format!("+ {} is {}", inside(key), shown(value)));
                }
            }
        }
        (old, new) if old == new => {}
        (old, new) => lines.push(format!("~ {path}: {} → {}", shown(old), shown(new))),
    }
}

fn shown(value: &Value) -> String {
    short(&value.to_string(), VALUE)
}
