//! Moving a function, type, constant or variable of Go to another file of its package.
//!
//! A package is a folder, and all of its files see what stands at their tops: nothing else changes but what the two
//! files import. To another package an item is not moved: it would be named in another way everywhere, and what it uses
//! of its own package may not be seen from there.

use std::collections::BTreeMap;
use std::ops::Range;

use tree_sitter::Node;

use super::super::super::grammar::base_name;
use super::names::{Code, at_end, file_name, folder};
use super::text::{Edits, line_end, take_out, whole};
use super::{Move, MoveError, Scene};

/// What belongs to the item below it.
const BELONGS: &[&str] = &["comment"];

/// What the name of a file can end with, so that it is built for some machines only.
const MACHINES: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "illumos",
    "ios",
    "js",
    "linux",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "386",
    "amd64",
    "arm",
    "arm64",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mipsle",
    "ppc64",
    "ppc64le",
    "riscv64",
    "s390x",
    "wasm",
];

/// A package that a file imports.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Import {
    /// The name that the file gives it.
    alias: Option<String>,
    path: String,
    statement: Range<usize>,
    /// Its line of a list, where it stands in one.
    spec: Range<usize>,
    in_list: bool,
}

impl Import {
    /// Returns the names that it can have in the file: the last part of its path, as packages are named after it.
    fn names(&self) -> Vec<String> {
        if let Some(alias) = &self.alias {
            return vec![alias.clone()];
        }
        let mut parts: Vec<&str> = self.path.split('/').collect();
        let is_version = |part: &str| {
            part.strip_prefix('v')
                .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit()))
        };
        if parts.len() > 1 && parts.last().is_some_and(|last| is_version(last)) {
            parts.pop();
        }
        let last = parts.last().copied().unwrap_or_default();
        let bare = match last.rsplit_once('.') {
            Some((bare, version)) if is_version(version) => bare,
            _ => last,
        };
        let mut names = vec![bare.to_owned()];
        names.extend(bare.strip_prefix("go-").map(str::to_owned));
        names.extend(bare.strip_suffix("-go").map(str::to_owned));
        names.extend(bare.strip_suffix(".go").map(str::to_owned));
        names
    }

    fn written(&self) -> String {
        match &self.alias {
            Some(alias) => format!("{alias} \"{}\"", self.path),
            None => format!("\"{}\"", self.path),
        }
    }

    fn is_nameless(&self) -> bool {
        self.alias.as_deref() == Some("_")
    }
}

