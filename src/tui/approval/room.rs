//! How the pane is divided: who gets the rows when there are few.

use ratatui::layout::Rect;

use super::super::highlight::Highlighter;
use super::super::keymap::{Action, Review as Key, key_of};
use super::super::review::set;
use super::super::role::Role;
use super::super::text::Row;
use super::keys::keys_height;
use super::layout::{Parts, place};
use super::{Approval, Question, Set};

/// How a pane is divided: the rows of the set, and how many rows the head and the body get.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) set: Vec<Row>,
    pub(super) head: usize,
    pub(super) body: usize,
    pub(super) hints: Option<Row>,
}

impl Approval {
    /// Returns the rows that the pane would like to have, up to `most`.
    pub(crate) fn wanted(
        &self,
        question: Question<'_>,
        set: Set<'_>,
        highlighter: &Highlighter,
        width: u16,
        most: u16,
    ) -> u16 {
        if self.whole {
            return most;
        }
        let parts = self.parts(question, highlighter, width);
        let area = Rect::new(0, 0, width, most);
        let rows = self.rows(&parts, question, set, highlighter, area);
        let hints = usize::from(self.review.is_some());
        (rows + hints).min(usize::from(most)) as u16
    }

    /// Counts the rows of everything but the hints, as far as there is room for them.
    fn rows(
        &self,
        parts: &Parts,
        question: Question<'_>,
        set: Set<'_>,
        highlighter: &Highlighter,
        area: Rect,
    ) -> usize {
        let high = usize::from(area.height);
        let body = match self.reviewed(question) {
            Some((review, change)) => review.wanted(place(change, highlighter, area), high),
            None => parts.body.len(),
        };
        let set = set::rows(set.entries, set.current, area.width.into(), high).len();
        1 + set + parts.head.len() + body + usize::from(keys_height(area.width.into()))
    }

    /// Divides the pane: the set, the head, and what is asked.
    pub(super) fn room(
        &self,
        parts: &Parts,
        question: Question<'_>,
        set: Set<'_>,
        highlighter: &Highlighter,
        area: Rect,
    ) -> Room {
        let high = usize::from(area.height);
        let fits = || self.rows(parts, question, set, highlighter, area) < high;
        let hints = (high >= 14 || fits())
            .then(|| self.hints(area.width))
            .flatten();
        let mut fixed = 1 + usize::from(keys_height(area.width.into()));
        fixed += usize::from(hints.is_some());
        let most = match high {
            _ if fits() => usize::MAX,
            0..=7 => 0,
            8..=13 => 1,
            _ => high / 4,
        };
        let set = set::rows(set.entries, set.current, area.width.into(), most);
        fixed += set.len();
        let mut head = parts.head.len();
        // In a low pane what is asked has the first claim on the rows.
        let body = if self.review.is_some() {
            3
        } else {
            parts.body.len().min(3)
        };
        if high < fixed + head + body {
            head = head.min(1);
        }
        Room {
            set,
            head,
            body: high.saturating_sub(fixed + head),
            hints,
        }
    }

    pub(super) fn body(
        &self,
        question: Question<'_>,
        set: Set<'_>,
        highlighter: &Highlighter,
        area: Rect,
    ) -> Rect {
        let parts = self.parts(question, highlighter, area.width);
        let room = self.room(&parts, question, set, highlighter, area);
        Rect {
            y: area.y + (1 + room.set.len() + room.head) as u16,
            height: room.body as u16,
            ..area
        }
    }

    /// Returns the row that says how a change is gone through, where there is a change and room.
    fn hints(&self, width: u16) -> Option<Row> {
        self.review.as_ref()?;
        let mut row = Row::default();
        for (key, label) in [
            (Key::LeaveOut, "leave out"),
            (Key::Choose, "choose lines"),
            (Key::Edit, "edit"),
            (Key::NextHunk, "next hunk"),
            (Key::Sides, "sides"),
            (Key::Whole, "whole screen"),
        ] {
            let key = key_of(Action::Review(key));
            let gap = if row.spans.is_empty() { "" } else { "  " };
            let label = format!(" {label}");
            if row.width() + gap.len() + key.len() + label.len() > usize::from(width) {
                break;
            }
            row.push(gap, Role::TextDim);
            row.push(key, Role::Key);
            row.push(label, Role::TextDim);
        }
        Some(row)
    }
}
