//! What lies over everything else: the help, a picker, a page.

use ratatui::{
    buffer::Buffer,
    layout::{Margin, Rect},
    widgets::{Clear, Widget as _},
};

use crate::protocol::{Transcript, TurnState};

use super::commands::{COMMANDS, Candidate};
use super::keymap::{self, Context, Scroll};
use super::pages::Page;
use super::picker::Picker;
use super::role::Role;
use super::text::{Row, draw_rows, width, wrap};
use super::theme::Theme;

/// What is open.
#[derive(Debug)]
pub(super) enum Overlay {
    Help { scroll: usize },
    Picker(Box<Picker>),
    Page(Page),
}

impl Overlay {
    /// Scrolls what is open, or moves its selection.
    pub(super) fn scroll(&mut self, by: Scroll, transcript: &Transcript, area: Rect) {
        match self {
            Self::Help { scroll } => {
                let inner = frame_of(area, 76, u16::MAX).1;
                let total = help_rows(transcript, usize::from(inner.width)).len();
                let height = usize::from(inner.height);
                let last = total.saturating_sub(height);
                let page = height.saturating_sub(1).max(1);
                *scroll = match by {
                    Scroll::PageUp => scroll.saturating_sub(page),
                    Scroll::PageDown => *scroll + page,
                    Scroll::LineUp => scroll.saturating_sub(1),
                    Scroll::LineDown => *scroll + 1,
                    Scroll::Top => 0,
                    Scroll::Bottom => last,
                }
                .min(last);
            }
            Self::Picker(picker) => {
                let page = picker.page(area);
                picker.scroll(by, page);
            }
            Self::Page(page) => page.scroll(by, transcript, area),
        }
    }

    /// Draws the overlay, and returns where the cursor stands.
    pub(super) fn draw(
        &self,
        transcript: &Transcript,
        buffer: &mut Buffer,
        area: Rect,
        theme: &Theme,
    ) -> Option<(u16, u16)> {
        match self {
            Self::Help { scroll } => {
                let wide = usize::from(frame_of(area, 76, u16::MAX).1.width);
                let rows = help_rows(transcript, wide);
                let inner = draw_frame(buffer, area, 76, rows.len() as u16, "Help", theme);
                let last = rows.len().saturating_sub(usize::from(inner.height));
                draw_rows(rows.iter().skip((*scroll).min(last)), buffer, inner, theme);
                draw_place(*scroll, rows.len(), buffer, inner, theme);
                None
            }
            Self::Picker(picker) => picker.draw(buffer, area, theme),
            Self::Page(page) => {
                page.draw(transcript, buffer, area, theme);
                None
            }
        }
    }
}

/// Says on the frame which rows are in sight, where not all are.
pub(super) fn draw_place(
    first: usize,
    total: usize,
    buffer: &mut Buffer,
    inner: Rect,
    theme: &Theme,
) {
    let high = usize::from(inner.height);
    if total <= high {
        return;
    }
    let first = first.min(total - high);
    let text = format!(" {}–{} of {total} · ↑ ↓ ", first + 1, first + high);
    let line = Rect {
        y: inner.bottom(),
        height: 1,
        ..inner
    };
    Row::new(text, Role::TextDim)
        .cut(inner.width.into())
        .draw(buffer, line, theme);
}

/// Draws a list of candidates with one selected.
pub(super) fn draw_candidates(
    found: &[Candidate],
    selected: usize,
    buffer: &mut Buffer,
    area: Rect,
    theme: &Theme,
) {
    let height = usize::from(area.height);
    if height == 0 {
        return;
    }
    let first = (selected + 1).saturating_sub(height);
    let widest = |text: fn(&Candidate) -> &str| {
        found
            .iter()
            .map(|candidate| width(text(candidate)))
            .max()
            .unwrap_or(0)
    };
    let line = widest(|candidate| &candidate.line);
    let help = widest(|candidate| &candidate.help);
    // What is told beside a name is short and at its end says where; a long name is the one to be cut, down to a half.
    let room = usize::from(area.width).saturating_sub(4);
    let column = line.min(room.saturating_sub(help).max(room / 2));
    for ((at, candidate), y) in found
        .iter()
        .enumerate()
        .skip(first)
        .zip(area.y..area.bottom())
    {
        let chosen = at == selected;
        let mut row = Row::new(if chosen { "▸ " } else { "  " }, Role::Accent);
        for (place, c) in candidate.line.chars().enumerate() {
            let role = if candidate.matches.contains(&place) {
                Role::Match
            } else {
                Role::Text
            };
            row.push(c.to_string(), role);
        }
        if !candidate.help.is_empty() {
            row = row.cut(column + 2);
            row.push(
                " ".repeat((column + 4).saturating_sub(row.width())),
                Role::Text,
            );
            row.push(candidate.help.as_str(), Role::TextDim);
        }
        if chosen {
            for span in &mut row.spans {
                span.ink = span.ink.over(Role::TextStrong);
            }
        }
        let line = Rect {
            y,
            height: 1,
            ..area
        };
        row.cut(usize::from(area.width)).draw(buffer, line, theme);
    }
}

