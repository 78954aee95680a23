//! Which repositories the user trusts to instruct the model, and with which text: by the hash of all that they tell.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::protocol::Hash;

/// What is trusted: one line of JSON for each repository.
#[derive(Debug, Clone)]
pub struct Trust {
    path: PathBuf,
}

/// A repository that is trusted with one text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trusted {
    pub root: String,
    pub hash: String,
}

impl Trust {
    /// Uses the file at a path; it need not be there.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Lists what is trusted. A file that cannot be read trusts nothing.
    pub fn list(&self) -> Vec<Trusted> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Tells whether a repository may tell what has this hash.
    pub fn holds(&self, root: &Path, hash: &Hash) -> bool {
        let root = root.display().to_string();
        self.list()
            .iter()
            .any(|one| one.root == root && one.hash == hash.0)
    }

    /// Trusts a repository with a text; what it was trusted with before is not any more.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn grant(&self, root: &Path, hash: &Hash) -> std::io::Result<()> {
        let mut all = self.list();
        let root = root.display().to_string();
        all.retain(|one| one.root != root);
        all.push(Trusted {
            root,
            hash: hash.0.clone(),
        });
        self.write(&all)
    }

    /// Takes the trust in a repository back. Returns whether there was any.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn revoke(&self, root: &Path) -> std::io::Result<bool> {
        let mut all = self.list();
        let before = all.len();
        let root = root.display().to_string();
        all.retain(|one| one.root != root);
        if all.len() < before {
            self.write(&all)?;
        }
        Ok(all.len() < before)
    }

    fn write(&self, all: &[Trusted]) -> std::io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        for one in all {
            writeln!(file, "{}", serde_json::to_string(one)?)?;
        }
        file.sync_all()?;
        fs::rename(&new, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_in_one_text_and_can_be_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let trust = Trust::at(dir.path().join("trust.jsonl"));
        let (root, one, two) = (Path::new("/r"), Hash("1".into()), Hash("2".into()));
        assert!(!trust.holds(root, &one));
        trust.grant(root, &one).unwrap();
        assert!(trust.holds(root, &one) && !trust.holds(root, &two));
        assert!(!trust.holds(Path::new("/other"), &one));
        trust.grant(root, &two).unwrap();
        assert!(!trust.holds(root, &one) && trust.holds(root, &two));
        assert!(trust.revoke(root).unwrap() && !trust.revoke(root).unwrap());
        assert!(!trust.holds(root, &two));
    }
}
