//! Renaming a symbol in all files of a repository, as far as syntax and scopes tell.
//!
//! What is certain is planned; what is not (a member of something whose type is not written down, the arguments of a
//! macro, a string) is listed with the reason, and left to the user or the model.

mod decide;
mod heirs;
mod imports;
mod modules;
pub mod moving;
mod packages;
mod receiver;
mod role;
mod scopes;
mod source;
mod target;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use self::decide::{Decider, Means};
use self::role::{Role, role};
use self::scopes::Locals;
use self::source::{Other, Project, Source, words};
use self::target::Target;
use super::Language;
use super::grammar::{SymbolKind, is_name};
use super::parse::walk;
use crate::workspace::Roots;

/// What is to be renamed.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Its name, alone or after its type or module: `parse`, `Reader::parse`, `reader.parse`.
    pub old: &'a str,
    pub new: &'a str,
    /// The file that defines it, where several do.
    pub path: Option<&'a str>,
    /// Whether places that are code and not certain are renamed as well.
    pub unsure: Unsure,
}

/// What becomes of the places in code that may mean something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unsure {
    #[default]
    Leave,
    Rename,
}

/// A place, with its line counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sight {
    pub path: String,
    pub line: usize,
    pub text: String,
    pub why: &'static str,
}

/// A rename that can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// The files that change, each with what it is to hold.
    pub files: BTreeMap<String, String>,
    /// The file among them that is named after what is renamed, and its new path.
    pub moved: Option<(String, String)>,
    /// How many places are renamed.
    pub places: usize,
    /// Where the name stands and was left, because it may mean something else.
    pub unsure: Vec<Sight>,
    /// Where the name stands in comments, strings and other files than code. They are left.
    pub mentions: Vec<Sight>,
}

/// Why something cannot be renamed. The texts say what to do next.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RenameError {
    #[error("`{name}` cannot be a name in {language}")]
    NotAName {
        name: String,
        language: &'static str,
    },
    #[error("the old and the new name are the same")]
    Same,
    #[error(
        "nothing in the project's code defines `{name}` outside of a function; `search` finds where it stands"
    )]
    NoDefinition { name: String },
    #[error(
        "`{name}` is defined several times; give `path`, or the name with its type or module:{}",
        listed(places)
    )]
    Ambiguous { name: String, places: Vec<Sight> },
    #[error("`{name}` is a module: its file is to be moved, too, which is not done here")]
    Module { name: String },
    #[error(
        "`{name}` belongs to `{of}`, which this project does not define, so that its name is not this project's to change"
    )]
    Foreign { name: String, of: String },
    #[error(
        "`{name}` already means something at {path}:{line}, so that code would change what it means; take another name"
    )]
    Taken {
        name: String,
        path: String,
        line: usize,
    },
    #[error("cancelled")]
    Cancelled,
}

fn listed(places: &[Sight]) -> String {
    let shown = places.iter().take(12);
    let lines = shown.map(|place| format!("\n{}:{}: {}", place.path, place.line, place.text));
    lines.collect()
}

impl Request<'_> {
    /// Takes the name apart: what stands before it, and itself.
    fn parts(&self) -> (Option<&str>, &str) {
        let (owner, name) = match self.old.rsplit_once("::") {
            Some((owner, name)) => (Some(owner), name),
            None => match self.old.rsplit_once('.') {
                Some((owner, name)) => (Some(owner), name),
                None => (None, self.old),
            },
        };
        let last = |owner: &'_ str| owner.rsplit([':', '.']).next().map(str::len);
        let owner = owner.map(|owner| &owner[owner.len() - last(owner).unwrap_or(0)..]);
        (owner.filter(|owner| !owner.is_empty()), name)
    }
}

