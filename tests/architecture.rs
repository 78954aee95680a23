//! The layers, checked: a table of modules with the crate modules and external crates that each may name, and a
//! search of the sources against it.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads and lays its own files"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A module (a path under `src`), the crate modules it may name, and the external crates it may name. The longest
/// path that fits a file is its row. `std` is free, except where `FORBIDDEN` says otherwise.
const TABLE: &[(&str, &[&str], &[&str])] = &[
    ("protocol", &[], &["serde", "serde_json"]),
    ("agent", &["protocol"], &["serde_json"]),
    (
        "model/llama",
        &["model", "protocol"],
        &[
            "libc",
            "llama_cpp_2",
            "llama_cpp_sys_2",
            "llguidance",
            "toktrie",
            "tokio",
            "tracing",
            "serde_json",
            "sha2",
            "rustix",
            "thiserror",
        ],
    ),
    (
        "model/constraint",
        &["model", "protocol"],
        &[
            "llguidance",
            "toktrie",
            "fancy_regex",
            "memchr",
            "serde_json",
            "tracing",
            "thiserror",
        ],
    ),
    (
        "model/template",
        &["protocol"],
        &[
            "minijinja",
            "minijinja_contrib",
            "serde_json",
            "serde",
            "thiserror",
        ],
    ),
    ("model/parse", &["protocol"], &["serde_json"]),
    ("model/family.rs", &["protocol"], &[]),
    ("model/speculate", &[], &[]),
    ("model/scripted.rs", &["model", "protocol"], &["tokio"]),
    (
        "model/store",
        &["protocol"],
        &[
            "serde",
            "serde_json",
            "sha2",
            "ureq",
            "thiserror",
            "clap",
            "zip",
            "rustix",
        ],
    ),
    ("model/mod.rs", &["protocol"], &["tokio"]),
    (
        "workspace",
        &["protocol"],
        &[
            "rustix",
            "ignore",
            "grep_searcher",
            "grep_regex",
            "grep_matcher",
            "globset",
            "similar",
            "sha2",
            "thiserror",
        ],
    ),
    (
        "sandbox",
        &[],
        &[
            "landlock",
            "seccompiler",
            "libc",
            "rustix",
            "serde",
            "serde_json",
            "thiserror",
        ],
    ),
    (
        "servers/run",
        &["servers", "sandbox", "workspace", "protocol"],
        &["rmcp", "tokio", "serde_json", "rustix"],
    ),
    (
        "code",
        &["workspace", "protocol"],
        &[
            "tree_sitter",
            "tree_sitter_rust",
            "tree_sitter_python",
            "tree_sitter_javascript",
            "tree_sitter_typescript",
            "tree_sitter_go",
            "tree_sitter_java",
            "tree_sitter_c",
            "tree_sitter_cpp",
            "thiserror",
        ],
    ),
    (
        "git",
        &["workspace", "protocol"],
        &["flate2", "git2", "memchr", "rustix", "thiserror"],
    ),
    (
        "servers",
        &["code", "git", "workspace", "protocol"],
        &[
            // A module of the filesystem server's own has the name of the crate, which is not meant.
            "base64",
            "rmcp",
            "tokio",
            "tokio_util",
            "serde",
            "serde_json",
            "tracing",
        ],
    ),
    (
        "servers/memory",
        &["servers", "protocol"],
        &["rmcp", "tokio", "memchr", "serde", "serde_json"],
    ),
    // Which model answers is not its business: it is handed what asks one.
    (
        "servers/chat",
        &["servers", "protocol"],
        &["rmcp", "tokio", "serde_json"],
    ),
    // The one file that memory is kept in: state, and not the user's.
    (
        "servers/memory/store.rs",
        &[],
        &["rustix", "thiserror", "tokio", "tracing"],
    ),
    (
        "mcp",
        &["protocol"],
        &[
            "rmcp",
            "tokio",
            "tokio_util",
            "serde_json",
            "thiserror",
            "tracing",
        ],
    ),
    ("mcp/command.rs", &[], &["clap"]),
    // Looks at and unpacks a stranger's archive; starts nothing.
    (
        "mcp/bundle",
        &["mcp", "protocol"],
        &["serde_json", "sha2", "thiserror", "zip"],
    ),
    ("mcp/config", &["mcp"], &["serde_json", "toml"]),
    ("mcp/eras.rs", &[], &["serde_json", "sha2", "tracing"]),
    (
        "mcp/task_book.rs",
        &[],
        &["rustix", "serde", "serde_json", "tokio", "tracing"],
    ),
    ("mcp/trace.rs", &[], &["rustix", "serde_json"]),
    // Third-party servers are started by the sandbox alone.
    (
        "mcp/stdio.rs",
        &["sandbox"],
        &["rustix", "tokio", "serde_json"],
    ),
    (
        "mcp/foreign",
        &["mcp", "protocol", "sandbox"],
        &["rustix", "serde_json", "sha2", "tokio", "tokio_util"],
    ),
    (
        "mcp/host.rs",
        &["protocol", "sandbox"],
        &["rmcp", "thiserror", "tokio"],
    ),
    (
        "mcp/pins",
        &["mcp", "protocol"],
        &["serde_json", "thiserror"],
    ),
    (
        "net",
        &["protocol"],
        &[
            "base64",
            "http_body_util",
            "hyper",
            "hyper_util",
            "rustix",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "tokio",
            "tokio_rustls",
            "tokio_util",
            "tracing",
            "webpki_roots",
        ],
    ),
    (
        "session",
        &[
            "code",
            "agent",
            "audit",
            "chain",
            "model",
            "mcp",
            "workspace",
            "protocol",
        ],
        &[
            "tokio",
            "serde",
            "serde_json",
            "sha2",
            "rustix",
            "thiserror",
            "toml",
            "tracing",
        ],
    ),
    (
        "tui",
        &["protocol"],
        &[
            "ratatui",
            "crossterm",
            "syntect",
            "two_face",
            "pulldown_cmark",
            "nucleo_matcher",
            "serde_json",
            "similar",
            "toml",
            "unicode_width",
            "unicode_segmentation",
            "serde",
            "tokio",
            "rustix",
            "libc",
            "thiserror",
        ],
    ),
    ("export.rs", &["protocol"], &["serde_json"]),
    // Told from what a session kept.
    (
        "spans",
        &["protocol", "session"],
        &["serde", "serde_json", "sha2"],
    ),
    ("exec/answer.rs", &["error", "model"], &["serde_json"]),
    (
        "review.rs",
        &["error", "protocol", "session"],
        &["serde_json", "tokio"],
    ),
    ("review/sarif.rs", &["protocol"], &["serde_json"]),
    (
        "exec.rs",
        &["door", "error", "protocol", "session"],
        &["serde_json", "tokio"],
    ),
    (
        "doctor",
        &["error", "model", "protocol", "sandbox"],
        &["rustix", "serde", "serde_json", "tokio"],
    ),
    ("serve", &[], &["rmcp", "tokio", "thiserror"]),
    ("serve/message.rs", &[], &["serde", "serde_json"]),
    ("serve/room.rs", &[], &["tokio", "tokio_util"]),
    ("serve/token.rs", &[], &["rustix", "sha2"]),
    ("serve/clients.rs", &[], &["serde", "thiserror", "toml"]),
    (
        "serve/watched.rs",
        &[],
        &["hyper", "rmcp", "serde_json", "tokio", "tracing"],
    ),
    (
        "serve/http.rs",
        &[],
        &[
            "hyper",
            "hyper_util",
            "rmcp",
            "tokio",
            "tokio_util",
            "serde",
            "serde_json",
            "tracing",
        ],
    ),
    ("error.rs", &[], &[]),
    ("door", &["protocol"], &[]),
    ("threat_model.rs", &[], &[]),
    (
        "audit",
        &["chain", "protocol"],
        &["serde", "serde_json", "sha2"],
    ),
    // What it connects for is not its business.
    (
        "broker",
        &[],
        &[
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tokio_util",
            "tracing",
        ],
    ),
    // Knows nothing of what is written into it.
    (
        "chain.rs",
        &[],
        &["rustix", "serde", "serde_json", "sha2", "thiserror"],
    ),
    (
        "bench",
        &["model", "protocol"],
        &["clap", "serde", "serde_json"],
    ),
    (
        "bench/tasks",
        &["git", "protocol", "sandbox"],
        &["rustix", "serde", "serde_json", "shlex"],
    ),
    ("config.rs", &["error", "protocol"], &["serde", "toml"]),
    (
        "cli",
        &[
            "bench", "config", "error", "mcp", "model", "protocol", "tui",
        ],
        &["clap", "clap_complete"],
    ),
    (
        "compose",
        &[
            "agent",
            "audit",
            "bench",
            "broker",
            "cli",
            "code",
            "config",
            "doctor",
            "door",
            "error",
            "exec",
            "export",
            "git",
            "mcp",
            "model",
            "net",
            "protocol",
            "review",
            "sandbox",
            "serve",
            "servers",
            "session",
            "spans",
            "tui",
            "workspace",
        ],
        &[
            "rmcp",
            "rustix",
            "serde_json",
            "shlex",
            "tokio",
            "tracing",
            "tracing_subscriber",
        ],
    ),
    (
        "main.rs",
        &["cli", "compose", "door", "error", "model", "sandbox"],
        &["clap", "clap_complete", "tracing"],
    ),
    (
        "lib.rs",
        &[
            "agent",
            "bench",
            "cli",
            "code",
            "compose",
            "config",
            "doctor",
            "door",
            "error",
            "exec",
            "export",
            "git",
            "mcp",
            "model",
            "net",
            "protocol",
            "review",
            "sandbox",
            "serve",
            "servers",
            "session",
            "spans",
            "tui",
            "workspace",
        ],
        &[],
    ),
];

