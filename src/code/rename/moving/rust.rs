//! Moving an item of Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use tree_sitter::Node;

use super::super::super::grammar::{self, SymbolKind, is_name};
use super::super::super::parse::walk;
use super::super::super::symbols::definitions;
use super::super::super::{Language, Parsed};
use super::super::decide::{Decider, Means};
use super::super::modules::module_of;
use super::super::role::code_before;
use super::super::scopes::{Locals, enclosing, field_of};
use super::super::sight;
use super::super::source::{Source, words};
use super::text::{Edits, line_end, take_from_list, take_out, whole};
use super::{File, Move, MoveError, Scene};

/// What belongs to the item below it.
const BELONGS: &[&str] = &["attribute_item", "line_comment", "block_comment"];

/// Says of what is passed on why it is.
const TOGETHER: &str = "imported together with others; the old module passes it on";
const OTHERWISE: &str = "names it in a way that is left; the old module passes it on";

/// A name that a file imports.
#[derive(Debug, Clone)]
struct Use {
    /// What is imported, from the root of the package or of another one.
    path: String,
    name: String,
    /// The path as `use` writes it, with its alias.
    written: String,
    /// The statement, and the part of it that imports this name.
    statement: Range<usize>,
    part: Range<usize>,
    alone: bool,
}

/// The module of a file, as the package names it.
#[derive(Debug)]
struct Module(Vec<String>);

impl Module {
    fn of(path: &str) -> Self {
        Self(module_of(Language::Rust, path))
    }

    fn path(&self) -> String {
        let mut parts = vec!["crate".to_owned()];
        parts.extend(self.0.iter().cloned());
        parts.join("::")
    }

    fn is_within(&self, outer: &[String]) -> bool {
        self.0.starts_with(outer)
    }
}

