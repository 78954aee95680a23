//! Claims about the state machine, one scripted exchange each.

use serde_json::{Map, Value, json};

use super::*;
use crate::protocol::ToolList;
use crate::protocol::{
    CallId, ChangeKind, Decision, EndReason, Finish, Hash, LineKind, Mode, ModelEvent,
    ModelFailure, Op, Risk, Scope, ToolChoice, Usage,
};

pub(super) fn spec(name: &str, risk: Risk) -> ToolSpec {
    ToolSpec {
        server: "fs".into(),
        name: name.into(),
        tool: name.into(),
        description: format!("The tool {name}."),
        schema: json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}),
        risk,
        previews: risk == Risk::Edit,
    }
}

pub(super) fn info() -> ModelInfo {
    ModelInfo {
        name: "m".into(),
        title: "M".into(),
        architecture: "qwen2".into(),
        parameters: 1,
        context: 4096,
        form: CallForm::JsonFence,
        memory: crate::protocol::ModelMemory::default(),
        tools: ToolList::Text,
    }
}

pub(super) fn agent(mode: Mode) -> Agent {
    let mut agent = Agent::new(Settings {
        mode,
        max_steps: 6,
        ..Settings::default()
    });
    agent.handle(Input::Tools(vec![
        spec("read", Risk::Read),
        spec("list", Risk::Read),
        spec("edit", Risk::Edit),
    ]));
    agent.handle(Input::ModelReady(info()));
    agent
}

pub(super) fn change(path: &str) -> FileChange {
    FileChange {
        path: path.into(),
        kind: ChangeKind::Modify,
        base: Some(Hash("0".into())),
        after: Some(Hash("1".into())),
        hunks: vec![],
        added: 1,
        removed: 1,
        notes: vec![],
        others: vec![],
        from: None,
        modes: None,
    }
}

pub(super) fn arguments(path: &str) -> Map<String, Value> {
    Map::from_iter([("path".to_owned(), json!(path))])
}

pub(super) fn submit(agent: &mut Agent, text: &str) -> Vec<Effect> {
    agent.handle(Input::Submitted {
        text: text.into(),
        files: vec![],
    })
}

/// Returns the generation that effects ask for.
pub(super) fn asked(effects: &[Effect]) -> Option<&crate::protocol::ModelRequest> {
    effects.iter().find_map(|effect| match effect {
        Effect::Generate(request) => Some(&**request),
        _ => None,
    })
}

pub(super) fn model(agent: &mut Agent, event: ModelEvent) -> Vec<Effect> {
    let generation = GenerationId(agent.generations);
    agent.handle(Input::Model { generation, event })
}

/// Lets the model call a tool and end its generation.
pub(super) fn call(agent: &mut Agent, name: &str, path: &str) -> Vec<Effect> {
    let mut out = model(
        agent,
        ModelEvent::Call {
            name: name.into(),
            arguments: arguments(path),
        },
    );
    out.extend(done(agent, "call", Finish::Call));
    out
}

pub(super) fn done(agent: &mut Agent, raw: &str, finish: Finish) -> Vec<Effect> {
    model(
        agent,
        ModelEvent::Done {
            raw: raw.into(),
            finish,
            usage: Usage {
                prompt: 10,
                generated: 5,
                ..Usage::default()
            },
        },
    )
}

pub(super) fn answer(agent: &mut Agent, text: &str) -> Vec<Effect> {
    let mut out = model(agent, ModelEvent::Text { text: text.into() });
    out.extend(done(agent, text, Finish::Stop));
    out
}

pub(super) fn succeed(agent: &mut Agent, id: u64, change: Option<FileChange>) -> Vec<Effect> {
    agent.handle(Input::CallDone {
        call: CallId(id),
        outcome: Outcome::Done {
            text: format!("result {id}"),
        },
        change,
        passage: None,
    })
}

pub(super) fn preview(agent: &mut Agent, id: u64, path: &str) -> Vec<Effect> {
    agent.handle(Input::Previewed {
        call: CallId(id),
        preview: Preview::Change(Box::new(change(path))),
    })
}

