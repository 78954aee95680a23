//! How a server is started, as it is pinned and shown: its command, what it may reach, and the hashes of its programs.

#![expect(
    clippy::disallowed_methods,
    reason = "looks at the programs that a server is made of"
)]

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::Ground;
use super::contained::{Contained, container_argv};
use crate::mcp::config::{Definition, Reach, Source};
use crate::mcp::container::Container;
use crate::mcp::stdio::Program;
use crate::sandbox::{Lacking, launchable};

/// The largest program that is hashed, in bytes.
const HASHED: u64 = 512 << 20;

/// Describes how a server is started, as it is pinned and shown.
pub(super) async fn launch(
    definition: &Definition,
    reach: &Reach,
    ground: &Ground,
) -> Result<(Value, Option<Program>), String> {
    let written = &definition.written;
    let from = match &definition.source {
        Source::User => "your configuration".to_owned(),
        Source::Project(folder) => format!("the repository's `{}/.mcp.json`", folder.display()),
    };
    match reach {
        Reach::Remote(remote) => {
            let names: Vec<&String> = remote.headers.iter().map(|(name, _)| name).collect();
            let url = written.get("url").or_else(|| written.get("httpUrl"));
            let network = match &remote.network {
                None => "it is reached over the network".to_owned(),
                Some(list) if list.is_empty() => "its own address alone".to_owned(),
                Some(list) => format!("its own address, and {}", list.join(", ")),
            };
            Ok((
                json!({"from": from, "url": url, "headers": names, "network": network}),
                None,
            ))
        }
        Reach::Stdio {
            argv,
            env,
            folder,
            read,
            write,
            weaker,
            container,
        } => {
            if let (Some(container), Some(contained)) =
                (container, container_argv(definition, &ground.roots))
            {
                let contained = contained?;
                let described = described(definition, &from, container, &contained, write).await;
                let program = Program {
                    argv: contained.argv,
                    env: contained.env,
                    folder: contained.folder,
                    read: contained.read,
                    write: write.clone(),
                    lacking: Lacking::Refused,
                    in_container: true,
                };
                return Ok((described, Some(program)));
            }
            let root = ground.roots.first().cloned();
            let folder = match folder {
                Some(folder) => root.as_deref().unwrap_or(Path::new("/")).join(folder),
                None => root.unwrap_or_else(|| ground.scratch.join(&definition.name)),
            };
            let found = launchable(&argv[0], &folder).ok_or_else(|| {
                format!(
                    "there is no program `{}`; install it, or give its whole path",
                    crate::protocol::sanitize_line(&argv[0])
                )
            })?;
            let mut reads: Vec<PathBuf> = ground.roots.clone();
            let mut wished = Vec::new();
            match definition.source {
                Source::User => reads.extend(super::program_reads(argv, &folder, &found)),
                Source::Project(_) => {
                    let needed = super::repository_reads(argv, &folder, &found, &ground.roots)?;
                    reads.extend(needed.granted);
                    wished = needed.wished;
                }
            }
            reads.extend(read.iter().cloned());
            let mut files: Vec<PathBuf> = vec![found.clone()];
            files.extend(
                argv.iter()
                    .skip(1)
                    .map(|argument| folder.join(argument))
                    .filter(|path| path.is_file()),
            );
            let hashes = hashes(files).await;
            let env_shown = env_shown(definition, env);
            let mut command = vec![written.get("command").cloned().unwrap_or_default()];
            command.extend(
                written
                    .get("args")
                    .and_then(Value::as_array)
                    .cloned()
                    .unwrap_or_default(),
            );
            let mut described = json!({
                "from": from,
                "command": command,
                "folder": folder.display().to_string(),
                "env": env_shown,
                "reads": shown(&reads),
                "writes": shown(write),
                "programs": hashes,
                "network": "none",
            });
            let mut wishes: Vec<String> = shown(&wished);
            if let (Source::Project(_), Some(wish)) = (&definition.source, written.get("sandbox")) {
                wishes.insert(0, wish.to_string());
            }
            if !wishes.is_empty() {
                described["wishes"] = json!(format!("{} (not granted)", wishes.join(", ")));
            }
            if *weaker {
                described["unconfined"] = json!(
                    "where this kernel cannot confine it, it is started all the same: it then reaches what you reach"
                );
            }
            let program = Program {
                argv: argv.clone(),
                env: env.clone(),
                folder,
                read: reads,
                write: write.clone(),
                lacking: match weaker {
                    true => Lacking::Accepted,
                    false => Lacking::Refused,
                },
                in_container: false,
            };
            Ok((described, Some(program)))
        }
    }
}

/// Describes how a container is started: the runtime's whole command line, as it is pinned and shown.
async fn described(
    definition: &Definition,
    from: &str,
    container: &Container,
    contained: &Contained,
    write: &[PathBuf],
) -> Value {
    json!({
        "from": from,
        "container": container.image,
        "command": contained.argv,
        "folder": contained.folder.display().to_string(),
        "env": env_shown(definition, &contained.env),
        "reads": shown(&contained.read),
        "writes": shown(write),
        "programs": hashes(vec![contained.runtime.clone()]).await,
        "network": match container.network {
            true => "what the container's runtime gives it",
            false => "none",
        },
    })
}

/// Describes the variables of a server.
fn env_shown(definition: &Definition, env: &[(String, String)]) -> Map<String, Value> {
    env.iter()
        .map(|(name, value)| {
            let as_written = definition.written.get("env").and_then(|env| env.get(name));
            let as_written = as_written.and_then(Value::as_str).unwrap_or(value);
            // A repository's file is no place for secrets; the user's own may hold some.
            let shown = match &definition.source {
                Source::Project(_) => as_written.to_owned(),
                Source::User => format!("sha256 {}", &digest(as_written.as_bytes())[..12]),
            };
            (name.clone(), json!(shown))
        })
        .collect()
}

fn shown(paths: &[PathBuf]) -> Vec<String> {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect()
}

async fn hashes(files: Vec<PathBuf>) -> Map<String, Value> {
    let hashed = tokio::task::spawn_blocking(move || {
        files
            .iter()
            .map(|path| (path.display().to_string(), json!(hash(path))))
            .collect()
    });
    hashed.await.unwrap_or_default()
}

/// Hashes a program, so that another one under its name is noticed.
fn hash(path: &Path) -> String {
    let known = path.metadata().is_ok_and(|file| file.len() <= HASHED);
    match std::fs::read(path) {
        Ok(bytes) if known => format!("sha256 {}", digest(&bytes)),
        _ => "cannot be read".to_owned(),
    }
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
