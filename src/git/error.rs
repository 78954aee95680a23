//! Why git work was not done.

use crate::workspace::RootsError;

/// Why git work was not done. Unless it says otherwise, the repository is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    #[error("Repository path '{path}' is outside the allowed repository '{allowed}'")]
    Outside { path: String, allowed: String },
    #[error("`{path}` is not a git repository{hint}")]
    NotARepository { path: String, hint: String },
    #[error(
        "{what} of this repository leads outside the open folders, to `{path}`; open that folder too, or remove it"
    )]
    Escapes { what: String, path: String },
    #[error("the repository `{path}` belongs to another user; it is not opened")]
    Owner { path: String },
    #[error("Ref '{name}' did not resolve to an object")]
    NoSuchRef { name: String },
    #[error("Invalid {what}: '{value}' - cannot start with '-'")]
    LeadingDash { what: &'static str, value: String },
    /// A request that is not carried out, with what to do instead.
    #[error("{0}")]
    Refused(String),
    #[error("cannot {doing}: {problem}")]
    Failed { doing: String, problem: String },
    #[error("cancelled")]
    Cancelled,
    #[error(transparent)]
    Roots(#[from] RootsError),
    #[error("{}", .0.message())]
    Library(git2::Error),
}

impl GitError {
    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into())
    }
}

impl From<git2::Error> for GitError {
    fn from(error: git2::Error) -> Self {
        // Forms of the index that only git itself reads.
        if error.message().contains("unsupported mandatory extension") {
            return Self::Failed {
                doing: "read the index".to_owned(),
                problem: format!(
                    "{}; `git update-index --no-split-index` and `git sparse-checkout reapply --no-sparse-index` \
                     write it in the common form",
                    error.message()
                ),
            };
        }
        Self::Library(error)
    }
}
