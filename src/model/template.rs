//! Prompt templates.

use crate::protocol::Message;

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("the chat template cannot be used: {0}")]
    Unusable(String),
}

/// A part of a rendered prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub text: String,
    /// Foreign text in which nothing is a control token.
    pub literal: bool,
}

/// A model's chat template.
#[derive(Debug)]
pub struct ChatTemplate;

impl ChatTemplate {
    /// Compiles a template.
    pub fn new(
        _source: &str,
        _bos: &str,
        _eos: &str,
        _specials: Vec<String>,
    ) -> Result<Self, TemplateError> {
        Ok(Self)
    }

    /// Renders a conversation, with the opening of the model's answer at its end.
    pub fn render(&self, messages: &[Message]) -> Result<Vec<Segment>, TemplateError> {
        let mut segments = Vec::new();
        let mut push = |text: &str, literal| {
            segments.push(Segment {
                text: text.to_owned(),
                literal,
            });
        };
        for message in messages {
            let (role, text) = match message {
                Message::System { text } => ("system", text),
                Message::User { text } => ("user", text),
                Message::Assistant { raw } => ("assistant", raw),
                Message::Tool { text, .. } => ("user", text),
            };
            push(&format!("<|im_start|>{role}\n"), false);
            push(text, true);
            push("<|im_end|>\n", false);
        }
        push("<|im_start|>assistant\n", false);
        Ok(segments)
    }
}
