//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::bench::Part;
use crate::config::Config;
use crate::error::ExitCode;
use crate::mcp::command::McpCommand;
use crate::model::store::ModelCommand;
use crate::protocol::{KvType, Mechanism, Mode, Ruling, Severity, WeightLayout};

/// Agentic coding in the terminal with a local model. Nothing leaves the machine.
#[derive(Debug, Parser)]
#[command(name = "walden", version, after_long_help = tui_help())]
pub struct Cli {
    #[command(flatten)]
    pub options: Options,
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// Returns the options of a command that runs the model on a repository: those are the sealed ones.
    pub fn session_options(&self) -> Option<Options> {
        let under = |over: &Options| Some(self.options.clone().under(over.clone()));
        match &self.command {
            None => Some(self.options.clone()),
            Some(Command::Resume(resume)) => under(&resume.options),
            Some(Command::Exec(exec)) => under(&exec.options),
            // The tasks are laid, and their sessions started, by a process that may start others.
            Some(Command::Bench(bench))
                if matches!(bench.command, Some(BenchCommand::Tasks(_))) =>
            {
                None
            }
            Some(Command::Bench(bench)) => under(&bench.options),
            Some(Command::Review(review)) => under(&review.options),
            Some(
                Command::Sessions { .. }
                | Command::Export(_)
                | Command::Model(_)
                | Command::Doctor(_)
                | Command::Sandbox(_)
                | Command::Rules(_)
                | Command::Serve(_)
                | Command::Audit(_)
                | Command::Map(_)
                | Command::Mcp(_)
                | Command::Refactor(_)
                | Command::Trust(_)
                | Command::Completions { .. },
            ) => None,
            #[cfg(feature = "net")]
            Some(Command::McpConformance { .. }) => None,
        }
    }
}

const MODEL: &str = "The model";
const WORK: &str = "What it does";
const SCREEN: &str = "The screen";
const SEAL: &str = "The seal";

