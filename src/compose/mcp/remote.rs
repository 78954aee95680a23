//! Servers that are reached over HTTP: which way a connection takes, and who is authorized.

use std::io::BufRead as _;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::mpsc;

use super::super::brokering::{Brokered, broker};
use super::folder;
use super::narrowed::Narrowed;
use crate::error::UserError;
use crate::mcp::config::{Remote, RemoteTransport};
use crate::mcp::{AskPerson, LoggingIn, OpenRemote, Opening, Received, Wire};
use crate::net::oauth::{
    Asked, Asking, Authorizer, Consent, Loopback, NoConsent, OAuthError, Settings, Store,
};
use crate::net::remote::{self, Endpoint, Kind, Pipe};
use crate::net::{Address, Client, Connect, Direct};
use crate::protocol::{Answer, Field, FieldKind, QuestionKind, TextFormat, sanitize_line};
use crate::sandbox;
use crate::session::SessionFiles;

/// How many messages may wait between two parts of this program.
const WAITING: usize = 64;

/// How long a server may take to answer a login's first request, besides what the person takes.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// Opens connections to servers over HTTP: through the broker, in a session that can make none itself.
pub(super) struct Remotes {
    connect: Result<Arc<dyn Connect>, String>,
    tokens: PathBuf,
}

impl Remotes {
    /// Finds the way. To be called once, inside a runtime.
    pub(super) fn new(files: &SessionFiles) -> Self {
        Self {
            connect: connect(),
            tokens: tokens(files),
        }
    }
}

/// Returns where the tokens are kept.
fn tokens(files: &SessionFiles) -> PathBuf {
    folder(files).join("tokens.json")
}

fn connect() -> Result<Arc<dyn Connect>, String> {
    match broker() {
        Ok(Some(broker)) => Ok(Arc::new(Brokered(Arc::new(broker)))),
        Ok(None) if sandbox::sealed().is_some() => Err(
            "walden has no network here; allow the server's `host:port` under [network] `allow` in your config.toml, \
             and start walden again"
                .to_owned(),
        ),
        Ok(None) => direct(),
        Err(error) => Err(format!("the process that connects for walden is not there: {error}")),
    }
}

fn direct() -> Result<Arc<dyn Connect>, String> {
    let connect = Direct::new().map_err(|error| format!("no certificates can be read: {error}"))?;
    Ok(Arc::new(connect))
}

/// Makes a client for one server, which goes no further than its entry says.
fn client(connect: Arc<dyn Connect>, remote: &Remote) -> Result<Client, String> {
    Ok(Client::new(match &remote.network {
        Some(list) => Arc::new(Narrowed::new(connect, &address_of(remote)?, list)?),
        None => connect,
    }))
}

fn address_of(remote: &Remote) -> Result<Address, String> {
    Address::parse(&remote.url).map_err(|error| format!("its `url` cannot be used: {error}"))
}

/// Puts together what a connection to a server needs.
fn endpoint(
    client: &Client,
    remote: &Remote,
    tokens: PathBuf,
    consent: Arc<dyn Consent>,
) -> Result<Endpoint, String> {
    let address = address_of(remote)?;
    let headers = remote
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let endpoint = Endpoint::new(address.clone(), headers).map_err(|error| error.to_string())?;
    let set = &remote.oauth;
    let settings = Settings {
        client_id: set.client_id.clone(),
        client_secret: set.client_secret.clone(),
        issuer: set.issuer.clone(),
        client_metadata_url: set.client_metadata_url.clone(),
        scope: set.scope.clone(),
    };
    let authorizer = Authorizer::new(
        client.clone(),
        address,
        settings,
        Store::new(tokens),
        consent,
    );
    Ok(endpoint.authorized_by(Arc::new(authorizer)))
}

fn kind(remote: &Remote) -> Kind {
    match remote.transport {
        RemoteTransport::Streamable => Kind::Streamable,
        RemoteTransport::Sse => Kind::Sse,
    }
}

impl OpenRemote for Remotes {
    fn log_in(&self, remote: &Remote, ask: AskPerson) -> LoggingIn {
        let (connect, tokens, remote) = (self.connect.clone(), self.tokens.clone(), remote.clone());
        Box::pin(async move {
            let port = remote.oauth.callback_port.unwrap_or(Loopback::PORT);
            let consent = Questions { port, ask };
            let client = client(connect?, &remote)?;
            authorize(&client, &remote, tokens, Arc::new(consent)).await
        })
    }

