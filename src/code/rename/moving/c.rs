//! Moving a function of C or C++ to another file of its folder.
//!
//! A function that a header declares which both files include is the same wherever it stands: nothing that calls it
//! changes. What the function itself uses must be seen in the other file as well: by its includes, which are added, and by
//! nothing that its old file keeps to itself.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::super::super::Language;
use super::super::super::grammar::SymbolKind;
use super::super::super::parse::walk;
use super::super::super::symbols::definitions;
use super::super::source::{Source, words};
use super::names::{Code, at_end, folder};
use super::text::{Edits, line_end, take_out, whole};
use super::{Move, MoveError, Scene};
use crate::workspace::Index;

/// What belongs to the item below it.
const BELONGS: &[&str] = &["comment"];

/// What a definition can begin with that has to be seen wherever it is used.
const SEEN: &[&str] = &["inline", "constexpr", "consteval", "__inline", "__inline__"];

/// Tells whether a file is one that others include.
fn is_header(path: &str) -> bool {
    [".h", ".hh", ".hpp", ".hxx"]
        .iter()
        .any(|ending| path.ends_with(ending))
}

/// Tells whether a place is the name of a function that is defined there, and not only declared.
pub(super) fn is_defined_at(source: &Source, at: usize) -> bool {
    definitions(source.language, &source.parsed, &source.text)
        .iter()
        .any(|one| one.name.start_byte() == at && one.node.kind() == "function_definition")
}

pub(super) fn plan(scene: &Scene<'_>) -> Result<Move, MoveError> {
    let name = scene.target.name.as_str();
    let (old, new) = (scene.from.path.as_str(), scene.to.path.as_str());
    let (from, to) = scene.codes();
    let not_certain = |why: String| scene.not_certain(why);
    let item = from
        .top()
        .into_iter()
        .find(|node| node.byte_range().contains(&scene.at) && node.kind() == "function_definition")
        .ok_or_else(|| MoveError::NotAtTop {
            name: name.to_owned(),
        })?;
    if is_header(old) || is_header(new) || folder(old) != folder(new) {
        return Err(not_certain(format!(
            "only from one source file to another of the same folder, and `{old}` and `{new}` are not; move it by hand"
        )));
    }
    let head = &from.text[item.start_byte()..scene.at];
    if scene.target.is_private || head.split_whitespace().any(|word| word == "static") {
        return Err(not_certain(
            "it is `static`, and seen in its own file alone; declare it in a header first"
                .to_owned(),
        ));
    }
    if let Some(word) = head.split_whitespace().find(|word| SEEN.contains(word)) {
        return Err(not_certain(format!(
            "it is `{word}`, and has to be seen where it is used; move it to a header by hand"
        )));
    }
    let (has, known) = (includes(from), includes(to));
    let shared = shared_headers(scene, &has, &known);
    if !shared.iter().any(|header| declares(header, name)) {
        return Err(not_certain(format!(
            "no header that both `{old}` and `{new}` include declares it; declare it in one first"
        )));
    }
    let usings = |code: Code<'_>| -> Vec<String> {
        let top = code
            .top()
            .into_iter()
            .filter(|node| node.kind() == "using_declaration");
        top.map(|node| code.at(node).to_owned()).collect()
    };
    if usings(from) != usings(to) {
        return Err(not_certain(format!(
            "`{old}` and `{new}` have other `using` lines, so that names may mean other things; write them alike first"
        )));
    }

    let piece = whole(item, from.text, BELONGS);
    let used = from.free_names(|leaf| {
        piece.contains(&leaf.start_byte())
            && matches!(
                leaf.kind(),
                "identifier" | "type_identifier" | "namespace_identifier"
            )
    });
    for (word, _) in used.iter().filter(|(word, _)| **word != name) {
        match kept(from, word) {
            None => {}
            Some(Kept::Seen) if shared.iter().any(|header| declares(header, word)) => {}
            Some(Kept::Macro | Kept::Alone | Kept::Seen) => {
                return Err(not_certain(format!(
                    "it uses `{word}`, which `{old}` keeps to itself; move that to a header that both include first"
                )));
            }
        }
        if matches!(kept(to, word), Some(Kept::Macro | Kept::Alone)) {
            return Err(MoveError::Taken {
                name: (*word).to_owned(),
                path: new.to_owned(),
            });
        }
    }
    let is_body = |one: &super::super::super::symbols::Definition<'_>| {
        one.node.kind() == "function_definition" && to.at(one.name) == name
    };
    if definitions(to.language, to.parsed, to.text)
        .iter()
        .any(is_body)
        || matches!(kept(to, name), Some(Kept::Macro | Kept::Alone))
    {
        return Err(MoveError::Taken {
            name: name.to_owned(),
            path: new.to_owned(),
        });
    }

    let words_of: Vec<&str> = used.keys().copied().collect();
    let missing: Vec<&String> = has
        .iter()
        .filter(|one| !known.contains(one))
        .filter(|one| may_be_needed(scene, one, &words_of))
        .collect();
    if !missing.is_empty()
        && let Some(line) = unplain(from)
    {
        return Err(not_certain(format!(
            "line {line} of `{old}` says under which conditions or how something is included, and it may need that; \
             include what it needs in `{new}` first"
        )));
    }
    let mut here = Edits::default();
    let mut there = Edits::default();
    let moved = from.text[piece.clone()].trim_end().to_owned();
    take_out(&mut here, from.text, &piece);
    add_includes(&mut there, to, &missing);
    there.insert(to.text.len(), at_end(to.text, &moved));
    Ok(Move {
        from: old.to_owned(),
        files: BTreeMap::from([
            (old.to_owned(), here.apply(from.text)),
            (new.to_owned(), there.apply(to.text)),
        ]),
        passed_on: false,
        unsure: Vec::new(),
    })
}

