//! The options of every command that runs a session.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::Config;
use crate::protocol::{KvType, Mechanism, Mode, WeightLayout};

const MODEL: &str = "The model";
const WORK: &str = "What it does";
const SCREEN: &str = "The screen";
const SEAL: &str = "The seal";

/// Options of every command that runs a session.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Work in this folder's repository instead of the current one
    #[arg(short = 'C', long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    /// The model: a catalog name (see `walden model list`) or the path of a GGUF file
    #[arg(short, long, value_name = "NAME|FILE", help_heading = MODEL)]
    pub model: Option<String>,
    /// What may be done without asking
    #[arg(long, value_name = "MODE", help_heading = WORK)]
    pub mode: Option<ModeName>,
    /// The theme: default, light, dark, high-contrast, colour-blind, colour-blind-light, mono,
    /// or one of your own
    #[arg(long, value_name = "NAME", help_heading = SCREEN)]
    pub theme: Option<String>,
    /// Lines instead of a screen: for screen readers, and terminals that can do nothing
    #[arg(long, help_heading = SCREEN)]
    pub plain: bool,
    /// The context window in tokens
    #[arg(long, value_name = "TOKENS", help_heading = MODEL)]
    pub context: Option<u32>,
    /// Threads for inference
    #[arg(long, value_name = "N", help_heading = MODEL)]
    pub threads: Option<usize>,
    /// Layers to put on the GPU (all that fit by default)
    #[arg(long, value_name = "N", help_heading = MODEL)]
    pub gpu_layers: Option<u32>,
    /// A smaller model of the same family that writes ahead where that is faster (pays on a graphics card, or for a
    /// large model)
    #[arg(long, value_name = "NAME|FILE", help_heading = MODEL)]
    pub draft: Option<String>,
    /// How the context is kept: `q8_0` halves its memory, and is slower on processors
    #[arg(long, value_name = "TYPE", help_heading = MODEL)]
    pub kv: Option<Kv>,
    /// How a processor keeps the weights: `mapped` starts sooner and reads prompts faster, `packed` writes faster
    #[arg(long, value_name = "HOW", help_heading = MODEL)]
    pub weights: Option<Weights>,
    /// The most generations in a turn
    #[arg(long, value_name = "N", help_heading = WORK)]
    pub max_turns: Option<u32>,
    /// The most tokens in a turn: evaluated prompt and generated text together
    #[arg(long, value_name = "TOKENS", help_heading = WORK)]
    pub budget: Option<u32>,
    /// How freely tokens are drawn; 0 always takes the likeliest
    #[arg(long, value_name = "T", help_heading = MODEL)]
    pub temperature: Option<f32>,
    /// The command that tells whether an edit is right, run in a copy in the sandbox; `off` for none. By default what
    /// the project's files tell (cargo test, pytest, npm test, go test, make test)
    #[arg(long, value_name = "COMMAND", help_heading = WORK)]
    pub check: Option<String>,
    /// The most edits that are tried before one passes the check
    #[arg(long, value_name = "N", help_heading = WORK)]
    pub tries: Option<u32>,
    /// The longest that edits are tried for in a turn before one passes the check
    #[arg(long, value_name = "SECONDS", help_heading = WORK)]
    pub search_time: Option<u32>,
    /// Let the model name files that are not there and quote what no file holds (to compare; edits fail more often)
    #[arg(long, help_heading = WORK)]
    pub free_arguments: bool,
    #[arg(long, value_name = "NAME", value_parser = Mechanism::read, hide_short_help = true, help = without_help())]
    pub without: Vec<Mechanism>,
    /// Use this third-party MCP server in this run although nobody agreed to it; can be given several times
    #[arg(long, value_name = "NAME", help_heading = WORK)]
    pub trust_server: Vec<String>,
    /// Refuse to start where the kernel, or running as root, weakens what walden promises
    #[arg(long, help_heading = SEAL)]
    pub strict: bool,
    /// Start without the seal: the kernel then keeps walden neither from the network nor from other files
    #[arg(long, help_heading = SEAL)]
    pub no_seal: bool,
}

/// A mode by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeName {
    /// Reads only, no change is made
    Plan,
    /// Reads freely, asks before every change
    Ask,
    /// Edits ordinary files inside the repository without asking
    Edit,
    /// Does everything that stays inside the repository without asking
    Auto,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Plan => Self::Plan,
            ModeName::Ask => Self::Ask,
            ModeName::Edit => Self::Edit,
            ModeName::Auto => Self::Auto,
        }
    }
}

