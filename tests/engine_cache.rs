//! What the engine keeps of evaluated prompts, against real models: sequences, states on the disk, and preparation.
//! Everything is counted in tokens; nothing is timed.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads and lays its own files"
)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use tokio::sync::mpsc;
use walden::agent::system_text;
use walden::model::Model;
use walden::model::llama::{LlamaOptions, clear_snapshots, spawn};
use walden::protocol::{
    CallForm, Finish, GenerationId, KvType, Lane, Message, ModelEvent, ModelFailure, ModelRequest,
    Sampling, ToolChoice, Usage,
};

fn model_path(variable: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => path.into(),
        None => panic!("`{variable}` names no model file: run `make test`, which sets it"),
    }
}

fn small_options(context: u32) -> LlamaOptions {
    let mut options = LlamaOptions::new(model_path("WALDEN_TEST_SMALL_MODEL"));
    options.context = Some(context);
    // The tests run side by side, and ggml's threads wait for each other by spinning.
    options.threads = Some(1);
    options
}

fn load(options: LlamaOptions) -> Model {
    let (state, mut states) = mpsc::unbounded_channel();
    let model = spawn(options, state);
    loop {
        match states.blocking_recv() {
            Some(ModelEvent::Loading { .. }) => {}
            Some(ModelEvent::Loaded { .. }) => return model,
            other => panic!("the model did not load: {other:?}"),
        }
    }
}

/// Ends a model, with what it keeps put away.
fn close(model: Model) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(model.close());
}