pub(super) fn summary(effects: &[Effect]) -> Option<&crate::protocol::TurnSummary> {
    effects.iter().find_map(|effect| match effect {
        Effect::Emit(Event::TurnEnded { summary, .. }) => Some(summary),
        _ => None,
    })
}

pub(super) fn outcomes(effects: &[Effect]) -> Vec<&Outcome> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Emit(Event::CallFinished { outcome, .. }) => Some(outcome),
            _ => None,
        })
        .collect()
}

#[test]
fn a_question_is_answered_without_a_call() {
    let mut agent = agent(Mode::Ask);
    let out = submit(&mut agent, "What is this?");
    assert_eq!(
        asked(&out).map(|request| &request.choice),
        Some(&ToolChoice::Auto)
    );
    let out = answer(&mut agent, "A project.");
    assert_eq!(
        summary(&out).map(|s| s.reason.clone()),
        Some(EndReason::Answered)
    );
}

#[test]
fn a_message_waits_until_the_model_is_loaded() {
    let mut agent = Agent::new(Settings::default());
    agent.handle(Input::Tools(vec![spec("read", Risk::Read)]));
    let out = submit(&mut agent, "hello");
    assert!(asked(&out).is_none());
    let out = agent.handle(Input::ModelReady(info()));
    assert!(asked(&out).is_some());
}

#[test]
fn an_edit_is_previewed_then_asked_then_run_as_it_was_shown() {
    let mut agent = agent(Mode::Ask);
    submit(&mut agent, "Go on");
    let out = call(&mut agent, "edit", "a.py");
    assert!(
        out.iter()
            .any(|effect| matches!(effect, Effect::Preview(call) if call.id == CallId(1)))
    );
    let out = preview(&mut agent, 1, "a.py");
    assert!(matches!(
        out.as_slice(),
        [Effect::Emit(Event::ApprovalRequested {
            call: CallId(1),
            ..
        })]
    ));
    let allow = Input::Op(Op::Decide {
        call: CallId(1),
        decision: Decision::Allow { scope: Scope::Once },
    });
    let out = agent.handle(allow.clone());
    let expected = Effect::RunCall {
        call: ToolCall {
            id: CallId(1),
            server: "fs".into(),
            tool: "edit".into(),
            arguments: arguments("a.py"),
        },
        change: Some(Box::new(change("a.py"))),
    };
    assert!(out.contains(&expected));
    assert_eq!(agent.handle(allow), vec![], "a decision counts once");
    let out = succeed(&mut agent, 1, Some(change("a.py")));
    assert!(asked(&out).is_some());
    let out = answer(&mut agent, "Done.");
    assert_eq!(
        summary(&out).map(|s| s.changed.clone()),
        Some(vec!["a.py".to_owned()])
    );
}

#[test]
fn a_denied_call_goes_back_to_the_model_with_the_reason() {
    let mut agent = agent(Mode::Ask);
    submit(&mut agent, "Fix it");
    succeed(&mut agent, 1, None);
    call(&mut agent, "edit", "a.py");
    preview(&mut agent, 2, "a.py");
    let decision = Decision::Deny {
        reason: Some("use b.py".into()),
    };
    let out = agent.handle(Input::Op(Op::Decide {
        call: CallId(2),
        decision,
    }));
    let last = asked(&out).and_then(|request| request.messages.last());
    assert!(
        matches!(last, Some(Message::Tool { text, .. }) if text.contains("use b.py")),
        "{last:?}"
    );
    let out = answer(&mut agent, "All right.");
    assert_eq!(
        summary(&out).map(|s| (s.denied, s.changed.len())),
        Some((1, 0))
    );
}

#[test]
fn edit_mode_runs_an_ordinary_edit_and_asks_about_executable_data() {
    let mut agent = agent(Mode::Edit);
    submit(&mut agent, "Hello");
    call(&mut agent, "edit", "a.py");
    let out = preview(&mut agent, 1, "a.py");
    assert!(
        out.iter()
            .any(|effect| matches!(effect, Effect::RunCall { .. }))
    );
    succeed(&mut agent, 1, Some(change("a.py")));
    call(&mut agent, "edit", "Makefile");
    let risky = FileChange {
        notes: vec![crate::protocol::EXECUTABLE_DATA.to_owned()],
        ..change("Makefile")
    };
    let out = agent.handle(Input::Previewed {
        call: CallId(2),
        preview: Preview::Change(Box::new(risky)),
    });
    assert!(matches!(
        out.as_slice(),
        [Effect::Emit(Event::ApprovalRequested { .. })]
    ));
}

