//! The terminal's modes: entered once, and left on every way out.

use std::{
    io::{self, Write as _},
    os::fd::AsFd as _,
    sync::{
        Mutex, Once, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// The other screen, bracketed paste, keys that can be told apart, no cursor, and each character where it is written
/// (a terminal that reorders right-to-left text would take the frame along). Nothing that the terminal answers: the
/// first frame waits for no round trip, and mouse selection stays the terminal's own.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[>1u\x1b[8l\x1b[?25l";
/// The wheel and clicks, where they are asked for.
const MOUSE: &[u8] = b"\x1b[?1000h\x1b[?1006h";
/// All of it undone, and what a frame may have begun.
const LEAVE: &[u8] =
    b"\x1b[?1006l\x1b[?1000l\x1b[?2026l\x1b[r\x1b[0m\x1b[<1u\x1b[8h\x1b[?2004l\x1b[?25h\x1b[?1049l";

static BEFORE: OnceLock<Termios> = OnceLock::new();
static ENTERED: AtomicBool = AtomicBool::new(false);
/// The thread that draws.
static DRAWS: Mutex<Option<ThreadId>> = Mutex::new(None);
/// What is to be said when the screen is left.
static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Who has the mouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mouse {
    /// The terminal: it selects text.
    Left,
    Taken,
}

/// Keeps the terminal in the UI's modes until it is dropped.
#[derive(Debug)]
pub(super) struct Guard {
    mouse: bool,
}

impl Guard {
    /// Enters the modes, and sees to it that a panic leaves them.
    pub(super) fn enter(mouse: Mouse) -> io::Result<Self> {
        let before = tcgetattr(io::stdin().as_fd())?;
        let _ = BEFORE.set(before);
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let previous = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                // Another thread's end is not the screen's: the UI goes on, and tells what it means for the session.
                if !is_drawn_on_by_another() {
                    restore();
                }
                previous(info);
            }));
        });
        *DRAWS.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
        // Before the modes are entered: what half succeeds is undone.
        let guard = Self {
            mouse: mouse == Mouse::Taken,
        };
        guard.again()?;
        Ok(guard)
    }

    /// Enters the modes again after [`restore`].
    pub(super) fn again(&self) -> io::Result<()> {
        // crossterm reads a line feed as Ctrl-J only where it set the raw mode itself.
        crossterm::terminal::enable_raw_mode()?;
        ENTERED.store(true, Ordering::SeqCst);
        write(ENTER)?;
        if self.mouse {
            write(MOUSE)?;
        }
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
        let _ = crossterm::terminal::disable_raw_mode();
        let kept = std::mem::take(&mut *KEPT.lock().unwrap_or_else(PoisonError::into_inner));
        for text in kept {
            // Somebody who closed stderr does not wait for it.
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }
}

fn is_drawn_on_by_another() -> bool {
    let draws = *DRAWS.lock().unwrap_or_else(PoisonError::into_inner);
    ENTERED.load(Ordering::SeqCst) && draws.is_some_and(|draws| draws != thread::current().id())
}

/// Keeps a text until the screen is left, where there is a screen that another thread draws on; returns it otherwise.
pub fn say_after(text: String) -> Option<String> {
    if !is_drawn_on_by_another() {
        return Some(text);
    }
    KEPT.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(text);
    None
}

/// Leaves the UI's modes, if they are entered.
///
/// May be called from anywhere, more than once, and from an abort or signal hook: it takes no lock and allocates
/// nothing, only a write and a `tcsetattr`.
pub fn restore() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut left = LEAVE;
    while !left.is_empty() {
        match rustix::io::write(io::stdout().as_fd(), left) {
            Ok(0) => break,
            Ok(written) => left = &left[written..],
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => break,
        }
    }
    if let Some(before) = BEFORE.get() {
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Now, before);
    }
}

/// Stops the process as Ctrl-Z would; comes back when it is continued.
pub(super) fn suspend(guard: &Guard) -> io::Result<()> {
    restore();
    let _ = crossterm::terminal::disable_raw_mode();
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TSTP)?;
    guard.again()
}

/// Gives the terminal to `borrow` as it was before the UI, and takes it back after.
pub(super) fn lend<T>(guard: &Guard, borrow: impl FnOnce() -> T) -> io::Result<T> {
    restore();
    let _ = crossterm::terminal::disable_raw_mode();
    let lent = borrow();
    guard.again()?;
    Ok(lent)
}

/// Writes a frame or a sequence in one piece.
pub(super) fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}
