//! Evaluating ahead, against real models: it changes what an answer costs, never what it says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use serde_json::json;
use tokio::sync::mpsc;
use walden::model::Model;
use walden::model::llama::{LlamaOptions, spawn};
use walden::model::speculate::Speculation;
use walden::protocol::{
    Finish, GenerationId, Lane, Message, ModelEvent, ModelRequest, Passages, Risk, Sampling,
    ToolChoice, ToolSpec, Usage,
};

fn model_path(variable: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => path.into(),
        None => panic!("`{variable}` names no model file: run `make test`, which sets it"),
    }
}

fn small(speculation: Speculation) -> Model {
    small_drafted_by(None, speculation).0
}

/// Loads the small model, perhaps with a draft model, and returns what it has to tell of it.
fn small_drafted_by(draft: Option<PathBuf>, speculation: Speculation) -> (Model, Vec<String>) {
    let mut options = LlamaOptions::new(model_path("WALDEN_TEST_SMALL_MODEL"));
    options.context = Some(4096);
    options.threads = Some(1);
    options.speculation = speculation;
    options.draft = draft;
    let (state, mut states) = mpsc::unbounded_channel();
    let model = spawn(options, state);
    let mut notices = Vec::new();
    loop {
        match states.blocking_recv() {
            Some(ModelEvent::Loading { .. }) => {}
            Some(ModelEvent::Notice { text }) => notices.push(text),
            Some(ModelEvent::Loaded { .. }) => return (model, notices),
            other => panic!("the model did not load: {other:?}"),
        }
    }
}

