//! `walden mcp-conformance URL`: this program's own way to a server, driven by the official conformance suite.
//!
//! The suite starts a server and this command with its address, and watches what is said. What to say is the same for
//! all of its scenarios: meet the server, list what it has, call each of its tools, answer what it asks.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::error::{ExitCode, UserError};
use crate::net::oauth::{Asked, Asking, Authorizer, Consent, OAuthError, Settings, Store};
use crate::net::remote::{self, Endpoint, Kind, Pipe, Received};
use crate::net::{Address, Client, Direct};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(20);

/// The revision that is stateless.
const MODERN: &str = "2026-07-28";

/// How often one call may come back with questions.
const ROUNDS: usize = 10;

/// Where the suite's authorization servers send the answer. Nobody listens there: it is read off the redirect.
const REDIRECT: &str = "http://127.0.0.1:48763/callback";

/// The document that the suite expects to be named.
const METADATA: &str = "https://conformance-test.local/client-metadata.json";

/// Runs the command.
///
/// # Errors
/// When a scenario cannot be gone through.
pub fn conformance(url: &str) -> Result<ExitCode, UserError> {
    super::runtime()?.block_on(async {
        let mut talk = Talk::open(url).map_err(UserError::failure)?;
        let gone = talk.scenario().await;
        talk.close().await;
        gone.map(|()| ExitCode::Success).map_err(UserError::failure)
    })
}

