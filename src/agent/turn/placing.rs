//! Where what was written beside the conversation goes: text alone, no syntax.

/// Puts lines in the place of one line, with its indentation. `line` is counted from 1.
pub(super) fn replace_line(text: &str, line: usize, by: &str) -> Option<String> {
    let old = text.lines().nth(line.checked_sub(1)?)?;
    let indent = &old[..old.len() - old.trim_start().len()];
    let by: Vec<&str> = by.lines().collect();
    let blank = |line: &&&str| line.trim().is_empty();
    let first = by.iter().position(|line| !blank(&line))?;
    let last = by.iter().rposition(|line| !blank(&line))?;
    let by = &by[first..=last];
    // What the model indented less or more, as a whole.
    let common = by
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()?;
    let mut written = String::with_capacity(text.len() + 64);
    for (number, kept) in text.split_inclusive('\n').enumerate() {
        if number + 1 != line {
            written.push_str(kept);
            continue;
        }
        for (number, new) in by.iter().enumerate() {
            if number > 0 {
                written.push('\n');
            }
            if let Some(rest) = new.get(common..).filter(|rest| !rest.trim().is_empty()) {
                written.push_str(indent);
                written.push_str(rest.trim_end());
            }
        }
        written.push_str(&kept[kept.trim_end_matches(['\r', '\n']).len()..]);
    }
    Some(written)
}

/// Finds the one passage of whole lines that tells two texts apart: what stands in the first, once, and what stands there
/// in the second. `None` where that is not less than all of it, or nothing can be quoted.
pub(super) fn passage<'a>(before: &'a str, after: &'a str) -> Option<(&'a str, &'a str)> {
    let common = |a: &mut dyn Iterator<Item = &'a str>, b: &mut dyn Iterator<Item = &'a str>| {
        let same = a.zip(b).take_while(|(a, b)| a == b);
        same.map(|(line, _)| line.len()).sum::<usize>()
    };
    let head = common(
        &mut before.split_inclusive('\n'),
        &mut after.split_inclusive('\n'),
    );
    let (rest, by) = (&before[head..], &after[head..]);
    let lines = |text: &'a str| text.split_inclusive('\n').rev();
    let tail = common(&mut lines(rest), &mut lines(by));
    let mut from = head;
    let mut until = before.len() - tail;
    let until_after = after.len() - tail;
    // A passage is found again by what stands there once: lines are taken in until it does.
    for _ in 0..8 {
        let old = &before[from..until];
        if !old.trim().is_empty() && before.matches(old).count() == 1 {
            let all = old.len() * 4 > before.len() * 3;
            let new_end = until_after + (until - (before.len() - tail));
            return (!all).then(|| (old, &after[from..new_end]));
        }
        let above = before[..from].trim_end_matches('\n').rfind('\n');
        let earlier = above.map_or(0, |at| at + 1);
        if earlier < from {
            from = earlier;
            continue;
        }
        let below = before[until..].find('\n')?;
        until += below + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "def f(x):\n    if x:\n        return x\n    return 0\n";

    #[test]
    fn a_line_is_replaced_at_its_own_indentation() {
        let expected = TEXT.replace("    if x:", "    if x > 1:");
        for by in ["if x > 1:", "        if x > 1:\n", "\n    if x > 1:\n\n"] {
            assert_eq!(
                replace_line(TEXT, 2, by).as_deref(),
                Some(&*expected),
                "{by:?}"
            );
        }
        assert_eq!(
            replace_line(TEXT, 4, "y = 1\nif y:\n    return y").as_deref(),
            Some(
                "def f(x):\n    if x:\n        return x\n    y = 1\n    if y:\n        return y\n"
            )
        );
        assert_eq!(replace_line(TEXT, 9, "x"), None);
        assert_eq!(replace_line(TEXT, 2, "\n"), None);
        assert_eq!(replace_line("a\nb", 2, "c").as_deref(), Some("a\nc"));
    }

    #[test]
    fn two_texts_are_told_apart_by_a_passage_that_stands_there_once() {
        let text = "a\nx\nb\nx\nc\nd\ne\nf\n";
        let changed = "a\nx\nb\ny\nc\nd\ne\nf\n";
        assert_eq!(passage(text, changed), Some(("b\nx\n", "b\ny\n")));
        // Nothing stands where something is added: the line above does.
        let added = "a\nx\nb\nnew\nx\nc\nd\ne\nf\n";
        assert_eq!(passage(text, added), Some(("b\n", "b\nnew\n")));
        assert_eq!(passage("a\nb\n", "c\nd\n"), None);
    }

    proptest::proptest! {
        #[test]
        fn a_passage_makes_the_one_text_of_the_other(before in "[ab\n]{0,40}", after in "[ab\n]{0,40}") {
            if let Some((old, new)) = passage(&before, &after) {
                proptest::prop_assert_eq!(before.matches(old).count(), 1);
                proptest::prop_assert_eq!(before.replacen(old, new, 1), after);
            }
        }
    }
}
