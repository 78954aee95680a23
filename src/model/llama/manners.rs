//! How the thread of a model, and those that compute for it, stand beside the rest of the process and the machine.

#![expect(
    unsafe_code,
    reason = "ending a process beside a thread that loads has no safe form"
)]

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

/// How much less of a processor the threads that compute ask for than those that answer keys.
///
/// With every core computing, a key's echo waited up to 12 ms for one that would let it in, and up to 3 ms with this.
/// More than this gains little (19 the same), and would leave the model next to nothing beside another busy program of the
/// same login session.
const NICENESS: i32 = 5;

static LEAVING: AtomicBool = AtomicBool::new(false);

/// Lets the other threads of this process go first when there is a processor for one only. Threads that are made from here
/// do the same.
pub(super) fn give_way() {
    // In Linux this is the thread's own number; a machine on which it cannot be changed computes as before.
    let me = Some(rustix::thread::gettid());
    let given = rustix::process::getpriority_process(me)
        .and_then(|own| rustix::process::setpriority_process(me, own.saturating_add(NICENESS)));
    if let Err(error) = given {
        tracing::debug!("the model's threads are as urgent as all others: {error}");
    }
}

/// Says that the process ends as soon as the models have put away what they keep: their memory is left to the kernel, which
/// takes it back in a fraction of the time that giving it back piece by piece would take.
pub fn leave() {
    LEAVING.store(true, Ordering::SeqCst);
}

/// Ends the process with this status, as it is: no thread is waited for, and nothing that the engine's library would do at
/// the end is done.
///
/// A thread that loads a model cannot be stopped in the middle, and must not go on while the library takes itself apart.
/// Whoever calls this has put on the disk what is to stay, and given the terminal back.
pub fn end(status: u8) -> ! {
    // Somebody who closed it does not wait for it.
    let _ = std::io::stdout().flush();
    // SAFETY: it takes a number and does not return; what other threads do is cut off by the kernel, which is what is meant.
    unsafe { libc::_exit(status.into()) }
}

/// Rests for as long as the process lives, if it is about to end: what this thread holds is not given back.
pub(super) fn rest_if_leaving() {
    while LEAVING.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_compute_and_what_they_start_let_the_others_go_first() {
        let niceness =
            || rustix::process::getpriority_process(Some(rustix::thread::gettid())).expect("told");
        let before = niceness();
        let (own, started) = std::thread::spawn(move || {
            give_way();
            let started = std::thread::spawn(niceness).join().expect("it ended");
            (niceness(), started)
        })
        .join()
        .expect("it ended");
        let expected = (before + NICENESS).min(19);
        assert_eq!((own, started), (expected, expected));
        assert_eq!(niceness(), before, "the others are as they were");
    }
}
