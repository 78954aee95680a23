//! Claims about the broker, over pipes and this machine's own ports.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{Allowed, Broker, BrokerError, Dial, Dialed, Note, Target, Tls, dial_tcp, serve};

type Notes = Arc<Mutex<Vec<Note>>>;

/// Starts a broker that allows these, and returns the worker's end.
fn broker(allow: &[String]) -> (Broker, Notes, tokio::task::JoinHandle<std::io::Result<()>>) {
    let allowed = Allowed::parse(allow).expect("entries");
    let (to_broker, from_worker) = std::io::pipe().expect("a pipe");
    let (to_worker, from_broker) = std::io::pipe().expect("a pipe");
    let receive = |end: std::io::PipeReader| {
        tokio::net::unix::pipe::Receiver::from_owned_fd(end.into()).expect("a pipe")
    };
    let send = |end: std::io::PipeWriter| {
        tokio::net::unix::pipe::Sender::from_owned_fd(end.into()).expect("a pipe")
    };
    let notes: Notes = Arc::default();
    let noted = Arc::clone(&notes);
    let dial: Dial = Arc::new(|target: Target| {
        Box::pin(async move {
            let (stream, address) = dial_tcp(&target).await?;
            Ok(Dialed {
                bytes: Box::new(stream),
                address,
            })
        })
    });
    let task = tokio::spawn(serve(
        receive(to_broker),
        send(from_broker),
        allowed,
        dial,
        move |note| noted.lock().expect("unpoisoned").push(note.clone()),
    ));
    (
        Broker::start(receive(to_worker), send(from_worker)),
        notes,
        task,
    )
}

fn target(host: &str, port: u16) -> Target {
    Target {
        host: host.to_owned(),
        port,
        tls: Tls::Plain,
    }
}

/// Listens and answers each connection with what it said, reversed in case, until its end.
async fn echo() -> (u16, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    (port, task)
}

#[tokio::test]
async fn bytes_go_there_and_back_and_are_counted() {
    let (port, _echo) = echo().await;
    let (broker, notes, serving) = broker(&[format!("127.0.0.1:{port}")]);
    let mut stream = broker
        .connect(target("127.0.0.1", port))
        .await
        .expect("connected");
    // Several windows of it, and both directions at once.
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
    let (mut read, mut write) = tokio::io::split(&mut stream);
    let mut came = Vec::new();
    let writing = async {
        write.write_all(&sent).await.expect("written");
        write.shutdown().await.expect("shut");
    };
    let (_, read) = tokio::join!(writing, read.read_to_end(&mut came));
    assert_eq!(read.expect("read"), sent.len());
    assert!(came == sent);
    drop(stream);
    drop(broker);
    serving.await.expect("ended").expect("well");
    let notes = notes.lock().expect("unpoisoned");
    assert!(matches!(&notes[0], Note::Opened { address, .. } if address.port() == port));
    assert!(
        matches!(
            notes.get(1),
            None | Some(Note::Ended {
                sent: 3_000_000,
                received: 3_000_000,
                ..
            })
        ),
        "{notes:?}"
    );
}

#[tokio::test]
async fn what_is_not_allowed_is_refused_and_noted_and_never_tried() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (broker, notes, _) = broker(&["example.com".to_owned(), format!("localhost:{}", port ^ 1)]);
    for (host, port) in [
        ("127.0.0.1", port),
        ("localhost", port),
        ("example.com", port),
        ("example.com\0.evil.net", 443),
    ] {
        let Err(BrokerError::Refused(reason)) = broker.connect(target(host, port)).await else {
            panic!("{host}:{port} is connected")
        };
        assert!(
            reason.contains("is not among the addresses") && !reason.contains('\0'),
            "{reason}"
        );
    }
    assert_eq!(notes.lock().expect("unpoisoned").len(), 4);
    let tried = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
    assert!(tried.is_err(), "nobody connected");
}

#[tokio::test]
async fn a_stream_that_nobody_reads_stops_no_other() {
    let (port, _echo) = echo().await;
    let (broker, _, _) = broker(&[format!("127.0.0.1:{port}")]);
    let mut full = broker
        .connect(target("127.0.0.1", port))
        .await
        .expect("connected");
    // Written until nothing more goes: the echo's answer is not read.
    let bytes = vec![1; 64 * 1024];
    let mut written = 0;
    while let Ok(Ok(count)) =
        tokio::time::timeout(Duration::from_millis(200), full.write(&bytes)).await
    {
        written += count;
    }
    assert!(written > 256 * 1024, "{written}");
    let mut other = broker
        .connect(target("127.0.0.1", port))
        .await
        .expect("connected");
    other.write_all(b"hello").await.expect("written");
    let mut answer = [0; 5];
    other.read_exact(&mut answer).await.expect("read");
    assert_eq!(&answer, b"hello");
}

#[tokio::test]
async fn a_connection_that_is_dropped_is_closed_at_the_other_machine() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (broker, _, _) = broker(&[format!("127.0.0.1:{port}")]);
    let stream = broker
        .connect(target("127.0.0.1", port))
        .await
        .expect("connected");
    let (mut accepted, _) = listener.accept().await.expect("accepted");
    drop(stream);
    let mut rest = Vec::new();
    accepted.read_to_end(&mut rest).await.expect("the end");
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_machine_that_does_not_listen_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let (broker, _, _) = broker(&[format!("127.0.0.1:{port}")]);
    let refused = broker.connect(target("127.0.0.1", port)).await;
    let Err(BrokerError::Refused(reason)) = refused else {
        panic!("it is connected")
    };
    assert!(
        reason.contains(&format!("127.0.0.1:{port}")) && reason.contains("refused"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_broker_that_is_gone_answers_every_question() {
    let (broker, _, serving) = broker(&["example.com".to_owned()]);
    serving.abort();
    let _ = serving.await;
    let refused = broker.connect(target("example.com", 443)).await;
    assert_eq!(refused.err(), Some(BrokerError::Gone));
}
