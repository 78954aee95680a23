//! Git folders that lie outside of their repository: of linked worktrees and submodules, and objects that are borrowed.
//!
//! Whoever lays a repository can name any folder there, so none is used that the user has not granted to that very
//! repository (`[git.folders]` in the configuration).

use std::path::{Path, PathBuf};

use super::sealing::expanded;
use crate::config::Config;
use crate::git::GitError;
use crate::workspace::Roots;

/// Returns the git folders outside of a repository that the user granted to it.
pub(super) fn granted(config: &Config, root: &Path) -> Vec<PathBuf> {
    let Some(git) = &config.git else {
        return Vec::new();
    };
    let is_root = |path: &Path| {
        expanded(path)
            .canonicalize()
            .is_ok_and(|path| path.as_path() == root)
    };
    let of_root = git.folders.iter().filter(|(path, _)| is_root(path));
    of_root
        .flat_map(|(_, folders)| folders)
        .filter_map(|folder| expanded(folder).canonicalize().ok())
        .collect()
}

/// Returns the roots of git in a repository: its own, and what is granted to it.
pub(super) fn roots(config: &Config, root: &Path, own: &Roots) -> Roots {
    let folders = granted(config, root);
    if folders.is_empty() {
        return own.clone();
    }
    let all: Vec<PathBuf> = std::iter::once(root.to_owned()).chain(folders).collect();
    Roots::open(&all).unwrap_or_else(|error| {
        tracing::warn!("the granted git folders are left out: {error}");
        own.clone()
    })
}

/// Says why a session has no git tools, and what can be done. `None` where the folder is no repository, of which
/// nobody expects any.
pub(super) fn without_git(error: &GitError, root: &Path) -> Option<String> {
    match error {
        GitError::Escapes { what, path } => {
            let folder = shared(Path::new(path));
            Some(format!(
                "There are no git tools in this session: {what} of this repository leads outside of it, to `{path}`. If \
                 that is yours, grant it to this repository in `config.toml` and start again, as a line under \
                 `[git.folders]`: `\"{}\" = [\"{}\"]`.",
                root.display(),
                folder.display()
            ))
        }
        GitError::NotARepository { .. } => None,
        error => Some(format!("There are no git tools in this session: {error}.")),
    }
}

