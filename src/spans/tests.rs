use super::*;
use crate::protocol::{
    CallId, Message, Mode, RequestEnd, RequestId, Risk, SearchEnd, SearchNews, ToolCall, TrialOf,
    TurnSummary, Usage,
};
use crate::spans::{Span, otlp, tree};

/// Entries a second apart from each other, beginning at this one.
fn timed(first: u64, entries: Vec<Entry>) -> Vec<Timed> {
    let seconds = (first..).step_by(1_000);
    seconds
        .zip(entries)
        .map(|(at, entry)| Timed {
            at: Some(at),
            entry,
        })
        .collect()
}

fn begun(turn: u32) -> Entry {
    Entry::Event(Event::TurnStarted {
        turn,
        text: "go".to_owned(),
    })
}

fn ended(turn: u32, reason: EndReason) -> Entry {
    let summary = TurnSummary {
        reason,
        wanted_change: false,
        changed: Vec::new(),
        calls: 1,
        denied: 0,
        usage: Usage::default(),
        check: None,
    };
    Entry::Event(Event::TurnEnded { turn, summary })
}

fn proposed(id: u64, server: &str) -> Entry {
    Entry::Event(Event::CallProposed {
        call: ToolCall {
            id: CallId(id),
            server: server.to_owned(),
            tool: "do".to_owned(),
            arguments: std::iter::once(("path".to_owned(), "a\u{1b}.py".into())).collect(),
        },
        risk: Risk::Foreign,
    })
}

fn started(id: u64) -> Entry {
    Entry::Event(Event::CallStarted { call: CallId(id) })
}

fn finished(id: u64, outcome: Outcome) -> Entry {
    let call = CallId(id);
    Entry::Event(Event::CallFinished { call, outcome })
}

fn done() -> Outcome {
    Outcome::Done {
        text: "fine".to_owned(),
    }
}

fn marked(call: Option<u64>, request: Option<u64>, trace: char, span: char) -> Entry {
    Entry::Event(Event::Traced {
        call: call.map(CallId),
        server: "it".to_owned(),
        method: "tools/call".to_owned(),
        trace: trace.to_string().repeat(32),
        span: Some(span.to_string().repeat(16)),
        request: request.map(RequestId),
    })
}

fn received(id: u64, server: &str) -> Entry {
    Entry::Event(Event::RequestReceived {
        request: RequestId(id),
        server: server.to_owned(),
        method: "sampling/createMessage".to_owned(),
        bytes: 9,
    })
}

fn answered(id: u64) -> Entry {
    let (request, end) = (RequestId(id), RequestEnd::Answered { bytes: 3 });
    Entry::Event(Event::RequestEnded { request, end })
}

fn of(entries: &[Timed]) -> Told {
    turns(entries, "s", &[])
}

