//! Moving a file, and marking it as a program: changes of no byte, bound to the file that was shown as any other change is.

use super::diff::{EXECUTABLE_DATA, change_of, is_executable_data};
use super::edit::{EditError, Plan};
use super::entry::{self, MoveError};
use super::roots::{FileBytes, Roots, RootsError};
use super::write::{self, Guarded, Missing, Target, WriteError};
use crate::protocol::{ChangeKind, FileChange, Hash, MOVED_TO, Modes};

/// Why a file is not moved, or does not get other permissions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MovingError {
    #[error("`{path}` is a link; move the file that it leads to")]
    Link { path: String },
    #[error("cannot move to `{path}`: something is there already; choose another name")]
    Taken { path: String },
    #[error("`{path}` already is {what}; nothing would change")]
    NoChange { path: String, what: &'static str },
    #[error(transparent)]
    Move(#[from] MoveError),
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Roots(#[from] RootsError),
}

/// A planned move, or other permissions.
#[derive(Debug, Clone)]
pub struct Moving {
    change: FileChange,
}

/// Plans to move a file to another path, where nothing stands. Folders that are missing are made.
///
/// # Errors
///
/// When there is no such file, when something is at the other path, or when one of them cannot be written.
pub fn plan_move(roots: &Roots, from: &str, to: &str) -> Result<Moving, MovingError> {
    let file = file_itself(roots, from)?;
    let name = free_name(roots, to)?;
    // Of two empty contents: what differs is not the lines.
    let after = Some(file.hash.clone());
    let (mut change, left) = halves(&file, change_of(&name, None, None), after);
    change.others.push(left);
    Ok(Moving { change })
}

/// Plans to move a file to a path where nothing stands, with another content: what makes it there, and what takes it
/// from where it was.
///
/// # Errors
///
/// As [`plan_move`].
pub(super) fn plan_moved(
    roots: &Roots,
    from: &str,
    to: &str,
    content: &str,
) -> Result<[Plan; 2], MovingError> {
    let file = file_itself(roots, from)?;
    let name = free_name(roots, to)?;
    let after = content.as_bytes().to_vec();
    let change = change_of(&name, Some(&file.bytes), Some(&after));
    let hash = change.after.clone();
    let (change, left) = halves(&file, change, hash);
    let mode = file.mode & 0o777;
    let made = Plan::of_move(change, file.bytes.clone(), after, mode);
    let gone = Plan::of_move(left, file.bytes, Vec::new(), mode);
    Ok([made, gone])
}

/// Names a path where nothing stands.
fn free_name(roots: &Roots, to: &str) -> Result<String, MovingError> {
    let name = Target::itself(roots, to)?.name;
    if roots.is_directory(&name) || roots.is_there(&name) || links_at(roots, &name) {
        return Err(MovingError::Taken { path: name });
    }
    Ok(name)
}

/// Makes of a change of lines the two halves of a move: that a file is made with them, and that it goes from where it was.
fn halves(file: &FileBytes, lines: FileChange, after: Option<Hash>) -> (FileChange, FileChange) {
    let mut left = FileChange {
        kind: ChangeKind::Delete,
        base: Some(file.hash.clone()),
        after: None,
        ..change_of(&file.path, None, None)
    };
    let mut change = FileChange {
        kind: ChangeKind::Create,
        base: None,
        after,
        from: Some(file.path.clone()),
        ..lines
    };
    // With these the file is made again if the move is undone.
    left.notes.push(format!("mode {:o}", file.mode & 0o777));
    if file.mode & 0o111 != 0 {
        change.notes.push(format!("mode {:o}", file.mode & 0o777));
    }
    left.notes.push(format!("{MOVED_TO}{}", change.path));
    (change, left)
}

/// Plans to let a file be run as a program by whoever may read it, or by nobody.
///
/// # Errors
///
/// When there is no such file, it cannot be written, or it is like this already.
pub fn plan_executable(roots: &Roots, path: &str, runs: bool) -> Result<Moving, MovingError> {
    let file = file_itself(roots, path)?;
    let before = file.mode & 0o777;
    let after = match runs {
        true => before | (before & 0o444) >> 2,
        false => before & !0o111,
    };
    if before == after {
        let what = match runs {
            true => "executable",
            false => "not executable",
        };
        return Err(MovingError::NoChange {
            path: file.path,
            what,
        });
    }
    let mut change = change_of(&file.path, Some(&file.bytes), Some(&file.bytes));
    change.notes.clear();
    if runs || is_executable_data(&file.path) {
        change.notes.push(EXECUTABLE_DATA.to_owned());
    }
    change.modes = Some(Modes { before, after });
    Ok(Moving { change })
}

/// Reads a file that is no link, and may be written.
fn file_itself(roots: &Roots, path: &str) -> Result<FileBytes, MovingError> {
    // Reading first: its error names the nearest paths.
    let file = roots.read(path)?;
    let name = write::check(roots, path, Guarded::ReadOnly)?;
    let itself = Target::itself(roots, path)?.name;
    if itself != name {
        return Err(MovingError::Link { path: itself });
    }
    Ok(FileBytes { path: name, ..file })
}

/// Tells whether a link stands there, wherever it leads.
fn links_at(roots: &Roots, path: &str) -> bool {
    Target::itself(roots, path)
        .and_then(|target| target.stands())
        .unwrap_or(false)
}

impl Moving {
    /// Returns what would be done.
    pub fn change(&self) -> &FileChange {
        &self.change
    }

    /// Does it, if the file still is what it was planned on.
    ///
    /// # Errors
    ///
    /// When the file is another, or cannot be moved. It then stands where it stood, as it was.
    pub fn apply(&self, roots: &Roots) -> Result<(), MovingError> {
        let change = &self.change;
        if let Some(modes) = change.modes {
            return Ok(set_mode(roots, &change.path, change.base.as_ref(), modes)?);
        }
        let Some(from) = &change.from else {
            return Ok(());
        };
        let changed = || WriteError::BaseChanged { path: from.clone() };
        let stands = |path: &str| -> Option<Hash> { Some(roots.read_if_there(path).ok()??.hash) };
        if stands(from) != change.after {
            return Err(changed().into());
        }
        Target::itself(roots, &change.path)?.directory(Missing::Create)?;
        entry::move_entry(roots, from, &change.path)?;
        // What was saved between the look and the move has been seen by nobody: it goes back to its name.
        if stands(&change.path) != change.after {
            entry::move_entry(roots, &change.path, from)?;
            return Err(changed().into());
        }
        Ok(())
    }
}

/// Gives a file other permissions, if it has those that it is to have before, and the bytes of `base`.
pub(super) fn set_mode(
    roots: &Roots,
    path: &str,
    base: Option<&Hash>,
    modes: Modes,
) -> Result<(), WriteError> {
    let changed = || WriteError::BaseChanged {
        path: path.to_owned(),
    };
    let file = roots.read(path)?;
    if base.is_some_and(|base| file.hash != *base) || file.mode & 0o777 != modes.before {
        return Err(changed());
    }
    Target::of(roots, path)?.set_mode(modes.after)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test lays its own files")]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::super::{ChangeSet, Checkpoints};
    use super::*;

    struct Fixture {
        folder: tempfile::TempDir,
        store: tempfile::TempDir,
        roots: Roots,
    }

    impl Fixture {
        fn new(files: &[(&str, &str, u32)]) -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            for (name, text, mode) in files {
                let path = folder.path().join(name);
                fs::write(&path, text).expect("written");
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).expect("set");
            }
            let roots = Roots::open(&[folder.path().to_owned()]).expect("roots");
            let store = tempfile::tempdir().expect("a folder");
            Self {
                folder,
                store,
                roots,
            }
        }

        fn at(&self, name: &str) -> Option<(String, u32)> {
            let path = self.folder.path().join(name);
            let mode = fs::metadata(&path).ok()?.permissions().mode() & 0o777;
            Some((fs::read_to_string(path).ok()?, mode))
        }

        fn undo(&self, change: &FileChange, then: impl FnOnce(&Path)) -> Vec<Option<String>> {
            let kept = Checkpoints::open(self.store.path()).expect("a store");
            for file in change.files() {
                kept.keep(&self.roots, file).expect("kept");
            }
            then(self.folder.path());
            let changes: Vec<FileChange> = change.clone().into_files();
            let undone = kept.undo(&self.roots, &changes);
            undone.into_iter().map(|file| file.refused).collect()
        }
    }

    #[test]
    fn a_moved_file_keeps_its_bytes_and_mode_and_goes_back_when_undone() {
        let world = Fixture::new(&[("a.sh", "echo\n", 0o750)]);
        let plan = plan_move(&world.roots, "a.sh", "bin/deep/b.sh").expect("a plan");
        let change = plan.change();
        assert!(change.keeps_content());
        assert_eq!(change.shown().count(), 1);
        assert_eq!((change.added, change.removed), (0, 0));
        let refused = world.undo(change, |_| plan.apply(&world.roots).expect("moved"));
        assert_eq!(refused, [None, None]);
        assert_eq!(world.at("a.sh"), Some(("echo\n".to_owned(), 0o750)));
        assert_eq!(world.at("bin/deep/b.sh"), None);
        plan.apply(&world.roots).expect("moved again");
        assert_eq!(world.at("a.sh"), None);
        let there = world.at("bin/deep/b.sh");
        assert_eq!(there, Some(("echo\n".to_owned(), 0o750)));
    }

    #[test]
    fn a_file_that_is_moved_with_other_lines_keeps_its_mode_and_goes_back_when_undone() {
        let world = Fixture::new(&[("a", "1\n2\n", 0o750), ("b", "x\n", 0o644)]);
        let texts = [("a", "1\n3\n"), ("b", "y\n")];
        let texts = texts.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let moved = ("a".to_owned(), "new/c".to_owned());
        let set = ChangeSet::of_texts(&world.roots, &texts.into(), Some(&moved));
        let set = set.expect("a plan").expect("changes");
        let change = set.change();
        let told: Vec<_> = change
            .shown()
            .map(|file| (file.path.as_str(), file.added, file.removed))
            .collect();
        assert_eq!(told, [("new/c", 1, 1), ("b", 1, 1)]);
        let refused = world.undo(&change, |_| {
            set.apply(&world.roots).expect("made");
            assert_eq!(world.at("a"), None);
            assert_eq!(world.at("new/c"), Some(("1\n3\n".to_owned(), 0o750)));
        });
        assert_eq!(refused, [None, None, None]);
        assert_eq!(world.at("a"), Some(("1\n2\n".to_owned(), 0o750)));
        assert_eq!(world.at("new/c"), None);
        // The last file cannot be written: what was done before is put back.
        let folder = world.folder.path();
        fs::set_permissions(folder.join("b"), fs::Permissions::from_mode(0o444)).expect("set");
        assert!(set.apply(&world.roots).is_err());
        assert_eq!(world.at("a"), Some(("1\n2\n".to_owned(), 0o750)));
        assert_eq!(world.at("new/c"), None);
    }

    #[test]
    fn nothing_is_moved_over_something_or_when_it_changed() {
        let world = Fixture::new(&[("a", "1", 0o644), ("b", "2", 0o644)]);
        std::os::unix::fs::symlink("nowhere", world.folder.path().join("l")).expect("a link");
        for taken in ["b", "l", "."] {
            assert!(plan_move(&world.roots, "a", taken).is_err(), "{taken}");
        }
        let plan = plan_move(&world.roots, "a", "c").expect("a plan");
        fs::write(world.folder.path().join("a"), "theirs").expect("written");
        let error = plan.apply(&world.roots).expect_err("it changed");
        assert!(error.to_string().contains("`a`"), "{error}");
        assert_eq!(world.at("a"), Some(("theirs".to_owned(), 0o644)));
        let error = plan_move(&world.roots, "l", "c").expect_err("a link");
        assert!(!error.to_string().is_empty());
        for path in ["../out", ".git/x"] {
            assert!(plan_move(&world.roots, "a", path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_mode_is_set_and_put_back_and_nobody_else_s_is_touched() {
        let world = Fixture::new(&[("run", "x\n", 0o640)]);
        let plan = plan_executable(&world.roots, "run", true).expect("a plan");
        let change = plan.change();
        assert_eq!(
            change.modes.map(|modes| modes.to_string()).as_deref(),
            Some("100640 → 100750")
        );
        assert!(change.is_executable_data(), "it is a program then");
        let refused = world.undo(change, |_| {
            plan.apply(&world.roots).expect("set");
            assert_eq!(world.at("run").map(|(_, mode)| mode), Some(0o750));
        });
        assert_eq!(refused, [None]);
        assert_eq!(world.at("run"), Some(("x\n".to_owned(), 0o640)));
        let same = plan_executable(&world.roots, "run", false).expect_err("it is so");
        assert!(same.to_string().contains("not executable"), "{same}");
        let path = world.folder.path().join("run");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
        assert!(plan.apply(&world.roots).is_err(), "it has another mode now");
        assert_eq!(world.at("run").map(|(_, mode)| mode), Some(0o600));
    }
}
