use serde_json::json;

use crate::protocol::{
    CallId, ChangeKind, Field, FieldKind, Hunk, Line, Question, Risk, SearchEnd, ToolCall,
};

use super::*;

fn heard(plain: &mut Plain, event: &Event) -> String {
    plain.hear(event).join("\n")
}

#[test]
fn text_is_said_in_whole_lines() {
    let mut plain = Plain::default();
    let text = |text: &str| Event::Text {
        text: text.to_owned(),
    };
    assert_eq!(heard(&mut plain, &text("It le")), "");
    assert_eq!(heard(&mut plain, &text("aks.\nIn the")), "It leaks.");
    let usage = crate::protocol::Usage::default();
    assert_eq!(heard(&mut plain, &Event::Generated { usage }), "In the");
}

#[test]
fn a_change_is_read_out_and_decided_by_a_line() {
    let mut plain = Plain::default();
    let call = ToolCall {
        id: CallId(1),
        server: "fs".to_owned(),
        tool: "edit".to_owned(),
        arguments: serde_json::Map::new(),
    };
    plain.hear(&Event::CallProposed {
        call,
        risk: Risk::Edit,
    });
    let change = FileChange {
        path: "a.rs".to_owned(),
        kind: ChangeKind::Modify,
        base: None,
        after: None,
        hunks: vec![Hunk {
            old_start: 3,
            old_lines: 1,
            new_start: 3,
            new_lines: 1,
            lines: vec![
                Line {
                    kind: LineKind::Removed,
                    text: "old".to_owned(),
                },
                Line {
                    kind: LineKind::Added,
                    text: "new\u{1b}[2J".to_owned(),
                },
            ],
        }],
        added: 1,
        removed: 1,
        notes: Vec::new(),
        others: Vec::new(),
        from: None,
        modes: None,
    };
    let said = heard(
        &mut plain,
        &Event::ApprovalRequested {
            call: CallId(1),
            reason: "it changes a file".to_owned(),
            change: Some(change),
            ask: None,
        },
    );
    assert!(
        said.contains("at line 3\nremoved: old\nadded: new"),
        "{said}"
    );
    assert!(!said.contains('\u{1b}'), "{said}");
    assert_eq!(plain.entered("what?").ops, []);
    let decision = Decision::Deny {
        reason: Some("not that file".to_owned()),
    };
    assert_eq!(
        plain.entered("n not that file").ops,
        [Op::Decide {
            call: CallId(1),
            decision
        }]
    );
    assert_eq!(
        plain.entered("go on").ops,
        [Op::Submit {
            text: "go on".to_owned()
        }]
    );
}

#[test]
fn a_form_is_filled_in_line_by_line() {
    let mut plain = Plain::default();
    let option = |value: &str| crate::protocol::Choice {
        value: value.to_owned(),
        title: None,
    };
    let field = |name: &str, kind| Field {
        name: name.to_owned(),
        title: None,
        description: None,
        required: true,
        kind,
    };
    let fields = vec![
        field(
            "count",
            FieldKind::Number {
                integer: true,
                min: Some(1.into()),
                max: None,
                default: None,
            },
        ),
        field(
            "labels",
            FieldKind::Choices {
                options: vec![option("a"), option("b"), option("c")],
                min: None,
                max: None,
                default: Vec::new(),
            },
        ),
        field("sure", FieldKind::Flag { default: None }),
    ];
    let question = Question {
        id: QuestionId(4),
        server: "desk".to_owned(),
        request: None,
        kind: QuestionKind::Form {
            message: "How many?".to_owned(),
            fields,
        },
    };
    let said = heard(&mut plain, &Event::Asked { question });
    assert!(said.contains("the server desk asks: How many?"), "{said}");
    assert_eq!(plain.entered("0").said, ["needs at least 1"]);
    plain.entered("2");
    plain.entered("1 3");
    plain.entered("yes");
    let values = json!({"count": 2, "labels": ["a", "c"], "sure": true});
    assert_eq!(
        plain.entered("y").ops,
        [Op::Answer {
            question: QuestionId(4),
            answer: Answer::Accept {
                values: values.as_object().cloned().expect("an object"),
                text: None
            }
        }]
    );
}

#[test]
fn a_command_that_needs_the_screen_says_so() {
    let mut plain = Plain::default();
    assert!(plain.entered("/theme dark").said[0].contains("without --plain"));
    assert!(plain.entered("/quit").quit);
    assert_eq!(plain.entered("/stop").ops, [Op::Interrupt]);
}

