//! The llama.cpp engine: one thread that owns the weights, the context and what is evaluated in it.
//!
//! Nothing outside this folder knows llama.cpp. A failed assertion in it aborts the process, which nothing unwinds:
//! see [`on_abort`].

mod cache;
mod cores;
mod crash;
mod device;
mod draft;
mod fit;
mod generate;
mod gguf;
mod hardware;
mod identity;
mod load;
mod log;
mod manners;
pub mod measure;
mod memory;
mod native;
mod prompt;
mod queue;
mod sample;
mod snapshots;
#[cfg(test)]
mod tests;
mod tokens;
mod tuning;
mod vocabulary;

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::constraint::Constraints;
use super::speculate::Speculation;
use super::{Command, Model};
use crate::protocol::{
    CallForm, KvType, ModelEvent, ModelFailure, ModelInfo, ModelMemory, WeightLayout,
};

use cache::Cache;
use draft::Drafter;
use generate::{Asked, Engine};
use native::{Context, Weights};
use queue::{Next, Queue};
use snapshots::{Key, Moment, Snapshots};

pub use crash::on_crash;
pub use device::Device;
pub use hardware::{Hardware, hardware};
pub use log::{NO_BACKTRACE, on_abort};
pub use manners::{end, leave};
pub use snapshots::{DEFAULT_CAP as SNAPSHOTS_CAP, clear as clear_snapshots};
pub use tuning::Tuning;

/// How often the loaded share is told.
const LOADING_INTERVAL: Duration = Duration::from_millis(50);

/// How long nothing may be asked of the model before the conversation's state is kept.
const IDLE: Duration = Duration::from_millis(1500);

/// llama.cpp and the grammar compiler recurse; the default stack of a thread is small on some systems.
const STACK: usize = 8 * 1024 * 1024;

/// What to load, and how.
#[derive(Debug, Clone)]
pub struct LlamaOptions {
    /// A GGUF file.
    pub path: PathBuf,
    /// The catalog name, or the file's stem.
    pub name: String,
    /// The context window in tokens; by default what the model was trained for, up to a limit.
    pub context: Option<u32>,
    /// Threads to compute with; by default one for each core.
    pub threads: Option<usize>,
    /// Layers to put on a graphics card; by default what fits, if there is one.
    pub gpu_layers: Option<u32>,
    /// Lets the threads that answer a person go first.
    pub gives_way: bool,
    /// How the KV cache keeps a number.
    pub kv: KvType,
    /// How a processor keeps the weights.
    pub layout: WeightLayout,
    /// The memory to plan with, in bytes; by default what the machine has free.
    pub memory: Option<u64>,
    /// Holds arguments to what is there: paths to the known ones, the `old` of an edit to what its file holds.
    pub real_arguments: bool,
    /// The form that calls are asked for in; by default the one of the model's family.
    pub form: Option<CallForm>,
    /// Whether tokens are guessed and evaluated ahead.
    pub speculation: Speculation,
    /// A smaller model of the same family that writes ahead where that pays.
    pub draft: Option<PathBuf>,
    /// Where the states of conversations are kept between runs; they are not where there is no folder.
    pub snapshots: Option<PathBuf>,
    /// How much room those states take together, in bytes.
    pub snapshots_cap: u64,
    /// Keeps the past of models with a sliding window whole: more memory, and going back to any place.
    pub whole_window: bool,
    /// Treats the model as one that cannot forget a part of what it evaluated. For tests of what is done then.
    pub refuse_cuts: bool,
    /// What is to go wrong, in tests.
    #[cfg(test)]
    pub(crate) fault: Option<native::Fault>,
}

impl LlamaOptions {
    /// Loads a file under the name of its stem, with everything else left to the engine.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path.file_stem().map_or_else(
            || "model".to_owned(),
            |stem| stem.to_string_lossy().into_owned(),
        );
        Self {
            path,
            name,
            context: None,
            threads: None,
            gpu_layers: None,
            gives_way: false,
            kv: KvType::default(),
            layout: WeightLayout::default(),
            memory: None,
            real_arguments: true,
            form: None,
            speculation: Speculation::default(),
            draft: None,
            snapshots: None,
            snapshots_cap: SNAPSHOTS_CAP,
            whole_window: true,
            refuse_cuts: false,
            #[cfg(test)]
            fault: None,
        }
    }

    /// Returns how the draft model is loaded, if there is one.
    fn of_draft(&self) -> Option<Self> {
        Some(Self {
            context: self.context,
            threads: self.threads,
            gpu_layers: self.gpu_layers,
            kv: self.kv,
            layout: self.layout,
            ..Self::new(self.draft.clone()?)
        })
    }
}

/// What is known of a model file before it is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    pub architecture: String,
    /// The context window that it would get, in tokens.
    pub context: u32,
    pub memory: ModelMemory,
    /// What the user has to know.
    pub notice: Option<String>,
}

