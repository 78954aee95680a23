//! A server's form, a field after the other.

use serde_json::{Map, Value};

use crate::protocol::{Answer, Field, FieldKind, QuestionId, sanitize_line};

use super::super::asked::Entry;

/// A form that is being filled in.
#[derive(Debug)]
pub(super) struct Form {
    pub question: QuestionId,
    entries: Vec<Entry>,
    at: usize,
}

/// What follows an entered line.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    Say(Vec<String>),
    Answer(Answer),
}

impl Form {
    /// Begins a form at its first field.
    pub(super) fn new(question: QuestionId, fields: &[Field]) -> Self {
        Self {
            question,
            entries: fields.iter().map(Entry::new).collect(),
            at: 0,
        }
    }

    /// Returns the lines that ask for the present field, or for the end.
    pub(super) fn ask(&self) -> Vec<String> {
        let Some(entry) = self.entries.get(self.at) else {
            return vec!["all is filled in. y: send it, n: decline, c: cancel".to_owned()];
        };
        let field = &entry.field;
        let name = sanitize_line(field.title.as_deref().unwrap_or(&field.name));
        let needed = if field.required { ", needed" } else { "" };
        let mut line = format!(
            "{} of {}: {name}{needed}: {}",
            self.at + 1,
            self.entries.len(),
            entry.hint()
        );
        if let Ok(Some(value)) = entry.value() {
            line.push_str(&format!(", now {}", sanitize_line(&value.to_string())));
        }
        let mut out = vec![line];
        out.extend(field.description.as_deref().map(sanitize_line));
        for (at, option) in entry.options().iter().enumerate() {
            let title = option.title.as_deref().unwrap_or(&option.value);
            out.push(format!("{}: {}", at + 1, sanitize_line(title)));
        }
        if matches!(field.kind, FieldKind::Choices { .. }) {
            out.push("numbers with spaces between them".to_owned());
        }
        out
    }

    /// Takes a line for the present field.
    pub(super) fn entered(&mut self, text: &str) -> Next {
        match text {
            "/decline" => return Next::Answer(Answer::Decline),
            "/cancel" => return Next::Answer(Answer::Cancel),
            _ => {}
        }
        let Some(entry) = self.entries.get_mut(self.at) else {
            return match text {
                "y" => Next::Answer(self.accept()),
                "n" => Next::Answer(Answer::Decline),
                "c" => Next::Answer(Answer::Cancel),
                _ => Next::Say(self.ask()),
            };
        };
        let taken = if text.is_empty() {
            Ok(())
        } else {
            entry.enter(text)
        };
        match taken.and_then(|()| entry.value().map(drop)) {
            Ok(()) => {
                self.at += 1;
                Next::Say(self.ask())
            }
            Err(problem) => Next::Say(vec![problem]),
        }
    }

    fn accept(&self) -> Answer {
        let values: Map<String, Value> = self
            .entries
            .iter()
            .filter_map(|entry| Some((entry.field.name.clone(), entry.value().ok()??)))
            .collect();
        Answer::Accept { values, text: None }
    }
}
