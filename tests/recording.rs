//! A session with the reference server that has everything, as the user sees it: a prompt, a resource, a form, a page, a
//! question to the model, and a task, from the keys to the frames. The server, the host, the session and the screen are
//! the true ones; what the model writes is played, so that each run is the same.
//!
//! `make interop` installs the server; without it there is nothing to record. `UPDATE_RECORDING=1` writes the frames to
//! `assets/servers.txt`.

#![expect(
    clippy::disallowed_methods,
    reason = "a test lays its own files and writes what it recorded"
)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use walden::agent::Settings;
use walden::mcp::config::{Source, define};
use walden::mcp::pins::Pins;
use walden::mcp::{Attended, Choices, Eras, Host, Options, TaskBook};
use walden::model::{Command, Model};
use walden::protocol::{
    CallForm, Finish, Lane, Message, Mode, ModelEvent, ModelInfo, ModelRequest, Op, Usage,
};
use walden::sandbox::Launcher;
use walden::servers::filesystem::Filesystem;
use walden::session::{Handle, Journal, SessionId, Setup, start};
use walden::tui::{App, Cmd, Depth, Facts, Msg, Theme, view};
use walden::workspace::{Checkpoints, Roots};

const SIZE: (u16, u16) = (88, 26);
/// How long anything may take before a test calls it hung.
const PATIENCE: Duration = Duration::from_secs(90);

fn installed() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop");
    let script = folder.join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    let is_ready = folder.join("ready").exists();
    script.canonicalize().ok().filter(|_| is_ready)
}

/// A person at the screen of a session whose model is played.
struct Stage {
    app: App,
    handle: Handle,
    asked: Receiver<Command>,
    model: Option<mpsc::Sender<ModelEvent>>,
    began: Instant,
    /// Requests of the model that are not answered yet.
    requests: Vec<ModelRequest>,
    frames: Vec<(String, String)>,
    folders: (tempfile::TempDir, tempfile::TempDir),
}

