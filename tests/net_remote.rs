//! Servers over HTTP, as a client meets them: both eras, and what goes wrong on the way.

#![cfg(feature = "net")]
#![expect(
    clippy::needless_pass_by_value,
    reason = "messages are written where they are sent"
)]

#[path = "net/server.rs"]
mod server;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::{Value, json};
use server::{Answer, Seen, Server};
use tokio::sync::mpsc;
use walden::net::remote::{Endpoint, Kind, Pipe, Received, RemoteError, open};
use walden::net::{Address, Client, Direct};

const META: &str = "io.modelcontextprotocol/protocolVersion";

fn client() -> Client {
    Client::new(Arc::new(Direct::new().expect("certificates")))
}

fn reach(url: &str, kind: Kind) -> Pipe {
    let address = Address::parse(url).expect("an address");
    let endpoint = Endpoint::new(address, [("x-key", "secret")]).expect("headers");
    open(client(), endpoint, kind)
}

async fn next(pipe: &mut Pipe) -> Received {
    tokio::time::timeout(Duration::from_secs(20), pipe.incoming.recv())
        .await
        .expect("something comes")
        .expect("not closed")
}

async fn message(pipe: &mut Pipe) -> Value {
    match next(pipe).await {
        Received::Message(message) => message,
        other => panic!("no message but {other:?}"),
    }
}

async fn failure(pipe: &mut Pipe) -> String {
    match next(pipe).await {
        Received::Failed { error, .. } => error.to_string(),
        other => panic!("no failure but {other:?}"),
    }
}

async fn say(pipe: &Pipe, message: Value) {
    pipe.outgoing.send(message).await.expect("open");
}

