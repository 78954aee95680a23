//! Styled text by role, and how it is wrapped: by grapheme and by the width it has on screen.

use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

pub(super) use crate::protocol::thousands;
use crate::protocol::{sanitize, sanitize_line};

use super::role::{Ink, Role};
use super::theme::Theme;

/// The columns that a tab takes.
const TAB: &str = "    ";

/// A run of text in one ink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub text: String,
    pub ink: Ink,
}

/// One row of styled text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Row {
    pub spans: Vec<Span>,
    /// Fills the rest of the row, such as the background of an added line.
    pub fill: Option<Role>,
}

impl Row {
    /// Makes a row of one run.
    pub(super) fn new(text: impl Into<String>, ink: impl Into<Ink>) -> Self {
        let mut row = Self::default();
        row.push(text, ink);
        row
    }

    /// Adds a run at the end.
    pub(super) fn push(&mut self, text: impl Into<String>, ink: impl Into<Ink>) {
        let (text, ink) = (text.into(), ink.into());
        if text.is_empty() {
            return;
        }
        match self.spans.last_mut() {
            Some(last) if last.ink == ink => last.text.push_str(&text),
            _ => self.spans.push(Span { text, ink }),
        }
    }

    /// Adds a run at the end and returns the row.
    #[must_use]
    pub(super) fn with(mut self, text: impl Into<String>, ink: impl Into<Ink>) -> Self {
        self.push(text, ink);
        self
    }

    /// Returns the columns that the row takes.
    pub(super) fn width(&self) -> usize {
        self.spans.iter().map(|span| width(&span.text)).sum()
    }

    /// Puts another row's runs at the end.
    pub(super) fn append(&mut self, other: Self) {
        for span in other.spans {
            self.push(span.text, span.ink);
        }
    }

    /// Cuts the row to a width, with an ellipsis where something is missing.
    #[must_use]
    pub(super) fn cut(self, limit: usize) -> Self {
        if self.width() <= limit {
            return self;
        }
        let mut out = Self {
            fill: self.fill,
            ..Self::default()
        };
        let mut left = limit.saturating_sub(1);
        for span in self.spans {
            let (kept, taken) = take(&span.text, left);
            let whole = kept.len() == span.text.len();
            out.push(kept, span.ink);
            left -= taken;
            if !whole {
                break;
            }
        }
        if limit > 0 {
            let ink = out.spans.last().map_or(Role::Text.into(), |span| span.ink);
            out.push("…", ink);
        }
        out
    }

    /// Draws the row into a one-line area.
    pub(super) fn draw(&self, buffer: &mut Buffer, area: Rect, theme: &Theme) {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        if let Some(fill) = self.fill {
            // Only the ground: an underline or a reversal that runs on behind the text would read as content.
            let mut style = theme.style(fill);
            style.add_modifier = Modifier::empty();
            buffer.set_style(Rect { height: 1, ..area }, style);
        }
        let mut x = area.x;
        for span in &self.spans {
            let left = usize::from(area.right().saturating_sub(x));
            if left == 0 {
                break;
            }
            x = buffer
                .set_stringn(x, area.y, &span.text, left, theme.style(span.ink))
                .0;
        }
    }

    /// Returns the text without its inks.
    pub(super) fn plain(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }
}

/// Draws rows from the top of an area, as many as fit.
pub(super) fn draw_rows<'a>(
    rows: impl IntoIterator<Item = &'a Row>,
    buffer: &mut Buffer,
    area: Rect,
    theme: &Theme,
) {
    for (row, y) in rows.into_iter().zip(area.y..area.bottom()) {
        row.draw(
            buffer,
            Rect {
                y,
                height: 1,
                ..area
            },
            theme,
        );
    }
}

/// Returns the columns that a text takes on screen.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// Makes foreign text harmless, and its tabs four columns wide.
pub(super) fn clean(text: &str) -> String {
    sanitize(text).replace('\t', TAB)
}

