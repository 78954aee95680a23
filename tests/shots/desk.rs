//! The terminal UI with keys and events put into it.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::{Terminal, backend::TestBackend};
use walden::protocol::Event;
use walden::tui::{App, Depth, Facts, Msg, Theme, view};

/// The program, with a clock that the scene turns.
pub(crate) struct Desk {
    pub(crate) app: App,
    now: Duration,
    size: (u16, u16),
}

impl Desk {
    pub(crate) fn new(theme: &str, size: (u16, u16)) -> Self {
        let desk = Self::plain(theme, size);
        desk.app.highlighter().load();
        desk
    }

    /// A desk without grammars, which take a while to load.
    pub(crate) fn plain(theme: &str, size: (u16, u16)) -> Self {
        let facts = Facts {
            model: "qwen2.5-coder-1.5b".to_owned(),
            root: "/home/ada/relay".to_owned(),
            enforced: "sealed · net off · 1 root".to_owned(),
            still: false,
            prompts: Vec::new(),
        };
        let theme = Theme::built_in_or_default(theme, Depth::True);
        let app = App::new(facts, theme, Vec::new(), size);
        Self {
            app,
            now: Duration::from_secs(1),
            size,
        }
    }

    pub(crate) fn event(&mut self, event: Event) {
        let at = self.now;
        self.app.update(Msg::Session { event, at });
    }

    pub(crate) fn wait(&mut self) {
        self.now += Duration::from_secs(1);
        let now = self.now;
        self.app.update(Msg::Tick { now });
    }

    pub(crate) fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        let (key, at) = (KeyEvent::new(code, modifiers), self.now);
        self.app.update(Msg::Key { key, at });
    }

    pub(crate) fn key(&mut self, code: KeyCode) {
        self.press(code, KeyModifiers::NONE);
    }

    pub(crate) fn control(&mut self, c: char) {
        self.press(KeyCode::Char(c), KeyModifiers::CONTROL);
    }

    pub(crate) fn write(&mut self, text: &str) {
        for c in text.chars() {
            self.key(KeyCode::Char(c));
        }
    }

    /// Draws the screen.
    pub(crate) fn drawn(&self) -> Buffer {
        let (width, height) = self.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal
            .draw(|frame| view(&self.app, frame))
            .expect("a frame");
        terminal.backend().buffer().clone()
    }
}
