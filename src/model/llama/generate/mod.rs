//! One answer: the prompt is evaluated, tokens are drawn, and what they say is told. Those of clients are written side by
//! side: see [`together`].

mod ahead;
mod calls;
mod doubting;
mod prepare;
mod read;
mod rivals;
mod runaway;
mod tell;
mod together;
mod words;

use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;

use super::cache::Cache;
use super::draft::Drafter;
use super::identity::Template;
use super::log;
use super::native::{DecodeError, Token};
use super::queue::Queue;
use super::sample::Sampler;
use super::snapshots::Moment;
use crate::model::Cancel;
use crate::model::constraint::Constraints;
use crate::model::parse::{Piece, StreamParser};
use crate::model::speculate::{Curve, Speculation};
use crate::protocol::{
    CallForm, Finish, ModelEvent, ModelFailure, ModelInfo, ModelRequest, ToolChoice, ToolList,
    ToolSpec, Usage,
};

use ahead::Ahead;
use calls::{Between, Draft, Step};
use runaway::{RUNAWAY_CHECK, repeated_unit};
use tell::text_of;

pub(super) use together::{Asked, Together};

/// A loaded model, ready to answer.
pub(super) struct Engine<'w> {
    pub(super) cache: Cache<'w>,
    template: Template,
    constraints: Option<Constraints>,
    form: CallForm,
    tool_list: ToolList,
    real_arguments: bool,
    speculation: Speculation,
    curve: Curve,
    drafter: Option<Drafter<'w>>,
    /// What the last answer cost, for measuring.
    pub(super) tally: Tally,
}

/// What an answer cost beyond its tokens.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) masks: Vec<Duration>,
    pub(super) batches: u32,
}

impl<'w> Engine<'w> {
    /// Puts a loaded model's parts together.
    pub(super) fn new(
        cache: Cache<'w>,
        template: Template,
        constraints: Option<Constraints>,
        info: &ModelInfo,
    ) -> Self {
        Self {
            cache,
            template,
            constraints,
            form: info.form,
            tool_list: info.tools,
            real_arguments: true,
            speculation: Speculation::default(),
            curve: Curve::default(),
            drafter: None,
            tally: Tally::default(),
        }
    }

    /// Returns the tools that the template writes into the prompt: the same ones whatever may be called, so that the
    /// prompt stays what it was.
    fn listed<'r>(&self, request: &'r ModelRequest) -> &'r [ToolSpec] {
        match self.tool_list {
            ToolList::Text => &[],
            ToolList::Template => {
                let listed = request.tools.len().saturating_sub(request.unlisted);
                &request.tools[..listed]
            }
        }
    }

    /// Sets whether arguments are held to what the request knows and to its passages.
    pub(super) fn real_arguments(&mut self, on: bool) {
        self.real_arguments = on;
    }

    /// Sets whether tokens are guessed and evaluated ahead.
    pub(super) fn speculate(&mut self, speculation: Speculation) {
        self.speculation = speculation;
    }

    /// Sets the model that writes ahead where there is nothing to copy.
    pub(super) fn draft_with(&mut self, drafter: Option<Drafter<'w>>) {
        self.drafter = drafter;
    }

    /// Tells whether there is something worth keeping between runs.
    pub(super) fn is_unsaved(&self, moment: Moment) -> bool {
        self.cache.is_unsaved(moment)
    }

    /// Keeps the conversation's state for a later run.
    pub(super) fn save(&mut self) {
        self.cache.save();
    }

    /// Waits for what is being kept.
    pub(super) fn finish_saving(&mut self) {
        self.cache.finish_saving();
    }

    /// Answers a request, to its `Done` or `Failed`.
    pub(super) fn answer(
        &mut self,
        request: &ModelRequest,
        events: &Sender<ModelEvent>,
        cancel: &Cancel,
        queue: &mut Queue,
    ) {
        log::forget_trouble();
        self.tally = Tally::default();
        self.cache.context().wake();
        let form = self.form;
        let tools = offered(request);
        let names = names(&looked_for(request, &tools));
        let answer = Answer {
            engine: self,
            request,
            events,
            cancel,
            queue,
            parser: StreamParser::new(form, names),
            tools,
            raw: Vec::new(),
            usage: Usage::default(),
            called: false,
            calls: 0,
            between: Between::No,
            ends_at: 0,
            cut: false,
            body_start: 0,
            wrapped_at: 0,
            draft: Draft::None,
            ahead: Ahead::new(),
            steps: Vec::new(),
            banned: None,
            rewinds: 0,
            prompt_end: String::new(),
        };
        let last = answer.run();
        self.cache.context().rest();
        if let Some(drafter) = &mut self.drafter {
            drafter.rest();
        }
        // A session that dropped the receiver does not wait for the answer.
        let _ = events.blocking_send(last);
    }
}

