//! What the reference server was seen to do, call by call, done again here: the same, but for the differences listed.

use super::*;
use crate::servers::differences;

/// The calls in their order, with the reference's answers. `differs` names the row of the table that says why ours is
/// another one.
const RECORDED: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/servers/git-behaviour.json"
));

#[tokio::test]
async fn recorded_calls_are_answered_as_the_reference_answers_but_for_the_differences_listed() {
    let world = World::new().await;
    world.write("a.txt", "one\nTWO\n");
    fs::write(world.folder.path().join("secret.txt"), "secret\n").expect("a file");
    lay(&world.folder.path().join("other"));
    let base = world.folder.path().to_string_lossy().into_owned();
    let listed = differences::of("git");
    let steps: Vec<Value> = serde_json::from_str(RECORDED).expect("JSON");
    let mut wrong = Vec::new();
    for step in &steps {
        let name = step["name"].as_str().expect("a name");
        let arguments = step["arguments"].to_string().replace("$B", &base);
        let arguments = serde_json::from_str(&arguments).expect("JSON");
        let tool = step["tool"].as_str().expect("a tool");
        let said = match world.send(tool, arguments).await {
            Ok(result) => told(&result),
            Err(error) => format!("error: {error}"),
        };
        let said = said.replace(&base, "$B");
        let recorded = step["text"].as_str().expect("an answer");
        let recorded = match step["error"].as_bool() {
            Some(true) => format!("error: {recorded}"),
            _ => recorded.to_owned(),
        };
        let is_same = without_commits(&said) == without_commits(&recorded);
        let as_listed = match step["differs"].as_str() {
            None => is_same,
            Some(row) => !is_same && listed.iter().any(|difference| difference.what == row),
        };
        if !as_listed {
            wrong.push(format!("[{name}] {recorded:?}\n  here {said:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(steps.len() > 35);
}

/// Leaves out what depends on the moment of a commit: its id, in full or short, and its date.
fn without_commits(text: &str) -> String {
    let word = |word: &str| {
        let is_id = word.len() >= 7 && word.chars().all(|c| c.is_ascii_hexdigit());
        if is_id {
            "ID".to_owned()
        } else {
            word.to_owned()
        }
    };
    let lines = text
        .trim_end()
        .lines()
        .map(|line| match line.split_once("Date: ") {
            Some((before, _)) => before.to_owned(),
            None => line.split(' ').map(word).collect::<Vec<_>>().join(" "),
        });
    lines.collect::<Vec<_>>().join("\n")
}
