//! A program that has to end in time, with everything that it started.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How much of an output is kept, in bytes.
const KEPT: u64 = 64 << 20;

/// How often it is looked whether a program has ended.
const GLANCE: Duration = Duration::from_millis(20);

/// A program that ended, or was ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// `None` when a signal ended it.
    pub(super) status: Option<i32>,
    pub(super) out: String,
    pub(super) log: String,
    pub(super) took: Duration,
    pub(super) timed_out: bool,
}

/// Runs a command for so long at most. What outlives that is ended with its process group.
pub(super) fn run(mut command: Command, longest: Duration) -> Result<Ended, String> {
    let began = Instant::now();
    let mut child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            format!(
                "cannot start `{}`: {error}",
                command.get_program().display()
            )
        })?;
    let out = reading(child.stdout.take());
    let log = reading(child.stderr.take());
    let mut timed_out = false;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if began.elapsed() > longest && !timed_out => {
                timed_out = true;
                end(&child);
            }
            Ok(None) => std::thread::sleep(GLANCE),
            Err(error) => return Err(format!("cannot wait for a program: {error}")),
        }
    };
    let took = began.elapsed();
    // What it left running would keep the pipes open.
    end(&child);
    let text = |reader: std::thread::JoinHandle<String>| reader.join().unwrap_or_default();
    Ok(Ended {
        status: status.code(),
        out: text(out),
        log: text(log),
        took,
        timed_out,
    })
}

fn end(child: &Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        // It may be gone already.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

fn reading(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What cannot be read is left out.
            let _ = pipe.by_ref().take(KEPT).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test starts a shell")]
    fn a_program_that_takes_too_long_is_ended_with_what_it_started() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo begun; sleep 600 & sleep 600"]);
        let ended = run(command, Duration::from_millis(300)).unwrap();
        assert!(ended.timed_out && ended.status.is_none());
        assert_eq!(ended.out, "begun\n");
        assert!(ended.took < Duration::from_secs(60));
    }
}
