//! Copying through the terminal (OSC 52), which works over SSH and needs no display.

use crate::protocol::sanitize;

/// Terminals drop what is longer than about this.
const LONGEST: usize = 100_000;

/// What stands between the program and the terminal that has the clipboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    Nothing,
    Tmux,
    /// GNU screen.
    Screen,
}

impl Between {
    /// Tells it from the environment: whether `TMUX` and `STY` are set, and what `TERM` is.
    pub(super) fn from_environment(tmux: bool, sty: bool, term: Option<&str>) -> Self {
        match (tmux, sty) {
            (true, _) => Self::Tmux,
            (false, true) => Self::Screen,
            // Over SSH from within screen only the terminal's name tells, and `screen-256color` is tmux's as well.
            (false, false) if term.is_some_and(|term| term.starts_with("screen.")) => Self::Screen,
            (false, false) => Self::Nothing,
        }
    }
}

/// What screen hands on in one piece: it drops what is longer than its own buffer.
const SCREEN_PIECE: usize = 240;

/// Returns the bytes that put a text into the clipboard, or `None` where it is too long for a terminal.
///
/// What is copied is pasted somewhere, often into a shell: nothing of it acts, and nothing is hidden in it.
///
/// tmux takes the sequence itself or hands it on, depending on its options: it gets both forms. screen knows nothing of
/// it, and hands it on in pieces.
pub(super) fn sequence(text: &str, between: Between) -> Option<Vec<u8>> {
    let encoded = base64(sanitize(text).as_bytes());
    if encoded.len() > LONGEST {
        return None;
    }
    let plain = format!("\x1b]52;c;{encoded}\x07");
    Some(match between {
        Between::Nothing => plain.into_bytes(),
        Between::Tmux => {
            let doubled = plain.replace('\x1b', "\x1b\x1b");
            format!("{plain}\x1bPtmux;{doubled}\x1b\\").into_bytes()
        }
        Between::Screen => plain
            .as_bytes()
            .chunks(SCREEN_PIECE)
            .flat_map(|piece| [b"\x1bP", piece, b"\x1b\\"].concat())
            .collect(),
    })
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let [a, b, c] = group.map(u32::from);
        let bits = a << 16 | b << 8 | c;
        for at in 0..4 {
            if at <= chunk.len() {
                let digit = bits >> (18 - 6 * at) & 63;
                out.push(char::from(DIGITS[digit as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_with_its_padding() {
        for (text, expected) in [
            ("", ""),
            ("M", "TQ=="),
            ("Ma", "TWE="),
            ("Man", "TWFu"),
            ("é\n", "w6kK"),
        ] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_pasted_acts(bytes in crate::protocol::hostile::bytes()) {
            let text = String::from_utf8_lossy(&bytes);
            crate::protocol::hostile::fed(text.len());
            let sent = sequence(&text, Between::Nothing).expect("short");
            let sent = String::from_utf8(sent).expect("ASCII");
            let payload = sent.strip_prefix("\x1b]52;c;").and_then(|rest| rest.strip_suffix('\x07'));
            let payload = payload.expect("one sequence");
            proptest::prop_assert_eq!(crate::protocol::hostile::acting(payload), None);
            // Read back by the other side of the alphabet.
            let digits = |c: char| "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".find(c);
            let bits: Vec<usize> = payload.chars().map_while(digits).collect();
            let mut pasted = Vec::new();
            for group in bits.chunks(4) {
                let whole = group.iter().fold(0, |sum, digit| sum << 6 | digit) << (6 * (4 - group.len()));
                let bytes = [(whole >> 16) as u8, (whole >> 8) as u8, whole as u8];
                pasted.extend_from_slice(&bytes[..group.len() - 1]);
            }
            let pasted = String::from_utf8(pasted).expect("text");
            proptest::prop_assert_eq!(crate::protocol::hostile::acting(&pasted), None);
            proptest::prop_assert_eq!(pasted, sanitize(&text));
        }
    }

    #[test]
    fn tmux_gets_the_sequence_in_both_forms() {
        assert_eq!(
            sequence("M", Between::Nothing).as_deref(),
            Some(&b"\x1b]52;c;TQ==\x07"[..])
        );
        assert_eq!(
            sequence("M", Between::Tmux).as_deref(),
            Some(&b"\x1b]52;c;TQ==\x07\x1bPtmux;\x1b\x1b]52;c;TQ==\x07\x1b\\"[..])
        );
        assert_eq!(sequence(&"x".repeat(90_000), Between::Nothing), None);
    }

    #[test]
    fn screen_gets_it_in_pieces_that_add_up() {
        let text = "a line of an answer\n".repeat(100);
        let plain = sequence(&text, Between::Nothing).expect("short");
        let pieces = sequence(&text, Between::Screen).expect("short");
        let pieces = String::from_utf8(pieces).expect("ASCII");
        let mut joined = String::new();
        for piece in pieces.split_terminator("\x1b\\") {
            let inner = piece.strip_prefix("\x1bP").expect("wrapped");
            assert!(inner.len() <= SCREEN_PIECE);
            joined.push_str(inner);
        }
        assert_eq!(joined.as_bytes(), plain);
    }

    #[test]
    fn what_stands_between_is_told_from_the_environment() {
        for (tmux, sty, term, expected) in [
            (true, true, Some("screen"), Between::Tmux),
            (false, true, Some("xterm"), Between::Screen),
            (false, false, Some("screen.xterm-256color"), Between::Screen),
            (false, false, Some("screen-256color"), Between::Nothing),
            (false, false, None, Between::Nothing),
        ] {
            assert_eq!(Between::from_environment(tmux, sty, term), expected);
        }
    }
}
