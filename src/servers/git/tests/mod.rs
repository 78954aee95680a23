//! The server as a client meets it, over a pipe.

#![expect(
    clippy::disallowed_methods,
    reason = "a test lays its own files and its own repositories, with git itself"
)]

mod client_roots;
mod hostile;
mod own;
mod recorded;
mod reference;
mod worktrees;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rmcp::model::{CallToolResponse, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, RunningService};
use rmcp::{ClientServiceExt as _, RoleClient, ServiceError, ServiceExt as _};
use serde_json::{Value, json};

use super::*;

/// A folder with the repository `r`, and a client of a server for it.
struct World {
    folder: tempfile::TempDir,
    client: RunningService<RoleClient, ()>,
}

impl World {
    /// One commit with `a.txt` (`one`, `two`) and `sub/b.txt`.
    async fn new() -> Self {
        Self::with(full, laid()).await
    }

    async fn with(make: fn(Roots) -> Git, folder: tempfile::TempDir) -> Self {
        let repo = folder.path().join("r");
        Self::over(make, folder, &[repo]).await
    }

    async fn over(make: fn(Roots) -> Git, folder: tempfile::TempDir, roots: &[PathBuf]) -> Self {
        let mode = ClientLifecycleMode::Discover {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        };
        Self::connected(make(Roots::open(roots).expect("roots")), folder, mode).await
    }

    async fn connected(server: Git, folder: tempfile::TempDir, mode: ClientLifecycleMode) -> Self {
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move {
            let running = server.serve(far).await.expect("serving");
            let _ = running.waiting().await;
        });
        let client = ().serve_with_lifecycle(near, mode).await.expect("connected");
        Self { folder, client }
    }

    fn repo(&self) -> PathBuf {
        self.folder.path().join("r")
    }

    fn write(&self, path: &str, text: &str) {
        write(&self.repo(), path, text);
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.repo().join(path)).expect("a text")
    }

    /// Runs git itself in the repository.
    fn git(&self, arguments: &[&str]) -> String {
        git(&self.repo(), arguments)
    }

    async fn send(&self, tool: &str, arguments: Value) -> Result<CallToolResult, ServiceError> {
        let Value::Object(arguments) = arguments else {
            panic!("arguments are an object");
        };
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        match self.client.call_tool_once(request).await? {
            CallToolResponse::Complete(result) => Ok(result),
            other => panic!("not a result: {other:?}"),
        }
    }

    /// Calls a tool on the repository and returns its text; an error is marked.
    async fn call(&self, tool: &str, mut arguments: Value) -> String {
        if arguments.get("repo_path").is_none() {
            arguments["repo_path"] = self.repo().to_string_lossy().into();
        }
        self.call_plainly(tool, arguments).await
    }

    async fn call_plainly(&self, tool: &str, arguments: Value) -> String {
        told(&self.send(tool, arguments).await.expect("an answer"))
    }
}

/// Returns the text of an answer; an error is marked.
fn told(result: &CallToolResult) -> String {
    let text: Vec<&str> = result
        .content
        .iter()
        .filter_map(|block| Some(block.as_text()?.text.as_str()))
        .collect();
    let text = text.join("\n");
    match result.is_error {
        Some(true) => format!("error: {text}"),
        _ => text,
    }
}

/// Makes a server that keeps to its roots.
fn full(roots: Roots) -> Git {
    Git::full(roots, ClientRoots::Ignore)
}

fn laid() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    lay(&folder.path().join("r"));
    folder
}

/// Lays a repository with one commit.
fn lay(repo: &Path) {
    fs::create_dir_all(repo).expect("a folder");
    git(repo, &["init", "-q", "-b", "main"]);
    for (name, value) in [
        ("user.name", "A"),
        ("user.email", "a@x"),
        ("commit.gpgsign", "false"),
        ("core.autocrlf", "false"),
        ("core.excludesFile", "/dev/null"),
    ] {
        git(repo, &["config", name, value]);
    }
    write(repo, "a.txt", "one\ntwo\n");
    write(repo, "sub/b.txt", "b\n");
    git(repo, &["add", "-A"]);
    git(repo, &["commit", "-q", "-m", "first"]);
}

fn write(repo: &Path, path: &str, text: &str) {
    let path = repo.join(path);
    fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    fs::write(path, text).expect("a file");
}

fn git(repo: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(repo)
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_DATE", "2026-01-01 00:00:00 +0000")
        .env("GIT_COMMITTER_DATE", "2026-01-01 00:00:00 +0000")
        .output()
        .expect("git is there");
    // A merge with conflicts ends so as well: what a test needs, it looks at.
    String::from_utf8_lossy(&output.stdout)
        .trim_end_matches('\n')
        .to_owned()
}

#[track_caller]
fn check(said: &str, expected: &str) {
    assert_eq!(said, expected);
}

#[track_caller]
fn has(said: &str, part: &str) {
    assert!(said.contains(part), "`{part}` is not in: {said}");
}
