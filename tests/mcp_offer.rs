//! What of a server's offer is used when it is not the one that was agreed to, and calls that are taken on as tasks.

#[path = "support/mcp.rs"]
mod support;

use std::time::Instant;

use serde_json::json;
use support::{PATIENCE, World, accept, call, definition, settled, world_with};
use walden::mcp::pins::Pins;
use walden::mcp::{Attended, HostEvent};
use walden::protocol::{Answer, JobState, Outcome, QuestionKind, ServerState};

/// Brings a server up with a user who agrees to everything.
async fn agreed_to(world: &mut World) {
    loop {
        let event = tokio::time::timeout(PATIENCE, world.host.event()).await;
        match event.expect("in time").expect("the host is there") {
            HostEvent::Asked(question) => world.host.answer(question.id, accept(&json!({}))),
            HostEvent::Server {
                state: ServerState::Up { .. },
                ..
            } => return,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_offers_less_where_nobody_can_be_asked_is_used_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let pins = || Pins::open(folder.path().join("pins.json"), Vec::new()).expect("opened");
    let mut asked = world_with(definition("conditional"), Attended::Yes, pins());
    agreed_to(&mut asked).await;
    assert_eq!(asked.inspect().tools.len(), 5);
    asked.host.close().await;

    let alone = world_with(definition("conditional"), Attended::No, pins());
    alone.host.settle(PATIENCE).await;
    assert_eq!(alone.inspect().state, "up");
    assert_eq!(alone.inspect().tools.len(), 1);
    assert!(alone.echo().await.is_done());
    alone.host.close().await;

    // What was not listed in between is as agreed to as before: nobody is asked again.
    let mut again = world_with(definition("conditional"), Attended::Yes, pins());
    loop {
        let event = tokio::time::timeout(PATIENCE, again.host.event()).await;
        match event.expect("in time").expect("the host is there") {
            HostEvent::Asked(question) => panic!("{question:?}"),
            HostEvent::Tools(tools) => {
                assert_eq!(tools.len(), 5);
                break;
            }
            _ => {}
        }
    }
    again.host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_changes_is_left_out_and_the_others_stay() {
    let world = settled(definition("one-changes")).await;
    assert!(world.echo().await.is_done());
    let waiting = Instant::now();
    while world.inspect().tools.len() != 1 {
        assert!(waiting.elapsed() < PATIENCE, "{:?}", world.inspect());
        tokio::task::yield_now().await;
    }
    let seen = world.inspect();
    assert_eq!(seen.tools[0].tool, "slow");
    assert!(
        seen.left_out.iter().any(|line| line.contains("`echo`"))
            && seen.left_out.iter().any(|line| line.contains("`new`")),
        "{:?}",
        seen.left_out
    );
    assert!(matches!(world.echo().await, Outcome::Invalid { .. }));
    assert!(world.call("slow", json!({})).await.is_done());
    world.host.close().await;
}

/// Makes a call, answers what is asked, and returns the outcome with the states that its task went through.
async fn task(world: &mut World, tool: &str) -> (Outcome, Vec<JobState>) {
    let caller = world.host.caller();
    let calling = call(&caller, tool, serde_json::Map::new());
    tokio::pin!(calling);
    let mut states = Vec::new();
    let outcome = loop {
        tokio::select! {
            outcome = &mut calling => break outcome,
            event = world.host.event() => match event.expect("the host is there") {
                HostEvent::Job(job) => states.push(job.state),
                HostEvent::Asked(question) => {
                    let answer = match question.kind {
                        QuestionKind::Form { .. } => accept(&json!({"name": "Ada"})),
                        _ => Answer::Cancel,
                    };
                    world.host.answer(question.id, answer);
                }
                _ => {}
            },
        }
    };
    // The last state is told before the outcome is there.
    while let Some(event) = tokio::select! {
        biased;
        event = world.host.event() => event,
        () = std::future::ready(()) => None,
    } {
        if let HostEvent::Job(job) = event {
            states.push(job.state);
        }
    }
    states.dedup();
    (outcome, states)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_taken_on_as_a_task_is_followed_to_its_end_in_both_eras() {
    use JobState::{Asks, Done, Failed, Working};
    for how in ["tasks", "modern-tasks"] {
        let pins = Pins::in_memory(vec!["it".into()]);
        let mut world = world_with(definition(how), Attended::Yes, pins);
        world.host.settle(PATIENCE).await;
        let (outcome, states) = task(&mut world, "long").await;
        assert_eq!(outcome.for_model(), "the work is done", "{how}");
        assert!(outcome.is_done(), "{how}");
        assert_eq!(states, [Working, Done], "{how}");
        let (outcome, states) = task(&mut world, "asks").await;
        assert!(outcome.for_model().contains("Ada"), "{how}: {outcome:?}");
        let asked: &[JobState] = &[Working, Asks, Done];
        let answered: &[JobState] = &[Working, Asks, Working, Done];
        assert!(states == asked || states == answered, "{how}: {states:?}");
        let (outcome, states) = task(&mut world, "fails").await;
        assert!(!outcome.is_done(), "{how}");
        assert!(
            outcome.for_model().contains("it broke"),
            "{how}: {outcome:?}"
        );
        assert_eq!(states, [Working, Failed], "{how}");
        world.host.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_cancels_its_task_and_a_cancelled_task_ends_its_call() {
    for how in ["tasks", "modern-tasks"] {
        let mut world = settled(definition(how)).await;
        let caller = world.host.caller();
        {
            let calling = call(&caller, "endless", serde_json::Map::new());
            tokio::pin!(calling);
            loop {
                tokio::select! {
                    outcome = &mut calling => panic!("{outcome:?}"),
                    event = world.host.event() => if let Some(HostEvent::Job(_)) = event { break },
                }
            }
        }
        let waiting = Instant::now();
        while !world
            .inspect()
            .log
            .iter()
            .any(|line| line == "cancelled job-1")
        {
            assert!(
                waiting.elapsed() < PATIENCE,
                "{how}: {:?}",
                world.inspect().log
            );
            tokio::task::yield_now().await;
        }
        let calling = call(&caller, "endless", serde_json::Map::new());
        tokio::pin!(calling);
        let outcome = loop {
            tokio::select! {
                outcome = &mut calling => break outcome,
                event = world.host.event() => if let Some(HostEvent::Job(job)) = event
                    && job.id == "job-2"
                {
                    assert!(world.host.cancel_job("it", "job-2"));
                },
            }
        };
        assert!(
            outcome.for_model().contains("cancelled"),
            "{how}: {outcome:?}"
        );
        world.host.close().await;
    }
}
