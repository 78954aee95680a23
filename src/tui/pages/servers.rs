//! The page of the servers: how each one is, and what was lately asked of it.

use crate::protocol::{CallState, Item, Outcome, ServerState, Transcript};

use super::super::role::Role;
use super::super::text::{Row, clean_line, count};
use super::note;

/// Calls of one server that are listed.
const MOST_CALLS: usize = 5;

pub(super) fn rows(transcript: &Transcript, wide: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut servers: Vec<(&str, Option<&ServerState>)> = transcript
        .servers
        .iter()
        .map(|(name, state)| (name.as_str(), Some(state)))
        .collect();
    // A server that only calls tell of is one all the same.
    for item in &transcript.items {
        if let Item::Call { call, .. } = item
            && !servers.iter().any(|(name, _)| *name == call.server)
        {
            servers.push((&call.server, None));
        }
    }
    if servers.is_empty() {
        return note(
            "No server has told of itself yet. The built-in ones start with the session.",
            wide,
        );
    }
    for (at, (name, state)) in servers.into_iter().enumerate() {
        if at > 0 {
            rows.push(Row::default());
        }
        let (mark, role, told) = match state {
            Some(ServerState::Starting) => ("◌ ", Role::CallRunning, "is starting".to_owned()),
            Some(ServerState::Up { tools }) => ("● ", Role::CallDone, count(*tools, "tool")),
            Some(ServerState::Down { reason }) => (
                "✗ ",
                Role::CallFailed,
                format!("is down: {}", clean_line(reason)),
            ),
            None => ("● ", Role::CallDone, "was used".to_owned()),
        };
        let row = Row::new(mark, role)
            .with(clean_line(name), Role::TextStrong)
            .with(format!("  {told}"), Role::Text);
        rows.push(row.cut(wide));
        let asked = transcript.questions.iter().filter(|one| one.server == name);
        let waiting = asked.count();
        if waiting > 0 {
            let text = format!("  ? {} for you", count(waiting, "question"));
            rows.push(Row::new(text, Role::CallAsking).cut(wide));
        }
        calls(&mut rows, transcript, name, wide);
    }
    rows
}

fn calls(rows: &mut Vec<Row>, transcript: &Transcript, server: &str, wide: usize) {
    let all = || {
        transcript.items.iter().filter_map(|item| match item {
            Item::Call { call, state, .. } if call.server == server => Some((call, state)),
            _ => None,
        })
    };
    let total = all().count();
    if total == 0 {
        rows.push(Row::new("  not called yet", Role::TextDim).cut(wide));
        return;
    }
    let skipped = total.saturating_sub(MOST_CALLS);
    if skipped > 0 {
        let text = format!("  … {} before", count(skipped, "call"));
        rows.push(Row::new(text, Role::TextDim).cut(wide));
    }
    for (call, state) in all().skip(skipped) {
        let (mark, role) = match state {
            CallState::Proposed => ("·", Role::CallPending),
            CallState::Asking { .. } => ("?", Role::CallAsking),
            CallState::Running { .. } => ("◌", Role::CallRunning),
            CallState::Finished { outcome } => match outcome {
                Outcome::Done { .. } => ("✓", Role::CallDone),
                _ => ("✗", Role::CallFailed),
            },
        };
        let row = Row::new(format!("  {mark} "), role).with(clean_line(&call.title()), Role::Text);
        rows.push(row.cut(wide));
    }
}
