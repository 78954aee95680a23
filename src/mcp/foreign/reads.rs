//! What a confined server has to read to run at all: its script with the packages around it, and the installation of
//! its program and of what runs it.

use std::path::{Path, PathBuf};

use crate::mcp::config::script_folders;
use crate::sandbox::{chosen, installation, is_common};

/// Lists the folders that a command line needs, besides the system's. `program` is the file that its first word is.
pub fn program_reads(argv: &[String], folder: &Path, program: &Path) -> Vec<PathBuf> {
    let exists = |path: &Path| path.exists();
    let mut reads = script_folders(argv, folder, &exists);
    // A program may be a script by another name, such as those in `node_modules/.bin`.
    if let Ok(real) = program.canonicalize() {
        let as_argument = [String::new(), real.display().to_string()];
        reads.extend(script_folders(&as_argument, folder, &exists));
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    for needed in installation(program, home.as_deref()) {
        if !reads.contains(&needed) {
            reads.push(needed);
        }
    }
    reads
}

/// What a server of a repository's own entry reads.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needed {
    pub granted: Vec<PathBuf>,
    /// What only the user can grant: it lies elsewhere.
    pub wished: Vec<PathBuf>,
}

/// Lists the folders that a command line of a repository's own entry needs, as far as a repository may name them: within
/// the roots, the system and the toolchains. A program that is found by its name alone is the user's choice.
///
/// # Errors
/// When the program itself leads elsewhere, by its path, a link or its first line.
pub fn repository_reads(
    argv: &[String],
    folder: &Path,
    program: &Path,
    roots: &[PathBuf],
) -> Result<Needed, String> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let roots: Vec<PathBuf> = roots
        .iter()
        .filter_map(|root| root.canonicalize().ok())
        .collect();
    let within = |path: &Path| {
        path.canonicalize().ok().filter(|real| {
            roots.iter().any(|root| real.starts_with(root)) || is_common(real, home.as_deref())
        })
    };
    let is_path = argv.first().is_some_and(|word| word.contains('/'));
    let elsewhere = |path: &PathBuf| within(path).is_none();
    if let Some(other) = chosen(program, home.as_deref()).into_iter().find(elsewhere)
        && is_path
    {
        return Err(format!(
            "its program leads to `{}`, outside of the repository; put the entry into your own configuration if that \
             is meant",
            crate::protocol::sanitize_line(&other.display().to_string())
        ));
    }
    let mut needed = Needed::default();
    let alone = argv.get(..1).unwrap_or_default();
    let of_program = program_reads(alone, folder, program);
    for path in program_reads(argv, folder, program) {
        match within(&path) {
            Some(real) => needed.granted.push(real),
            None if !is_path && of_program.contains(&path) => needed.granted.push(path),
            None => needed.wished.push(path),
        }
    }
    Ok(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test lays its own files")]
    fn a_repository_cannot_have_its_server_read_what_lies_elsewhere() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().canonicalize().expect("there").join(name);
        for (name, text) in [
            ("repo/tools/own.py", ""),
            ("repo/bin/script", "#!/usr/bin/env sh\n"),
            ("other/package.json", "{}"),
            ("other/lib/secret.py", ""),
            ("other/bin/tool", "#!/bin/sh\n"),
        ] {
            std::fs::create_dir_all(at(name).parent().expect("a parent")).expect("made");
            std::fs::write(at(name), text).expect("written");
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(at(name), mode).expect("set");
        }
        let by = format!("#!{}\n", at("other/bin/tool").display());
        std::fs::write(at("repo/bin/by_other"), by).expect("written");
        symlink(at("other"), at("repo/linked")).expect("a link");
        symlink("../../other/bin/tool", at("repo/bin/link")).expect("a link");
        let check = |argv: &[&str], program: &Path| {
            let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
            repository_reads(&argv, &at("repo"), program, &[at("repo")])
        };
        let sh = Path::new("/bin/sh");
        // Its own files are.
        let own = check(&["sh", "tools/own.py"], sh).expect("needed");
        assert!(own.wished.is_empty(), "{own:?}");
        assert!(own.granted.contains(&at("repo/tools")), "{own:?}");
        // By a whole path, a way up, a link of a folder.
        let whole = at("other/lib/secret.py").display().to_string();
        for argument in [&whole, "../other/lib/secret.py", "linked/lib/secret.py"] {
            let needed = check(&["sh", argument], sh).expect("needed");
            assert!(!needed.wished.is_empty(), "{argument}: {needed:?}");
            let is_other = |path: &PathBuf| path.starts_with(at("other"));
            assert!(
                !needed.granted.iter().any(is_other),
                "{argument}: {needed:?}"
            );
        }
        // And the program itself: a path, a link, the first line.
        let other = at("other/bin/tool").display().to_string();
        for program in [&other, "linked/bin/tool", "bin/link", "bin/by_other"] {
            let refused = check(&[program], &at("repo").join(program));
            assert!(refused.is_err(), "{program}: {refused:?}");
        }
        assert!(check(&["bin/script"], &at("repo/bin/script")).is_ok());
        assert!(check(&["/bin/sh"], sh).is_ok());
    }
}