/// What a module must not name at all, although it is std or one word of an allowed crate.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "agent",
        &[
            "std::fs",
            "std::time",
            "std::env",
            "std::thread",
            "tokio",
            "Instant",
            "SystemTime",
            "rand::",
        ],
    ),
    (
        "protocol",
        &["std::fs", "std::time", "std::env", "std::thread", "std::io"],
    ),
    ("tui", &["std::process::Command", "TcpStream", "UdpSocket"]),
    ("session", &["ratatui", "clap", "crossterm"]),
    ("exec.rs", &["ratatui", "crossterm"]),
];

/// The only places that may open a network connection or start a process.
const NETWORK: &[&str] = &[
    "broker/serve.rs",
    "broker/tests.rs",
    "model/store",
    "net",
    "serve/http.rs",
    "serve/watched.rs",
];
/// `bench` runs `llama-bench` where the user installed it, to compare with.
/// `compose/editor` the editor that the user named, on a text of the user's own.
/// The broker is this program under another name.
const PROCESS: &[&str] = &[
    "bench",
    "compose/brokering.rs",
    "compose/containing",
    // The editor that the user names, for a text that is long to write.
    "compose/editor.rs",
    "model/store",
    "main.rs",
    "sandbox",
    "servers/run",
];

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src is readable").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let name = path
                .strip_prefix(&root)
                .expect("under src")
                .to_string_lossy()
                .into_owned();
            (name, code_of(&fs::read_to_string(&path).expect("readable")))
        })
        .collect()
}

