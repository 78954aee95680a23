//! What is never written, whoever asks.

use crate::protocol::folded;

/// Tells whether a path is a repository's own folder or in it, by any name that some file system takes for `.git`:
/// in any case, with characters that are passed over, with the dots and spaces that Windows drops, or shortened.
pub fn is_protected(path: &str) -> bool {
    path.split('/').any(|part| {
        if part.len() < 4 {
            return false;
        }
        // NTFS has streams behind a colon.
        let plain = folded(part.split(':').next().unwrap_or_default());
        plain == ".git" || plain == "git~1"
    })
}
