//! Recording a commit.

use git2::{Commit, ErrorCode, Oid, RepositoryState, Signature};

use super::{GitError, Repo};

impl Repo {
    /// Records the index as a commit, and returns its id. A merge in progress is concluded.
    ///
    /// # Errors
    ///
    /// When nothing is staged, files are unmerged, the author is not known, or commits are to be signed: the program
    /// that signs is not run.
    pub fn commit(&self, message: &str) -> Result<String, GitError> {
        if self.settings.is_on("commit.gpgsign") == Some(true) {
            return Err(GitError::refused(
                "`commit.gpgsign` is on: commits are to be signed by a program, which is not run here; \
                 commit with git itself",
            ));
        }
        if message.trim().is_empty() {
            return Err(GitError::refused(
                "the commit message is empty; say what the commit changes",
            ));
        }
        let mut index = self.git.index()?;
        index.read(true)?;
        if index.has_conflicts() {
            return Err(GitError::refused(
                "Committing is not possible because you have unmerged files; git_conflicts lists them",
            ));
        }
        let state = self.git.state();
        let head = match self.git.head() {
            Ok(head) => Some(head.peel_to_commit()?),
            Err(error) if error.code() == ErrorCode::UnbornBranch => None,
            Err(error) => return Err(error.into()),
        };
        let mut parents: Vec<Commit<'_>> = head.into_iter().collect();
        for line in self.state_file("MERGE_HEAD").unwrap_or_default().lines() {
            parents.push(self.git.find_commit(Oid::from_str(line.trim())?)?);
        }
        let merging = parents.len() > 1;
        let empty = match parents.first() {
            None => index.is_empty(),
            Some(head) => {
                let diff = self
                    .git
                    .diff_tree_to_index(Some(&head.tree()?), Some(&index), None)?;
                diff.deltas().len() == 0
            }
        };
        if empty && !merging {
            return Err(GitError::refused(
                "No changes staged for commit. Use git_add to stage changes first; git_status shows what is \
                 currently staged.",
            ));
        }
        let author = self.author()?;
        let tree = self.git.find_tree(index.write_tree()?)?;
        let parents: Vec<&Commit<'_>> = parents.iter().collect();
        let id = self
            .git
            .commit(Some("HEAD"), &author, &author, message, &tree, &parents)?;
        // The index knows its tree now, which makes the next status faster.
        let _ = index.write();
        // Of a rebase or a bisection, the state goes on.
        if matches!(
            state,
            RepositoryState::Merge | RepositoryState::CherryPick | RepositoryState::Revert
        ) {
            self.git.cleanup_state()?;
        }
        Ok(id.to_string())
    }

    /// Names who commits here, where the configuration tells.
    pub fn author_name(&self) -> Option<String> {
        let author = self.author().ok()?;
        author.name().ok().map(str::to_owned)
    }

    /// Returns who commits, from the configuration.
    pub(super) fn author(&self) -> Result<Signature<'static>, GitError> {
        let value = |name| {
            self.settings
                .get(name)
                .filter(|value| !value.trim().is_empty())
        };
        match (value("user.name"), value("user.email")) {
            (Some(name), Some(email)) => Ok(Signature::now(name, email)?),
            _ => Err(GitError::refused(
                "the author is not known; set `user.name` and `user.email` in git's configuration",
            )),
        }
    }
}
