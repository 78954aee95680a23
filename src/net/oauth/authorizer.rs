//! One server's authorization: the token that it takes now, and how another one is got.

use std::collections::BTreeSet;
use std::sync::Arc;

use hyper::StatusCode;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::challenge::Challenge;
use super::consent::{Asking, Consent};
use super::discovery::{Discovery, Issuer, Protected};
use super::register::{self, Identity};
use super::store::{Record, Store};
use super::token::{Asker, Grant, Refused};
use super::{OAuthError, Token, base64url, random, said};
use crate::net::address::values;
use crate::net::{Address, Client};

/// What a person set for one server.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The id under which a person registered walden.
    pub client_id: Option<String>,
    pub client_secret: Option<String>,
    /// The issuer that this id is of; without it, of whichever the server names.
    pub issuer: Option<String>,
    /// The address of a document that describes walden to authorization servers.
    pub client_metadata_url: Option<String>,
    /// What to ask for, instead of what the server names.
    pub scope: Option<String>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// Gets tokens for one server.
pub struct Authorizer {
    client: Client,
    server: Address,
    settings: Settings,
    store: Store,
    consent: Arc<dyn Consent>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    loaded: bool,
    record: Option<Record>,
    /// What was asked for since the start: a server that wants the same again gets it no second time.
    asked: BTreeSet<String>,
    /// The token came just now, and was not taken yet.
    untried: Option<Got>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Got {
    Renewed,
    Consented,
}

impl std::fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorizer")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Authorizer {
    /// Creates one for the server at `server`.
    pub fn new(
        client: Client,
        server: Address,
        settings: Settings,
        store: Store,
        consent: Arc<dyn Consent>,
    ) -> Self {
        Self {
            client,
            server,
            settings,
            store,
            consent,
            state: Mutex::default(),
        }
    }

    /// Returns the token to send, renewed if it is at its end.
    ///
    /// # Errors
    /// When it is at its end and cannot be renewed now.
    pub async fn token(&self) -> Result<Option<Token>, OAuthError> {
        let mut state = self.state.lock().await;
        self.load(&mut state)?;
        if state
            .record
            .as_ref()
            .is_some_and(|record| record.grant.is_stale())
        {
            self.renew(&mut state).await?;
        }
        Ok(state.record.as_ref().map(token_of))
    }

    /// Notes that the server took the token.
    pub async fn accepted(&self) {
        self.state.lock().await.untried = None;
    }

    /// Answers a server's refusal, and returns whether there is another token to try.
    ///
    /// # Errors
    /// When authorization was needed, and did not come about.
    pub async fn challenged(
        &self,
        status: StatusCode,
        challenge: Option<&str>,
        used: Option<&Token>,
    ) -> Result<bool, OAuthError> {
        let mut state = self.state.lock().await;
        let challenge = challenge.map(Challenge::read).unwrap_or_default();
        // Several requests are refused at once; the first one of them got another token.
        let current = state.record.as_ref().map(token_of);
        if current.is_some() && current.as_ref() != used {
            return Ok(true);
        }
        if status == StatusCode::FORBIDDEN {
            return self.step_up(&mut state, &challenge).await;
        }
        match state.untried {
            Some(Got::Consented) => {
                return Err(OAuthError::NoToken {
                    issuer: state
                        .record
                        .as_ref()
                        .map_or_else(String::new, |record| record.issuer.clone()),
                    error: format!("`{}` refuses the token that it just got", self.server),
                });
            }
            // Renewing gave one that is refused as well.
            Some(Got::Renewed) => {}
            None => {
                if self.renew(&mut state).await? {
                    return Ok(true);
                }
            }
        }
        self.authorize(&mut state, &challenge).await?;
        Ok(true)
    }

    /// Asks for consent now, whether there is a token or not.
    ///
    /// # Errors
    /// When it does not come about.
    pub async fn log_in(&self) -> Result<(), OAuthError> {
        let mut state = self.state.lock().await;
        self.authorize(&mut state, &Challenge::default()).await
    }

    async fn step_up(&self, state: &mut State, challenge: &Challenge) -> Result<bool, OAuthError> {
        if challenge.error.as_deref() != Some("insufficient_scope") {
            return Ok(false);
        }
        let wanted = words(challenge.scope.as_deref().unwrap_or_default());
        if wanted.is_subset(&state.asked) {
            return Ok(false);
        }
        // What was granted before is asked for again: the new token takes the old one's place.
        if let Some(record) = &state.record {
            state.asked.extend(words(&record.grant.scope));
        }
        self.authorize(state, challenge).await?;
        Ok(true)
    }