/// Returns what a linked worktree shares with its repository: its own git folder lies in that.
fn shared(gitdir: &Path) -> &Path {
    match gitdir.parent() {
        Some(parent) if parent.ends_with("worktrees") => parent.parent().unwrap_or(gitdir),
        _ => gitdir,
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a test lays its repositories with git itself"
    )]

    use std::process::Command;

    use super::*;
    use crate::config::GitConfig;
    use crate::mcp::{Host, HostEvent, Purpose};
    use crate::protocol::{CallId, Outcome, ToolCall};
    use crate::session::SessionFiles;

    struct World {
        dir: tempfile::TempDir,
    }

    impl World {
        /// A repository `main` with one commit, and nothing else.
        fn new() -> Self {
            let world = Self {
                dir: tempfile::tempdir().expect("a folder"),
            };
            world.git(".", &["init", "-q", "-b", "trunk", "main"]);
            world.git("main", &["commit", "-q", "--allow-empty", "-m", "begin"]);
            world
        }

        fn git(&self, folder: &str, arguments: &[&str]) {
            let status = Command::new("git")
                .current_dir(self.path(folder))
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .env("GIT_CONFIG_NOSYSTEM", "1")
                .args([
                    "-c",
                    "user.name=a",
                    "-c",
                    "user.email=a@b",
                    "-c",
                    "protocol.file.allow=always",
                ])
                .args(arguments)
                .status();
            assert!(status.expect("git starts").success(), "{arguments:?}");
        }

        fn path(&self, name: &str) -> PathBuf {
            let path = self.dir.path().join(name);
            path.canonicalize().unwrap_or(path)
        }

        /// Attaches git to a session in a folder of the world. Returns what is told, and what `git_log` answers.
        async fn session(&self, folder: &str, config: &Config) -> (Vec<String>, Option<Outcome>) {
            let root = self.path(folder);
            let own = Roots::open(std::slice::from_ref(&root)).expect("a root");
            let files = SessionFiles::at(&self.path("state")).expect("a state folder");
            let mut host = Host::new();
            let roots = roots(config, &root, &own);
            super::super::own::attach(&mut host, &root, &roots, &files)
                .await
                .expect("attached");
            let has_git = host
                .tools()
                .await
                .expect("tools")
                .iter()
                .any(|tool| tool.server == "git");
            let answer = match has_git {
                false => None,
                true => {
                    let call = ToolCall {
                        id: CallId(1),
                        server: "git".to_owned(),
                        tool: "git_log".to_owned(),
                        arguments: serde_json::Map::new(),
                    };
                    Some(host.caller().call(&call, &Purpose::Run).await.outcome)
                }
            };
            let mut told = Vec::new();
            host.tell("the end".to_owned());
            while let Some(event) = host.event().await {
                match event {
                    HostEvent::Notice { text, .. } if text == "the end" => break,
                    HostEvent::Notice { text, .. } => told.push(text),
                    _ => {}
                }
            }
            (told, answer)
        }

        /// What is told in a folder without a grant names one; with it, git answers. For other folders it is none.
        async fn is_granted_by_what_is_told(&self, folder: &str, what: &str) {
            let (told, answer) = self.session(folder, &Config::default()).await;
            let [told] = told.as_slice() else {
                panic!("not one notice: {told:?}")
            };
            assert!(answer.is_none() && told.contains(what), "{told}");
            let line = told.rsplit_once("`[git.folders]`: `").expect("a line").1;
            let line = line.trim_end_matches("`.");
            let config: Config =
                toml::from_str(&format!("[git.folders]\n{line}\n")).expect("a configuration");
            assert_ne!(config.git, Some(GitConfig::default()));
            let (told, answer) = self.session(folder, &config).await;
            let answer = answer.unwrap_or_else(|| panic!("no git: {told:?}"));
            assert!(answer.is_done(), "{answer:?}");
            assert_eq!(told, Vec::<String>::new());
            // It is granted to this repository, and not to whichever names the same folder.
            std::fs::create_dir_all(self.path("evil")).expect("a folder");
            let dot = format!("gitdir: {}\n", self.path("main/.git").display());
            std::fs::write(self.path("evil").join(".git"), dot).expect("written");
            let (told, answer) = self.session("evil", &config).await;
            assert!(answer.is_none() && told.len() == 1, "{told:?}");
        }
    }

    #[tokio::test]
    async fn a_linked_worktree_says_how_its_git_folder_is_granted() {
        let world = World::new();
        world.git("main", &["worktree", "add", "-q", "../linked"]);
        world
            .is_granted_by_what_is_told("linked", "`.git` of this repository")
            .await;
    }

    #[tokio::test]
    async fn a_submodule_says_how_its_git_folder_is_granted() {
        let world = World::new();
        world.git(".", &["init", "-q", "whole"]);
        world.git("whole", &["submodule", "--quiet", "add", "../main", "part"]);
        world
            .is_granted_by_what_is_told("whole/part", "`.git` of this repository")
            .await;
    }

    #[tokio::test]
    async fn borrowed_objects_say_how_they_are_granted() {
        let world = World::new();
        world.git(".", &["clone", "-q", "--shared", "main", "copy"]);
        world.is_granted_by_what_is_told("copy", "alternates").await;
    }

    #[tokio::test]
    async fn a_folder_that_is_no_repository_is_silent_about_git() {
        let world = World::new();
        std::fs::create_dir(world.path("plain")).expect("a folder");
        let (told, answer) = world.session("plain", &Config::default()).await;
        assert!(told.is_empty() && answer.is_none(), "{told:?}");
    }
}
