//! The servers that are not part of walden: which there are, and the host that looks after them.

mod command;
mod edit;
#[cfg(feature = "net")]
mod narrowed;
#[cfg(feature = "net")]
mod remote;

pub use command::mcp;
#[cfg(feature = "net")]
pub(super) use remote::wire;

use std::path::{Path, PathBuf};

use crate::config;
use crate::error::UserError;
use crate::mcp::config::{Definition, Reach, Source, read};
use crate::mcp::pins::Pins;
use crate::mcp::{
    Attended, Choices, Eras, Host, Options, Reload, TaskBook, program_reads, repository_reads,
};
use crate::sandbox::{Launcher, launchable, program_folders};
use crate::session::SessionFiles;
use crate::workspace::Roots;

/// How third-party servers are treated in a run.
pub(super) struct Treatment<'a> {
    pub(super) attended: Attended,
    /// Servers that are used without having been agreed to.
    pub(super) trusted: &'a [String],
}

/// The configured servers, and what is wrong with the files that configure them.
pub(super) struct Configured {
    pub(super) definitions: Vec<Definition>,
    pub(super) problems: Vec<String>,
}

/// Returns the user's file of servers.
pub(super) fn user_file() -> Option<PathBuf> {
    config::folder().map(|folder| folder.join("mcp.json"))
}

/// Reads the user's servers and those that a repository wishes for. Nothing is started by it.
pub(super) fn configured(root: &Path) -> Configured {
    let mut found = Configured {
        definitions: Vec::new(),
        problems: Vec::new(),
    };
    let variable = |name: &str| std::env::var(name).ok();
    let project = (root.join(".mcp.json"), Source::Project(root.to_owned()));
    let files = user_file()
        .map(|path| (path, Source::User))
        .into_iter()
        .chain([project]);
    for (path, source) in files {
        let text = match source {
            Source::Project(_) => of_project(root),
            _ => of_user(&path),
        };
        let text = match text {
            Ok(Some(text)) => text,
            Ok(None) => continue,
            Err(error) => {
                let problem = format!("cannot read `{}`: {error}", path.display());
                found.problems.push(problem);
                continue;
            }
        };
        match read(&text, &source, &variable) {
            Ok(definitions) => {
                for definition in definitions {
                    let known = |other: &Definition| other.name == definition.name;
                    if found.definitions.iter().any(known) {
                        found.problems.push(format!(
                            "the repository's server `{}` is not used: you have one of that name",
                            definition.name
                        ));
                        continue;
                    }
                    found.definitions.push(definition);
                }
            }
            Err(problem) => {
                let problem = format!("`{}` is not understood: {problem}", path.display());
                found.problems.push(problem);
            }
        }
    }
    if let Ok(files) = SessionFiles::open() {
        let choices = choices(&files);
        for definition in &mut found.definitions {
            if let Some(chosen) = choices.disabled(&definition.key()) {
                definition.disabled = chosen;
            }
        }
    }
    found
}

fn of_user(path: &Path) -> Result<Option<String>, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads a repository's file of servers, which may be a link: one that leads outside is not followed.
fn of_project(root: &Path) -> Result<Option<String>, String> {
    let roots = Roots::open(&[root.to_owned()]).map_err(|error| error.to_string())?;
    let file = roots
        .read_if_there(".mcp.json")
        .map_err(|error| error.to_string())?;
    file.map(|file| String::from_utf8(file.bytes))
        .transpose()
        .map_err(|error| error.to_string())
}

/// Returns the folder that holds what is kept of servers.
fn folder(files: &SessionFiles) -> PathBuf {
    files
        .log()
        .parent()
        .unwrap_or_else(|| Path::new("."))
        .join("mcp")
}

/// Opens what the user agreed to.
pub(super) fn pins(files: &SessionFiles, trusted: &[String]) -> Result<Pins, UserError> {
    Pins::open(folder(files).join("pins.json"), trusted.to_vec()).map_err(|error| {
        UserError::failure(error.to_string())
            .hint("look at the file; without it you are asked about every server again")
    })
}

