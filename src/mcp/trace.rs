//! Trace context (W3C): a number that goes with what one call brings about, so that what servers record of it can be
//! found together.
//!
//! Each call has a trace of its own, drawn at random: two servers cannot tell from their numbers that it is one person who
//! calls them. What a server asks on the way of a call may carry the number back. The requests of one call carry one
//! number of a span, too: what servers record of them hangs on the call as it is kept in the journal.

use serde_json::Value;

/// A trace that this walden began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace {
    /// 32 hexadecimal digits, not all of them 0.
    id: String,
    /// The call's own number in it: 16 of them.
    span: String,
}

impl Trace {
    /// Begins one; none, where the system gives no random numbers.
    pub(super) fn begin() -> Option<Self> {
        Some(Self {
            id: random(16)?,
            span: random(8)?,
        })
    }

    /// Returns its number.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Returns the number of the call in it.
    pub(super) fn span(&self) -> &str {
        &self.span
    }

    /// Says in a request's parameters that it is part of the trace.
    pub(super) fn mark(&self, params: &mut Value) {
        if !params["_meta"].is_object() {
            params["_meta"] = Value::Object(serde_json::Map::new());
        }
        // Sampled: whoever records traces is to record this one.
        params["_meta"]["traceparent"] = format!("00-{}-{}-01", self.id, self.span).into();
    }
}

/// Reads the number of the trace that a server's request is part of, and that of what it hangs on there.
pub(super) fn of(params: &Value) -> Option<(&str, &str)> {
    let parts: Vec<&str> = params["_meta"]["traceparent"]
        .as_str()?
        .split('-')
        .collect();
    let is_hex = |part: &str, length: usize| {
        part.len() == length
            && part
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    match parts[..] {
        [version, id, span, _, ..]
            if is_hex(version, 2) && version != "ff" && is_hex(id, 32) && is_hex(span, 16) =>
        {
            let is_one = |number: &str| number.bytes().any(|byte| byte != b'0');
            (is_one(id) && is_one(span)).then_some((id, span))
        }
        _ => None,
    }
}

/// Returns that many random bytes as hexadecimal digits, not all of them 0.
fn random(length: usize) -> Option<String> {
    let mut bytes = [0; 16];
    let bytes = &mut bytes[..length];
    let drawn = rustix::rand::getrandom(&mut *bytes, rustix::rand::GetRandomFlags::empty()).ok()?;
    if drawn < length || bytes.iter().all(|byte| *byte == 0) {
        return None;
    }
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_marked_with_its_trace_and_the_number_of_its_call() {
        let trace = Trace::begin().expect("random numbers");
        let (mut one, mut other) = (json!({"_meta": {"progressToken": 1}}), json!({}));
        trace.mark(&mut one);
        trace.mark(&mut other);
        assert_eq!(of(&one), Some((trace.id(), trace.span())));
        assert_eq!(of(&one), of(&other));
        assert_eq!(one["_meta"]["progressToken"], 1);
        let next = Trace::begin().expect("random numbers");
        assert!(trace.id() != next.id() && trace.span() != next.span());
    }

    #[test]
    fn what_is_no_trace_is_none() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let of_text =
            |text: &str| of(&json!({"_meta": {"traceparent": text}})).map(|(id, _)| id.to_owned());
        let whole = format!("00-{id}-00f067aa0ba902b7-01");
        assert_eq!(of_text(&whole).as_deref(), Some(id));
        for text in [
            "",
            "00-0-0-01",
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("00-{id}-{}-01", "0".repeat(16)),
            &whole.replace("00-", "ff-"),
            &whole.to_uppercase(),
            &whole.replace('b', "\u{1b}"),
        ] {
            assert_eq!(of_text(text), None, "{text}");
        }
    }
}
