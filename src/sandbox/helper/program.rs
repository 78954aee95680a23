//! The small helper: a program of its own, of a few kilobytes, that confines itself and becomes another.
//!
//! It is no part of the crate: `build.rs` compiles it without the standard library and without libc, and the crate
//! carries what comes out (`sandbox/small.rs`), which decides everything and writes it down as words. Here nothing is
//! decided: the words are done one after another, and what cannot be done ends the program with a message.
//!
//! Why it is there: a start by way of walden itself loads its fifty megabytes and their libraries first, which takes
//! several times what the confining takes. Why it needs no library: nothing is loaded, and nothing but the system calls
//! below can happen between the start and the other program.
//!
//! The words: `walden-sandbox HANDLED FILTERS RULES RULE… PROGRAM ARGUMENT…`. `HANDLED` is numbers with blanks between
//! them, in the order of [`Settings`]; `FILTERS` instructions of seccomp in hexadecimal, each filter after a comma;
//! `RULES` the count of the rules that follow; a rule is `RIGHTS:PATH`.

#![no_std]
#![no_main]

use core::arch::{asm, global_asm};

#[cfg(target_arch = "x86_64")]
mod number {
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const EXECVE: usize = 59;
    pub const CAPGET: usize = 125;
    pub const CAPSET: usize = 126;
    pub const PRCTL: usize = 157;
    pub const EXIT: usize = 231;
    pub const OPENAT: usize = 257;
    pub const PRLIMIT: usize = 302;
}
#[cfg(target_arch = "aarch64")]
mod number {
    pub const OPENAT: usize = 56;
    pub const CLOSE: usize = 57;
    pub const WRITE: usize = 64;
    pub const CAPGET: usize = 90;
    pub const CAPSET: usize = 91;
    pub const EXIT: usize = 94;
    pub const PRCTL: usize = 167;
    pub const EXECVE: usize = 221;
    pub const PRLIMIT: usize = 261;
}
/// The numbers that every machine has in common.
const CLOSE_RANGE: usize = 436;
const LANDLOCK_CREATE: usize = 444;
const LANDLOCK_ADD: usize = 445;
const LANDLOCK_RESTRICT: usize = 446;

/// The status of a helper that could not confine itself, as `confine.rs` has it.
const REFUSED: usize = 125;

#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {begin}",
    "ud2",
    begin = sym begin,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, #0",
    "mov x30, #0",
    "mov x0, sp",
    "bl {begin}",
    "brk #1",
    begin = sym begin,
);

/// Asks the kernel, with up to five arguments.
///
/// # Safety
/// What the call reads and writes through its arguments must be there.
unsafe fn call(number: usize, a: usize, b: usize, c: usize, d: usize, e: usize) -> isize {
    let answer: isize;
    // SAFETY: the kernel's convention; what it may change is named. What the arguments lead to is the caller's.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a as isize => answer,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e,
            options(nostack),
        );
    }
    answer
}

fn leave(status: usize) -> ! {
    loop {
        // SAFETY: it takes a number and does not come back.
        unsafe { call(number::EXIT, status, 0, 0, 0, 0) };
    }
}

/// Says what failed on which words, and ends.
fn fail(what: &str, on: &[u8], answer: isize, status: usize) -> ! {
    let mut digits = *b"0000";
    let mut left = answer.unsigned_abs();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
    }
    let blank = digits.iter().take(3).take_while(|digit| **digit == b'0');
    let digits = digits.split_at_checked(blank.count()).map_or(&digits[..], |(_, rest)| rest);
    for part in [b"walden: ".as_slice(), what.as_bytes(), on, b" (os error ", digits, b")\n"] {
        // SAFETY: the bytes are a slice's.
        unsafe { call(number::WRITE, 2, part.as_ptr() as usize, part.len(), 0, 0) };
    }
    leave(status)
}

/// Ends with a message where a call failed.
fn done(answer: isize, what: &str) -> usize {
    match usize::try_from(answer) {
        Ok(answer) => answer,
        Err(_) => fail(what, b"", answer, REFUSED),
    }
}

