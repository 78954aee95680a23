//! A model that plays a script: for tests, and for trying out everything around a model.

use std::sync::mpsc;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::mpsc::{self as async_mpsc, UnboundedReceiver};

use super::{Cancel, Command, Model};
use crate::protocol::{
    CallForm, Finish, ModelEvent, ModelFailure, ModelInfo, ModelMemory, ModelRequest, ToolList,
    Usage,
};

/// Starts a model that answers each request with the next list of the script. What it sends is what the list holds:
/// a list that does not end in `Done` or `Failed` leaves the generation open until it is cancelled.
pub fn spawn(script: Vec<Vec<ModelEvent>>, state: UnboundedSender<ModelEvent>) -> Model {
    spawn_recorded(script, state).0
}

/// Starts a model as [`spawn`] does, and returns the requests that it gets.
pub fn spawn_recorded(
    script: Vec<Vec<ModelEvent>>,
    state: UnboundedSender<ModelEvent>,
) -> (Model, UnboundedReceiver<ModelRequest>) {
    let (commands, queue) = mpsc::channel();
    let (recorder, requests) = async_mpsc::unbounded_channel();
    std::thread::spawn(move || {
        // A session that is gone needs no word of the model.
        let _ = state.send(ModelEvent::Loaded { info: info() });
        let mut script = script.into_iter();
        while let Ok(command) = queue.recv() {
            let Command::Generate {
                request,
                events,
                cancel,
            } = command
            else {
                // A script has nothing to prepare.
                continue;
            };
            // A test that does not look at the requests dropped their receiver.
            let _ = recorder.send(*request);
            let answer = script.next().unwrap_or_else(|| {
                vec![ModelEvent::Failed {
                    failure: ModelFailure::Engine {
                        message: "the script has no answer left".to_owned(),
                    },
                }]
            });
            play(answer, &events, &cancel);
        }
    });
    (Model::new(commands), requests)
}

fn play(answer: Vec<ModelEvent>, events: &async_mpsc::Sender<ModelEvent>, cancel: &Cancel) {
    let mut raw = String::new();
    for event in answer {
        if cancel.is_cancelled() {
            break;
        }
        if let ModelEvent::Text { text } = &event {
            raw.push_str(text);
        }
        let is_last = matches!(event, ModelEvent::Done { .. } | ModelEvent::Failed { .. });
        if events.blocking_send(event).is_err() || is_last {
            return;
        }
    }
    // The answer goes on until somebody stops it, as one of a real model would.
    while !cancel.is_cancelled() && !events.is_closed() {
        std::thread::park_timeout(std::time::Duration::from_millis(1));
    }
    // Nobody listens any more, or gets the answer.
    let _ = events.blocking_send(ModelEvent::Done {
        raw,
        finish: Finish::Cancelled,
        usage: Usage::default(),
    });
}

fn info() -> ModelInfo {
    ModelInfo {
        name: "scripted".to_owned(),
        title: "Scripted".to_owned(),
        architecture: "script".to_owned(),
        parameters: 0,
        context: 4096,
        form: CallForm::JsonFence,
        memory: ModelMemory::default(),
        tools: ToolList::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{GenerationId, Lane, Message, Sampling, ToolChoice};

    fn request(text: &str) -> ModelRequest {
        ModelRequest {
            id: GenerationId(1),
            messages: vec![Message::User {
                text: text.to_owned(),
            }],
            tools: Vec::new(),
            choice: ToolChoice::Auto,
            sampling: Sampling::default(),
            passages: Vec::new(),
            known: Vec::new(),
            lane: Lane::Main,
            unlisted: 0,
            doubts: None,
        }
    }

    fn text(text: &str) -> ModelEvent {
        ModelEvent::Text {
            text: text.to_owned(),
        }
    }

    fn done(raw: &str, finish: Finish) -> ModelEvent {
        ModelEvent::Done {
            raw: raw.to_owned(),
            finish,
            usage: Usage::default(),
        }
    }

    #[test]
    fn each_request_gets_the_next_list_and_is_recorded() {
        let (state, mut states) = async_mpsc::unbounded_channel();
        let script = vec![vec![text("hi"), done("hi", Finish::Stop)]];
        let (model, mut requests) = spawn_recorded(script, state);
        assert!(matches!(
            states.blocking_recv(),
            Some(ModelEvent::Loaded { .. })
        ));
        let mut generation = model.generate(request("one"));
        assert_eq!(generation.events.blocking_recv(), Some(text("hi")));
        assert_eq!(
            generation.events.blocking_recv(),
            Some(done("hi", Finish::Stop))
        );
        assert_eq!(generation.events.blocking_recv(), None);
        assert_eq!(requests.blocking_recv(), Some(request("one")));
        let mut generation = model.generate(request("two"));
        assert!(matches!(
            generation.events.blocking_recv(),
            Some(ModelEvent::Failed {
                failure: ModelFailure::Engine { .. }
            })
        ));
    }

    #[test]
    fn an_open_answer_ends_when_it_is_cancelled() {
        let (state, _states) = async_mpsc::unbounded_channel();
        let model = spawn(vec![vec![text("on and on")]], state);
        let mut generation = model.generate(request("go"));
        assert_eq!(generation.events.blocking_recv(), Some(text("on and on")));
        generation.cancel.cancel();
        assert_eq!(
            generation.events.blocking_recv(),
            Some(done("on and on", Finish::Cancelled))
        );
    }
}
