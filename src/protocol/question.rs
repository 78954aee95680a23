//! What a server asks of the user, and what the user may answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

/// Identifies a question within a session. Minted by the host, never taken from a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuestionId(pub u64);

/// Identifies a request of a server within a session. Minted by the host, never taken from a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub u64);

/// How a server's request to the host ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "end")]
pub enum RequestEnd {
    /// It has its answer, of so many bytes.
    Answered { bytes: usize },
    /// It was answered with an error of this number.
    Refused { code: i64 },
    /// Nobody waits for the answer any more.
    TakenBack,
}

/// A question of a server, waiting for the user's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    pub id: QuestionId,
    /// The server's name in the configuration: the user's name for it, not its own.
    pub server: String,
    /// The server's request that it is part of, where it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    pub kind: QuestionKind,
}

/// What kind of answer is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum QuestionKind {
    /// Values for some fields (MCP elicitation, form mode).
    Form { message: String, fields: Vec<Field> },
    /// A page that the user is asked to open, outside of walden (MCP elicitation, URL mode). Nothing has fetched it.
    Page { message: String, url: String },
    /// Whether the model may be asked this on the server's behalf (MCP sampling).
    Prompt {
        system: Option<String>,
        /// The messages: who says it (`user`, `assistant`), and what.
        messages: Vec<(String, String)>,
        /// The most tokens that the answer may have.
        max_tokens: u32,
    },
    /// Whether the server may have what the model wrote for it (MCP sampling).
    Completion { text: String },
    /// Whether a server that is not part of walden may be started, or used, as it is defined. walden itself asks this:
    /// no server can.
    Definition {
        /// What is asked, in one sentence.
        title: String,
        /// What would be trusted, or what changed since it was, line by line.
        text: String,
    },
}

/// One field of a form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// The key in the answer.
    pub name: String,
    pub title: Option<String>,
    pub description: Option<String>,
    pub required: bool,
    pub kind: FieldKind,
}

/// What a field takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "field")]
pub enum FieldKind {
    Text {
        /// Lengths in characters.
        min: Option<u32>,
        max: Option<u32>,
        format: Option<TextFormat>,
        default: Option<String>,
    },
    Number {
        integer: bool,
        min: Option<Number>,
        max: Option<Number>,
        default: Option<Number>,
    },
    Flag {
        default: Option<bool>,
    },
    /// One of these.
    Choice {
        options: Vec<Choice>,
        default: Option<String>,
    },
    /// Some of these.
    Choices {
        options: Vec<Choice>,
        min: Option<u32>,
        max: Option<u32>,
        default: Vec<String>,
    },
}

/// A form that a text must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextFormat {
    Email,
    Uri,
    Date,
    DateTime,
}

/// A value that can be chosen, and how it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub value: String,
    pub title: Option<String>,
}

/// The user's answer to a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum Answer {
    /// Yes; for a form with these values, for a prompt or a completion with `text` where the user changed it.
    Accept {
        #[serde(default)]
        values: Map<String, Value>,
        #[serde(default)]
        text: Option<String>,
    },
    /// No: the user does not want this.
    Decline,
    /// The user said neither: the question was closed, or the turn was interrupted.
    Cancel,
}

impl Field {
    /// Tells what is wrong with a value of this field; `None` stands for no value.
    ///
    /// # Errors
    /// One line that says what is wanted, without the field's name.
    pub fn check(&self, value: Option<&Value>) -> Result<(), String> {
        let Some(value) = value else {
            return match self.required {
                true => Err("needs a value".to_owned()),
                false => Ok(()),
            };
        };
        match (&self.kind, value) {
            (
                FieldKind::Text {
                    min, max, format, ..
                },
                Value::String(text),
            ) => check_text(text, *min, *max, *format),
            (
                FieldKind::Number {
                    integer, min, max, ..
                },
                Value::Number(number),
            ) => check_number(number, *integer, min.as_ref(), max.as_ref()),
            (FieldKind::Flag { .. }, Value::Bool(_)) => Ok(()),
            (FieldKind::Choice { options, .. }, Value::String(chosen)) => {
                check_one(options, chosen)
            }
            (
                FieldKind::Choices {
                    options, min, max, ..
                },
                Value::Array(chosen),
            ) => {
                for one in chosen {
                    check_one(options, one.as_str().unwrap_or_default())?;
                }
                let count = chosen.len() as u64;
                match (min, max) {
                    (Some(min), _) if count < u64::from(*min) => {
                        Err(format!("choose at least {min}"))
                    }
                    (_, Some(max)) if count > u64::from(*max) => {
                        Err(format!("choose at most {max}"))
                    }
                    _ => Ok(()),
                }
            }
            (FieldKind::Text { .. }, _) => Err("needs a text".to_owned()),
            (FieldKind::Number { .. }, _) => Err("needs a number".to_owned()),
            (FieldKind::Flag { .. }, _) => Err("needs yes or no".to_owned()),
            (FieldKind::Choice { .. } | FieldKind::Choices { .. }, _) => {
                Err("needs one of the choices".to_owned())
            }
        }
    }
}

