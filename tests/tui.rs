//! The terminal UI as its user meets it: keys and events in, commands and frames out.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend};
use walden::protocol::{
    Ask, CallForm, CallId, ChangeKind, Decision, EndReason, Event, FileChange, Hunk, Level, Line,
    LineKind, Message, Mode, ModelFailure, ModelInfo, Op, Outcome, Risk, Scope, Sent, ToolCall,
    ToolList, TurnSummary, Undone, Usage, Why,
};
use walden::tui::{App, Cmd, Defined, Depth, Facts, Found, Kept, Msg, Switch, Theme, Want, view};

/// An app with a clock that the test turns.
struct Desk {
    app: App,
    now: Duration,
    size: (u16, u16),
}

impl Desk {
    fn new(size: (u16, u16), theme: &str) -> Self {
        let desk = Self::plain(size, theme);
        desk.app.highlighter().load();
        desk
    }

    /// A desk without grammars, which take a while to load.
    fn plain(size: (u16, u16), theme: &str) -> Self {
        let facts = Facts {
            model: "tiny-coder".to_owned(),
            root: "/srv/project".to_owned(),
            enforced: "roots by openat2 · not sealed".to_owned(),
            still: false,
            prompts: Vec::new(),
        };
        let theme = Theme::built_in_or_default(theme, Depth::Ansi16);
        let app = App::new(facts, theme, vec!["an earlier message".to_owned()], size);
        Self {
            app,
            now: Duration::from_secs(1),
            size,
        }
    }

    fn wait(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        let now = self.now;
        self.app.update(Msg::Tick { now });
    }

    fn event(&mut self, event: Event) {
        let at = self.now;
        assert_eq!(self.app.update(Msg::Session { event, at }), []);
    }

    fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) -> Vec<Cmd> {
        let (key, at) = (KeyEvent::new(code, modifiers), self.now);
        self.app.update(Msg::Key { key, at })
    }

    fn key(&mut self, code: KeyCode) -> Vec<Cmd> {
        self.press(code, KeyModifiers::NONE)
    }

    fn control(&mut self, c: char) -> Vec<Cmd> {
        self.press(KeyCode::Char(c), KeyModifiers::CONTROL)
    }

    fn write(&mut self, text: &str) -> Vec<Cmd> {
        text.chars()
            .flat_map(|c| self.key(KeyCode::Char(c)))
            .collect()
    }

    fn paste(&mut self, text: &str) {
        let (text, at) = (text.to_owned(), self.now);
        self.app.update(Msg::Paste { text, at });
    }

    fn frame(&self) -> String {
        let (width, height) = self.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal
            .draw(|frame| view(&self.app, frame))
            .expect("a frame");
        let buffer = terminal.backend().buffer().clone();
        let mut out = String::new();
        for y in 0..height {
            let mut skip = 0;
            let mut line = String::new();
            for x in 0..width {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                let symbol = buffer[(x, y)].symbol();
                skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
                line.push_str(symbol);
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

fn call(id: u64, tool: &str, argument: (&str, &str)) -> ToolCall {
    ToolCall {
        id: CallId(id),
        server: "fs".to_owned(),
        tool: tool.to_owned(),
        arguments: std::iter::once((argument.0.to_owned(), argument.1.into())).collect(),
    }
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
            old_start: 10,
            old_lines: 4,
            new_start: 10,
            new_lines: 5,
            lines: vec![
                line(LineKind::Context, "impl Retry {"),
                line(LineKind::Removed, "    const LIMIT: u32 = 3;"),
                line(LineKind::Added, "    const LIMIT: u32 = 5;"),
                line(LineKind::Added, "\tconst NAME: &str = \"世界\";"),
                line(LineKind::Context, "}"),
            ],
        }],
        added: 2,
        removed: 1,
        notes: Vec::new(),
        others: Vec::new(),
        from: None,
        modes: None,
    }
}

fn usage() -> Usage {
    Usage {
        prompt: 3200,
        cached: 1200,
        generated: 80,
        prompt_ms: 4000,
        generate_ms: 6500,
        ..Usage::default()
    }
}

fn start(desk: &mut Desk) {
    desk.event(Event::SessionStarted {
        id: "1".to_owned(),
        root: "/srv/project".to_owned(),
        mode: Mode::Ask,
        resumed: false,
    });
    desk.event(Event::ModelLoaded {
        info: ModelInfo {
            name: "tiny-coder".to_owned(),
            title: "Tiny".to_owned(),
            architecture: "qwen2".to_owned(),
            parameters: 1,
            context: 8192,
            form: CallForm::JsonFence,
            memory: walden::protocol::ModelMemory::default(),
            tools: ToolList::Text,
        },
    });
}

/// A turn up to the question whether a file may be edited.
fn ask(desk: &mut Desk) {
    start(desk);
    desk.event(Event::TurnStarted {
        turn: 1,
        text: "raise the limit".to_owned(),
    });
    desk.event(Event::PromptProgressed {
        done: 3200,
        total: 3200,
        cached: 1200,
    });
    desk.event(Event::Reasoning {
        text: "The limit is a constant. I edit it.".to_owned(),
    });
    desk.event(Event::Text {
        text:
            "The limit is in `src/retry.rs`:\n\n```rust\nconst LIMIT: u32 = 3;\n```\n\nI raise it."
                .to_owned(),
    });
    desk.event(Event::CallProposed {
        call: call(1, "read", ("path", "src/retry.rs")),
        risk: Risk::Read,
    });
    desk.event(Event::CallFinished {
        call: CallId(1),
        outcome: Outcome::Done {
            text: "a\nb\nc\n".to_owned(),
        },
    });
    desk.event(Event::Generated { usage: usage() });
    desk.event(Event::CallProposed {
        call: call(2, "edit", ("path", "src/retry.rs")),
        risk: Risk::Edit,
    });
    desk.event(Event::ApprovalRequested {
        call: CallId(2),
        reason: "the mode is ask, and this changes a file".to_owned(),
        change: Some(change()),
        ask: None,
    });
}

