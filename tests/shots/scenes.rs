//! What is done to get to each screen.

use crossterm::event::{KeyCode, KeyModifiers};
use walden::protocol::{
    CallForm, CallId, ChangeKind, CheckResult, Choice, EndReason, Event, Field, FieldKind,
    FileChange, Finding, Hunk, Level, Line, LineKind, Mode, ModelInfo, ModelMemory, Modes, Outcome,
    Plan, Question, QuestionId, QuestionKind, ReportedTool, ReviewNews, ReviewTarget, Risk,
    SearchEnd, SearchNews, ServerReport, ServerState, Severity, Step, StepState, TextFormat,
    ToolCall, ToolList, TrialOf, TurnSummary, Usage,
};
use walden::tui::{Defined, Found, Kept, Msg};

use super::desk::Desk;

/// A screen: its name, and what is done to get there.
pub(crate) type Scene = (&'static str, fn(&mut Desk));

/// Every pane, each in a state that says something.
pub(crate) const SCENES: &[Scene] = &[
    ("welcome", start),
    ("loading", loading),
    ("reading", reading),
    ("done", done),
    ("completion", completion),
    ("mention", mention),
    ("approval", approval),
    ("set", several),
    ("move", moving),
    ("mode", marking),
    ("live", live),
    ("trying", trying),
    ("tried", tried),
    ("trials", trials),
    ("review", review),
    ("command", command),
    ("reason", reason),
    ("form", form),
    ("page", page),
    ("sampling", sampling),
    ("definition", definition),
    ("findings", findings),
    ("plan", plan),
    ("servers", servers),
    ("queue", queue),
    ("trace", trace),
    ("context", |desk| about(desk, "context")),
    ("model", |desk| about(desk, "model")),
    ("commands", commands),
    ("files", files),
    ("symbols", symbols),
    ("sessions", sessions),
    ("search", search),
    ("help", help),
    ("lost", lost),
];

/// Returns what is done to get to a screen.
pub(crate) fn scene(name: &str) -> fn(&mut Desk) {
    let found = SCENES.iter().find(|(scene, _)| *scene == name);
    found.expect("a scene of that name").1
}

fn start(desk: &mut Desk) {
    desk.event(Event::SessionStarted {
        id: "20261121-093012-4f2a".to_owned(),
        root: "/home/ada/relay".to_owned(),
        mode: Mode::Ask,
        resumed: false,
    });
    desk.event(Event::ModelLoaded {
        info: ModelInfo {
            name: "qwen2.5-coder-1.5b".to_owned(),
            title: "Qwen2.5 Coder 1.5B Instruct".to_owned(),
            architecture: "qwen2".to_owned(),
            parameters: 1_543_714_304,
            context: 8192,
            form: CallForm::JsonFence,
            memory: ModelMemory {
                weights: 1_117_000_000,
                kv: 235_000_000,
                compute: 310_000_000,
                layers: 28,
                ..ModelMemory::default()
            },
            tools: ToolList::Text,
        },
    });
}

fn read(desk: &mut Desk) {
    start(desk);
    desk.event(Event::TurnStarted {
        turn: 1,
        text: "Wait longer between the attempts, but never more than a minute.".to_owned(),
    });
    let call = |id, tool: &str| ToolCall {
        id: CallId(id),
        server: "fs".to_owned(),
        tool: tool.to_owned(),
        arguments: std::iter::once(("path".to_owned(), "src/retry.rs".into())).collect(),
    };
    desk.event(Event::CallProposed {
        call: call(1, "read"),
        risk: Risk::Read,
    });
    desk.event(Event::CallFinished {
        call: CallId(1),
        outcome: Outcome::Done {
            text: "line\n".repeat(48),
        },
    });
    desk.event(Event::Text {
        text: "`Retry::wait` doubles the pause without a bound. I cap it with a constant."
            .to_owned(),
    });
    desk.event(Event::Generated {
        usage: Usage {
            prompt: 2_310,
            cached: 1_620,
            generated: 118,
            prompt_ms: 5_100,
            generate_ms: 7_900,
            ..Usage::default()
        },
    });
    desk.event(Event::CallProposed {
        call: call(2, "edit"),
        risk: Risk::Edit,
    });
}

fn approval(desk: &mut Desk) {
    read(desk);
    desk.event(Event::ApprovalRequested {
        call: CallId(2),
        reason: "the mode is ask, and this changes a file".to_owned(),
        change: Some(change()),
        ask: None,
    });
    desk.wait();
}

/// A second file waits beside the first.
fn several(desk: &mut Desk) {
    approval(desk);
    desk.event(Event::CallProposed {
        call: ToolCall {
            id: CallId(3),
            server: "fs".to_owned(),
            tool: "edit".to_owned(),
            arguments: std::iter::once(("path".to_owned(), "src/config.rs".into())).collect(),
        },
        risk: Risk::Edit,
    });
    let mut second = change();
    second.path = "src/config.rs".to_owned();
    desk.event(Event::ApprovalRequested {
        call: CallId(3),
        reason: "the mode is ask, and this changes a file".to_owned(),
        change: Some(second),
        ask: None,
    });
    desk.wait();
}

fn findings(desk: &mut Desk) {
    start(desk);
    desk.event(Event::TurnStarted {
        turn: 1,
        text: "/review".to_owned(),
    });
    desk.event(Event::Reviewed {
        news: ReviewNews::Read {
            target: ReviewTarget::Uncommitted,
            files: 2,
            pieces: 3,
            left_out: Vec::new(),
        },
    });
    for (path, from, severity, title, explanation, suggestion, votes) in [
        (
            "src/retry.rs",
            18,
            Severity::Error,
            "the pause overflows",
            "From the 32nd attempt on, `2_u32.pow(attempt)` panics in a debug build and is 0 in a release build.",
            "Use `saturating_pow`.",
            3,
        ),
        (
            "src/config.rs",
            7,
            Severity::Warning,
            "a limit of 0 is taken",
            "`attempts = 0` in the file means that nothing is ever sent, and nobody is told.",
            "Refuse it when the file is read.",
            2,
        ),
    ] {
        desk.event(Event::Reviewed {
            news: ReviewNews::Found {
                finding: Finding {
                    path: path.to_owned(),
                    from,
                    to: from + 1,
                    severity,
                    title: title.to_owned(),
                    explanation: explanation.to_owned(),
                    suggestion: suggestion.to_owned(),
                    votes,
                    passes: 3,
                },
            },
        });
    }
}

fn symbols(desk: &mut Desk) {
    approved(desk);
    desk.press(KeyCode::Char('t'), KeyModifiers::ALT);
    let symbol = |name: &str, kind, container: Option<&str>, path: &str, line| Defined {
        name: name.to_owned(),
        kind,
        container: container.map(str::to_owned),
        path: path.to_owned(),
        line,
        end: line + 4,
    };
    let found = [
        symbol("Retry", "type", None, "src/retry.rs", 5),
        symbol("wait", "method", Some("Retry"), "src/retry.rs", 14),
        symbol("wait_for_peer", "function", None, "src/peer.rs", 31),
        symbol("await_shutdown", "function", None, "src/main.rs", 58),
    ];
    desk.app
        .update(Msg::Found(Found::Symbols(found.to_vec().into())));
    desk.write("wai");
    let text = "    fn wait(&self, attempt: u32) -> Duration {\n        (self.base * 2_u32.pow(attempt)).min(Self::LONGEST)\n    }\n}";
    let lines = text.lines().map(str::to_owned).collect();
    let found = Found::Preview("src/retry.rs:14".to_owned(), lines);
    desk.app.update(Msg::Found(found));
}

fn approved(desk: &mut Desk) {
    read(desk);
    desk.event(Event::ChangeApplied {
        call: CallId(2),
        change: change(),
    });
    desk.event(Event::CallFinished {
        call: CallId(2),
        outcome: Outcome::Done {
            text: "edited".to_owned(),
        },
    });
}

/// A call that would move a file asks.
fn moving(desk: &mut Desk) {
    let half = |path: &str, kind| FileChange {
        path: path.to_owned(),
        kind,
        hunks: Vec::new(),
        added: 0,
        removed: 0,
        ..change()
    };
    let moved = FileChange {
        from: Some("src/retry.rs".to_owned()),
        others: vec![FileChange {
            notes: vec!["moved to src/net/retry.rs".to_owned()],
            ..half("src/retry.rs", ChangeKind::Delete)
        }],
        ..half("src/net/retry.rs", ChangeKind::Create)
    };
    let why = "it deletes or moves a file";
    asks_for(desk, "move_file", "src/retry.rs", why, moved);
}

/// A call that would let a file be run asks.
fn marking(desk: &mut Desk) {
    let marked = FileChange {
        path: "tools/build.sh".to_owned(),
        hunks: Vec::new(),
        added: 0,
        removed: 0,
        notes: vec!["executable data".to_owned()],
        modes: Some(Modes {
            before: 0o644,
            after: 0o755,
        }),
        ..change()
    };
    let why = "it changes a file that other programs run or obey";
    asks_for(desk, "set_executable", "tools/build.sh", why, marked);
}

fn asks_for(desk: &mut Desk, tool: &str, path: &str, why: &str, change: FileChange) {
    approved(desk);
    desk.event(Event::CallProposed {
        call: ToolCall {
            id: CallId(3),
            server: "fs".to_owned(),
            tool: tool.to_owned(),
            arguments: std::iter::once(("path".to_owned(), path.into())).collect(),
        },
        risk: Risk::Edit,
    });
    desk.event(Event::ApprovalRequested {
        call: CallId(3),
        reason: why.to_owned(),
        change: Some(change),
        ask: None,
    });
    desk.wait();
}

/// A check runs, and says something.
fn live(desk: &mut Desk) {
    approved(desk);
    desk.event(Event::CallProposed {
        call: ToolCall {
            id: CallId(3),
            server: "run".to_owned(),
            tool: "check".to_owned(),
            arguments: std::iter::once(("name".to_owned(), "edit 1".into())).collect(),
        },
        risk: Risk::Command,
    });
    desk.event(Event::CallStarted { call: CallId(3) });
    let lines = [
        "running 3 tests",
        "test retry::grows ... ok",
        "test retry::starts_small ... ok",
        "test retry::is_bounded ... ok",
        "\x1b[31mDoc-tests\x1b[0m relay, with a line that is longer than a narrow terminal can show at once",
    ];
    desk.event(Event::CallProgressed {
        call: CallId(3),
        text: lines.join("\n"),
    });
}

fn searched(desk: &mut Desk, news: SearchNews) {
    desk.event(Event::Searched { news });
}

/// The third of some edits is tried against the project's check.
fn trying(desk: &mut Desk) {
    start(desk);
    desk.event(Event::TurnStarted {
        turn: 1,
        text: "`wait` grows without an end. Mend it.".to_owned(),
    });
    let result = |reached| CheckResult {
        reached,
        failed: 7 - reached,
        ..CheckResult::default()
    };
    searched(
        desk,
        SearchNews::Began {
            path: "src/retry.rs".to_owned(),
            command: Some("cargo test --quiet".to_owned()),
            base: Some(result(3)),
        },
    );
    for (id, reached) in [(3, Some(2)), (4, Some(5)), (5, None)] {
        let (call, trial) = (CallId(id), TrialOf::Edit);
        searched(desk, SearchNews::Trying { call, trial });
        let name = format!("edit {} of `src/retry.rs`", id - 2);
        desk.event(Event::CallProposed {
            call: ToolCall {
                id: call,
                server: "run".to_owned(),
                tool: "check".to_owned(),
                arguments: std::iter::once(("name".to_owned(), name.into())).collect(),
            },
            risk: Risk::Command,
        });
        desk.event(Event::CallStarted { call });
        let Some(reached) = reached else {
            let text = "running 7 tests\ntest retry::grows ... ok".to_owned();
            desk.event(Event::CallProgressed { call, text });
            continue;
        };
        let text = format!(
            "`cargo test --quiet` fails:\n`retry::is_bounded` failed:\n  left: {reached}m\n right: 1m"
        );
        let outcome = Outcome::Failed { text };
        desk.event(Event::CallFinished { call, outcome });
        let result = result(reached);
        searched(desk, SearchNews::Tried { call, result });
    }
}

fn tried(desk: &mut Desk) {
    trying(desk);
    let call = CallId(5);
    let text = "`cargo test --quiet` passes.".to_owned();
    let outcome = Outcome::Done { text };
    desk.event(Event::CallFinished { call, outcome });
    let (end, wall_ms) = (SearchEnd::Passes, 12_300);
    searched(desk, SearchNews::Ended { end, wall_ms });
}

/// The same, unfolded.
fn trials(desk: &mut Desk) {
    tried(desk);
    desk.press(KeyCode::Char('o'), KeyModifiers::ALT);
}

fn change() -> FileChange {
    let line = |kind, text: &str| Line {
        kind,
        text: text.to_owned(),
    };
    FileChange {
        path: "src/retry.rs".to_owned(),
        kind: ChangeKind::Modify,
        base: None,
        after: None,
        hunks: vec![Hunk {
            old_start: 12,
            old_lines: 5,
            new_start: 12,
            new_lines: 7,
            lines: vec![
                line(LineKind::Context, "impl Retry {"),
                line(
                    LineKind::Added,
                    "    /// The longest pause between two attempts.",
                ),
                line(
                    LineKind::Added,
                    "    const LONGEST: Duration = Duration::from_secs(60);",
                ),
                line(LineKind::Context, ""),
                line(
                    LineKind::Context,
                    "    fn wait(&self, attempt: u32) -> Duration {",
                ),
                line(LineKind::Removed, "        self.base * 2_u32.pow(attempt)"),
                line(
                    LineKind::Added,
                    "        (self.base * 2_u32.pow(attempt)).min(Self::LONGEST)",
                ),
                line(LineKind::Context, "    }"),
            ],
        }],
        added: 3,
        removed: 1,
        notes: Vec::new(),
        others: Vec::new(),
        from: None,
        modes: None,
    }
}

fn asks(desk: &mut Desk, kind: QuestionKind) {
    approved(desk);
    desk.event(Event::Asked {
        question: Question {
            id: QuestionId(1),
            server: "tracker".to_owned(),
            request: None,
            kind,
        },
    });
    desk.wait();
}

fn form(desk: &mut Desk) {
    let field = |name: &str, title: &str, required, kind| Field {
        name: name.to_owned(),
        title: Some(title.to_owned()),
        description: None,
        required,
        kind,
    };
    let text = |format| FieldKind::Text {
        min: None,
        max: None,
        format,
        default: None,
    };
    let options = |values: &[&str]| {
        values
            .iter()
            .map(|value| Choice {
                value: (*value).to_owned(),
                title: None,
            })
            .collect()
    };
    asks(
        desk,
        QuestionKind::Form {
            message: "What should the ticket say?".to_owned(),
            fields: vec![
                field("summary", "Summary", true, text(None)),
                field("reporter", "Reporter", true, text(Some(TextFormat::Email))),
                field(
                    "priority",
                    "Priority",
                    true,
                    FieldKind::Choice {
                        options: options(&["low", "normal", "high"]),
                        default: Some("normal".to_owned()),
                    },
                ),
                field(
                    "labels",
                    "Labels",
                    false,
                    FieldKind::Choices {
                        options: options(&["bug", "docs", "network"]),
                        min: None,
                        max: None,
                        default: vec!["bug".to_owned()],
                    },
                ),
            ],
        },
    );
    desk.write("The pause between attempts has no bound");
    desk.key(KeyCode::Tab);
    desk.write("ada@");
}

fn page(desk: &mut Desk) {
    asks(
        desk,
        QuestionKind::Page {
            message: "Sign in to the tracker to go on.".to_owned(),
            url: "https://tracker.example.org@xn--80ak6aa92e.com/login?next=%2Ftickets".to_owned(),
        },
    );
}

fn files(desk: &mut Desk) {
    approved(desk);
    desk.control('t');
    let paths = [
        "Cargo.toml",
        "README.md",
        "src/main.rs",
        "src/relay.rs",
        "src/retry.rs",
        "src/route/mod.rs",
        "src/route/table.rs",
        "tests/relay.rs",
        "tests/retry.rs",
    ];
    let found = Found::Files(paths.map(str::to_owned).to_vec().into());
    desk.app.update(Msg::Found(found));
    desk.write("retr");
    let text = "//! How long to wait before the next attempt.\n\nuse std::time::Duration;\n\n/// A plan for attempts.\n#[derive(Debug)]\npub struct Retry {\n    base: Duration,\n}\n\nimpl Retry {\n    fn wait(&self, attempt: u32) -> Duration {\n        self.base * 2_u32.pow(attempt)\n    }\n}";
    for path in ["Cargo.toml", "src/retry.rs"] {
        let lines = text.lines().map(str::to_owned).collect();
        let found = Found::Preview(path.to_owned(), lines);
        desk.app.update(Msg::Found(found));
    }
}

fn sessions(desk: &mut Desk) {
    start(desk);
    desk.write("/sessions");
    desk.key(KeyCode::Enter);
    let kept = [
        ("Wait longer between the attempts", 3, "2026-11-21 09:30"),
        ("Explain how a route is found", 1, "2026-11-20 17:02"),
        ("Rename `Table` to `Routes`", 6, "2026-11-20 14:45"),
        (
            "Find what reads the configuration twice",
            2,
            "2026-11-19 11:20",
        ),
    ];
    let kept = kept.map(|(title, turns, began)| Kept {
        id: began.to_owned(),
        title: title.to_owned(),
        root: "/home/ada/relay".to_owned(),
        turns,
        began: began.to_owned(),
    });
    desk.app.update(Msg::Found(Found::Sessions(kept.to_vec())));
}

fn trace(desk: &mut Desk) {
    approved(desk);
    for (prompt, cached, generated, ms) in [(2_461, 2_428, 96, 240), (2_590, 2_557, 41, 260)] {
        desk.event(Event::Generated {
            usage: Usage {
                prompt,
                cached,
                generated,
                prompt_ms: ms,
                generate_ms: 64 * generated,
                guessed: 52,
                guessed_right: 33,
                mask_us: 4_200,
            },
        });
    }
    run(desk, "/trace");
}

fn commands(desk: &mut Desk) {
    approved(desk);
    desk.control('p');
    desk.write("mo");
}

/// The change has the whole screen, side by side.
fn review(desk: &mut Desk) {
    several(desk);
    desk.key(KeyCode::Char('f'));
    desk.key(KeyCode::Char('s'));
}

fn loading(desk: &mut Desk) {
    desk.event(Event::ModelLoading {
        name: "qwen2.5-coder-1.5b".to_owned(),
        share: 0.42,
    });
}

fn reading(desk: &mut Desk) {
    start(desk);
    desk.event(Event::TurnStarted {
        turn: 1,
        text: "Why does the relay lose the first message?".to_owned(),
    });
    desk.event(Event::PromptProgressed {
        done: 1_200,
        total: 4_100,
        cached: 700,
    });
    desk.write("and look at the tests, too");
}

fn done(desk: &mut Desk) {
    approved(desk);
    desk.event(Event::Text {
        text: "## What changed\n\n- `wait` is **capped** at a minute\n- the constant has a name\n\n| attempt | before | now |\n| --- | --- | --- |\n| 1 | 2 s | 2 s |\n| 12 | 68 min | 60 s |\n\n```rust\nlet pause = retry.wait(12);\n```\n".to_owned(),
    });
    desk.event(Event::Notice {
        level: Level::Warning,
        text: "the context is 80 % full; older output is left out soon".to_owned(),
    });
    desk.event(Event::TurnEnded {
        turn: 1,
        summary: TurnSummary {
            wanted_change: true,
            reason: EndReason::Answered,
            changed: vec!["src/retry.rs".to_owned()],
            calls: 2,
            denied: 0,
            usage: Usage::default(),
            check: None,
        },
    });
}

fn command(desk: &mut Desk) {
    read(desk);
    desk.event(Event::CallProposed {
        call: ToolCall {
            id: CallId(4),
            server: "run".to_owned(),
            tool: "run".to_owned(),
            arguments: std::iter::once(("command".to_owned(), "cargo test --quiet retry".into()))
                .collect(),
        },
        risk: Risk::Command,
    });
    desk.event(Event::ApprovalRequested {
        call: CallId(4),
        reason: "it runs a program".to_owned(),
        change: None,
        ask: None,
    });
    desk.wait();
}

fn reason(desk: &mut Desk) {
    approval(desk);
    desk.key(KeyCode::Char('e'));
    desk.write("use saturating_pow instead");
}

fn completion(desk: &mut Desk) {
    start(desk);
    desk.write("/mo");
}

fn mention(desk: &mut Desk) {
    start(desk);
    desk.write("look at @ret");
    let paths = ["src/retry.rs", "tests/retry.rs", "src/route/mod.rs"];
    let found = Found::Files(paths.map(str::to_owned).to_vec().into());
    desk.app.update(Msg::Found(found));
}

fn help(desk: &mut Desk) {
    start(desk);
    desk.key(KeyCode::F(1));
}

fn search(desk: &mut Desk) {
    done(desk);
    desk.control('f');
    desk.write("wait");
}

fn queue(desk: &mut Desk) {
    read(desk);
    for text in [
        "Then run the tests.",
        "And write a line for the changelog.\nA short one.",
    ] {
        desk.event(Event::Queued {
            text: text.to_owned(),
        });
    }
    run(desk, "/queue");
}

fn plan(desk: &mut Desk) {
    start(desk);
    let step = |text: &str, state| Step {
        text: text.to_owned(),
        state,
    };
    desk.event(Event::PlanChanged {
        plan: Some(Plan {
            goal: "Let the pause between attempts be set.".to_owned(),
            steps: vec![
                step("Give `Retry` a field `longest`", StepState::Done),
                step(
                    "Read `retry.longest` from the configuration in src/config.rs",
                    StepState::Doing,
                ),
                step("Say in README.md what it does", StepState::Open),
                step("Test that a pause of 0 is refused", StepState::Open),
            ],
        }),
    });
    run(desk, "/plan");
}

fn servers(desk: &mut Desk) {
    approved(desk);
    for (server, state) in [
        ("fs", ServerState::Up { tools: 8 }),
        ("tracker", ServerState::Up { tools: 2 }),
        (
            "docs",
            ServerState::Down {
                reason: "it ended with status 1".to_owned(),
            },
        ),
    ] {
        desk.event(Event::ServerChanged {
            server: server.to_owned(),
            state,
        });
    }
    let tool = |tool: &str, about: &str, denied| ReportedTool {
        name: format!("tracker_{tool}"),
        tool: tool.to_owned(),
        about: about.to_owned(),
        line_tokens: 21,
        schema_tokens: 160,
        denied,
    };
    let report = ServerReport {
        name: "tracker".to_owned(),
        source: "your mcp.json".to_owned(),
        title: "Ticket tracker 2.1".to_owned(),
        era: "2025-11-25".to_owned(),
        capabilities: vec!["tools".to_owned(), "prompts".to_owned()],
        sandbox: vec!["read the repository".to_owned(), "no network".to_owned()],
        pinned: "2026-11-20".to_owned(),
        tools: vec![
            tool("search", "Finds tickets by words", false),
            tool("close", "Closes a ticket", true),
        ],
        ..ServerReport::default()
    };
    desk.event(Event::ServersReported {
        servers: vec![report],
    });
    run(desk, "/servers");
    for _ in 0..3 {
        desk.key(KeyCode::Down);
    }
    desk.key(KeyCode::Enter);
}

fn sampling(desk: &mut Desk) {
    asks(
        desk,
        QuestionKind::Prompt {
            system: Some("You name things.".to_owned()),
            messages: vec![("user".to_owned(), "Name a ticket about a leak.".to_owned())],
            max_tokens: 64,
        },
    );
}

fn definition(desk: &mut Desk) {
    asks(
        desk,
        QuestionKind::Definition {
            title: "Start the server tracker of this repository?".to_owned(),
            text: "command    uvx tracker-mcp\nprogram    sha256 9f2c…41aa\nnetwork    none"
                .to_owned(),
        },
    );
}

fn lost(desk: &mut Desk) {
    read(desk);
    desk.app.update(Msg::SessionLost);
}

fn run(desk: &mut Desk, command: &str) {
    desk.write(command);
    desk.key(KeyCode::Enter);
}

fn about(desk: &mut Desk, page: &str) {
    approved(desk);
    run(desk, &format!("/{page}"));
}
