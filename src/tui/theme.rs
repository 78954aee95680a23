//! Themes: what each [`Role`] looks like, from TOML files that inherit from one another.
//!
//! A theme file holds roles (`"diff.added" = "green"` or `{ fg, bg, modifiers }`), `inherits` and a `[palette]`. A
//! role that a theme lacks takes the look of its parent (`diff` for `diff.added`), and `text` in the end. What a
//! file has and walden does not know is reported, not refused: a theme for a newer version still loads.

use std::collections::HashMap;

use ratatui::style::{Color, Modifier, Style};
use toml::{Table, Value};

use super::role::{Ink, Role};

/// The themes that are part of the program.
const BUILT_IN: [(&str, &str); 7] = [
    ("default", include_str!("../../themes/default.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("dark", include_str!("../../themes/dark.toml")),
    (
        "high-contrast",
        include_str!("../../themes/high-contrast.toml"),
    ),
    (
        "colour-blind",
        include_str!("../../themes/colour-blind.toml"),
    ),
    (
        "colour-blind-light",
        include_str!("../../themes/colour-blind-light.toml"),
    ),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// A chain of `inherits` longer than this is a circle.
const MOST_ANCESTORS: usize = 8;

/// How many colours the terminal is known to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None at all.
    None,
    /// The terminal's own 16.
    Ansi16,
    /// The 256 of xterm.
    Ansi256,
    /// All of them.
    True,
}

impl Depth {
    /// Reads the depth off `COLORTERM` and `TERM`.
    pub fn from_environment(colorterm: Option<&str>, term: Option<&str>) -> Self {
        match (colorterm, term) {
            (_, Some("dumb" | "vt100" | "vt102" | "vt220")) => Self::None,
            (Some("truecolor" | "24bit"), _) => Self::True,
            (_, Some(term)) if term.ends_with("-direct") => Self::True,
            // These show all colours, and say so in their name alone where COLORTERM is lost on the way (ssh, sudo).
            (_, Some(term))
                if [
                    "xterm-kitty",
                    "xterm-ghostty",
                    "alacritty",
                    "foot",
                    "wezterm",
                    "contour",
                ]
                .iter()
                .any(|known| term.starts_with(known)) =>
            {
                Self::True
            }
            (_, Some(term)) if term.contains("256color") => Self::Ansi256,
            _ => Self::Ansi16,
        }
    }

    /// Says how many colours these are.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "no colours",
            Self::Ansi16 => "16 colours",
            Self::Ansi256 => "256 colours",
            Self::True => "all colours",
        }
    }
}

/// Why a theme could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    #[error("no theme `{name}`; there are {known}")]
    Unknown { name: String, known: String },
    #[error("cannot read the theme `{name}`: {message}")]
    Parse { name: String, message: String },
    #[error("the theme `{name}` inherits from itself")]
    Circle { name: String },
}

/// A loaded theme: a style for each role.
#[derive(Debug, Clone)]
pub struct Theme {
    pub name: String,
    /// What the file has that walden does not know, for a notice.
    pub warnings: Vec<String>,
    styles: HashMap<Role, Style>,
}

