//! The system calls that are refused.
//!
//! Three filters, because one cannot give two answers and the library that compiles them knows nothing of the x32
//! numbers: what is refused with `EPERM`, `clone3` with `ENOSYS` (so that the C library falls back to `clone`, whose
//! flags can be looked at), and every number of the x32 table. A call of another architecture ends the process.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

use super::{Metadata, SandboxError};

/// Sockets, and what makes a socket without `socket`.
const SOCKETS: &[i64] = &[
    libc::SYS_socket,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// Reaching into other processes, or out of the sandbox.
const REACHING: &[i64] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
];

/// `setxattrat`, `removexattrat` and `file_setattr`, which are newer than the tables of the C library.
const NEW_METADATA: &[i64] = &[463, 466, 469];

/// Changes of a file's metadata, which Landlock does not bound.
const METADATA: &[i64] = &[
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
];

/// Those of them that only the older architecture has.
#[cfg(target_arch = "x86_64")]
const OLD_METADATA: &[i64] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_METADATA: &[i64] = &[];

/// The flags of `clone` that make a namespace.
const NAMESPACES: u64 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP) as u64;

/// Whether sockets can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sockets {
    Refused,
    /// `socket` works; `io_uring`, which would hide what is done with it, does not.
    Allowed,
}

/// Installs the filters, for this process and all that it starts.
pub(super) fn install(metadata: Metadata, sockets: Sockets) -> Result<(), SandboxError> {
    for program in programs(metadata, sockets)? {
        seccompiler::apply_filter(&program)
            .map_err(|error| SandboxError::Filter(error.to_string()))?;
    }
    Ok(())
}

/// Writes the filters, to be installed in their order.
pub(super) fn programs(
    metadata: Metadata,
    sockets: Sockets,
) -> Result<Vec<BpfProgram>, SandboxError> {
    let arch: TargetArch = std::env::consts::ARCH
        .try_into()
        .map_err(|error| SandboxError::Filter(format!("{error}")))?;
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in SOCKETS.iter().chain(REACHING) {
        refused.insert(*call, Vec::new());
    }
    if sockets == Sockets::Allowed {
        refused.remove(&libc::SYS_socket);
    }
    if metadata == Metadata::Kept {
        for call in METADATA.iter().chain(OLD_METADATA).chain(NEW_METADATA) {
            refused.insert(*call, Vec::new());
        }
        // With a path; without one it is the times of a file that is open for writing.
        refused.insert(
            libc::SYS_utimensat,
            vec![rule(&[(1, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0)])?],
        );
    }
    refused.insert(
        libc::SYS_clone,
        namespace_flags()
            .map(|flag| {
                rule(&[(
                    0,
                    SeccompCmpArgLen::Qword,
                    SeccompCmpOp::MaskedEq(flag),
                    flag,
                )])
            })
            .collect::<Result<_, _>>()?,
    );
    // Typing into the terminal. The kernel looks at the low half of the number only.
    refused.insert(
        libc::SYS_ioctl,
        [libc::TIOCSTI, libc::TIOCLINUX]
            .iter()
            .map(|request| rule(&[(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, *request)]))
            .collect::<Result<_, _>>()?,
    );
    let absent = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    Ok(vec![
        compile(refused, libc::EPERM, arch)?,
        compile(absent, libc::ENOSYS, arch)?,
        x32(),
    ])
}

fn namespace_flags() -> impl Iterator<Item = u64> {
    (0..64)
        .map(|bit| 1u64 << bit)
        .filter(|flag| NAMESPACES & flag != 0)
}

fn rule(
    conditions: &[(u8, SeccompCmpArgLen, SeccompCmpOp, u64)],
) -> Result<SeccompRule, SandboxError> {
    let conditions = conditions
        .iter()
        .map(|(argument, length, compare, value)| {
            SeccompCondition::new(*argument, length.clone(), compare.clone(), *value)
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| SandboxError::Filter(error.to_string()))?;
    SeccompRule::new(conditions).map_err(|error| SandboxError::Filter(error.to_string()))
}

fn compile(
    refused: BTreeMap<i64, Vec<SeccompRule>>,
    errno: i32,
    arch: TargetArch,
) -> Result<BpfProgram, SandboxError> {
    let errno = u32::try_from(errno).unwrap_or(1);
    SeccompFilter::new(
        refused,
        SeccompAction::Allow,
        SeccompAction::Errno(errno),
        arch,
    )
    .and_then(BpfProgram::try_from)
    .map_err(|error| SandboxError::Filter(error.to_string()))
}

/// Refuses the x32 numbers, which have this bit and reach the same calls: the other filters compare whole numbers.
fn x32() -> BpfProgram {
    const X32_BIT: u32 = 0x4000_0000;
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_IF_SET: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    vec![
        step(LOAD_NUMBER, 0, 0, 0),
        step(JUMP_IF_SET, 0, 1, X32_BIT),
        step(RETURN, 0, 0, ERRNO | libc::EPERM as u32),
        step(RETURN, 0, 0, ALLOW),
    ]
}
