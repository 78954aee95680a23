//! The page of the servers: how each one is, what it may and offers, and what is lately asked of it.
//!
//! Every row belongs to something: the keys act on what the chosen row belongs to.

use crate::protocol::{CallState, Job, JobState, Outcome, ServerReport, ServerState, Transcript};

use super::super::keymap::{Action, Serve, key_of};
use super::super::role::Role;
use super::super::text::{Row, clean_line, count, wrap};
use super::{MOST_CHOSEN, key};

/// Calls of one server that are listed.
const MOST_CALLS: usize = 5;
/// Tasks that are listed.
const MOST_JOBS: usize = 8;

/// What a row belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tui) enum Target {
    Server(String),
    Tool {
        server: String,
        tool: String,
        used: bool,
    },
    Job {
        server: String,
        job: String,
    },
    /// One of walden's own servers, or nothing.
    Fixed,
}

/// A row with what it belongs to.
pub(in crate::tui) struct Line {
    pub(in crate::tui) target: Target,
    row: Row,
    /// Where its rows after the first begin, when it is shown whole.
    indent: usize,
}

/// Lists the rows. `open` is the server that is shown whole.
pub(in crate::tui) fn lines(transcript: &Transcript, open: Option<&str>) -> Vec<Line> {
    let mut page = Lines { lines: Vec::new() };
    page.jobs(&transcript.jobs);
    for (name, state) in servers(transcript) {
        let report = transcript.reports.iter().find(|one| one.name == name);
        page.server(transcript, name, state, report);
        match report {
            Some(report) if open == Some(name) => page.whole(transcript, report),
            Some(_) => {}
            None => page.calls(transcript, name, &Target::Fixed),
        }
    }
    if page.lines.is_empty() {
        page.push(
            Row::new(
                "No server has told of itself yet. The built-in ones start with the session.",
                Role::TextDim,
            ),
            Target::Fixed,
        );
    }
    page.lines
}

/// Draws the rows with the chosen one marked, and the keys below.
pub(super) fn rows(
    transcript: &Transcript,
    at: usize,
    open: Option<&str>,
    wide: usize,
) -> Vec<Row> {
    let lines = lines(transcript, open);
    let at = at.min(lines.len().saturating_sub(1));
    lines
        .into_iter()
        .enumerate()
        .flat_map(|(place, line)| {
            let mut row = Row::new(if place == at { "▸ " } else { "  " }, Role::Accent);
            row.append(line.row);
            if place != at {
                return vec![row.cut(wide)];
            }
            // What is cut elsewhere is read by choosing it.
            let indent = Row::new(" ".repeat(line.indent), Role::Text);
            let mut rows = wrap(&row, wide, &indent);
            if rows.len() > MOST_CHOSEN {
                rows.truncate(MOST_CHOSEN);
                if let Some(last) = rows.last_mut() {
                    last.push(" …", Role::TextDim);
                    *last = std::mem::take(last).cut(wide);
                }
            }
            rows
        })
        .collect()
}

/// Says what the keys do with what is chosen.
pub(super) fn keys(target: &Target) -> Vec<Row> {
    let add = |serve, what| key(key_of(Action::Serve(serve)), what);
    match target {
        Target::Server(_) => vec![
            add(Serve::Open, "more or less"),
            add(Serve::Use, "leave out or take in"),
            add(Serve::Restart, "start again"),
            add(Serve::Remove, "forget"),
        ],
        Target::Tool { used: true, .. } => vec![add(Serve::Use, "do not use this tool")],
        Target::Tool { used: false, .. } => vec![add(Serve::Use, "use this tool")],
        Target::Job { .. } => vec![add(Serve::Use, "cancel this task")],
        Target::Fixed => vec![Row::new("`walden mcp add` adds a server", Role::TextDim)],
    }
}

/// Lists the servers with their states; one that only calls tell of is one all the same.
fn servers(transcript: &Transcript) -> Vec<(&str, Option<&ServerState>)> {
    let mut servers: Vec<(&str, Option<&ServerState>)> = transcript
        .servers
        .iter()
        .map(|(name, state)| (name.as_str(), Some(state)))
        .collect();
    let reported = transcript.reports.iter().map(|report| report.name.as_str());
    let called = transcript.calls().map(|(call, _)| call.server.as_str());
    for name in reported.chain(called) {
        if !servers.iter().any(|(known, _)| *known == name) {
            servers.push((name, None));
        }
    }
    servers
}

struct Lines {
    lines: Vec<Line>,
}

impl Lines {
    fn push(&mut self, row: Row, target: Target) {
        self.lines.push(Line {
            target,
            row,
            indent: 4,
        });
    }

    fn fact(&mut self, name: &str, value: String, target: Target) {
        let row = Row::new(format!("  {name:<11}"), Role::TextDim).with(value, Role::Text);
        self.lines.push(Line {
            target,
            row,
            indent: 15,
        });
    }

    fn jobs(&mut self, jobs: &[Job]) {
        let from = jobs.len().saturating_sub(MOST_JOBS);
        for job in &jobs[from..] {
            let (mark, role, word) = match job.state {
                JobState::Working => ("◌ ", Role::CallRunning, "runs"),
                JobState::Asks => ("? ", Role::CallAsking, "waits for your answer"),
                JobState::Done => ("✓ ", Role::CallDone, "is done"),
                JobState::Failed => ("✗ ", Role::CallFailed, "failed"),
                JobState::Cancelled => ("✗ ", Role::CallFailed, "was cancelled"),
            };
            let mut row = Row::new(mark, role)
                .with(format!("task {}", clean_line(&job.tool)), Role::TextStrong)
                .with(
                    format!(" of {} {word}", clean_line(&job.server)),
                    Role::Text,
                );
            if !job.message.is_empty() {
                row.push(format!(": {}", clean_line(&job.message)), Role::TextDim);
            }
            let target = match job.state.is_over() {
                true => Target::Fixed,
                false => Target::Job {
                    server: job.server.clone(),
                    job: job.id.clone(),
                },
            };
            self.push(row, target);
        }
    }

