//! Moving a function, class or constant of Python.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use tree_sitter::Node;

use super::super::super::grammar::is_name;
use super::super::super::parse::walk;
use super::super::super::symbols::definitions;
use super::super::super::{Language, Parsed};
use super::super::decide::{Decider, Means};
use super::super::role::code_before;
use super::super::scopes::{Locals, enclosing};
use super::super::sight;
use super::super::source::{Source, words};
use super::text::{Edits, line_end, take_from_list, take_out, whole};
use super::{Move, MoveError, Scene};

/// What belongs to the item below it.
const BELONGS: &[&str] = &["comment"];

/// Says of a place that is left why the old module passes the item on.
const OTHERWISE: &str = "names it in the old module, which passes it on";

/// A name that a file imports.
#[derive(Debug, Clone)]
struct Import {
    name: String,
    /// The module, for `from module import name`.
    from: Option<String>,
    /// What is imported, with its alias.
    what: String,
    statement: Range<usize>,
    part: Range<usize>,
    alone: bool,
}

impl Import {
    /// Writes it as a statement of its own, for a file of the same folder.
    fn line(&self) -> String {
        match &self.from {
            Some(from) => format!("from {from} import {}\n", self.what),
            None => format!("import {}\n", self.what),
        }
    }
}

pub(super) fn plan(scene: &Scene<'_>) -> Result<Move, MoveError> {
    let (from, to) = (scene.from, &scene.to);
    let name = scene.target.name.as_str();
    let piece = piece(scene)?;
    let moved = from.text[piece.clone()].trim_end().to_owned();
    let (old_way, new_way) = (
        way(scene, &to.path, &from.path),
        way(scene, &from.path, &to.path),
    );

    let mut here = Edits::default();
    let mut there = Edits::default();
    let mut unsure = Vec::new();
    let mut files = BTreeMap::new();
    let mut passed_on = false;
    let mut named_here = false;
    for source in &scene.project.sources {
        if source.language != Language::Python {
            continue;
        }
        let decider = Decider::new(scene.project, scene.target, source);
        let is_here = source.path == from.path;
        let is_there = source.path == to.path;
        let mut edits = Edits::default();
        for leaf in leaves(&source.parsed, &source.text, name) {
            let at = leaf.start_byte();
            if is_here && piece.contains(&at) {
                continue;
            }
            let means = decider.decide(leaf);
            if means == Means::Other {
                continue;
            }
            if is_here {
                named_here = true;
                continue;
            }
            let import = imports(&source.parsed, &source.text, Top::No)
                .into_iter()
                .find(|import| import.part.contains(&at));
            match import {
                Some(import) if is_there => drop_import(&mut there, &source.text, &import),
                Some(import) if import.alone && means == Means::Target => {
                    let way = way(scene, &source.path, &to.path);
                    let line = format!("from {way} import {}", import.what);
                    edits.replace(import.statement, line);
                }
                Some(import) if means == Means::Target => {
                    let way = way(scene, &source.path, &to.path);
                    let line = format!("\nfrom {way} import {}", import.what);
                    let start = source.text[..import.statement.start]
                        .rfind('\n')
                        .map_or(0, |at| at + 1);
                    let indent = &source.text[start..import.statement.start];
                    let line = line.replace('\n', &format!("\n{indent}"));
                    edits.insert(import.statement.end, line);
                    drop_import(&mut edits, &source.text, &import);
                }
                // A bare name comes from one of the imports.
                None if means == Means::Target && is_bare(&source.text, leaf) => {
                    passed_on |= imports(&source.parsed, &source.text, Top::No)
                        .iter()
                        .any(|import| import.name == "*");
                }
                _ => {
                    passed_on = true;
                    unsure.push(sight(&source.path, &source.text, at, OTHERWISE));
                }
            }
        }
        if !edits.is_empty() {
            files.insert(source.path.clone(), edits.apply(&source.text));
        }
    }

    let used = used(from, &piece);
    let known = imports(&to.parsed, &to.text, Top::Yes);
    let taken = |name: &str| {
        let defined = definitions(Language::Python, &to.parsed, &to.text);
        let is_defined = defined.iter().any(|one| {
            !one.is_local && one.container.is_none() && to.text[one.name.byte_range()] == *name
        });
        is_defined.then(|| MoveError::Taken {
            name: name.to_owned(),
            path: to.path.clone(),
        })
    };
    if let Some(error) = taken(name) {
        return Err(error);
    }
    let mut lines = BTreeSet::new();
    let same_folder = folder(&from.path) == folder(&to.path);
    for import in imports(&from.parsed, &from.text, Top::Yes) {
        if import.name == "*" {
            let why = "imports all of a module, which the item may need as well";
            unsure.push(sight(&from.path, &from.text, import.part.start, why));
            continue;
        }
        if !used.contains(&import.name) {
            continue;
        }
        if words(&without_imports(from, &piece), &import.name)
            .next()
            .is_none()
        {
            drop_import(&mut here, &from.text, &import);
        }
        let is_from_there = import.from.as_deref() == Some(new_way.as_str());
        if is_from_there {
            continue;
        }
        let is_relative = import
            .from
            .as_ref()
            .is_some_and(|from| from.starts_with('.'));
        if is_relative && !same_folder {
            return Err(MoveError::Relative {
                path: from.path.clone(),
                line: sight(&from.path, &from.text, import.part.start, "").line,
                word: import.from.unwrap_or_default(),
            });
        }
        match known.iter().find(|known| known.name == import.name) {
            Some(known) if known.line() == import.line() => {}
            Some(_) => {
                return Err(MoveError::Taken {
                    name: import.name,
                    path: to.path.clone(),
                });
            }
            None => match taken(&import.name) {
                Some(error) => return Err(error),
                None => drop(lines.insert(import.line())),
            },
        }
    }
    let mut needs = None;
    for definition in definitions(Language::Python, &from.parsed, &from.text) {
        let own = &from.text[definition.name.byte_range()];
        let is_top = !definition.is_local && definition.container.is_none();
        if !is_top || own == name || !used.contains(own) {
            continue;
        }
        needs = Some(own.to_owned());
        if known.iter().any(|known| known.name == *own) {
            continue;
        }
        if let Some(error) = taken(own) {
            return Err(error);
        }
        lines.insert(format!("from {old_way} import {own}\n"));
    }
    let stays = passed_on || named_here;
    if let (Some(needs), true) = (&needs, stays) {
        return Err(MoveError::Circular {
            name: name.to_owned(),
            needs: needs.clone(),
            from: from.path.clone(),
            to: to.path.clone(),
        });
    }
    // The new file may import the old one for something else.
    if let (Some(import), true) = (
        known
            .iter()
            .find(|known| known.from.as_deref() == Some(old_way.as_str()) && known.name != name),
        stays,
    ) {
        return Err(MoveError::Circular {
            name: name.to_owned(),
            needs: import.name.clone(),
            from: from.path.clone(),
            to: to.path.clone(),
        });
    }

    take_out(&mut here, &from.text, &piece);
    if stays {
        let note = if passed_on && !named_here {
            "  # noqa: F401"
        } else {
            ""
        };
        let line = format!("from {new_way} import {name}{note}\n");
        add_imports(&mut here, &from.parsed, &from.text, &line);
    }
    let lines: String = lines.into_iter().collect();
    if !lines.is_empty() {
        add_imports(&mut there, &to.parsed, &to.text, &lines);
    }
    let gap = match to.text.as_str() {
        text if text.trim().is_empty() => "",
        text if text.ends_with('\n') => "\n\n",
        _ => "\n\n\n",
    };
    there.insert(to.text.len(), format!("{gap}{moved}\n"));
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

fn piece(scene: &Scene<'_>) -> Result<Range<usize>, MoveError> {
    let root = scene.from.parsed.root();
    let mut cursor = root.walk();
    let item = root
        .children(&mut cursor)
        .find(|child| child.byte_range().contains(&scene.at))
        .filter(|child| {
            matches!(
                child.kind(),
                "function_definition"
                    | "class_definition"
                    | "decorated_definition"
                    | "expression_statement"
            )
        });
    match item {
        Some(item) => Ok(whole(item, &scene.from.text, BELONGS)),
        None => Err(MoveError::NotAtTop {
            name: scene.target.name.clone(),
        }),
    }
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Writes how a file imports another: from its package where both are in one folder of it, by the whole path otherwise.
fn way(scene: &Scene<'_>, from: &str, to: &str) -> String {
    let is_package = |folder: &str| {
        let file = match folder {
            "" => "__init__.py".to_owned(),
            folder => format!("{folder}/__init__.py"),
        };
        scene.roots.is_there(&file)
    };
    let stem = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.strip_suffix(".py").unwrap_or(name).to_owned()
    };
    let folder_of = folder(to);
    if folder(from) == folder_of && is_package(folder_of) && stem(to) != "__init__" {
        return format!(".{}", stem(to));
    }
    let mut parts = vec![stem(to)];
    let mut above = folder_of;
    while !above.is_empty() && is_package(above) {
        parts.insert(0, above.rsplit('/').next().unwrap_or(above).to_owned());
        above = folder(above);
    }
    // Without packages the folders are modules as well, but for the one that sources lie in.
    if parts.len() == 1 && !folder_of.is_empty() && !is_package(folder_of) {
        let inner = folder_of.strip_prefix("src").unwrap_or(folder_of);
        let names = inner.split('/').filter(|name| !name.is_empty());
        let mut all: Vec<String> = names.map(str::to_owned).collect();
        if folder(from) != folder_of {
            all.append(&mut parts);
            parts = all;
        }
    }
    if parts.last().is_some_and(|last| last == "__init__") && parts.len() > 1 {
        parts.pop();
    }
    parts.join(".")
}

/// Which imports are looked at.
#[derive(Clone, Copy, PartialEq)]
enum Top {
    Yes,
    No,
}

fn imports(parsed: &Parsed, text: &str, top: Top) -> Vec<Import> {
    let mut found = Vec::new();
    walk(parsed.root(), |node| {
        let kind = node.kind();
        if !matches!(kind, "import_statement" | "import_from_statement") {
            return top == Top::No || node.parent().is_none();
        }
        let module = node.child_by_field_name("module_name");
        let from = module.map(|module| text[module.byte_range()].to_owned());
        let mut cursor = node.walk();
        let first = found.len();
        for child in node.named_children(&mut cursor) {
            if Some(child) == module {
                continue;
            }
            let what = text[child.byte_range()].to_owned();
            let name = match child.kind() {
                "aliased_import" => child
                    .child_by_field_name("alias")
                    .map(|alias| text[alias.byte_range()].to_owned()),
                "wildcard_import" => Some("*".to_owned()),
                "dotted_name" => what.split('.').next().map(str::to_owned),
                _ => None,
            };
            if let Some(name) = name {
                found.push(Import {
                    name,
                    from: from.clone(),
                    what,
                    statement: node.byte_range(),
                    part: child.byte_range(),
                    alone: false,
                });
            }
        }
        if found.len() == first + 1 {
            found[first].alone = true;
        }
        false
    });
    found
}

fn drop_import(edits: &mut Edits, text: &str, import: &Import) {
    match import.alone {
        true => {
            let end = line_end(text, import.statement.end);
            edits.replace(import.statement.start..end, "");
        }
        false => take_from_list(edits, text, import.part.clone()),
    }
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

fn is_bare(text: &str, leaf: Node<'_>) -> bool {
    !code_before(text, leaf).ends_with('.')
}

/// Returns the names that the piece uses and does not bind itself.
fn used(from: &Source, piece: &Range<usize>) -> BTreeSet<String> {
    let mut names: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    walk(from.parsed.root(), |node| {
        let at = node.start_byte();
        let is_key = enclosing(node, &["keyword_argument"]).is_some_and(|argument| {
            argument.child_by_field_name("name").map(|name| name.id()) == Some(node.id())
        });
        if node.child_count() == 0
            && piece.contains(&at)
            && is_name(node.kind())
            && is_bare(&from.text, node)
            && !is_key
        {
            let name = from.text[node.byte_range()].to_owned();
            names.entry(name).or_default().push(at);
        }
        true
    });
    names
        .into_iter()
        .filter(|(name, places)| {
            let locals = Locals::of(Language::Python, &from.parsed, &from.text, name);
            places.iter().any(|at| !locals.holds(*at))
        })
        .map(|(name, _)| name)
        .collect()
}

/// Returns what stays of a file, without its imports.
fn without_imports(from: &Source, piece: &Range<usize>) -> String {
    let mut edits = Edits::default();
    edits.replace(piece.clone(), "");
    for import in imports(&from.parsed, &from.text, Top::Yes) {
        edits.replace(import.statement, "");
    }
    edits.apply(&from.text)
}

/// Puts lines after the imports of a file, or where they would stand.
fn add_imports(edits: &mut Edits, parsed: &Parsed, text: &str, lines: &str) {
    let root = parsed.root();
    let mut cursor = root.walk();
    let children: Vec<Node<'_>> = root.children(&mut cursor).collect();
    let is_import = |child: &&Node<'_>| {
        matches!(
            child.kind(),
            "import_statement" | "import_from_statement" | "future_import_statement"
        )
    };
    if let Some(last) = children.iter().rev().find(is_import) {
        return edits.insert(line_end(text, last.end_byte()), lines);
    }
    let is_head = |child: &Node<'_>| {
        child.kind() == "comment" && child.start_byte() == 0
            || child.kind() == "expression_statement"
                && child.child(0).is_some_and(|inner| inner.kind() == "string")
    };
    match children.iter().take_while(|child| is_head(child)).last() {
        Some(head) => edits.insert(line_end(text, head.end_byte()), format!("\n{lines}")),
        None => edits.insert(0, format!("{lines}\n\n")),
    }
}
