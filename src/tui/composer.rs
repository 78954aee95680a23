//! The message being written: an editor of several lines with soft wrap, undo, history and attachments.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use crate::protocol::sanitize;

use super::keymap::Edit;
use super::text::{count, take, width};

/// A paste above this many characters or lines is kept aside as an attachment.
const LONG_PASTE: usize = 2_000;
const MANY_LINES: usize = 20;
/// Earlier states that undo can go back to.
const UNDO_DEPTH: usize = 200;

/// A long paste: what stands for it in the message, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Attachment {
    marker: String,
    text: String,
}

/// What was edited last; edits of one kind are undone together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Insert,
    Delete,
    Other,
}

/// The editor of a message.
#[derive(Debug, Default)]
pub(super) struct Composer {
    text: String,
    /// The cursor, in bytes, at the start of a grapheme.
    cursor: usize,
    /// The column that up and down aim for.
    goal: Option<usize>,
    undo: Vec<(String, usize)>,
    redo: Vec<(String, usize)>,
    last: Option<Kind>,
    attachments: Vec<Attachment>,
    history: Vec<String>,
    /// Where in the history the shown text is, and the draft that was being written.
    place: Option<(usize, String)>,
}

/// A row of the wrapped text: where it begins and ends, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
}

impl Composer {
    /// Makes an empty editor that can go back to earlier messages.
    pub(super) fn new(history: Vec<String>) -> Self {
        Self {
            history,
            ..Self::default()
        }
    }

    /// Puts the messages of earlier sessions before those of this one.
    pub(super) fn remember(&mut self, mut earlier: Vec<String>) {
        earlier.append(&mut self.history);
        self.history = earlier;
    }

    /// Returns the text as it is shown, with markers for attachments.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the cursor, in bytes.
    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    /// Puts the cursor at the grapheme that begins at or before a byte.
    pub(super) fn go(&mut self, to: usize) {
        let to = to.min(self.text.len());
        self.cursor = self
            .text
            .grapheme_indices(true)
            .map(|(at, _)| at)
            .take_while(|at| *at <= to)
            .last()
            .filter(|_| to < self.text.len())
            .unwrap_or(to);
        self.goal = None;
        self.last = None;
    }

    /// Replaces a stretch, and leaves the cursor behind what was put there.
    pub(super) fn replace(&mut self, from: usize, to: usize, text: &str) {
        if from == to && text.is_empty() {
            return;
        }
        self.save(Kind::Other);
        self.text.replace_range(from..to, text);
        self.cursor = from + text.len();
        self.goal = None;
    }

