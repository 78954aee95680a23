//! The differences of files that a merge could not decide.

use std::path::Path;

use git2::{IndexConflict, IndexEntry, Oid, Patch};

use super::printed::MAX_TEXT;
use super::{DiffForm, GitError, Repo};
use crate::workspace::Tracked;

/// A form of an unmerged file: its name for the head of a difference, and what is in it.
struct Form {
    name: &'static str,
    bytes: Vec<u8>,
}

impl Repo {
    /// Says of each unmerged file what either side made of what they have in common, and where the file is now.
    ///
    /// git shows these in one, with a column of signs for each side, which says of a line that it is new on one side
    /// without saying what was there before. Here each side is a difference of its own.
    pub(super) fn unmerged_files(&self, form: &DiffForm) -> Result<String, GitError> {
        let index = self.git.index()?;
        let mut text = String::new();
        if !index.has_conflicts() {
            return Ok(text);
        }
        let wanted: Vec<String> = form
            .paths
            .iter()
            .map(|path| self.inner_path(path))
            .collect::<Result<_, _>>()?;
        for conflict in index.conflicts()? {
            let conflict = conflict?;
            let sides = [&conflict.our, &conflict.their, &conflict.ancestor];
            let Some(entry) = sides.into_iter().flatten().next() else {
                continue;
            };
            let path = String::from_utf8_lossy(&entry.path).into_owned();
            let beneath = |wanted: &String| Path::new(&path).starts_with(wanted);
            if wanted.is_empty() || wanted.iter().any(beneath) {
                text += &format!("* Unmerged path {}\n", self.shown(&entry.path));
                text += &self.unmerged_file(&path, &conflict, form)?;
            }
        }
        Ok(text)
    }

    fn unmerged_file(
        &self,
        path: &str,
        conflict: &IndexConflict,
        form: &DiffForm,
    ) -> Result<String, GitError> {
        let side = |name, entry: &Option<IndexEntry>| -> Result<Option<Form>, GitError> {
            let Some(entry) = entry else {
                return Ok(None);
            };
            Ok(Some(Form {
                name,
                bytes: self.blob_bytes(entry.id)?,
            }))
        };
        let base = side("base", &conflict.ancestor)?;
        let ours = side("ours", &conflict.our)?;
        let theirs = side("theirs", &conflict.their)?;
        let full = self.workdir()?.join(path);
        let file = match self
            .roots
            .tracked(&full.to_string_lossy(), MAX_TEXT as u64)?
        {
            Tracked::File { bytes, .. } => Some(Form {
                name: "file",
                bytes,
            }),
            _ => None,
        };
        let mut text = String::new();
        for (old, new, names) in [
            (&base, &ours, ["base", "ours"]),
            (&base, &theirs, ["base", "theirs"]),
            (&ours, &file, ["ours", "file"]),
        ] {
            text += &self.between(path, old.as_ref(), new.as_ref(), names, form)?;
        }
        Ok(text)
    }

    fn blob_bytes(&self, id: Oid) -> Result<Vec<u8>, GitError> {
        Ok(self.git.find_blob(id)?.content().to_vec())
    }

    /// Shows the lines that differ between two forms; the head of each says which they are.
    fn between(
        &self,
        path: &str,
        old: Option<&Form>,
        new: Option<&Form>,
        names: [&str; 2],
        form: &DiffForm,
    ) -> Result<String, GitError> {
        let head = |form: Option<&Form>, name: &str| match form {
            Some(form) => format!("{}/{path}", form.name),
            None => format!("/dev/null ({name} has no such file)"),
        };
        if old.is_none() && new.is_none() {
            return Ok(String::new());
        }
        let [from, to] = [old, new].map(|form| form.map_or(&[][..], |form| &form.bytes));
        if from == to {
            return Ok(String::new());
        }
        let mut text = format!("--- {}\n+++ {}\n", head(old, names[0]), head(new, names[1]));
        if [from, to]
            .iter()
            .any(|bytes| memchr::memchr(0, bytes).is_some())
        {
            text += "Binary files differ\n";
            return Ok(text);
        }
        let mut options = self.diff_options(&DiffForm {
            paths: Vec::new(),
            ..form.clone()
        })?;
        let mut patch = Patch::from_buffers(from, None, to, None, Some(&mut options))?;
        let mut bytes = Vec::new();
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
        text += &String::from_utf8_lossy(&bytes);
        Ok(text)
    }
}
