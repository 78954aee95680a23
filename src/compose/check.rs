//! What checks the project: the command that the user names, or the one that its files tell.

use std::cell::LazyCell;
use std::path::Path;

use super::run;
use crate::config::Config;
use crate::error::UserError;
use crate::protocol::Mechanism;
use crate::sandbox::Launcher;
use crate::servers::run::{Runner, Scripts};
use crate::workspace::{Index, Roots, detect_check, reads_examples};

/// Makes the server that checks the project, if there is something to check it with, and tells whether the user named
/// the command.
///
/// # Errors
/// When the command that the user named is none.
pub(super) fn find(
    config: &Config,
    roots: &Roots,
    dir: &Path,
) -> Result<Option<(Runner, bool)>, UserError> {
    let dir = dir.join("check");
    let named = match config.check.as_deref() {
        Some("off") => return Ok(None),
        None | Some("auto") => None,
        Some(command) => Some(
            shlex::split(command)
                .filter(|words| !words.is_empty())
                .ok_or_else(|| {
                    UserError::usage(format!("the check `{command}` is no command"))
                        .hint("close every quote; `--check off` goes on without a check")
                })?,
        ),
    };
    let is_named = named.is_some();
    let launcher = Launcher::of_this_program().map_err(UserError::from_error)?;
    // A large project is walked once, and one whose check is plain to see not at all.
    let index = LazyCell::new(|| Index::of(roots));
    let check = named.or_else(|| detected(config, roots, &|| &index));
    if let Some(check) = check {
        return Ok(Some((
            Runner::new(roots.clone(), launcher, check, dir),
            is_named,
        )));
    }
    // Where nothing checks the project, a Python file that is written from nothing is at least run.
    let has_python = index.files().iter().any(|file| file.ends_with(".py"));
    let python = ["python3", "python"].into_iter();
    let python = python.filter(|_| has_python).find(|name| run::has(name));
    Ok(python.map(|python| {
        let runner = Runner::new(roots.clone(), launcher, Vec::new(), dir);
        (runner.with_python(python), is_named)
    }))
}

/// Lets the server run scripts of skills as well, and makes one where there is only that to run.
///
/// # Errors
/// When this program cannot be found, which confines what is run.
pub(super) fn with_scripts(
    found: Option<(Runner, bool)>,
    scripts: Vec<Scripts>,
    roots: &Roots,
    dir: &Path,
) -> Result<Option<(Runner, bool)>, UserError> {
    if scripts.is_empty() {
        return Ok(found);
    }
    let (runner, is_named) = match found {
        Some(found) => found,
        None => {
            let launcher = Launcher::of_this_program().map_err(UserError::from_error)?;
            let runner = Runner::new(roots.clone(), launcher, Vec::new(), dir.join("check"));
            (runner, false)
        }
    };
    Ok(Some((runner.with_scripts(scripts), is_named)))
}

/// Finds the check that the project's files tell, but for what is left out to measure it.
fn detected<'a>(
    config: &Config,
    roots: &Roots,
    index: &dyn Fn() -> &'a Index,
) -> Option<Vec<String>> {
    let found = detect_check(roots, index, &run::has)?;
    let is_left_out = config.without.contains(&Mechanism::Examples) && reads_examples(&found);
    (!is_left_out).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_no_check_where_they_are_left_out() {
        let dir = tempfile::tempdir().expect("a folder");
        let text = "def f(x):\n    \"\"\"\n    >>> f(1)\n    2\n    \"\"\"\n    return x + 1\n";
        std::fs::write(dir.path().join("a.py"), text).expect("written");
        let roots = Roots::open(&[dir.path().to_owned()]).expect("roots");
        let index = Index::of(&roots);
        let without = |mechanism| Config {
            without: vec![mechanism],
            ..Config::default()
        };
        let found = |config: &Config| detected(config, &roots, &|| &index);
        assert!(found(&Config::default()).is_some());
        assert_eq!(found(&without(Mechanism::Examples)), None);
        assert!(found(&without(Mechanism::Search)).is_some());
    }
}
