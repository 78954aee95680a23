//! A bundle, installed, used and removed as a user does it.

#![expect(
    clippy::disallowed_methods,
    reason = "a test lays its own files and runs the program"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// A home and a repository.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().expect("a folder"));
        std::fs::create_dir_all(world.at("repo/.git")).expect("made");
        std::fs::create_dir_all(world.at("docs")).expect("made");
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_walden"));
        for name in ["CONFIG", "STATE", "DATA", "CACHE"] {
            command.env_remove(format!("XDG_{name}_HOME"));
        }
        // What stands in for a Python, and looks for the true one in the home, finds none in this home.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let true_ones =
            std::env::split_paths(&path).filter(|path| !path.to_string_lossy().contains("shims"));
        let path = std::env::join_paths(true_ones).expect("a path");
        let Output {
            status,
            stdout,
            stderr,
        } = command
            .env("HOME", self.at("home"))
            .env("PATH", path)
            .env("STOLEN", "a secret of the environment")
            .args(arguments)
            .current_dir(self.at("repo"))
            .stdin(Stdio::null())
            .output()
            .expect("walden runs");
        let text = [stdout, stderr].concat();
        (
            status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    fn servers(&self) -> Value {
        let text = std::fs::read_to_string(self.at("home/.config/walden/mcp.json"));
        let file: Value = text.map_or(json!({}), |text| serde_json::from_str(&text).expect("JSON"));
        file.get("mcpServers").cloned().unwrap_or(json!({}))
    }

    /// Lays a bundle of the fixture's server.
    fn bundle(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut manifest = json!({
            "manifest_version": "0.3",
            "name": "Echo Box",
            "version": "1.0.0",
            "description": "Says \u{1b}[31mit again.",
            "author": {"name": "Ada"},
            "server": {
                "type": "python",
                "entry_point": "server/main.py",
                "mcp_config": {
                    "command": "python3",
                    "args": ["${__dirname}/server/main.py", "good"],
                    "env": {"KEY": "${user_config.key}", "DOCS": "${user_config.docs}"},
                },
            },
            "tools": [{"name": "echo", "description": "Says it again."}],
            "user_config": {
                "key": {"type": "string", "title": "Key", "description": "The key", "sensitive": true, "required": true},
                "docs": {"type": "directory", "title": "Docs", "description": "Your documents"},
            },
        });
        change(&mut manifest);
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mcp_server.py");
        let path = self.at("echo.mcpb");
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).expect("made"));
        let options = zip::write::SimpleFileOptions::default();
        for (name, bytes) in [
            ("manifest.json", manifest.to_string().into_bytes()),
            ("server/main.py", std::fs::read(fixture).expect("there")),
        ] {
            zip.start_file(name, options).expect("begun");
            zip.write_all(&bytes).expect("written");
        }
        zip.finish().expect("finished");
        path.display().to_string()
    }

    fn unpacked(&self) -> Vec<PathBuf> {
        let folders = std::fs::read_dir(self.at("home/.local/state/walden/mcp/bundles"));
        let folders = folders.into_iter().flatten();
        folders.map(|entry| entry.expect("read").path()).collect()
    }
}

