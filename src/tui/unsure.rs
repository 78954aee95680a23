//! Text whose width or place terminals disagree about: joined emoji, flags, marks on letters, right-to-left letters.
//!
//! Unicode says how wide a cluster is, and each terminal does as its tables are old: a family of emoji is two columns
//! here and eight there, and some terminals draw right-to-left letters where they think they belong. So a row that
//! holds such text is drawn whole, each such cluster on blanked cells and the cursor placed anew after it: what a
//! terminal draws too wide is drawn over, and what it draws too narrow leaves blanks. The letters stand in the order
//! of the text, as in the file; a terminal that would reorder a row is told not to when the screen is entered.

use ratatui::buffer::{Buffer, Cell};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The characters of a cluster that are drawn: a family with its skin tones, but no tower of marks.
const LONGEST: usize = 12;

/// Tells whether terminals may disagree about a cell.
pub(super) fn is_unsure(symbol: &str) -> bool {
    if symbol.is_ascii() {
        return false;
    }
    let mut characters = symbol.chars();
    characters.next().is_some_and(is_unsure_alone) || characters.next().is_some()
}

/// Right-to-left scripts, and the emoji: their tables grow each year.
fn is_unsure_alone(c: char) -> bool {
    matches!(u32::from(c),
        0x0590..=0x08FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFF | 0x10800..=0x10FFF | 0x1E800..=0x1EFFF
        | 0x1F000..=0x1FAFF)
}

/// Tells whether a row holds such a cell.
pub(super) fn holds(row: &[Cell]) -> bool {
    row.iter().any(|cell| is_unsure(cell.symbol()))
}

/// Returns a buffer's rows.
pub(super) fn rows(buffer: &Buffer) -> impl Iterator<Item = &[Cell]> {
    buffer.content.chunks(usize::from(buffer.area.width).max(1))
}

/// Returns what of a cluster is drawn where `room` columns are left in the row: where even the widest reading of it
/// might run over the edge, and so into the next row, its first character.
pub(super) fn drawn(symbol: &str, room: usize) -> &str {
    let end = |count: usize| {
        symbol
            .char_indices()
            .nth(count)
            .map_or(symbol.len(), |(at, _)| at)
    };
    let kept = &symbol[..end(LONGEST)];
    if widest(kept) <= room {
        return kept;
    }
    let first = &symbol[..end(1)];
    if widest(first) <= room { first } else { "" }
}

/// Returns the most columns that a terminal could take a cluster for: each character by itself, and a sign in its
/// picture form twice as wide.
fn widest(symbol: &str) -> usize {
    let alone: usize = symbol
        .chars()
        .map(|c| match c {
            '\u{fe0f}' => 1,
            // Each half of a flag, where flags are unknown, may be a letter in a wide box.
            '\u{1f1e6}'..='\u{1f1ff}' => 2,
            c => c.width().unwrap_or(0),
        })
        .sum();
    alone.max(symbol.width())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_wide_letters_are_sure_and_clusters_are_not() {
        for sure in ["a", "é", "世", "│", "✓", " "] {
            assert!(!is_unsure(sure), "{sure}");
        }
        for unsure in [
            "👩\u{200d}💻",
            "🇩🇪",
            "👍🏽",
            "e\u{301}",
            "ש",
            "م",
            "❤\u{fe0f}",
            "🙂",
        ] {
            assert!(is_unsure(unsure), "{unsure}");
        }
    }

    #[test]
    fn near_the_edge_a_cluster_is_drawn_as_its_first_character() {
        let coder = "👩\u{200d}💻";
        assert_eq!(drawn(coder, 4), coder);
        assert_eq!(drawn(coder, 3), "👩");
        assert_eq!(drawn(coder, 1), "");
        assert_eq!(drawn("🇩🇪", 3), "🇩");
    }

    #[test]
    fn a_tower_of_marks_is_cut() {
        let tower = format!("a{}", "\u{301}".repeat(400));
        assert_eq!(drawn(&tower, 9).chars().count(), LONGEST);
    }
}
