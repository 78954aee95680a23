//! The person's consent: an address to open in a browser, and the browser's answer, by way of a port of this machine or
//! of a person who pastes it.

use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};

use super::OAuthError;
use crate::net::Address;

/// How long a person may take, in minutes.
const MINUTES: u64 = 10;

/// The most of a browser's request that is read, in bytes, and how long it may take.
const HEAD: usize = 16 * 1024;
const HEAD_TIME: Duration = Duration::from_secs(10);

/// What a person is asked to open.
#[derive(Debug, Clone)]
pub struct Asking {
    /// The server that wants a token.
    pub server: Address,
    /// Who would give it.
    pub issuer: String,
    /// What to open.
    pub url: String,
    /// Where the browser is sent afterwards.
    pub redirect: String,
    /// What the answer must repeat.
    pub(super) state: String,
}

#[cfg(test)]
impl Asking {
    /// One for tests of those who ask.
    pub(crate) fn of_test(url: &str) -> Self {
        let address = Address::parse(url).expect("an address");
        Self {
            issuer: address.origin().to_string(),
            server: address,
            url: url.to_owned(),
            redirect: String::new(),
            state: "1".to_owned(),
        }
    }
}

/// An answer to come: the address that the browser was sent to.
pub type Asked = Pin<Box<dyn Future<Output = Result<String, OAuthError>> + Send>>;

/// What asks a person.
pub trait Consent: Send + Sync + 'static {
    /// Returns where the browser is to be sent with the answer; none where nobody can be asked.
    fn redirect(&self) -> Option<String>;

    /// Asks.
    fn ask(&self, asking: Asking) -> Asked;
}

/// Nobody can be asked: what needs consent fails, and says what to do.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoConsent;

impl Consent for NoConsent {
    fn redirect(&self) -> Option<String> {
        None
    }

    fn ask(&self, asking: Asking) -> Asked {
        Box::pin(async move { Err(OAuthError::ConsentNeeded(asking.server)) })
    }
}

/// Waits for the browser on a fixed port of this machine, and for a person who pastes the address instead: over SSH the
/// browser runs on another machine, and its answer reaches no port of this one.
pub struct Loopback {
    port: u16,
    show: Box<dyn Fn(&Asking) + Send + Sync>,
    pasted: Arc<Mutex<mpsc::Receiver<String>>>,
}

impl Loopback {
    /// The port that is used where nothing else is set: it is registered with the authorization server.
    pub const PORT: u16 = 48_763;

    /// Creates one. `show` is given what the person is to open; `pasted` brings what the person pastes.
    pub fn new(
        port: u16,
        show: impl Fn(&Asking) + Send + Sync + 'static,
        pasted: mpsc::Receiver<String>,
    ) -> Self {
        Self {
            port,
            show: Box::new(show),
            pasted: Arc::new(Mutex::new(pasted)),
        }
    }
}

impl Consent for Loopback {
    fn redirect(&self) -> Option<String> {
        Some(format!("http://127.0.0.1:{}/callback", self.port))
    }

    fn ask(&self, asking: Asking) -> Asked {
        // The port is taken before anybody is told to answer there. Without it, pasting still works.
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .and_then(TcpListener::from_std);
        let (port, pasted) = (self.port, self.pasted.clone());
        if listener.is_ok() {
            (self.show)(&asking);
        }
        Box::pin(async move {
            let listener = listener.map_err(|source| OAuthError::Listen { port, source })?;
            let paste = async {
                match pasted.lock().await.recv().await {
                    Some(text) => text,
                    // Nobody can paste: the port alone can answer.
                    None => std::future::pending().await,
                }
            };
            let answered = async {
                tokio::select! {
                    url = listen(&listener, port, &asking) => url,
                    text = paste => text.trim().to_owned(),
                }
            };
            tokio::time::timeout(Duration::from_secs(MINUTES * 60), answered)
                .await
                .map_err(|_| OAuthError::NoAnswer(MINUTES))
        })
    }
}

/// Waits for the request that repeats the state. Any page that a browser shows can call this port: what comes from
/// elsewhere is told off, and ends nothing.
async fn listen(listener: &TcpListener, port: u16, asking: &Asking) -> String {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: others have to end first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let read = tokio::time::timeout(HEAD_TIME, head(&mut stream)).await;
        let target = read.ok().flatten().and_then(|head| target(&head, port));
        let url = target.and_then(|target| {
            let url = format!("http://127.0.0.1:{port}{target}");
            let address = Address::parse(&url).ok()?;
            let ours = address.path() == "/callback"
                && address.query_value("state").as_deref() == Some(asking.state.as_str());
            ours.then_some(url)
        });
        let (status, text) = match url {
            Some(_) => (
                "200 OK",
                "walden has the answer. You can close this page and go back to the terminal.",
            ),
            None => ("404 Not Found", "There is nothing here."),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\
             cache-control: no-store\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n{text}",
            text.len()
        );
        // A browser that is gone already has sent what counts.
        let _ = tokio::time::timeout(HEAD_TIME, stream.write_all(answer.as_bytes())).await;
        let _ = stream.shutdown().await;
        if let Some(url) = url {
            return url;
        }
    }
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut piece = [0; 2_048];
        let read = stream.read(&mut piece).await.ok()?;
        if read == 0 || head.len() + read > HEAD {
            return None;
        }
        head.extend_from_slice(&piece[..read]);
    }
    String::from_utf8(head).ok()
}

/// Returns what a request asks for, if it is one of a browser that was sent to this port by its own name.
fn target(head: &str, port: u16) -> Option<String> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let host = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    })?;
    let own = host == format!("127.0.0.1:{port}") || host == format!("localhost:{port}");
    (method == "GET" && target.starts_with('/') && own).then(|| target.to_owned())
}
