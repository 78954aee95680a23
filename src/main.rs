//! The program: reads the command line, builds what a command needs, and runs it.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode as Status;

use clap::{CommandFactory as _, Parser as _};
use walden::cli::{BenchCommand, Cli, Command, Serve, SessionsCommand};
use walden::compose;
use walden::door::Harmless;
use walden::error::{ExitCode, UserError};
use walden::model::llama;
use walden::sandbox;

/// Writes to the user before and after the screen: nothing of it acts on the terminal, whoever's text is in it.
fn say(text: &str) {
    let mut out = Harmless::new(std::io::stdout().lock());
    // Somebody who closed it does not wait for it.
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Says what went wrong.
fn complain(text: &str) {
    let mut out = Harmless::new(std::io::stderr().lock());
    let _ = out.write_all(text.as_bytes());
}

/// Reads the command line; where it is wrong, or asks for help, says so and ends.
///
/// What is wrong is quoted, and what a script put there may be anybody's text.
fn command_line() -> Result<Cli, Status> {
    Cli::try_parse().map_err(|error| {
        let status = Status::from(u8::try_from(error.exit_code()).unwrap_or(2));
        match error.use_stderr() {
            true => complain(&error.render().to_string()),
            // Help and the version are walden's own words, with their colours.
            false => drop(error.print()),
        }
        status
    })
}

fn main() -> Status {
    compose::tame_panics();
    if let Some((status, problem)) = sandbox::help(std::env::args_os()) {
        complain(&format!("walden: {problem}\n"));
        return Status::from(u8::try_from(status).unwrap_or(125));
    }
    #[cfg(feature = "net")]
    if let Some(problem) = compose::act_as_broker(std::env::args_os()) {
        if problem.is_empty() {
            return Status::SUCCESS;
        }
        complain(&format!(
            "walden: the process that connects for walden: {problem}\n"
        ));
        return Status::FAILURE;
    }
    if let Some(problem) = compose::act_as_keeper(std::env::args_os()) {
        if problem.is_empty() {
            return Status::SUCCESS;
        }
        complain(&format!(
            "walden: the process that keeps a container: {problem}\n"
        ));
        return Status::FAILURE;
    }
    let cli = match command_line() {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    let code = match run(cli) {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("walden: {error}\n"));
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

/// Has the C library ask for large pages where it takes much memory at once, which only weights, cache and buffers do.
/// They are given back in half the time then, which is what leaving takes (80 ms in place of 160, with 2.3 GiB), for 3 MiB
/// more of the heap.
const LARGE_PAGES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");

/// Names the worker: the process that has this number is one, and what it starts is none.
const WORKER: &str = "WALDEN_WORKER";

/// Becomes the worker: this program again, with the environment that the engine needs and a folder of its own for
/// passing files, beside a broker where one is wanted. Returns in the worker, and where starting it is not possible.
///
/// # Errors
/// When the configuration is wrong, or the broker cannot be started.
fn launch(cli: &Cli) -> Result<(), UserError> {
    let own = std::process::id().to_string();
    if std::env::var(WORKER).is_ok_and(|worker| worker == own) {
        return Ok(());
    }
    let Ok(program) = std::env::current_exe() else {
        return Ok(());
    };
    let is_set = |name: &str| std::env::var_os(name).is_some();
    #[expect(
        clippy::disallowed_methods,
        reason = "this very program, in this very process"
    )]
    let mut command = std::process::Command::new(program);
    command
        .args(std::env::args_os().skip(1))
        .env(WORKER, own)
        .envs(compose::worker_environment(cli)?);
    if !(is_set("GOMP_SPINCOUNT") || is_set("OMP_WAIT_POLICY")) {
        command.envs(ENGINE_ENVIRONMENT);
    }
    if !is_set(LARGE_PAGES.0) {
        command.envs([LARGE_PAGES]);
    }
    let error = command.exec();
    tracing::warn!("cannot start again with the engine's environment: {error}");
    Ok(())
}

fn run(cli: Cli) -> Result<ExitCode, UserError> {
    if cli.runs_model() {
        launch(&cli)?;
    }
    // Before the log and everything else that may start a thread: a thread that is there already stays free.
    compose::seal(&cli)?;
    compose::start_log();
    match cli.command {
        None => compose::terminal(&cli.options, None),
        Some(Command::Resume(resume)) => {
            compose::terminal(&cli.options.under(resume.options), Some(resume.id))
        }
        Some(Command::Export(asked)) => {
            say(&compose::export_session(&cli.options, &asked)?);
            Ok(ExitCode::Success)
        }
        Some(Command::Trace(asked)) => {
            say(&compose::trace_session(&cli.options, &asked)?);
            Ok(ExitCode::Success)
        }
        Some(Command::Exec(exec)) => {
            compose::headless(&cli.options.under(exec.options.clone()), &exec)
        }
        Some(Command::Trust(trust)) => {
            let mut options = cli.options;
            options.cwd = trust.cwd.clone().or(options.cwd);
            compose::trust(&options, &trust)
        }
        Some(Command::Review(review)) => {
            compose::review(&cli.options.under(review.options.clone()), &review)
        }
        Some(Command::Sessions { command }) => {
            let text = match command {
                None => compose::sessions()?,
                Some(SessionsCommand::Clear) => compose::clear_sessions()?,
            };
            say(&text);
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
            say(&text);
            Ok(ExitCode::Success)
        }
        Some(Command::Model(command)) => compose::model(&command),
        Some(Command::Doctor(doctor)) => {
            let (text, code) = compose::doctor(&cli.options.under(doctor.options.clone()), &doctor);
            say(&text);
            Ok(code)
        }
        Some(Command::Sandbox(command)) => {
            let (text, code) = compose::sandbox(&command)?;
            say(&text);
            Ok(code)
        }
        Some(Command::Rules(command)) => {
            let (text, code) = compose::rules(&cli.options, &command)?;
            say(&text);
            Ok(code)
        }
        Some(Command::Map(asked)) => {
            say(&compose::map(&cli.options, &asked)?);
            Ok(ExitCode::Success)
        }
        Some(Command::Mcp(command)) => compose::mcp(&cli.options, &command),
        Some(Command::Audit(command)) => {
            let (text, code) = compose::audit(&command)?;
            say(&text);
            Ok(code)
        }
        Some(Command::Refactor(command)) => {
            let done = compose::refactor(&cli.options, &command)?;
            say(&done.diff);
            complain(&done.notes);
            Ok(ExitCode::Success)
        }
        Some(Command::Serve(Serve::Differences)) => {
            say(&compose::differences());
            Ok(ExitCode::Success)
        }
        Some(Command::Serve(serve)) => compose::serve(&cli.options, &serve),
        #[cfg(feature = "net")]
        Some(Command::McpConformance { url }) => compose::conformance(&url),
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Cli::command(), "walden", &mut std::io::stdout());
            Ok(ExitCode::Success)
        }
    }
}
