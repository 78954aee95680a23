//! What a terminal acts on: pieces of it, to try a door with, and how to find it in a text. Written apart from
//! [`sanitize`](super::sanitize), which is tried with it.

/// What terminals act on, whole and cut short: colours, titles, the clipboard, links, reports, other screens, 8-bit forms,
/// and letters that cannot be seen.
pub(crate) const PIECES: &[&str] = &[
    "\x1b[31m",
    "\x1b]0;title\x07",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b]8;;http://evil/\x1b\\",
    "\x1bP$q\"p\x1b\\",
    "\x1b[c",
    "\x1b[6n",
    "\x1b[?1049l",
    "\x1bc",
    "\x1b[2J",
    "\x1b[",
    "\x1b",
    "\x1b]",
    "\u{9b}31m",
    "\u{9d}0;x\u{9c}",
    "\u{90}",
    "\r",
    "\n",
    "\t",
    "\x07",
    "\x08\x08\x08",
    "\x0e",
    "\x7f",
    "\0",
    "\u{202e}gnp",
    "\u{2066}",
    "\u{200b}",
    "\u{e0041}",
    "\u{feff}",
    "a",
    "`",
    "```",
    "[x](",
    ")",
    "# ",
    "| a | b |\n|---|---|\n",
    "<a href=\"x\">",
    "世界",
    "👩\u{200d}💻",
    "\u{200d}",
    "\u{fe0f}",
    "\u{1d173}",
    "\u{85}",
    "\u{1b}\\",
    "e\u{301}",
    "\u{301}",
    "y",
    "n",
];

/// Finds what of a text would act on a terminal, or could not be seen. Written apart from what is tested with it.
pub(crate) fn acting(text: &str) -> Option<String> {
    let characters: Vec<char> = text.chars().collect();
    let neighbour = |at: Option<usize>| at.and_then(|at| characters.get(at)).copied();
    let found = characters.iter().enumerate().find(|(at, c)| match **c {
        '\n' | '\t' => false,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{feff}' => true,
        '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}' => true,
        '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{fe00}'..='\u{fe0e}' | '\u{e0000}'..='\u{e0fff}' | '\u{1d173}'..='\u{1d17a}' => true,
        // It hides between letters that need no joining.
        '\u{200d}' => [at.checked_sub(1), Some(at + 1)]
            .iter()
            .any(|at| neighbour(*at).is_some_and(|next| next.is_ascii())),
        _ => false,
    });
    found.map(|(at, c)| format!("U+{:04X} at {at} of {text:?}", u32::from(*c)))
}
