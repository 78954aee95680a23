//! A wire: JSON messages to and from one server, whatever carries them.

use rmcp::service::{RoleClient, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How many messages may wait on either side. A server that does not read, or a host that is busy, stops the other.
pub(super) const WAITING: usize = 64;

/// What came over a wire.
#[derive(Debug)]
pub(super) enum Received {
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
    /// Carries messages over one of rmcp's transports: this is how servers are reached that are no child processes.
    pub fn over<T>(mut transport: T) -> Self
    where
        T: Transport<RoleClient> + 'static,
    {
        let (outgoing, mut to_send) = mpsc::channel::<Value>(WAITING);
        let (received, incoming) = mpsc::channel(WAITING);
        let mut tasks = JoinSet::new();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tasks.spawn(async move {
            let mut sending = JoinSet::new();
            let reason = loop {
                tokio::select! {
                    () = stopped.cancelled() => break "closed".to_owned(),
                    message = to_send.recv() => {
                        let Some(message) = message else { break "closed".to_owned() };
                        let id = message.get("id").and_then(Value::as_u64);
                        match serde_json::from_value::<TxJsonRpcMessage<RoleClient>>(message) {
                            Ok(message) => {
                                let sent = transport.send(message);
                                let received = received.clone();
                                sending.spawn(async move {
                                    if let Err(error) = sent.await {
                                        let problem = error.to_string();
                                        let _ = received.send(Received::Unreadable { id, problem }).await;
                                    }
                                });
                            }
                            Err(error) => {
                                let problem = format!("cannot be sent: {error}");
                                let _ = received.send(Received::Unreadable { id, problem }).await;
                            }
                        }
                    }
                    message = transport.receive() => {
                        let Some(message) = message else { break "the connection ended".to_owned() };
                        match serde_json::to_value(&message) {
                            Ok(message) => {
                                if received.send(Received::Message(message)).await.is_err() {
                                    break "closed".to_owned();
                                }
                            }
                            Err(error) => {
                                let problem = error.to_string();
                                let _ = received.send(Received::Unreadable { id: None, problem }).await;
                            }
                        }
                    }
                    Some(_) = sending.join_next(), if !sending.is_empty() => {}
                }
            };
            // What was not sent by now is not waited for.
            drop(sending);
            let _ = transport.close().await;
            let _ = received.send(Received::Ended(reason)).await;
        });
        Self {
            outgoing,
            incoming,
            tasks,
            stop: Some(stop),
        }
    }
}
