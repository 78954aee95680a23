//! The other files: which of them import the item, and which reach its module in a way that is not followed.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use tree_sitter::Node;

use super::super::super::super::Language;
use super::super::super::super::parse::{parse, walk};
use super::super::super::source::words;
use super::super::super::{Sight, sight};
use super::super::Scene;
use super::super::names::{Code, file_name};
use super::super::text::{Edits, take_from_list};
use super::item::has_child;
use super::modules::{drop_imports, ending_of, imports, leads_to, way};
use super::{is_binding_name, is_script};
use crate::workspace::Index;

/// The largest file that is looked at.
const LARGEST: usize = 2 * 1024 * 1024;

/// Files that hold modules in another language.
const EMBEDDING: &[&str] = &[".vue", ".svelte", ".astro", ".html", ".mdx"];

/// What the other files are to be, and the places in them that may name the module.
#[derive(Debug, Default)]
pub(super) struct Reached {
    pub(super) files: BTreeMap<String, String>,
    pub(super) strings: Vec<Sight>,
}

/// Says why one of two files is not certainly an ES module, or is not treated like the other.
pub(super) fn are_modules(scene: &Scene<'_>, from: Code<'_>, to: Code<'_>) -> Result<(), String> {
    for (path, code) in [(&scene.from.path, from), (&scene.to.path, to)] {
        let is_common = ["require(", "module.exports", "exports."]
            .iter()
            .any(|mark| code.text.contains(mark) && is_said(code, mark));
        if is_common {
            return Err(format!(
                "`{path}` uses `require` or `module.exports`; make an ES module of it first"
            ));
        }
        let is_module = code
            .top()
            .iter()
            .any(|node| matches!(node.kind(), "import_statement" | "export_statement"));
        if !is_module && !code.text.trim().is_empty() {
            return Err(format!(
                "`{path}` imports and exports nothing, and may be a script that shares its names; export something of it first"
            ));
        }
    }
    let directives = |code: Code<'_>| -> Vec<String> {
        let top = code.top().into_iter();
        top.filter(|node| node.kind() != "comment")
            .take_while(|node| node.kind() == "expression_statement")
            .map(|node| code.at(node).trim_matches([';', '"', '\'']).to_owned())
            .filter(|text| text.starts_with("use ") && text != "use strict")
            .collect()
    };
    let is_new = to.text.trim().is_empty();
    if directives(from) != directives(to) && !(is_new && directives(from).is_empty()) {
        return Err(format!(
            "`{}` and `{}` begin with different directives (\"use …\"); choose a file that begins alike",
            scene.from.path, scene.to.path
        ));
    }
    Ok(())
}

/// Tells whether a mark stands in code, and not in a comment or string.
fn is_said(code: Code<'_>, mark: &str) -> bool {
    let word = mark.trim_end_matches(['(', '.']);
    let mut found = false;
    walk(code.parsed.root(), |node| {
        let is_code = matches!(node.kind(), "call_expression" | "member_expression");
        found |= is_code && code.at(node).starts_with(word);
        !found
    });
    found
}

