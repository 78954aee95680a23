//! The classes of what a call can do.

use serde::{Deserialize, Serialize};

/// What a call can do, as the host rates it. A server's own annotations are never the reason for a lower rating.
///
/// The order is that of a report; it says nothing about which class is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Reads inside the roots.
    Read,
    /// Reads what may hold a secret: `.env`, a key file, a text with a private key in it.
    SensitiveRead,
    /// Edits an ordinary file inside the roots.
    Edit,
    /// Edits a file that other programs run or obey, such as a `Makefile` or a CI workflow.
    EditExecutable,
    /// Deletes or moves files inside the roots.
    Delete,
    /// Writes to the repository so that nothing is lost: staging, commits, branches.
    #[serde(alias = "git")]
    GitLocal,
    /// Takes commits or uncommitted work out of sight.
    GitHistory,
    /// Runs a command.
    Command,
    /// Keeps or deletes notes that later sessions read.
    Memory,
    /// A third-party tool that the user rated as one that reads.
    ForeignRead,
    /// A third-party tool.
    Foreign,
    /// Reaches a network.
    Network,
    /// Touches what lies outside of the roots.
    Outside,
    /// Changes what walden may do: its rules, its configuration, its list of servers.
    Policy,
}

impl Risk {
    /// All classes, in the order in which they are explained.
    pub const ALL: [Self; 14] = [
        Self::Read,
        Self::SensitiveRead,
        Self::Edit,
        Self::EditExecutable,
        Self::Delete,
        Self::GitLocal,
        Self::GitHistory,
        Self::Command,
        Self::Memory,
        Self::ForeignRead,
        Self::Foreign,
        Self::Network,
        Self::Outside,
        Self::Policy,
    ];

    /// Returns the word for the class in rules and messages, which is also how it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::SensitiveRead => "sensitive_read",
            Self::Edit => "edit",
            Self::EditExecutable => "edit_executable",
            Self::Delete => "delete",
            Self::GitLocal => "git_local",
            Self::GitHistory => "git_history",
            Self::Command => "command",
            Self::Memory => "memory",
            Self::ForeignRead => "foreign_read",
            Self::Foreign => "foreign",
            Self::Network => "network",
            Self::Outside => "outside",
            Self::Policy => "policy",
        }
    }

    /// Finds a class by its word.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|risk| risk.name() == name)
    }

    /// Says what a call of the class does, to stand after `because`.
    pub fn because(self) -> &'static str {
        match self {
            Self::Read => "it reads a file",
            Self::SensitiveRead => "it reads what may hold a secret",
            Self::Edit => "it changes a file",
            Self::EditExecutable => "it changes a file that other programs run or obey",
            Self::Delete => "it deletes or moves a file",
            Self::GitLocal => "it writes to the git repository",
            Self::GitHistory => "it takes commits or uncommitted work out of sight",
            Self::Command => "it runs a command",
            Self::Memory => "it changes the notes that later sessions read",
            Self::ForeignRead | Self::Foreign => "its server is not part of walden",
            Self::Network => "it reaches a network",
            Self::Outside => "it touches what lies outside of the roots",
            Self::Policy => "it changes what walden may do",
        }
    }

    /// Tells whether the class only reads, inside the roots.
    pub fn is_read(self) -> bool {
        matches!(self, Self::Read | Self::SensitiveRead)
    }

    /// Tells whether files may come and go by such a call without a [`super::FileChange`] that tells of it.
    pub fn changes_unseen(self) -> bool {
        matches!(
            self,
            Self::Delete | Self::Command | Self::GitLocal | Self::GitHistory | Self::Foreign
        )
    }

    /// Tells whether the call goes to a server that is not part of walden.
    pub fn is_foreign(self) -> bool {
        matches!(self, Self::ForeignRead | Self::Foreign | Self::Network)
    }

    /// Tells whether who allowed this class of a tool has thereby allowed the other: the same, or the milder one of
    /// the same kind.
    pub fn covers(self, other: Self) -> bool {
        self == other
            || matches!(
                (self, other),
                (Self::SensitiveRead, Self::Read)
                    | (Self::EditExecutable, Self::Edit)
                    | (Self::GitHistory, Self::GitLocal)
                    | (Self::Foreign, Self::ForeignRead)
            )
    }
}

impl std::fmt::Display for Risk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_of_an_old_journal_is_still_read() {
        for (written, risk) in [
            ("read", Risk::Read),
            ("edit", Risk::Edit),
            ("edit_executable", Risk::EditExecutable),
            ("delete", Risk::Delete),
            ("command", Risk::Command),
            ("foreign", Risk::Foreign),
            // As the git server of those days wrote them.
            ("git", Risk::GitLocal),
            ("git_history", Risk::GitHistory),
        ] {
            let read: Risk = serde_json::from_value(written.into()).expect("a class");
            assert_eq!(read, risk);
        }
    }

    #[test]
    fn each_class_has_a_word_of_its_own() {
        for risk in Risk::ALL {
            assert_eq!(Risk::named(risk.name()), Some(risk));
            assert!(risk.covers(risk));
        }
        assert!(!Risk::Command.covers(Risk::Edit));
        assert!(!Risk::Edit.covers(Risk::EditExecutable));
    }
}
