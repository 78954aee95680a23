//! What a program that walden starts may do: files, sockets, system calls, memory.
//!
//! A child is started through a helper, which confines itself and then becomes the child: nothing is done between fork
//! and exec, and what confines is what was tested. The helper is a program of four kilobytes without a library
//! (`small`), and where that cannot be started this very program under another name ([`HELPER`]). Landlock bounds
//! the files, seccomp refuses sockets of every family, io_uring, tracing and namespaces, and limits bound memory,
//! files and processor time. What the kernel cannot enforce is an error, never a weaker sandbox.
//!
//! Landlock is documented in `landlock(7)`, the filters in `seccomp(2)`. What neither stops: `stat` of files that
//! cannot be read, and, where [`Metadata::Free`] is given, `chmod` and `utimes` of the user's own files elsewhere.

mod confine;
mod files;
mod filter;
pub mod kernel;
mod launch;
mod probe;
mod prove;
mod seal;
mod small;
mod toolchain;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use confine::{HELPER, REFUSED, help};
pub use launch::{Launcher, launchable};
pub use prove::{Proof, Verdict, probe, probe_sealed, prove};
pub use seal::{
    Files, Network, Seal, Sealed, close_others, enforced, inherited_pipe, seal, sealed,
};
pub use toolchain::{chosen, installation, is_common, program_folders};

/// What a child may do. Everything else is refused by the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Files and folders that can be read and executed, besides the system's.
    pub read: Vec<PathBuf>,
    /// Files and folders that can be read, executed and changed.
    pub write: Vec<PathBuf>,
    /// The child's own folder: its `HOME` and `TMPDIR`, which it can write.
    pub scratch: PathBuf,
    pub metadata: Metadata,
    pub limits: Limits,
    /// What is done where the kernel cannot enforce this.
    #[serde(default)]
    pub lacking: Lacking,
}

/// What becomes of a child where the kernel lacks what confines it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lacking {
    /// It is not started.
    #[default]
    Refused,
    /// It is started with what can be enforced: the user accepted that, of this one by its name.
    Accepted,
}

/// Whether `chmod`, `utimes`, `setxattr` and their kin work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Metadata {
    /// They are refused everywhere: Landlock does not bound them, so that a child could change the mode of any file
    /// of the user.
    Kept,
    /// They work: compilers and package managers need them.
    Free,
}

/// What bounds a child's appetite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Seconds of processor time for each process.
    pub cpu_seconds: u64,
    /// Bytes of data for each process; 0 for no limit.
    pub memory: u64,
    /// The largest file that can be written, in bytes.
    pub file_size: u64,
    /// Open files for each process.
    pub files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu_seconds: 600,
            memory: 2 << 30,
            file_size: 2 << 30,
            files: 1024,
        }
    }
}

/// Why a child was not started.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("there is no program `{0}` on the PATH")]
    NoProgram(String),
    #[error("the command is empty")]
    NoCommand,
    #[error("this kernel cannot bound files (Landlock with ABI 3 or later is needed): {0}")]
    Files(String),
    #[error("this kernel cannot filter system calls: {0}")]
    Filter(String),
    #[error("cannot prepare the sandbox: {0}")]
    Prepare(String),
}
