//! What the model said, put together from its events, and what that cost.

use rmcp::model::{Annotations, CallToolResult, ContentBlock, Role, TextContent};
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, watch};

use super::thinking;
use super::told::Step;
use crate::protocol::{Finish, ModelEvent, ModelFailure, Usage};

/// An answer that has come to its end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    text: String,
    thinking: String,
    is_whole: bool,
    usage: Usage,
}

/// Waits for the end of an answer, and notes how far it is.
///
/// # Errors
/// When the model fails, in words for the caller.
pub(super) async fn gather(
    events: &mut mpsc::Receiver<ModelEvent>,
    steps: &watch::Sender<Step>,
) -> Result<Answer, String> {
    let (mut said, mut thought) = (String::new(), String::new());
    while let Some(event) = events.recv().await {
        match event {
            ModelEvent::PromptProgress {
                done,
                total,
                cached,
            } => steps.send_modify(|step| step.read(done, total, cached)),
            ModelEvent::Text { text } => {
                steps.send_modify(|step| step.wrote(&text));
                said.push_str(&text);
            }
            ModelEvent::Reasoning { text } => {
                steps.send_modify(|step| step.wrote(&text));
                thought.push_str(&text);
            }
            ModelEvent::Done { finish, usage, .. } => {
                let (text, more) = thinking::apart(&said);
                let thinking = [thought.trim(), more.as_str()]
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .join("\n\n");
                return match finish {
                    Finish::Cancelled => Err("cancelled".to_owned()),
                    Finish::Stop | Finish::Call | Finish::Length => Ok(Answer {
                        text,
                        thinking,
                        is_whole: finish != Finish::Length,
                        usage,
                    }),
                };
            }
            ModelEvent::Failed { failure } => return Err(problem(&failure)),
            // Nothing is offered that could be called, and nothing is asked of a text.
            ModelEvent::Loading { .. }
            | ModelEvent::Notice { .. }
            | ModelEvent::Loaded { .. }
            | ModelEvent::CallDrafted { .. }
            | ModelEvent::Call { .. }
            | ModelEvent::BadCall { .. }
            | ModelEvent::Departed { .. }
            | ModelEvent::Weighed { .. } => {}
        }
    }
    Err("the model ended before its answer did; the server's log says why".to_owned())
}

fn problem(failure: &ModelFailure) -> String {
    match failure {
        ModelFailure::ContextFull { needed, context } => format!(
            "prompt ({needed} tokens) exceeds context size ({context}), with the least room for an answer counted in; \
             shorten it, or start the server with a larger --context"
        ),
        ModelFailure::Load { .. } | ModelFailure::Engine { .. } => failure.to_string(),
    }
}

impl Answer {
    /// Writes the answer for a client: its text, then its thinking in a block of its own, for the user alone.
    pub(super) fn result(self) -> CallToolResult {
        let Usage {
            prompt,
            cached,
            generated,
            ..
        } = self.usage;
        let mut structured = Map::from_iter([
            ("answer".to_owned(), Value::from(self.text.as_str())),
            (
                "finish".to_owned(),
                if self.is_whole { "stop" } else { "length" }.into(),
            ),
            (
                "usage".to_owned(),
                json!({
                    "evaluated": prompt.saturating_sub(cached),
                    "reused": cached,
                    "generated": generated,
                }),
            ),
        ]);
        let mut content = vec![ContentBlock::text(self.text)];
        if !self.thinking.is_empty() {
            structured.insert("thinking".to_owned(), self.thinking.as_str().into());
            let for_the_user = Annotations::default()
                .with_audience(vec![Role::User])
                .with_priority(0.0);
            content.push(ContentBlock::Text(
                TextContent::new(self.thinking).with_annotations(for_the_user),
            ));
        }
        let mut result = CallToolResult::success(content);
        result.structured_content = Some(Value::Object(structured));
        result
    }
}
