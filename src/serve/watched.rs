//! A server as one client sees it: only what the client may use, and no call that was not written down before.

#![expect(
    deprecated,
    reason = "what the older era has is passed on like the rest"
)]

use std::borrow::Cow;
use std::sync::Arc;

use hyper::http::request::Parts;
use rmcp::ErrorData;
use rmcp::handler::server::ServerHandler;
use rmcp::model::*;
use rmcp::service::{NotificationContext, RequestContext, RoleServer, SubscriptionContext};

use super::clients::Client;

type Context = RequestContext<RoleServer>;

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Served {
    /// The client may not make it.
    Refused,
    /// It is about to be made.
    Begins,
    /// It ended like this; the answer as text.
    Ended { is_error: bool, answer: String },
}

/// A call of a client.
#[derive(Debug, Clone, PartialEq)]
pub struct ServedCall {
    pub client: String,
    pub tool: String,
    pub arguments: JsonObject,
    pub served: Served,
}

/// Writes down what becomes of calls, and returns a number for each that begins. It may block.
pub type Witness = Arc<dyn Fn(Option<u64>, ServedCall) -> Result<u64, String> + Send + Sync>;

/// A server behind its clients' rights.
pub(super) struct Watched<S> {
    inner: S,
    witness: Witness,
}

/// Passes on what everybody may ask.
macro_rules! pass {
    ($($name:ident($($kind:ty),*) -> $out:ty;)*) => {$(
        pass!(@one $name [$($kind),*] $out);
    )*};
    (@one $name:ident [$first:ty, $second:ty] $out:ty) => {
        async fn $name(&self, first: $first, second: $second) -> $out {
            self.inner.$name(first, second).await
        }
    };
    (@one $name:ident [$only:ty] $out:ty) => {
        async fn $name(&self, only: $only) -> $out {
            self.inner.$name(only).await
        }
    };
}

/// Passes on what only those may ask who may use more than some tools.
macro_rules! pass_where_allowed {
    ($($name:ident($request:ty) -> $out:ty;)*) => {$(
        async fn $name(&self, request: $request, context: Context) -> Result<$out, ErrorData> {
            allowed(&context)?;
            self.inner.$name(request, context).await
        }
    )*};
}

impl<S: ServerHandler> Watched<S> {
    pub(super) fn new(inner: S, witness: Witness) -> Self {
        Self { inner, witness }
    }

    fn only_reads(&self, name: &str) -> bool {
        let annotations = self.inner.get_tool(name).and_then(|tool| tool.annotations);
        annotations.and_then(|own| own.read_only_hint) == Some(true)
    }

    /// Writes something down on a thread that may block.
    async fn note(&self, number: Option<u64>, call: ServedCall) -> Result<u64, ErrorData> {
        let witness = Arc::clone(&self.witness);
        let noted = tokio::task::spawn_blocking(move || witness(number, call)).await;
        let noted = noted.unwrap_or_else(|error| Err(error.to_string()));
        noted.map_err(|problem| {
            tracing::error!("a call cannot be written down: {problem}");
            let text = "the call cannot be written into the audit log; it was not made";
            ErrorData::internal_error(text, None)
        })
    }
}

impl<S: ServerHandler> ServerHandler for Watched<S> {
    fn get_info(&self) -> ServerConfig {
        self.inner.get_info()
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.inner.get_tool(name)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.inner.supported_protocol_versions()
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        let client = client(&context)?;
        let mut listed = self.inner.list_tools(request, context).await?;
        listed.tools.retain(|tool| {
            let reads = tool.annotations.as_ref().and_then(|own| own.read_only_hint);
            client.rights.allow(&tool.name, reads == Some(true))
        });
        Ok(listed)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let client = client(&context)?;
        let tool = request.name.to_string();
        let mut call = ServedCall {
            client: client.name.clone(),
            arguments: request.arguments.clone().unwrap_or_default(),
            served: Served::Begins,
            tool,
        };
        if !client.rights.allow(&call.tool, self.only_reads(&call.tool)) {
            let text = format!("`{}` may not call `{}`", client.name, call.tool);
            call.served = Served::Refused;
            self.note(None, call).await?;
            return Err(ErrorData::invalid_request(text, None));
        }
        let number = self.note(None, call.clone()).await?;
        let answer = self.inner.call_tool(request, context).await;
        let (is_error, text) = match &answer {
            Ok(CallToolResponse::Complete(result)) => (
                result.is_error == Some(true),
                serde_json::to_string(&result.content).unwrap_or_default(),
            ),
            Ok(_) => (false, String::new()),
            Err(error) => (true, error.message.to_string()),
        };
        call.served = Served::Ended {
            is_error,
            answer: text,
        };
        // It was made: that its end cannot be written down is told in the log, and not to the client.
        let _ = self.note(Some(number), call).await;
        answer
    }

    pass! {
        initialize(InitializeRequestParams, Context) -> Result<InitializeResult, ErrorData>;
        discover(Context) -> Result<DiscoverResult, ErrorData>;
        ping(Context) -> Result<(), ErrorData>;
        unsubscribe(UnsubscribeRequestParams, Context) -> Result<(), ErrorData>;
        on_cancelled(CancelledNotificationParam, NotificationContext<RoleServer>) -> ();
        on_progress(ProgressNotificationParam, NotificationContext<RoleServer>) -> ();
        on_initialized(NotificationContext<RoleServer>) -> ();
    }

    pass_where_allowed! {
        complete(CompleteRequestParams) -> CompleteResult;
        get_prompt(GetPromptRequestParams) -> GetPromptResponse;
        list_prompts(Option<PaginatedRequestParams>) -> ListPromptsResult;
        list_resources(Option<PaginatedRequestParams>) -> ListResourcesResult;
        list_resource_templates(Option<PaginatedRequestParams>) -> ListResourceTemplatesResult;
        read_resource(ReadResourceRequestParams) -> ReadResourceResponse;
        subscribe(SubscribeRequestParams) -> ();
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        if context.accepted().resource_subscriptions.is_some() {
            allowed(context.request_context())?;
        }
        self.inner.listen(context).await
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: Context,
    ) -> Result<(), ErrorData> {
        self.inner.set_level(request, context).await
    }

    async fn on_roots_list_changed(&self, context: NotificationContext<RoleServer>) {
        self.inner.on_roots_list_changed(context).await;
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        self.inner.accepted_subscription_filter(requested)
    }
}

/// Finds who sends a request. Each came through the gate, which knows.
fn client(context: &Context) -> Result<Arc<Client>, ErrorData> {
    let parts = context.extensions.get::<Parts>();
    let client = parts.and_then(|parts| parts.extensions.get::<Arc<Client>>());
    client
        .cloned()
        .ok_or_else(|| ErrorData::internal_error("nobody sent this", None))
}

fn allowed(context: &Context) -> Result<(), ErrorData> {
    let client = client(context)?;
    if client.rights.allow_others() {
        return Ok(());
    }
    let text = format!("`{}` may use some tools, and nothing else", client.name);
    Err(ErrorData::invalid_request(text, None))
}
