//! What is done when the engine dies by a signal: an assertion of C++ code, a file that got shorter under the mapping,
//! a fault of the arithmetic. Nothing unwinds then.

#![expect(unsafe_code, reason = "signal handlers are installed by C functions")]

use std::sync::OnceLock;

static RESTORE: OnceLock<fn()> = OnceLock::new();

/// Ways to die that are no request to end.
const SIGNALS: [libc::c_int; 5] = [
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGSEGV,
];

/// What is said of a mapping whose file ended, and of every other fault but an abort, which says by itself why it is.
const ENDED: &[u8] = b"walden: a file that was being read ended early: most likely the model's, which was cut or \
overwritten, or whose disk fails\n\nhint: get it anew with `walden model pull`; the session is kept, and `walden \
resume` goes on with it\n";
const FAILED: &[u8] = b"walden: the engine failed, which is a mistake in it or in walden\n\nhint: the session is kept; \
`walden resume` goes on with it\n";

/// Installs what is called before the process dies of a fault. It runs inside a signal handler: it may take no lock
/// and allocate nothing. The first one stays.
pub fn on_crash(restore: fn()) {
    if RESTORE.set(restore).is_err() {
        return;
    }
    for signal in SIGNALS {
        // SAFETY: the action is a zeroed C structure, for which that is a valid value, with a handler that lives for
        // ever. The handler runs on the alternate stack that the standard library gave each thread, and once.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = died as extern "C" fn(libc::c_int) as libc::sighandler_t;
            action.sa_flags = libc::SA_ONSTACK | libc::SA_RESETHAND;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

/// Restores, says what happened, and lets the signal do what it does by itself: `SA_RESETHAND` took this handler away, and what is raised
/// here comes when it returns.
extern "C" fn died(signal: libc::c_int) {
    if let Some(restore) = RESTORE.get() {
        restore();
    }
    let text: &[u8] = match signal {
        libc::SIGBUS => ENDED,
        libc::SIGABRT => &[],
        _ => FAILED,
    };
    // SAFETY: `write` may be called in a signal handler, and the text is as long as it is said to be. Nobody is left to
    // hear that standard error is gone.
    unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    // SAFETY: `raise` may be called in a signal handler.
    unsafe { libc::raise(signal) };
}
