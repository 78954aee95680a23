//! What foreign text must pass before it reaches a terminal, and how it is cut.

/// Makes a foreign text harmless to a terminal and its reader, keeping line breaks and tabs.
///
/// Control characters (C0, DEL, C1), bidirectional overrides, zero-width and tag characters are shown as `⟨U+XXXX⟩`
/// instead of being sent: they could move the cursor, write the clipboard or hide what is there (CVE-2021-42574,
/// Unicode TR 36). Carriage returns before a line break are dropped. Clean text comes back as it is.
pub fn sanitize(text: &str) -> String {
    sanitize_after(None, text)
}

/// Makes the next piece of a text harmless, of which this is the character before.
pub fn sanitize_after(mut before: Option<char>, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if chars.peek() == Some(&'\n') => {}
            c if is_hidden(c) || is_out_of_place(c, before, chars.peek().copied()) => {
                use std::fmt::Write as _;
                let _ = write!(out, "⟨U+{:04X}⟩", u32::from(c));
            }
            c => out.push(c),
        }
        before = Some(c);
    }
    out
}

/// Joins emoji, and letters of some scripts.
const JOINER: char = '\u{200D}';
/// Picks the picture form of the character before it.
const PICTURE: char = '\u{FE0F}';

/// Tells whether a joiner stands where it joins nothing: between Latin letters it only hides that they are not one word,
/// and at an end it makes a second name that looks like the first. Whoever has a text in pieces keeps a joiner at an end
/// for the next piece.
fn is_out_of_place(c: char, before: Option<char>, after: Option<char>) -> bool {
    let joins = |c: char| !c.is_ascii() && !is_hidden(c) && c != JOINER;
    match c {
        JOINER => {
            !(before.is_some_and(joins)
                && after.is_some_and(|after| joins(after) && after != PICTURE))
        }
        PICTURE => !before.is_some_and(|before| {
            (joins(before) && before != PICTURE)
                || before.is_ascii_digit()
                || matches!(before, '#' | '*')
        }),
        _ => false,
    }
}

/// Makes a foreign text harmless as [`sanitize`] does, and puts it on one line.
pub fn sanitize_line(text: &str) -> String {
    sanitize(text).replace(['\n', '\t'], " ")
}

/// Tells whether a character acts on the terminal or cannot be seen.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{180B}'..='\u{180F}'
            // Letters and blanks that are drawn as nothing.
            | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{2800}' | '\u{3164}' | '\u{FFA0}'
            | '\u{FE00}'..='\u{FE0E}' | '\u{FFFE}' | '\u{FFFF}'
            // U+200D joins emoji, and U+FE0F picks their picture form: in their place both are part of ordinary text.
            | '\u{200B}' | '\u{200C}' | '\u{200E}' | '\u{200F}'
            | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{FDD0}'..='\u{FDEF}' | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFB}'
            // What lays out hieroglyphs, shorthand and music.
            | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}')
}

/// Tells whether a name has letters of another script that look like Latin ones among Latin letters: `pаypal` with a
/// Cyrillic `а` is not what it seems to be.
pub fn looks_like_another(name: &str) -> bool {
    let is_twin = |c: char| {
        matches!(
            c,
            // Greek and Cyrillic letters with a Latin twin, and the full-width forms.
            'Α' | 'Β'
                | 'Ε'
                | 'Ζ'
                | 'Η'
                | 'Ι'
                | 'Κ'
                | 'Μ'
                | 'Ν'
                | 'Ο'
                | 'Ρ'
                | 'Τ'
                | 'Υ'
                | 'Χ'
                | 'ο'
                | 'ν'
                | 'ι'
                | 'А'
                | 'В'
                | 'Е'
                | 'К'
                | 'М'
                | 'Н'
                | 'О'
                | 'Р'
                | 'С'
                | 'Т'
                | 'Х'
                | 'а'
                | 'е'
                | 'о'
                | 'р'
                | 'с'
                | 'у'
                | 'х'
                | 'ѕ'
                | 'і'
                | 'ј'
                | 'ԁ'
                | 'ɡ'
                | 'һ'
                | 'ԛ'
                | 'ԝ'
                | 'ı'
                | '\u{FF01}'..='\u{FF5E}'
        )
    };
    name.chars().any(is_twin) && name.chars().any(|c| c.is_ascii_alphabetic())
}

