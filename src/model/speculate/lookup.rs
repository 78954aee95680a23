//! Where an answer is being copied from, and what comes next there.

use super::Token;

/// How much of a match is looked at: a longer one says no more.
const LONGEST: usize = 32;

/// A match anywhere needs so many tokens; near the place where a copy was left, one will do.
const SHORTEST: usize = 2;

/// How far from the place where a copy was left it is looked for, and how much more such a match counts.
const NEAR: usize = 24;
const NEARNESS: usize = 2;

/// After so many tokens a copy that was found elsewhere is the one that goes on: until then the place where the last one
/// was left is not given up, since a short match is often a chance one.
const CERTAIN: usize = 8;

/// How many tokens may be written beside the original before its place is given up.
const PATIENCE: usize = 160;

/// The longest replacement that is learnt, and how many are kept.
const RULE: usize = 8;
const RULES: usize = 16;

/// What was replaced before so many different tokens is replaced before any: the whole of a name is renamed, not one use
/// of it.
const GENERAL: usize = 2;

/// How many tokens are remembered before which something is replaced, or is not.
const AFTERS: usize = 16;

/// Finds what an answer copies, and follows it: also over a word that is replaced throughout, as in a rename.
#[derive(Debug)]
pub struct Lookup {
    /// The prompt and the answer come first, then other texts that may be copied.
    sources: Vec<Vec<Token>>,
    copy: Option<Copy>,
    lost: Option<Lost>,
    rules: Vec<Rule>,
}

/// What a prediction was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// How many tokens had been copied right before it.
    pub matched: usize,
    pub kind: Kind,
    pub is_right: bool,
}

/// Where a copy was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somewhere in what is known.
    Found,
    /// Elsewhere, while the last copy has not gone on yet: often only the new name in the words that ask for it.
    Aside,
    /// Where the last copy was left.
    Resumed,
}

/// A copy in progress.
#[derive(Debug, Clone, Copy)]
struct Copy {
    source: usize,
    next: usize,
    matched: usize,
    kind: Kind,
    /// A replacement is being written: which one, and how much of it.
    within: Option<(usize, usize)>,
}

/// A copy that was left.
#[derive(Debug)]
struct Lost {
    source: usize,
    at: usize,
    /// What was written in place of the original.
    written: Vec<Token>,
}

/// Tokens that the answer replaced once, and may replace again.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    from: Vec<Token>,
    to: Vec<Token>,
    /// What followed them: ` count` in `count_words` is not every ` count`.
    afters: Vec<Token>,
    /// What followed them where they were left as they are.
    exceptions: Vec<Token>,
    trust: i32,
}

impl Rule {
    /// Tells whether it replaces what comes next, and was seen to before this token.
    fn is_certain(&self, rest: &[Token]) -> bool {
        self.begins(rest)
            .is_some_and(|after| self.afters.contains(after))
    }

    /// Tells whether it may replace what comes next, from what it replaced elsewhere.
    fn is_likely(&self, rest: &[Token]) -> bool {
        self.afters.len() >= GENERAL
            && self
                .begins(rest)
                .is_some_and(|after| !self.exceptions.contains(after))
    }

    /// Returns what follows its tokens, where they come next.
    fn begins<'t>(&self, rest: &'t [Token]) -> Option<&'t Token> {
        rest.strip_prefix(&self.from[..])?.first()
    }
}

/// Keeps a token among the last ones of a list.
fn remember(tokens: &mut Vec<Token>, token: Token) {
    if tokens.contains(&token) {
        return;
    }
    if tokens.len() == AFTERS {
        tokens.remove(0);
    }
    tokens.push(token);
}

/// A place to go on copying from.
#[derive(Debug, Clone, Copy)]
struct Match {
    source: usize,
    next: usize,
    length: usize,
}

impl Lookup {
    /// Begins after a prompt.
    pub fn new(prompt: Vec<Token>) -> Self {
        Self {
            sources: vec![prompt],
            copy: None,
            lost: None,
            rules: Vec::new(),
        }
    }

