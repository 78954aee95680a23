use serde_json::json;

use crate::protocol::{Choice, FieldKind, TextFormat};

use super::*;

fn field(name: &str, required: bool, kind: FieldKind) -> Field {
    Field {
        name: name.to_owned(),
        title: None,
        description: None,
        required,
        kind,
    }
}

fn choices(values: &[&str]) -> Vec<Choice> {
    values
        .iter()
        .map(|value| Choice {
            value: (*value).to_owned(),
            title: None,
        })
        .collect()
}

fn form(fields: Vec<Field>) -> Question {
    Question {
        id: QuestionId(1),
        server: "desk".to_owned(),
        request: None,
        kind: QuestionKind::Form {
            message: "Fill this in".to_owned(),
            fields,
        },
    }
}

fn asked(fields: Vec<Field>) -> Asked {
    Asked::new(&form(fields), Duration::ZERO)
}

fn typed(asked: &mut Asked, text: &str) {
    let at = asked.focus;
    for c in text.chars() {
        asked.entries[at].typed(c);
    }
}

#[test]
fn a_form_is_sent_only_with_proper_values_and_shows_the_first_wrong_one() {
    let mut asked = asked(vec![
        field(
            "name",
            false,
            FieldKind::Text {
                min: None,
                max: None,
                format: None,
                default: None,
            },
        ),
        field(
            "mail",
            true,
            FieldKind::Text {
                min: None,
                max: None,
                format: Some(TextFormat::Email),
                default: None,
            },
        ),
        field(
            "count",
            true,
            FieldKind::Number {
                integer: true,
                min: Some(1.into()),
                max: Some(9.into()),
                default: Some(3.into()),
            },
        ),
    ]);
    assert_eq!(asked.accept(), None);
    assert_eq!(asked.focus, 1);
    typed(&mut asked, "ada");
    assert_eq!(asked.accept(), None);
    typed(&mut asked, "@example.org");
    let values = json!({"mail": "ada@example.org", "count": 3});
    assert_eq!(
        asked.accept(),
        Some(Answer::Accept {
            values: values.as_object().cloned().expect("an object"),
            text: None
        })
    );
}

#[test]
fn choices_are_made_by_keys() {
    use super::super::keymap::Edit;
    let options = choices(&["alpha", "beta", "gamma"]);
    let mut asked = asked(vec![
        field("flag", true, FieldKind::Flag { default: None }),
        field(
            "one",
            true,
            FieldKind::Choice {
                options: options.clone(),
                default: Some("beta".to_owned()),
            },
        ),
        field(
            "some",
            true,
            FieldKind::Choices {
                options,
                min: Some(2),
                max: None,
                default: vec!["alpha".to_owned()],
            },
        ),
    ]);
    typed(&mut asked, "y");
    asked.focus = 1;
    asked.entries[1].edit(Edit::Right, 20);
    asked.focus = 2;
    assert_eq!(
        asked.entries[2].value(),
        Err("choose at least 2".to_owned())
    );
    typed(&mut asked, "g ");
    let values = asked.values().expect("proper values");
    assert_eq!(
        serde_json::Value::Object(values),
        json!({"flag": true, "one": "gamma", "some": ["alpha", "gamma"]})
    );
}

#[test]
fn an_untouched_optional_field_is_left_out() {
    let asked = asked(vec![
        field("flag", false, FieldKind::Flag { default: None }),
        field(
            "some",
            false,
            FieldKind::Choices {
                options: choices(&["a"]),
                min: None,
                max: None,
                default: Vec::new(),
            },
        ),
    ]);
    assert_eq!(asked.values(), Ok(Map::new()));
}

#[test]
fn a_label_that_is_cut_is_read_whole_where_the_focus_is() {
    let text = || FieldKind::Text {
        min: None,
        max: None,
        format: None,
        default: None,
    };
    let long = "the number of rows that a page of the report is to have";
    let question = form(vec![
        field("name", false, text()),
        field(long, false, text()),
    ]);
    let mut asked = Asked::new(&question, Duration::ZERO);
    let told = |asked: &Asked| -> String {
        let rows = asked.body(&question, 60).rows;
        let lines = rows.iter().map(|row| row.plain().trim().to_owned());
        lines.collect::<Vec<_>>().join(" ")
    };
    assert!(!told(&asked).contains(long));
    asked.focus = 1;
    assert!(told(&asked).contains(long), "{}", told(&asked));
}
