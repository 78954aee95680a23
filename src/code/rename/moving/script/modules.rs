//! What a module imports, and how one module names another.

use std::ops::Range;

use super::super::names::{Code, file_name, folder};
use super::super::text::{Edits, line_end, take_from_list};

/// What the name of a module's file can end with.
const ENDINGS: &[&str] = &["ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs"];

/// A name that a module imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    /// The name in this file, and in the other: `default`, and `*` for all of it.
    pub(super) local: String,
    pub(super) imported: String,
    /// The module, as it is written.
    pub(super) source: String,
    pub(super) statement: Range<usize>,
    /// The name with what belongs to it.
    pub(super) part: Range<usize>,
    /// What is written for it in braces; empty where it stands in none.
    what: String,
    /// The statement imports nothing else.
    pub(super) alone: bool,
    /// It is the only one in its braces, beside a name outside of them.
    last_in_braces: Option<Range<usize>>,
    /// Only the type is imported, by the whole statement.
    is_type: bool,
    quote: char,
}

impl Import {
    /// Writes it as a statement of its own that names another module.
    pub(super) fn line(&self, source: &str, code: Code<'_>) -> String {
        let kind = if self.is_type { "type " } else { "" };
        let what = match self.imported.as_str() {
            "default" if self.what.is_empty() => self.local.clone(),
            "*" => format!("* as {}", self.local),
            _ => format!("{{ {} }}", self.what),
        };
        let end = super::end_of(code);
        format!("import {kind}{what} from {0}{source}{0}{end}", self.quote)
    }

    /// Tells whether this brings what another file's import does, where its module is named so here.
    pub(super) fn is_same(&self, other: &Self, source: &str) -> bool {
        let is_type = |one: &Self| one.is_type || one.what.starts_with("type ");
        self.imported == other.imported
            && self.source == source
            && (is_type(other) || !is_type(self))
    }
}

/// Reads what a module imports.
pub(super) fn imports(code: Code<'_>) -> Vec<Import> {
    let mut found = Vec::new();
    for statement in code.top() {
        if statement.kind() != "import_statement" {
            continue;
        }
        let Some(source) = statement.child_by_field_name("source") else {
            continue;
        };
        let quote = code.at(source).chars().next().unwrap_or('"');
        let source = code.at(source).trim_matches(['"', '\'']).to_owned();
        let mut cursor = statement.walk();
        let is_type = statement
            .children(&mut cursor)
            .any(|child| child.kind() == "type");
        let first = found.len();
        let mut cursor = statement.walk();
        let clause = statement
            .named_children(&mut cursor)
            .find(|child| child.kind() == "import_clause");
        let Some(clause) = clause else { continue };
        let make = |local: &str, imported: &str, part: Range<usize>, what: &str| Import {
            local: local.to_owned(),
            imported: imported.to_owned(),
            source: source.clone(),
            statement: statement.byte_range(),
            part,
            what: what.to_owned(),
            alone: false,
            last_in_braces: None,
            is_type,
            quote,
        };
        let mut cursor = clause.walk();
        let mut outside: Option<usize> = None;
        for child in clause.named_children(&mut cursor) {
            match child.kind() {
                "identifier" => {
                    outside = Some(child.end_byte());
                    found.push(make(code.at(child), "default", child.byte_range(), ""));
                }
                "namespace_import" => {
                    let name = child.named_child(0).map_or("", |name| code.at(name));
                    found.push(make(name, "*", child.byte_range(), ""));
                }
                "named_imports" => {
                    let mut cursor = child.walk();
                    let before = found.len();
                    for specifier in child.named_children(&mut cursor) {
                        let Some(name) = specifier.child_by_field_name("name") else {
                            continue;
                        };
                        let alias = specifier.child_by_field_name("alias").unwrap_or(name);
                        found.push(make(
                            code.at(alias),
                            code.at(name),
                            specifier.byte_range(),
                            code.at(specifier),
                        ));
                    }
                    if let (Some(outside), 1) = (outside, found.len() - before) {
                        found[before].last_in_braces = Some(outside..child.end_byte());
                    }
                }
                _ => {}
            }
        }
        if found.len() == first + 1 {
            found[first].alone = true;
        }
    }
    found
}

