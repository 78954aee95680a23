//! The frame: which pane stands where, and what is in it. Draws, and changes nothing.

use ratatui::{
    Frame,
    buffer::Buffer,
    layout::{Position, Rect},
    widgets::{Clear, Widget as _},
};

use crate::protocol::{Level, ModelFailure, Transcript, TurnState};

use super::app::App;
use super::approval::Set;
use super::finding::Finding;
use super::highlight::Highlighter;
use super::items;
use super::mention::Mention;
use super::overlay::draw_candidates;
use super::pages::Cost;
use super::role::Role;
use super::status;
use super::text::{Row, clean_line, count, draw_rows, thousands, width};
use super::transcript::Source;
use super::vim::Mode;
use super::welcome;

/// What stands before the message.
const PROMPT: &str = "› ";
/// A message shorter than this, in bytes, is read in no time.
const WORTH_TELLING: usize = 400;
/// Candidates of a completion that are shown at once.
const MOST_CANDIDATES: u16 = 8;

/// The places of the panes. A pane without room is empty.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Panes {
    pub transcript: Rect,
    pub approval: Rect,
    /// Queued messages and short answers of the UI.
    pub notes: Rect,
    pub rule: Rect,
    pub composer: Rect,
    pub status: Rect,
}

/// Returns the columns that the message has.
pub(super) fn composer_width(width: u16) -> usize {
    let prompt = if width >= 12 {
        PROMPT.chars().count()
    } else {
        0
    };
    // The cursor stands behind the last character.
    usize::from(width).saturating_sub(prompt + 1).max(1)
}

/// Divides the screen: the bar and the message first, then the question, and what is left shows the transcript.
pub(super) fn panes(app: &App, area: Rect) -> Panes {
    let high = area.height;
    let asks = app.approval.as_ref().zip(app.question());
    let server = app.open_question();
    let is_asking = asks.is_some() || server.is_some();
    let whole = app.approval.as_ref().is_some_and(|open| open.whole);
    let status = u16::from(high >= 2);
    let mut left = high - status;
    let rows = app.composer.rows(composer_width(area.width)).len() as u16;
    let composer = if is_asking && (high < 14 || whole) {
        0
    } else {
        rows.min((high / 3).max(1)).min(left)
    };
    left -= composer;
    let rule = u16::from(left >= 3 && (!is_asking || (high >= 14 && !whole)));
    left -= rule;
    let notes = (notes(app, usize::from(area.width)).len() as u16).min(left.saturating_sub(1) / 2);
    left -= notes;
    let asked = if is_asking {
        // Some of the transcript stays in sight where there is room: it is what led here.
        let most = match left {
            _ if whole => left,
            0..=12 => left,
            13..=29 => left - 4,
            _ => left - left / 4,
        };
        let entries = app.entries();
        let set = Set {
            entries: &entries,
            current: app.current(),
        };
        match (asks, server) {
            (Some((open, question)), _) => {
                open.wanted(question, set, &app.highlighter, area.width, most)
            }
            (None, Some((open, question))) => {
                let wanted = open.wanted(question, area.width);
                wanted.min(usize::from(most)) as u16
            }
            (None, None) => 0,
        }
    } else {
        0
    };
    left -= asked;
    let mut y = area.y;
    let mut next = |height: u16| {
        let pane = Rect { y, height, ..area };
        y += height;
        pane
    };
    Panes {
        transcript: margins(next(left)),
        approval: next(asked),
        notes: next(notes),
        rule: next(rule),
        composer: next(composer),
        status: next(status),
    }
}

fn margins(area: Rect) -> Rect {
    if area.width < 60 {
        return area;
    }
    Rect {
        x: area.x + 1,
        width: area.width - 2,
        ..area
    }
}

/// Returns what the transcript's pane is laid out from.
pub(super) fn source<'a>(
    transcript: &'a Transcript,
    highlighter: &'a Highlighter,
    width: u16,
) -> Source<'a> {
    Source {
        transcript,
        highlighter,
        limit: usize::from(width).max(1),
    }
}

/// Draws the whole frame.
pub fn view(app: &App, frame: &mut Frame) {
    let area = frame.area();
    if let Some(cursor) = draw(app, frame.buffer_mut(), area) {
        frame.set_cursor_position(cursor);
    }
}