fn request(messages: &[Message], max_tokens: u32) -> ModelRequest {
    ModelRequest {
        id: GenerationId(1),
        messages: messages.to_vec(),
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

fn side(messages: &[Message], max_tokens: u32) -> ModelRequest {
    ModelRequest {
        lane: Lane::Side,
        unlisted: 0,
        doubts: None,
        ..request(messages, max_tokens)
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

fn assistant(raw: &str) -> Message {
    Message::Assistant {
        raw: raw.to_owned(),
    }
}

fn log(lines: std::ops::Range<usize>) -> String {
    lines
        .map(|n| format!("Line {n} of the log says that worker {} is idle.\n", n % 7))
        .collect()
}

#[derive(Debug, PartialEq)]
struct Answer {
    raw: String,
    finish: Finish,
    usage: Usage,
}

impl Answer {
    /// Returns how many tokens of the prompt were evaluated.
    fn evaluated(&self) -> u32 {
        self.usage.prompt - self.usage.cached
    }
}

fn play(model: &Model, request: ModelRequest) -> Result<Answer, ModelFailure> {
    let mut generation = model.generate(request);
    while let Some(event) = generation.events.blocking_recv() {
        match event {
            ModelEvent::Failed { failure } => return Err(failure),
            ModelEvent::Done { raw, finish, usage } => return Ok(Answer { raw, finish, usage }),
            _ => {}
        }
    }
    panic!("the events ended without `Done` or `Failed`");
}

fn answer(model: &Model, request: ModelRequest) -> Answer {
    match play(model, request) {
        Ok(answer) => answer,
        Err(failure) => panic!("{failure}"),
    }
}

/// Prepares a prompt, and waits until that is done.
fn prepare(model: &Model, messages: &[Message]) {
    // The sender is dropped without a word.
    assert!(model.prepare(request(messages, 1)).blocking_recv().is_err());
}

#[test]
fn a_side_request_uses_the_conversation_and_leaves_it_alone() {
    let model = load(small_options(2048));
    let mut talk = vec![system("You are brief."), user(&log(0..12))];
    let first = answer(&model, request(&talk, 24));
    talk.push(assistant(&first.raw));
    // A title: the conversation so far, and another question at its end.
    let mut title = talk.clone();
    title.push(user("Write a title of three words."));
    let aside = answer(&model, side(&title, 16));
    assert!(
        aside.usage.cached >= first.usage.prompt && aside.evaluated() < 40,
        "{aside:?}"
    );
    // Something else altogether, and the title once more: the lanes of both are kept.
    let other = answer(&model, side(&[user("Say hi.")], 4));
    assert!(other.evaluated() > 5);
    assert_eq!(answer(&model, side(&title, 16)).evaluated(), 1);
    assert_eq!(answer(&model, side(&[user("Say hi.")], 4)).raw, other.raw);

    talk.push(user("And now?"));
    let second = answer(&model, request(&talk, 24));
    let known = first.usage.prompt + first.usage.generated;
    assert!(second.usage.cached + 1 >= known, "{second:?} after {known}");
    // As if there had been no side requests.
    let alone = load(small_options(2048));
    answer(&alone, request(&talk[..2], 24));
    let undisturbed = answer(&alone, request(&talk, 24));
    assert_eq!(second.raw, undisturbed.raw);
    assert_eq!(second.usage.cached, undisturbed.usage.cached);
    // And a side answer is what the same request gets as a conversation.
    assert_eq!(
        answer(&load(small_options(2048)), request(&title, 16)).raw,
        aside.raw
    );
}

#[test]
fn a_side_request_without_room_fails_and_the_conversation_stays() {
    let model = load(small_options(512));
    let talk = vec![user(&log(0..17))];
    let first = answer(&model, request(&talk, 4));
    assert!(first.usage.prompt > 250, "{first:?}");
    let failure = play(&model, side(&[user(&log(40..55))], 4)).unwrap_err();
    assert!(
        matches!(failure, ModelFailure::ContextFull { needed, context: 512 } if needed > 512),
        "{failure:?}"
    );
    let again = answer(&model, request(&talk, 4));
    assert_eq!((again.evaluated(), &again.raw), (1, &first.raw));
    // A short one fits, ends where the window ends, and makes room when the conversation needs it.
    let mut long = side(&[user("Count from one to a thousand.")], 4000);
    long.sampling.temperature = 1.2;
    let long = answer(&model, long);
    assert!(
        first.usage.prompt + long.evaluated() + long.usage.generated <= 512,
        "{long:?}"
    );
    let again = answer(&model, request(&talk, 4));
    assert_eq!(again.evaluated(), 1);
    let mut more = talk;
    more.push(assistant(&first.raw));
    more.push(user(&log(70..74)));
    let last = answer(&model, request(&more, 4));
    assert!(last.usage.cached >= first.usage.prompt);
}

#[test]
fn a_second_start_loads_what_the_first_one_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let options = |kv: KvType| LlamaOptions {
        snapshots: Some(folder.path().join("states")),
        kv,
        ..small_options(2048)
    };
    let mut talk = vec![system(&log(0..20)), user("What is line 3 about?")];
    let model = load(options(KvType::F16));
    let first = answer(&model, request(&talk, 24));
    assert_eq!(first.usage.cached, 0);
    close(model);
    let kept = || {
        std::fs::read_dir(folder.path().join("states"))
            .unwrap()
            .count()
    };
    assert_eq!(kept(), 1);

    // Resumed: only what is new is evaluated, and the answer is what it would have been.
    talk.push(assistant(&first.raw));
    talk.push(user("And line 5?"));
    let model = load(options(KvType::F16));
    let resumed = answer(&model, request(&talk, 24));
    let known = first.usage.prompt + first.usage.generated;
    assert!(
        resumed.usage.cached + 1 >= known,
        "{resumed:?} after {known}"
    );
    drop(model);
    let alone = load(small_options(2048));
    answer(&alone, request(&talk[..2], 24));
    assert_eq!(answer(&alone, request(&talk, 24)).raw, resumed.raw);

    // Another session of the same kind has the beginning in common.
    let other = [talk[0].clone(), user("Which worker is idle in line 9?")];
    let model = load(options(KvType::F16));
    let begun = answer(&model, request(&other, 24));
    assert!(
        begun.usage.cached > 250 && begun.evaluated() < 30,
        "{begun:?}"
    );
    assert_eq!(answer(&alone, request(&other, 24)).raw, begun.raw);
    drop(model);

    // Another setup cannot use it, and does not remove it.
    let model = load(options(KvType::Q8_0));
    assert_eq!(answer(&model, request(&other, 4)).usage.cached, 0);
    drop(model);

    // Nor can anybody use a damaged one: it is gone, and the answer is as ever.
    damage(&folder.path().join("states"));
    let model = load(options(KvType::F16));
    let cold = answer(&model, request(&other, 24));
    assert_eq!((cold.usage.cached, &cold.raw), (0, &begun.raw));
    close(model);
    assert!(clear_snapshots(&folder.path().join("states")).unwrap() > 1 << 20);
    let model = load(options(KvType::F16));
    assert_eq!(answer(&model, request(&other, 4)).usage.cached, 0);
}

#[test]
fn what_every_session_begins_with_is_kept_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let options = || LlamaOptions {
        snapshots: Some(folder.path().to_owned()),
        ..small_options(1024)
    };
    let kept = || std::fs::read_dir(folder.path()).unwrap().count();
    let opening = system(&log(0..9));
    let model = load(options());
    answer(&model, request(&[opening.clone(), user(&log(20..40))], 4));
    close(model);
    assert_eq!(kept(), 1);
    // The next session need not read a whole conversation for its beginning, but for this once.
    let model = load(options());
    prepare(&model, &[opening.clone(), user("")]);
    close(model);
    assert_eq!(kept(), 2);
    let model = load(options());
    let begun = answer(&model, request(&[opening, user("Say hi.")], 4));
    assert!(
        begun.usage.cached > 130 && begun.evaluated() < 15,
        "{begun:?}"
    );
}

/// Turns a bit in the middle of each file of a folder.
fn damage(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
}

#[test]
fn an_eight_bit_cache_answers_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let options = || LlamaOptions {
        snapshots: Some(folder.path().to_owned()),
        kv: KvType::Q8_0,
        ..small_options(1024)
    };
    let talk = [system(&log(0..10)), user("Name the first worker.")];
    let model = load(options());
    let first = answer(&model, request(&talk, 16));
    assert!(first.usage.generated > 1);
    close(model);
    let again = answer(&load(options()), request(&talk, 16));
    assert_eq!((again.evaluated(), &again.raw), (1, &first.raw));
}

#[test]
fn a_model_that_cannot_forget_goes_back_to_a_checkpoint() {
    let model = load(stubborn());
    // What it says without anything to go back to. The comparison holds to the last bit, since the same tokens are
    // evaluated in the same batches.
    let cold = |messages: &[Message], tokens| answer(&load(stubborn()), request(messages, tokens));
    let talk = [system(&log(0..12)), user("What is line 3 about?")];
    let first = answer(&model, request(&talk, 24));
    // The same prompt again: back to where the answer began.
    let again = answer(&model, request(&talk, 24));
    assert_eq!(again.raw, first.raw);
    assert!(again.evaluated() < 6, "{again:?}");
    // Another question in its place: back to where the question began.
    let other = [talk[0].clone(), user("Which worker is in line 9?")];
    let changed = answer(&model, request(&other, 24));
    assert_eq!(changed.raw, cold(&other, 24).raw);
    assert!(changed.evaluated() < 30, "{changed:?}");
    // What goes on needs none.
    let mut talk = other.to_vec();
    talk.push(assistant(&changed.raw));
    talk.push(user("And in line 10?"));
    let next = answer(&model, request(&talk, 24));
    assert!(next.usage.cached + 1 >= changed.usage.prompt + changed.usage.generated);
    // A fork from before the end takes a checkpoint along, and leaves the conversation as it is.
    let aside = [other[0].clone(), user("Write a title of three words.")];
    let title = answer(&model, side(&aside, 12));
    assert_eq!(title.raw, cold(&aside, 12).raw);
    assert!(title.evaluated() < 30, "{title:?}");
    let again = answer(&model, request(&talk, 24));
    assert_eq!(again.raw, next.raw);
    assert!(again.evaluated() < 6, "{again:?}");
}

/// A model that cannot forget a part of what it evaluated.
fn stubborn() -> LlamaOptions {
    LlamaOptions {
        refuse_cuts: true,
        ..small_options(2048)
    }
}

#[test]
fn a_sliding_window_goes_back_within_itself_and_to_a_checkpoint_beyond() {
    let options = || LlamaOptions {
        whole_window: false,
        context: Some(4096),
        threads: Some(1),
        ..LlamaOptions::new(model_path("WALDEN_TEST_WINDOW_MODEL"))
    };
    let folder = tempfile::tempdir().unwrap();
    let kept = || LlamaOptions {
        snapshots: Some(folder.path().to_owned()),
        ..options()
    };
    let model = load(kept());
    let begin = [system(&log(0..14)), user("Line 3 says that worker")];
    let first = answer(&model, request(&begin, 8));
    assert!(first.usage.prompt > 250, "{first:?}");
    // Far beyond the window of 512 tokens, and what there is room for beside it.
    let mut talk = begin.to_vec();
    talk.push(assistant(&first.raw));
    talk.push(user(&log(20..150)));
    let far = answer(&model, request(&talk, 8));
    assert!(
        far.evaluated() > 1900 && far.usage.cached + 1 >= first.usage.prompt,
        "{far:?}"
    );
    // A little back: the window is still there.
    let near = answer(&model, request(&talk, 8));
    assert_eq!(near.raw, far.raw);
    assert!(near.evaluated() < 40, "{near:?}");
    // A conversation that long is kept, and gone on with.
    close(model);
    let model = load(kept());
    talk.push(assistant(&far.raw));
    talk.push(user("Line 5 says that worker"));
    let resumed = answer(&model, request(&talk, 3));
    assert!(resumed.evaluated() < 40, "{resumed:?}");
    // Far back: what the window forgot must not be taken for known.
    let other = [begin[0].clone(), user("Line 9 says that worker")];
    let anew = answer(&model, request(&other, 3));
    assert_eq!(anew.usage.cached, 0);
    drop(model);
    // Where a checkpoint has what the window held then, that is where it goes on.
    let prepared = || {
        let model = load(options());
        prepare(&model, &[begin[0].clone(), user("")]);
        model
    };
    let model = prepared();
    answer(&model, request(&talk, 3));
    let back = answer(&model, request(&other, 3));
    assert!(back.usage.cached > 200, "{back:?}");
    assert_eq!(back.raw, answer(&prepared(), request(&other, 3)).raw);
}

#[test]
fn a_stopped_answer_of_a_model_that_cannot_forget_costs_only_the_answer() {
    let model = load(stubborn());
    let talk = [system(&log(0..12)), user("Tell me a long story.")];
    let mut generation = model.generate(request(&talk, 400));
    let mut texts = 0;
    while let Some(event) = generation.events.blocking_recv() {
        texts += usize::from(matches!(event, ModelEvent::Text { .. }));
        if texts == 3 {
            generation.cancel.cancel();
        }
    }
    let again = answer(&model, request(&talk, 16));
    assert!(again.evaluated() < 10, "{again:?}");
    assert_eq!(again.raw, answer(&load(stubborn()), request(&talk, 16)).raw);
}

#[test]
fn a_prepared_prompt_is_there_when_it_is_asked_for() {
    let model = load(small_options(2048));
    let opening = system(&log(0..15));
    prepare(&model, &[opening.clone(), user("")]);
    let draft = format!("Please look at this:\n{}and tell me who is", log(20..30));
    prepare(&model, &[opening.clone(), user(&draft)]);
    // Sent as it was written ahead, and then some.
    let sent = [opening.clone(), user(&format!("{draft} idle"))];
    let first = answer(&model, request(&sent, 16));
    assert!(
        first.evaluated() < 12 && first.usage.prompt > 350,
        "{first:?}"
    );
    let fresh = load(small_options(2048));
    let cold = answer(&fresh, request(&sent, 16));
    // The same tokens: what was prepared is cut where the tokenizer would cut it.
    assert_eq!(
        (cold.usage.prompt, &cold.raw),
        (first.usage.prompt, &first.raw)
    );
    // A preparation is given up for a request, and what it did by then is kept.
    drop(model.prepare(request(&[system(&log(30..70))], 1)));
    let other = answer(&model, request(&[user("Say hi.")], 4));
    assert_eq!(
        other.raw,
        answer(&fresh, request(&[user("Say hi.")], 4)).raw
    );
}

#[test]
fn prompts_that_do_not_fit_fail_and_those_that_just_do_are_answered() {
    let model = load(small_options(512));
    // Nothing but what the template adds by itself.
    let empty = play(&model, request(&[], 4));
    assert!(empty.is_ok_and(|answer| answer.usage.prompt > 0));
    // Each length around the end of the window, with the room that an answer needs.
    let words = |count: usize| user(&"word ".repeat(count));
    let (mut fits, mut full) = (0, 0);
    for count in (380..520).step_by(7).chain(425..455) {
        match play(&model, request(&[words(count)], 100)) {
            Ok(answer) => {
                fits += 1;
                assert!(answer.usage.prompt + answer.usage.generated <= 512);
            }
            Err(ModelFailure::ContextFull { needed, context }) => {
                full += 1;
                assert!(needed > context && context == 512);
            }
            Err(failure) => panic!("{count}: {failure}"),
        }
    }
    assert!(fits > 3 && full > 3, "{fits} fit, {full} do not");
    let huge = play(&model, side(&[words(3000)], 4)).unwrap_err();
    assert!(matches!(huge, ModelFailure::ContextFull { .. }));
    prepare(&model, &[words(3000)]);
    assert!(play(&model, request(&[user("Say hi.")], 4)).is_ok());
}

#[test]
fn ten_turns_evaluate_nothing_twice() {
    let model = load(small_options(4096));
    let mut talk = vec![system(&system_text(
        "project",
        &[],
        CallForm::JsonFence,
        walden::protocol::ToolList::Text,
    ))];
    let (mut before, mut known, mut again) = (0_u32, 0, 0);
    for turn in 0..10 {
        talk.push(user(&format!(
            "Question {turn}: what is {turn} and {turn}?"
        )));
        if turn % 3 == 1 {
            // A call's result, as long as a file.
            talk.push(assistant(
                "```json\n{\"name\": \"read\", \"arguments\": {\"path\": \"a.py\"}}\n```",
            ));
            talk.push(Message::Tool {
                name: "read".to_owned(),
                text: log(turn * 10..turn * 10 + 8),
            });
        }
        let given = answer(&model, request(&talk, 40));
        if turn > 0 {
            known += before;
            again += before.saturating_sub(given.usage.cached);
        }
        // The last token that was drawn is not evaluated: nothing was to come after it.
        before = given.usage.prompt + given.usage.generated - 1;
        talk.push(assistant(&given.raw));
    }
    assert!(known > 5000, "{known}");
    let share = f64::from(again) / f64::from(known);
    assert!(
        share < 0.01,
        "{again} of {known} tokens were evaluated again"
    );
}