/// Cuts a text to at most `limit` bytes on a character boundary, and says how much is missing.
pub fn clip(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!(
        "{}\n[{} more bytes were left out]",
        &text[..end],
        text.len() - end
    )
}

/// Writes a number with a comma before every three digits: `1,234,567`.
pub fn thousands(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_hidden_characters_become_visible() {
        assert_eq!(sanitize("a\x1b[31mb\u{9b}c"), "a⟨U+001B⟩[31mb⟨U+009B⟩c");
        assert_eq!(sanitize("x\u{202E}y\u{E0041}z"), "x⟨U+202E⟩y⟨U+E0041⟩z");
        assert_eq!(sanitize("one\r\ntwo\rthree"), "one\ntwo⟨U+000D⟩three");
    }

    #[test]
    fn what_cannot_be_seen_is_made_visible() {
        for c in [
            '\u{3164}',
            '\u{2800}',
            '\u{FE01}',
            '\u{E0FFF}',
            '\u{034F}',
            '\u{115F}',
        ] {
            let text = sanitize(&format!("a{c}b"));
            assert_eq!(text, format!("a⟨U+{:04X}⟩b", u32::from(c)));
        }
    }

    #[test]
    fn what_joins_is_shown_where_it_joins_nothing() {
        let check = |text: &str, shown: &str| assert_eq!(sanitize(text), shown);
        check("pay\u{200D}pal", "pay⟨U+200D⟩pal");
        check("\u{200D}", "⟨U+200D⟩");
        // The name of a tool, and another that looks like it.
        check("世界\u{200D}", "世界⟨U+200D⟩");
        check("\u{200D}\u{301}", "⟨U+200D⟩\u{301}");
        check("\u{FE0F}世界", "⟨U+FE0F⟩世界");
        check("\u{200D}💻", "⟨U+200D⟩💻");
        check("a\u{FE0F}", "a⟨U+FE0F⟩");
        check("❤\u{FE0F}\u{FE0F}", "❤\u{FE0F}⟨U+FE0F⟩");
        check("👩\u{200D}\u{200D}💻", "👩⟨U+200D⟩⟨U+200D⟩💻");
        for ordinary in [
            "👩\u{200D}💻",
            "❤\u{FE0F}\u{200D}🔥",
            "1\u{FE0F}\u{20E3}",
            "क्\u{200D}ष",
        ] {
            check(ordinary, ordinary);
        }
    }

    #[test]
    fn a_name_with_letters_that_look_like_others_is_told() {
        assert!(looks_like_another("p\u{430}ypal"));
        assert!(looks_like_another("files\u{443}stem"));
        for name in ["filesystem", "файлы", "αβγ", "naïve", "世界"] {
            assert!(!looks_like_another(name), "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_acts_on_a_terminal_comes_through_and_once_is_enough(bytes in crate::protocol::hostile::bytes()) {
            let text = String::from_utf8_lossy(&bytes);
            let shown = sanitize(&text);
            proptest::prop_assert_eq!(crate::protocol::hostile::acting(&shown), None);
            proptest::prop_assert_eq!(sanitize(&shown), shown.as_str());
            proptest::prop_assert!(!sanitize_line(&text).contains('\n'));
        }
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        let text = "fn main() {\n\tprintln!(\"héllo 世界 👩\u{200D}💻 ❤\u{FE0F}\");\n}";
        assert_eq!(sanitize(text), text);
    }

    #[test]
    fn a_text_is_cut_on_a_character_boundary() {
        assert_eq!(clip("aé", 2), "a\n[2 more bytes were left out]");
        assert_eq!(clip("aé", 3), "aé");
    }

    #[test]
    fn thousands_are_parted() {
        assert_eq!(thousands(0_u32), "0");
        assert_eq!(thousands(999_u32), "999");
        assert_eq!(thousands(1_234_567_u64), "1,234,567");
    }
}
