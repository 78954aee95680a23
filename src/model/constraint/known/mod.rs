//! Arguments that are real: a path that is there, a passage that the file holds.
//!
//! The grammar of a call says what is a string; this says which strings. While such a string is written, only those
//! tokens are let through that keep it the beginning of a known text. Nothing of it is part of the grammar, which
//! therefore stays the same while files come and go, however many there are.

mod guard;
mod marks;
mod names;
mod place;
mod quotes;
mod syntax;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use llguidance::toktrie::{SimpleVob, TokTrie, TokenId};

use crate::protocol::{CallForm, Known, KnownKind, Passages, ToolSpec};

use guard::{Source, Texts};
use marks::{Mark, MarkedAs};
use names::Names;
use place::Place;
use quotes::Quotes;
use syntax::{Border, Syntax};

pub(super) use marks::quotes_a_file;

/// How many lists of names, and how many texts, are kept prepared.
const KEPT: usize = 16;

/// How many bytes are written at once without asking the model.
const MOST_FORCED: usize = 4096;

/// Lists of names that belong together.
type Lists = Vec<Arc<[String]>>;

/// Prepares what arguments are held to, and keeps it as long as it stays the same.
#[derive(Default)]
pub(super) struct Library {
    names: Vec<(Lists, Option<Rc<Source>>)>,
    quotes: Vec<(Arc<str>, Option<Rc<Source>>)>,
}

/// The tokens that could reach into a guarded string from before it, with their marks before the last byte.
pub(super) struct Reaching {
    quotes: Vec<(usize, TokenId)>,
    breaks: Vec<(usize, TokenId)>,
    angles: Vec<(usize, TokenId)>,
}

/// What the arguments of one call are held to.
pub(super) struct Held {
    tools: HashMap<String, Rc<Mark>>,
    known: HashMap<MarkedAs, Rc<Source>>,
    passage_paths: Option<Rc<Source>>,
    passages: HashMap<String, Rc<Source>>,
}

/// The guard of a call in progress.
#[derive(Clone)]
pub(super) struct Guard {
    place: Place,
}

impl Reaching {
    pub(super) fn new(trie: &TokTrie) -> Self {
        let with = |mark: u8| {
            let mut tokens: Vec<(usize, TokenId)> = (0..u32::try_from(trie.vocab_size())
                .unwrap_or(0))
                .filter_map(|token| {
                    let (_, before) = trie.token(token).split_last()?;
                    let marks = before.iter().filter(|byte| **byte == mark).count();
                    (marks > 0).then_some((marks, token))
                })
                .collect();
            tokens.sort_unstable_by(|a, b| b.cmp(a));
            tokens
        };
        Self {
            quotes: with(b'"'),
            breaks: with(b'\n'),
            angles: with(b'>'),
        }
    }
}

impl Library {
    /// Prepares what calls of these tools are held to; `None` when nothing is.
    pub(super) fn hold(
        &mut self,
        tools: &[&ToolSpec],
        known: &[Known],
        passages: &[Passages],
    ) -> Option<Rc<Held>> {
        let marks: HashMap<String, Rc<Mark>> = tools
            .iter()
            .filter_map(|tool| Some((tool.name.clone(), Mark::of(tool)?)))
            .collect();
        if marks.is_empty() {
            return None;
        }
        let lists = |kinds: &[KnownKind]| -> Lists {
            known
                .iter()
                .filter(|known| kinds.contains(&known.kind) && !known.names.is_empty())
                .map(|known| Arc::clone(&known.names))
                .collect()
        };
        let mut sources = HashMap::new();
        for (kind, kinds) in [
            (MarkedAs::File, &[KnownKind::File][..]),
            (MarkedAs::Folder, &[KnownKind::Folder]),
            (MarkedAs::Path, &[KnownKind::File, KnownKind::Folder]),
            (MarkedAs::Ref, &[KnownKind::GitRef]),
            (MarkedAs::Entity, &[KnownKind::Entity]),
        ] {
            let is_whole = kinds.iter().all(|kind| {
                known
                    .iter()
                    .any(|known| known.kind == *kind && !known.names.is_empty())
            });
            if is_whole && let Some(source) = self.names(lists(kinds)) {
                sources.insert(kind, source);
            }
        }
        let quoting = marks.values().any(|mark| mark.quotes.is_some());
        let passages = if quoting { passages } else { &[] };
        let paths: Vec<String> = passages.iter().map(|one| one.path.clone()).collect();
        Some(Rc::new(Held {
            tools: marks,
            known: sources,
            passage_paths: Names::new(&[paths.into()])
                .map(|names| Rc::new(Source::new(Texts::Names(names)))),
            passages: passages
                .iter()
                .filter_map(|one| Some((one.path.clone(), self.quotes(&one.text)?)))
                .collect(),
        }))
    }

