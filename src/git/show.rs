//! One commit, file or folder of the history.

use git2::{ObjectType, Oid, Patch};

use super::{DiffForm, GitError, Repo};

/// The largest file of the history that is shown.
const MAX_BLOB: usize = 16 * 1024 * 1024;

impl Repo {
    /// Shows a commit with its changes, or the contents of `REVISION:PATH`.
    ///
    /// # Errors
    ///
    /// When there is no such revision or path.
    pub fn show(&self, revision: &str) -> Result<String, GitError> {
        super::names::no_dash("revision", revision)?;
        let object = self.resolve(revision)?;
        match object.kind() {
            Some(ObjectType::Blob) => {
                let blob = object.peel_to_blob()?;
                if blob.size() > MAX_BLOB {
                    return Err(GitError::refused(format!(
                        "`{revision}` has {} bytes, more than the {MAX_BLOB} that are shown",
                        blob.size()
                    )));
                }
                Ok(String::from_utf8_lossy(blob.content()).into_owned())
            }
            Some(ObjectType::Tree) => {
                let tree = object.peel_to_tree()?;
                let names: Vec<String> = tree
                    .iter()
                    .map(|entry| {
                        let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
                        match entry.kind() {
                            Some(ObjectType::Tree) => name + "/",
                            _ => name,
                        }
                    })
                    .collect();
                Ok(names.join("\n"))
            }
            _ => self.show_commit(&object.peel_to_commit()?),
        }
    }

    fn show_commit(&self, commit: &git2::Commit<'_>) -> Result<String, GitError> {
        let author = commit.author();
        let message = String::from_utf8_lossy(commit.message_raw_bytes()).into_owned();
        let mut text = format!(
            "commit {}\nAuthor: {} <{}>\nDate:   {}\n\n",
            commit.id(),
            String::from_utf8_lossy(author.name_bytes()),
            String::from_utf8_lossy(author.email_bytes()),
            super::date::shown(author.when(), super::date::Offset::Compact),
        );
        for line in message.trim_end_matches('\n').split('\n') {
            text += &format!("    {line}\n");
        }
        let parent = match commit.parent_count() {
            0 => None,
            _ => Some(commit.parent(0)?.tree()?),
        };
        if let Some(lines) = self.plain_lines(parent.as_ref(), commit.tree_id())? {
            return Ok(text + &lines);
        }
        let mut options = self.diff_options(&DiffForm::default())?;
        let tree = commit.tree()?;
        let mut diff =
            self.git
                .diff_tree_to_tree(parent.as_ref(), Some(&tree), Some(&mut options))?;
        self.find_renames(&mut diff)?;
        let form = DiffForm::default();
        let lines = self.each_change(&diff, |objects, change| {
            change.lines(objects, form.context).ok().flatten()
        });
        for (at, lines) in lines.into_iter().enumerate() {
            let Some(delta) = diff.get_delta(at) else {
                continue;
            };
            let side = |file: &git2::DiffFile<'_>, prefix: &str| match file.exists() {
                true => {
                    let path = file.path_bytes().unwrap_or_default();
                    format!("{prefix}/{}", String::from_utf8_lossy(path))
                }
                false => "/dev/null".to_owned(),
            };
            text += &format!(
                "\n--- {}\n+++ {}\n",
                side(&delta.old_file(), "a"),
                side(&delta.new_file(), "b")
            );
            if let Some(lines) = lines {
                text += &String::from_utf8_lossy(&lines);
            } else if let Some(mut patch) = Patch::from_diff(&diff, at)? {
                text += &hunks(&mut patch)?;
            }
        }
        Ok(text)
    }

    /// Returns what a commit changed, where that is a plain matter.
    fn plain_lines(
        &self,
        before: Option<&git2::Tree<'_>>,
        after: Oid,
    ) -> Result<Option<String>, GitError> {
        let before = before.map(git2::Tree::id);
        let Some(changes) = self.plain_changes(before, after)? else {
            return Ok(None);
        };
        let context = DiffForm::default().context;
        let each = self.each_of(changes.len(), &changes, |objects, change| {
            change.lines(objects, context).ok().flatten()
        });
        let mut text = String::new();
        for (change, lines) in changes.iter().zip(each) {
            let Some(lines) = lines else {
                return Ok(None);
            };
            let [before, after] = change.names();
            text += &format!("\n--- {before}\n+++ {after}\n");
            text += &String::from_utf8_lossy(&lines);
        }
        Ok(Some(text))
    }
}

/// Prints the hunks of a file without its header.
fn hunks(patch: &mut Patch<'_>) -> Result<String, GitError> {
    let mut bytes: Vec<u8> = Vec::new();
    patch.print(&mut |_, _, line| {
        match line.origin() {
            'F' => {}
            origin => {
                if matches!(origin, ' ' | '+' | '-') {
                    bytes.push(origin as u8);
                }
                bytes.extend_from_slice(line.content());
            }
        }
        true
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