/// A word of the command line, which the kernel laid out and ended with a zero.
fn word(at: *mut u8) -> &'static mut [u8] {
    let mut length = 0;
    // SAFETY: the kernel ends every word with a zero. Volatile, or the compiler makes a call of `strlen` of it.
    while unsafe { at.add(length).read_volatile() } != 0 {
        length += 1;
    }
    // SAFETY: the bytes before the zero are this process's own, for as long as it is, and each word is taken once.
    unsafe { core::slice::from_raw_parts_mut(at, length) }
}

/// Reads the number that a text begins with, and returns what is behind the byte after it.
fn read(text: &[u8]) -> (u64, &[u8]) {
    let (mut number, mut rest) = (0u64, text);
    while let [digit, behind @ ..] = rest {
        rest = behind;
        if !digit.is_ascii_digit() {
            break;
        }
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
    }
    (number, rest)
}

/// What is given up, in the order of the words.
struct Settings {
    /// The rights that Landlock looks after: of files, of ports, and of scopes.
    handled: [u64; 3],
    /// The capabilities that stay, where they are there.
    kept: u64,
    /// The most of: a core dump, processor time, a file's size, open files, data (0 for no limit).
    limits: [u64; 5],
}

impl Settings {
    fn read(text: &[u8]) -> Self {
        let mut rest = text;
        let mut next = || {
            let (number, behind) = read(rest);
            rest = behind;
            number
        };
        Self {
            handled: [next(), next(), next()],
            kept: next(),
            limits: [next(), next(), next(), next(), next()],
        }
    }
}

const PR_SET_PDEATHSIG: usize = 1;
const PR_SET_SECCOMP: usize = 22;
const PR_SET_NO_NEW_PRIVS: usize = 38;
const SIGKILL: usize = 9;