impl Stage {
    async fn open(script: &Path) -> Self {
        let (root, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(root.path().join("note.txt"), "hello\n").unwrap();
        let entry = json!({"command": "node", "args": [script]});
        let definition = define("everything", &entry, &Source::User, &|_| None);
        let options = Options {
            attended: Attended::Yes,
            roots: vec![root.path().to_owned()],
            launcher: Launcher::at(env!("CARGO_BIN_EXE_walden")),
            scratch: kept.path().join("servers"),
            pins: Pins::in_memory(vec!["everything".to_owned()]),
            remote: None,
            containers: None,
            choices: Choices::in_memory(),
            tasks: TaskBook::in_memory(),
            eras: Eras::in_memory(),
            reload: None,
        };
        let mut host = Host::with(vec![definition], options);
        let roots = Roots::open(&[root.path().to_owned()]).unwrap();
        host.attach("fs", Filesystem::new(roots.clone()))
            .await
            .unwrap();
        host.settle(PATIENCE).await;
        let tools = host.tools().await.unwrap();
        let (journal, _) = Journal::open(&kept.path().join("journal.jsonl")).unwrap();
        let (state, model_state) = mpsc::unbounded_channel();
        let (commands, asked) = std::sync::mpsc::channel();
        let info = ModelInfo {
            name: "played".to_owned(),
            title: "Played".to_owned(),
            architecture: "qwen2".to_owned(),
            parameters: 1,
            context: 16_384,
            form: CallForm::JsonFence,
            memory: walden::protocol::ModelMemory::default(),
            tools: walden::protocol::ToolList::Text,
        };
        state.send(ModelEvent::Loaded { info }).unwrap();
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
            model_name: "played".to_owned(),
            model_state,
            journal,
            checkpoints: Checkpoints::open(&kept.path().join("blobs")).unwrap(),
            recovered: None,
            rules: walden::session::RuleFiles::default(),
        });
        let theme = Theme::built_in_or_default("default", Depth::Ansi16);
        Self {
            app: App::new(Facts::default(), theme, Vec::new(), SIZE),
            handle,
            asked,
            model: None,
            began: Instant::now(),
            requests: Vec::new(),
            frames: Vec::new(),
            folders: (root, kept),
        }
    }

    /// Gives the app something, and does what it wants done.
    async fn update(&mut self, msg: Msg) {
        for command in self.app.update(msg) {
            if let Cmd::Send(op) = command {
                self.handle.ops.send(op).await.unwrap();
            }
        }
    }

    /// Lets the session go on for a moment.
    async fn moment(&mut self) {
        let next = tokio::time::timeout(Duration::from_millis(20), self.handle.events.recv());
        let at = self.began.elapsed();
        match next.await {
            Ok(event) => {
                let event = event.expect("the session goes on");
                self.update(Msg::Session { event, at }).await;
            }
            Err(_) => self.update(Msg::Tick { now: at }).await,
        }
        while let Ok(command) = self.asked.try_recv() {
            if let Command::Generate {
                request, events, ..
            } = command
            {
                self.model = Some(events);
                self.requests.push(*request);
            }
        }
    }

    fn frame(&self) -> String {
        let (width, height) = SIZE;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view(&self.app, frame)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let mut out = String::new();
        for y in 0..height {
            let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// Waits until these words are on the screen.
    async fn sees(&mut self, words: &[&str]) {
        let waiting = Instant::now();
        loop {
            let frame = self.frame();
            if words.iter().all(|words| frame.contains(words)) {
                return;
            }
            assert!(
                waiting.elapsed() < PATIENCE,
                "{words:?} never came:\n{frame}"
            );
            self.moment().await;
        }
    }

    /// Keeps what is on the screen once these words are.
    async fn records(&mut self, title: &str, words: &[&str]) {
        self.sees(words).await;
        let frame = self.frame();
        self.frames.push((title.to_owned(), frame));
    }

    async fn key(&mut self, code: KeyCode) {
        self.press(code, KeyModifiers::NONE).await;
    }

    /// Waits as a person does who reads: a question that just came up takes no keys that were meant for something else.
    async fn reads(&mut self) {
        let armed = self.began.elapsed() + Duration::from_secs(1);
        while self.began.elapsed() < armed {
            self.moment().await;
        }
    }

    async fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.reads().await;
        let key = KeyEvent::new(code, modifiers);
        let at = self.began.elapsed();
        self.update(Msg::Key { key, at }).await;
        self.moment().await;
    }

    async fn writes(&mut self, text: &str) {
        for c in text.chars() {
            let key = KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE);
            let at = self.began.elapsed();
            self.update(Msg::Key { key, at }).await;
        }
    }

    async fn request(&mut self) -> ModelRequest {
        let waiting = Instant::now();
        while self.requests.is_empty() {
            assert!(
                waiting.elapsed() < PATIENCE,
                "nothing is asked of the model:\n{}",
                self.frame()
            );
            self.moment().await;
        }
        self.requests.remove(0)
    }

    async fn says(&mut self, text: &str) {
        let model = self.model.take().unwrap();
        let said = ModelEvent::Text {
            text: text.to_owned(),
        };
        model.send(said).await.unwrap();
        model.send(done(text, Finish::Stop)).await.unwrap();
    }

    async fn calls(&mut self, name: &str, arguments: Value) {
        let model = self.model.take().unwrap();
        let call = ModelEvent::Call {
            name: name.to_owned(),
            arguments: arguments.as_object().unwrap().clone(),
        };
        let raw = format!("```json\n{{\"name\": \"{name}\", \"arguments\": {arguments}}}\n```");
        model.send(call).await.unwrap();
        model.send(done(&raw, Finish::Call)).await.unwrap();
    }

    /// The user asks for a tool, the model calls it, and the user allows the call.
    async fn has_called(&mut self, words: &str, tool: &str, arguments: Value) {
        self.writes(words).await;
        self.key(KeyCode::Enter).await;
        self.request().await;
        let query = json!({"query": tool.replace('-', " ")});
        self.calls("find_tool", query).await;
        self.request().await;
        self.calls(&format!("everything__{tool}"), arguments).await;
        self.sees(&["waits for your decision", "y once"]).await;
        self.key(KeyCode::Char('y')).await;
    }

    /// Takes the result of a call to its end.
    async fn ends(&mut self, wanted: &str, last: &str) {
        let request = self.request().await;
        let Some(Message::Tool { text, .. }) = request.messages.last() else {
            panic!("{:?}", request.messages.last());
        };
        assert!(text.contains(wanted), "{text}");
        self.says(last).await;
        self.sees(&[last]).await;
    }

    async fn close(mut self) -> Vec<(String, String)> {
        // The folder has another name in each run.
        let root = self.folders.0.path().display().to_string();
        for (_, frame) in &mut self.frames {
            *frame = frame.replace(&root, "~/work");
        }
        self.handle.ops.send(Op::Shutdown).await.unwrap();
        while self.handle.events.recv().await.is_some() {}
        self.handle.task.await.unwrap();
        self.frames
    }
}

