//! Building a built-in server for another host.

mod chat;
mod git;
#[cfg(feature = "net")]
mod http;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::cli::{Options, Serve, ServeFilesystem, ServeHttp, ServeMemory};
use crate::error::{ExitCode, UserError};
use crate::serve;
use crate::servers::filesystem::{ClientRoots, Filesystem, Permits};
use crate::servers::memory::{Memory, Store};
use crate::session::SessionFiles;
use crate::workspace::{self, Roots};

pub(super) use chat::configured as chat_config;

/// Returns what `walden serve differences` prints.
pub fn differences() -> String {
    crate::servers::differences::text()
}

/// What is served, and to whom how much of it.
trait Served: Send + Sync + 'static {
    type Server: rmcp::ServerHandler;

    /// Makes a server for a client that came.
    fn for_a_client(&self) -> Self::Server;

    /// Returns the part of it that lies in some folders, for a client that may touch nothing else.
    ///
    /// # Errors
    /// When one of them is not served.
    #[cfg_attr(not(feature = "net"), expect(dead_code, reason = "one client has all"))]
    fn within(&self, folders: &[PathBuf]) -> Result<Self, String>
    where
        Self: Sized;

    /// Is told that clients can come.
    fn begin(&self) {}
}

/// Runs `walden serve …`.
///
/// # Errors
/// When the server cannot be built, or the client does not speak MCP.
pub fn serve(options: &Options, command: &Serve) -> Result<ExitCode, UserError> {
    log_to_stderr();
    match command {
        Serve::Filesystem(options) => {
            let roots = open(&options.roots)?;
            let _sweep = Sweep::start(roots.clone());
            over(&options.http, "filesystem", Folders::new(roots, options))
        }
        Serve::Git(options) => over(&options.http, "git", git::git(options)?),
        Serve::Memory(options) => over(&options.http, "memory", memory(options)?),
        Serve::Chat(chat) => chat::serve(options, chat),
        // Text, which was printed before.
        Serve::Differences => Ok(ExitCode::Success),
    }
}

/// Folders, of which each client may have roots of its own.
struct Folders {
    roots: Roots,
    permits: Permits,
    client_roots: ClientRoots,
}

impl Folders {
    fn new(roots: Roots, options: &ServeFilesystem) -> Self {
        let permits = Permits {
            executable_data: options.allow_executable_data,
            read_only: options.allow_read_only,
        };
        let client_roots = match (options.ignore_client_roots, options.http.is_asked_for()) {
            (true, _) => ClientRoots::Ignore,
            (false, true) => ClientRoots::Narrow,
            (false, false) => ClientRoots::Replace,
        };
        Self {
            roots,
            permits,
            client_roots,
        }
    }
}

impl Served for Folders {
    type Server = Filesystem;

    fn for_a_client(&self) -> Filesystem {
        Filesystem::full(self.roots.clone(), self.permits, self.client_roots)
    }

    fn within(&self, folders: &[PathBuf]) -> Result<Self, String> {
        Ok(Self {
            roots: narrowed(&self.roots, folders)?,
            ..*self
        })
    }
}

impl Served for Memory {
    type Server = Self;

    fn for_a_client(&self) -> Self {
        self.clone()
    }

    fn within(&self, _folders: &[PathBuf]) -> Result<Self, String> {
        Err("this server has no folders: leave `roots` out".to_owned())
    }
}

/// Opens folders inside of those that are served.
///
/// # Errors
/// When one of them is not there, or lies outside.
fn narrowed(roots: &Roots, folders: &[PathBuf]) -> Result<Roots, String> {
    let (narrowed, refused) = roots.narrowed(folders);
    match refused.first() {
        None => Ok(narrowed),
        Some(folder) => {
            let served: Vec<String> = roots
                .dirs()
                .iter()
                .map(|dir| format!("`{}`", dir.display()))
                .collect();
            let served = match served.is_empty() {
                true => "no folder".to_owned(),
                false => served.join(", "),
            };
            Err(format!(
                "`{}` is no folder in what is served ({served})",
                folder.display()
            ))
        }
    }
}

/// Clears away what an earlier server left when its host killed it, beside the first calls. Dropping it stops it.
struct Sweep {
    cancel: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sweep {
    fn start(roots: Roots) -> Self {
        let cancel = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let cancel = cancel.clone();
            move || {
                let swept = workspace::sweep(&roots, &[], &|_| false, &cancel);
                for path in swept.removed {
                    tracing::info!("removed `{path}`, which an interrupted write had left");
                }
                for path in swept.kept {
                    tracing::warn!(
                        "an interrupted write left `{path}`, with a version of a file that is kept nowhere else"
                    );
                }
            }
        });
        Self {
            cancel,
            thread: Some(thread),
        }
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        self.cancel.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn memory(options: &ServeMemory) -> Result<Memory, UserError> {
    let state = SessionFiles::open().map(|files| files.memory());
    let named = std::env::var_os("MEMORY_FILE_PATH").filter(|path| !path.is_empty());
    let path = match (&options.file, named) {
        (Some(file), _) => file.clone(),
        // Not the current folder, which is whatever the host was started in.
        (None, Some(path)) if Path::new(&path).is_relative() => {
            state.map_err(UserError::from_error)?.with_file_name(path)
        }
        (None, Some(path)) => PathBuf::from(path),
        (None, None) => state.map_err(UserError::from_error)?,
    };
    let store = Store::open(&path).map_err(|error| {
        UserError::usage(error.to_string())
            .hint("name a file `*.jsonl` with --file or MEMORY_FILE_PATH")
    })?;
    Ok(Memory::new(store))
}

/// Opens the folders that can be opened. One that cannot is left out and said; none at all is an error.
fn open(dirs: &[PathBuf]) -> Result<Roots, UserError> {
    let mut usable: Vec<PathBuf> = Vec::new();
    for dir in dirs {
        match Roots::open(std::slice::from_ref(dir)) {
            Ok(_) => usable.push(dir.clone()),
            Err(error) => tracing::warn!("{error}; it is left out"),
        }
    }
    if usable.is_empty() && !dirs.is_empty() {
        return Err(UserError::usage("none of the folders can be opened")
            .hint("give folders that exist: `walden serve filesystem DIR…`"));
    }
    Roots::open(&usable).map_err(UserError::from_error)
}

/// Serves over what the user chose.
fn over<T: Served>(options: &ServeHttp, name: &str, served: T) -> Result<ExitCode, UserError> {
    #[cfg(feature = "net")]
    if let Some(address) = options.address {
        return http::over_http(options, address, name, served);
    }
    let _ = (options, name);
    over_stdio(&served)
}

fn over_stdio(served: &impl Served) -> Result<ExitCode, UserError> {
    let runtime = super::runtime()?;
    served.begin();
    let ended = runtime.block_on(serve::stdio(served.for_a_client()));
    // Not dropped: that would wait for a read of standard input that may never end.
    runtime.shutdown_background();
    ended.map_err(UserError::from_error)?;
    Ok(ExitCode::Success)
}

/// Has the notes of a server go to standard error, where a host shows them, unless `WALDEN_LOG` sent them elsewhere.
fn log_to_stderr() {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new("walden=info,rmcp=off"))
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .with_writer(|| crate::door::Harmless::new(std::io::stderr()))
        .try_init();
}
