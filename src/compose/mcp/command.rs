//! Running `walden mcp …`.

mod adding;
mod bundles;
mod consent;
mod looking;
mod new;

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{Configured, Treatment, configured, host};
use crate::cli::Options;
use crate::door::Harmless;
use crate::error::{ExitCode, UserError};
use crate::mcp::command::McpCommand;
use crate::mcp::config::Definition;
#[cfg(feature = "net")]
use crate::mcp::config::Reach;
use crate::mcp::{Attended, Host, Purpose};
use crate::protocol::{CallId, Outcome, ToolCall, sanitize, sanitize_line};
use crate::session::SessionFiles;

/// How long servers may take to come up for a command.
const PATIENCE: Duration = Duration::from_secs(90);

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
        McpCommand::New(new) => place.new_server(new),
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
        McpCommand::Install(install) => place.install(install),
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
}

fn down(name: &str, reason: &str) -> UserError {
    UserError::failure(format!(
        "the server `{name}` is down: {}",
        sanitize_line(reason)
    ))
    .hint(format!("`walden mcp doctor {name}` shows what it said"))
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
