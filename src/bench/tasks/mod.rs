//! `walden bench tasks`: how many tasks of a file are solved, and at what cost.
//!
//! Each task is laid into a fresh repository and given to `walden exec` as anybody would give it; then hidden tests are
//! laid down in a fresh tree beside what the agent left, and their exit status decides. The tests run confined: what
//! they run was written by a model.

#![expect(
    clippy::disallowed_methods,
    reason = "starts this very program on folders of its own, and keeps the results where the user asked"
)]

mod process;
mod tally;
mod task;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::protocol::Mechanism;
use crate::sandbox::{Launcher, Limits, Metadata, Profile};

use tally::Told;
pub use tally::{Row, Total, table};
pub use task::{Task, read};

/// How much is kept of what tests and the agent said, in bytes.
const TAIL: usize = 1_500;

/// What is run and how.
#[derive(Debug, Clone)]
pub struct Plan {
    pub file: PathBuf,
    /// Only tasks whose id begins with this.
    pub only: String,
    pub limit: Option<usize>,
    /// The longest that the agent may take for a task.
    pub longest: Duration,
    /// The Python that tests run with.
    pub python: PathBuf,
    /// The flags of `walden exec`, such as the model.
    pub flags: Vec<String>,
    /// What the flags leave out, to measure what it is worth.
    pub without: Vec<Mechanism>,
    /// A folder of the run's own.
    pub folder: PathBuf,
    /// Results are added to this file, a line each; what it holds is not run again.
    pub results: Option<PathBuf>,
}

/// Runs the tasks. `told` hears of each as it ends.
///
/// # Errors
/// When the tasks cannot be read or laid, or the program cannot be started. A task that is not solved is none.
pub fn run(plan: &Plan, told: &mut dyn FnMut(&Row)) -> Result<Vec<Row>, String> {
    let tasks = task::read(&plan.file)?;
    let mut rows = match &plan.results {
        Some(path) => earlier(path)?,
        None => Vec::new(),
    };
    // What was measured with something else left out is another measurement.
    rows.retain(|row| row.without == plan.without);
    let wanted = tasks
        .iter()
        .filter(|task| task.id.starts_with(&plan.only))
        .take(plan.limit.unwrap_or(usize::MAX));
    for task in wanted {
        if rows.iter().any(|row| row.id == task.id) {
            continue;
        }
        let row = attempt(plan, task)?;
        if let Some(path) = &plan.results {
            keep(path, &row)?;
        }
        told(&row);
        rows.push(row);
    }
    match rows.is_empty() {
        true => Err(format!("no task's id begins with `{}`", plan.only)),
        false => Ok(rows),
    }
}

/// Lets the agent try one task, and judges what it left.
fn attempt(plan: &Plan, task: &Task) -> Result<Row, String> {
    let repository = Folder::new(&plan.folder.join("task"))?;
    task::lay(&repository.0, &task.files)?;
    if task.tests_visible {
        task::lay(&repository.0, &task.tests)?;
    }
    let before = task::take(&repository.0);
    crate::git::start(&repository.0).map_err(|error| error.to_string())?;
    let prompt = plan.folder.join("prompt");
    fs::write(&prompt, &task.instruction)
        .map_err(|error| format!("cannot write `{}`: {error}", prompt.display()))?;
    let program = std::env::current_exe()
        .map_err(|error| format!("cannot tell where walden itself is: {error}"))?;
    let mut command = Command::new(program);
    command
        .args(["exec", "--json", "--auto", "edit", "--cwd"])
        .arg(&repository.0)
        .arg("--prompt-file")
        .arg(&prompt)
        .args(&plan.flags)
        .env("WALDEN_STATE", plan.folder.join("state"));
    let ran = process::run(command, plan.longest)?;
    let told = Told::of(&ran.out);
    let after = task::take(&repository.0);
    let changed = after
        .iter()
        .filter(|(path, text)| before.get(*path) != Some(*text))
        .map(|(path, _)| path.clone())
        .chain(
            before
                .keys()
                .filter(|path| !after.contains_key(*path))
                .cloned(),
        )
        .collect();
    let (solved, tests) = judge(plan, task, &after)?;
    Ok(Row {
        id: task.id.clone(),
        set: task.set.clone(),
        without: plan.without.clone(),
        solved,
        wall_s: (ran.took.as_secs_f64() * 10.0).round() / 10.0,
        killed: ran.timed_out,
        status: ran.status,
        changed,
        evaluated: told.usage.prompt.saturating_sub(told.usage.cached),
        cached: told.usage.cached,
        generated: told.usage.generated,
        effort: told.effort,
        applied: told.applied,
        checks: told.checks,
        ended: told.ended,
        tests: tail(&tests),
        log: tail(&ran.log),
    })
}

/// Runs the tests in a fresh tree: what the agent left, with the tests laid over it.
fn judge(
    plan: &Plan,
    task: &Task,
    left: &std::collections::BTreeMap<String, String>,
) -> Result<(bool, String), String> {
    let tree = Folder::new(&plan.folder.join("judged"))?;
    task::lay(&tree.0, &task.files)?;
    task::lay(&tree.0, left)?;
    task::lay(&tree.0, &task.tests)?;
    let scratch = Folder::new(&plan.folder.join("scratch"))?;
    let python = plan.python.display().to_string();
    let argv: Vec<String> = shlex::split(&task.test_cmd)
        .ok_or_else(|| {
            format!(
                "the tests of `{}` have no command: a quote is open",
                task.id
            )
        })?
        .into_iter()
        .map(|word| word.replace("{py}", &python))
        .collect();
    let profile = Profile {
        read: Vec::new(),
        write: vec![tree.0.clone()],
        scratch: scratch.0.clone(),
        lacking: crate::sandbox::Lacking::default(),
        metadata: Metadata::Free,
        limits: Limits::default(),
    };
    let mut command = Launcher::of_this_program()
        .and_then(|launcher| launcher.command(&argv, &tree.0, &profile))
        .map_err(|error| format!("cannot run the tests of `{}`: {error}", task.id))?;
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("CI", "1")
        .env("CARGO_TARGET_DIR", tree.0.join("target"))
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_TEST_DEBUG", "0");
    let ran = process::run(command, Duration::from_secs(task.timeout_s))?;
    let mut said = ran.out + &ran.log;
    if ran.timed_out {
        said.push_str("\n[the tests' time was up]");
    }
    Ok((ran.status == Some(0), said))
}

/// Reads the results of an earlier run.
fn earlier(path: &Path) -> Result<Vec<Row>, String> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("cannot read `{}`: {error}", path.display())),
    };
    text.lines()
        .map(|line| {
            serde_json::from_str(line)
                .map_err(|error| format!("`{}` holds no results: {error}", path.display()))
        })
        .collect()
}

fn keep(path: &Path, row: &Row) -> Result<(), String> {
    let line = serde_json::to_string(row).map_err(|error| error.to_string())?;
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| writeln!(file, "{line}"))
        .map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}

/// Returns the end of a text.
fn tail(text: &str) -> String {
    let start = (text.len().saturating_sub(TAIL)..=text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len());
    text[start..].to_owned()
}

/// A folder that is made empty and removed again.
struct Folder(PathBuf);

impl Folder {
    fn new(path: &Path) -> Result<Self, String> {
        // What an earlier task left, if it could not be removed then.
        let _ = fs::remove_dir_all(path);
        fs::create_dir_all(path)
            .map_err(|error| format!("cannot make the folder `{}`: {error}", path.display()))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