/// Opens what the user chose in sessions.
pub(super) fn choices(files: &SessionFiles) -> Choices {
    Choices::open(folder(files).join("choices.json"))
}

/// Reads the configuration again when one of its files is another one. It is looked at when something is asked of
/// walden, so that an idle session stays idle.
fn reload(root: &Path) -> Reload {
    let root = root.to_owned();
    let mut seen = stamps(&root);
    Box::new(move || {
        let now = stamps(&root);
        if seen == now {
            return None;
        }
        seen = now;
        let Configured {
            definitions,
            problems,
        } = configured(&root);
        Some((definitions, problems))
    })
}

/// Tells the files of servers apart from what they were: when each was written, and its size.
fn stamps(root: &Path) -> Vec<Option<(std::time::SystemTime, u64)>> {
    let files = user_file().into_iter().chain([root.join(".mcp.json")]);
    files
        .map(|path| {
            let file = path.symlink_metadata().ok()?;
            Some((file.modified().ok()?, file.len()))
        })
        .collect()
}

/// Starts to look after these servers.
pub(super) fn host(
    definitions: Vec<Definition>,
    root: &Path,
    files: &SessionFiles,
    treatment: &Treatment<'_>,
) -> Result<Host, UserError> {
    let options = Options {
        attended: treatment.attended,
        roots: vec![root.to_owned()],
        launcher: Launcher::of_this_program().map_err(UserError::from_error)?,
        scratch: folder(files).join("scratch"),
        pins: pins(files, treatment.trusted)?,
        #[cfg(feature = "net")]
        remote: Some(std::sync::Arc::new(remote::Remotes::new(files))),
        #[cfg(not(feature = "net"))]
        remote: None,
        containers: Some(super::containing::starter()),
        choices: choices(files),
        tasks: TaskBook::open(folder(files).join("tasks")),
        eras: Eras::open(folder(files).join("eras.json")),
        reload: Some(reload(root)),
    };
    Ok(Host::with(definitions, options))
}

/// Returns what third-party servers need to read and may write besides the repository. A repository's own wishes count
/// once the user has agreed to them: until then its servers are not started, and open nothing.
pub(super) fn reach(root: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let mut reads = Vec::new();
    let mut writes = Vec::new();
    let agreed = SessionFiles::open()
        .ok()
        .and_then(|files| pins(&files, &[]).ok());
    let home = std::env::var_os("HOME").map(PathBuf::from);
    for definition in configured(root).definitions {
        let is_pinned = agreed
            .as_ref()
            .is_some_and(|pins| pins.get(&definition.key()).is_some());
        // One that is left out can be taken in while the session runs, where the user agreed to it before.
        let is_agreed = match definition.source {
            Source::User => is_pinned || !definition.disabled,
            Source::Project(_) => is_pinned,
        };
        let Ok(Reach::Stdio {
            argv,
            folder,
            read,
            write,
            container,
            ..
        }) = definition.reach
        else {
            continue;
        };
        if !is_agreed {
            continue;
        }
        if container.is_some() {
            // Its runtime is started by another process, which reaches what it needs.
            continue;
        }
        let folder = folder.map_or_else(|| root.to_owned(), |folder| root.join(folder));
        if let Some(program) = launchable(&argv[0], &folder) {
            match definition.source {
                Source::User => reads.extend(program_reads(&argv, &folder, &program)),
                Source::Project(_) => {
                    let roots = [root.to_owned()];
                    let Ok(needed) = repository_reads(&argv, &folder, &program, &roots) else {
                        // It is not started, and says why.
                        continue;
                    };
                    reads.extend(needed.granted);
                }
            }
            reads.extend(program_folders(&program, home.as_deref()));
        }
        reads.extend(read);
        writes.extend(write);
    }
    (reads, writes)
}
