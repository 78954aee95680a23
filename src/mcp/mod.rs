//! The MCP host.
