//! The pane that shows what a server asks: a form to fill in, a page to open, or what the model is to say for it.
//!
//! It holds what the user filled in and nothing else; the question itself stays in the transcript. Nothing here
//! fetches, opens or sends: an answer leaves as an [`crate::protocol::Op`], once.

mod body;
mod draw;
mod entry;
mod keys;
mod page;

use std::time::Duration;

use serde_json::{Map, Value};

use crate::protocol::{Answer, Field, Question, QuestionId, QuestionKind};

use super::approval::QUIET;

pub(super) use entry::Entry;
pub(super) use page::warnings;

/// A server's question that waits for the user.
#[derive(Debug)]
pub(super) struct Asked {
    pub id: QuestionId,
    quiet_since: Duration,
    /// The fields, where the question is a form.
    entries: Vec<Entry>,
    /// The field in focus; then the button that sends, and the one that declines.
    focus: usize,
    /// Sending was tried: every problem is shown from then on.
    tried: bool,
    scroll: usize,
    /// What the user made of a prompt or a completion.
    text: Option<String>,
    /// An answer was sent; nothing more is.
    pub answered: bool,
}

impl Asked {
    /// Opens the pane at a time.
    pub(super) fn new(question: &Question, now: Duration) -> Self {
        let entries = match &question.kind {
            QuestionKind::Form { fields, .. } => fields.iter().map(Entry::new).collect(),
            _ => Vec::new(),
        };
        Self {
            id: question.id,
            quiet_since: now,
            entries,
            focus: 0,
            tried: false,
            scroll: 0,
            text: None,
            answered: false,
        }
    }

    /// Tells whether a key is meant for the pane at that time: whoever is writing a message goes on writing it.
    pub(super) fn is_armed(&self, now: Duration) -> bool {
        now.saturating_sub(self.quiet_since) >= QUIET
    }

    /// Returns when keys begin to count.
    pub(super) fn arms_at(&self) -> Duration {
        self.quiet_since + QUIET
    }

    /// Takes note of a key that was not meant for the pane.
    pub(super) fn disturb(&mut self, now: Duration) {
        self.quiet_since = now;
    }

    /// Takes a text that was written elsewhere: for the field in focus, or in place of what the server wrote.
    pub(super) fn written(&mut self, text: &str) {
        if self.entries.is_empty() {
            self.text = Some(text.to_owned());
        } else if let Some(entry) = self.entries.get_mut(self.focus) {
            entry.set(text);
        }
    }

    /// Inserts a paste into the field in focus, and tells whether it took it.
    pub(super) fn paste(&mut self, text: &str) -> bool {
        self.entries
            .get_mut(self.focus)
            .is_some_and(|entry| entry.paste(text))
    }

    /// Returns what would be sent, or the first field that has no proper value.
    fn values(&self) -> Result<Map<String, Value>, usize> {
        let mut values = Map::new();
        for (at, entry) in self.entries.iter().enumerate() {
            match entry.value() {
                Ok(Some(value)) => drop(values.insert(entry.field.name.clone(), value)),
                Ok(None) => {}
                Err(_) => return Err(at),
            }
        }
        Ok(values)
    }

    /// Returns the acceptance, unless a field is wrong: then that one is in focus.
    fn accept(&mut self) -> Option<Answer> {
        self.tried = true;
        match self.values() {
            Ok(values) => Some(Answer::Accept {
                values,
                text: self.text.clone(),
            }),
            Err(at) => {
                self.focus = at;
                None
            }
        }
    }
}

/// Returns how a field is called.
fn label(field: &Field) -> String {
    super::text::clean_line(field.title.as_deref().unwrap_or(&field.name))
}

/// Tells whether a field seems to ask for something that no form may ask for.
fn asks_for_secret(field: &Field) -> bool {
    let named = format!(
        "{} {}",
        field.name,
        field.title.as_deref().unwrap_or_default()
    )
    .to_lowercase();
    [
        "password",
        "passphrase",
        "secret",
        "token",
        "api key",
        "api_key",
        "apikey",
        "private key",
    ]
    .iter()
    .any(|word| named.contains(word))
}

#[cfg(test)]
mod tests;
