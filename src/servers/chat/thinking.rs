//! Thinking that was left in an answer's text, taken out of it.
//!
//! What a model thinks before its answer comes apart from it already. A model may think again in the middle of a line,
//! or close a block that it never opened; hosts show and store what is left in.

/// The tags that thinking stands between.
const TAGS: [(&str, &str); 4] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
];

/// Returns the answer without its thinking, and the thinking.
///
/// Blocks may stand in each other. One that is not closed goes to the end where it begins a line; within a line, and in
/// a fence of code, a tag is only mentioned. What stands before a closing tag that ends its line and closes nothing was
/// thought from the beginning.
pub(super) fn apart(text: &str) -> (String, String) {
    let (mut answer, mut thoughts) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(tag) = next(rest) {
        answer.push_str(&rest[..tag.at]);
        let after = &rest[tag.at + tag.text().len()..];
        let in_fence = answer.lines().filter(|line| is_fence(line)).count() % 2 == 1;
        let begins_line = answer.trim_end_matches([' ', '\t']).is_empty()
            || answer.trim_end_matches([' ', '\t']).ends_with('\n');
        let block = match tag.closes {
            _ if in_fence => None,
            true => {
                let ends_line = after.trim_start_matches([' ', '\t']);
                if ends_line.is_empty() || ends_line.starts_with(['\n', '\r']) {
                    thoughts.push(std::mem::take(&mut answer));
                    Some(0)
                } else {
                    None
                }
            }
            false => match end_of(after, tag.pair) {
                Some((inside, whole)) => {
                    thoughts.push(after[..inside].to_owned());
                    Some(whole)
                }
                None if begins_line => {
                    thoughts.push(after.to_owned());
                    Some(after.len())
                }
                None => None,
            },
        };
        rest = match block {
            Some(length) => {
                let rest = &after[length..];
                // The blank lines around a block are no part of the answer.
                if answer.is_empty() || answer.ends_with('\n') {
                    rest.trim_start()
                } else {
                    rest
                }
            }
            None => {
                answer.push_str(tag.text());
                after
            }
        };
    }
    answer.push_str(rest);
    let thoughts: Vec<String> = thoughts.iter().map(|thought| plain(thought)).collect();
    let thinking = thoughts
        .iter()
        .filter(|thought| !thought.is_empty())
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("\n\n");
    (answer.trim().to_owned(), thinking)
}

fn is_fence(line: &str) -> bool {
    line.trim_start().starts_with("```")
}

/// A tag in a text.
struct Tag {
    at: usize,
    pair: (&'static str, &'static str),
    closes: bool,
}

impl Tag {
    fn text(&self) -> &'static str {
        match self.closes {
            true => self.pair.1,
            false => self.pair.0,
        }
    }
}

/// Finds the first tag of a text.
fn next(text: &str) -> Option<Tag> {
    let tags = TAGS.into_iter().flat_map(|pair| {
        let found = |closes: bool, tag: &str| text.find(tag).map(|at| Tag { at, pair, closes });
        [found(false, pair.0), found(true, pair.1)]
    });
    tags.flatten().min_by_key(|tag| tag.at)
}

/// Finds the end of a block: where what is in it ends, and where its closing tag does. Where more were opened than
/// closed, the last one that closes is its end.
fn end_of(text: &str, (open, close): (&str, &str)) -> Option<(usize, usize)> {
    let (mut depth, mut at, mut last) = (1, 0, None);
    while let Some(found) = text[at..].find(close) {
        depth += text[at..at + found].matches(open).count();
        depth -= 1;
        last = Some((at + found, at + found + close.len()));
        at += found + close.len();
        if depth == 0 {
            break;
        }
    }
    last
}

/// Leaves the tags of inner blocks out.
fn plain(thought: &str) -> String {
    let mut plain = thought.to_owned();
    for (open, close) in TAGS {
        plain = plain.replace(open, "").replace(close, "");
    }
    plain.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, answer: &str, thinking: &str) {
        assert_eq!(
            apart(text),
            (answer.to_owned(), thinking.to_owned()),
            "{text:?}"
        );
    }

    #[test]
    fn no_thinking_is_left_in_an_answer() {
        check("plain", "plain", "");
        check(
            "<think>a</think>answer <think>b</think>end",
            "answer end",
            "a\n\nb",
        );
        check("<think>\na\n</think>\n\nanswer\n", "answer", "a");
        check(
            "<think>a <think>b</think> c</think>answer",
            "answer",
            "a b c",
        );
        // One was only mentioned: the last tag that closes is the end.
        check("<think>a <think> b</think>answer", "answer", "a  b");
        check("[THINK]a[/THINK]answer", "answer", "a");
        check("<thinking>a</thinking>answer", "answer", "a");
        check("<seed:think>a</seed:think>answer", "answer", "a");
        check("<think>cut off", "", "cut off");
        check("answer\n<think>cut off", "answer", "cut off");
        check("<think></think>answer", "answer", "");
        // The template opened it.
        check("a\nb</think>\n\nanswer", "answer", "a\nb");
        check("a</think>\nanswer <think>b</think>", "answer", "a\n\nb");
    }

    #[test]
    fn a_tag_that_is_only_mentioned_stays() {
        for text in [
            "put it into a <think> tag",
            "it ends with `</think>` here",
            "```html\n<think>x</think>\n```\nso",
            "1 < 2 [TH] </thin",
        ] {
            check(text, text, "");
        }
    }
}
