//! Running `walden mcp …`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::edit::File;
use super::{Configured, Treatment, configured, host, pins};
use crate::cli::Options;
use crate::door::Harmless;
use crate::error::{ExitCode, UserError};
use crate::mcp::command::{Add, McpCommand, Origin};
use crate::mcp::config::{Definition, Reach, Source, check_name, import};
use crate::mcp::pins::{launch_text, offer_text};
use crate::mcp::{Attended, Host, HostEvent, Inspection, Purpose};
use crate::protocol::{
    Answer, CallId, Outcome, Question, QuestionKind, ServerState, ToolCall, ToolSpec,
    harmless_json, sanitize, sanitize_line,
};
use crate::session::SessionFiles;

/// How long servers may take to come up for a command.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long a server that is up is looked at for more.
const LINGERING: Duration = Duration::from_millis(700);

/// Runs `walden mcp …`.
///
/// # Errors
/// When a server, a file or the command line is wrong.
pub fn mcp(options: &Options, command: &McpCommand) -> Result<ExitCode, UserError> {
    let root = super::super::find_root(options)?;
    let files = SessionFiles::open().map_err(UserError::from_error)?;
    let place = Place {
        root: &root,
        files: &files,
        trusted: &options.trust_server,
    };
    match command {
        McpCommand::Add(add) => place.add(add),
        McpCommand::List => place.list(),
        McpCommand::Trust { name, yes } => place.trust(name, *yes),
        McpCommand::Tools { name, json } => place.tools(name.as_deref(), *json),
        McpCommand::Inspect { name } => place.inspect(name),
        McpCommand::Call {
            name,
            tool,
            arguments,
        } => place.call(name, tool, arguments),
        McpCommand::Doctor { name } => place.doctor(name.as_deref()),
        McpCommand::Pins { name, forget } => place.pins(name.as_deref(), *forget),
        #[cfg(feature = "net")]
        McpCommand::Login { name } => place.log_in(name),
        #[cfg(feature = "net")]
        McpCommand::Logout { name } => {
            say(&super::remote::log_out(&place.over_http(name)?, &files)?);
            Ok(ExitCode::Success)
        }
        McpCommand::Remove { name } => place.remove(name),
        McpCommand::Import { from, file, write } => place.import(*from, file.as_deref(), *write),
    }
}

/// Where a command works.
struct Place<'a> {
    root: &'a Path,
    files: &'a SessionFiles,
    trusted: &'a [String],
}

