//! The pane on the screen.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::highlight::Highlighter;
use super::super::keymap::{Action, Scroll, key_of};
use super::super::role::Role;
use super::super::text::{Row, draw_rows, width};
use super::super::theme::Theme;
use super::keys::REASON;
use super::layout::place;
use super::{Approval, Question, Set};
use crate::protocol::{Ask, Risk};

impl Approval {
    /// Draws the pane.
    #[expect(clippy::too_many_arguments, reason = "a frame is made of all of these")]
    pub(in crate::tui) fn draw(
        &self,
        question: Question<'_>,
        set: Set<'_>,
        now: Duration,
        highlighter: &Highlighter,
        buffer: &mut Buffer,
        area: Rect,
        theme: &Theme,
    ) {
        let parts = self.parts(question, highlighter, area.width);
        let room = self.room(&parts, question, set, highlighter, area);
        let wide = usize::from(area.width);
        let body = Rect {
            y: area.y + (1 + room.set.len() + room.head) as u16,
            height: room.body as u16,
            ..area
        };
        let review = self.reviewed(question);
        let (first, last, total, position) = match review {
            Some((review, change)) => {
                let place = place(change, highlighter, body);
                let (shown, total) = review.extent(place);
                (shown.start, shown.end, total, review.position(place))
            }
            None => {
                let total = parts.body.len();
                let first = self.scroll.min(total.saturating_sub(room.body));
                (first, (first + room.body).min(total), total, String::new())
            }
        };
        let mut title = Row::new("━━ ", Role::ApprovalBorder);
        title.push(verb(question), Role::Approval);
        let summary = self.summary(question.change);
        if !summary.is_empty() {
            title.push(format!(" {summary}"), Role::CallDenied);
        }
        title.push(" ", Role::ApprovalBorder);
        let mut places = Vec::new();
        if !position.is_empty() {
            places.push(position);
        }
        if last - first < total {
            places.push(format!("lines {}–{last} of {total}", first + 1));
            places.push(key_of(Action::Scroll(Scroll::PageDown)));
        }
        // What does not fit is left out from the end.
        while !places.is_empty() {
            let place = format!(" {} ", places.join(" · "));
            if title.width() + width(&place) + 4 <= wide {
                break;
            }
            places.pop();
        }
        let place_text = match places.as_slice() {
            [] => String::new(),
            places => format!(" {} ", places.join(" · ")),
        };
        let end = Row::new(place_text, Role::Approval);
        let left = wide.saturating_sub(title.width() + end.width());
        if left >= 2 {
            title.push("━".repeat(left - 2), Role::ApprovalBorder);
            title.append(end);
            title.push("━━", Role::ApprovalBorder);
        }
        let title = title.cut(wide);
        let mut keys: Vec<Row> = room.hints.iter().cloned().collect();
        keys.extend(self.keys(question, set, now, wide));
        let keys_height = (keys.len() as u16).min(area.height);
        let bottom = Rect {
            y: area.bottom() - keys_height,
            height: keys_height,
            ..area
        };
        let top = Rect {
            height: area.height - keys_height,
            ..area
        };
        let head = &parts.head[..room.head.min(parts.head.len())];
        let rows: Vec<&Row> = std::iter::once(&title)
            .chain(&room.set)
            .chain(head)
            .collect();
        draw_rows(rows, buffer, top, theme);
        let body = body.intersection(top);
        match review {
            Some((review, change)) => {
                review.draw(place(change, highlighter, body), buffer, body, theme);
            }
            None => draw_rows(parts.body.iter().skip(first), buffer, body, theme),
        }
        draw_rows(&keys, buffer, bottom, theme);
    }

    /// Returns where the cursor stands while a reason is written.
    pub(in crate::tui) fn cursor(&self, area: Rect) -> Option<(u16, u16)> {
        let reason = self.reason.as_ref()?;
        let wide = usize::from(area.width);
        let (_, column) = reason.position(usize::MAX);
        let column = (REASON.len() + column).min(wide.saturating_sub(1));
        Some((area.x + column as u16, area.bottom().saturating_sub(1)))
    }
}

/// Asks what a risk comes down to.
fn verb(question: Question<'_>) -> &'static str {
    match question.change {
        Some(change) if change.from.is_some() => {
            return match change.shown().count() {
                1 => "Move a file?",
                _ => "Move a file and edit others?",
            };
        }
        Some(change) if change.modes.is_some() => return "Change who may run a file?",
        _ => {}
    }
    if question.ask.is_some_and(Ask::is_about_samples) {
        return "Try edits on sample calls?";
    }
    if question.ask.is_some_and(Ask::is_once_for_all) {
        return "Run the project's check?";
    }
    match question.risk {
        Risk::Read => "Read?",
        Risk::Edit => "Edit a file?",
        Risk::EditExecutable => "Edit a file that other programs run?",
        Risk::Delete => "Delete or move files?",
        Risk::Command => "Run a command?",
        Risk::SensitiveRead => "Show the model a secret?",
        Risk::GitLocal => "Write to the git repository?",
        Risk::GitHistory => "Take commits or changes out of sight?",
        Risk::Memory => "Change what is remembered?",
        Risk::ForeignRead | Risk::Foreign => "Use a third-party tool?",
        Risk::Network => "Reach a network?",
        Risk::Outside => "Touch what lies outside?",
        Risk::Policy => "Change what walden may do?",
    }
}
