//! The page of the context: how full the window is, and of what. And what a message would cost.

use std::time::Duration;

use crate::protocol::{CallState, Item, Outcome, Transcript, Usage};

use super::super::role::Role;
use super::super::text::{Row, short_count, thousands, width};
use super::{bar, note};

/// Bytes that a token stands for, about: code and English with today's vocabularies.
const BYTES_PER_TOKEN: f64 = 3.6;

/// What it takes to read something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Cost {
    pub tokens: u32,
    /// How long that takes on this machine, where it is known.
    pub time: Option<Duration>,
}

impl Cost {
    /// Estimates what a message of some bytes costs, at the speed that was measured.
    pub(in super::super) fn of(bytes: usize, measured: &Usage) -> Self {
        let tokens = (bytes as f64 / BYTES_PER_TOKEN).ceil() as u32;
        let read = measured.prompt.saturating_sub(measured.cached);
        let time = (read > 20 && measured.prompt_ms > 0).then(|| {
            let seconds = f64::from(tokens) * f64::from(measured.prompt_ms) / f64::from(read) / 1e3;
            Duration::from_secs_f64(seconds.min(86_400.0))
        });
        Self { tokens, time }
    }

    /// Says it in a few characters, and in round numbers: it is an estimate, and must not change with each key.
    pub(in super::super) fn told(&self) -> String {
        let tokens = round(self.tokens);
        let time = match self.time.map(|time| time.as_secs()) {
            None => String::new(),
            Some(0) => " · under 1 s".to_owned(),
            Some(seconds @ 1..=89) => format!(" · {} s", round(seconds as u32)),
            Some(seconds) => format!(" · {} min", (seconds + 30) / 60),
        };
        format!("about {} tokens{time} to read", thousands(tokens))
    }
}

/// Keeps two digits of a number.
fn round(number: u32) -> u32 {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    number / unit * unit
}

/// Estimates the tokens of a text.
fn tokens_of(text: &str) -> u32 {
    (text.len() as f64 / BYTES_PER_TOKEN).ceil() as u32
}

/// What stands in the window, in tokens, estimated and made to add up to what was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub fixed: u32,
    pub messages: u32,
    pub answers: u32,
    pub calls: u32,
    pub outputs: u32,
}

pub(super) fn parts(transcript: &Transcript, used: u32) -> Parts {
    let mut parts = Parts::default();
    for item in &transcript.items {
        match item {
            Item::User { text, .. } => parts.messages += tokens_of(text),
            // Thinking stays in the window as long as its turn does; it counts where the answers do.
            Item::Assistant { text } | Item::Reasoning { text } => parts.answers += tokens_of(text),
            Item::Call { call, state, .. } => {
                let written: usize = call
                    .arguments
                    .iter()
                    .map(|(name, value)| name.len() + value.to_string().len())
                    .sum();
                parts.calls += (written as f64 / BYTES_PER_TOKEN).ceil() as u32 + 12;
                if let CallState::Finished {
                    outcome: Outcome::Done { text },
                } = state
                {
                    parts.outputs += tokens_of(text);
                }
            }
            // What a review finds, and what was tried, is not in the conversation.
            Item::Notice { .. }
            | Item::Undone { .. }
            | Item::Plan { .. }
            | Item::End { .. }
            | Item::Search { .. }
            | Item::Finding { .. } => {}
        }
    }
    let told = parts.messages + parts.answers + parts.calls + parts.outputs;
    if told > used && told > 0 {
        // What was shortened for the model, or written in fewer tokens: the shares stay right.
        let scale = |part: u32| (u64::from(part) * u64::from(used) / u64::from(told)) as u32;
        parts = Parts {
            fixed: 0,
            messages: scale(parts.messages),
            answers: scale(parts.answers),
            calls: scale(parts.calls),
            outputs: scale(parts.outputs),
        };
    } else {
        parts.fixed = used - told;
    }
    parts
}

pub(super) fn rows(transcript: &Transcript, wide: usize) -> Vec<Row> {
    let Some(model) = &transcript.model else {
        return note("The window is known when the model is loaded.", wide);
    };
    let Some(usage) = transcript.last_usage else {
        return note(
            &format!(
                "The window holds {} tokens. What fills it is told after the first turn.",
                thousands(model.context)
            ),
            wide,
        );
    };
    let used = usage.prompt + usage.generated;
    let share = f64::from(used) / f64::from(model.context.max(1));
    let mut rows = vec![
        Row::new(
            format!(
                "{} of {} tokens · {:.0} %",
                thousands(used),
                thousands(model.context),
                share * 100.0
            ),
            Role::TextStrong,
        )
        .cut(wide),
        bar(share, wide),
        Row::default(),
    ];
    let parts = parts(transcript, used);
    let list = [
        ("walden's text and the tools", parts.fixed),
        ("your messages", parts.messages),
        ("answers and thinking", parts.answers),
        ("calls", parts.calls),
        ("what calls returned", parts.outputs),
        ("free", model.context.saturating_sub(used)),
    ];
    let longest = list.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let room = wide.saturating_sub(longest + 9).clamp(3, 40);
    for (name, tokens) in list {
        let mut row = Row::new(format!("{name:<longest$}"), Role::TextDim);
        row.push(format!(" {:>5}  ", short_count(tokens)), Role::Text);
        row.append(bar(
            f64::from(tokens) / f64::from(model.context.max(1)),
            room,
        ));
        rows.push(row.cut(wide));
    }
    rows.push(Row::default());
    rows.extend(note(
        &format!(
            "The last step: {} tokens were kept from before, {} were read anew, {} were written. The shares are \
             estimated by length; the sum is counted.",
            thousands(usage.cached),
            thousands(usage.prompt.saturating_sub(usage.cached)),
            thousands(usage.generated)
        ),
        wide,
    ));
    rows
}