pub(super) fn plan(scene: &Scene<'_>) -> Result<Move, MoveError> {
    let name = scene.target.name.as_str();
    let (from, to) = scene.codes();
    let unsure = |why: String| scene.not_certain(why);
    same_package(scene, from, to).map_err(unsure)?;
    let item = item(from, scene.at).ok_or_else(|| MoveError::NotAtTop {
        name: name.to_owned(),
    })?;
    movable(from, item, name).map_err(unsure)?;
    let pieces = pieces(from, item, name);
    let inside = |at: usize| pieces.iter().any(|piece| piece.contains(&at));
    let moved: Vec<&str> = pieces
        .iter()
        .map(|piece| from.text[piece.clone()].trim_end())
        .collect();
    if let Some(mark) = ["//go:embed", "//go:linkname", "//export "]
        .iter()
        .find(|mark| moved.iter().any(|text| text.contains(**mark)))
    {
        return Err(unsure(format!(
            "`{}` above it is about the file that it stands in; move it by hand",
            mark.trim()
        )));
    }

    let has = imports(from);
    let known = imports(to);
    if has.iter().chain(&known).any(|one| one.path == "C") {
        return Err(unsure(
            "a file that imports \"C\" has its own C code; move it by hand".to_owned(),
        ));
    }
    if has.iter().any(|one| one.alias.as_deref() == Some(".")) {
        return Err(unsure(format!(
            "`{}` imports all of a package into its own names (`import .`), and some of them may be used; name the \
             package first",
            scene.from.path
        )));
    }
    let used = from.free_names(is_package_name);
    let is_used = |one: &Import, by: &dyn Fn(usize) -> bool| {
        let places = one
            .names()
            .into_iter()
            .filter_map(|name| used.get(name.as_str()));
        places.flatten().any(|at| by(*at))
    };
    let by_any = |_: usize| true;
    // Go refuses an import that nothing uses: one whose name stands nowhere has another name than its path tells.
    let riddle = has
        .iter()
        .find(|one| !one.is_nameless() && !is_used(one, &by_any));
    let top = from.defined(None);
    let explained = |word: &str| {
        top.contains(word)
            || has
                .iter()
                .any(|one| one.names().iter().any(|name| name == word))
    };
    let open = used
        .iter()
        .find(|(word, places)| places.iter().any(|at| inside(*at)) && !explained(word));
    if let (Some(riddle), Some((word, _))) = (riddle, open) {
        return Err(unsure(format!(
            "`{word}` may be the package \"{}\", whose path does not tell its name; write `{word} \"{}\"` in the imports \
             of `{}` first",
            riddle.path, riddle.path, scene.from.path
        )));
    }

    let mut here = Edits::default();
    let mut there = Edits::default();
    let mut wanted = Vec::new();
    let mut gone = Vec::new();
    for one in &has {
        if one.is_nameless() || !is_used(one, &inside) {
            continue;
        }
        if !is_used(one, &|at| !inside(at)) {
            gone.push(one.clone());
        }
        let names = one.names();
        let other = known
            .iter()
            .find(|known| known.names().iter().any(|name| names.contains(name)));
        match other {
            Some(other) if other.path == one.path && other.alias == one.alias => {}
            Some(other) => {
                return Err(unsure(format!(
                    "`{}` imports \"{}\" by the name that \"{}\" has here; give one of them another name first",
                    scene.to.path, other.path, one.path
                )));
            }
            None => wanted.push(one.clone()),
        }
    }
    drop_imports(&mut here, from, &has, &gone);
    for piece in &pieces {
        take_out(&mut here, from.text, piece);
    }
    add_imports(&mut there, to, &known, &wanted);
    there.insert(to.text.len(), at_end(to.text, &moved.join("\n\n")));
    let mut unsure = Vec::new();
    if item.kind() == "var_declaration" && has_call(item) {
        let why = "its value is made when the program begins, in the order of the files where nothing else tells";
        unsure.push(super::super::sight(
            &scene.from.path,
            from.text,
            scene.at,
            why,
        ));
    }
    Ok(Move {
        from: scene.from.path.clone(),
        files: BTreeMap::from([
            (scene.from.path.clone(), here.apply(from.text)),
            (scene.to.path.clone(), there.apply(to.text)),
        ]),
        passed_on: false,
        unsure,
    })
}

/// Says why two files are not certainly built into one package, always together.
fn same_package(scene: &Scene<'_>, from: Code<'_>, to: Code<'_>) -> Result<(), String> {
    let (old, new) = (&scene.from.path, &scene.to.path);
    let package = |code: Code<'_>| {
        let clause = code
            .top()
            .into_iter()
            .find(|node| node.kind() == "package_clause")?;
        Some(code.at(clause.named_child(0)?).to_owned())
    };
    if folder(old) != folder(new) || package(from) != package(to) || package(to).is_none() {
        return Err(format!(
            "`{old}` and `{new}` are not of one package, and in another package it would be named in another way and see \
             other things; choose a file of its package, or move it by hand"
        ));
    }
    let is_test = |path: &str| path.ends_with("_test.go");
    if is_test(old) != is_test(new) {
        return Err(format!(
            "one of `{old}` and `{new}` is built for tests only; choose a file of the same kind"
        ));
    }
    if machines(old, from.text) != machines(new, to.text) {
        return Err(format!(
            "`{old}` and `{new}` are not built for the same machines (by their names or `//go:build`); choose a file that \
             is"
        ));
    }
    Ok(())
}

