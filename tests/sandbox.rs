//! Claims about confined programs, on this machine's kernel, with this very program as the helper.

#![expect(
    clippy::disallowed_methods,
    reason = "a test lays its own files and starts walden"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};
use walden::mcp::{Caller, Host, HostEvent, Purpose, Reply};
use walden::protocol::{CallId, Outcome, ToolCall};
use walden::sandbox::Launcher;
use walden::servers::run::{Runner, Scripts};
use walden::workspace::{Index, Roots, detect_check};

const WALDEN: &str = env!("CARGO_BIN_EXE_walden");

struct Ground {
    _dir: tempfile::TempDir,
    root: PathBuf,
    host: Host,
    caller: Caller,
}

/// A repository with these files, and its check.
async fn ground(files: &[(&str, &str)], check: &str) -> Ground {
    let check = shlex::split(check).expect("a command");
    ground_with(files, |_| check).await
}

/// A repository with these files, and the check that is found for it.
async fn ground_with(files: &[(&str, &str)], check: impl FnOnce(&Roots) -> Vec<String>) -> Ground {
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().join("root");
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, text).expect("written");
    }
    let roots = Roots::open(std::slice::from_ref(&root)).expect("roots");
    let check = check(&roots);
    let runner = Runner::new(roots, Launcher::at(WALDEN), check, dir.path().join("check"))
        .with_python("python3");
    let mut host = Host::new();
    host.attach("run", runner).await.expect("attached");
    let caller = host.caller();
    Ground {
        root,
        caller,
        host,
        _dir: dir,
    }
}

fn call(server: &str, tool: &str, arguments: &[(&str, &str)]) -> ToolCall {
    let arguments = arguments
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
    ToolCall {
        id: CallId(1),
        server: server.into(),
        tool: tool.into(),
        arguments: Map::from_iter(arguments),
    }
}

async fn check(ground: &Ground) -> Reply {
    ground
        .caller
        .call(&call("run", "check", &[]), &Purpose::Run)
        .await
}

async fn check_with(ground: &Ground, old: &str, new: &str) -> Reply {
    let edit = call(
        "fs",
        "edit",
        &[("path", "a.py"), ("old", old), ("new", new)],
    );
    ground
        .caller
        .call(&call("run", "check", &[]), &Purpose::Try(Box::new(edit)))
        .await
}

#[tokio::test]
async fn what_a_check_prints_is_told_before_it_ends() {
    let mut ground = ground(&[("a.py", "")], "sh wait.sh").await;
    // It waits for a file that only somebody who has seen the first line makes.
    let go = ground.root.join("go");
    let script = format!(
        "printf 'first \\033[2J\\npart'; while [ ! -e {} ]; do sleep 0.02; done; echo; echo second\n",
        go.display()
    );
    fs::write(ground.root.join("wait.sh"), script).expect("written");
    let caller = ground.caller.clone();
    let call = call("run", "check", &[]);
    let checking = tokio::spawn(async move { caller.call(&call, &Purpose::Run).await });
    let told = loop {
        match ground.host.event().await {
            Some(HostEvent::Progressed { call, text }) => break (call, text),
            Some(_) => {}
            None => panic!("the host is gone"),
        }
    };
    // As it was printed, without the line that is not ended; whoever shows it makes it harmless.
    assert_eq!(told, (CallId(1), "first \u{1b}[2J".to_owned()));
    assert!(!checking.is_finished());
    fs::write(go, "").expect("written");
    let reply = checking.await.expect("it ended");
    assert_eq!(passed(&reply), Some(true), "{reply:?}");
}

fn passed(reply: &Reply) -> Option<bool> {
    reply.check.map(|check| check.passed)
}

