//! The broker: the one process of a session that may connect, and only to what the user's own configuration allows.
//!
//! The process that holds the code cannot make a socket. What it needs of a network (a remote MCP server, a remote
//! model) it asks the broker for over two pipes: "open a connection to this host and port". The broker looks the
//! request up in the [`Allowed`] list, resolves the name, refuses what a public name must not lead to, connects, speaks
//! TLS, and passes bytes on; it writes a record of every request. It reads none of the user's files: it has a seal of
//! its own.
//!
//! [`Broker`] is the worker's end: [`Broker::connect`] gives a byte stream. [`serve()`] is the other end; what really
//! connects is handed to it ([`Dial`]). The `wire` between them carries many streams, each with a window, so that one
//! that nobody reads stops its sender and no other.

mod allow;
mod client;
mod serve;
mod stream;
mod wire;

#[cfg(test)]
mod tests;

pub use allow::{Allowed, AllowedError};
pub use client::{Broker, BrokerError};
pub use serve::{Dial, Dialed, Dialing, Note, dial_tcp, serve};
pub use wire::{Target, Tls};

use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes to and from another machine.
pub trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<B: AsyncRead + AsyncWrite + Send + Unpin> Bytes for B {}
