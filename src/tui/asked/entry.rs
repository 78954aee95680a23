//! One field of a form while it is filled in.

use serde_json::{Number, Value};

use crate::protocol::{Choice, Field, FieldKind};

use super::super::composer::Composer;
use super::super::keymap::Edit;
use super::super::text::clean_line;

/// What is filled in for one field.
#[derive(Debug)]
pub(in super::super) struct Entry {
    pub(in super::super) field: Field,
    pub(super) input: Input,
    /// The user changed it: from now on it is told what is wrong with it.
    pub touched: bool,
}

/// The state of a field's input, after its kind.
#[derive(Debug)]
pub(super) enum Input {
    /// A text or a number, as it is typed.
    Line(Composer),
    Flag(Option<bool>),
    /// The chosen option.
    Choice(Option<usize>),
    /// Which options are chosen, and where the mark stands.
    Choices {
        chosen: Vec<bool>,
        at: usize,
    },
}

impl Entry {
    /// Makes the entry with the field's default in it.
    pub(in super::super) fn new(field: &Field) -> Self {
        let line = |text: &str| {
            let mut line = Composer::default();
            line.set(text);
            Input::Line(line)
        };
        let place = |options: &[Choice], value: &str| {
            options.iter().position(|option| option.value == value)
        };
        let input = match &field.kind {
            FieldKind::Text { default, .. } => line(default.as_deref().unwrap_or_default()),
            FieldKind::Number { default, .. } => {
                line(&default.as_ref().map(Number::to_string).unwrap_or_default())
            }
            FieldKind::Flag { default } => Input::Flag(*default),
            FieldKind::Choice { options, default } => {
                Input::Choice(default.as_deref().and_then(|value| place(options, value)))
            }
            FieldKind::Choices {
                options, default, ..
            } => Input::Choices {
                chosen: options
                    .iter()
                    .map(|option| default.contains(&option.value))
                    .collect(),
                at: 0,
            },
        };
        Self {
            field: field.clone(),
            input,
            touched: false,
        }
    }

