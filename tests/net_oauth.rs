//! Authorization against servers of the tests' own: the way to a token, its renewal, and the ways to steal one.

#![cfg(feature = "net")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test looks at the file of tokens"
)]

#[path = "net/authority.rs"]
mod authority;
#[path = "net/server.rs"]
mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use authority::{Given, Iss, Twist, guard, issue};
use serde_json::{Value, json};
use server::{Answer, Seen, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use walden::net::oauth::{
    Asked, Asking, Authorizer, Consent, Loopback, NoConsent, OAuthError, Settings, Store,
};
use walden::net::remote::{Endpoint, Kind, Pipe, Received, open};
use walden::net::{Address, Client, Direct};

struct World {
    server: Server,
    issuer: Server,
    given: Arc<Mutex<Given>>,
    folder: tempfile::TempDir,
}

impl World {
    async fn new(twist: Twist) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = format!("http://{}", listener.local_addr().expect("an address"));
        let given: Arc<Mutex<Given>> = Arc::default();
        let issuer = Server::on(listener, {
            let (given, twist, own) = (given.clone(), twist.clone(), own.clone());
            move |asked| issue(asked, &own, &twist, &given)
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let server = Server::on(listener, {
            let given = given.clone();
            move |asked| protect(asked, &url, &own, &twist, &given)
        });
        Self {
            server,
            issuer,
            given,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn tokens(&self) -> PathBuf {
        self.folder.path().join("state/tokens.json")
    }

    /// Connects as a new start of the program does.
    fn connect(&self, consent: Arc<dyn Consent>) -> Pipe {
        let client = client();
        let address = Address::parse(&format!("{}/mcp", self.server.url)).expect("an address");
        let authorizer = Authorizer::new(
            client.clone(),
            address.clone(),
            Settings::default(),
            Store::new(self.tokens()),
            consent,
        );
        let endpoint = Endpoint::new(address, [])
            .expect("no headers")
            .authorized_by(Arc::new(authorizer));
        open(client, endpoint, Kind::Streamable)
    }

    fn consents(&self) -> usize {
        self.issuer
            .seen()
            .iter()
            .filter(|seen| seen.path() == "/authorize")
            .count()
    }

    fn revoke(&self) {
        let mut given = self.given.lock().expect("not poisoned");
        given.revoked = given.tokens.len();
    }
}

fn client() -> Client {
    Client::new(Arc::new(Direct::new().expect("certificates")))
}

fn protect(asked: &Seen, own: &str, issuer: &str, twist: &Twist, given: &Mutex<Given>) -> Answer {
    match guard(asked, own, issuer, twist, given) {
        Err(answer) => answer,
        Ok(bearer) => {
            let id = &asked.message()["id"];
            Answer::json(&json!({"jsonrpc": "2.0", "id": id, "result": {"with": bearer}}))
        }
    }
}

/// A person who says yes to everything.
struct Yes(Client);

fn yes() -> Arc<dyn Consent> {
    Arc::new(Yes(client()))
}

impl Consent for Yes {
    fn redirect(&self) -> Option<String> {
        Some("http://127.0.0.1:48763/callback".to_owned())
    }

    fn ask(&self, asking: Asking) -> Asked {
        let client = self.0.clone();
        Box::pin(async move {
            let address = Address::parse(&asking.url).expect("an address");
            let back = client.redirect_of(&address).await?;
            Ok(back.expect("it redirects"))
        })
    }
}

async fn ask(pipe: &mut Pipe, id: u64, needs: &str) -> Result<Value, String> {
    let message = json!({"jsonrpc": "2.0", "id": id, "method": "x", "params": {"needs": needs}});
    pipe.outgoing.send(message).await.expect("open");
    answer(pipe).await
}

async fn answer(pipe: &mut Pipe) -> Result<Value, String> {
    match pipe.incoming.recv().await.expect("open") {
        Received::Message(message) => Ok(message["result"]["with"].clone()),
        Received::Failed { error, .. } => Err(error.to_string()),
        Received::Ended(reason) => Err(reason),
    }
}

#[tokio::test]
async fn a_server_that_asks_gets_a_token_of_its_own_which_outlives_the_program() {
    let world = World::new(Twist::default()).await;
    let mut pipe = world.connect(yes());
    assert_eq!(ask(&mut pipe, 1, "").await, Ok(json!("token-2")));
    let seen = world.issuer.seen();
    let asked = |path: &str| {
        seen.iter()
            .find(|seen| seen.path() == path)
            .expect("asked")
            .clone()
    };
    let resource = Some(format!("{}/mcp", world.server.url));
    let authorize = asked("/authorize");
    assert_eq!(authorize.field("resource"), resource);
    assert_eq!(
        authorize.field("code_challenge_method").as_deref(),
        Some("S256")
    );
    assert_eq!(authorize.field("scope").as_deref(), Some("read"));
    assert_eq!(asked("/token").field("resource"), resource);
    let registered = asked("/register").message();
    assert_eq!(registered["application_type"], "native");
    assert_eq!(
        registered["redirect_uris"],
        json!(["http://127.0.0.1:48763/callback"])
    );
    // No token for the authorization server: it gets none of the resource's headers.
    assert!(
        seen.iter()
            .all(|seen| seen.header("authorization").is_none())
    );
    let mode = fs::metadata(world.tokens())
        .expect("kept")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // Another start needs nobody.
    let mut pipe = world.connect(Arc::new(NoConsent));
    assert_eq!(ask(&mut pipe, 1, "").await, Ok(json!("token-2")));
    assert_eq!(world.consents(), 1);
    let address = format!("{}/mcp", world.server.url);
    assert!(
        Store::new(world.tokens())
            .forget(&address)
            .expect("forgotten")
    );
    let mut pipe = world.connect(Arc::new(NoConsent));
    let problem = ask(&mut pipe, 1, "").await.expect_err("no token");
    assert!(problem.contains("`walden mcp login`"), "{problem}");
}

#[tokio::test]
async fn several_requests_that_are_refused_at_once_ask_a_person_once() {
    let world = World::new(Twist::default()).await;
    let mut pipe = world.connect(yes());
    for id in 1..=4 {
        let message = json!({"jsonrpc": "2.0", "id": id, "method": "x"});
        pipe.outgoing.send(message).await.expect("open");
    }
    for _ in 1..=4 {
        assert_eq!(answer(&mut pipe).await, Ok(json!("token-2")));
    }
    assert_eq!(world.consents(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_and_what_passes_loses_nothing() {
    let world = World::new(Twist::default()).await;
    let mut pipe = world.connect(yes());
    ask(&mut pipe, 1, "").await.expect("a token");
    world.revoke();
    world.given.lock().expect("not poisoned").renewal = Some((503, json!({"error": "busy"})));
    let problem = ask(&mut pipe, 2, "").await.expect_err("no renewal");
    assert!(problem.contains("cannot renew the token now"), "{problem}");
    world.given.lock().expect("not poisoned").renewal = None;
    assert_eq!(ask(&mut pipe, 3, "").await, Ok(json!("token-3")));
    assert_eq!(world.consents(), 1, "nobody was asked again");
    // The renewed token is kept, with the token that renews it.
    world.revoke();
    let mut pipe = world.connect(Arc::new(NoConsent));
    assert_eq!(ask(&mut pipe, 1, "").await, Ok(json!("token-4")));
    // A server that renews no more: a person is asked again.
    world.revoke();
    world.given.lock().expect("not poisoned").refresh.clear();
    let mut pipe = world.connect(yes());
    assert_eq!(ask(&mut pipe, 1, "").await, Ok(json!("token-6")));
    assert_eq!(world.consents(), 2);
}

#[tokio::test]
async fn a_token_at_its_end_is_renewed_before_it_is_refused() {
    let world = World::new(Twist {
        life: Some(1),
        ..Twist::default()
    })
    .await;
    let mut pipe = world.connect(yes());
    ask(&mut pipe, 1, "").await.expect("a token");
    assert_eq!(ask(&mut pipe, 2, "").await, Ok(json!("token-4")));
    assert_eq!(world.consents(), 1);
}

#[tokio::test]
async fn a_renewal_of_another_process_is_taken_over() {
    let world = World::new(Twist::default()).await;
    let mut first = world.connect(yes());
    ask(&mut first, 1, "").await.expect("a token");
    let mut second = world.connect(Arc::new(NoConsent));
    ask(&mut second, 1, "").await.expect("the same token");
    world.revoke();
    assert_eq!(ask(&mut first, 2, "").await, Ok(json!("token-3")));
    assert_eq!(ask(&mut second, 2, "").await, Ok(json!("token-3")));
}

#[tokio::test]
async fn more_rights_are_asked_for_with_those_there_are_and_once() {
    let world = World::new(Twist::default()).await;
    let mut pipe = world.connect(yes());
    ask(&mut pipe, 1, "").await.expect("a token");
    ask(&mut pipe, 2, "write").await.expect("more rights");
    let scopes: Vec<_> = world
        .issuer
        .seen()
        .iter()
        .filter(|seen| seen.path() == "/authorize")
        .map(|seen| seen.field("scope").unwrap_or_default())
        .collect();
    assert_eq!(scopes, ["read", "read write"]);
    // A server that is never content is not asked again and again.
    let given = world.given.clone();
    for (_, scope) in &mut given.lock().expect("not poisoned").tokens {
        scope.clear();
    }
    let problem = ask(&mut pipe, 3, "write").await.expect_err("never enough");
    assert!(problem.contains("HTTP 403"), "{problem}");
    assert_eq!(world.consents(), 2);
}

#[tokio::test]
async fn nobody_gets_a_token_by_a_trick() {
    let thief = Server::start(|_| Answer::empty(200)).await;
    let plain = Twist::default;
    let tricks = [
        (
            Twist {
                resource: Some("https://bank.example/mcp"),
                ..plain()
            },
            "describes itself as",
        ),
        (
            Twist {
                resource: Some("http://127.0.0.1:1/mcp"),
                ..plain()
            },
            "describes itself as",
        ),
        (
            Twist {
                issuer: Some("https://evil.example"),
                ..plain()
            },
            "describes itself as",
        ),
        (
            Twist {
                no_pkce: true,
                ..plain()
            },
            "does not support PKCE",
        ),
        (
            Twist {
                iss: Iss::Wrong,
                ..plain()
            },
            "another authorization server",
        ),
        (
            Twist {
                iss: Iss::Missing,
                ..plain()
            },
            "does not say which authorization server",
        ),
        (
            Twist {
                state: Some("another"),
                ..plain()
            },
            "answers another question",
        ),
        (
            Twist {
                denied: true,
                ..plain()
            },
            "did not authorize: access_denied",
        ),
        (
            Twist {
                authorization_endpoint: Some("http://example.com/authorize"),
                ..plain()
            },
            "is not encrypted",
        ),
        (
            Twist {
                authorization_endpoint: Some("https://169.254.169.254/latest"),
                ..plain()
            },
            "is not asked",
        ),
        (
            Twist {
                token_moved_to: Some(format!("{}/token", thief.url)),
                ..plain()
            },
            "points to another server",
        ),
        (
            Twist {
                token_type: Some("mac"),
                ..plain()
            },
            "of the kind `mac`",
        ),
    ];
    for (twist, reason) in tricks {
        let world = World::new(twist).await;
        let mut pipe = world.connect(yes());
        let problem = ask(&mut pipe, 1, "").await.expect_err("no token");
        assert!(problem.contains(reason), "not {reason:?} but {problem:?}");
        assert!(!world.tokens().exists(), "{reason}");
        let sent = world.server.seen();
        assert!(
            sent.iter()
                .all(|seen| seen.header("authorization").is_none())
        );
    }
    assert!(thief.seen().is_empty());
}

#[tokio::test]
async fn a_token_does_not_follow_a_redirect_to_another_server() {
    let thief = Server::start(|_| Answer::empty(200)).await;
    let world = World::new(Twist {
        moved_to: Some(format!("{}/mcp", thief.url)),
        ..Twist::default()
    })
    .await;
    let mut pipe = world.connect(yes());
    let problem = ask(&mut pipe, 1, "").await.expect_err("not followed");
    assert!(problem.contains("points to another server"), "{problem}");
    assert!(thief.seen().is_empty());
}

#[tokio::test]
async fn the_file_of_tokens_holds_no_token_under_another_server() {
    let (one, other) = (
        World::new(Twist::default()).await,
        World::new(Twist::default()).await,
    );
    let mut pipe = one.connect(yes());
    ask(&mut pipe, 1, "").await.expect("a token");
    // Another server with the same file is asked for consent of its own.
    fs::create_dir_all(other.tokens().parent().expect("a folder")).expect("made");
    fs::copy(one.tokens(), other.tokens()).expect("copied");
    let mut pipe = other.connect(Arc::new(NoConsent));
    assert!(ask(&mut pipe, 1, "").await.is_err());
    assert!(
        other
            .server
            .seen()
            .iter()
            .all(|seen| seen.header("authorization").is_none())
    );
}

/// Opens what the person is to open, by way of a browser of this machine that other pages use as well.
async fn browse(port: u16, host: &str, target: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("listening");
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer.lines().next().unwrap_or_default().to_owned()
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test]
async fn only_the_answer_to_the_question_ends_the_wait_for_the_browser() {
    let world = World::new(Twist::default()).await;
    let port = free_port().await;
    let (shown, mut urls) = mpsc::unbounded_channel();
    let (_paste, pasted) = mpsc::channel(1);
    let consent = Loopback::new(
        port,
        move |asking: &Asking| shown.send(asking.url.clone()).expect("open"),
        pasted,
    );
    let mut pipe = world.connect(Arc::new(consent));
    let browser = async {
        let url = urls.recv().await.expect("shown");
        let address = Address::parse(&url).expect("an address");
        let back = client()
            .redirect_of(&address)
            .await
            .expect("answered")
            .expect("redirected");
        let target = back.split_once("/callback").expect("to the callback").1;
        let (own, target) = (format!("127.0.0.1:{port}"), format!("/callback{target}"));
        let nothing = "HTTP/1.1 404 Not Found";
        assert_eq!(browse(port, &own, "/favicon.ico").await, nothing);
        assert_eq!(
            browse(port, &own, "/callback?code=x&state=guess").await,
            nothing
        );
        assert_eq!(browse(port, "evil.example", &target).await, nothing);
        assert_eq!(browse(port, &own, &target).await, "HTTP/1.1 200 OK");
    };
    let (asked, ()) = tokio::join!(ask(&mut pipe, 1, ""), browser);
    assert_eq!(asked, Ok(json!("token-2")));
}

#[tokio::test]
async fn a_pasted_address_does_as_well_as_the_browser() {
    let world = World::new(Twist::default()).await;
    let (shown, mut urls) = mpsc::unbounded_channel();
    let (paste, pasted) = mpsc::channel(1);
    let show = move |asking: &Asking| shown.send(asking.url.clone()).expect("open");
    let consent = Loopback::new(free_port().await, show, pasted);
    let mut pipe = world.connect(Arc::new(consent));
    let person = async {
        let url = urls.recv().await.expect("shown");
        let address = Address::parse(&url).expect("an address");
        let back = client()
            .redirect_of(&address)
            .await
            .expect("answered")
            .expect("redirected");
        paste.send(format!("  {back}\n")).await.expect("waiting");
    };
    let (asked, ()) = tokio::join!(ask(&mut pipe, 1, ""), person);
    assert_eq!(asked, Ok(json!("token-2")));
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (_paste, pasted) = mpsc::channel(1);
    let world = World::new(Twist::default()).await;
    let consent = Loopback::new(port, |_| panic!("nobody is to be told"), pasted);
    let mut pipe = world.connect(Arc::new(consent));
    let problem = ask(&mut pipe, 1, "").await.expect_err("taken");
    assert!(problem.contains(&format!("port {port}")), "{problem}");
}

#[test]
fn no_error_and_no_setting_shows_a_secret() {
    let settings = Settings {
        client_id: Some("id".to_owned()),
        client_secret: Some("very secret".to_owned()),
        ..Settings::default()
    };
    assert!(!format!("{settings:?}").contains("secret\""));
    assert!(!format!("{settings:?}").contains("very"));
    let error = OAuthError::CalledOff;
    assert_eq!(error.to_string(), "the authorization was called off");
}
