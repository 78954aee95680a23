//! Whether a check could be run, without running anything: a repository that was only opened starts no program.

#![expect(
    clippy::disallowed_methods,
    reason = "looks into the folders of the system's programs"
)]

use std::path::{Path, PathBuf};

use crate::sandbox::launchable;

/// How many links of a program are followed.
const LINKS: usize = 8;

/// Tells whether a program is there, or (`python3 -m NAME`) a module of Python's: it is looked for where Pythons keep
/// their packages. One that lies elsewhere has to be named (`check` in the configuration).
pub fn has(what: &str) -> bool {
    let nowhere = Path::new("/");
    let Some((python, module)) = what.split_once(" -m ") else {
        return launchable(what, nowhere).is_some();
    };
    let Some(python) = launchable(python, nowhere) else {
        return false;
    };
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local"));
    let mut prefixes = prefixes_of(&python);
    prefixes.extend(home);
    prefixes
        .iter()
        .any(|prefix| holds(&prefix.join("lib"), module))
}

/// Names what a Python is installed in, through its links; a chooser of versions has several.
fn prefixes_of(python: &Path) -> Vec<PathBuf> {
    let mut prefixes = Vec::new();
    let mut at = python.to_owned();
    for _ in 0..LINKS {
        if let Some(prefix) = at.parent().and_then(Path::parent) {
            prefixes.extend(entries(&prefix.join("versions")));
            prefixes.push(prefix.to_owned());
            if prefix == Path::new("/usr") {
                prefixes.push(PathBuf::from("/usr/local"));
            }
        }
        match at.read_link() {
            Ok(target) => {
                at = at
                    .parent()
                    .map_or(target.clone(), |folder| folder.join(target));
            }
            Err(_) => break,
        }
    }
    prefixes
}

/// Tells whether a library folder holds a module: one of Python's own, or a package.
fn holds(library: &Path, module: &str) -> bool {
    entries(library).iter().any(|python| {
        let is_python = python
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("python3"));
        is_python
            && ["", "site-packages", "dist-packages"]
                .iter()
                .any(|folder| python.join(folder).join(module).is_dir())
    })
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_found_where_pythons_keep_theirs() {
        let dir = tempfile::tempdir().expect("a folder");
        let packages = dir.path().join("venv/lib/python3.12/site-packages");
        std::fs::create_dir_all(packages.join("pytest")).expect("made");
        let chosen = dir
            .path()
            .join("chooser/versions/3.11/lib/python3.11/unittest");
        std::fs::create_dir_all(chosen).expect("made");
        let check = |python: &str, module: &str, expected: bool| {
            let prefixes = prefixes_of(&dir.path().join(python));
            let found = prefixes
                .iter()
                .any(|prefix| holds(&prefix.join("lib"), module));
            assert_eq!(found, expected, "{python} -m {module}");
        };
        check("venv/bin/python3", "pytest", true);
        check("venv/bin/python3", "unittest", false);
        check("chooser/shims/python3", "unittest", true);
        check("elsewhere/bin/python3", "pytest", false);
    }
}
