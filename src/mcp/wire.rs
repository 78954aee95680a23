//! A wire: JSON messages to and from one server, whatever carries them.

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How many messages may wait on either side. A server that does not read, or a host that is busy, stops the other.
pub(super) const WAITING: usize = 64;

/// What came over a wire.
#[derive(Debug)]
pub enum Received {
    Message(Value),
    /// Something that cannot be read; the id of the request that it seems to answer.
    Unreadable {
        id: Option<u64>,
        problem: String,
    },
    /// A line that is no message at all.
    Noise(String),
    /// Nothing more will come, for this reason.
    Ended(String),
}

/// JSON messages to and from one server. Dropping it ends what carries them.
pub struct Wire {
    pub(super) outgoing: mpsc::Sender<Value>,
    pub(super) incoming: mpsc::Receiver<Received>,
    /// What moves the messages.
    pub(super) tasks: JoinSet<()>,
    /// Asks for a goodbye, where there is one to be said.
    pub(super) stop: Option<CancellationToken>,
}

impl Wire {
    /// Makes a wire of what carries messages already: this is how servers are reached that are no child processes.
    pub fn of(
        outgoing: mpsc::Sender<Value>,
        incoming: mpsc::Receiver<Received>,
        tasks: JoinSet<()>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            outgoing,
            incoming,
            tasks,
            stop: Some(stop),
        }
    }
}