fn find<'a>(told: &'a Told, name: &str) -> &'a Span {
    let mut spans = told.turns.iter().flat_map(|turn| &turn.spans);
    let found = spans.find(|span| span.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {told:#?}"))
}

#[test]
fn a_turn_without_times_is_named_and_the_others_are_told() {
    let mut entries = timed(0, vec![begun(1), Entry::Generate]);
    for timed in &mut entries {
        timed.at = None;
    }
    entries.extend(timed(5_000, vec![begun(2), ended(2, EndReason::Answered)]));
    let told = of(&entries);
    assert_eq!(told.untimed, [1]);
    assert_eq!(told.turns.len(), 1);
    assert_eq!(
        (told.turns[0].number, told.turns[0].spans[0].ended),
        (2, 6_000)
    );
}

#[test]
fn what_a_later_run_settled_ended_when_the_earlier_one_did() {
    let mut entries = timed(1_000, vec![begun(1), proposed(1, "fs"), started(1)]);
    // A day later.
    entries.extend(timed(
        86_400_000,
        vec![
            finished(1, Outcome::Cancelled),
            Entry::Message(Message::User {
                text: String::new(),
            }),
            ended(1, EndReason::Interrupted),
            Entry::Event(Event::SessionStarted {
                id: "s".to_owned(),
                root: String::new(),
                mode: Mode::Ask,
                resumed: true,
            }),
        ],
    ));
    let told = of(&entries);
    for span in &told.turns[0].spans {
        assert_eq!(span.ended, 3_000, "{span:?}");
    }
}

#[test]
fn what_was_not_over_is_said_to_be_so_and_time_never_goes_back() {
    let mut entries = timed(9_000, vec![begun(1), Entry::Generate]);
    entries.extend(timed(4_000, vec![proposed(1, "fs")]));
    let told = of(&entries);
    let spans = &told.turns[0].spans;
    assert_eq!(spans.len(), 3);
    for span in spans {
        assert!(span.began >= 9_000 && span.ended == 10_000, "{span:?}");
        assert!(span.attribute("walden.unfinished").is_some(), "{span:?}");
    }
}

#[test]
fn a_request_stands_below_the_call_whose_trace_it_names() {
    let one = |request: u64, trace: char| {
        let entries = vec![
            begun(1),
            proposed(1, "it"),
            started(1),
            marked(Some(1), None, 'a', '1'),
            proposed(2, "it"),
            started(2),
            marked(Some(2), None, 'b', '2'),
            received(request, "it"),
            marked(None, Some(request), trace, '3'),
            answered(request),
            finished(1, done()),
            finished(2, done()),
            ended(1, EndReason::Answered),
        ];
        let told = of(&timed(0, entries));
        let span = find(&told, "sampling/createMessage").clone();
        (span, told)
    };
    for (trace, parent) in [('a', '1'), ('b', '2')] {
        let (span, _) = one(1, trace);
        assert_eq!(span.parent, Some(parent.to_string().repeat(16)));
        assert_eq!(span.place.trace, trace.to_string().repeat(32));
        // The server's own span on the way is linked.
        assert_eq!(span.links[0].span, "3".repeat(16));
    }
    // A trace of nobody's: it is the turn's, and nothing is linked to what the server made up.
    let (span, told) = one(1, 'c');
    assert_eq!(span.place.trace, told.turns[0].spans[0].place.trace);
    assert!(span.links.is_empty());
}

#[test]
fn what_is_told_late_was_over_with_its_call() {
    let entries = vec![
        begun(1),
        proposed(1, "it"),
        started(1),
        marked(Some(1), None, 'a', '1'),
        received(1, "it"),
        finished(1, done()),
        answered(1),
        ended(1, EndReason::Answered),
    ];
    let told = of(&timed(0, entries));
    let span = find(&told, "sampling/createMessage");
    assert_eq!((span.began, span.ended), (4_000, 5_000));
}

#[test]
fn a_request_that_names_no_trace_is_that_of_the_only_call_of_its_server() {
    for (server, is_own) in [("it", true), ("other", false)] {
        let entries = vec![
            begun(1),
            proposed(1, "it"),
            started(1),
            marked(Some(1), None, 'a', '1'),
            received(1, server),
            answered(1),
            finished(1, done()),
            ended(1, EndReason::Answered),
        ];
        let told = of(&timed(0, entries));
        let span = find(&told, "sampling/createMessage");
        assert_eq!(span.place.trace == "a".repeat(32), is_own, "{span:?}");
    }
}

#[test]
fn what_was_tried_in_a_search_stands_below_it_with_what_the_check_said() {
    let searched = |news| Entry::Event(Event::Searched { news });
    let call = CallId(1);
    let result = crate::protocol::CheckResult {
        passed: true,
        ..Default::default()
    };
    let entries = vec![
        begun(1),
        searched(SearchNews::Began {
            path: "a.py".to_owned(),
            command: None,
            base: None,
        }),
        Entry::Generate,
        Entry::Event(Event::Generated {
            usage: Usage::default(),
        }),
        searched(SearchNews::Trying {
            call,
            trial: TrialOf::Edit,
        }),
        proposed(1, "run"),
        started(1),
        finished(1, done()),
        searched(SearchNews::Tried { call, result }),
        searched(SearchNews::Ended {
            end: SearchEnd::Passes,
            wall_ms: 0,
        }),
        proposed(2, "fs"),
        finished(2, done()),
        ended(1, EndReason::Answered),
    ];
    let told = of(&timed(0, entries));
    let shown = tree(&told.turns);
    let shown: Vec<&str> = shown
        .lines()
        .skip(1)
        .map(|line| line.split(" · trace").next().unwrap_or_default())
        .collect();
    assert_eq!(
        shown,
        [
            "├─ search an edit of a.py · 8.0 s · 1 tried · passes",
            "│  ├─ chat model · 1.0 s · 0 tokens in (0 kept), 0 out",
            "│  └─ run.do a⟨U+001B⟩.py · 2.0 s · done · 4 bytes · the check passes",
            "│     └─ tools/call do · 1.0 s · done · 4 bytes",
            "└─ fs.do a⟨U+001B⟩.py · 1.0 s · done · 4 bytes",
        ]
    );
}

#[test]
fn a_call_that_failed_is_an_error_and_one_that_was_denied_is_none() {
    let failed = Outcome::Failed {
        text: "no".to_owned(),
    };
    let denied = Outcome::Denied {
        reason: "no".to_owned(),
    };
    for (outcome, is_error) in [(failed, true), (denied, false), (Outcome::Cancelled, false)] {
        let entries = vec![
            begun(1),
            proposed(1, "fs"),
            finished(1, outcome.clone()),
            ended(1, EndReason::Answered),
        ];
        let lines = otlp(&of(&timed(0, entries)).turns);
        assert_eq!(lines.contains(r#""code":2"#), is_error, "{outcome:?}");
        assert!(!lines.contains("a.py"), "no arguments: {lines}");
    }
}

#[test]
fn a_profile_says_what_a_server_reaches() {
    use serde_json::json;
    for (how, expected) in [
        (json!({"confined": "a copy"}), "a copy"),
        (
            json!({"container": "mcp/git", "network": "none"}),
            "container mcp/git, network: none",
        ),
        (
            json!({"reads": ["/a", "/b"], "writes": [], "network": "none"}),
            "a process that reads 2 and writes 0 named places, network: none",
        ),
        (
            json!({"url": "https://example.org", "network": "its own address alone"}),
            "elsewhere, network: its own address alone",
        ),
    ] {
        assert_eq!(profile(&how), expected);
    }
}
