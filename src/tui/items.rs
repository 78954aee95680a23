//! What each kind of transcript item looks like.

use crate::protocol::{
    CallState, EndReason, FileChange, Item, Level, Outcome, Risk, ToolCall, Trial,
};

use super::diff;
use super::findings;
use super::highlight::Highlighter;
use super::keymap::{Action, key_of};
use super::markdown;
use super::planning;
use super::role::Role;
use super::searched;
use super::text::{Row, clean, clean_code, clean_line, count, fold, wrap};

/// Rows of a diff, of a command's output, and of what a person wrote that are shown before the details are asked for.
const SOME_DIFF: usize = 12;
const SOME_OUTPUT: usize = 6;
const SOME_WORDS: usize = 12;
/// Lines of what a call that runs says that are shown, before the details are asked for and then.
const SOME_LIVE: usize = 4;
const MOST_LIVE: usize = 12;
/// Rows that are shown at most, whatever is asked for: more is for a pager.
const MOST_ROWS: usize = 400;

/// What the look of an item depends on beside itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    pub limit: usize,
    /// Thinking, output and diffs are shown whole.
    pub details: bool,
    /// The item may still grow.
    pub streaming: bool,
    pub highlighter: &'a Highlighter,
}

/// Lays out one item. An answer is laid out by [`super::transcript`], piece by piece.
pub(super) fn rows(item: &Item, look: Look<'_>) -> Vec<Row> {
    match item {
        Item::User { text, .. } => user(text, look),
        Item::Assistant { text } => {
            markdown::render(text, look.limit, look.highlighter, look.streaming)
        }
        Item::Reasoning { text } => reasoning(text, look),
        Item::Call {
            call,
            risk,
            state,
            change,
        } => call_rows(call, *risk, state, change.as_deref(), None, look),
        Item::Search { search } => searched::rows(search, look),
        Item::Notice { level, text } => notice(*level, text, look.limit),
        Item::Undone { turn, undone } => {
            let mut rows = vec![Row::new(format!("↶ undid turn {turn}"), Role::TextStrong)];
            for file in undone {
                let path = clean_line(&file.path);
                let row = match &file.refused {
                    None => Row::new("  ✓ ", Role::CallDone).with(path, Role::DiffPath),
                    Some(why) => Row::new("  ✗ ", Role::CallFailed)
                        .with(path, Role::DiffPath)
                        .with(
                            format!(" left alone: {}", clean_line(why)),
                            Role::CallFailed,
                        ),
                };
                rows.extend(wrap(&row, look.limit, &Row::new("    ", Role::Text)));
            }
            rows
        }
        Item::Plan { plan } => planning::rows(plan, look.limit),
        Item::Finding { finding } => findings::rows(finding, look.limit),
        Item::End { summary, .. } => {
            let role = match summary.reason {
                EndReason::Answered => Role::TextDim,
                EndReason::Interrupted | EndReason::Budget { .. } | EndReason::Loop { .. } => {
                    Role::NoticeWarning
                }
                EndReason::Failed { .. } => Role::NoticeError,
            };
            let mut text = clean_line(&summary.sentence());
            if summary.calls > 0 {
                text.push_str(&format!(" {}", count(summary.calls as usize, "call")));
            }
            let seconds = (summary.usage.prompt_ms + summary.usage.generate_ms) / 1000;
            if seconds > 0 {
                let joint = if summary.calls > 0 { "," } else { "" };
                text.push_str(&format!("{joint} {seconds} s"));
            }
            let row = Row::new("── ", Role::Border).with(text, role);
            wrap(&row, look.limit, &Row::new("   ", Role::Text))
        }
    }
}

/// Tells whether a blank row stands between two items.
pub(super) fn apart(before: &Item, item: &Item) -> bool {
    !matches!(
        (before, item),
        (
            Item::Call { change: None, .. } | Item::Search { .. },
            Item::Call { .. } | Item::Search { .. }
        )
    )
}

/// Lays out a notice: a symbol, and the text wrapped beside it.
pub(super) fn notice(level: Level, text: &str, limit: usize) -> Vec<Row> {
    let (mark, role) = match level {
        Level::Info => ("i ", Role::NoticeInfo),
        Level::Warning => ("! ", Role::NoticeWarning),
        Level::Error => ("✗ ", Role::NoticeError),
    };
    let mut rows = Vec::new();
    for (at, line) in clean(text).lines().enumerate() {
        let ink = if line.starts_with("hint:") || level == Level::Info {
            Role::Text
        } else {
            role
        };
        let row = Row::new(if at == 0 { mark } else { "  " }, role).with(line, ink);
        rows.extend(wrap(&row, limit, &Row::new("  ", Role::Text)));
    }
    rows
}

