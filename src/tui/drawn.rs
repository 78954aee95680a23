//! Whatever happens, at any size: what the terminal shows is what was meant, and nothing panics. The bytes of real
//! frames go through a terminal's own interpreter, `vt100`.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::{buffer::Buffer, layout::Rect};
use unicode_width::UnicodeWidthStr as _;

use super::app::{App, Facts, Msg};
use super::picker::{Defined, Found};
use super::screen::Screen;
use super::theme::{Depth, Theme};
use super::unsure;
use super::view;
use crate::protocol::{
    CallId, ChangeKind, CheckResult, Decision, EndReason, Event, FileChange, Finding, Hunk, Level,
    Line, LineKind, Message, Mode, ModelFailure, Outcome, Question, QuestionId, QuestionKind,
    ReviewNews, Risk, SearchEnd, SearchNews, Sent, Severity, ToolCall, TrialOf, TurnSummary, Usage,
};

/// The program, and the terminal that its bytes reach.
struct Desk {
    app: App,
    screen: Screen,
    terminal: vt100::Parser,
    now: Duration,
}

impl Desk {
    fn new(width: u16, height: u16) -> Self {
        let theme = Theme::built_in_or_default("dark", Depth::True);
        let facts = Facts {
            model: "tiny-coder".to_owned(),
            root: "/srv/project".to_owned(),
            enforced: "sealed · net off · 1 root".to_owned(),
            ..Facts::default()
        };
        let mut terminal = vt100::Parser::new(height.max(2), width.max(2), 0);
        terminal.process(b"\x1b[?1049h\x1b[?25l");
        Self {
            app: App::new(facts, theme, Vec::new(), (width, height)),
            screen: Screen::new(width, height),
            terminal,
            now: Duration::from_secs(1),
        }
    }

    fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        let (key, at) = (KeyEvent::new(code, modifiers), self.now);
        self.app.update(Msg::Key { key, at });
    }

    fn event(&mut self, event: Event) {
        let at = self.now;
        self.app.update(Msg::Session { event, at });
    }

    fn resize(&mut self, width: u16, height: u16) {
        self.screen.resize(width, height);
        self.app.update(Msg::Resize { width, height });
        let terminal = self.terminal.screen_mut();
        terminal.set_size(height.max(2), width.max(2));
    }

    /// Draws a frame, and checks that it is what the terminal shows. Returns what it took.
    fn frame(&mut self) -> usize {
        let area = self.screen.area();
        let mut meant = Buffer::empty(area);
        let cursor = view::draw(&self.app, &mut meant, area);
        if let Some(at) = cursor {
            assert!(area.contains(at), "the cursor is at {at} of {area}");
        }
        let bytes = self.screen.frame(|buffer| {
            buffer.clone_from(&meant);
            cursor
        });
        // The interpreter leaves out the character that stands for what is none.
        let text = String::from_utf8_lossy(&bytes).replace('\u{fffd}', "?");
        self.terminal.process(text.as_bytes());
        // It has no screens of one column or line: what it shows then is wider.
        if area.width > 1 && area.height > 1 {
            self.shows(&meant, area);
            if let Some(at) = cursor {
                let shown = self.terminal.screen().cursor_position();
                assert_eq!(shown, (at.y, at.x), "the cursor");
            }
            assert_eq!(self.terminal.screen().hide_cursor(), cursor.is_none());
        }
        bytes.len()
    }

    fn shows(&self, meant: &Buffer, area: Rect) {
        for y in 0..area.height {
            let mut x = 0;
            while x < area.width {
                let symbol = meant[(x, y)].symbol();
                // About what is put together from several characters, terminals disagree, this one too; but not about
                // where the rest of the line is.
                if unsure::is_unsure(symbol) {
                    x += symbol.width().max(1) as u16;
                    continue;
                }
                let cell = self.terminal.screen().cell(y, x).expect("a cell");
                let symbol = symbol.replace('\u{fffd}', "?");
                assert_eq!(cell.contents().trim(), symbol.trim(), "at {x}, {y}");
                x += symbol.width().max(1) as u16;
            }
        }
    }
}