impl Place<'_> {
    /// Finds the servers that a command is about: one by its name, or all.
    fn find(&self, name: Option<&str>) -> Result<Vec<Definition>, UserError> {
        let Configured {
            mut definitions,
            problems,
        } = configured(self.root);
        for problem in problems {
            say(&format!("walden: {}\n", sanitize_line(&problem)));
        }
        if let Some(name) = name {
            definitions.retain(|definition| definition.name == name);
            if definitions.is_empty() {
                return Err(UserError::usage(format!(
                    "there is no server `{}`",
                    sanitize_line(name)
                ))
                .hint("`walden mcp list` lists them, `walden mcp add` adds one"));
            }
            // Somebody who names it means it.
            definitions[0].disabled = false;
        }
        Ok(definitions)
    }

    /// Starts servers that were agreed to, and waits for them.
    async fn started(&self, definitions: Vec<Definition>) -> Result<Host, UserError> {
        let treatment = Treatment {
            attended: Attended::No,
            trusted: self.trusted,
        };
        let host = host(definitions, self.root, self.files, &treatment)?;
        host.settle(PATIENCE).await;
        Ok(host)
    }

    fn add(&self, add: &Add) -> Result<ExitCode, UserError> {
        let name = &add.name;
        check_name(name).map_err(|problem| {
            UserError::usage(format!("cannot add `{}`: {problem}", sanitize_line(name)))
        })?;
        let pairs = |list: &[String]| -> Result<Value, UserError> {
            let mut map = serde_json::Map::new();
            for pair in list {
                let (name, value) = pair.split_once('=').ok_or_else(|| {
                    UserError::usage(format!("`{pair}` is not of the form NAME=VALUE"))
                })?;
                map.insert(name.to_owned(), json!(value));
            }
            Ok(map.into())
        };
        let mut entry = match &add.url {
            Some(url) => json!({"type": "http", "url": url}),
            None if add.command.is_empty() => json!({}),
            None => json!({"command": add.command.first(), "args": add.command[1..]}),
        };
        for (key, list) in [("env", &add.env), ("headers", &add.header)] {
            if !list.is_empty() {
                entry[key] = pairs(list)?;
            }
        }
        for (key, list) in [("read", &add.read), ("write", &add.write)] {
            if !list.is_empty() {
                entry["sandbox"][key] = json!(list);
            }
        }
        if let Some(image) = &add.container {
            entry["sandbox"]["container"] = json!(image);
        }
        if add.weaker {
            entry["sandbox"]["weaker"] = json!(true);
        }
        let mut file = File::open()?;
        if file.servers().contains_key(name) {
            return Err(
                UserError::usage(format!("there is a server `{name}` already"))
                    .hint(format!("`walden mcp remove {name}` removes it")),
            );
        }
        file.servers().insert(name.clone(), entry);
        file.write()?;
        // What was chosen about another one of that name does not count for this one.
        super::choices(self.files)
            .forget(name)
            .map_err(UserError::failure)?;
        say(&format!("added `{name}` to `{}`\n", file.path().display()));
        if add.yes || std::io::stdin().is_terminal() {
            return self.trust(name, add.yes);
        }
        say(&format!(
            "it is used once you have agreed to it: `walden mcp trust {name}`\n"
        ));
        Ok(ExitCode::Success)
    }

    fn list(&self) -> Result<ExitCode, UserError> {
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

    fn trust(&self, name: &str, yes: bool) -> Result<ExitCode, UserError> {
        let definitions = self.find(Some(name))?;
        let terminal = std::io::stdin().is_terminal();
        if !yes && !terminal {
            return Err(
                UserError::usage("agreeing needs a terminal, where you can answer")
                    .hint("`--yes` agrees to what is shown"),
            );
        }
        let treatment = Treatment {
            attended: Attended::Yes,
            trusted: &[],
        };
        super::super::runtime()?.block_on(async {
            let mut host = host(definitions, self.root, self.files, &treatment)?;
            let mut up = None;
            let ended = loop {
                // Some servers offer more a moment after they came up.
                let patience = up.map_or(PATIENCE, |_| LINGERING);
                let event = tokio::select! {
                    event = host.event() => event,
                    () = tokio::time::sleep(patience) => None,
                };
                match event {
                    Some(HostEvent::Asked(question)) => {
                        let answer = match &question.kind {
                            QuestionKind::Definition { title, text } => {
                                print(&format!("{}\n\n{}\n", sanitize_line(title), sanitize(text)));
                                agree(yes)
                            }
                            // It is only looked at: nothing of its own is answered.
                            _ => Answer::Cancel,
                        };
                        if let Answer::Accept { .. } = answer {
                            super::super::auditing::note("server agreed to", &about(&question))?;
                        }
                        host.answer(question.id, answer);
                    }
                    Some(HostEvent::Server {
                        state: ServerState::Up { tools },
                        ..
                    }) => up = Some(tools),
                    Some(HostEvent::Server {
                        state: ServerState::Down { reason },
                        ..
                    }) => break Err(reason),
                    None => break up.ok_or("it did not come up in time".to_owned()),
                    Some(_) => {}
                }
            };
            host.close().await;
            match ended {
                Ok(tools) => {
                    print(&format!(
                        "`{name}` is up and agreed to, with {tools} tools\n"
                    ));
                    Ok(ExitCode::Success)
                }
                Err(reason) => Err(down(name, &reason)),
            }
        })
    }

    /// Finds a server that is reached over HTTP.
    #[cfg(feature = "net")]
    fn over_http(&self, name: &str) -> Result<crate::mcp::config::Remote, UserError> {
        let definition = self.find(Some(name))?.swap_remove(0);
        match definition.reach {
            Ok(Reach::Remote(remote)) => Ok(remote),
            Ok(Reach::Stdio { .. }) => Err(UserError::usage(format!(
                "`{name}` is a program on this machine, which takes no login"
            ))),
            Err(problem) => Err(UserError::failure(format!(
                "`{name}` cannot be used: {problem}"
            ))),
        }
    }

    #[cfg(feature = "net")]
    fn log_in(&self, name: &str) -> Result<ExitCode, UserError> {
        let remote = self.over_http(name)?;
        let runtime = super::super::runtime()?;
        let said = runtime.block_on(super::remote::log_in(&remote, self.files, |asking| {
            say(&format!(
                "`{}` wants authorization from `{}`. Open this address in a browser:\n\n{}\n\n\
                 If the browser runs on another machine, it ends at a page that it cannot open. Paste the address of \
                 that page here:\n",
                asking.server,
                sanitize_line(&asking.issuer),
                sanitize_line(&asking.url),
            ));
        }))?;
        say(&said);
        Ok(ExitCode::Success)
    }

    fn tools(&self, name: Option<&str>, as_json: bool) -> Result<ExitCode, UserError> {
        let definitions = self.find(name)?;
        super::super::runtime()?.block_on(async {
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

    fn inspect(&self, name: &str) -> Result<ExitCode, UserError> {
        let definitions = self.find(Some(name))?;
        super::super::runtime()?.block_on(async {
            let host = self.started(definitions).await?;
            let inspections = host.inspect();
            host.close().await;
            for server in inspections {
                print(&described(&server));
            }
            Ok(ExitCode::Success)
        })
    }

    fn call(&self, name: &str, tool: &str, arguments: &str) -> Result<ExitCode, UserError> {
        let arguments: Value = serde_json::from_str(arguments)
            .map_err(|error| UserError::usage(format!("the arguments are no JSON: {error}")))?;
        let Value::Object(arguments) = arguments else {
            return Err(UserError::usage("the arguments are no JSON object"));
        };
        let definitions = self.find(Some(name))?;
        super::super::runtime()?.block_on(async {
            let host = self.started(definitions).await?;
            let call = ToolCall {
                id: CallId(1),
                server: name.to_owned(),
                tool: tool.to_owned(),
                arguments,
            };
            let reply = host.caller().call(&call, &Purpose::Run).await;
            host.close().await;
            match reply.outcome {
                Outcome::Done { text } => {
                    print(&format!("{}\n", sanitize(&text)));
                    Ok(ExitCode::Success)
                }
                other => Err(UserError::failure(sanitize(other.for_model()))),
            }
        })
    }

    fn doctor(&self, name: Option<&str>) -> Result<ExitCode, UserError> {
        let definitions = self.find(name)?;
        super::super::runtime()?.block_on(async {
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
                        "    {} · {} {} · {} tools, {} prompts, {} resources\n",
                        server.title,
                        server.era,
                        server.version,
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

    fn pins(&self, name: Option<&str>, forget: bool) -> Result<ExitCode, UserError> {
        let pins = pins(self.files, &[])?;
        let Some(name) = name else {
            for (key, tools) in pins.list() {
                print(&format!("{}  {} tools\n", sanitize_line(&key), tools.len()));
            }
            return Ok(ExitCode::Success);
        };
        let key = self
            .find(Some(name))
            .ok()
            .and_then(|found| found.first().map(Definition::key))
            .unwrap_or_else(|| name.to_owned());
        let unknown = || {
            UserError::usage(format!(
                "nothing was agreed to of `{}`",
                sanitize_line(name)
            ))
            .hint("`walden mcp pins` lists what was")
        };
        if forget {
            super::super::auditing::note("server forgotten", &key)?;
            return match pins.forget(&key).map_err(UserError::from_error)? {
                true => {
                    print(&format!(
                        "forgotten; `{name}` is not used until you agree again\n"
                    ));
                    Ok(ExitCode::Success)
                }
                false => Err(unknown()),
            };
        }
        let pin = pins.get(&key).ok_or_else(unknown)?;
        print(&format!(
            "{}\n{}",
            launch_text(&pin["launch"]),
            offer_text(&pin["offer"])
        ));
        Ok(ExitCode::Success)
    }

    fn remove(&self, name: &str) -> Result<ExitCode, UserError> {
        let mut file = File::open()?;
        if file.servers().shift_remove(name).is_none() {
            return Err(UserError::usage(format!(
                "there is no server `{}` in `{}`",
                sanitize_line(name),
                file.path().display()
            )));
        }
        file.write()?;
        pins(self.files, &[])?
            .forget(name)
            .map_err(UserError::from_error)?;
        super::choices(self.files)
            .forget(name)
            .map_err(UserError::failure)?;
        print(&format!("removed `{name}`\n"));
        Ok(ExitCode::Success)
    }

    fn import(
        &self,
        from: Origin,
        file: Option<&Path>,
        write: bool,
    ) -> Result<ExitCode, UserError> {
        let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
        let mut places: Vec<std::path::PathBuf> = import::places(from)
            .iter()
            .filter_map(|place| match place.strip_prefix("./") {
                Some(inside) => Some(self.root.join(inside)),
                None => home.as_ref().map(|home| home.join(place)),
            })
            .collect();
        if let Some(file) = file {
            places = vec![file.to_owned()];
        }
        let found = places.iter().find_map(|path| {
            let text = std::fs::read_to_string(path).ok()?;
            Some((path, text))
        });
        let Some((path, text)) = found else {
            return Err(UserError::usage("there is no configuration to take over")
                .hint("name the file with --file"));
        };
        let (entries, notes) = import::import(from, &text).map_err(|problem| {
            UserError::failure(format!("`{}` is not understood: {problem}", path.display()))
        })?;
        let mut own = File::open()?;
        let mut taken = 0;
        for (name, entry) in entries {
            let shown = sanitize_line(&name);
            if let Err(problem) = check_name(&name) {
                say(&format!("left out `{shown}`: {problem}\n"));
            } else if own.servers().contains_key(&name) {
                say(&format!("left out `{shown}`: you have one of that name\n"));
            } else {
                print(&format!("{shown}: {}\n", sanitize_line(&entry.to_string())));
                own.servers().insert(name, entry);
                taken += 1;
            }
        }
        for note in notes {
            say(&format!("note: {}\n", sanitize_line(&note)));
        }
        if write && taken > 0 {
            own.write()?;
            print(&format!(
                "{taken} servers written to `{}`\n",
                own.path().display()
            ));
        } else if taken > 0 {
            print("nothing was written; add `--write` to take these over\n");
        }
        Ok(ExitCode::Success)
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

fn described(server: &Inspection) -> String {
    let mut text = format!(
        "{}: {}\n{} · {} {}\ncapabilities: {}\n",
        server.name,
        sanitize_line(&server.state),
        server.title,
        server.era,
        server.version,
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

fn down(name: &str, reason: &str) -> UserError {
    UserError::failure(format!(
        "the server `{name}` is down: {}",
        sanitize_line(reason)
    ))
    .hint(format!("`walden mcp doctor {name}` shows what it said"))
}

/// Asks whether the user agrees. Only a yes is one.
fn agree(yes: bool) -> Answer {
    if yes {
        return Answer::Accept {
            values: serde_json::Map::new(),
            text: None,
        };
    }
    print("agree? [y/N] ");
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    match (read, line.trim()) {
        (Ok(1..), "y" | "Y" | "yes") => agree(true),
        _ => Answer::Decline,
    }
}

fn print(text: &str) {
    let mut out = Harmless::new(std::io::stdout().lock());
    // Somebody who closed it does not wait for it.
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

fn say(text: &str) {
    let _ = Harmless::new(std::io::stderr().lock()).write_all(text.as_bytes());
}

/// Says what a question about a server is, for the log.
fn about(question: &Question) -> String {
    let text = match &question.kind {
        QuestionKind::Definition { title, text } => format!("{title}\n{text}"),
        _ => String::new(),
    };
    format!("{}: {text}", question.server)
}
