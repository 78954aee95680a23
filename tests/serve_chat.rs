//! `walden serve chat` as another host meets it: a process that a small model answers in.

#![expect(
    clippy::disallowed_methods,
    reason = "a test starts the program and lays its own files"
)]

#[cfg(feature = "net")]
#[path = "support/serving.rs"]
mod serving;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

fn model() -> String {
    std::env::var("WALDEN_TEST_SMALL_MODEL").unwrap_or_else(|_| {
        panic!("`WALDEN_TEST_SMALL_MODEL` names no model file: run `make test`, which sets it")
    })
}

/// A server over standard input and output.
struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    asked: u64,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_walden"))
            .args(["serve", "chat", "--model", &model()])
            .args(arguments)
            .env("WALDEN_STATE", folder.path().join("state"))
            .env("XDG_CONFIG_HOME", folder.path().join("config"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut server = Self {
            input: child.stdin.take().expect("a pipe"),
            output: BufReader::new(child.stdout.take().expect("a pipe")),
            child,
            asked: 0,
            _folder: folder,
        };
        let hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
        });
        let said = server.ask("initialize", &hello);
        assert_eq!(said["result"]["serverInfo"]["name"], "walden-chat");
        server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        server
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.input, "{message}").expect("the server reads");
    }

    /// Asks, and returns the answer; every line must be JSON.
    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).expect("a line");
            let answer: Value = serde_json::from_str(&line).expect("a line of JSON");
            if answer["id"] == id {
                return answer;
            }
        }
    }

    fn call(&mut self, arguments: &Value) -> Value {
        let params = json!({"name": "ask_local", "arguments": arguments});
        self.ask("tools/call", &params)["result"].take()
    }
}

#[test]
fn a_real_model_answers_and_knows_what_it_has_read() {
    // The names that llama-mcp-server's users know, and those that its page names.
    let mut server = Server::start(&[
        "--tool_name=ask_local",
        "--n_ctx=1024",
        "--n-threads=2",
        "--n_gpu_layers=0",
        "--max-tokens=12",
        "--transport=stdio",
    ]);
    let listed = server.ask("tools/list", &json!({}));
    let about = listed["result"]["tools"][0]["description"].as_str();
    let file = std::path::Path::new(&model())
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    assert!(
        about.expect("a text").contains(&file.expect("a name")),
        "{about:?}"
    );

    let question = json!({"text": "Name a colour of the rainbow.", "temperature": 0});
    let first = server.call(&question);
    let answer = first["structuredContent"]["answer"]
        .as_str()
        .expect("an answer");
    assert!(!answer.is_empty(), "{first}");
    assert_eq!(first["content"][0]["text"], answer);
    let usage = &first["structuredContent"]["usage"];
    assert!(usage["evaluated"].as_u64() > Some(5), "{usage}");
    assert!(
        (1..=12).contains(&usage["generated"].as_u64().expect("a count")),
        "{usage}"
    );
    let again = server.call(&question);
    assert_eq!(again["structuredContent"]["answer"], answer);
    let reused = again["structuredContent"]["usage"]["reused"].as_u64();
    assert!(reused > Some(5), "the prompt is evaluated once: {again}");
    // By chance, but from one seed.
    let drawn = json!({"text": "Name a colour of the rainbow.", "temperature": 1.5});
    let one = server.call(&drawn)["structuredContent"]["answer"].take();
    assert_eq!(server.call(&drawn)["structuredContent"]["answer"], one);

    let long = server.call(&json!({"text": "many words ".repeat(2000)}));
    let said = long["content"][0]["text"].as_str().expect("a text");
    assert!(
        long["isError"] == true
            && said.starts_with("prompt (")
            && said.contains("exceeds context size (1024)"),
        "{said}"
    );
    let Server {
        mut child, input, ..
    } = server;
    drop(input);
    assert!(child.wait().expect("it ends").success());
    let mut told = String::new();
    let mut stderr = child.stderr.take().expect("a pipe");
    stderr.read_to_string(&mut told).expect("a text");
    assert!(told.contains("with a context of 1024 tokens"), "{told}");
}

#[test]
fn what_is_wrong_on_the_command_line_is_said_before_a_model_is_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let unsound = folder.path().join("unsound.gguf");
    std::fs::write(&unsound, "GGUF, or so it says").expect("written");
    let unsound = unsound.display().to_string();
    let check = |arguments: &[&str], said: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_walden"))
            .args(["serve", "chat"])
            .args(arguments)
            .env("WALDEN_STATE", folder.path().join("state"))
            .env("WALDEN_MODELS", folder.path().join("models"))
            .env("XDG_CONFIG_HOME", folder.path().join("config"))
            .stdin(Stdio::null())
            .output()
            .expect("walden runs");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && stderr.contains(said),
            "{arguments:?}: {stderr}"
        );
        assert!(output.stdout.is_empty());
    };
    check(&["--transport", "tcp"], "there is no such transport");
    check(
        &["--transport", "http"],
        "use `--http [ADDR:]PORT` in its place",
    );
    check(&["--host", "127.0.0.1"], "`--http ADDR:PORT`");
    check(&["--port", "8080"], "use `--http [ADDR:]PORT` in its place");
    check(&["--auth", "secret"], "--token-file FILE");
    check(
        &["--repeat_penalty", "1.1"],
        "walden does not weigh repetition",
    );
    check(&["--n_batch", "2048"], "leave it out");
    check(&["--max-tokens", "0"], "--max-tokens");
    check(&["--temperature=-1"], "a number that is 0 or more");
    check(&["--temperature", "NaN"], "a number that is 0 or more");
    check(&["--top-p", "1.1"], "a number above 0 and up to 1");
    check(&["--tool-name", "a b"], "1 to 64 letters");
    check(&["--model", "/nowhere/model.gguf"], "/nowhere/model.gguf");
    check(
        &["--model", "smollm2-135m"],
        "walden model pull smollm2-135m",
    );
    check(&["--model", &unsound], "unsound.gguf");
    check(
        &["--model", &model(), "--context", "100"],
        "256 are the least",
    );
}