/// Returns the help: what is at hand first, and the keys of a question on top while one waits.
fn help_rows(transcript: &Transcript, limit: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut sections = Vec::new();
    if matches!(transcript.turn, TurnState::Asking(_)) {
        sections.push(Context::Approval);
    }
    if !transcript.questions.is_empty() {
        sections.extend([Context::Form, Context::Question]);
    }
    let asks = sections.len();
    let others = keymap::LISTED.into_iter();
    sections.extend(
        others
            .filter(|context| !sections[..asks].contains(context))
            .collect::<Vec<_>>(),
    );
    // The commands come after the keys that count now; the keys of what is not there come last.
    let (now, later) = sections.split_at(asks + 2);
    let keys = |context: &Context| (context.when(), keymap::help(*context));
    let commands = COMMANDS
        .iter()
        .map(|entry| {
            let line = format!("/{} {}", entry.name, entry.argument);
            (line.trim_end().to_owned(), entry.help)
        })
        .collect();
    let column = if limit >= 60 { 30 } else { 0 };
    let all = now.iter().map(keys).chain([("Commands", commands)]);
    for (title, entries) in all.chain(later.iter().map(keys)) {
        if !rows.is_empty() {
            rows.push(Row::default());
        }
        rows.push(Row::new(title, Role::Heading));
        for (keys, help) in entries {
            let wide = width(&keys);
            let mut row = Row::new(keys, Role::Key);
            let indent = if wide + 2 <= column {
                row.push(" ".repeat(column - wide), Role::Text);
                column
            } else {
                row.push("  ", Role::Text);
                column.max(4)
            };
            row.push(help, Role::Text);
            rows.extend(wrap(&row, limit, &Row::new(" ".repeat(indent), Role::Text)));
        }
    }
    rows.push(Row::default());
    let tail = "A message that begins with a space is sent as it is, also with a `/`. Text is selected with the terminal's own mouse.";
    rows.extend(wrap(&Row::new(tail, Role::TextDim), limit, &Row::default()));
    rows
}

/// Returns a centred frame and what is inside it.
fn frame_of(area: Rect, wide: u16, high: u16) -> (Rect, Rect) {
    let width = area.width.min(wide.saturating_add(4));
    let height = area.height.min(high.saturating_add(2));
    let frame = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    (frame, frame.inner(Margin::new(2, 1)))
}

/// Draws a centred frame with a title, and returns what is inside it.
pub(super) fn draw_frame(
    buffer: &mut Buffer,
    area: Rect,
    wide: u16,
    high: u16,
    title: &str,
    theme: &Theme,
) -> Rect {
    let (frame, inner) = frame_of(area, wide, high);
    Clear.render(frame.intersection(buffer.area), buffer);
    let across = usize::from(frame.width).saturating_sub(2);
    let mut top = Row::new("╭─ ", Role::Border).with(title, Role::Heading);
    let close = format!(" {} ", keymap::key_of(keymap::Action::Escape));
    let left = across.saturating_sub(width(title) + 3 + width(&close) + 1);
    top.push(" ", Role::Border);
    top.push("─".repeat(left), Role::Border);
    top.push(close, Role::TextDim);
    top.push("─╮", Role::Border);
    let side = |y: u16| Rect {
        y,
        height: 1,
        ..frame
    };
    for y in frame.y..frame.bottom() {
        let row = if y == frame.y {
            top.clone()
        } else if y + 1 == frame.bottom() {
            Row::new(format!("╰{}╯", "─".repeat(across)), Role::Border)
        } else {
            // The inside has the text's colours: what is only bold or dim there takes them over.
            Row::new("│", Role::Border)
                .with(" ".repeat(across), Role::Text)
                .with("│", Role::Border)
        };
        row.draw(buffer, side(y), theme);
    }
    inner
}
