//! A client identity at an authorization server: one that the person registered, the address of a document that
//! describes the program, or one that the server gives on request (RFC 7591).

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::authorizer::Settings;
use super::discovery::{Discovery, Issuer};
use super::{OAuthError, said};

/// The largest answer, in bytes.
const ANSWER: usize = 256 * 1024;

/// How an authorization server knows this program.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<String>,
    /// How it proves to be itself when it asks for a token, where the server said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<String>,
    /// The server gave it, to be called back at this address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) registered_for: Option<String>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("id", &self.id).finish()
    }
}

#[derive(Deserialize)]
struct Registered {
    client_id: String,
    #[serde(default)]
    client_secret: Option<String>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
}

/// Finds an identity, in the order that the protocol asks for.
pub(super) async fn identity(
    discovery: &Discovery<'_>,
    issuer: &Issuer,
    settings: &Settings,
    redirect: &str,
    known: Option<Identity>,
    scope: Option<&str>,
) -> Result<Identity, OAuthError> {
    if let Some(id) = &settings.client_id
        && settings
            .issuer
            .as_ref()
            .is_none_or(|own| *own == issuer.issuer)
    {
        return Ok(Identity {
            id: id.clone(),
            secret: settings.client_secret.clone(),
            method: None,
            registered_for: None,
        });
    }
    if issuer.client_id_metadata_document_supported
        && let Some(url) = &settings.client_metadata_url
    {
        return Ok(Identity {
            id: url.clone(),
            secret: None,
            method: Some("none".to_owned()),
            registered_for: None,
        });
    }
    if let Some(known) = known
        && known.registered_for.as_deref() == Some(redirect)
    {
        return Ok(known);
    }
    let Some(endpoint) = &issuer.registration_endpoint else {
        return Err(OAuthError::NoRegistration(said(&issuer.issuer)));
    };
    let endpoint = discovery.endpoint(endpoint)?;
    let mut wish = json!({
        "client_name": "walden",
        "redirect_uris": [redirect],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "application_type": "native",
        "token_endpoint_auth_method": method(issuer),
    });
    if let Some(scope) = scope {
        wish["scope"] = json!(scope);
    }
    let mut request = Request::new(Bytes::from(wish.to_string()));
    *request.method_mut() = Method::POST;
    request
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let answer = discovery.client.send(&endpoint, request).await?;
    let status = answer.status();
    let text = answer.into_body().all(ANSWER).await?;
    if !status.is_success() {
        return Err(OAuthError::Malformed {
            address: endpoint,
            problem: format!(
                "HTTP {}: {}",
                status.as_u16(),
                said(&String::from_utf8_lossy(&text))
            ),
        });
    }
    let registered: Registered =
        serde_json::from_slice(&text).map_err(|_| OAuthError::Malformed {
            address: endpoint,
            // The text holds a secret, perhaps.
            problem: "it is no registration".to_owned(),
        })?;
    Ok(Identity {
        id: registered.client_id,
        secret: registered.client_secret,
        method: registered.token_endpoint_auth_method,
        registered_for: Some(redirect.to_owned()),
    })
}

/// A program on a person's machine keeps no secret from that person: it asks for none where the server allows that.
fn method(issuer: &Issuer) -> &str {
    let offered = &issuer.token_endpoint_auth_methods_supported;
    let preferred = ["none", "client_secret_basic", "client_secret_post"];
    preferred
        .into_iter()
        .find(|method| offered.iter().any(|offered| offered == method))
        .unwrap_or("none")
}
