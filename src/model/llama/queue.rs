//! The requests that wait for a model's thread, and whether anybody still wants them answered.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use crate::model::Command;
use crate::protocol::ModelRequest;

/// Commands in order. Looking whether the model is still wanted does not lose any.
#[derive(Debug)]
pub(super) struct Queue {
    receiver: Receiver<Command>,
    waiting: VecDeque<Command>,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    Command(Command),
    /// Nothing came for as long as was waited.
    Idle,
    /// The model was dropped.
    Abandoned,
}

impl Queue {
    /// Takes the receiving end of a model's commands.
    pub(super) fn new(receiver: Receiver<Command>) -> Self {
        Self {
            receiver,
            waiting: VecDeque::new(),
        }
    }

    /// Waits for the next command, without end or for so long. A generation comes before a preparation, and of several
    /// preparations only the last one is left.
    pub(super) fn next(&mut self, patience: Option<Duration>) -> Next {
        self.is_abandoned();
        if let Some(command) = self.take() {
            return Next::Command(command);
        }
        let received = match patience {
            Some(patience) => self.receiver.recv_timeout(patience),
            None => self.receiver.recv().map_err(RecvTimeoutError::from),
        };
        match received {
            Ok(command) => {
                self.waiting.push_back(command);
                // More may have come with it.
                self.is_abandoned();
                self.take().map_or(Next::Idle, Next::Command)
            }
            Err(RecvTimeoutError::Timeout) => Next::Idle,
            Err(RecvTimeoutError::Disconnected) => Next::Abandoned,
        }
    }

    fn take(&mut self) -> Option<Command> {
        let is_generation = |command: &Command| matches!(command, Command::Generate { .. });
        match self.waiting.iter().position(is_generation) {
            // A preparation that waits before it is of a prompt that is overtaken.
            Some(index) => self.waiting.drain(..=index).next_back(),
            None => self.waiting.drain(..).next_back(),
        }
    }

    /// Takes the next generation if it is of a kind, and only if it is the next one: none is overtaken.
    pub(super) fn next_if(&mut self, wanted: impl Fn(&ModelRequest) -> bool) -> Option<Command> {
        self.is_abandoned();
        let found = self.waiting.iter().enumerate().find_map(|it| match it {
            (index, Command::Generate { request, .. }) => Some((index, wanted(request))),
            (_, Command::Prepare { .. }) => None,
        });
        let (index, is_wanted) = found?;
        if is_wanted {
            self.waiting.remove(index)
        } else {
            None
        }
    }

    /// Tells whether the model was dropped.
    pub(super) fn is_abandoned(&mut self) -> bool {
        loop {
            match self.receiver.try_recv() {
                Ok(command) => self.waiting.push_back(command),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::model::Cancel;
    use crate::protocol::{GenerationId, Lane, ModelRequest, Sampling, ToolChoice};

    fn request(id: u64) -> Box<ModelRequest> {
        Box::new(ModelRequest {
            id: GenerationId(id),
            messages: Vec::new(),
            tools: Vec::new(),
            choice: ToolChoice::Auto,
            sampling: Sampling::default(),
            passages: Vec::new(),
            known: Vec::new(),
            lane: Lane::Main,
            unlisted: 0,
            doubts: None,
        })
    }

    fn generate(id: u64) -> Command {
        Command::Generate {
            request: request(id),
            events: tokio::sync::mpsc::channel(1).0,
            cancel: Cancel::default(),
        }
    }

    fn prepare(id: u64) -> Command {
        Command::Prepare {
            request: request(id),
            cancel: Cancel::default(),
            ended: tokio::sync::oneshot::channel().0,
        }
    }

    /// Sends commands and tells which ones are taken, in order.
    fn check(commands: Vec<Command>, expected: &[u64]) {
        let (sender, receiver) = channel();
        for command in commands {
            assert!(sender.send(command).is_ok());
        }
        drop(sender);
        let mut queue = Queue::new(receiver);
        let mut taken = Vec::new();
        while let Next::Command(command) = queue.next(None) {
            taken.push(match command {
                Command::Generate { request, .. } | Command::Prepare { request, .. } => {
                    request.id.0
                }
            });
        }
        assert_eq!(taken, expected);
    }

    #[test]
    fn generations_come_first_and_only_the_last_preparation_is_left() {
        check(vec![generate(1), generate(2)], &[1, 2]);
        check(vec![prepare(1), generate(2), prepare(3)], &[2, 3]);
        check(vec![prepare(1), prepare(2)], &[2]);
        check(
            vec![prepare(1), generate(2), generate(3), prepare(4), prepare(5)],
            &[2, 3, 5],
        );
    }

    #[test]
    fn only_the_next_generation_is_taken_and_only_if_it_is_wanted() {
        let (sender, receiver) = channel();
        for command in [prepare(1), generate(2), generate(4), generate(3)] {
            assert!(sender.send(command).is_ok());
        }
        let mut queue = Queue::new(receiver);
        let small = |request: &ModelRequest| request.id.0 < 4;
        assert!(queue.next_if(small).is_some());
        assert!(queue.next_if(small).is_none(), "4 comes before 3");
        let mut taken = Vec::new();
        while let Next::Command(Command::Generate { request, .. }) =
            queue.next(Some(Duration::ZERO))
        {
            taken.push(request.id.0);
        }
        assert_eq!(taken, [4, 3]);
    }

    #[test]
    fn waiting_ends() {
        let (sender, receiver) = channel();
        let mut queue = Queue::new(receiver);
        assert!(matches!(queue.next(Some(Duration::ZERO)), Next::Idle));
        drop(sender);
        assert!(matches!(queue.next(None), Next::Abandoned));
    }
}