fn done(raw: &str, finish: Finish) -> ModelEvent {
    ModelEvent::Done {
        raw: raw.to_owned(),
        finish,
        usage: Usage::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_a_server_can_ask_and_give_goes_through_the_screen() {
    let Some(script) = installed() else {
        println!("skipped: the server is not installed; `make interop` does it");
        return;
    };
    let mut stage = Stage::open(&script).await;
    stage.writes("/servers").await;
    stage.key(KeyCode::Enter).await;
    stage
        .records("The servers", &["everything", "tokens"])
        .await;
    stage.key(KeyCode::Esc).await;

    stage
        .writes("/everything:completable-prompt department=E")
        .await;
    stage
        .records(
            "A prompt, and what the server says its argument could be",
            &["for department", "department=Engineering"],
        )
        .await;
    stage.key(KeyCode::Tab).await;
    stage.writes(" name=A").await;
    // Who there is depends on the department.
    stage.sees(&["name=Alice"]).await;
    stage.key(KeyCode::Tab).await;
    stage.key(KeyCode::Enter).await;
    let request = stage.request().await;
    let text = format!("{:?}", request.messages);
    assert!(
        text.contains("Alice") && text.contains("Engineering"),
        "{text}"
    );
    stage.says("Alice builds things.").await;
    stage.sees(&["Alice builds things."]).await;

    stage
        .writes("look at @everything:demo://resource/dynamic/te")
        .await;
    stage
        .records(
            "A resource with a variable in its address",
            &["everything:demo://resource/dynamic/text/{"],
        )
        .await;
    stage.key(KeyCode::Tab).await;
    stage.writes("7 please").await;
    stage.key(KeyCode::Enter).await;
    let request = stage.request().await;
    let text = format!("{:?}", request.messages);
    assert!(text.contains("Resource 7: This is a plaintext"), "{text}");
    stage.says("It is plain text.").await;
    stage
        .records("What the model says of it", &["It is plain text."])
        .await;

    stage
        .has_called("ask me something", "trigger-elicitation-request", json!({}))
        .await;
    stage.sees(&["asks you"]).await;
    stage.reads().await;
    stage.writes("Ada").await;
    stage
        .records("A form", &["Ada", "Your full, legal name"])
        .await;
    stage.press(KeyCode::Char('s'), KeyModifiers::CONTROL).await;
    stage.ends("Ada", "You are Ada.").await;

    let url =
        json!({"url": "https://login.example.org/start?from=walden", "elicitationId": "login-1"});
    stage
        .has_called("log me in", "trigger-url-elicitation", url)
        .await;
    stage
        .records(
            "A page that is not opened",
            &["login.example.org", "open a page"],
        )
        .await;
    stage.key(KeyCode::Char('y')).await;
    stage.ends("accept", "You said that you were there.").await;

    let prompt = json!({"prompt": "Say something about owls.", "maxTokens": 40});
    stage
        .has_called("ask the model", "trigger-sampling-request", prompt)
        .await;
    stage
        .records(
            "A question to the model",
            &["wants to ask the model", "owls"],
        )
        .await;
    stage.key(KeyCode::Char('y')).await;
    let sample = stage.request().await;
    assert_eq!(
        sample.lane,
        Lane::Side,
        "it leaves the conversation's cache alone"
    );
    stage.says("Owls are quiet.").await;
    stage
        .records(
            "The model's answer, before the server has it",
            &["Owls are quiet."],
        )
        .await;
    stage.key(KeyCode::Char('y')).await;
    stage.ends("Owls are quiet.", "It knows about owls.").await;

    let query = json!({"topic": "owls"});
    stage
        .has_called("research owls", "simulate-research-query", query)
        .await;
    stage.writes("/servers").await;
    stage.key(KeyCode::Enter).await;
    stage
        .records("A task that goes on", &["task ", "of everything runs"])
        .await;
    stage.key(KeyCode::Esc).await;
    stage.ends("Research Report", "The report is there.").await;

    let frames = stage.close().await;
    assert_eq!(frames.len(), 9);
    let mut text = String::new();
    for (title, frame) in &frames {
        text.push_str(&format!("== {title}\n\n{frame}\n"));
    }
    assert!(!text.contains('\u{1b}'));
    if std::env::var_os("UPDATE_RECORDING").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/servers.txt");
        std::fs::write(path, text).unwrap();
    }
}