/// The rest of that turn.
fn finish(desk: &mut Desk) {
    desk.event(Event::Decided {
        call: CallId(2),
        decision: Decision::Allow { scope: Scope::Once },
    });
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
    desk.event(Event::TurnEnded {
        turn: 1,
        summary: TurnSummary {
            wanted_change: false,
            reason: EndReason::Answered,
            changed: vec!["src/retry.rs".to_owned()],
            calls: 2,
            denied: 0,
            usage: usage(),
            check: None,
        },
    });
}

fn decided(decision: Decision) -> Vec<Cmd> {
    vec![Cmd::Send(Op::Decide {
        call: CallId(2),
        decision,
    })]
}

fn allow() -> Vec<Cmd> {
    decided(Decision::Allow { scope: Scope::Once })
}

fn submitted(cmds: &[Cmd]) -> Option<&str> {
    cmds.iter().find_map(|cmd| match cmd {
        Cmd::Send(Op::Submit { text }) => Some(text.as_str()),
        _ => None,
    })
}

#[test]
fn a_question_that_is_asked_once_says_what_runs_where_and_for_how_long() {
    for (tool, name, words, why, verb) in [
        (
            "check",
            "the project, after this change",
            ["cargo", "test"],
            Why::Check,
            "Run the project's check?",
        ),
        (
            "probe",
            "edits of `a.py`, on sample calls",
            ["python3", "a.py"],
            Why::Samples,
            "Try edits on sample calls?",
        ),
    ] {
        let mut desk = Desk::plain((80, 24), "mono");
        start(&mut desk);
        let mut call = call(2, tool, ("name", name));
        call.server = "run".to_owned();
        call.arguments
            .insert("argv".to_owned(), words.to_vec().into());
        let mut ask = Ask::about(&call, Risk::Command, &[], vec![why]);
        ask.confined =
            Some("a copy of the repository, which is all that it writes; no network".to_owned());
        desk.event(Event::CallProposed {
            call: call.clone(),
            risk: Risk::Command,
        });
        desk.event(Event::ApprovalRequested {
            call: call.id,
            reason: ask.reason(),
            change: None,
            ask: Some(Box::new(ask)),
        });
        desk.wait(400);
        let frame = desk.frame();
        for shown in [
            verb,
            &format!("$ {}", words.join(" ")),
            "your answer holds for the",
            "confined to a copy of the repository",
            "allow for this session",
            &format!("run.{tool} · {name}"),
        ] {
            assert!(frame.contains(shown), "{shown} in\n{frame}");
        }
        for other in ["from now on", "argv:", "name:"] {
            assert!(!frame.contains(other), "{other} in\n{frame}");
        }
        assert_eq!(desk.key(KeyCode::Char('y')), allow());
    }
}

#[test]
fn a_decision_counts_once() {
    let mut desk = Desk::new((80, 24), "default");
    ask(&mut desk);
    desk.wait(400);
    assert_eq!(desk.key(KeyCode::Char('y')), allow());
    for code in ['y', 'a', 'n'] {
        assert_eq!(desk.key(KeyCode::Char(code)), []);
    }
}

#[test]
fn each_key_answers_as_its_hint_says() {
    for (key, decision) in [
        ('y', Decision::Allow { scope: Scope::Once }),
        (
            'a',
            Decision::Allow {
                scope: Scope::Session,
            },
        ),
        ('n', Decision::Deny { reason: None }),
    ] {
        let mut desk = Desk::new((80, 24), "default");
        ask(&mut desk);
        desk.wait(400);
        assert_eq!(desk.key(KeyCode::Char(key)), decided(decision));
    }
}

#[test]
fn enter_is_no_answer() {
    let mut desk = Desk::new((80, 24), "default");
    ask(&mut desk);
    desk.wait(400);
    assert_eq!(desk.key(KeyCode::Enter), []);
    assert_eq!(desk.key(KeyCode::Char('q')), []);
    assert_eq!(desk.key(KeyCode::Char('y')), allow());
}

#[test]
fn type_ahead_is_not_an_answer() {
    let mut desk = Desk::new((80, 24), "default");
    start(&mut desk);
    assert_eq!(desk.write("what does "), []);
    ask(&mut desk);
    // The message goes on, with a letter each 200 ms, long after the pane has come up.
    for c in "any of it say".chars() {
        desk.wait(200);
        assert_eq!(desk.key(KeyCode::Char(c)), [], "{c}");
    }
    desk.wait(301);
    assert_eq!(
        desk.key(KeyCode::Char('n')),
        decided(Decision::Deny { reason: None })
    );
    finish(&mut desk);
    assert!(desk.frame().contains("› what does any of it say"));
}

#[test]
fn the_pane_asks_for_one_tick_and_then_for_none() {
    let mut desk = Desk::new((80, 24), "default");
    ask(&mut desk);
    assert_eq!(
        desk.app.next_tick(),
        Some(desk.now + Duration::from_millis(300))
    );
    desk.wait(300);
    assert_eq!(desk.app.next_tick(), None);
}