/// How a file has a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Macro,
    /// A type, or something static.
    Alone,
    /// Other files see it where it is declared.
    Seen,
}

/// Says how a file has a name of its own, if it has.
fn kept(code: Code<'_>, word: &str) -> Option<Kept> {
    let all = definitions(code.language, code.parsed, code.text);
    let mut own = all
        .iter()
        .filter(|one| !one.is_local && code.at(one.name) == word)
        .map(|one| {
            let head = &code.text[one.node.start_byte()..one.name.start_byte()];
            let is_static = head.split_whitespace().any(|word| word == "static");
            let is_inside = one.node.parent().is_some_and(|parent| {
                matches!(parent.kind(), "declaration_list") && parent.parent().is_some()
            });
            match one.kind {
                SymbolKind::Macro => Kept::Macro,
                SymbolKind::Function | SymbolKind::Constant if !is_static && !is_inside => {
                    Kept::Seen
                }
                SymbolKind::Field | SymbolKind::Method => Kept::Seen,
                _ => Kept::Alone,
            }
        })
        .collect::<Vec<_>>();
    own.sort_by_key(|kept| *kept == Kept::Seen);
    own.first().copied()
}

/// Lists what a file includes at its top, as it is written.
fn includes(code: Code<'_>) -> Vec<String> {
    let top = code.top().into_iter();
    top.filter(|node| node.kind() == "preproc_include")
        .filter_map(|node| Some(code.at(node.child_by_field_name("path")?).to_owned()))
        .collect()
}

/// Returns the line of what stands before an include, or around one, and may change what it means.
fn unplain(code: Code<'_>) -> Option<usize> {
    let top = code.top();
    let last = top
        .iter()
        .rposition(|node| node.kind() == "preproc_include")?;
    let has_include = |node: &Node<'_>| {
        let mut found = false;
        walk(*node, |inner| {
            let inside = node.byte_range().contains(&inner.start_byte());
            found |= inside && inner.kind() == "preproc_include";
            inside
        });
        found
    };
    let odd = top.iter().enumerate().find(|(at, node)| match node.kind() {
        "preproc_def" | "preproc_function_def" | "preproc_call" => *at < last,
        "preproc_if" | "preproc_ifdef" => has_include(node),
        _ => false,
    });
    odd.map(|(_, node)| node.start_position().row + 1)
}

/// Returns the headers of the repository that have the name and that both files include in the same words.
fn shared_headers<'a>(scene: &'a Scene<'_>, has: &[String], known: &[String]) -> Vec<&'a Source> {
    let both: Vec<&str> = has
        .iter()
        .filter(|one| known.contains(one))
        .map(|one| bare(one))
        .collect();
    let sources = scene
        .project
        .sources
        .iter()
        .filter(|one| is_header(&one.path));
    sources
        .filter(|one| both.iter().any(|path| ends_with_path(&one.path, path)))
        .collect()
}

fn bare(include: &str) -> &str {
    include.trim_matches(['"', '<', '>'])
}

fn ends_with_path(file: &str, path: &str) -> bool {
    let path = path.trim_start_matches("./");
    file.strip_suffix(path)
        .is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// Tells whether a header declares a name outside of any type.
fn declares(header: &Source, name: &str) -> bool {
    let all = definitions(header.language, &header.parsed, &header.text);
    all.iter().any(|one| {
        let is_free = !one.is_local && one.container.is_none();
        is_free && header.text[one.name.byte_range()] == *name
    })
}

/// Tells whether an item may need an include: a header of the repository that names nothing of what it uses, and includes
/// nothing itself, it does not.
fn may_be_needed(scene: &Scene<'_>, include: &str, used: &[&str]) -> bool {
    let index = Index::of(scene.roots);
    let mut files = index
        .files()
        .iter()
        .filter(|path| ends_with_path(path, bare(include)));
    let (Some(file), None) = (files.next(), files.next()) else {
        return true;
    };
    let read = scene.roots.read(file).ok();
    let text = read.and_then(|read| String::from_utf8(read.bytes).ok());
    text.is_none_or(|text| {
        text.contains("#include")
            || text.contains("# include")
            || used.iter().any(|word| words(&text, word).next().is_some())
    })
}

/// Puts includes after those that a file has, or at its top.
fn add_includes(edits: &mut Edits, code: Code<'_>, missing: &[&String]) {
    if missing.is_empty() {
        return;
    }
    let lines: String = missing
        .iter()
        .map(|one| format!("#include {one}\n"))
        .collect();
    let top = code.top();
    let last = top.iter().rfind(|node| node.kind() == "preproc_include");
    match last {
        Some(last) => edits.insert(line_end(code.text, last.end_byte()), lines),
        None => edits.insert(0, format!("{lines}\n")),
    }
}

/// Tells whether a language is one of these.
pub(super) fn is_c(language: Language) -> bool {
    matches!(language, Language::C | Language::Cpp)
}