fn user(text: &str, look: Look<'_>) -> Vec<Row> {
    let bar = Row::new("▌ ", Role::UserBar);
    let mut rows = Vec::new();
    for line in clean(text).trim_end().split('\n') {
        let row = bar.clone().with(line, Role::User);
        rows.extend(wrap(&row, look.limit, &bar));
    }
    shorten(rows, SOME_WORDS, look, &bar)
}

fn reasoning(text: &str, look: Look<'_>) -> Vec<Row> {
    let words = text.split_whitespace().count();
    let key = key_of(Action::Details);
    let state = if look.streaming {
        "thinking"
    } else {
        "thought"
    };
    let mut head = Row::new(
        format!("∴ {state}, {}", count(words, "word")),
        Role::Reasoning,
    );
    if !look.details {
        head.push(format!(" · {key} shows it"), Role::TextDim);
    }
    let mut rows = vec![head.cut(look.limit)];
    if look.details || look.streaming {
        let indent = Row::new("  ", Role::Reasoning);
        let mut body = Vec::new();
        for line in clean(text).trim().split('\n') {
            let row = indent.clone().with(line, Role::Reasoning);
            body.extend(wrap(&row, look.limit, &indent));
        }
        let skip = if look.details {
            0
        } else {
            body.len().saturating_sub(3)
        };
        rows.extend(body.into_iter().skip(skip));
    }
    rows
}

/// Lays out a call that is a part of a search, with how far it came.
pub(super) fn trial(trial: &Trial, look: Look<'_>) -> Vec<Row> {
    let came = trial.result.filter(|result| result.failed > 0);
    let came = came.map(|result| {
        let all = result.reached.saturating_add(result.failed);
        format!(" · passes {} of {all} tests", result.reached)
    });
    call_rows(
        &trial.call,
        trial.risk,
        &trial.state,
        None,
        came.as_deref(),
        look,
    )
}

fn call_rows(
    call: &ToolCall,
    risk: Risk,
    state: &CallState,
    change: Option<&FileChange>,
    aside: Option<&str>,
    look: Look<'_>,
) -> Vec<Row> {
    let (mark, role) = match state {
        CallState::Proposed => ("· ", Role::CallPending),
        CallState::Asking { .. } => ("? ", Role::CallAsking),
        CallState::Running { .. } => ("▸ ", Role::CallRunning),
        CallState::Finished { outcome } => match outcome {
            Outcome::Done { .. } => ("✓ ", Role::CallDone),
            Outcome::Failed { .. } | Outcome::Invalid { .. } => ("✗ ", Role::CallFailed),
            Outcome::Denied { .. } | Outcome::Cancelled => ("⊘ ", Role::CallDenied),
        },
    };
    let mut head = Row::new(mark, role);
    title(&mut head, call, risk);
    if let Some(aside) = aside {
        head.push(aside, Role::TextDim);
    }
    let bar = Row::new("  │ ", Role::CodeGutter);
    let mut body = Vec::new();
    match state {
        CallState::Proposed => {}
        CallState::Asking { .. } => head.push(" · waits for your decision", Role::CallAsking),
        CallState::Running { progress } => {
            if let Some(progress) = progress {
                let lines: Vec<&str> = progress.trim_end().split('\n').collect();
                let most = if look.details { MOST_LIVE } else { SOME_LIVE };
                // The last ones, each on one row: what is below stays where it is while lines grow.
                body.extend(
                    lines[lines.len().saturating_sub(most)..]
                        .iter()
                        .map(|line| {
                            let line = clean_code(line);
                            bar.clone().with(line, Role::CallOutput).cut(look.limit)
                        }),
                );
            }
        }
        CallState::Finished { outcome } => {
            let text = outcome.for_model();
            match outcome {
                Outcome::Done { .. } if change.is_some() => {}
                Outcome::Done { .. } => {
                    let lines = text.lines().count();
                    if risk.is_read() {
                        head.push(format!(" · {}", count(lines, "line")), Role::TextDim);
                    }
                    let some = match risk {
                        Risk::Read | Risk::SensitiveRead if !look.details => 0,
                        Risk::Command => SOME_OUTPUT,
                        _ => 3,
                    };
                    body = output(text, Role::CallOutput, look, &bar);
                    // What a command said last matters most; of everything else, what comes first.
                    body = if risk == Risk::Command {
                        shorten_front(body, some, look, &bar)
                    } else {
                        shorten(body, some, look, &bar)
                    };
                }
                Outcome::Failed { .. } | Outcome::Invalid { .. } => {
                    body = output(text, Role::CallFailed, look, &bar);
                    body = shorten(body, SOME_OUTPUT, look, &bar);
                }
                Outcome::Denied { reason } => {
                    let row = bar.clone().with(clean_line(reason), Role::CallDenied);
                    body = wrap(&row, look.limit, &bar);
                }
                Outcome::Cancelled => head.push(" · cancelled", Role::CallDenied),
            }
        }
    }
    if let Some(change) = change.filter(|_| !matches!(state, CallState::Asking { .. })) {
        if let Some(from) = &change.from {
            // Its title has the old path already.
            if !call.title().ends_with(from) {
                head.push(format!(" {}", clean_line(from)), Role::Text);
            }
            head.push(format!(" → {}", clean_line(&change.path)), Role::Text);
        }
        head.append(diff::about(
            change,
            diff::tally(change.added, change.removed, 0),
        ));
        for note in &change.notes {
            head.push(format!(" · {}", clean_line(note)), Role::TextDim);
        }
        let wrote = matches!(
            state,
            CallState::Finished {
                outcome: Outcome::Done { .. }
            }
        );
        if wrote || look.details {
            let indent = Row::new("  ", Role::Text);
            let inner = look.limit.saturating_sub(2).max(1);
            let most = if look.details { MOST_ROWS } else { SOME_DIFF };
            // One row more tells whether a row that says so is worth it.
            let (diff, missing) = diff::render(change, inner, most + 2, look.highlighter);
            let mut diff: Vec<Row> = diff
                .into_iter()
                .map(|row| {
                    let mut out = indent.clone();
                    out.fill = row.fill;
                    out.append(row);
                    out.cut(look.limit)
                })
                .collect();
            if diff.len() > most + 1 {
                let missing = missing + diff.len() - most;
                diff.truncate(most);
                diff.push(more(missing, look, &indent));
            }
            body.extend(diff);
        }
    }
    let mut rows = wrap(&head, look.limit, &Row::new("  ", Role::Text));
    if look.details && change.is_none() {
        rows.extend(arguments(call, look, &bar));
    }
    rows.extend(body);
    rows
}