/// Consents at once, as the suite's authorization servers do: they redirect without a page.
struct AtOnce {
    client: Client,
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

/// A conversation with the suite's server.
struct Talk {
    pipe: Pipe,
    last: u64,
    modern: bool,
    version: String,
    context: Value,
    _folder: Folder,
}

/// Where this run's tokens are: they are of no use to another one.
struct Folder(std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        #[expect(clippy::disallowed_methods, reason = "a folder of this run alone")]
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Talk {
    fn open(url: &str) -> Result<Self, String> {
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        let version = variable("MCP_CONFORMANCE_PROTOCOL_VERSION");
        let version = if version.is_empty() {
            MODERN.to_owned()
        } else {
            version
        };
        let context: Value =
            serde_json::from_str(&variable("MCP_CONFORMANCE_CONTEXT")).unwrap_or_default();
        let text = |key: &str| context[key].as_str().map(str::to_owned);
        let address = Address::parse(url).map_err(|error| error.to_string())?;
        let connect = Direct::new().map_err(|error| error.to_string())?;
        let client = Client::new(Arc::new(connect));
        let folder =
            std::env::temp_dir().join(format!("walden-conformance-{}", std::process::id()));
        let authorizer = Authorizer::new(
            client.clone(),
            address.clone(),
            Settings {
                client_id: text("client_id"),
                client_secret: text("client_secret"),
                issuer: text("issuer"),
                client_metadata_url: Some(METADATA.to_owned()),
                scope: None,
            },
            Store::new(folder.join("tokens.json")),
            Arc::new(AtOnce {
                client: client.clone(),
            }),
        );
        let endpoint = Endpoint::new(address, [])
            .map_err(|error| error.to_string())?
            .authorized_by(Arc::new(authorizer));
        Ok(Self {
            pipe: remote::open(client, endpoint, Kind::Streamable),
            last: 0,
            modern: version.as_str() >= MODERN,
            version,
            context,
            _folder: Folder(folder),
        })
    }

    async fn close(self) {
        let Pipe {
            outgoing,
            mut incoming,
            tasks: _tasks,
            stop: _,
        } = self.pipe;
        drop(outgoing);
        while let Some(received) = incoming.recv().await {
            if matches!(received, Received::Ended(_)) {
                break;
            }
        }
    }

    fn capabilities() -> Value {
        json!({"elicitation": {"form": {}}, "roots": {}, "sampling": {}})
    }

    async fn scenario(&mut self) -> Result<(), String> {
        if self.modern {
            self.request("server/discover", json!({})).await?;
        } else {
            let params = json!({
                "protocolVersion": self.version,
                "capabilities": Self::capabilities(),
                "clientInfo": {"name": "walden", "version": env!("CARGO_PKG_VERSION")},
            });
            self.request("initialize", params).await?;
            self.send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
                .await?;
        }
        let listed = self.request("tools/list", json!({})).await?;
        let tools = listed["tools"].as_array().cloned().unwrap_or_default();
        let named = self.context["toolCalls"].as_array().cloned();
        match named {
            Some(calls) => {
                for call in calls {
                    let known = tools.iter().any(|tool| tool["name"] == call["name"]);
                    if known {
                        self.call(&call["name"], &call["arguments"]).await?;
                    }
                }
            }
            None => {
                for tool in &tools {
                    let arguments = sample(&tool["inputSchema"]);
                    self.call(&tool["name"], &arguments).await?;
                }
            }
        }
        self.rest().await
    }

    /// Looks at what there is besides tools. Not every server has it.
    async fn rest(&mut self) -> Result<(), String> {
        let prompts = self
            .request("prompts/list", json!({}))
            .await
            .unwrap_or_default();
        for prompt in prompts["prompts"].as_array().cloned().unwrap_or_default() {
            let _ = self
                .request("prompts/get", json!({"name": prompt["name"]}))
                .await;
        }
        let resources = self
            .request("resources/list", json!({}))
            .await
            .unwrap_or_default();
        for resource in resources["resources"]
            .as_array()
            .cloned()
            .unwrap_or_default()
        {
            let _ = self
                .request("resources/read", json!({"uri": resource["uri"]}))
                .await;
        }
        Ok(())
    }

    async fn call(&mut self, name: &Value, arguments: &Value) -> Result<(), String> {
        let mut params = json!({"name": name, "arguments": arguments});
        for _ in 0..ROUNDS {
            let result = self.request("tools/call", params.clone()).await?;
            if result["resultType"] != "input_required" {
                return Ok(());
            }
            let mut answers = Map::new();
            for (key, wish) in result["inputRequests"].as_object().into_iter().flatten() {
                let method = wish["method"].as_str().unwrap_or_default();
                answers.insert(
                    key.clone(),
                    answer(method, &wish["params"]).unwrap_or_default(),
                );
            }
            params = json!({"name": name, "arguments": arguments, "inputResponses": answers});
            if let Some(state) = result.get("requestState") {
                params["requestState"] = state.clone();
            }
        }
        Err("a call came back with questions again and again".to_owned())
    }

    async fn send(&mut self, message: Value) -> Result<(), String> {
        self.pipe
            .outgoing
            .send(message)
            .await
            .map_err(|_| "the connection is closed".to_owned())
    }

    /// Makes a request. A server that refuses the revision, and names it among those that it speaks, is asked again.
    async fn request(&mut self, method: &str, params: Value) -> Result<Value, String> {
        match self.attempt(method, params.clone()).await? {
            Ok(result) => Ok(result),
            Err(error) => {
                let speaks = error.pointer("/data/supported").and_then(Value::as_array);
                let again = error["code"] == -32022
                    && speaks.is_some_and(|all| all.iter().any(|one| *one == self.version));
                if again && let Ok(result) = self.attempt(method, params).await? {
                    return Ok(result);
                }
                Err(format!("`{method}` was refused: {error}"))
            }
        }
    }

    async fn attempt(
        &mut self,
        method: &str,
        mut params: Value,
    ) -> Result<Result<Value, Value>, String> {
        self.last += 1;
        let id = self.last;
        if self.modern {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": self.version,
                "io.modelcontextprotocol/clientCapabilities": Self::capabilities(),
                "io.modelcontextprotocol/clientInfo":
                    {"name": "walden", "version": env!("CARGO_PKG_VERSION")},
            });
        }
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .await?;
        loop {
            let received = tokio::time::timeout(ANSWER, self.pipe.incoming.recv())
                .await
                .map_err(|_| format!("`{method}` got no answer"))?;
            match received {
                Some(Received::Message(message)) if message["method"].is_string() => {
                    let Some(asked) = message.get("id") else {
                        continue;
                    };
                    let method = message["method"].as_str().unwrap_or_default();
                    let reply = match answer(method, &message["params"]) {
                        Some(result) => json!({"jsonrpc": "2.0", "id": asked, "result": result}),
                        None => json!({"jsonrpc": "2.0", "id": asked, "error":
                            {"code": -32601, "message": "not known here"}}),
                    };
                    self.send(reply).await?;
                }
                Some(Received::Message(mut message)) if message["id"] == id => {
                    if let Some(error) = message.get_mut("error") {
                        return Ok(Err(error.take()));
                    }
                    return Ok(Ok(message["result"].take()));
                }
                Some(Received::Message(_)) => {}
                Some(Received::Failed { id: failed, error }) => {
                    if failed == Some(json!(id)) {
                        return Err(format!("`{method}` failed: {error}"));
                    }
                }
                Some(Received::Ended(reason)) => return Err(reason),
                None => return Err("the connection ended".to_owned()),
            }
        }
    }
}

/// Answers what a server asks, as a person would who takes what is proposed.
fn answer(method: &str, params: &Value) -> Option<Value> {
    match method {
        "ping" => Some(json!({})),
        "roots/list" => Some(json!({"roots": []})),
        "elicitation/create" => {
            Some(json!({"action": "accept", "content": sample(&params["requestedSchema"])}))
        }
        "sampling/createMessage" => Some(json!({
            "role": "assistant",
            "content": {"type": "text", "text": "An answer."},
            "model": "walden",
            "stopReason": "endTurn",
        })),
        _ => None,
    }
}

/// Makes a value that fits a schema: the default where there is one.
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
        let first = property
            .pointer("/enum/0")
            .or(property.pointer("/oneOf/0/const"));
        let value = match (first, property["type"].as_str()) {
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
