//! A loaded model for measuring: what `walden bench` and the benchmarks ask of it, on the caller's own thread.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::channel;

use super::generate::{Asked, Engine, Together};
use super::native::Token;
use super::queue::Queue;
use super::sample::Sampler;
use super::tuning::Tuning;
use super::{LlamaOptions, load, load_draft, log, ready, vocabulary, with_loaded};
use crate::model::constraint::Constraints;
use crate::model::speculate::Speculation;
use crate::model::{Cancel, Command};
use crate::protocol::{Finish, ModelEvent, ModelInfo, ModelRequest, Sampling, Usage};

/// Room for all events of an answer: nobody takes them while it is written.
const EVENTS: usize = 1 << 16;

/// A loaded model.
pub struct Gauge<'w> {
    pub(super) engine: Engine<'w>,
    queue: Queue,
    /// Kept, so that nobody seems to have dropped the model.
    _commands: mpsc::Sender<Command>,
    pub info: ModelInfo,
    pub tuning: Tuning,
    /// A draft model is there.
    pub drafts: bool,
    /// How long loading took.
    pub loading: Duration,
}

/// An answer, with what it cost.
#[derive(Debug)]
pub struct Answered {
    pub raw: String,
    pub finish: Finish,
    pub usage: Usage,
    /// From the request to the last token.
    pub took: Duration,
    /// The masks that were computed for a call.
    pub masks: Vec<Duration>,
    /// How many batches the answer was evaluated in.
    pub batches: u32,
}

/// Answers that were written side by side.
#[derive(Debug)]
pub struct Beside {
    /// What was written, in the order of the requests.
    pub answers: Vec<(String, Usage)>,
    /// From the requests to the last token of all.
    pub took: Duration,
    /// How often tokens were evaluated.
    pub evaluations: u64,
}