    /// Returns what stands before the cursor.
    pub(super) fn before_cursor(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// Returns the word with one of these signs before it that ends at the cursor: the sign, where it is, and the word
    /// without it.
    pub(super) fn mention(&self, signs: &[char]) -> Option<(char, usize, &str)> {
        let before = self.before_cursor();
        let start = before.rfind(char::is_whitespace).map_or(0, |at| {
            at + before[at..].chars().next().map_or(1, char::len_utf8)
        });
        let sign = before[start..].chars().next()?;
        let query = before[start..].strip_prefix(signs)?;
        // In the middle of a word it is being moved through, not written.
        let ends = self.text[self.cursor..]
            .chars()
            .next()
            .is_none_or(char::is_whitespace);
        ends.then_some((sign, start, query))
    }

    /// Writes a text in place of what stands from `start` to the cursor.
    pub(super) fn complete(&mut self, start: usize, text: &str) {
        self.save(Kind::Other);
        self.text.replace_range(start..self.cursor, text);
        self.cursor = start + text.len();
        self.goal = None;
    }

    /// Tells whether nothing is written.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Replaces the text, with the cursor at its end.
    pub(super) fn set(&mut self, text: &str) {
        self.save(Kind::Other);
        self.text = sanitize(text);
        self.cursor = self.text.len();
        self.goal = None;
    }

    /// Empties the editor; undo brings the text back.
    pub(super) fn clear(&mut self) {
        self.set("");
        self.place = None;
    }

    /// Returns the message with its attachments written out.
    pub(super) fn message(&self) -> String {
        let mut message = self.text.clone();
        for attachment in &self.attachments {
            // Where its marker was edited away, it was not meant to be sent.
            message = message.replacen(&attachment.marker, &attachment.text, 1);
        }
        message
    }

    /// Returns how long the message is, in bytes and about: an attachment counts where its marker does not stand, too.
    pub(super) fn length(&self) -> usize {
        let attached = self.attachments.iter().map(|other| other.text.len());
        self.text.len() + attached.sum::<usize>()
    }

    /// Takes the message with its attachments written out, remembers it, and empties the editor.
    pub(super) fn take(&mut self) -> String {
        let message = self.message();
        let shown = std::mem::take(&mut self.text);
        self.attachments.clear();
        if !shown.trim().is_empty() && self.history.last() != Some(&shown) {
            // The history keeps what was sent: a marker would stand for nothing later.
            self.history.push(message.clone());
        }
        self.cursor = 0;
        self.goal = None;
        self.undo.clear();
        self.redo.clear();
        self.last = None;
        self.place = None;
        message
    }

    /// Inserts a typed character.
    pub(super) fn insert(&mut self, c: char) {
        self.save(if c.is_whitespace() {
            Kind::Other
        } else {
            Kind::Insert
        });
        self.text.insert(self.cursor, c);
        self.cursor += c.len_utf8();
        self.goal = None;
    }

    /// Inserts a paste, with what is hidden in it made visible; a long one becomes a marker that is written out when the message is sent.
    pub(super) fn paste(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let lines = text.trim_end_matches('\n').split('\n').count();
        self.save(Kind::Other);
        let inserted = if lines > MANY_LINES || text.chars().count() > LONG_PASTE {
            let what = if lines > 1 {
                count(lines, "line")
            } else {
                count(text.chars().count(), "character")
            };
            let mut marker = format!("[pasted {what}]");
            let mut number = 2;
            while self.text.contains(&marker)
                || self.attachments.iter().any(|other| other.marker == marker)
            {
                marker = format!("[pasted {what}, {number}]");
                number += 1;
            }
            self.attachments.push(Attachment {
                marker: marker.clone(),
                text,
            });
            marker
        } else {
            sanitize(&text)
        };
        self.text.insert_str(self.cursor, &inserted);
        self.cursor += inserted.len();
        self.goal = None;
    }

    /// Edits the text that is wrapped at `limit` columns.
    pub(super) fn edit(&mut self, edit: Edit, limit: usize) {
        if !matches!(edit, Edit::Up | Edit::Down) {
            self.goal = None;
        }
        match edit {
            Edit::Newline => self.insert('\n'),
            Edit::Left => self.cursor = self.before(self.cursor),
            Edit::Right => self.cursor = self.after(self.cursor),
            Edit::WordLeft => self.cursor = self.word_before(),
            Edit::WordRight => self.cursor = self.word_after(),
            Edit::Home => self.cursor = self.line_start(),
            Edit::End => self.cursor = self.line_end(),
            Edit::Up => self.vertical(limit, -1),
            Edit::Down => self.vertical(limit, 1),
            Edit::Backspace => {
                let from = self.marker_before().unwrap_or(self.before(self.cursor));
                self.delete(from, self.cursor, Kind::Delete);
            }
            Edit::Delete => self.delete(self.cursor, self.after(self.cursor), Kind::Delete),
            Edit::KillLine => {
                let start = self.line_start();
                // On an empty stretch it takes the line break, so that pressing it again goes on.
                let from = if start == self.cursor {
                    self.before(start)
                } else {
                    start
                };
                self.delete(from, self.cursor, Kind::Other);
            }
            Edit::KillToEnd => {
                let end = self.line_end();
                let to = if end == self.cursor {
                    self.after(end)
                } else {
                    end
                };
                self.delete(self.cursor, to, Kind::Other);
            }
            Edit::KillWord => self.delete(self.word_before(), self.cursor, Kind::Other),
            Edit::Undo => {
                if let Some((text, cursor)) = self.undo.pop() {
                    let now = std::mem::replace(&mut self.text, text);
                    self.redo.push((now, self.cursor));
                    self.cursor = cursor;
                    self.last = None;
                }
            }
            Edit::Redo => {
                if let Some((text, cursor)) = self.redo.pop() {
                    let now = std::mem::replace(&mut self.text, text);
                    self.undo.push((now, self.cursor));
                    self.cursor = cursor;
                    self.last = None;
                }
            }
        }
        if !matches!(
            edit,
            Edit::Newline | Edit::Backspace | Edit::Delete | Edit::Undo | Edit::Redo
        ) {
            self.last = None;
        }
    }

    /// Wraps the text at `limit` columns. A row's end excludes its line break.
    pub(super) fn rows(&self, limit: usize) -> Vec<Span> {
        let limit = limit.max(1);
        let mut rows = Vec::new();
        let mut start = 0;
        for line in self.text.split('\n') {
            let end = start + line.len();
            let mut from = start;
            loop {
                let rest = &self.text[from..end];
                let (kept, _) = take(rest, limit);
                if kept.len() == rest.len() {
                    break;
                }
                // By words where there is a space to break at.
                let cut = match kept.rfind(' ') {
                    Some(space) => space + 1,
                    None if kept.is_empty() => rest.graphemes(true).next().map_or(1, str::len),
                    None => kept.len(),
                };
                rows.push(Span {
                    start: from,
                    end: from + cut,
                });
                from += cut;
            }
            rows.push(Span { start: from, end });
            start = end + 1;
        }
        rows
    }

    /// Returns the cursor's row and column.
    pub(super) fn position(&self, limit: usize) -> (usize, usize) {
        let rows = self.rows(limit);
        let row = rows
            .iter()
            .rposition(|row| row.start <= self.cursor)
            .unwrap_or(0);
        (row, width(&self.text[rows[row].start..self.cursor]))
    }

    fn vertical(&mut self, limit: usize, step: isize) {
        let rows = self.rows(limit);
        let (row, column) = self.position(limit);
        let goal = self.goal.unwrap_or(column);
        match row.checked_add_signed(step).filter(|to| *to < rows.len()) {
            Some(to) => {
                let target = rows[to];
                let (kept, _) = take(&self.text[target.start..target.end], goal);
                let mut cursor = target.start + kept.len();
                // The end of a wrapped row is the start of the next one: stay before it.
                if cursor == target.end && rows.get(to + 1).is_some_and(|next| next.start == cursor)
                {
                    cursor = self.before(cursor);
                }
                self.cursor = cursor;
                self.goal = Some(goal);
            }
            None if step < 0 => self.earlier(),
            None => self.later(),
        }
    }

    fn earlier(&mut self) {
        let to = match &self.place {
            Some((0, _)) => return,
            Some((place, _)) => place - 1,
            None if self.history.is_empty() => return,
            None => self.history.len() - 1,
        };
        let draft = match self.place.take() {
            Some((_, draft)) => draft,
            None => self.text.clone(),
        };
        let text = self.history[to].clone();
        self.set(&text);
        self.place = Some((to, draft));
    }

    fn later(&mut self) {
        let Some((place, draft)) = self.place.take() else {
            return;
        };
        match self.history.get(place + 1).cloned() {
            Some(text) => {
                self.set(&text);
                self.place = Some((place + 1, draft));
            }
            None => self.set(&draft),
        }
    }

    fn save(&mut self, kind: Kind) {
        if kind != Kind::Other && self.last == Some(kind) {
            return;
        }
        if self.undo.len() >= UNDO_DEPTH {
            self.undo.remove(0);
        }
        self.undo.push((self.text.clone(), self.cursor));
        self.redo.clear();
        self.last = Some(kind);
    }

    fn delete(&mut self, from: usize, to: usize, kind: Kind) {
        if from >= to {
            return;
        }
        self.save(kind);
        self.text.replace_range(from..to, "");
        self.cursor = from;
    }

    fn before(&self, at: usize) -> usize {
        self.text[..at]
            .grapheme_indices(true)
            .next_back()
            .map_or(0, |(start, _)| start)
    }

    fn after(&self, at: usize) -> usize {
        at + self.text[at..].graphemes(true).next().map_or(0, str::len)
    }

    /// Returns where the attachment's marker that ends at the cursor begins: it is deleted whole.
    fn marker_before(&self) -> Option<usize> {
        let head = &self.text[..self.cursor];
        self.attachments
            .iter()
            .find(|attachment| head.ends_with(&attachment.marker))
            .map(|attachment| self.cursor - attachment.marker.len())
    }

    fn word_before(&self) -> usize {
        self.text[..self.cursor]
            .split_word_bound_indices()
            .rev()
            .find(|(_, word)| is_word(word))
            .map_or(0, |(at, _)| at)
    }

    fn word_after(&self) -> usize {
        self.text[self.cursor..]
            .split_word_bound_indices()
            .find(|(_, word)| is_word(word))
            .map_or(self.text.len(), |(at, word)| self.cursor + at + word.len())
    }

    fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.cursor..]
            .find('\n')
            .map_or(self.text.len(), |at| self.cursor + at)
    }
}

fn is_word(word: &str) -> bool {
    word.chars().any(char::is_alphanumeric) || word.width() > 1 && !word.trim().is_empty()
}

#[cfg(test)]
mod tests;
