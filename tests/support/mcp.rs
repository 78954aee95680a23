//! A host with one server of the fixture's.

#![allow(dead_code, reason = "each test program uses some of it")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};
use walden::mcp::config::{Definition, Source, define};
use walden::mcp::pins::Pins;
use walden::mcp::{Attended, Choices, Eras, Host, Inspection, Options, Purpose, Reload, TaskBook};
use walden::protocol::{Answer, CallId, Outcome, ToolCall};
use walden::sandbox::Launcher;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mcp_server.py")
}

pub(crate) fn definition(how: &str) -> Definition {
    with_keys(how, &json!({}))
}

pub(crate) fn with_keys(how: &str, keys: &Value) -> Definition {
    let mut entry = json!({"command": "python3", "args": [fixture(), how]});
    for (key, value) in keys.as_object().into_iter().flatten() {
        entry[key] = value.clone();
    }
    define("it", &entry, &Source::User, &|_| None)
}

/// A host with one server, and the folders that it has.
pub(crate) struct World {
    pub(crate) host: Host,
    pub(crate) root: tempfile::TempDir,
    _scratch: tempfile::TempDir,
}

pub(crate) fn world(definition: Definition, attended: Attended, trusted: bool) -> World {
    let pins = Pins::in_memory(if trusted { vec!["it".into()] } else { vec![] });
    world_with(definition, attended, pins)
}

pub(crate) fn world_with(definition: Definition, attended: Attended, pins: Pins) -> World {
    world_of(definition, attended, pins, None)
}

/// A world whose configuration is what the function returns, when it returns one.
pub(crate) fn world_that_reloads(
    definition: Definition,
    pins: Pins,
    read: impl FnMut() -> Option<(Vec<Definition>, Vec<String>)> + Send + Sync + 'static,
) -> World {
    world_of(definition, Attended::No, pins, Some(Box::new(read)))
}

fn world_of(
    definition: Definition,
    attended: Attended,
    pins: Pins,
    reload: Option<Reload>,
) -> World {
    let root = tempfile::tempdir().expect("a folder");
    world_in(root, definition, attended, pins, reload)
}

/// A world in a folder that was there before.
pub(crate) fn world_in(
    root: tempfile::TempDir,
    definition: Definition,
    attended: Attended,
    pins: Pins,
    reload: Option<Reload>,
) -> World {
    let scratch = tempfile::tempdir().expect("a folder");
    let options = Options {
        attended,
        roots: vec![root.path().to_owned()],
        launcher: Launcher::at(env!("CARGO_BIN_EXE_walden")),
        scratch: scratch.path().join("servers"),
        pins,
        remote: None,
        containers: None,
        choices: Choices::in_memory(),
        tasks: TaskBook::in_memory(),
        eras: Eras::in_memory(),
        reload,
    };
    World {
        host: Host::with(vec![definition], options),
        root,
        _scratch: scratch,
    }
}

/// A host whose folders outlive it: what it keeps there, the next one finds.
pub(crate) fn host_in(folder: &Path, definition: Definition) -> Host {
    let options = Options {
        attended: Attended::Yes,
        roots: vec![folder.to_owned()],
        launcher: Launcher::at(env!("CARGO_BIN_EXE_walden")),
        scratch: folder.join("servers"),
        pins: Pins::in_memory(vec!["it".into()]),
        remote: None,
        containers: None,
        choices: Choices::in_memory(),
        tasks: TaskBook::open(folder.join("tasks")),
        eras: Eras::open(folder.join("eras.json")),
        reload: None,
    };
    Host::with(vec![definition], options)
}

/// A server that is trusted as it is, once it is up or down.
pub(crate) async fn settled(definition: Definition) -> World {
    let world = world(definition, Attended::No, true);
    world.host.settle(PATIENCE).await;
    world
}

impl World {
    pub(crate) fn inspect(&self) -> Inspection {
        self.host.inspect().remove(0)
    }

    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Outcome {
        let Value::Object(arguments) = arguments else {
            panic!("no object");
        };
        call(&self.host.caller(), tool, arguments).await
    }

    pub(crate) async fn echo(&self) -> Outcome {
        self.call("echo", json!({"text": "hi"})).await
    }
}

pub(crate) async fn call(
    caller: &walden::mcp::Caller,
    tool: &str,
    arguments: Map<String, Value>,
) -> Outcome {
    let call = ToolCall {
        id: CallId(7),
        server: "it".into(),
        tool: tool.into(),
        arguments,
    };
    let calling = caller.call(&call, &Purpose::Run);
    let reply = tokio::time::timeout(PATIENCE, calling).await;
    reply.expect("a call never hangs").outcome
}

pub(crate) fn accept(values: &Value) -> Answer {
    let values = values.as_object().cloned().unwrap_or_default();
    Answer::Accept { values, text: None }
}
