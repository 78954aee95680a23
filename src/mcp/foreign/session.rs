//! One life of a server: from its start to its end.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::hearing::{self, Ears};
use super::launch::launch;
use super::{Command, End, Ground, Live, Shared, Stage};
use crate::mcp::config::Reach;
use crate::mcp::era::{self, Era, Hello};
use crate::mcp::link::{Link, Patience};
use crate::mcp::pins::{self, Part, Standing};
use crate::mcp::stdio::{self, Process, Program};
use crate::mcp::wire::Wire;
use crate::mcp::{catalog, convert};
use crate::protocol::{Answer, Level, QuestionKind};

/// How long a list that was said to have changed is left alone before it is read again: changes come in bursts.
const SETTLING: Duration = Duration::from_millis(300);
/// How long a list may take.
const LIST: Duration = Duration::from_secs(60);

/// Runs a server until it ends.
pub(super) async fn run(
    shared: &Arc<Shared>,
    ground: &Arc<Ground>,
    commands: &mut mpsc::Receiver<Command>,
) -> End {
    let started = Instant::now();
    let mut open = None;
    let end = {
        let work = live(shared, ground, &mut open);
        tokio::pin!(work);
        loop {
            tokio::select! {
                end = &mut work => break end,
                command = commands.recv() => match command {
                    None | Some(Command::Stop) => break End::Stopped,
                    Some(Command::Restart) => break End::Restarted,
                    Some(Command::RootsChanged) => {
                        if let Stage::Up(live) = &*shared.stage.borrow()
                            && live.hello.era == Era::Legacy
                        {
                            live.link.notify("notifications/roots/list_changed", &json!({}));
                        }
                    }
                },
            }
        }
    };
    let end = match end {
        End::Failed { reason, .. } => End::Failed {
            reason,
            lived: started.elapsed(),
        },
        end => end,
    };
    if let Some(open) = open.take() {
        open.close().await;
    }
    end
}

/// A connection that is open.
struct Open {
    process: Option<Process>,
    stop: Option<tokio_util::sync::CancellationToken>,
    tasks: JoinSet<()>,
    hearing: JoinSet<()>,
}

impl Open {
    async fn close(self) {
        let Self {
            process,
            stop,
            mut tasks,
            mut hearing,
        } = self;
        hearing.abort_all();
        if let Some(stop) = stop {
            stop.cancel();
            // It says goodbye over the network; that is not waited for long.
            let _ = tokio::time::timeout(Duration::from_secs(2), async {
                while tasks.join_next().await.is_some() {}
            })
            .await;
        }
        // The writer goes with them, and by that the server's input is closed.
        tasks.shutdown().await;
        if let Some(process) = process {
            process.close().await;
        }
    }
}

