//! Which files and symbols a request is about, when it names none: by its words, and by what refers to what.

use std::collections::{HashMap, HashSet};

use super::repository::{Known, Repository, words_of};
use super::symbols::Symbol;

/// A file that a request may be about.
#[derive(Debug, Clone, PartialEq)]
pub struct Likely {
    pub path: String,
    pub score: f64,
    /// A name of the request is defined here, and in no other file.
    pub is_named: bool,
    /// Its definitions that fit the best, in the order of the file.
    pub symbols: Vec<Symbol>,
}

/// How many files are ranked at most, and how many symbols of each are shown.
const MOST: usize = 12;
const SYMBOLS: usize = 4;

/// The words that say nothing of what a request is about.
const COMMON: &[&str] = &[
    "the",
    "and",
    "for",
    "that",
    "this",
    "with",
    "from",
    "into",
    "are",
    "was",
    "has",
    "have",
    "not",
    "but",
    "all",
    "any",
    "can",
    "its",
    "one",
    "two",
    "when",
    "where",
    "which",
    "what",
    "who",
    "why",
    "how",
    "does",
    "should",
    "must",
    "will",
    "would",
    "could",
    "make",
    "fix",
    "bug",
    "bugs",
    "find",
    "change",
    "nothing",
    "else",
    "please",
    "add",
    "implement",
    "function",
    "method",
    "class",
    "file",
    "code",
    "test",
    "pass",
    "single",
    "line",
    "place",
    "hold",
    "return",
    "in",
    "on",
    "is",
    "it",
    "of",
    "to",
    "an",
    "be",
    "as",
    "at",
    "by",
    "or",
    "if",
    "do",
    "so",
    "we",
    "you",
    "my",
    "use",
    "there",
    "wrong",
    "work",
    "instead",
    "without",
    "only",
    "every",
    "each",
    "also",
    "them",
    "they",
    "then",
];

impl Repository {
    /// Ranks the files that a request may be about, the likeliest first; those that have none of its words are left
    /// out.
    pub fn rank(&self, request: &str) -> Vec<Likely> {
        let asked = Asked::of(request, self);
        if asked.words.is_empty() && asked.names.is_empty() {
            return Vec::new();
        }
        let total = self
            .files
            .values()
            .map(|known| f64::from(known.length))
            .sum::<f64>();
        let average = (total / self.files.len().max(1) as f64).max(1.0);
        let mut scores: HashMap<&str, f64> = HashMap::new();
        for (path, known) in &self.files {
            let score = asked.score(path, known, average);
            if score > 0.0 {
                scores.insert(path, score);
            }
        }
        let passed_on = self.passed_on(&scores);
        let wants_tests = asked.words.iter().any(|(word, _)| word == "test")
            || request.to_lowercase().contains("test");
        let mut ranked: Vec<(&str, f64)> = scores
            .iter()
            .map(|(path, score)| {
                let more = passed_on.get(path).copied().unwrap_or(0.0);
                let share = if is_test(path) && !wants_tests {
                    0.4
                } else {
                    1.0
                };
                (*path, (score + more) * share)
            })
            .collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        ranked
            .into_iter()
            .take(MOST)
            .filter_map(|(path, score)| {
                let known = self.files.get(path)?;
                Some(Likely {
                    path: path.to_owned(),
                    score,
                    is_named: asked.is_named_in(known),
                    symbols: asked.best_symbols(known),
                })
            })
            .collect()
    }

    /// Lets files give a part of their score to those that define what they use.
    fn passed_on<'a>(&'a self, scores: &HashMap<&'a str, f64>) -> HashMap<&'a str, f64> {
        const SHARE: f64 = 0.15;
        const GIVERS: usize = 40;
        let mut homes: HashMap<&str, Vec<&str>> = HashMap::new();
        for (path, known) in &self.files {
            for symbol in &known.symbols.definitions {
                homes.entry(&symbol.name).or_default().push(path);
            }
        }
        let mut givers: Vec<(&&str, &f64)> = scores.iter().collect();
        givers.sort_by(|a, b| b.1.total_cmp(a.1).then_with(|| a.0.cmp(b.0)));
        let mut given: HashMap<&str, f64> = HashMap::new();
        for (giver, score) in givers.into_iter().take(GIVERS) {
            let Some(known) = self.files.get(*giver) else {
                continue;
            };
            let mut links: HashMap<&str, f64> = HashMap::new();
            for (name, count) in &known.symbols.uses {
                // What many files define is defined by none of them in particular.
                let Some(found) = homes.get(name.as_str()).filter(|found| found.len() <= 3) else {
                    continue;
                };
                for home in found.iter().filter(|home| *home != giver) {
                    *links.entry(home).or_default() +=
                        f64::from(*count).sqrt() / found.len() as f64;
                }
            }
            let all: f64 = links.values().sum();
            for (home, weight) in links {
                *given.entry(home).or_default() += SHARE * score * weight / all;
            }
        }
        given
    }
}

