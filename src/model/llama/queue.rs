//! The requests that wait for a model's thread, and whether anybody still wants them answered.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, TryRecvError};

use crate::model::Command;

/// Commands in order. Looking whether the model is still wanted does not lose any.
#[derive(Debug)]
pub(super) struct Queue {
    receiver: Receiver<Command>,
    waiting: VecDeque<Command>,
}

impl Queue {
    /// Takes the receiving end of a model's commands.
    pub(super) fn new(receiver: Receiver<Command>) -> Self {
        Self {
            receiver,
            waiting: VecDeque::new(),
        }
    }

    /// Waits for the next command; `None` when the model was dropped.
    pub(super) fn next(&mut self) -> Option<Command> {
        match self.waiting.pop_front() {
            Some(command) => Some(command),
            None => self.receiver.recv().ok(),
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