/// Options of every command that runs a session.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Work in this folder's repository instead of the current one
    #[arg(short = 'C', long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    /// The model: a catalog name (see `walden model list`) or the path of a GGUF file
    #[arg(short, long, value_name = "NAME|FILE", help_heading = MODEL)]
    pub model: Option<String>,
    /// What may be done without asking
    #[arg(long, value_name = "MODE", help_heading = WORK)]
    pub mode: Option<ModeName>,
    /// The theme: default, light, dark, high-contrast, colour-blind, colour-blind-light, mono,
    /// or one of your own
    #[arg(long, value_name = "NAME", help_heading = SCREEN)]
    pub theme: Option<String>,
    /// Lines instead of a screen: for screen readers, and terminals that can do nothing
    #[arg(long, help_heading = SCREEN)]
    pub plain: bool,
    /// The context window in tokens
    #[arg(long, value_name = "TOKENS", help_heading = MODEL)]
    pub context: Option<u32>,
    /// Threads for inference
    #[arg(long, value_name = "N", help_heading = MODEL)]
    pub threads: Option<usize>,
    /// Layers to put on the GPU (all that fit by default)
    #[arg(long, value_name = "N", help_heading = MODEL)]
    pub gpu_layers: Option<u32>,
    /// A smaller model of the same family that writes ahead where that is faster (pays on a graphics card, or for a
    /// large model)
    #[arg(long, value_name = "NAME|FILE", help_heading = MODEL)]
    pub draft: Option<String>,
    /// How the context is kept: `q8_0` halves its memory, and is slower on processors
    #[arg(long, value_name = "TYPE", help_heading = MODEL)]
    pub kv: Option<Kv>,
    /// How a processor keeps the weights: `mapped` starts sooner and reads prompts faster, `packed` writes faster
    #[arg(long, value_name = "HOW", help_heading = MODEL)]
    pub weights: Option<Weights>,
    /// The most generations in a turn
    #[arg(long, value_name = "N", help_heading = WORK)]
    pub max_turns: Option<u32>,
    /// The most tokens in a turn: evaluated prompt and generated text together
    #[arg(long, value_name = "TOKENS", help_heading = WORK)]
    pub budget: Option<u32>,
    /// How freely tokens are drawn; 0 always takes the likeliest
    #[arg(long, value_name = "T", help_heading = MODEL)]
    pub temperature: Option<f32>,
    /// The command that tells whether an edit is right, run in a copy in the sandbox; `off` for none. By default what
    /// the project's files tell (cargo test, pytest, npm test, go test, make test)
    #[arg(long, value_name = "COMMAND", help_heading = WORK)]
    pub check: Option<String>,
    /// The most edits that are tried before one passes the check
    #[arg(long, value_name = "N", help_heading = WORK)]
    pub tries: Option<u32>,
    /// The longest that edits are tried for in a turn before one passes the check
    #[arg(long, value_name = "SECONDS", help_heading = WORK)]
    pub search_time: Option<u32>,
    /// Let the model name files that are not there and quote what no file holds (to compare; edits fail more often)
    #[arg(long, help_heading = WORK)]
    pub free_arguments: bool,
    /// Leave out something that helps a small model, to measure what it is worth: locating, map, check, search, syntax,
    /// arguments, just-answer, beside, nudges, repeats, parts, corrections, versions, examples, speculation; can be given several times
    #[arg(long, value_name = "NAME", value_parser = Mechanism::read, hide_short_help = true)]
    pub without: Vec<Mechanism>,
    /// Use this third-party MCP server in this run although nobody agreed to it; can be given several times
    #[arg(long, value_name = "NAME", help_heading = WORK)]
    pub trust_server: Vec<String>,
    /// Refuse to start where the kernel, or running as root, weakens what walden promises
    #[arg(long, help_heading = SEAL)]
    pub strict: bool,
    /// Start without the seal: the kernel then keeps walden neither from the network nor from other files
    #[arg(long, help_heading = SEAL)]
    pub no_seal: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one turn without a terminal
    #[command(after_long_help = exec_help())]
    Exec(Exec),
    /// Have a change of this repository reviewed, piece by piece
    #[command(name = "review")]
    Review(ReviewArguments),
    /// Show what this repository's AGENTS.md and skills tell the model, and trust it
    Trust(TrustArguments),
    /// Go on with an earlier session in the terminal (the last one of this repository by default)
    Resume(Resume),
    /// Print a kept session as a document (the last one of this repository by default)
    Export(Export),
    /// List the kept sessions
    Sessions {
        #[command(subcommand)]
        command: Option<SessionsCommand>,
    },
    /// Fetch and keep models
    #[command(subcommand)]
    Model(ModelCommand),
    /// Look at this machine: what is there, what is not, and what would help
    Doctor(Doctor),
    /// Run programs confined, and show that it holds
    #[command(subcommand)]
    Sandbox(SandboxCommand),
    /// Say which calls are allowed, asked about or refused, in this project or in every one
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Add, look at and use MCP servers that are not part of walden
    #[command(subcommand)]
    Mcp(McpCommand),
    /// Look into the audit log: what sessions were asked for, what was decided and done, where they connected to
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Change many files at once by what their syntax tells, without a model
    #[command(subcommand)]
    Refactor(Refactor),
    /// Show where in the code a request may be about: the files and symbols that a model is told of
    Map(Map),
    /// Serve a built-in MCP server to another host, over standard input and output or HTTP
    #[command(subcommand)]
    Serve(Serve),
    /// Measure what this machine and the model do, beside `llama-bench` where that is installed
    Bench(Box<Bench>),
    /// Go through one scenario of the official conformance suite
    #[cfg(feature = "net")]
    #[command(hide = true)]
    McpConformance { url: String },
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
}

