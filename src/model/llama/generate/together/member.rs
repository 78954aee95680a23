//! One client's answer among those that are written side by side.

use std::collections::VecDeque;
use std::time::Instant;

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::super::super::memory::Sequence;
use super::super::super::native::Weights;
use super::super::super::prompt::Prompt;
use super::super::super::sample::Sampler;
use super::super::super::tokens::Entry;
use super::super::read::Opened;
use super::super::runaway::{RUNAWAY_CHECK, repeated_unit};
use super::super::words::{before_call, first_words, words_only};
use super::super::{Engine, Halt, count, looked_for, millis, names, offered, text_of};
use crate::model::Cancel;
use crate::model::parse::{Piece, StreamParser};
use crate::protocol::{Finish, ModelEvent, ModelFailure, ModelRequest, Usage};

/// A request, where its answer goes, and what stops it.
#[derive(Debug)]
pub(in crate::model::llama) struct Asked {
    pub(in crate::model::llama) request: Box<ModelRequest>,
    pub(in crate::model::llama) events: Sender<ModelEvent>,
    pub(in crate::model::llama) cancel: Cancel,
}

/// The events of one answer. Who takes them slowly keeps nobody else waiting.
#[derive(Debug)]
pub(super) struct Outlet {
    events: Sender<ModelEvent>,
    kept: VecDeque<ModelEvent>,
}

impl Outlet {
    pub(super) fn new(events: Sender<ModelEvent>) -> Self {
        Self {
            events,
            kept: VecDeque::new(),
        }
    }

    pub(super) fn tell(&mut self, event: ModelEvent) {
        self.kept.push_back(event);
        self.flush();
    }

    /// Sends what can be sent now. Tells whether anything is left.
    pub(super) fn flush(&mut self) -> bool {
        while let Some(event) = self.kept.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.kept.push_front(event);
                    return true;
                }
                Err(TrySendError::Closed(_)) => self.kept.clear(),
            }
        }
        false
    }

    /// Sends what is left, as fast as it is taken.
    pub(super) fn deliver(self) {
        for event in self.kept {
            if self.events.blocking_send(event).is_err() {
                return;
            }
        }
    }

    pub(super) fn fail(&mut self, failure: ModelFailure) {
        self.tell(ModelEvent::Failed { failure });
    }
}

/// An answer in the making.
pub(super) struct Member {
    request: Box<ModelRequest>,
    cancel: Cancel,
    pub(super) outlet: Outlet,
    pub(super) prompt: Prompt,
    opening: String,
    /// Where it is evaluated, while it is.
    pub(super) sequence: Option<Sequence>,
    /// What is to be evaluated next. Of one without a sequence that was begun before: everything.
    pub(super) pending: Vec<Entry>,
    parser: StreamParser,
    sampler: Sampler,
    raw: Vec<u8>,
    /// A call was cut off an answer that was to be words.
    cut: bool,
    pub(super) usage: Usage,
    began: Option<Instant>,
    answers: Option<Instant>,
}

impl Member {
    /// Begins an answer with nothing evaluated.
    pub(super) fn new(engine: &Engine<'_>, asked: Asked) -> Result<Self, (Outlet, ModelFailure)> {
        let Asked {
            request,
            events,
            cancel,
        } = asked;
        let outlet = Outlet::new(events);
        let Opened {
            prompt,
            ending,
            opening,
        } = match engine.open(&request) {
            Ok(opened) => opened,
            Err(Halt::Failed(failure)) => return Err((outlet, failure)),
            Err(Halt::Cancelled) => {
                let message = "it was cancelled".to_owned();
                return Err((outlet, ModelFailure::Engine { message }));
            }
        };
        let looked_for = names(&looked_for(&request, &offered(&request)));
        Ok(Self {
            cancel,
            outlet,
            prompt,
            opening,
            sequence: None,
            pending: Vec::new(),
            parser: StreamParser::new(engine.form, looked_for).after_prompt(&ending),
            sampler: Sampler::new(&request.sampling),
            request,
            raw: Vec::new(),
            cut: false,
            usage: Usage::default(),
            began: None,
            answers: None,
        })
    }

    pub(super) fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Tells whether nobody wants the answer any more.
    pub(super) fn is_stopped(&self) -> bool {
        self.cancel.is_cancelled() || self.outlet.events.is_closed()
    }

    /// Tells whether the answer was begun to be written.
    pub(super) fn is_writing(&self) -> bool {
        self.answers.is_some()
    }

