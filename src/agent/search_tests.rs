//! Claims about the search for an edit that passes the project's check.

use super::tests::*;
use super::*;
use crate::protocol::{CheckResult, Hash, ModelEvent, Risk, ToolChoice};

/// An agent that lets edits be made without asking, and has a check.
fn checking_agent() -> Agent {
    let mut agent = agent(Mode::Edit);
    let check = ToolSpec {
        server: CHECKING_SERVER.into(),
        ..spec("check", Risk::Command)
    };
    agent.handle(Input::Tools(vec![check]));
    agent
}

fn result(passed: bool, reached: u32) -> CheckResult {
    CheckResult {
        passed,
        reached,
        failed: 0,
        millis: 1,
    }
}

/// Answers the check that the last effects ask for.
fn check(agent: &mut Agent, effects: &[Effect], passed: bool, reached: u32) -> Vec<Effect> {
    let id = checked_call(effects).expect("a check was asked for").0;
    let text = if passed { "passes" } else { "`t` fails: no" };
    agent.handle(Input::Checked {
        call: id,
        outcome: Outcome::Done { text: text.into() },
        result: Some(result(passed, reached)),
    })
}

/// Returns the check that effects ask for, and the path of the edit to be tried.
fn checked_call(effects: &[Effect]) -> Option<(CallId, Option<String>)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Check { call, trial } => Some((
            call.id,
            trial
                .as_ref()
                .and_then(|trial| trial.argument("path").map(str::to_owned)),
        )),
        _ => None,
    })
}

/// Lets the model write an edit, which would leave bytes with the hash `after`, and returns what is done then.
fn draw(agent: &mut Agent, path: &str, after: &str) -> Vec<Effect> {
    let out = call(agent, "edit", path);
    let Some(id) = out.iter().find_map(|effect| match effect {
        Effect::Preview(call) => Some(call.id),
        _ => None,
    }) else {
        return out;
    };
    let change = FileChange {
        after: Some(Hash(after.into())),
        ..change(path)
    };
    agent.handle(Input::Previewed {
        call: id,
        preview: Preview::Change(Box::new(change)),
    })
}

/// Starts a turn up to its first generation: the listing of files, and the check of the tree as it is.
fn begin(agent: &mut Agent, request: &str, reached: u32) -> Vec<Effect> {
    submit(agent, request);
    let out = succeed(agent, 1, None);
    check(agent, &out, false, reached)
}

fn texts(agent: &Agent) -> String {
    format!("{:?}", agent.messages)
}

#[test]
fn what_fails_is_told_before_the_model_is_asked() {
    let mut agent = checking_agent();
    let out = begin(&mut agent, "Fix it", 3);
    let request = asked(&out).expect("a generation");
    let last = format!("{:?}", request.messages.last());
    assert!(last.contains("`t` fails: no"), "{last}");
    assert!(
        request.tools.iter().all(|tool| tool.name != "check"),
        "the host alone calls the check"
    );
}

#[test]
fn an_edit_that_passes_is_the_one_that_is_made() {
    let mut agent = checking_agent();
    begin(&mut agent, "Fix it", 3);
    let out = draw(&mut agent, "a.py", "1");
    assert_eq!(
        checked_call(&out).and_then(|(_, path)| path),
        Some("a.py".to_owned())
    );
    let before = texts(&agent);
    let out = check(&mut agent, &out, false, 3);
    let again = asked(&out).expect("another edit is drawn");
    assert!(matches!(again.choice, ToolChoice::Required { .. }));
    assert!(again.sampling.temperature > 0.0, "not the same one again");
    assert_eq!(texts(&agent), before, "what failed is not remembered");
    let out = draw(&mut agent, "a.py", "2");
    let out = check(&mut agent, &out, true, 9);
    let made = out.iter().find_map(|effect| match effect {
        Effect::RunCall { call, change } => Some((call.id, change.clone())),
        _ => None,
    });
    let (id, change) = made.expect("the edit is made");
    assert_eq!(
        change.and_then(|change| change.after),
        Some(Hash("2".into()))
    );
    let out = agent.handle(Input::CallDone {
        call: id,
        outcome: Outcome::Done {
            text: "edited".into(),
        },
        change: Some(super::tests::change("a.py")),
        passage: None,
    });
    assert_eq!(
        asked(&out).map(|request| &request.choice),
        Some(&ToolChoice::None),
        "words end it"
    );
    let out = answer(&mut agent, "Done.");
    let summary = summary(&out).expect("the turn ended");
    assert_eq!(
        summary.sentence(),
        "Changed `a.py`; the check passes (edit 2 of 2 tried)."
    );
}

