//! What there is to see of servers: which there are, what they offer and cost, and how they are.

use serde_json::{Value, json};

use super::super::pins;
use super::{Place, print};
use crate::error::{ExitCode, UserError};
use crate::mcp::Inspection;
use crate::mcp::config::{Reach, Source};
use crate::protocol::{ToolSpec, harmless_json, sanitize_line};

impl Place<'_> {
    pub(super) fn list(&self) -> Result<ExitCode, UserError> {
        let definitions = self.find(None)?;
        let pins = pins(self.files, &[])?;
        let agreed = pins.list();
        for definition in &definitions {
            let how = match (&definition.reach, definition.disabled) {
                (_, true) => "disabled".to_owned(),
                (Err(problem), _) => format!("not usable: {problem}"),
                (Ok(Reach::Stdio { container, .. }), _) => {
                    let mut words: Vec<String> = Vec::new();
                    words.extend(container.iter().map(|one| format!("[{}]", one.image)));
                    words.extend(definition.written.get("command").map(word));
                    let arguments = definition.written.get("args").and_then(Value::as_array);
                    words.extend(arguments.into_iter().flatten().map(word));
                    words.join(" ")
                }
                (Ok(Reach::Remote(remote)), _) => remote.url.clone(),
            };
            let source = match &definition.source {
                Source::User => "yours",
                Source::Project(_) => "repository",
            };
            let key = definition.key();
            let state = match agreed.iter().find(|(known, _)| *known == key) {
                Some((_, tools)) => format!("agreed, {} tools", tools.len()),
                None => "not agreed".to_owned(),
            };
            print(&format!(
                "{:<16} {source:<11} {state:<18} {}\n",
                definition.name,
                sanitize_line(&how)
            ));
        }
        if definitions.is_empty() {
            print("there is no server yet; `walden mcp add NAME -- COMMAND` adds one\n");
        }
        Ok(ExitCode::Success)
    }

    pub(super) fn tools(&self, name: Option<&str>, as_json: bool) -> Result<ExitCode, UserError> {
        let definitions = self.find(name)?;
        crate::compose::runtime()?.block_on(async {
            let host = self.started(definitions).await?;
            let inspections = host.inspect();
            host.close().await;
            if as_json {
                let list: Vec<Value> = inspections
                    .iter()
                    .flat_map(|server| &server.tools)
                    .map(|tool| {
                        json!({"server": tool.server, "name": tool.tool, "model_name": tool.name,
                               "description": tool.description, "schema": tool.schema, "tokens": Cost::of(tool).line})
                    })
                    .collect();
                let text = serde_json::to_string_pretty(&list).unwrap_or_default();
                print(&(harmless_json(&text) + "\n"));
                return Ok(ExitCode::Success);
            }
            for server in &inspections {
                print(&tool_table(server));
            }
            Ok(ExitCode::Success)
        })
    }

    pub(super) fn inspect(&self, name: &str) -> Result<ExitCode, UserError> {
        let definitions = self.find(Some(name))?;
        crate::compose::runtime()?.block_on(async {
            let host = self.started(definitions).await?;
            let inspections = host.inspect();
            host.close().await;
            for server in inspections {
                print(&described(&server));
            }
            Ok(ExitCode::Success)
        })
    }

    pub(super) fn doctor(&self, name: Option<&str>) -> Result<ExitCode, UserError> {
        let definitions = self.find(name)?;
        crate::compose::runtime()?.block_on(async {
            let began = std::time::Instant::now();
            let host = self.started(definitions).await?;
            let inspections = host.inspect();
            host.close().await;
            let mut code = ExitCode::Success;
            for server in &inspections {
                let good = server.state == "up";
                if !good {
                    code = ExitCode::Failure;
                }
                let mark = if good { "ok " } else { "bad" };
                print(&format!(
                    "{mark} {:<16} {}\n",
                    server.name,
                    sanitize_line(&server.state)
                ));
                if good {
                    print(&format!(
                        "    {} · {} {}{} · {} tools, {} prompts, {} resources\n",
                        server.title,
                        server.era,
                        server.version,
                        held(server),
                        server.tools.len(),
                        server.prompts.len(),
                        server.resources.len() + server.templates.len(),
                    ));
                }
                for line in server
                    .left_out
                    .iter()
                    .map(|line| format!("left out: {line}"))
                {
                    print(&format!("    {}\n", sanitize_line(&line)));
                }
                if !good {
                    for line in server.log.iter().rev().take(8).rev() {
                        print(&format!("    | {line}\n"));
                    }
                }
            }
            if inspections.is_empty() {
                print("there is no server to look at\n");
            } else {
                print(&format!("({:.1} s)\n", began.elapsed().as_secs_f64()));
            }
            Ok(code)
        })
    }
}

/// What a tool costs, in tokens; guessed from its length.
struct Cost {
    /// As one line, which is how the model is told of it.
    line: usize,
    /// As other hosts send it: name, description and schema.
    whole: usize,
}

impl Cost {
    fn of(tool: &ToolSpec) -> Self {
        let whole = tool.name.len() + tool.description.len() + tool.schema.to_string().len();
        Self {
            line: crate::agent::told_as(tool).len().div_ceil(3),
            whole: whole.div_ceil(4),
        }
    }
}

fn tool_table(server: &Inspection) -> String {
    if server.state != "up" {
        return format!("{}: {}\n", server.name, sanitize_line(&server.state));
    }
    let costs: Vec<Cost> = server.tools.iter().map(Cost::of).collect();
    let sum = |cost: fn(&Cost) -> usize| costs.iter().map(cost).sum::<usize>();
    let mut text = format!(
        "{}: {} tools, about {} tokens as walden tells the model ({} in full)\n",
        server.name,
        server.tools.len(),
        sum(|cost| cost.line),
        sum(|cost| cost.whole),
    );
    for (tool, cost) in server.tools.iter().zip(&costs) {
        text.push_str(&format!(
            "  {:>4}  {}\n",
            cost.line,
            sanitize_line(&crate::agent::told_as(tool))
        ));
    }
    text
}

/// Says what a server is held to, and where the user could hold it to more.
fn held(server: &Inspection) -> String {
    match server.min_protocol {
        Some(least) => format!(" (held to {least} or later)"),
        None => String::new(),
    }
}

fn described(server: &Inspection) -> String {
    let mut text = format!(
        "{}: {}\n{} · {} {}{}\ncapabilities: {}\n",
        server.name,
        sanitize_line(&server.state),
        server.title,
        server.era,
        server.version,
        held(server),
        server.capabilities.join(", "),
    );
    text.push('\n');
    text.push_str(&server.offer);
    for (label, list) in [
        ("resource", &server.resources),
        ("template", &server.templates),
    ] {
        for (name, description) in list {
            text.push_str(&format!("{label} {name}  {description}\n"));
        }
    }
    for line in &server.left_out {
        text.push_str(&format!("left out: {}\n", sanitize_line(line)));
    }
    if !server.log.is_empty() {
        text.push_str("\nlog:\n");
        for line in &server.log {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

fn word(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
