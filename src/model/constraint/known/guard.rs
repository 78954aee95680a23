//! What may be written inside of one guarded string: a walk over the tokens that stay inside of the texts it is held
//! to.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use llguidance::toktrie::{SimpleVob, TokTrie, TokenId};
use toktrie::TrieNode;

use super::names::{Names, Run};
use super::quotes::Quotes;
use super::syntax::{End, SPECIAL, Writing};

/// Runs with more texts than this are walked once; the result is kept.
const KEPT_FROM: u32 = 64;
/// How many results are kept; each is a bit for every token.
const KEPT: usize = 64;

/// The texts that a string is held to.
pub(super) enum Texts {
    Names(Names),
    Quotes(Quotes),
}

/// Texts, and what is worth keeping of the walks over them.
pub(super) struct Source {
    texts: Texts,
    kept: RefCell<HashMap<(Inside, Guarding), Rc<Next>>>,
}

/// How a string is held to its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Guarding {
    pub(super) writing: Writing,
    /// A quote need not be unique.
    pub(super) all: bool,
}

/// Where in a guarded string one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Inside {
    /// The texts that begin so; none while only the rest of its end is left.
    run: Option<Run>,
    mark: Mark,
}

/// What is begun besides a text: an escape of JSON, or the end of a string that is written as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Mark {
    None,
    Backslash,
    /// `\u`, and how many digits of it.
    Code(u8),
    /// So many bytes of [`End::bytes`].
    End(u8),
}

/// Where a byte leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Inside(Inside),
    /// The string has ended.
    Out,
}

/// The tokens that may come next.
#[derive(Debug)]
pub(super) struct Next {
    /// Those that stay inside of the string.
    pub(super) inside: SimpleVob,
    /// Those that end it, and may say more.
    pub(super) crossing: Vec<TokenId>,
}

impl Source {
    pub(super) fn new(texts: Texts) -> Self {
        Self {
            texts,
            kept: RefCell::default(),
        }
    }

    /// Returns where a string begins.
    pub(super) fn begin(&self) -> Inside {
        let run = match &self.texts {
            Texts::Names(names) => names.all(),
            Texts::Quotes(quotes) => quotes.all(),
        };
        Inside {
            run: Some(run),
            mark: Mark::None,
        }
    }

    fn byte(&self, at: u32, depth: u32) -> Option<u8> {
        match &self.texts {
            Texts::Names(names) => names.byte(at, depth),
            Texts::Quotes(quotes) => quotes.byte(at, depth),
        }
    }

    fn may_end(&self, run: Run, guarding: Guarding) -> bool {
        match &self.texts {
            Texts::Names(names) => names.may_end(run),
            Texts::Quotes(quotes) if guarding.all => quotes.may_end_anywhere(run),
            Texts::Quotes(quotes) => quotes.may_end(run),
        }
    }

    /// Returns where one byte leads; `None` where it must not come.
    pub(super) fn step(&self, at: Inside, guarding: Guarding, byte: u8) -> Option<Step> {
        let mut steps = Vec::new();
        self.steps(at, guarding, &mut steps);
        steps
            .iter()
            .find(|(of, _)| *of == byte)
            .map(|(_, step)| *step)
    }

    /// Returns the bytes that must come next, as far as there is no choice.
    pub(super) fn forced(&self, mut at: Inside, guarding: Guarding, most: usize) -> Vec<u8> {
        let (mut bytes, mut steps) = (Vec::new(), Vec::new());
        while bytes.len() < most {
            self.steps(at, guarding, &mut steps);
            let [(byte, step)] = steps[..] else { break };
            if byte == SPECIAL {
                break;
            }
            bytes.push(byte);
            match step {
                Step::Inside(next) => at = next,
                Step::Out => break,
            }
        }
        bytes
    }

    /// Lists the bytes that may come next and where they lead, each byte once.
    fn steps(&self, at: Inside, guarding: Guarding, steps: &mut Vec<(u8, Step)>) {
        steps.clear();
        match guarding.writing {
            Writing::Json => self.steps_in_json(at, guarding, steps),
            Writing::Plain(end) => self.steps_as_it_is(at, guarding, end, steps),
        }
    }

