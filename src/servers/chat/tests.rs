//! The server as a client meets it, over a pipe, with a model that plays a script.

use rmcp::ServiceExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines};
use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::model::{Model, scripted};
use crate::protocol::{Finish, Message, ModelFailure, Usage};

/// How long a test waits for what must come.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

struct Played(Model);

impl Ask for Played {
    fn ask(&self, request: ModelRequest) -> Asked {
        let generation = self.0.generate(request);
        Asked::new(generation.events, move || generation.cancel.cancel())
    }
}

fn options() -> ChatOptions {
    ChatOptions {
        tool: "chat".to_owned(),
        model: "small.gguf".to_owned(),
        sampling: Sampling {
            temperature: 0.7,
            top_p: 0.9,
            top_k: 40,
            seed: 42,
            ..Sampling::default()
        },
        prompt_suffix: None,
    }
}

fn text(text: &str) -> ModelEvent {
    ModelEvent::Text {
        text: text.to_owned(),
    }
}

fn done(finish: Finish) -> ModelEvent {
    ModelEvent::Done {
        raw: String::new(),
        finish,
        usage: Usage {
            prompt: 30,
            cached: 10,
            generated: 5,
            ..Usage::default()
        },
    }
}

fn answer(said: &str) -> Vec<ModelEvent> {
    vec![text(said), done(Finish::Stop)]
}

/// A client that speaks plain JSON, and what the model was asked.
struct Client {
    lines: Lines<BufReader<tokio::io::ReadHalf<DuplexStream>>>,
    write: tokio::io::WriteHalf<DuplexStream>,
    id: u64,
    requests: UnboundedReceiver<ModelRequest>,
    _server: tokio::task::JoinSet<()>,
}

impl Client {
    async fn new(script: Vec<Vec<ModelEvent>>) -> Self {
        Self::with(script, options(), "2025-11-25").await
    }

    async fn with(script: Vec<Vec<ModelEvent>>, options: ChatOptions, version: &str) -> Self {
        let (state, _) = mpsc::unbounded_channel();
        let (model, requests) = scripted::spawn_recorded(script, state);
        let server = Chat::new(Arc::new(Played(model)), options);
        let (near, far) = tokio::io::duplex(1 << 20);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            let running = server.serve(far).await.expect("serving");
            let _ = running.waiting().await;
        });
        let (read, write) = tokio::io::split(near);
        let mut client = Self {
            lines: BufReader::new(read).lines(),
            write,
            id: 0,
            requests,
            _server: tasks,
        };
        let hello = json!({
            "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
        });
        let answer = client.ask("initialize", &hello).await;
        assert_eq!(answer["result"]["protocolVersion"], version);
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        client.send(&ready).await;
        client
    }

    async fn send(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.write.write_all(line.as_bytes()).await.expect("sent");
    }

    async fn hear(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.expect("an answer in time").expect("a line");
        serde_json::from_str(&line.expect("the server is there")).expect("JSON")
    }

    /// Sends a request, and returns its number.
    async fn begin(&mut self, method: &str, params: &Value) -> u64 {
        self.id += 1;
        let id = self.id;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send(&request).await;
        id
    }

    async fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.begin(method, params).await;
        loop {
            let heard = self.hear().await;
            if heard["id"] == id {
                return heard;
            }
        }
    }

    async fn call(&mut self, arguments: &Value) -> Value {
        let params = json!({"name": "chat", "arguments": arguments});
        self.ask("tools/call", &params).await["result"].take()
    }

    /// Calls with what is wrong, and returns what is said of it.
    async fn problem(&mut self, params: &Value) -> String {
        let answer = self.ask("tools/call", params).await;
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        let text = answer["result"]["content"][0]["text"].as_str();
        text.expect("a text").to_owned()
    }

    async fn asked(&mut self) -> ModelRequest {
        let request = tokio::time::timeout(PATIENCE, self.requests.recv()).await;
        request.expect("in time").expect("a request")
    }
}

