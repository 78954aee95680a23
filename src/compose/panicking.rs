//! What is said when walden itself fails: a panic's message may hold text of others, which must not act on the terminal.

use std::io::Write as _;

use crate::protocol::sanitize;
use crate::tui;

/// Makes panics speak harmlessly. The screen, where there is one, is left before by a hook of its own,
/// or stays, where it is another thread that draws on it.
pub fn tame_panics() {
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("?");
        let mut text = told(name, &info.to_string());
        let trace = std::backtrace::Backtrace::capture();
        if trace.status() == std::backtrace::BacktraceStatus::Captured {
            text.push_str(&sanitize(&trace.to_string()));
        }
        if let Some(text) = tui::say_after(text) {
            // Somebody who closed stderr does not wait for it.
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }));
}

fn told(thread: &str, message: &str) -> String {
    format!(
        "walden failed in its thread `{}`, which is a mistake in walden:\n{}\n",
        sanitize(thread),
        sanitize(message)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_says_what_happened_without_what_acts_on_the_terminal() {
        // A slice that is cut inside a character is told with the text that it is of.
        let hostile = "\x1b]52;c;ZXZpbA==\x07é".to_owned();
        let message = std::panic::catch_unwind(|| hostile[..hostile.len() - 1].len());
        let message = message.expect_err("it panics");
        let message = message.downcast_ref::<String>().expect("a text");
        assert!(message.contains('\x1b'), "{message:?}");
        let told = told("main", message);
        assert!(!told.contains(['\x1b', '\x07']), "{told:?}");
        assert!(told.contains("not a char boundary"), "{told:?}");
    }
}
