//! Where the edits of a search are drawn from, and of what: the file as it is, or one that an edit got further with;
//! the function that is thought to be meant, another one, or the whole file.
//!
//! Each pair of them is a track. A few edits are drawn in one track, then in the one that had the least so far; the
//! likelier ones get more. So a search spends its time where a fault is likeliest, and still comes to everything else:
//! the first guess of where it lies is often wrong, and an edit that makes one more test pass may lead astray.

use std::sync::Arc;

use crate::protocol::CheckResult;

/// How many edits are drawn in one track before it is looked which has had the least.
const STRETCH: u32 = 4;

/// How many files that get the check further are gone on from.
const MOST_BASES: usize = 6;

/// What it costs to be a target that is less likely, and to be not the furthest base, in thousandths of a pass.
const LESS_LIKELY: u32 = 750;
const BEHIND: u32 = 500;

/// A text of the file that edits are drawn of.
#[derive(Debug)]
struct Base {
    text: Arc<str>,
    /// What the check says of it.
    fails: Option<String>,
    result: Option<CheckResult>,
    known: bool,
}

#[derive(Debug)]
struct Track {
    base: usize,
    target: usize,
    /// How many edits are drawn until each part was asked for once.
    pass: u32,
    drawn: u32,
    /// How often departures were asked for.
    doubted: u32,
}

/// What is asked for next.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ask {
    pub(super) text: Arc<str>,
    pub(super) fails: Option<String>,
    /// Which of the text's targets.
    pub(super) target: usize,
    /// How many edits were drawn of it.
    pub(super) drawn: u32,
    /// How often departures from it were asked for.
    pub(super) doubted: u32,
    /// The text is the file as it is.
    pub(super) is_file: bool,
}

/// The tracks of a search.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    bases: Vec<Base>,
    tracks: Vec<Track>,
    at: usize,
    left: u32,
}

impl Tracks {
    /// Begins with the file as it is, unless that is what it began with.
    pub(super) fn begin(
        &mut self,
        text: &Arc<str>,
        fails: Option<&str>,
        result: Option<CheckResult>,
    ) {
        if self.bases.first().is_some_and(|base| base.text == *text) {
            return;
        }
        *self = Self::default();
        self.bases.push(Base {
            text: Arc::clone(text),
            fails: fails.map(str::to_owned),
            result,
            known: false,
        });
    }

    /// Returns a text whose targets are not known yet, and what the check says of it.
    pub(super) fn unknown(&self) -> Option<(Arc<str>, Option<String>)> {
        let base = self.bases.iter().find(|base| !base.known)?;
        Some((Arc::clone(&base.text), base.fails.clone()))
    }

    /// Takes in the targets of a text: how many edits a pass over each takes, the likeliest first.
    pub(super) fn learn(&mut self, text: &Arc<str>, passes: &[u32]) {
        let Some(base) = self.bases.iter().position(|base| base.text == *text) else {
            return;
        };
        if std::mem::replace(&mut self.bases[base].known, true) {
            return;
        }
        let tracks = passes.iter().enumerate().map(|(target, pass)| Track {
            base,
            target,
            pass: (*pass).max(1),
            drawn: 0,
            doubted: 0,
        });
        self.tracks.extend(tracks);
    }

    /// Says what is to be asked for. `None` where there is nothing.
    pub(super) fn next(&mut self) -> Option<Ask> {
        if self.left == 0 || self.at >= self.tracks.len() {
            let newest = self.bases.len().saturating_sub(1);
            let cost = |track: &Track| {
                let behind = u32::try_from(newest - track.base).unwrap_or(u32::MAX);
                let target = u32::try_from(track.target).unwrap_or(u32::MAX);
                (track.drawn.saturating_mul(1_000) / track.pass)
                    .saturating_add(target.saturating_mul(LESS_LIKELY))
                    .saturating_add(behind.saturating_mul(BEHIND))
            };
            let all = self.tracks.iter().enumerate();
            self.at = all.min_by_key(|(_, track)| cost(track))?.0;
            self.left = STRETCH;
        }
        let track = self.tracks.get(self.at)?;
        let base = &self.bases[track.base];
        Some(Ask {
            text: Arc::clone(&base.text),
            fails: base.fails.clone(),
            target: track.target,
            drawn: track.drawn,
            doubted: track.doubted,
            is_file: track.base == 0,
        })
    }

