//! The broker's process: started before the session's is sealed, where the user's own configuration allows addresses.

#![expect(
    clippy::disallowed_methods,
    reason = "starts this very program under another name"
)]

use std::ffi::OsString;
use std::os::fd::{AsFd as _, IntoRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::unix::pipe::{Receiver, Sender};

use crate::audit::{Audit, Connection, Entry};
use crate::broker::{Allowed, Broker, Bytes, Dial, Dialed, Note, Target, Tls, dial_tcp, serve};
use crate::config::Config;
use crate::error::UserError;
use crate::net::{Connect, Connecting, Encryption, Origin, Stream};
use crate::sandbox::{self, Files, Network, Seal};

/// The name under which this program is the broker.
const NAME: &str = "walden-broker";

/// Tells the worker which descriptors lead from and to the broker.
const DESCRIPTORS: &str = "WALDEN_BROKER";

/// What resolvers read besides `/etc`.
const RESOLVERS: &[&str] = &[
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/run/connman",
];

/// The worker's pipes from and to the broker, until the session takes them.
static PIPES: Mutex<Option<(OwnedFd, OwnedFd)>> = Mutex::new(None);

/// Starts the broker, if the configuration allows addresses, and returns what the worker's environment is to say.
///
/// # Errors
/// When an address is none, or the broker cannot be started.
pub(super) fn start(
    config: &Config,
    state: &Path,
) -> Result<Option<(&'static str, String)>, UserError> {
    let entries = config.network.as_ref().map_or(&[][..], |net| &net.allow);
    let allowed = Allowed::parse(entries).map_err(|error| {
        UserError::usage(format!(
            "the configuration's [network] allow is wrong: {error}"
        ))
    })?;
    if allowed.is_empty() {
        return Ok(None);
    }
    let failed = |error: std::io::Error| {
        UserError::failure(format!(
            "cannot start the process that connects for walden: {error}"
        ))
    };
    let mut child = std::process::Command::new(std::env::current_exe().map_err(failed)?)
        .arg0(NAME)
        .arg(state)
        .args(entries)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // A key that ends the worker is not the broker's; it ends with its pipe.
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let (Some(from), Some(to)) = (child.stdout.take(), child.stdin.take()) else {
        return Ok(None);
    };
    let (from, to) = (OwnedFd::from(from), OwnedFd::from(to));
    for end in [&from, &to] {
        // The worker is this process under another program: its pipes stay open for it.
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::empty())
            .map_err(|error| failed(error.into()))?;
    }
    let ends = format!("{},{}", from.into_raw_fd(), to.into_raw_fd());
    Ok(Some((DESCRIPTORS, ends)))
}

/// Takes over the pipes that the launcher left, and returns their numbers: they are to outlive the seal.
pub(super) fn take_pipes() -> Vec<i32> {
    let Ok(named) = std::env::var(DESCRIPTORS) else {
        return Vec::new();
    };
    let numbers: Vec<i32> = named
        .split(',')
        .filter_map(|number| number.parse().ok())
        .collect();
    let [from, to] = numbers[..] else {
        return Vec::new();
    };
    let ends = sandbox::inherited_pipe(from).zip(sandbox::inherited_pipe(to));
    match ends {
        Some(ends) => {
            *PIPES.lock().unwrap_or_else(PoisonError::into_inner) = Some(ends);
            numbers
        }
        None => Vec::new(),
    }
}

/// Speaks to the broker, where there is one; to be called once, inside a runtime.
///
/// # Errors
/// When the pipes are none.
pub fn broker() -> std::io::Result<Option<Broker>> {
    let ends = PIPES.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some((from, to)) = ends else {
        return Ok(None);
    };
    Ok(Some(Broker::start(
        Receiver::from_owned_fd(from)?,
        Sender::from_owned_fd(to)?,
    )))
}

