//! The seal: what this very process gives up before it starts its first thread, for itself and for all that it starts.
//!
//! The process that holds the code and the model has no way to a network: it cannot make a socket of any family, nor
//! get one by `io_uring`, by another process's descriptors or by another table of system calls. It reaches the files
//! of its roots and of walden, and reads the system's. What the kernel cannot enforce is said ([`Sealed::weaker`]), in
//! the status bar and on standard error, and refused where the user asked for all or nothing.

#![expect(unsafe_code, reason = "descriptors that others opened")]
#![expect(
    clippy::disallowed_methods,
    reason = "looks at this process's own threads"
)]

use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use super::files::{self, Grants, Ports};
use super::filter::{self, Sockets};
use super::{Metadata, SandboxError, kernel};

/// What a process keeps. Everything else is refused by the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    pub files: Files,
    pub network: Network,
}

/// The files that a sealed process reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Files {
    /// These, and what programs need of the system.
    Kept {
        /// How many of `write` are the user's roots, as the status bar counts them.
        roots: usize,
        /// Files and folders that can be read and executed.
        read: Vec<PathBuf>,
        /// Files and folders that can be read, executed and changed.
        write: Vec<PathBuf>,
    },
    /// All that the user reaches: what is needed is not known before a client says it.
    Free,
}

/// What a sealed process has of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Nothing.
    Off,
    /// Nothing itself; another process connects to so many addresses for it.
    Broker(usize),
    /// Sockets: it serves others over HTTP.
    Open,
}

/// What is enforced now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    roots: usize,
    files: Bound,
    calls: Bound,
    network: Network,
    as_root: bool,
    landlock: Option<u32>,
}

/// Whether something is enforced.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Bound {
    Enforced,
    /// It was not asked for.
    Free,
    /// The kernel cannot.
    Failed(String),
}

/// The seal of this process. It is set once and never taken back, as the kernel's is.
static SEALED: OnceLock<Sealed> = OnceLock::new();

/// The terminal. Others of the same user are not granted: what is written to them is executed by nobody, but shown.
const TERMINAL: &str = "/dev/tty";

/// What the drivers of graphics cards talk to.
const GRAPHICS: &[&str] = &["/dev/dri", "/dev/kfd", "/dev/shm"];

/// Seals this process, for ever. `kept` are descriptors that stay open besides the standard three.
///
/// # Errors
/// When it has threads already, which Landlock would not bound, or when privileges cannot be given up at all. What the
/// kernel cannot enforce is no error: [`Sealed::weaker`] says it.
pub fn seal(seal: &Seal, kept: &[i32]) -> Result<&'static Sealed, SandboxError> {
    let failed =
        |what: &str, error: rustix::io::Errno| SandboxError::Prepare(format!("{what}: {error}"));
    if threads() > 1 {
        return Err(SandboxError::Prepare(
            "it has threads already, which would stay free".to_owned(),
        ));
    }
    close_others(kept);
    rustix::thread::set_no_new_privs(true).map_err(|error| failed("privileges", error))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| failed("its memory", error))?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(|error| failed("core dumps", error))?;
    let as_root = rustix::process::geteuid().is_root();
    super::confine::give_up_capabilities()?;
    let landlock = kernel::kernel().landlock;
    let (files, roots) = match &seal.files {
        Files::Free => (Bound::Free, 0),
        Files::Kept { roots, read, write } => (bound_files(read, write, seal.network), *roots),
    };
    let sockets = match seal.network {
        Network::Off | Network::Broker(_) => Sockets::Refused,
        Network::Open => Sockets::Allowed,
    };
    let sealed = Sealed {
        roots,
        files,
        calls: Bound::from(filter::install(Metadata::Free, sockets)),
        network: seal.network,
        as_root,
        landlock,
    };
    Ok(SEALED.get_or_init(|| sealed))
}

/// Returns the seal of this process, if it has one.
pub fn sealed() -> Option<&'static Sealed> {
    SEALED.get()
}

/// Says on a line what is enforced in this process, for the status bar.
pub fn enforced() -> String {
    SEALED
        .get()
        .map_or_else(|| "not sealed".to_owned(), Sealed::line)
}

impl Sealed {
    /// Says on a line what is enforced: `sealed · net off · 1 root`.
    pub fn line(&self) -> String {
        let mut parts = Vec::new();
        let net = match (&self.calls, self.network) {
            (Bound::Failed(_) | Bound::Free, _) => "net not sealed".to_owned(),
            (_, Network::Off) => "net off".to_owned(),
            (_, Network::Broker(1)) => "net: 1 address".to_owned(),
            (_, Network::Broker(count)) => format!("net: {count} addresses"),
            (_, Network::Open) => "net open".to_owned(),
        };
        let sealed = match (&self.files, &self.calls) {
            (Bound::Enforced, Bound::Enforced) if self.as_root => "sealed, as root",
            (Bound::Enforced, Bound::Enforced) => "sealed",
            (Bound::Free, Bound::Enforced) => "files as the client says",
            (Bound::Failed(_), Bound::Enforced) => "FILES NOT SEALED",
            (Bound::Enforced, _) => "files sealed",
            (_, _) => "NOT SEALED",
        };
        parts.push(sealed.to_owned());
        parts.push(net);
        if self.files == Bound::Enforced {
            parts.push(match self.roots {
                1 => "1 root".to_owned(),
                count => format!("{count} roots"),
            });
        }
        parts.join(" · ")
    }