#[test]
fn nothing_ticks_while_nothing_happens() {
    let mut desk = Desk::new((80, 24), "default");
    assert_eq!(desk.app.next_tick(), None);
    start(&mut desk);
    assert_eq!(desk.app.next_tick(), None);
    ask(&mut desk);
    desk.wait(400);
    finish(&mut desk);
    assert_eq!(desk.app.next_tick(), None);
}

#[test]
fn a_denial_can_say_why() {
    let mut desk = Desk::new((80, 24), "default");
    ask(&mut desk);
    desk.wait(400);
    assert_eq!(desk.key(KeyCode::Char('e')), []);
    assert_eq!(desk.write("yes, but not any"), []);
    assert!(desk.frame().contains("why not? yes, but not any"));
    // Escape takes the reason back, not the turn.
    assert_eq!(desk.key(KeyCode::Esc), []);
    assert_eq!(desk.key(KeyCode::Char('e')), []);
    desk.write("use 4");
    assert_eq!(
        desk.key(KeyCode::Enter),
        decided(Decision::Deny {
            reason: Some("use 4".to_owned())
        })
    );
}

#[test]
fn escape_interrupts_the_turn_also_while_it_asks() {
    let mut desk = Desk::new((80, 24), "default");
    start(&mut desk);
    assert_eq!(desk.key(KeyCode::Esc), []);
    ask(&mut desk);
    assert_eq!(desk.key(KeyCode::Esc), [Cmd::Send(Op::Interrupt)]);
    finish(&mut desk);
    assert_eq!(desk.key(KeyCode::Esc), []);
}

#[test]
fn control_c_stops_then_empties_then_leaves() {
    let mut desk = Desk::new((80, 24), "default");
    ask(&mut desk);
    assert_eq!(desk.control('c'), [Cmd::Send(Op::Interrupt)]);
    finish(&mut desk);
    desk.write("draft");
    assert_eq!(desk.control('c'), []);
    assert!(!desk.frame().contains("draft"));
    assert_eq!(desk.control('c'), []);
    assert!(desk.frame().contains("press Ctrl-C again to quit"));
    assert_eq!(desk.control('c'), [Cmd::Send(Op::Shutdown), Cmd::Quit]);
}

#[test]
fn another_key_takes_the_wish_to_leave_back() {
    let mut desk = Desk::new((80, 24), "default");
    desk.control('c');
    desk.write("a");
    desk.key(KeyCode::Backspace);
    assert_eq!(desk.control('c'), []);
}

#[test]
fn control_d_leaves_only_from_an_empty_message() {
    let mut desk = Desk::new((80, 24), "default");
    desk.write("ab");
    desk.key(KeyCode::Home);
    assert_eq!(desk.control('d'), []);
    assert_eq!(submitted(&desk.key(KeyCode::Enter)), Some("b"));
    assert_eq!(desk.control('d'), [Cmd::Send(Op::Shutdown), Cmd::Quit]);
}

#[test]
fn a_long_paste_is_shown_as_a_marker_and_sent_in_full() {
    let mut desk = Desk::new((80, 24), "default");
    let long = "fn a() {}\n".repeat(123);
    desk.write("look at ");
    desk.paste(&long);
    assert!(desk.frame().contains("› look at [pasted 123 lines]"));
    let cmds = desk.key(KeyCode::Enter);
    assert_eq!(submitted(&cmds), Some(format!("look at {long}").as_str()));
}

#[test]
fn up_brings_back_earlier_messages() {
    let mut desk = Desk::new((80, 24), "default");
    desk.write("a new one");
    let cmds = desk.key(KeyCode::Enter);
    assert_eq!(cmds[0], Cmd::Remember("a new one".to_owned()));
    desk.key(KeyCode::Up);
    assert!(desk.frame().contains("› a new one"));
    desk.key(KeyCode::Up);
    assert!(desk.frame().contains("› an earlier message"));
    assert_eq!(
        submitted(&desk.key(KeyCode::Enter)),
        Some("an earlier message")
    );
}

#[test]
fn slash_commands_run_and_are_completed() {
    let mut desk = Desk::new((80, 24), "default");
    desk.write("/u");
    assert!(desk.frame().contains("▸ /undo"));
    assert_eq!(desk.key(KeyCode::Enter), [Cmd::Send(Op::Undo)]);
    desk.write("/mode auto");
    assert_eq!(
        desk.key(KeyCode::Enter),
        [Cmd::Send(Op::SetMode { mode: Mode::Auto })]
    );
    desk.write("/th");
    desk.key(KeyCode::Tab);
    desk.write("mono");
    assert_eq!(desk.key(KeyCode::Enter), [Cmd::SetTheme("mono".to_owned())]);
    desk.write("/quit");
    assert_eq!(
        desk.key(KeyCode::Enter),
        [Cmd::Send(Op::Shutdown), Cmd::Quit]
    );
}

#[test]
fn an_unknown_command_is_not_sent_and_not_lost() {
    let mut desk = Desk::new((80, 24), "default");
    desk.write("/unod");
    assert_eq!(desk.key(KeyCode::Enter), []);
    let frame = desk.frame();
    assert!(
        frame.contains("no command `/unod`; nearest: `/undo`"),
        "{frame}"
    );
    assert!(frame.contains("› /unod"));
    desk.control('u');
    desk.write(" /unod");
    assert_eq!(submitted(&desk.key(KeyCode::Enter)), Some("/unod"));
    desk.write("/usr/bin is missing");
    assert_eq!(
        submitted(&desk.key(KeyCode::Enter)),
        Some("/usr/bin is missing")
    );
}

