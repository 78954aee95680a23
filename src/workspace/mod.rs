//! The workspace: the one door to the user's files.
