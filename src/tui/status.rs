//! The status bar: one line that says what walden may do, what it does, and what holds it back.

use std::time::Duration;

use crate::protocol::{CallState, Item, Mode, Transcript, TurnState};

use super::model_name;
use super::role::Role;
use super::text::{Row, clean_line, short_count, take, thousands, width};

/// The most columns of the model's name.
const MODEL: usize = 32;

/// What the status bar shows beside the transcript.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub transcript: &'a Transcript,
    pub model: &'a str,
    /// What is enforced, in the caller's words.
    pub enforced: &'a str,
    /// How long the turn's present step takes.
    pub elapsed: Duration,
    /// What is left of reading the prompt.
    pub eta: Option<Duration>,
    pub lost: bool,
}

/// Returns the bar in at most `limit` columns: what matters least is left out first.
pub(super) fn row(facts: Facts<'_>, limit: usize) -> Row {
    let mode = facts.transcript.mode;
    let chip_role = match mode {
        Mode::Plan => Role::StatusPlan,
        Mode::Ask => Role::StatusAsk,
        Mode::Edit => Role::StatusEdit,
        Mode::Auto => Role::StatusAuto,
    };
    let chip = format!(" {mode} ");
    let state = state(facts);
    let (tokens, speed) = cost(facts.transcript);
    let title = facts
        .transcript
        .model
        .as_ref()
        .map(|model| model.title.as_str());
    let model = model_name::fitted(facts.model, title, MODEL);
    let enforced = format!("● {}", clean_line(facts.enforced));
    // From everything down to the least; the first that fits is shown.
    let levels: [(&str, &[&str]); 6] = [
        (&state.long, &[&tokens, &speed, &model]),
        (&state.long, &[&speed, &model]),
        (&state.long, &[&model]),
        (&state.long, &[]),
        (&state.short, &[]),
        ("", &[]),
    ];
    for (at, (state_text, right)) in levels.into_iter().enumerate() {
        let mut left = Row::new(chip.as_str(), chip_role);
        if !state_text.is_empty() {
            left.push(" ", Role::Status);
            left.push(state_text, state.role);
        }
        let mut end = Row::default();
        for part in right.iter().filter(|part| !part.is_empty()) {
            end.push(format!("{part}  "), Role::Status);
        }
        let room = limit.saturating_sub(left.width() + end.width() + 2);
        let whole = width(&enforced) <= room;
        // Before what is enforced is cut, everything else goes, but not what is being done.
        if !whole && at < 4 {
            continue;
        }
        if room < 8 && at < 5 {
            continue;
        }
        if whole {
            end.push(enforced.as_str(), Role::StatusEnforced);
        } else if room >= 4 {
            let kept = take(&enforced, room - 1).0.trim_end();
            end.push(format!("{kept}…"), Role::StatusEnforced);
        }
        let gap = limit.saturating_sub(left.width() + end.width());
        left.push(" ".repeat(gap), Role::Status);
        left.append(end);
        return left.cut(limit);
    }
    Row::new(chip, chip_role).cut(limit)
}

struct State {
    long: String,
    short: String,
    role: Role,
}

fn state(facts: Facts<'_>) -> State {
    let transcript = facts.transcript;
    let busy = |long: String, short: String| State {
        long,
        short,
        role: Role::StatusBusy,
    };
    if facts.lost {
        return State {
            long: "the session is gone".to_owned(),
            short: "gone".to_owned(),
            role: Role::NoticeError,
        };
    }
    if let (Some(question), false) = (
        transcript.questions.first(),
        matches!(transcript.turn, TurnState::Asking(_)),
    ) {
        return State {
            long: format!("? {} asks you", clean_line(&question.server)),
            short: "? asks".to_owned(),
            role: Role::CallAsking,
        };
    }
    let seconds = match facts.elapsed.as_secs() {
        0 => String::new(),
        seconds => format!(" · {}", clock(seconds)),
    };
    match &transcript.turn {
        TurnState::Idle => match (&transcript.model_failure, transcript.loading) {
            (Some(_), _) => State {
                long: "✗ the model failed".to_owned(),
                short: "✗ model".to_owned(),
                role: Role::NoticeError,
            },
            (None, Some(share)) => {
                let text = format!("loading {:.0} %", share.clamp(0.0, 1.0) * 100.0);
                busy(text.clone(), text)
            }
            (None, None) => busy(String::new(), String::new()),
        },
        TurnState::Reading { total: 0, .. } => match transcript.loading {
            Some(share) => {
                let text = format!("loading {:.0} %", share.clamp(0.0, 1.0) * 100.0);
                busy(format!("{text}, then reading"), text)
            }
            None => busy("reading".to_owned(), "reading".to_owned()),
        },
        TurnState::Reading { done, total, .. } => {
            let eta = facts.eta.map_or(String::new(), |eta| {
                format!(" · {}", clock(eta.as_secs().max(1)))
            });
            let share = u64::from(*done) * 100 / u64::from(*total);
            busy(
                format!(
                    "reading {} of {} tokens{eta}",
                    thousands(*done),
                    thousands(*total)
                ),
                format!("reading {share} %{eta}"),
            )
        }
        TurnState::Writing => busy(format!("writing{seconds}"), "writing".to_owned()),
        TurnState::Drafting { name, bytes } => {
            let name = name.as_deref().map_or("a call".to_owned(), clean_line);
            busy(
                format!("writing {name} · {} bytes", thousands(*bytes)),
                format!("writing {name}"),
            )
        }
        TurnState::Calling => {
            let running = transcript.items.iter().rev().find_map(|item| match item {
                Item::Call {
                    call,
                    state: CallState::Running { .. },
                    ..
                } => Some(call),
                Item::Search { search } => search.running().map(|trial| &trial.call),
                _ => None,
            });
            match running {
                Some(call) => busy(
                    Row::new(format!("running {}", clean_line(&call.title())), Role::Text)
                        .cut(40)
                        .plain()
                        + &seconds,
                    format!("running {}", clean_line(&call.tool)),
                ),
                None => busy("working".to_owned(), "working".to_owned()),
            }
        }
        TurnState::Asking(_) => State {
            long: "? waits for your decision".to_owned(),
            short: "? waits".to_owned(),
            role: Role::CallAsking,
        },
    }
}

/// Returns what the last generation cost: tokens of the prompt, and the speed.
fn cost(transcript: &Transcript) -> (String, String) {
    let Some(usage) = transcript.last_usage else {
        return (String::new(), String::new());
    };
    let new = usage.prompt.saturating_sub(usage.cached);
    let mut tokens = format!(
        "{} cached + {} new",
        short_count(usage.cached),
        short_count(new)
    );
    if let Some(model) = &transcript.model {
        let used = usage.prompt + usage.generated;
        tokens.push_str(&format!(" of {}", short_count(model.context.max(used))));
    }
    let speed = usage
        .tokens_per_second()
        .map_or(String::new(), |speed| match speed {
            speed if speed < 10.0 => format!("{speed:.1} tok/s"),
            speed => format!("{speed:.0} tok/s"),
        });
    (tokens, speed)
}

fn clock(seconds: u64) -> String {
    match seconds {
        0..=89 => format!("{seconds} s"),
        90..=5399 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h", (seconds + 1800) / 3600),
    }
}
