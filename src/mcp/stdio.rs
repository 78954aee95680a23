//! Servers that are child processes, confined by the sandbox and spoken to over pipes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::process::Child;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::container::{Life, Started};
use super::lines::{Line, Lines};
use super::log::Log;
use super::wire::{Received, WAITING, Wire};
use crate::sandbox::{self, Lacking, Launcher, Limits, Metadata, Profile};

/// The longest message of a server. Pictures come as text in one line.
const MESSAGE: usize = 64 << 20;
/// How long a server may take to end by itself, and after it was told to.
const PARTING: Duration = Duration::from_millis(1500);
/// How long the rest of an ended server's words is waited for: a child of its own may hold the pipe for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How a server is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    /// The program and its arguments.
    pub(super) argv: Vec<String>,
    /// Variables that are set for it, besides those that every confined program gets.
    pub(super) env: Vec<(String, String)>,
    /// Where it works.
    pub(super) folder: PathBuf,
    /// What it may read and write, besides the system and its own scratch folder.
    pub(super) read: Vec<PathBuf>,
    pub(super) write: Vec<PathBuf>,
    /// What is done where the kernel cannot confine it.
    pub(super) lacking: Lacking,
    /// `argv` is the whole command line of a container's runtime, which confines it.
    pub(super) in_container: bool,
}

/// A started server.
pub(super) struct Process {
    group: Option<Pid>,
    /// The child's end; its status in words.
    exited: watch::Receiver<Option<String>>,
    /// What keeps it alive, where it is no child of this process.
    held: Option<Box<dyn Send + Sync>>,
    watching: JoinSet<()>,
}

/// Starts a server.
pub(super) fn start(
    program: &Program,
    launcher: &Launcher,
    scratch: &Path,
    log: &Arc<Log>,
) -> Result<(Wire, Process), String> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(scratch)
        .map_err(|error| format!("cannot make the folder `{}`: {error}", scratch.display()))?;
    let profile = Profile {
        read: program.read.clone(),
        write: program.write.clone(),
        scratch: scratch.to_owned(),
        metadata: Metadata::Kept,
        lacking: program.lacking,
        limits: Limits {
            // A server lives as long as its session.
            cpu_seconds: 24 * 3600,
            // Node reserves far more than it uses.
            memory: 0,
            ..Limits::default()
        },
    };
    let mut command = launcher
        .command_with(&program.argv, &program.folder, &profile, &program.env)
        .map_err(|error| error.to_string())?;
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot start `{}`: {error}", program.argv.join(" ")))?;
    let (Some(input), Some(output), Some(errors)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err("its pipes are not there".to_owned());
    };
    let started = Started {
        input: Box::new(input),
        output: Box::new(output),
        errors: Box::new(errors),
        life: Life::Child(Box::new(child)),
    };
    Ok(speak(started, program, log))
}

/// Speaks to a server that was started.
pub(super) fn speak(started: Started, program: &Program, log: &Arc<Log>) -> (Wire, Process) {
    let Started {
        input,
        output,
        mut errors,
        life,
    } = started;
    let mut watching = JoinSet::new();
    let (group, exited, held) = match life {
        Life::Child(child) => {
            let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
            let (exit, exited) = watch::channel(None);
            watching.spawn(watch_child(*child, exit, program.lacking));
            (group, exited, None)
        }
        Life::Kept { exited, held } => (None, exited, Some(held)),
    };
    let log = Arc::clone(log);
    watching.spawn(async move {
        let mut buffer = [0; 8 * 1024];
        while let Ok(read @ 1..) = errors.read(&mut buffer).await {
            log.take(&buffer[..read]);
        }
    });
    let (outgoing, to_send) = mpsc::channel(WAITING);
    let (received, incoming) = mpsc::channel(WAITING);
    let mut tasks = JoinSet::new();
    tasks.spawn(write(input, to_send));
    tasks.spawn(read(output, received, exited.clone()));
    let wire = Wire {
        outgoing,
        incoming,
        tasks,
        stop: None,
    };
    let process = Process {
        group,
        exited,
        held,
        watching,
    };
    (wire, process)
}

impl Process {
    /// Waits until the server has ended by itself (its input is closed by now), tells it to, and then ends it and all
    /// that it has started.
    pub(super) async fn close(mut self) {
        if self.held.take().is_some() {
            // Whoever started it ends it now.
            return;
        }
        for signal in [None, Some(Signal::TERM)] {
            if let (Some(group), Some(signal)) = (self.group, signal) {
                let _ = kill_process_group(group, signal);
            }
            let ended = self.exited.wait_for(Option::is_some);
            if tokio::time::timeout(PARTING, ended).await.is_ok() {
                break;
            }
        }
        // The rest happens when this is dropped.
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // Whatever is left of it: the group outlives its leader while a child of it runs.
            let _ = kill_process_group(group, Signal::KILL);
        }
        self.watching.abort_all();
    }
}

