use std::time::Duration;

use super::context::{Parts, parts};
use super::*;
use crate::protocol::{Item, Usage};

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