#[test]
fn the_same_edit_is_not_checked_twice() {
    let mut agent = checking_agent();
    begin(&mut agent, "Fix it", 3);
    let out = draw(&mut agent, "a.py", "1");
    check(&mut agent, &out, false, 3);
    let out = draw(&mut agent, "a.py", "1");
    assert!(checked_call(&out).is_none());
    assert!(asked(&out).is_some(), "another one is drawn");
}

#[test]
fn an_edit_that_gets_further_is_made_and_the_search_goes_on_from_there() {
    let mut agent = checking_agent();
    begin(&mut agent, "Fix it", 3);
    let mut out = Vec::new();
    // Not at once: an edit that passes as a whole is looked for first.
    for (after, reached) in [
        ("1", 3),
        ("2", 5),
        ("3", 3),
        ("4", 4),
        ("5", 3),
        ("6", 5),
        ("7", 4),
        ("8", 3),
    ] {
        assert!(
            !out.iter()
                .any(|effect| matches!(effect, Effect::RunCall { .. }))
        );
        out = draw(&mut agent, "a.py", after);
        out = check(&mut agent, &out, false, reached);
    }
    let made = out.iter().find_map(|effect| match effect {
        Effect::RunCall { call, change } => Some((
            call.id,
            change.as_ref().and_then(|change| change.after.clone()),
        )),
        _ => None,
    });
    let (id, after) = made.expect("the best of the round is made");
    assert_eq!(
        after,
        Some(Hash("6".into())),
        "the first of the best of its round"
    );
    let out = agent.handle(Input::CallDone {
        call: id,
        outcome: Outcome::Done {
            text: "edited".into(),
        },
        change: Some(change("a.py")),
        passage: None,
    });
    assert!(matches!(
        asked(&out).map(|request| &request.choice),
        Some(ToolChoice::Required { .. })
    ));
}

/// An agent with a check and a tool that writes files whole, which has read `a.py`.
fn agent_that_read() -> (Agent, Vec<Effect>) {
    let mut agent = checking_agent();
    let schema = serde_json::json!({"type": "object", "properties": {
        "path": {"type": "string"}, "content": {"type": "string"}}, "required": ["path", "content"]});
    let write = ToolSpec {
        schema,
        ..spec("write", Risk::Edit)
    };
    agent.handle(Input::Tools(vec![write]));
    agent.handle(Input::Submitted {
        text: "Fix `f` in a.py".into(),
        files: vec!["a.py".into()],
    });
    let out = agent.handle(Input::CallDone {
        call: CallId(1),
        outcome: Outcome::Done { text: "1".into() },
        change: None,
        passage: Some(("a.py".into(), "def f():\n    return 1\n".into())),
    });
    let out = check(&mut agent, &out, false, 3);
    (agent, out)
}

#[test]
fn a_short_file_is_asked_for_beside_the_conversation() {
    let (mut agent, _) = agent_that_read();
    let out = draw(&mut agent, "a.py", "1");
    let before = texts(&agent);
    let out = check(&mut agent, &out, false, 3);
    let request = asked(&out).expect("another draw");
    assert_eq!(request.lane, crate::protocol::Lane::Side);
    assert!(request.tools.is_empty());
    let prompt = format!("{:?}", request.messages);
    assert!(
        prompt.contains("Fix `f` in a.py")
            && prompt.contains("return 1")
            && !prompt.contains("You are walden"),
        "{prompt}"
    );
    let shown = model(
        &mut agent,
        ModelEvent::Text {
            text: "Sure:".into(),
        },
    );
    assert!(
        !shown
            .iter()
            .any(|effect| matches!(effect, Effect::Emit(Event::Text { .. }))),
        "what is drawn is not said"
    );
    let out = done(
        &mut agent,
        "Sure:\n```python\ndef f():\n    return 2\n```\n",
        crate::protocol::Finish::Stop,
    );
    let written = out.iter().find_map(|effect| match effect {
        Effect::Preview(call) => Some(call.clone()),
        _ => None,
    });
    let call = written.expect("a call is made of the block");
    assert_eq!(
        (call.tool.as_str(), call.argument("content")),
        ("write", Some("def f():\n    return 2\n"))
    );
    let out = agent.handle(Input::Previewed {
        call: call.id,
        preview: Preview::Change(Box::new(FileChange {
            after: Some(Hash("2".into())),
            ..change("a.py")
        })),
    });
    assert_eq!(texts(&agent), before, "nothing is remembered of a draw");
    check(&mut agent, &out, true, 9);
    assert!(
        texts(&agent).contains("return 2"),
        "the one that passes is the model's own call from then on"
    );
}