#[test]
fn an_interrupt_answers_everything_and_the_next_turn_is_clean() {
    let mut agent = agent(Mode::Ask);
    submit(&mut agent, "Go on");
    call(&mut agent, "edit", "a.py");
    preview(&mut agent, 1, "a.py");
    let out = agent.handle(Input::Op(Op::Interrupt));
    assert_eq!(outcomes(&out), [&Outcome::Cancelled]);
    assert_eq!(
        summary(&out).map(|s| s.reason.clone()),
        Some(EndReason::Interrupted)
    );
    let late = Input::Op(Op::Decide {
        call: CallId(1),
        decision: Decision::Allow { scope: Scope::Once },
    });
    assert_eq!(agent.handle(late), vec![]);
    let out = submit(&mut agent, "What else?");
    assert!(asked(&out).is_some());
    let stale = Input::Model {
        generation: GenerationId(1),
        event: ModelEvent::Text {
            text: "late".into(),
        },
    };
    assert_eq!(
        agent.handle(stale),
        vec![],
        "an older generation is not heard"
    );
}

#[test]
fn an_interrupted_generation_is_cancelled_and_what_it_wrote_is_kept() {
    let mut agent = agent(Mode::Ask);
    submit(&mut agent, "Go on");
    model(
        &mut agent,
        ModelEvent::Text {
            text: "It is".into(),
        },
    );
    let out = agent.handle(Input::Op(Op::Interrupt));
    assert!(out.contains(&Effect::CancelModel));
    assert!(out.contains(&Effect::Remember(Message::Assistant {
        raw: "It is".into()
    })));
}

#[test]
fn a_change_that_lands_after_an_interrupt_can_still_be_undone() {
    let mut agent = agent(Mode::Edit);
    submit(&mut agent, "Hello");
    call(&mut agent, "edit", "a.py");
    preview(&mut agent, 1, "a.py");
    agent.handle(Input::Op(Op::Interrupt));
    let out = succeed(&mut agent, 1, Some(change("a.py")));
    assert!(matches!(
        out.as_slice(),
        [Effect::Emit(Event::ChangeApplied { .. })]
    ));
    let out = agent.handle(Input::Op(Op::Undo));
    assert_eq!(
        out,
        vec![Effect::Undo {
            turn: 1,
            changes: vec![change("a.py")]
        }]
    );
}

#[test]
fn a_turn_that_was_to_change_something_and_did_not_is_asked_again_and_then_ends_honestly() {
    let mut agent = agent(Mode::Edit);
    agent.handle(Input::Submitted {
        text: "Fix a.py".into(),
        files: vec!["a.py".into()],
    });
    let out = succeed(&mut agent, 1, None);
    assert!(asked(&out).is_some());
    for _ in 0..turn_nudges() {
        let out = answer(&mut agent, "I fixed it.");
        let request = asked(&out).expect("asked again");
        assert_eq!(
            request.choice,
            ToolChoice::Required {
                names: vec!["edit".into()]
            }
        );
    }
    let out = answer(&mut agent, "I fixed it.");
    let summary = summary(&out).expect("ended");
    assert!(
        summary.sentence().starts_with("No file was changed"),
        "{}",
        summary.sentence()
    );
}

#[test]
fn where_the_model_is_strong_the_host_steps_back() {
    // By its size, or because it has made no mistake in its last turns.
    let asked_again = |prepare: &dyn Fn(&mut Agent)| {
        let mut agent = agent(Mode::Edit);
        prepare(&mut agent);
        agent.handle(Input::Submitted {
            text: "Fix a.py".into(),
            files: vec!["a.py".into()],
        });
        let first = agent.calls.mint().0 - 1;
        succeed(&mut agent, first, None);
        let mut times = 0;
        while asked(&answer(&mut agent, "I fixed it.")).is_some() {
            times += 1;
        }
        times
    };
    assert_eq!(asked_again(&|_| {}), turn_nudges());
    let large = |agent: &mut Agent| {
        agent.model = Some(ModelInfo {
            parameters: 20_000_000_000,
            ..info()
        });
    };
    assert_eq!(asked_again(&large), 1);
    let clean = |agent: &mut Agent| agent.clean_turns = 3;
    assert_eq!(asked_again(&clean), 1);
}

