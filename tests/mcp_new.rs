//! A server that walden wrote: it starts, and answers walden. `make hosts` installs the Python package that it needs
//! into `target/hosts`; without that only the writing is tested.

#![expect(
    clippy::disallowed_methods,
    reason = "a test runs the program and looks at what it wrote"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("repository/.git")).expect("a folder");
        Self { folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_walden"))
            .args(arguments)
            .current_dir(self.at("repository"))
            .stdin(std::process::Stdio::null())
            .env("HOME", self.folder.path())
            .env("XDG_CONFIG_HOME", self.at("config"))
            .env("WALDEN_STATE", self.at("state"))
            .output()
            .expect("walden runs")
    }

    #[track_caller]
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[test]
fn a_server_is_written_once_and_says_what_to_run_next() {
    let world = World::new();
    let said = world.says(&["mcp", "new", "owls"]);
    let file = world.at("repository/owls/server.py");
    let text = std::fs::read_to_string(&file).expect("written");
    assert!(
        text.contains("MCPServer(\"owls\"") && !text.contains("SERVER"),
        "{text}"
    );
    for words in [
        "-m venv",
        "pip install",
        "walden mcp add owls --",
        "walden mcp call owls",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let compiled = Command::new("python3")
        .args(["-c", "import ast, sys; ast.parse(open(sys.argv[1]).read())"])
        .arg(&file)
        .status();
    assert!(compiled.expect("python runs").success());

    std::fs::write(&file, "mine").expect("written");
    let again = world.run(&["mcp", "new", "owls"]);
    assert!(!again.status.success());
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(said.contains("nothing is written over"), "{said}");
    assert_eq!(std::fs::read_to_string(&file).expect("there"), "mine");
    for name in ["..", ".hidden", "a/b", "git"] {
        assert!(!world.run(&["mcp", "new", name]).status.success(), "{name}");
    }
    assert!(
        !world.at("config/walden/mcp.json").exists(),
        "nobody asked for that"
    );
}

#[test]
fn the_server_that_was_written_answers_walden() {
    let hosts = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/hosts/venv");
    let Ok(hosts) = hosts.canonicalize() else {
        println!("skipped: `make hosts` installs what the server needs");
        return;
    };
    let world = World::new();
    let said = world.says(&["mcp", "new", "owls", "--add"]);
    assert!(said.contains("walden mcp trust owls"), "{said}");
    // As `python3 -m venv` would have made it.
    let environment = world.at("repository/owls/.venv");
    std::os::unix::fs::symlink(&hosts, &environment).expect("linked");
    world.says(&["mcp", "trust", "owls", "--yes"]);
    let answer = world.says(&[
        "mcp",
        "call",
        "owls",
        "greet",
        r#"{"name": "Ada", "times": 2}"#,
    ]);
    assert!(answer.contains("Hello, Ada! Hello, Ada!"), "{answer}");
    let all = world.says(&["mcp", "inspect", "owls"]);
    for words in ["greet", "notes://welcome", "introduce", "Greets people."] {
        assert!(all.contains(words), "{words}: {all}");
    }
}
