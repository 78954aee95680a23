//! What the user chose about servers while walden ran: which are left out, and which of their tools.
//!
//! The files that configure servers are the user's and the repository's, and a session writes neither; what is chosen
//! in one is kept beside the pins, and counts on top of them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::state_file;

/// What the user chose, of all servers.
#[derive(Debug)]
pub struct Choices {
    /// `None` keeps them in memory only.
    path: Option<PathBuf>,
    kept: Mutex<Map<String, Value>>,
}

impl Choices {
    /// Reads the choices of a file; one that is not there, or cannot be understood, holds none: nothing is allowed by
    /// them that the configuration does not allow.
    pub fn open(path: PathBuf) -> Self {
        let kept = state_file::read(&path).unwrap_or_default();
        Self {
            path: Some(path),
            kept: Mutex::new(kept),
        }
    }

    /// Keeps choices in memory only.
    pub fn in_memory() -> Self {
        Self {
            path: None,
            kept: Mutex::default(),
        }
    }

    /// Tells whether the user chose to leave a server out, or to use one that its configuration leaves out.
    pub fn disabled(&self, key: &str) -> Option<bool> {
        self.lock().get(key)?["disabled"].as_bool()
    }

    /// Returns the tools of a server that the user leaves out.
    pub fn left_out(&self, key: &str) -> BTreeSet<String> {
        let kept = self.lock();
        let tools = kept.get(key).and_then(|one| one["left_out"].as_array());
        tools
            .into_iter()
            .flatten()
            .filter_map(|tool| tool.as_str().map(str::to_owned))
            .collect()
    }

    /// Keeps whether a server is left out.
    ///
    /// # Errors
    /// When the file cannot be written; the choice then holds for this run.
    pub fn set_disabled(&self, key: &str, disabled: bool) -> Result<(), String> {
        self.change(key, |one| one["disabled"] = json!(disabled))
    }

    /// Keeps which tools of a server are left out.
    ///
    /// # Errors
    /// When the file cannot be written; the choice then holds for this run.
    pub fn set_left_out(&self, key: &str, tools: &BTreeSet<String>) -> Result<(), String> {
        self.change(key, |one| one["left_out"] = json!(tools))
    }

    /// Forgets what was chosen about a server.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn forget(&self, key: &str) -> Result<(), String> {
        let mut kept = self.lock();
        match kept.shift_remove(key) {
            Some(_) => self.write(&kept),
            None => Ok(()),
        }
    }

    fn change(&self, key: &str, change: impl FnOnce(&mut Value)) -> Result<(), String> {
        let mut kept = self.lock();
        change(kept.entry(key).or_insert_with(|| json!({})));
        self.write(&kept)
    }

    fn write(&self, kept: &Map<String, Value>) -> Result<(), String> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        state_file::write(path, kept)
            .map_err(|error| format!("cannot keep it in `{}`: {error}", path.display()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Map<String, Value>> {
        // Nothing panics while it is held.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_outlive_the_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mcp/choices.json");
        let choices = Choices::open(path.clone());
        assert_eq!(choices.disabled("it"), None);
        choices.set_disabled("it", true).expect("kept");
        let tools = BTreeSet::from(["a".to_owned()]);
        choices.set_left_out("it", &tools).expect("kept");
        let again = Choices::open(path.clone());
        assert_eq!(again.disabled("it"), Some(true));
        assert_eq!(again.left_out("it"), tools);
        again.forget("it").expect("kept");
        assert_eq!(Choices::open(path).disabled("it"), None);
    }
}
