//! One run of a program: its output, bounded, and its end, bounded.

use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::live::{Live, Printed};
use crate::sandbox::{Launcher, Profile};

/// What is kept of an output: its beginning and its end, in bytes.
const HEAD: usize = 32 * 1024;
const TAIL: usize = 96 * 1024;

/// What bounds a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) time: Duration,
}

/// A run that ended.
#[derive(Debug)]
pub(super) struct Ran {
    /// Standard output and standard error, as they came; its middle may be left out.
    pub(super) output: String,
    /// `None` when a signal ended it.
    pub(super) status: Option<i32>,
    pub(super) timed_out: bool,
    pub(super) took: Duration,
}

/// Runs a command, confined. Dropping the future ends the program and everything in its process group.
///
/// What it prints is told to `live` as it comes.
pub(super) async fn run(
    launcher: &Launcher,
    argv: &[String],
    folder: &Path,
    profile: &Profile,
    limit: &Limit,
    live: Option<&Live>,
) -> Result<Ran, String> {
    make_private(&profile.scratch)?;
    let mut command = launcher
        .command(argv, folder, profile)
        .map_err(|error| error.to_string())?;
    let (mut reader, writer) =
        std::io::pipe().map_err(|error| format!("cannot make a pipe: {error}"))?;
    let again = writer
        .try_clone()
        .map_err(|error| format!("cannot make a pipe: {error}"))?;
    // Python takes a compiled file for current when the source has the same size and the same second: an edit that is
    // tried a moment after another would not be seen.
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdout(Stdio::from(writer))
        .stderr(Stdio::from(again));
    let began = Instant::now();
    let mut child = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot start `{}`: {error}", argv.join(" ")))?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)));
    // The pipe ends when the last process that holds it does: the group is ended first, so this thread ends.
    let printed = Printed::default();
    let reading = tokio::task::spawn_blocking({
        let printed = printed.clone();
        move || {
            let mut buffer = [0; 16 * 1024];
            while let Ok(read) = reader.read(&mut buffer) {
                if read == 0 {
                    break;
                }
                printed.take(&buffer[..read]);
            }
        }
    });
    let telling = async {
        if let Some(live) = live {
            live.follow(&printed).await;
        }
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        ended = tokio::time::timeout(limit.time, child.wait()) => ended,
        () = telling => unreachable!("it waits for ever"),
    };
    let took = began.elapsed();
    drop(group);
    let (status, timed_out) = match ended {
        Ok(Ok(status)) => (status.code(), false),
        Ok(Err(error)) => return Err(format!("cannot wait for `{}`: {error}", argv.join(" "))),
        Err(_) => {
            let _ = child.wait().await;
            (None, true)
        }
    };
    // A process that left the group may hold the pipe for ever.
    let _ = tokio::time::timeout(Duration::from_secs(2), reading).await;
    let output = printed.text();
    Ok(Ran {
        output,
        status,
        timed_out,
        took,
    })
}

/// The process group of a run, ended with it.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

fn make_private(dir: &Path) -> Result<(), String> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| format!("cannot make the folder `{}`: {error}", dir.display()))
}

/// The beginning and the end of an output.
#[derive(Debug, Default)]
pub(super) struct Kept {
    head: Vec<u8>,
    tail: Vec<u8>,
    left_out: usize,
}

impl Kept {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let room = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        let (head, rest) = bytes.split_at(room);
        self.head.extend_from_slice(head);
        self.tail.extend_from_slice(rest);
        if self.tail.len() > 2 * TAIL {
            let cut = self.tail.len() - TAIL;
            self.tail.drain(..cut);
            self.left_out += cut;
        }
    }

    /// Returns how many bytes came.
    pub(super) fn len(&self) -> usize {
        self.head.len() + self.left_out + self.tail.len()
    }

    /// Returns the last bytes, as many as these at most.
    pub(super) fn tail(&self, most: usize) -> Vec<u8> {
        let tail = &self.tail[self.tail.len().saturating_sub(most)..];
        // What stands before them is only at hand while nothing was left out.
        let room = if self.left_out == 0 {
            most - tail.len()
        } else {
            0
        };
        let head = &self.head[self.head.len().saturating_sub(room)..];
        [head, tail].concat()
    }

    pub(super) fn text(self) -> String {
        let mut text = String::from_utf8_lossy(&self.head).into_owned();
        if self.left_out > 0 {
            text.push_str(&format!("\n[{} bytes left out]\n", self.left_out));
        }
        text.push_str(&String::from_utf8_lossy(&self.tail));
        text
    }
}