pub(super) fn plan(scene: &Scene<'_>) -> Result<Move, MoveError> {
    let (from, to) = (scene.from, &scene.to);
    let name = scene.target.name.as_str();
    let (old, new) = (Module::of(&from.path), Module::of(&to.path));
    let open = is_open(scene, &old)?;
    let pieces = pieces(scene)?;
    let rest = without(&from.text, &pieces);
    let moved: String = pieces
        .iter()
        .map(|piece| &from.text[piece.clone()])
        .collect();
    relative(from, &pieces)?;

    let mut here = Edits::default();
    let mut there = Edits::default();
    let mut unsure = Vec::new();

    // What names the item: here, there, and elsewhere.
    let mut files = BTreeMap::new();
    let mut passed_on = false;
    let mut is_named = false;
    for source in &scene.project.sources {
        if source.language != Language::Rust {
            continue;
        }
        let decider = Decider::new(scene.project, scene.target, source);
        let mut edits = Edits::default();
        let mut bare = false;
        let mut imported = false;
        let is_here = source.path == from.path;
        let is_there = source.path == to.path;
        let same = package(&source.path) == package(&from.path);
        let sees = same && (open || Module::of(&source.path).is_within(parent(&new)));
        for leaf in leaves(&source.parsed, &source.text, name) {
            let at = leaf.start_byte();
            if is_here && pieces.iter().any(|piece| piece.contains(&at)) {
                continue;
            }
            let means = decider.decide(leaf);
            if means == Means::Other {
                continue;
            }
            is_named = true;
            if is_here {
                continue;
            }
            let found = match means {
                Means::Target => place(leaf),
                _ => Place::Unsure,
            };
            match found {
                Place::Use(path) if sees && !is_there => {
                    imported = true;
                    edits.replace(path, new.path());
                }
                Place::Use(_) | Place::Listed if is_there => {
                    imported = true;
                    for one in uses(&source.parsed, &source.text, &new) {
                        if one.part.contains(&at) {
                            drop_use(&mut there, &source.text, &one);
                        }
                    }
                }
                Place::Qualified(path) if sees => match is_there {
                    true => there.replace(path, new.path()),
                    false => edits.replace(path, new.path()),
                },
                Place::Bare if is_there => {}
                Place::Bare => bare = true,
                found => {
                    imported |= matches!(found, Place::Use(_) | Place::Listed);
                    passed_on = true;
                    let why = match found {
                        Place::Listed => TOGETHER,
                        _ => OTHERWISE,
                    };
                    unsure.push(sight(&source.path, &source.text, at, why));
                }
            }
        }
        // What is named without an import comes by a glob, from the old module.
        passed_on |= bare && !imported;
        if !edits.is_empty() {
            let text = edits.apply(&source.text);
            files.insert(source.path.clone(), text);
        }
    }

    // What it needs.
    let known = uses(&to.parsed, &to.text, &new);
    let mut needs: BTreeSet<String> = BTreeSet::new();
    let used = used(from, &pieces);
    for one in uses(&from.parsed, &from.text, &old) {
        let is_used = used.contains(&one.name);
        // A trait is in scope for its methods, and is named nowhere.
        let for_methods = !is_used
            && moved.contains('.')
            && (one.name == "_"
                || words(&rest_without_uses(from, &pieces), &one.name)
                    .next()
                    .is_none());
        if one.name == "*" {
            unsure.push(sight(
                &from.path,
                &from.text,
                one.part.start,
                "a glob, which the item may need as well",
            ));
            continue;
        }
        if !is_used && !for_methods {
            continue;
        }
        // What comes from the new file is at home there.
        let from_there = one.path.rsplit_once("::").map(|(module, _)| module) == Some(&new.path());
        if !from_there {
            need(&one.name, &one.path, &one.written, &known, to, &mut needs)?;
        }
        let left = words(&rest_without_uses(from, &pieces), &one.name).next();
        if is_used && left.is_none() {
            drop_use(&mut here, &from.text, &one);
        }
    }
    let below = new.is_within(&old.0);
    for definition in definitions(Language::Rust, &from.parsed, &from.text) {
        let node = definition.node;
        let is_moved = pieces
            .iter()
            .any(|piece| piece.contains(&definition.name.start_byte()));
        let own = &from.text[definition.name.byte_range()];
        if definition.is_local {
            continue;
        }
        let in_type = definition.container.is_some();
        if is_moved {
            // Its members are reached from where it was.
            let reached = in_type && words(&rest, own).next().is_some();
            if reached && is_private_member(node) {
                here.insert(node.start_byte(), "pub(crate) ");
            }
            continue;
        }
        if in_type {
            let reached = words(&moved, own).next().is_some();
            if reached && !below && is_private_member(node) {
                here.insert(node.start_byte(), "pub(crate) ");
            }
            continue;
        }
        if !used.contains(own) || own == name {
            continue;
        }
        if definition.kind == SymbolKind::Macro {
            let why = "a macro that the item uses, and that the new file may not see";
            unsure.push(sight(&from.path, &from.text, node.start_byte(), why));
            continue;
        }
        let path = format!("{}::{own}", old.path());
        need(own, &path, &path, &known, to, &mut needs)?;
        if visibility(node).is_none() && !below {
            here.insert(node.start_byte(), "pub(crate) ");
        }
    }

    // The item itself, as it is seen from elsewhere.
    let item = item(from, scene.at).ok_or_else(|| MoveError::NotAtTop {
        name: name.to_owned(),
    })?;
    let seen = match visibility(item) {
        Some(seen) if matches!(&from.text[seen.byte_range()], "pub" | "pub(crate)") => {
            from.text[seen.byte_range()].to_owned()
        }
        Some(seen) => {
            here.replace(seen.byte_range(), "pub(crate)");
            "pub(crate)".to_owned()
        }
        None if is_named => {
            here.insert(item.start_byte(), "pub(crate) ");
            "pub(crate)".to_owned()
        }
        None => String::new(),
    };
    if words(&rest, name).next().is_some() {
        open_tuple(item, &mut here);
    }
    if definitions(Language::Rust, &to.parsed, &to.text)
        .iter()
        .any(|one| {
            !one.is_local && one.container.is_none() && to.text[one.name.byte_range()] == *name
        })
    {
        return Err(MoveError::Taken {
            name: name.to_owned(),
            path: to.path.clone(),
        });
    }

    let texts: Vec<String> = pieces
        .iter()
        .map(|piece| here.piece(&from.text, piece).trim_end().to_owned())
        .collect();
    for piece in &pieces {
        take_out(&mut here, &from.text, piece);
    }
    let named_here = words(&rest, name).next().is_some();
    if passed_on || named_here {
        let before = if passed_on {
            format!("{seen} ")
        } else {
            String::new()
        };
        let line = format!("{before}use {}::{name};\n", new.path());
        add_uses(&mut here, &from.parsed, &from.text, &line);
    }
    let lines: String = needs.iter().map(|path| format!("use {path};\n")).collect();
    if !lines.is_empty() {
        add_uses(&mut there, &to.parsed, &to.text, &lines);
    }
    add_items(&mut there, to, &texts.join("\n\n"));
    files.insert(from.path.clone(), here.apply(&from.text));
    files.insert(to.path.clone(), there.apply(&to.text));
    unsure.sort();
    unsure.dedup();
    Ok(Move {
        from: from.path.clone(),
        files,
        passed_on,
        unsure,
    })
}

