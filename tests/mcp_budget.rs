//! Servers of others in a session with all of its loop: how much of the prompt their tools take, how they are found and
//! called, and that a list which changes leaves every byte before it as it was.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mcp.rs"]
mod support;

use std::collections::BTreeSet;
use std::sync::mpsc::Receiver;

use serde_json::{Value, json};
use support::{PATIENCE, World, accept, definition, world_with};
use tokio::sync::mpsc;
use walden::agent::Settings;
use walden::mcp::Attended;
use walden::mcp::pins::Pins;
use walden::model::template::{ChatTemplate, Specials};
use walden::model::{Command, Model};
use walden::protocol::{
    CallForm, Decision, Event, Finish, Message, Mode, ModelEvent, ModelInfo, ModelRequest, Op,
    Scope, Usage,
};
use walden::servers::filesystem::Filesystem;
use walden::session::{Handle, Journal, SessionId, Setup, start};
use walden::workspace::{Checkpoints, Roots};

const CHATML: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n\
                      {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// The tokens that third-party tools may take in a window of 4096, and the most bytes that make as many.
const BUDGET: usize = 400;
const BYTES_A_TOKEN: usize = 3;

fn render(messages: &[Message]) -> String {
    let specials = Specials {
        bos: String::new(),
        eos: "<|im_end|>".to_owned(),
        ends: Vec::new(),
        all: vec!["<|im_start|>".to_owned(), "<|im_end|>".to_owned()],
    };
    let template = ChatTemplate::new(CHATML, &specials).unwrap();
    let segments = template.render(messages, &[]).unwrap();
    segments.into_iter().map(|segment| segment.text).collect()
}

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

/// A session whose model is played by the test.
struct Play {
    handle: Handle,
    asked: Receiver<Command>,
    events: Option<mpsc::Sender<ModelEvent>>,
    /// What a prompt must begin with: the one before it, and what the model wrote.
    before: Option<String>,
    /// The tools that the host brought, by their events.
    up: Vec<usize>,
    _folders: (tempfile::TempDir, tempfile::TempDir),
}

impl Play {
    /// Starts a session with the fixture's server, which is agreed to as it is asked about.
    async fn begin(how: &str) -> Self {
        let world = world_with(definition(how), Attended::Yes, Pins::in_memory(vec![]));
        let World { mut host, root, .. } = world;
        let roots = Roots::open(&[root.path().to_owned()]).unwrap();
        host.attach("fs", Filesystem::new(roots.clone()))
            .await
            .unwrap();
        let tools = host.tools().await.unwrap();
        let kept = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(&kept.path().join("journal.jsonl")).unwrap();
        let (state, model_state) = mpsc::unbounded_channel();
        let (commands, asked) = std::sync::mpsc::channel();
        state.send(ModelEvent::Loaded { info: info() }).unwrap();
        let handle = start(Setup {
            changes: None,
            trust: None,
            notices: Vec::new(),
            id: SessionId("20260101-000000-0000".to_owned()),
            settings: Settings {
                mode: Mode::Ask,
                ..Settings::default()
            },
            roots,
            host,
            tools,
            model: Model::new(commands),
            model_name: "m".to_owned(),
            model_state,
            journal,
            checkpoints: Checkpoints::open(&kept.path().join("blobs")).unwrap(),
            recovered: None,
            rules: walden::session::RuleFiles::default(),
        });
        let mut play = Self {
            handle,
            asked,
            events: None,
            before: None,
            up: Vec::new(),
            _folders: (root, kept),
        };
        play.is_up(1).await;
        play
    }

    /// Takes the session's next event in, and agrees to whatever is asked.
    async fn event(&mut self) -> Event {
        let next = tokio::time::timeout(PATIENCE, self.handle.events.recv());
        let event = next.await.expect("in time").expect("the session goes on");
        match &event {
            Event::Asked { question } => {
                self.send(Op::Answer {
                    question: question.id,
                    answer: accept(&json!({})),
                })
                .await;
            }
            Event::ApprovalRequested { call, .. } => {
                self.send(Op::Decide {
                    call: *call,
                    decision: Decision::Allow { scope: Scope::Once },
                })
                .await;
            }
            Event::ServerChanged {
                state: walden::protocol::ServerState::Up { tools },
                server,
            } if server == "it" => self.up.push(*tools),
            _ => {}
        }
        event
    }

    /// Waits until the server came up so often.
    async fn is_up(&mut self, times: usize) {
        while self.up.len() < times {
            self.event().await;
        }
    }

    async fn send(&self, op: Op) {
        self.handle.ops.send(op).await.unwrap();
    }

    /// Takes the model's next request, and holds it to what was sent before.
    async fn request(&mut self) -> ModelRequest {
        let waiting = tokio::time::Instant::now();
        loop {
            match self.asked.try_recv() {
                Ok(Command::Generate {
                    request, events, ..
                }) => {
                    self.events = Some(events);
                    let prompt = render(&request.messages);
                    if let Some(before) = &self.before {
                        assert!(
                            prompt.starts_with(before),
                            "{prompt}\n\ndoes not begin with\n\n{before}"
                        );
                    }
                    self.before = Some(prompt);
                    return *request;
                }
                Ok(_) => continue,
                Err(_) => {}
            }
            assert!(
                waiting.elapsed() < PATIENCE,
                "nothing is asked of the model"
            );
            // The session waits for answers meanwhile.
            tokio::select! {
                biased;
                _ = self.event() => {}
                () = tokio::task::yield_now() => {}
            }
        }
    }

    /// The model writes this, and ends.
    async fn writes(&mut self, raw: &str, call: Option<(&str, Value)>) {
        let events = self.events.take().unwrap();
        let mut finish = Finish::Stop;
        if let Some((name, arguments)) = call {
            finish = Finish::Call;
            let call = ModelEvent::Call {
                name: name.to_owned(),
                arguments: arguments.as_object().unwrap().clone(),
            };
            events.send(call).await.unwrap();
        }
        let done = ModelEvent::Done {
            raw: raw.to_owned(),
            finish,
            usage: Usage::default(),
        };
        events.send(done).await.unwrap();
        let before = self.before.take().unwrap();
        self.before = Some(format!("{before}{raw}<|im_end|>\n"));
    }

    async fn calls(&mut self, name: &str, arguments: Value) -> ModelRequest {
        let raw = format!("```json\n{{\"name\": \"{name}\", \"arguments\":  {arguments}}}\n```");
        self.writes(&raw, Some((name, arguments))).await;
        self.request().await
    }

    async fn turn(&mut self, text: &str) -> ModelRequest {
        self.send(Op::Submit {
            text: text.to_owned(),
        })
        .await;
        self.request().await
    }

    /// The model says that it is done, and the turn ends.
    async fn ends(&mut self) {
        self.writes("Done.", None).await;
        while !matches!(self.event().await, Event::TurnEnded { .. }) {}
    }

    async fn end(mut self) {
        self.send(Op::Shutdown).await;
        while self.handle.events.recv().await.is_some() {}
        self.handle.task.await.unwrap();
    }
}

fn foreign(request: &ModelRequest) -> BTreeSet<String> {
    let tools = request.tools.iter().filter(|tool| tool.server == "it");
    tools.map(|tool| tool.tool.clone()).collect()
}

fn last_text(request: &ModelRequest) -> &str {
    match request.messages.last() {
        Some(Message::Tool { text, .. } | Message::User { text }) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eighty_tools_stay_inside_the_budget_and_each_is_found_and_can_be_called() {
    let mut play = Play::begin("many").await;
    assert_eq!(play.up, [80]);
    let first = play.turn("Hello.").await;
    let told = last_text(&first);
    assert!(told.contains("it (80 tools)"), "{told}");
    assert!(
        told.len() < BUDGET * BYTES_A_TOKEN,
        "{} bytes tell of them: {told}",
        told.len()
    );
    assert_eq!(foreign(&first), BTreeSet::new());
    play.ends().await;

    let verbs = [
        "create", "list", "delete", "update", "merge", "close", "find", "assign",
    ];
    let nouns = [
        "issue",
        "branch",
        "label",
        "milestone",
        "release",
        "comment",
        "review",
        "team",
        "secret",
        "hook",
    ];
    let mut in_play = BTreeSet::new();
    for (verb, noun) in verbs
        .iter()
        .flat_map(|verb| nouns.iter().map(move |noun| (verb, noun)))
    {
        let name = format!("{verb}_{noun}");
        if in_play.contains(&name) {
            continue;
        }
        play.turn(&format!("I want to {verb} a {noun}.")).await;
        let query = json!({"query": format!("{verb} a {noun}")});
        let found = play.calls("find_tool", query).await;
        in_play = foreign(&found);
        let line = format!("- it__{name}(id");
        assert!(
            in_play.contains(&name) && last_text(&found).contains(&line),
            "{name}: {}",
            last_text(&found)
        );
        play.ends().await;
    }
    assert_eq!(in_play.len(), 80);

    play.turn("Do it.").await;
    let called = play.calls("it__create_issue", json!({"id": "7"})).await;
    assert!(
        !last_text(&called).contains("there is no"),
        "{}",
        last_text(&called)
    );
    play.ends().await;
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_changes_in_a_session_leaves_the_bytes_before_it_as_they_were() {
    let mut play = Play::begin("growing").await;
    let first = play.turn("Say hi.").await;
    assert_eq!(
        foreign(&first),
        BTreeSet::from(["early".into(), "echo".into()])
    );
    // The server changes its list after this call, and the user agrees to what is new in it.
    let called = play.calls("it__echo", json!({"text": "hi"})).await;
    assert!(last_text(&called).contains("hi"), "{}", last_text(&called));
    play.is_up(2).await;
    // The turn goes on with what it began with.
    let still = play.calls("it__echo", json!({"text": "ho"})).await;
    assert_eq!(foreign(&still), foreign(&first));
    play.ends().await;
    let end = play.before.clone().unwrap();
    let next = play.turn("And now?").await;
    let prompt = render(&next.messages);
    // The first byte that differs lies behind all that was sent.
    let shared = prompt
        .bytes()
        .zip(end.bytes())
        .take_while(|(one, other)| one == other)
        .count();
    assert_eq!(shared, end.len());
    assert!(
        last_text(&next).contains("- it__late("),
        "{}",
        last_text(&next)
    );
    assert!(foreign(&next).contains("late"));
    // Tools are added at the end, and those before keep their places.
    let names = |request: &ModelRequest| -> Vec<String> {
        let theirs = request.tools.iter().filter(|tool| tool.server == "it");
        theirs.map(|tool| tool.name.clone()).collect()
    };
    assert_eq!(names(&next)[..names(&first).len()], names(&first));
    play.ends().await;
    play.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_was_not_found_yet_is_no_tool_that_the_model_may_call() {
    let mut play = Play::begin("many").await;
    let request = play.turn("Hello.").await;
    assert!(
        request
            .tools
            .iter()
            .all(|tool| tool.name != "it__create_issue")
    );
    let called = play.calls("it__create_issue", json!({"id": "7"})).await;
    assert!(
        last_text(&called).contains("no tool"),
        "{}",
        last_text(&called)
    );
    play.ends().await;
    play.end().await;
}
