//! A login in the middle of a session: the person is asked, and the server is reached again when it came about.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Map, json};
use walden::mcp::config::{Remote, Source, define};
use walden::mcp::pins::Pins;
use walden::mcp::{
    AskPerson, Attended, Choices, Eras, Host, HostEvent, LoggingIn, OpenRemote, Opening, Options,
    TaskBook,
};
use walden::protocol::{Answer, Level, QuestionKind, ServerAction, ServerState};
use walden::sandbox::Launcher;

/// How long anything may take before a test calls it hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connections to a server that wants a login: the test is what would be the network.
struct Played {
    authorized: Arc<AtomicBool>,
}

impl OpenRemote for Played {
    fn open(&self, remote: &Remote) -> Opening {
        let authorized = self.authorized.load(Ordering::SeqCst);
        let name = remote.name.clone();
        Box::pin(async move {
            Err(match authorized {
                false => format!("`it` asks for authorization; run `walden mcp login {name}`"),
                true => "it is reached again".to_owned(),
            })
        })
    }

    fn log_in(&self, remote: &Remote, ask: AskPerson) -> LoggingIn {
        let (url, authorized) = (remote.url.clone(), Arc::clone(&self.authorized));
        Box::pin(async move {
            let message = "Open it.".to_owned();
            match ask(QuestionKind::Page { message, url }).await {
                Answer::Accept { .. } => {
                    authorized.store(true, Ordering::SeqCst);
                    Ok("`it` takes walden's authorization".to_owned())
                }
                _ => Err("the authorization was called off".to_owned()),
            }
        })
    }
}

fn host(folder: &Path, authorized: &Arc<AtomicBool>) -> Host {
    let entry = json!({"type": "http", "url": "https://docs.example.com/mcp"});
    let definition = define("it", &entry, &Source::User, &|_| None);
    let options = Options {
        attended: Attended::Yes,
        roots: vec![folder.to_owned()],
        launcher: Launcher::at(env!("CARGO_BIN_EXE_walden")),
        scratch: folder.join("servers"),
        pins: Pins::in_memory(vec!["it".to_owned()]),
        remote: Some(Arc::new(Played {
            authorized: Arc::clone(authorized),
        })),
        choices: Choices::in_memory(),
        tasks: TaskBook::in_memory(),
        eras: Eras::in_memory(),
        reload: None,
        containers: None,
    };
    Host::with(vec![definition], options)
}

async fn event(host: &mut Host) -> HostEvent {
    let event = tokio::time::timeout(PATIENCE, host.event()).await;
    event.expect("in time").expect("the host is there")
}

async fn down(host: &mut Host) -> String {
    loop {
        if let HostEvent::Server {
            state: ServerState::Down { reason },
            ..
        } = event(host).await
        {
            return reason;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_asks_the_person_and_the_server_is_reached_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut host = host(folder.path(), &Arc::default());
    down(&mut host).await;
    let needs = |host: &Host| host.reports(&|_| (0, 0))[0].needs_login;
    assert!(needs(&host));
    host.act("it", &ServerAction::LogIn).expect("begun");
    let told = loop {
        match event(&mut host).await {
            HostEvent::Asked(question) => {
                let QuestionKind::Page { url, .. } = &question.kind else {
                    panic!("{question:?}");
                };
                assert_eq!(url, "https://docs.example.com/mcp");
                assert_eq!(question.server, "it");
                let values = Map::new();
                host.answer(question.id, Answer::Accept { values, text: None });
            }
            HostEvent::Notice {
                level: Level::Info,
                text,
            } => break text,
            _ => {}
        }
    };
    assert!(told.contains("takes walden's authorization"), "{told}");
    while !down(&mut host).await.contains("it is reached again") {}
    assert!(!needs(&host));
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_called_off_is_told_and_an_open_one_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut host = host(folder.path(), &Arc::default());
    down(&mut host).await;
    host.act("it", &ServerAction::LogIn).expect("begun");
    loop {
        match event(&mut host).await {
            HostEvent::Asked(question) => host.answer(question.id, Answer::Decline),
            HostEvent::Notice { text, .. } if text.contains("There was no login") => break,
            _ => {}
        }
    }
    host.act("it", &ServerAction::LogIn).expect("begun");
    while !matches!(event(&mut host).await, HostEvent::Asked(_)) {}
    let closing = tokio::time::timeout(PATIENCE, host.close());
    closing.await.expect("it ends");
}