/// Returns what says for which machines a file is built.
fn machines(path: &str, text: &str) -> Vec<String> {
    let stem = file_name(path)
        .trim_end_matches(".go")
        .trim_end_matches("_test");
    let by_name = stem
        .split('_')
        .skip(1)
        .filter(|part| MACHINES.contains(part));
    let head = text
        .lines()
        .take_while(|line| !line.starts_with("package "));
    let by_line =
        head.filter(|line| line.starts_with("//go:build") || line.starts_with("// +build"));
    by_name.chain(by_line).map(str::to_owned).collect()
}

/// Returns the declaration at the top of the file around a place.
fn item<'a>(code: Code<'a>, at: usize) -> Option<Node<'a>> {
    let kinds = [
        "function_declaration",
        "type_declaration",
        "const_declaration",
        "var_declaration",
    ];
    code.top()
        .into_iter()
        .find(|node| node.byte_range().contains(&at) && kinds.contains(&node.kind()))
}

/// Says why a declaration cannot be moved as it stands.
fn movable(code: Code<'_>, item: Node<'_>, name: &str) -> Result<(), String> {
    if name == "init" || name == "_" {
        return Err(
            "it runs when the program begins, in the order of the files; move it by hand"
                .to_owned(),
        );
    }
    let specs = specs(item);
    if specs.len() > 1 {
        return Err(
            "it stands in a list with others; give it a declaration of its own first".to_owned(),
        );
    }
    let declares_several = specs.first().is_some_and(|spec| {
        let mut cursor = spec.walk();
        spec.children_by_field_name("name", &mut cursor)
            .filter(|child| child.is_named())
            .count()
            > 1
    });
    if declares_several {
        return Err(
            "one declaration makes several names; give it a declaration of its own first"
                .to_owned(),
        );
    }
    let has_c = code.text.contains("import \"C\"");
    match has_c {
        true => Err("a file that imports \"C\" has its own C code; move it by hand".to_owned()),
        false => Ok(()),
    }
}

fn specs(item: Node<'_>) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    let mut cursor = item.walk();
    for child in item.named_children(&mut cursor) {
        match child.kind() {
            "var_spec_list" => {
                let mut cursor = child.walk();
                found.extend(
                    child
                        .named_children(&mut cursor)
                        .filter(|it| it.kind() == "var_spec"),
                );
            }
            "const_spec" | "var_spec" | "type_spec" | "type_alias" => found.push(child),
            _ => {}
        }
    }
    found
}

/// Returns the item's lines and, for a type, those of its methods that stand in the same file.
fn pieces(code: Code<'_>, item: Node<'_>, name: &str) -> Vec<Range<usize>> {
    let mut pieces = vec![whole(item, code.text, BELONGS)];
    if item.kind() == "type_declaration" {
        let methods = code.top().into_iter().filter(|node| {
            let receiver = || {
                let list = node.child_by_field_name("receiver")?;
                let kind = list.named_child(0)?.child_by_field_name("type")?;
                Some(code.at(base_name(kind)))
            };
            node.kind() == "method_declaration" && receiver() == Some(name)
        });
        pieces.extend(methods.map(|method| whole(method, code.text, BELONGS)));
    }
    pieces.sort_by_key(|piece| piece.start);
    pieces
}

