//! What a session does before it is asked: its beginning and a draft are given to the model, and a resumed session
//! knows the files that it knew.

#![expect(clippy::disallowed_methods, reason = "a test lays its own files")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::mpsc;
use walden::agent::Settings;
use walden::mcp::Host;
use walden::model::{Command, Model};
use walden::protocol::{
    CallForm, Event, Finish, Message, ModelEvent, ModelInfo, ModelRequest, Op, Usage,
};
use walden::servers::filesystem::Filesystem;
use walden::session::{Handle, Journal, SessionId, Setup, recover, start};
use walden::workspace::{Checkpoints, Roots};

/// How long anything may take before a test calls it hung.
const PATIENCE: Duration = Duration::from_secs(60);

fn info() -> ModelInfo {
    ModelInfo {
        name: "m".to_owned(),
        title: "M".to_owned(),
        architecture: "qwen2".to_owned(),
        parameters: 1,
        context: 4096,
        form: CallForm::JsonFence,
        memory: walden::protocol::ModelMemory::default(),
        tools: walden::protocol::ToolList::Text,
    }
}

/// Starts a session, or goes on with the one whose journal is there, with a model that is played by the test.
async fn begin(dir: &Path) -> (Handle, Receiver<Command>) {
    let roots = Roots::open(&[dir.join("root")]).unwrap();
    let mut host = Host::new();
    host.attach("fs", Filesystem::new(roots.clone()))
        .await
        .unwrap();
    let tools = host.tools().await.unwrap();
    let (journal, entries) = Journal::open(&dir.join("journal.jsonl")).unwrap();
    let recovered = (!entries.is_empty()).then(|| recover(entries, |_| false));
    let (state, model_state) = mpsc::unbounded_channel();
    let (commands, asked) = std::sync::mpsc::channel();
    state.send(ModelEvent::Loaded { info: info() }).unwrap();
    let handle = start(Setup {
        changes: None,
        trust: None,
        notices: Vec::new(),
        id: SessionId("20260101-000000-0000".to_owned()),
        settings: Settings::default(),
        roots,
        host,
        tools,
        model: Model::new(commands),
        model_name: "m".to_owned(),
        model_state,
        journal,
        checkpoints: Checkpoints::open(&dir.join("blobs")).unwrap(),
        recovered,
        rules: walden::session::RuleFiles::default(),
    });
    (handle, asked)
}

fn world() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("root")).unwrap();
    std::fs::write(dir.path().join("root/a.py"), "x = 1\r\n").unwrap();
    dir
}

/// Takes the model's next command, without holding up the session.
async fn next(asked: &mut Receiver<Command>) -> Command {
    let started = tokio::time::Instant::now();
    loop {
        if let Ok(command) = asked.try_recv() {
            return command;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "nothing is asked of the model"
        );
        tokio::task::yield_now().await;
    }
}

async fn send(handle: &Handle, op: Op) {
    handle.ops.send(op).await.unwrap();
}

async fn end(mut handle: Handle) {
    send(&handle, Op::Shutdown).await;
    while handle.events.recv().await.is_some() {}
    handle.task.await.unwrap();
}

fn submit(text: &str) -> Op {
    Op::Submit {
        text: text.to_owned(),
    }
}

fn last_user(request: &ModelRequest) -> &str {
    match request.messages.last() {
        Some(Message::User { text }) => text,
        other => panic!("not a user's message: {other:?}"),
    }
}

fn done(raw: &str, finish: Finish) -> ModelEvent {
    ModelEvent::Done {
        raw: raw.to_owned(),
        finish,
        usage: Usage::default(),
    }
}

#[tokio::test]
async fn the_beginning_and_a_draft_are_prepared_and_given_up_for_the_message() {
    let dir = world();
    let (handle, mut asked) = begin(dir.path()).await;
    let Command::Prepare { request, .. } = next(&mut asked).await else {
        panic!("the beginning is prepared first")
    };
    assert!(
        matches!(&request.messages[..], [Message::System { .. }, Message::User { text }] if text.is_empty())
    );
    let draft = Op::Drafted {
        text: "What is in".to_owned(),
    };
    send(&handle, draft).await;
    let Command::Prepare {
        request: drafted,
        cancel,
        ..
    } = next(&mut asked).await
    else {
        panic!("the draft is prepared")
    };
    assert_eq!(last_user(&drafted), "What is in");
    assert!(!cancel.is_cancelled());
    send(&handle, submit("What is in there?")).await;
    let Command::Generate { request, .. } = next(&mut asked).await else {
        panic!("the message is answered")
    };
    assert!(cancel.is_cancelled());
    assert_eq!(request.messages[0], drafted.messages[0]);
    assert_eq!(last_user(&request), "What is in there?");
    end(handle).await;
}

#[tokio::test]
async fn a_resumed_session_knows_the_files_that_it_knew_as_they_are_now() {
    let dir = world();
    let (mut handle, mut asked) = begin(dir.path()).await;
    drop(next(&mut asked).await);
    send(&handle, submit("what is in the file?")).await;
    let Command::Generate { events, .. } = next(&mut asked).await else {
        panic!("a generation")
    };
    let read = ModelEvent::Call {
        name: "read".to_owned(),
        arguments: Map::from_iter([("path".to_owned(), Value::from("a.py"))]),
    };
    events.send(read).await.unwrap();
    events.send(done("call", Finish::Call)).await.unwrap();
    let Command::Generate {
        events, request, ..
    } = next(&mut asked).await
    else {
        panic!("the answer to the call")
    };
    assert_eq!(request.passages.len(), 1, "{:?}", request.messages);
    events.send(done("x is 1", Finish::Stop)).await.unwrap();
    while !matches!(handle.events.recv().await, Some(Event::TurnEnded { .. })) {}
    end(handle).await;

    std::fs::write(dir.path().join("root/a.py"), "x = 2\r\n").unwrap();
    let (handle, mut asked) = begin(dir.path()).await;
    let Command::Prepare { request, .. } = next(&mut asked).await else {
        panic!("the conversation is prepared")
    };
    assert!(request.messages.len() > 4);
    send(&handle, submit("and now?")).await;
    let Command::Generate { request, .. } = next(&mut asked).await else {
        panic!("a generation")
    };
    let [passage] = &request.passages[..] else {
        panic!("one file is known: {:?}", request.passages)
    };
    assert_eq!((&*passage.path, &*passage.text), ("a.py", "x = 2\n"));
    end(handle).await;
}
