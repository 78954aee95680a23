//! Clients' questions, answered by a small model.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tokio::sync::mpsc::{self, Receiver};

use super::member::Outlet;
use super::{Asked, Together};
use crate::model::Cancel;
use crate::model::llama::LlamaOptions;
use crate::model::llama::measure::{self, Gauge};
use crate::model::llama::native::Fault;
use crate::model::llama::tests::{answer, few, load, options, request};
use crate::model::speculate::Speculation;
use crate::protocol::{Finish, Lane, Message, ModelEvent, ModelFailure, ModelRequest, Usage};

const QUESTIONS: [&str; 4] = [
    "Name a river.",
    "What is the capital of France?",
    "Count from one to ten, in words.",
    "Write a short poem about the sea.",
];

fn question(text: &str, max_tokens: u32) -> ModelRequest {
    ModelRequest {
        lane: Lane::Client,
        ..request(text, few(max_tokens))
    }
}

fn with_gauge(options: &LlamaOptions, work: impl FnOnce(&mut Gauge<'_>)) {
    measure::with(options, |gauge| {
        work(gauge);
        Ok(())
    })
    .unwrap();
}

/// Answers a question alone, from nothing, as a conversation is answered.
fn plainly(gauge: &mut Gauge<'_>, question: &ModelRequest) -> String {
    let request = ModelRequest {
        lane: Lane::Main,
        ..question.clone()
    };
    gauge.forget();
    gauge.answer(&request, Speculation::Off).unwrap().raw
}

/// A question that was taken in, and what was told of its answer.
struct Client {
    events: Receiver<ModelEvent>,
    cancel: Cancel,
    text: String,
    end: Option<Result<(String, Finish, Usage), ModelFailure>>,
}

impl Client {
    fn ask(together: &mut Together<'_, '_>, request: ModelRequest) -> Self {
        let (sender, events) = mpsc::channel(4096);
        let cancel = Cancel::default();
        together.take(Asked {
            request: Box::new(request),
            events: sender,
            cancel: cancel.clone(),
        });
        Self {
            events,
            cancel,
            text: String::new(),
            end: None,
        }
    }

    /// Takes in what was told by now.
    fn hear(&mut self) -> &mut Self {
        while let Ok(event) = self.events.try_recv() {
            match event {
                ModelEvent::Text { text } => self.text.push_str(&text),
                ModelEvent::Done { raw, finish, usage } => {
                    self.end = Some(Ok((raw, finish, usage)))
                }
                ModelEvent::Failed { failure } => self.end = Some(Err(failure)),
                _ => {}
            }
        }
        self
    }

    fn done(&mut self) -> (String, Finish, Usage) {
        self.hear().end.take().unwrap().unwrap()
    }
}

#[test]
fn questions_that_are_answered_together_get_the_same_answers_in_fewer_evaluations() {
    with_gauge(&options(), |gauge| {
        let questions = QUESTIONS.map(|text| question(text, 24));
        let plain: Vec<String> = questions.iter().map(|it| plainly(gauge, it)).collect();
        let mut alone = 0;
        for (question, plain) in questions.iter().zip(&plain) {
            gauge.forget();
            let beside = gauge
                .answer_together(std::slice::from_ref(question))
                .unwrap();
            assert_eq!(&beside.answers[0].0, plain);
            alone += beside.evaluations;
        }
        gauge.forget();
        let beside = gauge.answer_together(&questions).unwrap();
        let together: Vec<String> = beside.answers.into_iter().map(|(raw, _)| raw).collect();
        assert_eq!(together, plain);
        // Each prompt, and a step of all for each token but the last, which is not evaluated.
        let most = 4 + 23 + 3;
        assert!(beside.evaluations <= most, "{}", beside.evaluations);
        assert!(alone > 2 * most, "{alone}");
    });
}

#[test]
fn one_that_is_cancelled_leaves_the_others_as_they_are() {
    with_gauge(&options(), |gauge| {
        let questions = QUESTIONS.map(|text| question(text, 24));
        let plain: Vec<String> = questions.iter().map(|it| plainly(gauge, it)).collect();
        gauge.forget();
        let mut together = Together::new(&mut gauge.engine);
        let mut clients = questions.map(|it| Client::ask(&mut together, it));
        while clients[2].hear().text.len() < 10 {
            assert!(together.step());
        }
        clients[2].cancel.cancel();
        while together.step() {}
        together.finish();
        let (raw, finish, _) = clients[2].done();
        assert_eq!(finish, Finish::Cancelled);
        assert!(plain[2].starts_with(&raw) && raw.len() < plain[2].len());
        for index in [0, 1, 3] {
            assert_eq!(clients[index].done().0, plain[index]);
        }
    });
}

#[test]
fn one_that_comes_late_is_answered_while_another_one_goes_on() {
    with_gauge(&options(), |gauge| {
        let (long, late) = (question(QUESTIONS[3], 40), question(QUESTIONS[1], 6));
        let plain = [&long, &late].map(|it| plainly(gauge, it));
        gauge.forget();
        let mut together = Together::new(&mut gauge.engine);
        let mut first = Client::ask(&mut together, long);
        while first.hear().text.is_empty() {
            assert!(together.step());
        }
        let mut second = Client::ask(&mut together, late);
        while second.hear().end.is_none() {
            assert!(together.step());
        }
        assert_eq!(second.done().0, plain[1]);
        assert!(first.hear().end.is_none(), "it goes on");
        while together.step() {}
        together.finish();
        assert_eq!(first.done().0, plain[0]);
    });
}

#[test]
fn what_an_earlier_question_began_with_is_not_evaluated_again() {
    let system = Message::System {
        text: "You answer in one word.\n".repeat(12),
    };
    let ask = |messages: Vec<Message>| ModelRequest {
        messages,
        ..question("", 8)
    };
    let user = |text: &str| Message::User {
        text: text.to_owned(),
    };
    with_gauge(&options(), |gauge| {
        // The same system text at the same time: it is evaluated for the first of them.
        let questions = QUESTIONS.map(|text| ask(vec![system.clone(), user(text)]));
        let beside = gauge.answer_together(&questions).unwrap();
        let usages: Vec<Usage> = beside.answers.iter().map(|(_, usage)| *usage).collect();
        assert_eq!(usages[0].cached, 0);
        for usage in &usages[1..] {
            assert!(
                usage.cached > 60 && usage.prompt - usage.cached < 40,
                "{usage:?}"
            );
        }
        // And one after the other. A conversation that goes on has its answer there, too.
        let raw = beside.answers[1].0.clone();
        let again = ask(vec![
            system.clone(),
            user(QUESTIONS[1]),
            Message::Assistant { raw },
            user("And of Spain?"),
        ]);
        let beside = gauge.answer_together(std::slice::from_ref(&again)).unwrap();
        let (raw, usage) = &beside.answers[0];
        assert!(usage.cached >= usages[1].prompt, "{usage:?}");
        assert_eq!(raw, &plainly(gauge, &again));
    });
}

#[test]
fn a_conversation_keeps_its_place_beside_clients() {
    with_gauge(&options(), |gauge| {
        let main = request("Name a lake.", few(6));
        let first = gauge.answer(&main, Speculation::Off).unwrap();
        let questions = [0, 1, 2, 3, 0, 1, 2, 3].map(|index| question(QUESTIONS[index], 40));
        gauge.answer_together(&questions).unwrap();
        let again = gauge.answer(&main, Speculation::Off).unwrap();
        assert_eq!(again.raw, first.raw);
        assert_eq!(again.usage.cached + 1, again.usage.prompt);
    });
}

#[test]
fn where_the_window_is_too_small_for_all_each_is_answered_all_the_same() {
    let small = LlamaOptions {
        context: Some(512),
        ..options()
    };
    with_gauge(&small, |gauge| {
        let questions: Vec<ModelRequest> = (1..=6)
            .map(|number| question(&format!("Tell a long story about {number} cats."), 150))
            .collect();
        let mut together = Together::new(&mut gauge.engine);
        let mut clients: Vec<Client> = (questions.iter())
            .map(|it| Client::ask(&mut together, it.clone()))
            .collect();
        let mut is_set_aside = false;
        while together.step() {
            is_set_aside |= together.waiting.iter().any(|it| it.has_begun());
        }
        together.finish();
        assert!(is_set_aside, "all of them fit, which tests nothing");
        for (question, client) in questions.iter().zip(&mut clients) {
            let (raw, _, usage) = client.done();
            assert!(usage.generated > 50, "{usage:?}");
            assert_eq!(client.text, raw, "nothing is told twice, or lost");
            // What is set aside may be rounded another way the second time: the beginning is the same in any case.
            let plain = plainly(gauge, question);
            assert_eq!(raw.get(..20), plain.get(..20));
        }
    });
}

#[test]
fn a_question_that_is_too_long_alone_is_refused_and_the_others_are_answered() {
    with_gauge(&options(), |gauge| {
        let short = question(QUESTIONS[0], 8);
        let plain = plainly(gauge, &short);
        gauge.forget();
        let mut together = Together::new(&mut gauge.engine);
        let mut long = Client::ask(&mut together, question(&"river ".repeat(600), 8));
        let mut short = Client::ask(&mut together, short);
        while together.step() {}
        together.finish();
        let refused = long.hear().end.take().unwrap();
        assert!(
            matches!(refused, Err(ModelFailure::ContextFull { needed, context: 512 }) if needed > 600),
            "{refused:?}"
        );
        assert_eq!(short.done().0, plain);
    });
}

#[test]
fn a_model_that_cannot_be_cut_answers_clients_one_by_one() {
    let (whole, _) = load(options()).unwrap();
    let (uncut, _) = load(LlamaOptions {
        refuse_cuts: true,
        ..options()
    })
    .unwrap();
    // What the model is sure of: with eight at once a near-tie may be rounded another way.
    let sure = [
        "Write a Python function that adds two numbers.",
        "What is the opposite of hot?",
    ];
    // More than are answered at once.
    let ask = |model: &crate::model::Model| {
        let running: Vec<_> = (0..10)
            .map(|index| model.generate(question(sure[index % 2], 5)))
            .collect();
        let answers = running.into_iter().map(|mut running| {
            loop {
                match running.events.blocking_recv().unwrap() {
                    ModelEvent::Done { raw, .. } => return raw,
                    ModelEvent::Failed { failure } => panic!("{failure}"),
                    _ => {}
                }
            }
        });
        answers.collect::<Vec<String>>()
    };
    let answers = ask(&whole);
    assert_eq!(answers, ask(&uncut));
    assert!(answers[1].starts_with("The opposite"), "{answers:?}");
}

#[test]
fn a_fault_ends_the_answers_that_it_hit_and_no_later_one() {
    let (whole, _) = load(options()).unwrap();
    let asked = || question(QUESTIONS[0], 6);
    let expected = answer(&whole, asked()).unwrap().0;
    for fault in [
        Fault::Decode { after: 2, code: -3 },
        Fault::Logits {
            after: 2,
            number: f32::NAN,
        },
    ] {
        let (model, _) = load(LlamaOptions {
            fault: Some(fault),
            ..options()
        })
        .unwrap();
        let hit = answer(&model, asked());
        assert!(matches!(hit, Err(ModelFailure::Engine { .. })), "{hit:?}");
        assert_eq!(answer(&model, asked()).unwrap().0, expected);
    }
}

#[test]
fn events_that_are_taken_slowly_keep_nobody_waiting_and_none_is_lost() {
    let (sender, mut receiver) = mpsc::channel(1);
    let mut outlet = Outlet::new(sender);
    let text = |text: &str| ModelEvent::Text {
        text: text.to_owned(),
    };
    for part in ["a", "b", "c"] {
        outlet.tell(text(part));
    }
    assert_eq!(receiver.try_recv().unwrap(), text("a"));
    assert!(outlet.flush(), "one is left");
    let delivering = std::thread::spawn(move || outlet.deliver());
    assert_eq!(receiver.blocking_recv().unwrap(), text("b"));
    assert_eq!(receiver.blocking_recv().unwrap(), text("c"));
    assert!(receiver.blocking_recv().is_none());
    delivering.join().unwrap();
}
