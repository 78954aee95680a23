//! The program: reads the command line, builds what a command needs, and runs it.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "the one place that speaks to the user before and after the screen"
)]

use std::process::ExitCode as Status;

use clap::{CommandFactory as _, Parser as _};
use walden::cli::{Cli, Command};
use walden::compose;
use walden::error::{ExitCode, UserError};

fn main() -> Status {
    let cli = Cli::parse();
    let code = match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("walden: {error}");
            error.exit_code()
        }
    };
    Status::from(code.status())
}

fn run(cli: Cli) -> Result<ExitCode, UserError> {
    compose::start_log();
    match cli.command {
        None => compose::terminal(&cli.options, None),
        Some(Command::Resume(resume)) => {
            compose::terminal(&cli.options.under(resume.options), Some(resume.id))
        }
        Some(Command::Exec(exec)) => {
            compose::headless(&cli.options.under(exec.options.clone()), &exec)
        }
        Some(Command::Sessions) => {
            print!("{}", compose::sessions()?);
            Ok(ExitCode::Success)
        }
        Some(Command::Model(command)) => compose::model(&command),
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Cli::command(), "walden", &mut std::io::stdout());
            Ok(ExitCode::Success)
        }
    }
}
