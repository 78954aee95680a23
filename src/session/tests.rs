//! The session with a scripted model, the real filesystem server and real files; and its journal, damaged in every way.

use std::future::Future;
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::agent::Settings;
use crate::mcp::Host;
use crate::model::scripted;
use crate::protocol::{
    CallId, ChangeKind, Decision, EndReason, Event, FileChange, Finish, Hash, KnownKind, Level,
    Message, Mode, ModelEvent, ModelRequest, Op, Outcome, Risk, Scope, ToolCall, Transcript, Usage,
};
use crate::servers::filesystem::Filesystem;
use crate::workspace::{Checkpoints, Roots, hash_of};

/// How long anything may take before a test calls it hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// Windows line ends, a tab, a letter of two bytes and no line end at the end: what a careless writer would lose.
const GREETING: &str = "fn greet() {\r\n\tprintln!(\"héllo\");\r\n}";

/// A request that asks for no change by its words, so that the agent does nothing but what the script says.
const REQUEST: &str = "what is wrong with the greeting?";

/// A repository with one file, and a state folder.
struct World {
    _dir: TempDir,
    root: PathBuf,
    state: PathBuf,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (root, state) = (dir.path().join("repository"), dir.path().join("state"));
        std::fs::create_dir(&root).expect("a folder");
        std::fs::create_dir(&state).expect("a folder");
        std::fs::write(root.join("greet.rs"), GREETING).expect("written");
        Self {
            _dir: dir,
            root,
            state,
        }
    }

    fn file(&self) -> PathBuf {
        self.root.join("greet.rs")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).expect("readable")
    }

    fn journal(&self) -> PathBuf {
        self.state.join("journal.jsonl")
    }

    fn entries(&self) -> Vec<Entry> {
        read(&self.journal()).expect("a journal")
    }

    /// Starts a session, or goes on with the one whose journal is there.
    async fn start(&self, script: Vec<Vec<ModelEvent>>) -> Play {
        let (journal, entries) = Journal::open(&self.journal()).expect("a journal");
        let recovered =
            (!entries.is_empty()).then(|| recover(entries, |change| self.stands(change)));
        self.start_on(journal, recovered, Mode::Ask, script).await
    }

    async fn start_on(
        &self,
        journal: Journal,
        recovered: Option<Recovered>,
        mode: Mode,
        script: Vec<Vec<ModelEvent>>,
    ) -> Play {
        let roots = Roots::open(std::slice::from_ref(&self.root)).expect("a root");
        let mut host = Host::new();
        host.attach("fs", Filesystem::new(roots.clone()))
            .await
            .expect("a server");
        let tools = host.tools().await.expect("its tools");
        let (state, model_state) = mpsc::unbounded_channel();
        let (model, requests) = scripted::spawn_recorded(script, state);
        let setup = Setup {
            changes: None,
            trust: None,
            notices: Vec::new(),
            id: SessionId("20260101-000000-0000".to_owned()),
            settings: Settings {
                mode,
                ..Settings::default()
            },
            roots,
            host,
            tools,
            model,
            model_name: "scripted".to_owned(),
            model_state,
            journal,
            checkpoints: Checkpoints::open(&self.state.join("blobs")).expect("a folder"),
            recovered,
            rules: RuleFiles::default(),
        };
        Play {
            handle: start(setup),
            seen: Vec::new(),
            requests,
        }
    }

    /// Tells whether the file has the bytes that a change would leave.
    fn stands(&self, change: &FileChange) -> bool {
        std::fs::read(self.root.join(&change.path))
            .ok()
            .map(|bytes| hash_of(&bytes))
            == change.after
    }
}

/// A running session and its front end.
struct Play {
    handle: Handle,
    seen: Vec<Event>,
    requests: mpsc::UnboundedReceiver<ModelRequest>,
}

impl Play {
    async fn send(&self, op: Op) {
        self.handle
            .ops
            .send(op)
            .await
            .expect("the session takes ops");
    }

    async fn submit(&self, text: &str) {
        self.send(Op::Submit {
            text: text.to_owned(),
        })
        .await;
    }

    async fn decide(&self, call: CallId, decision: Decision) {
        self.send(Op::Decide { call, decision }).await;
    }

    async fn allow(&self, call: CallId) {
        self.decide(call, Decision::Allow { scope: Scope::Once })
            .await;
    }

    async fn until<T>(&mut self, what: impl Fn(&Event) -> Option<T>) -> T {
        let found = in_time(async {
            loop {
                let event = self.handle.events.recv().await?;
                let found = what(&event);
                self.seen.push(event);
                if found.is_some() {
                    return found;
                }
            }
        })
        .await;
        found.unwrap_or_else(|| panic!("the session ended early: {:#?}", self.seen))
    }

    async fn asked(&mut self) -> CallId {
        self.until(|event| match event {
            Event::ApprovalRequested { call, .. } => Some(*call),
            _ => None,
        })
        .await
    }

    async fn finished(&mut self) -> Outcome {
        self.until(|event| match event {
            Event::CallFinished { outcome, .. } => Some(outcome.clone()),
            _ => None,
        })
        .await
    }

    async fn turn_ended(&mut self) -> EndReason {
        self.until(|event| match event {
            Event::TurnEnded { summary, .. } => Some(summary.reason.clone()),
            _ => None,
        })
        .await
    }

