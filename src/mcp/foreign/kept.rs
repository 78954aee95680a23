//! Tasks that go on from before: they are shown, followed to their end, and can be called off.
//!
//! A server of the older era may list the tasks that it keeps. In the stateless era a task is known by its name alone,
//! which is noted while it goes on (`task_book`).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::answering::Answering;
use super::super::convert;
use super::super::era::{Era, Hello};
use super::super::event::HostEvent;
use super::super::link::{Link, LinkError, Patience};
use super::super::tasks::{self, state};
use super::super::text::short;
use super::Shared;
use crate::protocol::{CallId, Job, JobState, Level, clip, sanitize};

/// The most tasks that are shown, and pages that they are looked for on.
const TASKS: usize = 20;
const PAGES: usize = 5;
/// How long an answer may take, and how often the tasks are looked at.
const ANSWER: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_secs(2);
/// The most of a task's result that is shown, in bytes.
const SHOWN: usize = 4_000;

/// Follows what a server keeps, and what is left of its tasks while it is up.
pub(super) async fn follow(
    link: Link,
    hello: Hello,
    shared: Arc<Shared>,
    answering: Arc<Answering>,
) {
    // Where nobody is there to be told of them, they stay noted for a session in which somebody is.
    if !answering.desk.is_attended() {
        return;
    }
    // Each by itself: one that asks the user something must not hold up the others.
    let mut following = JoinSet::new();
    let mut known = HashSet::new();
    let mut add = |following: &mut JoinSet<()>, id: &str, tool: &str, first: Option<&Value>| {
        if following.len() < TASKS && known.insert(id.to_owned()) {
            let kept = Kept::new(&shared, &answering, &link, hello.era, id, tool, first);
            following.spawn(kept.finish());
        }
    };
    if hello.era == Era::Legacy && hello.can("/tasks/list") {
        for task in listed(&link).await {
            // One that is over is of no use to anybody who was not there.
            if let Some(id) = task["taskId"].as_str()
                && !state(&task).is_over()
            {
                add(&mut following, id, "of an earlier session", Some(&task));
            }
        }
    }
    let mut left = shared.tasks.watch();
    loop {
        for noted in shared.tasks.take_up(&shared.definition.key()) {
            add(&mut following, &noted.id, &noted.tool, None);
        }
        // A call that followed one in the server's last life may notice the end of that after this one began.
        tokio::select! {
            Some(_) = following.join_next() => {}
            changed = left.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

async fn listed(link: &Link) -> Vec<Value> {
    let mut tasks = Vec::new();
    let mut params = json!({});
    for _ in 0..PAGES {
        let Ok(mut page) = link
            .request("tasks/list", params, Patience::of(ANSWER))
            .await
        else {
            break;
        };
        if let Value::Array(found) = page["tasks"].take() {
            tasks.extend(found);
        }
        match page["nextCursor"].as_str() {
            Some(cursor) => params = json!({"cursor": cursor}),
            None => break,
        }
    }
    tasks
}

/// One task.
struct Kept {
    id: String,
    job: Job,
    is_told: bool,
    era: Era,
    link: Link,
    shared: Arc<Shared>,
    answering: Arc<Answering>,
    /// What of its questions was answered.
    answered: HashSet<String>,
}

impl Kept {
    fn new(
        shared: &Arc<Shared>,
        answering: &Arc<Answering>,
        link: &Link,
        era: Era,
        id: &str,
        tool: &str,
        first: Option<&Value>,
    ) -> Self {
        let mut kept = Self {
            id: id.to_owned(),
            job: Job {
                server: shared.definition.name.clone(),
                id: short(id, 100),
                tool: short(tool, 100),
                // No call of this session has it: calls are counted from 1.
                call: CallId(0),
                state: JobState::Working,
                message: String::new(),
            },
            is_told: false,
            era,
            link: link.clone(),
            shared: Arc::clone(shared),
            answering: Arc::clone(answering),
            answered: HashSet::new(),
        };
        if let Some(task) = first {
            kept.now(task);
        }
        kept
    }

    /// Looks at the task until it is over, or its server.
    async fn finish(mut self) {
        if !self.is_told {
            // It is not known yet whether there still is such a task.
            self.look().await;
        }
        while !self.job.state.is_over() {
            tokio::select! {
                () = sleep(LOOK) => {}
                // Dropping it leaves the task.
                _ = self.link.ended() => return,
            }
            self.look().await;
        }
        self.shared
            .tasks
            .over(&self.shared.definition.key(), &self.id);
    }

    async fn look(&mut self) {
        let params = json!({"taskId": self.id});
        let asked = self
            .link
            .request("tasks/get", params.clone(), Patience::of(ANSWER));
        match asked.await {
            Ok(mut task) => {
                self.now(&task);
                match (self.job.state, self.era) {
                    (JobState::Done, Era::Modern) => self.tell(&task["result"].take()),
                    (JobState::Done, _) => {
                        let result =
                            self.link
                                .request("tasks/result", params, Patience::of(ANSWER));
                        if let Ok(result) = result.await {
                            self.tell(&result);
                        }
                    }
                    (JobState::Asks, Era::Modern) => self.answer(&task).await,
                    _ => {}
                }
            }
            Err(LinkError::Refused { .. }) => {
                self.fail("the server does not know it any more".to_owned());
            }
            Err(LinkError::Ended(_) | LinkError::Silent(_) | LinkError::Unreadable(_)) => {}
        }
    }

    async fn answer(&mut self, task: &Value) {
        let (link, definition) = (&self.link, &self.shared.definition);
        let asked = &mut self.answered;
        let answered = tasks::answer(&self.answering, link, definition, &self.id, task, asked);
        if let Err(error @ LinkError::Refused { .. }) = answered.await {
            self.fail(short(&error.to_string(), 200));
        }
    }

    fn fail(&mut self, message: String) {
        self.job.state = JobState::Failed;
        self.job.message = message;
        let _ = self.answering.events.send(HostEvent::Job(self.job.clone()));
    }

    fn now(&mut self, task: &Value) {
        let message = short(task["statusMessage"].as_str().unwrap_or_default(), 200);
        let state = state(task);
        if !self.is_told || (state, &message) != (self.job.state, &self.job.message) {
            self.is_told = true;
            self.job.state = state;
            self.job.message = message;
            let _ = self.answering.events.send(HostEvent::Job(self.job.clone()));
        }
    }

    /// Shows the result to the user. The model has no call that it would answer.
    fn tell(&self, result: &Value) {
        let text = convert::foreign_reply(result);
        let text = clip(&sanitize(text.for_model()), SHOWN);
        let _ = self.answering.events.send(HostEvent::Notice {
            level: Level::Info,
            text: format!(
                "The task `{}` of the server `{}`, begun earlier, is done: {text}",
                self.job.id, self.job.server
            ),
        });
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Of one that is over nothing is noted any more.
        self.shared
            .tasks
            .left(&self.shared.definition.key(), &self.id);
    }
}
