//! What the terminal sends, read on a thread of its own that outlives a session: a thread that waits for a key cannot be
//! asked to end, and a second one beside it would take the next session's first key.

use std::{
    io::{self, IsTerminal as _},
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    time::Duration,
};

use crossterm::event::Event as Input;
use rustix::event::{PollFd, PollFlags};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The thread, and who listens to it now.
struct Reader {
    listener: Mutex<Option<UnboundedSender<Input>>>,
    dealt_with: mpsc::Sender<()>,
}

static READER: OnceLock<Reader> = OnceLock::new();

/// The inputs for one session.
pub(super) struct Inputs {
    pub coming: UnboundedReceiver<Input>,
    dealt_with: mpsc::Sender<()>,
}

impl Inputs {
    /// Begins to listen, in place of who did before.
    pub(super) fn listen() -> io::Result<Self> {
        let (listener, coming) = unbounded_channel();
        if let Some(reader) = READER.get() {
            let mut heard_by = reader
                .listener
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *heard_by = Some(listener);
            return Ok(Self {
                coming,
                dealt_with: reader.dealt_with.clone(),
            });
        }
        let (dealt_with, waits) = mpsc::channel();
        let _ = READER.set(Reader {
            listener: Mutex::new(Some(listener)),
            dealt_with: dealt_with.clone(),
        });
        std::thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || read(&waits))?;
        std::thread::Builder::new()
            .name("hangup".to_owned())
            .spawn(|| {
                if wait_for_the_end() {
                    hang_up();
                }
            })?;
        Ok(Self { coming, dealt_with })
    }

    /// Tells that one input was dealt with.
    pub(super) fn done(&self) {
        let _ = self.dealt_with.send(());
    }
}

impl Drop for Inputs {
    fn drop(&mut self) {
        // What was sent and not looked at is dealt with by being dropped; the thread waits for that.
        self.coming.close();
        while self.coming.try_recv().is_ok() {
            self.done();
        }
    }
}

/// Waits until the terminal is gone. Returns `false` when that cannot be told.
///
/// A terminal that goes (its emulator died, its connection broke) sends SIGHUP to the session that it controls, and to
/// nobody else; what reads it otherwise is told by nothing but an end of the input, which crossterm reads again and
/// again.
fn wait_for_the_end() -> bool {
    let input = io::stdin();
    if !input.is_terminal() {
        return false;
    }
    // No event is asked for: that the other side is gone is told in any case.
    let mut fds = [PollFd::new(&input, PollFlags::empty())];
    loop {
        match rustix::event::poll(&mut fds, None) {
            Ok(_) => {
                let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
                if fds[0].revents().intersects(gone) {
                    return true;
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// Ends the input: who listens hears it by the end of the channel.
fn hang_up() {
    if let Some(reader) = READER.get() {
        *reader
            .listener
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Hangs up when it is dropped: a session without keys ends, however the thread that reads them came to its end.
struct HangsUp;

impl Drop for HangsUp {
    fn drop(&mut self) {
        hang_up();
    }
}

fn read(dealt_with: &mpsc::Receiver<()>) {
    let _end = HangsUp;
    let Some(reader) = READER.get() else {
        return;
    };
    let listener = || {
        reader
            .listener
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    };
    let mut open = 0_usize;
    while let Ok(input) = crossterm::event::read() {
        let sent = listener()
            .as_ref()
            .is_some_and(|listener| listener.send(input).is_ok());
        // What comes between two sessions is nobody's.
        open += usize::from(sent);
        // What is there is taken at once; before waiting for more, all of it was dealt with: a key may have given the
        // terminal to an editor, whose keys are not to be read here.
        while open > 0 && !crossterm::event::poll(Duration::ZERO).unwrap_or(false) {
            if dealt_with.recv().is_err() {
                return;
            }
            open -= 1;
        }
    }
}