    fn open(&self, remote: &Remote) -> Opening {
        let (connect, tokens, server) = (self.connect.clone(), self.tokens.clone(), remote.clone());
        Box::pin(async move {
            let client = client(connect?, &server)?;
            // Nobody is asked in the middle of something else: a login is a command of its own.
            let endpoint = endpoint(&client, &server, tokens, Arc::new(NoConsent))?;
            Ok(wire(
                remote::open(client, endpoint, kind(&server)),
                server.name,
            ))
        })
    }
}

/// Says in the host's words what comes from a server.
pub(in crate::compose) fn wire(pipe: Pipe, name: String) -> Wire {
    let Pipe {
        outgoing,
        mut incoming,
        mut tasks,
        stop,
    } = pipe;
    let (tx, received) = mpsc::channel(WAITING);
    tasks.spawn(async move {
        while let Some(one) = incoming.recv().await {
            let one = match one {
                remote::Received::Message(message) => Received::Message(message),
                remote::Received::Failed { id, error } => Received::Unreadable {
                    id: id.as_ref().and_then(serde_json::Value::as_u64),
                    problem: named(&error.to_string(), &name),
                },
                remote::Received::Ended(reason) => Received::Ended(named(&reason, &name)),
            };
            if tx.send(one).await.is_err() {
                return;
            }
        }
    });
    Wire::of(outgoing, received, tasks, stop)
}

/// Puts the server's name where a message says what to run.
fn named(problem: &str, name: &str) -> String {
    problem.replace(
        "`walden mcp login` for this server",
        &format!("`walden mcp login {name}`"),
    )
}

/// Lets the person authorize walden at a server, and returns what to say about it.
///
/// # Errors
/// When it does not come about.
pub(super) async fn log_in(
    remote: &Remote,
    files: &SessionFiles,
    show: impl Fn(&Asking) + Send + Sync + 'static,
) -> Result<String, UserError> {
    let failed = |problem: String| {
        UserError::failure(format!("cannot log in to `{}`: {problem}", remote.name))
    };
    let client = direct()
        .and_then(|connect| client(connect, remote))
        .map_err(failed)?;
    let port = remote.oauth.callback_port.unwrap_or(Loopback::PORT);
    let consent = Loopback::new(port, show, pasted());
    let said = authorize(&client, remote, tokens(files), Arc::new(consent));
    said.await.map(|said| said + "\n").map_err(failed)
}

/// Asks a server for what it gives only to those who are authorized, and returns a sentence about what came of it.
async fn authorize(
    client: &Client,
    remote: &Remote,
    tokens: PathBuf,
    consent: Arc<dyn Consent>,
) -> Result<String, String> {
    let endpoint = endpoint(client, remote, tokens.clone(), consent)?;
    let mut pipe = remote::open(client.clone(), endpoint, kind(remote));
    // What a server answers an unauthorized request with says where to get authorized.
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "walden", "version": env!("CARGO_PKG_VERSION")},
    }});
    let _ = pipe.outgoing.send(hello).await;
    let answered = tokio::time::timeout(PATIENCE, pipe.incoming.recv()).await;
    pipe.stop.cancel();
    while tokio::time::timeout(std::time::Duration::from_secs(2), pipe.incoming.recv())
        .await
        .is_ok_and(|one| one.is_some())
    {}
    match answered {
        Ok(Some(remote::Received::Message(_))) => {
            let address = address(remote).map_err(|error| error.to_string())?;
            let known = Store::new(tokens).holds(&address);
            Ok(match known.map_err(|error| error.to_string())? {
                true => format!("`{}` takes walden's authorization", remote.name),
                false => format!("`{}` asks for no authorization", remote.name),
            })
        }
        Ok(Some(remote::Received::Failed { error, .. })) => Err(error.to_string()),
        Ok(Some(remote::Received::Ended(reason))) => Err(reason),
        Ok(None) | Err(_) => Err("it gave no answer".to_owned()),
    }
}

/// Asks the person by questions of a session. Sealed, it has no port that a browser could answer at: the address that
/// the browser ends at is pasted.
struct Questions {
    port: u16,
    ask: AskPerson,
}

impl Consent for Questions {
    fn redirect(&self) -> Option<String> {
        Some(format!("http://127.0.0.1:{}/callback", self.port))
    }

