//! The change that a review looks at, as text.

use git2::Tree;

use super::{DiffForm, DiffOf, GitError, Repo};

/// The most context around a change.
const CONTEXT: u32 = 12;

/// Which change is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeOf {
    /// The last commit with the files, new ones included.
    Uncommitted,
    /// The last commit with the index.
    Staged,
    /// Where the last commit left a revision, with the files.
    Since(String),
    /// A commit with the first one before it.
    Commit(String),
}

impl Repo {
    /// Returns a change as `git diff` prints it, with enough around each part of it to judge it.
    ///
    /// # Errors
    /// When a revision does not exist, or the repository is bare and its files are asked for.
    pub fn change(&self, of: &ChangeOf) -> Result<String, GitError> {
        let form = DiffForm {
            context: CONTEXT,
            ..DiffForm::default()
        };
        match of {
            ChangeOf::Uncommitted => self.with_files(self.head_tree()?.as_ref(), &form),
            ChangeOf::Staged => self.diff(&DiffOf::Staged, &form),
            ChangeOf::Since(rev) => {
                super::names::no_dash("rev", rev)?;
                let theirs = self.resolve(rev)?.peel_to_commit()?.id();
                let ours = self.resolve("HEAD")?.peel_to_commit()?.id();
                let base = self.git.merge_base(ours, theirs).map_err(|_| {
                    GitError::refused(format!("`{rev}` and HEAD have no commit in common"))
                })?;
                let tree = self.git.find_commit(base)?.tree()?;
                self.with_files(Some(&tree), &form)
            }
            ChangeOf::Commit(rev) => {
                super::names::no_dash("rev", rev)?;
                let commit = self.resolve(rev)?.peel_to_commit()?;
                let before = match commit.parent_count() {
                    0 => None,
                    _ => Some(commit.parent(0)?.tree()?),
                };
                let after = commit.tree()?;
                let mut options = self.diff_options(&form)?;
                let mut diff = self.git.diff_tree_to_tree(
                    before.as_ref(),
                    Some(&after),
                    Some(&mut options),
                )?;
                self.find_renames(&mut diff)?;
                self.printed(&diff, CONTEXT)
            }
        }
    }

    /// Compares a tree with the files as they are, new ones included.
    fn with_files(&self, tree: Option<&Tree<'_>>, form: &DiffForm) -> Result<String, GitError> {
        self.workdir()?;
        let mut options = self.diff_options(form)?;
        options
            .ignore_submodules(true)
            .include_untracked(true)
            .recurse_untracked_dirs(true)
            .show_untracked_content(true);
        let mut diff = self
            .git
            .diff_tree_to_workdir_with_index(tree, Some(&mut options))?;
        self.find_renames(&mut diff)?;
        self.printed(&diff, CONTEXT)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test lays its own files")]
mod tests {
    use super::*;
    use crate::workspace::Roots;

    #[test]
    fn new_files_are_part_of_what_is_not_committed() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("a.py", "a = 1\n");
        crate::git::start(dir.path()).unwrap();
        write("a.py", "a = 2\n");
        write("b.py", "b = 1\n");
        let roots = Roots::open(&[dir.path().to_owned()]).unwrap();
        let repo = Repo::open(&roots, &dir.path().to_string_lossy()).unwrap();
        let text = repo.change(&ChangeOf::Uncommitted).unwrap();
        assert!(
            text.contains("-a = 1\n+a = 2") && text.contains("+b = 1"),
            "{text}"
        );
        assert_eq!(repo.change(&ChangeOf::Staged).unwrap(), "");
        let first = repo.change(&ChangeOf::Commit("HEAD".to_owned())).unwrap();
        assert!(first.contains("+a = 1"), "{first}");
        let since = repo.change(&ChangeOf::Since("HEAD".to_owned())).unwrap();
        assert_eq!(since, text);
        assert!(repo.change(&ChangeOf::Commit("--x".to_owned())).is_err());
    }
}