fn request(id: u64, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn modern(id: u64, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({META: "2026-07-28"});
    request(id, method, params)
}

fn result(asked: &Seen, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": asked.message()["id"], "result": result})
}

fn hello(asked: &Seen) -> Value {
    result(
        asked,
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s"}}),
    )
}

async fn begin(pipe: &mut Pipe) {
    say(
        pipe,
        request(1, "initialize", json!({"protocolVersion": "2025-11-25"})),
    )
    .await;
    assert_eq!(message(pipe).await["id"], 1);
    say(
        pipe,
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
    )
    .await;
}

/// A server of the older era that has sessions, and otherwise does as it is told.
fn with_sessions(
    rest: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
) -> impl Fn(&Seen) -> Answer {
    move |asked| match (asked.method.as_str(), asked.says().as_str()) {
        ("POST", "initialize") => Answer::json(&hello(asked)).with("mcp-session-id", "one"),
        ("POST", "notifications/initialized") => Answer::empty(202),
        ("GET", _) if asked.header("last-event-id").is_none() => Answer::empty(405),
        ("DELETE", _) => Answer::empty(200),
        _ => rest(asked),
    }
}

fn event(id: &str, message: &Value) -> Bytes {
    Bytes::from(format!("id: {id}\ndata: {message}\n\n"))
}

#[tokio::test]
async fn a_session_is_kept_in_headers_and_ended_at_the_end() {
    let server = Server::start(with_sessions(|asked| {
        Answer::json(&result(asked, json!({"tools": []})))
    }))
    .await;
    let mut pipe = reach(&server.url, Kind::Streamable);
    begin(&mut pipe).await;
    say(&pipe, request(2, "tools/list", json!({}))).await;
    assert_eq!(message(&mut pipe).await["result"], json!({"tools": []}));
    let Pipe {
        outgoing,
        mut incoming,
        tasks: _tasks,
        ..
    } = pipe;
    drop(outgoing);
    assert!(matches!(incoming.recv().await, Some(Received::Ended(_))));
    let seen = server.seen();
    let heads: Vec<_> = seen
        .iter()
        .map(|seen| {
            (
                seen.method.as_str(),
                seen.says(),
                seen.header("mcp-session-id"),
                seen.header("mcp-protocol-version"),
            )
        })
        .collect();
    let version = Some("2025-11-25");
    assert_eq!(
        heads,
        [
            ("POST", "initialize".to_owned(), None, None),
            (
                "POST",
                "notifications/initialized".to_owned(),
                Some("one"),
                version
            ),
            ("GET", String::new(), Some("one"), version),
            ("POST", "tools/list".to_owned(), Some("one"), version),
            ("DELETE", String::new(), Some("one"), version),
        ]
    );
    assert!(
        seen.iter()
            .all(|seen| seen.header("x-key") == Some("secret"))
    );
    assert!(seen.iter().all(|seen| seen.header("mcp-method").is_none()));
}

#[tokio::test]
async fn a_session_that_expired_is_begun_again_once_for_all_that_notice() {
    let sessions = Arc::new(AtomicUsize::new(0));
    let count = sessions.clone();
    let server = Server::start(move |asked| match asked.says().as_str() {
        "initialize" => {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            Answer::json(&hello(asked)).with("mcp-session-id", &format!("s{number}"))
        }
        "notifications/initialized" => Answer::empty(202),
        "tools/call" if asked.header("mcp-session-id") == Some("s1") => Answer::empty(404),
        "tools/call" => Answer::json(&result(asked, json!({"content": []}))),
        _ => Answer::empty(405),
    })
    .await;
    let mut pipe = reach(&server.url, Kind::Streamable);
    begin(&mut pipe).await;
    for id in 2..6 {
        say(&pipe, request(id, "tools/call", json!({"name": "t"}))).await;
    }
    let mut answered = Vec::new();
    for _ in 2..6 {
        answered.push(message(&mut pipe).await["id"].as_u64());
    }
    answered.sort_unstable();
    assert_eq!(answered, [Some(2), Some(3), Some(4), Some(5)]);
    assert_eq!(
        sessions.load(Ordering::SeqCst),
        2,
        "one renewal for four calls"
    );
}

#[tokio::test]
async fn a_stream_that_breaks_off_goes_on_where_it_was() {
    let server = Server::start(with_sessions(|asked| {
        let (answer, tx) = Answer::events();
        let id = match asked.header("last-event-id") {
            None => {
                tx.send(Bytes::from("id: e1\nretry: 10\ndata:\n\n"))
                    .expect("open");
                return answer;
            }
            // The id of the request, which this one continues.
            Some(last) => {
                assert_eq!(last, "e1");
                json!({"jsonrpc": "2.0", "id": 7, "result": {"late": true}})
            }
        };
        tx.send(event("e2", &id)).expect("open");
        answer
    }))
    .await;
    let mut pipe = reach(&server.url, Kind::Streamable);
    begin(&mut pipe).await;
    say(&pipe, request(7, "tools/call", json!({"name": "t"}))).await;
    assert_eq!(message(&mut pipe).await["result"]["late"], true);
}

#[tokio::test]
async fn a_stream_that_ends_without_an_answer_fails_its_request_and_no_other() {
    let server = Server::start(with_sessions(
        |asked| match asked.message()["params"]["name"].as_str() {
            Some("lost") => Answer::events().0,
            _ => Answer::json(&result(asked, json!({"ok": 1}))),
        },
    ))
    .await;
    let mut pipe = reach(&server.url, Kind::Streamable);
    begin(&mut pipe).await;
    say(&pipe, request(2, "tools/call", json!({"name": "lost"}))).await;
    assert!(failure(&mut pipe).await.contains("ended before the answer"));
    say(&pipe, request(3, "tools/call", json!({"name": "found"}))).await;
    assert_eq!(message(&mut pipe).await["id"], 3);
}

#[tokio::test]
async fn a_request_of_the_newer_era_says_in_its_head_what_it_is() {
    let server = Server::start(|asked| match asked.says().as_str() {
        "tools/list" => Answer::json(&result(
            asked,
            json!({"tools": [
                {"name": "good", "inputSchema": {"properties": {
                    "region": {"type": "string", "x-mcp-header": "Region"}}}},
                {"name": "bad", "inputSchema": {"properties": {
                    "region": {"type": "object", "x-mcp-header": "Region"}}}},
            ]}),
        )),
        _ => Answer::json(&result(asked, json!({}))),
    })
    .await;
    let mut pipe = reach(&server.url, Kind::Streamable);
    say(&pipe, modern(1, "tools/list", json!({}))).await;
    let listed = message(&mut pipe).await;
    let names: Vec<_> = listed["result"]["tools"]
        .as_array()
        .expect("tools")
        .iter()
        .map(|tool| tool["name"].as_str())
        .collect();
    assert_eq!(names, [Some("good")]);
    let call = json!({"name": "good", "arguments": {"region": "eu"}});
    say(&pipe, modern(2, "tools/call", call)).await;
    message(&mut pipe).await;
    let seen = server.seen();
    let call = seen.last().expect("a call");
    let head = |name| call.header(name);
    assert_eq!(head("mcp-method"), Some("tools/call"));
    assert_eq!(head("mcp-name"), Some("good"));
    assert_eq!(head("mcp-param-region"), Some("eu"));
    assert_eq!(head("mcp-protocol-version"), Some("2026-07-28"));
    assert_eq!(head("mcp-session-id"), None);
}

#[tokio::test]
async fn a_cancelled_request_of_the_newer_era_closes_its_stream() {
    let streams: Arc<Mutex<Vec<mpsc::UnboundedSender<Bytes>>>> = Arc::default();
    let kept = streams.clone();
    let server = Server::start(move |asked| {
        assert_ne!(asked.says(), "notifications/cancelled");
        let (answer, tx) = Answer::events();
        tx.send(Bytes::from(": open\n\n")).expect("open");
        let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}});
        tx.send(event("1", &progress)).expect("open");
        kept.lock().expect("not poisoned").push(tx);
        answer
    })
    .await;
    let mut pipe = reach(&server.url, Kind::Streamable);
    say(&pipe, modern(5, "tools/call", json!({"name": "slow"}))).await;
    assert_eq!(message(&mut pipe).await["method"], "notifications/progress");
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": 5}});
    say(&pipe, cancel).await;
    let stream = streams
        .lock()
        .expect("not poisoned")
        .pop()
        .expect("a stream");
    tokio::time::timeout(Duration::from_secs(20), stream.closed())
        .await
        .expect("the server sees that the stream is closed");
}

