//! The built-in servers of walden's own session: the repository's history, and what is remembered about it.

use std::path::Path;
use std::sync::Arc;

use super::git_folder;
use crate::config;
use crate::error::UserError;
use crate::git::Repo;
use crate::mcp::Host;
use crate::protocol::KnownKind;
use crate::servers::git::Git;
use crate::servers::memory::{Memory, Store};
use crate::session::{RuleFiles, SessionFiles};
use crate::workspace::{Roots, hash_of};

/// Attaches git, where the root is a repository, and memory. What cannot be used is left out and said in the log: the
/// session works without it.
pub(super) async fn attach(
    host: &mut Host,
    root: &Path,
    roots: &Roots,
    files: &SessionFiles,
) -> Result<(), UserError> {
    match Repo::open(roots, ".") {
        Ok(_) => {
            host.attach("git", Git::new(roots.clone()))
                .await
                .map_err(UserError::from_error)?;
            let of = roots.clone();
            let revisions = move || Repo::open(&of, ".").map(|repo| repo.revisions());
            let knowledge = host.knowledge_mut();
            knowledge.add_names(
                KnownKind::GitRef,
                Arc::new(move || revisions().unwrap_or_default()),
            );
            let of = roots.clone();
            knowledge.tell_unkept(Arc::new(move |paths| {
                // A repository that cannot be opened any more vouches for nothing.
                let Ok(repo) = Repo::open(&of, ".") else {
                    return paths.to_vec();
                };
                let unkept = paths.iter().filter(|path| !repo.keeps(path));
                unkept.cloned().collect()
            }));
            let of = roots.clone();
            knowledge.tell_author(Arc::new(move || Repo::open(&of, ".").ok()?.author_name()));
        }
        Err(error) => {
            tracing::info!("no git tools in this session: {error}");
            if let Some(text) = git_folder::without_git(&error, root) {
                host.tell(text);
            }
        }
    }
    let store = match Store::open(&files.memory_of(&name_of(root))) {
        Ok(store) => Arc::new(store),
        Err(error) => {
            tracing::warn!("no memory in this session: {error}");
            return Ok(());
        }
    };
    let repository = root
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let names = Arc::clone(&store);
    host.attach("memory", Memory::compact(store, &repository))
        .await
        .map_err(UserError::from_error)?;
    host.knowledge_mut().add_names(
        KnownKind::Entity,
        Arc::new(move || names.names().unwrap_or_default()),
    );
    Ok(())
}

/// Returns where the user's rules are kept: for every project, and for this one.
pub(super) fn rule_files(root: &Path, files: &SessionFiles) -> RuleFiles {
    // In a folder of its own: a sealed session writes there, and nowhere else beside the configuration.
    let forever = config::rules_folder().map(|folder| folder.join("rules.toml"));
    RuleFiles::new(forever, Some(files.rules_of(&name_of(root))))
}

/// Says what confines each server, as a question about one of its calls tells it.
pub(super) fn confined() -> Vec<(String, String)> {
    [
        (
            "fs",
            "the files of the repository, opened beneath its folder",
        ),
        ("git", "the repository's own history; runs nothing"),
        ("memory", "a file of notes in walden's state folder"),
        (
            "run",
            "a copy of the repository, which is all that it writes; no network",
        ),
    ]
    .map(|(server, profile)| (server.to_owned(), profile.to_owned()))
    .to_vec()
}

/// Names a repository's folder in the state folder: two of the same name are not mistaken for each other.
fn name_of(root: &Path) -> String {
    let hash = hash_of(root.as_os_str().as_encoded_bytes());
    hash.0.get(..16).unwrap_or(&hash.0).to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    #![expect(
        clippy::disallowed_methods,
        reason = "a test lays its own files, and its repository with git itself"
    )]

    use std::process::Command;

    use llguidance::toktrie::{ApproximateTokEnv, TokEnv};

    use super::*;
    use crate::model::constraint::{Allowed, Constraints};
    use crate::protocol::{CallForm, Known, ToolSpec};

    fn git(folder: &Path, arguments: &[&str]) {
        let status = Command::new("git")
            .current_dir(folder)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .args(["-c", "user.name=a", "-c", "user.email=a@b"])
            .args(arguments)
            .output()
            .unwrap()
            .status;
        assert!(status.success(), "{arguments:?}");
    }

    /// Tells whether a call of one of a session's tools can be written.
    fn can_be_written(tools: &[ToolSpec], known: &[Known], name: &str, arguments: &str) -> bool {
        let tokens: TokEnv = ApproximateTokEnv::single_byte_env();
        let tools: Vec<&ToolSpec> = tools.iter().collect();
        let form = CallForm::JsonFence;
        let allowed = Allowed {
            form,
            tools: &tools,
            passages: &[],
            known,
        };
        let call = form.write(name, arguments);
        let body = call.strip_prefix(form.mark()).unwrap();
        let body = body.strip_suffix(form.closing()).unwrap();
        let (begun, rest) = body.split_at(form.begun().len());
        let mut constraint = Constraints::new(&tokens)
            .unwrap()
            .rest_of_call(allowed, begun.as_bytes())
            .unwrap();
        rest.bytes().all(|byte| {
            let fits = constraint.mask().unwrap().is_allowed(u32::from(byte));
            fits && constraint.accept(&[u32::from(byte)]).is_ok()
        }) && constraint.is_complete()
    }

    #[tokio::test]
    async fn a_revision_that_is_not_there_and_notes_about_nobody_cannot_be_named() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("a.txt"), "one\n").unwrap();
        git(&root, &["init", "--quiet", "--initial-branch", "main"]);
        git(&root, &["add", "."]);
        git(&root, &["commit", "--quiet", "-m", "first"]);
        git(&root, &["branch", "feature/login"]);
        git(&root, &["tag", "v1.0"]);
        let files = SessionFiles::at(&dir.path().join("state")).unwrap();
        let notes = files.memory_of(&name_of(&root));
        std::fs::create_dir_all(notes.parent().unwrap()).unwrap();
        let note = r#"{"type":"entity","name":"Ada","entityType":"person","observations":["x"]}"#;
        std::fs::write(&notes, note).unwrap();
        let roots = Roots::open(std::slice::from_ref(&root)).unwrap();
        let mut host = Host::new();
        attach(&mut host, &root, &roots, &files).await.unwrap();
        let tools = host.tools().await.unwrap();
        let known: Vec<Known> = host
            .knowledge()
            .names()
            .into_iter()
            .map(|(kind, mut names)| {
                names.sort_unstable();
                let names = names.into();
                Known { kind, names }
            })
            .collect();
        for (tool, arguments, expected) in [
            ("git_show", r#"{"revision": "main"}"#, true),
            ("git_show", r#"{"revision": "feature/login"}"#, true),
            ("git_show", r#"{"revision": "v1.0"}"#, true),
            ("git_show", r#"{"revision": "HEAD:a.txt"}"#, true),
            ("git_show", r#"{"revision": "develop"}"#, false),
            ("git_show", r#"{"revision": "feature/logi"}"#, false),
            ("git_diff", r#"{"target": "main..HEAD"}"#, true),
            ("git_diff", r#"{"target": "develop..HEAD"}"#, false),
            ("forget", r#"{"about": "Ada"}"#, true),
            ("forget", r#"{"about": "Eve"}"#, false),
        ] {
            assert_eq!(
                can_be_written(&tools, &known, tool, arguments),
                expected,
                "{tool} {arguments}"
            );
        }
    }
}