#[test]
fn the_palette_runs_what_is_chosen_and_keeps_the_draft() {
    let mut desk = Desk::new((80, 24), "default");
    desk.write("a draft");
    desk.control('p');
    desk.write("mpl");
    assert_eq!(
        desk.key(KeyCode::Enter),
        [Cmd::Send(Op::SetMode { mode: Mode::Plan })]
    );
    assert!(desk.frame().contains("› a draft"));
}

#[test]
fn a_queued_message_can_be_taken_back_and_changed() {
    let mut desk = Desk::plain((80, 24), "default");
    start(&mut desk);
    for text in ["first", "second"] {
        desk.event(Event::Queued {
            text: text.to_owned(),
        });
    }
    desk.write("/queue");
    desk.key(KeyCode::Enter);
    desk.key(KeyCode::Down);
    let frame = desk.frame();
    assert!(frame.contains("▸ 2  second"), "{frame}");
    let unqueue = |text: &str| {
        vec![Cmd::Send(Op::Unqueue {
            text: text.to_owned(),
        })]
    };
    assert_eq!(desk.key(KeyCode::Enter), unqueue("second"));
    desk.event(Event::Unqueued {
        text: "second".to_owned(),
    });
    assert!(desk.frame().contains("› second"));
    desk.control('u');
    desk.write("/queue");
    desk.key(KeyCode::Enter);
    assert_eq!(desk.key(KeyCode::Delete), unqueue("first"));
    desk.event(Event::Unqueued {
        text: "first".to_owned(),
    });
    assert!(desk.frame().contains("No message waits"));
}

fn files() -> Found {
    let paths = [
        "README.md",
        "src/main.rs",
        "src/tui/app.rs",
        "src/tui/approval.rs",
    ];
    Found::Files(paths.map(str::to_owned).to_vec().into())
}

#[test]
fn an_at_sign_names_a_file_by_a_few_letters() {
    let mut desk = Desk::plain((80, 24), "default");
    start(&mut desk);
    assert_eq!(desk.write("look at @"), [Cmd::Find(Want::Files)]);
    desk.app.update(Msg::Found(files()));
    assert_eq!(desk.write("tapp"), []);
    let frame = desk.frame();
    assert!(frame.contains("▸ src/tui/app.rs"), "{frame}");
    desk.key(KeyCode::Tab);
    desk.write("now");
    let sent = desk.key(KeyCode::Enter);
    assert_eq!(submitted(&sent), Some("look at @src/tui/app.rs now"));
    // An address is no file.
    desk.write("ask ada@exam");
    assert!(!desk.frame().contains('▸'));
}

fn symbols() -> Found {
    let symbol = |name: &str, kind, container: Option<&str>, line| Defined {
        name: name.to_owned(),
        kind,
        container: container.map(str::to_owned),
        path: "src/reader.rs".to_owned(),
        line,
        end: line + 4,
    };
    Found::Symbols(
        vec![
            symbol("Reader", "type", None, 3),
            symbol("parse", "method", Some("Reader"), 12),
            symbol("parse_line", "function", None, 40),
        ]
        .into(),
    )
}

#[test]
fn a_hash_sign_names_a_symbol_with_its_lines() {
    let mut desk = Desk::plain((90, 24), "default");
    start(&mut desk);
    assert_eq!(desk.write("see #12 and # and #"), []);
    assert_eq!(desk.write("p"), [Cmd::Find(Want::Symbols)]);
    assert_eq!(desk.write("ars"), []);
    desk.app.update(Msg::Found(symbols()));
    let frame = desk.frame();
    assert!(
        frame.contains("▸ parse       method of Reader · src/reader.rs:12"),
        "{frame}"
    );
    desk.key(KeyCode::Down);
    desk.key(KeyCode::Tab);
    assert!(
        desk.frame()
            .contains("and # and `parse_line` in @src/reader.rs:40-44")
    );
    // Files may have changed: the next one is looked up anew.
    assert_eq!(desk.write("or #R"), [Cmd::Find(Want::Symbols)]);
}

#[test]
fn the_symbol_picker_shows_where_a_symbol_begins_and_names_it() {
    let mut desk = Desk::plain((120, 30), "default");
    start(&mut desk);
    assert_eq!(
        desk.press(KeyCode::Char('t'), KeyModifiers::ALT),
        [Cmd::Find(Want::Symbols)]
    );
    let (path, line) = ("src/reader.rs".to_owned(), 3);
    let look = Want::Look { path, line };
    assert_eq!(desk.app.update(Msg::Found(symbols())), [Cmd::Find(look)]);
    let lines = vec!["pub struct Reader {".to_owned()];
    desk.app.update(Msg::Found(Found::Preview(
        "src/reader.rs:3".to_owned(),
        lines,
    )));
    let frame = desk.frame();
    assert!(frame.contains("│ pub struct Reader {"), "{frame}");
    desk.key(KeyCode::Enter);
    assert!(desk.frame().contains("› `Reader` in @src/reader.rs:3-7"));
}

