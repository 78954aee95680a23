//! The whole screen, fed with texts that mean harm wherever somebody else's text can stand, and written as it is written
//! to a terminal: nothing comes out but what walden writes itself.

use std::time::Duration;

use proptest::prelude::*;
use ratatui::layout::Rect;

use super::screen::Screen;
use super::{App, Depth, Facts, Msg, Theme, view};
use crate::protocol::Event;
use crate::protocol::hostile::{PIECES, events};

/// Says what in a frame's bytes is not walden's own, if anything is.
fn strange(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes;
    let mut text = Vec::new();
    // The last two sequences, if nothing else came after them.
    let mut last_two = [0, 0];
    while let Some((&first, after)) = rest.split_first() {
        if first != 0x1b {
            // Back to the first column and one to the left: how the cursor is moved.
            // Lines are scrolled by line feeds at the end of a region, which was set just before.
            let scrolls = first == b'\n' && last_two == [b'r', b'H'];
            if scrolls {
                rest = after;
                continue;
            }
            last_two = [0, 0];
            if (first < 0x20 && !matches!(first, b'\r' | 0x08)) || first == 0x7f {
                return Some(format!("the control {first:#x}"));
            }
            text.push(first);
            rest = after;
            continue;
        }
        if let Some(after) = after.strip_prefix(b"M") {
            rest = after;
            continue;
        }
        let Some(sequence) = after.strip_prefix(b"[") else {
            return Some(format!("an escape with {:?}", after.first()));
        };
        let length = sequence
            .iter()
            .take_while(|byte| !(0x40..=0x7e).contains(*byte))
            .count();
        let (parameters, end) = sequence.split_at(length);
        let Some((&last, end)) = end.split_first() else {
            return Some("a sequence without an end".to_owned());
        };
        let is_own = match parameters.strip_prefix(b"?") {
            Some(mode) => matches!(last, b'h' | b'l') && matches!(mode, b"25" | b"2026"),
            None => {
                b"HJKCDABmrSTLMPX@".contains(&last)
                    && parameters
                        .iter()
                        .all(|byte| byte.is_ascii_digit() || *byte == b';')
            }
        };
        if !is_own {
            let parameters = String::from_utf8_lossy(parameters);
            return Some(format!("the sequence {parameters:?}{}", char::from(last)));
        }
        last_two = [last_two[1], last];
        rest = end;
    }
    let text = match String::from_utf8(text) {
        Ok(text) => text,
        Err(error) => return Some(format!("bytes that are no text: {error}")),
    };
    let is_hidden = |c: &char| {
        ('\u{80}'..='\u{9f}').contains(c)
            || matches!(c, '\u{200b}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            || ('\u{e0000}'..='\u{e0fff}').contains(c)
    };
    text.chars()
        .find(is_hidden)
        .map(|c| format!("the hidden {c:?}"))
}

/// An app on a screen.
struct Desk {
    app: App,
    screen: Screen,
    at: Duration,
}

impl Desk {
    fn new(hostile: &str) -> Self {
        let (width, height) = (80, 24);
        let facts = Facts {
            model: hostile.to_owned(),
            root: hostile.to_owned(),
            enforced: hostile.to_owned(),
            still: true,
            prompts: Vec::new(),
        };
        let theme = Theme::built_in_or_default("default", Depth::Ansi16);
        Self {
            app: App::new(facts, theme, vec![hostile.to_owned()], (width, height)),
            screen: Screen::new(width, height),
            at: Duration::from_secs(1),
        }
    }

    /// Takes something in and draws. Returns what is strange about what is written.
    fn takes(&mut self, message: Msg) -> Option<String> {
        self.app.update(message);
        let area = Rect::new(0, 0, 80, 24);
        let app = &self.app;
        let changed = self.screen.frame(|buffer| view::draw(app, buffer, area));
        // The whole of it, too, and not only what changed.
        self.screen.forget();
        let whole = self.screen.frame(|buffer| view::draw(app, buffer, area));
        strange(&changed).or_else(|| strange(&whole))
    }

    fn event(&mut self, event: Event) -> Option<String> {
        let at = self.at;
        self.takes(Msg::Session { event, at })
    }
}

#[test]
fn what_is_looked_for_is_found() {
    for hostile in PIECES
        .iter()
        .filter(|piece| piece.starts_with(['\x1b', '\u{9b}', '\u{202e}']))
    {
        let is_own = ["\x1b[31m", "\x1b[2J", "\x1b["].contains(hostile);
        assert!(
            is_own || strange(hostile.as_bytes()).is_some(),
            "{hostile:?}"
        );
    }
    assert_eq!(
        strange(b"\x1b[?2026h\x1b[1;2H\x1b[31mx\x1b[m\x1b[?2026l"),
        None
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_text_of_anybody_else_reaches_the_terminal_as_a_control(
        pieces in proptest::collection::vec(
            prop_oneof![
                4 => proptest::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
                1 => proptest::collection::vec(any::<u8>(), 0..12),
            ],
            1..12,
        ),
    ) {
        // A colour of the text's own would pass for one of walden's: it is made to be none.
        let text = String::from_utf8_lossy(&pieces.concat()).replace("\x1b[31m", "\x1b[31;31z");
        let mut desk = Desk::new(&text);
        for event in events(&text) {
            let told = format!("{event:?}");
            let found = desk.event(event);
            prop_assert!(found.is_none(), "{:?} after {:?}", found, told);
        }
        let (text, at) = (text.clone(), desk.at);
        let found = desk.takes(Msg::Paste { text, at });
        prop_assert!(found.is_none(), "{:?} after a paste", found);
    }
}