fn turn_nudges() -> u32 {
    2
}

#[test]
fn the_files_that_a_request_names_are_read_before_the_model_is_asked() {
    let mut agent = agent(Mode::Ask);
    let out = agent.handle(Input::Submitted {
        text: "What is in a.py?".into(),
        files: vec!["a.py".into()],
    });
    assert!(asked(&out).is_none());
    assert!(
        out.iter()
            .any(|effect| matches!(effect, Effect::RunCall { call, .. } if call.tool == "read"))
    );
    let out = succeed(&mut agent, 1, None);
    let messages = &asked(&out).expect("asked").messages;
    assert!(matches!(messages.last(), Some(Message::Tool { text, .. }) if text == "result 1"));
}

#[test]
fn the_same_call_with_the_same_result_ends_the_turn() {
    let mut agent = agent(Mode::Ask);
    submit(&mut agent, "Go on");
    let mut ended = None;
    for _ in 0..3 {
        let id = agent.calls.minted() + 1;
        call(&mut agent, "read", "a.py");
        let out = agent.handle(Input::CallDone {
            call: CallId(id),
            outcome: Outcome::Done {
                text: "same".into(),
            },
            change: None,
            passage: None,
        });
        ended = summary(&out).map(|s| s.reason.clone());
    }
    assert!(matches!(ended, Some(EndReason::Loop { .. })), "{ended:?}");
}

#[test]
fn the_step_budget_ends_the_turn() {
    let mut agent = agent(Mode::Ask);
    submit(&mut agent, "Go on");
    let mut ended = None;
    for step in 1..=6 {
        call(&mut agent, "read", &format!("{step}.py"));
        ended = summary(&succeed(&mut agent, step, None)).map(|s| s.reason.clone());
    }
    assert_eq!(
        ended,
        Some(EndReason::Budget {
            what: "step".into()
        })
    );
}

#[test]
fn a_tool_that_does_not_exist_is_answered_with_those_that_do() {
    let mut agent = agent(Mode::Ask);
    submit(&mut agent, "Go on");
    let out = call(&mut agent, "shell", "x");
    assert!(
        matches!(outcomes(&out)[..], [Outcome::Invalid { text }] if text.contains("read, list, edit"))
    );
}

#[test]
fn a_message_during_a_turn_waits_for_its_end() {
    let mut agent = agent(Mode::Ask);
    submit(&mut agent, "Go on");
    let out = submit(&mut agent, "And then?");
    assert_eq!(
        out,
        vec![Effect::Emit(Event::Queued {
            text: "And then?".into()
        })]
    );
    let out = answer(&mut agent, "This.");
    assert!(asked(&out).is_some());
}

#[test]
fn the_conversation_only_grows_at_its_end() {
    let mut agent = agent(Mode::Ask);
    let first = submit(&mut agent, "Go on");
    let first = asked(&first).expect("asked").messages.clone();
    call(&mut agent, "read", "a.py");
    let second = succeed(&mut agent, 1, None);
    let second = asked(&second).expect("asked").messages.clone();
    assert_eq!(second[..first.len()], first[..]);
    agent.handle(Input::Tools(vec![
        spec("new", Risk::Foreign),
        spec("read", Risk::Read),
    ]));
    answer(&mut agent, "x");
    let third = submit(&mut agent, "More?");
    assert_eq!(
        asked(&third).expect("asked").messages[..second.len()],
        second[..]
    );
}

