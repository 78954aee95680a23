//! Finding text in the transcript, and going from turn to turn.

use std::time::Duration;

use crossterm::event::KeyEvent;

use crate::protocol::{CallState, Item};

use super::app::{App, Cmd};
use super::composer::Composer;
use super::keymap::{Action, Context, Edit, Find, lookup};
use super::role::Role;
use super::text::{Row, clean_line};
use super::view;

/// A search that is open.
#[derive(Debug, Default)]
pub(super) struct Finding {
    query: Composer,
    /// The items that have the text, and which of them is looked at.
    found: Vec<usize>,
    at: usize,
}

impl Finding {
    /// Returns what is looked for; `None` while nothing is.
    pub(super) fn needle(&self) -> Option<String> {
        let text = self.query.text();
        (!text.is_empty()).then(|| folded(text, text))
    }

    /// Takes a pasted text in.
    pub(super) fn paste(&mut self, text: &str) {
        self.query.paste(text);
    }

    /// Returns the row that stands in place of the message, and the cursor's column.
    pub(super) fn row(&self, wide: usize) -> (Row, u16) {
        let mut row = Row::new("find › ", Role::Accent);
        row.push(clean_line(self.query.text()), Role::Text);
        let column = row.width();
        let place = match (self.query.text(), self.found.len()) {
            ("", _) => "  ↑ ↓ go to earlier and later ones, Esc ends".to_owned(),
            (_, 0) => "  nowhere in this session".to_owned(),
            (_, found) => format!("  {} of {found} · ↑ ↓ · Esc", self.at + 1),
        };
        row.push(place, Role::TextDim);
        (row.cut(wide), column.min(wide.saturating_sub(1)) as u16)
    }
}

/// Makes a text comparable: small letters are any letters, a capital is a capital.
fn folded(text: &str, query: &str) -> String {
    match query.chars().any(char::is_uppercase) {
        true => text.to_owned(),
        false => text.to_lowercase(),
    }
}

/// Tells whether an item has a text, in what is shown of it or what is folded away.
fn has(item: &Item, query: &str) -> bool {
    let needle = folded(query, query);
    let has = |text: &str| folded(text, query).contains(&needle);
    match item {
        Item::User { text, .. }
        | Item::Assistant { text }
        | Item::Reasoning { text }
        | Item::Notice { text, .. } => has(text),
        Item::Call {
            call,
            state,
            change,
            ..
        } => {
            let outcome = match state {
                CallState::Finished { outcome } => has(outcome.for_model()),
                _ => false,
            };
            let files = change
                .iter()
                .flat_map(|change| std::iter::once(change.as_ref()).chain(change.others.iter()));
            let mut lines = files
                .flat_map(|file| &file.hunks)
                .flat_map(|hunk| &hunk.lines);
            outcome
                || has(&call.title())
                || call.arguments.values().any(|value| match value.as_str() {
                    Some(text) => has(text),
                    None => has(&value.to_string()),
                })
                || lines.any(|line| has(&line.text))
        }
        Item::Search { search } => {
            let said = |trial: &crate::protocol::Trial| match &trial.state {
                CallState::Finished { outcome } => has(outcome.for_model()),
                _ => false,
            };
            let mut trials = search.trials.iter();
            has(&search.sentence()) || trials.any(|trial| has(&trial.call.title()) || said(trial))
        }
        Item::Undone { undone, .. } => undone.iter().any(|file| has(&file.path)),
        Item::Plan { plan } => plan.steps.iter().any(|step| has(&step.text)),
        Item::Finding { finding } => [
            &finding.path,
            &finding.title,
            &finding.explanation,
            &finding.suggestion,
        ]
        .into_iter()
        .any(|text| has(text)),
        Item::End { summary, .. } => has(&summary.sentence()),
    }
}

impl App {
    /// Opens the search.
    pub(super) fn find(&mut self) -> Vec<Cmd> {
        self.finding = Some(Finding::default());
        Vec::new()
    }

