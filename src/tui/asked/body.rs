//! What is asked, as rows: the question, the fields and what is in them.

use std::ops::Range;

use crate::protocol::{Question, QuestionKind, sanitize};

use super::super::composer::Composer;
use super::super::role::Role;
use super::super::text::{Row, clean, clean_line, width, wrap};
use super::entry::{Entry, Input, option_label};
use super::{Asked, asks_for_secret, label, page};

/// Rows of a text, and of options, that a field shows at once.
const MOST_LINES: usize = 6;
const MOST_OPTIONS: usize = 8;
/// Rows of a prompt that are laid out at most.
const MOST_ROWS: usize = 5_000;

/// The rows below the title.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub rows: Vec<Row>,
    /// The rows of the field in focus, which are to be in sight.
    pub focus: Range<usize>,
    /// The cursor's row and column.
    pub cursor: Option<(usize, usize)>,
}

/// How the fields are laid out in a width.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    /// Where the values begin.
    pub value: usize,
    /// How wide they can be.
    pub wide: usize,
    /// Whether a label stands above its value.
    stacked: bool,
}

impl Asked {
    /// Returns the columns of the fields.
    pub(super) fn columns(&self, wide: usize) -> Columns {
        let longest = self
            .entries
            .iter()
            .map(|entry| width(&label(&entry.field)) + 2)
            .max()
            .unwrap_or(0);
        let stacked = wide < 44;
        let value = if stacked {
            4
        } else {
            longest.min(wide / 3) + 4
        };
        Columns {
            value,
            // The cursor stands behind the last character.
            wide: wide.saturating_sub(value + 1).max(1),
            stacked,
        }
    }

    /// Lays out what is asked.
    pub(super) fn body(&self, question: &Question, wide: usize) -> Body {
        let mut body = Body::default();
        match &question.kind {
            QuestionKind::Form { message, .. } => {
                body.say(message, wide);
                self.fields(&mut body, wide);
            }
            QuestionKind::Page { message, url } => {
                body.say(message, wide);
                let mut row = Row::new("  ", Role::Text);
                row.append(page::row(url));
                body.rows.push(Row::default());
                // Whole, however long: what is left out could be what matters.
                let indent = Row::new("  ", Role::Text);
                body.rows
                    .extend(super::super::text::fold(&row, wide, &indent));
                for warning in page::warnings(url) {
                    body.warn(&warning, wide);
                }
                body.rows.push(Row::default());
                body.note(
                    "walden has not looked at this page and opens nothing. Accepting copies the address, for you to \
                     open.",
                    wide,
                );
            }
            QuestionKind::Prompt {
                system,
                messages,
                max_tokens,
            } => {
                body.note(
                    &format!(
                        "The server wants the model to answer this, with at most {max_tokens} tokens. It sees nothing \
                         of your session. You see the answer before the server does."
                    ),
                    wide,
                );
                if let Some(system) = system {
                    body.said("system", system, wide);
                }
                let last = messages.len().saturating_sub(1);
                for (at, (who, text)) in messages.iter().enumerate() {
                    match &self.text {
                        Some(changed) if at == last => {
                            body.said(&format!("{who}, as you changed it"), changed, wide);
                        }
                        _ => body.said(who, text, wide),
                    }
                }
            }
            QuestionKind::Completion { text } => {
                body.note(
                    "The model wrote this for the server, which has not got it yet.",
                    wide,
                );
                match &self.text {
                    Some(changed) => body.said("as you changed it", changed, wide),
                    None => body.said("the answer", text, wide),
                }
            }
            QuestionKind::Definition { title, text } => {
                body.say(title, wide);
                body.note(
                    "walden asks this, and keeps your answer: any change is asked about again.",
                    wide,
                );
                body.said("what it is", text, wide);
            }
        }
        body.rows.truncate(MOST_ROWS);
        body
    }

