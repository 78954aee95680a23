//! The built-in filesystem server.
