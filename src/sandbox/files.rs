//! The files that a process can reach, as Landlock rules.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath,
    PathFd, Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetStatus,
    Scope,
};

use super::{Profile, SandboxError};

/// What a program needs of the system: its libraries, and what tells it about the machine.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/etc",
    "/proc",
    "/sys/devices/system",
    "/sys/fs/cgroup",
];

/// Devices that are no way out.
const DEVICES: &[&str] = &[
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

/// The rights that this code knows how to grant. Kernels that have more are asked for no more: a right that is handled
/// and not granted is refused.
pub(super) const KNOWN: ABI = ABI::V6;

/// The rights without which nothing is promised: with ABI 3 a file cannot be cut short by its name alone.
const NEEDED: ABI = ABI::V3;

/// The files that a process keeps.
#[derive(Debug, Default)]
pub(super) struct Grants<'a> {
    /// Read and executed, besides the system's.
    pub(super) read: Vec<&'a Path>,
    /// Read, executed and changed.
    pub(super) write: Vec<&'a Path>,
    /// Devices that it talks to.
    pub(super) devices: Vec<&'a Path>,
    pub(super) ports: Ports,
}

/// Whether ports can be bound and connected to. It is the second of two locks: without a socket there is no port.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ports {
    #[default]
    Refused,
    Allowed,
}

/// Names what a profile grants.
pub(super) fn of(profile: &Profile) -> Grants<'_> {
    let mut write: Vec<&Path> = profile.write.iter().map(PathBuf::as_path).collect();
    write.push(&profile.scratch);
    Grants {
        read: profile.read.iter().map(PathBuf::as_path).collect(),
        write,
        ..Grants::default()
    }
}

impl<'a> Grants<'a> {
    /// Names each path with its rights, the system's and the devices' among them.
    pub(super) fn rules(&self) -> Vec<(&'a Path, BitFlags<AccessFs>)> {
        let readable = AccessFs::from_read(KNOWN);
        // No devices, no FIFOs and no sockets can be made: a name in a folder is a way to talk to other programs.
        let writable = AccessFs::from_all(KNOWN)
            & !(AccessFs::MakeChar
                | AccessFs::MakeBlock
                | AccessFs::MakeSock
                | AccessFs::MakeFifo
                | AccessFs::IoctlDev);
        let used = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
        let driven = used | AccessFs::ReadDir | AccessFs::IoctlDev;
        let system = SYSTEM.iter().map(|path| (Path::new(path), readable));
        let devices = DEVICES.iter().map(|path| (Path::new(path), used));
        system
            .chain(self.read.iter().map(|path| (*path, readable)))
            .chain(self.write.iter().map(|path| (*path, writable)))
            .chain(devices)
            .chain(self.devices.iter().map(|path| (*path, driven)))
            .collect()
    }
}

/// Bounds this process to a profile's files, for ever.
pub(super) fn bound(profile: &Profile) -> Result<(), SandboxError> {
    restrict(&of(profile))
}

/// Bounds this process to what is granted and what a program needs of the system, for ever.
pub(super) fn restrict(grants: &Grants<'_>) -> Result<(), SandboxError> {
    let failed = |error: &dyn std::fmt::Display| SandboxError::Files(error.to_string());
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(NEEDED))
        .map_err(|error| failed(&error))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))
        .map_err(|error| failed(&error))?
        .scope(Scope::from_all(KNOWN))
        .map_err(|error| failed(&error))?;
    if grants.ports == Ports::Refused {
        ruleset = ruleset
            .handle_access(AccessNet::from_all(KNOWN))
            .map_err(|error| failed(&error))?;
    }
    let mut rules = ruleset.create().map_err(|error| failed(&error))?;
    for (path, rights) in grants.rules() {
        rules = grant(rules, path, rights)?;
    }
    let status = rules.restrict_self().map_err(|error| failed(&error))?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(failed(&"nothing is enforced")),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
    }
}

/// Returns the rights that a path can have: a file has no rights of a folder. Nothing where it is not there.
pub(super) fn fitting(path: &Path, rights: BitFlags<AccessFs>) -> Option<BitFlags<AccessFs>> {
    let found = path.metadata().ok()?;
    let rights = match found.is_dir() {
        true => rights,
        false => rights & AccessFs::from_file(KNOWN),
    };
    (!rights.is_empty()).then_some(rights)
}

/// Grants rights beneath a path; one that is not there needs none.
fn grant(
    rules: RulesetCreated,
    path: &Path,
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, SandboxError> {
    let Ok(handle) = PathFd::new(path) else {
        return Ok(rules);
    };
    let Some(rights) = fitting(path, rights) else {
        return Ok(rules);
    };
    rules
        .add_rule(PathBeneath::new(handle, rights))
        .map_err(|error| SandboxError::Files(format!("`{}`: {error}", path.display())))
}
