//! The built-in MCP servers.

pub mod filesystem;
pub mod git;
mod granted;
pub mod memory;
pub mod run;
