//! The files of a repository that name something, parsed.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::grammar::base_name;
use super::super::parse::{parse, walk};
use super::super::{Language, Parsed};
use super::heirs::Heirs;
use super::packages::Module;
use super::role::enclosing_type;
use crate::workspace::{Index, Roots};

/// The most files that are looked at.
const MOST_FILES: usize = 50_000;

/// The largest file that is looked at.
const LARGEST: usize = 2 * 1024 * 1024;

/// A file that names what is renamed.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) language: Language,
    pub(super) parsed: Parsed,
}

/// A file of no known language, or that cannot be parsed, that names it.
#[derive(Debug)]
pub(super) struct Other {
    pub(super) path: String,
    pub(super) text: String,
}

/// What is known of the repository.
#[derive(Debug, Default)]
pub(super) struct Project {
    pub(super) sources: Vec<Source>,
    pub(super) others: Vec<Other>,
    /// The names that modules of the repository can have: of files, folders and packages.
    pub(super) modules: BTreeSet<String>,
    /// Its modules of Go.
    pub(super) packages: Vec<Module>,
    /// What methods of Java give, by their class and name; `None` where those of one name differ.
    results: OnceCell<HashMap<(String, String), Option<String>>>,
    /// Its classes, by one language for all that link with each other.
    heirs: BTreeMap<Language, Heirs>,
}

impl Project {
    /// Returns the classes of a language.
    pub(super) fn heirs(&self, language: Language) -> &Heirs {
        static NONE: Heirs = Heirs::none();
        self.heirs.get(&language.kin()).unwrap_or(&NONE)
    }

    /// Says which type a method of Java gives, where its class or one that that is made from is among the sources.
    pub(super) fn result_of(&self, owner: &str, method: &str) -> Option<String> {
        let results = self.results.get_or_init(|| self.java_results());
        let above = self.heirs(Language::Java).ancestors(owner);
        let mut owners = std::iter::once(owner).chain(above);
        owners
            .find_map(|owner| results.get(&(owner.to_owned(), method.to_owned())))
            .cloned()
            .flatten()
    }

    fn java_results(&self) -> HashMap<(String, String), Option<String>> {
        let mut results: HashMap<(String, String), Option<String>> = HashMap::new();
        for source in &self.sources {
            if source.language != Language::Java {
                continue;
            }
            let text = |node: tree_sitter::Node<'_>| source.text[node.byte_range()].to_owned();
            walk(source.parsed.root(), |node| {
                let fields = ["name", "type"].map(|field| node.child_by_field_name(field));
                if let ("method_declaration", [Some(name), Some(kind)]) = (node.kind(), fields)
                    && let Some(owner) = enclosing_type(source, name)
                {
                    let kind = Some(text(base_name(kind)));
                    let known = results.entry((owner, text(name)));
                    let known = known.or_insert_with(|| kind.clone());
                    if *known != kind {
                        *known = None;
                    }
                }
                true
            });
        }
        results
    }

    /// Reads the files that have the word `name`.
    pub(super) fn read(roots: &Roots, name: &str, cancel: &AtomicBool) -> Self {
        let index = Index::cancellable(roots, cancel);
        let mut project = Self::default();
        for path in index.files().iter().take(MOST_FILES) {
            if cancel.load(Ordering::Relaxed) {
                break;
            }
            project.take(roots, path, name, cancel);
        }
        project
    }

    fn take(&mut self, roots: &Roots, path: &str, name: &str, cancel: &AtomicBool) {
        let language = Language::of(path);
        let mut parts = path.rsplit('/');
        let file = parts.next().unwrap_or(path);
        if language.is_some() {
            let stem = file.split('.').next().unwrap_or(file);
            self.modules.insert(stem.to_owned());
            self.modules.extend(parts.map(str::to_owned));
        }
        let is_manifest = file == "Cargo.toml" || file == "go.mod" || file == "package.json";
        let Ok(read) = roots.read(path) else {
            return;
        };
        if read.bytes.len() > LARGEST {
            return;
        }
        let Ok(text) = String::from_utf8(read.bytes) else {
            return;
        };
        if is_manifest {
            self.modules.extend(package_names(file, &text));
            let is_go = file == "go.mod";
            let module = is_go.then(|| Module::read(path, &text)).flatten();
            self.packages.extend(module);
        }
        if let Some(language) = language {
            let heirs = self.heirs.entry(language.kin()).or_default();
            heirs.read(language, &text);
        }
        if words(&text, name).next().is_none() {
            return;
        }
        let parsed = language.and_then(|language| {
            let parsed = parse(language, text.as_bytes(), cancel)?;
            Some((language, parsed))
        });
        let path = path.to_owned();
        match parsed {
            Some((language, parsed)) => self.sources.push(Source {
                path,
                text,
                language,
                parsed,
            }),
            None => self.others.push(Other { path, text }),
        }
    }
}

/// Reads the names under which a package is known to others.
fn package_names(file: &str, text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        match file {
            "Cargo.toml" => {
                if let Some((key, value)) = line.split_once('=')
                    && key.trim() == "name"
                {
                    names.push(value.trim().trim_matches('"').replace('-', "_"));
                }
            }
            "go.mod" => {
                if let Some(module) = line.strip_prefix("module ") {
                    names.extend(module.rsplit('/').next().map(str::to_owned));
                }
            }
            _ => {}
        }
    }
    names
}

/// Finds the places where a word stands alone.
pub(super) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.match_indices(word).filter_map(move |(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(is_part);
        let after = text[at + word.len()..].chars().next().is_some_and(is_part);
        (!before && !after).then_some(at)
    })
}
