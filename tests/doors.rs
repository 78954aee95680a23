//! Every command that prints somebody else's text, run over a home, a repository, a session and a server that are full
//! of what acts on terminals: nothing of it comes out.

#![expect(
    clippy::disallowed_methods,
    reason = "a test starts walden and lays what it reads"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use walden::audit::{Audit, Entry as Audited};
use walden::protocol::{CallId, Event, Mode, Outcome, Risk, ToolCall};
use walden::session::{Entry, Journal, SessionFiles};

/// A bell, colours, a title, the clipboard, a link, a question to the terminal, another screen, 8-bit forms, a direction,
/// letters that cannot be seen, and a carriage return that would write over a line.
const HOSTILE: &str = "x\x07\x1b[31m\x1b]0;t\x07\x1b]52;c;ZXZpbA==\x07\x1b]8;;http://evil\x1b\\\x1b[6n\x1b[?1049l\
                       \u{9b}31m\u{9d}0;x\u{9c}\r\u{202e}gnp\u{2066}\u{200b}\u{e0041}\u{e007f}\u{feff}\x7fy\u{200d}z";

/// Finds what acts on a terminal or cannot be seen.
fn acting(text: &str) -> Option<char> {
    let is_hidden = |c: &char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            || matches!(c, '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
    };
    text.chars().find(is_hidden)
}

/// A server with the text in every place that it can fill.
const SERVER: &str = r#"
import json, os, sys
h = os.environ["HOSTILE"]
sys.stderr.write(h + "\n")
sys.stderr.flush()
schema = {"type": "object", "properties": {h: {"type": "string", "description": h}}, "required": []}
for line in sys.stdin:
    m = json.loads(line)
    method, result = m.get("method"), {}
    if "id" not in m:
        continue
    if method == "initialize":
        result = {"protocolVersion": "2025-11-25", "instructions": h,
                  "serverInfo": {"name": h, "title": h, "version": h},
                  "capabilities": {"tools": {}, "prompts": {}, "resources": {}, h: {}}}
    elif method == "tools/list":
        result = {"tools": [{"name": "look", "title": h, "description": h, "inputSchema": schema, "annotations": {"title": h}},
                            {"name": "bad " + h, "description": h, "inputSchema": schema}]}
    elif method == "prompts/list":
        result = {"prompts": [{"name": "p", "title": h, "description": h, "arguments": [{"name": h, "description": h}]}]}
    elif method == "resources/list":
        result = {"resources": [{"uri": "file:///" + h, "name": h, "title": h, "description": h}]}
    elif method == "resources/templates/list":
        result = {"resourceTemplates": [{"uriTemplate": "file:///" + h, "name": h, "description": h}]}
    elif method == "tools/call":
        result = {"content": [{"type": "text", "text": h}], "isError": bool(m["params"]["arguments"])}
    elif method != "ping":
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": m["id"], "error": {"code": -32601, "message": h}}) + "\n")
        sys.stdout.flush()
        continue
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": result}) + "\n")
    sys.stdout.flush()
"#;

struct World {
    dir: tempfile::TempDir,
    session: String,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir
            .path()
            .join(format!("root {}", HOSTILE.replace('/', "_")));
        for folder in [
            &root.join(".git"),
            &dir.path().join("home"),
            &dir.path().join("config/walden"),
        ] {
            std::fs::create_dir_all(folder).expect("a folder");
        }
        let files = SessionFiles::at(&dir.path().join("state")).expect("a state folder");
        let (id, _) = files.create().expect("a session");
        let mut journal = Journal::open(&files.journal(&id)).expect("a journal").0;
        let opened = Entry::Opened {
            version: 1,
            root: root.display().to_string(),
            began: 1,
        };
        journal.append(&opened).expect("appended");
        for event in session() {
            journal.append(&Entry::Event(event)).expect("appended");
        }
        journal.sync().expect("on the disk");
        let mut audit = Audit::open(&dir.path().join("state"), "20260101-000000-0001", |text| {
            text.into()
        })
        .expect("a log");
        let setting = Audited::Setting {
            setting: HOSTILE.to_owned(),
            change: HOSTILE.to_owned(),
        };
        audit.write(setting).expect("written");
        for event in session() {
            audit.event(&event).expect("written");
        }
        let world = Self { dir, session: id.0 };
        world.lay(&root);
        world
    }

    /// Lays the repository and the configuration.
    fn lay(&self, root: &Path) {
        let server = self.path("server.py");
        std::fs::write(&server, SERVER).expect("written");
        let write = |path: PathBuf, value: &Value| {
            std::fs::write(path, value.to_string()).expect("written");
        };
        let own = json!({"mcpServers": {"it": {
            "command": "python3", "args": [server, HOSTILE], "env": {"HOSTILE": HOSTILE},
            "sandbox": {"read": [server]}
        }}});
        write(self.path("config/walden/mcp.json"), &own);
        let theirs = json!({"mcpServers": {
            HOSTILE: {"command": HOSTILE}, "theirs": {"command": HOSTILE, "args": [HOSTILE], "env": {HOSTILE: HOSTILE}},
            "far": {"url": format!("https://{HOSTILE}/")}
        }});
        write(root.join(".mcp.json"), &theirs);
        write(self.path("import.json"), &theirs);
        std::fs::write(root.join("AGENTS.md"), HOSTILE).expect("written");
        let name = format!("{}.rs", HOSTILE.replace('/', "_"));
        std::fs::write(
            root.join(name),
            format!("fn hostile_thing() {{}} // {HOSTILE}\n"),
        )
        .expect("written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn root(&self) -> PathBuf {
        let found = std::fs::read_dir(self.dir.path())
            .expect("a folder")
            .flatten();
        let mut paths = found.map(|entry| entry.path());
        let is_root = |path: &PathBuf| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("root "))
        };
        paths.find(is_root).expect("the root")
    }

    fn walden(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_walden"))
            .args(arguments)
            .current_dir(self.root())
            .stdin(Stdio::null())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            // Interpreters are found beneath it.
            .envs(std::env::var_os("HOME").map(|home| ("HOME", home)))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("WALDEN_STATE", self.path("state"))
            .output()
            .expect("it starts")
    }

    /// Runs a command and looks at all that it prints. Returns its standard output.
    fn prints(&self, arguments: &[&str]) -> String {
        let output = self.walden(arguments);
        let [out, problems] = [&output.stdout, &output.stderr].map(|bytes| {
            String::from_utf8(bytes.clone())
                .unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
        });
        for text in [&out, &problems] {
            if let Some(c) = acting(text) {
                panic!("{arguments:?} prints {c:?}: {text:?}");
            }
        }
        assert!(
            !out.is_empty() || !problems.is_empty(),
            "{arguments:?} says nothing"
        );
        // What would act is shown, and not only left out.
        out
    }
}

