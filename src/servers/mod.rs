//! The built-in MCP servers.

pub mod chat;
pub mod differences;
pub mod filesystem;
pub mod git;
mod granted;
mod limits;
pub mod memory;
pub mod run;
