//! Where the programs of a command live: the folders that they need to read, beyond the system's.

use std::path::{Path, PathBuf};

/// Folders of the user's home that hold programs and packages and no secrets. `~/.cargo` itself is not among them: it
/// may hold a registry's token.
const IN_HOME: &[&str] = &[
    ".rustup",
    ".cargo/bin",
    ".cargo/registry",
    ".cargo/git",
    ".cargo/config.toml",
    ".pyenv",
    ".local/lib",
    ".local/bin",
    ".local/share/uv",
    ".local/share/mise",
    ".asdf",
    ".nvm",
    ".volta",
    ".bun",
    ".deno/bin",
    "go",
    ".gradle/wrapper",
    ".m2/repository",
    ".sdkman/candidates",
];

/// Folders above which no prefix of a program is granted: they hold more than programs.
const TOO_WIDE: &[&str] = &[
    "/", "/home", "/root", "/tmp", "/var", "/var/tmp", "/mnt", "/media", "/srv",
];

/// Names the folders that a program needs to read: the toolchains in the user's home, and where the program itself is
/// installed (a virtual environment, say). What the program is a link to counts as well.
pub fn program_folders(program: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = home
        .into_iter()
        .flat_map(|home| IN_HOME.iter().map(|name| home.join(name)))
        .filter(|path| path.exists())
        .collect();
    folders.extend(along_links(program, home));
    folders.dedup();
    folders
}

/// Folders of the system, which every confined program reads.
const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/opt", "/nix/store"];

/// Tells whether every confined program reads a folder anyway: the system's and the toolchains'. The path is one without
/// links.
pub fn is_common(path: &Path, home: Option<&Path>) -> bool {
    let of_home = home.and_then(|home| home.canonicalize().ok());
    SYSTEM.iter().any(|system| path.starts_with(system))
        || of_home.is_some_and(|home| IN_HOME.iter().any(|name| path.starts_with(home.join(name))))
}

/// Names the folders in which a program, and the interpreter that its first line names, are installed, besides the
/// system's. What they are links to counts as well.
pub fn installation(program: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let mut folders = chosen(program, home);
    folders.retain(|folder| !SYSTEM.iter().any(|system| folder.starts_with(system)));
    folders.sort();
    folders.dedup();
    folders
}

/// Names every folder that a program's path, its links and its interpreter choose, the system's among them.
pub fn chosen(program: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let mut folders = along_links(program, home);
    if let Some(interpreter) = interpreter(program) {
        folders.extend(along_links(&interpreter, home));
    }
    folders
}

/// Reads the interpreter from a script's first line.
#[expect(
    clippy::disallowed_methods,
    reason = "looks at the program that a server is started by"
)]
fn interpreter(program: &Path) -> Option<PathBuf> {
    use std::io::Read as _;
    let mut head = Vec::new();
    let file = std::fs::File::open(program).ok()?;
    file.take(512).read_to_end(&mut head).ok()?;
    let line = head
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_whitespace();
    let first = Path::new(words.next()?);
    match first.file_name()?.to_str()? {
        // `env` finds the real one.
        "env" => super::launchable(words.find(|word| !word.starts_with('-'))?, Path::new("/")),
        _ => Some(first.to_owned()),
    }
}

/// Names the installations of a program and of what it is a link to.
fn along_links(program: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let mut at = program.to_owned();
    for _ in 0..8 {
        if let Some(prefix) = prefix_of(&at, home) {
            folders.push(prefix);
        }
        match at.read_link() {
            Ok(target) => {
                at = at
                    .parent()
                    .map_or(target.clone(), |folder| folder.join(target))
            }
            Err(_) => break,
        }
    }
    folders
}

/// Returns the folder that an installation of a program fills: the one above its `bin`. A program that lies elsewhere
/// gets its own file only.
fn prefix_of(program: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let folder = program.parent()?;
    let in_bin = folder
        .file_name()
        .is_some_and(|name| name == "bin" || name == "Scripts");
    let prefix = if in_bin {
        folder.parent()?
    } else {
        return Some(program.to_owned());
    };
    let wide = TOO_WIDE.iter().any(|wide| prefix == Path::new(wide)) || Some(prefix) == home;
    Some(if wide {
        program.to_owned()
    } else {
        prefix.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test lays its own files")]
    fn a_script_needs_what_its_first_line_names() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["one/bin", "two/bin"] {
            std::fs::create_dir_all(at(name)).expect("made");
        }
        let script = format!("#!{} -x\n", at("two/bin/runner").display());
        for (name, text) in [
            ("one/bin/tool", script.as_str()),
            ("two/bin/runner", "\x7fELF"),
        ] {
            std::fs::write(at(name), text).expect("written");
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(at(name), mode).expect("set");
        }
        assert_eq!(
            installation(&at("one/bin/tool"), None),
            [at("one"), at("two")]
        );
        assert_eq!(
            installation(&at("one/bin/tool"), Some(&at("one"))),
            [at("one/bin/tool"), at("two")]
        );
        assert!(installation(Path::new("/usr/bin/env"), None).is_empty());
    }

    #[test]
    fn a_virtual_environment_can_be_read_and_a_home_cannot() {
        let home = Path::new("/home/u");
        let check = |program: &str, expected: &str| {
            assert_eq!(
                prefix_of(Path::new(program), Some(home)),
                Some(PathBuf::from(expected))
            );
        };
        check("/home/u/venv/bin/python", "/home/u/venv");
        check("/home/u/bin/tool", "/home/u/bin/tool");
        check("/home/u/script.sh", "/home/u/script.sh");
        check("/bin/sh", "/bin/sh");
        check("/usr/bin/python3", "/usr");
    }
}
