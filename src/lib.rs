//! walden: agentic coding in a terminal with a local model, where nothing leaves the machine.

#![deny(unsafe_code)]

pub mod agent;
pub mod mcp;
pub mod model;
pub mod protocol;
pub mod servers;
pub mod session;
pub mod tui;
pub mod workspace;
