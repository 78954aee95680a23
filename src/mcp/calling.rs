//! Calls of third-party servers: questions on the way are answered, progress is told, and every call ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::answering::Answering;
use super::era::Era;
use super::event::HostEvent;
use super::foreign::{Live, Shared, Stage};
use super::link::{LinkError, PAGE_REQUIRED, Patience, Progress};
use super::tasks::{self, Following};
use super::text::short;
use super::trace::Trace;
use crate::protocol::{CallId, Outcome, ToolCall};

/// The most rounds of questions before an answer.
const ROUNDS: usize = 10;
/// How often progress is told.
const TELL: Duration = Duration::from_millis(100);
/// How long a page is waited for that the user was asked to visit.
const VISIT: Duration = Duration::from_secs(300);
/// How long a call waits for a server that is being started again.
const STARTING: Duration = Duration::from_secs(20);

/// Waits for a server to be there.
pub(super) async fn live(shared: &Shared) -> Result<Arc<Live>, String> {
    let mut stage = shared.stage.subscribe();
    let name = &shared.definition.name;
    let waiting = stage.wait_for(|stage| !matches!(stage, Stage::Starting));
    match tokio::time::timeout(STARTING, waiting).await {
        Ok(Ok(stage)) => match &*stage {
            Stage::Up(live) => Ok(Arc::clone(live)),
            Stage::Down(reason) => Err(format!("the server `{name}` is down: {reason}")),
            Stage::Starting => Err(format!("the server `{name}` is being started")),
        },
        _ => Err(format!(
            "the server `{name}` is being started, or waits for the user's consent; try again later"
        )),
    }
}

/// Calls a tool. Whatever goes wrong is an outcome.
pub(super) async fn call(shared: &Shared, answering: &Answering, call: &ToolCall) -> Outcome {
    let failed = |text: String| Outcome::Failed { text };
    let live = match live(shared).await {
        Ok(live) => live,
        Err(problem) => return failed(problem),
    };
    if !live.tools.iter().any(|tool| tool.tool == call.tool) {
        let text = format!(
            "the server `{}` has no tool `{}` any more",
            call.server,
            short(&call.tool, 80)
        );
        return Outcome::Invalid { text };
    }
    let mut params = json!({"name": call.tool, "arguments": call.arguments});
    let token = tasks::asks_for(&live, &call.tool).then(|| {
        let token = live.link.token();
        params["task"] = json!({"ttl": shared.definition.total.as_millis() as u64});
        params["_meta"] = json!({"progressToken": token.number});
        token
    });
    let telling = Telling::new(call.id, answering);
    if let Some(trace) = &telling.trace {
        let _ = answering.events.send(HostEvent::Traced {
            call: Some(call.id),
            server: call.server.clone(),
            method: "tools/call".to_owned(),
            trace: trace.id().to_owned(),
            span: trace.span().to_owned(),
            request: None,
        });
    }
    let mut result = ask(
        &live,
        shared,
        answering,
        "tools/call",
        params.clone(),
        &telling,
    )
    .await;
    if let Err(LinkError::Refused {
        code: PAGE_REQUIRED,
        data: Some(data),
        ..
    }) = &result
        && answering.pages(&call.server, &data["elicitations"]).await
    {
        visited(&live, &data["elicitations"]).await;
        result = ask(&live, shared, answering, "tools/call", params, &telling).await;
    }
    if let Ok(answer) = &result
        && let Some(task) = tasks::begun(&live, answer)
    {
        let following = Following {
            live: &live,
            shared,
            answering,
            telling: &telling,
            call,
            token,
        };
        let task = task.clone();
        result = following.finish(&task).await;
    }
    match result {
        Ok(result) => {
            check(shared, &live, &call.tool, &result);
            super::convert::foreign_reply(&result)
        }
        Err(LinkError::Refused { message, code, .. }) if code == i64::MIN => failed(message),
        // The server is right about its own tools: the model gets to read what was wrong.
        Err(LinkError::Refused {
            message,
            code: -32602,
            ..
        }) => Outcome::Invalid { text: message },
        Err(error @ LinkError::Refused { .. }) => failed(error.to_string()),
        Err(LinkError::Ended(reason)) => failed(format!(
            "the server `{}` ended during the call: {reason}. What the call did is not known",
            call.server
        )),
        Err(error) => failed(format!(
            "`{}` of the server `{}` failed: {error}",
            short(&call.tool, 80),
            call.server
        )),
    }
}

