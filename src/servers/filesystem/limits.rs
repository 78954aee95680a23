//! How much one call may return, for both faces: the one place that decides it.

/// The compact face: for a model whose whole context may be 8,000 tokens.
pub(super) mod compact {
    /// The most of a file that one call returns.
    pub(in super::super) const BYTES: usize = 24_000;
    pub(in super::super) const LINES: usize = 400;
    /// The most of an outline of what comes after those lines.
    pub(in super::super) const OUTLINE: usize = 1_200;
    /// A directory with no more files beneath it is listed with all of them.
    pub(in super::super) const FEW_FILES: usize = 60;
    /// The most entries of a list.
    pub(in super::super) const ENTRIES: usize = 200;
    /// The most paths that a find returns.
    pub(in super::super) const FOUND: usize = 50;
    /// The most hits of a search.
    pub(in super::super) const HITS: usize = 100;
    /// The most of a difference that is sent as text; the structured content has it all.
    pub(in super::super) const DIFF: usize = 24_000;
    /// The most that is told of what a user left out of a change.
    pub(in super::super) const LEFT_OUT: usize = 3_000;
}

/// The full face: for hosts that decide themselves what their model sees, and whose pipes have an end.
pub(super) mod full {
    /// The most text of one result. It is sent twice (as content and as structured content) and escaped; common
    /// clients drop a message of more than 16 MiB.
    pub(in super::super) const TEXT: usize = 1024 * 1024;
    /// The largest file that is sent as base64, for the same reason.
    pub(in super::super) const MEDIA: usize = 8 * 1024 * 1024;
    /// The most entries of a tree.
    pub(in super::super) const TREE: usize = 20_000;
    /// The most paths that a search for names returns.
    pub(in super::super) const FOUND: usize = 10_000;
    /// The hits of a search for content, if the call does not say, and at most.
    pub(in super::super) const HITS: usize = 200;
    pub(in super::super) const MOST_HITS: usize = 5_000;
    /// The most lines of context around a hit.
    pub(in super::super) const CONTEXT: usize = 20;
}
