//! What each key does while a server's question is open.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent};

use crate::protocol::{Answer, Level, Op, Question, QuestionKind};

use super::super::app::{App, Cmd};
use super::super::keymap::{Action, Ask, Context, Edit, Reply, Scroll, lookup};
use super::Asked;

impl App {
    /// Opens, keeps or closes the pane after what is asked now.
    pub(in super::super) fn meet_question(&mut self, at: Duration) {
        let Some(question) = self.transcript.questions.first() else {
            self.asked = None;
            return;
        };
        if self
            .asked
            .as_ref()
            .is_some_and(|open| open.id == question.id)
        {
            return;
        }
        self.asked = Some(Asked::new(question, at));
        // A help that hides a question would leave the server hanging.
        self.overlay = None;
    }

    /// Returns the pane with its question, unless a call waits for a decision: that goes first.
    pub(in super::super) fn open_question(&self) -> Option<(&Asked, &Question)> {
        let asked = self.asked.as_ref().filter(|_| self.approval.is_none())?;
        let question = self.transcript.questions.first()?;
        (question.id == asked.id).then_some((asked, question))
    }

    /// Does what a key means while a question is open.
    pub(in super::super) fn question_key(
        &mut self,
        key: KeyEvent,
        typed: Option<char>,
        at: Duration,
        leaving: bool,
    ) -> Vec<Cmd> {
        let Some(question) = self.transcript.questions.first().cloned() else {
            return Vec::new();
        };
        let is_form = matches!(question.kind, QuestionKind::Form { .. });
        let wide = usize::from(self.panes().approval.width);
        let Some(asked) = &mut self.asked else {
            return Vec::new();
        };
        if !asked.is_armed(at) && self.turned_away(key, typed, at) {
            return Vec::new();
        }
        let Some(asked) = &mut self.asked else {
            return Vec::new();
        };
        let value_wide = asked.columns(wide).wide;
        if is_form && let Some(c) = typed {
            if let Some(entry) = asked.entries.get_mut(asked.focus) {
                entry.typed(c);
            }
            return Vec::new();
        }
        let context = if is_form {
            Context::Form
        } else {
            Context::Question
        };
        match lookup(key, context) {
            Some(Action::Ask(ask)) => self.ask_key(ask, &question),
            Some(Action::Edit(edit)) => {
                if let Some(entry) = asked.entries.get_mut(asked.focus) {
                    entry.edit(edit, value_wide);
                } else if asked.focus == asked.entries.len() && edit == Edit::Right {
                    asked.focus += 1;
                } else if asked.focus > asked.entries.len() && edit == Edit::Left {
                    asked.focus -= 1;
                }
                Vec::new()
            }
            Some(Action::Scroll(by)) if !is_form => {
                self.scroll_asked(by, &question);
                Vec::new()
            }
            Some(Action::Escape) => self.answer(Answer::Cancel),
            Some(action) => self.act(action, leaving),
            None => Vec::new(),
        }
    }

    /// Gives a key to the message that is being written, where it was meant for that.
    fn turned_away(&mut self, key: KeyEvent, typed: Option<char>, at: Duration) -> bool {
        let Some(asked) = &mut self.asked else {
            return false;
        };
        match (typed, key.code) {
            (Some(c), _) => {
                asked.disturb(at);
                self.composer.insert(c);
                self.edited();
            }
            (None, KeyCode::Backspace) => {
                asked.disturb(at);
                self.composer.edit(Edit::Backspace, usize::MAX);
                self.edited();
            }
            (None, KeyCode::Enter | KeyCode::Tab) => asked.disturb(at),
            _ => return false,
        }
        true
    }

    fn ask_key(&mut self, ask: Ask, question: &Question) -> Vec<Cmd> {
        let Some(asked) = &mut self.asked else {
            return Vec::new();
        };
        let last = asked.entries.len() + 1;
        match ask {
            Ask::Enter if asked.focus + 1 == last => self.send(),
            Ask::Enter if asked.focus == last => self.answer(Answer::Decline),
            Ask::Next | Ask::Enter => {
                asked.focus = if asked.focus >= last {
                    0
                } else {
                    asked.focus + 1
                };
                Vec::new()
            }
            Ask::Previous => {
                asked.focus = asked.focus.checked_sub(1).unwrap_or(last);
                Vec::new()
            }
            Ask::Send => self.send(),
            Ask::Decline => self.answer(Answer::Decline),
            Ask::Editor => {
                let text = asked
                    .entries
                    .get(asked.focus)
                    .and_then(super::entry::Entry::text);
                text.map_or_else(Vec::new, |text| vec![Cmd::WriteText { text }])
            }
            Ask::Reply(Reply::Accept) => {
                let mut cmds = match &question.kind {
                    QuestionKind::Page { url, .. } if !asked.answered => {
                        vec![Cmd::CopyText(url.clone())]
                    }
                    _ => Vec::new(),
                };
                let copied = !cmds.is_empty();
                cmds.extend(self.send());
                if copied {
                    self.flash(Level::Info, "the address is in the clipboard");
                }
                cmds
            }
            Ask::Reply(Reply::Decline) => self.answer(Answer::Decline),
            Ask::Reply(Reply::Change) => {
                let text = match (&asked.text, &question.kind) {
                    (Some(text), _) => text.clone(),
                    (None, QuestionKind::Completion { text }) => text.clone(),
                    (None, QuestionKind::Prompt { messages, .. }) => messages
                        .last()
                        .map(|(_, text)| text.clone())
                        .unwrap_or_default(),
                    _ => return Vec::new(),
                };
                vec![Cmd::WriteText { text }]
            }
        }
    }

    fn scroll_asked(&mut self, by: Scroll, question: &Question) {
        let area = self.panes().approval;
        let Some(asked) = &mut self.asked else {
            return;
        };
        let (total, height) = asked.extent(question, area);
        let page = height.saturating_sub(1).max(1);
        let last = total.saturating_sub(height);
        asked.scroll = match by {
            Scroll::PageUp => asked.scroll.saturating_sub(page),
            Scroll::PageDown => asked.scroll + page,
            Scroll::LineUp => asked.scroll.saturating_sub(1),
            Scroll::LineDown => asked.scroll + 1,
            Scroll::Top => 0,
            Scroll::Bottom => last,
        }
        .min(last);
    }

    fn send(&mut self) -> Vec<Cmd> {
        match self.asked.as_mut().and_then(Asked::accept) {
            Some(answer) => self.answer(answer),
            None => Vec::new(),
        }
    }

    /// Sends an answer, once.
    fn answer(&mut self, answer: Answer) -> Vec<Cmd> {
        match &mut self.asked {
            Some(asked) if !asked.answered => {
                asked.answered = true;
                vec![Cmd::Send(Op::Answer {
                    question: asked.id,
                    answer,
                })]
            }
            _ => Vec::new(),
        }
    }
}
