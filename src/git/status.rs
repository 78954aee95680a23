//! The state of the working tree, in the long form that `git status` prints.

use git2::{Delta, DiffDelta, RepositoryState, Status, StatusOptions, StatusShow};

use super::touched::Strangers;
use super::{GitError, Repo};

/// The mode of an index entry that is a submodule.
const GITLINK: u32 = 0o160_000;

/// What there is to say, before it is laid out. Every line is a label and what it is about.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) staged: Vec<Line>,
    pub(super) unmerged: Vec<Line>,
    pub(super) unstaged: Vec<Line>,
    pub(super) untracked: Vec<Line>,
    dirty_submodules: bool,
}

/// One path in the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) label: &'static str,
    /// As it is in the repository, to sort by and to work with.
    pub(super) path: Vec<u8>,
    /// As it is shown.
    text: String,
}

impl Repo {
    /// Returns what `git status` would print.
    ///
    /// # Errors
    ///
    /// When the repository is bare or cannot be read.
    pub fn status(&self) -> Result<String, GitError> {
        self.workdir()?;
        let found = self.found(Untracked::Folders)?;
        let initial = self.is_unborn();
        let state = self.git.state();
        let mut out = self.branch_line();
        if !initial {
            out += &self.tracking();
        }
        out += &self.in_progress(state, &found);
        if initial {
            out += "\nNo commits yet\n\n";
        }
        let plain = !matches!(
            state,
            RepositoryState::Merge
                | RepositoryState::CherryPick
                | RepositoryState::CherryPickSequence
        );
        let unstage = match (plain, initial) {
            (false, _) => "",
            (true, true) => "  (use \"git rm --cached <file>...\" to unstage)\n",
            (true, false) => "  (use \"git restore --staged <file>...\" to unstage)\n",
        };
        if !found.staged.is_empty() {
            out += "Changes to be committed:\n";
            out += unstage;
            lay_out(&mut out, &found.staged, 12);
        }
        if !found.unmerged.is_empty() {
            out += "Unmerged paths:\n";
            out += unstage;
            out += resolution_hint(&found.unmerged);
            lay_out(&mut out, &found.unmerged, 17);
        }
        if !found.unstaged.is_empty() {
            out += "Changes not staged for commit:\n";
            out += match found.unstaged.iter().any(|line| line.label == "deleted:") {
                true => "  (use \"git add/rm <file>...\" to update what will be committed)\n",
                false => "  (use \"git add <file>...\" to update what will be committed)\n",
            };
            out += "  (use \"git restore <file>...\" to discard changes in working directory)\n";
            if found.dirty_submodules {
                out += "  (commit or discard the untracked or modified content in submodules)\n";
            }
            lay_out(&mut out, &found.unstaged, 12);
        }
        if !found.untracked.is_empty() {
            out += "Untracked files:\n";
            out += "  (use \"git add <file>...\" to include in what will be committed)\n";
            lay_out(&mut out, &found.untracked, 0);
        }
        let hidden = self.hides_untracked();
        let merged = state == RepositoryState::Merge && found.unmerged.is_empty();
        if !found.staged.is_empty() || merged {
            if hidden {
                out += "Untracked files not listed (use -u option to show untracked files)\n";
            }
        } else if !found.unstaged.is_empty() || !found.unmerged.is_empty() {
            out += "no changes added to commit (use \"git add\" and/or \"git commit -a\")\n";
        } else if !found.untracked.is_empty() {
            out +=
                "nothing added to commit but untracked files present (use \"git add\" to track)\n";
        } else if initial {
            out += "nothing to commit (create/copy files and use \"git add\" to track)\n";
        } else if hidden {
            out += "nothing to commit (use -u to show untracked files)\n";
        } else {
            out += "nothing to commit, working tree clean\n";
        }
        // One line break at the end belongs to the form, as for the programs that read it.
        if out.ends_with('\n') {
            out.pop();
        }
        Ok(out)
    }

    /// Tells whether the current branch has no commit yet.
    pub fn is_unborn(&self) -> bool {
        self.git.head().is_err() && self.unborn_or_current().is_some()
    }

    /// Lists untracked files and folders, those beneath a path if one is given.
    ///
    /// # Errors
    ///
    /// When the path is outside the repository, or the repository is bare or cannot be read.
    pub fn untracked(&self, path: Option<&str>) -> Result<Vec<String>, GitError> {
        self.workdir()?;
        let beneath = path.map(|path| self.inner_path(path)).transpose()?;
        let lines = self.found(Untracked::Folders)?.untracked;
        let texts = lines.into_iter().filter(|line| {
            let path = String::from_utf8_lossy(&line.path).into_owned();
            let beneath = beneath.as_deref().unwrap_or_default();
            path.starts_with(beneath) || beneath.starts_with(&path)
        });
        Ok(texts.map(|line| line.text).collect())
    }