fn check_text(
    text: &str,
    min: Option<u32>,
    max: Option<u32>,
    format: Option<TextFormat>,
) -> Result<(), String> {
    let length = text.chars().count() as u64;
    if let Some(min) = min.filter(|min| length < u64::from(*min)) {
        return Err(format!("needs at least {min} characters"));
    }
    if let Some(max) = max.filter(|max| length > u64::from(*max)) {
        return Err(format!("takes at most {max} characters"));
    }
    let fits = match format {
        None => return Ok(()),
        Some(TextFormat::Email) => text.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && !host.is_empty() && !host.contains('@') && !text.contains(' ')
        }),
        Some(TextFormat::Uri) => text.split_once(':').is_some_and(|(scheme, rest)| {
            scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme
                    .chars()
                    .all(|one| one.is_ascii_alphanumeric() || "+-.".contains(one))
                && !rest.is_empty()
                && !text.contains(char::is_whitespace)
        }),
        Some(TextFormat::Date) => is_date(text),
        Some(TextFormat::DateTime) => is_date_time(text),
    };
    match (fits, format) {
        (true, _) => Ok(()),
        (false, Some(TextFormat::Email)) => {
            Err("needs an address such as ada@example.org".to_owned())
        }
        (false, Some(TextFormat::Uri)) => {
            Err("needs a URI such as https://example.org/a".to_owned())
        }
        (false, Some(TextFormat::Date)) => Err("needs a date such as 2026-07-28".to_owned()),
        (false, _) => Err("needs a time such as 2026-07-28T09:30:00Z".to_owned()),
    }
}

/// RFC 3339, `full-date`.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else {
        return false;
    };
    let number = |part: &str, width: usize| {
        (part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u32>().ok())
            .flatten()
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2))
    else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// RFC 3339, `date-time`.
fn is_date_time(text: &str) -> bool {
    let Some((date, rest)) = text.split_once(['T', 't', ' ']) else {
        return false;
    };
    let offset = rest.find(['Z', 'z', '+', '-']);
    let Some((time, offset)) = offset.map(|at| rest.split_at(at)) else {
        return false;
    };
    let two = |part: Option<&str>, below: u32| {
        part.is_some_and(|part| {
            part.len() == 2
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && part.parse::<u32>().is_ok_and(|value| value < below)
        })
    };
    let (clock, fraction) = match time.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (time, None),
    };
    let mut parts = clock.split(':');
    let is_clock = two(parts.next(), 24)
        && two(parts.next(), 60)
        && two(parts.next(), 61)
        && parts.next().is_none();
    let is_fraction = fraction.is_none_or(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    let is_offset = match offset {
        "Z" | "z" => true,
        _ => {
            let mut parts = offset[1..].split(':');
            two(parts.next(), 24) && two(parts.next(), 60) && parts.next().is_none()
        }
    };
    is_date(date) && is_clock && is_fraction && is_offset
}

fn check_number(
    number: &Number,
    integer: bool,
    min: Option<&Number>,
    max: Option<&Number>,
) -> Result<(), String> {
    let Some(value) = number.as_f64() else {
        return Err("needs a number".to_owned());
    };
    if integer && value.fract() != 0.0 {
        return Err("needs a whole number".to_owned());
    }
    let beyond = |bound: Option<&Number>| bound.and_then(Number::as_f64);
    if beyond(min).is_some_and(|least| value < least) {
        // The bound is there: it was read one line above.
        return Err(min.map_or_else(String::new, |min| format!("needs at least {min}")));
    }
    if beyond(max).is_some_and(|most| value > most) {
        return Err(max.map_or_else(String::new, |max| format!("takes at most {max}")));
    }
    Ok(())
}

fn check_one(options: &[Choice], chosen: &str) -> Result<(), String> {
    match options.iter().any(|option| option.value == chosen) {
        true => Ok(()),
        false => Err("needs one of the choices".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(kind: FieldKind) -> Field {
        Field {
            name: "field".to_owned(),
            title: None,
            description: None,
            required: true,
            kind,
        }
    }

    fn text(format: TextFormat) -> Field {
        field(FieldKind::Text {
            min: None,
            max: None,
            format: Some(format),
            default: None,
        })
    }

    #[test]
    fn a_value_is_held_to_its_field() {
        let whole = field(FieldKind::Number {
            integer: true,
            min: Some(1.into()),
            max: Some(9.into()),
            default: None,
        });
        assert_eq!(whole.check(Some(&json!(9))), Ok(()));
        for wrong in [json!(0), json!(10), json!(1.5), json!("3")] {
            assert!(whole.check(Some(&wrong)).is_err(), "{wrong}");
        }
        assert!(whole.check(None).is_err());

        let some = field(FieldKind::Choices {
            options: ["a", "b"]
                .map(|value| Choice {
                    value: value.to_owned(),
                    title: None,
                })
                .into(),
            min: Some(1),
            max: Some(1),
            default: Vec::new(),
        });
        assert_eq!(some.check(Some(&json!(["b"]))), Ok(()));
        for wrong in [json!([]), json!(["a", "b"]), json!(["c"]), json!("a")] {
            assert!(some.check(Some(&wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_text_has_the_form_that_is_wanted() {
        for (format, right, wrong) in [
            (TextFormat::Email, "ada@example.org", "ada"),
            (TextFormat::Uri, "urn:isbn:1", "example.org"),
            (TextFormat::Date, "2024-02-29", "2026-02-29"),
            (
                TextFormat::DateTime,
                "2026-07-28T09:30:00.5+02:00",
                "2026-07-28",
            ),
        ] {
            assert_eq!(text(format).check(Some(&json!(right))), Ok(()));
            assert!(text(format).check(Some(&json!(wrong))).is_err(), "{wrong}");
        }
    }
}
