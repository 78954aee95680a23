//! Everything that a run without a terminal prints, fed with texts that mean harm.

use proptest::prelude::*;

use super::*;
use crate::protocol::hostile;

/// Returns what is printed of everything that can happen, as it goes to standard output and to standard error.
fn printed(text: &str, format: Format, in_form: bool) -> [String; 2] {
    let (mut out, mut log) = (Vec::new(), Vec::new());
    let mut transcript = Transcript::default();
    let mut printer = Printer::new(format, &mut out, &mut log, in_form);
    for event in hostile::events(text) {
        transcript.apply(&event);
        printer
            .print(&event, &transcript)
            .expect("a vector takes all");
        hostile::fed(text.len());
    }
    drop(printer);
    [out, log].map(|bytes| String::from_utf8(bytes).expect("text"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_printed_acts_on_the_terminal(bytes in hostile::bytes()) {
        let text = String::from_utf8_lossy(&bytes);
        for (format, in_form) in [(Format::Text, false), (Format::Text, true), (Format::Json, false)] {
            for shown in printed(&text, format, in_form) {
                prop_assert_eq!(hostile::acting(&shown), None);
            }
        }
    }

    #[test]
    fn events_as_json_are_read_back_as_they_were(bytes in hostile::bytes()) {
        let text = String::from_utf8_lossy(&bytes);
        let [out, _] = printed(&text, Format::Json, false);
        let read: Vec<Event> = out
            .lines()
            .map(|line| serde_json::from_str(line).expect("an event"))
            .collect();
        prop_assert_eq!(read, hostile::events(&text));
    }
}