    fn hides_untracked(&self) -> bool {
        self.settings.get("status.showuntrackedfiles") == Some("no")
    }

    /// Finds what differs between the last commit, the index and the files.
    pub(super) fn found(&self, untracked: Untracked) -> Result<Found, GitError> {
        self.found_by(How::Narrowed, untracked)
    }

    pub(super) fn found_by(&self, how: How, untracked: Untracked) -> Result<Found, GitError> {
        let every = untracked == Untracked::Files
            || self.settings.get("status.showuntrackedfiles") == Some("all");
        let renames = ["status.renames", "diff.renames"]
            .iter()
            .find_map(|name| self.settings.get(name))
            .is_none_or(|value| !matches!(value, "false" | "no" | "off" | "0"));
        let hidden = self.hides_untracked() || untracked == Untracked::None;
        let options = || {
            let mut options = StatusOptions::new();
            options
                .include_untracked(!hidden)
                .recurse_untracked_dirs(every)
                .renames_head_to_index(renames)
                // Their `.git` may lead anywhere: they are opened below, as any repository is.
                .exclude_submodules(true)
                .sort_case_sensitively(true)
                .include_unreadable(true);
            options
        };
        let index = self.git.index()?;
        let mut found = Found::default();
        let strangers = match hidden {
            true => Strangers::LeftOut,
            false => Strangers::Named,
        };
        let touched = match how {
            How::Narrowed => self.touched(strangers)?,
            #[cfg(test)]
            How::Whole => None,
        };
        match touched {
            None => self.sort(&index, &mut options(), &mut found)?,
            // The two halves by themselves: most often there is nothing staged, and little else.
            Some(touched) => {
                if !self.nothing_staged(index.len()) {
                    self.sort(&index, options().show(StatusShow::Index), &mut found)?;
                }
                if !touched.files.is_empty() || !touched.folders.is_empty() {
                    let mut options = options();
                    options
                        .show(StatusShow::Workdir)
                        .disable_pathspec_match(true)
                        // Into the folders in which they are: libgit2 does not see that these are not new ones.
                        .recurse_untracked_dirs(true);
                    for path in touched.files.iter().chain(&touched.folders) {
                        options.pathspec(path);
                    }
                    self.sort(&index, &mut options, &mut found)?;
                    if !every {
                        self.fold(&mut found.untracked, &touched.folders);
                    }
                }
            }
        }
        if index.has_conflicts() {
            self.unmerged(&index, &mut found)?;
        }
        if index.get_path(".gitmodules".as_ref(), 0).is_some() {
            self.submodules(&index, &mut found)?;
        }
        found.staged.sort_by(|a, b| a.path.cmp(&b.path));
        found.unstaged.sort_by(|a, b| a.path.cmp(&b.path));
        found.untracked.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Puts folders in the place of the untracked files beneath them.
    fn fold(&self, untracked: &mut Vec<Line>, folders: &[String]) {
        for folder in folders {
            let path = format!("{folder}/").into_bytes();
            let before = untracked.len();
            untracked.retain(|line| !line.path.starts_with(&path));
            if untracked.len() < before {
                untracked.push(Line {
                    label: "",
                    text: self.shown(&path),
                    path,
                });
            }
        }
    }

    /// Asks libgit2 what differs, and sorts it by where it is to be said.
    fn sort(
        &self,
        index: &git2::Index,
        options: &mut StatusOptions,
        found: &mut Found,
    ) -> Result<(), GitError> {
        let statuses = self.git.statuses(Some(options))?;
        for entry in statuses.iter() {
            let status = entry.status();
            let path = entry.path_bytes();
            if status.contains(Status::CONFLICTED) {
                continue;
            }
            if let Some(delta) = entry.head_to_index()
                && let Some(label) = label_of(&delta)
            {
                found.staged.push(self.line(label, &delta));
            }
            if let Some(delta) = entry.index_to_workdir() {
                let absent_by_choice = delta.status() == Delta::Deleted
                    && is_sparse(index, delta.old_file().path_bytes().unwrap_or_default());
                if let Some(label) = label_of(&delta).filter(|_| !absent_by_choice) {
                    found.unstaged.push(self.line(label, &delta));
                }
            }
            if status.contains(Status::WT_NEW) {
                found.untracked.push(Line {
                    label: "",
                    path: path.to_vec(),
                    text: self.shown(path),
                });
            }
        }
        Ok(())
    }

    fn line(&self, label: &'static str, delta: &DiffDelta<'_>) -> Line {
        let old = delta.old_file().path_bytes().unwrap_or_default();
        let new = delta.new_file().path_bytes().unwrap_or(old);
        let text = match delta.status() {
            Delta::Renamed | Delta::Copied => format!("{} -> {}", self.shown(old), self.shown(new)),
            _ => self.shown(new),
        };
        Line {
            label,
            path: new.to_vec(),
            text,
        }
    }

    fn unmerged(&self, index: &git2::Index, found: &mut Found) -> Result<(), GitError> {
        for conflict in index.conflicts()? {
            let conflict = conflict?;
            let sides = [&conflict.ancestor, &conflict.our, &conflict.their];
            let Some(entry) = sides.into_iter().flatten().next() else {
                continue;
            };
            found.unmerged.push(Line {
                label: match sides.map(Option::is_some) {
                    [_, false, false] => "both deleted:",
                    [false, true, false] => "added by us:",
                    [true, true, false] => "deleted by them:",
                    [false, false, true] => "added by them:",
                    [true, false, true] => "deleted by us:",
                    [false, true, true] => "both added:",
                    [true, true, true] => "both modified:",
                },
                path: entry.path.clone(),
                text: self.shown(&entry.path),
            });
        }
        Ok(())
    }

    /// Looks into the submodules, each opened within the roots; one that cannot be is named with the reason.
    fn submodules(&self, index: &git2::Index, found: &mut Found) -> Result<(), GitError> {
        let head = self
            .git
            .head()
            .ok()
            .and_then(|head| head.peel_to_tree().ok());
        for entry in index.iter().filter(|entry| entry.mode == GITLINK) {
            let name = String::from_utf8_lossy(&entry.path).into_owned();
            let committed = head
                .as_ref()
                .and_then(|tree| tree.get_path(name.as_ref()).ok())
                .map(|entry| entry.id());
            let line = |label, note: &str| Line {
                label,
                path: entry.path.clone(),
                text: self.shown(&entry.path) + note,
            };
            if committed != Some(entry.id) {
                let label = match committed {
                    None => "new file:",
                    Some(_) => "modified:",
                };
                found.staged.push(line(label, ""));
            }
            let folder = self.workdir()?.join(&name);
            if !folder.join(".git").exists() {
                continue;
            }
            let inner = match Self::open(&self.roots, &folder.to_string_lossy()) {
                Ok(inner) => inner,
                Err(error) => {
                    found
                        .unstaged
                        .push(line("modified:", &format!(" (not looked into: {error})")));
                    continue;
                }
            };
            let mut notes = Vec::new();
            let at = inner.git.head().ok().and_then(|head| head.target());
            if at != Some(entry.id) {
                notes.push("new commits");
            }
            let content = inner.found(Untracked::Folders)?;
            if !content.staged.is_empty() || !content.unstaged.is_empty() {
                notes.push("modified content");
                found.dirty_submodules = true;
            }
            if !content.untracked.is_empty() {
                notes.push("untracked content");
                found.dirty_submodules = true;
            }
            if !notes.is_empty() {
                found
                    .unstaged
                    .push(line("modified:", &format!(" ({})", notes.join(", "))));
            }
        }
        Ok(())
    }
}

/// What libgit2 is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// The files that may differ.
    Narrowed,
    /// All files, which comes to the same.
    #[cfg(test)]
    Whole,
}

