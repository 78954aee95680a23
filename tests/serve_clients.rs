//! Several clients of one server, each with a token and rights of its own.

#![cfg(feature = "net")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test lays its own files and starts programs"
)]

#[path = "support/serving.rs"]
mod serving;

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value, json};
use serving::{Server, create, hello};

const READER: &str = "reader-0123456789";
const WRITER: &str = "writer-0123456789";
const BOT: &str = "bot-0123456789abc";

/// Writes the file of three clients, for so many to read.
fn clients(folder: &tempfile::TempDir, mode: u32) -> String {
    let path = folder.path().join("clients.toml");
    let text = format!(
        "[reader]\ntoken = \"{READER}\"\ntools = \"read\"\n\n[writer]\ntoken = \"{WRITER}\"\n\n\
         [bot]\ntoken = \"{BOT}\"\ntools = [\"search_nodes\"]\n"
    );
    std::fs::write(&path, text).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
    path.display().to_string()
}

/// A client in a session of its own.
struct Client<'a> {
    server: &'a Server,
    token: &'a str,
    session: String,
}

impl<'a> Client<'a> {
    fn new(server: &'a Server, token: &'a str) -> Self {
        let begun = server.post_as(token, &[], &hello());
        let session = begun
            .header("mcp-session-id")
            .expect("a session")
            .to_owned();
        let client = Self {
            server,
            token,
            session,
        };
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(client.post(&ready).status(), 202);
        client
    }

    fn post(&self, message: &Value) -> serving::Answer {
        let session = [("mcp-session-id", self.session.as_str())];
        self.server.post_as(self.token, &session, message)
    }

    fn ask(&self, method: &str, params: &Value) -> Value {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.post(&message).message()
    }

    fn call(&self, tool: &str, arguments: &Value) -> Value {
        self.ask("tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    fn tools(&self) -> Vec<String> {
        let listed = self.ask("tools/list", &json!({}));
        let tools = listed["result"]["tools"].as_array().expect("tools");
        tools
            .iter()
            .map(|tool| tool["name"].as_str().expect("a name").to_owned())
            .collect()
    }
}

#[test]
fn each_client_uses_what_it_may_and_the_audit_log_tells_who_called_what() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(&["--clients", &clients(&folder, 0o600)]);
    assert_eq!(server.begin().status(), 401, "the one token counts no more");
    let (reader, writer, bot) = (
        Client::new(&server, READER),
        Client::new(&server, WRITER),
        Client::new(&server, BOT),
    );
    assert_eq!(writer.tools().len(), 9);
    assert_eq!(reader.tools(), ["read_graph", "search_nodes", "open_nodes"]);
    assert_eq!(bot.tools(), ["search_nodes"]);

    let made = writer.post(&create("Ada")).message();
    assert_eq!(
        made["result"]["structuredContent"]["entities"][0]["name"],
        "Ada"
    );
    let refused = reader.post(&create("Eve")).message();
    let words = "`reader` may not call `create_entities`";
    assert_eq!(refused["error"]["message"], words);
    let graph = reader.call("read_graph", &json!({}));
    let entities = &graph["result"]["structuredContent"]["entities"];
    assert_eq!(entities.as_array().map(Vec::len), Some(1), "{graph}");
    let found = bot.call("search_nodes", &json!({"query": "Ada"}));
    assert!(found["result"].is_object(), "{found}");
    assert!(bot.call("read_graph", &json!({}))["error"].is_object());
    // The whole graph is a resource, too.
    let uri = reader.ask("resources/list", &json!({}))["result"]["resources"][0]["uri"].clone();
    assert!(reader.ask("resources/read", &json!({"uri": uri}))["result"].is_object());
    assert!(bot.ask("resources/read", &json!({"uri": uri}))["error"].is_object());
    // Nobody goes on with a session that somebody else began.
    let stolen = [("mcp-session-id", writer.session.as_str())];
    assert_eq!(server.post_as(BOT, &stolen, &create("Eve")).status(), 404);