/// What may happen.
#[derive(Debug, Clone)]
enum Act {
    Key(KeyCode, KeyModifiers),
    Paste(String),
    Event(Event),
    Found(Found),
    Resize(u16, u16),
    Wait(u64),
}

fn act(desk: &mut Desk, act: Act) {
    match act {
        Act::Key(code, modifiers) => desk.key(code, modifiers),
        Act::Paste(text) => {
            let at = desk.now;
            drop(desk.app.update(Msg::Paste { text, at }));
        }
        Act::Event(event) => desk.event(event),
        Act::Found(found) => drop(desk.app.update(Msg::Found(found))),
        Act::Resize(width, height) => desk.resize(width, height),
        Act::Wait(milliseconds) => {
            desk.now += Duration::from_millis(milliseconds);
            let now = desk.now;
            drop(desk.app.update(Msg::Tick { now }));
        }
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        // Of rare characters a terminal's tables may be older than the program's: common ones, of one and two columns.
        "[ -~äöüßñéЖλ世界日本語가]{0,40}",
        "[a-z ]{0,200}",
        proptest::sample::select(vec![
            "世界👩💻 e\u{301}a\u{301} end".to_owned(),
            "👩\u{200d}💻 👨\u{200d}👩\u{200d}👧 🇩🇪🇫🇷 👍🏽 ❤\u{fe0f} end".to_owned(),
            "🇩🇪".repeat(90),
            "👨\u{200d}👩\u{200d}👧x".repeat(60),
            "\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{202e}abc\u{202c} \u{645}\u{631}".to_owned(),
            "a\tb\r\nc\x1b[31m\x07\x1b]0;x\x07d".to_owned(),
            "```rust\nfn x() -> u32 {\n\t世界\n}\n```\n- one\n  - two\n\n| a | b |\n|--|--|\n| 1 | 世 |".to_owned(),
            "x".repeat(700),
            "line\n".repeat(120),
        ]),
    ]
}

fn keys() -> impl Strategy<Value = Act> {
    let key = |modifiers, characters: &str| {
        let characters: Vec<char> = characters.chars().collect();
        proptest::sample::select(characters)
            .prop_map(move |c| Act::Key(KeyCode::Char(c), modifiers))
    };
    let named = proptest::sample::select(vec![
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::BackTab,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Backspace,
        KeyCode::Delete,
        KeyCode::F(1),
    ]);
    prop_oneof![
        3 => key(KeyModifiers::NONE, "abefjknopsvxy[]/@#? 1世\u{301}"),
        2 => key(KeyModifiers::CONTROL, "pctoyfulgsn_wkj"),
        1 => key(KeyModifiers::ALT, "torf"),
        3 => named.prop_map(|code| Act::Key(code, KeyModifiers::NONE)),
        1 => Just(Act::Key(KeyCode::Up, KeyModifiers::ALT)),
    ]
}

fn commands() -> impl Strategy<Value = Vec<Act>> {
    let names: Vec<&str> = super::COMMANDS.iter().map(|entry| entry.name).collect();
    proptest::sample::select(names).prop_map(|name| {
        let typed = format!("/{name}");
        let mut acts: Vec<Act> = typed
            .chars()
            .map(|c| Act::Key(KeyCode::Char(c), KeyModifiers::NONE))
            .collect();
        acts.push(Act::Key(KeyCode::Enter, KeyModifiers::NONE));
        acts
    })
}

fn change(text: &str, lines: usize) -> FileChange {
    let kinds = [LineKind::Context, LineKind::Removed, LineKind::Added];
    let lines: Vec<Line> = (0..lines)
        .map(|at| Line {
            kind: kinds[at % 3],
            text: text.lines().nth(at % 4).unwrap_or("let x = 1;").to_owned(),
        })
        .collect();
    let of = |kind| lines.iter().filter(|line| line.kind == kind).count();
    let (added, removed) = (of(LineKind::Added), of(LineKind::Removed));
    let context = of(LineKind::Context);
    FileChange {
        path: format!("src/{}.rs", text.chars().take(9).collect::<String>()),
        kind: ChangeKind::Modify,
        base: None,
        after: None,
        hunks: vec![Hunk {
            old_start: 7,
            old_lines: context + removed,
            new_start: 7,
            new_lines: context + added,
            lines,
        }],
        added,
        removed,
        notes: Vec::new(),
        others: Vec::new(),
        from: None,
        modes: None,
    }
}

