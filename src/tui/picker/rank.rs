//! Finding the best of many lines by a few typed characters.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{AtomKind, CaseMatching, Normalization, Pattern},
};

/// A line that was found: where it is among all, and which of its characters the query hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub at: usize,
    pub matches: Vec<usize>,
}

/// Ranks lines by a query. It remembers what the query found: one character more only looks there.
#[derive(Debug)]
pub struct Ranker {
    matcher: Matcher,
    query: String,
    /// The lines that `query` found, in no order.
    found: Vec<u32>,
    /// How many lines there were then; another list is looked through anew.
    of: usize,
}

impl Default for Ranker {
    fn default() -> Self {
        Self::new(Subject::Lines)
    }
}

/// How well a line was hit, how short it is and how early: the greatest is the best.
type Rank = (u32, Reverse<u32>, Reverse<u32>);

/// What the lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Words: their beginnings count more.
    Lines,
    /// Paths: what follows a `/` counts more.
    Paths,
}

impl Ranker {
    /// Makes one for a kind of lines.
    pub fn new(subject: Subject) -> Self {
        let mut lines = Config::DEFAULT;
        lines.prefer_prefix = true;
        let config = match subject {
            Subject::Lines => lines,
            Subject::Paths => Config::DEFAULT.match_paths(),
        };
        Self {
            matcher: Matcher::new(config),
            query: String::new(),
            found: Vec::new(),
            of: 0,
        }
    }

    /// Returns the best lines for a query, at most `limit`, and how many were found in all. An empty query finds all,
    /// in their own order.
    pub fn best<S: AsRef<str>>(
        &mut self,
        query: &str,
        lines: &[S],
        limit: usize,
    ) -> (Vec<Hit>, usize) {
        let query = query.trim();
        if query.is_empty() {
            self.query.clear();
            let hits = (0..lines.len().min(limit)).map(|at| Hit {
                at,
                matches: Vec::new(),
            });
            return (hits.collect(), lines.len());
        }
        let pattern = Pattern::new(
            query,
            CaseMatching::Smart,
            Normalization::Smart,
            AtomKind::Fuzzy,
        );
        // A longer query finds some of what the shorter one found, unless case began to count.
        let narrows =
            !self.query.is_empty() && query.starts_with(&self.query) && self.of == lines.len();
        let mut heap: BinaryHeap<Reverse<Rank>> = BinaryHeap::with_capacity(limit + 1);
        let mut kept = Vec::new();
        let mut buffer = Vec::new();
        let mut look = |at: u32| {
            let Some(line) = lines.get(at as usize) else {
                return;
            };
            let line = Utf32Str::new(line.as_ref(), &mut buffer);
            let Some(score) = pattern.score(line, &mut self.matcher) else {
                return;
            };
            kept.push(at);
            // The shorter line wins, and then the earlier one.
            let rank = (score, Reverse(line.len() as u32), Reverse(at));
            if heap.len() < limit {
                heap.push(Reverse(rank));
            } else if heap.peek().is_some_and(|Reverse(worst)| rank > *worst) {
                heap.pop();
                heap.push(Reverse(rank));
            }
        };
        if narrows {
            for at in std::mem::take(&mut self.found) {
                look(at);
            }
        } else {
            for at in 0..lines.len() as u32 {
                look(at);
            }
        }
        let total = kept.len();
        self.found = kept;
        self.query = query.to_owned();
        self.of = lines.len();
        let ranks = heap.into_sorted_vec();
        let mut indices = Vec::new();
        let hits = ranks.into_iter().map(|Reverse((_, _, Reverse(at)))| {
            indices.clear();
            let at = at as usize;
            let line = Utf32Str::new(lines[at].as_ref(), &mut buffer);
            pattern.indices(line, &mut self.matcher, &mut indices);
            indices.sort_unstable();
            indices.dedup();
            Hit {
                at,
                matches: indices.iter().map(|at| *at as usize).collect(),
            }
        });
        (hits.collect(), total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(query: &str, lines: &[&str]) -> Vec<String> {
        let (hits, _) = Ranker::new(Subject::Paths).best(query, lines, 10);
        hits.iter().map(|hit| lines[hit.at].to_owned()).collect()
    }

    #[test]
    fn a_names_beginning_goes_before_letters_in_between() {
        let lines = ["src/wrapper/mapped.rs", "src/tui/app.rs", "docs/map.md"];
        assert_eq!(
            found("app", &lines),
            ["src/tui/app.rs", "src/wrapper/mapped.rs"]
        );
        assert_eq!(found("", &lines).len(), 3);
        assert!(found("zzz", &lines).is_empty());
    }

    #[test]
    fn a_query_that_grows_finds_what_a_fresh_one_finds() {
        let lines: Vec<String> = (0..2_000)
            .map(|n| format!("src/module{}/File{n}.rs", n % 37))
            .collect();
        let mut growing = Ranker::new(Subject::Paths);
        let mut query = String::new();
        for c in "smod3 fi1".chars() {
            query.push(c);
            let (grown, total) = growing.best(&query, &lines, 20);
            let fresh = Ranker::new(Subject::Paths).best(&query, &lines, 20);
            assert_eq!((grown, total), fresh, "{query}");
        }
    }
}