#[tokio::test]
async fn a_redirect_to_another_server_is_not_followed_and_gets_no_secret() {
    let other = Server::start(|asked| Answer::json(&result(asked, json!({})))).await;
    let place = format!("{}/mcp", other.url);
    let server = Server::start(move |asked| match asked.path() {
        "/away" => Answer::empty(307).with("location", &place),
        "/here" => Answer::empty(308).with("location", "/mcp"),
        _ => Answer::json(&result(asked, json!({"here": true}))),
    })
    .await;
    let mut pipe = reach(&format!("{}/away", server.url), Kind::Streamable);
    say(&pipe, modern(1, "tools/list", json!({}))).await;
    let problem = failure(&mut pipe).await;
    assert!(problem.contains("points to another server"), "{problem}");
    assert!(other.seen().is_empty());
    let mut pipe = reach(&format!("{}/here", server.url), Kind::Streamable);
    say(&pipe, modern(1, "tools/list", json!({}))).await;
    assert_eq!(message(&mut pipe).await["result"]["here"], true);
}

#[tokio::test]
async fn a_server_that_knows_only_the_older_era_says_so_in_any_words() {
    for (status, text) in [
        (400, "Bad Request: no session"),
        (404, ""),
        (405, "{}"),
        (422, "<html>"),
    ] {
        let server = Server::start(move |_| Answer::new(status, &[], text)).await;
        let mut pipe = reach(&server.url, Kind::Streamable);
        say(&pipe, modern(1, "server/discover", json!({}))).await;
        let answer = message(&mut pipe).await;
        assert_eq!(
            (&answer["id"], answer["error"]["code"].is_i64()),
            (&json!(1), true)
        );
    }
    let server = Server::start(|_| {
        let error = json!({"jsonrpc": "2.0", "id": null, "error":
            {"code": -32022, "message": "no", "data": {"supported": ["2025-11-25"]}}});
        Answer::new(
            400,
            &[("content-type", "application/json")],
            &error.to_string(),
        )
    })
    .await;
    let mut pipe = reach(&server.url, Kind::Streamable);
    say(&pipe, modern(1, "server/discover", json!({}))).await;
    let answer = message(&mut pipe).await;
    assert_eq!(answer["id"], 1, "it is the answer to this request");
    assert_eq!(answer["error"]["data"]["supported"], json!(["2025-11-25"]));
}

