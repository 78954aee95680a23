//! Tokens: asked for with a code, and renewed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde::{Deserialize, Serialize};

use super::discovery::Discovery;
use super::register::Identity;
use super::{OAuthError, said};
use crate::net::address::{escape, form};

/// The largest answer, in bytes.
const ANSWER: usize = 256 * 1024;

/// How long an answer may take.
const WAIT: Duration = Duration::from_secs(30);

/// How long before its end a token is renewed: a request takes time, and clocks differ.
const EARLY: u64 = 60;

/// What an authorization server gave.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) access: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refresh: Option<String>,
    /// In seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<u64>,
    /// What was granted, as words with spaces between.
    #[serde(default)]
    pub(super) scope: String,
    /// What it is for, as it was asked for.
    #[serde(default)]
    pub(super) resource: String,
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grant").field("scope", &self.scope).finish()
    }
}

impl Grant {
    /// Returns whether the token is at its end.
    pub(super) fn is_stale(&self) -> bool {
        self.expires.is_some_and(|end| now() + EARLY >= end)
    }
}

pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// What a request for a token came to, when it came to none.
#[derive(Debug)]
pub(super) enum Refused {
    /// The server says no, and will again.
    Lasting(String),
    /// It could not answer now.
    Passing(String),
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    token_type: String,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
    #[serde(default)]
    scope: Option<String>,
}

#[derive(Deserialize)]
struct Problem {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
}

/// Where and as whom tokens are asked for.
pub(super) struct Asker<'a> {
    pub(super) discovery: &'a Discovery<'a>,
    pub(super) endpoint: &'a str,
    pub(super) methods: &'a [String],
    pub(super) identity: &'a Identity,
}

impl Asker<'_> {
    /// Asks for a token. `asked` is the scope that was asked for: what was granted, where the server says nothing else.
    pub(super) async fn ask(
        &self,
        pairs: &[(&str, &str)],
        asked: &str,
    ) -> Result<Result<Grant, Refused>, OAuthError> {
        let endpoint = self.discovery.endpoint(self.endpoint)?;
        let mut pairs = pairs.to_vec();
        let mut basic = None;
        match (self.method(), self.identity.secret.as_deref()) {
            ("client_secret_basic", Some(secret)) => {
                let both = format!("{}:{}", escape(&self.identity.id), escape(secret));
                let encoded = base64::engine::general_purpose::STANDARD.encode(both);
                basic = HeaderValue::from_str(&format!("Basic {encoded}")).ok();
            }
            ("client_secret_post", Some(secret)) => {
                pairs.push(("client_id", &self.identity.id));
                pairs.push(("client_secret", secret));
            }
            _ => pairs.push(("client_id", &self.identity.id)),
        }
        let mut request = Request::new(Bytes::from(form(&pairs)));
        *request.method_mut() = Method::POST;
        let headers = request.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(mut basic) = basic {
            basic.set_sensitive(true);
            headers.insert(AUTHORIZATION, basic);
        }
        let asking = async {
            let answer = self.discovery.client.send(&endpoint, request).await?;
            let status = answer.status();
            let text = answer.into_body().all(ANSWER).await?;
            Ok::<_, crate::net::HttpError>((status, text))
        };
        let (status, text) = match tokio::time::timeout(WAIT, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Ok(Err(Refused::Passing(error.to_string()))),
            Err(_) => {
                let problem = format!("no answer within {} s", WAIT.as_secs());
                return Ok(Err(Refused::Passing(problem)));
            }
        };
        Ok(self.read(status, &text, asked))
    }

    fn read(&self, status: StatusCode, text: &[u8], asked: &str) -> Result<Grant, Refused> {
        if status.is_success() {
            // What is wrong with it is not said by its words: they hold the token.
            let answer: Answer = serde_json::from_slice(text)
                .map_err(|_| Refused::Lasting("its answer holds no token".to_owned()))?;
            if !answer.token_type.eq_ignore_ascii_case("bearer") {
                let problem = format!("its token is of the kind `{}`", said(&answer.token_type));
                return Err(Refused::Lasting(problem));
            }
            let life = answer.expires_in.as_ref().and_then(|life| {
                life.as_u64()
                    .or_else(|| life.as_f64().map(|life| life as u64))
                    .or_else(|| life.as_str()?.parse().ok())
            });
            return Ok(Grant {
                access: answer.access_token,
                refresh: answer.refresh_token,
                expires: life.map(|life| now().saturating_add(life)),
                scope: answer.scope.unwrap_or_else(|| asked.to_owned()),
                resource: String::new(),
            });
        }
        let passing = status.is_server_error()
            || matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
            );
        let (code, words) = match serde_json::from_slice::<Problem>(text) {
            Ok(problem) => {
                let more = problem.error_description.unwrap_or_default();
                let words = said(format!("{} {more}", problem.error).trim());
                (problem.error, words)
            }
            Err(_) => (String::new(), format!("HTTP {}", status.as_u16())),
        };
        match passing
            || matches!(
                code.as_str(),
                "temporarily_unavailable" | "server_error" | "slow_down"
            ) {
            true => Err(Refused::Passing(words)),
            false => Err(Refused::Lasting(words)),
        }
    }

    fn method(&self) -> &str {
        let offered = |method: &str| self.methods.iter().any(|offered| offered == method);
        match &self.identity.method {
            Some(method) => method,
            None if self.identity.secret.is_none() => "none",
            None if offered("client_secret_basic") || self.methods.is_empty() => {
                "client_secret_basic"
            }
            None => "client_secret_post",
        }
    }
}
