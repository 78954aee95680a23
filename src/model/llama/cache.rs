//! What is evaluated already: the tokens in the context with their exact bytes, and how much of a new prompt they
//! cover.

use super::native::{Context, DecodeError, Logits, Token, Weights};
use super::prompt::{Part, Prompt};

/// A token that is evaluated, or to be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    token: Token,
    /// The bytes of the prompt that it stands for.
    bytes: Vec<u8>,
    control: bool,
}

/// How the tokenizer behaves at a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cutting {
    /// A text may be continued after any token.
    Anywhere,
    /// The tokenizer puts a space before each text: only a control token ends one.
    AtControls,
}

/// Tokens in order, with their bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens(Vec<Entry>);

impl Tokens {
    /// Returns how many of these tokens a prompt begins with, cut back to where the rest can be tokenised, and the
    /// bytes that they stand for. At least one byte of the prompt is left over, since evaluating it gives the
    /// logits to go on from.
    fn covering(&self, prompt: &Prompt, cutting: Cutting) -> (usize, usize) {
        let text = prompt.text.as_bytes();
        let mut places = vec![0];
        let mut at = 0;
        for entry in &self.0 {
            let end = at + entry.bytes.len();
            if end > text.len() || entry.bytes != text[at..end] {
                break;
            }
            let fits = match prompt.next_control(at) {
                Some(control) if entry.control => {
                    (control.start, control.end, control.token) == (at, end, entry.token)
                }
                Some(control) => end <= control.start,
                None => !entry.control,
            };
            if !fits {
                break;
            }
            at = end;
            places.push(at);
        }
        let mut kept = places.len() - 1;
        let diverged = kept < self.0.len() && places[kept] < text.len();
        while kept > 0 && places[kept] == text.len() {
            kept -= 1;
        }
        if diverged || cutting == Cutting::AtControls {
            while kept > 0 && !self.can_cut(kept, places[kept], prompt, cutting) {
                kept -= 1;
            }
        }
        (kept, places[kept])
    }

    /// Tells whether the text after the first `kept` tokens is tokenised as it would be in one piece: a control
    /// token is there, or a line ends (tokenizers never join a line break to the word after it).
    fn can_cut(&self, kept: usize, place: usize, prompt: &Prompt, cutting: Cutting) -> bool {
        let before = &self.0[kept - 1];
        before.control
            || prompt.next_control(place).map(|control| control.start) == Some(place)
            || (cutting == Cutting::Anywhere
                && before.bytes.last() == Some(&b'\n')
                && prompt
                    .text
                    .as_bytes()
                    .get(place)
                    .is_some_and(|byte| !byte.is_ascii_whitespace()))
    }

    /// Tokenises a prompt from a place on.
    fn tokenize(prompt: &Prompt, from: usize, weights: &Weights) -> Self {
        let mut entries = Vec::new();
        for part in prompt.parts(from) {
            match part {
                Part::Control(control) => entries.push(Entry {
                    token: control.token,
                    bytes: prompt.text.as_bytes()[control.start..control.end].to_vec(),
                    control: true,
                }),
                Part::Text(text) => {
                    let tokens = weights.tokenize(text);
                    let pieces: Vec<_> = tokens.iter().map(|token| weights.piece(*token)).collect();
                    entries.extend(assign(&tokens, pieces, text.as_bytes()));
                }
            }
        }
        Self(entries)
    }
}

/// Gives each token of a text the bytes of it that it stands for.
fn assign(tokens: &[Token], mut pieces: Vec<Vec<u8>>, text: &[u8]) -> Vec<Entry> {
    // SentencePiece puts a space before the text.
    if let Some(first) = pieces.first_mut()
        && first.first() == Some(&b' ')
        && text.first() != Some(&b' ')
    {
        first.remove(0);
    }
    // A tokenizer that normalises the text gives other bytes: the text then counts as one piece, which matches as
    // a whole or not at all.
    if pieces.concat() != text {
        for piece in &mut pieces {
            piece.clear();
        }
        if let Some(first) = pieces.first_mut() {
            *first = text.to_vec();
        }
    }
    tokens
        .iter()
        .zip(pieces)
        .map(|(token, bytes)| Entry {
            token: *token,
            bytes,
            control: false,
        })
        .collect()
}

/// How far a prompt is evaluated, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) done: usize,
    pub(super) total: usize,
    pub(super) cached: usize,
}