/// Looks at a model without loading it.
///
/// # Errors
/// Says why it would not be loaded: the file is no sound model, or the memory does not hold it.
pub fn examine(options: &LlamaOptions) -> Result<Outlook, String> {
    let header = gguf::check(&options.path).map_err(|error| error.to_string())?;
    log::start_backend();
    let plan = load::plan(options, &header)?;
    Ok(Outlook {
        architecture: crate::protocol::sanitize_line(header.architecture()),
        context: plan.context.context,
        memory: plan.planned(),
        notice: plan.notice,
    })
}

/// Starts a model on a thread of its own. `state` hears `Loading`, and then `Loaded` or `Failed`; requests that
/// came before are answered after that.
pub fn spawn(options: LlamaOptions, state: UnboundedSender<ModelEvent>) -> Model {
    let (commands, receiver) = mpsc::channel();
    let failed = state.clone();
    let (keeping, keeps) = watch::channel(false);
    let thread = std::thread::Builder::new()
        .name("model".to_owned())
        .stack_size(STACK)
        .spawn(move || run(&options, &state, Queue::new(receiver), keeping));
    if let Err(error) = thread {
        tell(
            &failed,
            ModelEvent::Failed {
                failure: load_failure(format!("cannot start a thread for it: {error}")),
            },
        );
    }
    Model::new(commands).waiting_for(keeps)
}

fn run(
    options: &LlamaOptions,
    state: &UnboundedSender<ModelEvent>,
    mut queue: Queue,
    keeping: watch::Sender<bool>,
) {
    #[cfg(test)]
    native::break_at(options.fault);
    if options.gives_way {
        manners::give_way();
    }
    if let Err(message) = load_and_serve(options, state, &mut queue, keeping) {
        let failure = load_failure(message);
        tell(
            state,
            ModelEvent::Failed {
                failure: failure.clone(),
            },
        );
        while let Next::Command(command) = queue.next(None) {
            let Command::Generate { events, .. } = command else {
                continue;
            };
            // A session that dropped the receiver does not wait for the answer.
            let _ = events.blocking_send(ModelEvent::Failed {
                failure: failure.clone(),
            });
        }
    }
}

fn load_and_serve(
    options: &LlamaOptions,
    state: &UnboundedSender<ModelEvent>,
    queue: &mut Queue,
    keeping: watch::Sender<bool>,
) -> Result<(), String> {
    let draft = load_draft(options, state, queue);
    with_loaded(options, state, queue, |loaded, queue| {
        let drafter = draft
            .as_ref()
            .and_then(|draft| draft.drafter(&loaded, state));
        let (mut engine, info) = ready(options, loaded)?;
        engine.draft_with(drafter);
        // From here on there may be something that the next start is quicker with.
        keeping.send_replace(true);
        tell(state, ModelEvent::Loaded { info });
        serve(&mut engine, queue);
        engine.finish_saving();
        // Nobody has to wait for the weights to be given back.
        drop(keeping);
        manners::rest_if_leaving();
        Ok(())
    })
}

/// The weights of a draft model, with what its context is made of.
struct Draft {
    weights: Weights,
    context: native::ContextOptions,
}

impl Draft {
    /// Makes it draft for a loaded model, or says why it does not.
    fn drafter(
        &self,
        loaded: &Loaded<'_>,
        state: &UnboundedSender<ModelEvent>,
    ) -> Option<Drafter<'_>> {
        Drafter::new(loaded.weights, &self.weights, self.context)
            .map_err(|reason| not_drafting(&reason, state))
            .ok()
    }
}

/// Loads the draft model, if there is one. The model works without it where that fails.
fn load_draft(
    options: &LlamaOptions,
    state: &UnboundedSender<ModelEvent>,
    queue: &mut Queue,
) -> Option<Draft> {
    let options = options.of_draft()?;
    let loaded = gguf::check(&options.path)
        .map_err(|error| error.to_string())
        .and_then(|header| {
            log::start_backend();
            load::plan(&options, &header)
        })
        .and_then(|plan| {
            let layers = plan.attempts.first().copied().flatten();
            let weights = Weights::load(&options.path, layers, options.layout, &mut |_| {
                !queue.is_abandoned()
            })
            .map_err(|reason| load::explain(&options.path, &reason))?;
            Ok(Draft {
                weights,
                context: plan.context,
            })
        });
    loaded.map_err(|reason| not_drafting(&reason, state)).ok()
}

fn not_drafting(reason: &str, state: &UnboundedSender<ModelEvent>) {
    let text = format!("The draft model is not used: {reason}.");
    tell(state, ModelEvent::Notice { text });
}

/// A loaded model, with a context made for it.
struct Loaded<'w> {
    weights: &'w Weights,
    context: Context<'w>,
    memory: ModelMemory,
    tuning: Tuning,
    /// The layers on a graphics device, where that was chosen here.
    layers: Option<u32>,
}

