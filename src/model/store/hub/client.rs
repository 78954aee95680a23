//! The HTTP client: what a hub's `resolve` addresses answer, ranges, redirects and broken lines.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::Agent;
use ureq::http::{Response, header};

use super::{HubAddress, Probe};
use crate::model::store::error::{StoreError, storage};
use crate::model::store::pull::Fetched;
use crate::model::store::{Options, Phase, Progress, layout, record};
use crate::protocol::sanitize_line;

/// How often a line may break in a row without a byte in between.
const ATTEMPTS: u32 = 4;

/// A client of one hub.
#[derive(Debug)]
pub(crate) struct Client<'a> {
    options: &'a Options,
    agent: Agent,
}

/// Why an attempt ended before the file was whole.
enum Broken {
    /// The line broke, or the hub had a problem that passes: worth another attempt.
    Passing(StoreError),
    /// No attempt can mend this.
    Lasting(StoreError),
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self::Lasting(error)
    }
}

impl<'a> Client<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // An encrypted hub must not hand over to an unencrypted address.
            .https_only(options.hub.starts_with("https://"))
            .user_agent(concat!("walden/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .timeout_per_read(Some(Duration::from_secs(60)))
            .build()
            .new_agent();
        Self { options, agent }
    }

    /// Asks for the hash and size of a file. The hub says them on its own answer, before it redirects to a mirror.
    pub(crate) fn probe(&self, address: &HubAddress) -> Result<Probe, StoreError> {
        let url = address.url(&self.options.hub, None);
        let mut request = self
            .agent
            .head(&url)
            .config()
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build();
        if let Some(token) = self.login() {
            request = request.header(header::AUTHORIZATION, token);
        }
        let response = request
            .call()
            .map_err(|error| unreachable(&url, &error, 0))?;
        match response.status().as_u16() {
            200..=399 => {}
            // A server that does not know the method may still hand out the file.
            405 | 501 => return Ok(Probe::default()),
            status => return Err(StoreError::HubStatus { status, url }),
        }
        let text = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        Ok(Probe {
            sha256: text("x-linked-etag")
                .or_else(|| text("etag"))
                .map(|tag| tag.trim_start_matches("W/").trim_matches('"'))
                .filter(|tag| record::is_hash(tag))
                .map(str::to_owned),
            size: text("x-linked-size").and_then(|size| size.parse().ok()),
            commit: text("x-repo-commit")
                .filter(|commit| {
                    commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit())
                })
                .map(str::to_owned),
        })
    }

    /// Fetches a file, over as many broken lines as it takes while there is progress.
    pub(crate) fn fetch(
        &self,
        address: &HubAddress,
        known: &Probe,
        dir: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Fetched, StoreError> {
        let url = address.url(&self.options.hub, known.commit.as_deref());
        let mut download = Download::resume(url, known.size, dir, progress)?;
        let mut failures = 0;
        while !download.is_whole() {
            let before = download.have;
            let error = match self.attempt(&mut download, progress) {
                Ok(()) => continue,
                Err(Broken::Lasting(error)) => return Err(error),
                Err(Broken::Passing(error)) => error,
            };
            failures = if download.have > before {
                0
            } else {
                failures + 1
            };
            if failures == ATTEMPTS {
                return Err(error);
            }
            std::thread::sleep(self.options.retry_pause * 4u32.pow(failures));
        }
        download.finish()
    }

    /// Asks for what is missing and takes what comes.
    fn attempt(
        &self,
        download: &mut Download,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Broken> {
        let mut request = self.agent.get(&download.url);
        if let Some(token) = self.login() {
            // Not carried over a redirect to another host.
            request = request.header(header::AUTHORIZATION, token);
        }
        match &download.etag {
            // The tag makes sure that both halves are of the same file: otherwise all of it comes again.
            Some(etag) if download.have > 0 => {
                request = request
                    .header(header::RANGE, format!("bytes={}-", download.have))
                    .header(header::IF_RANGE, etag);
            }
            _ => {}
        }
        let response = request
            .call()
            .map_err(|error| Broken::Passing(unreachable(&download.url, &error, download.have)))?;
        let status = response.status().as_u16();
        match status {
            206 if content_range(&response).is_some_and(|(from, _)| from == download.have) => {
                let total = content_range(&response).and_then(|(_, total)| total);
                download.expect(total)?;
            }
            // The server ignores ranges, or the file is another one now.
            200 => {
                download.restart(strong_etag(&response))?;
                download.expect(response.body().content_length())?;
            }
            // What is here cannot be gone on from: the file became shorter, or the answer is nonsense.
            206 | 416 if download.have > 0 => {
                download.restart(None)?;
                return Ok(());
            }
            _ => {
                let error = StoreError::HubStatus {
                    status,
                    url: download.url.clone(),
                };
                return Err(match status {
                    408 | 429 | 500.. => Broken::Passing(error),
                    _ => Broken::Lasting(error),
                });
            }
        }
        download.take(&mut response.into_body().into_reader(), progress)
    }

    fn login(&self) -> Option<String> {
        self.options
            .token
            .as_ref()
            .map(|token| format!("Bearer {token}"))
    }
}

/// A file that is being fetched.
struct Download {
    url: String,
    path: PathBuf,
    file: File,
    /// What the file is known to be, so that a resumed half fits the first.
    etag: Option<String>,
    have: u64,
    total: Option<u64>,
    /// What was promised before the first answer.
    promised: Option<u64>,
    hash: Sha256,
}

impl Download {
    /// Opens what an earlier pull has fetched, or begins.
    fn resume(
        url: String,
        size: Option<u64>,
        dir: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, StoreError> {
        let path = dir.join("file");
        let needed = size.unwrap_or(0);
        let mut file = layout::private_file(&path).map_err(storage("write", &path, needed))?;
        let etag = fs::read_to_string(dir.join("etag")).ok();
        let mut hash = Sha256::new();
        let mut have = 0;
        if etag.is_some() {
            have = layout::hash_rest(&mut file, &mut hash, &mut |done| {
                progress(Progress {
                    phase: Phase::Verifying,
                    done,
                    total: needed,
                });
            })
            .map_err(storage("read", &path, 0))?;
        } else {
            file.set_len(0).map_err(storage("cut", &path, needed))?;
        }
        let mut download = Self {
            url,
            path,
            file,
            etag,
            have,
            total: size,
            promised: size,
            hash,
        };
        if size.is_some_and(|size| download.have > size) {
            download.restart(None)?;
        }
        Ok(download)
    }

    fn is_whole(&self) -> bool {
        self.total == Some(self.have)
    }

    /// Throws away what is here, and remembers which file comes now.
    fn restart(&mut self, etag: Option<String>) -> Result<(), StoreError> {
        self.file
            .set_len(0)
            .map_err(storage("cut", &self.path, 0))?;
        self.have = 0;
        self.hash = Sha256::new();
        self.total = self.promised;
        let note = self.path.with_file_name("etag");
        match &etag {
            Some(etag) => layout::write_whole(&note, etag.as_bytes())?,
            None => match fs::remove_file(&note) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(storage("remove", &note, 0)(error));
                }
                _ => {}
            },
        }
        self.etag = etag;
        Ok(())
    }

    /// Takes note of the size that an answer names, and refuses another file early.
    fn expect(&mut self, total: Option<u64>) -> Result<(), StoreError> {
        match (self.promised, total) {
            (Some(promised), Some(total)) if promised != total => Err(StoreError::Hub {
                url: self.url.clone(),
                reason: format!("the file there has {total} bytes, expected {promised}"),
                kept: 0,
            }),
            (_, Some(total)) => {
                self.total = Some(total);
                layout::require_space(
                    self.path.parent().unwrap_or(&self.path),
                    total.saturating_sub(self.have),
                )
            }
            (Some(_), None) => Ok(()),
            (None, None) => Err(StoreError::Hub {
                url: self.url.clone(),
                reason: "the hub does not say how large the file is".to_owned(),
                kept: 0,
            }),
        }
    }

    /// Takes the bytes of an answer, until it ends or breaks.
    fn take(
        &mut self,
        body: &mut dyn Read,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Broken> {
        let total = self.total.unwrap_or(0);
        let mut buffer = vec![0; 1 << 18];
        while self.have < total {
            let room = usize::try_from(total - self.have)
                .map_or(buffer.len(), |left| left.min(buffer.len()));
            let count = match body.read(&mut buffer[..room]) {
                Ok(0) => {
                    return Err(Broken::Passing(self.broken("the answer ended early")));
                }
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Broken::Passing(self.broken(&error.to_string()))),
            };
            self.file
                .write_all(&buffer[..count])
                .map_err(storage("write", &self.path, total))?;
            self.hash.update(&buffer[..count]);
            self.have += count as u64;
            progress(Progress {
                phase: Phase::Fetching { part: 0, parts: 1 },
                done: self.have,
                total,
            });
        }
        Ok(())
    }

    fn broken(&self, reason: &str) -> StoreError {
        StoreError::Hub {
            url: self.url.clone(),
            reason: sanitize_line(reason),
            // Without a tag nobody can tell that the rest belongs to it.
            kept: self.etag.as_ref().map_or(0, |_| self.have),
        }
    }

    fn finish(self) -> Result<Fetched, StoreError> {
        self.file
            .sync_all()
            .map_err(storage("write", &self.path, self.have))?;
        Ok(Fetched {
            path: self.path,
            sha256: layout::hex(self.hash),
            size: self.have,
        })
    }
}

/// The first byte and the size of the whole, from `bytes 100-199/200`.
fn content_range<B>(response: &Response<B>) -> Option<(u64, Option<u64>)> {
    let range = response
        .headers()
        .get(header::CONTENT_RANGE)?
        .to_str()
        .ok()?;
    let (span, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (from, _) = span.split_once('-')?;
    Some((from.trim().parse().ok()?, total.trim().parse().ok()))
}

/// The tag of an answer, if it vouches for every byte.
fn strong_etag<B>(response: &Response<B>) -> Option<String> {
    let etag = response.headers().get(header::ETAG)?.to_str().ok()?;
    (etag.starts_with('"') && etag.len() < 1_000).then(|| etag.to_owned())
}

/// The error of a hub that did not answer.
fn unreachable(url: &str, error: &ureq::Error, kept: u64) -> StoreError {
    StoreError::Hub {
        url: url.to_owned(),
        reason: sanitize_line(&error.to_string()),
        kept,
    }
}
