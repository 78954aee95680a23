//! From messages to the turns that a template is given.

use minijinja::{Value, context};

use crate::protocol::Message;

use super::marks::{Finder, Marks};
use super::shape::Shape;

/// A message as a template gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) role: &'static str,
    pub(super) content: String,
    /// The tool that returned the content.
    pub(super) name: String,
}

pub(super) fn system(content: &str) -> Turn {
    turn("system", content)
}

pub(super) fn user(content: &str) -> Turn {
    turn("user", content)
}

pub(super) fn assistant(content: &str) -> Turn {
    turn("assistant", content)
}

pub(super) fn tool(content: &str, name: &str) -> Turn {
    Turn {
        name: name.to_owned(),
        ..turn("tool", content)
    }
}

fn turn(role: &'static str, content: &str) -> Turn {
    Turn {
        role,
        content: content.to_owned(),
        name: String::new(),
    }
}

impl Turn {
    pub(super) fn to_value(&self, parts: bool) -> Value {
        let content = match parts {
            true => Value::from(vec![
                context! { type => "text", text => self.content.as_str() },
            ]),
            false => Value::from(self.content.as_str()),
        };
        match self.name.as_str() {
            "" => context! { role => self.role, content },
            name => context! { role => self.role, name, content },
        }
    }
}

/// Makes the turns that a template of this shape can take.
///
/// Each turn depends on the messages up to it alone, so that more messages never change the turns before. (A message
/// that is merged into the turn before it does; it comes before the model writes.)
pub(super) fn turns(
    messages: &[Message],
    shape: Shape,
    marks: Marks,
    specials: &Finder,
) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    let foreign = |text: &str| marks.foreign(text, specials);
    let leading = messages
        .iter()
        .take_while(|message| matches!(message, Message::System { .. }))
        .count();
    let mut preface: Vec<String> = Vec::new();
    let mut answers = 0;
    let mut after_result = false;
    for (index, message) in messages.iter().enumerate() {
        let result = matches!(message, Message::Tool { .. });
        match message {
            Message::System { text } if index < leading => preface.push(foreign(text)),
            Message::System { text } if shape.late_system => turns.push(system(&foreign(text))),
            Message::System { text } | Message::User { text } => turns.push(user(&foreign(text))),
            Message::Assistant { .. } => {
                turns.push(assistant(&marks.place(answers)));
                answers += 1;
            }
            Message::Tool { name, text } if shape.tool => {
                turns.push(tool(&foreign(text), &foreign(name)));
            }
            Message::Tool { text, .. } => {
                // `<tool_response>` is what the models that know no role of their own for it have seen most.
                let content = format!("<tool_response>\n{}\n</tool_response>", foreign(text));
                match turns.last_mut() {
                    Some(last) if after_result => {
                        last.content.push('\n');
                        last.content.push_str(&content);
                    }
                    _ => turns.push(user(&content)),
                }
            }
        }
        after_result = result;
    }
    let preface = preface.join("\n\n");
    if !preface.is_empty() {
        match turns.first_mut() {
            _ if shape.system => turns.insert(0, system(&preface)),
            Some(first) if first.role == "user" => {
                first.content = format!("{preface}\n\n{}", first.content);
            }
            _ => turns.insert(0, user(&preface)),
        }
    }
    if shape.alternates {
        turns.dedup_by(|next, last| {
            let same = next.role == last.role && next.role != "tool";
            if same {
                last.content.push_str("\n\n");
                last.content.push_str(&next.content);
            }
            same
        });
    }
    turns
}