    fn ask(&self, asking: Asking) -> Asked {
        let ask = Arc::clone(&self.ask);
        Box::pin(async move {
            let page = QuestionKind::Page {
                message: format!(
                    "walden itself asks this: `{}` wants authorization from `{}`. Open this page in a browser. It \
                     ends at an address of 127.0.0.1 that shows nothing, because walden has no network of its own; \
                     copy that address, you are asked for it next.",
                    asking.server,
                    sanitize_line(&asking.issuer),
                ),
                url: asking.url,
            };
            let Answer::Accept { .. } = ask(page).await else {
                return Err(OAuthError::CalledOff);
            };
            let field = Field {
                name: "address".to_owned(),
                title: Some("Address".to_owned()),
                description: Some("of the page that the browser ended at, whole".to_owned()),
                required: true,
                kind: FieldKind::Text {
                    min: Some(1),
                    max: Some(8_192),
                    format: Some(TextFormat::Uri),
                    default: None,
                },
            };
            let form = QuestionKind::Form {
                message: "walden itself asks this, to finish the login.".to_owned(),
                fields: vec![field],
            };
            match ask(form).await {
                Answer::Accept { values, .. } => match values["address"].as_str() {
                    Some(url) => Ok(url.trim().to_owned()),
                    None => Err(OAuthError::CalledOff),
                },
                _ => Err(OAuthError::CalledOff),
            }
        })
    }
}

/// Forgets the authorization at a server, and returns what to say about it.
///
/// # Errors
/// When the file of tokens cannot be changed.
pub(super) fn log_out(remote: &Remote, files: &SessionFiles) -> Result<String, UserError> {
    let forgotten = Store::new(tokens(files))
        .forget(&address(remote)?)
        .map_err(UserError::from_error)?;
    Ok(match forgotten {
        true => format!("the authorization at `{}` is forgotten\n", remote.name),
        false => format!("there was no authorization at `{}`\n", remote.name),
    })
}

fn address(remote: &Remote) -> Result<String, UserError> {
    Address::parse(&remote.url)
        .map(|address| address.to_string())
        .map_err(|error| UserError::failure(format!("its `url` cannot be used: {error}")))
}

/// Brings what the person pastes. The thread ends with the program, which ends with the login.
fn pasted() -> mpsc::Receiver<String> {
    let (tx, rx) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if !line.trim().is_empty() && tx.blocking_send(line).is_err() {
                return;
            }
        }
    });
    rx
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::{Map, Value, json};

    use super::*;

    /// Asks with answers that are given one after the other.
    async fn asked(answers: Vec<Answer>) -> (Result<String, OAuthError>, Vec<QuestionKind>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (questions, answers) = (Arc::clone(&seen), Mutex::new(answers.into_iter()));
        let consent = Questions {
            port: 48_763,
            ask: Arc::new(move |kind| {
                questions.lock().expect("whole").push(kind);
                let answer = answers.lock().expect("whole").next();
                Box::pin(async move { answer.expect("one more") })
            }),
        };
        assert_eq!(
            consent.redirect().as_deref(),
            Some("http://127.0.0.1:48763/callback")
        );
        let asking = Asking::of_test("https://login.example.org/authorize?state=1");
        let answer = consent.ask(asking).await;
        let seen = std::mem::take(&mut *seen.lock().expect("whole"));
        (answer, seen)
    }

    fn accept(values: &Value) -> Answer {
        Answer::Accept {
            values: values.as_object().cloned().unwrap_or_default(),
            text: None,
        }
    }

    #[tokio::test]
    async fn a_session_shows_the_page_whole_and_takes_the_address_that_is_pasted() {
        let back = "http://127.0.0.1:48763/callback?code=1&state=1";
        let answers = vec![
            accept(&Map::new().into()),
            accept(&json!({"address": format!(" {back} ")})),
        ];
        let (answer, seen) = asked(answers).await;
        assert_eq!(answer.expect("an answer"), back);
        let [
            QuestionKind::Page { url, message },
            QuestionKind::Form { fields, .. },
        ] = &seen[..]
        else {
            panic!("{seen:?}");
        };
        assert_eq!(url, "https://login.example.org/authorize?state=1");
        assert!(message.contains("login.example.org"), "{message}");
        assert!(fields[0].check(Some(&json!("no address"))).is_err());
        // Whatever is declined ends it.
        for answers in [
            vec![Answer::Decline],
            vec![accept(&Map::new().into()), Answer::Cancel],
        ] {
            let (answer, _) = asked(answers).await;
            assert!(matches!(answer, Err(OAuthError::CalledOff)));
        }
    }
}
