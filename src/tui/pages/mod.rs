//! Pages that lie over the transcript and tell one thing whole: the model, the servers, the context, the queue, what
//! was asked of the model.

mod context;
mod model;
mod plan;
mod queue;
mod servers;
mod trace;

pub(super) use context::Cost;
pub(super) use servers::Target;
pub(super) use trace::Searches;

use ratatui::{buffer::Buffer, layout::Rect};

use crate::protocol::Transcript;

use super::keymap::Scroll;
use super::overlay::{draw_frame, draw_place};
use super::role::Role;
use super::text::{Row, draw_rows, pack, wrap};
use super::theme::Theme;

/// Which page it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Model,
    Servers,
    Context,
    Queue,
    /// The last requests to the model.
    Trace,
    /// The last prompt, as it was sent.
    Prompt,
    Plan,
}

/// An open page.
#[derive(Debug)]
pub(super) struct Page {
    pub subject: Subject,
    /// The first row in sight; on the queue, the chosen message; among the servers, the chosen row.
    pub at: usize,
    /// The server that is shown whole.
    pub open: Option<String>,
    /// The server that is forgotten when its key is pressed once more.
    pub removing: Option<String>,
    /// How searches are shown among the requests to the model.
    pub searches: Searches,
}

impl Page {
    /// Opens a page at its top.
    pub(super) fn new(subject: Subject) -> Self {
        Self {
            subject,
            at: 0,
            open: None,
            removing: None,
            searches: Searches::Folded,
        }
    }

    fn rows(&self, transcript: &Transcript, wide: usize) -> Vec<Row> {
        match self.subject {
            Subject::Model => model::rows(transcript, wide),
            Subject::Servers => servers::rows(transcript, self.at, self.open.as_deref(), wide),
            Subject::Context => context::rows(transcript, wide),
            Subject::Queue => queue::rows(transcript, self.at, wide),
            Subject::Trace => trace::rows(transcript, self.searches, wide),
            Subject::Prompt => trace::prompt(transcript, wide),
            Subject::Plan => plan::rows(transcript, self.at, wide),
        }
    }

    /// Says what keys do here, besides scrolling: each with what it does.
    fn keys(&self, transcript: &Transcript) -> Vec<Row> {
        match self.subject {
            Subject::Servers => servers::keys(&target(self, transcript)),
            Subject::Queue => queue::keys(transcript),
            Subject::Plan => plan::keys(transcript),
            Subject::Model | Subject::Context | Subject::Trace | Subject::Prompt => Vec::new(),
        }
    }

    /// Scrolls the page, or moves among the queued messages.
    pub(super) fn scroll(&mut self, by: Scroll, transcript: &Transcript, area: Rect) {
        let wide = usize::from(self.wide(transcript, area));
        let (last, page) = match self.subject {
            Subject::Queue => (transcript.queued.len().saturating_sub(1), 5),
            Subject::Servers => {
                self.removing = None;
                let lines = servers::lines(transcript, self.open.as_deref());
                (lines.len().saturating_sub(1), 10)
            }
            Subject::Plan => {
                let steps = transcript.plan.as_ref().map_or(0, |plan| plan.steps.len());
                (steps.saturating_sub(1), 5)
            }
            _ => {
                let high = usize::from(area.height.saturating_sub(2));
                let total = self.rows(transcript, wide).len();
                (total.saturating_sub(high), high.saturating_sub(1).max(1))
            }
        };
        self.at = match by {
            Scroll::LineUp => self.at.saturating_sub(1),
            Scroll::LineDown => self.at + 1,
            Scroll::PageUp => self.at.saturating_sub(page),
            Scroll::PageDown => self.at + page,
            Scroll::Top => 0,
            Scroll::Bottom => last,
        }
        .min(last);
    }

    /// Returns the columns that the page takes: more than usual only where its rows need them, and it is one of lists or
    /// of text that is not walden's.
    fn wide(&self, transcript: &Transcript, area: Rect) -> u16 {
        let most = (area.width / 5 * 3).clamp(WIDE, WIDEST);
        let may_need = matches!(
            self.subject,
            Subject::Servers | Subject::Queue | Subject::Prompt | Subject::Plan
        );
        let needs = |row: &Row| row.width() > usize::from(WIDE);
        let is_wide = may_need && self.rows(transcript, usize::from(most)).iter().any(needs);
        let wide = if is_wide { most } else { WIDE };
        area.width.min(wide + 4).saturating_sub(4).max(1)
    }