/// Writes what a call does: its tool, and the argument that tells most. A third-party tool comes with its server.
fn title(row: &mut Row, call: &ToolCall, risk: Risk) {
    if risk.is_foreign() {
        row.push(format!("{}.", clean_line(&call.server)), Role::TextDim);
    }
    let title = clean_line(&call.title());
    match title.split_once(' ') {
        Some((tool, argument)) => {
            row.push(format!("{tool} "), Role::Call);
            row.push(argument, Role::Text);
        }
        None => row.push(title, Role::Call),
    }
}

/// Lays out what a call was asked, as far as its title does not say it.
fn arguments(call: &ToolCall, look: Look<'_>, bar: &Row) -> Vec<Row> {
    let title = call.title();
    let mut rows = Vec::new();
    for (name, value) in &call.arguments {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        if title.ends_with(&text) {
            continue;
        }
        let name = format!("{}: ", clean_line(name));
        let mut lines = output(&text, Role::Text, look, bar);
        if lines.len() == 1 {
            let row = bar.clone().with(name, Role::TextDim);
            let row = row.with(clean_line(&text), Role::Text);
            rows.extend(fold(&row, look.limit, bar));
        } else {
            rows.push(bar.clone().with(name, Role::TextDim).cut(look.limit));
            lines.truncate(MOST_ROWS);
            rows.extend(lines);
        }
    }
    shorten(rows, MOST_ROWS, look, bar)
}

fn output(text: &str, role: Role, look: Look<'_>, bar: &Row) -> Vec<Row> {
    let inner = look.limit.saturating_sub(bar.width()).max(1);
    let text = text.trim_end();
    let rows: Vec<Row> = match role == Role::CallOutput && diff::is_told(text) {
        true => diff::told(text, inner, MOST_ROWS),
        false => text
            .lines()
            .take(MOST_ROWS)
            .flat_map(|line| fold(&Row::new(clean_code(line), role), inner, &Row::default()))
            .collect(),
    };
    rows.into_iter()
        .map(|row| {
            let mut out = bar.clone();
            out.append(row);
            out.cut(look.limit)
        })
        .collect()
}

fn shorten(mut rows: Vec<Row>, some: usize, look: Look<'_>, indent: &Row) -> Vec<Row> {
    let most = if look.details { MOST_ROWS } else { some };
    // One row less is not worth a row that says so.
    if rows.len() <= most + 1 {
        return rows;
    }
    let missing = rows.len() - most;
    rows.truncate(most);
    if most > 0 {
        rows.push(more(missing, look, indent));
    }
    rows
}

fn shorten_front(rows: Vec<Row>, some: usize, look: Look<'_>, indent: &Row) -> Vec<Row> {
    let most = if look.details { MOST_ROWS } else { some };
    if rows.len() <= most + 1 {
        return rows;
    }
    let missing = rows.len() - most;
    let mut out = vec![more(missing, look, indent)];
    out.extend(rows.into_iter().skip(missing));
    out
}

fn more(missing: usize, look: Look<'_>, indent: &Row) -> Row {
    let mut text = format!("… {}", count(missing, "more line"));
    if !look.details {
        text.push_str(&format!(" · {}", key_of(Action::Details)));
    }
    indent.clone().with(text, Role::TextDim).cut(look.limit)
}
