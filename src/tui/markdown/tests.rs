use super::*;

fn shown(text: &str, limit: usize) -> String {
    render(text, limit, &Highlighter::default(), false)
        .iter()
        .map(|row| row.plain().trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn blocks_are_laid_out_for_a_terminal() {
    insta::assert_snapshot!(shown(
        "# Title\n\nSome *soft* and **hard** `code`, a [link](https://example.org/x) and <https://example.org>.\n\n- one\n- two\n  - three is long enough to be wrapped here\n\n1. first\n2. second\n\n> quoted text\n> goes on\n\n```rust\nfn main() {\n    println!(\"a line that is too long for it\");\n}\n```\n\n| a | b |\n|---|---|\n| 1 | two |\n\n---\nend",
        40
    ), @r#"
    # Title

    Some soft and hard code, a link
    (https://example.org/x) and
    https://example.org.

    • one
    • two
      • three is long enough to be wrapped
        here

    1. first
    2. second

    ▎ quoted text goes on

    │ fn main() {
    │     println!("a line that is too long
    │ for it");
    │ }

    a │ b
    ──┼────
    1 │ two

    ────────────────────────────────────────

    end
    "#);
}

#[test]
fn an_unclosed_fence_is_code_while_it_streams() {
    let rows = render(
        "Here:\n\n```rust\nlet **x** = 1;",
        40,
        &Highlighter::default(),
        true,
    );
    assert_eq!(rows[2].plain(), "│ let **x** = 1;");
}

#[test]
fn the_start_of_a_list_does_not_flash_as_a_heading() {
    let rows = render("a paragraph\n-", 40, &Highlighter::default(), true);
    assert_eq!(rows, [Row::new("a paragraph", Role::Text)]);
}

#[test]
fn a_settled_start_looks_the_same_whatever_comes() {
    let text = "para one\n\npara two\n\n- a\n\n  b\n\n```\nx\n\ny\n```\n\nthe end\n\nmore\n";
    let all = shown(text, 30);
    let mut from = 0;
    for end in 0..=text.len() {
        from = settled(&text[..end], from);
        assert!(
            text[..from].is_empty() || text[..from].ends_with("\n\n"),
            "{end}"
        );
        let (head, tail) = (shown(&text[..from], 30), shown(&text[from..], 30));
        let joined = if head.is_empty() {
            tail
        } else {
            format!("{head}\n\n{tail}")
        };
        assert_eq!(joined, all, "cut at {from}");
    }
    assert!(from > 40);
}

#[test]
fn nothing_is_wider_than_the_pane() {
    let text = "# A title 世界\n\n> > - deep\n> >   1. deeper `code code code`\n\n```\nlong long long line\n```\n\n| head | other |\n|--|--|\n| a b c d e | 世界世界世界 |\n";
    for limit in 1..40 {
        for row in render(text, limit, &Highlighter::default(), false) {
            assert!(row.width() <= limit, "{limit}: {:?}", row.plain());
        }
    }
}
