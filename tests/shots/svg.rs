//! A screen as a picture.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr as _;

const CELL: (f32, f32) = (8.4, 18.0);

/// The terminal's own colours, which a theme is made for.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    paper: &'static str,
    ink: &'static str,
}

/// A dark terminal.
pub(crate) const DARK: Look = Look {
    paper: "#10141a",
    ink: "#d6dae0",
};
/// A light one.
pub(crate) const LIGHT: Look = Look {
    paper: "#ffffff",
    ink: "#1f2328",
};

/// Draws a screen as text that scales, with each run where its cells are.
pub(crate) fn svg(buffer: &Buffer, look: Look) -> String {
    let area = buffer.area;
    let (width, height) = (
        f32::from(area.width) * CELL.0,
        f32::from(area.height) * CELL.1,
    );
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {:.0}\" font-family=\"ui-monospace,'DejaVu Sans \
         Mono',Menlo,Consolas,monospace\" font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n",
        width + 24.0,
        height + 24.0,
        look.paper
    );
    for y in 0..area.height {
        let mut x = 0;
        while x < area.width {
            let first = &buffer[(x, y)];
            let (from, mut text) = (x, String::new());
            while x < area.width {
                let cell = &buffer[(x, y)];
                let same =
                    (cell.fg, cell.bg, cell.modifier) == (first.fg, first.bg, first.modifier);
                if !same {
                    break;
                }
                text.push_str(cell.symbol());
                x += (cell.symbol().width() as u16).max(1);
            }
            run(&mut out, look, first, &text, from, x - from, y);
        }
    }
    out.push_str("</svg>\n");
    out
}

fn run(out: &mut String, look: Look, cell: &Cell, text: &str, x: u16, wide: u16, y: u16) {
    let has = |modifier| cell.modifier.contains(modifier);
    let (mut fg, mut bg) = (hex(cell.fg, look.ink), hex(cell.bg, look.paper));
    if has(Modifier::REVERSED) {
        std::mem::swap(&mut fg, &mut bg);
    }
    let left = 12.0 + f32::from(x) * CELL.0;
    let top = 12.0 + f32::from(y) * CELL.1;
    let span = f32::from(wide) * CELL.0;
    if bg != look.paper {
        let _ = writeln!(
            out,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{span:.1}\" height=\"{:.1}\" fill=\"{bg}\"/>",
            CELL.1
        );
    }
    let shown = text.trim_end();
    if shown.is_empty() {
        return;
    }
    let mut style = String::new();
    for (modifier, attribute) in [
        (Modifier::BOLD, " font-weight=\"bold\""),
        (Modifier::DIM, " opacity=\"0.65\""),
        (Modifier::ITALIC, " font-style=\"italic\""),
        (Modifier::UNDERLINED, " text-decoration=\"underline\""),
        (Modifier::CROSSED_OUT, " text-decoration=\"line-through\""),
    ] {
        if has(modifier) {
            style.push_str(attribute);
        }
    }
    // Each word where its cells are, whatever font draws it.
    let mut at = 0;
    for word in shown.split_inclusive("  ") {
        let lead = word.len() - word.trim_start().len();
        let text = word.trim();
        if !text.is_empty() {
            let escaped = text
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{fg}\"{style} textLength=\"{:.1}\" \
                 lengthAdjust=\"spacingAndGlyphs\">{escaped}</text>",
                left + (at + lead) as f32 * CELL.0,
                top + 13.5,
                text.width() as f32 * CELL.0
            );
        }
        at += word.width();
    }
}

fn hex(colour: Color, otherwise: &str) -> String {
    match colour {
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Reset => otherwise.to_owned(),
        other => panic!("the themes of the pictures name {other:?} by a number"),
    }
}
