//! Third-party servers, good and bad: each started confined, as walden starts it, and held to what the host promises.

#![expect(
    clippy::disallowed_methods,
    reason = "a test lays its own files and looks at its own process"
)]

#[path = "support/mcp.rs"]
mod support;

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use support::{PATIENCE, World, accept, call, definition, settled, with_keys, world};
use tokio::task::JoinSet;
use walden::mcp::{Attended, Completed, HostEvent};
use walden::protocol::{Answer, CallId, FieldKind, Outcome, QuestionKind, ServerState};

/// Runs a check for each row, some of them at a time.
async fn each<R, F>(rows: Vec<R>, check: impl Fn(R) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    for row in rows {
        if running.len() == 4 {
            running.join_next().await.expect("one").expect("no panic");
        }
        running.spawn(check(row));
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("no panic");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_ends_with_words_that_say_what_happened_whatever_the_server_does() {
    // How the server behaves, whether the call is done, and words of its outcome.
    let rows = vec![
        ("good", true, "hi"),
        ("twice", true, "hi"),
        ("pieces", true, "hi"),
        ("wrong-id", true, "hi"),
        ("text-id", true, "hi"),
        ("batch", true, "hi"),
        ("no-version", true, "hi"),
        ("both", true, "hi"),
        ("flood", true, "hi"),
        ("noise-flood", true, "hi"),
        ("stderr-flood", true, "hi"),
        ("asks-much", true, "hi"),
        ("list-storm", true, "hi"),
        ("noise", true, "hi"),
        ("early", true, "hi"),
        ("unknown-request", true, "-32601"),
        ("odd-content", true, "[content of an unknown kind]"),
        ("no-content", true, r#"{"said":"hi"}"#),
        ("empty-result", true, "returned nothing"),
        ("null-result", true, "returned nothing"),
        ("giant", true, "more bytes were left out"),
        ("escape", true, "red"),
        ("is-error", false, "it did not work"),
        ("invalid", false, "`text` is wanted"),
        ("neither", false, "neither a result nor an error"),
        ("error-text", false, "no message"),
        ("odd-type", false, "novel"),
        ("broken-json", false, "not valid JSON"),
        ("deep", false, "not valid JSON"),
        ("too-giant", false, "at most 64 MiB"),
        ("torn", false, "ended in the middle"),
        (
            "dies",
            false,
            "ended with status 3. What the call did is not known",
        ),
        ("closes-output", false, "closed its output"),
        ("forked", false, "ended with status 0"),
        ("silent", false, "no answer within 1 s"),
        ("progress-only", false, "no answer within 2 s"),
    ];
    each(rows, |(how, done, words)| async move {
        let limited = matches!(how, "silent" | "progress-only");
        let keys = match limited {
            true => json!({"tool_timeout_sec": 1, "max_timeout_sec": 2}),
            false => json!({}),
        };
        let world = settled(with_keys(how, &keys)).await;
        assert_eq!(world.inspect().state, "up", "{how}");
        let outcome = world.echo().await;
        assert_eq!(outcome.is_done(), done, "{how}: {}", short(&outcome));
        assert!(
            outcome.for_model().contains(words),
            "{how}: {}",
            short(&outcome)
        );
        assert!(outcome.for_model().len() < 70_000, "{how}");
        let closing = tokio::time::timeout(PATIENCE, world.host.close());
        closing.await.expect("it closes");
    })
    .await;
    let status = std::process::Command::new("grep")
        .args(["VmRSS", &format!("/proc/{}/status", std::process::id())])
        .output()
        .expect("grep runs");
    let kib: u64 = String::from_utf8_lossy(&status.stdout)
        .chars()
        .filter(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .expect("a number");
    assert!(kib < 500 * 1024, "{kib} KiB are held after all that");
}

fn short(outcome: &Outcome) -> String {
    outcome.for_model().chars().take(300).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_comes_up_or_says_why_it_does_not() {
    // How the server behaves, how many tools it has when it is up, or words of why it is down.
    let rows: Vec<(&str, Result<usize, &str>)> = vec![
        ("good", Ok(5)),
        ("modern", Ok(5)),
        ("late", Ok(5)),
        ("modern-late", Ok(5)),
        ("noise", Ok(5)),
        ("ends-on-discover", Ok(5)),
        ("drops-unknown", Ok(5)),
        ("bad-tools", Ok(6)),
        ("huge-tool", Ok(5)),
        ("cursor-loop", Ok(5)),
        ("empty-cursor", Ok(5)),
        ("endless-pages", Ok(100)),
        ("exits", Err("no configuration found")),
        ("list-error", Err("the list is broken")),
        ("list-nothing", Err("holds no list `tools`")),
        ("list-silent", Err("no answer within")),
        ("future-only", Err("2031-01-01")),
        ("old-only", Err("1999-01-01")),
        ("no-hello", Err("did not answer `initialize`")),
        ("refuses", Err("go away")),
    ];
    each(rows, |(how, wanted)| async move {
        let slow = matches!(how, "no-hello" | "list-silent");
        let keys = match slow {
            true => json!({"startup_timeout_sec": 2, "tool_timeout_sec": 2}),
            false => json!({}),
        };
        let world = settled(with_keys(how, &keys)).await;
        let seen = world.inspect();
        match wanted {
            Ok(tools) => {
                assert_eq!(
                    (seen.state.as_str(), seen.tools.len()),
                    ("up", tools),
                    "{how}: {seen:?}"
                );
                let era = if how.starts_with("modern") {
                    "modern"
                } else {
                    "legacy"
                };
                assert_eq!(seen.era, era, "{how}");
            }
            Err(words) => assert!(
                seen.state.starts_with("down") && seen.state.contains(words),
                "{how}: {}",
                seen.state
            ),
        }
        world.host.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_tools_are_left_out_by_name_and_the_good_ones_stay() {
    let world = settled(definition("bad-tools")).await;
    let seen = world.inspect();
    let names: Vec<&str> = seen.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "it__echo", "it__slow", "it__ask", "it__env", "it__poke", "it__odd"
        ]
    );
    let left_out = seen.left_out.join("\n");
    for words in [
        "`no_schema`",
        "without a name",
        "evil⟨U+200B⟩name",
        "`array`",
        "listed twice",
    ] {
        assert!(left_out.contains(words), "{words} in {left_out}");
    }
    assert!(
        seen.log
            .iter()
            .any(|line| line.contains("`ech0`") && line.contains("taken for"))
    );
    world.host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_is_not_what_its_tool_says_is_noted_and_counts_all_the_same() {
    let world = settled(definition("no-content")).await;
    assert!(world.echo().await.is_done());
    let log = world.inspect().log.join("\n");
    assert!(
        log.contains("`echo` returned something else")
            && log.contains("`/said` is not of the type"),
        "{log}"
    );
    world.host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ended_is_started_again_and_the_next_call_is_made() {
    let world = settled(definition("dies-once")).await;
    assert!(!world.echo().await.is_done());
    let again = Instant::now();
    loop {
        let outcome = world.echo().await;
        if outcome.is_done() {
            break;
        }
        assert!(again.elapsed() < PATIENCE, "{outcome:?}");
        tokio::task::yield_now().await;
    }
    world.host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_stays_up_is_left_alone_after_some_starts() {
    let mut world = world(definition("exits"), Attended::No, true);
    let mut starts = 0;
    let last = loop {
        let event = tokio::time::timeout(PATIENCE, world.host.event()).await;
        match event.expect("in time") {
            Some(HostEvent::Server {
                state: ServerState::Starting,
                ..
            }) => starts += 1,
            Some(HostEvent::Server {
                state: ServerState::Down { reason },
                ..
            }) if reason.contains("not started again") => break reason,
            Some(_) => {}
            None => panic!("the host is gone"),
        }
    };
    assert_eq!(starts, 5);
    assert!(
        last.contains("status 2") && last.contains("no configuration found"),
        "{last}"
    );
    // A person can have it tried again.
    assert!(world.host.restart("it"));
    let event = tokio::time::timeout(PATIENCE, world.host.event()).await;
    assert!(event.is_ok());
    world.host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kernel_keeps_a_server_from_the_files_the_network_and_the_environment() {
    let world = settled(definition("good")).await;
    let inside = world.root.path().join("a.txt");
    std::fs::write(&inside, "kept").expect("written");
    let poked = world.call("poke", json!({"file": inside})).await;
    assert_eq!(
        poked.for_model(),
        "write: PermissionError, read: done, home: done, socket: PermissionError"
    );
    let outside = tempfile::NamedTempFile::new().expect("a file");
    let poked = world.call("poke", json!({"file": outside.path()})).await;
    assert_eq!(
        poked.for_model(),
        "write: PermissionError, read: PermissionError, home: done, socket: PermissionError"
    );
    let env = world.call("env", json!({})).await;
    let env: Map<String, Value> = serde_json::from_str(env.for_model()).expect("JSON");
    assert!(
        env.contains_key("PATH") && !env.contains_key("CARGO_MANIFEST_DIR"),
        "{env:?}"
    );
    world.host.close().await;
}

/// Answers what is asked while a call runs. Returns what was asked, and the call's outcome.
async fn answering(
    world: &mut World,
    what: &str,
    mut answer: impl FnMut(&QuestionKind) -> Answer,
) -> (Vec<QuestionKind>, Outcome) {
    let caller = world.host.caller();
    let arguments = Map::from_iter([("what".to_owned(), json!(what))]);
    let mut calling = tokio::spawn(async move { call(&caller, "ask", arguments).await });
    let mut asked = Vec::new();
    loop {
        tokio::select! {
            outcome = &mut calling => return (asked, outcome.expect("no panic")),
            event = world.host.event() => match event.expect("the host is there") {
                HostEvent::Asked(question) => {
                    assert_eq!(question.server, "it");
                    world.host.answer(question.id, answer(&question.kind));
                    asked.push(question.kind);
                }
                HostEvent::Sample(sample) => {
                    assert_eq!((sample.messages.len(), sample.max_tokens), (1, 50));
                    sample.reply.send(Ok("hi there STOP and more".into())).expect("wanted");
                }
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_asks_in_a_call_is_answered_in_both_eras() {
    for how in ["good", "modern"] {
        let mut world = world(definition(how), Attended::Yes, true);
        world.host.settle(PATIENCE).await;

        let (asked, outcome) = answering(&mut world, "roots", |_| Answer::Cancel).await;
        assert!(asked.is_empty());
        let root = world.root.path().display().to_string();
        assert!(
            outcome.for_model().contains(&format!("file://{root}")),
            "{how}: {outcome:?}"
        );

        let (asked, outcome) =
            answering(&mut world, "form", |_| accept(&json!({"name": "Ada"}))).await;
        let QuestionKind::Form { fields, .. } = &asked[0] else {
            panic!("{asked:?}");
        };
        assert!(fields[0].required && !fields[1].required);
        assert!(matches!(fields[1].kind, FieldKind::Choice { .. }));
        let answer: Value = serde_json::from_str(outcome.for_model()).expect("JSON");
        assert_eq!(
            answer,
            json!({"action": "accept", "content": {"name": "Ada"}}),
            "{how}"
        );

        let (_, outcome) = answering(&mut world, "form", |_| Answer::Decline).await;
        assert!(
            outcome.for_model().contains("decline"),
            "{how}: {outcome:?}"
        );

        let (asked, outcome) = answering(&mut world, "page", |_| Answer::Cancel).await;
        assert!(
            matches!(&asked[0], QuestionKind::Page { url, .. } if url == "https://example.org/login")
        );
        assert!(outcome.for_model().contains("cancel"), "{how}: {outcome:?}");

        let (asked, outcome) = answering(&mut world, "secret", |_| accept(&json!({}))).await;
        assert!(
            asked.is_empty() && outcome.for_model().contains("secret"),
            "{how}: {outcome:?}"
        );

        let (asked, outcome) = answering(&mut world, "model", |_| accept(&json!({}))).await;
        assert!(matches!(asked[0], QuestionKind::Prompt { .. }), "{asked:?}");
        assert!(matches!(&asked[1], QuestionKind::Completion { text } if text == "hi there "));
        let answer: Value = serde_json::from_str(outcome.for_model()).expect("JSON");
        assert_eq!(answer["content"]["text"], "hi there ");
        assert_eq!(answer["stopReason"], "stopSequence");

        let (asked, outcome) = answering(&mut world, "model", |_| Answer::Decline).await;
        assert_eq!(asked.len(), 1);
        assert!(
            outcome.for_model().contains("rejected"),
            "{how}: {outcome:?}"
        );
        world.host.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_and_what_its_server_asks_on_the_way_are_of_one_trace_and_no_other_call_is() {
    for how in ["good", "modern"] {
        let mut world = world(definition(how), Attended::Yes, true);
        world.host.settle(PATIENCE).await;
        let mut traces = Vec::new();
        for _ in 0..2 {
            let caller = world.host.caller();
            let arguments = Map::from_iter([("what".to_owned(), json!("model"))]);
            let mut calling = tokio::spawn(async move { call(&caller, "ask", arguments).await });
            loop {
                tokio::select! {
                    biased;
                    event = world.host.event() => match event.expect("the host is there") {
                        HostEvent::Traced { call, method, trace, .. } => traces.push((call, method, trace)),
                        HostEvent::Asked(question) => world.host.answer(question.id, Answer::Decline),
                        _ => {}
                    },
                    _ = &mut calling => break,
                }
            }
        }
        let told: Vec<(Option<CallId>, &str)> = traces
            .iter()
            .map(|(call, method, _)| (*call, method.as_str()))
            .collect();
        let pair = [
            (Some(CallId(7)), "tools/call"),
            (None, "sampling/createMessage"),
        ];
        assert_eq!(told, [pair, pair].concat(), "{how}");
        let trace = |number: usize| &traces[number].2;
        assert!(trace(0) == trace(1) && trace(2) == trace(3), "{traces:?}");
        assert_ne!(trace(0), trace(2));
        world.host.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_takes_its_question_back() {
    for how in ["good", "modern"] {
        let mut world = world(definition(how), Attended::Yes, true);
        world.host.settle(PATIENCE).await;
        let caller = world.host.caller();
        let arguments = Map::from_iter([("what".to_owned(), json!("form"))]);
        let calling = tokio::spawn(async move { call(&caller, "ask", arguments).await });
        let mut open = None;
        loop {
            let event = tokio::time::timeout(PATIENCE, world.host.event()).await;
            match event.expect("in time").expect("the host is there") {
                HostEvent::Asked(question) => {
                    open = Some(question.id);
                    calling.abort();
                }
                HostEvent::Answered { question, answer } => {
                    assert_eq!((Some(question), answer), (open, Answer::Cancel), "{how}");
                    break;
                }
                _ => {}
            }
        }
        world.host.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_told_and_does_not_come_after_the_answer() {
    let mut world = world(definition("good"), Attended::Yes, true);
    world.host.settle(PATIENCE).await;
    let caller = world.host.caller();
    let mut calling = tokio::spawn(async move { call(&caller, "slow", Map::new()).await });
    let mut told = Vec::new();
    loop {
        tokio::select! {
            outcome = &mut calling => {
                assert!(outcome.expect("no panic").is_done());
                break;
            }
            event = world.host.event() => if let Some(HostEvent::Progressed { call, text }) = event {
                assert_eq!(call, CallId(7));
                told.push(text);
            }
        }
    }
    assert!(told.contains(&"3 of 5: step".to_owned()), "{told:?}");
    world.host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_started_or_used_before_the_user_agreed_to_it() {
    // Nobody is there: the server is not even started.
    let lonely = world(definition("good"), Attended::No, false);
    lonely.host.settle(PATIENCE).await;
    let state = lonely.inspect().state;
    assert!(
        state.contains("nobody agreed to its start") && state.contains("walden mcp trust it"),
        "{state}"
    );
    assert!(lonely.inspect().log.len() < 2);
    lonely.host.close().await;

    let mut world = world(definition("good"), Attended::Yes, false);
    let mut shown = Vec::new();
    loop {
        let event = tokio::time::timeout(PATIENCE, world.host.event()).await;
        match event.expect("in time").expect("the host is there") {
            HostEvent::Asked(question) => {
                let QuestionKind::Definition { text, .. } = question.kind else {
                    panic!("{:?}", question.kind);
                };
                assert!(world.host.tools().await.expect("listed").is_empty());
                shown.push(text);
                world.host.answer(question.id, accept(&json!({})));
            }
            HostEvent::Server {
                state: ServerState::Up { tools },
                ..
            } => {
                assert_eq!(tools, 5);
                break;
            }
            _ => {}
        }
    }
    assert_eq!(shown.len(), 2);
    assert!(
        shown[0].contains("mcp_server.py good") && shown[0].contains("sha256"),
        "{}",
        shown[0]
    );
    assert!(
        shown[1].contains("tool poke") && shown[1].contains("Use it."),
        "{}",
        shown[1]
    );
    world.host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_changes_its_tools_is_stopped_with_the_difference() {
    for how in ["changing", "modern-changing"] {
        let world = settled(definition(how)).await;
        assert!(world.echo().await.is_done());
        let waiting = Instant::now();
        let state = loop {
            let state = world.inspect().state;
            if state.starts_with("down") {
                break state;
            }
            assert!(waiting.elapsed() < PATIENCE, "{how}: {state}");
            tokio::task::yield_now().await;
        };
        assert!(
            state.contains("it changed since you agreed to it"),
            "{how}: {state}"
        );
        assert!(!world.echo().await.is_done());
        world.host.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_prompts_and_completions_are_read() {
    for how in ["good", "modern"] {
        let world = settled(definition(how)).await;
        let caller = world.host.caller();
        let note = caller.resource("it", "test://note").await.expect("read");
        assert_eq!(note.text, "[resource test://note]\nthe text of test://note");
        let trip = caller.prompt("it", "travel", "Oslo").await.expect("got");
        assert_eq!(trip.text, "Plan a trip to Oslo.");
        let missing = caller
            .prompt("it", "travel", "")
            .await
            .expect_err("needs a city");
        assert!(missing.contains("`city`"), "{missing}");
        let unknown = caller.prompt("it", "cook", "").await.expect_err("unknown");
        assert!(unknown.contains("travel"), "{unknown}");
        let cities = caller
            .complete("it", Completed::Prompt("travel"), "city", "Pa", &[])
            .await;
        assert_eq!(cities, ["Paris", "Palermo"], "{how}");
        world.host.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ignores_its_end_is_ended_all_the_same() {
    let world = settled(definition("ignores-end")).await;
    assert!(world.echo().await.is_done());
    let began = Instant::now();
    world.host.close().await;
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_tools_of_the_toolset_are_offered_and_called() {
    let keys = json!({"enabled_tools": ["e*"], "disabled_tools": ["env"]});
    let world = settled(with_keys("good", &keys)).await;
    let names: Vec<String> = world
        .inspect()
        .tools
        .into_iter()
        .map(|tool| tool.tool)
        .collect();
    assert_eq!(names, ["echo"]);
    let outcome = world.call("env", json!({})).await;
    assert!(matches!(outcome, Outcome::Invalid { .. }), "{outcome:?}");
    world.host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_held_to_a_revision_of_the_protocol() {
    // How the server behaves, what it is held to, and whether it comes up.
    for (how, least, up) in [
        ("good", "2025-06-18", true),
        ("good", "2025-11-25", true),
        ("good", "2026-07-28", false),
        ("good", "modern", false),
        ("modern", "modern", true),
        ("oldest", "2024-11-05", true),
        ("oldest", "2025-03-26", false),
    ] {
        let world = settled(with_keys(how, &json!({"min_protocol": least}))).await;
        let state = world.inspect().state;
        assert_eq!(state == "up", up, "{how} {least}: {state}");
        assert!(
            up || state.contains("(`min_protocol`)"),
            "{how} {least}: {state}"
        );
        world.host.close().await;
    }
    // A limit that says nothing is no limit: the server is not used.
    for odd in [json!("2025-99-99"), json!("newest"), json!(7)] {
        let definition = with_keys("good", &json!({"min_protocol": odd}));
        let problem = definition.reach.expect_err("refused");
        assert!(problem.contains("`min_protocol`"), "{problem}");
    }
}