impl Theme {
    /// Returns the names of the themes that are part of the program.
    pub fn built_in() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// Loads a theme by name. `find` returns the text of a user's theme file, and is asked before the built-in ones.
    pub fn load(
        name: &str,
        depth: Depth,
        find: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ThemeError> {
        let mut layers = Vec::new();
        let mut warnings = Vec::new();
        let mut next = Some(name.to_owned());
        let mut seen_user: Vec<String> = Vec::new();
        while let Some(current) = next {
            if layers.len() >= MOST_ANCESTORS {
                return Err(ThemeError::Circle {
                    name: name.to_owned(),
                });
            }
            // A user's `default` that inherits `default` means the built-in one.
            let own = if seen_user.contains(&current) {
                None
            } else {
                find(&current)
            };
            let text = match own {
                Some(text) => {
                    seen_user.push(current.clone());
                    text
                }
                None => built_in_text(&current)
                    .ok_or_else(|| ThemeError::Unknown {
                        name: super::text::clean_line(&current),
                        known: Self::built_in()
                            .map(|name| format!("`{name}`"))
                            .collect::<Vec<_>>()
                            .join(", "),
                    })?
                    .to_owned(),
            };
            let mut table: Table =
                text.parse()
                    .map_err(|error: toml::de::Error| ThemeError::Parse {
                        name: current.clone(),
                        message: error.message().to_owned(),
                    })?;
            next = match table.remove("inherits") {
                Some(Value::String(parent)) => Some(parent),
                Some(_) => {
                    warnings.push(format!("theme `{current}`: `inherits` is not a name"));
                    None
                }
                None => None,
            };
            layers.push((current, table));
        }
        let mut palette = HashMap::new();
        let mut styles = HashMap::new();
        layers.reverse();
        // All palettes before any role: a theme can be another one in other colours.
        for (current, table) in &mut layers {
            if let Some(Value::Table(colours)) = table.remove("palette") {
                for (key, value) in colours {
                    match value.as_str().and_then(|text| colour(text, &palette)) {
                        Some(found) => drop(palette.insert(key, found)),
                        None => warnings
                            .push(format!("theme `{current}`: palette `{key}` is no colour")),
                    }
                }
            }
        }
        for (current, table) in layers {
            for (key, value) in table {
                let Some(role) = Role::ALL.iter().find(|role| role.name() == key) else {
                    warnings.push(format!("theme `{current}`: no role `{key}`"));
                    continue;
                };
                let style = read_style(&value, &palette, depth, &mut |problem| {
                    warnings.push(format!("theme `{current}`: `{key}` {problem}"));
                });
                styles.insert(*role, style);
            }
        }
        fill_in(&mut styles);
        Ok(Self {
            name: name.to_owned(),
            warnings,
            styles,
        })
    }

    /// Loads a theme that is part of the program, and `default` where there is none of that name.
    pub fn built_in_or_default(name: &str, depth: Depth) -> Self {
        Self::load(name, depth, &|_| None)
            .or_else(|_| Self::load("default", depth, &|_| None))
            .unwrap_or_else(|_| Self {
                name: "default".to_owned(),
                warnings: Vec::new(),
                styles: HashMap::new(),
            })
    }

    /// Returns the look of a role, or of several laid over one another.
    pub fn style(&self, ink: impl Into<Ink>) -> Style {
        ink.into().roles().fold(Style::new(), |style, role| {
            style.patch(self.styles.get(&role).copied().unwrap_or_default())
        })
    }
}

fn built_in_text(name: &str) -> Option<&'static str> {
    BUILT_IN
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}

/// Gives each role that no layer named the look of its nearest parent.
fn fill_in(styles: &mut HashMap<Role, Style>) {
    for role in Role::ALL {
        if styles.contains_key(role) {
            continue;
        }
        let mut name = role.name();
        let found = loop {
            let Some((parent, _)) = name.rsplit_once('.') else {
                break None;
            };
            name = parent;
            let parent = Role::ALL.iter().find(|role| role.name() == name);
            if let Some(style) = parent.and_then(|parent| styles.get(parent)) {
                break Some(*style);
            }
        };
        let style = found.or_else(|| styles.get(&Role::Text).copied());
        styles.insert(*role, style.unwrap_or_default());
    }
}

fn read_style(
    value: &Value,
    palette: &HashMap<String, Color>,
    depth: Depth,
    warn: &mut dyn FnMut(&str),
) -> Style {
    let mut style = Style::new();
    let read_colour = |text: Option<&str>, warn: &mut dyn FnMut(&str)| {
        let found = text.and_then(|text| colour(text, palette));
        if found.is_none() {
            warn("names no colour");
        }
        found.map(|found| reduce(found, depth))
    };
    match value {
        Value::String(text) => {
            if let Some(found) = read_colour(Some(text), warn) {
                style = style.fg(found);
            }
        }
        Value::Table(table) => {
            for (key, value) in table {
                match key.as_str() {
                    "fg" => style.fg = read_colour(value.as_str(), warn),
                    "bg" => style.bg = read_colour(value.as_str(), warn),
                    "modifiers" => {
                        for name in value.as_array().into_iter().flatten() {
                            match name.as_str().and_then(modifier) {
                                Some(found) => style = style.add_modifier(found),
                                None => warn("has an unknown modifier"),
                            }
                        }
                    }
                    _ => warn(&format!("has an unknown key `{key}`")),
                }
            }
        }
        _ => warn("is neither a colour nor a table"),
    }
    style
}

fn modifier(name: &str) -> Option<Modifier> {
    Some(match name {
        "bold" => Modifier::BOLD,
        "dim" => Modifier::DIM,
        "italic" => Modifier::ITALIC,
        "underlined" => Modifier::UNDERLINED,
        "reversed" => Modifier::REVERSED,
        "crossed-out" => Modifier::CROSSED_OUT,
        _ => return None,
    })
}

