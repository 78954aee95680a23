//! The eras that servers were met in: kept, so that one which starts slowly is not asked both ways in each session.
//!
//! An era is known of a server that is started in exactly the way it was when it was met; of any other one nothing is
//! known. It says how a server is asked first and nothing more, so what cannot be read or written is no error.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::era::Era;
use super::state_file;

/// The most servers that are remembered.
const SERVERS: usize = 200;

/// What is known of the eras of servers.
#[derive(Debug)]
pub struct Eras {
    /// `None` keeps them in memory only.
    path: Option<PathBuf>,
    kept: Mutex<Map<String, Value>>,
}

impl Eras {
    /// Reads the eras of a file; one that is not there, or cannot be understood, knows none.
    pub fn open(path: PathBuf) -> Self {
        let kept = state_file::read(&path).unwrap_or_default();
        Self {
            path: Some(path),
            kept: Mutex::new(kept),
        }
    }

    /// Keeps eras in memory only.
    pub fn in_memory() -> Self {
        Self {
            path: None,
            kept: Mutex::default(),
        }
    }

    /// Returns the era that a server was last met in, which was started like this.
    pub(super) fn of(&self, key: &str, launch: &Value) -> Option<Era> {
        let kept = self.lock();
        let known = kept.get(key)?;
        if known["launch"] != json!(mark(launch)) {
            return None;
        }
        let eras = [Era::Legacy, Era::Modern];
        eras.into_iter().find(|era| known["era"] == era.name())
    }

    /// Notes the era in which a server was met.
    pub(super) fn met(&self, key: &str, launch: &Value, era: Era) {
        let known = json!({"launch": mark(launch), "era": era.name()});
        let mut kept = self.lock();
        if kept.get(key) == Some(&known) {
            return;
        }
        kept.shift_remove(key);
        while kept.len() >= SERVERS
            && let Some(oldest) = kept.keys().next().cloned()
        {
            kept.shift_remove(&oldest);
        }
        kept.insert(key.to_owned(), known);
        self.write(&kept);
    }

    /// Forgets the era of a server that was another one, or did not answer.
    pub(super) fn forget(&self, key: &str) {
        let mut kept = self.lock();
        if kept.shift_remove(key).is_some() {
            self.write(&kept);
        }
    }

    fn write(&self, kept: &Map<String, Value>) {
        if let Some(path) = &self.path
            && let Err(error) = state_file::write(path, kept)
        {
            tracing::debug!("cannot keep the eras of servers: {error}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Map<String, Value>> {
        // Nothing panics while it is held.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells ways to start a server apart.
fn mark(launch: &Value) -> String {
    let digest = Sha256::digest(launch.to_string());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_era_is_known_of_the_server_that_is_started_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mcp/eras.json");
        let eras = Eras::open(path.clone());
        let launch = json!({"command": "serve"});
        assert_eq!(eras.of("it", &launch), None);
        eras.met("it", &launch, Era::Legacy);
        let again = Eras::open(path.clone());
        assert_eq!(again.of("it", &launch), Some(Era::Legacy));
        assert_eq!(again.of("other", &launch), None);
        assert_eq!(again.of("it", &json!({"command": "serve -v"})), None);
        again.met("it", &launch, Era::Modern);
        assert_eq!(again.of("it", &launch), Some(Era::Modern));
        again.forget("it");
        assert_eq!(Eras::open(path).of("it", &launch), None);
    }

    #[test]
    fn a_file_that_says_something_else_knows_nothing_and_servers_are_not_endless() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("eras.json");
        state_file::write(&path, &Map::from_iter([("it".to_owned(), json!(7))])).expect("written");
        let eras = Eras::open(path);
        let launch = json!({});
        assert_eq!(eras.of("it", &launch), None);
        for number in 0..=SERVERS {
            eras.met(&number.to_string(), &launch, Era::Modern);
        }
        assert_eq!(eras.of("0", &launch), None);
        assert_eq!(eras.of(&SERVERS.to_string(), &launch), Some(Era::Modern));
        assert_eq!(eras.lock().len(), SERVERS);
    }
}