#[test]
fn a_full_context_drops_the_conversation_once_and_tries_again() {
    let mut agent = agent(Mode::Ask);
    submit(&mut agent, "Go on");
    answer(&mut agent, "This.");
    submit(&mut agent, "And now?");
    let failure = || ModelEvent::Failed {
        failure: ModelFailure::ContextFull {
            needed: 9,
            context: 8,
        },
    };
    let out = model(&mut agent, failure());
    let messages = &asked(&out).expect("asked again").messages;
    assert_eq!(messages.len(), 2);
    let out = model(&mut agent, failure());
    assert!(matches!(
        summary(&out).map(|s| &s.reason),
        Some(EndReason::Failed { .. })
    ));
}

#[test]
fn the_first_request_is_small() {
    let tools = [spec("read", Risk::Read), spec("edit", Risk::Edit)];
    let text = system_text("demo", &tools, CallForm::JsonFence, ToolList::Text);
    assert!(text.contains("- read(path): The tool read."), "{text}");
    assert!(text.len() < 1_500, "{} bytes", text.len());
}

#[test]
fn nobody_is_asked_about_the_same_call_twice_in_a_turn() {
    let mut agent = agent(Mode::Ask);
    submit(&mut agent, "Go on");
    call(&mut agent, "edit", "a.py");
    preview(&mut agent, 1, "a.py");
    agent.handle(Input::Op(Op::Decide {
        call: CallId(1),
        decision: Decision::Deny { reason: None },
    }));
    call(&mut agent, "edit", "a.py");
    let out = preview(&mut agent, 2, "a.py");
    assert!(
        matches!(outcomes(&out)[..], [Outcome::Denied { .. }]),
        "{out:?}"
    );
    assert!(
        !out.iter()
            .any(|effect| matches!(effect, Effect::Emit(Event::ApprovalRequested { .. })))
    );
}

#[test]
fn a_change_that_takes_back_what_the_turn_wrote_is_questioned_once() {
    let line = |kind, text: &str| crate::protocol::Line {
        kind,
        text: text.into(),
    };
    let hunk = |lines| crate::protocol::Hunk {
        old_start: 1,
        old_lines: 1,
        new_start: 1,
        new_lines: 1,
        lines,
    };
    let with = |lines| FileChange {
        hunks: vec![hunk(lines)],
        ..change("a.py")
    };
    let first = with(vec![
        line(LineKind::Removed, "return 1"),
        line(LineKind::Added, "return 2"),
    ]);
    let back = with(vec![
        line(LineKind::Removed, "return 2"),
        line(LineKind::Added, "return 1"),
    ]);
    let mut agent = agent(Mode::Edit);
    submit(&mut agent, "Hello");
    call(&mut agent, "edit", "a.py");
    agent.handle(Input::Previewed {
        call: CallId(1),
        preview: Preview::Change(Box::new(first.clone())),
    });
    succeed(&mut agent, 1, Some(first));
    for (id, runs) in [(2, false), (3, true)] {
        call(&mut agent, "edit", "a.py");
        let preview = Preview::Change(Box::new(back.clone()));
        let out = agent.handle(Input::Previewed {
            call: CallId(id),
            preview,
        });
        assert_eq!(
            out.iter()
                .any(|effect| matches!(effect, Effect::RunCall { .. })),
            runs,
            "{out:?}"
        );
    }
}

#[test]
fn a_call_that_cannot_be_read_is_tried_again_differently_and_not_for_ever() {
    let mut agent = agent(Mode::Ask);
    submit(&mut agent, "Go on");
    let mut reasons = Vec::new();
    for _ in 0..3 {
        let raw = "```json\n{\"name\": ".repeat(100);
        model(
            &mut agent,
            ModelEvent::BadCall {
                raw: raw.clone(),
                problem: "torn".into(),
            },
        );
        let out = done(&mut agent, &raw, Finish::Length);
        if let Some(request) = asked(&out) {
            assert!(request.sampling.temperature > 0.0);
            let kept = request
                .messages
                .iter()
                .any(|message| matches!(message, Message::Assistant { raw } if raw.len() > 400));
            assert!(!kept, "a call that ran away is not kept whole");
        }
        reasons.extend(summary(&out).map(|s| s.reason.clone()));
    }
    assert!(
        matches!(reasons[..], [EndReason::Loop { .. }]),
        "{reasons:?}"
    );
}