    /// Draws the page.
    pub(super) fn draw(
        &self,
        transcript: &Transcript,
        buffer: &mut Buffer,
        area: Rect,
        theme: &Theme,
    ) {
        let title = match self.subject {
            Subject::Model => "Model",
            Subject::Servers => "Servers",
            Subject::Context => "Context",
            Subject::Queue => "Messages that wait",
            Subject::Trace => "Requests to the model",
            Subject::Prompt => "The prompt, as it was sent",
            Subject::Plan => "Plan",
        };
        let wide = self.wide(transcript, area);
        let rows = self.rows(transcript, usize::from(wide));
        // What the keys do stays in sight, however long the list above it.
        let mut keys = Vec::new();
        for key in self.keys(transcript) {
            pack(&mut keys, key, usize::from(wide));
        }
        let below = match keys.len() {
            0 => 0,
            keys => keys as u16 + 1,
        };
        let high = rows.len() as u16 + below;
        let mut inner = draw_frame(buffer, area, wide, high, title, theme);
        if below > 0 && inner.height > below {
            inner.height -= below;
            let last = Rect {
                y: inner.bottom() + 1,
                height: below - 1,
                ..inner
            };
            draw_rows(&keys, buffer, last, theme);
        }
        let high = usize::from(inner.height);
        let first = match self.subject {
            // The chosen row is in sight, and what belongs to it.
            Subject::Servers | Subject::Queue | Subject::Plan => {
                let chosen = rows.iter().position(is_chosen).unwrap_or(0);
                (chosen + MOST_CHOSEN).saturating_sub(high).min(chosen)
            }
            _ => self.at,
        };
        let first = first.min(rows.len().saturating_sub(high));
        let below = Rect {
            height: area.height.min(inner.height),
            ..inner
        };
        if keys.is_empty() {
            draw_place(first, rows.len(), buffer, below, theme);
        }
        draw_rows(rows.iter().skip(first), buffer, inner, theme);
    }
}

/// Returns what the chosen row of the page of the servers belongs to.
pub(super) fn target(page: &Page, transcript: &Transcript) -> Target {
    let mut lines = servers::lines(transcript, page.open.as_deref());
    let at = page.at.min(lines.len().saturating_sub(1));
    lines.swap_remove(at).target
}

/// The columns that a page takes at most: three fifths of a wide terminal, within these.
const WIDE: u16 = 84;
const WIDEST: u16 = 120;
/// Rows that a chosen row takes at most where it is shown whole.
const MOST_CHOSEN: usize = 4;

/// Returns a name and what it is.
fn fact(name: &str, value: impl Into<String>, wide: usize) -> Vec<Row> {
    let row = Row::new(format!("{name:<12}"), Role::TextDim).with(value, Role::Text);
    wrap(&row, wide, &Row::new(" ".repeat(12), Role::Text))
}

/// Tells whether a row is the chosen one of its page.
fn is_chosen(row: &Row) -> bool {
    row.spans
        .first()
        .is_some_and(|span| span.text.starts_with('▸'))
}

/// Returns a key and what it does.
fn key(name: impl Into<String>, what: &str) -> Row {
    Row::new(name, Role::Key).with(format!(" {what}"), Role::TextDim)
}

fn note(text: &str, wide: usize) -> Vec<Row> {
    wrap(&Row::new(text, Role::TextDim), wide, &Row::default())
}

/// Returns a bar that is filled to a share, for those who see no colour too.
fn bar(share: f64, wide: usize) -> Row {
    let done = (share.clamp(0.0, 1.0) * wide as f64).round() as usize;
    Row::new("█".repeat(done), Role::Progress).with("░".repeat(wide - done), Role::Border)
}

/// Writes a number of bytes.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{} MB", bytes.div_ceil(1_000_000)),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
    }
}

/// Writes a speed.
fn speed(tokens: u32, milliseconds: u32) -> Option<String> {
    if tokens < 2 || milliseconds == 0 {
        return None;
    }
    let speed = f64::from(tokens) * 1000.0 / f64::from(milliseconds);
    Some(match speed {
        speed if speed < 10.0 => format!("{speed:.1} tokens a second"),
        speed => format!("{speed:.0} tokens a second"),
    })
}

#[cfg(test)]
mod tests;
