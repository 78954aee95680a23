//! The keeper: knows the command line of one container's runtime, runs it as often as it is told to, and ends what it
//! has begun when it is told to or when nobody is left to tell.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::NAME;
use super::wire::{self, Kind, PIECE};
use crate::sandbox;

/// How long a server may take to end once its input is closed, and once it was told to.
const PARTING: Duration = Duration::from_secs(3);
/// How long the last of its words is waited for: something else may hold its pipes.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How many runs there can be at once: one, and those before it that are ending.
const AT_ONCE: usize = 4;
/// How much may wait for a server that does not read: a message is never longer.
const WAITING: usize = 64 << 20;

/// Is a keeper, if this process was started as one. Returns what went wrong, or an empty text when all is done.
pub fn act_as_keeper(mut arguments: impl Iterator<Item = OsString>) -> Option<String> {
    if arguments.next()? != NAME {
        return None;
    }
    sandbox::close_others(&[]);
    Some(keep(arguments.collect()).err().unwrap_or_default())
}

/// What a run is told.
enum Word {
    /// End it.
    End,
    /// The runtime has ended.
    Gone,
    /// One of its streams is at its end.
    Said,
}

struct Run {
    /// What goes to its input; nothing any more, once that was closed.
    input: Option<mpsc::Sender<Vec<u8>>>,
    waiting: Arc<AtomicUsize>,
    words: mpsc::Sender<Word>,
}

type Runs = Arc<Mutex<HashMap<u32, Run>>>;
type Up = Arc<Mutex<File>>;

fn keep(argv: Vec<OsString>) -> Result<(), String> {
    if argv.is_empty() {
        return Err("it is started by walden alone".to_owned());
    }
    let up = std::io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| error.to_string())?;
    serve(argv, std::io::stdin().lock(), File::from(up), PARTING);
    Ok(())
}

/// Does what a session says, until it says nothing more, and ends what still runs then.
pub(super) fn serve(argv: Vec<OsString>, mut down: impl Read, up: File, parting: Duration) {
    let (argv, up) = (Arc::new(argv), Arc::new(Mutex::new(up)));
    let runs: Runs = Arc::default();
    let mut running: Vec<JoinHandle<()>> = Vec::new();
    // Whatever is no piece is nobody's that is to be obeyed: then everything ends, as when the session has.
    while let Ok(Some(piece)) = wire::read(&mut down) {
        running.retain(|run| !run.is_finished());
        let mut known = runs.lock().unwrap_or_else(PoisonError::into_inner);
        let is_room = known.len() < AT_ONCE;
        match (piece.kind, known.get_mut(&piece.run)) {
            (Kind::Start, None) if is_room => match begin(&argv, piece.run, &up, &runs, parting) {
                Ok((run, thread)) => {
                    known.insert(piece.run, run);
                    running.push(thread);
                }
                Err(problem) => say(&up, piece.run, Kind::Ended, problem.as_bytes()),
            },
            (Kind::Start, None) => {
                say(
                    &up,
                    piece.run,
                    Kind::Ended,
                    b"too many of its runs are still ending",
                );
            }
            (Kind::Input, Some(run)) => run.feed(piece.bytes),
            (Kind::InputEnd, Some(run)) => run.input = None,
            (Kind::End, Some(run)) => run.end(),
            // It has ended by itself in between.
            _ => {}
        }
    }
    for run in runs
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .values_mut()
    {
        run.end();
    }
    for run in running {
        let _ = run.join();
    }
}

impl Run {
    fn feed(&mut self, bytes: Vec<u8>) {
        let waiting = self.waiting.fetch_add(bytes.len(), Ordering::Relaxed);
        match &self.input {
            Some(_) if waiting > WAITING => self.end(),
            // Who does not read any more is told nothing more.
            Some(input) => drop(input.send(bytes)),
            None => {}
        }
    }

    fn end(&mut self) {
        self.input = None;
        let _ = self.words.send(Word::End);
    }
}

fn say(up: &Up, run: u32, kind: Kind, bytes: &[u8]) {
    let mut up = up.lock().unwrap_or_else(PoisonError::into_inner);
    for piece in bytes.chunks(PIECE) {
        // A session that is gone hears nothing, and its end is noticed where it is listened to.
        let _ = wire::write(&mut *up, run, kind, piece);
    }
}

