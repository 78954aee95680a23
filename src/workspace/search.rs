//! Searching the contents of files.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{
    BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkContextKind, SinkMatch,
};

use super::{Index, Roots, RootsError};
use crate::protocol::clip;

/// The most bytes of a line that are shown.
const MAX_LINE: usize = 400;

/// The most memory for one line of a file; a file with a longer one is passed over.
const MAX_HEAP: usize = 16 * 1024 * 1024;

/// What to search for.
#[derive(Debug, Clone)]
pub struct Query {
    /// A regular expression; text that is not one is searched for as it is. Without upper case, case is ignored.
    pub pattern: String,
    /// A directory or a file; `None` for all roots.
    pub path: Option<String>,
    /// Lines shown before and after each hit.
    pub context: usize,
    /// The most hits.
    pub limit: usize,
}

/// A line that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub path: String,
    /// Counted from 1.
    pub line: u64,
    pub text: String,
    pub before: Vec<String>,
    pub after: Vec<String>,
}

/// What a search found, by path and line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// There are more hits than the limit, or the search was cancelled.
    pub truncated: bool,
    /// The pattern is not a regular expression, and was searched for as it is.
    pub literal: bool,
    /// How many files were looked at.
    pub files: usize,
}

/// Why nothing could be searched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    #[error("the pattern is empty; give a word or a regular expression")]
    Empty,
    #[error("the pattern cannot be searched for: {reason}")]
    Pattern { reason: String },
    #[error(transparent)]
    Roots(#[from] RootsError),
}

/// Searches the files that the index lists, in order, until the limit or until `cancel` is set.
///
/// Binary files are passed over, and so is what cannot be opened beneath its root.
///
/// # Errors
///
/// When the pattern is empty or the path does not lead to anything inside the roots.
pub fn search(roots: &Roots, query: &Query, cancel: &AtomicBool) -> Result<Found, SearchError> {
    if query.pattern.is_empty() {
        return Err(SearchError::Empty);
    }
    if roots.primary().is_none() {
        return Err(RootsError::NoRoots.into());
    }
    let (matcher, literal) = matcher(&query.pattern)?;
    let index = match &query.path {
        Some(path) => Index::under(roots, path, cancel)?,
        None => Index::cancellable(roots, cancel),
    };
    let mut searcher = SearcherBuilder::new()
        .line_number(true)
        .before_context(query.context)
        .after_context(query.context)
        .binary_detection(BinaryDetection::quit(0))
        .heap_limit(Some(MAX_HEAP))
        .build();
    let mut found = Found {
        literal,
        truncated: index.is_truncated(),
        ..Found::default()
    };
    for path in index.files() {
        if cancel.load(Ordering::Relaxed) || found.hits.len() >= query.limit {
            found.truncated = true;
            break;
        }
        let Ok((file, _)) = roots.place(path).and_then(|place| roots.open_file(&place)) else {
            continue;
        };
        found.files += 1;
        let mut sink = Lines {
            path,
            // One more than fits tells that there are more.
            room: query.limit - found.hits.len() + 1,
            cancel,
            hits: Vec::new(),
            before: Vec::new(),
            binary: false,
        };
        let searched = searcher.search_reader(&matcher, file, &mut sink);
        if searched.is_ok() && !sink.binary {
            found.hits.append(&mut sink.hits);
        }
        if found.hits.len() > query.limit {
            found.hits.truncate(query.limit);
            found.truncated = true;
            break;
        }
    }
    Ok(found)
}

/// Compiles the pattern, as a text where it is not a regular expression.
fn matcher(pattern: &str) -> Result<(RegexMatcher, bool), SearchError> {
    let mut builder = RegexMatcherBuilder::new();
    builder
        .case_smart(true)
        .multi_line(true)
        .crlf(true)
        .line_terminator(Some(b'\n'));
    if let Ok(matcher) = builder.build(pattern) {
        return Ok((matcher, false));
    }
    builder
        .fixed_strings(true)
        .build(pattern)
        .map(|matcher| (matcher, true))
        .map_err(|error| SearchError::Pattern {
            reason: clip(&error.to_string(), 200),
        })
}

/// Takes the lines that a searcher finds in one file.
struct Lines<'a> {
    path: &'a str,
    room: usize,
    cancel: &'a AtomicBool,
    hits: Vec<Hit>,
    before: Vec<String>,
    binary: bool,
}

impl Sink for Lines<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> io::Result<bool> {
        self.hits.push(Hit {
            path: self.path.to_owned(),
            line: found.line_number().unwrap_or(0),
            text: shown(found.bytes()),
            before: std::mem::take(&mut self.before),
            after: Vec::new(),
        });
        Ok(self.hits.len() < self.room && !self.cancel.load(Ordering::Relaxed))
    }

    fn context(&mut self, _: &Searcher, context: &SinkContext<'_>) -> io::Result<bool> {
        let line = shown(context.bytes());
        match (context.kind(), self.hits.last_mut()) {
            (SinkContextKind::After, Some(hit)) => hit.after.push(line),
            _ => self.before.push(line),
        }
        Ok(true)
    }

    fn context_break(&mut self, _: &Searcher) -> io::Result<bool> {
        self.before.clear();
        Ok(true)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> io::Result<bool> {
        self.binary = true;
        Ok(false)
    }
}

/// Returns a line without its ending, cut where it is very long.
fn shown(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end_matches(['\n', '\r']);
    match line.char_indices().nth(MAX_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
