//! Claims about reviews, with a scripted model.

use serde_json::json;

use super::super::tests::{agent, asked, done, model, submit, summary};
use super::super::*;
use super::*;
use crate::protocol::{Mode, ModelEvent, Op, ToolChoice};

const DIFF: &str = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n def f():\n-    return 1\n+    return 2\n";

/// Lets a review read its change, and the model say how much likelier what stood there before is.
fn weighing(agent: &mut Agent, likelier: f32) -> Vec<Effect> {
    let target = ReviewTarget::Uncommitted;
    agent.handle(Input::Op(Op::Review { target }));
    let out = agent.handle(Input::ChangeRead(Ok(DIFF.to_owned())));
    let request = asked(&out).expect("the lines are weighed");
    let rivals = request.doubts.as_ref().map(|doubts| &doubts.rivals[..]);
    assert!(
        matches!(rivals, Some([one]) if one.other == "    return 1\n"),
        "{rivals:?}"
    );
    let rival = 0;
    model(agent, ModelEvent::Weighed { rival, likelier });
    done(agent, "", Finish::Stop)
}

fn reading(agent: &mut Agent) -> Vec<Effect> {
    weighing(agent, 0.0)
}

fn say(agent: &mut Agent, name: &str, given: serde_json::Value) -> Vec<Effect> {
    let serde_json::Value::Object(arguments) = given else {
        panic!("no arguments")
    };
    let name = name.to_owned();
    let mut out = model(agent, ModelEvent::Call { name, arguments });
    out.extend(done(agent, "raw", Finish::Call));
    out
}

fn found(line: u32) -> serde_json::Value {
    json!({"findings": [{
        "line": line, "problem": "it returns 2", "title": "wrong value", "severity": "error", "suggestion": ""
    }]})
}

fn findings(effects: &[Effect]) -> Vec<&Finding> {
    let mut all = Vec::new();
    for effect in effects {
        if let Effect::Emit(Event::Reviewed {
            news: ReviewNews::Found { finding },
        }) = effect
        {
            all.push(finding);
        }
    }
    all
}

#[test]
fn a_finding_is_questioned_before_it_is_told_and_the_conversation_hears_of_it() {
    let mut agent = agent(Mode::Ask);
    let out = reading(&mut agent);
    let request = asked(&out).expect("the piece is looked at");
    assert_eq!(request.lane, Lane::Side);
    assert!(matches!(&request.choice, ToolChoice::Required { names } if names == &["report"]));
    let lines = &request.tools[0].schema["properties"]["findings"]["items"]["properties"]["line"];
    assert_eq!(lines["enum"], json!([2]));
    let out = say(&mut agent, "report", found(2));
    assert!(findings(&out).is_empty());
    assert_eq!(asked(&out).expect("questioned").tools[0].name, "judge");
    let out = say(
        &mut agent,
        "judge",
        json!({"why": "f returned 1", "wrong_code": true}),
    );
    let told = findings(&out);
    assert_eq!(
        (told.len(), told[0].from, told[0].severity),
        (1, 2, Severity::Error)
    );
    assert!(summary(&out).is_some());
    assert!(agent.messages.is_empty(), "the conversation is left alone");
    let out = submit(&mut agent, "Fix it in the file a.py");
    let texts = format!("{:?}", agent.messages);
    assert!(texts.contains("wrong value"), "{texts} {out:?}");
}

#[test]
fn what_the_model_would_not_have_expected_is_told_whatever_it_says_of_it() {
    for (wrong, words) in [
        (true, "It gives two. `return 1` stood"),
        (false, "`return 1` stood"),
    ] {
        let mut agent = agent(Mode::Ask);
        let out = weighing(&mut agent, 5.0);
        assert_eq!(asked(&out).expect("looked at").tools[0].name, "report");
        let out = say(&mut agent, "report", json!({"findings": []}));
        assert!(findings(&out).is_empty());
        assert_eq!(asked(&out).expect("questioned").tools[0].name, "judge");
        let given = json!({"why": "It gives two.", "wrong_code": wrong});
        let out = say(&mut agent, "judge", given);
        let told = findings(&out);
        assert_eq!((told.len(), told[0].from), (1, 2));
        assert!(told[0].explanation.starts_with(words), "{told:?}");
        assert!(summary(&out).is_some());
    }
}

