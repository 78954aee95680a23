//! The command line: the commands, and what they have in common. The rest of each stands beside those that it is like.

mod bench;
mod guard;
mod options;
mod serve;
mod work;

use clap::{Parser, Subcommand};

use crate::mcp::command::McpCommand;
use crate::model::store::ModelCommand;

pub use bench::{Bench, BenchCommand, BenchTasks};
pub use guard::{
    AuditCommand, RuleArguments, RulesCommand, RulingName, SandboxCommand, TrustArguments,
};
pub use options::{Kv, ModeName, Options, Weights};
pub use serve::{Serve, ServeChat, ServeFilesystem, ServeGit, ServeHttp, ServeMemory};
use work::exec_help;
pub use work::{
    Auto, Doctor, Exec, Export, FailOn, Map, Refactor, Resume, ReviewArguments, SessionsCommand,
    Trace,
};

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
    /// Tells whether the model runs in this process: the engine's libraries read the environment before `main`.
    pub fn runs_model(&self) -> bool {
        let serves = matches!(&self.command, Some(Command::Serve(Serve::Chat(_))));
        serves || self.session_options().is_some()
    }

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
                | Command::Trace(_)
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
    /// Show what a kept session did, hop by hop, with times and sizes (the last one of this repository by default)
    Trace(Trace),
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
    /// Serve a built-in MCP server, or the model itself, to another host, over standard input and output or HTTP
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