/// Plans to rename something.
///
/// # Errors
///
/// When it is not clear what is meant, or the new name would mean something else.
pub fn plan(
    roots: &Roots,
    request: &Request<'_>,
    cancel: &AtomicBool,
) -> Result<Rename, RenameError> {
    let (_, name) = request.parts();
    if name == request.new {
        return Err(RenameError::Same);
    }
    let project = Project::read(roots, name, cancel);
    if cancel.load(Ordering::Relaxed) {
        return Err(RenameError::Cancelled);
    }
    let target = Target::choose(&project, request)?;
    if !target.language.is_identifier(request.new) {
        return Err(RenameError::NotAName {
            name: request.new.to_owned(),
            language: target.language.name(),
        });
    }
    let mut rename = Rename {
        files: BTreeMap::new(),
        moved: None,
        places: 0,
        unsure: Vec::new(),
        mentions: Vec::new(),
    };
    for source in &project.sources {
        in_source(&project, &target, source, request, &mut rename)?;
    }
    for other in &project.others {
        in_other(&target, other, request, &mut rename);
    }
    rename.moved = moved(&target, request.new);
    if let Some((_, to)) = &rename.moved
        && roots.is_there(to)
    {
        return Err(RenameError::Taken {
            name: request.new.to_owned(),
            path: to.clone(),
            line: 1,
        });
    }
    rename.unsure.sort();
    rename.mentions.sort();
    rename.mentions.dedup();
    Ok(rename)
}

/// Says which file is named after a class, and what it is to be called: Java finds a public class by the name of its file
/// (Java Language Specification, section 7.6).
fn moved(target: &Target, new: &str) -> Option<(String, String)> {
    let is_java = target.language == Language::Java && target.kind == SymbolKind::Type;
    let mut paths = target.places.iter().map(|(path, _)| path);
    let from = paths.find(|path| {
        let (_, file) = path.rsplit_once('/').unwrap_or(("", path));
        is_java && file.strip_suffix(".java") == Some(&target.name)
    })?;
    let folder = &from[..from.len() - target.name.len() - ".java".len()];
    Some((from.clone(), format!("{folder}{new}.java")))
}

fn in_source(
    project: &Project,
    target: &Target,
    source: &Source,
    request: &Request<'_>,
    rename: &mut Rename,
) -> Result<(), RenameError> {
    let decider = Decider::new(project, target, source);
    let (name, new) = (target.name.as_str(), request.new);
    let mut edits: Vec<(usize, String)> = Vec::new();
    // Where the new name means something already: in the whole file, or in a function that would hide the target.
    let known = Locals::of(source.language, &source.parsed, &source.text, new);
    let mut taken: Option<usize> = None;
    let mut fences = Vec::new();
    walk(source.parsed.root(), |node| {
        let kind = node.kind();
        if kind.contains("comment") || (kind.contains("string") && !has_code(node)) {
            let text = &source.text[node.byte_range()];
            for at in words(text, name) {
                fences.push((node.start_byte() + at, kind.contains("comment")));
            }
            return false;
        }
        if node.child_count() > 0 || !is_name(kind) {
            return true;
        }
        let text = &source.text[node.byte_range()];
        if text == new && role(source, node) == Role::Plain && !known.holds(node.start_byte()) {
            taken.get_or_insert(node.start_byte());
        }
        if text != name {
            return true;
        }
        let at = node.start_byte();
        match decider.decide(node) {
            Means::Target => edits.push((at, new.to_owned())),
            Means::TargetAndKey => edits.push((at, format!("{name}: {new}"))),
            Means::KeyAndValue => edits.push((at, format!("{new}: {name}"))),
            Means::Other => {}
            Means::Unsure(_) if request.unsure == Unsure::Rename => {
                edits.push((at, new.to_owned()));
            }
            Means::Unsure(why) => rename
                .unsure
                .push(sight(&source.path, &source.text, at, why)),
        }
        true
    });
    let links = target.others.is_empty() && source.language.links_with(target.language);
    for (at, is_comment) in fences {
        if is_comment && links && is_code_in_doc(target, &source.text, at) {
            edits.push((at, new.to_owned()));
            continue;
        }
        let why = if is_comment {
            "in a comment"
        } else {
            "in a string"
        };
        rename
            .mentions
            .push(sight(&source.path, &source.text, at, why));
    }
    if edits.is_empty() {
        return Ok(());
    }
    // A member is looked for in its type, where another name of the file is no matter.
    let hidden = edits.iter().map(|(at, _)| *at).find(|at| known.holds(*at));
    let taken = taken.or(hidden);
    if let Some(at) = taken.filter(|_| !target.is_member()) {
        return Err(RenameError::Taken {
            name: new.to_owned(),
            path: source.path.clone(),
            line: sight(&source.path, &source.text, at, "").line,
        });
    }
    edits.sort();
    edits.dedup_by_key(|(at, _)| *at);
    rename.places += edits.len();
    let text = replaced(&source.text, name.len(), edits);
    rename.files.insert(source.path.clone(), text);
    Ok(())
}

