//! The commands that bound what is done, and look after what was: the sandbox, the audit log, rules and trust.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::protocol::Ruling;

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
