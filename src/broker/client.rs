//! The worker's end: asks for connections.

use std::collections::HashMap;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Bytes;
use super::stream::{Streams, WAITING};
use super::wire::{self, Frame, Target};

/// The broker, as the sealed process knows it. Dropping it ends all streams.
#[derive(Debug)]
pub struct Broker {
    asks: mpsc::Sender<Ask>,
    task: JoinHandle<()>,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// It is not allowed, or the other machine did not answer; the broker's own words.
    #[error("{0}")]
    Refused(String),
    #[error("the process that connects for walden has ended; start walden again")]
    Gone,
}

struct Ask {
    target: Target,
    answer: oneshot::Sender<Result<DuplexStream, BrokerError>>,
}

impl Broker {
    /// Speaks to a broker over two pipes.
    pub fn start(
        from: impl AsyncRead + Send + Unpin + 'static,
        to: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let (asks, asked) = mpsc::channel(WAITING);
        let task = tokio::spawn(async move {
            if let Err(error) = speak(from, to, asked).await {
                tracing::warn!("the broker's pipe broke: {error}");
            }
        });
        Self { asks, task }
    }

    /// Opens a connection. What is written is sent, and what comes is read, until either side ends it.
    ///
    /// # Errors
    /// When the target is not allowed or not reached, or the broker is gone.
    pub async fn connect(&self, target: Target) -> Result<Box<dyn Bytes>, BrokerError> {
        let (answer, answered) = oneshot::channel();
        let ask = Ask { target, answer };
        self.asks.send(ask).await.map_err(|_| BrokerError::Gone)?;
        let stream = answered.await.map_err(|_| BrokerError::Gone)??;
        Ok(Box::new(stream))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn speak(
    mut from: impl AsyncRead + Send + Unpin + 'static,
    mut to: impl AsyncWrite + Send + Unpin,
    mut asked: mpsc::Receiver<Ask>,
) -> io::Result<()> {
    let (out, mut leaving) = mpsc::channel::<(u32, Frame)>(WAITING);
    let mut streams = Streams::new(out.clone());
    let mut waiting: HashMap<u32, Ask> = HashMap::new();
    let mut next: u32 = 0;
    // A frame is read whole or not at all: the reader has a task of its own.
    // Unbounded, so that two ends that both wait for a full pipe go on reading; the windows bound what can wait here.
    let (arrived, mut arriving) = mpsc::unbounded_channel();
    let mut reader = tokio::task::JoinSet::new();
    reader.spawn(async move {
        loop {
            let frame = wire::read(&mut from).await;
            let is_last = !matches!(frame, Ok(Some(_)));
            if arrived.send(frame).is_err() || is_last {
                return;
            }
        }
    });
    loop {
        tokio::select! {
            frame = arriving.recv() => {
                let Some((id, frame)) = frame.transpose()?.flatten() else {
                    return Ok(());
                };
                match (frame, waiting.remove(&id)) {
                    (Frame::Opened, Some(ask)) => {
                        // Whoever asked may have given up: the stream then ends at once.
                        let _ = ask.answer.send(Ok(streams.open(id).0));
                    }
                    (Frame::Refused(reason), Some(ask)) => {
                        let _ = ask.answer.send(Err(BrokerError::Refused(reason)));
                    }
                    (frame, ask) => {
                        if let Some(ask) = ask {
                            waiting.insert(id, ask);
                        }
                        streams.arrived(id, frame)?;
                    }
                }
            }
            Some((id, frame)) = leaving.recv() => wire::write(&mut to, id, &frame).await?,
            ask = asked.recv() => {
                let Some(ask) = ask else { return Ok(()) };
                let id = next;
                next = next.wrapping_add(1);
                wire::write(&mut to, id, &Frame::Open(ask.target.clone())).await?;
                waiting.insert(id, ask);
            }
            () = streams.ended() => {}
        }
    }
}