/// Returns the code of a source without comments, and without its tests.
fn code_of(text: &str) -> String {
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_test(name: &str) -> bool {
    name.ends_with("tests.rs") || name.contains("/tests/")
}

fn row(
    name: &str,
) -> &'static (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
) {
    TABLE
        .iter()
        .filter(|(module, _, _)| {
            name == *module
                || name.starts_with(&format!("{module}/"))
                || name == format!("{module}.rs")
        })
        .max_by_key(|(module, _, _)| module.len())
        .unwrap_or_else(|| panic!("`src/{name}` has no row in the table of tests/architecture.rs"))
}

fn external_crates() -> BTreeSet<String> {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .expect("manifest");
    let dependencies = manifest
        .split("[dependencies]")
        .nth(1)
        .expect("dependencies");
    dependencies
        .split("\n[")
        .next()
        .expect("a section")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim().replace('-', "_"))
        .collect()
}

/// Finds the heads of the paths `head::…` in a source.
fn heads(code: &str) -> BTreeSet<String> {
    let mut heads = BTreeSet::new();
    for (at, _) in code.match_indices("::") {
        let before = &code[..at];
        let start = before
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
            .map_or(0, |at| at + 1);
        let preceded = before[..start].ends_with("::");
        if !preceded {
            heads.insert(before[start..].to_owned());
        }
    }
    heads
}

