//! Who starts containers. A sealed session cannot: it has no sockets and no namespaces, which every runtime needs. So
//! for each server that the user put into a container a few *keepers* are started before the seal: this program under
//! another name, which knows one command line and waits. When the session has the user's word it says `go`, and the
//! keeper starts the runtime between the session's pipes; when the session lets go, or ends in any way, it is ended.
//!
//! A keeper does nothing else, and can be told nothing else.

#![expect(
    clippy::disallowed_methods,
    reason = "starts the runtimes of containers, and this very program under another name"
)]

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd as _, IntoRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use crate::error::UserError;
use crate::mcp::config::Source;
use crate::mcp::{Contained, RUNTIME_VARIABLES, StartContainer, Started, container_argv};
use crate::sandbox;
use crate::workspace;

/// The name under which this program keeps a container.
const NAME: &str = "walden-container";

/// Tells the worker of the keepers and of its pipes to them.
const DESCRIPTORS: &str = "WALDEN_CONTAINERS";

/// How often a server can be started in a session: each start takes a keeper.
const KEEPERS: usize = 3;

/// How long a server may take to end once its input is closed, and once it was told to.
const PARTING: Duration = Duration::from_secs(3);

/// A keeper, as the worker is told of it: its server, the hash of the command line and the variables that it knows, and
/// the worker's ends of its input, its output, its errors and what it is told by.
type Keeper = (String, String, [i32; 4]);

/// The pipes to a keeper.
struct Pipes {
    server: String,
    knows: String,
    input: OwnedFd,
    output: OwnedFd,
    errors: OwnedFd,
    control: OwnedFd,
}

static PIPES: Mutex<Vec<Pipes>> = Mutex::new(Vec::new());

fn hash_of(argv: &[String], env: &[(String, String)]) -> String {
    workspace::hash_of(format!("{argv:?}{env:?}").as_bytes()).0
}

