//! Claims about the question whether the project's check may run, where every change is asked about.

use super::tests::*;
use super::*;
use crate::protocol::{CheckResult, Ruling, Scope, Why};

/// An agent that asks about every change, in a project whose check was found.
fn agent_with_a_check(mode: Mode) -> Agent {
    let mut agent = agent(mode);
    agent.settings.asks_check = Some(vec!["cargo".into(), "test".into()]);
    agent.settings.confined = vec![("run".into(), "a copy".into())];
    let check = ToolSpec {
        server: CHECKING_SERVER.into(),
        ..spec("check", Risk::Command)
    };
    agent.handle(Input::Tools(vec![check]));
    agent
}

/// Returns the check that is asked about.
fn question(effects: &[Effect]) -> Option<(CallId, &crate::protocol::Ask)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Emit(Event::ApprovalRequested {
            call,
            ask: Some(ask),
            ..
        }) if ask.server == CHECKING_SERVER => Some((*call, &**ask)),
        _ => None,
    })
}

/// Returns the check that is run, and whether an edit is tried by it.
fn run(effects: &[Effect]) -> Option<(CallId, bool)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Check { call, trial } => Some((call.id, trial.is_some())),
        _ => None,
    })
}

/// Lets the model write an edit, which the user allows.
fn edit(agent: &mut Agent) -> Vec<Effect> {
    let out = call(agent, "edit", "a.py");
    let Some(id) = out.iter().find_map(|effect| match effect {
        Effect::Preview(call) => Some(call.id),
        _ => None,
    }) else {
        return out;
    };
    preview(agent, id.0, "a.py");
    allow(agent, id);
    succeed(agent, id.0, Some(change("a.py")))
}

fn allow(agent: &mut Agent, id: CallId) -> Vec<Effect> {
    let scope = Scope::Once;
    decide(agent, id.0, Decision::Allow { scope })
}

fn checked(agent: &mut Agent, id: CallId, passed: bool) -> Vec<Effect> {
    let text = if passed { "passes" } else { "`t` fails: no" };
    agent.handle(Input::Checked {
        call: id,
        outcome: Outcome::Done { text: text.into() },
        result: Some(CheckResult {
            passed,
            reached: 3,
            failed: 0,
            millis: 1,
            given: [0; 8],
        }),
    })
}

fn begin(agent: &mut Agent) -> Vec<Effect> {
    submit(agent, "Fix it");
    succeed(agent, 1, None)
}

#[test]
fn a_found_check_is_asked_about_once_a_change_was_allowed_and_not_before() {
    let mut agent = agent_with_a_check(Mode::Ask);
    let out = begin(&mut agent);
    assert!(question(&out).is_none() && run(&out).is_none(), "{out:?}");
    let out = edit(&mut agent);
    let (_, ask) = question(&out).expect("asked");
    assert_eq!(ask.command, ["cargo", "test"]);
    assert_eq!(ask.risk, Risk::Command);
    assert_eq!(ask.confined.as_deref(), Some("a copy"));
    assert_eq!(ask.why, [Why::Check]);
    assert!(run(&out).is_none(), "nothing runs before the answer");
    assert!(asked(&out).is_none(), "the model waits");
}

#[test]
fn a_check_that_is_let_runs_on_what_was_changed_and_tries_the_edits_after_it() {
    let mut agent = agent_with_a_check(Mode::Ask);
    begin(&mut agent);
    let out = edit(&mut agent);
    let (id, _) = question(&out).expect("asked");
    let out = allow(&mut agent, id);
    assert_eq!(run(&out), Some((id, false)));
    let out = checked(&mut agent, id, false);
    let request = asked(&out).expect("the model goes on");
    let last = format!("{:?}", request.messages.last());
    assert!(last.contains("`t` fails: no"), "{last}");
    let out = call(&mut agent, "edit", "a.py");
    let tried = out.iter().find_map(|effect| match effect {
        Effect::Preview(call) => Some(call.id.0),
        _ => None,
    });
    let out = preview(&mut agent, tried.expect("an edit"), "a.py");
    assert_eq!(run(&out).map(|(_, is_trial)| is_trial), Some(true));
    assert!(question(&out).is_none(), "once is enough");
}

#[test]
fn a_check_that_passes_is_said_in_the_summary() {
    let mut agent = agent_with_a_check(Mode::Ask);
    begin(&mut agent);
    let out = edit(&mut agent);
    let (id, _) = question(&out).expect("asked");
    allow(&mut agent, id);
    let before = agent.messages.len();
    checked(&mut agent, id, true);
    assert_eq!(agent.messages.len(), before, "the model is told nothing");
    let out = answer(&mut agent, "Done.");
    let end = summary(&out).and_then(|summary| summary.check.clone());
    let end = end.expect("what the check said");
    assert!(end.passed && end.tried == 1, "{end:?}");
    // From now on it is run first, as in the modes that let edits be made.
    let out = submit(&mut agent, "Fix it again");
    assert!(run(&out).is_some(), "{out:?}");
}

#[test]
fn a_check_that_is_refused_is_not_asked_about_again_and_the_model_is_told_nothing() {
    let mut agent = agent_with_a_check(Mode::Ask);
    begin(&mut agent);
    let out = edit(&mut agent);
    let (id, _) = question(&out).expect("asked");
    let before = agent.messages.len();
    let out = decide(&mut agent, id.0, Decision::Deny { reason: None });
    assert!(run(&out).is_none());
    assert!(asked(&out).is_some(), "the turn goes on");
    assert_eq!(agent.messages.len(), before);
    let out = answer(&mut agent, "Done.");
    assert_eq!(summary(&out).map(|summary| summary.denied), Some(0));
    submit(&mut agent, "Fix it again");
    let out = edit(&mut agent);
    assert!(question(&out).is_none() && run(&out).is_none(), "{out:?}");
    // Who said no is not overruled by another mode.
    agent.handle(Input::Op(Op::SetMode { mode: Mode::Edit }));
    answer(&mut agent, "Done.");
    let out = submit(&mut agent, "And once more");
    assert!(run(&out).is_none(), "{out:?}");
}

#[test]
fn an_interrupt_at_the_question_is_a_no() {
    let mut agent = agent_with_a_check(Mode::Ask);
    begin(&mut agent);
    let out = edit(&mut agent);
    let (id, _) = question(&out).expect("asked");
    let out = agent.handle(Input::Op(Op::Interrupt));
    assert!(summary(&out).is_some());
    assert!(allow(&mut agent, id).is_empty(), "too late");
    submit(&mut agent, "Fix it again");
    let out = edit(&mut agent);
    assert!(question(&out).is_none() && run(&out).is_none(), "{out:?}");
}

#[test]
fn a_rule_answers_for_the_user_and_nobody_is_asked_where_nobody_is() {
    let rule = |ruling| {
        let mut agent = agent_with_a_check(Mode::Ask);
        agent.policy.add(
            Scope::Session,
            crate::protocol::Rule::new(ruling, "run.check"),
            0,
        );
        begin(&mut agent);
        let out = edit(&mut agent);
        (question(&out).is_some(), run(&out).is_some())
    };

    assert_eq!(rule(Ruling::Allow), (false, true));
    assert_eq!(rule(Ruling::Deny), (false, false));
    let mut agent = agent_with_a_check(Mode::Ask);
    agent.settings.asks_check = None;
    begin(&mut agent);
    let out = edit(&mut agent);
    assert!(question(&out).is_none() && run(&out).is_none(), "{out:?}");
}