/// A way to keep the context by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kv {
    F16,
    #[value(name = "q8_0")]
    Q8_0,
}

impl From<Kv> for KvType {
    fn from(kv: Kv) -> Self {
        match kv {
            Kv::F16 => Self::F16,
            Kv::Q8_0 => Self::Q8_0,
        }
    }
}

/// A way to keep the weights by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Weights {
    Packed,
    Mapped,
}

impl From<Weights> for WeightLayout {
    fn from(weights: Weights) -> Self {
        match weights {
            Weights::Packed => Self::Packed,
            Weights::Mapped => Self::Mapped,
        }
    }
}

impl Options {
    /// Puts the options that stand after a subcommand on top of those that stand before it.
    #[must_use]
    pub fn under(self, over: Self) -> Self {
        let layer = self.layer().under(over.layer());
        Self {
            plain: self.plain || over.plain,
            cwd: over.cwd.or(self.cwd),
            mode: over.mode.or(self.mode),
            model: layer.model,
            theme: layer.theme,
            context: layer.context,
            threads: layer.threads,
            gpu_layers: layer.gpu_layers,
            draft: layer.draft,
            kv: over.kv.or(self.kv),
            weights: over.weights.or(self.weights),
            max_turns: layer.max_turns,
            budget: layer.budget,
            temperature: layer.temperature,
            check: layer.check,
            tries: layer.tries,
            search_time: layer.search_time,
            free_arguments: self.free_arguments || over.free_arguments,
            without: layer.without,
            trust_server: [self.trust_server, over.trust_server].concat(),
            strict: self.strict || over.strict,
            no_seal: self.no_seal || over.no_seal,
        }
    }

    /// Returns what is left out to be measured: free arguments are one of these by another name.
    pub fn left_out(&self) -> Vec<Mechanism> {
        let mut without = self.without.clone();
        if self.free_arguments && !without.contains(&Mechanism::Arguments) {
            without.push(Mechanism::Arguments);
        }
        without
    }

    /// Writes the options as flags, for a session in another process. Where it works and what it may do are its own.
    pub fn arguments(&self) -> Vec<String> {
        let text = |value: &Option<String>| value.clone();
        let kv = self.kv.map(|kv| KvType::from(kv).name().to_owned());
        let weights = self
            .weights
            .map(|weights| WeightLayout::from(weights).name().to_owned());
        let pairs = [
            ("--model", text(&self.model)),
            ("--context", self.context.map(|value| value.to_string())),
            ("--draft", text(&self.draft)),
            ("--threads", self.threads.map(|value| value.to_string())),
            (
                "--gpu-layers",
                self.gpu_layers.map(|value| value.to_string()),
            ),
            ("--kv", kv),
            ("--weights", weights),
            ("--max-turns", self.max_turns.map(|value| value.to_string())),
            ("--budget", self.budget.map(|value| value.to_string())),
            (
                "--temperature",
                self.temperature.map(|value| value.to_string()),
            ),
            ("--check", text(&self.check)),
            ("--tries", self.tries.map(|value| value.to_string())),
            (
                "--search-time",
                self.search_time.map(|value| value.to_string()),
            ),
        ];
        let mut flags: Vec<String> = pairs
            .into_iter()
            .filter_map(|(flag, value)| Some(format!("{flag}={}", value?)))
            .collect();
        if self.free_arguments {
            flags.push("--free-arguments".to_owned());
        }
        let without = self.without.iter();
        flags.extend(without.map(|without| format!("--without={}", without.name())));
        flags
    }

    /// Returns the flags as the topmost layer of configuration.
    pub fn layer(&self) -> Config {
        Config {
            model: self.model.clone(),
            mode: self.mode.map(Mode::from),
            theme: self.theme.clone(),
            context: self.context,
            threads: self.threads,
            gpu_layers: self.gpu_layers,
            draft: self.draft.clone(),
            kv: self.kv.map(KvType::from),
            weights: self.weights.map(WeightLayout::from),
            max_turns: self.max_turns,
            budget: self.budget,
            temperature: self.temperature,
            check: self.check.clone(),
            tries: self.tries,
            search_time: self.search_time,
            real_arguments: (self.free_arguments || self.without.contains(&Mechanism::Arguments))
                .then_some(false),
            without: self.without.clone(),
            ..Config::default()
        }
    }
}

/// Names what can be left out, from the table.
fn without_help() -> String {
    let names = Mechanism::TABLE.map(|(mechanism, _)| mechanism.name());
    format!(
        "Leave out something that helps a small model, to measure what it is worth: {}; can be given several times",
        names.join(", ")
    )
}
