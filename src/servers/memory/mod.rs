//! The built-in memory server: a graph of entities, relations and observations that outlives a session.
//!
//! It stands in for the reference server `@modelcontextprotocol/server-memory` (2026.8.31): the same nine tools with
//! their arguments, annotations, schemas, texts and errors, the resource `memory://knowledge-graph` with its
//! subscription, and the same file, one JSON object a line, at `MEMORY_FILE_PATH`. It speaks both eras of the protocol.
//! Where it differs, it does so on purpose:
//!
#![doc = include_str!("differences.md")]
//!
//! For walden's own model there are three short tools instead (`remember`, `recall`, `forget`), which keep with each
//! fact when and where it was written.

mod answer;
mod arguments;
mod compact;
mod graph;
mod line;
mod plan;
mod search;
mod shape;
mod store;
mod subscription;
mod text_index;
mod tools;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rmcp::ErrorData;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    JsonObject, ListPromptsRequestMethod, ListPromptsResult, ListResourcesResult, ListToolsResult,
    MetaObject, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, Resource, ResourceContents, ServerCapabilities, ServerConfig,
    SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use serde_json::Value;

use self::answer::{Answer, part};
use self::arguments::Call;
use self::graph::LineId;
use self::line::Origin;
use self::subscription::{Listener, Subscription};
use self::tools::{Face, ToolName};
use crate::servers::limits::memory::full as limits;

pub use self::store::{MemoryError, Store};

/// The one resource.
const GRAPH: &str = "memory://knowledge-graph";

/// The key of a call's `_meta` that says which session and turn it is of.
const META_ORIGIN: &str = "walden/origin";

/// The memory server. A clone is for another client of the same memory: it has subscriptions of its own.
#[derive(Debug)]
pub struct Memory {
    store: Arc<Store>,
    face: Face,
    /// The repository that facts are noted in.
    repository: String,
    subscription: Subscription,
}

impl Clone for Memory {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            face: self.face,
            repository: self.repository.clone(),
            subscription: Subscription::default(),
        }
    }
}

impl Memory {
    /// Makes the server that stands in for the reference server.
    pub fn new(store: Store) -> Self {
        Self {
            store: Arc::new(store),
            face: Face::Full,
            repository: String::new(),
            subscription: Subscription::default(),
        }
    }

    /// Makes the server that a small model works with, for a session in a repository.
    pub fn compact(store: impl Into<Arc<Store>>, repository: &str) -> Self {
        Self {
            store: store.into(),
            face: Face::Compact,
            repository: repository.to_owned(),
            subscription: Subscription::default(),
        }
    }

    /// Runs one call to its end, on a thread that may block.
    fn call(&self, call: Call, meta: &JsonObject) -> Result<Answer, MemoryError> {
        let store = &*self.store;
        Ok(match call {
            Call::CreateEntities { entities } => {
                let created = store.change(|graph| plan::create_entities(graph, &entities))?;
                Answer::list("entities", &created)
            }
            Call::CreateRelations { relations } => {
                let created = store.change(|graph| plan::create_relations(graph, &relations))?;
                Answer::list("relations", &created)
            }
            Call::AddObservations { observations } => {
                let added = store.change(|graph| plan::add_observations(graph, &observations))?;
                Answer::list("results", &added)
            }
            Call::DeleteEntities { entity_names } => {
                store.change(|graph| plan::delete_entities(graph, &entity_names))?;
                Answer::done("Entities deleted successfully")
            }
            Call::DeleteObservations { deletions } => {
                store.change(|graph| plan::delete_observations(graph, &deletions))?;
                Answer::done("Observations deleted successfully")
            }
            Call::DeleteRelations { relations } => {
                store.change(|graph| plan::delete_relations(graph, &relations))?;
                Answer::done("Relations deleted successfully")
            }
            Call::ReadGraph { from } => self.read_graph(from.unwrap_or_default())?,
            Call::SearchNodes { query } => self.nodes(|graph| search::matching(graph, &query))?,
            Call::OpenNodes { names } => self.nodes(|graph| {
                let mut ids: Vec<LineId> = names
                    .iter()
                    .flat_map(|name| graph.named(name))
                    .map(|(id, _)| id)
                    .collect();
                ids.sort_unstable();
                ids.dedup();
                ids
            })?,
            Call::Remember { about, fact } => {
                let by = meta.get(META_ORIGIN).and_then(Value::as_str);
                let origin = Origin {
                    at: compact::now(),
                    place: self.repository.clone(),
                    by: by.unwrap_or_default().chars().take(100).collect(),
                };
                Answer::of_text(compact::remember(store, &about, &fact, &origin)?)
            }
            Call::Recall { query } => Answer::of_text(compact::recall(store, &query)?),
            Call::Forget { about, fact } => {
                Answer::of_text(compact::forget(store, &about, fact.as_deref())?)
            }
        })
    }

    fn read_graph(&self, from: usize) -> Result<Answer, MemoryError> {
        self.store.read(|graph| {
            let entities: Vec<LineId> = graph.all_entities().collect();
            let relations: Vec<LineId> = graph.all_relations().collect();
            part(graph, &entities, &relations, from, limits::TEXT).answer(graph, |next| {
                format!(
                    "`read_graph` with {{\"from\": {next}}} goes on; `search_nodes` finds some."
                )
            })
        })
    }

