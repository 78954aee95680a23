//! What the terminal shows, and the fewest bytes that turn it into the next frame.
//!
//! ratatui's own terminal and backend were measured at 60 to 90 bytes for one typed character: they reset all styles
//! after each frame, place the cursor again and draw scrolled lines anew. Over a thin link that is felt. This one
//! keeps the pen and the cursor from frame to frame, scrolls a region where lines only moved, and writes nothing
//! where nothing changed. It is pure: frames go in, bytes come out.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::Write as _,
};

use ratatui::{
    buffer::{Buffer, Cell},
    layout::{Position, Rect},
    style::{Color, Modifier},
};
use unicode_width::UnicodeWidthStr as _;

use super::unsure;

/// Frames below this many bytes arrive in one piece anyway, and need no brackets around them.
const SMALL: usize = 512;
/// Fewer lines than this are drawn anew rather than scrolled.
const LEAST_SCROLLED: usize = 3;

/// The terminal's present state as far as it is known.
#[derive(Debug)]
pub(super) struct Screen {
    shown: Buffer,
    next: Buffer,
    pen: Pen,
    /// Where the cursor is, unless that depends on the terminal.
    at: Option<Position>,
    visible: bool,
    /// Nothing is known of what is shown.
    stale: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pen {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

const PLAIN: Pen = Pen {
    fg: Color::Reset,
    bg: Color::Reset,
    modifier: Modifier::empty(),
};

impl Pen {
    fn of(cell: &Cell) -> Self {
        Self {
            fg: cell.fg,
            bg: cell.bg,
            modifier: cell.modifier,
        }
    }
}

impl Screen {
    /// Makes a screen of which nothing is known, with its cursor hidden.
    pub(super) fn new(width: u16, height: u16) -> Self {
        let area = Rect::new(0, 0, width, height);
        Self {
            shown: Buffer::empty(area),
            next: Buffer::empty(area),
            pen: PLAIN,
            at: None,
            visible: false,
            stale: true,
        }
    }

    /// Takes note of a new size: everything is drawn anew.
    pub(super) fn resize(&mut self, width: u16, height: u16) {
        let visible = self.visible;
        *self = Self::new(width, height);
        self.visible = visible;
    }

    /// Takes note that something else wrote to the terminal.
    pub(super) fn forget(&mut self) {
        self.stale = true;
    }

    /// Returns the size.
    pub(super) fn area(&self) -> Rect {
        self.next.area
    }

    /// Lets `draw` fill the next frame, and returns the bytes that show it; it says where the cursor is to stand.
    pub(super) fn frame(&mut self, draw: impl FnOnce(&mut Buffer) -> Option<Position>) -> Vec<u8> {
        self.next.reset();
        let cursor = draw(&mut self.next).filter(|at| self.next.area.contains(*at));
        let mut out = Vec::new();
        if std::mem::take(&mut self.stale) {
            out.extend_from_slice(b"\x1b[0m\x1b[H\x1b[2J");
            self.pen = PLAIN;
            self.at = Some(Position::ORIGIN);
            self.shown.reset();
        }
        self.scroll(&mut out);
        let whole = self.unsure_rows();
        let mut changes = self.shown.diff(&self.next);
        changes.retain(|(_, y, _)| !whole.contains(y));
        let many = changes.len() + whole.len() * usize::from(self.next.area.width);
        let hide = self.visible && (cursor.is_none() || many > 64);
        if hide {
            out.extend_from_slice(b"\x1b[?25l");
            self.visible = false;
        }
        let (mut pen, mut at) = (self.pen, self.at);
        let right = self.next.area.width;
        for (x, y, cell) in changes {
            go(&mut out, &mut at, Position { x, y });
            dip(&mut out, &mut pen, cell);
            let symbol = cell.symbol();
            out.extend_from_slice(symbol.as_bytes());
            let wide = symbol.width() as u16;
            // Terminals disagree about anything but plain narrow characters, and about the cursor at the edge.
            at = (wide == 1 && symbol.chars().count() == 1 && x + 1 < right)
                .then_some(Position { x: x + 1, y });
        }
        for y in whole {
            self.row(&mut out, &mut pen, &mut at, y);
        }
        (self.pen, self.at) = (pen, at);
        if let Some(cursor) = cursor {
            go(&mut out, &mut self.at, cursor);
            if !self.visible {
                out.extend_from_slice(b"\x1b[?25h");
                self.visible = true;
            }
        }
        std::mem::swap(&mut self.shown, &mut self.next);
        if out.len() > SMALL {
            out.splice(0..0, b"\x1b[?2026h".iter().copied());
            out.extend_from_slice(b"\x1b[?2026l");
        }
        out
    }

    /// Returns the rows that changed and hold, or held, what terminals disagree about.
    fn unsure_rows(&self) -> Vec<u16> {
        let rows = unsure::rows(&self.shown).zip(unsure::rows(&self.next));
        (0..)
            .zip(rows)
            .filter(|(_, (old, new))| old != new && (unsure::holds(old) || unsure::holds(new)))
            .map(|(y, _)| y)
            .collect()
    }

    /// Draws a row whole, so that nothing in it depends on how wide the terminal thinks that a cluster is.
    fn row(&self, out: &mut Vec<u8>, pen: &mut Pen, at: &mut Option<Position>, y: u16) {
        let right = self.next.area.width;
        let cells: Vec<&Cell> = (0..right).map(|x| &self.next[(x, y)]).collect();
        let blank =
            |cell: &Cell| *cell == Cell::EMPTY || (cell.symbol() == " " && Pen::of(cell) == PLAIN);
        let end = cells
            .iter()
            .rposition(|cell| !blank(cell))
            .map_or(0, |last| last + 1);
        let mut x = 0;
        while usize::from(x) < end {
            let cell = cells[usize::from(x)];
            let symbol = cell.symbol();
            let wide = (symbol.width() as u16).max(1).min(right - x);
            let here = Position { x, y };
            go(out, at, here);
            dip(out, pen, cell);
            if unsure::is_unsure(symbol) {
                out.extend(std::iter::repeat_n(b' ', usize::from(wide)));
                *at = None;
                go(out, at, here);
                out.extend_from_slice(unsure::drawn(symbol, usize::from(right - x)).as_bytes());
                *at = None;
            } else {
                out.extend_from_slice(symbol.as_bytes());
                *at = (wide == 1 && x + 1 < right).then_some(Position { x: x + 1, y });
            }
            x += wide;
        }
        if x < right {
            go(out, at, Position { x, y });
            if *pen != PLAIN {
                // What is erased takes the pen's background.
                out.extend_from_slice(b"\x1b[m");
                *pen = PLAIN;
            }
            out.extend_from_slice(b"\x1b[K");
        }
    }

    /// Scrolls what only moved up or down, so that it need not be drawn anew.
    fn scroll(&mut self, out: &mut Vec<u8>) {
        let old = prints(&self.shown);
        let new = prints(&self.next);
        let Some(shift) = shift(&old, &new) else {
            return;
        };
        if self.pen != PLAIN {
            // A scrolled-in line takes the pen's background.
            out.extend_from_slice(b"\x1b[0m");
            self.pen = PLAIN;
        }
        let Shift {
            top,
            bottom,
            by,
            up,
        } = shift;
        let _ = write!(out, "\x1b[{};{}r", top + 1, bottom);
        if up {
            let _ = write!(out, "\x1b[{bottom}H");
            out.extend(std::iter::repeat_n(b'\n', by));
        } else {
            let _ = write!(out, "\x1b[{}H", top + 1);
            out.extend(b"\x1bM".repeat(by));
        }
        out.extend_from_slice(b"\x1b[r");
        // Setting the region sends the cursor home.
        self.at = None;
        let width = usize::from(self.shown.area.width);
        let cells = &mut self.shown.content[top * width..bottom * width];
        if up {
            cells.rotate_left(by * width);
            let kept = cells.len() - by * width;
            cells[kept..].fill(Cell::EMPTY);
        } else {
            cells.rotate_right(by * width);
            cells[..by * width].fill(Cell::EMPTY);
        }
    }
}

/// Lines `top..bottom` that moved by some lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shift {
    top: usize,
    bottom: usize,
    by: usize,
    up: bool,
}

/// Finds the longest run of lines that moved and would have to be drawn anew where they are now.
fn shift(old: &[Option<u64>], new: &[Option<u64>]) -> Option<Shift> {
    let high = old.len().min(new.len());
    let changed = (0..high).filter(|y| old[*y] != new[*y]).count();
    if changed <= LEAST_SCROLLED {
        return None;
    }
    let mut best: Option<(usize, Shift)> = None;
    for by in 1..high / 2 + 1 {
        for up in [true, false] {
            let mut start = 0;
            let mut gain = 0;
            for y in 0..=high - by {
                let (from, to) = if up { (y + by, y) } else { (y, y + by) };
                let moved = y < high - by && old[from] == new[to];
                if moved {
                    // An empty line or one that stands already costs nothing to leave alone.
                    gain += usize::from(new[to].is_some() && old[to] != new[to]);
                    continue;
                }
                if gain > LEAST_SCROLLED && best.is_none_or(|(most, _)| gain > most) {
                    let found = Shift {
                        top: start,
                        bottom: y + by,
                        by,
                        up,
                    };
                    best = Some((gain, found));
                }
                start = y + 1;
                gain = 0;
            }
        }
    }
    best.map(|(_, shift)| shift)
}

/// Returns a print of each line; `None` for an empty one.
fn prints(buffer: &Buffer) -> Vec<Option<u64>> {
    let width = usize::from(buffer.area.width).max(1);
    buffer
        .content
        .chunks(width)
        .map(|cells| {
            if cells.iter().all(|cell| *cell == Cell::EMPTY) {
                return None;
            }
            let mut hasher = DefaultHasher::new();
            for cell in cells {
                (cell.symbol(), cell.fg, cell.bg, cell.modifier).hash(&mut hasher);
            }
            Some(hasher.finish())
        })
        .collect()
}

fn go(out: &mut Vec<u8>, at: &mut Option<Position>, to: Position) {
    if *at == Some(to) {
        return;
    }
    let _ = match *at {
        Some(from) if from.y == to.y && to.x == 0 => out.write(b"\r").map(drop),
        Some(from) if from.y == to.y && to.x > from.x => match to.x - from.x {
            1 => out.write(b"\x1b[C").map(drop),
            by => write!(out, "\x1b[{by}C"),
        },
        Some(from) if from.y == to.y => match from.x - to.x {
            1 => out.write(b"\x08").map(drop),
            by => write!(out, "\x1b[{by}D"),
        },
        _ => write!(out, "\x1b[{};{}H", to.y + 1, to.x + 1),
    };
    *at = Some(to);
}

/// Changes the pen to a cell's style.
fn dip(out: &mut Vec<u8>, pen: &mut Pen, cell: &Cell) {
    let wanted = Pen::of(cell);
    if *pen == wanted {
        return;
    }
    let mut codes: Vec<String> = Vec::new();
    if wanted == PLAIN {
        *pen = PLAIN;
        out.extend_from_slice(b"\x1b[m");
        return;
    }
    if !(pen.modifier - wanted.modifier).is_empty() {
        // Bold and dim are ended by one code, and some terminals know none for others.
        codes.push("0".to_owned());
        *pen = PLAIN;
    }
    for (modifier, code) in [
        (Modifier::BOLD, "1"),
        (Modifier::DIM, "2"),
        (Modifier::ITALIC, "3"),
        (Modifier::UNDERLINED, "4"),
        (Modifier::REVERSED, "7"),
        (Modifier::CROSSED_OUT, "9"),
    ] {
        if (wanted.modifier - pen.modifier).contains(modifier) {
            codes.push(code.to_owned());
        }
    }
    if pen.fg != wanted.fg {
        codes.push(colour(wanted.fg, 30));
    }
    if pen.bg != wanted.bg {
        codes.push(colour(wanted.bg, 40));
    }
    *pen = wanted;
    if !codes.is_empty() {
        let _ = write!(out, "\x1b[{}m", codes.join(";"));
    }
}

/// Returns the code of a colour; `base` is 30 for the text and 40 for what is behind it.
fn colour(colour: Color, base: u8) -> String {
    let code = match colour {
        Color::Reset => base + 9,
        Color::Black => base,
        Color::Red => base + 1,
        Color::Green => base + 2,
        Color::Yellow => base + 3,
        Color::Blue => base + 4,
        Color::Magenta => base + 5,
        Color::Cyan => base + 6,
        Color::Gray => base + 7,
        Color::DarkGray => base + 60,
        Color::LightRed => base + 61,
        Color::LightGreen => base + 62,
        Color::LightYellow => base + 63,
        Color::LightBlue => base + 64,
        Color::LightMagenta => base + 65,
        Color::LightCyan => base + 66,
        Color::White => base + 67,
        Color::Indexed(index) => return format!("{};5;{index}", base + 8),
        Color::Rgb(red, green, blue) => return format!("{};2;{red};{green};{blue}", base + 8),
    };
    code.to_string()
}

#[cfg(test)]
mod tests;