/// Takes note of something that the new file has to import, unless it does already.
fn need(
    name: &str,
    path: &str,
    written: &str,
    known: &[Use],
    to: &File,
    needs: &mut BTreeSet<String>,
) -> Result<(), MoveError> {
    let same = |one: &&Use| one.name == name && name != "_";
    match known.iter().find(same) {
        Some(one) if one.path == path => return Ok(()),
        Some(_) => {
            return Err(MoveError::Taken {
                name: name.to_owned(),
                path: to.path.clone(),
            });
        }
        None => {}
    }
    let defined = definitions(Language::Rust, &to.parsed, &to.text);
    let is_taken = defined.iter().any(|one| {
        !one.is_local && one.container.is_none() && to.text[one.name.byte_range()] == *name
    });
    if is_taken {
        return Err(MoveError::Taken {
            name: name.to_owned(),
            path: to.path.clone(),
        });
    }
    needs.insert(written.to_owned());
    Ok(())
}

/// Returns the item whose name stands at a place, if it stands at the top of the file.
fn item(source: &Source, at: usize) -> Option<Node<'_>> {
    let root = source.parsed.root();
    let mut cursor = root.walk();
    root.children(&mut cursor)
        .find(|child| child.byte_range().contains(&at))
}

/// Returns the pieces that move: the item, and what is implemented for it in its file.
fn pieces(scene: &Scene<'_>) -> Result<Vec<Range<usize>>, MoveError> {
    let (from, name) = (scene.from, scene.target.name.as_str());
    let not_at_top = || MoveError::NotAtTop {
        name: name.to_owned(),
    };
    let item = item(from, scene.at).ok_or_else(not_at_top)?;
    let defines = grammar::defines(Language::Rust, item).ok_or_else(not_at_top)?;
    if defines.name.start_byte() != scene.at {
        return Err(not_at_top());
    }
    let mut pieces = vec![whole(item, &from.text, BELONGS)];
    let root = from.parsed.root();
    let mut cursor = root.walk();
    for child in root.children(&mut cursor) {
        let of = child
            .child_by_field_name("type")
            .filter(|_| child.kind() == "impl_item")
            .map(|of| &from.text[grammar::base_name(of).byte_range()]);
        if of == Some(name) {
            pieces.push(whole(child, &from.text, BELONGS));
        }
    }
    pieces.sort_by_key(|piece| piece.start);
    Ok(pieces)
}

/// Refuses what is named from where it stands.
fn relative(from: &Source, pieces: &[Range<usize>]) -> Result<(), MoveError> {
    let mut found = None;
    walk(from.parsed.root(), |node| {
        let inside = pieces
            .iter()
            .any(|piece| piece.start <= node.start_byte() && node.end_byte() <= piece.end);
        let is_path = node
            .parent()
            .is_some_and(|parent| parent.kind().starts_with("scoped_"));
        let word = &from.text[node.byte_range()];
        if inside && is_path && node.child_count() == 0 && matches!(word, "self" | "super") {
            found.get_or_insert((node.start_byte(), word.to_owned()));
        }
        true
    });
    match found {
        None => Ok(()),
        Some((at, word)) => Err(MoveError::Relative {
            path: from.path.clone(),
            line: sight(&from.path, &from.text, at, "").line,
            word: format!("{word}::"),
        }),
    }
}

