//! What can be looked up outside of the session: files, kept sessions, models. Looked up beside the UI, which goes on.

use std::sync::Arc;

/// Looks things up. Every method may take its time: it is called on a thread of its own.
pub trait Library: Send + Sync + std::fmt::Debug {
    /// Returns the paths of the files beneath the roots, in a stable order.
    fn files(&self) -> Vec<String>;
    /// Returns the beginning of a file, a line each.
    fn preview(&self, path: &str) -> Vec<String>;
    /// Returns the kept sessions, the newest first.
    fn sessions(&self) -> Vec<Kept>;
    /// Returns the models that can be used.
    fn models(&self) -> Vec<Offered>;
}

/// A session that is kept and can be gone on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub id: String,
    /// Its first message.
    pub title: String,
    pub root: String,
    pub turns: u32,
    /// When it began, as it is to be shown.
    pub began: String,
}

impl Kept {
    pub(super) fn told(&self) -> String {
        let turns = super::super::text::count(self.turns as usize, "turn");
        format!("{} · {turns} · {}", self.began, self.root)
    }
}

/// A model that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The name it is asked for by.
    pub name: String,
    /// What it is.
    pub title: String,
    /// The bytes of its file.
    pub size: u64,
    /// Whether its file is here.
    pub here: bool,
}

impl Offered {
    pub(super) fn told(&self) -> String {
        let here = if self.here {
            String::new()
        } else {
            format!(" · not here: `walden model pull {}`", self.name)
        };
        let tenths = self.size / 100_000_000;
        format!("{}.{} GB · {}{here}", tenths / 10, tenths % 10, self.title)
    }
}

/// What is to be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    Files,
    Preview(String),
    Sessions,
    Models,
}

/// What was looked up.
#[derive(Debug, Clone)]
pub enum Found {
    Files(Arc<[String]>),
    Preview(String, Vec<String>),
    Sessions(Vec<Kept>),
    Models(Vec<Offered>),
}

impl Want {
    /// Looks it up.
    pub(in super::super) fn look_up(self, library: &dyn Library) -> Found {
        match self {
            Self::Files => Found::Files(library.files().into()),
            Self::Preview(path) => {
                let lines = library.preview(&path);
                Found::Preview(path, lines)
            }
            Self::Sessions => Found::Sessions(library.sessions()),
            Self::Models => Found::Models(library.models()),
        }
    }
}
