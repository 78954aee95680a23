//! Every pane as it looks: as text at three sizes, with its styles in every theme, and as the pictures in `assets/`,
//! which `UPDATE_SHOTS=1 cargo test --test shots` draws anew.

#![expect(clippy::disallowed_methods, reason = "reads and writes the pictures")]

mod desk;
mod scenes;
mod svg;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr as _;

use desk::Desk;
use scenes::{SCENES, scene};

/// A picture: its name, the theme, and the scene.
type Shot = (&'static str, &'static str, &'static str);

const SHOTS: &[Shot] = &[
    ("welcome", "dark", "welcome"),
    ("approval", "dark", "approval"),
    ("approval-colour-blind", "colour-blind", "approval"),
    ("approval-light", "light", "approval"),
    ("form", "dark", "form"),
    ("page", "dark", "page"),
    ("commands", "dark", "commands"),
    ("files", "dark", "files"),
    ("sessions", "dark", "sessions"),
    ("review", "dark", "review"),
    ("set", "dark", "set"),
    ("findings", "dark", "findings"),
    ("symbols", "dark", "symbols"),
    ("trace", "dark", "trace"),
    ("context", "dark", "context"),
    ("model", "dark", "model"),
    ("plan", "dark", "plan"),
    ("servers", "dark", "servers"),
];

/// The size of the pictures.
const SIZE: (u16, u16) = (100, 28);
/// The size of the smallest screens.
const SMALL: (u16, u16) = (60, 15);

const THEMES: [&str; 7] = [
    "default",
    "light",
    "dark",
    "high-contrast",
    "colour-blind",
    "colour-blind-light",
    "mono",
];

fn at(size: (u16, u16), theme: &str, arrange: fn(&mut Desk)) -> Buffer {
    let mut desk = Desk::new(theme, size);
    arrange(&mut desk);
    desk.drawn()
}

/// Writes a screen as its text.
fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut x = 0;
        while x < buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += (symbol.width() as u16).max(1);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn screens(size: (u16, u16)) -> String {
    SCENES
        .iter()
        .fold(String::new(), |mut out, (name, arrange)| {
            let _ = write!(out, "=== {name}\n{}", text(&at(size, "default", *arrange)));
            out
        })
}

#[test]
fn every_pane_at_60_by_15() {
    insta::assert_snapshot!(screens(SMALL));
}

#[test]
fn every_pane_at_80_by_24() {
    insta::assert_snapshot!(screens((80, 24)));
}

#[test]
fn every_pane_at_120_by_40() {
    insta::assert_snapshot!(screens((120, 40)));
}

/// The styles of screens, each as a letter.
#[derive(Default)]
struct Styles {
    known: Vec<String>,
}

impl Styles {
    /// Returns the letter of a cell's style; a dot for none.
    fn letter(&mut self, cell: &Cell) -> char {
        if (cell.fg, cell.bg, cell.modifier) == (Color::Reset, Color::Reset, Modifier::empty()) {
            return '.';
        }
        let mut told = format!("{}", cell.fg);
        if cell.bg != Color::Reset {
            let _ = write!(told, " on {}", cell.bg);
        }
        if !cell.modifier.is_empty() {
            let _ = write!(told, " {:?}", cell.modifier);
        }
        let at = self.known.iter().position(|known| *known == told);
        let at = at.unwrap_or_else(|| {
            self.known.push(told);
            self.known.len() - 1
        });
        ('a'..='z')
            .chain('A'..='Z')
            .nth(at)
            .expect("a letter for each style")
    }

    /// Writes the styles of a screen, row by row: `a3 .4 b1` is three cells in `a`, four plain ones, one in `b`.
    fn told(&mut self, buffer: &Buffer) -> String {
        let mut out = String::new();
        for y in 0..buffer.area.height {
            let mut runs: Vec<(char, usize)> = Vec::new();
            for x in 0..buffer.area.width {
                let letter = self.letter(&buffer[(x, y)]);
                match runs.last_mut() {
                    Some((last, many)) if *last == letter => *many += 1,
                    _ => runs.push((letter, 1)),
                }
            }
            if runs.last().is_some_and(|(letter, _)| *letter == '.') {
                runs.pop();
            }
            if !runs.is_empty() {
                let runs: Vec<String> = runs.iter().map(|(c, many)| format!("{c}{many}")).collect();
                let _ = writeln!(out, "{y}: {}", runs.join(" "));
            }
        }
        out
    }
}

#[test]
fn every_pane_in_every_theme() {
    for theme in THEMES {
        let mut styles = Styles::default();
        let mut out = String::new();
        for (name, arrange) in SCENES {
            let told = styles.told(&at(SMALL, theme, *arrange));
            let _ = write!(out, "=== {name}\n{told}");
        }
        out.push_str("=== styles\n");
        for (letter, style) in ('a'..='z').chain('A'..='Z').zip(&styles.known) {
            let _ = writeln!(out, "{letter} {style}");
        }
        insta::assert_snapshot!(format!("every_pane_in_{theme}"), out);
    }
}

#[test]
fn a_theme_changes_no_text() {
    for (name, arrange) in SCENES {
        let told = |theme| {
            let mut desk = Desk::plain(theme, SMALL);
            arrange(&mut desk);
            text(&desk.drawn())
        };
        let plain = told("mono");
        for theme in THEMES {
            assert_eq!(told(theme), plain, "{name} in {theme}");
        }
    }
}

#[test]
fn every_theme_is_among_those_that_are_looked_at() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("themes");
    let files = std::fs::read_dir(folder).expect("readable");
    let mut names: Vec<String> = files
        .map(|file| {
            file.expect("a file")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
        .collect();
    names.sort_unstable();
    let mut known = THEMES.map(str::to_owned);
    known.sort_unstable();
    assert_eq!(names, known);
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("assets/{name}.svg"))
}

#[test]
fn every_picture_is_there_and_can_be_drawn_anew() {
    for (name, theme, of) in SHOTS {
        let look = if *theme == "light" {
            svg::LIGHT
        } else {
            svg::DARK
        };
        let drawn = svg::svg(&at(SIZE, theme, scene(of)), look);
        if std::env::var_os("UPDATE_SHOTS").is_some() {
            std::fs::write(path(name), &drawn).expect("writable");
        }
        let kept = std::fs::read_to_string(path(name)).expect(name);
        assert!(
            kept.starts_with("<svg ") && drawn.ends_with("</svg>\n"),
            "{name}"
        );
    }
}

#[test]
fn every_picture_in_the_readme_is_one_of_them() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).expect("readable");
    let mut named = 0;
    for part in readme.split("](assets/").skip(1) {
        let Some(name) = part
            .split(')')
            .next()
            .and_then(|file| file.strip_suffix(".svg"))
        else {
            continue;
        };
        assert!(SHOTS.iter().any(|(shot, ..)| *shot == name), "{name}");
        named += 1;
    }
    assert!(named > 0, "the README shows no picture");
}