/// Returns the names that the pieces use and do not bind themselves.
fn used(from: &Source, pieces: &[Range<usize>]) -> BTreeSet<String> {
    let mut names: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    walk(from.parsed.root(), |node| {
        let inside = pieces
            .iter()
            .any(|piece| piece.contains(&node.start_byte()));
        let is_plain = node
            .parent()
            .is_none_or(|parent| !matches!(parent.kind(), "lifetime" | "label"));
        if node.child_count() == 0 && inside && is_plain && is_name(node.kind()) {
            let before = code_before(&from.text, node);
            let range = before.ends_with("..");
            if !before.ends_with("::") && (range || !before.ends_with('.')) {
                let name = from.text[node.byte_range()].to_owned();
                names.entry(name).or_default().push(node.start_byte());
            }
        }
        true
    });
    names
        .into_iter()
        .filter(|(name, places)| {
            let locals = Locals::of(Language::Rust, &from.parsed, &from.text, name);
            places.iter().any(|at| !locals.holds(*at))
        })
        .map(|(name, _)| name)
        .collect()
}

fn without(text: &str, pieces: &[Range<usize>]) -> String {
    let mut edits = Edits::default();
    for piece in pieces {
        edits.replace(piece.clone(), "");
    }
    edits.apply(text)
}

/// Returns what stays of a file, without its imports.
fn rest_without_uses(from: &Source, pieces: &[Range<usize>]) -> String {
    let mut edits = Edits::default();
    for piece in pieces {
        edits.replace(piece.clone(), "");
    }
    let root = from.parsed.root();
    let mut cursor = root.walk();
    for child in root.children(&mut cursor) {
        if child.kind() == "use_declaration" {
            edits.replace(child.byte_range(), "");
        }
    }
    edits.apply(&from.text)
}

fn leaves<'tree>(parsed: &'tree Parsed, text: &str, name: &str) -> Vec<Node<'tree>> {
    let mut found = Vec::new();
    walk(parsed.root(), |node| {
        if node.child_count() == 0 && is_name(node.kind()) && text[node.byte_range()] == *name {
            found.push(node);
        }
        true
    });
    found
}

/// How a place names the item.
enum Place {
    /// An import of it alone; the path before its name.
    Use(Range<usize>),
    /// An import of it with others.
    Listed,
    /// With a path before it.
    Qualified(Range<usize>),
    Bare,
    Unsure,
}

fn place(leaf: Node<'_>) -> Place {
    let path = leaf
        .parent()
        .filter(|parent| parent.kind().starts_with("scoped_") && field_of(leaf) == Some("name"))
        .and_then(|parent| parent.child_by_field_name("path"));
    let statement = enclosing(leaf, &["use_declaration"]);
    match (statement, path) {
        (Some(_), Some(path)) if enclosing(leaf, &["use_list"]).is_none() => {
            Place::Use(path.byte_range())
        }
        (Some(_), _) => Place::Listed,
        (None, Some(path)) => Place::Qualified(path.byte_range()),
        (None, None) => Place::Bare,
    }
}

/// Reads what a file imports at its top.
fn uses(parsed: &Parsed, text: &str, module: &Module) -> Vec<Use> {
    let root = parsed.root();
    let mut cursor = root.walk();
    let mut found = Vec::new();
    for child in root.children(&mut cursor) {
        let argument = child.child_by_field_name("argument");
        if let Some(argument) = argument.filter(|_| child.kind() == "use_declaration") {
            let first = found.len();
            flatten(argument, "", text, &mut found);
            let alone = found.len() == first + 1;
            for one in &mut found[first..] {
                one.statement = child.byte_range();
                one.alone = alone;
                let path = absolute(&one.path, module, root, text);
                one.written = one.written.replacen(&one.path, &path, 1);
                one.path = path;
            }
        }
    }
    found
}

