//! Claims about conversations that outgrow their window.

use serde_json::json;

use super::super::tests::{agent, answer, arguments, asked, model, submit, summary};
use super::super::*;
use super::*;
use crate::protocol::{Finish, Mode, ModelEvent, Usage};

/// Lets the model read a file, and says that the prompt had so many tokens.
fn read(agent: &mut Agent, path: &str, text: &str, prompt: u32) -> Vec<Effect> {
    let name = "read".to_owned();
    let arguments = arguments(path);
    let mut out = model(agent, ModelEvent::Call { name, arguments });
    out.extend(model(
        agent,
        ModelEvent::Done {
            raw: "call".into(),
            finish: Finish::Call,
            usage: Usage {
                prompt,
                generated: 5,
                ..Usage::default()
            },
        },
    ));
    let call = out.iter().find_map(|effect| match effect {
        Effect::RunCall { call, .. } => Some(call.id),
        _ => None,
    });
    let Some(call) = call else { return out };
    agent.handle(Input::CallDone {
        call,
        outcome: Outcome::Done { text: text.into() },
        change: None,
        passage: Some((path.into(), text.into())),
    })
}

/// An agent whose model says nothing of its size.
fn noting_agent() -> Agent {
    let mut agent = agent(Mode::Ask);
    if let Some(model) = &mut agent.model {
        model.parameters = 0;
    }
    agent
}

fn texts(request: &crate::protocol::ModelRequest) -> String {
    format!("{:?}", request.messages)
}

#[test]
fn a_conversation_that_nears_its_window_is_begun_anew_with_what_matters() {
    let mut agent = noting_agent();
    submit(&mut agent, "What does the first module do?");
    answer(&mut agent, "It adds.");
    submit(&mut agent, "Look for the bug in src/b.py");
    let out = read(&mut agent, "src/b.py", "def b():\n    return 1\n", 3_500);
    // The model makes notes beside the conversation, which has room for them.
    let notes = asked(&out).expect("notes are asked for");
    assert_eq!((notes.lane, &notes.choice), (Lane::Side, &ToolChoice::None));
    assert!(texts(notes).contains("notes for yourself"));
    let before = notes.messages[..3].to_vec();
    let out = answer(&mut agent, "b returns 1 and should return 2.");
    assert!(out.contains(&Effect::Forget));
    let anew = asked(&out).expect("it goes on");
    assert_eq!((anew.lane, anew.messages.len()), (Lane::Main, 2));
    assert_eq!(anew.messages[0], before[0], "the system text stays");
    for part in [
        "What does the first module do?",
        "Look for the bug in src/b.py",
        "should return 2",
        "def b():",
    ] {
        assert!(texts(anew).contains(part), "{part}: {}", texts(anew));
    }
    let out = answer(&mut agent, "It is line 2.");
    assert!(summary(&out).is_some());
}

#[test]
fn it_goes_on_without_notes_where_there_is_no_room_for_them() {
    let mut agent = noting_agent();
    submit(&mut agent, "Look for the bug");
    let out = read(&mut agent, "a.py", "a = 1\n", 4_000);
    assert_eq!(asked(&out).expect("notes").lane, Lane::Side);
    let failure = ModelFailure::ContextFull {
        needed: 5_000,
        context: 4_096,
    };
    let out = model(&mut agent, ModelEvent::Failed { failure });
    assert_eq!(asked(&out).expect("it goes on").messages.len(), 2);
}

#[test]
fn it_never_goes_round_in_circles() {
    let mut agent = noting_agent();
    agent.settings.max_steps = 100;
    submit(&mut agent, "Look for the bug");
    // However long the prompt is said to be, the conversation is begun anew a few times in a turn.
    let mut anew = 0;
    for step in 0..40 {
        let mut out = read(&mut agent, &format!("f{step}.py"), "x = 1\n", 4_000);
        if asked(&out).is_some_and(|request| request.lane == Lane::Side) {
            out = answer(&mut agent, "notes");
        }
        anew += out
            .iter()
            .filter(|effect| **effect == Effect::Forget)
            .count();
        if asked(&out).is_none() {
            break;
        }
    }
    assert!((1..=MOST as usize).contains(&anew), "{anew}");
}

#[test]
fn what_is_told_anew_fits_any_window() {
    for window in [512, 2_048, 4_096, 8_192, 32_768] {
        let mut agent = agent(Mode::Ask);
        if let Some(model) = &mut agent.model {
            model.context = window;
        }
        submit(&mut agent, &"Look ".repeat(20_000));
        agent.learn("long.py".into(), "line\n".repeat(50_000));
        let text = agent.digest(Some(&"note ".repeat(5_000)));
        assert!(
            text.len() <= window as usize * BYTES_PER_TOKEN / 2 + 400,
            "{window}: {}",
            text.len()
        );
    }
}

#[test]
fn a_result_has_its_share_of_the_window_and_says_how_to_go_on() {
    let agent = agent(Mode::Ask);
    let call = |from: Option<u64>| ToolCall {
        id: CallId(1),
        server: "fs".into(),
        tool: "read".into(),
        arguments: from
            .map(|from| ("from".to_owned(), json!(from)))
            .into_iter()
            .collect(),
    };
    let text: String = (1..=1_000).map(|n| format!("line {n}\n")).collect();
    let cut = |from| match agent.fitted(&call(from), Outcome::Done { text: text.clone() }) {
        Outcome::Done { text } => text,
        other => panic!("{other:?}"),
    };
    let first = cut(None);
    assert!(first.len() < 3_200, "{}", first.len());
    let shown = first.lines().count() - 1;
    assert!(
        first.ends_with(&format!("[cut here; go on with from={}]", shown + 1)),
        "{first}"
    );
    assert!(cut(Some(101)).ends_with(&format!("from={}]", shown + 101)));
    let short = Outcome::Done {
        text: "short".into(),
    };
    assert_eq!(agent.fitted(&call(None), short.clone()), short);
}

