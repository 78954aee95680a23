//! What the engine does when something goes wrong inside it, or is asked for what nobody would.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tokio::sync::mpsc;

use super::native::Fault;
use super::{LlamaOptions, spawn};
use crate::model::Model;
use crate::protocol::{
    CallForm, Finish, GenerationId, Known, KnownKind, KvType, Message, ModelEvent, ModelFailure,
    ModelInfo, ModelRequest, Passages, Risk, Sampling, ToolChoice, ToolSpec, Usage, WeightLayout,
};

pub(super) fn options() -> LlamaOptions {
    let path = std::env::var_os("WALDEN_TEST_SMALL_MODEL")
        .unwrap_or_else(|| panic!("run `make test`, which names a small model"));
    LlamaOptions {
        context: Some(512),
        threads: Some(1),
        ..LlamaOptions::new(path)
    }
}

pub(super) fn load(options: LlamaOptions) -> Result<(Model, ModelInfo), ModelFailure> {
    let (state, mut states) = mpsc::unbounded_channel();
    let model = spawn(options, state);
    loop {
        match states.blocking_recv().unwrap() {
            ModelEvent::Loaded { info } => return Ok((model, info)),
            ModelEvent::Failed { failure } => return Err(failure),
            _ => {}
        }
    }
}

pub(super) fn request(text: &str, sampling: Sampling) -> ModelRequest {
    ModelRequest {
        id: GenerationId(1),
        messages: vec![Message::User {
            text: text.to_owned(),
        }],
        tools: Vec::new(),
        choice: ToolChoice::Auto,
        sampling,
        passages: Vec::new(),
        known: Vec::new(),
        lane: crate::protocol::Lane::Main,
        unlisted: 0,
        doubts: None,
    }
}

pub(super) fn few(max_tokens: u32) -> Sampling {
    Sampling {
        max_tokens,
        ..Sampling::default()
    }
}

pub(super) fn answer(
    model: &Model,
    request: ModelRequest,
) -> Result<(String, Finish, Usage), ModelFailure> {
    let mut generation = model.generate(request);
    loop {
        match generation.events.blocking_recv().unwrap() {
            ModelEvent::Done { raw, finish, usage } => return Ok((raw, finish, usage)),
            ModelEvent::Failed { failure } => return Err(failure),
            _ => {}
        }
    }
}

#[test]
fn a_fault_of_the_engine_is_told_and_the_next_answer_is_as_good_as_ever() {
    let (whole, _) = load(options()).unwrap();
    let asked = || request("Name a river.", few(6));
    let expected = answer(&whole, asked()).unwrap().0;
    for (fault, said) in [
        (Fault::Decode { after: 0, code: -3 }, "code -3"),
        (Fault::Decode { after: 2, code: -2 }, "code -2"),
        (
            Fault::Logits {
                after: 0,
                number: f32::NAN,
            },
            "it computed no usable numbers",
        ),
        (
            Fault::Logits {
                after: 2,
                number: f32::INFINITY,
            },
            "it computed no usable numbers",
        ),
    ] {
        let (model, _) = load(LlamaOptions {
            fault: Some(fault),
            ..options()
        })
        .unwrap();
        match answer(&model, asked()) {
            Err(ModelFailure::Engine { message }) => {
                assert!(message.contains(said), "{fault:?}: {message}");
            }
            other => panic!("{fault:?}: {other:?}"),
        }
        let (raw, _, _) = answer(&model, asked()).unwrap();
        assert_eq!(raw, expected, "{fault:?}");
    }
}

fn tool(name: &str, properties: &serde_json::Value) -> ToolSpec {
    let required: Vec<&String> = properties.as_object().unwrap().keys().collect();
    ToolSpec {
        server: "test".to_owned(),
        name: name.to_owned(),
        tool: name.to_owned(),
        description: String::new(),
        schema: serde_json::json!({"type": "object", "properties": properties, "required": required}),
        risk: Risk::Read,
        previews: false,
    }
}

