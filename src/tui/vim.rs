//! Vim's keys for the message: what is most used of the normal mode. Off unless the configuration has `vim = true`.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation as _;

use super::composer::Composer;
use super::keymap::Edit;

/// A count is not more than this.
const MOST: usize = 999;

/// Which mode the editor is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    #[default]
    Insert,
    Normal,
}

/// The state of the mode, and what was begun and not ended.
#[derive(Debug, Default)]
pub(super) struct Vim {
    pub mode: Mode,
    count: usize,
    /// `d`, `c` or `y`, which wait for a motion.
    operator: Option<char>,
    /// `g`, `r`, `i` or `a`, which wait for a character.
    prefix: Option<char>,
    register: String,
}

/// What a motion covers.
struct Span {
    from: usize,
    to: usize,
    /// Where the cursor goes where nothing is done to the span.
    at: usize,
}

impl Vim {
    /// Takes a key, and tells whether it was one of its own.
    pub(super) fn key(&mut self, key: KeyEvent, composer: &mut Composer, width: usize) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if self.mode == Mode::Insert {
            if key.code != KeyCode::Esc {
                return false;
            }
            self.mode = Mode::Normal;
            // The cursor stands on a character, and not behind the last.
            if !composer.before_cursor().ends_with('\n') {
                composer.edit(Edit::Left, width);
            }
            return true;
        }
        match key.code {
            KeyCode::Char('r') if control => composer.edit(Edit::Redo, width),
            KeyCode::Char(_)
                if key
                    .modifiers
                    .intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) =>
            {
                return false;
            }
            KeyCode::Char(c) => self.character(c, composer, width),
            KeyCode::Esc if self.is_waiting() => self.forget(),
            KeyCode::Backspace => composer.edit(Edit::Left, width),
            _ => return false,
        }
        true
    }

    /// Begins anew with the next message.
    pub(super) fn reset(&mut self) {
        self.mode = Mode::Insert;
        self.forget();
    }

    fn is_waiting(&self) -> bool {
        self.count > 0 || self.operator.is_some() || self.prefix.is_some()
    }

    fn forget(&mut self) {
        (self.count, self.operator, self.prefix) = (0, None, None);
    }

    fn character(&mut self, c: char, composer: &mut Composer, width: usize) {
        if let Some(prefix) = self.prefix.take() {
            self.prefixed(prefix, c, composer);
            return;
        }
        match c {
            '1'..='9' => {
                let digit = c as usize - '0' as usize;
                self.count = (self.count * 10 + digit).min(MOST);
                return;
            }
            '0' if self.count > 0 => {
                self.count = (self.count * 10).min(MOST);
                return;
            }
            'g' | 'r' => {
                self.prefix = Some(c);
                return;
            }
            'i' | 'a' if self.operator.is_some() => {
                self.prefix = Some(c);
                return;
            }
            'd' | 'c' | 'y' if self.operator.is_none() => {
                self.operator = Some(c);
                return;
            }
            _ => {}
        }
        let count = std::mem::take(&mut self.count).max(1);
        if let Some(operator) = self.operator.take() {
            let span = if operator == c {
                Some(lines(composer, count))
            } else {
                // `cw` leaves the space behind the word.
                let c = if operator == 'c' && c == 'w' { 'e' } else { c };
                motion(composer, c, count, true)
            };
            if let Some(span) = span {
                self.operate(operator, &span, composer, operator == c);
            }
            return;
        }
        if let Some(span) = motion(composer, c, count, false) {
            composer.go(span.at);
            return;
        }
        self.command(c, count, composer, width);
    }

    fn prefixed(&mut self, prefix: char, c: char, composer: &mut Composer) {
        match (prefix, c) {
            ('g', 'g') => match self.operator.take() {
                Some(operator) => {
                    let to = composer.cursor();
                    let span = Span { from: 0, to, at: 0 };
                    self.operate(operator, &span, composer, false);
                }
                None => composer.go(0),
            },
            ('r', c) => {
                let at = composer.cursor();
                let end = after(composer.text(), at);
                if end > at && !composer.text()[at..end].starts_with('\n') {
                    composer.replace(at, end, &c.to_string());
                    composer.go(at);
                }
            }
            ('i' | 'a', 'w') => {
                if let Some(operator) = self.operator.take() {
                    let span = word_around(composer, prefix == 'a');
                    self.operate(operator, &span, composer, false);
                }
            }
            _ => {}
        }
        self.forget();
    }

    fn operate(&mut self, operator: char, span: &Span, composer: &mut Composer, lines: bool) {
        self.register = composer.text()[span.from..span.to].to_owned();
        match operator {
            'y' => composer.go(span.from),
            'd' => {
                composer.replace(span.from, span.to, "");
                composer.go(span.from);
            }
            _ => {
                // The line itself stays where the whole of it is written anew.
                let keeps = lines && self.register.ends_with('\n');
                let to = if keeps { span.to - 1 } else { span.to };
                composer.replace(span.from, to, "");
                composer.go(span.from);
                self.mode = Mode::Insert;
            }
        }
    }

    fn command(&mut self, c: char, count: usize, composer: &mut Composer, width: usize) {
        let at = composer.cursor();
        let end_of_line = line_end(composer.text(), at);
        match c {
            'i' => self.mode = Mode::Insert,
            'a' => {
                composer.go(after(composer.text(), at).min(end_of_line));
                self.mode = Mode::Insert;
            }
            'I' => {
                composer.go(line_start(composer.text(), at));
                self.mode = Mode::Insert;
            }
            'A' => {
                composer.go(end_of_line);
                self.mode = Mode::Insert;
            }
            'o' => {
                composer.replace(end_of_line, end_of_line, "\n");
                self.mode = Mode::Insert;
            }
            'O' => {
                let start = line_start(composer.text(), at);
                composer.replace(start, start, "\n");
                composer.go(start);
                self.mode = Mode::Insert;
            }
            'x' => {
                let mut to = at;
                for _ in 0..count {
                    to = after(composer.text(), to).min(end_of_line);
                }
                let span = Span { from: at, to, at };
                self.operate('d', &span, composer, false);
            }
            'D' | 'C' => {
                let span = Span {
                    from: at,
                    to: end_of_line,
                    at,
                };
                let operator = if c == 'D' { 'd' } else { 'c' };
                self.operate(operator, &span, composer, false);
            }
            'p' | 'P' => {
                let text = self.register.repeat(count);
                let to = match (text.ends_with('\n'), c) {
                    (true, 'p') => (end_of_line + 1).min(composer.text().len()),
                    (true, _) => line_start(composer.text(), at),
                    (false, 'p') => after(composer.text(), at).min(end_of_line),
                    (false, _) => at,
                };
                composer.replace(to, to, &text);
            }
            'u' => (0..count).for_each(|_| composer.edit(Edit::Undo, width)),
            'j' => (0..count).for_each(|_| composer.edit(Edit::Down, width)),
            'k' => (0..count).for_each(|_| composer.edit(Edit::Up, width)),
            _ => {}
        }
    }
}

