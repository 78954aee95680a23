//! Claims about plans: how they are made, edited, done and kept.

use serde_json::json;

use super::tests::{
    agent, answer, asked, call, change, done, model, preview, submit, succeed, summary,
};
use super::*;
use crate::protocol::{Decision, EndReason, Finish, Mode, ModelEvent, Op, StepState, ToolChoice};

/// Lets the model answer with the call of a plan.
fn give(agent: &mut Agent, steps: &[&str]) -> Vec<Effect> {
    let arguments = serde_json::Map::from_iter([("steps".to_owned(), json!(steps))]);
    let name = "plan".to_owned();
    let mut out = model(agent, ModelEvent::Call { name, arguments });
    out.extend(done(agent, "call", Finish::Call));
    out
}

/// An agent that has a plan of these steps.
fn planned(steps: &[&str]) -> Agent {
    let mut agent = agent(Mode::Plan);
    submit(&mut agent, "Add a cache to src/store.py");
    succeed(&mut agent, 1, None);
    give(&mut agent, steps);
    agent
}

fn plan_in(out: &[Effect]) -> Option<String> {
    out.iter().rev().find_map(|effect| match effect {
        Effect::Emit(Event::PlanChanged { plan: Some(plan) }) => {
            let marks = plan.steps.iter().map(|step| match step.state {
                StepState::Open => 'o',
                StepState::Doing => 'd',
                StepState::Done => 'x',
            });
            Some(marks.collect())
        }
        _ => None,
    })
}

fn step_in(out: &[Effect]) -> Option<String> {
    out.iter().find_map(|effect| match effect {
        Effect::Submit(text) => Some(text.clone()),
        _ => None,
    })
}

fn go(agent: &mut Agent) -> Vec<Effect> {
    agent.handle(Input::Op(Op::StartPlan { mode: None }))
}

/// Plays a step's turn: the model makes one change and says so.
fn play(agent: &mut Agent, text: &str) -> Vec<Effect> {
    submit(agent, text);
    call(agent, "edit", "src/store.py");
    let id = agent.calls.minted();
    preview(agent, id, "src/store.py");
    let decision = Decision::Allow {
        scope: crate::protocol::Scope::Once,
    };
    let call = CallId(id);
    agent.handle(Input::Op(Op::Decide { call, decision }));
    succeed(agent, id, Some(change("src/store.py")));
    answer(agent, "It is done.")
}

#[test]
fn in_plan_mode_a_request_comes_to_a_plan_and_to_nothing_else() {
    let mut agent = agent(Mode::Plan);
    submit(&mut agent, "Add a cache to src/store.py");
    let out = succeed(&mut agent, 1, None);
    let request = asked(&out).expect("the plan is asked for");
    let names = vec!["plan".to_owned()];
    assert_eq!(request.choice, ToolChoice::Required { names });
    let out = give(
        &mut agent,
        &["1. Write the cache in src/store.py", "Use it in src/get.py"],
    );
    assert_eq!(plan_in(&out).as_deref(), Some("oo"));
    let summary = summary(&out).expect("the turn ends");
    assert_eq!(
        (summary.changed.len(), &summary.reason),
        (0, &EndReason::Answered)
    );
    let plan = agent.plan.clone().expect("a plan");
    assert_eq!(plan.steps[0].text, "Write the cache in src/store.py");
    assert_eq!(plan.goal, "Add a cache to src/store.py");
}

#[test]
fn a_question_in_plan_mode_is_answered() {
    let mut agent = agent(Mode::Plan);
    submit(&mut agent, "What does the function get in this project do?");
    let out = answer(&mut agent, "It gets.");
    assert!(summary(&out).is_some() && agent.plan.is_none(), "{out:?}");
}

#[test]
fn a_model_that_gives_no_plan_is_asked_again_and_that_is_said_in_the_end() {
    let mut agent = agent(Mode::Plan);
    submit(&mut agent, "Add a cache");
    succeed(&mut agent, 1, None);
    assert!(asked(&give(&mut agent, &[])).is_some(), "once more");
    let out = answer(&mut agent, "I would write a cache.");
    assert!(asked(&out).is_some_and(|request| request.sampling.temperature > 0.0));
    let out = give(&mut agent, &["   "]);
    assert!(summary(&out).is_some(), "{out:?}");
    assert!(format!("{out:?}").contains("gave no plan"), "{out:?}");
    assert_eq!(agent.plan, None);
}