#[test]
fn the_trace_leads_to_the_prompt_that_was_sent() {
    let mut desk = Desk::plain((90, 24), "default");
    ask(&mut desk);
    finish(&mut desk);
    desk.write("/trace");
    desk.key(KeyCode::Enter);
    let frame = desk.frame();
    assert!(frame.contains("─ Requests to the model ─"), "{frame}");
    assert_eq!(desk.key(KeyCode::Char('p')), [Cmd::Send(Op::TellPrompt)]);
    desk.event(Event::PromptTold {
        sent: Some(Box::new(Sent {
            messages: vec![Message::User {
                text: "Fix it.".to_owned(),
            }],
            tools: Vec::new(),
        })),
    });
    let frame = desk.frame();
    assert!(
        frame.contains("you  7 bytes") && frame.contains("Fix it."),
        "{frame}"
    );
}

#[test]
fn the_file_picker_shows_where_a_file_begins_and_names_it() {
    let mut desk = Desk::plain((120, 30), "default");
    start(&mut desk);
    desk.write("look at");
    assert_eq!(desk.control('t'), [Cmd::Find(Want::Files)]);
    let asked = desk.app.update(Msg::Found(files()));
    let preview = |path: &str| [Cmd::Find(Want::Preview(path.to_owned()))];
    assert_eq!(asked, preview("README.md"));
    // The next one is asked for when the first has come.
    assert_eq!(desk.write("main"), []);
    let come = |desk: &mut Desk, path: &str| {
        let lines = vec![format!("the beginning of {path}")];
        desk.app
            .update(Msg::Found(Found::Preview(path.to_owned(), lines)))
    };
    assert_eq!(come(&mut desk, "README.md"), preview("src/main.rs"));
    assert_eq!(come(&mut desk, "src/main.rs"), []);
    let frame = desk.frame();
    assert!(frame.contains("the beginning of src/main.rs"), "{frame}");
    desk.key(KeyCode::Enter);
    assert!(desk.frame().contains("› look at @src/main.rs"));
}

#[test]
fn an_earlier_session_is_picked_by_a_word_but_not_while_a_turn_runs() {
    let kept = |id: &str, title: &str| Kept {
        id: id.to_owned(),
        title: title.to_owned(),
        root: "/srv/project".to_owned(),
        turns: 2,
        began: "2026-11-21 09:30".to_owned(),
    };
    let mut desk = Desk::plain((120, 30), "default");
    start(&mut desk);
    let open = |desk: &mut Desk| {
        desk.write("/sessions");
        assert_eq!(desk.key(KeyCode::Enter), [Cmd::Find(Want::Sessions)]);
        desk.app.update(Msg::Found(Found::Sessions(vec![
            kept("a", "fix the parser"),
            kept("b", "name the errors"),
        ])));
        desk.write("errors");
    };
    open(&mut desk);
    let frame = desk.frame();
    assert!(
        frame.contains("name the errors  2026-11-21 09:30"),
        "{frame}"
    );
    let to = Switch::Session("b".to_owned());
    assert_eq!(desk.key(KeyCode::Enter), [Cmd::Switch(to)]);
    desk.event(Event::TurnStarted {
        turn: 1,
        text: "go".to_owned(),
    });
    open(&mut desk);
    assert_eq!(desk.key(KeyCode::Enter), []);
    assert!(desk.frame().contains("stop it with Esc first"));
}

#[test]
fn what_a_long_message_costs_is_told_before_it_is_sent() {
    let mut desk = Desk::plain((80, 24), "default");
    ask(&mut desk);
    finish(&mut desk);
    desk.write("short");
    assert!(!desk.frame().contains("to read"));
    desk.paste(&"a line of words\n".repeat(450));
    // 7,200 bytes, at 2,000 tokens in 4 s.
    let frame = desk.frame();
    assert!(
        frame.contains("about 2,000 tokens · 4 s to read"),
        "{frame}"
    );
}

#[test]
fn shift_tab_goes_through_the_modes() {
    let mut desk = Desk::new((80, 24), "default");
    start(&mut desk);
    let cmds = desk.press(KeyCode::BackTab, KeyModifiers::SHIFT);
    assert_eq!(cmds, [Cmd::Send(Op::SetMode { mode: Mode::Edit })]);
}

#[test]
fn a_question_mark_is_help_only_in_an_empty_message() {
    let mut desk = Desk::new((80, 24), "default");
    desk.write("why?");
    assert!(desk.frame().contains("› why?"));
    desk.control('u');
    desk.key(KeyCode::Char('?'));
    assert!(desk.frame().contains("╭─ Help"));
    desk.key(KeyCode::Esc);
    assert!(!desk.frame().contains("╭─ Help"));
}

#[test]
fn the_last_answer_is_copied() {
    let mut desk = Desk::new((80, 24), "default");
    assert_eq!(desk.control('y'), []);
    desk.event(Event::Text {
        text: "the answer\n".to_owned(),
    });
    assert_eq!(desk.control('y'), [Cmd::CopyText("the answer".to_owned())]);
}

