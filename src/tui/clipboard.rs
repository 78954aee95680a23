//! Copying through the terminal (OSC 52), which works over SSH and needs no display.

/// Terminals drop what is longer than about this.
const LONGEST: usize = 100_000;

/// Returns the bytes that put a text into the clipboard, or `None` where it is too long for a terminal.
///
/// tmux takes the sequence itself or hands it on, depending on its options: it gets both forms.
pub(super) fn sequence(text: &str, tmux: bool) -> Option<Vec<u8>> {
    let encoded = base64(text.as_bytes());
    if encoded.len() > LONGEST {
        return None;
    }
    let plain = format!("\x1b]52;c;{encoded}\x07");
    Some(if tmux {
        let doubled = plain.replace('\x1b', "\x1b\x1b");
        format!("{plain}\x1bPtmux;{doubled}\x1b\\").into_bytes()
    } else {
        plain.into_bytes()
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

    #[test]
    fn tmux_gets_the_sequence_in_both_forms() {
        assert_eq!(
            sequence("M", false).as_deref(),
            Some(&b"\x1b]52;c;TQ==\x07"[..])
        );
        assert_eq!(
            sequence("M", true).as_deref(),
            Some(&b"\x1b]52;c;TQ==\x07\x1bPtmux;\x1b\x1b]52;c;TQ==\x07\x1b\\"[..])
        );
        assert_eq!(sequence(&"x".repeat(90_000), false), None);
    }
}