#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Try every way out, in a sealed process, in confined programs and in a free one, and print what the kernel answered;
    /// and throw hostile text at what stands before the terminal
    Prove {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// How many hostile bytes are thrown
        #[arg(long, value_name = "BYTES", default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1..))]
        text: u64,
        /// Throw other bytes than those of seed 1
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
    },
    /// Run a command that can read this folder and the system, write only where it is allowed, and reach no network
    Run {
        /// Folders that it may write (a scratch folder of its own in any case)
        #[arg(long, value_name = "DIR")]
        write: Vec<PathBuf>,
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Make the attempts of `prove`
    #[command(hide = true)]
    Probe {
        /// Seal this process first
        #[arg(long)]
        sealed: bool,
        ground: String,
    },
}

/// The audit log. A log is named by its session, or by the beginning of its name; all of them are meant without one.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Show that no record was changed, moved or taken out, and print the heads to note elsewhere
    Verify { log: Option<String> },
    /// Print a log for reading (the last one by default)
    Show { log: Option<String> },
    /// Print the records of all logs as lines of JSON, in the order of their times
    Export { log: Option<String> },
}

/// What is done with the rules.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// List the rules of this project and of every project, numbered
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Add a rule. A refusal wins over a question, and a question over an allowance; modes say what no rule says
    Add {
        ruling: RulingName,
        #[command(flatten)]
        rule: RuleArguments,
        /// In every project, instead of in this one
        #[arg(long)]
        forever: bool,
        /// What the rule is for
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// A path that the rule must fit: tried now, and whenever the rules are read
        #[arg(long = "match", value_name = "PATH")]
        matching: Vec<String>,
        /// A path that the rule must not fit
        #[arg(long = "not-match", value_name = "PATH")]
        not_matching: Vec<String>,
    },
    /// Take a rule back, by its number in the list
    Remove { number: usize },
    /// Tell what would become of a call, in each mode
    Test {
        #[command(flatten)]
        rule: RuleArguments,
    },
}

/// What a rule is about.
#[derive(Debug, Args)]
pub struct RuleArguments {
    /// The tool, as SERVER.TOOL; both may have `*`, such as `fs.*`
    #[arg(value_name = "SERVER.TOOL")]
    pub tool: String,
    /// A glob over the paths that the call is about, such as `src/**`; can be given several times
    #[arg(long, value_name = "GLOB")]
    pub path: Vec<String>,
    /// The first words of the command
    #[arg(long, value_name = "WORDS")]
    pub command: Option<String>,
    /// A verb of git, such as `commit`
    #[arg(long, value_name = "VERB")]
    pub git: Vec<String>,
    /// What the call does: read, sensitive_read, edit, edit_executable, delete, git_local, git_history, command,
    /// memory, foreign_read, foreign
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
}

/// What a rule says, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RulingName {
    Allow,
    Ask,
    Deny,
}

impl From<RulingName> for Ruling {
    fn from(name: RulingName) -> Self {
        match name {
            RulingName::Allow => Self::Allow,
            RulingName::Ask => Self::Ask,
            RulingName::Deny => Self::Deny,
        }
    }
}

#[derive(Debug, Args)]
pub struct Map {
    /// What is looked for, in words or names
    pub request: String,
    /// The most bytes that are printed
    #[arg(long, value_name = "N", default_value_t = 4_000)]
    pub bytes: usize,
}

/// A mechanical change of many files.
#[derive(Debug, Subcommand)]
pub enum Refactor {
    /// Rename a function, type, method, field or constant with all its uses (Rust, Python, JavaScript, TypeScript, Go,
    /// Java, C, C++), and list the places that may mean something else
    Rename {
        /// Its name, alone or with its type or module: `parse`, `Reader::parse`
        old: String,
        new: String,
        /// The file that defines it, where several do
        #[arg(long, value_name = "FILE")]
        path: Option<String>,
        /// Rename also in code where the name may mean something else
        #[arg(long)]
        unsure: bool,
        /// Make the change (without it, the difference is only printed)
        #[arg(long)]
        apply: bool,
    },
    /// Move a function, type or constant to another file, with what it needs and what names it, and list the places
    /// to look at; in other languages than Rust and Python where all of it is certain
    Move {
        /// Its name, alone or with its module: `parse`, `reader::parse`
        item: String,
        /// The file to move it to, which is there already
        to: String,
        /// The file that defines it, where several do
        #[arg(long, value_name = "FILE")]
        path: Option<String>,
        /// Make the change (without it, the difference is only printed)
        #[arg(long)]
        apply: bool,
    },
}

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
    /// sessions with 32 requests at once each, of 32 MiB, sent within a minute; connections that do nothing give way.
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
    /// with `token` or its `sha256`, and `tools`: "all" (by default), "read", or a list of names. Every call is in the
    /// audit log with the client's name: `walden audit show serve`
    #[arg(
        long,
        value_name = "FILE",
        requires = "address",
        conflicts_with = "token_file"
    )]
    pub clients: Option<PathBuf>,
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