    let shown = server.walden(&["audit", "show", "serve"]);
    let told = r#"clients=["bot: search_nodes","reader: read","writer: all"]"#;
    assert!(shown.contains(told), "{shown}");
    for (client, tool, allowed) in [
        ("writer", "create_entities", true),
        ("reader", "create_entities", false),
        ("reader", "read_graph", true),
        ("bot", "search_nodes", true),
        ("bot", "read_graph", false),
    ] {
        let line = shown
            .lines()
            .find(|line| line.contains(&format!("client={client}  server=memory  tool={tool}")));
        let line = line.unwrap_or_else(|| panic!("{client} {tool}: {shown}"));
        assert!(line.ends_with(&format!("allowed={allowed}")), "{line}");
    }
    assert_eq!(shown.matches("outcome=done").count(), 3, "{shown}");
    for token in [READER, WRITER, BOT] {
        assert!(!shown.contains(token), "{shown}");
    }
    assert!(
        server
            .walden(&["audit", "verify", "serve"])
            .starts_with("holds")
    );
}

/// Writes a file of clients.
fn written(folder: &tempfile::TempDir, text: &str) -> String {
    let path = folder.path().join("clients.toml");
    std::fs::write(&path, text).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("set");
    path.display().to_string()
}

/// Lays two folders, each with a file, in a folder that is served.
fn two_folders() -> tempfile::TempDir {
    let served = tempfile::tempdir().expect("a folder");
    for name in ["a", "b"] {
        let folder = served.path().join(name);
        std::fs::create_dir(&folder).expect("made");
        std::fs::write(folder.join("secret"), format!("of {name}")).expect("written");
    }
    served
}

#[test]
fn a_client_reaches_its_own_folders_and_no_others() {
    let (served, folder) = (two_folders(), tempfile::tempdir().expect("a folder"));
    let path = |name: &str| {
        let top = served.path().canonicalize().expect("there");
        top.join(name).display().to_string()
    };
    let text = format!(
        "[reader]\ntoken = \"{READER}\"\nroots = [\"{}\"]\n\n[writer]\ntoken = \"{WRITER}\"\nroots = [\"{}\"]\n\n\
         [bot]\ntoken = \"{BOT}\"\n",
        path("a"),
        path("b")
    );
    let clients = written(&folder, &text);
    let server = Server::of("filesystem", &[&path(""), "--clients", &clients]);
    let (a, b, all) = (
        Client::new(&server, READER),
        Client::new(&server, WRITER),
        Client::new(&server, BOT),
    );
    let read = |client: &Client, name: &str| {
        let answer = client.call("read_text_file", &json!({"path": path(name)}));
        let is_error = answer["result"]["isError"] == true;
        let text = answer["result"]["content"][0]["text"].as_str();
        (is_error, text.expect("a text").to_owned())
    };
    assert_eq!(read(&a, "a/secret"), (false, "of a".to_owned()));
    assert_eq!(read(&b, "b/secret"), (false, "of b".to_owned()));
    for (client, name) in [(&a, "b/secret"), (&b, "a/secret"), (&a, "a/../b/secret")] {
        let (is_error, said) = read(client, name);
        assert!(is_error && !said.contains("of "), "{name}: {said}");
    }
    assert_eq!(read(&all, "a/secret"), (false, "of a".to_owned()));
    let allowed = a.call("list_allowed_directories", &json!({}));
    let told = allowed["result"]["content"][0]["text"]
        .as_str()
        .expect("a text");
    assert!(
        told.contains(&path("a")) && !told.contains(&path("b")),
        "{told}"
    );
    let made = a.call(
        "write_file",
        &json!({"path": path("b/new"), "content": "x"}),
    );
    assert_eq!(made["result"]["isError"], true, "{made}");
    assert!(!served.path().join("b/new").exists());

    // Without a session it is the same.
    for (name, is_error) in [("a/secret", false), ("b/secret", true)] {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": "read_text_file", "arguments": {"path": path(name)}, "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            },
        }});
        let headers = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "read_text_file"),
        ];
        let answer = server.post_as(READER, &headers, &call).message();
        assert_eq!(answer["result"]["isError"] == true, is_error, "{answer}");
    }
    let shown = server.walden(&["audit", "show", "serve"]);
    let told = format!("reader: all in {}", path("a"));
    assert!(shown.contains(&told), "{shown}");
}

