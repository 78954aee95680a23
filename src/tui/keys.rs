//! What each key does, depending on what is open: the app's side of [`super::keymap`].

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::protocol::{Decision, Level, Op, Scope};

use super::app::{App, Cmd};
use super::commands;
use super::composer::Composer;
use super::copying::What;
use super::keymap::{Action, Answer, Context, Edit, Scroll, key_of, lookup};
use super::overlay::Overlay;
use super::picker::Kind;
use super::view;

impl App {
    /// Does what a key means where it was pressed.
    pub(super) fn key(&mut self, key: KeyEvent, at: Duration) -> Vec<Cmd> {
        self.flash = None;
        let leaving = std::mem::take(&mut self.leaving);
        let typed = typed(key);
        if self.overlay.is_some() {
            return self.overlay_key(key, typed, leaving);
        }
        if self.approval.is_some() {
            return self.approval_key(key, typed, at, leaving);
        }
        if self.asked.is_some() {
            return self.question_key(key, typed, at, leaving);
        }
        if self.finding.is_some() {
            return self.finding_key(key, typed, at);
        }
        let width = self.composer_width();
        if let Some(vim) = &mut self.vim
            && self
                .mention
                .as_ref()
                .is_none_or(|mention| mention.found.is_empty())
            && vim.key(key, &mut self.composer, width)
        {
            self.edited();
            return Vec::new();
        }
        // A bound character, such as `?`, is one only where it cannot be meant as text.
        if let Some(c) = typed.filter(|c| *c != '?' || !self.composer.is_empty()) {
            self.composer.insert(c);
            self.edited();
            return Vec::new();
        }
        match lookup(key, Context::Composer) {
            Some(Action::Submit) => self.submit(),
            Some(Action::Complete) => {
                self.complete();
                Vec::new()
            }
            Some(Action::EndOfInput) if self.composer.is_empty() => self.quit(),
            Some(Action::EndOfInput) => {
                self.composer.edit(Edit::Delete, self.composer_width());
                self.edited();
                Vec::new()
            }
            Some(Action::Edit(edit)) => {
                self.edit(edit);
                Vec::new()
            }
            Some(action) => self.act(action, leaving),
            None => Vec::new(),
        }
    }

    fn edit(&mut self, edit: Edit) {
        let found = self.completion().len();
        match edit {
            Edit::Up if found > 0 => self.chosen = self.chosen.saturating_sub(1),
            Edit::Down if found > 0 => self.chosen = (self.chosen + 1).min(found - 1),
            // An empty message has no line to go to the start of; the transcript has.
            Edit::Home if self.composer.is_empty() => self.scroll(Scroll::Top),
            Edit::End if self.composer.is_empty() => self.scroll(Scroll::Bottom),
            _ => {
                self.composer.edit(edit, self.composer_width());
                self.edited();
                // What the history shows is not being typed: no completion gets in the way of the next key.
                self.closed = matches!(edit, Edit::Up | Edit::Down);
            }
        }
    }

    fn composer_width(&self) -> usize {
        view::composer_width(self.size.0)
    }

    fn complete(&mut self) {
        if self.complete_mention() {
            return;
        }
        let found = self.completion();
        if let Some(candidate) = found.get(self.chosen) {
            let wants_more = commands::parse(&candidate.line)
                .filter(|(_, argument)| argument.is_empty())
                .and_then(|(word, _)| commands::find(word))
                .is_some_and(|entry| !entry.argument.is_empty());
            let goes_on =
                self.is_prompt_of_server(&candidate.line) && !candidate.line.contains(' ');
            let space = if wants_more || goes_on { " " } else { "" };
            self.composer.set(&format!("{}{space}", candidate.line));
            self.edited();
        }
    }