    /// Leaves what was gone on from: edits are drawn of the file as it is alone.
    pub(super) fn keep_file(&mut self) {
        self.bases.truncate(1);
        self.tracks.retain(|track| track.base == 0);
        (self.at, self.left) = (0, 0);
    }

    /// Counts an edit of what was asked for last.
    pub(super) fn count(&mut self) {
        self.left = self.left.saturating_sub(1);
        if let Some(track) = self.tracks.get_mut(self.at) {
            track.drawn += 1;
        }
    }

    /// Counts that departures were asked for of what was asked for last. Where there were none, there never are.
    pub(super) fn note_doubts(&mut self, any: bool) {
        if let Some(track) = self.tracks.get_mut(self.at) {
            track.doubted = match any {
                true => track.doubted.saturating_add(1),
                false => u32::MAX,
            };
        }
    }

    /// Takes in what an edit that did not pass would have left. Where the check came further with it than with anything
    /// before, edits are drawn of that as well.
    pub(super) fn tried(&mut self, text: &Arc<str>, fails: &str, result: CheckResult) {
        let furthest = self.bases.last();
        let is_further = furthest.is_some_and(|base| further(&result, base.result.as_ref()));
        if is_further && self.bases.len() < MOST_BASES {
            self.bases.push(Base {
                text: Arc::clone(text),
                fails: Some(fails.to_owned()),
                result: Some(result),
                known: false,
            });
            self.left = 0;
        }
    }
}

/// Tells whether a check came further than another: more tests pass, or as many, and fewer fail.
pub(super) fn further(this: &CheckResult, that: Option<&CheckResult>) -> bool {
    let rank = |result: &CheckResult| (result.reached, std::cmp::Reverse(result.failed));
    let that = that.map_or((0, std::cmp::Reverse(u32::MAX)), rank);
    // One that counts nothing says nothing about fewer.
    match this.reached {
        0 => false,
        _ => rank(this) > that,
    }
}

/// Tells whether a check came less far than another: fewer tests pass, more fail, or what counted them does not even
/// begin any more, as of code that is not compiled.
pub(super) fn worse(this: &CheckResult, that: Option<&CheckResult>) -> bool {
    let Some(that) = that else { return false };
    let counted = |result: &CheckResult| result.reached + result.failed > 0;
    this.reached < that.reached
        || (this.reached == that.reached && this.failed > that.failed)
        || (counted(that) && !counted(this))
}

