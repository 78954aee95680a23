//! Differences, as text in the form that `git diff` prints.

use std::path::Path;

use git2::{Delta, Diff, DiffFindOptions, DiffOptions, Tree};

use super::touched::Strangers;
use super::trees::Renames;
use super::{GitError, Repo};

/// The mode of an index entry that is a submodule.
const GITLINK: u32 = 0o160_000;

/// The most context around a change.
const MAX_CONTEXT: u32 = 10_000;

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiffOf {
    /// The index with the files.
    Unstaged,
    /// The last commit with the index.
    Staged,
    /// A revision with the files; `A..B` two revisions; `A...B` the second with where it left the first.
    Target(String),
}

/// How a difference is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffForm {
    /// Unchanged lines around each change.
    pub context: u32,
    /// Only these paths, files or folders; all where empty.
    pub paths: Vec<String>,
    /// How many lines changed in each file, instead of the lines.
    pub stat: bool,
}

impl Default for DiffForm {
    fn default() -> Self {
        Self {
            context: 3,
            paths: Vec::new(),
            stat: false,
        }
    }
}

impl Repo {
    /// Returns a difference as text; an empty one where nothing differs.
    ///
    /// # Errors
    ///
    /// When a revision does not exist, or the repository is bare and its files are asked for.
    pub fn diff(&self, of: &DiffOf, form: &DiffForm) -> Result<String, GitError> {
        if let Some(text) = self.plain_diff(of, form)? {
            return Ok(text);
        }
        let mut options = self.diff_options(form)?;
        let mut submodules = Vec::new();
        let mut diff = match of {
            DiffOf::Unstaged => {
                self.workdir()?;
                submodules = self.moved_submodules(form)?;
                let mut options = self.diff_options(form)?;
                options.include_typechange(true);
                match self.changed_files(form, options)? {
                    Some(diff) => diff,
                    None => return Ok(submodules.concat()),
                }
            }
            DiffOf::Staged => {
                let head = self.head_tree()?;
                self.git
                    .diff_tree_to_index(head.as_ref(), None, Some(&mut options))?
            }
            DiffOf::Target(target) => {
                self.diff_target(target, form, &mut options, &mut submodules)?
            }
        };
        if let Some(others) = self.without_absent(of, &diff)? {
            return match others.is_empty() {
                true => Ok(String::new()),
                false => {
                    let paths = others;
                    self.diff(
                        of,
                        &DiffForm {
                            paths,
                            ..form.clone()
                        },
                    )
                }
            };
        }
        self.find_renames(&mut diff)?;
        if form.stat {
            return self.numbers(&diff);
        }
        let mut text = match of {
            DiffOf::Unstaged => self.unmerged_files(form)?,
            DiffOf::Staged | DiffOf::Target(_) => unmerged_names(&diff),
        };
        text += &self.printed(&diff, form.context.min(MAX_CONTEXT))?;
        text += &submodules.concat();
        Ok(text)
    }

    /// Returns the difference where it is a plain matter, which needs no libgit2.
    fn plain_diff(&self, of: &DiffOf, form: &DiffForm) -> Result<Option<String>, GitError> {
        if !form.paths.is_empty() {
            return Ok(None);
        }
        let context = form.context.min(MAX_CONTEXT);
        match of {
            DiffOf::Staged => Ok(None),
            DiffOf::Unstaged if form.stat => Ok(None),
            DiffOf::Unstaged => {
                self.workdir()?;
                self.plain_edits(context)
            }
            DiffOf::Target(target) => {
                super::names::no_dash("target", target)?;
                let Some(range) = range(target) else {
                    return Ok(None);
                };
                let [old, new] = self.range_trees(range)?;
                let changes = self.plain_changes(Some(old.id()), new.id())?;
                Ok(changes.and_then(|changes| match form.stat {
                    true => self.numbers_plainly(&changes),
                    false => self.printed_plainly(&changes, context),
                }))
            }
        }
    }

