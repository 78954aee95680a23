//! Configuration in layers: defaults, the user's file, the environment, flags. What a repository contains is never
//! configuration.

#![expect(
    clippy::disallowed_methods,
    reason = "reads the user's own configuration file"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::UserError;
use crate::protocol::{KvType, Mechanism, Mode, WeightLayout};

/// Everything that can be configured, as one layer gives it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A catalog name or the path of a GGUF file.
    pub model: Option<String>,
    pub mode: Option<Mode>,
    pub theme: Option<String>,
    /// The context window, in tokens.
    pub context: Option<u32>,
    pub threads: Option<usize>,
    /// Layers on the GPU; all that fit by default.
    pub gpu_layers: Option<u32>,
    /// A smaller model of the same family that writes ahead: a catalog name or the path of a GGUF file.
    pub draft: Option<String>,
    /// How the KV cache keeps a number: `f16` or `q8_0`.
    pub kv: Option<KvType>,
    /// How a processor keeps the weights: `packed` or `mapped`.
    pub weights: Option<WeightLayout>,
    /// The most generations in a turn.
    pub max_turns: Option<u32>,
    /// The most tokens in a turn.
    pub budget: Option<u32>,
    pub temperature: Option<f32>,
    /// The command that checks the project; `off` for none, by default what the project's files tell.
    pub check: Option<String>,
    /// The most edits that are tried before one passes the check.
    pub tries: Option<u32>,
    /// How long edits are tried in a turn, in seconds.
    pub search_time: Option<u32>,
    /// Whether arguments can only name what is there; on by default.
    pub real_arguments: Option<bool>,
    /// What is left out, to measure what it is worth: of a flag alone.
    #[serde(skip)]
    pub without: Vec<Mechanism>,
    /// Vim's keys in the message.
    pub vim: Option<bool>,
    /// The mouse's wheel scrolls; text is then selected with the terminal's own key held.
    pub mouse: Option<bool>,
    /// Nothing moves on the screen but what has news.
    pub reduced_motion: Option<bool>,
    /// What the seal leaves open besides what a session needs.
    pub seal: Option<SealConfig>,
    /// What walden may connect to.
    pub network: Option<NetworkConfig>,
    /// Git folders that lie outside of their repositories.
    pub git: Option<GitConfig>,
}

/// What a sealed session may reach besides its roots (`[seal]`). A path may begin with `~/`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SealConfig {
    /// Folders and files that can be read.
    pub read: Vec<PathBuf>,
    /// Folders and files that can be changed.
    pub write: Vec<PathBuf>,
}

/// Git folders elsewhere (`[git.folders]`): of linked worktrees, of submodules, and of objects that are borrowed.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GitConfig {
    /// For the top folder of a repository, the folders outside of it that git may use there. Paths may begin with `~/`.
    pub folders: BTreeMap<PathBuf, Vec<PathBuf>>,
}

/// The network (`[network]`); without it there is none.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// What may be connected to: `host`, `host:port`, `*.domain` or `*.domain:port`; the port is 443 unless given.
    pub allow: Vec<String>,
}

impl Config {
    /// Reads the user's file, `$XDG_CONFIG_HOME/walden/config.toml`. A missing file is an empty layer.
    ///
    /// # Errors
    /// When the file cannot be read or is wrong; the message names the line.
    pub fn from_user_file() -> Result<Self, UserError> {
        match folder().map(|folder| folder.join("config.toml")) {
            Some(path) => Self::from_file(&path),
            None => Ok(Self::default()),
        }
    }

