//! Reading: the prompt is rendered, and what is not in the cache is evaluated.

use std::time::{Duration, Instant};

use super::super::cache::Progress;
use super::super::prompt::Prompt;
use super::words::words_only;
use super::{Answer, Engine, Halt, count, failed, looked_for, names, offered};
use crate::model::constraint;
use crate::model::parse::{self, StreamParser};
use crate::model::template::TemplateError;
use crate::protocol::{Message, ModelEvent, ModelFailure, ModelRequest, ToolChoice, ToolSpec};

/// Room that must be left in the window for an answer.
pub(super) const RESERVE: usize = 64;

/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// A prompt, with what an answer to it begins with.
pub(super) struct Opened {
    pub(super) prompt: Prompt,
    /// The last of the template's texts: the model's thinking may begin there.
    pub(super) ending: String,
    /// What is written for the model at the end of the prompt.
    pub(super) opening: String,
}

impl Engine<'_> {
    /// Renders a request to the prompt of its answer.
    pub(super) fn open(&self, request: &ModelRequest) -> Result<Opened, Halt> {
        let (mut prompt, ending) = self
            .prompt(&request.messages, self.listed(request))
            .map_err(|error| failed(error.to_string()))?;
        let leave = parse::closing_of_thinking(&ending).unwrap_or_default();
        let opening = match request.choice {
            ToolChoice::Required { .. } => {
                if offered(request).is_empty() {
                    return Err(failed("no tool has the name that is required".to_owned()));
                }
                format!("{leave}{}", constraint::opening(self.form))
            }
            ToolChoice::None if words_only(request) => match self.form.words_begin() {
                "" => String::new(),
                words => format!("{leave}{words}"),
            },
            ToolChoice::None | ToolChoice::Auto => String::new(),
        };
        prompt.push_template(&opening, &self.template.controls);
        if prompt.text.is_empty() {
            return Err(failed("there is nothing to answer".to_owned()));
        }
        Ok(Opened {
            prompt,
            ending,
            opening,
        })
    }

    /// Renders messages to what is evaluated, and returns the last of the template's texts, too: the model's thinking
    /// may begin there.
    pub(super) fn prompt(
        &self,
        messages: &[Message],
        tools: &[ToolSpec],
    ) -> Result<(Prompt, String), TemplateError> {
        let segments = self.template.chat.render(messages, tools)?;
        let ending = segments
            .last()
            .map_or("", |last| last.text.as_str())
            .to_owned();
        let mut prompt = Prompt::new(&segments, &self.template.controls);
        let weights = self.cache.weights();
        if let Some(bos) = weights.needed_bos() {
            let text = String::from_utf8_lossy(&weights.piece(bos)).into_owned();
            prompt.begin_with(bos, &text);
        }
        Ok((prompt, ending))
    }
}

impl Answer<'_, '_> {
    /// Evaluates the prompt.
    pub(super) fn read(&mut self) -> Result<(), Halt> {
        let engine = &mut *self.engine;
        let Opened {
            prompt,
            ending,
            opening,
        } = engine.open(self.request)?;
        let plan = engine.cache.plan(&prompt, self.request.lane);
        let window = engine.cache.context().window();
        if plan.needed() + RESERVE > window {
            return Err(Halt::Failed(ModelFailure::ContextFull {
                needed: count(plan.needed() + RESERVE),
                context: count(window),
            }));
        }
        self.usage.prompt = count(plan.total());
        self.usage.cached = count(plan.cached());
        let (cancel, events, queue) = (self.cancel, self.events, &mut *self.queue);
        let mut told: Option<Instant> = None;
        let mut progress = |progress: Progress| {
            if queue.is_abandoned() {
                cancel.cancel();
            }
            let due = told.is_none_or(|told| told.elapsed() >= PROGRESS_INTERVAL);
            if due || progress.done == progress.total {
                told = Some(Instant::now());
                let event = ModelEvent::PromptProgress {
                    done: count(progress.done),
                    total: count(progress.total),
                    cached: count(progress.cached),
                };
                // A receiver that is gone stops the evaluation by itself.
                let _ = events.blocking_send(event);
            }
        };
        let stop = || cancel.is_cancelled() || events.is_closed();
        let cached = engine.cache.evaluate(&prompt, plan, &stop, &mut progress)?;
        self.usage.cached = count(cached);
        self.look_ahead();
        self.prompt_end = ending;
        self.parser = self.fresh_parser();
        if !opening.is_empty() {
            self.hear(opening.as_bytes());
        }
        if matches!(self.request.choice, ToolChoice::Required { .. }) {
            self.constrain(self.engine.form.begun().as_bytes());
        }
        Ok(())
    }

    /// Begins to take the answer apart from where the prompt ends.
    pub(super) fn fresh_parser(&self) -> StreamParser {
        let looked_for = looked_for(self.request, &self.tools);
        StreamParser::new(self.engine.form, names(&looked_for)).after_prompt(&self.prompt_end)
    }
}
