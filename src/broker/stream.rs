//! One end of a stream: between the bytes that somebody reads and writes here, and the frames that carry them.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use tokio::io::{
    AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf, duplex, split,
};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::wire::Frame;

/// How many bytes may be under way to whoever does not read them.
const WINDOW: usize = 256 * 1024;

/// How many bytes are sent at once.
const PIECE: usize = 16 * 1024;

/// How many frames may wait for the pipe.
pub(super) const WAITING: usize = 32;

/// Frames on their way to the pipe.
pub(super) type Out = mpsc::Sender<(u32, Frame)>;

/// The streams of one end of the pipes.
pub(super) struct Streams {
    out: Out,
    open: HashMap<u32, End>,
    tasks: JoinSet<u32>,
}

/// How a stream's task is told what came.
struct End {
    arrived: mpsc::UnboundedSender<Frame>,
    credit: Arc<Semaphore>,
    /// What may come before more is taken: more than a window is not what was agreed.
    owed: Arc<Semaphore>,
    /// One of the two sides is gone.
    gone: CancellationToken,
}

impl Streams {
    pub(super) fn new(out: Out) -> Self {
        Self {
            out,
            open: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Opens an end, and returns the bytes that it carries and what tells that the other side is gone.
    pub(super) fn open(&mut self, id: u32) -> (DuplexStream, CancellationToken) {
        let (here, there) = duplex(PIECE);
        let (arrived, arriving) = mpsc::unbounded_channel();
        let credit = Arc::new(Semaphore::new(WINDOW));
        let owed = Arc::new(Semaphore::new(WINDOW));
        let gone = CancellationToken::new();
        let (read, write) = split(there);
        let out = self.out.clone();
        self.tasks.spawn({
            let (credit, owed, gone) = (Arc::clone(&credit), Arc::clone(&owed), gone.clone());
            async move {
                let sent = async {
                    tokio::select! {
                        () = send(id, read, &credit, &out) => {}
                        () = gone.cancelled() => {}
                    }
                };
                let taken = async {
                    if take(id, arriving, write, &owed, &out).await == Taken::Nobody {
                        gone.cancel();
                    }
                };
                tokio::join!(sent, taken);
                gone.cancel();
                let _ = out.send((id, Frame::Close)).await;
                id
            }
        });
        let end = End {
            arrived,
            credit,
            owed,
            gone: gone.clone(),
        };
        self.open.insert(id, end);
        (here, gone)
    }

    /// Hands a frame to its stream. One that ended takes nothing more.
    ///
    /// # Errors
    /// When more came than was agreed.
    pub(super) fn arrived(&mut self, id: u32, frame: Frame) -> io::Result<()> {
        let Some(end) = self.open.get(&id) else {
            return Ok(());
        };
        match frame {
            Frame::Credit(bytes) => {
                let bytes = bytes as usize;
                if end.credit.available_permits() + bytes > WINDOW {
                    return Err(io::Error::other("more credit than was taken"));
                }
                end.credit.add_permits(bytes);
            }
            Frame::Close => {
                // What came before is still passed on; the task ends when its queue does.
                if let Some(end) = self.open.remove(&id) {
                    end.gone.cancel();
                }
            }
            frame => {
                if let Frame::Data(bytes) = &frame {
                    let length = bytes.len() as u32;
                    match end.owed.try_acquire_many(length) {
                        Ok(permit) => permit.forget(),
                        Err(_) => return Err(io::Error::other("more bytes than were asked for")),
                    }
                }
                // A task that ended needs no word more.
                let _ = end.arrived.send(frame);
            }
        }
        Ok(())
    }

    /// Forgets a stream whose task ended. Pending while there is none.
    pub(super) async fn ended(&mut self) {
        match self.tasks.join_next().await {
            Some(Ok(id)) => drop(self.open.remove(&id)),
            Some(Err(_)) => {}
            None => std::future::pending().await,
        }
    }

    /// Returns how many streams there are.
    pub(super) fn count(&self) -> usize {
        self.open.len()
    }
}

/// Sends what is written here, as far as the other side takes it.
async fn send(id: u32, mut from: ReadHalf<DuplexStream>, credit: &Semaphore, out: &Out) {
    let mut piece = vec![0; PIECE];
    loop {
        let count = match from.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        let Ok(permit) = credit.acquire_many(count as u32).await else {
            return;
        };
        permit.forget();
        let frame = Frame::Data(piece[..count].to_vec());
        if out.send((id, frame)).await.is_err() {
            return;
        }
    }
    let _ = out.send((id, Frame::Shut)).await;
}

/// How the bytes of one direction ended.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    /// All came that was sent.
    All,
    /// Nobody reads here any more, or nobody writes there.
    Nobody,
}

/// Passes on what came, and says how much was taken.
async fn take(
    id: u32,
    mut arriving: mpsc::UnboundedReceiver<Frame>,
    mut to: WriteHalf<DuplexStream>,
    owed: &Semaphore,
    out: &Out,
) -> Taken {
    while let Some(frame) = arriving.recv().await {
        match frame {
            Frame::Data(bytes) => {
                if to.write_all(&bytes).await.is_err() {
                    return Taken::Nobody;
                }
                owed.add_permits(bytes.len());
                let credit = Frame::Credit(bytes.len() as u32);
                if out.send((id, credit)).await.is_err() {
                    return Taken::Nobody;
                }
            }
            Frame::Shut => {
                let _ = to.shutdown().await;
                return Taken::All;
            }
            _ => {}
        }
    }
    let _ = to.shutdown().await;
    Taken::Nobody
}