/// Makes foreign text harmless and puts it on one line.
pub(super) fn clean_line(text: &str) -> String {
    sanitize_line(text)
}

/// Makes one line of code harmless: tabs are four columns wide, and its indentation stays.
pub(super) fn clean_code(text: &str) -> String {
    sanitize_line(&text.replace('\t', TAB))
}

/// Returns the longest start of a text that fits, and the columns it takes.
pub(super) fn take(text: &str, limit: usize) -> (&str, usize) {
    let mut taken = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        let wide = grapheme.width();
        if taken + wide > limit {
            return (&text[..at], taken);
        }
        taken += wide;
    }
    (text, taken)
}

/// Cuts a text in its middle to a width: the end of a path says more than its middle.
pub(super) fn cut_middle(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    if limit < 5 {
        return take(text, limit).0.to_owned();
    }
    let head = take(text, (limit - 1) / 3).0;
    let mut tail = text;
    for (at, _) in text.grapheme_indices(true) {
        tail = &text[at..];
        if width(tail) + width(head) < limit {
            break;
        }
    }
    format!("{head}…{tail}")
}

/// Wraps a row by words. The rows after the first begin with `indent`.
pub(super) fn wrap(row: &Row, limit: usize, indent: &Row) -> Vec<Row> {
    let limit = limit.max(1);
    if row.width() <= limit {
        return vec![row.clone()];
    }
    let hanging = indent.width();
    let indent = if hanging * 2 < limit {
        indent.clone()
    } else {
        Row::default()
    };
    let mut wrapper = Wrapper {
        limit,
        indent,
        rows: Vec::new(),
        row: Row::default(),
        at: 0,
    };
    let mut word: Vec<Span> = Vec::new();
    for span in &row.spans {
        for piece in span.text.split_word_bounds() {
            if piece.chars().all(char::is_whitespace) {
                wrapper.word(&mut word);
                wrapper.space(piece, span.ink);
            } else {
                word.push(Span {
                    text: piece.to_owned(),
                    ink: span.ink,
                });
                // A line may break between ideographs and after a dash, but not within a path or an option.
                if piece == "—" || is_wide(piece) {
                    wrapper.word(&mut word);
                }
            }
        }
    }
    wrapper.word(&mut word);
    wrapper.rows.push(wrapper.row);
    wrapper.rows
}

fn is_wide(piece: &str) -> bool {
    piece.graphemes(true).all(|grapheme| grapheme.width() == 2)
}

struct Wrapper {
    limit: usize,
    indent: Row,
    rows: Vec<Row>,
    row: Row,
    at: usize,
}

impl Wrapper {
    fn turn(&mut self) {
        let mut next = self.indent.clone();
        std::mem::swap(&mut next, &mut self.row);
        if let Some(last) = next.spans.last_mut() {
            last.text.truncate(last.text.trim_end().len());
        }
        self.rows.push(next);
        self.at = self.row.width();
    }

    fn space(&mut self, text: &str, ink: Ink) {
        let wide = width(text);
        // A space at the break is the break.
        if self.at + wide >= self.limit {
            if self.at < self.limit {
                self.at = self.limit;
            }
            return;
        }
        self.row.push(text, ink);
        self.at += wide;
    }

    fn word(&mut self, word: &mut Vec<Span>) {
        let wide: usize = word.iter().map(|span| width(&span.text)).sum();
        if wide == 0 {
            word.clear();
            return;
        }
        if self.at + wide > self.limit && self.at > self.indent.width() {
            self.turn();
        }
        for span in word.drain(..) {
            let mut text = span.text.as_str();
            while !text.is_empty() {
                let (kept, taken) = take(text, self.limit.saturating_sub(self.at));
                if kept.is_empty() {
                    if self.at > self.indent.width() {
                        self.turn();
                        continue;
                    }
                    // Not even one grapheme fits: it is left out, or this would never end.
                    let skip = text.graphemes(true).next().map_or(text.len(), str::len);
                    text = &text[skip..];
                    continue;
                }
                self.row.push(kept, span.ink);
                self.at += taken;
                text = &text[kept.len()..];
            }
        }
    }
}