    fn names(&mut self, lists: Lists) -> Option<Rc<Source>> {
        // The lists are held here, so that an address stands for one list only.
        let is_same = |(of, _): &(Lists, Option<Rc<Source>>)| {
            of.len() == lists.len() && of.iter().zip(&lists).all(|(a, b)| Arc::ptr_eq(a, b))
        };
        let found = self.names.iter().position(is_same);
        let entry = match found {
            Some(at) => self.names.remove(at),
            None => {
                let names = Names::new(&lists);
                let source = names.map(|names| Rc::new(Source::new(Texts::Names(names))));
                (lists, source)
            }
        };
        let source = entry.1.clone();
        remember(&mut self.names, entry);
        source
    }

    fn quotes(&mut self, text: &Arc<str>) -> Option<Rc<Source>> {
        let found = self
            .quotes
            .iter()
            .position(|(of, _)| Arc::ptr_eq(of, text) || of == text);
        let entry = match found {
            Some(at) => self.quotes.remove(at),
            None => {
                let source =
                    Quotes::new(text).map(|quotes| Rc::new(Source::new(Texts::Quotes(quotes))));
                (Arc::clone(text), source)
            }
        };
        let source = entry.1.clone();
        remember(&mut self.quotes, entry);
        source
    }
}

/// Puts the newest entry last, and drops the oldest where there are too many.
fn remember<T>(entries: &mut Vec<T>, entry: T) {
    entries.push(entry);
    if entries.len() > KEPT {
        entries.remove(0);
    }
}

impl Held {
    fn tool(&self, name: &str) -> Option<Rc<Mark>> {
        self.tools.get(name).cloned()
    }

    fn names(&self, kind: MarkedAs) -> Option<Rc<Source>> {
        self.known.get(&kind).cloned()
    }

    fn has_passages(&self) -> bool {
        self.passage_paths.is_some()
    }

    fn passage_paths(&self) -> Option<Rc<Source>> {
        self.passage_paths.clone()
    }

    fn quotes(&self, path: &str) -> Option<Rc<Source>> {
        self.passages.get(path).cloned()
    }
}

impl Guard {
    /// Guards a call that is written in a form, from its body's first byte on.
    pub(super) fn new(held: Rc<Held>, form: CallForm, trie: &TokTrie) -> Self {
        Self {
            place: Place::new(held, Syntax::of(form, trie)),
        }
    }

    /// Moves on. Says no where what was written is not what it is held to.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> bool {
        self.place.feed(bytes)
    }

    /// Returns what must come next inside of a guarded string; `None` outside of one.
    pub(super) fn forced(&self) -> Option<Vec<u8>> {
        let guarded = self.place.guarded()?;
        Some(
            guarded
                .source
                .forced(guarded.at, guarded.guarding, MOST_FORCED),
        )
    }

    /// Takes out of a mask what a guarded string must not have.
    pub(super) fn restrict(&self, mask: &mut SimpleVob, trie: &TokTrie, reaching: &Reaching) {
        if let Some(guarded) = self.place.guarded() {
            let next = guarded.source.next(guarded.at, guarded.guarding, trie);
            let crossing: Vec<TokenId> = next
                .crossing
                .iter()
                .copied()
                .filter(|token| mask.is_allowed(*token) && self.place.allows(trie.token(*token)))
                .collect();
            mask.and(&next.inside);
            for token in crossing {
                mask.allow_token(token);
            }
            return;
        }
        let (border, needed) = self.place.borders_to_a_guarded_string();
        let tokens = match border {
            Border::Quote => &reaching.quotes,
            Border::LineBreak => &reaching.breaks,
            Border::Angle => &reaching.angles,
        };
        for (_, token) in tokens.iter().take_while(|(marks, _)| *marks >= needed) {
            if mask.is_allowed(*token) && !self.place.allows(trie.token(*token)) {
                mask.disallow_token(*token);
            }
        }
    }
}
