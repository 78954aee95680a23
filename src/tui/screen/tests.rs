use ratatui::style::Style;

use super::*;

struct Shown {
    screen: Screen,
    terminal: vt100::Parser,
}

impl Shown {
    fn new() -> Self {
        let mut terminal = vt100::Parser::new(12, 30, 0);
        terminal.process(b"\x1b[?25l");
        Self {
            screen: Screen::new(30, 12),
            terminal,
        }
    }

    fn frame(&mut self, lines: &[String], cursor: Option<Position>) -> usize {
        let bytes = self.screen.frame(|buffer| {
            for (line, y) in lines.iter().zip(0..) {
                let style = if line.contains('!') {
                    Style::new().fg(Color::Red).bold()
                } else {
                    Style::new()
                };
                buffer.set_string(0, y, line, style);
            }
            cursor
        });
        self.terminal.process(&bytes);
        let rows: Vec<String> = self.terminal.screen().rows(0, 30).collect();
        for (y, row) in rows.iter().enumerate() {
            let wanted = lines.get(y).map_or("", String::as_str);
            assert_eq!(row.trim_end(), wanted.trim_end(), "line {y} of {rows:#?}");
            let red = self
                .terminal
                .screen()
                .cell(y as u16, 0)
                .is_some_and(|cell| cell.fgcolor() == vt100::Color::Idx(1));
            assert_eq!(red, wanted.contains('!'), "the colour of line {y}");
        }
        if let Some(at) = cursor {
            assert_eq!(self.terminal.screen().cursor_position(), (at.y, at.x));
        }
        assert_eq!(self.terminal.screen().hide_cursor(), cursor.is_none());
        bytes.len()
    }
}

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range
        .map(|number| match number % 3 {
            0 => format!("line {number} with a few words!"),
            1 => format!("世界 {number}"),
            _ => format!("  {number}"),
        })
        .collect()
}

#[test]
fn a_frame_without_a_change_costs_nothing() {
    let mut shown = Shown::new();
    let at = Some(Position { x: 3, y: 2 });
    shown.frame(&numbered(0..10), at);
    assert_eq!(shown.frame(&numbered(0..10), at), 0);
}

#[test]
fn a_typed_character_costs_a_character() {
    let mut shown = Shown::new();
    let mut lines = vec!["› he".to_owned()];
    shown.frame(&lines, Some(Position { x: 4, y: 0 }));
    lines[0].push('l');
    let cost = shown.frame(&lines, Some(Position { x: 5, y: 0 }));
    assert_eq!(cost, 1);
}

#[test]
fn lines_that_moved_are_scrolled() {
    for (from, to) in [(0..11, 1..12), (3..14, 0..11), (0..11, 4..15)] {
        let mut shown = Shown::new();
        let mut before = numbered(from);
        let mut after = numbered(to);
        before.push("the bar stays".to_owned());
        after.push("the bar stays".to_owned());
        let whole = shown.frame(&before, None);
        let scrolled = shown.frame(&after, None);
        assert!(scrolled * 2 < whole, "{scrolled} of {whole}");
    }
}

#[test]
fn any_frame_follows_any_other() {
    let mut shown = Shown::new();
    let mut seed = 7_u64;
    for _ in 0..300 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let start = (seed >> 33) as usize % 9;
        let length = (seed >> 40) as usize % 13;
        let cursor = (seed >> 50).is_multiple_of(2).then_some(Position {
            x: (start * 3) as u16,
            y: 5,
        });
        shown.frame(&numbered(start..start + length.min(12)), cursor);
    }
}

/// Rows of text that this interpreter reads in its own way: it knows no joined emoji and no flags.
const UNSURE: [&str; 8] = [
    "│ 👩\u{200d}💻 joined │",
    "│ 🇩🇪🇫🇷 flags │",
    "│ 👍🏽 skin │",
    "│ e\u{301}a\u{308} marks │",
    "│ ❤\u{fe0f} sign │",
    "│ \u{5e9}\u{5dc}\u{5d5}\u{5dd} 12 │",
    "│ \u{645}\u{631}\u{62d}\u{628}\u{627} │",
    "plain",
];

/// Draws lines, and checks every cell that is plain: the frame and the words are where they are meant to be.
fn plain_cells_stand(shown: &mut Shown, lines: &[String]) {
    let mut meant = Buffer::empty(shown.screen.area());
    for (line, y) in lines.iter().zip(0..) {
        meant.set_string(0, y, line, Style::new());
    }
    let bytes = shown.screen.frame(|buffer| {
        buffer.clone_from(&meant);
        None
    });
    shown.terminal.process(&bytes);
    for y in 0..meant.area.height {
        let mut x = 0;
        while x < meant.area.width {
            let symbol = meant[(x, y)].symbol();
            let cell = shown.terminal.screen().cell(y, x).expect("a cell");
            if unsure::is_unsure(symbol) {
                let first: String = symbol.chars().take(1).collect();
                assert!(cell.contents().starts_with(&first), "at {x}, {y}: {symbol}");
            } else {
                assert_eq!(
                    cell.contents().trim(),
                    symbol.trim(),
                    "at {x}, {y} of {lines:#?}"
                );
            }
            x += (symbol.width() as u16).max(1);
        }
    }
}

#[test]
fn what_terminals_disagree_about_moves_nothing_else() {
    let mut shown = Shown::new();
    let mut seed = 3_u64;
    for _ in 0..300 {
        let lines: Vec<String> = (0..12)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                UNSURE[(seed >> 40) as usize % UNSURE.len()].to_owned()
            })
            .collect();
        plain_cells_stand(&mut shown, &lines);
    }
}

#[test]
fn a_cluster_at_the_edge_stays_in_its_row() {
    let mut shown = Shown::new();
    let edge = format!("{}👩\u{200d}💻", " ".repeat(28));
    let first = vec![edge.clone(), "the next row".to_owned()];
    plain_cells_stand(&mut shown, &first);
    let after: Vec<String> = vec![edge, "another row".to_owned()];
    plain_cells_stand(&mut shown, &after);
}

#[test]
fn a_row_of_clusters_that_stays_costs_nothing() {
    let mut shown = Shown::new();
    let mut lines: Vec<String> = UNSURE.iter().map(|&line| line.to_owned()).collect();
    plain_cells_stand(&mut shown, &lines);
    lines.push("x".to_owned());
    let bytes = shown.screen.frame(|buffer| {
        for (line, y) in lines.iter().zip(0..) {
            buffer.set_string(0, y, line, Style::new());
        }
        None
    });
    assert!(bytes.len() < 12, "{} bytes", bytes.len());
}