fn colour(text: &str, palette: &HashMap<String, Color>) -> Option<Color> {
    if let Some(found) = palette.get(text) {
        return Some(*found);
    }
    Some(match text {
        "default" => Color::Reset,
        "black" => Color::Black,
        "red" => Color::Red,
        "green" => Color::Green,
        "yellow" => Color::Yellow,
        "blue" => Color::Blue,
        "magenta" => Color::Magenta,
        "cyan" => Color::Cyan,
        "white" => Color::Gray,
        "bright-black" => Color::DarkGray,
        "bright-red" => Color::LightRed,
        "bright-green" => Color::LightGreen,
        "bright-yellow" => Color::LightYellow,
        "bright-blue" => Color::LightBlue,
        "bright-magenta" => Color::LightMagenta,
        "bright-cyan" => Color::LightCyan,
        "bright-white" => Color::White,
        _ => return hex(text).or_else(|| text.parse().ok().map(Color::Indexed)),
    })
}

fn hex(text: &str) -> Option<Color> {
    let digits = text.strip_prefix('#').filter(|rest| rest.len() == 6)?;
    let value = u32::from_str_radix(digits, 16).ok()?;
    let [_, red, green, blue] = value.to_be_bytes();
    Some(Color::Rgb(red, green, blue))
}

/// Brings a colour down to what the terminal shows.
fn reduce(colour: Color, depth: Depth) -> Color {
    match (colour, depth) {
        (_, Depth::None) => Color::Reset,
        (Color::Rgb(red, green, blue), Depth::Ansi256) => {
            Color::Indexed(nearest_256(red, green, blue))
        }
        (Color::Rgb(red, green, blue), Depth::Ansi16) => nearest_16(red, green, blue),
        (Color::Indexed(index), Depth::Ansi16) => {
            let [red, green, blue] = xterm(index);
            nearest_16(red, green, blue)
        }
        _ => colour,
    }
}

/// Returns the red, green and blue of a colour, as xterm shows it.
#[cfg(test)]
pub(super) fn rgb(colour: Color) -> Option<[u8; 3]> {
    match colour {
        Color::Rgb(red, green, blue) => Some([red, green, blue]),
        Color::Indexed(index) => Some(xterm(index)),
        _ => ANSI
            .iter()
            .find(|(known, _)| *known == colour)
            .map(|(_, rgb)| *rgb),
    }
}

/// Returns the red, green and blue of one of xterm's 256 colours.
fn xterm(index: u8) -> [u8; 3] {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    match index {
        0..=15 => ANSI[usize::from(index)].1,
        16..=231 => {
            let cube = usize::from(index - 16);
            [LEVELS[cube / 36], LEVELS[cube / 6 % 6], LEVELS[cube % 6]]
        }
        232..=255 => [8 + (index - 232) * 10; 3],
    }
}

const ANSI: [(Color, [u8; 3]); 16] = [
    (Color::Black, [0, 0, 0]),
    (Color::Red, [205, 0, 0]),
    (Color::Green, [0, 205, 0]),
    (Color::Yellow, [205, 205, 0]),
    (Color::Blue, [0, 0, 238]),
    (Color::Magenta, [205, 0, 205]),
    (Color::Cyan, [0, 205, 205]),
    (Color::Gray, [229, 229, 229]),
    (Color::DarkGray, [127, 127, 127]),
    (Color::LightRed, [255, 0, 0]),
    (Color::LightGreen, [0, 255, 0]),
    (Color::LightYellow, [255, 255, 0]),
    (Color::LightBlue, [92, 92, 255]),
    (Color::LightMagenta, [255, 0, 255]),
    (Color::LightCyan, [0, 255, 255]),
    (Color::White, [255, 255, 255]),
];

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| u32::from(a.abs_diff(b)).pow(2))
        .sum()
}

fn nearest_256(red: u8, green: u8, blue: u8) -> u8 {
    (16..=255)
        .min_by_key(|index| distance(xterm(*index), [red, green, blue]))
        .unwrap_or(7)
}

fn nearest_16(red: u8, green: u8, blue: u8) -> Color {
    ANSI.iter()
        .min_by_key(|(_, rgb)| distance(*rgb, [red, green, blue]))
        .map_or(Color::Reset, |(colour, _)| *colour)
}

#[cfg(test)]
mod tests;
