//! What is shown before the first message: where one is, and how to begin.

use crate::protocol::Transcript;

use super::keymap::{Action, Edit, key_of};
use super::role::Role;
use super::text::{Row, clean_line, cut_middle, wrap};

/// Things that work well as a first message.
const EXAMPLES: [&str; 3] = [
    "Explain how errors are handled here.",
    "Find where the configuration is read and list its keys.",
    "Say what could go wrong in @diff, the change that is not committed.",
];

/// Returns the rows of the empty state, fewer where there is little room.
pub(super) fn rows(
    transcript: &Transcript,
    root: &str,
    model: &str,
    enforced: &str,
    limit: usize,
    height: usize,
) -> Vec<Row> {
    let root = if transcript.root.is_empty() {
        root
    } else {
        &transcript.root
    };
    let mut rows = vec![
        Row::new("walden", Role::Accent).with("  your code stays on this machine", Role::TextDim),
        Row::default(),
    ];
    // The end of a path says more than its middle.
    let root = cut_middle(&clean_line(root), limit.saturating_sub(7).max(1));
    let mode = format!("{}: {}", transcript.mode, transcript.mode.meaning());
    for (name, value) in [
        ("root", root),
        ("model", model_state(transcript, model)),
        ("mode", mode),
        ("bounds", clean_line(enforced)),
    ] {
        rows.push(Row::new(format!("{name:<7}"), Role::TextDim).with(value, Role::Text));
    }
    if let Some(failure) = &transcript.model_failure {
        rows.push(Row::default());
        rows.extend(problem(&failure.to_string(), limit));
    }
    if height >= rows.len() + 6 {
        rows.push(Row::default());
        rows.push(Row::new("Try", Role::TextDim));
        for example in EXAMPLES {
            rows.push(Row::new("  › ", Role::Accent).with(example, Role::Text));
        }
    }
    if height >= rows.len() + 3 {
        rows.push(Row::default());
        let mut keys = Row::default();
        for (action, label) in [
            (Action::Submit, "send"),
            (Action::Edit(Edit::Newline), "new line"),
            (Action::NextMode, "mode"),
            (Action::Palette, "commands"),
            (Action::Help, "help"),
        ] {
            if !keys.spans.is_empty() {
                keys.push("   ", Role::Text);
            }
            keys.push(key_of(action), Role::Key);
            keys.push(format!(" {label}"), Role::TextDim);
        }
        rows.extend(wrap(&keys, limit, &Row::default()));
    }
    rows.into_iter().map(|row| row.cut(limit)).collect()
}

/// Says what went wrong, and below it what can be done.
fn problem(text: &str, limit: usize) -> Vec<Row> {
    let indent = Row::new("  ", Role::Text);
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let what = format!("✗ {}", clean_line(lines.next().unwrap_or_default()));
    let mut rows = wrap(&Row::new(what, Role::NoticeError), limit, &indent);
    let mut hints: Vec<String> = lines
        .map(|line| format!("  {}", clean_line(line)))
        .collect();
    if hints.is_empty() {
        hints.push(
            "  hint: run `walden doctor` to see what is missing, then start again".to_owned(),
        );
    }
    for hint in hints {
        rows.extend(wrap(&Row::new(hint, Role::Text), limit, &indent));
    }
    rows
}

fn model_state(transcript: &Transcript, name: &str) -> String {
    if transcript.model_failure.is_some() {
        return format!("{} · failed to load", clean_line(name));
    }
    match (&transcript.model, transcript.loading) {
        (Some(model), _) => {
            let mut text = format!(
                "{} · {} tokens of context",
                clean_line(&model.name),
                super::text::thousands(model.context)
            );
            if model.memory.total() > 0 {
                text.push_str(&format!(" · {}", clean_line(&model.memory.to_string())));
            }
            text
        }
        (None, Some(share)) => format!("{} · loading {:.0} %", clean_line(name), share * 100.0),
        (None, None) => format!(
            "{} · not loaded yet; you can write already",
            clean_line(name)
        ),
    }
}
