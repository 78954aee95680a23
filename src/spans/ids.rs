//! The numbers of traces and spans: made from what they number, so that a session is told with the same ones each time.

use sha2::{Digest as _, Sha256};

use super::Place;

/// Returns the first bytes of a hash of the parts, as hexadecimal digits.
fn hashed(parts: &[&str], bytes: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let hash = hash.finalize();
    hash.iter()
        .take(bytes)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Returns the number of a turn's trace.
pub(super) fn trace(session: &str, root: &str, turn: u32) -> String {
    hashed(&["turn", session, root, &turn.to_string()], 16)
}

/// Returns the place of a turn's span.
pub(super) fn span(trace: &str, number: usize) -> Place {
    Place {
        trace: trace.to_owned(),
        span: hashed(&["span", trace, &number.to_string()], 8),
    }
}

/// Returns the place of a span that a request on the wire named, unless it is none.
pub(super) fn named(trace: &str, span: &str) -> Option<Place> {
    let is_one = |number: &str, digits: usize| {
        number.len() == digits
            && number
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            && number.bytes().any(|byte| byte != b'0')
    };
    (is_one(trace, 32) && is_one(span, 16)).then(|| Place {
        trace: trace.to_owned(),
        span: span.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_always_the_same_and_no_other_s() {
        let of = |turn| trace("20260101-000000-0000", "/work", turn);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert_ne!(span(&of(1), 0), span(&of(1), 1));
        assert_eq!((of(1).len(), span(&of(1), 0).span.len()), (32, 16));
        let Place { trace, span } = span(&of(1), 3);
        assert!(named(&trace, &span).is_some() && named(&span, &trace).is_none());
        assert_eq!(named(&trace, &"0".repeat(16)), None);
    }
}