async fn watch_child(mut child: Child, exit: watch::Sender<Option<String>>, lacking: Lacking) {
    let words = match child.wait().await {
        Ok(status) => match status.code() {
            Some(sandbox::REFUSED) if lacking == Lacking::Refused => format!(
                "it was not started, or ended with status {}: what this machine cannot confine is not started, unless \
                 you accept that of it by `\"sandbox\": {{\"weaker\": true}}` in its entry",
                sandbox::REFUSED
            ),
            Some(code) => format!("the server ended with status {code}"),
            None => format!("the server ended: {status}"),
        },
        Err(error) => format!("the server cannot be waited for: {error}"),
    };
    exit.send_replace(Some(words));
}

async fn write(mut stdin: impl AsyncWrite + Unpin, mut to_send: mpsc::Receiver<Value>) {
    while let Some(message) = to_send.recv().await {
        let mut line = message.to_string();
        line.push('\n');
        if stdin.write_all(line.as_bytes()).await.is_err() || stdin.flush().await.is_err() {
            // The reader tells that the server is gone.
            return;
        }
    }
}

async fn read(
    stdout: impl AsyncRead + Unpin,
    received: mpsc::Sender<Received>,
    mut exited: watch::Receiver<Option<String>>,
) {
    let mut lines = Lines::new(stdout, MESSAGE);
    let mut give_up: Option<tokio::time::Instant> = None;
    loop {
        let line = tokio::select! {
            biased;
            line = lines.next() => line,
            _ = exited.wait_for(Option::is_some), if give_up.is_none() => {
                give_up = Some(tokio::time::Instant::now() + LAST_WORDS);
                continue;
            }
            () = tokio::time::sleep_until(give_up.unwrap_or_else(tokio::time::Instant::now)), if give_up.is_some() => {
                Line::End(Vec::new())
            }
        };
        let message = match line {
            Line::Whole(line) => match line.trim_ascii() {
                b"" => continue,
                line => parse(line),
            },
            Line::TooLong { head, bytes } => Received::Unreadable {
                id: id_in(&head),
                problem: format!(
                    "the server's answer has {} MiB; at most {} MiB are taken",
                    bytes >> 20,
                    MESSAGE >> 20
                ),
            },
            Line::End(rest) => {
                if !rest.is_empty() {
                    let problem = "the server's last message ended in the middle".to_owned();
                    let id = id_in(&rest);
                    let _ = received.send(Received::Unreadable { id, problem }).await;
                }
                // The status says more than the end of the pipe does.
                let words =
                    tokio::time::timeout(LAST_WORDS, exited.wait_for(Option::is_some)).await;
                let words = words
                    .ok()
                    .and_then(Result::ok)
                    .and_then(|words| words.clone())
                    .unwrap_or_else(|| "the server closed its output".to_owned());
                let _ = received.send(Received::Ended(words)).await;
                return;
            }
        };
        if received.send(message).await.is_err() {
            return;
        }
    }
}

fn parse(line: &[u8]) -> Received {
    match line.first() {
        Some(b'{' | b'[') => match serde_json::from_slice(line) {
            Ok(message) => Received::Message(message),
            // A banner may begin with a bracket: what names no version of the protocol was not meant as a message.
            Err(_) if !contains(line, b"\"jsonrpc\"") => noise(line),
            Err(error) => Received::Unreadable {
                id: id_in(line),
                problem: format!("the server's answer is not valid JSON: {error}"),
            },
        },
        _ => noise(line),
    }
}

fn noise(line: &[u8]) -> Received {
    let line = &line[..line.len().min(1_000)];
    Received::Noise(String::from_utf8_lossy(line).into_owned())
}

fn contains(line: &[u8], word: &[u8]) -> bool {
    line.windows(word.len()).any(|window| window == word)
}

/// Finds the id in the beginning of a message that cannot be read.
fn id_in(head: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(&head[..head.len().min(4096)]);
    let (before, rest) = text.split_once("\"id\"")?;
    if before.contains("\"result\"") || before.contains("\"method\"") {
        return None;
    }
    let digits: String = rest
        .trim_start_matches([' ', ':', '"'])
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_that_a_broken_answer_belongs_to_is_found() {
        assert_eq!(id_in(br#"{"jsonrpc":"2.0","id": 17,"result":{"#), Some(17));
        assert_eq!(id_in(br#"{"id":"4","result":{"#), Some(4));
        assert_eq!(id_in(br#"{"result":{"id":3"#), None);
        assert_eq!(id_in(b"garbage"), None);
    }

    #[test]
    fn a_banner_is_noise_and_a_torn_answer_is_not() {
        assert!(matches!(parse(b"[info] ready"), Received::Noise(_)));
        assert!(matches!(parse(b"Server 1.0"), Received::Noise(_)));
        assert!(matches!(
            parse(br#"{"jsonrpc":"2.0","id":3,"result":{"#),
            Received::Unreadable { id: Some(3), .. }
        ));
    }
}