fn events() -> impl Strategy<Value = Event> {
    (0..24_u8, 1..4_u64, texts(), 0..50_usize).prop_map(|(kind, id, text, size)| {
        let call = CallId(id);
        let number = size as u32;
        match kind {
            0 => Event::TurnStarted { turn: number, text },
            1 => Event::PromptProgressed {
                done: number * 20,
                total: 1_000,
                cached: number,
            },
            2 | 3 => Event::Text { text },
            4 => Event::Reasoning { text },
            5 | 6 => Event::CallProposed {
                call: ToolCall {
                    id: call,
                    server: "fs".to_owned(),
                    tool: "edit".to_owned(),
                    arguments: std::iter::once(("path".to_owned(), text.into())).collect(),
                },
                risk: Risk::Edit,
            },
            7 | 8 => Event::ApprovalRequested {
                call,
                change: (size > 3).then(|| change(&text, size)),
                reason: text,
                ask: None,
            },
            9 => Event::Decided {
                call,
                decision: Decision::Deny { reason: Some(text) },
            },
            10 => Event::CallProgressed { call, text },
            11 => Event::CallFinished {
                call,
                outcome: Outcome::Done { text },
            },
            12 => Event::ChangeApplied {
                call,
                change: change(&text, size),
            },
            13 => Event::Generated {
                usage: Usage {
                    prompt: number * 100,
                    cached: number * 40,
                    generated: number,
                    prompt_ms: number * 30,
                    generate_ms: number * 70,
                    ..Usage::default()
                },
            },
            14 => Event::Notice {
                level: Level::Warning,
                text,
            },
            15 => Event::Queued { text },
            16 => Event::Asked {
                question: Question {
                    id: QuestionId(id),
                    server: text.clone(),
                    request: None,
                    kind: QuestionKind::Page {
                        message: text,
                        url: "https://example.org/login".to_owned(),
                    },
                },
            },
            17 => Event::Reviewed {
                news: ReviewNews::Found {
                    finding: Finding {
                        path: "src/a.rs".to_owned(),
                        from: number,
                        to: number + 2,
                        severity: Severity::Error,
                        title: text.clone(),
                        explanation: text,
                        suggestion: String::new(),
                        votes: 1,
                        passes: 2,
                    },
                },
            },
            18 => Event::ModelFailed {
                failure: ModelFailure::Engine { message: text },
            },
            19 => Event::PromptTold {
                sent: Some(Box::new(Sent {
                    messages: vec![Message::User { text }],
                    tools: vec!["read".to_owned()],
                })),
            },
            21 => Event::Searched {
                news: match size % 3 {
                    0 => SearchNews::Began {
                        path: text,
                        command: Some("check".to_owned()),
                        base: None,
                    },
                    1 => SearchNews::Trying {
                        call,
                        trial: TrialOf::Edit,
                    },
                    _ => SearchNews::Tried {
                        call,
                        result: CheckResult {
                            reached: number,
                            failed: 3,
                            ..CheckResult::default()
                        },
                    },
                },
            },
            22 => Event::Searched {
                news: SearchNews::Ended {
                    end: SearchEnd::Furthest,
                    wall_ms: id * 1_234,
                },
            },
            20 => Event::SessionStarted {
                id: "1".to_owned(),
                root: text,
                mode: Mode::Edit,
                resumed: false,
            },
            _ => Event::TurnEnded {
                turn: number,
                summary: TurnSummary {
                    wanted_change: false,
                    reason: EndReason::Failed { message: text },
                    changed: Vec::new(),
                    calls: number,
                    denied: 0,
                    usage: Usage::default(),
                    check: None,
                },
            },
        }
    })
}

fn found() -> impl Strategy<Value = Found> {
    (0..3_u8, texts(), 0..80_usize).prop_map(|(kind, text, many)| match kind {
        0 => Found::Files(vec![text; many].into()),
        1 => Found::Preview(text.clone(), vec![text; many]),
        _ => {
            let symbol = Defined {
                name: text.clone(),
                kind: "function",
                container: Some(text.clone()),
                path: text,
                line: many,
                end: many + 9,
            };
            Found::Symbols(vec![symbol; many].into())
        }
    })
}