    /// Tells whether the kernel enforces all that was asked of it.
    pub fn is_whole(&self) -> bool {
        let failed = |bound: &Bound| matches!(bound, Bound::Failed(_));
        !failed(&self.files) && !failed(&self.calls)
    }

    /// Says which promises are weaker here than they are elsewhere, a sentence each. Empty where all hold.
    pub fn weaker(&self) -> Vec<String> {
        let mut said = Vec::new();
        if let Bound::Failed(problem) = &self.files {
            said.push(format!(
                "Files outside the roots are not out of reach: {problem}."
            ));
        }
        if let Bound::Failed(problem) = &self.calls {
            said.push(format!("The network is not out of reach: {problem}."));
        }
        if self.files == Bound::Enforced {
            match self.landlock {
                Some(version) if version < 6 => said.push(format!(
                    "This kernel's Landlock (version {version}) does not keep signals in: walden could end other \
                     programs of yours. Linux 6.12 or later does."
                )),
                _ => {}
            }
        }
        if self.as_root {
            said.push(
                "walden runs as root: system files that only root reads (such as /etc/shadow) can be read, and modes \
                 and times of any file can be changed. Start it as a user for the whole promise."
                    .to_owned(),
            );
        }
        said
    }
}

impl From<Result<(), SandboxError>> for Bound {
    fn from(result: Result<(), SandboxError>) -> Self {
        match result {
            Ok(()) => Self::Enforced,
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}

fn bound_files(read: &[PathBuf], write: &[PathBuf], network: Network) -> Bound {
    let graphics = graphics();
    let mut devices = vec![Path::new(TERMINAL)];
    devices.extend(graphics.iter().map(PathBuf::as_path));
    let grants = Grants {
        read: read.iter().map(PathBuf::as_path).collect(),
        write: write.iter().map(PathBuf::as_path).collect(),
        devices,
        ports: match network {
            Network::Open => Ports::Allowed,
            Network::Off | Network::Broker(_) => Ports::Refused,
        },
    };
    Bound::from(files::restrict(&grants))
}

/// Finds the devices of graphics cards, where this program was built to compute on them.
fn graphics() -> Vec<PathBuf> {
    if !cfg!(any(feature = "cuda", feature = "vulkan")) {
        return Vec::new();
    }
    let nvidia = std::fs::read_dir("/dev")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("nvidia"))
        .map(|entry| entry.path());
    GRAPHICS.iter().map(PathBuf::from).chain(nvidia).collect()
}

/// Takes over a pipe that whoever started this process left open for it, and closes it in what this process starts.
/// `None` where there is no such pipe.
pub fn inherited_pipe(descriptor: i32) -> Option<OwnedFd> {
    use rustix::fs::FileType;
    if descriptor < 3 {
        return None;
    }
    // SAFETY: the descriptor is only asked what it is; a wrong number is answered with an error.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let found = rustix::fs::fstat(borrowed).ok()?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Fifo {
        return None;
    }
    rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC).ok()?;
    // SAFETY: it is open, it was left for this process, and whoever calls this takes each number once.
    Some(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Counts the threads of this process; one where the system does not say.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

/// Closes what whoever started this process left open: an open socket would be a way around everything else.
pub fn close_others(kept: &[i32]) {
    let mut kept: Vec<u32> = kept
        .iter()
        .filter_map(|descriptor| u32::try_from(*descriptor).ok())
        .filter(|descriptor| *descriptor > 2)
        .collect();
    kept.sort_unstable();
    let mut first = 3;
    for descriptor in kept.into_iter().chain([u32::MAX]) {
        if let Some(last) = descriptor.checked_sub(1).filter(|last| *last >= first) {
            // SAFETY: this runs before anything is opened but what is kept, so nobody uses what is closed.
            unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        }
        first = descriptor.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> Sealed {
        Sealed {
            roots: 1,
            files: Bound::Enforced,
            calls: Bound::Enforced,
            network: Network::Off,
            as_root: false,
            landlock: Some(7),
        }
    }

    #[test]
    fn the_line_says_what_is_enforced_and_no_more() {
        let check = |sealed: Sealed, line: &str, weaker: usize| {
            assert_eq!(
                (sealed.line().as_str(), sealed.weaker().len()),
                (line, weaker)
            );
        };
        let failed = || Bound::Failed("no".to_owned());
        check(sealed(), "sealed · net off · 1 root", 0);
        let roots = Sealed {
            roots: 2,
            network: Network::Broker(3),
            ..sealed()
        };
        check(roots, "sealed · net: 3 addresses · 2 roots", 0);
        let no_landlock = Sealed {
            files: failed(),
            landlock: None,
            ..sealed()
        };
        check(no_landlock, "FILES NOT SEALED · net off", 1);
        let no_seccomp = Sealed {
            calls: failed(),
            ..sealed()
        };
        check(no_seccomp, "files sealed · net not sealed · 1 root", 1);
        let nothing = Sealed {
            files: failed(),
            calls: failed(),
            ..sealed()
        };
        check(nothing, "NOT SEALED · net not sealed", 2);
        let root = Sealed {
            as_root: true,
            ..sealed()
        };
        check(root, "sealed, as root · net off · 1 root", 1);
        let old = Sealed {
            landlock: Some(3),
            ..sealed()
        };
        check(old, "sealed · net off · 1 root", 1);
    }

    #[test]
    fn a_process_with_threads_is_not_sealed_by_halves() {
        // The test harness itself has threads: nothing is given up here.
        let seal = seal(
            &Seal {
                files: Files::Free,
                network: Network::Off,
            },
            &[],
        );
        assert!(seal.is_err() && super::sealed().is_none());
    }
}
