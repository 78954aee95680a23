//! Servers in containers: what the runtime is told, what is shown and pinned, and who starts it. The runtime is a program
//! that notes its command line and its variables, and becomes what it was to run.

#![expect(
    clippy::disallowed_methods,
    reason = "a test starts walden and lays its own files"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The image that the runtime looks for: what follows it is the command.
const IMAGE: &str = "localhost/it:1";

struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new(sandbox: &Value) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        for folder in ["home", "repository/.git", "config/walden", "bin", "noted"] {
            std::fs::create_dir_all(dir.path().join(folder)).expect("a folder");
        }
        let world = Self { dir };
        let noted = world.path("noted");
        let runtime = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" > '{0}/argv'\nenv > '{0}/env'\necho $$ > '{0}/process'\n\
             while [ \"$1\" != {IMAGE} ]; do shift; done\nshift\n[ $# = 0 ] && exit 125\nexec \"$@\"\n",
            noted.display()
        );
        let podman = world.path("bin/podman");
        std::fs::write(&podman, runtime).expect("written");
        std::fs::set_permissions(&podman, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mcp_server.py");
        world.configure(&json!({
            "command": "python3", "args": [fixture, "good"], "sandbox": sandbox, "env": {"TOKEN": "t0k3n"},
        }));
        world
    }

    fn configure(&self, entry: &Value) {
        let file = json!({"mcpServers": {"it": entry}});
        std::fs::write(self.path("config/walden/mcp.json"), file.to_string()).expect("written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn walden(&self, arguments: &[&str]) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        Command::new(env!("CARGO_BIN_EXE_walden"))
            .args(arguments)
            .current_dir(self.path("repository"))
            .stdin(Stdio::null())
            .env_clear()
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("HOME", self.path("home"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("WALDEN_STATE", self.path("state"))
            .env("CANARY", "c4n4ry")
            .output()
            .expect("it starts")
    }

    fn noted(&self, name: &str) -> String {
        std::fs::read_to_string(self.path("noted").join(name)).unwrap_or_default()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_server_in_a_container_is_shown_in_full_and_speaks() {
    let world = World::new(&json!({"container": IMAGE}));
    let output = world.walden(&["mcp", "trust", "it", "--yes"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    let argv = world.noted("argv");
    for word in [
        "--network=none",
        "--cap-drop=all",
        "--read-only",
        "--pull=never",
        "--env=TOKEN",
        IMAGE,
    ] {
        assert!(argv.lines().any(|line| line == word), "{word} in {argv}");
        assert!(text.contains(word), "{word} is shown: {text}");
    }
    let root = world.path("repository").canonicalize().expect("there");
    assert!(
        argv.contains(&format!(
            "--mount=type=bind,source={0},target={0},readonly\n",
            root.display()
        )),
        "{argv}"
    );
    // Of the host's variables the runtime has its own, and the container those that were named, by their names.
    let env = world.noted("env");
    assert!(
        env.contains("TOKEN=t0k3n") && !env.contains("c4n4ry"),
        "{env}"
    );
    assert!(
        !argv.contains("t0k3n") && !text.contains("t0k3n"),
        "{argv}{text}"
    );
    let output = world.walden(&["mcp", "call", "it", "echo", r#"{"text": "hello there"}"#]);
    assert!(said(&output).contains("hello there"), "{}", said(&output));
    let text = said(&world.walden(&["mcp", "pins", "it"]));
    assert!(
        text.contains(IMAGE) && text.contains("--network=none"),
        "{text}"
    );
}

#[test]
fn another_image_or_a_wider_container_is_asked_about_again() {
    let world = World::new(&json!({"container": IMAGE}));
    assert!(
        world
            .walden(&["mcp", "trust", "it", "--yes"])
            .status
            .success()
    );
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mcp_server.py");
    for sandbox in [
        json!({"container": "localhost/it:2"}),
        json!({"container": IMAGE, "network": true}),
        json!({"container": IMAGE, "write": [world.path("home")]}),
        json!({}),
    ] {
        world.configure(&json!({
            "command": "python3", "args": [fixture, "good"], "sandbox": sandbox, "env": {"TOKEN": "t0k3n"},
        }));
        std::fs::write(world.path("noted/argv"), "").expect("written");
        let output = world.walden(&["mcp", "call", "it", "echo", r#"{"text": "x"}"#]);
        let text = said(&output);
        assert!(
            !output.status.success() && text.contains("changed"),
            "{sandbox}: {text}"
        );
        assert_eq!(world.noted("argv"), "", "{sandbox}: nothing was started");
    }
}

#[test]
fn a_repository_cannot_choose_a_container() {
    let world = World::new(&json!({"container": IMAGE, "network": true}));
    let (from, to) = (
        world.path("config/walden/mcp.json"),
        world.path("repository/.mcp.json"),
    );
    std::fs::rename(from, to).expect("moved");
    let text = said(&world.walden(&["mcp", "trust", "it", "--yes"]));
    assert_eq!(world.noted("argv"), "", "{text}");
    assert!(text.contains("(not granted)"), "{text}");
}

#[test]
fn without_a_runtime_it_is_said_and_nothing_is_started() {
    let world = World::new(&json!({"container": "-v/:/host"}));
    let text = said(&world.walden(&["mcp", "trust", "it", "--yes"]));
    assert!(text.contains("no name of an image"), "{text}");
    let text = said(&world.walden(&["doctor"]));
    assert!(text.contains("bin/podman"), "{text}");
}

#[test]
fn a_sealed_session_has_it_started_beside_the_seal_and_ends_it() {
    let Some(model) = std::env::var_os("WALDEN_TEST_SMALL_MODEL") else {
        return;
    };
    let world = World::new(&json!({"container": IMAGE}));
    assert!(
        world
            .walden(&["mcp", "trust", "it", "--yes"])
            .status
            .success()
    );
    std::fs::write(world.path("noted/argv"), "").expect("written");
    let model = model.to_string_lossy();
    let output = world.walden(&[
        "exec",
        "--model",
        &model,
        "--max-turns",
        "1",
        "--budget",
        "1",
        "hi",
    ]);
    let text = said(&output);
    // The folder of its notes is out of the session's reach, so that nobody in there wrote them.
    assert!(world.noted("argv").contains(IMAGE), "{text}");
    assert!(!text.contains("is down"), "{text}");
    let process = PathBuf::from("/proc").join(world.noted("process").trim());
    let began = Instant::now();
    while process.exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "it still runs");
        std::thread::yield_now();
    }
}
