//! The commands that serve the built-in servers to other hosts.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::options::{Kv, Weights};
use crate::config::Config;
use crate::protocol::{KvType, Sampling, WeightLayout};

/// A server that another host can use.
#[derive(Debug, Subcommand)]
pub enum Serve {
    /// Read, search and change the files of some folders, with the tools of the reference filesystem server
    Filesystem(ServeFilesystem),
    /// Look into a repository and commit to it, with the tools of the reference git server
    Git(ServeGit),
    /// Keep a graph of things worth remembering, with the tools of the reference memory server
    Memory(ServeMemory),
    /// Let the local model answer, with one tool: in the place of llama-mcp-server
    Chat(Box<ServeChat>),
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

    /// Names the files that say who may call: they may lie anywhere.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        #[cfg(feature = "net")]
        return self.token_file.iter().chain(&self.clients);
        #[cfg(not(feature = "net"))]
        std::iter::empty()
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

const MODEL: &str = "The model";
const ANSWERS: &str = "Its answers, where a call does not say";

#[derive(Debug, Args)]
pub struct ServeChat {
    /// The name of the tool
    #[arg(long, value_name = "NAME", default_value = "chat", alias = "tool_name", value_parser = tool_name)]
    pub tool_name: String,
    /// The model: a catalog name (see `walden model list`) or the path of a GGUF file
    #[arg(short, long, value_name = "NAME|FILE", help_heading = MODEL)]
    pub model: Option<String>,
    /// The context window in tokens
    #[arg(long, value_name = "TOKENS", help_heading = MODEL, aliases = ["n-ctx", "n_ctx"])]
    pub context: Option<u32>,
    /// Threads for inference
    #[arg(long, value_name = "N", help_heading = MODEL, aliases = ["n-threads", "n_threads"])]
    pub threads: Option<usize>,
    /// Layers to put on the GPU (all that fit by default)
    #[arg(
        long,
        value_name = "N",
        help_heading = MODEL,
        aliases = ["gpu_layers", "n-gpu-layers", "n_gpu_layers"]
    )]
    pub gpu_layers: Option<u32>,
    /// How the context is kept: `q8_0` halves its memory, and is slower on processors
    #[arg(long, value_name = "TYPE", help_heading = MODEL)]
    pub kv: Option<Kv>,
    /// How a processor keeps the weights: `mapped` starts sooner and reads prompts faster, `packed` writes faster
    #[arg(long, value_name = "HOW", help_heading = MODEL)]
    pub weights: Option<Weights>,
    /// The most tokens of an answer
    #[arg(
        long,
        value_name = "TOKENS",
        default_value_t = 2048,
        help_heading = ANSWERS,
        alias = "max_tokens",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub max_tokens: u32,
    /// How freely tokens are drawn; 0 always takes the likeliest
    #[arg(long, value_name = "T", default_value_t = 0.7, help_heading = ANSWERS, value_parser = temperature)]
    pub temperature: f32,
    /// Draw from the likeliest tokens that have this share together
    #[arg(
        long,
        value_name = "P",
        default_value_t = 0.9,
        help_heading = ANSWERS,
        alias = "top_p",
        value_parser = share
    )]
    pub top_p: f32,
    /// Draw from so many of the likeliest tokens; 0 for all
    #[arg(long, value_name = "K", default_value_t = 40, help_heading = ANSWERS, alias = "top_k")]
    pub top_k: u32,
    /// What chance begins with: the same question gets the same answer
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = ANSWERS)]
    pub seed: u32,
    /// What is added to the system message, such as `/no_think`
    #[arg(long, value_name = "TEXT", help_heading = ANSWERS, alias = "prompt_suffix")]
    pub prompt_suffix: Option<String>,
    #[command(flatten)]
    pub http: ServeHttp,
    #[command(flatten)]
    pub elsewhere: Elsewhere,
}

/// Flags of llama-mcp-server that walden has under other names or not at all: each says so, before the model is loaded.
#[derive(Debug, Args)]
pub struct Elsewhere {
    #[arg(long, hide = true, value_parser = transport)]
    transport: Option<Transport>,
    #[arg(long, hide = true, value_parser = |_: &str| instead("give the address with the port: `--http ADDR:PORT`"))]
    host: Option<Never>,
    #[arg(long, hide = true, value_parser = |_: &str| instead("use `--http [ADDR:]PORT` in its place"))]
    port: Option<Never>,
    #[arg(
        long,
        hide = true,
        value_parser = |_: &str| instead(
            "others of this machine can read a token here; put it into WALDEN_SERVE_TOKEN, or a file: `--token-file FILE`"
        )
    )]
    auth: Option<Never>,
    #[arg(
        long,
        hide = true,
        alias = "n_batch",
        value_parser = |_: &str| instead("leave it out: walden chooses how many tokens are evaluated together")
    )]
    n_batch: Option<Never>,
    #[arg(
        long,
        hide = true,
        alias = "repeat_penalty",
        value_parser = |_: &str| instead(
            "leave it out: walden does not weigh repetition, and cuts an answer off that repeats itself without end"
        )
    )]
    repeat_penalty: Option<Never>,
}

/// What a flag is read as that is never taken.
type Never = std::convert::Infallible;

fn instead(what: &str) -> Result<Never, String> {
    Err(what.to_owned())
}

/// What llama-mcp-server calls standard input and output.
#[derive(Debug, Clone, Copy)]
struct Transport;

fn transport(name: &str) -> Result<Transport, String> {
    match name {
        "stdio" => Ok(Transport),
        "http" => Err("use `--http [ADDR:]PORT` in its place".to_owned()),
        _ => Err(
            "there is no such transport: standard input and output by default, HTTP with `--http [ADDR:]PORT`"
                .to_owned(),
        ),
    }
}

/// Reads a name that every host takes for a tool.
fn tool_name(name: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    match !name.is_empty() && name.len() <= 64 && name.chars().all(is_plain) {
        true => Ok(name.to_owned()),
        false => Err("a tool's name has 1 to 64 letters, digits, `_`, `-` and `.`".to_owned()),
    }
}

fn temperature(text: &str) -> Result<f32, String> {
    number(text)
        .filter(|number| *number >= 0.0)
        .ok_or_else(|| "give a number that is 0 or more".to_owned())
}

fn share(text: &str) -> Result<f32, String> {
    number(text)
        .filter(|number| *number > 0.0 && *number <= 1.0)
        .ok_or_else(|| "give a number above 0 and up to 1".to_owned())
}

fn number(text: &str) -> Option<f32> {
    text.parse().ok().filter(|number: &f32| number.is_finite())
}

impl ServeChat {
    /// Returns the flags as a layer of configuration.
    pub fn layer(&self) -> Config {
        Config {
            model: self.model.clone(),
            context: self.context,
            threads: self.threads,
            gpu_layers: self.gpu_layers,
            kv: self.kv.map(KvType::from),
            weights: self.weights.map(WeightLayout::from),
            ..Config::default()
        }
    }

    /// Returns how a call is answered that does not say.
    pub fn sampling(&self) -> Sampling {
        Sampling {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            seed: self.seed,
            max_tokens: self.max_tokens,
            ..Sampling::default()
        }
    }
}
