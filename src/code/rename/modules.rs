//! Which module a file is, and whether a path leads to it.

use tree_sitter::Node;

use super::super::Language;
use super::packages;
use super::source::{Project, Source};

/// Whether a path leads to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leads {
    ToTarget,
    Elsewhere,
    /// Into this repository, and the syntax does not say to which of those with the name.
    Unsure,
}

/// Where something is defined: its file, and the modules inside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) file: String,
    pub(super) inner: Vec<String>,
}

impl Home {
    /// Returns the path of the module, from the root of its package.
    fn module(&self, language: Language) -> Vec<String> {
        let mut path = module_of(language, &self.file);
        path.extend(self.inner.iter().cloned());
        path
    }
}

/// Returns a file's module path, from the root of its package.
pub(super) fn module_of(language: Language, file: &str) -> Vec<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    let name = parts.pop().unwrap_or(file);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    match language {
        Language::Rust => {
            // The folder of sources is the root of the crate.
            if let Some(at) = parts.iter().rposition(|part| *part == "src") {
                parts.drain(..=at);
            }
            if !matches!(stem, "lib" | "main" | "mod") {
                parts.push(stem);
            }
        }
        Language::Python if stem == "__init__" => {}
        Language::JavaScript | Language::TypeScript | Language::Tsx if stem == "index" => {}
        Language::Go | Language::Java | Language::C | Language::Cpp => {}
        _ => parts.push(stem),
    }
    parts.into_iter().map(str::to_owned).collect()
}

/// Says where the path leads that a place in a file names. `others` are where the same name is defined, too.
pub(super) fn leads(
    project: &Project,
    source: &Source,
    leaf: Node<'_>,
    path: &str,
    target: &[Home],
    others: &[Home],
) -> Leads {
    match source.language {
        Language::Rust => rust(project, source, leaf, path, target, others),
        Language::Python => {
            let dots = path.chars().take_while(|c| *c == '.').count();
            let names: Vec<&str> = path.split('.').filter(|name| !name.is_empty()).collect();
            let mut wanted: Vec<String> = Vec::new();
            if dots > 0 {
                wanted.extend(source.path.split('/').map(str::to_owned));
                wanted.truncate(wanted.len().saturating_sub(dots));
            } else if !names
                .first()
                .is_some_and(|name| project.modules.contains(*name))
            {
                return Leads::Elsewhere;
            }
            wanted.extend(names.into_iter().map(str::to_owned));
            choose(source.language, &wanted, target, others)
        }
        Language::JavaScript | Language::TypeScript | Language::Tsx => {
            if !path.starts_with('.') {
                let last = path.rsplit('/').next().unwrap_or(path);
                return match project.modules.contains(last) {
                    true => Leads::Unsure,
                    false => Leads::Elsewhere,
                };
            }
            let mut wanted: Vec<String> = source.path.split('/').map(str::to_owned).collect();
            wanted.pop();
            for part in path.split('/') {
                match part {
                    "." | "" => {}
                    ".." => drop(wanted.pop()),
                    part => {
                        let endings = [".js", ".ts", ".mjs", ".jsx", ".tsx"];
                        let stem = endings.iter().find_map(|ending| part.strip_suffix(ending));
                        wanted.push(stem.unwrap_or(part).to_owned());
                    }
                }
            }
            if wanted.last().is_some_and(|last| last == "index") {
                wanted.pop();
            }
            choose(source.language, &wanted, target, others)
        }
        Language::Java => {
            let wanted: Vec<String> = path.split('.').map(str::to_owned).collect();
            choose(source.language, &wanted, target, others)
        }
        Language::Go => packages::leads(project, path, target),
        Language::C | Language::Cpp => Leads::Unsure,
    }
}

fn rust(
    project: &Project,
    source: &Source,
    leaf: Node<'_>,
    path: &str,
    target: &[Home],
    others: &[Home],
) -> Leads {
    let path: String = path.split_whitespace().collect();
    let mut names: Vec<String> = path
        .split("::")
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    let mut here = module_of(Language::Rust, &source.path);
    here.extend(inner_modules(source, leaf));
    let Some(first) = names.first().cloned() else {
        return choose(Language::Rust, &here, target, others);
    };
    match first.as_str() {
        "crate" | "$crate" => drop(names.remove(0)),
        "self" => {
            names.remove(0);
            names.splice(..0, here);
        }
        "super" => {
            while names.first().is_some_and(|name| name == "super") {
                names.remove(0);
                here.pop();
            }
            names.splice(..0, here);
        }
        first if project.modules.contains(first) => {
            let homes = target.iter().chain(others);
            // A package's own name, or a module of this one, or one that was imported.
            let is_start = homes
                .map(|home| home.module(Language::Rust))
                .any(|module| module.first().is_some_and(|name| name == first));
            if !is_start {
                let module = module_of(Language::Rust, &source.path);
                let child: Vec<String> = here.iter().chain(&names).cloned().collect();
                match choose(Language::Rust, &child, target, others) {
                    Leads::ToTarget => return Leads::ToTarget,
                    _ if module.is_empty() => {}
                    _ => {}
                }
                names.remove(0);
            }
        }
        _ => return Leads::Elsewhere,
    }
    choose(Language::Rust, &names, target, others)
}

/// Chooses by a module's path. What leads to neither comes from a module that passes it on: that is the target where
/// nothing else has the name.
fn choose(language: Language, wanted: &[String], target: &[Home], others: &[Home]) -> Leads {
    let is = |home: &Home| {
        let module = home.module(language);
        match language {
            Language::Rust => module == wanted,
            // A package's root may be any folder.
            _ => module.ends_with(wanted) || wanted.ends_with(&module),
        }
    };
    if target.iter().any(is) {
        Leads::ToTarget
    } else if others.iter().any(is) {
        Leads::Elsewhere
    } else if others.is_empty() {
        Leads::ToTarget
    } else {
        Leads::Unsure
    }
}

/// Returns the names of the modules inside a file that a place stands in.
pub(super) fn inner_modules(source: &Source, leaf: Node<'_>) -> Vec<String> {
    let mut names = Vec::new();
    let mut node = leaf;
    while let Some(parent) = node.parent() {
        if matches!(
            parent.kind(),
            "mod_item" | "namespace_definition" | "internal_module"
        ) && let Some(name) = parent.child_by_field_name("name")
            && name != leaf
        {
            names.push(source.text[name.byte_range()].to_owned());
        }
        node = parent;
    }
    names.reverse();
    names
}
