//! What of a server's offer is used when it is not the one that was agreed to, and calls that are taken on as tasks.

#[path = "support/mcp.rs"]
mod support;

use std::time::Instant;

use serde_json::json;
use support::{PATIENCE, World, accept, call, definition, host_in, settled, world_in, world_with};
use walden::mcp::pins::Pins;
use walden::mcp::{Attended, Host, HostEvent};
use walden::protocol::{
    Answer, CallId, Job, JobState, Outcome, QuestionKind, ServerAction, ServerState,
};

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

    let again = |root, attended| world_in(root, definition("conditional"), attended, pins(), None);
    let alone = again(asked.root, Attended::No);
    alone.host.settle(PATIENCE).await;
    assert_eq!(alone.inspect().state, "up");
    assert_eq!(alone.inspect().tools.len(), 1);
    assert!(alone.echo().await.is_done());
    alone.host.close().await;

    // What was not listed in between is as agreed to as before: nobody is asked again.
    let mut again = again(alone.root, Attended::Yes);
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

#[tokio::test(flavor = "multi_thread")]
async fn servers_and_their_tools_are_left_out_and_taken_in_while_calls_go_on() {
    let mut world = settled(definition("good")).await;
    // A way to call that was there before sees what changes.
    let caller = world.host.caller();
    let echo = |text: &str| {
        let arguments = json!({"text": text})
            .as_object()
            .cloned()
            .unwrap_or_default();
        call(&caller, "echo", arguments)
    };
    let act = |world: &mut World, action| world.host.act("it", &action).expect("done");
    let tool = |used| ServerAction::Tool {
        tool: "echo".into(),
        used,
    };
    act(&mut world, tool(false));
    while world.inspect().tools.len() != 4 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(echo("hi").await, Outcome::Invalid { .. }));
    let report = world.host.reports(&|_| (1, 2)).remove(0);
    let denied: Vec<&str> = report
        .tools
        .iter()
        .filter(|tool| tool.denied)
        .map(|tool| tool.tool.as_str())
        .collect();
    assert_eq!(denied, ["echo"]);
    assert_eq!(report.prompts[0].arguments[0].name, "city");
    act(&mut world, tool(true));
    while world.inspect().tools.len() != 5 {
        tokio::task::yield_now().await;
    }
    assert!(echo("hi").await.is_done());

    act(&mut world, ServerAction::Disable);
    assert!(world.host.reports(&|_| (1, 2))[0].disabled);
    assert!(!echo("hi").await.is_done());
    act(&mut world, ServerAction::Enable);
    world.host.settle(PATIENCE).await;
    assert!(echo("hi").await.is_done());
    assert!(world.host.act("other", &ServerAction::Restart).is_err());
    world.host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_configuration_is_taken_in_and_what_did_not_change_runs_on() {
    use std::sync::{Arc, Mutex};
    let next: Arc<Mutex<Option<Vec<_>>>> = Arc::default();
    let reading = Arc::clone(&next);
    let pins = Pins::in_memory(vec!["it".into()]);
    let mut world = support::world_that_reloads(definition("good"), pins, move || {
        reading
            .lock()
            .expect("held")
            .take()
            .map(|all| (all, vec![]))
    });
    world.host.settle(PATIENCE).await;
    assert!(world.echo().await.is_done());
    let before = world.host.log("it", 100).len();
    assert!(world.host.reload().is_empty());
    *next.lock().expect("held") = Some(vec![definition("good")]);
    assert!(world.host.reload().is_empty());
    assert_eq!(world.inspect().state, "up");
    assert_eq!(world.host.log("it", 100).len(), before);
    // Other keys of the same server: it is started anew. Its command is the same, so that nobody is asked.
    let keys = json!({"disabled_tools": ["env"]});
    *next.lock().expect("held") = Some(vec![support::with_keys("good", &keys)]);
    assert!(world.host.reload().is_empty());
    world.host.settle(PATIENCE).await;
    assert_eq!(world.inspect().tools.len(), 4);
    *next.lock().expect("held") = Some(Vec::new());
    assert!(world.host.reload().is_empty());
    assert!(world.host.inspect().is_empty());
    assert!(!world.echo().await.is_done());
    world.host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_resource_that_changes_is_told_once() {
    for how in ["good", "modern"] {
        let mut world = settled(definition(how)).await;
        let caller = world.host.caller();
        caller.resource("it", "test://note").await.expect("read");
        assert!(world.echo().await.is_done());
        let told = loop {
            let event = tokio::time::timeout(PATIENCE, world.host.event()).await;
            if let Some(HostEvent::Notice { text, .. }) = event.expect("in time") {
                break text;
            }
        };
        assert!(
            told.contains("`test://note`") && told.contains("changed"),
            "{told}"
        );
        world.host.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_prompt_needs_is_asked_for_in_a_form() {
    let pins = Pins::in_memory(vec!["it".into()]);
    let mut world = world_with(definition("good"), Attended::Yes, pins);
    world.host.settle(PATIENCE).await;
    let caller = world.host.caller();
    let prompt = caller.prompt("it", "travel", "");
    tokio::pin!(prompt);
    let trip = loop {
        tokio::select! {
            trip = &mut prompt => break trip,
            event = world.host.event() => if let Some(HostEvent::Asked(question)) = event {
                let QuestionKind::Form { fields, .. } = &question.kind else {
                    panic!("{question:?}");
                };
                assert!(fields[0].name == "city" && fields[0].required);
                world.host.answer(question.id, accept(&json!({"city": "New York"})));
            },
        }
    };
    assert_eq!(trip.expect("got").text, "Plan a trip to New York.");
    world.host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_a_server_keeps_from_before_are_shown_followed_and_can_be_called_off() {
    let pins = Pins::in_memory(vec!["it".into()]);
    let mut world = world_with(definition("kept-tasks"), Attended::Yes, pins);
    let mut states: Vec<(String, JobState)> = Vec::new();
    let mut result = None;
    let is =
        |states: &[(String, JobState)], id: &str, state| states.contains(&(id.to_owned(), state));
    while result.is_none() || !is(&states, "old-endless", JobState::Cancelled) {
        let event = tokio::time::timeout(PATIENCE, world.host.event()).await;
        match event.expect("in time").expect("the host is there") {
            HostEvent::Job(job) => {
                if job.id == "old-endless" && job.state == JobState::Working {
                    assert!(world.host.cancel_job("it", &job.id));
                }
                states.push((job.id, job.state));
            }
            HostEvent::Notice { text, .. } => result = Some(text),
            _ => {}
        }
    }
    let result = result.expect("told");
    assert!(
        result.contains("old-long") && result.contains("the work is done"),
        "{result}"
    );
    assert!(is(&states, "old-long", JobState::Working), "{states:?}");
    assert!(is(&states, "old-long", JobState::Done), "{states:?}");
    world.host.close().await;
}

async fn told(host: &mut Host) -> HostEvent {
    let event = tokio::time::timeout(PATIENCE, host.event()).await;
    event.expect("in time").expect("the host is there")
}

/// Waits for word of a task that no call of this host follows.
async fn taken_up(host: &mut Host) -> Job {
    loop {
        match told(host).await {
            HostEvent::Job(job) if job.call == CallId(0) => return job,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_the_newer_era_outlives_its_server_and_walden_and_is_taken_up_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut host = host_in(folder.path(), definition("modern-kept"));
    host.settle(PATIENCE).await;
    let mut begun = None;
    {
        let caller = host.caller();
        let calling = call(&caller, "asks", serde_json::Map::new());
        tokio::pin!(calling);
        let outcome = loop {
            tokio::select! {
                outcome = &mut calling => break outcome,
                event = told(&mut host) => if let HostEvent::Job(job) = event
                    && begun.is_none()
                {
                    begun = Some(job.id);
                    host.restart("it");
                },
            }
        };
        assert!(outcome.for_model().contains("ended"), "{outcome:?}");
    }
    for ends in [true, false] {
        let job = taken_up(&mut host).await;
        assert_eq!((Some(&job.id), job.tool.as_str()), (begun.as_ref(), "asks"));
        if ends {
            host.restart("it");
        }
    }
    host.close().await;

    let mut host = host_in(folder.path(), definition("modern-kept"));
    let mut job = taken_up(&mut host).await;
    assert_eq!((Some(&job.id), job.tool.as_str()), (begun.as_ref(), "asks"));
    let mut result = None;
    while !job.state.is_over() || result.is_none() {
        match told(&mut host).await {
            HostEvent::Job(next) => job = next,
            HostEvent::Asked(question) => {
                host.answer(question.id, accept(&json!({"name": "Ada"})));
            }
            HostEvent::Notice { text, .. } => result = Some(text),
            _ => {}
        }
    }
    assert_eq!(job.state, JobState::Done);
    let result = result.expect("told");
    assert!(
        result.contains(&job.id) && result.contains("Ada"),
        "{result}"
    );
    host.close().await;
    let left = folder.path().join("tasks").read_dir().expect("the folder");
    assert_eq!(left.count(), 0, "what is over is not kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_its_server_forgot_is_said_to_be_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut host = host_in(folder.path(), definition("modern-tasks"));
    host.settle(PATIENCE).await;
    let caller = host.caller();
    let calling = call(&caller, "endless", serde_json::Map::new());
    tokio::pin!(calling);
    loop {
        tokio::select! {
            _ = &mut calling => break,
            event = told(&mut host) => if let HostEvent::Job(_) = event {
                host.restart("it");
            },
        }
    }
    let job = taken_up(&mut host).await;
    assert_eq!(job.state, JobState::Failed);
    assert!(job.message.contains("does not know it"), "{job:?}");
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_holds_for_a_time_is_read_again_when_that_is_over_and_told_where_it_changed() {
    let pins = Pins::in_memory(vec![]);
    let mut world = world_with(definition("modern-ages"), Attended::Yes, pins);
    agreed_to(&mut world).await;
    // It is the same when it is read the second time, and another one the third time.
    let mut ups = 0;
    let asked = loop {
        match told(&mut world.host).await {
            HostEvent::Asked(question) => break question,
            HostEvent::Server { .. } => ups += 1,
            _ => {}
        }
    };
    assert_eq!(ups, 0, "what did not change is not told");
    let QuestionKind::Definition { text, .. } = asked.kind else {
        panic!("{asked:?}");
    };
    assert!(text.contains("late"), "{text}");
    world.host.close().await;
}
