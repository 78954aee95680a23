//! What stands before the server, for a client that knows no token: it says the token in each request, and nothing else.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The longest head of a request.
const HEAD: usize = 64 * 1024;

/// Passes each connection on to the server, one request on each: the server is told to close it behind its answer.
pub(crate) async fn relay(listener: TcpListener, server: SocketAddr, token: String) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                connections.spawn(pass(client, server, token.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn pass(mut client: TcpStream, server: SocketAddr, token: String) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if client.read_buf(&mut bytes).await? == 0 || bytes.len() > HEAD {
            return Ok(());
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let mut said = format!("{first}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n");
    for line in lines.filter(|line| !line.to_ascii_lowercase().starts_with("connection:")) {
        said.push_str(line);
        said.push_str("\r\n");
    }
    said.push_str("\r\n");
    let mut server = TcpStream::connect(server).await?;
    server.write_all(said.as_bytes()).await?;
    server.write_all(&bytes[head + 4..]).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
