//! Moving a function, class, type or constant of TypeScript or JavaScript to another module.
//!
//! ES modules bind names where they stand: an import says which module a name is of, and nothing else does. So all uses
//! are found by the imports, and where something reaches a module in another way (`export *`, `require`, a namespace that
//! is handed on, the name of a package), nothing is moved.

mod item;
mod modules;
mod others;

use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::Node;

use super::super::super::Language;
use super::names::{Code, at_end};
use super::text::{Edits, line_end, take_out, whole};
use super::{Move, MoveError, Scene};
use item::Item;
use modules::{Import, drop_imports, imports, leads_to, quote_of, rebased, way};

/// What belongs to the item below it.
const BELONGS: &[&str] = &["comment"];

pub(super) fn plan(scene: &Scene<'_>) -> Result<Move, MoveError> {
    let name = scene.target.name.as_str();
    let (from, to) = scene.codes();
    let (old, new) = (scene.from.path.as_str(), scene.to.path.as_str());
    let not_certain = |why: String| scene.not_certain(why);
    let taken = |word: &str| scene.taken(word);
    let item = Item::at(from, scene.at, name)?;
    others::are_modules(scene, from, to).map_err(not_certain)?;
    let reached = others::look(scene, item.is_exported).map_err(not_certain)?;

    let piece = whole(item.node, from.text, BELONGS);
    let has = imports(from);
    let known = imports(to);
    let names = from.free_names(is_binding_name);
    let in_import = |at: usize| has.iter().any(|one| one.statement.contains(&at));
    let stands = |word: &str, keep: &dyn Fn(usize) -> bool| {
        let places = names.get(word).into_iter().flatten();
        places.filter(|at| !in_import(**at)).any(|at| keep(*at))
    };
    let is_used = |word: &str| stands(word, &|at| piece.contains(&at));
    let stays_used = |word: &str| stands(word, &|at| !piece.contains(&at));
    let there = to.defined(None);
    if there.contains(name) {
        return Err(taken(name));
    }
    let named_here = stays_used(name);
    let style = others::style(scene);
    let own = from.defined(Some(&piece));
    let exported = item::exported(from);
    let mut gone: Vec<&Import> = Vec::new();
    let mut lines: BTreeSet<String> = BTreeSet::new();
    let mut needs: Option<String> = None;
    for word in names.keys().copied() {
        if word == name || !is_used(word) {
            continue;
        }
        let of_there = known.iter().find(|one| one.local == word);
        if let Some(import) = has.iter().find(|one| one.local == word) {
            if !stays_used(word) {
                gone.push(import);
            }
            if leads_to(old, &import.source, new) {
                // It comes home.
                if import.imported != word || !there.contains(word) {
                    return Err(not_certain(format!(
                        "it uses `{word}` of `{new}`, which has another name there; import it by that name first"
                    )));
                }
                continue;
            }
            let source = match import.source.starts_with('.') {
                true => rebased(&import.source, old, new),
                false => import.source.clone(),
            };
            match of_there {
                Some(known) if known.is_same(import, &source) => {}
                Some(_) => return Err(taken(word)),
                None if there.contains(word) => return Err(taken(word)),
                None => drop(lines.insert(import.line(&source, to))),
            }
        } else if own.contains(word) {
            if !exported.contains(word) {
                return Err(not_certain(format!(
                    "it uses `{word}`, which `{old}` does not export where it declares it; export it, or move it first"
                )));
            }
            needs = Some(word.to_owned());
            let is_here =
                |known: &Import| leads_to(new, &known.source, old) && known.imported == word;
            match of_there {
                Some(known) if is_here(known) => {}
                Some(_) => return Err(taken(word)),
                None if there.contains(word) => return Err(taken(word)),
                None => {
                    let kind = if item::is_type(from, word) {
                        "type "
                    } else {
                        ""
                    };
                    let source = way(new, old, style.as_deref());
                    let quote = quote_of(to, from);
                    let end = end_of(to);
                    lines.insert(format!(
                        "import {kind}{{ {word} }} from {quote}{source}{quote}{end}"
                    ));
                }
            }
        } else if of_there.is_some() || there.contains(word) {
            // Here it means something of the language's or its surroundings.
            return Err(taken(word));
        }
    }
    let of_old = |one: &&Import| leads_to(new, &one.source, old);
    let others_of_old = known.iter().filter(of_old).find(|one| one.imported != name);
    let needed = needs
        .as_deref()
        .or(others_of_old.map(|one| one.local.as_str()));
    if let (Some(needs), true) = (needed, named_here) {
        return Err(MoveError::Circular {
            name: name.to_owned(),
            needs: needs.to_owned(),
            from: old.to_owned(),
            to: new.to_owned(),
        });
    }
    let home: Vec<&Import> = known
        .iter()
        .filter(of_old)
        .filter(|one| one.imported == name)
        .collect();
    if let Some(renamed) = home.iter().find(|one| one.local != name) {
        return Err(not_certain(format!(
            "`{new}` imports it by another name (`{}`); use its own name there first",
            renamed.local
        )));
    }
    if home.is_empty() && known.iter().any(|one| one.local == name) {
        return Err(taken(name));
    }

    let mut here = Edits::default();
    let mut there = Edits::default();
    drop_imports(&mut here, from.text, &has, &gone);
    drop_imports(&mut there, to.text, &known, &home);
    let mut moved = from.text[piece.clone()].trim_end().to_owned();
    if !item.is_exported && named_here {
        moved.insert_str(item.node.start_byte() - piece.start, "export ");
    }
    take_out(&mut here, from.text, &piece);
    if named_here {
        let kind = if item.is_type { "type " } else { "" };
        let source = way(old, new, style.as_deref());
        let quote = quote_of(from, to);
        let end = end_of(from);
        let line = format!("import {kind}{{ {name} }} from {quote}{source}{quote}{end}\n");
        add_imports(&mut here, from, &line);
    }
    let lines: String = lines.into_iter().map(|line| line + "\n").collect();
    add_imports(&mut there, to, &lines);
    there.insert(to.text.len(), at_end(to.text, &moved));
    let mut files: BTreeMap<String, String> = reached.files;
    files.insert(old.to_owned(), here.apply(from.text));
    files.insert(new.to_owned(), there.apply(to.text));
    let mut unsure = reached.strings;
    if item.runs {
        let why = "its value is made when its module is loaded, which is at another time now";
        unsure.push(super::super::sight(old, from.text, scene.at, why));
    }
    unsure.sort();
    unsure.dedup();
    Ok(Move {
        from: old.to_owned(),
        files,
        passed_on: false,
        unsure,
    })
}