    async fn undone(&mut self) -> Vec<crate::protocol::Undone> {
        self.send(Op::Undo).await;
        self.until(|event| match event {
            Event::ChangesUndone { undone, .. } => Some(undone.clone()),
            _ => None,
        })
        .await
    }

    async fn request(&mut self) -> ModelRequest {
        in_time(self.requests.recv())
            .await
            .expect("a request to the model")
    }

    /// Shuts the session down and returns all events of it.
    async fn end(mut self) -> Vec<Event> {
        self.send(Op::Shutdown).await;
        while let Some(event) = in_time(self.handle.events.recv()).await {
            self.seen.push(event);
        }
        in_time(self.handle.task)
            .await
            .expect("the session's task ends by itself");
        self.seen
    }
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it comes within a minute")
}

fn done(raw: &str, finish: Finish) -> ModelEvent {
    let usage = Usage {
        prompt: 10,
        cached: 5,
        generated: 3,
        prompt_ms: 1,
        generate_ms: 1,
        ..Usage::default()
    };
    ModelEvent::Done {
        raw: raw.to_owned(),
        finish,
        usage,
    }
}

fn says(text: &str) -> Vec<ModelEvent> {
    vec![
        ModelEvent::Text {
            text: text.to_owned(),
        },
        done(text, Finish::Stop),
    ]
}

fn calls(name: &str, arguments: Value) -> Vec<ModelEvent> {
    let Value::Object(arguments) = arguments else {
        panic!("arguments are an object")
    };
    let raw = format!("call of {name}");
    vec![
        ModelEvent::PromptProgress {
            done: 5,
            total: 10,
            cached: 5,
        },
        ModelEvent::CallDrafted {
            name: Some(name.to_owned()),
            bytes: 7,
        },
        ModelEvent::Call {
            name: name.to_owned(),
            arguments,
        },
        done(&raw, Finish::Call),
    ]
}

fn edits(old: &str, new: &str) -> Vec<ModelEvent> {
    calls("edit", json!({"path": "greet.rs", "old": old, "new": new}))
}

/// Returns the place of the first entry that fits.
fn place(entries: &[Entry], what: impl Fn(&Entry) -> bool) -> Option<usize> {
    entries.iter().position(what)
}

fn is_applied(entry: &Entry) -> bool {
    matches!(entry, Entry::Event(Event::ChangeApplied { .. }))
}

fn is_intent(entry: &Entry) -> bool {
    matches!(
        entry,
        Entry::Intent {
            change: Some(_),
            ..
        }
    )
}

fn events_of(entries: &[Entry]) -> Vec<Event> {
    entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Event(event) => Some(event.clone()),
            _ => None,
        })
        .collect()
}

fn transcript_of(events: &[Event]) -> Transcript {
    let mut transcript = Transcript::default();
    events.iter().for_each(|event| transcript.apply(event));
    transcript
}

fn last_tool_text(request: &ModelRequest) -> &str {
    let mut texts = request.messages.iter().filter_map(|message| match message {
        Message::Tool { text, .. } => Some(text.as_str()),
        _ => None,
    });
    texts.next_back().expect("a tool's result")
}

// ---- Changes

#[tokio::test]
async fn an_approved_edit_changes_the_file_and_is_journaled_before_it_is_made() {
    let world = World::new();
    let mut play = world
        .start(vec![edits("héllo", "hello"), says("done")])
        .await;
    play.submit(REQUEST).await;
    let call = play.asked().await;
    assert_eq!(
        world.text(),
        GREETING,
        "nothing is changed before it is allowed"
    );
    assert_eq!(place(&world.entries(), is_intent), None);
    play.allow(call).await;
    assert_eq!(play.turn_ended().await, EndReason::Answered);
    assert_eq!(world.text(), GREETING.replace("héllo", "hello"));
    play.end().await;

    let entries = world.entries();
    let decided = place(&entries, |entry| {
        matches!(entry, Entry::Event(Event::Decided { .. }))
    })
    .expect("a decision");
    let intent = place(&entries, is_intent).expect("an intent");
    let applied = place(&entries, is_applied).expect("a change");
    assert!(
        decided < intent && intent < applied,
        "{decided} {intent} {applied}"
    );
}

#[tokio::test]
async fn what_the_user_left_out_is_not_written_and_the_model_hears_of_it() {
    use crate::protocol::{AllowedPart, Instead, Passage};
    let world = World::new();
    let mut play = world
        .start(vec![edits("héllo", "hello"), says("I see")])
        .await;
    play.submit(REQUEST).await;
    let call = play.asked().await;
    let shown = play
        .seen
        .iter()
        .find_map(|event| match event {
            Event::ApprovalRequested { change, .. } => change.clone(),
            _ => None,
        })
        .expect("a change");
    let line = GREETING
        .split_inclusive('\n')
        .position(|line| line.contains("héllo"))
        .expect("a line");
    let part = AllowedPart {
        passages: vec![Passage {
            at: line,
            lines: 1,
            instead: Instead::Written(vec!["mine: hallo".to_owned()]),
        }],
    };
    play.decide(call, Decision::AllowPart { part }).await;
    let Outcome::Done { text } = play.finished().await else {
        panic!("the part is written: {:#?}", play.seen)
    };
    assert!(text.contains("the user allowed only a part"), "{text}");
    assert!(text.contains("+mine: hallo"), "{text}");
    play.turn_ended().await;
    play.end().await;
    let written = world.text();
    assert!(written.contains("mine: hallo\r\n"), "{written:?}");
    assert!(!written.contains("hello"), "{written:?}");
    // What is on record is what was written.
    let entries = world.entries();
    for recorded in entries.iter().filter_map(|entry| match entry {
        Entry::Intent { change, .. } => change.as_ref(),
        Entry::Event(Event::ChangeApplied { change, .. }) => Some(change),
        _ => None,
    }) {
        assert_eq!(recorded.base, shown.base);
        assert_eq!(recorded.after, Some(hash_of(written.as_bytes())));
    }
}

