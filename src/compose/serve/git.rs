//! Building the git server.

use std::path::{Path, PathBuf};

use crate::cli::ServeGit;
use crate::error::UserError;
use crate::servers::git::{ClientRoots, Git};
use crate::workspace::Roots;

use super::{Served, narrowed};

/// Repositories: those that are named, or else those in the client's roots, or else that of the current folder.
pub(super) struct Repositories {
    roots: Roots,
    client_roots: ClientRoots,
    /// What all clients' calls take turns in.
    server: Git,
}

impl Served for Repositories {
    type Server = Git;

    fn for_a_client(&self) -> Git {
        self.server.for_another_client()
    }

    fn within(&self, folders: &[PathBuf]) -> Result<Self, String> {
        let roots = narrowed(&self.roots, folders)?;
        let is_none = |dir: &&Path| !dir.join(".git").exists();
        if let Some(dir) = roots.dirs().into_iter().find(is_none) {
            return Err(format!(
                "`{}` is no repository: name the folder that `.git` is in",
                dir.display()
            ));
        }
        Ok(Self {
            server: self.server.bounded(roots.clone(), self.client_roots),
            client_roots: self.client_roots,
            roots,
        })
    }
}

/// Finds the repositories that are served.
pub(super) fn git(options: &ServeGit) -> Result<Repositories, UserError> {
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
    Ok(Repositories {
        server: Git::full(roots.clone(), client_roots),
        roots,
        client_roots,
    })
}
