//! Claims about answers in a form that was asked for.

use serde_json::json;

use super::tests::{agent, answer, asked, call, done, info, model, spec, submit, succeed, summary};
use super::*;
use crate::protocol::{EndReason, Finish, Mode, ModelEvent, ModelFailure, Op, Risk, ToolChoice};

fn formed_agent(max_steps: u32) -> Agent {
    let mut agent = Agent::new(Settings {
        max_steps,
        answer: Some(json!({"type": "object", "properties": {"text": {"type": "string"}}})),
        ..Settings::default()
    });
    agent.handle(Input::Tools(vec![spec("read", Risk::Read)]));
    agent.handle(Input::ModelReady(info()));
    agent
}

fn is_asked_for_answer(effects: &[Effect]) -> bool {
    asked(effects).is_some_and(|request| {
        matches!(&request.choice, ToolChoice::Required { names } if names == &["answer"])
            && request
                .tools
                .last()
                .is_some_and(|tool| tool.name == "answer")
    })
}

fn given(effects: &[Effect]) -> Option<&serde_json::Value> {
    effects.iter().find_map(|effect| match effect {
        Effect::Emit(Event::AnswerGiven { answer }) => Some(answer),
        _ => None,
    })
}

fn give(agent: &mut Agent, text: &str) -> Vec<Effect> {
    let arguments = serde_json::Map::from_iter([("text".to_owned(), json!(text))]);
    let name = "answer".to_owned();
    let mut out = model(agent, ModelEvent::Call { name, arguments });
    out.extend(done(agent, "raw", Finish::Call));
    out
}

#[test]
fn the_answer_is_asked_for_in_its_form_when_the_work_is_done() {
    let mut agent = formed_agent(6);
    submit(&mut agent, "what is it?");
    let effects = answer(&mut agent, "It is a thing.");
    assert!(summary(&effects).is_none() && is_asked_for_answer(&effects));
    let effects = give(&mut agent, "a thing");
    assert_eq!(given(&effects), Some(&json!({"text": "a thing"})));
    let summary = summary(&effects).expect("the turn ends");
    assert_eq!((&summary.reason, summary.calls), (&EndReason::Answered, 0));
    // The next turn is asked for its own.
    submit(&mut agent, "and that?");
    assert!(is_asked_for_answer(&answer(&mut agent, "Another.")));
}

#[test]
fn an_answer_that_does_not_fit_is_asked_for_again_with_bounds_and_not_for_ever() {
    let mut agent = formed_agent(6);
    submit(&mut agent, "what is it?");
    let mut effects = answer(&mut agent, "It is a thing.");
    let mut asked_for = 0;
    while is_asked_for_answer(&effects) {
        asked_for += 1;
        let request = asked(&effects).expect("a request");
        let text = &request.tools.last().expect("a tool").schema["properties"]["text"];
        assert_eq!(text["maxLength"].is_u64(), asked_for > 1, "{text}");
        effects = done(&mut agent, "no end", Finish::Length);
    }
    assert_eq!(asked_for, 4);
    assert!(summary(&effects).is_some() && given(&effects).is_none());
}

#[test]
fn a_turn_that_runs_out_of_its_budget_still_gives_its_answer() {
    let mut agent = formed_agent(1);
    submit(&mut agent, "what is it?");
    let mut effects = call(&mut agent, "read", "a.py");
    if !is_asked_for_answer(&effects) {
        effects = succeed(&mut agent, 1, None);
    }
    assert!(is_asked_for_answer(&effects), "{effects:#?}");
    let effects = give(&mut agent, "unknown");
    assert!(matches!(
        summary(&effects).map(|summary| &summary.reason),
        Some(EndReason::Budget { .. })
    ));
}

#[test]
fn an_answer_for_which_the_conversation_has_no_room_is_asked_for_beside_it() {
    let mut agent = formed_agent(6);
    submit(&mut agent, "what is it?");
    answer(&mut agent, "It is a thing.");
    let failure = ModelFailure::ContextFull {
        needed: 5000,
        context: 4096,
    };
    let effects = model(
        &mut agent,
        ModelEvent::Failed {
            failure: failure.clone(),
        },
    );
    let request = asked(&effects).expect("asked again");
    assert_eq!((request.lane, request.messages.len()), (Lane::Side, 1));
    let effects = model(&mut agent, ModelEvent::Failed { failure });
    assert!(matches!(
        summary(&effects).map(|summary| &summary.reason),
        Some(EndReason::Failed { .. })
    ));
}

#[test]
fn an_interrupted_turn_gives_no_answer() {
    let mut agent = formed_agent(6);
    submit(&mut agent, "what is it?");
    let effects = agent.handle(Input::Op(Op::Interrupt));
    assert!(asked(&effects).is_none() && summary(&effects).is_some());
    let mut agent = self::agent(Mode::Ask);
    submit(&mut agent, "what is it?");
    let effects = answer(&mut agent, "No form is asked for.");
    assert!(asked(&effects).is_none());
}

#[test]
fn the_budget_keeps_a_part_for_the_answer() {
    let spent = |answer: bool| {
        let mut agent = Agent::new(Settings {
            max_tokens: 1_000,
            answer: answer.then(|| json!({"type": "object"})),
            ..Settings::default()
        });
        agent.handle(Input::Tools(vec![spec("read", Risk::Read)]));
        agent.handle(Input::ModelReady(info()));
        submit(&mut agent, "what is it?");
        let usage = crate::protocol::Usage {
            prompt: 700,
            generated: 100,
            ..crate::protocol::Usage::default()
        };
        let arguments = serde_json::Map::from_iter([("path".to_owned(), json!("a.py"))]);
        let name = "read".to_owned();
        model(&mut agent, ModelEvent::Call { name, arguments });
        let raw = String::new();
        let finish = Finish::Call;
        model(&mut agent, ModelEvent::Done { raw, finish, usage });
        let out = succeed(&mut agent, 1, None);
        is_asked_for_answer(&out)
    };
    assert!(spent(true), "800 of 1000: the rest is for the answer");
    assert!(!spent(false));
}
