//! An authorization server of the tests' own, and what stands before a server that it guards.

#![allow(
    dead_code,
    reason = "not every test has all of it do what it should not"
)]

use std::collections::HashMap;
use std::sync::Mutex;

use base64::Engine as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::server::{Answer, Seen};

/// What the servers do other than they should.
#[derive(Clone, Default)]
pub(crate) struct Twist {
    /// What the server says that it is.
    pub(crate) resource: Option<&'static str>,
    /// Who the authorization server says that it is.
    pub(crate) issuer: Option<&'static str>,
    pub(crate) no_pkce: bool,
    pub(crate) iss: Iss,
    pub(crate) state: Option<&'static str>,
    pub(crate) denied: bool,
    pub(crate) authorization_endpoint: Option<&'static str>,
    /// The authorization server sends requests for tokens on to this address.
    pub(crate) token_moved_to: Option<String>,
    pub(crate) token_type: Option<&'static str>,
    pub(crate) life: Option<u64>,
    /// The server sends what it is asked on to this address.
    pub(crate) moved_to: Option<String>,
}

#[derive(Clone, Copy, Default)]
pub(crate) enum Iss {
    #[default]
    Right,
    Missing,
    Wrong,
}

/// What the authorization server knows.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) challenges: HashMap<String, String>,
    pub(crate) tokens: Vec<(String, String)>,
    pub(crate) refresh: Vec<String>,
    pub(crate) number: usize,
    /// What a renewal is answered with instead of a token.
    pub(crate) renewal: Option<(u16, Value)>,
    /// Tokens that were good are not any more.
    pub(crate) revoked: usize,
}

/// Answers what is asked of the authorization server.
pub(crate) fn issue(asked: &Seen, own: &str, twist: &Twist, given: &Mutex<Given>) -> Answer {
    let mut given = given.lock().expect("not poisoned");
    let field = |name: &str| asked.field(name).unwrap_or_default();
    match asked.path() {
        "/.well-known/oauth-authorization-server" => Answer::json(&json!({
            "issuer": twist.issuer.unwrap_or(own),
            "authorization_endpoint":
                twist.authorization_endpoint.map_or(format!("{own}/authorize"), str::to_owned),
            "token_endpoint": format!("{own}/token"),
            "registration_endpoint": format!("{own}/register"),
            "code_challenge_methods_supported": if twist.no_pkce { json!(["plain"]) } else { json!(["S256"]) },
            "token_endpoint_auth_methods_supported": ["none"],
            "authorization_response_iss_parameter_supported": true,
        })),
        "/register" => Answer::new(
            201,
            &[("content-type", "application/json")],
            &json!({"client_id": "walden-1", "redirect_uris": ["x"]}).to_string(),
        ),
        "/authorize" => {
            given.number += 1;
            let code = format!("code-{}", given.number);
            given.challenges.insert(
                code.clone(),
                field("code_challenge") + " " + &field("scope"),
            );
            let state = twist.state.map_or_else(|| field("state"), str::to_owned);
            let said = match twist.denied {
                true => "error=access_denied".to_owned(),
                false => format!("code={code}"),
            };
            let iss = match twist.iss {
                Iss::Right => format!("&iss={own}"),
                Iss::Missing => String::new(),
                Iss::Wrong => "&iss=https://evil.example".to_owned(),
            };
            let back = format!("{}?{said}&state={state}{iss}", field("redirect_uri"));
            Answer::empty(302).with("location", &back)
        }
        "/token" => {
            if let Some(place) = &twist.token_moved_to {
                return Answer::empty(307).with("location", place);
            }
            let scope = if field("grant_type") == "refresh_token" {
                if let Some((status, answer)) = &given.renewal {
                    let text = answer.to_string();
                    return Answer::new(*status, &[("content-type", "application/json")], &text);
                }
                let place = given
                    .refresh
                    .iter()
                    .position(|one| *one == field("refresh_token"));
                let Some(place) = place else {
                    let text = json!({"error": "invalid_grant"}).to_string();
                    return Answer::new(400, &[("content-type", "application/json")], &text);
                };
                given.refresh.remove(place);
                String::new()
            } else {
                let hashed = Sha256::digest(field("code_verifier").as_bytes());
                let hashed = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hashed);
                let known = given.challenges.remove(&field("code")).unwrap_or_default();
                let (challenge, scope) = known.split_once(' ').expect("a known code");
                assert_eq!(hashed, challenge, "the verifier belongs to the challenge");
                scope.to_owned()
            };
            given.number += 1;
            let (token, refresh) = (
                format!("token-{}", given.number),
                format!("refresh-{}", given.number),
            );
            given.tokens.push((token.clone(), scope));
            given.refresh.push(refresh.clone());
            let mut answer = json!({
                "access_token": token,
                "token_type": twist.token_type.unwrap_or("Bearer"),
                "refresh_token": refresh,
            });
            if let Some(life) = twist.life {
                answer["expires_in"] = json!(life);
            }
            Answer::json(&answer)
        }
        _ => Answer::empty(404),
    }
}

/// Answers what is asked of the server that wants authorization; or returns the token with which something is asked of
/// what it guards.
pub(crate) fn guard(
    asked: &Seen,
    own: &str,
    issuer: &str,
    twist: &Twist,
    given: &Mutex<Given>,
) -> Result<String, Answer> {
    if asked.path() == "/.well-known/oauth-protected-resource/mcp" {
        return Err(Answer::json(&json!({
            "resource": twist.resource.map_or(format!("{own}/mcp"), str::to_owned),
            "authorization_servers": [issuer],
            "scopes_supported": ["read"],
        })));
    }
    if asked.path() != "/mcp" {
        return Err(Answer::empty(404));
    }
    let given = given.lock().expect("not poisoned");
    let bearer = asked
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "));
    let granted = given.tokens[given.revoked..]
        .iter()
        .find(|(token, _)| Some(token.as_str()) == bearer);
    let Some((_, scope)) = granted else {
        let metadata = format!("{own}/.well-known/oauth-protected-resource/mcp");
        let challenge = format!(r#"Bearer error="invalid_token", resource_metadata="{metadata}""#);
        return Err(Answer::empty(401).with("www-authenticate", &challenge));
    };
    if let Some(place) = &twist.moved_to {
        return Err(Answer::empty(307).with("location", place));
    }
    let needed = asked.message()["params"]["needs"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    if !needed.is_empty() && !scope.split(' ').any(|one| one == needed) {
        let challenge = format!(r#"Bearer error="insufficient_scope", scope="{needed}""#);
        return Err(Answer::empty(403).with("www-authenticate", &challenge));
    }
    Ok(bearer.unwrap_or_default().to_owned())
}