    fn server(
        &mut self,
        transcript: &Transcript,
        name: &str,
        state: Option<&ServerState>,
        report: Option<&ServerReport>,
    ) {
        let disabled = report.is_some_and(|report| report.disabled);
        let (mark, role, told) = match state {
            _ if disabled => ("○ ", Role::TextDim, "is left out".to_owned()),
            Some(ServerState::Starting) => ("◌ ", Role::CallRunning, "is starting".to_owned()),
            Some(ServerState::Up { tools }) => ("● ", Role::CallDone, count(*tools, "tool")),
            Some(ServerState::Down { .. }) if report.is_some_and(|report| report.needs_login) => {
                let key = key_of(Action::Serve(Serve::LogIn));
                let told = format!("needs your login: {key} begins it");
                ("? ", Role::CallAsking, told)
            }
            Some(ServerState::Down { reason }) => (
                "✗ ",
                Role::CallFailed,
                format!("is down: {}", clean_line(reason)),
            ),
            None => ("● ", Role::CallDone, "was used".to_owned()),
        };
        let mut row = Row::new(mark, role)
            .with(clean_line(name), Role::TextStrong)
            .with(format!("  {told}"), Role::Text);
        if let Some(report) = report.filter(|report| !report.tools.is_empty()) {
            let used = report.tools.iter().filter(|tool| !tool.denied);
            let tokens: usize = used.map(|tool| tool.line_tokens).sum();
            row.push(format!(" · {tokens} tokens"), Role::TextDim);
            for (number, noun) in [
                (report.prompts.len(), "prompt"),
                (report.resources.len() + report.templates.len(), "resource"),
            ] {
                if number > 0 {
                    row.push(format!(" · {}", count(number, noun)), Role::TextDim);
                }
            }
        }
        let target = match report {
            Some(report) => Target::Server(report.name.clone()),
            None => Target::Fixed,
        };
        self.push(row, target.clone());
        let asked = transcript.questions.iter().filter(|one| one.server == name);
        let waiting = asked.count();
        if waiting > 0 {
            let text = format!("  ? {} for you", count(waiting, "question"));
            self.push(Row::new(text, Role::CallAsking), target);
        }
    }

    /// Shows everything that is known of a server.
    fn whole(&mut self, transcript: &Transcript, report: &ServerReport) {
        let target = Target::Server(report.name.clone());
        let title = match report.title.is_empty() {
            true => report.era.clone(),
            false => format!("{} · {}", clean_line(&report.title), report.era),
        };
        let facts = [
            ("speaks", title),
            ("can", clean_line(&report.capabilities.join(", "))),
            ("from", report.source.clone()),
            ("agreed", report.pinned.clone()),
            (
                "last error",
                clean_line(report.last_error.as_deref().unwrap_or_default()),
            ),
        ];
        let may = report.sandbox.iter().map(|line| ("may", clean_line(line)));
        let left_out = report.left_out.iter();
        let left_out = left_out.map(|line| ("left out", clean_line(line)));
        for (name, value) in facts.into_iter().chain(may).chain(left_out) {
            if !value.is_empty() {
                self.fact(name, value, target.clone());
            }
        }
        self.calls(transcript, &report.name, &target);
        for tool in &report.tools {
            let (mark, role) = match tool.denied {
                true => ("  ○ ", Role::TextDim),
                false => ("  ● ", Role::CallDone),
            };
            let costs = format!("  {} tokens  ", tool.line_tokens);
            let row = Row::new(mark, role)
                .with(clean_line(&tool.tool), Role::Text)
                .with(costs, Role::TextDim)
                .with(clean_line(&tool.about), Role::TextDim);
            let target = Target::Tool {
                server: report.name.clone(),
                tool: tool.tool.clone(),
                used: !tool.denied,
            };
            self.push(row, target);
        }
        for prompt in &report.prompts {
            let line = format!("  /{}:{}", report.name, clean_line(&prompt.name));
            let row = Row::new(line, Role::Text)
                .with(format!("  {}", clean_line(&prompt.about)), Role::TextDim);
            self.push(row, target.clone());
        }
        for (uri, about) in report.resources.iter().chain(&report.templates) {
            let line = format!("  @{}:{}", report.name, clean_line(uri));
            let row =
                Row::new(line, Role::Text).with(format!("  {}", clean_line(about)), Role::TextDim);
            self.push(row, target.clone());
        }
        for line in &report.log {
            let row = Row::new(format!("  │ {}", clean_line(line)), Role::TextDim);
            self.push(row, target.clone());
        }
    }

    fn calls(&mut self, transcript: &Transcript, server: &str, target: &Target) {
        let all = || transcript.calls().filter(|(call, _)| call.server == server);
        let total = all().count();
        if total == 0 {
            return;
        }
        let skipped = total.saturating_sub(MOST_CALLS);
        if skipped > 0 {
            let text = format!("  … {} before", count(skipped, "call"));
            self.push(Row::new(text, Role::TextDim), target.clone());
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
            let row =
                Row::new(format!("  {mark} "), role).with(clean_line(&call.title()), Role::Text);
            self.push(row, target.clone());
        }
    }
}
