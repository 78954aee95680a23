//! A model hub as a source: one file over HTTPS, resumed by ranges.

use std::fmt;
use std::path::Path;

use super::catalog::{CatalogModel, HubFile};
use super::error::StoreError;
use super::pull::Fetched;
use super::{Options, Progress};
use crate::protocol::sanitize_line;

#[cfg(feature = "net")]
mod client;

/// The hub that is asked when no other is named.
pub(crate) const DEFAULT_HUB: &str = "https://huggingface.co";

/// A file in a repository of the hub, at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HubAddress {
    pub(crate) repository: String,
    pub(crate) file: String,
    pub(crate) revision: String,
}

/// What is known of a file before it is fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) sha256: Option<String>,
    pub(crate) size: Option<u64>,
    /// The commit that a moving revision stands for now.
    pub(crate) commit: Option<String>,
}

impl Probe {
    /// What the catalog knows of its model.
    pub(crate) fn of(model: &CatalogModel) -> Self {
        Self {
            sha256: Some(model.sha256.to_owned()),
            size: Some(model.size),
            commit: None,
        }
    }
}

impl HubAddress {
    /// Reads `hf:owner/repository/path/to/file.gguf[@revision]`.
    pub(crate) fn parse(text: &str) -> Result<Self, StoreError> {
        let bad = || StoreError::BadSource {
            source_name: sanitize_line(text),
        };
        let rest = text.strip_prefix("hf:").ok_or_else(bad)?;
        let (path, revision) = rest.rsplit_once('@').unwrap_or((rest, "main"));
        let parts: Vec<&str> = path.split('/').collect();
        let ([owner, repository, file @ ..], true) = (
            parts.as_slice(),
            parts.iter().copied().all(is_plain) && revision.split('/').all(is_plain),
        ) else {
            return Err(bad());
        };
        if !file
            .last()
            .is_some_and(|name| name.to_lowercase().ends_with(".gguf"))
        {
            return Err(bad());
        }
        Ok(Self {
            repository: format!("{owner}/{repository}"),
            file: file.join("/"),
            revision: revision.to_owned(),
        })
    }

    /// The address of the file at a hub.
    pub(crate) fn url(&self, hub: &str, commit: Option<&str>) -> String {
        format!(
            "{}/{}/resolve/{}/{}",
            hub.trim_end_matches('/'),
            self.repository,
            // A revision is one segment of the path, even when it is called `refs/pr/1`.
            commit.unwrap_or(&self.revision).replace('/', "%2F"),
            self.file
        )
    }
}

impl From<&HubFile> for HubAddress {
    fn from(file: &HubFile) -> Self {
        Self {
            repository: file.repository.to_owned(),
            file: file.file.to_owned(),
            revision: file.revision.to_owned(),
        }
    }
}

impl fmt::Display for HubAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf:{}/{}", self.repository, self.file)?;
        match self.revision.as_str() {
            "main" => Ok(()),
            revision => write!(f, "@{revision}"),
        }
    }
}

/// Tells whether a segment means the same in an address as it reads: nothing to encode, no way up.
fn is_plain(segment: &str) -> bool {
    !segment.is_empty()
        && !segment.starts_with('.')
        && segment
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+'))
}

/// Asks the hub for the hash and the size of a file, without fetching it.
#[cfg(feature = "net")]
pub(crate) fn probe(options: &Options, address: &HubAddress) -> Result<Probe, StoreError> {
    client::Client::new(options).probe(address)
}

/// Fetches a file into `dir`, going on from what is there.
#[cfg(feature = "net")]
pub(crate) fn fetch(
    options: &Options,
    address: &HubAddress,
    known: &Probe,
    dir: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Fetched, StoreError> {
    client::Client::new(options).fetch(address, known, dir, progress)
}

/// Refuses: this build has no network code.
#[cfg(not(feature = "net"))]
pub(crate) fn probe(options: &Options, address: &HubAddress) -> Result<Probe, StoreError> {
    Err(StoreError::NoNet {
        url: address.url(&options.hub, None),
    })
}

/// Refuses: this build has no network code.
#[cfg(not(feature = "net"))]
pub(crate) fn fetch(
    options: &Options,
    address: &HubAddress,
    known: &Probe,
    _dir: &Path,
    _progress: &mut dyn FnMut(Progress),
) -> Result<Fetched, StoreError> {
    Err(StoreError::NoNet {
        url: address.url(&options.hub, known.commit.as_deref()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written_back() {
        for text in [
            "hf:owner/repo/file.gguf",
            "hf:owner/repo/sub/file-Q4_K_M.GGUF@refs/pr/7",
        ] {
            let address = HubAddress::parse(text).expect("the address is well formed");
            assert_eq!(address.to_string(), text);
        }
        let address = HubAddress::parse("hf:o/r/d/f.gguf@refs/pr/7").expect("well formed");
        assert_eq!(
            address.url("http://hub/", None),
            "http://hub/o/r/resolve/refs%2Fpr%2F7/d/f.gguf"
        );
    }

    #[test]
    fn an_address_that_could_mean_something_else_is_refused() {
        for text in [
            "hf:repo/file.gguf",
            "hf:owner/repo/file.bin",
            "hf:owner/repo/../x.gguf",
            "hf:owner//x.gguf",
            "hf:owner/repo/x.gguf?download=1",
            "hf:owner/repo/x y.gguf",
            "hf:owner/repo/x.gguf@",
            "hf:owner/repo/x.gguf@../y",
        ] {
            assert!(
                matches!(HubAddress::parse(text), Err(StoreError::BadSource { .. })),
                "{text}"
            );
        }
    }
}