#[cfg(feature = "net")]
#[test]
fn four_clients_over_http_are_answered_at_once() {
    let path = model();
    let arguments = [
        "--model",
        &path,
        "--context",
        "2048",
        "--max-tokens",
        "16",
        "--temperature",
        "0",
    ];
    let server = serving::Server::of("chat", &arguments);
    let questions = ["one", "two", "three", "four"];
    let ask = |word: &str| {
        let begun = server.begin();
        let session = begun
            .header("mcp-session-id")
            .expect("a session")
            .to_owned();
        let session = [("mcp-session-id", session.as_str())];
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(server.post(&session, &ready).status(), 202);
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": "chat", "arguments": {"text": format!("Write about the number {word}.")},
            "_meta": {"progressToken": word},
        }});
        let answer = server.post(&session, &call);
        let told = answer.0.matches("notifications/progress").count();
        let mut message = answer.message();
        (message["result"]["structuredContent"].take(), told)
    };
    let together: Vec<(Value, usize)> = std::thread::scope(|scope| {
        let asking: Vec<_> = questions.map(|word| scope.spawn(move || ask(word))).into();
        let answers = asking
            .into_iter()
            .map(|asking| asking.join().expect("an answer"));
        answers.collect()
    });
    for ((answer, told), word) in together.iter().zip(questions) {
        assert!(
            answer["answer"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{word}: {answer}"
        );
        assert!(*told > 0, "{word}: it was not told how far it is");
    }
    let generated = |(answer, _): &(Value, usize)| answer["usage"]["generated"].as_u64();
    assert!(
        together.iter().all(|one| generated(one) > Some(0)),
        "{together:?}"
    );
}

#[cfg(feature = "net")]
#[test]
fn http_is_answered_as_the_specification_asks() {
    let path = model();
    let server = serving::Server::of(
        "chat",
        &["--model", &path, "--context", "512", "--max-request", "2"],
    );
    let right = format!("Bearer {}", serving::TOKEN);
    let json_body = ("content-type", "application/json");
    let accept = ("accept", "application/json, text/event-stream");
    let token = ("authorization", right.as_str());
    let hello = serving::hello().to_string();
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let begun = server.begin();
    let id = begun
        .header("mcp-session-id")
        .expect("a session")
        .to_owned();
    let (session, unknown) = (
        ("mcp-session-id", id.as_str()),
        ("mcp-session-id", "unknown"),
    );
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(server.post(&[session], &ready).status(), 202);

    let check = |method: &str, headers: &[(&str, &str)], body: &str, status: u16| {
        let answer = server.send(method, "/mcp", headers, body);
        assert_eq!(
            answer.status(),
            status,
            "{method} {headers:?}: {}",
            answer.0
        );
        answer
    };
    let lower = format!("bearer {}", serving::TOKEN);
    check(
        "POST",
        &[("authorization", &lower), json_body, accept],
        &hello,
        200,
    );
    let refused = check("POST", &[json_body, accept], &hello, 401);
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    check("POST", &[token, accept], &hello, 415);
    check(
        "POST",
        &[token, accept, ("content-type", "text/plain")],
        &hello,
        415,
    );
    check(
        "POST",
        &[token, json_body, ("accept", "text/html")],
        &hello,
        406,
    );
    check("POST", &[token, json_body, accept], &list, 400);
    check("POST", &[token, json_body, accept, unknown], &list, 404);
    check("POST", &[token, json_body, accept, session], "{", 400);
    check(
        "POST",
        &[
            token,
            json_body,
            accept,
            session,
            ("origin", "http://evil.example"),
        ],
        &list,
        403,
    );
    check(
        "POST",
        &[
            token,
            json_body,
            accept,
            session,
            ("mcp-protocol-version", "1999-01-01"),
        ],
        &list,
        400,
    );
    check(
        "POST",
        &[token, json_body, accept, session],
        &" ".repeat(3 << 20),
        413,
    );
    let other = json!({"jsonrpc": "2.0", "id": 1, "method": "no/such"}).to_string();
    let answer = check("POST", &[token, json_body, accept, session], &other, 200);
    assert_eq!(answer.message()["error"]["code"], -32601);
    for method in ["OPTIONS", "PUT"] {
        let answer = check(method, &[token], "", 405);
        assert_eq!(answer.header("allow"), Some("GET, POST, DELETE"));
    }
    assert_eq!(server.send("POST", "/other", &[token], "").status(), 404);
    check("DELETE", &[token], "", 400);
    check("DELETE", &[token, unknown], "", 404);
    check("DELETE", &[session], "", 401);
    let ended = server
        .send("DELETE", "/mcp", &[token, session], "")
        .status();
    assert!((200..300).contains(&ended), "{ended}");
    check("POST", &[token, json_body, accept, session], &list, 404);
}
