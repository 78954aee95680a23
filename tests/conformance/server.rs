//! The server that the suite drives: every tool, prompt and resource that its scenarios name.

#![expect(deprecated, reason = "the older era has levels of logging")]

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::ErrorData;
use rmcp::handler::server::ServerHandler;
use rmcp::model::*;
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::broadcast;

use super::offer;

type Context = RequestContext<RoleServer>;

/// What changed, for those who listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Tools,
    Prompts,
}

/// A client's server. In the newer era each request has one of its own; what they have in common is shared.
#[derive(Clone)]
pub(crate) struct Fixture {
    changes: broadcast::Sender<Change>,
    watched: Arc<Mutex<HashSet<String>>>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self {
            changes: broadcast::channel(16).0,
            watched: Arc::default(),
        }
    }

    async fn tool(
        &self,
        request: CallToolRequestParams,
        context: &Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.to_string();
        if name.starts_with("test_input_required_result_") || name == "test_streaming_elicitation" {
            return asking(&name, &request, context);
        }
        let content = match name.as_str() {
            "test_simple_text" => json!([text("This is a simple text response for testing.")]),
            "test_image_content" => json!([image()]),
            "test_audio_content" => {
                json!([{"type": "audio", "data": offer::WAV, "mimeType": "audio/wav"}])
            }
            "test_embedded_resource" => json!([embedded(
                "test://embedded-resource",
                "text/plain",
                "This is an embedded resource content."
            )]),
            "test_multiple_content_types" => json!([
                text("Multiple content types test:"),
                image(),
                embedded(
                    "test://mixed-content-resource",
                    "application/json",
                    r#"{"test":"data","value":123}"#
                ),
            ]),
            "test_error_handling" => {
                let content = json!([text("This tool intentionally returns an error for testing")]);
                return complete(json!({"content": content, "isError": true}));
            }
            "test_tool_with_logging" => {
                for words in ["started", "processing data", "completed"] {
                    log(context, &format!("Tool execution: {words}")).await;
                }
                json!([text("It logged three messages.")])
            }
            "test_logging_tool" => {
                if context.meta.log_level().is_some() {
                    log(context, "as it was asked for").await;
                }
                json!([text("It logged what was asked for.")])
            }
            "test_tool_with_progress" => {
                if let Some(token) = context.meta.get_progress_token() {
                    for done in [0.0, 50.0, 100.0] {
                        let progress =
                            ProgressNotificationParam::new(token.clone(), done).with_total(100.0);
                        let _ = context.peer.notify_progress(progress).await;
                    }
                }
                json!([text("It told how far it was.")])
            }
            "test_sampling" => {
                let message =
                    json!({"role": "user", "content": text(argument(&request, "prompt"))});
                let params = json!({"messages": [message], "maxTokens": 100});
                let answer = ask(context, "sampling", "sampling/createMessage", params).await?;
                json!([text(&format!("LLM response: {}", answer["content"]))])
            }
            "test_elicitation" => {
                let form = json!({"type": "object", "properties": {
                    "username": {"type": "string", "description": "User's response"},
                    "email": {"type": "string", "description": "User's email address"},
                }, "required": ["username", "email"]});
                elicit(context, argument(&request, "message"), form).await?
            }
            "test_elicitation_sep1034_defaults" => {
                elicit(context, "Fill it in.", offer::form_with_defaults()).await?
            }
            "test_elicitation_sep1330_enums" => {
                elicit(context, "Choose.", offer::form_of_choices()).await?
            }
            "test_missing_capability" => {
                needs(context, "sampling")?;
                json!([text("The client lends its model.")])
            }
            "test_trigger_tool_change" => {
                let _ = self.changes.send(Change::Tools);
                let _ = context.peer.notify_tool_list_changed().await;
                json!([text("The tools changed.")])
            }
            "test_trigger_prompt_change" => {
                let _ = self.changes.send(Change::Prompts);
                let _ = context.peer.notify_prompt_list_changed().await;
                json!([text("The prompts changed.")])
            }
            "json_schema_2020_12_tool" => json!([text("It has a schema.")]),
            _ => {
                return Err(ErrorData::invalid_params(
                    format!("there is no tool `{name}`"),
                    None,
                ));
            }
        };
        complete(json!({"content": content}))
    }
}

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        let capabilities = json!({
            "tools": {"listChanged": true},
            "prompts": {"listChanged": true},
            "resources": {"subscribe": true},
            "completions": {},
            "logging": {},
        });
        let capabilities: ServerCapabilities =
            serde_json::from_value(capabilities).expect("they are capabilities");
        ServerConfig::new(capabilities).with_server_info(Implementation::new("conformance", "1"))
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        read(offer::tools())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        self.tool(request, &context).await
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        read(offer::prompts())
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let given = |name: &str| {
            let value = request.arguments.as_ref().and_then(|all| all.get(name));
            value.map(word).unwrap_or_default()
        };
        let messages = match request.name.as_str() {
            "test_simple_prompt" => {
                offer::messages(&[text("This is a simple prompt for testing.")])
            }
            "test_prompt_with_arguments" => offer::messages(&[text(&format!(
                "Prompt with arguments: arg1='{}', arg2='{}'",
                given("arg1"),
                given("arg2")
            ))]),
            "test_prompt_with_embedded_resource" => offer::messages(&[
                embedded(
                    &given("resourceUri"),
                    "text/plain",
                    "Embedded resource content for testing.",
                ),
                text("Please process the embedded resource above."),
            ]),
            "test_prompt_with_image" => {
                offer::messages(&[image(), text("Please analyze the image above.")])
            }
            "test_input_required_result_prompt" => {
                let responses = request.input_responses.as_ref();
                match answered(responses, "user_context", "context") {
                    Some(about) => offer::messages(&[text(&format!("The context is {about}."))]),
                    None => {
                        let message = "What context should the prompt use?";
                        let wanted = json!({"user_context": form(message, "context", "string")});
                        return Ok(required(&context, wanted, None)?.into());
                    }
                }
            }
            name => {
                return Err(ErrorData::invalid_params(
                    format!("there is no prompt `{name}`"),
                    None,
                ));
            }
        };
        read::<GetPromptResult>(messages).map(GetPromptResponse::from)
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        read(offer::resources())
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        read(offer::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let Some(contents) = offer::resource(&request.uri) else {
            let data = json!({"uri": request.uri});
            return Err(ErrorData::resource_not_found(
                "there is no such resource",
                Some(data),
            ));
        };
        read::<ReadResourceResult>(contents).map(ReadResourceResponse::from)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _context: Context,
    ) -> Result<CompleteResult, ErrorData> {
        let begun = request.argument.value;
        let values: Vec<&str> = ["test", "testing", "tested"]
            .into_iter()
            .filter(|value| value.starts_with(&begun))
            .collect();
        read(json!({"completion": {"values": values, "total": values.len(), "hasMore": false}}))
    }

    async fn set_level(
        &self,
        _request: SetLevelRequestParams,
        _context: Context,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        _context: Context,
    ) -> Result<(), ErrorData> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.insert(request.uri);
        Ok(())
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _context: Context,
    ) -> Result<(), ErrorData> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.remove(&request.uri);
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.changes.subscribe();
        let accepted = context.accepted().clone();
        loop {
            let change = tokio::select! {
                () = context.cancelled() => return Ok(()),
                Ok(change) = changes.recv() => change,
            };
            let sink = context.sink();
            let _ = match change {
                Change::Tools if accepted.tools_list_changed == Some(true) => {
                    sink.notify_tool_list_changed().await
                }
                Change::Prompts if accepted.prompts_list_changed == Some(true) => {
                    sink.notify_prompt_list_changed().await
                }
                _ => continue,
            };
        }
    }
}