/// Whether and how untracked files are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untracked {
    None,
    /// A folder that has nothing but untracked files is one entry.
    Folders,
    Files,
}

fn label_of(delta: &DiffDelta<'_>) -> Option<&'static str> {
    match delta.status() {
        Delta::Added => Some("new file:"),
        Delta::Deleted => Some("deleted:"),
        Delta::Modified | Delta::Unreadable => Some("modified:"),
        Delta::Renamed => Some("renamed:"),
        Delta::Copied => Some("copied:"),
        Delta::Typechange => Some("typechange:"),
        Delta::Unmodified | Delta::Ignored | Delta::Untracked | Delta::Conflicted => None,
    }
}

/// Tells whether a file is absent because the checkout is sparse.
pub(super) fn is_sparse(index: &git2::Index, path: &[u8]) -> bool {
    const SKIP_WORKTREE: u16 = 1 << 14;
    let path = String::from_utf8_lossy(path);
    let entry = index.get_path(path.as_ref().as_ref(), 0);
    entry.is_some_and(|entry| entry.flags_extended & SKIP_WORKTREE != 0)
}

fn resolution_hint(unmerged: &[Line]) -> &'static str {
    let any = |labels: &[&str]| unmerged.iter().any(|line| labels.contains(&line.label));
    let both_deleted = any(&["both deleted:"]);
    let one_deleted = any(&["deleted by us:", "deleted by them:"]);
    let kept = any(&[
        "added by us:",
        "added by them:",
        "both added:",
        "both modified:",
    ]);
    match (both_deleted, one_deleted, kept) {
        (false, false, _) => "  (use \"git add <file>...\" to mark resolution)\n",
        (true, false, false) => "  (use \"git rm <file>...\" to mark resolution)\n",
        _ => "  (use \"git add/rm <file>...\" as appropriate to mark resolution)\n",
    }
}

fn lay_out(out: &mut String, lines: &[Line], width: usize) {
    for line in lines {
        *out += &format!("\t{:width$}{}\n", line.label, line.text);
    }
    out.push('\n');
}
