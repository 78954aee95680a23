//! Packages of Go: the path by which a folder is imported, and the name that it then has.

use super::imports::Known;
use super::modules::{Home, Leads};
use super::source::{Project, Source};

/// A module of Go: the folder of its `go.mod`, and the path that this gives it (Go Modules Reference, "module directive").
#[derive(Debug)]
pub(super) struct Module {
    folder: String,
    path: String,
}

impl Module {
    /// Reads the `go.mod` at this path.
    pub(super) fn read(file: &str, text: &str) -> Option<Self> {
        let given = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("module "))?;
        let path = given.split("//").next().unwrap_or(given).trim();
        let path = path.trim_matches(['"', '`']);
        (!path.is_empty()).then(|| Self {
            folder: folder(file).to_owned(),
            path: path.to_owned(),
        })
    }

    /// Returns the folder's path inside of the module, if it is there.
    fn inside<'a>(&self, folder: &'a str) -> Option<&'a str> {
        match folder.strip_prefix(&*self.folder)? {
            rest if self.folder.is_empty() || rest.is_empty() => Some(rest),
            rest => rest.strip_prefix('/'),
        }
    }
}

fn folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Returns the path by which the package of a file is imported, where a `go.mod` tells.
fn import_path(project: &Project, file: &str) -> Option<String> {
    let folder = folder(file);
    let inside = |module: &'_ Module| {
        let rest = module.inside(folder)?.to_owned();
        Some((module.folder.len(), module.path.clone(), rest))
    };
    let nearest = project.packages.iter().filter_map(inside);
    let (_, path, rest) = nearest.max_by_key(|(depth, ..)| *depth)?;
    Some(match rest.is_empty() {
        true => path,
        false => format!("{path}/{rest}"),
    })
}

/// Says whether an import leads to one of the places.
pub(super) fn leads(project: &Project, path: &str, target: &[Home]) -> Leads {
    let lead = |home: &Home| match (import_path(project, &home.file), folder(&home.file)) {
        (Some(known), _) if known == path => Leads::ToTarget,
        (Some(_), _) => Leads::Elsewhere,
        // Nothing says what comes before the folder, but something does.
        (None, "") if path.contains('.') => Leads::Unsure,
        (None, "") => Leads::Elsewhere,
        (None, folder) => match path.strip_suffix(folder) {
            Some(before) if before.ends_with('/') => Leads::ToTarget,
            _ => Leads::Elsewhere,
        },
    };
    let all: Vec<Leads> = target.iter().map(lead).collect();
    let order = [Leads::ToTarget, Leads::Unsure];
    let first = order.into_iter().find(|leads| all.contains(leads));
    first.unwrap_or(Leads::Elsewhere)
}

/// Guesses the name of a package from its path: without a version, as in `example.com/m/v2` and `gopkg.in/m.v2`.
pub(super) fn guessed_name(path: &str) -> &str {
    let is_version = |part: &str| {
        let number = part.strip_prefix('v');
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let mut parts = path.rsplit('/');
    let last = parts.next().unwrap_or(path);
    let last = match is_version(last) {
        true => parts.next().unwrap_or(last),
        false => last,
    };
    match last.rsplit_once('.') {
        Some((name, version)) if is_version(version) => name,
        _ => last,
    }
}

/// Gives the imports of the target's own package the name that its files say it has: a path may tell another.
pub(super) fn name_as_declared(modules: &mut [Known], project: &Project, target: &[Home]) {
    let homes = target.iter().filter_map(|home| {
        let source = |source: &&Source| source.path == home.file;
        declared_name(project.sources.iter().find(source)?)
    });
    let Some(name) = homes.into_iter().next() else {
        return;
    };
    for module in modules {
        if module.is_guessed && leads(project, &module.path, target) == Leads::ToTarget {
            module.name.clone_from(&name);
        }
    }
}

fn declared_name(source: &Source) -> Option<String> {
    let root = source.parsed.root();
    let mut cursor = root.walk();
    let clause = root
        .children(&mut cursor)
        .find(|node| node.kind() == "package_clause")?;
    Some(source.text[clause.named_child(0)?.byte_range()].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_imported_by_the_path_of_its_module_and_its_folder() {
        let mut project = Project::default();
        for (file, text) in [
            (
                "go.mod",
                "// the root\nmodule \"example.com/m/v2\" // its name\n\ngo 1.20\n",
            ),
            ("tools/go.mod", "module example.com/tools\n"),
        ] {
            project.packages.extend(Module::read(file, text));
        }
        let path = |file: &str| import_path(&project, file).expect("a path");
        assert_eq!(path("a.go"), "example.com/m/v2");
        assert_eq!(path("in/json/a.go"), "example.com/m/v2/in/json");
        assert_eq!(path("tools/a.go"), "example.com/tools");
        assert_eq!(path("tools/x/a.go"), "example.com/tools/x");
        assert_eq!(path("toolshed/a.go"), "example.com/m/v2/toolshed");
        assert!(Module::read("go.mod", "go 1.20\n").is_none());
    }

    #[test]
    fn a_path_tells_the_name_without_the_version() {
        for (path, name) in [
            ("errors", "errors"),
            ("example.com/m/v2", "m"),
            ("gopkg.in/yaml.v3", "yaml"),
            ("example.com/vault", "vault"),
            ("v2", "v2"),
        ] {
            assert_eq!(guessed_name(path), name);
        }
    }
}
