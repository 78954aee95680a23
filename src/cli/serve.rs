//! The commands that serve the built-in servers to other hosts.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// A server that another host can use.
#[derive(Debug, Subcommand)]
pub enum Serve {
    /// Read, search and change the files of some folders, with the tools of the reference filesystem server
    Filesystem(ServeFilesystem),
    /// Look into a repository and commit to it, with the tools of the reference git server
    Git(ServeGit),
    /// Keep a graph of things worth remembering, with the tools of the reference memory server
    Memory(ServeMemory),
    /// Show what these servers do differently from the reference servers, and why; nothing is served
    Differences,
}

/// How a server meets its clients: over standard input and output, or over HTTP.
#[cfg(feature = "net")]
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Over HTTP")]
pub struct ServeHttp {
    /// Listen for clients over streamable HTTP, at http://ADDR:PORT/mcp (127.0.0.1 if only a port is given). At most 64
    /// sessions with 32 requests at once each, sent within a minute; connections that do nothing give way.
    /// `GET /healthz` says without the token that it is there, `GET /metrics` with it what it does, for Prometheus
    #[arg(long = "http", value_name = "[ADDR:]PORT", value_parser = http_address)]
    pub address: Option<std::net::SocketAddr>,
    /// Let other machines connect: needed for an address that is not this machine's own
    #[arg(long, requires = "address")]
    pub listen_any: bool,
    /// The file that holds the token clients must send (WALDEN_SERVE_TOKEN, or a new one each time, by default)
    #[arg(long, value_name = "FILE", requires = "address")]
    pub token_file: Option<PathBuf>,
    /// A file of clients, each with a token and rights of its own, in place of one token: a table `[NAME]` for each,
    /// with `token` or its `sha256`, and `tools`: "all" (by default), "read", or a list of names; `roots`: a list of the
    /// only folders, of those that are served, that the client may touch; `rate`: how many calls it may make a minute.
    /// Every call is in the audit log with the client's name: `walden audit show serve`
    #[arg(
        long,
        value_name = "FILE",
        requires = "address",
        conflicts_with = "token_file"
    )]
    pub clients: Option<PathBuf>,
    /// The largest request
    #[arg(
        long,
        value_name = "MIB",
        default_value_t = 32,
        requires = "address",
        value_parser = clap::value_parser!(u16).range(1..=1024)
    )]
    pub max_request: u16,
    /// A name besides localhost by which clients may call this machine
    #[arg(long, value_name = "HOST", requires = "address")]
    pub allow_host: Vec<String>,
    /// A web page's origin that may call, such as `https://app.example.com:443`
    #[arg(long, value_name = "ORIGIN", requires = "address")]
    pub allow_origin: Vec<String>,
}

/// Reads `127.0.0.1:8931`, `[::1]:8931` or `8931`.
#[cfg(feature = "net")]
fn http_address(text: &str) -> Result<std::net::SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok((std::net::Ipv4Addr::LOCALHOST, port).into());
    }
    text.parse()
        .map_err(|_| "give an address and a port, such as 127.0.0.1:8931".to_owned())
}

/// Without a network there is nothing to choose.
#[cfg(not(feature = "net"))]
#[derive(Debug, Default, Args)]
pub struct ServeHttp {}

impl ServeHttp {
    /// Tells whether clients come over HTTP, from wherever.
    pub fn is_asked_for(&self) -> bool {
        #[cfg(feature = "net")]
        return self.address.is_some();
        #[cfg(not(feature = "net"))]
        false
    }
}

#[derive(Debug, Args)]
pub struct ServeGit {
    /// A repository that may be used; can be given several times. Without it, those in the client's roots; where it has
    /// none, the current folder's
    #[arg(long, value_name = "DIR")]
    pub repository: Vec<PathBuf>,
    /// Keep to the current folder's repository, whatever roots a client has
    #[arg(long)]
    pub ignore_client_roots: bool,
    #[command(flatten)]
    pub http: ServeHttp,
}

#[derive(Debug, Args)]
pub struct ServeMemory {
    /// The file that holds the graph (MEMORY_FILE_PATH, or memory.jsonl in walden's state folder, by default)
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub http: ServeHttp,
}

#[derive(Debug, Args)]
pub struct ServeFilesystem {
    /// The folders that may be touched; a client that has roots of its own replaces them
    #[arg(value_name = "DIR")]
    pub roots: Vec<PathBuf>,
    /// Keep to these folders, whatever roots a client has
    #[arg(long)]
    pub ignore_client_roots: bool,
    /// Also write files that other programs run or obey, such as build scripts (never below .git)
    #[arg(long)]
    pub allow_executable_data: bool,
    /// Also write files that are marked read-only
    #[arg(long)]
    pub allow_read_only: bool,
    #[command(flatten)]
    pub http: ServeHttp,
}
