//! The desk: where servers' questions wait for the user.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::event::HostEvent;
use crate::protocol::{Answer, Question, QuestionId, QuestionKind, RequestId};

/// The most questions of one server that may wait at once.
const WAITING: usize = 4;

/// Whether somebody is there to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attended {
    Yes,
    /// Nobody is: every question is cancelled at once, and no server is told that it may ask.
    No,
}

/// The open questions.
pub(super) struct Desk {
    attended: Attended,
    events: mpsc::UnboundedSender<HostEvent>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    last: u64,
    waiting: HashMap<QuestionId, (String, oneshot::Sender<Answer>)>,
}

impl Desk {
    pub(super) fn new(attended: Attended, events: mpsc::UnboundedSender<HostEvent>) -> Self {
        Self {
            attended,
            events,
            open: Mutex::default(),
        }
    }

    pub(super) fn is_attended(&self) -> bool {
        self.attended == Attended::Yes
    }

    /// Asks the user for the host. Dropping the future takes the question back.
    pub(super) async fn ask(&self, server: &str, kind: QuestionKind) -> Answer {
        self.ask_for(None, server, kind).await
    }

    /// Asks the user, for a server's request where it is for one. Dropping the future takes the question back.
    pub(super) async fn ask_for(
        &self,
        request: Option<RequestId>,
        server: &str,
        kind: QuestionKind,
    ) -> Answer {
        if !self.is_attended() {
            return Answer::Cancel;
        }
        let (answer, answered) = oneshot::channel();
        let id = {
            let mut open = self.lock();
            let own = open.waiting.values().filter(|(name, _)| name == server);
            if own.count() >= WAITING {
                return Answer::Cancel;
            }
            open.last += 1;
            let id = QuestionId(open.last);
            open.waiting.insert(id, (server.to_owned(), answer));
            id
        };
        let taken_back = TakenBack { desk: self, id };
        let question = Question {
            id,
            server: server.to_owned(),
            request,
            kind,
        };
        let _ = self.events.send(HostEvent::Asked(question));
        let answer = answered.await.unwrap_or(Answer::Cancel);
        drop(taken_back);
        answer
    }

    /// Takes the user's answer. It counts once.
    pub(super) fn answer(&self, id: QuestionId, answer: Answer) {
        let waiting = self.lock().waiting.remove(&id);
        if let Some((_, waiting)) = waiting {
            let _ = self.events.send(HostEvent::Answered {
                question: id,
                answer: answer.clone(),
            });
            let _ = waiting.send(answer);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        // Nothing panics while it is held.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a question back that nobody waits for any more.
struct TakenBack<'a> {
    desk: &'a Desk,
    id: QuestionId,
}

impl Drop for TakenBack<'_> {
    fn drop(&mut self) {
        if self.desk.lock().waiting.remove(&self.id).is_some() {
            let _ = self.desk.events.send(HostEvent::Answered {
                question: self.id,
                answer: Answer::Cancel,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> QuestionKind {
        QuestionKind::Completion {
            text: String::new(),
        }
    }

    #[tokio::test]
    async fn an_answer_counts_once_and_a_question_that_nobody_waits_for_is_taken_back() {
        let (events, mut told) = mpsc::unbounded_channel();
        let desk = Desk::new(Attended::Yes, events);
        let (answer, ()) = tokio::join!(desk.ask("a", question()), async {
            desk.answer(QuestionId(1), Answer::Decline);
            desk.answer(QuestionId(1), Answer::Cancel);
        });
        assert_eq!(answer, Answer::Decline);
        let waiting = desk.ask("a", question());
        assert!(futures_poll(waiting).await.is_none());
        let mut answers = Vec::new();
        while let Ok(event) = told.try_recv() {
            if let HostEvent::Answered { question, answer } = event {
                answers.push((question.0, answer));
            }
        }
        assert_eq!(answers, [(1, Answer::Decline), (2, Answer::Cancel)]);
    }

    /// Polls a future for a moment and drops it.
    async fn futures_poll<T>(future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            value = future => Some(value),
            () = tokio::task::yield_now() => None,
        }
    }

    #[tokio::test]
    async fn a_server_cannot_pile_questions_up() {
        let (events, _told) = mpsc::unbounded_channel();
        let desk = Desk::new(Attended::Yes, events);
        let mut asked: Vec<_> = (0..WAITING)
            .map(|_| Box::pin(desk.ask("a", question())))
            .collect();
        for one in &mut asked {
            assert!(futures_poll(one.as_mut()).await.is_none());
        }
        assert_eq!(desk.ask("a", question()).await, Answer::Cancel);
        assert!(futures_poll(desk.ask("b", question())).await.is_none());
    }
}
