//! The pictures in `assets/`, drawn by the program itself: `UPDATE_SHOTS=1 cargo test --test shots` draws them anew.

#![expect(clippy::disallowed_methods, reason = "reads and writes the pictures")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use ratatui::{Terminal, backend::TestBackend};
use unicode_width::UnicodeWidthStr as _;
use walden::protocol::{
    CallForm, CallId, ChangeKind, Choice, Event, Field, FieldKind, FileChange, Finding, Hunk, Line,
    LineKind, Mode, ModelInfo, ModelMemory, Outcome, Question, QuestionId, QuestionKind,
    ReviewNews, ReviewTarget, Risk, Severity, TextFormat, ToolCall, ToolList, Usage,
};
use walden::tui::{App, Defined, Depth, Facts, Found, Kept, Msg, Theme, view};

const SIZE: (u16, u16) = (100, 28);
const CELL: (f32, f32) = (8.4, 18.0);
const PAPER: &str = "#10141a";
const INK: &str = "#d6dae0";

/// A picture: its name, the theme, and what is done to get there.
type Shot = (&'static str, &'static str, fn(&mut Desk));

const SHOTS: &[Shot] = &[
    ("welcome", "dark", start),
    ("approval", "dark", approval),
    ("approval-colour-blind", "colour-blind", approval),
    ("form", "dark", form),
    ("page", "dark", page),
    ("commands", "dark", |desk| {
        approved(desk);
        desk.control('p');
        desk.write("mo");
    }),
    ("files", "dark", files),
    ("sessions", "dark", sessions),
    ("review", "dark", |desk| {
        several(desk);
        desk.key(KeyCode::Char('f'));
        desk.key(KeyCode::Char('s'));
    }),
    ("set", "dark", several),
    ("findings", "dark", findings),
    ("symbols", "dark", symbols),
    ("trace", "dark", |desk| {
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
        desk.write("/trace");
        desk.key(KeyCode::Enter);
    }),
    ("context", "dark", |desk| about(desk, "context")),
    ("model", "dark", |desk| about(desk, "model")),
];

struct Desk {
    app: App,
    now: Duration,
}

impl Desk {
    fn new(theme: &str) -> Self {
        let facts = Facts {
            model: "qwen2.5-coder-1.5b".to_owned(),
            root: "/home/ada/relay".to_owned(),
            enforced: "sealed · net off · 1 root".to_owned(),
            still: false,
            prompts: Vec::new(),
        };
        let theme = Theme::built_in_or_default(theme, Depth::True);
        let app = App::new(facts, theme, Vec::new(), SIZE);
        app.highlighter().load();
        Self {
            app,
            now: Duration::from_secs(1),
        }
    }

    fn event(&mut self, event: Event) {
        let at = self.now;
        self.app.update(Msg::Session { event, at });
    }

    fn wait(&mut self) {
        self.now += Duration::from_secs(1);
        let now = self.now;
        self.app.update(Msg::Tick { now });
    }

    fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        let (key, at) = (KeyEvent::new(code, modifiers), self.now);
        self.app.update(Msg::Key { key, at });
    }

    fn key(&mut self, code: KeyCode) {
        self.press(code, KeyModifiers::NONE);
    }

    fn control(&mut self, c: char) {
        self.press(KeyCode::Char(c), KeyModifiers::CONTROL);
    }

    fn write(&mut self, text: &str) {
        for c in text.chars() {
            self.key(KeyCode::Char(c));
        }
    }

    fn picture(&self) -> String {
        let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).expect("a terminal");
        terminal
            .draw(|frame| view(&self.app, frame))
            .expect("a frame");
        svg(terminal.backend().buffer())
    }
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
    }
}