#[test]
fn words_instead_of_a_change_begin_the_search() {
    let (mut agent, _) = agent_that_read();
    let out = answer(&mut agent, "The function returns the wrong number.");
    let request = asked(&out).expect("a draw");
    assert_eq!(request.lane, crate::protocol::Lane::Side);
}

#[test]
fn an_interrupted_draw_leaves_nothing_in_the_conversation() {
    let (mut agent, _) = agent_that_read();
    answer(&mut agent, "It is wrong.");
    model(
        &mut agent,
        ModelEvent::Text {
            text: "Sure:".into(),
        },
    );
    let before = texts(&agent);
    let out = agent.handle(Input::Op(Op::Interrupt));
    assert!(out.contains(&Effect::CancelModel));
    assert_eq!(texts(&agent), before);
}

#[test]
fn a_search_in_vain_ends_with_what_is_true() {
    let mut agent = checking_agent();
    agent.settings.tries = 4;
    begin(&mut agent, "Fix it", 3);
    let mut out = Vec::new();
    for after in ["1", "2", "3", "4"] {
        out = draw(&mut agent, "a.py", after);
        out = check(&mut agent, &out, false, 3);
    }
    let made = out.iter().find_map(|effect| match effect {
        Effect::RunCall { call, .. } => Some(call.id),
        _ => None,
    });
    let id = made.expect("the likeliest edit is made all the same");
    agent.handle(Input::CallDone {
        call: id,
        outcome: Outcome::Done {
            text: "edited".into(),
        },
        change: Some(change("a.py")),
        passage: None,
    });
    let out = answer(&mut agent, "It still fails.");
    assert_eq!(
        summary(&out).map(crate::protocol::TurnSummary::sentence),
        Some("Changed `a.py`; the check does not pass (4 edits tried).".to_owned())
    );
}

#[test]
fn tests_stay_as_they_are_unless_they_are_asked_for() {
    let mut agent = checking_agent();
    begin(&mut agent, "Fix it", 3);
    let out = draw(&mut agent, "test_a.py", "1");
    assert!(checked_call(&out).is_none());
    assert!(
        !out.iter()
            .any(|effect| matches!(effect, Effect::Preview(_)))
    );
    assert!(asked(&out).is_some());
}

#[test]
fn a_check_that_says_the_same_of_every_edit_does_not_choose() {
    let mut agent = checking_agent();
    begin(&mut agent, "Fix it", 0);
    let mut out = Vec::new();
    for after in ["1", "2", "3", "4"] {
        out = draw(&mut agent, "a.py", after);
        out = check(&mut agent, &out, false, 0);
    }
    let made = out.iter().find_map(|effect| match effect {
        Effect::RunCall { change, .. } => change.as_ref().and_then(|change| change.after.clone()),
        _ => None,
    });
    assert_eq!(made, Some(Hash("1".into())));
}

#[test]
fn an_interrupt_forgets_the_edit_that_is_being_tried() {
    let mut agent = checking_agent();
    begin(&mut agent, "Fix it", 3);
    draw(&mut agent, "a.py", "1");
    let before = agent.messages.len();
    let out = agent.handle(Input::Op(Op::Interrupt));
    assert!(
        out.iter()
            .any(|effect| matches!(effect, Effect::CancelCalls(calls) if calls.len() == 2))
    );
    assert_eq!(agent.messages.len(), before, "no result without a call");
    assert!(summary(&out).is_some());
}

