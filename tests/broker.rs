//! The broker as a process: what it connects, what it refuses, what it notes, and what it cannot reach itself.

#![cfg(feature = "net")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test starts walden and reads what it left"
)]

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::net::unix::pipe::{Receiver, Sender};
use walden::broker::{Broker, Target, Tls};

const WALDEN: &str = env!("CARGO_BIN_EXE_walden");

fn start(state: &Path, allow: &[String]) -> (Child, Broker) {
    let mut child = Command::new(WALDEN)
        .arg0("walden-broker")
        .arg(state)
        .args(allow)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let from = child.stdout.take().expect("a pipe");
    let to = child.stdin.take().expect("a pipe");
    let broker = Broker::start(
        Receiver::from_owned_fd(from.into()).expect("a pipe"),
        Sender::from_owned_fd(to.into()).expect("a pipe"),
    );
    (child, broker)
}

fn target(port: u16) -> Target {
    Target {
        host: "127.0.0.1".to_owned(),
        port,
        tls: Tls::Plain,
    }
}

fn audit(state: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(WALDEN)
        .arg("audit")
        .args(arguments)
        .env("WALDEN_STATE", state)
        .output()
        .expect("it starts");
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[tokio::test]
async fn the_broker_connects_what_is_allowed_and_notes_all_that_it_is_asked() {
    let state = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let other = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let forbidden = other.local_addr().expect("an address").port();
    let (mut child, broker) = start(state.path(), &[format!("127.0.0.1:{port}")]);

    let connecting = broker.connect(target(port));
    let (connected, accepted) = tokio::join!(connecting, listener.accept());
    let (mut stream, (mut accepted, _)) =
        (connected.expect("connected"), accepted.expect("accepted"));
    stream.write_all(b"ping").await.expect("written");
    let mut ping = [0; 4];
    accepted.read_exact(&mut ping).await.expect("read");
    accepted.write_all(b"pong!").await.expect("written");
    drop(accepted);
    let mut pong = String::new();
    stream.read_to_string(&mut pong).await.expect("read");
    assert_eq!((&ping, pong.as_str()), (b"ping", "pong!"));
    drop(stream);

    let refused = broker
        .connect(target(forbidden))
        .await
        .err()
        .expect("refused");
    assert!(refused.to_string().contains("[network] allow"), "{refused}");

    let status = Path::new("/proc")
        .join(child.id().to_string())
        .join("status");
    let status = std::fs::read_to_string(status).expect("readable");
    let is = |line: &str| {
        status
            .lines()
            .any(|found| found.split_whitespace().collect::<Vec<_>>().join(" ") == line)
    };
    assert!(is("NoNewPrivs: 1") && is("Seccomp: 2"), "{status}");

    drop(broker);
    let ended = tokio::task::spawn_blocking(move || child.wait())
        .await
        .expect("waited");
    assert!(ended.expect("ended").success(), "it ends with its pipe");

    let (holds, said) = audit(state.path(), &["verify"]);
    assert!(holds && said.starts_with("holds   network-"), "{said}");
    let (_, said) = audit(state.path(), &["export"]);
    let results: Vec<String> = said
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .filter(|line| line["what"] == "connection")
        .map(|line| {
            format!(
                "{}:{}",
                line["port"],
                line["result"].as_str().unwrap_or("?")
            )
        })
        .collect();
    for expected in [format!("{port}:opened"), format!("{forbidden}:refused")] {
        assert!(results.contains(&expected), "{said}");
    }

    // Somebody takes the refused request back.
    let log = std::fs::read_dir(state.path().join("audit"))
        .expect("a folder")
        .flatten()
        .next()
        .expect("a log")
        .path();
    let text = std::fs::read_to_string(&log).expect("readable");
    std::fs::write(&log, text.replacen("refused", "opened_", 1)).expect("written");
    let (holds, said) = audit(state.path(), &["verify"]);
    assert!(!holds && said.starts_with("BROKEN  network-"), "{said}");
}
