//! Spans as a tree to be read: a line for each hop, below the one that it is part of.

use std::fmt::Write as _;

use super::{Span, Turn, Value, key};
use crate::protocol::{sanitize_line, thousands};

/// Writes turns as trees.
pub fn tree(turns: &[Turn]) -> String {
    let mut out = String::new();
    for turn in turns {
        if !out.is_empty() {
            out.push('\n');
        }
        if let Some(whole) = turn.spans.first() {
            let trace = &whole.place.trace;
            let _ = writeln!(out, "turn {}{} · trace {trace}", turn.number, facts(whole));
            below(&mut out, turn, 0, "");
        }
    }
    out
}

/// Writes what is part of a span, in the order in which it began.
fn below(out: &mut String, turn: &Turn, of: usize, indent: &str) {
    let mut parts: Vec<usize> = (0..turn.spans.len())
        .filter(|number| turn.spans[*number].within == Some(of))
        .collect();
    parts.sort_by_key(|number| turn.spans[*number].began);
    let last = parts.last().copied();
    for number in parts {
        let span = &turn.spans[number];
        let (branch, further) = match Some(number) == last {
            true => ("└─ ", "   "),
            false => ("├─ ", "│  "),
        };
        let name = span.title.as_deref().unwrap_or(&span.name);
        let name = match (span.title.is_some(), span.text(key::OPERATION)) {
            (true, Some("execute_tool")) => sanitize_line(name),
            (true, _) => format!("{} {}", span.name, sanitize_line(name)),
            (false, _) => sanitize_line(name),
        };
        let own_trace = match span.parent {
            None => format!(" · trace {}", span.place.trace),
            Some(_) => String::new(),
        };
        let _ = writeln!(out, "{indent}{branch}{name}{}{own_trace}", facts(span));
        below(out, turn, number, &format!("{indent}{further}"));
    }
}

/// Says what a hop took and what came of it.
fn facts(span: &Span) -> String {
    let mut facts = vec![time(span.ended.saturating_sub(span.began))];
    if let Some(about) = span.text(key::ABOUT).filter(|about| *about != "call") {
        facts.push(format!("of the {about}"));
    }
    if let Some(read) = span.count(key::INPUT) {
        let cached = span.count(key::CACHED).unwrap_or_default();
        let written = span.count(key::OUTPUT).unwrap_or_default();
        facts.push(format!(
            "{} tokens in ({} kept), {} out",
            thousands(read),
            thousands(cached),
            thousands(written)
        ));
    }
    facts.extend(span.text(key::DECISION).map(str::to_owned));
    facts.extend(span.text(key::OUTCOME).map(str::to_owned));
    if let Some(bytes) = span.count(key::RESULT_BYTES) {
        facts.push(format!("{} bytes", thousands(bytes)));
    }
    if let Some(tried) = span.count(key::TRIED) {
        facts.push(format!("{tried} tried"));
    }
    facts.extend(span.text(key::END).map(str::to_owned));
    if let Some(Value::Is(passed)) = span.attribute(key::PASSED) {
        facts.push(match passed {
            true => "the check passes".to_owned(),
            false => "the check does not pass".to_owned(),
        });
    }
    facts.extend(span.text(key::SANDBOX).map(sanitize_line));
    facts.extend(span.text(key::SEAL).map(sanitize_line));
    if span.attribute(key::OPEN).is_some() {
        facts.push("not over".to_owned());
    }
    format!(" · {}", facts.join(" · "))
}

fn time(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..100_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds / 100 % 10),
        _ => format!("{} s", thousands(milliseconds / 1_000)),
    }
}