/// Loads a model and measures with it.
pub fn with<T>(
    options: &LlamaOptions,
    work: impl FnOnce(&mut Gauge<'_>) -> Result<T, String>,
) -> Result<T, String> {
    let started = Instant::now();
    let (state, _states) = tokio::sync::mpsc::unbounded_channel();
    let (_loading, receiver) = mpsc::channel();
    let mut queue = Queue::new(receiver);
    let draft = load_draft(options, &state, &mut queue);
    with_loaded(options, &state, &mut queue, |loaded, _| {
        let tuning = loaded.tuning;
        let drafter = draft
            .as_ref()
            .and_then(|draft| draft.drafter(&loaded, &state));
        let drafts = drafter.is_some();
        let (mut engine, info) = ready(options, loaded)?;
        engine.draft_with(drafter);
        let (commands, receiver) = mpsc::channel();
        let mut gauge = Gauge {
            engine,
            queue: Queue::new(receiver),
            _commands: commands,
            info,
            tuning,
            drafts,
            loading: started.elapsed(),
        };
        let result = work(&mut gauge);
        gauge.engine.finish_saving();
        result
    })
}

/// Loads no more of a model than its vocabulary's constraints need.
pub fn constraints(options: &LlamaOptions) -> Result<Constraints, String> {
    let (_commands, receiver) = mpsc::channel();
    log::start_backend();
    let (state, _states) = tokio::sync::mpsc::unbounded_channel();
    let weights = load(options, Some(0), &state, &mut Queue::new(receiver))?;
    Constraints::new(&vocabulary::token_env(&weights)).map_err(|error| error.to_string())
}

impl Gauge<'_> {
    /// Evaluates so many tokens of a prompt from an empty context on.
    pub fn read(&mut self, tokens: usize) -> Result<Duration, String> {
        let count = self.engine.cache.weights().vocabulary();
        let tokens: Vec<Token> = (0..tokens)
            .map(|n| Token::try_from((n * 7919 + 1000) % count).unwrap_or(0))
            .collect();
        self.forget();
        self.engine.cache.context().wake();
        let started = Instant::now();
        let done = self.engine.cache.feed(&tokens, &|| false);
        let took = started.elapsed();
        self.engine.cache.context().rest();
        done.map(|()| took).map_err(|error| format!("{error:?}"))
    }

    /// Writes so many tokens one by one after what is evaluated, whatever they say.
    pub fn write(&mut self, tokens: usize) -> Result<Duration, String> {
        let mut sampler = Sampler::new(&Sampling::default());
        self.engine.cache.context().wake();
        let mut token = self.engine.cache.weights().bos().unwrap_or(1);
        let started = Instant::now();
        for _ in 0..tokens {
            let pushed = self.engine.cache.push(&[token], &[], &|| false);
            pushed.map_err(|error| format!("{error:?}"))?;
            let logits = self.engine.cache.context().logits(0);
            token = logits
                .and_then(|logits| sampler.draw(logits, None))
                .ok_or("it computed no usable numbers")?;
        }
        let took = started.elapsed();
        self.engine.cache.context().rest();
        Ok(took)
    }

    /// Evaluates a batch of tokens after what is evaluated, with the logits of each, and forgets it again.
    pub fn batch(&mut self, tokens: usize) -> Result<Duration, String> {
        let batch: Vec<Token> = (0..tokens)
            .map(|n| Token::try_from(1000 + n).unwrap_or(0))
            .collect();
        self.engine.cache.context().wake();
        let started = Instant::now();
        let done = self.engine.cache.push(&batch[..1], &batch[1..], &|| false);
        let took = started.elapsed();
        self.engine.cache.context().rest();
        done.map_err(|error| format!("{error:?}"))?;
        self.engine.cache.drop_last(tokens);
        Ok(took)
    }

    /// Answers a request.
    pub fn answer(
        &mut self,
        request: &ModelRequest,
        speculation: Speculation,
    ) -> Result<Answered, String> {
        self.engine.speculate(speculation);
        let (events, mut told) = channel(EVENTS);
        let started = Instant::now();
        self.engine
            .answer(request, &events, &Cancel::default(), &mut self.queue);
        let took = started.elapsed();
        let tally = std::mem::take(&mut self.engine.tally);
        while let Ok(event) = told.try_recv() {
            match event {
                ModelEvent::Failed { failure } => return Err(failure.to_string()),
                ModelEvent::Done { raw, finish, usage } => {
                    return Ok(Answered {
                        raw,
                        finish,
                        usage,
                        took,
                        masks: tally.masks,
                        batches: tally.batches,
                    });
                }
                _ => {}
            }
        }
        Err("the answer did not end".to_owned())
    }

    /// Answers clients' requests side by side.
    pub fn answer_together(&mut self, requests: &[ModelRequest]) -> Result<Beside, String> {
        let started = Instant::now();
        let before = self.engine.cache.context().evaluations;
        let mut together = Together::new(&mut self.engine);
        let mut told = Vec::new();
        for request in requests {
            let (events, receiver) = channel(EVENTS);
            told.push(receiver);
            together.take(Asked {
                request: Box::new(request.clone()),
                events,
                cancel: Cancel::default(),
            });
        }
        while together.step() {}
        together.finish();
        let took = started.elapsed();
        let mut answers = Vec::new();
        for mut told in told {
            while let Ok(event) = told.try_recv() {
                match event {
                    ModelEvent::Failed { failure } => return Err(failure.to_string()),
                    ModelEvent::Done { raw, usage, .. } => answers.push((raw, usage)),
                    _ => {}
                }
            }
        }
        Ok(Beside {
            answers,
            took,
            evaluations: self.engine.cache.context().evaluations - before,
        })
    }

    /// Forgets everything that is evaluated.
    pub fn forget(&mut self) {
        self.engine.cache.clear_all();
    }

    /// Keeps what is evaluated for another run, as the options say where.
    pub fn save(&mut self) {
        self.engine.save();
        self.engine.finish_saving();
    }
}
