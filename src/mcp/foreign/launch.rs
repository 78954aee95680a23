//! How a server is started, as it is pinned and shown: its command, what it may reach, and the hashes of its programs.

#![expect(
    clippy::disallowed_methods,
    reason = "looks at the programs that a server is made of"
)]

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::Ground;
use crate::mcp::config::{Definition, Reach, Source};
use crate::mcp::stdio::Program;
use crate::sandbox::launchable;

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
            Ok((
                json!({"from": from, "url": url, "headers": names, "network": "it is reached over the network"}),
                None,
            ))
        }
        Reach::Stdio {
            argv,
            env,
            folder,
            read,
            write,
        } => {
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
            reads.extend(super::program_reads(argv, &folder, &found));
            reads.extend(read.iter().cloned());
            let mut files: Vec<PathBuf> = vec![found.clone()];
            files.extend(
                argv.iter()
                    .skip(1)
                    .map(|argument| folder.join(argument))
                    .filter(|path| path.is_file()),
            );
            let hashes = tokio::task::spawn_blocking(move || {
                files
                    .iter()
                    .map(|path| (path.display().to_string(), json!(hash(path))))
                    .collect::<Map<_, _>>()
            })
            .await
            .unwrap_or_default();
            let env_shown: Map<String, Value> = env
                .iter()
                .map(|(name, value)| {
                    let as_written = written.get("env").and_then(|env| env.get(name));
                    let as_written = as_written.and_then(Value::as_str).unwrap_or(value);
                    // A repository's file is no place for secrets; the user's own may hold some.
                    let shown = match &definition.source {
                        Source::Project(_) => as_written.to_owned(),
                        Source::User => format!("sha256 {}", &digest(as_written.as_bytes())[..12]),
                    };
                    (name.clone(), json!(shown))
                })
                .collect();
            let mut command = vec![written.get("command").cloned().unwrap_or_default()];
            command.extend(
                written
                    .get("args")
                    .and_then(Value::as_array)
                    .cloned()
                    .unwrap_or_default(),
            );
            let shown = |paths: &[PathBuf]| -> Vec<String> {
                paths
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect()
            };
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
            if let (Source::Project(_), Some(wish)) = (&definition.source, written.get("sandbox")) {
                described["wishes"] = json!(format!("{wish} (not granted)"));
            }
            let program = Program {
                argv: argv.clone(),
                env: env.clone(),
                folder,
                read: reads,
                write: write.clone(),
            };
            Ok((described, Some(program)))
        }
    }
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
