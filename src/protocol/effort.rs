//! What a turn took: facts to compare loops, models and settings by.

use serde::{Deserialize, Serialize};

/// What a turn took, as the agent counted it. Tokens are in [`super::Usage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Effort {
    /// Generations, those beside the conversation included.
    pub generations: u32,
    /// Calls that the model wrote, and those of them that could not be read or did not fit their tool.
    pub calls: u32,
    pub invalid: u32,
    /// Edits that the model wrote, and those of them that could not be made as they stood.
    pub edits: u32,
    pub unfit: u32,
    /// Edits that would have left everything as it was.
    pub same: u32,
    /// Generations that brought the turn no further: unreadable or repeated calls, edits that could not be made or were
    /// drawn before, words where a change was wanted.
    pub wasted: u32,
}

impl Effort {
    /// Adds another turn's effort.
    pub fn add(&mut self, other: &Self) {
        self.generations += other.generations;
        self.calls += other.calls;
        self.invalid += other.invalid;
        self.edits += other.edits;
        self.unfit += other.unfit;
        self.same += other.same;
        self.wasted += other.wasted;
    }
}
