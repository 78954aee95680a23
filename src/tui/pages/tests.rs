use std::time::Duration;

use super::context::{Parts, parts};
use super::*;
use crate::protocol::{Item, ServerReport, Usage};
use crate::tui::Depth;

#[test]
fn the_parts_of_the_context_add_up_to_what_was_counted() {
    let mut transcript = Transcript::default();
    transcript.items.extend([
        Item::User {
            turn: 1,
            text: "a".repeat(3_600),
        },
        Item::Assistant {
            text: "b".repeat(360),
        },
    ]);
    assert_eq!(
        parts(&transcript, 2_000),
        Parts {
            fixed: 900,
            messages: 1_000,
            answers: 100,
            ..Parts::default()
        }
    );
    let Parts {
        fixed,
        messages,
        answers,
        ..
    } = parts(&transcript, 550);
    assert_eq!((fixed, messages, answers), (0, 500, 50));
}

#[test]
fn a_cost_is_told_at_the_speed_of_this_machine() {
    let measured = Usage {
        prompt: 1_000,
        cached: 500,
        prompt_ms: 5_000,
        ..Usage::default()
    };
    let cost = Cost::of(3_600, &measured);
    assert_eq!(cost.tokens, 1_000);
    assert_eq!(cost.time, Some(Duration::from_secs(10)));
    assert_eq!(cost.told(), "about 1,000 tokens · 10 s to read");
    assert_eq!(
        Cost::of(3_700, &Usage::default()).told(),
        "about 1,000 tokens to read"
    );
}

fn drawn(page: &Page, transcript: &Transcript, area: Rect) -> Vec<String> {
    let theme = Theme::built_in_or_default("mono", Depth::Ansi16);
    let mut buffer = Buffer::empty(area);
    page.draw(transcript, &mut buffer, area, &theme);
    let line = |y| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect();
    (0..area.height).map(line).collect()
}

#[test]
fn in_a_narrow_terminal_the_chosen_row_is_whole_and_so_are_the_keys() {
    let mut transcript = Transcript::default();
    transcript.reports.push(ServerReport {
        name: "tracker".to_owned(),
        title: "Tracker".to_owned(),
        era: "2026-07-28".to_owned(),
        sandbox: vec![
            "no network; a folder of its own; reads the repository and the system, and nothing that is yours".to_owned(),
        ],
        ..ServerReport::default()
    });
    let mut page = Page::new(Subject::Servers);
    page.open = Some("tracker".to_owned());
    let area = Rect::new(0, 0, 60, 15);
    let before = drawn(&page, &transcript, area).join("\n");
    assert!(!before.contains("nothing that is"), "{before}");
    for key in [
        "more or less",
        "leave out or take in",
        "start again",
        "forget",
    ] {
        assert!(before.contains(key), "{key} in {before}");
    }
    page.scroll(Scroll::Bottom, &transcript, area);
    let after = drawn(&page, &transcript, area).join("\n");
    for words in ["▸   may        no network", "nothing that is yours"] {
        assert!(after.contains(words), "{words} in {after}");
    }
}
