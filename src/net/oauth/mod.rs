//! Authorization as MCP's servers ask for it: OAuth 2.1 with what they add.
//!
//! Owns the way from a server's refusal to a token: the server's own metadata (RFC 9728), the authorization server's
//! (RFC 8414, OpenID Connect), a client identity there, the person's consent in a browser (PKCE, RFC 7636; the
//! `resource` that a token is for, RFC 8707; the `iss` of the answer, RFC 9207), the token, its renewal, and more
//! rights when a server asks for them.
//!
//! A token is kept under the issuer that gave it and the resource that it is for, and goes nowhere else. Nothing here
//! writes a token, a code or a secret into a log or an error.

mod authorizer;
mod challenge;
mod consent;
mod discovery;
mod register;
mod store;
mod token;

use hyper::http::header::HeaderValue;

use super::{Address, HttpError};

pub use authorizer::{Authorizer, Settings};
pub use consent::{Asked, Asking, Consent, Loopback, NoConsent};
pub use store::Store;

/// Why there is no authorization.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    #[error("`{0}` asks for authorization; run `walden mcp login` for this server")]
    ConsentNeeded(Address),
    #[error("`{server}` asks for authorization but does not say where to get it: {problem}")]
    NoMetadata { server: Address, problem: String },
    #[error("`{server}` describes itself as `{claimed}`, which it is not; it gets no token")]
    OtherResource { server: Address, claimed: String },
    #[error("the authorization server `{issuer}` describes itself as `{claimed}`; it is not used")]
    OtherIssuer { issuer: String, claimed: String },
    #[error("`{0}` is not encrypted, and is not on this machine: no authorization goes there")]
    NotEncrypted(Address),
    #[error(
        "`{server}` names `{inside}`, an address inside this machine's own network; it is not asked"
    )]
    Inside { server: String, inside: String },
    #[error(
        "the authorization server `{0}` does not support PKCE with S256, without which a code can be stolen"
    )]
    NoPkce(String),
    #[error(
        "the authorization server `{0}` does not register programs by itself; register walden there and put the id into `oauth.clientId`"
    )]
    NoRegistration(String),
    #[error("`{address}` answered with something else than it should: {problem}")]
    Malformed { address: Address, problem: String },
    #[error("the answer of the browser was not the one that was asked for: {0}")]
    WrongAnswer(&'static str),
    #[error("`{issuer}` did not authorize: {error}")]
    Denied { issuer: String, error: String },
    #[error("`{issuer}` gave no token: {error}")]
    NoToken { issuer: String, error: String },
    #[error("`{issuer}` cannot renew the token now: {problem}; try again later")]
    Passing { issuer: String, problem: String },
    #[error("the tokens cannot be kept in `{path}`: {source}")]
    Store {
        path: String,
        source: std::io::Error,
    },
    #[error(
        "cannot listen for the browser's answer on port {port}: {source}; free it, or set `oauth.callbackPort`"
    )]
    Listen { port: u16, source: std::io::Error },
    #[error("no answer came from the browser within {0} minutes")]
    NoAnswer(u64),
    #[error("the authorization was called off")]
    CalledOff,
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// A token for one resource. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// Returns the header that carries the token.
    pub(crate) fn header(&self) -> Result<HeaderValue, OAuthError> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0))
            .map_err(|_| OAuthError::WrongAnswer("the token holds characters that no token has"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Returns random bytes, in base64.
pub(crate) fn random() -> Result<String, OAuthError> {
    let mut bytes = [0; 32];
    let mut filled = 0;
    while filled < bytes.len() {
        filled +=
            rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())
                .map_err(|_| OAuthError::WrongAnswer("the system gives no random numbers"))?;
    }
    Ok(base64url(&bytes))
}

pub(crate) fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Clips what a server says about its refusal, for a person.
pub(crate) fn said(text: &str) -> String {
    let line = crate::protocol::sanitize_line(text);
    line.chars().take(300).collect()
}
