//! The built-in servers over HTTP, as a real process: who gets in, who does not, and both eras of the protocol.

#![cfg(feature = "net")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test starts programs and lays its own files"
)]

#[path = "support/serving.rs"]
mod serving;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use serving::{Server, TOKEN, create, hello};

#[test]
fn only_who_has_the_token_and_the_right_address_gets_in() {
    let server = Server::start(&[
        "--allow-host",
        "box.example",
        "--allow-origin",
        "https://app.example:443",
    ]);
    let right = format!("Bearer {TOKEN}");
    let check = |headers: &[(&str, &str)], status: u16| {
        let mut all = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        all.extend_from_slice(headers);
        let answer = server.send("POST", "/mcp", &all, &hello().to_string());
        assert_eq!(answer.status(), status, "{headers:?}: {}", answer.0);
    };
    let token = ("authorization", right.as_str());
    check(&[], 401);
    check(
        &[("authorization", "Bearer 0123456789abcdef0123456789abcdee")],
        401,
    );
    check(&[token], 200);
    // A page that made its own name lead here (DNS rebinding).
    check(&[token, ("host", "evil.example")], 403);
    check(&[token, ("host", "localhost.evil.example")], 403);
    check(&[token, ("origin", "http://evil.example")], 403);
    check(&[token, ("origin", "null")], 403);
    check(&[token, ("host", "box.example")], 200);
    check(&[token, ("host", "localhost:1234")], 200);
    check(&[token, ("origin", "https://app.example")], 200);
    assert_eq!(
        server
            .send("POST", "/mcp", &[], "")
            .header("www-authenticate"),
        Some("Bearer")
    );
    assert_eq!(server.send("GET", "/", &[token], "").status(), 404);
    assert_eq!(server.send("PUT", "/mcp", &[token], "").status(), 405);
    assert_eq!(
        server
            .send("POST", "/mcp", &[token], &" ".repeat(33 << 20))
            .status(),
        413
    );
}

#[test]
fn the_older_era_has_sessions_of_one_memory() {
    let server = Server::start(&[]);
    let (one, two) = (server.begin(), server.begin());
    let id = one.header("mcp-session-id").expect("a session").to_owned();
    let other = two.header("mcp-session-id").expect("a session").to_owned();
    assert_ne!(id, other);
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    for id in [&id, &other] {
        let session = [("mcp-session-id", id.as_str())];
        assert_eq!(server.post(&session, &ready).status(), 202);
    }
    let made = server
        .post(&[("mcp-session-id", &id)], &create("A"))
        .message();
    assert_eq!(
        made["result"]["structuredContent"]["entities"][0]["name"],
        "A"
    );
    let again = server
        .post(&[("mcp-session-id", &other)], &create("A"))
        .message();
    assert_eq!(
        again["result"]["structuredContent"],
        json!({"entities": []})
    );

    let authorization = format!("Bearer {TOKEN}");
    let session = [
        ("authorization", authorization.as_str()),
        ("mcp-session-id", id.as_str()),
    ];
    let ended = server.send("DELETE", "/mcp", &session, "").status();
    assert!((200..300).contains(&ended), "{ended}");
    assert_eq!(
        server
            .post(&[("mcp-session-id", &id)], &create("B"))
            .status(),
        404
    );
}

#[test]
fn the_newer_era_needs_no_session() {
    let server = Server::start(&[]);
    let mut call = create("A");
    call["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    });
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "create_entities"),
    ];
    let answer = server.post(&headers, &call);
    assert_eq!(answer.header("mcp-session-id"), None);
    let result = &answer.message()["result"];
    assert_eq!(
        result["structuredContent"]["entities"][0]["name"], "A",
        "{}",
        answer.0
    );
}

