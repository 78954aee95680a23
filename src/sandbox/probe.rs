//! Attempts to get out, each one system call or a few, and what the kernel answers.

#![expect(unsafe_code, reason = "the attempts are bare system calls")]
#![expect(
    clippy::disallowed_methods,
    reason = "the attempts open what they must not"
)]

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where the attempts are made: folders and files that the caller laid out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ground {
    /// A folder that may be read and not written, with a file `inside`.
    pub(super) readable: PathBuf,
    /// A folder that may be written.
    pub(super) writable: PathBuf,
    /// A folder that may not be touched, with a file `secret`.
    pub(super) outside: PathBuf,
    /// A descriptor of `secret` that whoever starts the probe leaves open.
    pub(super) left_open: i32,
}

/// What an attempt aims at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Aim {
    Network,
    Files,
    /// Modes, times and attributes of files: a program can be kept from them altogether, walden itself cannot, because
    /// its checks need them and what a process gives up its children have given up.
    Metadata,
    Processes,
    /// What must work: a sandbox in which nothing works proves nothing.
    Work,
}

/// The answer of the kernel: the number of its error, or none.
pub(super) type Answer = Option<i32>;

/// An attempt: what it is called, what it aims at, and how it is made.
pub(super) struct Attempt {
    pub(super) name: &'static str,
    pub(super) aim: Aim,
    make: fn(&Ground) -> Answer,
}

impl Attempt {
    /// Makes the attempt.
    pub(super) fn make(&self, ground: &Ground) -> Answer {
        (self.make)(ground)
    }
}

macro_rules! attempts {
    ($($aim:ident $name:literal: $make:expr;)*) => {
        /// All attempts, in the order in which they are shown.
        pub(super) const ATTEMPTS: &[Attempt] = &[$(
            Attempt { name: $name, aim: Aim::$aim, make: $make },
        )*];
    };
}

attempts! {
    Network "socket, TCP": |_| socket(libc::AF_INET, libc::SOCK_STREAM, 0);
    Network "socket, UDP": |_| socket(libc::AF_INET, libc::SOCK_DGRAM, 0);
    Network "socket, TCP over IPv6": |_| socket(libc::AF_INET6, libc::SOCK_STREAM, 0);
    Network "socket, multipath TCP": |_| socket(libc::AF_INET, libc::SOCK_STREAM, 262);
    Network "socket, Unix": |_| socket(libc::AF_UNIX, libc::SOCK_STREAM, 0);
    Network "socket, Unix datagram": |_| socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0);
    Network "socket, netlink": |_| socket(libc::AF_NETLINK, libc::SOCK_RAW, 0);
    Network "socket, packet": |_| socket(libc::AF_PACKET, libc::SOCK_RAW, 0);
    Network "socket, raw": |_| socket(libc::AF_INET, libc::SOCK_RAW, 1);
    Network "socket, virtual machine": |_| socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0);
    Network "socket, kernel cryptography": |_| socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0);
    Network "socket, XDP": |_| socket(44, libc::SOCK_RAW, 0);
    Network "socket, Bluetooth": |_| socket(31, libc::SOCK_RAW, 0);
    Network "io_uring": |_| io_uring();
    Network "socket by its i386 number": |_| i386_socket();
    Network "socket by its x32 number": |_| x32_socket();
    Network "looking a name up": |_| look_up();
    Files "read a file outside": |ground| failed(fs::read(ground.outside.join("secret")));
    Files "list a folder outside": |ground| failed(fs::read_dir(&ground.outside));
    Files "write a file outside": |ground| failed(append(&ground.outside.join("secret")));
    Files "make a file outside": |ground| made(&ground.outside.join("new"));
    Files "cut a file outside short": |ground| truncate(&ground.outside.join("secret"));
    Files "read a file outside by `..`": |ground| failed(fs::read(ground.readable.join("../outside/secret")));
    Files "use a file that was left open": |ground| left_open(ground.left_open);
    Files "make shared memory": |_| made(Path::new(&format!("/dev/shm/walden-probe-{}", std::process::id())));
    Metadata "change a mode outside": |ground| chmod(&ground.outside.join("secret"));
    Metadata "set an attribute outside": |ground| attribute(&ground.outside.join("secret"));
    Metadata "change times outside": |ground| utimes(&ground.outside.join("secret"));
    Files "read outside through a link": |ground| through_link(ground);
    Files "link a file from outside": |ground| linked(&ground.outside.join("secret"), &ground.writable.join("linked"));
    Files "move a file outside": |ground| moved(ground);
    Files "write where only reading is allowed": |ground| failed(append(&ground.readable.join("inside")));
    Files "make a named pipe": |ground| fifo(&ground.writable.join("pipe"));
    Files "open by handle": |_| call(libc::SYS_open_by_handle_at, [-1, 0, 0, 0]);
    Processes "signal walden": |_| signal();
    Processes "trace walden": |_| trace();
    Processes "read walden's memory": |_| call(libc::SYS_process_vm_readv, [parent(), 0, 0, 0]);
    Processes "take walden's descriptors": |_| take_descriptor();
    Processes "read walden's environment": |_| failed(fs::read(format!("/proc/{}/environ", parent())));
    Processes "list walden's folder by /proc": |_| failed(fs::read_dir(format!("/proc/{}/cwd/", parent())));
    Processes "a user namespace": |_| call(libc::SYS_unshare, [i64::from(libc::CLONE_NEWUSER), 0, 0, 0]);
    Processes "a network namespace by clone3": |_| call(libc::SYS_clone3, [0, 0, 0, 0]);
    Processes "mount": |_| call(libc::SYS_mount, [0, 0, 0, 0]);
    Processes "a BPF program": |_| call(libc::SYS_bpf, [0, 0, 0, 0]);
    Processes "the keyring": |_| call(libc::SYS_keyctl, [0, -3, 0, 0]);
    Processes "typing into the terminal": |_| type_ahead(libc::TIOCSTI);
    Processes "typing into the terminal, high bits set": |_| type_ahead(libc::TIOCSTI | (1 << 32));
    Work "read a file inside": |ground| failed(fs::read(ground.readable.join("inside")));
    Work "write a file of its own": |ground| failed(fs::write(ground.writable.join("own"), "x"));
    Work "a pair of connected sockets": |_| pair();
    Work "start a program": |_| start();
    Work "threads": |_| failed(std::thread::Builder::new().spawn(|| ()).map(std::thread::JoinHandle::join));
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn failed<T>(result: std::io::Result<T>) -> Answer {
    result.err().map(|error| error.raw_os_error().unwrap_or(-1))
}

