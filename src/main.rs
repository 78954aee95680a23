//! The program: reads the command line, builds what a command needs, and runs it.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "the one place that speaks to the user before and after the screen"
)]

use std::os::unix::process::CommandExt as _;
use std::process::ExitCode as Status;

use clap::{CommandFactory as _, Parser as _};
use walden::cli::{BenchCommand, Cli, Command, SessionsCommand};
use walden::compose;
use walden::error::{ExitCode, UserError};
use walden::model::llama;
use walden::sandbox;

fn main() -> Status {
    if let Some((status, problem)) = sandbox::help(std::env::args_os()) {
        eprintln!("walden: {problem}");
        return Status::from(u8::try_from(status).unwrap_or(125));
    }
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

/// What the engine's libraries read from the environment, before `main` runs.
///
/// OpenMP's threads wait for each other several hundred times a token. By default they spin for about a millisecond,
/// which is free on an idle machine and ruinous on a busy one: beside two busy processes on two cores the 1.5B model
/// wrote 3.6 tokens a second, and 15.4 with this count, at the same speed when idle. ggml's backtrace would start a
/// debugger on the user's screen.
const ENGINE_ENVIRONMENT: [(&str, &str); 2] = [("GOMP_SPINCOUNT", "20000"), llama::NO_BACKTRACE];

/// Starts this program again with the environment that the engine needs. Returns where that was done, is not wanted
/// (the user set a policy) or is not possible.
fn relaunch() {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    if is_set("GOMP_SPINCOUNT") || is_set("OMP_WAIT_POLICY") {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "this very program, in this very process"
    )]
    let mut command = std::process::Command::new(program);
    let error = command
        .args(std::env::args_os().skip(1))
        .envs(ENGINE_ENVIRONMENT)
        .exec();
    tracing::warn!("cannot start again with the engine's environment: {error}");
}

fn run(cli: Cli) -> Result<ExitCode, UserError> {
    let runs_model = !matches!(
        cli.command,
        Some(
            Command::Model(_)
                | Command::Sessions { .. }
                | Command::Doctor(_)
                | Command::Sandbox(_)
                | Command::Trust(_)
                | Command::Serve(_)
                | Command::Completions { .. }
        )
    );
    if runs_model {
        relaunch();
    }
    compose::start_log();
    match cli.command {
        None => compose::terminal(&cli.options, None),
        Some(Command::Resume(resume)) => {
            compose::terminal(&cli.options.under(resume.options), Some(resume.id))
        }
        Some(Command::Exec(exec)) => {
            compose::headless(&cli.options.under(exec.options.clone()), &exec)
        }
        Some(Command::Trust(trust)) => {
            compose::trust(&cli.options.under(trust.options.clone()), &trust)
        }
        Some(Command::Review(review)) => {
            compose::review(&cli.options.under(review.options.clone()), &review)
        }
        Some(Command::Sessions { command }) => {
            let text = match command {
                None => compose::sessions()?,
                Some(SessionsCommand::Clear) => compose::clear_sessions()?,
            };
            print!("{text}");
            Ok(ExitCode::Success)
        }
        Some(Command::Bench(bench)) => {
            let options = cli.options.under(bench.options.clone());
            let text = match &bench.command {
                Some(BenchCommand::Tasks(tasks)) => {
                    compose::bench_tasks(&options.under(tasks.options.clone()), tasks)?
                }
                None => compose::bench(&options, &bench)?,
            };
            print!("{text}");
            Ok(ExitCode::Success)
        }
        Some(Command::Model(command)) => compose::model(&command),
        Some(Command::Doctor(doctor)) => {
            let (text, code) = compose::doctor(&cli.options.under(doctor.options.clone()), &doctor);
            print!("{text}");
            Ok(code)
        }
        Some(Command::Sandbox(command)) => {
            let (text, code) = compose::sandbox(&command)?;
            print!("{text}");
            Ok(code)
        }
        Some(Command::Serve(serve)) => compose::serve(&serve),
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Cli::command(), "walden", &mut std::io::stdout());
            Ok(ExitCode::Success)
        }
    }
}