    /// Adds a text that may be copied.
    pub fn add_source(&mut self, tokens: Vec<Token>) {
        self.sources.push(tokens);
        if self.copy.is_none() {
            self.find();
        }
    }

    /// Forgets the last tokens of the answer, and what was being copied.
    pub fn take_back(&mut self, tokens: usize) {
        let text = &mut self.sources[0];
        text.truncate(text.len().saturating_sub(tokens));
        (self.copy, self.lost) = (None, None);
    }

    /// Returns how many tokens were copied right up to here, or `None` when nothing is being copied.
    pub fn matched(&self) -> Option<(usize, Kind)> {
        self.copy.map(|copy| (copy.matched, copy.kind))
    }

    /// Returns what comes next, if the copying goes on.
    pub fn continuation(&self, most: usize) -> Vec<Token> {
        let mut tokens = Vec::with_capacity(most);
        let mut copy = self.copy;
        while tokens.len() < most
            && let Some((token, after)) = copy.and_then(|copy| self.step(copy))
        {
            tokens.push(token);
            copy = Some(after);
        }
        tokens
    }

    /// Takes in a token of the answer, and tells what was predicted for it.
    pub fn observe(&mut self, token: Token) -> Option<Outcome> {
        let predicted = self.copy.and_then(|copy| Some((copy, self.step(copy)?)));
        self.sources[0].push(token);
        if let Some(lost) = &mut self.lost {
            lost.written.push(token);
        }
        let Some((copy, (predicted, after))) = predicted else {
            self.copy = None;
            self.find();
            return None;
        };
        let is_right = predicted == token;
        if is_right {
            if let (Some((rule, _)), None) = (self.rule(copy), after.within) {
                let followed = self.sources[after.source].get(after.next).copied();
                let rule = &mut self.rules[rule];
                rule.trust = (rule.trust + 1).min(4);
                if let Some(followed) = followed {
                    remember(&mut rule.afters, followed);
                }
            }
            self.copy = Some(after);
            if after.matched >= CERTAIN {
                self.lost = None;
            }
        } else {
            self.leave(copy, token);
        }
        Some(Outcome {
            matched: copy.matched,
            kind: copy.kind,
            is_right,
        })
    }

    /// Returns the token that comes next in a copy, and the copy after it.
    fn step(&self, copy: Copy) -> Option<(Token, Copy)> {
        let matched = copy.matched + 1;
        let Some((rule, at)) = self.rule(copy) else {
            let token = *self.sources[copy.source].get(copy.next)?;
            let next = copy.next + 1;
            return Some((
                token,
                Copy {
                    next,
                    matched,
                    ..copy
                },
            ));
        };
        let Rule { from, to, .. } = &self.rules[rule];
        let token = *to.get(at)?;
        let is_done = at + 1 == to.len();
        let after = Copy {
            next: copy.next + if is_done { from.len() } else { 0 },
            within: (!is_done).then_some((rule, at + 1)),
            matched,
            ..copy
        };
        Some((token, after))
    }

    /// Returns the replacement that is being written or begins here.
    fn rule(&self, copy: Copy) -> Option<(usize, usize)> {
        if copy.within.is_some() {
            return copy.within;
        }
        let rest = self.sources[copy.source].get(copy.next..)?;
        let certain = self.rules.iter().rposition(|rule| rule.is_certain(rest));
        let likely = || self.rules.iter().rposition(|rule| rule.is_likely(rest));
        certain.or_else(likely).map(|rule| (rule, 0))
    }

    /// Leaves a copy that a token does not go on with.
    fn leave(&mut self, copy: Copy, token: Token) {
        self.copy = None;
        let mut written = Vec::new();
        if let Some((rule, at)) = self.rule(copy) {
            written.extend_from_slice(&self.rules[rule].to[..at]);
            self.doubt(rule, copy);
            if at == 0 && self.sources[copy.source].get(copy.next) == Some(&token) {
                // Not replaced here: the copy itself goes on.
                self.copy = Some(Copy {
                    next: copy.next + 1,
                    matched: copy.matched + 1,
                    ..copy
                });
                return;
            }
        }
        if self.lost.is_none() {
            written.push(token);
            self.lost = Some(Lost {
                source: copy.source,
                at: copy.next,
                written,
            });
        }
        self.find();
    }

