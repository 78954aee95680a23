//! A server as one client sees it: only what the client may use, and no call that was not written down before.

#![expect(
    deprecated,
    reason = "what the older era has is passed on like the rest"
)]

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

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
    /// It is one more than the client may make in a minute.
    OverRate { rate: u32 },
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

/// Makes a server: for the client of this name, which has folders of its own, or for all others.
pub(super) type Make<S> = Arc<dyn Fn(Option<&str>) -> S + Send + Sync>;

/// A server behind its clients' rights.
pub(super) struct Watched<S> {
    /// For who has no folders of their own, and for what nobody asks.
    whole: S,
    /// For the client that this one serves, where it has.
    bounded: OnceLock<(String, S)>,
    make: Make<S>,
    witness: Witness,
}

/// Passes on what everybody may ask.
macro_rules! pass {
    ($($name:ident($($kind:ty),*) -> $out:ty;)*) => {$(
        pass!(@one $name [$($kind),*] $out);
    )*};
    (@one $name:ident [$first:ty, $second:ty] $out:ty) => {
        async fn $name(&self, first: $first, second: $second) -> $out {
            self.of_sender(&second.extensions).$name(first, second).await
        }
    };
    (@one $name:ident [$only:ty] $out:ty) => {
        async fn $name(&self, only: $only) -> $out {
            self.of_sender(&only.extensions).$name(only).await
        }
    };
}

/// Passes on what only those may ask who may use more than some tools.
macro_rules! pass_where_allowed {
    ($($name:ident($request:ty) -> $out:ty;)*) => {$(
        async fn $name(&self, request: $request, context: Context) -> Result<$out, ErrorData> {
            let client = allowed(&context)?;
            self.of(&client)?.$name(request, context).await
        }
    )*};
}

impl<S: ServerHandler> Watched<S> {
    pub(super) fn new(make: Make<S>, witness: Witness) -> Self {
        Self {
            whole: make(None),
            bounded: OnceLock::new(),
            make,
            witness,
        }
    }

    /// Returns the server of a client: one of its own where it has folders of its own.
    ///
    /// # Errors
    /// When this one serves another client, which has: nobody goes on with another's session, and this holds without
    /// that.
    fn of(&self, client: &Client) -> Result<&S, ErrorData> {
        if client.roots.is_none() {
            return Ok(&self.whole);
        }
        let (name, server) = self
            .bounded
            .get_or_init(|| (client.name.clone(), (self.make)(Some(&client.name))));
        match *name == client.name {
            true => Ok(server),
            false => Err(ErrorData::invalid_request(
                "this session is another client's",
                None,
            )),
        }
    }

    /// Returns the server of who sends something that touches nothing.
    fn of_sender(&self, extensions: &Extensions) -> &S {
        let client = sender(extensions);
        client
            .and_then(|client| self.of(&client).ok())
            .unwrap_or_else(|| self.current())
    }

    /// Returns the server of the client that is served at the moment.
    fn current(&self) -> &S {
        self.bounded.get().map_or(&self.whole, |(_, server)| server)
    }

    fn only_reads(&self, name: &str) -> bool {
        let annotations = self.whole.get_tool(name).and_then(|tool| tool.annotations);
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
        self.whole.get_info()
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.whole.get_tool(name)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.whole.supported_protocol_versions()
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        let client = client(&context)?;
        let mut listed = self.of(&client)?.list_tools(request, context).await?;
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
        let server = self.of(&client)?;
        let number = self.note(None, call.clone()).await?;
        let answer = server.call_tool(request, context).await;
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
        self.current().listen(context).await
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: Context,
    ) -> Result<(), ErrorData> {
        self.of_sender(&context.extensions)
            .set_level(request, context)
            .await
    }

    async fn on_roots_list_changed(&self, context: NotificationContext<RoleServer>) {
        self.of_sender(&context.extensions)
            .on_roots_list_changed(context)
            .await;
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        self.current().accepted_subscription_filter(requested)
    }
}

/// Finds who sends a request. Each came through the gate, which knows.
fn client(context: &Context) -> Result<Arc<Client>, ErrorData> {
    sender(&context.extensions).ok_or_else(|| ErrorData::internal_error("nobody sent this", None))
}

fn sender(extensions: &Extensions) -> Option<Arc<Client>> {
    let parts = extensions.get::<Parts>()?;
    parts.extensions.get::<Arc<Client>>().cloned()
}

fn allowed(context: &Context) -> Result<Arc<Client>, ErrorData> {
    let client = client(context)?;
    if client.rights.allow_others() {
        return Ok(client);
    }
    let text = format!("`{}` may use some tools, and nothing else", client.name);
    Err(ErrorData::invalid_request(text, None))
}
