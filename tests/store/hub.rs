//! A hub on the loopback interface: resolve addresses, ranges, tags, and the ways they fail.

#![cfg(feature = "net")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use walden::model::store::{StoreError, Trust};

use crate::world::{World, gguf, open, sha256};

/// How the hub behaves; a test changes it between requests.
#[derive(Clone)]
struct Behaviour {
    content: Vec<u8>,
    etag: Option<String>,
    /// Whether the hub says the hash of the file.
    says_hash: bool,
    /// Whether ranges are answered with a part.
    ranges: bool,
    /// After how many bytes of a body the line breaks.
    breaks_after: Option<usize>,
    /// A status that is answered instead.
    status: Option<u16>,
}

struct Hub {
    address: String,
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    fn new(content: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hub = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            behaviour: Arc::new(Mutex::new(Behaviour {
                content: content.to_owned(),
                etag: Some("\"one\"".to_owned()),
                says_hash: true,
                ranges: true,
                breaks_after: None,
                status: None,
            })),
            requests: Arc::default(),
        };
        let (behaviour, requests) = (hub.behaviour.clone(), hub.requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let behaviour = behaviour.lock().unwrap().clone();
                // A client that goes away is part of the game.
                let _ = answer(&stream.unwrap(), &behaviour, &requests);
            }
        });
        hub
    }

    fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    /// The requests since the last call: method, path, range.
    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

fn answer(
    mut stream: &TcpStream,
    hub: &Behaviour,
    requests: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let mut range = None;
    let mut condition = None;
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        match name.to_lowercase().as_str() {
            "range" => range = Some(value.to_owned()),
            "if-range" => condition = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let shown = range
        .as_deref()
        .map_or(String::new(), |range| format!(" {range}"));
    requests
        .lock()
        .unwrap()
        .push(format!("{method} {path}{shown}"));

    let total = hub.content.len();
    let from = range
        .filter(|_| hub.ranges && condition == hub.etag)
        .and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse::<usize>()
                .ok()
        });
    let status = match (hub.status, from) {
        (Some(status), _) => status,
        (None, Some(_)) => 206,
        (None, None) => 200,
    };
    let body = match hub.status {
        Some(_) => &[],
        None => &hub.content[from.unwrap_or(0)..],
    };
    write!(
        stream,
        "HTTP/1.1 {status} Answer\r\nContent-Length: {}\r\n",
        body.len()
    )?;
    if let Some(from) = from {
        write!(
            stream,
            "Content-Range: bytes {from}-{}/{total}\r\n",
            total - 1
        )?;
    }
    if let Some(etag) = &hub.etag {
        write!(stream, "ETag: {etag}\r\n")?;
    }
    if hub.says_hash {
        write!(stream, "X-Linked-ETag: \"{}\"\r\n", sha256(&hub.content))?;
        write!(stream, "X-Linked-Size: {total}\r\n")?;
    }
    write!(stream, "Connection: close\r\n\r\n")?;
    if method != "HEAD" {
        stream.write_all(&body[..hub.breaks_after.unwrap_or(body.len()).min(body.len())])?;
    }
    stream.flush()
}

const SOURCE: &str = "hf:owner/repo/tiny.gguf";
const PATH: &str = "/owner/repo/resolve/main/tiny.gguf";

