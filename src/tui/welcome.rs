//! What is shown before the first message: where one is, and how to begin.

use crate::protocol::Transcript;

use super::keymap::{Action, Edit, key_of};
use super::model_name;
use super::role::Role;
use super::text::{Row, clean_line, cut_middle, thousands, width, wrap};

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
        (
            "model",
            model_state(transcript, model, limit.saturating_sub(7)),
        ),
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

/// The columns of a model's name that come before the rest of what is said of it.
const LEAST_NAME: usize = 20;

/// Says which model it is and how it is with it, in at most `limit` columns where that can be.
fn model_state(transcript: &Transcript, name: &str, limit: usize) -> String {
    let model = transcript.model.as_ref();
    // From everything down to the least; the first that leaves room for the name is said.
    let states = match (&transcript.model_failure, model, transcript.loading) {
        (Some(_), ..) => vec!["failed to load".to_owned()],
        (None, Some(model), _) => {
            let context = format!("{} tokens of context", thousands(model.context));
            let memory = (model.memory.total() > 0)
                .then(|| format!("{context} · {}", clean_line(&model.memory.to_string())));
            memory.into_iter().chain([context]).collect()
        }
        (None, None, Some(share)) => vec![format!("loading {:.0} %", share * 100.0)],
        (None, None, None) => vec![
            "not loaded yet; you can write already".to_owned(),
            "not loaded yet".to_owned(),
        ],
    };
    let (name, title) = match model {
        Some(model) => (model.name.as_str(), Some(model.title.as_str())),
        None => (name, None),
    };
    let least = width(&model_name::fitted(name, title, usize::MAX)).min(LEAST_NAME);
    let fits = |state: &&String| width(state) + 3 + least <= limit;
    let Some(state) = states.iter().find(fits).or(states.last()) else {
        return model_name::fitted(name, title, limit);
    };
    let room = limit.saturating_sub(width(state) + 3).max(least);
    format!("{} · {state}", model_name::fitted(name, title, room))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{CallForm, Event, ModelInfo, ModelMemory, ToolList};

    const BLOB: &str = "/var/lib/models/blobs/sha256-60e05f2100f1c03fa9f4d3f1a1b2c3d4e5f60718293a4b5c6d7e8f9001122334";
    const FILE: &str =
        "/home/somebody/models/of/many/kinds/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf";

    fn loaded(name: &str) -> Event {
        Event::ModelLoaded {
            info: ModelInfo {
                name: name.to_owned(),
                title: "Qwen2.5 Coder 1.5B".to_owned(),
                architecture: "qwen2".to_owned(),
                parameters: 1_500_000_000,
                context: 16_384,
                form: CallForm::JsonFence,
                memory: ModelMemory::default(),
                tools: ToolList::Text,
            },
        }
    }

    #[test]
    fn a_model_s_file_is_told_by_its_name_and_not_cut_at_the_edge() {
        let loading = |name: &str| Event::ModelLoading {
            name: name.to_owned(),
            share: 0.4,
        };
        for (name, event, limit, expected) in [
            (
                FILE,
                loading(FILE),
                80,
                "/home/somebody/…/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf · loading 40 %",
            ),
            (
                FILE,
                loading(FILE),
                56,
                "qwen2.5-cod…b-instruct-q4_k_m.gguf · loading 40 %",
            ),
            (
                FILE,
                loaded(FILE),
                56,
                "qwen2.5…ct-q4_k_m.gguf · 16,384 tokens of context",
            ),
            (
                BLOB,
                loading(BLOB),
                56,
                "/var/lib/models/…/60e05f2100f1… · loading 40 %",
            ),
            (
                BLOB,
                loaded(BLOB),
                76,
                "Qwen2.5 Coder 1.5B (60e05f2100f1…) · 16,384 tokens of context",
            ),
        ] {
            let mut transcript = Transcript::default();
            transcript.apply(&event);
            let rows = rows(&transcript, "/work", name, "nothing", limit, 40);
            let said: Vec<String> = rows.iter().map(Row::plain).collect();
            let model = said.iter().find(|row| row.starts_with("model"));
            let model = model.expect("a row of the model");
            assert_eq!(model.trim_start_matches("model  "), expected, "{limit}");
        }
    }
}
