//! How a server in a container is started: the one place that says it, for who starts it before a session is sealed and
//! for the session, which shows it.

use std::path::{Path, PathBuf};

use crate::mcp::config::{Definition, Reach};
use crate::mcp::container::{RUNTIMES, Run};
use crate::sandbox::launchable;

/// A server's start in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contained {
    /// The runtime's command line.
    pub argv: Vec<String>,
    /// The variables that are handed on.
    pub env: Vec<(String, String)>,
    pub(super) runtime: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) read: Vec<PathBuf>,
}

/// Finds the program that runs containers on this machine.
pub fn container_runtime() -> Option<PathBuf> {
    RUNTIMES
        .iter()
        .find_map(|name| launchable(name, Path::new("/")))
}

/// Says how a server is started that the user put into a container; `None` for any other.
///
/// # Errors
/// When there is no runtime, or what is configured cannot be said to one.
pub fn container_argv(
    definition: &Definition,
    roots: &[PathBuf],
) -> Option<Result<Contained, String>> {
    let Ok(Reach::Stdio {
        argv,
        env,
        folder,
        read,
        write,
        container: Some(container),
        ..
    }) = &definition.reach
    else {
        return None;
    };
    let Some(runtime) = container_runtime() else {
        return Some(Err(
            "there is neither `podman` nor `docker` on the PATH to run its container".to_owned(),
        ));
    };
    let mut reads = roots.to_vec();
    reads.extend(read.iter().cloned());
    // What can be written is not mounted a second time to be read.
    reads.retain(|path| !write.contains(path));
    let root = roots.first().map_or(Path::new("/tmp"), PathBuf::as_path);
    let folder = folder
        .as_ref()
        .map_or_else(|| root.to_owned(), |folder| root.join(folder));
    let names: Vec<String> = env.iter().map(|(name, _)| name.clone()).collect();
    let user = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    let argv = Run {
        runtime: &runtime,
        container,
        read: &reads,
        write,
        env: &names,
        folder: &folder,
        user,
        command: argv,
    }
    .argv();
    Some(argv.map(|argv| Contained {
        argv,
        env: env.clone(),
        runtime,
        folder,
        read: reads,
    }))
}
