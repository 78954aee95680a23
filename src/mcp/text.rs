//! Foreign text, cut and made harmless before it is told on.

use crate::protocol::sanitize_line;

/// Puts a foreign text on one line of at most `limit` bytes, with what is hidden in it made visible.
pub(super) fn short(text: &str, limit: usize) -> String {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut line = sanitize_line(&text[..end]);
    if end < text.len() {
        line.push('…');
    }
    line
}