#[test]
fn the_transcript_follows_its_end_unless_it_was_scrolled() {
    let mut desk = Desk::new((60, 12), "default");
    start(&mut desk);
    let text = |range: std::ops::Range<u32>| Event::Text {
        text: range.map(|n| format!("- line {n}\n")).collect(),
    };
    desk.event(text(0..40));
    assert!(desk.frame().contains("line 39"));
    desk.key(KeyCode::PageUp);
    let before = desk.frame();
    assert!(!before.contains("line 39"), "{before}");
    assert!(before.contains("lines below · Ctrl-End"), "{before}");
    desk.event(text(40..45));
    let first = |frame: &str| frame.lines().next().map(str::to_owned);
    assert_eq!(first(&desk.frame()), first(&before));
    desk.press(KeyCode::End, KeyModifiers::CONTROL);
    assert!(desk.frame().contains("line 44"));
    desk.key(KeyCode::PageUp);
    for _ in 0..10 {
        desk.key(KeyCode::PageDown);
    }
    desk.event(text(45..50));
    assert!(desk.frame().contains("line 49"));
    desk.press(KeyCode::Home, KeyModifiers::CONTROL);
    assert!(desk.frame().contains("• line 0\n"));
}

#[test]
fn reading_a_prompt_shows_how_far_it_is_and_how_long_it_takes() {
    let mut desk = Desk::new((80, 24), "default");
    start(&mut desk);
    desk.event(Event::TurnStarted {
        turn: 1,
        text: "hello".to_owned(),
    });
    for done in [1240, 1840] {
        desk.event(Event::PromptProgressed {
            done,
            total: 3200,
            cached: 1240,
        });
        desk.wait(2000);
    }
    let frame = desk.frame();
    assert!(
        frame.contains("reading 1,840 of 3,200 tokens · 9 s"),
        "{frame}"
    );
}

#[test]
fn what_is_left_to_read_is_estimated_from_earlier_turns_at_first() {
    let mut desk = Desk::plain((80, 24), "default");
    ask(&mut desk);
    finish(&mut desk);
    desk.event(Event::TurnStarted {
        turn: 2,
        text: "more".to_owned(),
    });
    // 2,000 tokens took 4 s.
    desk.event(Event::PromptProgressed {
        done: 3200,
        total: 4200,
        cached: 3200,
    });
    let frame = desk.frame();
    assert!(frame.contains("of 4,200 tokens · 2 s"), "{frame}");
}

#[test]
fn the_help_shows_a_questions_keys_while_one_waits() {
    let mut desk = Desk::plain((90, 40), "default");
    start(&mut desk);
    desk.key(KeyCode::F(1));
    assert!(!desk.frame().contains("While a call asks"));
    desk.key(KeyCode::Esc);
    ask(&mut desk);
    desk.key(KeyCode::F(1));
    assert!(desk.frame().contains("While a call asks"));
}

#[test]
fn a_lost_session_says_what_to_do() {
    let mut desk = Desk::new((80, 24), "default");
    start(&mut desk);
    desk.app.update(Msg::SessionLost);
    desk.write("hello");
    assert_eq!(desk.key(KeyCode::Enter), []);
    let frame = desk.frame();
    assert!(frame.contains("`walden resume` goes on with it"), "{frame}");
    desk.control('u');
    assert_eq!(desk.control('d'), [Cmd::Quit]);
}

const HOSTILE: &str = "a\x1b[2Jb\x1b]52;c;eA==\x07c\u{9b}31md\re\u{202e}f\u{200b}g\u{e0041}h\x08i";

#[test]
fn foreign_text_reaches_the_screen_without_its_escapes() {
    let mut desk = Desk::new((200, 60), "default");
    start(&mut desk);
    let hostile = || HOSTILE.to_owned();
    let mut hostile_change = change();
    hostile_change.path = hostile();
    hostile_change.notes = vec![hostile()];
    hostile_change.hunks[0].lines[0].text = hostile();
    let mut hostile_call = call(1, HOSTILE, (HOSTILE, HOSTILE));
    hostile_call.server = hostile();
    hostile_call
        .arguments
        .insert("path".to_owned(), hostile().into());
    for event in [
        Event::TurnStarted {
            turn: 1,
            text: hostile(),
        },
        Event::Queued { text: hostile() },
        Event::Reasoning { text: hostile() },
        Event::Text {
            text: format!("{HOSTILE}\n\n```{HOSTILE}\n{HOSTILE}\n```\n[x]({HOSTILE})"),
        },
        Event::CallProposed {
            call: hostile_call.clone(),
            risk: Risk::Foreign,
        },
        Event::CallProgressed {
            call: CallId(1),
            text: hostile(),
        },
        Event::CallFinished {
            call: CallId(1),
            outcome: Outcome::Failed { text: hostile() },
        },
        Event::Notice {
            level: Level::Error,
            text: hostile(),
        },
        Event::ModelFailed {
            failure: ModelFailure::Engine { message: hostile() },
        },
        Event::ChangesUndone {
            turn: 1,
            undone: vec![Undone {
                path: hostile(),
                refused: Some(hostile()),
            }],
        },
        Event::TurnEnded {
            turn: 1,
            summary: TurnSummary {
                wanted_change: false,
                reason: EndReason::Failed { message: hostile() },
                changed: vec![hostile()],
                calls: 1,
                denied: 1,
                usage: usage(),
                check: None,
            },
        },
        Event::CallProposed {
            call: ToolCall {
                id: CallId(2),
                ..hostile_call.clone()
            },
            risk: Risk::Edit,
        },
        Event::ApprovalRequested {
            call: CallId(2),
            reason: hostile(),
            change: Some(hostile_change),
            ask: None,
        },
    ] {
        desk.event(event);
        clean(&desk);
    }
    desk.event(Event::Decided {
        call: CallId(2),
        decision: Decision::Deny {
            reason: Some(hostile()),
        },
    });
    desk.event(Event::CallProposed {
        call: ToolCall {
            id: CallId(3),
            ..hostile_call
        },
        risk: Risk::Foreign,
    });
    desk.event(Event::ApprovalRequested {
        call: CallId(3),
        reason: hostile(),
        change: None,
        ask: None,
    });
    clean(&desk);
    desk.wait(400);
    desk.key(KeyCode::Char('e'));
    desk.paste(HOSTILE);
    clean(&desk);
    desk.key(KeyCode::Esc);
    desk.event(Event::Decided {
        call: CallId(3),
        decision: Decision::Deny { reason: None },
    });
    desk.paste(HOSTILE);
    clean(&desk);
    desk.control('p');
    desk.paste(HOSTILE);
    clean(&desk);
}