/// Splits the inside of `{a, b::{c, d}, e}` at its outer commas.
fn outer_items(list: &str) -> Vec<String> {
    let (mut items, mut depth) = (vec![String::new()], 0);
    for c in list.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => items.push(String::new()),
            c => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                items.last_mut().expect("never empty").push(c);
            }
        }
    }
    items.retain(|item| !item.trim().is_empty());
    items
}

#[test]
fn a_list_of_imports_is_taken_apart() {
    assert_eq!(
        outer_items("a, b::{c, d}, e}; rest"),
        ["a", " b::{c, d}", " e"]
    );
    let modules = crate_modules("use crate::{agent, model::{Model, Cancel}};\ncrate::tui::run()");
    assert_eq!(
        modules.into_iter().collect::<Vec<_>>(),
        ["agent", "model", "tui"]
    );
}

/// Finds the crate modules that a source names by `crate::module` or `walden::module`.
fn crate_modules(code: &str) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for head in ["crate::", "walden::"] {
        for (at, _) in code.match_indices(head) {
            let rest = &code[at + head.len()..];
            let word = |text: &str| -> String {
                let text = text.trim_start();
                text.chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect()
            };
            match rest.strip_prefix('{') {
                None => drop(modules.insert(word(rest))),
                Some(list) => modules.extend(outer_items(list).iter().map(|item| word(item))),
            }
        }
    }
    modules
}

#[test]
fn every_module_names_only_what_its_row_allows() {
    let externals = external_crates();
    let mut wrong = Vec::new();
    for (name, code) in sources() {
        if is_test(&name) {
            continue;
        }
        let (module, crates, external) = row(&name);
        let own = module
            .split('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".rs");
        for named in crate_modules(&code) {
            if named != own && !crates.contains(&named.as_str()) {
                wrong.push(format!("src/{name} names crate::{named}"));
            }
        }
        for head in heads(&code) {
            if externals.contains(&head) && !external.contains(&head.as_str()) {
                wrong.push(format!("src/{name} names the crate {head}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "the layers are crossed:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn what_a_layer_must_not_touch_is_not_named() {
    let mut wrong = Vec::new();
    for (name, code) in sources() {
        for (module, words) in FORBIDDEN {
            let inside = name == *module || name.starts_with(&format!("{module}/"));
            for word in words
                .iter()
                .filter(|word| inside && !is_test(&name) && code.contains(**word))
            {
                wrong.push(format!("src/{name} names {word}"));
            }
        }
        let within = |places: &[&str]| places.iter().any(|place| name.starts_with(place));
        for word in [
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "ureq::",
            "UnixStream",
            "hyper",
        ] {
            if !within(NETWORK) && code.contains(word) {
                wrong.push(format!("src/{name} names {word}"));
            }
        }
        // The tests of the git server lay their repositories with git itself.
        if !within(PROCESS) && !is_test(&name) && code.contains("Command::new(") {
            wrong.push(format!("src/{name} starts a process"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_folder_says_what_it_owns() {
    for (name, _) in sources().into_iter().filter(|(name, _)| !is_test(name)) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src")
            .join(&name);
        let text = fs::read_to_string(path).expect("readable");
        assert!(
            text.starts_with("//!"),
            "src/{name} does not begin with a module comment"
        );
    }
}

#[test]
fn unsafe_code_stays_in_the_engine_and_the_sandbox() {
    for (name, code) in sources() {
        let allowed = name.starts_with("model/llama") || name.starts_with("sandbox/");
        assert!(
            allowed || !code.contains("unsafe "),
            "src/{name} has unsafe code"
        );
    }
}