fn flatten(node: Node<'_>, before: &str, text: &str, found: &mut Vec<Use>) {
    let joined = |node: Node<'_>| {
        let own: String = text[node.byte_range()].split_whitespace().collect();
        match before {
            "" => own,
            before => format!("{before}::{own}"),
        }
    };
    let mut take = |path: String, name: String, written: String| {
        found.push(Use {
            path,
            name,
            written,
            statement: node.byte_range(),
            part: node.byte_range(),
            alone: false,
        });
    };
    let last = |path: &str| path.rsplit("::").next().unwrap_or(path).to_owned();
    match node.kind() {
        "use_list" | "scoped_use_list" => {
            let path = node.child_by_field_name("path");
            let before = path.map_or_else(|| before.to_owned(), joined);
            let list = node.child_by_field_name("list").unwrap_or(node);
            let mut cursor = list.walk();
            for child in list.named_children(&mut cursor) {
                flatten(child, &before, text, found);
            }
        }
        "use_as_clause" => {
            let field = |name: &str| node.child_by_field_name(name);
            if let (Some(path), Some(alias)) = (field("path"), field("alias")) {
                let (path, alias) = (joined(path), text[alias.byte_range()].to_owned());
                let written = format!("{path} as {alias}");
                take(path, alias, written);
            }
        }
        "use_wildcard" => {
            let path = joined(node);
            take(path.clone(), "*".to_owned(), path);
        }
        "self" if !before.is_empty() => take(before.to_owned(), last(before), before.to_owned()),
        kind if kind.contains("comment") => {}
        _ => {
            let path = joined(node);
            take(path.clone(), last(&path), path);
        }
    }
}

/// Writes a path from the root of its package.
fn absolute(path: &str, module: &Module, root: Node<'_>, text: &str) -> String {
    let mut names: Vec<&str> = path.split("::").collect();
    let mut here = module.0.clone();
    match names.first().copied() {
        Some("self") => drop(names.remove(0)),
        Some("super") => {
            while names.first() == Some(&"super") {
                names.remove(0);
                here.pop();
            }
        }
        Some(first) if declares(root, text, first) => {}
        _ => return path.to_owned(),
    }
    let mut parts = vec!["crate".to_owned()];
    parts.extend(here);
    parts.extend(names.into_iter().map(str::to_owned));
    parts.join("::")
}

/// Tells whether a file declares a module of this name.
fn declares(root: Node<'_>, text: &str, name: &str) -> bool {
    let mut cursor = root.walk();
    root.children(&mut cursor).any(|child| {
        child.kind() == "mod_item"
            && child
                .child_by_field_name("name")
                .is_some_and(|own| text[own.byte_range()] == *name)
    })
}

fn drop_use(edits: &mut Edits, text: &str, one: &Use) {
    match one.alone {
        true => {
            let end = line_end(text, one.statement.end);
            edits.replace(one.statement.start..end, "");
        }
        false => take_from_list(edits, text, one.part.clone()),
    }
}