fn clean(desk: &Desk) {
    let frame = desk.frame();
    for c in frame.chars().filter(|c| *c != '\n') {
        assert!(!c.is_control(), "{c:?} in {frame}");
        assert!(
            !matches!(c, '\u{202e}' | '\u{200b}' | '\u{e0041}'),
            "{c:?} in {frame}"
        );
    }
}

#[test]
fn no_size_makes_it_panic_whatever_is_open() {
    for width in 1..=30 {
        for height in 1..=12 {
            let mut desk = Desk::plain((width, height), "default");
            desk.frame();
            desk.write("/m");
            desk.frame();
            desk.control('u');
            desk.paste("some text that is wrapped\nover lines\n世界👩\u{200d}💻 and on");
            desk.frame();
            desk.key(KeyCode::Up);
            desk.key(KeyCode::PageUp);
            desk.frame();
            desk.control('p');
            desk.write("mo");
            desk.key(KeyCode::Down);
            desk.frame();
            desk.key(KeyCode::Esc);
            desk.key(KeyCode::F(1));
            desk.key(KeyCode::PageDown);
            desk.frame();
            ask(&mut desk);
            desk.frame();
            desk.wait(400);
            desk.key(KeyCode::PageDown);
            desk.frame();
            desk.key(KeyCode::Char('e'));
            desk.write("because 世界 it is so");
            desk.frame();
            finish(&mut desk);
            desk.control('o');
            desk.key(KeyCode::PageUp);
            desk.frame();
            desk.event(Event::Queued {
                text: "next".to_owned(),
            });
            desk.app.update(Msg::SessionLost);
            desk.frame();
        }
    }
}

/// Draws the screens that people see most, at a size.
fn screens(size: (u16, u16), theme: &str) -> String {
    let mut desk = Desk::new(size, theme);
    let mut out = String::new();
    let mut show = |title: &str, desk: &Desk| {
        out.push_str(&format!("=== {title}\n{}", desk.frame()));
    };
    desk.event(Event::ModelLoading {
        name: "tiny-coder".to_owned(),
        share: 0.42,
    });
    show("loading", &desk);
    start(&mut desk);
    desk.write("/mo");
    show("completion", &desk);
    desk.control('u');
    ask(&mut desk);
    desk.wait(400);
    show("approval", &desk);
    finish(&mut desk);
    show("done", &desk);
    for page in ["model", "servers", "context", "trace", "queue"] {
        desk.write(&format!("/{page}"));
        desk.key(KeyCode::Enter);
        show(page, &desk);
        desk.key(KeyCode::Esc);
    }
    desk.control('p');
    desk.write("mo");
    show("commands", &desk);
    desk.key(KeyCode::Esc);
    desk.control('t');
    desk.app.update(Msg::Found(files()));
    desk.write("ap");
    show("files", &desk);
    desk.key(KeyCode::Esc);
    desk.key(KeyCode::F(1));
    show("help", &desk);
    out
}

#[test]
fn screens_at_80_by_24() {
    insta::assert_snapshot!(screens((80, 24), "default"));
}

#[test]
fn screens_at_40_by_10() {
    insta::assert_snapshot!(screens((40, 10), "default"));
}

#[test]
fn screens_at_200_by_50() {
    insta::assert_snapshot!(screens((200, 50), "default"));
}

#[test]
fn without_colour_the_screens_say_the_same() {
    assert_eq!(screens((80, 24), "mono"), screens((80, 24), "default"));
    let mut desk = Desk::new((80, 24), "mono");
    ask(&mut desk);
    desk.wait(400);
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a terminal");
    terminal
        .draw(|frame| view(&desk.app, frame))
        .expect("a frame");
    for cell in &terminal.backend().buffer().content {
        let colours = (cell.fg, cell.bg);
        assert_eq!(
            colours,
            (ratatui::style::Color::Reset, ratatui::style::Color::Reset)
        );
    }
}

/// Lets another edit wait, of another file.
fn ask_more(desk: &mut Desk, id: u64, path: &str) {
    desk.event(Event::CallProposed {
        call: call(id, "edit", ("path", path)),
        risk: Risk::Edit,
    });
    let mut change = change();
    change.path = path.to_owned();
    desk.event(Event::ApprovalRequested {
        call: CallId(id),
        reason: "it changes a file".to_owned(),
        change: Some(change),
        ask: None,
    });
}