/// Looks at every file that may reach the item.
pub(super) fn look(scene: &Scene<'_>, is_exported: bool) -> Result<Reached, String> {
    let mut reached = Reached::default();
    if !is_exported {
        return Ok(reached);
    }
    let (old, name) = (scene.from.path.as_str(), scene.target.name.as_str());
    let mut parts = old.rsplit('/');
    let file = parts.next().unwrap_or(old);
    let stem = file.split('.').next().unwrap_or(file);
    let key = match stem {
        "index" => parts.next().unwrap_or(stem),
        stem => stem,
    };
    if stem == "index" {
        return Err(format!(
            "`{old}` stands for its folder, and others may import it from there; move it by hand"
        ));
    }
    let other = scene.project.others.iter().find(|other| {
        let embeds = EMBEDDING.iter().any(|ending| other.path.ends_with(ending));
        embeds && words(&other.text, key).next().is_some()
    });
    if let Some(other) = other {
        return Err(format!(
            "`{}` names it and its module, and is not followed; move it by hand",
            other.path
        ));
    }
    let index = Index::of(scene.roots);
    for path in index.files() {
        let language = Language::of(path).filter(|language| is_script(*language));
        let is_manifest = file_name(path) == "package.json";
        if path == old || (language.is_none() && !is_manifest) {
            continue;
        }
        let read = scene.roots.read(path).ok();
        let text = read.filter(|read| read.bytes.len() <= LARGEST);
        let Some(text) = text.and_then(|read| String::from_utf8(read.bytes).ok()) else {
            continue;
        };
        if is_manifest {
            let mut ways = [
                format!("/{stem}."),
                format!("\"{stem}."),
                "\"./*\"".to_owned(),
            ]
            .into_iter();
            if ways.any(|way| text.contains(&way)) {
                return Err(format!(
                    "`{path}` offers `{old}` to other packages, which may import it; move it by hand"
                ));
            }
            continue;
        }
        let Some(language) = language else { continue };
        if !text.contains(key) && words(&text, name).next().is_none() {
            continue;
        }
        let Some(parsed) = parse(language, text.as_bytes(), &AtomicBool::new(false)) else {
            return Err(format!(
                "`{path}` may import it and cannot be read; move it by hand"
            ));
        };
        let code = Code {
            language,
            parsed: &parsed,
            text: &text,
        };
        let looked = One { scene, path, code };
        looked.strays(&mut reached.strings)?;
        looked.imports()?;
        if path != &scene.to.path
            && let Some(text) = looked.rewritten()
        {
            reached.files.insert(path.clone(), text);
        }
    }
    Ok(reached)
}

/// One of the other files.
struct One<'a> {
    scene: &'a Scene<'a>,
    path: &'a str,
    code: Code<'a>,
}