    /// Answers with entities and the relations that begin or end at one of them.
    fn nodes(
        &self,
        find: impl FnOnce(&graph::Graph) -> Vec<LineId>,
    ) -> Result<Answer, MemoryError> {
        self.store.read(|graph| {
            let entities = find(graph);
            let shown = part(graph, &entities, &[], 0, limits::TEXT);
            let relations = graph.touching(shown.names());
            part(graph, &entities, &relations, 0, limits::TEXT)
                .answer(graph, |_| "Ask for fewer or more precisely.".to_owned())
        })
    }

    fn resource(&self, uri: &str) -> Result<ReadResourceResult, ErrorData> {
        let from = match uri.strip_prefix(GRAPH) {
            Some("") => Some(0),
            Some(rest) => rest
                .strip_prefix("?from=")
                .and_then(|from| from.parse().ok()),
            None => None,
        };
        let Some(from) = from else {
            return Err(unknown_resource(uri));
        };
        let (text, next) = self
            .store
            .read(|graph| {
                let entities: Vec<LineId> = graph.all_entities().collect();
                let relations: Vec<LineId> = graph.all_relations().collect();
                let part = part(graph, &entities, &relations, from, limits::RESOURCE);
                (part.text(), part.next)
            })
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        let mut contents = ResourceContents::text(text, uri).with_mime_type("application/json");
        if let Some(next) = next {
            let mut meta = MetaObject::new();
            meta.insert(
                "walden/next".to_owned(),
                format!("{GRAPH}?from={next}").into(),
            );
            contents = contents.with_meta(meta);
        }
        Ok(ReadResourceResult::new(vec![contents]))
    }
}

fn unknown_resource(uri: &str) -> ErrorData {
    ErrorData::invalid_params(format!("MCP error -32602: Resource {uri} not found"), None)
}

impl ServerHandler for Memory {
    fn get_info(&self) -> ServerConfig {
        let capabilities = match self.face {
            Face::Full => ServerCapabilities::builder()
                .enable_tools()
                .enable_resources()
                .enable_resources_subscribe()
                .build(),
            Face::Compact => ServerCapabilities::builder().enable_tools().build(),
        };
        ServerConfig::new(capabilities).with_server_info(Implementation::new(
            "walden-memory",
            env!("CARGO_PKG_VERSION"),
        ))
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = ToolName::all(self.face).iter().map(|tool| tool.describe());
        Ok(ListToolsResult::with_all_items(tools.collect()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        ToolName::named(self.face, name).map(ToolName::describe)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = ToolName::named(self.face, &request.name) else {
            let message = format!("MCP error -32602: Tool {} not found", request.name);
            return Err(ErrorData::invalid_params(message, None));
        };
        let call = match Call::of(tool, request.arguments.unwrap_or_default()) {
            Ok(call) => call,
            Err(text) => return Ok(CallToolResult::error(vec![ContentBlock::text(text)]).into()),
        };
        let server = self.clone();
        let meta = context.meta.0.0;
        // A write is one step: it is ended also when the client goes away.
        let work = tokio::task::spawn_blocking(move || server.call(call, &meta));
        let answered = work.await.map_err(|error| {
            ErrorData::internal_error(format!("the tool `{}` broke: {error}", tool.name()), None)
        })?;
        Ok(match answered {
            Ok(answer) => {
                let texts = std::iter::once(answer.text).chain(answer.notes);
                let mut result = CallToolResult::success(texts.map(ContentBlock::text).collect());
                result.structured_content = answer.structured;
                // The reference says it of failures only.
                result.is_error = None;
                result.into()
            }
            Err(error) => CallToolResult::error(vec![ContentBlock::text(error.to_string())]).into(),
        })
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        // The default is an empty list, which says that there could be some.
        Err(ErrorData::method_not_found::<ListPromptsRequestMethod>())
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let graph = Resource::new(GRAPH, "knowledge-graph")
            .with_title("Knowledge Graph")
            .with_description("The full knowledge graph with all entities and relations")
            .with_mime_type("application/json");
        let resources = match self.face {
            Face::Full => vec![graph],
            Face::Compact => Vec::new(),
        };
        Ok(ListResourcesResult::with_all_items(resources))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if self.face == Face::Compact {
            return Err(unknown_resource(&request.uri));
        }
        let server = self.clone();
        let work = tokio::task::spawn_blocking(move || server.resource(&request.uri));
        let read = work.await.map_err(|error| {
            ErrorData::internal_error(format!("reading the graph broke: {error}"), None)
        })?;
        read.map(ReadResourceResponse::from)
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if request.uri != GRAPH || self.face == Face::Compact {
            return Err(unknown_resource(&request.uri));
        }
        self.subscription
            .begin(self.store.clone(), context.peer)
            .await;
        Ok(())
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if request.uri == GRAPH {
            self.subscription.end();
        }
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        let mut accepted = SubscriptionFilter::default();
        let asked = requested.resource_subscriptions.as_ref();
        let graph = asked.is_some_and(|uris| uris.iter().any(|uri| uri == GRAPH));
        if graph && self.face == Face::Full {
            accepted.resource_subscriptions = Some(vec![GRAPH.to_owned()]);
            self.subscription.accept(*self.store.changes().borrow());
        }
        Some(accepted)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        if context.accepted().resource_subscriptions.is_none() {
            context.cancelled().await;
            return Ok(());
        }
        let known = self.subscription.take_known();
        let listener = Listener::Sink(context.sink().clone());
        tokio::select! {
            () = context.cancelled() => {}
            () = subscription::follow(known, self.store.clone(), listener) => {}
        }
        Ok(())
    }
}