#[test]
fn a_hunk_is_left_out_line_by_line_and_the_rest_is_allowed() {
    let mut desk = Desk::new((80, 24), "default");
    ask(&mut desk);
    desk.wait(400);
    // The cursor is on the removed line; the second added one is left out.
    desk.key(KeyCode::Down);
    desk.key(KeyCode::Down);
    desk.key(KeyCode::Char('v'));
    desk.key(KeyCode::Char('x'));
    assert!(desk.frame().contains("1 hunk in part"), "{}", desk.frame());
    // A standing allowance says nothing about a part.
    assert_eq!(desk.key(KeyCode::Char('a')), []);
    let part = walden::protocol::AllowedPart {
        passages: vec![walden::protocol::Passage {
            at: 11,
            lines: 1,
            instead: walden::protocol::Instead::Old { at: 10, lines: 0 },
        }],
    };
    assert_eq!(
        desk.key(KeyCode::Char('y')),
        decided(Decision::AllowPart { part })
    );
}

#[test]
fn a_hunk_goes_to_the_editor_and_comes_back() {
    let mut desk = Desk::new((80, 24), "default");
    ask(&mut desk);
    desk.wait(400);
    let cmds = desk.key(KeyCode::Char('o'));
    let [Cmd::WriteText { text }] = cmds.as_slice() else {
        panic!("{cmds:?}");
    };
    assert!(text.starts_with("impl Retry {\n    const LIMIT: u32 = 5;\n\tconst NAME"));
    let mine = text.replace("= 5;", "= 4;");
    desk.app.update(Msg::Written(Ok(Some(mine))));
    assert!(desk.frame().contains("1 hunk edited"), "{}", desk.frame());
    let cmds = desk.key(KeyCode::Char('y'));
    let [Cmd::Send(Op::Decide { decision, .. })] = cmds.as_slice() else {
        panic!("{cmds:?}");
    };
    assert!(
        matches!(decision, Decision::AllowPart { .. }),
        "{decision:?}"
    );
}

#[test]
fn calls_that_wait_together_are_listed_and_gone_through() {
    let mut desk = Desk::new((80, 30), "default");
    ask(&mut desk);
    ask_more(&mut desk, 3, "src/deep/one.rs");
    ask_more(&mut desk, 4, "src/deep/two.rs");
    desk.wait(400);
    insta::assert_snapshot!(desk.frame());
    desk.key(KeyCode::Right);
    assert!(desk.frame().contains("▸   one.rs"), "{}", desk.frame());
    // Who goes there means it: no pause is needed.
    let decision = Decision::Allow { scope: Scope::Once };
    let call = CallId(3);
    let sent = [Cmd::Send(Op::Decide {
        call,
        decision: decision.clone(),
    })];
    assert_eq!(desk.key(KeyCode::Char('y')), sent);
    desk.event(Event::Decided { call, decision });
    // The next one is shown, and a key that comes too early answers nothing and writes nothing.
    assert!(
        desk.frame().contains("▸ src/deep/two.rs"),
        "{}",
        desk.frame()
    );
    assert_eq!(desk.key(KeyCode::Char('y')), []);
    desk.wait(400);
    let all = desk.key(KeyCode::Char('A'));
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(desk.key(KeyCode::Char('y')), [], "a decision counts once");
}

#[test]
fn a_text_is_found_in_the_session_and_gone_to() {
    let mut desk = Desk::new((80, 24), "default");
    start(&mut desk);
    for turn in 1..=200 {
        desk.event(Event::TurnStarted {
            turn,
            text: format!("question {turn}"),
        });
        desk.event(Event::Text {
            text: format!(
                "answer {turn}{}",
                if turn == 7 { " is the Needle" } else { "" }
            ),
        });
    }
    assert!(!desk.frame().contains("answer 7 "));
    desk.control('f');
    desk.write("needle");
    let frame = desk.frame();
    assert!(frame.contains("answer 7 is the Needle"), "{frame}");
    assert!(frame.contains("find › needle  1 of 1"), "{frame}");
    desk.key(KeyCode::Esc);
    assert!(!desk.frame().contains("find ›"));
    desk.press(KeyCode::Down, KeyModifiers::ALT);
    let first = desk
        .frame()
        .lines()
        .find(|line| !line.trim().is_empty())
        .map(str::to_owned);
    assert!(
        first.is_some_and(|line| line.contains("question")),
        "{}",
        desk.frame()
    );
}

#[test]
fn a_call_is_shown_whole_and_as_before() {
    let mut desk = Desk::new((80, 40), "default");
    ask(&mut desk);
    finish(&mut desk);
    desk.event(Event::CallProposed {
        call: call(9, "search", ("pattern", "LIMIT")),
        risk: Risk::Read,
    });
    desk.event(Event::CallFinished {
        call: CallId(9),
        outcome: Outcome::Done {
            text: "src/a.rs:1\nsrc/b.rs:2\nsrc/retry.rs:11: const LIMIT".to_owned(),
        },
    });
    assert!(!desk.frame().contains("retry.rs:11"));
    desk.press(KeyCode::Char('o'), KeyModifiers::ALT);
    assert!(desk.frame().contains("retry.rs:11"), "{}", desk.frame());
    desk.press(KeyCode::Char('o'), KeyModifiers::ALT);
    assert!(!desk.frame().contains("retry.rs:11"));
    // One of which there is no more to be seen does not stand in its way.
    desk.event(Event::CallProposed {
        call: call(10, "search", ("pattern", "NOTHING")),
        risk: Risk::Read,
    });
    desk.event(Event::CallFinished {
        call: CallId(10),
        outcome: Outcome::Done {
            text: String::new(),
        },
    });
    desk.press(KeyCode::Char('o'), KeyModifiers::ALT);
    assert!(desk.frame().contains("retry.rs:11"), "{}", desk.frame());
}
