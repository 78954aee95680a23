//! The network: all that walden says to other machines on a server's behalf, behind one door.
//!
//! Owns the client side of HTTP ([`Client`]), MCP's transports over it ([`remote`]: streamable HTTP of both eras, and
//! the older HTTP+SSE), and the authorization that such servers ask for ([`oauth`]). Every byte stream comes from a
//! [`Connect`]: this process itself, or another one that may reach the network when this one may not.
//!
//! What holds throughout: a redirect to another server is not followed; a token goes to the server that it was given
//! for and to no other, and into no log; everything read has a size limit. It knows rmcp's transports and messages,
//! and nothing of the host, of the agent or of the screen.

mod address;
mod client;
mod connect;
mod events;
pub mod oauth;
pub mod remote;

pub use address::{Address, AddressError, Origin, Reach};
pub use client::{Body, Client, HttpError};
pub use connect::{Connect, Connecting, Direct, Encryption, Stream};