/// A context together with what is in it. The two are in step after every call, failed ones too.
pub(super) struct Cache<'w> {
    context: Context<'w>,
    evaluated: Tokens,
}

/// A prompt that is tokenised as far as it has to be evaluated.
#[derive(Debug)]
pub(super) struct Plan {
    cached: usize,
    rest: Tokens,
}

impl Plan {
    /// Returns how many tokens the prompt has.
    pub(super) fn total(&self) -> usize {
        self.cached + self.rest.0.len()
    }

    /// Returns how many of them are in the cache.
    pub(super) fn cached(&self) -> usize {
        self.cached
    }
}

impl<'w> Cache<'w> {
    /// Takes a fresh context.
    pub(super) fn new(context: Context<'w>) -> Self {
        Self {
            context,
            evaluated: Tokens::default(),
        }
    }

    /// Returns the context.
    pub(super) fn context(&mut self) -> &mut Context<'w> {
        &mut self.context
    }

    /// Returns the weights.
    pub(super) fn weights(&self) -> &'w Weights {
        self.context.weights()
    }

    /// Returns how many tokens are evaluated.
    pub(super) fn len(&self) -> usize {
        self.evaluated.0.len()
    }

    /// Finds what has to be evaluated for a prompt.
    pub(super) fn plan(&self, prompt: &Prompt) -> Plan {
        let weights = self.weights();
        let cutting = if weights.prefixes_space() {
            Cutting::AtControls
        } else {
            Cutting::Anywhere
        };
        let (cached, place) = self.evaluated.covering(prompt, cutting);
        Plan {
            cached,
            rest: Tokens::tokenize(prompt, place, weights),
        }
    }

    /// Evaluates what a plan says, and returns how many tokens came from the cache.
    pub(super) fn evaluate(
        &mut self,
        prompt: &Prompt,
        mut plan: Plan,
        stop: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<usize, DecodeError> {
        if !self.cut(plan.cached) {
            plan = Plan {
                cached: 0,
                rest: Tokens::tokenize(prompt, 0, self.weights()),
            };
        }
        let (cached, total) = (plan.cached, plan.total());
        let mut report = |done| {
            progress(Progress {
                done,
                total,
                cached,
            });
        };
        report(cached);
        let batch = self.context.batch();
        let mut rest = plan.rest.0;
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(batch));
            let logits = if later.is_empty() {
                Logits::OfLast
            } else {
                Logits::None
            };
            self.append(rest, logits, stop)?;
            report(self.len());
            rest = later;
        }
        Ok(cached)
    }

    /// Forgets the last tokens, and evaluates the one before them again for its logits.
    pub(super) fn take_back(
        &mut self,
        tokens: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), DecodeError> {
        let kept = self.len().saturating_sub(tokens + 1);
        if !self.context.forget_from(kept) {
            self.clear();
            let message = "this model's memory cannot be taken back in part".to_owned();
            return Err(DecodeError::Failed(message));
        }
        let again = self.evaluated.0.get(kept).map(|entry| entry.token);
        self.evaluated.0.truncate(kept);
        match again {
            Some(token) => self.push(&[token], stop),
            None => Ok(()),
        }
    }

    /// Evaluates generated tokens: not more than a batch of them.
    pub(super) fn push(
        &mut self,
        tokens: &[Token],
        stop: &dyn Fn() -> bool,
    ) -> Result<(), DecodeError> {
        let weights = self.weights();
        let entries = tokens
            .iter()
            .map(|token| Entry {
                token: *token,
                bytes: weights.piece(*token),
                control: weights.is_control(*token),
            })
            .collect();
        self.append(entries, Logits::OfLast, stop)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.context.forget_all();
        self.evaluated.0.clear();
    }

    fn append(
        &mut self,
        entries: Vec<Entry>,
        logits: Logits,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), DecodeError> {
        if stop() {
            return Err(DecodeError::Stopped);
        }
        let tokens: Vec<Token> = entries.iter().map(|entry| entry.token).collect();
        let known = self.len();
        match self.context.decode(&tokens, known, logits, stop) {
            Ok(()) => {
                self.evaluated.0.extend(entries);
                Ok(())
            }
            Err(error @ DecodeError::Stopped) => {
                // Some of it may be evaluated, some not: only what was there before is known to be whole.
                if !self.context.forget_from(known) {
                    self.clear();
                }
                Err(error)
            }
            Err(error @ DecodeError::Failed(_)) => {
                self.clear();
                Err(error)
            }
        }
    }

    /// Keeps the first tokens only. Returns `false` when that was not possible and everything is forgotten.
    fn cut(&mut self, kept: usize) -> bool {
        if kept == self.len() {
            return true;
        }
        if self.context.forget_from(kept) {
            self.evaluated.0.truncate(kept);
            return true;
        }
        self.clear();
        kept == 0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::prompt::Control;
    use super::*;

    /// Makes tokens of texts; one in angle brackets is a control token.
    fn tokens(texts: &[&str]) -> Tokens {
        Tokens(
            texts
                .iter()
                .map(|text| Entry {
                    token: i32::from(text.as_bytes()[0]),
                    bytes: text.as_bytes().to_vec(),
                    control: text.starts_with('<'),
                })
                .collect(),
        )
    }

    fn prompt(text: &str) -> Prompt {
        let controls = text
            .match_indices('<')
            .map(|(start, _)| Control {
                start,
                end: start + 3,
                token: i32::from(b'<'),
            })
            .collect();
        Prompt {
            text: text.to_owned(),
            controls,
        }
    }

    fn check(cached: &[&str], text: &str, expected: usize) {
        let (kept, place) = tokens(cached).covering(&prompt(text), Cutting::Anywhere);
        assert_eq!(kept, expected, "{cached:?} against {text:?}");
        assert_eq!(place, cached[..kept].concat().len());
    }

    #[test]
    fn a_prompt_that_goes_on_keeps_every_token() {
        check(&["<s>", "he", "llo"], "<s>hello<e>", 3);
        // Not the tokens that the tokenizer would choose: their bytes are what counts.
        check(&["<s>", "h", "e", "l", "lo"], "<s>hello world", 5);
    }

    #[test]
    fn a_divergence_is_cut_back_to_a_safe_place() {
        check(&["<s>", "he", "llo", "<e>"], "<s>help", 1);
        check(&["<s>", "one\n", "two", "three"], "<s>one\ntwofour", 2);
        check(&["<s>", "one\n", "two"], "<s>one\n  two", 1);
        check(&["<s>", "hi", "<e>", "x"], "<s>hi<e>y", 3);
    }

    #[test]
    fn something_is_always_left_to_evaluate() {
        check(&["<s>", "hi", "<e>"], "<s>hi<e>", 2);
        check(&["<s>", "hi", "<e>", "more"], "<s>hi<e>", 2);
        check(&["<s>"], "<s>", 0);
        check(&[], "<s>", 0);
    }

    #[test]
    fn text_that_looks_like_a_control_token_is_not_taken_for_one() {
        let cached = tokens(&["a", "<e>"]);
        let plain = Prompt {
            text: "a<e>b".to_owned(),
            controls: Vec::new(),
        };
        // Cut back from the divergence: nothing before it is a safe place.
        assert_eq!(cached.covering(&plain, Cutting::Anywhere), (0, 0));
        let mut literal = tokens(&["a", "<e>"]);
        literal.0[1].control = false;
        assert_eq!(literal.covering(&plain, Cutting::Anywhere), (2, 4));
        assert_eq!(
            literal.covering(&prompt("a<e>b"), Cutting::Anywhere),
            (1, 1)
        );
    }

    #[test]
    fn a_tokenizer_that_prefixes_spaces_is_cut_at_control_tokens_only() {
        let cached = tokens(&["<s>", "hi", "ho"]);
        let cover = |text: &str| cached.covering(&prompt(text), Cutting::AtControls).0;
        assert_eq!(cover("<s>hiho more"), 1);
        assert_eq!(cover("<s>hiho<e>"), 3);
    }

    #[test]
    fn bytes_are_assigned_even_when_the_tokenizer_changes_the_text() {
        let bytes = |pieces: &[&str], text: &str| -> Vec<String> {
            let pieces: Vec<_> = pieces.iter().map(|p| p.as_bytes().to_vec()).collect();
            assign(&[1, 2][..pieces.len()], pieces, text.as_bytes())
                .into_iter()
                .map(|entry| String::from_utf8(entry.bytes).unwrap())
                .collect()
        };
        assert_eq!(bytes(&["he", "llo"], "hello"), ["he", "llo"]);
        assert_eq!(bytes(&[" he", "llo"], "hello"), ["he", "llo"]);
        assert_eq!(bytes(&["x", "y"], "hello"), ["hello", ""]);
    }
}