#[test]
fn a_question_offers_nothing_that_changes_a_file() {
    let mut agent = agent(Mode::Edit);
    let out = submit(&mut agent, "What does a.py do?");
    let request = asked(&out).expect("asked");
    assert!(
        request.tools.iter().all(|tool| tool.risk == Risk::Read),
        "{:?}",
        request.tools
    );
}

#[test]
fn a_change_that_lands_late_belongs_to_the_turn_that_asked_for_it() {
    let mut agent = agent(Mode::Edit);
    submit(&mut agent, "Hello");
    call(&mut agent, "edit", "a.py");
    preview(&mut agent, 1, "a.py");
    agent.handle(Input::Op(Op::Interrupt));
    submit(&mut agent, "Hello");
    succeed(&mut agent, 1, Some(change("a.py")));
    let out = answer(&mut agent, "Hello.");
    assert_eq!(summary(&out).map(|s| s.changed.len()), Some(0));
    let out = agent.handle(Input::Op(Op::Undo));
    assert_eq!(
        out,
        vec![Effect::Undo {
            turn: 1,
            changes: vec![change("a.py")]
        }]
    );
}

pub(super) fn decide(agent: &mut Agent, id: u64, decision: Decision) -> Vec<Effect> {
    agent.handle(Input::Op(Op::Decide {
        call: CallId(id),
        decision,
    }))
}

fn left_out() -> crate::protocol::AllowedPart {
    use crate::protocol::{AllowedPart, Instead, Passage};
    AllowedPart {
        passages: vec![Passage {
            at: 4,
            lines: 1,
            instead: Instead::Old { at: 4, lines: 2 },
        }],
    }
}

#[test]
fn an_allowed_part_is_previewed_and_exactly_that_is_run() {
    let mut agent = agent(Mode::Ask);
    submit(&mut agent, "Hello");
    call(&mut agent, "edit", "a.py");
    preview(&mut agent, 1, "a.py");
    let part = left_out();
    let decision = Decision::AllowPart { part: part.clone() };
    let out = decide(&mut agent, 1, decision.clone());
    assert!(matches!(
        out.as_slice(),
        [
            Effect::Emit(Event::Decided { .. }),
            Effect::PreviewPart { shown: Some(Hash(shown)), part: asked, .. },
        ] if shown == "1" && *asked == part
    ));
    assert_eq!(
        decide(&mut agent, 1, decision),
        vec![],
        "a decision counts once"
    );
    let narrowed = FileChange {
        after: Some(Hash("part".into())),
        ..change("a.py")
    };
    let out = agent.handle(Input::Previewed {
        call: CallId(1),
        preview: Preview::Change(Box::new(narrowed.clone())),
    });
    assert!(matches!(
        out.as_slice(),
        [
            Effect::Emit(Event::CallStarted { .. }),
            Effect::RunPart { shown: Some(Hash(shown)), change, .. },
        ] if shown == "1" && **change == narrowed
    ));
}

#[test]
fn a_part_of_what_stands_there_no_more_is_not_run() {
    let mut agent = agent(Mode::Ask);
    submit(&mut agent, "Hello");
    call(&mut agent, "edit", "a.py");
    preview(&mut agent, 1, "a.py");
    decide(&mut agent, 1, Decision::AllowPart { part: left_out() });
    let moved = FileChange {
        base: Some(Hash("other".into())),
        ..change("a.py")
    };
    let out = agent.handle(Input::Previewed {
        call: CallId(1),
        preview: Preview::Change(Box::new(moved)),
    });
    assert!(
        matches!(outcomes(&out)[..], [Outcome::Failed { text }] if text.contains("changed since"))
    );
}

/// Lets the model call `edit` for several files in one answer.
fn call_edits(agent: &mut Agent, paths: &[&str]) -> Vec<Effect> {
    let mut out = Vec::new();
    for path in paths {
        let name = "edit".to_owned();
        let arguments = arguments(path);
        out.extend(model(agent, ModelEvent::Call { name, arguments }));
    }
    out.extend(done(agent, "call", Finish::Call));
    out
}

