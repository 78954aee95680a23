//! The boundary between a session and a model. Everything here is serialisable, so that a model can run in another
//! process.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{CallForm, ToolList, ToolSpec};

/// Identifies one generation of a session. Events of an older generation are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GenerationId(pub u64);

/// A message of the conversation as the model sees it. The list only ever grows at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "role")]
pub enum Message {
    System {
        text: String,
    },
    User {
        text: String,
    },
    /// What the model wrote, byte for byte, calls included: rendering it again gives the same prompt prefix.
    Assistant {
        raw: String,
    },
    /// What a call returned.
    Tool {
        name: String,
        text: String,
    },
}

/// One request: the whole conversation, and how to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelRequest {
    pub id: GenerationId,
    pub messages: Vec<Message>,
    /// The tools that a call may name. Their order never changes within a session; new ones come at the end.
    pub tools: Vec<ToolSpec>,
    pub choice: ToolChoice,
    pub sampling: Sampling,
    /// What the `old` argument of an edit may quote, per file.
    pub passages: Vec<Passages>,
    /// What arguments may name that are marked with [`KNOWN_KEYWORD`]. Of a kind that is not here, they may name
    /// anything.
    #[serde(default)]
    pub known: Vec<Known>,
    #[serde(default)]
    pub lane: Lane,
    /// How many of the tools, at the end, stand in no list that a template writes: the conversation tells of them, so
    /// that the prompt's beginning stays what it was.
    #[serde(default)]
    pub unlisted: usize,
    /// Asks for no answer, but where the model would depart from a text.
    #[serde(default)]
    pub doubts: Option<Doubts>,
}

/// Asks where a model would write something else than a text says, after the prompt.
///
/// A text that is evaluated as if the model had written it tells, at each of its tokens, what else the model thought of
/// there. The likeliest of those are begun, and written on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Doubts {
    /// What the model is taken to have written before the text.
    pub lead: String,
    #[serde(with = "shared_text")]
    pub text: Arc<str>,
    /// The bytes of the text at which a departure may begin.
    pub within: Vec<Range<usize>>,
    /// How many of the likeliest departures are passed over, and how many are wanted after them.
    pub skip: usize,
    pub most: usize,
    /// Texts to be weighed against what stands in the text, in its order; then no departures are looked for.
    #[serde(default)]
    pub rivals: Vec<Rival>,
}

/// Lines that could stand in the place of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rival {
    /// The lines of the text, in bytes.
    pub at: Range<usize>,
    /// What could stand there: whole lines.
    pub other: String,
}

/// What a model would write instead of the rest of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Departure {
    /// The byte of the text at which it begins.
    pub at: usize,
    /// How likely its first token was there, 0 to 1.
    pub likelihood: f32,
    /// What is written from there on, to the end of its line and, as a rule, of the next one.
    pub written: String,
}

/// What a request's evaluated prompt is kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// The conversation: the next request begins with what this one leaves.
    #[default]
    Main,
    /// Something beside it, a title or a summary: it uses what it has in common with the conversation, and takes
    /// nothing from it. Where the window has no room for both, it fails with [`ModelFailure::ContextFull`].
    Side,
    /// A client's own question, that has nothing in common with a conversation; those that wait together are answered
    /// side by side.
    Client,
}

/// The text of a file that the model has seen and may quote in an edit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Passages {
    pub path: String,
    /// The file's text as it is now, with `\n` at the end of its lines.
    #[serde(with = "shared_text")]
    pub text: Arc<str>,
}

/// The keyword in a built-in tool's schema that says what a string names: `file`, `folder`, `path` (one of both),
/// `ref` or `entity`.
pub const KNOWN_KEYWORD: &str = "x-walden-known";

/// Names that are there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    pub kind: KnownKind,
    /// In the order of their bytes. Shared: there may be very many.
    #[serde(with = "shared_names")]
    pub names: Arc<[String]>,
}

/// What names are names of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownKind {
    File,
    Folder,
    GitRef,
    Entity,
}

/// A shared text, written as a text.
mod shared_text {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(from).map(Arc::from)
    }
}

/// Shared names, written as a list.
mod shared_names {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        names: &Arc<[String]>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(names.iter())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Arc<[String]>, D::Error> {
        Vec::deserialize(from).map(Arc::from)
    }
}

/// Whether the model may, must or must not call a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "choice")]
pub enum ToolChoice {
    /// Text, a call, or text and then a call.
    Auto,
    /// A call of one of these tools (by [`ToolSpec::name`]), from the first token.
    Required { names: Vec<String> },
    /// Text only.
    None,
}

/// How tokens are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// 0 is greedy.
    pub temperature: f32,
    pub top_p: f32,
    pub top_k: u32,
    pub seed: u32,
    /// The most tokens to generate.
    pub max_tokens: u32,
    /// The most calls that an answer may make. After the first, only further calls are taken.
    #[serde(default = "one")]
    pub max_calls: u32,
}

fn one() -> u32 {
    1
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_p: 1.0,
            top_k: 0,
            seed: 0,
            max_tokens: 2048,
            max_calls: 1,
        }
    }
}

