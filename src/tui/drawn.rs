//! What real frames cost in bytes, and that the terminal shows what was meant: they go through a terminal's own
//! interpreter, `vt100`.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{buffer::Buffer, layout::Rect};
use unicode_width::UnicodeWidthStr as _;

use super::app::{App, Facts, Msg};
use super::screen::Screen;
use super::theme::{Depth, Theme};
use super::view;
use crate::protocol::Event;

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
        // The interpreter has no screens of one column or line.
        if area.width > 1 && area.height > 1 {
            self.terminal.process(&bytes);
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
                // About what is put together from several characters, terminals disagree; so may this one.
                if symbol.chars().count() == 1 {
                    let cell = self.terminal.screen().cell(y, x).expect("a cell");
                    assert_eq!(cell.contents().trim(), symbol.trim(), "at {x}, {y}");
                }
                x += symbol.width().max(1) as u16;
            }
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
