//! The MCP host: connections to servers, and the tools they offer.
//!
//! Owns the rmcp clients, one per server, and the only conversion between rmcp's types and the vocabulary
//! (`convert`). The agent sees tools through the host alone; the host knows nothing of the agent or of the screen.

mod acting;
mod answering;
pub mod bundle;
mod calling;
mod catalog;
mod choices;
pub mod command;
pub mod config;
mod connection;
mod container;
mod convert;
mod desk;
mod era;
mod eras;
mod event;
mod fits;
mod foreign;
mod form;
mod host;
mod knowledge;
mod lines;
mod link;
mod log;
mod login;
pub mod pins;
mod received;
mod registry;
mod report;
mod state_file;
mod stdio;
mod task_book;
mod tasks;
mod text;
mod trace;
mod view;
mod wire;

/// The key in a call's `_meta` that names an edit to be made in a copy first: `{"tool": name, "arguments": …}`.
pub const META_TRIAL: &str = "walden/trial";

pub use acting::Reload;
pub use choices::Choices;
pub use container::{Life, RUNTIME_VARIABLES, StartContainer, Started};
pub use desk::Attended;
pub use era::Era;
pub use eras::Eras;
pub use event::{HostEvent, Sample, Speaker};
pub use foreign::{
    Contained, OpenRemote, Opening, container_argv, container_runtime, program_reads,
    repository_reads,
};
pub use host::{Caller, Host, HostError, Options, Purpose, Reply, Trust};
pub use knowledge::{Author, Knowledge, Names, Unkept};
pub use login::{Answered, AskPerson, LoggingIn};
pub use task_book::TaskBook;
pub use view::{Attachment, Completed, Inspection};
pub use wire::{Received, Wire};

/// The key in a tool's `_meta` under which a built-in server rates what the tool can do.
pub const META_RISK: &str = "walden/risk";
/// The key in a tool's `_meta` that tells it can preview, and in a call's `_meta` that asks for a preview.
pub const META_PREVIEW: &str = "walden/preview";
/// The key in a call's `_meta` that names the part of the change that is allowed: `{"planned": hash, "passages": …}`.
pub const META_PART: &str = "walden/part";
/// The key in a call's `_meta` that binds it to the change that was shown: `{"base": hash, "after": hash}`.
pub const META_EXPECT: &str = "walden/expect";
