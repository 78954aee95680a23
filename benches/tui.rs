//! What a frame costs, whatever the session's length: 10,000 turns, and a difference of 400,000 lines.

use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend};
use walden::protocol::{
    CallId, ChangeKind, EndReason, Event, FileChange, Hunk, Line, LineKind, Risk, ToolCall,
    TurnSummary, Usage,
};
use walden::tui::{App, Depth, Facts, Msg, Theme, view};

const SIZE: (u16, u16) = (120, 40);
const AT: Duration = Duration::from_secs(5);

fn app() -> App {
    let theme = Theme::built_in_or_default("dark", Depth::True);
    App::new(Facts::default(), theme, Vec::new(), SIZE)
}

fn tell(app: &mut App, event: Event) {
    app.update(Msg::Session { event, at: AT });
}

fn press(app: &mut App, code: KeyCode) {
    let (key, at) = (
        KeyEvent::new(code, KeyModifiers::NONE),
        AT + Duration::from_secs(1),
    );
    app.update(Msg::Key { key, at });
}

fn turns(many: u32) -> App {
    let mut app = app();
    for turn in 1..=many {
        tell(
            &mut app,
            Event::TurnStarted {
                turn,
                text: format!("What about part {turn}?"),
            },
        );
        tell(
            &mut app,
            Event::Text {
                text: format!("Part {turn} is in `src/part.rs`:\n\n- it reads\n- it writes\n"),
            },
        );
        tell(
            &mut app,
            Event::TurnEnded {
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
            },
        );
    }
    app
}

fn change(lines: usize) -> FileChange {
    let kinds = [LineKind::Removed, LineKind::Added];
    FileChange {
        path: "data/table.rs".to_owned(),
        kind: ChangeKind::Modify,
        base: None,
        after: None,
        hunks: vec![Hunk {
            old_start: 1,
            old_lines: lines / 2,
            new_start: 1,
            new_lines: lines / 2,
            lines: (0..lines)
                .map(|at| Line {
                    kind: kinds[at % 2],
                    text: format!("    (\"key {at}\", {at}),"),
                })
                .collect(),
        }],
        added: lines / 2,
        removed: lines / 2,
        notes: Vec::new(),
        others: Vec::new(),
        from: None,
        modes: None,
    }
}

fn proposed() -> App {
    let mut app = app();
    let call = ToolCall {
        id: CallId(1),
        server: "fs".to_owned(),
        tool: "edit".to_owned(),
        arguments: std::iter::once(("path".to_owned(), "data/table.rs".into())).collect(),
    };
    tell(
        &mut app,
        Event::CallProposed {
            call,
            risk: Risk::Edit,
        },
    );
    app
}

fn request(change: FileChange) -> Event {
    Event::ApprovalRequested {
        call: CallId(1),
        reason: "it changes a file".to_owned(),
        change: Some(change),
        ask: None,
    }
}

fn frames(criterion: &mut Criterion) {
    let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).expect("a terminal");
    let mut group = criterion.benchmark_group("tui");
    group.sample_size(20);
    for many in [10, 10_000] {
        let mut app = turns(many);
        group.bench_function(format!("a key after {many} turns"), |bencher| {
            bencher.iter(|| {
                press(&mut app, KeyCode::Char('x'));
                press(&mut app, KeyCode::Backspace);
                terminal.draw(|frame| view(&app, frame)).expect("a frame");
            });
        });
        group.bench_function(format!("a page up after {many} turns"), |bencher| {
            bencher.iter(|| {
                press(&mut app, KeyCode::PageUp);
                terminal.draw(|frame| view(&app, frame)).expect("a frame");
            });
        });
    }
    let large = change(400_000);
    group.sample_size(10);
    group.bench_function("a difference of 400,000 lines opens", |bencher| {
        bencher.iter_batched(
            || (proposed(), request(large.clone())),
            |(mut app, event)| {
                tell(&mut app, event);
                terminal.draw(|frame| view(&app, frame)).expect("a frame");
                app
            },
            BatchSize::PerIteration,
        );
    });
    let mut app = proposed();
    tell(&mut app, request(large));
    press(&mut app, KeyCode::Char('f'));
    group.bench_function("a difference of 400,000 lines scrolls a page", |bencher| {
        bencher.iter(|| {
            press(&mut app, KeyCode::PageDown);
            terminal.draw(|frame| view(&app, frame)).expect("a frame");
        });
    });
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