fn request(text: &str, max_tokens: u32) -> ModelRequest {
    let text = text.to_owned();
    ModelRequest {
        id: GenerationId(1),
        messages: vec![Message::User { text }],
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

#[derive(Debug, PartialEq)]
struct Answer {
    raw: String,
    calls: Vec<serde_json::Map<String, serde_json::Value>>,
    finish: Finish,
    usage: Usage,
}

/// Plays a request to its end; `watch` sees each event and says when to cancel.
fn play(
    model: &Model,
    request: ModelRequest,
    mut watch: impl FnMut(&ModelEvent) -> bool,
) -> Answer {
    let mut generation = model.generate(request);
    let mut calls = Vec::new();
    while let Some(event) = generation.events.blocking_recv() {
        if watch(&event) {
            generation.cancel.cancel();
        }
        match event {
            ModelEvent::Call { arguments, .. } => calls.push(arguments),
            ModelEvent::BadCall { problem, .. } => panic!("{problem}"),
            ModelEvent::Failed { failure } => panic!("{failure}"),
            ModelEvent::Done { raw, finish, usage } => {
                return Answer {
                    raw,
                    calls,
                    finish,
                    usage,
                };
            }
            _ => {}
        }
    }
    panic!("the events ended without `Done` or `Failed`");
}

fn answer(model: &Model, request: ModelRequest) -> Answer {
    play(model, request, |_| false)
}

const COUNTING: &str = "Go on with this list, one line for each number:\n\nitem one of the list is number 1\n\
    item two of the list is number 2\nitem three of the list is number 3\nitem four of the list is number 4\n";

const REPEATING: &str = "Repeat exactly: the quick brown fox jumps over the lazy dog, and the lazy dog sleeps; \
    the quick brown fox jumps over the lazy dog, and the lazy dog sleeps.";

#[test]
fn a_draft_model_changes_no_word_and_is_asked_again_in_the_next_turn() {
    let plain = small(Speculation::Off);
    // A model that drafts for itself: what it drafts is right but for rounding.
    let itself = model_path("WALDEN_TEST_SMALL_MODEL");
    let (drafted, notices) = small_drafted_by(Some(itself), Speculation::Drafted(4));
    assert_eq!(notices, Vec::<String>::new());
    let (mut all, mut right) = (0, 0);
    for text in ["Write ten lines about the sea.", COUNTING] {
        let expected = answer(&plain, request(text, 48));
        let found = answer(&drafted, request(text, 48));
        assert_eq!(found.raw, expected.raw);
        all += found.usage.guessed;
        right += found.usage.guessed_right;
    }
    assert!(all >= 32 && right * 2 > all, "{right} of {all} right");
}

#[test]
fn a_draft_model_of_another_family_is_told_of_and_not_used() {
    let other = model_path("WALDEN_TEST_SPM_MODEL");
    let (model, notices) = small_drafted_by(Some(other), Speculation::Drafted(4));
    assert!(
        matches!(&notices[..], [notice] if notice.contains("only a smaller model of the same family")),
        "{notices:?}"
    );
    let found = answer(&model, request("Name a colour.", 8));
    assert_eq!(found.usage.guessed, 0);

    let (_, notices) = small_drafted_by(Some("no such file.gguf".into()), Speculation::Adaptive);
    assert!(
        notices[0].starts_with("The draft model is not used: "),
        "{notices:?}"
    );
}

#[test]
fn guessing_does_not_change_a_greedy_answer() {
    let plain = small(Speculation::Off);
    let guessing: Vec<(usize, Model)> = [1, 7, 63]
        .map(|most| (most, small(Speculation::Fixed(most))))
        .into();
    for text in [COUNTING, REPEATING] {
        let expected = answer(&plain, request(text, 96));
        assert_eq!(
            (expected.usage.guessed, expected.usage.guessed_right),
            (0, 0)
        );
        for (most, model) in &guessing {
            let found = answer(model, request(text, 96));
            assert_eq!(found.raw, expected.raw, "with guesses of {most}");
            assert_eq!(found.finish, expected.finish);
            assert_eq!(found.usage.generated, expected.usage.generated);
            assert!(found.usage.guessed_right > 0, "{:?}", found.usage);
            assert!(found.usage.guessed_right <= found.usage.guessed);
        }
    }
}

#[test]
fn guessing_draws_the_same_tokens_by_chance() {
    let drawn = |model: &Model| {
        let mut request = request(REPEATING, 64);
        request.sampling.temperature = 0.6;
        request.sampling.seed = 3;
        answer(model, request)
    };
    let (plain, guessing) = (
        drawn(&small(Speculation::Off)),
        drawn(&small(Speculation::Fixed(7))),
    );
    assert_eq!(guessing.raw, plain.raw);
    assert!(guessing.usage.guessed > 0);
}

#[test]
fn what_was_guessed_wrongly_is_not_in_the_cache() {
    for most in [5, 63] {
        let model = small(Speculation::Fixed(most));
        let first = answer(&model, request(COUNTING, 80));
        assert!(first.usage.guessed > first.usage.guessed_right);
        let mut next = request(COUNTING, 4);
        let raw = first.raw.clone();
        next.messages.push(Message::Assistant { raw });
        next.messages.push(Message::User {
            text: "Thanks.".to_owned(),
        });
        let second = answer(&model, next.clone());
        // All of the first answer is known, but for its last token where the limit came before it was evaluated.
        let known = first.usage.prompt + first.usage.generated;
        let cut = u32::from(first.finish == Finish::Length);
        assert!(
            (known - cut..=known).contains(&second.usage.cached),
            "{first:?} {second:?}"
        );
        let fresh = answer(&small(Speculation::Off), next);
        assert_eq!(second.raw, fresh.raw);
        assert_eq!(second.usage.prompt, fresh.usage.prompt);
    }
}

#[test]
fn a_cancelled_guess_leaves_the_engine_as_good_as_new() {
    const STORY: &str = "Tell me a long story about a river, a river and another river.";
    let model = small(Speculation::Fixed(31));
    let mut guessed = 0;
    for texts in [5, 20, 60] {
        let mut seen = 0;
        let cancelled = play(&model, request(STORY, 400), |event| {
            seen += usize::from(matches!(event, ModelEvent::Text { .. }));
            seen == texts
        });
        assert_eq!(cancelled.finish, Finish::Cancelled);
        guessed += cancelled.usage.guessed;
    }
    assert!(guessed > 0);
    let again = answer(&model, request(STORY, 48));
    let plain = answer(&small(Speculation::Off), request(STORY, 48));
    assert_eq!(again.raw, plain.raw);
    assert_eq!(again.usage.cached, again.usage.prompt - 1);
}

#[test]
fn guesses_inside_of_a_call_keep_to_its_schema_and_its_passages() {
    let file = "def count_words(text):\n    words = text.split()\n    return len(words)\n\n\n\
        def count_lines(text):\n    lines = text.splitlines()\n    return len(lines)\n";
    let schema = json!({"type": "object", "properties": {"path": {"type": "string"}, "old": {"type": "string"},
        "new": {"type": "string", "maxLength": 120}}, "required": ["path", "old", "new"]});
    let edit = |model: &Model| {
        let mut request = request(
            &format!(
                "This is `a.py`:\n{file}\nRename count_words to tally_words with the tool `edit`."
            ),
            300,
        );
        request.tools = vec![ToolSpec {
            server: "test".to_owned(),
            name: "edit".to_owned(),
            tool: "edit".to_owned(),
            description: String::new(),
            schema: schema.clone(),
            risk: Risk::Edit,
            previews: false,
        }];
        request.choice = ToolChoice::Required {
            names: vec!["edit".to_owned()],
        };
        request.passages = vec![Passages {
            path: "a.py".to_owned(),
            text: file.into(),
        }];
        answer(model, request)
    };
    let plain = edit(&small(Speculation::Off));
    for most in [3, 15, 63] {
        let guessing = edit(&small(Speculation::Fixed(most)));
        assert_eq!(guessing.raw, plain.raw, "with guesses of {most}");
        assert_eq!(guessing.finish, Finish::Call);
        let old = guessing.calls[0]["old"].as_str().unwrap();
        assert!(!old.is_empty() && file.contains(old), "{guessing:?}");
        assert!(guessing.usage.guessed_right > 0, "{:?}", guessing.usage);
    }
}

#[test]
fn the_window_is_not_overrun_by_guesses() {
    let mut options = LlamaOptions::new(model_path("WALDEN_TEST_SMALL_MODEL"));
    options.context = Some(256);
    options.threads = Some(1);
    options.speculation = Speculation::Fixed(63);
    let (state, _states) = mpsc::unbounded_channel();
    let model = spawn(options, state);
    let answer = answer(&model, request(COUNTING, 4000));
    if answer.finish == Finish::Length {
        assert_eq!(answer.usage.prompt + answer.usage.generated, 256);
    }
}
