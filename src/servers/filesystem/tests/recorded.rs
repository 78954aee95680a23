//! What the reference server was seen to do, call by call, done again here: the same, but for the differences listed.

use super::full::World;
use super::*;
use crate::servers::differences;

/// The calls in their order, with the reference's answers. `differs` names the row of the table that says why ours is
/// another one; `cut` ends an answer that was not recorded whole.
const RECORDED: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/servers/filesystem-behaviour.json"
));

#[tokio::test]
async fn recorded_calls_are_answered_as_the_reference_answers_but_for_the_differences_listed() {
    let world = World::new().await;
    let listed = differences::of("filesystem");
    let steps: Vec<Value> = serde_json::from_str(RECORDED).expect("JSON");
    let mut wrong = Vec::new();
    for step in &steps {
        let name = step["name"].as_str().expect("a name");
        let tool: &'static str = step["tool"].as_str().expect("a tool").to_owned().leak();
        let said = world.say(tool, &step["arguments"].to_string()).await;
        let recorded = step["text"]
            .as_str()
            .map(|text| match step["error"].as_bool() {
                Some(true) => format!("error: {text}"),
                _ => text.to_owned(),
            });
        let is_same = match &recorded {
            Some(recorded) if step["cut"] == true => said.starts_with(recorded.as_str()),
            Some(recorded) => without_times(&said) == without_times(recorded),
            None => said.is_empty(),
        };
        let as_listed = match step["differs"].as_str() {
            None => is_same,
            Some(row) => !is_same && listed.iter().any(|difference| difference.what == row),
        };
        if !as_listed {
            wrong.push(format!("[{name}] {recorded:?}\n  here {said:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(steps.len() > 40);
}

/// Leaves out when files were made and used.
fn without_times(text: &str) -> String {
    let lines = text.lines().filter(|line| {
        !["created: ", "modified: ", "accessed: "]
            .iter()
            .any(|time| line.starts_with(time))
    });
    lines.collect::<Vec<_>>().join("\n")
}
