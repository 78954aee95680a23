//! `@` and `#` in a message: the files and the symbols that what is being written could name.

use std::sync::Arc;

use super::app::{App, Cmd};
use super::commands::Candidate;
use super::picker::{Hit, Ranker, Subject, Want};
use super::templates::beginning;
use super::text::clean_line;

/// What is offered at most.
const MOST: usize = 50;

/// What a sign in the message could name.
#[derive(Debug)]
pub(super) struct Mention {
    /// The sign, and where it stands, in bytes.
    sign: char,
    start: usize,
    ranker: Ranker,
    pub found: Vec<Candidate>,
    /// What is written for each of them.
    written: Vec<String>,
}

impl Mention {
    /// Says what is offered, in a word.
    pub(super) fn what(&self) -> &'static str {
        match self.sign {
            '#' => "symbol",
            _ => "file",
        }
    }

    fn new(sign: char, start: usize) -> Self {
        let subject = match sign {
            '#' => Subject::Lines,
            _ => Subject::Paths,
        };
        Self {
            sign,
            start,
            ranker: Ranker::new(subject),
            found: Vec::new(),
            written: Vec::new(),
        }
    }
}

impl App {
    /// Looks for what a sign before the cursor could name.
    pub(super) fn mention(&mut self) {
        let Some((sign, start, query)) = self.composer.mention(&['@', '#']) else {
            self.mention = None;
            return;
        };
        // `#12` is a ticket, and a lone `#` begins a heading.
        let is_name = query.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if sign == '#' && !is_name {
            self.mention = None;
            return;
        }
        let known = self.mention.take();
        let known = known.filter(|known| (known.sign, known.start) == (sign, start));
        let begins = known.is_none();
        let mut mention = known.unwrap_or_else(|| Mention::new(sign, start));
        let offer = |hit: &Hit, line: &str, help: String| Candidate {
            line: clean_line(line),
            help,
            matches: hit.matches.clone(),
        };
        if sign == '#' {
            if begins && !std::mem::replace(&mut self.mapping, true) {
                // What was known is offered meanwhile: files may have changed since.
                self.later.push(Cmd::Find(Want::Symbols));
            }
            let (symbols, names) = self
                .symbols
                .clone()
                .unwrap_or_else(|| (Arc::from(Vec::new()), Arc::from(Vec::new())));
            let (hits, _) = mention.ranker.best(query, &names, MOST);
            let all = hits.iter().map(|hit| (hit, &symbols[hit.at]));
            mention.found = all
                .clone()
                .map(|(hit, symbol)| offer(hit, &symbol.name, clean_line(&symbol.told())))
                .collect();
            mention.written = all
                .map(|(_, symbol)| format!("{} ", symbol.named()))
                .collect();
        } else {
            if self.files.is_none() && !std::mem::replace(&mut self.listing, true) {
                self.later.push(Cmd::Find(Want::Files));
            }
            let files = match &self.files {
                Some(files) => files.clone(),
                // A server's resource is no file: nobody waits for the list of files to name one.
                None if query.contains(':') => Arc::from(Vec::new()),
                None => return,
            };
            let (mut hits, _) = mention.ranker.best(query, &files, MOST);
            // What is written out already needs no list below it.
            if hits.first().is_some_and(|hit| files[hit.at] == query) {
                hits.clear();
            }
            mention.found = hits
                .iter()
                .map(|hit| offer(hit, &files[hit.at], String::new()))
                .collect();
            mention.written = hits
                .iter()
                .map(|hit| format!("@{} ", clean_line(&files[hit.at])))
                .collect();
            let query = query.to_owned();
            let mut written: Vec<String> = Vec::new();
            let mut resources: Vec<Candidate> = Vec::new();
            for offer in self.template_values(&query) {
                written.push(offer.written);
                resources.push(offer.candidate);
            }
            for resource in self.resources_for(&query) {
                // Of an address with variables, what stands before the first one is written.
                written.push(match beginning(&resource.line) {
                    // That much is written already; the values of its variables are what is offered.
                    Some(line) if query.len() >= line.len() => continue,
                    Some(line) => format!("@{line}"),
                    None => format!("@{} ", resource.line),
                });
                resources.push(resource);
            }
            if query.contains(':') {
                // No path of a file is likely to be meant.
                mention.written.splice(0..0, written);
                mention.found.splice(0..0, resources);
            } else {
                mention.written.extend(written);
                mention.found.extend(resources);
            }
        }
        self.mention = Some(mention);
    }

    /// Writes what is chosen into the message; tells whether anything was.
    pub(super) fn complete_mention(&mut self) -> bool {
        if self.closed {
            return false;
        }
        let Some(mention) = &self.mention else {
            return false;
        };
        let Some(written) = mention.written.get(self.chosen) else {
            return false;
        };
        self.composer.complete(mention.start, written);
        self.edited();
        true
    }
}