    fn fields(&self, body: &mut Body, wide: usize) {
        body.rows.push(Row::default());
        let columns = self.columns(wide);
        for (at, entry) in self.entries.iter().enumerate() {
            let from = body.rows.len();
            let focused = at == self.focus;
            self.field(body, entry, focused, columns, wide);
            if focused {
                body.focus = from..body.rows.len();
            }
        }
        if self.entries.is_empty() {
            body.note("There is nothing to fill in.", wide);
        }
        body.rows.push(Row::default());
        let mut row = Row::default();
        for (at, name) in ["Send", "Decline"].into_iter().enumerate() {
            let focused = self.focus == self.entries.len() + at;
            row.push(if focused { "▸ " } else { "  " }, Role::Accent);
            let role = if focused { Role::Selection } else { Role::Text };
            row.push(format!("[ {name} ]"), role);
            row.push("  ", Role::Text);
        }
        if self.focus >= self.entries.len() {
            body.focus = body.rows.len()..body.rows.len() + 1;
        }
        body.rows.push(row.cut(wide));
    }

    fn field(&self, body: &mut Body, entry: &Entry, focused: bool, columns: Columns, wide: usize) {
        let mut head = Row::new(if focused { "▸ " } else { "  " }, Role::Accent);
        let star = if entry.field.required { " *" } else { "" };
        let role = if focused {
            Role::TextStrong
        } else {
            Role::Text
        };
        let room = if columns.stacked {
            wide.saturating_sub(4)
        } else {
            columns.value.saturating_sub(4 + star.len())
        };
        let name = label(&entry.field);
        let is_cut = width(&name) > room;
        head.append(Row::new(name.as_str(), role).cut(room));
        head.push(star, Role::Accent);
        let values = self.value_rows(entry, focused, columns);
        let top = body.rows.len() + usize::from(columns.stacked);
        if let (true, Some((row, column))) = (focused, values.cursor) {
            body.cursor = Some((top + row, columns.value + column));
        }
        let mut rows = values.rows.into_iter();
        if columns.stacked {
            body.rows.push(head);
        } else {
            let gap = columns.value.saturating_sub(head.width());
            head.push(" ".repeat(gap), Role::Text);
            head.append(rows.next().unwrap_or_default());
            body.rows.push(head.cut(wide));
        }
        let indent = Row::new(" ".repeat(columns.value), Role::Text);
        for row in rows {
            let mut line = indent.clone();
            line.append(row);
            body.rows.push(line.cut(wide));
        }
        let mut below = |text: &str, role: Role| {
            let mut line = indent.clone();
            line.push(text, role);
            body.rows.extend(wrap(&line, wide, &indent));
        };
        if focused && is_cut {
            below(&name, Role::Text);
        }
        if focused && let Some(description) = &entry.field.description {
            below(&clean_line(description), Role::TextDim);
        }
        if focused && asks_for_secret(&entry.field) {
            below(
                "▲ a server must not ask for a secret in a form; what you type is shown, and goes to the server",
                Role::NoticeWarning,
            );
        }
        match entry.value() {
            Err(problem) if entry.touched || self.tried => {
                below(&format!("✗ {problem}"), Role::NoticeError);
            }
            _ => {}
        }
    }

    fn value_rows(&self, entry: &Entry, focused: bool, columns: Columns) -> Values {
        match &entry.input {
            Input::Line(line) => line_rows(line, &entry.hint(), focused, columns.wide),
            Input::Flag(flag) => {
                let mut row = Row::default();
                for (is, name) in [(true, "yes"), (false, "no")] {
                    mark(&mut row, *flag == Some(is), name, focused);
                }
                Values::of(vec![row])
            }
            Input::Choice(chosen) => {
                options(entry, focused, columns.wide, chosen.unwrap_or(0), &|at| {
                    *chosen == Some(at)
                })
            }
            Input::Choices { chosen, at } => options(entry, focused, columns.wide, *at, &|at| {
                chosen.get(at).copied().unwrap_or_default()
            }),
        }
    }
}

impl Body {
    /// Adds what the server says, which is the server's and not walden's.
    fn say(&mut self, message: &str, wide: usize) {
        for line in clean(message).lines() {
            self.rows
                .extend(wrap(&Row::new(line, Role::Text), wide, &Row::default()));
        }
    }

    fn note(&mut self, text: &str, wide: usize) {
        self.rows
            .extend(wrap(&Row::new(text, Role::TextDim), wide, &Row::default()));
    }

    fn warn(&mut self, text: &str, wide: usize) {
        let row = Row::new("▲ ", Role::RiskHigh).with(text, Role::NoticeWarning);
        self.rows
            .extend(wrap(&row, wide, &Row::new("  ", Role::Text)));
    }