#[test]
fn a_client_of_git_reaches_its_own_repository() {
    let (served, folder) = (two_folders(), tempfile::tempdir().expect("a folder"));
    let path = |name: &str| {
        let top = served.path().canonicalize().expect("there");
        top.join(name).display().to_string()
    };
    for name in ["a", "b"] {
        let made = Command::new("git")
            .args(["init", "--quiet"])
            .arg(path(name))
            .status()
            .expect("git runs");
        assert!(made.success());
    }
    let text = format!(
        "[reader]\ntoken = \"{READER}\"\nroots = [\"{}\"]\n",
        path("a")
    );
    let (a, b) = (path("a"), path("b"));
    let clients = written(&folder, &text);
    let arguments = [
        "--repository",
        &a,
        "--repository",
        &b,
        "--clients",
        &clients,
    ];
    let server = Server::of("git", &arguments);
    let client = Client::new(&server, READER);
    for (repository, is_error) in [(&a, false), (&b, true)] {
        let status = client.call("git_status", &json!({"repo_path": repository}));
        assert_eq!(status["result"]["isError"] == true, is_error, "{status}");
    }
}

#[test]
fn folders_that_are_wider_than_what_is_served_are_refused_at_the_start() {
    let (served, folder) = (two_folders(), tempfile::tempdir().expect("a folder"));
    let (a, b) = (served.path().join("a"), served.path().join("b"));
    std::os::unix::fs::symlink(&b, a.join("out")).expect("a link");
    let check = |arguments: &[&str], root: &std::path::Path, said: &str| {
        let text = format!(
            "[reader]\ntoken = \"{READER}\"\nroots = [\"{}\"]\n",
            root.display()
        );
        let output = Command::new(env!("CARGO_BIN_EXE_walden"))
            .arg("serve")
            .args(arguments)
            .args(["--http", "0", "--clients", &written(&folder, &text)])
            .current_dir(&a)
            .env("WALDEN_STATE", folder.path().join("state"))
            .output()
            .expect("walden runs");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(
            stderr.contains("`roots` of `reader`") && stderr.contains(said),
            "{root:?}: {stderr}"
        );
    };
    let inside = a.display().to_string();
    for root in [
        &b,
        served.path(),
        &a.join("nothing"),
        &a.join("secret"),
        &a.join("out"),
    ] {
        check(
            &["filesystem", &inside],
            root,
            "is no folder in what is served",
        );
    }
    check(&["git"], &a, "is no repository");
    check(&["memory"], &a, "this server has no folders");
}

#[test]
fn a_client_that_calls_more_often_than_it_may_is_told_when_to_come_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let text =
        format!("[reader]\ntoken = \"{READER}\"\nrate = 60\n\n[writer]\ntoken = \"{WRITER}\"\n");
    let server = Server::start(&["--clients", &written(&folder, &text)]);
    let client = Client::new(&server, READER);
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "read_graph", "arguments": {},
    }});
    for number in 1..=60 {
        assert_eq!(client.post(&call).status(), 200, "call {number}");
    }
    for _ in 0..2 {
        let refused = client.post(&call);
        assert_eq!(refused.status(), 429, "{}", refused.0);
        let wait = refused.header("retry-after").expect("a time");
        let seconds: u64 = wait.parse().expect("seconds");
        assert!((1..=60).contains(&seconds), "{wait}");
        assert!(
            refused
                .0
                .ends_with("`reader` has made its 60 calls of this minute"),
            "{}",
            refused.0
        );
    }
    // Looking around is no call, and others are none of its business.
    assert_eq!(client.tools().len(), 9);
    assert_eq!(Client::new(&server, WRITER).post(&call).status(), 200);
    // A key that stands there twice is no way around.
    let twice = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"read_graph"}}"#;
    let right = format!("Bearer {READER}");
    let headers = [
        ("authorization", right.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-session-id", client.session.as_str()),
    ];
    assert_eq!(server.send("POST", "/mcp", &headers, twice).status(), 400);

    let metrics = server.send("GET", "/metrics", &headers[..1], "");
    let line = "walden_calls_over_rate_total 2";
    assert!(metrics.0.contains(line), "{}", metrics.0);
    let shown = server.walden(&["audit", "show", "serve"]);
    let told = "client=reader  server=memory  rate=60";
    assert_eq!(shown.matches(told).count(), 1, "{shown}");
}

#[test]
fn a_file_of_tokens_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_walden"))
        .args(["serve", "memory", "--http", "0", "--clients"])
        .arg(clients(&folder, 0o644))
        .env("WALDEN_STATE", folder.path().join("state"))
        .output()
        .expect("walden runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("chmod 600"),
        "{said}"
    );
}