/// Starts the keepers of a repository's session, and returns what the worker's environment is to say.
///
/// # Errors
/// When one cannot be started.
pub(super) fn start(root: &Path) -> Result<Option<(&'static str, String)>, UserError> {
    let failed = |error: std::io::Error| {
        UserError::failure(format!(
            "cannot start the process that keeps a container: {error}"
        ))
    };
    let mut keepers: Vec<Keeper> = Vec::new();
    let mut open: Vec<OwnedFd> = Vec::new();
    for definition in super::mcp::configured(root).definitions {
        if definition.disabled || definition.source != Source::User {
            continue;
        }
        // What cannot be started is told when it is asked for.
        let Some(Ok(Contained { argv, env, .. })) = container_argv(&definition, &[root.to_owned()])
        else {
            continue;
        };
        for _ in 0..KEEPERS {
            let (control, told) = std::io::pipe().map_err(failed)?;
            rustix::io::fcntl_setfd(&control, rustix::io::FdFlags::empty())
                .map_err(|error| failed(error.into()))?;
            let mut child = Command::new(std::env::current_exe().map_err(failed)?)
                .arg0(NAME)
                .arg(control.as_raw_fd().to_string())
                .args(&argv)
                .env_clear()
                .envs(runtime_environment())
                .envs(env.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                // A key that ends the worker is not the keeper's; it ends with its pipe.
                .process_group(0)
                .spawn()
                .map_err(failed)?;
            let (Some(input), Some(output), Some(errors)) =
                (child.stdin.take(), child.stdout.take(), child.stderr.take())
            else {
                continue;
            };
            let ends = [
                OwnedFd::from(input),
                OwnedFd::from(output),
                OwnedFd::from(errors),
                OwnedFd::from(told),
            ];
            keepers.push((
                definition.name.clone(),
                hash_of(&argv, &env),
                ends.each_ref().map(|end| end.as_raw_fd()),
            ));
            open.extend(ends);
        }
    }
    if keepers.is_empty() {
        return Ok(None);
    }
    for end in open {
        // The worker is this process under another program: its pipes stay open for it.
        rustix::io::fcntl_setfd(&end, rustix::io::FdFlags::empty())
            .map_err(|error| failed(error.into()))?;
        let _ = end.into_raw_fd();
    }
    let told = serde_json::to_string(&keepers).map_err(UserError::from_error)?;
    Ok(Some((DESCRIPTORS, told)))
}

/// Takes over the pipes that the launcher left, and returns their numbers: they are to outlive the seal.
pub(super) fn take_pipes() -> Vec<i32> {
    let told = std::env::var(DESCRIPTORS).unwrap_or_default();
    let keepers: Vec<Keeper> = serde_json::from_str(&told).unwrap_or_default();
    let mut kept = Vec::new();
    let mut pipes = PIPES.lock().unwrap_or_else(PoisonError::into_inner);
    for (server, knows, numbers) in keepers {
        let [Some(input), Some(output), Some(errors), Some(control)] =
            numbers.map(sandbox::inherited_pipe)
        else {
            continue;
        };
        kept.extend(numbers);
        pipes.push(Pipes {
            server,
            knows,
            input,
            output,
            errors,
            control,
        });
    }
    kept
}

/// Returns who starts containers here: keepers in a sealed session, this process itself in any other.
pub(super) fn starter() -> Arc<dyn StartContainer> {
    match sandbox::sealed() {
        Some(_) => Arc::new(Kept),
        None => Arc::new(Direct),
    }
}

fn runtime_environment() -> impl Iterator<Item = (&'static str, OsString)> {
    RUNTIME_VARIABLES
        .iter()
        .filter_map(|name| Some((*name, std::env::var_os(name)?)))
}

struct Kept;

impl StartContainer for Kept {
    fn start(
        &self,
        server: &str,
        argv: &[String],
        env: &[(String, String)],
    ) -> Result<Started, String> {
        let mut pipes = PIPES.lock().unwrap_or_else(PoisonError::into_inner);
        let knows = hash_of(argv, env);
        let Some(at) = pipes.iter().position(|one| one.server == server) else {
            return Err(
                "a sealed session starts a container's server a few times only, and none that was not configured when \
                 it began; start walden again"
                    .to_owned(),
            );
        };
        if pipes[at].knows != knows {
            return Err(
                "its entry is another one than when this session began; start walden again"
                    .to_owned(),
            );
        }
        let Pipes {
            input,
            output,
            errors,
            control,
            ..
        } = pipes.remove(at);
        let failed = |error: std::io::Error| format!("its pipes cannot be used: {error}");
        let mut control = std::fs::File::from(control);
        control.write_all(b"g").map_err(failed)?;
        Ok(Started {
            input: Box::new(ChildStdin::from_std(input.into()).map_err(failed)?),
            output: Box::new(ChildStdout::from_std(output.into()).map_err(failed)?),
            errors: Box::new(ChildStderr::from_std(errors.into()).map_err(failed)?),
            child: None,
            kept: Some(Box::new(control)),
        })
    }
}

struct Direct;

impl StartContainer for Direct {
    fn start(&self, _: &str, argv: &[String], env: &[(String, String)]) -> Result<Started, String> {
        let failed = |problem: &str| format!("cannot start the container's runtime: {problem}");
        let (program, rest) = argv
            .split_first()
            .ok_or_else(|| failed("it has no program"))?;
        let mut child = tokio::process::Command::new(program)
            .args(rest)
            .env_clear()
            .envs(runtime_environment())
            .envs(env.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(&error.to_string()))?;
        let (Some(input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(failed("its pipes are not there"));
        };
        Ok(Started {
            input: Box::new(input),
            output: Box::new(output),
            errors: Box::new(errors),
            child: Some(child),
            kept: None,
        })
    }
}

/// Is a keeper, if this process was started as one. Returns what went wrong, or an empty text when all is done.
pub fn act_as_keeper(mut arguments: impl Iterator<Item = OsString>) -> Option<String> {
    if arguments.next()? != NAME {
        return None;
    }
    Some(keep(arguments).err().unwrap_or_default())
}

fn keep(mut arguments: impl Iterator<Item = OsString>) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let number = arguments
        .next()
        .and_then(|number| number.to_str()?.parse().ok())
        .ok_or("it is started by walden alone")?;
    sandbox::close_others(&[number]);
    let control = sandbox::inherited_pipe(number).ok_or("it is started by walden alone")?;
    let mut control = std::fs::File::from(control);
    let mut go = [0];
    if control.read(&mut go).map_err(failed)? == 0 {
        // The session ended, and had no use for it.
        return Ok(());
    }
    let program = arguments.next().ok_or("it has no program")?;
    let mut child = Command::new(&program)
        .args(arguments)
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot start `{}`: {error}", program.to_string_lossy()))?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    std::thread::Builder::new()
        .name("parting".to_owned())
        .spawn(move || {
            // Nothing more is said: it ends when the session lets go, however that came about.
            while control.read(&mut go).is_ok_and(|read| read > 0) {}
            for signal in [Signal::TERM, Signal::KILL] {
                std::thread::sleep(PARTING);
                if let Some(group) = group {
                    let _ = kill_process_group(group, signal);
                }
            }
        })
        .map_err(failed)?;
    child.wait().map_err(failed)?;
    Ok(())
}
