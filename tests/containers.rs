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

/// A server of a shell alone, so that an image of one program holds it.
const SHELL_SERVER: &str = r#"while read -r line; do
  id=$(echo "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case "$line" in
    *'"method":"initialize"'*)
      echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"it","version":"1"}}}' ;;
    *'"method":"tools/list"'*)
      echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"tools":[{"name":"look","description":"Looks.","inputSchema":{"type":"object","properties":{}}}]}}' ;;
    *'"method":"tools/call"'*)
      outside=$(ls /root /home 2>/dev/null | head -c 100 | tr '\n' ' ')
      wrote=no; echo x > "$PWD/written" 2>/dev/null && wrote=yes
      mine=no; echo x > /tmp/mine 2>/dev/null && mine=yes
      ways=$(ls /sys/class/net | tr '\n' ' ')
      echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"content":[{"type":"text","text":"sees '"$(cat here.txt)"', user '"$(id -u)"', ways '"$ways"', wrote '"$wrote"', own '"$mine"', token '"$TOKEN"'"}]}}' ;;
    *'"id":'*)
      echo '{"jsonrpc":"2.0","id":'"$id"',"error":{"code":-32601,"message":"unknown"}}' ;;
  esac
done
trap '' TERM
while :; do sleep 1; done
"#;

/// Makes an image of a static shell. The error says why this machine has no real runtime.
fn real_image(podman: &dyn Fn(&[&str]) -> Output, dir: &Path) -> Result<(), String> {
    let busybox = Path::new("/bin/busybox");
    let files = dir.join("image");
    std::fs::create_dir_all(files.join("bin")).expect("a folder");
    for folder in ["tmp", "proc", "sys", "dev", "etc"] {
        std::fs::create_dir_all(files.join(folder)).expect("a folder");
    }
    std::fs::copy(busybox, files.join("bin/busybox")).map_err(|_| "there is no static shell")?;
    for name in ["sh", "sed", "ls", "tr", "cat", "id", "head", "sleep"] {
        std::os::unix::fs::symlink("busybox", files.join("bin").join(name)).expect("a link");
    }
    std::fs::write(files.join("server.sh"), SHELL_SERVER).expect("written");
    let tar = dir.join("image.tar");
    let (tar, files) = (tar.to_string_lossy(), files.to_string_lossy());
    let made = Command::new("tar")
        .args(["-C", &files, "-cf", &tar, "."])
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        return Err("there is no tar".to_owned());
    }
    let imported = podman(&["import", "--change", "ENV PATH=/bin", &tar, REAL_IMAGE]);
    if !imported.status.success() {
        return Err(said(&imported));
    }
    let limits = ["--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"];
    let tried = podman(
        &[
            &["run", "--rm", "--network=none"][..],
            &limits,
            &[REAL_IMAGE, "id"],
        ]
        .concat(),
    );
    match tried.status.success() {
        true => Ok(()),
        false => Err(said(&tried)),
    }
}

const REAL_IMAGE: &str = "localhost/walden-test:1";

/// Where this machine has a podman that can run a container; elsewhere it says why it shows nothing.
#[test]
fn a_real_runtime_grants_no_more_than_was_said_and_leaves_nothing_behind() {
    let world = World::new(&json!({}));
    let path = std::env::var("PATH").unwrap_or_default();
    let podman = |arguments: &[&str]| {
        Command::new("podman")
            .args(arguments)
            .env_clear()
            .env("PATH", &path)
            .env("HOME", world.path("home"))
            .output()
            .unwrap_or_else(|error| {
                let status = std::os::unix::process::ExitStatusExt::from_raw(127 << 8);
                Output {
                    status,
                    stdout: Vec::new(),
                    stderr: error.to_string().into_bytes(),
                }
            })
    };
    if let Err(reason) = real_image(&podman, world.dir.path()) {
        println!("skipped, no container can be run here: {}", reason.trim());
        return;
    }
    std::fs::remove_file(world.path("bin/podman")).expect("the played one is gone");
    std::fs::write(world.path("repository/here.txt"), "it").expect("written");
    world.configure(&json!({
        "command": "sh", "args": ["/server.sh"], "sandbox": {"container": REAL_IMAGE}, "env": {"TOKEN": "t0k3n"},
    }));
    let text = said(&world.walden(&["mcp", "trust", "it", "--yes"]));
    assert!(text.contains("is up and agreed to"), "{text}");
    let text = said(&world.walden(&["mcp", "call", "it", "look", "{}"]));
    let user = rustix::process::geteuid().as_raw();
    let user = if user == 0 { 65_534 } else { user };
    assert!(
        text.contains(&format!(
            "sees it, user {user}, ways lo , wrote no, own yes, token t0k3n"
        )),
        "{text}"
    );
    assert!(!world.path("repository/written").exists());
    // It does not end when its input does, nor when it is told to: it is taken away.
    let began = Instant::now();
    loop {
        let left = said(&podman(&[
            "ps",
            "--all",
            "--filter",
            "ancestor=localhost/walden-test:1",
            "--format",
            "{{.Names}}",
        ]));
        if left.trim().is_empty() {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{left} is left");
    }
    let _ = podman(&["rmi", "--force", REAL_IMAGE]);
}