/// Returns the tools whose calls are looked for. Where only words are wanted that is all of them: a call ends the
/// answer.
fn looked_for<'r>(request: &'r ModelRequest, offered: &[&'r ToolSpec]) -> Vec<&'r ToolSpec> {
    match request.choice {
        ToolChoice::None => request.tools.iter().collect(),
        ToolChoice::Auto | ToolChoice::Required { .. } => offered.to_vec(),
    }
}

/// Returns the tools that a request lets the model call.
fn offered(request: &ModelRequest) -> Vec<&ToolSpec> {
    match &request.choice {
        ToolChoice::Auto => request.tools.iter().collect(),
        ToolChoice::Required { names } => request
            .tools
            .iter()
            .filter(|tool| names.contains(&tool.name))
            .collect(),
        ToolChoice::None => Vec::new(),
    }
}

fn names(tools: &[&ToolSpec]) -> Vec<String> {
    tools.iter().map(|tool| tool.name.clone()).collect()
}
/// Why an answer ends before the model ended it.
enum Halt {
    Cancelled,
    Failed(ModelFailure),
}

impl From<DecodeError> for Halt {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Stopped => Self::Cancelled,
            DecodeError::Failed(message) => Self::Failed(ModelFailure::Engine { message }),
        }
    }
}

/// An answer in the making.
struct Answer<'a, 'w> {
    engine: &'a mut Engine<'w>,
    request: &'a ModelRequest,
    events: &'a Sender<ModelEvent>,
    cancel: &'a Cancel,
    queue: &'a mut Queue,
    tools: Vec<&'a ToolSpec>,
    /// Looks for calls of the tools, or for none.
    parser: StreamParser,
    /// All that the model wrote, and what was written for it.
    raw: Vec<u8>,
    usage: Usage,
    called: bool,
    /// Calls that were made before the one that is being written.
    calls: u32,
    between: Between,
    /// Where in `raw` the last complete call ends.
    ends_at: usize,
    /// A call was cut off an answer that was to be words.
    cut: bool,
    /// Where in `raw` the body of the last call begins.
    body_start: usize,
    /// Where the body of the first call begins that is in the same list or fence as the last one.
    wrapped_at: usize,
    draft: Draft,
    ahead: Ahead,
    /// The tokens that the constraint took, for going back.
    steps: Vec<Step>,
    /// A token that must not come next.
    banned: Option<Token>,
    rewinds: u32,
    /// The end of the prompt: it may have begun the model's thinking.
    prompt_end: String,
}
impl Answer<'_, '_> {
    fn run(mut self) -> ModelEvent {
        let started = Instant::now();
        let finish = match self.read() {
            Ok(()) => {
                self.usage.prompt_ms = millis(started.elapsed());
                let started = Instant::now();
                let finish = match &self.request.doubts {
                    Some(doubts) => self.doubt(doubts),
                    None => self.write(),
                };
                self.usage.generate_ms = millis(started.elapsed());
                finish
            }
            Err(halt) => {
                self.usage.prompt_ms = millis(started.elapsed());
                Err(halt)
            }
        };
        self.note_mask_times();
        let finish = match finish {
            Ok(finish) => finish,
            Err(Halt::Cancelled) => Finish::Cancelled,
            Err(Halt::Failed(failure)) => return ModelEvent::Failed { failure },
        };
        if !self.called && !self.cut && self.between == Between::No {
            // What is still held back is said; a call that was cut off by the user is no mistake of the model.
            for piece in self.parser.finish() {
                if finish != Finish::Cancelled || !matches!(piece, Piece::BadCall { .. }) {
                    self.tell_piece(piece);
                }
            }
        }
        ModelEvent::Done {
            raw: text_of(&self.raw),
            finish,
            usage: self.usage,
        }
    }