fn sizes() -> impl Strategy<Value = (u16, u16)> {
    prop_oneof![
        (1..12_u16, 1..8_u16),
        (12..60_u16, 3..20_u16),
        (60..140_u16, 10..40_u16)
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let one = prop_oneof![
        6 => keys().prop_map(|act| vec![act]),
        6 => events().prop_map(|event| vec![Act::Event(event)]),
        2 => commands(),
        1 => texts().prop_map(|text| vec![Act::Paste(text)]),
        1 => found().prop_map(|found| vec![Act::Found(found)]),
        1 => sizes().prop_map(|(width, height)| vec![Act::Resize(width, height)]),
        1 => (0..2_000_u64).prop_map(|ms| vec![Act::Wait(ms)]),
    ];
    proptest::collection::vec(one, 1..40).prop_map(|acts| acts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_terminal_shows_what_was_meant(size in sizes(), acts in acts()) {
        let mut desk = Desk::new(size.0, size.1);
        desk.frame();
        for one in acts {
            act(&mut desk, one);
            desk.frame();
        }
    }
}

/// A desk at the size that figures are told for, with a turn that writes.
fn writing() -> Desk {
    let mut desk = Desk::new(120, 40);
    desk.event(Event::TurnStarted {
        turn: 1,
        text: "Explain it.".to_owned(),
    });
    desk.event(Event::Text {
        text: "It begins.\n\n".to_owned(),
    });
    desk.frame();
    desk
}

#[test]
fn a_key_costs_a_few_bytes_also_while_the_model_writes() {
    let mut desk = writing();
    let text = "please say more about the second part of it";
    let bytes: usize = text
        .chars()
        .map(|c| {
            desk.key(KeyCode::Char(c), KeyModifiers::NONE);
            desk.frame()
        })
        .sum();
    let each = bytes / text.len();
    assert!(each <= 10, "{each} bytes for a key");
}

#[test]
fn a_token_costs_less_than_forty_five_bytes_in_a_frame_of_its_own() {
    let mut desk = writing();
    let words = [
        "The", " host", " plans", " each", " edit", " and", " shows", " it", ",", " then",
        " writes", ".",
    ];
    let many = 240;
    let bytes: usize = words
        .iter()
        .cycle()
        .take(many)
        .map(|word| {
            desk.event(Event::Text {
                text: (*word).to_owned(),
            });
            desk.frame()
        })
        .sum();
    let each = bytes / many;
    assert!(each <= 45, "{each} bytes for a token");
}

#[test]
fn nothing_is_written_where_nothing_changed() {
    let mut desk = writing();
    assert_eq!(desk.frame(), 0);
}

/// A desk at the end of a session of so many turns.
fn after(turns: u32) -> Desk {
    let mut desk = Desk::new(120, 40);
    for turn in 1..=turns {
        let text = format!("What about part {turn}?");
        desk.event(Event::TurnStarted { turn, text });
        let text = format!("Part {turn} is in `src/part.rs`:\n\n- it reads\n- it writes\n");
        desk.event(Event::Text { text });
        desk.event(Event::TurnEnded {
            turn,
            summary: TurnSummary {
                wanted_change: false,
                reason: EndReason::Answered,
                changed: Vec::new(),
                calls: 0,
                denied: 0,
                usage: Usage::default(),
                check: None,
            },
        });
    }
    desk.frame();
    desk
}

#[test]
fn a_frame_looks_at_what_is_in_sight_whatever_the_session_s_length() {
    let mut desk = after(10_000);
    let looked = |desk: &mut Desk, code| {
        let before = desk.app.pane.asked();
        desk.key(code, KeyModifiers::NONE);
        desk.frame();
        desk.app.pane.asked() - before
    };
    let key = looked(&mut desk, KeyCode::Char('x'));
    assert!((1..100).contains(&key), "a key: {key} items");
    // Of what is below the page, so much is counted as the marker says.
    for _ in 0..3 {
        let page = looked(&mut desk, KeyCode::PageUp);
        assert!((1..2_500).contains(&page), "a page: {page} items of 30,000");
    }
}