fn asks(desk: &mut Desk, kind: QuestionKind) {
    approved(desk);
    desk.event(Event::Asked {
        question: Question {
            id: QuestionId(1),
            server: "tracker".to_owned(),
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

fn about(desk: &mut Desk, page: &str) {
    approved(desk);
    desk.write(&format!("/{page}"));
    desk.key(KeyCode::Enter);
}

/// Draws a screen as text that scales, with each run where its cells are.
fn svg(buffer: &Buffer) -> String {
    let (width, height) = (f32::from(SIZE.0) * CELL.0, f32::from(SIZE.1) * CELL.1);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {:.0}\" font-family=\"ui-monospace,'DejaVu Sans \
         Mono',Menlo,Consolas,monospace\" font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{PAPER}\"/>\n",
        width + 24.0,
        height + 24.0
    );
    for y in 0..SIZE.1 {
        let mut x = 0;
        while x < SIZE.0 {
            let first = &buffer[(x, y)];
            let (from, mut text) = (x, String::new());
            while x < SIZE.0 {
                let cell = &buffer[(x, y)];
                let same =
                    (cell.fg, cell.bg, cell.modifier) == (first.fg, first.bg, first.modifier);
                if !same {
                    break;
                }
                text.push_str(cell.symbol());
                x += (cell.symbol().width() as u16).max(1);
            }
            run(&mut out, first, &text, from, x - from, y);
        }
    }
    out.push_str("</svg>\n");
    out
}

fn run(out: &mut String, cell: &ratatui::buffer::Cell, text: &str, x: u16, wide: u16, y: u16) {
    let has = |modifier| cell.modifier.contains(modifier);
    let (mut fg, mut bg) = (hex(cell.fg, INK), hex(cell.bg, PAPER));
    if has(Modifier::REVERSED) {
        std::mem::swap(&mut fg, &mut bg);
    }
    let left = 12.0 + f32::from(x) * CELL.0;
    let top = 12.0 + f32::from(y) * CELL.1;
    let span = f32::from(wide) * CELL.0;
    if bg != PAPER {
        let _ = writeln!(
            out,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{span:.1}\" height=\"{:.1}\" fill=\"{bg}\"/>",
            CELL.1
        );
    }
    let shown = text.trim_end();
    if shown.is_empty() {
        return;
    }
    let mut style = String::new();
    for (modifier, attribute) in [
        (Modifier::BOLD, " font-weight=\"bold\""),
        (Modifier::DIM, " opacity=\"0.65\""),
        (Modifier::ITALIC, " font-style=\"italic\""),
        (Modifier::UNDERLINED, " text-decoration=\"underline\""),
        (Modifier::CROSSED_OUT, " text-decoration=\"line-through\""),
    ] {
        if has(modifier) {
            style.push_str(attribute);
        }
    }
    // Each word where its cells are, whatever font draws it.
    let mut at = 0;
    for word in shown.split_inclusive("  ") {
        let lead = word.len() - word.trim_start().len();
        let text = word.trim();
        if !text.is_empty() {
            let escaped = text
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{fg}\"{style} textLength=\"{:.1}\" \
                 lengthAdjust=\"spacingAndGlyphs\">{escaped}</text>",
                left + (at + lead) as f32 * CELL.0,
                top + 13.5,
                text.width() as f32 * CELL.0
            );
        }
        at += word.width();
    }
}

fn hex(colour: Color, otherwise: &str) -> String {
    match colour {
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Reset => otherwise.to_owned(),
        other => panic!("the themes of the pictures name {other:?} by a number"),
    }
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("assets/{name}.svg"))
}

#[test]
fn every_picture_is_there_and_can_be_drawn_anew() {
    for (name, theme, arrange) in SHOTS {
        let mut desk = Desk::new(theme);
        arrange(&mut desk);
        let drawn = desk.picture();
        if std::env::var_os("UPDATE_SHOTS").is_some() {
            std::fs::write(path(name), &drawn).expect("writable");
        }
        let kept = std::fs::read_to_string(path(name)).expect(name);
        assert!(
            kept.starts_with("<svg ") && drawn.ends_with("</svg>\n"),
            "{name}"
        );
    }
}

#[test]
fn every_picture_in_the_readme_is_one_of_them() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).expect("readable");
    let mut named = 0;
    for part in readme.split("](assets/").skip(1) {
        let Some(name) = part
            .split(')')
            .next()
            .and_then(|file| file.strip_suffix(".svg"))
        else {
            continue;
        };
        assert!(SHOTS.iter().any(|(shot, ..)| *shot == name), "{name}");
        named += 1;
    }
    assert!(named > 0, "the README shows no picture");
}
