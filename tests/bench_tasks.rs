//! `walden bench tasks`: tasks are laid, tried with a real model, and judged by their own tests.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program and look at what it left"
)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn walden(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_walden"))
        .args(["bench", "tasks"])
        .args(arguments)
        .current_dir(home)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", home)
        .env("WALDEN_STATE", home.join("state"))
        .env("WALDEN_MODELS", home.join("models"))
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn task(id: &str, tests: &Value, command: &str) -> String {
    json!({
        "id": id,
        "set": "own",
        "files": {"a.txt": "one\n"},
        "instruction": "What does a.txt say?",
        "tests": tests,
        "test_cmd": command,
    })
    .to_string()
}

#[test]
fn tasks_are_judged_by_tests_that_the_agent_has_not_seen() {
    let Some(model) = std::env::var_os("WALDEN_TEST_SMALL_MODEL") else {
        panic!("`WALDEN_TEST_SMALL_MODEL` names no model file: run `make test`, which sets it")
    };
    let model = model.to_string_lossy().into_owned();
    let home = tempfile::tempdir().expect("a temporary folder");
    let tests = json!({"tests/hidden.sh": "grep -q one a.txt && test ! -e state"});
    let lines = [
        task("right", &tests, "sh tests/hidden.sh"),
        task("wrong", &json!({}), "sh -c 'exit 3'"),
        task("other", &json!({}), "true"),
    ];
    std::fs::write(home.path().join("tasks.jsonl"), lines.join("\n")).expect("written");
    let flags = [
        "tasks.jsonl",
        "--model",
        &model,
        "--max-turns=1",
        "--limit=2",
        "--json",
    ];
    let ran = walden(
        home.path(),
        &[&flags[..], &["--results=kept.jsonl"]].concat(),
    );
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    let rows: Vec<Value> = text(&ran.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    assert_eq!(rows.len(), 3, "{rows:#?}");
    assert_eq!(
        (&rows[0]["id"], &rows[0]["solved"]),
        (&json!("right"), &json!(true)),
        "{rows:#?}"
    );
    assert_eq!(
        (&rows[1]["id"], &rows[1]["solved"]),
        (&json!("wrong"), &json!(false)),
        "{rows:#?}"
    );
    assert_eq!(rows[2]["total"]["solved"], json!(1));
    for row in &rows[..2] {
        assert!(
            row["generated"].as_u64() > Some(0) && row["generations"].as_u64() > Some(0),
            "{row:#?}"
        );
        assert_eq!(row["changed"], json!([]), "{row:#?}");
    }
    // What was run is not run again: without a model there is nothing to be run.
    let again = walden(
        home.path(),
        &[&flags[..1], &["--limit=2", "--results=kept.jsonl"]].concat(),
    );
    assert!(
        text(&again.stderr).contains("walden model pull"),
        "{}",
        text(&again.stderr)
    );
    let kept = std::fs::read_to_string(home.path().join("kept.jsonl")).expect("kept");
    assert_eq!(kept.lines().count(), 2);
    // What is kept counts for the same measurement, and for no other one.
    let counted = |more: &[&str]| {
        let flags = [
            "tasks.jsonl",
            "--model",
            &model,
            "--limit=0",
            "--results=kept.jsonl",
            "--json",
        ];
        let ran = walden(home.path(), &[&flags, more].concat());
        let last = text(&ran.stdout).lines().last().map(str::to_owned)?;
        let last: Value = serde_json::from_str(&last).expect("a line of JSON");
        Some(last["total"]["tasks"].clone())
    };
    assert_eq!(counted(&[]), Some(json!(2)));
    // Nothing is kept of these, and nothing is to be run.
    assert_eq!(counted(&["--free-arguments"]), None);
    assert_eq!(counted(&["--without=arguments"]), None);
}

#[test]
fn a_file_without_tasks_is_said() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let ran = walden(home.path(), &["none.jsonl"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(
        text(&ran.stderr).contains("cannot read the tasks"),
        "{}",
        text(&ran.stderr)
    );
}