fn imports(code: Code<'_>) -> Vec<Import> {
    let mut found = Vec::new();
    for statement in code.top() {
        if statement.kind() != "import_declaration" {
            continue;
        }
        let mut take = |spec: Node<'_>, in_list: bool| {
            let Some(path) = spec.child_by_field_name("path") else {
                return;
            };
            found.push(Import {
                alias: spec
                    .child_by_field_name("name")
                    .map(|name| code.at(name).to_owned()),
                path: code.at(path).trim_matches(['"', '`']).to_owned(),
                statement: statement.byte_range(),
                spec: spec.byte_range(),
                in_list,
            });
        };
        let mut cursor = statement.walk();
        for child in statement.named_children(&mut cursor) {
            match child.kind() {
                "import_spec" => take(child, false),
                "import_spec_list" => {
                    let mut cursor = child.walk();
                    for spec in child.named_children(&mut cursor) {
                        if spec.kind() == "import_spec" {
                            take(spec, true);
                        }
                    }
                }
                _ => {}
            }
        }
    }
    found
}

/// Tells whether a leaf stands where the name of a package can: before a dot.
fn is_package_name(leaf: Node<'_>) -> bool {
    let Some(parent) = leaf.parent() else {
        return false;
    };
    let is = |field: &str| parent.child_by_field_name(field) == Some(leaf);
    match parent.kind() {
        "selector_expression" => is("operand"),
        "qualified_type" => is("package"),
        _ => false,
    }
}

fn has_call(item: Node<'_>) -> bool {
    let mut found = false;
    super::super::super::parse::walk(item, |node| {
        found |= node.kind() == "call_expression" && item.byte_range().contains(&node.start_byte());
        node.kind() != "func_literal" && node.start_byte() < item.end_byte()
    });
    found
}

/// Takes out imports that nothing uses any more, and a statement that is left with none.
fn drop_imports(edits: &mut Edits, code: Code<'_>, has: &[Import], gone: &[Import]) {
    for one in gone {
        let stays = has
            .iter()
            .filter(|other| other.statement == one.statement && !gone.contains(other))
            .count();
        let range = match stays {
            0 => &one.statement,
            _ => &one.spec,
        };
        let start = code.text[..range.start].rfind('\n').map_or(0, |at| at + 1);
        let mut end = line_end(code.text, range.end);
        let before_blank = code.text[..start].ends_with("\n\n");
        if stays == 0 && before_blank && code.text[end..].starts_with('\n') {
            end += 1;
        }
        edits.replace(start..end, "");
    }
}

/// Puts imports where a file has its own, those of the standard library with those.
fn add_imports(edits: &mut Edits, code: Code<'_>, known: &[Import], wanted: &[Import]) {
    if wanted.is_empty() {
        return;
    }
    let is_standard = |one: &Import| !one.path.split('/').next().unwrap_or_default().contains('.');
    let listed: Vec<&Import> = known.iter().filter(|one| one.in_list).collect();
    if !listed.is_empty() {
        for one in wanted {
            let alike = |other: &&&Import| is_standard(other) == is_standard(one);
            let before = listed
                .iter()
                .find(|other| alike(other) && other.path > one.path);
            let after = listed.iter().rfind(alike).or(listed.last());
            match (before, after) {
                (Some(next), _) => {
                    edits.insert(next.spec.start, format!("{}\n\t", one.written()));
                }
                (None, Some(last)) => {
                    let gap = if is_standard(last) == is_standard(one) {
                        ""
                    } else {
                        "\n"
                    };
                    let at = line_end(code.text, last.spec.end);
                    edits.insert(at, format!("{gap}\t{}\n", one.written()));
                }
                (None, None) => {}
            }
        }
        return;
    }
    let lines: String = wanted
        .iter()
        .map(|one| format!("import {}\n", one.written()))
        .collect();
    if let Some(last) = known.last() {
        return edits.insert(line_end(code.text, last.statement.end), lines);
    }
    let clause = code
        .top()
        .into_iter()
        .find(|node| node.kind() == "package_clause");
    let at = clause.map_or(0, |clause| line_end(code.text, clause.end_byte()));
    let block = match wanted {
        [one] => format!("\nimport {}\n", one.written()),
        several => {
            let specs = several.iter().map(|one| format!("\t{}\n", one.written()));
            format!("\nimport (\n{})\n", specs.collect::<String>())
        }
    };
    edits.insert(at, block);
}
