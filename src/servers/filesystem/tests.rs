//! The server as a client meets it, over a pipe.

#![expect(clippy::disallowed_methods, reason = "a test lays its own files")]

use std::fs;
use std::path::Path;

use rmcp::model::{CallToolResponse, CallToolResult, ProtocolVersion, RequestMetaObject};
use rmcp::service::{ClientLifecycleMode, RunningService};
use rmcp::{ClientServiceExt as _, RoleClient, ServiceError, ServiceExt as _};
use serde_json::{Value, json};

use super::*;
use crate::protocol::FileChange;
use crate::workspace::hash_of;

struct Session {
    folder: tempfile::TempDir,
    client: RunningService<RoleClient, ()>,
    server: tokio::task::JoinHandle<()>,
}

impl Session {
    async fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            fs::write(path, text).expect("a file");
        }
        let roots = Roots::open(&[folder.path().to_owned()]).expect("roots");
        let mode = ClientLifecycleMode::Discover {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        };
        Self::over(folder, roots, mode).await
    }

    async fn over(folder: tempfile::TempDir, roots: Roots, mode: ClientLifecycleMode) -> Self {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let server = tokio::spawn(async move {
            let running = Filesystem::new(roots).serve(far).await.expect("serving");
            let _ = running.waiting().await;
        });
        let client = ().serve_with_lifecycle(near, mode).await.expect("connected");
        Self {
            folder,
            client,
            server,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).expect("a text")
    }

    async fn call_with(
        &self,
        tool: &'static str,
        arguments: Value,
        meta: Value,
    ) -> Result<CallToolResult, ServiceError> {
        let Value::Object(arguments) = arguments else {
            panic!("arguments are an object");
        };
        let mut request = CallToolRequestParams::new(tool).with_arguments(arguments);
        if let Value::Object(meta) = meta {
            request.meta = Some(RequestMetaObject::from(meta));
        }
        match self.client.call_tool_once(request).await? {
            CallToolResponse::Complete(result) => Ok(result),
            other => panic!("not a result: {other:?}"),
        }
    }

    /// Calls a tool and returns its text; an error is marked.
    async fn call(&self, tool: &'static str, arguments: Value) -> String {
        said(
            &self
                .call_with(tool, arguments, Value::Null)
                .await
                .expect("an answer"),
        )
    }

    async fn end(self) {
        self.client.cancel().await.expect("closed");
        self.server.await.expect("ended");
    }
}

fn said(result: &CallToolResult) -> String {
    let text: Vec<&str> = result
        .content
        .iter()
        .filter_map(|block| Some(block.as_text()?.text.as_str()))
        .collect();
    match result.is_error {
        Some(true) => format!("error: {}", text.join("\n")),
        _ => text.join("\n"),
    }
}

fn change(result: &CallToolResult) -> FileChange {
    let structured = result.structured_content.clone().expect("a change");
    serde_json::from_value(structured).expect("a change")
}