/// What a model says while it loads and generates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum ModelEvent {
    /// The share of the weights that is loaded, 0 to 1.
    Loading {
        share: f32,
    },
    /// Something that the user has to know of how it is loaded.
    Notice {
        text: String,
    },
    Loaded {
        info: ModelInfo,
    },
    /// Prompt tokens evaluated so far, those found in the cache included.
    PromptProgress {
        done: u32,
        total: u32,
        cached: u32,
    },
    /// Text of the answer, valid UTF-8.
    Text {
        text: String,
    },
    /// Text of a thinking block.
    Reasoning {
        text: String,
    },
    /// A call is being written: its tool once known, and how many bytes of it there are.
    CallDrafted {
        name: Option<String>,
        bytes: u32,
    },
    /// A call that was written to its end. Its arguments are JSON and fit the schema where it was constrained.
    Call {
        name: String,
        arguments: Map<String, Value>,
    },
    /// Something that opened as a call and is none, with what is wrong with it.
    BadCall {
        raw: String,
        problem: String,
    },
    /// Where the model would depart from the text that a request's [`Doubts`] name. The likeliest come first.
    Departed {
        departure: Departure,
    },
    /// By how much one of a request's rivals, counted from 0, is likelier than what stands there: the natural logarithm
    /// of how many times.
    Weighed {
        rival: usize,
        likelier: f32,
    },
    /// The generation ended; `raw` is all that the model wrote, for the next request's history.
    Done {
        raw: String,
        finish: Finish,
        usage: Usage,
    },
    Failed {
        failure: ModelFailure,
    },
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model ended its answer.
    Stop,
    /// A call was complete.
    Call,
    /// `max_tokens` or the context window was reached.
    Length,
    Cancelled,
}

/// What a generation cost.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Prompt tokens in all, and those of them that were taken from the cache.
    pub prompt: u32,
    pub cached: u32,
    pub generated: u32,
    /// Tokens that were evaluated ahead on a guess, and those of them that were then written.
    #[serde(default)]
    pub guessed: u32,
    #[serde(default)]
    pub guessed_right: u32,
    /// Milliseconds spent on the prompt and on generating.
    pub prompt_ms: u32,
    pub generate_ms: u32,
    /// Microseconds of it that went into working out which tokens a call may go on with.
    #[serde(default)]
    pub mask_us: u32,
}

impl Usage {
    /// Adds another generation's cost.
    pub fn add(&mut self, other: &Self) {
        self.prompt += other.prompt;
        self.cached += other.cached;
        self.generated += other.generated;
        self.guessed += other.guessed;
        self.guessed_right += other.guessed_right;
        self.prompt_ms += other.prompt_ms;
        self.generate_ms += other.generate_ms;
        self.mask_us = self.mask_us.saturating_add(other.mask_us);
    }

    /// Returns the speed of generation in tokens a second, or `None` when too little was generated to tell.
    pub fn tokens_per_second(&self) -> Option<f32> {
        (self.generated > 1 && self.generate_ms > 0)
            .then(|| self.generated as f32 * 1000.0 / self.generate_ms as f32)
    }
}

/// What is known of a loaded model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// The catalog name, or the file's name.
    pub name: String,
    /// `general.name` of the GGUF, sanitized.
    pub title: String,
    /// `general.architecture` of the GGUF.
    pub architecture: String,
    pub parameters: u64,
    /// The context window in use, in tokens.
    pub context: u32,
    /// The form that this model writes its calls in.
    pub form: CallForm,
    #[serde(default)]
    pub memory: ModelMemory,
    /// Where it is told which tools there are.
    #[serde(default)]
    pub tools: ToolList,
}

/// The memory that a loaded model takes, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ModelMemory {
    pub weights: u64,
    /// The KV cache for the whole window.
    pub kv: u64,
    /// Intermediate results.
    pub compute: u64,
    /// How many of the model's layers are on a graphics device.
    pub gpu_layers: u32,
    pub layers: u32,
    /// How much of all this is in the device's memory.
    pub on_device: u64,
    /// The device, where layers are on one.
    pub device: Option<String>,
}

impl ModelMemory {
    /// Returns all of it together.
    pub fn total(&self) -> u64 {
        self.weights + self.kv + self.compute
    }
}

impl std::fmt::Display for ModelMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = |bytes: u64| match bytes {
            0..1_000_000_000 => format!("{} MB", bytes.div_ceil(1_000_000)),
            _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
        };
        write!(f, "{} of memory", size(self.total()))?;
        if let Some(device) = &self.device {
            let (placed, all) = (self.gpu_layers, self.layers);
            write!(
                f,
                ", {placed} of {all} layers on {device} ({})",
                size(self.on_device)
            )?;
        }
        Ok(())
    }
}

/// How the KV cache keeps a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvType {
    /// Two bytes, as computed.
    #[default]
    F16,
    /// About one byte, rounded: half the memory, and slower on processors.
    #[serde(rename = "q8_0")]
    Q8_0,
}

impl KvType {
    /// Returns the name, as it is written in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
        }
    }
}

/// How a processor keeps the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightLayout {
    /// Rearranged in memory of their own while they are loaded, for writing one token after the other.
    #[default]
    Packed,
    /// As they are in the file, which other programs share: there at once, and faster for many tokens together, where
    /// the processor has wide vectors; slower for one.
    Mapped,
}

impl WeightLayout {
    /// Returns the name, as it is written in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Packed => "packed",
            Self::Mapped => "mapped",
        }
    }
}

/// Why a model could not answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "failure")]
pub enum ModelFailure {
    /// The model could not be loaded.
    Load { message: String },
    /// The conversation does not fit into the context window.
    ContextFull { needed: u32, context: u32 },
    /// The engine reported an error.
    Engine { message: String },
}

impl std::fmt::Display for ModelFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Load { message } => write!(f, "cannot load the model: {message}"),
            Self::ContextFull { needed, context } => {
                write!(
                    f,
                    "the conversation needs {needed} tokens and the context window holds {context}"
                )
            }
            Self::Engine { message } => write!(f, "the model stopped: {message}"),
        }
    }
}
