//! A session's side of a keeper: each run has pipes of its own here, and their bytes go over the one way there is.

use std::collections::HashMap;
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::watch;

use super::wire::{self, Kind, PIECE};
use crate::mcp::{Life, Started};

/// The way to a keeper.
pub(super) struct Link {
    down: Mutex<File>,
    runs: Mutex<Runs>,
}

#[derive(Default)]
struct Runs {
    last: u32,
    running: HashMap<u32, Run>,
    /// The keeper has ended.
    is_over: bool,
}

struct Run {
    output: PipeWriter,
    errors: PipeWriter,
    exited: watch::Sender<Option<String>>,
}

/// Lets a run go when this is dropped.
struct Held {
    link: Arc<Link>,
    run: u32,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.link.say(self.run, Kind::End, b"");
    }
}

impl Link {
    /// Speaks to a keeper over its pipes; `child` where it is one of this process.
    ///
    /// # Errors
    /// When what listens to it cannot be started.
    pub(super) fn new(
        down: OwnedFd,
        up: OwnedFd,
        child: Option<Child>,
    ) -> std::io::Result<Arc<Self>> {
        let link = Arc::new(Self {
            down: Mutex::new(File::from(down)),
            runs: Mutex::default(),
        });
        let listening = Arc::clone(&link);
        // It ends with the keeper, which ends with this process.
        Builder::new()
            .name("containers".to_owned())
            .spawn(move || listening.listen(File::from(up), child))?;
        Ok(link)
    }

    /// Tells whether the keeper has ended.
    pub(super) fn is_over(&self) -> bool {
        self.runs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_over
    }

    /// Starts what the keeper knows.
    pub(super) fn start(self: &Arc<Self>) -> std::io::Result<Started> {
        let (from_host, input) = std::io::pipe()?;
        let (output, to_host) = std::io::pipe()?;
        let (errors, errors_to_host) = std::io::pipe()?;
        let (exited, told) = watch::channel(None);
        let run = {
            let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            if runs.is_over {
                return Err(std::io::ErrorKind::BrokenPipe.into());
            }
            runs.last = runs.last.wrapping_add(1);
            let run = runs.last;
            let pipes = Run {
                output: to_host,
                errors: errors_to_host,
                exited,
            };
            runs.running.insert(run, pipes);
            run
        };
        self.say(run, Kind::Start, b"");
        let held = Held {
            link: Arc::clone(self),
            run,
        };
        let link = Arc::clone(self);
        Builder::new()
            .name("container input".to_owned())
            .spawn(move || link.carry(run, from_host))?;
        Ok(Started {
            input: Box::new(ChildStdin::from_std(OwnedFd::from(input).into())?),
            output: Box::new(ChildStdout::from_std(OwnedFd::from(output).into())?),
            errors: Box::new(ChildStderr::from_std(OwnedFd::from(errors).into())?),
            life: Life::Kept {
                exited: told,
                held: Box::new(held),
            },
        })
    }

    /// Closes the way down, as the end of this process does it.
    #[cfg(test)]
    pub(super) fn hang_up(&self) {
        let nothing = File::open("/dev/null").expect("it is there");
        *self.down.lock().unwrap_or_else(PoisonError::into_inner) = nothing;
    }

    /// Says bytes that may be no piece.
    #[cfg(test)]
    pub(super) fn say_raw(&self, bytes: &[u8]) {
        let mut down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        down.write_all(bytes).expect("it is told");
    }

    fn say(&self, run: u32, kind: Kind, bytes: &[u8]) {
        let mut down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        // A keeper that is gone is noticed where it is listened to.
        let _ = wire::write(&mut *down, run, kind, bytes);
    }

    fn carry(&self, run: u32, mut from: PipeReader) {
        let mut buffer = vec![0; PIECE];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => self.say(run, Kind::Input, &buffer[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.say(run, Kind::InputEnd, b"");
    }

    fn listen(&self, mut up: File, child: Option<Child>) {
        while let Ok(Some(piece)) = wire::read(&mut up) {
            let stream = {
                let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
                match (piece.kind, runs.running.get(&piece.run)) {
                    (Kind::Output, Some(run)) => run.output.try_clone().ok(),
                    (Kind::Errors, Some(run)) => run.errors.try_clone().ok(),
                    (Kind::Ended, Some(_)) => {
                        if let Some(run) = runs.running.remove(&piece.run) {
                            let words = String::from_utf8_lossy(&piece.bytes).into_owned();
                            run.exited.send_replace(Some(words));
                        }
                        None
                    }
                    _ => None,
                }
            };
            if let Some(mut stream) = stream {
                // Who has let go of the run does not read any more.
                let _ = stream.write_all(&piece.bytes);
            }
        }
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.is_over = true;
        for (_, run) in runs.running.drain() {
            let words = "the process that keeps its container has ended";
            run.exited.send_replace(Some(words.to_owned()));
        }
        drop(runs);
        if let Some(mut child) = child {
            let _ = child.wait();
        }
    }
}