/// Loads a model with as many layers on a graphics device as fit, and works with it.
fn with_loaded<T>(
    options: &LlamaOptions,
    state: &UnboundedSender<ModelEvent>,
    queue: &mut Queue,
    work: impl FnOnce(Loaded<'_>, &mut Queue) -> Result<T, String>,
) -> Result<T, String> {
    let header = gguf::check(&options.path).map_err(|error| error.to_string())?;
    log::start_backend();
    let plan = load::plan(options, &header)?;
    if let Some(notice) = &plan.notice {
        tell(
            state,
            ModelEvent::Notice {
                text: notice.clone(),
            },
        );
    }
    let mut failed = Vec::new();
    for layers in plan.attempts.clone() {
        let weights = match load(options, layers, state, queue) {
            Ok(weights) => weights,
            Err(reason) if queue.is_abandoned() => return Err(reason),
            Err(reason) => {
                failed.push((layers, reason));
                continue;
            }
        };
        if !weights.is_chat_model() {
            return Err("it is no model that answers in text; choose another one".to_owned());
        }
        match Context::new(&weights, plan.context) {
            Ok(context) => {
                if let Some(notice) = plan.fell_back(layers, &failed) {
                    tell(state, ModelEvent::Notice { text: notice });
                }
                let loaded = Loaded {
                    weights: &weights,
                    context,
                    memory: plan.memory(layers),
                    tuning: plan.tuning,
                    layers,
                };
                return work(loaded, queue);
            }
            Err(reason) => failed.push((layers, reason)),
        }
    }
    Err(failed.pop().map_or_else(String::new, |(_, reason)| reason))
}

/// Puts an engine together around a loaded model.
fn ready<'w>(
    options: &LlamaOptions,
    loaded: Loaded<'w>,
) -> Result<(Engine<'w>, ModelInfo), String> {
    let Loaded {
        weights,
        context,
        memory,
        layers,
        ..
    } = loaded;
    let template = identity::template(weights)?;
    let mut info = identity::info(weights, &template, &options.name, context.window(), memory);
    info.form = options.form.unwrap_or(info.form);
    let constraints = Constraints::new(&vocabulary::token_env(weights));
    if let Err(error) = &constraints {
        tracing::warn!("calls are not constrained: {error}");
    }
    let snapshots = keeping(options, &context, layers);
    let cache = Cache::new(context, snapshots);
    let mut engine = Engine::new(cache, template, constraints.ok(), &info);
    engine.real_arguments(options.real_arguments);
    engine.speculate(options.speculation);
    Ok((engine, info))
}

/// Answers what is asked of a loaded model, until nobody is there to ask.
fn serve(engine: &mut Engine<'_>, queue: &mut Queue) {
    loop {
        let patience = engine.is_unsaved(Moment::Idle).then_some(IDLE);
        match queue.next(patience) {
            Next::Command(Command::Generate {
                request,
                events,
                cancel,
            }) => {
                if engine.answers_together(&request) {
                    let asked = Asked {
                        request,
                        events,
                        cancel,
                    };
                    engine.answer_together(asked, queue);
                } else {
                    engine.answer(&request, &events, &cancel, queue);
                }
            }
            Next::Command(Command::Prepare {
                request,
                cancel,
                ended,
            }) => {
                engine.prepare(&request, &cancel);
                drop(ended);
            }
            Next::Idle => engine.save(),
            Next::Abandoned => {
                if engine.is_unsaved(Moment::Closing) {
                    engine.save();
                }
                return;
            }
        }
    }
}

/// Opens the folder of kept states, where there is to be one.
fn keeping(
    options: &LlamaOptions,
    context: &Context<'_>,
    layers: Option<u32>,
) -> Option<Snapshots> {
    let folder: &Path = options.snapshots.as_deref()?;
    let engine = snapshots::Engine {
        version: native::version(),
        context: context.window(),
        kv: options.kv.name(),
        whole_window: options.whole_window,
        gpu_layers: layers,
    };
    let key = Key::of(&options.path, &engine)?;
    Snapshots::open(folder, options.snapshots_cap, key)
}

fn load(
    options: &LlamaOptions,
    layers: Option<u32>,
    state: &UnboundedSender<ModelEvent>,
    queue: &mut Queue,
) -> Result<Weights, String> {
    let mut told: Option<Instant> = None;
    let mut progress = |share: f32| {
        if share >= 1.0 || told.is_none_or(|told| told.elapsed() >= LOADING_INTERVAL) {
            told = Some(Instant::now());
            tell(state, ModelEvent::Loading { share });
        }
        !queue.is_abandoned()
    };
    Weights::load(&options.path, layers, options.layout, &mut progress)
        .map_err(|reason| load::explain(&options.path, &reason))
}

/// Reads the vocabulary of a GGUF file, as constraints need it.
///
/// # Errors
/// When the file cannot be loaded; the text says why.
pub fn vocabulary_of(path: &Path) -> Result<toktrie::TokEnv, String> {
    gguf::check(path).map_err(|error| error.to_string())?;
    log::start_backend();
    // Nothing is computed with them.
    let weights = Weights::load(path, Some(0), WeightLayout::Mapped, &mut |_| true)?;
    Ok(vocabulary::token_env(&weights))
}

fn load_failure(message: String) -> ModelFailure {
    ModelFailure::Load { message }
}

fn tell(state: &UnboundedSender<ModelEvent>, event: ModelEvent) {
    // A session that is gone needs no word of the model.
    let _ = state.send(event);
}