/// Returns what a motion covers from the cursor; `None` where the key is none.
fn motion(composer: &Composer, c: char, count: usize, operated: bool) -> Option<Span> {
    let (text, at) = (composer.text(), composer.cursor());
    let repeat = |step: &dyn Fn(usize) -> usize| (0..count).fold(at, |at, _| step(at));
    let forward = |to: usize| Span {
        from: at,
        to,
        at: to,
    };
    let backward = |to: usize| Span {
        from: to,
        to: at,
        at: to,
    };
    Some(match c {
        'h' => backward(repeat(&|at| before(text, at)).max(line_start(text, at))),
        'l' | ' ' => forward(repeat(&|at| after(text, at)).min(line_end(text, at))),
        'w' => forward(repeat(&|at| next_word(text, at))),
        'b' => backward(repeat(&|at| word_start(text, at))),
        'e' => {
            let end = repeat(&|at| word_end(text, at));
            // The last character is covered where something is done to it.
            forward(if operated { after(text, end) } else { end })
        }
        '0' => backward(line_start(text, at)),
        '^' => {
            let start = line_start(text, at);
            let line = &text[start..line_end(text, at)];
            let first = start + line.len() - line.trim_start().len();
            if first <= at {
                backward(first)
            } else {
                forward(first)
            }
        }
        '$' => forward(line_end(text, at)),
        'G' => forward(text.len()),
        _ => return None,
    })
}

fn lines(composer: &Composer, count: usize) -> Span {
    let (text, at) = (composer.text(), composer.cursor());
    let mut from = line_start(text, at);
    let mut to = line_end(text, at);
    for _ in 1..count {
        to = line_end(text, (to + 1).min(text.len()));
    }
    if to < text.len() {
        to += 1;
    } else {
        // The last line goes with the break before it.
        from = from.saturating_sub(1);
    }
    Span { from, to, at: from }
}

