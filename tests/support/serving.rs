//! A served server over HTTP, as a real process, and what a client says to it.

#![allow(dead_code, reason = "each test program uses some of it")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A server that is served over HTTP: that of the graph unless another is asked for.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
    folder: tempfile::TempDir,
    pub(crate) stderr: BufReader<ChildStderr>,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::of("memory", arguments)
    }

    /// Starts one of the servers.
    pub(crate) fn of(name: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_walden"))
            .args(["serve", name, "--http", "0"])
            .args(arguments)
            .env("MEMORY_FILE_PATH", folder.path().join("memory.jsonl"))
            .env("WALDEN_STATE", folder.path().join("state"))
            .env("XDG_CONFIG_HOME", folder.path().join("config"))
            .env("WALDEN_SERVE_TOKEN", TOKEN)
            .stderr(Stdio::piped())
            .spawn()
            .expect("walden starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("stderr"));
        let mut line = String::new();
        // A sealed server first says what is weaker here.
        while !line.starts_with("serving ") {
            line.clear();
            let read = stderr.read_line(&mut line).expect("a line");
            assert_ne!(read, 0, "it ended without serving");
        }
        let address = line
            .strip_prefix(&format!("serving {name} at http://"))
            .and_then(|rest| rest.strip_suffix("/mcp\n"))
            .unwrap_or_else(|| panic!("no address in {line:?}"));
        Self {
            address: address.to_owned(),
            child,
            folder,
            stderr,
        }
    }

    /// Sends a request with these headers, and returns the answer's status, head and body.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut stream = self.connect();
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            head.push_str(&format!("host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        stream.write_all(head.as_bytes()).expect("sent");
        // A server that refuses a large body closes before all of it is there.
        let _ = stream.write_all(body.as_bytes());
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Answer(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("connected");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a timeout");
        stream
    }

    /// Posts a message as a client does that may.
    pub(crate) fn post(&self, headers: &[(&str, &str)], message: &Value) -> Answer {
        self.post_as(TOKEN, headers, message)
    }

    /// Posts a message with a token.
    pub(crate) fn post_as(&self, token: &str, headers: &[(&str, &str)], message: &Value) -> Answer {
        let authorization = format!("Bearer {token}");
        let mut all = vec![
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        all.extend_from_slice(headers);
        self.send("POST", "/mcp", &all, &message.to_string())
    }

    pub(crate) fn begin(&self) -> Answer {
        self.post(&[], &hello())
    }
}

impl Server {
    /// Runs one of walden's commands on the state that the server writes.
    pub(crate) fn walden(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_walden"))
            .args(arguments)
            .env("WALDEN_STATE", self.folder.path().join("state"))
            .output()
            .expect("walden runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What it answered.
pub(crate) struct Answer(pub(crate) String);

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        let status = self.0.split(' ').nth(1);
        status.and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.0
            .lines()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_once(": "))
            .find(|(held, _)| held.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim_end())
    }

    /// Returns the message that answers, of a stream or alone.
    pub(crate) fn message(&self) -> Value {
        self.0
            .lines()
            .map(|line| line.strip_prefix("data: ").unwrap_or(line))
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|message| message.get("result").is_some() || message.get("error").is_some())
            .unwrap_or_else(|| panic!("no message in {:?}", self.0))
    }
}

pub(crate) fn hello() -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    }})
}

pub(crate) fn create(name: &str) -> Value {
    let entity = json!({"name": name, "entityType": "t", "observations": []});
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "create_entities", "arguments": {"entities": [entity]},
    }})
}