    fn submit(&mut self) -> Vec<Cmd> {
        if self.lost {
            self.flash(
                Level::Error,
                "the session is gone; press Ctrl-D to leave, then `walden resume` goes on with it",
            );
            return Vec::new();
        }
        if self.complete_mention() {
            return Vec::new();
        }
        let found = self.completion();
        let text = self.composer.text().to_owned();
        let known = commands::parse(&text)
            .and_then(|(word, _)| commands::find(word))
            .is_some();
        let prompt = found.get(self.chosen).map(|one| &one.line);
        if let Some(line) = prompt.filter(|line| self.is_prompt_of_server(line)) {
            // Hints for an argument are taken with Tab: Enter sends what is written.
            if !self.is_prompt_of_server(&text) {
                let line = line.clone();
                self.composer.set(&line);
            }
        } else if let Some(candidate) = found.get(self.chosen)
            && (!known || self.chosen > 0 || text.contains(' '))
        {
            // What is chosen in the list is meant, not the letters that led to it.
            let line = candidate.line.clone();
            return self.command_line(&line);
        }
        if commands::parse(&text).is_some() {
            return self.command_line(&text);
        }
        if text.trim().is_empty() {
            return Vec::new();
        }
        let message = self.composer.take();
        if let Some(vim) = &mut self.vim {
            vim.reset();
        }
        self.edited();
        self.pane.follow();
        let text = message.strip_prefix(" /").map_or_else(
            || message.clone(),
            // The space only said that this is no command.
            |rest| format!("/{rest}"),
        );
        vec![Cmd::Remember(message), Cmd::Send(Op::Submit { text })]
    }

    pub(super) fn act(&mut self, action: Action, leaving: bool) -> Vec<Cmd> {
        match action {
            Action::Escape => self.escape(),
            Action::Break => self.break_off(leaving),
            Action::NextMode => {
                let mode = self.transcript.mode.next();
                self.flash(Level::Info, format!("{mode}: {}", mode.meaning()));
                vec![Cmd::Send(Op::SetMode { mode })]
            }
            Action::Help => {
                self.overlay = Some(Overlay::Help { scroll: 0 });
                Vec::new()
            }
            Action::Palette => {
                self.pick(Kind::Commands);
                Vec::new()
            }
            Action::Files => {
                self.pick(Kind::Files);
                Vec::new()
            }
            Action::Symbols => {
                self.pick(Kind::Symbols);
                Vec::new()
            }
            Action::Copy => self.copy(What::Answer),
            Action::Details => {
                self.pane.toggle_details();
                Vec::new()
            }
            Action::Search => self.find(),
            Action::EarlierTurn | Action::LaterTurn => {
                self.go_to_turn(action == Action::LaterTurn);
                Vec::new()
            }
            Action::Expand => {
                self.expand();
                Vec::new()
            }
            Action::Redraw => vec![Cmd::Redraw],
            Action::Suspend => vec![Cmd::Suspend],
            Action::Scroll(by) => {
                self.scroll(by);
                Vec::new()
            }
            Action::Submit
            | Action::Complete
            | Action::EndOfInput
            | Action::Edit(_)
            | Action::Answer(_)
            | Action::Review(_)
            | Action::Find(_)
            | Action::Ask(_)
            | Action::Serve(_) => Vec::new(),
        }
    }

    fn escape(&mut self) -> Vec<Cmd> {
        if !self.completion().is_empty() {
            self.closed = true;
            return Vec::new();
        }
        if self.transcript.is_busy() {
            return self.interrupt();
        }
        self.pane.follow();
        Vec::new()
    }

    fn interrupt(&mut self) -> Vec<Cmd> {
        if self.lost {
            return Vec::new();
        }
        self.stopping = true;
        self.flash(Level::Info, "stopping the turn");
        vec![Cmd::Send(Op::Interrupt)]
    }

    fn break_off(&mut self, leaving: bool) -> Vec<Cmd> {
        if leaving {
            return self.quit();
        }
        let stop = self.transcript.is_busy() && !self.stopping;
        if stop && !self.lost {
            return self.interrupt();
        }
        if !self.composer.is_empty() && self.approval.is_none() && self.asked.is_none() {
            self.composer.clear();
            self.edited();
            return Vec::new();
        }
        self.leaving = true;
        let key = key_of(Action::Break);
        self.flash(Level::Info, format!("press {key} again to quit"));
        Vec::new()
    }

    pub(super) fn quit(&mut self) -> Vec<Cmd> {
        if self.lost {
            return vec![Cmd::Quit];
        }
        vec![Cmd::Send(Op::Shutdown), Cmd::Quit]
    }

    /// Scrolls what lies under the wheel, three lines at a time.
    pub(super) fn wheel(&mut self, by: Scroll) {
        for _ in 0..3 {
            let area = self.area();
            if let Some(overlay) = &mut self.overlay {
                overlay.scroll(by, &self.transcript, area);
            } else if self.approval.is_some() {
                self.scroll_question(by);
            } else {
                self.scroll(by);
            }
        }
    }