#[test]
fn a_file_of_the_catalog_comes_from_the_hub() {
    let world = World::new(&gguf(300_000), 1);
    let hub = Hub::new(&world.content);
    let store = open(world.hub_options(&hub.address));
    let entry = store.pull("tiny", &mut |_| {}).unwrap();
    assert_eq!(entry.trust, Trust::Catalog);
    assert_eq!(fs::read(store.path(&entry)).unwrap(), world.content);
    assert_eq!(hub.requests(), [format!("GET {PATH}")]);
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn a_line_that_breaks_is_taken_up_again() {
    let world = World::new(&gguf(300_000), 1);
    let hub = Hub::new(&world.content);
    hub.set(|hub| hub.breaks_after = Some(120_000));
    let store = open(world.hub_options(&hub.address));
    let entry = store.pull("tiny", &mut |_| {}).unwrap();
    assert_eq!(fs::read(store.path(&entry)).unwrap(), world.content);
    assert_eq!(
        hub.requests(),
        [
            format!("GET {PATH}"),
            format!("GET {PATH} bytes=120000-"),
            format!("GET {PATH} bytes=240000-"),
        ]
    );
}

/// Breaks the first pull for good after some bytes, changes the hub, and pulls again.
fn resumed(change: impl FnOnce(&mut Behaviour)) -> (World, Hub, Result<(), StoreError>) {
    let world = World::new(&gguf(300_000), 1);
    let hub = Hub::new(&world.content);
    hub.set(|hub| hub.breaks_after = Some(100_000));
    let store = open(world.hub_options(&hub.address));
    let result = store.pull("tiny", &mut |progress| {
        if progress.done >= 100_000 {
            // From here on not a byte comes.
            hub.set(|hub| hub.breaks_after = Some(0));
        }
    });
    let error = result.unwrap_err();
    assert!(
        matches!(error, StoreError::Hub { kept: 100_000, .. }),
        "{error:?}"
    );
    assert!(world.blobs().is_empty());
    hub.requests();
    hub.set(|hub| hub.breaks_after = None);
    hub.set(change);
    let result = store.pull("tiny", &mut |_| {}).map(|entry| {
        assert_eq!(fs::read(store.path(&entry)).unwrap(), world.content);
    });
    (world, hub, result)
}

#[test]
fn a_later_pull_asks_only_for_the_rest() {
    let (_world, hub, result) = resumed(|_| {});
    result.unwrap();
    assert_eq!(hub.requests(), [format!("GET {PATH} bytes=100000-")]);
}

#[test]
fn a_server_that_ignores_ranges_sends_all_of_it_again() {
    let (_world, hub, result) = resumed(|hub| hub.ranges = false);
    result.unwrap();
    assert_eq!(hub.requests(), [format!("GET {PATH} bytes=100000-")]);
}

#[test]
fn two_versions_of_a_file_are_never_joined() {
    let (_world, _hub, result) = resumed(|hub| hub.etag = Some("\"two\"".to_owned()));
    result.unwrap();
    let (world, _hub, result) = resumed(|hub| {
        hub.etag = Some("\"two\"".to_owned());
        hub.content[200_000] ^= 1;
    });
    let error = result.unwrap_err();
    assert!(matches!(error, StoreError::WrongHash { .. }), "{error:?}");
    assert!(world.blobs().is_empty());
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn without_a_tag_nothing_is_resumed() {
    let (_world, hub, result) = resumed(|_| {});
    result.unwrap();
    hub.requests();
    let world = World::new(&gguf(300_000), 1);
    let hub = Hub::new(&world.content);
    hub.set(|hub| {
        hub.etag = None;
        hub.breaks_after = Some(100_000);
    });
    let store = open(world.hub_options(&hub.address));
    let error = store.pull("tiny", &mut |_| {}).unwrap_err();
    assert!(
        matches!(error, StoreError::Hub { kept: 0, .. }),
        "{error:?}"
    );
    assert!(
        hub.requests()
            .iter()
            .all(|request| !request.contains("bytes"))
    );
}

#[test]
fn the_hub_s_hash_is_checked_where_the_catalog_has_none() {
    let world = World::new(&gguf(1_000), 1);
    let content = gguf(50_000);
    let hub = Hub::new(&content);
    let store = open(world.hub_options(&hub.address));
    let entry = store.pull(SOURCE, &mut |_| {}).unwrap();
    assert_eq!((entry.name.as_str(), entry.trust), ("tiny", Trust::Hub));
    assert_eq!(
        hub.requests(),
        [format!("HEAD {PATH}"), format!("GET {PATH}")]
    );
    // The same content again is here already; another one does not take the name.
    store.pull(SOURCE, &mut |_| {}).unwrap();
    assert_eq!(hub.requests(), [format!("HEAD {PATH}")]);
    hub.set(|hub| hub.content = gguf(60_000));
    let error = store.pull(SOURCE, &mut |_| {}).unwrap_err();
    assert!(matches!(error, StoreError::NameTaken { .. }), "{error:?}");
}

#[test]
fn a_hash_that_nobody_knows_is_recorded_at_first_use() {
    let world = World::new(&gguf(1_000), 1);
    let content = gguf(50_000);
    let hub = Hub::new(&content);
    hub.set(|hub| hub.says_hash = false);
    let store = open(world.hub_options(&hub.address));
    let entry = store.pull_as(SOURCE, Some("other"), &mut |_| {}).unwrap();
    assert_eq!(entry.trust, Trust::FirstUse);
    assert_eq!(entry.sha256, sha256(&content));
    assert_eq!(entry.source, SOURCE);
    // Another file under the same address later does not take the name.
    hub.set(|hub| hub.content = gguf(60_000));
    let error = store
        .pull_as(SOURCE, Some("other"), &mut |_| {})
        .unwrap_err();
    assert!(matches!(error, StoreError::NameTaken { .. }), "{error:?}");
    store.verify("other", &mut |_| {}).unwrap();
}

#[test]
fn what_the_hub_refuses_is_explained() {
    let world = World::new(&gguf(1_000), 1);
    let hub = Hub::new(&world.content);
    let store = open(world.hub_options(&hub.address));
    for (status, hint) in [(401, "HF_TOKEN"), (404, "revision")] {
        hub.set(|hub| hub.status = Some(status));
        for wanted in ["tiny", SOURCE] {
            let error = store.pull(wanted, &mut |_| {}).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("the hub answered {status}")),
                "{error}"
            );
            assert!(error.hints().join("\n").contains(hint));
        }
    }
}

#[test]
fn a_hub_that_cannot_be_reached_is_named() {
    let world = World::new(&gguf(1_000), 1);
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let store = open(world.hub_options(&address));
    let error = store.pull(SOURCE, &mut |_| {}).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot fetch `{address}")),
        "{error}"
    );
}
