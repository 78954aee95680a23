//! Tasks that a server still keeps from before this session: they are shown, followed to their end, and can be called
//! off.
//!
//! Only servers of the older era list their tasks. In the stateless era a task is known by its name alone, which ends
//! with the session that began it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::super::convert;
use super::super::era::{Era, Hello};
use super::super::event::HostEvent;
use super::super::link::{Link, LinkError, Patience};
use super::super::tasks::state;
use super::super::text::short;
use crate::protocol::{CallId, Job, JobState, Level, clip, sanitize};

/// The most tasks that are shown, and pages that they are looked for on.
const TASKS: usize = 20;
const PAGES: usize = 5;
/// How long an answer may take, and how often the tasks are looked at.
const ANSWER: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_secs(2);
/// The most of a task's result that is shown, in bytes.
const SHOWN: usize = 4_000;

/// Follows what a server keeps. Ends when nothing is left to follow.
pub(super) async fn follow(
    link: Link,
    hello: Hello,
    server: String,
    events: mpsc::UnboundedSender<HostEvent>,
) {
    if hello.era != Era::Legacy || !hello.can("/tasks/list") {
        return;
    }
    let mut following = BTreeMap::new();
    for task in listed(&link).await {
        let Some(id) = task["taskId"].as_str() else {
            continue;
        };
        let job = Job {
            server: server.clone(),
            id: short(id, 100),
            tool: "of an earlier session".to_owned(),
            // No call of this session has it: calls are counted from 1.
            call: CallId(0),
            state: JobState::Working,
            message: String::new(),
        };
        // One that is over is of no use to anybody who was not there.
        if !state(&task).is_over() && following.len() < TASKS {
            let mut kept = Kept {
                id: id.to_owned(),
                job,
                events: events.clone(),
            };
            kept.now(&task, true);
            following.insert(id.to_owned(), kept);
        }
    }
    while !following.is_empty() {
        sleep(LOOK).await;
        let mut over = Vec::new();
        for (id, kept) in &mut following {
            if kept.look(&link).await {
                over.push(id.clone());
            }
        }
        for id in over {
            following.remove(&id);
        }
        if link.has_ended() {
            return;
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
    events: mpsc::UnboundedSender<HostEvent>,
}

impl Kept {
    /// Looks at the task. Tells whether it is over.
    async fn look(&mut self, link: &Link) -> bool {
        let params = json!({"taskId": self.id});
        let asked = link.request("tasks/get", params.clone(), Patience::of(ANSWER));
        match asked.await {
            Ok(task) => {
                self.now(&task, false);
                if self.job.state == JobState::Done {
                    let result = link.request("tasks/result", params, Patience::of(ANSWER));
                    if let Ok(result) = result.await {
                        self.tell(&result);
                    }
                }
            }
            // It is not there any more, or cannot be asked about.
            Err(LinkError::Refused { .. } | LinkError::Ended(_)) => {
                self.job.state = JobState::Failed;
                self.job.message = "the server does not know it any more".to_owned();
                let _ = self.events.send(HostEvent::Job(self.job.clone()));
            }
            Err(LinkError::Silent(_) | LinkError::Unreadable(_)) => {}
        }
        self.job.state.is_over()
    }

    fn now(&mut self, task: &Value, first: bool) {
        let message = short(task["statusMessage"].as_str().unwrap_or_default(), 200);
        let state = state(task);
        if first || (state, &message) != (self.job.state, &self.job.message) {
            self.job.state = state;
            self.job.message = message;
            let _ = self.events.send(HostEvent::Job(self.job.clone()));
        }
    }

    /// Shows the result to the user. The model has no call that it would answer.
    fn tell(&self, result: &Value) {
        let text = convert::foreign_reply(result);
        let text = clip(&sanitize(text.for_model()), SHOWN);
        let _ = self.events.send(HostEvent::Notice {
            level: Level::Info,
            text: format!(
                "The task `{}` of the server `{}`, begun in an earlier session, is done: {text}",
                self.job.id, self.job.server
            ),
        });
    }
}