    pub(super) fn scroll(&mut self, by: Scroll) {
        let panes = self.panes();
        let source = view::source(&self.transcript, &self.highlighter, panes.transcript.width);
        self.pane
            .scroll(by, source, usize::from(panes.transcript.height));
    }

    fn approval_key(
        &mut self,
        key: KeyEvent,
        typed: Option<char>,
        at: Duration,
        leaving: bool,
    ) -> Vec<Cmd> {
        let Some(approval) = &mut self.approval else {
            return Vec::new();
        };
        if let Some(reason) = &mut approval.reason {
            if let Some(c) = typed {
                reason.insert(c);
                return Vec::new();
            }
            match lookup(key, Context::Composer) {
                Some(Action::Submit) => {
                    let text = reason.take();
                    let text = text.trim();
                    let reason = (!text.is_empty()).then(|| text.to_owned());
                    return self.decide(Decision::Deny { reason });
                }
                // Escape takes back the wish to say why, not the turn.
                Some(Action::Escape) => approval.reason = None,
                Some(Action::Edit(Edit::Newline | Edit::Up | Edit::Down)) => {}
                Some(Action::Edit(edit)) => reason.edit(edit, usize::MAX),
                Some(action @ (Action::Break | Action::Redraw | Action::Suspend)) => {
                    return self.act(action, leaving);
                }
                _ => {}
            }
            return Vec::new();
        }
        let armed = approval.is_armed(at);
        if !armed && approval.follows && (typed.is_some() || key.code == KeyCode::Enter) {
            approval.disturb(at);
            return Vec::new();
        }
        if !armed {
            // Whoever is in the middle of a word goes on writing it.
            if let Some(c) = typed {
                approval.disturb(at);
                self.composer.insert(c);
                self.edited();
                return Vec::new();
            }
            if matches!(key.code, KeyCode::Backspace | KeyCode::Enter) {
                approval.disturb(at);
                if key.code == KeyCode::Backspace {
                    self.composer.edit(Edit::Backspace, usize::MAX);
                }
                return Vec::new();
            }
        }
        match lookup(key, Context::Approval) {
            Some(Action::Answer(answer)) => match answer {
                _ if approval.answered => Vec::new(),
                Answer::AllowOnce => self.allow_rest(),
                Answer::AllowAlike => self.allow_alike(),
                Answer::AllowForSession | Answer::AllowForProject if !approval.is_whole() => {
                    let key = key_of(Action::Answer(Answer::AllowOnce));
                    let text =
                        format!("something was left out or edited: {key} allows the rest once");
                    self.flash(Level::Info, text);
                    Vec::new()
                }
                Answer::AllowForProject => self.decide(Decision::Allow {
                    scope: Scope::Project,
                }),
                Answer::AllowForSession => self.decide(Decision::Allow {
                    scope: Scope::Session,
                }),
                Answer::Deny => self.decide(Decision::Deny { reason: None }),
                Answer::DenyWithReason => {
                    approval.reason = Some(Composer::default());
                    Vec::new()
                }
            },
            Some(Action::Scroll(by)) => {
                self.scroll_question(by);
                Vec::new()
            }
            Some(Action::Review(_)) if approval.answered => Vec::new(),
            Some(Action::Review(key)) => self.review(key),
            // What was begun last is taken back first.
            Some(Action::Escape) if approval.unchoose() => Vec::new(),
            Some(action) => self.act(action, leaving),
            None => Vec::new(),
        }
    }

    /// Sends a decision, once.
    pub(super) fn decide(&mut self, decision: Decision) -> Vec<Cmd> {
        match &mut self.approval {
            Some(approval) if !approval.answered => {
                approval.answered = true;
                approval.reason = None;
                vec![Cmd::Send(Op::Decide {
                    call: approval.call,
                    decision,
                })]
            }
            _ => Vec::new(),
        }
    }
}

/// Returns the character that a key types, if it types one.
fn typed(key: KeyEvent) -> Option<char> {
    match key.code {
        KeyCode::Char(c)
            if !key
                .modifiers
                .intersects(KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SUPER) =>
        {
            Some(c)
        }
        _ => None,
    }
}
