//! What a question about a call tells besides the call itself: where its paths really lead, the exact command, what
//! confines it, why it asks, and which content came before it.

use crate::protocol::{Ask, Why};

use super::role::Role;
use super::text::{Row, clean_line, fold, wrap};

/// Writes what a person should know before answering, most important first.
pub(super) fn rows(ask: &Ask, wide: usize) -> Vec<Row> {
    let indent = Row::new("    ", Role::Text);
    let mut rows = Vec::new();
    for target in ask.targets.iter().filter(|target| target.is_redirected()) {
        let row = Row::new("  ⚠ ", Role::NoticeWarning)
            .with(clean_line(&target.given), Role::Text)
            .with(" leads to ", Role::NoticeWarning)
            .with(clean_line(&target.path), Role::TextStrong);
        rows.extend(wrap(&row, wide, &indent));
    }
    if !ask.command.is_empty() {
        let row = Row::new("  $ ", Role::TextDim).with(quoted(&ask.command), Role::TextStrong);
        rows.extend(fold(&row, wide, &indent));
    }
    let because =
        Row::new("  asks because ", Role::TextDim).with(clean_line(&reason(ask)), Role::Text);
    rows.extend(wrap(&because, wide, &indent));
    if let Some(trigger) = &ask.trigger {
        let row = Row::new("  ⚠ after ", Role::NoticeWarning)
            .with(clean_line(trigger), Role::TextStrong)
            .with(", which you did not write", Role::NoticeWarning);
        rows.extend(wrap(&row, wide, &indent));
    }
    if let Some(confined) = &ask.confined {
        let row =
            Row::new("  confined to ", Role::TextDim).with(clean_line(confined), Role::TextDim);
        rows.extend(wrap(&row, wide, &indent));
    }
    rows
}

/// Says why it asks; the content that came before has a line of its own.
fn reason(ask: &Ask) -> String {
    let reasons: Vec<String> = ask
        .why
        .iter()
        .filter(|why| !matches!(why, Why::Tainted { .. }))
        .map(Why::to_string)
        .collect();
    match reasons.is_empty() {
        true => "it was allowed before you could know of what was read since".to_owned(),
        false => reasons.join(", and "),
    }
}

/// Writes words as a shell would take them, so that it is plain where each begins and ends.
fn quoted(words: &[String]) -> String {
    let plain = |word: &str| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_./:=+,@%^".contains(c))
    };
    let words: Vec<String> = words
        .iter()
        .map(|word| match plain(word) {
            true => word.clone(),
            false => format!("'{}'", clean_line(word).replace('\'', r"'\''")),
        })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{CallId, Risk, Target, ToolCall};

    fn ask(why: Vec<Why>, arguments: &serde_json::Value, targets: &[Target]) -> Ask {
        let call = ToolCall {
            id: CallId(1),
            server: "run".into(),
            tool: "command".into(),
            arguments: arguments.as_object().cloned().unwrap_or_default(),
        };
        Ask::about(&call, Risk::Command, targets, why)
    }

    fn text(ask: &Ask) -> Vec<String> {
        rows(ask, 200).iter().map(Row::plain).collect()
    }

    #[test]
    fn a_question_names_the_link_the_words_and_the_content_that_came_before() {
        let target = Target {
            given: "docs/x".into(),
            path: ".mcp.json".into(),
        };
        let mut ask = ask(
            vec![
                Why::Class {
                    risk: Risk::Command,
                },
                Why::Tainted {
                    content: "the file `notes.txt`".into(),
                },
            ],
            &serde_json::json!({"argv": ["sh", "-c", "echo 'a b'; id"]}),
            &[target],
        );
        ask.confined = Some("the repository".into());
        assert_eq!(
            text(&ask),
            [
                "  ⚠ docs/x leads to .mcp.json",
                r"  $ sh -c 'echo '\''a b'\''; id'",
                "  asks because it runs a command",
                "  ⚠ after the file `notes.txt`, which you did not write",
                "  confined to the repository",
            ]
        );
    }

    #[test]
    fn nothing_that_a_server_sends_can_draw() {
        let evil = "x\u{1b}[2J\u{202e}\ny";
        let ask = ask(
            vec![Why::Tainted {
                content: evil.into(),
            }],
            &serde_json::json!({"argv": [evil]}),
            &[Target {
                given: evil.into(),
                path: evil.into(),
            }],
        );
        for row in text(&ask) {
            assert!(!row.contains(['\u{1b}', '\u{202e}', '\n']), "{row:?}");
        }
    }
}
