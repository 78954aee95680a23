//! `walden serve`: the built-in servers for any other MCP host.
//!
//! Owns the transports. What is served is a [`rmcp::ServerHandler`] that the composition root has built; this module knows
//! nothing of what it does. Standard output belongs to the protocol: whatever a server has to tell a person goes
//! through the log to standard error.

#[cfg(feature = "net")]
mod clients;
#[cfg(feature = "net")]
mod gauges;
#[cfg(feature = "net")]
mod http;
mod message;
#[cfg(feature = "net")]
mod rate;
#[cfg(feature = "net")]
mod room;
mod stdio;
#[cfg(feature = "net")]
mod token;
#[cfg(feature = "net")]
mod watched;

#[cfg(feature = "net")]
pub use clients::{Client, Clients, ClientsError, ReadClients, Rights};
#[cfg(feature = "net")]
pub use http::{Http, HttpOptions, Reach};
pub use stdio::stdio;
#[cfg(feature = "net")]
pub use token::Token;
#[cfg(feature = "net")]
pub use watched::{Served, ServedCall, Witness};

/// Why serving ended before the client was done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    #[error("the client did not begin as MCP asks: {0}")]
    Begin(String),
    #[error("the server broke: {0}")]
    Broken(String),
    #[error("cannot make a token: the system gives no random bytes")]
    NoRandom,
    #[error("the token is too weak: it needs {0} or more visible ASCII characters")]
    WeakToken(usize),
    #[error("cannot listen on {0}: other machines could connect")]
    NotLoopback(std::net::SocketAddr),
    #[error("cannot listen on {address}: {source}")]
    Listen {
        address: std::net::SocketAddr,
        source: std::io::Error,
    },
}