/// Calls a tool of those that ask in the way of the newer era, and may keep a state with the client.
fn asking(
    name: &str,
    request: &CallToolRequestParams,
    context: &Context,
) -> Result<CallToolResponse, ErrorData> {
    let responses = request.input_responses.as_ref();
    let state = match &request.request_state {
        Some(state) => Some(opened(state).ok_or_else(|| {
            ErrorData::invalid_params("the state is not the one that was given", None)
        })?),
        None => None,
    };
    let holds = |key: &str| responses.is_some_and(|all| all.contains_key(key));
    let prompt = |words: &str, tokens: u32| {
        let message = json!({"role": "user", "content": text(words)});
        let params = json!({"messages": [message], "maxTokens": tokens});
        json!({"method": "sampling/createMessage", "params": params})
    };
    let who = || form("What is your name?", "name", "string");
    let roots = json!({"method": "roots/list", "params": {}});
    let kind = name.trim_start_matches("test_input_required_result_");
    let (wanted, next) = match kind {
        "elicitation" | "test_streaming_elicitation" => {
            if let Some(name) = answered(responses, "user_name", "name") {
                return said(&format!("Hello, {name}!"));
            }
            (json!({"user_name": who()}), None)
        }
        "sampling" => {
            if holds("capital_question") {
                let answer = &responses.expect("it holds a key")["capital_question"];
                return said(&format!("The model said {}.", answer["content"]["text"]));
            }
            let question = prompt("What is the capital of France?", 100);
            (json!({"capital_question": question}), None)
        }
        "list_roots" => {
            if holds("client_roots") {
                let roots = &responses.expect("it holds a key")["client_roots"]["roots"];
                return said(&format!("The roots are {roots}."));
            }
            (json!({"client_roots": roots}), None)
        }
        "request_state" | "tampered_state" => {
            if answered(responses, "confirm", "ok").is_some() && state.is_some() {
                return said("state-ok");
            }
            let confirm = form("Please confirm", "ok", "boolean");
            (json!({"confirm": confirm}), Some("asked"))
        }
        "multiple_inputs" => {
            let all = ["user_name", "greeting", "client_roots"];
            if all.iter().all(|key| holds(key)) && state.is_some() {
                return said("All three are there.");
            }
            let greeting = prompt("Generate a greeting", 50);
            let wanted = json!({"user_name": who(), "greeting": greeting, "client_roots": roots});
            (wanted, Some("asked"))
        }
        "multi_round" => match state.as_deref() {
            Some("two") if answered(responses, "step2", "color").is_some() => {
                return said("Both steps are done.");
            }
            Some("one") if answered(responses, "step1", "name").is_some() => {
                let step = form("Step 2: What is your favorite color?", "color", "string");
                (json!({"step2": step}), Some("two"))
            }
            _ => {
                let step = form("Step 1: What is your name?", "name", "string");
                (json!({"step1": step}), Some("one"))
            }
        },
        "capabilities" => {
            if responses.is_some_and(|all| !all.is_empty()) {
                return said("It was answered.");
            }
            let wanted = json!({
                "name": who(),
                "greeting": prompt("Generate a greeting", 50),
                "roots": roots,
            });
            (wanted, None)
        }
        _ => {
            return Err(ErrorData::invalid_params(
                format!("there is no tool `{name}`"),
                None,
            ));
        }
    };
    Ok(required(context, wanted, next)?.into())
}

