//! Checks that what the themes say can be read: contrast after WCAG 2, on the paper that a theme is made for.

use ratatui::style::{Color, Modifier};

use super::role::Role;
use super::theme::{Depth, Theme, rgb};

/// The least contrast of text that is to be read.
const READABLE: f64 = 4.5;

fn luminance(colour: [u8; 3]) -> f64 {
    let part = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.03928 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * part(colour[0]) + 0.7152 * part(colour[1]) + 0.0722 * part(colour[2])
}

fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// A line is seen, and not read.
fn is_text(role: Role) -> bool {
    !matches!(role, Role::Border)
}

/// Returns the roles that are harder to read than they should be, with their contrast.
fn pale(name: &str, depth: Depth, paper: [u8; 3], ink: [u8; 3]) -> Vec<String> {
    let theme = Theme::load(name, depth, &|_| None).expect(name);
    let shown = |colour: Option<Color>, otherwise| colour.and_then(rgb).unwrap_or(otherwise);
    Role::ALL
        .iter()
        .filter(|role| is_text(**role))
        .filter_map(|role| {
            let style = theme.style(*role);
            let (mut fg, mut bg) = (shown(style.fg, ink), shown(style.bg, paper));
            if style.add_modifier.contains(Modifier::REVERSED) {
                std::mem::swap(&mut fg, &mut bg);
            }
            let contrast = contrast(fg, bg);
            (contrast < READABLE).then(|| format!("{name}: {} has {contrast:.2}", role.name()))
        })
        .collect()
}

#[test]
fn every_text_of_every_theme_can_be_read_on_its_paper() {
    let dark = ([0x10, 0x14, 0x1a], [0xd6, 0xda, 0xe0]);
    let light = ([0xff, 0xff, 0xff], [0x1f, 0x23, 0x28]);
    let black = ([0, 0, 0], [0xff, 0xff, 0xff]);
    let mut found = Vec::new();
    for (name, (paper, ink)) in [
        ("dark", dark),
        ("colour-blind", dark),
        ("light", light),
        ("colour-blind-light", light),
        ("high-contrast", black),
    ] {
        found.extend(pale(name, Depth::True, paper, ink));
        if name != "high-contrast" {
            found.extend(pale(name, Depth::Ansi256, paper, ink));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

/// What a colour looks like to an eye without green cones (Viénot, Brettel and Mollon 1999, on linear light).
fn without_green(colour: [u8; 3]) -> [f64; 3] {
    let [red, green, blue] = colour.map(|part| (f64::from(part) / 255.0).powf(2.2));
    let mixed = 0.292_75 * red + 0.707_25 * green;
    [mixed, mixed, -0.022_34 * red + 0.022_34 * green + blue]
}

#[test]
fn added_and_removed_differ_for_eyes_that_see_no_green() {
    for name in ["colour-blind", "colour-blind-light"] {
        let theme = Theme::load(name, Depth::True, &|_| None).expect(name);
        let seen = |role: Role| {
            let fg = theme.style(role).fg.and_then(rgb).expect("a colour");
            without_green(fg)
        };
        let (added, removed) = (seen(Role::DiffAddedSign), seen(Role::DiffRemovedSign));
        let distance: f64 = added
            .iter()
            .zip(removed)
            .map(|(one, other)| (one - other).powi(2))
            .sum::<f64>()
            .sqrt();
        assert!(distance > 0.25, "{name}: {distance:.2}");
    }
}
