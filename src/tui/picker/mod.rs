//! Choosing one of many by a few characters: commands, files, symbols, kept sessions, models.

mod draw;
mod library;
mod rank;

pub use library::{Defined, Found, Kept, Library, Offered, Want};
pub use rank::{Hit, Ranker, Subject};

use std::sync::Arc;

use super::commands;
use super::composer::Composer;
use super::keymap::{self, Action, Scroll};

/// Lines that are ranked at most: nobody pages further.
const MOST_HITS: usize = 200;

/// What is chosen from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Commands,
    Files,
    Symbols,
    Sessions,
    Models,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// A line such as `/mode plan`.
    Command(String),
    /// What a key does.
    Action(Action),
    File(String),
    Symbol(Defined),
    Session(String),
    Model(String),
}

/// An open picker.
#[derive(Debug)]
pub(super) struct Picker {
    pub kind: Kind,
    pub query: Composer,
    pub selected: usize,
    lines: Arc<[String]>,
    /// What stands beside a line; files have nothing there.
    helps: Vec<String>,
    values: Vec<Choice>,
    symbols: Arc<[Defined]>,
    ranker: Ranker,
    hits: Vec<Hit>,
    total: usize,
    /// The list is still being made.
    waiting: bool,
    /// The beginning of the selected file, and which one that is.
    preview: Option<(String, Vec<String>)>,
}

impl Picker {
    /// Opens the picker of commands, and of what keys do.
    pub(super) fn commands() -> Self {
        let mut picker = Self::empty(Kind::Commands);
        let mut lines = Vec::new();
        for candidate in commands::all() {
            picker.values.push(Choice::Command(candidate.line.clone()));
            lines.push(candidate.line);
            picker.helps.push(candidate.help);
        }
        for (action, keys, help) in keymap::anywhere() {
            picker.values.push(Choice::Action(action));
            lines.push(help);
            picker.helps.push(keys);
        }
        picker.lines = lines.into();
        picker.waiting = false;
        picker.rank();
        picker
    }

    /// Opens the picker of files, over those that are known already.
    pub(super) fn files(files: Option<Arc<[String]>>) -> Self {
        let mut picker = Self::empty(Kind::Files);
        picker.ranker = Ranker::new(Subject::Paths);
        if let Some(files) = files {
            picker.take_files(files);
        }
        picker
    }

    /// Opens a picker whose list is yet to come.
    pub(super) fn empty(kind: Kind) -> Self {
        Self {
            kind,
            query: Composer::default(),
            selected: 0,
            lines: Vec::new().into(),
            helps: Vec::new(),
            values: Vec::new(),
            symbols: Vec::new().into(),
            ranker: Ranker::default(),
            hits: Vec::new(),
            total: 0,
            waiting: true,
            preview: None,
        }
    }

    /// Takes the list of files.
    pub(super) fn take_files(&mut self, files: Arc<[String]>) {
        self.lines = files;
        self.waiting = false;
        self.rank();
    }

    /// Takes the symbols, and their names.
    pub(super) fn take_symbols(&mut self, symbols: Arc<[Defined]>, names: Arc<[String]>) {
        self.symbols = symbols;
        self.lines = names;
        self.waiting = false;
        self.rank();
    }

    /// Takes the kept sessions.
    pub(super) fn take_sessions(&mut self, kept: Vec<Kept>) {
        self.lines = kept.iter().map(|kept| kept.title.clone()).collect();
        self.helps = kept.iter().map(Kept::told).collect();
        self.values = kept
            .into_iter()
            .map(|kept| Choice::Session(kept.id))
            .collect();
        self.waiting = false;
        self.rank();
    }

    /// Takes the models.
    pub(super) fn take_models(&mut self, offered: Vec<Offered>) {
        self.lines = offered.iter().map(|model| model.name.clone()).collect();
        self.helps = offered.iter().map(Offered::told).collect();
        self.values = offered
            .into_iter()
            .map(|model| Choice::Model(model.name))
            .collect();
        self.waiting = false;
        self.rank();
    }

    /// Takes the beginning of a file.
    pub(super) fn take_preview(&mut self, path: String, lines: Vec<String>) {
        self.preview = Some((path, lines));
    }

    /// Ranks anew after the query or the list changed.
    pub(super) fn rank(&mut self) {
        let query = self.query.text().trim_start_matches('/');
        (self.hits, self.total) = self.ranker.best(query, &self.lines, MOST_HITS);
        self.selected = self.selected.min(self.hits.len().saturating_sub(1));
    }

    /// Returns what is chosen.
    pub(super) fn choice(&self) -> Option<Choice> {
        let at = self.hits.get(self.selected)?.at;
        match self.kind {
            Kind::Files => self.lines.get(at).cloned().map(Choice::File),
            Kind::Symbols => self.symbols.get(at).cloned().map(Choice::Symbol),
            _ => self.values.get(at).cloned(),
        }
    }

    /// Returns what is to be looked up to show the beginning of what is chosen, unless that is shown.
    pub(super) fn wants_preview(&self) -> Option<Want> {
        let (place, want) = match self.choice()? {
            Choice::File(path) => (path.clone(), Want::Preview(path)),
            Choice::Symbol(symbol) => {
                let place = symbol.place();
                let Defined { path, line, .. } = symbol;
                (place, Want::Look { path, line })
            }
            _ => return None,
        };
        let shown = self.preview.as_ref().map(|(shown, _)| shown);
        (shown != Some(&place)).then_some(want)
    }

    /// Moves the selection.
    pub(super) fn scroll(&mut self, by: Scroll, page: usize) {
        let last = self.hits.len().saturating_sub(1);
        self.selected = match by {
            Scroll::LineUp => self.selected.saturating_sub(1),
            Scroll::LineDown => self.selected + 1,
            Scroll::PageUp => self.selected.saturating_sub(page),
            Scroll::PageDown => self.selected + page,
            Scroll::Top => 0,
            Scroll::Bottom => last,
        }
        .min(last);
    }
}