#[tokio::test]
async fn there_is_one_tool_that_only_reads_and_says_which_model_answers() {
    let renamed = ChatOptions {
        tool: "ask_local".to_owned(),
        ..options()
    };
    let mut client = Client::with(Vec::new(), renamed, "2025-11-25").await;
    let listed = client.ask("tools/list", &json!({})).await;
    let tools = listed["result"]["tools"].as_array().expect("tools");
    assert_eq!(tools.len(), 1);
    let tool = &tools[0];
    assert_eq!(tool["name"], "ask_local");
    assert_eq!(
        tool["description"],
        "Send a message to local LLM (model: small.gguf) and return the response"
    );
    assert_eq!(
        tool["annotations"],
        json!({"readOnlyHint": true, "destructiveHint": false, "openWorldHint": false})
    );
    let takes: Vec<&str> = tool["inputSchema"]["properties"]
        .as_object()
        .expect("properties")
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        takes,
        [
            "text",
            "messages",
            "temperature",
            "max_tokens",
            "top_p",
            "top_k",
            "prompt_suffix"
        ]
    );
    assert_eq!(tool["inputSchema"].get("required"), None);
    assert_eq!(
        tool["outputSchema"]["required"],
        json!(["answer", "finish", "usage"])
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_said_as_llama_mcp_server_says_it() {
    let mut client = Client::new(Vec::new()).await;
    let without = json!({"name": "chat"});
    assert_eq!(
        client.problem(&without).await,
        "Missing or invalid arguments"
    );
    for (arguments, said) in [
        (json!({}), "missing required argument: text or messages"),
        (
            json!({"text": null}),
            "missing required argument: text or messages",
        ),
        (json!({"text": 5}), "text must be a string"),
        (json!({"messages": []}), "messages array must not be empty"),
        (json!({"messages": "hi"}), "messages must be an array"),
        (
            json!({"messages": [1]}),
            "messages[0] must be an object with role and content",
        ),
        (
            json!({"messages": [{"role": "user"}]}),
            "messages[0].content must be a string",
        ),
        (
            json!({"messages": [{"content": "a"}, {"role": "tool", "content": "b"}]}),
            "messages[1].role must be system, user or assistant",
        ),
        (
            json!({"text": "a", "temperature": -0.1}),
            "temperature must be a number that is 0 or more",
        ),
        (
            json!({"text": "a", "temperature": 1e300}),
            "temperature must be a number that is 0 or more",
        ),
        (
            json!({"text": "a", "top_p": 0}),
            "top_p must be a number above 0 and up to 1",
        ),
        (
            json!({"text": "a", "top_k": 1.5}),
            "top_k must be a whole number; 0 takes all",
        ),
        (
            json!({"text": "a", "max_tokens": 0}),
            "max_tokens must be a whole number that is 1 or more",
        ),
        (
            json!({"text": "a", "prompt_suffix": 1}),
            "prompt_suffix must be a string",
        ),
    ] {
        let params = json!({"name": "chat", "arguments": arguments});
        assert_eq!(client.problem(&params).await, said, "{arguments}");
    }
    assert!(client.requests.try_recv().is_err(), "nothing was asked");
}

#[tokio::test]
async fn an_unknown_tool_is_an_error_of_the_revision_that_is_spoken() {
    let params = json!({"name": "chatter", "arguments": {"text": "a"}});
    let mut oldest = Client::with(Vec::new(), options(), "2024-11-05").await;
    assert_eq!(oldest.problem(&params).await, "Unknown tool: chatter");
    let mut newer = Client::new(Vec::new()).await;
    let answer = newer.ask("tools/call", &params).await;
    assert_eq!(
        answer["error"],
        json!({"code": -32602, "message": "Unknown tool: chatter"})
    );
}

#[tokio::test]
async fn a_call_becomes_a_request_of_a_client_with_what_it_says_and_what_the_server_was_started_with()
 {
    let with_suffix = ChatOptions {
        prompt_suffix: Some("/no_think".to_owned()),
        ..options()
    };
    let script = vec![answer("a"), answer("b"), answer("c")];
    let mut client = Client::with(script, with_suffix, "2025-11-25").await;
    let user = |text: &str| Message::User {
        text: text.to_owned(),
    };
    let system = |text: &str| Message::System {
        text: text.to_owned(),
    };

    client.call(&json!({"text": "hi"})).await;
    let request = client.asked().await;
    assert_eq!(request.messages, [system("/no_think"), user("hi")]);
    assert_eq!(request.sampling, options().sampling);
    assert_eq!(request.lane, Lane::Client);
    assert!(request.tools.is_empty());

    let messages = json!([
        {"role": "user", "content": "one"},
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": "two"},
        {"content": "three"},
    ]);
    let arguments = json!({
        "messages": messages, "text": "left out", "temperature": 0, "top_p": 0.5, "top_k": -1, "max_tokens": 7,
        "prompt_suffix": "/think",
    });
    client.call(&arguments).await;
    let request = client.asked().await;
    let said = Message::Assistant {
        raw: "two".to_owned(),
    };
    assert_eq!(
        request.messages,
        [user("one"), system("Be brief. /think"), said, user("three")]
    );
    let sampling = Sampling {
        temperature: 0.0,
        top_p: 0.5,
        top_k: 0,
        seed: 42,
        max_tokens: 7,
        ..Sampling::default()
    };
    assert_eq!(request.sampling, sampling);

    client
        .call(&json!({"text": "hi", "prompt_suffix": ""}))
        .await;
    assert_eq!(client.asked().await.messages, [user("hi")]);
}

#[tokio::test]
async fn an_answer_comes_without_its_thinking_which_stands_apart() {
    let thought = ModelEvent::Reasoning {
        text: "first\n".to_owned(),
    };
    let script = vec![
        answer("plain"),
        vec![
            thought,
            text("answer <think>"),
            text("second</think>end"),
            done(Finish::Length),
        ],
    ];
    let mut client = Client::new(script).await;
    let usage = json!({"evaluated": 20, "reused": 10, "generated": 5});
    let plain = client.call(&json!({"text": "a"})).await;
    assert_eq!(plain["content"], json!([{"type": "text", "text": "plain"}]));
    assert_eq!(
        plain["structuredContent"],
        json!({"answer": "plain", "finish": "stop", "usage": usage})
    );
    let thinking = client.call(&json!({"text": "a"})).await;
    assert_eq!(
        thinking["content"],
        json!([
            {"type": "text", "text": "answer end"},
            {"type": "text", "text": "first\n\nsecond", "annotations": {"audience": ["user"], "priority": 0.0}},
        ])
    );
    assert_eq!(
        thinking["structuredContent"],
        json!({
            "answer": "answer end", "thinking": "first\n\nsecond", "finish": "length", "usage": usage,
        })
    );
}

#[tokio::test]
async fn what_the_model_cannot_do_is_an_error_of_the_call() {
    let failed = |failure| vec![ModelEvent::Failed { failure }];
    let script = vec![
        failed(ModelFailure::ContextFull {
            needed: 3009,
            context: 2048,
        }),
        failed(ModelFailure::Load {
            message: "no room".to_owned(),
        }),
        answer("still there"),
    ];
    let mut client = Client::new(script).await;
    let params = json!({"name": "chat", "arguments": {"text": "long"}});
    let full = client.problem(&params).await;
    assert!(
        full.starts_with("prompt (3009 tokens) exceeds context size (2048)"),
        "{full}"
    );
    assert_eq!(
        client.problem(&params).await,
        "cannot load the model: no room"
    );
    let answer = client.call(&json!({"text": "a"})).await;
    assert_eq!(answer["structuredContent"]["answer"], "still there");
}

#[tokio::test]
async fn a_client_is_told_how_far_its_answer_is_and_can_stop_it() {
    let reading = ModelEvent::PromptProgress {
        done: 12,
        total: 40,
        cached: 4,
    };
    // It has no end: only who stops it comes to the next one.
    let script = vec![vec![reading], answer("next")];
    let mut client = Client::new(script).await;
    let params = json!({
        "name": "chat", "arguments": {"text": "a", "max_tokens": 10}, "_meta": {"progressToken": "p"},
    });
    let id = client.begin("tools/call", &params).await;
    let told = client.hear().await;
    assert_eq!(told["method"], "notifications/progress");
    assert_eq!(
        told["params"],
        json!({
            "progressToken": "p", "progress": 12.0, "total": 50.0,
            "message": "reading: 12 of 40 tokens, 4 of them known already",
        })
    );
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
    client.send(&cancel).await;
    let next = client.call(&json!({"text": "b"})).await;
    assert_eq!(next["structuredContent"]["answer"], "next");
}

#[tokio::test]
async fn who_comes_when_all_places_are_taken_hears_that_it_is_busy() {
    // The first one has no end.
    let mut client = Client::new(vec![vec![text("on and on")]]).await;
    let params = json!({"name": "chat", "arguments": {"text": "a"}});
    for _ in 0..MOST_CALLS {
        client.begin("tools/call", &params).await;
    }
    // Of those that came at once any may be the last.
    let id = client.begin("tools/call", &params).await;
    let heard = client.hear().await;
    let said = heard["result"]["content"][0]["text"].as_str();
    let said = said.unwrap_or_default();
    assert!(
        heard["id"].as_u64() <= Some(id) && said.starts_with("busy: 32 calls"),
        "{heard}"
    );
}
