//! The chat server: one tool that asks the local model, for hosts that want it to answer beside their own.
//!
//! It takes the place of `llama-mcp-server` (0.1.1): the same tool with its arguments, its texts and its errors. Beyond
//! that an answer's thinking comes apart from it, with what the answer cost; how far it is is told while it is made; a
//! client that cancels a call ends the work; and several calls are answered at once, some more wait, and others are
//! told that the server is busy.
//!
//! Which model answers, and how, is not known here: whoever makes the server hands in what asks it ([`Ask`]).

mod answer;
mod arguments;
mod thinking;
mod told;
mod tool;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rmcp::ErrorData;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig,
    Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::protocol::{GenerationId, Lane, ModelEvent, ModelRequest, Sampling, ToolChoice};

use self::arguments::Question;
use self::told::Step;

/// The most calls at once: those that are answered, and those that wait for it.
pub const MOST_CALLS: usize = 32;

/// What asks the model.
pub trait Ask: Send + Sync {
    /// Begins an answer.
    fn ask(&self, request: ModelRequest) -> Asked;
}

/// An answer in the making. Dropping it ends the work.
pub struct Asked {
    events: mpsc::Receiver<ModelEvent>,
    stop: Box<dyn Fn() + Send + Sync>,
}

impl Asked {
    /// Wraps the events of an answer, the last of which is `Done` or `Failed`, and what ends it early.
    pub fn new(
        events: mpsc::Receiver<ModelEvent>,
        stop: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            events,
            stop: Box::new(stop),
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // An answer that has come to its end hears nothing of it.
        (self.stop)();
    }
}

/// How the tool is named, and how it answers where a call does not say.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatOptions {
    pub tool: String,
    /// The model's name, for the tool's description.
    pub model: String,
    pub sampling: Sampling,
    /// What is added to the system message.
    pub prompt_suffix: Option<String>,
}

/// The chat server. A clone serves another client by the same model.
#[derive(Clone)]
pub struct Chat {
    options: Arc<ChatOptions>,
    model: Arc<dyn Ask>,
    /// A place for each call that is answered or waits.
    places: Arc<Semaphore>,
    asked: Arc<AtomicU64>,
}

impl Chat {
    /// Makes a server that asks this model.
    pub fn new(model: Arc<dyn Ask>, options: ChatOptions) -> Self {
        Self {
            options: Arc::new(options),
            model,
            places: Arc::new(Semaphore::new(MOST_CALLS)),
            asked: Arc::default(),
        }
    }

    /// Asks the model, and tells how far it is where the client wants to know.
    async fn answer(
        &self,
        question: Question,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, String> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(format!(
                "busy: {MOST_CALLS} calls are being answered or wait for it; try again when one of them is done"
            ));
        };
        let most = question.sampling.max_tokens;
        let mut asked = self.model.ask(ModelRequest {
            id: GenerationId(self.asked.fetch_add(1, Ordering::Relaxed)),
            messages: question.messages,
            tools: Vec::new(),
            choice: ToolChoice::Auto,
            sampling: question.sampling,
            passages: Vec::new(),
            known: Vec::new(),
            lane: Lane::Client,
            unlisted: 0,
            doubts: None,
        });
        let (steps, told) = watch::channel(Step::new(most));
        let answer = tokio::select! {
            answer = answer::gather(&mut asked.events, &steps) => answer?,
            never = told::tell(told, context) => match never {},
            () = context.ct.cancelled() => return Err("cancelled".to_owned()),
        };
        Ok(answer.result())
    }
}

impl ServerHandler for Chat {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build()).with_server_info(
            Implementation::new("walden-chat", env!("CARGO_PKG_VERSION")),
        )
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![tool::describe(
            &self.options,
        )]))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        (name == self.options.tool).then(|| tool::describe(&self.options))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name != self.options.tool {
            let text = format!("Unknown tool: {}", request.name);
            // The oldest revision is the one that `llama-mcp-server` speaks, and has the error as a result.
            let is_oldest = context
                .protocol_version()
                .is_some_and(|version| version <= ProtocolVersion::V_2024_11_05);
            return match is_oldest {
                true => Ok(CallToolResult::error(vec![ContentBlock::text(text)]).into()),
                false => Err(ErrorData::invalid_params(text, None)),
            };
        }
        let answered = match arguments::read(request.arguments.as_ref(), &self.options) {
            Ok(question) => self.answer(question, &context).await,
            Err(problem) => Err(problem),
        };
        Ok(match answered {
            Ok(result) => result.into(),
            Err(text) => CallToolResult::error(vec![ContentBlock::text(text)]).into(),
        })
    }
}
