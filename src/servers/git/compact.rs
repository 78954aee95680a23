//! The tools for a small model: the repository it works in, short answers, and how to get what was left out.

use super::arguments::Arguments;
use crate::git::{DiffForm, DiffOf, GitError, LogQuery, Repo};
use crate::protocol::clip;
use crate::servers::limits::git::compact as limits;

/// Carries out a call in the repository that was discovered. The error is text that a model can act on.
pub(super) fn call(repo: &Repo, tool: &str, arguments: &Arguments) -> Result<String, String> {
    let answer = match tool {
        "git_diff" => diff(repo, arguments),
        "git_log" => log(repo, arguments),
        "git_show" => show(repo, arguments),
        _ => blame(repo, arguments),
    };
    answer.map_err(|error| error.to_string())
}

fn diff(repo: &Repo, arguments: &Arguments) -> Result<String, GitError> {
    let target = arguments.optional_text("target");
    let of = match target {
        Some(target) => DiffOf::Target(target.to_owned()),
        None if repo.is_unborn() => DiffOf::Staged,
        None => DiffOf::Target("HEAD".to_owned()),
    };
    let path = arguments.optional_text("path").map(str::to_owned);
    let form = DiffForm {
        paths: path.iter().cloned().collect(),
        ..DiffForm::default()
    };
    let mut text = repo.diff(&of, &form)?;
    let untracked = match target {
        None => repo.untracked(path.as_deref())?,
        Some(_) => Vec::new(),
    };
    if text.is_empty() && untracked.is_empty() {
        return Ok("no changes".to_owned());
    }
    if text.len() > limits::TEXT {
        let stat = repo.diff(&of, &DiffForm { stat: true, ..form })?;
        let cut = clip(&text, limits::TEXT / 2);
        text = match path {
            // One file: its own beginning is worth more than a list.
            Some(_) => cut,
            None => format!(
                "{}\n{cut}\n[name one of the files as `path` to see its changes]",
                clip(&stat, limits::TEXT / 2)
            ),
        };
    }
    if !untracked.is_empty() {
        text += &format!("[new files: {}]", clip(&untracked.join(", "), 2_000));
    }
    Ok(text)
}

fn log(repo: &Repo, arguments: &Arguments) -> Result<String, GitError> {
    let max = arguments
        .count("max")
        .unwrap_or(limits::COMMITS)
        .min(limits::MOST_COMMITS);
    let query = LogQuery {
        max: Some(max + 1),
        path: arguments.optional_text("path").map(str::to_owned),
        grep: arguments.optional_text("grep").map(str::to_owned),
        follow: true,
        ..LogQuery::default()
    };
    let entries = repo.log(&query)?;
    if entries.is_empty() {
        return Ok("no such commits".to_owned());
    }
    let lines: Vec<String> = entries
        .iter()
        .take(max)
        .map(|entry| {
            let subject = entry.message.lines().next().unwrap_or_default();
            let day = entry.date.get(..10).unwrap_or_default();
            format!(
                "{} {day} {}: {subject}",
                entry.id.get(..8).unwrap_or_default(),
                entry.author
            )
        })
        .collect();
    let mut text = clip(&lines.join("\n"), limits::TEXT);
    if entries.len() > max && max < limits::MOST_COMMITS {
        text += &format!("\n[more; give max={}]", (max * 2).min(limits::MOST_COMMITS));
    }
    Ok(text)
}

fn show(repo: &Repo, arguments: &Arguments) -> Result<String, GitError> {
    let text = repo.show(arguments.text("revision"))?;
    let from = arguments.count("from").unwrap_or(1);
    let total = text.lines().count();
    if from > total.max(1) {
        return Err(GitError::Refused(format!(
            "there are {total} lines; give a `from` up to {total}"
        )));
    }
    let mut out = String::new();
    let mut last = from - 1;
    for line in text.split_inclusive('\n').skip(from - 1) {
        if last >= from && out.len() + line.len() > limits::TEXT {
            break;
        }
        out += &clip(line, limits::TEXT);
        last += 1;
    }
    if last < total {
        out += &format!(
            "[lines {from}-{last} of {total}; go on with from={}]",
            last + 1
        );
    }
    Ok(out)
}

fn blame(repo: &Repo, arguments: &Arguments) -> Result<String, GitError> {
    let from = arguments.count("from").unwrap_or(1);
    let lines = arguments
        .count("lines")
        .unwrap_or(limits::LINES)
        .min(limits::MOST_LINES);
    let text = repo.blame(arguments.text("path"), None, Some(from..from + lines))?;
    let shown = text.lines().count();
    let mut text = clip(&text, limits::TEXT * 2);
    if shown == lines {
        text += &format!("[go on with from={}]", from + lines);
    }
    Ok(text)
}
