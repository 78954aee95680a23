//! Hosts that lack what confines programs: Landlock, filters of system calls, namespaces. What they lack is played by a
//! filter under which the whole program is started; it is found out, it is said, and nothing is started as if it held.

#![expect(
    clippy::disallowed_methods,
    reason = "a test starts walden and lays its own files"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use serde_json::{Value, json};

/// What a host lacks.
#[derive(Debug, Clone, Copy)]
enum Lacking {
    /// The kernel is older than Landlock.
    Landlock,
    /// It was not named at boot.
    LandlockAtBoot,
    /// The kernel has no filters of system calls.
    Filters,
    /// An administrator, or a container, forbids namespaces.
    Namespaces,
}

impl Lacking {
    fn filter(self) -> SeccompFilter {
        let always = |calls: &[i64]| -> BTreeMap<i64, Vec<SeccompRule>> {
            calls.iter().map(|call| (*call, Vec::new())).collect()
        };
        let landlock = [
            libc::SYS_landlock_create_ruleset,
            libc::SYS_landlock_add_rule,
            libc::SYS_landlock_restrict_self,
        ];
        let (rules, errno) = match self {
            Self::Landlock => (always(&landlock), libc::ENOSYS),
            Self::LandlockAtBoot => (always(&landlock), libc::EOPNOTSUPP),
            Self::Filters => {
                let mut rules = always(&[libc::SYS_seccomp]);
                let is_filter = SeccompCondition::new(
                    0,
                    SeccompCmpArgLen::Dword,
                    SeccompCmpOp::Eq,
                    libc::PR_SET_SECCOMP as u64,
                );
                let rule = SeccompRule::new(vec![is_filter.expect("a condition")]);
                rules.insert(libc::SYS_prctl, vec![rule.expect("a rule")]);
                (rules, libc::EINVAL)
            }
            Self::Namespaces => (always(&[libc::SYS_unshare, libc::SYS_setns]), libc::EPERM),
        };
        let refused = SeccompAction::Errno(errno as u32);
        let arch = std::env::consts::ARCH.try_into().expect("a known machine");
        SeccompFilter::new(rules, SeccompAction::Allow, refused, arch).expect("a filter")
    }
}

struct Host {
    dir: tempfile::TempDir,
    lacking: Lacking,
}

impl Host {
    fn new(lacking: Lacking) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        for folder in ["home", "repository/.git", "config/walden"] {
            std::fs::create_dir_all(dir.path().join(folder)).expect("a folder");
        }
        Self { dir, lacking }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs walden on this host: in a thread of its own, which the filter stays in.
    fn walden(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_walden"));
        command
            .args(arguments)
            .current_dir(self.path("repository"))
            .stdin(Stdio::null())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            // Interpreters are found beneath it.
            .envs(std::env::var_os("HOME").map(|home| ("HOME", home)))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("WALDEN_STATE", self.path("state"));
        let filter: seccompiler::BpfProgram = self.lacking.filter().try_into().expect("a program");
        std::thread::scope(|scope| {
            let started = scope.spawn(|| {
                seccompiler::apply_filter(&filter).expect("applied");
                command.output().expect("it starts")
            });
            started.join().expect("it ran")
        })
    }