/// What a request asks about.
struct Asked {
    /// Its words, with how much each tells: the fewer files have it, the more.
    words: Vec<(String, f64)>,
    /// Its words that the repository defines as they are written, with the number of files that do.
    names: HashMap<String, usize>,
    /// The request as one line of words, to find phrases in.
    line: String,
}

/// How many words of a long request are counted, those that tell the most.
const WORDS: usize = 24;

impl Asked {
    fn of(request: &str, repository: &Repository) -> Self {
        let common: HashSet<&str> = COMMON.iter().copied().collect();
        let mut seen: HashSet<String> = HashSet::new();
        let mut words = Vec::new();
        let count = repository.files.len() as f64;
        for word in words_of(request) {
            if common.contains(word.as_str()) || !seen.insert(word.clone()) {
                continue;
            }
            let having = repository
                .files
                .values()
                .filter(|known| known.words.contains_key(&word))
                .count() as f64;
            if having > 0.0 {
                let tells = (1.0 + (count - having + 0.5) / (having + 0.5)).ln();
                words.push((word, tells));
            }
        }
        words.sort_by(|a: &(String, f64), b| b.1.total_cmp(&a.1));
        words.truncate(WORDS);
        let mut names: HashMap<String, usize> = HashMap::new();
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        for name in request.split(|c| !is_part(c)) {
            // A plain word is a name only where it is marked as one.
            let is_name = name.contains('_')
                || name.chars().skip(1).any(char::is_uppercase)
                || request.contains(&format!("`{name}"));
            if name.len() < 2 || !is_name {
                continue;
            }
            let homes = repository
                .files
                .values()
                .filter(|known| defines(known, name))
                .count();
            if homes > 0 {
                names.insert(name.to_owned(), homes);
            }
        }
        let line = format!(" {} ", words_of(request).join(" "));
        Self { words, names, line }
    }

    fn score(&self, path: &str, known: &Known, average: f64) -> f64 {
        let mut score = 0.0;
        let place: HashSet<String> = words_of(path).into_iter().collect();
        let length = f64::from(known.length) / average;
        for (word, tells) in &self.words {
            let count =
                |counts: &HashMap<String, u32>| f64::from(counts.get(word).copied().unwrap_or(0));
            // What a file defines says more of what it is about than what it mentions, and its own name as well.
            let weight = count(&known.words)
                + 4.0 * count(&known.defined)
                + if place.contains(word) { 6.0 } else { 0.0 };
            score += tells * weight * 2.2 / (weight + 1.2 * (0.4 + 0.6 * length));
        }
        // What the file is called, or defines, said in words.
        let stem = path.rsplit('/').next().unwrap_or(path);
        let stem = stem.split('.').next().unwrap_or(stem);
        score += 6.0 * self.said(stem) as f64;
        let phrases = known.symbols.definitions.iter();
        let longest = phrases.map(|symbol| self.said(&symbol.name)).max();
        score += match longest {
            Some(words) if words > 1 => 3.0 * words as f64,
            _ => 0.0,
        };
        for (name, homes) in &self.names {
            if defines(known, name) {
                score += 24.0 / *homes as f64;
            } else if known.symbols.uses.contains_key(name) {
                score += 3.0;
            }
        }
        score
    }

    /// Returns how many words a name has, if the request says them one after the other.
    fn said(&self, name: &str) -> usize {
        let words = words_of(name);
        let is_common = words.iter().all(|word| COMMON.contains(&word.as_str()));
        let phrase = format!(" {} ", words.join(" "));
        match !words.is_empty() && !is_common && self.line.contains(&phrase) {
            true => words.len(),
            false => 0,
        }
    }

    fn is_named_in(&self, known: &Known) -> bool {
        let mut names = self.names.iter();
        names.any(|(name, homes)| *homes == 1 && defines(known, name))
    }