    /// Does what a key means while the search is open.
    pub(super) fn finding_key(
        &mut self,
        key: KeyEvent,
        typed: Option<char>,
        at: Duration,
    ) -> Vec<Cmd> {
        self.now = self.now.max(at);
        let Some(finding) = &mut self.finding else {
            return Vec::new();
        };
        if let Some(c) = typed {
            finding.query.insert(c);
            self.look_for();
            return Vec::new();
        }
        match lookup(key, Context::Find) {
            Some(Action::Find(Find::Earlier)) => self.find_next(false),
            Some(Action::Find(Find::Later)) => self.find_next(true),
            Some(Action::Edit(edit)) => {
                finding.query.edit(edit, usize::MAX);
                if !matches!(edit, Edit::Left | Edit::Right | Edit::Home | Edit::End) {
                    self.look_for();
                }
            }
            Some(Action::Escape | Action::Break) => self.finding = None,
            Some(Action::Scroll(by)) => self.scroll(by),
            Some(action @ (Action::Redraw | Action::Suspend)) => return self.act(action, false),
            _ => {}
        }
        Vec::new()
    }

    /// Finds what is written anew, from the end: what came last is looked for most.
    pub(super) fn look_for(&mut self) {
        let Some(finding) = &mut self.finding else {
            return;
        };
        let query = finding.query.text();
        let items = self.transcript.items.iter().enumerate();
        finding.found = match query {
            "" => Vec::new(),
            query => items
                .filter(|(_, item)| has(item, query))
                .map(|(at, _)| at)
                .collect(),
        };
        finding.at = finding.found.len().saturating_sub(1);
        self.show_found();
    }

    fn find_next(&mut self, later: bool) {
        let Some(finding) = &mut self.finding else {
            return;
        };
        let last = finding.found.len().saturating_sub(1);
        finding.at = match later {
            true if finding.at >= last => 0,
            true => finding.at + 1,
            false => finding.at.checked_sub(1).unwrap_or(last),
        };
        self.show_found();
    }

    fn show_found(&mut self) {
        let Some((item, needle)) = self
            .finding
            .as_ref()
            .and_then(|finding| Some((*finding.found.get(finding.at)?, finding.needle()?)))
        else {
            return;
        };
        let panes = self.panes();
        let source = view::source(&self.transcript, &self.highlighter, panes.transcript.width);
        let high = usize::from(panes.transcript.height);
        self.pane.show(item, &needle, source, high);
    }

    /// Goes to the start of the turn before or after.
    pub(super) fn go_to_turn(&mut self, later: bool) {
        let panes = self.panes();
        let source = view::source(&self.transcript, &self.highlighter, panes.transcript.width);
        let high = usize::from(panes.transcript.height);
        self.pane.turn(later, source, high);
    }

    /// Shows or hides what the last call in sight was asked and said.
    pub(super) fn expand(&mut self) {
        let panes = self.panes();
        let source = view::source(&self.transcript, &self.highlighter, panes.transcript.width);
        let high = usize::from(panes.transcript.height);
        if !self.pane.expand(source, high) {
            let text = "no call is in sight";
            self.flash(crate::protocol::Level::Info, text);
        }
    }
}

/// Tells whether a row shows a text.
pub(super) fn has_row(row: &Row, needle: &str) -> bool {
    folded(&row.plain(), needle).contains(needle)
}

/// Marks a text in a row that is drawn at a place.
pub(super) fn mark(
    row: &Row,
    needle: &str,
    buffer: &mut ratatui::buffer::Buffer,
    area: ratatui::layout::Rect,
    theme: &super::theme::Theme,
) {
    use unicode_segmentation::UnicodeSegmentation as _;
    let plain = row.plain();
    // The columns at which each byte of the comparable text stands.
    let (mut text, mut columns) = (String::new(), Vec::new());
    let mut column = 0;
    for grapheme in plain.graphemes(true) {
        let part = folded(grapheme, needle);
        columns.extend(std::iter::repeat_n(column, part.len()));
        text.push_str(&part);
        column += super::text::width(grapheme);
    }
    columns.push(column);
    for (start, found) in text.match_indices(needle) {
        let (from, to) = (columns[start], columns[start + found.len()]);
        let place = ratatui::layout::Rect {
            x: area.x + from.min(usize::from(area.width)) as u16,
            width: (to - from).min(usize::from(area.width).saturating_sub(from)) as u16,
            ..area
        };
        buffer.set_style(
            place.intersection(buffer.area),
            theme.style(Role::Selection),
        );
    }
}
