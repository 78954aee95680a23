//! How the pane of a question stands on the screen.

use std::time::Duration;

use ratatui::{buffer::Buffer, layout::Rect};

use crate::protocol::{Question, QuestionKind};

use super::super::keymap::{Action, Ask, Edit, Reply, Scroll, key_of};
use super::super::role::Role;
use super::super::text::{Row, clean_line, draw_rows, pack};
use super::super::theme::Theme;
use super::Asked;
use super::body::Body;

impl Asked {
    /// Returns the rows that the pane would like to have.
    pub(in super::super) fn wanted(&self, question: &Question, wide: u16) -> usize {
        let wide = usize::from(wide).max(1);
        let keys = self.keys(question, Keys::Now, wide);
        1 + self.body(question, wide).rows.len() + keys.len()
    }

    /// Returns the rows of what is asked, and how many of them an area shows.
    pub(in super::super) fn extent(&self, question: &Question, area: Rect) -> (usize, usize) {
        let wide = usize::from(area.width).max(1);
        let rows = self.body(question, wide).rows.len();
        let keys = self.fitted(question, Keys::Now, area, rows);
        (
            rows,
            usize::from(area.height).saturating_sub(1 + keys.len()),
        )
    }

    /// Returns the rows of the keys, with the one that scrolls where there is something to scroll.
    fn fitted(&self, question: &Question, state: Keys, area: Rect, rows: usize) -> Vec<Row> {
        let wide = usize::from(area.width).max(1);
        let mut keys = self.keys(question, state, wide);
        let fits = 1 + rows + keys.len() <= usize::from(area.height);
        if !fits && self.entries.is_empty() && !self.answered {
            let mut more = Row::default();
            hint(&mut more, Action::Scroll(Scroll::PageDown), "scroll", state);
            pack(&mut keys, more, wide);
        }
        keys
    }

    /// Draws the pane, and returns where the cursor stands.
    pub(in super::super) fn draw(
        &self,
        question: &Question,
        now: Duration,
        buffer: &mut Buffer,
        area: Rect,
        theme: &Theme,
    ) -> Option<(u16, u16)> {
        if area.is_empty() {
            return None;
        }
        let wide = usize::from(area.width);
        let body = self.body(question, wide);
        let state = if self.is_armed(now) {
            Keys::Now
        } else {
            Keys::Soon
        };
        let keys = self.fitted(question, state, area, body.rows.len());
        let height = usize::from(area.height).saturating_sub(1 + keys.len());
        let first = self.first(&body, height);
        let title = title(question, first, height, body.rows.len(), wide);
        let shown = body.rows.iter().skip(first).take(height);
        draw_rows(std::iter::once(&title).chain(shown), buffer, area, theme);
        let keys_high = (keys.len() as u16).min(area.height.saturating_sub(1));
        let bottom = Rect {
            y: area.bottom() - keys_high,
            height: keys_high,
            ..area
        };
        draw_rows(&keys, buffer, bottom, theme);
        let (row, column) = body.cursor.filter(|_| !self.answered)?;
        let y = row.checked_sub(first).filter(|y| *y < height)?;
        let x = column.min(wide.saturating_sub(1));
        Some((area.x + x as u16, area.y + 1 + y as u16))
    }

    /// Returns the first row in sight: the field in focus is, whole where there is room.
    fn first(&self, body: &Body, height: usize) -> usize {
        let last = body.rows.len().saturating_sub(height);
        if self.entries.is_empty() {
            return self.scroll.min(last);
        }
        let end = body.focus.end.saturating_sub(height);
        // What the server says stays in sight as long as the focus is.
        let cursor = body.cursor.map_or(body.focus.start, |(row, _)| row);
        end.min(cursor).min(last)
    }

    fn keys(&self, question: &Question, state: Keys, wide: usize) -> Vec<Row> {
        if self.answered {
            return vec![Row::new("sent", Role::TextDim)];
        }
        let mut rows = Vec::new();
        let mut hint = |action: Action, label: &str| {
            let mut one = Row::default();
            hint(&mut one, action, label, state);
            pack(&mut rows, one, wide);
        };
        let reply = |reply| Action::Ask(Ask::Reply(reply));
        match &question.kind {
            QuestionKind::Form { .. } => {
                hint(Action::Ask(Ask::Next), "next");
                let focused = self.entries.get(self.focus);
                if focused.is_some_and(|entry| !entry.is_line()) {
                    hint(Action::Edit(Edit::Left), "→ choose");
                } else if focused.is_some() {
                    hint(Action::Ask(Ask::Editor), "$EDITOR");
                }
                hint(Action::Ask(Ask::Send), "send");
                hint(Action::Ask(Ask::Decline), "decline");
                hint(Action::Escape, "cancel");
            }
            QuestionKind::Page { .. } => {
                hint(reply(Reply::Accept), "copy the address and accept");
                hint(reply(Reply::Decline), "decline");
                hint(Action::Escape, "cancel");
            }
            QuestionKind::Prompt { .. } => {
                hint(reply(Reply::Accept), "let the model answer");
                hint(reply(Reply::Change), "change it");
                hint(reply(Reply::Decline), "decline");
                hint(Action::Escape, "cancel");
            }
            QuestionKind::Definition { .. } => {
                hint(reply(Reply::Accept), "agree");
                hint(reply(Reply::Decline), "decline");
                hint(Action::Escape, "not now");
            }
            QuestionKind::Completion { .. } => {
                hint(reply(Reply::Accept), "give it to the server");
                hint(reply(Reply::Change), "change it");
                hint(reply(Reply::Decline), "decline");
                hint(Action::Escape, "cancel");
            }
        }
        rows
    }
}

/// Whether the keys of a pane count yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    Now,
    /// The pane has only just come up: a key may be meant for what stood there before.
    Soon,
}

fn hint(row: &mut Row, action: Action, label: &str, state: Keys) {
    let (key, text) = match state {
        Keys::Now => (Role::Key, Role::Text),
        Keys::Soon => (Role::TextDim, Role::TextDim),
    };
    row.push(key_of(action), key);
    row.push(format!(" {label}"), text);
}

fn title(question: &Question, first: usize, height: usize, total: usize, wide: usize) -> Row {
    let server = clean_line(&question.server);
    let what = match &question.kind {
        QuestionKind::Form { .. } => "asks you",
        QuestionKind::Page { .. } => "asks you to open a page",
        QuestionKind::Prompt { .. } => "wants to ask the model",
        QuestionKind::Completion { .. } => "waits for the model's answer",
        QuestionKind::Definition { .. } => "needs your consent",
    };
    let mut title = Row::new("━━ ", Role::ApprovalBorder);
    title.push(server, Role::Approval);
    title.push(format!(" {what} "), Role::Approval);
    let place = if total > height && height > 0 {
        format!(" {}–{} of {total} ", first + 1, (first + height).min(total))
    } else {
        String::new()
    };
    let left = wide.saturating_sub(title.width() + place.chars().count());
    if left >= 2 {
        title.push("━".repeat(left - 2), Role::ApprovalBorder);
        title.push(place, Role::Approval);
        title.push("━━", Role::ApprovalBorder);
    }
    title.cut(wide)
}
