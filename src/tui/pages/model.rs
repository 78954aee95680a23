//! The page of the model: what it is, where it lies, how fast it is here.

use crate::protocol::{ToolList, Transcript};

use super::super::role::Role;
use super::super::text::{Row, clean_line, thousands};
use super::{bar, fact, note, size, speed};

pub(super) fn rows(transcript: &Transcript, wide: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let Some(model) = &transcript.model else {
        match (&transcript.model_failure, transcript.loading) {
            (Some(failure), _) => {
                let text = clean_line(&failure.to_string());
                rows.push(Row::new("✗ it could not be loaded", Role::NoticeError).cut(wide));
                rows.extend(note(&text, wide));
                rows.extend(note(
                    "`walden doctor` tells what is missing; /models chooses another one",
                    wide,
                ));
            }
            (None, share) => {
                let share = f64::from(share.unwrap_or(0.0));
                rows.push(Row::new(
                    format!("loading {:.0} %", share * 100.0),
                    Role::Text,
                ));
                rows.push(bar(share, wide.min(40)));
            }
        }
        return rows;
    };
    rows.extend(fact("name", clean_line(&model.name), wide));
    rows.extend(fact(
        "is",
        format!(
            "{} · {} · {:.1} billion parameters",
            clean_line(&model.title),
            clean_line(&model.architecture),
            model.parameters as f64 / 1e9
        ),
        wide,
    ));
    rows.extend(fact(
        "context",
        format!("{} tokens", thousands(model.context)),
        wide,
    ));
    let told = match model.tools {
        ToolList::Text => "by walden's own text",
        ToolList::Template => "by its chat template",
    };
    rows.extend(fact("tools", told, wide));
    rows.push(Row::default());
    let memory = &model.memory;
    rows.push(Row::new("Memory", Role::Heading));
    if memory.total() > 0 {
        for (name, bytes) in [
            ("weights", memory.weights),
            ("KV cache", memory.kv),
            ("computing", memory.compute),
        ] {
            let mut row = Row::new(format!("{name:<12}"), Role::TextDim);
            row.push(format!("{:>8}  ", size(bytes)), Role::Text);
            let share = bytes as f64 / memory.total() as f64;
            row.append(bar(share, wide.saturating_sub(24).clamp(4, 30)));
            rows.push(row.cut(wide));
        }
        rows.extend(fact(
            "together",
            format!("{:>8}", size(memory.total())),
            wide,
        ));
        let place = match &memory.device {
            Some(device) => format!(
                "{} of {} on {} ({})",
                memory.gpu_layers,
                memory.layers,
                clean_line(device),
                size(memory.on_device)
            ),
            None => format!("all {} on the processor", memory.layers),
        };
        rows.extend(fact("layers", place, wide));
    } else {
        rows.extend(note("it has not told how much it takes", wide));
    }
    rows.push(Row::default());
    rows.push(Row::new("Speed here", Role::Heading));
    let all = transcript.total_usage;
    let read = all.prompt.saturating_sub(all.cached);
    let none = || "not measured yet; the first turn does".to_owned();
    rows.extend(fact(
        "reading",
        speed(read, all.prompt_ms).unwrap_or_else(none),
        wide,
    ));
    rows.extend(fact(
        "writing",
        speed(all.generated, all.generate_ms).unwrap_or_else(none),
        wide,
    ));
    if all.prompt > 0 {
        rows.extend(fact(
            "kept",
            format!(
                "{} of {} prompt tokens did not have to be read again",
                thousands(all.cached),
                thousands(all.prompt)
            ),
            wide,
        ));
    }
    if all.guessed > 0 {
        let text = format!(
            "{} of {} tokens guessed ahead were right",
            thousands(all.guessed_right),
            thousands(all.guessed)
        );
        rows.extend(fact("guessed", text, wide));
    }
    rows
}
