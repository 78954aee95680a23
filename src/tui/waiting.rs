//! The calls that wait for a decision: which one is looked at, and how one goes from one to the next.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::protocol::{CallId, Decision, FileChange, Level, Op};

use super::app::{App, Cmd, Editing};
use super::approval::{Approval, Question, Set};
use super::highlight::Highlighter;
use super::keymap::{Review as Key, Scroll};
use super::review::{Done, set::Entry};

impl App {
    /// Returns what is looked at and waits for a decision.
    pub(super) fn question(&self) -> Option<Question<'_>> {
        self.question_of(self.approval.as_ref()?.call)
    }

    fn question_of(&self, id: CallId) -> Option<Question<'_>> {
        self.transcript
            .waiting()
            .find(|(call, ..)| call.id == id)
            .map(|(call, risk, reason, change)| Question {
                call,
                risk,
                reason,
                change,
                ask: self.transcript.ask_of(call.id),
            })
    }

    /// Returns all calls that wait, the oldest first, as the pane lists them.
    pub(super) fn entries(&self) -> Vec<Entry<'_>> {
        let looked_at = |id: CallId| {
            let open = self.approval.iter().chain(&self.aside);
            open.into_iter().find(|open| open.call == id)
        };
        let mut entries: Vec<Entry<'_>> = self
            .transcript
            .waiting()
            .map(|(call, _, _, change)| Entry {
                title: call.title(),
                change,
                summary: looked_at(call.id).map_or_else(String::new, |open| open.summary(change)),
            })
            .collect();
        entries.reverse();
        entries
    }

    /// Returns where the call that is looked at stands among those that wait.
    pub(super) fn current(&self) -> usize {
        let open = self.approval.as_ref().map(|open| open.call);
        let waiting = self.waiting();
        waiting
            .iter()
            .position(|call| Some(*call) == open)
            .unwrap_or(0)
    }

    fn waiting(&self) -> Vec<CallId> {
        let mut waiting: Vec<CallId> = self
            .transcript
            .waiting()
            .map(|(call, ..)| call.id)
            .collect();
        waiting.reverse();
        waiting
    }

    /// Sees to it that a call is looked at while one waits. After a decision that is the next one.
    pub(super) fn look_at_waiting(&mut self, at: Duration) {
        let waiting = self.waiting();
        self.aside.retain(|open| waiting.contains(&open.call));
        let open = self.approval.as_ref().map(|open| open.call);
        if waiting.is_empty() {
            self.approval = None;
        } else if open.is_none_or(|open| !waiting.contains(&open)) {
            self.approval = None;
            let next = waiting
                .iter()
                .find(|call| open.is_none_or(|open| **call > open));
            let next = next.or(waiting.first()).copied();
            if let Some(next) = next {
                self.look_at(next);
                if let Some(next) = &mut self.approval {
                    // Keys may still be meant for what was there before.
                    next.disturb(at);
                    next.follows = open.is_some();
                }
            }
            // A help that hides a question would leave the turn hanging.
            self.overlay = None;
        }
    }

    /// Shows a call that waits.
    fn look_at(&mut self, call: CallId) {
        let open = self.approval.as_ref();
        let whole = open.is_some_and(|open| open.whole);
        // Who goes from one call to another means them: what was armed stays so.
        let quiet = open.map_or(Duration::ZERO, Approval::quiet_since);
        let known = self.aside.iter().position(|open| open.call == call);
        let mut next = match known {
            Some(known) => self.aside.swap_remove(known),
            None => {
                let change = self.change_of(call);
                Approval::new(call, quiet).with_change(change, self.size.0)
            }
        };
        next.whole |= whole;
        self.aside.extend(self.approval.replace(next));
    }

    fn change_of(&self, call: CallId) -> Option<&FileChange> {
        self.transcript
            .waiting()
            .find(|(waiting, ..)| waiting.id == call)
            .and_then(|(.., change)| change)
    }

    /// Does what a key says about the change that asks.
    pub(super) fn review(&mut self, key: Key) -> Vec<Cmd> {
        match key {
            Key::NextCall | Key::PreviousCall => {
                let waiting = self.waiting();
                let current = self.current();
                let next = match key {
                    Key::NextCall => current + 1,
                    _ => current.wrapping_sub(1),
                };
                match waiting.get(next) {
                    Some(next) => self.look_at(*next),
                    None => self.flash(Level::Info, "no other call waits on that side"),
                }
                Vec::new()
            }
            Key::Whole => {
                if let Some(open) = &mut self.approval {
                    open.whole = !open.whole;
                }
                Vec::new()
            }
            _ => match self.with_approval(|open, question, set, highlighter, area| {
                open.review(key, question, set, highlighter, area)
            }) {
                Some(Done::Edit { hunk, text }) => self.edit_hunk(hunk, text),
                Some(Done::Refused(why)) => {
                    self.flash(Level::Info, why);
                    Vec::new()
                }
                Some(Done::Shown) | None => Vec::new(),
            },
        }
    }

    /// Scrolls what is asked.
    pub(super) fn scroll_question(&mut self, by: Scroll) {
        self.with_approval(|open, question, set, highlighter, area| {
            open.scroll(by, question, set, highlighter, area);
        });
    }

    /// Lends the pane out together with what it shows.
    fn with_approval<T>(
        &mut self,
        then: impl FnOnce(&mut Approval, Question<'_>, Set<'_>, &Highlighter, Rect) -> T,
    ) -> Option<T> {
        let area = self.panes().approval;
        let current = self.current();
        let mut open = self.approval.take()?;
        let entries = self.entries();
        let set = Set {
            entries: &entries,
            current,
        };
        let question = self.question_of(open.call);
        let out = question.map(|question| then(&mut open, question, set, &self.highlighter, area));
        drop(entries);
        self.approval = Some(open);
        out
    }

    /// Gives a hunk to the user's editor.
    fn edit_hunk(&mut self, hunk: usize, text: String) -> Vec<Cmd> {
        let Some(question) = self.question() else {
            return Vec::new();
        };
        let call = question.call.id;
        self.editing = Some(Editing { call, hunk });
        vec![Cmd::WriteText { text }]
    }

    /// Takes in what came back from the editor.
    pub(super) fn edited_elsewhere(&mut self, text: &str) {
        let Some(editing) = self.editing.take() else {
            return;
        };
        let Editing { call, hunk } = editing;
        let width = self.size.0;
        let change = self.change_of(call).cloned();
        let open = self.approval.iter_mut().chain(&mut self.aside);
        if let Some((open, change)) = open.into_iter().find(|open| open.call == call).zip(change) {
            open.edited(&change, hunk, text, width);
        } else {
            self.flash(
                Level::Warning,
                "the call no longer waits: nothing was taken over",
            );
        }
    }

    /// Allows the call that is looked at, as far as its change was left in.
    pub(super) fn allow_rest(&mut self) -> Vec<Cmd> {
        let change = self.question().and_then(|question| question.change);
        let Some(decision) = self.approval.as_ref().map(|open| open.decision(change)) else {
            return Vec::new();
        };
        self.decide(decision)
    }

    /// Allows all waiting calls of the tool that is looked at, each as far as its change was left in.
    pub(super) fn allow_alike(&mut self) -> Vec<Cmd> {
        let Some(question) = self.question() else {
            return Vec::new();
        };
        let like =
            |server: &str, tool: &str| server == question.call.server && tool == question.call.tool;
        let risk = question.risk;
        let mut decisions: Vec<(CallId, Decision)> = self
            .transcript
            .waiting()
            .filter(|(call, other, ..)| like(&call.server, &call.tool) && *other == risk)
            .map(|(call, _, _, change)| {
                let open = self.approval.iter().chain(&self.aside);
                let open = open.into_iter().find(|open| open.call == call.id);
                let decision = open.map_or(
                    Decision::Allow {
                        scope: crate::protocol::Scope::Once,
                    },
                    |open| open.decision(change),
                );
                (call.id, decision)
            })
            .collect();
        decisions.reverse();
        let open = self.approval.iter_mut().chain(&mut self.aside);
        let mut answered = Vec::new();
        for open in open {
            if decisions.iter().any(|(call, _)| *call == open.call) {
                answered.extend(open.answered.then_some(open.call));
                open.answered = true;
                open.reason = None;
            }
        }
        decisions
            .into_iter()
            // A decision counts once.
            .filter(|(call, _)| !answered.contains(call))
            .map(|(call, decision)| Cmd::Send(Op::Decide { call, decision }))
            .collect()
    }
}
