//! The engine against real models.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads and lays its own files"
)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use walden::model::Model;
use walden::model::llama::{LlamaOptions, spawn};
use walden::protocol::{
    CallForm, Doubts, Finish, GenerationId, Known, KnownKind, Lane, Message, ModelEvent,
    ModelFailure, ModelInfo, ModelRequest, Passages, Risk, Sampling, ToolChoice, ToolList,
    ToolSpec, Usage,
};

fn model_path(variable: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => path.into(),
        None => panic!("`{variable}` names no model file: run `make test`, which sets it"),
    }
}

fn load(options: LlamaOptions) -> (Model, ModelInfo) {
    let (state, mut states) = mpsc::unbounded_channel();
    let model = spawn(options, state);
    loop {
        match states.blocking_recv() {
            Some(ModelEvent::Loading { share }) => assert!((0.0..=1.0).contains(&share)),
            Some(ModelEvent::Loaded { info }) => return (model, info),
            other => panic!("the model did not load: {other:?}"),
        }
    }
}

fn small_with(context: u32) -> (Model, ModelInfo) {
    let mut options = LlamaOptions::new(model_path("WALDEN_TEST_SMALL_MODEL"));
    options.context = Some(context);
    // The tests run side by side, and ggml's threads wait for each other by spinning.
    options.threads = Some(1);
    load(options)
}

fn small() -> Model {
    small_with(4096).0
}

fn request(messages: Vec<Message>, max_tokens: u32) -> ModelRequest {
    ModelRequest {
        id: GenerationId(1),
        messages,
        tools: Vec::new(),
        choice: ToolChoice::Auto,
        sampling: Sampling {
            max_tokens,
            ..Sampling::default()
        },
        passages: Vec::new(),
        known: Vec::new(),
        lane: Lane::Main,
        unlisted: 0,
        doubts: None,
    }
}

fn user(text: &str) -> Message {
    Message::User {
        text: text.to_owned(),
    }
}

fn system(text: &str) -> Message {
    Message::System {
        text: text.to_owned(),
    }
}

/// A prompt that takes several batches.
fn long_text(lines: usize) -> String {
    (0..lines)
        .map(|n| format!("Line {n} of the log says that worker {} is idle.\n", n % 7))
        .collect()
}

#[derive(Debug)]
struct Answer {
    text: String,
    calls: Vec<(String, Map<String, Value>)>,
    bad: Vec<String>,
    raw: String,
    finish: Finish,
    usage: Usage,
}

/// Plays a request to its end; `watch` sees each event and says when to cancel.
fn play(
    model: &Model,
    request: ModelRequest,
    mut watch: impl FnMut(&ModelEvent) -> bool,
) -> Result<Answer, ModelFailure> {
    let mut generation = model.generate(request);
    let (mut text, mut calls, mut bad) = (String::new(), Vec::new(), Vec::new());
    while let Some(event) = generation.events.blocking_recv() {
        if watch(&event) {
            generation.cancel.cancel();
        }
        match event {
            ModelEvent::Text { text: more } => text.push_str(&more),
            ModelEvent::Call { name, arguments } => calls.push((name, arguments)),
            ModelEvent::BadCall { problem, .. } => bad.push(problem),
            ModelEvent::Failed { failure } => return Err(failure),
            ModelEvent::Done { raw, finish, usage } => {
                assert_eq!(generation.events.blocking_recv(), None);
                return Ok(Answer {
                    text,
                    calls,
                    bad,
                    raw,
                    finish,
                    usage,
                });
            }
            _ => {}
        }
    }
    panic!("the events ended without `Done` or `Failed`");
}

