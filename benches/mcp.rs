//! What the host adds to a call: an echo tool of a server over a pipe, called through all of the host, beside the same
//! bytes to the same program over a bare pipe.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Map, json};
use walden::mcp::config::{Source, define};
use walden::mcp::pins::Pins;
use walden::mcp::{Attended, Choices, Eras, Host, Options, Purpose, TaskBook};
use walden::protocol::{CallId, ToolCall};
use walden::sandbox::Launcher;

/// A server that does nothing but answer: what is measured is not the server.
const SERVER: &str = r#"
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    what, answer = asked.get("method"), {"jsonrpc": "2.0", "id": asked["id"]}
    if what == "initialize":
        answer["result"] = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "echo", "version": "1"}}
    elif what == "tools/list":
        schema = {"type": "object", "properties": {"text": {"type": "string"}}}
        answer["result"] = {"tools": [{"name": "echo", "description": "Says it again.", "inputSchema": schema}]}
    elif what == "tools/call":
        answer["result"] = {"content": [{"type": "text", "text": asked["params"]["arguments"]["text"]}]}
    else:
        answer["error"] = {"code": -32601, "message": "what?"}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
"#;

/// The server over a bare pipe, with nothing between.
struct Bare {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Bare {
    fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "what a bare pipe costs")]
        let mut child = Command::new("python3")
            .args(["-c", SERVER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let answers = BufReader::new(child.stdout.take().expect("it has a pipe"));
        Self { child, answers }
    }

    fn ask(&mut self, line: &str) -> usize {
        let pipe = self.child.stdin.as_mut().expect("it has a pipe");
        pipe.write_all(line.as_bytes()).expect("it reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers")
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn host(scratch: &std::path::Path) -> Host {
    let entry = json!({"command": "python3", "args": ["-c", SERVER], "era": "legacy"});
    let definition = define("it", &entry, &Source::User, &|_| None);
    let options = Options {
        attended: Attended::No,
        roots: vec![scratch.to_owned()],
        launcher: Launcher::at(env!("CARGO_BIN_EXE_walden")),
        scratch: scratch.join("servers"),
        pins: Pins::in_memory(vec!["it".to_owned()]),
        remote: None,
        containers: None,
        choices: Choices::in_memory(),
        tasks: TaskBook::in_memory(),
        eras: Eras::in_memory(),
        reload: None,
    };
    let host = Host::with(vec![definition], options);
    host.settle(Duration::from_secs(60)).await;
    assert_eq!(host.inspect()[0].state, "up");
    host
}

fn calls(criterion: &mut Criterion) {
    let scratch = tempfile::tempdir().expect("a folder");
    let mut group = criterion.benchmark_group("a call of an echo tool");
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "echo", "arguments": {"text": "hi"}, "_meta": {"progressToken": 1}},
    });
    let line = format!("{call}\n");
    let mut bare = Bare::start();
    group.bench_function("bare pipe", |bencher| {
        bencher.iter(|| assert!(bare.ask(&line) > 20));
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let host = runtime.block_on(host(scratch.path()));
    let caller = host.caller();
    let call = ToolCall {
        id: CallId(7),
        server: "it".to_owned(),
        tool: "echo".to_owned(),
        arguments: Map::from_iter([("text".to_owned(), json!("hi"))]),
    };
    group.bench_function("through the host", |bencher| {
        bencher.iter(|| {
            let reply = runtime.block_on(caller.call(&call, &Purpose::Run));
            assert_eq!(reply.outcome.for_model(), "hi");
        });
    });
    group.finish();
    runtime.block_on(host.close());
}

criterion_group!(benches, calls);
criterion_main!(benches);
