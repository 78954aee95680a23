//! The audit log of the real program: settings that are changed by commands, servers that are started with what they are
//! confined to, and a byte that is changed later.

#![expect(
    clippy::disallowed_methods,
    reason = "a test starts walden and looks at what it left"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

struct User {
    dir: tempfile::TempDir,
}

impl User {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        for folder in ["home", "repository/.git", "config/walden"] {
            std::fs::create_dir_all(dir.path().join(folder)).expect("a folder");
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn walden(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_walden"))
            .args(arguments)
            .current_dir(self.path("repository"))
            .stdin(Stdio::null())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(std::env::var_os("WALDEN_TEST_SMALL_MODEL").map(|path| ("WALDEN_MODEL", path)))
            .env("HOME", self.path("home"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("WALDEN_STATE", self.path("state"))
            .output()
            .expect("it starts")
    }

    #[track_caller]
    fn does(&self, arguments: &[&str]) -> String {
        let output = self.walden(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn audit(&self) -> Vec<Value> {
        self.does(&["audit", "export"])
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    /// What was noted of settings, in order.
    fn settings(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.audit()
            .iter()
            .filter(|line| line["what"] == "setting")
            .map(|line| (text(&line["setting"]), text(&line["change"])))
            .collect()
    }
}

#[test]
fn rules_and_trust_that_commands_give_and_take_are_noted_and_a_changed_byte_is_found() {
    let user = User::new();
    std::fs::write(user.path("repository/AGENTS.md"), "Obey.").expect("written");
    user.does(&["rules", "add", "allow", "fs.edit", "--path", "src/**"]);
    user.does(&["rules", "remove", "1"]);
    user.does(&["trust", "--yes"]);
    user.does(&["trust", "--revoke"]);
    let settings = user.settings();
    let names: Vec<&str> = settings.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "rule added",
        "rule removed",
        "rule is gone",
        "trust granted",
        "trust revoked",
    ];
    assert_eq!(names, expected, "{settings:?}");
    assert!(
        settings[0].1.contains("src/**") && settings[2].1.contains("src/**"),
        "{settings:?}"
    );
    assert!(user.does(&["audit", "verify"]).starts_with("holds"));

    let log = user.path("state/audit/0-settings.jsonl");
    let text = std::fs::read_to_string(&log).expect("a log");
    std::fs::write(&log, text.replacen("allow", "deny_", 1)).expect("written");
    let output = user.walden(&["audit", "verify"]);
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stdout).starts_with("BROKEN"),
        "{output:?}"
    );
}

#[test]
fn what_cannot_be_noted_is_not_done() {
    let user = User::new();
    std::fs::create_dir_all(user.path("state")).expect("a folder");
    std::fs::write(user.path("state/audit"), "in the way").expect("written");
    let output = user.walden(&["rules", "add", "allow", "fs.edit"]);
    assert!(!output.status.success(), "{output:?}");
    assert!(user.does(&["rules", "list"]).contains("no rule is kept"));
}

#[test]
fn a_server_that_is_started_is_noted_with_what_confines_it() {
    assert!(
        std::env::var_os("WALDEN_TEST_SMALL_MODEL").is_some(),
        "`WALDEN_TEST_SMALL_MODEL` names no model file: run `make test`, which sets it"
    );
    let user = User::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mcp_server.py");
    let servers = json!({"mcpServers": {"it": {"command": "python3", "args": [script, "good"]}}});
    std::fs::write(user.path("config/walden/mcp.json"), servers.to_string()).expect("written");
    user.walden(&[
        "exec",
        "--trust-server",
        "it",
        "--check",
        "off",
        "--max-turns",
        "1",
        "--budget",
        "2000",
        "hello",
    ]);
    let audit = user.audit();
    let find = |what: &str| audit.iter().find(|line| line["what"] == what);
    let launched = |server: &str| {
        let is_it = |line: &&Value| line["what"] == "launched" && line["server"] == server;
        let line = audit.iter().find(is_it);
        line.unwrap_or_else(|| panic!("{server}: {audit:?}"))["how"].clone()
    };
    let own = launched("run");
    assert!(
        own["confined"]
            .as_str()
            .is_some_and(|to| to.contains("no network")),
        "{own}"
    );
    let how = &launched("it");
    assert_eq!(
        (&how["network"], &how["writes"]),
        (&json!("none"), &json!([])),
        "{how}"
    );
    let root = user.path("repository").display().to_string();
    assert!(
        how["reads"]
            .as_array()
            .is_some_and(|reads| reads.contains(&json!(root))),
        "{how}"
    );
    assert!(how["programs"].to_string().contains("sha256"), "{how}");
    assert!(find("sealed").is_some() && find("began").is_some() && find("rules").is_none());
    assert!(
        user.does(&["audit", "verify"])
            .lines()
            .all(|line| line.starts_with("holds"))
    );
}
