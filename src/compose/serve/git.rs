//! Building the git server.

use std::path::{Path, PathBuf};

use crate::cli::ServeGit;
use crate::error::UserError;
use crate::servers::git::{ClientRoots, Git};
use crate::workspace::Roots;

/// Returns what makes a server for each client: for the repositories that are named, or else for those in its roots, or
/// else for that of the current folder.
pub(super) fn git(options: &ServeGit) -> Result<impl Fn() -> Git + use<>, UserError> {
    let given = match options.repository.as_slice() {
        [] => vec![PathBuf::from(".")],
        given => given.to_vec(),
    };
    let mut tops = Vec::new();
    for dir in &given {
        let full = std::path::absolute(dir).map_err(UserError::from_error)?;
        let top = full.ancestors().find(|folder| folder.join(".git").exists());
        if top.is_none() && !options.repository.is_empty() {
            let problem = format!("`{}` is not in a git repository", dir.display());
            return Err(UserError::usage(problem)
                .hint("give the folder of one: `walden serve git --repository DIR`"));
        }
        tops.push(top.map_or(full.clone(), Path::to_owned));
    }
    let roots = Roots::open(&tops).map_err(UserError::from_error)?;
    let chosen = options.ignore_client_roots || !options.repository.is_empty();
    let client_roots = match (chosen, options.http.is_asked_for()) {
        (true, _) => ClientRoots::Ignore,
        (false, true) => ClientRoots::Narrow,
        (false, false) => ClientRoots::Replace,
    };
    let server = Git::full(roots, client_roots);
    Ok(move || server.for_another_client())
}
