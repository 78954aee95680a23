//! Making a repository where there is none.

use std::path::Path;

use git2::{IndexAddOption, Repository, RepositoryInitOptions, Signature, Time};

use super::GitError;

/// Makes a repository in a folder, with all of the folder's files in one commit. The commit has no person's name and no
/// present time: the same files give the same commit.
///
/// # Errors
/// When the folder cannot be written, or a file in it cannot be read.
pub fn start(folder: &Path) -> Result<(), GitError> {
    let mut options = RepositoryInitOptions::new();
    // Templates are the user's, and may hold hooks.
    options.external_template(false).initial_head("main");
    let git = Repository::init_opts(folder, &options)?;
    let mut index = git.index()?;
    index.add_all(["*"], IndexAddOption::DEFAULT, None)?;
    index.write()?;
    let tree = git.find_tree(index.write_tree()?)?;
    let by = Signature::new("walden", "walden@localhost", &Time::new(0, 0))?;
    git.commit(Some("HEAD"), &by, &by, "start", &tree, &[])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test lays its own files")]
    fn the_files_of_a_folder_are_its_first_commit() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.py"), "a = 1\n").unwrap();
        start(dir.path()).unwrap();
        let git = Repository::open(dir.path()).unwrap();
        let tree = git.head().unwrap().peel_to_tree().unwrap();
        assert!(tree.get_name("a.py").is_some());
        assert!(git.statuses(None).unwrap().is_empty());
    }
}