/// Asks of the client what it can be asked; where that is nothing, says which capability is missing.
fn required(
    context: &Context,
    mut wanted: Value,
    state: Option<&str>,
) -> Result<InputRequiredResult, ErrorData> {
    let capability = |request: &Value| {
        let method = request["method"].as_str().unwrap_or_default();
        method.split('/').next().unwrap_or_default().to_owned()
    };
    let all = wanted.as_object_mut().expect("requests by their keys");
    let first = all.values().next().map(capability).unwrap_or_default();
    all.retain(|_, request| has(context, &capability(request)));
    if all.is_empty() {
        needs(context, &first)?;
    }
    read(json!({
        "resultType": "input_required",
        "inputRequests": wanted,
        "requestState": state.map(sealed),
    }))
}

/// A form with one field.
fn form(message: &str, field: &str, kind: &str) -> Value {
    let schema =
        json!({"type": "object", "properties": {field: {"type": kind}}, "required": [field]});
    json!({"method": "elicitation/create", "params": {"message": message, "requestedSchema": schema}})
}

/// Returns what the user wrote in a field, where the form was accepted with it.
fn answered(responses: Option<&InputResponses>, key: &str, field: &str) -> Option<String> {
    let response = responses?.get(key)?;
    let value = response.get("content")?.get(field)?;
    (response["action"] == "accept" && !value.is_null()).then(|| word(value))
}

