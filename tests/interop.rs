//! The reference servers of the registries, driven as a user drives them: added, agreed to, listed, called, looked
//! after. `make interop` installs them into `target/interop`; without them there is nothing to test.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test runs the program and shows what came of it"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// One server: the user's name for it, how it is started, what is called of it, and words of the answer.
struct Row {
    name: &'static str,
    argv: Vec<String>,
    calls: Vec<(&'static str, Value, &'static str)>,
    tools: usize,
}

/// A home, a repository, and the program.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let world = Self { folder };
        std::fs::create_dir_all(world.at("repo")).expect("made");
        std::fs::create_dir_all(world.at("kept")).expect("made");
        std::fs::write(world.at("repo/note.txt"), "hello\n").expect("written");
        for arguments in [
            &["init", "-q"][..],
            &["add", "."],
            &[
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@localhost",
                "commit",
                "-qm",
                "first",
            ],
        ] {
            let done = Command::new("git")
                .args(arguments)
                .current_dir(world.at("repo"))
                .status();
            assert!(done.expect("git runs").success(), "{arguments:?}");
        }
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_walden"));
        for name in [
            "XDG_CONFIG_HOME",
            "XDG_STATE_HOME",
            "XDG_DATA_HOME",
            "XDG_CACHE_HOME",
        ] {
            command.env_remove(name);
        }
        command
            .env("HOME", self.at("home"))
            .args(arguments)
            .current_dir(self.at("repo"))
            .output()
            .expect("walden runs")
    }
}

fn text(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    format!("{out}{err}")
}

fn rows(installed: &Path, world: &World) -> Vec<Row> {
    let path = |path: PathBuf| path.display().to_string();
    let node = |package: &str, more: &[String]| {
        let script = format!("node_modules/@modelcontextprotocol/server-{package}/dist/index.js");
        let mut argv = vec!["node".to_owned(), path(installed.join(script))];
        argv.extend(more.iter().cloned());
        argv
    };
    let python = |program: &str, more: &[String]| {
        let mut argv = vec![path(installed.join("venv/bin").join(program))];
        argv.extend(more.iter().cloned());
        argv
    };
    let repo = path(world.at("repo"));
    vec![
        Row {
            name: "everything",
            argv: node("everything", &[]),
            calls: vec![
                ("echo", json!({"message": "hi"}), "Echo: hi"),
                ("get-sum", json!({"a": 2, "b": 3}), "5"),
                (
                    "get-structured-content",
                    json!({"location": "Chicago"}),
                    "temperature",
                ),
                ("get-tiny-image", json!({}), "image/png"),
                ("get-resource-links", json!({"count": 2}), "[resource "),
                ("get-roots-list", json!({}), "repo"),
                (
                    "trigger-long-running-operation",
                    json!({"duration": 1, "steps": 2}),
                    "completed",
                ),
                ("simulate-research-query", json!({"topic": "owls"}), "owls"),
            ],
            // Three more where somebody can be asked.
            tools: 14,
        },
        Row {
            name: "files",
            argv: node("filesystem", std::slice::from_ref(&repo)),
            calls: vec![
                ("list_directory", json!({"path": repo}), "note.txt"),
                (
                    "read_text_file",
                    json!({"path": format!("{repo}/note.txt")}),
                    "hello",
                ),
            ],
            tools: 14,
        },
        Row {
            name: "graph",
            argv: node("memory", &[]),
            calls: vec![
                (
                    "create_entities",
                    json!({"entities": [{"name": "owl", "entityType": "bird", "observations": ["hoots"]}]}),
                    "owl",
                ),
                ("search_nodes", json!({"query": "hoots"}), "bird"),
            ],
            tools: 9,
        },
        Row {
            name: "thinking",
            argv: node("sequential-thinking", &[]),
            calls: vec![(
                "sequentialthinking",
                json!({"thought": "t", "nextThoughtNeeded": false, "thoughtNumber": 1, "totalThoughts": 1}),
                "thoughtHistoryLength",
            )],
            tools: 1,
        },
        Row {
            name: "fetch",
            argv: python("mcp-server-fetch", &[]),
            // It has no network here, and says so.
            calls: vec![("fetch", json!({"url": "http://127.0.0.1:9/"}), "")],
            tools: 1,
        },
        Row {
            name: "commits",
            argv: python("mcp-server-git", &["--repository".to_owned(), repo.clone()]),
            calls: vec![
                ("git_log", json!({"repo_path": repo}), "first"),
                ("git_status", json!({"repo_path": repo}), "clean"),
            ],
            tools: 12,
        },
        Row {
            name: "clock",
            argv: python("mcp-server-time", &[]),
            calls: vec![(
                "get_current_time",
                json!({"timezone": "Europe/Paris"}),
                "Paris",
            )],
            tools: 2,
        },
    ]
}

#[test]
fn the_reference_servers_are_added_listed_called_and_looked_after() {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop");
    if !installed.join("ready").exists() {
        println!("skipped: the reference servers are not installed; `make interop` does it");
        return;
    }
    let world = World::new();
    let mut table = Vec::new();
    for row in rows(&installed, &world) {
        let Row {
            name,
            argv,
            calls,
            tools,
        } = row;
        let kept = world.at("kept").display().to_string();
        let memory = format!("MEMORY_FILE_PATH={kept}/memory.jsonl");
        let mut add = vec!["mcp", "add", name, "--yes"];
        if name == "graph" {
            add.extend(["--env", &memory, "--write", &kept]);
        }
        add.push("--");
        add.extend(argv.iter().map(String::as_str));
        let added = world.run(&add);
        assert!(added.status.success(), "{name}: {}", text(&added));
        let mut called = Vec::new();
        for (tool, arguments, words) in &calls {
            let output = world.run(&["mcp", "call", name, tool, &arguments.to_string()]);
            let said = text(&output);
            // Whatever it is about, a confined server cannot reach an address.
            let wanted = name != "fetch";
            assert_eq!(output.status.success(), wanted, "{name} {tool}: {said}");
            assert!(said.contains(words), "{name} {tool}: {said}");
            called.push(*tool);
        }
        let listed = world.run(&["mcp", "tools", name, "--json"]);
        let list: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
        let list = list.as_array().expect("a list");
        assert_eq!(list.len(), tools, "{name}: {}", text(&listed));
        let tokens: u64 = list.iter().filter_map(|tool| tool["tokens"].as_u64()).sum();
        let doctor = world.run(&["mcp", "doctor", name]);
        let said = text(&doctor);
        assert!(doctor.status.success(), "{name}: {said}");
        let about = said.lines().nth(1).unwrap_or_default().trim().to_owned();
        let result = if name == "fetch" {
            "refused: no network"
        } else {
            "ok"
        };
        table.push(format!(
            "{name:<11} {about} · {tokens} tokens · {} · {result}",
            called.join(", ")
        ));
    }
    println!("{}", table.join("\n"));
    let all = world.run(&["mcp", "list"]);
    assert_eq!(text(&all).matches("agreed,").count(), 7, "{}", text(&all));
}
