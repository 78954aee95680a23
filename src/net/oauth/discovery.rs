//! What servers say of themselves: the resource's metadata (RFC 9728), and the authorization server's (RFC 8414, OpenID
//! Connect).

use std::fmt;

use hyper::body::Bytes;
use hyper::header::{ACCEPT, HeaderValue};
use hyper::{Request, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::OAuthError;
use super::challenge::Challenge;
use crate::net::{Address, Client, Reach};

/// The largest metadata, in bytes.
const METADATA: usize = 256 * 1024;

/// How long one answer may take.
const ANSWER: std::time::Duration = std::time::Duration::from_secs(20);

/// What a server says of the authorization that it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Protected {
    /// What a token is asked for.
    pub(super) resource: String,
    /// Who gives it.
    pub(super) issuer: String,
    pub(super) scopes: Vec<String>,
}

/// An authorization server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Issuer {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    #[serde(default)]
    pub(super) registration_endpoint: Option<String>,
    #[serde(default)]
    pub(super) scopes_supported: Vec<String>,
    #[serde(default)]
    pub(super) code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    pub(super) token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    pub(super) client_id_metadata_document_supported: bool,
}

/// Reads what servers say of themselves, on behalf of one of them.
pub(super) struct Discovery<'a> {
    pub(super) client: &'a Client,
    pub(super) server: &'a Address,
}

#[derive(Deserialize)]
struct ProtectedMetadata {
    resource: String,
    #[serde(default)]
    authorization_servers: Vec<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

impl Discovery<'_> {
    /// Learns who gives tokens for the server.
    pub(super) async fn protected(&self, challenge: &Challenge) -> Result<Protected, OAuthError> {
        let mut places = Vec::new();
        if let Some(named) = &challenge.resource_metadata {
            let named = self.server.join(named).map_err(|error| self.none(&error))?;
            places.push(named);
        } else {
            let path = self.server.path().trim_end_matches('/');
            if !path.is_empty() {
                places.push(
                    self.server
                        .at(&format!("/.well-known/oauth-protected-resource{path}")),
                );
            }
            places.push(self.server.at("/.well-known/oauth-protected-resource"));
        }
        for place in &places {
            let Some(metadata) = self.metadata::<ProtectedMetadata>(place).await? else {
                continue;
            };
            self.is_meant(&metadata.resource)?;
            let issuer = metadata.authorization_servers.into_iter().next();
            return Ok(Protected {
                issuer: issuer.ok_or_else(|| self.none(&"it names no authorization server"))?,
                resource: metadata.resource,
                scopes: metadata.scopes_supported,
            });
        }
        // Before RFC 9728 was asked for, a server was its own authorization server.
        Ok(Protected {
            resource: self.server.to_string(),
            issuer: self.server.origin().to_string(),
            scopes: Vec::new(),
        })
    }

    /// Checks that metadata is of this server and not of another one, for which a token would then be asked.
    fn is_meant(&self, claimed: &str) -> Result<(), OAuthError> {
        let meant = Address::parse(claimed).is_ok_and(|resource| {
            let path = resource.path().trim_end_matches('/');
            let within = self
                .server
                .path()
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            resource.origin() == self.server.origin() && within
        });
        match meant {
            true => Ok(()),
            false => Err(OAuthError::OtherResource {
                server: self.server.clone(),
                claimed: super::said(claimed),
            }),
        }
    }

    /// Learns what an authorization server can do.
    pub(super) async fn issuer(&self, issuer: &str) -> Result<Issuer, OAuthError> {
        let base = Address::parse(issuer).map_err(|error| self.none(&error))?;
        let path = base.path().trim_end_matches('/').to_owned();
        let mut places = vec![
            format!("/.well-known/oauth-authorization-server{path}"),
            format!("/.well-known/openid-configuration{path}"),
        ];
        if !path.is_empty() {
            places.push(format!("{path}/.well-known/openid-configuration"));
        }
        for place in places {
            let Some(found) = self.metadata::<Issuer>(&base.at(&place)).await? else {
                continue;
            };
            // One server that speaks for another could have the code for it sent to itself. `https://a` and
            // `https://a/` are one by the rules of URLs; nothing else is made alike.
            if found.issuer != issuer && !is_root_of(&found.issuer, issuer) {
                return Err(OAuthError::OtherIssuer {
                    issuer: super::said(issuer),
                    claimed: super::said(&found.issuer),
                });
            }
            if !found
                .code_challenge_methods_supported
                .iter()
                .any(|method| method == "S256")
            {
                return Err(OAuthError::NoPkce(super::said(issuer)));
            }
            return Ok(found);
        }
        Err(self.none(&format!("`{}` publishes no metadata", super::said(issuer))))
    }

    /// Returns an address to which authorization may go.
    pub(super) fn endpoint(&self, url: &str) -> Result<Address, OAuthError> {
        let address = Address::parse(url).map_err(|error| self.none(&error))?;
        self.may_be_asked(&address)?;
        Ok(address)
    }

    /// Metadata comes from strangers: it must not make this program ask addresses that only this machine reaches.
    fn may_be_asked(&self, address: &Address) -> Result<(), OAuthError> {
        let (own, named) = (self.server.origin().reach(), address.origin().reach());
        if !address.origin().tls() && named != Reach::Loopback {
            return Err(OAuthError::NotEncrypted(address.clone()));
        }
        let fits = match named {
            Reach::Public => true,
            Reach::Loopback => own == Reach::Loopback,
            Reach::Private => matches!(own, Reach::Loopback | Reach::Private),
            Reach::LinkLocal => false,
        };
        match fits {
            true => Ok(()),
            false => Err(OAuthError::Inside {
                server: self.server.to_string(),
                inside: address.to_string(),
            }),
        }
    }

    /// Reads metadata; none where there is none.
    async fn metadata<T: DeserializeOwned>(
        &self,
        place: &Address,
    ) -> Result<Option<T>, OAuthError> {
        self.may_be_asked(place)?;
        let mut request = Request::new(Bytes::new());
        request
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static("application/json"));
        let reading = async {
            let answer = self.client.send(place, request).await?;
            let status = answer.status();
            let text = answer.into_body().all(METADATA).await?;
            Ok::<_, OAuthError>((status, text))
        };
        let (status, text) =
            tokio::time::timeout(ANSWER, reading)
                .await
                .map_err(|_| OAuthError::Malformed {
                    address: place.clone(),
                    problem: format!("no answer within {} s", ANSWER.as_secs()),
                })??;
        match status {
            StatusCode::OK => match serde_json::from_slice(&text) {
                Ok(metadata) => Ok(Some(metadata)),
                Err(error) => Err(OAuthError::Malformed {
                    address: place.clone(),
                    problem: error.to_string(),
                }),
            },
            status if status.is_client_error() => Ok(None),
            status => Err(OAuthError::Malformed {
                address: place.clone(),
                problem: format!("HTTP {}", status.as_u16()),
            }),
        }
    }

    fn none(&self, problem: &dyn fmt::Display) -> OAuthError {
        OAuthError::NoMetadata {
            server: self.server.clone(),
            problem: problem.to_string(),
        }
    }
}

/// Returns whether two texts are the root of one server, with and without its `/`.
fn is_root_of(one: &str, other: &str) -> bool {
    let bare = |text: &'_ str| -> Option<String> {
        let bare = text.strip_suffix('/').unwrap_or(text);
        let host = bare.split_once("://")?.1;
        (!host.contains('/')).then(|| bare.to_owned())
    };
    bare(one).is_some() && bare(one) == bare(other)
}