#[derive(Debug, Clone, Copy, Subcommand)]
pub enum SessionsCommand {
    /// Remove the states of the model that make a second start fast. The sessions stay
    Clear,
}

#[derive(Debug, Args)]
pub struct Export {
    /// The session's id, or the beginning of it
    pub id: Option<String>,
    /// As Markdown, as a web page, or as the items that walden keeps
    #[arg(long, value_name = "FORMAT", default_value = "md", value_parser = ["md", "html", "json"])]
    pub format: String,
}

#[derive(Debug, Args)]
pub struct Resume {
    /// The session's id, or the beginning of it
    pub id: Option<String>,
    #[command(flatten)]
    pub options: Options,
}

#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub options: Options,
    /// Load the model, too, and let it write a token
    #[arg(long)]
    pub load: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Exec {
    #[command(flatten)]
    pub options: Options,
    /// What to do; `-`, or nothing where standard input is not a terminal, reads it from there
    pub prompt: Option<String>,
    /// Read what to do from a file
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    pub prompt_file: Option<PathBuf>,
    /// Print every event as a line of JSON
    #[arg(long)]
    pub json: bool,
    /// A JSON Schema that the answer is to fit; the answer alone is printed to standard output
    #[arg(long, value_name = "FILE")]
    pub output_schema: Option<PathBuf>,
    /// What may be done: nothing but reading, edits of ordinary files, or everything inside the repository
    #[arg(long, value_name = "WHAT", default_value = "read")]
    pub auto: Auto,
}

#[derive(Debug, Args)]
pub struct Bench {
    #[command(subcommand)]
    pub command: Option<BenchCommand>,
    #[command(flatten)]
    pub options: Options,
    /// Print the measures as JSON
    #[arg(long)]
    pub json: bool,
    /// Measure less of everything
    #[arg(long)]
    pub quick: bool,
    /// Measure this alone; can be given several times
    #[arg(long, value_name = "PART")]
    pub only: Vec<Part>,
}

#[derive(Debug, Args)]
pub struct TrustArguments {
    /// Trust this folder's repository instead of the current one
    #[arg(short = 'C', long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    /// Trust it without a question
    #[arg(long, conflicts_with_all = ["revoke", "list"])]
    pub yes: bool,
    /// Trust it no longer
    #[arg(long, conflicts_with = "list")]
    pub revoke: bool,
    /// List the repositories that are trusted
    #[arg(long)]
    pub list: bool,
}

#[derive(Debug, Args)]
pub struct ReviewArguments {
    #[command(flatten)]
    pub options: Options,
    /// What is not committed, new files included (the default)
    #[arg(long, conflicts_with_all = ["staged", "base", "commit"])]
    pub uncommitted: bool,
    /// What is staged
    #[arg(long, conflicts_with_all = ["base", "commit"])]
    pub staged: bool,
    /// What changed since this branch or revision was left
    #[arg(long, value_name = "REV", conflicts_with = "commit")]
    pub base: Option<String>,
    /// What a commit changed
    #[arg(long, value_name = "REV")]
    pub commit: Option<String>,
    /// Print JSON
    #[arg(long, conflicts_with = "sarif")]
    pub json: bool,
    /// Print a SARIF log
    #[arg(long)]
    pub sarif: bool,
    /// End with a status of its own when something at least so severe is found
    #[arg(long, value_name = "SEVERITY", default_value = "error", value_parser = fail_on)]
    pub fail_on: FailOn,
}

