//! Moving an item to another file, with what it needs and what names it, as far as syntax tells.
//!
//! What is certain is rewritten: the item, its imports, the imports of it. Where it is not certain that all uses are
//! found, the old module of Rust or Python passes the item on, so that the code still builds, and these places are listed.
//! In the other languages an item is moved where all of it is certain, and refused with what is not otherwise.

mod c;
mod go;
mod java;
mod names;
mod python;
mod rust;
mod script;
mod text;

#[cfg(test)]
mod more_tests;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::grammar::SymbolKind;
use super::super::parse::parse;
use super::super::{Language, Parsed};
use super::source::{Project, Source};
use super::target::Target;
use super::{RenameError, Sight, Unsure};
use crate::workspace::Roots;

/// What is to be moved.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The name of a function, type or constant that stands in no other.
    pub item: &'a str,
    /// The file that it is moved to.
    pub to: &'a str,
    /// The file that defines it, where several do.
    pub path: Option<&'a str>,
}

/// A move that can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Where it is moved from.
    pub from: String,
    /// The files that change, each with what it is to hold.
    pub files: BTreeMap<String, String>,
    /// The old module passes the item on to those that still look for it there.
    pub passed_on: bool,
    /// Places that were left, and that somebody should look at.
    pub unsure: Vec<Sight>,
}

/// Why something cannot be moved. The texts say what to do next.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum MoveError {
    #[error(transparent)]
    Choice(#[from] RenameError),
    #[error(
        "`{name}` stands inside of something else; only what stands at the top of a file is moved"
    )]
    NotAtTop { name: String },
    #[error("`{name}` was not moved: {why}")]
    NotCertain { name: String, why: String },
    #[error("`{name}` is in `{path}` already")]
    SameFile { name: String, path: String },
    #[error(
        "there is no `{path}`; create it, and declare it as a module, before something is moved to it"
    )]
    NoFile { path: String },
    #[error("`{path}` cannot be parsed, or is in another language")]
    Unparsed { path: String },
    #[error("`{path}` is no module of the package of `{from}`; declare it with `mod` first")]
    NotAModule { path: String, from: String },
    #[error("the module of `{path}` is private to another one, and `{from}` cannot name it")]
    Hidden { path: String, from: String },
    #[error("`{path}` has another `{name}`; rename one of them first")]
    Taken { name: String, path: String },
    #[error(
        "`{from}` and `{to}` would import each other: `{name}` needs `{needs}`, and what stays needs `{name}`; move both"
    )]
    Circular {
        name: String,
        needs: String,
        from: String,
        to: String,
    },
    #[error(
        "line {line} of `{path}` names something by `{word}`; write the whole path there first"
    )]
    Relative {
        path: String,
        line: usize,
        word: String,
    },
    #[error("cancelled")]
    Cancelled,
}

/// Everything that a move looks at.
struct Scene<'a> {
    roots: &'a Roots,
    project: &'a Project,
    target: &'a Target,
    /// The file that has the item, and where its name stands in it.
    from: &'a Source,
    at: usize,
    to: File,
}

/// The file that something is moved to.
struct File {
    path: String,
    text: String,
    parsed: Parsed,
}

/// Plans to move something.
///
/// # Errors
///
/// When it is not clear what is meant, or it cannot be moved without a decision.
pub fn plan(roots: &Roots, request: &Request<'_>, cancel: &AtomicBool) -> Result<Move, MoveError> {
    let chosen = rename_of(request);
    let (_, name) = chosen.parts();
    let project = Project::read(roots, name, cancel);
    if cancel.load(Ordering::Relaxed) {
        return Err(MoveError::Cancelled);
    }
    let target = Target::choose(&project, &chosen)?;
    let name = || target.name.clone();
    // In C a declaration is no more than the promise of a definition.
    let is_body = |path: &String, at: usize| {
        let mut sources = project.sources.iter();
        let source = sources.find(|source| source.path == *path);
        !c::is_c(target.language) || source.is_some_and(|source| c::is_defined_at(source, at))
    };
    let places = target.places.iter();
    let places: Vec<_> = places.filter(|(path, at)| is_body(path, *at)).collect();
    let (path, at) = match places.as_slice() {
        [one] => one,
        [] => return Err(MoveError::NotAtTop { name: name() }),
        several => {
            let count = several.len();
            let why = format!("it is declared in {count} places; move them together by hand");
            return Err(MoveError::NotCertain { name: name(), why });
        }
    };
    let movable = !target.is_member()
        && target.homes.iter().all(|home| home.inner.is_empty())
        && !matches!(target.kind, SymbolKind::Module | SymbolKind::Macro);
    if !movable {
        return Err(MoveError::NotAtTop { name: name() });
    }
    let Some(from) = project.sources.iter().find(|source| source.path == *path) else {
        return Err(MoveError::NotAtTop { name: name() });
    };
    let to = roots
        .name(request.to)
        .unwrap_or_else(|_| request.to.to_owned());
    if to == from.path {
        return Err(MoveError::SameFile {
            name: name(),
            path: to,
        });
    }
    let to = open(roots, &to, from.language, cancel)?;
    let scene = Scene {
        roots,
        project: &project,
        target: &target,
        from,
        at: *at,
        to,
    };
    match from.language {
        Language::Rust => rust::plan(&scene),
        Language::Python => python::plan(&scene),
        Language::Go => go::plan(&scene),
        Language::JavaScript | Language::TypeScript | Language::Tsx => script::plan(&scene),
        Language::Java => java::plan(&scene),
        Language::C | Language::Cpp => c::plan(&scene),
    }
}

fn rename_of<'a>(request: &Request<'a>) -> super::Request<'a> {
    super::Request {
        old: request.item,
        new: request.item,
        path: request.path,
        unsure: Unsure::Leave,
    }
}

fn open(
    roots: &Roots,
    path: &str,
    language: Language,
    cancel: &AtomicBool,
) -> Result<File, MoveError> {
    let path = path.to_owned();
    let Ok(read) = roots.read(&path) else {
        return Err(MoveError::NoFile { path });
    };
    let text = String::from_utf8(read.bytes).ok();
    let parsed = text.and_then(|text| {
        let parsed = parse(language, text.as_bytes(), cancel)?;
        Some((text, parsed))
    });
    match parsed.filter(|_| Language::of(&path) == Some(language)) {
        Some((text, parsed)) => Ok(File { path, text, parsed }),
        None => Err(MoveError::Unparsed { path }),
    }
}