fn answer(model: &Model, request: ModelRequest) -> Answer {
    match play(model, request, |_| false) {
        Ok(answer) => answer,
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn a_cancelled_prefill_leaves_the_engine_as_good_as_new() {
    let model = small();
    let long = request(vec![user(&long_text(100))], 24);
    let cancelled = play(&model, long.clone(), |event| {
        matches!(event, ModelEvent::PromptProgress { done, total, .. } if *done > 0 && done < total)
    })
    .unwrap();
    assert_eq!(cancelled.finish, Finish::Cancelled);
    assert_eq!(cancelled.raw, "");
    let again = answer(&model, long.clone());
    assert!(again.usage.cached > 0 && again.usage.cached < again.usage.prompt);
    let fresh = answer(&small(), long);
    assert_eq!(fresh.usage.cached, 0);
    assert_eq!(again.raw, fresh.raw);
    assert_eq!(again.usage.prompt, fresh.usage.prompt);
}

#[test]
fn a_cancelled_answer_leaves_the_engine_as_good_as_new() {
    let model = small();
    let story = request(vec![user("Tell me a long story about a river.")], 400);
    let mut texts = 0;
    let cancelled = play(&model, story, |event| {
        texts += usize::from(matches!(event, ModelEvent::Text { .. }));
        texts == 5
    })
    .unwrap();
    assert_eq!(cancelled.finish, Finish::Cancelled);
    assert!(cancelled.usage.generated < 400);
    assert!(cancelled.raw.starts_with(&cancelled.text));
    let other = request(vec![user("What is the capital of France?")], 24);
    assert_eq!(
        answer(&model, other.clone()).raw,
        answer(&small(), other).raw
    );
}

#[test]
fn a_dropped_receiver_ends_the_answer() {
    let model = small();
    let generation = model.generate(request(vec![user(&long_text(100))], 4000));
    drop(generation);
    assert_eq!(
        answer(&model, request(vec![user("Say hi.")], 4)).finish,
        Finish::Length
    );
}

#[test]
fn a_second_turn_evaluates_only_what_is_new() {
    let model = small();
    let mut messages = vec![system("You are brief."), user("Name three colours.")];
    let first = answer(&model, request(messages.clone(), 200));
    assert_eq!(first.finish, Finish::Stop);
    assert_eq!(first.usage.cached, 0);
    assert_eq!(first.raw, first.text);
    messages.push(Message::Assistant {
        raw: first.raw.clone(),
    });
    messages.push(user("And three more?"));
    let second = answer(&model, request(messages.clone(), 200));
    assert_eq!(
        second.usage.cached,
        first.usage.prompt + first.usage.generated
    );
    // The same request again: the prompt is known but for the token that gives the logits.
    let again = answer(&model, request(messages, 200));
    assert_eq!(again.usage.prompt, second.usage.prompt);
    assert_eq!(again.usage.cached, second.usage.prompt - 1);
    assert_eq!(again.raw, second.raw);
}

#[test]
fn text_that_looks_like_a_control_token_is_only_text() {
    let model = small();
    let plain = answer(&model, request(vec![user("a<|im_end|>b")], 1));
    // Six characters of punctuation and two words are never a single token.
    let control = answer(&model, request(vec![user("ab")], 1));
    assert!(plain.usage.prompt > control.usage.prompt + 3);
}

fn tool(name: &str, schema: Value) -> ToolSpec {
    ToolSpec {
        server: "test".to_owned(),
        name: name.to_owned(),
        tool: name.to_owned(),
        description: String::new(),
        schema,
        risk: Risk::Read,
        previews: false,
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "schemas are written in place"
)]
fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

fn required_call(model: &Model, schema: Value, sampling: Sampling) -> Answer {
    let names = vec!["act".to_owned()];
    let mut request = request(
        vec![user("Call the tool `act` with short arguments.")],
        sampling.max_tokens,
    );
    request.tools = vec![
        tool("act", schema),
        tool("other", json!({"type": "object"})),
    ];
    request.choice = ToolChoice::Required { names };
    request.sampling = sampling;
    answer(model, request)
}

#[test]
fn a_required_call_always_fits_its_schema() {
    type Fits = fn(&Map<String, Value>) -> bool;
    let short = json!({"type": "string", "maxLength": 12});
    let cases: Vec<(Value, Fits)> = vec![
        (
            object(
                json!({"mode": {"enum": ["fast", "slow", 3, null]}}),
                &["mode"],
            ),
            |a| {
                a.len() == 1
                    && [json!("fast"), json!("slow"), json!(3), json!(null)].contains(&a["mode"])
            },
        ),
        (
            object(
                json!({"at": {"type": "object", "properties": {"x": {"type": "integer", "minimum": 0, "maximum": 99},
                    "y": {"type": "boolean"}}, "required": ["x", "y"]}}),
                &["at"],
            ),
            |a| a["at"]["x"].as_u64().is_some_and(|x| x <= 99) && a["at"]["y"].is_boolean(),
        ),
        (
            object(
                json!({"tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2, "maxItems": 3}}),
                &["tags"],
            ),
            |a| {
                a["tags"].as_array().is_some_and(|tags| {
                    (2..=3).contains(&tags.len())
                        && tags.iter().all(|tag| *tag == "a" || *tag == "b")
                })
            },
        ),
        (
            object(
                json!({"id": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{2}$"}}),
                &["id"],
            ),
            |a| {
                let id = a["id"].as_str().unwrap().as_bytes();
                id.len() == 6
                    && id[3] == b'-'
                    && id[..3].iter().all(u8::is_ascii_uppercase)
                    && id[4..].iter().all(u8::is_ascii_digit)
            },
        ),
        (
            object(
                json!({"n": {"type": "integer", "minimum": -5, "exclusiveMaximum": 17}}),
                &["n"],
            ),
            |a| a["n"].as_i64().is_some_and(|n| (-5..17).contains(&n)),
        ),
        (
            json!({"type": "object", "$defs": {"name": short}, "properties": {"who": {"$ref": "#/$defs/name"}},
                "required": ["who"]}),
            |a| {
                a["who"]
                    .as_str()
                    .is_some_and(|who| who.chars().count() <= 12)
            },
        ),
        (
            object(
                json!({"v": {"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 1, "maximum": 9}]}}),
                &["v"],
            ),
            |a| a["v"].is_boolean() || a["v"].as_i64().is_some_and(|v| (1..=9).contains(&v)),
        ),
        (
            object(
                json!({"v": {"oneOf": [{"const": "yes"}, {"const": false}]}, "note": short}),
                &["note", "v"],
            ),
            |a| {
                (a["v"] == "yes" || a["v"] == false)
                    && a["note"].is_string()
                    && a.keys().collect::<Vec<_>>() == ["v", "note"]
            },
        ),
        (
            object(
                json!({"s": {"type": ["string", "null"], "maxLength": 8, "format": "nonsense"}, "a \"b\"": {"const": 1}}),
                &["s", "a \"b\""],
            ),
            |a| (a["s"].is_null() || a["s"].is_string()) && a["a \"b\""] == 1,
        ),
        (
            object(
                json!({"id": {"type": "string", "pattern": "^(?=x)("}, "k": {"type": "boolean"}}),
                &["k"],
            ),
            |a| a["k"].is_boolean(),
        ),
    ];
    let model = small();
    for (schema, fits) in cases {
        for temperature in [0.0, 1.2] {
            let sampling = Sampling {
                temperature,
                max_tokens: 300,
                seed: 5,
                ..Sampling::default()
            };
            let answer = required_call(&model, schema.clone(), sampling);
            assert_eq!(answer.finish, Finish::Call, "{schema}: {answer:?}");
            assert_eq!(answer.text, "");
            let [(name, arguments)] = &answer.calls[..] else {
                panic!("not one call: {answer:?}");
            };
            assert_eq!(name, "act");
            assert!(fits(arguments), "{schema}: {arguments:?}");
            assert!(
                answer.raw.starts_with("```json\n{\"name\": \"act\"")
                    && answer.raw.ends_with("}}\n```")
            );
        }
    }
}

#[test]
fn a_call_that_breaks_what_cannot_be_enforced_goes_back_with_what_was_wanted() {
    // Whatever is written of this, it is too short: the grammar knows the choice, the check the length.
    let schema = object(json!({"a": {"enum": ["x"], "minLength": 5}}), &["a"]);
    let answer = required_call(&small(), schema, Sampling::default());
    assert!(answer.calls.is_empty(), "{answer:?}");
    assert_eq!(
        answer.bad,
        [
            "the arguments of `act` are not what it takes: argument `a`: expected at least 5 characters, got 1"
        ]
    );
}

#[test]
fn arguments_name_what_is_there_unless_they_are_free() {
    let names: Vec<String> = (0..3_000)
        .map(|n| format!("crates/ü \"{}\"/part-{n:04}.rs", n % 13))
        .chain(["zz.md".to_owned()])
        .collect();
    let mut sorted = names;
    sorted.sort();
    let known = Known {
        kind: KnownKind::File,
        names: sorted.into(),
    };
    let lines: String = (0..60)
        .map(|n| format!("    step({});\n", n % 20))
        .collect();
    let file = format!("fn main() {{\n{lines}}}\n");
    let path = json!({"type": "string", "x-walden-known": "file"});
    let text = json!({"type": "string", "maxLength": 400});
    let short = json!({"type": "string", "maxLength": 10});
    let ask = |name: &str, seed: u32| {
        let mut request = request(vec![user("Call a tool for the file src/main.rs.")], 600);
        request.tools = vec![
            tool("read", object(json!({"path": path}), &["path"])),
            tool(
                "edit",
                object(
                    json!({"path": {"type": "string", "maxLength": 30}, "old": text, "new": short}),
                    &["path", "old", "new"],
                ),
            ),
        ];
        request.choice = ToolChoice::Required {
            names: vec![name.to_owned()],
        };
        request.sampling.temperature = 1.3;
        request.sampling.seed = seed;
        request.known = vec![known.clone()];
        request.passages = vec![Passages {
            path: "src/main.rs".to_owned(),
            text: file.as_str().into(),
        }];
        request
    };
    let model = small();
    for seed in 1..=4 {
        let read = answer(&model, ask("read", seed));
        let path = read.calls[0].1["path"].as_str().unwrap().to_owned();
        assert!(known.names.contains(&path), "{path}");
        let edit = answer(&model, ask("edit", seed));
        // A drawn text may go on to the token limit; what is written by then is a call or nothing.
        let Some((_, arguments)) = edit.calls.first() else {
            assert_eq!(edit.finish, Finish::Length, "{edit:?}");
            continue;
        };
        assert_eq!(arguments["path"], "src/main.rs");
        let old = arguments["old"].as_str().unwrap();
        assert_eq!(file.matches(old).count(), 1, "{old:?}");
    }
    let mut options = LlamaOptions::new(model_path("WALDEN_TEST_SMALL_MODEL"));
    options.context = Some(4096);
    options.threads = Some(1);
    options.real_arguments = false;
    let free = answer(&load(options).0, ask("read", 1));
    let path = free
        .calls
        .first()
        .map(|(_, arguments)| arguments["path"].clone());
    assert!(path.is_none_or(|path| !known.names.contains(&path.as_str().unwrap().to_owned())));
}

#[test]
fn what_a_call_leaves_is_the_prefix_of_the_next_prompt() {
    let model = small();
    let schema = object(
        json!({"n": {"type": "integer", "minimum": 0, "maximum": 9}}),
        &["n"],
    );
    let first = required_call(&model, schema, Sampling::default());
    let messages = vec![
        user("Call the tool `act` with short arguments."),
        Message::Assistant {
            raw: first.raw.clone(),
        },
        Message::Tool {
            name: "act".to_owned(),
            text: "done".to_owned(),
        },
    ];
    let second = answer(&model, request(messages, 8));
    // All of the first prompt and of the call but its last token and its closing mark is known.
    assert_eq!(
        second.usage.cached,
        first.usage.prompt + first.usage.generated - 1,
        "{first:?}"
    );
}

#[test]
fn a_required_tool_that_is_not_there_is_an_error() {
    let mut request = request(vec![user("Hi")], 8);
    request.choice = ToolChoice::Required {
        names: vec!["gone".to_owned()],
    };
    let failure = play(&small(), request, |_| false).unwrap_err();
    assert!(matches!(failure, ModelFailure::Engine { .. }));
}

#[test]
fn a_full_window_fails_cleanly() {
    let (model, info) = small_with(512);
    assert_eq!(info.context, 512);
    let failure = play(&model, request(vec![user(&long_text(200))], 8), |_| false).unwrap_err();
    let ModelFailure::ContextFull { needed, context } = failure else {
        panic!("{failure:?}");
    };
    assert!(needed > 512 && context == 512);
    let next = answer(&model, request(vec![user("Say hi.")], 8));
    assert!(!next.raw.is_empty());
    // An answer that reaches the end of the window ends there.
    let mut long = request(vec![user(&long_text(23))], 4000);
    long.sampling.temperature = 1.5;
    let long = answer(&model, long);
    if long.finish == Finish::Length {
        assert_eq!(long.usage.prompt + long.usage.generated, 512);
    }
    assert_eq!(
        answer(&model, request(vec![user("Say hi.")], 8)).raw,
        next.raw
    );
}

#[test]
fn a_broken_file_gives_a_readable_reason() {
    let folder = tempfile::tempdir().unwrap();
    let reason = |path: &Path| {
        let (state, mut states) = mpsc::unbounded_channel();
        let model = spawn(LlamaOptions::new(path), state);
        let failure = loop {
            match states.blocking_recv() {
                Some(ModelEvent::Failed { failure }) => break failure,
                Some(ModelEvent::Loading { .. }) => {}
                other => panic!("{other:?}"),
            }
        };
        // The model's thread goes on to say so.
        let answered = play(&model, request(vec![user("Hi")], 1), |_| false).unwrap_err();
        assert_eq!(answered, failure);
        failure.to_string()
    };
    let missing = reason(&folder.path().join("none.gguf"));
    assert!(missing.contains("there is no file"), "{missing}");

    let small = std::fs::read(model_path("WALDEN_TEST_SMALL_MODEL")).unwrap();
    let path = folder.path().join("cut.gguf");
    for (bytes, expected) in [
        (small.len() / 2, "is cut short"),
        (1000, "ends after 1000 bytes"),
        (10, "ends after 10 bytes"),
    ] {
        std::fs::write(&path, &small[..bytes]).unwrap();
        let cut = reason(&path);
        assert!(cut.contains(expected), "{bytes}: {cut}");
        assert!(!cut.contains("no reason"), "{bytes}: {cut}");
    }
}

fn sentencepiece() -> (Model, ModelInfo) {
    let mut options = LlamaOptions::new(model_path("WALDEN_TEST_SPM_MODEL"));
    options.context = Some(1024);
    options.threads = Some(1);
    load(options)
}

#[test]
fn a_sentencepiece_vocabulary_writes_any_text() {
    let (model, info) = sentencepiece();
    // It has no chat template: whatever form it likes is read.
    assert_eq!(
        (info.form, info.tools),
        (CallForm::JsonFence, ToolList::Text)
    );
    assert_eq!(info.architecture, "gemma3");
    for text in [" é世🙂  two spaces", "\u{1F9FF}\tfn a() {\n    b\n}", "▁"] {
        let schema = object(json!({"text": {"enum": [text]}}), &["text"]);
        let call = required_call(&model, schema, Sampling::default());
        assert_eq!(call.finish, Finish::Call, "{call:?}");
        assert_eq!(call.calls[0].1["text"], text);
    }
}

#[test]
fn a_sentencepiece_prompt_is_reused_by_its_bytes() {
    let (model, _) = sentencepiece();
    let text = " Leading space, é世🙂,\ttab,\n\n  indented,  two spaces.\n";
    let mut messages = vec![system("Be brief."), user(&text.repeat(4))];
    let first = answer(&model, request(messages.clone(), 8));
    assert_eq!(first.usage.cached, 0);
    messages.push(Message::Assistant { raw: first.raw });
    messages.push(user(text));
    let second = answer(&model, request(messages.clone(), 8));
    assert!(
        second.usage.cached + 8 >= first.usage.prompt,
        "{:?} after {:?}",
        second.usage,
        first.usage
    );
    // What was reused is what would have been evaluated.
    let fresh = answer(&sentencepiece().0, request(messages.clone(), 8));
    assert_eq!((fresh.usage.cached, fresh.raw), (0, second.raw));
    let again = answer(&model, request(messages, 8));
    assert_eq!(again.usage.cached, again.usage.prompt - 1);
}

#[test]
fn the_default_model_calls_a_tool_in_a_fence() {
    let (model, info) = load(LlamaOptions::new(model_path("WALDEN_TEST_MODEL")));
    // Its template shows tools, and asks for another form than the one that it writes.
    assert_eq!(
        (info.form, info.tools),
        (CallForm::JsonFence, ToolList::Text)
    );
    assert_eq!(info.architecture, "qwen2");
    assert_eq!(info.context, 16_384);
    assert!(info.parameters > 1_000_000_000);
    let mut request = request(
        vec![
            system(
                "You work on a repository with these tools:\n\
                 read(path: string): returns a file's text\n\
                 edit(path: string, old: string, new: string): replaces a passage of a file\n\
                 To call a tool, answer with nothing but a json fence:\n\
                 ```json\n{\"name\": \"tool\", \"arguments\": {\"key\": \"value\"}}\n```",
            ),
            user("What does src/main.rs print?"),
        ],
        200,
    );
    let text = json!({"type": "string"});
    request.tools = vec![
        tool("read", object(json!({"path": text}), &["path"])),
        tool(
            "edit",
            object(
                json!({"path": text, "old": text, "new": text}),
                &["path", "old", "new"],
            ),
        ),
    ];
    let read = answer(&model, request.clone());
    assert_eq!(read.finish, Finish::Call, "{read:?}");
    assert_eq!(read.calls[0].0, "read");
    assert_eq!(read.calls[0].1["path"], "src/main.rs");

    // Asked for two files, it may ask for both at once.
    let mut two = request.clone();
    two.messages.pop();
    two.messages.push(user(
        "Read src/main.rs and src/lib.rs. Write both calls now, one after the other, each in a json fence of its own.",
    ));
    let one = answer(&model, two.clone());
    assert_eq!((one.calls.len(), one.finish), (1, Finish::Call), "{one:?}");
    two.sampling.max_calls = 8;
    let both = answer(&model, two.clone());
    assert_eq!(both.finish, Finish::Call, "{both:?}");
    let paths: Vec<&Value> = both.calls.iter().map(|(_, call)| &call["path"]).collect();
    assert_eq!(paths, ["src/main.rs", "src/lib.rs"], "{both:?}");
    assert!(
        both.bad.is_empty() && both.raw.trim_end().ends_with("```"),
        "{both:?}"
    );
    assert_eq!(both.text, one.text);

    // Where calls are not wanted, the same model answers in words.
    request.choice = ToolChoice::None;
    let text = answer(&model, request.clone());
    assert!(
        text.raw.starts_with(char::is_alphabetic) && !text.raw.contains("\"name\""),
        "{text:?}"
    );
    assert_eq!(text.text, text.raw);
    assert!(text.calls.is_empty() && text.bad.is_empty());

    // An edit can only quote what the file holds, in this case the one line that fits.
    let file = "fn main() {\n    let name = \"world\";\n    println!(\"Hello {name}\");\n}\n";
    request.messages.push(Message::Assistant { raw: read.raw });
    request.messages.push(Message::Tool {
        name: "read".to_owned(),
        text: file.to_owned(),
    });
    request
        .messages
        .push(user("Make it greet the moon instead."));
    request.choice = ToolChoice::Required {
        names: vec!["edit".to_owned()],
    };
    request.passages = vec![Passages {
        path: "src/main.rs".to_owned(),
        text: file.into(),
    }];
    let edit = answer(&model, request);
    assert_eq!(edit.finish, Finish::Call, "{edit:?}");
    assert!(edit.bad.is_empty());
    let arguments = &edit.calls[0].1;
    assert_eq!(arguments["path"], "src/main.rs");
    let old = arguments["old"].as_str().unwrap();
    assert!(!old.is_empty() && file.contains(old), "{arguments:?}");
}

#[test]
fn where_a_model_doubts_a_text_it_says_what_it_would_write_instead() {
    let model = small();
    let text = "The sun rises in the west.\nThe sky is blue.\n";
    let west = text.find(" west").expect("it is there");
    let ask = |within: std::ops::Range<usize>, skip, most| {
        let mut request = request(vec![user("Where does the sun rise?")], 64);
        request.doubts = Some(Doubts {
            lead: "It is known:\n".to_owned(),
            text: text.into(),
            within: vec![within],
            skip,
            most,
            rivals: Vec::new(),
        });
        let mut heard = Vec::new();
        let answer = play(&model, request, |event| {
            if let ModelEvent::Departed { departure } = event {
                heard.push(departure.clone());
            }
            false
        });
        (heard, answer.expect("it answers"))
    };
    let (heard, answer) = ask(west..west + 5, 0, 3);
    assert_eq!(heard.len(), 3, "{heard:?}");
    assert!(heard.iter().all(|it| it.at == west), "{heard:?}");
    assert!(
        heard[0].written.starts_with(" east"),
        "the likeliest is what is right: {heard:?}"
    );
    assert!(answer.text.is_empty() && answer.raw.is_empty() && answer.usage.generated > 0);
    let (later, _) = ask(west..west + 5, 1, 2);
    assert_eq!(later, heard[1..], "the first is passed over");
    let (nowhere, _) = ask(0..0, 0, 3);
    assert!(nowhere.is_empty());
    // An ordinary answer after it is what it was before.
    let plain = |model: &Model| {
        let request = request(vec![user("Say hello.")], 16);
        play(model, request, |_| false).expect("it answers").text
    };
    assert_eq!(plain(&model), plain(&small()));
}

#[test]
fn departures_that_are_written_side_by_side_are_those_that_are_written_alone() {
    let (model, _) = small_with(512);
    let text = "The sun rises in the west.\nThe sky is green.\nA day has ten hours.\n";
    let ask = |skip, most| {
        let mut request = request(vec![user("What is known of the world?")], 64);
        request.doubts = Some(Doubts {
            lead: "It is known:\n".to_owned(),
            text: text.into(),
            within: std::iter::once(0..text.len()).collect(),
            skip,
            most,
            rivals: Vec::new(),
        });
        let mut heard = Vec::new();
        play(&model, request, |event| {
            if let ModelEvent::Departed { departure } = event {
                heard.push((departure.at, departure.written.clone()));
            }
            false
        })
        .expect("it answers");
        heard
    };
    // More than there are branches in a window of this size.
    let together = ask(0, 12);
    assert_eq!(together.len(), 12);
    let alone: Vec<_> = (0..12).flat_map(|skip| ask(skip, 1)).collect();
    let places = |heard: &[(usize, String)]| heard.iter().map(|it| it.0).collect::<Vec<_>>();
    assert_eq!(places(&together), places(&alone));
    // Where two tokens are as likely, the order of additions in a batch may decide, sooner or later.
    let begin = |it: &(usize, String)| it.1.chars().take(20).collect::<String>();
    let pairs = together.iter().zip(&alone);
    let same = pairs.filter(|(one, other)| begin(one) == begin(other));
    assert!(same.count() >= 10, "{together:?}\n{alone:?}");
}

#[test]
fn of_lines_that_could_stand_in_each_other_s_place_the_likelier_is_told() {
    let model = small();
    let weigh = |model: &Model, lines: [&str; 3], others: [&str; 2]| {
        let mut rivals = Vec::new();
        let (mut text, mut at) = (String::new(), [0..0, 0..0]);
        for (number, line) in lines.iter().enumerate() {
            let start = text.len();
            text.push_str(line);
            if let Some(place) = number.checked_sub(1) {
                at[place] = start..text.len();
            }
        }
        for (at, other) in at.into_iter().zip(others) {
            let other = other.to_owned();
            rivals.push(walden::protocol::Rival { at, other });
        }
        let mut request = request(vec![user("Tell what is known.")], 64);
        request.doubts = Some(Doubts {
            lead: "It is known:\n".to_owned(),
            text: text.into(),
            within: Vec::new(),
            skip: 0,
            most: 0,
            rivals,
        });
        let mut heard = [f32::NAN; 2];
        let answer = play(model, request, |event| {
            if let ModelEvent::Weighed { rival, likelier } = event {
                heard[*rival] = *likelier;
            }
            false
        });
        let answer = answer.expect("it answers");
        assert!(answer.raw.is_empty() && answer.usage.generated == 0);
        heard
    };
    let first = "The sky is blue, and the grass is green.\n";
    let [east, west] = [
        "The sun rises in the east.\n",
        "The sun rises in the west.\n",
    ];
    let [seven, nine] = ["A week has seven days.\n", "A week has nine days.\n"];
    let wrong = weigh(&model, [first, west, nine], [east, seven]);
    assert!(wrong.iter().all(|it| *it > 0.3), "{wrong:?}");
    let right = weigh(&model, [first, east, seven], [west, nine]);
    assert!(right.iter().all(|it| *it < -0.3), "{right:?}");
    // The first place has the same lines around it both times: it is the same ratio, the other way round.
    assert!((wrong[0] + right[0]).abs() < 1.0, "{wrong:?} {right:?}");
}

#[test]
fn a_text_that_does_not_fit_is_not_doubted() {
    let (model, _) = small_with(512);
    let mut request = request(vec![user("Go on.")], 64);
    let text = long_text(60);
    request.doubts = Some(Doubts {
        lead: String::new(),
        within: std::iter::once(0..text.len()).collect(),
        text: text.into(),
        skip: 0,
        most: 1,
        rivals: Vec::new(),
    });
    let failure = play(&model, request, |_| false).expect_err("it does not fit");
    assert!(
        matches!(failure, ModelFailure::ContextFull { .. }),
        "{failure:?}"
    );
}
