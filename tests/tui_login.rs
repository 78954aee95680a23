//! A login in the middle of a session, at a real terminal: from the page of the servers to their tools, with an
//! authorization server of the test's own. The model is a real one, and is asked nothing.

#![cfg(feature = "net")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test lays the configuration of the program that it starts"
)]

#[path = "net/authority.rs"]
mod authority;
mod desk;
#[path = "net/server.rs"]
mod server;

use std::path::Path;
use std::sync::{Arc, Mutex};

use authority::{Given, Twist, guard, issue};
use desk::{COLUMNS, Desk, HERE};
use serde_json::{Value, json};
use server::{Answer, Seen, Server};
use tokio::net::TcpListener;
use walden::net::{Address, Client, Direct};

/// A server with one tool, for those whom the authorization server let in.
fn tools(asked: &Seen) -> Answer {
    let result = |result: Value| {
        Answer::json(&json!({"jsonrpc": "2.0", "id": asked.message()["id"], "result": result}))
    };
    match (asked.method.as_str(), asked.says().as_str()) {
        ("POST", "initialize") => result(json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "s", "version": "1"},
        })),
        ("POST", "tools/list") => result(json!({"tools": [
            {"name": "who-am-i", "description": "Tells who asks.", "inputSchema": {"type": "object"}},
        ]})),
        ("POST", method) if method.starts_with("notifications/") => Answer::empty(202),
        ("POST", _) => Answer::json(&json!({
            "jsonrpc": "2.0",
            "id": asked.message()["id"],
            "error": {"code": -32601, "message": "there is no such method"},
        })),
        ("GET", _) => Answer::empty(405),
        _ => Answer::empty(200),
    }
}

/// Waits for a question, and until it takes keys: one that just came up takes none, and its own keys are dim.
#[track_caller]
fn until_asked(desk: &mut Desk, question: &str) {
    desk.until(|screen| {
        let rows = screen.rows(0, COLUMNS).enumerate();
        let mut keys = rows.filter(|(_, text)| text.contains("  Esc "));
        let is_armed = keys.any(|(row, text)| {
            let first = text.chars().take_while(|c| *c == ' ').count();
            let cell = screen.cell(row as u16, first as u16);
            cell.is_some_and(vt100::Cell::bold)
        });
        is_armed && screen.contents().contains(question)
    });
}

/// Finds an address on the screen, which is longer than a line.
fn address(screen: &str, begin: &str) -> String {
    let from = screen.find(begin).expect("an address");
    let lines = screen[from..].lines().map(str::trim);
    let mut whole = String::new();
    for line in lines.take_while(|line| !line.is_empty() && !line.starts_with('▲')) {
        whole.push_str(line);
    }
    whole
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_goes_from_the_page_of_the_servers_to_the_servers_tools() {
    let Some(model) = std::env::var_os("WALDEN_TEST_SMALL_MODEL") else {
        panic!("`WALDEN_TEST_SMALL_MODEL` names no model file: run `make test`, which sets it")
    };
    let given: Arc<Mutex<Given>> = Arc::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let issuer = format!("http://{}", listener.local_addr().expect("an address"));
    let authority = Server::on(listener, {
        let (given, own) = (Arc::clone(&given), issuer.clone());
        move |asked| issue(asked, &own, &Twist::default(), &given)
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = Server::on(listener, {
        let (own, issuer) = (url.clone(), issuer.clone());
        move |asked| match guard(asked, &own, &issuer, &Twist::default(), &given) {
            Ok(_) => tools(asked),
            Err(answer) => answer,
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("walden");
    std::fs::create_dir_all(&config).expect("a folder");
    let host = |url: &str| url.trim_start_matches("http://").to_owned();
    let allow = json!([host(&issuer), host(&url)]);
    let settings = format!("[network]\nallow = {allow}\n");
    std::fs::write(config.join("config.toml"), settings).expect("written");
    let entry = json!({"mcpServers": {"guarded": {"type": "http", "url": format!("{url}/mcp")}}});
    std::fs::write(config.join("mcp.json"), entry.to_string()).expect("written");

    let at_terminal = tokio::task::spawn_blocking(move || {
        let environment = [
            ("XDG_CONFIG_HOME", folder.path().to_str().expect("text")),
            ("WALDEN_MODEL", model.to_str().expect("text")),
        ];
        let program = Path::new(env!("CARGO_BIN_EXE_walden"));
        let mut desk = Desk::at(HERE, program, &["--context", "2048"], &environment);
        until_asked(&mut desk, "Start the server `guarded`");
        desk.write("y");
        desk.until_shown("asks for authorization");
        desk.until_shown("› Write a message");
        desk.write("/servers");
        desk.until_shown("› /servers");
        desk.write("\r");
        desk.until_shown("guarded  needs your login");
        for _ in 0..4 {
            desk.write("\x1b[B");
        }
        desk.until_shown("▸ ? guarded");
        desk.write("l");
        until_asked(&mut desk, "guarded asks you to open a page");
        let page = address(
            &desk.screen.screen().contents(),
            &format!("{issuer}/authorize"),
        );
        desk.write("y");
        until_asked(&mut desk, "to finish the login");
        (desk, page, folder)
    });
    let (mut desk, page, folder) = at_terminal.await.expect("no panic");
    // The browser, which ends at an address that nobody answers at.
    let client = Client::new(Arc::new(Direct::new().expect("certificates")));
    let page = Address::parse(&page).expect("an address");
    let back = client.redirect_of(&page).await.expect("answered");
    let back = back.expect("it leads back");
    let at_terminal = tokio::task::spawn_blocking(move || {
        desk.write(&format!("\x1b[200~{back}\x1b[201~"));
        desk.until_shown("code=code-1");
        desk.write("\x13");
        until_asked(&mut desk, "who-am-i");
        desk.until_shown("takes walden's authorization");
        desk.write("y");
        desk.until_shown("› Write a message");
        desk.write("/servers");
        desk.until_shown("› /servers");
        desk.write("\r");
        desk.until_shown("● guarded  1 tool");
        drop((desk, folder));
    });
    at_terminal.await.expect("no panic");
    let paths = authority.seen();
    let paths: Vec<&str> = paths.iter().map(Seen::path).collect();
    for path in ["/register", "/authorize", "/token"] {
        let times = paths.iter().filter(|seen| **seen == path).count();
        assert_eq!(times, 1, "{path}: {paths:?}");
    }
    let with_token = server.seen().into_iter().filter(|seen| {
        seen.header("authorization")
            .is_some_and(|value| value == "Bearer token-2")
    });
    assert!(with_token.count() > 1);
}