/// Closes what was opened, and tells the error where nothing was.
fn opened(descriptor: i64) -> Answer {
    if descriptor < 0 {
        return Some(errno());
    }
    // SAFETY: the descriptor was opened a moment ago and nobody else knows it.
    unsafe { libc::close(descriptor as i32) };
    None
}

fn call(number: i64, arguments: [i64; 4]) -> Answer {
    let [a, b, c, d] = arguments;
    // SAFETY: every pointer among the arguments is null, which the kernel refuses to read.
    let answer = unsafe { libc::syscall(number, a, b, c, d, 0, 0) };
    (answer < 0).then(errno)
}

fn socket(family: i32, kind: i32, protocol: i32) -> Answer {
    // The number instead of the function: a walden without `net` imports no `socket`.
    // SAFETY: no pointers.
    opened(unsafe { libc::syscall(libc::SYS_socket, family, kind, protocol) })
}

fn io_uring() -> Answer {
    let mut parameters = [0u8; 256];
    // SAFETY: the kernel writes less than the buffer holds.
    opened(unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, parameters.as_mut_ptr()) })
}

fn x32_socket() -> Answer {
    if cfg!(not(target_arch = "x86_64")) {
        return Some(libc::ENOSYS);
    }
    // SAFETY: no pointers.
    opened(unsafe { libc::syscall(0x4000_0000 + 41, libc::AF_INET, libc::SOCK_STREAM, 0) })
}

/// What an attempt answers that ended the process that made it.
pub(super) const KILLED: i32 = -2;