    fn steps_in_json(&self, at: Inside, guarding: Guarding, steps: &mut Vec<(u8, Step)>) {
        let Some(run) = at.run else { return };
        let inside = |run: Run, mark: Mark| {
            Step::Inside(Inside {
                run: Some(run),
                mark,
            })
        };
        let mut escapes = false;
        let mut coded = Vec::new();
        run.branches(
            |at, depth| self.byte(at, depth),
            |byte, branch| match (at.mark, escape_of(byte)) {
                (Mark::None, Escape::Plain) => steps.push((byte, inside(branch, Mark::None))),
                (Mark::None, Escape::Letter(_) | Escape::Code) => escapes = true,
                (Mark::Backslash, Escape::Letter(letter)) => {
                    steps.push((letter, inside(branch, Mark::None)));
                }
                (Mark::Backslash | Mark::Code(_), Escape::Code) => coded.push((byte, branch)),
                _ => {}
            },
        );
        match at.mark {
            Mark::None => {
                if escapes {
                    steps.push((b'\\', inside(run, Mark::Backslash)));
                }
                if self.may_end(run, guarding) {
                    steps.push((b'"', Step::Out));
                }
            }
            Mark::Backslash if !coded.is_empty() => {
                steps.push((b'u', inside(run, Mark::Code(0))));
            }
            Mark::Code(digits @ 0..=1) => {
                steps.push((b'0', inside(run, Mark::Code(digits + 1))));
            }
            Mark::Code(2) => {
                for high in [0, 1] {
                    if coded.iter().any(|(byte, _)| byte >> 4 == high) {
                        steps.push((b'0' + high, inside(run, Mark::Code(3 + high))));
                    }
                }
            }
            Mark::Code(high) => {
                for (byte, branch) in coded {
                    if byte >> 4 == high - 3 {
                        let digit = char::from_digit(u32::from(byte & 15), 16).unwrap_or('0');
                        steps.push((digit as u8, inside(branch, Mark::None)));
                    }
                }
            }
            Mark::Backslash | Mark::End(_) => {}
        }
    }

    fn steps_as_it_is(
        &self,
        at: Inside,
        guarding: Guarding,
        end: End,
        steps: &mut Vec<(u8, Step)>,
    ) {
        if let Some(run) = at.run {
            run.branches(
                |at, depth| self.byte(at, depth),
                |byte, branch| {
                    steps.push((
                        byte,
                        Step::Inside(Inside {
                            run: Some(branch),
                            mark: Mark::None,
                        }),
                    ));
                },
            );
        }
        let mut ends: Vec<usize> = Vec::new();
        if let Mark::End(bytes) = at.mark {
            ends.push(usize::from(bytes));
        }
        if at.run.is_some_and(|run| self.may_end(run, guarding)) {
            ends.push(0);
        }
        for ended in ends {
            let byte = end.bytes()[ended];
            let is_taken = |step: &Step| match step {
                Step::Out => true,
                Step::Inside(inside) => inside.mark != Mark::None,
            };
            // Every end is shorter than 256 bytes.
            let mark = Mark::End(u8::try_from(ended + 1).unwrap_or(u8::MAX));
            let is_whole = ended + 1 == end.bytes().len();
            match steps.iter_mut().find(|(of, _)| *of == byte) {
                Some((_, step)) if is_taken(step) => {}
                Some((_, step)) if is_whole => *step = Step::Out,
                Some((_, Step::Inside(inside))) => inside.mark = mark,
                None if is_whole => steps.push((byte, Step::Out)),
                _ => steps.push((byte, Step::Inside(Inside { run: None, mark }))),
            }
        }
    }

    /// Returns the tokens that may come next.
    pub(super) fn next(&self, at: Inside, guarding: Guarding, trie: &TokTrie) -> Rc<Next> {
        let is_large = at.run.is_some_and(|run| run.high - run.low >= KEPT_FROM);
        if is_large && let Some(next) = self.kept.borrow().get(&(at, guarding)) {
            return Rc::clone(next);
        }
        let mut next = Next {
            inside: trie.alloc_token_set(),
            crossing: Vec::new(),
        };
        self.walk(at, guarding, trie, trie.root(), &mut next);
        let next = Rc::new(next);
        if is_large {
            let mut kept = self.kept.borrow_mut();
            if kept.len() >= KEPT {
                kept.clear();
            }
            kept.insert((at, guarding), Rc::clone(&next));
        }
        next
    }

    fn walk(
        &self,
        at: Inside,
        guarding: Guarding,
        trie: &TokTrie,
        node: &TrieNode,
        next: &mut Next,
    ) {
        if node.subtree_size() == 1 {
            return;
        }
        let mut steps = Vec::new();
        self.steps(at, guarding, &mut steps);
        for child in trie.node_children(node) {
            let step = steps.iter().find(|(byte, _)| *byte == child.byte());
            match step {
                None => {}
                Some((_, Step::Inside(inside))) => {
                    if let Some(token) = child.token_id() {
                        next.inside.allow_token(token);
                    }
                    self.walk(*inside, guarding, trie, child, next);
                }
                Some((_, Step::Out)) => tokens_of(trie, child, &mut next.crossing),
            }
        }
    }
}

/// Collects the tokens at and below a node.
fn tokens_of(trie: &TokTrie, node: &TrieNode, tokens: &mut Vec<TokenId>) {
    tokens.extend(node.token_id());
    for child in trie.node_children(node) {
        tokens_of(trie, child, tokens);
    }
}

/// How JSON writes a byte of a string.
enum Escape {
    Plain,
    Letter(u8),
    Code,
}

fn escape_of(byte: u8) -> Escape {
    match byte {
        b'"' | b'\\' => Escape::Letter(byte),
        b'\n' => Escape::Letter(b'n'),
        b'\r' => Escape::Letter(b'r'),
        b'\t' => Escape::Letter(b't'),
        8 => Escape::Letter(b'b'),
        12 => Escape::Letter(b'f'),
        0..=31 => Escape::Code,
        _ => Escape::Plain,
    }
}