/// Puts a hint beside the others where it fits, else below: a key stands beside what it does.
pub(super) fn pack(rows: &mut Vec<Row>, hint: Row, wide: usize) {
    match rows.last_mut() {
        Some(last) if last.width() + 2 + hint.width() <= wide => {
            last.push("  ", Role::Text);
            last.append(hint);
        }
        _ => rows.extend(wrap(&hint, wide, &Row::default())),
    }
}

/// Breaks a row hard at a width, as code is: no word is moved. The rows after the first begin with `indent`.
pub(super) fn fold(row: &Row, limit: usize, indent: &Row) -> Vec<Row> {
    let limit = limit.max(1);
    if row.width() <= limit {
        return vec![row.clone()];
    }
    let indent = if indent.width() * 2 < limit {
        indent.clone()
    } else {
        Row::default()
    };
    let mut rows = Vec::new();
    let mut current = Row {
        fill: row.fill,
        ..Row::default()
    };
    let mut at = 0;
    for span in &row.spans {
        let mut text = span.text.as_str();
        while !text.is_empty() {
            let (kept, taken) = take(text, limit - at);
            if kept.is_empty() {
                if at > indent.width() {
                    let mut next = indent.clone();
                    next.fill = row.fill;
                    rows.push(std::mem::replace(&mut current, next));
                    at = indent.width();
                } else {
                    let skip = text.graphemes(true).next().map_or(text.len(), str::len);
                    text = &text[skip..];
                }
                continue;
            }
            current.push(kept, span.ink);
            at += taken;
            text = &text[kept.len()..];
        }
    }
    rows.push(current);
    rows
}

/// Writes a number of tokens short: `812`, `1.8k`, `32k`.
pub(super) fn short_count(number: u32) -> String {
    match number {
        0..=999 => number.to_string(),
        1000..=9999 => format!("{:.1}k", f64::from(number) / 1000.0),
        _ => format!("{}k", number / 1000),
    }
}

/// Writes a count with its noun: `1 line`, `2 lines`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str, limit: usize) -> Vec<String> {
        wrap(&Row::new(text, Role::Text), limit, &Row::default())
            .iter()
            .map(Row::plain)
            .collect()
    }

    #[test]
    fn words_are_wrapped_whole_and_long_ones_are_broken() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("a abcdefgh", 4), ["a", "abcd", "efgh"]);
    }

    #[test]
    fn wide_characters_take_two_columns_and_are_never_halved() {
        assert_eq!(wrapped("世界世界", 5), ["世界", "世界"]);
        assert_eq!(wrapped("世界", 1), [""]);
        assert_eq!(width("a世👩\u{200d}💻"), 5);
    }

    #[test]
    fn no_row_is_ever_wider_than_its_limit() {
        let text =
            "let x = some::path::<T>(世界, \"👩\u{200d}💻\");   trailing   spaces here/and/paths";
        for limit in 1..60 {
            for row in wrap(
                &Row::new(text, Role::Text),
                limit,
                &Row::new("  ", Role::Text),
            )
            .into_iter()
            .chain(fold(&Row::new(text, Role::Text), limit, &Row::default()))
            {
                assert!(row.width() <= limit, "{limit}: {:?}", row.plain());
            }
        }
    }

    #[test]
    fn a_cut_says_that_something_is_missing() {
        assert_eq!(Row::new("abcdef", Role::Text).cut(4).plain(), "abc…");
        assert_eq!(cut_middle("/home/someone/code/project", 12), "/ho…/project");
        assert_eq!(short_count(1840), "1.8k");
    }
}
