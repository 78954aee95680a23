//! The helper: this program under another name, which confines itself and becomes the child, where the small one
//! cannot be started.

#![expect(unsafe_code, reason = "close_range has no safe wrapper")]

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;

use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use serde::{Deserialize, Serialize};

use super::{Lacking, Limits, Profile, SandboxError, files, filter};

/// The name under which this program confines itself and becomes another.
pub const HELPER: &str = "walden-sandbox";

/// The status of a helper that could not confine itself. Programs seldom use it; the message says which it was.
pub const REFUSED: i32 = 125;

/// What the helper is told in its first argument.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) profile: Profile,
    /// The program's, and not the helper's own.
    pub(super) variables: Vec<(String, String)>,
}

/// Confines this process to the profile in the first argument and becomes the program in the others, if this process
/// was started as the helper. Returns the status to exit with when that failed, and `None` when this is no helper.
pub fn help(mut arguments: impl Iterator<Item = OsString>) -> Option<(i32, String)> {
    if arguments.next()? != HELPER {
        return None;
    }
    let (Some(profile), Some(program)) = (arguments.next(), arguments.next()) else {
        return Some((
            REFUSED,
            "the sandbox's helper is started by walden alone".to_owned(),
        ));
    };
    let told: Told = match serde_json::from_str(&profile.to_string_lossy()) {
        Ok(told) => told,
        Err(error) => return Some((REFUSED, format!("the sandbox's profile is broken: {error}"))),
    };
    if let Err(error) = confine(&told.profile) {
        return Some((REFUSED, error.to_string()));
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the confined program takes this process's place"
    )]
    let error = std::process::Command::new(&program)
        .args(arguments)
        .envs(told.variables)
        .exec();
    Some((
        if error.kind() == std::io::ErrorKind::NotFound {
            127
        } else {
            126
        },
        format!("cannot start `{}`: {error}", program.to_string_lossy()),
    ))
}

/// What an administrator keeps: what the work in other users' repositories needs. Everything else would reach around
/// the sandbox: another process's memory, the network's settings, the kernel's.
pub(super) const KEPT_AS_ROOT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID);

/// Gives up an administrator's rights over other processes and the system. Others have none to give up.
pub(super) fn give_up_capabilities() -> Result<(), SandboxError> {
    let failed = |error: rustix::io::Errno| SandboxError::Prepare(format!("capabilities: {error}"));
    let kept = capabilities(None).map_err(failed)?.permitted & KEPT_AS_ROOT;
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(failed)
}

/// Names what is bounded, and the most of it; no data at all stands for no limit.
pub(super) fn limits(limits: &Limits) -> [(Resource, u64); 5] {
    [
        (Resource::Core, 0),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Fsize, limits.file_size),
        (Resource::Nofile, limits.files),
        (Resource::Data, limits.memory),
    ]
}

/// Gives up, for ever, what the profile does not grant.
fn confine(profile: &Profile) -> Result<(), SandboxError> {
    let failed =
        |what: &str, error: rustix::io::Errno| SandboxError::Prepare(format!("{what}: {error}"));
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| failed("it would outlive walden", error))?;
    rustix::thread::set_no_new_privs(true).map_err(|error| failed("privileges", error))?;
    give_up_capabilities()?;
    for (resource, most) in limits(&profile.limits) {
        if most == 0 && resource == Resource::Data {
            continue;
        }
        // Never above what the user's own limits allow.
        let own = rustix::process::getrlimit(resource)
            .maximum
            .unwrap_or(u64::MAX);
        let most = Some(most.min(own));
        setrlimit(
            resource,
            Rlimit {
                current: most,
                maximum: most,
            },
        )
        .map_err(|error| failed("a limit", error))?;
    }
    close_inherited();
    for bound in [
        files::bound(profile),
        filter::install(profile.metadata, filter::Sockets::Refused),
    ] {
        match (bound, profile.lacking) {
            (Err(SandboxError::Files(_) | SandboxError::Filter(_)), Lacking::Accepted) => {}
            (bound, _) => bound?,
        }
    }
    Ok(())
}

/// Marks every descriptor but the standard three to be closed when the program starts: an open socket or file of the
/// parent would be a way around everything else.
fn close_inherited() {
    // SAFETY: only flags are changed, of descriptors that this process does not use again.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3u32,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        );
    }
}
