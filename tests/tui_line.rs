//! A session over a line that is slow and far away: 10 kB a second and a round trip of 100 ms.

mod desk;

use std::time::{Duration, Instant};

use desk::{Desk, FAR};
use serde_json::{Map, json};
use walden::protocol::{
    CallId, Decision, EndReason, Event, Op, Outcome, Risk, ToolCall, TurnSummary,
};
use walden::tui;

/// Makes a copy of this program the terminal UI of a session that is played.
const PLAYS: &str = "WALDEN_TEST_PLAYS";

/// How many words the model writes, and how long it takes for each: faster than any model that runs on a laptop.
const WORDS: usize = 300;
const WORD: Duration = Duration::from_millis(12);

const WELCOME: &str = "your code stays on this machine";

/// What the terminal at the far end shows; by itself it does nothing.
#[test]
fn the_session_at_the_far_end() {
    if std::env::var_os(PLAYS).is_none() {
        return;
    }
    let (ops, asked) = tokio::sync::mpsc::channel(16);
    let (told, events) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || play(asked, &told));
    let options = tui::Options {
        model_name: "played".to_owned(),
        root: ".".into(),
        enforced: "nothing".to_owned(),
        ..tui::Options::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let ended = runtime.block_on(tui::run(ops, events, options));
    // Before the test's own words: nothing comes after the terminal's.
    std::process::exit(i32::from(ended.is_err()));
}

/// A turn for each message: a long answer, a call that needs a decision, and then what came of it, with what was said.
fn play(
    mut asked: tokio::sync::mpsc::Receiver<Op>,
    told: &tokio::sync::mpsc::UnboundedSender<Event>,
) {
    let tell = |event| drop(told.send(event));
    let call = CallId(1);
    let mut decisions = 0;
    while let Some(op) = asked.blocking_recv() {
        match op {
            Op::Submit { text } => {
                tell(Event::TurnStarted {
                    turn: 1,
                    text: text.clone(),
                });
                for number in 0..WORDS {
                    let text = format!("word{number} ");
                    tell(Event::Text { text });
                    std::thread::sleep(WORD);
                }
                let text = format!("\n\nheard: {text}\n");
                tell(Event::Text { text });
                tell(Event::CallProposed {
                    call: ToolCall {
                        id: call,
                        server: "fs".to_owned(),
                        tool: "edit".to_owned(),
                        arguments: Map::from_iter([("path".to_owned(), json!("src/far.rs"))]),
                    },
                    risk: Risk::Edit,
                });
                tell(Event::ApprovalRequested {
                    call,
                    reason: "the mode is ask, and this changes a file".to_owned(),
                    change: None,
                    ask: None,
                });
            }
            Op::Decide { call: of, decision } => {
                decisions += 1;
                let allowed = matches!(decision, Decision::Allow { .. });
                tell(Event::Decided { call: of, decision });
                tell(Event::CallFinished {
                    call,
                    outcome: Outcome::Done {
                        text: "edited".to_owned(),
                    },
                });
                let text = format!("\n\ndecision {decisions}, allowed: {allowed}\n");
                tell(Event::Text { text });
                tell(Event::TurnEnded {
                    turn: 1,
                    summary: TurnSummary {
                        wanted_change: false,
                        reason: EndReason::Answered,
                        changed: Vec::new(),
                        calls: 1,
                        denied: 0,
                        usage: walden::protocol::Usage::default(),
                        check: None,
                    },
                });
            }
            Op::Shutdown => break,
            _ => {}
        }
    }
}

/// Presses keys, and returns how long it was until they were shown, and how many bytes came until then.
#[track_caller]
fn echo(desk: &mut Desk, keys: &str, shown: &str) -> (Duration, usize) {
    let (began, before) = (Instant::now(), desk.all.len());
    desk.write(keys);
    desk.until_shown(shown);
    (began.elapsed(), desk.all.len() - before)
}

#[test]
fn a_whole_turn_is_typed_watched_scrolled_and_decided_over_a_thin_far_line() {
    let program = std::env::current_exe().expect("this program");
    let mut desk = Desk::at(
        FAR,
        &program,
        &["--exact", "the_session_at_the_far_end", "--nocapture"],
        &[(PLAYS, "1"), ("SSH_CONNECTION", "far 1 here 2")],
    );
    desk.until_shown(WELCOME);

    // Each key, by itself: what it costs is little, and nothing stands before it.
    let message = "go through the retries";
    let mut typed = String::from("› ");
    let mut bytes = Vec::new();
    for key in message.chars() {
        typed.push(key);
        // A space at the end of a line cannot be seen.
        let (took, cost) = echo(&mut desk, &key.to_string(), typed.trim_end());
        assert!(
            took >= FAR.delay * 2 || key == ' ',
            "the line is none: {took:?}"
        );
        bytes.push(cost);
    }
    bytes.sort_unstable();
    assert!(bytes[bytes.len() / 2] <= 40, "bytes for a key: {bytes:?}");
    desk.write("\r");

    // While the answer streams, a key's echo waits behind a few frames at most.
    desk.until_shown("word5 ");
    let before = desk.all.len();
    for text in ["one", " two", " three"] {
        let (_, queued) = echo(&mut desk, text, text.trim());
        assert!(queued < 4_000, "{queued} bytes before the echo of `{text}`");
    }
    desk.until_shown("› one two three");

    // Scrolled up, what comes below moves nothing.
    desk.until_shown("word200 ");
    let (_, queued) = echo(&mut desk, "\x1b[5~", "go through the retries");
    assert!(queued < 6_000, "{queued} bytes before the page was turned");
    desk.until(|screen| !screen.contents().contains("word299"));

    // The question comes whatever is scrolled to, and its answer counts once.
    desk.until_shown("src/far.rs");
    let streamed = desk.all.len() - before;
    assert!(
        streamed < WORDS * 45,
        "{streamed} bytes for {WORDS} words, keys and a page"
    );
    let deadline = Instant::now() + desk::PATIENCE;
    while !desk.screen.screen().contents().contains("decision 1") {
        assert!(
            Instant::now() < deadline,
            "{}",
            desk.screen.screen().contents()
        );
        // A key that comes just after the question is taken to be meant for what was there before it.
        if desk.screen.screen().contents().contains("y allow") {
            desk.write("y");
        }
        let pause = Instant::now() + Duration::from_millis(700);
        while Instant::now() < pause && !desk.screen.screen().contents().contains("decision 1") {
            desk.look();
        }
    }
    desk.until_shown("decision 1, allowed: true");
    // Nothing was lost on the way: what was typed meanwhile is there, and the model had the message whole.
    desk.until_shown("heard: go through the retries");
    desk.until_shown("› one two three");
    assert!(!desk.screen.screen().contents().contains("decision 2"));

    // The first one empties the message.
    desk.write("\x03\x03\x03");
    assert!(desk.ended().success());
    desk.is_restored();
}
