//! The commands that measure.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Options;
use crate::bench::Part;

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
