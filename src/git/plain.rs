//! Which paths have no attribute that bears on how their differences are shown, or on how they are stored.
//!
//! libgit2 looks for attributes anew for each file of a difference, in each folder above it, which takes longer than
//! the comparison. Most repositories have none that matter here.

#![expect(
    clippy::disallowed_methods,
    reason = "the attribute files that libgit2 would read, by the names that it would use"
)]

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use memchr::memmem;

use super::Repo;

/// The name of the files that give attributes.
const NAME: &str = ".gitattributes";

/// What an attribute file says that could bear on a difference: the attribute, the macro that is always there, and
/// macros of its own.
const SHOWING: &[&[u8]] = &[b"diff", b"binary", b"[attr]"];

/// What it says besides that could bear on how a file is stored.
const STORING: &[&[u8]] = &[
    b"diff",
    b"binary",
    b"[attr]",
    b"text",
    b"eol",
    b"crlf",
    b"filter",
    b"ident",
    b"encoding",
];

/// Tells plain paths from others.
pub(super) struct Plain {
    words: &'static [&'static [u8]],
    /// Nothing outside the folders of the work tree says anything.
    elsewhere: bool,
    workdir: Option<PathBuf>,
    folders: HashMap<PathBuf, bool>,
}

impl Repo {
    /// Prepares to tell paths without attributes that matter to a difference from others.
    pub(super) fn plain(&self) -> Plain {
        self.without(SHOWING)
    }

    /// Prepares to tell paths without attributes that matter to a difference, or to how a file is stored, from others.
    pub(super) fn plain_when_stored(&self) -> Plain {
        self.without(STORING)
    }

    fn without(&self, words: &'static [&'static [u8]]) -> Plain {
        let users = std::env::var_os("XDG_CONFIG_HOME")
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")));
        let files = [
            Some(self.git.commondir().join("info/attributes")),
            Some(self.git.path().join("info/attributes")),
            Some(PathBuf::from("/etc/gitattributes")),
            users.map(|folder| folder.join("git/attributes")),
        ];
        Plain {
            words,
            elsewhere: files.iter().flatten().all(|file| is_plain(file, words))
                && self.index_is_plain(words),
            workdir: self.workdir().ok().map(Path::to_owned),
            folders: HashMap::new(),
        }
    }

    /// Tells whether the index has no attribute file that matters. Its bytes are enough to see that it has none, but
    /// for the form in which a name is given by what it shares with the one before.
    fn index_is_plain(&self, words: &[&[u8]]) -> bool {
        const FORM: std::ops::Range<usize> = 4..8;
        const SHARED: [u8; 4] = [0, 0, 0, 4];
        let bytes = match fs::read(self.git.path().join("index")) {
            Ok(bytes) => bytes,
            Err(error) => return error.kind() == std::io::ErrorKind::NotFound,
        };
        if bytes.get(FORM).is_some_and(|form| form != SHARED)
            && memmem::find(&bytes, NAME.as_bytes()).is_none()
        {
            return true;
        }
        let Ok(index) = self.git.index() else {
            return false;
        };
        index
            .iter()
            .filter(|entry| entry.path.ends_with(NAME.as_bytes()))
            .all(|entry| {
                let blob = self.git.find_blob(entry.id);
                blob.is_ok_and(|blob| says_nothing(blob.content(), words))
            })
    }
}

impl Plain {
    /// Tells whether no attribute matters to this path.
    pub(super) fn is(&mut self, path: &Path) -> bool {
        self.elsewhere && self.folder(path.parent().unwrap_or(Path::new("")))
    }

    fn folder(&mut self, folder: &Path) -> bool {
        let Some(workdir) = &self.workdir else {
            return true;
        };
        if let Some(known) = self.folders.get(folder) {
            return *known;
        }
        let here = is_plain(&workdir.join(folder).join(OsString::from(NAME)), self.words);
        let plain = here && folder.parent().is_none_or(|above| self.folder(above));
        self.folders.insert(folder.to_owned(), plain);
        plain
    }
}

/// Tells whether a file is not there, or says nothing that matters.
fn is_plain(file: &Path, words: &[&[u8]]) -> bool {
    match fs::symlink_metadata(file) {
        Err(error) => matches!(
            error.kind(),
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
        ),
        Ok(kind) if kind.is_file() => fs::read(file).is_ok_and(|text| says_nothing(&text, words)),
        Ok(_) => false,
    }
}

fn says_nothing(text: &[u8], words: &[&[u8]]) -> bool {
    words.iter().all(|word| memmem::find(text, word).is_none())
}
