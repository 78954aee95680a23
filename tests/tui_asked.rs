//! A server's questions as the user meets them: forms, pages, and what the model is to say.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend};
use serde_json::json;
use walden::protocol::{
    Answer, Choice, Event, Field, FieldKind, Op, Question, QuestionId, QuestionKind, TextFormat,
};
use walden::tui::{App, Cmd, Depth, Facts, Msg, Theme, view};

struct Desk {
    app: App,
    now: Duration,
    size: (u16, u16),
}

impl Desk {
    /// A desk at which a question was asked a second ago.
    fn asked(size: (u16, u16), kind: QuestionKind) -> Self {
        let theme = Theme::built_in_or_default("default", Depth::Ansi16);
        let mut desk = Self {
            app: App::new(Facts::default(), theme, Vec::new(), size),
            now: Duration::from_secs(1),
            size,
        };
        let question = Question {
            id: QuestionId(7),
            server: "tracker".to_owned(),
            request: None,
            kind,
        };
        let at = desk.now;
        desk.app.update(Msg::Session {
            event: Event::Asked { question },
            at,
        });
        desk.now += Duration::from_secs(1);
        desk.app.update(Msg::Tick { now: desk.now });
        desk
    }

    fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) -> Vec<Cmd> {
        let (key, at) = (KeyEvent::new(code, modifiers), self.now);
        self.app.update(Msg::Key { key, at })
    }

    fn key(&mut self, code: KeyCode) -> Vec<Cmd> {
        self.press(code, KeyModifiers::NONE)
    }

    fn control(&mut self, c: char) -> Vec<Cmd> {
        self.press(KeyCode::Char(c), KeyModifiers::CONTROL)
    }

    fn write(&mut self, text: &str) {
        for c in text.chars() {
            assert_eq!(self.key(KeyCode::Char(c)), []);
        }
    }

    fn frame(&self) -> String {
        let (width, height) = self.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal
            .draw(|frame| view(&self.app, frame))
            .expect("a frame");
        let buffer = terminal.backend().buffer().clone();
        let mut out = String::new();
        for y in 0..height {
            let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

fn answered(answer: Answer) -> Vec<Cmd> {
    vec![Cmd::Send(Op::Answer {
        question: QuestionId(7),
        answer,
    })]
}

fn accepted(values: &serde_json::Value) -> Answer {
    Answer::Accept {
        values: values.as_object().cloned().unwrap_or_default(),
        text: None,
    }
}

fn field(name: &str, title: &str, required: bool, kind: FieldKind) -> Field {
    Field {
        name: name.to_owned(),
        title: Some(title.to_owned()),
        description: None,
        required,
        kind,
    }
}

fn options(values: &[&str]) -> Vec<Choice> {
    values
        .iter()
        .map(|value| Choice {
            value: (*value).to_owned(),
            title: Some(value.replace('-', " ")),
        })
        .collect()
}

fn form() -> QuestionKind {
    let text = |format| FieldKind::Text {
        min: None,
        max: None,
        format,
        default: None,
    };
    let mut summary = field("summary", "Summary", true, text(None));
    summary.description = Some("One line that names the fault".to_owned());
    QuestionKind::Form {
        message: "What should the ticket say?".to_owned(),
        fields: vec![
            summary,
            field("reporter", "Reporter", true, text(Some(TextFormat::Email))),
            field(
                "points",
                "Points",
                false,
                FieldKind::Number {
                    integer: true,
                    min: Some(1.into()),
                    max: Some(13.into()),
                    default: Some(3.into()),
                },
            ),
            field(
                "priority",
                "Priority",
                true,
                FieldKind::Choice {
                    options: options(&["low", "normal", "high"]),
                    default: Some("normal".to_owned()),
                },
            ),
            field(
                "labels",
                "Labels",
                false,
                FieldKind::Choices {
                    options: options(&["bug", "docs", "good-first-issue"]),
                    min: None,
                    max: Some(2),
                    default: vec!["bug".to_owned()],
                },
            ),
            field(
                "notify",
                "Notify",
                false,
                FieldKind::Flag {
                    default: Some(true),
                },
            ),
        ],
    }
}

fn page(url: &str) -> QuestionKind {
    QuestionKind::Page {
        message: "Sign in to go on.".to_owned(),
        url: url.to_owned(),
    }
}

fn prompt() -> QuestionKind {
    QuestionKind::Prompt {
        system: Some("You name things.".to_owned()),
        messages: vec![
            ("user".to_owned(), "Name a ticket about a leak.".to_owned()),
            ("assistant".to_owned(), "Leak".to_owned()),
            ("user".to_owned(), "Longer.".to_owned()),
        ],
        max_tokens: 64,
    }
}

#[test]
fn a_form_is_filled_in_and_sent_once() {
    let mut desk = Desk::asked((80, 24), form());
    desk.write("It leaks");
    desk.key(KeyCode::Tab);
    desk.write("ada@example.org");
    desk.key(KeyCode::Enter);
    desk.key(KeyCode::Backspace);
    desk.write("8");
    desk.key(KeyCode::Down);
    desk.key(KeyCode::Right);
    desk.key(KeyCode::Tab);
    desk.key(KeyCode::Right);
    desk.key(KeyCode::Char(' '));
    desk.key(KeyCode::Tab);
    desk.write("n");
    desk.key(KeyCode::Enter);
    let values = json!({
        "summary": "It leaks",
        "reporter": "ada@example.org",
        "points": 8,
        "priority": "high",
        "labels": ["bug", "docs"],
        "notify": false,
    });
    assert_eq!(desk.key(KeyCode::Enter), answered(accepted(&values)));
    assert_eq!(desk.key(KeyCode::Enter), []);
    assert_eq!(desk.key(KeyCode::Esc), []);
}

#[test]
fn what_is_wrong_is_said_as_it_is_typed_and_keeps_the_form() {
    let mut desk = Desk::asked((80, 24), form());
    desk.write("x");
    desk.key(KeyCode::Tab);
    desk.write("ada");
    assert!(desk.frame().contains("✗ needs an address"));
    assert_eq!(desk.control('s'), []);
    desk.write("@example.org");
    assert!(!desk.frame().contains('✗'));
    let sent = desk.control('s');
    assert!(matches!(
        sent.as_slice(),
        [Cmd::Send(Op::Answer {
            answer: Answer::Accept { .. },
            ..
        })]
    ));
}

#[test]
fn to_decline_is_not_to_cancel() {
    for kind in [form(), page("https://example.org/"), prompt()] {
        let is_form = matches!(kind, QuestionKind::Form { .. });
        let mut desk = Desk::asked((80, 24), kind.clone());
        assert_eq!(desk.key(KeyCode::Esc), answered(Answer::Cancel));
        let mut desk = Desk::asked((80, 24), kind);
        let declined = if is_form {
            desk.control('n')
        } else {
            desk.key(KeyCode::Char('n'))
        };
        assert_eq!(declined, answered(Answer::Decline));
    }
}

#[test]
fn a_page_is_shown_whole_with_what_is_odd_about_it_and_opened_by_nobody() {
    let long = format!("https://xn--80ak6aa92e.com/{}", "a".repeat(300));
    let mut desk = Desk::asked((60, 24), page(&long));
    let shown: String = desk
        .frame()
        .lines()
        .map(str::trim)
        .collect::<Vec<_>>()
        .concat();
    assert!(shown.contains(&long), "{shown}");
    assert!(shown.contains("аррӏе"), "{shown}");
    let mut expected = vec![Cmd::CopyText(long)];
    expected.extend(answered(accepted(&json!({}))));
    assert_eq!(desk.key(KeyCode::Char('y')), expected);
}

#[test]
fn a_prompt_can_be_changed_before_the_model_sees_it() {
    let mut desk = Desk::asked((80, 24), prompt());
    let text = "Longer.".to_owned();
    assert_eq!(desk.key(KeyCode::Char('e')), [Cmd::WriteText { text }]);
    let text = "Longer, please.".to_owned();
    desk.app.update(Msg::Written(Ok(Some(text.clone()))));
    assert!(desk.frame().contains("as you changed it"));
    let answer = Answer::Accept {
        values: serde_json::Map::new(),
        text: Some(text),
    };
    assert_eq!(desk.key(KeyCode::Char('y')), answered(answer));
}

#[test]
fn a_long_text_is_written_in_the_editor() {
    let mut desk = Desk::asked((80, 24), form());
    desk.write("It");
    let text = "It".to_owned();
    assert_eq!(desk.control('g'), [Cmd::WriteText { text }]);
    desk.app
        .update(Msg::Written(Ok(Some("It leaks\nbadly".to_owned()))));
    assert!(desk.frame().contains("badly"));
}

#[test]
fn type_ahead_goes_into_the_message_and_not_into_the_form() {
    let mut desk = Desk::asked((80, 24), form());
    let question = Question {
        id: QuestionId(8),
        server: "other".to_owned(),
        request: None,
        kind: form(),
    };
    let at = desk.now;
    for event in [
        Event::Answered {
            question: QuestionId(7),
            answer: Answer::Cancel,
        },
        Event::Asked { question },
    ] {
        desk.app.update(Msg::Session { event, at });
    }
    desk.write("secret");
    let frame = desk.frame();
    assert!(frame.contains("› secret"), "{frame}");
    assert!(frame.contains("other asks you"), "{frame}");
}

#[test]
fn no_size_makes_a_question_panic() {
    for kind in [form(), page("https://xn--80ak6aa92e.com/"), prompt()] {
        for width in [1, 2, 5, 11, 12, 20, 43, 44, 60] {
            for height in 1..=16 {
                let mut desk = Desk::asked((width, height), kind.clone());
                for _ in 0..10 {
                    desk.frame();
                    desk.key(KeyCode::Tab);
                    desk.key(KeyCode::Char('世'));
                    desk.key(KeyCode::PageDown);
                }
            }
        }
    }
}

fn screens(size: (u16, u16)) -> String {
    let mut out = String::new();
    let mut show = |title: &str, desk: &Desk| {
        out.push_str(&format!("=== {title}\n{}", desk.frame()));
    };
    let mut desk = Desk::asked(size, form());
    show("form", &desk);
    desk.write("It leaks");
    desk.key(KeyCode::Tab);
    desk.write("ada");
    desk.key(KeyCode::Tab);
    desk.key(KeyCode::Tab);
    desk.key(KeyCode::Tab);
    show("form, partly filled in", &desk);
    show(
        "page",
        &Desk::asked(
            size,
            page("https://login.example.org/device?code=ABCD-EFGH"),
        ),
    );
    show("prompt", &Desk::asked(size, prompt()));
    let text = "A leak in the retry loop".to_owned();
    show(
        "completion",
        &Desk::asked(size, QuestionKind::Completion { text }),
    );
    out
}

#[test]
fn questions_at_80_by_24() {
    insta::assert_snapshot!(screens((80, 24)));
}

#[test]
fn questions_at_40_by_12() {
    insta::assert_snapshot!(screens((40, 12)));
}

#[test]
fn questions_at_160_by_45() {
    insta::assert_snapshot!(screens((160, 45)));
}
