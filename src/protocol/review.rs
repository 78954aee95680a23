//! A review: what is looked at, and what is found in it.

use serde::{Deserialize, Serialize};

/// The change that is reviewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "of")]
pub enum ReviewTarget {
    /// What the files have that the last commit has not, new files included.
    Uncommitted,
    /// What is staged for the next commit.
    Staged,
    /// What the files have since they left a branch or revision.
    Base { rev: String },
    /// What one commit changed.
    Commit { rev: String },
}

impl ReviewTarget {
    /// Reads what may follow `/review`: nothing, `staged`, `base REV` or `commit REV`. `None` for anything else.
    pub fn parse(words: &str) -> Option<Self> {
        let mut words = words.split_whitespace();
        let target = match (words.next(), words.next()) {
            (None | Some("uncommitted"), None) => Self::Uncommitted,
            (Some("staged"), None) => Self::Staged,
            (Some("base"), Some(rev)) => Self::Base {
                rev: rev.to_owned(),
            },
            (Some("commit"), Some(rev)) => Self::Commit {
                rev: rev.to_owned(),
            },
            _ => return None,
        };
        words.next().is_none().then_some(target)
    }
}

impl std::fmt::Display for ReviewTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uncommitted => f.write_str("uncommitted"),
            Self::Staged => f.write_str("staged"),
            Self::Base { rev } => write!(f, "base {rev}"),
            Self::Commit { rev } => write!(f, "commit {rev}"),
        }
    }
}

/// How much a finding matters, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Note,
    Warning,
    Error,
}

impl Severity {
    /// All severities, the least first.
    pub const ALL: [Self; 3] = [Self::Note, Self::Warning, Self::Error];

    /// Returns the name, as it is written and asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something found in a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The file, from the repository's top.
    pub path: String,
    /// The first and the last line, in the file as the change leaves it. They are lines that the change shows.
    pub from: u32,
    pub to: u32,
    pub severity: Severity,
    /// What is wrong, in a few words.
    pub title: String,
    /// When it goes wrong, and how.
    pub explanation: String,
    /// What to do instead; empty where nothing was suggested.
    pub suggestion: String,
    /// How many of the passes over the change found it, and how many there were.
    pub votes: u32,
    pub passes: u32,
}

/// What happens in a review.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "news")]
pub enum ReviewNews {
    /// The change was read: so many pieces are looked at, and these files are not, for a reason.
    Read {
        target: ReviewTarget,
        files: u32,
        pieces: u32,
        left_out: Vec<(String, String)>,
    },
    /// A piece is being looked at: its number, from 1, and its file.
    Looking {
        piece: u32,
        path: String,
    },
    Found {
        finding: Finding,
    },
    /// A piece could not be looked at.
    Missed {
        path: String,
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_as_it_is_shown() {
        for text in ["uncommitted", "staged", "base main", "commit HEAD~1"] {
            let target = ReviewTarget::parse(text).unwrap();
            assert_eq!(target.to_string(), text);
        }
        assert_eq!(ReviewTarget::parse(""), Some(ReviewTarget::Uncommitted));
        for text in ["base", "commit", "x", "staged y", "base a b"] {
            assert_eq!(ReviewTarget::parse(text), None, "{text}");
        }
    }
}
