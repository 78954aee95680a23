//! What a small model leaves out when it writes a file anew, although nobody asked for it: the prose around the code.
//!
//! Asked for a corrected file, a 1.5B writes its code and drops the notice above it and the explanation, with the
//! examples, below it. Such a change is larger than the request, and where the examples are the check, it checks
//! nothing any more.

/// Words of a request that is about the prose itself: then the model's word counts.
const ABOUT_PROSE: [&str; 7] = [
    "comment",
    "docstring",
    "document",
    "example",
    "header",
    "licen",
    "notice",
];

/// Puts back what stood before the first line of code and after the last, where the new text has nothing of it.
pub(super) fn with_prose(before: &str, after: &str, request: &str) -> String {
    let request = request.to_lowercase();
    if ABOUT_PROSE.iter().any(|word| request.contains(word)) {
        return after.to_owned();
    }
    let lines: Vec<&str> = before.split_inclusive('\n').collect();
    let (head, tail) = (head(&lines), tail(&lines));
    if head >= tail {
        // A file of prose alone.
        return after.to_owned();
    }
    let is_left_out = |part: &[&str]| {
        let first = part.iter().find(|line| !line.trim().is_empty());
        match first {
            Some(first) => !after.lines().any(|line| line.trim() == first.trim()),
            None => false,
        }
    };
    let mut text = String::new();
    let (above, below) = (&lines[..head], &lines[tail..]);
    let begins_blank = after.starts_with(['\n', '\r']);
    if is_left_out(above) || (above.iter().all(|line| line.trim().is_empty()) && !begins_blank) {
        text.extend(above.iter().copied());
    }
    text.push_str(after);
    if is_left_out(below) {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.extend(below.iter().copied());
    }
    text
}

/// Returns how many lines there are before the first of code.
fn head(lines: &[&str]) -> usize {
    let mut at = 0;
    while at < lines.len() {
        match prose_from(&lines[at..]) {
            0 => break,
            taken => at += taken,
        }
    }
    at
}

/// Returns the line after the last of code.
fn tail(lines: &[&str]) -> usize {
    (0..lines.len())
        .rev()
        .find(|&at| {
            let is_code = !lines[at].trim().is_empty() && !is_comment(lines[at]);
            is_code && !is_inside_text(lines, at)
        })
        .map_or(0, |last| last + 1)
}

fn is_comment(line: &str) -> bool {
    line.starts_with('#') && !line.starts_with("#[") && !line.starts_with("#!")
        || line.starts_with("#!/")
        || line.starts_with("//")
}

/// Returns how many lines the prose takes that begins here: a blank line, a comment, a text that stands for itself.
fn prose_from(lines: &[&str]) -> usize {
    let first = lines[0];
    if first.trim().is_empty() || is_comment(first) {
        return 1;
    }
    let Some(quote) = opens(first) else { return 0 };
    if first.trim_end().len() > quote.len() && first.trim_end().ends_with(quote) {
        return 1;
    }
    let closes = |line: &&&str| line.trim_end().ends_with(quote);
    lines[1..]
        .iter()
        .position(|line| closes(&line))
        .map_or(0, |offset| offset + 2)
}

fn opens(line: &str) -> Option<&'static str> {
    ["\"\"\"", "'''"]
        .into_iter()
        .find(|quote| line.starts_with(quote))
}

/// Tells whether a line belongs to a text that stands for itself, at the left edge.
fn is_inside_text(lines: &[&str], at: usize) -> bool {
    let mut line = 0;
    while line <= at {
        match opens(lines[line]) {
            Some(_) => match prose_from(&lines[line..]) {
                0 => return false,
                taken if line + taken > at => return true,
                taken => line += taken,
            },
            None => line += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "# Made by us.\n\ndef f(x):\n    return x - 1\n\n\"\"\"\nAdds one.\n\n    >>> f(1)\n    2\n\"\"\"\n";

    #[test]
    fn prose_around_the_code_that_was_left_out_is_put_back() {
        let after = with_prose(BEFORE, "def f(x):\n    return x + 1\n", "Fix f.");
        assert_eq!(after, BEFORE.replace("x - 1", "x + 1"));
        // A blank first line is part of the file, too.
        let after = with_prose("\nf = 1\n", "f = 2\n", "Make it 2.");
        assert_eq!(after, "\nf = 2\n");
    }

    #[test]
    fn what_was_kept_or_rewritten_by_the_model_stays_as_it_wrote_it() {
        let whole = BEFORE.replace("x - 1", "x + 1");
        assert_eq!(with_prose(BEFORE, &whole, "Fix f."), whole);
        let shorter = whole.replace("Adds one.\n\n", "");
        assert_eq!(with_prose(BEFORE, &shorter, "Fix f."), shorter);
    }

    #[test]
    fn who_asks_for_the_prose_gets_what_the_model_wrote() {
        let bare = "def f(x):\n    return x - 1\n";
        assert_eq!(with_prose(BEFORE, bare, "Remove the comments."), bare);
    }

    #[test]
    fn code_that_was_left_out_is_not_put_back() {
        let before =
            "def f():\n    pass\n\ndef g():\n    \"\"\"A text in the code.\"\"\"\n    return 1\n";
        let after = "def f():\n    pass\n";
        assert_eq!(with_prose(before, after, "Remove g."), after);
        let unclosed = "x = 1\n\"\"\"\nnever closed\n";
        assert_eq!(with_prose(unclosed, "x = 2\n", "Make it 2."), "x = 2\n");
        assert_eq!(
            with_prose("# only words\n", "# others\n", "Say it."),
            "# others\n"
        );
    }
}