impl One<'_> {
    fn leads(&self, source: &str) -> bool {
        leads_to(self.path, source, &self.scene.from.path)
    }

    fn line(&self, node: Node<'_>) -> usize {
        node.start_position().row + 1
    }

    /// Finds what reaches the module other than by an import of names.
    fn strays(&self, strings: &mut Vec<Sight>) -> Result<(), String> {
        let (code, path) = (self.code, self.path);
        let name = self.scene.target.name.as_str();
        let mut problem = None;
        walk(code.parsed.root(), |node| {
            if node.kind() != "string" || !self.leads(code.at(node).trim_matches(['"', '\''])) {
                return problem.is_none();
            }
            let line = self.line(node);
            let Some(parent) = node.parent() else {
                return false;
            };
            match parent.kind() {
                "import_statement" => {}
                "export_statement" => {
                    if has_child(parent, "*") || has_child(parent, "namespace_export") {
                        problem = Some(format!(
                            "line {line} of `{path}` passes on all of its module (`export *`); name what it passes on first"
                        ));
                    } else if path == self.scene.to.path
                        && words(code.at(parent), name).next().is_some()
                    {
                        problem = Some(format!(
                            "line {line} of `{path}` passes it on; take that out first"
                        ));
                    }
                }
                _ => {
                    let before = code.text[..node.start_byte()].trim_end();
                    let is_call = ["import(", "require(", "requireActual("]
                        .iter()
                        .any(|call| before.ends_with(call));
                    if is_call {
                        problem = Some(format!(
                            "line {line} of `{path}` loads its module by a call; import it by name first"
                        ));
                    } else {
                        let why = "names the module that it is moved from";
                        strings.push(sight(path, code.text, node.start_byte(), why));
                    }
                }
            }
            false
        });
        problem.map_or(Ok(()), Err)
    }

    /// Says which import of the name, or of the whole module, is not followed.
    fn imports(&self) -> Result<(), String> {
        let (code, path) = (self.code, self.path);
        let (name, old) = (self.scene.target.name.as_str(), &self.scene.from.path);
        let mut free = None;
        for one in imports(code) {
            let leads = self.leads(&one.source);
            if leads && one.imported == "*" {
                let free = free.get_or_insert_with(|| code.free_names(is_binding_name));
                let places = free.get(one.local.as_str()).into_iter().flatten();
                for at in places.filter(|at| !one.statement.contains(at)) {
                    let rest = code.text[at + one.local.len()..].trim_start();
                    let rest = rest.strip_prefix("?.").or_else(|| rest.strip_prefix('.'));
                    let member = rest.map(str::trim_start);
                    let is_other = member.is_some_and(|member| {
                        !member.starts_with('[') && words(member, name).next() != Some(0)
                    });
                    if !is_other {
                        let line = code.text[..*at].matches('\n').count() + 1;
                        return Err(format!(
                            "line {line} of `{path}` reaches it through all of its module (`{}`); import it by name first",
                            one.local
                        ));
                    }
                }
            }
            if leads || one.imported != name {
                continue;
            }
            let is_of = |home: &str| leads_to(path, &one.source, home);
            let is_other = self
                .scene
                .target
                .others
                .iter()
                .any(|home| is_of(&home.file));
            let last = file_name(&one.source);
            let is_package =
                !one.source.starts_with('.') && !self.scene.project.modules.contains(last);
            if !is_other && !is_package {
                return Err(format!(
                    "`{path}` imports a `{name}` from `{}`, which may be the one of `{old}`; import it from there first",
                    one.source
                ));
            }
        }
        Ok(())
    }

    /// Writes the file anew, where it imports the item or passes it on by its name.
    fn rewritten(&self) -> Option<String> {
        let (code, name) = (self.code, self.scene.target.name.as_str());
        let new = self.scene.to.path.as_str();
        let source_of = |was: &str| way(self.path, new, ending_of(was));
        let all = imports(code);
        let mut edits = Edits::default();
        let mut gone = Vec::new();
        for one in all
            .iter()
            .filter(|one| one.imported == name && self.leads(&one.source))
        {
            let line = one.line(&source_of(&one.source), code);
            if one.alone {
                edits.replace(one.statement.clone(), line);
            } else {
                edits.insert(one.statement.end, format!("\n{line}"));
                gone.push(one);
            }
        }
        drop_imports(&mut edits, code.text, &all, &gone);
        for statement in code.top() {
            let Some(source) = statement.child_by_field_name("source") else {
                continue;
            };
            let written = code.at(source);
            let was = written.trim_matches(['"', '\'']);
            if statement.kind() != "export_statement" || !self.leads(was) {
                continue;
            }
            let mut specifiers = Vec::new();
            walk(statement, |node| {
                let inside = statement.byte_range().contains(&node.start_byte());
                if inside && node.kind() == "export_specifier" {
                    specifiers.push(node);
                }
                inside
            });
            let is_its = |node: &&Node<'_>| {
                let of = node.child_by_field_name("name");
                of.is_some_and(|of| code.at(of) == name)
            };
            let Some(its) = specifiers.iter().find(is_its) else {
                continue;
            };
            let quote = &written[..1];
            let way = format!("{quote}{}{quote}", source_of(was));
            if specifiers.len() == 1 {
                edits.replace(source.byte_range(), way);
            } else {
                let end = if code.at(statement).ends_with(';') {
                    ";"
                } else {
                    ""
                };
                let line = format!("\nexport {{ {} }} from {way}{end}", code.at(*its));
                take_from_list(&mut edits, code.text, its.byte_range());
                edits.insert(statement.end_byte(), line);
            }
        }
        (!edits.is_empty()).then(|| edits.apply(code.text))
    }
}

/// Returns the ending with which the project writes its modules, if it writes one.
pub(super) fn style(scene: &Scene<'_>) -> Option<String> {
    let (old, new) = (scene.from.path.as_str(), scene.to.path.as_str());
    let code = |language, parsed, text| Code {
        language,
        parsed,
        text,
    };
    let near = [
        code(
            scene.from.language,
            &scene.from.parsed,
            scene.from.text.as_str(),
        ),
        code(
            scene.from.language,
            &scene.to.parsed,
            scene.to.text.as_str(),
        ),
    ];
    let far = scene
        .project
        .sources
        .iter()
        .filter(|one| is_script(one.language));
    let far = far.map(|one| code(one.language, &one.parsed, one.text.as_str()));
    let mut sources = near
        .into_iter()
        .chain(far)
        .flat_map(|code| imports(code).into_iter().map(|one| one.source));
    match sources.find(|source| source.starts_with('.')) {
        Some(source) => ending_of(&source).map(str::to_owned),
        None => {
            let own = new.rsplit_once('.').map(|(_, ending)| ending.to_owned());
            own.filter(|_| Language::of(old) == Some(Language::JavaScript))
        }
    }
}
