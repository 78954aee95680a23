//! The page of the messages that wait for the turn to end: to take back, or to leave out.

use crate::protocol::Transcript;

use super::super::role::Role;
use super::super::text::{Row, clean_line, count};
use super::{key, note};

pub(super) fn rows(transcript: &Transcript, at: usize, wide: usize) -> Vec<Row> {
    if transcript.queued.is_empty() {
        return note(
            "No message waits. What you send while a turn runs waits here for its end, and goes in its order.",
            wide,
        );
    }
    let mut rows = Vec::new();
    for (place, text) in transcript.queued.iter().enumerate() {
        let chosen = place == at;
        let mut row = Row::new(if chosen { "▸ " } else { "  " }, Role::Accent);
        row.push(format!("{}  ", place + 1), Role::TextDim);
        let role = if chosen { Role::TextStrong } else { Role::Text };
        row.push(clean_line(text.lines().next().unwrap_or_default()), role);
        let more = text.lines().count().saturating_sub(1);
        if more > 0 {
            row.push(format!("  and {}", count(more, "line")), Role::TextDim);
        }
        rows.push(row.cut(wide));
    }
    rows
}

/// Says what the keys do with the chosen message.
pub(super) fn keys(transcript: &Transcript) -> Vec<Row> {
    if transcript.queued.is_empty() {
        return Vec::new();
    }
    vec![
        key("Enter", "take it back to change it"),
        key("Del", "leave it out"),
    ]
}