/// Notes where a result is not what its tool says that it returns. It counts all the same: the model reads what is there.
fn check(shared: &Shared, live: &Live, tool: &str, result: &Value) {
    let listed = live.catalog.tools.iter().find(|one| one["name"] == tool);
    let schema = listed.and_then(|tool| tool.get("outputSchema"));
    let Some(schema) = schema.filter(|schema| schema.is_object()) else {
        return;
    };
    let problem = match result.get("structuredContent") {
        _ if result["isError"] == true => None,
        None => Some("it has no structured content".to_owned()),
        Some(content) => super::fits::misfit(schema, content),
    };
    if let Some(problem) = problem {
        let tool = short(tool, 80);
        let note = format!("`{tool}` returned something else than it says that it does: {problem}");
        shared.log.note(&note);
    }
}

/// Waits until the server says that the pages were visited, or for as long as that may take.
async fn visited(live: &Live, pages: &Value) {
    let ids: Vec<&str> = pages
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|page| page["elicitationId"].as_str())
        .collect();
    let mut visited = live.visited.clone();
    let all = visited.wait_for(|visited| ids.iter().all(|id| visited.contains(*id)));
    let _ = tokio::time::timeout(VISIT, all).await;
}

/// Makes a request of the kind that a server may answer with questions of its own.
pub(super) async fn ask(
    live: &Live,
    shared: &Shared,
    answering: &Answering,
    method: &str,
    mut params: Value,
    telling: &Telling<'_>,
) -> Result<Value, LinkError> {
    let patience = Patience {
        idle: shared.definition.idle,
        total: shared.definition.total.max(shared.definition.idle),
    };
    for _ in 0..ROUNDS {
        telling.mark(&mut params);
        let result = live
            .link
            .request_with(method, params.clone(), patience, |progress| {
                telling.tell(progress);
            })
            .await?;
        match result["resultType"].as_str() {
            None | Some("complete") => return Ok(result),
            Some("task") if live.hello.era == Era::Modern => return Ok(result),
            Some("input_required") if live.hello.era == Era::Modern => {
                let mut answers = Map::new();
                // One after the other: the user sees one question at a time.
                for (key, request) in result["inputRequests"].as_object().into_iter().flatten() {
                    let method = request["method"].as_str().unwrap_or_default();
                    let answer = answering
                        .answer(&shared.definition.name, method, &request["params"])
                        .await;
                    match answer {
                        Ok(answer) => answers.insert(key.clone(), answer),
                        Err((code, message)) => {
                            return Err(LinkError::Refused {
                                code,
                                message: format!(
                                    "the tool asked for something that it cannot have: {message}"
                                ),
                                data: None,
                            });
                        }
                    };
                }
                if answers.is_empty() {
                    // Only to be asked again, with what it gave: not at once.
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                params["inputResponses"] = answers.into();
                match result.get("requestState") {
                    Some(state) => params["requestState"] = state.clone(),
                    None => {
                        if let Some(params) = params.as_object_mut() {
                            params.remove("requestState");
                        }
                    }
                }
            }
            Some(other) => {
                return Err(LinkError::Unreadable(format!(
                    "the server answered with a result of the kind `{}`, which walden does not know",
                    short(other, 40)
                )));
            }
        }
    }
    Err(LinkError::Unreadable(format!(
        "the server kept asking questions ({ROUNDS} rounds)"
    )))
}

/// Tells how far a call is, not too often.
pub(super) struct Telling<'a> {
    call: Option<CallId>,
    answering: &'a Answering,
    last: Mutex<Option<Instant>>,
    /// What the requests of the call are part of.
    trace: Option<Trace>,
}

impl<'a> Telling<'a> {
    pub(super) fn new(call: CallId, answering: &'a Answering) -> Self {
        Self {
            call: Some(call),
            answering,
            last: Mutex::default(),
            trace: Trace::begin(),
        }
    }

    /// Tells nobody.
    pub(super) fn nobody(answering: &'a Answering) -> Self {
        Self {
            call: None,
            answering,
            last: Mutex::default(),
            trace: Trace::begin(),
        }
    }

    /// Says in a request that it is part of the call's trace.
    pub(super) fn mark(&self, params: &mut Value) {
        if let Some(trace) = &self.trace {
            trace.mark(params);
        }
    }

    /// Tells what a call is about.
    pub(super) fn say(&self, text: &str) {
        if let Some(call) = self.call {
            let text = text.to_owned();
            let _ = self
                .answering
                .events
                .send(HostEvent::Progressed { call, text });
        }
    }

    pub(super) fn tell(&self, progress: &Progress) {
        let Some(call) = self.call else { return };
        if let Ok(mut last) = self.last.lock() {
            if last.is_some_and(|last| last.elapsed() < TELL) {
                return;
            }
            *last = Some(Instant::now());
        }
        let count = match progress.total {
            Some(total) if total > 0.0 => format!("{} of {total}", progress.done),
            _ => format!("{}", progress.done),
        };
        let text = match &progress.message {
            Some(message) => format!("{count}: {}", short(message, 200)),
            None => count,
        };
        let _ = self
            .answering
            .events
            .send(HostEvent::Progressed { call, text });
    }
}