    fn said(&mut self, who: &str, text: &str, wide: usize) {
        self.rows.push(Row::default());
        self.rows
            .push(Row::new(clean_line(who), Role::Heading).cut(wide));
        let bar = Row::new("▏ ", Role::Border);
        for line in clean(text).lines() {
            let mut row = bar.clone();
            row.push(line, Role::Text);
            self.rows.extend(wrap(&row, wide, &bar));
        }
    }
}

struct Values {
    rows: Vec<Row>,
    cursor: Option<(usize, usize)>,
}

impl Values {
    fn of(rows: Vec<Row>) -> Self {
        Self { rows, cursor: None }
    }
}

fn line_rows(line: &Composer, hint: &str, focused: bool, wide: usize) -> Values {
    if line.is_empty() {
        return Values {
            rows: vec![Row::new(hint, Role::Placeholder).cut(wide)],
            cursor: focused.then_some((0, 0)),
        };
    }
    let spans = line.rows(wide);
    let (at, column) = line.position(wide);
    let first = if focused {
        (at + 1).saturating_sub(MOST_LINES)
    } else {
        0
    };
    let shown = if focused { MOST_LINES } else { 2 };
    let mut rows: Vec<Row> = spans
        .iter()
        .skip(first)
        .take(shown)
        .map(|span| {
            let text = sanitize(&line.text()[span.start..span.end]).replace('\t', " ");
            Row::new(text, Role::TextStrong)
        })
        .collect();
    if let Some(last) = rows.last_mut().filter(|_| first + shown < spans.len()) {
        last.push(" …", Role::TextDim);
    }
    Values {
        rows,
        cursor: focused.then_some((at - first, column)),
    }
}

fn options(
    entry: &Entry,
    focused: bool,
    wide: usize,
    at: usize,
    is_chosen: &dyn Fn(usize) -> bool,
) -> Values {
    let many = matches!(entry.input, Input::Choices { .. });
    let labels: Vec<String> = entry.options().iter().map(option_label).collect();
    let one_line: usize = labels
        .iter()
        .map(|label| width(label) + 4 + usize::from(many))
        .sum();
    let mut rows = Vec::new();
    if one_line <= wide + 2 {
        let mut row = Row::default();
        for (place, label) in labels.iter().enumerate() {
            let here = focused && (place == at);
            if many {
                tick(&mut row, is_chosen(place), label, here);
            } else {
                mark(&mut row, is_chosen(place), label, focused);
            }
        }
        rows.push(row);
    } else if focused {
        let first = (at + 1).saturating_sub(MOST_OPTIONS);
        for (place, label) in labels.iter().enumerate().skip(first).take(MOST_OPTIONS) {
            let mut row = Row::default();
            if many {
                tick(&mut row, is_chosen(place), label, place == at);
            } else {
                mark(&mut row, is_chosen(place), label, focused);
            }
            rows.push(row.cut(wide));
        }
        if labels.len() > MOST_OPTIONS {
            let text = format!("{} of {}", at + 1, labels.len());
            rows.push(Row::new(text, Role::TextDim));
        }
    } else {
        let chosen: Vec<&str> = labels
            .iter()
            .enumerate()
            .filter(|(place, _)| is_chosen(*place))
            .map(|(_, label)| label.as_str())
            .collect();
        let row = if chosen.is_empty() {
            Row::new(entry.hint(), Role::Placeholder)
        } else {
            Row::new(chosen.join(", "), Role::TextStrong)
        };
        rows.push(row.cut(wide));
    }
    Values::of(rows)
}

/// Adds an option of which one is chosen.
fn mark(row: &mut Row, chosen: bool, label: &str, focused: bool) {
    let (sign, role) = match (chosen, focused) {
        (true, true) => ("● ", Role::Match),
        (true, false) => ("● ", Role::TextStrong),
        (false, _) => ("○ ", Role::Text),
    };
    row.push(sign, role);
    row.push(label, role);
    row.push("  ", Role::Text);
}

/// Adds an option of which some are chosen.
fn tick(row: &mut Row, chosen: bool, label: &str, here: bool) {
    let role = match (chosen, here) {
        (_, true) => Role::Match,
        (true, false) => Role::TextStrong,
        (false, false) => Role::Text,
    };
    row.push(if chosen { "[x] " } else { "[ ] " }, role);
    row.push(label, role);
    row.push("  ", Role::Text);
}