    fn from_file(path: &Path) -> Result<Self, UserError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => {
                return Err(UserError::usage(format!(
                    "cannot read `{}`: {error}",
                    path.display()
                )));
            }
        };
        toml::from_str(&text).map_err(|error| {
            UserError::usage(format!("`{}` is not a valid configuration: {error}", path.display()))
                .hint("the keys are model, mode, theme, context, threads, gpu_layers, draft, kv, weights, max_turns, budget, temperature, check, tries, search_time, real_arguments, vim, mouse, reduced_motion, [seal] read and write, [network] allow, [git.folders]")
        })
    }

    /// Reads the environment: `WALDEN_MODEL`, `WALDEN_MODE`, `WALDEN_THEME`, `WALDEN_CONTEXT`, `WALDEN_THREADS`.
    ///
    /// # Errors
    /// When a variable is set to what it cannot mean.
    pub fn from_environment() -> Result<Self, UserError> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        fn number<T: std::str::FromStr>(
            name: &str,
            value: Option<String>,
        ) -> Result<Option<T>, UserError> {
            value
                .map(|value| {
                    value.parse().map_err(|_| {
                        UserError::usage(format!("{name} is `{value}`, which is not a number"))
                    })
                })
                .transpose()
        }
        let mode = set("WALDEN_MODE")
            .map(|name| {
                Mode::ALL
                    .into_iter()
                    .find(|mode| mode.name() == name)
                    .ok_or_else(|| {
                        UserError::usage(format!("WALDEN_MODE is `{name}`"))
                            .hint("plan, ask, edit or auto")
                    })
            })
            .transpose()?;
        Ok(Self {
            model: set("WALDEN_MODEL"),
            mode,
            theme: set("WALDEN_THEME"),
            context: number("WALDEN_CONTEXT", set("WALDEN_CONTEXT"))?,
            threads: number("WALDEN_THREADS", set("WALDEN_THREADS"))?,
            ..Self::default()
        })
    }

    /// Puts another layer on top: what it says wins.
    #[must_use]
    pub fn under(self, over: Self) -> Self {
        Self {
            model: over.model.or(self.model),
            mode: over.mode.or(self.mode),
            theme: over.theme.or(self.theme),
            context: over.context.or(self.context),
            threads: over.threads.or(self.threads),
            gpu_layers: over.gpu_layers.or(self.gpu_layers),
            draft: over.draft.or(self.draft),
            kv: over.kv.or(self.kv),
            weights: over.weights.or(self.weights),
            max_turns: over.max_turns.or(self.max_turns),
            budget: over.budget.or(self.budget),
            temperature: over.temperature.or(self.temperature),
            check: over.check.or(self.check),
            tries: over.tries.or(self.tries),
            search_time: over.search_time.or(self.search_time),
            real_arguments: over.real_arguments.or(self.real_arguments),
            without: [self.without, over.without].concat(),
            vim: over.vim.or(self.vim),
            mouse: over.mouse.or(self.mouse),
            reduced_motion: over.reduced_motion.or(self.reduced_motion),
            seal: over.seal.or(self.seal),
            network: over.network.or(self.network),
            git: over.git.or(self.git),
        }
    }
}

/// Returns the user's configuration folder, `$XDG_CONFIG_HOME/walden` or `~/.config/walden`.
pub fn folder() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("XDG_CONFIG_HOME")
        .map(|dir| dir.join("walden"))
        .or_else(|| set("HOME").map(|dir| dir.join(".config/walden")))
}

/// Returns the folder of the rules that hold for every project, `rules` in the configuration folder.
pub fn rules_folder() -> Option<PathBuf> {
    folder().map(|folder| folder.join("rules"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upper_layer_wins_where_it_speaks() {
        let lower = Config {
            model: Some("a".into()),
            context: Some(1),
            ..Config::default()
        };
        let upper = Config {
            model: Some("b".into()),
            ..Config::default()
        };
        let expected = Config {
            model: Some("b".into()),
            context: Some(1),
            ..Config::default()
        };
        assert_eq!(lower.under(upper), expected);
    }

    #[test]
    fn a_wrong_key_is_named_with_its_line() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("config.toml");
        std::fs::write(&path, "model = \"x\"\nmodle = 1\n").expect("written");
        let error = Config::from_file(&path).expect_err("refused").to_string();
        assert!(
            error.contains("modle") && error.contains("line 2"),
            "{error}"
        );
    }
}
