//! The part of a change that a person allows.

use serde::{Deserialize, Serialize};

/// What is to be different from a planned change: passages of the planned file, and what stands in their place.
///
/// Lines are counted in the bytes, at each line feed, so a part says the same whatever of the change was shown. The
/// passages are in order and do not overlap.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AllowedPart {
    pub passages: Vec<Passage>,
}

/// A run of lines of the planned file that is not written as planned. It may be empty: a place between two lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// How many lines of the planned file stand before it, and how many lines it has.
    pub at: usize,
    pub lines: usize,
    pub instead: Instead,
}

/// What is written in a passage's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Instead {
    /// The lines of the file as it is now: how many stand before them, and how many they are.
    Old { at: usize, lines: usize },
    /// Lines that the user wrote, without their endings.
    Written(Vec<String>),
}

impl AllowedPart {
    /// Tells whether the change is written as it was planned.
    pub fn is_whole(&self) -> bool {
        self.passages.is_empty()
    }
}
