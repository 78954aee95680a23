//! Calls that a server takes on as tasks: it answers at once with a task's name, and the result is fetched later.
//!
//! There are two ways. In the revision 2025-11-25 the host asks for a task, of tools that say they can be one; its
//! result is waited for with `tasks/result`, over which questions to the user come, too. In the stateless era tasks
//! are an extension: the server decides, `tasks/get` brings the questions and the result, and `tasks/update` takes the
//! answers. Dropping the future of a call cancels its task at the server.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::answering::Answering;
use super::calling::Telling;
use super::config::Definition;
use super::era::{Era, Hello};
use super::event::HostEvent;
use super::foreign::{Live, Shared};
use super::link::{Link, LinkError, Patience, Token};
use super::task_book::TaskBook;
use super::text::short;
use crate::protocol::{Job, JobState, ToolCall};

/// What the extension of the stateless era is called in capabilities.
pub(super) const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// How often a task is looked at: what a server wishes counts within these bounds.
const OFTEN: Duration = Duration::from_millis(100);
const SELDOM: Duration = Duration::from_secs(10);
const USUALLY: Duration = Duration::from_millis(500);

/// How often in a row a look at a task may fail.
const MISSES: u32 = 3;

/// Tells whether a call of a tool is to be asked for as a task.
pub(super) fn asks_for(live: &Live, tool: &str) -> bool {
    let listed = live.catalog.tools.iter().find(|one| one["name"] == tool);
    let support = listed.and_then(|tool| tool["execution"]["taskSupport"].as_str());
    live.hello.era == Era::Legacy
        && live.hello.can("/tasks/requests/tools/call")
        && matches!(support, Some("required" | "optional"))
}

/// Returns the task that an answer to a call names, if it names one.
pub(super) fn begun<'a>(live: &Live, answer: &'a Value) -> Option<&'a Value> {
    let task = match live.hello.era {
        Era::Modern => (answer["resultType"] == "task").then_some(answer)?,
        _ => answer.get("task")?,
    };
    task["taskId"].is_string().then_some(task)
}

/// Tells whether a server's tasks are noted: one that lists what it keeps is asked for that instead.
pub(super) fn is_noted(hello: &Hello) -> bool {
    hello.era != Era::Legacy || !hello.can("/tasks/list")
}

/// A task that is being followed to its end.
pub(super) struct Following<'a> {
    pub(super) live: &'a Live,
    pub(super) shared: &'a Shared,
    pub(super) answering: &'a Answering,
    pub(super) telling: &'a Telling<'a>,
    pub(super) call: &'a ToolCall,
    /// The token under which the server tells of progress.
    pub(super) token: Option<Token>,
}