    /// Returns the value as it would be sent, `None` for none.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub(in super::super) fn value(&self) -> Result<Option<Value>, String> {
        let value = match (&self.input, &self.field.kind) {
            (Input::Line(line), _) if line.is_empty() => None,
            (Input::Line(line), FieldKind::Number { .. }) => {
                Some(number(line.text().trim()).ok_or_else(|| "needs a number".to_owned())?)
            }
            (Input::Line(line), _) => Some(Value::String(line.message())),
            (Input::Flag(flag), _) => flag.map(Value::Bool),
            (Input::Choice(at), _) => at
                .and_then(|at| self.options().get(at))
                .map(|option| Value::String(option.value.clone())),
            (Input::Choices { chosen, .. }, _) => {
                let values: Vec<Value> = self
                    .options()
                    .iter()
                    .zip(chosen)
                    .filter(|(_, chosen)| **chosen)
                    .map(|(option, _)| Value::String(option.value.clone()))
                    .collect();
                // Nothing chosen is a value only where one was asked for, or where it was taken back.
                (!values.is_empty() || self.field.required || self.touched)
                    .then_some(Value::Array(values))
            }
        };
        self.field.check(value.as_ref())?;
        Ok(value)
    }

    /// Returns what can be chosen.
    pub(in super::super) fn options(&self) -> &[Choice] {
        match &self.field.kind {
            FieldKind::Choice { options, .. } | FieldKind::Choices { options, .. } => options,
            _ => &[],
        }
    }

    /// Tells whether characters are typed into it.
    pub(super) fn is_line(&self) -> bool {
        matches!(self.input, Input::Line(_))
    }

    /// Returns the text of a line.
    pub(super) fn text(&self) -> Option<String> {
        match &self.input {
            Input::Line(line) => Some(line.message()),
            _ => None,
        }
    }

    /// Takes what was entered as a whole line: a text, yes or no, or the numbers of options.
    ///
    /// # Errors
    /// What is wanted instead.
    pub(in super::super) fn enter(&mut self, text: &str) -> Result<(), String> {
        let count = self.options().len();
        let place = |word: &str| {
            word.parse::<usize>()
                .ok()
                .filter(|number| (1..=count).contains(number))
                .map(|number| number - 1)
                .ok_or_else(|| format!("needs a number from 1 to {count}"))
        };
        match &mut self.input {
            Input::Line(line) => line.set(text),
            Input::Flag(flag) => match text.to_lowercase().as_str() {
                "y" | "yes" => *flag = Some(true),
                "n" | "no" => *flag = Some(false),
                _ => return Err("needs yes or no".to_owned()),
            },
            Input::Choice(at) => *at = Some(place(text)?),
            Input::Choices { chosen, .. } => {
                let places: Vec<usize> = text
                    .split_whitespace()
                    .map(place)
                    .collect::<Result<_, _>>()?;
                for (at, one) in chosen.iter_mut().enumerate() {
                    *one = places.contains(&at);
                }
            }
        }
        self.touched = true;
        Ok(())
    }

    /// Replaces the text of a line.
    pub(super) fn set(&mut self, text: &str) {
        if let Input::Line(line) = &mut self.input {
            line.set(text.trim_end_matches('\n'));
            self.touched = true;
        }
    }

    /// Inserts a paste, and tells whether it could.
    pub(super) fn paste(&mut self, text: &str) -> bool {
        let is_number = matches!(self.field.kind, FieldKind::Number { .. });
        match &mut self.input {
            Input::Line(line) if is_number => line.paste(text.trim()),
            Input::Line(line) => line.paste(text.trim_end_matches('\n')),
            _ => return false,
        }
        self.touched = true;
        true
    }

    /// Takes a typed character: into the text, or to the option that begins with it.
    pub(super) fn typed(&mut self, c: char) {
        self.touched = true;
        let begins = |option: &Choice| {
            let shown = option_label(option).to_lowercase();
            shown.starts_with(&c.to_lowercase().to_string())
        };
        let places: Vec<usize> = self
            .options()
            .iter()
            .enumerate()
            .filter(|(_, option)| begins(option))
            .map(|(at, _)| at)
            .collect();
        // The next one with that letter, and round again.
        let after = |here: Option<usize>| {
            places
                .iter()
                .find(|at| here.is_none_or(|here| **at > here))
                .or(places.first())
                .copied()
        };
        match &mut self.input {
            Input::Line(line) => line.insert(c),
            Input::Flag(flag) => match c {
                ' ' => *flag = Some(!flag.unwrap_or(false)),
                'y' | 'Y' => *flag = Some(true),
                'n' | 'N' => *flag = Some(false),
                _ => {}
            },
            Input::Choice(at) if c == ' ' => *at = at.or(Some(0)),
            Input::Choice(at) => *at = after(*at).or(*at),
            Input::Choices { chosen, at } if c == ' ' => {
                if let Some(one) = chosen.get_mut(*at) {
                    *one = !*one;
                }
            }
            Input::Choices { at, .. } => *at = after(Some(*at)).unwrap_or(*at),
        }
    }

    /// Edits the text that is wrapped at `limit` columns, or moves among what can be chosen.
    pub(super) fn edit(&mut self, edit: Edit, limit: usize) {
        let last = self.options().len().saturating_sub(1);
        let is_required = self.field.required;
        match (&mut self.input, edit) {
            (Input::Line(line), edit) => {
                let before = line.text().len();
                line.edit(edit, limit);
                self.touched |= line.text().len() != before;
            }
            (Input::Flag(flag), Edit::Left) => *flag = Some(true),
            (Input::Flag(flag), Edit::Right) => *flag = Some(false),
            (Input::Flag(flag), Edit::Backspace | Edit::Delete) if !is_required => *flag = None,
            (Input::Choice(at), Edit::Left) => {
                *at = at.map(|at| at.saturating_sub(1)).or(Some(last))
            }
            (Input::Choice(at), Edit::Right) => *at = Some(at.map_or(0, |at| (at + 1).min(last))),
            (Input::Choice(at), Edit::Home) => *at = Some(0),
            (Input::Choice(at), Edit::End) => *at = Some(last),
            (Input::Choice(at), Edit::Backspace | Edit::Delete) if !is_required => *at = None,
            (Input::Choices { at, .. }, Edit::Left) => *at = at.saturating_sub(1),
            (Input::Choices { at, .. }, Edit::Right) => *at = (*at + 1).min(last),
            (Input::Choices { at, .. }, Edit::Home) => *at = 0,
            (Input::Choices { at, .. }, Edit::End) => *at = last,
            _ => return,
        }
        if !self.is_line() {
            self.touched = true;
        }
    }

    /// Returns what a value must be like, for whoever looks at the empty field.
    pub(in super::super) fn hint(&self) -> String {
        use crate::protocol::TextFormat;
        match &self.field.kind {
            FieldKind::Text {
                format: Some(format),
                ..
            } => match format {
                TextFormat::Email => "an address, such as ada@example.org",
                TextFormat::Uri => "a URI, such as https://example.org/a",
                TextFormat::Date => "a date, such as 2026-07-28",
                TextFormat::DateTime => "a time, such as 2026-07-28T09:30:00Z",
            }
            .to_owned(),
            FieldKind::Text { min, max, .. } => match (min, max) {
                (None | Some(0), None) => "a text".to_owned(),
                (Some(min), None) => format!("a text of at least {min} characters"),
                (None | Some(0), Some(max)) => format!("a text of at most {max} characters"),
                (Some(min), Some(max)) => format!("a text of {min} to {max} characters"),
            },
            FieldKind::Number {
                integer, min, max, ..
            } => {
                let what = if *integer {
                    "a whole number"
                } else {
                    "a number"
                };
                match (min, max) {
                    (None, None) => what.to_owned(),
                    (Some(min), None) => format!("{what}, {min} or more"),
                    (None, Some(max)) => format!("{what}, {max} or less"),
                    (Some(min), Some(max)) => format!("{what} from {min} to {max}"),
                }
            }
            FieldKind::Flag { .. } => "yes or no".to_owned(),
            FieldKind::Choice { .. } => "one of these".to_owned(),
            FieldKind::Choices { min, max, .. } => match (min, max) {
                (None | Some(0), None) => "some of these".to_owned(),
                (Some(min), None) => format!("at least {min} of these"),
                (None | Some(0), Some(max)) => format!("at most {max} of these"),
                (Some(min), Some(max)) => format!("{min} to {max} of these"),
            },
        }
    }
}

/// Returns how an option is called.
pub(super) fn option_label(option: &Choice) -> String {
    clean_line(option.title.as_deref().unwrap_or(&option.value))
}

fn number(text: &str) -> Option<Value> {
    let number = match text.parse::<i64>() {
        Ok(whole) => Number::from(whole),
        Err(_) => match text.parse::<u64>() {
            Ok(whole) => Number::from(whole),
            Err(_) => Number::from_f64(text.parse().ok()?)?,
        },
    };
    Some(Value::Number(number))
}