/// Draws the whole screen, and returns where the cursor stands.
pub(super) fn draw(app: &App, buffer: &mut Buffer, area: Rect) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    let panes = panes(app, area);
    let theme = &app.theme;
    buffer.set_style(area, theme.style(Role::Text));
    if app.transcript.items.is_empty() && app.approval.is_none() && app.asked.is_none() {
        draw_welcome(app, buffer, panes.transcript);
    } else {
        let source = source(&app.transcript, &app.highlighter, panes.transcript.width);
        let needle = app.finding.as_ref().and_then(Finding::needle);
        app.pane
            .draw(source, needle.as_deref(), buffer, panes.transcript, theme);
    }
    draw_rows(
        &notes(app, usize::from(area.width)),
        buffer,
        panes.notes,
        theme,
    );
    draw_rows(
        [&rule(app, usize::from(area.width))],
        buffer,
        panes.rule,
        theme,
    );
    let mut cursor = draw_composer(app, buffer, panes.composer);
    if let (Some(approval), Some(question)) = (&app.approval, app.question()) {
        let entries = app.entries();
        let set = Set {
            entries: &entries,
            current: app.current(),
        };
        approval.draw(
            question,
            set,
            app.now,
            &app.highlighter,
            buffer,
            panes.approval,
            theme,
        );
        cursor = approval.cursor(panes.approval);
    } else if let Some((asked, question)) = app.open_question() {
        cursor = asked.draw(question, app.now, buffer, panes.approval, theme);
    }
    draw_completion(app, buffer, panes.composer, area);
    let bar = status::row(
        status::Facts {
            transcript: &app.transcript,
            model: &app.facts.model,
            enforced: &app.facts.enforced,
            elapsed: app.elapsed(),
            eta: app.eta(),
            lost: app.lost,
        },
        usize::from(area.width),
    );
    draw_rows([&bar], buffer, panes.status, theme);
    if let Some(overlay) = &app.overlay {
        let over = Rect {
            height: area.height - panes.status.height,
            ..area
        };
        cursor = overlay.draw(&app.transcript, buffer, over, theme);
    }
    drop_half_covered(buffer, area);
    cursor
        .map(Position::from)
        .filter(|cursor| area.contains(*cursor))
}

/// Blanks the wide characters whose right half was drawn over: a terminal shows the whole one or none of it.
fn drop_half_covered(buffer: &mut Buffer, area: Rect) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right().saturating_sub(1) {
            let symbol = buffer[(x, y)].symbol();
            if symbol.len() > 1 && width(symbol) > 1 && buffer[(x + 1, y)].symbol() != " " {
                buffer[(x, y)].set_symbol(" ");
            }
        }
    }
}

fn draw_welcome(app: &App, buffer: &mut Buffer, area: Rect) {
    let wide = usize::from(area.width).saturating_sub(4).min(84);
    let rows = welcome::rows(
        &app.transcript,
        &app.facts.root,
        &app.facts.model,
        &app.facts.enforced,
        wide.max(1),
        usize::from(area.height),
    );
    let high = (rows.len() as u16).min(area.height);
    let place = Rect {
        x: area.x + (area.width.saturating_sub(wide as u16) / 2).min(8),
        y: area.y + (area.height - high) / 3,
        width: (wide as u16).min(area.width),
        height: high,
    };
    draw_rows(&rows, buffer, place, &app.theme);
}

/// Returns the line above the message. It fills up while a model loads or a prompt is read.
fn rule(app: &App, limit: usize) -> Row {
    let normal = app.vim.as_ref().is_some_and(|vim| vim.mode == Mode::Normal);
    if normal && limit >= 20 {
        let left = Row::new("── ", Role::Border).with("normal ", Role::TextDim);
        let rest = "─".repeat(limit - left.width());
        return left.with(rest, Role::Border);
    }
    let share = match app.transcript.turn {
        TurnState::Reading { done, total, .. } if total > 0 => {
            Some(f64::from(done) / f64::from(total))
        }
        _ => app.transcript.loading.map(f64::from),
    };
    let Some(share) = share else {
        // What a long message takes to read is known before it is sent.
        let length = app.composer.length();
        if length < WORTH_TELLING || app.approval.is_some() || app.asked.is_some() {
            return Row::new("─".repeat(limit), Role::Border);
        }
        let told = Cost::of(length, &app.transcript.total_usage).told();
        let left = limit.saturating_sub(width(&told) + 4);
        return Row::new("─".repeat(left), Role::Border)
            .with(format!(" {told} "), Role::TextDim)
            .with("──", Role::Border)
            .cut(limit);
    };
    let parts = match app.transcript.turn {
        TurnState::Reading { total, cached, .. } if cached > 0 && limit >= 60 => {
            let new = thousands(total.saturating_sub(cached));
            format!(" {} kept · {new} new ──", thousands(cached))
        }
        _ => String::new(),
    };
    let limit = limit.saturating_sub(width(&parts));
    let done = (share.clamp(0.0, 1.0) * limit as f64) as usize;
    Row::new("━".repeat(done), Role::Progress)
        .with("─".repeat(limit - done), Role::Border)
        .with(parts, Role::TextDim)
}

