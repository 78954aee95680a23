//! A whole session that may connect to some addresses: the sealed worker speaks to servers over HTTP and HTTPS by way of
//! the broker, to no other ones, and all of it is in the audit log.

#![cfg(feature = "net")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test starts walden and reads what it left"
)]

#[path = "net/server.rs"]
mod server;

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use serde_json::{Value, json};
use server::{Answer, Seen, Server};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A server with one tool.
async fn tools() -> Server {
    Server::start(|asked: &Seen| {
        let result = |result: Value| {
            Answer::json(&json!({"jsonrpc": "2.0", "id": asked.message()["id"], "result": result}))
        };
        match (asked.method.as_str(), asked.says().as_str()) {
            ("POST", "initialize") => result(json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "s", "version": "1"},
            })),
            ("POST", "tools/list") => result(json!({"tools": [
                {"name": "look", "description": "Looks.", "inputSchema": {"type": "object"}},
            ]})),
            ("POST", method) if method.starts_with("notifications/") => Answer::empty(202),
            ("POST", _) => Answer::json(&json!({
                "jsonrpc": "2.0",
                "id": asked.message()["id"],
                "error": {"code": -32601, "message": "there is no such method"},
            })),
            ("GET", _) => Answer::empty(405),
            _ => Answer::empty(200),
        }
    })
    .await
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/tls")
        .join(name)
}