async fn live(shared: &Arc<Shared>, ground: &Arc<Ground>, open: &mut Option<Open>) -> End {
    let definition = &shared.definition;
    let reach = match &definition.reach {
        Ok(reach) => reach,
        Err(problem) => return End::Useless(problem.clone()),
    };
    let (launch, program) = match launch(definition, reach, ground).await {
        Ok(launch) => launch,
        Err(problem) => return End::Useless(problem),
    };
    if let Err(end) = gate(shared, ground, Part::Launch, &launch, None).await {
        return end;
    }
    let failed = |reason: String| End::Failed {
        reason,
        lived: Duration::ZERO,
    };
    let changed = Arc::new(Notify::new());
    let (visit, visited) = watch::channel(HashSet::new());
    let subscribed = Arc::default();
    let ears = Ears {
        server: definition.name.clone(),
        answering: Arc::clone(&ground.answering),
        log: Arc::clone(&shared.log),
        changed: Arc::clone(&changed),
        visit: Arc::new(visit),
        subscribed: Arc::clone(&subscribed),
        events: ground.events.clone(),
    };
    let key = definition.key();
    // It is asked the way that it was last met in; where that fails, it is found out anew.
    let mut known = match definition.era {
        Era::Auto => ground.eras.of(&key, &launch),
        _ => None,
    };
    let mut era = known.unwrap_or(definition.era);
    let _ = ground.events.send(super::HostEvent::Launched {
        server: definition.name.clone(),
        how: launch.clone(),
    });
    let (link, hello) = loop {
        let (wire, process) = match connect(reach, program.as_ref(), shared, ground).await {
            Ok(connected) => connected,
            Err(problem) => return failed(problem),
        };
        let stop = wire.stop.clone();
        let (link, heard, tasks) = Link::start(wire);
        let mut hearing = JoinSet::new();
        hearing.spawn(hearing::hear(ears.clone(), link.clone(), heard));
        *open = Some(Open {
            process,
            stop,
            tasks,
            hearing,
        });
        let capabilities = ground.answering.capabilities();
        let began = Instant::now();
        let met = era::meet(&link, era, &capabilities, definition.start).await;
        let was_known = known.take().is_some();
        if met.is_err() && was_known {
            ground.eras.forget(&key);
        }
        match met {
            Ok(hello) => {
                ground.eras.met(&key, &launch, hello.era);
                break (link, hello);
            }
            // It answers, in its way: it is another one than it was.
            Err(_) if was_known && !link.has_ended() && began.elapsed() < definition.start => {
                era = Era::Auto;
                if let Some(open) = open.take() {
                    open.close().await;
                }
            }
            // Some servers end when they hear what they do not know; they are asked the old way at once.
            Err(_) if era == Era::Auto && link.has_ended() => {
                era = Era::Legacy;
                if let Some(open) = open.take() {
                    open.close().await;
                }
            }
            Err(problem) => return failed(problem),
        }
    };
    if let Err(problem) = hello.check(definition.min_protocol) {
        // It is no other server the next time.
        return End::Useless(problem);
    }
    if hello.era == Era::Legacy && hello.can("/logging") {
        let _ = link
            .request(
                "logging/setLevel",
                json!({"level": "warning"}),
                Patience::of(Duration::from_secs(10)),
            )
            .await;
    }
    let mut listening = JoinSet::new();
    if let Some(wanted) = wanted(&hello) {
        let link = link.clone();
        listening.spawn(async move {
            // It answers when it ends; until then its notifications come like any others.
            let _ = link
                .request(
                    "subscriptions/listen",
                    json!({"notifications": wanted}),
                    Patience::of(Duration::from_secs(365 * 24 * 3600)),
                )
                .await;
        });
    }
    let mut keeps = Some(super::kept::follow(
        link.clone(),
        hello.clone(),
        Arc::clone(shared),
        Arc::clone(&ground.answering),
    ));
    // What the user was shown and did not agree to is not asked about again in this life of the server.
    let mut refused = None;
    let patience = Patience::of(LIST.min(definition.start.max(definition.idle)));
    loop {
        let catalog = tokio::select! {
            catalog = catalog::list(&link, &hello, patience) => catalog,
            reason = link.ended() => return failed(reason),
        };
        let mut catalog = match catalog {
            Ok(catalog) => catalog,
            Err(problem) => return failed(problem),
        };
        for problem in &catalog.left_out {
            shared.log.note(&format!("left out: {problem}"));
        }
        let (listed, ages, asked) = (catalog.clone(), catalog.ages(&hello), hello.clone());
        let mut hello = hello.clone();
        let mut offer = pins::offer(&hello, &catalog);
        // While the user looks at a change, nothing of the server is used.
        if ground
            .pins
            .standing(&definition.key(), &definition.name, Part::Offer, &offer)
            != Standing::Pinned
        {
            shared.stage.send_replace(Stage::Starting);
        }
        let part = tokio::select! {
            consent = gate(shared, ground, Part::Offer, &offer, refused.as_ref()) => match consent {
                Ok(part) => part,
                Err(end) => return end,
            },
            reason = link.ended() => return failed(reason),
        };
        if let Some(part) = part {
            refused = Some(std::mem::replace(&mut offer, part));
            let before = catalog.left_out.len();
            catalog.keep(&offer);
            hello.instructions = offer["instructions"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            for problem in &catalog.left_out[before..] {
                shared.log.note(&format!("left out: {problem}"));
            }
        }
        let mut chosen = shared.left_out.subscribe();
        let mut tools = convert::foreign(definition, &catalog.tools, &shared.log);
        tools.retain(|tool| !chosen.borrow_and_update().contains(&tool.tool));
        let live = Arc::new(Live {
            link: link.clone(),
            hello,
            catalog,
            tools: tools.clone(),
            offer,
            visited: visited.clone(),
            subscribed: Arc::clone(&subscribed),
        });
        let _ = ground.events.send(super::HostEvent::Tools(tools));
        shared.now(ground, Stage::Up(live));
        // Not before the server is one that the user agreed to.
        if let Some(follow) = keeps.take() {
            listening.spawn(follow);
        }
        loop {
            tokio::select! {
                reason = link.ended() => return failed(reason),
                () = changed.notified() => tokio::time::sleep(SETTLING).await,
                _ = chosen.changed() => {}
                () = tokio::time::sleep(ages.unwrap_or_default()), if ages.is_some() => {
                    // Where it is the same as before, nothing is told and nothing begins anew.
                    let again = catalog::list(&link, &asked, patience);
                    if again.await.is_ok_and(|again| again == listed) {
                        continue;
                    }
                }
            }
            break;
        }
    }
}

/// Which notifications a server of the stateless era is asked for.
fn wanted(hello: &Hello) -> Option<Value> {
    if hello.era != Era::Modern {
        return None;
    }
    let mut wanted = Map::new();
    for kind in ["tools", "prompts", "resources"] {
        if hello.can(&format!("/{kind}/listChanged")) {
            wanted.insert(format!("{kind}ListChanged"), json!(true));
        }
    }
    (!wanted.is_empty()).then(|| wanted.into())
}

async fn connect(
    reach: &Reach,
    program: Option<&Program>,
    shared: &Shared,
    ground: &Ground,
) -> Result<(Wire, Option<Process>), String> {
    match (reach, program) {
        (Reach::Remote(remote), _) => {
            let opener = ground
                .remote
                .as_ref()
                .ok_or("this walden reaches no server over the network")?;
            let opening = opener.open(remote);
            let wire = tokio::time::timeout(shared.definition.start, opening)
                .await
                .map_err(|_| "it did not answer in time".to_owned())??;
            Ok((wire, None))
        }
        (Reach::Stdio { .. }, Some(program)) if program.in_container => {
            let containers = ground
                .containers
                .as_ref()
                .ok_or("this walden starts no containers")?;
            let started = containers.start(&shared.definition.name, &program.argv, &program.env)?;
            let (wire, process) = stdio::speak(started, program, &shared.log);
            Ok((wire, Some(process)))
        }
        (Reach::Stdio { .. }, Some(program)) => {
            let scratch = ground.scratch.join(&shared.definition.name);
            let (wire, process) = stdio::start(program, &ground.launcher, &scratch, &shared.log)?;
            Ok((wire, Some(process)))
        }
        (Reach::Stdio { .. }, None) => Err("it has no program".to_owned()),
    }
}

/// Lets a part of a definition pass that was agreed to, and asks the user about any other, but not about one that was
/// refused before. Returns what an offer is to be reduced to, where the user did not agree to all of it.
async fn gate(
    shared: &Shared,
    ground: &Ground,
    part: Part,
    now: &Value,
    refused: Option<&Value>,
) -> Result<Option<Value>, End> {
    let definition = &shared.definition;
    let (name, key) = (&definition.name, definition.key());
    let standing = ground.pins.standing(&key, name, part, now);
    let (title, text) = match (&standing, part) {
        (Standing::Pinned, _) => return Ok(None),
        (Standing::New, Part::Launch) => (
            format!("Start the server `{name}`, confined to what stands here?"),
            pins::launch_text(now),
        ),
        (Standing::New, Part::Offer) => (
            format!("Use what the server `{name}` offers?"),
            pins::offer_text(now),
        ),
        (Standing::Changed(lines), Part::Launch) => (
            format!(
                "The server `{name}` is to be started in another way than you agreed to. Start it?"
            ),
            lines.join("\n"),
        ),
        (Standing::Changed(lines), Part::Offer) => (
            format!("The server `{name}` offers something else than you agreed to. Use it?"),
            lines.join("\n"),
        ),
    };
    let what = match (&standing, part) {
        (Standing::Changed(lines), _) => format!(
            "it changed since you agreed to it ({})",
            lines.first().map_or("", String::as_str)
        ),
        (_, Part::Launch) => "nobody agreed to its start yet".to_owned(),
        (_, Part::Offer) => "nobody agreed to what it offers yet".to_owned(),
    };
    let answer = match refused == Some(now) {
        true => Answer::Decline,
        false => {
            let question = QuestionKind::Definition { title, text };
            ground.answering.desk.ask(name, question).await
        }
    };
    let is_accepted = matches!(answer, Answer::Accept { .. });
    if let (false, Standing::Changed(lines), Part::Offer) = (is_accepted, &standing, part)
        && let Some(agreed) = ground.pins.agreed_part(&key, now)
    {
        if refused != Some(now) {
            let first = lines.first().map_or("", String::as_str);
            let _ = ground.events.send(super::HostEvent::Notice {
                level: Level::Warning,
                text: format!(
                    "The server `{name}` offers something else than you agreed to ({first}). Only what you agreed to \
                     is used; look at the rest with `walden mcp trust {name}`."
                ),
            });
        }
        return Ok(Some(agreed));
    }
    match answer {
        Answer::Accept { .. } => {
            if let Err(error) = ground.pins.agree(&key, part, now) {
                let _ = ground.events.send(super::HostEvent::Notice {
                    level: Level::Warning,
                    text: format!("{error}; you will be asked again."),
                });
            }
            Ok(None)
        }
        Answer::Decline => Err(End::Useless("you did not agree to it".to_owned())),
        Answer::Cancel => Err(End::Useless(format!(
            "{what}; look at it with `walden mcp trust {name}`"
        ))),
    }
}
