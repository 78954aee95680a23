//! The file that tokens are kept in: of this person alone, under the issuer and the resource of each.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::OAuthError;
use super::register::Identity;
use super::token::Grant;

/// The largest file, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Keeps tokens. Several of walden's processes may use one file.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
}

/// All that is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    /// Which issuer gave the token for a resource.
    #[serde(default)]
    resources: BTreeMap<String, String>,
    /// By issuer.
    #[serde(default)]
    issuers: BTreeMap<String, Kept>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<Identity>,
    #[serde(default)]
    token_endpoint: String,
    #[serde(default)]
    methods: Vec<String>,
    /// By resource.
    #[serde(default)]
    grants: BTreeMap<String, Grant>,
}

/// What is kept for one resource.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) issuer: String,
    pub(super) identity: Identity,
    pub(super) token_endpoint: String,
    pub(super) methods: Vec<String>,
    pub(super) grant: Grant,
}

/// The file's other processes wait while this lives.
pub(super) struct Locked(#[expect(dead_code, reason = "the lock ends with the file")] File);

#[expect(
    clippy::disallowed_methods,
    reason = "the tokens are walden's own state, and no file of the user's"
)]
impl Store {
    /// Keeps tokens in the file `path`, whose folder is made when it is needed.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Returns where the tokens are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until no other process changes the file. A renewal reads, asks and writes: two at once would spend one
    /// token twice, which servers take for theft.
    pub(super) async fn lock(&self) -> Result<Locked, OAuthError> {
        let store = self.clone();
        let locked = tokio::task::spawn_blocking(move || store.lock_now()).await;
        match locked {
            Ok(locked) => locked,
            Err(_) => Err(OAuthError::CalledOff),
        }
    }

    fn lock_now(&self) -> Result<Locked, OAuthError> {
        self.make_folder()?;
        let path = self.path.with_extension("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| self.failed(error))?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)
            .map_err(|error| self.failed(error.into()))?;
        Ok(Locked(file))
    }

    fn make_folder(&self) -> Result<(), OAuthError> {
        let Some(folder) = self.path.parent() else {
            return Ok(());
        };
        if !folder.is_dir() {
            fs::create_dir_all(folder).map_err(|error| self.failed(error))?;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
                .map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Returns what is kept for a resource.
    pub(super) fn record(&self, resource: &str) -> Result<Option<Record>, OAuthError> {
        let mut content = self.read()?;
        let Some(issuer) = content.resources.remove(resource) else {
            return Ok(None);
        };
        let record = content.issuers.remove(&issuer).and_then(|mut kept| {
            Some(Record {
                grant: kept.grants.remove(resource)?,
                identity: kept.identity?,
                token_endpoint: kept.token_endpoint,
                methods: kept.methods,
                issuer,
            })
        });
        Ok(record)
    }

    /// Returns how an issuer knows this program.
    pub(super) fn identity(&self, issuer: &str) -> Result<Option<Identity>, OAuthError> {
        Ok(self
            .read()?
            .issuers
            .remove(issuer)
            .and_then(|kept| kept.identity))
    }

    /// Keeps what was got for a resource.
    pub(super) fn keep(&self, resource: &str, record: &Record) -> Result<(), OAuthError> {
        let mut content = self.read()?;
        let before = content
            .resources
            .insert(resource.to_owned(), record.issuer.clone());
        // A resource that moved to another issuer leaves nothing at the old one.
        if let Some(before) = before
            && before != record.issuer
            && let Some(kept) = content.issuers.get_mut(&before)
        {
            kept.grants.remove(resource);
        }
        let kept = content.issuers.entry(record.issuer.clone()).or_default();
        kept.identity = Some(record.identity.clone());
        kept.token_endpoint.clone_from(&record.token_endpoint);
        kept.methods.clone_from(&record.methods);
        kept.grants
            .insert(resource.to_owned(), record.grant.clone());
        self.write(&content)
    }

    /// Forgets the token of a resource, and returns whether there was one.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn forget(&self, resource: &str) -> Result<bool, OAuthError> {
        let _locked = self.lock_now()?;
        let mut content = self.read()?;
        let Some(issuer) = content.resources.remove(resource) else {
            return Ok(false);
        };
        if let Some(kept) = content.issuers.get_mut(&issuer) {
            kept.grants.remove(resource);
            // An issuer that forgot this program is asked to know it again: its identity goes with its last token.
            if kept.grants.is_empty() {
                content.issuers.remove(&issuer);
            }
        }
        self.write(&content)?;
        Ok(true)
    }

    /// Returns whether there is a token for a resource.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn holds(&self, resource: &str) -> Result<bool, OAuthError> {
        Ok(self.record(resource)?.is_some())
    }

    fn read(&self) -> Result<Content, OAuthError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Content::default());
            }
            Err(error) => return Err(self.failed(error)),
        };
        let mut text = Vec::new();
        file.take(LARGEST)
            .read_to_end(&mut text)
            .map_err(|error| self.failed(error))?;
        match serde_json::from_slice(&text) {
            Ok(content) => Ok(content),
            // It is written as a whole or not at all: another program broke it. A person can log in again; what
            // stands there is not lost before a new token takes its place.
            Err(error) => {
                let position = format!("line {}, column {}", error.line(), error.column());
                tracing::warn!("the file of tokens cannot be understood ({position})");
                Ok(Content::default())
            }
        }
    }

    fn write(&self, content: &Content) -> Result<(), OAuthError> {
        self.make_folder()?;
        let text = serde_json::to_vec_pretty(content)
            .map_err(|error| self.failed(io::Error::other(error)))?;
        let beside = self.path.with_extension("new");
        let written = (|| {
            // One that a crash left there may be of other rights.
            match fs::remove_file(&beside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)
        })();
        written.map_err(|error| self.failed(error))
    }

    fn failed(&self, source: io::Error) -> OAuthError {
        OAuthError::Store {
            path: self.path.display().to_string(),
            source,
        }
    }
}
