//! The program without a terminal: its exit codes, its messages, and turns with a real model.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program and look at the files it left"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;
use walden::error::ExitCode;
use walden::protocol::{Event, Outcome, Usage};

/// A user with a home of their own, no model, and a repository.
struct User {
    dir: TempDir,
}

impl User {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for folder in ["home", "repository/.git", "config/walden"] {
            std::fs::create_dir_all(dir.path().join(folder)).expect("a folder");
        }
        Self { dir }
    }

    /// A user whose repository is the demo, with its task.
    fn with_demo() -> (Self, String) {
        let user = Self::new();
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo");
        for file in DEMO {
            std::fs::copy(demo.join(file), user.repository().join(file)).expect("copied");
        }
        (
            user,
            std::fs::read_to_string(demo.join("TASK.md")).expect("a task"),
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn repository(&self) -> PathBuf {
        self.path("repository")
    }

    fn config(&self, text: &str) {
        std::fs::write(self.path("config/walden/config.toml"), text).expect("written");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_walden"));
        command
            .args(arguments)
            .current_dir(self.repository())
            .stdin(Stdio::null())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", self.path("home"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_STATE_HOME", self.path("xdg-state"))
            .env("XDG_DATA_HOME", self.path("xdg-data"))
            .env("XDG_CACHE_HOME", self.path("xdg-cache"))
            .env("WALDEN_STATE", self.path("state"))
            .env("WALDEN_MODELS", self.path("models"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(
            self.command(arguments)
                .output()
                .expect("the program starts"),
        )
    }

    /// Runs a turn on the real model and returns its events.
    fn turn(&self, arguments: &[&str]) -> (Ran, Vec<Event>) {
        let Some(model) = std::env::var_os("WALDEN_TEST_MODEL") else {
            panic!("`WALDEN_TEST_MODEL` names no model file: run `make test`, which sets it")
        };
        let mut command = self.command(&["exec", "--json"]);
        command.args(arguments).env("WALDEN_MODEL", model);
        let ran = Ran::from(command.output().expect("the program starts"));
        let events = ran.out.lines().map(|line| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("`{line}` is no event: {error}"))
        });
        let events = events.collect();
        (ran, events)
    }
}

const DEMO: [&str; 3] = ["README.md", "pages.py", "test_pages.py"];

/// Reads the demo's files in a folder.
fn demo_in(folder: &Path) -> Vec<String> {
    DEMO.iter()
        .map(|file| std::fs::read_to_string(folder.join(file)).expect("readable"))
        .collect()
}

fn demo() -> Vec<String> {
    demo_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo"))
}

/// How a run ended and what it said.
struct Ran {
    status: Option<i32>,
    out: String,
    log: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what is printed is UTF-8");
        Self {
            status: output.status.code(),
            out: text(output.stdout),
            log: text(output.stderr),
        }
    }
}

impl Ran {
    #[track_caller]
    fn expect(&self, code: ExitCode) {
        assert_eq!(
            self.status,
            Some(i32::from(code.status())),
            "out:\n{}\nlog:\n{}",
            self.out,
            self.log
        );
    }
}

/// Real models run one after the other: side by side they only slow each other down.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn applied(events: &[Event]) -> usize {
    events
        .iter()
        .filter(|event| matches!(event, Event::ChangeApplied { .. }))
        .count()
}

/// Panics with all that a run said.
fn told(ran: &Ran, events: &[Event]) -> String {
    format!("{events:#?}\nlog:\n{}", ran.log)
}

// ---- Without a model

#[test]
fn a_missing_model_is_said_with_the_command_that_fetches_it() {
    let ran = User::new().run(&["exec", "hello"]);
    ran.expect(ExitCode::Failure);
    assert!(ran.log.contains("walden model pull"), "{}", ran.log);
    assert_eq!(ran.out, "");
}

#[test]
fn strict_refuses_what_is_weaker_than_promised_and_nothing_else() {
    let ran = User::new().run(&["exec", "--strict", "hello"]);
    if rustix::process::geteuid().is_root() {
        ran.expect(ExitCode::Failure);
        assert!(
            ran.log.contains("not everything can be enforced here") && ran.log.contains("root"),
            "{}",
            ran.log
        );
    } else {
        assert!(ran.log.contains("walden model pull"), "{}", ran.log);
    }
    let both = User::new().run(&["exec", "--strict", "--no-seal", "hello"]);
    both.expect(ExitCode::Usage);
}