fn notes(app: &App, limit: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let queued = &app.transcript.queued;
    if let Some(first) = queued.first() {
        let mut row = Row::new("⋯ waits for the turn to end: ", Role::TextDim);
        row.push(clean_line(first), Role::Text);
        let mut row = row.cut(
            limit
                .saturating_sub(if queued.len() > 1 { 21 } else { 0 })
                .max(1),
        );
        if queued.len() > 1 {
            row.push(
                format!(" and {} more · /queue", queued.len() - 1),
                Role::TextDim,
            );
        }
        rows.push(row.cut(limit));
    }
    if app.lost {
        let text = "the session ended unexpectedly\nhint: press Ctrl-D to leave, then `walden resume` goes on with it";
        rows.extend(items::notice(Level::Error, text, limit));
    }
    // How any other failure ended its turn is in the transcript; without a model there is no turn to end.
    if let Some(failure @ ModelFailure::Load { .. }) = &app.transcript.model_failure
        && !app.transcript.items.is_empty()
    {
        let text = format!("{failure}\nhint: run `walden doctor` to see what is missing");
        rows.extend(items::notice(Level::Error, &text, limit));
    }
    if let Some((level, text)) = &app.flash {
        rows.extend(items::notice(*level, text, limit));
    }
    rows
}

/// Draws the message, and returns where the cursor stands.
fn draw_composer(app: &App, buffer: &mut Buffer, area: Rect) -> Option<(u16, u16)> {
    if area.is_empty() {
        return None;
    }
    let theme = &app.theme;
    if let Some(finding) = app.finding.as_ref().filter(|_| app.approval.is_none()) {
        let (row, column) = finding.row(area.width.into());
        draw_rows([&row], buffer, area, theme);
        return Some((area.x + column, area.y));
    }
    let limit = composer_width(area.width);
    let prompt = if area.width >= 12 { PROMPT } else { "" };
    let left = prompt.chars().count() as u16;
    let line = |y: u16| Rect {
        y,
        height: 1,
        ..area
    };
    let asks = app.approval.is_some() || app.asked.is_some();
    if app.composer.is_empty() {
        let hint = if asks {
            "the question above waits for you"
        } else if app.lost {
            "the session is gone"
        } else if app.transcript.is_busy() {
            "Esc stops the turn; a message waits for its end"
        } else if app.transcript.items.is_empty() {
            "Ask about this repository, or type / for commands"
        } else {
            "Write a message"
        };
        let row = Row::new(prompt, Role::Accent).with(hint, Role::Placeholder);
        row.cut(usize::from(area.width))
            .draw(buffer, line(area.y), theme);
        return (!asks).then_some((area.x + left, area.y));
    }
    let rows = app.composer.rows(limit);
    let (at, column) = app.composer.position(limit);
    let high = usize::from(area.height);
    let first = (at + 1).saturating_sub(high);
    let text = app.composer.text();
    let role = if asks { Role::Placeholder } else { Role::Text };
    for ((number, span), y) in rows
        .iter()
        .enumerate()
        .skip(first)
        .zip(area.y..area.bottom())
    {
        let mark = match number {
            0 => prompt,
            _ if first > 0 && number == first => "↑ ",
            _ => "  ",
        };
        let mark = if prompt.is_empty() { "" } else { mark };
        let shown = text[span.start..span.end].replace('\t', " ");
        Row::new(mark, Role::Accent)
            .with(shown, role)
            .draw(buffer, line(y), theme);
    }
    let x = area.x + left + column as u16;
    (!asks).then_some((
        x.min(area.right().saturating_sub(1)),
        area.y + (at - first) as u16,
    ))
}

fn draw_completion(app: &App, buffer: &mut Buffer, composer: Rect, area: Rect) {
    let found = app.completion();
    let above = composer.y.saturating_sub(area.y);
    let high = (found.len() as u16).min(MOST_CANDIDATES).min(above);
    if found.is_empty() || high == 0 {
        return;
    }
    let place = Rect {
        y: composer.y - high,
        height: high,
        ..area
    };
    Clear.render(place.intersection(buffer.area), buffer);
    let what = app.mention.as_ref().map_or("command", Mention::what);
    let marker = if found.len() as u16 > high {
        format!("{} of {}", app.chosen + 1, count(found.len(), what))
    } else {
        String::new()
    };
    draw_candidates(&found, app.chosen, buffer, place, &app.theme);
    let wide = marker.len() as u16;
    if wide > 0 && wide * 3 < place.width {
        let corner = Rect {
            x: place.right() - wide,
            y: place.y,
            width: wide,
            height: 1,
        };
        Row::new(marker, Role::TextDim).draw(buffer, corner, &app.theme);
    }
}
