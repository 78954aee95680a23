//! How much the agent may do without asking.

use serde::{Deserialize, Serialize};

/// How much the agent may do without asking. What a mode allows is `agent::Policy`'s to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Reads only; everything else is refused.
    Plan,
    /// Reads are allowed, everything else asks.
    #[default]
    Ask,
    /// Edits of ordinary files inside the roots are allowed too.
    Edit,
    /// Everything that stays inside the roots is allowed.
    Auto,
}

impl Mode {
    /// All modes, from the strictest to the most permissive.
    pub const ALL: [Self; 4] = [Self::Plan, Self::Ask, Self::Edit, Self::Auto];

    /// Returns the word used for the mode in the status bar, flags and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Ask => "ask",
            Self::Edit => "edit",
            Self::Auto => "auto",
        }
    }

    /// Says in a sentence what the mode allows.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Plan => "reads only, no change is made",
            Self::Ask => "reads freely, asks before every change",
            Self::Edit => "edits ordinary files inside the roots without asking",
            Self::Auto => "does everything that stays inside the roots without asking",
        }
    }

    /// Returns the next mode in [`Mode::ALL`], and the first after the last.
    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|mode| *mode == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
