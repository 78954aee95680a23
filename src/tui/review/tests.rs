//! Claims about going through a change.

use ratatui::{buffer::Buffer, layout::Rect};

use super::super::theme::Theme;
use super::*;
use crate::protocol::{AllowedPart, ChangeKind, Hunk, Instead, Line, LineKind, Passage};

fn line(kind: LineKind, text: impl Into<String>) -> Line {
    Line {
        kind,
        text: text.into(),
    }
}

/// Makes a change of hunks that each replace one line of a hundred.
fn change(hunks: usize) -> FileChange {
    let hunks: Vec<Hunk> = (0..hunks)
        .map(|number| Hunk {
            old_start: number * 100 + 1,
            old_lines: 3,
            new_start: number * 100 + 1,
            new_lines: 3,
            lines: vec![
                line(LineKind::Context, "fn before() {}"),
                line(LineKind::Removed, format!("let number = {number};")),
                line(LineKind::Added, format!("let number = {number} + 1;")),
                line(LineKind::Context, "fn after() {}"),
            ],
        })
        .collect();
    FileChange {
        path: "src/a.rs".to_owned(),
        kind: ChangeKind::Modify,
        base: None,
        after: None,
        added: hunks.len(),
        removed: hunks.len(),
        hunks,
        notes: Vec::new(),
        others: Vec::new(),
        from: None,
        modes: None,
    }
}

/// Makes a change that creates a file of so many lines.
fn created(lines: usize) -> FileChange {
    FileChange {
        kind: ChangeKind::Create,
        hunks: vec![Hunk {
            old_start: 0,
            old_lines: 0,
            new_start: 1,
            new_lines: lines,
            lines: (0..lines)
                .map(|number| line(LineKind::Added, format!("let line = {number};")))
                .collect(),
        }],
        added: lines,
        removed: 0,
        ..change(0)
    }
}

struct Desk {
    review: Review,
    change: FileChange,
    highlighter: Highlighter,
    wide: usize,
    high: usize,
}

impl Desk {
    fn new(change: FileChange, (wide, high): (usize, usize)) -> Self {
        Self {
            review: Review::new(&change, wide),
            change,
            highlighter: Highlighter::default(),
            wide,
            high,
        }
    }

    fn place(&self) -> Place<'_> {
        Place {
            change: &self.change,
            highlighter: &self.highlighter,
            wide: self.wide,
            high: self.high,
        }
    }

    fn key(&mut self, key: Key) -> Done {
        let place = Place {
            change: &self.change,
            highlighter: &self.highlighter,
            wide: self.wide,
            high: self.high,
        };
        self.review.key(key, place)
    }

    fn scroll(&mut self, by: Scroll) {
        let place = Place {
            change: &self.change,
            highlighter: &self.highlighter,
            wide: self.wide,
            high: self.high,
        };
        self.review.scroll(by, place);
    }

    fn shown(&self) -> String {
        let area = Rect::new(0, 0, self.wide as u16, self.high as u16);
        let mut buffer = Buffer::empty(area);
        let theme = Theme::built_in_or_default("mono", crate::tui::Depth::Ansi16);
        self.review.draw(self.place(), &mut buffer, area, &theme);
        (0..area.height)
            .map(|y| {
                let cells = (0..area.width).map(|x| buffer[(x, y)].symbol());
                cells.collect::<String>().trim_end().to_owned() + "\n"
            })
            .collect()
    }
}

fn old(at: usize, lines: usize, old_at: usize, old_lines: usize) -> Passage {
    Passage {
        at,
        lines,
        instead: Instead::Old {
            at: old_at,
            lines: old_lines,
        },
    }
}

#[test]
fn a_hunk_that_is_left_out_is_marked_and_the_next_one_is_gone_to() {
    let mut desk = Desk::new(change(2), (44, 12));
    assert_eq!(desk.key(Key::LeaveOut), Done::Shown);
    let shown = [
        "      ⋮ hunk 1 of 2 · line 1",
        "    1   fn before() {}",
        " ✗  2 - let number = 0;",
        " ✗  2 + let number = 0 + 1;",
        "    3   fn after() {}",
        "      ⋮ hunk 2 of 2 · line 101",
        "  101   fn before() {}",
        "▸ 102 - let number = 1;",
        "  102 + let number = 1 + 1;",
        "  103   fn after() {}",
    ];
    assert_eq!(desk.shown().trim_end(), shown.join("\n"));
    let part = AllowedPart {
        passages: vec![old(1, 1, 1, 1)],
    };
    assert_eq!(
        desk.review.decision(&desk.change),
        Decision::AllowPart { part }
    );
    assert_eq!(desk.review.summary(&desk.change), "1 of 2 hunks left out");
    desk.key(Key::LeaveOut);
    assert!(matches!(
        desk.review.decision(&desk.change),
        Decision::Deny { reason: Some(_) }
    ));
}

#[test]
fn a_low_pane_shows_what_comes_rather_than_what_stays() {
    // The cursor stands at the line that goes; there is room for one line more.
    let mut desk = Desk::new(change(1), (40, 2));
    let shown = desk.shown();
    assert!(
        shown.contains("- let number = 0;") && shown.contains("+ let number = 0 + 1;"),
        "{shown}"
    );
    // With room for all of it, it begins at its beginning.
    desk.high = 4;
    assert!(
        desk.shown().starts_with("   1   fn before"),
        "{}",
        desk.shown()
    );
}