    /// Takes in that a replacement was not made where it was expected.
    fn doubt(&mut self, rule: usize, copy: Copy) {
        let Some(rest) = self.sources[copy.source].get(copy.next..) else {
            return;
        };
        let known = &mut self.rules[rule];
        if let Some(after) = known.begins(rest).copied() {
            let expected = known.afters.len();
            known.afters.retain(|known| *known != after);
            remember(&mut known.exceptions, after);
            if known.afters.len() == expected {
                // It was only likely.
                known.trust -= 1;
            } else {
                known.trust -= 2;
            }
        }
        if known.trust < 0 || known.afters.is_empty() {
            self.rules.remove(rule);
        }
    }

    /// Looks for the place that the answer goes on from.
    fn find(&mut self) {
        if self
            .lost
            .as_ref()
            .is_some_and(|lost| lost.written.len() > PATIENCE)
        {
            self.lost = None;
        }
        let near = self.near();
        let far = self.far();
        let near_counts = near.map_or(0, |near| near.length + NEARNESS);
        let elsewhere = match self.lost {
            Some(_) => Kind::Aside,
            None => Kind::Found,
        };
        let (found, kind) = match (near, far) {
            (Some(_), Some(far)) if near_counts < far.length => (far, elsewhere),
            (Some(near), _) => {
                self.learn(near);
                self.lost = None;
                (near, Kind::Resumed)
            }
            (None, Some(far)) => (far, elsewhere),
            (None, None) => return,
        };
        if found.length >= CERTAIN {
            self.lost = None;
        }
        self.copy = Some(Copy {
            source: found.source,
            next: found.next,
            matched: found.length,
            kind,
            within: None,
        });
    }

    /// Finds the longest match near the place where the last copy was left.
    fn near(&self) -> Option<Match> {
        let lost = self.lost.as_ref()?;
        let source = &self.sources[lost.source];
        let first = lost.at.saturating_sub(NEAR).max(1);
        let last = (lost.at + NEAR).min(source.len().saturating_sub(1));
        let mut best: Option<Match> = None;
        for next in first..=last {
            let length = self.length(lost.source, next);
            // Something of the original was replaced or comes after what was put in: it goes on behind the place, and
            // not at a mark before it that happens to be the same.
            let distance = |next: usize| match next.checked_sub(lost.at + 1) {
                Some(ahead) => ahead,
                None => NEAR + lost.at - next,
            };
            let is_better = best.is_none_or(|best| {
                length > best.length
                    || (length == best.length && distance(next) < distance(best.next))
            });
            if length > 0 && is_better {
                best = Some(Match {
                    source: lost.source,
                    next,
                    length,
                });
            }
        }
        best
    }

    /// Finds the longest match anywhere, the last one of several.
    fn far(&self) -> Option<Match> {
        let last = *self.sources[0].last()?;
        let mut best: Option<Match> = None;
        for (index, source) in self.sources.iter().enumerate().rev() {
            for next in (1..source.len()).rev() {
                if source[next - 1] != last {
                    continue;
                }
                let length = self.length(index, next);
                if length >= SHORTEST && best.is_none_or(|best| length > best.length) {
                    best = Some(Match {
                        source: index,
                        next,
                        length,
                    });
                    if length == LONGEST {
                        return best;
                    }
                }
            }
        }
        best
    }

    /// Returns how many of the last tokens stand before a place.
    fn length(&self, source: usize, next: usize) -> usize {
        let written = self.sources[0].iter().rev();
        let original = self.sources[source][..next].iter().rev();
        written
            .zip(original)
            .take(LONGEST)
            .take_while(|(written, original)| written == original)
            .count()
    }

