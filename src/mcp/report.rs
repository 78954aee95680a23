//! Servers as the user sees them: everything that is known of each, in plain words.

use serde_json::Value;

use super::config::{Definition, Reach, Source};
use super::foreign::{Live, Shared, Stage};
use super::host::Host;
use super::text::short;
use super::{convert, pins::Pins};
use crate::protocol::{
    ReportedArgument, ReportedPrompt, ReportedTool, ServerReport, ToolSpec, sanitize_line,
};

/// The most lines of a server's log that are told, and items of one of its lists.
const LOG: usize = 12;
const ITEMS: usize = 300;

impl Host {
    /// Tells everything about the third-party servers. `cost` says what a tool costs the model: its line, and its
    /// whole schema.
    pub fn reports(&self, cost: &dyn Fn(&ToolSpec) -> (usize, usize)) -> Vec<ServerReport> {
        let Some(ground) = &self.ground else {
            return Vec::new();
        };
        let running = self
            .foreign
            .iter()
            .map(|one| running(&one.shared, &ground.pins, cost));
        let idle = self.idle.iter().map(|one| ServerReport {
            disabled: true,
            ..about(one, &ground.pins)
        });
        let mut reports: Vec<ServerReport> = running.chain(idle).collect();
        reports.sort_by(|one, other| one.name.cmp(&other.name));
        reports
    }
}

/// Tells what is known of a server that does not run.
fn about(definition: &Definition, pins: &Pins) -> ServerReport {
    let source = match &definition.source {
        Source::User => "your configuration",
        Source::Project(_) => "the repository's `.mcp.json`",
    };
    let pinned = match pins.get(&definition.key()) {
        Some(pin) => match pin["offer"]["tools"].as_object() {
            Some(tools) => format!("you agreed to its start and to {} tools", tools.len()),
            None => "you agreed to its start".to_owned(),
        },
        None => "you agreed to nothing of it".to_owned(),
    };
    ServerReport {
        name: definition.name.clone(),
        source: source.to_owned(),
        era: match definition.min_protocol {
            Some(least) => format!("{}, {least} or later", definition.era.name()),
            None => definition.era.name().to_owned(),
        },
        sandbox: sandbox(definition),
        pinned,
        ..ServerReport::default()
    }
}

/// Says what a server may have.
fn sandbox(definition: &Definition) -> Vec<String> {
    match &definition.reach {
        Err(problem) => vec![sanitize_line(problem)],
        Ok(Reach::Remote(remote)) => vec![format!("reached over the network: {}", remote.url)],
        Ok(Reach::Stdio {
            read,
            write,
            weaker,
            container,
            ..
        }) => {
            let mut lines = vec![match container {
                None => "no network; a folder of its own; the repository and its program, to read"
                    .to_owned(),
                Some(container) => format!(
                    "in a container of `{}`; {}; the repository, to read",
                    sanitize_line(&container.image),
                    match container.network {
                        true => "the network that its runtime gives it",
                        false => "no network",
                    }
                ),
            }];
            for (what, paths) in [("reads", read), ("writes", write)] {
                let paths: Vec<String> = paths
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect();
                if !paths.is_empty() {
                    lines.push(format!("{what} {}", sanitize_line(&paths.join(", "))));
                }
            }
            if *weaker {
                lines.push("started even where this kernel cannot confine it".to_owned());
            }
            lines
        }
    }
}

fn running(
    shared: &Shared,
    pins: &Pins,
    cost: &dyn Fn(&ToolSpec) -> (usize, usize),
) -> ServerReport {
    let mut report = about(&shared.definition, pins);
    report.log = shared.log.tail(LOG);
    report.last_error = shared.last_error();
    let is_down = matches!(&*shared.stage.borrow(), Stage::Down(_));
    report.needs_login =
        is_down && super::login::is_wanted(&shared.definition.reach, report.last_error.as_deref());
    if let Stage::Up(live) = &*shared.stage.borrow() {
        fill(&mut report, shared, live, cost);
    }
    report
}

fn fill(
    report: &mut ServerReport,
    shared: &Shared,
    live: &Live,
    cost: &dyn Fn(&ToolSpec) -> (usize, usize),
) {
    report.title.clone_from(&live.hello.name);
    report.era = format!("{} {}", live.hello.era.name(), live.hello.version);
    report.capabilities = capabilities(&live.hello.capabilities);
    let specs = convert::foreign(&shared.definition, &live.catalog.tools, &shared.log);
    let all = specs.iter().take(ITEMS);
    report.tools = all
        .map(|spec| {
            let (line_tokens, schema_tokens) = cost(spec);
            ReportedTool {
                name: spec.name.clone(),
                tool: spec.tool.clone(),
                about: short(spec.description.lines().next().unwrap_or_default(), 160),
                line_tokens,
                schema_tokens,
                denied: !live.tools.iter().any(|used| used.tool == spec.tool),
            }
        })
        .collect();
    let word = |item: &Value, key: &str, most| short(item[key].as_str().unwrap_or_default(), most);
    report.prompts = live
        .catalog
        .prompts
        .iter()
        .take(ITEMS)
        .map(|prompt| ReportedPrompt {
            name: word(prompt, "name", 100),
            about: word(prompt, "description", 160),
            arguments: prompt["arguments"]
                .as_array()
                .into_iter()
                .flatten()
                .take(20)
                .map(|one| ReportedArgument {
                    name: word(one, "name", 60),
                    about: word(one, "description", 160),
                    required: one["required"].as_bool().unwrap_or(false),
                })
                .collect(),
        })
        .collect();
    let named = |items: &[Value], key: &str| {
        let items = items.iter().take(ITEMS);
        items
            .map(|item| {
                let about = match word(item, "description", 120) {
                    empty if empty.is_empty() => word(item, "name", 120),
                    about => about,
                };
                (word(item, key, 300), about)
            })
            .collect()
    };
    report.resources = named(&live.catalog.resources, "uri");
    report.templates = named(&live.catalog.templates, "uriTemplate");
    report.left_out = live
        .catalog
        .left_out
        .iter()
        .map(|line| short(line, 200))
        .collect();
}

/// Lists what a server says it can do, one word for each, with what goes with it in brackets.
fn capabilities(declared: &Value) -> Vec<String> {
    let all = declared.as_object().into_iter().flatten();
    all.map(|(name, with)| {
        let with: Vec<String> = with
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, value)| **value != Value::Bool(false))
            .map(|(key, _)| short(key, 60))
            .collect();
        match with.is_empty() {
            true => short(name, 60),
            false => format!("{} ({})", short(name, 60), with.join(", ")),
        }
    })
    .collect()
}