#[tokio::test]
async fn a_denied_edit_leaves_the_file_and_the_model_hears_why() {
    let world = World::new();
    let mut play = world
        .start(vec![edits("héllo", "hello"), says("as you like")])
        .await;
    play.submit(REQUEST).await;
    let call = play.asked().await;
    play.decide(
        call,
        Decision::Deny {
            reason: Some("the accent is right".to_owned()),
        },
    )
    .await;
    assert!(matches!(play.finished().await, Outcome::Denied { .. }));
    play.turn_ended().await;
    play.request().await;
    let request = play.request().await;
    assert!(
        last_tool_text(&request).contains("the accent is right"),
        "{request:#?}"
    );
    play.end().await;
    assert_eq!(world.text(), GREETING);
    assert_eq!(place(&world.entries(), is_intent), None);
}

#[tokio::test]
async fn a_file_that_changed_after_it_was_shown_is_not_written() {
    let world = World::new();
    let mut play = world
        .start(vec![edits("héllo", "hello"), says("I see")])
        .await;
    play.submit(REQUEST).await;
    let call = play.asked().await;
    let foreign = format!("// mine\r\n{GREETING}");
    std::fs::write(world.file(), &foreign).expect("written");
    play.allow(call).await;
    let Outcome::Failed { text } = play.finished().await else {
        panic!("the write is refused")
    };
    assert!(
        text.contains("greet.rs") && text.contains("changed"),
        "{text}"
    );
    play.turn_ended().await;
    play.request().await;
    let request = play.request().await;
    assert_eq!(last_tool_text(&request), text, "the model is told the same");
    play.end().await;
    assert_eq!(world.text(), foreign);
    assert_eq!(place(&world.entries(), is_applied), None);
}

#[tokio::test]
async fn a_file_that_vanished_after_it_was_shown_is_not_made_again() {
    let world = World::new();
    let mut play = world
        .start(vec![edits("héllo", "hello"), says("I see")])
        .await;
    play.submit(REQUEST).await;
    let call = play.asked().await;
    std::fs::remove_file(world.file()).expect("removed");
    play.allow(call).await;
    assert!(matches!(play.finished().await, Outcome::Failed { .. }));
    play.turn_ended().await;
    play.end().await;
    assert!(!world.file().exists());
}

// ---- Interrupts

#[tokio::test]
async fn an_interrupt_answers_a_pending_approval_and_the_next_turn_is_clean() {
    let world = World::new();
    let mut play = world.start(vec![edits("héllo", "hello"), says("hi")]).await;
    play.submit(REQUEST).await;
    let call = play.asked().await;
    play.send(Op::Interrupt).await;
    assert_eq!(play.finished().await, Outcome::Cancelled);
    assert_eq!(play.turn_ended().await, EndReason::Interrupted);
    // The answer comes too late.
    play.allow(call).await;
    play.submit("hello?").await;
    assert_eq!(play.turn_ended().await, EndReason::Answered);
    play.request().await;
    let request = play.request().await;
    let tail = &request.messages[request.messages.len() - 2..];
    assert!(
        matches!(tail, [Message::Tool { .. }, Message::User { text }] if text == "hello?"),
        "{tail:#?}"
    );
    let events = play.end().await;
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, Event::Decided { .. } | Event::CallStarted { .. }))
    );
    assert_eq!(world.text(), GREETING);
    assert_eq!(place(&world.entries(), is_intent), None);
}

#[tokio::test]
async fn an_interrupt_ends_a_generation_and_the_next_turn_is_clean() {
    let world = World::new();
    // The first answer has no end of its own.
    let endless = vec![ModelEvent::Text {
        text: "half".to_owned(),
    }];
    let mut play = world.start(vec![endless, says("whole")]).await;
    play.submit(REQUEST).await;
    play.until(|event| matches!(event, Event::Text { .. }).then_some(()))
        .await;
    play.send(Op::Interrupt).await;
    assert_eq!(play.turn_ended().await, EndReason::Interrupted);
    let first = play.seen.len();
    play.submit("hello?").await;
    assert_eq!(play.turn_ended().await, EndReason::Answered);
    let texts: Vec<&Event> = play.seen[first..]
        .iter()
        .filter(|event| matches!(event, Event::Text { .. }))
        .collect();
    assert_eq!(
        texts,
        [&Event::Text {
            text: "whole".to_owned()
        }]
    );
    play.request().await;
    let request = play.request().await;
    let tail = &request.messages[request.messages.len() - 2..];
    let expected = [
        Message::Assistant {
            raw: "half".to_owned(),
        },
        Message::User {
            text: "hello?".to_owned(),
        },
    ];
    assert_eq!(tail, expected);
    play.end().await;
}