    /// Configures a third-party server that says where it is started.
    fn server(&self, sandbox: &Value) -> PathBuf {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mcp_server.py");
        let mark = self.path("home/started");
        let script = format!("import pathlib\npathlib.Path({mark:?}).touch()\n");
        let source = std::fs::read_to_string(fixture).expect("the fixture");
        let server = self.path("server.py");
        std::fs::write(
            &server,
            source.replacen("import json\n", &format!("import json\n{script}"), 1),
        )
        .expect("written");
        let mut sandbox = sandbox.clone();
        sandbox["read"] = json!([server]);
        sandbox["write"] = json!([self.path("home")]);
        let entry = json!({"mcpServers": {"it": {
            "command": "python3", "args": [server, "good"], "sandbox": sandbox
        }}});
        std::fs::write(self.path("config/walden/mcp.json"), entry.to_string()).expect("written");
        mark
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The hosts on which not all can be enforced, and what is said of them.
const WEAK: [(Lacking, &str); 3] = [
    (Lacking::Landlock, "Landlock"),
    (Lacking::LandlockAtBoot, "Landlock"),
    (Lacking::Filters, "system calls"),
];

#[test]
fn what_a_host_lacks_is_told_by_doctor() {
    for lacking in [Lacking::Landlock, Lacking::LandlockAtBoot] {
        let output = Host::new(lacking).walden(&["doctor", "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let check = |name: &str| {
            let checks = report["checks"].as_array().expect("checks");
            checks
                .iter()
                .find(|check| check["name"] == name)
                .expect("there")
                .clone()
        };
        assert_eq!(check("landlock")["state"], "warn", "{lacking:?}");
        let seal = check("seal");
        assert_eq!(seal["state"], "warn", "{lacking:?}");
        let text = seal["text"].as_str().expect("a text");
        assert!(text.contains("files outside the roots are not"), "{text}");
    }
}

#[test]
fn nothing_is_started_in_a_sandbox_that_cannot_be_made() {
    for (lacking, what) in WEAK {
        let host = Host::new(lacking);
        let mark = host.path("home/ran");
        let script = format!("touch {}", mark.display());
        let write = host.path("home").display().to_string();
        let output = host.walden(&[
            "sandbox", "run", "--write", &write, "--", "sh", "-c", &script,
        ]);
        let text = said(&output);
        assert!(
            !output.status.success() && text.contains(what),
            "{lacking:?}: {text}"
        );
        assert!(!mark.exists(), "{lacking:?}");
        let output = host.walden(&["sandbox", "prove"]);
        let text = said(&output);
        assert!(!output.status.success(), "{lacking:?} proves: {text}");
    }
}

#[test]
fn a_session_is_refused_where_all_or_nothing_was_asked_for() {
    for (lacking, what) in WEAK {
        let output = Host::new(lacking).walden(&["exec", "--strict", "hi"]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{lacking:?}: {text}");
        assert!(
            text.contains("not everything can be enforced here") && text.contains(what),
            "{lacking:?}: {text}"
        );
    }
}

#[test]
fn a_session_goes_on_and_says_what_is_weaker() {
    let Some(model) = std::env::var_os("WALDEN_TEST_SMALL_MODEL") else {
        return;
    };
    let model = model.to_string_lossy();
    for (lacking, what) in [WEAK[0], WEAK[2]] {
        let host = Host::new(lacking);
        let arguments = [
            "exec",
            "--model",
            &model,
            "--max-turns",
            "1",
            "--budget",
            "1",
            "hi",
        ];
        let output = host.walden(&arguments);
        let text = said(&output);
        assert!(
            text.contains("not out of reach") && text.contains(what),
            "{lacking:?}: {text}"
        );
        // And it is kept for whoever looks later.
        let log = said(&host.walden(&["audit", "export"]));
        assert!(
            log.contains("\"what\":\"sealed\"") && log.contains("not out of reach"),
            "{log}"
        );
    }
}

#[test]
fn a_third_party_server_is_not_started_unless_the_user_accepts_it_by_name() {
    for (lacking, _) in WEAK {
        let host = Host::new(lacking);
        let mark = host.server(&json!({}));
        let output = host.walden(&["mcp", "trust", "it", "--yes"]);
        let text = said(&output);
        assert!(
            !output.status.success() && text.contains("weaker"),
            "{lacking:?}: {text}"
        );
        assert!(!mark.exists(), "{lacking:?}");
        let host = Host::new(lacking);
        let mark = host.server(&json!({"weaker": true}));
        let output = host.walden(&["mcp", "trust", "it", "--yes"]);
        let text = said(&output);
        assert!(
            output.status.success() && mark.exists(),
            "{lacking:?}: {text}"
        );
        assert!(
            text.contains("unconfined"),
            "it is shown with the rest: {text}"
        );
    }
}

#[test]
fn a_repository_cannot_accept_it_for_the_user() {
    let host = Host::new(Lacking::Landlock);
    let mark = host.server(&json!({"weaker": true}));
    let (from, to) = (
        host.path("config/walden/mcp.json"),
        host.path("repository/.mcp.json"),
    );
    std::fs::rename(from, to).expect("moved");
    let output = host.walden(&["mcp", "trust", "it", "--yes"]);
    assert!(
        !output.status.success() && !mark.exists(),
        "{}",
        said(&output)
    );
}

#[test]
fn without_namespaces_everything_holds() {
    let host = Host::new(Lacking::Namespaces);
    let output = host.walden(&["sandbox", "prove", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    host.server(&json!({}));
    let output = host.walden(&["mcp", "trust", "it", "--yes"]);
    assert!(output.status.success(), "{}", said(&output));
}