    fn key(&self) -> String {
        self.server.to_string()
    }

    fn load(&self, state: &mut State) -> Result<(), OAuthError> {
        if !state.loaded {
            state.record = self.store.record(&self.key())?;
            state.loaded = true;
        }
        Ok(())
    }

    /// Renews the token, and returns whether there is another one. What keeps a server from answering for a while loses
    /// nothing: the token that renews stays.
    async fn renew(&self, state: &mut State) -> Result<bool, OAuthError> {
        let Some(record) = &state.record else {
            return Ok(false);
        };
        let before = record.grant.access.clone();
        let _locked = self.store.lock().await?;
        // Another process may have renewed it, and spent the token that renews.
        if let Some(kept) = self.store.record(&self.key())? {
            let other = kept.grant.access != before && !kept.grant.is_stale();
            state.record = Some(kept);
            if other {
                return Ok(true);
            }
        }
        let Some(mut record) = state.record.clone() else {
            return Ok(false);
        };
        let Some(refresh) = record.grant.refresh.clone() else {
            state.record = None;
            return Ok(false);
        };
        let discovery = self.discovery();
        let asker = Asker {
            discovery: &discovery,
            endpoint: &record.token_endpoint,
            methods: &record.methods,
            identity: &record.identity,
        };
        let pairs = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.as_str()),
            ("resource", record.grant.resource.as_str()),
        ];
        match asker.ask(&pairs, &record.grant.scope).await? {
            Ok(grant) => {
                record.grant = Grant {
                    refresh: grant.refresh.or(Some(refresh)),
                    resource: record.grant.resource,
                    ..grant
                };
                self.store.keep(&self.key(), &record)?;
                state.record = Some(record);
                state.untried = Some(Got::Renewed);
                Ok(true)
            }
            Err(Refused::Passing(problem)) => Err(OAuthError::Passing {
                issuer: record.issuer,
                problem,
            }),
            Err(Refused::Lasting(problem)) => {
                tracing::info!(server = %self.server, "a token cannot be renewed: {problem}");
                state.record = None;
                Ok(false)
            }
        }
    }

    fn discovery(&self) -> Discovery<'_> {
        Discovery {
            client: &self.client,
            server: &self.server,
        }
    }

    async fn authorize(&self, state: &mut State, challenge: &Challenge) -> Result<(), OAuthError> {
        let Some(redirect) = self.consent.redirect() else {
            return Err(OAuthError::ConsentNeeded(self.server.clone()));
        };
        let discovery = self.discovery();
        let protected = discovery.protected(challenge).await?;
        let issuer = discovery.issuer(&protected.issuer).await?;
        let scope = self.scope(state, challenge, &protected, &issuer);
        let known = self.store.identity(&issuer.issuer)?;
        let identity = register::identity(
            &discovery,
            &issuer,
            &self.settings,
            &redirect,
            known,
            (!scope.is_empty()).then_some(scope.as_str()),
        )
        .await?;
        let code = self
            .consent(
                &discovery, &issuer, &identity, &protected, &redirect, &scope,
            )
            .await?;
        let asker = Asker {
            discovery: &discovery,
            endpoint: &issuer.token_endpoint,
            methods: &issuer.token_endpoint_auth_methods_supported,
            identity: &identity,
        };
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", code.code.as_str()),
            ("redirect_uri", redirect.as_str()),
            ("code_verifier", code.verifier.as_str()),
            ("resource", protected.resource.as_str()),
        ];
        let grant = match asker.ask(&pairs, &scope).await? {
            Ok(grant) => grant,
            Err(Refused::Lasting(error) | Refused::Passing(error)) => {
                return Err(OAuthError::NoToken {
                    issuer: issuer.issuer,
                    error,
                });
            }
        };
        let record = Record {
            issuer: issuer.issuer,
            identity,
            token_endpoint: issuer.token_endpoint,
            methods: issuer.token_endpoint_auth_methods_supported,
            grant: Grant {
                resource: protected.resource,
                ..grant
            },
        };
        let locked = self.store.lock().await?;
        self.store.keep(&self.key(), &record)?;
        drop(locked);
        state.record = Some(record);
        state.loaded = true;
        state.untried = Some(Got::Consented);
        Ok(())
    }

    /// Decides what to ask for: what a person set, else what the refusal names, else what the server names, with what
    /// was asked for before; and that the token can be renewed, where that is something to ask for.
    fn scope(
        &self,
        state: &mut State,
        challenge: &Challenge,
        protected: &Protected,
        issuer: &Issuer,
    ) -> String {
        let named = match (&self.settings.scope, &challenge.scope) {
            (Some(scope), _) | (None, Some(scope)) => words(scope),
            (None, None) => protected.scopes.iter().cloned().collect(),
        };
        state.asked.extend(named);
        let mut asked: Vec<&str> = state.asked.iter().map(String::as_str).collect();
        let lasting = "offline_access";
        if issuer.scopes_supported.iter().any(|scope| scope == lasting) && !asked.contains(&lasting)
        {
            asked.push(lasting);
        }
        asked.join(" ")
    }

    async fn consent(
        &self,
        discovery: &Discovery<'_>,
        issuer: &Issuer,
        identity: &Identity,
        protected: &Protected,
        redirect: &str,
        scope: &str,
    ) -> Result<Code, OAuthError> {
        let endpoint = discovery.endpoint(&issuer.authorization_endpoint)?;
        let (verifier, state) = (random()?, random()?);
        let hashed = base64url(&Sha256::digest(verifier.as_bytes()));
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", identity.id.as_str()),
            ("redirect_uri", redirect),
            ("state", state.as_str()),
            ("code_challenge", hashed.as_str()),
            ("code_challenge_method", "S256"),
            ("resource", protected.resource.as_str()),
        ];
        if !scope.is_empty() {
            pairs.push(("scope", scope));
        }
        if scope.split(' ').any(|scope| scope == "offline_access") {
            // OpenID Connect gives a token that renews only with consent that was asked for.
            pairs.push(("prompt", "consent"));
        }
        let asking = Asking {
            server: self.server.clone(),
            issuer: issuer.issuer.clone(),
            url: endpoint.with_query(&pairs),
            redirect: redirect.to_owned(),
            state: state.clone(),
        };
        let answer = self.consent.ask(asking).await?;
        let code = code_of(&answer, redirect, &state, issuer)?;
        Ok(Code { code, verifier })
    }
}