#[test]
fn steps_are_done_one_after_the_other_and_ticked_off() {
    let mut agent = planned(&["Change the store", "Explain what it does now"]);
    let out = go(&mut agent);
    assert_eq!(plan_in(&out).as_deref(), Some("do"));
    assert!(
        out.contains(&Effect::Emit(Event::ModeChanged { mode: Mode::Ask })),
        "nothing can be done in the mode plan"
    );
    let first = step_in(&out).expect("a step");
    assert_eq!(first, "Step 1 of 2 of the plan: Change the store");
    let out = play(&mut agent, &first);
    assert_eq!(plan_in(&out).as_deref(), Some("xd"));
    let second = step_in(&out).expect("the next step");
    submit(&mut agent, &second);
    let out = answer(&mut agent, "It stores.");
    assert_eq!(plan_in(&out).as_deref(), Some("xx"));
    assert_eq!(step_in(&out), None);
    assert!(format!("{out:?}").contains("The plan is done"), "{out:?}");
    assert_eq!(step_in(&go(&mut agent)), None, "there is nothing left");
}

#[test]
fn a_step_that_changed_nothing_or_was_interrupted_stops_the_plan_where_it_is() {
    let mut agent = planned(&["Change the store", "Change the index"]);
    let first = step_in(&go(&mut agent)).expect("a step");
    submit(&mut agent, &first);
    let out = agent.handle(Input::Op(Op::Interrupt));
    assert_eq!(plan_in(&out).as_deref(), Some("oo"));
    assert!(format!("{out:?}").contains("stops at step 1"), "{out:?}");
    assert_eq!(step_in(&out), None);
    let again = step_in(&go(&mut agent)).expect("it goes on there");
    assert_eq!(again, first);
    submit(&mut agent, &again);
    let mut out = answer(&mut agent, "Nothing to do.");
    // It is asked to make its change first.
    for _ in 0..4 {
        if summary(&out).is_some() {
            break;
        }
        out = answer(&mut agent, "Nothing to do.");
    }
    assert_eq!(plan_in(&out).as_deref(), Some("oo"), "{out:?}");
}

#[test]
fn what_the_user_sends_meanwhile_goes_before_the_next_step() {
    let mut agent = planned(&["Explain the store", "Explain the index"]);
    let first = step_in(&go(&mut agent)).expect("a step");
    submit(&mut agent, &first);
    submit(&mut agent, "What is a hash in this project?");
    let out = answer(&mut agent, "It stores.");
    let second = step_in(&out).expect("the next step");
    assert!(
        out.iter().any(|effect| matches!(effect,
            Effect::Emit(Event::TurnStarted { text, .. }) if text.starts_with("What is a hash"))),
        "{out:?}"
    );
    // The step comes while the user's own turn runs, and can be taken back.
    let out = submit(&mut agent, &second);
    assert!(out.contains(&Effect::Emit(Event::Queued {
        text: second.clone()
    })));
    let out = agent.handle(Input::Op(Op::Unqueue { text: second }));
    assert_eq!(plan_in(&out).as_deref(), Some("xo"));
}

#[test]
fn the_user_edits_the_plan_and_takes_it_back() {
    let mut agent = planned(&["Change the store", "Change the index"]);
    let steps = vec![
        "Change the index".to_owned(),
        "Write a test of it".to_owned(),
    ];
    let out = agent.handle(Input::Op(Op::SetPlan { steps }));
    assert_eq!(plan_in(&out).as_deref(), Some("oo"));
    let step = step_in(&go(&mut agent)).expect("a step");
    assert!(step.ends_with("Change the index"), "{step}");
    submit(&mut agent, &step);
    let steps = vec!["Something else".to_owned()];
    let out = agent.handle(Input::Op(Op::SetPlan { steps }));
    assert!(format!("{out:?}").contains("interrupt it first"), "{out:?}");
    agent.handle(Input::Op(Op::Interrupt));
    let steps = Vec::new();
    let out = agent.handle(Input::Op(Op::SetPlan { steps }));
    assert!(out.contains(&Effect::Emit(Event::PlanChanged { plan: None })));
}