/// Tells whether a leaf is a name that a scope binds, and no key.
fn is_binding_name(leaf: Node<'_>) -> bool {
    matches!(
        leaf.kind(),
        "identifier" | "type_identifier" | "shorthand_property_identifier"
    )
}

/// Returns what ends a statement in a file.
fn end_of(code: Code<'_>) -> &'static str {
    let mut statements = code.top().into_iter().filter(|node| {
        matches!(
            node.kind(),
            "import_statement" | "lexical_declaration" | "expression_statement"
        )
    });
    match statements.next() {
        Some(node) if !code.at(node).ends_with(';') => "",
        _ => ";",
    }
}

/// Puts lines after the imports of a file, or at its top.
fn add_imports(edits: &mut Edits, code: Code<'_>, lines: &str) {
    if lines.is_empty() {
        return;
    }
    let top = code.top();
    let last = top.iter().rfind(|node| node.kind() == "import_statement");
    if let Some(last) = last {
        return edits.insert(line_end(code.text, last.end_byte()), lines);
    }
    let is_head = |node: &&Node<'_>| {
        node.kind() == "hash_bang_line"
            || (node.kind() == "comment" && node.start_byte() == 0)
            || (node.kind() == "expression_statement" && code.at(**node).starts_with(['"', '\'']))
    };
    match top.iter().take_while(is_head).last() {
        Some(head) => edits.insert(line_end(code.text, head.end_byte()), format!("\n{lines}")),
        None => edits.insert(0, format!("{lines}\n")),
    }
}

/// Tells whether a language has these modules.
fn is_script(language: Language) -> bool {
    matches!(
        language,
        Language::JavaScript | Language::TypeScript | Language::Tsx
    )
}
