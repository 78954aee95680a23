//! What the terminal UI can look up outside of its session.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use crate::code::{Repository, SymbolKind};
use crate::model::store::{Role, Store};
use crate::session::SessionFiles;
use crate::tui;
use crate::workspace::{Index, Roots};

/// Lines of a file's beginning, and characters of one of them.
const MOST_LINES: usize = 60;
const LONGEST_LINE: usize = 300;
/// Symbols that are offered at most.
const MOST_SYMBOLS: usize = 300_000;
/// A longer file is not read for its beginning.
const LONGEST_FILE: usize = 4 << 20;

/// Looks things up for the sessions of one root.
#[derive(Debug)]
pub(super) struct Library {
    pub root: PathBuf,
    pub roots: Roots,
    pub files: SessionFiles,
    /// What is known of the code: the next look only reads what changed.
    pub code: Mutex<Repository>,
}

impl tui::Library for Library {
    fn files(&self) -> Vec<String> {
        Index::of(&self.roots).files().to_vec()
    }

    fn preview(&self, path: &str) -> Vec<String> {
        self.look(path, 1)
    }

    fn symbols(&self) -> Vec<tui::Defined> {
        // A look-up that panicked left what it knew: every file is known whole or not at all.
        let mut code = self.code.lock().unwrap_or_else(PoisonError::into_inner);
        code.refresh(&self.roots, &AtomicBool::new(false));
        code.definitions()
            .filter(|(_, symbol)| symbol.kind != SymbolKind::Field)
            .take(MOST_SYMBOLS)
            .map(|(path, symbol)| tui::Defined {
                name: symbol.name.clone(),
                kind: kind(symbol.kind),
                container: symbol.container.clone(),
                path: path.to_owned(),
                line: symbol.line,
                end: symbol.end,
            })
            .collect()
    }

    fn look(&self, path: &str, line: usize) -> Vec<String> {
        let Ok(file) = self.roots.read(path) else {
            return vec!["(cannot be read)".to_owned()];
        };
        if file.bytes.len() > LONGEST_FILE {
            return vec!["(too long to look into)".to_owned()];
        }
        match std::str::from_utf8(&file.bytes) {
            Ok(text) => text
                .lines()
                .skip(line.saturating_sub(1))
                .take(MOST_LINES)
                .map(|line| line.chars().take(LONGEST_LINE).collect())
                .collect(),
            Err(_) => vec!["(not a text)".to_owned()],
        }
    }

    fn sessions(&self) -> Vec<tui::Kept> {
        let root = self.root.display().to_string();
        // A session's paths are those of its root: another root's would mean other files.
        let kept = self
            .files
            .list()
            .into_iter()
            .filter(|info| info.root == root);
        kept.map(|info| tui::Kept {
            began: when(&info.id.0),
            id: info.id.0,
            title: info.title,
            root: info.root,
            turns: info.turns,
        })
        .collect()
    }

    fn models(&self) -> Vec<tui::Offered> {
        let Ok(store) = Store::open(None) else {
            return Vec::new();
        };
        let here = store.list().unwrap_or_default();
        let mut offered: Vec<tui::Offered> = store
            .catalog()
            .iter()
            .filter(|model| model.role == Role::Agent)
            .map(|model| tui::Offered {
                name: model.name.to_owned(),
                title: model.title.to_owned(),
                size: model.size,
                here: here.iter().any(|entry| entry.name == model.name),
            })
            .collect();
        for entry in here {
            if !store.catalog().iter().any(|model| model.name == entry.name) {
                offered.push(tui::Offered {
                    title: entry.source,
                    name: entry.name,
                    size: entry.size,
                    here: true,
                });
            }
        }
        // What can be used at once comes first.
        offered.sort_by_key(|model| !model.here);
        offered
    }
}

/// Says what a symbol is.
fn kind(kind: SymbolKind) -> &'static str {
    match kind {
        SymbolKind::Function => "function",
        SymbolKind::Method => "method",
        SymbolKind::Type => "type",
        SymbolKind::Constant => "constant",
        SymbolKind::Field => "field",
        SymbolKind::Module => "module",
        SymbolKind::Macro => "macro",
    }
}

/// Reads the time off a session's id: `20261121-093012-4f2a` is `2026-11-21 09:30`.
fn when(id: &str) -> String {
    let part = |from: usize, to: usize| id.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{} {}:{}",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(9, 11),
        part(11, 13)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sessions_id_tells_when_it_began() {
        assert_eq!(when("20261121-093012-4f2a"), "2026-11-21 09:30");
    }
}