/// Starts the runtime, and what carries its streams.
fn begin(
    argv: &[OsString],
    number: u32,
    up: &Up,
    runs: &Runs,
    parting: Duration,
) -> Result<(Run, JoinHandle<()>), String> {
    let (runtime, rest) = argv.split_first().ok_or("it has no program")?;
    let name = name_of(number);
    let mut rest = rest.iter();
    let mut command = Command::new(runtime);
    command.args(rest.next());
    // By its name it can be ended when its runtime's program was not able to.
    let mut child = command
        .arg(format!("--name={name}"))
        .args(rest)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            format!(
                "cannot start the container's runtime `{}`: {error}",
                runtime.to_string_lossy()
            )
        })?;
    let failed = |error: std::io::Error| format!("cannot run its container: {error}");
    let (words, heard) = mpsc::channel();
    let (input, to_feed) = mpsc::channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    if let Some(stdin) = child.stdin.take() {
        let waiting = Arc::clone(&waiting);
        thread("input", move || feed(stdin, &to_feed, &waiting)).map_err(failed)?;
    }
    let mut streams = 0;
    let outputs = [
        (
            Kind::Output,
            child
                .stdout
                .take()
                .map(|one| Box::new(one) as Box<dyn Read + Send>),
        ),
        (
            Kind::Errors,
            child
                .stderr
                .take()
                .map(|one| Box::new(one) as Box<dyn Read + Send>),
        ),
    ];
    for (kind, stream) in outputs {
        let Some(stream) = stream else { continue };
        streams += 1;
        let (up, words) = (Arc::clone(up), words.clone());
        thread("output", move || {
            carry(stream, number, kind, &up);
            let _ = words.send(Word::Said);
        })
        .map_err(failed)?;
    }
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let gone = words.clone();
    thread("waiting", move || {
        // It is not reaped here, so that its number is no other's while it can be signalled.
        while pid.is_some_and(|pid| {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            matches!(
                waitid(WaitId::Pid(pid), options),
                Err(rustix::io::Errno::INTR)
            )
        }) {}
        let _ = gone.send(Word::Gone);
    })
    .map_err(failed)?;
    let (up, runs, runtime) = (Arc::clone(up), Arc::clone(runs), runtime.clone());
    let run = thread("run", move || {
        let ended = part(&mut child, pid, &heard, streams, parting);
        if ended.is_none_or(|status| status.code().is_none()) {
            remove(&runtime, &name);
        }
        say(&up, number, Kind::Ended, in_words(ended).as_bytes());
        runs.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&number);
    })
    .map_err(failed)?;
    let input = Some(input);
    Ok((
        Run {
            input,
            waiting,
            words,
        },
        run,
    ))
}

/// Waits for a run's end, and brings it about when told to. Returns its status, where it ended without being killed.
fn part(
    child: &mut Child,
    group: Option<Pid>,
    heard: &mpsc::Receiver<Word>,
    streams: usize,
    parting: Duration,
) -> Option<ExitStatus> {
    let mut said = 0;
    let mut is_gone = false;
    let mut killed = false;
    let mut steps = [Some(Signal::TERM), Some(Signal::KILL), None].into_iter();
    let mut patience: Option<Duration> = None;
    loop {
        let word = match patience {
            None => heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(patience) => heard.recv_timeout(patience),
        };
        match word {
            Ok(Word::Said) => said += 1,
            Ok(Word::Gone) => {
                is_gone = true;
                patience = Some(LAST_WORDS);
            }
            Ok(Word::End) if !is_gone => patience = patience.or(Some(parting)),
            Ok(Word::End) => {}
            Err(_) if is_gone => break,
            Err(_) => match steps.next().flatten() {
                Some(signal) => {
                    killed = signal == Signal::KILL;
                    if let Some(group) = group {
                        let _ = kill_process_group(group, signal);
                    }
                    patience = Some(parting);
                }
                None => break,
            },
        }
        if is_gone && said == streams {
            break;
        }
    }
    if let Some(group) = group {
        // Whatever is left of it.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let status = child.wait().ok();
    status.filter(|_| !killed)
}

/// Takes away what a runtime that was killed has left running.
fn remove(runtime: &OsStr, name: &str) {
    let mut command = Command::new(runtime);
    command.args(["rm", "--force"]);
    if Path::new(runtime)
        .file_name()
        .is_some_and(|name| name == "podman")
    {
        // It waits for ten seconds otherwise.
        command.args(["--time=0", "--ignore"]);
    }
    let _ = command
        .arg(name)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

fn in_words(ended: Option<ExitStatus>) -> String {
    let Some(status) = ended else {
        return "the container was ended, for it did not end by itself".to_owned();
    };
    match (status.code(), status.signal()) {
        // These are the runtime's own, unless the server means something else by them.
        (Some(code @ 125), _) => {
            format!("the container's runtime could not run it, or it ended with status {code}")
        }
        (Some(code @ (126 | 127)), _) => {
            format!("the image has no such command that can be run, or it ended with status {code}")
        }
        (Some(code), _) => format!("the server ended with status {code}"),
        (None, Some(signal)) => format!("the container's runtime was ended by signal {signal}"),
        (None, None) => format!("the server ended: {status}"),
    }
}

/// Names a run's container: no two runs have the same.
fn name_of(run: u32) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    format!("walden-{}-{run}-{:x}", std::process::id(), now.as_nanos())
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(work)
}

fn feed(mut stdin: ChildStdin, pieces: &mpsc::Receiver<Vec<u8>>, waiting: &AtomicUsize) {
    for bytes in pieces {
        let written = stdin.write_all(&bytes);
        waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
        if written.is_err() {
            return;
        }
    }
}

fn carry(mut from: impl Read, run: u32, kind: Kind, up: &Up) {
    let mut buffer = vec![0; PIECE];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => say(up, run, kind, &buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