    /// Keeps what was replaced between the place where a copy was left and the place where it goes on.
    fn learn(&mut self, found: Match) {
        let Some(lost) = &self.lost else { return };
        let Some(passed) = found.next.checked_sub(lost.at) else {
            return;
        };
        let source = &self.sources[lost.source];
        let common = found.length.min(passed).min(lost.written.len());
        let mut from = &source[lost.at..found.next - common];
        let mut to = lost.written[..lost.written.len() - common].to_vec();
        let Some(after) = source.get(found.next - common).copied() else {
            return;
        };
        if (from.is_empty() || to.is_empty())
            && let Some(before) = lost.at.checked_sub(1)
        {
            // Something was put behind a token, or taken away there: that token has become another.
            from = &source[before..found.next - common];
            to.insert(0, source[before]);
        }
        let fits = |tokens: &[Token]| (1..=RULE).contains(&tokens.len());
        if !fits(from) || !fits(&to) || from == to {
            return;
        }
        let from = from.to_vec();
        for known in &mut self.rules {
            if known.from == from && known.to != to {
                known.afters.retain(|known| *known != after);
            }
        }
        let known = self
            .rules
            .iter()
            .position(|known| known.from == from && known.to == to);
        let mut rule = known.map_or_else(
            || Rule {
                from,
                to,
                afters: Vec::new(),
                exceptions: Vec::new(),
                trust: 0,
            },
            |known| self.rules.remove(known),
        );
        rule.trust += i32::from(known.is_some());
        rule.exceptions.retain(|known| *known != after);
        remember(&mut rule.afters, after);
        self.rules.retain(|known| !known.afters.is_empty());
        if self.rules.len() == RULES {
            self.rules.remove(0);
        }
        self.rules.push(rule);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// One token for each word or mark.
    fn tokens(text: &str) -> Vec<Token> {
        text.split(' ')
            .map(|word| {
                word.bytes()
                    .fold(7, |sum, b| sum * 31 % 65_521 + Token::from(b))
            })
            .collect()
    }

    /// Words that are nowhere else.
    fn words(name: &str, count: usize) -> String {
        let words: Vec<String> = (0..count).map(|n| format!("{name}{n}")).collect();
        words.join(" ")
    }

    /// Plays an answer, and returns how many of its tokens were predicted, and how many wrongly.
    fn play(lookup: &mut Lookup, answer: &str) -> (usize, usize) {
        let outcomes: Vec<_> = tokens(answer)
            .into_iter()
            .filter_map(|token| lookup.observe(token))
            .collect();
        let right = outcomes.iter().filter(|outcome| outcome.is_right).count();
        (right, outcomes.len() - right)
    }

    #[test]
    fn a_copy_is_followed_to_its_end() {
        let mut lookup = Lookup::new(tokens("please repeat : one two three four five ; now :"));
        assert!(lookup.continuation(9).is_empty(), "nothing to go on from");
        // `: one` was seen, so `two` is predicted.
        assert_eq!(play(&mut lookup, "one two"), (1, 0));
        assert_eq!(lookup.matched(), Some((3, Kind::Found)));
        assert_eq!(lookup.continuation(2), tokens("three four"));
        assert_eq!(play(&mut lookup, "three four five"), (3, 0));
    }

    #[test]
    fn the_longest_match_wins_and_then_the_last_one() {
        let mut lookup = Lookup::new(tokens("a b c 1 . x b c 2 . x b c 3 . a"));
        play(&mut lookup, "b c");
        assert_eq!(lookup.continuation(1), tokens("1"));
        let mut lookup = Lookup::new(tokens("x b c 2 . x b c 3 . y"));
        play(&mut lookup, "b c");
        assert_eq!(lookup.continuation(1), tokens("3"));
    }

    #[test]
    fn a_rename_is_learnt_at_its_first_place() {
        let file = "def count _words ( self ) : return count _words ( text ) + count ( x ) end";
        let mut lookup = Lookup::new(tokens(&format!("rename it {file} done")));
        play(&mut lookup, "rename it def");
        assert_eq!(play(&mut lookup, "tally"), (0, 1));
        // Back in the copy as soon as one token of it is seen again.
        assert_eq!(play(&mut lookup, "_words"), (0, 0));
        assert_eq!(
            lookup.continuation(17),
            tokens("( self ) : return tally _words ( text ) + count ( x ) end done")
        );
    }

    #[test]
    fn a_replacement_that_does_not_come_again_is_dropped() {
        let mut lookup = Lookup::new(tokens("go : a b c , a b c , a b c , a b c ;"));
        play(&mut lookup, "go : a");
        play(&mut lookup, "X c");
        assert_eq!(lookup.continuation(4), tokens(", a X c"));
        // It is written as it was: the copy goes on at once, and is not told to replace it again.
        assert_eq!(play(&mut lookup, ", a b"), (2, 1));
        assert_eq!(lookup.continuation(6), tokens("c , a b c ,"));
    }

    #[test]
    fn what_was_replaced_before_two_tokens_is_replaced_before_a_third() {
        let file = "jobs : list ; jobs . len ; jobs [ 0 ] ; jobs + 1 end";
        let mut lookup = Lookup::new(tokens(&format!("go on {file} {}", words("after", NEAR))));
        play(&mut lookup, "go on");
        play(&mut lookup, "queue : list ;");
        // Seen before one token alone, it is not expected before another.
        assert_eq!(lookup.continuation(1), tokens("jobs"));
        play(&mut lookup, "queue . len ;");
        assert_eq!(lookup.continuation(5), tokens("queue [ 0 ] ;"));
        // Left as it is once, it is left before that token, and not before the next one.
        assert_eq!(play(&mut lookup, "jobs [ 0 ] ;"), (4, 1));
        assert_eq!(lookup.continuation(4), tokens("queue + 1 end"));
    }

    #[test]
    fn a_copy_goes_on_behind_what_was_replaced_and_not_before_it() {
        let mut lookup = Lookup::new(tokens("go on self . jobs . len ( )"));
        play(&mut lookup, "go on self . queue .");
        assert_eq!(lookup.continuation(3), tokens("len ( )"));
    }

    #[test]
    fn a_word_that_gets_longer_is_a_replacement() {
        let file = "f total ( a ) + total ( b ) + total ( c )";
        let mut lookup = Lookup::new(tokens(&format!("go on {file} done")));
        play(&mut lookup, "go on f total _price (");
        assert_eq!(lookup.continuation(8), tokens("a ) + total _price ( b )"));
    }

    #[test]
    fn the_new_name_found_in_the_task_is_told_apart_from_the_copy() {
        let task = format!("to new name here {}", words("between", NEAR));
        let mut lookup = Lookup::new(tokens(&format!("{task} : go on f old ( x )")));
        play(&mut lookup, "go on f new name");
        assert_eq!(lookup.matched().map(|(_, kind)| kind), Some(Kind::Aside));
        play(&mut lookup, "(");
        assert_eq!(lookup.matched(), Some((1, Kind::Resumed)));
    }

    #[test]
    fn an_insertion_is_passed_over() {
        let mut lookup = Lookup::new(tokens("file : f ( ) { return 1 } g ( ) { return 2 }"));
        play(&mut lookup, "file : f ( ) {");
        assert_eq!(play(&mut lookup, "// what it does"), (0, 1));
        play(&mut lookup, "return");
        assert_eq!(lookup.continuation(3), tokens("1 } g"));
    }

    #[test]
    fn a_source_in_the_form_of_the_answer_is_copied_from() {
        let mut lookup = Lookup::new(tokens("unrelated words"));
        play(&mut lookup, "say : x y");
        lookup.add_source(tokens("v x y z w"));
        assert_eq!(lookup.continuation(9), tokens("z w"));
    }

    proptest::proptest! {
        #[test]
        fn any_tokens_can_be_observed(
            prompt in proptest::collection::vec(0..6_i32, 0..40),
            source in proptest::collection::vec(0..6_i32, 0..40),
            answer in proptest::collection::vec(0..6_i32, 0..200),
        ) {
            let mut lookup = Lookup::new(prompt);
            lookup.add_source(source);
            for token in answer {
                let next = lookup.continuation(1).first().copied();
                let outcome = lookup.observe(token);
                // What is told of a prediction is what was predicted.
                assert_eq!(outcome.map(|outcome| outcome.is_right), next.map(|next| next == token));
                assert!(lookup.continuation(8).len() <= 8);
            }
        }
    }
}
