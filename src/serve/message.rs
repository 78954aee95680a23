//! What a client sent, looked at before the protocol's own reading: what is no message is answered, and not passed over.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// What a message says of itself.
#[derive(Deserialize)]
pub(super) struct Message {
    jsonrpc: Option<String>,
    id: Option<Value>,
    method: Option<String>,
    result: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// When it is none: what JSON-RPC answers then, as a line of JSON.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        match serde_json::from_slice::<Self>(text) {
            Ok(message) if message.is_one() => Ok(message),
            Ok(message) => Err(refusal(message.id, -32600, "Invalid Request")),
            // A key that stands there twice could mean one thing here, and another one to who answers.
            Err(error) if error.is_data() => Err(refusal(None, -32600, "Invalid Request")),
            Err(_) => Err(refusal(None, -32700, "Parse error")),
        }
    }

    fn is_one(&self) -> bool {
        let says = self.method.is_some() || self.result.is_some() || self.error.is_some();
        says && self.jsonrpc.as_deref() == Some("2.0")
    }

    /// Returns what is asked or told; an answer has no method.
    #[cfg(feature = "net")]
    pub(super) fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }
}

fn refusal(id: Option<Value>, code: i32, text: &str) -> String {
    let id = id.filter(|id| id.is_string() || id.is_number());
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_answered_as_json_rpc_says() {
        let invalid = |id: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32600,"message":"Invalid Request"}}}}"#
            )
        };
        let no_json =
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}"#;
        for (text, answer) in [
            ("{", no_json.to_owned()),
            ("no JSON", no_json.to_owned()),
            ("", no_json.to_owned()),
            (r#"{"jsonrpc":"2.0","id":4}"#, invalid("4")),
            (
                r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#,
                invalid("\"a\""),
            ),
            (r#"{"id":1,"method":"ping"}"#, invalid("1")),
            (r#"{"jsonrpc":"2.0","id":[1]}"#, invalid("null")),
            (
                r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
                invalid("null"),
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#,
                invalid("null"),
            ),
            ("5", invalid("null")),
        ] {
            let said = Message::read(text.as_bytes()).err();
            assert_eq!(said.as_deref(), Some(answer.as_str()), "{text}");
        }
        for text in [
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized","other":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#,
        ] {
            assert!(Message::read(text.as_bytes()).is_ok(), "{text}");
        }
    }
}
