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