#[tokio::test]
async fn an_answer_that_is_none_is_told_and_not_waited_for() {
    let server = Server::start(|asked| match asked.message()["id"].as_u64() {
        Some(1) => Answer::new(200, &[("content-type", "text/html")], "<p>hello"),
        Some(2) => Answer::new(200, &[("content-type", "application/json")], "not json"),
        Some(3) => Answer::empty(202),
        Some(4) => Answer::new(503, &[("content-type", "text/plain")], "busy\u{1b}[31m now"),
        Some(5) => Answer::json(&json!({"jsonrpc": "2.0", "id": 99, "result": {}})),
        _ => Answer::new(403, &[], "go away"),
    })
    .await;
    let mut pipe = reach(&server.url, Kind::Streamable);
    let mut told = Vec::new();
    for id in 1..=6 {
        say(&pipe, modern(id, "tools/call", json!({}))).await;
        told.push(failure(&mut pipe).await.replace(&server.url, "URL"));
    }
    let starts = [
        "`URL/` answered with something else than the protocol says: its answer is neither",
        "`URL/` answered with something else than the protocol says: no JSON",
        "`URL/` answered with something else than the protocol says: it took a request",
        "`URL/` answered with HTTP 503: busy",
        "`URL/` answered with something else than the protocol says: its answer is one to another",
        "`URL/` answered with HTTP 403: go away",
    ];
    for (told, start) in told.iter().zip(starts) {
        assert!(told.starts_with(start), "{told}");
        assert!(!told.contains('\u{1b}'));
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let mut pipe = reach(&url, Kind::Streamable);
    say(&pipe, modern(1, "server/discover", json!({}))).await;
    let problem = failure(&mut pipe).await;
    assert!(
        problem.starts_with(&format!("cannot connect to `{url}`")),
        "{problem}"
    );
}

#[tokio::test]
async fn what_the_server_says_unasked_is_heard_and_answered() {
    let streams: Arc<Mutex<Vec<mpsc::UnboundedSender<Bytes>>>> = Arc::default();
    let kept = streams.clone();
    let (told, mut answers) = mpsc::unbounded_channel();
    let server = Server::start(
        move |asked| match (asked.method.as_str(), asked.says().as_str()) {
            ("POST", "initialize") => Answer::json(&hello(asked)).with("mcp-session-id", "one"),
            ("GET", _) => {
                let (answer, tx) = Answer::events();
                let ask = json!({"jsonrpc": "2.0", "id": "a", "method": "roots/list"});
                tx.send(event("1", &ask)).expect("open");
                kept.lock().expect("not poisoned").push(tx);
                answer
            }
            ("POST", "") => {
                told.send(asked.message()).expect("open");
                Answer::empty(202)
            }
            _ => Answer::empty(202),
        },
    )
    .await;
    let mut pipe = reach(&server.url, Kind::Streamable);
    begin(&mut pipe).await;
    assert_eq!(message(&mut pipe).await["method"], "roots/list");
    let answer = json!({"jsonrpc": "2.0", "id": "a", "result": {"roots": []}});
    say(&pipe, answer.clone()).await;
    assert_eq!(answers.recv().await, Some(answer));
}

/// A server of the oldest kind, whose stream names `target` for requests.
async fn oldest(target: &str, post_status: u16) -> Server {
    let streams: Arc<Mutex<Vec<mpsc::UnboundedSender<Bytes>>>> = Arc::default();
    let target = target.to_owned();
    Server::start(move |asked| match asked.method.as_str() {
        "GET" => {
            let (answer, tx) = Answer::events();
            tx.send(Bytes::from(format!("event: endpoint\ndata: {target}\n\n")))
                .expect("open");
            streams.lock().expect("not poisoned").push(tx);
            answer
        }
        _ if asked.path() == "/sse" => Answer::empty(post_status),
        _ => {
            let message = asked.message();
            if message.get("id").is_some() {
                let answer = result(asked, json!({"over": "sse"}));
                let streams = streams.lock().expect("not poisoned");
                streams
                    .last()
                    .expect("a stream")
                    .send(event("1", &answer))
                    .expect("open");
            }
            Answer::empty(202)
        }
    })
    .await
}

#[tokio::test]
async fn the_oldest_way_is_spoken_where_it_is_set_and_where_nothing_else_is_understood() {
    let server = oldest("/messages?session=1", 405).await;
    for kind in [Kind::Sse, Kind::Streamable] {
        let mut pipe = reach(&format!("{}/sse", server.url), kind);
        say(&pipe, request(1, "initialize", json!({}))).await;
        assert_eq!(message(&mut pipe).await["result"]["over"], "sse");
        say(
            &pipe,
            json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        )
        .await;
        say(&pipe, request(2, "tools/list", json!({}))).await;
        assert_eq!(message(&mut pipe).await["id"], 2);
    }
    let posts = server.seen();
    let posts = posts.iter().filter(|seen| seen.path() == "/messages");
    assert!(posts.clone().count() >= 6);
    assert!(
        posts
            .clone()
            .all(|seen| seen.field("session").as_deref() == Some("1"))
    );
}

#[tokio::test]
async fn an_address_for_requests_at_another_server_is_refused() {
    let other = Server::start(|_| Answer::empty(202)).await;
    let server = oldest(&format!("{}/messages", other.url), 405).await;
    let mut pipe = reach(&format!("{}/sse", server.url), Kind::Sse);
    say(&pipe, request(1, "initialize", json!({}))).await;
    match next(&mut pipe).await {
        Received::Ended(reason) => assert!(reason.contains("another server"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert!(other.seen().is_empty());
}

#[test]
fn headers_that_are_the_protocols_own_cannot_be_set() {
    let address = Address::parse("https://a/").expect("an address");
    for name in ["Host", "Mcp-Session-Id", "mcp-param-x", "Content-Length"] {
        let made = Endpoint::new(address.clone(), [(name, "x")]);
        assert!(
            matches!(made, Err(RemoteError::ReservedHeader(_))),
            "{name}"
        );
    }
    assert!(Endpoint::new(address.clone(), [("x", "a\r\nb: c")]).is_err());
    assert!(Endpoint::new(address, [("Authorization", "Bearer x")]).is_ok());
}