#[test]
fn what_the_model_would_not_have_expected_is_told_however_the_review_ends() {
    let full = || ModelFailure::ContextFull {
        needed: 9_000,
        context: 4_096,
    };
    let mut agent = agent(Mode::Ask);
    weighing(&mut agent, 5.0);
    let out = model(&mut agent, ModelEvent::Failed { failure: full() });
    assert_eq!(findings(&out).len(), 1, "asking about it does not fit");
    assert!(summary(&out).is_some());

    let mut agent = super::super::tests::agent(Mode::Ask);
    weighing(&mut agent, 5.0);
    say(&mut agent, "report", json!({"findings": []}));
    let out = done(&mut agent, "", Finish::Cancelled);
    assert_eq!(
        findings(&out).len(),
        1,
        "it was interrupted at the question"
    );
}

#[test]
fn what_cannot_be_weighed_is_asked_about() {
    let mut agent = agent(Mode::Ask);
    let read = |agent: &mut Agent| {
        let target = ReviewTarget::Uncommitted;
        agent.handle(Input::Op(Op::Review { target }));
        agent.handle(Input::ChangeRead(Ok(DIFF.to_owned())))
    };
    read(&mut agent);
    let failure = ModelFailure::ContextFull {
        needed: 9_000,
        context: 4_096,
    };
    let out = model(&mut agent, ModelEvent::Failed { failure });
    assert_eq!(asked(&out).expect("looked at").tools[0].name, "report");

    let mut agent = super::super::tests::agent(Mode::Ask);
    agent.settings.without = vec![Mechanism::Doubts];
    let out = read(&mut agent);
    assert_eq!(asked(&out).expect("looked at").tools[0].name, "report");
}

#[test]
fn a_finding_that_does_not_stand_is_not_told() {
    let mut agent = agent(Mode::Ask);
    reading(&mut agent);
    say(&mut agent, "report", found(2));
    let out = say(
        &mut agent,
        "judge",
        json!({"why": "it is right", "wrong_code": false}),
    );
    assert!(findings(&out).is_empty() && summary(&out).is_some());
}

#[test]
fn a_line_that_the_change_does_not_show_is_no_finding() {
    let mut agent = agent(Mode::Ask);
    reading(&mut agent);
    let out = say(&mut agent, "report", found(40));
    assert!(asked(&out).is_none() && summary(&out).is_some());
}

#[test]
fn what_only_one_of_several_passes_finds_is_dropped() {
    let mut agent = agent(Mode::Ask);
    if let Some(model) = &mut agent.model {
        model.parameters = 1_500_000_000;
    }
    reading(&mut agent);
    let none = || json!({"findings": []});
    say(&mut agent, "report", found(2));
    say(&mut agent, "report", none());
    let out = say(&mut agent, "report", none());
    assert!(summary(&out).is_some() && findings(&out).is_empty());
}

#[test]
fn a_change_that_cannot_be_read_ends_the_review_with_the_reason() {
    let mut agent = agent(Mode::Ask);
    let target = ReviewTarget::Commit { rev: "x".into() };
    let out = agent.handle(Input::Op(Op::Review {
        target: target.clone(),
    }));
    assert!(out.contains(&Effect::ReadChange(target)));
    let out = agent.handle(Input::ChangeRead(Err("there is no `x`".into())));
    let ended = summary(&out).expect("it ends");
    assert!(matches!(&ended.reason, EndReason::Failed { message } if message.contains("no `x`")));
}

#[test]
fn an_interrupted_review_ends_and_a_late_change_starts_nothing() {
    let mut agent = agent(Mode::Ask);
    let target = ReviewTarget::Staged;
    agent.handle(Input::Op(Op::Review { target }));
    let out = agent.handle(Input::Op(Op::Interrupt));
    assert!(summary(&out).is_some());
    let out = agent.handle(Input::ChangeRead(Ok(DIFF.to_owned())));
    assert!(out.is_empty(), "{out:?}");
}

#[test]
fn a_review_waits_for_the_running_turn() {
    let mut agent = agent(Mode::Ask);
    submit(&mut agent, "What is in this file?");
    let target = ReviewTarget::Uncommitted;
    let out = agent.handle(Input::Op(Op::Review {
        target: target.clone(),
    }));
    assert!(matches!(&out[..], [Effect::Emit(Event::Queued { .. })]));
    let out = super::super::tests::answer(&mut agent, "Nothing.");
    assert!(out.contains(&Effect::ReadChange(target)));
}