/// Asks something of a client of the older era.
async fn ask(
    context: &Context,
    capability: &str,
    method: &str,
    params: Value,
) -> Result<Value, ErrorData> {
    needs(context, capability)?;
    let request = ServerRequest::CustomRequest(CustomRequest::new(method, Some(params)));
    let failed = |error: String| ErrorData::internal_error(error, None);
    let answer = context.peer.send_request(request).await;
    let answer = answer.map_err(|error| failed(error.to_string()))?;
    serde_json::to_value(answer).map_err(|error| failed(error.to_string()))
}

async fn elicit(context: &Context, message: &str, form: Value) -> Result<Value, ErrorData> {
    let params = json!({"message": message, "requestedSchema": form});
    let answer = ask(context, "elicitation", "elicitation/create", params).await?;
    let said = format!(
        "Elicitation completed: action={}, content={}",
        word(&answer["action"]),
        answer["content"]
    );
    Ok(json!([text(&said)]))
}

fn has(context: &Context, capability: &str) -> bool {
    let capabilities = serde_json::to_value(context.client_capabilities()).unwrap_or_default();
    !capabilities[capability].is_null()
}

fn needs(context: &Context, capability: &str) -> Result<(), ErrorData> {
    if has(context, capability) {
        return Ok(());
    }
    let capabilities = typed(json!({capability: {}}))?;
    Err(ErrorData::missing_required_client_capability(capabilities))
}

async fn log(context: &Context, words: &str) {
    let params = json!({"level": "info", "logger": "conformance", "data": words});
    let method = "notifications/message";
    let message = CustomNotification::new(method, Some(params));
    let message = ServerNotification::CustomNotification(message);
    let _ = context.peer.send_notification(message).await;
}

fn complete(result: Value) -> Result<CallToolResponse, ErrorData> {
    read::<CallToolResult>(result).map(CallToolResponse::from)
}

fn said(words: &str) -> Result<CallToolResponse, ErrorData> {
    complete(json!({"content": [text(words)]}))
}

/// Reads a result, which is complete where it does not say that it asks for something.
fn read<T: DeserializeOwned>(mut result: Value) -> Result<T, ErrorData> {
    if result["resultType"].is_null() {
        result["resultType"] = json!("complete");
    }
    typed(result)
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

fn argument<'a>(request: &'a CallToolRequestParams, name: &str) -> &'a str {
    let value = request.arguments.as_ref().and_then(|all| all.get(name));
    value.and_then(Value::as_str).unwrap_or_default()
}

fn word(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn text(words: &str) -> Value {
    json!({"type": "text", "text": words})
}

fn image() -> Value {
    json!({"type": "image", "data": offer::PNG, "mimeType": "image/png"})
}

fn embedded(uri: &str, kind: &str, words: &str) -> Value {
    json!({"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": words}})
}

/// A state with a mark that only this server can make. It protects nothing but a test.
fn sealed(state: &str) -> String {
    let mark = Sha256::digest(format!("only the server knows this, and then {state}"));
    let mark: String = mark.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{state}.{mark}")
}

fn opened(given: &str) -> Option<String> {
    let (state, _) = given.split_once('.')?;
    (sealed(state) == given).then(|| state.to_owned())
}