/// Takes out imports that nothing uses any more, and statements that are left with none.
pub(super) fn drop_imports(edits: &mut Edits, text: &str, all: &[Import], gone: &[&Import]) {
    for import in gone {
        let stays = all
            .iter()
            .any(|one| one.statement == import.statement && !gone.contains(&one));
        if !stays {
            edits.replace(lines_of(text, &import.statement), "");
        } else if let Some(braces) = &import.last_in_braces {
            edits.replace(braces.clone(), "");
        } else if import.what.is_empty() && import.imported == "default" {
            // Up to what stands after it.
            let rest = &text[import.part.end..];
            let next = rest.find(['{', '*']).unwrap_or(0);
            edits.replace(import.part.start..import.part.end + next, "");
        } else {
            take_from_list(edits, text, import.part.clone());
        }
    }
}

/// Returns the path of a module without the ending of its file.
fn stem(path: &str) -> &str {
    match path.rsplit_once('.') {
        Some((stem, ending)) if ENDINGS.contains(&ending) => stem,
        _ => path,
    }
}

/// Follows a relative path from a folder; `None` where it leads out of the repository.
fn walked(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Returns the path that a file means by a module, without its ending; `None` where that is not told by the name alone.
pub(super) fn resolved(file: &str, source: &str) -> Option<String> {
    if !source.starts_with('.') {
        return None;
    }
    let path = walked(folder(file), source)?;
    Some(stem(&path).to_owned())
}

/// Tells whether a module that a file names is another file.
pub(super) fn leads_to(file: &str, source: &str, to: &str) -> bool {
    let Some(path) = resolved(file, source) else {
        return false;
    };
    let wanted = stem(to);
    let inner = wanted
        .strip_suffix("index")
        .map(|folder| folder.trim_end_matches('/'));
    path == wanted || (file_name(wanted) == "index" && inner == Some(path.as_str()))
}

/// Writes how a file names another, in the style in which one was named: with an ending or without.
pub(super) fn way(file: &str, to: &str, style: Option<&str>) -> String {
    let own = to.rsplit_once('.').map_or("", |(_, own)| own);
    let ending = style.map(|style| match (style, own) {
        // A module in TypeScript may be named by what is made of it.
        ("js" | "jsx" | "mjs" | "cjs", "mts") => "mjs",
        ("js" | "jsx" | "mjs" | "cjs", "cts") => "cjs",
        ("js" | "jsx" | "mjs" | "cjs", "ts" | "tsx") => "js",
        _ => own,
    });
    let path = match ending {
        Some(ending) => format!("{}.{ending}", stem(to)),
        None => stem(to).to_owned(),
    };
    relative(folder(file), &path)
}

/// Writes the path of something relative to a folder.
fn relative(base: &str, path: &str) -> String {
    let parts = |path: &'_ str| -> Vec<String> {
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    };
    let (base, path) = (parts(base), parts(path));
    let common = base
        .iter()
        .zip(&path)
        .take_while(|(one, other)| one == other)
        .count();
    let up = "../".repeat(base.len() - common);
    let rest = path[common..].join("/");
    match up.is_empty() {
        true => format!("./{rest}"),
        false => format!("{up}{rest}"),
    }
}

/// Writes a module that one file names for another file.
pub(super) fn rebased(source: &str, old: &str, new: &str) -> String {
    match walked(folder(old), source) {
        Some(path) => relative(folder(new), &path),
        // It leads out of the repository, to wherever.
        None => source.to_owned(),
    }
}

/// Returns how a file quotes the modules that it names; another one is asked where it names none.
pub(super) fn quote_of(code: Code<'_>, other: Code<'_>) -> char {
    let first = |code| imports(code).first().map(|import| import.quote);
    first(code).or_else(|| first(other)).unwrap_or('"')
}

/// Returns the ending with which a module is written, where it is written with one.
pub(super) fn ending_of(source: &str) -> Option<&str> {
    let (_, ending) = file_name(source).rsplit_once('.')?;
    ENDINGS.contains(&ending).then_some(ending)
}

/// Returns the lines of a statement.
fn lines_of(text: &str, statement: &Range<usize>) -> Range<usize> {
    let start = text[..statement.start].rfind('\n').map_or(0, |at| at + 1);
    start..line_end(text, statement.end)
}
