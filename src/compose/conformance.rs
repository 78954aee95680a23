//! `walden mcp-conformance URL`: this program's own host, driven by the official conformance suite.
//!
//! The suite starts a server and this command with its address, and watches what is said. What to do is the same for
//! all of its scenarios: meet the server, call each of its tools, get its prompts, read its resources, and answer what
//! it asks as a person would who takes what is proposed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::mcp::wire;
use crate::error::{ExitCode, UserError};
use crate::mcp::config::{Remote, Source, define};
use crate::mcp::pins::Pins;
use crate::mcp::{
    Attended, Caller, Choices, Eras, Host, HostEvent, OpenRemote, Opening, Options, Purpose,
    TaskBook,
};
use crate::net::oauth::{Asked, Asking, Authorizer, Consent, OAuthError, Settings, Store};
use crate::net::remote::{self, Endpoint, Kind};
use crate::net::{Address, Client, Direct};
use crate::protocol::{Answer, CallId, Field, FieldKind, QuestionKind, ToolCall, ToolSpec};
use crate::sandbox::Launcher;

/// What the suite's server is called.
const NAME: &str = "suite";

/// How long the server may take to come up.
const START: Duration = Duration::from_secs(20);

/// The revision that is stateless.
const MODERN: &str = "2026-07-28";

/// Where the suite's authorization servers send the answer. Nobody listens there: it is read off the redirect.
const REDIRECT: &str = "http://127.0.0.1:48763/callback";

/// The document that the suite expects to be named.
const METADATA: &str = "https://conformance-test.local/client-metadata.json";

/// Runs the command.
///
/// # Errors
/// When the server does not come up.
pub fn conformance(url: &str) -> Result<ExitCode, UserError> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let context: Value =
        serde_json::from_str(&variable("MCP_CONFORMANCE_CONTEXT")).unwrap_or_default();
    let era = match variable("MCP_CONFORMANCE_PROTOCOL_VERSION").as_str() {
        "" => "auto",
        version if version >= MODERN => "modern",
        _ => "legacy",
    };
    let folder = Folder::new();
    let entry = json!({"type": "http", "url": url, "era": era, "startup_timeout_sec": 15});
    let definition = define(NAME, &entry, &Source::User, &|_| None);
    super::runtime()?.block_on(async {
        let pins = Pins::open(folder.0.join("pins.json"), vec![NAME.to_owned()])
            .map_err(UserError::from_error)?;
        let options = Options {
            attended: Attended::Yes,
            roots: vec![folder.0.clone()],
            launcher: Launcher::of_this_program().map_err(UserError::from_error)?,
            scratch: folder.0.join("scratch"),
            pins,
            remote: Some(Arc::new(AtOnce::new(&context, &folder)?)),
            choices: Choices::in_memory(),
            tasks: TaskBook::in_memory(),
            eras: Eras::in_memory(),
            containers: None,
            reload: None,
        };
        let mut host = Host::with(vec![definition], options);
        host.settle(START).await;
        let caller = host.caller();
        let tools = host.tools().await.map_err(UserError::from_error)?;
        let inspection = host.inspect().swap_remove(0);
        let names = |list: &[(String, String)]| -> Vec<String> {
            list.iter().map(|(name, _)| name.clone()).collect()
        };
        let work = go_through(
            &caller,
            &tools,
            context["toolCalls"].as_array(),
            names(&inspection.prompts),
            names(&inspection.resources),
        );
        tokio::pin!(work);
        loop {
            tokio::select! {
                () = &mut work => break,
                event = host.event() => match event {
                    Some(HostEvent::Asked(question)) => {
                        host.answer(question.id, yes(&question.kind));
                    }
                    Some(HostEvent::Sample(sample)) => {
                        // A server that is gone does not hear it.
                        let _ = sample.reply.send(Ok("An answer.".to_owned()));
                    }
                    _ => {}
                },
            }
        }
        host.close().await;
        match tools.is_empty() && inspection.version.is_empty() {
            true => Err(UserError::failure(format!(
                "the server did not come up: {}",
                inspection.state
            ))),
            false => Ok(ExitCode::Success),
        }
    })
}

