//! Serving over standard input and output: one client, which started this process.

use rmcp::handler::server::ServerHandler;
use rmcp::service::{RoleServer, ServerInitializeError, ServiceExt as _};
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
    DuplexStream,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::ServeError;
use super::message::Message;

/// The longest message that is read: a file of the largest size that is written, with every byte of it escaped.
const MAX_LINE: usize = 100 * 1024 * 1024;

/// How much of what is said may lie between the pipes and the server.
const PIPE: usize = 256 * 1024;

/// Serves one client over standard input and output, until it closes them.
///
/// # Errors
/// When the client does not speak MCP, or the connection breaks.
pub async fn stdio<S: ServerHandler>(server: S) -> Result<(), ServeError> {
    over(server, tokio::io::stdin(), tokio::io::stdout()).await
}

/// Serves one client over a pair of pipes. Lines that are no message are answered here, the others by the server.
async fn over<S, R, W>(server: S, read: R, write: W) -> Result<(), ServeError>
where
    S: ServerHandler,
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let (heard, messages) = tokio::io::duplex(PIPE);
    let (answers, said) = tokio::io::duplex(PIPE);
    let (refuse, refused) = mpsc::channel(1);
    let mut pipes = JoinSet::new();
    pipes.spawn(pass_messages(read, heard, refuse));
    let written = tokio::spawn(write_lines(said, refused, write));
    let transport =
        AsyncRwTransport::<RoleServer, _, _>::new(messages, answers).with_max_line_length(MAX_LINE);
    let ended = match server.serve(transport).await {
        Ok(running) => running
            .waiting()
            .await
            .map(drop)
            .map_err(|error| ServeError::Broken(error.to_string())),
        // It went away before it said anything: nothing was asked, nothing failed.
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(ServeError::Begin(error.to_string())),
    };
    // The pipe of refusals ends with it, and then all that was said is written.
    pipes.shutdown().await;
    let _ = written.await;
    ended
}

/// Passes lines on that are messages, and has the others answered. Ends with what it reads from.
async fn pass_messages(
    read: impl AsyncRead + Unpin,
    mut to: DuplexStream,
    refuse: mpsc::Sender<String>,
) {
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    let mut is_begun = false;
    loop {
        line.clear();
        let limit = MAX_LINE as u64 + 1;
        match (&mut read).take(limit).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        // A line that is too long is passed on in parts, and refused where that is decided.
        let is_ended = line.ends_with(b"\n");
        let is_whole = is_ended && !is_begun;
        is_begun = !is_ended;
        let flaw = match is_whole && !line.trim_ascii().is_empty() {
            true => Message::read(&line).err(),
            false => None,
        };
        let passed = match flaw {
            Some(answer) => refuse.send(answer).await.is_ok(),
            None => to.write_all(&line).await.is_ok(),
        };
        if !passed {
            return;
        }
    }
}

/// Writes the server's lines and the refusals, each whole.
async fn write_lines(
    from: DuplexStream,
    mut refused: mpsc::Receiver<String>,
    mut to: impl AsyncWrite + Unpin,
) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        // What is read of a line stays in it when a refusal comes between.
        tokio::select! {
            read = from.read_until(b'\n', &mut line) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    if write_whole(&mut to, &line).await.is_err() {
                        return;
                    }
                    line.clear();
                }
            },
            Some(answer) = refused.recv() => {
                let answer = format!("{answer}\n");
                if write_whole(&mut to, answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn write_whole(to: &mut (impl AsyncWrite + Unpin), line: &[u8]) -> std::io::Result<()> {
    to.write_all(line).await?;
    to.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl ServerHandler for Nothing {}

    #[tokio::test]
    async fn every_line_is_answered_that_is_no_message_before_and_after_the_beginning() {
        let (near, far) = tokio::io::duplex(1 << 16);
        let (read, write) = tokio::io::split(far);
        let serving = tokio::spawn(over(Nothing, read, write));
        let (read, mut write) = tokio::io::split(near);
        let mut lines = BufReader::new(read).lines();
        let mut say = async |line: &str| {
            write.write_all(line.as_bytes()).await.expect("sent");
            write.write_all(b"\n").await.expect("sent");
        };
        let mut hear = async || lines.next_line().await.expect("read").expect("a line");
        say("\n{").await;
        let no_json =
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}"#;
        assert_eq!(hear().await, no_json);
        say(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#).await;
        assert!(hear().await.contains("protocolVersion"));
        say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
        say(r#"{"jsonrpc":"1.0","id":3,"method":"ping"}"#).await;
        let invalid =
            r#"{"jsonrpc":"2.0","id":3,"error":{"code":-32600,"message":"Invalid Request"}}"#;
        assert_eq!(hear().await, invalid);
        say(r#"{"jsonrpc":"2.0","id":4,"method":"ping"}"#).await;
        assert_eq!(hear().await, r#"{"jsonrpc":"2.0","id":4,"result":{}}"#);
        write.shutdown().await.expect("closed");
        serving.await.expect("no panic").expect("it ends well");
    }
}