/// Asks for a socket by the 32-bit table, in a process of its own: a filter may end it.
#[cfg(target_arch = "x86_64")]
fn i386_socket() -> Answer {
    const SOCKET: i64 = 359;
    // SAFETY: the probe has one thread, so that the child may do what it likes; the instruction takes numbers alone, and
    // the register that the compiler keeps for itself is put back.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            let mut answer: i64 = SOCKET;
            std::arch::asm!(
                "xchg {family}, rbx",
                "int 0x80",
                "xchg {family}, rbx",
                family = inout(reg) i64::from(libc::AF_INET) => _,
                inout("rax") answer,
                in("rcx") i64::from(libc::SOCK_STREAM),
                in("rdx") 0_i64,
                out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            );
            // What the kernel answers is 32 bits wide.
            libc::_exit((-(answer as i32)).clamp(0, 255));
        }
        let mut status = 0;
        if child < 0 || libc::waitpid(child, &raw mut status, 0) < 0 {
            return Some(errno());
        }
        match status {
            status if libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSYS => {
                Some(KILLED)
            }
            // A kernel without that table.
            status if libc::WIFSIGNALED(status) => Some(libc::ENOSYS),
            status => Some(libc::WEXITSTATUS(status)).filter(|errno| *errno != 0),
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn i386_socket() -> Answer {
    Some(libc::ENOSYS)
}

/// Reads from a descriptor that was not opened here.
fn left_open(descriptor: i32) -> Answer {
    let mut byte = 0_u8;
    // SAFETY: the kernel writes at most one byte, for which there is room.
    (unsafe { libc::pread(descriptor, (&raw mut byte).cast(), 1, 0) } < 0).then(errno)
}

fn attribute(path: &Path) -> Answer {
    let path = c_path(path);
    // SAFETY: the path and the name are C strings, and the value is as long as is said.
    let answer = unsafe {
        libc::setxattr(
            path.as_ptr(),
            c"user.walden".as_ptr(),
            c"x".as_ptr().cast(),
            1,
            0,
        )
    };
    (answer < 0).then(errno)
}

/// Sends a datagram to a port of this very machine, as a resolver would. By the numbers of the system calls, so that the
/// program imports no function that makes a socket: without the feature `net` a test holds it to that.
fn look_up() -> Answer {
    // SAFETY: the address is a whole `sockaddr_in`, and the buffer as long as is said.
    unsafe {
        let socket = libc::syscall(libc::SYS_socket, libc::AF_INET, libc::SOCK_DGRAM, 0);
        if socket < 0 {
            return Some(errno());
        }
        let address = libc::sockaddr_in {
            sin_family: libc::AF_INET as u16,
            sin_port: 53u16.to_be(),
            sin_addr: libc::in_addr {
                s_addr: u32::from_ne_bytes([127, 0, 0, 1]),
            },
            sin_zero: [0; 8],
        };
        let buffer = [0u8; 12];
        let sent = libc::syscall(
            libc::SYS_sendto,
            socket,
            buffer.as_ptr(),
            buffer.len(),
            0,
            &raw const address,
            size_of::<libc::sockaddr_in>(),
        );
        let answer = (sent < 0).then(errno);
        libc::close(socket as i32);
        answer
    }
}

fn append(path: &Path) -> std::io::Result<()> {
    OpenOptions::new().append(true).open(path)?.write_all(b"x")
}

fn made(path: &Path) -> Answer {
    let answer = failed(File::create_new(path));
    let _ = fs::remove_file(path);
    answer
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap_or_default()
}

fn truncate(path: &Path) -> Answer {
    let path = c_path(path);
    // SAFETY: the path is a C string.
    (unsafe { libc::truncate(path.as_ptr(), 1) } < 0).then(errno)
}

fn chmod(path: &Path) -> Answer {
    failed(fs::set_permissions(path, fs::Permissions::from_mode(0o644)))
}

fn utimes(path: &Path) -> Answer {
    let path = c_path(path);
    // SAFETY: the path is a C string; no times mean the present.
    let answer = unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), std::ptr::null(), 0) };
    (answer < 0).then(errno)
}

fn through_link(ground: &Ground) -> Answer {
    let link = ground.writable.join("way-out");
    let _ = fs::remove_file(&link);
    let _ = std::os::unix::fs::symlink(ground.outside.join("secret"), &link);
    let answer = failed(fs::read(&link));
    let _ = fs::remove_file(&link);
    answer
}

fn linked(from: &Path, to: &Path) -> Answer {
    let answer = failed(fs::hard_link(from, to));
    let _ = fs::remove_file(to);
    answer
}

fn moved(ground: &Ground) -> Answer {
    let (from, to) = (ground.writable.join("moving"), ground.outside.join("moved"));
    let _ = fs::write(&from, "x");
    let answer = failed(fs::rename(&from, &to));
    let _ = fs::remove_file(&to);
    answer
}

fn fifo(path: &Path) -> Answer {
    let name = c_path(path);
    // SAFETY: the path is a C string.
    let answer = (unsafe { libc::mkfifo(name.as_ptr(), 0o600) } < 0).then(errno);
    let _ = fs::remove_file(path);
    answer
}

fn parent() -> i64 {
    i64::from(std::os::unix::process::parent_id())
}

fn signal() -> Answer {
    // SAFETY: signal 0 only asks whether one could be sent.
    (unsafe { libc::kill(parent() as i32, 0) } < 0).then(errno)
}

/// Attaches without stopping, and lets go.
fn trace() -> Answer {
    // SAFETY: PTRACE_SEIZE stops nobody; the attachment ends at once.
    unsafe {
        if libc::ptrace(libc::PTRACE_SEIZE, parent() as i32, 0, 0) < 0 {
            return Some(errno());
        }
        libc::ptrace(libc::PTRACE_DETACH, parent() as i32, 0, 0);
    }
    None
}

fn take_descriptor() -> Answer {
    // SAFETY: no pointers.
    unsafe {
        let process = libc::syscall(libc::SYS_pidfd_open, parent(), 0);
        if process < 0 {
            return Some(errno());
        }
        let answer = opened(libc::syscall(libc::SYS_pidfd_getfd, process, 0, 0));
        libc::close(process as i32);
        answer
    }
}

fn type_ahead(request: u64) -> Answer {
    let letter = b'x';
    // SAFETY: the kernel reads one byte. Standard input is no terminal here, so nothing is typed.
    (unsafe { libc::syscall(libc::SYS_ioctl, 0, request, &raw const letter) } < 0).then(errno)
}

fn pair() -> Answer {
    let mut ends = [0; 2];
    // SAFETY: two descriptors fit.
    let answer =
        unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, ends.as_mut_ptr()) };
    (answer < 0).then(errno)
}

fn start() -> Answer {
    failed(
        std::process::Command::new("/bin/sh")
            .args(["-c", ":"])
            .status(),
    )
}
