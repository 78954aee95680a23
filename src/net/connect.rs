//! Connections: the one place a byte stream to another machine comes from.

use std::fs;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::Origin;

/// How long a server may take to take a connection, its encryption included.
const CONNECT_TIME: Duration = Duration::from_secs(20);

/// Where distributions keep the certificates that they trust, and an administrator adds the company's own.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Bytes to and from a server.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A stream that is being opened.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// What opens connections: this process itself, or another one on its behalf.
pub trait Connect: Send + Sync + 'static {
    /// Opens a connection, encrypted where the origin says so: what comes out is the plain stream.
    fn connect(&self, origin: &Origin) -> Connecting;
}

/// Encrypts connections, and knows whose certificates to believe.
#[derive(Clone)]
pub struct Encryption {
    config: Arc<ClientConfig>,
}

impl Encryption {
    /// Creates one that trusts what the system trusts; where that is not told, what Mozilla trusts.
    ///
    /// # Errors
    /// When the file that `SSL_CERT_FILE` names cannot be read.
    pub fn new() -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        let named = std::env::var_os("SSL_CERT_FILE").filter(|name| !name.is_empty());
        match &named {
            Some(name) => {
                if trust(&mut roots, Path::new(name))? == 0 {
                    let problem = format!("no certificate in `{}`", Path::new(name).display());
                    return Err(io::Error::other(problem));
                }
            }
            None => {
                for bundle in BUNDLES {
                    // One that is not there is of another distribution.
                    if trust(&mut roots, Path::new(bundle)).unwrap_or(0) > 0 {
                        break;
                    }
                }
            }
        }
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
        })
    }

    /// Encrypts a stream to the server of a name, if its certificate is one of that name.
    ///
    /// # Errors
    /// When it is not, or the stream breaks.
    pub async fn over<S: Stream + 'static>(
        &self,
        stream: S,
        host: &str,
    ) -> io::Result<Box<dyn Stream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(self.config.clone());
        Ok(Box::new(connector.connect(name, stream).await?))
    }
}

/// Opens connections from this process.
#[derive(Clone)]
pub struct Direct {
    encryption: Encryption,
}

impl Direct {
    /// Creates a connector.
    ///
    /// # Errors
    /// When it cannot be told whose certificates to believe.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            encryption: Encryption::new()?,
        })
    }
}

/// Adds the certificates of a file, and returns how many those are. One that cannot be used is left out: bundles hold
/// old ones.
fn trust(roots: &mut RootCertStore, path: &Path) -> io::Result<usize> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the system's certificates are no file of the user's"
    )]
    let text = fs::read(path)?;
    let (added, _) = roots
        .add_parsable_certificates(CertificateDer::pem_slice_iter(&text).filter_map(Result::ok));
    Ok(added)
}

impl Connect for Direct {
    fn connect(&self, origin: &Origin) -> Connecting {
        let (origin, encryption) = (origin.clone(), self.encryption.clone());
        Box::pin(async move {
            let opened = open(&origin, &encryption);
            match tokio::time::timeout(CONNECT_TIME, opened).await {
                Ok(stream) => stream,
                Err(_) => Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("no connection within {} s", CONNECT_TIME.as_secs()),
                )),
            }
        })
    }
}

async fn open(origin: &Origin, encryption: &Encryption) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect((origin.host(), origin.port())).await?;
    // A request is one small write that is waited for.
    stream.set_nodelay(true)?;
    match origin.tls() {
        true => encryption.over(stream, origin.host()).await,
        false => Ok(Box::new(stream)),
    }
}
