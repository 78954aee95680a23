//! Texts that mean harm, for the tests of every place that shows or writes somebody else's text.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

pub(crate) use super::acting::{PIECES, acting};

use super::{
    Answer, CallId, ChangeKind, Choice, Decision, EndReason, Event, Field, FieldKind, FileChange,
    Hunk, Level, Line, LineKind, Mode, ModelFailure, Outcome, Question, QuestionId, QuestionKind,
    Risk, SearchEnd, SearchNews, ServerState, ToolCall, TrialOf, TurnSummary, Undone, Usage,
};

/// Makes bytes of such pieces, and of any others.
pub(crate) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => proptest::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..24),
    ];
    proptest::collection::vec(piece, 1..24).prop_map(|pieces| pieces.concat())
}

/// How many hostile bytes the tests of a program have fed, as the one that is told by [`fed`].
static FED: AtomicU64 = AtomicU64::new(0);

/// Counts what was fed, and returns the sum so far.
pub(crate) fn fed(bytes: usize) -> u64 {
    FED.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64
}

fn change(text: &str) -> FileChange {
    let line = |kind| Line {
        kind,
        text: text.to_owned(),
    };
    FileChange {
        path: text.to_owned(),
        kind: ChangeKind::Modify,
        base: None,
        after: None,
        hunks: vec![Hunk {
            old_start: 1,
            old_lines: 2,
            new_start: 1,
            new_lines: 2,
            lines: vec![
                line(LineKind::Context),
                line(LineKind::Removed),
                line(LineKind::Added),
            ],
        }],
        added: 1,
        removed: 1,
        notes: vec![text.to_owned()],
        others: Vec::new(),
        from: None,
        modes: None,
    }
}

fn question(id: u64, text: &str, kind: QuestionKind) -> Event {
    Event::Asked {
        question: Question {
            id: QuestionId(id),
            server: text.to_owned(),
            request: None,
            kind,
        },
    }
}

/// Everything that can come from elsewhere, with a text in each of its places.
pub(crate) fn events(text: &str) -> Vec<Event> {
    let own = || text.to_owned();
    let mut arguments = serde_json::Map::new();
    for key in ["path", "old", "new", "content", text] {
        arguments.insert(key.to_owned(), text.into());
    }
    let call = |id| ToolCall {
        id: CallId(id),
        server: own(),
        tool: own(),
        arguments: arguments.clone(),
    };
    let field = |kind| Field {
        name: own(),
        title: Some(own()),
        description: Some(own()),
        required: true,
        kind,
    };
    let choice = || Choice {
        value: own(),
        title: Some(own()),
    };
    let answered = |id| Event::Answered {
        question: QuestionId(id),
        answer: Answer::Cancel,
    };
    vec![
        Event::SessionStarted {
            id: own(),
            root: own(),
            mode: Mode::Ask,
            resumed: false,
        },
        Event::ServerChanged {
            server: own(),
            state: ServerState::Down { reason: own() },
        },
        Event::ServerChanged {
            server: own(),
            state: ServerState::Up { tools: 1 },
        },
        Event::Notice {
            level: Level::Error,
            text: own(),
        },
        Event::TurnStarted {
            turn: 1,
            text: own(),
        },
        Event::Queued { text: own() },
        Event::Reasoning { text: own() },
        Event::Text { text: own() },
        Event::Text {
            text: format!("\n\n```{text}\n{text}\n```\n\n[x]({text})\n"),
        },
        Event::CallDrafted {
            name: Some(own()),
            bytes: 9,
        },
        Event::Tainted { content: own() },
        Event::CallProposed {
            call: call(1),
            risk: Risk::Foreign,
        },
        Event::CallProgressed {
            call: CallId(1),
            text: own(),
        },
        Event::CallFinished {
            call: CallId(1),
            outcome: Outcome::Done { text: own() },
        },
        Event::CallProposed {
            call: call(2),
            risk: Risk::Edit,
        },
        Event::ApprovalRequested {
            call: CallId(2),
            reason: own(),
            change: Some(change(text)),
            ask: None,
        },
        Event::Decided {
            call: CallId(2),
            decision: Decision::Deny {
                reason: Some(own()),
            },
        },
        Event::CallFinished {
            call: CallId(2),
            outcome: Outcome::Denied { reason: own() },
        },
        Event::Searched {
            news: SearchNews::Began {
                path: own(),
                command: Some(own()),
                base: None,
            },
        },
        Event::Searched {
            news: SearchNews::Trying {
                call: CallId(3),
                trial: TrialOf::Edit,
            },
        },
        Event::CallProposed {
            call: call(3),
            risk: Risk::Command,
        },
        Event::CallFinished {
            call: CallId(3),
            outcome: Outcome::Failed { text: own() },
        },
        Event::Searched {
            news: SearchNews::Ended {
                end: SearchEnd::Nothing,
                wall_ms: 9,
            },
        },
        question(
            1,
            text,
            QuestionKind::Form {
                message: own(),
                fields: vec![
                    field(FieldKind::Text {
                        min: None,
                        max: None,
                        format: None,
                        default: Some(own()),
                    }),
                    field(FieldKind::Choice {
                        options: vec![choice(), choice()],
                        default: Some(own()),
                    }),
                ],
            },
        ),
        answered(1),
        question(
            2,
            text,
            QuestionKind::Page {
                message: own(),
                url: own(),
            },
        ),
        answered(2),
        question(
            3,
            text,
            QuestionKind::Prompt {
                system: Some(own()),
                messages: vec![(own(), own())],
                max_tokens: 9,
            },
        ),
        answered(3),
        question(4, text, QuestionKind::Completion { text: own() }),
        answered(4),
        question(
            5,
            text,
            QuestionKind::Definition {
                title: own(),
                text: own(),
            },
        ),
        answered(5),
        Event::ChangeApplied {
            call: CallId(2),
            change: change(text),
        },
        Event::AnswerGiven {
            answer: own().into(),
        },
        Event::ModelFailed {
            failure: ModelFailure::Engine { message: own() },
        },
        Event::ChangesUndone {
            turn: 1,
            undone: vec![Undone {
                path: own(),
                refused: Some(own()),
            }],
        },
        Event::TurnEnded {
            turn: 1,
            summary: TurnSummary {
                wanted_change: false,
                reason: EndReason::Failed { message: own() },
                changed: vec![own()],
                calls: 1,
                denied: 1,
                usage: Usage::default(),
                check: None,
            },
        },
    ]
}