    fn best_symbols(&self, known: &Known) -> Vec<Symbol> {
        let mut rated: Vec<(f64, usize)> = known
            .symbols
            .definitions
            .iter()
            .enumerate()
            .map(|(at, symbol)| {
                let words = words_of(&symbol.name);
                let fits: f64 = self
                    .words
                    .iter()
                    .filter(|(word, _)| words.contains(word))
                    .map(|(_, tells)| tells)
                    .sum();
                let named = if self.names.contains_key(&symbol.name) {
                    100.0
                } else {
                    0.0
                };
                (fits + named, at)
            })
            .filter(|(rate, _)| *rate > 0.0)
            .collect();
        rated.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut best: Vec<usize> = rated.into_iter().take(SYMBOLS).map(|(_, at)| at).collect();
        best.sort_unstable();
        best.into_iter()
            .map(|at| known.symbols.definitions[at].clone())
            .collect()
    }
}

fn defines(known: &Known, name: &str) -> bool {
    known
        .symbols
        .definitions
        .iter()
        .any(|symbol| symbol.name == name)
}

fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split('.').next().unwrap_or(name);
    stem.starts_with("test_")
        || stem.ends_with("_test")
        || name.contains(".test.")
        || name.contains(".spec.")
        || path
            .split('/')
            .any(|part| matches!(part, "tests" | "test" | "__tests__" | "benches"))
}

/// Writes the likeliest places as a map for a model, in at most `room` bytes: a line for each file, and one for each of
/// its symbols that fits.
pub fn map(ranked: &[Likely], room: usize) -> String {
    let mut text = String::new();
    for likely in ranked {
        let mut part = format!("{}\n", likely.path);
        for symbol in &likely.symbols {
            part += &format!("  {}: {}\n", symbol.line, symbol.signature);
        }
        if text.len() + part.len() > room {
            // The name alone says where to look.
            let line = format!("{}\n", likely.path);
            if text.len() + line.len() > room {
                break;
            }
            part = line;
        }
        text += &part;
    }
    text
}

/// Returns the one file that a request is about, if one stands out from the others.
pub fn stands_out(ranked: &[Likely]) -> Option<&Likely> {
    let first = ranked.first()?;
    let second = ranked.get(1).map_or(0.0, |second| second.score);
    let is_clear = first.score >= 1.5 * second && first.score > 8.0;
    (is_clear || (first.is_named && first.score > second)).then_some(first)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test lays its own files")]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::workspace::Roots;

    fn repository(files: &[(&str, &str)]) -> Repository {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("written");
        }
        let roots = Roots::open(&[folder.path().to_owned()]).expect("roots");
        let mut repository = Repository::default();
        repository.refresh(&roots, &AtomicBool::new(false));
        repository
    }

    const FILES: &[(&str, &str)] = &[
        (
            "shop/cart.py",
            "class Cart:\n    def add_item(self, item): pass\n    def total_price(self): return apply_discount(1)\n",
        ),
        (
            "shop/discounts.py",
            "def apply_discount(price):\n    \"\"\"Takes the percentage off.\"\"\"\n    return price\n",
        ),
        (
            "shop/users.py",
            "class User:\n    def login(self, password): pass\n",
        ),
        (
            "tests/test_discounts.py",
            "from shop.discounts import apply_discount\n\ndef test_apply_discount():\n    assert apply_discount(1) == 1\n",
        ),
    ];

    fn check(request: &str, expected: &[&str]) {
        let repository = repository(FILES);
        let ranked = repository.rank(request);
        let paths: Vec<&str> = ranked.iter().map(|likely| likely.path.as_str()).collect();
        assert!(paths.starts_with(expected), "{request}: {ranked:?}");
    }

    #[test]
    fn a_request_finds_its_file_by_names_and_by_words() {
        check("Fix `apply_discount`.", &["shop/discounts.py"]);
        check("The total price of the cart is wrong", &["shop/cart.py"]);
        check(
            "discounts give the wrong percentage",
            &["shop/discounts.py"],
        );
        check(
            "Users cannot log in with their password",
            &["shop/users.py"],
        );
        assert!(repository(FILES).rank("hello, who are you?").is_empty());
    }

    #[test]
    fn what_is_named_and_defined_once_stands_out() {
        let repository = repository(FILES);
        let ranked = repository.rank("Fix `apply_discount`.");
        let first = stands_out(&ranked).expect("one stands out");
        assert_eq!(first.path, "shop/discounts.py");
        let map = map(&ranked, 60);
        assert!(
            map.starts_with("shop/discounts.py\n  1: def apply_discount(price)\n"),
            "{map}"
        );
        assert!(map.len() <= 60);
    }
}
