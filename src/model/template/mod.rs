//! Chat templates: from the messages of a conversation to the prompt that a model was trained on.
//!
//! Renders the Jinja source that a model brings along, with three promises that the source itself does not make:
//! what the model wrote comes back byte for byte, a special token inside a message does not act, and a template
//! that loops, fails or does not compile does not stop the session.
//!
//! Tools are not passed to the template: they are text in the system message, the same for every model.

mod jinja;
mod marks;
mod shape;
mod turn;

use minijinja::{Value, context};

use crate::protocol::Message;

use jinja::Jinja;
use marks::{Finder, Marks};
use shape::Shape;
use turn::Turn;

/// What a prompt may be longer than its messages: roles and turn marks.
const OVERHEAD: usize = 256 * 1024;

/// The most bytes around one message, beside the message itself.
const OVERHEAD_PER_MESSAGE: usize = 4096;

/// Stands in for a template that cannot be used.
const CHATML: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n\
    {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{{ '' }}{% endif %}";

/// Why a template cannot be used, or a prompt not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("cannot compile the model's chat template: {message}")]
    Compile { message: String },
    #[error("cannot render the model's chat template: {message}")]
    Render { message: String },
    #[error(
        "cannot render the model's chat template: it takes too many steps; use another file of this model"
    )]
    Endless,
    #[error(
        "cannot render the model's chat template: it writes more than {limit} bytes for this conversation"
    )]
    TooLong { limit: usize },
    #[error(
        "cannot render the conversation: it uses every private-use character of Unicode's last plane"
    )]
    Unmarkable,
}

/// A part of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub text: String,
    /// The text spells one special token and must not become it: somebody wrote it into a message.
    pub literal: bool,
}

/// A model's chat template.
///
/// The prompt begins with the `bos` token where the template writes it: the tokenizer must not add another.
#[derive(Debug)]
pub struct ChatTemplate {
    engine: Engine,
    /// All special tokens.
    specials: Finder,
    /// Those that begin or end a turn.
    turn_marks: Finder,
    shape: Shape,
    note: Option<String>,
}

impl ChatTemplate {
    /// Prepares a template. `specials` are the texts of the model's special tokens.
    ///
    /// A template that cannot be used is replaced by ChatML; [`Self::note`] then says why.
    pub fn new(
        source: &str,
        bos: &str,
        eos: &str,
        specials: Vec<String>,
    ) -> Result<Self, TemplateError> {
        let specials: Vec<String> = [bos, eos]
            .map(str::to_owned)
            .into_iter()
            .chain(specials)
            .collect();
        match Self::prepare(source, bos, eos, &specials) {
            Ok(template) => Ok(template),
            Err(error) => Ok(Self {
                note: Some(format!("{error}; ChatML is used in its place")),
                ..Self::prepare(CHATML, bos, eos, &specials)?
            }),
        }
    }

    /// Sets the date that a template may print. It stays the same for as long as the prompt shall.
    pub fn with_date(mut self, date: &str) -> Self {
        self.engine.jinja.set_date(date.to_owned());
        self
    }

    /// Returns what a user should know about this template: why another one is used, or what it costs.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Tells whether the prompt ends inside a thinking block, so that the answer begins there.
    pub fn opens_thinking(&self) -> bool {
        self.shape.opens_thinking
    }

    /// Renders a conversation and the beginning of the answer to it.
    ///
    /// Special tokens in the text of a system, user or tool message come out as literal segments; in what the model
    /// wrote only those that begin or end a turn, since the others are part of its calls.
    ///
    /// A template may trim the text of a message that the model did not write.
    pub fn render(&self, messages: &[Message]) -> Result<Vec<Segment>, TemplateError> {
        self.render_with(messages, Generation::Opened)
    }

    fn render_with(
        &self,
        messages: &[Message],
        generation: Generation,
    ) -> Result<Vec<Segment>, TemplateError> {
        let texts = messages.iter().flat_map(|message| match message {
            Message::System { text } | Message::User { text } => [text.as_str(), ""],
            Message::Tool { name, text } => [name.as_str(), text],
            // It is put in when all marks are gone.
            Message::Assistant { .. } => ["", ""],
        });
        let marks = Marks::unused_in(&texts.collect::<Vec<_>>())?;
        let raws: Vec<&str> = messages
            .iter()
            .filter_map(|message| match message {
                Message::Assistant { raw } => Some(raw.as_str()),
                _ => None,
            })
            .collect();
        let turns = turn::turns(messages, self.shape, marks, &self.specials);
        let text = self.engine.render(&turns, self.shape.parts, generation)?;
        Ok(marks.segments(&text, &raws, &self.turn_marks))
    }

    fn prepare(
        source: &str,
        bos: &str,
        eos: &str,
        specials: &[String],
    ) -> Result<Self, TemplateError> {
        let engine = Engine {
            jinja: Jinja::new(source)?,
            bos: bos.to_owned(),
            eos: eos.to_owned(),
        };
        let shape = Shape::probe(&engine)?;
        let note = (!shape.stable).then(|| {
            "the model's chat template rewrites earlier messages, so every turn is read again from the beginning"
                .to_owned()
        });
        let probe = engine.render(
            &shape::conversation(shape.system),
            shape.parts,
            Generation::Opened,
        )?;
        let marks_a_turn = |special: &&String| {
            // A thinking tag in the generation prompt is the model's to close.
            let thinking = special.contains("think");
            !thinking && (*special == bos || *special == eos || probe.contains(special.as_str()))
        };
        Ok(Self {
            specials: Finder::new(specials.iter().cloned()),
            turn_marks: Finder::new(specials.iter().filter(marks_a_turn).cloned()),
            engine,
            shape,
            note,
        })
    }
}

/// Whether the beginning of the answer is rendered too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generation {
    Opened,
    Closed,
}

#[derive(Debug)]
struct Engine {
    jinja: Jinja,
    bos: String,
    eos: String,
}

impl Engine {
    fn render(
        &self,
        turns: &[Turn],
        parts: bool,
        generation: Generation,
    ) -> Result<String, TemplateError> {
        let messages: Vec<Value> = turns.iter().map(|turn| turn.to_value(parts)).collect();
        let context = context! {
            messages,
            add_generation_prompt => generation == Generation::Opened,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
        };
        // Some templates write a result as a JSON string, whose escapes are longer.
        let contents: usize = turns.iter().map(|turn| 4 * turn.content.len()).sum();
        let limit = OVERHEAD + OVERHEAD_PER_MESSAGE * turns.len() + contents;
        self.jinja.render(context, limit)
    }
}

#[cfg(test)]
mod tests;