    /// Compares the index with the files; `None` where all are as they were.
    fn changed_files(
        &self,
        form: &DiffForm,
        mut options: DiffOptions,
    ) -> Result<Option<Diff<'_>>, GitError> {
        // Their `.git` may lead anywhere: libgit2 is not let into them.
        options.ignore_submodules(true);
        if form.paths.is_empty()
            && let Some(touched) = self.touched(Strangers::LeftOut)?
        {
            if touched.files.is_empty() {
                return Ok(None);
            }
            touched.files.into_iter().for_each(|path| {
                options.pathspec(path);
            });
        }
        Ok(Some(
            self.git.diff_index_to_workdir(None, Some(&mut options))?,
        ))
    }

    /// Returns the changed paths without those that are absent because the checkout is sparse, if there are such.
    fn without_absent(
        &self,
        of: &DiffOf,
        diff: &Diff<'_>,
    ) -> Result<Option<Vec<String>>, GitError> {
        let with_files = match of {
            DiffOf::Unstaged => true,
            DiffOf::Target(target) => range(target).is_none(),
            DiffOf::Staged => false,
        };
        if !with_files {
            return Ok(None);
        }
        let index = self.git.index()?;
        let absent = |delta: &git2::DiffDelta<'_>| {
            let path = delta.old_file().path_bytes().unwrap_or_default();
            delta.status() == Delta::Deleted && super::status::is_sparse(&index, path)
        };
        if !diff.deltas().any(|delta| absent(&delta)) {
            return Ok(None);
        }
        let others = diff.deltas().filter(|delta| !absent(delta));
        let paths = others.filter_map(|delta| delta.new_file().path().map(Path::to_owned));
        Ok(Some(
            paths
                .map(|path| path.to_string_lossy().into_owned())
                .collect(),
        ))
    }

    fn diff_target<'a>(
        &'a self,
        target: &str,
        form: &DiffForm,
        options: &mut DiffOptions,
        submodules: &mut Vec<String>,
    ) -> Result<Diff<'a>, GitError> {
        super::names::no_dash("target", target)?;
        let Some(range) = range(target) else {
            let tree = self.tree_of(target)?;
            self.workdir()?;
            *submodules = self.moved_submodules(form)?;
            // Of a file that became a link there is one change then, not two, of which libgit2 would lose one below.
            options.ignore_submodules(true).include_typechange(true);
            let mut diff = self
                .git
                .diff_tree_to_index(Some(&tree), None, Some(options))?;
            let mut options = self.diff_options(form)?;
            options.include_typechange(true);
            if let Some(files) = self.changed_files(form, options)? {
                diff.merge(&files)?;
            }
            return Ok(diff);
        };
        let [old, new] = self.range_trees(range)?;
        Ok(self
            .git
            .diff_tree_to_tree(Some(&old), Some(&new), Some(options))?)
    }

    /// Finds the trees that a range compares.
    fn range_trees(
        &self,
        (from, to, since_base): (&str, &str, bool),
    ) -> Result<[Tree<'_>; 2], GitError> {
        let new = self.tree_of(to)?;
        let old = match since_base {
            false => self.tree_of(from)?,
            true => {
                let ids = [from, to].map(|name| -> Result<_, GitError> {
                    Ok(self.resolve(name)?.peel_to_commit()?.id())
                });
                let [a, b] = ids;
                let base = self.git.merge_base(a?, b?).map_err(|_| {
                    GitError::refused(format!("`{from}` and `{to}` have no commit in common"))
                })?;
                self.git.find_commit(base)?.tree()?
            }
        };
        Ok([old, new])
    }

    /// Finds the tree of a revision.
    pub(super) fn tree_of(&self, name: &str) -> Result<Tree<'_>, GitError> {
        self.resolve(name)?.peel_to_tree().map_err(|_| {
            GitError::refused(format!(
                "`{name}` is a file, not a commit; name a commit or a branch, and the file as a path"
            ))
        })
    }

    /// Returns the tree of the last commit; none before the first one.
    pub(super) fn head_tree(&self) -> Result<Option<Tree<'_>>, GitError> {
        match self.git.head() {
            Ok(head) => Ok(Some(head.peel_to_tree()?)),
            Err(error) if error.code() == git2::ErrorCode::UnbornBranch => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn diff_options(&self, form: &DiffForm) -> Result<DiffOptions, GitError> {
        let mut options = DiffOptions::new();
        options
            .context_lines(form.context.min(MAX_CONTEXT))
            .indent_heuristic(true)
            .id_abbrev(u16::try_from(self.digits()).unwrap_or(40))
            // Paths are names, not patterns: `[` and `*` are ordinary characters of a file name.
            .disable_pathspec_match(true);
        for path in &form.paths {
            let path = self.inner_path(path)?;
            if !path.is_empty() {
                options.pathspec(path);
            }
        }
        Ok(options)
    }

    pub(super) fn find_renames(&self, diff: &mut Diff<'_>) -> Result<(), GitError> {
        let renames = self.renames();
        if renames == Renames::Ignored {
            return Ok(());
        }
        let mut options = DiffFindOptions::new();
        options
            .renames(true)
            .copies(renames == Renames::AndCopies)
            .rename_limit(1_000);
        Ok(diff.find_similar(Some(&mut options))?)
    }

    /// Returns the differences of submodules that stand at another commit than the index says.
    fn moved_submodules(&self, form: &DiffForm) -> Result<Vec<String>, GitError> {
        let index = self.git.index()?;
        let mut moved = Vec::new();
        if index.get_path(".gitmodules".as_ref(), 0).is_none() {
            return Ok(moved);
        }
        for entry in index.iter().filter(|entry| entry.mode == GITLINK) {
            let name = String::from_utf8_lossy(&entry.path).into_owned();
            if !form.paths.is_empty() && !form.paths.contains(&name) {
                continue;
            }
            let folder = self.workdir()?.join(&name);
            let Ok(inner) = Self::open(&self.roots, &folder.to_string_lossy()) else {
                continue;
            };
            let Some(at) = inner.git.head().ok().and_then(|head| head.target()) else {
                continue;
            };
            if at != entry.id {
                let (old, new) = (self.short(entry.id), inner.short(at));
                moved.push(format!(
                    "diff --git a/{name} b/{name}\nindex {old}..{new} 160000\n--- a/{name}\n+++ b/{name}\n\
                     @@ -1 +1 @@\n-Subproject commit {}\n+Subproject commit {at}\n",
                    entry.id
                ));
            }
        }
        Ok(moved)
    }
}

