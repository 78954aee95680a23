//! Logs as a person reads them, and as a program does.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Line, read};
use crate::chain::{self, ChainError};
use crate::protocol::{harmless_json, sanitize_line};

/// Follows every log from its first line to its last, and says of each whether it holds. Returns the text and whether
/// all do.
pub fn verification(files: &[PathBuf]) -> (String, bool) {
    let (mut text, mut all_hold) = (String::new(), true);
    for file in files {
        let name = name_of(file);
        let said = match chain::verify(file) {
            Ok(Ok(verified)) => format!(
                "holds   {name}  {} records, head {}",
                verified.records, verified.head
            ),
            Ok(Err(flaw)) => {
                all_hold = false;
                format!("BROKEN  {name}  {flaw}")
            }
            Err(error) => {
                all_hold = false;
                format!("unread  {name}  {error}")
            }
        };
        text.push_str(&said);
        text.push('\n');
    }
    if files.is_empty() {
        text.push_str("no audit log is kept yet\n");
    }
    (text, all_hold)
}

/// Writes a log as lines for a person: the time (UTC), what happened, and its facts.
///
/// # Errors
/// When the log cannot be read.
pub fn table(file: &Path) -> Result<String, ChainError> {
    let mut text = format!("{}\n", name_of(file));
    for line in read(file)? {
        let (what, facts) = told(&line);
        text.push_str(&format!(
            "{}  {what:<12} {}\n",
            time(line.at),
            sanitize_line(&facts)
        ));
    }
    Ok(text)
}

/// Writes the lines of several logs in the order of their times, each as JSON with the name of its log.
///
/// # Errors
/// When a log cannot be read.
pub fn export(files: &[PathBuf]) -> Result<String, ChainError> {
    let mut lines = Vec::new();
    for file in files {
        let name = name_of(file);
        lines.extend(read(file)?.into_iter().map(|line| (name.clone(), line)));
    }
    lines.sort_by_key(|(_, line)| line.at);
    let mut text = String::new();
    for (name, line) in lines {
        let mut value = serde_json::to_value(&line).unwrap_or_default();
        if let Value::Object(fields) = &mut value {
            fields.insert("log".to_owned(), name.into());
        }
        text.push_str(&harmless_json(&value.to_string()));
        text.push('\n');
    }
    Ok(text)
}

fn name_of(file: &Path) -> String {
    file.file_stem()
        .map_or_else(String::new, |name| sanitize_line(&name.to_string_lossy()))
}

/// Names what a line tells and lists its facts.
fn told(line: &Line) -> (String, String) {
    let value = serde_json::to_value(&line.entry).unwrap_or_default();
    let Value::Object(fields) = value else {
        return (String::new(), String::new());
    };
    let what = fields.get("what").and_then(Value::as_str).unwrap_or("?");
    let facts: Vec<String> = fields
        .iter()
        .filter(|(name, _)| *name != "what")
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            value => format!("{name}={value}"),
        })
        .collect();
    (what.to_owned(), facts.join("  "))
}

/// Writes the time of day, in UTC: the log's name begins with the day.
fn time(millis: u64) -> String {
    let seconds = millis / 1_000;
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        seconds / 3_600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        millis % 1_000
    )
}