#[test]
fn a_monitor_learns_that_it_is_there_without_the_token_and_what_it_does_with_it() {
    let server = Server::start(&[]);
    let health = server.send("GET", "/healthz", &[("host", "10.0.0.7")], "");
    assert_eq!(health.status(), 200, "{}", health.0);
    assert!(health.0.ends_with("ok\n"), "{}", health.0);
    assert_eq!(server.send("POST", "/healthz", &[], "").status(), 401);
    assert_eq!(server.send("GET", "/metrics", &[], "").status(), 401);
    server.begin();
    let right = format!("Bearer {TOKEN}");
    let metrics = server.send("GET", "/metrics", &[("authorization", &right)], "");
    assert_eq!(metrics.status(), 200, "{}", metrics.0);
    for line in [
        "walden_sessions 1",
        "walden_answers_total{status=\"200\"} 1",
        "walden_answers_total{status=\"401\"} 2",
        "walden_requests_under_way 0",
    ] {
        assert!(metrics.0.contains(line), "{line}: {}", metrics.0);
    }
}

#[test]
fn sessions_are_not_endless() {
    let server = Server::start(&[]);
    let refused: Vec<u16> = (0..66)
        .map(|_| server.begin().status())
        .filter(|status| *status != 200)
        .collect();
    assert_eq!(refused, [503, 503]);
}

#[test]
fn neither_silent_nor_half_sent_requests_keep_anybody_out() {
    let server = Server::start(&[]);
    // More than there are places, several times over.
    let silent: Vec<TcpStream> = (0..300).map(|_| server.connect()).collect();
    assert_eq!(server.begin().status(), 200);
    let half = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
         content-length: 1000\r\n\r\n{{"
    );
    let slow: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = server.connect();
            let _ = stream.write_all(half.as_bytes());
            stream
        })
        .collect();
    assert_eq!(server.begin().status(), 200);
    drop((silent, slow));
}

#[test]
fn a_head_that_does_not_come_to_its_end_is_given_up() {
    let server = Server::start(&[]);
    let mut stream = server.connect();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a timeout");
    stream
        .write_all(b"POST /mcp HTTP/1.1\r\nhost: local")
        .expect("sent");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("closed by the server");
    assert!(!String::from_utf8_lossy(&rest).contains(" 200 "));
}

#[test]
fn a_request_to_end_ends_open_streams_too() {
    let mut server = Server::start(&[]);
    let id = server
        .begin()
        .header("mcp-session-id")
        .expect("a session")
        .to_owned();
    let mut stream = server.connect();
    let head = format!(
        "GET /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\naccept: text/event-stream\r\n\
         mcp-session-id: {id}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut first = [0_u8; 15];
    stream.read_exact(&mut first).expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    let process = rustix::process::Pid::from_child(&server.child);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("asked");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(server.child.wait().expect("an end").success());
    let mut said = String::new();
    server.stderr.read_to_string(&mut said).expect("text");
    assert!(!said.contains(TOKEN), "{said}");
}

#[test]
fn a_token_is_made_and_shown_once_where_none_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_walden"))
        .args(["serve", "memory", "--http", "127.0.0.1:0", "--file"])
        .arg(folder.path().join("memory.jsonl"))
        .env_remove("WALDEN_SERVE_TOKEN")
        .env("WALDEN_STATE", folder.path().join("state"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("walden starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("stderr"));
    let mut lines = [String::new(), String::new()];
    for line in &mut lines {
        stderr.read_line(line).expect("a line");
    }
    child.kill().expect("killed");
    child.wait().expect("an end");
    let token = lines[1]
        .strip_prefix("clients send the header `Authorization: Bearer ")
        .and_then(|rest| rest.strip_suffix("`\n"))
        .unwrap_or_else(|| panic!("no token in {lines:?}"));
    assert_eq!(token.len(), 64);
}

#[test]
fn other_machines_are_let_in_only_when_that_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let weak = folder.path().join("token");
    std::fs::write(&weak, "secret").expect("a file");
    let check = |arguments: &[&str], said: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_walden"))
            .args(["serve", "memory", "--file"])
            .arg(folder.path().join("memory.jsonl"))
            .args(arguments)
            .env("WALDEN_STATE", folder.path().join("state"))
            .output()
            .expect("walden runs");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        assert!(stderr.contains(said), "{stderr}");
    };
    check(&["--http", "0.0.0.0:0"], "--listen-any allows it");
    check(&["--http", "somewhere"], "give an address and a port");
    check(&["--listen-any"], "--http");
    let weak = weak.to_string_lossy();
    check(
        &["--http", "0", "--token-file", &weak],
        "the token is too weak",
    );
}
