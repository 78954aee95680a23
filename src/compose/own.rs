//! The built-in servers of walden's own session: the repository's history, and what is remembered about it.

use std::path::Path;
use std::sync::Arc;

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
            knowledge.tell_kept(Arc::new(move |path| {
                // A repository that cannot be opened any more vouches for nothing.
                Repo::open(&of, ".").is_ok_and(|repo| repo.keeps(path))
            }));
        }
        Err(error) => tracing::info!("no git tools in this session: {error}"),
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
    let forever = config::folder().map(|folder| folder.join("rules.toml"));
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
    ]
    .map(|(server, profile)| (server.to_owned(), profile.to_owned()))
    .to_vec()
}

/// Names a repository's folder in the state folder: two of the same name are not mistaken for each other.
fn name_of(root: &Path) -> String {
    let hash = hash_of(root.as_os_str().as_encoded_bytes());
    hash.0.get(..16).unwrap_or(&hash.0).to_owned()
}