/// What makes a review fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOn {
    Severity(Severity),
    Never,
}

/// Reads `error`, `warning`, `note` or `never`.
fn fail_on(text: &str) -> Result<FailOn, String> {
    let named = Severity::ALL
        .into_iter()
        .find(|severity| severity.name() == text);
    match (named, text) {
        (Some(severity), _) => Ok(FailOn::Severity(severity)),
        (None, "never") => Ok(FailOn::Never),
        _ => Err("give error, warning, note or never".to_owned()),
    }
}

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Let the agent try the tasks of a file, and count what it solves and what that costs
    Tasks(BenchTasks),
}

#[derive(Debug, Args)]
pub struct BenchTasks {
    /// The tasks, one JSON object a line: id, set, files, instruction, tests, test_cmd, tests_visible, timeout_s
    pub file: PathBuf,
    #[command(flatten)]
    pub options: Options,
    /// Only tasks whose id begins with this
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub only: String,
    /// The first N tasks
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// The longest that a task may take
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    pub seconds: u64,
    /// The Python that tests run with (python3 by default)
    #[arg(long, value_name = "FILE")]
    pub python: Option<PathBuf>,
    /// Add the results to a file, and leave out the tasks that it holds
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
    /// Print each task and the total as a line of JSON
    #[arg(long)]
    pub json: bool,
}

/// What a headless run may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Auto {
    Read,
    Edit,
    All,
}

impl Auto {
    /// Returns the mode; what it asks for is denied in a headless run.
    pub fn mode(self) -> Mode {
        match self {
            Self::Read => Mode::Ask,
            Self::Edit => Mode::Edit,
            Self::All => Mode::Auto,
        }
    }
}

/// A mode by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeName {
    /// Reads only, no change is made
    Plan,
    /// Reads freely, asks before every change
    Ask,
    /// Edits ordinary files inside the repository without asking
    Edit,
    /// Does everything that stays inside the repository without asking
    Auto,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Plan => Self::Plan,
            ModeName::Ask => Self::Ask,
            ModeName::Edit => Self::Edit,
            ModeName::Auto => Self::Auto,
        }
    }
}

/// A way to keep the context by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kv {
    F16,
    #[value(name = "q8_0")]
    Q8_0,
}

impl From<Kv> for KvType {
    fn from(kv: Kv) -> Self {
        match kv {
            Kv::F16 => Self::F16,
            Kv::Q8_0 => Self::Q8_0,
        }
    }
}

/// A way to keep the weights by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Weights {
    Packed,
    Mapped,
}

impl From<Weights> for WeightLayout {
    fn from(weights: Weights) -> Self {
        match weights {
            Weights::Packed => Self::Packed,
            Weights::Mapped => Self::Mapped,
        }
    }
}

impl Options {
    /// Puts the options that stand after a subcommand on top of those that stand before it.
    #[must_use]
    pub fn under(self, over: Self) -> Self {
        let layer = self.layer().under(over.layer());
        Self {
            plain: self.plain || over.plain,
            cwd: over.cwd.or(self.cwd),
            mode: over.mode.or(self.mode),
            model: layer.model,
            theme: layer.theme,
            context: layer.context,
            threads: layer.threads,
            gpu_layers: layer.gpu_layers,
            draft: layer.draft,
            kv: over.kv.or(self.kv),
            weights: over.weights.or(self.weights),
            max_turns: layer.max_turns,
            budget: layer.budget,
            temperature: layer.temperature,
            check: layer.check,
            tries: layer.tries,
            search_time: layer.search_time,
            free_arguments: self.free_arguments || over.free_arguments,
            without: layer.without,
            trust_server: [self.trust_server, over.trust_server].concat(),
            strict: self.strict || over.strict,
            no_seal: self.no_seal || over.no_seal,
        }
    }