#[test]
fn edits_of_one_answer_are_asked_about_together_and_decided_in_any_order() {
    let mut agent = agent(Mode::Ask);
    submit(&mut agent, "Hello");
    call_edits(&mut agent, &["a.py", "b.py", "a.py"]);
    let out = preview(&mut agent, 1, "a.py");
    // The second edit of `a.py` waits for what becomes of the first.
    let previewed: Vec<_> = out
        .iter()
        .filter(|effect| matches!(effect, Effect::Preview(_)))
        .collect();
    assert!(
        matches!(previewed[..], [Effect::Preview(call)] if call.argument("path") == Some("b.py"))
    );
    let out = preview(&mut agent, 2, "b.py");
    assert!(matches!(
        out.as_slice(),
        [Effect::Emit(Event::ApprovalRequested {
            call: CallId(2),
            ..
        })]
    ));
    decide(&mut agent, 2, Decision::Deny { reason: None });
    let once = Decision::Allow { scope: Scope::Once };
    let out = decide(&mut agent, 1, once);
    assert!(
        out.iter()
            .any(|effect| matches!(effect, Effect::RunCall { .. }))
    );
    let out = succeed(&mut agent, 1, Some(change("a.py")));
    assert!(
        matches!(out.last(), Some(Effect::Preview(call)) if call.id == CallId(3)),
        "{out:?}"
    );
    let told: Vec<_> = agent
        .messages
        .iter()
        .filter_map(|message| match message {
            Message::Tool { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert!(
        told[0].starts_with("`edit b.py`: The user refused"),
        "{told:?}"
    );
    assert!(told[1].starts_with("`edit a.py`: "), "{told:?}");
}

#[test]
fn an_edit_that_breaks_the_syntax_is_sent_back_once() {
    let mut agent = agent(Mode::Edit);
    submit(&mut agent, "Fix it");
    let broken = || {
        let mut change = change("a.rs");
        let note = format!("{}line 3: `}}` is missing", crate::protocol::BREAKS_SYNTAX);
        change.notes.push(note);
        Preview::Change(Box::new(change))
    };
    let made = |agent: &mut Agent| {
        let out = call(agent, "edit", "a.rs");
        let id = out.iter().find_map(|effect| match effect {
            Effect::Preview(call) => Some(call.id),
            _ => None,
        });
        let call = id.expect("a preview");
        agent.handle(Input::Previewed {
            call,
            preview: broken(),
        })
    };
    succeed(&mut agent, 1, None);
    let out = made(&mut agent);
    assert!(
        !out.iter()
            .any(|effect| matches!(effect, Effect::RunCall { .. })),
        "{out:?}"
    );
    assert!(out.iter().any(|effect| matches!(
        effect,
        Effect::Remember(Message::Tool { text, .. }) if text.contains("line 3: `}` is missing")
    )));
    let out = made(&mut agent);
    assert!(
        out.iter()
            .any(|effect| matches!(effect, Effect::RunCall { .. })),
        "what is meant all the same is made: {out:?}"
    );
}

#[test]
fn a_request_that_names_no_file_begins_with_the_likeliest() {
    let begin = |file: Option<&str>| {
        let mut agent = agent(Mode::Edit);
        let text = "Fix the total";
        agent.handle(Input::Located {
            text: text.into(),
            located: Located {
                file: file.map(str::to_owned),
                map: "a.py\n  1: def total()\n".into(),
            },
        });
        let out = submit(&mut agent, text);
        let request = agent
            .messages
            .iter()
            .rev()
            .find_map(|message| match message {
                Message::User { text } => Some(text.clone()),
                _ => None,
            });
        let read = out.iter().find_map(|effect| match effect {
            Effect::RunCall { call, .. } => Some(call.title()),
            _ => None,
        });
        (request.unwrap_or_default(), read)
    };
    let (request, read) = begin(Some("a.py"));
    assert_eq!(
        (request.as_str(), read.as_deref()),
        ("Fix the total", Some("read a.py"))
    );
    let (request, read) = begin(None);
    assert!(request.ends_with("a.py\n  1: def total()\n"), "{request}");
    assert_eq!(read, None);
}