/// Is the broker, if this process was started as one. Returns what went wrong, or an empty text when all is done.
pub fn act_as_broker(mut arguments: impl Iterator<Item = OsString>) -> Option<String> {
    if arguments.next()? != NAME {
        return None;
    }
    let state = arguments.next().map(PathBuf::from).unwrap_or_default();
    let entries: Vec<String> = arguments
        .map(|entry| entry.to_string_lossy().into_owned())
        .collect();
    Some(run(&state, &entries).err().unwrap_or_default())
}

fn run(state: &Path, entries: &[String]) -> Result<(), String> {
    let allowed = Allowed::parse(entries).map_err(|error| error.to_string())?;
    let name = format!("network-{}", std::process::id());
    // Opened before the files are out of reach: nobody else is asked to note what this process does.
    let mut audit =
        Audit::open(state, &name, crate::protocol::redact).map_err(|error| error.to_string())?;
    let began = Entry::Network {
        allowed: allowed.to_string(),
    };
    audit.write(began).map_err(|error| error.to_string())?;
    // Whose certificates to believe is read before the files are out of reach.
    let encryption = Encryption::new().map_err(|error| error.to_string())?;
    let mut read: Vec<PathBuf> = RESOLVERS.iter().map(PathBuf::from).collect();
    read.extend(std::env::var_os("SSL_CERT_FILE").map(PathBuf::from));
    sandbox::seal(
        &Seal {
            files: Files::Kept {
                roots: 0,
                read,
                write: Vec::new(),
            },
            network: Network::Open,
        },
        &audit.descriptors(),
    )
    .map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime
        .block_on(async {
            let from = std::io::stdin().as_fd().try_clone_to_owned()?;
            let to = std::io::stdout().as_fd().try_clone_to_owned()?;
            let note = |note: &Note| {
                if let Err(error) = audit.write(Entry::Connection(connection(note))) {
                    tracing::warn!("a connection cannot be noted: {error}");
                }
            };
            serve(
                Receiver::from_owned_fd(from)?,
                Sender::from_owned_fd(to)?,
                allowed,
                dialer(encryption),
                note,
            )
            .await
        })
        .map_err(|error| error.to_string())
}

fn dialer(encryption: Encryption) -> Dial {
    Arc::new(move |target: Target| {
        let encryption = encryption.clone();
        Box::pin(async move {
            let (stream, address) = dial_tcp(&target).await?;
            let bytes: Box<dyn Bytes> = match target.tls {
                Tls::Plain => Box::new(stream),
                Tls::Encrypted => Box::new(encryption.over(stream, &target.host).await?),
            };
            Ok(Dialed { bytes, address })
        })
    })
}

/// Connections that the broker makes: what HTTP speaks over in a process that can make none.
#[derive(Clone)]
pub struct Brokered(pub Arc<Broker>);

impl Connect for Brokered {
    fn connect(&self, origin: &Origin) -> Connecting {
        let broker = self.0.clone();
        let target = Target {
            host: origin.host().to_owned(),
            port: origin.port(),
            tls: match origin.tls() {
                true => Tls::Encrypted,
                false => Tls::Plain,
            },
        };
        Box::pin(async move {
            let bytes = broker
                .connect(target)
                .await
                .map_err(std::io::Error::other)?;
            let stream: Box<dyn Stream> = Box::new(bytes);
            Ok(stream)
        })
    }
}

fn connection(note: &Note) -> Connection {
    let of = |target: &Target, result: &str| Connection {
        host: target.host.clone(),
        port: target.port,
        encrypted: target.tls == Tls::Encrypted,
        result: result.to_owned(),
        address: None,
        reason: None,
        sent: None,
        received: None,
    };
    match note {
        Note::Refused { target, reason } => Connection {
            reason: Some(reason.clone()),
            ..of(target, "refused")
        },
        Note::Opened { target, address } => Connection {
            address: Some(address.to_string()),
            ..of(target, "opened")
        },
        Note::Ended {
            target,
            sent,
            received,
            ..
        } => Connection {
            sent: Some(*sent),
            received: Some(*received),
            ..of(target, "ended")
        },
    }
}
