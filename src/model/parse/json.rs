//! Where a JSON object ends, found byte by byte, and the one repair that is made to it.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// The deepest nesting; serde_json refuses 128 and more.
const DEPTH: usize = 100;

/// Finds the end of a JSON object without parsing it: strings, escapes and brackets only.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// The brackets that are open, by the byte that closes them.
    open: Vec<u8>,
    string: bool,
    escaped: bool,
}

/// What a byte did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Within,
    /// The object ends with this byte.
    Complete,
    /// The byte cannot stand here.
    Malformed(&'static str),
}

impl Scanner {
    /// Takes the next byte in; the first one is the object's `{`.
    pub(super) fn step(&mut self, byte: u8) -> Step {
        if self.string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.string = false,
                _ => {}
            }
            return Step::Within;
        }
        match byte {
            b'"' => self.string = true,
            b'{' => self.open.push(b'}'),
            b'[' => self.open.push(b']'),
            b'}' | b']' => {
                if self.open.pop() != Some(byte) {
                    return Step::Malformed(
                        "a bracket of the call's JSON is closed by the wrong one",
                    );
                }
                if self.open.is_empty() {
                    return Step::Complete;
                }
            }
            b':' | b',' | b'+' | b'-' | b'.' => {}
            _ if byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() => {}
            b'`' | b'<' => return Step::Malformed("the call's JSON ends before its last `}`"),
            _ => {
                return Step::Malformed(
                    "a character outside the strings is not JSON (strings need double quotes)",
                );
            }
        }
        if self.open.len() > DEPTH {
            return Step::Malformed("the call's JSON is nested more than 100 deep");
        }
        Step::Within
    }

    /// Says what is missing at the end of the text.
    pub(super) fn missing(&self) -> String {
        if self.string {
            return "the call ends inside a string; close the string and every bracket".to_owned();
        }
        let missing: String = self
            .open
            .iter()
            .rev()
            .map(|byte| char::from(*byte))
            .collect();
        format!("the call ends before its JSON is complete; `{missing}` is missing")
    }
}

/// Parses a JSON object whose strings may hold raw line breaks, tabs and other control characters.
///
/// Small models write a file's text into an argument as it is. Nothing else is repaired: what a trailing comma or a
/// single quote was meant to be, the model has to say again.
pub(super) fn object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str::<Value>(&escape_controls(text)) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("the call is not a JSON object".to_owned()),
        Err(error) => Err(format!("the call's JSON is malformed: {error}")),
    }
}

/// Writes the control characters inside strings as escapes.
fn escape_controls(text: &str) -> Cow<'_, str> {
    use std::fmt::Write as _;
    if !text.bytes().any(|byte| byte < 0x20) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut string = false;
    let mut escaped = false;
    for c in text.chars() {
        if !string {
            string = c == '"';
            out.push(c);
            continue;
        }
        match c {
            // A backslash before a raw line break: the break is what was meant.
            c if c < ' ' && escaped => {
                out.pop();
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => {
                string = escaped || c != '"';
                out.push(c);
            }
        }
        escaped = !escaped && c == '\\';
    }
    Cow::Owned(out)
}

/// Reads the value of a `"name"` that is an object's first key, before the object is complete.
pub(super) fn first_name(body: &str) -> Option<String> {
    let rest = body.strip_prefix('{')?.trim_start();
    let rest = rest.strip_prefix("\"name\"")?.trim_start();
    let rest = rest.strip_prefix(':')?.trim_start();
    let rest = rest.strip_prefix('"')?;
    let (name, _) = rest.split_once('"')?;
    (!name.contains('\\')).then(|| name.to_owned())
}
