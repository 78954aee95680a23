//! Running `walden bench tasks`.

#![expect(
    clippy::disallowed_methods,
    reason = "makes and removes the folder that the tasks are laid in"
)]

use std::io::Write as _;
use std::time::Duration;

use super::{configure, locate_model};
use crate::bench::tasks;
use crate::cli::{BenchTasks, Options};
use crate::error::UserError;
use crate::sandbox::launchable;
use crate::session::SessionFiles;

/// Runs the tasks of a file, and returns the results as text.
///
/// # Errors
/// When there is no model, no Python, or a task cannot be laid.
pub fn bench_tasks(options: &Options, bench: &BenchTasks) -> Result<String, UserError> {
    // Asked before anything is laid: every task would fail.
    tasks::read(&bench.file).map_err(UserError::failure)?;
    locate_model(&configure(options)?)?;
    let here = std::env::current_dir()
        .map_err(|error| UserError::failure(format!("cannot work here: {error}")))?;
    let python = match &bench.python {
        Some(python) => here.join(python),
        None => ["python3", "python"]
            .iter()
            .find_map(|name| launchable(name, &here))
            .ok_or_else(|| {
                UserError::usage("there is no python3 on the PATH for the tasks' tests")
                    .hint("`--python FILE` names one")
            })?,
    };
    let mut options = options.clone();
    // What is found after the agent was ended counts for nothing: it keeps a part of the time to end by itself.
    if options.search_time.is_none() {
        let seconds = bench.seconds.saturating_mul(4) / 5;
        options.search_time = Some(u32::try_from(seconds).unwrap_or(u32::MAX));
    }
    let files = SessionFiles::open().map_err(UserError::from_error)?;
    let plan = tasks::Plan {
        file: bench.file.clone(),
        only: bench.only.clone(),
        limit: bench.limit,
        longest: Duration::from_secs(bench.seconds),
        python,
        flags: options.arguments(),
        without: options.left_out(),
        folder: files.scratch(),
        results: bench.results.clone(),
    };
    let mut told = |row: &tasks::Row| {
        let verdict = if row.solved { "solved" } else { "failed" };
        let end = if row.killed {
            ", ended: its time was up"
        } else {
            ""
        };
        // Somebody who closed stderr does not wait for it.
        let _ = writeln!(
            crate::door::Harmless::new(std::io::stderr()),
            "{verdict} {} ({:.0} s, {} evaluated, {} generated{end})",
            row.id,
            row.wall_s,
            row.evaluated,
            row.generated
        );
    };
    let rows = tasks::run(&plan, &mut told);
    let _ = std::fs::remove_dir_all(&plan.folder);
    let rows = rows.map_err(UserError::failure)?;
    if !bench.json {
        return Ok(tasks::table(&rows));
    }
    let mut text = String::new();
    for row in &rows {
        text.push_str(&serde_json::to_string(row).map_err(UserError::from_error)?);
        text.push('\n');
    }
    let total = serde_json::json!({
        "total": tasks::Total::of(&rows),
        "without": options.left_out(),
    });
    Ok(format!("{text}{total}\n"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::llama_options;
    use crate::cli::{Cli, Command};
    use crate::config::Config;
    use crate::model::speculate::Speculation;
    use crate::protocol::Mechanism;

    fn without(mechanism: Mechanism) -> Config {
        Config {
            without: vec![mechanism],
            ..Config::default()
        }
    }

    #[test]
    fn the_engine_goes_without_what_is_left_out() {
        let options = |config: &Config| llama_options(config, "m.gguf".into());
        assert_eq!(
            options(&Config::default()).speculation,
            Speculation::default()
        );
        let left_out = options(&without(Mechanism::Speculation));
        assert_eq!(left_out.speculation, Speculation::Off);
        let layer = |flags: &[&str]| {
            let line = ["walden", "exec", "x"].iter().chain(flags);
            match Cli::try_parse_from(line).expect("a command line").command {
                Some(Command::Exec(exec)) => exec.options.layer(),
                other => panic!("{other:?}"),
            }
        };
        assert!(options(&layer(&[])).real_arguments);
        assert!(!options(&layer(&["--without=arguments"])).real_arguments);
    }
}