#[tokio::test]
async fn a_message_sent_while_a_turn_runs_waits_for_its_end() {
    let world = World::new();
    let mut play = world
        .start(vec![edits("héllo", "hello"), says("one"), says("two")])
        .await;
    play.submit(REQUEST).await;
    let call = play.asked().await;
    play.submit("and then?").await;
    play.until(|event| matches!(event, Event::Queued { .. }).then_some(()))
        .await;
    play.allow(call).await;
    play.turn_ended().await;
    assert_eq!(play.turn_ended().await, EndReason::Answered);
    let texts: Vec<String> = play
        .seen
        .iter()
        .filter_map(|event| match event {
            Event::TurnStarted { text, .. } | Event::Text { text } => Some(text.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(texts, [REQUEST, "one", "and then?", "two"]);
    play.end().await;
}

// ---- Undo

#[tokio::test]
async fn undo_puts_back_the_very_bytes() {
    let world = World::new();
    let script = vec![
        edits("héllo", "hello"),
        edits("fn greet", "fn hail"),
        calls(
            "write",
            json!({"path": "new/made.txt", "content": "made\n"}),
        ),
        says("done"),
    ];
    let mut play = world.start(script).await;
    play.submit(REQUEST).await;
    for _ in 0..3 {
        let call = play.asked().await;
        play.allow(call).await;
    }
    play.turn_ended().await;
    let changed = GREETING
        .replace("héllo", "hello")
        .replace("fn greet", "fn hail");
    assert_eq!(world.text(), changed);
    assert!(world.root.join("new/made.txt").exists());
    let undone = play.undone().await;
    assert_eq!(undone.len(), 2, "{undone:?}");
    assert!(
        undone.iter().all(|file| file.refused.is_none()),
        "{undone:?}"
    );
    assert_eq!(world.text(), GREETING);
    assert!(!world.root.join("new/made.txt").exists());
    play.send(Op::Undo).await;
    let text = play
        .until(|event| match event {
            Event::Notice { text, .. } => Some(text.clone()),
            _ => None,
        })
        .await;
    assert!(text.contains("nothing to undo"), "{text}");
    play.end().await;
}

#[tokio::test]
async fn undo_leaves_a_file_alone_that_somebody_else_changed() {
    let world = World::new();
    let mut play = world
        .start(vec![edits("héllo", "hello"), says("done")])
        .await;
    play.submit(REQUEST).await;
    let call = play.asked().await;
    play.allow(call).await;
    play.turn_ended().await;
    let changed = world.text();
    let foreign = format!("{changed}// mine");
    std::fs::write(world.file(), &foreign).expect("written");
    let undone = play.undone().await;
    assert!(
        matches!(&undone[..], [file] if file.refused.is_some()),
        "{undone:?}"
    );
    assert_eq!(world.text(), foreign);
    // The change still stands: once the foreign edit is gone it can be undone.
    std::fs::write(world.file(), &changed).expect("written");
    let undone = play.undone().await;
    assert!(
        matches!(&undone[..], [file] if file.refused.is_none()),
        "{undone:?}"
    );
    assert_eq!(world.text(), GREETING);
    play.end().await;
}

// ---- The journal of a session

#[tokio::test]
async fn nothing_is_changed_while_the_journal_cannot_be_written() {
    let world = World::new();
    let (memory, path) = file_in_memory();
    let (journal, _) = Journal::open(&path).expect("a journal");
    let script = vec![
        edits("héllo", "hello"),
        calls("read", json!({"path": "greet.rs"})),
        says("I see"),
    ];
    let mut play = world.start_on(journal, None, Mode::Ask, script).await;
    play.submit(REQUEST).await;
    let call = play.asked().await;
    let before = read(&path).expect("a journal");
    rustix::fs::fcntl_add_seals(&memory, rustix::fs::SealFlags::GROW).expect("sealed");
    play.allow(call).await;
    let Outcome::Failed { text } = play.finished().await else {
        panic!("the change is refused")
    };
    assert!(text.contains("journal"), "{text}");
    // What changes nothing goes on.
    assert!(play.finished().await.is_done());
    assert_eq!(play.turn_ended().await, EndReason::Answered);
    let events = play.end().await;
    let errors = events.iter().filter(|event| {
        matches!(
            event,
            Event::Notice {
                level: Level::Error,
                ..
            }
        )
    });
    assert_eq!(errors.count(), 1, "it is said once");
    assert_eq!(world.text(), GREETING);
    assert_eq!(
        read(&path).expect("a journal"),
        before,
        "what was written stays whole"
    );
}

#[tokio::test]
async fn nothing_is_undone_while_the_journal_cannot_be_written() {
    let world = World::new();
    let (memory, path) = file_in_memory();
    let (journal, _) = Journal::open(&path).expect("a journal");
    let script = vec![edits("héllo", "hello"), says("done")];
    let mut play = world.start_on(journal, None, Mode::Ask, script).await;
    play.submit(REQUEST).await;
    let call = play.asked().await;
    play.allow(call).await;
    play.turn_ended().await;
    let changed = world.text();
    assert_ne!(changed, GREETING);
    rustix::fs::fcntl_add_seals(&memory, rustix::fs::SealFlags::GROW).expect("sealed");
    // The journal fails at this event, and the session knows from here on.
    play.send(Op::SetMode { mode: Mode::Ask }).await;
    play.send(Op::Undo).await;
    let said = |event: &Event| match event {
        Event::Notice { text, .. } if text.contains("Nothing was undone") => Some(()),
        _ => None,
    };
    play.until(said).await;
    assert_eq!(world.text(), changed);
    play.end().await;
}

#[tokio::test]
async fn a_front_end_that_goes_away_ends_the_session_with_a_complete_journal() {
    let world = World::new();
    let mut play = world
        .start(vec![edits("héllo", "hello"), says("never asked")])
        .await;
    play.submit(REQUEST).await;
    play.asked().await;
    let Handle { ops, events, task } = play.handle;
    drop((ops, events));
    in_time(task)
        .await
        .expect("the session's task ends by itself");
    let events = events_of(&world.entries());
    let tail = &events[events.len() - 4..];
    assert!(
        matches!(
            tail,
            [
                Event::CallFinished {
                    outcome: Outcome::Cancelled,
                    ..
                },
                Event::TurnMeasured { .. },
                Event::TurnEnded { .. },
                Event::SessionEnded
            ]
        ),
        "{tail:#?}"
    );
    let recovered = recover(world.entries(), |_| true);
    assert_eq!(recovered.settling, [], "nothing is left open");
    assert_eq!(world.text(), GREETING);
}

#[tokio::test]
async fn the_journal_shows_what_was_shown_live() {
    let world = World::new();
    let live = whole_session(&world).await;
    let kept: Vec<Event> = live
        .into_iter()
        .filter(|event| {
            let passing = matches!(
                event,
                Event::PromptProgressed { .. }
                    | Event::CallDrafted { .. }
                    | Event::CallProgressed { .. }
                    | Event::ModelLoading { .. }
            );
            !passing
        })
        .collect();
    let journaled = events_of(&world.entries());
    assert_eq!(transcript_of(&journaled), transcript_of(&kept));
    assert_eq!(journaled, kept);
}

#[tokio::test]
async fn a_resumed_session_sends_what_was_sent_before_and_can_undo() {
    let world = World::new();
    let mut play = world
        .start(vec![edits("héllo", "hello"), says("done")])
        .await;
    play.submit(REQUEST).await;
    let call = play.asked().await;
    play.allow(call).await;
    play.turn_ended().await;
    play.request().await;
    let before = play.request().await.messages;
    play.end().await;

    let mut play = world
        .start(vec![edits("fn greet", "fn hail"), says("again")])
        .await;
    play.submit("and now?").await;
    let later = play.asked().await;
    assert!(later > call, "an id is never used again");
    play.decide(later, Decision::Deny { reason: None }).await;
    play.turn_ended().await;
    let request = play.request().await;
    assert_eq!(request.messages[..before.len()], before[..]);
    assert!(matches!(
        &request.messages[before.len()..],
        [Message::Assistant { .. }, Message::User { .. }]
    ));
    play.undone().await;
    assert_eq!(world.text(), GREETING);
    play.end().await;
}

/// Plays a session with everything in it: an edit that is allowed, one that is denied, an undo, an interrupt.
async fn whole_session(world: &World) -> Vec<Event> {
    let script = vec![
        edits("héllo", "hello"),
        edits("fn greet", "fn hail"),
        says("done\nwith ünicode"),
        vec![
            ModelEvent::Reasoning {
                text: "hm".to_owned(),
            },
            ModelEvent::Text {
                text: "half".to_owned(),
            },
        ],
    ];
    let mut play = world.start(script).await;
    play.submit(REQUEST).await;
    let call = play.asked().await;
    play.allow(call).await;
    let call = play.asked().await;
    play.decide(call, Decision::Deny { reason: None }).await;
    play.turn_ended().await;
    play.undone().await;
    play.submit("and now?").await;
    play.until(|event| matches!(event, Event::Text { .. }).then_some(()))
        .await;
    play.send(Op::Interrupt).await;
    play.turn_ended().await;
    play.end().await
}

// ---- Damage

/// Makes a file in memory: it can be forbidden to grow, whoever the tests run as, and is quick to write many times.
fn file_in_memory() -> (OwnedFd, PathBuf) {
    let flags = rustix::fs::MemfdFlags::ALLOW_SEALING | rustix::fs::MemfdFlags::CLOEXEC;
    let memory = rustix::fs::memfd_create("journal", flags).expect("a file in memory");
    let path = PathBuf::from(format!("/proc/self/fd/{}", memory.as_raw_fd()));
    (memory, path)
}

/// Returns where each line of a journal ends.
fn line_ends(bytes: &[u8]) -> Vec<usize> {
    bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| at + 1)
        .collect()
}

#[tokio::test]
async fn a_journal_cut_anywhere_keeps_its_whole_records_and_can_be_continued() {
    let world = World::new();
    whole_session(&world).await;
    let bytes = std::fs::read(world.journal()).expect("a journal");
    let whole = world.entries();
    let ends = line_ends(&bytes);
    assert_eq!(whole.len(), ends.len());
    let (_memory, path) = file_in_memory();
    for cut in 0..=bytes.len() {
        std::fs::write(&path, &bytes[..cut]).expect("written");
        let kept = ends.iter().filter(|end| **end <= cut).count();
        let (mut journal, entries) = Journal::open(&path).expect("a cut journal opens");
        assert!(entries == whole[..kept], "cut at {cut}");
        journal.append(&Entry::Forget).expect("appended");
        drop(journal);
        let mut expected = whole[..kept].to_vec();
        expected.push(Entry::Forget);
        assert!(
            read(&path).expect("readable") == expected,
            "cut at {cut}, continued"
        );
    }
}

#[tokio::test]
async fn a_flipped_bit_ends_a_journal_before_its_record() {
    let world = World::new();
    whole_session(&world).await;
    let bytes = std::fs::read(world.journal()).expect("a journal");
    let whole = world.entries();
    let ends = line_ends(&bytes);
    let (_memory, path) = file_in_memory();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        std::fs::write(&path, &flipped).expect("written");
        let kept = ends.iter().filter(|end| **end <= at).count();
        assert!(
            read(&path).expect("readable") == whole[..kept],
            "byte {at}, bit {}",
            at % 8
        );
    }
}

#[tokio::test]
async fn every_prefix_of_a_journal_recovers_to_a_session_with_nothing_open() {
    let world = World::new();
    whole_session(&world).await;
    let whole = world.entries();
    for length in 0..=whole.len() {
        for stood in [true, false] {
            let before = whole[..length].to_vec();
            let recovered = recover(before.clone(), |_| stood);
            let mut settled = before;
            settled.extend(recovered.settling.iter().cloned());
            let again = recover(settled, |_| stood);
            assert_eq!(
                again.settling,
                [],
                "{length} records: settled once is settled"
            );
            assert_eq!(again.memory, recovered.memory, "{length} records");
            assert_eq!(again.events, recovered.events, "{length} records");
            assert!(
                !transcript_of(&recovered.events).is_busy(),
                "{length} records"
            );
        }
    }
}

#[test]
fn a_record_that_was_left_out_or_swapped_ends_a_journal() {
    let world = World::new();
    let (mut journal, _) = Journal::open(&world.journal()).expect("a journal");
    for number in 0..4 {
        journal
            .append(&Entry::Message(Message::User {
                text: format!("{number}"),
            }))
            .expect("appended");
    }
    let text = std::fs::read_to_string(world.journal()).expect("a journal");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let whole = world.entries();
    for (order, kept) in [
        (&[0, 2, 3][..], 1),
        (&[1, 2, 3], 0),
        (&[0, 1, 3, 2], 2),
        (&[0, 0, 1], 1),
    ] {
        let path = world.state.join("mixed.jsonl");
        let mixed: String = order.iter().map(|line| lines[*line]).collect();
        std::fs::write(&path, mixed).expect("written");
        assert_eq!(read(&path).expect("readable"), whole[..kept], "{order:?}");
    }
}

#[test]
fn a_journal_without_times_is_read_and_goes_on_with_them() {
    use crate::chain::{Chain, Check};
    let world = World::new();
    let old = [
        Entry::Opened {
            version: 1,
            root: "/srv".to_owned(),
            began: 7,
        },
        Entry::Generate,
        Entry::Event(Event::TurnStarted {
            turn: 1,
            text: "go".to_owned(),
        }),
        Entry::Forget,
    ];
    let (mut chain, _) = Chain::open::<Entry>(&world.journal(), Check::Short).expect("a chain");
    for entry in &old {
        chain.append(entry).expect("appended");
    }
    drop(chain);
    let (mut journal, held) = Journal::open(&world.journal()).expect("a journal");
    assert_eq!(held, old);
    journal.append(&Entry::Generate).expect("appended");
    let timed = read_timed(&world.journal()).expect("a journal");
    let (before, after) = timed.split_at(old.len());
    assert!(before.iter().all(|timed| timed.at.is_none()), "{before:?}");
    // Later than the day on which this was written.
    let now = |timed: &Timed| timed.at.is_some_and(|at| at > 1_760_000_000_000);
    assert!(matches!(after, [last] if now(last)), "{after:?}");
    assert_eq!(world.entries().len(), old.len() + 1);
}

#[test]
fn a_journal_has_one_writer() {
    let world = World::new();
    let first = Journal::open(&world.journal()).expect("a journal");
    assert!(matches!(
        Journal::open(&world.journal()),
        Err(JournalError::Busy { .. })
    ));
    assert_eq!(read(&world.journal()).expect("readers are free"), []);
    drop(first);
    Journal::open(&world.journal()).expect("free again");
}

#[test]
fn a_journal_is_readable_by_its_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let _journal = Journal::open(&world.journal()).expect("a journal");
    let mode = std::fs::metadata(world.journal())
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

// ---- Recovery

/// The beginning of a session whose turn called `edit`.
fn until_intent() -> Vec<Entry> {
    vec![
        Entry::Message(Message::System {
            text: "system".to_owned(),
        }),
        Entry::Event(Event::TurnStarted {
            turn: 1,
            text: "fix it".to_owned(),
        }),
        Entry::Message(Message::User {
            text: "fix it".to_owned(),
        }),
        Entry::Generate,
        Entry::Message(Message::Assistant {
            raw: "call".to_owned(),
        }),
        Entry::Event(Event::CallProposed {
            call: the_call(),
            risk: Risk::Edit,
        }),
        Entry::Event(Event::CallStarted { call: CallId(1) }),
        Entry::Intent {
            call: the_call(),
            change: Some(the_change()),
        },
    ]
}

fn the_call() -> ToolCall {
    ToolCall {
        id: CallId(1),
        server: "fs".into(),
        tool: "edit".into(),
        arguments: serde_json::Map::new(),
    }
}

fn the_change() -> FileChange {
    FileChange {
        path: "a.rs".to_owned(),
        kind: ChangeKind::Modify,
        base: Some(Hash("b".repeat(64))),
        after: Some(Hash("a".repeat(64))),
        hunks: Vec::new(),
        added: 1,
        removed: 1,
        notes: Vec::new(),
        others: Vec::new(),
        from: None,
        modes: None,
    }
}

#[test]
fn a_change_that_a_crash_left_behind_is_recorded() {
    let recovered = recover(until_intent(), |change| *change == the_change());
    assert_eq!(recovered.memory.changes, [(1, the_change())]);
    let [
        Entry::Event(applied),
        Entry::Event(finished),
        Entry::Message(told),
        Entry::Event(Event::TurnEnded { turn: 1, summary }),
    ] = &recovered.settling[..]
    else {
        panic!("{:#?}", recovered.settling)
    };
    assert_eq!(
        *applied,
        Event::ChangeApplied {
            call: CallId(1),
            change: the_change()
        }
    );
    assert_eq!(
        *finished,
        Event::CallFinished {
            call: CallId(1),
            outcome: Outcome::Cancelled
        }
    );
    assert!(matches!(told, Message::Tool { name, .. } if name == "edit"));
    assert_eq!(summary.changed, ["a.rs"]);
    assert_eq!(summary.reason, EndReason::Interrupted);
    assert_eq!(recovered.memory.messages.last(), Some(told));
    assert_eq!((recovered.memory.turns, recovered.memory.calls), (1, 1));
}

#[test]
fn a_change_that_was_not_made_is_not_recorded_and_its_call_is_cancelled() {
    let recovered = recover(until_intent(), |_| false);
    assert_eq!(recovered.memory.changes, []);
    assert!(
        !recovered
            .events
            .iter()
            .any(|event| matches!(event, Event::ChangeApplied { .. }))
    );
    let cancelled = Event::CallFinished {
        call: CallId(1),
        outcome: Outcome::Cancelled,
    };
    assert!(recovered.events.contains(&cancelled));
    assert!(matches!(
        recovered.memory.messages.last(),
        Some(Message::Tool { .. })
    ));
}

#[test]
fn a_change_that_outlived_the_interrupt_of_its_call_is_recorded() {
    // The user interrupts while the write is under way, the call is settled, and the crash comes before the report.
    let mut entries = until_intent();
    entries.push(Entry::Event(Event::CallFinished {
        call: CallId(1),
        outcome: Outcome::Cancelled,
    }));
    let recovered = recover(entries, |_| true);
    assert_eq!(recovered.memory.changes, [(1, the_change())]);
}

#[test]
fn a_change_is_recorded_once() {
    let mut entries = until_intent();
    entries.push(Entry::Event(Event::ChangeApplied {
        call: CallId(1),
        change: the_change(),
    }));
    let recovered = recover(entries.clone(), |_| true);
    assert_eq!(recovered.memory.changes, [(1, the_change())]);
    entries.push(Entry::Event(Event::CallFinished {
        call: CallId(1),
        outcome: Outcome::Done {
            text: String::new(),
        },
    }));
    let recovered = recover(entries, |_| true);
    assert_eq!(recovered.memory.changes, [(1, the_change())]);
}

#[test]
fn a_failed_change_is_not_taken_for_made() {
    // Somebody else may leave the same bytes later.
    let mut entries = until_intent();
    let outcome = Outcome::Failed {
        text: "it changed".to_owned(),
    };
    entries.push(Entry::Event(Event::CallFinished {
        call: CallId(1),
        outcome,
    }));
    assert_eq!(recover(entries, |_| true).memory.changes, []);
}

#[test]
fn text_that_was_being_written_is_shown_again_and_stays_in_the_conversation() {
    let mut entries = until_intent();
    entries.truncate(4);
    for text in ["half ", "an answer"] {
        entries.push(Entry::Event(Event::Text {
            text: text.to_owned(),
        }));
    }
    let recovered = recover(entries, |_| true);
    let transcript = transcript_of(&recovered.events);
    let shown = crate::protocol::Item::Assistant {
        text: "half an answer".to_owned(),
    };
    assert!(transcript.items.contains(&shown), "{transcript:#?}");
    let told = Message::Assistant {
        raw: "half an answer".to_owned(),
    };
    assert_eq!(recovered.memory.messages.last(), Some(&told));
}

/// Cuts a session's journal behind the first entry that fits, as a crash would, and goes on with it.
async fn crashed_behind(world: &World, what: impl Fn(&Entry) -> bool) -> Play {
    let end = place(&world.entries(), what).expect("such an entry") + 1;
    cut_to(&world.journal(), end);
    world.start(vec![says("back")]).await
}

fn cut_to(journal: &Path, records: usize) {
    let bytes = std::fs::read(journal).expect("a journal");
    let end = line_ends(&bytes)[records - 1];
    // A torn record after it, as a crash leaves one.
    let mut file = std::fs::File::create(journal).expect("writable");
    file.write_all(&bytes[..end + 9]).expect("written");
}

#[tokio::test]
async fn a_change_made_right_before_a_crash_can_be_undone_after_it() {
    let world = World::new();
    let mut play = world
        .start(vec![edits("héllo", "hello"), says("done")])
        .await;
    play.submit(REQUEST).await;
    let call = play.asked().await;
    play.allow(call).await;
    play.turn_ended().await;
    play.end().await;
    assert_ne!(world.text(), GREETING);

    let mut play = crashed_behind(&world, is_intent).await;
    assert!(matches!(&play.undone().await[..], [file] if file.refused.is_none()));
    assert_eq!(world.text(), GREETING);
    play.submit("and now?").await;
    assert_eq!(play.turn_ended().await, EndReason::Answered);
    play.end().await;
}

#[tokio::test]
async fn an_intent_without_its_change_leaves_nothing_to_undo() {
    let world = World::new();
    let mut play = world
        .start(vec![edits("héllo", "hello"), says("done")])
        .await;
    play.submit(REQUEST).await;
    let call = play.asked().await;
    play.allow(call).await;
    play.turn_ended().await;
    play.end().await;
    std::fs::write(world.file(), GREETING).expect("written");

    let mut play = crashed_behind(&world, is_intent).await;
    play.send(Op::Undo).await;
    let text = play
        .until(|event| match event {
            Event::Notice { text, .. } => Some(text.clone()),
            _ => None,
        })
        .await;
    assert!(text.contains("nothing to undo"), "{text}");
    play.end().await;
    assert_eq!(world.text(), GREETING);
}

// ---- What a model may name

fn known_names(request: &ModelRequest, kind: KnownKind) -> Vec<String> {
    let lists = request.known.iter().filter(|known| known.kind == kind);
    lists.flat_map(|known| known.names.to_vec()).collect()
}

#[tokio::test]
async fn a_request_knows_the_files_that_are_there_and_quotes_them_as_they_are_now() {
    let world = World::new();
    std::fs::write(world.root.join(".gitignore"), "secret.txt\n").expect("written");
    std::fs::write(world.root.join("secret.txt"), "x").expect("written");
    std::fs::create_dir_all(world.root.join("src/inner")).expect("a folder");
    let mut play = world
        .start(vec![
            calls("read", json!({"path": "greet.rs"})),
            calls("write", json!({"path": "made.rs", "content": "// made\n"})),
            says("done"),
            says("done"),
        ])
        .await;
    play.submit("what is wrong in secret.txt and the greeting?")
        .await;
    let first = play.request().await;
    // A file that is left out of the list can be named once the user did.
    assert_eq!(
        known_names(&first, KnownKind::File),
        [".gitignore", "greet.rs", "secret.txt"]
    );
    assert_eq!(
        known_names(&first, KnownKind::Folder),
        [".", "src", "src/inner"]
    );
    let greeting = |request: &ModelRequest| {
        let mut passages = request.passages.iter();
        passages
            .find(|passage| passage.path == "greet.rs")
            .map(|passage| passage.text.to_string())
    };
    let second = play.request().await;
    assert_eq!(greeting(&second), Some(GREETING.replace("\r\n", "\n")));
    // Somebody else changes the file while the model writes.
    std::fs::write(world.file(), "fn other() {}\n").expect("written");
    let call = play.asked().await;
    play.allow(call).await;
    let third = play.request().await;
    assert!(known_names(&third, KnownKind::File).contains(&"made.rs".to_owned()));
    assert_eq!(greeting(&third).as_deref(), Some("fn other() {}\n"));
    play.turn_ended().await;
    play.end().await;
}

#[tokio::test]
async fn what_a_killed_write_left_is_cleared_away_or_named() {
    let world = World::new();
    let mut play = world
        .start(vec![edits("héllo", "hello"), says("done")])
        .await;
    play.submit(REQUEST).await;
    let call = play.asked().await;
    play.allow(call).await;
    play.turn_ended().await;
    play.end().await;
    let left = |name: &str| world.file().with_file_name(name);
    let (half, before, unknown) = (
        left(".walden-0000000000000001"),
        left(".walden-0000000000000002.old"),
        left(".walden-0000000000000003.old"),
    );
    std::fs::write(&half, "hel").expect("written");
    std::fs::write(&before, GREETING).expect("written");
    std::fs::write(&unknown, "somebody else's").expect("written");

    let mut play = crashed_behind(&world, is_intent).await;
    let text = play
        .until(|event| match event {
            Event::Notice { text, .. } => Some(text.clone()),
            _ => None,
        })
        .await;
    assert!(text.contains(".walden-0000000000000003.old"), "{text}");
    // Told when all of them were seen.
    assert!(!half.exists() && !before.exists());
    assert_eq!(
        std::fs::read_to_string(&unknown).expect("kept"),
        "somebody else's"
    );
    play.end().await;
}