fn session() -> Vec<Event> {
    let own = || HOSTILE.to_owned();
    let arguments = json!({"path": HOSTILE, HOSTILE: HOSTILE});
    let call = ToolCall {
        id: CallId(1),
        server: own(),
        tool: own(),
        arguments: arguments.as_object().cloned().unwrap_or_default(),
    };
    vec![
        Event::SessionStarted {
            id: own(),
            root: own(),
            mode: Mode::Ask,
            resumed: false,
        },
        Event::TurnStarted {
            turn: 1,
            text: own(),
        },
        Event::Text { text: own() },
        Event::CallProposed {
            call,
            risk: Risk::Foreign,
        },
        Event::CallFinished {
            call: CallId(1),
            outcome: Outcome::Failed { text: own() },
        },
    ]
}

#[test]
fn no_command_prints_what_acts_on_the_terminal() {
    let world = World::new();
    let file = world.path("import.json").display().to_string();
    let mut shown = String::new();
    for arguments in [
        &["sessions"][..],
        &["export", &world.session, "--format", "md"],
        &["export", &world.session, "--format", "html"],
        &["export", &world.session, "--format", "json"],
        &["audit", "verify"],
        &["audit", "show", "20260101"],
        &["audit", "export"],
        &["mcp", "list"],
        &["mcp", "trust", "it", "--yes"],
        &["mcp", "tools"],
        &["mcp", "tools", "it", "--json"],
        &["mcp", "inspect", "it"],
        &["mcp", "call", "it", "look"],
        &["mcp", "call", "it", "look", r#"{"fail": 1}"#],
        &["mcp", "doctor"],
        &["mcp", "pins"],
        &["mcp", "pins", "it"],
        &["mcp", "import", "file", "--file", &file],
        &[
            "rules", "add", "deny", "fs.edit", "--path", HOSTILE, "--note", HOSTILE,
        ],
        &["rules", "list"],
        &["rules", "list", "--json"],
        &["map", "hostile thing"],
        &["trust"],
        &["trust", "--yes"],
        &["trust", "--list"],
        &["doctor"],
        &["doctor", "--json"],
    ] {
        shown.push_str(&world.prints(arguments));
    }
    assert!(
        shown.contains("`it` is up and agreed to"),
        "the server was heard: {shown}"
    );
    assert!(
        shown.contains("⟨U+001B⟩") && shown.contains("⟨U+202E⟩"),
        "{shown}"
    );
    assert!(
        shown.contains("\\u001b") && shown.contains("\\u202e"),
        "{shown}"
    );
}

#[test]
fn no_error_quotes_what_acts_on_the_terminal() {
    let world = World::new();
    let missing = format!("/nowhere/{HOSTILE}");
    for arguments in [
        &[HOSTILE][..],
        &["exec", "--auto", HOSTILE, "x"],
        &["exec", "--model", HOSTILE, "x"],
        &["exec", "--cwd", &missing, "x"],
        &["exec", "--prompt-file", &missing],
        &["exec", "--output-schema", &missing, "x"],
        &["review", "--base", HOSTILE, "--model", HOSTILE],
        &["resume", HOSTILE],
        &["export", HOSTILE],
        &["audit", "show", HOSTILE],
        &["mcp", "inspect", HOSTILE],
        &["mcp", "inspect", "theirs"],
        &["mcp", "add", HOSTILE, "--", "true"],
        &["mcp", "add", "new", "--env", HOSTILE, "--", "true"],
        &["mcp", "remove", HOSTILE],
        &["mcp", "call", "it", HOSTILE],
        &["mcp", "call", "it", "look", HOSTILE],
        &["mcp", "import", "file", "--file", &missing],
        &["rules", "add", "deny", HOSTILE, "--path", HOSTILE],
        &["sandbox", "run", "--", HOSTILE],
        &["model", "path", HOSTILE],
        &["refactor", "rename", HOSTILE, HOSTILE],
        &["serve", "filesystem", &missing],
    ] {
        world.prints(arguments);
    }
}
