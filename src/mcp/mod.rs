//! The MCP host: connections to servers, and the tools they offer.
//!
//! Owns the rmcp clients, one per server, and the only conversion between rmcp's types and the vocabulary
//! (`convert`). The agent sees tools through the host alone; the host knows nothing of the agent or of the screen.

mod connection;
mod convert;
mod host;
mod knowledge;

/// The key in a call's `_meta` that names an edit to be made in a copy first: `{"tool": name, "arguments": …}`.
pub const META_TRIAL: &str = "walden/trial";

pub use host::{Caller, Host, HostError, Purpose, Reply, Trust};
pub use knowledge::{Keeps, Knowledge, Names};

/// The key in a tool's `_meta` under which a built-in server rates what the tool can do.
pub const META_RISK: &str = "walden/risk";
/// The key in a tool's `_meta` that tells it can preview, and in a call's `_meta` that asks for a preview.
pub const META_PREVIEW: &str = "walden/preview";
/// The key in a call's `_meta` that binds it to the change that was shown: `{"base": hash, "after": hash}`.
pub const META_EXPECT: &str = "walden/expect";
