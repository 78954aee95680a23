//! A login at a server in the middle of a session: the person is asked as by any question, and the server is started
//! again when it came about.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::answering::Answering;
use super::config::{Reach, Remote};
use super::event::HostEvent;
use super::foreign::{Command, Foreign, Ground};
use crate::protocol::{Answer, Level, QuestionKind};

/// What a login comes to: a sentence about it. The error is one line that says what failed.
pub type LoggingIn = std::pin::Pin<Box<dyn Future<Output = Result<String, String>> + Send>>;
/// An answer to come.
pub type Answered = std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>;
/// Asks the person something while a login goes on.
pub type AskPerson = Arc<dyn Fn(QuestionKind) -> Answered + Send + Sync>;

/// The words by which a server that wants to be logged in to says so.
const WANTED: &str = "walden mcp login";

/// Tells whether a server that is down for this reason wants to be logged in to.
pub(super) fn wants(reason: &str) -> bool {
    reason.contains(WANTED)
}

/// Tells whether a server is down because nobody is logged in to it.
pub(super) fn is_wanted(reach: &Result<Reach, String>, last_error: Option<&str>) -> bool {
    // Behind the reason stands what the server said last, which may be of another time.
    let reason = last_error.and_then(|error| error.split("; it said: ").next());
    matches!(reach, Ok(Reach::Remote(_))) && reason.is_some_and(wants)
}

/// Begins a login at a server. The future is to be driven by the host.
///
/// # Errors
/// When the server takes no login.
pub(super) fn begin(
    foreign: &Foreign,
    ground: &Arc<Ground>,
) -> Result<impl Future<Output = ()> + Send + 'static, String> {
    let name = foreign.shared.definition.name.clone();
    let Ok(Reach::Remote(remote)) = &foreign.shared.definition.reach else {
        return Err(format!(
            "`{name}` is a program on this machine, which takes no login"
        ));
    };
    let Some(opener) = ground.remote.clone() else {
        return Err("this walden reaches no server over the network".to_owned());
    };
    let (remote, commands): (Remote, mpsc::Sender<Command>) = (remote.clone(), foreign.commands());
    let answering = Arc::clone(&ground.answering);
    Ok(async move {
        let outcome = opener.log_in(&remote, asks(&name, &answering)).await;
        let (level, text) = match outcome {
            Ok(said) => {
                let _ = commands.send(Command::Restart).await;
                (Level::Info, said)
            }
            Err(problem) => (
                Level::Warning,
                format!("There was no login at the server `{name}`: {problem}."),
            ),
        };
        let _ = answering.events.send(HostEvent::Notice { level, text });
    })
}

fn asks(server: &str, answering: &Arc<Answering>) -> AskPerson {
    let (server, answering) = (server.to_owned(), Arc::clone(answering));
    Arc::new(move |kind| {
        let (server, answering) = (server.clone(), Arc::clone(&answering));
        Box::pin(async move { answering.desk.ask(&server, kind).await })
    })
}
