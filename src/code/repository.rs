//! What is known of all files of a repository: their definitions, and the words in them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{FileSymbols, Language, Symbol};
use crate::protocol::Hash;
use crate::workspace::{Index, Roots};

/// The most files that are known. In a larger repository the first ones are.
const MOST_FILES: usize = 20_000;

/// The largest file that is read for it.
const LARGEST: usize = 512 * 1024;

/// The files of a repository that can be parsed.
#[derive(Debug, Default)]
pub struct Repository {
    pub(super) files: HashMap<String, Known>,
}

/// What is known of one file.
#[derive(Debug)]
pub(super) struct Known {
    hash: Hash,
    pub(super) symbols: FileSymbols,
    /// How often each word stands in the file, and in names that it defines.
    pub(super) words: HashMap<String, u32>,
    pub(super) defined: HashMap<String, u32>,
    /// All words together.
    pub(super) length: u32,
}

impl Repository {
    /// Brings it up to what the files are now. Only those that changed are parsed again.
    ///
    /// Stops early where `cancel` is set; what is known by then is right, and not all.
    pub fn refresh(&mut self, roots: &Roots, cancel: &AtomicBool) {
        let index = Index::cancellable(roots, cancel);
        let files: Vec<&String> = index
            .files()
            .iter()
            .filter(|path| Language::of(path).is_some())
            .take(MOST_FILES)
            .collect();
        if !cancel.load(Ordering::Relaxed) {
            self.files
                .retain(|path, _| files.binary_search(&path).is_ok());
        }
        for path in files {
            if cancel.load(Ordering::Relaxed) {
                return;
            }
            let Ok(file) = roots.read(path) else {
                self.files.remove(path);
                continue;
            };
            let is_known = self
                .files
                .get(path)
                .is_some_and(|known| known.hash == file.hash);
            if is_known {
                continue;
            }
            match Known::of(path, file.hash, file.bytes, cancel) {
                Some(known) => drop(self.files.insert(path.clone(), known)),
                None => drop(self.files.remove(path)),
            }
        }
    }

    /// Lists what the files define, file by file in the order of their paths.
    pub fn definitions(&self) -> impl Iterator<Item = (&str, &Symbol)> {
        let mut files: Vec<(&str, &Known)> = self
            .files
            .iter()
            .map(|(path, known)| (path.as_str(), known))
            .collect();
        files.sort_unstable_by_key(|(path, _)| *path);
        files.into_iter().flat_map(|(path, known)| {
            let symbols = known.symbols.definitions.iter();
            symbols.map(move |symbol| (path, symbol))
        })
    }

    /// Returns how many files are known.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Tells whether no file is known.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl Known {
    fn of(path: &str, hash: Hash, bytes: Vec<u8>, cancel: &AtomicBool) -> Option<Self> {
        if bytes.len() > LARGEST {
            return None;
        }
        let text = String::from_utf8(bytes).ok()?;
        let symbols = FileSymbols::of(path, &text, cancel)?;
        let mut words: HashMap<String, u32> = HashMap::new();
        let mut length = 0;
        for word in words_of(&text) {
            length += 1;
            *words.entry(word).or_default() += 1;
        }
        let mut defined: HashMap<String, u32> = HashMap::new();
        for symbol in &symbols.definitions {
            for word in words_of(&symbol.name) {
                *defined.entry(word).or_default() += 1;
            }
        }
        Some(Self {
            hash,
            symbols,
            words,
            defined,
            length,
        })
    }
}

/// Takes a text apart into words, in small letters: `parseHTTPRequest` and `parse_http_request` have the same three.
pub(super) fn words_of(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was = ' ';
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if !c.is_alphanumeric() {
            take(&mut word, &mut words);
        } else {
            let begins = c.is_uppercase()
                && (was.is_lowercase()
                    || (was.is_uppercase()
                        && characters.peek().is_some_and(|next| next.is_lowercase())));
            if begins {
                take(&mut word, &mut words);
            }
            word.extend(c.to_lowercase());
        }
        was = c;
    }
    take(&mut word, &mut words);
    words
}

/// Ends a word: its plural and its forms count as itself.
fn take(word: &mut String, words: &mut Vec<String>) {
    const LONGEST: usize = 40;
    if word.len() > 1 && word.len() <= LONGEST {
        words.push(stem(word).to_owned());
    }
    word.clear();
}

fn stem(word: &str) -> &str {
    for ending in ["ing", "ed", "es", "s"] {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.len() > 3
            && !stem.ends_with('s')
        {
            return stem;
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(
            words_of("parseHTTPRequests, parse_http_request: x [parsing]"),
            [
                "parse", "http", "request", "parse", "http", "request", "parsing"
            ]
        );
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test lays its own files")]
    fn only_what_changed_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("written");
        };
        write("a.py", "def f(): pass\n");
        write("b.py", "def g(): pass\n");
        write("c.txt", "def h(): pass\n");
        let roots = Roots::open(&[folder.path().to_owned()]).expect("roots");
        let mut repository = Repository::default();
        let never = AtomicBool::new(false);
        repository.refresh(&roots, &never);
        assert_eq!(repository.len(), 2);
        write("a.py", "def changed(): pass\n");
        std::fs::remove_file(folder.path().join("b.py")).expect("removed");
        repository.refresh(&roots, &never);
        let known = &repository.files["a.py"].symbols.definitions;
        assert_eq!((repository.len(), known[0].name.as_str()), (1, "changed"));
    }
}
