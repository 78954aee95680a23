//! Choosing: the keys of what lies over the transcript, and what a choice does.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};

use crate::protocol::{Level, Op};

use super::app::{App, Cmd, Switch};
use super::keymap::{Action, Context, Edit, Scroll, lookup};
use super::overlay::Overlay;
use super::pages::{Page, Subject as About};
use super::picker::{Choice, Found, Kind, Picker, Want};

/// Below this width a picker shows no beginning of a file.
const WIDE: u16 = 94;

impl App {
    /// Opens a picker.
    pub(super) fn pick(&mut self, kind: Kind) {
        let want = match kind {
            Kind::Commands => None,
            Kind::Files => Some(Want::Files),
            Kind::Symbols => Some(Want::Symbols),
            Kind::Sessions => Some(Want::Sessions),
            Kind::Models => Some(Want::Models),
        };
        let picker = match kind {
            Kind::Commands => Picker::commands(),
            Kind::Files => Picker::files(self.files.clone()),
            Kind::Symbols => {
                let mut picker = Picker::empty(kind);
                if let Some((symbols, names)) = self.symbols.clone() {
                    picker.take_symbols(symbols, names);
                }
                picker
            }
            Kind::Sessions | Kind::Models => Picker::empty(kind),
        };
        self.later.extend(want.map(Cmd::Find));
        self.overlay = Some(Overlay::Picker(Box::new(picker)));
        self.preview();
    }

    /// Opens a page.
    pub(super) fn open_page(&mut self, about: About) {
        self.overlay = Some(Overlay::Page(Page::new(about)));
    }

    /// Takes in what was looked up.
    pub(super) fn found(&mut self, found: Found) {
        match (found, &mut self.overlay) {
            (Found::Files(files), overlay) => {
                self.files = Some(files.clone());
                if let Some(Overlay::Picker(picker)) = overlay
                    && picker.kind == Kind::Files
                {
                    picker.take_files(files);
                }
                self.mention();
                self.preview();
            }
            (Found::Symbols(symbols), overlay) => {
                let names: Arc<[String]> = symbols.iter().map(|one| one.name.clone()).collect();
                self.mapping = false;
                self.symbols = Some((symbols.clone(), names.clone()));
                if let Some(Overlay::Picker(picker)) = overlay
                    && picker.kind == Kind::Symbols
                {
                    picker.take_symbols(symbols, names);
                }
                self.mention();
                self.preview();
            }
            (Found::Preview(path, lines), overlay) => {
                self.previewing = false;
                if let Some(Overlay::Picker(picker)) = overlay {
                    picker.take_preview(path, lines);
                }
                self.preview();
            }
            (Found::Sessions(kept), Some(Overlay::Picker(picker)))
                if picker.kind == Kind::Sessions =>
            {
                picker.take_sessions(kept);
            }
            (Found::Models(offered), Some(Overlay::Picker(picker)))
                if picker.kind == Kind::Models =>
            {
                picker.take_models(offered);
            }
            (Found::Sessions(_) | Found::Models(_), _) => {}
        }
    }

    /// Asks for the beginning of the chosen file, one at a time.
    fn preview(&mut self) {
        if self.previewing || self.size.0 < WIDE {
            return;
        }
        if let Some(Overlay::Picker(picker)) = &self.overlay
            && let Some(want) = picker.wants_preview()
        {
            self.previewing = true;
            self.later.push(Cmd::Find(want));
        }
    }