impl Following<'_> {
    /// Follows a task, and returns the result of its call.
    pub(super) async fn finish(mut self, task: &Value) -> Result<Value, LinkError> {
        let id = task["taskId"].as_str().unwrap_or_default().to_owned();
        let (book, key) = (&self.shared.tasks, self.shared.definition.key());
        let ttl = task["ttlMs"].as_u64().or_else(|| task["ttl"].as_u64());
        if is_noted(&self.live.hello) {
            book.begun(&key, &id, &self.call.tool, ttl.map(Duration::from_millis));
        }
        let mut cancelling = Cancelling {
            link: &self.live.link,
            id: &id,
            is_open: true,
            told: self.job(&id),
            answering: self.answering,
            book,
            key: &key,
        };
        let result = self.follow(&id, task.clone(), &mut cancelling.told).await;
        cancelling.is_open = false;
        match &result {
            // It may go on all the same, and is looked for when the server is met again.
            Err(LinkError::Ended(_) | LinkError::Silent(_)) => book.left(&key, &id),
            _ => book.over(&key, &id),
        }
        let state = match &result {
            Ok(result) if result["isError"] == true => JobState::Failed,
            Ok(_) => JobState::Done,
            Err(LinkError::Refused { code, .. }) if *code == CANCELLED => JobState::Cancelled,
            Err(_) => JobState::Failed,
        };
        cancelling.told.tell(self.answering, state, None);
        result
    }

    async fn follow(
        &mut self,
        id: &str,
        mut task: Value,
        told: &mut Told,
    ) -> Result<Value, LinkError> {
        let definition = &self.shared.definition;
        let total = definition.total.max(definition.idle);
        let end = Instant::now() + total;
        let look = Patience::of(definition.idle);
        let mut answered = HashSet::new();
        let mut misses = 0;
        loop {
            let state = state(&task);
            let message = task["statusMessage"].as_str().map(|text| short(text, 200));
            if let Some(message) = &message {
                self.telling.say(message);
            }
            told.tell(self.answering, state, message);
            match (state, self.live.hello.era) {
                (JobState::Cancelled, _) => return Err(cancelled()),
                (JobState::Done, Era::Modern) => return Ok(task["result"].take()),
                (JobState::Failed, Era::Modern) => return Err(failed(&task["error"])),
                (JobState::Asks, Era::Modern) => {
                    let (link, asked) = (&self.live.link, &mut answered);
                    answer(self.answering, link, definition, id, &task, asked).await?;
                }
                (JobState::Working, _) => {}
                // What the server asks comes while the result is waited for.
                (JobState::Asks | JobState::Done | JobState::Failed, _) => {
                    let left = Patience::of(end - Instant::now());
                    let mut related = json!({"taskId": id});
                    self.telling.mark(&mut related);
                    let result = self.live.link.request("tasks/result", related, left).await;
                    return match result {
                        Err(LinkError::Silent(_)) => Err(LinkError::Silent(total)),
                        result => result,
                    };
                }
            }
            self.wait(&task).await;
            if Instant::now() >= end {
                return Err(LinkError::Silent(total));
            }
            let mut named = json!({"taskId": id});
            self.telling.mark(&mut named);
            let asked = self.live.link.request("tasks/get", named, look).await;
            task = match asked {
                Ok(task) => {
                    misses = 0;
                    task
                }
                // The task goes on all the same.
                Err(LinkError::Silent(_) | LinkError::Unreadable(_)) if misses < MISSES => {
                    misses += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
        }
    }

    /// Waits until it is time to look again, and tells of progress meanwhile.
    async fn wait(&mut self, task: &Value) {
        let wish = task["pollIntervalMs"]
            .as_u64()
            .or_else(|| task["pollInterval"].as_u64());
        let interval = wish.map_or(USUALLY, Duration::from_millis);
        let pause = sleep(interval.clamp(OFTEN, SELDOM));
        tokio::pin!(pause);
        let ended = self.live.link.ended();
        tokio::pin!(ended);
        loop {
            let Some(token) = &mut self.token else {
                tokio::select! {
                    () = &mut pause => return,
                    _ = &mut ended => return,
                }
            };
            tokio::select! {
                () = &mut pause => return,
                _ = &mut ended => return,
                changed = token.told.changed() => match changed {
                    Ok(()) => self.telling.tell(&token.told.borrow_and_update()),
                    Err(_) => self.token = None,
                }
            }
        }
    }

    fn job(&self, id: &str) -> Told {
        Told {
            job: Job {
                server: self.shared.definition.name.clone(),
                id: short(id, 100),
                tool: short(&self.call.tool, 100),
                call: self.call.id,
                state: JobState::Working,
                message: String::new(),
            },
            is_told: false,
        }
    }
}

/// Answers what a task of the stateless era asks, each question once.
pub(super) async fn answer(
    answering: &Answering,
    link: &Link,
    definition: &Definition,
    id: &str,
    task: &Value,
    answered: &mut HashSet<String>,
) -> Result<(), LinkError> {
    let mut answers = Map::new();
    for (key, request) in task["inputRequests"].as_object().into_iter().flatten() {
        if answered.contains(key) {
            continue;
        }
        let method = request["method"].as_str().unwrap_or_default();
        let answer = answering.answer(&definition.name, method, &request["params"]);
        match answer.await {
            Ok(answer) => answers.insert(key.clone(), answer),
            Err((code, message)) => {
                let message =
                    format!("the task asked for something that it cannot have: {message}");
                link.fire("tasks/cancel", json!({"taskId": id}));
                return Err(LinkError::Refused {
                    code,
                    message,
                    data: None,
                });
            }
        };
    }
    if answers.is_empty() {
        return Ok(());
    }
    answered.extend(answers.keys().cloned());
    let update = json!({"taskId": id, "inputResponses": answers});
    let patience = Patience::of(definition.idle);
    link.request("tasks/update", update, patience)
        .await
        .map(drop)
}

/// What was told of a task: the same is not told twice.
struct Told {
    job: Job,
    is_told: bool,
}

impl Told {
    fn tell(&mut self, answering: &Answering, state: JobState, message: Option<String>) {
        let message = message.unwrap_or_else(|| self.job.message.clone());
        if self.is_told && self.job.state == state && self.job.message == message {
            return;
        }
        self.is_told = true;
        self.job.state = state;
        self.job.message = message;
        let _ = answering.events.send(HostEvent::Job(self.job.clone()));
    }
}

/// Cancels a task that nobody waits for any more.
struct Cancelling<'a> {
    link: &'a Link,
    id: &'a str,
    is_open: bool,
    told: Told,
    answering: &'a Answering,
    book: &'a TaskBook,
    key: &'a str,
}

impl Drop for Cancelling<'_> {
    fn drop(&mut self) {
        if self.is_open {
            self.link.fire("tasks/cancel", json!({"taskId": self.id}));
            self.book.over(self.key, self.id);
            self.told.tell(self.answering, JobState::Cancelled, None);
        }
    }
}

/// A code of our own, which no server can send: it is no number of the protocol.
const CANCELLED: i64 = i64::MIN;

fn cancelled() -> LinkError {
    LinkError::Refused {
        code: CANCELLED,
        message: "the task was cancelled".to_owned(),
        data: None,
    }
}

fn failed(error: &Value) -> LinkError {
    LinkError::Refused {
        code: error["code"].as_i64().unwrap_or_default(),
        message: short(error["message"].as_str().unwrap_or("the task failed"), 500),
        data: error.get("data").cloned(),
    }
}

/// Says how far a task is, in the words of either era.
pub(super) fn state(task: &Value) -> JobState {
    match task["status"].as_str() {
        Some("input_required") => JobState::Asks,
        Some("completed") => JobState::Done,
        Some("failed") => JobState::Failed,
        Some("cancelled") => JobState::Cancelled,
        // A state of a later revision is no end.
        _ => JobState::Working,
    }
}
