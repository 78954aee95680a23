//! The broker's own end: checks each request, connects, and passes bytes on.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::allow::may_lead_to;
use super::stream::{Streams, WAITING};
use super::wire::{self, Frame, LARGEST, Target};
use super::{Allowed, Bytes};

/// How long a machine may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long bytes that are under way may take when the other side is gone.
const GRACE: Duration = Duration::from_secs(2);

/// The most connections at once.
const CONNECTIONS: usize = 64;

/// A connection, and the address that it led to.
pub struct Dialed {
    pub bytes: Box<dyn Bytes>,
    pub address: SocketAddr,
}

/// A connection that is being opened.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Dialed>> + Send>>;

/// What opens connections: it resolves, connects and encrypts. What is allowed was checked before.
pub type Dial = Arc<dyn Fn(Target) -> Dialing + Send + Sync>;

/// What is noted of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// It was not allowed, or failed.
    Refused {
        target: Target,
        reason: String,
    },
    Opened {
        target: Target,
        address: SocketAddr,
    },
    Ended {
        target: Target,
        sent: u64,
        received: u64,
        took: Duration,
    },
}

/// Serves requests until the pipe ends: connects to what is allowed, and tells of every request.
///
/// # Errors
/// When the pipe breaks, or says what no worker says.
pub async fn serve(
    from: impl AsyncRead + Send + Unpin + 'static,
    to: impl AsyncWrite + Send + Unpin,
    allowed: Allowed,
    dial: Dial,
    note: impl FnMut(&Note),
) -> io::Result<()> {
    match answer(from, to, allowed, dial, note).await {
        // A worker that is gone waits for no answer.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        answered => answered,
    }
}

async fn answer(
    mut from: impl AsyncRead + Send + Unpin + 'static,
    mut to: impl AsyncWrite + Send + Unpin,
    allowed: Allowed,
    dial: Dial,
    mut note: impl FnMut(&Note),
) -> io::Result<()> {
    let (out, mut leaving) = mpsc::channel::<(u32, Frame)>(WAITING);
    let mut streams = Streams::new(out);
    let mut tasks: JoinSet<Event> = JoinSet::new();
    let mut opening = 0;
    // Unbounded, so that two ends that both wait for a full pipe go on reading; the windows bound what can wait here.
    let (arrived, mut arriving) = mpsc::unbounded_channel();
    tasks.spawn(async move {
        loop {
            let frame = wire::read(&mut from).await;
            let is_last = !matches!(frame, Ok(Some(_)));
            if arrived.send(frame).is_err() || is_last {
                return Event::PipeEnded;
            }
        }
    });
    loop {
        tokio::select! {
            frame = arriving.recv() => {
                let Some((id, frame)) = frame.transpose()?.flatten() else {
                    return Ok(());
                };
                let Frame::Open(target) = frame else {
                    streams.arrived(id, frame)?;
                    continue;
                };
                let refusal = if !allowed.permits(&target.host, target.port) {
                    Some(format!(
                        "`{}:{}` is not among the addresses that your configuration allows ([network] allow in config.toml)",
                        printable(&target.host), target.port
                    ))
                } else if streams.count() + opening >= CONNECTIONS {
                    Some(format!("{CONNECTIONS} connections are open already"))
                } else {
                    None
                };
                match refusal {
                    Some(reason) => {
                        wire::write(&mut to, id, &Frame::Refused(reason.clone())).await?;
                        note(&Note::Refused { target, reason });
                    }
                    None => {
                        opening += 1;
                        let dialing = dial(target.clone());
                        tasks.spawn(async move {
                            let dialed = tokio::time::timeout(PATIENCE, dialing).await;
                            let dialed = dialed.unwrap_or_else(|_| {
                                Err(io::Error::other(format!("no answer within {} s", PATIENCE.as_secs())))
                            });
                            Event::Dialed(id, target, dialed)
                        });
                    }
                }
            }
            Some((id, frame)) = leaving.recv() => wire::write(&mut to, id, &frame).await?,
            Some(event) = tasks.join_next() => match event {
                Ok(Event::Dialed(id, target, Ok(Dialed { bytes, address }))) => {
                    opening -= 1;
                    note(&Note::Opened { target: target.clone(), address });
                    wire::write(&mut to, id, &Frame::Opened).await?;
                    let (here, gone) = streams.open(id);
                    tasks.spawn(pass(target, here, bytes, gone));
                }
                Ok(Event::Dialed(id, target, Err(error))) => {
                    opening -= 1;
                    let reason = format!("cannot connect to `{}:{}`: {error}", target.host, target.port);
                    let short: String = reason.chars().take(LARGEST / 8).collect();
                    wire::write(&mut to, id, &Frame::Refused(short)).await?;
                    note(&Note::Refused { target, reason });
                }
                Ok(Event::Passed(ended)) => note(&ended),
                Ok(Event::PipeEnded) | Err(_) => {}
            },
            () = streams.ended() => {}
        }
    }
}

/// What a task of the broker ends with.
enum Event {
    PipeEnded,
    Dialed(u32, Target, io::Result<Dialed>),
    Passed(Note),
}

/// Passes bytes on until both directions ended, or nobody is there any more.
async fn pass(
    target: Target,
    mut here: DuplexStream,
    mut there: Box<dyn Bytes>,
    gone: CancellationToken,
) -> Event {
    let began = Instant::now();
    let (mut sent, mut received) = (0, 0);
    {
        let mut count = Counted {
            inner: &mut there,
            sent: &mut sent,
            received: &mut received,
        };
        let copy = tokio::io::copy_bidirectional(&mut here, &mut count);
        tokio::select! {
            _ = copy => {}
            () = async { gone.cancelled().await; tokio::time::sleep(GRACE).await } => {}
        }
    }
    Event::Passed(Note::Ended {
        target,
        sent,
        received,
        took: began.elapsed(),
    })
}

/// Counts what passes.
struct Counted<'a> {
    inner: &'a mut Box<dyn Bytes>,
    sent: &'a mut u64,
    received: &'a mut u64,
}

impl AsyncRead for Counted<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut **this.inner).poll_read(cx, buffer);
        *this.received += (buffer.filled().len() - before) as u64;
        polled
    }
}

impl AsyncWrite for Counted<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut **this.inner).poll_write(cx, bytes);
        if let std::task::Poll::Ready(Ok(count)) = &polled {
            *this.sent += *count as u64;
        }
        polled
    }

    fn poll_flush(
        self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        Pin::new(&mut **self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(
        self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        Pin::new(&mut **self.get_mut().inner).poll_shutdown(cx)
    }
}

/// Resolves a name and connects to the first of its addresses that answers. Addresses that a public name must not lead
/// to are left out.
///
/// # Errors
/// When the name has no such address, or none answers.
pub async fn dial_tcp(target: &Target) -> io::Result<(TcpStream, SocketAddr)> {
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await?;
    let (mut last, mut turned_around) = (None, None);
    for address in found {
        if !may_lead_to(&target.host, address.ip()) {
            turned_around = Some(address.ip());
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok((stream, address));
            }
            Err(error) => last = Some(error),
        }
    }
    Err(match (last, turned_around) {
        (Some(error), _) => error,
        (None, Some(ip)) => io::Error::other(format!(
            "the name leads to {ip}, an address of this machine or its link; allow that address itself if it is meant"
        )),
        (None, None) => io::Error::other("the name has no address"),
    })
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(255).collect()
}
