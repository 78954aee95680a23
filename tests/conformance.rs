//! The server half of the protocol's official suite: a server that has what its scenarios name, served by the code that
//! serves walden's own, with its token, over streamable HTTP. `make conformance` installs the suite into
//! `target/conformance`; without it there is nothing to test.

#![cfg(feature = "net")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test runs the suite and looks for it"
)]

#[path = "conformance/offer.rs"]
mod offer;
#[path = "conformance/relay.rs"]
mod relay;
#[path = "conformance/server.rs"]
mod server;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use server::Fixture;
use tokio::process::Command;
use walden::serve::{Clients, Http, HttpOptions, Reach, Token};

/// How long the scenarios of one set may take together.
const PATIENCE: Duration = Duration::from_secs(180);

/// Runs the suite against the server, and returns how it ended and what it wrote.
async fn run(suite: &Path, url: &str, revision: &str) -> (bool, String) {
    let results = tempfile::tempdir().expect("a folder");
    let ran = Command::new(suite.join(".bin/node"))
        .arg(suite.join("@modelcontextprotocol/conformance/dist/index.js"))
        .args(["server", "--url", url, "--requirements", revision, "-o"])
        .arg(results.path())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, ran).await;
    let output = output.expect("it ends in time").expect("the suite runs");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scored_scenario_for_servers_passes_in_both_eras() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/conformance/node_modules");
    if !suite.join("@modelcontextprotocol/conformance").exists() {
        println!("skipped: `make conformance` installs the suite");
        return;
    }
    let (token, shown) = Token::generate().expect("a token");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("it listens");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let options = HttpOptions {
        address: "127.0.0.1:0".parse().expect("an address"),
        reach: Reach::Loopback,
        clients: Clients::one(token),
        witness: Arc::new(|_, _| Ok(0)),
        largest: 32 << 20,
        hosts: Vec::new(),
        // One scenario calls as a page of this machine does, which walden lets in where it is named.
        origins: vec![origin.clone()],
    };
    let server = Http::bind(options).await.expect("it listens");
    let address = server.url();
    let address = address.trim_start_matches("http://");
    let address = address
        .trim_end_matches("/mcp")
        .parse()
        .expect("an address");
    let fixture = Fixture::new();
    let serving = tokio::spawn(server.serve(move |_| fixture.clone(), std::future::pending()));
    let url = format!("{origin}/mcp");
    let relaying = tokio::spawn(relay::relay(listener, address, shown));
    for (revision, scored) in [("2025-11-25", 30), ("2026-07-28", 37)] {
        let (passed, said) = run(&suite, &url, revision).await;
        // Those that do not count are listed once more at the end.
        let begins = |mark: &str| said.lines().filter(|line| line.starts_with(mark)).count();
        let passing = begins("✓") - begins("  ✓");
        assert!(
            passed && passing == scored,
            "{revision}: {passing} of {scored} scored scenarios pass\n{said}"
        );
        println!("{revision}: {passing} scenarios for servers pass");
    }
    relaying.abort();
    serving.abort();
}