#[test]
fn a_file_is_moved_and_a_symbol_renamed_without_the_screen() {
    let mut plain = Plain::default();
    let mut sent = |line: &str| match &plain.entered(line).ops[..] {
        [Op::Submit { text }] => text.clone(),
        other => format!("{other:?}"),
    };
    assert_eq!(sent("/move a.py lib/b.py"), "Move `a.py` to `lib/b.py`.");
    assert_eq!(sent("/rename f g"), "Rename `f` to `g`.");
    assert!(plain.entered("/move a.py").said[0].contains("two words"));
    assert!(
        plain
            .entered("/help")
            .said
            .iter()
            .any(|line| line.starts_with("/move "))
    );
}

#[test]
fn a_move_is_read_out_as_what_it_is() {
    let half = |path: &str, kind| FileChange {
        path: path.to_owned(),
        kind,
        base: None,
        after: None,
        hunks: Vec::new(),
        added: 0,
        removed: 0,
        notes: Vec::new(),
        others: Vec::new(),
        from: None,
        modes: None,
    };
    let moved = FileChange {
        from: Some("a.py".to_owned()),
        others: vec![FileChange {
            notes: vec!["moved to lib/b.py".to_owned()],
            ..half("a.py", ChangeKind::Delete)
        }],
        ..half("lib/b.py", ChangeKind::Create)
    };
    let mut plain = Plain::default();
    let made = moved.clone().into_files().into_iter();
    let said: Vec<String> = made
        .flat_map(|change| {
            plain.hear(&Event::ChangeApplied {
                call: CallId(1),
                change,
            })
        })
        .collect();
    assert_eq!(
        said,
        ["changed lib/b.py, moved from a.py, content unchanged"]
    );
}

proptest::proptest! {
    #[test]
    fn nothing_that_is_said_acts_on_the_terminal(bytes in crate::protocol::hostile::bytes()) {
        let text = String::from_utf8_lossy(&bytes);
        let mut plain = Plain::default();
        for event in crate::protocol::hostile::events(&text) {
            crate::protocol::hostile::fed(text.len());
            let mut said = plain.hear(&event);
            said.push(plain.prompt().to_owned());
            if matches!(event, Event::Asked { .. } | Event::ApprovalRequested { .. }) {
                said.extend(plain.entered("what is this?").said);
            }
            for line in said {
                proptest::prop_assert_eq!(crate::protocol::hostile::acting(&line), None, "after {:?}", event);
            }
        }
    }
}

/// A search of so many edits against a command or none, as events.
fn searched(edits: u64, command: Option<&str>, end: SearchEnd) -> Vec<Event> {
    use crate::protocol::{CheckResult, SearchNews, TrialOf};
    let told = |news| Event::Searched { news };
    let mut events = vec![told(SearchNews::Began {
        path: "a.py".to_owned(),
        command: command.map(str::to_owned),
        base: None,
    })];
    for id in 1..=edits {
        let (call, trial) = (CallId(id), TrialOf::Edit);
        events.push(told(SearchNews::Trying { call, trial }));
        events.push(Event::CallProposed {
            call: ToolCall {
                id: call,
                server: "run".to_owned(),
                tool: "check".to_owned(),
                arguments: serde_json::Map::new(),
            },
            risk: Risk::Command,
        });
        events.push(Event::CallStarted { call });
        events.push(Event::CallProgressed {
            call,
            text: "collected 7 items".to_owned(),
        });
        let text = "`pytest` fails".to_owned();
        let outcome = Outcome::Failed { text };
        events.push(Event::CallFinished { call, outcome });
        let result = CheckResult::default();
        events.push(told(SearchNews::Tried { call, result }));
    }
    let wall_ms = 65_400;
    events.push(told(SearchNews::Ended { end, wall_ms }));
    events
}

#[test]
fn a_search_is_told_of_when_it_begins_and_when_it_is_over() {
    for (command, end, expected) in [
        (
            Some("pytest"),
            SearchEnd::Nothing,
            [
                "Trying edits of `a.py` against `pytest`",
                "Tried 20 edits of `a.py` against `pytest` · 65 s · none passes, nothing is changed",
            ],
        ),
        (
            None,
            SearchEnd::Likeliest,
            [
                "Trying versions of `a.py` on sample calls",
                "Tried 20 versions of `a.py` on sample calls · 65 s · the likeliest is made unchecked",
            ],
        ),
    ] {
        let mut plain = Plain::default();
        let events = searched(20, command, end);
        let said: Vec<String> = events.iter().flat_map(|event| plain.hear(event)).collect();
        assert_eq!(said, expected);
    }
}
