//! Changes of several files that are made together, or not at all.

use std::collections::BTreeMap;

use super::Roots;
use super::edit::{Plan, plan_exactly};
use super::moving::{MovingError, plan_moved};
use super::write::{self, Guarded, WriteError};
use crate::protocol::FileChange;

/// Planned changes of several files, each of another one.
#[derive(Debug, Clone)]
pub struct ChangeSet {
    first: Plan,
    others: Vec<Plan>,
}

impl ChangeSet {
    /// Puts plans together; `None` where there are none.
    pub fn of(plans: Vec<Plan>) -> Option<Self> {
        let mut plans = plans.into_iter();
        Some(Self {
            first: plans.next()?,
            others: plans.collect(),
        })
    }

    /// Plans what files are to hold, one of which may move to another path as well; `None` where there are none.
    ///
    /// # Errors
    ///
    /// When one of them cannot be written.
    pub fn of_texts(
        roots: &Roots,
        texts: &BTreeMap<String, String>,
        moved: Option<&(String, String)>,
    ) -> Result<Option<Self>, MovingError> {
        let mut plans = Vec::new();
        for (path, text) in texts {
            match moved.filter(|(from, _)| from == path) {
                Some((from, to)) => plans.extend(plan_moved(roots, from, to, text)?),
                None => plans.push(plan_exactly(roots, path, text, Guarded::ReadOnly)?),
            }
        }
        Ok(Self::of(plans))
    }

    /// Returns the change of the first file, which has those of the others with it.
    pub fn change(&self) -> FileChange {
        let others = self.others.iter().map(|plan| plan.change.clone());
        FileChange {
            others: others.collect(),
            ..self.first.change.clone()
        }
    }

    fn plans(&self) -> impl Iterator<Item = &Plan> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Makes all changes, if all files still are what they were planned on.
    ///
    /// All files are looked at before the first is written. Where one cannot be written all the same, those before it
    /// are put back to what they were, unless somebody has changed them in between.
    ///
    /// # Errors
    ///
    /// When a file is another than it was, or cannot be written. Nothing is changed then.
    pub fn apply(&self, roots: &Roots) -> Result<(), WriteError> {
        for plan in self.plans() {
            let path = &plan.change.path;
            let now = roots.read_if_there(path).map_err(WriteError::Roots)?;
            if now.map(|file| file.hash) != plan.change.base {
                return Err(WriteError::BaseChanged { path: path.clone() });
            }
        }
        for (made, plan) in self.plans().enumerate() {
            if let Err(error) = plan.apply(roots) {
                self.take_back(roots, made);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Puts back the first of the files.
    fn take_back(&self, roots: &Roots, made: usize) {
        for plan in self.plans().take(made) {
            let change = &plan.change;
            let (before, _) = plan.bytes();
            let before = change.base.is_some().then_some(before);
            // What was changed in between is somebody else's, and is left.
            let _ = write::put(
                roots,
                &change.path,
                change.after.as_ref(),
                before,
                plan.mode(),
                Guarded::ReadOnly,
            );
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test lays its own files")]
mod tests {
    use super::super::plan_exactly;
    use super::*;

    fn check(between: impl FnOnce(&std::path::Path)) -> (Result<(), WriteError>, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a"), "1").expect("written");
        std::fs::write(path("b"), "2").expect("written");
        let roots = Roots::open(&[folder.path().to_owned()]).expect("roots");
        let plans = ["a", "b", "c"]
            .map(|name| plan_exactly(&roots, name, "new", Guarded::ReadOnly).expect("a plan"));
        let set = ChangeSet::of(plans.into()).expect("changes");
        let change = set.change();
        let paths: Vec<&str> = change.files().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a", "b", "c"]);
        between(folder.path());
        let made = set.apply(&roots);
        let texts = ["a", "b", "c"]
            .map(|name| std::fs::read_to_string(path(name)).unwrap_or_else(|_| "none".to_owned()));
        (made, texts.into())
    }

    #[test]
    fn all_files_are_written_or_none() {
        let (made, texts) = check(|_| {});
        assert!(made.is_ok());
        assert_eq!(texts, ["new", "new", "new"]);
    }

    #[test]
    fn a_file_that_changed_keeps_all_as_they_are() {
        let (made, texts) = check(|folder| {
            std::fs::write(folder.join("b"), "other").expect("written");
        });
        assert!(matches!(made, Err(WriteError::BaseChanged { path }) if path == "b"));
        assert_eq!(texts, ["1", "other", "none"]);
    }

    #[test]
    fn what_was_written_before_a_failure_is_put_back() {
        // A folder where the last file is to be: that is seen when it is written, or when it is looked at.
        let (made, texts) = check(|folder| {
            std::fs::create_dir(folder.join("c")).expect("made");
        });
        assert!(made.is_err());
        assert_eq!(texts, ["1", "2", "none"]);
    }
}
