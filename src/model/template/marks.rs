//! Special tokens in what others wrote, and how they come through a template without acting.

use super::{Segment, TemplateError};

/// Finds any of some strings in a text; the longest of those that begin at one place.
#[derive(Debug, Clone, Default)]
pub(super) struct Finder {
    /// By first byte, the longest first.
    strings: Vec<String>,
}

impl Finder {
    pub(super) fn new(strings: impl IntoIterator<Item = String>) -> Self {
        let mut strings: Vec<String> = strings.into_iter().filter(|one| !one.is_empty()).collect();
        strings.sort_by(|a, b| (a.as_bytes()[0], b.len(), a).cmp(&(b.as_bytes()[0], a.len(), b)));
        strings.dedup();
        Self { strings }
    }

    /// Splits a text into what lies between the strings and, after each but the last, the string that follows it.
    fn split<'a>(&self, text: &'a str) -> Vec<(&'a str, Option<&'a str>)> {
        let mut parts = Vec::new();
        let mut from = 0;
        let mut at = 0;
        while let Some(byte) = text.as_bytes().get(at) {
            match self.at(&text.as_bytes()[at..], *byte) {
                Some(length) => {
                    parts.push((&text[from..at], Some(&text[at..at + length])));
                    at += length;
                    from = at;
                }
                None => at += 1,
            }
        }
        parts.push((&text[from..], None));
        parts
    }

    fn at(&self, rest: &[u8], first: u8) -> Option<usize> {
        let begin = self
            .strings
            .partition_point(|one| one.as_bytes()[0] < first);
        self.strings[begin..]
            .iter()
            .take_while(|one| one.as_bytes()[0] == first)
            .find(|one| rest.starts_with(one.as_bytes()))
            .map(String::len)
    }
}

/// Characters that stand for something while a template is rendered, and occur in no text of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    /// Around a special token in foreign text.
    open: char,
    close: char,
    /// Around the number of an assistant message.
    begin: char,
    end: char,
}

impl Marks {
    /// Chooses characters of a private use area that are in none of the texts.
    pub(super) fn unused_in(texts: &[&str]) -> Result<Self, TemplateError> {
        // The last plane of Unicode: no font and no program uses it, so the first four nearly always do.
        let mut free = ('\u{10F000}'..='\u{10FFFD}').filter(|mark| {
            let mut bytes = [0; 4];
            let mark: &str = mark.encode_utf8(&mut bytes);
            !texts.iter().any(|text| text.contains(mark))
        });
        let mut next = || free.next().ok_or(TemplateError::Unmarkable);
        Ok(Self {
            open: next()?,
            close: next()?,
            begin: next()?,
            end: next()?,
        })
    }

    /// Marks the special tokens in a foreign text.
    pub(super) fn foreign(self, text: &str, specials: &Finder) -> String {
        let mut out = String::with_capacity(text.len());
        for (plain, special) in specials.split(text) {
            out.push_str(plain);
            if let Some(special) = special {
                out.push(self.open);
                out.push_str(special);
                out.push(self.close);
            }
        }
        out
    }

    /// Stands for an assistant message, which no template gets to change.
    pub(super) fn place(self, number: usize) -> String {
        format!("{}{number}{}", self.begin, self.end)
    }

    /// Takes a rendered text apart, and puts the assistant's messages where they belong.
    pub(super) fn segments(self, text: &str, raws: &[&str], turn_marks: &Finder) -> Vec<Segment> {
        let mut out = Segments::default();
        let mut rest = text;
        while let Some(at) = rest.find([self.open, self.close, self.begin, self.end]) {
            out.plain(&rest[..at]);
            let mut chars = rest[at..].chars();
            let mark = chars.next();
            rest = chars.as_str();
            if mark == Some(self.open) {
                let end = rest.find(self.close).unwrap_or(rest.len());
                out.literal(&rest[..end]);
                rest = &rest[end..];
            } else if mark == Some(self.begin) {
                let end = rest.find(self.end).unwrap_or(0);
                let raw = rest[..end]
                    .parse()
                    .ok()
                    .and_then(|number: usize| raws.get(number));
                for (plain, special) in raw.map(|raw| turn_marks.split(raw)).unwrap_or_default() {
                    out.plain(plain);
                    out.literal(special.unwrap_or_default());
                }
                rest = &rest[end..];
            }
        }
        out.plain(rest);
        out.0
    }
}

#[derive(Debug, Default)]
struct Segments(Vec<Segment>);

impl Segments {
    fn plain(&mut self, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(last) if !last.literal => last.text.push_str(text),
            _ => self.0.push(Segment {
                text: text.to_owned(),
                literal: false,
            }),
        }
    }

    fn literal(&mut self, text: &str) {
        if !text.is_empty() {
            self.0.push(Segment {
                text: text.to_owned(),
                literal: true,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_string_is_found() {
        let finder = Finder::new(["<a>", "<a>b", "", "<c", "[x]"].map(str::to_owned));
        assert_eq!(
            finder.split("é<a>bb<a><a><c[x]"),
            [
                ("é", Some("<a>b")),
                ("b", Some("<a>")),
                ("", Some("<a>")),
                ("", Some("<c")),
                ("", Some("[x]")),
                ("", None),
            ]
        );
        assert_eq!(Finder::default().split("x"), [("x", None)]);
    }

    #[test]
    fn marks_avoid_the_characters_of_the_texts() {
        let texts = ["a\u{10F000}", "\u{10F002}"];
        let marks = Marks::unused_in(&texts).expect("most are unused");
        assert_eq!(
            [marks.open, marks.close, marks.begin, marks.end],
            ['\u{10F001}', '\u{10F003}', '\u{10F004}', '\u{10F005}']
        );
    }
}