#[test]
fn every_way_out_is_refused_by_the_kernel() {
    let output = Command::new(WALDEN)
        .args(["sandbox", "prove", "--json"])
        .output()
        .expect("walden runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let proven: Value = serde_json::from_str(&text).expect("JSON");
    let proofs = proven["attempts"].as_array().expect("attempts").clone();
    // Text that means harm is a way out too: none of it acts on a terminal, and without the door most of it does.
    let thrown = &proven["text"];
    assert!(
        thrown["bytes"].as_u64() >= Some(2_000_000) && thrown["acting_behind"] == 0,
        "{thrown}"
    );
    assert_eq!(thrown["verdict"], "holds", "{thrown}");
    let broken: Vec<&Value> = proofs
        .iter()
        .filter(|proof| proof["verdict"] == "broken")
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
    // As a user without rights a few attempts fail anyway; the others must have worked without the sandbox.
    let shown = proofs
        .iter()
        .filter(|proof| proof["verdict"] == "holds" || proof["verdict"] == "programs_only")
        .count();
    assert!(shown + 8 >= proofs.len() && proofs.len() > 48, "{text}");
    // What a sealed process of walden's own may still do is what is said of it, and no more.
    let left: Vec<&str> = proofs
        .iter()
        .filter(|proof| proof["verdict"] == "programs_only")
        .filter_map(|proof| proof["attempt"].as_str())
        .collect();
    assert_eq!(
        left,
        [
            "change a mode outside",
            "set an attribute outside",
            "change times outside"
        ]
    );
    assert!(output.status.success());
}

#[test]
fn a_confined_program_can_write_where_it_may_and_nowhere_else() {
    let dir = tempfile::tempdir().expect("a folder");
    let (free, kept) = (dir.path().join("free"), dir.path().join("kept"));
    fs::create_dir_all(&free).expect("made");
    fs::create_dir_all(&kept).expect("made");
    let run = |script: &str| {
        Command::new(WALDEN)
            .args(["sandbox", "run", "--write"])
            .arg(&free)
            .args(["--", "sh", "-c", script])
            .current_dir(&kept)
            .env("SECRET_TOKEN", "abc")
            .output()
            .expect("walden runs")
    };
    assert!(
        run(&format!("echo x > {}/a", free.display()))
            .status
            .success()
    );
    assert!(!run("echo x > b").status.success());
    assert_eq!(fs::read_dir(&kept).expect("readable").count(), 0);
    let said = run("env");
    let said = String::from_utf8_lossy(&said.stdout);
    assert!(!said.contains("abc"), "the environment is rebuilt: {said}");
}

const BROKEN: &[(&str, &str)] = &[
    ("a.py", "def f(x):\n    return x - 1\n"),
    (
        "test_a.py",
        "from a import f\nassert f(1) == 2\nassert f(2) == 3\n",
    ),
];

#[tokio::test]
async fn a_check_fails_with_what_matters_and_an_edit_is_tried_in_the_copy_only() {
    let ground = ground(BROKEN, "python3 test_a.py").await;
    let reply = check(&ground).await;
    assert_eq!(passed(&reply), Some(false));
    let text = reply.outcome.for_model();
    assert!(
        text.contains("File \"test_a.py\", line 2") && text.contains("AssertionError"),
        "{text}"
    );
    let reply = check_with(&ground, "x - 1", "x + 1").await;
    assert_eq!(passed(&reply), Some(true), "{reply:?}");
    let source = fs::read_to_string(ground.root.join("a.py")).expect("readable");
    assert_eq!(source, BROKEN[0].1, "the file itself is as it was");
    assert_eq!(
        passed(&check(&ground).await),
        Some(false),
        "the trial is taken back"
    );
    fs::write(ground.root.join("a.py"), "def f(x):\n    return x + 1\n").expect("written");
    assert_eq!(
        passed(&check(&ground).await),
        Some(true),
        "a change of the user's is seen"
    );
}

#[tokio::test]
async fn an_edit_that_runs_for_ever_is_ended_with_all_it_started() {
    let ground = ground(BROKEN, "python3 test_a.py").await;
    check(&ground).await;
    let forever =
        "__import__('subprocess').Popen(['sleep', '987654']) and [0 for _ in iter(int, 1)]";
    let reply = check_with(&ground, "x - 1", forever).await;
    assert_eq!(passed(&reply), Some(false));
    let text = reply.outcome.for_model().to_owned();
    assert!(text.contains("did not end within"), "{text}");
    assert!(!is_running("987654"), "its children are gone, too");
}

fn is_running(argument: &str) -> bool {
    fs::read_dir("/proc")
        .expect("readable")
        .flatten()
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .any(|line| {
            line.split(|byte| *byte == 0)
                .any(|word| word == argument.as_bytes())
        })
}

#[tokio::test]
async fn a_check_changes_nothing_outside_its_copy_and_reaches_no_network() {
    let script = "import os, socket, sys\n\
                  def attempt(what):\n    try:\n        what()\n        return 'done'\n    except OSError as error:\n        return type(error).__name__\n\
                  print(attempt(lambda: open(sys.argv[1], 'w')), attempt(socket.socket), \
                  attempt(lambda: open(os.path.expanduser('~/x'), 'w')), attempt(lambda: open('new', 'w')))\n\
                  sys.exit(1)\n";
    let dir = tempfile::tempdir().expect("a folder");
    let target = dir.path().join("victim");
    fs::write(&target, "mine").expect("written");
    let command = format!("python3 try.py {}", target.display());
    let ground = ground(&[("try.py", script)], &command).await;
    let reply = check(&ground).await;
    let text = reply.outcome.for_model();
    assert!(
        text.contains("PermissionError PermissionError done done"),
        "{text}"
    );
    assert_eq!(fs::read_to_string(&target).expect("readable"), "mine");
    assert!(!ground.root.join("new").exists());
}

#[tokio::test]
async fn a_flood_of_output_is_cut() {
    let script = "import sys\nfor n in range(400000):\n    print('line', n)\nsys.exit(1)\n";
    let ground = ground(&[("flood.py", script)], "python3 flood.py").await;
    let reply = check(&ground).await;
    let text = reply.outcome.for_model();
    assert!(
        text.len() < 4_000 && text.contains("line 399999"),
        "{}",
        text.len()
    );
}

#[tokio::test]
async fn a_check_that_cannot_be_started_says_so() {
    let ground = ground(BROKEN, "no-such-program --now").await;
    let reply = check(&ground).await;
    assert!(matches!(reply.outcome, Outcome::Failed { .. }));
    assert!(
        reply.outcome.for_model().contains("no-such-program"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn where_there_are_no_tests_the_examples_in_strings_are_tried() {
    let text = "def half(n):\n    while n < 0:\n        pass\n    return n / 3\n\n\"\"\"\nExamples:\n    >>> half(4)\n    2.0\n    >>> half(6)\n    3.0\n\"\"\"\n";
    let other =
        "\"\"\"\n>>> 1 + 1\n2\n\"\"\"\nif __name__ == '__main__':\n    raise SystemExit(9)\n";
    let ground = ground_with(&[("a.py", text), ("b.py", other)], |roots| {
        let index = Index::of(roots);
        detect_check(roots, &|| &index, &|what| what == "python3").expect("examples are a check")
    })
    .await;
    let reply = check(&ground).await;
    assert_eq!(passed(&reply), Some(false), "{reply:?}");
    let said = reply.outcome.for_model();
    for part in [
        "`python3 -c (the examples (>>>) in the strings of Python files) a.py:2 b.py:1` fails",
        "half(4)",
        "Expected:\n    2.0",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let counted = reply.check.map(|check| (check.reached, check.failed));
    assert_eq!(counted, Some((1, 1)));
    let mended = check_with(&ground, "n / 3", "n / 2").await;
    assert_eq!(passed(&mended), Some(true), "{mended:?}");
    let fewer = check_with(&ground, "    >>> half(6)\n    3.0\n", "").await;
    let said = fewer.outcome.for_model();
    assert!(said.contains("2 examples were there, 1 are left"), "{said}");
    let endless = check_with(&ground, "n < 0", "n > 0").await;
    let said = endless.outcome.for_model();
    assert!(said.contains("something runs for ever"), "{said}");
    let broken = check_with(&ground, "return n / 3", "return (n").await;
    assert_eq!(passed(&broken), Some(false), "{broken:?}");
    let said = broken.outcome.for_model();
    assert!(said.contains("SyntaxError"), "{said}");
}

#[test]
fn the_check_of_a_project_is_found_by_its_files() {
    let everything = |_: &str| true;
    let no_pytest = |what: &str| what != "python3 -m pytest";
    type Case<'a> = (
        &'a [(&'a str, &'a str)],
        &'a dyn Fn(&str) -> bool,
        Option<&'a str>,
    );
    let cases: [Case<'_>; 9] = [
        (
            &[("Cargo.toml", "")],
            &everything,
            Some("cargo test --offline --quiet"),
        ),
        (
            &[("go.mod", "module a")],
            &everything,
            Some("go test ./..."),
        ),
        (
            &[("package.json", r#"{"scripts": {"test": "jest"}}"#)],
            &everything,
            Some("npm test --silent"),
        ),
        (
            &[("package.json", r#"{"scripts": {"start": "x"}}"#)],
            &everything,
            None,
        ),
        (
            &[("test_a.py", "assert 1")],
            &everything,
            Some("python3 test_a.py"),
        ),
        (
            &[(
                "a_test.py",
                "import unittest\nclass A(unittest.TestCase):\n  def test_a(self): pass",
            )],
            &no_pytest,
            Some("python3 -m unittest -q"),
        ),
        (
            &[("Makefile", "all:\ntest: all\n\techo")],
            &everything,
            Some("make test"),
        ),
        (&[("a.txt", "")], &everything, None),
        (&[("a.py", "text = 'a >>> b'\n")], &everything, None),
    ];
    for (files, has, expected) in cases {
        let dir = tempfile::tempdir().expect("a folder");
        lay(dir.path(), files);
        let roots = Roots::open(&[dir.path().to_owned()]).expect("roots");
        let index = Index::of(&roots);
        let found = detect_check(&roots, &|| &index, has).map(|words| words.join(" "));
        assert_eq!(found.as_deref(), expected, "{files:?}");
    }
}

fn lay(dir: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        fs::write(dir.join(path), text).expect("written");
    }
}

#[tokio::test]
async fn a_check_has_none_of_the_variables_that_walden_has() {
    // cargo sets this one for every test; it stands for a secret in the environment that walden is started in.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let script = "if env | grep -q CARGO_MANIFEST_DIR; then exit 1; fi; env | grep -q ^HOME=";
    let ground = ground(&[("a.py", "x = 1\n")], &format!("sh -c '{script}'")).await;
    let reply = check(&ground).await;
    assert_eq!(passed(&reply), Some(true), "{reply:?}");
}

/// Tries a version of `a.py`, which is to be written, with calls that are compared.
async fn probe(ground: &Ground, request: &str, written: &str) -> Reply {
    probe_after(ground, STUB, request, written).await
}

fn probing(before: &str, request: &str) -> ToolCall {
    let given = [("path", "a.py"), ("before", before), ("request", request)];
    let mut probe = call("run", "probe", &given);
    let calls = ["f(4)", "f(-1)", "f('x')"];
    probe.arguments.insert("calls".into(), calls.into());
    probe
}

async fn probe_after(ground: &Ground, before: &str, request: &str, written: &str) -> Reply {
    let probe = probing(before, request);
    let edit = call("fs", "write", &[("path", "a.py"), ("content", written)]);
    let purpose = Purpose::Try(Box::new(edit));
    ground.caller.call(&probe, &purpose).await
}

const STUB: &str = "def f(x):\n    pass\n\n\nclass A:\n    def g(self):\n        pass\n";

#[tokio::test]
async fn a_file_that_is_written_from_nothing_is_run_and_what_it_gives_is_compared() {
    let ground = ground_with(&[("a.py", STUB)], |_| Vec::new()).await;
    let class = "\n\nclass A:\n    def g(self):\n        return 1\n";
    let right = format!("def f(x):\n    return x * 2\n{class}");
    let like_it = format!("def f(x):\n    return x + x\n{class}");
    let other = format!("def f(x):\n    return x * x\n{class}");
    let request = "Write it. `f(4)` returns 8.";
    let given = |reply: &Reply| reply.check.map(|check| check.given).expect("it was run");
    let one = probe(&ground, request, &right).await;
    assert_eq!(passed(&one), Some(true), "{:?}", one.outcome);
    assert!(given(&one)[..3].iter().all(|given| *given != 0));
    // Each call is told with what it gave, and so are variants of it.
    for told in [
        "\nf(4) gives 8",
        "\nf('x') gives 'xx'",
        "\nf(5) gives 10",
        "\nf(0) gives 0",
        "\nf('x x') gives 'x xx x'",
    ] {
        let said = one.outcome.for_model();
        assert!(said.contains(told), "{told} in {said}");
    }
    assert_eq!(given(&one), given(&probe(&ground, request, &like_it).await));
    // The same values one by one are something else, whose mistakes come late.
    let lists = format!("def f(x):\n    return [x, x]\n{class}");
    let yields = format!("def f(x):\n    yield x\n    yield x\n{class}");
    let lists = probe(&ground, "Write it.", &lists).await;
    let yields = probe(&ground, "Write it.", &yields).await;
    assert!(yields.outcome.for_model().contains("f(4) gives [4, 4]"));
    let alike = given(&lists).into_iter().zip(given(&yields));
    assert!(alike.into_iter().all(|(a, b)| a == 0 || a != b));
    let endless = format!("def f(x):\n    while x == -1:\n        pass\n    return x * 2\n{class}");
    let endless = probe(&ground, request, &endless).await;
    let said = endless.outcome.for_model();
    assert!(said.contains("f(-1) gives raises TimeoutError"), "{said}");
    assert!(said.contains("f(0) gives 0"), "{said}");
    let differing = given(&one)
        .iter()
        .zip(given(&endless))
        .filter(|(a, b)| **a != *b)
        .count();
    assert_eq!(differing, 1);
    let wrong = probe(&ground, request, &other).await;
    assert_eq!(passed(&wrong), Some(false));
    assert!(
        wrong.outcome.for_model().contains("Expected: 8"),
        "{:?}",
        wrong.outcome
    );
    assert_ne!(given(&one), given(&wrong));
    // What is not written, gone, or not imported.
    for (written, told) in [
        (STUB.to_owned(), "f, A.g is not written yet"),
        ("def f(x):\n    return x * 2\n".to_owned(), "A, A.g is gone"),
        (
            format!("def f(x):\n    return int(math.sqrt(x)) * 4\n{class}"),
            "math is used and neither defined nor imported",
        ),
        (format!("def f(x):\n    return (\n{class}"), "SyntaxError"),
    ] {
        let written = match written == STUB {
            // An edit that changes nothing is none.
            true => format!("{STUB}\n"),
            false => written,
        };
        let reply = probe(&ground, "Write it.", &written).await;
        assert_eq!(passed(&reply), Some(false), "{written}");
        let said = reply.outcome.for_model();
        assert!(said.contains(told), "{said}");
    }
    // What the request wants by name, and what it only speaks of.
    let more = "Implement `f`, `twice()` and `half` in `A`, with `verbose` for `lines`. You might add `size`. \
                Do not write `total`; use `sum`. Implement `rows` files. The implementation has a method `old`.";
    let reply = probe(&ground, more, &right).await;
    let said = reply.outcome.for_model();
    let lacks = |name: &str| format!("the request wants {name}, which is nowhere in the file");
    assert_eq!(passed(&reply), Some(false), "{said}");
    for name in ["half", "twice"] {
        assert!(said.contains(&lacks(name)), "{said}");
    }
    // It may be for another file.
    let elsewhere = probe(&ground, &format!("{more} See b.py."), &right).await;
    assert_eq!(passed(&elsewhere), Some(true), "{:?}", elsewhere.outcome);
    let written = format!("{right}\n    def twice(self):\n        return self.half\n");
    let reply = probe(&ground, more, &written).await;
    assert_eq!(passed(&reply), Some(true), "{:?}", reply.outcome);
    // Values with what becomes of them, and calls that all end in a mistake.
    let crashes = format!("def f(x):\n    return {{x}}.values()\n{class}");
    for (request, written, told) in [
        ("- `'ab'` -> `'abab'` -> `'abababab'`", &right, None),
        ("Input: [1]\nOutput: [1, 1]", &right, None),
        (
            "\"ab\"  ->  \"ba\"",
            &right,
            Some("'ab' is to become 'ba', and f('ab') gives 'abab'"),
        ),
        // No value, however it looks.
        ("f(4) returns {[8]}, and 2 -> {[4]}", &right, None),
        ("4 -> 9", &right, Some("4 is to become 9, and f(4) gives 8")),
        // In a sentence; one of them only looks like an example.
        (
            "Say f(2) is 4, f('a') == 'aa'; f(3) is 6 times as large as f(x) == 1.",
            &right,
            None,
        ),
        (
            "f(1) gives 2 and f(0) raises ValueError(\"none\")",
            &right,
            Some("f(0)\nExpected: ValueError\nGot: 0"),
        ),
        (
            "Write it.",
            &crashes,
            Some(
                "f(4) ends in AttributeError: 'set' object has no attribute 'values' at `return {x}.values()`",
            ),
        ),
    ] {
        let reply = probe(&ground, request, written).await;
        assert_eq!(passed(&reply), Some(told.is_none()), "{request}");
        let said = reply.outcome.for_model();
        assert!(said.contains(told.unwrap_or_default()), "{said}");
    }
    let message = "Write it.\n\n```python\nraise ValueError(\"no such number\")\n```";
    let reply = probe(&ground, message, &right).await;
    let said = reply.outcome.for_model();
    assert!(said.contains("no such number"), "{said}");
}

#[tokio::test]
async fn of_a_call_that_was_cut_off_what_is_whole_is_made() {
    let ground = ground_with(&[("a.py", STUB)], |_| Vec::new()).await;
    let mut probe = probing(STUB, "Write it.");
    let calls = [
        "f([1, 2, 3)",
        "f(['a, (', {4: 5, 6",
        "f(",
        "f)(",
        "f(\"a', \\",
        "f(x for",
    ];
    probe.arguments.insert("calls".into(), calls.into());
    let written = "def f(x):\n    return x\n\n\nclass A:\n    def g(self):\n        return 1\n";
    let edit = call("fs", "write", &[("path", "a.py"), ("content", written)]);
    let reply = (ground.caller)
        .call(&probe, &Purpose::Try(Box::new(edit)))
        .await;
    let said = reply.outcome.for_model();
    let told = said.lines().filter(|line| line.starts_with("f("));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "f([1, 2]) gives [1, 2]",
            "f(['a, (', {4: 5}]) gives ['a, (', {4: 5}]",
            "f([1, 2, 2, 1]) gives [1, 2, 2, 1]",
            "f(['a, (', {4: 5}, {4: 5}, 'a, (']) gives ['a, (', {4: 5}, {4: 5}, 'a, (']",
        ],
        "{said}"
    );
}

#[tokio::test]
async fn objects_are_told_apart_by_what_becomes_of_them() {
    let stub = "class Pile:\n    def __init__(self):\n        pass\n";
    let ground = ground_with(&[("a.py", stub)], |_| Vec::new()).await;
    let pile = |take: &str| {
        format!(
            "class Pile:\n    def __init__(self):\n        self.all = []\n\n    def push(self, one):\n        \
             self.all.append(one)\n\n    def take(self):\n        return {take}\n\n    def other(self):\n        \
             return {}\n",
            take.len()
        )
    };
    let mut probe = probing(
        stub,
        "Write a Pile with `push` and `take`, last in, first out.",
    );
    // The object is looked at, too, and first.
    probe
        .arguments
        .insert("calls".into(), ["Pile().push(1)"].into());
    let mut given = Vec::new();
    for take in [
        "self.all.pop()",
        // The same in other words, with another method that nobody asked for.
        "self.all.pop(-1)",
        "self.all.pop(0)",
        // It ends nowhere.
        "[one for one in iter(int, 1)]",
        "self.none.pop()",
    ] {
        let edit = call("fs", "write", &[("path", "a.py"), ("content", &pile(take))]);
        let purpose = Purpose::Try(Box::new(edit));
        let reply = ground.caller.call(&probe, &purpose).await;
        assert_eq!(passed(&reply), Some(true), "{take}: {:?}", reply.outcome);
        given.push(reply.check.map(|check| check.given[0]));
    }
    assert_ne!(given[0], Some(0), "it tells something");
    assert_eq!(given[0], given[1]);
    assert!(
        given[2..].iter().all(|other| *other != given[0]),
        "{given:?}"
    );
    // What is named is looked at, too; an object without it tells nothing, which is no mistake. Some cannot be copied.
    let locked = "import threading\n\n\nclass Pile:\n    def __init__(self):\n        self.lock = threading.Lock()\n\n    def \
                  push(self, one):\n        return one\n";
    let property = "class Pile:\n    def __init__(self):\n        self.own = 3\n\n    @property\n    def all(self):\n        return self.own\n";
    for (written, request, tells) in [
        (property, "Write `all`.", true),
        (locked, "Write `push`.", true),
        (property, "Write it.", false),
        (&pile("0"), "Write it.", false),
    ] {
        let edit = call("fs", "write", &[("path", "a.py"), ("content", written)]);
        probe.arguments.insert("request".into(), request.into());
        let purpose = Purpose::Try(Box::new(edit));
        let reply = ground.caller.call(&probe, &purpose).await;
        assert_eq!(passed(&reply), Some(true), "{:?}", reply.outcome);
        let given = reply.check.map(|check| check.given[0] != 0);
        assert_eq!(given, Some(tells), "{request} {written}");
    }
}

#[tokio::test]
async fn what_a_report_says_of_a_fault_is_told_from_what_it_wishes() {
    let faulty = "def f(x):\n    return x * 3\n";
    let broken = "def f(x:\n    return x * 3\n";
    let ground = ground_with(&[("a.py", faulty)], |_| Vec::new()).await;
    let mended = "def f(x):\n    return x * 2\n";
    let other = "def f(x):\n    return x * 5\n";
    // What it reads that others set, an edit may read.
    let injected = "def f(x):\n    return x * TIMES\n";
    let reads = "def f(x):\n    return TIMES * 2\n";
    let reply = probe_after(&ground, injected, "Mend it.", reads).await;
    assert_eq!(passed(&reply), Some(true), "{:?}", reply.outcome);
    let missed = Some("f(3)\nExpected: 6\nGot: 15");
    // What it gives as it stands is told although it fails: it is compared.
    let stands = probing(faulty, "f(3) should return 6");
    let reply = ground.caller.call(&stands, &Purpose::Run).await;
    assert_eq!(passed(&reply), Some(false));
    let said = reply.outcome.for_model();
    assert!(
        said.contains("Got: 9") && said.contains("\nf(4) gives 12"),
        "{said}"
    );
    for (before, report, told) in [
        (faulty, "`f(3)` returns 9, but it should return 6.", missed),
        (faulty, "f(3) gives 9 instead of 6. Fix it", missed),
        (faulty, "f(3) returns 9. It should be 6", missed),
        (faulty, "f(3) should return 6, not 9", missed),
        (faulty, "f(3) returns 9: fix it", None),
        (faulty, "[3] -> [3, 3, 3] is wrong", None),
        (broken, "f(3) == 6, fix the syntax", missed),
    ] {
        let reply = probe_after(&ground, before, report, mended).await;
        assert_eq!(passed(&reply), Some(true), "{report}: {:?}", reply.outcome);
        let reply = probe_after(&ground, before, report, other).await;
        assert_eq!(passed(&reply), Some(told.is_none()), "{report}");
        let said = reply.outcome.for_model();
        assert!(said.contains(told.unwrap_or_default()), "{said}");
    }
}

#[tokio::test]
async fn a_skills_script_reads_its_folder_and_writes_and_reaches_nothing_outside_of_the_copy() {
    let script = "import os, socket, sys\n\
                  def attempt(what):\n    try:\n        what()\n        return 'done'\n    except OSError as error:\n        return type(error).__name__\n\
                  here = os.path.dirname(__file__)\n\
                  print(open(os.path.join(here, 'data.txt')).read(), attempt(lambda: open(sys.argv[1], 'w')), \
                  attempt(lambda: open(os.path.join(here, 'new'), 'w')), attempt(socket.socket), \
                  attempt(lambda: open('new', 'w')), open('a.txt').read())\n";
    let dir = tempfile::tempdir().expect("a folder");
    let (root, skill) = (dir.path().join("root"), dir.path().join("skills/notes"));
    let victim = root.join("victim");
    for (path, text) in [
        (skill.join("notes.py"), script),
        (skill.join("data.txt"), "data"),
        (root.join("a.txt"), "of the project"),
        (victim.clone(), "mine"),
    ] {
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, text).expect("written");
    }
    let roots = Roots::open(std::slice::from_ref(&root)).expect("roots");
    let scripts = vec![Scripts::of_folder("notes", skill.clone()).expect("scripts")];
    let runner = Runner::new(
        roots,
        Launcher::at(WALDEN),
        Vec::new(),
        dir.path().join("check"),
    )
    .with_scripts(scripts);
    let mut host = Host::new();
    host.attach("run", runner).await.expect("attached");
    let mut asked = call("run", "script", &[("skill", "notes")]);
    let argv = vec!["notes.py".to_owned(), victim.display().to_string()];
    asked.arguments.insert("argv".to_owned(), argv.into());
    let reply = host.caller().call(&asked, &Purpose::Run).await;
    let text = reply.outcome.for_model();
    let expected = "data PermissionError PermissionError PermissionError done of the project";
    assert!(reply.outcome.is_done() && text.contains(expected), "{text}");
    assert_eq!(fs::read_to_string(&victim).expect("readable"), "mine");
    assert!(!root.join("new").exists() && !skill.join("new").exists());
    asked
        .arguments
        .insert("argv".to_owned(), vec!["../../root/a.txt"].into());
    let reply = host.caller().call(&asked, &Purpose::Run).await;
    assert!(reply.outcome.for_model().contains("no script"), "{reply:?}");
}
