//! The small helper: what confines a child in place of walden itself, which takes longer to start.
//!
//! The program is `helper/program.rs`, compiled by `build.rs` and carried in this one. It is started from memory, where
//! nobody can exchange it, and does what the words of its command line say; the words are written here, from the very
//! lists that walden as its own helper uses. Where it cannot be started (another machine, a system that starts nothing
//! from memory) or the kernel lacks something, walden is its own helper, which knows how to say so.

#![expect(unsafe_code, reason = "nothing safe asks whether filters can be set")]

use std::ffi::OsString;
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use landlock::{ABI, Access as _, AccessFs, AccessNet, Scope};
use rustix::fs::{MemfdFlags, SealFlags};

use super::confine::{KEPT_AS_ROOT, REFUSED, limits};
use super::{Profile, SandboxError, files, filter, kernel};

/// The program; empty where it is not written for this machine.
static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/helper"));

/// The small helper, in memory.
pub(super) struct Small {
    file: OwnedFd,
    /// Tells whether the descriptor still is this file: closing what was inherited closes without asking.
    inode: u64,
    /// The rights that the kernel knows.
    abi: ABI,
}

/// Returns the small helper, where it can be started and the kernel enforces everything.
pub(super) fn small() -> Option<&'static Small> {
    static SMALL: OnceLock<Option<Small>> = OnceLock::new();
    let small = SMALL.get_or_init(Small::new).as_ref()?;
    let found = rustix::fs::fstat(&small.file).ok()?;
    (found.st_ino == small.inode).then_some(small)
}

impl Small {
    fn new() -> Option<Self> {
        if PROGRAM.is_empty() || !filters_can_be_set() {
            return None;
        }
        let abi = match kernel::kernel().landlock? {
            ..3 => return None,
            3 => ABI::V3,
            4 => ABI::V4,
            5 => ABI::V5,
            _ => files::KNOWN,
        };
        let file = in_memory().ok()?;
        let inode = rustix::fs::fstat(&file).ok()?.st_ino;
        let small = Self { file, inode, abi };
        small.starts().then_some(small)
    }

    /// Starts it for nothing: without words it says that it is a helper.
    fn starts(&self) -> bool {
        #[expect(clippy::disallowed_methods, reason = "the helper itself")]
        let tried = Command::new(self.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.code() == Some(REFUSED))
    }

    /// Returns where a child finds it, which has a copy of this process's descriptors until it becomes another.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// Writes what it is to do before it becomes the program, in the order that it reads.
    ///
    /// # Errors
    /// When the filters cannot be written.
    pub(super) fn words(&self, profile: &Profile) -> Result<Vec<OsString>, SandboxError> {
        let handled = AccessFs::from_all(self.abi);
        let mut settings = vec![
            handled.bits(),
            AccessNet::from_all(self.abi).bits(),
            Scope::from_all(self.abi).bits(),
            KEPT_AS_ROOT.bits(),
        ];
        settings.extend(limits(&profile.limits).map(|(_, most)| most));
        let settings: Vec<String> = settings.iter().map(u64::to_string).collect();
        let mut filters = Vec::new();
        for program in filter::programs(profile.metadata, filter::Sockets::Refused)? {
            filters.push(b',');
            for step in program {
                let [low, high] = step.code.to_ne_bytes();
                let [a, b, c, d] = step.k.to_ne_bytes();
                for byte in [low, high, step.jt, step.jf, a, b, c, d] {
                    // Nothing is written into memory that could not be.
                    let _ = write!(filters, "{byte:02x}");
                }
            }
        }
        let mut rules = Vec::new();
        for (path, rights) in files::of(profile).rules() {
            let rights = rights & handled;
            if let Some(rights) = files::fitting(path, rights) {
                let mut rule = format!("{}:", rights.bits()).into_bytes();
                rule.extend_from_slice(path.as_os_str().as_bytes());
                rules.push(OsString::from_vec(rule));
            }
        }
        let mut words = vec![
            OsString::from(settings.join(" ")),
            OsString::from_vec(filters),
            OsString::from(rules.len().to_string()),
        ];
        words.append(&mut rules);
        Ok(words)
    }
}

/// Lays the program into memory, where it cannot be changed any more.
fn in_memory() -> std::io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create("walden-sandbox", flags | MemfdFlags::EXEC)
        // Kernels before 6.3 do not know that it may be started, and allow it.
        .or_else(|_| rustix::fs::memfd_create("walden-sandbox", flags))?;
    let mut rest = PROGRAM;
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file)
}

/// Asks for a filter that is nowhere: a kernel that has filters says so, another does not know the question.
fn filters_can_be_set() -> bool {
    // SAFETY: the kernel finds that there is no filter at this address, and changes nothing.
    let answer = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::c_ulong::from(libc::SECCOMP_MODE_FILTER),
            std::ptr::null::<libc::c_void>(),
        )
    };
    answer == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}
