//! What a session did, as spans: a session with a scripted model and a server that asks the model something on the way of
//! a call, told from its journal.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mcp.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use support::{PATIENCE, World, accept, definition, world_with};
use tokio::sync::mpsc;
use walden::agent::Settings;
use walden::mcp::Attended;
use walden::mcp::pins::Pins;
use walden::model::scripted;
use walden::protocol::{Decision, Event, Finish, Mode, ModelEvent, Op, Scope, ServerState, Usage};
use walden::session::{Journal, RuleFiles, SessionId, Setup, read_timed, start};
use walden::spans::{Told, otlp, tree, turns};
use walden::workspace::{Checkpoints, Roots};

const SESSION: &str = "20260101-000000-0000";

/// What the user says, what is given to the tool and what the model writes for the server: none of it is in a trace.
const SAID: &str = "Ask the server, please.";
const WRITTEN: &str = "forty-two it is";

fn usage(prompt: u32, cached: u32, generated: u32) -> Usage {
    Usage {
        prompt,
        cached,
        generated,
        ..Usage::default()
    }
}

fn done(finish: Finish, usage: Usage) -> ModelEvent {
    ModelEvent::Done {
        raw: String::new(),
        finish,
        usage,
    }
}

/// Plays a turn in which the model calls a tool whose server asks the model, and returns what its journal tells.
async fn played(how: &str) -> Told {
    let world = world_with(
        definition(how),
        Attended::Yes,
        Pins::in_memory(vec!["it".into()]),
    );
    let World { host, root, .. } = world;
    host.settle(PATIENCE).await;
    let tools = host.tools().await.unwrap();
    let tool = tools.iter().find(|tool| tool.tool == "ask").unwrap();
    let call = ModelEvent::Call {
        name: tool.name.clone(),
        arguments: json!({"what": "model"}).as_object().unwrap().clone(),
    };
    let text = |text: &str| ModelEvent::Text {
        text: text.to_owned(),
    };
    let script = vec![
        vec![call, done(Finish::Call, usage(1_200, 1_000, 30))],
        vec![text(WRITTEN), done(Finish::Stop, usage(40, 0, 5))],
        vec![
            text("It says so."),
            done(Finish::Stop, usage(1_300, 1_230, 4)),
        ],
    ];
    let kept = tempfile::tempdir().unwrap();
    let path = kept.path().join("journal.jsonl");
    let (journal, _) = Journal::open(&path).unwrap();
    let (state, model_state) = mpsc::unbounded_channel();
    let mut handle = start(Setup {
        changes: None,
        trust: None,
        notices: Vec::new(),
        id: SessionId(SESSION.to_owned()),
        settings: Settings {
            mode: Mode::Ask,
            ..Settings::default()
        },
        roots: Roots::open(&[root.path().to_owned()]).unwrap(),
        host,
        tools,
        model: scripted::spawn(script, state),
        model_name: "scripted".to_owned(),
        model_state,
        journal,
        checkpoints: Checkpoints::open(&kept.path().join("blobs")).unwrap(),
        recovered: None,
        rules: RuleFiles::default(),
    });
    let mut is_ready = (false, false);
    while let Some(event) = tokio::time::timeout(PATIENCE, handle.events.recv())
        .await
        .expect("in time")
    {
        let op = match event {
            Event::ModelLoaded { .. } | Event::ServerChanged { .. } => {
                let was = is_ready;
                is_ready.0 |= matches!(event, Event::ModelLoaded { .. });
                is_ready.1 |= matches!(
                    event,
                    Event::ServerChanged {
                        state: ServerState::Up { .. },
                        ..
                    }
                );
                match is_ready == (true, true) && was != is_ready {
                    true => Op::Submit {
                        text: SAID.to_owned(),
                    },
                    false => continue,
                }
            }
            Event::ApprovalRequested { call, .. } => Op::Decide {
                call,
                decision: Decision::Allow { scope: Scope::Once },
            },
            Event::Asked { question } => Op::Answer {
                question: question.id,
                answer: accept(&json!({})),
            },
            Event::TurnEnded { .. } => Op::Shutdown,
            _ => continue,
        };
        handle.ops.send(op).await.unwrap();
    }
    handle.task.await.unwrap();
    let seals = [(0, "sealed · net off".to_owned())];
    turns(&read_timed(&path).unwrap(), SESSION, &seals)
}