    /// Does what a key means while something lies over the transcript.
    pub(super) fn overlay_key(
        &mut self,
        key: KeyEvent,
        typed: Option<char>,
        leaving: bool,
    ) -> Vec<Cmd> {
        let area = self.area();
        let action = lookup(key, Context::Overlay);
        match &mut self.overlay {
            Some(Overlay::Picker(picker)) => {
                match (typed, action) {
                    (Some(c), _) => picker.query.insert(c),
                    (None, Some(Action::Edit(edit))) => picker.query.edit(edit, usize::MAX),
                    (None, Some(Action::Submit | Action::Complete)) => {
                        let choice = picker.choice();
                        self.overlay = None;
                        return choice.map_or_else(Vec::new, |choice| self.choose(choice));
                    }
                    (None, _) => return self.over(action, area, key, leaving),
                }
                picker.selected = 0;
                picker.rank();
                self.preview();
                Vec::new()
            }
            Some(Overlay::Page(page)) if page.subject == About::Queue => {
                let chosen = self.transcript.queued.get(page.at).cloned();
                match (action, chosen) {
                    (Some(Action::Submit), Some(text)) => {
                        self.overlay = None;
                        self.composer.set(&text);
                        self.edited();
                        vec![Cmd::Send(Op::Unqueue { text })]
                    }
                    (Some(Action::Edit(Edit::Delete | Edit::Backspace)), Some(text)) => {
                        vec![Cmd::Send(Op::Unqueue { text })]
                    }
                    _ => self.over(action, area, key, leaving),
                }
            }
            Some(Overlay::Page(page)) if page.subject == About::Servers => {
                match self.serve_key(key) {
                    Some(cmds) => cmds,
                    None => self.over(action, area, key, leaving),
                }
            }
            Some(Overlay::Page(page)) if page.subject == About::Trace && typed == Some('p') => {
                *page = Page::new(About::Prompt);
                vec![Cmd::Send(Op::TellPrompt)]
            }
            Some(Overlay::Page(page))
                if page.subject == About::Trace
                    && matches!(action, Some(Action::Expand | Action::Details)) =>
            {
                page.searches = page.searches.other();
                Vec::new()
            }
            Some(Overlay::Page(page)) if page.subject == About::Plan => {
                let at = page.at;
                match self.plan_key(action, typed, at) {
                    Some(cmds) => cmds,
                    None => self.over(action, area, key, leaving),
                }
            }
            _ => self.over(action, area, key, leaving),
        }
    }

    /// Does what a key means on anything that is open.
    fn over(
        &mut self,
        action: Option<Action>,
        area: ratatui::layout::Rect,
        key: KeyEvent,
        leaving: bool,
    ) -> Vec<Cmd> {
        let Some(overlay) = &mut self.overlay else {
            return Vec::new();
        };
        let is_picker = matches!(overlay, Overlay::Picker(_));
        match action {
            Some(Action::Scroll(by)) => {
                overlay.scroll(by, &self.transcript, area);
                self.preview();
            }
            Some(Action::Break) if leaving => return self.quit(),
            Some(
                Action::Escape
                | Action::Break
                | Action::Help
                | Action::Palette
                | Action::Files
                | Action::Symbols,
            ) => self.overlay = None,
            Some(action @ (Action::Redraw | Action::Suspend)) => return self.act(action, leaving),
            _ if !is_picker => match key.code {
                KeyCode::Char(' ') => overlay.scroll(Scroll::PageDown, &self.transcript, area),
                KeyCode::Char('?' | 'q') | KeyCode::Enter => self.overlay = None,
                _ => {}
            },
            _ => {}
        }
        Vec::new()
    }

    fn choose(&mut self, choice: Choice) -> Vec<Cmd> {
        match choice {
            Choice::Command(line) => {
                // What was being written is not the palette's to lose.
                let draft = self.composer.text().to_owned();
                let cmds = self.command_line(&line);
                if self.composer.text() != draft {
                    self.composer.edit(Edit::Undo, usize::MAX);
                }
                cmds
            }
            Choice::Action(action) => self.act(action, false),
            Choice::File(path) => self.name(&format!("@{path}")),
            Choice::Symbol(symbol) => self.name(&symbol.named()),
            Choice::Session(id) => self.switch(Switch::Session(id)),
            Choice::Model(name) => {
                let to = self.with_model(name);
                self.switch(to)
            }
        }
    }

    /// Writes a name into the message, as a word of its own.
    fn name(&mut self, name: &str) -> Vec<Cmd> {
        let before = self.composer.before_cursor();
        let space = if before.is_empty() || before.ends_with(char::is_whitespace) {
            ""
        } else {
            " "
        };
        self.composer.paste(&format!("{space}{name} "));
        self.edited();
        Vec::new()
    }

    /// Leaves this session for another one.
    pub(super) fn switch(&mut self, to: Switch) -> Vec<Cmd> {
        if self.transcript.is_busy() {
            self.flash(Level::Warning, "a turn is running; stop it with Esc first");
            return Vec::new();
        }
        vec![Cmd::Switch(to)]
    }
}