#[tokio::test]
async fn the_tools_are_described_in_few_words_and_rated() {
    let session = Session::new(&[]).await;
    let info = session.client.peer_info().expect("an introduction");
    assert_eq!(
        info.server_info.as_ref().expect("a name").name,
        "walden-filesystem"
    );
    let tools = session.client.list_tools(None).await.expect("tools").tools;
    let shown: Vec<String> = tools
        .iter()
        .map(|tool| {
            let properties = tool.input_schema["properties"].as_object();
            let names: Vec<&str> = properties
                .map(|all| all.keys().map(String::as_str).collect())
                .unwrap_or_default();
            let meta = tool.meta.as_ref().expect("a rating");
            format!(
                "{}({}) {} {}",
                tool.name,
                names.join(", "),
                meta["walden/risk"],
                meta.get("walden/preview").is_some()
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "read(path, from, lines) \"read\" false",
            "list(path) \"read\" false",
            "find(pattern) \"read\" false",
            "search(pattern, path) \"read\" false",
            "edit(path, old, new) \"edit\" true",
            "write(path, content) \"edit\" true",
        ]
    );
    session.end().await;
}

#[tokio::test]
async fn files_are_read_listed_found_and_searched() {
    let session = Session::new(&[
        ("src/a.rs", "fn a() {}\r\nfn b() {}\r\n"),
        ("README.md", "hello"),
        ("empty", ""),
        (".gitignore", "target"),
        ("target/x", ""),
    ])
    .await;
    let call = async |tool, arguments| session.call(tool, arguments).await;
    assert_eq!(call("read", json!({"path": "README.md"})).await, "hello");
    assert_eq!(
        call("read", json!({"path": "src/a.rs"})).await,
        "fn a() {}\nfn b() {}\n"
    );
    assert_eq!(
        call("read", json!({"path": "src/a.rs", "from": 1, "lines": 1})).await,
        "fn a() {}\n[lines 1-1 of 2; go on with from=2]"
    );
    assert_eq!(
        call("read", json!({"path": "src/a.rs", "from": 9})).await,
        "error: `src/a.rs` has 2 lines; give a `from` up to 2"
    );
    assert_eq!(call("read", json!({"path": "empty"})).await, "[empty file]");
    assert_eq!(
        call("read", json!({"path": "a.rs"})).await,
        "error: no file `a.rs`; nearest: `src/a.rs`"
    );
    assert!(
        call("read", json!({"path": "src"}))
            .await
            .contains("is a directory")
    );
    assert!(
        call("read", json!({"path": "/etc/passwd"}))
            .await
            .contains("outside")
    );
    let all = ".gitignore\nREADME.md\nempty\nsrc/a.rs";
    assert_eq!(call("list", json!({})).await, all);
    assert_eq!(call("list", json!({"path": null})).await, all);
    assert_eq!(call("list", json!({"path": "src"})).await, "src/a.rs");
    assert_eq!(call("find", json!({"pattern": "*.rs"})).await, "src/a.rs");
    assert_eq!(
        call("find", json!({"pattern": "raedme.md"})).await,
        "no file name matches `raedme.md`; nearest:\nREADME.md"
    );
    assert_eq!(
        call("search", json!({"pattern": "fn \\w\\("})).await,
        "src/a.rs:1: fn a() {}\nsrc/a.rs:2: fn b() {}"
    );
    assert_eq!(
        call("search", json!({"pattern": "nowhere", "path": "src"})).await,
        "nothing found for `nowhere` in 1 files; try a shorter pattern, or leave out `path`"
    );
    session.end().await;
}

#[tokio::test]
async fn a_large_directory_is_listed_by_its_own_entries() {
    let names: Vec<String> = (0..70).map(|n| format!("src/{n:02}.rs")).collect();
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    files.push(("z.txt", ""));
    let session = Session::new(&files).await;
    assert_eq!(session.call("list", json!({})).await, "src/\nz.txt");
    assert_eq!(
        session
            .call("list", json!({"path": "src"}))
            .await
            .lines()
            .count(),
        70
    );
    let found = session.call("search", json!({"pattern": "x"})).await;
    assert_eq!(found.lines().count(), 70);
    session.end().await;
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let session = Session::new(&[]).await;
    for (tool, arguments, error) in [
        ("read", json!({}), "error: `read` needs `path`, a string"),
        ("read", json!({"path": 1}), "error: `path` must be a string"),
        (
            "read",
            json!({"path": "a", "from": "x"}),
            "error: `from` must be a whole number from 1",
        ),
        (
            "edit",
            json!({"path": "a", "old": "b"}),
            "error: `edit` needs `new`, a string",
        ),
        (
            "find",
            json!({"name": "a"}),
            "error: `find` has no argument `name`; it takes `pattern`",
        ),
    ] {
        assert_eq!(session.call(tool, arguments).await, error);
    }
    let unknown = session.call_with("delete", json!({}), Value::Null).await;
    let Err(ServiceError::McpError(error)) = unknown else {
        panic!("not an error: {unknown:?}");
    };
    assert_eq!(error.code.0, -32602);
    session.end().await;
}

#[tokio::test]
async fn a_preview_changes_nothing_and_what_was_shown_is_what_is_written() {
    let session = Session::new(&[("a.txt", "one\ntwo\n")]).await;
    let edit = json!({"path": "a.txt", "old": "two", "new": "2\n3"});
    let preview = session
        .call_with("edit", edit.clone(), json!({"walden/preview": true}))
        .await
        .expect("a preview");
    assert_eq!(
        said(&preview),
        "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,3 @@\n one\n-two\n+2\n+3\n"
    );
    assert_eq!(session.text("a.txt"), "one\ntwo\n");
    let shown = change(&preview);
    let expect = json!({"walden/expect": {"base": shown.base, "after": shown.after}});

    fs::write(session.path().join("a.txt"), "zero\none\ntwo\n").expect("a foreign edit");
    let refused = session
        .call_with("edit", edit.clone(), expect.clone())
        .await
        .expect("an answer");
    assert_eq!(
        said(&refused),
        "error: cannot write `a.txt`: it changed since the diff was shown"
    );
    assert_eq!(session.text("a.txt"), "zero\none\ntwo\n");

    fs::write(session.path().join("a.txt"), "one\ntwo\n").expect("taken back");
    let done = session
        .call_with("edit", edit.clone(), expect.clone())
        .await
        .expect("an answer");
    assert_eq!(said(&done), "edited `a.txt` (+2 -1)");
    assert_eq!(change(&done), shown);
    assert_eq!(session.text("a.txt"), "one\n2\n3\n");

    // Once more: what it was planned on is gone.
    let again = session
        .call_with("edit", edit, expect)
        .await
        .expect("an answer");
    assert!(said(&again).contains("changed since the diff was shown"));
    let unclear = json!({"walden/expect": {"base": 1}});
    let unclear = session
        .call_with("write", json!({"path": "b", "content": ""}), unclear)
        .await
        .expect("an answer");
    assert_eq!(unclear.is_error, Some(true));
    assert!(!session.path().join("b").exists());
    session.end().await;
}

#[tokio::test]
async fn a_file_is_written_whole() {
    let session = Session::new(&[]).await;
    let write = json!({"path": "new/a.sh", "content": "echo\n"});
    let expect = json!({"walden/expect": {"base": null, "after": hash_of(b"echo\n")}});
    let done = session
        .call_with("write", write.clone(), expect)
        .await
        .expect("an answer");
    assert_eq!(said(&done), "created `new/a.sh` (+1 -0)");
    assert_eq!(change(&done).notes, ["executable data"]);
    assert_eq!(session.text("new/a.sh"), "echo\n");
    assert!(
        session
            .call("write", write)
            .await
            .contains("nothing would change")
    );
    let replaced = json!({"path": "new/a.sh", "content": "exit\n"});
    assert_eq!(
        session.call("write", replaced).await,
        "edited `new/a.sh` (+1 -1)"
    );
    let git = json!({"path": ".git/hooks/pre-commit", "content": "x"});
    assert!(session.call("write", git).await.contains("under `.git`"));
    session.end().await;
}

#[tokio::test]
async fn a_client_of_the_older_protocol_is_served_and_no_roots_mean_no_access() {
    let folder = tempfile::tempdir().expect("a folder");
    let roots = Roots::open(&[]).expect("no roots");
    let session = Session::over(folder, roots, ClientLifecycleMode::Initialize).await;
    for (tool, arguments) in [
        ("read", json!({"path": "a"})),
        ("list", json!({})),
        ("find", json!({"pattern": "a"})),
        ("search", json!({"pattern": "a"})),
        ("edit", json!({"path": "a", "old": "b", "new": "c"})),
        ("write", json!({"path": "a", "content": "c"})),
    ] {
        let said = session.call(tool, arguments).await;
        assert!(
            said.starts_with("error: no folder is open"),
            "{tool}: {said}"
        );
    }
    session.end().await;
}