/// A span as it stands in a line, by its number.
fn spans(lines: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for line in lines.lines() {
        let request: Value = serde_json::from_str(line).expect("a line is JSON");
        for resource in request["resourceSpans"].as_array().expect("resources") {
            let named = &resource["resource"]["attributes"][0];
            assert_eq!(
                *named,
                json!({"key": "service.name", "value": {"stringValue": "walden"}})
            );
            for scope in resource["scopeSpans"].as_array().expect("scopes") {
                for span in scope["spans"].as_array().expect("spans") {
                    let id = span["spanId"].as_str().expect("a number").to_owned();
                    assert!(all.insert(id, span.clone()).is_none(), "{span}");
                }
            }
        }
    }
    all
}

fn named<'a>(all: &'a BTreeMap<String, Value>, name: &str) -> Vec<&'a Value> {
    all.values().filter(|span| span["name"] == name).collect()
}

fn only<'a>(all: &'a BTreeMap<String, Value>, name: &str) -> &'a Value {
    let found = named(all, name);
    assert_eq!(found.len(), 1, "{name}: {all:#?}");
    found[0]
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let all = span["attributes"].as_array().expect("attributes");
    let found = all.iter().find(|one| one["key"] == key);
    &found.unwrap_or_else(|| panic!("no {key} in {span}"))["value"]
}

fn text(text: &str) -> Value {
    json!({"stringValue": text})
}

fn count(count: u32) -> Value {
    json!({"intValue": count.to_string()})
}