#[test]
fn weights_of_any_kind_write_every_form_and_name_only_what_is_there() {
    let marked = |kind: &str| serde_json::json!({"type": "string", "x-walden-known": kind});
    let text = serde_json::json!({"type": "string"});
    let tools = [
        tool("read", &serde_json::json!({"path": marked("file")})),
        tool("git_show", &serde_json::json!({"revision": marked("ref")})),
        tool("recall", &serde_json::json!({"who": marked("entity")})),
        tool("cut", &serde_json::json!({"path": text, "old": text})),
    ];
    let lists = [
        (KnownKind::File, vec!["docs/café.md", "src/main.rs"]),
        (KnownKind::GitRef, vec!["feature/login", "main", "v1.0"]),
        (
            KnownKind::Entity,
            vec!["Ada Lovelace", "the \"big\" server"],
        ),
    ];
    let file = "fn main() {\n    one();\n    two();\n    one();\n}\n";
    // JSON with the name in it is what the other tests write.
    let forms = CallForm::ALL.into_iter().filter(|form| {
        use CallForm::{BareJson, JsonFence, ToolCallTag, ToolCallToken, ToolCallsToken};
        !matches!(
            form,
            BareJson | JsonFence | ToolCallTag | ToolCallToken | ToolCallsToken
        )
    });
    for form in forms {
        let (model, info) = load(LlamaOptions {
            form: Some(form),
            ..options()
        })
        .unwrap();
        assert_eq!(info.form, form);
        for (index, tool) in tools.iter().enumerate() {
            // Each of them is asked for what is not there.
            let question =
                "Read lib.rs, show the branch `develop`, tell about Grace, and cut three().";
            let mut request = request(question, few(120));
            request.sampling.temperature = 1.2;
            request.tools = tools.to_vec();
            request.choice = ToolChoice::Required {
                names: vec![tool.name.clone()],
            };
            request.known = lists
                .iter()
                .map(|(kind, names)| Known {
                    kind: *kind,
                    names: names.iter().map(|name| (*name).to_owned()).collect(),
                })
                .collect();
            request.passages = vec![Passages {
                path: "src/main.rs".to_owned(),
                text: file.into(),
            }];
            let mut generation = model.generate(request);
            let mut call = None;
            while let Some(event) = generation.events.blocking_recv() {
                if let ModelEvent::Call { name, arguments } = event {
                    assert_eq!(name, tool.name);
                    call = Some(arguments);
                } else if let ModelEvent::BadCall { .. } | ModelEvent::Failed { .. } = event {
                    panic!("{form:?}: {event:?}");
                }
            }
            let call = call.unwrap_or_else(|| panic!("{form:?}: no call of `{}`", tool.name));
            if tool.name == "cut" {
                assert_eq!(call["path"], "src/main.rs");
                let old = call["old"].as_str().unwrap();
                assert_eq!(file.matches(old).count(), 1, "{form:?}: {old:?}");
            } else {
                let named = call
                    .values()
                    .next()
                    .and_then(|value| value.as_str())
                    .unwrap();
                assert!(lists[index].1.contains(&named), "{form:?}: {named:?}");
            }
        }
    }
}

#[test]
fn what_nobody_would_ask_for_is_answered_all_the_same() {
    let (model, _) = load(options()).unwrap();
    // Nothing to say, and nothing said.
    let (_, finish, _) = answer(&model, request("", few(3))).unwrap();
    assert!(matches!(finish, Finish::Length | Finish::Stop));
    let mut nothing = request("", few(3));
    nothing.messages.clear();
    // A template may refuse to render no messages; the engine goes on in any case.
    let _ = answer(&model, nothing);
    // No token may be written.
    let (raw, finish, usage) = answer(&model, request("Name a river.", few(0))).unwrap();
    assert_eq!(
        (raw.as_str(), finish, usage.generated),
        ("", Finish::Length, 0)
    );
    for (temperature, top_p) in [
        (f32::NAN, f32::NAN),
        (f32::INFINITY, -1.0),
        (-5.0, 7.0),
        (1e-45, 0.0),
    ] {
        let sampling = Sampling {
            temperature,
            top_p,
            top_k: u32::MAX,
            seed: u32::MAX,
            max_tokens: 3,
            max_calls: 1,
        };
        let (_, _, usage) = answer(&model, request("Name a river.", sampling)).unwrap();
        assert!(usage.generated <= 3);
    }
}

#[test]
fn small_windows_work_down_to_the_least_and_say_when_they_are_full() {
    for window in [256, 300, 512] {
        let (model, info) = load(LlamaOptions {
            context: Some(window),
            ..options()
        })
        .unwrap();
        assert!((window..=512).contains(&info.context), "{}", info.context);
        // Written to the end of the window, and no further.
        let (_, finish, usage) = answer(&model, request("Count for ever.", few(u32::MAX))).unwrap();
        assert!(matches!(finish, Finish::Length | Finish::Stop));
        assert!(usage.prompt + usage.generated <= info.context);
        let full = answer(&model, request(&"river ".repeat(600), few(5)));
        assert!(
            matches!(full, Err(ModelFailure::ContextFull { context, .. }) if context == info.context),
            "{full:?}"
        );
    }
    let refused = load(LlamaOptions {
        context: Some(10),
        ..options()
    })
    .err();
    match refused {
        Some(ModelFailure::Load { message }) => {
            assert!(message.contains("256 are the least"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_loaded_model_says_what_memory_it_takes() {
    let (_, info) = load(options()).unwrap();
    // 30 layers of 3 heads with 64 numbers each, for keys and for values, in two bytes.
    assert_eq!(info.memory.kv, 512 * 30 * 2 * 3 * 64 * 2);
    assert_eq!((info.memory.layers, info.memory.gpu_layers), (30, 0));
    assert!(info.memory.weights > 90_000_000 && info.memory.compute > 0);
    let (model, small) = load(LlamaOptions {
        kv: KvType::Q8_0,
        ..options()
    })
    .unwrap();
    assert_eq!(small.memory.kv, info.memory.kv / 64 * 34);
    assert!(answer(&model, request("Name a river.", few(3))).is_ok());
}

#[test]
fn weights_as_they_are_in_the_file_say_the_same() {
    let said = [WeightLayout::Packed, WeightLayout::Mapped].map(|layout| {
        let (model, _) = load(LlamaOptions {
            layout,
            ..options()
        })
        .unwrap();
        // Longer than what is evaluated token by token, so that both kinds of arithmetic have a part in it.
        let question = "Count slowly from one to ten, in words. ".repeat(4);
        answer(&model, request(&question, few(6))).unwrap().0
    });
    assert!(!said[0].is_empty());
    assert_eq!(said[0], said[1]);
}

#[test]
fn a_model_that_the_memory_does_not_hold_is_not_loaded() {
    let refused = load(LlamaOptions {
        memory: Some(100_000_000),
        ..options()
    })
    .err();
    match refused {
        Some(ModelFailure::Load { message }) => {
            assert!(message.contains("and 100.0 MB are free"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}