#[test]
fn an_unknown_model_is_named() {
    let ran = User::new().run(&["--model", "no-such-model", "exec", "hello"]);
    ran.expect(ExitCode::Failure);
    assert!(ran.log.contains("no-such-model"), "{}", ran.log);
}

#[test]
fn an_empty_prompt_is_a_mistake_of_the_command_line() {
    let user = User::new();
    std::fs::write(user.path("empty.md"), "\n \n").expect("written");
    let file = user.path("empty.md").display().to_string();
    // Standard input is empty.
    for arguments in [
        &["exec", ""][..],
        &["exec", " \n"],
        &["exec", "-"],
        &["exec", "--prompt-file", &file],
    ] {
        let ran = user.run(arguments);
        ran.expect(ExitCode::Usage);
        assert!(
            ran.log.contains("the prompt is empty"),
            "{arguments:?}: {}",
            ran.log
        );
    }
}

#[test]
fn a_prompt_file_that_is_not_there_is_named() {
    let ran = User::new().run(&["exec", "--prompt-file", "nowhere.md"]);
    ran.expect(ExitCode::Usage);
    assert!(ran.log.contains("nowhere.md"), "{}", ran.log);
}

#[test]
fn a_folder_that_is_none_is_named() {
    let user = User::new();
    std::fs::write(user.repository().join("file"), "").expect("written");
    for folder in ["nowhere", "file"] {
        let ran = user.run(&["exec", "hello", "--cwd", folder]);
        ran.expect(ExitCode::Usage);
        assert!(
            ran.log.contains(&format!("`{folder}")) || ran.log.contains(&format!("/{folder}`")),
            "{}",
            ran.log
        );
    }
}

#[test]
fn a_wrong_configuration_is_named_with_its_file_and_key() {
    let user = User::new();
    for (text, word) in [
        ("modle = \"x\"\n", "modle"),
        ("mode = \"yolo\"\n", "yolo"),
        ("context = \"big\"\n", "context"),
    ] {
        user.config(text);
        let ran = user.run(&["exec", "hello"]);
        ran.expect(ExitCode::Usage);
        assert!(
            ran.log.contains(word) && ran.log.contains("config.toml"),
            "{}",
            ran.log
        );
    }
}

#[test]
fn what_a_repository_contains_is_not_configuration() {
    let user = User::new();
    for name in [
        ".walden.toml",
        "walden.toml",
        "config.toml",
        ".walden/config.toml",
    ] {
        let path = user.repository().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, "modle = 1\n").expect("written");
    }
    let ran = user.run(&["exec", "hello"]);
    assert!(!ran.log.contains("modle"), "{}", ran.log);
    ran.expect(ExitCode::Failure);
}

#[test]
fn a_wrong_variable_is_named() {
    let user = User::new();
    for (name, value) in [("WALDEN_CONTEXT", "big"), ("WALDEN_MODE", "yolo")] {
        let output = user
            .command(&["exec", "hello"])
            .env(name, value)
            .output()
            .expect("the program starts");
        let ran = Ran::from(output);
        ran.expect(ExitCode::Usage);
        assert!(
            ran.log.contains(name) && ran.log.contains(value),
            "{}",
            ran.log
        );
    }
}

#[test]
fn help_lists_exit_codes_keys_and_commands() {
    let user = User::new();
    let ran = user.run(&["exec", "--help"]);
    ran.expect(ExitCode::Success);
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (code, meaning) in ExitCode::TABLE {
        let line = format!("{} {meaning}", code.status());
        assert!(
            plain(&ran.out).contains(&line),
            "`{line}` is not in:\n{}",
            ran.out
        );
    }
    let ran = user.run(&["--help"]);
    ran.expect(ExitCode::Success);
    for (keys, _) in walden::tui::key_table()
        .into_iter()
        .flat_map(|(_, keys)| keys)
    {
        assert!(
            plain(&ran.out).contains(&plain(&keys.to_string())),
            "`{keys}` is not in:\n{}",
            ran.out
        );
    }
    for command in walden::tui::COMMANDS {
        assert!(
            ran.out.contains(&format!("/{}", command.name)),
            "{}",
            ran.out
        );
    }
}

#[test]
fn an_unknown_flag_is_a_mistake_of_the_command_line() {
    let ran = User::new().run(&["exec", "hello", "--frobnicate"]);
    ran.expect(ExitCode::Usage);
    assert!(ran.log.contains("--frobnicate"), "{}", ran.log);
}

#[test]
fn no_session_is_listed_where_none_is_kept() {
    let ran = User::new().run(&["sessions"]);
    ran.expect(ExitCode::Success);
    assert_eq!(ran.out, "no session is kept yet\n");
}