/// Renames in the examples of a document, and takes note of the rest.
fn in_other(target: &Target, other: &Other, request: &Request<'_>, rename: &mut Rename) {
    let name = &target.name;
    let is_document = other.path.ends_with(".md") && target.others.is_empty();
    let mut edits: Vec<(usize, String)> = Vec::new();
    for at in words(&other.text, name) {
        let is_example = is_document
            && !target.is_member()
            && !other.text[..at].ends_with('.')
            && in_example(target, &other.text, at);
        match is_example {
            true => edits.push((at, request.new.to_owned())),
            false => {
                let sight = sight(&other.path, &other.text, at, "not code");
                rename.mentions.push(sight);
            }
        }
    }
    if !edits.is_empty() {
        rename.places += edits.len();
        let text = replaced(&other.text, name.len(), edits);
        rename.files.insert(other.path.clone(), text);
    }
}

/// Tells whether a place of a Markdown text is in a fence of the target's language, and not in a string there.
fn in_example(target: &Target, text: &str, at: usize) -> bool {
    let mut open: Option<&str> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if start + line.len() > at {
            let before = &text[start..at];
            let quoted = before.matches('"').count() % 2 == 1;
            let is_ours = open.is_some_and(|language| {
                let word = language.split([',', ' ', '{']).next().unwrap_or_default();
                target.language.name().eq_ignore_ascii_case(word)
            });
            return is_ours && !quoted;
        }
        if let Some(language) = line.trim_start().strip_prefix("```") {
            open = match open {
                None => Some(language.trim()),
                Some(_) => None,
            };
        }
        start += line.len();
    }
    false
}

/// Puts other names in the place of one that is `length` long.
fn replaced(text: &str, length: usize, edits: Vec<(usize, String)>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, new) in edits {
        out.push_str(&text[done..at]);
        out.push_str(&new);
        done = at + length;
    }
    out.push_str(&text[done..]);
    out
}

/// Tells whether a string holds code: `f"{x}"`, `` `${x}` ``.
fn has_code(node: tree_sitter::Node<'_>) -> bool {
    let mut cursor = node.walk();
    node.children(&mut cursor).any(|child| {
        matches!(
            child.kind(),
            "interpolation" | "template_substitution" | "string" | "concatenated_string"
        )
    })
}

/// Tells whether a word of a documentation comment is code that names the target: in the fence of an example that is
/// compiled, or in a link. For a member this is not told.
fn is_code_in_doc(target: &Target, text: &str, at: usize) -> bool {
    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let is_doc = |line: &str| {
        let line = line.trim_start();
        line.starts_with("///") || line.starts_with("//!")
    };
    if !is_doc(line) || target.is_member() || target.kind == SymbolKind::Module {
        return false;
    }
    let before = &text[start..at];
    if before.ends_with('.') {
        return false;
    }
    let after = &text[at + target.name.len()..];
    let linked = before.contains('[') && {
        let end = after.find([']', '\n']);
        end.is_some_and(|end| after[end..].starts_with(']'))
    };
    let fences = text[..start]
        .lines()
        .rev()
        .take_while(|line| is_doc(line))
        .filter(|line| line.contains("```"))
        .count();
    linked || fences % 2 == 1
}

fn sight(path: &str, text: &str, at: usize, why: &'static str) -> Sight {
    let line = text[..at].matches('\n').count();
    let shown = text.lines().nth(line).unwrap_or_default().trim();
    Sight {
        path: path.to_owned(),
        line: line + 1,
        text: crate::protocol::clip(shown, 160),
        why,
    }
}