fn bound(settings: &Settings) {
    // SAFETY: these take numbers only.
    unsafe {
        done(call(number::PRCTL, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "it would outlive walden");
        done(call(number::PRCTL, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "privileges");
    }
    give_up_capabilities(settings.kept);
    // Core, processor time, file size, open files, data; as `setrlimit(2)` numbers them.
    for (resource, most) in [4, 0, 1, 7, 2].into_iter().zip(settings.limits) {
        if most == 0 && resource == 2 {
            continue;
        }
        let mut own = [0u64; 2];
        // SAFETY: the kernel writes two numbers there, and reads two.
        unsafe {
            done(call(number::PRLIMIT, 0, resource, 0, own.as_mut_ptr() as usize, 0), "a limit");
            // Never above what the user's own limits allow.
            own = [most.min(own[1]); 2];
            done(call(number::PRLIMIT, 0, resource, own.as_ptr() as usize, 0, 0), "a limit");
        }
    }
    const CLOEXEC: usize = 1 << 2;
    // An open socket or file of the parent would be a way around everything else.
    // SAFETY: only flags are changed, of descriptors that this process does not use.
    done(
        unsafe { call(CLOSE_RANGE, 3, u32::MAX as usize, CLOEXEC, 0, 0) },
        "open files",
    );
}

fn give_up_capabilities(kept: u64) {
    const VERSION: u32 = 0x2008_0522;
    let header = [VERSION, 0];
    // Effective, permitted and inheritable, the low halves first.
    let mut sets = [0u32; 6];
    // SAFETY: the header's version has six numbers, which the kernel writes, and reads.
    unsafe {
        let (header, sets_at) = (header.as_ptr() as usize, sets.as_mut_ptr() as usize);
        done(call(number::CAPGET, header, sets_at, 0, 0, 0), "capabilities");
        let low = sets[1] & kept as u32;
        let high = sets[4] & (kept >> 32) as u32;
        sets = [low, low, 0, high, high, 0];
        let sets_at = sets.as_ptr() as usize;
        done(call(number::CAPSET, header, sets_at, 0, 0, 0), "capabilities");
    }
}

/// Makes the ruleset of Landlock, to which rules are added.
fn ruleset(settings: &Settings) -> usize {
    // A kernel without the later fields takes them while they are zero.
    let answer = unsafe {
        // SAFETY: the kernel reads three numbers.
        call(LANDLOCK_CREATE, settings.handled.as_ptr() as usize, 24, 0, 0, 0)
    };
    done(answer, "this kernel cannot bound files")
}

/// Grants the rights of one rule. What is not there needs none.
fn grant(ruleset: usize, rule: &mut [u8]) {
    const AT_FDCWD: usize = -100isize as usize;
    const PATH_AND_CLOEXEC: usize = 0o10_000_000 | 0o2_000_000;
    const BENEATH: usize = 1;
    let (rights, path) = read(rule);
    // SAFETY: the path is the end of a word, behind which the kernel wrote a zero.
    let opened = unsafe {
        call(number::OPENAT, AT_FDCWD, path.as_ptr() as usize, PATH_AND_CLOEXEC, 0, 0)
    };
    let Ok(opened) = usize::try_from(opened) else {
        return;
    };
    // The kernel's structure is packed: eight bytes of rights, four of the descriptor.
    let attribute = [rights as u32, (rights >> 32) as u32, opened as u32];
    // SAFETY: the kernel reads these twelve bytes.
    let added = unsafe {
        call(LANDLOCK_ADD, ruleset, BENEATH, attribute.as_ptr() as usize, 0, 0)
    };
    if added < 0 {
        fail("this kernel cannot bound files: ", path, added, REFUSED);
    }
    // SAFETY: it was opened here.
    unsafe { call(number::CLOSE, opened, 0, 0, 0, 0) };
}

/// Installs the filters, which are written over their own text: it is longer.
fn filter(text: &mut [u8]) {
    const FILTER: usize = 2;
    #[repr(C)]
    struct Program {
        length: u16,
        instructions: *const u8,
    }
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.wrapping_sub(b'a').wrapping_add(10) & 15,
    };
    for filter in text.split_mut(|byte| *byte == b',').skip(1) {
        let (at, count) = (filter.as_mut_ptr(), filter.len() / 2);
        for byte in 0..count {
            // SAFETY: both bytes that are read are within the slice, and the one that is written is not behind them.
            unsafe {
                let pair = nibble(at.add(2 * byte).read()) << 4 | nibble(at.add(2 * byte + 1).read());
                at.add(byte).write(pair);
            }
        }
        let program = Program {
            length: (count / 8) as u16,
            instructions: at,
        };
        // SAFETY: the kernel reads as many instructions as were written.
        let answer = unsafe {
            call(number::PRCTL, PR_SET_SECCOMP, FILTER, &raw const program as usize, 0, 0)
        };
        done(answer, "this kernel cannot filter system calls");
    }
}

/// Does what the words say, and becomes the program.
extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: at its start a process finds the count of its words here, then where they are, a zero, and its
    // environment.
    let (count, words) = unsafe { (stack.read(), stack.add(1).cast::<*mut u8>()) };
    // The name, three words, the program.
    if count < 5 {
        fail("the sandbox's helper is started by walden alone", b"", 0, REFUSED);
    }
    // SAFETY: the count says that these are there.
    let at = |index: usize| unsafe { words.add(index).read() };
    let settings = Settings::read(word(at(1)));
    let (rules, _) = read(word(at(3)));
    let program = 4 + rules as usize;
    if program >= count {
        fail("the sandbox's helper is started by walden alone", b"", 0, REFUSED);
    }
    bound(&settings);
    let ruleset = ruleset(&settings);
    for rule in 4..program {
        grant(ruleset, word(at(rule)));
    }
    // SAFETY: it takes numbers.
    let restricted = unsafe { call(LANDLOCK_RESTRICT, ruleset, 0, 0, 0, 0) };
    done(restricted, "this kernel cannot bound files");
    filter(word(at(2)));
    // SAFETY: the program and its words end with a zero each, the words and the environment with a null.
    let failed = unsafe {
        let (arguments, environment) = (words.add(program), words.add(count + 1));
        call(number::EXECVE, at(program) as usize, arguments as usize, environment as usize, 0, 0)
    };
    const ENOENT: isize = 2;
    let status = if failed == -ENOENT { 127 } else { 126 };
    fail("cannot start ", word(at(program)), failed, status)
}

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo) -> ! {
    leave(REFUSED)
}
