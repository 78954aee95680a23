//! Who starts containers. A sealed session cannot: it has no sockets and no namespaces, which every runtime needs. So
//! for each server that the user put into a container a *keeper* is started before the seal: this program under another
//! name, which knows one command line and waits. When the session has the user's word it says `start`, as often as the
//! server is started, and the keeper runs the runtime and carries its streams; when the session lets go, or ends in any
//! way, the container is ended.
//!
//! A keeper does nothing else, and can be told nothing else: neither another command, nor another image, nor another
//! variable. It is not sealed, for a runtime cannot do its work in a seal, but it holds nothing: no file of the
//! repository, no pipe but the two to its session, and of the variables those of the runtime and the server's own.

#![expect(
    clippy::disallowed_methods,
    reason = "starts the runtimes of containers, and this very program under another name"
)]

mod keep;
mod link;
#[cfg(test)]
mod tests;
mod wire;

use std::ffi::OsString;
use std::os::fd::{AsRawFd as _, IntoRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

pub use keep::act_as_keeper;
use link::Link;

use crate::error::UserError;
use crate::mcp::config::Source;
use crate::mcp::{Contained, RUNTIME_VARIABLES, StartContainer, Started, container_argv};
use crate::sandbox;
use crate::workspace;

/// The name under which this program keeps a container.
const NAME: &str = "walden-container";

/// Tells the worker of the keepers and of its pipes to them.
const DESCRIPTORS: &str = "WALDEN_CONTAINERS";

/// A keeper, as the worker is told of it: its server, the hash of the command line and the variables that it knows, and
/// the worker's ends of what it hears and what it says.
type Told = (String, String, [i32; 2]);

/// A keeper that runs.
struct Keeper {
    server: String,
    knows: String,
    way: Way,
}

enum Way {
    /// Its pipes, as they were left: no thread was to be started then.
    Pipes(OwnedFd, OwnedFd),
    Link(Arc<Link>),
}

static KEEPERS: Mutex<Vec<Keeper>> = Mutex::new(Vec::new());

fn hash_of(argv: &[String], env: &[(String, String)]) -> String {
    workspace::hash_of(format!("{argv:?}{env:?}").as_bytes()).0
}

/// Starts a keeper, and returns it with the pipes that it hears and speaks over.
fn start_keeper(
    argv: &[String],
    env: &[(String, String)],
) -> std::io::Result<(Child, OwnedFd, OwnedFd)> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg0(NAME)
        .args(argv)
        .env_clear()
        .envs(runtime_environment())
        .envs(env.iter().map(|(name, value)| (name, value)))
        // The repository is not its business; a runtime takes its folders from its command line.
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // The terminal is the session's.
        .stderr(Stdio::null())
        // A key that ends the worker is not the keeper's; it ends with its pipe.
        .process_group(0)
        .spawn()?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(down), Some(up)) => Ok((child, down.into(), up.into())),
        _ => Err(std::io::ErrorKind::BrokenPipe.into()),
    }
}

fn runtime_environment() -> impl Iterator<Item = (&'static str, OsString)> {
    RUNTIME_VARIABLES
        .iter()
        .filter_map(|name| Some((*name, std::env::var_os(name)?)))
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
    let mut keepers: Vec<Told> = Vec::new();
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
        let (_, down, up) = start_keeper(&argv, &env).map_err(failed)?;
        keepers.push((
            definition.name.clone(),
            hash_of(&argv, &env),
            [down.as_raw_fd(), up.as_raw_fd()],
        ));
        open.extend([down, up]);
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
    let told: Vec<Told> = serde_json::from_str(&told).unwrap_or_default();
    let mut kept = Vec::new();
    let mut keepers = KEEPERS.lock().unwrap_or_else(PoisonError::into_inner);
    for (server, knows, numbers) in told {
        let [Some(down), Some(up)] = numbers.map(sandbox::inherited_pipe) else {
            continue;
        };
        kept.extend(numbers);
        keepers.push(Keeper {
            server,
            knows,
            way: Way::Pipes(down, up),
        });
    }
    kept
}

/// Returns who starts containers here: the keepers from before the seal in a sealed session, and in any other those
/// that are started when they are wanted.
pub(super) fn starter() -> Arc<dyn StartContainer> {
    Arc::new(Keepers)
}

struct Keepers;

impl StartContainer for Keepers {
    fn start(
        &self,
        server: &str,
        argv: &[String],
        env: &[(String, String)],
    ) -> Result<Started, String> {
        let failed = |error: std::io::Error| format!("cannot start its container: {error}");
        let knows = hash_of(argv, env);
        let mut keepers = KEEPERS.lock().unwrap_or_else(PoisonError::into_inner);
        let link = match sandbox::sealed() {
            Some(_) => known(&mut keepers, server, &knows)?,
            None => started(&mut keepers, server, &knows, argv, env).map_err(failed)?,
        };
        link.start().map_err(failed)
    }
}

/// Finds the keeper that was started before the seal.
fn known(keepers: &mut Vec<Keeper>, server: &str, knows: &str) -> Result<Arc<Link>, String> {
    let at = keepers
        .iter()
        .position(|one| one.server == server)
        .ok_or(
            "a sealed session starts no container that was not configured when it began; start walden again",
        )?;
    if keepers[at].knows != knows {
        return Err(
            "its entry is another one than when this session began; start walden again".to_owned(),
        );
    }
    let Keeper { server, knows, way } = keepers.swap_remove(at);
    let link = match way {
        Way::Link(link) => link,
        Way::Pipes(down, up) => Link::new(down, up, None)
            .map_err(|error| format!("its keeper cannot be spoken to: {error}"))?,
    };
    keepers.push(Keeper {
        server,
        knows,
        way: Way::Link(Arc::clone(&link)),
    });
    match link.is_over() {
        true => {
            Err("the process that keeps its container has ended; start walden again".to_owned())
        }
        false => Ok(link),
    }
}

/// Finds a keeper of this command line, or starts one.
fn started(
    keepers: &mut Vec<Keeper>,
    server: &str,
    knows: &str,
    argv: &[String],
    env: &[(String, String)],
) -> std::io::Result<Arc<Link>> {
    let found = keepers.iter().find_map(|one| match &one.way {
        Way::Link(link) if one.knows == knows && !link.is_over() => Some(Arc::clone(link)),
        _ => None,
    });
    if let Some(link) = found {
        return Ok(link);
    }
    let (child, down, up) = start_keeper(argv, env)?;
    let link = Link::new(down, up, Some(child))?;
    keepers.retain(|one| one.knows != knows);
    keepers.push(Keeper {
        server: server.to_owned(),
        knows: knows.to_owned(),
        way: Way::Link(Arc::clone(&link)),
    });
    Ok(link)
}
