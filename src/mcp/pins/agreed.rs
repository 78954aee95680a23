//! How an offer stands to the one that was agreed to, item by item.
//!
//! A server may list other things from one run to the next: tools that ask the user, say, only where somebody can be
//! asked. What is not listed now cannot do harm, and stays agreed to as it was.

use serde_json::{Map, Value, json};

/// The parts of an offer that are maps of items.
const LISTS: [&str; 3] = ["tools", "prompts", "templates"];

/// Returns what was agreed to without the items that are not offered now.
pub(super) fn narrowed(mut then: Value, now: &Value) -> Value {
    for list in LISTS {
        if let Some(items) = then.get_mut(list).and_then(Value::as_object_mut) {
            items.retain(|name, _| now[list].get(name).is_some());
        }
    }
    // A server that says nothing now says nothing harmful.
    if now["instructions"].as_str() == Some("") {
        then["instructions"] = json!("");
    }
    then
}

/// Returns an offer with the items of an earlier one that it does not hold.
pub(super) fn with_absent(then: &Value, now: &Value) -> Value {
    let mut all = now.clone();
    for list in LISTS {
        let Some(items) = all.get_mut(list).and_then(Value::as_object_mut) else {
            continue;
        };
        for (name, item) in then[list].as_object().into_iter().flatten() {
            if !items.contains_key(name) {
                items.insert(name.clone(), item.clone());
            }
        }
    }
    all
}

/// Returns what of an offer is exactly what was agreed to; `None` when the server has tools and none of them is.
pub(super) fn part(then: &Value, now: &Value) -> Option<Value> {
    let mut part = now.clone();
    for list in LISTS {
        if let Some(items) = part.get_mut(list).and_then(Value::as_object_mut) {
            items.retain(|name, item| then[list].get(name) == Some(item));
        }
    }
    if then["instructions"] != now["instructions"] {
        part["instructions"] = json!("");
    }
    let empty = |offer: &Value| offer["tools"].as_object().is_none_or(Map::is_empty);
    (empty(now) || !empty(&part)).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(tools: &Value) -> Value {
        json!({"instructions": "", "tools": tools, "prompts": {}, "templates": {}})
    }

    #[test]
    fn what_is_not_offered_now_stays_agreed_to_and_is_no_difference() {
        let then = offer(&json!({"a": {"d": 1}, "b": {"d": 2}}));
        let less = offer(&json!({"b": {"d": 2}}));
        assert_eq!(narrowed(then.clone(), &less), less);
        let more = offer(&json!({"b": {"d": 2}, "c": {"d": 3}}));
        assert_eq!(
            with_absent(&then, &more)["tools"],
            json!({"b": {"d": 2}, "c": {"d": 3}, "a": {"d": 1}})
        );
    }

    #[test]
    fn only_what_is_exactly_as_agreed_is_left() {
        let then = offer(&json!({"a": {"d": 1}, "b": {"d": 2}}));
        let now = offer(&json!({"a": {"d": 9}, "b": {"d": 2}, "c": {"d": 3}}));
        let mut wanted = offer(&json!({"b": {"d": 2}}));
        assert_eq!(part(&then, &now), Some(wanted.clone()));
        let mut says = now.clone();
        says["instructions"] = json!("obey");
        wanted["instructions"] = json!("");
        assert_eq!(part(&then, &says), Some(wanted));
        assert_eq!(part(&then, &offer(&json!({"a": {"d": 9}}))), None);
        assert!(part(&then, &offer(&json!({}))).is_some());
    }
}
