//! The era of a server is found out once: the next session asks it the way that it was met in.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads what its server noted"
)]

#[path = "support/mcp.rs"]
mod support;

use std::path::Path;

use serde_json::json;
use support::{PATIENCE, definition, host_in, with_keys};
use walden::mcp::config::Definition;

/// Has a session with the server, and returns how it stood and what it heard first, up to its list of tools.
async fn session(folder: &Path, definition: Definition) -> (String, Vec<String>) {
    let heard = folder.join("servers/it/heard");
    let _ = std::fs::remove_file(&heard);
    let host = host_in(folder, definition);
    host.settle(PATIENCE).await;
    let state = host.inspect().remove(0).state;
    host.close().await;
    let heard = std::fs::read_to_string(heard).expect("it notes what it hears");
    let before = heard.lines().take_while(|method| *method != "tools/list");
    (state, before.map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_asked_in_the_next_session_as_it_was_met_until_it_is_another_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = async |definition: Definition, methods: &[&str]| {
        let (state, heard) = session(folder.path(), definition).await;
        assert_eq!(state, "up");
        assert!(heard.iter().take(methods.len()).eq(methods), "{heard:?}");
    };
    check(definition("notes"), &["server/discover", "initialize"]).await;
    check(definition("notes"), &["initialize", "logging/setLevel"]).await;
    // Started in another way, it may be another one.
    let other = with_keys("notes", &json!({"env": {"LEVEL": "9"}}));
    check(other.clone(), &["server/discover", "initialize"]).await;
    check(other.clone(), &["initialize", "logging/setLevel"]).await;
    // It is of the newer era now: it is found out at once, and known from then on.
    std::fs::write(folder.path().join("servers/it/turned"), "").expect("written");
    check(other.clone(), &["initialize", "server/discover"]).await;
    check(other, &["server/discover"]).await;
    let kept = std::fs::read_to_string(folder.path().join("eras.json")).expect("kept");
    assert!(kept.contains("modern"), "{kept}");
}