/// What the model does in a step of a drawn conversation.
#[derive(Debug, Clone)]
enum Does {
    Read { file: usize, bytes: usize },
    Say { bytes: usize },
}

fn does() -> impl proptest::strategy::Strategy<Value = Does> {
    use proptest::strategy::Strategy as _;
    proptest::prop_oneof![
        4 => (0..6_usize, 10..60_000_usize).prop_map(|(file, bytes)| Does::Read { file, bytes }),
        1 => (1..3_000_usize).prop_map(|bytes| Does::Say { bytes }),
    ]
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(60))]
    /// A model whose window is counted as a real one's is: whatever it reads, a turn ends, what is told anew fits, and
    /// the instructions, the request, the plan and the file in work stay.
    #[test]
    fn at_every_window_a_turn_ends_and_what_matters_stays(
        window in proptest::sample::select(vec![4_096_u32, 8_192, 32_768]),
        notes in proptest::bool::ANY,
        steps in proptest::collection::vec(does(), 1..24),
    ) {
        let mut agent = noting_agent();
        agent.settings.max_steps = 30;
        agent.settings.max_tokens = u32::MAX;
        if let Some(model) = &mut agent.model {
            model.context = window;
            model.parameters = if notes { 0 } else { 500_000_000 };
        }
        agent.plan = Some(Plan::new("the goal", vec!["mend the parser".into(), "write a test".into()]));
        let request_text = "Look for the bug in the parser of this project";
        let mut out = submit(&mut agent, request_text);
        let mut anew = 0;
        let mut rounds = 0;
        let mut steps = steps.into_iter();
        let mut open: Option<String> = None;
        while summary(&out).is_none() {
            rounds += 1;
            proptest::prop_assert!(rounds < 200, "it goes on for ever");
            anew += out.iter().filter(|effect| **effect == Effect::Forget).count();
            let running = out.iter().rev().find_map(|effect| match effect {
                Effect::RunCall { call, .. } => Some(call.clone()),
                _ => None,
            });
            if let Some(call) = running {
                // The opening reads something as well.
                out = agent.handle(Input::CallDone {
                    call: call.id,
                    outcome: Outcome::Done { text: "a.py".into() },
                    change: None,
                    passage: None,
                });
                continue;
            }
            let Some(request) = asked(&out) else { break };
            let tokens = request
                .messages
                .iter()
                .map(|message| size(message) / BYTES_PER_TOKEN)
                .sum::<usize>();
            if out.contains(&Effect::Forget) {
                let told = texts(request);
                proptest::prop_assert!(tokens < window as usize * 3 / 4, "{tokens} of {window}");
                for part in ["You are walden", request_text, "mend the parser"] {
                    proptest::prop_assert!(told.contains(part), "{part}: {told}");
                }
                if let Some(open) = &open {
                    proptest::prop_assert!(told.contains(open.as_str()), "{open}: {told}");
                }
            }
            if tokens > window as usize {
                let failure = ModelFailure::ContextFull { needed: tokens as u32, context: window };
                out = model(&mut agent, ModelEvent::Failed { failure });
                continue;
            }
            let usage = Usage { prompt: tokens as u32, generated: 20, ..Usage::default() };
            let end = |raw: &str, finish| ModelEvent::Done { raw: raw.into(), finish, usage };
            if request.lane == Lane::Side {
                out = model(&mut agent, end("notes", Finish::Stop));
                continue;
            }
            let is_free = request.choice == ToolChoice::Auto;
            match steps.next() {
                Some(Does::Read { file, bytes }) if is_free => {
                    let path = format!("src/file{file}_{rounds}.py");
                    let name = "read".to_owned();
                    model(&mut agent, ModelEvent::Call { name, arguments: arguments(&path) });
                    let called = model(&mut agent, end("call", Finish::Call));
                    let id = called.iter().find_map(|effect| match effect {
                        Effect::RunCall { call, .. } => Some(call.id),
                        _ => None,
                    });
                    let Some(id) = id else { out = called; continue };
                    let text = "x = 1\n".repeat(bytes / 6);
                    open = Some(path.clone());
                    out = agent.handle(Input::CallDone {
                        call: id,
                        outcome: Outcome::Done { text: text.clone() },
                        change: None,
                        passage: Some((path, text)),
                    });
                }
                Some(Does::Say { bytes }) => out = model(&mut agent, end(&"word ".repeat(bytes / 5), Finish::Stop)),
                _ => out = model(&mut agent, end("It is line 2.", Finish::Stop)),
            }
        }
        proptest::prop_assert!(anew <= MOST as usize + 1, "{anew}");
    }
}

#[test]
fn what_does_not_fit_ends_with_what_would_make_it_fit() {
    let failure = ModelFailure::ContextFull {
        needed: 2_619,
        context: 512,
    };
    assert_eq!(
        told(&failure),
        "the message does not fit: it needs 2619 tokens and the window has 512; shorten it, or start walden with \
         `--context 4096`"
    );
}
