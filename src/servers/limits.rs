//! How much one call may return, for all servers and their faces: the one place that decides it.

/// Files.
pub(super) mod filesystem {
    /// The compact face: for a model whose whole context may be 8,000 tokens.
    pub(in crate::servers) mod compact {
        /// The most of a file that one call returns.
        pub(in crate::servers) const BYTES: usize = 24_000;
        pub(in crate::servers) const LINES: usize = 400;
        /// The most of an outline of what comes after those lines.
        pub(in crate::servers) const OUTLINE: usize = 1_200;
        /// A directory with no more files beneath it is listed with all of them.
        pub(in crate::servers) const FEW_FILES: usize = 60;
        /// The most entries of a list.
        pub(in crate::servers) const ENTRIES: usize = 200;
        /// The most paths that a find returns.
        pub(in crate::servers) const FOUND: usize = 50;
        /// The most hits of a search.
        pub(in crate::servers) const HITS: usize = 100;
        /// The most of a difference that is sent as text; the structured content has it all.
        pub(in crate::servers) const DIFF: usize = 24_000;
        /// The most that is told of what a user left out of a change.
        pub(in crate::servers) const LEFT_OUT: usize = 3_000;
    }

    /// The full face: for hosts that decide themselves what their model sees, and whose pipes have an end.
    pub(in crate::servers) mod full {
        /// The most text of one result. It is sent twice (as content and as structured content) and escaped; common
        /// clients drop a message of more than 16 MiB.
        pub(in crate::servers) const TEXT: usize = 1024 * 1024;
        /// The largest file that is sent as base64, for the same reason.
        pub(in crate::servers) const MEDIA: usize = 8 * 1024 * 1024;
        /// The most entries of a tree.
        pub(in crate::servers) const TREE: usize = 20_000;
        /// The most paths that a search for names returns.
        pub(in crate::servers) const FOUND: usize = 10_000;
        /// The hits of a search for content, if the call does not say, and at most.
        pub(in crate::servers) const HITS: usize = 200;
        pub(in crate::servers) const MOST_HITS: usize = 5_000;
        /// The most lines of context around a hit.
        pub(in crate::servers) const CONTEXT: usize = 20;
    }
}

/// Repositories.
pub(super) mod git {
    /// The compact face.
    pub(in crate::servers) mod compact {
        /// The most text of one answer.
        pub(in crate::servers) const TEXT: usize = 16_000;
        /// How many commits and lines are shown where no number is given, and at most.
        pub(in crate::servers) const COMMITS: usize = 20;
        pub(in crate::servers) const MOST_COMMITS: usize = 200;
        pub(in crate::servers) const LINES: usize = 100;
        pub(in crate::servers) const MOST_LINES: usize = 400;
    }

    /// The full face.
    pub(in crate::servers) mod full {
        /// The most text of one answer.
        pub(in crate::servers) const TEXT: usize = 1024 * 1024;
    }
}

/// Memory.
pub(super) mod memory {
    /// The compact face.
    pub(in crate::servers) mod compact {
        /// The most bytes that are recalled at once, and the most facts about one thing among them.
        pub(in crate::servers) const RECALLED: usize = 4_000;
        pub(in crate::servers) const FACTS: usize = 8;
    }

    /// The full face.
    pub(in crate::servers) mod full {
        /// The most of the file's bytes that one answer shows.
        pub(in crate::servers) const TEXT: usize = 256 * 1024;
        /// The same of a read of the resource: it goes to a host, not to a model.
        pub(in crate::servers) const RESOURCE: usize = 4 * 1024 * 1024;
        /// Where no entity has the query as it stands, this many of those that its words lead to: the rest is noise.
        pub(in crate::servers) const BEST: usize = 50;
    }
}