#[test]
fn a_bundle_is_shown_installed_used_and_removed() {
    let world = World::new();
    let bundle = world.bundle(|_| {});
    let docs = format!("docs={}", world.at("docs").display());

    // Nobody can answer: nothing is done.
    let (done, said) = world.run(&["mcp", "install", &bundle, "--set", "key=k"]);
    assert!(!done && said.contains("--yes"), "{said}");
    // What it needs is missing.
    let (done, said) = world.run(&["mcp", "install", &bundle, "--yes"]);
    assert!(
        !done && said.contains("needs `key`") && said.contains("--set"),
        "{said}"
    );
    assert!(world.unpacked().is_empty());
    assert_eq!(world.servers(), json!({}));

    let install = [
        "mcp",
        "install",
        &bundle,
        "--yes",
        "--set",
        "key=open sesame",
        "--set",
        &docs,
    ];
    let (done, said) = world.run(&install);
    assert!(done, "{said}");
    for words in [
        "Echo Box 1.0.0",
        "Ada",
        "sha256",
        "in 2 files unpacked",
        "python3 ",
        "KEY = ••••",
        "asks for   key (text, secret, needed)",
        "tool       echo  Says it again.",
        "signature  none",
        "network    none",
        "a secret will stand in your configuration",
        "`echo-box` is up and agreed to, with 5 tools",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(
        !said.contains("open sesame") && !said.contains("\u{1b}[31m"),
        "{said}"
    );

    let unpacked = world.unpacked();
    let [folder] = unpacked.as_slice() else {
        panic!("{unpacked:?}");
    };
    let entry = world.servers()["echo-box"].clone();
    let main = folder.join("server/main.py").display().to_string();
    assert_eq!(entry["args"], json!([main, "good"]));
    assert_eq!(entry["env"]["KEY"], "open sesame");
    assert_eq!(entry["sandbox"]["read"], json!([folder, world.at("docs")]));

    let (done, said) = world.run(&["mcp", "call", "echo-box", "echo", r#"{"text": "again"}"#]);
    assert!(done && said.contains("again"), "{said}");
    let (done, said) = world.run(&install);
    assert!(
        !done && said.contains("there is a server `echo-box` already"),
        "{said}"
    );
    // The same bundle under two names: its files stay until the last of them goes.
    let (done, said) = world.run(&[
        "mcp",
        "install",
        &bundle,
        "--yes",
        "--set",
        "key=${STOLEN}",
        "--name",
        "other",
    ]);
    assert!(
        done && !said.contains("a secret of the environment"),
        "{said}"
    );
    assert!(world.run(&["mcp", "remove", "echo-box"]).0);
    assert_eq!(world.unpacked().len(), 1);
    assert!(world.run(&["mcp", "remove", "other"]).0);
    assert!(world.unpacked().is_empty());
    assert_eq!(world.servers(), json!({}));
}

#[test]
fn a_bundle_that_was_changed_after_it_was_agreed_to_is_not_started() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let bundle = world.bundle(|_| {});
    let (done, said) = world.run(&["mcp", "install", &bundle, "--yes", "--set", "key=k"]);
    assert!(done, "{said}");
    let main = world.unpacked()[0].join("server/main.py");
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(&main, mode(0o600)).expect("set");
    let mut text = std::fs::read_to_string(&main).expect("read");
    text.push_str("\n# one line more\n");
    std::fs::write(&main, text).expect("written");
    let (done, said) = world.run(&["mcp", "call", "echo-box", "echo", r#"{"text": "again"}"#]);
    assert!(!done && said.contains("agree"), "{said}");
}

#[test]
fn a_hostile_bundle_leaves_nothing_behind() {
    let world = World::new();
    let (done, said) = world.run(&[
        "mcp",
        "install",
        &world.bundle(|manifest| {
            manifest["server"]["mcp_config"]["args"][1] = json!("${STOLEN}");
        }),
        "--yes",
        "--set",
        "key=k",
    ]);
    assert!(
        !done && said.contains("STOLEN") && !said.contains("a secret of"),
        "{said}"
    );
    let (done, said) = world.run(&[
        "mcp",
        "install",
        &world.bundle(|manifest| {
            manifest["server"]["entry_point"] = json!("../../other.py");
        }),
        "--yes",
        "--set",
        "key=k",
    ]);
    assert!(!done && said.contains("not in the bundle"), "{said}");
    let (done, said) = world.run(&[
        "mcp",
        "install",
        &world.bundle(|manifest| {
            manifest["name"] = json!("fs");
        }),
        "--yes",
        "--set",
        "key=k",
    ]);
    assert!(!done && said.contains("--name"), "{said}");
    let (done, said) = world.run(&["mcp", "install", "/dev/zero", "--yes"]);
    assert!(!done && said.contains("it is no file"), "{said}");
    assert!(world.unpacked().is_empty());
    assert_eq!(world.servers(), json!({}));
}