#[test]
fn chosen_lines_alone_are_left_out() {
    let mut desk = Desk::new(created(5), (44, 12));
    desk.scroll(Scroll::LineDown);
    desk.key(Key::Choose);
    desk.scroll(Scroll::LineDown);
    desk.key(Key::LeaveOut);
    let shown = [
        "   1 + let line = 0;",
        " ✗ 2 + let line = 1;",
        "▸✗ 3 + let line = 2;",
        "   4 + let line = 3;",
        "   5 + let line = 4;",
    ];
    assert_eq!(desk.shown().trim_end(), shown.join("\n"));
    let part = AllowedPart {
        passages: vec![old(1, 2, 0, 0)],
    };
    assert_eq!(
        desk.review.decision(&desk.change),
        Decision::AllowPart { part }
    );
    assert_eq!(desk.review.summary(&desk.change), "1 hunk in part");
}

#[test]
fn an_edited_hunk_is_shown_and_decided_as_it_was_edited() {
    let mut desk = Desk::new(change(2), (44, 12));
    let Done::Edit { hunk: 0, text } = desk.key(Key::Edit) else {
        panic!("it is given to the editor");
    };
    assert_eq!(text, "fn before() {}\nlet number = 0 + 1;\nfn after() {}\n");
    let mine = text.replace("0 + 1", "7").replace("}\nlet", "}\n\nlet");
    desk.review.edited(&desk.change, 0, &mine, desk.wide);
    let shown = [
        "      ⋮ hunk 1 of 2 · line 1",
        "    1   fn before() {}",
        "▸   2 - let number = 0;",
        " ✎  2 +",
        " ✎  3 + let number = 7;",
        "    4   fn after() {}",
        "      ⋮ hunk 2 of 2 · line 102",
        "  102   fn before() {}",
        "  102 - let number = 1;",
        "  103 + let number = 1 + 1;",
        "  104   fn after() {}",
    ];
    assert_eq!(desk.shown().trim_end(), shown.join("\n"));
    let written = ["", "let number = 7;"].map(str::to_owned).to_vec();
    let part = AllowedPart {
        passages: vec![Passage {
            at: 1,
            lines: 1,
            instead: Instead::Written(written),
        }],
    };
    assert_eq!(
        desk.review.decision(&desk.change),
        Decision::AllowPart { part }
    );
    // Another opinion about it begins with what was planned.
    desk.key(Key::LeaveOut);
    assert!(desk.review.is_whole());
}

#[test]
fn side_by_side_shows_both_lines_in_one_row() {
    let mut desk = Desk::new(change(1), (70, 6));
    desk.key(Key::Sides);
    let shown = [
        "   1   fn before() {}              │ 1   fn before() {}",
        "▸  2 - let number = 0;             │ 2 + let number = 0 + 1;",
        "   3   fn after() {}               │ 3   fn after() {}",
    ];
    assert_eq!(desk.shown().trim_end(), shown.join("\n"));
}

#[test]
fn a_hunk_with_lines_that_were_cut_is_not_edited() {
    let mut change = change(1);
    change.hunks[0].lines[2].text = "x".repeat(1_000);
    let mut desk = Desk::new(change, (44, 12));
    assert!(matches!(desk.key(Key::Edit), Done::Refused(_)));
}

#[test]
fn a_frame_of_400_000_lines_lays_out_what_it_shows() {
    for change in [created(400_000), change(100_000)] {
        let mut desk = Desk::new(change, (120, 40));
        desk.shown();
        assert!(desk.review.laid() <= 90, "{}", desk.review.laid());
        let mut before = desk.review.laid();
        let mut moves = |desk: &mut Desk, what: &str| {
            desk.shown();
            let laid = desk.review.laid() - before;
            before = desk.review.laid();
            assert!(laid <= 170, "{what}: {laid}");
        };
        desk.scroll(Scroll::PageDown);
        moves(&mut desk, "a page");
        desk.scroll(Scroll::Bottom);
        moves(&mut desk, "the end");
        desk.key(Key::PreviousHunk);
        moves(&mut desk, "a hunk");
        desk.key(Key::LeaveOut);
        moves(&mut desk, "leaving a hunk out");
        desk.key(Key::Sides);
        moves(&mut desk, "both sides");
    }
}

proptest::proptest! {
    /// Whatever is done at whatever size, the cursor is in sight and nothing panics.
    #[test]
    fn the_cursor_is_in_sight(
        hunks in 0_usize..5,
        wide in 1_usize..170,
        high in 1_usize..20,
        steps in proptest::collection::vec(0_usize..12, 0..30),
    ) {
        let mut change = change(hunks);
        if let Some(hunk) = change.hunks.first_mut() {
            hunk.lines[2].text = "世界 👩\u{200d}💻 \t long ".repeat(9);
        }
        let mut desk = Desk::new(change, (wide, high));
        for step in steps {
            match step {
                0 => desk.scroll(Scroll::LineDown),
                1 => desk.scroll(Scroll::LineUp),
                2 => desk.scroll(Scroll::PageDown),
                3 => desk.scroll(Scroll::PageUp),
                4 => desk.scroll(Scroll::Bottom),
                5 => drop(desk.key(Key::LeaveOut)),
                6 => drop(desk.key(Key::Choose)),
                7 => drop(desk.key(Key::Sides)),
                8 => drop(desk.key(Key::NextHunk)),
                9 => drop(desk.key(Key::PreviousHunk)),
                10 => desk.review.edited(&desk.change, 0, "a\nb\n", desk.wide),
                // The terminal is another size now.
                _ => (desk.wide, desk.high) = (desk.high * 7, desk.wide % 23 + 1),
            }
            let shown = desk.shown();
            if hunks > 0 {
                proptest::prop_assert!(shown.contains('▸'), "{shown}");
            }
        }
    }
}