#[test]
fn clearing_removes_the_kept_states_and_nothing_else() {
    let user = User::new();
    let ran = user.run(&["sessions", "clear"]);
    ran.expect(ExitCode::Success);
    assert_eq!(ran.out, "no state of a model was kept\n");
    let folder = user.path("state/snapshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("0-1.kv"), vec![0; 3 << 20]).expect("written");
    std::fs::write(folder.join("notes"), "mine").expect("written");
    let ran = user.run(&["sessions", "clear"]);
    ran.expect(ExitCode::Success);
    assert_eq!(ran.out, "removed 3 MiB of kept states; the sessions stay\n");
    assert!(!folder.join("0-1.kv").exists() && folder.join("notes").exists());
    let ran = user.run(&["--kv", "q5", "sessions"]);
    ran.expect(ExitCode::Usage);
    assert!(ran.log.contains("q8_0"), "{}", ran.log);
}

#[test]
fn completions_are_printed_for_every_shell() {
    let user = User::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = user.run(&["completions", shell]);
        ran.expect(ExitCode::Success);
        assert!(
            ran.out.contains("walden") && ran.out.contains("resume"),
            "{shell}: {}",
            ran.out
        );
    }
}

#[test]
fn the_terminal_ui_without_a_terminal_says_what_to_run() {
    let user = User::new();
    for arguments in [&[][..], &["resume"]] {
        let ran = user.run(arguments);
        ran.expect(ExitCode::Usage);
        assert!(ran.log.contains("walden exec"), "{}", ran.log);
    }
}

// ---- With a real model

#[test]
fn an_edit_that_is_allowed_is_made() {
    let _alone = alone();
    let (user, task) = User::with_demo();
    let (ran, events) = user.turn(&["--auto", "edit", &task]);
    assert!(applied(&events) > 0, "{}", told(&ran, &events));
    assert_ne!(demo_in(&user.repository()), demo());
    let unread = events.iter().any(|event| match event {
        Event::Notice { text, .. } => text.contains("could not be read"),
        Event::CallFinished {
            outcome: Outcome::Invalid { .. },
            ..
        } => true,
        _ => false,
    });
    assert!(!unread, "{}", told(&ran, &events));
    assert_eq!(events.last(), Some(&Event::SessionEnded));

    // The session is kept, for its user alone to see.
    let kept = user.run(&["sessions"]);
    assert!(kept.out.contains("The tests fail"), "{}", kept.out);
}

#[test]
fn an_edit_that_is_not_allowed_is_denied_and_leaves_the_files() {
    let _alone = alone();
    let (user, task) = User::with_demo();
    let (ran, events) = user.turn(&["--auto", "read", &task]);
    assert_eq!(demo_in(&user.repository()), demo());
    assert_eq!(applied(&events), 0);
    assert_eq!(
        ran.status,
        Some(i32::from(ExitCode::Denied.status())),
        "{}",
        told(&ran, &events)
    );
}

#[test]
fn a_question_is_answered_without_a_change() {
    let _alone = alone();
    let (user, _) = User::with_demo();
    let (ran, events) = user.turn(&["--auto", "edit", "What does `footer` in pages.py return?"]);
    assert_eq!(ran.status, Some(0), "{}", told(&ran, &events));
    assert_eq!(applied(&events), 0, "{}", told(&ran, &events));
    assert_eq!(demo_in(&user.repository()), demo());
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Text { .. })),
        "{}",
        told(&ran, &events)
    );
}

#[test]
fn the_first_request_is_short() {
    let _alone = alone();
    let (user, _) = User::with_demo();
    let (ran, events) = user.turn(&["Hello?"]);
    let first: Option<Usage> = events.iter().find_map(|event| match event {
        Event::Generated { usage } => Some(*usage),
        _ => None,
    });
    let prompt = first
        .unwrap_or_else(|| panic!("{}", told(&ran, &events)))
        .prompt;
    assert!((1..900).contains(&prompt), "{prompt} tokens");
}