    /// Tells whether only the last token that was written is to be evaluated: after being set aside it is more.
    pub(super) fn is_at_a_token(&self) -> bool {
        self.is_writing() && self.pending.len() == 1
    }

    /// Tells whether the prompt was begun to be evaluated.
    pub(super) fn has_begun(&self) -> bool {
        self.began.is_some()
    }

    /// Takes a sequence on which so much of the prompt is there already.
    pub(super) fn begin(&mut self, sequence: Sequence, total: usize, pending: Vec<Entry>) {
        self.sequence = Some(sequence);
        if !self.has_begun() {
            self.began = Some(Instant::now());
            self.usage.prompt = count(total);
            self.usage.cached = count(total - pending.len());
            self.tell_progress(pending.len());
        }
        self.pending = pending;
    }

    /// Takes note that the first of the pending tokens are evaluated.
    pub(super) fn evaluated(&mut self, tokens: usize) {
        self.pending.drain(..tokens);
        if !self.is_writing() {
            self.tell_progress(self.pending.len());
        }
    }

    fn tell_progress(&mut self, left: usize) {
        self.outlet.tell(ModelEvent::PromptProgress {
            done: self.usage.prompt.saturating_sub(count(left)),
            total: self.usage.prompt,
            cached: self.usage.cached,
        });
    }

    /// Draws the next token from logits, and tells what it says. Returns how the answer ends, if it does here.
    pub(super) fn draw(
        &mut self,
        logits: Option<&[f32]>,
        weights: &Weights,
        room: usize,
    ) -> Result<Option<Finish>, ModelFailure> {
        if !self.is_writing() {
            self.answers = Some(Instant::now());
            let began = self.began.map(|began| began.elapsed());
            self.usage.prompt_ms = millis(began.unwrap_or_default());
            let opening = std::mem::take(&mut self.opening);
            self.hear(opening.as_bytes());
            if self.request.sampling.max_tokens == 0 {
                return Ok(Some(Finish::Length));
            }
        }
        let words_only = words_only(&self.request);
        let begins = self.raw.is_empty() && words_only;
        let mask = begins.then(|| first_words(weights));
        let token = logits
            .and_then(|logits| self.sampler.draw(logits, mask.as_ref()))
            .ok_or_else(no_numbers)?;
        if weights.ends_generation(token) {
            return Ok(Some(Finish::Stop));
        }
        self.usage.generated += 1;
        self.hear(&weights.piece(token));
        if words_only && self.parser.open_call().is_some() {
            self.raw = before_call(&self.raw, &self.parser);
            self.cut = true;
            return Ok(Some(Finish::Stop));
        }
        if self.usage.generated >= self.request.sampling.max_tokens || room <= 1 {
            return Ok(Some(Finish::Length));
        }
        if self.usage.generated.is_multiple_of(RUNAWAY_CHECK) && repeated_unit(&self.raw).is_some()
        {
            tracing::warn!("the answer repeats itself without end and was cut off");
            return Ok(Some(Finish::Length));
        }
        self.pending = vec![Entry::of(token, weights)];
        Ok(None)
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        let pieces = self.parser.feed(bytes);
        self.tell(pieces);
    }

    fn tell(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Text(text) if text.is_empty() => {}
                Piece::Text(text) => self.outlet.tell(ModelEvent::Text { text }),
                Piece::Reasoning(text) => self.outlet.tell(ModelEvent::Reasoning { text }),
                // No call is wanted.
                Piece::Drafted { .. } | Piece::Call { .. } | Piece::BadCall { .. } => {}
            }
        }
    }

    /// Ends the answer, and returns where its last events are.
    pub(super) fn end(mut self, finish: Finish) -> Outlet {
        if !self.cut {
            let held_back = self.parser.finish();
            self.tell(held_back);
        }
        match (self.began, self.answers) {
            (_, Some(answers)) => self.usage.generate_ms = millis(answers.elapsed()),
            (Some(began), None) => self.usage.prompt_ms = millis(began.elapsed()),
            (None, None) => {}
        }
        self.outlet.tell(ModelEvent::Done {
            raw: text_of(&self.raw),
            finish,
            usage: self.usage,
        });
        self.outlet
    }
}

fn no_numbers() -> ModelFailure {
    ModelFailure::Engine {
        message: "it computed no usable numbers".to_owned(),
    }
}
