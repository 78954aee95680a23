//! What can be looked up outside of the session: files, symbols, kept sessions, models. Looked
//! up beside the UI, which goes on.

use std::sync::Arc;

/// Looks things up. Every method may take its time: it is called on a thread of its own.
pub trait Library: Send + Sync + std::fmt::Debug {
    /// Returns the paths of the files beneath the roots, in a stable order.
    fn files(&self) -> Vec<String>;
    /// Returns the beginning of a file, a line each.
    fn preview(&self, path: &str) -> Vec<String>;
    /// Returns what the files of code define, file by file.
    fn symbols(&self) -> Vec<Defined>;
    /// Returns the lines of a file from one on, counted from 1.
    fn look(&self, path: &str, line: usize) -> Vec<String>;
    /// Returns the kept sessions, the newest first.
    fn sessions(&self) -> Vec<Kept>;
    /// Returns the models that can be used.
    fn models(&self) -> Vec<Offered>;
}

/// Something that a file of code defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defined {
    pub name: String,
    /// What it is, in a word: `function`.
    pub kind: &'static str,
    /// The type or the module that it is defined in.
    pub container: Option<String>,
    pub path: String,
    /// Its first and its last line, counted from 1.
    pub line: usize,
    pub end: usize,
}

impl Defined {
    /// Says what it is and where.
    pub(in super::super) fn told(&self) -> String {
        let of = match &self.container {
            Some(container) => format!(" of {container}"),
            None => String::new(),
        };
        format!("{}{of} · {}:{}", self.kind, self.path, self.line)
    }

    /// Names it in a message, so that its lines are read with it.
    pub(in super::super) fn named(&self) -> String {
        let Self {
            name,
            path,
            line,
            end,
            ..
        } = self;
        format!("`{name}` in @{path}:{line}-{end}")
    }

    /// Names the lines that it begins with.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.path, self.line)
    }
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
    Symbols,
    /// The lines of a file from one on.
    Look {
        path: String,
        line: usize,
    },
    Sessions,
    Models,
}

/// What was looked up.
#[derive(Debug, Clone)]
pub enum Found {
    Files(Arc<[String]>),
    Preview(String, Vec<String>),
    Symbols(Arc<[Defined]>),
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
            Self::Symbols => Found::Symbols(library.symbols().into()),
            Self::Look { path, line } => {
                let lines = library.look(&path, line);
                Found::Preview(format!("{path}:{line}"), lines)
            }
            Self::Sessions => Found::Sessions(library.sessions()),
            Self::Models => Found::Models(library.models()),
        }
    }
}
