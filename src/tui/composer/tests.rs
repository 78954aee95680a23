use super::*;

fn typed(text: &str) -> Composer {
    let mut composer = Composer::default();
    for c in text.chars() {
        composer.insert(c);
    }
    composer
}

/// Shows the text with `|` at the cursor.
fn shown(composer: &Composer) -> String {
    let mut text = composer.text.clone();
    text.insert(composer.cursor, '|');
    text
}

fn check(text: &str, edits: &[Edit], expected: &str) {
    let mut composer = typed(text);
    for edit in edits {
        composer.edit(*edit, 20);
    }
    assert_eq!(shown(&composer), expected, "{text:?} {edits:?}");
}

#[test]
fn keys_move_and_delete_by_grapheme_word_and_line() {
    use Edit::*;
    check("ab", &[Left], "a|b");
    check("a👩\u{200d}💻", &[Backspace], "a|");
    check("a👩\u{200d}💻b", &[Left, Left], "a|👩\u{200d}💻b");
    check("one two", &[WordLeft], "one |two");
    check("one two", &[WordLeft, WordLeft, WordRight], "one| two");
    check("one two", &[KillWord], "one |");
    check("one two  ", &[KillWord], "one |");
    check("a\nbc", &[Home], "a\n|bc");
    check("a\nbc", &[KillLine], "a\n|");
    check("a\nbc", &[KillLine, KillLine], "a|");
    check("ab\nc", &[Up, KillToEnd], "a|\nc");
    check("ab\nc", &[Up, End, KillToEnd], "ab|c");
    check("ab", &[Newline], "ab\n|");
    check("ab", &[Home, Delete], "|b");
    check(
        "",
        &[Backspace, Delete, KillWord, WordLeft, WordRight, Up, Down],
        "|",
    );
}

#[test]
fn what_was_undone_is_done_again_until_something_else_is_written() {
    use Edit::*;
    check("one two", &[KillWord, Undo], "one two|");
    check("one two", &[KillWord, Undo, Redo], "one |");
    check("one two", &[KillWord, Undo, Home, Delete, Redo], "|ne two");
}

#[test]
fn up_and_down_follow_the_wrapped_rows_and_keep_their_column() {
    use Edit::*;
    // Wrapped at 20: `the first line is ` and `wrapped`.
    check(
        "the first line is wrapped",
        &[Up],
        "the fir|st line is wrapped",
    );
    check(
        "long line\nx\nlong line",
        &[Up, Up],
        "long line|\nx\nlong line",
    );
}

#[test]
fn undo_takes_back_a_word_at_a_time() {
    let mut composer = typed("one two");
    composer.edit(Edit::Undo, 20);
    assert_eq!(shown(&composer), "one |");
    composer.edit(Edit::KillLine, 20);
    composer.edit(Edit::Undo, 20);
    assert_eq!(shown(&composer), "one |");
}

#[test]
fn a_long_paste_becomes_a_marker_that_is_sent_in_full() {
    let long = "line\n".repeat(123);
    let mut composer = typed("look: ");
    composer.paste(&long);
    assert_eq!(composer.text(), "look: [pasted 123 lines]");
    composer.paste(&long);
    assert_eq!(
        composer.text(),
        "look: [pasted 123 lines][pasted 123 lines, 2]"
    );
    composer.edit(Edit::Backspace, 80);
    assert_eq!(composer.text(), "look: [pasted 123 lines]");
    assert_eq!(composer.take(), format!("look: {long}"));
    assert!(composer.is_empty());
}

#[test]
fn a_short_paste_is_text_with_its_line_breaks() {
    let mut composer = Composer::default();
    composer.paste("a\r\nb\rc");
    assert_eq!(composer.text(), "a\nb\nc");
}

#[test]
fn up_on_the_first_row_goes_to_earlier_messages_and_down_comes_back_to_the_draft() {
    let mut composer = Composer::new(vec!["first".to_owned(), "second".to_owned()]);
    composer.paste("draft");
    for (edit, expected) in [
        (Edit::Up, "second"),
        (Edit::Up, "first"),
        (Edit::Up, "first"),
        (Edit::Down, "second"),
        (Edit::Down, "draft"),
        (Edit::Down, "draft"),
    ] {
        composer.edit(edit, 80);
        assert_eq!(composer.text(), expected);
    }
}

#[test]
fn rows_cover_the_text_at_any_width() {
    let composer = typed("a 世界 wide word\n\nlonger than the others 👩\u{200d}💻");
    for limit in 1..40 {
        let rows = composer.rows(limit);
        let (row, column) = composer.position(limit);
        assert_eq!(row, rows.len() - 1);
        assert!(column <= limit.max(2), "{limit}: {column}");
        for pair in rows.windows(2) {
            assert!(pair[1].start == pair[0].end || pair[1].start == pair[0].end + 1);
        }
    }
}
