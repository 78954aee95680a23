//! Servers that run in a container: what the runtime is told, and who starts it.
//!
//! A container is what its runtime makes of a command line, so the command line grants nothing by default: no network, no
//! privileges, nothing that can be written but its own passing files, and of the host the repository alone, to read.
//! Images are never fetched: the user has them or the server does not start.

use std::path::{Path, PathBuf};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::Child;
use tokio::sync::watch;

/// The container that the user put a server into, under `sandbox` in its entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    pub image: String,
    /// It has what network the runtime gives it, instead of none.
    pub network: bool,
}

/// The programs that run containers, the preferred one first.
pub(super) const RUNTIMES: &[&str] = &["podman", "docker"];

/// Variables that a runtime's own program needs; nothing of them reaches the container.
pub const RUNTIME_VARIABLES: &[&str] = &[
    "PATH",
    "HOME",
    "LANG",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "DOCKER_HOST",
    "DOCKER_CONFIG",
    "CONTAINER_HOST",
];

/// What a container may use of the machine.
const MEMORY: &str = "2g";
const PROCESSES: &str = "256";
const FILES: &str = "4096";
const THREADS: &str = "4096";

/// Folders that are the host itself: whoever has them needs no way out any more.
const NEVER: &[&str] = &[
    "/", "/proc", "/sys", "/dev", "/run", "/var/run", "/etc", "/boot",
];

/// A server's start in a container.
#[derive(Debug)]
pub(super) struct Run<'a> {
    /// The runtime's program.
    pub runtime: &'a Path,
    pub container: &'a Container,
    /// Folders and files that can be read, and those that can be written; each under its own path.
    pub read: &'a [PathBuf],
    pub write: &'a [PathBuf],
    /// Names of variables that are handed on.
    pub env: &'a [String],
    /// Where the command works.
    pub folder: &'a Path,
    /// The user and the group that it runs as.
    pub user: (u32, u32),
    /// The command and its arguments; the image's own where it is empty.
    pub command: &'a [String],
}

impl Run<'_> {
    /// Writes the runtime's command line.
    ///
    /// # Errors
    /// When a part of it could be read as something else, or would grant the host itself.
    pub(super) fn argv(&self) -> Result<Vec<String>, String> {
        check_image(&self.container.image)?;
        let is_podman = self
            .runtime
            .file_name()
            .is_some_and(|name| name == "podman");
        let mut argv = vec![self.runtime.display().to_string()];
        let mut add = |words: &[&str]| argv.extend(words.iter().map(|word| (*word).to_owned()));
        add(&[
            "run",
            "--rm",
            "--interactive",
            "--pull=never",
            "--log-driver=none",
        ]);
        if !self.container.network {
            add(&["--network=none"]);
        }
        add(&["--read-only", "--tmpfs=/tmp:rw,nosuid,nodev,size=256m"]);
        add(&["--cap-drop=all", "--security-opt=no-new-privileges"]);
        let (user, group) = match self.user {
            // Nobody: an administrator's rights are not handed on.
            (0, _) => (65_534, 65_534),
            user => user,
        };
        if is_podman && self.user.0 != 0 {
            // Otherwise the numbers in there are other users' out here, who cannot read the repository.
            add(&["--userns=keep-id"]);
        }
        add(&[&format!("--user={user}:{group}")]);
        add(&[
            &format!("--memory={MEMORY}"),
            &format!("--pids-limit={PROCESSES}"),
            &format!("--ulimit=nofile={FILES}:{FILES}"),
        ]);
        if is_podman && self.user.0 == 0 {
            // It asks for a million otherwise, which an administrator with fewer rights than usual cannot give.
            add(&[&format!("--ulimit=nproc={THREADS}:{THREADS}")]);
        }
        for (paths, end) in [(self.read, ",readonly"), (self.write, "")] {
            for path in paths {
                let path = mountable(path)?;
                add(&[&format!(
                    "--mount=type=bind,source={path},target={path}{end}"
                )]);
            }
        }
        add(&["--env=HOME=/tmp"]);
        for name in self.env {
            let is_name =
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !is_name {
                return Err(format!(
                    "`{}` is no name of a variable",
                    super::text::short(name, 60)
                ));
            }
            // By its name alone: a value in an argument can be read by every program of this machine.
            add(&[&format!("--env={name}")]);
        }
        add(&[
            &format!("--workdir={}", mountable(self.folder)?),
            &self.container.image,
        ]);
        argv.extend(self.command.iter().cloned());
        Ok(argv)
    }
}

/// Refuses what is no image's name: an option would come before it.
pub(super) fn check_image(image: &str) -> Result<(), String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let begins = image.starts_with(|c: char| c.is_ascii_alphanumeric());
    match begins && image.len() <= 300 && image.chars().all(is_part) {
        true => Ok(()),
        false => Err(format!(
            "`sandbox.container` is `{}`, which is no name of an image",
            super::text::short(image, 80)
        )),
    }
}

fn mountable(path: &Path) -> Result<&str, String> {
    let shown = super::text::short(&path.display().to_string(), 200);
    let text = path
        .to_str()
        .filter(|text| !text.contains([',', '"', '\n', '\r', '\0']))
        .ok_or_else(|| format!("`{shown}` cannot be named to a container's runtime"))?;
    if !path.is_absolute() || text.split('/').any(|part| part == "..") {
        return Err(format!("`{shown}` is no whole path"));
    }
    if NEVER.contains(&text.trim_end_matches('/')) || text.trim_end_matches('/').is_empty() {
        return Err(format!(
            "`{shown}` is the host itself, which no container is given"
        ));
    }
    Ok(text)
}

/// Starts containers' runtimes: they need what a sealed session has not, so that somebody else does it.
pub trait StartContainer: Send + Sync {
    /// Starts a server's runtime with a command line. The error is one line that says what failed and what to do.
    ///
    /// # Errors
    /// When it cannot be started from here.
    fn start(
        &self,
        server: &str,
        argv: &[String],
        env: &[(String, String)],
    ) -> Result<Started, String>;
}

/// A server that was started. It is ended when this is dropped.
pub struct Started {
    pub input: Box<dyn AsyncWrite + Send + Unpin>,
    pub output: Box<dyn AsyncRead + Send + Unpin>,
    pub errors: Box<dyn AsyncRead + Send + Unpin>,
    pub life: Life,
}

/// Who ends a server that was started, and tells its end.
pub enum Life {
    /// It is a child of this process.
    Child(Box<Child>),
    /// Another process has it.
    Kept {
        /// How it ended, in words.
        exited: watch::Receiver<Option<String>>,
        /// It is ended when this is dropped.
        held: Box<dyn Send + Sync>,
    },
}

#[cfg(test)]
#[path = "tests/container.rs"]
mod tests;
