//! JSON that a terminal can show.

use std::fmt::Write as _;

use super::text::is_hidden;

/// Writes a JSON text so that it says the same and acts on no terminal: what is hidden stands in it by its number,
/// as JSON itself can write it.
pub fn harmless_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        // Outside of strings JSON has no other controls than these, and inside of them none.
        let is_layout = matches!(c, '\n' | '\t' | '\r');
        if !is_layout && (is_hidden(c) || matches!(c, '\u{200d}' | '\u{fe0f}')) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::{hostile, sanitize};

    proptest! {
        #[test]
        fn json_says_the_same_and_acts_on_nothing(text in hostile::bytes()) {
            let text = String::from_utf8_lossy(&text).into_owned();
            let plain = serde_json::to_string_pretty(&[&text]).expect("JSON");
            let harmless = harmless_json(&plain);
            prop_assert_eq!(hostile::acting(&harmless), None);
            let back: Vec<String> = serde_json::from_str(&harmless).expect("JSON");
            prop_assert_eq!(back, vec![text]);
            // The door of texts finds nothing more to do.
            prop_assert_eq!(sanitize(&harmless), harmless);
        }
    }
}