    /// Returns what is left out to be measured: free arguments are one of these by another name.
    pub fn left_out(&self) -> Vec<Mechanism> {
        let mut without = self.without.clone();
        if self.free_arguments && !without.contains(&Mechanism::Arguments) {
            without.push(Mechanism::Arguments);
        }
        without
    }

    /// Writes the options as flags, for a session in another process. Where it works and what it may do are its own.
    pub fn arguments(&self) -> Vec<String> {
        let text = |value: &Option<String>| value.clone();
        let kv = self.kv.map(|kv| KvType::from(kv).name().to_owned());
        let weights = self
            .weights
            .map(|weights| WeightLayout::from(weights).name().to_owned());
        let pairs = [
            ("--model", text(&self.model)),
            ("--context", self.context.map(|value| value.to_string())),
            ("--draft", text(&self.draft)),
            ("--threads", self.threads.map(|value| value.to_string())),
            (
                "--gpu-layers",
                self.gpu_layers.map(|value| value.to_string()),
            ),
            ("--kv", kv),
            ("--weights", weights),
            ("--max-turns", self.max_turns.map(|value| value.to_string())),
            ("--budget", self.budget.map(|value| value.to_string())),
            (
                "--temperature",
                self.temperature.map(|value| value.to_string()),
            ),
            ("--check", text(&self.check)),
            ("--tries", self.tries.map(|value| value.to_string())),
            (
                "--search-time",
                self.search_time.map(|value| value.to_string()),
            ),
        ];
        let mut flags: Vec<String> = pairs
            .into_iter()
            .filter_map(|(flag, value)| Some(format!("{flag}={}", value?)))
            .collect();
        if self.free_arguments {
            flags.push("--free-arguments".to_owned());
        }
        let without = self.without.iter();
        flags.extend(without.map(|without| format!("--without={}", without.name())));
        flags
    }

    /// Returns the flags as the topmost layer of configuration.
    pub fn layer(&self) -> Config {
        Config {
            model: self.model.clone(),
            mode: self.mode.map(Mode::from),
            theme: self.theme.clone(),
            context: self.context,
            threads: self.threads,
            gpu_layers: self.gpu_layers,
            draft: self.draft.clone(),
            kv: self.kv.map(KvType::from),
            weights: self.weights.map(WeightLayout::from),
            max_turns: self.max_turns,
            budget: self.budget,
            temperature: self.temperature,
            check: self.check.clone(),
            tries: self.tries,
            search_time: self.search_time,
            real_arguments: (self.free_arguments || self.without.contains(&Mechanism::Arguments))
                .then_some(false),
            without: self.without.clone(),
            ..Config::default()
        }
    }
}

/// Writes the keys and slash commands of the terminal UI, from the tables that it uses.
fn tui_help() -> String {
    let mut text = String::new();
    for (when, keys) in crate::tui::key_table() {
        text.push_str(&format!("{when}:\n"));
        for (keys, help) in keys {
            text.push_str(&format!("  {keys:<29} {help}\n"));
        }
        text.push('\n');
    }
    text.push_str("Commands in the composer:\n");
    for command in crate::tui::COMMANDS {
        let call = format!("/{} {}", command.name, command.argument);
        text.push_str(&format!("  {call:<29} {}\n", command.help));
    }
    text.push_str(
        "\nConfiguration: ~/.config/walden/config.toml (model, mode, theme, context, threads, gpu_layers, draft, kv, weights, max_turns, \
         budget, temperature, check, tries, search_time, real_arguments, [seal] read and write, [network] allow), then WALDEN_MODEL, WALDEN_MODE, WALDEN_THEME, WALDEN_CONTEXT, WALDEN_THREADS, then flags. \
         WALDEN_LOG=debug writes a log to the state folder.",
    );
    text
}

/// Writes the exit codes, from their table.
fn exec_help() -> String {
    let mut text = "Exit codes:\n".to_owned();
    for (code, meaning) in ExitCode::TABLE {
        text.push_str(&format!("  {:<4} {meaning}\n", code.status()));
    }
    text
}