/// Checks what every reader of OTLP relies on.
fn check_shape(all: &BTreeMap<String, Value>) {
    let is_hex = |value: &Value, digits: usize| {
        let text = value.as_str().unwrap_or_default();
        text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    for span in all.values() {
        assert!(
            is_hex(&span["traceId"], 32) && is_hex(&span["spanId"], 16),
            "{span}"
        );
        let time = |key: &str| -> u64 { span[key].as_str().expect("a text").parse().unwrap() };
        let (began, ended) = (time("startTimeUnixNano"), time("endTimeUnixNano"));
        assert!(0 < began && began <= ended, "{span}");
        assert!(matches!(span["kind"].as_u64(), Some(1..=3)), "{span}");
        if let Some(parent) = span["parentSpanId"].as_str() {
            let parent = all
                .get(parent)
                .unwrap_or_else(|| panic!("{span} has no parent"));
            assert_eq!(parent["traceId"], span["traceId"]);
            let within = |key: &str| -> u64 { parent[key].as_str().unwrap().parse().unwrap() };
            let (first, last) = (within("startTimeUnixNano"), within("endTimeUnixNano"));
            assert!(first <= began && ended <= last, "{span} is not in {parent}");
        }
        for link in span["links"].as_array().into_iter().flatten() {
            let to = &all[link["spanId"].as_str().expect("a number")];
            assert_eq!(to["traceId"], link["traceId"]);
        }
    }
    let first = |span: &&Value| span["parentSpanId"].is_null();
    let traces: BTreeSet<&str> = all
        .values()
        .map(|span| span["traceId"].as_str().unwrap())
        .collect();
    assert_eq!(
        all.values().filter(first).count(),
        traces.len(),
        "a trace has one first span"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn host_server_and_sampling_are_of_one_trace_that_is_linked_to_the_turn_s() {
    for how in ["good", "modern"] {
        let told = played(how).await;
        let lines = otlp(&told.turns);
        assert_eq!(lines.lines().count(), 1, "a line for the turn");
        let all = spans(&lines);
        check_shape(&all);

        let turn = only(&all, "invoke_agent walden");
        assert_eq!(attribute(turn, "gen_ai.conversation.id"), &text(SESSION));
        assert_eq!(attribute(turn, "walden.end"), &text("answered"));
        assert_eq!(
            attribute(turn, "walden.sandbox.seal"),
            &text("sealed · net off")
        );

        // The host, the server and what it has the model write: one trace, and another than the turn's.
        let tool = only(&all, "execute_tool ask");
        let call = only(&all, "tools/call ask");
        let sampling = only(&all, "sampling/createMessage");
        assert_eq!(tool["traceId"], turn["traceId"]);
        assert_ne!(call["traceId"], turn["traceId"]);
        assert_eq!(call["traceId"], sampling["traceId"]);
        assert_eq!(sampling["parentSpanId"], call["spanId"], "{how}");
        assert_eq!(tool["links"][0]["spanId"], call["spanId"]);
        assert_eq!(call["links"][0]["spanId"], tool["spanId"]);
        assert_eq!((&call["kind"], &sampling["kind"]), (&json!(3), &json!(2)));
        assert_eq!(attribute(call, "mcp.method.name"), &text("tools/call"));
        assert_eq!(attribute(call, "mcp.server"), &text("it"));
        assert_eq!(attribute(call, "gen_ai.tool.name"), &text("ask"));
        assert_eq!(attribute(call, "walden.outcome"), &text("done"));
        let profile = attribute(call, "walden.sandbox.profile")["stringValue"].as_str();
        assert!(profile.unwrap().contains("network: none"), "{profile:?}");
        let bytes = attribute(call, "walden.result.bytes")["intValue"].as_str();
        assert!(bytes.unwrap().parse::<u32>().unwrap() > 10, "{bytes:?}");

        // The requests to the model: two of the turn, one of the server.
        let chats = named(&all, "chat scripted");
        let read = |span: &Value| attribute(span, "gen_ai.usage.input_tokens").clone();
        let of = |tokens: u32| {
            let mut found = chats.iter().filter(|span| read(span) == count(tokens));
            found.next().unwrap_or_else(|| panic!("{chats:#?}"))
        };
        assert_eq!(chats.len(), 3, "{chats:#?}");
        for tokens in [1_200, 1_300] {
            assert_eq!(of(tokens)["parentSpanId"], turn["spanId"]);
            let model = attribute(of(tokens), "gen_ai.request.model");
            assert_eq!(model, &text("scripted"));
        }
        assert_eq!(of(40)["parentSpanId"], sampling["spanId"]);
        assert_eq!(attribute(of(1_200), "walden.tokens.cached"), &count(1_000));
        assert_eq!(
            attribute(of(1_200), "gen_ai.usage.output_tokens"),
            &count(30)
        );

        // What a person decided: of the call, of what is asked of the model, and of what the server gets.
        let decided: BTreeSet<(&str, &str)> = named(&all, "approval")
            .into_iter()
            .map(|span| {
                let said = |key| {
                    attribute(span, &format!("walden.approval.{key}"))["stringValue"].as_str()
                };
                (said("about").unwrap(), said("decision").unwrap())
            })
            .collect();
        let expected = [
            ("call", "allowed once"),
            ("prompt", "accepted"),
            ("completion", "accepted"),
        ];
        assert_eq!(decided, BTreeSet::from(expected));

        // Sizes, and no contents.
        for content in [SAID, WRITTEN, "It says so"] {
            assert!(!lines.contains(content), "{lines}");
        }
        assert_eq!(
            attribute(turn, "walden.message.bytes"),
            &count(SAID.len() as u32)
        );

        // The same to be read: each hop below the one that it is part of.
        let shown = tree(&told.turns);
        let depths: Vec<(usize, &str)> = shown
            .lines()
            .map(|line| {
                let name = line.trim_start_matches(['│', '├', '└', '─', ' ']);
                let depth = (line.chars().count() - name.chars().count()) / 3;
                (depth, name.split(" · ").next().unwrap())
            })
            .collect();
        assert_eq!(
            depths,
            [
                (0, "turn 1"),
                (1, "chat scripted"),
                (1, "it.ask"),
                (2, "approval"),
                (2, "tools/call ask"),
                (3, "sampling/createMessage"),
                (4, "approval"),
                (4, "chat scripted"),
                (4, "approval"),
                (1, "chat scripted"),
            ],
            "{shown}"
        );
        assert!(shown.contains("1,200 tokens in (1,000 kept), 30 out"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_calls_have_nothing_in_common_that_their_servers_see() {
    let (one, other) = (played("good").await, played("good").await);
    let wire = |told: &Told| {
        let spans = &told.turns[0].spans;
        let call = spans.iter().find(|span| span.name == "tools/call ask");
        call.unwrap().place.clone()
    };
    assert_ne!(wire(&one).trace, wire(&other).trace);
    assert_ne!(wire(&one).span, wire(&other).span);
}