fn word_around(composer: &Composer, with_space: bool) -> Span {
    let (text, at) = (composer.text(), composer.cursor());
    let class = class_at(text, at);
    let mut from = at;
    while from > 0 && class_at(text, before(text, from)) == class {
        from = before(text, from);
    }
    let mut to = at;
    while to < text.len() && class_at(text, to) == class {
        to = after(text, to);
    }
    if with_space {
        while to < text.len() && class_at(text, to) == Class::Space {
            to = after(text, to);
        }
    }
    Span { from, to, at: from }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Break,
    Space,
    Word,
    Sign,
}

fn class_at(text: &str, at: usize) -> Class {
    match text[at..].chars().next() {
        None | Some('\n') => Class::Break,
        Some(c) if c.is_whitespace() => Class::Space,
        Some(c) if c.is_alphanumeric() || c == '_' => Class::Word,
        Some(_) => Class::Sign,
    }
}

fn next_word(text: &str, mut at: usize) -> usize {
    let class = class_at(text, at);
    while at < text.len() && class_at(text, at) == class {
        at = after(text, at);
    }
    while at < text.len() && matches!(class_at(text, at), Class::Space | Class::Break) {
        at = after(text, at);
    }
    at
}

fn word_start(text: &str, mut at: usize) -> usize {
    let is_gap = |at: usize| matches!(class_at(text, at), Class::Space | Class::Break);
    while at > 0 && is_gap(before(text, at)) {
        at = before(text, at);
    }
    if at == 0 {
        return 0;
    }
    let class = class_at(text, before(text, at));
    while at > 0 && class_at(text, before(text, at)) == class {
        at = before(text, at);
    }
    at
}

/// Returns where the last character of the next word is.
fn word_end(text: &str, at: usize) -> usize {
    let mut at = after(text, at);
    while at < text.len() && matches!(class_at(text, at), Class::Space | Class::Break) {
        at = after(text, at);
    }
    let class = class_at(text, at);
    while after(text, at) < text.len() && class_at(text, after(text, at)) == class {
        at = after(text, at);
    }
    at.min(before(text, text.len()))
}

fn before(text: &str, at: usize) -> usize {
    text[..at]
        .grapheme_indices(true)
        .next_back()
        .map_or(0, |(start, _)| start)
}

fn after(text: &str, at: usize) -> usize {
    at + text[at..].graphemes(true).next().map_or(0, str::len)
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |at| at + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, keys: &str, expected: &str) {
        let mut composer = Composer::default();
        composer.set(text);
        composer.go(0);
        let mut vim = Vim {
            mode: Mode::Normal,
            ..Vim::default()
        };
        for c in keys.chars() {
            let code = if c == '⎋' {
                KeyCode::Esc
            } else {
                KeyCode::Char(c)
            };
            let key = KeyEvent::new(code, KeyModifiers::NONE);
            if !vim.key(key, &mut composer, 40)
                && let KeyCode::Char(c) = code
            {
                composer.insert(c);
            }
        }
        let mut shown = composer.text().to_owned();
        shown.insert(composer.cursor(), '|');
        assert_eq!(shown, expected, "{keys} in {text:?}");
    }

    #[test]
    fn motions_go_by_character_word_and_line() {
        check("one two", "w", "one |two");
        check("one two", "wb", "|one two");
        check("one two", "e", "on|e two");
        check("one two", "$", "one two|");
        check("  one", "^", "  |one");
        check("a.b c", "ww", "a.|b c");
        check("ab\ncd", "G", "ab\ncd|");
        check("ab\ncd", "Ggg", "|ab\ncd");
        check("one two three", "2w", "one two |three");
        check("世界 x", "l", "世|界 x");
        check("", "wbe$0hlxddG", "|");
    }

    #[test]
    fn operators_take_motions_counts_and_words() {
        check("one two", "dw", "|two");
        check("one two", "wdb", "|two");
        check("one two", "cwzwei", "zwei| two");
        check("one two three", "wciwzwei", "one zwei| three");
        check("one two three", "wdaw", "one |three");
        check("one two three", "2dw", "|three");
        check("one two", "wD", "one |");
        check("a\nb\nc", "dd", "|b\nc");
        check("a\nb\nc", "2dd", "|c");
        check("a\nb", "jdd", "a|");
        check("one two", "yww$p", "one twoone |");
        check("abc", "2x", "|c");
        check("abc", "rz", "|zbc");
        check("abc", "xu", "|abc");
        check("ab", "Ac⎋ix", "abx|c");
        check("ab", "ocd", "ab\ncd|");
        check("ab", "Ocd", "cd|\nab");
    }
}