/// Encrypts what comes to a server, with a certificate of the tests' own authority. Returns its port.
async fn encrypted(server: &Server, tasks: &mut JoinSet<()>) -> u16 {
    let certificate = CertificateDer::from_pem_file(fixture("server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(fixture("server.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a pair");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let behind = server.url.trim_start_matches("http://").to_owned();
    tasks.spawn(async move {
        let mut streams = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            streams.spawn(async move {
                let Ok(mut plain) = acceptor.accept(stream).await else {
                    return;
                };
                let mut inner = TcpStream::connect(behind).await.expect("the server");
                let _ = tokio::io::copy_bidirectional(&mut plain, &mut inner).await;
            });
        }
    });
    port
}

/// What a session left.
struct Left {
    output: Output,
    /// The last state of each server.
    states: Vec<(String, Value)>,
    audit: Vec<Value>,
}

impl Left {
    fn state(&self, server: &str) -> &Value {
        let found = self.states.iter().rev().find(|(name, _)| name == server);
        &found
            .unwrap_or_else(|| panic!("nothing of {server}: {:?}", self.output))
            .1
    }

    fn connections(&self, port: u16) -> Vec<&Value> {
        let of_port = |line: &&Value| line["what"] == "connection" && line["port"] == port;
        self.audit.iter().filter(of_port).collect()
    }
}

/// Runs a short session with the smallest model: its servers are started before its one turn.
async fn session(allow: &[String], servers: &[(&str, String)], authority: Option<&Path>) -> Left {
    let Some(model) = std::env::var_os("WALDEN_TEST_SMALL_MODEL") else {
        panic!("`WALDEN_TEST_SMALL_MODEL` names no model file: run `make test`, which sets it")
    };
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name);
    for folder in ["home", "repository/.git", "config/walden", "models"] {
        std::fs::create_dir_all(path(folder)).expect("a folder");
    }
    let config = format!("[network]\nallow = {}\n", json!(allow));
    std::fs::write(path("config/walden/config.toml"), config).expect("written");
    let entries: serde_json::Map<String, Value> = servers
        .iter()
        .map(|(name, url)| ((*name).to_owned(), json!({"type": "http", "url": url})))
        .collect();
    let file = json!({"mcpServers": entries}).to_string();
    std::fs::write(path("config/walden/mcp.json"), file).expect("written");
    let walden = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_walden"));
        command
            .args(arguments)
            .current_dir(path("repository"))
            .stdin(std::process::Stdio::null())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(authority.map(|file| ("SSL_CERT_FILE", file)))
            .env("HOME", path("home"))
            .env("XDG_CONFIG_HOME", path("config"))
            .env("WALDEN_STATE", path("state"))
            .env("WALDEN_MODELS", path("models"))
            .env("WALDEN_MODEL", &model)
            .kill_on_drop(true);
        command
    };
    let mut arguments = vec![
        "exec",
        "--json",
        "--check",
        "off",
        "--max-turns",
        "1",
        "--budget",
        "2000",
        "hello",
    ];
    for (name, _) in servers {
        arguments.extend(["--trust-server", name]);
    }
    let output = walden(&arguments).output().await.expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let events = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let states = events
        .filter(|event| event["event"] == "server_changed")
        .map(|event| {
            (
                event["server"].as_str().unwrap_or_default().to_owned(),
                event["state"].clone(),
            )
        })
        .collect();
    let verified = walden(&["audit", "verify"])
        .output()
        .await
        .expect("it starts");
    assert!(verified.status.success(), "{verified:?}");
    let exported = walden(&["audit", "export"])
        .output()
        .await
        .expect("it starts");
    let audit = String::from_utf8_lossy(&exported.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    Left {
        output,
        states,
        audit,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_session_reaches_its_servers_by_the_broker_and_no_others() {
    let (plain, behind, forbidden) = (tools().await, tools().await, tools().await);
    let mut tasks = JoinSet::new();
    let tls = encrypted(&behind, &mut tasks).await;
    let port = |server: &Server| -> u16 {
        let (_, port) = server.url.rsplit_once(':').expect("a port");
        port.parse().expect("a number")
    };
    let allow = [
        format!("127.0.0.1:{}", port(&plain)),
        format!("localhost:{tls}"),
    ];
    let servers = [
        ("plain", format!("{}/mcp", plain.url)),
        ("encrypted", format!("https://localhost:{tls}/mcp")),
        ("forbidden", format!("{}/mcp", forbidden.url)),
    ];
    let left = session(&allow, &servers, Some(&fixture("authority.pem"))).await;

    for name in ["plain", "encrypted"] {
        assert_eq!(
            left.state(name)["tools"],
            1,
            "{name}: {} {:?}",
            left.state(name),
            left.output
        );
    }
    let refusal = left.state("forbidden").to_string();
    assert!(refusal.contains("[network] allow"), "{refusal}");
    assert!(
        forbidden.seen().is_empty(),
        "it was asked: {:?}",
        forbidden.seen()
    );
    assert!(plain.seen().iter().any(|seen| seen.says() == "tools/list"));
    assert!(behind.seen().iter().any(|seen| seen.says() == "tools/list"));

    // How each was reached is noted, too, and what walden's own are confined by.
    let launched = left.audit.iter().filter(|line| line["what"] == "launched");
    let mut names: Vec<&str> = launched
        .filter_map(|line| line["server"].as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    let expected = [
        "encrypted",
        "forbidden",
        "fs",
        "git",
        "memory",
        "plain",
        "run",
    ];
    assert_eq!(names, expected);

    // The process with the model made none of these connections: it was sealed, and says so.
    let sealed = left
        .audit
        .iter()
        .find(|line| line["what"] == "sealed")
        .expect("noted");
    assert!(
        sealed["enforced"]
            .as_str()
            .is_some_and(|text| text.contains("sealed")),
        "{sealed}"
    );
    for (port, encrypted) in [(port(&plain), false), (tls, true)] {
        let noted = left.connections(port);
        let opened = noted
            .iter()
            .find(|line| line["result"] == "opened")
            .expect("noted");
        assert_eq!(opened["encrypted"], encrypted, "{noted:?}");
        assert!(
            noted.iter().all(|line| line["result"] != "refused"),
            "{noted:?}"
        );
    }
    let noted = left.connections(port(&forbidden));
    assert!(
        !noted.is_empty() && noted.iter().all(|line| line["result"] == "refused"),
        "{noted:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_not_believed() {
    let behind = tools().await;
    let mut tasks = JoinSet::new();
    let tls = encrypted(&behind, &mut tasks).await;
    let servers = [("encrypted", format!("https://localhost:{tls}/mcp"))];
    let left = session(&[format!("localhost:{tls}")], &servers, None).await;
    let reason = left.state("encrypted").to_string();
    assert!(reason.contains("certificate"), "{reason}");
    assert!(behind.seen().is_empty(), "{:?}", behind.seen());
    let noted = left.connections(tls);
    assert!(
        noted.iter().any(|line| line["result"] == "refused"),
        "{noted:?}"
    );
    assert!(
        noted.iter().all(|line| line["result"] != "opened"),
        "{noted:?}"
    );
}