/// Tells two texts of code apart by what they say: without comments that have a line of their own, blank lines, and
/// spaces between words, which a formatter would set.
pub(super) fn form(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    for line in text.lines() {
        let bare = line.trim();
        // `#include` and `#[derive]` are none.
        let is_comment = bare.starts_with("//") || bare == "#" || bare.starts_with("# ");
        if bare.is_empty() || is_comment {
            continue;
        }
        hasher.write_usize(line.len() - line.trim_start().len());
        let mut quote = None;
        let mut before = ' ';
        let mut characters = bare.chars().peekable();
        while let Some(c) = characters.next() {
            match quote {
                Some(open) if c == open && before != '\\' => quote = None,
                Some(_) => {}
                None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
                // A space counts between two words, and between signs that would be another one together.
                None if c.is_whitespace() => {
                    let is_word = |c: char| c.is_alphanumeric() || c == '_';
                    let next = characters.peek().copied().unwrap_or(' ');
                    let is_sign = |c: char| c.is_ascii_punctuation() && !"()[]{},;_".contains(c);
                    let parts = is_word(before) && is_word(next);
                    if !(parts || is_sign(before) && is_sign(next)) {
                        continue;
                    }
                }
                None => {}
            }
            before = c;
            hasher.write_u32(u32::from(c));
        }
        hasher.write_u8(b'\n');
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(reached: u32, failed: u32) -> CheckResult {
        CheckResult {
            passed: false,
            reached,
            failed,
            millis: 1,
            given: [0; 8],
        }
    }

    fn begun(passes: &[u32]) -> Tracks {
        let mut tracks = Tracks::default();
        let text: Arc<str> = "file".into();
        tracks.begin(&text, Some("it fails"), Some(result(3, 2)));
        tracks.learn(&text, passes);
        tracks
    }

    fn drawn(tracks: &mut Tracks, count: usize) -> Vec<(usize, u32)> {
        let mut asked = Vec::new();
        for _ in 0..count {
            let ask = tracks.next().expect("there is a target");
            asked.push((ask.target, ask.drawn));
            tracks.count();
        }
        asked
    }

    #[test]
    fn the_likeliest_target_comes_first_and_every_other_in_its_turn() {
        let mut tracks = begun(&[8, 4]);
        let targets: Vec<usize> = drawn(&mut tracks, 24)
            .into_iter()
            .map(|ask| ask.0)
            .collect();
        assert_eq!(targets[..8], [0; 8]);
        assert_eq!(targets[8..12], [1; 4]);
        assert!(targets[12..].contains(&0), "{targets:?}");
        let mut alone = begun(&[3]);
        let places: Vec<u32> = drawn(&mut alone, 9).into_iter().map(|ask| ask.1).collect();
        assert_eq!(
            places,
            [0, 1, 2, 3, 4, 5, 6, 7, 8],
            "nothing is asked twice"
        );
    }

    #[test]
    fn what_gets_the_check_further_is_gone_on_from_and_the_file_is_not_forgotten() {
        let mut tracks = begun(&[8]);
        drawn(&mut tracks, 2);
        let text: Arc<str> = "further".into();
        tracks.tried(&text, "less fails", result(4, 1));
        assert_eq!(
            tracks.unknown(),
            Some((Arc::clone(&text), Some("less fails".to_owned())))
        );
        tracks.learn(&text, &[8]);
        let next = tracks.next().expect("a track");
        assert_eq!(
            (&*next.text, next.drawn, next.is_file),
            ("further", 0, false)
        );
        let mut files = 0;
        for _ in 0..24 {
            files += u32::from(tracks.next().is_some_and(|ask| ask.is_file));
            tracks.count();
        }
        assert!((8..16).contains(&files), "{files}");
    }

    #[test]
    fn as_far_is_no_further() {
        assert!(further(&result(4, 2), Some(&result(3, 2))));
        assert!(further(&result(3, 1), Some(&result(3, 2))));
        assert!(!further(&result(3, 2), Some(&result(3, 2))));
        assert!(!further(&result(2, 0), Some(&result(3, 2))));
        assert!(!further(&result(0, 0), None), "it says nothing");
        assert!(further(&result(1, 0), None));
    }

    #[test]
    fn texts_that_a_formatter_makes_the_same_are_the_same() {
        let same = |a: &str, b: &str| form(a) == form(b);
        assert!(same("x = a+b\n", "x  =  a + b  \n\n# why\n"));
        assert!(same("f(a, b)\n", "f( a,b )\n"));
        assert!(!same("if a:\n    b\nc\n", "if a:\n    b\n    c\n"));
        assert!(!same("x = ' '.join(a)\n", "x = ''.join(a)\n"));
        assert!(!same("not in x", "notin x"));
        assert!(!same("x = a - b", "x = a + b"));
        assert!(!same("x = a - -b", "x = a --b"));
        assert!(!same("#define A 1\nint x;\n", "#define A 2\nint x;\n"));
    }
}