struct Code {
    code: String,
    verifier: String,
}

/// Takes the code out of the browser's answer, if it is the answer to what was asked.
fn code_of(
    answer: &str,
    redirect: &str,
    state: &str,
    issuer: &Issuer,
) -> Result<String, OAuthError> {
    let query = answer
        .strip_prefix(redirect)
        .and_then(|rest| rest.strip_prefix('?'))
        .ok_or(OAuthError::WrongAnswer(
            "it is not the address that the browser was to be sent to",
        ))?;
    let query = query.split('#').next().unwrap_or_default();
    let one = |name: &'static str| -> Result<Option<String>, OAuthError> {
        let mut all = values(query, name);
        match (all.next(), all.next()) {
            (_, Some(_)) => Err(OAuthError::WrongAnswer("it says one thing twice")),
            (first, None) => Ok(first),
        }
    };
    if one("state")?.as_deref() != Some(state) {
        return Err(OAuthError::WrongAnswer(
            "it answers another question than this one",
        ));
    }
    // Before anything else of it is believed: whoever answered may not be who was asked (RFC 9207). The texts are
    // compared as they are.
    match one("iss")? {
        Some(iss) if iss != issuer.issuer => {
            return Err(OAuthError::WrongAnswer(
                "it comes from another authorization server than the one that was asked",
            ));
        }
        None if issuer.authorization_response_iss_parameter_supported => {
            return Err(OAuthError::WrongAnswer(
                "it does not say which authorization server it comes from, as this one always does",
            ));
        }
        _ => {}
    }
    if let Some(error) = one("error")? {
        let more = one("error_description")?.unwrap_or_default();
        return Err(OAuthError::Denied {
            issuer: issuer.issuer.clone(),
            error: said(format!("{error} {more}").trim()),
        });
    }
    one("code")?.ok_or(OAuthError::WrongAnswer("it holds no code"))
}

fn token_of(record: &Record) -> Token {
    Token(record.grant.access.clone())
}

fn words(scope: &str) -> BTreeSet<String> {
    scope.split_whitespace().map(str::to_owned).collect()
}