#[test]
fn an_edit_is_tried_against_the_check_before_it_is_made() {
    let (user, _) = User::with_demo();
    // The interpreter itself: a shim that looks for it beneath the home finds nothing in this user's.
    let python = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .expect("python starts");
    let python = String::from_utf8_lossy(&python.stdout).trim().to_owned();
    let (ran, events) = user.turn(&[
        "--auto",
        "edit",
        "--check",
        &format!("{python} -m unittest -q"),
        "`page_count` in pages.py rounds down: 21 entries with 10 on a page fill 3 pages, but it returns 2. Fix \
         `page_count` so that it rounds up.",
    ]);
    ran.expect(ExitCode::Success);
    let ended = events.iter().rev().find_map(|event| match event {
        Event::TurnEnded { summary, .. } => summary.check.clone(),
        _ => None,
    });
    let check = ended.expect("the check was run");
    assert!(check.passed && check.tried >= 1, "{check:?}\n{}", ran.log);
    let tests = Command::new("python3")
        .args(["-m", "unittest", "-q"])
        .current_dir(user.repository())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python starts");
    assert!(tests.status.success());
    assert_eq!(
        demo_in(&user.repository())[2],
        demo()[2],
        "the tests are as they were"
    );
}

#[test]
fn an_answer_fits_the_schema_that_was_asked_for() {
    let _alone = alone();
    let Some(model) = std::env::var_os("WALDEN_TEST_SMALL_MODEL") else {
        panic!("`WALDEN_TEST_SMALL_MODEL` names no model file: run `make test`, which sets it")
    };
    let user = User::new();
    std::fs::write(
        user.repository().join("a.py"),
        "def add(a, b):\n    return a + b\n",
    )
    .expect("written");
    // The smallest model writes what it likes; what it likes is bounded by the schema.
    let schema = r##"{"type": "array", "minItems": 2, "maxItems": 3, "items": {"$ref": "#/$defs/one"},
        "$defs": {"one": {"enum": ["add", "sub", 7]}}}"##;
    std::fs::write(user.path("schema.json"), schema).expect("written");
    let file = user.path("schema.json").display().to_string();
    let mut command = user.command(&[
        "exec",
        "--output-schema",
        &file,
        "--max-turns=2",
        "Which functions are in a.py?",
    ]);
    let ran = Ran::from(
        command
            .env("WALDEN_MODEL", model)
            .output()
            .expect("the program starts"),
    );
    let answer: Vec<serde_json::Value> = serde_json::from_str(&ran.out)
        .unwrap_or_else(|error| panic!("`{}` is no list: {error}\n{}", ran.out, ran.log));
    assert!((2..=3).contains(&answer.len()), "{answer:?}");
    let known = [
        serde_json::json!("add"),
        serde_json::json!("sub"),
        serde_json::json!(7),
    ];
    assert!(answer.iter().all(|one| known.contains(one)), "{answer:?}");
}

#[test]
fn an_output_schema_that_is_none_is_a_mistake_of_the_command_line() {
    let user = User::new();
    std::fs::write(user.path("schema.json"), "[1]").expect("written");
    let file = user.path("schema.json").display().to_string();
    let ran = user.run(&["exec", "--output-schema", &file, "hello"]);
    ran.expect(ExitCode::Usage);
    assert!(ran.log.contains("output schema"), "{}", ran.log);
}

#[test]
fn a_model_file_that_is_cut_while_it_answers_is_named_and_the_session_is_kept() {
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::os::unix::process::ExitStatusExt as _;
    let _alone = alone();
    let Some(model) = std::env::var_os("WALDEN_TEST_SMALL_MODEL") else {
        panic!("`WALDEN_TEST_SMALL_MODEL` names no model file: run `make test`, which sets it")
    };
    let user = User::new();
    let cut = user.path("cut.gguf");
    std::fs::copy(model, &cut).expect("copied");
    let story = "Tell a very long story about the sea, without an end.";
    let mut child = user
        .command(&["exec", "--json", "--weights", "mapped", story])
        .env("WALDEN_MODEL", &cut)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut events = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let answers = events.any(|line| {
        let event: Event = serde_json::from_str(&line.expect("UTF-8")).expect("an event");
        matches!(event, Event::Text { .. })
    });
    assert!(answers, "it begins to answer");
    let file = std::fs::File::options()
        .write(true)
        .open(&cut)
        .expect("it opens");
    file.set_len(1 << 16).expect("it is cut");
    // What it still writes is read, so that it is not held up.
    events.for_each(drop);
    let mut said = String::new();
    let mut log = child.stderr.take().expect("a pipe");
    log.read_to_string(&mut said).expect("UTF-8");
    let status = child.wait().expect("it ends");
    let bus = 7;
    assert!(
        status.signal() == Some(bus) || status.code() == Some(128 + bus),
        "{status}: {said}"
    );
    assert!(
        said.contains("ended early: most likely the model's") && said.contains("`walden resume`"),
        "{said}"
    );
}