/// Takes `A..B` or `A...B` apart; a side left out is `HEAD`. The last part tells whether there were three dots.
pub(super) fn range(target: &str) -> Option<(&str, &str, bool)> {
    // Behind a colon it is a path.
    let head = target.split(':').next().unwrap_or(target);
    let at = head.find("..")?;
    let (from, rest) = (&target[..at], &target[at + 2..]);
    let (to, three) = match rest.strip_prefix('.') {
        Some(to) => (to, true),
        None => (rest, false),
    };
    let or_head = |name| match name {
        "" => "HEAD",
        name => name,
    };
    Some((or_head(from), or_head(to), three))
}

fn unmerged_names(diff: &Diff<'_>) -> String {
    let names = diff.deltas().filter_map(|delta| {
        let path = delta.new_file().path_bytes()?;
        let unmerged = delta.status() == Delta::Conflicted;
        unmerged.then(|| format!("* Unmerged path {}\n", String::from_utf8_lossy(path)))
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_taken_apart() {
        assert_eq!(range("a..b"), Some(("a", "b", false)));
        assert_eq!(range("a...b"), Some(("a", "b", true)));
        assert_eq!(range("main.."), Some(("main", "HEAD", false)));
        assert_eq!(range("..x"), Some(("HEAD", "x", false)));
        assert_eq!(range("HEAD~1"), None);
        assert_eq!(range("HEAD:a..b"), None);
    }
}
