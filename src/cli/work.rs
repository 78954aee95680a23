//! The commands that work on a repository, or on a kept session.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Options;
use crate::error::ExitCode;
use crate::protocol::{Mode, Severity};

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
pub struct Trace {
    /// The session's id, or the beginning of it
    pub id: Option<String>,
    /// JSON lines as the OpenTelemetry file exporter writes them, a turn on each, for any program that reads OTLP
    #[arg(long)]
    pub otlp: bool,
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

/// Writes the exit codes, from their table.
pub(super) fn exec_help() -> String {
    let mut text = "Exit codes:\n".to_owned();
    for (code, meaning) in ExitCode::TABLE {
        text.push_str(&format!("  {:<4} {meaning}\n", code.status()));
    }
    text
}