#[test]
fn nothing_is_checked_where_every_change_is_asked_about() {
    let mut agent = agent(Mode::Ask);
    let check = ToolSpec {
        server: CHECKING_SERVER.into(),
        ..spec("check", Risk::Command)
    };
    agent.handle(Input::Tools(vec![check]));
    submit(&mut agent, "Fix it");
    let out = succeed(&mut agent, 1, None);
    assert!(checked_call(&out).is_none());
    assert!(asked(&out).is_some());
}

#[test]
fn a_small_model_is_asked_for_the_one_short_file_that_is_named_and_the_conversation_begins_with_its_change()
 {
    let begin = |block: &str| {
        let mut agent = agent(Mode::Edit);
        let schema = serde_json::json!({"type": "object", "properties": {
            "path": {"type": "string"}, "content": {"type": "string"}}, "required": ["path", "content"]});
        let write = ToolSpec {
            schema,
            ..spec("write", Risk::Edit)
        };
        agent.handle(Input::Tools(vec![write]));
        agent.handle(Input::ModelReady(ModelInfo {
            parameters: 1_500_000_000,
            ..info()
        }));
        agent.handle(Input::Submitted {
            text: "Fix `f` in a.py".into(),
            files: vec!["a.py".into()],
        });
        let out = agent.handle(Input::CallDone {
            call: CallId(1),
            outcome: Outcome::Done { text: "1".into() },
            change: None,
            passage: Some(("a.py".into(), "def f():\n    return 1\n".into())),
        });
        let request = asked(&out).expect("a draw");
        assert_eq!(
            (request.lane, request.sampling.temperature),
            (crate::protocol::Lane::Side, 0.0)
        );
        let out = done(&mut agent, block, crate::protocol::Finish::Stop);
        (agent, out)
    };
    let (mut agent, out) = begin("```python\ndef f():\n    return 2\n```\n");
    let call = out.iter().find_map(|effect| match effect {
        Effect::Preview(call) => Some(call.id),
        _ => None,
    });
    let id = call.expect("the block becomes a call");
    let out = preview(&mut agent, id.0, "a.py");
    assert!(
        out.iter()
            .any(|effect| matches!(effect, Effect::RunCall { .. }))
    );
    let out = succeed(&mut agent, id.0, Some(change("a.py")));
    assert_eq!(
        asked(&out).map(|request| request.lane),
        Some(crate::protocol::Lane::Main)
    );
    let out = answer(&mut agent, "Done.");
    assert_eq!(
        summary(&out).map(crate::protocol::TurnSummary::sentence),
        Some("Changed `a.py`.".to_owned())
    );
    // Without a block the conversation goes on as if nothing had been drawn.
    let (agent, out) = begin("I would rather talk about it.");
    let request = asked(&out).expect("the conversation's own generation");
    assert_eq!(request.lane, crate::protocol::Lane::Main);
    assert!(!texts(&agent).contains("rather talk"));
}

#[test]
fn an_edit_that_breaks_the_syntax_is_not_worth_a_check() {
    let mut agent = checking_agent();
    begin(&mut agent, "Fix it", 3);
    let broken = |agent: &mut Agent| {
        let out = call(agent, "edit", "a.py");
        let id = out.iter().find_map(|effect| match effect {
            Effect::Preview(call) => Some(call.id),
            _ => None,
        });
        let mut change = change("a.py");
        let note = format!("{}line 1: `)` is missing", crate::protocol::BREAKS_SYNTAX);
        change.notes.push(note);
        let preview = Preview::Change(Box::new(change));
        let call = id.expect("a preview");
        agent.handle(Input::Previewed { call, preview })
    };
    let checks = |out: &[Effect]| {
        out.iter()
            .any(|effect| matches!(effect, Effect::Check { .. }))
    };
    let out = broken(&mut agent);
    assert!(!checks(&out), "{out:?}");
    assert!(asked(&out).is_some(), "another is drawn");
    let out = broken(&mut agent);
    assert!(checks(&out), "what is drawn again is tried: {out:?}");
}