/// Uses all that the server has; what fails is the suite's to judge.
async fn go_through(
    caller: &Caller,
    tools: &[ToolSpec],
    named: Option<&Vec<Value>>,
    prompts: Vec<String>,
    resources: Vec<String>,
) {
    let calls: Vec<(String, Value)> = match named {
        Some(calls) => calls
            .iter()
            .map(|call| (text(&call["name"]), call["arguments"].clone()))
            .filter(|(name, _)| tools.iter().any(|tool| tool.tool == *name))
            .collect(),
        None => tools
            .iter()
            .map(|tool| (tool.tool.clone(), sample(&tool.schema)))
            .collect(),
    };
    for (number, (tool, arguments)) in calls.into_iter().enumerate() {
        let call = ToolCall {
            id: CallId(number as u64 + 1),
            server: NAME.to_owned(),
            tool,
            arguments: arguments.as_object().cloned().unwrap_or_default(),
        };
        caller.call(&call, &Purpose::Run).await;
    }
    for prompt in prompts {
        let _ = caller.prompt(NAME, &prompt, "").await;
    }
    for resource in resources {
        let _ = caller.resource(NAME, &resource).await;
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Takes what is proposed.
fn yes(kind: &QuestionKind) -> Answer {
    let values = match kind {
        QuestionKind::Form { fields, .. } => fields
            .iter()
            .filter_map(|field| Some((field.name.clone(), value(field)?)))
            .collect(),
        _ => Map::new(),
    };
    Answer::Accept { values, text: None }
}

fn value(field: &Field) -> Option<Value> {
    let (default, other) = match &field.kind {
        FieldKind::Text { default, .. } => (default.clone().map(Value::from), json!("text")),
        FieldKind::Number { default, .. } => (default.clone().map(Value::Number), json!(5)),
        FieldKind::Flag { default } => (default.map(Value::from), json!(true)),
        FieldKind::Choice { options, default } => (
            default.clone().map(Value::from),
            options
                .first()
                .map(|one| json!(one.value))
                .unwrap_or_default(),
        ),
        FieldKind::Choices { default, .. } => (Some(json!(default)), json!([])),
    };
    default.or_else(|| field.required.then_some(other))
}

/// Makes arguments that fit a schema: the defaults where there are any.
fn sample(schema: &Value) -> Value {
    let mut object = Map::new();
    let required = schema["required"].as_array();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(default) = property.get("default") {
            object.insert(name.clone(), default.clone());
            continue;
        }
        if required.is_some_and(|required| !required.iter().any(|one| one == name)) {
            continue;
        }
        let value = match (property.pointer("/enum/0"), property["type"].as_str()) {
            (Some(first), _) => first.clone(),
            (None, Some("boolean")) => json!(true),
            (None, Some("integer" | "number")) => json!(5),
            (None, Some("array")) => json!([]),
            (None, Some("object")) => sample(property),
            _ => json!("text"),
        };
        object.insert(name.clone(), value);
    }
    Value::Object(object)
}

/// Connects from this process, and consents at once, as the suite's authorization servers do: they redirect without a
/// page.
#[derive(Clone)]
struct AtOnce {
    client: Client,
    settings: Settings,
    tokens: PathBuf,
}

impl AtOnce {
    fn new(context: &Value, folder: &Folder) -> Result<Self, UserError> {
        let text = |key: &str| context[key].as_str().map(str::to_owned);
        let connect = Direct::new().map_err(UserError::from_error)?;
        Ok(Self {
            client: Client::new(Arc::new(connect)),
            settings: Settings {
                client_id: text("client_id"),
                client_secret: text("client_secret"),
                issuer: text("issuer"),
                client_metadata_url: Some(METADATA.to_owned()),
                scope: None,
            },
            tokens: folder.0.join("tokens.json"),
        })
    }
}

impl OpenRemote for AtOnce {
    fn log_in(&self, _: &Remote, _: crate::mcp::AskPerson) -> crate::mcp::LoggingIn {
        Box::pin(async { Err("nobody is there to log in".to_owned()) })
    }

    fn open(&self, remote: &Remote) -> Opening {
        let (this, remote) = (self.clone(), remote.clone());
        Box::pin(async move {
            let address = Address::parse(&remote.url).map_err(|error| error.to_string())?;
            let authorizer = Authorizer::new(
                this.client.clone(),
                address.clone(),
                this.settings.clone(),
                Store::new(this.tokens.clone()),
                Arc::new(this.clone()),
            );
            let endpoint = Endpoint::new(address, [])
                .map_err(|error| error.to_string())?
                .authorized_by(Arc::new(authorizer));
            let pipe = remote::open(this.client, endpoint, Kind::Streamable);
            Ok(wire(pipe, remote.name))
        })
    }
}

impl Consent for AtOnce {
    fn redirect(&self) -> Option<String> {
        Some(REDIRECT.to_owned())
    }

    fn ask(&self, asking: Asking) -> Asked {
        let client = self.client.clone();
        Box::pin(async move {
            let address = Address::parse(&asking.url)
                .map_err(|_| OAuthError::WrongAnswer("there is nothing to open"))?;
            client
                .redirect_of(&address)
                .await?
                .ok_or(OAuthError::WrongAnswer("the page redirects nowhere"))
        })
    }
}

/// What this run keeps: of no use to another one.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("walden-conformance-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        #[expect(clippy::disallowed_methods, reason = "a folder of this run alone")]
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