    /// Draws tokens until something ends the answer.
    fn write(&mut self) -> Result<Finish, Halt> {
        let finish = self.draw();
        self.settle();
        finish
    }

    fn draw(&mut self) -> Result<Finish, Halt> {
        if self.request.sampling.max_tokens == 0 {
            return Ok(Finish::Length);
        }
        let mut sampler = Sampler::new(&self.request.sampling);
        loop {
            if self.is_stopped() {
                return Err(Halt::Cancelled);
            }
            let begins = self.raw.is_empty() && self.words_only();
            let mask = if begins {
                Some(words::first_words(self.engine.cache.weights()))
            } else {
                self.mask()
            };
            let weights = self.engine.cache.weights();
            let token = self
                .engine
                .cache
                .context()
                .logits(self.ahead.len())
                .and_then(|logits| sampler.draw(logits, mask.as_ref()))
                .ok_or_else(|| failed("it computed no usable numbers".to_owned()))?;
            if weights.ends_generation(token) {
                return Ok(match self.between {
                    Between::No => Finish::Stop,
                    Between::Calls | Between::Strayed => self.end_calls(),
                });
            }
            let mut tokens = vec![token];
            self.usage.generated += 1;
            self.accept(&tokens);
            self.hear(&weights.piece(token));
            if self.words_only() {
                if self.parser.open_call().is_some() {
                    self.cut_off_call();
                    return Ok(Finish::Stop);
                }
            } else if self.is_call_complete() {
                if !self.goes_on_after_call() {
                    return Ok(self.end_call());
                }
            } else {
                self.watch_for_a_call();
            }
            if self.between == Between::Strayed {
                return Ok(self.end_calls());
            }
            let forced = self.forced();
            for token in &forced {
                self.hear(&weights.piece(*token));
            }
            self.usage.generated += count(forced.len());
            tokens.extend(forced);
            if self.is_call_complete() && !self.goes_on_after_call() {
                return Ok(self.end_call());
            }
            if self.usage.generated >= self.request.sampling.max_tokens
                || tokens.len() >= self.engine.cache.room() + self.ahead.len()
            {
                return Ok(match self.between {
                    Between::No => Finish::Length,
                    Between::Calls | Between::Strayed => self.end_calls(),
                });
            }
            let (cancel, events) = (self.cancel, self.events);
            let stop = || cancel.is_cancelled() || events.is_closed();
            self.advance(&tokens, &stop)?;
            if self.usage.generated.is_multiple_of(RUNAWAY_CHECK)
                && let Some(unit) = repeated_unit(&self.raw)
                && !self.rewind(unit, &stop)?
            {
                tracing::warn!("the answer repeats itself without end and was cut off");
                return Ok(Finish::Length);
            }
        }
    }

    fn is_stopped(&mut self) -> bool {
        self.cancel.is_cancelled() || self.events.is_closed() || self.queue.is_abandoned()
    }
}

fn failed(message: String) -> Halt {
    Halt::Failed(ModelFailure::Engine { message })
}

fn count(tokens: usize) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