fn visibility(node: Node<'_>) -> Option<Node<'_>> {
    let mut cursor = node.walk();
    node.children(&mut cursor)
        .find(|child| child.kind() == "visibility_modifier")
}

/// Tells whether a member could be seen by more, and is not.
fn is_private_member(node: Node<'_>) -> bool {
    let in_trait = enclosing(node, &["impl_item", "trait_item"]).is_some_and(|outer| {
        outer.kind() == "trait_item" || outer.child_by_field_name("trait").is_some()
    });
    let kinds = ["field_declaration", "function_item", "const_item"];
    let of_variant = enclosing(node, &["enum_variant"]).is_some();
    kinds.contains(&node.kind()) && !in_trait && !of_variant && visibility(node).is_none()
}

/// Lets the fields of a tuple be reached from where it was.
fn open_tuple(item: Node<'_>, edits: &mut Edits) {
    let Some(body) = item.child_by_field_name("body") else {
        return;
    };
    if body.kind() != "ordered_field_declaration_list" {
        return;
    }
    let mut cursor = body.walk();
    let mut is_open = false;
    for child in body.named_children(&mut cursor) {
        match child.kind() {
            "visibility_modifier" => is_open = true,
            kind if BELONGS.contains(&kind) => {}
            _ => {
                if !std::mem::take(&mut is_open) {
                    edits.insert(child.start_byte(), "pub(crate) ");
                }
            }
        }
    }
}

/// Puts lines after the imports of a file, or where they would stand.
fn add_uses(edits: &mut Edits, parsed: &Parsed, text: &str, lines: &str) {
    let root = parsed.root();
    let mut cursor = root.walk();
    let children: Vec<Node<'_>> = root.children(&mut cursor).collect();
    let last = children
        .iter()
        .rev()
        .find(|child| child.kind() == "use_declaration");
    if let Some(last) = last {
        return edits.insert(line_end(text, last.end_byte()), lines);
    }
    let is_head = |child: &Node<'_>| {
        child.kind() == "inner_attribute_item"
            || ["//!", "/*!"]
                .iter()
                .any(|mark| text[child.byte_range()].starts_with(mark))
    };
    let head = children.iter().take_while(|child| is_head(child)).last();
    match head {
        Some(head) => edits.insert(line_end(text, head.end_byte()), format!("\n{lines}")),
        None => edits.insert(0, format!("{lines}\n")),
    }
}

/// Puts the item at the end of a file, before its tests.
fn add_items(edits: &mut Edits, to: &File, items: &str) {
    let root = to.parsed.root();
    let mut cursor = root.walk();
    let tests = root.children(&mut cursor).find(|child| {
        let name = child.child_by_field_name("name");
        child.kind() == "mod_item"
            && name.is_some_and(|name| matches!(&to.text[name.byte_range()], "tests" | "test"))
    });
    match tests {
        Some(tests) => {
            let at = whole(tests, &to.text, BELONGS).start;
            edits.insert(at, format!("{items}\n\n"));
        }
        None => {
            let gap = match to.text.as_str() {
                text if text.trim().is_empty() => "",
                text if text.ends_with('\n') => "\n",
                _ => "\n\n",
            };
            edits.insert(to.text.len(), format!("{gap}{items}\n"));
        }
    }
}

/// Returns the folder of a package's sources.
fn package(path: &str) -> &str {
    match path.rfind("src/") {
        Some(at) if at == 0 || path[..at].ends_with('/') => &path[..at + 4],
        _ => "",
    }
}

fn parent(module: &Module) -> &[String] {
    &module.0[..module.0.len().saturating_sub(1)]
}

/// Tells whether the new file's module can be named in the whole package.
fn is_open(scene: &Scene<'_>, old: &Module) -> Result<bool, MoveError> {
    let (path, from) = (scene.to.path.clone(), scene.from.path.clone());
    let new = Module::of(&path);
    let sources = package(&path);
    if sources.is_empty() || sources != package(&from) {
        return Err(MoveError::NotAModule { path, from });
    }
    let mut open = true;
    for depth in (1..=new.0.len()).rev() {
        let (above, name) = (&new.0[..depth - 1], &new.0[depth - 1]);
        let folder = format!("{sources}{}", above.join("/"));
        let files = match above.is_empty() {
            true => vec![format!("{sources}lib.rs"), format!("{sources}main.rs")],
            false => vec![format!("{folder}/mod.rs"), format!("{folder}.rs")],
        };
        let declared = files.iter().find_map(|file| {
            let text = String::from_utf8(scene.roots.read(file).ok()?.bytes).ok()?;
            let line = text.lines().map(str::trim).find(|line| {
                line.strip_suffix([';', '{'])
                    .is_some_and(|line| line.trim_end().ends_with(&format!("mod {name}")))
            })?;
            Some(line.starts_with("pub"))
        });
        match declared {
            None => return Err(MoveError::NotAModule { path, from }),
            // What is private at the root of a package is seen in all of it.
            Some(seen) => open &= seen || depth == 1,
        }
    }
    match open || old.is_within(parent(&new)) {
        true => Ok(open),
        false => Err(MoveError::Hidden { path, from }),
    }
}
