//! Claims about the search for an edit that passes the project's check.

use super::tests::*;
use super::*;
use crate::protocol::{
    CheckResult, Departure, Finish, Hash, Mode, ModelEvent, Op, Risk, SearchNews, ToolChoice,
};

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
        given: [0; 8],
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

/// Answers what is asked about code, as where the language is not known: no function is meant, and a block is the file.
fn told(agent: &mut Agent, out: Vec<Effect>) -> Vec<Effect> {
    told_of(agent, out, None, None)
}

/// Answers what is asked about code.
fn told_of(
    agent: &mut Agent,
    out: Vec<Effect>,
    focus: Option<Focus>,
    woven: Option<&str>,
) -> Vec<Effect> {
    let asked = out.iter().find_map(|effect| match effect {
        Effect::ReadCode { question, about } => Some((*question, about.clone())),
        _ => None,
    });
    let Some((question, about)) = asked else {
        return out;
    };
    let answer = match about {
        CodeQuestion::Aims { .. } => CodeAnswer::Aims(Aims {
            targets: vec![focus.map_or(Aim::File, Aim::Function)],
            is_stub: false,
        }),
        CodeQuestion::Weave { .. } => CodeAnswer::Woven(woven.map(str::to_owned)),
    };
    agent.handle(Input::CodeTold { question, answer })
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
    assert_eq!(after, Some(Hash("2".into())), "the first of the best");
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
    let out = told(&mut agent, out);
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
    assert_eq!(
        shown,
        [Effect::Emit(Event::CallDrafted {
            name: Some("another edit".into()),
            bytes: 5
        })],
        "what is drawn is not said; how many there were is counted by the search"
    );
    let out = done(
        &mut agent,
        "Sure:\n```python\ndef f():\n    return 2\n```\n",
        Finish::Stop,
    );
    let out = told(&mut agent, out);
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
fn an_edit_that_a_compiler_refuses_is_tried_as_the_compiler_says() {
    use crate::protocol::{Hunk, Line, LineKind};
    let (mut agent, _) = agent_that_read();
    let line = |kind, text: &str| Line {
        kind,
        text: text.to_owned(),
    };
    let written = |text: &str, hash: &str| FileChange {
        after: Some(Hash(hash.into())),
        hunks: vec![Hunk {
            old_start: 2,
            old_lines: 1,
            new_start: 2,
            new_lines: 1,
            lines: vec![
                line(LineKind::Removed, "    return 1"),
                line(LineKind::Added, text),
            ],
        }],
        ..change("a.py")
    };
    let out = call(&mut agent, "edit", "a.py");
    let previewed = |out: &[Effect]| {
        out.iter().find_map(|effect| match effect {
            Effect::Preview(call) => Some(call.clone()),
            _ => None,
        })
    };
    let tried = previewed(&out).expect("an edit is tried");
    let out = agent.handle(Input::Previewed {
        call: tried.id,
        preview: Preview::Change(Box::new(written("    return tow", "1"))),
    });
    let refuse = |agent: &mut Agent, out: &[Effect], says: &str| {
        let id = checked_call(out).expect("a check").0;
        agent.handle(Input::Checked {
            call: id,
            outcome: Outcome::Done { text: says.into() },
            result: Some(result(false, 0)),
        })
    };
    let told = "NameError: name 'tow' is not defined. Did you mean: 'two'?";
    let out = refuse(&mut agent, &out, told);
    assert!(asked(&out).is_none(), "the model is not asked for it");
    let mended = previewed(&out).expect("the correction is tried");
    assert_eq!(
        mended.argument("content"),
        Some("def f():\n    return two\n")
    );
    let out = agent.handle(Input::Previewed {
        call: mended.id,
        preview: Preview::Change(Box::new(written("    return two", "2"))),
    });
    let named = out.iter().find_map(|effect| match effect {
        Effect::Check { call, .. } => call.argument("name").map(str::to_owned),
        _ => None,
    });
    assert_eq!(
        named.as_deref(),
        Some("edit 1 of `a.py`, corrected as the compiler says")
    );
    // Where nothing more is said, the model is asked again.
    let out = refuse(&mut agent, &out, "it is wrong");
    assert!(previewed(&out).is_none());
    assert!(
        out.iter()
            .any(|effect| matches!(effect, Effect::ReadCode { .. } | Effect::Generate(_)))
    );
    assert!(
        !texts(&agent).contains("tow"),
        "nobody sees what was refused"
    );
}

#[test]
fn words_instead_of_a_change_begin_the_search() {
    let (mut agent, _) = agent_that_read();
    let out = answer(&mut agent, "The function returns the wrong number.");
    let out = told(&mut agent, out);
    let request = asked(&out).expect("a draw");
    assert_eq!(request.lane, crate::protocol::Lane::Side);
}

#[test]
fn an_interrupted_draw_leaves_nothing_in_the_conversation() {
    let (mut agent, _) = agent_that_read();
    let out = answer(&mut agent, "It is wrong.");
    told(&mut agent, out);
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
    let out = agent.handle(Input::CallDone {
        call: id,
        outcome: Outcome::Done {
            text: "edited".into(),
        },
        change: Some(change("a.py")),
        passage: None,
    });
    assert!(
        asked(&out).is_none(),
        "a small model would say that all is well"
    );
    assert_eq!(
        summary(&out).map(crate::protocol::TurnSummary::sentence),
        Some("Changed `a.py`; the check does not pass (4 edits tried).".to_owned())
    );
}

#[test]
fn an_edit_after_which_less_works_is_not_made() {
    for (base, edited) in [
        // Tests that passed do not any more.
        ((3, 0), (2, 0)),
        // As many pass, and more fail.
        ((3, 1), (3, 2)),
        // It does not even compile.
        ((0, 2), (0, 0)),
    ] {
        let of = |(reached, failed)| CheckResult {
            failed,
            ..result(false, reached)
        };
        let mut agent = checking_agent();
        agent.settings.tries = 2;
        submit(&mut agent, "Fix it");
        let out = succeed(&mut agent, 1, None);
        let says = |agent: &mut Agent, out: &[Effect], text: &str, counts| {
            let id = checked_call(out).expect("a check").0;
            agent.handle(Input::Checked {
                call: id,
                outcome: Outcome::Done { text: text.into() },
                result: Some(of(counts)),
            })
        };
        says(&mut agent, &out, "`t` fails", base);
        let mut out = Vec::new();
        for after in ["1", "2"] {
            out = draw(&mut agent, "a.py", after);
            out = says(&mut agent, &out, &format!("it is worse: {after}"), edited);
        }
        assert!(
            !out.iter()
                .any(|effect| matches!(effect, Effect::RunCall { .. }))
        );
        assert_eq!(
            summary(&out).map(crate::protocol::TurnSummary::sentence),
            Some("No file was changed; none of the 2 edits tried passes the check.".to_owned())
        );
    }
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
        let out = told(&mut agent, out);
        let request = asked(&out).expect("a draw");
        assert_eq!(
            (request.lane, request.sampling.temperature),
            (crate::protocol::Lane::Side, 0.0)
        );
        let out = done(&mut agent, block, Finish::Stop);
        let out = told(&mut agent, out);
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
    // Without a block it is asked again, to think first, and then the conversation goes on as if nothing had been drawn.
    let (mut agent, out) = begin("I would rather talk about it.");
    let again = asked(&out).expect("another draw");
    let prompt = format!("{:?}", again.messages);
    assert!(
        prompt.contains("First say in one or two sentences"),
        "{prompt}"
    );
    let same = "```python\ndef f():\n    return 1\n```\n";
    let out = done(&mut agent, same, Finish::Stop);
    let out = told(&mut agent, out);
    assert_eq!(
        asked(&out).map(|request| request.lane),
        Some(crate::protocol::Lane::Side),
        "what changes nothing is no change"
    );
    let out = done(&mut agent, "No.", Finish::Stop);
    let request = asked(&out).expect("the conversation's own generation");
    assert_eq!(request.lane, crate::protocol::Lane::Main);
    assert!(!texts(&agent).contains("rather talk"));
}

/// An agent with a tool that replaces a passage and a function that is meant, which is being drawn.
fn agent_with_a_focus(lines: Vec<usize>) -> (Agent, Vec<Effect>) {
    let mut agent = checking_agent();
    let text = |names: [&str; 3]| {
        let properties = names.map(|name| (name.to_owned(), serde_json::json!({"type": "string"})));
        let properties = serde_json::Map::from_iter(properties);
        serde_json::json!({"type": "object", "properties": properties})
    };
    let write = ToolSpec {
        schema: text(["path", "content", "mode"]),
        ..spec("write", Risk::Edit)
    };
    let edit = ToolSpec {
        schema: text(["path", "old", "new"]),
        ..spec("edit", Risk::Edit)
    };
    agent.handle(Input::Tools(vec![edit, write]));
    agent.handle(Input::ModelReady(ModelInfo {
        parameters: 1_500_000_000,
        ..info()
    }));
    agent.handle(Input::Submitted {
        text: "Fix `f` in a.py".into(),
        files: vec!["a.py".into()],
    });
    let file = "import re\n\n\ndef f(x):\n    y = x - 1\n    return y\n";
    let out = agent.handle(Input::CallDone {
        call: CallId(1),
        outcome: Outcome::Done { text: "1".into() },
        change: None,
        passage: Some(("a.py".into(), file.into())),
    });
    let out = check(&mut agent, &out, false, 3);
    let focus = Focus {
        name: "f".into(),
        from: 4,
        to: 6,
        lines,
        around: None,
    };
    let out = told_of(&mut agent, out, Some(focus), None);
    (agent, out)
}

/// Returns the arguments `old` and `new` of the edit that effects preview, and its call.
fn quoted(out: &[Effect]) -> Option<(CallId, String, String)> {
    out.iter().find_map(|effect| match effect {
        Effect::Preview(call) => Some((
            call.id,
            call.argument("old")?.to_owned(),
            call.argument("new")?.to_owned(),
        )),
        _ => None,
    })
}

fn prompt(out: &[Effect]) -> String {
    let request = asked(out).expect("a generation");
    match request.messages.last() {
        Some(Message::User { text }) => text.clone(),
        other => format!("{other:?}"),
    }
}

#[test]
fn the_function_that_is_meant_is_asked_for_and_only_what_differs_is_edited() {
    let (mut agent, out) = agent_with_a_focus(vec![5, 6]);
    let asked = prompt(&out);
    assert!(
        asked.contains("This is `f` as it stands:\n```python\ndef f(x):"),
        "{asked}"
    );
    let block = "```python\ndef f(x):\n    y = x + 1\n    return y\n```";
    let out = done(&mut agent, block, Finish::Stop);
    let whole = "import re\n\n\ndef f(x):\n    y = x + 1\n    return y\n";
    let out = told_of(&mut agent, out, None, Some(whole));
    let (_, old, new) = quoted(&out).expect("an edit");
    assert_eq!((&*old, &*new), ("    y = x - 1\n", "    y = x + 1\n"));
}

#[test]
fn a_function_that_comes_back_as_it_was_is_not_checked() {
    let (mut agent, _) = agent_with_a_focus(vec![5, 6]);
    let file = "import re\n\n\ndef f(x):\n    y = x - 1\n    return y\n";
    let out = done(&mut agent, "```\nthe same\n```", Finish::Stop);
    let out = told_of(&mut agent, out, None, Some(file));
    assert!(checked_call(&out).is_none());
    assert!(asked(&out).is_some(), "another is drawn");
    let effort = agent.turn.as_ref().map(|turn| *turn.effort());
    assert_eq!(
        effort.map(|effort| (effort.edits, effort.same, effort.unfit)),
        Some((1, 1, 0))
    );
}

#[test]
fn a_search_goes_through_the_lines_of_the_function() {
    let (mut agent, mut out) = agent_with_a_focus(vec![5, 6]);
    agent
        .settings
        .without
        .push(crate::protocol::Mechanism::Doubts);
    // The function twice, and once in the conversation: in vain.
    for _ in 0..2 {
        let drawn = done(&mut agent, "No.", Finish::Stop);
        out = told(&mut agent, drawn);
    }
    assert_eq!(
        asked(&out).map(|request| request.lane),
        Some(crate::protocol::Lane::Main)
    );
    out = done(&mut agent, "No.", Finish::Stop);
    let line = prompt(&out);
    assert!(
        line.contains("```python\n    y = x - 1\n```\nWrite only"),
        "{line}"
    );
    let most = asked(&out).map(|request| request.sampling.max_tokens);
    assert!(most.is_some_and(|most| most < 200), "a line is short");
    out = done(&mut agent, "```python\ny = x + 2\n```", Finish::Stop);
    let (id, old, new) = quoted(&out).expect("an edit");
    assert_eq!((&*old, &*new), ("    y = x - 1\n", "    y = x + 2\n"));
    let preview = Preview::Change(Box::new(FileChange {
        after: Some(Hash("9".into())),
        ..change("a.py")
    }));
    out = agent.handle(Input::Previewed { call: id, preview });
    out = check(&mut agent, &out, false, 3);
    let next = prompt(&out);
    assert!(
        next.contains("```python\n    return y\n```\nWrite only"),
        "{next}"
    );
}

#[test]
fn an_answer_about_code_that_comes_after_an_interrupt_changes_nothing() {
    let (mut agent, _) = agent_with_a_focus(vec![5]);
    let out = done(&mut agent, "```\nx\n```", Finish::Stop);
    agent.handle(Input::Op(Op::Interrupt));
    let late = told_of(&mut agent, out, None, Some("y\n"));
    assert_eq!(late, []);
}

#[test]
fn a_check_that_counts_what_fails_chooses_although_it_says_the_same() {
    let mut agent = checking_agent();
    submit(&mut agent, "Fix it");
    let out = succeed(&mut agent, 1, None);
    let fails = |agent: &mut Agent, out: &[Effect]| {
        let id = checked_call(out).expect("a check was asked for").0;
        agent.handle(Input::Checked {
            call: id,
            outcome: Outcome::Done {
                text: "`t` fails: no".into(),
            },
            result: Some(CheckResult {
                failed: 1,
                ..result(false, 0)
            }),
        })
    };
    let mut out = fails(&mut agent, &out);
    for after in ["1", "2", "3", "4"] {
        out = draw(&mut agent, "a.py", after);
        out = fails(&mut agent, &out);
    }
    assert!(asked(&out).is_some(), "it goes on: {out:?}");
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

#[test]
fn where_the_model_doubts_the_code_each_departure_is_tried_and_none_twice() {
    let (mut agent, mut out) = agent_with_a_focus(vec![5, 6]);
    for number in ["2", "3"] {
        let whole = format!("import re\n\n\ndef f(x):\n    y = x - {number}\n    return y\n");
        out = done(&mut agent, "```\nanother\n```", Finish::Stop);
        out = told_of(&mut agent, out, None, Some(&whole));
        out = preview_of(&mut agent, &out, number);
        out = check(&mut agent, &out, false, 3);
    }
    let doubts = asked(&out)
        .and_then(|request| request.doubts.clone())
        .expect("it is asked what the model doubts");
    assert_eq!(&*doubts.text, "def f(x):\n    y = x - 1\n    return y\n");
    let at = |what: &str| doubts.text.find(what).expect("it is there");
    for (place, written) in [
        (at("- 1"), "- 2\n    return y\n"),
        (at("- 1"), "+ 1\n    return y\n"),
        (at("return y"), "return x\n"),
    ] {
        let departure = Departure {
            at: place,
            likelihood: 0.1,
            written: written.to_owned(),
        };
        model(&mut agent, ModelEvent::Departed { departure });
    }
    // The first was tried before.
    let out = done(&mut agent, "", Finish::Stop);
    let (_, old, new) = quoted(&out).expect("an edit");
    assert_eq!((&*old, &*new), ("    y = x - 1\n", "    y = x + 1\n"));
    let out = preview_of(&mut agent, &out, "4");
    let out = check(&mut agent, &out, false, 3);
    let (_, old, new) = quoted(&out).expect("the next, without a generation");
    assert_eq!((&*old, &*new), ("    return y\n", "    return x\n"));
    let out = preview_of(&mut agent, &out, "5");
    let out = check(&mut agent, &out, true, 4);
    assert!(quoted(&out).is_none() && asked(&out).is_none());
    let said = format!("{out:?}");
    assert!(said.contains("return x"), "it is made: {said}");
}

/// Answers the preview of an edit that leaves a file of this hash.
fn preview_of(agent: &mut Agent, out: &[Effect], hash: &str) -> Vec<Effect> {
    let (call, _, _) = quoted(out).expect("an edit");
    let mut change = change("a.py");
    change.after = Some(Hash(hash.into()));
    agent.handle(Input::Previewed {
        call,
        preview: Preview::Change(Box::new(change)),
    })
}

/// Returns what effects tell of a search, and of the calls that are proposed.
fn told_of_search(effects: &[Effect]) -> Vec<String> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Emit(Event::Searched { news }) => Some(match news {
                SearchNews::Began { path, base, .. } => {
                    format!("began {path} {}", base.map_or(0, |base| base.reached))
                }
                SearchNews::Trying { trial, .. } => format!("trying {trial:?}"),
                SearchNews::Tried { result, .. } => format!("tried {}", result.reached),
                SearchNews::Ended { end, .. } => format!("ended {end:?}"),
            }),
            Effect::Emit(Event::CallProposed { call, .. }) => Some(call.tool.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn each_trial_is_an_ordinary_call_that_is_said_to_be_part_of_the_search() {
    let mut agent = checking_agent();
    begin(&mut agent, "Fix it", 3);
    let out = draw(&mut agent, "a.py", "1");
    assert_eq!(
        told_of_search(&out),
        ["began a.py 3", "trying Edit", "check"]
    );
    let out = check(&mut agent, &out, false, 4);
    assert_eq!(told_of_search(&out), ["tried 4"]);
    let out = draw(&mut agent, "a.py", "2");
    assert_eq!(told_of_search(&out), ["trying Edit", "check"]);
    let out = check(&mut agent, &out, true, 9);
    assert_eq!(told_of_search(&out), ["tried 9", "ended Passes", "edit"]);
}

#[test]
fn a_search_that_is_stopped_says_so() {
    let mut agent = checking_agent();
    begin(&mut agent, "Fix it", 3);
    draw(&mut agent, "a.py", "1");
    let out = agent.handle(Input::Op(Op::Interrupt));
    assert_eq!(told_of_search(&out), ["ended Stopped"]);
}
